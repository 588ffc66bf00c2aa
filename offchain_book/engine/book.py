"""Price-time priority for one market: per side a ladder of levels, per level an intrusive list of orders, oldest first.

A level is found by its price in a dict and stays once it was used. All levels of a side are chained from the best to the
worst, so the best price is a pointer that steps along the chain when its level empties, over few empty levels if any
(measured faster than a bit mask, a sorted dict and an array that spans the grid, ADR 0003). The tick plays no part.
"""

from bisect import insort
from collections.abc import Iterator
from operator import attrgetter

from offchain_book.engine.order import BID, BookSide, Order
from offchain_book.engine.queue import Queue
from offchain_book.engine.units import PRICE_SCALE


class Level:
    """All orders at one price of one side, oldest first. A lower `rank` trades first; the next one is `worse`."""

    __slots__ = ("head", "ladder", "price_e4", "queue", "rank", "side", "size_micros", "tail", "ticker", "worse")

    def __init__(self, ladder: "Ladder", price_e4: int, rank: int) -> None:
        self.ladder = ladder
        self.ticker = ladder.ticker
        self.side = ladder.side
        self.price_e4 = price_e4
        self.rank = rank
        self.worse: Level | None = None
        self.head: Order | None = None
        self.tail: Order | None = None
        self.size_micros = 0
        self.queue: Queue | None = None
        """Prefix sums, once somebody has asked for a place in this queue."""


class Ladder(dict[int, Level]):
    """One side of the book: price -> level, which is made when it is first asked for.

    `best` has orders, or is the last level of the chain, which stands for "none" and has no orders.
    """

    __slots__ = ("_chain", "_sign", "best", "side", "ticker")

    def __init__(self, ticker: str, side: BookSide) -> None:
        super().__init__()
        self.ticker = ticker
        self.side = side
        self._sign = -1 if side is BID else 1
        nobody = Level(self, 0, 0) if side is BID else Level(self, PRICE_SCALE, PRICE_SCALE)
        self.best = nobody
        self._chain = [nobody]

    def __missing__(self, price_e4: int) -> Level:
        """Make the level of a price that is new to this side."""
        level = self[price_e4] = Level(self, price_e4, self._sign * price_e4)
        insort(self._chain, level, key=attrgetter("rank"))
        place = self._chain.index(level)
        level.worse = self._chain[place + 1]
        if place:
            self._chain[place - 1].worse = level
        return level

    def move_on(self) -> None:
        """The best level has emptied: step to the next one that has orders, or to the end."""
        level = self.best
        while level.head is None and level.worse is not None:
            level = level.worse
        self.best = level

    def walk(self) -> Iterator[Level]:
        """Yield every level that has orders, best first."""
        level: Level | None = self.best
        while level is not None:
            if level.head is not None:
                yield level
            level = level.worse


class Book:
    """The resting orders of one market. Knows prices and time priority, nothing of accounts."""

    __slots__ = ("asks", "bids", "ticker")

    def __init__(self, ticker: str) -> None:
        self.ticker = ticker
        self.bids = Ladder(ticker, BookSide.BID)
        self.asks = Ladder(ticker, BookSide.ASK)

    def __len__(self) -> int:
        """Return how many orders rest, by counting them."""
        return sum(1 for side in BookSide for _ in self.walk(side))

    @property
    def best_bid_e4(self) -> int:
        """The highest bid, or 0."""
        return self.bids.best.price_e4

    @property
    def best_ask_e4(self) -> int:
        """The lowest ask, or 10,000."""
        return self.asks.best.price_e4

    def first(self, side: BookSide) -> Order | None:
        """Return the order that trades next on a side."""
        return (self.bids if side is BID else self.asks).best.head

    def crosses(self, side: BookSide, price_e4: int) -> bool:
        """Whether an order arriving on `side` at a price would trade."""
        return self.asks.best.rank <= price_e4 if side is BID else self.bids.best.rank <= -price_e4

    def level(self, side: BookSide, price_e4: int) -> Level:
        """Return the level of a price on a side, for an order that is to rest there or to trade up to there."""
        return (self.bids if side is BID else self.asks)[price_e4]

    def add(self, order: Order) -> None:
        """Put an order at the end of its level."""
        level = order.level
        last = order.previous = level.tail
        level.tail = order
        if last is None:
            level.head = order
            ladder = level.ladder
            if level.rank < ladder.best.rank:
                ladder.best = level
        else:
            last.next = order
        level.size_micros += order.remaining_micros
        if level.queue is not None:
            level.queue.append(level, order)

    def remove(self, order: Order) -> None:
        """Take an order out; its remaining size leaves the level."""
        level = order.level
        before, after = order.previous, order.next
        if level.queue is not None:
            level.queue.remove(order)
        level.size_micros -= order.remaining_micros
        if after is None:
            level.tail = before
        else:
            after.previous = before
            order.next = None
        if before is not None:
            before.next = after
            order.previous = None
            return
        level.head = after
        if after is None:
            level.queue = None
            if level is level.ladder.best:
                level.ladder.move_on()

    def reduce(self, order: Order, size_micros: int) -> None:
        """Shrink a resting order in place; at zero it leaves. The order keeps its place in the queue."""
        left = order.remaining_micros - size_micros
        if not left:
            self.remove(order)
            order.remaining_micros = 0
            return
        level = order.level
        order.remaining_micros = left
        level.size_micros -= size_micros
        if level.queue is not None:
            level.queue.shrink(order, size_micros)

    def ahead_micros(self, order: Order) -> int:
        """Return how much trades before a resting order: every better level, and who came earlier to its own.

        O(log n) in the orders of its level, after one pass over them the first time; the better levels are summed one by
        one, and the grid bounds how many there are.
        """
        level = order.level
        found = 0
        for better in level.ladder.walk():
            if better is level:
                break
            found += better.size_micros
        if level.queue is None:
            level.queue = Queue(level)
        return found + level.queue.before_micros(order)

    def depth(self, side: BookSide, limit: int = 0) -> list[tuple[int, int]]:
        """Return (YES price, size) per level, best first; all levels when `limit` is 0."""
        found: list[tuple[int, int]] = []
        for level in (self.bids if side is BID else self.asks).walk():
            found.append((level.price_e4, level.size_micros))
            if len(found) == limit:
                break
        return found

    def size_at(self, side: BookSide, price_e4: int) -> int:
        """Return how much rests at a price of one side, in millionths."""
        level = (self.bids if side is BID else self.asks).get(price_e4)
        return level.size_micros if level is not None else 0

    def orders(self, side: BookSide) -> list[Order]:
        """Return every resting order of a side in the order in which they would trade."""
        return list(self.walk(side))

    def walk(self, side: BookSide) -> Iterator[Order]:
        """Yield the orders of a side in the order in which they would trade."""
        for level in (self.bids if side is BID else self.asks).walk():
            order = level.head
            while order is not None:
                yield order
                order = order.next
