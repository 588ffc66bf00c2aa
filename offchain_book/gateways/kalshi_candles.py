"""Candlesticks in Kalshi's dialect: of one market, of several, of an event, and of markets in the historical tier.

What was traded is folded out of the trades, each of which is looked at once, so it reaches back to the first. Quotes are
not in the journal: they are noted here as they change, so those of minutes before this process are an empty book's.
Open interest counts what trading opened and closed; sets split or merged outside the book are not in it.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from offchain_book.engine.commands import Sequenced
from offchain_book.engine.events import Event
from offchain_book.engine.market import Market
from offchain_book.engine.operations import MatchKind
from offchain_book.engine.units import PRICE_SCALE, cost_micros
from offchain_book.gateways.kalshi_call import Call, Json
from offchain_book.gateways.kalshi_errors import invalid, missing
from offchain_book.gateways.kalshi_history import archived
from offchain_book.gateways.kalshi_units import count_text, dollars_text, price_text
from offchain_book.sequencer import Sequencer
from offchain_book.views import TradeView

MAX_CANDLES = 10_000
"""Most candles of one answer."""
MAX_MARKETS = 100
INTERVALS = (1, 60, 1_440)
"""Lengths of a candle in minutes."""
_MINUTE_MS = 60_000
_LAST_S = 253_402_300_799
_EMPTY = (0, PRICE_SCALE)
"""Best bid and ask of an empty book."""


@dataclass(slots=True)
class Traded:
    """What was traded in some minutes: YES prices in ten-thousandths, sizes and values in millionths."""

    open_e4: int
    high_e4: int
    low_e4: int
    close_e4: int
    size_micros: int
    cost_micros: int
    interest_micros: int
    """Contracts that trading had opened by the end."""

    def add(self, later: "Traded") -> None:
        """Append what came later."""
        self.high_e4, self.low_e4 = max(self.high_e4, later.high_e4), min(self.low_e4, later.low_e4)
        self.close_e4, self.interest_micros = later.close_e4, later.interest_micros
        self.size_micros += later.size_micros
        self.cost_micros += later.cost_micros


@dataclass(slots=True)
class Minutes:
    """A market's minutes with trades, oldest first, brought up to date when somebody asks."""

    starts: list[int] = field(default_factory=list)
    """Whole minutes since 1970."""
    bars: list[Traded] = field(default_factory=list)
    taken: int = 0

    def advance(self, trades: Sequence[TradeView]) -> None:
        """Take in the trades that are new."""
        for trade in trades[self.taken :]:
            minute, price = trade.at_ms // _MINUTE_MS, trade.price_e4
            interest = self.bars[-1].interest_micros if self.bars else 0
            for kind, size in trade.pieces:
                interest += {MatchKind.MINT: size, MatchKind.MERGE: -size}.get(kind, 0)
            cost = cost_micros(trade.size_micros, price)
            bar = Traded(price, price, price, price, trade.size_micros, cost, interest)
            if self.starts and self.starts[-1] == minute:
                self.bars[-1].add(bar)
            else:
                self.starts.append(minute)
                self.bars.append(bar)
        self.taken = len(trades)

    def span(self, first: int, end: int) -> tuple[Traded | None, Traded | None]:
        """Return what was traded in the minutes `first` to `end` (exclusive), and the last bar before them."""
        low, high = bisect_left(self.starts, first), bisect_left(self.starts, end)
        found: Traded | None = None
        for bar in self.bars[low:high]:
            if found is None:
                found = Traded(
                    bar.open_e4, bar.high_e4, bar.low_e4, bar.close_e4, bar.size_micros, bar.cost_micros, bar.interest_micros
                )
            else:
                found.add(bar)
        return found, self.bars[low - 1] if low else None


