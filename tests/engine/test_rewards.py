"""Liquidity rewards: who earns, how much, and when a book is looked at."""

from typing import Any

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.events import RewardsEarned
from offchain_book.engine.exchange import next_due_ms
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.rewards import SAMPLE_MS, SAMPLES_A_DAY, is_scoring
from tests.builders import ALICE, BOB, CONTRACT, DOLLAR, TICKER, WENDY, Venue, find, open_venue, rejected

DAILY = 1_440 * DOLLAR


@pytest.fixture
def venue() -> Venue:
    return open_venue()


def program(venue: Venue, **changed: Any) -> c.SetRewardProgram:
    terms: dict[str, Any] = {"daily_micros": DAILY, "min_size_micros": 10 * CONTRACT, "max_spread_e4": 300}
    terms |= {"start_ms": venue.now_ms, "end_ms": venue.now_ms + 86_400_000}
    return c.SetRewardProgram(TICKER, **(terms | changed))


def sampled(venue: Venue) -> dict[str, int]:
    """Let the next sample come and return who earned what."""
    venue.now_ms = next_due_ms(venue.state)
    found = find(venue.do(c.CancelOrders(BOB, "none")), RewardsEarned)
    return dict(found[0].earned) if found else {}


def test_equal_quotes_on_both_sides_share_a_minutes_pay(venue: Venue) -> None:
    venue.do(program(venue))
    for account in (ALICE, BOB):
        venue.place(account, "bid", 4_900, 10)
        venue.place(account, "ask", 5_100, 10)
    assert sampled(venue) == {ALICE: DAILY // SAMPLES_A_DAY // 2, BOB: DAILY // SAMPLES_A_DAY // 2}


def test_the_score_falls_with_the_square_of_the_distance_and_a_small_order_scores_nothing(venue: Venue) -> None:
    """Middle 50 cents, spread 3 cents: at 1 cent (2/3)^2, at 2 cents (1/3)^2 of the size: 4 to 1."""
    venue.do(program(venue))
    venue.place(ALICE, "bid", 4_900, 10)
    venue.place(ALICE, "ask", 5_100, 10)
    venue.place(WENDY, "buy yes", 4_800, 10)
    venue.place(WENDY, "buy no", 4_800, 10)
    venue.place(BOB, "bid", 4_900, 9)
    venue.place(BOB, "ask", 5_100, 9)
    assert sampled(venue) == {ALICE: DOLLAR * 4 // 5, WENDY: DOLLAR // 5}


def test_one_side_counts_a_third_in_the_middle_and_nothing_at_the_ends(venue: Venue) -> None:
    venue.do(program(venue))
    venue.place(ALICE, "bid", 4_900, 10)
    venue.place(ALICE, "ask", 5_100, 10)
    venue.place(BOB, "bid", 4_900, 30)
    assert sampled(venue) == {ALICE: DOLLAR // 2, BOB: DOLLAR // 2}
    venue.do(c.CancelOrders(ALICE))
    venue.do(c.CancelOrders(BOB))
    venue.place(ALICE, "bid", 400, 10)
    venue.place(ALICE, "ask", 600, 10)
    venue.place(BOB, "bid", 400, 30)
    assert sampled(venue) == {ALICE: DOLLAR}


def test_a_book_with_one_side_or_outside_the_programmes_time_earns_nothing(venue: Venue) -> None:
    venue.do(program(venue, end_ms=venue.now_ms + 2 * SAMPLE_MS))
    venue.place(ALICE, "bid", 4_900, 10)
    assert sampled(venue) == {}
    venue.place(ALICE, "ask", 5_100, 10)
    assert sampled(venue) == {ALICE: DOLLAR}
    assert sampled(venue) == {}


def test_minutes_that_the_exchange_missed_are_not_made_up_for(venue: Venue) -> None:
    venue.do(program(venue))
    venue.place(ALICE, "bid", 4_900, 10)
    venue.place(ALICE, "ask", 5_100, 10)
    venue.now_ms += 60 * SAMPLE_MS
    events = venue.do(c.CancelOrders(BOB))
    assert [found.earned for found in find(events, RewardsEarned)] == [((ALICE, DOLLAR),)]
    assert next_due_ms(venue.state) > venue.now_ms


def test_an_order_scores_while_it_is_near_and_large_enough(venue: Venue) -> None:
    venue.do(program(venue))
    for order_id, side, price, size in (("near", "bid", 4_900, 10), ("far", "bid", 4_600, 10), ("small", "ask", 5_100, 9)):
        venue.place(ALICE, side, price, size, order_id=order_id)
    orders = venue.state.orders
    assert not is_scoring(venue.state, orders["near"]), "the book has no ask that is large enough"
    venue.place(BOB, "ask", 5_100, 10)
    assert [is_scoring(venue.state, orders[name]) for name in ("near", "far", "small")] == [True, False, False]
    venue.do(program(venue, daily_micros=0))
    assert not is_scoring(venue.state, orders["near"])
    assert venue.state.reward_programs == {}


@pytest.mark.parametrize(
    "changed", [{"daily_micros": -1}, {"min_size_micros": 0}, {"max_spread_e4": 0}, {"max_spread_e4": 10_000}, {"end_ms": 0}]
)
def test_terms_that_mean_nothing_are_refused(venue: Venue, changed: dict[str, int]) -> None:
    found = rejected(venue.do(program(venue, **changed)))
    assert found.code is RejectCode.INVALID_MARKET
    assert dict(found.details)["field"] in changed
