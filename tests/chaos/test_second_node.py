"""A first node that lies consistently, and a second one that does not; then a second one that is behind, or gone.

The lies are those that one node alone gets away with (the first test shows it): blocks, logs, receipts and state agree with
each other and not with the chain.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from bridge.chain import Chain
from bridge.gauges import chain_gauges
from bridge.indexer import account_reference
from bridge.readiness import checks
from bridge.second_node import DISAGREE, SecondNode
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide
from offchain_book.engine.rejects import RejectCode
from offchain_book.gateways.metrics import VenueMetrics
from offchain_book.reserves import ReserveBoard
from tests.bridge.harness import CHAIN_ID, DOLLAR, SETTLE_DEADLINE_S, WENDY_KEY, World
from tests.chaos import faults
from tests.chaos.conftest import Staged
from tests.chaos.faults import Answer, Call, Fault, Forward, Proxy
from tests.chaos.stage import MARKET, START, WENDY, Stage

SEND, RECEIPT, LOGS, BLOCK = "eth_sendRawTransaction", "eth_getTransactionReceipt", "eth_getLogs", "eth_getBlockByNumber"
TRANSACTION, NONCE, CALL = "eth_getTransactionByHash", "eth_getTransactionCount", "eth_call"


@dataclass
class Pair:
    """An exchange that asks two nodes; `other` stands before the second one."""

    stage: Stage
    second: SecondNode
    other: Proxy

    async def until_they_disagree(self, times: int = 3) -> None:
        """Make blocks until the answers have differed so often; the alarm stands."""
        await self.stage.until_mined(lambda: self.second.disagreements >= times)
        assert self.second.alarm.startswith(DISAGREE)

    async def agreed_again(self) -> None:
        """Let both nodes tell the truth: everything is settled and equal, and the alarm is over."""
        self.stage.proxy.heal()
        self.other.heal()
        await self.stage.settle()
        await self.stage.until_mined(lambda: not self.second.trouble)

    def metric(self, name: str) -> float | None:
        """Return a metric as `/metrics` shows it."""
        stage, registry = self.stage, CollectorRegistry(auto_describe=False)
        gauges = chain_gauges(stage.state, stage.submitter, stage.indexer, self.second)
        registry.register(VenueMetrics(stage.venue.sequencer, lambda: gauges))
        return registry.get_sample_value(f"causeway_{name}")

    async def ready(self) -> tuple[bool, str]:
        """Return what `/readyz` says of the second node."""
        venue = self.stage.venue
        found = checks(venue.sequencer, self.stage.world.chain, ReserveBoard(), lambda: True, lambda: "", self.second)
        finding = await found["second_node"]()
        return finding.ok, finding.detail


@asynccontextmanager
async def paired(stage_of: Staged, world: World, **options: Any) -> AsyncIterator[Pair]:
    """Run an exchange with two nodes, everybody's money credited."""
    with Proxy(world.url) as other:
        second = SecondNode(lambda: Chain(other.url, CHAIN_ID, world.abi, world.chain.address))
        async with stage_of(second=second, **options) as stage:
            await stage.open()
            yield Pair(stage, second, other)
        second.close()


@pytest.fixture
async def pair(stage_of: Staged, world: World) -> AsyncIterator[Pair]:
    async with paired(stage_of, world) as found:
        yield found


# --- lies ---------------------------------------------------------------------------------------------------------------


def answers(stage: Stage, function: str, lie: int) -> Fault:
    """Say this of one view of the contract, whatever block is asked about; other calls pass."""
    data = "0x" + stage.world.chain.encode(function, []).hex()
    return lambda call, forward: {"result": f"0x{lie:064x}"} if call.params[0]["data"] == data else forward()


