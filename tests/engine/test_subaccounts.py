"""Subaccounts are accounts of one owner: apart in everything but ownership. And the netting switch."""

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.events import CashTransferred, Matched, SubaccountOpened
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import TimeInForce
from offchain_book.engine.rejects import RejectCode
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
    assert_holds_are_exact,
    find,
    open_venue,
    rejected,
)

PART = f"{ALICE}/1"
YES, NO = f"{TICKER}:YES", f"{TICKER}:NO"


@pytest.fixture
def venue() -> Venue:
    venue = open_venue(100 * DOLLAR)
    venue.do(c.OpenSubaccount(ALICE))
    venue.do(c.TransferCash(ALICE, "t1", 0, 1, 40 * DOLLAR))
    return venue


def check(venue: Venue) -> None:
    assert_books_balance(venue.state)
    assert_holds_are_exact(venue.state)


def test_subaccounts_are_numbered_one_after_the_other_up_to_63(venue: Venue) -> None:
    (event,) = venue.do(c.OpenSubaccount(ALICE))
    assert event == SubaccountOpened(ALICE, 2, f"{ALICE}/2")
    venue.do(c.OpenSubaccount(ALICE, 63))
    assert rejected(venue.do(c.OpenSubaccount(ALICE))).code is RejectCode.INVALID_SUBACCOUNT
    assert rejected(venue.do(c.OpenSubaccount(ALICE, 1))).code is RejectCode.ACCOUNT_EXISTS
    assert rejected(venue.do(c.OpenSubaccount(PART))).code is RejectCode.INVALID_SUBACCOUNT
    assert rejected(venue.do(c.OpenSubaccount(WENDY))).code is RejectCode.CUSTODY_MISMATCH


def test_nobody_can_open_an_account_that_looks_like_a_subaccount(venue: Venue) -> None:
    command = c.OpenAccount(f"{BOB}/1", c.Custody.CUSTODIAL)
    assert rejected(venue.do(command)).code is RejectCode.INVALID_ACCOUNT_ID


def test_balances_positions_and_holds_are_per_subaccount(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 10)
    venue.place(PART, "bid", 5_000, 4)
    venue.place(BOB, "ask", 5_000, 12)
    assert (venue.total(ALICE, YES), venue.total(PART, YES)) == (10 * CONTRACT, 2 * CONTRACT)
    assert (venue.total(ALICE), venue.total(PART)) == (55 * DOLLAR, 39 * DOLLAR)
    assert venue.state.accounts[PART].cash.held == DOLLAR
    check(venue)


def test_a_transfer_takes_effect_once_per_id(venue: Venue) -> None:
    _, moved = venue.do(c.TransferCash(ALICE, "t2", 1, 0, 5 * DOLLAR))
    assert moved == CashTransferred(ALICE, "t2", 1, 0, 5 * DOLLAR)
    refused = rejected(venue.do(c.TransferCash(ALICE, "t2", 1, 0, 5 * DOLLAR)))
    assert refused.code is RejectCode.DUPLICATE_REQUEST
    venue.do(c.OpenSubaccount(BOB))
    assert find(venue.do(c.TransferCash(BOB, "t2", 0, 1, 5 * DOLLAR)), CashTransferred)
    assert venue.total(PART) == 35 * DOLLAR
    check(venue)


def test_a_transfer_stays_within_one_accounts_parts_and_its_free_cash(venue: Venue) -> None:
    venue.place(PART, "bid", 5_000, 70)
    for command, code in (
        (c.TransferCash(ALICE, "x", 1, 0, 6 * DOLLAR), RejectCode.INSUFFICIENT_CASH),
        (c.TransferCash(ALICE, "x", 0, 2, DOLLAR), RejectCode.INVALID_SUBACCOUNT),
        (c.TransferCash(ALICE, "x", 0, 0, DOLLAR), RejectCode.INVALID_SUBACCOUNT),
        (c.TransferCash(PART, "x", 0, 1, DOLLAR), RejectCode.INVALID_SUBACCOUNT),
        (c.TransferCash(WENDY, "x", 0, 1, DOLLAR), RejectCode.CUSTODY_MISMATCH),
        (c.TransferCash(ALICE, "x", 0, 1, 0), RejectCode.AMOUNT_NOT_POSITIVE),
    ):
        assert rejected(venue.do(command)).code is code


