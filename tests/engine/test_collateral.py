"""Collateral return: what an event pays at least is advanced, repaid before it would be missing, and never more than funded."""

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.events import CollateralMoved, Matched, OrderAccepted, OrderRested, Rejected, WithdrawalRequested
from offchain_book.engine.exchange import apply
from offchain_book.engine.names import COLLATERAL
from offchain_book.engine.operations import Outcome
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.snapshot import dump, load, state_hash
from tests.builders import (
    ALICE,
    BOB,
    CONTRACT,
    DOLLAR,
    WALT,
    WENDY,
    Venue,
    assert_books_balance,
    assert_holds_are_exact,
    exclusive,
    find,
    market,
    open_venue,
    ordered,
    rejected,
)


def funded(dollars: int = 100) -> Venue:
    """Return a venue with three exclusive markets, three ordered strikes, a fund, and alice taking advances."""
    venue = open_venue(100 * DOLLAR)
    exclusive(venue, "CUP", 3)
    ordered(venue, "GDP", (1, 2, 3))
    if dollars:
        venue.deposit(COLLATERAL, dollars * DOLLAR)
    venue.do(c.SetCollateralReturn(ALICE, True))
    return venue


@pytest.fixture
def venue() -> Venue:
    return funded()


def buy(venue: Venue, ticker: str, outcome: str, contracts: float, price_e4: int = 5_000) -> None:
    """Let alice buy from bob, in YES prices."""
    sides = ("bid", "ask") if outcome == "yes" else ("ask", "bid")
    venue.place(BOB, sides[1], price_e4, contracts, ticker)
    assert find(venue.place(ALICE, sides[0], price_e4, contracts, ticker), Matched)
    check(venue)


def check(venue: Venue) -> None:
    assert_books_balance(venue.state)
    assert_holds_are_exact(venue.state)


def advanced(venue: Venue, event: str, account: str = ALICE) -> int:
    advance = venue.state.accounts[account].advances.get(event)
    return advance.micros if advance else 0


def finish(venue: Venue, ticker: str, payout: int) -> None:
    venue.do(c.ResolveMarket(ticker, payout))
    if venue.state.next_operation > venue.state.uncut:
        venue.land()
    venue.do(cc.ConfirmResolution(ticker, payout, "0x", 1))
    check(venue)


def test_no_in_n_exclusive_markets_frees_n_minus_one_dollars_a_set(venue: Venue) -> None:
    cash = venue.total(ALICE)
    for count, ticker in enumerate(("CUP-1", "CUP-2", "CUP-3"), start=1):
        buy(venue, ticker, "no", 10, 8_000)
        assert advanced(venue, "CUP") == (count - 1) * 10 * DOLLAR
    assert venue.total(ALICE) == cash - 3 * 2 * DOLLAR + 20 * DOLLAR
    assert venue.total(COLLATERAL) == 80 * DOLLAR


def test_the_smallest_position_bounds_what_is_freed(venue: Venue) -> None:
    buy(venue, "CUP-1", "no", 10)
    buy(venue, "CUP-2", "no", 4)
    assert advanced(venue, "CUP") == 4 * DOLLAR
    buy(venue, "CUP-3", "no", 1)
    assert advanced(venue, "CUP") == 5 * DOLLAR


def test_yes_above_a_low_strike_with_no_above_a_high_one_frees_a_dollar(venue: Venue) -> None:
    buy(venue, "GDP-T1", "yes", 10)
    assert advanced(venue, "GDP") == 0
    buy(venue, "GDP-T3", "no", 6)
    assert advanced(venue, "GDP") == 6 * DOLLAR
    buy(venue, "GDP-T2", "no", 6)
    assert advanced(venue, "GDP") == 10 * DOLLAR


def test_the_other_way_round_nothing_is_certain(venue: Venue) -> None:
    buy(venue, "GDP-T1", "no", 10)
    buy(venue, "GDP-T3", "yes", 10)
    assert advanced(venue, "GDP") == 0


