"""The running parts of a venue: tasks that are to go on until somebody asks the venue to stop. If one ends, the venue ends."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

_log = logging.getLogger(__name__)
T = TypeVar("T")


class VenueError(Exception):
    """The venue cannot start, or stopped; the message is one clear line."""


class Stopped(Exception):
    """Somebody asked the venue to stop while it was starting or serving."""


class Parts:
    """Tasks by name, what to undo in the end, and whether somebody asked to stop.

    `expected` are failures whose message is all that a person needs; any other is logged with its traceback.
    """

    def __init__(self, expected: tuple[type[Exception], ...]) -> None:
        self.undo = contextlib.AsyncExitStack()
        self.stop_asked = asyncio.Event()
        self._expected = expected
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def supervise(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start a part."""
        self._tasks[name] = asyncio.create_task(work, name=name)

    def run(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start a part that is cancelled when what was done before it is undone."""
        self.supervise(name, work)
        self.undo.push_async_callback(self._cancel, name)

    async def _cancel(self, name: str) -> None:
        task = self._tasks.get(name)
        if task is not None:
            task.cancel()
        await self.finished(name)

    async def finished(self, name: str) -> None:
        """Wait for the end of a part that was told to end, and forget it."""
        task = self._tasks.pop(name, None)
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)

    def known(self, name: str) -> bool:
        """Whether a part was started and not taken down."""
        return name in self._tasks

    def runs(self, name: str) -> bool:
        """Whether a part was started and has not ended."""
        task = self._tasks.get(name)
        return task is not None and not task.done()

    async def unless_stopped(self, work: Coroutine[Any, Any, T] | Awaitable[T]) -> T:
        """Wait for `work`, but stop at once when somebody asks for it, and fail when any part's task ends.

        Work that fails as somebody asks is no failure: a terminal's Ctrl-C ends the compiler too.
        """
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self.stop_asked.wait())
        try:
            await asyncio.wait({task, stop, *self._tasks.values()}, return_when=asyncio.FIRST_COMPLETED)
            for name, part in self._tasks.items():
                if part.done():
                    raise VenueError(f"{name} ended: {self._cause(part)}")
            if task.done() and not (self.stop_asked.is_set() and (task.cancelled() or task.exception())):
                return task.result()
            raise Stopped
        finally:
            task.cancel()
            stop.cancel()

    def _cause(self, task: asyncio.Task[None]) -> str:
        if task.cancelled():
            return "cancelled"
        error = task.exception()
        if error is None:
            return "without a reason"
        if isinstance(error, self._expected):
            return str(error)
        _log.error("%s ended", task.get_name(), exc_info=error)
        return f"{type(error).__name__}: {error}"
