"""Taking orders out of the book: the hold goes back, the id stays known."""

from offchain_book.engine import claims, memory, risk
from offchain_book.engine.account import Account
from offchain_book.engine.events import Event, OrderCancelled
from offchain_book.engine.fees import FREE
from offchain_book.engine.market import Market, MarketStatus
from offchain_book.engine.market_events import MarketStatusChanged
from offchain_book.engine.order import CancelReason, Order
from offchain_book.engine.state import State


def forget(state: State, order: Order) -> None:
    """Drop a finished order from every index of open orders; its id cannot be used again while it is remembered."""
    memory.finish(state, order)
    if order.terms.signed is not None:
        claims.give_back(order, order.terms.signed)
    if state.orders.pop(order.order_id, None) is not None:
        account = order.account
        del account.open_orders[order.order_id]
        if order.extra is not None and order.extra.expires_ms:
            state.expiries.remove((order.extra.expires_ms, order.order_id))
        if order.terms.group_id:
            del account.groups[order.terms.group_id].orders[order.order_id]


def release_rest(state: State, order: Order, reason: CancelReason, events: list[Event], *, was_resting: bool) -> None:
    """Give back what the rest of an order holds and report it cancelled."""
    reduced, level = order.remaining_micros, order.level
    order.remaining_micros = 0
    risk.adjust(order, reduced, FREE)
    forget(state, order)
    events.append(
        OrderCancelled(
            order.order_id, order.account.account_id, level.ticker, level.side, level.price_e4, reduced, reason, was_resting
        )
    )


def cancel_order(state: State, order: Order, reason: CancelReason, events: list[Event]) -> None:
    """Take a resting order out of its book."""
    state.markets[order.level.ticker].book.remove(order)
    release_rest(state, order, reason, events, was_resting=True)


def cancel_all(
    state: State,
    account: Account,
    ticker: str,
    reason: CancelReason,
    events: list[Event],
    *,
    group_id: str = "",
    session_id: str = "",
    limit: int = 0,
) -> None:
    """Cancel an account's open orders, oldest first: all, or those of a market, a group or a session; at most `limit`."""
    orders = account.groups[group_id].orders if group_id else account.open_orders
    chosen = [
        order
        for order in orders.values()
        if (not ticker or order.ticker == ticker) and (not session_id or order.terms.session_id == session_id)
    ]
    for order in chosen[: limit or len(chosen)]:
        cancel_order(state, order, reason, events)


def cancel_for_pause(state: State, events: list[Event]) -> None:
    """Nothing trades any more: the orders that asked for it leave."""
    for order in [order for order in state.orders.values() if order.terms.cancel_on_pause]:
        cancel_order(state, order, CancelReason.PAUSED, events)


def close_market(state: State, market: Market, events: list[Event]) -> None:
    """Stop trading: every resting order leaves the book. An early close becomes the close time."""
    state.closings.discard((market.close_ms, market.ticker))
    market.close_ms = min(market.close_ms, state.now_ms)
    for order in [order for order in state.orders.values() if order.ticker == market.ticker]:
        cancel_order(state, order, CancelReason.MARKET_CLOSED, events)
    market.status = MarketStatus.CLOSED
    market.updated_ms = market.changed_ms = state.now_ms
    events.append(MarketStatusChanged(market.ticker, market.status))
