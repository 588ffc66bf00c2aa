"""Commands about the chain: what was seen on it, and what goes to it; see `commands.py` for what holds for all of them."""

from enum import StrEnum

from msgspec import Struct

from offchain_book.engine.operations import Outcome


class CreditDeposit(Struct, frozen=True):
    """Chain fact: deposit `deposit_index` is final. `outcome` None means cash; else `ticker`'s token."""

    deposit_index: int
    account_id: str
    amount_micros: int
    tx_hash: str
    block_number: int
    from_address: str
    ticker: str = ""
    outcome: Outcome | None = None


class CutBatch(Struct, frozen=True):
    """Settle operations `first` .. `first + count - 1` in one transaction: the intent, journaled before signing.

    `voided` are those that the ledger has given up already; they are packed with a deadline in the past.
    """

    batch_no: int
    first: int
    count: int
    payload_hash: str
    voided: tuple[int, ...] = ()


class SplitBatch(Struct, frozen=True):
    """Cut a batch that no block can take in two: it keeps its first `count` operations, a new batch gets the rest."""

    batch_no: int
    count: int
    payload_hash: str
    rest_no: int
    rest_hash: str


class BatchStage(StrEnum):
    """How far a batch's transaction has come; `confirmed` comes with `ConfirmBatch` alone."""

    CUT = "cut"
    SENT = "sent"
    MINED = "mined"
    RETRYING = "retrying"
    CONFIRMED = "confirmed"


class ObserveBatch(Struct, frozen=True):
    """Chain fact, not final: the batch's transaction was sent, seen in a block, or has to be sent again."""

    batch_no: int
    stage: BatchStage
    tx_hash: str
    block_number: int = 0


class ConfirmBatch(Struct, frozen=True):
    """Chain fact, final: the batch executed; `skipped` lists (operation number, contract's reason)."""

    batch_no: int
    tx_hash: str
    block_number: int
    block_hash: str
    skipped: tuple[tuple[int, int], ...] = ()


class ObserveChain(Struct, frozen=True):
    """Chain fact: the newest final block, or that finality stands still (`halted`)."""

    final_block: int
    final_time_s: int
    halted: bool
    final_hash: str = ""


class ObserveExit(Struct, frozen=True):
    """Chain fact at the head: a wallet asked to leave; `exit_at_s` 0 means that it came back or has left."""

    wallet: str
    exit_at_s: int


class ObserveWatermark(Struct, frozen=True):
    """Chain fact at the head: a wallet voids its V1 and native orders below a nonce, or V2 orders before a time."""

    wallet: str
    min_nonce: int = 0
    cancel_before_ms: int = 0


class RecordExit(Struct, frozen=True):
    """Chain fact, final: a wallet's exit paid out cash (`outcome` None) or tokens. `reference` is tx hash and log index."""

    reference: str
    wallet: str
    amount_micros: int
    ticker: str = ""
    outcome: Outcome | None = None


class RecordRefusedDelivery(Struct, frozen=True):
    """Chain fact, final: code at a wallet refused bought or sent tokens, so they are in its vault half after all."""

    reference: str
    wallet: str
    amount_micros: int
    ticker: str
    outcome: Outcome


class ConfirmResolution(Struct, frozen=True):
    """Chain fact, final: the condition is resolved on chain with this payout.

    `merges`: the pool merges its sets before it redeems what is left, so that the chain rounds once, and what it gets is never
    less than what custodial positions are paid. Older records had it redeem both outcomes, and equity made up for a millionth.
    """

    ticker: str
    yes_payout_micros: int
    tx_hash: str
    block_number: int
    merges: bool = False


class ExpireOperations(Struct, frozen=True):
    """Chain fact: a final block later than their `notAfter` shows that operations from `first` on never landed."""

    first: int
    count: int
    final_block: int
    final_time_s: int


ChainCommand = (
    CreditDeposit
    | CutBatch
    | SplitBatch
    | ObserveBatch
    | ConfirmBatch
    | ObserveChain
    | ObserveExit
    | ObserveWatermark
    | RecordExit
    | RecordRefusedDelivery
    | ConfirmResolution
    | ExpireOperations
)
