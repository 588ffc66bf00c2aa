"""When a batch is final: receipts, their events, the final block's own state and its counters tell one story, or none does.

A receipt alone proves nothing: it may be forged, or of a block that is gone. What a node says in one answer is held against
what it says in others; a node that stays of two minds is not believed either way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.chain import Chain, StateUnavailable, TransactionReceipt
from bridge.logs import OPERATION_EVENTS, OperationSkipped
from bridge.rpc import ChainUnavailable


class Contradiction(Exception):
    """Chain and events, or chain and ledger, say different things for good. A person has to look."""


class Doubtful(Exception):
    """The node's answers do not fit together now: a reorg between two of them, or a lie if it stays."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a receipt of a final block says: operations `first` .. `end - 1` were executed."""

    batch_no: int
    first: int
    end: int
    receipt: TransactionReceipt


@dataclass(frozen=True, slots=True)
class Proof:
    """A claim that holds; `skipped` is (operation number, contract's reason)."""

    batch_no: int
    receipt: TransactionReceipt
    skipped: tuple[tuple[int, int], ...]


def prove(chain: Chain, claims: Sequence[Claim], skipped_before: int, final_block: int) -> list[Proof]:
    """Read the receipts of consecutive batches again, whole, and hold them against the final block's state.

    `skipped_before` is what the contract had skipped before the first of them. Raises Doubtful, Contradiction and
    ChainUnavailable.
    """
    proofs = [_reread(chain, claim) for claim in claims]
    next_operation, skipped = _counters(chain, final_block)
    end = claims[-1].end
    if next_operation < end:
        raise Doubtful(f"final block {final_block} is at operation {next_operation}, receipts say {end}")
    expected = skipped_before + sum(len(proof.skipped) for proof in proofs)
    if skipped < expected or (next_operation == end and skipped != expected):
        raise Contradiction(f"the contract has skipped {skipped} operations, its events say {expected}")
    return proofs


def _reread(chain: Chain, claim: Claim) -> Proof:
    """Return what the transaction's events say of this batch; it may have executed its neighbours too (`SplitBatch`)."""
    receipt, block = chain.receipt(claim.receipt.tx_hash), chain.block(claim.receipt.block_number)
    if receipt is None or block is None or not receipt.block_hash == claim.receipt.block_hash == block.hash:
        raise Doubtful(f"batch {claim.batch_no}: receipt and block {claim.receipt.block_number} do not fit together")
    named = [event for event in receipt.events if isinstance(event, OPERATION_EVENTS)]
    events = [event for event in named if claim.first <= event.number < claim.end]
    if sorted(event.number for event in events) != list(range(claim.first, claim.end)):
        numbers = [event.number for event in named]
        raise Contradiction(f"the events of {receipt.tx_hash} name {numbers}, not batch {claim.batch_no}")
    skipped = tuple((event.number, event.reason) for event in events if isinstance(event, OperationSkipped))
    return Proof(claim.batch_no, receipt, skipped)


def _counters(chain: Chain, final_block: int) -> tuple[int, int]:
    """Return (next operation, skipped operations) at a final block."""
    wanted = [("nextOperation", ()), ("skippedOperations", ())]
    try:
        next_operation, skipped = chain.read_all(wanted, final_block)
    except StateUnavailable:
        # The node has pruned that block's state. The newest state stands on that block: it is the witness.
        head = chain.head()
        if head.number < final_block:
            raise ChainUnavailable(f"the node shows block {head.number}, block {final_block} is final") from None
        next_operation, skipped = chain.read_all(wanted, head.hash)
    return int(next_operation), int(skipped)
