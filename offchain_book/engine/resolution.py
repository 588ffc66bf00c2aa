"""How a market ends: decided, resolved on chain once its last operation is final, custodial positions paid in the ledger.

YES pays `yes_payout_micros` of a dollar and NO the rest. Every payout rounds down; the pool redeems its own tokens on chain,
and what rounding leaves goes to equity (at most a millionth or two are taken from it, never from an account).
"""

from offchain_book.engine import collateral, custody, risk, scenarios, strikes
from offchain_book.engine import commands as c
from offchain_book.engine.cancels import close_market
from offchain_book.engine.events import (
    Event,
    MarketResolved,
    MarketStatusChanged,
    PositionPaid,
    ResolutionConfirmed,
)
from offchain_book.engine.ledger import check, post
from offchain_book.engine.listing import reject
from offchain_book.engine.operations import Outcome, PoolAction
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import EQUITY, Account, Market, MarketStatus, State, collateral_account, token_asset
from offchain_book.engine.units import CASH, ONE_DOLLAR_MICROS

Line = tuple[str, str, int]


def payout_rounded_down(market: Market, yes_micros: int, no_micros: int) -> int:
    """Return what a position pays together; one rounding."""
    yes = market.yes_payout_micros
    return (yes_micros * yes + no_micros * (ONE_DOLLAR_MICROS - yes)) // ONE_DOLLAR_MICROS


def token_payout_rounded_down(market: Market, outcome: Outcome, amount_micros: int) -> int:
    """Return what the contract pays for one outcome's tokens."""
    if outcome is Outcome.YES:
        return payout_rounded_down(market, amount_micros, 0)
    return payout_rounded_down(market, 0, amount_micros)


def resolve_market(state: State, command: c.ResolveMarket) -> list[Event]:
    """Decide a market. Trading ends now if it has not ended yet; the chain follows when the last operation is final."""
    market = state.markets.get(command.ticker)
    if market is None:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    if market.yes_payout_micros >= 0:
        return reject(RejectCode.ALREADY_RESOLVED, ticker=market.ticker)
    if not 0 <= command.yes_payout_micros <= ONE_DOLLAR_MICROS:
        return reject(RejectCode.INVALID_PAYOUT, payout_micros=command.yes_payout_micros)
    refused = check_consistent(state, market, command.yes_payout_micros)
    if refused:
        return refused
    events: list[Event] = []
    if market.status is MarketStatus.ACTIVE:
        close_market(state, market, events)
    market.yes_payout_micros = command.yes_payout_micros
    market.resolution_source = command.source
    market.resolved_ms = state.now_ms
    market.updated_ms = state.now_ms
    market.status = MarketStatus.DETERMINED
    events.append(MarketStatusChanged(market.ticker, market.status))
    events.append(MarketResolved(market.ticker, market.yes_payout_micros))
    return events


def check_consistent(state: State, market: Market, yes_payout_micros: int) -> list[Event] | None:
    """Refuse a result that contradicts the decided markets of an event with exclusive markets or ordered strikes."""
    kind = state.events[market.event_ticker].collateral_return
    lowest, highest = scenarios.payout_bounds(market, kind, scenarios.event_markets(state, market.event_ticker))
    if lowest <= yes_payout_micros <= highest:
        return None
    return reject(
        RejectCode.INCONSISTENT_RESULT,
        ticker=market.ticker,
        event_ticker=market.event_ticker,
        payout_micros=yes_payout_micros,
        lowest_micros=lowest,
        highest_micros=highest,
    )


def resolve_event(state: State, command: c.ResolveEvent) -> list[Event]:
    """Decide every open market of an event by one value: all of them or, when one cannot be, none."""
    if command.event_ticker not in state.events:
        return reject(RejectCode.UNKNOWN_EVENT, event_ticker=command.event_ticker)
    payouts: list[tuple[Market, int]] = []
    for market in scenarios.event_markets(state, command.event_ticker):
        payout = strikes.payout_at(market, command.value_e6)
        if payout is None:
            return reject(RejectCode.NO_STRIKE, ticker=market.ticker, strike_type=market.strike_type)
        if market.yes_payout_micros < 0:
            refused = check_consistent(state, market, payout)
            if refused:
                return refused
            payouts.append((market, payout))
    if not payouts:
        return reject(RejectCode.ALREADY_RESOLVED, ticker=command.event_ticker)
    events: list[Event] = []
    for market, payout in payouts:
        events += resolve_market(state, c.ResolveMarket(market.ticker, payout, command.source))
    return events


