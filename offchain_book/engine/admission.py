"""Who may place what: the checks of an arriving order, in the order of their reporting. Nothing here changes state."""

from offchain_book.engine import claims, custody, failures, groups, limits, memory, outflow, risk
from offchain_book.engine import commands as c
from offchain_book.engine.account import Account
from offchain_book.engine.events import Event
from offchain_book.engine.fees import CONTRACT_CAP_E4
from offchain_book.engine.listing import reject
from offchain_book.engine.market import Market, MarketStatus
from offchain_book.engine.names import GUARANTEE
from offchain_book.engine.operations import NATIVE, POLYMARKET_V2, YES, SignedOrder
from offchain_book.engine.order import BID, FOK, GTC, BookSide, SelfTrade
from offchain_book.engine.outflow import COUNTS_FILLS
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State
from offchain_book.engine.units import LOT_MICROS, PRICE_SCALE, complement_e4, cost_micros

MAX_ORDER_MICROS = 1_000_000_000_000
"""Largest order: a million contracts."""
MAX_OPEN_ORDERS = 200_000
"""Most open orders of one account."""


def check_request(state: State, account: Account, market: Market, command: c.PlaceOrder) -> list[Event] | None:
    """Check what an order says, before it is known how large it may be."""
    return (
        _check_identity(state, account, command)
        or (_suspended(account) if account.suspended else None)
        or check_market(state, market)
        or check_size(command.size_micros)
        or check_price(market, command.price_e4)
        or (
            _check_options(account, command)
            if command.max_cost_micros or command.reduce_only or command.budget_micros < 0
            else None
        )
        or (_check_wallet(state, account, market, command) if account.is_wallet else None)
        or (groups.check(account, command.group_id) if command.group_id else None)
    )


def check_now(state: State, account: Account, market: Market, command: c.PlaceOrder, size_micros: int) -> list[Event] | None:
    """Check what depends on the book and the account at this moment."""
    return (
        (check_expiry(state, command.expires_ms) if command.expires_ms else None)
        or (check_post_only(market, command.side, command.price_e4) if command.post_only else None)
        or (_check_outflow(state, account, market, command, size_micros) if state.contract_version >= COUNTS_FILLS else None)
        or (_check_fill_or_kill(state, account, market, command, size_micros) if command.time_in_force is FOK else None)
        or (
            _check_limits(state, account, market, command, size_micros)
            if account.position_limits or account.exposure_cap_micros is not None or limits.owner_is_bounded(state, account)
            else None
        )
    )


def wanted_micros(account: Account, market: Market, command: c.PlaceOrder) -> int:
    """Return the order's size; reduce-only caps a custodial order at the position that it closes."""
    size = command.size_micros
    if command.reduce_only and not account.is_wallet:
        return min(size, risk.reducible_micros(account, market, command.side))
    return size


def by_amount_micros(state: State, account: Account, market: Market, side: BookSide) -> int:
    """Return the size of an order by amount: what its budget does not bound, a position limit may."""
    room = limits.room_micros(state, account, market, side)
    return MAX_ORDER_MICROS if room is None else min(MAX_ORDER_MICROS, room - room % LOT_MICROS)


def _check_identity(state: State, account: Account, command: c.PlaceOrder) -> list[Event] | None:
    if command.order_id in state.orders or memory.is_finished(state, command.order_id):
        return reject(RejectCode.DUPLICATE_ORDER_ID, order_id=command.order_id)
    if command.client_order_id:
        known = account.client_order_ids.get(command.client_order_id)
        if known is not None:
            return reject(RejectCode.DUPLICATE_CLIENT_ORDER_ID, client_order_id=command.client_order_id, order_id=known)
    if account.is_wallet is (command.outcome is None):
        return reject(RejectCode.CUSTODY_MISMATCH, account_id=account.account_id, custody=account.custody)
    if len(account.open_orders) >= MAX_OPEN_ORDERS:
        return reject(RejectCode.TOO_MANY_OPEN_ORDERS, limit=MAX_OPEN_ORDERS)
    return None


def _suspended(account: Account) -> list[Event]:
    return reject(RejectCode.ACCOUNT_SUSPENDED, account_id=account.account_id, reason=account.suspended)


def check_market(state: State, market: Market) -> list[Event] | None:
    """Check that a market trades now."""
    if state.frozen:
        return reject(RejectCode.FROZEN, reason=state.frozen)
    if market.status is MarketStatus.ACTIVE:
        return None
    if market.status is MarketStatus.INITIALIZED:
        return reject(RejectCode.MARKET_NOT_OPEN_YET, ticker=market.ticker, status=market.status, opens_ms=market.open_ms)
    return reject(RejectCode.MARKET_INACTIVE, ticker=market.ticker, status=market.status)


def check_size(size: int) -> list[Event] | None:
    """Check that a size is a positive number of lots."""
    if size <= 0:
        return reject(RejectCode.SIZE_NOT_POSITIVE, size_micros=size)
    if size % LOT_MICROS:
        below = size - size % LOT_MICROS
        return reject(RejectCode.SIZE_OFF_LOT, size_micros=size, below_micros=below, above_micros=below + LOT_MICROS)
    if size > MAX_ORDER_MICROS:
        return reject(RejectCode.SIZE_TOO_LARGE, size_micros=size, limit_micros=MAX_ORDER_MICROS)
    return None


