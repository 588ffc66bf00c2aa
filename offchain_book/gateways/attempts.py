"""Attempts that may be guesses, or that cost the venue something, are counted per account and per address.

A generic cell rate: `most` at once, then one more each `window_s / most`. What turned out right is given back, so that only
failures count. Whoever is refused is told when to come again; nobody is locked out for longer than that, so an attacker who
names somebody else's account delays that person by a step and no more.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from fastapi import HTTPException, Request

from offchain_book.config import SIGN_INS_PER_ACCOUNT, SIGN_INS_PER_ADDRESS, AttemptLimit

MAX_KEYS = 20_000
"""Most accounts and addresses that are remembered; the one that was silent longest is forgotten."""


class Attempts:
    """Counts of one kind of attempt. Event loop only."""

    def __init__(self, what: str, limit: AttemptLimit, now_s: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._limit = limit
        self._step_s = limit.window_s / limit.most
        self._now_s = now_s
        self._free_s: OrderedDict[str, float] = OrderedDict()
        """Key -> when its allowance is whole again."""

    def take(self, key: str) -> None:
        """Count an attempt. Raises HTTPException 429 with the seconds to wait."""
        now = self._now_s()
        free = max(now, self._free_s.get(key, now)) + self._step_s
        wait_s = free - now - self._limit.window_s
        if wait_s > 1e-9:
            raise _too_many(self._what, self._limit, math.ceil(wait_s))
        self._free_s[key] = free
        self._free_s.move_to_end(key)
        while len(self._free_s) > MAX_KEYS:
            self._free_s.popitem(last=False)

    def give_back(self, key: str) -> None:
        """Uncount an attempt: it was right."""
        if key in self._free_s:
            self._free_s[key] -= self._step_s


class Guarded:
    """Attempts counted twice: for what they name, and for where they come from."""

    def __init__(
        self, what: str, per_name: AttemptLimit, per_address: AttemptLimit, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._names = Attempts(f"{what} for this account", per_name, now_s)
        self._addresses = Attempts(f"{what} from your address", per_address, now_s)

    def take(self, request: Request, name: str) -> None:
        """Count an attempt. Raises HTTPException 429."""
        self._addresses.take(address_of(request))
        self._names.take(name)

    def give_back(self, request: Request, name: str) -> None:
        """Uncount an attempt."""
        self._addresses.give_back(address_of(request))
        self._names.give_back(name)


def sign_in_limit(now_s: Callable[[], float] = time.monotonic) -> Guarded:
    """Return the count of a venue's sign-ins."""
    return Guarded("sign-ins", SIGN_INS_PER_ACCOUNT, SIGN_INS_PER_ADDRESS, now_s)


def address_of(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client is not None else ""


def _too_many(what: str, limit: AttemptLimit, wait_s: int) -> HTTPException:
    message = f"too many {what}: {limit.most} in {limit.window_s} s are taken; come again in {wait_s} s"
    details = {"most": limit.most, "window_s": limit.window_s, "retry_after_s": wait_s}
    detail = {"code": "TOO_MANY_ATTEMPTS", "message": message, "details": details}
    return HTTPException(429, detail, headers={"Retry-After": str(wait_s)})
