"""Ctrl-C for verbs that go on until somebody ends them: a question between two pieces of work, never an exception amid one."""

import queue
import signal
from types import FrameType


class StopSignal:
    """Whether SIGINT or SIGTERM came since this was made. Only the main thread may make one."""

    def __init__(self) -> None:
        # Not a threading.Event: its lock may be held by the very `wait` that the handler interrupts.
        self._came: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}

    def wait(self, timeout_s: float = 0) -> bool:
        """Return True as soon as a signal came, also long ago; False when the time is over."""
        try:
            self._came.put(self._came.get(timeout=timeout_s))
        except queue.Empty:
            return False
        return True

    def close(self) -> None:
        """Let the signals do again what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came.put(number)
