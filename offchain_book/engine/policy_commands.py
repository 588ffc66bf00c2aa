"""Commands about what may leave the pool, and the freeze; see `commands.py` for what holds for all of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SetWithdrawalPolicy:
    """Restrict what leaves the pool (`policy.py`). Amounts are millionths; a token counts as a dollar, the most it can be worth.

    In a rolling `window_ms`, at most `account_cap_micros` of one account and `venue_cap_micros` of all. Above
    `approval_above_micros` a withdrawal waits for `approvals` different approvers. Once set, an address must be on the
    account's list, for `cooling_off_ms`, before anything is sent there.
    """

    cooling_off_ms: int
    window_ms: int
    account_cap_micros: int
    venue_cap_micros: int
    approval_above_micros: int
    approvals: int = 1
    approvers: tuple[str, ...] = ()
    """Custodial accounts that may approve; nobody approves his own."""


@dataclass(frozen=True, slots=True)
class AllowDestination:
    """Put an address on an account's list; it can be used after the policy's cooling-off."""

    account_id: str
    address: str


@dataclass(frozen=True, slots=True)
class RemoveDestination:
    """Take an address off an account's list, at once."""

    account_id: str
    address: str


@dataclass(frozen=True, slots=True)
class ApproveWithdrawal:
    """One approver's consent; the last one needed sends it, if everything still allows it."""

    reference: str
    approver: str


@dataclass(frozen=True, slots=True)
class RejectWithdrawal:
    """An approver refuses a waiting withdrawal, or its own account takes it back."""

    reference: str
    approver: str


@dataclass(frozen=True, slots=True)
class Freeze:
    """Stop trading and everything that leaves the pool: the reserves do not add up, or an operator says so.

    Wallets still leave, cancels still work, what is in the stream still settles. `pauses`: it is a pause to orders that asked to
    be cancelled on one, as every freeze is today; journals from before that rule do not say so.
    """

    reason: str
    pauses: bool = False


@dataclass(frozen=True, slots=True)
class Unfreeze:
    """An operator has found out why, and takes it back."""

    reason: str


@dataclass(frozen=True, slots=True)
class SuspendAccount:
    """Stop one account's trading, subaccounts included: open orders go, new ones are refused, what it has may leave."""

    account_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RestoreAccount:
    """Let a suspended account trade again."""

    account_id: str
    reason: str


PolicyCommand = (
    SetWithdrawalPolicy
    | AllowDestination
    | RemoveDestination
    | ApproveWithdrawal
    | RejectWithdrawal
    | Freeze
    | Unfreeze
    | SuspendAccount
    | RestoreAccount
)
