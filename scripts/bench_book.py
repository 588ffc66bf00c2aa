"""The bare book against the naive one: matching, resting, cancelling, and nothing else."""

from collections.abc import Sequence

from rich.console import Console

from offchain_book.engine.book import Book
from offchain_book.engine.order import BookSide, Order, SelfTrade, TimeInForce
from scripts.bench_common import Engine, Json, Report, Scale, bytes_per_item, lane_row, lane_table, race, show
from tests.engine.workload import CANCEL, CONTRACT_MICROS, Fill, LevelBook, Op, Workload

AIMS: Json = {"ratio": 2.7, "bytes_per_order": 200}


def new_order(order_id: int, side: BookSide, price_e4: int, size: int) -> Order:
    """Return an order as the exchange makes it; `seq` carries the number that fills are compared by."""
    return Order(
        str(order_id), "", "a", "a", "T", side, None, price_e4, size, TimeInForce.GTC, False, SelfTrade.TAKER_AT_CROSS,
        0, 0, None, order_id, 0,
    )  # fmt: skip


class NaiveEngine(LevelBook):
    """The unit: dicts of lists with a linear cancel inside the level."""

    name = "naive: dicts of lists"

    def prepare(self, ops: Sequence[Op]) -> None:
        """Nothing: it takes the operations as they are."""

    def fills(self, found: Sequence[Fill]) -> Sequence[Fill]:
        """They are fills already."""
        return found


class BookEngine:
    """`Book` under the loop of `exchange._match`, with the index of open orders that a cancel needs."""

    name = "book and building the order"

    def __init__(self) -> None:
        self.book = Book()
        self.live: dict[int, Order] = {}

    def prepare(self, ops: Sequence[Op]) -> None:
        """Nothing: the order is built in the clock."""

    def submit(self, order_id: int, side: BookSide, price_e4: int, size: int) -> list[Fill]:
        """Build the order, then match and rest it."""
        return self.match(new_order(order_id, side, price_e4, size))

    def match(self, taker: Order) -> list[Fill]:
        """Match and rest, as `exchange._match` and `_finish` do."""
        fills: list[Fill] = []
        book = self.book
        while taker.remaining_micros and book.crosses(taker.side, taker.price_e4):
            maker = book.first(taker.side.opposite)
            assert maker is not None
            size = min(taker.remaining_micros, maker.remaining_micros)
            fills.append((maker.seq, maker.price_e4, size))
            book.reduce(maker, size)
            taker.remaining_micros -= size
            if not maker.remaining_micros:
                del self.live[maker.seq]
        if taker.remaining_micros:
            book.add(taker)
            self.live[taker.seq] = taker
        return fills

    def cancel_at(self, order_id: int, side: BookSide, price_e4: int) -> None:
        """Find the order by its id and take it out."""
        self.book.remove(self.live.pop(order_id))

    def fills(self, found: Sequence[Fill]) -> Sequence[Fill]:
        """They are fills already."""
        return found


class ReadyBookEngine(BookEngine):
    """The same with the `Order` objects made beforehand: the book's own share."""

    name = "book alone, orders ready"

    def __init__(self) -> None:
        super().__init__()
        self._ready: dict[int, Order] = {}

    def prepare(self, ops: Sequence[Op]) -> None:
        """Build the next turn's orders."""
        self._ready = {op[1]: new_order(*op[1:]) for op in ops if op[0] != CANCEL}

    def submit(self, order_id: int, side: BookSide, price_e4: int, size: int) -> list[Fill]:
        """Match and rest."""
        return self.match(self._ready.pop(order_id))


def far_bids(engine: Engine, count: int) -> Engine:
    """Rest `count` bids on eighteen levels; every one has an id and a size of its own."""
    ops = (
        (0, number, BookSide.BID, number % 18 * 100 + 100, number * CONTRACT_MICROS)
        for number in range(1_000, 1_000 + count)
    )
    for op in ops:
        engine.prepare([op])
        engine.submit(*op[1:])
    return engine


def run(console: Console, work: Workload, scale: Scale, report: Report) -> Json:
    """Race, weigh and print."""
    makers = (NaiveEngine, ReadyBookEngine, BookEngine)
    lanes = race(makers, work, scale.rounds, scale.latency_ops, report)
    report("weigh resting orders", 0, 0)
    sizes = [bytes_per_item(lambda count: far_bids(NaiveEngine(), count), scale.resting_orders)]
    sizes += [bytes_per_item(lambda count: far_bids(BookEngine(), count), scale.resting_orders)] * 2
    rows = [lane_row(lane, lanes[0], scale.ops * scale.rounds, size) for lane, size in zip(lanes, sizes, strict=True)]
    title = f"Bare book: {scale.ops:,} operations of w99, the same {lanes[0].fills:,} fills ({lanes[0].digest[:8]})"
    show(console, lane_table(title, rows), f"aims: {AIMS['ratio']}x naive, under {AIMS['bytes_per_order']} bytes\n")
    return {"ops": scale.ops, "fills": lanes[0].fills, "fills_sha256": lanes[0].digest, "aims": AIMS, "rows": rows}