def check_price(market: Market, price: int) -> list[Event] | None:
    """Check that a price is on the market's grid."""
    for lowest, highest, step in market.price_ranges:
        if lowest <= price <= highest and not price % step:
            return None
    lowest, highest = market.price_ranges[0][0], market.price_ranges[-1][1]
    if not lowest <= price <= highest:
        return reject(RejectCode.PRICE_OUT_OF_RANGE, price_e4=price, lowest_e4=lowest, highest_e4=highest)
    step = market.tick_at(price)
    if price % step:
        below = max(lowest, price - price % step)
        return reject(RejectCode.PRICE_OFF_TICK, price_e4=price, below_e4=below, above_e4=min(highest, below + step))
    return None


def _check_options(account: Account, command: c.PlaceOrder) -> list[Event] | None:
    """Refuse options that do not go together: an option that is ignored would make it another order."""
    at_once = command.time_in_force is not GTC
    if command.budget_micros < 0:
        return reject(RejectCode.AMOUNT_NOT_POSITIVE, amount_micros=command.budget_micros)
    if command.max_cost_micros:
        if command.max_cost_micros < 0:
            return reject(RejectCode.AMOUNT_NOT_POSITIVE, amount_micros=command.max_cost_micros)
        if not at_once:
            return reject(RejectCode.OPTION_CONFLICT, option="maximum cost", needs="immediate-or-cancel or fill-or-kill")
        if command.budget_micros:
            return reject(RejectCode.OPTION_CONFLICT, option="maximum cost", needs="an order by size")
    if command.reduce_only:
        if account.is_wallet and _opens(command):
            return reject(RejectCode.OPTION_CONFLICT, option="reduce-only", needs="a sale")
        if not account.is_wallet and not at_once:
            return reject(RejectCode.OPTION_CONFLICT, option="reduce-only", needs="immediate-or-cancel or fill-or-kill")
    return None


def _check_wallet(state: State, account: Account, market: Market, command: c.PlaceOrder) -> list[Event] | None:
    """What only wallets have to meet: the chain must move, the wallet must stay, the contract must take the signature."""
    if state.chain_halted:
        return reject(RejectCode.CHAIN_HALTED, last_final_ms=state.final_time_s * 1000)
    if account.exit_at_s:
        return reject(RejectCode.WALLET_EXITING, exit_at_s=account.exit_at_s)
    if command.signed is None:
        return None
    return _check_signed(state, account, market, command.signed)


def fee_cap_e4(signed: SignedOrder) -> int:
    """Return the highest rate that the contract lets a signed order pay."""
    if signed.scheme is POLYMARKET_V2:
        return CONTRACT_CAP_E4
    return min(CONTRACT_CAP_E4, signed.fee_rate_bps)


def _check_signed(state: State, account: Account, market: Market, signed: SignedOrder) -> list[Event] | None:
    """Refuse what the contract would skip later: too little life, too low a fee cap, void by watermark or age."""
    earliest = custody.next_not_after_s(state)
    if signed.expiration_s and signed.expiration_s <= earliest:
        return reject(RejectCode.SIGNED_EXPIRY_TOO_SOON, expires_s=signed.expiration_s, earliest_s=earliest)
    cap = fee_cap_e4(signed)
    if market.max_rate_e4 > cap:
        return reject(RejectCode.FEE_RATE_BELOW_MARKET, signed_bps=cap, market_bps=market.max_rate_e4)
    void = failures.void_field(state, account, signed)
    if void is not None:
        return reject(RejectCode.SIGNED_ORDER_VOID, field=void[0], signed=void[1], lowest=void[2])
    if memory.is_too_old(state, signed):
        lowest = state.signed_from_ms
        return reject(RejectCode.SIGNED_ORDER_VOID, field="timestamp", signed=signed.timestamp_ms, lowest=lowest)
    taken_by = claims.holder(account, signed)
    if taken_by and signed.scheme is NATIVE:
        return reject(RejectCode.SIGNED_NONCE_TAKEN, nonce=signed.nonce, order_id=taken_by)
    if taken_by:
        return reject(RejectCode.SIGNED_TAG_TAKEN, order_id=taken_by)
    return None


def check_expiry(state: State, expires_ms: int) -> list[Event] | None:
    """Check that an expiry lies ahead; 0 is none."""
    if expires_ms and expires_ms <= state.now_ms:
        return reject(RejectCode.EXPIRY_IN_PAST, expires_ms=expires_ms, now_ms=state.now_ms)
    return None


def check_post_only(market: Market, side: BookSide, price: int) -> list[Event] | None:
    """Check that an order would not trade at once."""
    book = market.book
    if book.crosses(side, price):
        best = book.best_ask_e4 if side is BID else book.best_bid_e4
        return reject(RejectCode.POST_ONLY_CROSS, price_e4=price, best_e4=best)
    return None


