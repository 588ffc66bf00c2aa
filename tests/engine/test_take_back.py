"""A wallet sends cash and tokens back to its custodial account by signature alone: credited when final, and only then."""

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.chain_events import OperationFailed
from offchain_book.engine.events import ActionAccepted, Event
from offchain_book.engine.operations import Outcome, VaultAction, VaultActionKind
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.units import CASH
from offchain_book.reserves import read_books
from tests.builders import (
    ALICE,
    BOB,
    CONTRACT,
    DOLLAR,
    TICKER,
    WALT,
    WENDY,
    Venue,
    assert_books_balance,
    find,
    open_venue,
    rejected,
)

YES, NO = f"{TICKER}:YES", f"{TICKER}:NO"


@pytest.fixture
def venue() -> Venue:
    """Alice and Wendy are one owner; Wendy holds 10 YES and 10 NO."""
    found = open_venue()
    found.do(c.LinkAccount(ALICE, WENDY, deliver=False))
    for outcome in Outcome:
        found.deposit(WENDY, 10 * CONTRACT, TICKER, outcome)
    return found


def take_back(
    venue: Venue,
    asset: str,
    amount: int,
    *,
    wallet: str = WENDY,
    nonce: str = "1",
    kind: VaultActionKind = VaultActionKind.TAKE_BACK,
) -> list[Event]:
    market = venue.state.markets[TICKER]
    number = {CASH: "0", YES: market.yes_token_id, NO: market.no_token_id}[asset]
    action = VaultAction(wallet, kind, number, amount, wallet, nonce, 2**39, "0x")
    return venue.do(c.SubmitAction(f"a{nonce}", action))


def test_cash_is_held_until_it_is_final_and_then_the_accounts(venue: Venue) -> None:
    (accepted,) = find(take_back(venue, CASH, 30 * DOLLAR), ActionAccepted)
    wendy, pool = venue.state.accounts[WENDY].cash, venue.state.pool_cash_micros
    assert (wendy.total, wendy.held, venue.total(ALICE)) == (1_000 * DOLLAR, 30 * DOLLAR, 1_000 * DOLLAR)
    assert accepted.operation == 0
    venue.land()
    assert (wendy.total, wendy.held, venue.total(ALICE)) == (970 * DOLLAR, 0, 1_030 * DOLLAR)
    assert venue.state.accounts[ALICE].cash.withdrawable == 1_030 * DOLLAR
    assert venue.state.pool_cash_micros == pool + 30 * DOLLAR
    assert_books_balance(venue.state)


def test_tokens_join_the_position_u_stays_and_they_can_be_sold_and_tokenized_again(venue: Venue) -> None:
    market = venue.state.markets[TICKER]
    take_back(venue, YES, 4 * CONTRACT)
    assert (market.custodial_yes_micros, venue.total(ALICE, YES)) == (0, 0)
    venue.land()
    assert (market.custodial_yes_micros, market.pool_yes_micros, market.unsplit_micros) == (4 * CONTRACT, 4 * CONTRACT, 0)
    assert venue.total(ALICE, YES) == 4 * CONTRACT
    venue.place(BOB, "bid", 6_000, 1)
    venue.place(ALICE, "ask", 6_000, 1)
    venue.do(c.Withdraw("w", ALICE, 3 * CONTRACT, WALT, TICKER, Outcome.YES))
    venue.land()
    assert (venue.total(ALICE, YES), venue.total(BOB, YES)) == (0, CONTRACT)
    assert_books_balance(venue.state)


def test_tokens_that_are_in_the_wallet_itself_come_back_without_a_hold(venue: Venue) -> None:
    """What the ledger saw leave comes from outside again; in the reserves it is the pool's from the block that executed it."""
    free = VaultActionKind.TAKE_BACK_FREE
    take_back(venue, YES, 4 * CONTRACT, kind=free)
    take_back(venue, NO, 500 * CONTRACT, kind=free, nonce="2")
    assert venue.state.accounts[WENDY].balance(YES).held == 0
    books = read_books(venue.state, [YES, NO], [WENDY])
    assert [books.expected_pool(YES, number) for number in range(3)] == [0, 4 * CONTRACT, 4 * CONTRACT]
    venue.land(((1, 18),))
    assert (venue.total(WENDY, YES), venue.total(ALICE, YES), venue.total(ALICE, NO)) == (10 * CONTRACT, 4 * CONTRACT, 0)
    assert venue.state.markets[TICKER].pool_yes_micros == 4 * CONTRACT
    assert rejected(take_back(venue, CASH, DOLLAR, kind=free, nonce="3")).code is RejectCode.UNKNOWN_MARKET
    assert_books_balance(venue.state)


