"""Kalshi's REST dialect: the frame that every operation of the table (`kalshi_operations`) runs in. Read me first.

A request meets, in this order: its route, its credentials, its handler (a method of a class in `kalshi_markets`,
`kalshi_orders`, `kalshi_portfolio` and so on), which turns it into a command or a view. Whatever goes wrong is
answered in the dialect's shape. Routes that Kalshi has and this venue does not yet answer 501 (`kalshi_later`), everything else 404.
"""

import logging
import re
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from offchain_book.config import Settings
from offchain_book.engine.account import ApiKey
from offchain_book.gateways.credentials import HEADERS, Authenticator, BadCredentials, grants
from offchain_book.gateways.json_answer import JsonAnswer
from offchain_book.gateways.kalshi_call import Call, Endpoint, Json
from offchain_book.gateways.kalshi_errors import KalshiError, body, not_implemented, stopped
from offchain_book.gateways.kalshi_later import later_routes
from offchain_book.gateways.kalshi_legacy import is_older, older
from offchain_book.gateways.kalshi_operations import Operation, operations
from offchain_book.gateways.kalshi_rates import PER_ROW, Bucket, Limiter, cost_of, headers, monotonic_ms
from offchain_book.gateways.kalshi_views import owner_and_number
from offchain_book.gateways.request_ids import REQUEST_ID, identify
from offchain_book.sequencer import Sequencer, Unavailable

PREFIX = "/trade-api/v2"

_log = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder(decimal_format="number")


def router(sequencer: Sequencer, settings: Settings) -> APIRouter:
    """Return the routes of Kalshi's dialect, prefix included."""
    routes = APIRouter(prefix=PREFIX, tags=["Kalshi"])
    limiter = Limiter(settings.rate_limit_tier)
    frame = _Frame(sequencer, limiter)
    table = operations(sequencer, limiter)
    for method, path, what in _shadowing(table):
        routes.add_api_route(path, frame.endpoint(_later(method, path, what)), methods=[method], include_in_schema=False)
    for operation in table:
        routes.add_api_route(
            operation.path,
            frame.endpoint(operation),
            methods=[operation.method],
            status_code=operation.status,
            operation_id=operation.operation_id,
            summary=operation.operation_id,
            description=operation.handler.__doc__,
            response_model=None,
            openapi_extra={"parameters": _parameters(operation)},
        )
    routes.add_api_route(
        "/{path:path}",
        frame.endpoint(Operation("Unserved", "", "", _Unserved(table).answer)),
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        include_in_schema=False,
    )
    return routes


HOT = (
    "CreateOrderV2",
    "BatchCreateOrdersV2",
    "CancelOrderV2",
    "BatchCancelOrdersV2",
    "CreateOrder",
    "CancelOrder",
    "BatchCancelOrders",
)
"""Operations that are served beside the framework (`hot_path`)."""


