"""What the contract held in past final blocks: the chain's column of `GET /venue/at/{seq}`.

A node forgets old states, so `bridge/recorder.py` writes down what it reads when a final block is reported. Only changes are
kept: a value is a row in the block in which it was first seen, and one `Span` covers the blocks from which nothing is known
to have changed. Nothing depends on this file: without it the past of the chain is unknown, and the exchange goes on.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from offchain_book.sqlite_store import open_store

POOL_HOLDER = "pool"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS spans (
    first_block INTEGER PRIMARY KEY,
    last_block INTEGER NOT NULL,
    next_operation INTEGER NOT NULL,
    deposits INTEGER NOT NULL,
    skipped INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS held (
    holder TEXT NOT NULL,
    asset TEXT NOT NULL,
    block_number INTEGER NOT NULL,
    micros INTEGER NOT NULL,
    PRIMARY KEY (holder, asset, block_number)
) WITHOUT ROWID;
"""
_NEWEST = "SELECT holder, asset, micros, MAX(block_number) FROM held WHERE block_number <= ? GROUP BY holder, asset"
_SPAN = "SELECT first_block, last_block, next_operation, deposits, skipped FROM spans WHERE first_block"


@dataclass(frozen=True, slots=True)
class Span:
    """Final blocks of which the first and the last one read showed the same counters and the same values."""

    first_block: int
    last_block: int
    next_operation: int
    deposits: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the contract held in one block, in millionths, by (holder, asset); the custody pool's holder is `pool`."""

    block_number: int
    span: Span
    held: Mapping[tuple[str, str], int]


class ChainRecord:
    """SQLite. Any thread may call it; it blocks for a disk."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises StoreInUse."""
        self._lock = threading.Lock()
        self._file = open_store(path, _SCHEMA)

    def add(self, block_number: int, counters: tuple[int, int, int], held: Mapping[tuple[str, str], int]) -> None:
        """Write down one final block: (next operation, deposits, skipped operations) and what was read of it.

        Blocks come in rising order; one that is not newer than the last is left out.
        """
        with self._lock:
            last = self._span("<= ? ORDER BY first_block DESC LIMIT 1", 2**62)
            if last is not None and block_number <= last.last_block:
                return
            changed = [(*key, block_number, micros) for key, micros in held.items() if self._value(*key) != micros]
            self._file.execute("BEGIN")
            self._file.executemany("INSERT INTO held VALUES (?, ?, ?, ?)", changed)
            if last is not None and not changed and counters == (last.next_operation, last.deposits, last.skipped):
                self._file.execute("UPDATE spans SET last_block = ? WHERE first_block = ?", (block_number, last.first_block))
            else:
                self._file.execute("INSERT INTO spans VALUES (?, ?, ?, ?, ?)", (block_number, block_number, *counters))
            self._file.execute("COMMIT")

    def at(self, block_number: int) -> Holdings | None:
        """Return what the contract held in a block, or in the newest one before it that was read; None before the first."""
        with self._lock:
            span = self._span("<= ? ORDER BY first_block DESC LIMIT 1", block_number)
            return self._holdings(span, min(block_number, span.last_block)) if span is not None else None

    def after(self, block_number: int) -> Holdings | None:
        """Return what the contract held in the first block of the span that begins after a block."""
        with self._lock:
            span = self._span("> ? ORDER BY first_block LIMIT 1", block_number)
            return self._holdings(span, span.first_block) if span is not None else None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _span(self, where: str, block_number: int) -> Span | None:
        row = self._file.execute(f"{_SPAN} {where}", (block_number,)).fetchone()
        return Span(*row) if row is not None else None

    def _value(self, holder: str, asset: str) -> int | None:
        query = "SELECT micros FROM held WHERE holder = ? AND asset = ? ORDER BY block_number DESC LIMIT 1"
        row = self._file.execute(query, (holder, asset)).fetchone()
        return int(row[0]) if row is not None else None

    def _holdings(self, span: Span, block_number: int) -> Holdings:
        rows = self._file.execute(_NEWEST, (block_number,))
        return Holdings(block_number, span, {(holder, asset): micros for holder, asset, micros, _ in rows})
