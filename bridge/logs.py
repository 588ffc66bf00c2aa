"""What the venue contract's events say, as values. No IO, no web3: `chain.py` decodes, this names.

Addresses and hashes are 0x-prefixed lower-case hex; token ids are decimal strings ("0" is cash).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event was logged."""

    block_number: int
    block_hash: str
    tx_hash: str
    log_index: int


@dataclass(frozen=True, slots=True)
class Deposited:
    """A credit from outside, number `index` of all. `wallet` is the pool's address for custodial deposits."""

    place: Place
    index: int
    wallet: str
    account_reference: str
    from_address: str
    token_id: str
    amount_micros: int


@dataclass(frozen=True, slots=True)
class Filled:
    """A fill landed."""

    place: Place
    number: int
    taker: str
    maker: str
    taker_token_id: str


@dataclass(frozen=True, slots=True)
class OperationSkipped:
    """An operation failed a check and changed nothing; `reason` is the contract's SkipReason."""

    place: Place
    number: int
    reason: int


@dataclass(frozen=True, slots=True)
class PoolActionExecuted:
    """The custody pool did something."""

    place: Place
    number: int
    action: int
    token_id: str
    amount_micros: int
    to: str


@dataclass(frozen=True, slots=True)
class VaultActionExecuted:
    """A wallet's signed action landed."""

    place: Place
    number: int
    wallet: str
    kind: int
    token_id: str
    amount_micros: int
    to: str


@dataclass(frozen=True, slots=True)
class ExitRequested:
    """A wallet will be able to leave from `effective_at_s` on."""

    place: Place
    wallet: str
    effective_at_s: int


@dataclass(frozen=True, slots=True)
class Exited:
    """A wallet took its cash and `token_ids`; `finished` when nothing is left."""

    place: Place
    wallet: str
    cash_micros: int
    token_ids: tuple[str, ...]
    finished: bool


@dataclass(frozen=True, slots=True)
class TokensMoved:
    """ERC-1155 tokens changed free hands (`from_address` zero: they left a vault or were made)."""

    place: Place
    from_address: str
    to: str
    token_ids: tuple[str, ...]
    amounts_micros: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DeliveryRefused:
    """Code at a wallet refused tokens: they are in its vault half."""

    place: Place
    wallet: str
    token_id: str
    amount_micros: int


@dataclass(frozen=True, slots=True)
class MinNonceSet:
    """A wallet voids its nonce-carrying orders below `min_nonce` from `effective_at_s` on."""

    place: Place
    wallet: str
    min_nonce: int
    effective_at_s: int


@dataclass(frozen=True, slots=True)
class CancelledBefore:
    """A wallet voids its V2 orders with a timestamp before `timestamp_ms` from `effective_at_s` on."""

    place: Place
    wallet: str
    timestamp_ms: int
    effective_at_s: int


@dataclass(frozen=True, slots=True)
class ConditionResolved:
    """A condition's outcome is final on chain."""

    place: Place
    condition_id: str
    yes_payout_micros: int


OperationEvent = Filled | OperationSkipped | PoolActionExecuted | VaultActionExecuted
OPERATION_EVENTS = (Filled, OperationSkipped, PoolActionExecuted, VaultActionExecuted)
"""Every executed operation leaves exactly one of these."""
VenueEvent = (
    OperationEvent
    | Deposited
    | DeliveryRefused
    | ExitRequested
    | Exited
    | TokensMoved
    | MinNonceSet
    | CancelledBefore
    | ConditionResolved
)

_NUMBER_SHIFT = 152
_NUMBER_MASK = (1 << 48) - 1


def venue_event(name: str, f: Mapping[str, Any], at: Place) -> VenueEvent | None:
    """Build the dataclass of one of the venue's events; None for events that nobody here follows."""
    match name:
        case "Deposited":
            reference = "0x" + f["accountReference"].hex()
            return Deposited(at, f["index"], f["wallet"], reference, f["from"], str(f["id"]), f["amount"])
        case "Filled":
            number = f["details"] >> _NUMBER_SHIFT & _NUMBER_MASK
            return Filled(at, number, f["taker"], f["maker"], str(f["takerTokenId"]))
        case "OperationSkipped":
            return OperationSkipped(at, f["number"], f["reason"])
        case "PoolActionExecuted":
            return PoolActionExecuted(at, f["number"], f["action"], str(f["id"]), f["amount"], f["to"])
        case "VaultActionExecuted":
            return VaultActionExecuted(at, f["number"], f["wallet"], f["kind"], str(f["id"]), f["amount"], f["to"])
        case "ExitRequested":
            return ExitRequested(at, f["wallet"], f["effectiveAt"])
        case "Exited":
            return Exited(at, f["wallet"], f["cash"], tuple(str(token) for token in f["ids"]), f["finished"])
        case "TransferSingle":
            return TokensMoved(at, f["from"], f["to"], (str(f["id"]),), (f["value"],))
        case "TransferBatch":
            return TokensMoved(at, f["from"], f["to"], tuple(map(str, f["ids"])), tuple(f["values"]))
        case "DeliveryRefused":
            return DeliveryRefused(at, f["wallet"], str(f["id"]), f["amount"])
        case "MinNonceSet":
            return MinNonceSet(at, f["wallet"], f["minNonce"], f["effectiveAt"])
        case "CancelledBefore":
            return CancelledBefore(at, f["wallet"], f["timestampMs"], f["effectiveAt"])
        case "ConditionResolved":
            return ConditionResolved(at, "0x" + f["conditionId"].hex(), f["yesPayoutMicros"])
    return None
