"""Waiting for what nobody announces: one look after the other, at a stated pace, for a bounded time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def poll(look: Callable[[], T | None], every_s: float, timeout_s: float) -> T | None:
    """Return the first thing that `look` finds (anything but None); None when it found nothing in time.

    It looks at once, and a last time when the time is over. What `look` raises ends it.
    """
    deadline = time.monotonic() + timeout_s
    while (found := look()) is None and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(every_s, left))
    return found
