"""What happened to withdrawals under the policy, and the freeze; see `events.py` for what holds for all of them."""

from typing import NamedTuple

from offchain_book.engine.rejects import RejectCode


class WithdrawalPolicySet(NamedTuple):
    """A policy decides from now on what leaves the pool."""


class DestinationAllowed(NamedTuple):
    """An address is on an account's list and can be used from `usable_ms` on."""

    account_id: str
    address: str
    usable_ms: int


class DestinationRemoved(NamedTuple):
    """An address is no longer on an account's list."""

    account_id: str
    address: str


class WithdrawalHeld(NamedTuple):
    """A withdrawal waits for `approvals` approvers. Nothing has moved."""

    reference: str
    account_id: str
    amount_micros: int
    to: str
    approvals: int


class WithdrawalApproved(NamedTuple):
    """An approver has consented; `missing` more are needed."""

    reference: str
    approver: str
    missing: int


class WithdrawalRejected(NamedTuple):
    """A waiting withdrawal was dropped, by an approver or by its own account."""

    reference: str
    by: str


class WithdrawalRefused(NamedTuple):
    """A withdrawal had every approval and could not be sent any more."""

    reference: str
    code: RejectCode
    details: tuple[tuple[str, int | str], ...]


class Frozen(NamedTuple):
    """Trading and everything that leaves the pool have stopped."""

    reason: str


class Unfrozen(NamedTuple):
    """An operator took the freeze back."""

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
)
