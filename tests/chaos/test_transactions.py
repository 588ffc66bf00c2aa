"""Chaos list B: what may happen to a signer's transactions. Numbers as in docs/chaos.md; test_crash.py has 11 to 14."""

import asyncio
import itertools
import shutil
import time
from pathlib import Path

import pytest

from bridge import gas
from bridge.attempts import Attempt, Attempts
from bridge.lane import FeePolicy
from bridge.logs import OPERATION_EVENTS
from bridge.submitter import SubmitterHalted, purpose_of
from offchain_book.engine import chain_commands as cc
from offchain_book.engine.names import GUARANTEE
from offchain_book.signatures import keccak256
from offchain_book.sqlite_store import StoreInUse
from tests.bridge.harness import DOLLAR, NEVER_MS, OPERATOR, OPERATOR_KEY, SETTLE_DEADLINE_S, exchange
from tests.chaos import faults
from tests.chaos.conftest import Staged
from tests.chaos.stage import CONFIRMATIONS, GWEI, MARKET, WALT, WENDY, Stage


def stored(stage: Stage, batch_no: int = 0) -> list[Attempt]:
    """Return a batch's attempts, oldest first."""
    assert stage.venue.attempts is not None
    return stage.venue.attempts.of(purpose_of(batch_no))


def hashes_of(stage: Stage, batch_no: int = 0) -> list[str]:
    """Return all transactions ever signed for a batch, oldest first."""
    return [attempt.tx_hash for attempt in stored(stage, batch_no)]


async def test_b15_second_worker_with_the_same_key_is_fenced_and_each_fill_lands_once(stage: Stage, tmp_path: Path) -> None:
    """On this machine the file lock refuses it; from elsewhere its transactions consume nothing, and the first one notices."""
    with pytest.raises(StoreInUse, match="another venue"):
        Attempts(tmp_path / "attempts.sqlite")
    await stage.match()
    await stage.settle()
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path, elsewhere, ignore=shutil.ignore_patterns("elsewhere"))
    async with exchange(stage.world, elsewhere, CONFIRMATIONS) as copy:
        other = Stage(stage.world, stage.condition, stage.proxy, copy, {}, stage.chains, itertools.count(1_000))
        other.start()
        await stage.match()
        await other.match_wallets()
        stage.venue.tasks.append(copy.tasks[1])
        with pytest.raises(SubmitterHalted):  # whichever of the two comes second
            await stage.until_mined(lambda: False)
    assert stage.world.chain.next_operation() == 2
    assert stage.world.chain.skipped_operations() == 0


async def test_b16_transaction_dropped_in_the_middle_of_a_queue_leaves_no_gap(stage_of: Staged) -> None:
    async with stage_of(operations=1) as stage:
        await stage.open()
        stage.pause_mining()
        for _ in range(4):
            await stage.match(2)
        await stage.until(lambda: stage.operator_nonce("pending") == 4)
        dropped = hashes_of(stage, 1)
        stage.world.rpc("anvil_dropTransaction", dropped[0])
        await stage.settle()
        assert [one.batch_no for one in stage.confirmed()] == [0, 1, 2, 3]
        assert stage.confirmed()[1].tx_hash == dropped[0], "the same bytes"
        assert stage.operator_nonce() == 4


async def test_b17_base_fee_times_a_hundred_bumps_to_the_ceiling_then_waits_with_an_alarm(stage_of: Staged) -> None:
    async with stage_of(fees=FeePolicy(ceiling=40 * GWEI, rebroadcast_ms=50)) as stage:
        await stage.open()
        stage.pause_mining()
        await stage.match()
        await stage.until(lambda: stage.operator_nonce("pending") == 1)
        stage.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(30 * GWEI))
        stage.world.rpc("evm_mine")
        await stage.until(lambda: len(hashes_of(stage)) > 1)
        stage.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(100 * GWEI))
        stage.world.rpc("evm_mine")
        await stage.until(lambda: "ceiling" in stage.submitter.alarm)
        await stage.match()
        assert all(attempt.max_fee <= 40 * GWEI for attempt in stored(stage))
        stage.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        await stage.settle()
        await stage.until(lambda: not stage.submitter.alarm)
        assert stage.operator_nonce() == 2


