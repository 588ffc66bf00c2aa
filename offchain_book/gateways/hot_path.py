"""Order entry beside the framework: a request for one of a few routes goes to its function without routing and middleware.

Routing and middleware were most of what an order cost (docs/performance.md). The functions behind these routes keep the
rules that the middleware keeps for all others: the request id, the limit on bodies, errors in their dialect.
"""

from collections.abc import Mapping

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from offchain_book.gateways.kalshi_call import Endpoint

MAX_ID = 64
"""Longest last segment of a path that is taken here; anything odd goes the framework's way."""


class HotPath:
    """Middleware that stands before all others. `routes` maps (method, path) to functions; a path may end in one parameter."""

    def __init__(self, app: ASGIApp, routes: Mapping[tuple[str, str], Endpoint]) -> None:
        self._app = app
        self._exact = {key: endpoint for key, endpoint in routes.items() if "{" not in key[1]}
        self._last = {
            (method, path.rpartition("/")[0]): (path.rpartition("/")[2].strip("{}"), endpoint)
            for (method, path), endpoint in routes.items()
            if path.endswith("}")
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http":
            method, path = scope["method"], scope["path"]
            endpoint = self._exact.get((method, path))
            if endpoint is not None:
                response = await endpoint(Request(scope, receive))
                await response(scope, receive, send)
                return
            parent, _, last = path.rpartition("/")
            found = self._last.get((method, parent))
            if found is not None and 0 < len(last) <= MAX_ID:
                scope["path_params"] = {found[0]: last}
                response = await found[1](Request(scope, receive))
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
