"""The rules of the exchange. Read me first.

`apply(state, entry)` is the only thing that changes state: one sequenced command in, the events that it caused out. It knows
no clock, no IO and no randomness; time and ids arrive in the command. Expected refusals are `Rejected` events; a broken
invariant raises, and the exchange stops.

An order's life: checks -> hold (`risk.py`) -> match against the book (`book.py`), each match posted in the ledger
(`ledger.py`) and, when a wallet takes part, queued for the chain (`custody.py`) -> the rest rests or is cancelled.
"""

from collections.abc import Callable
from typing import Any

from offchain_book.engine import actions, custody, failures, fees, listing, resolution, risk
from offchain_book.engine import commands as c
from offchain_book.engine.cancels import cancel_all, cancel_order, close_market, forget, release_rest
from offchain_book.engine.events import Event, FillSide, Matched, OrderAccepted, OrderRested
from offchain_book.engine.ledger import check, post
from offchain_book.engine.listing import reject
from offchain_book.engine.operations import MatchKind, OrderScheme, Outcome, SignedOrder
from offchain_book.engine.order import BookSide, CancelReason, Order, OrderStatus, SelfTrade, TimeInForce
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import (
    EQUITY,
    GUARANTEE,
    OUTSIDE,
    VENUE_ACCOUNTS,
    Account,
    Market,
    MarketStatus,
    State,
    collateral_account,
    token_asset,
)
from offchain_book.engine.units import CASH, LOT_MICROS, PRICE_SCALE, complement_e4, cost_micros

MAX_ORDER_MICROS = 1_000_000_000_000
"""Largest order: a million contracts."""
MAX_OPEN_ORDERS = 200_000
"""Most open orders of one account."""
CONTRACT_FEE_CAP_E4 = 700
"""The contract's immutable fee cap: 0.07 of price times complement. Markets that charge more are not for wallets."""

Line = tuple[str, str, int]


def new_state(settle_deadline_s: int, signed_not_before_ms: int = 0) -> State:
    """Return an empty exchange with the venue's own accounts."""
    state = State(settle_deadline_s=settle_deadline_s, signed_not_before_ms=signed_not_before_ms)
    for account_id in VENUE_ACCOUNTS:
        state.accounts[account_id] = Account(account_id, c.Custody.CUSTODIAL, "")
    return state


def apply(state: State, entry: c.Sequenced) -> list[Event]:
    """Apply one command and return what happened. The only writer of `state`."""
    check(entry.seq == state.seq + 1, f"command {entry.seq} does not follow {state.seq}")
    check(entry.at_ms >= state.now_ms, "venue time never runs backwards")
    state.seq = entry.seq
    state.now_ms = entry.at_ms
    events: list[Event] = []
    _advance_clock(state, events)
    events += _HANDLERS[type(entry.command)](state, entry.command)
    return events


def _advance_clock(state: State, events: list[Event]) -> None:
    """Expire orders and close markets whose time has come, before anything else may happen."""
    while state.expiries and state.expiries[0][0] <= state.now_ms:
        cancel_order(state, state.orders[state.expiries[0][1]], CancelReason.EXPIRED, events)
    while state.closings and state.closings[0][0] <= state.now_ms:
        close_market(state, state.markets[state.closings[0][1]], events)


# --- placing -----------------------------------------------------------------------------------------------------------


