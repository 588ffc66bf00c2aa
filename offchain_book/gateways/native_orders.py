"""Our own orders under /venue/orders: placed by an EIP-712 `Order` in the native domain, listed, cancelled; and free nonces.

The signature is the request: whoever has it may hand the order in. Listing needs a session or a custodial key; cancelling
one of them, or a signed `Cancel`. Custodial accounts place orders in Kalshi's dialect.
"""

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, HTTPException, Request

from offchain_book import signatures
from offchain_book.config import Settings
from offchain_book.engine import admission
from offchain_book.engine.commands import CancelOrder, CancelOrders, PlaceOrder
from offchain_book.engine.events import OrderCancelled, Rejected
from offchain_book.engine.exchange import refusal_of
from offchain_book.engine.market import Market
from offchain_book.engine.operations import ZERO_BYTES32, OrderScheme, Outcome, SignedOrder, TokenSide
from offchain_book.engine.order import CancelReason, OrderStatus, TimeInForce
from offchain_book.engine.state import State
from offchain_book.engine.units import PRICE_SCALE, cost_micros
from offchain_book.errors import details, sentence
from offchain_book.gateways import error_page
from offchain_book.gateways.native import Hex, Json, NativeRoutes, address_of, asked, problem, read_body, refusal
from offchain_book.gateways.polymarket_errors import mirrored
from offchain_book.gateways.polymarket_orders import neighbours
from offchain_book.gateways.polymarket_words import Token, book_side, find_token, own_price_e4, token_side
from offchain_book.gateways.sessions import Sessions
from offchain_book.gateways.signature_pool import SignaturePool
from offchain_book.sequencer import Sequencer
from offchain_book.views import OrderView

CUSTODIAL_ORDERS = "/trade-api/v2/portfolio/events/orders"
"""Where custodial accounts place."""
MAX_CANCELS = 1_000
"""Most ids in one cancellation."""
CANCEL_LIFE_S = 600
"""How far ahead a `Cancel`'s deadline may be: until then whoever sees it can send it again."""
PAGE = 500
MAX_NONCES = 256
"""Most nonces handed out at once."""
MAX_KNOWN_WALLETS = 10_000
"""So many wallets' positions are remembered; of others they are looked up again."""
_MOST_MICROS = 10**14
_ORDER_ID = re.compile(r"0x[0-9a-f]{64}")
_TIMES = {"gtc": TimeInForce.GTC, "ioc": TimeInForce.IOC, "fok": TimeInForce.FOK}

Number = Annotated[str, msgspec.Meta(pattern=r"^\d{1,78}$")] | Annotated[int, msgspec.Meta(ge=0)]
"""A whole number, as a JSON number or as decimal digits."""


