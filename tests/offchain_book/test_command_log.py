"""What every back end of the journal must do. Add a maker to `BACK_ENDS` and the new back end is under test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from offchain_book.engine import commands as c
from offchain_book.journal import Checkpoint, CommandLog, Journal, Position

Maker = Callable[[Position | None], CommandLog]


def entry(seq: int) -> c.Sequenced:
    return c.Sequenced(seq, 1_000 + seq, f"request-{seq}", c.OpenAccount(f"account-{seq}", c.Custody.CUSTODIAL))


def in_file(folder: Path) -> Maker:
    return lambda known: Journal(folder / "journal", {}, known, check_all=known is None)


BACK_ENDS = {"file": in_file}


@pytest.fixture(params=list(BACK_ENDS))
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Maker]:
    """Open the log, or close it and open it again, from a known position if one is given."""
    make = BACK_ENDS[request.param](tmp_path)
    opened: list[CommandLog] = []

    def once_more(known: Position | None = None) -> CommandLog:
        if opened:
            opened.pop().close()
        opened.append(make(known))
        return opened[0]

    yield once_more
    opened.pop().close()


def test_a_new_log_is_empty(reopen: Maker) -> None:
    log = reopen(None)
    assert log.position.seq == 0
    assert list(log.read()) == []


def test_what_was_appended_is_read_in_order_also_after_opening_again(reopen: Maker) -> None:
    log = reopen(None)
    log.append([entry(1), entry(2)])
    log.append([entry(3)])
    assert list(log.read()) == [entry(1), entry(2), entry(3)]
    assert list(reopen(None).read()) == [entry(1), entry(2), entry(3)]


def test_reading_starts_after_any_command(reopen: Maker) -> None:
    log = reopen(None)
    log.append([entry(seq) for seq in range(1, 8)])
    for after in range(8):
        assert list(log.read(after)) == [entry(seq) for seq in range(after + 1, 8)]


def test_a_checkpoint_is_read_where_it_was_written_and_has_no_number(reopen: Maker) -> None:
    log = reopen(None)
    checkpoint = Checkpoint(1, "ab", 1)
    log.append([entry(1), entry(2), checkpoint, entry(3)])
    assert log.position.seq == 3
    assert list(reopen(None).read()) == [entry(1), entry(2), checkpoint, entry(3)]
    assert list(reopen(None).read(2)) == [checkpoint, entry(3)]


def test_a_command_out_of_order_is_refused_and_leaves_nothing(reopen: Maker) -> None:
    log = reopen(None)
    log.append([entry(1)])
    before = log.position
    for wrong in ([entry(1)], [entry(3)], [entry(2), entry(2)], [Checkpoint(2, "ab", 1)]):
        with pytest.raises(ValueError):
            log.append(wrong)
    assert log.position == before == reopen(None).position
    assert list(reopen(None).read()) == [entry(1)]


def test_the_last_hash_depends_on_everything_before_it(reopen: Maker) -> None:
    log = reopen(None)
    seen = [log.position.last_hash]
    for seq in range(1, 5):
        log.append([entry(seq)])
        seen.append(log.position.last_hash)
    assert len(set(seen)) == 5
    assert reopen(None).position.last_hash == seen[-1]


def test_a_log_opened_at_a_known_position_goes_on_from_there(reopen: Maker) -> None:
    log = reopen(None)
    log.append([entry(1), entry(2)])
    known = log.position
    log.append([entry(3)])
    log = reopen(known)
    assert list(log.read(2)) == [entry(3)]
    assert list(log.read()) == [entry(1), entry(2), entry(3)]
    log.append([entry(4)])
    assert log.position == reopen(None).position
    assert list(reopen(known).read(2)) == [entry(3), entry(4)]
