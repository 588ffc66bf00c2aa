"""Changing an open order: shrinking keeps its place in the queue, a new price or a larger size is a new arrival."""

from offchain_book.engine import admission, limits, memory, risk
from offchain_book.engine import commands as c
from offchain_book.engine.cancels import cancel_order
from offchain_book.engine.events import Event, OrderAmended, OrderDecreased
from offchain_book.engine.listing import reject
from offchain_book.engine.market import Market
from offchain_book.engine.matching import match, rest_or_cancel
from offchain_book.engine.order import CancelReason, Order
from offchain_book.engine.outflow import COUNTS_FILLS
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State


def find_open(state: State, account_id: str, order_id: str) -> Order | list[Event]:
    """Return an account's open order, or why there is none."""
    order = state.orders.get(order_id)
    if order is not None and order.account.account_id == account_id:
        return order
    if memory.is_finished(state, order_id):
        return reject(RejectCode.ORDER_NOT_OPEN, order_id=order_id, status="finished")
    return reject(RejectCode.UNKNOWN_ORDER, order_id=order_id)


def decrease(state: State, command: c.DecreaseOrder) -> list[Event]:
    """Shrink an order in place; to nothing is a cancel."""
    order = find_open(state, command.account_id, command.order_id)
    if isinstance(order, list):
        return order
    market, remaining = state.markets[order.ticker], order.remaining_micros
    by, to = command.reduce_by_micros, command.reduce_to_micros
    wanted = -1
    if by is not None and to is None and by > 0:
        wanted = max(0, remaining - by)
    elif to is not None and by is None:
        wanted = to
    if not 0 <= wanted < remaining:
        return reject(RejectCode.INVALID_DECREASE, order_id=order.order_id, remaining_micros=remaining)
    refused = admission.check_size(wanted) if wanted else None
    if refused:
        return refused
    events: list[Event] = []
    if not wanted:
        cancel_order(state, order, CancelReason.BY_USER, events)
        return events
    _shrink(market, order, remaining - wanted)
    events.append(
        OrderDecreased(
            order.order_id, command.account_id, order.ticker, order.side, order.price_e4, remaining - wanted, wanted
        )
    )
    return events


def _shrink(market: Market, order: Order, size_micros: int) -> None:
    before = order.remaining_micros
    market.book.reduce(order, size_micros)
    risk.adjust(order, before, market.fees.maker)


def amend(state: State, command: c.AmendOrder) -> list[Event]:
    """Change an order's price, total size, expiry or client order id."""
    order = find_open(state, command.account_id, command.order_id)
    if isinstance(order, list):
        return order
    market = state.markets[order.ticker]
    price = order.price_e4 if command.price_e4 is None else command.price_e4
    rest = order.remaining_micros if command.size_micros is None else command.size_micros - order.filled_micros
    expires = order.expires_ms if command.expires_ms is None else command.expires_ms
    arrives = price != order.price_e4 or rest > order.remaining_micros
    refused = _check(state, market, order, command, price, rest, expires)
    if refused is None and arrives:
        refused = _check_arrival(state, market, order, price, rest)
    if refused:
        return refused
    event = OrderAmended(
        order.order_id,
        command.account_id,
        order.ticker,
        order.side,
        order.price_e4,
        order.remaining_micros,
        price,
        rest,
        order.filled_micros + rest,
        expires,
        command.client_order_id,
        not arrives,
    )
    if command.client_order_id:
        order.account.client_order_ids[command.client_order_id] = order.order_id
    _set_expiry(state, order, expires)
    events: list[Event] = [event]
    if arrives:
        _arrive(state, market, order, price, rest, events)
    elif rest < order.remaining_micros:
        _shrink(market, order, order.remaining_micros - rest)
    return events


def _check(
    state: State, market: Market, order: Order, command: c.AmendOrder, price: int, rest: int, expires: int
) -> list[Event] | None:
    known = order.account.client_order_ids.get(command.client_order_id, order.order_id)
    if known != order.order_id:
        return reject(RejectCode.DUPLICATE_CLIENT_ORDER_ID, client_order_id=command.client_order_id, order_id=known)
    if rest <= 0:
        total = order.filled_micros + rest
        return reject(RejectCode.SIZE_BELOW_FILLED, size_micros=total, filled_micros=order.filled_micros)
    refused = admission.check_market(state, market) or admission.check_size(order.filled_micros + rest)
    if refused is None and price != order.price_e4:
        refused = admission.check_price(market, price)
    if refused is None and expires != order.expires_ms:
        refused = admission.check_expiry(state, expires)
    return refused or _check_signature(order, price, rest, expires)


def _check_signature(order: Order, price: int, rest: int, expires: int) -> list[Event] | None:
    """A wallet's order is what was signed: it may shrink or end earlier, never become worth more."""
    if not order.account.is_wallet:
        return None
    outlives = order.expires_ms and not 0 < expires <= order.expires_ms
    if price != order.price_e4 or rest > order.remaining_micros or outlives:
        return reject(RejectCode.SIGNED_ORDER_FIXED, order_id=order.order_id)
    return None


def _check_arrival(state: State, market: Market, order: Order, price: int, rest: int) -> list[Event] | None:
    """Check what a new arrival has to meet, and hold what the order needs now. The last check changes the hold."""
    account = order.account
    refused = admission.check_post_only(market, order.side, price) if order.terms.post_only else None
    if refused is None and rest > order.remaining_micros:
        refused = limits.check(state, account, market, order.side, rest - order.remaining_micros)
    if refused is None and state.contract_version >= COUNTS_FILLS:
        refused = admission.check_outflow(state, account, market, order.side, price, rest)
    if refused:
        return refused
    need = risk.hold_again(order, price, rest, market.fees.highest)
    if need:
        cash = account.cash
        return reject(RejectCode.INSUFFICIENT_CASH, have_micros=cash.available, need_micros=need, held_micros=cash.held)
    return None


def _set_expiry(state: State, order: Order, expires_ms: int) -> None:
    if expires_ms == order.expires_ms:
        return
    if order.expires_ms:
        state.expiries.remove((order.expires_ms, order.order_id))
    order.own_extra().expires_ms = expires_ms
    if expires_ms:
        state.expiries.add((expires_ms, order.order_id))
        state.wake_at(expires_ms)


def _arrive(state: State, market: Market, order: Order, price: int, rest: int, events: list[Event]) -> None:
    """Take the order out of the queue and let it come again; it stays listed as open meanwhile."""
    market.book.remove(order)
    order.level = market.book.level(order.side, price)
    order.remaining_micros = rest
    stopped = match(state, market, order, events)
    rest_or_cancel(state, market, order, stopped, events)
