"""Accounts, keys, series, events, markets: what has to exist before anybody trades."""

from offchain_book.engine import commands as c
from offchain_book.engine import strikes
from offchain_book.engine.account import Account, ApiKey
from offchain_book.engine.book import Book
from offchain_book.engine.events import (
    AccountLinked,
    AccountOpened,
    Event,
    EventCreated,
    KeyRegistered,
    KeyRevoked,
    MarketCreated,
    NotificationsDropped,
    Rejected,
    SeriesCreated,
)
from offchain_book.engine.fees import FLAT
from offchain_book.engine.market import EventInfo, FeeChange, Market, MarketStatus, Series
from offchain_book.engine.market_commands import Ranges, SetFees
from offchain_book.engine.names import COLLATERAL
from offchain_book.engine.operations import Outcome
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import Due, State
from offchain_book.engine.strikes import CollateralReturn
from offchain_book.engine.units import PRICE_SCALE


def reject(code: RejectCode, **details: int | str) -> list[Event]:
    """Return the one event of a refused command."""
    return [Rejected(code, tuple(details.items()))]


def open_account(state: State, command: c.OpenAccount) -> list[Event]:
    """Open an account."""
    if command.account_id in state.accounts:
        return reject(RejectCode.ACCOUNT_EXISTS, account_id=command.account_id)
    if "/" in command.account_id:
        return reject(RejectCode.INVALID_ACCOUNT_ID, account_id=command.account_id)
    state.accounts[command.account_id] = Account(command.account_id, command.custody, command.name)
    return [AccountOpened(command.account_id)]


def register_key(state: State, command: c.RegisterKey) -> list[Event]:
    """Give an account an API key."""
    if command.account_id not in state.accounts:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    if command.key_id in state.keys:
        return reject(RejectCode.KEY_EXISTS, key_id=command.key_id)
    state.keys[command.key_id] = ApiKey(
        command.key_id,
        command.account_id,
        command.kind,
        command.public_key_pem,
        command.name,
        command.scopes,
        command.nonce,
        state.now_ms,
    )
    return [KeyRegistered(command.account_id, command.key_id)]


def revoke_key(state: State, command: c.RevokeKey) -> list[Event]:
    """Make an API key useless."""
    key = state.keys.get(command.key_id)
    if key is None or key.account_id != command.account_id:
        return reject(RejectCode.UNKNOWN_KEY, key_id=command.key_id)
    del state.keys[command.key_id]
    return [KeyRevoked(command.account_id, command.key_id)]


def create_series(state: State, command: c.CreateSeries) -> list[Event]:
    """Create a series."""
    if command.series_ticker in state.series:
        return reject(RejectCode.MARKET_EXISTS, ticker=command.series_ticker)
    refused = check_rates(command)
    if refused:
        return refused
    state.series[command.series_ticker] = Series(
        command.series_ticker,
        command.title,
        command.category,
        command.tags,
        command.frequency,
        command.fee_type,
        command.taker_rate_e4,
        command.maker_rate_e4,
        state.now_ms,
        whole_cents=command.whole_cents,
    )
    return [SeriesCreated(command.series_ticker)]


def check_rates(command: c.CreateSeries | SetFees) -> list[Event] | None:
    """Check fee rates: a maker rate below zero is a rebate, which the taker's fee must pay for, and not one in whole cents."""
    taker_e4, maker_e4 = command.taker_rate_e4, command.maker_rate_e4
    if not 0 <= taker_e4 < PRICE_SCALE:
        return reject(RejectCode.INVALID_MARKET, field="taker_rate_e4", value=taker_e4)
    if not (0 if command.whole_cents else -taker_e4) <= maker_e4 < PRICE_SCALE:
        return reject(RejectCode.INVALID_MARKET, field="maker_rate_e4", value=maker_e4)
    return None


def fees_of(state: State, event: EventInfo) -> Series | FeeChange:
    """Return what says the fees of an event: its own change, or its series."""
    return state.fee_changes[event.own_fees] if event.own_fees else state.series[event.series_ticker]


def create_event(state: State, command: c.CreateEvent) -> list[Event]:
    """Create an event. The first one with collateral return opens the venue's account for it."""
    if command.event_ticker in state.events:
        return reject(RejectCode.MARKET_EXISTS, ticker=command.event_ticker)
    if command.series_ticker not in state.series:
        return reject(RejectCode.UNKNOWN_SERIES, series_ticker=command.series_ticker)
    exclusive = command.collateral_return is CollateralReturn.EXCLUSIVE
    if command.collateral_return and command.mutually_exclusive is not exclusive:
        return reject(RejectCode.INVALID_MARKET, field="mutually_exclusive", value=str(command.mutually_exclusive).lower())
    if command.collateral_return and COLLATERAL not in state.accounts:
        state.accounts[COLLATERAL] = Account(COLLATERAL, c.Custody.CUSTODIAL, "")
    state.events[command.event_ticker] = EventInfo(
        command.event_ticker,
        command.series_ticker,
        command.title,
        command.sub_title,
        command.mutually_exclusive,
        state.now_ms,
        collateral_return=command.collateral_return,
    )
    return [EventCreated(command.event_ticker)]