def test_strikes_below_a_value_are_ordered_from_the_highest(venue: Venue) -> None:
    low, high = ordered(venue, "CPI", (1, 2), kind="less")
    buy(venue, high, "yes", 3)
    buy(venue, low, "no", 3)
    assert advanced(venue, "CPI") == 3 * DOLLAR


def test_nobody_is_advanced_who_did_not_ask(venue: Venue) -> None:
    for ticker in ("CUP-1", "CUP-2"):
        venue.place(ALICE, "bid", 5_000, 5, ticker)
        venue.place(BOB, "ask", 5_000, 5, ticker)
    assert advanced(venue, "CUP", BOB) == 0
    venue.do(c.SetCollateralReturn(BOB, True))
    assert advanced(venue, "CUP", BOB) == 5 * DOLLAR
    check(venue)


def test_when_the_fund_is_used_up_less_is_advanced_and_nothing_fails() -> None:
    venue = funded(3)
    buy(venue, "CUP-1", "no", 10)
    buy(venue, "CUP-2", "no", 10)
    assert advanced(venue, "CUP") == 3 * DOLLAR
    assert venue.total(COLLATERAL) == 0
    venue.deposit(COLLATERAL, 100 * DOLLAR)
    buy(venue, "CUP-3", "no", 1)
    assert advanced(venue, "CUP") == 11 * DOLLAR


def test_without_a_fund_trading_goes_on() -> None:
    venue = funded(0)
    buy(venue, "CUP-1", "no", 10)
    buy(venue, "CUP-2", "no", 10)
    assert advanced(venue, "CUP") == 0


def test_a_sale_repays_from_its_proceeds(venue: Venue) -> None:
    buy(venue, "CUP-1", "no", 10)
    buy(venue, "CUP-2", "no", 10)
    cash = venue.total(ALICE)
    buy(venue, "CUP-1", "yes", 4, 3_000)  # sells 4 NO at 0.70
    assert advanced(venue, "CUP") == 6 * DOLLAR
    assert venue.total(ALICE) == cash + 4 * 700_000 - 4 * DOLLAR


def test_an_order_whose_fill_makes_a_repayment_due_holds_it(venue: Venue) -> None:
    buy(venue, "CUP-1", "no", 10)
    buy(venue, "CUP-2", "no", 10)
    account = venue.state.accounts[ALICE]
    venue.place(ALICE, "bid", 3_000, 4, "CUP-1", order_id="sale")
    check(venue)
    assert account.cash.held == 4 * 300_000  # repays 1.00 a contract, receives 0.70
    venue.do(c.CancelOrder(ALICE, "sale"))
    assert account.cash.held == 0


def test_a_closing_order_that_could_not_repay_is_refused_with_have_and_need(venue: Venue) -> None:
    buy(venue, "CUP-1", "no", 10)
    buy(venue, "CUP-2", "no", 10)
    have = venue.state.accounts[ALICE].cash.available
    venue.do(c.Withdraw("w", ALICE, have - DOLLAR, WALT))
    refused = rejected(venue.place(ALICE, "bid", 3_000, 4, "CUP-1"))
    assert refused.code is RejectCode.INSUFFICIENT_CASH
    assert dict(refused.details) == {"have_micros": DOLLAR, "need_micros": 1_200_000, "held_micros": 0}
    assert find(venue.place(ALICE, "bid", 3_000, 3, "CUP-1"), OrderRested)
    check(venue)


def test_tokens_leave_after_their_advance_is_repaid(venue: Venue) -> None:
    buy(venue, "CUP-1", "no", 10)
    buy(venue, "CUP-2", "no", 10)
    events = venue.do(c.Withdraw("t", ALICE, 4 * CONTRACT, WALT, "CUP-1", Outcome.NO))
    kinds = [type(event) for event in events]
    assert kinds.index(CollateralMoved) < kinds.index(WithdrawalRequested)
    assert find(events, CollateralMoved) == [CollateralMoved(ALICE, "CUP", -4 * DOLLAR, 6 * DOLLAR)]
    check(venue)
    venue.do(c.Withdraw("w", ALICE, venue.state.accounts[ALICE].cash.available, WALT))
    refused = rejected(venue.do(c.Withdraw("t2", ALICE, CONTRACT, WALT, "CUP-1", Outcome.NO)))
    assert refused.code is RejectCode.INSUFFICIENT_CASH
    assert dict(refused.details) == {"have_micros": 0, "need_micros": DOLLAR, "held_micros": 0}


