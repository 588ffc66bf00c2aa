"""What the streams tell, before any dialect has put it into words: facts made from a command's events.

Facts of things that happen (a level changed, a trade, a fill) carry what happened. Facts of things that are (an order, a
position, a market's ticker) point at what is, and say only that it changed: whoever hears one late reads today's value.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from offchain_book.engine import chain_events as ce
from offchain_book.engine import events as e
from offchain_book.engine import market_events as me
from offchain_book.engine.commands import Sequenced
from offchain_book.engine.names import token_assets
from offchain_book.engine.operations import FillOperation, Outcome
from offchain_book.engine.order import BookSide, CancelReason
from offchain_book.engine.postings import postings
from offchain_book.engine.state import State
from offchain_book.projections import Projections
from offchain_book.views import FillView, OrderView, TradeView


class LevelChanged(NamedTuple):
    """A price level grew or shrank by `delta_micros`, to `size_micros`; the order that caused it, and whose it is."""

    ticker: str
    side: BookSide
    price_e4: int
    delta_micros: int
    size_micros: int
    order_id: str
    account_id: str


class BookChanged(NamedTuple):
    """All that one command changed in one book, a level once, and the best prices after it (0 and 10,000 when empty)."""

    ticker: str
    levels: tuple[LevelChanged, ...]
    best_bid_e4: int
    best_ask_e4: int


class BestChanged(NamedTuple):
    """A book's best prices are others than before the command."""

    ticker: str
    best_bid_e4: int
    best_ask_e4: int


class TickerChanged(NamedTuple):
    """A market's quotes, last trade, volume or open interest changed."""

    ticker: str


class Traded(NamedTuple):
    """A public trade."""

    ticker: str
    trade: TradeView


class Filled(NamedTuple):
    """One account's side of a match, and its YES position (negative for NO) right after it."""

    account_id: str
    fill: FillView
    position_micros: int


class OrderChanged(NamedTuple):
    """An order was placed, filled, changed or cancelled. `reason` is set when it left without having been filled."""

    account_id: str
    order: OrderView
    placed: bool
    event: str
    reason: CancelReason | None


class PositionChanged(NamedTuple):
    """What an account holds in a market changed."""

    account_id: str
    ticker: str


class BalanceChanged(NamedTuple):
    """What an account has of an asset changed, or what of it is held or pending."""

    account_id: str
    asset: str


class GroupChanged(NamedTuple):
    """An order group was created, changed, triggered, reset or deleted."""

    account_id: str
    group_id: str
    change: e.GroupChange
    limit_micros: int


class StageChanged(NamedTuple):
    """A trade with a wallet moved on the chain. One fact per trade and stage (see `TradeStage`)."""

    ticker: str
    trade: TradeView
    stage: str
    tx_hash: str
    block_number: int
    resolution: str


class FillMoved(NamedTuple):
    """One account's side of a trade with a wallet moved on the chain, and who handed its order in for a contract wallet."""

    account_id: str
    fill: FillView
    stage: str
    tx_hash: str
    handed_in_by: str


class EventListed(NamedTuple):
    """An event exists."""

    event_ticker: str


class MarketListed(NamedTuple):
    """A market exists."""

    ticker: str


class MarketMoved(NamedTuple):
    """A market moved along its life: its status then, and what YES paid then (-1 before it was decided)."""

    ticker: str
    status: str
    yes_payout_micros: int


class GridRefined(NamedTuple):
    """A market's price grid became finer; `old_e4` was its finest step."""

    ticker: str
    old_e4: int


class EventFeesChanged(NamedTuple):
    """An event's own fees were set or cleared by a fee change."""

    event_ticker: str
    change_id: str


class KeyEnded(NamedTuple):
    """An API key stopped working: connections that it opened end."""

    account_id: str
    key_id: str


Fact = (
    LevelChanged
    | BookChanged
    | BestChanged
    | TickerChanged
    | Traded
    | Filled
    | OrderChanged
    | PositionChanged
    | BalanceChanged
    | GroupChanged
    | StageChanged
    | FillMoved
    | EventListed
    | MarketListed
    | MarketMoved
    | GridRefined
    | EventFeesChanged
    | KeyEnded
)
STATES = (TickerChanged, OrderChanged, PositionChanged, BalanceChanged)
"""Facts of things that are: of several about one thing, the newest says it all."""
PRIVATE = (Filled, FillMoved, OrderChanged, PositionChanged, BalanceChanged, GroupChanged, KeyEnded)
"""Facts that belong to an account, named in their first field."""
_EMPTY_BEST = (0, 10_000)


