"""One thread that does, in order, what an event loop hands it.

An executor does the same with two futures, a condition and a semaphore for each piece of work; a command passes here twice
(its signature, its group of the journal), so that was felt (docs/performance.md).
"""

import asyncio
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

A = TypeVar("A")
T = TypeVar("T")
_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[Any], Any], Any]


class Worker:
    """The thread starts with the first work and ends with `stop`, or when nobody knows the worker any more."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        weakref.finalize(self, self._jobs.put, None)

    def do(self, work: Callable[[A], T], asked: A) -> asyncio.Future[T]:
        """Put work in line; the future is its result, or what it raised."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._jobs,), name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put((loop, future, work, asked))
        return future

    def stop(self) -> None:
        """Wait until everything that is in line is done."""
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join()


def _work(jobs: "SimpleQueue[_Job | None]") -> None:
    while (job := jobs.get()) is not None:
        loop, future, work, asked = job
        result: Any = None
        error: BaseException | None = None
        try:
            result = work(asked)
        except BaseException as raised:
            error = raised
        with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            loop.call_soon_threadsafe(_tell, future, result, error)
        del job, future, work, asked, result, error  # What waits for nothing keeps nothing alive.


def _tell(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
