"""What an order may ask for, and how an open order may change."""

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.events import (
    Matched,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderDecreased,
    OrderRested,
)
from offchain_book.engine.order import BookSide, CancelReason, SelfTrade, TimeInForce
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.snapshot import dump
from tests.builders import (
    ALICE,
    BOB,
    CONTRACT,
    DOLLAR,
    FEE_TICKER,
    TICKER,
    WALT,
    WENDY,
    Venue,
    assert_books_balance,
    assert_holds_are_exact,
    assert_orders_are_listed,
    find,
    open_venue,
    rejected,
)

IOC, FOK = TimeInForce.IOC, TimeInForce.FOK


@pytest.fixture
def venue() -> Venue:
    return open_venue()


def queue(venue: Venue, side: BookSide = BookSide.BID) -> list[str]:
    return [order.order_id for order in venue.state.markets[TICKER].book.orders(side)]


def check(venue: Venue) -> None:
    assert_books_balance(venue.state)
    assert_holds_are_exact(venue.state)
    assert_orders_are_listed(venue.state)


# --- reduce-only and maximum cost --------------------------------------------------------------------------------------


def test_a_reduce_only_order_is_capped_at_the_position_and_never_flips_it(venue: Venue) -> None:
    venue.place(ALICE, "bid", 6_000, 4)
    venue.place(BOB, "ask", 6_000, 4)
    venue.place(BOB, "bid", 5_000, 10)
    events = venue.place(ALICE, "ask", 5_000, 10, reduce_only=True, time_in_force=IOC)
    assert find(events, OrderAccepted)[0].size_micros == 4 * CONTRACT
    assert find(events, Matched)[0].size_micros == 4 * CONTRACT
    assert not find(events, OrderCancelled)
    assert venue.total(ALICE, f"{TICKER}:YES") == venue.total(ALICE, f"{TICKER}:NO") == 0
    check(venue)


def test_a_reduce_only_order_without_a_position_is_refused(venue: Venue) -> None:
    venue.place(BOB, "bid", 5_000, 10)
    refused = rejected(venue.place(ALICE, "ask", 5_000, 1, reduce_only=True, time_in_force=IOC))
    assert refused.code is RejectCode.NOTHING_TO_REDUCE


def test_a_custodial_reduce_only_order_cannot_rest(venue: Venue) -> None:
    assert rejected(venue.place(ALICE, "ask", 5_000, 1, reduce_only=True)).code is RejectCode.OPTION_CONFLICT


def test_a_wallets_reduce_only_sale_may_rest_because_its_tokens_are_held(venue: Venue) -> None:
    venue.place(WENDY, "buy yes", 6_000, 3)
    venue.place(BOB, "ask", 6_000, 3)
    assert find(venue.place(WENDY, "sell yes", 7_000, 3, reduce_only=True), OrderRested)
    assert rejected(venue.place(WENDY, "buy yes", 1_000, 1, reduce_only=True)).code is RejectCode.OPTION_CONFLICT


def test_a_fill_or_kill_reduce_only_order_needs_only_its_capped_size(venue: Venue) -> None:
    venue.place(ALICE, "bid", 6_000, 2)
    venue.place(BOB, "ask", 6_000, 2)
    venue.place(BOB, "bid", 5_000, 2)
    events = venue.place(ALICE, "ask", 5_000, 9, reduce_only=True, time_in_force=FOK)
    assert find(events, Matched)[0].taker.remaining_micros == 0