def subject(fact: Fact) -> tuple[object, ...]:
    """Return what a fact of something that is speaks about."""
    return (fact.account_id, fact.order.order_id) if isinstance(fact, OrderChanged) else tuple(fact)


def handed_in_by(fact: Fact) -> str:
    """Return whose API key handed in the order that a fact is about, when it is a contract wallet's; otherwise nothing."""
    if isinstance(fact, OrderChanged):
        return fact.order.handed_in_by
    return fact.handed_in_by if isinstance(fact, FillMoved) else ""


def position_micros(state: State, account_id: str, ticker: str) -> int:
    """Return an account's YES minus its NO tokens of a market."""
    balances = state.accounts[account_id].balances
    held = (balances.get(asset) for asset in token_assets(ticker))
    yes, no = (0 if balance is None else balance.total for balance in held)
    return yes - no


class FactMaker:
    """Turns each command's events into facts. It is called right after the command was applied, so the books are its."""

    def __init__(self, state: State, projections: Projections) -> None:
        self._state = state
        self._projections = projections
        self._best = {ticker: _best(state, ticker) for ticker in state.markets}
        self._stages = {number: self._stage(number) for number in state.operations}

    def facts(self, entry: Sequenced, events: Sequence[e.Event]) -> list[Fact]:
        """Return what a command's events mean, in the order in which they are told."""
        found = _Collector(self._state, self._projections)
        for event in events:
            found.add(event)
        facts: list[Fact] = [*found.listed]
        for ticker, levels in found.book_changes():
            facts += self._book_facts(ticker, levels)
        facts += [Traded(trade.ticker, trade) for trade in found.trades]
        facts += [TickerChanged(ticker) for ticker in found.tickers()]
        facts += found.private()
        facts += found.moved
        for number in found.operations(self._stages):
            facts += self._stage_facts(number)
        return facts

    def _book_facts(self, ticker: str, levels: tuple[LevelChanged, ...]) -> Iterator[Fact]:
        best = _best(self._state, ticker)
        yield from levels
        yield BookChanged(ticker, levels, *best)
        if best != self._best.get(ticker, _EMPTY_BEST):
            self._best[ticker] = best
            yield BestChanged(ticker, *best)

    def _stage(self, number: int) -> tuple[str, str]:
        view = self._projections.operations[number]
        return view.stage, view.tx_hash

    def _stage_facts(self, number: int) -> Iterator[Fact]:
        """Yield a trade's new stage on the chain, if it is new: for everybody, and for whoever took part."""
        stage = self._stage(number)
        known = self._stages.get(number)
        if number in self._state.operations:
            self._stages[number] = stage
        else:
            self._stages.pop(number, None)
        view = self._projections.operations[number]
        if stage == known or not isinstance(view.operation, FillOperation):
            return
        trade = self._projections.trades[view.operation.match_id]
        yield StageChanged(trade.ticker, trade, *stage, view.block_number, trade.resolution)
        for own, other, is_taker in ((trade.taker, trade.maker, True), (trade.maker, trade.taker, False)):
            sender = self._projections.orders[own.order_id].handed_in_by
            yield FillMoved(own.account_id, FillView(trade, own, other, is_taker), *stage, sender)


def _best(state: State, ticker: str) -> tuple[int, int]:
    book = state.markets[ticker].book
    return book.best_bid_e4, book.best_ask_e4


