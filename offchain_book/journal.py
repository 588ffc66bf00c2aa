"""The command log: append-only, hash-chained, one line a record. The journal is the truth; all else is derived.

A line is `<sha256 hex> <json>\n`, where the hash covers the previous line's hash and this line's JSON. The first line is a
header with the format version; then commands, numbered without gaps, and now and then a `Checkpoint`, which is not a command
and has no number of its own. A file that ends without a newline was torn by a crash: the partial record was never
acknowledged, so opening repairs it. Anything else that does not add up is damage, and is refused with its sequence number.

Versions: a command's field added later has a default, so old records stay readable. A record of a kind, or with a field,
that this program does not know was written by a newer one and is refused: dropping what it says would be silently wrong.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, get_args

import msgspec

from offchain_book.engine.commands import Command, Sequenced

FORMAT_VERSION = 1
GENESIS = "0" * 64
_TYPES: dict[str, type[Any]] = {cls.__name__: cls for cls in get_args(Command)}
_CHECKPOINT_START = b'{"kind":"Checkpoint",'
_BLOCK_BYTES = 1 << 16


class JournalDamaged(Exception):
    """The journal cannot be trusted from `first_bad_seq` on."""

    def __init__(self, path: Path, first_bad_seq: int, why: str) -> None:
        super().__init__(f"{path}: record {first_bad_seq} is damaged ({why}); restore the file from a copy")
        self.first_bad_seq = first_bad_seq
        self.why = why


class JournalTooNew(Exception):
    """The journal is whole, and says something that this program does not understand."""

    def __init__(self, path: Path, seq: int, what: str) -> None:
        super().__init__(f"{path}: record {seq} {what}; it was written by a newer program: use that one")
        self.seq = seq


class JournalInUse(Exception):
    """Another process has this journal open for writing."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is in use by another venue; stop that one or choose another --data-dir")


class JournalMismatch(Exception):
    """The journal does not hold, at a position, what it held when the position was noted."""

    def __init__(self, why: str, is_short: bool) -> None:
        super().__init__(why)
        self.is_short = is_short


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state hash that the exchange had after command `seq`, written some commands later. Replay compares."""

    seq: int
    state_hash: str
    state_format: int


Record = Sequenced | Checkpoint


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two records: the last command's number, the chain's hash there, and where the back end finds it."""

    seq: int
    last_hash: str
    offset: int


class CommandLog(Protocol):
    """What a back end of the journal must do. `tests/offchain_book/test_command_log.py` is its conformance test."""

    @property
    def position(self) -> Position:
        """The end: after the last durable record."""

    def append(self, records: Sequence[Record]) -> None:
        """Write records and return once they are durable: all of them or, after a crash, a first part of them.

        Raises ValueError when a command does not follow the last one.
        """

    def read(self, after_seq: int = 0) -> Iterator[Record]:
        """Yield, in order, every record after command `after_seq`; those after the command itself included.

        Raises JournalDamaged at the first record that was changed, lost, repeated or reordered.
        """

    def close(self) -> None:
        """Release everything."""


class _Record(msgspec.Struct, gc=False):
    seq: int
    at_ms: int
    request_id: str
    kind: str
    command: msgspec.Raw


class _Header(msgspec.Struct):
    format: int
    config: dict[str, Any]


class _UnknownContent(Exception):
    pass


_encoder = msgspec.json.Encoder()
_record_decoder = msgspec.json.Decoder(_Record)
_checkpoint_decoder = msgspec.json.Decoder(Checkpoint)
_decoders = {name: msgspec.json.Decoder(cls) for name, cls in _TYPES.items()}
_STRICT = frozenset(
    name for name, cls in _TYPES.items() if issubclass(cls, msgspec.Struct) and cls.__struct_config__.forbid_unknown_fields
)
"""Kinds whose decoder refuses a field that it does not know, though not inside of a field."""
_plain_decoder = msgspec.json.Decoder()


def _chain(previous: bytes, body: bytes) -> bytes:
    """Return the hash of a line, in hex, as it stands in the file."""
    return sha256(previous + body).hexdigest().encode()


def encode(record: Record) -> bytes:
    """Encode one record as the JSON body of a line."""
    if isinstance(record, Checkpoint):
        return _encoder.encode(
            {
                "kind": "Checkpoint",
                "seq": record.seq,
                "state_hash": record.state_hash,
                "state_format": record.state_format,
            }
        )
    return _encoder.encode(
        {
            "seq": record.seq,
            "at_ms": record.at_ms,
            "request_id": record.request_id,
            "kind": type(record.command).__name__,
            "command": record.command,
        }
    )