def create_market(state: State, command: c.CreateMarket) -> list[Event]:
    """Create a market. Its grid must lie within 1..9999 and its condition must be new."""
    if command.ticker in state.markets or command.condition_id in state.conditions:
        return reject(RejectCode.MARKET_EXISTS, ticker=command.ticker)
    event = state.events.get(command.event_ticker)
    if event is None:
        return reject(RejectCode.UNKNOWN_EVENT, event_ticker=command.event_ticker)
    refused = check_ranges(command.price_ranges)
    if refused:
        return refused
    if command.close_ms <= command.open_ms:
        return reject(RejectCode.INVALID_MARKET, field="close_ms", value=command.close_ms)
    flaw = strikes.flaw(command, event.collateral_return, [state.markets[ticker] for ticker in event.tickers])
    if flaw is not None:
        return reject(RejectCode.INVALID_MARKET, field=flaw[0], value=flaw[1])
    if command.settlement_timer_s < 0:
        return reject(RejectCode.INVALID_MARKET, field="settlement_timer_s", value=command.settlement_timer_s)
    if command.latest_expiration_ms and command.latest_expiration_ms < command.close_ms:
        return reject(RejectCode.INVALID_MARKET, field="latest_expiration_ms", value=command.latest_expiration_ms)
    source = fees_of(state, event)
    market = state.markets[command.ticker] = Market(
        ticker=command.ticker,
        event_ticker=command.event_ticker,
        series_ticker=event.series_ticker,
        title=command.title,
        question_id=command.question_id,
        condition_id=command.condition_id,
        yes_token_id=command.yes_token_id,
        no_token_id=command.no_token_id,
        open_ms=command.open_ms,
        close_ms=command.close_ms,
        yes_sub_title=command.yes_sub_title,
        no_sub_title=command.no_sub_title,
        rules=command.rules,
        market_type=command.market_type,
        price_structure=command.price_structure,
        price_ranges=command.price_ranges,
        created_ms=state.now_ms,
        updated_ms=state.now_ms,
        book=Book(command.ticker),
        taker_rate_e4=source.taker_rate_e4,
        maker_rate_e4=source.maker_rate_e4,
        strike_type=command.strike_type,
        floor_strike_e6=command.floor_strike_e6,
        cap_strike_e6=command.cap_strike_e6,
        functional_strike=command.functional_strike,
        custom_strike=command.custom_strike,
        settlement_timer_s=command.settlement_timer_s,
        expected_expiration_ms=command.expected_expiration_ms,
        latest_expiration_ms=command.latest_expiration_ms,
        can_close_early=command.can_close_early,
        early_close_condition=command.early_close_condition,
        flat_fees=source.fee_type == FLAT,
        whole_cents=source.whole_cents,
    )
    if command.open_ms > state.now_ms:
        market.status = MarketStatus.INITIALIZED
        state.put_on_agenda(command.open_ms, Due.OPEN, market.ticker)
    if command.latest_expiration_ms:
        state.put_on_agenda(command.latest_expiration_ms, Due.VOID, market.ticker)
    event.tickers.append(command.ticker)
    if event.collateral_return:
        for account in state.accounts.values():
            if event.event_ticker in account.advances:
                account.advances[event.event_ticker].markets[market.ticker] = market
    state.conditions[command.condition_id] = command.ticker
    state.tokens[command.yes_token_id] = (command.ticker, Outcome.YES)
    state.tokens[command.no_token_id] = (command.ticker, Outcome.NO)
    state.closings.add((command.close_ms, command.ticker))
    state.wake_at(command.close_ms)
    return [MarketCreated(command.ticker)]


def check_ranges(ranges: Ranges) -> list[Event] | None:
    """Check that a price grid lies within 1..9999."""
    for start, end, step in ranges:
        if not (0 < step <= start <= end < PRICE_SCALE and (end - start) % step == 0 and start % step == 0):
            return reject(RejectCode.INVALID_MARKET, field="price_ranges", value=f"{start}..{end} by {step}")
    return None


def link_account(state: State, command: c.LinkAccount) -> list[Event]:
    """Make a custodial account and a wallet one beneficial owner; optionally deliver every fill to the wallet."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    if account.is_wallet:
        return reject(RejectCode.CUSTODY_MISMATCH, account_id=command.account_id, custody=account.custody)
    if account.parent:
        return reject(RejectCode.INVALID_SUBACCOUNT, account_id=account.parent, number=account.number, highest=0)
    if account.wallet not in ("", command.wallet):
        return reject(RejectCode.ALREADY_LINKED, account_id=command.account_id, wallet=command.wallet)
    wallet = state.accounts.get(command.wallet)
    if wallet is None:
        wallet = state.accounts[command.wallet] = Account(command.wallet, c.Custody.WALLET, "")
    if wallet.owner not in (command.wallet, account.owner):
        return reject(RejectCode.ALREADY_LINKED, account_id=command.account_id, wallet=command.wallet)
    account.wallet = command.wallet
    if wallet.owner != account.owner:
        _join_limits(account, wallet)
    wallet.owner = account.owner
    account.deliver_to = command.wallet if command.deliver else ""
    return [AccountLinked(command.account_id, command.wallet, command.deliver)]


def _join_limits(owner: Account, wallet: Account) -> None:
    """The stricter of both owners' limits is the limit of the one owner that they become."""
    for ticker, limit in wallet.owner_position_limits.items():
        owner.owner_position_limits[ticker] = min(limit, owner.owner_position_limits.get(ticker, limit))
    caps = [each.owner_exposure_cap_micros for each in (owner, wallet)]
    owner.owner_exposure_cap_micros = min((cap for cap in caps if cap is not None), default=None)
    wallet.owner_position_limits, wallet.owner_exposure_cap_micros = {}, None


def drop_notifications(state: State, command: c.DropNotifications) -> list[Event]:
    """Take note that a wallet has read notifications, which are read models; ids that are gone already do no harm."""
    if command.account_id not in state.accounts:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    return [NotificationsDropped(command.account_id, command.numbers)]
