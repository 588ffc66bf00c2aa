"""Signed transactions, stored before they are broadcast: the only store outside the journal.

A transaction that may have reached the network must never be forgotten: with its bytes at hand every doubt becomes a
repetition. One process holds the file; a second one is refused, so that two writers never share a signer.
"""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from offchain_book.sqlite_store import open_store

_SCHEMA = """
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY,
    purpose TEXT NOT NULL,
    signer TEXT NOT NULL,
    nonce INTEGER NOT NULL,
    tx_hash TEXT NOT NULL UNIQUE,
    raw BLOB NOT NULL,
    gas INTEGER NOT NULL,
    max_fee INTEGER NOT NULL,
    priority_fee INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS attempts_by_purpose ON attempts (purpose);
CREATE INDEX IF NOT EXISTS attempts_by_nonce ON attempts (signer, nonce);
CREATE TABLE IF NOT EXISTS deployment (name TEXT NOT NULL);
"""
_COLUMNS = "purpose, signer, nonce, tx_hash, raw, gas, max_fee, priority_fee, created_ms"


class WrongDeployment(Exception):
    """The file belongs to another chain or contract; its transactions must not be sent here."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction. Fees are wei per gas."""

    purpose: str
    signer: str
    nonce: int
    tx_hash: str
    raw: bytes
    gas: int
    max_fee: int
    priority_fee: int
    created_ms: int = 0


class Attempts:
    """SQLite (WAL, synchronous=FULL), held exclusively. Any thread may call it."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises StoreInUse."""
        self.path = path
        self._lock = threading.Lock()
        self._db = open_store(path, _SCHEMA)

    def claim(self, deployment: str) -> None:
        """Tie the file to one deployment (chain id and contract), at first use. Raises WrongDeployment later."""
        with self._lock:
            row = self._db.execute("SELECT name FROM deployment").fetchone()
            if row is None:
                self._db.execute("INSERT INTO deployment VALUES (?)", (deployment,))
            elif row[0] != deployment:
                raise WrongDeployment(f"{self.path} belongs to {row[0]}, not to {deployment}; use that data folder's own")

    def store(self, attempt: Attempt) -> None:
        """Write one attempt; durable on return."""
        created_ms = attempt.created_ms or time.time_ns() // 1_000_000
        with self._lock:
            self._db.execute(
                f"INSERT OR IGNORE INTO attempts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    attempt.purpose,
                    attempt.signer,
                    attempt.nonce,
                    attempt.tx_hash,
                    attempt.raw,
                    attempt.gas,
                    attempt.max_fee,
                    attempt.priority_fee,
                    created_ms,
                ),
            )

    def of(self, purpose: str) -> list[Attempt]:
        """Return all attempts for a purpose, oldest first."""
        return self._select("purpose = ?", purpose)

    def from_nonce(self, signer: str, nonce: int) -> list[Attempt]:
        """Return a signer's attempts with this nonce or a later one, oldest first."""
        return self._select("signer = ? AND nonce >= ?", signer, nonce)

    def highest_nonce(self, signer: str) -> int | None:
        """Return the highest nonce ever signed with; None when there is none."""
        with self._lock:
            row = self._db.execute("SELECT max(nonce) FROM attempts WHERE signer = ?", (signer,)).fetchone()
        return None if row[0] is None else int(row[0])

    def _select(self, condition: str, *values: str | int) -> list[Attempt]:
        with self._lock:
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM attempts WHERE {condition} ORDER BY id", values)
            return [Attempt(*row) for row in rows]

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._db.close()
