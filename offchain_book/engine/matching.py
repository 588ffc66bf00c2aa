"""An order meets the book: who trades with whom, at the maker's price, and what each match moves.

Each match is posted in the ledger (`ledger.py`) and, when a wallet takes part, queued for the chain (`custody.py`). What is
left of the arriving order rests or is cancelled.
"""

from offchain_book.engine import actions, collateral, custody, fees, groups, outflow, risk
from offchain_book.engine.admission import affordable_micros, own_price_e4
from offchain_book.engine.cancels import cancel_order, forget, release_rest
from offchain_book.engine.events import Event, FillSide, Matched, OrderRested
from offchain_book.engine.fees import FREE, Fee
from offchain_book.engine.ledger import Line, post
from offchain_book.engine.market import Market
from offchain_book.engine.names import EQUITY, GUARANTEE, OUTSIDE, token_asset
from offchain_book.engine.order import BID, GTC, CancelReason, Order, SelfTrade
from offchain_book.engine.postings import fee_lines, match_lines
from offchain_book.engine.state import State
from offchain_book.engine.units import cost_micros


def match(state: State, market: Market, taker: Order, events: list[Event]) -> CancelReason | None:
    """Trade with the book until the order is done or nothing crosses. Returns why matching had to stop, if it had to."""
    side, price, owner = taker.level.side, taker.level.price_e4, taker.account.owner
    facing, worst = (market.book.asks, price) if side is BID else (market.book.bids, -price)
    while taker.remaining_micros:
        maker = facing.best.head
        if maker is None or facing.best.rank > worst:
            return None
        if maker.account.owner == owner:
            if taker.terms.self_trade is SelfTrade.TAKER_AT_CROSS:
                return CancelReason.SELF_TRADE
            cancel_order(state, maker, CancelReason.SELF_TRADE, events)
            continue
        size = maker.remaining_micros
        if size > taker.remaining_micros:
            size = taker.remaining_micros
        if taker.extra is not None and taker.extra.budget_micros:
            size = min(size, affordable_micros(max(0, taker.extra.budget_micros), own_price_e4(side, maker.price_e4)))
            if not size:
                return CancelReason.AMOUNT_SPENT if taker.terms.by_amount else CancelReason.MAX_COST
        stopped = _execute(state, market, taker, maker, size, events)
        if stopped:
            return stopped
    return None


def _execute(
    state: State, market: Market, taker: Order, maker: Order, size: int, events: list[Event]
) -> CancelReason | None:
    """Fill both orders at the maker's price: sizes, ledger, holds, fees, chain. Returns why to stop, if so."""
    price = maker.level.price_e4
    fees_here = market.fees
    taker_fee, maker_fee, highest_fee = fees_here.taker, fees_here.maker, fees_here.highest
    on_chain = taker.account.is_wallet or maker.account.is_wallet
    guarantee = 0
    if on_chain:
        if state.chain_halted:
            return CancelReason.CHAIN_HALTED
        if taker.account.is_wallet is not maker.account.is_wallet:
            wallet_side = taker.side if taker.account.is_wallet else maker.side
            guarantee = risk.guarantee_cost(wallet_side, highest_fee, price, size)
            if guarantee > state.accounts[GUARANTEE].cash.available:
                return CancelReason.GUARANTEE_EXHAUSTED
            left = outflow.left_for_fills_micros(state)
            if left is not None and outflow.fill_micros(wallet_side.opposite, price, size) > left:
                return CancelReason.OUTFLOW_LIMIT
    close = risk.closing_micros(taker, size)
    taker_side = custody.Side(taker, close, size - close)
    close = risk.closing_micros(maker, size)
    maker_side = custody.Side(maker, close, size - close)
    taker_before, maker_before = taker.remaining_micros, maker.remaining_micros
    _fill_orders(market, taker, maker, size, price)
    match_id = state.next_match
    state.next_match += 1
    reference = f"match:{match_id}"
    posted: list[Event] = events if on_chain else []  # between custodial accounts it follows from the match
    parts = [
        (each.account.account_id, each.order.side, each.close_micros, each.open_micros) for each in (taker_side, maker_side)
    ]
    lines = post(state, reference, match_lines(market.ticker, price, size, parts), posted)
    risk.adjust(taker, taker_before, highest_fee)
    if taker_fee is not FREE and fees.charges(taker_fee, taker):
        lines += _charge(state, taker_side, taker_fee, price, size, highest_fee, reference, posted)
        risk.adjust(taker, taker.remaining_micros, highest_fee)
    if taker.account.deliver_free and taker_side.open_micros:
        lines += _deliver_free(state, market, taker_side, reference, events)
    risk.adjust(maker, maker_before, maker_fee)
    if maker_fee is not FREE and fees.charges(maker_fee, maker):
        lines += _charge(state, maker_side, maker_fee, price, size, maker_fee, reference, posted)
        risk.adjust(maker, maker.remaining_micros, maker_fee)
    if maker.account.deliver_free and maker_side.open_micros:
        lines += _deliver_free(state, market, maker_side, reference, events)
    _count_volume(state, market, size, price, taker_side, maker_side)
    operation = -1
    if on_chain:
        if guarantee:
            state.accounts[GUARANTEE].cash.held += guarantee
        operation = custody.queue_fill(
            state, market, match_id, size, price, taker_side, maker_side, lines, guarantee, events
        )
    else:
        custody.track_custodial(market, taker_side, maker_side, size)
    events.append(
        Matched(
            match_id,
            market.ticker,
            price,
            size,
            _fill_side(taker_side),
            _fill_side(maker_side),
            operation,
            state.now_ms,
        )
    )
    if not maker.remaining_micros:
        forget(state, maker)
    for side in (taker_side, maker_side):
        if side.account.deliver_to and side.open_micros:
            actions.deliver(state, side.account, market, side.buys, side.open_micros, match_id, events)
        if side.account.collateral_return:
            collateral.rebalance(state, side.account, market, events)
    if maker.terms.group_id:
        groups.count_match(state, maker, size, events)
    if taker.terms.group_id and groups.count_match(state, taker, size, events):
        return CancelReason.GROUP_TRIGGERED
    return None


