"""Hardhat compiles the very code that the venue deploys. Its own tests (`tests/hardhat/`) are run by `make hardhat`."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bridge.compiler import PRODUCTION_CONTRACTS, Artifact, compile_contracts

ROOT = Path(__file__).resolve().parents[2]
HARDHAT = ROOT / "node_modules" / ".bin" / "hardhat"


@pytest.fixture(scope="module")
def ours() -> dict[str, Artifact]:
    return compile_contracts(ROOT, ROOT / "var" / "cache")


@pytest.fixture(scope="module")
def theirs() -> dict[str, dict[str, Any]]:
    assert HARDHAT.exists(), "Hardhat is missing: make hardhat"
    environment = {**os.environ, "HARDHAT_DISABLE_TELEMETRY_PROMPT": "true"}
    command = [str(HARDHAT), "compile", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    folder = ROOT / ".hardhat" / "artifacts" / "contracts"
    paths = (contract.replace(":", "/") + ".json" for contract in PRODUCTION_CONTRACTS)
    return {Path(path).stem: json.loads((folder / path).read_text()) for path in paths}


@pytest.mark.slow
@pytest.mark.timeout(900)  # two compilers, half a minute of processor time each
@pytest.mark.parametrize("name", [contract.split(":")[1] for contract in PRODUCTION_CONTRACTS])
def test_both_compilers_make_the_same_contract(
    name: str, ours: dict[str, Artifact], theirs: dict[str, dict[str, Any]]
) -> None:
    found = theirs[name]
    assert found["bytecode"] == ours[name].bytecode
    assert len(found["deployedBytecode"]) == 2 + 2 * ours[name].deployed_size
    assert found["abi"] == ours[name].abi
    places = {library: places for file in found["linkReferences"].values() for library, places in file.items()}
    assert places == ours[name].link_references
