"""The settlement lane when something dies, lies or steals: every operation is executed exactly once all the same."""

import asyncio
from pathlib import Path

import pytest

from bridge import gas, heads
from bridge.attempts import Attempts
from bridge.chain import Chain, StateUnavailable
from bridge.lane import GWEI
from bridge.rpc import ChainUnavailable
from bridge.submitter import Submitter, SubmitterHalted, purpose_of
from offchain_book.engine import chain_commands as cc
from tests.bridge.harness import (
    NEVER_MS,
    OPERATOR,
    OPERATOR_KEY,
    World,
    exchange,
)
from tests.bridge.lanes import RECEIVER, fund, lose_attempts, mined_batches, received


async def test_kill_between_store_and_broadcast(world: World, tmp_path: Path) -> None:
    class Killed(Chain):
        def send_raw(self, raw: bytes) -> str:
            raise KeyboardInterrupt("kill -9 before the broadcast")

    async with exchange(world, tmp_path) as venue:
        await fund(world, venue)
        chain = world.connect(Killed)
        attempts = Attempts(tmp_path / "attempts.sqlite")
        doomed = Submitter(venue.sequencer, chain, attempts, OPERATOR_KEY, 50, 20, venue.finality, poll_ms=20)
        await venue.withdraw("alice", 9, "w1")
        doomed._uncut_since_ms = 0
        with pytest.raises(KeyboardInterrupt):
            await doomed._step()
        (stored,) = attempts.of(purpose_of(0))
        attempts.close()
        assert world.chain.nonce(OPERATOR, "pending") == 0
    async with exchange(world, tmp_path) as venue:
        venue.submitter()
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        assert venue.sent(cc.ConfirmBatch)[0].tx_hash == stored.tx_hash, "the stored bytes, not new ones"
        assert received(world) == 9
        assert world.chain.nonce(OPERATOR) == 1


