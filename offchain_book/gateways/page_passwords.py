"""Names and passwords of people who signed up on the page: argon2id hashes in a file of their own, never in the journal.

A row names an account id that nobody else can have, and is written before the account is opened: a crash in between leaves a
row whose account the next sign-in opens.
"""

import contextlib
import sqlite3
import threading
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS people (name TEXT PRIMARY KEY, account_id TEXT NOT NULL, hash TEXT NOT NULL) WITHOUT ROWID"
)


class NameTaken(Exception):
    """Somebody has this name."""


class Passwords:
    """Blocking; call it from a worker thread. A call takes about 50 ms, on purpose."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._file.execute("PRAGMA synchronous=FULL")
        self._file.execute(_SCHEMA)
        self._lock = threading.Lock()
        self._hasher = PasswordHasher()
        self._nobody = self._hasher.hash("nobody")

    def add(self, name: str, account_id: str, password: str) -> None:
        """Keep a person. Raises NameTaken."""
        hashed = self._hasher.hash(password)
        with self._lock:
            try:
                self._file.execute("INSERT INTO people VALUES (?, ?, ?)", (name, account_id, hashed))
            except sqlite3.IntegrityError:
                raise NameTaken(name) from None

    def check(self, name: str, password: str) -> str:
        """Return the account of a person with the right password, empty otherwise; both take the same time."""
        with self._lock:
            row = self._file.execute("SELECT account_id, hash FROM people WHERE name = ?", (name,)).fetchone()
        account_id, hashed = row or ("", self._nobody)
        with contextlib.suppress(VerificationError):
            if self._hasher.verify(hashed, password):
                return str(account_id)
        return ""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