class OrderMessage(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The struct as it was signed, field by field."""

    wallet: Hex
    token_id: Number
    side: int
    sell_amount: Number
    buy_amount: Number
    nonce: Number
    expiration: Number = 0
    fee_cap_bps: Number = 0
    builder: Hex = ZERO_BYTES32


class PlaceBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/orders`."""

    order: OrderMessage
    signature: Hex
    time_in_force: Literal["gtc", "ioc", "fok"] = "gtc"
    post_only: bool = False
    client_order_id: Annotated[str, msgspec.Meta(max_length=64)] = ""


class SignedCancelBody(msgspec.Struct, forbid_unknown_fields=True):
    """`DELETE /venue/orders/{id}` without a session or a key: the rest of the `Cancel` that names this one order."""

    wallet: Hex
    deadline: int
    signature: Hex


class CancelBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/orders/cancel`: no ids means every open order. With a session or a key the ids are enough."""

    orders: Annotated[list[str], msgspec.Meta(max_length=MAX_CANCELS)] = []
    wallet: str = ""
    deadline: int = 0
    signature: str = ""


def _number(value: int | str, field: str, end: int) -> int:
    number = int(value)
    if not number < end:
        raise problem(400, "BAD_NUMBER", f"{field} must be below {end}, not {number}", {"field": field})
    return number


def signed_order(domain: signatures.Domain, message: OrderMessage, signature: str) -> SignedOrder:
    """Return what was signed, with its digest; says nothing about the signature yet."""
    if message.side not in (0, 1):
        raise problem(400, "BAD_SIDE", f"side is 0 (buy) or 1 (sell), not {message.side}")
    builder = message.builder.lower()
    if not _ORDER_ID.fullmatch(builder):
        raise problem(400, "BAD_NUMBER", "builder must be 32 bytes of hex", {"field": "builder"})
    wallet = address_of(message.wallet, "wallet")
    unhashed = SignedOrder(
        scheme=OrderScheme.NATIVE,
        digest="",
        maker=wallet,
        signer=wallet,
        token_id=str(_number(message.token_id, "tokenId", 1 << 256)),
        side=TokenSide(message.side),
        sell_amount_micros=_number(message.sell_amount, "sellAmount", _MOST_MICROS),
        buy_amount_micros=_number(message.buy_amount, "buyAmount", _MOST_MICROS),
        salt="0",
        signature=signature,
        builder=builder,
        expiration_s=_number(message.expiration, "expiration", 1 << 40),
        nonce=_number(message.nonce, "nonce", 1 << 48),
        fee_rate_bps=_number(message.fee_cap_bps, "feeCapBps", 1 << 16),
    )
    return signatures.with_digest(domain, unhashed)


def to_command(body: PlaceBody, signed: SignedOrder, token: Token) -> PlaceOrder:
    """Return the command for an order: its price is what it gives for what it asks, and has to be a price of the market."""
    cash, size = signed.sell_amount_micros, signed.buy_amount_micros
    if signed.side is TokenSide.SELL:
        cash, size = size, cash
    refused = admission.check_size(size)
    for event in refused or ():
        assert isinstance(event, Rejected)
        raise order_refusal(event, token.outcome)
    own, rest = divmod(cash * PRICE_SCALE, size)
    if rest:
        raise _off_grid(signed, token, size, own)
    return PlaceOrder(
        order_id=signed.digest,
        account_id=signed.maker,
        ticker=token.market.ticker,
        side=book_side(token.outcome, signed.side),
        price_e4=own_price_e4(token.outcome, own),
        size_micros=size,
        client_order_id=body.client_order_id,
        outcome=token.outcome,
        time_in_force=_TIMES[body.time_in_force],
        post_only=body.post_only,
        signed=signed,
    )


def _off_grid(signed: SignedOrder, token: Token, size: int, own: int) -> Exception:
    """Return the error for amounts that make no whole price, with the nearest amounts that do."""
    field = "sellAmount" if signed.side is TokenSide.BUY else "buyAmount"
    edges = {price for e4 in (own, own + 1) for price in neighbours(token.market, own_price_e4(token.outcome, e4))}
    prices = sorted(own_price_e4(token.outcome, edge) for edge in edges if 0 < edge < PRICE_SCALE)
    nearest = [{"price_e4": price, field: str(cost_micros(size, price))} for price in prices]
    message = f"the amounts make {own}.. ten-thousandths of a dollar a contract, which is no price of this market"
    return problem(400, "PRICE_OFF_TICK", f"{message}; the nearest valid {field} are in the details", {"nearest": nearest})


def order_refusal(rejected: Rejected, outcome: Outcome) -> HTTPException:
    """Return a refusal of the engine as our error, with prices turned into the order's own token."""
    if outcome is Outcome.NO:
        rejected = Rejected(rejected.code, tuple(mirrored(details(rejected)).items()))
    return refusal(rejected)


def order_view(view: OrderView, state: State) -> Json:
    """Return an order, open or finished. A custodial order shows from the YES side."""
    outcome, market, order = view.outcome or Outcome.YES, state.markets[view.ticker], state.orders.get(view.order_id)
    signed = view.signed
    return {
        "order_id": view.order_id,
        "client_order_id": view.client_order_id or None,
        "account": view.account_id,
        "ticker": view.ticker,
        "token_id": market.token_id(outcome),
        "outcome": outcome.name.lower(),
        "side": token_side(outcome, view.side).name.lower(),
        "price_e4": own_price_e4(outcome, view.price_e4),
        "size_micros": view.size_micros,
        "filled_micros": view.filled_micros,
        "remaining_micros": view.remaining_micros,
        "cost_micros": _own_cost(view),
        "fee_micros": view.taker_fee_micros + view.maker_fee_micros,
        "status": view.status.value,
        "cancel_reason": view.cancel_reason and view.cancel_reason.value,
        "time_in_force": next(name for name, kind in _TIMES.items() if kind is view.time_in_force),
        "post_only": view.post_only,
        "expires_ms": (view.expires_ms if order is None else order.expires_ms) or None,
        "scheme": signed and signed.scheme.value,
        "nonce": str(signed.nonce) if signed is not None and signed.scheme is OrderScheme.NATIVE else None,
        "builder": view.builder or None,
        "trades": [f"trade:{match}" for match in view.matches],
        "created_ms": view.created_ms,
        "updated_ms": view.updated_ms,
        "seq": view.seq,
    }


def _own_cost(view: OrderView) -> int:
    """Return what the fills cost in the order's own token."""
    return view.taker_cost_micros + view.maker_cost_micros


class Nonces:
    """Hands out nonces that no order of a wallet has, one after the other: four in a row share a word of the contract."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._next: dict[str, int] = {}

    def take(self, wallet: str, count: int) -> list[str]:
        """Return free order nonces and do not give them out again until the venue restarts."""
        account = self._state.accounts.get(wallet)
        claims = {} if account is None else account.claims
        start = self._next.get(wallet, -1)
        if start < 0:
            start = 1 + max((_claimed(place) for place in claims), default=-1)
        lowest = 0 if account is None else account.min_nonce
        return self._free(wallet, max(start, lowest), count, lambda nonce: f"nonce {nonce}" in claims)

    def take_actions(self, wallet: str, count: int) -> list[str]:
        """Return free nonces of vault actions, which are a bitmap of their own."""
        key, used = f"{wallet} acts", self._state.references
        return self._free(key, self._next.get(key, 0), count, lambda nonce: f"{wallet}:{nonce}" in used)

    def _free(self, key: str, nonce: int, count: int, is_used: Callable[[int], bool]) -> list[str]:
        found: list[str] = []
        while len(found) < count:
            if not is_used(nonce):
                found.append(str(nonce))
            nonce += 1
        self._next.pop(key, None)
        while len(self._next) >= MAX_KNOWN_WALLETS:
            del self._next[next(iter(self._next))]
        self._next[key] = nonce
        return found


def _claimed(place: str) -> int:
    kind, _, number = place.partition(" ")
    return int(number) if kind == "nonce" else -1


class NativeOrders:
    """The routes of one venue."""

    def __init__(
        self,
        sequencer: Sequencer,
        settings: Settings,
        native: NativeRoutes,
        sessions: Sessions,
    ) -> None:
        self._sequencer = sequencer
        self._native = native
        self._contracts = native.contracts
        self._sessions = sessions
        self._domain = signatures.native_domain(settings.chain_id, settings.venue_address)
        self._signatures = SignaturePool()
        self._nonces = Nonces(sequencer.state)

    async def place(self, request: Request) -> Json:
        """Place an order that a wallet signed. The answer is the order; what arrived at once is filled in it."""
        body = await self._place_body(request)
        signed = signed_order(self._domain, body.order, body.signature)
        token = find_token(self._sequencer.state, signed.token_id)
        if token is None:
            raise problem(404, "UNKNOWN_TOKEN", f"no market has the token {signed.token_id}")
        command = await self._signed_command(body, signed, token)
        receipt = await self._sequencer.submit(command, _request_id(request))
        if receipt.rejected:
            raise order_refusal(receipt.rejected, token.outcome)
        return self._view(command.order_id)

    async def _place_body(self, request: Request) -> PlaceBody:
        """Read an order that a wallet signed, or show a custodial account the way to its own route."""
        try:
            return await read_body(request, PlaceBody)
        except HTTPException:
            if "kalshi-access-key" not in request.headers:
                raise
        message = (
            f"orders here are signed by wallets; {(await self._native.signer(request)).account_id} is custodial and places "
        )
        raise problem(400, "PLACE_IN_KALSHIS_DIALECT", f"{message}with POST {CUSTODIAL_ORDERS}", {"route": CUSTODIAL_ORDERS})

    async def _signed_command(self, body: PlaceBody, signed: SignedOrder, token: Token) -> PlaceOrder:
        """Return the command of an order that its wallet stands behind: by its key, or as a contract by its recorded yes."""
        digest = bytes.fromhex(signed.digest[2:])
        recovered, reason = "", "the signature is not the wallet's over this order"
        try:
            r, s, bit = signatures.parse_signature(signed.signature)
            recovered = (await self._signatures.recover(digest, signed.signature)).lower()
            if recovered == signed.maker:
                own = dataclasses.replace(signed, signature=f"0x{r:064x}{s:064x}{bit + 27:02x}")
                return to_command(body, own, token)
        except signatures.InvalidSignature as error:
            reason = str(error)
        refused = self._native.bad_signature(reason, digest, signed.maker, recovered)
        if self._contracts is None or signed.maker not in self._sequencer.state.accounts:
            raise refused
        if not await asked(self._contracts.is_signed(signed.maker, digest, signed.signature)):
            raise refused
        command = to_command(body, dataclasses.replace(signed, signature=""), token)
        for event in refusal_of(self._sequencer.state, command) or ():
            if isinstance(event, Rejected):
                raise order_refusal(event, token.outcome)
        if not await asked(self._contracts.approve(signed.maker, digest, signed.signature)):
            raise refused
        return command

    def _view(self, order_id: str) -> Json:
        return order_view(self._sequencer.projections.orders[order_id], self._sequencer.state)

    async def caller(self, request: Request) -> str:
        """Return the account that asks: the wallet of a session, or the custodial account that signed the request."""
        session = self._sessions.find(request)
        if session is not None:
            return session.wallet
        if "kalshi-access-key" in request.headers:
            return (await self._native.signer(request)).account_id
        message = "sign in first (POST /venue/session/nonce), sign the request with an API key, or sign a Cancel"
        raise problem(401, "NOT_SIGNED_IN", message)

    async def orders(self, request: Request) -> Json:
        """List the caller's orders, newest first: `status` open (default), closed or all; `ticker`; `cursor` of the last page."""
        account_id, asked = await self.caller(request), request.query_params
        status, cursor = asked.get("status", "open"), asked.get("cursor", "")
        if status not in ("open", "closed", "all"):
            raise problem(400, "BAD_STATUS", f"status is open, closed or all, not {status[:80]}")
        if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 16):
            raise problem(400, "BAD_CURSOR", "cursor is what the last page's answer said")
        views = self._sequencer.projections.orders_by_account.get(account_id, [])
        if status == "open":
            account = self._sequencer.state.accounts.get(account_id)
            known = self._sequencer.projections.orders
            views = [] if account is None else sorted((known[one] for one in account.open_orders), key=lambda one: one.seq)
        before = int(cursor) if cursor else 1 << 62
        found = [one for one in reversed(views) if one.seq < before and _wanted(one, status, asked.get("ticker", ""))]
        return {
            "orders": [order_view(one, self._sequencer.state) for one in found[:PAGE]],
            "cursor": str(found[PAGE - 1].seq) if len(found) > PAGE else "",
        }

    async def order(self, order_id: str, request: Request) -> Json:
        """Show one of the caller's orders."""
        account_id = await self.caller(request)
        view = self._sequencer.projections.orders.get(order_id)
        if view is None or view.account_id != account_id:
            raise problem(404, "UNKNOWN_ORDER", f"there is no order {order_id} in this account")
        return self._view(order_id)

    async def cancel(self, order_id: str, request: Request) -> Json:
        """Cancel one order: by session, by key, or by a signed `Cancel` of this one order."""
        order_id = order_id.lower() if order_id.startswith(("0x", "0X")) else order_id
        if await request.body() and "kalshi-access-key" not in request.headers:
            body = await read_body(request, SignedCancelBody)
            account_id = await self._signed_cancel(body.wallet, [order_id], body.deadline, body.signature)
        else:
            account_id = await self.caller(request)
        await self._native.submit(request, CancelOrder(account_id, order_id))
        return self._view(order_id)

    async def cancel_many(self, request: Request) -> Json:
        """Cancel the orders named, or all that are open when none is: by session, by key, or by a signed `Cancel`."""
        body = await read_body(request, CancelBody)
        if body.signature:
            account_id = await self._signed_cancel(body.wallet, body.orders, body.deadline, body.signature)
        else:
            account_id = await self.caller(request)
        if not body.orders:
            receipt = await self._native.submit(request, CancelOrders(account_id))
            gone = [e.order_id for e in receipt.every(OrderCancelled) if e.reason is CancelReason.BY_USER]
            return {"canceled": gone, "not_canceled": {}}
        refused: dict[str, Json] = {}
        wanted = list(dict.fromkeys(body.orders))
        for order_id in wanted:
            receipt = await self._sequencer.submit(CancelOrder(account_id, order_id), _request_id(request))
            if receipt.rejected:
                code = receipt.rejected.code.name
                refused[order_id] = {"code": code, "message": sentence(receipt.rejected), "docs": error_page.link(code)}
        return {"canceled": [one for one in wanted if one not in refused], "not_canceled": refused}

    async def _signed_cancel(self, wallet_text: str, order_ids: Sequence[str], deadline_s: int, signature: str) -> str:
        """Check a `Cancel` and return its wallet. It may be sent again until its deadline, so that must be near."""
        wallet, now_s = address_of(wallet_text, "wallet"), self._sequencer.clock_ms() // 1_000
        wrong = [one for one in order_ids if not _ORDER_ID.fullmatch(one)]
        if wrong:
            raise problem(400, "BAD_ORDER_ID", f"{wrong[0][:80]} is no id of a signed order: 32 bytes of lower-case hex")
        if not now_s <= deadline_s <= now_s + CANCEL_LIFE_S:
            limits = {"earliest_s": now_s, "latest_s": now_s + CANCEL_LIFE_S}
            message = f"the deadline {deadline_s} has to be within {CANCEL_LIFE_S} s of venue time, {now_s}"
            raise problem(400, "DEADLINE_PASSED" if deadline_s < now_s else "DEADLINE_TOO_FAR", message, limits)
        digest = signatures.cancel_digest(self._domain, wallet, order_ids, deadline_s)
        await self._native.stands_behind(digest, signature, wallet)
        return wallet

    async def nonces(self, wallet: str, request: Request) -> Json:
        """Hand out nonces for a wallet's next orders and vault actions; `orders` and `actions` say how many (default 4, 1)."""
        address = address_of(wallet, "wallet")
        counts = {name: request.query_params.get(name, default) for name, default in (("orders", "4"), ("actions", "1"))}
        for name, text in counts.items():
            if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= MAX_NONCES):
                raise problem(400, "BAD_NUMBER", f"{name} has to be 0 to {MAX_NONCES}", {"field": name})
        return {
            "wallet": address,
            "orders": self._nonces.take(address, int(counts["orders"])),
            "actions": self._nonces.take_actions(address, int(counts["actions"])),
        }

    async def markets(self, request: Request) -> Json:
        """List markets with what an order needs to know: token ids, prices, fees, and whether they trade."""
        wanted = request.query_params.get("ticker", "")
        found = self._sequencer.state.markets.values()
        return {"markets": [market_view(one) for one in found if wanted in ("", one.ticker)]}


def _request_id(request: Request) -> str:
    return str(request.scope.get("state", {}).get("request_id", ""))


def market_view(market: Market) -> Json:
    """Return a market as a client needs it to sign an order."""
    return {
        "ticker": market.ticker,
        "event_ticker": market.event_ticker,
        "title": market.title,
        "status": market.status.value,
        "close_ms": market.close_ms,
        "condition_id": market.condition_id,
        "token_ids": {"yes": market.yes_token_id, "no": market.no_token_id},
        "price_ranges_e4": [list(one) for one in market.price_ranges],
        "fee_rate_bps": {"taker": market.taker_rate_e4, "maker": market.maker_rate_e4, "cap": market.max_rate_e4},
        "best_bid_e4": market.book.best_bid_e4 or None,
        "best_ask_e4": market.book.best_ask_e4 if market.book.best_ask_e4 < PRICE_SCALE else None,
        "last_price_e4": market.last_price_e4 or None,
    }


def _wanted(view: OrderView, status: str, ticker: str) -> bool:
    is_open = view.status is OrderStatus.RESTING
    return ticker in ("", view.ticker) and (status == "all" or is_open is (status == "open"))


def router(orders: NativeOrders) -> APIRouter:
    """Return the routes of orders, nonces and markets under /venue."""
    routes = APIRouter(prefix="/venue", tags=["venue"])
    routes.add_api_route("/orders", orders.place, methods=["POST"], status_code=201)
    routes.add_api_route("/orders", orders.orders, methods=["GET"])
    routes.add_api_route("/orders/cancel", orders.cancel_many, methods=["POST"])
    routes.add_api_route("/orders/{order_id}", orders.order, methods=["GET"])
    routes.add_api_route("/orders/{order_id}", orders.cancel, methods=["DELETE"])
    routes.add_api_route("/nonces/{wallet}", orders.nonces, methods=["GET"])
    routes.add_api_route("/markets", orders.markets, methods=["GET"])
    return routes