async def test_b17_fees_above_the_ceiling_past_the_deadline_end_every_intent_once_with_the_same_nonce(
    stage_of: Staged,
) -> None:
    """No nonce is given up for an empty transaction: the stream needs the batch, which lands late and skips what is too late."""
    async with stage_of(fees=FeePolicy(ceiling=40 * GWEI, rebroadcast_ms=50)) as stage:
        await stage.open()
        stage.pause_mining()
        stage.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(100 * GWEI))
        stage.world.rpc("evm_mine")
        guaranteed, ghost = await stage.match(), await stage.match_wallets()
        await stage.until(lambda: "ceiling" in stage.submitter.alarm)
        stage.world.rpc("evm_increaseTime", hex(SETTLE_DEADLINE_S + 60))
        for _ in range(CONFIRMATIONS + 1):
            stage.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(100 * GWEI))
            stage.world.rpc("evm_mine")
        await stage.until(lambda: stage.venue.sent(cc.ExpireOperations))
        assert (stage.state.guaranteed_fills, stage.state.ghost_fills) == (1, 1), (
            "a final block is proof that they never land"
        )
        stage.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        await stage.until_mined(lambda: not stage.state.operations)
        found = await stage.audit()
        assert set(found.skipped) == {guaranteed, ghost}
        assert (found.state.guaranteed_fills, found.state.ghost_fills) == (1, 1)
        assert stage.operator_nonce() == len(stage.confirmed()), "one nonce a batch"
        await stage.match()
        await stage.until_mined(lambda: not stage.state.operations)
        assert (await stage.audit()).state.confirmed_operations == 3
        await stage.until(lambda: not stage.submitter.alarm)


async def test_b18_original_mined_after_its_replacement_was_sent_counts_once(stage: Stage) -> None:
    stage.pause_mining()
    await stage.match()
    await stage.until(lambda: stage.operator_nonce("pending") == 1)
    (original,) = hashes_of(stage)
    raw = stage.world.rpc("eth_getRawTransactionByHash", original)
    with stage.proxy.during("eth_sendRawTransaction", faults.swallowed):
        stage.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(30 * GWEI))
        stage.world.rpc("evm_mine")
        await stage.until(lambda: len(hashes_of(stage)) > 1)
        stage.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI // 2))
        stage.world.rpc("evm_mine")
        stage.world.chain.send_raw(bytes.fromhex(raw[2:]))
        stage.world.rpc("evm_mine")
        await stage.settle()
    assert stage.confirmed()[0].tx_hash == original
    assert stage.operator_nonce() == 1


async def test_b19_nonce_used_by_an_unknown_transaction_halts_the_signer_and_loses_nothing(stage_of: Staged) -> None:
    async with stage_of() as stage:
        await stage.open()
        await stage.match()
        await stage.settle()
        stage.send(OPERATOR_KEY, WALT, b"", 21_000)
        await stage.match()
        with pytest.raises(SubmitterHalted, match="did not sign"):
            await stage.venue.end_of(stage.venue.tasks[1])
        assert stage.state.operations, "what was matched is kept"
        assert stage.world.chain.next_operation() == 1


async def test_b20_transaction_that_reverts_is_sent_again_and_its_reservation_is_released_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gas, "GAS_BASE", 25_000)
    monkeypatch.setattr(gas, "GAS_PER_FILL", 20_000)
    await stage.match()
    assert stage.state.accounts[GUARANTEE].cash.held > 0
    await stage.until_mined(lambda: "retrying" in stage.stages())
    assert stage.state.accounts[GUARANTEE].cash.held > 0, "a status of 0 proves nothing about the fill"
    await stage.settle()
    assert stage.state.accounts[GUARANTEE].cash.held == 0
    first = stage.world.chain.receipt(hashes_of(stage)[0])
    assert first is not None
    assert not first.succeeded


async def test_b20_skipped_fill_releases_its_holds_once_and_keeps_the_reason(stage: Stage) -> None:
    """The guarantee takes wendy's place; the ledger says why, and so does the trace of the operation."""
    slot = stage.world.rpc("eth_getStorageAt", stage.world.chain.address, cash_slot(WENDY), "latest")
    empty = int(slot, 16) & ~((1 << 96) - 1)
    stage.world.rpc("anvil_setStorageAt", stage.world.chain.address, cash_slot(WENDY), f"0x{empty:064x}")
    number = await stage.match()
    await stage.until_mined(lambda: number not in stage.state.operations)
    stage.world.rpc("anvil_setStorageAt", stage.world.chain.address, cash_slot(WENDY), slot)
    found = await stage.audit()
    assert found.state.guaranteed_fills == 1
    assert found.state.accounts[GUARANTEE].cash.held == 0
    assert found.state.accounts[GUARANTEE].balance(f"{MARKET}:YES").total == 10 * DOLLAR
    assert "skipped" in found.read.operations[number].resolution


def cash_slot(wallet: str) -> str:
    """Return where the contract keeps a wallet's cash (contracts/libraries/Words.sol)."""
    return "0x" + keccak256(b"cway.account" + bytes.fromhex(wallet[2:])).hex()


