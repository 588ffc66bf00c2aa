"""What anybody may ask: books, prices and markets. Every answer is per token; the NO token sees the book mirrored."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from offchain_book.config import MAX_PAGE
from offchain_book.engine import rewards
from offchain_book.engine.hours import trading_is_active
from offchain_book.engine.lifecycle import OPEN_STATES, status_at
from offchain_book.engine.market import Market, MarketStatus
from offchain_book.engine.operations import Outcome, TokenSide
from offchain_book.engine.units import LOT_MICROS, PRICE_SCALE
from offchain_book.gateways.polymarket_errors import ApiError, unknown_token
from offchain_book.gateways.polymarket_http import Venue, decode, page, page_position, query, read_body, reply
from offchain_book.gateways.polymarket_words import (
    Token,
    decimal,
    find_token,
    fixed,
    iso,
    number,
    outcome_text,
    price_text,
    tick_text,
    token_side,
)

MAX_TOKENS = 500
"""Most tokens in one request for many."""
_LOT = decimal(LOT_MICROS)
_BAD_TOKENS = "Invalid payload"


class _Asked(msgspec.Struct):
    token_id: str
    side: str = ""


_asked_decoder = msgspec.json.Decoder(list[_Asked])


def book_summary(token: Token, at_ms: int) -> dict[str, Any]:
    """Return a token's book with the best price last on both sides, and its hash (see `book_hash`)."""
    summary: dict[str, Any] = {
        "market": token.market.condition_id,
        "asset_id": token.token_id,
        "timestamp": str(at_ms),
        "hash": "",
        "bids": _levels(token, TokenSide.BUY),
        "asks": _levels(token, TokenSide.SELL),
        "min_order_size": _LOT,
        "tick_size": tick_text(token.market),
        "neg_risk": False,
        "last_trade_price": price_text(token.last_price_e4) if token.last_price_e4 else "",
    }
    summary["hash"] = book_hash(summary)
    return summary


def book_hash(summary: dict[str, Any]) -> str:
    """Return the SHA-1 of a book's compact JSON, keys in this order, with an empty hash."""
    return hashlib.sha1(msgspec.json.encode(summary | {"hash": ""}), usedforsecurity=False).hexdigest()


def _levels(token: Token, side: TokenSide) -> list[dict[str, str]]:
    return [{"price": price_text(price), "size": decimal(size)} for price, size in reversed(token.depth(side))]


def _price(token: Token, side: str) -> str:
    return price_text(token.best_bid_e4 if side == "BUY" else token.best_ask_e4)


def _spread(token: Token) -> str:
    return price_text(token.best_ask_e4 - token.best_bid_e4)


