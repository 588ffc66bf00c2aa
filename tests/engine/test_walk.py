"""Seeded walks through the whole command set: the books balance after every command, and a replay agrees."""

from collections import Counter

import pytest

from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.market import MarketStatus
from offchain_book.engine.snapshot import state_hash
from tests.builders import assert_books_balance, assert_holds_are_exact, assert_orders_are_listed
from tests.engine.walk import Walk

STEPS = 450
REACHED = (
    "OperationFailed:skipped:guaranteed",
    "OperationFailed:skipped:busted",
    "OperationFailed:expired:guaranteed",
    "OperationFailed:expired:busted",
    "OperationFailed:expired:released",
    "OrderCancelled:self_trade",
    "OrderCancelled:chain_halted",
    "OrderCancelled:expired",
    "OrderCancelled:amount_spent",
    "Matched:MINT",
    "Matched:MERGE",
    "Matched:COMPLEMENTARY",
    "PositionPaid",
    "OrderCancelled:max_cost",
    "OrderCancelled:group_triggered",
    "OrderCancelled:group_deleted",
    "OrderCancelled:dead_man",
    "OrderCancelled:session_ended",
    "OrderDecreased",
    "OrderAmended:in place",
    "OrderAmended:arrives",
    "OrderGroupChanged:limit_updated",
    "DeadManFired",
    "CashTransferred",
    "NettingSet",
    "Rejected:NOTHING_TO_REDUCE",
    "Rejected:OPTION_CONFLICT",
    "Rejected:POSITION_LIMIT",
    "Rejected:EXPOSURE_CAP",
    "Rejected:SIGNED_ORDER_FIXED",
    "Rejected:SIZE_BELOW_FILLED",
    "Rejected:INVALID_DECREASE",
    "Rejected:ORDER_GROUP_TRIGGERED",
    "Rejected:DESTINATION_NOT_ALLOWED",
    "Rejected:WITHDRAWAL_CAP",
    "WithdrawalHeld",
    "WithdrawalApproved",
    "WithdrawalRefused",
    "Frozen",
    *(f"MarketStatusChanged:{status}" for status in MarketStatus if status is not MarketStatus.INITIALIZED),
    "SessionChanged:closed",
    "SessionChanged:maintenance",
    "TicksRefined",
    "FeesScheduled",
    "FeesChanged",
    "RetentionSet",
    "IdsForgotten",
    "MarketVoided",
    "ResolutionDisputed",
    "ExchangeModeChanged",
    "OrderCancelled:paused",
    "OrderCancelled:resumed",
    "OrderCancelled:market_closed",
    "Rejected:MARKET_NOT_OPEN_YET",
    "Rejected:EARLY_CLOSE_RULED_OUT",
    "Rejected:EXCHANGE_PAUSED",
    "Rejected:MAINTENANCE",
    "Rejected:CANCEL_ONLY",
    "Rejected:POST_ONLY_MODE",
    "Rejected:OUTSIDE_TRADING_HOURS",
    "Rejected:TICKS_NOT_FINER",
)
SEEDS = range(24)
_seen: dict[int, Counter[str]] = {}
"""By seed; other processes may have walked some of them."""


@pytest.mark.parametrize("seed", SEEDS)
def test_the_books_balance_after_every_command_of_a_walk(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(STEPS):
        walk.step()
        assert_books_balance(walk.venue.state)
        assert_orders_are_listed(walk.venue.state)
        assert_holds_are_exact(walk.venue.state)
    again = new_state(walk.venue.state.settle_deadline_s)
    for entry in walk.venue.log:
        apply(again, entry)
    assert state_hash(again) == state_hash(walk.venue.state)
    _seen[seed] = walk.seen


def test_the_walks_have_reached_every_way_to_fail() -> None:
    seen = sum((_seen[seed] if seed in _seen else unchecked(seed) for seed in SEEDS), Counter[str]())
    missing = [name for name in REACHED if not seen[name]]
    assert not missing, dict(seen)


def unchecked(seed: int) -> Counter[str]:
    walk = Walk(seed)
    for _ in range(STEPS):
        walk.step()
    return walk.seen
