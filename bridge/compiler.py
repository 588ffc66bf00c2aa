"""Compile the contracts with the solc in `tools/`, once per state of the sources.

The result is cached under a key of every source, the compiler's settings and the pinned npm packages, so that a second
start compiles nothing. Contracts under `contracts/mocks/` are for tests and are never part of a production build.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

PRODUCTION_CONTRACTS = (
    "Venue.sol:Venue",
    "libraries/Actions.sol:Actions",
    "libraries/Metadata.sol:Metadata",
    "TestUSD.sol:TestUSD",
)
"""What a deployment needs; solc generates code for nothing else."""

SOLC_VERSION = "0.8.37"
SETTINGS: Mapping[str, Any] = {
    "evmVersion": "cancun",
    "viaIR": True,
    "optimizer": {"enabled": True, "runs": 200},
    "metadata": {"bytecodeHash": "none"},
}
_OUTPUT = ("abi", "evm.bytecode.object", "evm.bytecode.linkReferences", "evm.deployedBytecode.object", "storageLayout")


class CompilationFailed(Exception):
    """The compiler reported errors; the message is the compiler's own."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """One compiled contract."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: str
    """Creation code, 0x-prefixed. Holds `__$..$__` placeholders while libraries are unlinked."""
    deployed_size: int
    """Runtime code in bytes."""
    link_references: Mapping[str, Sequence[Mapping[str, int]]]
    """Library name -> places in the creation code, each {start, length} in bytes."""

    def linked(self, libraries: Mapping[str, str]) -> str:
        """Return the creation code with the addresses of all its libraries filled in."""
        code = self.bytecode.removeprefix("0x")
        for library, places in self.link_references.items():
            address = libraries[library].removeprefix("0x").lower()
            for place in places:
                start, end = 2 * place["start"], 2 * (place["start"] + place["length"])
                code = code[:start] + address + code[end:]
        return "0x" + code


def compile_contracts(root: Path, cache_dir: Path, contracts: Sequence[str] = PRODUCTION_CONTRACTS) -> dict[str, Artifact]:
    """Return the artifacts by contract name; compile only if the cache has no build of exactly these sources.

    `contracts` are `path:Name` below `contracts/`. Raise `CompilationFailed` with the compiler's messages.
    """
    sources = _sources(root / "contracts", contracts)
    document = _standard_input(sources, contracts)
    key = _cache_key(root, document)
    cached = cache_dir / f"{key}.json"
    if cached.is_file():
        return _artifacts(json.loads(cached.read_text()))
    output = _run_compiler(root, document)
    wanted = [contract.split(":") for contract in contracts]
    build = {name: output["contracts"][f"contracts/{path}"][name] for path, name in wanted}
    cache_dir.mkdir(parents=True, exist_ok=True)
    partial = cached.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(json.dumps(build))
    partial.replace(cached)
    return _artifacts(build)


def _sources(contracts_dir: Path, contracts: Sequence[str]) -> dict[str, str]:
    """Return the checkout's own sources; mocks only when one is asked for."""
    with_mocks = any(contract.startswith("mocks/") for contract in contracts)
    paths = sorted(contracts_dir.rglob("*.sol"))
    return {
        f"contracts/{path.relative_to(contracts_dir).as_posix()}": path.read_text()
        for path in paths
        if with_mocks or "mocks" not in path.relative_to(contracts_dir).parts
    }


def _standard_input(sources: Mapping[str, str], contracts: Sequence[str]) -> dict[str, Any]:
    selection: dict[str, dict[str, list[str]]] = {}
    for contract in contracts:
        path, name = contract.split(":")
        selection.setdefault(f"contracts/{path}", {})[name] = list(_OUTPUT)
    return {
        "language": "Solidity",
        "sources": {path: {"content": text} for path, text in sources.items()},
        "settings": {**SETTINGS, "outputSelection": selection},
    }


def _cache_key(root: Path, document: Mapping[str, Any]) -> str:
    """Hash what decides the output: sources, settings, compiler and library versions."""
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    digest.update(SOLC_VERSION.encode())
    for package in ("@openzeppelin/contracts", "solc"):
        manifest = root / "node_modules" / package / "package.json"
        digest.update(json.loads(manifest.read_text())["version"].encode())
    return digest.hexdigest()[:32]


def _run_compiler(root: Path, document: dict[str, Any]) -> dict[str, Any]:
    import solcx  # deferred: a start from the cache needs no compiler driver
    from solcx.exceptions import SolcError

    try:
        output = solcx.compile_standard(document, solc_binary=str(root / "tools" / "solc"), base_path=str(root))
    except SolcError as error:
        raise CompilationFailed(_messages(error)) from None
    return cast(dict[str, Any], output)


def _messages(error: Any) -> str:
    """Return the compiler's errors without its warnings, or whatever else went wrong."""
    try:
        found = [item["formattedMessage"] for item in json.loads(error.stdout_data)["errors"]]
    except (AttributeError, KeyError, TypeError, ValueError):
        return str(error)
    return "\n".join(message for message in found if not message.startswith("Warning"))


def _artifacts(build: Mapping[str, Mapping[str, Any]]) -> dict[str, Artifact]:
    return {name: _artifact(name, contract) for name, contract in build.items()}


def _artifact(name: str, contract: Mapping[str, Any]) -> Artifact:
    evm = contract["evm"]
    references: dict[str, Sequence[Mapping[str, int]]] = {}
    for libraries in evm["bytecode"].get("linkReferences", {}).values():
        references.update(libraries)
    return Artifact(
        name=name,
        abi=contract["abi"],
        bytecode="0x" + evm["bytecode"]["object"],
        deployed_size=len(evm["deployedBytecode"]["object"]) // 2,
        link_references=references,
    )
