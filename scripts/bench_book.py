"""The bare book against the naive one: matching, resting, cancelling, and nothing else."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from offchain_book.engine.account import Account
from offchain_book.engine.book import Book, Ladder
from offchain_book.engine.commands import Custody
from offchain_book.engine.order import BID, BookSide, Order, Terms
from scripts.bench_common import Engine, Json, Report, Scale, bytes_per_item, lane_row, lane_table, race, show
from tests.engine.workload import CONTRACT_MICROS, Fill, LevelBook, Op, Workload

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
    """`Book` with the index of open orders that a cancel needs. Like the naive book it keeps the load's own ids, and makes an
    order of what rests only.
    """

    name = "book"

    def __init__(self) -> None:
        self.book = Book("T")
        self.live: dict[Any, Order] = {}

    def prepare(self, ops: Sequence[Op]) -> None:
        """Nothing: it takes the operations as they are."""

    def submit(self, order_id: Any, side: BookSide, price_e4: int, size: int) -> Sequence[Fill]:
        """Match, then rest what is left."""
        book = self.book
        if side is BID:
            own, facing, worst = book.bids, book.asks, price_e4
        else:
            own, facing, worst = book.asks, book.bids, -price_e4
        fills: Sequence[Fill] = ()
        if facing.best.rank <= worst:
            size, fills = self._match(facing, worst, size)
        if size:
            order = self.live[order_id] = Order(order_id, _ACCOUNT, own[price_e4], size, _TERMS)
            book.add(order)
        return fills

    def _match(self, facing: Ladder, worst: int, size: int) -> tuple[int, list[Fill]]:
        """Trade up to a rank; return what is left, and the fills."""
        book, fills = self.book, []
        while size:
            level = facing.best
            if level.rank > worst:
                break
            maker = level.head
            assert maker is not None
            left = maker.remaining_micros
            if left > size:
                fills.append((maker.order_id, level.price_e4, size))
                book.reduce(maker, size)
                return 0, fills
            fills.append((maker.order_id, level.price_e4, left))
            book.remove(maker)
            del self.live[maker.order_id]
            size -= left
        return size, fills

    def cancel_at(self, order_id: Any, side: BookSide, price_e4: int) -> None:
        """Find the order by its id and take it out."""
        self.book.remove(self.live.pop(order_id))

    def fills(self, found: Sequence[Fill]) -> Sequence[Fill]:
        """They are fills already."""
        return found


class ArrivalEngine(BookEngine):
    """The same as the exchange uses it: ids are strings, new ones in every request, and every arrival is an order."""

    name = "as the exchange uses it"

    def __init__(self) -> None:
        super().__init__()
        self._ids: Iterator[str] = iter(())

    def prepare(self, ops: Sequence[Op]) -> None:
        """Write the ids as requests carry them."""
        self._ids = iter([str(op[1]) for op in ops])

    def submit(self, order_id: Any, side: BookSide, price_e4: int, size: int) -> Sequence[Fill]:
        """Match and rest, as `matching.match` and `rest_or_cancel` do."""
        book, fills = self.book, []
        taker = Order(next(self._ids), _ACCOUNT, book.level(side, price_e4), size, _TERMS)
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

    def cancel_at(self, order_id: Any, side: BookSide, price_e4: int) -> None:
        """Find the order by the id of the request."""
        self.book.remove(self.live.pop(next(self._ids)))

    def fills(self, found: Sequence[Any]) -> Sequence[Fill]:
        """Return the fills with the numbers that they are compared by."""
        return [(int(order_id), price_e4, size) for order_id, price_e4, size in found]


def own_size(number: int) -> int:
    """Return a size that no other order has."""
    return number * CONTRACT_MICROS


_SIZES = [own_size(contracts) for contracts in range(1, 101)]


def common_size(number: int) -> int:
    """Return one of a hundred sizes, as `w99` has them."""
    return _SIZES[number % 100]


def far_bids(
    engine: Engine, count: int, id_of: Callable[[int], Any] = int, size_of: Callable[[int], int] = own_size
) -> Engine:
    """Rest `count` bids on eighteen levels; every one has an id and, unless told otherwise, a size of its own."""
    ops = (
        (0, id_of(number), BookSide.BID, number % 18 * 100 + 100, size_of(number)) for number in range(1_000, 1_000 + count)
    )
    for op in ops:
        engine.prepare([op])
        engine.submit(*op[1:])
    return engine


def weigh(count: int) -> Json:
    """Return the bytes of a resting order among `count`: with numbers as ids and the hundred sizes of the load, which is how
    the aim's source measured; with string ids and sizes of their own, which is the most that it comes to; and the naive book's.
    """

    def bytes_of(kind: Callable[[], Engine], *how: Callable[[int], Any]) -> int:
        return bytes_per_item(lambda orders: far_bids(kind(), orders, *how), count)

    return {
        "resting": count,
        "bytes": bytes_of(BookEngine, int, common_size),
        "bytes_string_ids": bytes_of(BookEngine, str, common_size),
        "bytes_string_ids_own_sizes": bytes_of(BookEngine, str),
        "naive_bytes": bytes_of(NaiveEngine, int, common_size),
    }


def run(console: Console, work: Workload, scale: Scale, report: Report) -> Json:
    """Race, weigh and print."""
    lanes = race((NaiveEngine, BookEngine, ArrivalEngine), work, scale.rounds, scale.latency_ops, report)
    weights = []
    for count in scale.growth:
        report(f"weigh {count:,} resting orders", 0, 0)
        weights.append(weigh(count))
    last = weights[-1]
    sizes = (last["naive_bytes"], last["bytes"], last["bytes_string_ids"])
    rows = [lane_row(lane, lanes[0], scale.ops * scale.rounds, size) for lane, size in zip(lanes, sizes, strict=True)]
    title = f"Bare book: {scale.ops:,} operations of w99, the same {lanes[0].fills:,} fills ({lanes[0].digest[:8]})"
    show(console, lane_table(title, rows), _weight_table(weights))
    show(console, f"aims: {AIMS['ratio']}x naive, under {AIMS['bytes_per_order']} bytes\n")
    found = {"ops": scale.ops, "fills": lanes[0].fills, "fills_sha256": lanes[0].digest}
    return {**found, "aims": AIMS, "rows": rows, "weights": weights}


def _weight_table(weights: Sequence[Json]) -> Table:
    table = Table(title="Bytes of a resting order, its id and its place in the index of ids included", title_justify="left")
    for heading in ("resting orders", "number ids", "string ids", "string ids, every size its own", "naive: number ids"):
        table.add_column(heading, justify="right")
    for row in weights:
        table.add_row(*(f"{cell:,}" for cell in row.values()))
    return table
