"""Sessions of the page: a wallet signs in once (EIP-4361) and may then read its orders, cancel them and listen.

A session moves no money and places no order: those carry signatures of their own. It lives in memory only, so a restart
signs everybody out. The cookie holds a random token; the venue keeps its hash.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
from fastapi import APIRouter, Request, Response

from offchain_book import signatures
from offchain_book.config import Settings
from offchain_book.gateways import siwe
from offchain_book.gateways.attempts import Guarded, sign_in_limit
from offchain_book.gateways.contract_wallets import ContractWallets
from offchain_book.gateways.credentials import wall_clock_ms
from offchain_book.gateways.native import Hex, address_of, asked, problem, read_body

COOKIE = "causeway_session"
SESSION_MS = 12 * 3_600_000
"""How long a session lasts; a message that expires earlier ends it earlier."""
NONCE_MS = 300_000
"""How long a wallet may take to sign."""
CLOCK_SKEW_MS = 60_000
"""How far ahead of us the clock may be that dated a message."""
MAX_NONCES = 100_000
MAX_SESSIONS = 10_000
"""Most that are kept; the oldest goes first."""
STATEMENT = "Sign in to see and cancel your orders. This moves nothing and costs nothing."


class NonceBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/session/nonce`."""

    wallet: Hex


class SessionBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/session`: the message as it was signed."""

    message: str
    signature: Hex


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in, and until when (wall time)."""

    wallet: str
    until_ms: int


class Sessions:
    """Who is signed in."""

    def __init__(
        self,
        settings: Settings,
        now_ms: Callable[[], int] = wall_clock_ms,
        limit: Guarded | None = None,
        contracts: ContractWallets | None = None,
    ) -> None:
        self._contracts = contracts
        self._settings = settings
        self._limit = limit or sign_in_limit()
        self._now_ms = now_ms
        self._nonces: dict[str, int] = {}
        self._sessions: dict[bytes, Session] = {}
        self._domains = _domains(settings.http_url)

    def new_nonce(self) -> str:
        """Return a nonce that one sign-in may use."""
        while len(self._nonces) >= MAX_NONCES:
            del self._nonces[next(iter(self._nonces))]
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = self._now_ms() + NONCE_MS
        return nonce

    def message(self, wallet: str, origin: str) -> siwe.Message:
        """Return the message for a wallet to sign. `origin` is the page's host if it is one of ours."""
        domain = origin if origin in self._domains else self._domains[0]
        now_ms = self._now_ms()
        return siwe.Message(
            domain,
            signatures.checksum_address(wallet),
            f"{urlsplit(self._settings.http_url).scheme}://{domain}",
            self._settings.chain_id,
            self.new_nonce(),
            now_ms,
            now_ms + SESSION_MS,
            0,
            STATEMENT,
        )

    async def open(self, text: str, signature: str) -> tuple[str, Session]:
        """Check a signed message and return the token of a new session, which works for whoever has it."""
        try:
            message = siwe.parse(text)
        except siwe.BadMessage as error:
            raise problem(400, "BAD_MESSAGE", str(error)) from None
        self._check_terms(message)
        self._check_times(message)
        digest, wallet = siwe.personal_digest(text), message.address.lower()
        recovered, reason = "", "the signature is not the wallet's over this message"
        try:
            recovered = signatures.recover(digest, signature).lower()
        except signatures.InvalidSignature as error:
            reason = str(error)
        is_known = self._nonces.get(message.nonce, 0) >= self._now_ms()
        if recovered != wallet and not (is_known and await self._is_contracts(wallet, digest, signature)):
            found = {"recovered": recovered, "expected": wallet, "digest": "0x" + digest.hex()}
            raise problem(401, "BAD_SIGNATURE", reason, found)
        if self._nonces.pop(message.nonce, 0) < self._now_ms():
            raise problem(401, "BAD_NONCE", f"the nonce works once, within {NONCE_MS // 1_000} s: ask for another")
        return self._keep(Session(wallet, min(self._now_ms() + SESSION_MS, message.expires_ms or 1 << 62)))

    async def _is_contracts(self, wallet: str, digest: bytes, signature: str) -> bool:
        """Whether a wallet made of code takes a signature now (ERC-1271): the chain is asked only about nonces that we gave."""
        return self._contracts is not None and await asked(self._contracts.is_signed(wallet, digest, signature))

    def _keep(self, session: Session) -> tuple[str, Session]:
        while len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        token = secrets.token_urlsafe(32)
        self._sessions[_hash(token)] = session
        return token, session

    def _check_terms(self, message: siwe.Message) -> None:
        """Refuse what was signed for another site or chain: that site would be able to sign in here."""
        needs: dict[str, tuple[object, bool]] = {
            "domain": (message.domain, message.domain in self._domains),
            "uri": (message.uri, urlsplit(message.uri).netloc == message.domain),
            "chain id": (message.chain_id, message.chain_id == self._settings.chain_id),
        }
        for field, (value, fits) in needs.items():
            if not fits:
                right = {"domain": " or ".join(self._domains), "uri": f"at {message.domain}"}
                needed = right.get(field, str(self._settings.chain_id))
                raise problem(
                    400, "WRONG_TERMS", f"the message's {field} is {value}, it has to be {needed}", {"field": field}
                )

    def _check_times(self, message: siwe.Message) -> None:
        now_ms = self._now_ms()
        if message.expires_ms and message.expires_ms <= now_ms:
            raise problem(401, "MESSAGE_EXPIRED", "the message's expiration time has passed")
        if max(message.issued_ms, message.not_before_ms) > now_ms + CLOCK_SKEW_MS:
            raise problem(401, "MESSAGE_NOT_YET_VALID", "the message is dated in the future; check your clock")

    def find(self, request: Request) -> Session | None:
        """Return the session of a request's cookie. What changes something has to come from our own page."""
        session = self._sessions.get(_hash(request.cookies.get(COOKIE, "")))
        if session is None or session.until_ms <= self._now_ms():
            return None
        origin = request.headers.get("origin")
        if request.method != "GET" and origin and urlsplit(origin).netloc not in self._domains:
            raise problem(403, "WRONG_ORIGIN", f"sessions work from {' and '.join(self._domains)}, not from {origin}")
        return session

    def close(self, request: Request) -> None:
        """Sign out."""
        self._sessions.pop(_hash(request.cookies.get(COOKIE, "")), None)

    # --- routes ------------------------------------------------------------------------------------------------------

    async def nonce_route(self, request: Request) -> dict[str, Any]:
        """Give a nonce for one sign-in, and the message to sign with `personal_sign`."""
        body = await read_body(request, NonceBody)
        wallet = address_of(body.wallet, "wallet")
        self._limit.take(request, wallet)
        message = self.message(wallet, request.headers.get("host", ""))
        return {"nonce": message.nonce, "message": message.text(), "expires_in_s": NONCE_MS // 1_000}

    async def open_route(self, request: Request, response: Response) -> dict[str, Any]:
        """Sign in with a signed EIP-4361 message; the answer sets the session's cookie."""
        body = await read_body(request, SessionBody)
        token, session = await self.open(body.message, body.signature)
        self._limit.give_back(request, session.wallet)
        secure = self._settings.http_url.startswith("https")
        left_s = (session.until_ms - self._now_ms()) // 1_000
        response.set_cookie(COOKIE, token, max_age=left_s, path="/venue", httponly=True, samesite="strict", secure=secure)
        return _shown(session)

    async def show_route(self, request: Request) -> dict[str, Any]:
        """Say who is signed in: `wallet` is null when nobody is."""
        return _shown(self.find(request))

    async def close_route(self, request: Request) -> Response:
        """Sign out."""
        self.close(request)
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, path="/venue", httponly=True, samesite="strict")
        return response


def _shown(session: Session | None) -> dict[str, Any]:
    return {"wallet": session and session.wallet, "expires_ms": session and session.until_ms}


def _domains(http_url: str) -> tuple[str, ...]:
    """Return the hosts under which the page is served; a browser may call the loopback address localhost."""
    where = urlsplit(http_url)
    if where.hostname == "127.0.0.1":
        return (where.netloc, f"localhost:{where.port}")
    return (where.netloc,)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def router(sessions: Sessions) -> APIRouter:
    """Return the routes under /venue/session."""
    routes = APIRouter(prefix="/venue/session", tags=["venue"])
    routes.add_api_route("/nonce", sessions.nonce_route, methods=["POST"])
    routes.add_api_route("", sessions.open_route, methods=["POST"], status_code=201)
    routes.add_api_route("", sessions.show_route, methods=["GET"])
    routes.add_api_route("", sessions.close_route, methods=["DELETE"], status_code=204)
    return routes
