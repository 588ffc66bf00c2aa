"""Chaos list D: what wallets, thieves and contracts may do between match and settlement. Numbers as in docs/chaos.md."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account

from bridge.chain import Reverted
from bridge.compiler import Artifact
from bridge.oracle import Oracle, condition_state
from bridge.settlement import as_packed, settle_batch_calldata
from bridge.submitter import SubmitterHalted
from offchain_book.engine import commands as c
from offchain_book.engine.operations import Operation, Outcome, PoolAction, PoolOperation, SignedOrder
from offchain_book.engine.order import BookSide
from offchain_book.engine.rejects import RejectCode
from tests.bridge.harness import (
    ADMIN_KEY,
    CHAIN_ID,
    DOLLAR,
    FUNDER_KEY,
    NEVER_MS,
    OPERATOR_KEY,
    ORACLE_KEY,
    SETTLE_DEADLINE_S,
    WALT_KEY,
    WENDY_KEY,
    anvil,
)
from tests.bridge.harness import deploy as deploy_world
from tests.chaos import faults
from tests.chaos.conftest import Staged
from tests.chaos.stage import GWEI, MARKET, START, WALT, WENDY, Stage, staged, stock
from tests.chaos.test_transactions import cash_slot
from tests.contracts.stage import compile_stage

REVERT, BURN_GAS, RETURN_BOMB = 1, 3, 4
"""`HostileReceiver.Mode`."""
ANSWERS_NO = "0x60206000f3"
"""Code that returns 32 zero bytes to every call."""
THIEF = "0x" + "99" * 20


@pytest.fixture(scope="session")
def mocks() -> Mapping[str, Artifact]:
    """Return everything that the contracts' tests compile."""
    return compile_stage()


def deploy(stage: Stage, artifact: Artifact, *args: object) -> str:
    """Deploy a mock."""
    return stage.world.chain.deploy({"abi": artifact.abi, "bytecode": artifact.bytecode}, list(args), ADMIN_KEY)


async def lands(stage: Stage, contracts: int = 10) -> None:
    """Settle, and check that wendy has what she bought: no skip, no ghost."""
    found = await stage.settle()
    assert found.skipped == {}
    assert found.state.accounts[WENDY].balance(f"{MARKET}:YES").settled == contracts * DOLLAR


async def contract_wallet(stage: Stage, mocks: Mapping[str, Artifact], contracts: int) -> tuple[str, SignedOrder]:
    """Return a contract wallet of wendy's with 100 dollars in the vault, and an order to buy YES that it has approved on chain."""
    trap = deploy(stage, mocks["ContractWallet"], WENDY)
    chain, world = stage.world.chain, stage.world
    world.token(FUNDER_KEY, "faucet", trap, 100 * DOLLAR)
    abi = mocks["ContractWallet"].abi
    approve = chain.encode("approve", [chain.address, 100 * DOLLAR], world.collateral_abi)
    signed = stage.venue.signed_buy(WENDY_KEY, stage.condition, contracts, 77, wallet=trap)
    own_calls = [
        (world.collateral, approve),
        (chain.address, chain.encode("deposit", [100 * DOLLAR])),
        (chain.address, chain.encode("approveOrder", [bytes.fromhex(signed.digest[2:])])),
    ]
    for target, calldata in own_calls:
        chain.transact(WENDY_KEY, trap, chain.encode("call", [target, calldata], abi))
    await stage.until_mined(lambda: stage.state.next_deposit == 5)
    return trap, signed


# --- 33 to 36: the four attacks of "The Ghosts of Polymarket" (arXiv 2606.16852) -------------------------------------


async def test_d33_attack_nonce_bump_after_the_match_does_not_stop_the_fill(stage: Stage) -> None:
    """`setMinNonce` and `cancelBefore` mined before the batch: both take effect after the exit delay only."""
    stage.pause_mining()
    with stage.proxy.during("eth_sendRawTransaction", faults.swallowed):
        await stage.match()
        await stage.place(WENDY_KEY, 5, Outcome.YES, 30)
        stage.call(WENDY_KEY, "setMinNonce", 10**6)
        stage.call(WENDY_KEY, "cancelBefore", (int(time.time()) + 3_600) * 1_000)
        stage.world.mine()
        await stage.until(lambda: stage.state.accounts[WENDY].min_nonce == 10**6)
        assert not stage.state.accounts[WENDY].open_orders, "what is void later is not matched any more"
        assert stage.world.chain.next_operation() == 0
    await lands(stage)


