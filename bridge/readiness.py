"""Whether a venue is ready, check by check: what `/readyz` says."""

import asyncio
from collections.abc import Callable

from bridge.chain import Chain
from bridge.second_node import SecondNode
from offchain_book.gateways.operator import Check, Finding
from offchain_book.reserves import ReserveBoard
from offchain_book.sequencer import Sequencer


def checks(
    sequencer: Sequencer,
    chain: Chain,
    board: ReserveBoard,
    is_funded: Callable[[], bool],
    alarm: Callable[[], str],
    second: SecondNode | None = None,
) -> dict[str, Check]:
    """Return the checks by name. `alarm` says what keeps settlement from going on, empty when nothing does."""

    async def journal() -> Finding:
        failure = sequencer.failure
        return Finding(failure is None, f"seq {sequencer.state.seq}" if failure is None else repr(failure))

    async def chain_head() -> Finding:
        state = sequencer.state
        if state.chain_halted:
            return Finding(False, f"finality stands still at block {state.final_block}")
        head = await asyncio.to_thread(chain.head)
        return Finding(True, f"block {head.number}")

    async def deposits() -> Finding:
        funded = is_funded()
        return Finding(funded, "credited" if funded else "the first deposits are not final yet")

    async def settlement() -> Finding:
        reason = alarm()
        return Finding(not reason, reason or f"{len(sequencer.state.operations)} operations open")

    async def reserves() -> Finding:
        frozen = sequencer.state.frozen
        if frozen:
            return Finding(False, f"frozen: {frozen}")
        if board.differences:
            return Finding(False, f"{len(board.differences)} differences, see /venue/reserves")
        return Finding(True, board.waiting or f"equal in block {board.block_number}")

    found: dict[str, Check] = {
        "journal": journal,
        "chain": chain_head,
        "deposits": deposits,
        "settlement": settlement,
        "reserves": reserves,
    }
    if second is not None:
        nodes = second

        async def second_node() -> Finding:
            return Finding(not nodes.alarm, nodes.trouble or "it says the same")

        found["second_node"] = second_node
    return found
