"""The historical tier in Kalshi's dialect: what settled, or happened, more than 90 days ago has routes of its own.

The same views and the same pages as in the live routes, which leave these items out; nothing is stored twice.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TypeVar

from offchain_book.engine.market import Market, MarketStatus
from offchain_book.engine.order import OrderStatus
from offchain_book.gateways.kalshi_call import Json
from offchain_book.gateways.kalshi_units import time_text
from offchain_book.sequencer import Sequencer
from offchain_book.views import OrderView

DAY_MS = 86_400_000
LIVE_DAYS = 90
T = TypeVar("T")


def cutoff_ms(sequencer: Sequencer) -> int:
    """Return when the live tier begins: at midnight UTC 90 days ago, on venue time."""
    now = max(sequencer.state.now_ms, sequencer.clock_ms())
    return max(0, now - now % DAY_MS - LIVE_DAYS * DAY_MS)


def cutoff_view(sequencer: Sequencer) -> Json:
    """Return GetHistoricalCutoffResponse; the four boundaries are one here."""
    names = ("market_settled_ts", "trades_created_ts", "orders_updated_ts", "market_positions_last_updated_ts")
    return dict.fromkeys(names, time_text(cutoff_ms(sequencer)))


def archived(sequencer: Sequencer, market: Market) -> bool:
    """Whether a market has moved to the historical tier."""
    return market.status is MarketStatus.FINALIZED and market.updated_ms < cutoff_ms(sequencer)


def archived_order(order: OrderView, before_ms: int) -> bool:
    """Whether an order has moved to the historical tier."""
    return order.status is not OrderStatus.RESTING and order.updated_ms < before_ms


def tier_bounds(
    sequencer: Sequencer,
    items: Sequence[T],
    at_ms: Callable[[T], int],
    bounds: tuple[int | None, int],
    historical: bool,
) -> tuple[int | None, int]:
    """Narrow a page's positions (before, oldest) of a list in order of time to one of the tiers."""
    before, oldest = bounds
    place = bisect_left(items, cutoff_ms(sequencer), key=at_ms)
    if historical:
        return (place if before is None else min(before, place)), oldest
    return before, max(oldest, place)
