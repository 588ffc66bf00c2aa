"""The rules of the exchange. Read me first.

`apply(state, entry)` is the only thing that changes state: one sequenced command in, the events that it caused out. It knows
no clock, no IO and no randomness; time and ids arrive in the command. Expected refusals are `Rejected` events; a broken
invariant raises, and the exchange stops.

An order's life: checks (`admission.py`) -> hold (`risk.py`) -> match against the book (`matching.py`), each match posted
in the ledger (`ledger.py`) and, with a wallet, queued for the chain (`custody.py`) -> the rest rests or is cancelled.
"""

from collections.abc import Callable
from typing import Any

from offchain_book.engine import (
    actions,
    admission,
    agenda,
    amending,
    approvals,
    claims,
    collateral,
    custody,
    failures,
    fee_changes,
    groups,
    hours,
    lifecycle,
    limits,
    listing,
    memory,
    plain,
    policy,
    resolution,
    rewards,
    risk,
    subaccounts,
    suspension,
    timers,
)
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine import policy_commands as pc
from offchain_book.engine.account import Account, Balance
from offchain_book.engine.cancels import cancel_all, cancel_order, close_market
from offchain_book.engine.events import Event, OrderAccepted
from offchain_book.engine.ledger import InvariantBroken
from offchain_book.engine.listing import reject
from offchain_book.engine.market import Market
from offchain_book.engine.matching import match, rest_or_cancel
from offchain_book.engine.names import VENUE_ACCOUNTS, token_asset
from offchain_book.engine.operations import POLYMARKET_V2, SignedOrder
from offchain_book.engine.order import CancelReason, Extra, Order, Terms, shared_terms
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import CONTRACT_VERSION, State

_NEVER_MS = 2**62


def new_state(
    settle_deadline_s: int,
    signed_not_before_ms: int = 0,
    pool_outflow_limit_micros: int = 0,
    pool_outflow_window_s: int = 0,
    contract_version: int = CONTRACT_VERSION,
) -> State:
    """Return an empty exchange with the venue's own accounts, under the terms of its contract."""
    state = State(
        settle_deadline_s=settle_deadline_s,
        signed_not_before_ms=signed_not_before_ms,
        pool_outflow_limit_micros=pool_outflow_limit_micros,
        pool_outflow_window_s=pool_outflow_window_s,
        contract_version=contract_version,
    )
    for account_id in VENUE_ACCOUNTS:
        state.accounts[account_id] = Account(account_id, c.Custody.CUSTODIAL, "")
    return state


def apply(state: State, entry: c.Sequenced) -> list[Event]:
    """Apply one command and return what happened. The only writer of `state`."""
    if entry.seq != state.seq + 1:
        raise InvariantBroken(f"command {entry.seq} does not follow {state.seq}")
    at_ms = entry.at_ms
    if at_ms < state.now_ms:
        raise InvariantBroken("venue time never runs backwards")
    state.seq = entry.seq
    state.now_ms = at_ms
    command = entry.command
    if at_ms < state.wake_ms and not state.restricted:
        return _HANDLERS[type(command)](state, command)
    events: list[Event] = []
    if at_ms >= state.wake_ms:
        _advance_clock(state, events)
    if state.restricted:
        refused = hours.refuse(state, command)
        if refused:
            return events + refused
    return events + _HANDLERS[type(command)](state, command)


def _advance_clock(state: State, events: list[Event]) -> None:
    """Do what the clock has made due (orders expire, timers run out, markets open and close) before anything else may happen."""
    now_ms = state.now_ms
    while state.expiries and state.expiries[0][0] <= now_ms:
        cancel_order(state, state.orders[state.expiries[0][1]], CancelReason.EXPIRED, events)
    while state.dead_men and state.dead_men[0][0] <= now_ms:
        timers.fire_next(state, events)
    while state.agenda and state.agenda[0][0] <= now_ms:
        agenda.do_next(state, events)
    while state.closings and state.closings[0][0] <= now_ms:
        close_market(state, state.markets[state.closings[0][1]], events)
    if state.reward_programs and state.next_sample_ms <= now_ms:
        rewards.sample(state, events)
    state.wake_ms = next_due_ms(state) or _NEVER_MS


def next_due_ms(state: State) -> int:
    """Return when the clock has something to do next, 0 for never. It is done by the first command from then on."""
    due = [queue[0][0] for queue in (state.expiries, state.dead_men, state.agenda, state.closings) if queue]
    if state.reward_programs:
        due.append(state.next_sample_ms)
    return min(due, default=0)


# --- placing -----------------------------------------------------------------------------------------------------------