def place_order(state: State, command: c.PlaceOrder) -> list[Event]:
    """Check, hold, match, rest: everything that one arriving order causes."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    market = state.markets.get(command.ticker)
    if market is None:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    refused = (
        _check_identity(state, account, command)
        or _check_market(state, market)
        or _check_numbers(market, command)
        or _check_wallet(state, account, market, command)
        or _check_time_in_force(state, account, market, command)
    )
    if refused:
        return refused
    order = _new_order(state, account, market, command)
    refused = _hold(account, market, order)
    if refused:
        return refused
    if order.client_order_id:
        account.client_order_ids[order.client_order_id] = order.order_id
    events: list[Event] = [OrderAccepted(order.order_id, account.account_id, market.ticker)]
    stopped = _match(state, market, account, order, events)
    _finish(state, market, account, order, stopped, events)
    return events


def _check_identity(state: State, account: Account, command: c.PlaceOrder) -> list[Event] | None:
    if command.order_id in state.orders or command.order_id in state.finished_order_ids:
        return reject(RejectCode.DUPLICATE_ORDER_ID, order_id=command.order_id)
    known = account.client_order_ids.get(command.client_order_id) if command.client_order_id else None
    if known is not None:
        return reject(RejectCode.DUPLICATE_CLIENT_ORDER_ID, client_order_id=command.client_order_id, order_id=known)
    if account.is_wallet is (command.outcome is None):
        return reject(RejectCode.CUSTODY_MISMATCH, account_id=account.account_id, custody=account.custody)
    if len(account.open_orders) >= MAX_OPEN_ORDERS:
        return reject(RejectCode.TOO_MANY_OPEN_ORDERS, limit=MAX_OPEN_ORDERS)
    return None


def _check_market(state: State, market: Market) -> list[Event] | None:
    if market.status is not MarketStatus.ACTIVE:
        return reject(RejectCode.MARKET_INACTIVE, ticker=market.ticker, status=market.status)
    if state.now_ms < market.open_ms:
        return reject(RejectCode.MARKET_INACTIVE, ticker=market.ticker, status="initialized")
    return None


def _check_numbers(market: Market, command: c.PlaceOrder) -> list[Event] | None:
    size, price = command.size_micros, command.price_e4
    if size <= 0:
        return reject(RejectCode.SIZE_NOT_POSITIVE, size_micros=size)
    if size % LOT_MICROS:
        below = size - size % LOT_MICROS
        return reject(RejectCode.SIZE_OFF_LOT, size_micros=size, below_micros=below, above_micros=below + LOT_MICROS)
    if size > MAX_ORDER_MICROS:
        return reject(RejectCode.SIZE_TOO_LARGE, size_micros=size, limit_micros=MAX_ORDER_MICROS)
    lowest, highest = market.price_ranges[0][0], market.price_ranges[-1][1]
    if not lowest <= price <= highest:
        return reject(RejectCode.PRICE_OUT_OF_RANGE, price_e4=price, lowest_e4=lowest, highest_e4=highest)
    step = market.tick_at(price)
    if price % step:
        below = max(lowest, price - price % step)
        return reject(RejectCode.PRICE_OFF_TICK, price_e4=price, below_e4=below, above_e4=min(highest, below + step))
    return None


def _check_wallet(state: State, account: Account, market: Market, command: c.PlaceOrder) -> list[Event] | None:
    """What only wallets have to meet: the chain must move, the wallet must stay, the contract must take the signature."""
    if not account.is_wallet:
        return None
    if state.chain_halted:
        return reject(RejectCode.CHAIN_HALTED, last_final_ms=state.final_time_s * 1000)
    if account.exit_at_s:
        return reject(RejectCode.WALLET_EXITING, exit_at_s=account.exit_at_s)
    if command.signed is None:
        return None
    return _check_signed(state, account, market, command.signed)


def _check_signed(state: State, account: Account, market: Market, signed: SignedOrder) -> list[Event] | None:
    """Refuse what the contract would skip later: too little life, too low a fee cap, void by watermark or age."""
    earliest = custody.next_not_after_s(state)
    if signed.expiration_s and signed.expiration_s <= earliest:
        return reject(RejectCode.SIGNED_EXPIRY_TOO_SOON, expires_s=signed.expiration_s, earliest_s=earliest)
    rate = max(market.taker_rate_e4, market.maker_rate_e4)
    cap = CONTRACT_FEE_CAP_E4
    if signed.scheme is not OrderScheme.POLYMARKET_V2:
        cap = min(cap, signed.fee_rate_bps)
    if rate > cap:
        return reject(RejectCode.FEE_RATE_BELOW_MARKET, signed_bps=cap, market_bps=rate)
    void = failures.void_field(state, account, signed)
    if void is not None:
        return reject(RejectCode.SIGNED_ORDER_VOID, field=void[0], signed=void[1], lowest=void[2])
    return None


def _check_time_in_force(state: State, account: Account, market: Market, command: c.PlaceOrder) -> list[Event] | None:
    book, side, price = market.book, command.side, command.price_e4
    if command.expires_ms and command.expires_ms <= state.now_ms:
        return reject(RejectCode.EXPIRY_IN_PAST, expires_ms=command.expires_ms, now_ms=state.now_ms)
    if command.post_only and book.crosses(side, price):
        best = book.best_ask_e4 if side is BookSide.BID else book.best_bid_e4
        return reject(RejectCode.POST_ONLY_CROSS, price_e4=price, best_e4=best)
    if command.time_in_force is TimeInForce.FOK:
        fillable = _fillable(state, account, market, command)
        if fillable < command.size_micros:
            return reject(RejectCode.FILL_OR_KILL_UNFILLED, size_micros=command.size_micros, fillable_micros=fillable)
    return None


def _fillable(state: State, account: Account, market: Market, command: c.PlaceOrder) -> int:
    """Return how much of an order would trade now, by walking the book as `_match` will; for an order by amount the whole
    size if its budget can be spent.

    A custodial fill-or-kill order that meets the owner's own behaves like immediate-or-cancel (Kalshi's rule), so own orders
    count as if they traded; a wallet's stops there, and where matching would stop for the chain or the guarantee.
    """
    left, budget, found = command.size_micros, command.budget_micros, 0
    guarantee = state.accounts[GUARANTEE].cash.available
    for maker in market.book.walk(command.side.opposite):
        if (maker.price_e4 > command.price_e4) if command.side is BookSide.BID else (maker.price_e4 < command.price_e4):
            break
        maker_account = state.accounts[maker.account_id]
        if maker.owner == account.owner and account.is_wallet:
            if command.self_trade is SelfTrade.MAKER:
                continue
            break
        own = _own_price(command.side, maker.price_e4)
        size = min(maker.remaining_micros, _affordable(budget, own) if command.budget_micros else left)
        if account.is_wallet is not maker_account.is_wallet:
            wallet_side = command.side if account.is_wallet else maker.side
            guarantee -= risk.guarantee_cost(wallet_side, max_rate(market), maker.price_e4, size)
            if guarantee < 0:
                break
        if state.chain_halted and maker_account.is_wallet:
            break
        found += size
        left -= size
        budget -= cost_micros(size, own)
        if command.budget_micros and size < maker.remaining_micros:
            return command.size_micros
        if left <= 0 and not command.budget_micros:
            break
    return min(found, command.size_micros - 1) if command.budget_micros else found


def max_rate(market: Market) -> int:
    """Return the highest fee rate that a fill in a market may pay."""
    return max(market.taker_rate_e4, market.maker_rate_e4)


def _own_price(side: BookSide, price_e4: int) -> int:
    return price_e4 if side is BookSide.BID else complement_e4(price_e4)


def _affordable(budget_micros: int, own_price_e4: int) -> int:
    """Return the whole lots that a budget buys."""
    return budget_micros * PRICE_SCALE // own_price_e4 // LOT_MICROS * LOT_MICROS


def _new_order(state: State, account: Account, market: Market, command: c.PlaceOrder) -> Order:
    size = command.size_micros
    if command.budget_micros:
        size = MAX_ORDER_MICROS
    order = Order(
        command.order_id,
        command.client_order_id,
        account.account_id,
        account.owner,
        command.ticker,
        command.side,
        command.outcome,
        command.price_e4,
        size,
        command.time_in_force,
        command.post_only,
        command.self_trade,
        _expiry_ms(state, command),
        command.budget_micros,
        command.signed,
        state.seq,
        state.now_ms,
    )
    if order.budget_micros:
        best = market.book.best_ask_e4 if order.side is BookSide.BID else market.book.best_bid_e4
        order.fee_price_e4 = (
            _own_price(order.side, best) if market.book.crosses(order.side, order.price_e4) else order.own_price_e4
        )
    return order


def _expiry_ms(state: State, command: c.PlaceOrder) -> int:
    """Return when the order leaves the book: a signed expiry counts one settlement deadline early, so fills can land."""
    signed = command.signed
    if signed is None or not signed.expiration_s or signed.scheme is OrderScheme.POLYMARKET_V2:
        return command.expires_ms
    latest = (signed.expiration_s - state.settle_deadline_s) * 1000
    return min(command.expires_ms, latest) if command.expires_ms else latest


def _hold(account: Account, market: Market, order: Order) -> list[Event] | None:
    """Hold what the order may cost at most, or say what is missing."""
    rate = max_rate(market)
    if account.is_wallet and not order.opens:
        need = risk.hold_wallet_tokens(account, order)
        if need:
            assert order.outcome is not None
            balance = account.balance(token_asset(market.ticker, order.outcome))
            return reject(
                RejectCode.INSUFFICIENT_TOKENS,
                have_micros=balance.available,
                need_micros=need,
                held_micros=balance.held,
                outcome=order.outcome.name,
            )
        return None
    if account.is_wallet:
        need = risk.hold_wallet_cash(account, order, rate)
    else:
        need = risk.hold_custodial(account, market, order, rate)
    if need:
        cash = account.cash
        return reject(RejectCode.INSUFFICIENT_CASH, have_micros=cash.available, need_micros=need, held_micros=cash.held)
    return None


# --- matching ----------------------------------------------------------------------------------------------------------


def _match(state: State, market: Market, account: Account, taker: Order, events: list[Event]) -> CancelReason | None:
    """Trade with the book until the order is done or nothing crosses. Returns why matching had to stop, if it had to."""
    book = market.book
    budget = taker.budget_micros
    while taker.remaining_micros and book.crosses(taker.side, taker.price_e4):
        maker = book.first(taker.side.opposite)
        assert maker is not None
        if maker.owner == taker.owner:
            if taker.self_trade is SelfTrade.TAKER_AT_CROSS:
                return CancelReason.SELF_TRADE
            cancel_order(state, maker, CancelReason.SELF_TRADE, events)
            continue
        size = min(taker.remaining_micros, maker.remaining_micros)
        if budget:
            own = _own_price(taker.side, maker.price_e4)
            size = min(size, _affordable(budget, own))
            if not size:
                return CancelReason.AMOUNT_SPENT
            budget -= cost_micros(size, own)
        stopped = _execute(state, market, taker, maker, account, size, budget, events)
        if stopped:
            return stopped
    return None


def _execute(
    state: State,
    market: Market,
    taker: Order,
    maker: Order,
    taker_account: Account,
    size: int,
    budget_left: int,
    events: list[Event],
) -> CancelReason | None:
    """Fill both orders at the maker's price: sizes, ledger, holds, fees, chain. Returns a reason not to, if there is one."""
    maker_account = state.accounts[maker.account_id]
    price = maker.price_e4
    on_chain = taker_account.is_wallet or maker_account.is_wallet
    guarantee = 0
    if on_chain:
        if state.chain_halted:
            return CancelReason.CHAIN_HALTED
        if taker_account.is_wallet is not maker_account.is_wallet:
            wallet_side = taker.side if taker_account.is_wallet else maker.side
            guarantee = risk.guarantee_cost(wallet_side, max_rate(market), price, size)
            if guarantee > state.accounts[GUARANTEE].cash.available:
                return CancelReason.GUARANTEE_EXHAUSTED
    sides = []
    for order, account in ((taker, taker_account), (maker, maker_account)):
        close = risk.closing_micros(account, order, size)
        sides.append(custody.Side(order, account, close, size - close))
    taker_side, maker_side = sides
    before = (taker.remaining_micros, maker.remaining_micros)
    _fill_orders(market, taker, maker, size, budget_left)
    match_id = state.next_match
    state.next_match += 1
    reference = f"match:{match_id}"
    lines = list(post(state, reference, match_lines(market, taker_side, maker_side, size, price), events))
    rates = (market.taker_rate_e4, market.maker_rate_e4)
    for side, size_before, rate, reserve in zip(sides, before, rates, (max(rates), rates[1]), strict=True):
        risk.adjust(side.account, market, side.order, size_before, reserve)
        if rate:
            lines += _charge(state, side, rate, price, size, reference, events)
            risk.adjust(side.account, market, side.order, side.order.remaining_micros, reserve)
        if side.account.deliver_free and side.open_micros:
            lines += _deliver_free(state, market, side, reference, events)
    _count_volume(state, market, size, price, taker_side, maker_side)
    operation = -1
    if on_chain:
        if guarantee:
            state.accounts[GUARANTEE].cash.held += guarantee
        operation = custody.queue_fill(
            state,
            market,
            match_id,
            size,
            price,
            taker_side,
            maker_side,
            tuple(lines),
            guarantee,
            events,
        )
    else:
        for side in sides:
            custody.track_custodial(market, side)
        market.unsplit_micros += size - taker_side.close_micros - maker_side.close_micros
    events.append(_matched(state, market, match_id, price, size, taker_side, maker_side, operation))
    if not maker.remaining_micros:
        forget(state, maker)
    for side in sides:
        if side.account.deliver_to and side.open_micros:
            actions.deliver(state, side.account, market, side.buys, side.open_micros, match_id, events)
    return None


