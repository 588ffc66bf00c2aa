"""Orders in Kalshi's dialect: create, cancel, in batches, and read back.

A body becomes a command here and a receipt becomes a reply; every rule about orders is the engine's. What this module
does refuse is what the dialect's own format forbids, and options that the venue does not offer yet.
"""

import asyncio
import uuid
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge

import msgspec

from offchain_book.engine.account import Account
from offchain_book.engine.commands import CancelOrder, CancelOrders, PlaceOrder
from offchain_book.engine.events import Matched, OrderCancelled, OrderRested
from offchain_book.engine.order import OrderStatus, TimeInForce
from offchain_book.gateways.kalshi_bodies import (
    SIDES,
    Batch,
    CancelOne,
    CreateOrder,
    check_exchange,
    count_micros,
    expiration_ms,
    price_e4,
)
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
    refused,
    stopped,
)
from offchain_book.gateways.kalshi_history import archived_order, cutoff_ms
from offchain_book.gateways.kalshi_parts import Joined
from offchain_book.gateways.kalshi_units import count_text, dollars_text
from offchain_book.gateways.kalshi_views import order_view
from offchain_book.sequencer import Receipt, Sequencer, Unavailable
from offchain_book.views import OrderView

MAX_CANCELLED = 10_000
"""Most orders that cancel-all takes out."""
_create_decoder = msgspec.json.Decoder(CreateOrder)
_cancel_decoder = msgspec.json.Decoder(CancelOne)
_batch_decoder = msgspec.json.Decoder(Batch)


def _expires_ms(body: CreateOrder) -> int:
    """Return when the order expires, 0 for never."""
    at_s = body.expiration_time
    if at_s is None:
        return 0
    if body.time_in_force is not TimeInForce.GTC:
        details = {"field": "expiration_time", "value": str(at_s)}
        raise invalid("expiration_time goes with time_in_force good_till_canceled only", details)
    return expiration_ms(at_s)


def command_of(account_id: str, body: CreateOrder, max_cost_micros: int) -> PlaceOrder:
    """Return the command that a body means."""
    check_exchange(body.exchange_index)
    return PlaceOrder(
        order_id=str(uuid.uuid4()),
        account_id=account_id,
        ticker=body.ticker,
        side=SIDES[body.side],
        price_e4=price_e4(body.price),
        size_micros=count_micros(body.count),
        client_order_id=body.client_order_id or "",
        time_in_force=body.time_in_force,
        post_only=body.post_only or False,
        self_trade=body.self_trade_prevention_type,
        expires_ms=_expires_ms(body),
        reduce_only=body.reduce_only or False,
        max_cost_micros=max_cost_micros,
        cancel_on_pause=body.cancel_order_on_pause or False,
        group_id=body.order_group_id or "",
    )


