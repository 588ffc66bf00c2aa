"""Run forge and halmos over tests/forge, on the bytecode that is deployed in production."""

import os
import subprocess
from pathlib import Path

from offchain_book.signatures import keccak256
from tests.contracts.anvil import ROOT
from tests.contracts.stage import compile_stage

FORGE = "node_modules/.bin/forge"
HALMOS = ".venv-halmos/bin/halmos"


class Missing(Exception):
    """A tool is not installed; the message says how to get it."""


def prepare(root: Path = ROOT) -> None:
    """Write the creation code of what the tests deploy; the venue's libraries stand at the hashes of their names."""
    folder = root / "var" / "forge"
    folder.mkdir(parents=True, exist_ok=True)
    for name, artifact in compile_stage(root).items():
        libraries = {library: keccak256(library.encode())[12:].hex() for library in artifact.link_references}
        code = bytes.fromhex(artifact.linked(libraries)[2:])
        path = folder / f"{name}.bin"
        if not path.is_file() or path.read_bytes() != code:
            path.write_bytes(code)


def run(*arguments: str, profile: str = "default", root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run forge with these arguments and return what it said; `profile` names a section of foundry.toml."""
    _require(root / FORGE, "make test (npm installs forge)")
    return _run([str(root / FORGE), *arguments], root, {"FOUNDRY_PROFILE": profile})


def halmos(*arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run halmos, which builds with forge, and return what it said."""
    _require(root / HALMOS, "make test (an environment of its own, from tests/tools/halmos.lock)")
    command = [str(root / HALMOS), "--forge-build-out", "var/forge/symbolic", *arguments]
    return _run(command, root, {"FOUNDRY_PROFILE": "symbolic"})


def _require(path: Path, remedy: str) -> None:
    if not os.access(path, os.X_OK):
        raise Missing(f"{path} is missing: run {remedy}")


def _run(command: list[str], root: Path, more: dict[str, str]) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(root / "node_modules" / ".bin"), os.environ.get("PATH", "")])
    environment = {**os.environ, **more, "PATH": path, "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=root, env=environment, text=True, capture_output=True, check=False)


if __name__ == "__main__":
    import sys

    prepare()
    done = run("test", *sys.argv[1:], profile=os.environ.get("FOUNDRY_PROFILE", "default"))
    print(done.stdout, done.stderr, sep="")
    sys.exit(done.returncode)