def _fill_orders(market: Market, taker: Order, maker: Order, size: int, budget_left: int) -> None:
    market.book.reduce(maker, size)
    maker.filled_micros += size
    taker.remaining_micros -= size
    taker.filled_micros += size
    if taker.budget_micros:
        taker.budget_micros = budget_left
        if not budget_left:
            taker.remaining_micros = 0


def match_lines(market: Market, first: custody.Side, second: custody.Side, size: int, price_e4: int) -> list[Line]:
    """Return the ledger lines of a match without fees; `size` minus both closing parts is what the sets grow by."""
    lines: list[Line] = []
    for side in (first, second):
        account = side.account.account_id
        own = _own_price(side.order.side, price_e4)
        cash = cost_micros(side.close_micros, complement_e4(own)) - cost_micros(side.open_micros, own)
        lines.append((account, CASH, cash))
        lines.append((account, token_asset(market.ticker, side.buys), side.open_micros))
        lines.append((account, token_asset(market.ticker, side.buys.complement), -side.close_micros))
    made = size - first.close_micros - second.close_micros
    lines += supply_lines(market.ticker, made)
    return lines


def supply_lines(ticker: str, sets_micros: int) -> list[Line]:
    """Return the collateral account's lines when sets are made (or, negative, redeemed)."""
    vault = collateral_account(ticker)
    return [
        (vault, CASH, sets_micros),
        (vault, token_asset(ticker, Outcome.YES), -sets_micros),
        (vault, token_asset(ticker, Outcome.NO), -sets_micros),
    ]