def decode(body: bytes) -> Sequenced:
    """Decode the JSON body of a command's line."""
    record = _record_decoder.decode(body)
    decoder = _decoders.get(record.kind)
    if decoder is None:
        raise _UnknownContent(f"is a {record.kind}")
    try:
        command = decoder.decode(record.command)
    except msgspec.ValidationError:
        _refuse_unknown_field(_plain_decoder.decode(record.command), _TYPES[record.kind])
        raise
    # A record of the envelope and one flat, strict command cannot say more than the program knows. Nor can one that comes out
    # again byte by byte; one of an older version, which lacks fields, is looked at.
    flat = record.kind in _STRICT and body.count(b"{") == 2
    if not flat and _encoder.encode(command) != bytes(record.command):
        _refuse_unknown(_plain_decoder.decode(record.command), command)
    return Sequenced(record.seq, record.at_ms, record.request_id, command)


def _decode_checkpoint(body: bytes) -> Checkpoint:
    checkpoint = _checkpoint_decoder.decode(body)
    _refuse_unknown({name: item for name, item in _plain_decoder.decode(body).items() if name != "kind"}, checkpoint)
    return checkpoint


@cache
def _fields_of(cls: Any) -> frozenset[str]:
    if issubclass(cls, msgspec.Struct):
        return frozenset(cls.__struct_fields__)
    return frozenset(item.name for item in fields(cls)) if is_dataclass(cls) else frozenset()


def _refuse_unknown_field(plain: Any, cls: Any) -> None:
    """Raise when a JSON object has a field that a class does not have."""
    for name in plain:
        if name not in _fields_of(cls):
            raise _UnknownContent(f"has a {cls.__name__} with the field {name}")


def _refuse_unknown(plain: Any, value: Any) -> None:
    """Raise when the JSON says more than the value made of it holds."""
    cls: Any = type(value)
    if type(plain) is dict and _fields_of(cls):
        _refuse_unknown_field(plain, cls)
        for name, item in plain.items():
            if type(item) is dict or type(item) is list:
                _refuse_unknown(item, getattr(value, name))
    elif type(plain) is list and isinstance(value, list | tuple):
        for item, made in zip(plain, value, strict=True):
            _refuse_unknown(item, made)


def _lines(path: Path, offset: int = 0) -> Iterator[bytes]:
    """Yield every complete line from an offset on, with its newline; a torn tail is left out."""
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield line


def _checked(path: Path, start: Position) -> Iterator[tuple[int, bytes, bytes, bool]]:
    """Yield (command number, hash, body, whether it is a checkpoint) of every line after `start`; raise at the first bad one.

    The header is number 0. A checkpoint has the number of the command before it.
    """
    previous, seq = start.last_hash.encode(), start.seq
    for line in _lines(path, start.offset):
        stated, _, body = line[:-1].partition(b" ")
        if stated != _chain(previous, body):
            raise JournalDamaged(path, seq + 1, "hash does not match")
        is_checkpoint = body.startswith(_CHECKPOINT_START)
        if not is_checkpoint:
            seq += 1
        yield seq, stated, body, is_checkpoint
        previous = stated


_START = Position(-1, GENESIS, 0)
"""Before the header."""


def read_config(path: Path) -> dict[str, Any]:
    """Return the configuration in a journal's header."""
    for _, _, body, _ in _checked(path, _START):
        return _header(path, body).config
    raise JournalDamaged(path, 0, "no header")


def _header(path: Path, body: bytes) -> _Header:
    try:
        header = msgspec.json.decode(body, type=_Header)
    except msgspec.MsgspecError as error:
        raise JournalDamaged(path, 0, f"cannot be read: {error}") from error
    if header.format > FORMAT_VERSION:
        raise JournalTooNew(path, 0, f"has format {header.format}, this program reads {FORMAT_VERSION}")
    return header


def read(path: Path) -> Iterator[Sequenced]:
    """Yield every command of a journal from the first on, checking the chain and the numbering.

    Raises JournalDamaged at the first record that was changed, lost, repeated or reordered, and JournalTooNew at one that
    only a newer program understands.
    """
    return (record for record in read_records(path) if isinstance(record, Sequenced))


def read_records(path: Path, start: Position = _START) -> Iterator[Record]:
    """Yield every record after a position, commands and checkpoints alike, checked as `read` does."""
    if start is _START:
        read_config(path)
    for seq, _, body, is_checkpoint in _checked(path, start):
        if seq == 0 and not is_checkpoint:
            continue
        try:
            record: Record = _decode_checkpoint(body) if is_checkpoint else decode(body)
        except msgspec.MsgspecError as error:
            raise JournalDamaged(path, seq, f"cannot be read: {error}") from error
        except _UnknownContent as error:
            raise JournalTooNew(path, seq, str(error)) from error
        if record.seq != seq:
            if not is_checkpoint:
                raise JournalDamaged(path, seq, f"is numbered {record.seq}")
            if record.seq > seq:
                raise JournalDamaged(path, seq + 1, f"a checkpoint of command {record.seq} comes before it")
        yield record


def read_checkpoints(path: Path, start: Position = _START) -> dict[int, Checkpoint]:
    """Return the checkpoints after a position by the command that they are about."""
    bodies = (line[:-1].partition(b" ")[2] for line in _lines(path, start.offset))
    found: dict[int, Checkpoint] = {}
    for body in bodies:
        if body.startswith(_CHECKPOINT_START):
            _note_checkpoint(found, body)
    return found


