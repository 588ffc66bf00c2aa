"""The straight way of nearly every order: a limit order without options, of a custodial account, among orders of such accounts.

No rule is made here. `exchange.py` and `matching.py` say what happens to every order, a small function a rule; this page does the
same for the common case in one go, and leaves to them what it does not know: any refusal, any option, and the fills from the
first maker on that is not plain. `tests/engine/test_plain.py` sends commands of every kind both ways and compares events
and state after each.

It pays (docs/performance.md) because an order is checked in one look, and because what its fills do to its own account is worked
out in local variables and written back once.
"""

from collections.abc import Callable
from typing import Any

from offchain_book.engine import admission
from offchain_book.engine import commands as c
from offchain_book.engine.account import Account, Exposure
from offchain_book.engine.book import Ladder
from offchain_book.engine.cancels import forget
from offchain_book.engine.events import Event, FillSide, Matched, OrderAccepted, OrderCancelled, OrderRested
from offchain_book.engine.fees import FREE, due_in_steps, numerator, reserve_in_steps
from offchain_book.engine.ledger import issue
from offchain_book.engine.limits import owner_accounts
from offchain_book.engine.market import Market, MarketStatus
from offchain_book.engine.matching import match, rest_or_cancel
from offchain_book.engine.memory import finish, is_finished
from offchain_book.engine.names import EQUITY
from offchain_book.engine.order import ASK, BID, GTC, CancelReason, Extra, Order, SelfTrade, shared_terms
from offchain_book.engine.risk import exposure_of, shift
from offchain_book.engine.state import State
from offchain_book.engine.units import LOT_MICROS, ONE_DOLLAR_MICROS, PRICE_SCALE

Handler = Callable[[State, Any], list[Event]]

_ACTIVE, _TAKER_AT_CROSS, _BY_USER = MarketStatus.ACTIVE, SelfTrade.TAKER_AT_CROSS, CancelReason.BY_USER
_TERMS = shared_terms(None, GTC, False, False, False, False, _TAKER_AT_CROSS, "", "", None, 0)
_SPARE_MICROS = ONE_DOLLAR_MICROS
"""What accounts must have free where fees are charged: far more than the roundings of an order come to, so none is waived."""


def is_plain(state: State, account: Account) -> bool:
    """Whether nothing but position, cash and the owner's other orders matter to an account's orders."""
    owner = state.accounts[account.owner]
    return (
        not account.is_wallet
        and account.netting
        and not account.collateral_return
        and not account.suspended
        and not account.deliver_to
        and not account.position_limits
        and account.exposure_cap_micros is None
        and not owner.owner_position_limits
        and owner.owner_exposure_cap_micros is None
        and not account.account_id.startswith("venue:")
    )


def marking(handler: Handler) -> Handler:
    """Wrap the handler of a command after which an account, or another one of its owner, may be plain, or not any more."""

    def handle(state: State, command: Any) -> list[Event]:
        events = handler(state, command)
        named = state.accounts.get(command.account_id)
        if named is not None:
            for account in owner_accounts(state, state.accounts[named.owner]):
                account.plain = is_plain(state, account)
        return events

    return handle