async def test_b21_batch_that_no_block_can_take_is_split_until_each_part_fits(stage_of: Staged) -> None:
    """Twelve fills in one batch, and blocks that hold about four."""
    async with stage_of(operations=12, batch_ms=NEVER_MS) as stage:
        await stage.open()
        stage.pause_mining()
        with stage.proxy.during("eth_sendRawTransaction", faults.swallowed):
            for _ in range(6):
                await stage.match(2)
                await stage.match_wallets(1)
            await stage.until(lambda: hashes_of(stage))
            stage.world.rpc("evm_setBlockGasLimit", hex(450_000))
            stage.world.rpc("evm_mine")
        found = await stage.settle()
        splits = stage.venue.sent(cc.SplitBatch)
        assert len(splits) >= 2
        assert found.skipped == {}
        assert found.state.next_operation == 12
        assert len(stage.confirmed()) == 1 + len(splits)
        for view in found.read.operations:
            receipt = stage.world.chain.receipt(view.tx_hash)
            assert receipt is not None
            assert view.operation.number in [event.number for event in receipt.events if isinstance(event, OPERATION_EVENTS)]


async def test_b21_whole_batch_that_lands_after_it_was_split_counts_each_fill_once(stage_of: Staged) -> None:
    """A reorg brings the transaction of the whole batch back to life, in a block that is large enough for it."""
    async with stage_of(operations=6, batch_ms=NEVER_MS) as stage:
        await stage.open()
        stage.pause_mining()
        limit = stage.world.chain.head().gas_limit
        with stage.proxy.during("eth_sendRawTransaction", faults.swallowed):
            for _ in range(6):
                await stage.match(2)
            await stage.until(lambda: hashes_of(stage))
            (whole,) = stored(stage)
            stage.world.rpc("evm_setBlockGasLimit", hex(170_000))
            stage.world.rpc("evm_mine")
            await stage.until(lambda: len(hashes_of(stage)) == 2)
        await stage.until(lambda: stage.operator_nonce("pending") == 1)
        with stage.proxy.during("eth_sendRawTransaction", faults.swallowed):
            stage.world.mine()  # one block, so that the reorg below ends above the final one
            await stage.until(lambda: stage.venue.sent(cc.SplitBatch))
            failed = stage.world.chain.receipt(hashes_of(stage)[1])
            assert failed is not None
            assert not failed.succeeded
            stage.world.rpc("anvil_reorg", stage.world.head() - failed.block_number + 1, [])
            stage.world.rpc("evm_setBlockGasLimit", hex(limit))
            stage.world.mine()
            stage.world.chain.send_raw(whole.raw)
            stage.world.mine()
            assert stage.world.chain.next_operation() == 6
        found = await stage.settle()
        assert {one.tx_hash for one in stage.confirmed()} == {whole.tx_hash}
        assert len(stage.confirmed()) > 1
        assert found.state.confirmed_operations == 6


@pytest.mark.parametrize("factor", [10, 0.1])
async def test_b22_gas_estimate_wrong_by_ten_times_changes_nothing(stage: Stage, factor: float) -> None:
    wrong = faults.changed(lambda gas_used: hex(int(int(gas_used, 16) * factor)))
    armed = stage.proxy.on("eth_estimateGas", wrong)
    await stage.match()
    await stage.settle()
    assert armed.hits == 0, "a batch's gas comes from its content"
    assert len(hashes_of(stage)) == 1


async def test_b23_signer_without_gas_money_raises_the_alarm_and_keeps_the_queue(stage: Stage) -> None:
    money = stage.world.rpc("eth_getBalance", OPERATOR, "latest")
    stage.world.rpc("anvil_setBalance", OPERATOR, "0x0")
    await stage.match()
    await stage.match_wallets()
    await stage.until(lambda: "gas money" in stage.submitter.alarm)
    stage.world.rpc("anvil_setBalance", OPERATOR, money)
    found = await stage.settle()
    await stage.until(lambda: not stage.submitter.alarm)
    assert found.state.confirmed_operations == 2


@pytest.mark.parametrize("jump_s", [3_600, -3_600])
async def test_b24_wall_clock_that_jumps_an_hour_starts_no_resend_storm(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, jump_s: int
) -> None:
    stage.pause_mining()
    await stage.match()
    await stage.until(lambda: stage.operator_nonce("pending") == 1)
    sends = stage.proxy.calls["eth_sendRawTransaction"]
    now, now_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: now() + jump_s)
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + jump_s * 10**9)
    await asyncio.sleep(0.3)
    assert stage.proxy.calls["eth_sendRawTransaction"] == sends
    assert len(hashes_of(stage)) == 1
    assert not stage.state.chain_halted
    monkeypatch.undo()
    await stage.settle()
    assert stage.operator_nonce() == 1