def hot_routes(routes: APIRouter) -> Mapping[tuple[str, str], Endpoint]:
    """Return (method, path) and function of the operations in HOT."""
    return {
        (method, route.path): route.endpoint
        for route in routes.routes
        if isinstance(route, APIRoute) and route.operation_id in HOT
        for method in route.methods or ()
    }


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    """Return a route's parameters for /openapi.json; the handlers parse them by themselves."""
    in_path = re.findall(r"{(\w+)}", operation.path)
    return [
        *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path),
        *({"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in operation.query),
    ]


class _Frame:
    """What happens around every handler: request id, credentials, errors, encoding."""

    def __init__(self, sequencer: Sequencer, limiter: Limiter) -> None:
        self._state = sequencer.state
        self._limiter = limiter
        self._authenticator = Authenticator(sequencer.state)

    def endpoint(self, operation: Operation) -> Endpoint:
        """Return the route's function."""
        cost, per_row = cost_of(operation.operation_id), operation.operation_id in PER_ROW

        async def endpoint(request: Request) -> Response:
            request_id = _request_id(request)
            bucket = None
            try:
                key = await self._sender(request, operation.scope)
                bucket = self._bucket(request, key)
                bill = partial(self._bill, bucket, cost)
                if not per_row:
                    bill(1)
                _check_scope(key, operation.scope)
                reply = await operation.handler(Call(request, key, request_id, self._state, bill))
                agent = request.headers.get("User-Agent", "")
                if is_older(agent):
                    reply = older(reply, agent)
                response = _response(operation.status, reply)
            except KalshiError as error:
                response = _error_response(error)
            except Unavailable as error:
                response = _error_response(stopped(error))
            except Exception:
                _log.exception("request %s to %s failed", request_id, request.scope["path"])
                response = _error_response(
                    KalshiError(500, "internal_error", f"this is a bug of the venue; its log has request {request_id}")
                )
            response.raw_headers += [(REQUEST_ID, request_id.encode()), *headers(bucket or self._bucket(request, None))]
            return response

        endpoint.__doc__ = operation.handler.__doc__
        return endpoint

    async def _sender(self, request: Request, scope: str) -> ApiKey | None:
        """Return the key that signed a request, None without one. Credentials on a public route are optional, but never wrong."""
        if not scope and not any(name in request.headers for name in HEADERS):
            return None
        raw_path: bytes = request.scope["raw_path"]
        try:
            key = await self._authenticator.check_off_loop(
                request.headers, request.method, raw_path.decode("latin-1"), request.scope["query_string"].decode("latin-1")
            )
        except BadCredentials as error:
            raise KalshiError(401, "authentication_error", error.message, error.details) from error
        return key

    def _bucket(self, request: Request, key: ApiKey | None) -> Bucket:
        """Return what pays for a request: its account's bucket, or its address's while nobody has said who it is."""
        owner = f"address {request.client.host if request.client else ''}"
        if key is not None:
            owner, _ = owner_and_number(key.account_id)
        return self._limiter.bucket(owner, request.method, monotonic_ms())

    def _bill(self, bucket: Bucket, cost: int, rows: int) -> None:
        self._limiter.charge(bucket, cost * rows)


def _check_scope(key: ApiKey | None, scope: str) -> None:
    if scope and key is not None and not grants(key, scope):
        raise KalshiError(
            403,
            "insufficient_scope",
            f"this route needs the scope {scope}",
            {"need": scope, "have": ", ".join(key.scopes)},
        )


def _request_id(request: Request) -> str:
    """Return the request's id. A trace starts with it. Alone, without the application, this dialect gives it by itself."""
    known: str | None = request.scope.get("state", {}).get("request_id")
    return identify(request.scope) if known is None else known


def _response(status: int, reply: Json | None) -> Response:
    return Response(status_code=status) if reply is None else JsonAnswer(_encoder.encode(reply), status)


def _error_response(error: KalshiError) -> Response:
    more = [
        (name, str(error.details[name.decode()]).encode())
        for name in (b"allow", b"location")
        if name.decode() in error.details
    ]
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        more.append((b"retry-after", b"1"))
    return JsonAnswer(body(error), error.status, more)


# --- what is not served -----------------------------------------------------------------------------------------------


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{\w+}", "[^/]+", path))


def _later(method: str, path: str, what: str) -> Operation:
    async def handler(call: Call) -> Json:
        raise not_implemented(what)

    return Operation(f"Later {method} {path}", method, path, handler)


def _shadowing(operations: tuple[Operation, ...]) -> list[tuple[str, str, str]]:
    """Return the unserved routes that a served one would swallow, as /markets/{ticker} would /markets/candlesticks."""
    served = [(operation.method, _pattern(operation.path)) for operation in operations if "{" in operation.path]
    return [
        (method, path, what)
        for method, path, what in later_routes()
        if "{" not in path and any(method == known and pattern.fullmatch(path) for known, pattern in served)
    ]


class _Unserved:
    """Answers whatever no operation took."""

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        self._served = [(operation.method, _pattern(operation.path)) for operation in operations]
        self._later = [(method, _pattern(path), what) for method, path, what in later_routes()]

    async def answer(self, call: Call) -> Json:
        """Say what is missing: the operation, the method, or the path."""
        method, path = call.request.method, call.request.url.path.removeprefix(PREFIX)
        for known, pattern, what in self._later:
            if method == known and pattern.fullmatch(path):
                raise not_implemented(what)
        if path.endswith("/") and path.strip("/"):
            bare = f"{PREFIX}{path.rstrip('/')}{'?' if call.request.url.query else ''}{call.request.url.query}"
            raise KalshiError(301, "moved_permanently", "paths end without a slash", {"location": bare})
        others = {known for known, pattern in self._served if pattern.fullmatch(path)}
        others |= {known for known, pattern, _ in self._later if pattern.fullmatch(path)}
        if others:
            allowed = ", ".join(sorted(others))
            raise KalshiError(405, "method_not_allowed", f"{path} takes {allowed}", {"allow": allowed})
        raise KalshiError(404, "not_found", f"there is no route {method} {PREFIX}{path}", {"path": f"{PREFIX}{path}"})
