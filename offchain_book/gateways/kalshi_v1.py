"""Kalshi's first generation of order routes, for the SDKs that still call them (2.1.4, 3.2.0).

A body of cents, sides and actions becomes one of the second generation and goes its way; the answer is the whole order.
Buying YES is a bid and selling NO the same bid; buying NO and selling YES are the ask. Prices and counts of older
clients are filled into every answer they get by `kalshi_legacy`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from offchain_book.engine import commands as c
from offchain_book.engine.order import BookSide, SelfTrade, TimeInForce
from offchain_book.engine.units import PRICE_SCALE, complement_e4
from offchain_book.gateways.kalshi_bodies import MAX_BATCH, SIDES, Batch, CreateOrder, Name, OptionalName, price_e4
from offchain_book.gateways.kalshi_call import Call, Json, decode
from offchain_book.gateways.kalshi_errors import KalshiError, fields, invalid, refused, stopped
from offchain_book.gateways.kalshi_orders import Orders, check_ticker, own_order
from offchain_book.gateways.kalshi_units import CENT_MICROS, price_text
from offchain_book.gateways.kalshi_views import order_view
from offchain_book.sequencer import Sequencer, Unavailable
from offchain_book.views import OrderView

_CONTRACT = 1_000_000
_MAX_CONTRACTS = 10**9
Cents = int | float | None
"""Read exactly, by its shortest spelling; never calculated with as a float."""
Contracts = Annotated[int, msgspec.Meta(ge=0, le=_MAX_CONTRACTS)]
_SIDE_NAMES = {side: name for name, side in SIDES.items()}


class _Priced(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The four ways to name a limit price; exactly one is given."""

    yes_price: Cents = None
    no_price: Cents = None
    yes_price_dollars: str | None = None
    no_price_dollars: str | None = None


