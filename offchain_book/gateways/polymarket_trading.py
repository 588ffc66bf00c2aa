"""Placing and cancelling: payload in, command to the sequencer, its events back in Polymarket's words."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from fastapi import APIRouter, Request, Response

from offchain_book.engine.commands import CancelOrder, CancelOrders, PlaceOrder
from offchain_book.engine.events import Matched, OrderCancelled, Rejected
from offchain_book.engine.exchange import refusal_of
from offchain_book.engine.operations import TokenSide
from offchain_book.engine.order import CancelReason, TimeInForce
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.units import cost_micros
from offchain_book.errors import sentence
from offchain_book.gateways.polymarket_errors import (
    CANCEL_ONLY,
    CLOSED_ORDER,
    FAK_UNMATCHED,
    INVALID_PAYLOAD,
    ApiError,
    from_order_rejection,
    from_rejection,
    unknown_token,
)
from offchain_book.gateways.polymarket_http import Caller, Venue, decode, reply, unavailable
from offchain_book.gateways.polymarket_orders import Checking, PostedOrder, approved, begin_check, checked, to_command
from offchain_book.gateways.polymarket_words import (
    Token,
    decimal,
    find_token,
    own_price_e4,
    token_side,
    trade_id,
)
from offchain_book.gateways.signature_pool import SignaturePool
from offchain_book.gateways.wallet_credentials import builder_code
from offchain_book.sequencer import Receipt, Unavailable
from offchain_book.signatures import CONTRACT_SIGNATURE

PATHS = ("/order", "/orders", "/cancel-all", "/cancel-market-orders")
MAX_BATCH = 15
"""Most orders in one POST /orders, as in production."""
MAX_CANCELS = 1_000
"""Most ids in one DELETE /orders, as in production."""
_STOPPED = {
    CancelReason.CHAIN_HALTED: (CANCEL_ONLY, "the chain stands still, so nothing with a wallet can be matched now"),
    CancelReason.GUARANTEE_EXHAUSTED: (CANCEL_ONLY, "the guarantee fund is fully reserved; try again later"),
    CancelReason.OUTFLOW_LIMIT: (CANCEL_ONLY, "the custody pool's outflow limit is used up; try again later"),
    CancelReason.SELF_TRADE: (
        "order canceled: it would trade with an order of the same owner",
        "the best order on the other side has the same owner; cancel it first",
    ),
}
"""Why an order that the exchange took was cancelled before it traded. Its id is used up: no 5xx, which clients retry."""


class _Cancel(msgspec.Struct, rename={"order_id": "orderID"}):
    order_id: str


class _CancelMarket(msgspec.Struct):
    market: str = ""
    asset_id: str = ""


order_decoder = msgspec.json.Decoder(PostedOrder)
_orders_decoder = msgspec.json.Decoder(list[PostedOrder])
_cancel_decoder = msgspec.json.Decoder(_Cancel)
_cancels_decoder = msgspec.json.Decoder(list[str])
_cancel_market_decoder = msgspec.json.Decoder(_CancelMarket)


def placed(command: PlaceOrder, token: Token, receipt: Receipt) -> dict[str, Any]:
    """Return the answer for an order that the exchange took, or raise production's answer when it came to nothing."""
    matches = [match for match in receipt.every(Matched) if match.taker.order_id == command.order_id]
    cancelled = next((e for e in receipt.every(OrderCancelled) if e.order_id == command.order_id), None)
    if cancelled is not None and not matches:
        raise _unmatched(command, cancelled)
    making, taking, fee = _amounts(command, token, matches) if matches else ("", "", "0")
    return {
        "success": True,
        "errorMsg": "",
        "orderID": command.order_id,
        "status": "matched" if matches else "live",
        "takingAmount": taking,
        "makingAmount": making,
        "tradeIDs": [trade_id(match.match_id) for match in matches],
        "transactionsHashes": [],
        "fee": fee,
        "cancelReason": "" if cancelled is None else cancelled.reason.value,
        "seq": receipt.entry.seq,
    }


def _amounts(command: PlaceOrder, token: Token, matches: Sequence[Matched]) -> tuple[str, str, str]:
    """Return what the order gave, what it got and its fee."""
    size = sum(match.size_micros for match in matches)
    cash = sum(cost_micros(match.size_micros, own_price_e4(token.outcome, match.price_e4)) for match in matches)
    gives, gets = (cash, size) if token_side(token.outcome, command.side) is TokenSide.BUY else (size, cash)
    return decimal(gives), decimal(gets), decimal(sum(match.taker.fee_micros for match in matches))