async def test_kill_after_mining_before_anything_was_noticed(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        await fund(world, venue)
        venue.submitter(poll_ms=NEVER_MS)
        await venue.withdraw("alice", 9, "w1")
        await venue.until(lambda: mined_batches(world) == 1)
    async with exchange(world, tmp_path) as venue:
        venue.submitter()
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        assert received(world) == 9
        assert world.chain.nonce(OPERATOR) == 1


async def test_lost_attempts_file_is_answered_by_the_contract(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        await fund(world, venue)
        venue.submitter(poll_ms=NEVER_MS)
        await venue.withdraw("alice", 9, "w1")
        await venue.until(lambda: mined_batches(world) == 1)
        tx_hash = venue.sent(cc.ObserveBatch)[0].tx_hash
    lose_attempts(tmp_path)
    async with exchange(world, tmp_path) as venue:
        venue.submitter()
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        assert venue.sent(cc.ConfirmBatch)[0].tx_hash == tx_hash
        assert received(world) == 9


async def test_unknown_outcome_of_a_send_uses_no_second_nonce(world: World, tmp_path: Path) -> None:
    class TimesOut(Chain):
        """Forwards, then loses the answer; every second time it does not even forward."""

        sends = 0

        def send_raw(self, raw: bytes) -> str:
            self.sends += 1
            if self.sends % 2 == 0:
                super().send_raw(raw)
            raise ChainUnavailable("timed out")

    async with exchange(world, tmp_path) as venue:
        await fund(world, venue)
        venue.submitter(world.connect(TimesOut), operations=1)
        for number in range(4):
            await venue.withdraw("alice", 2, f"w{number}")
        await venue.until_mined(lambda: venue.state.confirmed_operations == 4)
        assert received(world) == 8
        assert world.chain.nonce(OPERATOR) == 4


async def test_reorg_of_a_mined_batch_sends_the_same_bytes_again(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path, confirmations=4) as venue:
        await fund(world, venue)
        world.mine(3)
        venue.submitter()
        await venue.withdraw("alice", 5, "w1")
        await venue.until(lambda: venue.stages()[-1:] == ["mined"])
        world.rpc("evm_setAutomine", False)
        world.rpc("anvil_reorg", 1, [])
        await venue.until(lambda: "retrying" in venue.stages())
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        assert received(world) == 5
        assert world.chain.nonce(OPERATOR) == 1
        assert len({observed.tx_hash for observed in venue.sent(cc.ObserveBatch)}) == 1


async def test_shorter_chain_is_believed_after_a_while(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "STALE_HEAD_MS", 200)
    async with exchange(world, tmp_path, confirmations=6) as venue:
        await fund(world, venue)
        world.mine(6)
        venue.submitter()
        await venue.withdraw("alice", 5, "w1")
        await venue.until(lambda: venue.stages()[-1:] == ["mined"])
        world.rpc("anvil_rollback", 3)
        await venue.until(lambda: "retrying" in venue.stages())
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        assert received(world) == 5


async def test_batch_out_of_gas_is_sent_again_with_more(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gas, "GAS_BASE", 25_000)
    monkeypatch.setattr(gas, "GAS_PER_POOL_ACTION", 12_000)
    async with exchange(world, tmp_path) as venue:
        await fund(world, venue)
        venue.submitter()
        await venue.withdraw("alice", 5, "w1")
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        assert venue.attempts is not None
        first, *others = venue.attempts.of(purpose_of(0))
        assert others
        assert others[0].gas == 2 * first.gas
        assert others[0].nonce == first.nonce + 1
        assert received(world) == 5
        assert "retrying" in venue.stages()


async def test_batch_that_came_too_early_is_sent_again(world: World, tmp_path: Path) -> None:
    class LosesTheFirst(Chain):
        """The first batch runs out of gas, so that the second one comes early and reverts."""

        def sign_transaction(self, key, tx):
            if tx["nonce"] == 0:
                tx = {**tx, "gas": 30_000}
            return super().sign_transaction(key, tx)

    world.rpc("evm_setAutomine", False)
    async with exchange(world, tmp_path) as venue:
        await venue.open_account("alice", 500)
        venue.submitter(world.connect(LosesTheFirst), operations=1)
        await venue.withdraw("alice", 1, "w1")
        await venue.withdraw("alice", 1, "w2")
        await venue.until(lambda: world.chain.nonce(OPERATOR, "pending") == 2)
        await venue.until_mined(lambda: venue.state.confirmed_operations == 2)
        assert world.chain.nonce(OPERATOR) >= 4
        assert mined_batches(world) == 2


async def test_foreign_transaction_of_the_operator_halts_the_lane(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        await fund(world, venue)
        submitter = venue.submitter()
        await venue.withdraw("alice", 1, "w1")
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        world.chain.transact(OPERATOR_KEY, RECEIVER, b"", gas=21_000)
        await venue.withdraw("alice", 1, "w2")
        with pytest.raises(SubmitterHalted, match="did not sign"):
            await venue.end_of(venue.tasks[0])
        assert "did not sign" in submitter.alarm
        with pytest.raises(SubmitterHalted):
            await submitter.flush()


async def test_thief_who_takes_our_nonce_halts_the_lane(world: World, tmp_path: Path) -> None:
    world.rpc("evm_setAutomine", False)
    async with exchange(world, tmp_path) as venue:
        await venue.open_account("alice", 500)
        venue.submitter()
        await venue.withdraw("alice", 1, "w1")
        await venue.until(lambda: world.chain.nonce(OPERATOR, "pending") == 1)
        tx = {"nonce": 0, "gas": 21_000, "maxFeePerGas": 90 * GWEI, "maxPriorityFeePerGas": 9 * GWEI, "to": RECEIVER}
        world.chain.send_raw(world.chain.sign_transaction(OPERATOR_KEY, tx).raw)
        world.mine()
        with pytest.raises(SubmitterHalted, match="no receipt"):
            await venue.end_of(venue.tasks[0])


async def test_operator_without_gas_money_raises_the_alarm_and_loses_nothing(world: World, tmp_path: Path) -> None:
    world.rpc("anvil_setBalance", OPERATOR, "0x0")
    async with exchange(world, tmp_path) as venue:
        await fund(world, venue)
        submitter = venue.submitter()
        await venue.withdraw("alice", 1, "w1")
        await venue.until(lambda: "gas money" in submitter.alarm)
        world.rpc("anvil_setBalance", OPERATOR, hex(10**20))
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        await venue.until(lambda: not submitter.alarm)


async def test_pruned_state_of_the_final_block_does_not_stop_confirmation(world: World, tmp_path: Path) -> None:
    class Pruned(Chain):
        def read_all(self, functions, block="latest"):
            if isinstance(block, int):
                raise StateUnavailable("pruned")
            return super().read_all(functions, block)

    async with exchange(world, tmp_path) as venue:
        await fund(world, venue)
        venue.submitter(world.connect(Pruned))
        await venue.withdraw("alice", 1, "w1")
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)


async def test_node_that_is_away_is_waited_for(world: World, tmp_path: Path) -> None:
    class Away(Chain):
        away = True

        def head(self):
            if self.away:
                raise ChainUnavailable("connection refused")
            return super().head()

    async with exchange(world, tmp_path) as venue:
        await fund(world, venue)
        chain: Away = world.connect(Away)
        venue.submitter(chain)
        await venue.withdraw("alice", 1, "w1")
        await venue.until(lambda: venue.sent(cc.CutBatch))
        await asyncio.sleep(0.1)
        assert not venue.tasks[0].done()
        chain.away = False
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
