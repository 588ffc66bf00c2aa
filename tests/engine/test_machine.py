"""The engine under random commands: whatever happens, money, tokens and fills are where the invariants and a naive twin say."""

import random

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine.events import Matched, Rejected
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.names import COLLATERAL
from offchain_book.engine.operations import FillOperation, Outcome, PoolOperation, VaultAction, VaultActionKind
from offchain_book.engine.order import BookSide, SelfTrade, TimeInForce
from offchain_book.engine.snapshot import canonical, dump, state_hash
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
    exclusive,
    market,
    open_venue,
    ordered,
)
from tests.engine.event_walk import EventWalk
from tests.engine.twin import Twin
from tests.engine.walk_chain import ChainWalk

PART = f"{ALICE}/1"
CUSTODIAL = st.sampled_from([ALICE, BOB, PART])
ANYBODY = st.sampled_from([ALICE, BOB, PART, WENDY, WALT])
SESSIONS = st.sampled_from(["", "s"])
WALLETS = st.sampled_from([WENDY, WALT])
TICKERS = st.sampled_from([TICKER, FEE_TICKER])
PRICES = st.integers(1, 99).map(lambda cents: cents * 100)
SIZES = st.one_of(st.integers(1, 40).map(lambda n: n * CONTRACT), st.integers(1, 300).map(lambda lots: lots * 10_000))
OUTCOMES = st.sampled_from(list(Outcome))


class Checked(RuleBasedStateMachine):
    """What must hold of a venue after every step, and that a replay of it all gives the same."""

    venue: Venue
    twin: Twin

    @invariant()
    def the_books_balance(self) -> None:
        assert_books_balance(self.venue.state)

    @invariant()
    def the_book_is_never_crossed(self) -> None:
        for listed in self.venue.state.markets.values():
            assert listed.book.best_bid_e4 < listed.book.best_ask_e4

    @invariant()
    def holds_equal_what_open_orders_need(self) -> None:
        assert_holds_are_exact(self.venue.state)

    @invariant()
    def the_twin_agrees(self) -> None:
        self.twin.agree_in_full(self.venue.state)

    @invariant()
    def open_orders_are_listed_everywhere_alike(self) -> None:
        assert_orders_are_listed(self.venue.state)

    def teardown(self) -> None:
        again = new_state(self.venue.state.settle_deadline_s)
        for entry in self.venue.log:
            apply(again, entry)
        assert canonical(dump(again)) == canonical(dump(self.venue.state))
        assert state_hash(again) == state_hash(self.venue.state)


