"""WebSocket fan-out: one venue, many readers of one busy book in a process of their own, with and without a slow one.

Each command makes one book message for everybody. `paced` sends commands at a fixed rate and asks how late the messages are;
`flood` sends as fast as the journal takes them and asks how many messages arrive. Lag runs from the command's being
durable to the frame's being read by the other process.
"""

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import uvicorn
import uvloop
from cryptography.hazmat.primitives.asymmetric import ed25519
from rich.console import Console
from rich.table import Table

from offchain_book.config import StreamLimits
from offchain_book.engine import commands as c
from offchain_book.engine.commands import Sequenced
from offchain_book.engine.order import BookSide
from offchain_book.gateways import kalshi_stream, venue_stream
from offchain_book.gateways.sessions import Sessions
from offchain_book.gateways.stream import Hub
from offchain_book.gateways.stream_tickets import Tickets
from offchain_book.gateways.stream_wire import server_options
from scripts.bench_common import Json, Report, show
from tests.sdk.kalshi_venue import ALICE, BOB, CAROL, CONTRACT, SETTINGS, TICKER, Key, SmallVenue

ROOT = Path(__file__).resolve().parents[1]
READERS = 100
PACE_PER_S, PACE_S = 500, 4
FLOOD_COMMANDS, FLOOD_GROUP = 6_000, 64
BACKLOG_BYTES = 300_000
AIMS: Json = {"readers": READERS, "slow_reader_slows_nobody": True}
SUBSCRIBE: dict[str, Json] = {
    "kalshi": {
        "path": kalshi_stream.PATH,
        "message": {"id": 1, "cmd": "subscribe", "params": {"channels": ["orderbook_delta"], "market_ticker": TICKER}},
        "marker": '"clock":',
        "replies": 2,
    },
    "venue": {
        "path": venue_stream.PATH,
        "message": {"op": "subscribe", "channels": ["book"], "tickers": [TICKER], "resume_from": ""},
        "marker": '"cursor":',
        "replies": 3,
    },
}
"""Per dialect: Kalshi's envelope is made per reader, ours is one frame for all, as Polymarket's is."""


def run(console: Console, report: Report, *, quick: bool) -> Json:
    """Measure, print, return."""
    rows = []
    for dialect in SUBSCRIBE:
        for slow in (0, 1):
            report(f"{READERS} readers of {dialect}{' and a slow one' if slow else ''}", 0, 0)
            rows.append(uvloop.run(_measure(dialect, slow, quick=quick)))
    show(console, _table(rows))
    console.print(_remark(rows), highlight=False)
    return {"rows": rows, "aims": AIMS}


async def _measure(dialect: str, slow: int, *, quick: bool) -> Json:
    with tempfile.TemporaryDirectory(prefix="bench-ws-") as folder:
        keys = {name: Key(str(uuid.uuid4()), ed25519.Ed25519PrivateKey.generate()) for name in (ALICE, BOB, CAROL)}
        async with SmallVenue(Path(folder) / "journal", keys).running() as venue:
            bench = _Bench(venue)
            async with asyncio.TaskGroup() as tasks, _Server(bench, tasks) as port:
                with _readers(dialect, port, keys[BOB], slow) as readers:
                    await bench.line(readers)
                    await bench.ask(readers)
                    scale = 4 if quick else 1
                    paced = await bench.paced(readers, PACE_PER_S, PACE_S / scale)
                    flood = await bench.flood(readers, FLOOD_COMMANDS // scale)
                    assert readers.stdin is not None
                    readers.stdin.close()
                    await asyncio.to_thread(readers.wait, 30)
            return {"dialect": dialect, "readers": READERS, "slow_readers": slow, "paced": paced, "flood": flood}


class _Server:
    """uvicorn as the venue runs it, in this loop."""

    def __init__(self, bench: "_Bench", tasks: asyncio.TaskGroup) -> None:
        options = server_options(bench.limits)
        self._server = uvicorn.Server(uvicorn.Config(bench.venue.app, log_config=None, lifespan="off", **options))
        self._tasks = tasks
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=READERS * 2)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)  # a slow reader's backlog waits in the venue

    async def __aenter__(self) -> int:
        self._tasks.create_task(self._server._serve([self._socket]))
        return int(self._socket.getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._socket.close()


def _readers(dialect: str, port: int, key: Key, slow: int) -> "subprocess.Popen[str]":
    task = SUBSCRIBE[dialect] | {"port": port, "readers": READERS, "slow": slow}
    task["headers"] = key.headers("GET", task["path"])
    task["message"] = json.dumps(task["message"])
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.bench_ws_readers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(task) + "\n")
    process.stdin.flush()
    return process


