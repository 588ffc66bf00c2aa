"""Where the time of a command goes: its share by stage, and what the smallest steps cost on their own.

Shares are own time under the profiler, which makes small functions look larger than they are; they are spread over the time
that a command takes without it. The floor says what no arrangement of the same steps can save.
"""

import cProfile
import pstats
import time
import timeit
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from offchain_book.engine import commands as c
from offchain_book.engine import risk
from offchain_book.engine.book import Book
from offchain_book.engine.events import Event, OrderAccepted
from offchain_book.engine.exchange import apply
from offchain_book.engine.fees import FREE
from offchain_book.engine.ledger import post
from offchain_book.engine.names import OUTSIDE
from offchain_book.engine.order import BID, Order, Terms
from offchain_book.engine.postings import supply_lines
from offchain_book.engine.units import CASH
from scripts.bench_apply import ApplyEngine, FeeEngine, FreeEngine
from scripts.bench_common import Json, Report, Scale, quiet_gc, show
from tests.builders import ALICE, TICKER, open_venue
from tests.engine.workload import Workload

STAGES = {
    "exchange.py": "dispatch, building the order",
    "plain.py": "the straight way: checks, fills, events",
    "order.py": "dispatch, building the order",
    "admission.py": "checks",
    "limits.py": "checks",
    "risk.py": "holds",
    "fees.py": "fees",
    "book.py": "book",
    "matching.py": "matching: lines, sides, events",
    "postings.py": "matching: lines, sides, events",
    "custody.py": "custody: sides, pool sums",
    "ledger.py": "ledger postings",
    "cancels.py": "leaving the book, indexes",
    "amending.py": "leaving the book, indexes",
}


def run(console: Console, work: Workload, scale: Scale, report: Report) -> Json:
    """Profile, measure the steps, print both."""
    ops = min(scale.whole_ops, 100_000)
    work = Workload(work.warm_up, work.ops[:ops])
    with quiet_gc():
        report("profile whole commands", 0, 0)
        engines = [_shares(kind(), kind(), work) for kind in (FreeEngine, FeeEngine)]
        report("measure single steps", 0, 0)
        steps = _floor()
    show(console, _stage_table(engines), _floor_table(steps), "")
    return {"ops": len(work.ops), "engines": engines, "floor_ns": steps}


def _shares(plain: ApplyEngine, profiled: ApplyEngine, work: Workload) -> Json:
    """Return the microseconds of a command and how they divide."""
    per_command = _time(plain, work)
    profile = cProfile.Profile(builtins=False)
    entries = _ready(profiled, work)
    profile.enable()
    for entry in entries:
        apply(profiled.state, entry)
    profile.disable()
    own: dict[str, float] = defaultdict(float)
    for (file, _, _), (_, _, seconds, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        own[STAGES.get(Path(file).name, "everything else")] += seconds
    whole = sum(own.values())
    stages = {name: round(seconds / whole, 3) for name, seconds in sorted(own.items(), key=lambda item: -item[1])}
    return {"name": plain.name, "us_per_command": round(per_command * 1e6, 2), "shares": stages}


def _ready(engine: ApplyEngine, work: Workload) -> list[c.Sequenced]:
    for entry in engine.entries(work.warm_up):
        apply(engine.state, entry)
    return engine.entries(work.ops)


def _time(engine: ApplyEngine, work: Workload) -> float:
    entries = _ready(engine, work)
    start = time.thread_time()
    for entry in entries:
        apply(engine.state, entry)
    return (time.thread_time() - start) / len(entries)


def _floor() -> dict[str, int]:
    """Return nanoseconds of single steps, the best of several runs."""
    venue = open_venue(10**15)
    state, account = venue.state, venue.state.accounts[ALICE]
    venue.place(ALICE, "bid", 1_000, 1)
    book, events = Book(TICKER), list[Event]()
    level, terms = book.level(BID, 5_000), Terms()
    order = Order("a", account, level, 1_000_000, terms)
    made = [(ALICE, CASH, -1_000_000), *supply_lines(TICKER, 1_000_000), (OUTSIDE, f"{TICKER}:YES", 1_000_000)]
    made.append((OUTSIDE, f"{TICKER}:NO", 1_000_000))

    def smallest() -> None:
        apply(state, c.Sequenced(state.seq + 1, state.now_ms, "", c.CancelOrder(ALICE, "none")))

    def hold_and_release() -> None:
        risk.hold_custodial(order, FREE)
        order.remaining_micros = 0
        risk.adjust(order, 1_000_000, FREE)
        order.remaining_micros = 1_000_000

    def posting(lines: Sequence[tuple[str, str, int]]) -> Callable[[], object]:
        return lambda: (post(state, "r", lines, events), events.clear())

    steps: dict[str, Callable[[], object]] = {
        "a call of an empty function": lambda: None,
        "an event": lambda: OrderAccepted("o", "a", "t", 1),
        "a command that is refused (envelope, command, dispatch, look-up, event)": smallest,
        "an order object": lambda: Order("a", account, level, 1_000_000, terms),
        "into the book and out again": lambda: (book.add(order), book.remove(order)),
        "a hold and its release": hold_and_release,
        "a posting of two lines": posting([(ALICE, CASH, 1), (OUTSIDE, CASH, -1)]),
        "a posting of six lines (a set is made)": posting(made),
    }
    return {name: _best(step) for name, step in steps.items()}


def _best(step: Callable[[], object], number: int = 100) -> int:
    """Return the best of many short bursts: on a busy machine a long one never runs undisturbed."""
    return round(min(timeit.repeat(step, number=number, repeat=300)) / number * 1e9)


def _stage_table(engines: Sequence[Json]) -> Table:
    table = Table(title="Whole commands: where the time goes (µs an operation of w99)", title_justify="left")
    table.add_column("stage")
    for engine in engines:
        table.add_column(engine["name"], justify="right")
    for stage in engines[-1]["shares"]:
        shares = [(engine["shares"].get(stage, 0), engine["us_per_command"]) for engine in engines]
        table.add_row(stage, *(f"{share * whole:.2f}  {share:4.0%}" for share, whole in shares))
    table.add_row("all", *(f"{engine['us_per_command']:.2f}  100%" for engine in engines), style="bold")
    return table


def _floor_table(steps: dict[str, int]) -> Table:
    table = Table(title="The floor: single steps, everything in cache", title_justify="left")
    table.add_column("step")
    table.add_column("ns", justify="right")
    for name, nanoseconds in steps.items():
        table.add_row(name, f"{nanoseconds:,}")
    return table
