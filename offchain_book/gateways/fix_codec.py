"""FIX on the wire: bytes to messages and back. Pure; ADR 0019 says why this is ours.

A message is `8=FIXT.1.1|9=<length>|35=<type>|...|10=<checksum>|`, fields separated by SOH. What is damaged is garbled: it is
passed over, as the standard wants, and the gap in the numbers tells the sender. What is whole and wrong is refused by name
elsewhere.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

SOH = "\x01"
BEGIN_STRING = "FIXT.1.1"
MAX_BODY_BYTES = 65_536
"""Longest body of a message that is read."""
_HEAD = re.compile(rb"8=FIXT\.1\.1\x019=(\d{1,7})\x01")
_LONGEST_HEAD = 24
_TRAILER_BYTES = 7
_DATA_LENGTHS = {95: 96, 93: 89}
"""Length field -> the data field that follows it, in which SOH is allowed."""
_DATA = frozenset(_DATA_LENGTHS.values())
_TAGS = {str(tag): tag for tag in range(1, 1_200)}
"""The usual tags, so that reading one is a look-up."""
_SECOND = re.compile(r"(\d{4})(\d\d)(\d\d)-(\d\d):(\d\d):(\d\d)", re.ASCII)
_FRACTION = re.compile(r"\.(\d{3})(?:\d{3}|\d{6})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Fields = list[tuple[int, str]]


class TooLong(Exception):
    """A message claims to be longer than anybody has to read; the connection cannot go on."""


class Framer:
    """Cuts a stream of bytes into messages. Counts what was garbled."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.garbled = 0

    def feed(self, data: bytes) -> Iterator[str]:
        """Take in bytes and yield whole messages, without their checksum field, as Latin-1 text. Raises TooLong."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while True:
                head = _HEAD.match(buffer, start)
                if head is None:
                    skipped = self._skip(start)
                    if skipped == start:
                        return
                    start = skipped
                    continue
                length = int(head[1])
                if length > MAX_BODY_BYTES:
                    raise TooLong(f"a body of {length} bytes; {MAX_BODY_BYTES} are allowed")
                end = head.end() + length
                if len(buffer) < end + _TRAILER_BYTES:
                    return
                if _trailer(sum(buffer[start:end]) & 255) == buffer[end : end + _TRAILER_BYTES] and buffer[end - 1] == 1:
                    yield buffer[start:end].decode("latin-1")
                    start = end + _TRAILER_BYTES
                else:
                    self.garbled += 1
                    start += 2
        finally:
            del buffer[:start]

    def _skip(self, start: int) -> int:
        """Return where the next message may begin; `start` itself when more bytes have to come."""
        buffer = self._buffer
        if b"8=FIXT.1.1\x019=".startswith(bytes(buffer[start : start + 13])) or (
            len(buffer) - start < _LONGEST_HEAD and re.fullmatch(rb"8=FIXT\.1\.1\x019=\d{1,7}", buffer[start:])
        ):
            return start
        found = buffer.find(b"8=FIX", start + 1)
        if found < 0:
            found = max(start + 1, len(buffer) - 4)
        self.garbled += 1
        return found


def _trailer(checksum: int) -> bytes:
    return b"10=%03d\x01" % checksum


def parse(text: str) -> Fields:
    """Return a message's fields in order; what is no field gets tag 0."""
    parts = text.split(SOH)
    fields: Fields = []
    place, last = 0, len(parts) - 1
    while place < last:
        tag_text, equals, value = parts[place].partition("=")
        tag = _TAGS.get(tag_text) or _tag(tag_text)
        if not tag or not equals:
            fields.append((0, parts[place]))
            place += 1
            continue
        place += 1
        if tag in _DATA and fields and _DATA_LENGTHS.get(fields[-1][0]) == tag:
            length = fields[-1][1]
            while length.isdecimal() and len(value) < int(length) and place < last:
                value += SOH + parts[place]
                place += 1
        fields.append((tag, value))
    return fields


def _tag(text: str) -> int:
    """Return a tag that is not among the usual ones, 0 when it is none."""
    return int(text) if text.isdecimal() and text.isascii() and text[0] != "0" and len(text) < 7 else 0


def payload(fields: Iterable[tuple[int, object]]) -> str:
    """Return fields as text; what would break the framing becomes a blank."""
    parts = [f"{tag}={value}" for tag, value in fields]
    text = SOH.join([*parts, ""])
    if text.isascii() and text.count(SOH) == len(parts):
        return text
    return "".join([f"{_plain(part)}{SOH}" for part in parts])


def _plain(value: str) -> str:
    return value if value.isascii() and SOH not in value else re.sub(r"[^\x20-\x7e]", " ", value)


def encode(kind: str, number: int, sender: str, target: str, sent: str, body: str, extra: str = "") -> bytes:
    """Return a whole message. `extra` are further header fields, `body` what `payload` made."""
    content = f"35={kind}\x0149={sender}\x0156={target}\x0134={number}\x0152={sent}\x01{extra}{body}"
    data = f"8={BEGIN_STRING}\x019={len(content)}\x01{content}".encode("latin-1")
    return data + _trailer(sum(data) & 255)


def time_text(at_ms: int) -> str:
    """Return an instant as a UTCTimestamp."""
    seconds, millis = divmod(at_ms, 1000)
    return f"{_second_text(seconds)}.{millis:03d}"


@lru_cache(maxsize=1_024)
def _second_text(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y%m%d-%H:%M:%S")


def time_ms(text: str) -> int | None:
    """Return a UTCTimestamp in milliseconds, None when it is none."""
    second_ms = _second_ms(text[:17])
    if second_ms is None or len(text) == 17:
        return second_ms
    found = _FRACTION.fullmatch(text, 17)
    return second_ms + int(found[1]) if found else None


@lru_cache(maxsize=1_024)
def _second_ms(text: str) -> int | None:
    found = _SECOND.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[group]) for group in range(1, 7))
    try:
        at = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
    return (at - _EPOCH) // timedelta(milliseconds=1) + (second > 59) * 1000
