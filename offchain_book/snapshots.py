"""Snapshot files beside the journal, so that a start replays the newest commands only. The journal suffices without them.

`<journal>.snapshots/` holds `<seq>.snapshot` (state, and the place in the journal that it belongs to) and
`<first>-<last>.views` (what those commands did to the read models, see `segments.py`; a snapshot names those it needs).
Files are written beside their name and renamed, so a crash leaves an old file or a new one. What does not add up is refused.

Writing costs the exchange one `fork`: the child holds the state as it was and writes it while the parent trades on. A
snapshot serves only the program that wrote it (same source of engine and read models): after an upgrade the first start
replays everything, and so proves against the journal's checkpoints that the new program agrees with the old one.
"""

import contextlib
import fcntl
import gc
import hashlib
import importlib.resources
import json
import os
import signal
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import msgspec

from offchain_book import segments
from offchain_book.config import SNAPSHOT_EVERY
from offchain_book.engine.snapshot import STATE_FORMAT, dump, dump_hash, load, state_hash
from offchain_book.engine.state import State
from offchain_book.journal import Checkpoint, Position
from offchain_book.projections import Projections
from offchain_book.segments import Segment

FORMAT_VERSION = 1
_WRITER_POLL_S = 0.01
"""Between two looks at whether an orphaned writer is gone; nothing tells when another process's child ends."""
KEPT = 2
"""Snapshots that stay: the newest, and one before it."""


class SnapshotRefused(Exception):
    """A snapshot cannot be used; the message says why and what to do."""

    def __init__(self, path: Path, why: str, remedy: str) -> None:
        super().__init__(f"{path}: {why}; {remedy}")
        self.path = path


class SnapshotFailed(Exception):
    """No snapshot was written. Nothing is lost: the next start replays more."""


class Header(msgspec.Struct, frozen=True):
    """What a snapshot says about itself."""

    format: int
    program: str
    seq: int
    journal_hash: str
    offset: int
    state_hash: str
    segments: tuple[tuple[str, str], ...]
    """(file name, SHA-256), in order."""

    @property
    def position(self) -> Position:
        """The place in the journal that the state belongs to."""
        return Position(self.seq, self.journal_hash, self.offset)


class _Version(msgspec.Struct):
    format: int


@cache
def program() -> str:
    """Return a hash of the source that decides what a state and read models are."""
    root = importlib.resources.files("offchain_book")
    engine = sorted((item for item in root.joinpath("engine").iterdir() if item.name.endswith(".py")), key=lambda i: i.name)
    digest = hashlib.sha256()
    views = ("projections.py", "segments.py", "price_history.py", "reports.py", "wallet_views.py")
    for item in (*engine, *map(root.joinpath, views)):
        digest.update(item.name.encode() + b"\0" + item.read_bytes() + b"\0")
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Found:
    """A snapshot file whose content is whole; whether it fits the journal is not said yet."""

    path: Path
    header: Header
    state: memoryview

    @property
    def usable(self) -> bool:
        """Whether this program wrote it."""
        return self.header.program == program()


class Saving:
    """A snapshot that a child process is writing."""

    def __init__(self, owner: "Snapshots", pid: int, pipe: int, position: Position) -> None:
        self._owner = owner
        self._pid = pid
        self._pipe = pipe
        self._position = position

    def finish(self) -> Checkpoint:
        """Wait until the snapshot is durable and return its checkpoint; not for the event loop. Raises SnapshotFailed."""
        with os.fdopen(self._pipe, "rb") as pipe:
            answer = pipe.read()
        _, status = os.waitpid(self._pid, 0)
        try:
            if status:
                raise SnapshotFailed(answer.decode(errors="replace") or f"the child ended with status {status}")
            written = msgspec.json.decode(answer, type=Header)
        except (SnapshotFailed, msgspec.MsgspecError) as error:
            self._owner.lost()
            raise SnapshotFailed(f"no snapshot of command {self._position.seq}: {error}") from error
        self._owner.adopt(written)
        return Checkpoint(written.seq, written.state_hash, STATE_FORMAT)


