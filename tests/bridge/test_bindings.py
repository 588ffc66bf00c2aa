"""Typed bindings: what is generated is accepted by mypy, runs, and says what the ABIs say."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bridge.bindings import python, typescript
from bridge.chain import keccak_hex
from bridge.cli_options import ROOT
from bridge.compiler import compile_contracts

ADDRESSES = {"Venue": "0x" + "11" * 20, "TestUSD": "0x" + "22" * 20}


@pytest.fixture(scope="module")
def abis() -> dict[str, Any]:
    return {name: artifact.abi for name, artifact in compile_contracts(ROOT, ROOT / "var" / "cache").items()}


@pytest.fixture(scope="module")
def source(abis: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bindings") / "causeway_contracts.py"
    path.write_text(python(31337, ADDRESSES, abis))
    return path


@pytest.fixture(scope="module")
def module(source: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("causeway_contracts", source)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_the_python_module_is_strictly_typed(source: Path) -> None:
    given = ["--strict", "--follow-imports=skip", "--cache-dir", str(source.parent), str(source)]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *given], capture_output=True, text=True, check=False, cwd=source.parent
    )
    assert done.returncode == 0, done.stdout


def test_every_function_of_the_contract_has_a_method_that_encodes_it(module: ModuleType, abis: dict[str, Any]) -> None:
    from web3 import Web3

    venue = module.Venue(Web3())
    functions = [entry for entry in abis["Venue"] if entry["type"] == "function"]
    methods = [name for name in vars(module.Venue) if not name.startswith("_") and name != "ABI"]
    assert len(methods) == len(functions) > 50
    built = venue.deposit_tokens(7, 1_000_000).build_transaction({"gas": 1, "gasPrice": 1, "chainId": 1, "value": 0})
    assert built["data"].startswith(keccak_hex("depositTokens(uint256,uint256)")[:10])
    assert venue.address.lower() == ADDRESSES["Venue"]


def test_reverts_are_named_with_their_values(module: ModuleType) -> None:
    data = keccak_hex("ExitNotReady(uint256)")[:10] + (99).to_bytes(32, "big").hex()
    assert module.revert_reason(data) == "ExitNotReady(exitAt=99)"
    assert module.revert_reason("0xdeadbeef00") == "0xdeadbeef00"


def test_typescript_has_the_same_abis_as_constants(abis: dict[str, Any], tmp_path: Path) -> None:
    text = typescript(31337, ADDRESSES, abis, "http://127.0.0.1:8545")
    assert text.count(" as const;") == 2 + len(abis)
    script = text.replace(" as const;", ";") + "console.log(JSON.stringify({addresses, chain, venueAbi, testUSDAbi}));"
    (tmp_path / "check.mjs").write_text(script)
    found = json.loads(subprocess.run(["node", str(tmp_path / "check.mjs")], capture_output=True, check=True).stdout)
    assert found["addresses"] == ADDRESSES
    assert found["venueAbi"] == abis["Venue"]
    assert found["testUSDAbi"] == abis["TestUSD"]
