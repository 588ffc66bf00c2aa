"""One-line makers for the engine's tests: alice and bob are custodial, wendy and walt hold their own keys."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, product
from math import ceil, floor
from typing import Any, TypeVar

from msgspec.structs import replace

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine import outflow
from offchain_book.engine.account import Account
from offchain_book.engine.events import Event, Rejected
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.fees import Fee
from offchain_book.engine.market import EventInfo, Market
from offchain_book.engine.names import COLLATERAL, OUTSIDE, VENUE_ACCOUNTS, collateral_account, owed_account, token_asset
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide, Order
from offchain_book.engine.state import State
from offchain_book.engine.strikes import CollateralReturn, StrikeType, rank
from offchain_book.engine.units import CASH, whole_lots

ALICE, BOB = "alice", "bob"
WENDY, WALT = "0x" + "aa" * 20, "0x" + "bb" * 20
PEOPLE = (ALICE, BOB, WENDY, WALT)
TICKER = "RAIN-1"
FEE_TICKER = "FEE-1"
DOLLAR = 1_000_000
CONTRACT = 1_000_000


E = TypeVar("E")


class Venue:
    """An engine with a clock and order ids of its own."""

    def __init__(self, settle_deadline_s: int = 60) -> None:
        self.state: State = new_state(settle_deadline_s)
        self.now_ms = 1_000_000
        self.orders = 0
        self.deposits = 0
        self.log: list[c.Sequenced] = []
        self.watchers: list[Callable[[State, c.Sequenced, list[Event]], None]] = []
        """Told of every command and what came of it."""

    def do(self, command: c.Command, request_id: str = "") -> list[Event]:
        """Apply one command."""
        entry = c.Sequenced(self.state.seq + 1, self.now_ms, request_id, command)
        self.log.append(entry)
        events = apply(self.state, entry)
        for watch in self.watchers:
            watch(self.state, entry, events)
        return events

    def deposit(self, account_id: str, micros: int, ticker: str = "", outcome: Outcome | None = None) -> None:
        """Credit a deposit."""
        self.do(cc.CreditDeposit(self.state.next_deposit, account_id, micros, "0x1", 1, "0x2", ticker, outcome))

    def place(
        self,
        account_id: str,
        side: str,
        price_e4: int,
        contracts: float,
        ticker: str = TICKER,
        **more: object,
    ) -> list[Event]:
        """Place an order: `side` is bid or ask for custodial accounts, "buy yes" and so on for wallets."""
        self.orders += 1
        outcome = None
        book_side = BookSide.BID if side in ("bid", "buy yes", "sell no") else BookSide.ASK
        if " " in side:
            outcome = Outcome.YES if side.endswith("yes") else Outcome.NO
        if outcome is Outcome.NO:
            price_e4 = 10_000 - price_e4
        order_id = str(more.pop("order_id", f"o{self.orders}"))
        return self.do(
            c.PlaceOrder(
                order_id,
                account_id,
                ticker,
                book_side,
                price_e4,
                round(contracts * CONTRACT),
                outcome=outcome,
                **more,  # type: ignore[arg-type]
            )
        )

    def cut(self, count: int) -> list[Event]:
        """Cut the next operations into a batch, packed as the submitter packs them."""
        state = self.state
        numbers = range(state.uncut, state.uncut + count)
        voided = tuple(number for number in numbers if state.operations[number].failed)
        return self.do(cc.CutBatch(state.next_batch, state.uncut, count, "0x", voided))

    def land(self, skipped: tuple[tuple[int, int], ...] = ()) -> list[Event]:
        """Cut everything that waits into one batch and confirm it."""
        state = self.state
        count = state.next_operation - state.uncut
        number = state.next_batch
        self.cut(count)
        return self.do(cc.ConfirmBatch(number, "0xabc", 7, "0xdef", skipped))

    def total(self, account_id: str, asset: str = CASH) -> int:
        """Return an account's total."""
        return self.state.accounts[account_id].balance(asset).total


def rejected(events: list[Event]) -> Rejected:
    """Return the rejection that must be there."""
    (event,) = events
    assert isinstance(event, Rejected), event
    return event


def find(events: Sequence[Event], kind: type[E]) -> list[E]:
    """Return the events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def market(ticker: str = TICKER, event: str = "RAIN", step: int = 100, **more: Any) -> c.CreateMarket:
    """Return a market's creation."""
    number = int.from_bytes(ticker.encode(), "big")
    made = c.CreateMarket(
        ticker,
        event,
        f"{ticker}?",
        f"0x{number:064x}",
        f"0x{number << 8:064x}",
        str((number << 8) + 1),
        str((number << 8) + 2),
        0,
        10**15,
        price_ranges=((step, 10_000 - step, step),),
    )
    return replace(made, **more)


