"""What the exchange believes of the chain, and when."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge.chain import Chain, StateUnavailable, address_of
from bridge.indexer import HALT_AFTER_MS, ChainDiverged, Indexer, account_reference, custodial_references, halt_after_ms
from bridge.logs import Deposited, VenueEvent
from bridge.rpc import ChainUnavailable
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.account import Account
from offchain_book.engine.exchange import new_state
from offchain_book.engine.names import SUSPENSE
from offchain_book.engine.operations import Outcome
from tests.bridge.harness import (
    ADMIN_KEY,
    DOLLAR,
    EXIT_DELAY_S,
    NEVER_MS,
    WENDY_KEY,
    Exchange,
    World,
    exchange,
)

WENDY = address_of(WENDY_KEY)


async def open_alice(venue: Exchange) -> None:
    """Open alice's custodial account."""
    await venue.sequencer.submit(c.OpenAccount("alice", c.Custody.CUSTODIAL))


async def seen(venue: Exchange, indexer: Indexer) -> None:
    """Wait until the indexer has done all that it does when it sees the newest block."""
    newest = venue.world.head()
    await venue.until(lambda: indexer.head is not None and indexer.head.number >= newest)
    head = indexer.head
    await venue.until(lambda: indexer.head is not head)  # its next look has begun


def test_reference_finds_custodial_accounts_only_also_later_ones() -> None:
    state = new_state(60)
    find = custodial_references(state)
    assert find(account_reference("alice")) is None
    state.accounts["alice"] = Account("alice", c.Custody.CUSTODIAL, "")
    state.accounts[WENDY] = Account(WENDY, c.Custody.WALLET, "")
    assert find(account_reference("alice")) == "alice"
    assert find(account_reference(WENDY)) is None


async def test_deposits_are_credited_once_and_only_when_final(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path, confirmations=3) as venue:
        await open_alice(venue)
        indexer = venue.indexer()
        world.deposit_for("alice", 25)
        block = world.deposit(WENDY_KEY, 10).block_number
        world.mine(2)
        await seen(venue, indexer)
        assert WENDY not in venue.state.accounts, "two blocks deep is not three"
        world.mine(1)
        await indexer.caught_up(block)
        assert venue.state.accounts["alice"].cash.total == 25 * DOLLAR
        assert venue.state.accounts[WENDY].cash.total == 10 * DOLLAR
        world.mine(10)
        await indexer.caught_up(block + 10)
        assert [deposit.deposit_index for deposit in venue.sent(cc.CreditDeposit)] == [0, 1]


