"""What the contract held in past blocks: changes only, and every block between them answered."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from offchain_book.chain_record import ChainRecord, Span

POOL, ZOE = ("pool", "USD"), ("0xzoe", "USD")


@pytest.fixture
def record(tmp_path: Path) -> Iterator[ChainRecord]:
    made = ChainRecord(tmp_path / "record.sqlite")
    yield made
    made.close()


def held(record: ChainRecord, block: int) -> tuple[int, dict[tuple[str, str], int]] | None:
    found = record.at(block)
    return (found.block_number, dict(found.held)) if found is not None else None


def test_each_block_shows_what_was_last_read_before_it(record: ChainRecord) -> None:
    record.add(10, (0, 1, 0), {POOL: 5})
    record.add(13, (0, 1, 0), {POOL: 5})
    record.add(20, (2, 1, 0), {POOL: 7, ZOE: 3})
    record.add(21, (2, 1, 0), {ZOE: 4})
    assert held(record, 9) is None
    assert held(record, 12) == (12, {POOL: 5})
    assert held(record, 16) == (13, {POOL: 5})
    assert held(record, 20) == (20, {POOL: 7, ZOE: 3})
    assert held(record, 99) == (21, {POOL: 7, ZOE: 4})


def test_blocks_without_a_change_are_one_span(record: ChainRecord) -> None:
    for block in (10, 12, 15):
        record.add(block, (0, 1, 0), {POOL: 5})
    record.add(18, (0, 2, 0), {POOL: 5})
    found, after = record.at(14), record.after(15)
    assert found is not None
    assert after is not None
    assert found.span == Span(10, 15, 0, 1, 0)
    assert (after.span, after.block_number) == (Span(18, 18, 0, 2, 0), 18)
    assert record.after(18) is None


def test_a_block_that_is_not_newer_changes_nothing(record: ChainRecord) -> None:
    record.add(10, (0, 1, 0), {POOL: 5})
    record.add(10, (9, 9, 9), {POOL: 6})
    record.add(4, (9, 9, 9), {POOL: 6})
    assert held(record, 10) == (10, {POOL: 5})


def test_it_is_there_again_after_a_restart(tmp_path: Path) -> None:
    first = ChainRecord(tmp_path / "record.sqlite")
    first.add(10, (0, 1, 0), {POOL: 5})
    first.close()
    again = ChainRecord(tmp_path / "record.sqlite")
    again.add(11, (0, 1, 0), {POOL: 5, ZOE: 1})
    assert held(again, 11) == (11, {POOL: 5, ZOE: 1})
    again.close()
