"""What a wallet may ask about itself: its orders, its trades and how far they have settled, its balances."""

import heapq
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from offchain_book.engine.account import Account, Balance
from offchain_book.engine.events import FillSide
from offchain_book.engine.market import Market
from offchain_book.engine.names import token_asset
from offchain_book.engine.operations import FillLeg, FillOperation, OrderScheme, TokenSide
from offchain_book.engine.order import CancelReason, OrderStatus, TimeInForce
from offchain_book.engine.units import CASH
from offchain_book.gateways.polymarket_errors import ApiError
from offchain_book.gateways.polymarket_http import Caller, Venue, page, page_position, query, reply
from offchain_book.gateways.polymarket_words import (
    decimal,
    match_id_of,
    outcome_text,
    own_price_e4,
    price_text,
    token_side,
    trade_id,
)
from offchain_book.signatures import CONTRACT_SIGNATURE
from offchain_book.views import FillView, OrderView, TradeStage, TradeView

PAGE_ROWS = 500
"""Rows in one page of orders or trades."""
_UNLIMITED = str(2**256 - 1)
_NO_BALANCE = Balance()


def order_status(order: OrderView) -> str:
    """Return an order's status as GET /data/order tells it."""
    if order.status is OrderStatus.RESTING:
        return "LIVE"
    if order.status is OrderStatus.EXECUTED or order.cancel_reason is CancelReason.AMOUNT_SPENT:
        return "MATCHED"
    if order.cancel_reason is CancelReason.MARKET_CLOSED:
        return "CANCELED_MARKET_RESOLVED"
    if order.cancel_reason is CancelReason.TIME_IN_FORCE and order.filled_micros:
        return "MATCHED"
    return "CANCELED"


def order_type(order: OrderView) -> str:
    """Return an order's type."""
    if order.time_in_force is TimeInForce.FOK:
        return "FOK"
    if order.time_in_force is TimeInForce.IOC:
        return "FAK"
    return "GTD" if order.expires_ms else "GTC"


