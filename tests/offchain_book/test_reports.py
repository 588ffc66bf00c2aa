"""Reports follow from the journal: the same ones live, after a snapshot, and replayed; each says what was at its moment."""

import msgspec
import pytest

from offchain_book import segments
from offchain_book.engine import commands as c
from offchain_book.engine.exchange import apply
from offchain_book.engine.order import TimeInForce
from offchain_book.projections import Projections
from offchain_book.reports import Report, ReportKind, request_id, request_name
from tests.builders import ALICE, BOB, CONTRACT, Venue, open_venue

SESSION = "fix~KalshiNR~key"


class Reported(Venue):
    """A venue with read models, whose orders come by a session that reports every step."""

    def __init__(self) -> None:
        self.__dict__.update(open_venue().__dict__)
        self.projections = Projections()
        self.number = 0

    def send(self, command: c.Command, name: str = "") -> list[Report]:
        """Apply one command of the session and return its reports."""
        self.number += 1
        entry = c.Sequenced(self.state.seq + 1, self.now_ms, request_id("token", self.number, name), command)
        self.log.append(entry)
        self.projections.observe(self.state, entry, apply(self.state, entry))
        return self.projections.reports_of(entry.seq)

    def order(
        self, name: str, side: str, price_e4: int, contracts: int, account_id: str = ALICE, **more: object
    ) -> list[Report]:
        """Place an order of the session."""
        place = c.PlaceOrder(
            f"id-{name}",
            account_id,
            "RAIN-1",
            c.BookSide.BID if side == "bid" else c.BookSide.ASK,
            price_e4,
            contracts * CONTRACT,
            client_order_id=name,
            session_id=SESSION,
            **more,  # type: ignore[arg-type]
        )
        return self.send(place, name)


@pytest.fixture
def venue() -> Reported:
    return Reported()


def lived(venue: Reported) -> None:
    """Every kind of step once."""
    venue.order("a", "bid", 5_000, 5)
    venue.order("b", "bid", 4_900, 5)
    venue.order("take", "ask", 4_900, 8, BOB, time_in_force=TimeInForce.IOC)
    venue.order("again", "bid", 20_000, 1)
    venue.send(c.AmendOrder(ALICE, "id-b", 4_800, 6 * CONTRACT, None, "b2"), "b2")
    venue.send(c.DecreaseOrder(ALICE, "id-b", 1 * CONTRACT))
    venue.send(c.CancelOrder(ALICE, "id-b"), "c")
    venue.send(c.CancelOrder(ALICE, "id-b"), "d")
    venue.send(c.CreateOrderGroup(ALICE, "group", 5 * CONTRACT))
    venue.send(c.DeleteOrderGroup(ALICE, "nowhere"))
    venue.send(c.CancelOrders(ALICE, session_id=SESSION), "all")


def test_a_taker_that_meets_two_orders_has_a_report_of_each_fill_with_what_was_then(venue: Reported) -> None:
    venue.order("a", "bid", 5_000, 5)
    venue.order("b", "bid", 4_900, 5)
    made = venue.order("take", "ask", 4_900, 12, BOB, time_in_force=TimeInForce.IOC)
    mine = [report for report in made if report.account_id == BOB]
    assert [report.kind for report in mine] == [
        ReportKind.ACCEPTED,
        ReportKind.FILLED,
        ReportKind.FILLED,
        ReportKind.CANCELLED,
    ]
    first, second = mine[1:3]
    assert mine[0].trades_at_once
    assert (first.last_price_e4, first.remaining_micros, first.position_micros, first.ends) == (
        5_000, 7 * CONTRACT, -5 * CONTRACT, False)  # fmt: skip
    assert (second.last_price_e4, second.filled_micros, second.position_micros, second.ends) == (
        4_900, 10 * CONTRACT, -10 * CONTRACT, True)  # fmt: skip
    assert second.value_micros_e4 == 5 * CONTRACT * 5_000 + 5 * CONTRACT * 4_900
    assert [report.place for report in made] == list(range(len(made)))
    assert [report.client_order_id for report in made if report.account_id == ALICE] == ["a", "b"]


def test_names_before_and_after_a_change_are_told(venue: Reported) -> None:
    venue.order("a", "bid", 5_000, 5)
    (changed,) = venue.send(c.AmendOrder(ALICE, "id-a", 4_000, None, None, "a2"), "a2")
    assert (changed.kind, changed.previous_id, changed.client_order_id, changed.price_e4) == ("changed", "a", "a2", 4_000)
    (gone,) = venue.send(c.CancelOrder(ALICE, "id-a"), "end")
    assert (gone.previous_id, gone.client_order_id, gone.remaining_micros) == ("a2", "end", 0)


def test_a_name_with_any_sign_in_it_comes_back(venue: Reported) -> None:
    assert request_name(request_id("token", 7, "a~b:c~")) == "a~b:c~"
    assert request_name("somebody-else") == ""


def test_order_of_another_door_keeps_its_name_unless_it_is_given_another(venue: Reported) -> None:
    def step(command: c.Command) -> Report:
        entry = c.Sequenced(venue.state.seq + 1, venue.now_ms, "", command)
        venue.projections.observe(venue.state, entry, apply(venue.state, entry))
        (report,) = venue.projections.reports_of(entry.seq)
        return report

    place = c.PlaceOrder("id", ALICE, "RAIN-1", c.BookSide.BID, 5_000, 5 * CONTRACT, client_order_id="a")
    made = [
        step(place),
        step(c.DecreaseOrder(ALICE, "id", 1 * CONTRACT)),
        step(c.AmendOrder(ALICE, "id", 4_000, None, None, "b")),
        step(c.CancelOrder(ALICE, "id")),
    ]
    assert [(one.kind, one.previous_id, one.client_order_id) for one in made] == [
        ("accepted", "", "a"),
        ("changed", "", "a"),
        ("changed", "a", "b"),
        ("cancelled", "", "b"),
    ]


def test_refused_request_of_another_door_has_no_report(venue: Reported) -> None:
    entry = c.Sequenced(venue.state.seq + 1, venue.now_ms, "", c.CancelOrder(ALICE, "nowhere"))
    venue.projections.observe(venue.state, entry, apply(venue.state, entry))
    assert venue.projections.reports_by_owner == {}


def test_replayed_or_from_a_snapshot_the_reports_are_the_same(venue: Reported) -> None:
    lived(venue)
    live = venue.projections.reports_by_owner
    assert {report.kind for report in live[ALICE] + live[BOB]} == set(ReportKind)
    replayed, fresh = Projections(), Reported()
    opening = len(fresh.log)
    for entry in venue.log[opening:]:
        replayed.observe(fresh.state, entry, apply(fresh.state, entry))
    data = segments.encode(segments.cut(replayed, 0)) if replayed.commands else b""
    assert msgspec.json.encode(replayed.reports_by_owner) == msgspec.json.encode(live)
    restored = segments.decode(data).reports
    assert sorted(restored, key=lambda one: (one.seq, one.place)) == sorted(
        live[ALICE] + live[BOB], key=lambda one: (one.seq, one.place)
    )
