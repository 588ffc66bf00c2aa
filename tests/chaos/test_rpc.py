"""Chaos list C: what a node may answer, not answer, or lie about. Numbers as in docs/chaos.md."""

import asyncio
import threading
from typing import Any

import pytest

from bridge import heads
from bridge.chain import Chain, WrongChain
from bridge.rpc import ChainUnavailable
from bridge.submitter import SubmitterHalted
from offchain_book.engine import chain_commands as cc
from tests.bridge.harness import CHAIN_ID, DOLLAR, NEVER_MS, WENDY_KEY
from tests.bridge.waiting import PATIENCE_S
from tests.chaos import faults
from tests.chaos.conftest import Staged
from tests.chaos.faults import Answer, Call, Fault, Forward
from tests.chaos.stage import CONFIRMATIONS, START, WENDY, Stage

SEND, RECEIPT, LOGS, BLOCK = "eth_sendRawTransaction", "eth_getTransactionReceipt", "eth_getLogs", "eth_getBlockByNumber"
COUNTS = "eth_call"
"""The deposit counter is asked for, among other things."""


@pytest.mark.parametrize("fault", [faults.answer_lost, faults.dropped, faults.repeated], ids=lambda fault: fault.__name__)
async def test_c25_unknown_outcome_of_a_send_uses_no_second_nonce(stage: Stage, fault: Fault) -> None:
    armed = stage.proxy.on(SEND, fault, times=5)
    await stage.match()
    await stage.match_wallets()
    await stage.settle()
    assert armed.hits >= 1
    assert stage.operator_nonce() == len(stage.confirmed())


async def test_c25_send_that_times_out_after_the_node_took_it_uses_no_second_nonce(stage_of: Staged) -> None:
    async with stage_of(timeout_ms=2_000) as stage:
        await stage.open()
        late = threading.Event()

        def slow(call: Call, forward: Forward) -> Answer:
            answer = forward()
            late.wait(PATIENCE_S)
            return answer

        stage.proxy.on(SEND, slow, times=2)
        await stage.match()
        await stage.until(lambda: stage.world.chain.next_operation() == 1)
        await stage.settle()
        late.set()
        assert stage.operator_nonce() == 1


BROKEN = [faults.http_error(429), faults.http_error(503), faults.truncated, faults.dropped, faults.refuses("limit exceeded")]


@pytest.mark.parametrize("fault", BROKEN, ids=["429", "503", "truncated", "cut", "refused"])
async def test_c26_node_that_fails_is_asked_again_later_and_nothing_changes_meanwhile(stage: Stage, fault: Fault) -> None:
    await stage.until(lambda: stage.state.final_block == stage.finality())  # nothing is left to report
    with stage.proxy.during("", fault) as armed:
        await stage.match()
        await stage.until(lambda: stage.venue.sent(cc.CutBatch))
        before = stage.state.seq
        await stage.until(lambda: armed.hits)
        await asyncio.sleep(0.25)
        assert stage.state.seq == before
        assert 0 < armed.hits < 40, "no storm"
    await stage.settle()
    assert stage.operator_nonce() == 1


@pytest.mark.parametrize(
    "message",
    [
        "already known",
        "nonce too low",
        "replacement transaction underpriced",
        "transaction already imported",
        "mempool full",
    ],
)
async def test_c26_every_refusal_of_a_transaction_is_resolved_by_looking(stage: Stage, message: str) -> None:
    """The node has the transaction, whatever it says; or it has not, and gets the same bytes again."""

    def refused_all_the_same(call: Call, forward: Forward) -> Answer:
        forward()
        return faults.refuses(message)(call, forward)

    stage.proxy.on(SEND, faults.refuses(message), times=1)
    stage.proxy.on(SEND, refused_all_the_same, times=1)
    await stage.match()
    await stage.settle()
    assert stage.operator_nonce() == 1
    assert len({seen.tx_hash for seen in stage.venue.sent(cc.ObserveBatch)}) == 1


async def test_c27_node_that_is_sometimes_fifty_blocks_behind_moves_no_head_back_and_makes_nothing_final(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "STALE_HEAD_MS", NEVER_MS)  # how long it is not believed: test_a6
    turn = iter(range(10**6))

    def stale(call: Call, forward: Forward) -> Answer:
        if call.params[0] != "latest" or next(turn) % 2:
            return forward()
        behind = hex(max(0, stage.world.head() - 50))
        return stage.proxy.forward(Call(BLOCK, [behind, False]))

    seen_heads: list[int] = []
    stage.proxy.on(BLOCK, stale)
    deposit = stage.world.deposit(WENDY_KEY, 10).block_number
    await stage.match()

    def seen() -> bool:
        if stage.indexer.head is not None and (not seen_heads or seen_heads[-1] != stage.indexer.head.number):
            seen_heads.append(stage.indexer.head.number)
        if stage.state.next_deposit == 5:
            assert stage.world.head() >= deposit + CONFIRMATIONS
        return len(seen_heads) > 8 and not stage.state.operations

    await stage.until_mined(seen)
    assert seen_heads == sorted(seen_heads)
    finals = [one.final_block for one in stage.venue.sent(cc.ObserveChain)]
    assert finals == sorted(finals)
    stage.proxy.heal()
    await stage.settle()
    assert stage.state.accounts[WENDY].cash.total == (START + 10 - 6) * DOLLAR


async def test_c28_receipt_that_comes_late_is_waited_for(stage: Stage) -> None:
    """The nonce is used and the node knows the transaction: that is no thief, and nothing is sent a second time."""
    with stage.proxy.during(RECEIPT, faults.says(None)) as armed:
        await stage.match()
        await stage.until(lambda: stage.world.chain.next_operation() == 1)
        await stage.until(lambda: "not its receipt" in stage.submitter.alarm)
        assert armed.hits > 5
        assert "mined" not in stage.stages()
    await stage.settle()
    assert stage.operator_nonce() == 1
    await stage.until(lambda: not stage.submitter.alarm)


