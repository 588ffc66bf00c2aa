"""Order groups: a limit on what may match in 15 seconds stops the group, whoever was maker."""

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.events import GroupChange, Matched, OrderCancelled, OrderGroupChanged
from offchain_book.engine.groups import MAX_LIMIT_MICROS, WINDOW_MS
from offchain_book.engine.order import CancelReason, TimeInForce
from offchain_book.engine.rejects import RejectCode
from tests.builders import ALICE, BOB, CONTRACT, Venue, assert_orders_are_listed, find, open_venue, rejected


@pytest.fixture
def venue() -> Venue:
    venue = open_venue()
    venue.do(c.CreateOrderGroup(ALICE, "g", 5 * CONTRACT))
    return venue


def changes(events: list[object]) -> list[GroupChange]:
    return [event.change for event in find(events, OrderGroupChanged)]


def test_reaching_the_limit_cancels_the_group_and_refuses_new_orders_until_reset(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 5, group_id="g")
    venue.place(ALICE, "bid", 4_000, 5, group_id="g", order_id="other")
    venue.place(ALICE, "bid", 3_000, 5, order_id="outside")
    events = venue.place(BOB, "ask", 5_000, 5)
    assert changes(events) == [GroupChange.TRIGGERED]
    assert [(e.order_id, e.reason) for e in find(events, OrderCancelled)] == [("other", CancelReason.GROUP_TRIGGERED)]
    assert list(venue.state.accounts[ALICE].open_orders) == ["outside"]
    refused = rejected(venue.place(ALICE, "bid", 4_000, 1, group_id="g"))
    assert refused.code is RejectCode.ORDER_GROUP_TRIGGERED
    assert changes(venue.do(c.ResetOrderGroup(ALICE, "g"))) == [GroupChange.RESET]
    venue.place(ALICE, "bid", 4_000, 1, group_id="g", order_id="again")
    assert "again" in venue.state.orders
    assert_orders_are_listed(venue.state)


def test_the_window_rolls(venue: Venue) -> None:
    for _ in range(3):
        venue.place(ALICE, "bid", 5_000, 4, group_id="g")
        assert not changes(venue.place(BOB, "ask", 5_000, 4))
        venue.now_ms += WINDOW_MS
    venue.place(ALICE, "bid", 5_000, 4, group_id="g")
    venue.place(BOB, "ask", 5_000, 4)
    venue.now_ms += WINDOW_MS - 1
    venue.place(ALICE, "bid", 5_000, 1, group_id="g")
    assert changes(venue.place(BOB, "ask", 5_000, 1)) == [GroupChange.TRIGGERED]


def test_an_arriving_order_stops_when_its_group_is_triggered(venue: Venue) -> None:
    for price in (5_000, 5_100, 5_200):
        venue.place(BOB, "ask", price, 3)
    events = venue.place(ALICE, "bid", 6_000, 9, group_id="g")
    assert sum(match.size_micros for match in find(events, Matched)) == 6 * CONTRACT
    assert find(events, OrderCancelled)[0].reason is CancelReason.GROUP_TRIGGERED
    assert_orders_are_listed(venue.state)


def test_a_fill_or_kill_order_is_refused_when_its_group_would_stop_it_half_way(venue: Venue) -> None:
    for price in (5_000, 5_100, 5_200):
        venue.place(BOB, "ask", price, 3)
    events = venue.place(ALICE, "bid", 6_000, 9, group_id="g", time_in_force=TimeInForce.FOK)
    assert rejected(events).code is RejectCode.FILL_OR_KILL_UNFILLED
    assert find(venue.place(ALICE, "bid", 6_000, 6, group_id="g", time_in_force=TimeInForce.FOK), Matched)


def test_an_amended_order_stops_when_its_group_is_triggered(venue: Venue) -> None:
    for price in (5_000, 5_100, 5_200):
        venue.place(BOB, "ask", price, 3)
    venue.place(ALICE, "bid", 1_000, 9, group_id="g", order_id="a")
    venue.place(ALICE, "bid", 1_000, 9, group_id="g", order_id="b")
    events = venue.do(c.AmendOrder(ALICE, "a", 6_000))
    assert sum(match.size_micros for match in find(events, Matched)) == 6 * CONTRACT
    assert {e.order_id for e in find(events, OrderCancelled)} == {"a", "b"}
    assert_orders_are_listed(venue.state)


def test_a_lower_limit_may_trigger_at_once(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 4, group_id="g")
    venue.place(BOB, "ask", 5_000, 3)
    assert changes(venue.do(c.SetOrderGroupLimit(ALICE, "g", 4 * CONTRACT))) == [GroupChange.LIMIT_UPDATED]
    events = venue.do(c.SetOrderGroupLimit(ALICE, "g", 3 * CONTRACT))
    assert changes(events) == [GroupChange.LIMIT_UPDATED, GroupChange.TRIGGERED]
    assert not venue.state.accounts[ALICE].open_orders


def test_a_group_can_be_triggered_and_deleted_by_hand(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 4, group_id="g")
    assert find(venue.do(c.TriggerOrderGroup(ALICE, "g")), OrderCancelled)[0].reason is CancelReason.GROUP_TRIGGERED
    venue.do(c.ResetOrderGroup(ALICE, "g"))
    venue.place(ALICE, "bid", 5_000, 4, group_id="g")
    events = venue.do(c.DeleteOrderGroup(ALICE, "g"))
    assert find(events, OrderCancelled)[0].reason is CancelReason.GROUP_DELETED
    assert rejected(venue.place(ALICE, "bid", 5_000, 4, group_id="g")).code is RejectCode.UNKNOWN_ORDER_GROUP
    assert rejected(venue.do(c.ResetOrderGroup(ALICE, "g"))).code is RejectCode.UNKNOWN_ORDER_GROUP


def test_a_group_belongs_to_its_account(venue: Venue) -> None:
    assert rejected(venue.place(BOB, "bid", 5_000, 1, group_id="g")).code is RejectCode.UNKNOWN_ORDER_GROUP
    assert rejected(venue.do(c.TriggerOrderGroup(BOB, "g"))).code is RejectCode.UNKNOWN_ORDER_GROUP
    assert rejected(venue.do(c.CancelOrders(BOB, group_id="g"))).code is RejectCode.UNKNOWN_ORDER_GROUP
    assert rejected(venue.do(c.CreateOrderGroup(ALICE, "g", CONTRACT))).code is RejectCode.ORDER_GROUP_EXISTS


@pytest.mark.parametrize("limit", [0, CONTRACT - 10_000, CONTRACT + 1, MAX_LIMIT_MICROS + 10_000])
def test_a_limit_is_one_to_a_million_contracts(venue: Venue, limit: int) -> None:
    assert rejected(venue.do(c.CreateOrderGroup(ALICE, "h", limit))).code is RejectCode.INVALID_GROUP_LIMIT
    assert rejected(venue.do(c.SetOrderGroupLimit(ALICE, "g", limit))).code is RejectCode.INVALID_GROUP_LIMIT


def test_an_account_has_a_bounded_number_of_groups(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offchain_book.engine.groups.MAX_GROUPS", 1)
    assert rejected(venue.do(c.CreateOrderGroup(ALICE, "h", CONTRACT))).code is RejectCode.TOO_MANY_ORDER_GROUPS


def test_cancelling_a_groups_orders_leaves_the_group(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 4, group_id="g")
    venue.place(ALICE, "bid", 5_000, 4, order_id="outside")
    assert len(venue.do(c.CancelOrders(ALICE, group_id="g"))) == 1
    assert list(venue.state.accounts[ALICE].open_orders) == ["outside"]