class Snapshots:
    """The snapshots of one journal."""

    def __init__(self, journal_path: Path, every: int = SNAPSHOT_EVERY) -> None:
        self.folder = journal_path.with_name(f"{journal_path.name}.snapshots")
        self.every = every
        self.last_seq = 0
        """The command that the newest snapshot includes."""
        self.tried_seq = 0
        """The same for the newest attempt: after a failure the next one comes no sooner than `every` commands later."""
        self._segments: tuple[tuple[str, str], ...] = ()
        self._covered_seq = 0

    # --- writing -------------------------------------------------------------------------------------------------------

    def adopt(self, header: Header) -> None:
        """Go on from a snapshot that was written or restored."""
        self.last_seq = self.tried_seq = self._covered_seq = header.seq
        self._segments = header.segments

    def lost(self) -> None:
        """Take note that what had changed was not written: the next snapshot writes all read models."""
        self._covered_seq, self._segments = 0, ()

    def begin(self, state: State, projections: Projections, position: Position) -> Saving:
        """Fork a child that writes a snapshot of now. Call it between two commands, with everything up to now durable."""
        self.tried_seq = position.seq
        segment = segments.cut(projections, self._covered_seq)
        writing = self._lock()
        receiver, sender = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of forks beside threads. The child takes no lock that a thread could hold: it computes,
            # writes its own files, and ends by _exit.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            self._run_child(state, segment, position, sender, writing)
        os.close(sender)
        os.close(writing)  # the child's copy keeps the lock until it ends, also when this process is killed
        return Saving(self, pid, receiver, position)

    def _lock(self) -> int:
        """Take the lock that a writing child holds as long as it lives; return its descriptor.

        A child that outlived its killed parent is ended first: its files are whole or absent, and whoever starts must not
        find them changing. Its id stands in the file, which is empty between a lock and the child's first step.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.folder / "writing", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                writer = os.pread(fd, 20, 0)
                if writer:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(writer), signal.SIGKILL)
                time.sleep(_WRITER_POLL_S)
        os.ftruncate(fd, 0)
        return fd

    def end_orphan(self) -> None:
        """Return when no child of a killed process writes or removes files here any more."""
        if self.folder.is_dir():
            os.close(self._lock())

    def _run_child(self, state: State, segment: Segment, position: Position, sender: int, writing: int) -> None:
        status = 1
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent waits for this child.
            # The journal's lock and the listening sockets must end with the parent.
            os.pwrite(writing, str(os.getpid()).encode(), 0)
            kept = sorted((sender, writing))
            for first, last in pairwise((2, *kept, os.sysconf("SC_OPEN_MAX"))):
                os.closerange(first + 1, last)
            gc.disable()
            answer = msgspec.json.encode(self.write(state, segment, position))
            status = 0
        except BaseException as error:
            answer = repr(error).encode()
        finally:
            try:
                while answer:
                    answer = answer[os.write(sender, answer) :]
            finally:
                os._exit(status)

    def write(self, state: State, segment: Segment, position: Position) -> Header:
        """Write a snapshot here and now and remove what it makes superfluous."""
        self.folder.mkdir(parents=True, exist_ok=True)
        named = self._segments
        if segment.seq > segment.after_seq:
            name = f"{segment.after_seq + 1:013d}-{segment.seq:013d}.views"
            data = segments.encode(segment)
            _replace(self.folder / name, data)
            named = (*named, (name, hashlib.sha256(data).hexdigest()))
        plain = dump(state)
        header = Header(
            FORMAT_VERSION, program(), position.seq, position.last_hash, position.offset, dump_hash(plain), named
        )
        body = msgspec.json.encode(header) + b"\n" + json.dumps(plain, separators=(",", ":")).encode()
        digest = hashlib.sha256(body).hexdigest().encode()
        _replace(self.folder / f"{position.seq:013d}.snapshot", digest + b"\n" + body)
        self._remove_old()
        return header

    def _remove_old(self) -> None:
        paths = self._paths()
        for path in paths[KEPT:]:
            path.unlink(missing_ok=True)
        try:
            needed = {name for path in paths[:KEPT] for name, _ in _open(path).header.segments}
        except SnapshotRefused:
            return
        for other in (*self.folder.glob("*.views"), *self.folder.glob("*.new")):
            if other.name not in needed:
                other.unlink(missing_ok=True)

    # --- reading -------------------------------------------------------------------------------------------------------

    def _paths(self) -> list[Path]:
        """Return the snapshot files, newest first."""
        return sorted(self.folder.glob("*.snapshot"), reverse=True)

    def found(self) -> Iterator[Found]:
        """Yield the snapshots, newest first. Raises SnapshotRefused at one that is damaged or too new."""
        return map(_open, self._paths())

    def restore(self, found: Found) -> tuple[State, Projections]:
        """Return what a usable snapshot holds. Raises SnapshotRefused when a part of it is missing or damaged."""
        try:
            state = load(json.loads(bytes(found.state)))
        except ValueError as error:
            raise _damaged(found.path, str(error)) from error
        if state.seq != found.header.seq or state_hash(state) != found.header.state_hash:
            raise _damaged(found.path, "its state has another hash than it says")
        try:
            projections = segments.restore(self._segment(name, digest) for name, digest in found.header.segments)
        except ValueError as error:
            raise self._damaged_views(found.path, str(error)) from error
        if len(projections.commands) - 1 != state.seq:
            raise self._damaged_views(found.path, "its read models end elsewhere")
        self.adopt(found.header)
        return state, projections

    def _segment(self, name: str, digest: str) -> Segment:
        path = self.folder / name
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise self._damaged_views(path, "is missing") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise self._damaged_views(path, "is damaged")
        return segments.decode(data)

    def _damaged_views(self, path: Path, why: str) -> SnapshotRefused:
        return SnapshotRefused(path, why, f"delete the folder {self.folder}: the journal suffices")


def _damaged(path: Path, why: str) -> SnapshotRefused:
    return SnapshotRefused(path, f"the snapshot is damaged ({why})", "delete it: the journal suffices")


def _open(path: Path) -> Found:
    data = path.read_bytes()
    digest, _, body = data.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise _damaged(path, "its SHA-256 does not match")
    head, _, _ = body.partition(b"\n")
    try:
        version = msgspec.json.decode(head, type=_Version).format
        if version > FORMAT_VERSION:
            raise SnapshotRefused(
                path,
                f"has format {version}, this program reads {FORMAT_VERSION}",
                "it was written by a newer program: use that one, or delete it",
            )
        header = msgspec.json.decode(head, type=Header)
    except msgspec.MsgspecError as error:
        raise _damaged(path, str(error)) from error
    return Found(path, header, memoryview(body)[len(head) + 1 :])


def _replace(path: Path, data: bytes) -> None:
    """Make a file durable under its name: a crash leaves what was there, or all of the new content."""
    fresh = path.with_name(f"{path.name}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
