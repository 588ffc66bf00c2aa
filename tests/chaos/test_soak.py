"""Seeded random faults while people trade: whatever the node did, nothing is lost, nothing is twice, no fill is a ghost.

Only the test makes blocks. anvil's reorg is not one step: a transaction that automine takes in meanwhile leaves blocks without
a parent, receipts without their effects, or used nonces without a receipt, and the lane halts on such a node as it should.
"""

import asyncio
import random

import pytest

from tests.bridge.harness import DOLLAR, NEVER_MS, WALT_KEY, WENDY_KEY
from tests.chaos import faults
from tests.chaos.conftest import Staged
from tests.chaos.faults import Fault
from tests.chaos.stage import CONFIRMATIONS, GWEI, Stage

SENDS: list[Fault] = [faults.answer_lost, faults.dropped, faults.repeated, faults.refuses("already known")]
ANYTHING: list[Fault] = [faults.dropped, faults.truncated, faults.http_error(429), faults.http_error(502)]


async def misbehave(stage: Stage, chance: random.Random) -> None:
    """Arm one fault or do one thing to the chain."""
    world, proxy = stage.world, stage.proxy
    act = chance.randrange(7)
    if act == 0:
        proxy.on("eth_sendRawTransaction", chance.choice(SENDS), times=chance.randint(1, 3))
    elif act == 1:
        proxy.on("", chance.choice(ANYTHING), times=chance.randint(1, 6))
    elif act == 2:
        proxy.on("eth_getTransactionReceipt", faults.says(None), times=chance.randint(1, 4))
    elif act == 3:
        proxy.on("eth_getLogs", faults.says([]), times=chance.randint(1, 3))
    elif act == 4:
        world.rpc("anvil_setNextBlockBaseFeePerGas", hex(chance.choice((1, 5, 30, 90)) * GWEI))
    elif act == 5:
        world.mine(CONFIRMATIONS)
        world.rpc("anvil_reorg", chance.randint(1, CONFIRMATIONS - 1), [])
    else:
        stage.call(chance.choice((WENDY_KEY, WALT_KEY)), "deposit", chance.randint(1, 5) * DOLLAR)


async def soak(stage_of: Staged, seed: int, steps: int) -> None:
    """Trade and misbehave, restart the chain side now and then, heal, and hold everything against everything.

    People trade whatever finality does: what stops them is in test_a8.
    """
    chance = random.Random(f"chaos-{seed}")
    matched = 0
    for part in range(2):
        async with stage_of(operations=chance.choice((1, 3, 50)), halt_after_ms=NEVER_MS) as stage:
            await (stage.open() if part == 0 else stage.resume())
            stage.pause_mining()
            for _ in range(steps):
                await misbehave(stage, chance)
                await chance.choice((stage.match, stage.match_wallets))(1)
                matched += 1
                stage.world.mine()
                await asyncio.sleep(chance.uniform(0, 0.1))
                for task in stage.venue.tasks:
                    assert not task.done(), task.exception()
            if part == 1:
                stage.proxy.heal()
                stage.world.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
                found = await stage.settle()
                assert found.skipped == {}
                assert found.state.confirmed_operations == matched


async def test_random_faults_lose_nothing_and_duplicate_nothing(stage_of: Staged) -> None:
    await soak(stage_of, seed=0, steps=8)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 60))
async def test_many_more_random_faults(stage_of: Staged, seed: int) -> None:
    await soak(stage_of, seed, steps=25)
