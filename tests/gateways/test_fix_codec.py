"""FIX on the wire: whatever comes in, whole messages are found, damaged ones are passed over, and nothing else happens."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offchain_book.gateways.fix_codec import MAX_BODY_BYTES, Framer, TooLong, encode, parse, payload, time_ms, time_text
from offchain_book.gateways.fix_message import REQUIRED, Message, Refused

VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=20)
FIELDS = st.lists(
    st.tuples(st.integers(36, 99_999).filter(lambda tag: tag not in (49, 52, 56, 89, 93, 95, 96)), VALUES), max_size=8
)


def message(fields: Any, kind: str = "D", number: int = 7) -> bytes:
    return encode(kind, number, "me", "you", "20261122-15:00:00.000", payload(fields))


@given(st.lists(FIELDS, min_size=1, max_size=5), st.data())
def test_messages_come_out_as_they_went_in_however_they_are_cut(batches: list[Any], data: st.DataObject) -> None:
    stream = b"".join(message(fields) for fields in batches)
    framer, found, at = Framer(), [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, 60))
        found += [parse(text) for text in framer.feed(stream[at : at + size])]
        at += size
    assert framer.garbled == 0
    assert [fields[7:] for fields in found] == batches
    assert {tuple(fields[2:7]) for fields in found} == {
        ((35, "D"), (49, "me"), (56, "you"), (34, "7"), (52, "20261122-15:00:00.000"))
    }


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_any_bytes_are_survived(data: bytes, more: bytes) -> None:
    framer = Framer()
    try:
        texts = [*framer.feed(data), *framer.feed(more)]
    except TooLong:
        return
    for text in texts:
        parse(text)


@given(FIELDS, st.data())
def test_damaged_message_is_never_taken_for_another(fields: Any, data: st.DataObject) -> None:
    whole = message(fields)
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    assert [text for text in Framer().feed(changed) if text.encode("latin-1") != whole[:-7]] == []


@given(FIELDS, st.binary(max_size=30).filter(lambda noise: b"8" not in noise))
def test_a_whole_message_is_found_after_noise(fields: Any, noise: bytes) -> None:
    framer = Framer()
    assert len(list(framer.feed(noise + message(fields)))) == 1
    assert framer.garbled == (1 if noise else 0)


@given(st.sampled_from(sorted(REQUIRED)), st.lists(st.tuples(st.integers(0, 30_000), st.text(max_size=8)), max_size=10))
def test_any_fields_are_checked_without_an_error_of_ours(kind: str, fields: Any) -> None:
    found = Message([(8, "FIXT.1.1"), (9, "1"), (35, kind), (34, "1"), *fields])
    with contextlib.suppress(Refused):
        found.check()
        for tag in (38, 44):
            if tag in found.values:
                found.decimal(tag, 2)
        found.instant_ms(126)
        found.integer(79, 0, 63)


@given(st.integers(0, 253_402_300_799_999))
def test_instants_go_both_ways(at_ms: int) -> None:
    assert time_ms(time_text(at_ms)) == at_ms


@pytest.mark.parametrize(
    "text", ["", "now", "20261122-25:00:00", "20260230-10:00:00.000", "2026-11-22T10:00:00Z", "20261122-10:00:00.1"]
)
def test_what_is_no_instant_is_none(text: str) -> None:
    assert time_ms(text) is None


def test_data_field_may_hold_the_separator() -> None:
    raw = "a\x01b=c\x01d"
    text = f"8=FIXT.1.1\x019=1\x0135=A\x0195={len(raw)}\x0196={raw}\x0198=0\x01"
    assert parse(text)[-2:] == [(96, raw), (98, "0")]


def test_text_that_would_break_the_framing_is_flattened() -> None:
    assert payload([(58, "two\x01lines=\u20ac")]) == "58=two lines= \x01"


def test_body_that_nobody_has_to_read_is_refused() -> None:
    with pytest.raises(TooLong):
        list(Framer().feed(b"8=FIXT.1.1\x019=%d\x01" % (MAX_BODY_BYTES + 1)))