def test_fills_stop_before_they_exceed_the_maximum_cost(venue: Venue) -> None:
    venue.place(BOB, "ask", 4_000, 2)
    venue.place(BOB, "ask", 5_000, 2)
    events = venue.place(ALICE, "bid", 5_000, 10, time_in_force=IOC, max_cost_micros=1_234_567)
    spent = sum(match.size_micros * match.price_e4 // 10_000 for match in find(events, Matched))
    assert spent == 1_230_000
    (cancelled,) = find(events, OrderCancelled)
    assert cancelled.reason is CancelReason.MAX_COST
    assert cancelled.reduced_micros == 10 * CONTRACT - 2_860_000
    check(venue)


def test_a_maximum_cost_that_is_spent_to_the_last_cent_stops_the_order_too(venue: Venue) -> None:
    venue.place(BOB, "ask", 5_000, 2)
    venue.place(BOB, "ask", 5_000, 2)
    events = venue.place(ALICE, "bid", 5_000, 10, time_in_force=IOC, max_cost_micros=DOLLAR)
    assert len(find(events, Matched)) == 1
    assert find(events, OrderCancelled)[0].reason is CancelReason.MAX_COST
    check(venue)


def test_a_maximum_cost_holds_no_more_cash_than_it_allows() -> None:
    venue = open_venue(2 * DOLLAR)
    venue.place(BOB, "ask", 5_000, 4)
    assert find(venue.place(ALICE, "bid", 5_000, 100, time_in_force=IOC, max_cost_micros=2 * DOLLAR), Matched)
    check(venue)


def test_fill_or_kill_counts_what_the_maximum_cost_can_buy(venue: Venue) -> None:
    venue.place(BOB, "ask", 5_000, 4)
    refused = rejected(venue.place(ALICE, "bid", 5_000, 4, time_in_force=FOK, max_cost_micros=DOLLAR))
    assert refused.code is RejectCode.FILL_OR_KILL_UNFILLED
    assert dict(refused.details)["fillable_micros"] == 2 * CONTRACT
    assert find(venue.place(ALICE, "bid", 5_000, 4, time_in_force=FOK, max_cost_micros=2 * DOLLAR), Matched)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"max_cost_micros": DOLLAR}, RejectCode.OPTION_CONFLICT),
        ({"max_cost_micros": DOLLAR, "budget_micros": DOLLAR, "time_in_force": IOC}, RejectCode.OPTION_CONFLICT),
        ({"max_cost_micros": -1, "time_in_force": IOC}, RejectCode.AMOUNT_NOT_POSITIVE),
    ],
)
def test_a_maximum_cost_goes_with_immediate_orders_by_size(venue: Venue, more: dict[str, object], code: RejectCode) -> None:
    assert rejected(venue.place(ALICE, "bid", 5_000, 1, **more)).code is code


@pytest.mark.parametrize("way", list(SelfTrade))
def test_a_fill_or_kill_that_meets_its_owner_ends_like_an_immediate_or_cancel(venue: Venue, way: SelfTrade) -> None:
    venue.place(BOB, "ask", 4_000, 2)
    venue.place(ALICE, "ask", 5_000, 3)
    events = venue.place(ALICE, "bid", 5_000, 5, time_in_force=FOK, self_trade=way)
    assert sum(match.size_micros for match in find(events, Matched)) == 2 * CONTRACT
    reason = CancelReason.SELF_TRADE if way is SelfTrade.TAKER_AT_CROSS else CancelReason.TIME_IN_FORCE
    assert find(events, OrderCancelled)[-1].reason is reason
    check(venue)


def test_the_cancel_on_pause_flag_is_kept_with_the_order(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 1, cancel_on_pause=True, order_id="a")
    assert venue.state.orders["a"].terms.cancel_on_pause


# --- decrease ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [(3 * CONTRACT, None), (None, 2 * CONTRACT)])
def test_a_decrease_keeps_the_place_in_the_queue(venue: Venue, way: tuple[int | None, int | None]) -> None:
    venue.place(ALICE, "bid", 5_000, 5, order_id="a")
    venue.place(BOB, "bid", 5_000, 5, order_id="b")
    (event,) = find(venue.do(c.DecreaseOrder(ALICE, "a", *way)), OrderDecreased)
    assert (event.reduced_micros, event.remaining_micros) == (3 * CONTRACT, 2 * CONTRACT)
    assert queue(venue) == ["a", "b"]
    assert venue.state.accounts[ALICE].cash.held == DOLLAR
    check(venue)


def test_a_decrease_to_nothing_is_a_cancel(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 5, order_id="a")
    (event,) = venue.do(c.DecreaseOrder(ALICE, "a", 9 * CONTRACT))
    assert isinstance(event, OrderCancelled)
    assert event.reason is CancelReason.BY_USER
    check(venue)


@pytest.mark.parametrize(
    "way", [(None, None), (CONTRACT, CONTRACT), (0, None), (-CONTRACT, None), (None, 5 * CONTRACT), (None, -1)]
)
def test_a_decrease_takes_exactly_one_size_that_shrinks(venue: Venue, way: tuple[int | None, int | None]) -> None:
    venue.place(ALICE, "bid", 5_000, 5, order_id="a")
    assert rejected(venue.do(c.DecreaseOrder(ALICE, "a", *way))).code is RejectCode.INVALID_DECREASE


def test_a_wallets_order_may_be_decreased_and_still_settles(venue: Venue) -> None:
    venue.place(WENDY, "buy yes", 5_000, 5, order_id="w")
    venue.do(c.DecreaseOrder(WENDY, "w", None, 2 * CONTRACT))
    assert venue.state.accounts[WENDY].cash.held == DOLLAR
    (match,) = find(venue.place(BOB, "ask", 5_000, 5), Matched)
    assert match.size_micros == 2 * CONTRACT
    venue.land()
    check(venue)


