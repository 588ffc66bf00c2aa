"""One account stops trading, because an operator says so: its open orders go, new ones are refused, its money may leave.

A custodial account is stopped with its subaccounts; the linked wallet of its owner is an account of its own.
"""

from offchain_book.engine import policy_commands as pc
from offchain_book.engine.account import Account
from offchain_book.engine.cancels import cancel_all
from offchain_book.engine.events import Event
from offchain_book.engine.listing import reject
from offchain_book.engine.names import subaccount_id
from offchain_book.engine.order import CancelReason
from offchain_book.engine.policy import root
from offchain_book.engine.policy_events import AccountRestored, AccountSuspended
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State


def suspend(state: State, command: pc.SuspendAccount) -> list[Event]:
    """Stop an account's trading. The first reason stands until somebody takes it back."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    whole = root(state, account)
    reason = whole.suspended or command.reason or "suspended"
    events: list[Event] = [AccountSuspended(whole.account_id, reason)]
    for part in _parts(state, whole):
        part.suspended = reason
        cancel_all(state, part, "", CancelReason.SUSPENDED, events)
    return events


def restore(state: State, command: pc.RestoreAccount) -> list[Event]:
    """Let an account trade again."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    whole = root(state, account)
    if not whole.suspended:
        return reject(RejectCode.NOT_SUSPENDED, account_id=whole.account_id)
    for part in _parts(state, whole):
        part.suspended = ""
    return [AccountRestored(whole.account_id, command.reason)]


def _parts(state: State, whole: Account) -> list[Account]:
    return [whole, *(state.accounts[subaccount_id(whole.account_id, number)] for number in whole.subaccounts)]
