"""A market's life up to its close: it opens, is paused and resumed, its price grid is refined, it closes early.

    initialized -> active <-> inactive -> closed          (then resolution.py: determined, disputed, amended, finalized)

Opening and closing are done by the clock (`agenda.py`, `exchange.py`); everything else by a command.
"""

from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine.cancels import cancel_order, close_market
from offchain_book.engine.events import Event
from offchain_book.engine.listing import check_ranges, reject
from offchain_book.engine.market import Market, MarketStatus
from offchain_book.engine.market_events import MarketStatusChanged, TicksRefined
from offchain_book.engine.order import BookSide, CancelReason, Order
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State

OPEN_STATES = (MarketStatus.INITIALIZED, MarketStatus.ACTIVE, MarketStatus.INACTIVE)
"""Those from which a market can close."""


def status_at(market: Market, now_ms: int) -> MarketStatus:
    """Return where a market stands at an instant: open and close count exactly, though the command that notes them is later."""
    if market.status in OPEN_STATES and now_ms >= market.close_ms:
        return MarketStatus.CLOSED
    if market.status is MarketStatus.INITIALIZED and now_ms >= market.open_ms:
        return MarketStatus.ACTIVE
    return market.status


def set_status(state: State, market: Market, status: MarketStatus, events: list[Event]) -> None:
    """Move a market along its life."""
    market.status = status
    market.updated_ms = market.changed_ms = state.now_ms
    events.append(MarketStatusChanged(market.ticker, status))


def open_market(state: State, ticker: str, events: list[Event]) -> None:
    """The open time has come. A market that was closed before it opened stays closed."""
    market = state.markets[ticker]
    if market.status is MarketStatus.INITIALIZED:
        set_status(state, market, MarketStatus.ACTIVE, events)


def pause(state: State, command: m.PauseMarket) -> list[Event]:
    """Stop trading for a while; orders that asked for it are cancelled, the others wait and may be cancelled."""
    market = state.markets.get(command.ticker)
    if market is None:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    if market.status is not MarketStatus.ACTIVE:
        return _wrong_state(market, MarketStatus.ACTIVE)
    events: list[Event] = []
    set_status(state, market, MarketStatus.INACTIVE, events)
    for order in resting(market):
        if order.terms.cancel_on_pause:
            cancel_order(state, order, CancelReason.PAUSED, events)
    return events


def resume(state: State, command: m.ResumeMarket) -> list[Event]:
    """Trade again, from an empty book: nobody is held to a price from before the pause (Kalshi's rule)."""
    market = state.markets.get(command.ticker)
    if market is None:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    if market.status is not MarketStatus.INACTIVE:
        return _wrong_state(market, MarketStatus.INACTIVE)
    events: list[Event] = []
    for order in resting(market):
        cancel_order(state, order, CancelReason.RESUMED, events)
    set_status(state, market, MarketStatus.ACTIVE, events)
    return events


def close(state: State, command: c.CloseMarket) -> list[Event]:
    """Stop trading in a market for good, before its time if its terms allow that."""
    market = state.markets.get(command.ticker)
    if market is None:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    if market.status not in OPEN_STATES:
        return reject(RejectCode.MARKET_INACTIVE, ticker=market.ticker, status=market.status)
    refused = check_early_close(market)
    if refused:
        return refused
    events: list[Event] = []
    close_market(state, market, events)
    return events


def check_early_close(market: Market) -> list[Event] | None:
    """Refuse to end trading before the close time where the market's terms rule that out."""
    if market.can_close_early or market.status not in OPEN_STATES:
        return None
    return reject(RejectCode.EARLY_CLOSE_RULED_OUT, ticker=market.ticker, close_ms=market.close_ms)


def refine_ticks(state: State, command: m.RefineTicks) -> list[Event]:
    """Make the price grid finer. Orders stay where they are: levels are found by price, not by tick."""
    market = state.markets.get(command.ticker)
    if market is None:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    if market.status not in OPEN_STATES:
        return reject(RejectCode.MARKET_INACTIVE, ticker=market.ticker, status=market.status)
    refused = check_ranges(command.price_ranges)
    if refused:
        return refused
    lost = _first_lost_price(market.price_ranges, command.price_ranges)
    if lost:
        return reject(RejectCode.TICKS_NOT_FINER, ticker=market.ticker, price_e4=lost)
    before = market.finest_tick_e4
    market.price_structure, market.price_ranges = command.price_structure, command.price_ranges
    market.updated_ms = market.changed_ms = state.now_ms
    return [TicksRefined(market.ticker, command.price_structure, before, market.finest_tick_e4)]


def _first_lost_price(old: m.Ranges, new: m.Ranges) -> int:
    """Return the lowest price that was valid and would not be any more, 0 when there is none."""
    kept = {price for start, end, step in new for price in range(start, end + 1, step)}
    lost = {price for start, end, step in old for price in range(start, end + 1, step)} - kept
    return min(lost, default=0)


def resting(market: Market) -> list[Order]:
    """Return a market's resting orders, bids first, in the order in which they would trade."""
    return [order for side in BookSide for order in market.book.walk(side)]


def _wrong_state(market: Market, needs: MarketStatus) -> list[Event]:
    return reject(RejectCode.WRONG_MARKET_STATE, ticker=market.ticker, status=market.status, needs=needs)
