"""What anybody may read in Kalshi's dialect: the exchange, series, events, markets, books, trades."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from offchain_book.engine.hours import WEEK_MINUTES, exchange_is_active, next_opening_ms, trading_is_active
from offchain_book.engine.lifecycle import status_at
from offchain_book.engine.market import EventInfo, Market, MarketStatus, Series
from offchain_book.engine.market_commands import Week
from offchain_book.gateways.kalshi_call import MAX_TICKERS, Call, Json, newest_first, next_cursor, rendered, time_bounds
from offchain_book.gateways.kalshi_errors import invalid, missing
from offchain_book.gateways.kalshi_history import archived, cutoff_view, tier_bounds
from offchain_book.gateways.kalshi_units import time_text
from offchain_book.gateways.kalshi_views import (
    event_view,
    market_view,
    metadata_updated_ms,
    orderbook_view,
    series_view,
    trade_view,
)
from offchain_book.gateways.trading_hours import week_view
from offchain_book.sequencer import Sequencer
from offchain_book.views import TradeView

_ALWAYS_FROM_MS, _ALWAYS_TO_MS = 1_577_836_800_000, 4_102_444_800_000
"""2020 to 2100: the span of a timetable that nobody has set."""
MAX_EVENTS_PAGE = 200
MAX_DEPTH = 100
DAY_MS = 86_400_000
_MARKET_FILTERS = {
    "unopened": ("initialized",),
    "open": ("active",),
    "paused": ("inactive",),
    "closed": ("closed", "determined", "disputed", "amended"),
    "settled": ("finalized",),
}
_EVENT_FILTERS = ("unopened", "open", "closed", "settled")
_TIME_FILTERS = {
    "created": ("", "unopened", "open"),
    "close": ("", "closed"),
    "settled": ("", "settled"),
    "updated": ("",),
}
"""Kalshi's rule: time filters exclude each other, and each goes with these statuses only."""


class DayWindow:
    """A market's last 24 hours, moved along as time passes so that each trade is added and dropped once."""

    __slots__ = ("_end", "_start", "volume_micros")

    def __init__(self) -> None:
        self._start = 0
        self._end = 0
        self.volume_micros = 0

    def advance(self, trades: Sequence[TradeView], now_ms: int) -> int:
        """Bring `volume_micros` up to date and return the last price before the window, 0 when there was none."""
        while self._end < len(trades):
            self.volume_micros += trades[self._end].size_micros
            self._end += 1
        while self._start < self._end and trades[self._start].at_ms <= now_ms - DAY_MS:
            self.volume_micros -= trades[self._start].size_micros
            self._start += 1
        return trades[self._start - 1].price_e4 if self._start else 0