def place_order(state: State, command: c.PlaceOrder) -> list[Event]:
    """Check, hold, match, rest: everything that one arriving order causes."""
    done = plain.place(state, command)
    if done is not None:
        return done
    checked = _checked(state, command)
    if isinstance(checked, list):
        return checked
    order, size = checked
    account, market = order.account, state.markets[order.ticker]
    refused = _hold(market, order)
    if refused:
        return refused
    if command.client_order_id:
        account.client_order_ids[command.client_order_id] = order.order_id
    if command.signed is not None:
        claims.take(order, command.signed)
    events: list[Event] = [OrderAccepted(order.order_id, account.account_id, market.ticker, size)]
    stopped = match(state, market, order, events)
    rest_or_cancel(state, market, order, stopped, events)
    return events


def refusal_of(state: State, command: c.PlaceOrder) -> list[Event] | None:
    """Return how a wallet's order would be refused now, None when it would be taken. Changes nothing."""
    checked = _checked(state, command)
    if isinstance(checked, list):
        return checked
    order, _ = checked
    market, account = state.markets[order.ticker], order.account
    if order.opens:
        need, short = risk.wallet_cash_need(order, market.fees.highest), RejectCode.INSUFFICIENT_CASH
        balance = account.cash
    else:
        assert order.outcome is not None
        need, short = order.remaining_micros, RejectCode.INSUFFICIENT_TOKENS
        balance = account.balances.get(token_asset(market.ticker, order.outcome)) or Balance()
    if need <= balance.available:
        return None
    return _short(short, balance, need, order)


def _checked(state: State, command: c.PlaceOrder) -> tuple[Order, int] | list[Event]:
    """Return the order that a command makes and the size it asks for, or its refusal."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    market = state.markets.get(command.ticker)
    if market is None:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    refused = admission.check_request(state, account, market, command)
    if refused:
        return refused
    size = admission.wanted_micros(account, market, command)
    if not size:
        return reject(RejectCode.NOTHING_TO_REDUCE, ticker=market.ticker)
    refused = admission.check_now(state, account, market, command, size)
    if refused:
        return refused
    return _new_order(state, account, market, command, size), size


def _new_order(state: State, account: Account, market: Market, command: c.PlaceOrder, size: int) -> Order:
    by_amount = command.budget_micros > 0
    if by_amount:
        size = admission.by_amount_micros(state, account, market, command.side)
    make = shared_terms if command.signed is None else Terms
    terms = make(
        command.outcome,
        command.time_in_force,
        command.post_only,
        command.reduce_only,
        command.cancel_on_pause,
        by_amount,
        command.self_trade,
        command.group_id,
        command.session_id,
        command.signed,
        admission.fee_price_e4(market, command) if command.budget_micros or command.max_cost_micros else 0,
    )
    expires = command.expires_ms if command.signed is None else _expiry_ms(state, command.signed, command.expires_ms)
    budget = command.budget_micros or command.max_cost_micros
    return Order(
        command.order_id,
        account,
        market.book.level(command.side, command.price_e4),
        size,
        terms,
        Extra(expires, budget) if expires or budget else None,
    )


def _expiry_ms(state: State, signed: SignedOrder, expires_ms: int) -> int:
    """Return when the order leaves the book: a signed expiry counts one settlement deadline early, so fills can land."""
    if not signed.expiration_s or signed.scheme is POLYMARKET_V2:
        return expires_ms
    latest = (signed.expiration_s - state.settle_deadline_s) * 1000
    return min(expires_ms, latest) if expires_ms else latest


def _hold(market: Market, order: Order) -> list[Event] | None:
    """Hold what the order may cost at most, or say what is missing."""
    fee = market.fees.highest
    account = order.account
    if account.is_wallet and not order.opens:
        need = risk.hold_wallet_tokens(order)
        if need:
            assert order.outcome is not None
            balance = account.balance(token_asset(market.ticker, order.outcome))
            return _short(RejectCode.INSUFFICIENT_TOKENS, balance, need, order)
        return None
    need = risk.hold_wallet_cash(order, fee) if account.is_wallet else risk.hold_custodial(order, fee)
    return _short(RejectCode.INSUFFICIENT_CASH, account.cash, need, order) if need else None


def _short(code: RejectCode, balance: Balance, need: int, order: Order) -> list[Event]:
    """Say what is missing."""
    outcome = {"outcome": order.outcome.name} if code is RejectCode.INSUFFICIENT_TOKENS and order.outcome else {}
    return reject(code, have_micros=balance.available, need_micros=need, held_micros=balance.held, **outcome)


# --- cancelling --------------------------------------------------------------------------------------------------------


def cancel(state: State, command: c.CancelOrder) -> list[Event]:
    """Cancel one order on its owner's behalf."""
    done = plain.cancel(state, command)
    if done is not None:
        return done
    order = amending.find_open(state, command.account_id, command.order_id)
    if isinstance(order, list):
        return order
    events: list[Event] = []
    cancel_order(state, order, CancelReason.BY_USER, events)
    return events