def _unmatched(command: PlaceOrder, cancelled: OrderCancelled) -> ApiError:
    if cancelled.reason in _STOPPED:
        error, reason = _STOPPED[cancelled.reason]
        return ApiError(400, error, cancelled.reason.name, reason, order_id=command.order_id)
    if command.time_in_force is TimeInForce.FOK:
        return from_rejection(
            Rejected(RejectCode.FILL_OR_KILL_UNFILLED, (("size_micros", command.size_micros), ("fillable_micros", 0)))
        )
    reason = "nothing on the other side of the book is within the order's limit"
    return ApiError(400, FAK_UNMATCHED, "NO_MATCH", reason, order_id=command.order_id)


class _Submitted(NamedTuple):
    """An order in line for the book."""

    command: PlaceOrder
    token: Token
    receipt: asyncio.Future[Receipt]


async def _result(submitted: _Submitted | ApiError) -> dict[str, Any] | ApiError:
    """Wait until an order is durable, and return its answer."""
    if isinstance(submitted, ApiError):
        return submitted
    command, token, waiting = submitted
    try:
        receipt = await waiting
        rejected = receipt.rejected
        if rejected is not None:
            return from_order_rejection(rejected, command.order_id, token.market, token.outcome)
        return placed(command, token, receipt)
    except ApiError as refused:
        return refused
    except Unavailable as error:
        return unavailable(error)


def _refused_row(refused: ApiError, request_id: str) -> dict[str, Any]:
    empty = {"success": False, "errorMsg": refused.error, "orderID": "", "status": ""}
    empty |= {"takingAmount": "", "makingAmount": ""}
    return empty | {"tradeIDs": [], "transactionsHashes": []} | refused.body(request_id)


