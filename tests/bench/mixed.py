"""The mixed load of reference/performance.md: 55 % passive limits, 35 % cancels, 10 % marketable, with one seed.

Run `python -m tests.bench.mixed` for the bare book and the whole `apply` beside the naive book, in one process.
"""

import gc
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from itertools import count

from offchain_book.engine import commands as c
from offchain_book.engine.book import Book
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.order import BookSide, Order, SelfTrade, Terms
from offchain_book.engine.state import Account, State
from tests.builders import CONTRACT, DOLLAR, TICKER, market
from tests.engine.naive_book import NaiveBook

ACCOUNT, TERMS = Account("a", c.Custody.CUSTODIAL, ""), Terms()
TRADERS = 100
DUST = 10_000
Step = tuple[int, BookSide | None, int, int]
"""(order, side, price in cents, contracts); side None cancels the order."""


def workload(steps: int, seed: int = 7) -> tuple[list[Step], list[Step]]:
    """Return the warm-up of far orders and the mixed steps. Cancels name orders that may be gone, as in life."""
    rng = random.Random(seed)
    numbers = count()
    warm_up = [_dust(rng, next(numbers)) for _ in range(DUST)]
    mixed: list[Step] = []
    live: list[int] = []
    middle = 50
    for _ in range(steps):
        draw = rng.random()
        if rng.random() < 0.01:
            middle = min(60, max(40, middle + rng.choice((-1, 1))))
        if draw < 0.35 and len(live) > 100:
            position = rng.randrange(len(live))
            live[position], live[-1] = live[-1], live[position]
            mixed.append((live.pop(), None, 0, 0))
            continue
        side = rng.choice((BookSide.BID, BookSide.ASK))
        sign = -1 if side is BookSide.BID else 1
        number = next(numbers)
        if draw < 0.90:
            mixed.append((number, side, middle + sign * rng.randint(1, 6), rng.randint(1, 20)))
            live.append(number)
        else:
            cross = rng.choices((1, 2, 3), (80, 15, 5))[0]
            mixed.append((number, side, middle - sign * cross, rng.randint(1, 40)))
    return warm_up, mixed


def _dust(rng: random.Random, number: int) -> Step:
    side = rng.choice((BookSide.BID, BookSide.ASK))
    price = rng.randint(1, 25) if side is BookSide.BID else rng.randint(75, 99)
    return number, side, price, rng.randint(1, 20)


