"""What FIX sessions must not forget: their numbers, how far they have come, and the messages that they may have to send again.

The exchange itself is not here: what a message says follows from the journal (`reports.py`). A message of a session that
retransmits is stored before it is sent, so that a number never means two messages, whatever dies in between.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from offchain_book.sqlite_store import open_store

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    name TEXT PRIMARY KEY,
    token TEXT NOT NULL,
    next_in INTEGER NOT NULL,
    next_out INTEGER NOT NULL,
    reported INTEGER NOT NULL,
    settled TEXT NOT NULL,
    retention_ms INTEGER NOT NULL,
    cancels TEXT NOT NULL,
    kept_from INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS messages (
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    sent TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (name, number)
) WITHOUT ROWID;
"""
T = TypeVar("T")


@dataclass(slots=True)
class Progress:
    """How far a session has come. `token` is new whenever its numbers start again at 1."""

    name: str
    token: str
    next_in: int = 1
    next_out: int = 1
    reported: int = 0
    """So many reports of the account were looked at."""
    settled: dict[str, int] = field(default_factory=dict)
    """Account part -> so many settlements were reported."""
    retention_ms: int = 0
    cancels: str = ""
    """While connected with cancel on disconnect: the account whose orders go; empty otherwise."""
    kept_from: int = 1
    """Messages before this number are not kept any more."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An application message as it was sent first."""

    number: int
    at_ms: int
    kind: str
    sent: str
    body: str


class FixStore:
    """SQLite (WAL, synchronous=FULL) in a thread of its own. Everything is durable when its call returns."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises StoreInUse."""
        self._db = open_store(path, _SCHEMA)
        self._thread = ThreadPoolExecutor(1, "fix-store")

    async def _run(self, work: Callable[[], T]) -> T:
        """Do some work in the store's thread: to its end, though who asked for it may be cancelled meanwhile."""
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

    async def close(self) -> None:
        """Finish and release the file."""
        await self._run(self._db.close)
        self._thread.shutdown()

    async def load(self, name: str) -> Progress | None:
        """Return a session's progress, None when it never was."""
        return next(iter(await self._select("name = ?", name)), None)

    async def cancelling(self) -> list[Progress]:
        """Return the sessions that were connected with cancel on disconnect when the venue ended."""
        return await self._select("cancels <> ''")

    async def _select(self, condition: str, *values: str) -> list[Progress]:
        query = f"SELECT * FROM sessions WHERE {condition} ORDER BY name"
        rows = await self._run(lambda: self._db.execute(query, values).fetchall())
        return [_progress(row) for row in rows]

    async def save(self, progress: Progress, messages: Sequence[Sent] = ()) -> None:
        """Store progress and the messages that it is about to send, together."""
        one = _row(progress)
        many = [(progress.name, sent.number, sent.at_ms, sent.kind, sent.sent, sent.body) for sent in messages]

        def work() -> None:
            self._db.execute("BEGIN")
            try:
                self._db.executemany("INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?, ?)", many)
                self._db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", one)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

        await self._run(work)

    async def messages(self, name: str, first: int, last: int) -> list[Sent]:
        """Return stored messages of a range of numbers."""
        query = "SELECT number, at_ms, kind, sent, body FROM messages WHERE name = ? AND number BETWEEN ? AND ?"
        rows = await self._run(lambda: self._db.execute(query, (name, first, last)).fetchall())
        return [Sent(*row) for row in rows]

    async def forget(self, name: str, before_ms: int) -> int:
        """Delete a session's messages that were sent before an instant. Returns the highest number of them, 0 for none."""

        def work() -> int:
            chosen = "FROM messages WHERE name = ? AND at_ms < ?"
            highest = self._db.execute(f"SELECT max(number) {chosen}", (name, before_ms)).fetchone()[0]
            self._db.execute(f"DELETE {chosen}", (name, before_ms))
            return int(highest or 0)

        return await self._run(work)


def _progress(row: tuple[Any, ...]) -> Progress:
    name, token, next_in, next_out, reported, settled, retention_ms, cancels, kept_from = row
    return Progress(name, token, next_in, next_out, reported, json.loads(settled), retention_ms, cancels, kept_from)


def _row(progress: Progress) -> tuple[str | int, ...]:
    return (
        progress.name,
        progress.token,
        progress.next_in,
        progress.next_out,
        progress.reported,
        json.dumps(progress.settled),
        progress.retention_ms,
        progress.cancels,
        progress.kept_from,
    )