class _Bench:
    """The venue with its streams, and when each command became durable."""

    def __init__(self, venue: SmallVenue) -> None:
        self.venue = venue
        self.limits = StreamLimits(backlog_bytes=BACKLOG_BYTES)
        self.hub = Hub(venue.sequencer, self.limits)
        venue.app.include_router(kalshi_stream.router(self.hub))
        venue.app.include_router(venue_stream.router(self.hub, SETTINGS, Tickets(), Sessions(SETTINGS)))
        self.durable_ns: dict[int, int] = {}
        self._orders = 0
        venue.sequencer.subscribe(lambda entry, _: self._note(entry))

    def _note(self, entry: Sequenced) -> None:
        self.durable_ns[entry.seq] = time.monotonic_ns()

    async def _toggle(self) -> None:
        """Place an order; its cancel is the next command."""
        self._orders += 1
        name, price = f"bench-{self._orders}", 100 + 100 * (self._orders % 40)
        await self.venue.do(c.PlaceOrder(name, ALICE, TICKER, BookSide.BID, price, CONTRACT))
        await self.venue.do(c.CancelOrder(ALICE, name))

    async def line(self, readers: "subprocess.Popen[str]") -> str:
        """Wait for a line of the readers."""
        assert readers.stdout is not None
        found = await asyncio.to_thread(readers.stdout.readline)
        if not found:
            raise AssertionError(f"the readers ended with {readers.wait()}")
        return found

    async def ask(self, readers: "subprocess.Popen[str]") -> Json:
        """Ask the readers what came since the last time."""
        assert readers.stdin is not None
        readers.stdin.write("report\n")
        readers.stdin.flush()
        return dict(json.loads(await self.line(readers)))

    async def paced(self, readers: "subprocess.Popen[str]", per_s: int, seconds: float) -> Json:
        """Send two commands at a time at a fixed rate."""
        loop, pairs = asyncio.get_running_loop(), round(per_s * seconds / 2)
        cpu, start = time.process_time(), loop.time()
        running = []
        for number in range(pairs):
            await asyncio.sleep(max(0.0, start + number * 2 / per_s - loop.time()))
            running.append(asyncio.ensure_future(self._toggle()))
        await asyncio.gather(*running)
        return await self._collect(readers, 2 * pairs, cpu, start)

    async def flood(self, readers: "subprocess.Popen[str]", commands: int) -> Json:
        """Send commands as fast as the journal takes them."""
        cpu, start = time.process_time(), asyncio.get_running_loop().time()
        for _ in range(commands // 2 // FLOOD_GROUP):
            await asyncio.gather(*(self._toggle() for _ in range(FLOOD_GROUP)))
        return await self._collect(readers, commands // 2 // FLOOD_GROUP * FLOOD_GROUP * 2, cpu, start)

    async def _collect(self, readers: "subprocess.Popen[str]", commands: int, cpu_s: float, start_s: float) -> Json:
        """Ask the readers until every message has come; fail if one is missing."""
        counts, samples = [0] * READERS, []
        while min(counts) < commands:
            told = await self.ask(readers)
            if told["lost"]:
                raise AssertionError(f"{told['lost']} quick readers were cut off")
            counts = [have + new for have, new in zip(counts, told["counts"], strict=True)]
            samples += told["samples"]
            if asyncio.get_running_loop().time() - start_s > 120:
                raise AssertionError(f"{commands - min(counts)} messages never came")
        lags = sorted((at - self.durable_ns[seq]) / 1e6 for seq, at in samples)
        last_ns = max(at for _, at in samples)
        seconds = (last_ns - self.durable_ns[min(seq for seq, _ in samples)]) / 1e9
        deliveries = sum(counts)
        return {
            "commands": commands,
            "commands_per_s": round(commands / seconds),
            "deliveries_per_s": round(deliveries / seconds),
            "cpu_us_per_delivery": round((time.process_time() - cpu_s) * 1e6 / deliveries, 2),
            "p50_ms": round(lags[len(lags) // 2], 2),
            "p99_ms": round(lags[len(lags) * 99 // 100], 2),
            "connections": self.hub.connections,
        }


def _table(rows: list[Json]) -> Table:
    table = Table(title=f"WebSocket fan-out: one book to {READERS} readers", title_justify="left")
    for heading in ("stream", "slow", "load", "commands/s", "messages/s", "CPU µs each", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="right")
    for row in rows:
        for load in ("paced", "flood"):
            figures = row[load]
            table.add_row(
                row["dialect"],
                str(row["slow_readers"]),
                load,
                f"{figures['commands_per_s']:,}",
                f"{figures['deliveries_per_s']:,}",
                f"{figures['cpu_us_per_delivery']:.2f}",
                f"{figures['p50_ms']:.2f}",
                f"{figures['p99_ms']:.2f}",
            )
    return table


def _remark(rows: list[Json]) -> str:
    cut = [row for row in rows if row["slow_readers"] and row["flood"]["connections"] == READERS]
    slow = [row for row in rows if row["slow_readers"]]
    return (
        f"every message reached every quick reader; the slow one was cut off in {len(cut)} of {len(slow)} runs "
        f"(it may leave {BACKLOG_BYTES:,} bytes unread)\n"
    )
