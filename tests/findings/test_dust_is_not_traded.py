"""Found by review: a millionth of a token sent to an account would have been traded, with costs that are no whole millionths."""

from offchain_book.engine import commands as c
from offchain_book.engine.events import Matched
from offchain_book.engine.names import token_asset
from offchain_book.engine.operations import Outcome
from tests.builders import ALICE, BOB, CONTRACT, TICKER, WENDY, assert_books_balance, open_venue


def test_dust_sent_to_an_account_is_left_alone_by_trading_and_can_be_withdrawn() -> None:
    venue = open_venue()
    venue.deposit(ALICE, 2 * CONTRACT + 1, TICKER, Outcome.NO)
    venue.place(BOB, "ask", 3_300, 5)
    (match,) = [event for event in venue.place(ALICE, "bid", 3_300, 5) if isinstance(event, Matched)]
    assert (match.taker.close_micros, match.taker.open_micros) == (2 * CONTRACT, 3 * CONTRACT)
    assert venue.total(ALICE, token_asset(TICKER, Outcome.NO)) == 1
    assert_books_balance(venue.state)
    venue.do(c.Withdraw("dust", ALICE, 1, WENDY, TICKER, Outcome.NO))
    assert venue.total(ALICE, token_asset(TICKER, Outcome.NO)) == 0
    assert_books_balance(venue.state)