@dataclass(slots=True)
class Side:
    """The best price of one side of a book by the minute: (open, high, low, close) of every minute in which it changed."""

    starts: list[int] = field(default_factory=list)
    bars: list[list[int]] = field(default_factory=list)

    def note(self, minute: int, price_e4: int, before_e4: int) -> None:
        """Take in the best price after a command; `before_e4` is what it was when nothing is known yet."""
        last = self.bars[-1][3] if self.bars else before_e4
        if price_e4 == last:
            return
        if not self.starts or self.starts[-1] != minute:
            self.starts.append(minute)
            self.bars.append([last, last, last, last])
        bar = self.bars[-1]
        bar[1], bar[2], bar[3] = max(bar[1], price_e4), min(bar[2], price_e4), price_e4

    def view(self, first: int, end: int, unknown_e4: int) -> Json:
        """Return the side's prices in the minutes `first` to `end` (exclusive)."""
        low, high = bisect_left(self.starts, first), bisect_left(self.starts, end)
        opened = self.bars[low - 1][3] if low else self.bars[0][0] if self.bars else unknown_e4
        bars = self.bars[low:high]
        return {
            "open_dollars": price_text(opened),
            "high_dollars": price_text(max([opened, *(bar[1] for bar in bars)])),
            "low_dollars": price_text(min([opened, *(bar[2] for bar in bars)])),
            "close_dollars": price_text(bars[-1][3] if bars else opened),
        }


