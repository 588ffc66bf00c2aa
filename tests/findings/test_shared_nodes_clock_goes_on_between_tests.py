"""Found on a CI machine: each test takes the shared node back to a snapshot, and with it the node's clock, never set right again.

A test that lets a settlement deadline pass waited in vain once the tests before it had taken a minute: no block was late.
"""

import time

from tests.bridge.conftest import artifacts, shared_world, world
from tests.bridge.harness import World

__all__ = ["artifacts", "shared_world", "world"]


def test_blocks_carry_the_time_of_the_exchange_after_the_chain_was_taken_back(world: World) -> None:
    before_s = time.time()
    world.rpc("evm_setTime", int(before_s) - 600)  # as after ten minutes of tests
    world.mine()
    assert world.chain.head().timestamp_s < before_s - 590
    with world.taken_back():
        world.mine()
        assert world.chain.head().timestamp_s >= int(before_s)
