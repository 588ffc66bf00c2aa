"""Order entry beside the framework: a request for one of a few routes goes to its function without routing and middleware.

Routing and middleware were most of what an order cost (docs/performance.md). The functions behind these routes keep the
rules that the middleware keeps for all others: the limit on bodies, errors in their dialect. The request id and the answer to
a bug are given to them here.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from fastapi import Request, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from offchain_book.gateways.kalshi_call import Endpoint
from offchain_book.gateways.request_ids import identify

MAX_ID = 64
"""Longest last segment of a path that is taken here; anything odd goes the framework's way."""
Routes = Mapping[tuple[str, str], Endpoint]
"""(method, path) -> function; a path may end in one parameter."""
OnBug = Callable[[Request, Exception], Awaitable[Response]]
"""Answers a request whose function raised what it should not."""
T = TypeVar("T")


@lru_cache(maxsize=256)
def _raw(name: str) -> bytes:
    """Return a header's name as it is kept. Only our own code asks, always for the same few."""
    return name.lower().encode("latin-1")


class IndexedHeaders(Headers):
    """Headers found by their name in one step; of several with one name the first counts, as in the framework's own."""

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        super().__init__(raw=raw)
        self._first = dict(reversed(raw))

    def __getitem__(self, key: str) -> str:
        return self._first[_raw(key)].decode("latin-1")

    def __contains__(self, key: Any) -> bool:
        return _raw(key) in self._first

    def get(self, key: str, default: T | None = None) -> str | T | None:  # type: ignore[override]
        """Return a header, or the default."""
        found = self._first.get(_raw(key))
        return default if found is None else found.decode("latin-1")


class HotRequest(Request):
    """A request that looks at its headers often. Its body may be known already (`whole`): then nothing is received."""

    def __init__(self, scope: Scope, receive: Receive, body: bytes | None = None) -> None:
        super().__init__(scope, receive)
        self._indexed = IndexedHeaders(scope["headers"])
        self.whole = body

    @property
    def headers(self) -> Headers:
        """The headers."""
        return self._indexed

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it arrives."""
        if self.whole is not None:
            yield self.whole
            return
        async for part in super().stream():
            yield part


class HotPath:
    """Stands before the framework."""

    def __init__(self, app: ASGIApp, routes: Routes, on_bug: OnBug) -> None:
        self._app = app
        self._on_bug = on_bug
        self._exact = {key: endpoint for key, endpoint in routes.items() if "{" not in key[1]}
        self._last = {
            (method, path.rpartition("/")[0]): (path.rpartition("/")[2].strip("{}"), endpoint)
            for (method, path), endpoint in routes.items()
            if "{" in path
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        endpoint = self.endpoint(scope) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        response = await self.answer(endpoint, HotRequest(scope, receive))
        await response(scope, receive, send)

    async def answer(self, endpoint: Endpoint, request: HotRequest) -> Response:
        """Answer a request with the function of its route, whatever happens."""
        identify(request.scope)
        try:
            return await endpoint(request)
        except Exception as error:
            return await self._on_bug(request, error)

    def endpoint(self, scope: Scope) -> Endpoint | None:
        """Return the function of a request, with its parameter in the scope; None for all that is not taken here."""
        method, path = scope["method"], scope["path"]
        endpoint = self._exact.get((method, path))
        if endpoint is not None:
            return endpoint
        parent, _, last = path.rpartition("/")
        found = self._last.get((method, parent))
        if found is None or not 0 < len(last) <= MAX_ID:
            return None
        scope["path_params"] = {found[0]: last}
        return found[1]