class BookRoutes:
    """Books and prices."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def _token(self, request: Request) -> Token:
        return self._venue.token(request.query_params.get("token_id", ""))

    async def _tokens(self, request: Request) -> list[tuple[_Asked, Token]]:
        """Return the known ones of the tokens that a body asks for."""
        asked = decode(_asked_decoder, await read_body(request), _BAD_TOKENS)
        if len(asked) > MAX_TOKENS:
            raise ApiError(400, _BAD_TOKENS, "TOO_MANY", f"{len(asked)} tokens asked for, {MAX_TOKENS} allowed")
        found = ((item, find_token(self._venue.state, item.token_id)) for item in asked)
        return [(item, token) for item, token in found if token is not None]

    async def book(self, request: Request) -> Response:
        """Return a token's book."""
        return reply(book_summary(self._token(request), self._venue.state.now_ms))

    async def books(self, request: Request) -> Response:
        """Return the books of many tokens; unknown ones are left out."""
        now = self._venue.state.now_ms
        return reply([book_summary(token, now) for _, token in await self._tokens(request)])

    async def price(self, request: Request) -> Response:
        """Return the best bid (side BUY) or the best ask (side SELL)."""
        token = self._token(request)
        return reply({"price": _price(token, _side(request.query_params.get("side", "")))})

    async def prices(self, request: Request) -> Response:
        """Return best prices of many tokens, for one side each or for both."""
        found: dict[str, dict[str, str]] = {}
        for asked, token in await self._tokens(request):
            for side in (_side(asked.side),) if asked.side else ("BUY", "SELL"):
                found.setdefault(token.token_id, {})[side] = _price(token, side)
        return reply(found)

    async def midpoint(self, request: Request) -> Response:
        """Return the middle between best bid and best ask; an empty side counts as 0 or 1."""
        return reply({"mid": self._token(request).midpoint})

    async def midpoints(self, request: Request) -> Response:
        """Return the middles of many tokens."""
        return reply({token.token_id: token.midpoint for _, token in await self._tokens(request)})

    async def spread(self, request: Request) -> Response:
        """Return the distance from best bid to best ask."""
        return reply({"spread": _spread(self._token(request))})

    async def spreads(self, request: Request) -> Response:
        """Return the spreads of many tokens."""
        return reply({token.token_id: _spread(token) for _, token in await self._tokens(request)})

    def _last_trade(self, token: Token) -> dict[str, str]:
        """Return the last trade's price and its taker's side; production answers a half for a market without trades."""
        trades = self._venue.projections.trades_by_ticker.get(token.market.ticker)
        if not trades:
            return {"price": price_text(PRICE_SCALE // 2), "side": ""}
        return {"price": price_text(token.last_price_e4), "side": token_side(token.outcome, trades[-1].taker.side).name}

    async def last_trade_price(self, request: Request) -> Response:
        """Return the price and side of a token's last trade."""
        return reply(self._last_trade(self._token(request)))

    async def last_trades_prices(self, request: Request) -> Response:
        """Return the last trades of many tokens."""
        asked = await self._tokens(request)
        return reply([{"token_id": token.token_id} | self._last_trade(token) for _, token in asked])

    async def tick_size(self, request: Request) -> Response:
        """Return the smallest price step of a token's market."""
        return reply({"minimum_tick_size": number(tick_text(self._token(request).market))})

    async def neg_risk(self, request: Request) -> Response:
        """Say whether orders are signed for the neg-risk exchange: never here."""
        self._token(request)
        return reply({"neg_risk": False})

    async def fee_rate(self, request: Request) -> Response:
        """Return the rate in basis points that V1 orders sign as their fee cap."""
        return reply({"base_fee": fee_cap_bps(self._token(request).market)})


def fee_cap_bps(market: Market) -> int:
    """Return the highest rate that an order in a market may be charged; ten-thousandths are basis points."""
    return market.max_rate_e4


def _side(text: str) -> str:
    side = text.upper()
    if side not in ("BUY", "SELL"):
        raise ApiError(400, "Invalid side", "INVALID_SIDE", f"side is BUY or SELL, not {text or '(none given)'}")
    return side


class MarketRoutes:
    """Markets, whole and in short, in the order in which they were created."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def _accepting(self, market: Market) -> bool:
        now = self._venue.sequencer.clock_ms()
        return status_at(market, now) is MarketStatus.ACTIVE and trading_is_active(self._venue.state)

    def _rewards(self, market: Market) -> dict[str, Any]:
        program = rewards.active(self._venue.state, market, self._venue.sequencer.clock_ms())
        if program is None:
            return {"rates": None, "min_size": 0, "max_spread": 0}
        rate = {"asset_address": self._venue.settings.collateral_address}
        return {
            "rates": [rate | {"rewards_daily_rate": number(decimal(program.daily_micros))}],
            "min_size": number(decimal(program.min_size_micros)),
            "max_spread": number(fixed(program.max_spread_e4, 2)),
        }

    def _short(self, market: Market) -> dict[str, Any]:
        tokens = (Token(market, Outcome.YES), Token(market, Outcome.NO))
        return {
            "condition_id": market.condition_id,
            "tokens": [
                {
                    "token_id": token.token_id,
                    "outcome": outcome_text(token.outcome),
                    "price": number(token.shown_price),
                    "winner": token.is_winner,
                }
                for token in tokens
            ],
            "rewards": self._rewards(market),
            "active": True,
            "closed": market.status not in OPEN_STATES,
            "archived": False,
            "accepting_orders": self._accepting(market),
        }

    def _whole(self, market: Market) -> dict[str, Any]:
        series = self._venue.state.series[market.series_ticker]
        return self._short(market) | {
            "question_id": market.question_id,
            "question": market.title,
            "description": market.rules,
            "market_slug": market.ticker.lower(),
            "minimum_order_size": number(_LOT),
            "minimum_tick_size": number(tick_text(market)),
            "accepting_order_timestamp": iso(market.open_ms),
            "end_date_iso": iso(market.close_ms),
            "enable_order_book": market.status in OPEN_STATES,
            "game_start_time": None,
            "seconds_delay": 0,
            "fpmm": "",
            "maker_base_fee": market.maker_cap_e4,
            "taker_base_fee": market.taker_cap_e4,
            "notifications_enabled": False,
            "neg_risk": False,
            "neg_risk_market_id": "",
            "neg_risk_request_id": "",
            "icon": "",
            "image": "",
            "is_50_50_outcome": market.yes_payout_micros == 500_000,
            "tags": list(series.tags),
            "ticker": market.ticker,
            "event_ticker": market.event_ticker,
        }

    def _listing(self, shown: Callable[[Market], dict[str, Any]], *, accepting: bool) -> Any:
        """Return an endpoint that pages through all markets, or through those that take orders."""

        async def endpoint(request: Request) -> Response:
            start = page_position(request)
            markets: Iterable[Market] = self._venue.state.markets.values()
            wanted = [market for market in markets if not accepting or self._accepting(market)]
            rows = [shown(market) for market in wanted[start : start + MAX_PAGE]] if start >= 0 else []
            more = start >= 0 and start + MAX_PAGE < len(wanted)
            return page(rows, MAX_PAGE, start + MAX_PAGE if more else None)

        endpoint.__doc__ = "Page through the markets that take orders." if accepting else "Page through all markets."
        return endpoint

    async def market(self, request: Request) -> Response:
        """Return one market."""
        return reply(self._whole(self._venue.market(request.path_params["condition_id"])))

    async def by_token(self, request: Request) -> Response:
        """Return the condition that a token belongs to."""
        token_id = request.path_params["token_id"]
        found = find_token(self._venue.state, token_id)
        if found is None:
            raise unknown_token(token_id)
        market = found.market
        return reply(
            {
                "condition_id": market.condition_id,
                "primary_token_id": market.yes_token_id,
                "secondary_token_id": market.no_token_id,
            }
        )

    async def clob_market(self, request: Request) -> Response:
        """Return what a client needs to sign an order: tokens, tick, fees (rate · (p(1-p))^exponent per contract)."""
        market = self._venue.market(request.path_params["condition_id"])
        return reply(
            {
                "c": market.condition_id,
                "t": [
                    {"t": market.yes_token_id, "o": outcome_text(Outcome.YES)},
                    {"t": market.no_token_id, "o": outcome_text(Outcome.NO)},
                ],
                "mts": number(tick_text(market)),
                "mos": number(_LOT),
                "mbf": market.maker_cap_e4,
                "tbf": market.taker_cap_e4,
                "fd": {
                    "r": number(price_text(market.taker_cap_e4)),
                    "e": 1,
                    "to": market.maker_rate_e4 == 0,
                },
                "nr": False,
                "ao": self._accepting(market),
            }
        )

    def add_to(self, router: APIRouter) -> None:
        """Add the market routes."""
        cursors = query("next_cursor")
        for path, shown, accepting in (
            ("/markets", self._whole, False),
            ("/simplified-markets", self._short, False),
            ("/sampling-markets", self._whole, True),
            ("/sampling-simplified-markets", self._short, True),
        ):
            name = path[1:].replace("-", "_")
            endpoint = self._listing(shown, accepting=accepting)
            router.add_api_route(path, endpoint, methods=["GET"], name=name, openapi_extra=cursors)
        router.add_api_route("/markets/{condition_id}", self.market, methods=["GET"])
        router.add_api_route("/markets-by-token/{token_id}", self.by_token, methods=["GET"])
        router.add_api_route("/clob-markets/{condition_id}", self.clob_market, methods=["GET"])


def add_routes(router: APIRouter, venue: Venue) -> None:
    """Add the routes of this module."""
    books = BookRoutes(venue)
    for path, one in (
        ("/book", books.book),
        ("/price", books.price),
        ("/midpoint", books.midpoint),
        ("/spread", books.spread),
        ("/last-trade-price", books.last_trade_price),
        ("/tick-size", books.tick_size),
        ("/neg-risk", books.neg_risk),
        ("/fee-rate", books.fee_rate),
        ("/fee-rate-bps", books.fee_rate),
    ):
        asked = query("token_id", "side") if path == "/price" else query("token_id")
        router.add_api_route(path, one, methods=["GET"], name=path[1:].replace("-", "_"), openapi_extra=asked)
    for path, many in (
        ("/books", books.books),
        ("/prices", books.prices),
        ("/midpoints", books.midpoints),
        ("/spreads", books.spreads),
        ("/last-trades-prices", books.last_trades_prices),
    ):
        router.add_api_route(path, many, methods=["POST"])
    MarketRoutes(venue).add_to(router)
