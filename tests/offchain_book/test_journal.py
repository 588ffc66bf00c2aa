"""The journal: durable, hash-chained, repaired when torn, refused when damaged."""

from pathlib import Path

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.operations import OrderScheme, Outcome, SignedOrder, TokenSide, VaultAction, VaultActionKind
from offchain_book.engine.order import BookSide
from offchain_book.engine.snapshot import state_hash
from offchain_book.journal import Journal, JournalDamaged, JournalInUse, decode, encode, read, read_config
from tests.engine.walk import Walk

SIGNED = SignedOrder(OrderScheme.POLYMARKET_V2, "0x1", "0x2", "0x2", str(2**255), TokenSide.BUY, 1, 2, str(2**250), "0x3")
ACTION = VaultAction("0x2", VaultActionKind.SPLIT, str(2**254), 5, "0x2", str(2**200), 9, "0x4")


def write(path: Path, steps: int = 30) -> Walk:
    walk = Walk(3)
    for _ in range(steps):
        walk.step()
    journal = Journal(path, {"settle_deadline_s": 60})
    for entry in walk.venue.log:
        journal.append([entry])
    journal.close()
    return walk


@pytest.mark.parametrize(
    "command",
    [
        c.PlaceOrder("o", "a", "T", BookSide.ASK, 100, 10_000, outcome=Outcome.NO, signed=SIGNED),
        c.SubmitAction("a", ACTION),
        cc.ConfirmBatch(1, "0x", 2, "0x", ((3, 4), (5, 6))),
        c.CreateMarket("T", "E", "t", "0x", "0x", "1", "2", 0, 1),
    ],
)
def test_a_command_comes_back_from_the_journal_exactly_as_it_went_in(command: c.Command) -> None:
    entry = c.Sequenced(7, 8, "request", command)
    assert decode(encode(entry)) == entry


def test_a_replay_of_the_file_gives_the_live_state(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    walk = write(path)
    state = new_state(read_config(path)["settle_deadline_s"])
    for entry in read(path):
        apply(state, entry)
    assert state_hash(state) == state_hash(walk.venue.state)


def test_a_journal_has_one_writer(tmp_path: Path) -> None:
    first = Journal(tmp_path / "journal", {})
    with pytest.raises(JournalInUse, match="--data-dir"):
        Journal(tmp_path / "journal", {})
    first.close()


def test_the_last_record_cut_at_every_byte_is_repaired_and_never_more_than_it(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    walk = write(path)
    whole = path.read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    for length in range(last, len(whole)):
        path.write_bytes(whole[:length])
        journal = Journal(path, {})
        journal.close()
        assert journal.last_seq == walk.venue.log[-1].seq - 1
        assert journal.repaired_bytes == length - last
        assert path.read_bytes() == whole[:last]


def test_appending_goes_on_after_a_repair(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    walk = write(path)
    path.write_bytes(path.read_bytes()[:-5])
    journal = Journal(path, {})
    journal.append([walk.venue.log[-1]])
    journal.close()
    assert [entry.seq for entry in read(path)] == [entry.seq for entry in walk.venue.log]


def test_every_flipped_byte_is_found_at_its_record(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    write(path, 6)
    whole = path.read_bytes()
    for position in range(0, len(whole) - 1, 7):
        if whole[position] == 10:
            continue
        flipped = bytearray(whole)
        flipped[position] ^= 0x01
        if flipped[position] == 10:
            continue
        path.write_bytes(bytes(flipped))
        with pytest.raises(JournalDamaged) as caught:
            list(read(path))
        assert caught.value.first_bad_seq == whole[:position].count(b"\n")


def test_a_lost_record_in_the_middle_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    write(path, 6)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4] + lines[5:]))
    with pytest.raises(JournalDamaged) as caught:
        list(read(path))
    assert caught.value.first_bad_seq == 4
