"""Seeded walks through events with collateral return, held against an oracle that enumerates results and fills."""

from collections import Counter

import pytest

from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.snapshot import dump, load, state_hash
from tests.builders import assert_books_balance, assert_holds_are_exact, assert_orders_are_listed
from tests.engine.event_walk import EventWalk

STEPS = 350
REACHED = (
    "CollateralMoved",
    "CollateralReturnSet",
    "Rejected:INCONSISTENT_RESULT",
    "Rejected:INSUFFICIENT_CASH",
    "PositionPaid",
    "MarketVoided",
    "OperationFailed:skipped:guaranteed",
    "Matched:COMPLEMENTARY",
    "Matched:MERGE",
)
SEEDS = range(10)
_seen: dict[int, Counter[str]] = {}
"""By seed; other processes may have walked some of them."""


def check(walk: EventWalk) -> None:
    assert_books_balance(walk.venue.state)
    assert_orders_are_listed(walk.venue.state)
    assert_holds_are_exact(walk.venue.state)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_result_and_no_fills_leave_an_account_short(seed: int) -> None:
    walk = EventWalk(seed)
    for _ in range(STEPS):
        walk.step()
        check(walk)
    half = len(walk.venue.log) // 2
    again = new_state(walk.venue.state.settle_deadline_s)
    for entry in walk.venue.log[:half]:
        apply(again, entry)
    again = load(dump(again))
    for entry in walk.venue.log[half:]:
        apply(again, entry)
    assert state_hash(again) == state_hash(walk.venue.state)
    _seen[seed] = walk.seen


def test_the_walks_have_reached_what_they_are_for() -> None:
    seen = sum((_seen[seed] if seed in _seen else unchecked(seed) for seed in SEEDS), Counter[str]())
    missing = [name for name in REACHED if not seen[name]]
    assert not missing, dict(seen)


def unchecked(seed: int) -> Counter[str]:
    walk = EventWalk(seed)
    for _ in range(STEPS):
        walk.step()
    return walk.seen
