"""The single writer: number, append, apply, publish. Every change of the exchange goes through `submit`.

Group commit is natural: whatever arrives while the last fdatasync runs is the next group. A reply is sent only after its
command is durable. A broken invariant stops the writer and keeps the journal. Every so many commands, and at a clean stop, a
snapshot is written beside the journal, and its state hash into it (`snapshots.py`).
"""

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from offchain_book.engine.commands import Command, Sequenced
from offchain_book.engine.events import Event, Rejected
from offchain_book.engine.exchange import apply
from offchain_book.engine.state import State
from offchain_book.journal import Checkpoint, CommandLog, Record
from offchain_book.projections import Projections
from offchain_book.snapshots import SnapshotFailed, Snapshots
from offchain_book.worker import Worker

_log = logging.getLogger(__name__)
MAX_GROUP = 512
"""Most commands in one group commit."""
MAX_QUEUE = 20_000
"""Most commands waiting; beyond it `submit` raises Overloaded."""
_CRASH_AT = os.environ.get("CAUSEWAY_CRASH_AT", "")
_CRASH_FILE = os.environ.get("CAUSEWAY_CRASH_FILE", "")

Waiting = tuple[Command, str, "asyncio.Future[Receipt]"]
"""A command in line, the id of its request, and who waits for it."""
Listener = Callable[[Sequenced, Sequence[Event]], None]
T = TypeVar("T")


class Unavailable(Exception):
    """The exchange does not take commands now; nothing was done."""


