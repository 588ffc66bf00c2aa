"""Dead-man timers and sessions: orders go when their owner falls silent."""

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.events import DeadManFired, OrderCancelled, SessionEnded
from offchain_book.engine.exchange import next_due_ms
from offchain_book.engine.order import CancelReason
from offchain_book.engine.rejects import RejectCode
from tests.builders import ALICE, BOB, DOLLAR, TICKER, WENDY, Venue, find, open_venue, rejected


@pytest.fixture
def venue() -> Venue:
    venue = open_venue()
    venue.place(ALICE, "bid", 5_000, 1, order_id="plain")
    venue.place(ALICE, "bid", 5_000, 1, order_id="session", session_id="s")
    return venue


def left(venue: Venue) -> list[str]:
    return list(venue.state.accounts[ALICE].open_orders)


def test_a_timer_cancels_every_order_of_its_account_when_the_command_clock_passes_it(venue: Venue) -> None:
    venue.do(c.ArmDeadMan(ALICE, venue.now_ms + 1_000))
    assert next_due_ms(venue.state) == venue.now_ms + 1_000
    venue.now_ms += 999
    venue.do(c.CancelOrders(BOB))
    assert left(venue) == ["plain", "session"]
    venue.now_ms += 1
    events = venue.place(BOB, "ask", 5_000, 1)
    assert {event.reason for event in find(events, OrderCancelled)} == {CancelReason.DEAD_MAN}
    assert find(events, DeadManFired)
    assert left(venue) == []
    assert len(venue.state.accounts[BOB].open_orders) == 1
    assert not venue.state.dead_men


def test_a_sessions_timer_leaves_other_orders(venue: Venue) -> None:
    venue.do(c.ArmDeadMan(ALICE, venue.now_ms + 1_000, "s"))
    venue.now_ms += 1_000
    venue.do(c.CancelOrders(BOB))
    assert left(venue) == ["plain"]


def test_arming_again_moves_the_deadline_and_disarming_stops_it(venue: Venue) -> None:
    venue.do(c.ArmDeadMan(ALICE, venue.now_ms + 1_000))
    venue.now_ms += 900
    venue.do(c.ArmDeadMan(ALICE, venue.now_ms + 1_000))
    venue.now_ms += 900
    venue.do(c.DisarmDeadMan(ALICE))
    venue.now_ms += 900
    venue.do(c.CancelOrders(BOB))
    assert len(left(venue)) == 2
    assert rejected(venue.do(c.DisarmDeadMan(ALICE))).code is RejectCode.UNKNOWN_TIMER


def test_a_session_that_ends_takes_its_orders_and_its_timer(venue: Venue) -> None:
    venue.do(c.ArmDeadMan(ALICE, venue.now_ms + 1_000, "s"))
    events = venue.do(c.EndSession(ALICE, "s"))
    assert find(events, OrderCancelled)[0].reason is CancelReason.SESSION_ENDED
    assert left(venue) == ["plain"]
    assert not venue.state.dead_men
    assert venue.do(c.EndSession(ALICE, "s")) == [SessionEnded(ALICE, "s")]


def test_a_timer_of_an_account_guards_its_subaccounts_too(venue: Venue) -> None:
    venue.do(c.OpenSubaccount(ALICE))
    venue.do(c.TransferCash(ALICE, "t", 0, 1, DOLLAR))
    venue.place(f"{ALICE}/1", "bid", 5_000, 1)
    venue.do(c.ArmDeadMan(ALICE, venue.now_ms + 1))
    venue.now_ms += 1
    assert len(find(venue.do(c.CancelOrders(BOB)), OrderCancelled)) == 3


def test_wallets_have_timers_as_well(venue: Venue) -> None:
    venue.place(WENDY, "buy yes", 4_000, 1)
    venue.do(c.ArmDeadMan(WENDY, venue.now_ms + 1))
    venue.now_ms += 1
    assert find(venue.do(c.CancelOrders(BOB, TICKER)), OrderCancelled)[0].account_id == WENDY


def test_a_deadline_lies_ahead_and_timers_are_bounded(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rejected(venue.do(c.ArmDeadMan(ALICE, venue.now_ms))).code is RejectCode.EXPIRY_IN_PAST
    monkeypatch.setattr("offchain_book.engine.timers.MAX_TIMERS", 1)
    venue.do(c.ArmDeadMan(ALICE, venue.now_ms + 1, "a"))
    venue.do(c.ArmDeadMan(ALICE, venue.now_ms + 2, "a"))
    assert rejected(venue.do(c.ArmDeadMan(ALICE, venue.now_ms + 1, "b"))).code is RejectCode.TOO_MANY_TIMERS
