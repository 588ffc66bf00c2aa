"""Order entry over HTTP for benchmarks: the venue's own server, and clients that send raw requests from another process.

The clients keep their connections open, send the next request when the last one is answered, and cost some 20 to 40 us of the
other processor for each: what is measured is the venue.
"""

import asyncio
import gc
import multiprocessing
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI
from rich.console import Console
from rich.table import Table

from bridge import interpreter
from offchain_book.engine import commands as c
from offchain_book.engine.events import Event
from offchain_book.engine.exchange import apply
from offchain_book.gateways.hot_wire import HotProtocol
from offchain_book.gateways.kalshi_candles import Quotes
from offchain_book.gateways.stream import Hub
from offchain_book.journal import Journal
from offchain_book.sequencer import Receipt, Sequencer
from scripts.bench_common import Json, Report, quiet_gc, show

Requests = list[list[bytes]]
"""What each connection sends, one after the other."""
CONNECTIONS = 64
_WARM_UP = 8
"""One part in so many of what each connection has goes before the measurement."""


def request(method: str, path: str, headers: dict[str, str], body: str) -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: venue", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


async def measured(app: FastAPI, sent: Requests, batch: int) -> dict[str, float]:
    """Serve an application as a venue does, and return what its clients and its processor's clock say.

    `batch` is how many orders a request carries. Raises AssertionError when a request is refused.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, http=HotProtocol, log_level="warning", lifespan="off", access_log=False)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        context = multiprocessing.get_context("spawn")
        results, go = context.Queue(), context.Event()
        asked = (listening.getsockname()[1], sent, results, go)
        clients = context.Process(target=_client_process, args=asked, daemon=True)
        clients.start()
        _accepted(await asyncio.to_thread(results.get))
        pace, switch_s = gc.get_threshold(), sys.getswitchinterval()
        interpreter.tune()
        cpu_s, loop_s = time.process_time(), time.thread_time()
        go.set()
        seconds, latencies, client_s = _accepted(await asyncio.to_thread(results.get))
        cpu_s, loop_s = time.process_time() - cpu_s, time.thread_time() - loop_s
        gc.unfreeze()
        gc.set_threshold(*pace)
        sys.setswitchinterval(switch_s)
        await asyncio.to_thread(clients.join)
        server.should_exit = True
        await serving
    orders = len(latencies) * batch
    return {
        "orders": orders,
        "orders_per_s": round(orders / seconds),
        "orders_per_cpu_s": round(orders / cpu_s),
        "cpu_us_per_order": round(cpu_s / orders * 1e6, 1),
        "loop_us_per_order": round(loop_s / orders * 1e6, 1),
        "client_cpu_us_per_order": round(client_s / orders * 1e6, 1),
        "p50_ms": round(latencies[len(latencies) // 2] * 1e3, 2),
        "p99_ms": round(latencies[len(latencies) * 99 // 100] * 1e3, 2),
    }


def _accepted(result: tuple[float, list[float], list[bytes], float]) -> tuple[float, list[float], float]:
    """Return the clients' seconds, their latencies in order, and their processor's seconds."""
    seconds, latencies, refused, client_s = result
    assert not refused, f"{len(refused)} of {len(latencies)} requests were refused; the first: {refused[0]!r}"
    return seconds, latencies, client_s


def _client_process(port: int, sent: Requests, results: Any, go: Any) -> None:
    """Warm up, report, and do the rest when told to."""
    uvloop.run(_clients(port, [own[: len(own) // _WARM_UP] for own in sent], results))
    go.wait()
    uvloop.run(_clients(port, [own[len(own) // _WARM_UP :] for own in sent], results))


async def _clients(port: int, sent: Requests, results: Any) -> None:
    loop, latencies, refused = asyncio.get_running_loop(), list[float](), list[bytes]()
    ends: list[asyncio.Future[None]] = []
    began, cpu_s = time.perf_counter(), time.process_time()
    for own in sent:
        client = _Client(own, latencies, refused, loop.create_future())
        ends.append(client.end)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ends)
    results.put((time.perf_counter() - began, sorted(latencies), refused, time.process_time() - cpu_s))


class _Client(asyncio.Protocol):
    """One connection: its next request follows the last one's answer."""

    def __init__(self, sent: list[bytes], latencies: list[float], refused: list[bytes], end: asyncio.Future[None]) -> None:
        self.end = end
        self._next = iter(sent)
        self._latencies, self._refused = latencies, refused
        self._answer = b""
        self._began = 0.0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        self._send()

    def _send(self) -> None:
        raw = next(self._next, None)
        if raw is None:
            self._transport.close()
            self.end.set_result(None)
            return
        self._began = time.perf_counter()
        self._transport.write(raw)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._answer += data
        head, gap, body = self._answer.partition(b"\r\n\r\n")
        if not gap or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        self._latencies.append(time.perf_counter() - self._began)
        if not head.startswith(b"HTTP/1.1 20") or b'"success":false' in body or b'"error":' in body:
            self._refused.append(self._answer)
        self._answer = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """A server that closes too early ends the measurement."""
        if not self.end.done():
            self.end.set_exception(exc or ConnectionError("the venue closed the connection"))