def invent_deposit(stage: Stage, dollars: int) -> None:
    """Let the first node show a deposit for alice that never was, in a block that is, and count it."""
    reference, at = account_reference("alice"), stage.world.chain.head()
    every = {"address": stage.world.chain.address, "fromBlock": "0x0", "toBlock": "latest"}
    true = next(log for log in stage.world.rpc(LOGS, every) if reference in log["topics"])
    number = f"0x{stage.state.next_deposit:064x}"
    forged = true | {
        "topics": [true["topics"][0], number, *true["topics"][2:]],
        "data": true["data"][:-64] + f"{dollars * DOLLAR:064x}",
        "blockNumber": hex(at.number),
        "blockHash": at.hash,
        "transactionHash": "0x" + "ab" * 32,
    }

    def logs(call: Call, forward: Forward) -> Answer:
        asked, answer = call.params[0], forward()
        inside = "fromBlock" in asked and int(asked["fromBlock"], 16) <= at.number <= int(asked["toBlock"], 16)
        return {"result": answer["result"] + [forged]} if inside else answer

    stage.proxy.on(LOGS, logs)
    stage.proxy.on(CALL, answers(stage, "depositCount", stage.state.next_deposit + 1))


async def test_one_node_alone_is_believed_when_all_that_it_says_fits(stage: Stage) -> None:
    """The threat that the second node answers; SECURITY.md says so."""
    invent_deposit(stage, 1_000_000)
    await stage.until_mined(lambda: stage.state.next_deposit == 5)
    assert stage.state.accounts["alice"].cash.total == (START + 1_000_000) * DOLLAR


async def test_deposit_that_only_the_first_node_shows_is_not_credited_and_raises_the_alarm(pair: Pair) -> None:
    stage = pair.stage
    assert await pair.ready() == (True, "it says the same")
    invent_deposit(stage, 1_000_000)
    deposit = stage.world.deposit(WENDY_KEY, 7).block_number
    await pair.until_they_disagree()
    assert (stage.state.accounts["alice"].cash.total, stage.state.next_deposit) == (START * DOLLAR, 4)
    assert stage.indexer.final_block < deposit
    assert "the first node alone says [Deposited(" in pair.second.alarm
    is_ready, detail = await pair.ready()
    assert not is_ready
    assert detail.startswith(DISAGREE)
    assert (pair.metric("nodes_disagree"), pair.metric("second_node_waits")) == (1, 1)
    await stage.submit(c.PlaceOrder("goes-on", "alice", MARKET, BookSide.BID, 100, DOLLAR))
    await pair.agreed_again()
    assert stage.state.accounts["alice"].cash.total == START * DOLLAR
    assert [one.from_address for one in stage.venue.sent(cc.CreditDeposit)[4:]] == [WENDY], "what is true is credited then"
    assert await pair.ready() == (True, "it says the same")
    assert (pair.metric("nodes_disagree"), pair.metric("second_node_waits")) == (0, 0)


async def test_deposit_that_the_first_node_hides_is_missed_by_nobody(pair: Pair) -> None:
    stage = pair.stage
    stage.proxy.on(LOGS, faults.says([]))
    stage.proxy.on(CALL, answers(stage, "depositCount", 4))
    deposit = stage.world.deposit(WENDY_KEY, 7).block_number
    await pair.until_they_disagree()
    assert "the second one alone [Deposited(" in pair.second.alarm
    assert stage.indexer.final_block < deposit
    await pair.agreed_again()
    assert stage.state.accounts[WENDY].cash.total == (START + 7) * DOLLAR


async def test_final_block_of_another_hash_stops_wallets_matching_until_both_nodes_have_the_same(
    stage_of: Staged, world: World
) -> None:
    """Finality stands still, with what always follows from that."""
    async with paired(stage_of, world, halt_after_ms=300) as pair:
        stage = pair.stage
        await stage.until_mined(lambda: stage.state.final_hash and not stage.state.chain_halted)
        await stage.until(lambda: stage.indexer.final_block == stage.finality())
        known = stage.indexer.final_block

        def renamed(call: Call, forward: Forward) -> Answer:
            answer = forward()
            is_new = call.params[0] != "latest" and int(call.params[0], 16) > known
            return {"result": answer["result"] | {"hash": "0x" + "be" * 32}} if is_new and answer["result"] else answer

        stage.proxy.on(BLOCK, renamed)
        await pair.until_they_disagree()
        assert "about block" in pair.second.alarm
        await stage.until_mined(lambda: stage.state.chain_halted)
        assert stage.state.final_block <= known
        signed = stage.venue.signed_buy(WENDY_KEY, stage.condition, 5, salt=99)
        order = c.PlaceOrder("late", WENDY, MARKET, BookSide.BID, 6_000, 5 * DOLLAR, outcome=Outcome.YES, signed=signed)
        receipt = await stage.venue.sequencer.submit(order)
        assert receipt.rejected is not None
        assert receipt.rejected.code is RejectCode.CHAIN_HALTED
        stage.proxy.heal()
        await stage.until_mined(lambda: not stage.state.chain_halted)
        await stage.match()
        await pair.agreed_again()