# --- amend -------------------------------------------------------------------------------------------------------------


def test_amending_only_the_expiry_or_to_a_smaller_size_keeps_the_place(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 5, order_id="a")
    venue.place(BOB, "bid", 5_000, 5, order_id="b")
    for command in (
        c.AmendOrder(ALICE, "a", expires_ms=venue.now_ms + 5_000),
        c.AmendOrder(ALICE, "a", 5_000, 4 * CONTRACT),
        c.AmendOrder(ALICE, "a", 5_000, 4 * CONTRACT),
    ):
        (event,) = venue.do(command)
        assert isinstance(event, OrderAmended)
        assert event.kept_place
        check(venue)
    assert queue(venue) == ["a", "b"]
    venue.now_ms += 5_000
    assert find(venue.do(c.CancelOrders(BOB)), OrderCancelled)[0].reason is CancelReason.EXPIRED


def test_an_expiry_can_be_removed(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 5, order_id="a", expires_ms=venue.now_ms + 10)
    venue.do(c.AmendOrder(ALICE, "a", expires_ms=0))
    venue.now_ms += 100
    venue.do(c.CancelOrders(BOB))
    assert "a" in venue.state.orders


@pytest.mark.parametrize(("price", "size"), [(4_900, None), (None, 6)])
def test_a_new_price_or_a_larger_size_goes_to_the_end(venue: Venue, price: int | None, size: int | None) -> None:
    venue.place(ALICE, "bid", 5_000, 5, order_id="a")
    venue.place(BOB, "bid", price or 5_000, 5, order_id="b")
    amended, rested = venue.do(c.AmendOrder(ALICE, "a", price, size and size * CONTRACT))
    assert isinstance(amended, OrderAmended)
    assert not amended.kept_place
    assert isinstance(rested, OrderRested)
    assert queue(venue) == ["b", "a"]
    check(venue)


def test_an_amended_size_is_the_total_of_filled_and_wanted_rest(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 5, order_id="a")
    venue.place(BOB, "ask", 5_000, 2)
    (event,) = venue.do(c.AmendOrder(ALICE, "a", size_micros=4 * CONTRACT))
    assert isinstance(event, OrderAmended)
    assert (event.remaining_micros, event.size_micros) == (2 * CONTRACT, 4 * CONTRACT)
    refused = rejected(venue.do(c.AmendOrder(ALICE, "a", size_micros=2 * CONTRACT)))
    assert refused.code is RejectCode.SIZE_BELOW_FILLED
    check(venue)


def test_an_amended_price_matches_like_a_new_arrival_and_keeps_the_orders_identity(venue: Venue) -> None:
    venue.place(BOB, "ask", 6_000, 3)
    venue.place(ALICE, "bid", 5_000, 5, order_id="a")
    events = venue.do(c.AmendOrder(ALICE, "a", 6_000))
    (match,) = find(events, Matched)
    assert (match.taker.order_id, match.price_e4, match.size_micros) == ("a", 6_000, 3 * CONTRACT)
    assert find(events, OrderRested)[0].remaining_micros == 2 * CONTRACT
    venue.place(BOB, "ask", 6_000, 2)
    assert "a" in venue.state.finished_order_ids
    check(venue)


def test_an_amended_order_that_fills_at_once_is_finished(venue: Venue) -> None:
    venue.place(BOB, "ask", 6_000, 5)
    venue.place(ALICE, "bid", 5_000, 5, order_id="a", expires_ms=venue.now_ms + 10)
    venue.do(c.AmendOrder(ALICE, "a", 6_000))
    check(venue)
    assert rejected(venue.do(c.AmendOrder(ALICE, "a", 6_000))).code is RejectCode.ORDER_NOT_OPEN


def test_an_amended_order_that_meets_its_owner_is_cancelled(venue: Venue) -> None:
    venue.place(ALICE, "ask", 6_000, 5)
    venue.place(ALICE, "bid", 5_000, 5, order_id="a")
    events = venue.do(c.AmendOrder(ALICE, "a", 6_000))
    assert find(events, OrderCancelled)[0].reason is CancelReason.SELF_TRADE
    check(venue)