def order_summary(order: OrderView, market: Market, owner: str) -> dict[str, Any]:
    """Return a wallet's order as GET /data/order shows it."""
    assert order.outcome is not None
    side = token_side(order.outcome, order.side)
    signed, size = order.signed, order.size_micros
    if signed is not None:
        size = signed.buy_amount_micros if side is TokenSide.BUY else signed.sell_amount_micros
    return {
        "id": order.order_id,
        "status": order_status(order),
        "owner": owner,
        "maker_address": order.account_id,
        "market": market.condition_id,
        "asset_id": market.token_id(order.outcome),
        "side": side.name,
        "original_size": decimal(size),
        "size_matched": decimal(order.filled_micros),
        "price": price_text(own_price_e4(order.outcome, order.price_e4)),
        "associate_trades": [trade_id(match) for match in order.matches],
        "outcome": outcome_text(order.outcome),
        "created_at": order.created_ms // 1000,
        "expiration": str(order.expires_ms // 1000),
        "order_type": order_type(order),
        "post_only": order.post_only,
        "version": "1" if signed is not None and signed.scheme is OrderScheme.POLYMARKET_V1 else "2",
        "fee": decimal(order.taker_fee_micros + order.maker_fee_micros),
        "builder": order.builder,
        "cancel_reason": "" if order.cancel_reason is None else order.cancel_reason.value,
    }


def _leg_summary(leg: FillLeg, trade: TradeView, market: Market, venue: Venue, caller: Caller) -> dict[str, Any]:
    """Return one order of a trade. A custodial counterparty shows as the custody pool; keys of others stay theirs."""
    is_maker = leg.order_id == trade.maker.order_id
    session_id = venue.projections.orders[leg.order_id].session_id
    rate = market.maker_cap_e4 if is_maker else market.taker_cap_e4
    return {
        "order_id": leg.order_id,
        "owner": caller.key.key_id if caller.reaches(leg.account_id, session_id) else "",
        "maker_address": leg.wallet or venue.settings.venue_address,
        "matched_amount": decimal(trade.size_micros),
        "price": price_text(own_price_e4(leg.outcome, trade.price_e4)),
        "fee_rate_bps": str(rate),
        "asset_id": market.token_id(leg.outcome),
        "outcome": outcome_text(leg.outcome),
        "side": leg.side.name,
        "fee": decimal(leg.fee_micros),
    }


def trade_summary(fill: FillView, operation: FillOperation, venue: Venue, caller: Caller) -> dict[str, Any]:
    """Return a trade as GET /data/trades shows it: the taker's side on top, the maker's inside."""
    trade, market = fill.trade, venue.state.markets[fill.trade.ticker]
    taker = _leg_summary(operation.taker, trade, market, venue, caller)
    maker = _leg_summary(operation.maker, trade, market, venue, caller)
    return {
        "id": trade_id(trade.match_id),
        "taker_order_id": taker["order_id"],
        "market": market.condition_id,
        "asset_id": taker["asset_id"],
        "side": taker["side"],
        "size": decimal(trade.size_micros),
        "fee_rate_bps": taker["fee_rate_bps"],
        "price": taker["price"],
        "status": trade.stage,
        "match_time": str(trade.at_ms // 1000),
        "last_update": str(trade.updated_ms // 1000),
        "outcome": taker["outcome"],
        "bucket_index": 0,
        "owner": taker["owner"],
        "maker_address": taker["maker_address"],
        "transaction_hash": trade.tx_hash,
        "maker_orders": [maker],
        "trader_side": "TAKER" if fill.is_taker else "MAKER",
        "err_msg": trade.resolution if trade.stage == TradeStage.FAILED else "",
        "fee": (taker if fill.is_taker else maker)["fee"],
        "operation": trade.operation,
        "block_number": trade.block_number,
        "resolution": trade.resolution,
    }


class AccountRoutes:
    """The routes of a wallet's own orders, trades and balances."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def _account(self, caller: Caller) -> Account:
        return self._venue.state.accounts[caller.account_id]

    def _own_order(self, caller: Caller, order_id: str) -> OrderView | None:
        order = self._venue.projections.orders.get(order_id.lower())
        return order if order is not None and caller.reaches(order.account_id, order.session_id) else None

    def _summary(self, order: OrderView, caller: Caller) -> dict[str, Any]:
        return order_summary(order, self._venue.state.markets[order.ticker], caller.key.key_id)

    async def order(self, request: Request) -> Response:
        """Return one of the wallet's orders, open or finished."""
        caller = await self._venue.caller(request)
        order_id = request.path_params["order_id"]
        order = self._own_order(caller, order_id)
        if order is None:
            raise ApiError(404, "order not found", "UNKNOWN_ORDER", f"the wallet has no order {order_id}")
        return reply(self._summary(order, caller))

    async def orders(self, request: Request) -> Response:
        """Page through the wallet's open orders, oldest first. A position is the last order's sequence number."""
        caller = await self._venue.caller(request)
        after, wanted = page_position(request), request.query_params
        views = (self._venue.projections.orders[order.order_id] for order in self._venue.open_orders(caller))
        rows = sorted((order for order in views if order.seq > after >= 0), key=lambda order: order.seq)
        for name, field in (("market", "market"), ("asset_id", "asset_id"), ("id", "id")):
            if wanted.get(name):
                rows = [order for order in rows if self._summary(order, caller)[field] == wanted[name]]
        shown = [self._summary(order, caller) for order in rows[:PAGE_ROWS]]
        return page(shown, PAGE_ROWS, rows[PAGE_ROWS - 1].seq if len(rows) > PAGE_ROWS else None)

    async def pre_migration_orders(self, request: Request) -> Response:
        """Page through the orders from before production's migration: this venue has never migrated."""
        await self._venue.caller(request)
        return page([], PAGE_ROWS, None)

    async def trades(self, request: Request) -> Response:
        """Page through the wallet's trades, newest first. A position is an index into its fills, so pages stay put."""
        caller = await self._venue.caller(request)
        if request.query_params.get("id"):
            rows = [row for _, row in self._trades(caller, self._fills_of(caller, request.query_params["id"]))]
            return page([row for row in rows if wanted(row, request)], PAGE_ROWS, None)
        fills = self._fills(caller)
        start = page_position(request)
        before = len(fills) if start == 0 else min(start, len(fills))
        rows = []
        following = None
        for index, row in self._trades(caller, fills[:before] if start >= 0 else []):
            if not wanted(row, request):
                continue
            if len(rows) == PAGE_ROWS:
                following = index + 1
                break
            rows.append(row)
        return page(rows, PAGE_ROWS, following)

    def _fills_of(self, caller: Caller, trade: str) -> list[FillView]:
        """Return the wallet's sides of one trade."""
        match_id, trades = match_id_of(trade), self._venue.projections.trades
        if not 0 <= match_id < len(trades):
            return []
        found = trades[match_id]
        return [
            FillView(found, own, other, own is found.taker)
            for own, other in ((found.taker, found.maker), (found.maker, found.taker))
            if self._is_own(caller, own)
        ][:1]

    def _fills(self, caller: Caller) -> Sequence[FillView]:
        """Return the fills of all orders that the key reaches, oldest first: a list that only grows at its end."""
        by_account, accounts = self._venue.projections.fills_by_account, self._venue.accounts_of(caller)
        lists = [by_account.get(account.account_id, []) for account, _ in accounts]
        if len(lists) == 1:
            return lists[0]
        merged = heapq.merge(*lists, key=lambda fill: fill.trade.match_id)
        return [fill for fill in merged if self._is_own(caller, fill.own)]

    def _is_own(self, caller: Caller, side: FillSide) -> bool:
        return caller.reaches(side.account_id, self._venue.projections.orders[side.order_id].session_id)

    def _trades(self, caller: Caller, fills: Sequence[FillView]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (index, trade), newest first."""
        operations = self._venue.projections.operations
        for index in range(len(fills) - 1, -1, -1):
            operation = operations[fills[index].trade.operation].operation
            assert isinstance(operation, FillOperation)
            yield index, trade_summary(fills[index], operation, self._venue, caller)

    async def balance_allowance(self, request: Request) -> Response:
        """Return what new orders may use of cash or of a token, in millionths; the vault needs no allowance."""
        caller = await self._venue.caller(request)
        asset_type = request.query_params.get("asset_type", "")
        if asset_type == "COLLATERAL":
            asset = CASH
        elif asset_type == "CONDITIONAL":
            token = self._venue.token(request.query_params.get("token_id", ""))
            asset = token_asset(token.market.ticker, token.outcome)
        else:
            reason = f"asset_type is COLLATERAL or CONDITIONAL, not {asset_type or '(none given)'}"
            raise ApiError(400, "Invalid asset type", "INVALID_ASSET_TYPE", reason)
        account = self._funder(caller, request.query_params.get("signature_type", ""))
        balance = account.balances.get(asset, _NO_BALANCE)
        return reply(
            {
                "balance": str(balance.available),
                "allowances": {self._venue.settings.venue_address: _UNLIMITED},
                "held": str(balance.held),
                "pending": str(balance.pending),
                "settled": str(balance.settled),
                "withdrawable": str(balance.withdrawable),
                "wallet": account.account_id,
            }
        )

    def _funder(self, caller: Caller, signature_type: str) -> Account:
        """Return whose balance is asked for: with signature type 3 that of the contract wallet that was used last."""
        accounts = self._venue.accounts_of(caller)
        return accounts[-1 if signature_type == str(CONTRACT_SIGNATURE) else 0][0]


def wanted(row: dict[str, Any], request: Request) -> bool:
    """Whether a trade passes the request's filters."""
    asked = request.query_params
    legs = [row, *row["maker_orders"]]
    for name in ("asset_id", "maker_address"):
        value = asked.get(name, "").lower()
        if value and all(leg[name].lower() != value for leg in legs):
            return False
    if asked.get("market") and row["market"] != asked["market"].lower():
        return False
    at_s = int(row["match_time"])
    return not (
        (asked.get("after") and at_s <= seconds(asked["after"]))
        or (asked.get("before") and at_s >= seconds(asked["before"]))
    )


def seconds(text: str) -> int:
    """Read a query's time in seconds, or answer 400."""
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ApiError(400, "invalid timestamp", "INVALID_TIMESTAMP", f"{text} is no number of seconds")
    return int(text)


def add_routes(router: APIRouter, venue: Venue) -> None:
    """Add the routes of this module."""
    own = AccountRoutes(venue)
    for path, endpoint, asked in (
        ("/data/order/{order_id}", own.order, query()),
        ("/data/pre-migration-orders", own.pre_migration_orders, query("next_cursor")),
        ("/data/orders", own.orders, query("id", "market", "asset_id", "next_cursor")),
        (
            "/data/trades",
            own.trades,
            query("id", "market", "asset_id", "maker_address", "before", "after", "next_cursor"),
        ),
        ("/balance-allowance", own.balance_allowance, query("asset_type", "token_id", "signature_type")),
    ):
        router.add_api_route(path, endpoint, methods=["GET"], openapi_extra=asked)
    router.add_api_route(
        "/balance-allowance/update", own.balance_allowance, methods=["GET"], name="update_balance_allowance"
    )
