"""A market's life: opens and closes by the clock, pauses, is decided, disputed, amended, void, and ends once."""

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine.events import Event, MarketCreated, OrderCancelled
from offchain_book.engine.market import Market, MarketStatus
from offchain_book.engine.market_events import (
    MarketResolved,
    MarketStatusChanged,
    MarketVoided,
    PositionPaid,
    ResolutionReleased,
    TicksRefined,
)
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.resolution import is_released
from tests.builders import (
    ALICE,
    BOB,
    CONTRACT,
    DOLLAR,
    WENDY,
    Venue,
    assert_books_balance,
    assert_orders_are_listed,
    exclusive,
    find,
    market,
    open_venue,
    rejected,
)

NEW = "NEW-1"
S = MarketStatus


def stage(**terms: object) -> tuple[Venue, Market]:
    """Return a venue and a market of its own with these terms."""
    venue = open_venue()
    assert find(venue.do(market(NEW, **terms)), MarketCreated)
    return venue, venue.state.markets[NEW]


def statuses(events: list[Event]) -> list[str]:
    return [event.status for event in find(events, MarketStatusChanged)]


def wait(venue: Venue, ms: int) -> list[Event]:
    venue.now_ms += ms
    return venue.do(m.AdvanceClock())


def trade(venue: Venue, price: int = 6_000, size: float = 2) -> None:
    venue.place(ALICE, "bid", price, size, NEW)
    venue.place(BOB, "ask", price, size, NEW)


# --- opening, closing ----------------------------------------------------------------------------------------------------


def test_a_market_opens_and_closes_by_the_clock_alone() -> None:
    venue, listed = stage(open_ms=1_001_000, close_ms=1_002_000)
    assert listed.status is S.INITIALIZED
    refused = rejected(venue.place(ALICE, "bid", 5_000, 1, NEW))
    assert (refused.code, dict(refused.details)["opens_ms"]) == (RejectCode.MARKET_NOT_OPEN_YET, 1_001_000)
    assert wait(venue, 999) == []
    assert statuses(wait(venue, 1)) == ["active"]
    venue.place(ALICE, "bid", 5_000, 1, NEW, order_id="o")
    events = wait(venue, 1_000)
    assert statuses(events) == ["closed"]
    assert [gone.order_id for gone in find(events, OrderCancelled)] == ["o"]


def test_a_clock_that_passes_open_and_close_at_once_leaves_the_market_closed() -> None:
    venue, listed = stage(open_ms=1_001_000, close_ms=1_002_000)
    assert statuses(wait(venue, 10_000)) == ["active", "closed"]
    assert listed.status is S.CLOSED


def test_a_market_closed_before_it_opened_stays_closed() -> None:
    venue, listed = stage(open_ms=1_001_000)
    venue.do(c.CloseMarket(NEW))
    assert wait(venue, 2_000) == []
    assert listed.status is S.CLOSED


def test_an_early_close_becomes_the_close_time() -> None:
    venue, listed = stage()
    venue.do(c.CloseMarket(NEW))
    assert listed.close_ms == venue.now_ms


def test_terms_that_rule_out_an_early_close_rule_out_an_early_outcome_and_allow_a_void() -> None:
    venue, listed = stage(can_close_early=False, close_ms=1_002_000)
    for command in (c.CloseMarket(NEW), c.ResolveMarket(NEW, 0)):
        assert rejected(venue.do(command)).code is RejectCode.EARLY_CLOSE_RULED_OUT
    wait(venue, 5_000)
    assert statuses(venue.do(c.ResolveMarket(NEW, 0))) == ["determined"]
    venue.do(market("NEW-2", can_close_early=False))
    assert statuses(venue.do(m.VoidMarket("NEW-2"))) == ["closed", "determined"]
    assert listed.status is S.DETERMINED


# --- pause ---------------------------------------------------------------------------------------------------------------