async def test_d34_attack_balance_drain_after_the_match_does_not_stop_the_fill(stage: Stage) -> None:
    """Everything that can leave at once leaves, an exit begins: the vault balance stays until the exit delay is over."""
    stage.pause_mining()
    free = stage.world.chain.read(
        "balanceOf", [WENDY], to=stage.world.collateral, abi=stage.world.collateral_abi, block="latest"
    )
    with stage.proxy.during("eth_sendRawTransaction", faults.swallowed):
        await stage.match()
        drain = stage.world.chain.encode("transfer", [THIEF, free], stage.world.collateral_abi)
        stage.send(WENDY_KEY, stage.world.collateral, drain)
        stage.call(WENDY_KEY, "requestExit")
        early = stage.call(WENDY_KEY, "exit", [])
        stage.world.mine()
        receipt = stage.world.chain.receipt(early)
        assert receipt is not None
        assert not receipt.succeeded
    await lands(stage)


async def test_d34_signed_withdrawal_of_what_a_fill_needs_is_refused(stage: Stage) -> None:
    await stage.match()
    with pytest.raises(AssertionError, match="INSUFFICIENT_CASH"):
        await stage.venue.wallet_withdraw(WENDY_KEY, START)
    await lands(stage)


async def test_d35_attack_allowance_revoke_after_the_match_has_no_effect(stage: Stage) -> None:
    stage.pause_mining()
    with stage.proxy.during("eth_sendRawTransaction", faults.swallowed):
        await stage.match()
        revoke = stage.world.chain.encode("approve", [stage.world.chain.address, 0], stage.world.collateral_abi)
        stage.send(WENDY_KEY, stage.world.collateral, revoke)
        stage.call(WENDY_KEY, "setApprovalForAll", stage.world.chain.address, False)
        stage.world.mine()
    await lands(stage)


async def test_d36_attack_proxy_trap_a_contract_wallet_that_turns_hostile_after_the_match_is_filled(
    stage: Stage, mocks: Mapping[str, Artifact]
) -> None:
    """The wallet's code refuses every call from then on, callbacks and signature checks included (45 as well)."""
    trap, signed = await contract_wallet(stage, mocks, 10)
    stage.pause_mining()
    with stage.proxy.during("eth_sendRawTransaction", faults.swallowed):
        await stage.place_signed(signed, 10, Outcome.YES, 60)
        await stage.take(10)
        stage.world.rpc("anvil_setCode", trap, "0xfe")
        stage.world.mine()
    found = await stage.settle()
    assert found.skipped == {}
    assert found.state.accounts[trap].balance(f"{MARKET}:YES").settled == 10 * DOLLAR


@pytest.mark.parametrize("mode", [REVERT, BURN_GAS, RETURN_BOMB], ids=["reverts", "burns all gas", "returns 1 MB"])
async def test_d36_d37_receiver_that_misbehaves_hurts_nobody_else(
    stage: Stage, mocks: Mapping[str, Artifact], mode: int
) -> None:
    """Alice sends tokens to it between two fills of the same batch: they wait for it in its vault half."""
    hostile = deploy(stage, mocks["HostileReceiver"])
    calldata = stage.world.chain.encode("set", [mode, THIEF, b""], mocks["HostileReceiver"].abi)
    stage.world.chain.transact(ADMIN_KEY, hostile, calldata)
    await stage.match()
    await stage.settle()
    stage.pause_mining()
    await stage.match(3)
    await stage.submit(c.Withdraw("w", "alice", 4 * DOLLAR, hostile, MARKET, Outcome.NO))
    await stage.match(2)
    found = await stage.settle()
    assert found.skipped == {}
    assert found.state.accounts[WENDY].balance(f"{MARKET}:YES").settled == 15 * DOLLAR
    token = int.from_bytes(stage.condition, "big") | Outcome.NO
    assert stage.world.chain.vault_balance_of(hostile, token) == 4 * DOLLAR


# --- 38 to 41: batches -------------------------------------------------------------------------------------------------


async def test_d38_one_bad_fill_among_fifty_is_made_good_by_rule_and_the_others_land(stage_of: Staged) -> None:
    async with stage_of(operations=50, batch_ms=NEVER_MS) as stage:
        await stage.open()
        chain = stage.world.chain
        slot = stage.world.rpc("eth_getStorageAt", chain.address, cash_slot(WALT), "latest")
        empty = int(slot, 16) & ~((1 << 96) - 1)
        stage.world.rpc("anvil_setStorageAt", chain.address, cash_slot(WALT), f"0x{empty:064x}")
        for number in range(50):
            await stage.place(WALT_KEY if number == 20 else WENDY_KEY, 1, Outcome.YES, 60)
            await stage.take(1)
        await stage.until_mined(lambda: not stage.state.operations)
        stage.world.rpc("anvil_setStorageAt", chain.address, cash_slot(WALT), slot)
        found = await stage.settle()
        assert list(found.skipped) == [20]
        assert found.state.guaranteed_fills == 1
        assert found.state.accounts[WENDY].balance(f"{MARKET}:YES").settled == 49 * DOLLAR
        assert found.state.accounts[WALT].cash.total == START * DOLLAR
        assert found.state.accounts["alice"].balance(f"{MARKET}:NO").total == 50 * DOLLAR, "her side stands"