class Overloaded(Unavailable):
    """Too many commands wait; try again later."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a command, durable when the caller sees it."""

    entry: Sequenced
    events: Sequence[Event]

    @property
    def rejected(self) -> Rejected | None:
        """The rejection, when there is one."""
        return self.first(Rejected)

    def first(self, kind: type[T]) -> T | None:
        """Return the first event of a kind."""
        for event in self.events:
            if isinstance(event, kind):
                return event
        return None

    def every(self, kind: type[T]) -> list[T]:
        """Return all events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]


def crash_point(name: str, entries: Sequence[Sequenced] = ()) -> None:
    """Die here, as if by kill -9, when CAUSEWAY_CRASH_AT names this point. For the crash tests.

    CAUSEWAY_CRASH_FILE names a file that says the same and may be written while the venue runs. `point Command` waits for
    a command of that kind.
    """
    if _CRASH_AT or _CRASH_FILE:
        _crash_if_asked(name, {type(entry.command).__name__ for entry in entries})


def _crash_if_asked(name: str, kinds: set[str]) -> None:
    asked = _CRASH_AT
    if _CRASH_FILE:
        with contextlib.suppress(FileNotFoundError):
            asked = Path(_CRASH_FILE).read_text()
    point, _, kind = asked.strip().partition(" ")
    if point == name and (not kind or kind in kinds):
        os._exit(137)


class Sequencer:
    """The one way in. Create it inside the event loop's thread, then `start`."""

    def __init__(
        self,
        state: State,
        journal: CommandLog,
        projections: Projections,
        clock_ms: Callable[[], int],
        snapshots: Snapshots | None = None,
    ) -> None:
        self.state = state
        self.projections = projections
        self.clock_ms = clock_ms
        self.failure: BaseException | None = None
        self._journal = journal
        self._snapshots = snapshots
        self._saving: asyncio.Future[Checkpoint] | None = None
        self._checkpoints: list[Checkpoint] = []
        """Not journaled yet: they go with the next group."""
        self._queue: deque[Waiting] = deque()
        self._arrived: asyncio.Future[None] | None = None
        """What the writer waits for when nothing is left to do."""
        self._idle = asyncio.Event()
        self._listeners: list[Listener] = []
        self._task: asyncio.Task[None] | None = None
        self._writer = Worker("journal")
        """A thread of its own: the shared ones may all be waiting for a chain that does not answer."""

    def start(self) -> None:
        """Begin to take commands."""
        self._task = asyncio.create_task(self._run(), name="sequencer")

    async def stop(self) -> None:
        """Finish what waits, then stop, with a snapshot when the exchange is sound."""
        if self._task is None:
            return
        if self.failure is None:
            await self._idle.wait()
        sound = self.failure is None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._saved()
        if sound and self._snapshots is not None:
            if self.state.seq > self._snapshots.last_seq:
                self._save(self._snapshots)
                await self._saved()
            if self._checkpoints:
                await self._writer.do(self._journal.append, self._checkpoints)
                self._checkpoints = []
        self._writer.stop()

    async def ended(self) -> None:
        """Never return while commands are taken. Raises what ended the writer: for a supervisor to wait on."""
        if self._task is not None:
            await asyncio.shield(self._task)

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with every command and its events, in order, after it is durable. It must not block."""
        self._listeners.append(listener)

    async def submit(self, command: Command, request_id: str = "") -> Receipt:
        """Number, store and apply a command. Raises Unavailable when the exchange has stopped or is overloaded."""
        return await self.enqueue(command, request_id)

    def enqueue(self, command: Command, request_id: str = "") -> asyncio.Future[Receipt]:
        """Put a command in line; what becomes of it is the future's result, or Unavailable. Raises Unavailable at once when
        nothing is taken."""
        if self.failure is not None:
            raise Unavailable("the exchange has stopped on a broken invariant; see its log")
        if len(self._queue) >= MAX_QUEUE:
            raise Overloaded(f"{MAX_QUEUE} commands wait already")
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._queue.append((command, request_id, future))
        self._idle.clear()
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
        return future

    async def _run(self) -> None:
        while True:
            waiting = await self._group()
            try:
                entries = self._number(waiting)
                crash_point("before_append", entries)
                records: list[Record] = [*self._checkpoints, *entries]
                self._checkpoints = []
                await self._writer.do(self._journal.append, records)
                crash_point("after_append", entries)
                for entry, (_, _, future) in zip(entries, waiting, strict=True):
                    receipt = Receipt(entry, self._apply(entry))
                    crash_point("after_apply", [entry])
                    if not future.done():
                        future.set_result(receipt)
                self._save_when_due()
            except BaseException as error:
                self._fail(error, [future for _, _, future in waiting])
                raise

    async def _group(self) -> list[Waiting]:
        """Return the next commands, as soon as there is one."""
        queue = self._queue
        if not queue:
            self._idle.set()
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        return [queue.popleft() for _ in range(min(MAX_GROUP, len(queue)))]

    def _save_when_due(self) -> None:
        snapshots = self._snapshots
        if snapshots is None or self._saving is not None or self.state.seq - snapshots.tried_seq < snapshots.every:
            return
        self._save(snapshots)

    def _save(self, snapshots: Snapshots) -> None:
        """Begin a snapshot of now. Trading goes on at once."""
        try:
            saving = snapshots.begin(self.state, self.projections, self._journal.position)
        except Exception as error:
            snapshots.lost()
            _log.exception("no snapshot of command %d: %r; the journal suffices", self.state.seq, error)
            return
        self._saving = asyncio.get_running_loop().run_in_executor(None, saving.finish)
        self._saving.add_done_callback(self._note_saved)

    def _note_saved(self, saving: asyncio.Future[Checkpoint]) -> None:
        self._saving = None
        try:
            self._checkpoints.append(saving.result())
        except (SnapshotFailed, asyncio.CancelledError) as error:
            _log.error("%s; the journal suffices, the next start takes longer", error)

    async def _saved(self) -> None:
        """Wait for the snapshot under way."""
        if self._saving is not None:
            await asyncio.wait([self._saving])
            await asyncio.sleep(0)

    def _number(self, waiting: Sequence[Waiting]) -> list[Sequenced]:
        seq = self.state.seq
        at_ms = max(self.state.now_ms, self.clock_ms())
        return [
            Sequenced(seq + position, at_ms, request_id, command)
            for position, (command, request_id, _) in enumerate(waiting, start=1)
        ]

    def _apply(self, entry: Sequenced) -> Sequence[Event]:
        events = apply(self.state, entry)
        self.projections.observe(self.state, entry, events)
        for listener in self._listeners:
            listener(entry, events)
        return events

    def _fail(self, error: BaseException, futures: Sequence[asyncio.Future[Receipt]]) -> None:
        self.failure = error
        if not isinstance(error, asyncio.CancelledError):
            _log.critical("the exchange stops: %r", error, exc_info=error)
        futures = [*futures, *(future for _, _, future in self._queue)]
        self._queue.clear()
        self._idle.set()
        for future in futures:
            if not future.done():
                future.set_exception(Unavailable("the exchange has stopped; whether this command counts, ask again"))
