"""Orders that go when their owner falls silent: dead-man timers by the command clock, and sessions that end.

A timer guards a session, or with no session the whole account, its subaccounts included. It is armed again and again;
when its deadline passes first, it cancels what it guards, once.
"""

from offchain_book.engine import commands as c
from offchain_book.engine.account import Account
from offchain_book.engine.cancels import cancel_all
from offchain_book.engine.events import DeadManArmed, DeadManDisarmed, DeadManFired, Event, SessionEnded
from offchain_book.engine.listing import reject
from offchain_book.engine.names import subaccount_id
from offchain_book.engine.order import CancelReason
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State

MAX_TIMERS = 1_000
"""Most dead-man timers of one account."""


def arm(state: State, command: c.ArmDeadMan) -> list[Event]:
    """Start a timer, or move its deadline."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    if command.deadline_ms <= state.now_ms:
        return reject(RejectCode.EXPIRY_IN_PAST, expires_ms=command.deadline_ms, now_ms=state.now_ms)
    if command.session_id not in account.dead_men and len(account.dead_men) >= MAX_TIMERS:
        return reject(RejectCode.TOO_MANY_TIMERS, limit=MAX_TIMERS)
    _stop(state, account, command.session_id)
    account.dead_men[command.session_id] = command.deadline_ms
    state.dead_men.add((command.deadline_ms, account.account_id, command.session_id))
    state.wake_at(command.deadline_ms)
    return [DeadManArmed(account.account_id, command.session_id, command.deadline_ms)]


def disarm(state: State, command: c.DisarmDeadMan) -> list[Event]:
    """Stop a timer."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    if command.session_id not in account.dead_men:
        return reject(RejectCode.UNKNOWN_TIMER, account_id=account.account_id, session_id=command.session_id)
    _stop(state, account, command.session_id)
    return [DeadManDisarmed(account.account_id, command.session_id)]


def end_session(state: State, command: c.EndSession) -> list[Event]:
    """Cancel the orders of a connection that has ended. Ending it again, or without orders, changes nothing."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    events: list[Event] = []
    _stop(state, account, command.session_id)
    _cancel(state, account, command.session_id, CancelReason.SESSION_ENDED, events)
    events.append(SessionEnded(account.account_id, command.session_id))
    return events


def fire_next(state: State, events: list[Event]) -> None:
    """Cancel what the earliest timer guards; its deadline has passed."""
    _, account_id, session_id = state.dead_men[0]
    account = state.accounts[account_id]
    _stop(state, account, session_id)
    _cancel(state, account, session_id, CancelReason.DEAD_MAN, events)
    events.append(DeadManFired(account_id, session_id))


def _stop(state: State, account: Account, session_id: str) -> None:
    deadline_ms = account.dead_men.pop(session_id, None)
    if deadline_ms is not None:
        state.dead_men.remove((deadline_ms, account.account_id, session_id))


def _cancel(state: State, account: Account, session_id: str, reason: CancelReason, events: list[Event]) -> None:
    cancel_all(state, account, "", reason, events, session_id=session_id)
    for number in account.subaccounts:
        part = state.accounts[subaccount_id(account.account_id, number)]
        cancel_all(state, part, "", reason, events, session_id=session_id)