class CreateOrderV1(_Priced, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """CreateOrderRequest."""

    ticker: Name
    side: Literal["yes", "no"]
    action: Literal["buy", "sell"]
    count: Contracts
    type: Literal["limit", "market"] = "limit"
    client_order_id: OptionalName | None = None
    expiration_ts: int | None = None
    time_in_force: TimeInForce | None = None
    buy_max_cost: Annotated[int, msgspec.Meta(ge=0, le=_MAX_CONTRACTS)] | None = None
    post_only: bool | None = None
    reduce_only: bool | None = None
    sell_position_floor: int | None = None
    self_trade_prevention_type: SelfTrade | None = None
    order_group_id: OptionalName | None = None
    cancel_order_on_pause: bool | None = None


class AmendOrderV1(_Priced, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """AmendOrderRequest; the first generation repeats the order's description, 2.1.4 does not."""

    ticker: OptionalName | None = None
    side: Literal["yes", "no"] | None = None
    action: Literal["buy", "sell"] | None = None
    client_order_id: OptionalName | None = None
    updated_client_order_id: OptionalName | None = None
    count: Contracts | None = None


class DecreaseOrderV1(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """DecreaseOrderRequest."""

    reduce_by: Contracts | None = None
    reduce_to: Contracts | None = None


class CancelBatchV1(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """BatchCancelOrdersRequest: `ids` in 3.2.0, `order_ids` in 2.1.4."""

    ids: Annotated[list[Name], msgspec.Meta(max_length=MAX_BATCH)] = []
    order_ids: Annotated[list[Name], msgspec.Meta(max_length=MAX_BATCH)] = []


class QueueV1(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """GetQueuePositionsRequest."""

    order_ids: Annotated[list[Name], msgspec.Meta(max_length=MAX_BATCH)]


_create = msgspec.json.Decoder(CreateOrderV1)
_amend = msgspec.json.Decoder(AmendOrderV1)
_decrease = msgspec.json.Decoder(DecreaseOrderV1)
_batch = msgspec.json.Decoder(Batch)
_cancel_batch = msgspec.json.Decoder(CancelBatchV1)
_queue = msgspec.json.Decoder(QueueV1)


def _yes_price_e4(body: _Priced) -> int | None:
    """Return the YES price that a body names, None when it names none."""
    names = [name for name in _Priced.__struct_fields__ if getattr(body, name) is not None]
    if not names:
        return None
    if len(names) > 1:
        raise invalid(f"give one price, not {', '.join(names)}", {"field": names[1]}, "invalid_price")
    value = getattr(body, names[0])
    if isinstance(value, str):
        price = price_e4(value)
    else:
        hundredths = Decimal(str(value)) * 100
        if not 0 < hundredths < PRICE_SCALE or hundredths != int(hundredths):
            details = {"field": names[0], "value": str(value)[:64]}
            message = f"{names[0]} must be cents between 0 and 100, no finer than a hundredth"
            raise invalid(message, details, "invalid_price")
        price = int(hundredths)
    return complement_e4(price) if names[0].startswith("no_") else price


def _side(side: str, action: str) -> BookSide:
    return BookSide.BID if (side == "yes") is (action == "buy") else BookSide.ASK


def _second_generation(body: CreateOrderV1) -> CreateOrder:
    """Return the same order as CreateOrderV2Request."""
    if body.type == "market":
        raise invalid(
            "market orders are gone from Kalshi's API; send a limit order with time_in_force immediate_or_cancel",
            {"field": "type", "value": "market"},
        )
    price = _yes_price_e4(body)
    if price is None:
        raise invalid("a limit order needs one of yes_price, no_price and their _dollars", {"field": "yes_price"})
    if body.sell_position_floor not in (None, 0):
        raise invalid("sell_position_floor may only be 0, which means reduce_only", {"field": "sell_position_floor"})
    in_force = TimeInForce.FOK if body.buy_max_cost is not None else body.time_in_force or TimeInForce.GTC
    return CreateOrder(
        ticker=body.ticker,
        side="bid" if _side(body.side, body.action) is BookSide.BID else "ask",
        count=str(body.count),
        price=price_text(price),
        time_in_force=in_force,
        self_trade_prevention_type=body.self_trade_prevention_type or SelfTrade.TAKER_AT_CROSS,
        client_order_id=body.client_order_id,
        expiration_time=body.expiration_ts,
        post_only=body.post_only,
        cancel_order_on_pause=body.cancel_order_on_pause,
        reduce_only=body.reduce_only or body.sell_position_floor == 0,
        order_group_id=body.order_group_id,
    )


class FirstGeneration:
    """Handlers of the first generation's routes."""

    def __init__(self, sequencer: Sequencer, orders: Orders) -> None:
        self._sequencer = sequencer
        self._orders = orders

    def _view(self, order_id: str) -> Json:
        return order_view(self._sequencer.projections.orders[order_id])

    def _own(self, call: Call, order_id: str) -> OrderView:
        return own_order(self._sequencer, call.parts(), order_id)

    # --- create -------------------------------------------------------------------------------------------------------

    async def create(self, call: Call) -> Json:
        """Place an order of the first generation."""
        return {"order": await self._create(call, decode(_create, await call.body()))}

    async def _create(self, call: Call, body: CreateOrderV1) -> Json:
        if body.buy_max_cost is not None and body.action != "buy":
            raise invalid("buy_max_cost goes with action buy", {"field": "buy_max_cost"})
        limit = (body.buy_max_cost or 0) * CENT_MICROS
        made = await self._orders.place(call, _second_generation(body), limit)
        return self._view(made["order_id"])

    async def create_batch(self, call: Call) -> Json:
        """Place several orders; each row succeeds or fails alone."""
        rows = decode(_batch, await call.body()).orders
        call.bill(len(rows))
        return _both(await asyncio.gather(*(self._create_row(call, row) for row in rows)))

    async def _create_row(self, call: Call, row: msgspec.Raw) -> Json:
        async def placed() -> Json:
            order = await self._create(call, decode(_create, row))
            return {"client_order_id": order["client_order_id"], "order": order}

        return await _alone(placed)

    # --- cancel -------------------------------------------------------------------------------------------------------

    async def cancel(self, call: Call) -> Json:
        """Cancel one order."""
        return await self._cancel(call, call.path("order_id"))

    async def _cancel(self, call: Call, order_id: str) -> Json:
        account = self._sequencer.state.accounts[self._own(call, order_id).account_id]
        done = await self._orders.take_out(call, account, order_id, "")
        return {"order": self._view(order_id), "reduced_by_fp": done["reduced_by"]}

    async def cancel_batch(self, call: Call) -> Json:
        """Cancel several orders; each row succeeds or fails alone."""
        body = decode(_cancel_batch, await call.body())
        ids = [*body.ids, *body.order_ids]
        if not ids:
            raise invalid("name the orders in ids", {"field": "ids"})
        call.bill(len(ids))
        return _both(await asyncio.gather(*(self._cancel_row(call, order_id) for order_id in ids)))

    async def _cancel_row(self, call: Call, order_id: str) -> Json:
        async def cancelled() -> Json:
            return await self._cancel(call, order_id)

        return {"order_id": order_id, "reduced_by_fp": "0.00", **await _alone(cancelled)}

    # --- change -------------------------------------------------------------------------------------------------------

    async def amend(self, call: Call) -> Json:
        """Change an order's price, total count or client order id."""
        view, body = self._own(call, call.path("order_id")), decode(_amend, await call.body())
        check_ticker(view, body.ticker or "")
        if body.side and body.action and _side(body.side, body.action) is not view.side:
            details = {"order_id": view.order_id, "side": _SIDE_NAMES[view.side]}
            raise invalid(f"order {view.order_id} is no {body.action} of {body.side}", details, "order_side_mismatch")
        price, before = _yes_price_e4(body), order_view(view)
        size = view.size_micros if body.count is None else body.count * _CONTRACT
        command = c.AmendOrder(
            view.account_id,
            view.order_id,
            view.price_e4 if price is None else price,
            size,
            None,
            body.updated_client_order_id or "",
        )
        await self._do(call, command)
        return {"old_order": before, "order": self._view(view.order_id)}

    async def decrease(self, call: Call) -> Json:
        """Make an order smaller; it keeps its place."""
        view, body = self._own(call, call.path("order_id")), decode(_decrease, await call.body())
        by, to = (None if count is None else count * _CONTRACT for count in (body.reduce_by, body.reduce_to))
        await self._do(call, c.DecreaseOrder(view.account_id, view.order_id, by, to))
        return {"order": self._view(view.order_id)}

    async def _do(self, call: Call, command: c.Command) -> None:
        receipt = await self._sequencer.submit(command, call.request_id)
        if receipt.rejected is not None:
            raise refused(receipt.rejected)

    # --- queue --------------------------------------------------------------------------------------------------------

    async def queue_positions(self, call: Call) -> Json:
        """Return how many whole contracts trade before each of these open orders."""
        state = self._sequencer.state
        ids = [self._own(call, order_id).order_id for order_id in decode(_queue, await call.body()).order_ids]
        open_orders = [state.orders[order_id] for order_id in ids if order_id in state.orders]
        return {
            "queue_positions": {
                order.order_id: state.markets[order.ticker].book.ahead_micros(order) // _CONTRACT for order in open_orders
            }
        }


async def _alone(action: Callable[[], Awaitable[Json]]) -> Json:
    """Return a row's answer, or its error: the other rows do not care."""
    try:
        return await action()
    except KalshiError as error:
        return {"error": fields(error)}
    except Unavailable as error:
        return {"error": fields(stopped(error))}


def _both(rows: list[Json]) -> Json:
    """Return a batch's rows under the names of both generations of clients."""
    return {"orders": rows, "responses": rows}
