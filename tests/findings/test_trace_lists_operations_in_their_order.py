"""A trace listed the operations of a transaction in the order of a hash table: 10 before 3."""

from pathlib import Path

from offchain_book.engine import commands as c
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide
from offchain_book.gateways.trace import Tracer
from tests.sdk.kalshi_venue import ALICE, CONTRACT, TICKER, SmallVenue


async def test_operations_of_a_transaction_come_in_their_order(tmp_path: Path) -> None:
    async with SmallVenue(tmp_path / "journal", {}).running() as venue:
        await venue.do(c.PlaceOrder("waits", ALICE, TICKER, BookSide.BID, 4_000, 2 * CONTRACT))
        for number in range(11):
            if number not in (3, 10):
                await venue.do(c.PlaceOrder(f"first-{number}", ALICE, TICKER, BookSide.BID, 4_100, CONTRACT))
            await venue.wallet_order(BookSide.ASK, Outcome.NO, 4_000, 1)
        await venue.land()
        found = Tracer(venue.state, venue.projections).trace("waits", lambda name: name)
    assert found is not None
    assert [one["operations"] for one in found["transactions"]] == [[3, 10]]