def cancel_many(state: State, command: c.CancelOrders) -> list[Event]:
    """Cancel open orders of an account: all, or those of a market, a group or a session."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    if command.limit < 0:
        return reject(RejectCode.INVALID_LIMIT, limit=command.limit)
    if command.group_id and command.group_id not in account.groups:
        return reject(RejectCode.UNKNOWN_ORDER_GROUP, group_id=command.group_id)
    events: list[Event] = []
    cancel_all(
        state,
        account,
        command.ticker,
        CancelReason.BY_USER,
        events,
        group_id=command.group_id,
        session_id=command.session_id,
        limit=command.limit,
    )
    return events


_HANDLERS: dict[type[Any], Callable[[State, Any], list[Event]]] = {
    c.OpenAccount: plain.marking(listing.open_account),
    c.RegisterKey: listing.register_key,
    c.RevokeKey: listing.revoke_key,
    c.CreateSeries: listing.create_series,
    c.CreateEvent: listing.create_event,
    c.CreateMarket: listing.create_market,
    c.LinkAccount: plain.marking(listing.link_account),
    c.PlaceOrder: place_order,
    c.CancelOrder: cancel,
    c.CancelOrders: cancel_many,
    c.DecreaseOrder: amending.decrease,
    c.AmendOrder: amending.amend,
    c.CreateOrderGroup: groups.create,
    c.SetOrderGroupLimit: groups.set_limit,
    c.TriggerOrderGroup: groups.trigger,
    c.ResetOrderGroup: groups.reset,
    c.DeleteOrderGroup: groups.delete,
    c.ArmDeadMan: timers.arm,
    c.DisarmDeadMan: timers.disarm,
    c.EndSession: timers.end_session,
    c.OpenSubaccount: plain.marking(subaccounts.open_subaccount),
    c.TransferCash: subaccounts.transfer_cash,
    c.SetNetting: plain.marking(subaccounts.set_netting),
    c.SetCollateralReturn: plain.marking(collateral.set_collateral_return),
    c.SetPositionLimit: plain.marking(limits.set_position_limit),
    c.SetExposureCap: plain.marking(limits.set_exposure_cap),
    cc.CreditDeposit: actions.credit_deposit,
    c.Withdraw: actions.withdraw,
    c.SubmitAction: actions.submit_action,
    cc.CutBatch: custody.cut_batch,
    cc.SplitBatch: custody.split_batch,
    cc.ObserveBatch: custody.observe_batch,
    cc.ConfirmBatch: failures.confirm_batch,
    cc.ExpireOperations: failures.expire_operations,
    cc.ObserveChain: custody.observe_chain,
    cc.ObserveExit: failures.observe_exit,
    cc.ObserveWatermark: failures.observe_watermark,
    cc.RecordExit: failures.record_exit,
    cc.RecordRefusedDelivery: failures.record_refused_delivery,
    c.SetRewardProgram: rewards.set_program,
    c.DropNotifications: listing.drop_notifications,
    pc.SetWithdrawalPolicy: policy.set_policy,
    pc.AllowDestination: policy.allow_destination,
    pc.RemoveDestination: policy.remove_destination,
    pc.ApproveWithdrawal: approvals.approve,
    pc.RejectWithdrawal: policy.reject_withdrawal,
    pc.Freeze: policy.freeze,
    pc.Unfreeze: policy.unfreeze,
    pc.SuspendAccount: plain.marking(suspension.suspend),
    pc.RestoreAccount: plain.marking(suspension.restore),
    c.CloseMarket: lifecycle.close,
    c.ResolveMarket: resolution.resolve_market,
    c.ResolveEvent: resolution.resolve_event,
    cc.ConfirmResolution: resolution.confirm_resolution,
    m.AdvanceClock: lambda state, command: [],
    m.PauseMarket: lifecycle.pause,
    m.ResumeMarket: lifecycle.resume,
    m.VoidMarket: resolution.void_market,
    m.DisputeResolution: resolution.dispute,
    m.AmendResolution: resolution.amend,
    m.RefineTicks: lifecycle.refine_ticks,
    m.SetFees: fee_changes.set_fees,
    m.SetExchangeMode: hours.set_mode,
    m.SetTradingHours: hours.set_hours,
    m.SetRetention: memory.set_retention,
}
