"""The command log: append-only, hash-chained, one line a command. The journal is the truth; all else is derived.

A line is `<sha256 hex> <json>\n`, where the hash covers the previous line's hash and this line's JSON. The first line is a
header with the format version. A file that ends without a newline was torn by a crash: the partial record was never
acknowledged, so opening repairs it. Anything else that does not add up is damage, and is refused with its sequence number.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec

from offchain_book.engine.commands import Command, Sequenced

FORMAT_VERSION = 1
_GENESIS = "0" * 64
_TYPES: dict[str, type[Any]] = {cls.__name__: cls for cls in get_args(Command)}


class JournalDamaged(Exception):
    """The journal cannot be trusted from `first_bad_seq` on."""

    def __init__(self, path: Path, first_bad_seq: int, why: str) -> None:
        super().__init__(f"{path}: record {first_bad_seq} is damaged ({why}); restore the file from a copy")
        self.first_bad_seq = first_bad_seq
        self.why = why


class JournalInUse(Exception):
    """Another process has this journal open for writing."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is in use by another venue; stop that one or choose another --data-dir")


class _Record(msgspec.Struct):
    seq: int
    at_ms: int
    request_id: str
    kind: str
    command: msgspec.Raw


class _Header(msgspec.Struct):
    format: int
    config: dict[str, Any]


_encoder = msgspec.json.Encoder()
_record_decoder = msgspec.json.Decoder(_Record)
_decoders = {name: msgspec.json.Decoder(cls) for name, cls in _TYPES.items()}


def _chain(previous: str, body: bytes) -> str:
    return hashlib.sha256(previous.encode() + body).hexdigest()


def encode(entry: Sequenced) -> bytes:
    """Encode one sequenced command as the JSON body of a record."""
    return _encoder.encode(
        {
            "seq": entry.seq,
            "at_ms": entry.at_ms,
            "request_id": entry.request_id,
            "kind": type(entry.command).__name__,
            "command": entry.command,
        }
    )


def decode(body: bytes) -> Sequenced:
    """Decode the JSON body of a record."""
    record = _record_decoder.decode(body)
    return Sequenced(record.seq, record.at_ms, record.request_id, _decoders[record.kind].decode(record.command))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, line with its newline) of every complete line; a torn tail is left out."""
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield offset, line
            offset += len(line)


def _checked(path: Path) -> Iterator[tuple[int, str, bytes]]:
    """Yield (sequence number, hash, body) of every line, the header as 0, and raise at the first bad one."""
    previous = _GENESIS
    for seq, (_, line) in enumerate(_lines(path)):
        stated, _, body = line[:-1].partition(b" ")
        actual = _chain(previous, body)
        if stated != actual.encode():
            raise JournalDamaged(path, seq, "hash does not match")
        yield seq, actual, body
        previous = actual


def read_config(path: Path) -> dict[str, Any]:
    """Return the configuration in a journal's header."""
    for _, _, body in _checked(path):
        header = msgspec.json.decode(body, type=_Header)
        if header.format != FORMAT_VERSION:
            raise JournalDamaged(path, 0, f"format {header.format}, this program reads {FORMAT_VERSION}")
        return header.config
    raise JournalDamaged(path, 0, "no header")


def read(path: Path) -> Iterator[Sequenced]:
    """Yield every command of a journal, checking the chain and the numbering.

    Raises JournalDamaged at the first record that was changed, lost or reordered.
    """
    read_config(path)
    for seq, _, body in _checked(path):
        if seq == 0:
            continue
        try:
            entry = decode(body)
        except (msgspec.MsgspecError, KeyError) as error:
            raise JournalDamaged(path, seq, f"cannot be read: {error}") from error
        if entry.seq != seq:
            raise JournalDamaged(path, seq, f"is numbered {entry.seq}")
        yield entry


class Journal:
    """A journal open for appending, by one process at a time."""

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        """Open or create the file; `config` is written into the header of a new one."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._fd)
            raise JournalInUse(path) from error
        self.repaired_bytes = self._cut_torn_tail()
        self._last_hash = _GENESIS
        self.last_seq = -1
        for seq, digest, _ in _checked(path):
            self._last_hash, self.last_seq = digest, seq
        if self.last_seq < 0:
            self._write([_encoder.encode({"format": FORMAT_VERSION, "config": config})])
            self.last_seq = 0

    def _cut_torn_tail(self) -> int:
        good = 0
        for offset, line in _lines(self.path):
            good = offset + len(line)
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
            parts += (digest.encode(), b" ", body, b"\n")
        data = memoryview(b"".join(parts))
        while data:
            data = data[os.write(self._fd, data) :]
        os.fdatasync(self._fd)
        self._last_hash = digest

    def append(self, entries: Sequence[Sequenced]) -> None:
        """Write commands and return once they are durable. One fdatasync for the whole group."""
        if entries[0].seq != self.last_seq + 1:
            raise ValueError(f"record {entries[0].seq} does not follow {self.last_seq}")
        self._write([encode(entry) for entry in entries])
        self.last_seq = entries[-1].seq

    def close(self) -> None:
        """Release the file and its lock."""
        os.close(self._fd)
