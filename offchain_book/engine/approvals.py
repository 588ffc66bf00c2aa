"""The last step of a withdrawal that needed approvers."""

from offchain_book.engine import actions, policy
from offchain_book.engine.events import Event, Rejected
from offchain_book.engine.policy_commands import ApproveWithdrawal
from offchain_book.engine.policy_events import WithdrawalApproved, WithdrawalRefused
from offchain_book.engine.state import State


def approve(state: State, command: ApproveWithdrawal) -> list[Event]:
    """Note a consent. With the last one the withdrawal is checked again in full, and sent or given up."""
    noted = policy.consent(state, command)
    event = noted[0]
    if not isinstance(event, WithdrawalApproved) or event.missing:
        return noted
    waiting = state.waiting_withdrawals.pop(command.reference)
    sent = actions.send_withdrawal(state, waiting.withdrawal)
    if isinstance(sent[0], Rejected):
        return [*noted, WithdrawalRefused(command.reference, sent[0].code, sent[0].details)]
    return noted + sent
