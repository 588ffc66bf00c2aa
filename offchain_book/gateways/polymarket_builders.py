"""Apps that send their users' orders: their trades, and what they charge (nothing here)."""

import re
from typing import Any

from fastapi import APIRouter, Request, Response

from offchain_book.gateways.polymarket_account import seconds
from offchain_book.gateways.polymarket_errors import ApiError
from offchain_book.gateways.polymarket_http import Venue, page, page_position, query, read_body, reply
from offchain_book.gateways.polymarket_words import (
    decimal,
    iso,
    match_id_of,
    outcome_text,
    own_price_e4,
    price_text,
    token_side,
    trade_id,
)
from offchain_book.gateways.wallet_credentials import builder_code
from offchain_book.views import TradeStage, TradeView, traded_micros

PAGE_ROWS = 100
_CODE = re.compile(r"0x[0-9a-f]{64}")


class BuilderRoutes:
    """The routes of builders."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    async def trades(self, request: Request) -> Response:
        """Page through a builder's trades, newest first: those of `builder_code`, or of the builder who signed."""
        key = self._venue.builder(request, await read_body(request))
        code = _code(request.query_params.get("builder_code", "")) if key is None else builder_code(key.account_id)
        matches = self._venue.projections.wallets.by_builder.get(code, [])
        start = page_position(request)
        rows: list[dict[str, Any]] = []
        following = None
        for index in range((len(matches) if start == 0 else min(start, len(matches))) - 1, -1, -1):
            match_id, is_taker = matches[index]
            row = self._row(self._venue.projections.trades[match_id], code, is_taker)
            if start < 0 or not _wanted(row, request):
                continue
            if len(rows) == PAGE_ROWS:
                following = index + 1
                break
            rows.append(row)
        return page(rows, PAGE_ROWS, following)

    def _row(self, trade: TradeView, code: str, is_taker: bool) -> dict[str, Any]:
        own = trade.taker if is_taker else trade.maker
        market = self._venue.state.markets[trade.ticker]
        assert own.outcome is not None, "only signed orders carry a builder"
        price = own_price_e4(own.outcome, trade.price_e4)
        return {
            "id": trade_id(trade.match_id),
            "tradeType": "TAKER" if is_taker else "MAKER",
            "takerOrderHash": trade.taker.order_id,
            "builder": code,
            "market": market.condition_id,
            "assetId": market.token_id(own.outcome),
            "side": token_side(own.outcome, own.side).name,
            "size": decimal(trade.size_micros),
            "sizeUsdc": decimal(traded_micros(trade, own)),
            "price": price_text(price),
            "status": trade.stage,
            "outcome": outcome_text(own.outcome),
            "outcomeIndex": own.outcome - 1,
            "owner": "",
            "maker": own.account_id,
            "transactionHash": trade.tx_hash,
            "matchTime": str(trade.at_ms // 1000),
            "bucketIndex": 0,
            "fee": decimal(own.fee_micros),
            "feeUsdc": decimal(own.fee_micros),
            "err_msg": trade.resolution if trade.stage == TradeStage.FAILED else None,
            "createdAt": iso(trade.at_ms),
            "updatedAt": iso(trade.updated_ms),
        }

    async def fees(self, request: Request) -> Response:
        """Return what a builder charges on top: this venue collects nothing for builders."""
        _code(request.path_params["builder_code"])
        return reply({"builder_maker_fee_rate_bps": 0, "builder_taker_fee_rate_bps": 0})


def _code(text: str) -> str:
    code = text.lower()
    if not _CODE.fullmatch(code) or not int(code, 16):
        reason = f"a builder code is 32 bytes of hex and not zero, not {text[:80] or '(none given)'}"
        raise ApiError(400, "invalid builder code", "INVALID_BUILDER", reason)
    return code


def _wanted(row: dict[str, Any], request: Request) -> bool:
    """Whether a trade passes the request's filters."""
    asked = request.query_params
    if asked.get("id") and match_id_of(asked["id"]) != match_id_of(row["id"]):
        return False
    for name, field in (("market", "market"), ("asset_id", "assetId"), ("maker_address", "maker")):
        if asked.get(name) and asked[name].lower() != row[field].lower():
            return False
    at_s = int(row["matchTime"])
    return not (
        (asked.get("after") and at_s <= seconds(asked["after"]))
        or (asked.get("before") and at_s >= seconds(asked["before"]))
    )


def add_routes(router: APIRouter, venue: Venue) -> None:
    """Add the routes of this module."""
    builders = BuilderRoutes(venue)
    asked = query("builder_code", "id", "market", "asset_id", "maker_address", "before", "after", "next_cursor")
    router.add_api_route("/builder/trades", builders.trades, methods=["GET"], openapi_extra=asked, name="builder_trades")
    router.add_api_route("/fees/builder-fees/{builder_code}", builders.fees, methods=["GET"], name="builder_fees")
