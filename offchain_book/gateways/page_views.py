"""What the page shows to everybody: markets, candles, trades, and what an order would cost.

Prices `_e4` are YES prices in ten-thousandths of a dollar, sizes and money millionths, times milliseconds.
"""

from bisect import bisect_left
from collections.abc import Iterable
from statistics import median
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request

from offchain_book.config import Settings
from offchain_book.engine import fees
from offchain_book.engine.market import Market
from offchain_book.engine.operations import Outcome, TokenSide
from offchain_book.engine.order import BookSide
from offchain_book.engine.units import PRICE_SCALE, complement_e4, cost_micros
from offchain_book.gateways.native import Amount, micros, problem, read_body
from offchain_book.sequencer import Sequencer
from offchain_book.views import TradeStage, TradeView

Json = dict[str, Any]
MAX_CANDLES = 500
MAX_TRADES = 50
TREND = 40
"""Minutes with trades whose last prices draw a market's small line."""
CANDLE_MINUTES = (1, 5, 60, 1_440)
_SETTLED_SEEN = 20
"""So many settled trades tell how long settling takes."""
_SCANNED = 500
SIDES = {"buy": TokenSide.BUY, "sell": TokenSide.SELL}
OUTCOMES = {"yes": Outcome.YES, "no": Outcome.NO}
PriceE4 = Annotated[int, msgspec.Meta(ge=1, le=PRICE_SCALE - 1)]


LINE_POINTS = 240
"""Points of a market's line in its event's chart, the present one apart."""
LINE_HOURS = (0, 1, 6, 24, 168)


class QuoteBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/page/quote`: `price_e4` is the price of the outcome named."""

    ticker: str
    action: str
    outcome: str
    price_e4: PriceE4
    count: Amount


def sides(action: str, outcome: str) -> tuple[Outcome, TokenSide]:
    """Return what two words of the ticket mean."""
    if action not in SIDES or outcome not in OUTCOMES:
        raise problem(400, "BAD_SIDE", f"action is buy or sell, outcome yes or no, not {action[:20]} {outcome[:20]}")
    return OUTCOMES[outcome], SIDES[action]


def book_side(outcome: Outcome, side: TokenSide) -> BookSide:
    """Return the side of the one book, in YES prices, on which an outcome is bought or sold."""
    return BookSide.BID if (outcome is Outcome.YES) is (side is TokenSide.BUY) else BookSide.ASK


def yes_price_e4(outcome: Outcome, price_e4: int) -> int:
    """Return the YES price of an outcome's price, and back."""
    return price_e4 if outcome is Outcome.YES else complement_e4(price_e4)


def market_of(sequencer: Sequencer, ticker: str) -> Market:
    """Return a market. Raises HTTPException 404."""
    market = sequencer.state.markets.get(ticker)
    if market is None:
        raise problem(404, "UNKNOWN_MARKET", f"there is no market {ticker[:64]}")
    return market


def trade_view(trade: TradeView) -> Json:
    """Return a public trade."""
    return {
        "trade": f"trade:{trade.match_id}",
        "ticker": trade.ticker,
        "price_e4": trade.price_e4,
        "size_micros": trade.size_micros,
        "taker_side": "bid" if trade.taker.side is BookSide.BID else "ask",
        "on_chain": trade.operation >= 0,
        "stage": trade.stage,
        "at_ms": trade.at_ms,
        "seq": trade.seq,
    }


def candles(trades: Iterable[TradeView], minutes: int) -> list[Json]:
    """Return open, high, low, close and volume of every period with trades, oldest first, at most MAX_CANDLES."""
    found: dict[int, Json] = {}
    for trade in trades:
        start = trade.at_ms // (60_000 * minutes) * 60 * minutes
        bar = found.get(start)
        price = trade.price_e4
        if bar is None:
            found[start] = {"time_s": start, "open_e4": price, "high_e4": price, "low_e4": price, "close_e4": price,
                            "volume_micros": trade.size_micros}  # fmt: skip
            continue
        bar["high_e4"], bar["low_e4"] = max(bar["high_e4"], price), min(bar["low_e4"], price)
        bar["close_e4"] = price
        bar["volume_micros"] += trade.size_micros
    return list(found.values())[-MAX_CANDLES:]


def grid_s(first_s: int, now_s: int) -> list[int]:
    """Return at most LINE_POINTS + 1 whole minutes from one time to another, evenly spaced but for the last."""
    start, end = first_s // 60 * 60, now_s // 60 * 60
    step = max(60, -(-(end - start) // LINE_POINTS // 60) * 60)
    return [*range(start, end, step), end]


class PageViews:
    """The public routes of one venue's page."""

    def __init__(self, sequencer: Sequencer, settings: Settings, gives_test_money: bool) -> None:
        self._sequencer = sequencer
        self._state = sequencer.state
        self._read = sequencer.projections
        self._settings = settings
        self._gives = gives_test_money

    async def overview(self) -> Json:
        """The venue as a whole: where it is, how it fares, and every event with its markets."""
        state, settings = self._state, self._settings
        return {
            "seq": state.seq,
            "now_ms": self._sequencer.clock_ms(),
            "chain_id": settings.chain_id,
            "rpc_url": settings.rpc_url,
            "venue": settings.venue_address,
            "collateral": settings.collateral_address,
            "gives_test_money": self._gives,
            "exit_delay_s": settings.exit_delay_s,
            "settles_ms": self.settles_ms(),
            "mode": state.mode,
            "session": state.session,
            "frozen": state.frozen,
            "chain_halted": state.chain_halted,
            "final_block": state.final_block,
            "final_hash": state.final_hash,
            "open_operations": len(state.operations),
            "events": [
                {
                    "event_ticker": event.event_ticker,
                    "title": event.title,
                    "sub_title": event.sub_title,
                    "category": state.series[event.series_ticker].category,
                    "mutually_exclusive": event.mutually_exclusive,
                    "markets": [self._market(state.markets[ticker]) for ticker in event.tickers],
                }
                for event in state.events.values()
                if event.tickers
            ],
        }

    def _market(self, market: Market) -> Json:
        book = market.book
        return {
            "ticker": market.ticker,
            "event_ticker": market.event_ticker,
            "title": market.title,
            "yes": market.yes_sub_title,
            "no": market.no_sub_title,
            "rules": market.rules,
            "type": market.market_type,
            "status": market.status,
            "open_ms": market.open_ms,
            "close_ms": market.close_ms,
            "price_ranges": market.price_ranges,
            "fee_cap_bps": market.max_rate_e4,
            "condition_id": market.condition_id,
            "yes_token_id": market.yes_token_id,
            "no_token_id": market.no_token_id,
            "best_bid_e4": book.best_bid_e4,
            "best_ask_e4": book.best_ask_e4,
            "last_price_e4": market.last_price_e4,
            "volume_micros": market.volume_micros,
            "open_interest_micros": market.yes_supply_micros,
            "trend_e4": self._read.prices[market.ticker].closes_e4[-TREND:] if market.ticker in self._read.prices else [],
            "yes_payout_micros": market.yes_payout_micros,
            "resolved_on_chain": market.resolved_on_chain,
        }

    def settles_ms(self) -> int:
        """Return how long the newest settled trades took from match to finality (their median); 0 before the first one."""
        newest = (trade for trade in reversed(self._read.trades[-_SCANNED:]) if trade.operation >= 0)
        took = [trade.updated_ms - trade.at_ms for trade in newest if trade.stage == TradeStage.CONFIRMED]
        return int(median(took[:_SETTLED_SEEN])) if took else 0

    async def candles(self, ticker: str, minutes: int = 1) -> Json:
        """Candles of a market in YES prices, of periods with trades only."""
        market_of(self._sequencer, ticker)
        if minutes not in CANDLE_MINUTES:
            raise problem(400, "BAD_PERIOD", f"minutes is one of {', '.join(map(str, CANDLE_MINUTES))}")
        return {
            "ticker": ticker,
            "minutes": minutes,
            "candles": candles(self._read.trades_by_ticker.get(ticker, ()), minutes),
        }

    async def lines(self, event_ticker: str, hours: int = 0) -> Json:
        """The last YES prices of all markets of an event at the same times, for one chart; 0 before a market's first trade."""
        event = self._state.events.get(event_ticker)
        if event is None:
            raise problem(404, "UNKNOWN_EVENT", f"there is no event {event_ticker[:64]}")
        if hours not in LINE_HOURS:
            raise problem(400, "BAD_PERIOD", f"hours is one of {', '.join(map(str, LINE_HOURS))}, 0 for all there is")
        now_s = self._sequencer.clock_ms() // 1_000
        past = {ticker: self._read.prices[ticker] for ticker in event.tickers if ticker in self._read.prices}
        first_s = min((history.first_s for history in past.values()), default=0)
        times_s = grid_s(max(first_s, now_s - 3_600 * hours) if hours else first_s, now_s) if past else []
        return {
            "event_ticker": event_ticker,
            "times_s": times_s,
            "markets": [
                {"ticker": ticker, "prices_e4": [past[ticker].price_e4(at) for at in times_s] if ticker in past else []}
                for ticker in event.tickers
            ],
        }

    async def trades(self, ticker: str, before: int = -1) -> Json:
        """A market's trades, newest first, a page at a time: those before a trade's number, or the last ones."""
        market_of(self._sequencer, ticker)
        trades = self._read.trades_by_ticker.get(ticker, [])
        stop = bisect_left(trades, before, key=lambda trade: trade.match_id) if before >= 0 else len(trades)
        page = trades[max(0, stop - MAX_TRADES) : stop]
        return {"ticker": ticker, "trades": [trade_view(one) for one in reversed(page)], "more": stop > MAX_TRADES}

    async def quote(self, request: Request) -> Json:
        """What an order would cost, pay and risk; nothing is reserved by asking."""
        body = await read_body(request, QuoteBody)
        market = market_of(self._sequencer, body.ticker)
        outcome, side = sides(body.action, body.outcome)
        price, size = body.price_e4, micros(body.count)
        at_once, value = self._would_fill(market, outcome, side, price, size)
        value += cost_micros(size - at_once, price)
        fee = fees.rounded_up(max(0, fees.numerator(market.fees.highest, size, price)))
        buys = side is TokenSide.BUY
        return {
            "at_once_micros": at_once,
            "rests_micros": size - at_once,
            "value_micros": value,
            "fee_micros": fee,
            "total_micros": value + fee if buys else value - fee,
            "most_win_micros": size - value - fee if buys else value - fee,
            "most_lose_micros": value + fee if buys else size - value + fee,
            "settles_ms": self.settles_ms(),
        }

    def _would_fill(self, market: Market, outcome: Outcome, side: TokenSide, price: int, size: int) -> tuple[int, int]:
        """Return how much the book would take now, and for how much in the outcome's own prices."""
        own_side, limit = book_side(outcome, side), yes_price_e4(outcome, price)
        other = BookSide.ASK if own_side is BookSide.BID else BookSide.BID
        taken = value = 0
        for level_e4, resting in market.book.depth(other):
            reaches = level_e4 <= limit if own_side is BookSide.BID else level_e4 >= limit
            if not reaches or taken == size:
                break
            part = min(resting, size - taken)
            taken += part
            value += cost_micros(part, yes_price_e4(outcome, level_e4))
        return taken, value


def router(views: PageViews) -> APIRouter:
    """Return the public routes of the page."""
    routes = APIRouter(prefix="/venue/page", tags=["page"])
    routes.add_api_route("/overview", views.overview, methods=["GET"])
    routes.add_api_route("/markets/{ticker}/candles", views.candles, methods=["GET"])
    routes.add_api_route("/events/{event_ticker}/lines", views.lines, methods=["GET"])
    routes.add_api_route("/markets/{ticker}/trades", views.trades, methods=["GET"])
    routes.add_api_route("/quote", views.quote, methods=["POST"])
    return routes