def test_a_pause_cancels_who_asked_for_it_and_lets_the_others_cancel() -> None:
    venue, listed = stage()
    venue.place(ALICE, "bid", 5_000, 1, NEW, order_id="stays")
    venue.place(ALICE, "bid", 5_100, 1, NEW, order_id="goes", cancel_on_pause=True)
    venue.place(BOB, "bid", 5_200, 3, NEW, order_id="shrinks")
    events = venue.do(m.PauseMarket(NEW))
    assert [(gone.order_id, gone.reason) for gone in find(events, OrderCancelled)] == [("goes", "paused")]
    refused = rejected(venue.place(BOB, "ask", 5_000, 1, NEW))
    assert (refused.code, dict(refused.details)["status"]) == (RejectCode.MARKET_INACTIVE, "inactive")
    assert rejected(venue.do(c.AmendOrder(ALICE, "stays", 5_050))).code is RejectCode.MARKET_INACTIVE
    assert venue.do(c.DecreaseOrder(BOB, "shrinks", reduce_to_micros=CONTRACT))
    assert find(venue.do(c.CancelOrder(ALICE, "stays")), OrderCancelled)
    assert listed.book.best_bid_e4 == 5_200
    assert_orders_are_listed(venue.state)


def test_a_resumed_market_starts_with_an_empty_book() -> None:
    venue, listed = stage()
    venue.place(ALICE, "bid", 5_000, 1, NEW, order_id="old")
    venue.do(m.PauseMarket(NEW))
    events = venue.do(m.ResumeMarket(NEW))
    assert [(gone.order_id, gone.reason) for gone in find(events, OrderCancelled)] == [("old", "resumed")]
    assert len(listed.book) == 0
    assert venue.state.accounts[ALICE].cash.held == 0
    venue.place(ALICE, "bid", 5_000, 1, NEW)
    assert len(listed.book) == 1


def test_a_paused_market_still_closes_on_time() -> None:
    venue, _ = stage(close_ms=1_002_000)
    venue.place(ALICE, "bid", 5_000, 1, NEW)
    venue.do(m.PauseMarket(NEW))
    assert statuses(wait(venue, 2_000)) == ["closed"]
    assert rejected(venue.do(m.ResumeMarket(NEW))).code is RejectCode.WRONG_MARKET_STATE
    assert not venue.state.orders


@pytest.mark.parametrize("command", [m.PauseMarket, m.ResumeMarket, m.VoidMarket, m.DisputeResolution])
def test_a_market_that_does_not_exist_is_named(command: type) -> None:
    assert rejected(open_venue().do(command("NONE"))).code is RejectCode.UNKNOWN_MARKET


# --- decided, disputed, amended ------------------------------------------------------------------------------------------


def test_without_a_settlement_timer_an_outcome_stands_at_once() -> None:
    venue, listed = stage()
    assert find(venue.do(c.ResolveMarket(NEW, DOLLAR)), ResolutionReleased)
    assert is_released(venue.state, listed)
    assert rejected(venue.do(m.DisputeResolution(NEW))).code is RejectCode.NO_LONGER_DISPUTABLE


def test_an_outcome_stands_when_its_settlement_timer_has_run_out() -> None:
    venue, listed = stage(settlement_timer_s=60)
    assert not find(venue.do(c.ResolveMarket(NEW, DOLLAR)), ResolutionReleased)
    wait(venue, 59_999)
    assert not is_released(venue.state, listed)
    assert find(wait(venue, 1), ResolutionReleased) == [ResolutionReleased(NEW)]
    assert is_released(venue.state, listed)


def test_a_dispute_stops_the_timer_and_an_amendment_pays_the_new_outcome() -> None:
    venue, listed = stage(settlement_timer_s=60)
    trade(venue)
    venue.do(c.ResolveMarket(NEW, DOLLAR, "first source"))
    assert statuses(venue.do(m.DisputeResolution(NEW, "the source was wrong"))) == ["disputed"]
    assert rejected(venue.do(c.ResolveMarket(NEW, 0))).code is RejectCode.ALREADY_RESOLVED
    assert wait(venue, 3_600_000) == [], "a disputed outcome does not stand however long it takes"
    assert not is_released(venue.state, listed)
    events = venue.do(m.AmendResolution(NEW, 0, "second source"))
    assert statuses(events) == ["amended"]
    assert find(events, MarketResolved) == [MarketResolved(NEW, 0)]
    assert statuses(venue.do(m.DisputeResolution(NEW))) == ["disputed"], "an amended outcome can be disputed again"
    assert statuses(venue.do(m.AmendResolution(NEW, 0))) == ["determined"], "upheld"
    wait(venue, 60_000)
    paid = find(venue.do(cc.ConfirmResolution(NEW, 0, "0x", 1)), PositionPaid)
    assert {payment.account_id: payment.payout_micros for payment in paid} == {ALICE: 0, BOB: 2 * DOLLAR}
    assert listed.status is S.FINALIZED
    assert_books_balance(venue.state)


