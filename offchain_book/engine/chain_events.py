"""What happened between the exchange and the chain; see `events.py` for what holds for all of them."""

from offchain_book.engine.happened import Happened
from offchain_book.engine.operations import Operation


class OperationQueued(Happened, frozen=True):
    """The chain has to execute this next in the stream."""

    operation: Operation


class DepositCredited(Happened, frozen=True):
    """A deposit can be spent."""

    deposit_index: int
    account_id: str
    asset: str
    amount_micros: int


class DepositUnassigned(Happened, frozen=True):
    """A deposit into the pool names no account that exists; it waits in the suspense account."""

    deposit_index: int
    reference: str
    asset: str
    amount_micros: int


class BatchCut(Happened, frozen=True):
    """Operations were put into a batch."""

    batch_no: int
    first: int
    operation_count: int


class BatchObserved(Happened, frozen=True):
    """A batch's transaction moved on, not final yet."""

    batch_no: int
    first: int
    operation_count: int
    stage: str
    tx_hash: str
    block_number: int


class OperationSettled(Happened, frozen=True):
    """An operation is final on chain: executed, or skipped by the contract."""

    number: int
    batch_no: int
    tx_hash: str
    block_number: int
    skipped: bool


class OperationFailed(Happened, frozen=True):
    """An operation will never execute. `resolution` says what happened instead: guaranteed, busted, returned."""

    number: int
    reason: str
    resolution: str


class ChainObserved(Happened, frozen=True):
    """Finality moved, stopped (`halted`) or came back."""

    final_block: int
    halted: bool


class ExitObserved(Happened, frozen=True):
    """A wallet's exit was seen on chain."""

    wallet: str
    exit_at_s: int


class WatermarkObserved(Happened, frozen=True):
    """A wallet's watermark was seen on chain."""

    wallet: str
    min_nonce: int
    cancel_before_ms: int


class ResolutionConfirmed(Happened, frozen=True):
    """The chain carries the outcome."""

    ticker: str
    yes_payout_micros: int
    tx_hash: str


ChainEvent = (
    OperationQueued
    | DepositCredited
    | DepositUnassigned
    | BatchCut
    | BatchObserved
    | OperationSettled
    | OperationFailed
    | ChainObserved
    | ExitObserved
    | WatermarkObserved
    | ResolutionConfirmed
)
