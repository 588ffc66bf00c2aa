"""Fees change: of a series, or of one event, which then no longer follows its series; now, or at an announced time.

One schedule has every configuration (`fees.py`): a taker rate and a maker rate, of which shape, and in which roundings. A maker
rate of zero makes resting free, one below zero is a rebate out of equity, paid to custodial makers (a wallet's fill on chain
has no place for one). No rebate exceeds the taker's rate, so the venue never pays for a trade.

Resting orders are held again at the new maker rate. One that its account can no longer cover, or whose signature allows less
than the market charges now, is cancelled: nobody pays more than was held, or than was signed.
"""

from collections.abc import Iterator

from offchain_book.engine import market_commands as m
from offchain_book.engine import risk
from offchain_book.engine.admission import fee_cap_e4
from offchain_book.engine.cancels import cancel_order
from offchain_book.engine.events import Event
from offchain_book.engine.fees import FLAT
from offchain_book.engine.lifecycle import OPEN_STATES, resting
from offchain_book.engine.listing import check_rates, fees_of, reject
from offchain_book.engine.market import FeeChange, Market
from offchain_book.engine.market_events import FeesChanged, FeesScheduled
from offchain_book.engine.order import CancelReason, Order
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import Due, State

FEE_TYPES = ("quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees", FLAT)
"""Kalshi's names of the shapes that this schedule has."""


def set_fees(state: State, command: m.SetFees) -> list[Event]:
    """Take note of a change and, when its time has come already, make it."""
    refused = _check(state, command)
    if refused:
        return refused
    change = state.fee_changes[command.change_id] = FeeChange(
        command.change_id,
        command.series_ticker,
        command.event_ticker,
        command.fee_type,
        command.taker_rate_e4,
        command.maker_rate_e4,
        command.at_ms or state.now_ms,
        whole_cents=command.whole_cents,
    )
    events: list[Event] = [FeesScheduled(change.change_id, change.series_ticker, change.event_ticker, change.at_ms)]
    if command.at_ms:
        state.put_on_agenda(command.at_ms, Due.FEES, change.change_id)
    else:
        make_change(state, change.change_id, events)
    return events


def _check(state: State, command: m.SetFees) -> list[Event] | None:
    if not command.change_id or command.change_id in state.fee_changes:
        return reject(RejectCode.DUPLICATE_REQUEST, reference=command.change_id)
    if bool(command.series_ticker) is bool(command.event_ticker):
        return reject(RejectCode.OPTION_CONFLICT, option="a fee change", needs="one series or one event")
    if command.series_ticker and command.series_ticker not in state.series:
        return reject(RejectCode.UNKNOWN_SERIES, series_ticker=command.series_ticker)
    if command.event_ticker and command.event_ticker not in state.events:
        return reject(RejectCode.UNKNOWN_EVENT, event_ticker=command.event_ticker)
    clears = bool(command.event_ticker) and not command.fee_type
    if command.fee_type not in FEE_TYPES and not clears:
        return reject(RejectCode.INVALID_MARKET, field="fee_type", value=command.fee_type)
    if command.at_ms and command.at_ms <= state.now_ms:
        return reject(RejectCode.INVALID_SCHEDULE, field="at_ms", value=command.at_ms)
    return check_rates(command)


def make_change(state: State, change_id: str, events: list[Event]) -> None:
    """Bring the fees of every market concerned in line; markets that no longer trade keep theirs."""
    change = state.fee_changes[change_id]
    change.made = True
    if change.event_ticker:
        state.events[change.event_ticker].own_fees = change.change_id if change.fee_type else ""
    else:
        series = state.series[change.series_ticker]
        series.fee_type = change.fee_type
        series.taker_rate_e4, series.maker_rate_e4 = change.taker_rate_e4, change.maker_rate_e4
        series.whole_cents = change.whole_cents
        series.updated_ms = state.now_ms
    events.append(FeesChanged(change_id, change.series_ticker, change.event_ticker))
    for market in _concerned(state, change):
        _charge_from_now_on(state, market, events)


def _concerned(state: State, change: FeeChange) -> Iterator[Market]:
    for market in state.markets.values():
        whose = market.event_ticker if change.event_ticker else market.series_ticker
        if market.status in OPEN_STATES and whose == (change.event_ticker or change.series_ticker):
            yield market


def _charge_from_now_on(state: State, market: Market, events: list[Event]) -> None:
    before = market.fees
    market.charge(fees_of(state, state.events[market.event_ticker]))
    if market.fees == before:
        return
    market.updated_ms = market.changed_ms = state.now_ms
    for order in resting(market):
        if order.in_book and not _still_covered(market, order):
            cancel_order(state, order, CancelReason.FEES_CHANGED, events)


def _still_covered(market: Market, order: Order) -> bool:
    """Hold a resting order at the new maker rate; returns whether its account and its signature allow that."""
    if not order.account.is_wallet:
        return not risk.hold_again(order, order.price_e4, order.remaining_micros, market.fees.maker)
    if order.terms.signed is not None and fee_cap_e4(order.terms.signed) < market.max_rate_e4:
        return False
    risk.adjust(order, order.remaining_micros, market.fees.maker)
    return order.account.cash.available >= 0
