"""The straight way of plain orders does what the rules of every order say: same events, same state, command by command."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine import plain
from offchain_book.engine import policy_commands as pc
from offchain_book.engine.events import Event, Matched, OrderAccepted, Rejected
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.names import COLLATERAL, EQUITY
from offchain_book.engine.order import BookSide, SelfTrade, TimeInForce
from offchain_book.engine.snapshot import canonical, dump, load, state_hash
from offchain_book.engine.state import State
from tests.builders import (
    ALICE,
    BOB,
    CONTRACT,
    DOLLAR,
    FEE_TICKER,
    TICKER,
    WENDY,
    Venue,
    assert_books_balance,
    assert_holds_are_exact,
    assert_orders_are_listed,
    find,
    market,
    open_venue,
)
from tests.engine.walk import Walk

CAROL, POOR = "carol", "poor"
FLAT, CENTS, REBATE = "FLAT-1", "CENTS-1", "REBATE-1"


def by_the_rules(monkeypatch: pytest.MonkeyPatch, run: Callable[[], Any]) -> Any:
    """Run something with the straight way closed."""
    with monkeypatch.context() as closed:
        closed.setattr(plain, "place", lambda state, command: None)
        closed.setattr(plain, "cancel", lambda state, command: None)
        return run()


def assert_both_ways_are_one(monkeypatch: pytest.MonkeyPatch, venue: Venue) -> int:
    """Apply a venue's log again by the rules alone, comparing everything; return how many commands went the straight way."""
    straight, ruled = (new_state(venue.state.settle_deadline_s) for _ in range(2))
    went = 0
    place, cancel = plain.place, plain.cancel

    def counting(way: Callable[[State, Any], list[Event] | None]) -> Callable[[State, Any], list[Event] | None]:
        def go(state: State, command: Any) -> list[Event] | None:
            nonlocal went
            done = way(state, command)
            went += done is not None
            return done

        return go

    for number, entry in enumerate(venue.log):
        with monkeypatch.context() as watched:
            watched.setattr(plain, "place", counting(place))
            watched.setattr(plain, "cancel", counting(cancel))
            events = apply(straight, entry)
        assert events == by_the_rules(monkeypatch, lambda entry=entry: apply(ruled, entry)), entry
        if not number % 20:
            assert canonical(dump(straight)) == canonical(dump(ruled)), entry
    assert state_hash(straight) == state_hash(ruled) == state_hash(venue.state)
    return went


def assert_marks_are_true(state: State) -> None:
    for account in state.accounts.values():
        assert account.plain == plain.is_plain(state, account), account.account_id


