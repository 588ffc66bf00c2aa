"""Fees of series and events change: exactly held, never more than signed, rebates paid for by takers."""

from fractions import Fraction

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine.events import Matched, OrderAccepted, OrderCancelled
from offchain_book.engine.fees import Fee
from offchain_book.engine.market_events import FeesChanged
from offchain_book.engine.names import EQUITY
from offchain_book.engine.operations import OrderScheme, SignedOrder, TokenSide
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.snapshot import dump, load
from tests.builders import (
    ALICE,
    BOB,
    CONTRACT,
    DOLLAR,
    FEE_TICKER,
    WENDY,
    Venue,
    assert_books_balance,
    assert_holds_are_exact,
    find,
    market,
    open_venue,
    rejected,
)

SERIES, EVENT, R = "PAID", "SNOW", RejectCode


def change(
    venue: Venue, taker: int, maker: int, kind: str = "quadratic", at_ms: int = 0, whole_cents: bool = False, **whose: str
) -> list:
    """Change fees of the event, or of the series."""
    name = f"change-{venue.state.seq}"
    return venue.do(
        m.SetFees(name, kind, taker, maker, at_ms=at_ms, whole_cents=whole_cents, **(whose or {"event_ticker": EVENT}))
    )


def fees_of(venue: Venue, maker: str = ALICE, taker: str = BOB, contracts: float = 100) -> tuple[int, int]:
    """Trade at 50 cents and return the taker's and the maker's fee in millionths."""
    venue.place(maker, "bid" if maker == ALICE else "buy yes", 5_000, contracts, FEE_TICKER)
    (match,) = find(venue.place(taker, "ask", 5_000, contracts, FEE_TICKER), Matched)
    return match.taker.fee_micros, match.maker.fee_micros


@pytest.mark.parametrize(
    ("taker", "maker", "fees"),
    [(0, 0, (0, 0)), (700, 0, (1_750_000, 0)), (700, 175, (1_750_000, 437_500)), (350, -100, (875_000, -250_000))],
)
def test_one_schedule_has_every_configuration(taker: int, maker: int, fees: tuple[int, int]) -> None:
    venue = open_venue()
    change(venue, taker, maker)
    before = venue.total(EQUITY)
    assert fees_of(venue) == fees
    assert venue.total(EQUITY) - before == sum(fees) >= 0
    assert_books_balance(venue.state)


def test_flat_fees_are_so_much_a_contract_and_never_above_what_the_contract_takes() -> None:
    venue = open_venue()
    change(venue, 100, 50, "flat")
    assert fees_of(venue) == (1_000_000, 500_000)
    venue.place(ALICE, "bid", 9_900, 100, FEE_TICKER)
    (match,) = find(venue.place(WENDY, "buy no", 100, 100, FEE_TICKER), Matched)
    assert (match.taker.fee_micros, match.maker.fee_micros) == (69_300, 69_300), "0.07 of 0.99 x 0.01, a hundred times"
    assert_books_balance(venue.state)


@pytest.mark.parametrize("price", [9, 333, 5_000, 8_765, 9_995])
@pytest.mark.parametrize("kind", ["quadratic", "flat"])
def test_in_whole_cents_an_order_pays_the_same_however_it_is_filled_and_less_than_a_cent_too_much(
    price: int, kind: str
) -> None:
    def cost(sizes: list[float]) -> int:
        venue = open_venue()
        venue.do(m.RefineTicks(FEE_TICKER, "finest", ((1, 9_999, 1),)))
        change(venue, 700, 175, kind, whole_cents=True)
        venue.place(ALICE, "bid", price, 3.17, FEE_TICKER)
        before, held = venue.total(ALICE), venue.state.accounts[ALICE].cash.held
        for size in sizes:
            paid = venue.total(ALICE), venue.total(BOB)
            venue.place(BOB, "ask", price, size, FEE_TICKER)
            changes = [was - is_now for was, is_now in zip(paid, (venue.total(ALICE), venue.total(BOB)), strict=True)]
            assert not [change for change in changes if change % 10_000], "every balance moves by whole cents"
            assert_holds_are_exact(venue.state)
        assert held == before - venue.total(ALICE), "the hold was exact"
        assert_books_balance(venue.state)
        return held

    one = cost([3.17])
    assert one == cost([0.01] * 317) == cost([0.01, 2.5, 0.33, 0.33])
    chance = Fraction(price * (10_000 - price), 10**8)
    fee = Fraction(175, 10_000) * chance if kind == "quadratic" else min(Fraction(175, 10_000), Fraction(7, 100) * chance)
    assert 0 <= one - 3_170_000 * (Fraction(price, 10_000) + fee) < 10_000


