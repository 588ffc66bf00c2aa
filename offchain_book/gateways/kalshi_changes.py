"""Open orders in Kalshi's dialect: amend, decrease, and where they stand in the queue."""

import asyncio

import msgspec

from offchain_book.engine import commands as c
from offchain_book.engine.account import Account
from offchain_book.engine.events import Matched, OrderAmended, OrderDecreased, OrderRested
from offchain_book.engine.order import Order
from offchain_book.gateways.kalshi_bodies import (
    SIDES,
    AmendOrder,
    DecreaseOrder,
    check_exchange,
    count_micros,
    expiration_ms,
    price_e4,
)
from offchain_book.gateways.kalshi_call import VIEWS_PER_TURN, Call, Json, decode
from offchain_book.gateways.kalshi_errors import KalshiError, invalid, refused
from offchain_book.gateways.kalshi_orders import averages, check_ticker, own_order
from offchain_book.gateways.kalshi_units import count_text
from offchain_book.sequencer import Receipt, Sequencer
from offchain_book.views import OrderView

_amend_decoder = msgspec.json.Decoder(AmendOrder)
_decrease_decoder = msgspec.json.Decoder(DecreaseOrder)


class Changes:
    """Handlers of the routes that change one open order or look at its place."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer

    # --- amend --------------------------------------------------------------------------------------------------------

    async def amend(self, call: Call) -> Json:
        """Change an order's price, total count, expiry or client order id."""
        part, order_id = call.asked_part(), call.path("order_id")
        body = decode(_amend_decoder, await call.body())
        check_exchange(body.exchange_index)
        view = own_order(self._sequencer, [part], order_id)
        self._check_same(part, view, body)
        command = c.AmendOrder(
            part.account_id,
            order_id,
            price_e4(body.price),
            count_micros(body.count),
            expiration_ms(body.expiration_time) if body.expiration_time else body.expiration_time,
            body.updated_client_order_id or "",
        )
        receipt = await self._sequencer.submit(command, call.request_id)
        if receipt.rejected is not None:
            raise refused(receipt.rejected)
        return {
            "order_id": order_id,
            "client_order_id": body.updated_client_order_id or view.client_order_id,
            **_amended(order_id, receipt),
            "ts_ms": receipt.entry.at_ms,
        }

    def _check_same(self, part: Account, view: OrderView, body: AmendOrder) -> None:
        """Refuse a body that means another order than the path names."""
        check_ticker(view, body.ticker)
        if view.side is not SIDES[body.side]:
            details = {"order_id": view.order_id, "side": body.side}
            raise invalid(f"order {view.order_id} is not a {body.side}", details, "order_side_mismatch")
        name = body.client_order_id
        if name and self._sequencer.projections.order_by_client_id(part, name) is not view:
            raise invalid(
                f"order {view.order_id} never had the client order id {name}",
                {"order_id": view.order_id, "client_order_id": name},
                "order_id_and_client_order_id_mismatch",
            )

    # --- decrease -----------------------------------------------------------------------------------------------------

    async def decrease(self, call: Call) -> Json:
        """Make an order smaller; it keeps its place."""
        part, order_id = call.asked_part(), call.path("order_id")
        body = decode(_decrease_decoder, await call.body())
        check_exchange(body.exchange_index)
        view = own_order(self._sequencer, [part], order_id)
        check_ticker(view, body.market_ticker or "")
        command = c.DecreaseOrder(
            part.account_id,
            order_id,
            None if body.reduce_by is None else count_micros(body.reduce_by, "reduce_by"),
            None if body.reduce_to is None else count_micros(body.reduce_to, "reduce_to"),
        )
        receipt = await self._sequencer.submit(command, call.request_id)
        if receipt.rejected is not None:
            raise refused(receipt.rejected)
        decreased = receipt.first(OrderDecreased)
        return {
            "order_id": order_id,
            "client_order_id": view.client_order_id,
            "remaining_count": count_text(decreased.remaining_micros if decreased else 0),
            "ts_ms": receipt.entry.at_ms,
        }

    # --- queue positions ----------------------------------------------------------------------------------------------

    async def queue_position(self, call: Call) -> Json:
        """Return how many contracts trade before an open order."""
        view = own_order(self._sequencer, call.parts(), call.path("order_id"))
        order = self._sequencer.state.orders.get(view.order_id)
        if order is None:
            message = f"order {view.order_id} is not open any more, so it stands in no queue"
            raise KalshiError(404, "order_not_open", message, {"order_id": view.order_id, "status": view.status})
        return {"queue_position_fp": self._ahead(order)}

    async def queue_positions(self, call: Call) -> Json:
        """Return how many contracts trade before each open order, newest order first."""
        part = call.asked_part()
        state, tickers, event = self._sequencer.state, call.names("market_tickers"), call.text("event_ticker")
        found: list[Json] = []
        for looked_at, order in enumerate(reversed(list(part.open_orders.values())), start=1):
            if looked_at % VIEWS_PER_TURN == 0:
                await asyncio.sleep(0)
            if (
                order.in_book  # others have had the loop since the list was made
                and (not tickers or order.ticker in tickers)
                and (not event or state.markets[order.ticker].event_ticker == event)
            ):
                found.append(
                    {
                        "order_id": order.order_id,
                        "market_ticker": order.ticker,
                        "queue_position_fp": self._ahead(order),
                    }
                )
        return {"queue_positions": found}

    def _ahead(self, order: Order) -> str:
        return count_text(self._sequencer.state.markets[order.ticker].book.ahead_micros(order))


def _amended(order_id: str, receipt: Receipt) -> Json:
    """Return what an amendment filled and left; counts only when it filled something or changed what rests."""
    amended = receipt.first(OrderAmended)
    assert amended is not None, "an amendment is reported or refused"
    fills = [match for match in receipt.every(Matched) if match.taker.order_id == order_id]
    if amended.kept_place:
        remaining = amended.remaining_micros
    else:
        remaining = sum(event.remaining_micros for event in receipt.every(OrderRested) if event.order_id == order_id)
    if not fills and remaining == amended.rested_micros:
        return {"remaining_count": None, "fill_count": None}
    return {
        "remaining_count": count_text(remaining),
        "fill_count": count_text(sum(match.size_micros for match in fills)),
        **averages(fills),
    }
