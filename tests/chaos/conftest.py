"""One node with a stocked deployment; every test starts from the same block, behind a proxy of its own."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from bridge.compiler import Artifact, compile_contracts
from tests.bridge import harness
from tests.chaos.stage import Stage, staged, stock

Staged = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture(scope="session")
def artifacts() -> Mapping[str, Artifact]:
    """Return the compiled contracts."""
    return compile_contracts(harness.ROOT, harness.ROOT / "var" / "cache")


@pytest.fixture(scope="session")
def stocked(artifacts: Mapping[str, Artifact]) -> Iterator[tuple[harness.World, bytes]]:
    """One node for the folder, and the condition of its market."""
    with harness.anvil() as url:
        world = harness.deploy(url, artifacts)
        condition = stock(world)
        world.mine(60)
        yield world, condition
        world.chain.close()


@pytest.fixture
def ground(stocked: tuple[harness.World, bytes]) -> Iterator[tuple[harness.World, bytes]]:
    """Return the world as it was when the tests began."""
    world, condition = stocked
    with world.taken_back():
        world.mine(3)  # anvil has no state of the block that a snapshot was taken at, so no reorg may reach it
        world.rpc("evm_setAutomine", True)
        world.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
        yield world, condition


@pytest.fixture
def world(ground: tuple[harness.World, bytes]) -> harness.World:
    """Return the node and the contract."""
    return ground[0]


@pytest.fixture
def stage_of(ground: tuple[harness.World, bytes], tmp_path: Path) -> Staged:
    """Return how to run an exchange in this test's folder; twice is a restart."""
    return lambda **options: staged(*ground, tmp_path, **options)


@pytest.fixture
async def stage(stage_of: Staged) -> AsyncIterator[Stage]:
    """Run an exchange with everybody's money credited."""
    async with stage_of() as found:
        await found.open()
        yield found
