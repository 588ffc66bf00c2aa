"""Reserves against a real node: equal while things are in flight, frozen when they are not, owed amounts on chain."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge import cli_reserves
from bridge.chain import StateUnavailable
from bridge.cli_client import CommandError
from bridge.reserves import LOOKS_BEFORE_FREEZE, Reserves
from bridge.submitter import Submitter
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.names import GUARANTEE
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.units import CASH
from offchain_book.gateways.reserves import proof_view, statement_view
from offchain_book.liabilities import Tree, verify
from offchain_book.reserves import Publication, ReserveBoard, owed
from tests.bridge.harness import (
    ADMIN_KEY,
    DOLLAR,
    WENDY_KEY,
    Exchange,
    World,
    address_of,
    exchange,
)

RECEIVER = "0x" + "77" * 20
SECRET = b"salts"


class Watch:
    """Reserves of one exchange, and what they saved."""

    def __init__(self, venue: Exchange, submitter: Submitter | None = None, indexed: Any = None) -> None:
        self.board = ReserveBoard()
        self.saved: list[dict[str, Any]] = []
        world = venue.world

        async def nowhere(root: str, total_micros: int) -> str:
            raise AssertionError("nothing is published in this test")

        self.final_block = (lambda: indexed.final_block) if indexed is not None else venue.finality
        self.reserves = Reserves(
            venue.sequencer,
            world.connect(),
            (world.collateral, world.collateral_abi),
            world.start_block,
            self.final_block,
            self.board,
            SECRET,
            submitter.publish if submitter else nowhere,
            self.saved.append,
        )


@asynccontextmanager
async def trading(world: World, folder: Path) -> AsyncIterator[tuple[Exchange, Watch, bytes]]:
    """Wendy, alice and the guarantee funded by real deposits, RAIN-1 open, indexer and submitter running."""
    question = b"reserves".ljust(32, b"?")
    world.venue(ADMIN_KEY, "prepareCondition", question)
    condition = bytes(world.chain.read("conditionIdOf", [question]))
    async with exchange(world, folder) as venue:
        await venue.open_account("alice")
        await venue.create_market(condition)
        indexer = venue.indexer()
        submitter = venue.submitter(operations=2)
        world.deposit(WENDY_KEY, 100)
        world.deposit_for("alice", 100)
        world.deposit_for(GUARANTEE, 100)
        await venue.until_mined(lambda: venue.state.next_deposit == 3)
        yield venue, Watch(venue, submitter, indexer), condition


async def match(venue: Exchange, condition: bytes, number: int) -> None:
    """Alice sells wendy some YES."""
    signed = venue.signed_buy(WENDY_KEY, condition, 5 + number, salt=number)
    size = signed.buy_amount_micros
    book = (BookSide.BID, 6_000, size)
    wendy = address_of(WENDY_KEY)
    await venue.sequencer.submit(c.PlaceOrder(signed.digest, wendy, "RAIN-1", *book, outcome=Outcome.YES, signed=signed))
    await venue.sequencer.submit(c.PlaceOrder(f"t{number}", "alice", "RAIN-1", BookSide.ASK, 6_000, size))


async def look_in_new_blocks(venue: Exchange, watch: Watch, count: int) -> None:
    """Look once in each of as many new final blocks."""
    for _ in range(count):
        await asyncio.to_thread(venue.world.mine)
        await venue.until(lambda: watch.final_block() == venue.finality())
        assert await watch.reserves.look()


async def test_ledger_and_chain_are_equal_in_every_block_while_fills_are_in_flight(world: World, tmp_path: Path) -> None:
    async with trading(world, tmp_path) as (venue, watch, condition):
        in_flight = compared = 0
        for number in range(5):
            await match(venue, condition, number)
            await asyncio.to_thread(world.mine)
            compared += await watch.reserves.look()
            assert not watch.board.differences
            in_flight += any(row.in_flight_micros for row in watch.board.rows.values())
        await venue.until_mined(lambda: venue.state.confirmed_operations == 5)
        await look_in_new_blocks(venue, watch, 1)
        assert compared
        assert in_flight
        assert not watch.board.differences
        assert watch.board.rows["pool", "RAIN-1:NO"].on_chain_micros == sum(range(5, 10)) * DOLLAR
        assert await watch.reserves.look_at_all()
        assert watch.board.collateral is not None
        assert watch.board.collateral.held_micros == watch.board.collateral.claimed_micros == 300 * DOLLAR


async def test_a_difference_that_stands_for_three_blocks_freezes_the_exchange(world: World, tmp_path: Path) -> None:
    async with trading(world, tmp_path) as (venue, watch, _):
        venue.state.pool_cash_micros += 1  # a bug in the ledger
        await look_in_new_blocks(venue, watch, LOOKS_BEFORE_FREEZE - 1)
        assert watch.board.rows["pool", "USD"].difference_micros == -1
        assert await watch.reserves.look()  # the same block again does not count
        assert not venue.state.frozen
        await look_in_new_blocks(venue, watch, 1)
        assert venue.state.frozen.startswith("reserves: pool USD: the chain has 200000000, the ledger 200000001")
        refused = (await venue.sequencer.submit(c.Withdraw("w", "alice", DOLLAR, "0x" + "77" * 20))).rejected
        assert refused is not None
        assert refused.code is RejectCode.FROZEN


async def test_a_wallets_difference_is_found_too(world: World, tmp_path: Path) -> None:
    async with trading(world, tmp_path) as (venue, watch, _):
        wendy = venue.state.accounts[address_of(WENDY_KEY)]
        wendy.cash.total -= 7  # a bug in the ledger
        await look_in_new_blocks(venue, watch, LOOKS_BEFORE_FREEZE)
        assert watch.board.rows[wendy.account_id, "USD"].difference_micros == 7
        assert not venue.state.frozen, "what a wallet has too much of endangers nobody"
        wendy.cash.total += 14
        await look_in_new_blocks(venue, watch, LOOKS_BEFORE_FREEZE)
        assert venue.state.frozen.startswith("reserves: 0x")


async def test_a_block_that_the_ledger_has_not_caught_up_with_is_not_compared(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        watch = Watch(venue)
        world.deposit(WENDY_KEY, 5)
        world.mine(5)
        assert not await watch.reserves.look()
        assert "1 deposits in the block, 0 in the ledger" in watch.board.waiting
        assert not watch.board.rows


async def test_tokens_that_a_receivers_code_refuses_are_credited_in_its_vault(world: World, tmp_path: Path) -> None:
    async with trading(world, tmp_path) as (venue, watch, condition):
        await match(venue, condition, 0)
        await venue.until_mined(lambda: venue.state.confirmed_operations == 1)
        world.rpc("anvil_setCode", RECEIVER, "0x60006000fd")  # reverts always
        await venue.sequencer.submit(c.Withdraw("w", "alice", 3 * DOLLAR, RECEIVER, "RAIN-1", Outcome.NO))
        await venue.until_mined(lambda: venue.sent(cc.RecordRefusedDelivery))
        world.rpc("anvil_setCode", RECEIVER, "0x")
        refused = venue.state.accounts[RECEIVER].balance("RAIN-1:NO")
        assert (refused.total, refused.settled) == (3 * DOLLAR, 3 * DOLLAR)
        await look_in_new_blocks(venue, watch, 2)
        assert not watch.board.differences


async def test_a_stray_transfer_is_a_surplus_and_a_hole_freezes(world: World, tmp_path: Path) -> None:
    async with trading(world, tmp_path) as (venue, watch, _):
        world.token(WENDY_KEY, "transfer", world.chain.address, 3 * DOLLAR)
        world.mine(5)
        await venue.until(lambda: venue.finality() <= watch.final_block())
        assert await watch.reserves.look_at_all()
        assert watch.board.collateral is not None
        assert watch.board.collateral.held_micros - watch.board.collateral.claimed_micros == 3 * DOLLAR
        assert not venue.state.frozen
        _take_from_the_contract(world, 4 * DOLLAR)
        world.mine(5)
        await venue.until(lambda: venue.finality() <= watch.final_block())
        assert await watch.reserves.look_at_all()
        assert venue.state.frozen == "reserves: the contract holds 299000000 dollars (millionths), 300000000 are claimed"


def _take_from_the_contract(world: World, amount_micros: int) -> None:
    """Move collateral out of the contract, as no code of ours can."""
    world.rpc("anvil_impersonateAccount", world.chain.address)
    world.rpc("anvil_setBalance", world.chain.address, hex(10**18))
    data = world.chain.encode("transfer", [RECEIVER, amount_micros], world.collateral_abi)
    world.rpc("eth_sendTransaction", {"from": world.chain.address, "to": world.collateral, "data": "0x" + data.hex()})


async def test_what_is_owed_is_published_and_everybody_can_check_it(world: World, tmp_path: Path) -> None:
    async with trading(world, tmp_path) as (venue, watch, condition):
        await match(venue, condition, 1)
        publishing = asyncio.create_task(_published(watch))
        await venue.until_mined(publishing.done)
        statement = publishing.result().tree.statement
        tree = publishing.result().tree
        verify(tree.proof("alice"), statement.root)
        assert watch.saved[0]["seq"] == statement.seq

        proof, leaves, journal = tmp_path / "proof.json", tmp_path / "leaves.json", venue.folder / "journal"
        proof.write_text(json.dumps(proof_view(tree.proof("alice"))))
        leaves.write_text(json.dumps({"statement": statement_view(statement), "leaves": _plain(tree)}))
        for path in (proof, leaves):
            checked, what = cli_reserves.check_file(path, "", world.url, world.chain.address)
            cli_reserves.check_journal(checked, journal)
            assert what.startswith(("alice is counted: RAIN-1:NO 6000000, USD", "all leaves"))

        again = Watch(venue)
        again.reserves.restore(json.loads(json.dumps(watch.saved[0])))
        assert again.board.publication is not None
        assert again.board.publication.tree.statement == statement


async def test_the_verifier_finds_who_was_left_out_and_what_was_never_published(world: World, tmp_path: Path) -> None:
    async with trading(world, tmp_path) as (venue, _, _):
        await venue.open_account("bob")
        rows = owed(venue.state)
        del rows[CASH]["alice"]
        dishonest = Tree(venue.state.seq, rows, SECRET)
        with pytest.raises(CommandError, match=r"counts 2 accounts with 0, the journal has 3 with 100000000"):
            cli_reserves.check_journal(dishonest.statement, venue.folder / "journal")
        path = tmp_path / "proof.json"
        path.write_text(json.dumps(proof_view(dishonest.proof("bob"))))
        with pytest.raises(CommandError, match="never published"):
            cli_reserves.check_file(path, "", world.url, world.chain.address)
        with pytest.raises(CommandError, match="root"):
            cli_reserves.check_file(path, "00" * 32, "", "")


async def _published(watch: Watch) -> Publication:
    """Publish; while the node has pruned the final block's state, again with the next one, as `run` does."""
    while True:
        try:
            return await watch.reserves.publish()
        except StateUnavailable:
            await asyncio.sleep(0.01)


def _plain(tree: Tree) -> dict[str, list[dict[str, Any]]]:
    return {
        asset: [{"digest": node.digest, "sum_micros": str(node.sum_micros)} for node in nodes]
        for asset, nodes in tree.leaves().items()
    }


def test_a_file_that_is_no_statement_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for text in ("{}", '{"statement": {"seq": 1, "assets": [{}]}}', '{"statement": {"seq": 1, "assets": []}}', "nothing"):
        path.write_text(text)
        with pytest.raises(CommandError):
            cli_reserves.check_file(path, "00" * 32, "", "")
