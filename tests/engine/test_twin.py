"""The naive twin contradicts: an exchange with one fault in it does not get through a walk."""

from collections.abc import Callable

import pytest

from offchain_book.engine import claims, matching, memory
from offchain_book.engine.account import Account
from offchain_book.engine.book import Book
from offchain_book.engine.order import Order
from tests.engine.twin import Twin
from tests.engine.walk import Walk

STEPS = 1_500


def last_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes to a price goes before the first who was there."""
    add = Book.add

    def jump(book: Book, order: Order) -> None:
        first = next(iter(book.walk(order.side)), None)
        add(book, order)
        if first is not None and first.price_e4 == order.price_e4:
            book.remove(first)
            add(book, first)

    monkeypatch.setattr(Book, "add", jump)


def requests_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No reference is known a second time."""
    monkeypatch.setattr(memory, "is_used", lambda state, reference: False)


def orders_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No finished order is known a second time."""
    monkeypatch.setattr(memory, "is_finished", lambda state, order_id: False)


def places_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two signed orders may use one place of the contract's fill state."""
    monkeypatch.setattr(claims, "holder", lambda account, signed: "")


def own_orders_trade(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wallet is not recognised as its own owner's."""
    monkeypatch.setattr(Account, "owner", property(lambda account: account.account_id, lambda account, owner: None))


def half_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fill closes half of what it could close."""
    closing = matching.risk.closing_micros
    monkeypatch.setattr(matching.risk, "closing_micros", lambda order, size: closing(order, size) // 20_000 * 10_000)


@pytest.mark.parametrize(
    "fault", [last_is_first, requests_are_forgotten, orders_are_forgotten, places_are_shared, own_orders_trade, half_closes]
)
def test_an_exchange_with_a_fault_is_contradicted(
    fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        _walk()


def _walk() -> None:
    for seed in range(8):
        walk = Walk(seed)
        twin = Twin(walk.venue)
        for _ in range(STEPS):
            walk.step()
            twin.agree_in_full(walk.venue.state)
