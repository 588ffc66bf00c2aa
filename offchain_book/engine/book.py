"""Price-time priority for one market: a direct-indexed array of levels with intrusive lists and a best-price pointer.

The grid is bounded (prices 1..9999), so a level is found by index, the best price by a pointer that walks to the next
non-empty level when one empties (measured faster than a bit mask or a sorted dict, ADR 0003). It walks in steps of the
greatest common divisor of all prices seen: on a cent grid a hundred prices at a time, and a finer tick needs no notice.
"""

from collections.abc import Iterator
from math import gcd

from offchain_book.engine.order import BookSide, Order
from offchain_book.engine.queue import Queue
from offchain_book.engine.units import PRICE_SCALE


class Level:
    """All orders at one price of one side, oldest first."""

    __slots__ = ("head", "price_e4", "queue", "size_micros", "tail")

    def __init__(self, price_e4: int) -> None:
        self.price_e4 = price_e4
        self.head: Order | None = None
        self.tail: Order | None = None
        self.size_micros = 0
        self.queue: Queue | None = None
        """Prefix sums, once somebody has asked for a place in this queue."""


class Book:
    """The resting orders of one market. Knows prices and time priority, nothing of accounts."""

    __slots__ = ("_asks", "_best_ask", "_best_bid", "_bids", "_count", "_step")

    def __init__(self) -> None:
        self._bids: list[Level | None] = [None] * (PRICE_SCALE + 1)
        self._asks: list[Level | None] = [None] * (PRICE_SCALE + 1)
        self._best_bid = 0
        self._best_ask = PRICE_SCALE
        self._count = 0
        self._step = PRICE_SCALE

    def __len__(self) -> int:
        """Return how many orders rest."""
        return self._count

    @property
    def best_bid_e4(self) -> int:
        """The highest bid, or 0."""
        return self._best_bid

    @property
    def best_ask_e4(self) -> int:
        """The lowest ask, or 10,000."""
        return self._best_ask

    def first(self, side: BookSide) -> Order | None:
        """Return the order that trades next on a side."""
        level = self._bids[self._best_bid] if side is BookSide.BID else self._asks[self._best_ask]
        return level.head if level is not None else None

    def crosses(self, side: BookSide, price_e4: int) -> bool:
        """Whether an order arriving on `side` at a price would trade."""
        return self._best_ask <= price_e4 if side is BookSide.BID else 0 < self._best_bid >= price_e4

    def facing(self, side: BookSide, price_e4: int) -> Order | None:
        """Return the order that an arrival on `side` at a price trades with next, if it trades at all."""
        if side is BookSide.BID:
            best = self._best_ask
            level = self._asks[best] if best <= price_e4 else None
        else:
            best = self._best_bid
            level = self._bids[best] if best >= price_e4 else None
        return level.head if level is not None else None

    def add(self, order: Order) -> None:
        """Put an order at the end of its level."""
        price = order.price_e4
        if price % self._step:
            self._step = gcd(self._step, price)
        if order.side is BookSide.BID:
            levels = self._bids
            if price > self._best_bid:
                self._best_bid = price
        else:
            levels = self._asks
            if price < self._best_ask:
                self._best_ask = price
        level = levels[price]
        if level is None:
            level = levels[price] = Level(price)
        order.price_e4 = level.price_e4  # one integer object for the whole level
        last = level.tail
        order.previous = last
        order.next = None
        if last is None:
            level.head = order
        else:
            last.next = order
        level.tail = order
        level.size_micros += order.remaining_micros
        order.in_book = True
        self._count += 1
        if level.queue is not None:
            level.queue.append(level, order)

    def remove(self, order: Order) -> None:
        """Take an order out; its remaining size leaves the level."""
        levels = self._bids if order.side is BookSide.BID else self._asks
        level = levels[order.price_e4]
        assert level is not None
        assert order.in_book
        before, after = order.previous, order.next
        if before is None:
            level.head = after
        else:
            before.next = after
        if after is None:
            level.tail = before
        else:
            after.previous = before
        level.size_micros -= order.remaining_micros
        if level.queue is not None:
            level.queue.remove(order)
        order.previous = order.next = None
        order.in_book = False
        self._count -= 1
        if level.head is None:
            level.queue = None
            self._move_best(order.side, order.price_e4)

    def reduce(self, order: Order, size_micros: int) -> None:
        """Shrink a resting order in place; at zero it leaves. The order keeps its place in the queue."""
        if size_micros == order.remaining_micros:
            self.remove(order)
            order.remaining_micros = 0
            return
        level = (self._bids if order.side is BookSide.BID else self._asks)[order.price_e4]
        assert level is not None
        level.size_micros -= size_micros
        order.remaining_micros -= size_micros
        if level.queue is not None:
            level.queue.shrink(order, size_micros)

    def ahead_micros(self, order: Order) -> int:
        """Return how much trades before a resting order: every better level, and who came earlier to its own.

        O(log n) in the orders of its level, after one pass over them the first time; the better levels are summed one by
        one, and the grid bounds how many there are.
        """
        assert order.in_book
        price = order.price_e4
        if order.side is BookSide.BID:
            levels, better = self._bids, range(self._best_bid, price, -self._step)
        else:
            levels, better = self._asks, range(self._best_ask, price, self._step)
        found = 0
        for other in better:
            level = levels[other]
            if level is not None:
                found += level.size_micros
        level = levels[price]
        assert level is not None
        if level.queue is None:
            level.queue = Queue(level)
        return found + level.queue.before_micros(order)

    def depth(self, side: BookSide, limit: int = 0) -> list[tuple[int, int]]:
        """Return (YES price, size) per level, best first; all levels when `limit` is 0."""
        found: list[tuple[int, int]] = []
        levels = self._bids if side is BookSide.BID else self._asks
        prices = self._prices(side)
        for price in prices:
            level = levels[price]
            if level is not None and level.head is not None:
                found.append((price, level.size_micros))
                if len(found) == limit:
                    break
        return found

    def orders(self, side: BookSide) -> list[Order]:
        """Return every resting order of a side in the order in which they would trade."""
        return list(self.walk(side))

    def walk(self, side: BookSide) -> Iterator[Order]:
        """Yield the orders of a side in the order in which they would trade."""
        levels = self._bids if side is BookSide.BID else self._asks
        prices = self._prices(side)
        for price in prices:
            level = levels[price]
            order = level.head if level is not None else None
            while order is not None:
                yield order
                order = order.next

    def _prices(self, side: BookSide) -> range:
        """Return every price of a side at which orders may rest, best first."""
        if side is BookSide.BID:
            return range(self._best_bid, 0, -self._step)
        return range(self._best_ask, PRICE_SCALE, self._step)

    def _move_best(self, side: BookSide, emptied_e4: int) -> None:
        """Move the best-price pointer off a level that has just emptied."""
        if side is BookSide.BID:
            if emptied_e4 != self._best_bid:
                return
            bids = self._bids
            for price in range(emptied_e4 - self._step, 0, -self._step):
                level = bids[price]
                if level is not None and level.head is not None:
                    self._best_bid = price
                    return
            self._best_bid = 0
        else:
            if emptied_e4 != self._best_ask:
                return
            asks = self._asks
            for price in range(emptied_e4 + self._step, PRICE_SCALE, self._step):
                level = asks[price]
                if level is not None and level.head is not None:
                    self._best_ask = price
                    return
            self._best_ask = PRICE_SCALE
