"""The contracts of one data folder: deploy them once, find them again, refuse a chain that is not theirs.

`deployment.json` is the address book; `abi/` holds what tools need to call the contracts. The roles are separate keys, in
development the last five accounts of anvil's well-known mnemonic: public, and worth nothing.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eth_account import Account

from bridge.chain import Chain, address_of, keccak_hex
from bridge.compiler import Artifact
from bridge.node import MNEMONIC
from offchain_book import config

CLOCK_SLACK_S = 60
"""How much older than the deployment a V2 order may say it is; the contract's own constant."""
OBSERVATION_LAG_S = 5
"""How long after an event on chain the engine may still not know of it: many times the polling interval."""
POOL_OUTFLOW_LIMIT_MICROS = 1_000_000 * 1_000_000
"""What the pool may lose per window, by what the operator sends out of it and by its fills (docs/runbook.md: sizing)."""
POOL_OUTFLOW_WINDOW_S = 3_600


class DeploymentError(Exception):
    """The contracts of this folder are not where they should be; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Key:
    """A private key and its address, 0x-prefixed lower-case hex."""

    private_key: str
    address: str


@dataclass(frozen=True, slots=True)
class RoleKeys:
    """The contract's five roles, each its own key."""

    operator: Key
    oracle: Key
    reviewer: Key
    guardian: Key
    admin: Key


@dataclass(frozen=True, slots=True)
class Terms:
    """What a deployment fixes for good and people may choose."""

    settle_deadline_s: int
    exit_delay_s: int

    def check(self) -> None:
        """Refuse what the contract would refuse, in words that name the flags."""
        if self.settle_deadline_s < 1:
            raise DeploymentError("--settle-deadline must be at least 1 second")
        needed = OBSERVATION_LAG_S + self.settle_deadline_s
        if self.exit_delay_s <= needed:
            raise DeploymentError(
                f"--exit-delay {self.exit_delay_s} is too short: it must be above {needed} seconds "
                f"(--settle-deadline {self.settle_deadline_s} + {OBSERVATION_LAG_S} of observation lag)"
            )


@dataclass(frozen=True, slots=True)
class Deployment:
    """The address book."""

    chain_id: int
    genesis_hash: str
    block_number: int
    """Block of the venue's creation: nothing of ours is older."""
    venue: str
    collateral: str
    libraries: Mapping[str, str]
    salt: str
    code_hash: str
    settle_deadline_s: int
    exit_delay_s: int
    observation_lag_s: int
    compatible_chain_id: int
    compatible_v1: str
    compatible_v2: str

    @property
    def contracts(self) -> dict[str, str]:
        """Name -> address of everything deployed."""
        return {"venue": self.venue, "collateral": self.collateral, **self.libraries}


def dev_key(index: int) -> Key:
    """Return an account of the well-known development mnemonic."""
    Account.enable_unaudited_hdwallet_features()
    found = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    private_key = "0x" + bytes(found.key).hex()
    return Key(private_key, address_of(private_key))


def role_keys() -> RoleKeys:
    """Return the role keys: accounts 5 to 9. The first three are the demo's wallets, the fifth its funder."""
    return RoleKeys(dev_key(5), dev_key(6), dev_key(7), dev_key(8), dev_key(9))


def _genesis_hash(chain: Chain) -> str:
    genesis = chain.block(0)
    if genesis is None:
        raise DeploymentError(f"the node at {chain.rpc.url} does not know its first block: use a full node")
    return genesis.hash


def _code_hash(chain: Chain, address: str) -> str:
    """Return the hash of the code at an address, empty when there is none."""
    code = str(chain.rpc.call("eth_getCode", address, "latest"))
    return keccak_hex(bytes.fromhex(code[2:])) if len(code) > 2 else ""


def _creation_block(chain: Chain, address: str, first: int) -> int:
    """Return the block in which a contract that was just deployed appeared, looking from `first` on."""
    number = first
    while len(str(chain.rpc.call("eth_getCode", address, hex(number)))) <= 2:
        number += 1
    return number


