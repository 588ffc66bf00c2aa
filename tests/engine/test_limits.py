"""Position limits and exposure caps count every open order as filled."""

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.events import Matched, OrderAccepted, OrderCancelled, OrderRested
from offchain_book.engine.limits import exposure_micros
from offchain_book.engine.order import CancelReason, SelfTrade, TimeInForce
from offchain_book.engine.rejects import RejectCode
from tests.builders import ALICE, BOB, CONTRACT, DOLLAR, FEE_TICKER, TICKER, WENDY, Venue, find, open_venue, rejected


@pytest.fixture
def venue() -> Venue:
    return open_venue()


def test_open_orders_count_towards_a_position_limit(venue: Venue) -> None:
    venue.do(c.SetPositionLimit(ALICE, 10 * CONTRACT, TICKER))
    venue.place(ALICE, "bid", 5_000, 6)
    refused = rejected(venue.place(ALICE, "bid", 4_000, 5))
    assert refused.code is RejectCode.POSITION_LIMIT
    assert dict(refused.details) == {
        "ticker": TICKER,
        "scope": "account",
        "limit_micros": 10_000_000,
        "worst_micros": 11_000_000,
    }
    assert find(venue.place(ALICE, "bid", 4_000, 4), OrderRested)
    assert find(venue.place(ALICE, "ask", 6_000, 10), OrderRested)
    assert rejected(venue.place(ALICE, "ask", 6_000, 1)).code is RejectCode.POSITION_LIMIT
    assert find(venue.place(ALICE, "bid", 4_000, 50, FEE_TICKER), OrderRested)


def test_an_order_that_reduces_is_never_refused(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 10)
    venue.place(BOB, "ask", 5_000, 10)
    venue.do(c.SetPositionLimit(ALICE, 0))
    assert rejected(venue.place(ALICE, "bid", 5_000, 1)).code is RejectCode.POSITION_LIMIT
    assert find(venue.place(ALICE, "ask", 5_000, 10), OrderRested)
    assert rejected(venue.place(ALICE, "ask", 5_000, 1)).code is RejectCode.POSITION_LIMIT


def test_a_limit_for_one_market_goes_before_the_limit_for_each(venue: Venue) -> None:
    venue.do(c.SetPositionLimit(ALICE, CONTRACT))
    venue.do(c.SetPositionLimit(ALICE, 5 * CONTRACT, TICKER))
    assert find(venue.place(ALICE, "bid", 5_000, 5), OrderRested)
    assert rejected(venue.place(ALICE, "bid", 5_000, 5, FEE_TICKER)).code is RejectCode.POSITION_LIMIT
    venue.do(c.SetPositionLimit(ALICE, None))
    assert find(venue.place(ALICE, "bid", 5_000, 5, FEE_TICKER), OrderRested)


def test_amending_upwards_meets_the_limit_and_downwards_does_not(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 6, order_id="a")
    venue.do(c.SetPositionLimit(ALICE, 5 * CONTRACT))
    assert rejected(venue.do(c.AmendOrder(ALICE, "a", size_micros=7 * CONTRACT))).code is RejectCode.POSITION_LIMIT
    assert find(venue.do(c.AmendOrder(ALICE, "a", 4_900, 4 * CONTRACT)), OrderRested)


def test_a_wallets_limit_counts_each_token_by_itself(venue: Venue) -> None:
    venue.do(c.SetPositionLimit(WENDY, 5 * CONTRACT, TICKER))
    venue.place(WENDY, "buy yes", 5_000, 5)
    assert rejected(venue.place(WENDY, "buy yes", 5_000, 1)).code is RejectCode.POSITION_LIMIT
    assert find(venue.place(WENDY, "buy no", 4_000, 5), OrderRested)
    venue.place(BOB, "ask", 5_000, 5)
    assert find(venue.place(WENDY, "sell yes", 9_000, 5), OrderRested)


def test_an_order_by_amount_stops_at_the_position_limit(venue: Venue) -> None:
    venue.do(c.SetPositionLimit(WENDY, 3 * CONTRACT, TICKER))
    venue.place(BOB, "ask", 1_000, 50)
    more = {"budget_micros": 2 * DOLLAR, "time_in_force": TimeInForce.IOC}
    events = venue.place(WENDY, "buy yes", 1_000, 1, **more)
    assert sum(match.size_micros for match in find(events, Matched)) == 3 * CONTRACT
    assert not find(events, OrderCancelled)
    assert rejected(venue.place(WENDY, "buy yes", 1_000, 1, **more)).code is RejectCode.POSITION_LIMIT