def _check_outflow(
    state: State, account: Account, market: Market, command: c.PlaceOrder, size_micros: int
) -> list[Event] | None:
    budget = command.budget_micros or command.max_cost_micros
    size = MAX_ORDER_MICROS if command.budget_micros else size_micros
    return check_outflow(state, account, market, command.side, command.price_e4, size, budget)


def check_outflow(
    state: State, account: Account, market: Market, side: BookSide, price_e4: int, size_micros: int, budget_micros: int = 0
) -> list[Event] | None:
    """Refuse an order whose first match is more than the pool's outflow limit leaves: it could neither trade nor rest."""
    maker = (market.book.asks if side is BID else market.book.bids).best.head
    if maker is None or maker.account.is_wallet is account.is_wallet or not market.book.crosses(side, price_e4):
        return None
    if maker.account.owner == account.owner:
        return None
    size = min(size_micros, maker.remaining_micros)
    if budget_micros:
        size = min(size, affordable_micros(budget_micros, own_price_e4(side, maker.price_e4)))
    return outflow.refuse(state, outflow.fill_micros(maker.side if account.is_wallet else side, maker.price_e4, size))


def _check_fill_or_kill(
    state: State, account: Account, market: Market, command: c.PlaceOrder, size_micros: int
) -> list[Event] | None:
    """Check that all of it could trade now."""
    fillable = _fillable(state, account, market, command, size_micros)
    if fillable < size_micros:
        return reject(RejectCode.FILL_OR_KILL_UNFILLED, size_micros=size_micros, fillable_micros=fillable)
    return None


def _fillable(state: State, account: Account, market: Market, command: c.PlaceOrder, wanted: int) -> int:
    """Return how much of an order would trade now, by walking the book as `match` will; for an order by amount the whole
    size if its budget can be spent.

    A custodial fill-or-kill order that meets the owner's own behaves like immediate-or-cancel (Kalshi's rule), so own orders
    count as if they traded; a wallet's stops there. Both stop where matching would: for the chain, the guarantee, the outflow
    limit or the group.
    """
    by_amount, left, found = command.budget_micros > 0, wanted, 0
    budget = command.budget_micros or command.max_cost_micros
    bounded = budget > 0
    guarantee = state.accounts[GUARANTEE].cash.available
    may_lose = outflow.left_for_fills_micros(state)
    room = groups.room_micros(account.groups[command.group_id], state.now_ms) if command.group_id else MAX_ORDER_MICROS
    for maker in market.book.walk(command.side.opposite):
        if (maker.price_e4 > command.price_e4) if command.side is BID else (maker.price_e4 < command.price_e4):
            break
        if maker.account.owner == account.owner and account.is_wallet:
            if command.self_trade is SelfTrade.MAKER:
                continue
            break
        own = own_price_e4(command.side, maker.price_e4)
        size = maker.remaining_micros if by_amount else min(left, maker.remaining_micros)
        if bounded:
            size = min(size, affordable_micros(budget, own))
        if account.is_wallet is not maker.account.is_wallet:
            wallet_side = command.side if account.is_wallet else maker.side
            guarantee -= risk.guarantee_cost(wallet_side, market.fees.highest, maker.price_e4, size)
            if guarantee < 0:
                break
            if may_lose is not None:
                may_lose -= outflow.fill_micros(wallet_side.opposite, maker.price_e4, size)
                if may_lose < 0:
                    break
        if state.chain_halted and maker.account.is_wallet:
            break
        found += size
        left -= size
        budget -= cost_micros(size, own)
        if by_amount and (not affordable_micros(budget, own) if command.to_the_last else size < maker.remaining_micros):
            return wanted
        if found >= room or (left <= 0 and not by_amount) or (bounded and not size):
            break
    return min(found, wanted - 1) if by_amount else found


def fee_price_e4(market: Market, command: c.PlaceOrder) -> int:
    """Return the best own price at which an order would trade now, where a dollar of its budget pays the highest fee."""
    book, side = market.book, command.side
    if not book.crosses(side, command.price_e4):
        return own_price_e4(side, command.price_e4)
    return own_price_e4(side, book.best_ask_e4 if side is BID else book.best_bid_e4)


def _check_limits(
    state: State, account: Account, market: Market, command: c.PlaceOrder, size_micros: int
) -> list[Event] | None:
    if command.reduce_only or (account.is_wallet and not _opens(command)):
        return None
    more = LOT_MICROS if command.budget_micros else size_micros
    return limits.check(state, account, market, command.side, more)


def _opens(command: c.PlaceOrder) -> bool:
    """Whether a wallet's order buys its token."""
    return (command.outcome is YES) is (command.side is BID)


def own_price_e4(side: BookSide, price_e4: int) -> int:
    """Return what a contract costs on a side of the book."""
    return price_e4 if side is BID else complement_e4(price_e4)


def affordable_micros(budget_micros: int, own_price_e4: int) -> int:
    """Return the whole lots that a budget buys."""
    return budget_micros * PRICE_SCALE // own_price_e4 // LOT_MICROS * LOT_MICROS
