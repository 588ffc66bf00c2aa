"""The HTTP application: mounts every dialect's router, and keeps what all of them share out of them.

Shared are the request id, the limit on bodies, the answers to unknown routes, and the rule that a bug never shows a
traceback to a client. It decides nothing about the exchange.
"""

import html
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from offchain_book import config
from offchain_book.config import Settings
from offchain_book.gateways import (
    admin,
    asyncapi,
    data_api,
    deposits,
    error_page,
    explain,
    gamma,
    kalshi,
    kalshi_stream,
    native,
    native_orders,
    operator,
    page,
    page_accounts,
    page_views,
    polymarket,
    polymarket_stream,
    reserves,
    sessions,
    venue_stream,
    withdrawals,
    witnesses,
)
from offchain_book.gateways.attempts import Guarded, sign_in_limit
from offchain_book.gateways.exact_paths import ExactPaths
from offchain_book.gateways.hot_path import HotPath
from offchain_book.gateways.metrics import Gauges
from offchain_book.gateways.page_passwords import Passwords
from offchain_book.gateways.page_sessions import PageSessions
from offchain_book.gateways.polymarket_errors import ApiError
from offchain_book.gateways.request_ids import REQUEST_ID, identify
from offchain_book.gateways.stream import Hub
from offchain_book.gateways.stream_tickets import Tickets
from offchain_book.reserves import ReserveBoard
from offchain_book.sequencer import Sequencer, Unavailable

_log = logging.getLogger(__name__)
LLMS_TXT = Path(__file__).resolve().parents[1] / "llms.txt"
_KALSHI_PREFIX = "/trade-api"
_OUR_PREFIXES = ("/venue", "/healthz", "/readyz", "/metrics")

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class RequestId:
    """Gives every request an id, and every answer that of its request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = identify(scope).encode()
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != REQUEST_ID] + [(REQUEST_ID, request_id)]

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message.get("headers", ()) if pair[0].lower() != REQUEST_ID]
                message["headers"] = [*kept, (REQUEST_ID, request_id)]
            await send(message)

        await self._app(scope, receive, answer)


class BodyLimit:
    """Refuses bodies above MAX_BODY_BYTES: by their stated length at once, unstated ones when they pass it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stated = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not stated.isdigit() or int(stated) > config.MAX_BODY_BYTES:
            await _too_large(scope)(scope, receive, send)
            return
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > config.MAX_BODY_BYTES:
                    raise HTTPException(413, f"the body is larger than {config.MAX_BODY_BYTES} bytes")
            return message

        await self._app(scope, limited, send)


def _too_large(scope: Scope) -> Response:
    return _error(scope, 413, "body_too_large", f"the body is larger than {config.MAX_BODY_BYTES} bytes")


def _error(scope: Scope, status: int, code: str, message: str) -> Response:
    """Return an error in the envelope of the dialect that the path belongs to."""
    path, request_id = scope["path"], scope.get("state", {}).get("request_id", "")
    nested = {"code": code, "message": message, "docs": error_page.link(code), "request_id": request_id}
    if path.startswith(_KALSHI_PREFIX):
        return JSONResponse({"error": nested, **nested, "details": ""}, status)
    if path.startswith(_OUR_PREFIXES):
        return JSONResponse({"error": nested}, status)
    return JSONResponse(ApiError(status, message, code).body(request_id), status)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail: Any = error.detail
    if isinstance(detail, dict):
        request_id = request.scope.get("state", {}).get("request_id", "")
        docs = error_page.link(str(detail["code"])) if "code" in detail else error_page.PATH
        content = {"error": {**detail, "docs": docs, "request_id": request_id}}
        return JSONResponse(content, error.status_code, error.headers)
    message = str(detail)
    if error.status_code == 404 and message == "Not Found":
        message = f"there is no {request.method} {request.url.path}; /docs lists every route"
    if error.status_code == 405:
        message = f"{request.url.path} does not take {request.method}; /docs lists every route"
    response = _error(request.scope, error.status_code, message_code(error.status_code), message)
    response.headers.update(error.headers or {})
    return response


