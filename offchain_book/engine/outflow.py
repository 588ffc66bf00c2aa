"""The pool's outflow limit, reserved at admission, so that the contract never has to refuse a sending for it.

The contract keeps a bucket: each sending out of the pool adds its amount (a token counts as one dollar), the level drains
linearly from full to empty in one window, and what would pass the limit is skipped (`contracts/libraries/Actions.sol`).
The engine has no chain clock, so its level is an upper bound of the contract's: what is queued counts whole, and what has
landed begins to drain only at the time of a final block that is not older than the one it landed in.
"""

from offchain_book.engine.events import Event
from offchain_book.engine.listing import reject
from offchain_book.engine.operations import Operation, PoolAction, PoolOperation
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State

_SENDS = (PoolAction.SEND_CASH, PoolAction.SEND_TOKENS)


def sent_micros(operation: Operation) -> int:
    """Return what an operation sends out of the pool."""
    if isinstance(operation, PoolOperation) and operation.action in _SENDS:
        return operation.amount_micros
    return 0


def _level_micros(state: State) -> int:
    """Return the bucket's level at the newest final block."""
    drained = (state.final_time_s - state.pool_outflow_at_s) * state.pool_outflow_limit_micros // state.pool_outflow_window_s
    return max(0, state.pool_outflow_level_micros - drained)


def left_micros(state: State) -> int | None:
    """Return what the pool may still send now; None when there is no limit."""
    if not state.pool_outflow_limit_micros:
        return None
    used = _level_micros(state) + state.pool_outflow_open_micros + sum(state.pool_outflow_landed.values())
    return max(0, state.pool_outflow_limit_micros - used)


def refuse(state: State, amount_micros: int) -> list[Event] | None:
    """Refuse to send what the limit does not leave."""
    left = left_micros(state)
    if left is None or amount_micros <= left:
        return None
    return reject(RejectCode.OUTFLOW_LIMIT, have_micros=left, need_micros=amount_micros)


def reserve(state: State, operation: Operation) -> None:
    """Count an operation that has been queued."""
    if state.pool_outflow_limit_micros:
        state.pool_outflow_open_micros += sent_micros(operation)


def release(state: State, operation: Operation) -> None:
    """Forget an operation that never executes."""
    if state.pool_outflow_limit_micros:
        state.pool_outflow_open_micros -= sent_micros(operation)


def land(state: State, operation: Operation, block_number: int) -> None:
    """Count an operation that executed in this block."""
    amount = sent_micros(operation)
    if amount and state.pool_outflow_limit_micros:
        state.pool_outflow_open_micros -= amount
        state.pool_outflow_landed[block_number] = state.pool_outflow_landed.get(block_number, 0) + amount
        _settle(state)


def advance(state: State, final_block: int, final_time_s: int) -> None:
    """Take over a newer final block, and let drain what landed no later."""
    state.final_block, state.final_time_s = final_block, final_time_s
    if state.pool_outflow_limit_micros:
        _settle(state)


def _settle(state: State) -> None:
    landed = [number for number in state.pool_outflow_landed if number <= state.final_block]
    if landed:
        state.pool_outflow_level_micros = _level_micros(state) + sum(
            state.pool_outflow_landed.pop(number) for number in landed
        )
        state.pool_outflow_at_s = state.final_time_s