async def test_c29_deposit_that_the_logs_omit_is_found_by_the_contracts_counter(stage: Stage) -> None:
    def omits(call: Call, forward: Forward) -> Answer:
        """Only a search from the deployment on shows everything."""
        answer = forward()
        is_search = int(call.params[0].get("fromBlock", "0x1000000"), 16) <= stage.world.start_block
        return answer if is_search else {"result": []}

    stage.proxy.on(LOGS, omits)
    stage.world.deposit(WENDY_KEY, 10)
    await stage.until_mined(lambda: stage.state.next_deposit == 5)
    stage.proxy.heal()
    await stage.settle()


async def test_c29_deposit_that_no_log_shows_holds_the_position_until_one_does(stage: Stage) -> None:
    with stage.proxy.during(LOGS, faults.says([])):
        block = stage.world.deposit(WENDY_KEY, 10).block_number
        stage.world.mine(CONFIRMATIONS + 2)
        counted = stage.proxy.calls[COUNTS]
        await stage.until(lambda: stage.proxy.calls[COUNTS] > counted + 2)
        assert stage.indexer.final_block < block
        assert stage.state.next_deposit == 4
    await stage.settle()
    assert stage.state.next_deposit == 5


@pytest.mark.parametrize("chain_id", [1, 137])
async def test_c30_node_of_another_chain_is_refused_at_the_start(stage: Stage, chain_id: int) -> None:
    with stage.proxy.during("eth_chainId", faults.says(hex(chain_id))), pytest.raises(WrongChain, match=str(chain_id)):
        Chain(stage.proxy.url, CHAIN_ID, stage.world.abi)
    with pytest.raises(WrongChain, match="137"):
        Chain(stage.proxy.url, 137, stage.world.abi)
    await stage.settle()


async def test_c31_forged_receipt_without_the_events_halts_the_lane_and_confirms_nothing(stage_of: Staged) -> None:
    async with stage_of() as stage:
        await stage.open()

        block = stage.world.chain.head()

        def forged(call: Call, forward: Forward) -> Answer:
            return {"result": receipt_of(call.params[0], block, [])}

        stage.proxy.on(SEND, faults.swallowed)
        stage.proxy.on("eth_getTransactionByHash", faults.says({}))
        stage.proxy.on(RECEIPT, forged)
        await stage.match()
        await halted(stage, "not batch 0|contradicts itself")
    await lands_with_an_honest_node(stage_of)


async def test_c31_forged_receipt_with_the_right_events_is_betrayed_by_the_final_state(stage_of: Staged) -> None:
    """The true receipt of a block that a reorg removed, told again with the hash of the block that took its place."""
    async with stage_of() as stage:
        await stage.open()
        true = await stage.match_and_mine()

        def forged(call: Call, forward: Forward) -> Answer:
            block = stage.world.chain.block(int(true["blockNumber"], 16))
            return {"result": receipt_of(true["transactionHash"], block, true["logs"])}

        stage.proxy.on(SEND, faults.swallowed)
        stage.proxy.on("eth_getTransactionByHash", faults.says({}))
        stage.proxy.on(RECEIPT, forged)
        stage.world.rpc("anvil_reorg", 1, [])
        assert stage.world.chain.next_operation() == 0
        await halted(stage, "contradicts itself: final block .* is at operation 0, receipts say 1")
    await lands_with_an_honest_node(stage_of)


def receipt_of(tx_hash: str, block: Any, logs: list[Any]) -> dict[str, Any]:
    """Return a receipt of success in a block that exists."""
    place = {"blockNumber": hex(block.number), "blockHash": block.hash}
    return {
        "transactionHash": tx_hash,
        "status": "0x1",
        "gasUsed": "0x5208",
        "contractAddress": None,
        "logs": [{**log, **place} for log in logs],
        **place,
    }


async def halted(stage: Stage, why: str) -> None:
    """Make blocks until the submitter has halted for this reason; nothing was confirmed."""
    with pytest.raises(SubmitterHalted, match=why):
        await stage.until_mined(lambda: False)
    assert not stage.confirmed()
    assert stage.state.operations, "what was matched is kept"
    assert not stage.venue.sent(cc.ExpireOperations)


async def lands_with_an_honest_node(stage_of: Staged) -> None:
    """Start again: the fill settles."""
    async with stage_of() as stage:
        stage.world.rpc("evm_setAutomine", True)
        stage.start()
        await stage.settle()
        assert stage.world.chain.next_operation() == 1


async def test_c32_event_that_was_never_pushed_is_found_by_polling(stage: Stage) -> None:
    """Nothing is subscribed to: the head's logs are asked for by hash, and every final range is read again."""

    def forgets_heads(call: Call, forward: Forward) -> Answer:
        return {"result": []} if "blockHash" in call.params[0] else forward()

    stage.proxy.on(LOGS, forgets_heads)
    stage.world.venue(WENDY_KEY, "requestExit")
    await stage.until_mined(lambda: stage.state.accounts[WENDY].exit_at_s > 0)
    assert not any(method.endswith("_subscribe") for method in stage.proxy.calls)
    await stage.settle()


async def test_c26_node_that_only_refuses_connections_is_waited_for(stage_of: Staged) -> None:
    async with stage_of() as stage:
        await stage.open()
        await stage.venue.stop_parts()
        with stage.proxy.during("", faults.dropped), pytest.raises(ChainUnavailable):
            stage.connect()
        stage.start()
        await stage.match()
        await stage.settle()
