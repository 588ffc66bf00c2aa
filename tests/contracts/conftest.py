"""One anvil and one deployment for the folder; every test starts from the same snapshot."""

from collections.abc import Iterator

import pytest

from bridge.compiler import Artifact
from tests.contracts.anvil import Node, running_anvil
from tests.contracts.stage import CONTRACT, DOLLAR, Person, Stage, compile_stage, person


@pytest.fixture(scope="session")
def artifacts() -> dict[str, Artifact]:
    return compile_stage()


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    with running_anvil() as running:
        yield running


@pytest.fixture(scope="session")
def deployed(node: Node, artifacts: dict[str, Artifact]) -> Stage:
    """alice, bob and carol hold 1,000 dollars and 1,000 sets each in the vault; the pool holds as much."""
    stage = Stage(node, artifacts)
    for name in ("alice", "bob", "carol"):
        stage.fund(person(name), cash=1_000 * DOLLAR, sets=1_000 * CONTRACT, free_sets=10 * CONTRACT)
    stage.fund_pool(cash=1_000 * DOLLAR, sets=1_000 * CONTRACT)
    return stage


@pytest.fixture
def stage(deployed: Stage) -> Iterator[Stage]:
    snapshot = deployed.node.call("evm_snapshot")
    yield deployed
    deployed.node.call("evm_revert", snapshot)


@pytest.fixture
def alice() -> Person:
    return person("alice")


@pytest.fixture
def bob() -> Person:
    return person("bob")


@pytest.fixture
def carol() -> Person:
    return person("carol")