@pytest.mark.parametrize("seed", range(6))
def test_walks_through_the_whole_command_set_are_the_same_both_ways(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    walk = Walk(seed)
    for _ in range(350):
        walk.step()
        assert_marks_are_true(walk.venue.state)
    assert_both_ways_are_one(monkeypatch, walk.venue)


def busy_venue(cash_micros: int = 40 * DOLLAR) -> Venue:
    """Return a venue with a market per kind of fee, and people with and without much cash."""
    venue = open_venue(cash_micros)
    for series, kind, taker, maker, cents in (
        ("FLATS", "flat", 50, 100, False),
        ("WHOLE", "quadratic_with_maker_fees", 700, 175, True),
        ("BACK", "quadratic_with_maker_fees", 700, -100, False),
    ):
        venue.do(c.CreateSeries(series, series, fee_type=kind, taker_rate_e4=taker, maker_rate_e4=maker, whole_cents=cents))
        venue.do(c.CreateEvent(f"{series}-E", series, series))
    for ticker, event in ((FLAT, "FLATS-E"), (CENTS, "WHOLE-E"), (REBATE, "BACK-E")):
        assert not find(venue.do(market(ticker, event)), Rejected)
    for name, cash in ((CAROL, cash_micros), (POOR, 2 * DOLLAR)):
        venue.do(c.OpenAccount(name, c.Custody.CUSTODIAL))
        venue.deposit(name, cash)
    venue.deposit(EQUITY, DOLLAR)
    venue.deposit(COLLATERAL, DOLLAR)
    venue.do(c.OpenSubaccount(ALICE))
    venue.do(c.TransferCash(ALICE, "start", 0, 1, cash_micros // 4))
    venue.do(c.CreateOrderGroup(ALICE, "g", 30 * CONTRACT))
    return venue


PEOPLE = (ALICE, BOB, CAROL, POOR, f"{ALICE}/1")
TICKERS = (TICKER, TICKER, FEE_TICKER, FEE_TICKER, FLAT, CENTS, REBATE)


class Crowd:
    """Many plain orders that meet, and now and then something that makes an order, an account or the venue another one."""

    def __init__(self, seed: int) -> None:
        self.venue = busy_venue()
        self.random = random.Random(seed)
        self.undo: list[c.Command] = []

    def step(self) -> None:
        """Do one random thing."""
        act = self.random.choices(
            (self.order, self.special, self.wallet, self.cancel, self.change, self.later), (60, 8, 3, 12, 2, 5)
        )
        act[0]()

    def order(self, **more: Any) -> None:
        """An order near fifty cents."""
        pick, venue = self.random.choice, self.venue
        venue.orders += 1
        size = pick((self.random.randint(1, 9) * CONTRACT, self.random.randint(1, 300) * 10_000))
        price = self.random.randint(48, 52) * 100
        fields = {"order_id": f"o{venue.orders}", "price_e4": price, "size_micros": size, **more}
        venue.do(c.PlaceOrder(account_id=pick(PEOPLE), ticker=pick(TICKERS), side=pick(list(BookSide)), **fields))

    def special(self) -> None:
        """An order with an option, or one that is refused."""
        pick = self.random.choice
        self.order(
            **pick(
                (
                    {"time_in_force": pick((TimeInForce.IOC, TimeInForce.FOK)), "reduce_only": pick((False, True))},
                    {"post_only": True},
                    {"self_trade": SelfTrade.MAKER},
                    {"expires_ms": self.venue.now_ms + pick((0, 400, 5_000))},
                    {"cancel_on_pause": True, "session_id": "s"},
                    {"group_id": "g"},
                    {"client_order_id": pick(("a", "b", "c", "d"))},
                    {"order_id": f"o{self.random.randint(1, 60)}"},
                    {"size_micros": pick((0, 5_000, 10**13, 300 * CONTRACT))},
                    {"price_e4": pick((0, 4_950, 10_000))},
                )
            )
        )

    def wallet(self) -> None:
        """A wallet's order."""
        pick = self.random.choice
        self.venue.place(WENDY, f"buy {pick(('yes', 'no'))}", self.random.randint(48, 52) * 100, 2, pick(TICKERS))

    def cancel(self) -> None:
        """Somebody cancels an order, mostly one of their own."""
        name = self.random.choice(PEOPLE)
        mine = [*self.venue.state.accounts[name].open_orders, f"o{self.random.randint(1, 60)}"]
        self.venue.do(c.CancelOrder(name, self.random.choice(mine)))

    def change(self) -> None:
        """Something makes accounts, markets or the venue special; the next change takes it back."""
        if self.undo:
            self.venue.do(self.undo.pop())
            return
        pick = self.random.choice
        name, ticker = pick(PEOPLE), pick(TICKERS)
        act, undo = pick(
            (
                (c.SetNetting(name, False), c.SetNetting(name, True)),
                (c.SetPositionLimit(name, 5 * CONTRACT), c.SetPositionLimit(name, None)),
                (c.SetPositionLimit(name, 5 * CONTRACT, "", True), c.SetPositionLimit(name, None, "", True)),
                (c.SetExposureCap(name, 9 * CONTRACT), c.SetExposureCap(name, None)),
                (c.SetExposureCap(name, 9 * CONTRACT, True), c.SetExposureCap(name, None, True)),
                (c.SetCollateralReturn(name, True), c.SetCollateralReturn(name, False)),
                (c.LinkAccount(ALICE, WENDY, True), c.LinkAccount(ALICE, WENDY, False)),
                (m.SetRetention(2_000), m.SetRetention(0)),
                (m.PauseMarket(ticker), m.ResumeMarket(ticker)),
                (pc.Freeze("a reason"), pc.Unfreeze("a reason")),
                (pc.SuspendAccount(name, "a reason"), pc.RestoreAccount(name, "a reason")),
            )
        )
        self.venue.do(act)
        self.undo.append(undo)

    def later(self) -> None:
        """Time passes."""
        self.venue.now_ms += self.random.choice((1, 300, 3_000))


@pytest.mark.parametrize("seed", range(12))
def test_orders_of_a_crowd_are_the_same_both_ways(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    crowd = Crowd(seed)
    for _ in range(400):
        crowd.step()
        assert_marks_are_true(crowd.venue.state)
    assert_books_balance(crowd.venue.state)
    assert_orders_are_listed(crowd.venue.state)
    assert_holds_are_exact(crowd.venue.state)
    assert assert_both_ways_are_one(monkeypatch, crowd.venue) > 100


def test_plain_orders_go_the_straight_way_and_so_do_their_cancels(monkeypatch: pytest.MonkeyPatch) -> None:
    venue = busy_venue()
    before = assert_both_ways_are_one(monkeypatch, venue)
    for ticker in (TICKER, FEE_TICKER, FLAT):
        for number in range(5):
            assert find(venue.place(ALICE, "bid", 5_000 - 100 * number, 1, ticker), OrderAccepted)
        assert len(find(venue.place(BOB, "ask", 4_800, 2.5, ticker), Matched)) == 3
        venue.do(c.CancelOrder(ALICE, f"o{venue.orders - 1}"))
    assert assert_both_ways_are_one(monkeypatch, venue) - before == 21


def test_a_sweep_goes_on_by_the_rules_from_the_first_maker_that_is_not_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    venue = busy_venue()
    venue.place(BOB, "ask", 5_000, 1)
    venue.place(WENDY, "buy no", 4_900, 1)
    venue.place(CAROL, "ask", 5_200, 1)
    venue.place(f"{ALICE}/1", "ask", 5_300, 1)
    matches = find(venue.place(ALICE, "bid", 5_500, 5), Matched)
    assert [(match.maker.account_id, match.price_e4) for match in matches] == [(BOB, 5_000), (WENDY, 5_100), (CAROL, 5_200)]
    assert_both_ways_are_one(monkeypatch, venue)


def test_an_account_that_does_not_net_opens_where_others_close(monkeypatch: pytest.MonkeyPatch) -> None:
    venue = busy_venue()
    venue.place(BOB, "bid", 5_000, 2)
    venue.place(CAROL, "ask", 5_000, 2)
    venue.do(c.SetNetting(CAROL, False))
    venue.place(BOB, "ask", 5_000, 2)
    (match,) = find(venue.place(CAROL, "bid", 5_000, 2), Matched)
    assert (match.taker.close_micros, match.maker.close_micros) == (0, 2 * CONTRACT)
    assert_both_ways_are_one(monkeypatch, venue)


def test_a_rounding_is_waived_for_accounts_without_a_cent_to_spare_be_they_taker_or_maker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    venue = busy_venue()
    taker, maker = "taker", "maker"
    for name, cash in ((taker, 185_000 + 6_475), (maker, 185_000 + 1_618 + 4_857)):
        venue.do(c.OpenAccount(name, c.Custody.CUSTODIAL))
        venue.deposit(name, cash)
    venue.place(CAROL, "ask", 5_000, 0.37, FEE_TICKER)
    (match,) = find(venue.place(taker, "bid", 5_000, 0.37, FEE_TICKER), Matched)
    assert match.taker.fee_micros == 6_475
    venue.place(maker, "bid", 5_000, 0.37, FEE_TICKER)
    venue.do(c.Withdraw("w", maker, 4_857, "0x" + "cc" * 20))
    (match,) = find(venue.place(CAROL, "ask", 5_000, 0.37, FEE_TICKER), Matched)
    assert match.maker.fee_micros == 1_618
    assert_both_ways_are_one(monkeypatch, venue)


def test_a_client_order_id_that_comes_again_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    venue = busy_venue()
    assert find(venue.place(BOB, "bid", 5_000, 1, client_order_id="mine"), OrderAccepted)
    assert find(venue.place(CAROL, "bid", 5_000, 1, client_order_id="mine"), OrderAccepted)
    assert find(venue.place(BOB, "bid", 4_900, 1, client_order_id="mine"), Rejected)
    assert_both_ways_are_one(monkeypatch, venue)


def test_an_account_read_back_is_as_plain_as_before() -> None:
    venue = busy_venue()
    venue.do(c.SetPositionLimit(ALICE, 5 * CONTRACT, whole_owner=True))
    marks = {name: account.plain for name, account in venue.state.accounts.items()}
    again = load(dump(venue.state))
    assert {name: account.plain for name, account in again.accounts.items()} == marks
    assert {name for name, mark in marks.items() if mark} == {BOB, CAROL, POOR}
