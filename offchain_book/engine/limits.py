"""How large a position may get: limits per account and market, and a cap on all markets together.

Both look at the worst case, in which every open order of the growing side fills, so that a limit holds whatever trades next.
An order that only reduces is never refused. Each account counts for itself: subaccounts and linked wallets have limits of
their own.
"""

from offchain_book.engine import commands as c
from offchain_book.engine.events import Event, ExposureCapSet, PositionLimitSet
from offchain_book.engine.listing import reject
from offchain_book.engine.operations import NO, YES, Outcome
from offchain_book.engine.order import BID, BookSide
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import Account, Market, State, token_asset
from offchain_book.engine.units import CASH


def worst_positions(account: Account, ticker: str) -> tuple[int, int]:
    """Return the YES and the NO position that the account could reach with its open orders in a market."""
    yes, no = (account.balance(token_asset(ticker, outcome)).total for outcome in Outcome)
    if account.is_wallet:
        for order in account.open_orders.values():
            if order.ticker == ticker and order.opens:
                yes += order.remaining_micros if order.outcome is YES else 0
                no += order.remaining_micros if order.outcome is NO else 0
        return yes, no
    exposure = account.exposures.get(ticker)
    bids, asks = (exposure.bid_size, exposure.ask_size) if exposure is not None else (0, 0)
    if account.netting:
        return yes - no + bids, no - yes + asks
    return yes + bids, no + asks


def exposure_micros(state: State, account: Account) -> int:
    """Return the sum over undecided markets of the larger worst-case position."""
    tickers = {asset.rpartition(":")[0] for asset in account.balances if asset != CASH} | account.exposures.keys()
    tickers |= {order.ticker for order in account.open_orders.values()}
    open_tickers = (t for t in tickers if t in state.markets and state.markets[t].yes_payout_micros < 0)
    return sum(max(0, *worst_positions(account, ticker)) for ticker in open_tickers)


def _position_limit(account: Account, ticker: str) -> int | None:
    return account.position_limits.get(ticker, account.position_limits.get(""))


def room_micros(state: State, account: Account, market: Market, side: BookSide) -> int | None:
    """Return how many contracts an order that opens on a side may add; None when nothing bounds it."""
    limit = _position_limit(account, market.ticker)
    if limit is None and account.exposure_cap_micros is None:
        return None
    yes, no = worst_positions(account, market.ticker)
    worst = yes if side is BID else no
    rooms = [] if limit is None else [limit - worst]
    if account.exposure_cap_micros is not None:
        here = max(0, yes, no)
        spare = account.exposure_cap_micros - exposure_micros(state, account)
        rooms.append(here + max(0, spare) - worst)
    return max(0, min(rooms))


def check(state: State, account: Account, market: Market, side: BookSide, more_micros: int) -> list[Event] | None:
    """Refuse what would let the position on an order's side grow beyond a limit."""
    room = room_micros(state, account, market, side)
    if room is None or more_micros <= room:
        return None
    limit = _position_limit(account, market.ticker)
    positions = worst_positions(account, market.ticker)
    worst = positions[0 if side is BID else 1] + more_micros
    if limit is not None and worst > limit:
        return reject(RejectCode.POSITION_LIMIT, ticker=market.ticker, limit_micros=limit, worst_micros=worst)
    here = max(0, *positions)
    total = exposure_micros(state, account) - here + max(here, worst)
    return reject(RejectCode.EXPOSURE_CAP, limit_micros=account.exposure_cap_micros or 0, worst_micros=total)


def set_position_limit(state: State, command: c.SetPositionLimit) -> list[Event]:
    """Set or lift an account's limit in one market or in each."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    if command.ticker and command.ticker not in state.markets:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    if command.limit_micros is None:
        account.position_limits.pop(command.ticker, None)
    elif command.limit_micros < 0:
        return reject(RejectCode.INVALID_LIMIT, limit=command.limit_micros)
    else:
        account.position_limits[command.ticker] = command.limit_micros
    return [PositionLimitSet(account.account_id, command.ticker, command.limit_micros)]


def set_exposure_cap(state: State, command: c.SetExposureCap) -> list[Event]:
    """Set or lift an account's cap."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    if command.cap_micros is not None and command.cap_micros < 0:
        return reject(RejectCode.INVALID_LIMIT, limit=command.cap_micros)
    account.exposure_cap_micros = command.cap_micros
    return [ExposureCapSet(account.account_id, command.cap_micros)]
