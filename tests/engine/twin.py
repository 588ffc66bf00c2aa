"""A naive twin of the exchange: it is told each command and what came of it, keeps lists and sums of its own, and contradicts.

Its books are plain dicts in the order of arrival, scanned whole; its balances are sums of what each fill must move by the price
and of postings. It knows nothing of the engine's state but what `agree` and `agree_in_full` compare. Invariants by the names of
docs/invariants.md: I1 (every posting, and the sums), I2, I5 (everything takes effect at most once), I7 (fills).
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import chain_events as ce
from offchain_book.engine import commands as c
from offchain_book.engine import events as e
from offchain_book.engine import market_events as me
from offchain_book.engine.claims import place_of
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.names import OUTSIDE, token_asset
from offchain_book.engine.operations import Outcome, TokenSide
from offchain_book.engine.order import BookSide, CancelReason, SelfTrade
from offchain_book.engine.postings import postings
from offchain_book.engine.state import State
from offchain_book.engine.units import CASH
from tests.builders import Venue

LOT = 10_000
ONCE = ("exit", "refused", "action", "guarantee", "bust")
"""References of postings that there is one of; a fill has one per step of it, and what was returned may be sent again."""
BOUNDED = (
    CancelReason.AMOUNT_SPENT,
    CancelReason.MAX_COST,
    CancelReason.GUARANTEE_EXHAUSTED,
    CancelReason.GROUP_TRIGGERED,
    CancelReason.OUTFLOW_LIMIT,
)
"""Why an order may stop although somebody would trade with it."""


@dataclass(slots=True)
class Known:
    """An order as its owner asked for it, and what became of it."""

    command: c.PlaceOrder
    price_e4: int
    size_micros: int
    expires_ms: int
    filled_micros: int = 0
    spent_micros: int = 0
    open: bool = True

    @property
    def by_amount(self) -> bool:
        """Whether money, not size, says when it is done."""
        return self.command.budget_micros > 0

    @property
    def rest(self) -> int:
        """What it still wants."""
        return self.size_micros - self.filled_micros


class Twin:
    """What a venue should have done, command by command; raises AssertionError at the first difference."""

    def __init__(self, venue: Venue) -> None:
        self.orders: dict[str, Known] = {}
        self.queues: dict[tuple[str, BookSide], dict[str, int]] = defaultdict(dict)
        """(ticker, side) -> price of each order that rests, in the order of arrival."""
        self.totals: Counter[tuple[str, str]] = Counter()
        self.owners: dict[str, str] = {}
        self.both_sides: set[str] = set()
        """Accounts that do not net."""
        self.claimed: dict[tuple[str, str], str] = {}
        """A wallet's place in the contract's fill state -> the order that has been filled there."""
        self.used: dict[str, int] = {}
        """What may happen once -> the generation of ids it happened in; -1 is never again."""
        self.generation = 0
        self.retention_ms = 0
        self.forgets_ms = 0
        self.halted = False
        self.next_operation = self.next_final = self.next_match = self.next_batched = 0
        self._moved: Counter[tuple[str, str]] = Counter()
        """What the postings of the match under way have moved."""
        self._touched: set[str] = set()
        state = new_state(venue.state.settle_deadline_s)
        for entry in venue.log:
            self.observe(state, entry, apply(state, entry))
        venue.watchers.append(self.observe)

    def observe(self, state: State, entry: c.Sequenced, events: list[e.Event]) -> None:
        """Take in a command, and check what came of it."""
        self._touched.clear()
        for event in events:
            note = getattr(self, f"_{type(event).__name__}", None)
            if note is not None:
                note(entry, event)
        self.agree(state)

    def agree(self, state: State) -> None:
        """Compare the totals of every account that something happened to; and I2 for them."""
        waits = next(iter(state.operations), state.uncut) < state.uncut
        for name in self._touched:
            account = state.accounts.get(name)
            if account is None:
                continue
            for asset, balance in account.balances.items():
                assert balance.total == self.totals[name, asset], (name, asset, balance.total, self.totals[name, asset])
                assert balance.available >= 0 or (account.is_wallet and waits), (name, asset)
                assert min(balance.held, balance.pending_in, balance.pending_out) >= 0, (name, asset)

    def agree_in_full(self, state: State) -> None:
        """Compare every balance, every contra account, and every book order by order."""
        balances = {(name, asset): b.total for name, a in state.accounts.items() for asset, b in a.balances.items()}
        contra = {(name, asset): amount for name, held in state.contra.items() for asset, amount in held.items()}
        assert {key: n for key, n in (balances | contra).items() if n} == {key: n for key, n in self.totals.items() if n}
        assert {name for name, known in self.orders.items() if known.open} == state.orders.keys()
        for ticker, listed in state.markets.items():
            for side in BookSide:
                queue = self.queues[ticker, side]
                naive = sorted(queue, key=lambda name: queue[name] * (1 if side is BookSide.ASK else -1))
                assert naive == [order.order_id for order in listed.book.walk(side)], (ticker, side)
        for name, order in state.orders.items():
            assert (order.price_e4, order.remaining_micros) == (self.orders[name].price_e4, self.orders[name].rest)

    # --- once (I5) ---------------------------------------------------------------------------------------------------

    def _once(self, what: str, forgettable: bool = False) -> None:
        """Note that something happened which may happen once, or again after two generations of ids were forgotten."""
        before = self.used.get(what)
        assert before is None or (forgettable and 0 <= before <= self.generation - 2), f"{what} happened twice"
        self.used[what] = self.generation if forgettable and self.retention_ms else -1

    def _RetentionSet(self, entry: c.Sequenced, event: me.RetentionSet) -> None:
        self.retention_ms = event.retention_ms
        self.forgets_ms = entry.at_ms + event.retention_ms

    def _IdsForgotten(self, entry: c.Sequenced, event: me.IdsForgotten) -> None:
        assert self.retention_ms
        assert entry.at_ms >= self.forgets_ms
        self.generation += 1
        self.forgets_ms = entry.at_ms + self.retention_ms

    def _DepositCredited(self, entry: c.Sequenced, event: ce.DepositCredited) -> None:
        assert isinstance(entry.command, cc.CreditDeposit)
        assert (event.deposit_index, event.amount_micros) == (entry.command.deposit_index, entry.command.amount_micros)
        self._once(f"deposit {event.deposit_index}")

    def _WithdrawalRequested(self, entry: c.Sequenced, event: e.WithdrawalRequested) -> None:
        self._once(f"withdrawal {event.reference}", forgettable=True)

    def _CashTransferred(self, entry: c.Sequenced, event: e.CashTransferred) -> None:
        self._once(f"transfer {event.account_id} {event.transfer_id}", forgettable=True)

    def _ActionAccepted(self, entry: c.Sequenced, event: e.ActionAccepted) -> None:
        assert isinstance(entry.command, c.SubmitAction)
        self._once(f"action {event.action_id}")
        self._once(f"nonce {event.wallet} {entry.command.action.nonce}")

    def _OperationQueued(self, entry: c.Sequenced, event: ce.OperationQueued) -> None:
        assert event.operation.number == self.next_operation
        self.next_operation += 1

    def _BatchCut(self, entry: c.Sequenced, event: ce.BatchCut) -> None:
        first_of_split = isinstance(entry.command, cc.SplitBatch)
        assert first_of_split or event.first == self.next_batched
        self.next_batched = max(self.next_batched, event.first + event.operation_count)
        assert self.next_batched <= self.next_operation

    def _OperationSettled(self, entry: c.Sequenced, event: ce.OperationSettled) -> None:
        assert event.number == self.next_final < self.next_batched, "final in the order of the stream"
        assert event.skipped or f"failed {event.number}" not in self.used, "landed after it was given up"
        self.next_final += 1

    def _OperationFailed(self, entry: c.Sequenced, event: ce.OperationFailed) -> None:
        assert event.number >= self.next_final
        self._once(f"failed {event.number}")

    def _ChainObserved(self, entry: c.Sequenced, event: ce.ChainObserved) -> None:
        self.halted = event.halted

    # --- accounts ----------------------------------------------------------------------------------------------------

    def _AccountLinked(self, entry: c.Sequenced, event: e.AccountLinked) -> None:
        self.owners[event.wallet] = self._owner(event.account_id)

    def _NettingSet(self, entry: c.Sequenced, event: e.NettingSet) -> None:
        (self.both_sides.discard if event.enabled else self.both_sides.add)(event.account_id)

    def _owner(self, account_id: str) -> str:
        return self.owners.get(account_id) or account_id.partition("/")[0]

    # --- orders (I7) -------------------------------------------------------------------------------------------------

    def _OrderAccepted(self, entry: c.Sequenced, event: e.OrderAccepted) -> None:
        placed = entry.command
        assert isinstance(placed, c.PlaceOrder)
        self._once(f"order {event.order_id}", forgettable=placed.signed is None)
        assert event.size_micros <= placed.size_micros
        self.orders[event.order_id] = Known(placed, placed.price_e4, event.size_micros, placed.expires_ms)
        self._touched.add(event.account_id)

    def _OrderRested(self, entry: c.Sequenced, event: e.OrderRested) -> None:
        order = self._open(event.order_id)
        assert (event.price_e4, event.remaining_micros) == (order.price_e4, order.rest)
        assert self._best(event.ticker, event.side, order.price_e4) == "", "it would have traded"
        queue = self.queues[event.ticker, event.side]
        assert event.order_id not in queue
        queue[event.order_id] = event.price_e4

    def _OrderCancelled(self, entry: c.Sequenced, event: e.OrderCancelled) -> None:
        order = self._open(event.order_id)
        self._end(order)
        self._touched.add(event.account_id)
        rested = self.queues[event.ticker, event.side].pop(event.order_id, None) is not None
        assert rested is event.was_resting
        assert event.reduced_micros == order.rest or order.by_amount
        if rested:
            return
        facing = self._best(event.ticker, event.side, order.price_e4)
        if event.reason is CancelReason.SELF_TRADE:
            assert order.command.self_trade is SelfTrade.TAKER_AT_CROSS
            assert self._owner(self.orders[facing].command.account_id) == self._owner(event.account_id)
        elif event.reason is CancelReason.CHAIN_HALTED:
            assert self.halted
        else:
            assert not facing or event.reason in BOUNDED, (facing, event)

    def _OrderDecreased(self, entry: c.Sequenced, event: e.OrderDecreased) -> None:
        order = self._open(event.order_id)
        order.size_micros -= event.reduced_micros
        assert event.reduced_micros > 0
        assert order.rest == event.remaining_micros > 0
        self._touched.add(event.account_id)

    def _OrderAmended(self, entry: c.Sequenced, event: e.OrderAmended) -> None:
        order = self._open(event.order_id)
        assert (event.old_price_e4, event.rested_micros) == (order.price_e4, order.rest)
        kept = event.price_e4 == order.price_e4 and event.remaining_micros <= order.rest
        assert kept is event.kept_place
        if not kept:
            del self.queues[event.ticker, event.side][event.order_id]
        order.price_e4, order.expires_ms = event.price_e4, event.expires_ms
        order.size_micros = order.filled_micros + event.remaining_micros
        self._touched.add(event.account_id)

    def _end(self, order: Known) -> None:
        """An order has left: its id is remembered from now on, by the retention of now."""
        order.open = False
        forgettable = order.command.signed is None and self.retention_ms > 0
        self.used[f"order {order.command.order_id}"] = self.generation if forgettable else -1

    def _open(self, order_id: str) -> Known:
        order = self.orders[order_id]
        assert order.open, f"{order_id} has ended"
        return order

    def _best(self, ticker: str, side: BookSide, price_e4: int) -> str:
        """Return the order that one on a side at a price would meet first; empty when none crosses."""
        facing = self.queues[ticker, side.opposite]
        best = (min if side is BookSide.BID else max)(facing.values(), default=None)
        if best is None or (best > price_e4 if side is BookSide.BID else best < price_e4):
            return ""
        return next(name for name, price in facing.items() if price == best)

    def _Matched(self, entry: c.Sequenced, event: e.Matched) -> None:
        assert event.match_id == self.next_match
        self.next_match += 1
        taker, maker = self._open(event.taker.order_id), self._open(event.maker.order_id)
        assert self._best(event.ticker, event.taker.side, taker.price_e4) == event.maker.order_id
        assert event.price_e4 == maker.price_e4
        assert self._owner(event.taker.account_id) != self._owner(event.maker.account_id)
        assert not (self.halted and event.operation >= 0)
        most = maker.rest if taker.by_amount else min(taker.rest, maker.rest)
        bounded = taker.command.budget_micros or taker.command.max_cost_micros
        assert event.size_micros == most or (bounded and event.size_micros < most)
        for known, side in ((taker, event.taker), (maker, event.maker)):
            self._fill(entry, known, side, event)
        for posting in postings(event) if event.operation < 0 else ():
            self._Posted(entry, posting)
        moved = Counter({key: n for key, n in self._moved.items() if n})
        assert moved == self._expected(event), (event, moved)
        self._moved.clear()

    def _fill(self, entry: c.Sequenced, order: Known, side: e.FillSide, event: e.Matched) -> None:
        """Count a fill: never more than was asked for, never worse, never too late."""
        asked = order.command
        assert not order.expires_ms or order.expires_ms > entry.at_ms
        bid = asked.side is BookSide.BID
        assert event.price_e4 <= order.price_e4 if bid else event.price_e4 >= order.price_e4
        order.filled_micros += event.size_micros
        order.spent_micros += event.size_micros * (event.price_e4 if bid else 10_000 - event.price_e4) // 10_000
        most = asked.budget_micros or asked.max_cost_micros
        assert not most or order.spent_micros <= most
        if not order.by_amount:
            assert 0 <= order.rest == side.remaining_micros
        if asked.signed is not None:
            self._within_signature(order, event.size_micros)
        if not side.remaining_micros:
            self._end(order)
            self.queues[event.ticker, side.side].pop(side.order_id, None)

    def _within_signature(self, order: Known, size_micros: int) -> None:
        signed = order.command.signed
        assert signed is not None
        given, gets = signed.sell_amount_micros, signed.buy_amount_micros
        tokens = gets if signed.side is TokenSide.BUY else given
        assert order.filled_micros <= tokens
        if signed.side is TokenSide.BUY:
            assert order.spent_micros <= given
        place = place_of(signed)
        if place:
            first = self.claimed.setdefault((signed.maker, place), order.command.order_id)
            assert first == order.command.order_id, f"two orders were filled in {place} of {signed.maker}"

    def _expected(self, event: e.Matched) -> Counter[tuple[str, str]]:
        """Return what a match moves, from its price and size and what both had before."""
        moves: Counter[tuple[str, str]] = Counter()
        for side in (event.taker, event.maker):
            buys = Outcome.YES if side.side is BookSide.BID else Outcome.NO
            bought, sold = token_asset(event.ticker, buys), token_asset(event.ticker, buys.complement)
            name = side.account_id
            if side.outcome is None:
                has = self.totals[name, sold] - self._moved[name, sold]
                closed = 0 if name in self.both_sides else min(event.size_micros, has - has % LOT)
            else:
                closed = 0 if side.outcome is buys else event.size_micros
            price = event.price_e4 if buys is Outcome.YES else 10_000 - event.price_e4
            moves[name, CASH] += closed - event.size_micros * price // 10_000 - side.fee_micros
            moves[name, bought] += event.size_micros - closed
            moves[name, sold] -= closed
            moves["venue:equity", CASH] += side.fee_micros
            assert (side.close_micros, side.open_micros) == (closed, event.size_micros - closed)
        return Counter({key: n for key, n in moves.items() if n})

    # --- money (I1) --------------------------------------------------------------------------------------------------

    def _Posted(self, entry: c.Sequenced, event: e.Posted) -> None:
        sums: Counter[str] = Counter()
        kind = event.reference.partition(":")[0]
        if kind in ONCE:
            self._once(event.reference)
        delivered = kind == "match" and any(name == OUTSIDE for name, _, _ in event.lines)
        for name, asset, amount in event.lines:
            sums[asset] += amount
            self.totals[name, asset] += amount
            self._touched.add(name)
            if kind == "match" and not delivered and not name.startswith("market:"):
                self._moved[name, asset] += amount
        assert not any(sums.values()), event
