"""Who may place what: the checks of an arriving order, in the order of their reporting. Nothing here changes state."""

from offchain_book.engine import commands as c
from offchain_book.engine import custody, groups, limits, risk
from offchain_book.engine.events import Event
from offchain_book.engine.listing import reject
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide, TimeInForce
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import Account, Market, MarketStatus, State
from offchain_book.engine.units import LOT_MICROS, PRICE_SCALE, complement_e4, cost_micros

MAX_ORDER_MICROS = 1_000_000_000_000
"""Largest order: a million contracts."""
MAX_OPEN_ORDERS = 200_000
"""Most open orders of one account."""


def check_request(state: State, account: Account, market: Market, command: c.PlaceOrder) -> list[Event] | None:
    """Check what an order says, before it is known how large it may be."""
    return (
        _check_identity(state, account, command)
        or check_market(state, market)
        or check_size(command.size_micros)
        or check_price(market, command.price_e4)
        or _check_options(account, command)
        or (check_wallet(state, account, command) if account.is_wallet else None)
        or (groups.check(account, command.group_id) if command.group_id else None)
    )


def check_now(state: State, account: Account, market: Market, command: c.PlaceOrder, size_micros: int) -> list[Event] | None:
    """Check what depends on the book and the account at this moment."""
    return (
        check_expiry(state, command.expires_ms)
        or (check_post_only(market, command.side, command.price_e4) if command.post_only else None)
        or _check_fill_or_kill(market, command, size_micros)
        or _check_limits(state, account, market, command, size_micros)
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
    if command.order_id in state.orders or command.order_id in state.finished_order_ids:
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


def check_market(state: State, market: Market) -> list[Event] | None:
    """Check that a market trades now."""
    if market.status is not MarketStatus.ACTIVE:
        return reject(RejectCode.MARKET_INACTIVE, ticker=market.ticker, status=market.status)
    if state.now_ms < market.open_ms:
        return reject(RejectCode.MARKET_INACTIVE, ticker=market.ticker, status="initialized")
    return None


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
    at_once = command.time_in_force is not TimeInForce.GTC
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


def check_wallet(state: State, account: Account, command: c.PlaceOrder) -> list[Event] | None:
    """Check what only wallets have to meet: the chain must move, the wallet must stay, the signature must last."""
    if state.chain_halted:
        return reject(RejectCode.CHAIN_HALTED, last_final_ms=state.final_time_s * 1000)
    if account.exit_at_s:
        return reject(RejectCode.WALLET_EXITING, exit_at_s=account.exit_at_s)
    if command.signed is not None and command.signed.expiration_s:
        earliest = custody.next_not_after_s(state)
        if command.signed.expiration_s <= earliest:
            return reject(RejectCode.SIGNED_EXPIRY_TOO_SOON, expires_s=command.signed.expiration_s, earliest_s=earliest)
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
        best = book.best_ask_e4 if side is BookSide.BID else book.best_bid_e4
        return reject(RejectCode.POST_ONLY_CROSS, price_e4=price, best_e4=best)
    return None


def _check_fill_or_kill(market: Market, command: c.PlaceOrder, size_micros: int) -> list[Event] | None:
    """Check that all of it could trade now. The owner's own orders count: an order that meets one ends like an IOC."""
    if command.time_in_force is not TimeInForce.FOK:
        return None
    fillable = _fillable(market, command, size_micros)
    if fillable < size_micros:
        return reject(RejectCode.FILL_OR_KILL_UNFILLED, size_micros=size_micros, fillable_micros=fillable)
    return None


def _fillable(market: Market, command: c.PlaceOrder, wanted: int) -> int:
    """Return how much could trade now, in contracts; for an order by amount its whole size when the budget can go."""
    left = command.budget_micros or command.max_cost_micros
    if not left:
        return market.book.fillable(command.side, command.price_e4, wanted)
    found = 0
    for level_price, level_size in market.book.depth(command.side.opposite):
        if (level_price > command.price_e4) if command.side is BookSide.BID else (level_price < command.price_e4):
            break
        own = own_price_e4(command.side, level_price)
        limit = level_size if command.budget_micros else min(level_size, wanted - found)
        size = min(limit, affordable_micros(left, own))
        left -= cost_micros(size, own)
        found += size
        if command.budget_micros and size < level_size:
            return wanted
        if size < level_size:
            break
    return min(found, wanted - 1) if command.budget_micros else found


def _check_limits(
    state: State, account: Account, market: Market, command: c.PlaceOrder, size_micros: int
) -> list[Event] | None:
    if not account.position_limits and account.exposure_cap_micros is None:
        return None
    if command.reduce_only or (account.is_wallet and not _opens(command)):
        return None
    more = LOT_MICROS if command.budget_micros else size_micros
    return limits.check(state, account, market, command.side, more)


def _opens(command: c.PlaceOrder) -> bool:
    """Whether a wallet's order buys its token."""
    return (command.outcome is Outcome.YES) is (command.side is BookSide.BID)


def own_price_e4(side: BookSide, price_e4: int) -> int:
    """Return what a contract costs on a side of the book."""
    return price_e4 if side is BookSide.BID else complement_e4(price_e4)


def affordable_micros(budget_micros: int, own_price_e4: int) -> int:
    """Return the whole lots that a budget buys."""
    return budget_micros * PRICE_SCALE // own_price_e4 // LOT_MICROS * LOT_MICROS
