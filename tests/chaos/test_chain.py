"""Chaos list A: the chain reorganises, shrinks, stands still, or is another one. Numbers as in docs/chaos.md."""

import asyncio

import pytest

from bridge import heads
from bridge.chain import WrongChain
from bridge.indexer import HALT_AFTER_MS, ChainDiverged
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.operations import Outcome
from offchain_book.engine.rejects import RejectCode
from tests.bridge.harness import DOLLAR, EXIT_DELAY_S, WALT_KEY, WENDY_KEY, World
from tests.chaos import faults
from tests.chaos.conftest import Staged
from tests.chaos.stage import CONFIRMATIONS, MARKET, START, WALT, WENDY, Stage


async def test_a1_reorg_that_removes_a_mined_batch_sends_the_same_bytes_again(stage: Stage) -> None:
    await stage.match_wallets()
    await stage.until(lambda: stage.stages()[-1:] == ["mined"])
    stage.pause_mining()
    stage.world.rpc("anvil_reorg", 1, [])
    await stage.until(lambda: "retrying" in stage.stages())
    found = await stage.settle()
    assert len({seen.tx_hash for seen in stage.venue.sent(cc.ObserveBatch)}) == stage.operator_nonce() == 1
    assert found.state.markets[MARKET].yes_supply_micros == 10 * DOLLAR


async def test_a2_reorg_at_one_less_than_the_confirmations_had_credited_nothing(stage: Stage) -> None:
    stage.world.deposit(WENDY_KEY, 10)
    stage.world.mine(CONFIRMATIONS - 1)
    head = stage.world.head()
    await stage.until(lambda: stage.indexer.head is not None and stage.indexer.head.number == head)
    stage.world.rpc("anvil_reorg", CONFIRMATIONS, [])
    await stage.settle()
    assert stage.state.accounts[WENDY].cash.total == START * DOLLAR


async def test_a3_reorg_beyond_the_finality_policy_stops_the_venue_before_anything_is_negative(stage: Stage) -> None:
    number = await stage.match()
    await stage.until_mined(lambda: number not in stage.state.operations)
    stage.world.mine(10)
    await stage.indexer.caught_up(stage.world.head() - CONFIRMATIONS)
    stage.world.rpc("anvil_reorg", CONFIRMATIONS + 4, [])
    stage.world.mine(3)
    accounts = repr(stage.state.accounts)
    with pytest.raises(ChainDiverged, match=r"final block .* ask a second node .* docs/runbook.md"):
        await stage.venue.end_of(stage.venue.tasks[0])
    assert repr(stage.state.accounts) == accounts, "what the journal has stays as it was"
    assert all(balance.available >= 0 for account in stage.state.accounts.values() for balance in account.balances.values())
    assert isinstance(stage.indexer.failure, ChainDiverged)


async def test_a4_reorg_that_swaps_two_deposits_numbers_credits_each_depositor_its_own(stage: Stage) -> None:
    first, second = stage.world.deposit(WENDY_KEY, 10), stage.world.deposit(WALT_KEY, 20)
    assert first.block_number < second.block_number
    await stage.until(lambda: stage.indexer.head is not None and stage.indexer.head.number == second.block_number)
    stage.world.rpc("anvil_reorg", 2, [])
    stage.world.deposit(WALT_KEY, 20)
    stage.world.deposit(WENDY_KEY, 10)
    await stage.settle()
    accounts = stage.state.accounts
    assert (accounts[WENDY].cash.total, accounts[WALT].cash.total) == ((START + 10) * DOLLAR, (START + 20) * DOLLAR)
    assert [one.account_id for one in stage.venue.sent(cc.CreditDeposit)[-2:]] == [WALT, WENDY]


async def test_a5_new_fork_with_the_users_exit_before_the_fill_still_settles_it_inside_the_exit_delay(stage: Stage) -> None:
    await stage.match()
    await stage.until(lambda: stage.stages()[-1:] == ["mined"])
    stage.pause_mining()
    with stage.proxy.during("eth_sendRawTransaction", faults.swallowed):
        stage.world.rpc("anvil_reorg", 1, [])
        stage.call(WENDY_KEY, "requestExit")
        stage.world.mine()
        await stage.until(lambda: stage.state.accounts[WENDY].exit_at_s > 0)
        assert stage.world.chain.next_operation() == 0
    found = await stage.settle()
    assert found.skipped == {}
    assert found.state.accounts[WENDY].balance(f"{MARKET}:YES").settled == 10 * DOLLAR
    stage.world.rpc("evm_setAutomine", True)
    stage.world.rpc("evm_increaseTime", hex(EXIT_DELAY_S + 10))
    token = int.from_bytes(stage.condition, "big") | Outcome.YES
    stage.world.venue(WENDY_KEY, "exit", [token])
    await stage.settle()
    assert stage.state.accounts[WENDY].cash.total == 0, "she leaves with everything, the fill included"


