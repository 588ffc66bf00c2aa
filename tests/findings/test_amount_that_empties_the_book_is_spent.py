"""Found by the arbitrage example: a fill-or-kill buy by amount was refused when its last cent bought the last offer of the book."""

import pytest

from offchain_book.engine.events import Matched, Rejected
from offchain_book.engine.order import TimeInForce
from offchain_book.engine.rejects import RejectCode
from tests.builders import ALICE, BOB, CONTRACT, DOLLAR, assert_books_balance, open_venue


@pytest.mark.parametrize(("dollars", "fills"), [(3, True), (2, True), (4, False)])
def test_a_buy_by_amount_is_filled_when_the_book_has_just_enough(dollars: int, fills: bool) -> None:
    venue = open_venue()
    venue.place(BOB, "ask", 5_000, 6)
    terms = {"time_in_force": TimeInForce.FOK, "budget_micros": dollars * DOLLAR, "to_the_last": True}
    events = venue.place(ALICE, "bid", 5_000, 2 * dollars, **terms)
    matched = [event.size_micros for event in events if isinstance(event, Matched)]
    refused = [event.code for event in events if isinstance(event, Rejected)]
    assert matched == ([2 * dollars * CONTRACT] if fills else [])
    assert refused == ([] if fills else [RejectCode.FILL_OR_KILL_UNFILLED])
    assert_books_balance(venue.state)