def test_tokens_that_come_back_are_advanced_on_again(venue: Venue) -> None:
    buy(venue, "CUP-1", "no", 10)
    buy(venue, "CUP-2", "no", 10)
    venue.do(c.Withdraw("t", ALICE, 4 * CONTRACT, WALT, "CUP-1", Outcome.NO))
    venue.cut(venue.state.next_operation - venue.state.uncut)
    batch = next(iter(venue.state.batches))
    last = venue.state.next_operation - 1
    venue.do(cc.ConfirmBatch(batch, "0x", 1, "0x", ((last, 1),)))
    assert advanced(venue, "CUP") == 10 * DOLLAR
    check(venue)


def test_what_is_delivered_to_a_linked_wallet_is_not_advanced_on(venue: Venue) -> None:
    venue.do(c.LinkAccount(ALICE, WALT, True))
    buy(venue, "CUP-1", "no", 10)
    buy(venue, "CUP-2", "no", 10)
    assert advanced(venue, "CUP") == 0


@pytest.mark.parametrize("switch", [c.SetNetting, c.SetCollateralReturn])
def test_either_switch_off_repays_first_and_is_refused_when_it_cannot(switch: type) -> None:
    venue = funded()
    buy(venue, "CUP-1", "no", 10)
    buy(venue, "CUP-2", "no", 10)
    have = venue.state.accounts[ALICE].cash.available
    venue.do(c.Withdraw("w", ALICE, have - 9 * DOLLAR, WALT))
    refused = rejected(venue.do(switch(ALICE, False)))
    assert refused.code is RejectCode.INSUFFICIENT_CASH
    assert dict(refused.details) == {"have_micros": 9 * DOLLAR, "need_micros": 10 * DOLLAR, "held_micros": 0}
    venue.deposit(ALICE, DOLLAR)
    assert find(venue.do(switch(ALICE, False)), CollateralMoved) == [CollateralMoved(ALICE, "CUP", -10 * DOLLAR, 0)]
    assert venue.total(ALICE) == 0
    check(venue)
    venue.do(switch(ALICE, True))
    assert advanced(venue, "CUP") == 10 * DOLLAR
    check(venue)


def test_without_netting_there_is_no_advance(venue: Venue) -> None:
    venue.do(c.SetNetting(ALICE, False))
    buy(venue, "CUP-1", "no", 10)
    buy(venue, "CUP-2", "no", 10)
    assert advanced(venue, "CUP") == 0


def test_each_subaccount_has_a_switch_and_advances_of_its_own(venue: Venue) -> None:
    venue.do(c.OpenSubaccount(ALICE))
    venue.do(c.TransferCash(ALICE, "t", 0, 1, 20 * DOLLAR))
    part = f"{ALICE}/1"
    for ticker in ("CUP-1", "CUP-2"):
        venue.place(BOB, "bid", 5_000, 3, ticker)
        venue.place(part, "ask", 5_000, 3, ticker)
    assert advanced(venue, "CUP", part) == 0
    venue.do(c.SetCollateralReturn(part, True))
    assert (advanced(venue, "CUP", part), advanced(venue, "CUP")) == (3 * DOLLAR, 0)
    check(venue)


def test_a_wallet_gets_no_advances(venue: Venue) -> None:
    assert rejected(venue.do(c.SetCollateralReturn(WENDY, True))).code is RejectCode.CUSTODY_MISMATCH
    assert rejected(venue.do(c.SetCollateralReturn("nobody", True))).code is RejectCode.UNKNOWN_ACCOUNT