def exclusive(venue: Venue, event: str, count: int, series: str = "FREE") -> list[str]:
    """Create an event of mutually exclusive markets; return their tickers."""
    venue.do(c.CreateEvent(event, series, event, "", True, CollateralReturn.EXCLUSIVE))
    tickers = [f"{event}-{number}" for number in range(1, count + 1)]
    for ticker in tickers:
        venue.do(market(ticker, event))
    return tickers


def ordered(venue: Venue, event: str, strikes: Sequence[int], series: str = "FREE", kind: str = "greater") -> list[str]:
    """Create an event of ordered strikes, "greater" or "less"; return the tickers in the order of `strikes`."""
    venue.do(c.CreateEvent(event, series, event, "", False, CollateralReturn.ORDERED))
    tickers = [f"{event}-T{strike}" for strike in strikes]
    for ticker, strike in zip(tickers, strikes, strict=True):
        side = "floor_strike_e6" if kind.startswith("greater") else "cap_strike_e6"
        venue.do(market(ticker, event, strike_type=StrikeType(kind), **{side: strike * 1_000_000}))
    return tickers


def open_venue(cash_micros: int = 1_000 * DOLLAR) -> Venue:
    """Return a venue with four funded people, a fee-free market and one with fees."""
    venue = Venue()
    venue.do(c.OpenAccount(ALICE, c.Custody.CUSTODIAL, "Alice"))
    venue.do(c.OpenAccount(BOB, c.Custody.CUSTODIAL, "Bob"))
    venue.do(c.CreateSeries("FREE", "Free"))
    venue.do(c.CreateSeries("PAID", "Paid", fee_type="quadratic_with_maker_fees", taker_rate_e4=700, maker_rate_e4=175))
    venue.do(c.CreateEvent("RAIN", "FREE", "Rain"))
    venue.do(c.CreateEvent("SNOW", "PAID", "Snow"))
    venue.do(market())
    venue.do(market(FEE_TICKER, "SNOW"))
    for person in (*PEOPLE, "venue:guarantee"):
        venue.deposit(person, cash_micros)
    return venue


def assert_books_balance(state: State) -> None:
    """Check every money invariant of the engine (I1-I5 in docs/invariants.md)."""
    open_sends = sum(
        outflow.counted_micros(state, entry.operation) for entry in state.operations.values() if not entry.failed
    )
    assert state.pool_outflow_open_micros == (open_sends if state.pool_outflow_limit_micros else 0)
    sums: dict[str, int] = {}
    for account_id, account in state.accounts.items():
        for asset, balance in account.balances.items():
            sums[asset] = sums.get(asset, 0) + balance.total
            # What is cut waits for the chain's answer; until then a wallet may have sold what never arrived.
            waits = account.is_wallet and next(iter(state.operations), state.uncut) < state.uncut
            assert balance.available >= 0 or waits, (account_id, asset, balance.total, balance.held)
            assert balance.held >= 0, (account_id, asset, balance.held)
            assert balance.pending_in >= 0
            assert balance.pending_out >= 0
    for balances in state.contra.values():
        for asset, amount in balances.items():
            sums[asset] = sums.get(asset, 0) + amount
    assert all(total == 0 for total in sums.values()), sums
    assert_pool_identity(state)
    for ticker, listed in state.markets.items():
        vault = state.contra.get(collateral_account(ticker), {})
        if not listed.resolved_on_chain:
            yes, no = (-vault.get(token_asset(ticker, outcome), 0) for outcome in Outcome)
            assert vault.get(CASH, 0) == yes == no == listed.yes_supply_micros


def assert_orders_are_listed(state: State) -> None:
    """Check that every index of open orders, groups and timers says the same."""
    listed: set[str] = set()
    for account in state.accounts.values():
        for order_id, order in account.open_orders.items():
            assert order.order_id == order_id
            assert order.in_book
            assert order.remaining_micros > 0
            assert order.account is account
            assert state.orders[order_id] is order
            listed.add(order_id)
        for group_id, group in account.groups.items():
            mine = {name for name, order in account.open_orders.items() if order.terms.group_id == group_id}
            assert mine == group.orders.keys()
            assert not (group.triggered and mine)
            assert group.matched_micros == sum(size for _, size in group.window)
    assert listed == state.orders.keys()
    assert not listed & (state.finished_order_ids | state.recent_order_ids | state.earlier_order_ids)
    assert sorted(state.expiries) == sorted((o.expires_ms, o.order_id) for o in state.orders.values() if o.expires_ms)
    timers = [(ms, a.account_id, session) for a in state.accounts.values() for session, ms in a.dead_men.items()]
    assert list(state.dead_men) == sorted(timers)


