"""Found by the soak, seed 87: the chain rounded each outcome down, a position was paid for both at once, and equity went to -1."""

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.names import EQUITY
from offchain_book.engine.operations import Outcome, PoolAction, PoolOperation
from tests.builders import ALICE, DOLLAR, TICKER, Venue, assert_books_balance, open_venue

LOT_MICROS = 10_000
PAUSED = 2


@pytest.fixture
def venue() -> Venue:
    """Alice holds a lot of each outcome side by side; both are in the pool."""
    found = open_venue()
    found.do(c.SetNetting(ALICE, False))
    for outcome in Outcome:
        found.deposit(ALICE, LOT_MICROS, TICKER, outcome)
    found.do(c.ResolveMarket(TICKER, 333_333))
    return found


def open_pool_operations(venue: Venue) -> list[tuple[PoolAction, Outcome | None, int]]:
    found = [entry.operation for entry in venue.state.operations.values()]
    return [(one.action, one.outcome, one.amount_micros) for one in found if isinstance(one, PoolOperation)]


def test_the_pool_merges_its_sets_first_and_gets_what_it_pays(venue: Venue) -> None:
    venue.do(cc.ConfirmResolution(TICKER, 333_333, "0x", 1, merges=True))
    assert venue.total(ALICE) == 1_000 * DOLLAR + LOT_MICROS
    assert venue.total(EQUITY) == 0
    assert open_pool_operations(venue) == [(PoolAction.MERGE, None, LOT_MICROS)]
    assert_books_balance(venue.state)


def test_a_record_of_an_older_program_means_what_it_meant(venue: Venue) -> None:
    venue.do(cc.ConfirmResolution(TICKER, 333_333, "0x", 1))
    assert venue.total(EQUITY) == -1
    assert [action for action, _, _ in open_pool_operations(venue)] == [PoolAction.REDEEM] * 2


def test_a_merge_that_a_pause_stopped_is_queued_again(venue: Venue) -> None:
    venue.do(cc.ConfirmResolution(TICKER, 333_333, "0x", 1, merges=True))
    cash_micros, (number,) = venue.state.pool_cash_micros, venue.state.operations
    venue.land(skipped=((number, PAUSED),))
    assert open_pool_operations(venue) == [(PoolAction.MERGE, None, LOT_MICROS)]
    assert (list(venue.state.operations), venue.state.pool_cash_micros) == ([number + 1], cash_micros)