class IndexedNaiveBook(NaiveBook):
    """The naive book with one bit of cleverness: it knows each order's level, so that a cancel scans that level alone."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[int, tuple[BookSide, int]] = {}

    def submit(self, order_id: int, side: BookSide, price_e4: int, size: int) -> list[tuple[int, int, int]]:
        """Match, then rest what is left."""
        self.places[order_id] = (side, price_e4)
        return super().submit(order_id, side, price_e4, size)

    def cancel(self, order_id: int) -> bool:
        """Take an order out, if it rests."""
        side, price = self.places.pop(order_id)
        queue = self.levels[side].get(price, [])
        for entry in queue:
            if entry[0] == order_id:
                queue.remove(entry)
                if not queue:
                    del self.levels[side][price]
                return True
        return False


def run_naive(warm_up: list[Step], steps: list[Step], kind: type[NaiveBook] = NaiveBook) -> tuple[float, int]:
    """Run a naive book; return seconds and fills."""
    book = kind()
    for number, side, price, size in warm_up:
        assert side is not None
        book.submit(number, side, price, size)
    fills = 0
    start = time.process_time()
    for number, side, price, size in steps:
        if side is None:
            book.cancel(number)
        else:
            fills += len(book.submit(number, side, price, size))
    return time.process_time() - start, fills


def make_order(order_id: str, side: BookSide, price_e4: int, size: int) -> Order:
    """Return a resting order without an account."""
    return Order(order_id, ACCOUNT, "T", side, price_e4, size, TERMS)


def run_book(warm_up: list[Step], steps: list[Step]) -> tuple[float, int]:
    """Run the bare book; return seconds and fills. Orders are made inside the clock."""
    book = Book()
    orders: dict[int, Order] = {}
    ids = [str(number) for number in range(len(warm_up) + len(steps))]
    for number, side, price, size in warm_up:
        assert side is not None
        orders[number] = order = make_order(ids[number], side, price * 100, size)
        book.add(order)
    fills: list[tuple[str, int, int]] = []
    start = time.process_time()
    for number, side, price, size in steps:
        if side is None:
            found = orders.pop(number, None)
            if found is not None and found.in_book:
                book.remove(found)
            continue
        order = make_order(ids[number], side, price * 100, size)
        while size:
            maker = book.facing(side, order.price_e4)
            if maker is None:
                break
            traded = min(size, maker.remaining_micros)
            fills.append((maker.order_id, maker.price_e4, traded))
            book.reduce(maker, traded)
            size -= traded
        if size:
            order.remaining_micros = size
            orders[number] = order
            book.add(order)
    return time.process_time() - start, len(fills)


def commands(steps: list[Step], first_seq: int) -> list[c.Sequenced]:
    """Return the steps as sequenced commands of many custodial accounts."""
    entries = []
    for seq, (number, side, price, size) in enumerate(steps, start=first_seq):
        name = f"t{number % TRADERS}"
        command: c.Command
        if side is None:
            command = c.CancelOrder(name, str(number))
        else:
            command = c.PlaceOrder(str(number), name, TICKER, side, price * 100, size * CONTRACT, self_trade=SelfTrade.MAKER)
        entries.append(c.Sequenced(seq, seq, "", command))
    return entries


def opened(taker_rate_e4: int = 0) -> State:
    """Return a venue with a market and rich custodial traders."""
    state = new_state(60)
    setup: list[c.Command] = [c.OpenAccount(f"t{n}", c.Custody.CUSTODIAL) for n in range(TRADERS)]
    setup += [c.CreateSeries("FREE", "Free", taker_rate_e4=taker_rate_e4), c.CreateEvent("RAIN", "FREE", "Rain"), market()]
    setup += [c.CreditDeposit(n, f"t{n}", 10**9 * DOLLAR, "0x", 1, "0x") for n in range(TRADERS)]
    for command in setup:
        apply(state, c.Sequenced(state.seq + 1, 0, "", command))
    return state


def run_apply(warm_up: list[Step], steps: list[Step], taker_rate_e4: int = 0) -> tuple[float, int]:
    """Run the whole `apply`; return seconds and matches."""
    state = opened(taker_rate_e4)
    for entry in commands(warm_up, state.seq + 1):
        apply(state, entry)
    entries = commands(steps, state.seq + 1)
    start = time.process_time()
    for entry in entries:
        apply(state, entry)
    return time.process_time() - start, state.next_match


def bytes_per_order(number: int = 100_000) -> float:
    """Return the traced bytes of one resting order in a bare book, its id included."""
    gc.collect()
    tracemalloc.start()
    book = Book()
    before = tracemalloc.get_traced_memory()[0]
    for index in range(number):
        book.add(make_order(str(index), BookSide.BID, 100 * (1 + index % 49), 5))
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return grown / number


def main(steps: int = 60_000, rounds: int = 5) -> None:
    """Print ratios to the naive book, round by round in one process, and the memory of a resting order."""
    warm_up, mixed = workload(steps)
    runs: dict[str, Callable[[], tuple[float, int]]] = {
        "naive book": lambda: run_naive(warm_up, mixed),
        "naive, indexed": lambda: run_naive(warm_up, mixed, IndexedNaiveBook),
        "bare book": lambda: run_book(warm_up, mixed),
        "apply": lambda: run_apply(warm_up, mixed),
        "apply with fees": lambda: run_apply(warm_up, mixed, 700),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    fills: dict[str, int] = {}
    for _ in range(rounds):
        for name, run in runs.items():
            gc.collect()
            gc.freeze()
            gc.disable()
            seconds, fills[name] = run()
            gc.enable()
            times[name].append(seconds)
    for name, seen in times.items():
        ratios = [
            statistics.median(naive / own for naive, own in zip(times[base], seen, strict=True))
            for base in ("naive book", "naive, indexed")
        ]
        best = min(seen)
        speed = f"{steps / best / 1000:8.0f} kops/s  {best / steps * 1e6:6.2f} us"
        print(f"{name:16} {speed}  {ratios[0]:6.2f} x naive  {ratios[1]:6.2f} x indexed naive  {fills[name]} fills")
    print(f"{bytes_per_order():.0f} bytes a resting order in the bare book, id included")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