class Exchange(Checked):
    """Random people do random things; the chain lands, skips or loses what they cause."""

    def __init__(self) -> None:
        super().__init__()
        self.venue = open_venue(30 * DOLLAR)
        self.nonce = 0
        self.venue.do(c.OpenSubaccount(ALICE))
        self.venue.do(c.TransferCash(ALICE, "start", 0, 1, 10 * DOLLAR))
        self.venue.do(c.CreateOrderGroup(ALICE, "g", 10 * CONTRACT))
        self.venue.do(c.CreateOrderGroup(BOB, "g", 10 * CONTRACT))
        self.events = [*exclusive(self.venue, "CUP", 3), *ordered(self.venue, "GDP", (2, 1))]
        self.venue.deposit(COLLATERAL, 8 * DOLLAR)
        for name in (ALICE, BOB, PART):
            self.venue.do(c.SetCollateralReturn(name, True))
        self.twin = Twin(self.venue)

    @rule(
        account=CUSTODIAL,
        ticker=TICKERS,
        side=st.sampled_from(["bid", "ask"]),
        price=PRICES,
        size=SIZES,
        tif=st.sampled_from(list(TimeInForce)),
        self_trade=st.sampled_from(list(SelfTrade)),
        reduce_only=st.sampled_from([False, False, True]),
        max_cost=st.sampled_from([0, 0, 1_234_567]),
        group=st.sampled_from(["", "", "g"]),
        session=SESSIONS,
    )
    def custodial_order(
        self,
        account: str,
        ticker: str,
        side: str,
        price: int,
        size: int,
        tif: TimeInForce,
        self_trade: SelfTrade,
        reduce_only: bool,
        max_cost: int,
        group: str,
        session: str,
    ) -> None:
        immediate = tif is not TimeInForce.GTC
        self.venue.place(
            account,
            side,
            price,
            size / CONTRACT,
            ticker,
            time_in_force=tif,
            self_trade=self_trade,
            reduce_only=reduce_only and immediate,
            max_cost_micros=max_cost if immediate else 0,
            group_id="" if account == PART else group,
            session_id=session,
        )

    @rule(
        account=WALLETS,
        ticker=TICKERS,
        verb=st.sampled_from(["buy", "sell"]),
        outcome=OUTCOMES,
        price=PRICES,
        size=SIZES,
        budget=st.sampled_from([0, 0, 3 * DOLLAR]),
    )
    def wallet_order(
        self, account: str, ticker: str, verb: str, outcome: Outcome, price: int, size: int, budget: int
    ) -> None:
        more = {"budget_micros": budget, "time_in_force": TimeInForce.IOC} if budget and verb == "buy" else {}
        self.venue.place(account, f"{verb} {outcome.name.lower()}", price, size / CONTRACT, ticker, **more)

    @rule(account=st.sampled_from([ALICE, BOB, WENDY, WALT]), pick=st.integers(0, 50))
    def cancel(self, account: str, pick: int) -> None:
        orders = list(self.venue.state.accounts[account].open_orders)
        if orders:
            self.venue.do(c.CancelOrder(account, orders[pick % len(orders)]))

    @rule(account=ANYBODY, pick=st.integers(0, 50), size=st.one_of(SIZES, st.just(0)), to=st.booleans())
    def decrease(self, account: str, pick: int, size: int, to: bool) -> None:
        orders = list(self.venue.state.accounts[account].open_orders)
        if orders:
            way = (None, size) if to else (size, None)
            self.venue.do(c.DecreaseOrder(account, orders[pick % len(orders)], *way))

    @rule(
        account=ANYBODY,
        pick=st.integers(0, 50),
        price=st.one_of(st.none(), PRICES),
        size=st.one_of(st.none(), SIZES),
        lasts=st.sampled_from([None, 0, 5_000]),
    )
    def amend(self, account: str, pick: int, price: int | None, size: int | None, lasts: int | None) -> None:
        orders = list(self.venue.state.accounts[account].open_orders)
        if orders:
            expires = lasts and self.venue.now_ms + lasts
            self.venue.do(c.AmendOrder(account, orders[pick % len(orders)], price, size, expires))

    @rule(
        account=st.sampled_from([ALICE, BOB]),
        kind=st.sampled_from([c.ResetOrderGroup, c.ResetOrderGroup, c.TriggerOrderGroup]),
        limit=st.sampled_from([0, 3, 30]),
    )
    def order_group(self, account: str, kind: type, limit: int) -> None:
        self.venue.do(c.SetOrderGroupLimit(account, "g", limit * CONTRACT) if limit else kind(account, "g"))

    @rule(account=ANYBODY, session=SESSIONS, lasts=st.sampled_from([0, 500, 5_000]))
    def dead_man(self, account: str, session: str, lasts: int) -> None:
        self.venue.do(c.ArmDeadMan(account, self.venue.now_ms + lasts, session) if lasts else c.EndSession(account, "s"))

    @rule(forwards=st.integers(0, 2_000))
    def time_passes(self, forwards: int) -> None:
        self.venue.now_ms += forwards

    @rule(there=st.booleans(), dollars=st.integers(0, 20))
    def transfer(self, there: bool, dollars: int) -> None:
        self.nonce += 1
        self.venue.do(c.TransferCash(ALICE, f"t{self.nonce}", *((0, 1) if there else (1, 0)), dollars * DOLLAR))

    @rule(account=CUSTODIAL, enabled=st.booleans())
    def netting(self, account: str, enabled: bool) -> None:
        self.venue.do(c.SetNetting(account, enabled))

    @rule(account=CUSTODIAL, pick=st.integers(0, 4), side=st.sampled_from(["bid", "ask"]), price=PRICES, size=SIZES)
    def order_in_an_event(self, account: str, pick: int, side: str, price: int, size: int) -> None:
        self.venue.place(account, side, price, size / CONTRACT, self.events[pick])

    @rule(sizes=st.tuples(SIZES, SIZES), tickers=st.tuples(st.integers(0, 4), st.integers(0, 4)), price=PRICES)
    def a_set_across_markets(self, sizes: tuple[int, int], tickers: tuple[int, int], price: int) -> None:
        for size, pick in zip(sizes, tickers, strict=True):
            self.venue.place(BOB, "bid", price, size / CONTRACT, self.events[pick])
            self.venue.place(ALICE, "ask", price, size / CONTRACT, self.events[pick])

    @rule(account=CUSTODIAL, pick=st.integers(0, 4), outcome=OUTCOMES, size=SIZES)
    def tokens_of_an_event_leave(self, account: str, pick: int, outcome: Outcome, size: int) -> None:
        self.nonce += 1
        self.venue.do(c.Withdraw(f"w{self.nonce}", account, size, WALT, self.events[pick], outcome))

    @rule(account=CUSTODIAL, enabled=st.booleans())
    def collateral_return(self, account: str, enabled: bool) -> None:
        self.venue.do(c.SetCollateralReturn(account, enabled))

    @rule(pick=st.integers(0, 4), payout=st.sampled_from([0, 0, 1_000_000, 333_333]))
    def a_market_of_an_event_ends(self, pick: int, payout: int) -> None:
        listed = self.venue.state.markets[self.events[pick]]
        self.venue.do(c.ResolveMarket(listed.ticker, payout))
        if listed.yes_payout_micros >= 0 and not listed.open_operations:
            self.venue.do(cc.ConfirmResolution(listed.ticker, listed.yes_payout_micros, "0x", 1, merges=True))

    @rule(account=ANYBODY, most=st.sampled_from([None, None, 0, 20]), cap=st.booleans())
    def limit(self, account: str, most: int | None, cap: bool) -> None:
        micros = most and most * CONTRACT
        self.venue.do(c.SetExposureCap(account, micros) if cap else c.SetPositionLimit(account, micros))

    @rule()
    def land(self) -> None:
        if self.venue.state.next_operation > self.venue.state.uncut:
            failed = [n for n, entry in self.venue.state.operations.items() if entry.failed]
            self.venue.land(tuple((number, 1) for number in failed))

    @rule(data=st.data())
    def land_with_skips(self, data: st.DataObject) -> None:
        state = self.venue.state
        numbers = [n for n in state.operations if n >= state.uncut]
        if not numbers:
            return
        wallets = [
            n for n in numbers if isinstance(state.operations[n].operation, FillOperation) and not state.operations[n].failed
        ]
        skipped = set(data.draw(st.lists(st.sampled_from(wallets), max_size=2))) if wallets else set()
        if not skipped:
            return
        last = min(skipped)
        batch = state.next_batch
        self.venue.cut(last - state.uncut + 1)
        failed = {n for n, entry in state.operations.items() if entry.failed and n < last}
        self.venue.do(cc.ConfirmBatch(batch, "0x", 1, "0x", tuple((n, 1) for n in sorted(failed | {last}))))

    @rule()
    def chain_loses_everything_open(self) -> None:
        state = self.venue.state
        if state.operations:
            self.venue.now_ms += 61_000
            first = next(iter(state.operations))
            self.venue.do(cc.ExpireOperations(first, state.next_operation - first, 9, self.venue.now_ms // 1000 + 100))

    @rule(chance=st.randoms(use_true_random=False))
    def rarer_things_happen(self, chance: random.Random) -> None:
        ChainWalk(self.venue, chance, self.land, lambda events: None).act()

    @rule(
        chance=st.randoms(use_true_random=False),
        wallet=WALLETS,
        verb=st.sampled_from(["buy", "sell"]),
        outcome=OUTCOMES,
        price=PRICES,
        size=SIZES,
        ticker=TICKERS,
    )
    def signed_order(
        self, chance: random.Random, wallet: str, verb: str, outcome: Outcome, price: int, size: int, ticker: str
    ) -> None:
        signed = ChainWalk(self.venue, chance, self.land, lambda events: None).signed(
            wallet, verb, outcome, price, size, ticker
        )
        more = {"signed": signed, "order_id": signed.digest}
        self.venue.place(wallet, f"{verb} {outcome.name.lower()}", price, size / CONTRACT, ticker, **more)

    @rule(account=CUSTODIAL, ticker=TICKERS, outcome=OUTCOMES, size=SIZES)
    def tokenize(self, account: str, ticker: str, outcome: Outcome, size: int) -> None:
        self.nonce += 1
        self.venue.do(c.Withdraw(f"w{self.nonce}", account, size, WALT, ticker, outcome))

    @rule(account=CUSTODIAL, dollars=st.integers(1, 30))
    def withdraw(self, account: str, dollars: int) -> None:
        self.nonce += 1
        self.venue.do(c.Withdraw(f"w{self.nonce}", account, dollars * DOLLAR, WALT))

    @rule(account=st.sampled_from([ALICE, BOB, WENDY]), ticker=TICKERS, outcome=OUTCOMES, size=SIZES)
    def tokens_come_in(self, account: str, ticker: str, outcome: Outcome, size: int) -> None:
        self.venue.deposit(account, size, ticker, outcome)

    @rule(wallet=WALLETS, kind=st.sampled_from(list(VaultActionKind)), size=SIZES, flag=st.booleans())
    def vault_action(self, wallet: str, kind: VaultActionKind, size: int, flag: bool) -> None:
        self.nonce += 1
        listed = self.venue.state.markets[TICKER]
        number = str(int(listed.condition_id, 16))
        if kind in (VaultActionKind.WITHDRAW, VaultActionKind.TAKE_BACK, VaultActionKind.TAKE_BACK_FREE):
            number = "0" if flag else listed.yes_token_id
        amount = int(flag) if kind is VaultActionKind.SET_DELIVERY else size
        action = VaultAction(wallet, kind, number, amount, wallet, str(self.nonce), 2**40, "0x")
        self.venue.do(c.SubmitAction(f"a{self.nonce}", action))

    @rule(account=CUSTODIAL, wallet=WALLETS, deliver=st.booleans())
    def link(self, account: str, wallet: str, deliver: bool) -> None:
        self.venue.do(c.LinkAccount(account, wallet, deliver))

    @rule(halted=st.booleans())
    def chain_stops_or_returns(self, halted: bool) -> None:
        self.venue.do(cc.ObserveChain(1, 1, halted))

    @rule(ticker=TICKERS, command=st.sampled_from([m.PauseMarket, m.ResumeMarket]))
    def a_market_pauses_or_resumes(self, ticker: str, command: type) -> None:
        self.venue.do(command(ticker))

    @rule(mode=st.sampled_from([m.ExchangeMode.OPEN, *m.ExchangeMode]))
    def the_exchange_takes_less_or_all(self, mode: m.ExchangeMode) -> None:
        self.venue.do(m.SetExchangeMode(mode, 0 if mode is m.ExchangeMode.OPEN else self.venue.now_ms + 300))

    @rule(forwards=st.integers(0, 2_000))
    def the_clock_ticks(self, forwards: int) -> None:
        self.venue.now_ms += forwards
        self.venue.do(m.AdvanceClock())

    @rule(
        rates=st.sampled_from([(700, 175), (0, 0), (350, -100), (700, 700), (100, 50)]),
        event=st.booleans(),
        kind=st.sampled_from(["quadratic", "flat", ""]),
        cents=st.booleans(),
        later=st.sampled_from([0, 300]),
    )
    def fees_change(self, rates: tuple[int, int], event: bool, kind: str, later: int, cents: bool) -> None:
        self.nonce += 1
        whose = {"event_ticker": "SNOW"} if event else {"series_ticker": "PAID"}
        at_ms = later and self.venue.now_ms + later
        self.venue.do(m.SetFees(f"f{self.nonce}", kind, *rates, at_ms=at_ms, whole_cents=cents, **whose))

    @rule(retention_ms=st.sampled_from([0, 500, 3_000]))
    def ids_are_remembered_for(self, retention_ms: int) -> None:
        self.venue.do(m.SetRetention(retention_ms))

    @rule(ticker=TICKERS, step=st.sampled_from([100, 50, 20, 10, 1]), price=st.integers(1, 9_999))
    def ticks_get_finer(self, ticker: str, step: int, price: int) -> None:
        self.venue.do(m.RefineTicks(ticker, f"step {step}", ((step, 10_000 - step, step),)))
        self.venue.place(BOB, "bid", price - price % step or step, 1, ticker)

    @rule(payout=st.integers(0, 1_000_000), amended=st.integers(0, 1_000_000), void=st.booleans())
    def a_market_is_doubted_and_ends(self, payout: int, amended: int, void: bool) -> None:
        venue = self.venue
        ticker = f"DOUBT-{venue.state.seq}"
        venue.do(market(ticker, settlement_timer_s=1))
        venue.place(ALICE, "bid", 6_000, 2.5, ticker)
        venue.place(BOB, "ask", 6_000, 1, ticker)
        venue.do(c.ResolveMarket(ticker, payout))
        venue.do(m.DisputeResolution(ticker))
        venue.do(m.VoidMarket(ticker) if void else m.AmendResolution(ticker, amended))
        venue.now_ms += 1_000
        venue.do(m.AdvanceClock())
        if not venue.state.markets[ticker].open_operations:  # deliveries to a linked wallet
            venue.do(cc.ConfirmResolution(ticker, venue.state.markets[ticker].yes_payout_micros, "0x", 1, merges=True))

    @rule(payout=st.integers(0, 1_000_000))
    def a_market_ends_and_a_new_one_begins(self, payout: int) -> None:
        venue = self.venue
        ticker = f"OLD-{venue.state.seq}"
        venue.do(market(ticker, "RAIN"))
        venue.place(ALICE, "bid", 6_000, 2.5, ticker)
        venue.place(WENDY, "buy no", 4_000, 1.5, ticker)
        venue.place(BOB, "ask", 6_000, 1, ticker)
        failed = [n for n, entry in venue.state.operations.items() if entry.failed]
        venue.do(c.ResolveMarket(ticker, payout))
        if venue.state.next_operation > venue.state.uncut:
            venue.land(tuple((number, 1) for number in failed))
        venue.do(cc.ConfirmResolution(ticker, payout, "0x", 1, merges=True))


class WholeCommandSet(Checked):
    """The walks' own steps, which send every command that there is, under Hypothesis' choices."""

    def __init__(self) -> None:
        super().__init__()
        self.walk = EventWalk(0)
        self.venue, self.twin = self.walk.venue, Twin(self.walk.venue)

    @rule(chance=st.randoms(use_true_random=False))
    def anything(self, chance: random.Random) -> None:
        self.walk.random = self.walk.markets.random = self.walk.chain.random = chance
        self.walk.step()


Exchange.TestCase.settings = settings(max_examples=120, stateful_step_count=50, suppress_health_check=list(HealthCheck))
TestExchange = Exchange.TestCase
WholeCommandSet.TestCase.settings = settings(
    max_examples=40, stateful_step_count=50, suppress_health_check=list(HealthCheck)
)
TestWholeCommandSet = WholeCommandSet.TestCase
_ = (BookSide, Matched, Rejected, PoolOperation)
