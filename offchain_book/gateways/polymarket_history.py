"""A market's past as anybody may see it: prices by the minute, and the last trades with whoever made them."""

from typing import Any

from fastapi import APIRouter, Request, Response

from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide
from offchain_book.gateways.polymarket_account import seconds
from offchain_book.gateways.polymarket_errors import ApiError
from offchain_book.gateways.polymarket_http import Venue, query, reply
from offchain_book.gateways.polymarket_words import (
    decimal,
    number,
    outcome_text,
    own_price_e4,
    price_text,
    token_side,
)
from offchain_book.views import TradeView

MAX_POINTS = 10_000
"""Most points in one price history."""
EVENTS_SHOWN = 100
INTERVALS = {"1h": (3_600, 1), "6h": (21_600, 1), "1d": (86_400, 1), "1w": (604_800, 5), "1m": (2_592_000, 10)}
"""Interval -> seconds back from now, and the least minutes between two points, as in production; `max` is everything."""


class HistoryRoutes:
    """The routes of prices and trades that are public."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    async def prices(self, request: Request) -> Response:
        """Return a token's price every `fidelity` minutes: the last trade's at each of these times."""
        asked = request.query_params
        token = self._venue.token(asked.get("market", ""))
        history = self._venue.projections.prices.get(token.market.ticker)
        first_s = history.first_s if history is not None else 0
        start_s, end_s, least = self._window(request, first_s)
        step_s = 60 * max(1, seconds(asked["fidelity"]) if asked.get("fidelity") else least)
        if step_s < 60 * least:
            raise ApiError(
                400,
                f"invalid filters: minimum 'fidelity' for '{asked['interval']}' range is {least}",
                "INVALID_FIDELITY",
                f"ask for {least} minutes or more between two points, or for a shorter interval",
            )
        if (end_s - start_s) // step_s > MAX_POINTS:
            reason = f"{(end_s - start_s) // step_s} points asked for, {MAX_POINTS} allowed: raise fidelity"
            raise ApiError(400, "invalid filters: 'startTs' and 'endTs' interval is too long", "TOO_MANY", reason)
        if history is None:
            return reply({"history": []})
        times = range(max(start_s, first_s), end_s + 1, step_s)
        found = ((at_s, own_price_e4(token.outcome, history.price_e4(at_s))) for at_s in times)
        return reply({"history": [{"t": at_s, "p": number(price_text(price))} for at_s, price in found]})

    def _window(self, request: Request, first_s: int) -> tuple[int, int, int]:
        """Return (start, end, least minutes between points) of what a request asks for."""
        asked, now_s = request.query_params, self._venue.sequencer.clock_ms() // 1000
        interval = asked.get("interval", "")
        if interval == "max":
            start_s = first_s or now_s
            return start_s, now_s, max(1, (now_s - start_s) // (60 * MAX_POINTS) + 1)
        if interval:
            if interval not in INTERVALS:
                known = ", ".join((*INTERVALS, "max"))
                raise ApiError(400, "invalid filters: interval", "INVALID_INTERVAL", f"interval is one of {known}")
            back_s, least = INTERVALS[interval]
            return now_s - back_s, now_s, least
        if not (asked.get("startTs") or asked.get("endTs")):
            reason = "give an interval, or startTs and endTs in seconds"
            raise ApiError(400, "invalid filters: time component is mandatory", "INVALID_INTERVAL", reason)
        end_s = min(now_s, seconds(asked["endTs"])) if asked.get("endTs") else now_s
        start_s = seconds(asked["startTs"]) if asked.get("startTs") else first_s or end_s
        if start_s > end_s:
            reason = f"startTs ({start_s}) is after endTs or now ({end_s})"
            raise ApiError(400, "invalid filters: 'startTs' is after 'endTs'", "INVALID_INTERVAL", reason)
        return start_s, end_s, 1

    async def events(self, request: Request) -> Response:
        """Return a market's last trades, newest first, each from its taker's side."""
        market = self._venue.market(request.path_params["condition_id"])
        trades = self._venue.projections.trades_by_ticker.get(market.ticker, [])
        return reply([self._event(trade) for trade in reversed(trades[-EVENTS_SHOWN:])])

    def _event(self, trade: TradeView) -> dict[str, Any]:
        market, taker = self._venue.state.markets[trade.ticker], trade.taker
        outcome = taker.outcome or (Outcome.YES if taker.side is BookSide.BID else Outcome.NO)
        address = taker.account_id if taker.outcome else self._venue.settings.venue_address
        return {
            "event_type": "trade",
            "market": {
                "condition_id": market.condition_id,
                "asset_id": market.token_id(outcome),
                "question": market.title,
                "icon": "",
                "slug": market.ticker.lower(),
            },
            "user": {
                "address": address,
                "username": "",
                "profile_picture": "",
                "optimized_profile_picture": "",
                "pseudonym": "",
            },
            "side": token_side(outcome, taker.side).name,
            "size": decimal(trade.size_micros),
            "fee_rate_bps": str(market.taker_cap_e4),
            "price": price_text(own_price_e4(outcome, trade.price_e4)),
            "outcome": outcome_text(outcome),
            "outcome_index": outcome - 1,
            "transaction_hash": trade.tx_hash,
            "timestamp": str(trade.at_ms // 1000),
        }


def add_routes(router: APIRouter, venue: Venue) -> None:
    """Add the routes of this module."""
    history = HistoryRoutes(venue)
    asked = query("market", "startTs", "endTs", "fidelity", "interval")
    router.add_api_route("/prices-history", history.prices, methods=["GET"], openapi_extra=asked)
    router.add_api_route("/live-activity/events/{condition_id}", history.events, methods=["GET"])
    router.add_api_route(
        "/markets/live-activity/{condition_id}", history.events, methods=["GET"], name="market_live_activity"
    )