async def test_unknown_reference_waits_in_suspense(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        venue.indexer()
        world.deposit_for("nobody", 5)
        await venue.until_mined(lambda: venue.state.next_deposit == 1)
        assert venue.state.accounts[SUSPENSE].cash.total == 5 * DOLLAR


async def test_token_deposits_carry_their_market(world: World, tmp_path: Path) -> None:
    question = bytes(31) + b"\x07"
    world.venue(ADMIN_KEY, "prepareCondition", question)
    condition = bytes(world.chain.read("conditionIdOf", [question]))
    yes = int.from_bytes(condition, "big") | Outcome.YES
    world.token(WENDY_KEY, "approve", world.chain.address, 2**200)
    async with exchange(world, tmp_path) as venue:
        await open_alice(venue)
        await venue.create_market(condition)
        venue.indexer()
        world.venue(WENDY_KEY, "split", condition, 20 * DOLLAR)
        world.venue(WENDY_KEY, "depositTokens", yes, 5 * DOLLAR)
        reference = bytes.fromhex(account_reference("alice")[2:])
        world.venue(WENDY_KEY, "depositTokensFor", reference, yes, 3 * DOLLAR)
        await venue.until_mined(lambda: venue.state.next_deposit == 2)
        assert venue.state.accounts[WENDY].balance("RAIN-1:YES").total == 5 * DOLLAR
        assert venue.state.accounts["alice"].balance("RAIN-1:YES").total == 3 * DOLLAR


async def test_reorg_before_finality_credits_nothing(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path, confirmations=4) as venue:
        indexer = venue.indexer()
        block = world.deposit(WENDY_KEY, 10).block_number
        world.mine(2)
        await seen(venue, indexer)
        world.rpc("anvil_reorg", 3, [])
        world.mine(5)
        await indexer.caught_up(block + 1)
        assert venue.state.next_deposit == 0
        assert WENDY not in venue.state.accounts


async def test_deposit_mined_again_at_another_height_is_credited_once(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path, confirmations=4) as venue:
        indexer = venue.indexer()
        block = world.deposit(WENDY_KEY, 10).block_number
        world.mine(1)
        await seen(venue, indexer)
        world.rpc("anvil_reorg", 2, [])
        again = world.deposit(WENDY_KEY, 10).block_number
        assert again > block
        world.mine(6)
        await indexer.caught_up(again)
        (credit,) = venue.sent(cc.CreditDeposit)
        assert credit.block_number == again
        assert venue.state.accounts[WENDY].cash.total == 10 * DOLLAR


async def test_shorter_chain_skips_nothing(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path, confirmations=5) as venue:
        indexer = venue.indexer()
        world.mine(3)
        await seen(venue, indexer)
        world.rpc("anvil_rollback", 2)
        block = world.deposit(WENDY_KEY, 10).block_number
        world.mine(6)
        await indexer.caught_up(block)
        assert venue.state.accounts[WENDY].cash.total == 10 * DOLLAR


async def test_deposit_that_the_node_leaves_out_is_found_by_the_counter(world: World, tmp_path: Path) -> None:
    class Forgetful(Chain):
        """Leaves deposits out of every range but the one that starts at the deployment."""

        def logs(self, from_block: int, to_block: int, names: Sequence[str] = ()) -> list[VenueEvent]:
            events = super().logs(from_block, to_block, names)
            if from_block == world.start_block:
                return events
            return [event for event in events if not isinstance(event, Deposited)]

    async with exchange(world, tmp_path) as venue:
        indexer = venue.indexer(world.connect(Forgetful))
        world.mine(4)
        await indexer.caught_up(world.head() - 2)
        world.deposit(WENDY_KEY, 10)
        world.deposit(WENDY_KEY, 11)
        await venue.until_mined(lambda: venue.state.next_deposit == 2)
        assert venue.state.accounts[WENDY].cash.total == 21 * DOLLAR


async def test_deposit_that_the_node_never_shows_stops_the_position(world: World, tmp_path: Path) -> None:
    class Blind(Chain):
        blind = True

        def logs(self, from_block: int, to_block: int, names: Sequence[str] = ()) -> list[VenueEvent]:
            return [] if self.blind else super().logs(from_block, to_block, names)

    async with exchange(world, tmp_path) as venue:
        chain: Blind = world.connect(Blind)
        indexer = venue.indexer(chain)
        block = world.deposit(WENDY_KEY, 10).block_number
        world.mine(5)
        await seen(venue, indexer)
        assert indexer.final_block < block
        chain.blind = False
        await indexer.caught_up(block)
        assert venue.state.next_deposit == 1


async def test_pruned_state_still_credits(world: World, tmp_path: Path) -> None:
    class Pruned(Chain):
        def deposit_count(self, block: int | str = "latest") -> int:
            if block != "latest":
                raise StateUnavailable("pruned")
            return super().deposit_count(block)

    async with exchange(world, tmp_path) as venue:
        venue.indexer(world.connect(Pruned))
        world.deposit(WENDY_KEY, 10)
        await venue.until_mined(lambda: venue.state.next_deposit == 1)


async def test_restart_goes_on_where_the_journal_ends(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        venue.indexer()
        world.deposit(WENDY_KEY, 10)
        await venue.until_mined(lambda: venue.state.final_block and venue.state.next_deposit == 1)
    world.deposit(WENDY_KEY, 5)
    async with exchange(world, tmp_path) as venue:
        venue.indexer()
        await venue.until_mined(lambda: venue.state.next_deposit == 2)
        assert len(venue.sent(cc.CreditDeposit)) == 1
        assert venue.state.accounts[WENDY].cash.total == 15 * DOLLAR


async def test_other_chain_behind_the_same_journal_is_fatal(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        venue.indexer()
        await venue.until_mined(lambda: venue.state.final_block > 0)
        number, time_s = venue.state.final_block, venue.state.final_time_s
        await venue.stop_parts()
        await venue.sequencer.submit(cc.ObserveChain(number, time_s - 1, False))
    async with exchange(world, tmp_path) as venue:
        venue.indexer()
        with pytest.raises(ChainDiverged, match=f"final block {number}"):
            await venue.end_of(venue.tasks[0])


async def test_reorg_of_final_blocks_is_fatal(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        indexer = venue.indexer()
        world.mine(6)
        await indexer.caught_up(world.head() - 2)
        world.rpc("anvil_reorg", 5, [])
        world.mine(3)
        with pytest.raises(ChainDiverged):
            await venue.end_of(venue.tasks[0])
        with pytest.raises(ChainUnavailable):
            await indexer.caught_up(10**9)


async def test_exit_is_believed_at_the_head(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path, confirmations=5) as venue:
        venue.indexer()
        world.deposit(WENDY_KEY, 10)
        await venue.until_mined(lambda: venue.state.next_deposit == 1)
        world.venue(WENDY_KEY, "requestExit")
        exit_at = world.chain.exit_at(WENDY)
        await venue.until(lambda: venue.state.accounts[WENDY].exit_at_s == exit_at)
        world.rpc("anvil_reorg", 1, [])
        world.mine()
        await venue.until(lambda: venue.state.accounts[WENDY].exit_at_s == 0)


async def test_exit_of_a_wallet_whose_deposit_is_not_final_yet_is_not_forgotten(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path, confirmations=3) as venue:
        indexer = venue.indexer()
        world.deposit(WENDY_KEY, 10)
        world.venue(WENDY_KEY, "requestExit")
        await seen(venue, indexer)
        assert not venue.sent(cc.ObserveExit)
        world.mine(2)
        await venue.until(lambda: venue.sent(cc.ObserveExit))
        assert venue.state.accounts[WENDY].exit_at_s == world.chain.exit_at(WENDY)


async def test_finished_exit_leaves_the_ledger_when_final(world: World, tmp_path: Path) -> None:
    question = bytes(31) + b"\x07"
    world.venue(ADMIN_KEY, "prepareCondition", question)
    condition = bytes(world.chain.read("conditionIdOf", [question]))
    number = int.from_bytes(condition, "big")
    async with exchange(world, tmp_path, confirmations=3) as venue:
        await venue.create_market(condition)
        indexer = venue.indexer()
        world.deposit(WENDY_KEY, 10)
        world.venue(WENDY_KEY, "split", condition, 4 * DOLLAR)
        world.venue(WENDY_KEY, "depositTokens", number | 1, 4 * DOLLAR)
        world.venue(WENDY_KEY, "depositTokens", number | 2, 3 * DOLLAR)
        world.venue(WENDY_KEY, "requestExit")
        world.mine(3)
        await venue.until(lambda: venue.sent(cc.ObserveExit))
        account = venue.state.accounts[WENDY]
        world.rpc("evm_increaseTime", hex(EXIT_DELAY_S + 10))
        world.venue(WENDY_KEY, "exit", [number | 1, number | 2])
        await seen(venue, indexer)
        assert account.exit_at_s > 0, "an end is believed when it is final"
        assert account.cash.total == 10 * DOLLAR
        world.mine(3)
        await venue.until(lambda: account.exit_at_s == 0)
        assert [record.amount_micros for record in venue.sent(cc.RecordExit)] == [10 * DOLLAR, 4 * DOLLAR, 3 * DOLLAR]
        assert all(balance.total == 0 for balance in account.balances.values())


async def test_exit_waits_for_the_batches_before_it(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path, confirmations=2) as venue:
        indexer = venue.indexer()
        world.deposit(WENDY_KEY, 10)
        await venue.until_mined(lambda: venue.state.next_deposit == 1)
        await venue.wallet_withdraw(WENDY_KEY, 4)
        submitter = venue.submitter(poll_ms=NEVER_MS)
        await venue.until(lambda: world.chain.next_operation() == 1)
        world.venue(WENDY_KEY, "requestExit")
        world.rpc("evm_increaseTime", hex(EXIT_DELAY_S + 10))
        block = world.venue(WENDY_KEY, "exit", []).block_number
        world.mine(5)
        await seen(venue, indexer)
        assert indexer.final_block < block
        assert not venue.sent(cc.RecordExit)
        submitter._poll_ms = 20
        submitter._wake.set()
        await venue.until_mined(lambda: venue.sent(cc.RecordExit))
        assert venue.sent(cc.RecordExit)[0].amount_micros == 6 * DOLLAR
        assert venue.state.accounts[WENDY].cash.total == 0


async def test_standing_finality_halts_and_new_blocks_resume(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        venue.indexer(halt_after_ms=300)
        await venue.until_mined(lambda: venue.state.final_block > 0)
        await venue.until(lambda: venue.state.chain_halted)
        await venue.until_mined(lambda: not venue.state.chain_halted)


async def test_node_that_is_away_halts_too(world: World, tmp_path: Path) -> None:
    class Away(Chain):
        away = False

        def head(self):
            if self.away:
                raise ChainUnavailable("connection refused")
            return super().head()

    async with exchange(world, tmp_path) as venue:
        chain: Away = world.connect(Away)
        venue.indexer(chain, halt_after_ms=300)
        await venue.until_mined(lambda: venue.state.final_block > 0)
        chain.away = True
        await venue.until(lambda: venue.state.chain_halted)
        chain.away = False
        await venue.until_mined(lambda: not venue.state.chain_halted)


async def test_node_that_does_not_answer_halts_as_soon(world: World, tmp_path: Path) -> None:
    """A stopped process keeps its callers waiting; the report must not wait with them."""

    class Stuck(Chain):
        free = threading.Event()

        def head(self):
            self.free.wait()
            return super().head()

    async with exchange(world, tmp_path) as venue:
        Stuck.free.set()
        venue.indexer(world.connect(Stuck), halt_after_ms=300)
        await venue.until_mined(lambda: venue.state.final_block > 0)
        Stuck.free.clear()
        await venue.until(lambda: venue.state.chain_halted)
        Stuck.free.set()
        await venue.until_mined(lambda: not venue.state.chain_halted)


@pytest.mark.parametrize(("deadline_s", "expected_ms"), [(5, 3_000), (12, 4_000), (60, 10_000)])
def test_finality_may_stand_still_for_a_third_of_the_deadline(deadline_s: int, expected_ms: int) -> None:
    assert halt_after_ms(deadline_s, 10_000) == expected_ms
    assert halt_after_ms(3_600) == HALT_AFTER_MS


async def test_many_blocks_at_once_are_read_in_ranges(world: World, tmp_path: Path) -> None:
    world.deposit(WENDY_KEY, 10)
    world.mine(2_500)
    block = world.deposit(WENDY_KEY, 11).block_number
    world.mine(3)
    async with exchange(world, tmp_path) as venue:
        indexer = venue.indexer()
        await indexer.caught_up(block)
        assert venue.state.accounts[WENDY].cash.total == 21 * DOLLAR


async def test_saved_state_bounds_finality(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        block = world.deposit(WENDY_KEY, 10).block_number
        limit = [block - 1]
        indexer = venue.indexer(finality=lambda: limit[0])
        world.mine(5)
        await seen(venue, indexer)
        assert venue.state.next_deposit == 0, "a block that no saved state contains is not final"
        limit[0] = block
        await indexer.caught_up(block)
        assert venue.state.next_deposit == 1
