"""Seeded walks through the whole command set: the books balance after every command, and a replay agrees."""

from collections import Counter
from typing import get_args

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.market import MarketStatus
from offchain_book.engine.snapshot import state_hash
from tests.builders import assert_books_balance, assert_holds_are_exact, assert_orders_are_listed
from tests.engine.twin import Twin
from tests.engine.walk import Walk

STEPS = 600
ELSEWHERE = ("SetCollateralReturn", "ResolveEvent")
"""Commands of the walk through events (`event_walk.py`)."""
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
    "AccountRestored",
    "Rejected:ACCOUNT_SUSPENDED",
    "OrderCancelled:suspended",
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
    "Rejected:SIGNED_NONCE_TAKEN",
    "Rejected:SIGNED_TAG_TAKEN",
    "Rejected:SIGNED_ORDER_VOID",
    "Rejected:DEPOSIT_ALREADY_CREDITED",
    "Rejected:ACTION_NONCE_USED",
    "Rejected:DUPLICATE_REQUEST",
    "Rejected:DUPLICATE_ORDER_ID",
    "OrderCancelled:watermark",
    "OrderCancelled:wallet_exiting",
    *(f"sent {command.__name__}" for command in get_args(c.Command) if command.__name__ not in ELSEWHERE),
)
SEEDS = range(24)
_seen: dict[int, Counter[str]] = {}
"""By seed; other processes may have walked some of them."""


@pytest.mark.parametrize("seed", SEEDS)
def test_the_books_balance_after_every_command_of_a_walk(seed: int) -> None:
    walk = Walk(seed)
    twin = Twin(walk.venue)
    for _ in range(STEPS):
        walk.step()
        assert_books_balance(walk.venue.state)
        assert_orders_are_listed(walk.venue.state)
        assert_holds_are_exact(walk.venue.state)
    twin.agree_in_full(walk.venue.state)
    again = new_state(walk.venue.state.settle_deadline_s)
    for entry in walk.venue.log:
        apply(again, entry)
    assert state_hash(again) == state_hash(walk.venue.state)
    _seen[seed] = _counted(walk)


def test_the_walks_have_reached_every_way_to_fail() -> None:
    seen = sum((_seen[seed] if seed in _seen else unchecked(seed) for seed in SEEDS), Counter[str]())
    missing = [name for name in REACHED if not seen[name]]
    assert not missing, dict(seen)


def unchecked(seed: int) -> Counter[str]:
    walk = Walk(seed)
    for _ in range(STEPS):
        walk.step()
    return _counted(walk)


def _counted(walk: Walk) -> Counter[str]:
    """Return what was seen, and what was sent."""
    return walk.seen + Counter(f"sent {type(entry.command).__name__}" for entry in walk.venue.log)
