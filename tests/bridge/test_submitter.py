"""The settlement lane against a real node: what lands, and what is replaced until it does."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge.attempts import Attempts, WrongDeployment
from bridge.chain import Chain, address_of
from bridge.lane import GWEI, FeePolicy
from bridge.settlement import SkipReason
from bridge.submitter import purpose_of
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.names import GUARANTEE
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide
from offchain_book.sqlite_store import StoreInUse
from tests.bridge.harness import (
    ADMIN_KEY,
    DOLLAR,
    NEVER_MS,
    OPERATOR,
    SETTLE_DEADLINE_S,
    WENDY_KEY,
    World,
    exchange,
)
from tests.bridge.lanes import RECEIVER, fund, received


async def test_batch_is_sent_mined_and_confirmed(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        await fund(world, venue)
        venue.submitter()
        await venue.withdraw("alice", 7, "w1")
        await venue.until(lambda: venue.sent(cc.ObserveBatch) and venue.stages()[-1] == "mined")
        assert not venue.sent(cc.ConfirmBatch), "one block is not final yet"
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        (confirmed,) = venue.sent(cc.ConfirmBatch)
        block = world.chain.block(confirmed.block_number)
        assert block is not None
        assert block.hash == confirmed.block_hash
        assert confirmed.skipped == ()
        assert venue.stages() == ["sent", "mined"]
        assert received(world) == 7
        assert not venue.state.batches
        assert not venue.state.operations


async def test_skipped_operation_is_reported_with_its_reason(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        await venue.open_account("alice", 100)
        venue.submitter()
        await venue.withdraw("alice", 7, "pool is empty on chain")
        await venue.until_mined(lambda: venue.sent(cc.ConfirmBatch))
        ((number, reason),) = venue.sent(cc.ConfirmBatch)[0].skipped
        assert (number, reason) == (0, SkipReason.INSUFFICIENT_CASH)
        assert venue.state.skipped_operations == world.chain.skipped_operations() == 1


async def test_batches_are_cut_by_number_and_by_time_and_fly_together(world: World, tmp_path: Path) -> None:
    world.rpc("evm_setAutomine", False)
    async with exchange(world, tmp_path) as venue:
        await venue.open_account("alice", 500)
        submitter = venue.submitter(operations=3, batch_ms=NEVER_MS)
        for number in range(7):
            await venue.withdraw("alice", 1, f"w{number}")
        await venue.until(lambda: len(venue.state.batches) == 2)
        assert [(cut.first, cut.count) for cut in venue.sent(cc.CutBatch)] == [(0, 3), (3, 3)]
        submitter._batch_ms = 20
        submitter._wake.set()
        await venue.until(lambda: venue.stages(2) == ["sent"])
        assert [(cut.first, cut.count) for cut in venue.sent(cc.CutBatch)] == [(0, 3), (3, 3), (6, 1)]
        await venue.until(lambda: world.chain.nonce(OPERATOR, "pending") == 3)
        await venue.until_mined(lambda: venue.state.confirmed_operations == 7)
        assert [confirm.batch_no for confirm in venue.sent(cc.ConfirmBatch)] == [0, 1, 2]


async def test_flush_does_not_wait_for_the_clock(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        await fund(world, venue)
        submitter = venue.submitter(batch_ms=NEVER_MS)
        await venue.withdraw("alice", 1, "w1")
        flushed = asyncio.create_task(submitter.flush())
        await venue.until_mined(flushed.done)
        assert venue.state.confirmed_operations == 1


async def test_dropped_transaction_is_sent_again(world: World, tmp_path: Path) -> None:
    world.rpc("evm_setAutomine", False)
    async with exchange(world, tmp_path) as venue:
        await venue.open_account("alice", 500)
        venue.submitter(operations=1)
        for number in range(3):
            await venue.withdraw("alice", 1, f"w{number}")
        await venue.until(lambda: world.chain.nonce(OPERATOR, "pending") == 3)
        sent = venue.sent(cc.ObserveBatch)[0].tx_hash
        world.rpc("anvil_dropTransaction", sent)
        await venue.until(lambda: world.chain.nonce(OPERATOR, "pending") == 3)
        await venue.until_mined(lambda: venue.state.confirmed_operations == 3)
        assert venue.sent(cc.ConfirmBatch)[0].tx_hash == sent, "the same bytes"
        assert world.chain.nonce(OPERATOR) == 3


async def test_fee_spike_replaces_at_the_same_nonce(world: World, tmp_path: Path) -> None:
    world.rpc("evm_setAutomine", False)
    async with exchange(world, tmp_path) as venue:
        await venue.open_account("alice", 500)
        venue.submitter()
        await venue.withdraw("alice", 1, "w1")
        await venue.until(lambda: world.chain.nonce(OPERATOR, "pending") == 1)
        world.rpc("anvil_setNextBlockBaseFeePerGas", hex(100 * GWEI))
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        assert venue.attempts is not None
        first, *others = venue.attempts.of(purpose_of(0))
        assert {attempt.nonce for attempt in others} == {first.nonce}
        for before, after in zip([first, *others], others, strict=False):
            assert after.max_fee * 8 >= before.max_fee * 9
            assert after.priority_fee * 8 >= before.priority_fee * 9
        assert world.chain.nonce(OPERATOR) == 1


async def test_stuck_transaction_is_replaced_only_when_blocks_leave_it_out(world: World, tmp_path: Path) -> None:
    class Deaf(Chain):
        """Knows every transaction and forwards none, until told otherwise."""

        deaf = True
        broadcasts = 0

        def known(self, tx_hashes: Sequence[str]) -> list[bool]:
            return [True] * len(tx_hashes) if self.deaf else super().known(tx_hashes)

        def send_raw(self, raw: bytes) -> str:
            self.broadcasts += 1
            return "" if self.deaf else super().send_raw(raw)

    async with exchange(world, tmp_path) as venue:
        await fund(world, venue)
        chain: Deaf = world.connect(Deaf)
        venue.submitter(chain, fees=FeePolicy(stuck_ms=100, rebroadcast_ms=50))
        await venue.withdraw("alice", 1, "w1")
        await venue.until(lambda: chain.broadcasts == 1)
        await asyncio.sleep(0.3)
        assert chain.broadcasts == 1, "no block, no replacement"
        world.mine(3)
        await venue.until(lambda: chain.broadcasts > 1)
        chain.deaf = False
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        assert received(world) == 1


async def test_fee_above_the_ceiling_waits_with_an_alarm(world: World, tmp_path: Path) -> None:
    world.rpc("anvil_setNextBlockBaseFeePerGas", hex(100 * GWEI))
    world.mine()
    async with exchange(world, tmp_path) as venue:
        await venue.open_account("alice", 500)
        submitter = venue.submitter(fees=FeePolicy(ceiling=50 * GWEI, rebroadcast_ms=50))
        await venue.withdraw("alice", 1, "w1")
        await venue.until(lambda: "ceiling" in submitter.alarm)
        assert world.chain.nonce(OPERATOR, "pending") == 0
        world.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        world.mine()
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        await venue.until(lambda: not submitter.alarm)


async def test_missed_deadline_is_reported_and_the_batch_still_advances_the_stream(world: World, tmp_path: Path) -> None:
    class Withholds(Chain):
        """Sends nothing while it withholds."""

        withholds = True

        def send_raw(self, raw: bytes) -> str:
            return "" if self.withholds else super().send_raw(raw)

    wendy = address_of(WENDY_KEY)
    async with exchange(world, tmp_path) as venue:
        world.deposit(WENDY_KEY, 50)
        await venue.sequencer.submit(cc.CreditDeposit(0, wendy, 50 * DOLLAR, "0x1", 1, wendy))
        chain: Withholds = world.connect(Withholds)
        venue.submitter(chain)
        await venue.wallet_withdraw(WENDY_KEY, 7)
        await venue.until(lambda: venue.stages() == ["sent"])
        world.rpc("evm_increaseTime", hex(SETTLE_DEADLINE_S + 60))
        await venue.until_mined(lambda: venue.sent(cc.ExpireOperations))
        (expired,) = venue.sent(cc.ExpireOperations)
        assert (expired.first, expired.count) == (0, 1)
        chain.withholds = False
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        assert venue.sent(cc.ConfirmBatch)[0].skipped == ((0, SkipReason.TOO_LATE),)
        assert len(venue.sent(cc.ExpireOperations)) == 1
        assert venue.state.accounts[wendy].cash.available == 50 * DOLLAR
        assert world.chain.cash_of(wendy) == 50 * DOLLAR


async def test_signed_vault_action_lands(world: World, tmp_path: Path) -> None:
    wendy = address_of(WENDY_KEY)
    async with exchange(world, tmp_path) as venue:
        world.deposit(WENDY_KEY, 50)
        await venue.sequencer.submit(cc.CreditDeposit(0, wendy, 50 * DOLLAR, "0x1", 1, wendy))
        venue.submitter()
        await venue.wallet_withdraw(WENDY_KEY, 7)
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        assert venue.state.accounts[wendy].cash.total == world.chain.cash_of(wendy) == 43 * DOLLAR


async def test_fill_between_custodial_and_wallet_settles_and_the_books_agree(world: World, tmp_path: Path) -> None:
    question = bytes(31) + b"\x07"
    world.venue(ADMIN_KEY, "prepareCondition", question)
    condition = bytes(world.chain.read("conditionIdOf", [question]))
    wendy = address_of(WENDY_KEY)
    async with exchange(world, tmp_path) as venue:
        await venue.open_account("alice")
        await venue.create_market(condition)
        venue.indexer()
        venue.submitter(operations=3)
        world.deposit(WENDY_KEY, 100)
        world.deposit_for("alice", 100)
        world.deposit_for(GUARANTEE, 100)
        await venue.until_mined(lambda: venue.state.next_deposit == 3)
        orders = [venue.signed_buy(WENDY_KEY, condition, 10 + number, salt=number) for number in range(4)]
        for number, signed in enumerate(orders):
            size = signed.buy_amount_micros
            book = (BookSide.BID, 6_000, size)
            placed = c.PlaceOrder(signed.digest, wendy, "RAIN-1", *book, outcome=Outcome.YES, signed=signed)
            receipt = await venue.sequencer.submit(placed)
            assert receipt.rejected is None, receipt.rejected
            taken = c.PlaceOrder(f"t{number}", "alice", "RAIN-1", BookSide.ASK, 6_000, size)
            await venue.sequencer.submit(taken)
        await venue.until_mined(lambda: venue.state.confirmed_operations == 4)
        assert [confirm.skipped for confirm in venue.sent(cc.ConfirmBatch)] == [()] * len(venue.sent(cc.ConfirmBatch))
        account = venue.state.accounts[wendy]
        bought = 10 + 11 + 12 + 13
        assert account.balance("RAIN-1:YES").settled == bought * DOLLAR
        assert world.chain.vault_balance_of(wendy, orders[0].token_id) == bought * DOLLAR
        assert account.cash.settled == world.chain.cash_of(wendy) == 100 * DOLLAR - bought * 600_000


def test_attempts_file_has_one_owner_and_one_deployment(tmp_path: Path) -> None:
    path = tmp_path / "attempts.sqlite"
    first = Attempts(path)
    first.claim("31337:0xaa")
    with pytest.raises(StoreInUse):
        Attempts(path)
    first.close()
    second = Attempts(path)
    with pytest.raises(WrongDeployment, match="31337:0xaa"):
        second.claim("31337:0xbb")
    second.close()


async def test_no_other_key_is_touched(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        await fund(world, venue)
        venue.submitter()
        world.token(ADMIN_KEY, "faucet", RECEIVER, DOLLAR)
        await venue.withdraw("alice", 1, "w1")
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        assert received(world) == 2
