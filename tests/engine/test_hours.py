"""When the exchange takes what: modes, weekly hours, maintenance, each with its own refusal that says when it ends."""

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine import hours
from offchain_book.engine import market_commands as m
from offchain_book.engine.events import OrderCancelled, Rejected
from offchain_book.engine.market_events import ExchangeModeChanged, SessionChanged
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import Session
from tests.builders import ALICE, BOB, CONTRACT, DOLLAR, TICKER, WALT, Venue, find, open_venue, rejected

MODE, R = m.ExchangeMode, RejectCode
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MONDAY_MS = 4 * DAY_MS
"""5 January 1970, 00:00 UTC."""
FOREVER = 10**15


def with_order() -> Venue:
    venue = open_venue()
    venue.place(ALICE, "bid", 4_000, 3, order_id="rests")
    return venue


def code_of(events: list) -> RejectCode | None:
    return events[-1].code if isinstance(events[-1], Rejected) else None


@pytest.mark.parametrize(
    ("mode", "order", "post_only", "amend", "decrease", "cancel"),
    [
        (MODE.OPEN, None, None, None, None, None),
        (MODE.POST_ONLY, R.POST_ONLY_MODE, None, R.POST_ONLY_MODE, None, None),
        (MODE.CANCEL_ONLY, R.CANCEL_ONLY, R.CANCEL_ONLY, R.CANCEL_ONLY, None, None),
        (MODE.PAUSED, R.EXCHANGE_PAUSED, R.EXCHANGE_PAUSED, R.EXCHANGE_PAUSED, R.EXCHANGE_PAUSED, R.EXCHANGE_PAUSED),
    ],
)
def test_each_mode_takes_exactly_its_own(
    mode: m.ExchangeMode,
    order: RejectCode | None,
    post_only: RejectCode | None,
    amend: RejectCode | None,
    decrease: RejectCode | None,
    cancel: RejectCode | None,
) -> None:
    venue = with_order()
    venue.do(m.SetExchangeMode(mode))
    assert code_of(venue.place(BOB, "bid", 3_000, 1)) is order
    assert code_of(venue.place(BOB, "bid", 3_000, 1, post_only=True)) is post_only
    assert code_of(venue.do(c.AmendOrder(ALICE, "rests", 4_100))) is amend
    assert code_of(venue.do(c.DecreaseOrder(ALICE, "rests", reduce_to_micros=CONTRACT))) is decrease
    assert code_of(venue.do(c.CancelOrder(ALICE, "rests"))) is cancel


def test_a_pause_holds_nobodys_money() -> None:
    venue = with_order()
    venue.do(m.SetExchangeMode(MODE.PAUSED))
    assert code_of(venue.do(c.Withdraw("w", BOB, DOLLAR, WALT))) is None
    venue.deposit(BOB, DOLLAR)
    assert code_of(venue.do(c.TransferCash(BOB, "t", 0, 1, DOLLAR))) is R.EXCHANGE_PAUSED


def test_post_only_mode_lets_an_order_change_without_a_new_price() -> None:
    venue = with_order()
    venue.place(ALICE, "bid", 3_900, 3, order_id="posts", post_only=True)
    venue.do(m.SetExchangeMode(MODE.POST_ONLY))
    assert code_of(venue.do(c.AmendOrder(ALICE, "rests", expires_ms=FOREVER))) is None
    assert code_of(venue.do(c.AmendOrder(ALICE, "posts", 3_800))) is None


def test_a_mode_with_an_end_says_when_and_ends_by_the_clock() -> None:
    venue = with_order()
    venue.do(m.SetExchangeMode(MODE.POST_ONLY, venue.now_ms + 120_000))
    refused = rejected(venue.place(BOB, "bid", 3_000, 1))
    assert dict(refused.details)["resumes_ms"] == venue.now_ms + 120_000
    venue.now_ms += 120_000
    events = venue.place(BOB, "bid", 3_000, 1)
    assert events[0] == ExchangeModeChanged(MODE.OPEN, 0)
    assert code_of(events) is None


def test_a_newer_mode_replaces_the_end_of_the_older_one() -> None:
    venue = with_order()
    venue.do(m.SetExchangeMode(MODE.POST_ONLY, venue.now_ms + 1_000))
    venue.do(m.SetExchangeMode(MODE.PAUSED))
    venue.now_ms += 5_000
    assert venue.do(m.AdvanceClock()) == []
    assert code_of(venue.do(c.CancelOrders(ALICE))) is R.EXCHANGE_PAUSED


@pytest.mark.parametrize("mode", [MODE.CANCEL_ONLY, MODE.PAUSED])
def test_whatever_stops_trading_cancels_who_asked_for_it(mode: m.ExchangeMode) -> None:
    venue = with_order()
    venue.place(BOB, "bid", 3_000, 1, order_id="asked", cancel_on_pause=True)
    gone = find(venue.do(m.SetExchangeMode(mode)), OrderCancelled)
    assert [(order.order_id, order.reason) for order in gone] == [("asked", "paused")]


@pytest.mark.parametrize("command", [m.SetExchangeMode(MODE.PAUSED, 1), m.SetExchangeMode(MODE.OPEN, 10**12)])
def test_an_end_that_cannot_be_is_refused(command: m.SetExchangeMode) -> None:
    assert rejected(open_venue().do(command)).code is R.INVALID_SCHEDULE