def assert_holds_are_exact(state: State) -> None:
    """Check custodial holds against every subset of fills: never more than the position can lose, never less."""
    for account in state.accounts.values():
        if account.is_wallet or not (account.open_orders or account.exposures):
            continue
        held = 0
        for ticker in {order.ticker for order in account.open_orders.values()}:
            orders = [order for order in account.open_orders.values() if order.ticker == ticker]
            if len(orders) > 7:
                held += account.exposures[ticker].hold
                continue
            yes, no = (whole_lots(account.balance(token_asset(ticker, outcome)).total) for outcome in Outcome)
            worst = max(_loss(account.netting, subset, yes, no) for subset in _subsets(orders))
            assert account.exposures[ticker].hold == worst, (account.account_id, ticker)
            held += worst
        held += sum(advance.hold for advance in account.advances.values())
        if account.account_id not in VENUE_ACCOUNTS:
            assert account.cash.held == held
        for order in account.open_orders.values():
            fees = state.markets[order.ticker].fees.maker
            numerator, charged = order.fees_so_far
            rest = order.remaining_micros
            assert order.hold_micros == _most_paid(fees, order.side, order.price_e4, rest, charged, numerator), order
    assert_advances_are_safe(state)


@lru_cache(maxsize=4_096)
def _most_paid(fee: Fee, side: BookSide, price_e4: int, rest: int, charged: int, numerator: int) -> int:
    """Return the most that the rest of a custodial order may take from the cash, however it is cut into fills at its limit.

    In whole cents, fill by fill as Kalshi describes it: every balance change is rounded down to a cent, and whenever the
    roundings of the order add up to a cent, it is given back.
    """
    own = price_e4 if side is BookSide.BID else 10_000 - price_e4
    rate, chance = Fraction(fee.rate_e4, 10_000), Fraction(price_e4 * (10_000 - price_e4), 10**8)
    most = Fraction(7, 100) * chance
    each = max(-most, min(rate, most)) if fee.flat else rate * chance
    paid_too_much = charged - Fraction(numerator, 10**12)
    if not fee.whole_cents:
        return rest * own // 10_000 + max(0, floor(rest * each - paid_too_much))
    lots = rest // 10_000
    cuts = [[lots], [1, lots - 1], [lots // 2, lots - lots // 2], [1] * min(lots, 12) + [lots - min(lots, 12)]]
    return max(_paid_in_cents(cut, own, each, paid_too_much) for cut in cuts)


def _paid_in_cents(lots: list[int], own_e4: int, fee_each: Fraction, rounded_before: Fraction) -> int:
    """Return what fills of these sizes cost, fees included, with roundings kept and given back by the cent."""
    total, kept = 0, rounded_before
    for count in lots:
        exact = count * 10_000 * (Fraction(own_e4, 10_000) + fee_each)
        charged = ceil(exact / 10_000) * 10_000
        kept += charged - exact
        back = 10_000 * floor(kept / 10_000)
        kept -= back
        total += charged - back
    return total


def assert_advances_are_safe(state: State, most_orders: int = 5) -> None:
    """Check collateral return against every result and every subset of fills, naively (I13, I14)."""
    advanced = 0
    for account in state.accounts.values():
        for event_ticker, advance in account.advances.items():
            event = state.events[event_ticker]
            assert account.netting
            assert account.collateral_return
            assert list(advance.markets) == event.tickers
            owed = state.contra[owed_account(account.account_id, event_ticker)]["USD:advanced"]
            assert 0 < advance.micros == -owed
            advanced += advance.micros
            _assert_covered(state, account, event, most_orders)
    assert advanced == state.contra.get("venue:advanced", {}).get("USD:advanced", 0)
    if COLLATERAL in state.accounts:
        assert state.accounts[COLLATERAL].cash.total >= 0


def _assert_covered(state: State, account: Account, event: EventInfo, most_orders: int) -> None:
    advance = account.advances[event.event_ticker]
    markets = [state.markets[ticker] for ticker in event.tickers]
    outcomes = list(results(event.collateral_return, markets))
    positions = {m.ticker: tuple(account.balance(token_asset(m.ticker, o)).total for o in Outcome) for m in markets}
    whole = all(m.yes_payout_micros in (0, 1_000_000) or not m.resolved_on_chain for m in markets)
    rounding = 0 if whole else len(markets)
    uncovered = advance.micros - min(_paid(positions, result) for result in outcomes)
    assert uncovered <= account.cash.held + rounding
    orders = [order for order in account.open_orders.values() if order.ticker in advance.markets]
    if len(orders) > most_orders:
        return
    need = 0
    for subset in _subsets(orders):
        spent, after = _filled(positions, subset)
        lowest = min(_paid(after, result) for result in outcomes)
        need = max(need, spent + max(0, advance.micros - lowest))
    held = advance.hold + sum(account.exposures[ticker].hold for ticker in advance.markets if ticker in account.exposures)
    assert held == need if whole else held >= need - rounding, (account.account_id, event.event_ticker, held, need)


def results(kind: CollateralReturn, markets: Sequence[Market]) -> Iterator[dict[str, int]]:
    """Return every result of an event that its rule allows: YES payouts by ticker, for markets that are not paid yet."""
    paid = {m.ticker: m.yes_payout_micros for m in markets if m.resolved_on_chain}
    open_tickers = [m.ticker for m in markets if not m.resolved_on_chain]
    payouts = {0, 1_000_000, *paid.values(), 1_000_000 - sum(paid.values())}
    nearest_first = [m.ticker for m in sorted(markets, key=rank)]
    for row in product(sorted(p for p in payouts if p >= 0), repeat=len(open_tickers)):
        result = dict(zip(open_tickers, row, strict=True))
        whole = paid | result
        if kind is CollateralReturn.EXCLUSIVE:
            allowed = sum(whole.values()) <= 1_000_000
        else:
            allowed = all(whole[near] >= whole[far] for near, far in pairwise(nearest_first))
        if allowed:
            yield result


def _paid(positions: dict[str, tuple[int, ...]], result: dict[str, int]) -> int:
    return sum(
        (positions[ticker][0] * yes + positions[ticker][1] * (1_000_000 - yes)) // 1_000_000
        for ticker, yes in result.items()
    )


def _filled(positions: dict[str, tuple[int, ...]], orders: list[Order]) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Return what filling these orders takes from the cash, sets redeemed, and the positions after it."""
    spent, after = 0, {ticker: list(amounts) for ticker, amounts in positions.items()}
    for order in orders:
        spent += order.hold_micros
        after[order.ticker][order.side] += order.remaining_micros
    for amounts in after.values():
        sets = min(whole_lots(amount) for amount in amounts)
        spent -= sets
        amounts[0] -= sets
        amounts[1] -= sets
    return spent, {ticker: tuple(amounts) for ticker, amounts in after.items()}


def _subsets(orders: list[Order]) -> list[list[Order]]:
    return [[order for bit, order in enumerate(orders) if mask >> bit & 1] for mask in range(1 << len(orders))]


def _loss(netting: bool, orders: list[Order], yes: int, no: int) -> int:
    """Return what filling these orders would take from the cash, with every set redeemed that they make."""
    for order in orders:
        yes += order.remaining_micros if order.side is BookSide.BID else 0
        no += order.remaining_micros if order.side is BookSide.ASK else 0
    return sum(order.hold_micros for order in orders) - (min(yes, no) if netting else 0)


def assert_pool_identity(state: State) -> None:
    """pool YES = custodial YES - u, pool NO = custodial NO - u, pool cash = custodial cash + equity + sum of u."""
    custodial = [account for account in state.accounts.values() if not account.is_wallet]
    for ticker, listed in state.markets.items():
        yes, no = (sum(a.balance(token_asset(ticker, o)).total for a in custodial) for o in Outcome)
        assert (listed.custodial_yes_micros, listed.custodial_no_micros) == (yes, no)
        waits = next(iter(state.operations), state.uncut) < state.uncut
        assert waits or min(listed.pool_yes_micros, listed.pool_no_micros) >= 0
    cash = sum(account.cash.total for account in custodial)
    assert state.pool_cash_micros == cash + sum(m.unsplit_micros for m in state.markets.values())
    assert state.pool_cash_micros >= 0


def outside(state: State, asset: str = CASH) -> int:
    """Return minus what came in and has not left."""
    return state.contra[OUTSIDE].get(asset, 0)
