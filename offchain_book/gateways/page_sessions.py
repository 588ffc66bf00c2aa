"""Sessions of custodial accounts on the page: a cookie that no script can read, and a check that the page itself sent the request.

The cookie is `HttpOnly` and `SameSite=Strict`; requests that change something also need the header `X-Causeway-Page`, which
a foreign site cannot set without a CORS permission that this venue never gives. Sessions live in memory: a restart signs out.
Wallets have theirs in `sessions.py`; they move no money.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import HTTPException, Request, Response

COOKIE = "causeway_account"
PAGE_HEADER = "x-causeway-page"
SESSION_S = 12 * 3_600
"""How long a session lasts; using it does not prolong it."""
MAX_SESSIONS = 10_000
"""Most sessions at once; the oldest goes first."""
_SAFE = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in, and until when."""

    account_id: str
    until_s: float


class PageSessions:
    """Open sessions by the hash of their token. They may do what the account may: trade and withdraw."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._open: dict[str, Session] = {}

    def begin(self, response: Response, account_id: str) -> None:
        """Open a session for an account whose owner has just proved himself; the answer carries the cookie."""
        while len(self._open) >= MAX_SESSIONS:
            del self._open[next(iter(self._open))]
        token = secrets.token_urlsafe(32)
        self._open[_hashed(token)] = Session(account_id, self._now_s() + SESSION_S)
        response.set_cookie(COOKIE, token, max_age=SESSION_S, path="/venue", httponly=True, samesite="strict")

    def end(self, request: Request, response: Response) -> None:
        """End the request's session."""
        self._open.pop(_hashed(request.cookies.get(COOKIE, "")), None)
        response.delete_cookie(COOKIE, path="/venue", httponly=True, samesite="strict")

    def account_of(self, request: Request) -> str:
        """Return whose session a request belongs to; empty without one. Raises HTTPException 403 for a foreign site's."""
        token = request.cookies.get(COOKIE)
        session = self._open.get(_hashed(token)) if token else None
        if session is None or self._now_s() > session.until_s:
            return ""
        if request.method not in _SAFE:
            check_own_page(request)
        return session.account_id


def check_own_page(request: Request) -> None:
    """Refuse a request that changes something and does not come from the venue's own page."""
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if request.headers.get(PAGE_HEADER) != "1" or (origin is not None and origin != own):
        message = f"a session is for the venue's own page ({own}); sign requests with an API key instead"
        raise HTTPException(403, {"code": "FOREIGN_PAGE", "message": message, "details": {"origin": origin or ""}})


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