def message_code(status: int) -> str:
    """Return the short name of an HTTP status, as our error bodies carry it."""
    names = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}
    return names.get(status, "body_too_large" if status == 413 else "error")


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first.get("loc", ()))
    return _error(request.scope, 400, "bad_request", f"{where}: {first.get('msg', 'invalid')}")


async def _on_unavailable(request: Request, error: Exception) -> Response:
    response = _error(request.scope, 503, "unavailable", str(error))
    response.headers["Retry-After"] = "1"
    return response


async def _on_bug(request: Request, error: Exception) -> Response:
    request_id = request.scope.get("state", {}).get("request_id", "")
    _log.error("request %s %s %s failed", request_id, request.method, request.url.path, exc_info=error)
    response = _error(request.scope, 500, "internal_error", f"an error of ours; its id is {request_id}")
    response.headers[REQUEST_ID.decode()] = request_id
    return response


def _index_page(settings: Settings) -> str:
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Causeway</title>
<style>body{{font:16px/1.5 system-ui;max-width:44rem;margin:3rem auto;padding:0 1rem}}code{{background:#eee}}</style>
<h1>Causeway</h1><p>A prediction exchange: one order book, two kinds of custody. This venue runs without its page;
everything works by API.</p><ul>
<li><a href="/docs">every route</a>, <a href="/openapi.json">openapi.json</a></li>
<li><a href="/venue/status">status</a>, <a href="/readyz">readiness</a>, <a href="/metrics">metrics</a></li>
<li>Kalshi's SDK: host <code>{html.escape(settings.http_url)}/trade-api/v2</code></li>
<li>Polymarket's clients: host <code>{html.escape(settings.http_url)}</code>, chain id {settings.client_chain_id}</li>
<li>Chain {settings.chain_id}: <code>{html.escape(settings.rpc_url)}</code></li></ul>
<p>A test venue. Its keys are public; send it nothing of value.</p></html>"""


def _docs_page(paths: Mapping[str, Mapping[str, Any]]) -> str:
    """List every route by hand: FastAPI's own page loads scripts from the internet, and a laptop may have none.

    The OpenAPI document is what knows them all: the application's own list holds routers, not what is in them.
    """
    rows = [
        f"<tr><td>{html.escape(method.upper())}<td><code>{html.escape(path)}</code>"
        f"<td>{html.escape((operation.get('description') or operation.get('summary', '')).strip().split(chr(10))[0])}"
        for path, operations in sorted(paths.items())
        for method, operation in operations.items()
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Causeway: routes</title><style>body{font:15px/1.4 '
        "system-ui;margin:2rem}td{padding:.1rem 1rem .1rem 0;vertical-align:top}</style><h1>Routes</h1>"
        f'<p>Machine-readable: <a href="/openapi.json">openapi.json</a>; WebSockets: '
        f'<a href="/asyncapi.json">asyncapi.json</a></p><table>{"".join(rows)}</table></html>'
    )


def _add_page(
    app: FastAPI,
    sequencer: Sequencer,
    settings: Settings,
    site: page.Site,
    routes: native.NativeRoutes,
    people: PageSessions,
    signed_in: sessions.Sessions,
    limit: Guarded,
    hooks: admin.Hooks | None,
) -> None:
    passwords = Passwords(site.passwords)
    givers = hooks if site.gives_test_money else None
    app.include_router(page.router(site))
    app.include_router(page_views.router(page_views.PageViews(sequencer, settings, givers is not None)))
    accounts = page_accounts.PageAccounts(sequencer, routes, people, signed_in, passwords, limit, givers)
    app.include_router(page_accounts.router(accounts))


class Application(FastAPI):
    """The framework's application with the hot path before it: before its own outermost layers, too."""

    hot_path: HotPath

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        await self.hot_path(scope, receive, send)

    async def framework(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection by routing."""
        await super().__call__(scope, receive, send)


def build_app(
    sequencer: Sequencer,
    settings: Settings,
    checks: Mapping[str, operator.Check],
    state_hash: Callable[[], str],
    lifespan: Lifespan | None = None,
    hooks: admin.Hooks | None = None,
    gauges: Gauges = dict,
    board: ReserveBoard | None = None,
    site: page.Site | None = None,
    history: witnesses.History | None = None,
) -> FastAPI:
    """Return the application that serves one venue. `checks` say, by name, whether its parts are ready.

    `hooks` are the chain's side of the admin routes; without them there are none. `gauges` are its part of `/metrics`, `board`
    shows the reserves, `site` is the page; without it browsers get a list of addresses. `history` answers for the past.
    """
    app = Application(title="Causeway", version="0.1.0", docs_url=None, redoc_url=None, lifespan=lifespan)
    wallets = polymarket.router(sequencer, settings, hooks)
    app.router.routes.append(ExactPaths(wallets.routes))
    app.include_router(operator.router(sequencer, settings, checks, state_hash, gauges))
    people = PageSessions()
    routes = native.NativeRoutes(sequencer, settings, people, hooks)
    app.include_router(native.router(routes))
    limit = sign_in_limit()
    signed_in = sessions.Sessions(settings, limit=limit, contracts=hooks)
    app.include_router(sessions.router(signed_in))
    app.include_router(explain.router(sequencer, settings))
    app.include_router(native_orders.router(native_orders.NativeOrders(sequencer, settings, routes, signed_in)))
    app.include_router(withdrawals.router(sequencer, settings, routes))
    app.include_router(reserves.router(sequencer, settings, routes, board or ReserveBoard()))
    if history is not None:
        app.include_router(witnesses.router(sequencer, people, history))
    if hooks is not None:
        app.include_router(deposits.router(hooks))
        for part in admin.routers(sequencer, settings, hooks):
            app.include_router(part)
    orders = kalshi.router(sequencer, settings)
    app.include_router(orders)
    app.include_router(wallets)
    hub = Hub(sequencer, settings.stream)
    app.include_router(kalshi_stream.router(hub))
    app.include_router(polymarket_stream.router(hub, settings))
    app.include_router(gamma.router(sequencer, settings))
    app.include_router(data_api.router(sequencer, settings))
    app.include_router(venue_stream.router(hub, settings, Tickets(), signed_in, people))
    if site is not None:
        _add_page(app, sequencer, settings, site, routes, people, signed_in, limit, hooks)

    @app.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        """The page for browsers; the JSON ok that Polymarket's V1 client asks for otherwise."""
        if "text/html" in request.headers.get("accept", ""):
            return page.document(site, settings) if site is not None else HTMLResponse(_index_page(settings))
        return JSONResponse("OK")

    @app.get("/asyncapi.json", include_in_schema=False)
    async def streams() -> JSONResponse:
        """The WebSocket streams, as an AsyncAPI 3.0 document."""
        return JSONResponse(asyncapi.document(settings))

    @app.get(error_page.PATH, include_in_schema=False)
    async def errors() -> Response:
        """Every error, by anchor."""
        return HTMLResponse(error_page.page())

    @app.get("/llms.txt", include_in_schema=False)
    async def llms() -> Response:
        """Where a language model finds what, as llmstxt.org has it."""
        return FileResponse(LLMS_TXT, media_type="text/plain; charset=utf-8")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        """This list."""
        return HTMLResponse(_docs_page(app.openapi()["paths"]))

    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(Unavailable, _on_unavailable)
    app.add_exception_handler(Exception, _on_bug)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestId)
    app.hot_path = HotPath(app.framework, {**kalshi.hot_routes(orders), **polymarket.hot_routes(wallets)}, _on_bug)
    return app