def timed(work: Callable[[], object], count: int) -> float:
    """Return the CPU microseconds per item of something that handles `count` items, in this thread."""
    began = time.thread_time()
    work()
    return round((time.thread_time() - began) / count * 1e6, 1)


def stages_of(
    sequencer: Sequencer, commands: Sequence[c.PlaceOrder], file: Path, respond: Callable[[c.PlaceOrder, Receipt], object]
) -> Json:
    """Return what each stage of an order costs from its command to its answer, in CPU microseconds; `file` is for a journal."""
    state, count = sequencer.state, len(commands)
    entries = [c.Sequenced(seq, state.now_ms, "r", command) for seq, command in enumerate(commands, start=state.seq + 1)]
    numbered = [c.Sequenced(seq, state.now_ms, "r", command) for seq, command in enumerate(commands, start=1)]
    groups = [numbered[at : at + CONNECTIONS] for at in range(0, count, CONNECTIONS)]
    journal = Journal(file, {})
    found: Json = {"journal": timed(lambda: [journal.append(group) for group in groups], count)}
    journal.close()
    events: list[list[Event]] = []
    found["risk and match"] = timed(lambda: events.extend(apply(state, entry) for entry in entries), count)
    happened = list(zip(entries, events, strict=True))
    read, hub, quotes = sequencer.projections, Hub(sequencer), Quotes(sequencer)
    found["read models"] = timed(lambda: [read.observe(state, entry, one) for entry, one in happened], count)
    found["streams, candles"] = timed(
        lambda: [(hub.observe(entry, one), quotes.observe(entry, one)) for entry, one in happened], count
    )
    answers = zip(commands, happened, strict=True)
    found["response"] = timed(lambda: [respond(command, Receipt(*one)) for command, one in answers], count)
    return found


def run_ways(
    console: Console,
    title: str,
    orders: int,
    batch: int,
    way: Callable[..., Any],
    stages: Callable[..., Any],
    report: Report,
) -> Json:
    """Measure and print single orders and batches, over one connection and many, and the stages.

    `way(folder, orders, connections, batch)` and `stages(folder, count)` are coroutine functions that return a row and the costs.
    """
    ways = ((1, 1), (CONNECTIONS, 1), (1, batch), (CONNECTIONS, batch))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for place, (connections, size) in enumerate(ways):
            report(f"{connections} connections, batches of {size}", place, len(ways) + 1)
            (Path(folder) / str(place)).mkdir()
            count = orders if connections > 1 else max(batch, orders // 8)
            rows.append(uvloop.run(way(Path(folder) / str(place), count, connections, size)))
        report("stages", len(ways), len(ways) + 1)
        with quiet_gc():
            costs = asyncio.run(stages(Path(folder), orders))
    costs["HTTP, hand-overs, waiting"] = round(max(0.0, rows[1]["cpu_us_per_order"] - sum(costs.values())), 1)
    show(console, orders_table(title, rows), stages_table(costs))
    return {"rows": rows, "stages_us": costs, "load": os.getloadavg()[0]}


def orders_table(title: str, rows: Sequence[Json]) -> Table:
    """Return the rows of `measured` as a table. A second of the venue's processor is worth what no neighbour and no client takes."""
    table = Table(title=title, title_justify="left")
    headings = (
        "connections",
        "request",
        "orders/s",
        "per CPU s",
        "CPU us",
        "loop us",
        "client us",
        "p50 ms",
        "p99 ms",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        what = "single" if row["batch"] == 1 else f"batch of {row['batch']}"
        counts = (f"{row[name]:,}" for name in ("orders_per_s", "orders_per_cpu_s", "cpu_us_per_order", "loop_us_per_order"))
        waits = (str(row[name]) for name in ("client_cpu_us_per_order", "p50_ms", "p99_ms"))
        table.add_row(str(row["connections"]), what, *counts, *waits)
    return table


def stages_table(stages: Json) -> Table:
    """Return the costs of stages as a table."""
    table = Table(title="Where a single order's CPU time goes, at 64 connections", title_justify="left")
    table.add_column("stage")
    table.add_column("us", justify="right")
    for name, cost in stages.items():
        table.add_row(name, f"{cost:,}")
    return table