def _note_checkpoint(found: dict[int, Checkpoint], body: bytes) -> None:
    with suppress(msgspec.MsgspecError):  # Damage is for `read_records` to report.
        checkpoint = _checkpoint_decoder.decode(body)
        found[checkpoint.seq] = checkpoint


class Journal:
    """A journal in a file, open for appending by one process at a time. The first back end of `CommandLog`."""

    def __init__(self, path: Path, config: dict[str, Any], known: Position | None = None, check_all: bool = True) -> None:
        """Open or create the file; `config` is written into the header of a new one.

        `known` is a position noted earlier: raises JournalMismatch when this is not the journal in which it was. With
        `check_all` False only the records there and after it are looked at; `read` from 0 always checks all.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._fd)
            raise JournalInUse(path) from error
        try:
            if known is not None:
                self._recognise(known)
            self._open(config, _START if known is None or check_all else known)
        except BaseException:
            os.close(self._fd)
            raise

    def _open(self, config: dict[str, Any], start: Position) -> None:
        """Look once at every line after `start`: its hash, its checkpoint, and where the last whole one ends."""
        self._start = start
        self._last_hash, self.last_seq, self._size = start.last_hash.encode(), start.seq, start.offset
        self._checkpoints: dict[int, Checkpoint] = {}
        for seq, digest, body, is_checkpoint in _checked(self.path, start):
            if is_checkpoint:
                _note_checkpoint(self._checkpoints, body)
            elif seq == 0:
                _header(self.path, body)
            self._last_hash, self.last_seq = digest, seq
            self._size += len(digest) + len(body) + 2
        self.repaired_bytes = self._cut_torn_tail(self._size)
        if self.last_seq < 0:
            self._write([_encoder.encode({"format": FORMAT_VERSION, "config": config})])
            self.last_seq = 0
            _sync_folder(self.path.parent)

    def _recognise(self, known: Position) -> None:
        """Check that the record before a position is the one that was there, without reading those before it."""
        size = os.fstat(self._fd).st_size
        if size < known.offset:
            missing = known.offset - size
            raise JournalMismatch(f"the journal ends before command {known.seq}: {missing} bytes are missing", True)
        data = b""
        while data.count(b"\n") < 3 and len(data) < known.offset:
            first = max(0, known.offset - len(data) - _BLOCK_BYTES)
            data = os.pread(self._fd, known.offset - len(data) - first, first) + data
        lines = data.split(b"\n")
        previous = lines[-3][:64] if len(lines) > 2 else GENESIS.encode()
        stated, _, body = lines[-2].partition(b" ") if len(lines) > 1 else (b"", b"", b"")
        if lines[-1] or not stated == _chain(previous, body) == known.last_hash.encode():
            raise JournalMismatch(f"the journal has another record where command {known.seq} was", False)

    def _cut_torn_tail(self, good: int) -> int:
        torn = os.fstat(self._fd).st_size - good
        if torn:
            os.ftruncate(self._fd, good)
            os.fsync(self._fd)
        return torn

    def _write(self, bodies: Sequence[bytes]) -> None:
        parts: list[bytes] = []
        digest = self._last_hash
        for body in bodies:
            digest = _chain(digest, body)
            parts += (digest, b" ", body, b"\n")
        whole = b"".join(parts)
        data = memoryview(whole)
        while data:
            data = data[os.write(self._fd, data) :]
        os.fdatasync(self._fd)
        self._last_hash = digest
        self._size += len(whole)

    @property
    def position(self) -> Position:
        """The end: after the last durable record."""
        return Position(self.last_seq, self._last_hash.decode(), self._size)

    def append(self, records: Sequence[Record]) -> None:
        """Write records and return once they are durable. One fdatasync for the whole group."""
        seq = self.last_seq
        for record in records:
            if isinstance(record, Checkpoint):
                if record.seq > seq:
                    raise ValueError(f"a checkpoint of command {record.seq} comes after it, not after {seq}")
            elif record.seq != seq + 1:
                raise ValueError(f"record {record.seq} does not follow {seq}")
            else:
                seq = record.seq
        self._write([encode(record) for record in records])
        self.last_seq = seq

    def read(self, after_seq: int = 0) -> Iterator[Record]:
        """Yield every record after command `after_seq`. From where opening began, it seeks there."""
        near = self._start.seq == after_seq
        passed = near or after_seq == 0
        for record in read_records(self.path, self._start if near else _START):
            if passed:
                yield record
            elif isinstance(record, Sequenced):
                passed = record.seq == after_seq

    def checkpoints(self) -> dict[int, Checkpoint]:
        """Return the checkpoints that opening has read, by the command that they are about."""
        return dict(self._checkpoints)

    def close(self) -> None:
        """Release the file and its lock."""
        os.close(self._fd)


def _sync_folder(path: Path) -> None:
    """Make a new file's name durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
