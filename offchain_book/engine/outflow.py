"""The pool's outflow limit, reserved at admission, so that the contract never has to refuse anything for it.

The contract keeps a bucket: each sending out of the pool adds its amount (a token counts as one dollar), each fill of the
pool the most that it can lose by it; the level drains linearly from full to empty in one window, and what would pass the
limit is skipped (`contracts/libraries/Outflow.sol`). The engine has no chain clock, so its level is an upper bound of the
contract's: what is queued counts whole, and what has landed begins to drain only at the time of a final block that is not
older than the one it landed in. Contracts of the first version count sendings alone (ADR 0029).
"""

from offchain_book.engine.events import Event
from offchain_book.engine.listing import reject
from offchain_book.engine.operations import YES, FillOperation, Operation, PoolAction, PoolOperation, TokenSide
from offchain_book.engine.order import BID, BookSide
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State
from offchain_book.engine.units import complement_e4, cost_micros

_SENDS = (PoolAction.SEND_CASH, PoolAction.SEND_TOKENS)
COUNTS_FILLS = 2
"""The first version of the contract whose limit counts fills."""


def counted_micros(state: State, operation: Operation) -> int:
    """Return what an operation adds to the contract's bucket."""
    if isinstance(operation, PoolOperation):
        return operation.amount_micros if operation.action in _SENDS else 0
    if state.contract_version < COUNTS_FILLS or not isinstance(operation, FillOperation):
        return 0
    leg = operation.maker if operation.taker.wallet else operation.taker
    if leg.wallet:
        return 0
    size, price = operation.size_micros, operation.price_e4
    paid = cost_micros(size, price if leg.outcome is YES else complement_e4(price))
    return paid if leg.side is TokenSide.BUY else size - paid


def fill_micros(side: BookSide, price_e4: int, size_micros: int) -> int:
    """Return the same for a fill whose custodial account is on `side` of the book. Whether the pool buys the one token or
    sells the other, it can lose what its side costs."""
    return cost_micros(size_micros, price_e4 if side is BID else complement_e4(price_e4))


def _level_micros(state: State) -> int:
    """Return the bucket's level at the newest final block."""
    drained = (state.final_time_s - state.pool_outflow_at_s) * state.pool_outflow_limit_micros // state.pool_outflow_window_s
    return max(0, state.pool_outflow_level_micros - drained)


def left_micros(state: State) -> int | None:
    """Return what the pool may still send or lose now; None when there is no limit."""
    if not state.pool_outflow_limit_micros:
        return None
    used = _level_micros(state) + state.pool_outflow_open_micros + sum(state.pool_outflow_landed.values())
    return max(0, state.pool_outflow_limit_micros - used)


def left_for_fills_micros(state: State) -> int | None:
    """Return what fills of the pool may still count now; None when they do not count."""
    return left_micros(state) if state.contract_version >= COUNTS_FILLS else None


def refuse(state: State, amount_micros: int) -> list[Event] | None:
    """Refuse to send what the limit does not leave."""
    left = left_micros(state)
    if left is None or amount_micros <= left:
        return None
    return reject(RejectCode.OUTFLOW_LIMIT, have_micros=left, need_micros=amount_micros)


def reserve(state: State, operation: Operation) -> None:
    """Count an operation that has been queued."""
    if state.pool_outflow_limit_micros:
        state.pool_outflow_open_micros += counted_micros(state, operation)


def release(state: State, operation: Operation) -> None:
    """Forget an operation that never executes."""
    if state.pool_outflow_limit_micros:
        state.pool_outflow_open_micros -= counted_micros(state, operation)


def land(state: State, operation: Operation, block_number: int) -> None:
    """Count an operation that executed in this block."""
    amount = counted_micros(state, operation)
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