class _Collector:
    """What one command's events touched."""

    def __init__(self, state: State, projections: Projections) -> None:
        self._state = state
        self._projections = projections
        self._levels: dict[tuple[str, BookSide, int, str, str], int] = {}
        self._orders: dict[str, tuple[bool, str, CancelReason | None]] = {}
        self._positions: dict[tuple[str, str], None] = {}
        self._balances: dict[tuple[str, str], None] = {}
        self._groups: list[GroupChanged] = []
        self._operations: dict[int, None] = {}
        self._all_operations = False
        self.trades: list[TradeView] = []
        self.listed: list[Fact] = []
        self.moved: list[Fact] = []

    def add(self, event: e.Event) -> None:
        """Take in one event."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    # --- what an event touches ---------------------------------------------------------------------------------------

    def _level(self, ticker: str, side: BookSide, price_e4: int, delta: int, order_id: str) -> None:
        key = (ticker, side, price_e4, order_id, self._projections.orders[order_id].account_id)
        self._levels[key] = self._levels.get(key, 0) + delta

    def _order(self, order_id: str, event: str, *, placed: bool = False, reason: CancelReason | None = None) -> None:
        placed = placed or self._orders.get(order_id, (False,))[0]
        self._orders[order_id] = (placed, event, reason)
        view = self._projections.orders[order_id]
        self._touch_money(view.account_id, view.ticker)

    def _touch_money(self, account_id: str, ticker: str) -> None:
        """Holds moved: of cash, and of a wallet's tokens."""
        self._balances[account_id, "USD"] = None
        if self._state.accounts[account_id].is_wallet:
            for asset in token_assets(ticker):
                self._balances[account_id, asset] = None

    def accepted(self, event: e.OrderAccepted) -> None:
        """An order arrived."""
        self._order(event.order_id, "placed", placed=True)

    def rested(self, event: e.OrderRested) -> None:
        """What is left of it stands in the book."""
        self._level(event.ticker, event.side, event.price_e4, event.remaining_micros, event.order_id)

    def matched(self, event: e.Matched) -> None:
        """Two orders met: the maker's level shrinks because the taker came."""
        self._level(event.ticker, event.maker.side, event.price_e4, -event.size_micros, event.taker.order_id)
        for side in (event.taker, event.maker):
            self._order(side.order_id, "matched")
        for posted in postings(event) if event.operation < 0 else ():
            self.posted(posted)
        self.trades.append(self._projections.trades[event.match_id])

    def cancelled(self, event: e.OrderCancelled) -> None:
        """An order is gone."""
        if event.was_resting:
            self._level(event.ticker, event.side, event.price_e4, -event.reduced_micros, event.order_id)
        self._order(event.order_id, "cancelled", reason=event.reason)

    def decreased(self, event: e.OrderDecreased) -> None:
        """An order shrank where it stands."""
        self._level(event.ticker, event.side, event.price_e4, -event.reduced_micros, event.order_id)
        self._order(event.order_id, "decreased")

    def amended(self, event: e.OrderAmended) -> None:
        """An order changed: where it stands, or by leaving the book and arriving again."""
        left = event.remaining_micros - event.rested_micros if event.kept_place else -event.rested_micros
        self._level(event.ticker, event.side, event.old_price_e4, left, event.order_id)
        self._order(event.order_id, "amended")

    def group(self, event: e.OrderGroupChanged) -> None:
        """An order group changed."""
        self._groups.append(GroupChanged(event.account_id, event.group_id, event.change, event.limit_micros))

    def posted(self, event: e.Posted) -> None:
        """Money or tokens moved."""
        for account_id, asset, _ in event.lines:
            if account_id in self._state.accounts:
                self._balances[account_id, asset] = None
                ticker, _, outcome = asset.rpartition(":")
                if outcome in Outcome.__members__:
                    self._positions[account_id, ticker] = None

    def queued(self, event: ce.OperationQueued) -> None:
        """The chain has more to do."""
        self._operations[event.operation.number] = None

    def batch(self, event: ce.BatchObserved) -> None:
        """A batch moved on."""
        self._operations.update(dict.fromkeys(range(event.first, event.first + event.operation_count)))

    def settled(self, event: ce.OperationSettled | ce.OperationFailed) -> None:
        """An operation came to its end."""
        self._operations[event.number] = None

    def chain(self, event: ce.ChainObserved) -> None:
        """Finality moved: any open operation may be at another stage."""
        self._all_operations = True

    def event_created(self, event: e.EventCreated) -> None:
        """An event exists."""
        self.listed.append(EventListed(event.event_ticker))

    def market_created(self, event: e.MarketCreated) -> None:
        """A market exists."""
        self.listed.append(MarketListed(event.ticker))

    def market_moved(self, event: me.MarketStatusChanged) -> None:
        """A market went on in its life."""
        payout = self._state.markets[event.ticker].yes_payout_micros
        self.moved.append(MarketMoved(event.ticker, event.status, payout))

    def grid_refined(self, event: me.TicksRefined) -> None:
        """A market's price grid became finer."""
        self.moved.append(GridRefined(event.ticker, event.old_finest_e4))

    def fees_changed(self, event: me.FeesChanged) -> None:
        """Fees changed; only an event's own are told."""
        if event.event_ticker:
            self.moved.append(EventFeesChanged(event.event_ticker, event.change_id))

    def key_ended(self, event: e.KeyRevoked) -> None:
        """A key stopped working."""
        self.moved.append(KeyEnded(event.account_id, event.key_id))

    # --- what follows from it ----------------------------------------------------------------------------------------

    def book_changes(self) -> Iterator[tuple[str, tuple[LevelChanged, ...]]]:
        """Yield each book that changed, with its levels; what came and went within the command is nothing."""
        books: dict[str, list[LevelChanged]] = {}
        for (ticker, side, price, order_id, account_id), delta in self._levels.items():
            if delta:
                size = self._state.markets[ticker].book.size_at(side, price)
                books.setdefault(ticker, []).append(LevelChanged(ticker, side, price, delta, size, order_id, account_id))
        for ticker, levels in books.items():
            yield ticker, tuple(levels)

    def tickers(self) -> dict[str, None]:
        """Return the markets whose quotes, trades or open interest moved."""
        touched = [key[0] for key, delta in self._levels.items() if delta]
        return dict.fromkeys([*touched, *(trade.ticker for trade in self.trades)])

    def private(self) -> Iterator[Fact]:
        """Yield what only the accounts themselves may know."""
        for order_id, (placed, event, reason) in self._orders.items():
            view = self._projections.orders[order_id]
            yield OrderChanged(view.account_id, view, placed, event, reason)
        yield from self._fills()
        yield from self._groups
        for account_id, ticker in self._positions:
            yield PositionChanged(account_id, ticker)
        for account_id, asset in self._balances:
            yield BalanceChanged(account_id, asset)

    def _fills(self) -> list[Filled]:
        """Return both sides of each trade. A position after it is today's, less what the command's later fills added."""
        later: dict[tuple[str, str], int] = {}
        found: list[Filled] = []
        for trade in reversed(self.trades):
            for own, other, is_taker in ((trade.maker, trade.taker, False), (trade.taker, trade.maker, True)):
                key = (own.account_id, trade.ticker)
                after = position_micros(self._state, *key) - later.get(key, 0)
                later[key] = later.get(key, 0) + (trade.size_micros if own.side is BookSide.BID else -trade.size_micros)
                found.append(Filled(own.account_id, FillView(trade, own, other, is_taker), after))
        return found[::-1]

    def operations(self, open_ones: dict[int, tuple[str, str]]) -> list[int]:
        """Return the operations whose stage may have changed."""
        if self._all_operations:
            return sorted({*open_ones, *self._operations})
        return list(self._operations)


_HANDLERS: dict[type[Any], Callable[[_Collector, Any], None]] = {
    e.OrderAccepted: _Collector.accepted,
    e.OrderRested: _Collector.rested,
    e.Matched: _Collector.matched,
    e.OrderCancelled: _Collector.cancelled,
    e.OrderDecreased: _Collector.decreased,
    e.OrderAmended: _Collector.amended,
    e.OrderGroupChanged: _Collector.group,
    e.Posted: _Collector.posted,
    ce.OperationQueued: _Collector.queued,
    ce.BatchObserved: _Collector.batch,
    ce.OperationSettled: _Collector.settled,
    ce.OperationFailed: _Collector.settled,
    ce.ChainObserved: _Collector.chain,
    e.EventCreated: _Collector.event_created,
    e.MarketCreated: _Collector.market_created,
    me.MarketStatusChanged: _Collector.market_moved,
    me.TicksRefined: _Collector.grid_refined,
    me.FeesChanged: _Collector.fees_changed,
    e.KeyRevoked: _Collector.key_ended,
}