async def test_d39_order_that_would_expire_before_it_can_be_mined_is_refused_at_admission(stage: Stage) -> None:
    signed = stage.venue.signed_buy(WENDY_KEY, stage.condition, 5, 9)
    signed = replace(signed, expiration_s=int(time.time()) + SETTLE_DEADLINE_S - 5)
    terms = (BookSide.BID, 6_000, 5 * DOLLAR)
    receipt = await stage.venue.sequencer.submit(
        c.PlaceOrder("late", WENDY, MARKET, *terms, outcome=Outcome.YES, signed=signed)
    )
    assert receipt.rejected is not None
    assert receipt.rejected.code is RejectCode.SIGNED_EXPIRY_TOO_SOON
    await stage.settle()


async def test_d40_same_batch_sent_again_consumes_nothing(stage: Stage) -> None:
    """With the right key, by whomever: `first == next` fails, and the whole transaction reverts."""
    number = await stage.match()
    operation = as_packed(stage.state.operations[number].operation, False)
    await stage.settle()
    await stage.venue.stop_parts()
    with pytest.raises(Reverted, match=r"OutOfOrder\(first=0, next=1\)"):
        stage.world.chain.transact(OPERATOR_KEY, stage.world.chain.address, settle_batch_calldata(0, [operation]))
    await stage.audit()


async def test_d41_batch_that_is_mined_before_its_predecessor_is_sent_again_in_order(stage_of: Staged) -> None:
    """The first one's transaction has too little gas, so the second comes early, and reverts whole."""
    async with stage_of(operations=1) as stage:
        await stage.open()
        sign = stage.chains[0].sign_transaction
        stage.chains[0].sign_transaction = lambda key, tx: sign(  # type: ignore[method-assign]
            key, {**tx, "gas": 30_000} if tx["nonce"] == 0 else tx
        )
        stage.pause_mining()
        await stage.match()
        await stage.match_wallets()
        await stage.until(lambda: stage.operator_nonce("pending") == 2)
        found = await stage.settle()
        assert found.skipped == {}
        assert stage.operator_nonce() >= 4


# --- 42 to 46 ------------------------------------------------------------------------------------------------------------


async def test_d42_stolen_operator_key_moves_no_wallets_balance_and_the_lane_notices(stage: Stage) -> None:
    """The thief can send from the pool, within the limit of tests/contracts (and tests/engine/test_outflow.py), until paused."""
    chain = stage.world.chain
    await stage.match()
    await stage.settle()
    before = chain.cash_of(WENDY), chain.cash_of(WALT)
    theft = PoolOperation(1, PoolAction.SEND_CASH, "", "", None, 50 * DOLLAR, THIEF, 2**40 - 1, "theft")
    chain.transact(OPERATOR_KEY, chain.address, settle_batch_calldata(1, [theft]))
    await stage.match()
    with pytest.raises(SubmitterHalted, match="did not sign"):
        await stage.venue.end_of(stage.venue.tasks[1])
    stage.world.venue(FUNDER_KEY, "pause")
    more: list[Operation] = [PoolOperation(2, PoolAction.SEND_CASH, "", "", None, DOLLAR, THIEF, 2**40 - 1, "more")]
    chain.transact(OPERATOR_KEY, chain.address, settle_batch_calldata(2, more))
    assert chain.skipped_operations() == 1, "a pause blocks the pool at once"
    assert (chain.cash_of(WENDY), chain.cash_of(WALT)) == before


async def test_d43_resolution_waits_for_the_fills_in_flight_and_the_payouts_add_up(stage: Stage) -> None:
    oracle = Oracle(stage.venue.sequencer, stage.connect(), ORACLE_KEY, WALT_KEY)
    stage.venue.tasks.append(asyncio.create_task(oracle.run()))
    with stage.proxy.during("eth_sendRawTransaction", faults.swallowed):
        await stage.match()
        await stage.match_wallets()
        await stage.submit(c.CloseMarket(MARKET))
        await stage.submit(c.ResolveMarket(MARKET, DOLLAR))
        stage.world.mine(3)
        await asyncio.sleep(0.1)
        assert condition_state(stage.world.chain, "0x" + stage.condition.hex()) == 1, "still open on chain"
    await stage.until_mined(lambda: stage.state.markets[MARKET].resolved_on_chain)
    found = await stage.settle()
    assert found.skipped == {}
    cash = {name: found.state.accounts[name].cash.total for name in (WENDY, WALT, "alice")}
    assert cash[WALT] == (START - 4) * DOLLAR
    assert cash["alice"] == (START - 4) * DOLLAR
    assert found.state.accounts[WENDY].balance(f"{MARKET}:YES").total == 20 * DOLLAR