def test_fills_against_wallets_are_advanced_on_like_any_other(venue: Venue) -> None:
    for ticker in ("CUP-1", "CUP-2"):
        venue.place(WENDY, "buy yes", 4_000, 5, ticker)
        venue.place(ALICE, "ask", 4_000, 5, ticker)
    assert advanced(venue, "CUP") == 5 * DOLLAR
    check(venue)
    venue.land(((0, 9),))  # the guarantee takes wendy's place; alice's side stands
    assert advanced(venue, "CUP") == 5 * DOLLAR
    check(venue)


# --- results -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("winner", [None, "CUP-1", "CUP-2", "CUP-3"])
@pytest.mark.parametrize("first", ["CUP-1", "CUP-3"])
def test_payouts_repay_the_advance_whoever_wins_in_whatever_order(winner: str | None, first: str) -> None:
    venue = funded()
    cash = venue.total(ALICE)
    for ticker, size in (("CUP-1", 10), ("CUP-2", 7), ("CUP-3", 2)):
        buy(venue, ticker, "no", size)
    venue.do(c.Withdraw("all", ALICE, venue.state.accounts[ALICE].cash.available, WALT))
    withdrawn = cash + 9_000_000 - 9_500_000
    for ticker in sorted(("CUP-1", "CUP-2", "CUP-3"), key=lambda name: name != first):
        finish(venue, ticker, DOLLAR if ticker == winner else 0)
    lost = {"CUP-1": 10, "CUP-2": 7, "CUP-3": 2, None: 0}[winner]
    assert venue.total(ALICE) == cash - 9_500_000 + (19 - lost) * DOLLAR - withdrawn
    assert venue.total(COLLATERAL) == 100 * DOLLAR
    assert not venue.state.accounts[ALICE].advances


@pytest.mark.parametrize("value", [0, 1_000_000, 1_500_000, 2_500_000, 9_000_000])
def test_an_event_of_strikes_is_decided_by_its_value_and_repays(value: int) -> None:
    venue = funded()
    buy(venue, "GDP-T1", "yes", 5)
    buy(venue, "GDP-T3", "no", 5)
    venue.do(c.Withdraw("all", ALICE, venue.state.accounts[ALICE].cash.available, WALT))
    venue.do(c.ResolveEvent("GDP", value, "statistics"))
    venue.land()
    for strike, ticker in ((1, "GDP-T1"), (2, "GDP-T2"), (3, "GDP-T3")):
        payout = DOLLAR if value > strike * 1_000_000 else 0
        assert venue.state.markets[ticker].yes_payout_micros == payout
        venue.do(cc.ConfirmResolution(ticker, payout, "0x", 1))
        check(venue)
    assert venue.total(COLLATERAL) == 100 * DOLLAR
    assert venue.total(ALICE) == (5 * DOLLAR if 1_000_000 < value <= 3_000_000 else 0)


def test_a_void_by_fractions_within_the_rule_leaves_the_fund_at_most_a_rounding_short() -> None:
    venue = funded()
    for ticker in ("CUP-1", "CUP-2", "CUP-3"):
        buy(venue, ticker, "no", 3.33)
    venue.do(c.Withdraw("all", ALICE, venue.state.accounts[ALICE].cash.available, WALT))
    for ticker, payout in (("CUP-1", 333_333), ("CUP-2", 333_333), ("CUP-3", 333_334)):
        finish(venue, ticker, payout)
    assert 100 * DOLLAR - 3 <= venue.total(COLLATERAL) < 100 * DOLLAR
    assert venue.total(ALICE) >= 0
    assert not venue.state.accounts[ALICE].advances


def test_results_that_pay_more_than_a_dollar_in_all_are_refused(venue: Venue) -> None:
    venue.do(c.ResolveMarket("CUP-1", 600_000))
    refused = rejected(venue.do(c.ResolveMarket("CUP-2", 400_001)))
    assert refused.code is RejectCode.INCONSISTENT_RESULT
    assert dict(refused.details) == {
        "ticker": "CUP-2", "event_ticker": "CUP", "payout_micros": 400_001, "lowest_micros": 0, "highest_micros": 400_000,
    }  # fmt: skip
    assert not find(venue.do(c.ResolveMarket("CUP-2", 400_000)), Rejected)


