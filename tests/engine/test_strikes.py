"""Strikes say what a value pays, and refuse what contradicts the rule of their event."""

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.events import MarketCreated, Rejected
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.strikes import CollateralReturn, StrikeType, payout_at
from tests.builders import Venue, exclusive, find, market, open_venue, ordered, rejected

K = StrikeType


def strike(kind: StrikeType, floor: int | None = None, cap: int | None = None, functional: str = "") -> c.CreateMarket:
    return market("S", strike_type=kind, floor_strike_e6=floor, cap_strike_e6=cap, functional_strike=functional)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (strike(K.GREATER, 5), {4: 0, 5: 0, 6: 1_000_000}),
        (strike(K.GREATER_OR_EQUAL, 5), {4: 0, 5: 1_000_000, 6: 1_000_000}),
        (strike(K.LESS, None, 5), {4: 1_000_000, 5: 0, 6: 0}),
        (strike(K.LESS_OR_EQUAL, None, 5), {4: 1_000_000, 5: 1_000_000, 6: 0}),
        (strike(K.BETWEEN, 5, 7), {4: 0, 5: 1_000_000, 7: 1_000_000, 8: 0}),
        (strike(K.FUNCTIONAL, 10, 40, "linear"), {-7: 0, 10: 0, 11: 33_333, 25: 500_000, 40: 1_000_000, 99: 1_000_000}),
        (strike(K.FUNCTIONAL, None, None, "the square root"), {1: None}),
        (strike(K.CUSTOM), {1: None}),
        (strike(K.STRUCTURED), {1: None}),
        (strike(K.NONE), {1: None}),
    ],
)
def test_a_value_pays_what_the_strike_says(made: c.CreateMarket, expected: dict[int, int | None]) -> None:
    assert {value: payout_at(made, value) for value in expected} == expected


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"strike_type": K.GREATER}, "floor_strike_e6"),
        ({"strike_type": K.LESS, "floor_strike_e6": 1}, "cap_strike_e6"),
        ({"strike_type": K.BETWEEN, "floor_strike_e6": 2, "cap_strike_e6": 1}, "cap_strike_e6"),
        ({"strike_type": K.FUNCTIONAL}, "functional_strike"),
        ({"strike_type": K.FUNCTIONAL, "functional_strike": "linear", "floor_strike_e6": 1}, "cap_strike_e6"),
        (
            {"strike_type": K.FUNCTIONAL, "functional_strike": "linear", "floor_strike_e6": 1, "cap_strike_e6": 1},
            "cap_strike_e6",
        ),
    ],
)
def test_a_strike_needs_its_bounds(more: dict[str, object], field: str) -> None:
    refused = rejected(open_venue().do(market("NEW", **more)))
    assert refused.code is RejectCode.INVALID_MARKET
    assert dict(refused.details)["field"] == field


def add(venue: Venue, event: str, kind: StrikeType, floor: int | None, cap: int | None) -> bool:
    ticker = f"{event}-{venue.state.seq}"
    events = venue.do(market(ticker, event, strike_type=kind, floor_strike_e6=floor, cap_strike_e6=cap))
    assert bool(find(events, MarketCreated)) is not bool(find(events, Rejected))
    return bool(find(events, MarketCreated))


def test_brackets_of_an_exclusive_event_do_not_overlap() -> None:
    venue = open_venue()
    exclusive(venue, "HOME", 0)
    assert add(venue, "HOME", K.LESS, None, 400)
    assert add(venue, "HOME", K.BETWEEN, 400, 449)
    assert not add(venue, "HOME", K.BETWEEN, 449, 500)
    assert not add(venue, "HOME", K.LESS, None, 10)
    assert add(venue, "HOME", K.GREATER, 449, None)
    assert not add(venue, "HOME", K.GREATER, 1_000, None)
    assert add(venue, "HOME", K.CUSTOM, None, None)
    assert not add(venue, "HOME", K.FUNCTIONAL, None, None)


def test_ordered_strikes_all_point_one_way_and_differ() -> None:
    venue = open_venue()
    ordered(venue, "GDP", (1,))
    assert not add(venue, "GDP", K.LESS, None, 2_000_000)
    assert not add(venue, "GDP", K.BETWEEN, 1, 2)
    assert not add(venue, "GDP", K.NONE, None, None)
    assert not add(venue, "GDP", K.GREATER, 1_000_000, None)
    assert not add(venue, "GDP", K.GREATER_OR_EQUAL, 1_000_001, None)
    assert add(venue, "GDP", K.GREATER_OR_EQUAL, 1_000_000, None)
    assert add(venue, "GDP", K.GREATER, 5, None)


def test_in_other_events_strikes_are_free() -> None:
    venue = open_venue()
    venue.do(c.CreateEvent("ANY", "FREE", "Any", collateral_return=CollateralReturn.NONE))
    assert add(venue, "ANY", K.LESS, None, 5)
    assert add(venue, "ANY", K.LESS, None, 6)
    assert add(venue, "ANY", K.STRUCTURED, None, None)
    tickers = venue.state.events["ANY"].tickers
    assert rejected(venue.do(c.ResolveEvent("ANY", 1))).code is RejectCode.NO_STRIKE
    assert all(venue.state.markets[ticker].yes_payout_micros < 0 for ticker in tickers)
