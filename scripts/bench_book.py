"""The bare book against the naive one: matching, resting, cancelling, and nothing else."""

from collections.abc import Iterator, Sequence
from itertools import starmap

from rich.console import Console

from offchain_book.engine.account import Account
from offchain_book.engine.book import Book
from offchain_book.engine.commands import Custody
from offchain_book.engine.order import BID, BookSide, Order, Terms
from scripts.bench_common import Engine, Json, Report, Scale, bytes_per_item, lane_row, lane_table, race, show
from tests.engine.workload import CANCEL, CONTRACT_MICROS, Fill, LevelBook, Op, Workload

AIMS: Json = {"ratio": 2.7, "bytes_per_order": 200}


_ACCOUNT, _TERMS = Account("a", Custody.CUSTODIAL, ""), Terms()


class NaiveEngine(LevelBook):
    """The unit: dicts of lists with a linear cancel inside the level."""

    name = "naive: dicts of lists"

    def prepare(self, ops: Sequence[Op]) -> None:
        """Nothing: it takes the operations as they are."""

    def fills(self, found: Sequence[Fill]) -> Sequence[Fill]:
        """They are fills already."""
        return found


class BookEngine:
    """`Book` under the loop of `matching.match`, with the index of open orders that a cancel needs."""

    name = "book and building the order"

    def __init__(self) -> None:
        self.book = Book()
        self.live: dict[str, Order] = {}
        self._ids: Iterator[str] = iter(())
        self._orders: Iterator[Order] = iter(())

    def prepare(self, ops: Sequence[Op]) -> None:
        """Write the ids as requests carry them; an order is built when the clock runs, as `submit` asks for it."""
        self._ids = iter([str(op[1]) for op in ops if op[0] == CANCEL])
        self._orders = starmap(
            Order, [(str(n), _ACCOUNT, "T", *rest, _TERMS, 0, 0) for kind, n, *rest in ops if kind != CANCEL]
        )

    def submit(self, order_id: int, side: BookSide, price_e4: int, size: int) -> Sequence[tuple[str, int, int]]:
        """Match and rest, as `matching.match` and `rest_or_cancel` do."""
        taker = next(self._orders)
        book, fills = self.book, []
        facing, worst = (book.asks, price_e4) if side is BID else (book.bids, -price_e4)
        while taker.remaining_micros:
            level = facing.best
            if level.rank > worst:
                book.add(taker)
                self.live[taker.order_id] = taker
                break
            maker = level.head
            assert maker is not None
            size = maker.remaining_micros
            if size > taker.remaining_micros:
                size = taker.remaining_micros
            fills.append((maker.order_id, level.price_e4, size))
            book.reduce(maker, size)
            taker.remaining_micros -= size
            if not maker.remaining_micros:
                del self.live[maker.order_id]
        return fills

    def cancel_at(self, order_id: int, side: BookSide, price_e4: int) -> None:
        """Find the order by its id and take it out."""
        self.book.remove(self.live.pop(next(self._ids)))

    def fills(self, found: Sequence[tuple[str, int, int]]) -> Sequence[Fill]:
        """Return the fills with the numbers that they are compared by."""
        return [(int(order_id), price_e4, size) for order_id, price_e4, size in found]


class ReadyBookEngine(BookEngine):
    """The same with the `Order` objects made beforehand: the book's own share."""

    name = "book alone, orders ready"

    def prepare(self, ops: Sequence[Op]) -> None:
        """Build the next turn's orders."""
        super().prepare(ops)
        self._orders = iter(list(self._orders))


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
