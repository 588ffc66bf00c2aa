"""What every Polymarket-dialect route shares: limited bodies, JSON out, errors, request ids, authentication, pages."""

import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import msgspec
from fastapi import Request, Response
from fastapi.routing import APIRoute

from offchain_book.config import MAX_BODY_BYTES, Settings
from offchain_book.engine.account import Account, ApiKey
from offchain_book.engine.commands import Command
from offchain_book.engine.market import Market
from offchain_book.engine.order import Order
from offchain_book.engine.state import State
from offchain_book.gateways.contract_wallets import ContractWallets
from offchain_book.gateways.hot_path import HotRequest
from offchain_book.gateways.json_answer import JsonAnswer
from offchain_book.gateways.polymarket_errors import INVALID_L1, UNAUTHORIZED, ApiError, malformed, unknown_token
from offchain_book.gateways.polymarket_words import LAST_PAGE, Token, cursor, find_token, position_of
from offchain_book.gateways.request_ids import REQUEST_ID, identify
from offchain_book.gateways.wallet_credentials import (
    BUILDER_HEADERS,
    READONLY_HEADER,
    NotAuthenticated,
    WalletProof,
    authenticate_builder,
    authenticate_readonly,
    authenticate_request,
    prove_wallet,
)
from offchain_book.projections import Projections
from offchain_book.sequencer import Overloaded, Receipt, Sequencer, Unavailable

_RETRY_AFTER_S = b"1"
_encoder = msgspec.json.Encoder()
T = TypeVar("T")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def request_id_of(request: Request) -> str:
    """Return the id of a request, always the same. Alone, without the application, this dialect gives it by itself."""
    known: str | None = request.scope.get("state", {}).get("request_id")
    return identify(request.scope) if known is None else known


def reply(content: object, status: int = 200) -> Response:
    """Answer with JSON. The clients take only 200 for success."""
    return JsonAnswer(_encoder.encode(content), status)


def unavailable(error: Unavailable) -> ApiError:
    """Return what to answer when the exchange takes no command."""
    return ApiError(503, str(error), "OVERLOADED" if isinstance(error, Overloaded) else "UNAVAILABLE")


class PolymarketRoute(APIRoute):
    """A route whose endpoint takes the request as it is; errors are answered in Polymarket's form."""

    def get_route_handler(self) -> Handler:
        """Return what answers a request."""
        endpoint: Handler = self.endpoint

        async def handle(request: Request) -> Response:
            request_id = request_id_of(request)
            try:
                response = await endpoint(request)
            except ApiError as error:
                response = reply(error.body(request_id), error.status)
            except Unavailable as error:
                response = reply(unavailable(error).body(request_id), 503)
            if response.status_code == 503:
                response.raw_headers.append((b"retry-after", _RETRY_AFTER_S))
            response.raw_headers.append((REQUEST_ID, request_id.encode()))
            return response

        return handle


async def read_body(request: Request) -> bytes:
    """Read a request's body, as far as the limit allows."""
    if isinstance(request, HotRequest) and request.whole is not None:
        return request.whole  # the hot path takes small bodies only
    declared = request.headers.get("content-length", "")
    parts: list[bytes] = []
    size = int(declared) if declared.isascii() and declared.isdigit() and len(declared) < 16 else 0
    if size <= MAX_BODY_BYTES:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > MAX_BODY_BYTES:
                break
            parts.append(part)
    if size > MAX_BODY_BYTES:
        reason = f"the body is larger than {MAX_BODY_BYTES} bytes"
        raise ApiError(413, "request body too large", "BODY_TOO_LARGE", reason, limit_bytes=MAX_BODY_BYTES)
    return b"".join(parts)


