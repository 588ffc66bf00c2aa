"""Fixtures for tests against a real node."""

from collections.abc import Iterator, Mapping

import pytest

from bridge.compiler import Artifact, compile_contracts
from tests.bridge import harness


@pytest.fixture(scope="session")
def artifacts() -> Mapping[str, Artifact]:
    """Return the compiled contracts."""
    return compile_contracts(harness.ROOT, harness.ROOT / "var" / "cache")


@pytest.fixture(scope="module")
def shared_world(artifacts: Mapping[str, Artifact]) -> Iterator[harness.World]:
    """One node per test module, mining a block for every transaction."""
    with harness.anvil() as url:
        found = harness.deploy(url, artifacts)
        yield found
        found.chain.close()


@pytest.fixture
def world(shared_world: harness.World) -> Iterator[harness.World]:
    """Return the deployed venue as it was when its module's tests began."""
    with shared_world.taken_back():
        shared_world.rpc("evm_setAutomine", True)
        shared_world.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
        yield shared_world
