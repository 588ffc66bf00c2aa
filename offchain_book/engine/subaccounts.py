"""Numbered parts of a custodial account: each is an account of its own with the same owner, so nothing else knows them.

Orders, positions, holds, limits and groups are per subaccount because they are per account. What is here is what joins
them: opening, moving cash between them, and whether one nets YES against NO.
"""

from offchain_book.engine import collateral, memory, risk
from offchain_book.engine import commands as c
from offchain_book.engine.account import Account
from offchain_book.engine.actions import check_balance, net_position
from offchain_book.engine.events import CashTransferred, Event, NettingSet, SubaccountOpened
from offchain_book.engine.ledger import check, post
from offchain_book.engine.listing import reject
from offchain_book.engine.names import subaccount_id
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State
from offchain_book.engine.units import CASH

MAX_SUBACCOUNT = 63
"""Highest number; 0 is the account itself."""


def _custodial(state: State, account_id: str) -> Account | list[Event]:
    account = state.accounts.get(account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=account_id)
    if account.is_wallet:
        return reject(RejectCode.CUSTODY_MISMATCH, account_id=account_id, custody=account.custody)
    return account


def open_subaccount(state: State, command: c.OpenSubaccount) -> list[Event]:
    """Open a part of a custodial account."""
    parent = _custodial(state, command.account_id)
    if isinstance(parent, list):
        return parent
    number = command.number or max(parent.subaccounts, default=0) + 1
    if parent.parent or not 0 < number <= MAX_SUBACCOUNT:
        return reject(RejectCode.INVALID_SUBACCOUNT, account_id=parent.account_id, number=number, highest=MAX_SUBACCOUNT)
    account_id = subaccount_id(parent.account_id, number)
    if account_id in state.accounts:
        return reject(RejectCode.ACCOUNT_EXISTS, account_id=account_id)
    account = state.accounts[account_id] = Account(account_id, parent.custody, parent.name)
    account.owner = parent.owner
    account.parent = parent.account_id
    account.number = number
    account.suspended = parent.suspended
    parent.subaccounts.append(number)
    return [SubaccountOpened(parent.account_id, number, account_id)]


def transfer_cash(state: State, command: c.TransferCash) -> list[Event]:
    """Move cash between parts of an account. Cash that is not final yet stays where it is."""
    account = _custodial(state, command.account_id)
    if isinstance(account, list):
        return account
    parts: list[Account] = []
    for number in (command.from_subaccount, command.to_subaccount):
        part = state.accounts.get(subaccount_id(account.account_id, number))
        if part is None or account.parent or command.from_subaccount == command.to_subaccount:
            return reject(
                RejectCode.INVALID_SUBACCOUNT, account_id=account.account_id, number=number, highest=MAX_SUBACCOUNT
            )
        parts.append(part)
    reference = f"transfer:{account.account_id}:{command.transfer_id}"
    if not command.transfer_id or memory.is_used(state, reference):
        return reject(RejectCode.DUPLICATE_REQUEST, reference=command.transfer_id)
    amount = command.amount_micros
    if amount <= 0:
        return reject(RejectCode.AMOUNT_NOT_POSITIVE, amount_micros=amount)
    giver, receiver = parts
    refused = check_balance(giver.cash, amount, RejectCode.INSUFFICIENT_CASH)
    if refused:
        return refused
    memory.use(state, reference)
    events: list[Event] = []
    post(state, reference, [(giver.account_id, CASH, -amount), (receiver.account_id, CASH, amount)], events)
    events.append(
        CashTransferred(account.account_id, command.transfer_id, command.from_subaccount, command.to_subaccount, amount)
    )
    return events


def set_netting(state: State, command: c.SetNetting) -> list[Event]:
    """Switch netting. On: pairs of YES and NO become cash at once. Off: advances are repaid, open orders held in full."""
    account = _custodial(state, command.account_id)
    if isinstance(account, list):
        return account
    need = risk.hold_if_netting(account, command.enabled)
    if need > account.cash.available:
        cash = account.cash
        return reject(RejectCode.INSUFFICIENT_CASH, have_micros=cash.available, need_micros=need, held_micros=cash.held)
    events: list[Event] = []
    if not command.enabled:
        check(collateral.repay_all(state, account, events) is None, "what is held for orders and owed was there")
    account.netting = command.enabled
    for market in state.markets.values():
        net_position(state, account, market, events)
    events.append(NettingSet(account.account_id, command.enabled))
    return events
