"""Orders per second over FIX, each durable before its report, and what the stages of a message cost.

The clients run in a process of their own; the venue is the whole gateway, sequencer, journal and engine, without a chain. Rates
and latencies depend on what else the machine does; the stages are CPU time of one thread, measured apart on the same messages.
"""

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from offchain_book.engine import commands as c
from offchain_book.engine.order import BookSide
from offchain_book.gateways.credentials import wall_clock_ms
from offchain_book.gateways.fix import Service
from offchain_book.gateways.fix_codec import Framer, encode, parse, time_text
from offchain_book.gateways.fix_logon import Logon
from offchain_book.gateways.fix_message import Message
from offchain_book.gateways.fix_reports import message_of
from offchain_book.reports import Report, ReportKind
from scripts.bench_common import Json, show
from scripts.bench_common import Report as Progress
from tests.gateways.fix_raw import FixWorld, RawClient, fix_world, order
from tests.sdk.kalshi_venue import ALICE, DOLLAR, TICKER, Key, SmallVenue, make_keys

WINDOW = 64
"""Orders of one session under way, where latency is not the point."""
WAYS = ((Service.ORDERS, 1, 1), (Service.ORDERS, 1, WINDOW), (Service.ORDERS, 16, WINDOW), (Service.ORDERS_KEPT, 16, WINDOW))
"""(session, connections, orders under way on each)."""


async def _one_session(client: RawClient, count: int, window: int, latencies: list[float]) -> None:
    """Place orders that rest, `window` under way at a time, until each has its report."""
    began: dict[str, float] = {}
    framer, sent, done = Framer(), 0, 0
    while done < count:
        while sent < count and sent - done < window:
            name = f"{client.key.key_id[:8]}-{sent}"
            began[name] = time.perf_counter()
            client.write(client.message("D", order(name, _44="1", _38="1")))
            sent += 1
        for text in framer.feed(await client.reader.read(262_144)):
            values = dict(parse(text))
            if values[35] == "8":
                if values[150] != "0":
                    raise AssertionError(f"an order was refused: {values}")
                latencies.append(time.perf_counter() - began.pop(values[11]))
                done += 1


async def _drive_all(port: int, service: Service, keys: list[Key], count: int, window: int) -> tuple[float, list[float]]:
    clients = []
    for key in keys:
        clients.append(RawClient(service, key, *await asyncio.open_connection("127.0.0.1", port)))
        await clients[-1].log_on({21011: "Y"})
    latencies: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(_one_session(client, count, window, latencies) for client in clients))
    took = time.perf_counter() - began
    for client in clients:
        client.writer.close()
    return took, sorted(latencies)


def _drive(port: int, service: str, keys: list[tuple[str, bytes]], count: int, window: int, results: Any) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    made = [Key(key_id, load_pem_private_key(pem, None)) for key_id, pem in keys]  # type: ignore[arg-type]
    results.put(asyncio.run(_drive_all(port, Service(service), made, count, window)))


async def _measure(world: FixWorld, service: Service, connections: int, window: int, orders: int) -> Json:
    keys = [await world.new_key() for _ in range(connections)]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    named = [(key.key_id, key.private_pem) for key in keys]
    arguments = (world.ports[service], service.value, named, orders // connections, window, results)
    process = context.Process(target=_drive, args=arguments)
    cpu = time.process_time()
    process.start()
    took, latencies = await asyncio.to_thread(results.get, True, 300)
    cpu = time.process_time() - cpu
    await asyncio.to_thread(process.join)
    await world.venue.do(c.CancelOrders(ALICE))
    return {
        "session": service.value,
        "connections": connections,
        "window": window,
        "orders": len(latencies),
        "orders_per_s": round(len(latencies) / took),
        "p50_ms": round(latencies[len(latencies) // 2] * 1000, 2),
        "p99_ms": round(latencies[len(latencies) * 99 // 100] * 1000, 2),
        "venue_cpu_us": round(cpu / len(latencies) * 1e6, 1),
    }


def _cost_us(work: Callable[[], object], times: int = 20_000) -> float:
    began = time.thread_time()
    for _ in range(times):
        work()
    return round((time.thread_time() - began) / times * 1e6, 2)


def _stages(logon: Logon) -> Json:
    """Return microseconds of CPU time for each step of one order's two messages."""
    data = encode("D", 7, logon.key.key_id, "KalshiNR", time_text(wall_clock_ms()), "".join(
        f"{tag}={value}\x01" for tag, value in order("550e8400-e29b-41d4-a716-446655440000").items()))  # fmt: skip
    text = next(iter(Framer().feed(data)))
    message = Message(parse(text))
    report = Report(9, 0, wall_clock_ms(), ReportKind.ACCEPTED, ALICE, logon.name, "", "order", "name", "", TICKER,
                    BookSide.BID, 4_000, 10_000_000, 0, 10_000_000)  # fmt: skip
    outgoing = message_of(report, logon)
    assert outgoing is not None
    return {
        "frame_us": _cost_us(lambda: list(Framer().feed(data))),
        "parse_us": _cost_us(lambda: Message(parse(text))),
        "check_us": _cost_us(message.check),
        "report_us": _cost_us(lambda: message_of(report, logon)),
        "encode_us": _cost_us(
            lambda: encode("8", 9, "KalshiNR", logon.key.key_id, time_text(wall_clock_ms()), outgoing.body)
        ),
    }


async def _all(orders: int, progress: Progress) -> tuple[list[Json], Json]:
    with tempfile.TemporaryDirectory() as folder:
        venue = SmallVenue(Path(folder) / "journal", make_keys())
        async with venue.running(), fix_world(venue, Path(folder)) as world:
            await venue.deposit(ALICE, 1_000_000 * DOLLAR)
            rows = []
            for place, (service, connections, window) in enumerate(WAYS):
                progress(f"{service} {connections} x {window}", place, len(WAYS))
                rows.append(await _measure(world, service, connections, window, orders // (10 if window == 1 else 1)))
            client = await world.client()
            session = world.gateway._by_key[client.key.key_id]
            assert session is not None
            return rows, _stages(session.logon)


def run(console: Console, orders: int, progress: Progress) -> Json:
    """Measure and print."""
    rows, stages = asyncio.run(_all(orders, progress))
    table = Table(title="FIX order entry, durable before the report", title_justify="left")
    table.add_column("session", no_wrap=True)
    for heading in ("connections", "under way", "orders/s", "p50 ms", "p99 ms", "venue CPU µs/order"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        cells = ("connections", "window", "orders_per_s", "p50_ms", "p99_ms", "venue_cpu_us")
        table.add_row(row["session"], *(f"{row[name]:,}" for name in cells))
    text = ", ".join(f"{name.removesuffix('_us')} {value}" for name, value in stages.items())
    show(console, table, f"stages, µs of CPU time: {text}\n")
    return {"rows": rows, "stages": stages}