def _deliver_free(state: State, market: Market, side: custody.Side, reference: str, events: list[Event]) -> tuple[Line, ...]:
    """The wallet chose that bought tokens arrive in its free half: they leave its vault balance at once."""
    asset = token_asset(market.ticker, side.buys)
    account = side.account.account_id
    return post(state, reference, [(account, asset, -side.open_micros), (OUTSIDE, asset, side.open_micros)], events)


def _charge(
    state: State, side: custody.Side, rate_e4: int, price: int, size: int, reference: str, events: list[Event]
) -> list[Line]:
    """Charge a fill's fee to its account, in favour of equity; never more than the account has free."""
    order = side.order
    exact = fees.numerator(rate_e4, size, price)
    side.fee_micros = min(fees.due_micros(order, exact), max(0, side.account.cash.available))
    order.fee_numerator += exact
    order.fee_charged_micros += side.fee_micros
    account = side.account.account_id
    return list(post(state, reference, [(account, CASH, -side.fee_micros), (EQUITY, CASH, side.fee_micros)], events))


def _count_volume(state: State, market: Market, size: int, price: int, first: custody.Side, second: custody.Side) -> None:
    market.volume_micros += size
    market.previous_price_e4 = market.last_price_e4
    market.last_price_e4 = price
    market.updated_ms = state.now_ms
    market.yes_supply_micros += size - first.close_micros - second.close_micros


