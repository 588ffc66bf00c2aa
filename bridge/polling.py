"""Waiting for what nobody announces: one look after the other, at a stated pace, for a bounded time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def poll(look: Callable[[], T | None], every_s: float, timeout_s: float) -> T | None:
    """Return the first thing that `look` finds (anything but None); None when it found nothing in time.

    It looks at once, and a last time when the time is over, however late it notices. What `look` raises ends it.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        is_last = time.monotonic() >= deadline
        if (found := look()) is not None or is_last:
            return found
        time.sleep(max(0.0, min(every_s, deadline - time.monotonic())))