def averages(fills: Sequence[Matched]) -> Json:
    """Return the average price and fee of an order's fills as a taker; nothing when there were none."""
    filled = sum(match.size_micros for match in fills)
    if not filled:
        return {}
    value = sum(match.size_micros * match.price_e4 * 100 for match in fills)
    fees = sum(match.taker.fee_micros for match in fills)
    return {
        "average_fill_price": dollars_text((value + filled // 2) // filled),
        "average_fee_paid": dollars_text((fees * 1_000_000 + filled // 2) // filled),
    }


def created(command: PlaceOrder, receipt: Receipt) -> Json:
    """Return CreateOrderV2Response; averages only when something was filled."""
    rejected = receipt.rejected
    if rejected is not None:
        raise refused(rejected)
    fills = [match for match in receipt.every(Matched) if match.taker.order_id == command.order_id]
    filled = sum(match.size_micros for match in fills)
    rested = receipt.first(OrderRested)
    return {
        "order_id": command.order_id,
        "client_order_id": command.client_order_id,
        "fill_count": count_text(filled),
        "remaining_count": count_text(rested.remaining_micros if rested else 0),
        "ts_ms": receipt.entry.at_ms,
        **averages(fills),
    }


async def _created_row(command: PlaceOrder, waiting: asyncio.Future[Receipt]) -> Json:
    """Return a row's answer once it is durable."""
    try:
        return created(command, await waiting)
    except KalshiError as error:
        return {"error": fields(error)}
    except Unavailable as error:
        return {"error": fields(stopped(error))}


class Orders:
    """Handlers of the order routes."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer
        self._views = Joined(sequencer.projections.orders_by_account, lambda order: order.seq)

    # --- create -------------------------------------------------------------------------------------------------------

    async def create(self, call: Call) -> Json:
        """Place an order."""
        return await self.place(call, decode(_create_decoder, await call.body()))

    async def place(self, call: Call, body: CreateOrder, max_cost_micros: int = 0) -> Json:
        """Place an order; `max_cost_micros` > 0 bounds what it may spend."""
        command = command_of(call.part(body.subaccount).account_id, body, max_cost_micros)
        return created(command, await self._sequencer.submit(command, call.request_id))

    async def create_batch(self, call: Call) -> Json:
        """Place several orders, in order; each row succeeds or fails alone."""
        rows = decode(_batch_decoder, await call.body()).orders
        call.bill(len(rows))
        begun = [self._begin_row(call, row) for row in rows]
        return {"orders": [one if isinstance(one, dict) else await _created_row(*one) for one in begun]}

    def _begin_row(self, call: Call, row: msgspec.Raw) -> "tuple[PlaceOrder, asyncio.Future[Receipt]] | Json":
        """Put a row's order in line, so that all of a batch are in one group of the journal; or return its error."""
        try:
            body = decode(_create_decoder, row)
            command = command_of(call.part(body.subaccount).account_id, body, 0)
            return command, self._sequencer.enqueue(command, call.request_id)
        except KalshiError as error:
            return {"error": fields(error)}
        except Unavailable as error:
            return {"error": fields(stopped(error))}

    # --- cancel -------------------------------------------------------------------------------------------------------

    async def cancel(self, call: Call) -> Json:
        """Cancel one order."""
        return await self.take_out(call, call.asked_part(), call.path("order_id"), call.text("market_ticker"))

    async def take_out(self, call: Call, part: Account, order_id: str, ticker: str) -> Json:
        """Cancel an order of a part; a ticker that is given must be its own."""
        view = own_order(self._sequencer, [part], order_id)
        check_ticker(view, ticker)
        receipt = await self._sequencer.submit(CancelOrder(part.account_id, order_id), call.request_id)
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
        call.bill(len(rows))
        return {"orders": await asyncio.gather(*(self._cancel_row(call, row) for row in rows))}

    async def _cancel_row(self, call: Call, row: CancelOne) -> Json:
        try:
            check_exchange(row.exchange_index)
            return await self.take_out(call, call.part(row.subaccount), row.order_id, row.market_ticker or "")
        except KalshiError as error:
            failure = fields(error)
        except Unavailable as error:
            failure = fields(stopped(error))
        return {"order_id": row.order_id, "reduced_by": count_text(0), "error": failure}

    async def cancel_all(self, call: Call) -> None:
        """Cancel the open orders of the account and its subaccounts, or of one of them; at most 10,000, oldest first."""
        left = MAX_CANCELLED
        for part in call.asked_parts():
            receipt = await self._sequencer.submit(CancelOrders(part.account_id, limit=left), call.request_id)
            if receipt.rejected is not None:
                raise refused(receipt.rejected)
            left -= len(receipt.every(OrderCancelled))
            if left <= 0:
                break

    # --- read ---------------------------------------------------------------------------------------------------------

    async def order(self, call: Call) -> Json:
        """Return one order."""
        return {"order": order_view(own_order(self._sequencer, call.parts(), call.path("order_id")))}

    async def orders(self, call: Call) -> Json:
        """List the account's orders of the live tier, newest first."""
        return await self._page(call, historical=False)

    async def historical_orders(self, call: Call) -> Json:
        """List the account's orders of the historical tier, newest first."""
        return await self._page(call, historical=True)

    async def _page(self, call: Call, *, historical: bool) -> Json:
        parts, cutoff = call.asked_parts(), cutoff_ms(self._sequencer)
        status, ticker = call.choice("status", tuple(OrderStatus)), call.text("ticker")
        events = call.names("event_ticker")
        tickers = {t for e in events if (event := self._sequencer.state.events.get(e)) for t in event.tickers}

        def keep(order: OrderView) -> bool:
            return (
                (not status or order.status == status)
                and (not ticker or order.ticker == ticker)
                and (not events or order.ticker in tickers)
                and archived_order(order, cutoff) is historical
            )

        views = self._views.of(parts)
        limit = call.limit()
        before, oldest = time_bounds(views, lambda order: order.created_ms, call, call.cursor("orders"))
        if status == OrderStatus.RESTING:
            found, position = self._resting(parts, views, before, oldest, limit, keep)
        else:
            found, position = newest_first(views, keep, limit, before, oldest)
        return {"orders": await rendered(found, order_view), "cursor": next_cursor("orders", position)}

    def _resting(
        self,
        parts: Iterable[Account],
        views: Sequence[OrderView],
        before: int | None,
        oldest: int,
        limit: int,
        keep: Callable[[OrderView], bool],
    ) -> tuple[list[OrderView], int | None]:
        """Page through open orders without walking over every finished one; positions are those in `views`."""
        found: list[OrderView] = []
        looked_at = 0
        for view in merge(*(self._newest_open(part) for part in parts), key=lambda order: -order.seq):
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

    def _newest_open(self, part: Account) -> Iterator[OrderView]:
        for order_id in reversed(part.open_orders):
            yield self._sequencer.projections.orders[order_id]


def own_order(sequencer: Sequencer, parts: Sequence[Account], order_id: str) -> OrderView:
    """Return an order of one of these accounts; somebody else's does not exist."""
    view = sequencer.projections.orders.get(order_id)
    if view is None or all(view.account_id != part.account_id for part in parts):
        raise missing("order", order_id, "order_not_found")
    return view


def check_ticker(view: OrderView, ticker: str) -> None:
    """Refuse an order that is in another market than its sender believes."""
    if ticker and view.ticker != ticker:
        raise invalid(
            f"order {view.order_id} is not in market {ticker}",
            {"order_id": view.order_id, "market_ticker": ticker},
            "order_ticker_mismatch",
        )


def _position(views: Sequence[OrderView], view: OrderView) -> int:
    return bisect_left(views, view.seq, key=lambda order: order.seq)