@pytest.mark.parametrize(
    ("before", "command"),
    [
        (None, m.DisputeResolution(NEW)),
        (None, m.AmendResolution(NEW, 0)),
        (c.ResolveMarket(NEW, 0), m.AmendResolution(NEW, 0)),
        (c.CloseMarket(NEW), m.PauseMarket(NEW)),
        (m.PauseMarket(NEW), m.PauseMarket(NEW)),
    ],
)
def test_a_step_that_does_not_fit_the_state_says_which_state_it_needs(before: c.Command | None, command: c.Command) -> None:
    venue, listed = stage(settlement_timer_s=60)
    if before is not None:
        venue.do(before)
    refused = rejected(venue.do(command))
    assert refused.code is RejectCode.WRONG_MARKET_STATE
    assert dict(refused.details)["status"] == listed.status


# --- void ----------------------------------------------------------------------------------------------------------------


def test_a_void_market_pays_the_last_price_and_every_set_its_dollar() -> None:
    venue, listed = stage()
    trade(venue, 3_000, 2)
    trade(venue, 6_500, 1.37)
    venue.place(WENDY, "buy no", 3_500, 1, NEW)
    events = venue.do(m.VoidMarket(NEW, reason="the match was called off"))
    assert find(events, MarketVoided) == [MarketVoided(NEW, "the match was called off")]
    assert listed.yes_payout_micros == 650_000
    assert listed.voided
    if venue.state.next_operation > venue.state.uncut:
        venue.land()
    paid = find(venue.do(cc.ConfirmResolution(NEW, 650_000, "0x", 1)), PositionPaid)
    assert sum(payment.payout_micros for payment in paid) == round(3.37 * DOLLAR)
    assert_books_balance(venue.state)


def test_a_void_market_without_trades_pays_half_and_a_stated_value_goes_before() -> None:
    venue, listed = stage()
    venue.do(m.VoidMarket(NEW))
    assert listed.yes_payout_micros == 500_000
    venue.do(market("NEW-2"))
    venue.do(m.VoidMarket("NEW-2", 123_456))
    assert venue.state.markets["NEW-2"].yes_payout_micros == 123_456
    assert rejected(venue.do(m.VoidMarket("NEW-2"))).code is RejectCode.ALREADY_RESOLVED
    venue.do(market("NEW-3"))
    assert rejected(venue.do(m.VoidMarket("NEW-3", 1_000_001))).code is RejectCode.INVALID_PAYOUT


def test_a_dispute_may_end_in_a_void_and_a_void_in_an_outcome() -> None:
    venue, listed = stage(settlement_timer_s=60)
    venue.do(c.ResolveMarket(NEW, DOLLAR))
    venue.do(m.DisputeResolution(NEW))
    assert statuses(venue.do(m.VoidMarket(NEW))) == ["amended"]
    assert listed.voided
    venue.do(m.DisputeResolution(NEW))
    venue.do(m.AmendResolution(NEW, DOLLAR))
    assert not listed.voided
    assert listed.yes_payout_micros == DOLLAR


def test_what_nobody_has_decided_by_its_latest_expiration_is_void() -> None:
    venue, listed = stage(close_ms=1_002_000, latest_expiration_ms=1_005_000)
    trade(venue, 7_000, 1)
    wait(venue, 4_999)
    assert listed.status is S.CLOSED
    assert listed.undecided
    events = wait(venue, 1)
    assert listed.yes_payout_micros == 700_000
    assert find(events, MarketVoided)
    venue.do(market("NEW-2", close_ms=2_000_000, latest_expiration_ms=2_000_000))
    venue.do(c.ResolveMarket("NEW-2", 0))
    assert not find(wait(venue, 10**7), MarketVoided), "a decided market keeps its outcome"


