"""Compile the contracts with the solc in `tools/`, once per state of the sources.

Version and settings are those of `contracts/compiler.json`, which hardhat.config.js reads too.
The result is cached under a key of every source, the compiler's settings and the pinned npm packages, so that a second
start compiles nothing, and of several processes at once only one compiles. Contracts under `contracts/mocks/` are for
tests and are never part of a production build.
"""

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

PRODUCTION_CONTRACTS = (
    "Venue.sol:Venue",
    "libraries/Actions.sol:Actions",
    "libraries/Intake.sol:Intake",
    "libraries/Metadata.sol:Metadata",
    "libraries/Watermarks.sol:Watermarks",
    "TestUSD.sol:TestUSD",
)
"""What a deployment needs; solc generates code for nothing else."""

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
    compiler = json.loads((root / "contracts" / "compiler.json").read_text())
    settings = compiler["settings"]
    key = _cache_key(root, compiler["version"], _standard_input(sources, settings, contracts))
    cached = cache_dir / f"{key}.json"
    cache_dir.mkdir(parents=True, exist_ok=True)
    with _only_one(cache_dir / f"{key}.lock"):
        if not cached.is_file():
            _compile_into(cached, root, sources, settings, contracts)
    return _artifacts(json.loads(cached.read_text()))


@contextlib.contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Wait while another process compiles the same sources: its result will do."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile_into(
    cached: Path, root: Path, sources: Mapping[str, str], settings: Mapping[str, Any], contracts: Sequence[str]
) -> None:
    # The first contract is the large one: a process of its own, beside one for the rest, saves a quarter of the time.
    units = [unit for unit in (contracts[:1], contracts[1:]) if unit]
    with ThreadPoolExecutor(len(units)) as threads:
        documents = [_standard_input(sources, settings, unit) for unit in units]
        outputs = list(threads.map(partial(_run_compiler, root), documents))
    build = {
        contract.partition(":")[2]: _found(output, contract)
        for unit, output in zip(units, outputs, strict=True)
        for contract in unit
    }
    unfinished = cached.with_suffix(".tmp")
    unfinished.write_text(json.dumps(build))
    unfinished.replace(cached)


def _sources(contracts_dir: Path, contracts: Sequence[str]) -> dict[str, str]:
    """Return the checkout's own sources; mocks only if one is asked for."""
    with_mocks = any(contract.startswith("mocks/") for contract in contracts)
    paths = sorted(contracts_dir.rglob("*.sol"))
    return {
        f"contracts/{path.relative_to(contracts_dir).as_posix()}": path.read_text()
        for path in paths
        if with_mocks or "mocks" not in path.relative_to(contracts_dir).parts
    }


def _standard_input(sources: Mapping[str, str], settings: Mapping[str, Any], contracts: Sequence[str]) -> dict[str, Any]:
    selection: dict[str, dict[str, list[str]]] = {}
    for contract in contracts:
        path, name = contract.split(":")
        selection.setdefault(f"contracts/{path}", {})[name] = list(_OUTPUT)
    return {
        "language": "Solidity",
        "sources": {path: {"content": text} for path, text in sources.items()},
        "settings": {**settings, "outputSelection": selection},
    }


def _cache_key(root: Path, version: str, document: Mapping[str, Any]) -> str:
    """Hash what decides the output: sources, settings, compiler and library versions."""
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    digest.update(version.encode())
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


def _found(output: Mapping[str, Any], contract: str) -> dict[str, Any]:
    path, _, name = contract.partition(":")
    found: dict[str, Any] | None = output["contracts"].get(f"contracts/{path}", {}).get(name)
    if found is None:
        raise CompilationFailed(f"contracts/{path} has no contract {name}, which a deployment needs: give it its name back")
    return found


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