class Markets:
    """Handlers of the public routes."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer
        self._state = sequencer.state
        self._windows: defaultdict[str, DayWindow] = defaultdict(DayWindow)

    def _now_ms(self) -> int:
        return max(self._state.now_ms, self._sequencer.clock_ms())

    def _view(self, market: Market) -> Json:
        now = self._now_ms()
        window = self._windows[market.ticker]
        day_ago = window.advance(self._sequencer.projections.trades_by_ticker.get(market.ticker, ()), now)
        return market_view(market, now, window.volume_micros, day_ago)

    async def _views(self, markets: Iterable[Market]) -> list[Json]:
        return await rendered(markets, self._view)

    def _market(self, ticker: str) -> Market:
        market = self._state.markets.get(ticker)
        if market is None:
            raise missing("market", ticker, "market_not_found")
        return market

    # --- exchange -----------------------------------------------------------------------------------------------------

    async def exchange_status(self, call: Call) -> Json:
        """Tell whether the exchange takes commands and orders, and when it does again if that is known."""
        state, now = self._state, self._now_ms()
        running = self._sequencer.failure is None
        flags: Json = {
            "exchange_active": running and exchange_is_active(state),
            "trading_active": running and trading_is_active(state),
            "intra_exchange_transfers_active": False,
        }
        resumes_ms = max(state.mode_until_ms, next_opening_ms(state.hours, now))
        resumes = time_text(resumes_ms) if not flags["trading_active"] and resumes_ms > now else None
        return {
            **flags,
            "exchange_estimated_resume_time": resumes,
            "exchange_index_statuses": [{"exchange_index": 0, "description": "the only matching engine", **flags}],
        }

    async def exchange_schedule(self, call: Call) -> Json:
        """Tell the hours in local time. A close at 00:00 is the end of the day; without hours every day is open."""
        hours = self._state.hours
        weeks = hours.weeks or (Week(_ALWAYS_FROM_MS, _ALWAYS_TO_MS, ((0, WEEK_MINUTES),)),)
        return {
            "schedule": {
                "standard_hours": [
                    {
                        "start_time": time_text(week.start_ms),
                        "end_time": time_text(week.end_ms),
                        **{
                            day: [{"open_time": opens, "close_time": closes} for opens, closes in sessions]
                            for day, sessions in week_view(week).items()
                        },
                    }
                    for week in weeks
                ],
                "maintenance_windows": [
                    {"start_datetime": time_text(start), "end_datetime": time_text(end)} for start, end in hours.maintenance
                ],
            }
        }

    # --- series -------------------------------------------------------------------------------------------------------

    def _series_view(self, series: Series, with_volume: bool) -> Json:
        if not with_volume:
            return series_view(series, None)
        markets = self._state.markets.values()
        total = sum(market.volume_micros for market in markets if market.series_ticker == series.series_ticker)
        return series_view(series, total)

    async def series_list(self, call: Call) -> Json:
        """List series by category, tags and time of change."""
        category, tags = call.text("category"), call.names("tags")
        since, volume = call.integer("min_updated_ts"), call.flag("include_volume") or False
        return {
            "series": [
                self._series_view(series, volume)
                for series in self._state.series.values()
                if (not category or series.category == category)
                and (not tags or any(tag in series.tags for tag in tags))
                and (since is None or series.created_ms > since * 1000)
            ]
        }

    async def series(self, call: Call) -> Json:
        """Return one series."""
        series = self._state.series.get(call.path("series_ticker"))
        if series is None:
            raise missing("series", call.path("series_ticker"), "series_not_found")
        return {"series": self._series_view(series, call.flag("include_volume") or False)}

    # --- events -------------------------------------------------------------------------------------------------------

    def _event_markets(self, event: EventInfo) -> list[Market]:
        return [self._state.markets[ticker] for ticker in event.tickers]

    def _event_status(self, event: EventInfo, now_ms: int) -> str:
        """Return an event's place in its life: open while any market is."""
        statuses = {status_at(market, now_ms) for market in self._event_markets(event)}
        if "active" in statuses:
            return "open"
        if statuses <= {"initialized"}:
            return "unopened"
        return "settled" if statuses == {"finalized"} else "closed"

    async def _event_view(self, event: EventInfo, nested: bool) -> Json:
        category = self._state.series[event.series_ticker].category
        markets = await self._views(self._event_markets(event)) if nested else None
        return event_view(event, category, self._state.fee_changes.get(event.own_fees), markets)

    async def events(self, call: Call) -> Json:
        """List events, newest first."""
        keep = self._event_filter(call)
        limit, before = call.limit(1, MAX_EVENTS_PAGE, MAX_EVENTS_PAGE), call.cursor("events")
        nested, milestones = call.flag("with_nested_markets") or False, call.flag("with_milestones")
        found, position = newest_first(list(self._state.events.values()), keep, limit, before)
        reply: Json = {"events": [await self._event_view(event, nested) for event in found]}
        reply["cursor"] = next_cursor("events", position)
        if milestones:
            reply["milestones"] = []
        return reply

    def _event_filter(self, call: Call) -> Callable[[EventInfo], bool]:
        status, series = call.choice("status", _EVENT_FILTERS), call.text("series_ticker")
        tickers, closes = call.names("tickers"), call.integer("min_close_ts")
        updated, now = call.integer("min_updated_ts"), self._now_ms()

        def keep(event: EventInfo) -> bool:
            return (
                (not series or event.series_ticker == series)
                and (not tickers or event.event_ticker in tickers)
                and (updated is None or event.created_ms > updated * 1000)
                and (not status or self._event_status(event, now) == status)
                and (closes is None or any(m.close_ms > closes * 1000 for m in self._event_markets(event)))
            )

        return keep

    async def event(self, call: Call) -> Json:
        """Return one event and its markets, inside it or beside it."""
        event = self._state.events.get(call.path("event_ticker"))
        if event is None:
            raise missing("event", call.path("event_ticker"), "event_not_found")
        nested, exclude = call.flag("with_nested_markets") or False, call.flag("exclude_markets") or False
        if nested and exclude:
            raise invalid("exclude_markets and with_nested_markets=true exclude each other")
        beside = [] if nested or exclude else await self._views(self._event_markets(event))
        return {"event": await self._event_view(event, nested), "markets": beside}

    # --- markets ------------------------------------------------------------------------------------------------------

    async def markets(self, call: Call) -> Json:
        """List the markets of the live tier, newest first."""
        return await self._markets(call, historical=False)

    async def historical_markets(self, call: Call) -> Json:
        """List the markets of the historical tier, newest first."""
        return await self._markets(call, historical=True)

    async def _markets(self, call: Call, *, historical: bool) -> Json:
        keep = self._market_filter(call, historical=historical)
        limit, before = call.limit(0), call.cursor("markets")
        found, position = newest_first(list(self._state.markets.values()), keep, limit, before)
        return {"markets": await self._views(found), "cursor": next_cursor("markets", position)}

    def _market_filter(self, call: Call, *, historical: bool) -> Callable[[Market], bool]:
        status, series = call.choice("status", tuple(_MARKET_FILTERS)), call.text("series_ticker")
        event, tickers = call.text("event_ticker"), call.names("tickers")
        no_combos = call.choice("mve_filter", ("only", "exclude")) != "only"
        statuses, now = _MARKET_FILTERS.get(status, ()), self._now_ms()
        in_time = _time_filter(call, status)

        def keep(market: Market) -> bool:
            return (
                no_combos
                and (not series or market.series_ticker == series)
                and (not event or market.event_ticker == event)
                and (not tickers or market.ticker in tickers)
                and (not statuses or status_at(market, now) in statuses)
                and in_time(market)
                and archived(self._sequencer, market) is historical
            )

        return keep

    async def market(self, call: Call) -> Json:
        """Return one market."""
        return {"market": self._view(self._market(call.path("ticker")))}

    async def historical_market(self, call: Call) -> Json:
        """Return one market of the historical tier."""
        market = self._market(call.path("ticker"))
        if not archived(self._sequencer, market):
            raise missing("historical market", market.ticker, "market_not_found")
        return {"market": self._view(market)}

    async def cutoff(self, call: Call) -> Json:
        """Tell where the live tier begins."""
        return cutoff_view(self._sequencer)

    async def orderbook(self, call: Call) -> Json:
        """Return one book; a depth of zero or less means all of it."""
        depth = call.integer("depth", -MAX_DEPTH, MAX_DEPTH) or 0
        return {"orderbook_fp": orderbook_view(self._market(call.path("ticker")), max(0, depth))}

    async def orderbooks(self, call: Call) -> Json:
        """Return several books."""
        tickers = call.repeated("tickers")
        if not 1 <= len(tickers) <= MAX_TICKERS:
            raise invalid(f"name 1 to {MAX_TICKERS} markets as tickers=A&tickers=B", {"parameter": "tickers"})
        markets = [self._market(ticker) for ticker in tickers]
        books: list[Json] = []
        for market in markets:
            books.append({"ticker": market.ticker, "orderbook_fp": orderbook_view(market, 0)})
            await asyncio.sleep(0)
        return {"orderbooks": books}

    async def trades(self, call: Call) -> Json:
        """Return the public tape of the live tier, newest first."""
        return await self._trades(call, historical=False)

    async def historical_trades(self, call: Call) -> Json:
        """Return the public tape of the historical tier, newest first."""
        return await self._trades(call, historical=True)

    async def _trades(self, call: Call, *, historical: bool) -> Json:
        ticker = call.text("ticker")
        projections = self._sequencer.projections
        trades: Sequence[TradeView] = projections.trades
        if ticker:
            trades = projections.trades_by_ticker.get(self._market(ticker).ticker, ())
        limit, before = call.limit(0), call.cursor("trades")
        bounds = time_bounds(trades, lambda trade: trade.at_ms, call, before)
        before, oldest = tier_bounds(self._sequencer, trades, lambda trade: trade.at_ms, bounds, historical)
        if call.flag("is_block_trade"):
            return {"trades": [], "cursor": ""}
        found, position = newest_first(trades, lambda trade: True, limit, before, oldest)
        return {"trades": await rendered(found, trade_view), "cursor": next_cursor("trades", position)}


def _time_filter(call: Call, status: str) -> Callable[[Market], bool]:
    """Return the one time filter that a request may carry."""
    bounds = {
        name: (call.integer(f"min_{name}_ts"), call.integer(f"max_{name}_ts"))
        for name in _TIME_FILTERS
        if call.text(f"min_{name}_ts") or call.text(f"max_{name}_ts")
    }
    if not bounds:
        return lambda market: True
    if len(bounds) > 1:
        raise invalid(f"these time filters exclude each other: {', '.join(sorted(bounds))}")
    ((name, (first, last)),) = bounds.items()
    if status not in _TIME_FILTERS[name]:
        raise invalid(f"min_{name}_ts and max_{name}_ts do not go with status={status}", {"parameter": "status"})

    def keep(market: Market) -> bool:
        at_ms = _filtered_time_ms(market, name)
        return at_ms is not None and (first is None or at_ms >= first * 1000) and (last is None or at_ms <= last * 1000)

    return keep


def _filtered_time_ms(market: Market, name: str) -> int | None:
    if name == "settled":
        return market.updated_ms if market.status is MarketStatus.FINALIZED else None
    return {"created": market.created_ms, "close": market.close_ms, "updated": metadata_updated_ms(market)}[name]
