"""The data folder: who holds it, where everything lies in it, and the secrets that only its owner may read."""

import fcntl
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from bridge.polling import poll

_OURS = (
    "abi",
    "anvil.json",
    "api.secret",
    "attempts.sqlite",
    "attempts.sqlite-shm",
    "attempts.sqlite-wal",
    "chain-record.sqlite",
    "chain-record.sqlite-shm",
    "chain-record.sqlite-wal",
    "chain-saved.json",
    "chain-state.json",
    "clock.json",
    "deployment.json",
    "fix.sqlite",
    "fix.sqlite-shm",
    "fix.sqlite-wal",
    "journal.log",
    "journal.log.snapshots",
    "keys",
    "liabilities.json",
    "logs",
    "operator.token",
    "passwords.sqlite",
    "reviewer.token",
    "seed.json",
    "status.json",
)
"""What `--fresh` removes: what a venue made, never anything else that lies in the folder."""

LOOK_S = 2.0
"""Whoever looks whether a venue runs (`cli_status`) holds the lock for a moment, a venue for good."""


class DataDirInUse(Exception):
    """Another venue runs on this folder."""


class DataDir:
    """One venue's folder. Hold its lock before touching anything in it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock_fd = -1

    def lock(self) -> None:
        """Take the folder for this process, creating it. Raises DataDirInUse."""
        self.path.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if poll(lambda: take_lock(fd) or None, 0.01, LOOK_S) is None:
            owner = os.read(fd, 20).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise DataDirInUse(
                f"{self.path} is in use by another venue (pid {owner}): stop that one, or choose another --data-dir"
            )
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        self._lock_fd = fd

    def unlock(self) -> None:
        """Let others have it."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def wipe(self) -> None:
        """Remove what a venue made."""
        for name in _OURS:
            path = self.path / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    @property
    def journal(self) -> Path:
        """The command log."""
        return self.path / "journal.log"

    @property
    def attempts(self) -> Path:
        """Signed transactions."""
        return self.path / "attempts.sqlite"

    @property
    def chain_record(self) -> Path:
        """What the contract held in past final blocks."""
        return self.path / "chain-record.sqlite"

    @property
    def fix(self) -> Path:
        """What FIX sessions must not forget."""
        return self.path / "fix.sqlite"

    @property
    def passwords(self) -> Path:
        """Names and password hashes of people who signed up on the page."""
        return self.path / "passwords.sqlite"

    @property
    def keys(self) -> Path:
        """Private keys of the demo's custodial accounts."""
        return self.path / "keys"

    @property
    def abi(self) -> Path:
        """ABIs of the deployed contracts."""
        return self.path / "abi"

    @property
    def operator_token(self) -> Path:
        """The bearer token of the admin routes."""
        return self.path / "operator.token"

    @property
    def reviewer_token(self) -> Path:
        """The bearer token of disputes and amendments."""
        return self.path / "reviewer.token"

    def secret(self, name: str) -> str:
        """Return a secret, 64 hex digits, made at the first call."""
        path = self.path / name
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            made = secrets.token_hex(32)
            write_private(path, made.encode())
            return made

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return a file's object, None when there is none."""
        try:
            found = json.loads((self.path / name).read_text())
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def write_json(self, name: str, content: dict[str, Any], private: bool = False) -> None:
        """Replace a file with an object; a crash leaves the old file or the new one."""
        data = (json.dumps(content, indent=2) + "\n").encode()
        fresh = self.path / f"{name}.new"
        if private:
            write_private(fresh, data)
        else:
            fresh.write_bytes(data)
        fresh.replace(self.path / name)


def take_lock(fd: int) -> bool:
    """Take a file's lock, unless somebody holds it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