def test_the_exposure_cap_adds_up_the_larger_side_of_every_market(venue: Venue) -> None:
    venue.do(c.SetExposureCap(ALICE, 10 * CONTRACT))
    venue.place(ALICE, "bid", 5_000, 6)
    venue.place(ALICE, "ask", 6_000, 6)
    assert exposure_micros(venue.state, venue.state.accounts[ALICE]) == 6 * CONTRACT
    refused = rejected(venue.place(ALICE, "bid", 5_000, 5, FEE_TICKER))
    assert refused.code is RejectCode.EXPOSURE_CAP
    assert dict(refused.details) == {"scope": "account", "limit_micros": 10 * CONTRACT, "worst_micros": 11 * CONTRACT}
    assert find(venue.place(ALICE, "bid", 5_000, 4, FEE_TICKER), OrderAccepted)
    venue.do(c.SetExposureCap(ALICE, 2 * CONTRACT))
    assert rejected(venue.place(ALICE, "bid", 5_000, 1)).code is RejectCode.EXPOSURE_CAP
    venue.do(c.SetExposureCap(ALICE, None))
    assert find(venue.place(ALICE, "bid", 5_000, 1), OrderAccepted)


def test_above_its_cap_an_account_may_still_trade_what_does_not_add_to_it(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 6)
    venue.do(c.SetExposureCap(ALICE, 2 * CONTRACT))
    assert find(venue.place(ALICE, "ask", 6_000, 6), OrderRested)
    assert rejected(venue.place(ALICE, "ask", 6_000, 1)).code is RejectCode.EXPOSURE_CAP


def test_a_decided_market_no_longer_counts(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 6)
    venue.place(BOB, "ask", 5_000, 6)
    venue.do(c.ResolveMarket(TICKER, 0))
    assert exposure_micros(venue.state, venue.state.accounts[ALICE]) == 0


def test_limits_are_not_negative(venue: Venue) -> None:
    assert rejected(venue.do(c.SetPositionLimit(ALICE, -1))).code is RejectCode.INVALID_LIMIT
    assert rejected(venue.do(c.SetExposureCap(ALICE, -1))).code is RejectCode.INVALID_LIMIT
    assert rejected(venue.do(c.SetPositionLimit(ALICE, 1, "NONE"))).code is RejectCode.UNKNOWN_MARKET
    assert rejected(venue.do(c.SetPositionLimit("nobody", 1))).code is RejectCode.UNKNOWN_ACCOUNT
    assert rejected(venue.do(c.SetExposureCap("nobody", 1))).code is RejectCode.UNKNOWN_ACCOUNT


# --- of the beneficial owner -------------------------------------------------------------------------------------------


@pytest.fixture
def linked(venue: Venue) -> Venue:
    """Alice, her subaccount with cash, and wendy's wallet are one owner."""
    venue.do(c.OpenSubaccount(ALICE))
    venue.do(c.TransferCash(ALICE, "t", 0, 1, 100 * DOLLAR))
    venue.do(c.LinkAccount(ALICE, WENDY, False))
    return venue


PART = f"{ALICE}/1"


def test_an_owners_position_limit_counts_account_subaccount_and_wallet_together(linked: Venue) -> None:
    linked.do(c.SetPositionLimit(PART, 10 * CONTRACT, TICKER, whole_owner=True))
    assert find(linked.place(ALICE, "bid", 5_000, 4), OrderRested)
    assert find(linked.place(WENDY, "buy yes", 5_000, 4), OrderRested)
    refused = rejected(linked.place(PART, "bid", 5_000, 3))
    assert refused.code is RejectCode.POSITION_LIMIT
    assert dict(refused.details) == {
        "ticker": TICKER, "scope": "owner", "limit_micros": 10 * CONTRACT, "worst_micros": 11 * CONTRACT,
    }  # fmt: skip
    assert find(linked.place(PART, "bid", 5_000, 2), OrderRested)
    assert rejected(linked.place(WENDY, "buy yes", 5_000, 1)).code is RejectCode.POSITION_LIMIT
    assert find(linked.place(BOB, "bid", 4_000, 50), OrderRested)
    assert find(linked.place(PART, "bid", 5_000, 50, FEE_TICKER), OrderRested)


def test_what_one_account_holds_is_not_set_off_against_another(linked: Venue) -> None:
    linked.place(WENDY, "buy no", 5_000, 8)
    linked.place(BOB, "bid", 5_000, 8)
    linked.do(c.SetPositionLimit(ALICE, 10 * CONTRACT, "", whole_owner=True))
    assert find(linked.place(ALICE, "bid", 4_000, 10), OrderRested)
    assert rejected(linked.place(ALICE, "bid", 4_000, 1)).code is RejectCode.POSITION_LIMIT
    assert rejected(linked.place(PART, "ask", 6_000, 3)).code is RejectCode.POSITION_LIMIT
    assert find(linked.place(PART, "ask", 6_000, 2), OrderRested)


