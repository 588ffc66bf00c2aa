"""The load `w99` of docs/performance: a busy market on the cent grid, the same for every book that runs it.

10,000 far orders ("dust") first, then operations: 55 % passive orders near the touch, 35 % cancels of a live order, 10 %
marketable orders that cross one, two or three levels (80/15/5 %). About 400 orders are active and three rest at the touch.
A marketable order never rests, so fills depend on price-time priority alone. Same seed, same list.
"""

import heapq
import random
from dataclasses import dataclass

from offchain_book.engine.order import BookSide
from tests.engine.naive_book import NaiveBook

PASSIVE, CANCEL, MARKETABLE = 0, 1, 2
WARM_UP = 10_000
TICK_E4 = 100
CONTRACT_MICROS = 1_000_000

Op = tuple[int, int, BookSide, int, int]
"""(kind, order id, side, price in e4, size in millionths); a cancel carries its order's side and price."""
Fill = tuple[int, int, int]
"""(maker's order id, price in e4, size in millionths)."""

_MAX_CONTRACTS = 100
_NEAR = 0.40
"""Share of passive orders close to the touch; the others spread over thirty levels and mostly wait for their cancel."""
_DUST_CENTS = 18
"""Dust lies on the outermost cents, where no operation ever trades."""
_OTHER = {BookSide.BID: BookSide.ASK, BookSide.ASK: BookSide.BID}


class LevelBook(NaiveBook):
    """The naive book whose cancel knows the level: dicts of lists, linear within one price. The unit of the benchmarks."""

    def cancel_at(self, order_id: int, side: BookSide, price_e4: int) -> bool:
        """Take an order out of its level, if it rests there."""
        levels = self.levels[side]
        queue = levels.get(price_e4, [])
        for position, entry in enumerate(queue):
            if entry[0] == order_id:
                del queue[position]
                if not queue:
                    del levels[price_e4]
                return True
        return False


@dataclass(frozen=True)
class Workload:
    """What to run before the clock starts, and what to run while it ticks."""

    warm_up: list[Op]
    ops: list[Op]


def generate(count: int, seed: int = 1, dust: int = WARM_UP) -> Workload:
    """Return `count` operations behind a warm-up of `dust` far orders."""
    maker = _Maker(random.Random(seed))
    warm_up = [maker.dust() for _ in range(dust)]
    return Workload(warm_up, [maker.step() for _ in range(count)])


class _Maker:
    """Draws operations and plays them on a book of its own, to know what is live and where the touch is."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._book = LevelBook()
        self._next_id = 0
        self._fair = 50.0
        self._active: list[int] = []
        self._places: dict[int, int] = {}
        """Where in `_active` an order is."""
        self._orders: dict[int, tuple[BookSide, int, int]] = {}
        """(side, price, remaining size) of active orders."""

    def dust(self) -> Op:
        """Draw a far order, on either side."""
        side, cents = self._side(), self._rng.randint(1, _DUST_CENTS)
        return self._submit(PASSIVE, side, cents if side is BookSide.BID else 100 - cents, self._size(), active=False)

    def step(self) -> Op:
        """Draw the next operation."""
        dice = self._rng.random()
        if dice < 0.35 and self._active:
            return self._cancel()
        side = self._side()
        prices = self._best_prices(side) if 0.35 <= dice < 0.45 else []
        return self._marketable(side, prices) if prices else self._passive(side)

    def _side(self) -> BookSide:
        return BookSide.BID if self._rng.random() < 0.5 else BookSide.ASK

    def _size(self) -> int:
        return int(1 + self._rng.random() * _MAX_CONTRACTS) * CONTRACT_MICROS

    def _best_prices(self, side: BookSide) -> list[int]:
        """Return up to three best prices that an order on `side` may trade at, without the dust."""
        other = self._book.levels[_OTHER[side]]
        if side is BookSide.BID:
            return [price for price in heapq.nsmallest(3, other) if price < (100 - _DUST_CENTS) * TICK_E4]
        return [price for price in heapq.nlargest(3, other) if price > _DUST_CENTS * TICK_E4]

    def _passive(self, side: BookSide) -> Op:
        """Draw a price behind the fair one, which wanders around 50 cents; it never crosses."""
        rng = self._rng
        self._fair += (rng.random() - 0.5) * 0.1 + (50 - self._fair) * 0.0001
        distance = int(rng.expovariate(0.8)) if rng.random() < _NEAR else 3 + int(rng.random() * 26)
        other = self._book.levels[_OTHER[side]]
        if side is BookSide.BID:
            behind = min(other, default=9_900) // TICK_E4 - 1
            cents = max(_DUST_CENTS + 1, min(int(self._fair) - distance, behind))
        else:
            behind = max(other, default=100) // TICK_E4 + 1
            cents = min(99 - _DUST_CENTS, max(int(self._fair) + 1 + distance, behind))
        return self._submit(PASSIVE, side, cents, self._size(), active=True)

    def _marketable(self, side: BookSide, prices: list[int]) -> Op:
        dice = self._rng.random()
        prices = prices[: 1 if dice < 0.80 else 2 if dice < 0.95 else 3]
        levels = self._book.levels[_OTHER[side]]
        size = sum(entry[1] for price in prices[:-1] for entry in levels[price])
        last = sum(entry[1] for entry in levels[prices[-1]]) // CONTRACT_MICROS
        size += self._rng.randint(1, last) * CONTRACT_MICROS
        return self._submit(MARKETABLE, side, prices[-1] // TICK_E4, size, active=False)

    def _cancel(self) -> Op:
        order_id = self._active[int(self._rng.random() * len(self._active))]
        side, price, size = self._orders[order_id]
        self._book.cancel_at(order_id, side, price)
        self._drop(order_id)
        return (CANCEL, order_id, side, price, size)

    def _submit(self, kind: int, side: BookSide, cents: int, size: int, *, active: bool) -> Op:
        price = cents * TICK_E4
        self._next_id += 1
        order_id = self._next_id
        for maker_id, _, traded in self._book.submit(order_id, side, price, size):
            maker_side, maker_price, left = self._orders[maker_id]
            self._orders[maker_id] = (maker_side, maker_price, left - traded)
            if left == traded:
                self._drop(maker_id)
        if active:
            self._orders[order_id] = (side, price, size)
            self._places[order_id] = len(self._active)
            self._active.append(order_id)
        return (kind, order_id, side, price, size)

    def _drop(self, order_id: int) -> None:
        """Forget an order that left the book; the last active one takes its place in the list."""
        del self._orders[order_id]
        place, last = self._places.pop(order_id), self._active.pop()
        if last != order_id:
            self._active[place], self._places[last] = last, place