def _fill_orders(market: Market, taker: Order, maker: Order, size: int, price: int) -> None:
    market.book.reduce(maker, size)
    maker.filled_micros += size
    taker.remaining_micros -= size
    taker.filled_micros += size
    extra = taker.extra
    if extra is not None and extra.budget_micros:
        left = extra.budget_micros - cost_micros(size, own_price_e4(taker.side, price))
        extra.budget_micros = left or -1
        if not left and taker.terms.by_amount:
            taker.remaining_micros = 0


def _deliver_free(state: State, market: Market, side: custody.Side, reference: str, events: list[Event]) -> tuple[Line, ...]:
    """The wallet chose that bought tokens arrive in its free half: they leave its vault balance at once."""
    asset = token_asset(market.ticker, side.buys)
    account = side.account.account_id
    return post(state, reference, [(account, asset, -side.open_micros), (OUTSIDE, asset, side.open_micros)], events)


def _charge(
    state: State,
    side: custody.Side,
    fee: Fee,
    price: int,
    size: int,
    held: Fee,
    reference: str,
    events: list[Event],
) -> tuple[Line, ...]:
    """Charge a fill's fee to its account, in favour of equity, or pay a rebate; never more than the payer has free.

    `held` is the fee that the rest of the order is held at.
    """
    order, paid = side.order, side.order.own_extra()
    exact = fees.numerator(fee, size, price)
    due = fees.due_micros(order, fee, cost_micros(size, own_price_e4(order.level.side, price)), exact)
    paid.fee_numerator += exact
    if fee.whole_cents:  # the rest is held as if this were paid: a fill and the rest may round up, both together never
        paid.fee_charged_micros += due
        risk.adjust(order, order.remaining_micros, held)
        paid.fee_charged_micros -= due
    if due >= 0:
        side.fee_micros = min(due, max(0, side.account.cash.available))
    else:
        side.fee_micros = max(due, -max(0, state.accounts[EQUITY].cash.available))
    paid.fee_charged_micros += side.fee_micros
    return post(state, reference, fee_lines(side.account.account_id, side.fee_micros), events)


def _count_volume(state: State, market: Market, size: int, price: int, first: custody.Side, second: custody.Side) -> None:
    market.volume_micros += size
    market.previous_price_e4 = market.last_price_e4
    market.last_price_e4 = price
    market.updated_ms = state.now_ms
    market.yes_supply_micros += size - first.close_micros - second.close_micros


def _fill_side(side: custody.Side) -> FillSide:
    order = side.order
    return FillSide(
        order.order_id,
        side.account.account_id,
        order.level.side,
        order.terms.outcome,
        side.close_micros,
        side.open_micros,
        side.fee_micros,
        order.remaining_micros,
    )


def rest_or_cancel(state: State, market: Market, order: Order, stopped: CancelReason | None, events: list[Event]) -> None:
    """Rest what matching has left of an order, or cancel it."""
    terms = order.terms
    if not order.remaining_micros:
        forget(state, order)
    elif stopped is None and terms.time_in_force is GTC and (order.extra is None or not order.extra.budget_micros):
        if market.taker_rate_e4 > market.maker_rate_e4:
            risk.adjust(order, order.remaining_micros, market.fees.maker)
        market.book.add(order)
        if order.order_id not in state.orders:
            _list(state, order)
        level = order.level
        events.append(OrderRested(order.order_id, market.ticker, level.side, level.price_e4, order.remaining_micros))
    else:
        release_rest(state, order, stopped or CancelReason.TIME_IN_FORCE, events, was_resting=False)


def _list(state: State, order: Order) -> None:
    """Enter an order into the indexes of open orders; `cancels.forget` takes it out."""
    account = order.account
    state.orders[order.order_id] = order
    account.open_orders[order.order_id] = order
    if order.extra is not None and order.extra.expires_ms:
        state.expiries.add((order.extra.expires_ms, order.order_id))
        state.wake_at(order.extra.expires_ms)
    if order.terms.group_id:
        account.groups[order.terms.group_id].orders[order.order_id] = order
