"""The deployment: who holds which role, what is fixed, and how a wrong chain is noticed."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from bridge import deployment
from bridge.chain import Chain
from bridge.compiler import Artifact
from bridge.deployment import Deployment, DeploymentError, Terms
from offchain_book import config
from tests.bridge import harness

TERMS = Terms(settle_deadline_s=60, exit_delay_s=120)


@pytest.fixture(scope="module")
def chain(artifacts: Mapping[str, Artifact]) -> Iterator[Chain]:
    """A fresh node, nothing deployed."""
    with harness.anvil() as url:
        found = Chain(url, harness.CHAIN_ID, artifacts["Venue"].abi)
        yield found
        found.close()


@pytest.fixture(scope="module")
def deployed(chain: Chain, artifacts: Mapping[str, Artifact]) -> Deployment:
    """The contracts on that node."""
    return deployment.deploy(chain, artifacts, deployment.role_keys(), TERMS)


def test_roles_are_separate_keys_and_not_the_demo_wallets() -> None:
    roles = deployment.role_keys()
    keys = [getattr(roles, field.name).private_key for field in fields(roles)]
    keys += [deployment.dev_key(index).private_key for index in range(5)]
    assert len(set(keys)) == 10


def test_development_keys_are_the_well_known_ones() -> None:
    assert deployment.dev_key(0).address == "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    assert deployment.dev_key(0).private_key.startswith("0xac0974be")


def test_contract_carries_what_was_asked_for(chain: Chain, deployed: Deployment) -> None:
    roles = deployment.role_keys()
    (found,) = [chain.read("configuration")]
    assert found[0] == deployed.collateral
    assert list(found[1:6]) == [getattr(roles, field.name).address for field in fields(roles)]
    assert list(found[6:9]) == [120, 60, deployment.OBSERVATION_LAG_S]
    assert found[10] == config.CLIENT_CHAIN_ID
    assert list(found[11:13]) == [config.COMPATIBLE_V1.lower(), config.COMPATIBLE_V2.lower()]


def test_deployment_is_found_again(chain: Chain, deployed: Deployment) -> None:
    assert deployment.find(chain, deployment.as_json(deployed)) == deployed
    assert set(deployed.contracts) >= {"venue", "collateral"}


def test_another_genesis_is_a_wrong_chain(chain: Chain, deployed: Deployment) -> None:
    book = {**deployment.as_json(deployed), "genesis_hash": "0x" + "11" * 32}
    with pytest.raises(DeploymentError, match="wrong chain"):
        deployment.find(chain, book)


def test_missing_code_is_noticed(chain: Chain, deployed: Deployment) -> None:
    book = {**deployment.as_json(deployed), "venue": "0x" + "11" * 20}
    with pytest.raises(DeploymentError, match="does not carry"):
        deployment.find(chain, book)


def test_second_deployment_has_another_salt(chain: Chain, deployed: Deployment, artifacts: Mapping[str, Artifact]) -> None:
    second = deployment.deploy(chain, artifacts, deployment.role_keys(), TERMS)
    chain.bind(deployed.venue)
    assert second.salt != deployed.salt


@pytest.mark.parametrize(("settle", "leave"), [(60, 65), (0, 100), (100, 100)])
def test_terms_that_the_contract_would_refuse_name_their_flags(settle: int, leave: int) -> None:
    with pytest.raises(DeploymentError, match="--"):
        Terms(settle, leave).check()


def test_abis_are_written_for_tools(artifacts: Mapping[str, Artifact], tmp_path: Path) -> None:
    deployment.write_abis(artifacts, tmp_path)
    assert '"settleBatch"' in (tmp_path / "Venue.json").read_text()