def signed_not_before_ms(chain: Chain, deployed: Deployment) -> int:
    """Return the time from which on the contract takes V2 orders (`_oldestV2TimestampMs` in contracts/mixins/Fills.sol)."""
    block = chain.block(deployed.block_number)
    if block is None:
        raise DeploymentError(f"the node at {chain.rpc.url} lost block {deployed.block_number}, where the venue was made")
    return (block.timestamp_s - CLOCK_SLACK_S) * 1000


def find(chain: Chain, book: Mapping[str, Any]) -> Deployment:
    """Return the folder's deployment after checking that the chain is the one that carries it. Raises DeploymentError."""
    found = Deployment(**book)
    genesis = _genesis_hash(chain)
    if (chain.chain_id, genesis) != (found.chain_id, found.genesis_hash):
        raise DeploymentError(
            f"wrong chain: {chain.rpc.url} is chain {chain.chain_id} with genesis {genesis[:10]}, this data folder was "
            f"deployed on chain {found.chain_id} with genesis {found.genesis_hash[:10]}: correct --chain-url or "
            "--chain-port, or start over with --fresh"
        )
    if _code_hash(chain, found.venue) != found.code_hash:
        raise DeploymentError(
            f"the chain at {chain.rpc.url} does not carry this folder's contract at {found.venue}: it lost its state; "
            "restore chain-state.json, or start over with --fresh"
        )
    chain.bind(found.venue)
    return found


def deploy(chain: Chain, artifacts: Mapping[str, Artifact], roles: RoleKeys, terms: Terms) -> Deployment:
    """Deploy collateral, libraries and venue by the admin's key, and bind the chain to the venue."""
    terms.check()
    deployer = roles.admin.private_key
    if chain.native_balance(roles.admin.address) == 0:
        raise DeploymentError(
            f"{roles.admin.address} has no gas money on the chain at {chain.rpc.url}: this venue uses the accounts of "
            "the development mnemonic; use a development node"
        )
    collateral = chain.deploy(_linked(artifacts["TestUSD"], {}), [], deployer)
    venue_artifact = artifacts["Venue"]
    libraries = {name: chain.deploy(_linked(artifacts[name], {}), [], deployer) for name in venue_artifact.link_references}
    salt = secrets.token_bytes(32)
    configuration = (
        collateral,
        roles.operator.address,
        roles.oracle.address,
        roles.reviewer.address,
        roles.guardian.address,
        roles.admin.address,
        terms.exit_delay_s,
        terms.settle_deadline_s,
        OBSERVATION_LAG_S,
        salt,
        config.CLIENT_CHAIN_ID,
        config.COMPATIBLE_V1,
        config.COMPATIBLE_V2,
        POOL_OUTFLOW_LIMIT_MICROS,
        POOL_OUTFLOW_WINDOW_S,
    )
    before = chain.head().number
    venue = chain.deploy(_linked(venue_artifact, libraries), [configuration], deployer)
    chain.bind(venue)
    return Deployment(
        chain_id=chain.chain_id,
        genesis_hash=_genesis_hash(chain),
        block_number=_creation_block(chain, venue, before + 1),
        venue=venue,
        collateral=collateral,
        libraries=libraries,
        salt="0x" + salt.hex(),
        code_hash=_code_hash(chain, venue),
        settle_deadline_s=terms.settle_deadline_s,
        exit_delay_s=terms.exit_delay_s,
        observation_lag_s=OBSERVATION_LAG_S,
        compatible_chain_id=config.CLIENT_CHAIN_ID,
        compatible_v1=config.COMPATIBLE_V1,
        compatible_v2=config.COMPATIBLE_V2,
    )


def _linked(artifact: Artifact, libraries: Mapping[str, str]) -> dict[str, Any]:
    return {"abi": artifact.abi, "bytecode": artifact.linked(libraries)}


def as_json(deployment: Deployment) -> dict[str, Any]:
    """Return the address book as it is stored."""
    return {**asdict(deployment), "libraries": dict(deployment.libraries)}


def write_abis(artifacts: Mapping[str, Artifact], folder: Path) -> None:
    """Write one JSON file per contract, as every tool reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, artifact in artifacts.items():
        (folder / f"{name}.json").write_text(json.dumps(artifact.abi, indent=1) + "\n")
