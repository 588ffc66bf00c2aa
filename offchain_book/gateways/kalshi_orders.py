"""Orders in Kalshi's dialect: create, cancel, in batches, and read back.

A body becomes a command here and a receipt becomes a reply; every rule about orders is the engine's. What this module
does refuse is what the dialect's own format forbids, and options that the venue does not offer yet.
"""

import asyncio
import uuid
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import msgspec

from offchain_book.engine.commands import CancelOrder, CancelOrders, PlaceOrder
from offchain_book.engine.events import Matched, OrderCancelled, OrderRested
from offchain_book.engine.order import BookSide, OrderStatus, SelfTrade, TimeInForce
from offchain_book.gateways.kalshi_call import (
    MAX_SCAN,
    Call,
    Json,
    decode,
    newest_first,
    next_cursor,
    rendered,
    time_bounds,
)
from offchain_book.gateways.kalshi_errors import (
    KalshiError,
    fields,
    invalid,
    missing,
    not_implemented,
    refused,
    stopped,
)
from offchain_book.gateways.kalshi_units import (
    count_text,
    dollars_text,
    parse_fixed_point,
    price_text,
    rescaled,
)
from offchain_book.gateways.kalshi_views import order_view
from offchain_book.projections import OrderView
from offchain_book.sequencer import Receipt, Sequencer, Unavailable

MAX_BATCH = 100
"""Most orders in one batch."""
MAX_NAME = 200
"""Longest ticker or id in a body."""
LAST_EXPIRATION_S = 253_402_300_799
"""The end of the year 9999: the last instant that a response can spell."""
_SIDES = {"bid": BookSide.BID, "ask": BookSide.ASK}
_CENT_MICROS = 10_000

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
OptionalName = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]


class CreateOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """CreateOrderV2Request. A field that it does not know is refused: an option that is ignored is another order."""

    ticker: Name
    side: Literal["bid", "ask"]
    count: str
    price: str
    time_in_force: TimeInForce
    self_trade_prevention_type: SelfTrade
    client_order_id: OptionalName | None = None
    expiration_time: int | None = None
    post_only: bool | None = None
    cancel_order_on_pause: bool | None = None
    reduce_only: bool | None = None
    subaccount: int | None = None
    order_group_id: OptionalName | None = None
    exchange_index: int | None = None


