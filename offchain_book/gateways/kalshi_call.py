"""One request in Kalshi's dialect, as its handlers see it: who asks, what is in the query, what is in the body.

Query parameters are parsed strictly, and a wrong one is refused by name. Lists are paged by an opaque cursor: a
position in a list that only grows at its end, so new items never shift a page.
"""

import asyncio
import base64
import binascii
import re
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from offchain_book.config import MAX_BODY_BYTES, MAX_PAGE
from offchain_book.engine.account import Account, ApiKey
from offchain_book.engine.names import subaccount_id
from offchain_book.engine.state import State
from offchain_book.engine.subaccounts import MAX_SUBACCOUNT
from offchain_book.gateways.kalshi_errors import KalshiError, invalid

Json = dict[str, Any]
Endpoint = Callable[[Request], Awaitable[Response]]
"""What answers a route."""
T = TypeVar("T")

MAX_SCAN = 10_000
"""Most items that one page looks at; a filter that finds few gives a short page and a cursor to go on."""
VIEWS_PER_TURN = 50
"""Views made before other requests get the loop."""
MAX_TICKERS = 100
"""Most names in one comma-separated filter."""
_INTEGER = re.compile(r"-?\d{1,15}", re.ASCII)
_CURSOR = re.compile(r"([a-z_]+)\.(\d{1,15})", re.ASCII)


def _free(rows: int) -> None:
    """Charge nothing."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose sender has been checked. `key` is None on public routes without credentials."""

    request: Request
    key: ApiKey | None
    request_id: str
    state: State
    bill: Callable[[int], None] = _free
    """Charges a batch for so many rows; the rate limit of everything else is charged before."""

    # --- whose ------------------------------------------------------------------------------------------------------

    @property
    def sender(self) -> ApiKey:
        """The key that signed the request."""
        assert self.key is not None, "only routes with a scope ask for the sender"
        return self.key

    @property
    def account(self) -> Account:
        """The account that the key belongs to; a subaccount when the key is locked to one."""
        return self.state.accounts[self.sender.account_id]

    def primary(self) -> Account:
        """Return the account, for what a key that is locked to a subaccount may not do."""
        account = self.account
        if account.parent:
            raise _locked(account)
        return account

    def part(self, number: int | None) -> Account:
        """Return a part of the account by its number; the account itself, or the locked subaccount, when none is given."""
        account = self.account
        if account.parent:
            if number not in (None, account.number):
                raise _locked(account)
            return account
        if number is not None and not 0 <= number <= MAX_SUBACCOUNT:
            raise invalid(f"subaccounts are 0 to {MAX_SUBACCOUNT}", {"field": "subaccount", "value": number})
        found = self.state.accounts.get(subaccount_id(account.account_id, number or 0))
        if found is None:
            raise KalshiError(
                404, "subaccount_not_found", f"there is no subaccount {number}; open it first", {"subaccount": number or 0}
            )
        return found

    def parts(self) -> list[Account]:
        """Return every part of the account that the key reaches, the account itself first."""
        account = self.account
        return [account, *(self.part(number) for number in account.subaccounts)]

    def asked_part(self) -> Account:
        """Return the part that the query names, by default the account itself."""
        self.check_exchange()
        return self.part(self._subaccount())

    def asked_parts(self) -> list[Account]:
        """Return the part that the query names, by default all of them."""
        self.check_exchange()
        number = self._subaccount()
        return self.parts() if number is None else [self.part(number)]

    def _subaccount(self) -> int | None:
        return self.integer("subaccount", 0, MAX_SUBACCOUNT)

    def check_exchange(self) -> None:
        """Refuse other matching engines than the one there is."""
        self.integer("exchange_index", -1, 0)

    # --- what -------------------------------------------------------------------------------------------------------

    def path(self, name: str) -> str:
        """Return a path parameter."""
        return str(self.request.path_params[name])

    def text(self, name: str) -> str:
        """Return a query parameter, empty when absent."""
        return self.request.query_params.get(name, "")

    def names(self, name: str) -> tuple[str, ...]:
        """Return a comma-separated filter; empty when absent."""
        found = tuple(part for part in self.text(name).split(",") if part)
        if len(found) > MAX_TICKERS:
            raise invalid(f"{name} may list {MAX_TICKERS} names, not {len(found)}", {"parameter": name})
        return found

    def repeated(self, name: str) -> list[str]:
        """Return a parameter that is given once per value."""
        return [value for value in self.request.query_params.getlist(name) if value]

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """Return a parameter from a closed list, empty when absent."""
        value = self.text(name)
        if value and value not in allowed:
            raise invalid(f"{name} must be one of: {', '.join(allowed)}", {"parameter": name, "value": value[:64]})
        return value

    def flag(self, name: str) -> bool | None:
        """Return a boolean parameter, None when absent."""
        value = self.text(name).lower()
        if value in ("", "true", "false"):
            return None if not value else value == "true"
        raise invalid(f"{name} must be true or false", {"parameter": name, "value": value[:64]})

    def integer(self, name: str, lowest: int | None = None, highest: int | None = None) -> int | None:
        """Return a whole number, None when absent."""
        text = self.text(name)
        if not text:
            return None
        value = int(text) if _INTEGER.fullmatch(text) else None
        if value is None or (lowest is not None and value < lowest) or (highest is not None and value > highest):
            wanted = "a whole number" if highest is None else f"a whole number from {lowest} to {highest}"
            raise invalid(f"{name} must be {wanted}", {"parameter": name, "value": text[:64]})
        return value

    def limit(self, lowest: int = 1, default: int = 100, highest: int = MAX_PAGE) -> int:
        """Return the page size; 0, where allowed, means the default."""
        return self.integer("limit", lowest, highest) or default

    def span_ms(self) -> tuple[int | None, int | None]:
        """Return the time filter `min_ts`..`max_ts`, both inclusive, in milliseconds."""
        first, last = self.integer("min_ts"), self.integer("max_ts")
        return (None if first is None else first * 1000), (None if last is None else last * 1000 + 999)

    def cursor(self, kind: str) -> int | None:
        """Return where a list's next page ends, None for its first page."""
        text = self.text("cursor")
        if not text:
            return None
        try:
            match = _CURSOR.fullmatch(base64.urlsafe_b64decode(f"{text}{'=' * (-len(text) % 4)}").decode("ascii"))
        except (binascii.Error, ValueError):
            match = None
        if match is None or match.group(1) != kind:
            raise invalid("cursor is not one that this list returned", {"parameter": "cursor"}, "invalid_cursor")
        return int(match.group(2))

    async def body(self) -> bytes:
        """Return the body, reading no more than MAX_BODY_BYTES."""
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in self.request.stream():
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    raise _too_large()
                chunks.append(chunk)
        except HTTPException as error:  # the application's own guard counts the same bytes, and earlier
            raise _too_large() from error
        except ClientDisconnect as error:  # nobody reads the answer, but it is no bug of ours
            raise invalid("the body ended early", code="body_incomplete") from error
        return b"".join(chunks)