def test_a_refused_amendment_changes_nothing() -> None:
    venue = open_venue(3 * DOLLAR)
    venue.place(BOB, "ask", 7_000, 1)
    venue.place(ALICE, "bid", 5_000, 5, order_id="a", post_only=True)
    venue.place(ALICE, "bid", 1_000, 1, order_id="other", client_order_id="mine")
    before = dump(venue.state)
    for command, code in (
        (c.AmendOrder(ALICE, "a", size_micros=50 * CONTRACT), RejectCode.INSUFFICIENT_CASH),
        (c.AmendOrder(ALICE, "a", 7_000), RejectCode.POST_ONLY_CROSS),
        (c.AmendOrder(ALICE, "a", 5_050), RejectCode.PRICE_OFF_TICK),
        (c.AmendOrder(ALICE, "a", 9_950), RejectCode.PRICE_OUT_OF_RANGE),
        (c.AmendOrder(ALICE, "a", size_micros=1), RejectCode.SIZE_OFF_LOT),
        (c.AmendOrder(ALICE, "a", expires_ms=1), RejectCode.EXPIRY_IN_PAST),
        (c.AmendOrder(ALICE, "a", client_order_id="mine"), RejectCode.DUPLICATE_CLIENT_ORDER_ID),
        (c.AmendOrder(BOB, "a", 5_000), RejectCode.UNKNOWN_ORDER),
    ):
        assert rejected(venue.do(command)).code is code
        assert {**dump(venue.state), "seq": before["seq"]} == before


def test_a_larger_order_holds_exactly_what_it_needs_with_fees(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 5, FEE_TICKER, order_id="a")
    venue.place(BOB, "ask", 5_000, 2, FEE_TICKER)
    venue.do(c.AmendOrder(ALICE, "a", 4_000, 12 * CONTRACT))
    check(venue)
    venue.do(c.CancelOrder(ALICE, "a"))
    assert venue.state.accounts[ALICE].cash.held == 0


def test_an_amendment_may_give_a_new_client_order_id_and_both_stay_taken(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 5, order_id="a", client_order_id="first")
    venue.do(c.AmendOrder(ALICE, "a", client_order_id="second"))
    for name in ("first", "second"):
        refused = rejected(venue.place(ALICE, "bid", 5_000, 5, client_order_id=name))
        assert dict(refused.details)["order_id"] == "a"


def test_a_signed_order_can_only_shrink_or_end_earlier(venue: Venue) -> None:
    venue.place(WENDY, "buy yes", 5_000, 5, order_id="w", expires_ms=venue.now_ms + 1_000)
    for command in (
        c.AmendOrder(WENDY, "w", 5_100),
        c.AmendOrder(WENDY, "w", size_micros=6 * CONTRACT),
        c.AmendOrder(WENDY, "w", expires_ms=0),
        c.AmendOrder(WENDY, "w", expires_ms=venue.now_ms + 2_000),
    ):
        assert rejected(venue.do(command)).code is RejectCode.SIGNED_ORDER_FIXED
    venue.do(c.AmendOrder(WENDY, "w", size_micros=4 * CONTRACT, expires_ms=venue.now_ms + 500))
    assert venue.state.orders["w"].remaining_micros == 4 * CONTRACT
    check(venue)


# --- cancelling many ---------------------------------------------------------------------------------------------------


def test_cancel_orders_takes_the_oldest_first_up_to_its_limit(venue: Venue) -> None:
    for number in range(4):
        venue.place(ALICE, "bid", 1_000 + 100 * number, 1, order_id=f"a{number}")
    venue.do(c.CancelOrders(ALICE, limit=3))
    assert list(venue.state.accounts[ALICE].open_orders) == ["a3"]
    assert rejected(venue.do(c.CancelOrders(ALICE, limit=-1))).code is RejectCode.INVALID_LIMIT


def test_cancel_orders_by_session_leaves_the_others(venue: Venue) -> None:
    venue.place(ALICE, "bid", 1_000, 1, order_id="a", session_id="s")
    venue.place(ALICE, "bid", 1_000, 1, order_id="b")
    venue.do(c.CancelOrders(ALICE, session_id="s"))
    assert list(venue.state.accounts[ALICE].open_orders) == ["b"]


def test_one_owner_never_trades_with_himself_across_custody_and_subaccounts(venue: Venue) -> None:
    venue.do(c.LinkAccount(ALICE, WALT, False))
    venue.do(c.OpenSubaccount(ALICE))
    venue.do(c.TransferCash(ALICE, "t", 0, 1, 100 * DOLLAR))
    venue.place(f"{ALICE}/1", "ask", 5_000, 1)
    for account, side in ((ALICE, "bid"), (WALT, "buy yes")):
        events = venue.place(account, side, 5_000, 1)
        assert find(events, OrderCancelled)[0].reason is CancelReason.SELF_TRADE
