"""A batch that no block takes is cut in two; both parts are as fixed as the whole was."""

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine.rejects import RejectCode
from tests.builders import ALICE, WENDY, Venue, assert_books_balance, open_venue, rejected


@pytest.fixture
def venue() -> Venue:
    """Five fills in batches 0 (four of them) and 1."""
    found = open_venue()
    for _ in range(5):
        found.place(ALICE, "bid", 5_000, 1)
        found.place(WENDY, "buy no", 5_000, 1)
    found.do(cc.CutBatch(0, 0, 4, "0xab"))
    found.do(cc.CutBatch(1, 4, 1, "0xc"))
    return found


def shape(venue: Venue) -> list[tuple[int, int, int, str]]:
    batches = venue.state.batches.values()
    return [(batch.batch_no, batch.first, batch.count, batch.payload_hash) for batch in batches]


def test_parts_stay_in_the_order_of_the_stream(venue: Venue) -> None:
    venue.do(cc.SplitBatch(0, 1, "0xa", 2, "0xb"))
    assert shape(venue) == [(0, 0, 1, "0xa"), (2, 1, 3, "0xb"), (1, 4, 1, "0xc")]
    venue.do(cc.SplitBatch(2, 2, "0xba", 3, "0xbb"))
    assert [batch[0] for batch in shape(venue)] == [0, 2, 3, 1]


def test_parts_are_confirmed_in_stream_order_and_no_other(venue: Venue) -> None:
    venue.do(cc.SplitBatch(0, 1, "0xa", 2, "0xb"))
    assert rejected(venue.do(cc.ConfirmBatch(2, "0x", 1, "0x"))).code is RejectCode.BATCH_OUT_OF_ORDER
    for batch_no in (0, 2, 1):
        venue.do(cc.ConfirmBatch(batch_no, "0x", 1, "0x"))
        assert_books_balance(venue.state)
    assert venue.state.confirmed_operations == 5


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (cc.SplitBatch(7, 1, "0x", 2, "0x"), RejectCode.UNKNOWN_BATCH),
        (cc.SplitBatch(0, 1, "0x", 1, "0x"), RejectCode.BATCH_OUT_OF_ORDER),
        (cc.SplitBatch(0, 4, "0x", 2, "0x"), RejectCode.BATCH_OUT_OF_ORDER),
        (cc.SplitBatch(0, 0, "0x", 2, "0x"), RejectCode.BATCH_OUT_OF_ORDER),
        (cc.SplitBatch(1, 1, "0x", 2, "0x"), RejectCode.BATCH_OUT_OF_ORDER),
    ],
)
def test_what_is_no_split_changes_nothing(venue: Venue, command: cc.SplitBatch, code: RejectCode) -> None:
    before = shape(venue)
    assert rejected(venue.do(command)).code is code
    assert shape(venue) == before
