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
    return sys.version_info >= (3, 11), f"{platform.python_version()} (3.11 or newer is needed)"


def _node() -> tuple[bool, str]:
    path = shutil.which("node")
    if path is None:
        return False, f"missing: install Node.js {MINIMUM_NODE} or newer (the compiler runs on it)"
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = version.removeprefix("v").split(".")[0]
    return major.isdigit() and int(major) >= MINIMUM_NODE, f"{version} ({MINIMUM_NODE} or newer is needed)"


def _anvil(root: Path) -> tuple[bool, str]:
    from bridge.node import NodeError, anvil_binary

    try:
        binary = anvil_binary(root)
    except NodeError as error:
        return False, str(error)
    done = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=False)
    first = (done.stdout or done.stderr).strip().splitlines()
    return done.returncode == 0, first[0] if first else f"{binary} does not run on this machine"


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
    return free >= MINIMUM_FREE_BYTES, f"{free // 1_000_000} MB free"


def _journal(path: Path) -> tuple[bool, str]:
    from offchain_book.journal import JournalDamaged, read

    if not path.exists():
        return True, "none yet"
    try:
        count = sum(1 for _ in read(path))
    except JournalDamaged as error:
        return False, str(error)
    return True, f"{count} commands, unbroken"
