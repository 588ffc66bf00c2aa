"""Found on the page beside a busy demo: with nothing under way, a block from before the last fill was held against the ledger.

What the ledger has confirmed was told by its oldest open operation; without one, every older block seemed to be comparable.
"""

from offchain_book.engine import chain_commands as cc
from offchain_book.reserves import pool_assets, read_books
from tests.builders import ALICE, WALT, open_venue


def test_a_block_from_before_the_last_confirmed_operation_is_not_compared() -> None:
    venue = open_venue()
    venue.place(ALICE, "bid", 5_000, 5)
    venue.place(WALT, "buy no", 5_000, 5)
    for is_confirmed in (False, True):
        if is_confirmed:
            venue.do(cc.CutBatch(0, 0, 1, "0x"))
            venue.do(cc.ConfirmBatch(0, "0xaa", 7, "0xb7", ()))
        books = read_books(venue.state, pool_assets(venue.state), [WALT])
        older = books.unlike(0, books.next_deposit, 0)
        assert bool(older) is is_confirmed
        assert not books.unlike(1, books.next_deposit, 0)
    assert older == "the block is at operation 0, the ledger has confirmed up to 1"
