"""`causeway doctor`: what this machine has, what it lacks, and what to do about it."""

import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

MINIMUM_PYTHON = (3, 11)
MINIMUM_NODE = 20
MINIMUM_FREE_BYTES = 1_000_000_000


def examine(root: Path, data_dir: Path, port: int, chain_port: int, fix_port: int) -> list[dict[str, Any]]:
    """Return every check's name, result and finding."""
    checks: dict[str, Callable[[], tuple[bool, str]]] = {
        "python": _python,
        "node": _node,
        "anvil": lambda: _anvil(root),
        "solc": lambda: _package(root, "solc"),
        "openzeppelin": lambda: _package(root, "@openzeppelin/contracts"),
        "coincurve": _coincurve,
        "port": lambda: _port(port, "--port"),
        "chain port": lambda: _port(chain_port, "--chain-port"),
        "fix ports": lambda: _fix_ports(fix_port),
        "disk": lambda: _disk(root),
        "journal": lambda: _journal(data_dir / "journal.log"),
    }
    return [{"name": name, "ok": (found := check())[0], "detail": found[1]} for name, check in checks.items()]


def _python() -> tuple[bool, str]:
    cure = "install Python 3.11 or newer, then `make PYTHON=python3.12 setup` with its name"
    version, good = platform.python_version(), sys.version_info[:2] >= MINIMUM_PYTHON
    return good, version if good else f"{version} is too old: {cure}"


def _node() -> tuple[bool, str]:
    path = shutil.which("node")
    if path is None:
        return False, f"missing: install Node.js {MINIMUM_NODE} or newer (the compiler runs on it)"
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = version.removeprefix("v").split(".")[0]
    if major.isdigit() and int(major) >= MINIMUM_NODE:
        return True, version
    return (
        False,
        f"{version or 'no version'} at {path}: install Node.js {MINIMUM_NODE} or newer, and put it first on the PATH",
    )


def _anvil(root: Path) -> tuple[bool, str]:
    from bridge.node import NodeError, anvil_binary

    try:
        binary = anvil_binary(root)
    except NodeError as error:
        return False, str(error)
    done = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=False)
    first = (done.stdout or done.stderr).strip().splitlines()
    return done.returncode == 0, first[0] if first else f"{binary} does not run here: run `make clean setup`"


def _package(root: Path, name: str) -> tuple[bool, str]:
    present = (root / "node_modules" / name / "package.json").is_file()
    return present, "installed" if present else f"node_modules/{name} is missing: run `make setup`"


def _coincurve() -> tuple[bool, str]:
    try:
        return True, metadata.version("coincurve")
    except metadata.PackageNotFoundError:
        return False, "missing: run `make setup`"


def _fix_ports(first: int) -> tuple[bool, str]:
    ports = range(first, first + 6)
    taken = [str(port) for port in ports if not _port(port, "--fix-port")[0]]
    if taken:
        return (
            False,
            f"{', '.join(taken)} taken (by this venue, if it runs): choose another first of six ports with --fix-port",
        )
    return True, f"{ports[0]} to {ports[-1]} are free"


def _port(port: int, flag: str) -> tuple[bool, str]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False, f"{port} is taken (by this venue, if it runs): choose another with {flag}"
        return True, f"{port} is free"


def _disk(root: Path) -> tuple[bool, str]:
    free = shutil.disk_usage(root).free
    if free >= MINIMUM_FREE_BYTES:
        return True, f"{free // 1_000_000} MB free"
    needed = f"{MINIMUM_FREE_BYTES // 1_000_000} MB are needed"
    return False, f"{free // 1_000_000} MB free, {needed}: free some, or choose a --data-dir on another disk"


def _journal(path: Path) -> tuple[bool, str]:
    from offchain_book.journal import JournalDamaged, read

    if not path.exists():
        return True, "none yet"
    try:
        count = sum(1 for _ in read(path))
    except JournalDamaged as error:  # says what to do itself
        return False, str(error)
    return True, f"{count} commands, unbroken"
