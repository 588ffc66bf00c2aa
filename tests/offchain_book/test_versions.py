"""A journal outlives the program that wrote it: old ones replay to the hash of their day, newer ones are refused by name."""

import hashlib
import json
from pathlib import Path
from typing import Any, get_args

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.operations import OrderScheme, SignedOrder, TokenSide
from offchain_book.engine.order import BookSide
from offchain_book.engine.snapshot import STATE_FORMAT, state_hash
from offchain_book.journal import GENESIS, Checkpoint, Journal, JournalTooNew, encode, read, read_config, read_records
from offchain_book.projections import Projections
from offchain_book.recovery import replay
from tests.offchain_book import golden
from tests.offchain_book.golden import FOLDER, money_hash

GOLDEN = sorted(FOLDER.glob("*.journal"))
SIGNED = SignedOrder(OrderScheme.NATIVE, "0x1", "0x2", "0x2", "3", TokenSide.BUY, 1, 2, "4", "0x5")
PLACED = c.Sequenced(1, 5, "", c.PlaceOrder("o", "a", "T", BookSide.BID, 100, 10_000, signed=SIGNED))
FLAT = c.Sequenced(1, 5, "", c.PlaceOrder("o", "a", "T", BookSide.BID, 100, 10_000, client_order_id="{"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_an_old_journal_replays_to_the_state_hash_of_its_day(path: Path) -> None:
    """If this fails, a change of the engine gives old commands another meaning: see ADR 0010 before anything else."""
    facts = json.loads(path.with_suffix(".json").read_text())
    state = replay(path, Projections())
    assert state.seq == facts["seq"]
    assert money_hash(state) == facts["money_hash"]
    if facts["state_format"] == STATE_FORMAT:
        assert state_hash(state) == facts["state_hash"]


def test_there_is_a_golden_journal_of_this_state_format() -> None:
    assert STATE_FORMAT in [json.loads(path.with_suffix(".json").read_text())["state_format"] for path in GOLDEN]


def test_the_next_golden_journal_will_hold_every_kind_of_command() -> None:
    assert {type(entry.command) for entry in golden.walk().venue.log} == set(get_args(c.Command))


def with_command(path: Path, change: Any, placed: c.Sequenced = PLACED) -> None:
    """Write a journal of one command whose body was changed by a newer, or an older, program."""
    body = json.loads(encode(placed))
    change(body)
    journal = Journal(path, {})
    journal._write([json.dumps(body).encode()])
    journal.close()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda body: body.update(kind="TeleportOrder"), "is a TeleportOrder"),
        (lambda body: body["command"].update(reduce_only_later=True), "has a PlaceOrder with the field reduce_only_later"),
        (lambda body: body["command"]["signed"].update(hint=1), "has a SignedOrder with the field hint"),
    ],
)
def test_what_a_newer_program_wrote_is_refused_and_not_read_without_it(tmp_path: Path, change: Any, what: str) -> None:
    path = tmp_path / "journal"
    with_command(path, change)
    with pytest.raises(JournalTooNew, match=f"record 1 {what}; it was written by a newer program"):
        list(read(path))


@pytest.mark.parametrize("hint", [1, {"a": 1}, "{"])
def test_a_field_that_only_a_newer_program_knows_is_refused_in_an_order_without_a_signature_too(
    tmp_path: Path, hint: Any
) -> None:
    path = tmp_path / "journal"
    with_command(path, lambda body: body["command"].update(hint=hint), FLAT)
    with pytest.raises(JournalTooNew, match="record 1 has a PlaceOrder with the field hint"):
        list(read(path))


def test_a_header_of_a_newer_format_is_refused_by_every_reader(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    header = b'{"format":99,"config":{"settle_deadline_s":60}}'
    path.write_bytes(hashlib.sha256(GENESIS.encode() + header).hexdigest().encode() + b" " + header + b"\n")
    for use in (read_config, lambda path: list(read(path)), lambda path: Journal(path, {}), replay):
        with pytest.raises(JournalTooNew, match="has format 99, this program reads 1"):
            use(path)
    assert path.read_bytes().endswith(b"}\n")


def test_a_record_without_the_fields_that_came_later_is_read_with_their_defaults(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    late = ("budget_micros", "signed", "expires_ms", "self_trade")
    with_command(path, lambda body: [body["command"].pop(name, None) for name in late])
    (entry,) = read(path)
    assert entry.command == c.PlaceOrder("o", "a", "T", BookSide.BID, 100, 10_000)


def test_fields_at_their_defaults_are_not_written_and_read_where_an_older_program_wrote_them(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written = json.loads(encode(FLAT))["command"]
    assert written.keys() == {"order_id", "account_id", "ticker", "side", "price_e4", "size_micros", "client_order_id"}
    late = {"outcome": None, "time_in_force": "good_till_canceled", "signed": None, "budget_micros": 0, "builder": ""}
    with_command(path, lambda body: body["command"].update(late), FLAT)
    (entry,) = read(path)
    assert entry == FLAT


def test_a_checkpoint_comes_back_exactly_and_its_later_fields_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path, {})
    checkpoint = Checkpoint(0, "ab", 1)
    journal.append([checkpoint])
    assert list(read_records(path)) == [checkpoint]
    journal._write([encode(checkpoint)[:-1] + b',"more":1}'])
    journal.close()
    with pytest.raises(JournalTooNew, match="field more"):
        list(read_records(path))
