"""Venue time: wall time plus an offset that only `causeway time` moves, and that the data folder keeps."""

import time

from bridge.datadir import DataDir

FILE = "clock.json"


def offset_ms(data: DataDir) -> int:
    """Return how far a data folder's venue time is ahead of wall time."""
    return int((data.read_json(FILE) or {}).get("offset_ms", 0))


class VenueClock:
    """Milliseconds of venue time."""

    def __init__(self, data: DataDir) -> None:
        self._data = data
        self._offset_ms = offset_ms(data)

    def __call__(self) -> int:
        """Return the venue's time."""
        return time.time_ns() // 1_000_000 + self._offset_ms

    def move(self, seconds: int) -> None:
        """Move on, for good: the file is written before anybody sees the new time."""
        offset = self._offset_ms + seconds * 1_000
        self._data.write_json(FILE, {"offset_ms": offset})
        self._offset_ms = offset