def _matched(
    state: State,
    market: Market,
    match_id: int,
    price: int,
    size: int,
    taker: custody.Side,
    maker: custody.Side,
    operation: int,
) -> Matched:
    return Matched(
        match_id,
        market.ticker,
        price,
        size,
        _fill_side(taker),
        _fill_side(maker),
        _pieces(taker, maker),
        operation,
        state.now_ms,
    )


def _fill_side(side: custody.Side) -> FillSide:
    order = side.order
    status = OrderStatus.RESTING if order.remaining_micros else OrderStatus.EXECUTED
    return FillSide(
        order.order_id,
        order.account_id,
        order.side,
        order.outcome,
        side.close_micros,
        side.open_micros,
        side.fee_micros,
        order.remaining_micros,
        status,
    )


def _pieces(first: custody.Side, second: custody.Side) -> tuple[tuple[MatchKind, int], ...]:
    """Cut a match where a custodial side crosses its zero position; each piece has one kind in the ledger."""
    merged = min(first.close_micros, second.close_micros)
    minted = min(first.open_micros, second.open_micros)
    moved = abs(first.close_micros - second.close_micros)
    pieces = ((MatchKind.MERGE, merged), (MatchKind.COMPLEMENTARY, moved), (MatchKind.MINT, minted))
    return tuple(piece for piece in pieces if piece[1])