def test_an_account_that_nets_redeems_the_sets_that_come_together(venue: Venue) -> None:
    venue.place(BOB, "ask", 6_000, 5)
    venue.place(ALICE, "bid", 6_000, 5)
    take_back(venue, NO, 7 * CONTRACT)
    venue.land()
    assert (venue.total(ALICE, YES), venue.total(ALICE, NO), venue.total(ALICE)) == (0, 2 * CONTRACT, 1_002 * DOLLAR)
    assert_books_balance(venue.state)


def test_what_the_chain_skips_credits_nothing_and_frees_the_hold(venue: Venue) -> None:
    take_back(venue, CASH, 30 * DOLLAR)
    take_back(venue, YES, CONTRACT, nonce="2")
    events = venue.land(((0, 26), (1, 18)))
    assert [event.resolution for event in find(events, OperationFailed)] == ["released", "released"]
    assert (venue.total(WENDY), venue.total(ALICE), venue.total(ALICE, YES)) == (1_000 * DOLLAR, 1_000 * DOLLAR, 0)
    assert venue.state.accounts[WENDY].cash.held == 0
    assert_books_balance(venue.state)


def test_a_wallet_that_left_first_has_taken_nothing_back(venue: Venue) -> None:
    """It asks for its exit, the action waits on a slow chain, the exit pays everything out, the contract skips the action."""
    take_back(venue, CASH, 30 * DOLLAR)
    venue.cut(1)
    venue.do(cc.ObserveExit(WENDY, 5_000))
    refused = rejected(take_back(venue, CASH, DOLLAR, nonce="2"))
    assert refused.code is RejectCode.WALLET_EXITING
    venue.do(cc.RecordExit("0x1:0", WENDY, 1_000 * DOLLAR))
    venue.do(cc.ConfirmBatch(0, "0x", 10, "0x", ((0, 13),)))
    assert (venue.total(WENDY), venue.total(ALICE)) == (0, 1_000 * DOLLAR)
    assert_books_balance(venue.state)


def test_tokens_of_a_market_that_resolved_meanwhile_are_paid_like_any_position(venue: Venue) -> None:
    take_back(venue, YES, 4 * CONTRACT)
    venue.cut(1)
    venue.do(c.CloseMarket(TICKER))
    venue.do(c.ResolveMarket(TICKER, 1_000_000))
    assert rejected(take_back(venue, NO, CONTRACT, nonce="2")).code is RejectCode.ALREADY_RESOLVED
    venue.do(cc.ConfirmResolution(TICKER, 1_000_000, "0x", 9))
    venue.do(cc.ConfirmBatch(0, "0x", 10, "0x"))
    assert (venue.total(ALICE, YES), venue.total(ALICE)) == (0, 1_004 * DOLLAR)
    venue.land()
    assert_books_balance(venue.state)


def test_the_pools_reserves_expect_it_from_the_block_that_executed_it(venue: Venue) -> None:
    take_back(venue, CASH, 30 * DOLLAR)
    take_back(venue, YES, 4 * CONTRACT, nonce="2")
    before = read_books(venue.state, [CASH, YES], [WENDY])
    cash = venue.state.pool_cash_micros
    assert [before.expected_pool(CASH, number) - cash for number in range(3)] == [0, 30 * DOLLAR, 30 * DOLLAR]
    assert [before.expected_pool(YES, number) for number in range(3)] == [0, 0, 4 * CONTRACT]
    assert [before.expected_wallet(WENDY, YES, number) for number in range(3)] == [
        10 * CONTRACT,
        10 * CONTRACT,
        6 * CONTRACT,
    ]
    venue.land()
    after = read_books(venue.state, [CASH, YES], [WENDY])
    assert (after.expected_pool(CASH, 2), after.expected_pool(YES, 2)) == (cash + 30 * DOLLAR, 4 * CONTRACT)


def test_more_than_is_final_or_free_is_refused_with_have_and_need(venue: Venue) -> None:
    venue.place(WENDY, "buy yes", 5_000, 1_990)
    refused = rejected(take_back(venue, CASH, 30 * DOLLAR))
    assert (refused.code, dict(refused.details)["have_micros"]) == (RejectCode.INSUFFICIENT_CASH, 5 * DOLLAR)
    assert rejected(take_back(venue, YES, 11 * CONTRACT)).code is RejectCode.INSUFFICIENT_TOKENS
    assert rejected(take_back(venue, CASH, DOLLAR, wallet=WALT)).code is RejectCode.NOT_LINKED
