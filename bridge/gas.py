"""How much gas a settlement batch is given. Never the node's estimate: it may be wrong in both directions, and costs a call.

The contract gives each operation its own share and skips what needs more, so these are upper bounds, not forecasts. What a
block does not take all the same is cut in two (`submitter.py`).
"""

from collections.abc import Iterable

from offchain_book.engine.operations import FillOperation, Operation, PoolOperation

GAS_LIMIT = 15_000_000
"""Most gas of one batch at first; a retry may take MAX_TRANSACTION_GAS, or the block if that is less."""
MAX_TRANSACTION_GAS = 1 << 24
"""Most that any chain takes in one transaction (EIP-7825)."""
GAS_BASE = 300_000
"""A transaction, the control word, and what must be left for the last delivery (150,000 and the 63/64 rule)."""
GAS_PER_BYTE = 16
GAS_PER_FILL = 220_000
"""Two fresh status words, four words that may be fresh, two signatures, the event."""
GAS_PER_POOL_ACTION = 330_000
GAS_PER_VAULT_ACTION = 330_000
"""The same with one delivery to a contract."""


def gas_of(operation: Operation) -> int:
    """Return the most gas that one operation is allowed for, calldata aside."""
    if isinstance(operation, FillOperation):
        return GAS_PER_FILL
    return GAS_PER_POOL_ACTION if isinstance(operation, PoolOperation) else GAS_PER_VAULT_ACTION


def fitting(operations: Iterable[Operation]) -> int:
    """Return how many of these, from the first one on, fit into one transaction; at least one."""
    gas, count = GAS_BASE, 0
    for operation in operations:
        gas += gas_of(operation)
        if count and gas > GAS_LIMIT:
            break
        count += 1
    return count


def gas_for(operations: Iterable[Operation], calldata: bytes) -> int:
    """Return the gas that a batch is first sent with."""
    return GAS_BASE + GAS_PER_BYTE * len(calldata) + sum(map(gas_of, operations))


def most_gas(block_gas_limit: int) -> int:
    """Return the most that one transaction may have on a chain with such blocks."""
    return min(block_gas_limit, MAX_TRANSACTION_GAS)
