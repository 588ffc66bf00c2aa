"""Found by thinking through a chain that comes back: a dependant that the ledger had given up can still land.

Walt's sale is skipped, so what he bought with its proceeds lacks its money. But it is cut already, he deposits on chain before it
executes, and it lands. So what is cut waits for the chain's own answer; what is not cut is given up at once and packed so that
it cannot execute (ADR 0009).
"""

from bridge.settlement import as_packed
from offchain_book.engine import chain_commands as cc
from offchain_book.engine.names import token_asset
from offchain_book.engine.operations import Outcome
from offchain_book.engine.rejects import RejectCode
from tests.builders import ALICE, CONTRACT, DOLLAR, TICKER, WALT, assert_books_balance, open_venue, rejected


def test_a_dependant_that_lands_after_all_counts() -> None:
    venue = open_venue()
    venue.do(cc.RecordExit("all-his-cash", WALT, 1_000 * DOLLAR))
    venue.deposit(WALT, 10 * CONTRACT, TICKER, Outcome.YES)
    venue.place(ALICE, "bid", 5_000, 10)
    venue.place(WALT, "sell yes", 5_000, 10)
    venue.do(cc.CutBatch(0, 0, 1, "0x"))
    venue.place(ALICE, "bid", 4_000, 5)
    venue.place(WALT, "buy no", 6_000, 5)
    venue.do(cc.CutBatch(1, 1, 1, "0x"))
    venue.do(cc.ConfirmBatch(0, "0xaa", 7, "0xb7", ((0, 1),)))
    assert not venue.state.operations[1].failed
    venue.deposit(WALT, 3 * DOLLAR)
    venue.do(cc.ConfirmBatch(1, "0xab", 8, "0xb8", ()))
    assert venue.total(WALT, token_asset(TICKER, Outcome.NO)) == 5 * CONTRACT
    assert venue.total(WALT) == 0
    assert_books_balance(venue.state)


def test_a_dependant_that_is_not_cut_yet_is_given_up_and_packed_void() -> None:
    venue = open_venue()
    venue.do(cc.RecordExit("all-his-cash", WALT, 1_000 * DOLLAR))
    venue.deposit(WALT, 10 * CONTRACT, TICKER, Outcome.YES)
    venue.place(ALICE, "bid", 5_000, 10)
    venue.place(WALT, "sell yes", 5_000, 10)
    venue.cut(1)
    venue.place(ALICE, "bid", 4_000, 5)
    venue.place(WALT, "buy no", 6_000, 5)
    venue.do(cc.ConfirmBatch(0, "0xaa", 7, "0xb7", ((0, 1),)))
    given_up = venue.state.operations[1]
    assert given_up.failed
    assert rejected(venue.do(cc.CutBatch(1, 1, 1, "0x"))).code is RejectCode.BATCH_CONTENT_CHANGED
    venue.cut(1)
    assert as_packed(given_up.operation, given_up.voided).not_after_s == 0
    assert_books_balance(venue.state)
