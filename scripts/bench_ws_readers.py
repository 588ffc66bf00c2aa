"""Many WebSocket readers in one process of their own, as cheap as Python allows: they count frames and note when some came.

Reads one JSON line (where to connect, how many, what to send), says `ready`; then answers each line `report` with what came
since the last one. Times are nanoseconds of the machine's monotonic clock, so the venue's process can subtract its own.
"""

import asyncio
import base64
import json
import os
import socket
import sys
import time
from typing import Any, cast

import uvloop

SAMPLE_EVERY = 8
"""Messages of a reader of which one's arrival is noted."""


class Reader(asyncio.Protocol):
    """One connection. A slow one stops reading once it is subscribed."""

    def __init__(self, task: dict[str, Any], slow: bool) -> None:
        self._task = task
        self._slow = slow
        self._marker = task["marker"].encode()
        self._data = b""
        self._open = False
        self._transport: asyncio.Transport
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.count = 0
        self.samples: list[tuple[int, int]] = []
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Shake hands."""
        self._transport = cast(asyncio.Transport, transport)
        headers = {
            "Host": "venue",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            **self._task["headers"],
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._transport.write(f"GET {self._task['path']} HTTP/1.1\r\n{lines}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Count whole frames."""
        now = time.monotonic_ns()
        data = self._data + data
        if not self._open:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._data = head
                return
            assert b" 101 " in head.splitlines()[0], head
            self._open = True
            self._send(self._task["message"].encode())
        self._data = data[self._frames(data, now) :]

    def _frames(self, data: bytes, now: int) -> int:
        at, size = 0, len(data)
        while size - at >= 2:
            length, start = data[at + 1] & 127, at + 2
            if length > 125:
                wide = 2 if length == 126 else 8
                length, start = int.from_bytes(data[start : start + wide], "big"), start + wide
            if start + length > size:
                break
            self._frame(data[at] & 15, data[start : start + length], now)
            at = start + length
        return at

    def _frame(self, opcode: int, payload: bytes, now: int) -> None:
        if opcode == 9:
            self._transport.write(bytes((0x8A, 0x80 | len(payload), 0, 0, 0, 0)) + payload)
        if opcode != 1:
            return
        self.count += 1
        if self.count % SAMPLE_EVERY == 0:
            place = payload.find(self._marker)
            if place >= 0:
                digits = payload[place + len(self._marker) : place + len(self._marker) + 16]
                self.samples.append((int(digits.translate(None, b' "').split(b",")[0].split(b".")[0]), now))
        if self.count == self._task["replies"] and not self.subscribed.done():
            self.subscribed.set_result(None)
            if self._slow:
                self._transport.pause_reading()

    def _send(self, payload: bytes) -> None:
        head = bytes((0x81, 0x80 | 126)) + len(payload).to_bytes(2, "big")
        self._transport.write(head + bytes(4) + payload)

    def connection_lost(self, error: Exception | None) -> None:
        """The venue has cut it off."""
        self.lost = True


async def _run() -> None:
    loop = asyncio.get_running_loop()
    task = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    readers = []
    for number in range(task["readers"] + task["slow"]):
        connecting = socket.create_connection(("127.0.0.1", task["port"]))
        if number >= task["readers"]:
            connecting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        _, reader = await loop.create_connection(
            lambda slow=number >= task["readers"]: Reader(task, slow),
            sock=connecting,  # type: ignore[misc]
        )
        readers.append(reader)
    await asyncio.wait_for(asyncio.gather(*(reader.subscribed for reader in readers)), 120)
    print("ready", flush=True)
    while (line := await loop.run_in_executor(None, sys.stdin.readline)).strip() == "report":
        quick = readers[: task["readers"]]
        report = {
            "counts": [reader.count for reader in quick],
            "samples": [sample for reader in quick for sample in reader.samples],
            "lost": sum(reader.lost for reader in quick),
        }
        for reader in quick:
            reader.count, reader.samples = 0, []
        print(json.dumps(report), flush=True)
    assert not line


if __name__ == "__main__":
    uvloop.run(_run())