@pytest.mark.parametrize("terms", [{"settlement_timer_s": -1}, {"latest_expiration_ms": 1, "close_ms": 2}])
def test_terms_that_cannot_be_are_refused(terms: dict[str, int]) -> None:
    assert rejected(open_venue().do(market(NEW, **terms))).code is RejectCode.INVALID_MARKET


# --- ticks ---------------------------------------------------------------------------------------------------------------


def test_finer_ticks_keep_every_order_and_its_place() -> None:
    venue, listed = stage()
    for number, (who, side, price) in enumerate(
        [(ALICE, "bid", 4_900), (BOB, "bid", 5_000), (WENDY, "buy yes", 5_000), (ALICE, "ask", 5_200), (BOB, "ask", 5_100)]
    ):
        venue.place(who, side, price, 1, NEW, order_id=f"o{number}")
    before = [order.order_id for side in c.BookSide for order in listed.book.walk(side)]
    events = venue.do(m.RefineTicks(NEW, "deci_cent", ((10, 9_990, 10),)))
    assert events == [TicksRefined(NEW, "deci_cent", 100, 10)]
    assert [order.order_id for side in c.BookSide for order in listed.book.walk(side)] == before
    venue.place(ALICE, "bid", 5_010, 1, NEW, order_id="between")
    venue.place(BOB, "ask", 5_090, 1, NEW)
    assert listed.book.depth(c.BookSide.BID) == [(5_010, CONTRACT), (5_000, 2 * CONTRACT), (4_900, CONTRACT)]
    assert listed.book.best_ask_e4 == 5_090
    venue.do(c.CancelOrder(ALICE, "between"))
    assert listed.book.best_bid_e4 == 5_000
    filled = venue.place(WENDY, "sell yes", 4_900, 1, NEW)
    assert rejected(filled).code is RejectCode.INSUFFICIENT_TOKENS
    events = venue.do(m.RefineTicks(NEW, "fine", ((1, 9_999, 1),)))
    assert events == [TicksRefined(NEW, "fine", 10, 1)]


@pytest.mark.parametrize(
    ("ranges", "lost"),
    [(((100, 9_900, 200),), 200), (((1_000, 9_000, 10),), 100), (((30, 9_990, 30),), 100), (((10, 5_000, 10),), 5_100)],
)
def test_ticks_that_would_strand_a_price_are_refused_with_that_price(ranges: m.Ranges, lost: int) -> None:
    venue, _ = stage()
    refused = rejected(venue.do(m.RefineTicks(NEW, "x", ranges)))
    code = RejectCode.INVALID_MARKET if ranges[0][0] % ranges[0][2] else RejectCode.TICKS_NOT_FINER
    assert refused.code is code
    if code is RejectCode.TICKS_NOT_FINER:
        assert dict(refused.details)["price_e4"] == lost


def test_a_void_market_pays_no_more_than_its_exclusive_event_leaves() -> None:
    venue = open_venue()
    first, second, third = exclusive(venue, "CUP", 3)
    venue.place(ALICE, "bid", 8_000, 1, second)
    venue.place(BOB, "ask", 8_000, 1, second)
    venue.do(c.ResolveMarket(first, 600_000))
    refused = rejected(venue.do(m.VoidMarket(second, 500_000)))
    assert refused.code is RejectCode.INCONSISTENT_RESULT
    venue.do(m.VoidMarket(second))
    assert venue.state.markets[second].yes_payout_micros == 400_000, "80 cents were traded, 40 are left"
    venue.do(m.VoidMarket(third))
    assert venue.state.markets[third].yes_payout_micros == 0


def test_an_amendment_must_fit_the_results_of_the_event() -> None:
    venue = open_venue()
    first, _ = exclusive(venue, "CUP", 2)
    venue.do(market("CUP-3", "CUP", settlement_timer_s=60))
    venue.do(c.ResolveMarket("CUP-3", 0))
    venue.do(m.DisputeResolution("CUP-3"))
    venue.do(c.ResolveMarket(first, DOLLAR))
    assert rejected(venue.do(m.AmendResolution("CUP-3", 1))).code is RejectCode.INCONSISTENT_RESULT
    assert statuses(venue.do(m.AmendResolution("CUP-3", 0))) == ["determined"]
