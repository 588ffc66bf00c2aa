"""Clients for benchmarks over HTTP: raw requests, made beforehand, sent from a process of their own."""

import asyncio
import time
from typing import Any

import uvloop


def request(method: str, path: str, headers: dict[str, str], body: str) -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: venue", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def drive(port: int, connections: list[list[bytes]], results: Any) -> None:
    """Send each connection's requests one after the other; report (seconds, how many succeeded, latencies in order)."""
    uvloop.run(_drive_all(port, connections, results))


async def _drive_all(port: int, connections: list[list[bytes]], results: Any) -> None:
    latencies: list[float] = []
    good = 0

    async def one(requests: list[bytes]) -> None:
        nonlocal good
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for raw in requests:
            began = time.perf_counter()
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            latencies.append(time.perf_counter() - began)
            good += head.startswith(b"HTTP/1.1 20") and b'"success":false' not in body and b'"error":' not in body
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*map(one, connections))
    results.put((time.perf_counter() - began, good, sorted(latencies)))
