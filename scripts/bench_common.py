"""What the benchmarks share: a race of engines over one workload, quiet garbage collection, and rows for the tables.

Every figure that matters is a ratio of two runs of the same operations in the same process, taken in turns of a few
milliseconds, so a neighbour on the machine slows both alike. Throughput counts CPU time, latency counts wall time.
"""

import gc
import hashlib
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table

from offchain_book.engine.order import BookSide
from tests.engine.workload import CANCEL, Fill, Op, Workload

CHUNK = 5_000
"""Operations of one turn; then the next engine runs the same ones."""

Json = dict[str, Any]
Report = Callable[[str, int, int], None]
"""Progress: (what, done, of)."""


@dataclass(frozen=True)
class Scale:
    """How much to measure."""

    ops: int
    rounds: int
    latency_ops: int
    whole_ops: int
    resting_orders: int
    groups: int
    replay: int
    growth: tuple[int, ...]
    growth_ops: int
    wallet_orders: int
    fix_orders: int

    @classmethod
    def of(cls, ops: int, quick: bool) -> "Scale":
        """Derive every size from the number of operations."""
        small = min(ops, 20_000)
        return cls(
            ops=ops,
            rounds=2 if quick else 3,
            latency_ops=min(ops, 20_000 if quick else 200_000),
            whole_ops=min(ops, 40_000 if quick else 500_000),
            resting_orders=small if quick else 50_000,
            groups=max(small // 100, 8) if quick else 1_000,
            replay=small if quick else ops,
            growth=(1_000, 10_000) if quick else (1_000, 10_000, 100_000, 1_000_000),
            growth_ops=small,
            wallet_orders=960 if quick else 12_800,
            fix_orders=3_200 if quick else 16_000,
        )


class Engine(Protocol):
    """Something that matches the workload. `submit` returns what `fills` can turn into fills, outside the clock."""

    name: str

    def prepare(self, ops: Sequence[Op]) -> None:
        """Build the inputs of the next turn, outside the clock."""

    def submit(self, order_id: int, side: BookSide, price_e4: int, size: int) -> Sequence[Any]:
        """Match an order, rest what is left."""

    def cancel_at(self, order_id: int, side: BookSide, price_e4: int) -> object:
        """Take an order out."""

    def fills(self, found: Sequence[Any]) -> Sequence[Fill]:
        """Return the fills in what `submit` returned."""


@dataclass
class Lane:
    """One engine's results in a race; `seconds` has an entry per turn."""

    name: str
    seconds: list[float] = field(default_factory=list)
    digest: str = ""
    fills: int = 0
    p50_ns: int = 0
    p99_ns: int = 0


@contextmanager
def quiet_gc() -> Iterator[None]:
    """Freeze what lives and switch the collector off, as the venue does after its start."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def drive(engine: Engine, ops: Sequence[Op], found: list[Any]) -> None:
    """Run operations: the loop that is timed, the same for every engine."""
    submit, cancel = engine.submit, engine.cancel_at
    for kind, order_id, side, price, size in ops:
        if kind == CANCEL:
            cancel(order_id, side, price)
        else:
            found += submit(order_id, side, price, size)


def drive_timed(engine: Engine, ops: Sequence[Op], nanoseconds: list[int]) -> None:
    """Run operations and note how long each took; the clock itself is part of it (about 60 ns)."""
    submit, cancel, clock = engine.submit, engine.cancel_at, time.perf_counter_ns
    for kind, order_id, side, price, size in ops:
        start = clock()
        if kind == CANCEL:
            cancel(order_id, side, price)
        else:
            submit(order_id, side, price, size)
        nanoseconds.append(clock() - start)


def race(makers: Sequence[Callable[[], Engine]], work: Workload, rounds: int, timed: int, report: Report) -> list[Lane]:
    """Run the workload through every engine in turns; refuse to report engines that do not make the same fills."""
    lanes = [Lane(make().name) for make in makers]
    total = rounds * len(work.ops)
    with quiet_gc():
        for before in range(0, total, len(work.ops)):
            _round(makers, work, lanes, _from(before, total, report))
        report("time each operation", 0, 0)
        _latency(makers, work, timed, lanes)
    if len({lane.digest for lane in lanes}) != 1:
        raise AssertionError(f"the engines disagree about the fills: {[(lane.name, lane.fills) for lane in lanes]}")
    return lanes


def _from(before: int, total: int, report: Report) -> Callable[[int], None]:
    return lambda done: report("match", before + done, total)


def _start(makers: Sequence[Callable[[], Engine]], work: Workload) -> list[Engine]:
    engines = [make() for make in makers]
    for engine in engines:
        engine.prepare(work.warm_up)
        drive(engine, work.warm_up, [])
    return engines


def _turns(ops: Sequence[Op], engines: int) -> Iterator[tuple[Sequence[Op], list[int]]]:
    """Yield chunks with the order in which the engines take their turn; everybody is first equally often."""
    for turn, start in enumerate(range(0, len(ops), CHUNK)):
        yield ops[start : start + CHUNK], [(turn + place) % engines for place in range(engines)]


def _round(
    makers: Sequence[Callable[[], Engine]], work: Workload, lanes: Sequence[Lane], done: Callable[[int], None]
) -> None:
    engines = _start(makers, work)
    hashes = [hashlib.sha256() for _ in engines]
    counts, passed = [0] * len(engines), 0
    for chunk, order in _turns(work.ops, len(engines)):
        for index in order:
            fills = _turn(engines[index], chunk, lanes[index])
            counts[index] += len(fills)
            hashes[index].update("".join(map(repr, fills)).encode())
        passed += len(chunk)
        done(passed)
    for lane, digest, count in zip(lanes, hashes, counts, strict=True):
        lane.digest, lane.fills = digest.hexdigest(), count


def _turn(engine: Engine, ops: Sequence[Op], lane: Lane) -> list[Fill]:
    found: list[Any] = []
    engine.prepare(ops)
    start = time.thread_time()
    drive(engine, ops, found)
    lane.seconds.append(time.thread_time() - start)
    return list(engine.fills(found))


def _latency(makers: Sequence[Callable[[], Engine]], work: Workload, count: int, lanes: Sequence[Lane]) -> None:
    engines = _start(makers, work)
    samples: list[list[int]] = [[] for _ in engines]
    for chunk, order in _turns(work.ops[:count], len(engines)):
        for index in order:
            engines[index].prepare(chunk)
            drive_timed(engines[index], chunk, samples[index])
    for lane, nanoseconds in zip(lanes, samples, strict=True):
        nanoseconds.sort()
        lane.p50_ns, lane.p99_ns = nanoseconds[len(nanoseconds) // 2], nanoseconds[len(nanoseconds) * 99 // 100]


def lane_row(lane: Lane, unit: Lane, ops: int, bytes_per_order: int | None) -> Json:
    """Return a race's result for one engine; `ratio` above 1 is faster than the unit, `ops` were run in all rounds."""
    ratios = sorted(theirs / ours for theirs, ours in zip(unit.seconds, lane.seconds, strict=True))
    return {
        "name": lane.name,
        "mops_per_s": round(ops / sum(lane.seconds) / 1e6, 4),
        "ratio": round(sum(unit.seconds) / sum(lane.seconds), 3),
        "ratio_p10": round(ratios[len(ratios) // 10], 3),
        "ratio_p90": round(ratios[len(ratios) * 9 // 10], 3),
        "p50_ns": lane.p50_ns,
        "p99_ns": lane.p99_ns,
        "bytes_per_order": bytes_per_order,
    }


def lane_table(title: str, rows: Sequence[Json]) -> Table:
    """Return a race's rows as a table."""
    table = Table(title=title, title_justify="left")
    table.add_column("engine", no_wrap=True)
    weighed = any(row["bytes_per_order"] is not None for row in rows)
    for heading in ("x naive", "p10–p90", "Mops/s", "p50 ns", "p99 ns", *(["bytes/order"] if weighed else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        memory = "" if row["bytes_per_order"] is None else f"{row['bytes_per_order']:,}"
        spread = f"{row['ratio_p10']:.2f}–{row['ratio_p90']:.2f}"
        cells = (
            f"{row['ratio']:.2f}",
            spread,
            f"{row['mops_per_s']:.2f}",
            f"{row['p50_ns']:,}",
            f"{row['p99_ns']:,}",
            *([memory] if weighed else []),
        )
        table.add_row(row["name"], *cells)
    return table


def bytes_per_item(build: Callable[[int], object], count: int) -> int:
    """Return how much memory one of `count` items keeps allocated, ids included. Exact: counts allocations, not pages."""
    build(1_000)
    gc.collect()
    tracemalloc.start()
    try:
        kept = build(count)
        size, _ = tracemalloc.get_traced_memory()
        del kept
    finally:
        tracemalloc.stop()
    return round(size / count)


def show(console: Console, *parts: Table | str) -> None:
    """Print tables and remarks."""
    for part in parts:
        console.print(part, highlight=False)