class CancelOne(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of BatchCancelOrdersV2Request."""

    order_id: Name
    subaccount: int | None = None
    exchange_index: int | None = None
    market_ticker: OptionalName | None = None


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch's body; its rows are decoded one by one, so that one bad row fails alone."""

    orders: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


_create_decoder = msgspec.json.Decoder(CreateOrder)
_cancel_decoder = msgspec.json.Decoder(CancelOne)
_batch_decoder = msgspec.json.Decoder(Batch)


def count_micros(text: str) -> int:
    """Return a contract count in millionths; at most two decimals."""
    parsed = parse_fixed_point(text)
    if parsed is None:
        raise invalid(
            'count must be a fixed-point string such as "10" or "10.00"',
            {"field": "count", "value": text[:64]},
            "invalid_order_size",
        )
    digits, decimals = parsed
    cents, _ = rescaled(digits, decimals, 2)
    if decimals > 2:
        below, above = count_text(cents * _CENT_MICROS), count_text((cents + 1) * _CENT_MICROS)
        raise invalid(
            f"count {text} has {decimals} decimals, two are allowed; the nearest valid counts are {below} and {above}",
            {"field": "count", "value": text, "below_fp": below, "above_fp": above},
            "invalid_order_size",
        )
    return cents * _CENT_MICROS


def price_e4(text: str) -> int:
    """Return a price in ten-thousandths of a dollar; two to four decimals."""
    parsed = parse_fixed_point(text)
    if parsed is None or parsed[1] < 2:
        raise invalid(
            'price must be a fixed-point string with two to four decimals such as "0.56"',
            {"field": "price", "value": text[:64]},
            "invalid_price",
        )
    digits, decimals = parsed
    price, _ = rescaled(digits, decimals, 4)
    if decimals > 4:
        below, above = price_text(price), price_text(price + 1)
        raise invalid(
            f"price {text} has {decimals} decimals, four are allowed; the nearest are {below} and {above}",
            {"field": "price", "value": text, "below_dollars": below, "above_dollars": above},
            "invalid_price",
        )
    return price


def _check_options(body: CreateOrder) -> None:
    """Refuse by name what the venue does not offer yet."""
    if body.subaccount:
        raise not_implemented("subaccounts")
    if body.exchange_index not in (None, 0, -1):
        raise invalid("this venue has one exchange index, 0", {"field": "exchange_index"})
    if body.reduce_only:
        raise not_implemented("reduce_only orders")
    if body.order_group_id:
        raise not_implemented("order groups")
    if body.cancel_order_on_pause:
        raise not_implemented("cancel_order_on_pause")


def _expires_ms(body: CreateOrder) -> int:
    """Return when the order expires, 0 for never. The engine compares it with venue time."""
    at_s = body.expiration_time
    if at_s is None:
        return 0
    details = {"field": "expiration_time", "value": str(at_s)}
    if body.time_in_force is not TimeInForce.GTC:
        raise invalid("expiration_time goes with time_in_force good_till_canceled only", details)
    if not 0 < at_s <= LAST_EXPIRATION_S:
        raise invalid("expiration_time must be a future Unix time in seconds", details, "invalid_expiration_time")
    return at_s * 1000


def _command(account_id: str, body: CreateOrder) -> PlaceOrder:
    _check_options(body)
    return PlaceOrder(
        order_id=str(uuid.uuid4()),
        account_id=account_id,
        ticker=body.ticker,
        side=_SIDES[body.side],
        price_e4=price_e4(body.price),
        size_micros=count_micros(body.count),
        client_order_id=body.client_order_id or "",
        time_in_force=body.time_in_force,
        post_only=body.post_only or False,
        self_trade=body.self_trade_prevention_type,
        expires_ms=_expires_ms(body),
    )


def _created(command: PlaceOrder, receipt: Receipt) -> Json:
    """Return CreateOrderV2Response; averages only when something was filled."""
    if receipt.rejected is not None:
        raise refused(receipt.rejected)
    fills = [match for match in receipt.every(Matched) if match.taker.order_id == command.order_id]
    filled = sum(match.size_micros for match in fills)
    rested = receipt.first(OrderRested)
    reply: Json = {
        "order_id": command.order_id,
        "client_order_id": command.client_order_id,
        "fill_count": count_text(filled),
        "remaining_count": count_text(rested.remaining_micros if rested else 0),
        "ts_ms": receipt.entry.at_ms,
    }
    if filled:
        value = sum(match.size_micros * match.price_e4 * 100 for match in fills)
        fees = sum(match.taker.fee_micros for match in fills)
        reply["average_fill_price"] = dollars_text((value + filled // 2) // filled)
        reply["average_fee_paid"] = dollars_text((fees * 1_000_000 + filled // 2) // filled)
    return reply


class Orders:
    """Handlers of the order routes."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer

    # --- create -------------------------------------------------------------------------------------------------------

    async def create(self, call: Call) -> Json:
        """Place an order."""
        return await self._create(call, decode(_create_decoder, await call.body()))

    async def _create(self, call: Call, body: CreateOrder) -> Json:
        command = _command(call.account_id, body)
        return _created(command, await self._sequencer.submit(command, call.request_id))

    async def create_batch(self, call: Call) -> Json:
        """Place several orders, in order; each row succeeds or fails alone."""
        rows = decode(_batch_decoder, await call.body()).orders
        return {"orders": await asyncio.gather(*(self._create_row(call, row) for row in rows))}

    async def _create_row(self, call: Call, row: msgspec.Raw) -> Json:
        try:
            return await self._create(call, decode(_create_decoder, row))
        except KalshiError as error:
            return {"error": fields(error)}
        except Unavailable as error:
            return {"error": fields(stopped(error))}

    # --- cancel -------------------------------------------------------------------------------------------------------

    async def cancel(self, call: Call) -> Json:
        """Cancel one order."""
        call.check_shard()
        return await self._cancel(call, call.path("order_id"), call.text("market_ticker"))

    async def _cancel(self, call: Call, order_id: str, ticker: str) -> Json:
        view = self._own(call, order_id)
        if ticker and view.ticker != ticker:
            raise invalid(
                f"order {order_id} is not in market {ticker}",
                {"order_id": order_id, "market_ticker": ticker},
                "order_ticker_mismatch",
            )
        receipt = await self._sequencer.submit(CancelOrder(call.account_id, order_id), call.request_id)
        if receipt.rejected is not None:
            raise refused(receipt.rejected)
        cancelled = next(event for event in receipt.every(OrderCancelled) if event.order_id == order_id)
        return {
            "order_id": order_id,
            "client_order_id": view.client_order_id,
            "reduced_by": count_text(cancelled.reduced_micros),
            "ts_ms": receipt.entry.at_ms,
        }

    async def cancel_batch(self, call: Call) -> Json:
        """Cancel several orders, in order; each row succeeds or fails alone."""
        rows = [decode(_cancel_decoder, row) for row in decode(_batch_decoder, await call.body()).orders]
        return {"orders": await asyncio.gather(*(self._cancel_row(call, row) for row in rows))}

    async def _cancel_row(self, call: Call, row: CancelOne) -> Json:
        try:
            if row.subaccount:
                raise not_implemented("subaccounts")
            return await self._cancel(call, row.order_id, row.market_ticker or "")
        except KalshiError as error:
            failure = fields(error)
        except Unavailable as error:
            failure = fields(stopped(error))
        return {"order_id": row.order_id, "reduced_by": count_text(0), "error": failure}

    async def cancel_all(self, call: Call) -> None:
        """Cancel every open order of the account."""
        call.check_shard()
        receipt = await self._sequencer.submit(CancelOrders(call.account_id), call.request_id)
        if receipt.rejected is not None:
            raise refused(receipt.rejected)

    # --- read ---------------------------------------------------------------------------------------------------------

    def _own(self, call: Call, order_id: str) -> OrderView:
        """Return an order of the caller; somebody else's does not exist."""
        view = self._sequencer.projections.orders.get(order_id)
        if view is None or view.account_id != call.account_id:
            raise missing("order", order_id, "order_not_found")
        return view

    async def order(self, call: Call) -> Json:
        """Return one order."""
        return {"order": order_view(self._own(call, call.path("order_id")))}

    async def orders(self, call: Call) -> Json:
        """List the account's orders, newest first."""
        call.check_shard()
        status, ticker = call.choice("status", tuple(OrderStatus)), call.text("ticker")
        events = call.names("event_ticker")
        tickers = {t for e in events if (event := self._sequencer.state.events.get(e)) for t in event.tickers}

        def keep(order: OrderView) -> bool:
            return (
                (not status or order.status == status)
                and (not ticker or order.ticker == ticker)
                and (not events or order.ticker in tickers)
            )

        views = self._sequencer.projections.orders_by_account.get(call.account_id, [])
        limit = call.limit()
        before, oldest = time_bounds(views, lambda order: order.created_ms, call, call.cursor("orders"))
        if status == OrderStatus.RESTING:
            found, position = self._resting(call, views, before, oldest, limit, keep)
        else:
            found, position = newest_first(views, keep, limit, before, oldest)
        return {"orders": await rendered(found, order_view), "cursor": next_cursor("orders", position)}

    def _resting(
        self,
        call: Call,
        views: Sequence[OrderView],
        before: int | None,
        oldest: int,
        limit: int,
        keep: Callable[[OrderView], bool],
    ) -> tuple[list[OrderView], int | None]:
        """Page through open orders without walking over every finished one; positions are those in `views`."""
        account = self._sequencer.state.accounts[call.account_id]
        found: list[OrderView] = []
        looked_at = 0
        for order_id in reversed(account.open_orders):
            view = self._sequencer.projections.orders[order_id]
            if before is not None and before < len(views) and view.seq >= views[before].seq:
                continue
            if oldest >= len(views) or view.seq < views[oldest].seq:
                break
            if looked_at == MAX_SCAN:
                return found, _position(views, view) + 1
            looked_at += 1
            if not keep(view):
                continue
            if len(found) == limit:
                return found, _position(views, found[-1])
            found.append(view)
        return found, None


def _position(views: Sequence[OrderView], view: OrderView) -> int:
    return bisect_left(views, view.seq, key=lambda order: order.seq)