async def test_a6_chain_that_gets_shorter_skips_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "STALE_HEAD_MS", 200)
    stage.world.deposit(WENDY_KEY, 10)
    await stage.match()
    await stage.until(lambda: stage.stages()[-1:] == ["mined"])
    stage.world.rpc("anvil_rollback", 2)
    await stage.until(lambda: "retrying" in stage.stages())
    stage.world.deposit(WENDY_KEY, 11)
    await stage.settle()
    assert stage.state.accounts[WENDY].cash.total == (START + 11 - 6) * DOLLAR


async def test_a7_same_transaction_mined_again_at_another_height_is_credited_once(stage: Stage) -> None:
    chain = stage.world.chain
    stage.pause_mining()
    tx_hash = stage.call(WENDY_KEY, "deposit", 10 * DOLLAR)
    raw = stage.world.rpc("eth_getRawTransactionByHash", tx_hash)
    stage.world.mine()
    await stage.until(lambda: stage.indexer.head is not None and stage.indexer.head.number == stage.world.head())
    stage.world.rpc("anvil_reorg", 1, [])
    stage.world.mine(2)
    chain.send_raw(bytes.fromhex(raw[2:]))
    found = await stage.settle()
    credits = [one for one in stage.venue.sent(cc.CreditDeposit) if one.tx_hash == tx_hash]
    assert len(credits) == 1
    assert found.state.accounts[WENDY].cash.total == (START + 10) * DOLLAR


async def test_a8_chain_without_blocks_stops_wallet_matching_and_resumes_without_a_duplicate(stage_of: Staged) -> None:
    async with stage_of() as stage:
        await stage.open()
        await stage.until_mined(lambda: stage.state.final_block)
        await stage.match()
        stage.pause_mining()
        stage.indexer._halt_after_ms = 300
        await stage.until(lambda: stage.state.chain_halted)
        signed = stage.venue.signed_buy(WENDY_KEY, stage.condition, 5, salt=99)
        order = c.PlaceOrder("late", WENDY, MARKET, c.BookSide.BID, 6_000, 5 * DOLLAR, outcome=Outcome.YES, signed=signed)
        receipt = await stage.venue.sequencer.submit(order)
        assert receipt.rejected is not None
        assert receipt.rejected.code is RejectCode.CHAIN_HALTED
        stage.indexer._halt_after_ms = HALT_AFTER_MS  # a busy machine may take longer than 300 ms for a block
        await stage.settle()
        await stage.until_mined(lambda: not stage.state.chain_halted)
        await stage.match(5)
        await stage.settle()
        assert stage.operator_nonce() == 2


async def test_a9_node_restored_from_an_older_copy_is_refused(stage_of: Staged, world: World) -> None:
    older = world.rpc("evm_snapshot")
    async with stage_of() as stage:
        await stage.open()
        await stage.match()
        await stage.settle()
        await stage.until_mined(lambda: stage.state.final_hash != "" and stage.state.final_block >= 66)
        final = stage.state.final_block
    world.rpc("evm_revert", older)
    async with stage_of() as stage:
        stage.start()
        await asyncio.sleep(0.1)
        assert not stage.venue.tasks[0].done(), "a copy that is only shorter may catch up: nothing happens"
        world.mine(final + 10 - world.head())
        with pytest.raises(ChainDiverged, match=f"final block {final}"):
            await stage.venue.end_of(stage.venue.tasks[0])


async def test_a9_final_blocks_hash_is_remembered_across_restarts(stage_of: Staged) -> None:
    """The same number and time are not enough: the journal carries the hash."""
    async with stage_of() as stage:
        await stage.open()
        await stage.until_mined(lambda: stage.state.final_hash)
        number, time_s, right = stage.state.final_block, stage.state.final_time_s, stage.state.final_hash
        block = stage.world.chain.block(number)
        assert block is not None
        assert block.hash == right
        await stage.venue.stop_parts()
        await stage.submit(cc.ObserveChain(number, time_s, False, "0x" + "ab" * 32))
    async with stage_of() as stage:
        stage.start()
        with pytest.raises(ChainDiverged, match="was 0xabab"):
            await stage.venue.end_of(stage.venue.tasks[0])


async def test_a10_changed_chain_id_stops_both_tasks_and_signs_nothing(stage: Stage) -> None:
    """What was signed is refused by the contract: tests/contracts/test_governance.py, domains after a fork."""
    stage.proxy.on("eth_chainId", faults.says(hex(99)))
    await stage.match()
    for task in stage.venue.tasks:
        with pytest.raises(WrongChain, match="chain 99"):
            await stage.venue.end_of(task)
    assert stage.operator_nonce("pending") == 0
