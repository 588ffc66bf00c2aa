"""What a wallet's connection is about: heartbeats that keep its orders alive, notifications, and where it may trade from."""

import hashlib
import hmac
import uuid
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from offchain_book.engine.commands import ArmDeadMan, DropNotifications
from offchain_book.gateways.polymarket_account import order_type
from offchain_book.gateways.polymarket_errors import ApiError, from_rejection
from offchain_book.gateways.polymarket_http import Caller, Venue, decode, query, reply
from offchain_book.gateways.polymarket_words import decimal, outcome_text, own_price_e4, price_text, token_side, trade_id
from offchain_book.wallet_views import NotificationView

HEARTBEAT_MS = 10_000
"""How long a wallet may be silent once it has begun to send heartbeats, as in production."""
INVALID_HEARTBEAT = "Invalid Heartbeat ID"


class _Heartbeat(msgspec.Struct):
    heartbeat_id: str | None = None


_heartbeat_decoder = msgspec.json.Decoder(_Heartbeat)


class PresenceRoutes:
    """The routes of heartbeats and notifications."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def _heartbeat_id(self, account_id: str, deadline_ms: int) -> str:
        """Return the id that a timer's deadline stands for: nothing has to be kept, and it survives a restart."""
        text = f"heartbeat|{account_id}|{deadline_ms}".encode()
        return str(uuid.UUID(bytes=hmac.new(self._venue.settings.api_secret, text, hashlib.sha256).digest()[:16], version=4))

    async def heartbeat(self, request: Request) -> Response:
        """Keep the wallet's orders for ten more seconds. The first heartbeat has no id, each later one the last answer's.

        When none comes in time the exchange cancels every order of the wallet, and those that it handed in for contract wallets
        before its last heartbeat; the next heartbeat is a first one.
        """
        caller = await self._venue.caller(request)
        shown = decode(_heartbeat_decoder, caller.body or b"{}", "Invalid payload").heartbeat_id or ""
        running = self._venue.state.accounts[caller.account_id].dead_men.get("", 0)
        now_ms = max(self._venue.state.now_ms, self._venue.sequencer.clock_ms())
        expected = self._heartbeat_id(caller.account_id, running) if running > now_ms else ""
        if shown != expected:
            reason = (
                f"the last heartbeat's id is {expected}" if expected else "no heartbeat is running; begin with an empty id"
            )
            error = ApiError(400, INVALID_HEARTBEAT, "INVALID_HEARTBEAT", reason)
            return reply(error.body(caller.request_id) | {"error_msg": INVALID_HEARTBEAT, "heartbeat_id": expected}, 400)
        deadline_ms = now_ms + HEARTBEAT_MS
        for account, session_id in self._venue.accounts_of(caller):
            command = ArmDeadMan(account.account_id, deadline_ms, session_id)
            receipt = await self._venue.submit(command, caller.request_id)
            if receipt.rejected:
                raise from_rejection(receipt.rejected)
        return reply({"heartbeat_id": self._heartbeat_id(caller.account_id, deadline_ms), "deadline_ms": str(deadline_ms)})

    # --- notifications -----------------------------------------------------------------------------------------------------

    async def notifications(self, request: Request) -> Response:
        """Return what happened to the wallet without its doing and was not dropped, newest first.

        Types as in production: 1 an order was cancelled, 2 a resting order was filled, 4 a market was resolved.
        """
        caller = await self._venue.caller(request)
        rows = self._venue.projections.wallets.notifications.get(caller.account_id, [])
        return reply([self._row(row, caller) for row in reversed(rows)])

    def _row(self, row: NotificationView, caller: Caller) -> dict[str, Any]:
        payload = self._payload(row, caller)
        stamp = str(row.at_ms // 1000)
        return {"id": row.number, "type": row.kind, "owner": caller.key.key_id, "timestamp": stamp, "payload": payload}

    def _payload(self, row: NotificationView, caller: Caller) -> dict[str, Any]:
        market = self._venue.state.markets[row.ticker]
        payload: dict[str, Any] = {
            "market": market.condition_id,
            "condition_id": market.condition_id,
            "question": market.title,
            "market_slug": market.ticker.lower(),
            "eventSlug": market.event_ticker.lower(),
            "seriesSlug": market.series_ticker.lower(),
            "icon": "",
            "image": "",
            "owner": caller.key.key_id,
        }
        if not row.order_id:
            return payload | {"yes_payout": decimal(market.yes_payout_micros)}
        order = self._venue.projections.orders[row.order_id]
        assert order.outcome is not None
        trade = self._venue.projections.trades[row.match_id] if row.match_id >= 0 else None
        price = order.price_e4 if trade is None else trade.price_e4
        return payload | {
            "asset_id": market.token_id(order.outcome),
            "order_id": order.order_id,
            "side": token_side(order.outcome, order.side).name,
            "type": order_type(order),
            "outcome": outcome_text(order.outcome),
            "outcome_index": order.outcome - 1,
            "price": price_text(own_price_e4(order.outcome, price)),
            "original_size": decimal(order.size_micros),
            "matched_size": decimal(order.filled_micros if trade is None else trade.size_micros),
            "remaining_size": decimal(order.remaining_micros),
            "trade_id": "" if trade is None else trade_id(trade.match_id),
            "transaction_hash": "" if trade is None else trade.tx_hash,
            "cancel_reason": "" if order.cancel_reason is None else order.cancel_reason.value,
        }

    async def drop_notifications(self, request: Request) -> Response:
        """Forget notifications: those in `ids`, or all."""
        caller = await self._venue.caller(request)
        texts = [text for text in request.query_params.get("ids", "").split(",") if text]
        if not all(text.isascii() and text.isdigit() and len(text) < 16 for text in texts):
            raise ApiError(400, "invalid ids", "INVALID_ID", "ids are the whole numbers that GET /notifications shows")
        command = DropNotifications(caller.account_id, tuple(int(text) for text in texts))
        receipt = await self._venue.submit(command, caller.request_id)
        if receipt.rejected:
            raise from_rejection(receipt.rejected)
        return reply("OK")

    async def geoblock(self, request: Request) -> Response:
        """Say where a request comes from and that this venue blocks no place."""
        return reply({"blocked": False, "ip": request.client.host if request.client else "", "country": "", "region": ""})


def add_routes(router: APIRouter, venue: Venue) -> None:
    """Add the routes of this module."""
    presence = PresenceRoutes(venue)
    router.add_api_route("/v1/heartbeats", presence.heartbeat, methods=["POST"])
    router.add_api_route("/notifications", presence.notifications, methods=["GET"], openapi_extra=query("signature_type"))
    router.add_api_route("/notifications", presence.drop_notifications, methods=["DELETE"], openapi_extra=query("ids"))
    router.add_api_route("/api/geoblock", presence.geoblock, methods=["GET"])
