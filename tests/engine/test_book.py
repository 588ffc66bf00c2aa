"""The book against its naive twin: the same orders give the same fills and the same depth, whatever the order of events."""

import hypothesis.strategies as st
from hypothesis import given, settings

from offchain_book.engine.account import Account
from offchain_book.engine.book import Book
from offchain_book.engine.commands import Custody
from offchain_book.engine.order import BookSide, Order, Terms
from tests.engine.naive_book import NaiveBook

ACCOUNT, TERMS = Account("a", Custody.CUSTODIAL, ""), Terms()
PLACE = st.tuples(
    st.sampled_from(list(BookSide)), st.one_of(st.integers(1, 9_999), st.integers(48, 52).map(lambda c: c * 100)),
    st.integers(1, 50),
)  # fmt: skip
STEPS = st.lists(st.one_of(PLACE, st.integers(0, 200)), max_size=120)


def make_order(book: Book, number: int, side: BookSide, price_e4: int, size: int) -> Order:
    return Order(str(number), ACCOUNT, book.level(side, price_e4), size, TERMS)


def submit(book: Book, order: Order) -> list[tuple[int, int, int]]:
    """Match and rest with the engine's book, as the exchange does."""
    fills = []
    while order.remaining_micros:
        maker = book.first(order.side.opposite)
        if maker is None or not book.crosses(order.side, order.price_e4):
            break
        size = min(order.remaining_micros, maker.remaining_micros)
        fills.append((int(maker.order_id), maker.price_e4, size))
        book.reduce(maker, size)
        order.remaining_micros -= size
    if order.remaining_micros:
        book.add(order)
    return fills


@settings(max_examples=400)
@given(STEPS)
def test_the_book_fills_and_rests_exactly_like_its_naive_twin(steps: list[tuple[BookSide, int, int] | int]) -> None:
    book, naive = Book("T"), NaiveBook()
    orders: dict[int, Order] = {}
    for number, step in enumerate(steps):
        if isinstance(step, int):
            order = orders.get(step)
            resting = order is not None and order.in_book
            assert naive.cancel(step) is resting
            if order is not None and resting:
                book.remove(order)
        else:
            side, price, size = step
            orders[number] = make_order(book, number, side, price, size)
            assert submit(book, orders[number]) == naive.submit(number, side, price, size)
        for side in BookSide:
            assert book.depth(side) == naive.depth(side)
        assert len(book) == sum(order.in_book for order in orders.values())
        assert book.best_bid_e4 == max((price for price, _ in naive.depth(BookSide.BID)), default=0)
        assert book.best_ask_e4 == min((price for price, _ in naive.depth(BookSide.ASK)), default=10_000)


def test_a_finer_tick_is_found_beside_orders_of_the_old_grid() -> None:
    book = Book("T")
    coarse, fine = make_order(book, 1, BookSide.ASK, 5_100, 10), make_order(book, 2, BookSide.ASK, 5_045, 10)
    book.add(make_order(book, 0, BookSide.ASK, 5_000, 10))
    book.add(coarse)
    book.add(fine)
    assert submit(book, make_order(book, 3, BookSide.BID, 5_000, 10)) == [(0, 5_000, 10)]
    assert book.best_ask_e4 == 5_045
    assert book.depth(BookSide.ASK) == [(5_045, 10), (5_100, 10)]
    assert book.ahead_micros(coarse) == 10


def test_a_partial_fill_keeps_its_place_in_the_queue() -> None:
    book = Book("T")
    first, second = make_order(book, 1, BookSide.BID, 5_000, 10), make_order(book, 2, BookSide.BID, 5_000, 10)
    book.add(first)
    book.add(second)
    assert submit(book, make_order(book, 3, BookSide.ASK, 5_000, 4)) == [(1, 5_000, 4)]
    assert [order.order_id for order in book.orders(BookSide.BID)] == ["1", "2"]


QUEUE_STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "add", "remove", "shrink", "ask"]), st.integers(0, 60), st.integers(1, 20)),
    max_size=120,
)


@settings(max_examples=200)
@given(st.sampled_from(list(BookSide)), QUEUE_STEPS)
def test_what_stands_ahead_of_an_order_is_the_sum_of_all_before_it(
    side: BookSide, steps: list[tuple[str, int, int]]
) -> None:
    book = Book("T")
    for number, (what, pick, size) in enumerate(steps):
        resting = book.orders(side)
        if what == "add" or not resting:
            book.add(make_order(book, number, side, 5_000 + 100 * (pick % 3), size))
        elif what == "remove":
            book.remove(resting[pick % len(resting)])
        elif what == "shrink":
            order = resting[pick % len(resting)]
            book.reduce(order, min(size, order.remaining_micros))
        else:
            chosen = resting[pick % len(resting)]
            before = resting[: resting.index(chosen)]
            assert book.ahead_micros(chosen) == sum(order.remaining_micros for order in before)


def test_a_watched_queue_grows_and_still_knows_every_place() -> None:
    book = Book("T")
    orders = [make_order(book, number, BookSide.BID, 5_000, 1) for number in range(1_000)]
    for number, order in enumerate(orders):
        book.add(order)
        assert book.ahead_micros(order) == number
    for order in orders[::2]:
        book.remove(order)
    assert [book.ahead_micros(order) for order in orders[1::2]] == list(range(500))
