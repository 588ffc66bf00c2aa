"""Redeeming a set of dust could break up a whole lot of the other outcome that a resting order counted on: the hold grew by a
lot's cash, the redeemed dust brought less, and nothing was left to hold it with. Found by the walk through events.
"""

from offchain_book.engine.operations import Outcome
from tests.builders import ALICE, BOB, CONTRACT, DOLLAR, TICKER, assert_books_balance, assert_holds_are_exact, open_venue


def test_dust_that_arrives_leaves_a_resting_order_funded() -> None:
    venue = open_venue(DOLLAR)
    venue.place(BOB, "bid", 5_000, 1)
    venue.place(ALICE, "ask", 5_000, 1)
    venue.place(ALICE, "bid", 5_000, 3)  # closes 1 NO and buys 2 YES: needs the 0.50 that is left, to the last cent
    assert venue.state.accounts[ALICE].cash.available == 0
    venue.deposit(ALICE, 3_333, TICKER, Outcome.YES)
    assert_books_balance(venue.state)
    assert_holds_are_exact(venue.state)
    assert venue.total(ALICE, f"{TICKER}:NO") == CONTRACT
    assert venue.total(ALICE, f"{TICKER}:YES") == 3_333


def test_dust_without_such_an_order_is_redeemed() -> None:
    venue = open_venue(DOLLAR)
    venue.place(BOB, "bid", 5_000, 1)
    venue.place(ALICE, "ask", 5_000, 1)
    venue.deposit(ALICE, 3_333, TICKER, Outcome.YES)
    assert venue.total(ALICE, f"{TICKER}:NO") == CONTRACT - 3_333
    assert venue.total(ALICE) == DOLLAR // 2 + 3_333
