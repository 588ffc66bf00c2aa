"""Found by the Kalshi gateway's tests: a refused order left an empty exposure behind, so the state hash changed."""

from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.snapshot import state_hash
from tests.builders import ALICE, WENDY, open_venue, rejected


def test_an_unfunded_order_changes_nothing_but_the_sequence_number() -> None:
    venue = open_venue(1_000_000)
    seq, before = venue.state.seq, state_hash(venue.state)
    assert rejected(venue.place(ALICE, "bid", 5_000, 100)).code is RejectCode.INSUFFICIENT_CASH
    assert rejected(venue.place(WENDY, "buy yes", 5_000, 100)).code is RejectCode.INSUFFICIENT_CASH
    venue.state.seq = seq
    assert state_hash(venue.state) == before
