"""The committed snapshot of what the contracts cost: gas per operation and batch size, deployed sizes, init-code hashes.

`contracts/snapshot.json` is made by `make snapshot` and compared by `make test`: a change of the contracts, of the packed
format or of the compiler shows in the diff of the same commit.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from offchain_book.signatures import keccak256
from tests.contracts.anvil import ROOT
from tests.contracts.gas import Line, measure
from tests.contracts.stage import compile_stage

SNAPSHOT = ROOT / "contracts" / "snapshot.json"


def take(lines: Sequence[Line], root: Path = ROOT) -> dict[str, Any]:
    """Return the snapshot. Libraries count as linked at address zero in the init-code hash; its constructor's argument is
    not part of it."""
    artifacts = compile_stage(root, mocks=False)
    return {
        "compiler": json.loads((root / "contracts" / "compiler.json").read_text()),
        "runtime_bytes": {name: artifact.deployed_size for name, artifact in artifacts.items()},
        "init_code_hash": {name: "0x" + keccak256(_linked_nowhere(artifact)).hex() for name, artifact in artifacts.items()},
        "gas": {line.name: {str(size): gas for size, gas in line.gas.items()} for line in lines},
    }


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield each value that differs, as `path: before -> after`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from differences(before.get(key), after.get(key), f"{path}/{key}")
    elif before != after:
        yield f"{path[1:]}: {before} -> {after}"


def _linked_nowhere(artifact: Any) -> bytes:
    return bytes.fromhex(artifact.linked(dict.fromkeys(artifact.link_references, "00" * 20))[2:])


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(take(measure()), indent=1) + "\n")
