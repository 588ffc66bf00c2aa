"""Who stands before whom at one price: prefix sums over a level's queue, in O(log n).

Only levels that somebody asks about have one (`Book.ahead_micros` makes it; it goes when the level empties), so matching
pays a single check for all others. Derived from the level's list; never part of the state.
"""

from typing import Protocol

from offchain_book.engine.order import Order

_SPARE = 64
"""Free places beyond those that orders take; places of orders that left are not used again until a rebuild."""


class Line(Protocol):
    """What a queue is built from: a level of the book."""

    head: Order | None


class Queue:
    """A Fenwick tree over the sizes of a level's orders in the order of their arrival."""

    __slots__ = ("_places", "_sums", "_taken")

    def __init__(self, level: Line) -> None:
        self._rebuild(level)

    def _rebuild(self, level: Line) -> None:
        sizes = [0]
        self._places: dict[Order, int] = {}
        order = level.head
        while order is not None:
            self._places[order] = len(sizes)
            sizes.append(order.remaining_micros)
            order = order.next
        self._taken = len(sizes)
        sums = sizes + [0] * (len(sizes) + _SPARE)
        for place in range(1, len(sums)):
            above = place + (place & -place)
            if above < len(sums):
                sums[above] += sums[place]
        self._sums = sums

    def append(self, level: Line, order: Order) -> None:
        """Take in the order that has just joined the end of the level. Doubling makes rebuilds O(1) amortised."""
        if self._taken == len(self._sums):
            self._rebuild(level)
            return
        self._places[order] = self._taken
        self._add(self._taken, order.remaining_micros)
        self._taken += 1

    def remove(self, order: Order) -> None:
        """Forget an order that leaves with what remains of it."""
        self._add(self._places.pop(order), -order.remaining_micros)

    def shrink(self, order: Order, size_micros: int) -> None:
        """An order lost part of its size and keeps its place."""
        self._add(self._places[order], -size_micros)

    def _add(self, place: int, size_micros: int) -> None:
        sums = self._sums
        while place < len(sums):
            sums[place] += size_micros
            place += place & -place

    def before_micros(self, order: Order) -> int:
        """Return the sum of the sizes before an order."""
        sums, found = self._sums, 0
        place = self._places[order] - 1
        while place > 0:
            found += sums[place]
            place -= place & -place
        return found
