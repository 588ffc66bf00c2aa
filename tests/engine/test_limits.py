"""Position limits and exposure caps count every open order as filled."""

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.events import Matched, OrderAccepted, OrderCancelled, OrderRested
from offchain_book.engine.limits import exposure_micros
from offchain_book.engine.order import TimeInForce
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
    assert dict(refused.details) == {"ticker": TICKER, "limit_micros": 10_000_000, "worst_micros": 11_000_000}
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
    assert dict(refused.details) == {"limit_micros": 10 * CONTRACT, "worst_micros": 11 * CONTRACT}
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
