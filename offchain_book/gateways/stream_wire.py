"""The one place that knows how WebSocket frames reach a socket: uvicorn's own protocol, with a way to write past ASGI.

The hub sends one message to many. Through ASGI each copy would cost a task switch and a frame; here a frame is built at
most once per connection and often once for all (measured: docs/performance.md), and goes to the transport's buffer, whose
size is the client's backlog. Everything else (handshake, limits of incoming messages, closing) stays uvicorn's.
"""

import logging
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from offchain_book.config import HEARTBEAT_S, StreamLimits
from offchain_book.gateways.stream import Client, Wire

_log = logging.getLogger(__name__)
EXTENSION = "causeway.wire"
INTERNAL_ERROR = 1011
_HEARTBEAT = b"heartbeat"
"""The body of Kalshi's pings."""
_FINAL_TEXT = 0x81
_MEDIUM, _LARGE = 126, 65_536
_MAX_REASON_BYTES = 123


def frame(payload: bytes) -> bytes:
    """Return a payload as one unmasked text frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < _MEDIUM:
        return bytes((_FINAL_TEXT, size)) + payload
    if size < _LARGE:
        return struct.pack("!BBH", _FINAL_TEXT, 126, size) + payload
    return struct.pack("!BBQ", _FINAL_TEXT, 127, size) + payload


class StreamProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, plus direct writing, Kalshi's heartbeats, and cutting off who does not read."""

    def handle_connect(self, event: Request) -> None:
        """Offer this connection to the application as an extension of its scope."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"] = {**(self.scope["extensions"] or {}), EXTENSION: {"wire": self}}

    def write_text(self, payload: bytes) -> None:
        """Queue a text message."""
        self.write_frame(frame(payload))

    def write_frame(self, frame: bytes) -> None:
        """Queue a frame that is built already."""
        if not (self.close_sent or self.transport.is_closing()):
            self.transport.write(frame)

    def backlog(self) -> int:
        """Return how many bytes the peer has not taken yet."""
        return 0 if self.transport.is_closing() else self.transport.get_write_buffer_size()

    async def drained(self) -> None:
        """Wait until the peer has taken most of them, or is gone."""
        await self.writable.wait()

    def cut(self, code: int, reason: str, grace_s: float) -> None:
        """Send a close frame behind what is queued; after `grace_s` the connection is gone, read or not."""
        if self.close_sent or self.transport.is_closing():
            return
        self.stop_keepalive()
        reason = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(grace_s, self.transport.abort)

    def send_keepalive_ping(self) -> None:
        """Ping as Kalshi does: the body is always the same, so any answer since the last one counts."""
        self.ping_timer = None
        if self.close_sent or self.transport.is_closing():
            return
        self.pending_ping_payload = _HEARTBEAT
        self.ping_sent_at = self.loop.time()
        self.conn.send_ping(_HEARTBEAT)
        self.transport.write(b"".join(self.conn.data_to_send()))
        assert self.ping_timeout is not None
        self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)


def server_options(limits: StreamLimits, heartbeat_s: float = HEARTBEAT_S) -> dict[str, Any]:
    """Return the uvicorn options that the streams need."""
    return {
        "ws": StreamProtocol,
        "ws_max_size": limits.message_bytes,
        "ws_ping_interval": heartbeat_s,
        "ws_ping_timeout": 2 * heartbeat_s,
        "ws_per_message_deflate": False,
    }


def wire_of(websocket: WebSocket) -> Wire:
    """Return the connection under a request. The server has to run with `server_options`."""
    extension = websocket.scope.get("extensions", {}).get(EXTENSION)
    if extension is None:
        raise RuntimeError("the streams need uvicorn with stream_wire.server_options")
    wire: Wire = extension["wire"]
    return wire


async def refuse(websocket: WebSocket, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    """Answer a handshake with an HTTP error instead of a connection."""
    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    raw.append((b"content-type", b"application/json"))
    await websocket.send({"type": "websocket.http.response.start", "status": status, "headers": raw})
    await websocket.send({"type": "websocket.http.response.body", "body": body})


async def serve(websocket: WebSocket, client: Client, handle: Callable[[bytes], Awaitable[None]]) -> None:
    """Hand a connection's messages over until it ends. A bug of ours closes it with 1011, never in silence."""
    try:
        while not client.closed and (raw := await _next_message(websocket)) is not None:
            await handle(raw)
    except Exception:
        _log.exception("a stream of %s failed", client.user)
        client.cut(INTERNAL_ERROR, "a bug of the venue; its log says more")


async def _next_message(websocket: WebSocket) -> bytes | None:
    """Return the next message of the client, text or binary alike; None when it is gone."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        return None
    text: str | None = message.get("text")
    return text.encode() if text is not None else bytes(message.get("bytes") or b"")