def place(state: State, command: c.PlaceOrder) -> list[Event] | None:
    """Place a plain order. Returns None, and has changed nothing, when it is not plain or would be refused."""
    account, market = state.accounts.get(command.account_id), state.markets.get(command.ticker)
    order_id, size, price, side = command.order_id, command.size_micros, command.price_e4, command.side
    if (
        account is None
        or market is None
        or not account.plain
        or market.status is not _ACTIVE
        or state.frozen
        or command.time_in_force is not GTC
        or command.self_trade is not _TAKER_AT_CROSS
        or command.outcome is not None
        or command.signed is not None
        or command.expires_ms
        or command.budget_micros
        or command.max_cost_micros
        or command.post_only
        or command.reduce_only
        or command.cancel_on_pause
        or command.group_id
        or command.session_id
        or order_id in state.orders
        or is_finished(state, order_id)
        or command.client_order_id in account.client_order_ids
        or len(account.open_orders) >= admission.MAX_OPEN_ORDERS
        or not 0 < size <= admission.MAX_ORDER_MICROS
        or size % LOT_MICROS
    ):
        return None
    book, ticker = market.book, market.ticker
    if side is BID:
        own, ladder, facing, worst = price, book.bids, book.asks, price
    else:
        own, ladder, facing, worst = PRICE_SCALE - price, book.asks, book.bids, -price
    if price not in ladder and admission.check_price(market, price) is not None:  # a price that has a level is on the grid
        return None
    hold, reserve, spare, fee = size * own // PRICE_SCALE, 0, 0, market.fees.highest
    if fee is not FREE:
        if not market.fees.in_steps:
            return None
        reserve = reserve_in_steps(0, 0, numerator(fee, size, price))
        hold += reserve
        spare = _SPARE_MICROS
    cash, exposure = account.cash, account.exposures.get(ticker) or exposure_of(account, ticker)
    shift(account, exposure, side, hold, size)
    if cash.held + spare > cash.total:
        shift(account, exposure, side, -hold, -size)
        return None
    account.exposures[ticker] = exposure
    if command.client_order_id:
        account.client_order_ids[command.client_order_id] = order_id
    events: list[Event] = [OrderAccepted(order_id, account.account_id, ticker, size)]
    if facing.best.rank <= worst:
        order = Order(order_id, account, ladder[price], size, _TERMS, None, 0, hold)
        _sweep(state, market, order, exposure, facing, worst, events)
        if order.remaining_micros:
            rest_or_cancel(state, market, order, match(state, market, order, events), events)
        else:
            finish(state, order)
        return events
    if fee is not market.fees.maker:  # what rests is held at the maker's fee
        less = reserve_in_steps(0, 0, numerator(market.fees.maker, size, price)) - reserve
        shift(account, exposure, side, less, 0)
        hold += less
    order = Order(order_id, account, ladder[price], size, _TERMS, None, 0, hold)
    book.add(order)
    state.orders[order_id] = account.open_orders[order_id] = order
    events.append(OrderRested(order_id, ticker, side, price, size))
    return events


def cancel(state: State, command: c.CancelOrder) -> list[Event] | None:
    """Cancel a plain account's order. Returns None, and has changed nothing, when there is more to it."""
    order_id = command.order_id
    order = state.orders.get(order_id)
    if (
        order is None
        or (order.extra is not None and order.extra.expires_ms)
        or order.terms.group_id
        or order.terms.signed is not None
    ):
        return None
    account, level, left = order.account, order.level, order.remaining_micros
    if not account.plain or account.account_id != command.account_id:
        return None
    ticker, side = level.ticker, level.side
    state.markets[ticker].book.remove(order)
    shift(account, account.exposures[ticker], side, -order.hold_micros, -left)
    finish(state, order)
    del state.orders[order_id]
    del account.open_orders[order_id]
    return [OrderCancelled(order_id, account.account_id, ticker, side, level.price_e4, left, _BY_USER, True)]