def confirm_resolution(state: State, command: c.ConfirmResolution) -> list[Event]:
    """The chain carries the outcome: pay every custodial position and let the pool redeem."""
    market = state.markets.get(command.ticker)
    if market is None:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    if market.resolved_on_chain:
        return reject(RejectCode.ALREADY_RESOLVED, ticker=market.ticker)
    check(command.yes_payout_micros == market.yes_payout_micros, f"{market.ticker} resolved differently on chain")
    check(market.open_operations == 0, f"{market.ticker} resolved on chain with operations in flight")
    market.resolved_on_chain = True
    market.status = MarketStatus.FINALIZED
    market.updated_ms = state.now_ms
    events: list[Event] = [
        ResolutionConfirmed(market.ticker, market.yes_payout_micros, command.tx_hash),
        MarketStatusChanged(market.ticker, market.status),
    ]
    pay_market(state, market, events)
    return events


def pay_market(state: State, market: Market, events: list[Event]) -> None:
    """Pay every custodial position of a resolved market and queue the pool's redemption of the tokens behind them."""
    paid = 0
    for account in state.accounts.values():
        if account.is_wallet:
            continue
        yes, no = (account.balance(token_asset(market.ticker, outcome)).total for outcome in Outcome)
        if yes or no:
            paid += _pay(state, market, account, yes, no, events)
        collateral.rebalance(state, account, market, events)
    pool = {Outcome.YES: market.pool_yes_micros, Outcome.NO: market.pool_no_micros}
    redeemed = sum(token_payout_rounded_down(market, outcome, amount) for outcome, amount in pool.items())
    remainder = redeemed + market.unsplit_micros - paid
    lines = [(EQUITY, CASH, remainder), (collateral_account(market.ticker), CASH, -remainder)]
    post(state, f"remainder:{market.ticker}:{state.seq}", lines, events)
    market.custodial_yes_micros = market.custodial_no_micros = market.unsplit_micros = 0
    state.pool_cash_micros += redeemed
    for outcome, amount in pool.items():
        if amount:
            custody.queue_pool(state, market, PoolAction.REDEEM, amount, events, outcome=outcome)


def _pay(state: State, market: Market, account: Account, yes: int, no: int, events: list[Event]) -> int:
    """Turn one position into its payout, and return that."""
    payout = payout_rounded_down(market, yes, no)
    reference = f"payout:{market.ticker}:{account.account_id}"
    post(state, reference, payout_lines(market, account.account_id, yes, no, payout), events)
    risk.refresh(account, market)
    exact = yes * market.yes_payout_micros + no * (ONE_DOLLAR_MICROS - market.yes_payout_micros)
    events.append(PositionPaid(account.account_id, market.ticker, yes, no, payout, exact % ONE_DOLLAR_MICROS))
    return payout


def payout_lines(market: Market, account_id: str, yes: int, no: int, payout: int) -> list[Line]:
    """Return the lines that turn a position into its payout."""
    vault = collateral_account(market.ticker)
    lines = [(account_id, CASH, payout), (vault, CASH, -payout)]
    for outcome, amount in ((Outcome.YES, yes), (Outcome.NO, no)):
        asset = token_asset(market.ticker, outcome)
        lines += [(account_id, asset, -amount), (vault, asset, amount)]
    return lines


def redemption_lines(market: Market, wallet: str, outcome: Outcome, amount_micros: int) -> list[Line]:
    """Return the lines of a wallet's redemption of one outcome's tokens on chain."""
    yes, no = (amount_micros, 0) if outcome is Outcome.YES else (0, amount_micros)
    return payout_lines(market, wallet, yes, no, token_payout_rounded_down(market, outcome, amount_micros))