async def test_d44_second_report_of_the_oracle_is_refused(stage: Stage) -> None:
    """Wrong callers and vectors: tests/contracts/test_governance.py."""
    stage.world.venue(ORACLE_KEY, "report", stage.condition, DOLLAR)
    stage.world.venue(WALT_KEY, "confirm", stage.condition, DOLLAR)
    for key, function in ((ORACLE_KEY, "report"), (WALT_KEY, "confirm"), (WENDY_KEY, "report")):
        with pytest.raises(Reverted):
            stage.world.venue(key, function, stage.condition, 0)
    stage.world.mine(3)
    assert condition_state(stage.world.chain, "0x" + stage.condition.hex()) == 3


async def test_d45_contract_wallet_that_flips_its_answer_after_the_match_is_filled(
    stage: Stage, mocks: Mapping[str, Artifact]
) -> None:
    """The yes is on chain since admission; whoever asks the wallet later gets a no, and nobody asks."""
    trap, signed = await contract_wallet(stage, mocks, 10)
    stage.pause_mining()
    with stage.proxy.during("eth_sendRawTransaction", faults.swallowed):
        await stage.place_signed(signed, 10, Outcome.YES, 60)
        await stage.take(10)
        stage.world.rpc("anvil_setCode", trap, ANSWERS_NO)
        stage.world.mine()
    found = await stage.settle()
    assert found.skipped == {}


async def test_d46_account_that_gains_code_after_signing_is_filled(
    artifacts: Mapping[str, Artifact], mocks: Mapping[str, Artifact], tmp_path: Path
) -> None:
    """EIP-7702 on a Prague node: wendy delegates to a receiver that refuses; an order that a key signed stays the key's."""
    with anvil(hardfork="prague") as url:
        world = deploy_world(url, artifacts)
        condition = stock(world)
        world.mine(5)
        async with staged(world, condition, tmp_path) as stage:
            await stage.open()
            hostile = deploy(stage, mocks["HostileReceiver"])
            stage.pause_mining()
            with stage.proxy.during("eth_sendRawTransaction", faults.swallowed):
                await stage.match()
                delegate(stage, hostile)
                stage.world.mine()
                assert world.rpc("eth_getCode", WENDY, "latest") == "0xef0100" + hostile[2:]
            await lands(stage)
            calldata = world.chain.encode("set", [REVERT, THIEF, b""], mocks["HostileReceiver"].abi)
            stage.send(WENDY_KEY, WENDY, calldata)
            await stage.match(5)
            await lands(stage, 15)
        world.close()
        world.chain.close()


def delegate(stage: Stage, code: str) -> None:
    """Let wendy's account run this code from now on (a type-4 transaction that she sends herself)."""
    nonce = stage.world.chain.nonce(WENDY, "pending")
    authorization = Account.sign_authorization(
        {"chainId": CHAIN_ID, "address": bytes.fromhex(code[2:]), "nonce": nonce + 1}, WENDY_KEY
    )
    tx = {
        "type": 4,
        "chainId": CHAIN_ID,
        "nonce": nonce,
        "gas": 200_000,
        "maxFeePerGas": 400 * GWEI,
        "maxPriorityFeePerGas": 20 * GWEI,
        "to": bytes.fromhex(WENDY[2:]),
        "value": 0,
        "data": b"",
        "accessList": [],
        "authorizationList": [authorization],
    }
    stage.world.chain.send_raw(bytes(Account.sign_transaction(tx, WENDY_KEY).raw_transaction))


# --- money that comes in -----------------------------------------------------------------------------------------------


async def test_stray_transfer_to_the_contract_is_never_credited(stage: Stage) -> None:
    """Odd, fee-taking and refusing collateral, and permits: tests/contracts/test_vault.py (the contract credits the delta)."""
    world = stage.world
    world.token(WENDY_KEY, "transfer", world.chain.address, 5 * DOLLAR)
    world.mine()
    now = world.head()
    await stage.until_mined(lambda: stage.indexer.final_block >= now)
    assert stage.state.next_deposit == world.chain.deposit_count() == 4
    assert stage.state.accounts[WENDY].cash.total == START * DOLLAR
    await stage.audit(stray_micros=5 * DOLLAR)