def _sweep(
    state: State, market: Market, taker: Order, exposure: Exposure, facing: Ladder, worst: int, events: list[Event]
) -> None:
    """Trade with plain makers, best first, while it crosses. Both fees, both positions, both holds; one event a match."""
    ticker, account, side = market.ticker, taker.account, taker.level.side
    is_bid = side is BID
    taker_fee, maker_fee, highest_fee = market.fees.taker, market.fees.maker, market.fees.highest
    charges = highest_fee is not FREE
    maker_side = ASK if is_bid else BID
    left = size = taker.remaining_micros
    buys, sells = (exposure.yes, exposure.no) if is_bid else (exposure.no, exposure.yes)
    to_close = sells.total - sells.total % LOT_MICROS
    cash = made = fee = their_fee = fees_paid = exact_paid = fees_received = 0
    price = previous_price = market.last_price_e4
    match_id, at_ms = state.next_match, state.now_ms
    while left:
        best = facing.best
        maker = best.head
        if maker is None or best.rank > worst:
            break
        theirs = maker.account
        if not theirs.plain or theirs.owner == account.owner or maker.terms.group_id:
            break
        if charges and theirs.cash.total - theirs.cash.held < _SPARE_MICROS:
            break
        previous_price, price = price, best.price_e4
        filled = maker.remaining_micros
        if filled > left:
            filled = left
        left -= filled
        # what both pay and get: who closes sells tokens that he has, at the complement of the other side's price
        own = price if is_bid else PRICE_SCALE - price
        cost = filled * own // PRICE_SCALE
        closed = to_close if to_close < filled else filled
        to_close -= closed
        cash += closed - cost
        their = theirs.exposures[ticker]
        their_buys, their_sells = (their.no, their.yes) if is_bid else (their.yes, their.no)
        their_closed = their_sells.total
        if their_closed:
            their_closed -= their_closed % LOT_MICROS
            if their_closed > filled:
                their_closed = filled
            their_sells.total -= their_closed
        their_buys.total += filled - their_closed
        theirs.cash.total += their_closed - filled + cost
        made += filled - closed - their_closed
        # the maker's order and hold
        market.book.reduce(maker, filled)
        maker.filled_micros += filled
        rest = maker.remaining_micros
        hold = rest * (PRICE_SCALE - own) // PRICE_SCALE
        if charges:
            exact = numerator(taker_fee, filled, price)
            fee = due_in_steps(exact_paid, fees_paid, exact)
            exact_paid += exact
            fees_paid += fee
            if maker_fee is not FREE:
                so_far = maker.own_extra()
                exact = numerator(maker_fee, filled, price)
                their_fee = due_in_steps(so_far.fee_numerator, so_far.fee_charged_micros, exact)
                so_far.fee_numerator += exact
                so_far.fee_charged_micros += their_fee
                theirs.cash.total -= their_fee
                if rest:
                    exact = numerator(maker_fee, rest, price)
                    hold += reserve_in_steps(so_far.fee_numerator, so_far.fee_charged_micros, exact)
            fees_received += fee + their_fee
        shift(theirs, their, maker_side, hold - maker.hold_micros, -filled)
        maker.hold_micros = hold
        events.append(
            Matched(
                match_id,
                ticker,
                price,
                filled,
                FillSide(taker.order_id, account.account_id, side, None, closed, filled - closed, fee, left),
                FillSide(
                    maker.order_id,
                    theirs.account_id,
                    maker_side,
                    None,
                    their_closed,
                    filled - their_closed,
                    their_fee,
                    rest,
                ),
                -1,
                at_ms,
            )
        )
        match_id += 1
        if not rest:
            forget(state, maker)
    if left == size:
        return
    state.next_match = match_id
    traded, closed = size - left, sells.total - sells.total % LOT_MICROS - to_close
    sells.total -= closed
    buys.total += traded - closed
    account.cash.total += cash - fees_paid
    if fees_received:
        state.accounts[EQUITY].cash.total += fees_received
    market.volume_micros += traded
    market.previous_price_e4, market.last_price_e4 = previous_price, price
    market.updated_ms = at_ms
    if made:
        issue(state, market, made)
        market.yes_supply_micros += made
        market.unsplit_micros += made
        market.custodial_yes_micros += made
        market.custodial_no_micros += made
    taker.remaining_micros = left
    taker.filled_micros = traded
    if exact_paid:
        taker.extra = Extra(0, 0, exact_paid, fees_paid)
    price = taker.level.price_e4
    hold = left * (price if is_bid else PRICE_SCALE - price) // PRICE_SCALE
    if left and charges:
        hold += reserve_in_steps(exact_paid, fees_paid, numerator(highest_fee, left, price))
    shift(account, exposure, side, hold - taker.hold_micros, -traded)
    taker.hold_micros = hold