def _locked(account: Account) -> KalshiError:
    return KalshiError(
        403,
        "subaccount_restricted",
        f"this key is locked to subaccount {account.number}",
        {"have": account.number, "need": "a key of the whole account"},
    )


def _too_large() -> KalshiError:
    message = f"the body is larger than {MAX_BODY_BYTES} bytes"
    return KalshiError(413, "body_too_large", message, {"limit_bytes": MAX_BODY_BYTES})


def decode(decoder: "msgspec.json.Decoder[T]", data: bytes | msgspec.Raw) -> T:
    """Decode a body or a part of one; what does not fit is the sender's error, by field."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise invalid(f"the body does not fit this operation: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"the body is not valid JSON: {error}", code="invalid_json") from None


def next_cursor(kind: str, position: int | None) -> str:
    """Return the cursor of a list's next page; empty at the end."""
    if position is None:
        return ""
    return base64.urlsafe_b64encode(f"{kind}.{position}".encode()).decode().rstrip("=")


def newest_first(
    items: Sequence[T], keep: Callable[[T], bool], limit: int, before: int | None, oldest: int = 0
) -> tuple[list[T], int | None]:
    """Return a page of a growing list and where the next one ends, None at the end.

    Looks at positions from `before` (exclusive) down to `oldest`.
    """
    newest = len(items) if before is None else min(before, len(items))
    found: list[T] = []
    last = newest
    for position in range(newest - 1, oldest - 1, -1):
        if newest - position > MAX_SCAN:
            return found, position + 1
        if not keep(items[position]):
            continue
        if len(found) == limit:
            return found, last
        found.append(items[position])
        last = position
    return found, None


async def rendered(items: Iterable[T], view: Callable[[T], Json]) -> list[Json]:
    """Return the views of many items without keeping the loop from other requests."""
    found: list[Json] = []
    for item in items:
        found.append(view(item))
        if len(found) % VIEWS_PER_TURN == 0:
            await asyncio.sleep(0)
    return found


def time_bounds(items: Sequence[T], at_ms: Callable[[T], int], call: Call, before: int | None) -> tuple[int | None, int]:
    """Narrow a page to the positions within `min_ts`..`max_ts`; the list is in order of time."""
    first_ms, last_ms = call.span_ms()
    oldest = 0 if first_ms is None else bisect_left(items, first_ms, key=at_ms)
    if last_ms is None:
        return before, oldest
    end = bisect_right(items, last_ms, key=at_ms)
    return (end if before is None else min(before, end)), oldest