def test_results_against_the_order_of_strikes_are_refused(venue: Venue) -> None:
    venue.do(c.ResolveMarket("GDP-T2", 500_000))
    assert rejected(venue.do(c.ResolveMarket("GDP-T3", 500_001))).code is RejectCode.INCONSISTENT_RESULT
    assert rejected(venue.do(c.ResolveMarket("GDP-T1", 499_999))).code is RejectCode.INCONSISTENT_RESULT
    assert rejected(venue.do(c.ResolveEvent("GDP", 3_500_000))).code is RejectCode.INCONSISTENT_RESULT
    assert venue.state.markets["GDP-T1"].yes_payout_micros < 0
    assert not find(venue.do(c.ResolveMarket("GDP-T3", 0)), Rejected)


def test_an_event_is_decided_once(venue: Venue) -> None:
    venue.do(c.ResolveEvent("GDP", 0))
    assert rejected(venue.do(c.ResolveEvent("GDP", 0))).code is RejectCode.ALREADY_RESOLVED
    assert rejected(venue.do(c.ResolveEvent("NONE", 0))).code is RejectCode.UNKNOWN_EVENT


def test_a_market_that_is_added_later_counts_at_once(venue: Venue) -> None:
    buy(venue, "CUP-1", "no", 10)
    buy(venue, "CUP-2", "no", 10)
    venue.do(market("CUP-4", "CUP"))
    buy(venue, "CUP-4", "no", 10)
    assert advanced(venue, "CUP") == 20 * DOLLAR


# --- the fund, the ledger, the journal ---------------------------------------------------------------------------------


def test_the_fund_opens_with_the_first_event_that_returns_collateral() -> None:
    venue = open_venue()
    assert COLLATERAL not in venue.state.accounts
    exclusive(venue, "CUP", 2)
    assert COLLATERAL in venue.state.accounts


def test_the_venue_takes_back_what_is_not_advanced(venue: Venue) -> None:
    buy(venue, "CUP-1", "no", 10)
    buy(venue, "CUP-2", "no", 10)
    assert rejected(venue.do(c.Withdraw("w", COLLATERAL, 91 * DOLLAR, WALT))).code is RejectCode.INSUFFICIENT_CASH
    assert not find(venue.do(c.Withdraw("w", COLLATERAL, 90 * DOLLAR, WALT)), Rejected)
    check(venue)


def test_a_snapshot_keeps_advances_and_goes_on_the_same(venue: Venue) -> None:
    buy(venue, "CUP-1", "no", 10)
    buy(venue, "CUP-2", "no", 10)
    venue.place(ALICE, "bid", 3_000, 4, "CUP-1")
    again = load(dump(venue.state))
    assert state_hash(again) == state_hash(venue.state)
    venue.place(BOB, "ask", 3_000, 2, "CUP-1")
    venue.do(market("CUP-4", "CUP"))
    for entry in venue.log[-2:]:
        apply(again, entry)
    assert state_hash(again) == state_hash(venue.state)
    assert again.accounts[ALICE].advances["CUP"].micros == 8 * DOLLAR


def test_an_exclusive_event_says_that_it_is_exclusive(venue: Venue) -> None:
    kinds = c.CollateralReturn
    for exclusive_, kind in ((False, kinds.EXCLUSIVE), (True, kinds.ORDERED)):
        refused = rejected(venue.do(c.CreateEvent("X", "FREE", "X", "", exclusive_, kind)))
        assert refused.code is RejectCode.INVALID_MARKET
    assert not find(venue.do(c.CreateEvent("X", "FREE", "X", "", True)), Rejected)
    assert find(venue.place(ALICE, "bid", 5_000, 1), OrderAccepted)