def test_wallets_pay_in_steps_where_custodial_accounts_pay_in_cents() -> None:
    venue = open_venue()
    change(venue, 700, 0, whole_cents=True)
    venue.place(WENDY, "buy yes", 3_000, 0.01, FEE_TICKER)
    (match,) = find(venue.place(BOB, "ask", 3_000, 0.01, FEE_TICKER), Matched)
    assert match.maker.fee_micros == 0
    assert match.taker.fee_micros == 3_000, "7000 for the NO and 147 of fee make a cent"


def test_closing_a_position_without_cash_is_never_refused_for_a_rounding() -> None:
    venue = open_venue()
    change(venue, 700, 700, whole_cents=True)
    venue.place(ALICE, "bid", 5_000, 10, FEE_TICKER)
    venue.place(BOB, "ask", 5_000, 10, FEE_TICKER)
    free = venue.state.accounts[ALICE].cash.available
    venue.do(c.Withdraw("all", ALICE, free, WENDY))
    assert venue.state.accounts[ALICE].cash.available == 0
    assert find(venue.place(ALICE, "ask", 100, 10, FEE_TICKER), OrderAccepted)
    for _ in range(30):
        venue.place(BOB, "bid", 100, 0.01, FEE_TICKER)
        assert venue.state.accounts[ALICE].cash.available >= 0
    assert_holds_are_exact(venue.state)


def test_a_series_may_have_both_from_the_start_and_an_old_state_has_neither() -> None:
    venue = open_venue()
    venue.do(c.CreateSeries("CENTS", "Cents", fee_type="flat", taker_rate_e4=100, whole_cents=True))
    venue.do(c.CreateEvent("HAIL", "CENTS", "Hail"))
    venue.do(market("HAIL-1", "HAIL"))
    fees = venue.state.markets["HAIL-1"].fees
    assert (fees.taker.rate_e4, fees.taker.flat, fees.maker.whole_cents) == (100, True, True)
    assert load(dump(venue.state)).markets["HAIL-1"].fees == fees
    assert venue.state.markets[FEE_TICKER].fees.taker == Fee(700, False, False)


def test_a_wallet_that_makes_gets_no_rebate_and_pays_nothing() -> None:
    venue = open_venue()
    change(venue, 350, -100)
    assert fees_of(venue, WENDY) == (875_000, 0)


def test_a_rebate_is_rounded_once_per_order_and_never_up() -> None:
    venue = open_venue()
    venue.deposit(EQUITY, DOLLAR)
    change(venue, 700, -100)
    venue.place(ALICE, "bid", 3_000, 1, FEE_TICKER)
    paid = 0
    for _ in range(100):
        (match,) = find(venue.place(BOB, "ask", 3_000, 0.01, FEE_TICKER), Matched)
        paid -= match.maker.fee_micros
    exact = 100 * 3_000 * 7_000 * CONTRACT // 10**12
    assert paid == exact - exact % 100


def test_resting_is_free_when_makers_pay_nothing() -> None:
    venue = open_venue()
    change(venue, 700, 0)
    venue.place(ALICE, "bid", 5_000, 10, FEE_TICKER)
    assert venue.state.accounts[ALICE].cash.held == 5 * DOLLAR


def test_a_higher_maker_fee_is_held_at_once_and_a_lower_one_given_back() -> None:
    venue = open_venue()
    venue.place(ALICE, "bid", 5_000, 10, FEE_TICKER)
    for maker, held in ((700, 5_175_000), (0, 5_000_000), (-100, 5_000_000), (175, 5_043_750)):
        change(venue, 700, maker)
        assert venue.state.accounts[ALICE].cash.held == held
        assert_holds_are_exact(venue.state)


