"""How large a position may get: limits per market, and a cap on all markets together, of an account or of a beneficial owner.

Both look at the worst case, in which every open order of the growing side fills, so that a limit holds whatever trades next.
An order that only reduces is never refused. An owner's limits count the custodial account, its subaccounts and the linked wallet
together, each by its own worst case: what one holds of YES is not set off against another's NO, since nothing redeems the two.
"""

from typing import NamedTuple

from offchain_book.engine import commands as c
from offchain_book.engine.account import Account
from offchain_book.engine.events import Event, ExposureCapSet, PositionLimitSet
from offchain_book.engine.listing import reject
from offchain_book.engine.market import Market
from offchain_book.engine.names import subaccount_id, token_asset
from offchain_book.engine.operations import NO, YES, Outcome
from offchain_book.engine.order import BID, BookSide
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State
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


class Bounds(NamedTuple):
    """Limits, and the accounts that count towards them."""

    scope: str
    position_limits: dict[str, int]
    exposure_cap_micros: int | None
    accounts: list[Account]

    def limit(self, ticker: str) -> int | None:
        """Return the position limit that applies in a market."""
        return self.position_limits.get(ticker, self.position_limits.get(""))


def bounds_of(state: State, account: Account) -> list[Bounds]:
    """Return what bounds an account: its own limits and its owner's. Most have none."""
    found = []
    if account.position_limits or account.exposure_cap_micros is not None:
        found.append(Bounds("account", account.position_limits, account.exposure_cap_micros, [account]))
    if owner_is_bounded(state, account):
        owner = state.accounts[account.owner]
        members = owner_accounts(state, owner)
        found.append(Bounds("owner", owner.owner_position_limits, owner.owner_exposure_cap_micros, members))
    return found


def owner_is_bounded(state: State, account: Account) -> bool:
    """Whether the account's beneficial owner has limits."""
    owner = state.accounts[account.owner]
    return bool(owner.owner_position_limits) or owner.owner_exposure_cap_micros is not None


def owner_accounts(state: State, owner: Account) -> list[Account]:
    """Return every account of a beneficial owner: the account itself, its subaccounts, the linked wallet."""
    names = [subaccount_id(owner.account_id, number) for number in (0, *owner.subaccounts)]
    if not owner.is_wallet and owner.wallet:
        names.append(owner.wallet)
    return [state.accounts[name] for name in names]


def exposure_micros(state: State, account: Account) -> int:
    """Return the sum over undecided markets of the larger worst-case position."""
    tickers = {asset.rpartition(":")[0] for asset in account.balances if asset != CASH} | account.exposures.keys()
    tickers |= {order.ticker for order in account.open_orders.values()}
    open_tickers = (t for t in tickers if t in state.markets and state.markets[t].yes_payout_micros < 0)
    return sum(max(0, *worst_positions(account, ticker)) for ticker in open_tickers)


def room_micros(state: State, account: Account, market: Market, side: BookSide) -> int | None:
    """Return how many contracts an order that opens on a side may add; None when nothing bounds it."""
    rooms = [room for bounds in bounds_of(state, account) for room in _rooms(state, bounds, account, market, side)]
    return max(0, min(rooms)) if rooms else None


def _worst(bounds: Bounds, account: Account, ticker: str, side: BookSide) -> int:
    """Return what all accounts could reach on a side; only the one that trades may count below zero."""
    place = 0 if side is BID else 1
    others = sum(max(0, worst_positions(other, ticker)[place]) for other in bounds.accounts if other is not account)
    return others + worst_positions(account, ticker)[place]


def _rooms(state: State, bounds: Bounds, account: Account, market: Market, side: BookSide) -> list[int]:
    rooms = []
    limit = bounds.limit(market.ticker)
    if limit is not None:
        rooms.append(limit - _worst(bounds, account, market.ticker, side))
    if bounds.exposure_cap_micros is not None:
        positions = worst_positions(account, market.ticker)
        spare = bounds.exposure_cap_micros - sum(exposure_micros(state, each) for each in bounds.accounts)
        rooms.append(max(0, *positions) + max(0, spare) - positions[0 if side is BID else 1])
    return rooms


def check(state: State, account: Account, market: Market, side: BookSide, more_micros: int) -> list[Event] | None:
    """Refuse what would let the position on an order's side grow beyond a limit of the account or of its owner."""
    for bounds in bounds_of(state, account):
        if more_micros > max(0, min(_rooms(state, bounds, account, market, side), default=more_micros)):
            return _refusal(state, bounds, account, market, side, more_micros)
    return None


def _refusal(
    state: State, bounds: Bounds, account: Account, market: Market, side: BookSide, more_micros: int
) -> list[Event]:
    limit = bounds.limit(market.ticker)
    worst = _worst(bounds, account, market.ticker, side) + more_micros
    if limit is not None and worst > limit:
        return reject(
            RejectCode.POSITION_LIMIT, ticker=market.ticker, scope=bounds.scope, limit_micros=limit, worst_micros=worst
        )
    positions = worst_positions(account, market.ticker)
    here = max(0, *positions)
    total = sum(exposure_micros(state, each) for each in bounds.accounts)
    total += max(here, positions[0 if side is BID else 1] + more_micros) - here
    return reject(
        RejectCode.EXPOSURE_CAP, scope=bounds.scope, limit_micros=bounds.exposure_cap_micros or 0, worst_micros=total
    )


def set_position_limit(state: State, command: c.SetPositionLimit) -> list[Event]:
    """Set or lift a limit of an account, or of its beneficial owner, in one market or in each."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    if command.ticker and command.ticker not in state.markets:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    limits = state.accounts[account.owner].owner_position_limits if command.whole_owner else account.position_limits
    if command.limit_micros is None:
        limits.pop(command.ticker, None)
    elif command.limit_micros < 0:
        return reject(RejectCode.INVALID_LIMIT, limit=command.limit_micros)
    else:
        limits[command.ticker] = command.limit_micros
    return [PositionLimitSet(account.account_id, command.ticker, command.limit_micros, command.whole_owner)]


def set_exposure_cap(state: State, command: c.SetExposureCap) -> list[Event]:
    """Set or lift the cap of an account, or of its beneficial owner."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    if command.cap_micros is not None and command.cap_micros < 0:
        return reject(RejectCode.INVALID_LIMIT, limit=command.cap_micros)
    if command.whole_owner:
        state.accounts[account.owner].owner_exposure_cap_micros = command.cap_micros
    else:
        account.exposure_cap_micros = command.cap_micros
    return [ExposureCapSet(account.account_id, command.cap_micros, command.whole_owner)]
