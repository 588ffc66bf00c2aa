"""Found by thinking through a chain that comes back: a dependant that the ledger had given up can still land.

Walt's sale is skipped, so what he bought with its proceeds is given up as a dependant. But he deposits on chain before that
purchase executes, and it lands. The submitter halts before it journals this (`_refuse_landed`), because the engine's broken
invariant would stop every later replay. The rule that is missing: take the guarantee or the bust back when it landed.
"""

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.ledger import InvariantBroken
from offchain_book.engine.operations import Outcome
from offchain_book.engine.state import token_asset
from tests.builders import ALICE, CONTRACT, DOLLAR, TICKER, WALT, assert_books_balance, open_venue


@pytest.mark.xfail(raises=InvariantBroken, strict=True, reason="the engine cannot take a resolution back yet")
def test_a_dependant_that_lands_after_all_counts() -> None:
    venue = open_venue()
    venue.do(c.RecordExit("all-his-cash", WALT, 1_000 * DOLLAR))
    venue.deposit(WALT, 10 * CONTRACT, TICKER, Outcome.YES)
    venue.place(ALICE, "bid", 5_000, 10)
    venue.place(WALT, "sell yes", 5_000, 10)
    venue.do(c.CutBatch(0, 0, 1, "0x"))
    venue.place(ALICE, "bid", 4_000, 5)
    venue.place(WALT, "buy no", 6_000, 5)
    venue.do(c.CutBatch(1, 1, 1, "0x"))
    venue.do(c.ConfirmBatch(0, "0xaa", 7, "0xb7", ((0, 1),)))
    assert venue.state.operations[1].failed
    venue.deposit(WALT, 3 * DOLLAR)
    venue.do(c.ConfirmBatch(1, "0xab", 8, "0xb8", ()))
    assert venue.total(WALT, token_asset(TICKER, Outcome.NO)) == 5 * CONTRACT
    assert venue.total(WALT) == 0
    assert_books_balance(venue.state)
