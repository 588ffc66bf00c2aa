"""What may leave the pool: the withdrawal policy, and the freeze.

While no policy is set, any account may send what it has to any address (a development venue). Once one is set, the first
rule that does not allow a withdrawal refuses it, and what no rule allows is refused: an address that is not on the account's
list, or not for long enough; more than the account, or all accounts together, may send in the rolling window. Above the
threshold it then waits for its approvers, and is checked again in full when the last of them consents: money is not
reserved meanwhile. A custodial fill that is delivered to a linked wallet leaves the pool too and obeys the same rules.
"""

from offchain_book.engine import commands as c
from offchain_book.engine import memory
from offchain_book.engine import policy_commands as pc
from offchain_book.engine.account import Account, Outflow
from offchain_book.engine.cancels import cancel_for_pause
from offchain_book.engine.events import Event
from offchain_book.engine.listing import reject
from offchain_book.engine.policy_events import (
    DestinationAllowed,
    DestinationRemoved,
    Frozen,
    Unfrozen,
    WithdrawalApproved,
    WithdrawalHeld,
    WithdrawalPolicySet,
    WithdrawalRejected,
)
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State, WaitingWithdrawal, WithdrawalPolicy

MAX_DESTINATIONS = 100
MAX_WAITING = 1_000
"""Withdrawals that wait for approval, all accounts together."""


def root(state: State, account: Account) -> Account:
    """Return the account that a subaccount is part of: lists and caps count for the whole."""
    return state.accounts[account.parent] if account.parent else account


def refuse(state: State, account: Account, to: str, amount_micros: int) -> list[Event] | None:
    """Return why the policy does not let this leave now, if it does not."""
    if state.frozen:
        return reject(RejectCode.FROZEN, reason=state.frozen)
    policy = state.withdrawal_policy
    if policy is None:
        return None
    owner = root(state, account)
    usable_ms = owner.destinations.get(to.lower(), 0)
    if not usable_ms or usable_ms > state.now_ms:
        return reject(RejectCode.DESTINATION_NOT_ALLOWED, to=to, usable_ms=usable_ms, now_ms=state.now_ms)
    caps = ((owner.outflow, policy.account_cap_micros, "account"), (state.outflow, policy.venue_cap_micros, "venue"))
    for outflow, cap, scope in caps:
        _forget(outflow, state.now_ms - policy.window_ms)
        left = cap - outflow.sum_micros
        if amount_micros > left:
            return reject(
                RejectCode.WITHDRAWAL_CAP,
                scope=scope,
                have_micros=max(0, left),
                need_micros=amount_micros,
                window_ms=policy.window_ms,
            )
    return None


def needs_approval(state: State, amount_micros: int) -> bool:
    """Whether an amount has to wait for approvers."""
    policy = state.withdrawal_policy
    return policy is not None and amount_micros > policy.approval_above_micros


def count(state: State, account: Account, amount_micros: int) -> None:
    """Note that an amount leaves, for the caps. Forgets what has left the window, so that both stay short."""
    policy = state.withdrawal_policy
    if policy is None:
        return
    for outflow in (root(state, account).outflow, state.outflow):
        _forget(outflow, state.now_ms - policy.window_ms)
        outflow.window.append((state.now_ms, amount_micros))
        outflow.sum_micros += amount_micros


def _forget(outflow: Outflow, before_ms: int) -> None:
    while outflow.window and outflow.window[0][0] <= before_ms:
        outflow.sum_micros -= outflow.window.popleft()[1]


# --- what waits for approval -------------------------------------------------------------------------------------------


def hold(state: State, command: c.Withdraw) -> list[Event]:
    """Let a withdrawal wait for its approvers."""
    if len(state.waiting_withdrawals) >= MAX_WAITING:
        return reject(RejectCode.TOO_MANY_WAITING, limit=MAX_WAITING)
    policy = state.withdrawal_policy
    assert policy is not None
    memory.use(state, command.reference)
    state.waiting_withdrawals[command.reference] = WaitingWithdrawal(command, state.now_ms)
    return [WithdrawalHeld(command.reference, command.account_id, command.amount_micros, command.to, policy.approvals)]