def decode(decoder: msgspec.json.Decoder[T], body: bytes, error: str) -> T:
    """Decode a body, or answer 400 with `error` and the place where it goes wrong."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise malformed(error, str(problem)) from problem
    except RecursionError as problem:
        raise malformed(error, "the body is nested too deeply") from problem


def wall_time_s() -> int:
    """Return the wall clock, which authentication goes by (orders go by venue time)."""
    return time.time_ns() // 1_000_000_000


def query(*names: str) -> dict[str, Any]:
    """Describe a route's query parameters for the OpenAPI document."""
    return {"parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]}


class Caller(NamedTuple):
    """Who signed a request with an API key, and its body."""

    key: ApiKey
    body: bytes
    request_id: str

    @property
    def account_id(self) -> str:
        """The wallet, as its lower-case address."""
        return self.key.account_id

    def reaches(self, account_id: str, session_id: str) -> bool:
        """Whether an order is the wallet's own, or one that it handed in for a contract wallet (signature type 3)."""
        return self.account_id in (account_id, session_id)


@dataclass(frozen=True, slots=True)
class Venue:
    """What the routes read from and submit to."""

    sequencer: Sequencer
    settings: Settings
    contracts: ContractWallets | None = None

    @property
    def state(self) -> State:
        """The exchange's state, to read only."""
        return self.sequencer.state

    @property
    def projections(self) -> Projections:
        """The read models."""
        return self.sequencer.projections

    async def submit(self, command: Command, request_id: str) -> Receipt:
        """Send a command to the sequencer and wait until it is durable."""
        return await self.sequencer.submit(command, request_id)

    def proven_wallet(self, request: Request) -> WalletProof:
        """Check a wallet's own signature over the request's headers (L1)."""
        try:
            return prove_wallet(self.settings, request.headers, wall_time_s())
        except NotAuthenticated as error:
            raise ApiError(401, INVALID_L1, "INVALID_L1", error.reason, check=error.check) from error

    async def caller(self, request: Request) -> Caller:
        """Read the body and check the request's API key and HMAC (L2); what only reads takes a read-only key as well."""
        body = await read_body(request)
        method, path = request.method, request.scope["path"]
        try:
            if method == "GET" and READONLY_HEADER in request.headers:
                key = authenticate_readonly(self.state, self.settings, request.headers)
            else:
                key = authenticate_request(self.state, self.settings, request.headers, method, path, body, wall_time_s())
        except NotAuthenticated as error:
            raise ApiError(401, UNAUTHORIZED, "UNAUTHORIZED", error.reason, check=error.check) from error
        return Caller(key, body, request_id_of(request))

    def accounts_of(self, caller: Caller) -> list[tuple[Account, str]]:
        """Return (account, session) of all orders that a key reaches: the wallet's own, then those it handed in for others."""
        handed_in = self.projections.funders.get(caller.account_id, ())
        own = (self.state.accounts[caller.account_id], "")
        return [own, *((self.state.accounts[funder], caller.account_id) for funder in handed_in)]

    def open_orders(self, caller: Caller) -> list[Order]:
        """Return the open orders that a key reaches, each account's oldest first."""
        return [
            order
            for account, session_id in self.accounts_of(caller)
            for order in account.open_orders.values()
            if session_id in ("", order.terms.session_id)
        ]

    def builder(self, request: Request, body: bytes) -> ApiKey | None:
        """Return the builder key that signed a request beside its user, None when nobody claims to have."""
        if BUILDER_HEADERS[0] not in request.headers:
            return None
        method, path = request.method, request.scope["path"]
        try:
            return authenticate_builder(self.state, self.settings, request.headers, method, path, body, wall_time_s())
        except NotAuthenticated as error:
            raise ApiError(401, UNAUTHORIZED, "UNAUTHORIZED", error.reason, check=error.check) from error

    def market(self, condition_id: str) -> Market:
        """Return the market of a condition, or answer 404."""
        ticker = self.state.conditions.get(condition_id.lower())
        if ticker is None:
            raise ApiError(404, "market not found", "UNKNOWN_MARKET", f"no market has the condition {condition_id}")
        return self.state.markets[ticker]

    def token(self, token_id: str) -> Token:
        """Return the token with an id, or answer 404."""
        found = find_token(self.state, token_id)
        if found is None:
            raise unknown_token(token_id)
        return found


def page_position(request: Request) -> int:
    """Return the position in the request's `next_cursor`, or answer 400."""
    text = request.query_params.get("next_cursor", "")
    try:
        return position_of(text)
    except ValueError as error:
        raise ApiError(400, "invalid next_cursor", "INVALID_CURSOR", f"{text} is no cursor of this venue") from error


def page(rows: Sequence[object], limit: int, next_position: int | None) -> Response:
    """Answer with one page of a list; the last one says so."""
    following = LAST_PAGE if next_position is None else cursor(next_position)
    return reply({"limit": limit, "count": len(rows), "next_cursor": following, "data": rows})