def test_closing_is_never_refused_by_an_owners_limit(linked: Venue) -> None:
    linked.place(ALICE, "ask", 5_000, 6)
    linked.place(BOB, "bid", 5_000, 6)
    linked.do(c.SetPositionLimit(ALICE, 0, "", whole_owner=True))
    assert find(linked.place(ALICE, "bid", 5_000, 6), OrderRested)
    assert rejected(linked.place(ALICE, "bid", 5_000, 1)).code is RejectCode.POSITION_LIMIT


def test_an_owners_exposure_cap_adds_up_all_accounts_and_markets(linked: Venue) -> None:
    linked.do(c.SetExposureCap(WENDY, 10 * CONTRACT, whole_owner=True))
    assert find(linked.place(ALICE, "bid", 5_000, 4), OrderRested)
    assert find(linked.place(WENDY, "buy no", 4_000, 3, FEE_TICKER), OrderRested)
    refused = rejected(linked.place(PART, "ask", 6_000, 4))
    assert refused.code is RejectCode.EXPOSURE_CAP
    assert dict(refused.details) == {"scope": "owner", "limit_micros": 10 * CONTRACT, "worst_micros": 11 * CONTRACT}
    assert find(linked.place(PART, "ask", 6_000, 3), OrderRested)
    linked.do(c.SetExposureCap(ALICE, None, whole_owner=True))
    assert find(linked.place(PART, "ask", 6_000, 9), OrderRested)


def test_the_stricter_of_both_limits_holds_once_two_owners_become_one(venue: Venue) -> None:
    venue.do(c.SetPositionLimit(ALICE, 10 * CONTRACT, "", whole_owner=True))
    venue.do(c.SetPositionLimit(WENDY, 3 * CONTRACT, "", whole_owner=True))
    venue.do(c.SetExposureCap(WENDY, 50 * CONTRACT, whole_owner=True))
    venue.do(c.LinkAccount(ALICE, WENDY, False))
    assert rejected(venue.place(ALICE, "bid", 5_000, 4)).code is RejectCode.POSITION_LIMIT
    assert find(venue.place(ALICE, "bid", 5_000, 2), OrderRested)
    assert rejected(venue.place(WENDY, "buy yes", 5_000, 2)).code is RejectCode.POSITION_LIMIT
    assert venue.state.accounts[ALICE].owner_exposure_cap_micros == 50 * CONTRACT
    assert not venue.state.accounts[WENDY].owner_position_limits


def test_an_accounts_own_limit_holds_beside_its_owners(linked: Venue) -> None:
    linked.do(c.SetPositionLimit(ALICE, 10 * CONTRACT, whole_owner=True))
    linked.do(c.SetPositionLimit(PART, 2 * CONTRACT))
    assert dict(rejected(linked.place(PART, "bid", 5_000, 3)).details)["scope"] == "account"
    assert find(linked.place(ALICE, "bid", 5_000, 9), OrderRested)
    assert dict(rejected(linked.place(PART, "bid", 5_000, 2)).details)["scope"] == "owner"


def test_an_order_by_amount_stops_at_the_owners_limit(linked: Venue) -> None:
    linked.do(c.SetPositionLimit(ALICE, 5 * CONTRACT, TICKER, whole_owner=True))
    linked.place(ALICE, "bid", 500, 2)
    linked.place(BOB, "ask", 1_000, 50)
    events = linked.place(WENDY, "buy yes", 1_000, 1, budget_micros=2 * DOLLAR, time_in_force=TimeInForce.IOC)
    assert sum(match.size_micros for match in find(events, Matched)) == 3 * CONTRACT


@pytest.mark.parametrize(("first", "second"), [(ALICE, WENDY), (WENDY, PART), (PART, ALICE), (WENDY, ALICE)])
@pytest.mark.parametrize("rule", list(SelfTrade))
def test_no_two_accounts_of_one_owner_trade_with_each_other(linked: Venue, first: str, second: str, rule: SelfTrade) -> None:
    sides = {ALICE: ("bid", "ask"), PART: ("bid", "ask"), WENDY: ("buy yes", "buy no")}
    linked.place(first, sides[first][0], 5_000, 3, order_id="resting")
    events = linked.place(second, sides[second][1], 5_000, 2, self_trade=rule)
    assert not find(events, Matched)
    (cancelled,) = find(events, OrderCancelled)
    assert cancelled.reason is CancelReason.SELF_TRADE
    assert (cancelled.order_id == "resting") is (rule is SelfTrade.MAKER)


def test_accounts_that_are_not_linked_do_trade(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 3)
    assert find(venue.place(WENDY, "buy no", 5_000, 2), Matched)
