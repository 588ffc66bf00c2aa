"""Whole commands through `apply`: checks, holds, self-trade, matching, ledger, events; custodial accounts on both sides."""

from collections.abc import Iterator, Sequence
from itertools import chain

from rich.console import Console

from offchain_book.engine import commands as c
from offchain_book.engine.events import Event, Matched, Rejected
from offchain_book.engine.exchange import apply
from offchain_book.engine.order import BookSide
from scripts.bench_book import NaiveEngine, far_bids
from scripts.bench_common import Json, Report, Scale, bytes_per_item, lane_row, lane_table, race, show
from tests.builders import DOLLAR, FEE_TICKER, TICKER, open_venue
from tests.engine.workload import CANCEL, MARKETABLE, Fill, Op, Workload

AIMS: Json = {"ratio": 0.8}
ACCOUNTS = 32
"""Accounts that only rest orders, and as many that only take: nobody meets an order of its own."""
CASH_MICROS = 10**9 * DOLLAR


def account_of(kind: int, order_id: int) -> str:
    """Return who an operation belongs to; a cancel belongs to the passive order's account."""
    return f"{'taker' if kind == MARKETABLE else 'maker'}{order_id % ACCOUNTS}"


def command_of(op: Op, ticker: str) -> c.Command:
    """Return an operation as the command that a gateway would send."""
    kind, order_id, side, price, size = op
    if kind == CANCEL:
        return c.CancelOrder(account_of(kind, order_id), str(order_id))
    return c.PlaceOrder(str(order_id), account_of(kind, order_id), ticker, side, price, size)


class ApplyEngine:
    """A venue with 64 rich custodial accounts. Commands are built outside the clock, as the gateways' time is not ours."""

    def __init__(self, ticker: str, name: str) -> None:
        self.name = name
        self._ticker = ticker
        self.venue = open_venue()
        self._entries: Iterator[c.Sequenced] = iter(())
        for kind in (0, MARKETABLE):
            for number in range(ACCOUNTS):
                self.venue.do(c.OpenAccount(account_of(kind, number), c.Custody.CUSTODIAL))
                self.venue.deposit(account_of(kind, number), CASH_MICROS)
        self.state = self.venue.state
        self._next_seq = self.state.seq + 1

    def entries(self, ops: Sequence[Op]) -> list[c.Sequenced]:
        """Number commands for operations, a millisecond every hundred."""
        first, now = self._next_seq, self.venue.now_ms
        self._next_seq += len(ops)
        return [
            c.Sequenced(seq, now + seq // 100, "", command_of(op, self._ticker)) for seq, op in enumerate(ops, start=first)
        ]

    def prepare(self, ops: Sequence[Op]) -> None:
        """Build the next turn's commands."""
        self._entries = iter(self.entries(ops))

    def submit(self, order_id: int, side: BookSide, price_e4: int, size: int) -> list[Event]:
        """Apply the next command, which is this order."""
        return apply(self.state, next(self._entries))

    def cancel_at(self, order_id: int, side: BookSide, price_e4: int) -> list[Event]:
        """Apply the next command, which is this cancel."""
        return apply(self.state, next(self._entries))

    def fills(self, found: Sequence[Event]) -> Sequence[Fill]:
        """Pick the fills out of the events."""
        if any(isinstance(event, Rejected) for event in found):
            raise AssertionError("a command of the workload was refused")
        return [(int(e.maker.order_id), e.price_e4, e.size_micros) for e in found if isinstance(e, Matched)]


class FreeEngine(ApplyEngine):
    """The fee-free market."""

    def __init__(self) -> None:
        super().__init__(TICKER, "apply, fee-free")


class FeeEngine(ApplyEngine):
    """The market with taker and maker fees."""

    def __init__(self) -> None:
        super().__init__(FEE_TICKER, "apply, with fees")


def journal_entries(work: Workload, count: int) -> tuple[list[c.Sequenced], FreeEngine]:
    """Return a venue's whole journal: its opening and `count` operations of the workload, applied to the venue returned."""
    engine = FreeEngine()
    opening = list(engine.venue.log)
    ops = list(chain(work.warm_up, work.ops))[:count]
    entries = engine.entries(ops)
    for entry in entries:
        apply(engine.state, entry)
    return opening + entries, engine


def run(console: Console, work: Workload, scale: Scale, report: Report) -> Json:
    """Race, weigh and print."""
    work = Workload(work.warm_up, work.ops[: scale.whole_ops])
    ops = len(work.ops)
    lanes = race((NaiveEngine, FreeEngine, FeeEngine), work, 1, min(ops, scale.latency_ops // 2), report)
    report("weigh resting orders", 0, 0)
    size = bytes_per_item(lambda count: far_bids(FreeEngine(), count), min(scale.resting_orders, 20_000))
    sizes = (None, size, size)
    rows = [lane_row(lane, lanes[0], ops, size) for lane, size in zip(lanes, sizes, strict=True)]
    title = f"Whole commands: {ops:,} operations of w99, the same {lanes[0].fills:,} fills ({lanes[0].digest[:8]})"
    show(console, lane_table(title, rows), f"aim: {AIMS['ratio']}x naive\n")
    return {"ops": ops, "fills": lanes[0].fills, "fills_sha256": lanes[0].digest, "aims": AIMS, "rows": rows}
