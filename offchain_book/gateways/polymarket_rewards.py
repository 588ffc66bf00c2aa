"""Liquidity rewards: which markets pay, what a wallet has earned, which orders count. The rule is in `engine/rewards.py`."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from offchain_book.engine import rewards
from offchain_book.engine.market import Market, RewardProgram
from offchain_book.engine.operations import Outcome
from offchain_book.gateways.polymarket_errors import ApiError
from offchain_book.gateways.polymarket_http import Caller, Venue, decode, page, page_position, query, reply
from offchain_book.gateways.polymarket_words import Token, decimal, fixed, iso_day, number, outcome_text
from offchain_book.wallet_views import DAY_MS

PAGE_ROWS = 100
_ids_decoder = msgspec.json.Decoder(list[str])


class RewardRoutes:
    """The routes of rewards and scoring."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    # --- programmes --------------------------------------------------------------------------------------------------------

    def _active(self) -> list[tuple[Market, RewardProgram]]:
        state, now_ms = self._venue.state, self._venue.sequencer.clock_ms()
        markets = (state.markets[ticker] for ticker in state.reward_programs)
        return [(market, found) for market in markets if (found := rewards.active(state, market, now_ms)) is not None]

    def _config(self, program: RewardProgram) -> dict[str, Any]:
        days = max(1, -(-(program.end_ms - program.start_ms) // DAY_MS))
        return {
            "id": program.ticker.lower(),
            "asset_address": self._venue.settings.collateral_address,
            "start_date": iso_day(program.start_ms),
            "end_date": iso_day(min(program.end_ms, 253_402_300_799_000)),
            "rate_per_day": number(decimal(program.daily_micros)),
            "total_rewards": number(decimal(program.daily_micros * days)),
            "total_days": days,
        }

    def _terms(self, market: Market, program: RewardProgram) -> dict[str, Any]:
        return {
            "condition_id": market.condition_id,
            "rewards_config": [self._config(program)],
            "rewards_max_spread": number(fixed(program.max_spread_e4, 2)),
            "rewards_min_size": number(decimal(program.min_size_micros)),
        }

    def _whole(self, market: Market, program: RewardProgram) -> dict[str, Any]:
        """Return a programme with its market. `market_competitiveness` is all scores in full contracts at the middle."""
        total = sum(rewards.scores(market, program).values()) // (2 * program.max_spread_e4) ** 2
        return self._terms(market, program) | {
            "question": market.title,
            "market_slug": market.ticker.lower(),
            "event_slug": market.event_ticker.lower(),
            "image": "",
            "market_competitiveness": number(decimal(total)),
            "tokens": [
                {
                    "token_id": market.token_id(outcome),
                    "outcome": outcome_text(outcome),
                    "price": number(Token(market, outcome).shown_price),
                }
                for outcome in Outcome
            ],
        }

    async def current(self, request: Request) -> Response:
        """Page through the markets that pay now."""
        return _page(request, [self._terms(market, program) for market, program in self._active()])

    async def market(self, request: Request) -> Response:
        """Return one market's programme, if it pays now."""
        market = self._venue.market(request.path_params["condition_id"])
        return _page(request, [self._whole(found, program) for found, program in self._active() if found is market])

    # --- what a wallet has earned ----------------------------------------------------------------------------------------

    def _earned(self, caller: Caller, request: Request) -> tuple[str, dict[str, int]]:
        """Return the day asked for and ticker -> millionths earned on it."""
        text = request.query_params.get("date", "")
        try:
            day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError as error:
            raise ApiError(400, "invalid date", "INVALID_DATE", f"date is like 2026-11-22, not {text[:20]!r}") from error
        number_of_day = int(day.timestamp()) * 1000 // DAY_MS
        return text, self._venue.projections.wallets.earnings.get(caller.account_id, {}).get(number_of_day, {})

    def _amount(self, caller: Caller, micros: int) -> dict[str, Any]:
        return {
            "asset_address": self._venue.settings.collateral_address,
            "maker_address": caller.account_id,
            "earnings": number(decimal(micros)),
            "asset_rate": 1,
        }

    async def user(self, request: Request) -> Response:
        """Page through what the wallet earned on a day, by market. Earnings are counted, their payment is the operator's."""
        caller = await self._venue.caller(request)
        date, earned = self._earned(caller, request)
        markets = self._venue.state.markets
        rows = [
            {"date": date, "condition_id": markets[ticker].condition_id} | self._amount(caller, micros)
            for ticker, micros in earned.items()
        ]
        return _page(request, rows)

    async def total(self, request: Request) -> Response:
        """Return what the wallet earned on a day."""
        caller = await self._venue.caller(request)
        date, earned = self._earned(caller, request)
        return reply([{"date": date} | self._amount(caller, sum(earned.values()))] if earned else [])

    def _percentage(self, caller: Caller, market: Market, program: RewardProgram) -> str:
        """Return the share of a market's pay that the wallet's orders would get now, in percent."""
        found = rewards.scores(market, program)
        own = found.get(caller.account_id, 0)
        return fixed(own * 10_000 // sum(found.values()), 2) if own else "0"

    async def percentages(self, request: Request) -> Response:
        """Return condition -> the wallet's share of its pay now, in percent."""
        caller = await self._venue.caller(request)
        return reply(
            {market.condition_id: number(self._percentage(caller, market, program)) for market, program in self._active()}
        )

    async def user_markets(self, request: Request) -> Response:
        """Page through the markets that pay, with the wallet's share now and what it earned on a day."""
        caller = await self._venue.caller(request)
        _, earned = self._earned(caller, request)
        rows = []
        for market, program in self._active():
            amount = self._amount(caller, earned.get(market.ticker, 0))
            row = self._whole(market, program) | {
                "maker_address": amount.pop("maker_address"),
                "earning_percentage": number(self._percentage(caller, market, program)),
                "earnings": [amount],
            }
            if request.query_params.get("no_competition", "").lower() == "true" and rewards.scores(market, program):
                continue
            rows.append((program.daily_micros, row))
        if request.query_params.get("order_by") == "rate_per_day":
            ascending = request.query_params.get("position", "").upper() == "ASC"
            rows.sort(key=lambda pair: pair[0], reverse=not ascending)
        return _page(request, [row for _, row in rows])

    # --- scoring ---------------------------------------------------------------------------------------------------------

    def _scores(self, caller: Caller, order_id: str) -> bool:
        order = self._venue.state.accounts[caller.account_id].open_orders.get(order_id.lower())
        return order is not None and rewards.is_scoring(self._venue.state, order)

    async def order_scoring(self, request: Request) -> Response:
        """Say whether one of the wallet's orders would earn rewards if its book were sampled now."""
        caller = await self._venue.caller(request)
        return reply({"scoring": self._scores(caller, request.query_params.get("order_id", ""))})

    async def orders_scoring(self, request: Request) -> Response:
        """Say the same of many orders."""
        caller = await self._venue.caller(request)
        ids = decode(_ids_decoder, caller.body, "Invalid payload")
        return reply({order_id: self._scores(caller, order_id) for order_id in ids})


def _page(request: Request, rows: list[dict[str, Any]]) -> Response:
    start = page_position(request)
    shown = rows[start : start + PAGE_ROWS] if start >= 0 else []
    return page(shown, PAGE_ROWS, start + PAGE_ROWS if 0 <= start < len(rows) - PAGE_ROWS else None)


def add_routes(router: APIRouter, venue: Venue) -> None:
    """Add the routes of this module."""
    own = RewardRoutes(venue)
    for path, endpoint, asked in (
        ("/rewards/markets/current", own.current, query("next_cursor")),
        ("/rewards/markets/{condition_id}", own.market, query("next_cursor")),
        ("/rewards/user", own.user, query("date", "signature_type", "next_cursor")),
        ("/rewards/user/total", own.total, query("date", "signature_type")),
        ("/rewards/user/percentages", own.percentages, query("signature_type")),
        (
            "/rewards/user/markets",
            own.user_markets,
            query("date", "order_by", "position", "no_competition", "signature_type", "next_cursor"),
        ),
        ("/order-scoring", own.order_scoring, query("order_id")),
    ):
        name = path[1:].replace("/", "_").replace("-", "_").replace("{condition_id}", "of")
        router.add_api_route(path, endpoint, methods=["GET"], name=name, openapi_extra=asked)
    router.add_api_route("/orders-scoring", own.orders_scoring, methods=["POST"])
