"""Clients for benchmarks over HTTP: raw requests, made beforehand, sent from a process of their own."""

import asyncio
import time
from collections.abc import Callable
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


def figures(orders: int, seconds: float, cpu_s: float, latencies: list[float]) -> dict[str, float]:
    """Return a run's figures; `latencies` are seconds, in order."""
    return {
        "orders": orders,
        "orders_per_s": round(orders / seconds),
        "cpu_us_per_order": round(cpu_s / orders * 1e6, 1),
        "p50_ms": round(latencies[len(latencies) // 2] * 1e3, 2),
        "p99_ms": round(latencies[len(latencies) * 99 // 100] * 1e3, 2),
    }


def timed(work: Callable[[], object], count: int) -> float:
    """Return the CPU microseconds per item of something that handles `count` items, in this thread."""
    began = time.thread_time()
    work()
    return round((time.thread_time() - began) / count * 1e6, 1)
