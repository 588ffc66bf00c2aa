"""What happened to withdrawals under the policy, and the freeze; see `events.py` for what holds for all of them."""

from offchain_book.engine.happened import Details, Happened
from offchain_book.engine.rejects import RejectCode


class WithdrawalPolicySet(Happened, frozen=True):
    """A policy decides from now on what leaves the pool."""


class DestinationAllowed(Happened, frozen=True):
    """An address is on an account's list and can be used from `usable_ms` on."""

    account_id: str
    address: str
    usable_ms: int


class DestinationRemoved(Happened, frozen=True):
    """An address is no longer on an account's list."""

    account_id: str
    address: str


class WithdrawalHeld(Happened, frozen=True):
    """A withdrawal waits for `approvals` approvers. Nothing has moved."""

    reference: str
    account_id: str
    amount_micros: int
    to: str
    approvals: int


class WithdrawalApproved(Happened, frozen=True):
    """An approver has consented; `missing` more are needed."""

    reference: str
    approver: str
    missing: int


class WithdrawalRejected(Happened, frozen=True):
    """A waiting withdrawal was dropped, by an approver or by its own account."""

    reference: str
    by: str


class WithdrawalRefused(Happened, frozen=True):
    """A withdrawal had every approval and could not be sent any more."""

    reference: str
    code: RejectCode
    details: Details


class Frozen(Happened, frozen=True):
    """Trading and everything that leaves the pool have stopped."""

    reason: str


class Unfrozen(Happened, frozen=True):
    """An operator took the freeze back."""

    reason: str


class AccountSuspended(Happened, frozen=True):
    """An account stopped trading."""

    account_id: str
    reason: str


class AccountRestored(Happened, frozen=True):
    """An account may trade again."""

    account_id: str
    reason: str


PolicyEvent = (
    WithdrawalPolicySet
    | DestinationAllowed
    | DestinationRemoved
    | WithdrawalHeld
    | WithdrawalApproved
    | WithdrawalRejected
    | WithdrawalRefused
    | Frozen
    | Unfrozen
    | AccountSuspended
    | AccountRestored
)