def consent(state: State, command: pc.ApproveWithdrawal) -> list[Event]:
    """Note one approver's consent. The caller sends the withdrawal when nobody is missing any more."""
    waiting = state.waiting_withdrawals.get(command.reference)
    if waiting is None:
        return reject(RejectCode.UNKNOWN_WITHDRAWAL, reference=command.reference)
    policy = state.withdrawal_policy
    assert policy is not None
    approver = state.accounts.get(command.approver)
    if approver is None or command.approver not in policy.approvers:
        return reject(RejectCode.NOT_AN_APPROVER, account_id=command.approver)
    if approver.owner == state.accounts[waiting.withdrawal.account_id].owner:
        return reject(RejectCode.OWN_WITHDRAWAL, account_id=command.approver)
    if command.approver in waiting.approvers:
        return reject(RejectCode.DUPLICATE_REQUEST, reference=f"{command.reference}:{command.approver}")
    waiting.approvers.append(command.approver)
    missing = max(0, policy.approvals - len(waiting.approvers))
    return [WithdrawalApproved(command.reference, command.approver, missing)]


def reject_withdrawal(state: State, command: pc.RejectWithdrawal) -> list[Event]:
    """Drop a waiting withdrawal: an approver refuses it, or its own account takes it back."""
    waiting = state.waiting_withdrawals.get(command.reference)
    if waiting is None:
        return reject(RejectCode.UNKNOWN_WITHDRAWAL, reference=command.reference)
    policy = state.withdrawal_policy
    assert policy is not None
    if command.approver not in (*policy.approvers, waiting.withdrawal.account_id):
        return reject(RejectCode.NOT_AN_APPROVER, account_id=command.approver)
    del state.waiting_withdrawals[command.reference]
    return [WithdrawalRejected(command.reference, command.approver)]


# --- setting it --------------------------------------------------------------------------------------------------------


def set_policy(state: State, command: pc.SetWithdrawalPolicy) -> list[Event]:
    """Replace the policy. Withdrawals that wait stay, under the new one."""
    numbers = {
        "cooling_off_ms": (command.cooling_off_ms, 0),
        "window_ms": (command.window_ms, 1),
        "account_cap_micros": (command.account_cap_micros, 0),
        "venue_cap_micros": (command.venue_cap_micros, 0),
        "approval_above_micros": (command.approval_above_micros, 0),
        "approvals": (command.approvals, 1),
    }
    for name, (value, lowest) in numbers.items():
        if value < lowest:
            return reject(RejectCode.INVALID_POLICY, field=name, value=value, needs=f"at least {lowest}")
    missing = next((name for name in command.approvers if not _is_custodial(state, name)), None)
    if missing is not None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=missing)
    if len(set(command.approvers)) < command.approvals:
        return reject(
            RejectCode.INVALID_POLICY,
            field="approvals",
            value=command.approvals,
            needs=f"no more than the {len(set(command.approvers))} approvers",
        )
    state.withdrawal_policy = WithdrawalPolicy(
        command.cooling_off_ms,
        command.window_ms,
        command.account_cap_micros,
        command.venue_cap_micros,
        command.approval_above_micros,
        command.approvals,
        command.approvers,
    )
    return [WithdrawalPolicySet()]


def _is_custodial(state: State, account_id: str) -> bool:
    account = state.accounts.get(account_id)
    return account is not None and not account.is_wallet and not account.parent


def allow_destination(state: State, command: pc.AllowDestination) -> list[Event]:
    """Put an address on an account's list. One that is there keeps its time."""
    account = state.accounts.get(command.account_id)
    if account is None or account.is_wallet:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    owner, address = root(state, account), command.address.lower()
    if address not in owner.destinations:
        if len(owner.destinations) >= MAX_DESTINATIONS:
            return reject(RejectCode.TOO_MANY_DESTINATIONS, limit=MAX_DESTINATIONS)
        policy = state.withdrawal_policy
        owner.destinations[address] = state.now_ms + (policy.cooling_off_ms if policy else 0)
    return [DestinationAllowed(owner.account_id, address, owner.destinations[address])]


def remove_destination(state: State, command: pc.RemoveDestination) -> list[Event]:
    """Take an address off an account's list."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    owner, address = root(state, account), command.address.lower()
    if owner.destinations.pop(address, None) is None:
        return reject(RejectCode.DESTINATION_NOT_ALLOWED, to=address, usable_ms=0, now_ms=state.now_ms)
    return [DestinationRemoved(owner.account_id, address)]


def freeze(state: State, command: pc.Freeze) -> list[Event]:
    """Stop trading and the pool's outflow. The first reason stands until somebody takes it back."""
    if not state.frozen:
        state.frozen = command.reason or "frozen"
    events: list[Event] = [Frozen(state.frozen)]
    if command.pauses:
        cancel_for_pause(state, events)
    return events


def unfreeze(state: State, command: pc.Unfreeze) -> list[Event]:
    """Take the freeze back."""
    if not state.frozen:
        return reject(RejectCode.NOT_FROZEN)
    state.frozen = ""
    return [Unfrozen(command.reason)]