def test_cash_that_is_not_final_cannot_leave_by_a_transfer(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 10)
    venue.place(BOB, "ask", 5_000, 10)
    venue.place(WENDY, "buy yes", 5_000, 10)
    venue.place(ALICE, "ask", 5_000, 10)
    assert rejected(venue.do(c.TransferCash(ALICE, "x", 0, 1, 60 * DOLLAR))).code is RejectCode.NOTHING_AVAILABLE_YET
    venue.land()
    assert find(venue.do(c.TransferCash(ALICE, "x", 0, 1, 60 * DOLLAR)), CashTransferred)


def test_a_subaccount_is_not_linked_with_a_wallet_by_itself(venue: Venue) -> None:
    assert rejected(venue.do(c.LinkAccount(PART, WALT, False))).code is RejectCode.INVALID_SUBACCOUNT


# --- netting -----------------------------------------------------------------------------------------------------------


def test_without_netting_yes_and_no_are_held_side_by_side(venue: Venue) -> None:
    venue.do(c.SetNetting(PART, False))
    venue.place(PART, "bid", 5_000, 4)
    venue.place(BOB, "ask", 5_000, 4)
    venue.place(BOB, "bid", 4_000, 4)
    (match,) = find(venue.place(PART, "ask", 4_000, 4, time_in_force=TimeInForce.IOC), Matched)
    assert (match.taker.open_micros, match.taker.close_micros) == (4 * CONTRACT, 0)
    assert venue.total(PART, YES) == venue.total(PART, NO) == 4 * CONTRACT
    assert venue.total(PART) == 40 * DOLLAR - 2 * DOLLAR - 2_400_000
    check(venue)


def test_switching_netting_on_redeems_pairs_at_once(venue: Venue) -> None:
    test_without_netting_yes_and_no_are_held_side_by_side(venue)
    venue.do(c.SetNetting(PART, True))
    assert venue.total(PART, YES) == venue.total(PART, NO) == 0
    assert venue.total(PART) == 40 * DOLLAR - 400_000
    check(venue)


def test_switching_netting_off_needs_the_cash_that_both_sides_hold(venue: Venue) -> None:
    venue.place(PART, "bid", 5_000, 60)
    venue.place(PART, "ask", 6_000, 60)
    assert venue.state.accounts[PART].cash.held == 30 * DOLLAR
    assert rejected(venue.do(c.SetNetting(PART, False))).code is RejectCode.INSUFFICIENT_CASH
    venue.do(c.TransferCash(ALICE, "more", 0, 1, 14 * DOLLAR))
    venue.do(c.SetNetting(PART, False))
    assert venue.state.accounts[PART].cash.held == 54 * DOLLAR
    check(venue)


def test_an_account_without_netting_is_paid_for_both_outcomes(venue: Venue) -> None:
    test_without_netting_yes_and_no_are_held_side_by_side(venue)
    before = venue.total(PART)
    venue.do(c.ResolveMarket(TICKER, 300_000))
    venue.do(cc.ConfirmResolution(TICKER, 300_000, "0x", 1))
    assert venue.total(PART) == before + 4 * DOLLAR
    check(venue)


def test_an_account_without_netting_trades_with_wallets_and_the_pool_stays_whole(venue: Venue) -> None:
    venue.do(c.SetNetting(PART, False))
    venue.deposit(WENDY, 10 * CONTRACT, TICKER, Outcome.YES)
    venue.place(PART, "bid", 5_000, 4)
    venue.place(WENDY, "sell yes", 5_000, 4)
    venue.place(PART, "ask", 4_000, 4)
    venue.place(WALT, "buy yes", 4_000, 4)
    check(venue)
    venue.land()
    check(venue)


def test_reduce_only_finds_nothing_to_reduce_without_netting(venue: Venue) -> None:
    test_without_netting_yes_and_no_are_held_side_by_side(venue)
    events = venue.place(PART, "ask", 4_000, 1, reduce_only=True, time_in_force=TimeInForce.IOC)
    assert rejected(events).code is RejectCode.NOTHING_TO_REDUCE