def test_an_order_that_cannot_be_covered_any_more_is_cancelled() -> None:
    venue = open_venue(5_000_000)
    venue.place(ALICE, "bid", 5_000, 9.6, FEE_TICKER, order_id="rests")
    venue.place(ALICE, "bid", 100, 5, FEE_TICKER, order_id="small")
    gone = find(change(venue, 700, 700), OrderCancelled)
    assert [(order.order_id, order.reason) for order in gone] == [("rests", "fees_changed")]
    assert venue.state.accounts[ALICE].cash.available >= 0
    assert_books_balance(venue.state)


def test_an_order_whose_signature_allows_less_is_cancelled() -> None:
    venue = open_venue()
    signed = [
        SignedOrder(OrderScheme.NATIVE, "0x", WENDY, WENDY, "1", TokenSide.BUY, 1, 1, "1", "0x", fee_rate_bps=bps, nonce=bps)
        for bps in (700, 750)
    ]
    change(venue, 300, 0)
    low = SignedOrder(OrderScheme.NATIVE, "0x", WENDY, WENDY, "1", TokenSide.BUY, 1, 1, "1", "0x", fee_rate_bps=300, nonce=9)
    for number, one in enumerate((*signed, low)):
        events = venue.place(WENDY, "buy yes", 3_000 + 100 * number, 1, FEE_TICKER, order_id=f"w{number}", signed=one)
        assert find(events, OrderAccepted)
    assert {order.order_id for order in find(change(venue, 500, 0), OrderCancelled)} == {"w2"}
    assert set(venue.state.orders) == {"w0", "w1"}


def test_an_event_follows_its_series_until_it_has_fees_of_its_own_and_again_after() -> None:
    venue = open_venue()
    rates = lambda: (venue.state.markets[FEE_TICKER].taker_rate_e4, venue.state.markets[FEE_TICKER].maker_rate_e4)  # noqa: E731
    change(venue, 300, 0)
    assert rates() == (300, 0)
    change(venue, 600, 0, series_ticker=SERIES)
    assert rates() == (300, 0)
    venue.do(market("NEW", EVENT))
    assert venue.state.markets["NEW"].taker_rate_e4 == 300
    change(venue, 0, 0, "")
    assert rates() == (600, 0)


def test_a_scheduled_change_is_made_on_time() -> None:
    venue = open_venue()
    change(venue, 0, 0, at_ms=venue.now_ms + 1_000)
    assert fees_of(venue) == (1_750_000, 437_500)
    venue.now_ms += 1_000
    assert find(venue.do(m.AdvanceClock()), FeesChanged)
    assert fees_of(venue) == (0, 0)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (m.SetFees("x", "quadratic", series_ticker=SERIES, event_ticker=EVENT), R.OPTION_CONFLICT),
        (m.SetFees("x", "quadratic"), R.OPTION_CONFLICT),
        (m.SetFees("x", "quadratic", series_ticker="NONE"), R.UNKNOWN_SERIES),
        (m.SetFees("x", "quadratic", event_ticker="NONE"), R.UNKNOWN_EVENT),
        (m.SetFees("x", "", series_ticker=SERIES), R.INVALID_MARKET),
        (m.SetFees("x", "cubic", event_ticker=EVENT), R.INVALID_MARKET),
        (m.SetFees("x", "quadratic", 100, -101, event_ticker=EVENT), R.INVALID_MARKET),
        (m.SetFees("x", "quadratic", 100, -1, event_ticker=EVENT, whole_cents=True), R.INVALID_MARKET),
        (m.SetFees("x", "quadratic", 10_000, event_ticker=EVENT), R.INVALID_MARKET),
        (m.SetFees("x", "quadratic", event_ticker=EVENT, at_ms=1), R.INVALID_SCHEDULE),
        (m.SetFees("", "quadratic", event_ticker=EVENT), R.DUPLICATE_REQUEST),
    ],
)
def test_a_change_that_cannot_be_is_refused(command: m.SetFees, code: RejectCode) -> None:
    venue = open_venue()
    assert rejected(venue.do(command)).code is code
    assert not venue.state.fee_changes


def test_a_change_takes_effect_once() -> None:
    venue = open_venue()
    command = m.SetFees("x", "quadratic", 100, 0, event_ticker=EVENT)
    venue.do(command)
    assert rejected(venue.do(command)).code is R.DUPLICATE_REQUEST