# --- the week ------------------------------------------------------------------------------------------------------------


def minutes(day: int, hour: int, minute: int = 0) -> int:
    return day * 1_440 + hour * 60 + minute


PAUSE_ON_THURSDAY = ((0, minutes(3, 3)), (minutes(3, 5), hours.WEEK_MINUTES))
"""Open but for Thursday, 3 to 5 in the morning."""


def test_trading_stops_and_starts_by_the_weeks_clock() -> None:
    venue = Venue()
    venue.now_ms = MONDAY_MS
    venue.do(m.SetTradingHours(m.TradingHours((m.Week(0, FOREVER, PAUSE_ON_THURSDAY),))))
    assert venue.state.session is Session.OPEN
    stop, start = (MONDAY_MS + minutes(3, hour) * 60_000 for hour in (3, 5))
    assert venue.state.wake_ms == stop
    venue.now_ms = stop
    assert venue.do(m.AdvanceClock()) == [SessionChanged(Session.CLOSED, start)]
    venue.now_ms = start
    assert venue.do(m.AdvanceClock()) == [SessionChanged(Session.OPEN, start)]
    venue.now_ms = stop + 7 * DAY_MS
    assert venue.do(m.AdvanceClock()) == [SessionChanged(Session.CLOSED, start + 7 * DAY_MS)]


def test_outside_the_hours_orders_are_told_when_trading_opens_and_cancels_are_taken() -> None:
    venue = with_order()
    opens = (minutes(0, 9), minutes(0, 17))
    venue.do(m.SetTradingHours(m.TradingHours((m.Week(0, FOREVER, (opens,)),))))
    refused = rejected(venue.place(BOB, "bid", 3_000, 1))
    assert (refused.code, dict(refused.details)["opens_ms"]) == (R.OUTSIDE_TRADING_HOURS, MONDAY_MS + 9 * HOUR_MS)
    assert code_of(venue.do(c.CancelOrder(ALICE, "rests"))) is None


def test_maintenance_takes_nothing_and_says_when_trading_opens() -> None:
    venue = with_order()
    window = (venue.now_ms + 1_000, venue.now_ms + 9_000)
    venue.do(m.SetTradingHours(m.TradingHours(maintenance=(window,))))
    assert code_of(venue.place(BOB, "bid", 3_000, 1)) is None
    venue.now_ms += 1_000
    refused = venue.do(c.CancelOrder(ALICE, "rests"))[-1]
    assert refused == Rejected(R.MAINTENANCE, (("resumes_ms", window[1]),))
    venue.now_ms = window[1]
    assert code_of(venue.do(c.CancelOrder(ALICE, "rests"))) is None


def test_local_time_moves_with_its_offsets() -> None:
    """New York, the first Sunday of November 2026: 02:00 daylight time becomes 01:00 standard time."""
    change = 1_793_512_800_000
    timetable = m.TradingHours(
        (m.Week(0, FOREVER, ((minutes(6, 9), minutes(6, 17)),)),), offsets=((0, -240), (change, -300))
    )
    assert hours.next_opening_ms(timetable, change - 8 * HOUR_MS) == change + 8 * HOUR_MS, "9:00 is 14:00 UTC"
    assert hours.next_opening_ms(timetable, change - 8 * DAY_MS) == change - 7 * DAY_MS + 7 * HOUR_MS, "9:00 is 13:00 UTC"


def test_weeks_end_and_another_may_begin() -> None:
    whole = ((0, hours.WEEK_MINUTES),)
    timetable = m.TradingHours((m.Week(0, 5_000, whole), m.Week(9_000, 12_000, whole)))
    changes, at = [], 1
    while at := hours.next_change_ms(timetable, at):
        changes.append((at, hours.session_at(timetable, at)))
        if at >= 12_000:
            break
    assert changes == [(5_000, "closed"), (9_000, "open"), (12_000, "closed")]
    assert hours.next_opening_ms(timetable, 12_000) == 0


def test_replaced_hours_leave_nothing_of_the_old_ones_behind() -> None:
    venue = with_order()
    venue.do(m.SetTradingHours(m.TradingHours((m.Week(0, FOREVER, ()),))))
    assert code_of(venue.place(BOB, "bid", 3_000, 1)) is R.OUTSIDE_TRADING_HOURS
    venue.do(m.SetTradingHours(m.TradingHours()))
    assert code_of(venue.place(BOB, "bid", 3_000, 1)) is None
    assert not venue.state.agenda
    assert not venue.state.restricted


@pytest.mark.parametrize(
    "timetable",
    [
        m.TradingHours((m.Week(5, 5, ()),)),
        m.TradingHours((m.Week(0, 5, ((10, 10),)),)),
        m.TradingHours((m.Week(0, 5, ((0, hours.WEEK_MINUTES + 1),)),)),
        m.TradingHours(maintenance=((5, 5),)),
        m.TradingHours(offsets=((5, 0), (5, 60))),
        m.TradingHours(maintenance=((1, 2),) * (hours.MAX_RANGES + 1)),
    ],
)
def test_hours_that_cannot_be_are_refused(timetable: m.TradingHours) -> None:
    venue = open_venue()
    assert rejected(venue.do(m.SetTradingHours(timetable))).code is R.INVALID_SCHEDULE
    assert venue.state.hours == m.TradingHours()
    assert TICKER in venue.state.markets