def _finish(
    state: State,
    market: Market,
    account: Account,
    order: Order,
    stopped: CancelReason | None,
    events: list[Event],
) -> None:
    """Rest what is left of an arriving order, or cancel it."""
    if not order.remaining_micros:
        state.finished_order_ids.add(order.order_id)
        return
    if stopped is None and order.time_in_force is TimeInForce.GTC and not order.budget_micros:
        before = order.remaining_micros
        risk.adjust(account, market, order, before, market.maker_rate_e4)
        market.book.add(order)
        state.orders[order.order_id] = order
        account.open_orders[order.order_id] = order
        if order.expires_ms:
            state.expiries.add((order.expires_ms, order.order_id))
        events.append(OrderRested(order.order_id, market.ticker, order.side, order.price_e4, order.remaining_micros))
        return
    reason = stopped or CancelReason.TIME_IN_FORCE
    release_rest(state, order, reason, events, was_resting=False)


# --- cancelling --------------------------------------------------------------------------------------------------------


def cancel(state: State, command: c.CancelOrder) -> list[Event]:
    """Cancel one order on its owner's behalf."""
    order = state.orders.get(command.order_id)
    if order is None or order.account_id != command.account_id:
        if command.order_id in state.finished_order_ids:
            return reject(RejectCode.ORDER_NOT_OPEN, order_id=command.order_id, status="finished")
        return reject(RejectCode.UNKNOWN_ORDER, order_id=command.order_id)
    events: list[Event] = []
    cancel_order(state, order, CancelReason.BY_USER, events)
    return events


def cancel_many(state: State, command: c.CancelOrders) -> list[Event]:
    """Cancel all open orders of an account, or those in one market."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    events: list[Event] = []
    cancel_all(state, account, command.ticker, CancelReason.BY_USER, events)
    return events


def close(state: State, command: c.CloseMarket) -> list[Event]:
    """Stop trading in a market for good."""
    market = state.markets.get(command.ticker)
    if market is None:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    if market.status is not MarketStatus.ACTIVE:
        return reject(RejectCode.MARKET_INACTIVE, ticker=market.ticker, status=market.status)
    events: list[Event] = []
    close_market(state, market, events)
    return events


_HANDLERS: dict[type[Any], Callable[[State, Any], list[Event]]] = {
    c.OpenAccount: listing.open_account,
    c.RegisterKey: listing.register_key,
    c.RevokeKey: listing.revoke_key,
    c.CreateSeries: listing.create_series,
    c.CreateEvent: listing.create_event,
    c.CreateMarket: listing.create_market,
    c.LinkAccount: listing.link_account,
    c.PlaceOrder: place_order,
    c.CancelOrder: cancel,
    c.CancelOrders: cancel_many,
    c.CreditDeposit: actions.credit_deposit,
    c.Withdraw: actions.withdraw,
    c.SubmitAction: actions.submit_action,
    c.CutBatch: custody.cut_batch,
    c.ObserveBatch: custody.observe_batch,
    c.ConfirmBatch: failures.confirm_batch,
    c.ExpireOperations: failures.expire_operations,
    c.ObserveChain: custody.observe_chain,
    c.ObserveExit: failures.observe_exit,
    c.ObserveWatermark: failures.observe_watermark,
    c.RecordExit: failures.record_exit,
    c.CloseMarket: close,
    c.ResolveMarket: resolution.resolve_market,
    c.ConfirmResolution: resolution.confirm_resolution,
}