class Quotes:
    """Notes the best prices of every book as commands change them."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._markets = sequencer.state.markets
        self.sides: defaultdict[str, tuple[Side, Side]] = defaultdict(lambda: (Side(), Side()))
        now = max(sequencer.state.now_ms, sequencer.clock_ms())
        for ticker in self._markets:
            self._note(ticker, now // _MINUTE_MS)
        sequencer.subscribe(self.observe)

    def observe(self, entry: Sequenced, events: Sequence[Event]) -> None:
        """Take in a command and what it caused."""
        touched = {getattr(event, "ticker", "") for event in events}
        for ticker in touched:
            if ticker in self._markets:
                self._note(ticker, entry.at_ms // _MINUTE_MS)

    def _note(self, ticker: str, minute: int) -> None:
        book = self._markets[ticker].book
        for side, price, before in zip(self.sides[ticker], (book.best_bid_e4, book.best_ask_e4), _EMPTY, strict=True):
            side.note(minute, price, before)


@dataclass(frozen=True, slots=True)
class Asked:
    """The candles that a request asks for: ends in whole minutes, first and last included."""

    first: int
    last: int
    interval: int

    def ends(self) -> Iterator[int]:
        """Yield the end of every candle."""
        return iter(range(self.first, self.last + 1, self.interval))

    @property
    def count(self) -> int:
        """How many candles that is."""
        return max(0, (self.last - self.first) // self.interval + 1)


class Candles:
    """Handlers of the candlestick routes."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer
        self._state = sequencer.state
        self._quotes = Quotes(sequencer)
        self._minutes: defaultdict[str, Minutes] = defaultdict(Minutes)

    async def market(self, call: Call) -> Json:
        """Return the candles of one market; an empty `price` means that nothing was traded."""
        market = self._market(call.path("ticker"), call.path("series_ticker"))
        asked = self._asked(call, [market])
        self._check_count(asked.count)
        latest = call.flag("include_latest_before_start") or False
        return {"ticker": market.ticker, "candlesticks": await self._candles(market, asked, latest)}

    async def markets(self, call: Call) -> Json:
        """Return the candles of up to 100 markets; at most 10,000 in all."""
        tickers = call.names("market_tickers")
        if not tickers:
            raise invalid(f"name 1 to {MAX_MARKETS} markets as market_tickers=A,B", {"parameter": "market_tickers"})
        markets = [self._market(ticker) for ticker in tickers]
        latest, asked = call.flag("include_latest_before_start") or False, self._asked(call, markets)
        self._check_count(asked.count * len(markets))
        rows = [
            {"market_ticker": market.ticker, "candlesticks": await self._candles(market, asked, latest)}
            for market in markets
        ]
        return {"markets": rows}

    async def event(self, call: Call) -> Json:
        """Return the candles of an event's markets; the end moves back when they would be more than 10,000."""
        event = self._state.events.get(call.path("ticker"))
        if event is None or event.series_ticker != call.path("series_ticker"):
            raise missing("event", call.path("ticker"), "event_not_found")
        markets = [self._state.markets[ticker] for ticker in event.tickers]
        asked = self._asked(call, markets)
        fitting = MAX_CANDLES // max(1, len(markets))
        asked = Asked(asked.first, min(asked.last, asked.first + (fitting - 1) * asked.interval), asked.interval)
        return {
            "market_tickers": [market.ticker for market in markets],
            "market_candlesticks": [await self._candles(market, asked, False) for market in markets],
            "adjusted_end_ts": asked.last * 60,
        }

    async def historical(self, call: Call) -> Json:
        """Return the candles of a market in the historical tier, under that tier's own names."""
        market = self._market(call.path("ticker"))
        if not archived(self._sequencer, market):
            raise missing("historical market", market.ticker, "market_not_found")
        asked = self._asked(call, [market])
        self._check_count(asked.count)
        rows = await self._candles(market, asked, False)
        return {"ticker": market.ticker, "candlesticks": [_historical(row) for row in rows]}

    def _market(self, ticker: str, series_ticker: str = "") -> Market:
        market = self._state.markets.get(ticker)
        if market is None or series_ticker not in ("", market.series_ticker):
            raise missing("market", ticker, "market_not_found")
        return market

    def _asked(self, call: Call, markets: Sequence[Market]) -> Asked:
        """Return whole candles within start_ts..end_ts, none before the markets were listed or after the running one."""
        start, end, interval = (call.integer(name, 0, _LAST_S) for name in ("start_ts", "end_ts", "period_interval"))
        if start is None or end is None or end < start:
            raise invalid("give start_ts and end_ts, in Unix seconds, in this order", {"parameter": "end_ts"})
        if interval not in INTERVALS:
            raise invalid("period_interval must be 1, 60 or 1440 minutes", {"parameter": "period_interval"})
        now_minute = max(self._state.now_ms, self._sequencer.clock_ms()) // _MINUTE_MS
        listed = min((market.created_ms // _MINUTE_MS for market in markets), default=now_minute)
        first = max(-(-start // 60), listed + 1)
        running = now_minute - now_minute % interval + interval
        return Asked(-(-first // interval) * interval, min(end // 60 // interval * interval, running), interval)

    def _check_count(self, count: int) -> None:
        if count > MAX_CANDLES:
            raise invalid(
                f"that would be {count} candlesticks, {MAX_CANDLES} are allowed; ask for less time or longer periods",
                {"have": count, "limit": MAX_CANDLES},
            )

    async def _candles(self, market: Market, asked: Asked, latest: bool) -> list[Json]:
        minutes = self._minutes[market.ticker]
        minutes.advance(self._sequencer.projections.trades_by_ticker.get(market.ticker, ()))
        rows: list[Json] = []
        for end in asked.ends():
            rows.append(self._candle(market.ticker, minutes, end - asked.interval, end))
            if len(rows) % 200 == 0:
                await asyncio.sleep(0)
        place = bisect_right(minutes.starts, asked.first - asked.interval - 1)
        if latest and place:
            rows.insert(0, self._projected(market.ticker, minutes.bars[place - 1], asked))
        return rows

    def _candle(self, ticker: str, minutes: Minutes, first: int, end: int) -> Json:
        traded, before = minutes.span(first, end)
        bid, ask = self._quotes.sides[ticker]
        price: Json = dict.fromkeys(("open_dollars", "low_dollars", "high_dollars", "close_dollars", "mean_dollars"))
        if traded is not None:
            price = {
                "open_dollars": price_text(traded.open_e4),
                "low_dollars": price_text(traded.low_e4),
                "high_dollars": price_text(traded.high_e4),
                "close_dollars": price_text(traded.close_e4),
                "mean_dollars": dollars_text(traded.cost_micros * 1_000_000 // traded.size_micros),
            }
        price["previous_dollars"] = price_text(before.close_e4) if before else None
        last = traded or before
        return {
            "end_period_ts": end * 60,
            "yes_bid": bid.view(first, end, _EMPTY[0]),
            "yes_ask": ask.view(first, end, _EMPTY[1]),
            "price": price,
            "volume_fp": count_text(traded.size_micros if traded else 0),
            "open_interest_fp": count_text(last.interest_micros if last else 0),
        }

    def _projected(self, ticker: str, last: Traded, asked: Asked) -> Json:
        """Return the last real candle before the start as Kalshi projects it forward: no prices but the previous one."""
        row = self._candle(ticker, Minutes(), asked.first - asked.interval, asked.first - asked.interval)
        row["price"]["previous_dollars"] = price_text(last.close_e4)
        return {**row, "open_interest_fp": count_text(last.interest_micros), "end_period_ts": asked.first * 60}


def _historical(row: Json) -> Json:
    def short(prices: Json) -> Json:
        return {name.removesuffix("_dollars"): value for name, value in prices.items()}

    return {
        "end_period_ts": row["end_period_ts"],
        "yes_bid": short(row["yes_bid"]),
        "yes_ask": short(row["yes_ask"]),
        "price": short(row["price"]),
        "volume": row["volume_fp"],
        "open_interest": row["open_interest_fp"],
    }
