"""What the read models say about an order that changes, and about retries."""

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.exchange import apply
from offchain_book.engine.order import OrderStatus
from offchain_book.projections import Projections
from offchain_book.views import OrderView
from tests.builders import ALICE, BOB, CONTRACT, DOLLAR, Venue, open_venue


class Watched(Venue):
    """A venue with read models."""

    def __init__(self) -> None:
        base = open_venue()
        self.__dict__.update(base.__dict__)
        self.projections = Projections()

    def do(self, command: c.Command, request_id: str = "") -> list[object]:  # type: ignore[override]
        """Apply one command and show it to the read models."""
        entry = c.Sequenced(self.state.seq + 1, self.now_ms, request_id, command)
        events = apply(self.state, entry)
        self.projections.observe(self.state, entry, events)
        return events


@pytest.fixture
def venue() -> Watched:
    return Watched()


def view(venue: Watched, order_id: str = "a") -> OrderView:
    return venue.projections.orders[order_id]


def test_an_order_is_found_by_every_client_id_that_it_has_had(venue: Watched) -> None:
    venue.place(ALICE, "bid", 5_000, 5, order_id="a", client_order_id="first")
    venue.do(c.AmendOrder(ALICE, "a", client_order_id="second"))
    for name in ("first", "second"):
        assert venue.projections.order_by_client_id(venue.state.accounts[ALICE], name) is view(venue)
    assert view(venue).client_order_id == "second"
    assert venue.projections.order_by_client_id(venue.state.accounts[BOB], "first") is None


def test_a_view_follows_decrease_and_amendment(venue: Watched) -> None:
    venue.place(ALICE, "bid", 5_000, 5, order_id="a")
    venue.place(BOB, "ask", 5_000, 1)
    venue.do(c.DecreaseOrder(ALICE, "a", CONTRACT))
    found = view(venue)
    assert (found.size_micros, found.filled_micros, found.remaining_micros) == (4 * CONTRACT, CONTRACT, 3 * CONTRACT)
    venue.do(c.AmendOrder(ALICE, "a", 4_000, 9 * CONTRACT, venue.now_ms + 9))
    assert (found.price_e4, found.size_micros, found.remaining_micros) == (4_000, 9 * CONTRACT, 8 * CONTRACT)
    assert found.expires_ms == venue.now_ms + 9
    assert found.decreased_micros == CONTRACT
    venue.place(BOB, "ask", 6_000, 8)
    venue.do(c.AmendOrder(ALICE, "a", 6_000))
    assert found.status is OrderStatus.EXECUTED
    assert found.taker_cost_micros == 8 * 600_000


def test_a_capped_reduce_only_order_is_shown_with_its_capped_size(venue: Watched) -> None:
    venue.place(ALICE, "bid", 5_000, 2)
    venue.place(BOB, "ask", 5_000, 2)
    venue.place(BOB, "bid", 5_000, 9)
    venue.place(ALICE, "ask", 5_000, 9, order_id="a", reduce_only=True, time_in_force=c.TimeInForce.IOC)
    assert (view(venue).size_micros, view(venue).status) == (2 * CONTRACT, OrderStatus.EXECUTED)


def test_transfers_are_listed_with_their_account(venue: Watched) -> None:
    venue.do(c.OpenSubaccount(ALICE))
    venue.do(c.TransferCash(ALICE, "t", 0, 1, DOLLAR))
    (transfer,) = venue.projections.transfers_by_account[ALICE]
    assert (transfer.transfer_id, transfer.to_subaccount, transfer.amount_micros) == ("t", 1, DOLLAR)
