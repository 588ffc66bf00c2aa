"""How a market ends: decided or void, perhaps disputed and amended while its settlement timer runs, then resolved on chain
once its last operation is final, and custodial positions paid in the ledger.

    closed -> determined -> finalized        determined -> disputed -> determined | amended -> finalized

YES pays `yes_payout_micros` of a dollar and NO the rest. Every payout rounds down; the pool redeems its own tokens on chain,
and what rounding leaves goes to equity (at most a millionth or two are taken from it, never from an account).
"""

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import collateral, custody, risk, scenarios, strikes
from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine.account import Account
from offchain_book.engine.cancels import close_market
from offchain_book.engine.chain_events import ResolutionConfirmed
from offchain_book.engine.events import Event
from offchain_book.engine.ledger import check, post
from offchain_book.engine.lifecycle import OPEN_STATES, check_early_close, set_status
from offchain_book.engine.listing import reject
from offchain_book.engine.market import Market, MarketStatus
from offchain_book.engine.market_events import (
    MarketResolved,
    MarketVoided,
    PositionPaid,
    ResolutionDisputed,
    ResolutionReleased,
)
from offchain_book.engine.names import EQUITY, collateral_account, token_asset
from offchain_book.engine.operations import Outcome, PoolAction
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import Due, State
from offchain_book.engine.units import CASH, ONE_DOLLAR_MICROS, PRICE_SCALE

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
    refused = check_early_close(market) or check_consistent(state, market, command.yes_payout_micros)
    if refused:
        return refused
    events: list[Event] = []
    _decide(state, market, MarketStatus.DETERMINED, command.yes_payout_micros, command.source, events)
    return events


def _decide(state: State, market: Market, status: MarketStatus, payout: int, source: str, events: list[Event]) -> None:
    """Note an outcome; trading ends, and the settlement timer starts."""
    if market.status in OPEN_STATES:
        close_market(state, market, events)
    market.yes_payout_micros = payout
    market.resolution_source = source
    market.resolved_ms = state.now_ms
    market.settles_ms = state.now_ms + market.settlement_timer_s * 1_000
    set_status(state, market, status, events)
    events.append(MarketResolved(market.ticker, payout))
    if market.settlement_timer_s:
        state.put_on_agenda(market.settles_ms, Due.RELEASE, market.ticker)
    else:
        events.append(ResolutionReleased(market.ticker))


def release(state: State, ticker: str, events: list[Event]) -> None:
    """The settlement timer has run out: the outcome stands and may go to the chain."""
    events.append(ResolutionReleased(ticker))


def is_released(state: State, market: Market) -> bool:
    """Whether a market's outcome stands and may be carried to the chain."""
    decided = market.status in (MarketStatus.DETERMINED, MarketStatus.AMENDED)
    return decided and market.settles_ms <= state.now_ms


def void_market(state: State, command: m.VoidMarket) -> list[Event]:
    """End a market without an outcome: every set still pays its dollar, YES and NO share it at a fair value (ADR 0018)."""
    market = state.markets.get(command.ticker)
    if market is None:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    if not market.undecided and market.status is not MarketStatus.DISPUTED:
        return reject(RejectCode.ALREADY_RESOLVED, ticker=market.ticker)
    payout = fair_payout_micros(state, market) if command.yes_payout_micros is None else command.yes_payout_micros
    if not 0 <= payout <= ONE_DOLLAR_MICROS:
        return reject(RejectCode.INVALID_PAYOUT, payout_micros=payout)
    refused = check_consistent(state, market, payout)
    if refused:
        return refused
    events: list[Event] = []
    _void(state, market, payout, command.reason, events)
    return events


def _void(state: State, market: Market, payout: int, reason: str, events: list[Event]) -> None:
    status = MarketStatus.DETERMINED if market.undecided else MarketStatus.AMENDED
    market.voided = True
    events.append(MarketVoided(market.ticker, reason))
    _decide(state, market, status, payout, f"void: {reason}", events)