async def test_settlement_that_only_the_first_node_shows_confirms_nothing(pair: Pair) -> None:
    """The true receipt of a batch that a reorg removed, in the block that took its place, with the counter to match."""
    stage = pair.stage
    true = await stage.match_and_mine()

    def forged(call: Call, forward: Forward) -> Answer:
        block = stage.world.rpc(BLOCK, true["blockNumber"], False)
        place = {"blockHash": block["hash"]} if block else {}
        return {"result": true | place | {"logs": [log | place for log in true["logs"]]}}

    stage.proxy.on(SEND, faults.swallowed)
    stage.proxy.on(TRANSACTION, faults.says({}))
    stage.proxy.on(RECEIPT, forged)
    stage.proxy.on(CALL, answers(stage, "nextOperation", 1))
    stage.world.rpc("anvil_reorg", 1, [])
    await pair.until_they_disagree()
    assert "about batches 0 to 0" in pair.second.alarm
    assert DISAGREE in stage.submitter.alarm
    assert stage.world.chain.next_operation() == 0
    assert not stage.confirmed()
    stage.world.rpc("evm_setAutomine", True)
    await pair.agreed_again()
    assert stage.world.chain.next_operation() == 1
    assert stage.submitter.alarm == ""


async def test_settlement_that_the_first_node_hides_is_not_given_up_after_its_deadline(pair: Pair) -> None:
    """Else the guarantee would pay for a fill that has landed."""
    stage = pair.stage
    await stage.match()
    await stage.until(lambda: stage.stages()[-1:] == ["mined"])
    stage.proxy.on(SEND, faults.swallowed)
    stage.proxy.on(TRANSACTION, faults.says(None))
    stage.proxy.on(RECEIPT, faults.says(None))
    stage.proxy.on(NONCE, faults.says("0x0"))
    stage.proxy.on(CALL, answers(stage, "nextOperation", 0))
    stage.world.rpc("evm_increaseTime", hex(SETTLE_DEADLINE_S + 60))
    await pair.until_they_disagree()
    assert "has not executed" in pair.second.alarm
    assert not stage.venue.sent(cc.ExpireOperations)
    await pair.agreed_again()
    assert len(stage.confirmed()) == 1
    assert not stage.venue.sent(cc.ExpireOperations)


# --- a second node that is no help --------------------------------------------------------------------------------------


async def test_second_node_that_is_behind_delays_what_is_final_and_alarms_nobody(pair: Pair) -> None:
    stage = pair.stage
    known = stage.world.head()

    def behind(call: Call, forward: Forward) -> Answer:
        is_new = call.params[0] != "latest" and int(call.params[0], 16) > known
        return {"result": None} if is_new else forward()

    pair.other.on(BLOCK, behind)
    stage.world.deposit(WENDY_KEY, 7)
    await stage.until_mined(lambda: "it has not come so far" in pair.second.trouble)
    assert (stage.state.next_deposit, pair.second.alarm, pair.second.disagreements) == (4, "", 0)
    assert (await pair.ready())[0]
    assert (pair.metric("nodes_disagree"), pair.metric("second_node_waits")) == (0, 1)
    await pair.agreed_again()
    assert stage.state.accounts[WENDY].cash.total == (START + 7) * DOLLAR


async def test_second_node_that_does_not_answer_delays_what_is_final_and_alarms_nobody(pair: Pair) -> None:
    stage = pair.stage
    with pair.other.during("", faults.dropped):
        stage.world.deposit(WENDY_KEY, 7)
        await stage.match()
        await stage.until_mined(lambda: {"indexer", "submitter"} == pair.second._trouble.keys())
        assert "the second node says nothing about block" in pair.second.trouble
        assert (stage.state.next_deposit, stage.confirmed(), pair.second.alarm) == (4, [], "")
    await pair.agreed_again()
    assert stage.state.accounts[WENDY].cash.total == (START + 7 - 6) * DOLLAR
    assert pair.second.disagreements == 0
