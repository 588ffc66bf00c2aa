"""The hot path on a real connection: the same bytes as by uvicorn's own way, whatever way the request comes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from offchain_book.gateways.hot_path import HotPath
from offchain_book.gateways.hot_wire import HotProtocol
from offchain_book.gateways.json_answer import JsonAnswer

PATIENCE_S = 60
"""Only guards against hanging: the machine may be busy."""


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the framework would."""
    assert scope["type"] == "http"
    await JsonAnswer(b'"framework"')(scope, receive, send)


async def on_bug(request: Request, error: Exception) -> Response:
    """Say what went wrong."""
    return JsonAnswer(repr(error).encode(), 500)


class App:
    """An application with one hot route, which answers what it got; it waits while `gate` is closed."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()
        self.by_asgi = 0
        self.hot_path = HotPath(behind, {("POST", "/orders"): self.hot, ("DELETE", "/orders/{order_id}"): self.hot}, on_bug)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection by ASGI."""
        self.by_asgi += 1
        await self.hot_path(scope, receive, send)

    async def hot(self, request: Request) -> Response:
        """Answer with the method, the parameter and the length of the body."""
        body = b"".join([part async for part in request.stream()])
        self.asked.set()
        await self.gate.wait()
        if body == b"bug":
            raise KeyError("bug")
        told = f"{request.method} {request.path_params.get('order_id', '')} {len(body)} {request.headers.get('X-Mine')}"
        more = [(b"x-mine", request.headers.get("x-mine", "none").encode())]
        if body == b"split":
            more = [(b"x-mine", b"one\r\nset-cookie: two")]
        return JsonAnswer(told.encode(), 201, more)


@asynccontextmanager
async def serving(app: App, protocol: Any = HotProtocol) -> AsyncIterator[int]:
    """Serve the application, and give its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, http=protocol, log_config=None, lifespan="off", access_log=False, date_header=False)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server._serve([listening]))  # as `serve`, but leaves pytest's signals alone
        yield listening.getsockname()[1]
        server.should_exit = True
        await running


def post(body: bytes, *headers: str, version: str = "1.1") -> bytes:
    """Return a request as it goes over the wire."""
    head = "".join(f"{line}\r\n" for line in (f"POST /orders HTTP/{version}", f"Content-Length: {len(body)}", *headers))
    return head.encode() + b"\r\n" + body


CHUNKED = b"POST /orders HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
LAST = post(b"last", "Connection: close")
CONVERSATIONS: dict[str, tuple[list[bytes], int]] = {
    "one after the other on one connection": ([post(b"{}"), post(b"{}", "X-Mine: two"), LAST], 0),
    "all sent at once": ([post(b"{}") + post(b"two", "X-Mine: 2") + LAST], 0),
    "a body in pieces": ([post(b"12345", "Connection: close")[:-3], b"34", b"5"], 0),
    "a parameter and no body": ([b"DELETE /orders/an-id HTTP/1.1\r\nConnection: close\r\n\r\n"], 0),
    "an older client": ([post(b"{}", version="1.0")], 0),
    "a bug": ([post(b"bug"), LAST], 0),
    "a body without a length": ([CHUNKED], 1),
    "a body that is long": ([post(b"x" * 70_000, "Connection: close")], 1),
    "through a proxy": ([post(b"{}", "X-Forwarded-For: 1.2.3.4", "Connection: close")], 1),
    "another route between": ([post(b"{}") + b"GET /other HTTP/1.1\r\n\r\n" + LAST], 1),
}


async def converse(port: int, parts: list[bytes]) -> bytes:
    """Send each part a moment after the one before, and return everything until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.02)
    answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
    writer.close()
    return answer


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_answers_are_those_of_uvicorns_own_way(name: str) -> None:
    parts, by_asgi = CONVERSATIONS[name]
    ours, theirs = App(), App()
    async with serving(ours) as port, serving(theirs, "httptools") as other:
        answer = await converse(port, parts)
        assert answer == await converse(other, parts)
    assert answer.count(b"HTTP/1.1 ") == theirs.by_asgi
    assert ours.by_asgi == by_asgi


async def test_a_client_that_leaves_before_its_answer_harms_nobody() -> None:
    app = App()
    async with serving(app) as port:
        app.gate.clear()
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post(b"{}"))
        await asyncio.wait_for(app.asked.wait(), PATIENCE_S)
        writer.close()
        await writer.wait_closed()
        app.gate.set()
        assert (await converse(port, [LAST])).startswith(b"HTTP/1.1 201 ")


async def test_a_header_never_becomes_two() -> None:
    async with serving(App()) as port:
        assert await converse(port, [post(b"split")]) == b""


async def test_a_stopping_server_answers_what_it_has_begun() -> None:
    app = App()
    async with serving(app) as port:
        app.gate.clear()
        answering = asyncio.create_task(converse(port, [post(b"{}")]))
        await asyncio.wait_for(app.asked.wait(), PATIENCE_S)
        asyncio.get_running_loop().call_later(0.3, app.gate.set)
    assert (await answering).startswith(b"HTTP/1.1 201 ")