def fair_payout_micros(state: State, market: Market) -> int:
    """Return what YES pays in a void market for which nobody states a value: the last traded price, else a half.

    Where the event's other results leave less or more, the nearest value that they leave.
    """
    fair = market.last_price_e4 * (ONE_DOLLAR_MICROS // PRICE_SCALE) or ONE_DOLLAR_MICROS // 2
    kind = state.events[market.event_ticker].collateral_return
    lowest, highest = scenarios.payout_bounds(market, kind, scenarios.event_markets(state, market.event_ticker))
    return min(max(fair, lowest), highest)


def expire(state: State, ticker: str, events: list[Event]) -> None:
    """The latest expiration has come: what nobody has decided by now is void."""
    market = state.markets[ticker]
    if market.undecided:
        _void(state, market, fair_payout_micros(state, market), "nobody decided it by its latest expiration", events)


def dispute(state: State, command: m.DisputeResolution) -> list[Event]:
    """Stop the settlement timer of a decided market."""
    market = state.markets.get(command.ticker)
    if market is None:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    if market.status not in (MarketStatus.DETERMINED, MarketStatus.AMENDED):
        return reject(
            RejectCode.WRONG_MARKET_STATE, ticker=market.ticker, status=market.status, needs=MarketStatus.DETERMINED
        )
    if is_released(state, market):
        return reject(RejectCode.NO_LONGER_DISPUTABLE, ticker=market.ticker, settles_ms=market.settles_ms)
    state.agenda.discard((market.settles_ms, Due.RELEASE, market.ticker))
    events: list[Event] = [ResolutionDisputed(market.ticker, command.reason)]
    set_status(state, market, MarketStatus.DISPUTED, events)
    return events


def amend(state: State, command: m.AmendResolution) -> list[Event]:
    """End a dispute: another outcome amends the market, the same upholds it. The timer starts again either way."""
    market = state.markets.get(command.ticker)
    if market is None:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    if market.status is not MarketStatus.DISPUTED:
        return reject(RejectCode.WRONG_MARKET_STATE, ticker=market.ticker, status=market.status, needs=MarketStatus.DISPUTED)
    if not 0 <= command.yes_payout_micros <= ONE_DOLLAR_MICROS:
        return reject(RejectCode.INVALID_PAYOUT, payout_micros=command.yes_payout_micros)
    refused = check_consistent(state, market, command.yes_payout_micros)
    if refused:
        return refused
    upheld = command.yes_payout_micros == market.yes_payout_micros
    market.voided = market.voided and upheld
    events: list[Event] = []
    status = MarketStatus.DETERMINED if upheld else MarketStatus.AMENDED
    _decide(state, market, status, command.yes_payout_micros, command.source, events)
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
            refused = check_early_close(market) or check_consistent(state, market, payout)
            if refused:
                return refused
            payouts.append((market, payout))
    if not payouts:
        return reject(RejectCode.ALREADY_RESOLVED, ticker=command.event_ticker)
    events: list[Event] = []
    for market, payout in payouts:
        events += resolve_market(state, c.ResolveMarket(market.ticker, payout, command.source))
    return events


def confirm_resolution(state: State, command: cc.ConfirmResolution) -> list[Event]:
    """The chain carries the outcome: pay every custodial position and let the pool redeem."""
    market = state.markets.get(command.ticker)
    if market is None:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    if market.resolved_on_chain:
        return reject(RejectCode.ALREADY_RESOLVED, ticker=market.ticker)
    check(command.yes_payout_micros == market.yes_payout_micros, f"{market.ticker} resolved differently on chain")
    check(market.open_operations == 0, f"{market.ticker} resolved on chain with operations in flight")
    market.resolved_on_chain = True
    events: list[Event] = [ResolutionConfirmed(market.ticker, market.yes_payout_micros, command.tx_hash)]
    set_status(state, market, MarketStatus.FINALIZED, events)
    pay_market(state, market, events, merges=command.merges)
    return events


def pay_market(state: State, market: Market, events: list[Event], *, merges: bool = True) -> None:
    """Pay every custodial position of a resolved market and queue the pool's redemption of the tokens behind them.

    One rounding on chain is enough for all: sets, and the rest of one outcome, are worth floor(yes * p + no * (1 - p)) together
    with u, and the floors of the positions add up to no more.
    """
    paid = 0
    for account in state.accounts.values():
        if account.is_wallet:
            continue
        yes, no = (account.balance(token_asset(market.ticker, outcome)).total for outcome in Outcome)
        if yes or no:
            paid += _pay(state, market, account, yes, no, events)
        collateral.rebalance(state, account, market, events)
    pool = {Outcome.YES: market.pool_yes_micros, Outcome.NO: market.pool_no_micros}
    sets = min(pool.values()) if merges else 0
    pool = {outcome: amount - sets for outcome, amount in pool.items()}
    redeemed = sets + sum(token_payout_rounded_down(market, outcome, amount) for outcome, amount in pool.items())
    remainder = redeemed + market.unsplit_micros - paid
    lines = [(EQUITY, CASH, remainder), (collateral_account(market.ticker), CASH, -remainder)]
    post(state, f"remainder:{market.ticker}:{state.seq}", lines, events)
    market.custodial_yes_micros = market.custodial_no_micros = market.unsplit_micros = 0
    state.pool_cash_micros += redeemed
    if sets:
        custody.queue_pool(state, market, PoolAction.MERGE, sets, events)
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
