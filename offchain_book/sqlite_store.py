"""A SQLite file that one process holds alone and that has a write on disk when the call returns."""

import sqlite3
from pathlib import Path


class StoreInUse(Exception):
    """Another process has the file open."""


def open_store(path: Path, schema: str) -> sqlite3.Connection:
    """Open or create a file (WAL, synchronous=FULL) for any thread, one at a time. Raises StoreInUse."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(schema)
    except sqlite3.OperationalError as error:
        connection.close()
        if "locked" in str(error):
            raise StoreInUse(f"{path} is in use by another venue; stop that one first") from error
        raise
    return connection
