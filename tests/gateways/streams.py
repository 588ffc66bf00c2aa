"""Streams as their users meet them: a venue behind a real uvicorn in this loop, and WebSocket clients that keep books."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_connection
from websockets.exceptions import ConnectionClosed

from offchain_book.config import StreamLimits
from offchain_book.gateways.kalshi_stream import PATH
from offchain_book.gateways.stream_wire import server_options
from tests.gateways.kalshi_messages import check
from tests.sdk.kalshi_venue import Key

PATIENCE_S = 60
"""Only guards against hanging: the machine may be busy."""
Json = dict[str, Any]


class Clock:
    """The time by which the hub counts messages; it stands until a test moves it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self.now_s


class _Server(uvicorn.Server):
    """uvicorn that leaves pytest's signals alone."""

    def install_signal_handlers(self) -> None:
        """Leave them."""


@asynccontextmanager
async def serving(app: FastAPI, limits: StreamLimits | None = None, heartbeat_s: float = 60) -> AsyncIterator[str]:
    """Serve an application; yields ws://host:port."""
    options = server_options(limits or StreamLimits(), heartbeat_s) | {"ws_ping_timeout": PATIENCE_S}
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1, **options)
    server = _Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)  # what is not read waits in the venue's backlog
        task = asyncio.create_task(server._serve([listening]))
        try:
            yield f"ws://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def connect(url: str, **more: Any) -> open_connection:
    """Open a connection, however slow the machine is; it sends no pings of its own."""
    return open_connection(url, **{"open_timeout": PATIENCE_S, "ping_interval": None, **more})


class Stream:
    """One connection that reads JSON messages; what a test did not ask for yet waits in `kept`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.kept: list[Any] = []

    async def send(self, message: Any) -> None:
        """Send a message; text goes as it is."""
        await self.socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def next(self) -> Any:
        """Return the next message."""
        if self.kept:
            return self.kept.pop(0)
        return self._read(await asyncio.wait_for(self.socket.recv(), PATIENCE_S))

    def _read(self, raw: str | bytes) -> Any:
        return json.loads(raw)

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        """Return the next message that is wanted; the ones before it are passed over."""
        while not wanted(message := await self.next()):
            pass
        return message

    async def closed(self) -> tuple[int, str]:
        """Read to the end; returns the close code and reason."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.kept.append(self._read(await asyncio.wait_for(self.socket.recv(), PATIENCE_S)))
        return self.socket.close_code or 0, self.socket.close_reason or ""


class KalshiStream(Stream):
    """A client of Kalshi's protocol: every message is checked, and every sequence must have no gap."""

    def __init__(self, socket: ClientConnection) -> None:
        super().__init__(socket)
        self.commands = 0
        self.seqs: dict[int, int] = {}
        self.books: dict[str, Json] = {}

    def _read(self, raw: str | bytes) -> Any:
        message = check(json.loads(raw))
        if "seq" in message:
            expected = self.seqs.get(message["sid"], 0) + 1
            assert message["seq"] == expected, f"a gap: {message['seq']} instead of {expected}"
            self.seqs[message["sid"]] = expected
        self._keep_book(message)
        return message

    def _keep_book(self, message: Json) -> None:
        body = message.get("msg")
        if message["type"] == "orderbook_snapshot":
            self.books[body["market_ticker"]] = {
                "clock": body["clock"],
                "yes": dict(body.get("yes_dollars_fp", [])),
                "no": dict(body.get("no_dollars_fp", [])),
            }
        elif message["type"] == "orderbook_delta":
            book = self.books[body["market_ticker"]]
            assert body["clock"] >= book["clock"]
            book["clock"] = body["clock"]
            levels, price = book[body["side"]], body["price_dollars"]
            size = _hundredths(levels.get(price, "0.00")) + _hundredths(body["delta_fp"])
            assert size >= 0, message
            if size:
                levels[price] = f"{size // 100}.{size % 100:02d}"
            else:
                del levels[price]

    async def command(self, cmd: str, **params: Any) -> int:
        """Send a command; returns its id."""
        self.commands += 1
        await self.send({"id": self.commands, "cmd": cmd, "params": params})
        return self.commands

    async def ask(self, cmd: str, **params: Any) -> Json:
        """Send a command and return its reply; channel messages before it are passed over."""
        number = await self.command(cmd, **params)
        return dict(await self.until(lambda message: message.get("id") == number))

    async def subscribe(self, channel: str, *tickers: str, **more: Any) -> int:
        """Subscribe to a channel; returns the sid."""
        if tickers:
            more["market_tickers"] = list(tickers)
        reply = await self.ask("subscribe", channels=[channel], **more)
        assert reply["type"] == "subscribed", reply
        return int(reply["msg"]["sid"])

    async def error(self, cmd: str, **params: Any) -> tuple[int, str]:
        """Send a command that is refused; returns code and text."""
        reply = await self.ask(cmd, **params)
        assert reply["type"] == "error", reply
        return reply["msg"]["code"], reply["msg"]["msg"]


def _hundredths(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    whole, _, fraction = text.lstrip("-").partition(".")
    return sign * (int(whole) * 100 + int(fraction))


def book_of(depth_bids: list[tuple[int, int]], depth_asks: list[tuple[int, int]]) -> Json:
    """Return a book as a client of Kalshi's protocol keeps it, from (price_e4, micros) levels in YES prices."""

    def side(levels: list[tuple[int, int]], flip: bool) -> Json:
        rows = ((10_000 - price if flip else price, size // 10_000) for price, size in levels)
        return {f"0.{price:04d}": f"{size // 100}.{size % 100:02d}" for price, size in rows}

    return {"yes": side(depth_bids, False), "no": side(depth_asks, True)}


@asynccontextmanager
async def kalshi_stream(url: str, key: Key, **more: Any) -> AsyncIterator[KalshiStream]:
    """Open a connection signed with a key."""
    async with connect(f"{url}{PATH}", additional_headers=key.headers("GET", PATH), **more) as socket:
        yield KalshiStream(socket)
