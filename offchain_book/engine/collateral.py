"""Collateral return: what an account's positions in one event pay at least, whatever happens, is advanced to it in cash.

NO in n mutually exclusive markets pays n - 1 dollars at least; YES above a low strike with NO above a higher one pays a dollar.
`scenarios.py` says what is certain. The cash comes from the venue's account `COLLATERAL` and never from anywhere else: when it
is used up, less is advanced, and nothing fails. An advance is a debt in the event (`Account.advances`):

- the positions' payouts cover it, whatever the results are and whatever order they come in, or cash that is held for it does;
- before a position leaves (tokenized, delivered) what it will no longer cover is repaid; a sale repays from its proceeds;
- open orders hold what their fills would leave uncovered (`risk.py`).

Only a result by a fraction can leave less: payouts round down, and what that takes from a repayment, at most a millionth a
market, is written off. The venue's equity has gained it in the same rounding.
"""

from offchain_book.engine import commands as c
from offchain_book.engine import risk, scenarios
from offchain_book.engine.account import Account, Advance
from offchain_book.engine.events import CollateralMoved, CollateralReturnSet, Event
from offchain_book.engine.ledger import check, post
from offchain_book.engine.listing import reject
from offchain_book.engine.market import Market
from offchain_book.engine.names import COLLATERAL, owed_account, token_asset
from offchain_book.engine.operations import Outcome
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State
from offchain_book.engine.units import CASH

ADVANCED = "USD:advanced"
"""The ledger's name of what is owed for advances: an asset of contra accounts alone."""
CLAIMS = "venue:advanced"
"""The contra account of what the venue is owed in all."""


def applies(account: Account) -> bool:
    """Whether an account takes advances: it has asked for them, and it nets."""
    return account.collateral_return and account.netting


def rebalance(state: State, account: Account, market: Market, events: list[Event]) -> None:
    """Bring the advance in a market's event to what the positions pay at least, after one of them or a result changed."""
    event = state.events[market.event_ticker]
    advance = account.advances.get(event.event_ticker)
    if advance is None:
        if not event.collateral_return or not applies(account):
            return
        markets = {ticker: state.markets[ticker] for ticker in event.tickers}
        advance = Advance(event.collateral_return, markets)
    else:
        risk.refresh_advance(account, advance)
        _write_off(state, account, event.event_ticker, advance, events)
    more = _sure(account, advance) - advance.micros
    if more > 0:
        more = min(more, state.accounts[COLLATERAL].cash.available) if applies(account) else 0
    else:  # what orders need the cash for is held with the advance until they are done
        more = max(more, -account.cash.available - advance.hold)
    _move(state, account, event.event_ticker, advance, more, events)


def release(state: State, account: Account, market: Market, outcome: Outcome, amount: int, events: list[Event]) -> None:
    """Repay what positions will no longer cover once `amount` of a token has left; `risk.hold_without` has found it there."""
    advance = account.advances.get(market.event_ticker)
    if advance is None:
        return
    balance = account.balance(token_asset(market.ticker, outcome))
    balance.total -= amount
    sure = _sure(account, advance)
    balance.total += amount
    _move(state, account, market.event_ticker, advance, min(0, sure - advance.micros), events)


def repay_all(state: State, account: Account, events: list[Event]) -> list[Event] | None:
    """Repay every advance, or say what is missing."""
    need = sum(advance.micros - advance.hold for advance in account.advances.values())
    cash = account.cash
    if need > cash.available:
        return reject(RejectCode.INSUFFICIENT_CASH, have_micros=cash.available, need_micros=need, held_micros=cash.held)
    for event_ticker, advance in list(account.advances.items()):
        _move(state, account, event_ticker, advance, -advance.micros, events)
    return None


def advance_all(state: State, account: Account, events: list[Event]) -> None:
    """Advance what every event allows."""
    for event in state.events.values():
        if event.collateral_return and event.tickers:
            rebalance(state, account, state.markets[event.tickers[0]], events)


def set_collateral_return(state: State, command: c.SetCollateralReturn) -> list[Event]:
    """Switch collateral return. Off: every advance is repaid first."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    if account.is_wallet:
        return reject(RejectCode.CUSTODY_MISMATCH, account_id=account.account_id, custody=account.custody)
    events: list[Event] = []
    refused = None if command.enabled else repay_all(state, account, events)
    if refused:
        return refused
    account.collateral_return = command.enabled
    if command.enabled:
        advance_all(state, account, events)
    return [*events, CollateralReturnSet(account.account_id, command.enabled)]


def _sure(account: Account, advance: Advance) -> int:
    return max(0, scenarios.guaranteed_micros(account, advance.kind, advance.markets.values()))


def _move(state: State, account: Account, event_ticker: str, advance: Advance, amount: int, events: list[Event]) -> None:
    """Pay an advance (above zero) or repay one (below)."""
    if amount:
        lines = [
            (account.account_id, CASH, amount),
            (COLLATERAL, CASH, -amount),
            (CLAIMS, ADVANCED, amount),
            (owed_account(account.account_id, event_ticker), ADVANCED, -amount),
        ]
        post(state, f"advance:{account.account_id}:{event_ticker}:{state.seq}", lines, events)
        advance.micros += amount
        account.advances[event_ticker] = advance
        events.append(CollateralMoved(account.account_id, event_ticker, amount, advance.micros))
        risk.refresh_advance(account, advance)
    if not advance.micros:
        account.advances.pop(event_ticker, None)


def _write_off(state: State, account: Account, event_ticker: str, advance: Advance, events: list[Event]) -> None:
    """Forgive what rounding took from the payouts that repay an advance; `advance.hold` has just counted it as missing."""
    short = -account.cash.available
    if short <= 0:
        return
    check(short <= min(advance.micros, len(advance.markets)), f"{account.account_id} cannot repay {short} in {event_ticker}")
    lines = [(CLAIMS, ADVANCED, -short), (owed_account(account.account_id, event_ticker), ADVANCED, short)]
    post(state, f"rounding:{account.account_id}:{event_ticker}:{state.seq}", lines, events)
    advance.micros -= short
    risk.refresh_advance(account, advance)