class TradingRoutes:
    """The routes that change something."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._signatures = SignaturePool()

    def _builder(self, request: Request, caller: Caller) -> str:
        """Return the code of the app that sent the request on."""
        key = self._venue.builder(request, caller.body)
        return "" if key is None else builder_code(key.account_id)

    def _begin(self, caller: Caller, posted: PostedOrder) -> Checking | ApiError:
        """Check everything about an order that needs no other thread, and put its signature in line."""
        try:
            return begin_check(self._venue.settings, self._signatures, caller.key, posted)
        except ApiError as refused:
            return refused

    async def _submit(self, caller: Caller, builder: str, checking: Checking | ApiError) -> "_Submitted | ApiError":
        """Put an order in line for the book when its signature is right."""
        if isinstance(checking, ApiError):
            return checking
        settings, state = self._venue.settings, self._venue.state
        try:
            signed = await checked(settings, checking)
            token = find_token(state, signed.token_id)
            if token is None:
                raise unknown_token(signed.token_id)
            command = to_command(checking.posted, signed, token, builder)
            if signed.signature_type == CONTRACT_SIGNATURE:
                command = msgspec.structs.replace(command, session_id=caller.account_id)
                for event in refusal_of(state, command) or ():
                    if isinstance(event, Rejected):
                        raise from_order_rejection(event, command.order_id, token.market, token.outcome)
                await approved(self._venue.contracts, settings, command)
            return _Submitted(command, token, self._venue.sequencer.enqueue(command, caller.request_id))
        except ApiError as refused:
            return refused
        except Unavailable as error:
            return unavailable(error)

    async def _place(self, caller: Caller, posted: Sequence[PostedOrder], builder: str) -> list[dict[str, Any] | ApiError]:
        """Place orders in their order; each is taken or refused by itself.

        All signatures are recovered in one hand-over and all commands are in one group of the journal.
        """
        checking = [self._begin(caller, order) for order in posted]
        asks_chain = any(isinstance(one, Checking) and one.recovering is None for one in checking)
        submitting = (self._submit(caller, builder, one) for one in checking)
        submitted = await asyncio.gather(*submitting) if asks_chain else [await one for one in submitting]
        return [await _result(one) for one in submitted]

    async def post_order(self, request: Request) -> Response:
        """Place one signed order."""
        caller = await self._venue.caller(request)
        posted = decode(order_decoder, caller.body, INVALID_PAYLOAD)
        (found,) = await self._place(caller, [posted], self._builder(request, caller))
        if isinstance(found, ApiError):
            raise found
        return reply(found)

    async def post_orders(self, request: Request) -> Response:
        """Place up to 15 signed orders; each is taken or refused by itself, in the order of the list."""
        caller = await self._venue.caller(request)
        posted = decode(_orders_decoder, caller.body, INVALID_PAYLOAD)
        if not 0 < len(posted) <= MAX_BATCH:
            reason = f"{len(posted)} orders in one request; 1 to {MAX_BATCH} are allowed"
            raise ApiError(400, INVALID_PAYLOAD, "BATCH_SIZE", reason, limit=MAX_BATCH)
        rows = await self._place(caller, posted, self._builder(request, caller))
        return reply([_refused_row(row, caller.request_id) if isinstance(row, ApiError) else row for row in rows])

    async def cancel_order(self, request: Request) -> Response:
        """Cancel one order."""
        caller = await self._venue.caller(request)
        order_id = decode(_cancel_decoder, caller.body, "Invalid orderID").order_id
        return reply(await self._cancel(caller, [order_id]))

    async def cancel_orders(self, request: Request) -> Response:
        """Cancel up to 1000 orders by id."""
        caller = await self._venue.caller(request)
        ids = decode(_cancels_decoder, caller.body, INVALID_PAYLOAD)
        if len(ids) > MAX_CANCELS:
            reason = f"{len(ids)} ids in one request; {MAX_CANCELS} are allowed"
            raise ApiError(400, INVALID_PAYLOAD, "BATCH_SIZE", reason, limit=MAX_CANCELS)
        return reply(await self._cancel(caller, ids))

    async def _cancel(self, caller: Caller, order_ids: Iterable[str]) -> dict[str, Any]:
        """Cancel orders one by one and say what became of each."""
        wanted = list(dict.fromkeys(order_ids))
        receipts = await asyncio.gather(
            *(self._venue.submit(self._cancellation(caller, oid.lower()), caller.request_id) for oid in wanted)
        )
        refused = {oid: receipt.rejected for oid, receipt in zip(wanted, receipts, strict=True) if receipt.rejected}
        answer: dict[str, Any] = {
            "canceled": [oid for oid in wanted if oid not in refused],
            "not_canceled": {oid: _not_canceled(rejected) for oid, rejected in refused.items()},
        }
        if refused:  # beside production's words, where these lead
            answer["errors"] = {oid: from_rejection(one).body(caller.request_id) for oid, one in refused.items()}
        return answer

    def _cancellation(self, caller: Caller, order_id: str) -> CancelOrder:
        order = self._venue.state.orders.get(order_id)
        reached = order is not None and caller.reaches(order.account_id, order.terms.session_id)
        return CancelOrder(order.account_id if order is not None and reached else caller.account_id, order_id)

    async def cancel_all(self, request: Request) -> Response:
        """Cancel every open order of the wallet."""
        caller = await self._venue.caller(request)
        return reply(await self._cancel_many(caller, ""))

    async def _cancel_many(self, caller: Caller, ticker: str) -> dict[str, Any]:
        cancelled: list[str] = []
        for account, session_id in self._venue.accounts_of(caller):
            command = CancelOrders(account.account_id, ticker, session_id=session_id)
            receipt = await self._venue.submit(command, caller.request_id)
            if receipt.rejected:
                raise from_rejection(receipt.rejected)
            own = (event for event in receipt.every(OrderCancelled) if event.account_id == account.account_id)
            cancelled += [event.order_id for event in own if event.reason is CancelReason.BY_USER]
        return {"canceled": cancelled, "not_canceled": {}}

    async def cancel_market_orders(self, request: Request) -> Response:
        """Cancel the open orders of one market, of one token, or (nothing named) all of them."""
        caller = await self._venue.caller(request)
        asked = decode(_cancel_market_decoder, caller.body or b"{}", INVALID_PAYLOAD)
        state = self._venue.state
        ticker = ""
        if asked.market:
            ticker = state.conditions.get(asked.market.lower(), "")
            if not ticker:
                raise ApiError(404, "market not found", "UNKNOWN_MARKET", f"no market has the condition {asked.market}")
        if not asked.asset_id:
            return reply(await self._cancel_many(caller, ticker))
        token = self._venue.token(asked.asset_id)
        return reply(
            await self._cancel(
                caller,
                [
                    order.order_id
                    for order in self._venue.open_orders(caller)
                    if order.ticker == token.market.ticker
                    and order.outcome is token.outcome
                    and ticker in ("", order.ticker)
                ],
            )
        )


def _not_canceled(rejected: Rejected) -> str:
    known = (RejectCode.UNKNOWN_ORDER, RejectCode.ORDER_NOT_OPEN)
    return CLOSED_ORDER if rejected.code in known else sentence(rejected)


def add_routes(router: APIRouter, venue: Venue) -> None:
    """Add the routes of this module."""
    trading = TradingRoutes(venue)
    router.add_api_route("/order", trading.post_order, methods=["POST"])
    router.add_api_route("/orders", trading.post_orders, methods=["POST"])
    router.add_api_route("/order", trading.cancel_order, methods=["DELETE"])
    router.add_api_route("/orders", trading.cancel_orders, methods=["DELETE"])
    router.add_api_route("/cancel-all", trading.cancel_all, methods=["DELETE"])
    router.add_api_route("/cancel-market-orders", trading.cancel_market_orders, methods=["DELETE"])
