"""`/venue/explain`: why a signature or an order is refused, without placing anything.

Runs the very checks that placing runs, one after the other, and stops at the first that fails. A wallet's order is explained as
it would be sent, in Polymarket's form or in ours. What it says about a wallet's balance is on chain for everybody to read.
"""

import asyncio
import time
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, HTTPException, Request

from offchain_book import signatures
from offchain_book.config import Settings
from offchain_book.engine.account import Balance
from offchain_book.engine.commands import PlaceOrder
from offchain_book.engine.events import Rejected
from offchain_book.engine.exchange import refusal_of
from offchain_book.engine.names import token_asset
from offchain_book.engine.operations import SignedOrder
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.units import CASH
from offchain_book.errors import details
from offchain_book.gateways import error_page, native_orders
from offchain_book.gateways.native import Hex, problem, read_body
from offchain_book.gateways.polymarket_errors import ApiError, from_order_rejection
from offchain_book.gateways.polymarket_orders import (
    OrderFields,
    PostedOrder,
    check_owner,
    check_wallets,
    scheme_of,
    to_command,
)
from offchain_book.gateways.polymarket_orders import signed_order as polymarket_order
from offchain_book.gateways.polymarket_words import Token, find_token
from offchain_book.gateways.signature_doctor import BadStruct, Patient
from offchain_book.sequencer import Sequencer

Json = dict[str, Any]
Kind = Literal["native", "polymarket_v1", "polymarket_v2", "vault_action", "link_account", "cancel", "clob_auth"]
MAX_SECONDS = 2.0
"""Most of a processor's time that explanations may take in any ten seconds; then they answer 429."""
WINDOW_S = 10.0
SHOWN_ORDERS = 10


class SignatureBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/explain/signature`: what was signed, of the kinds in `/venue/eip712`; `signer` if no field names it."""

    kind: Kind
    message: dict[str, Any]
    signature: Hex
    signer: Annotated[str, msgspec.Meta(max_length=42)] = ""


class Stop(Exception):
    """A check failed; everything behind it was not looked at."""

    def __init__(self, check: str, code: str, message: str, more: Json | None = None) -> None:
        super().__init__(message)
        self.answer: Json = {"ok": False, "check": check, "code": code, "message": message, "details": more or {}}


class Explainer:
    """The routes of one venue."""

    def __init__(self, sequencer: Sequencer, settings: Settings) -> None:
        self._state = sequencer.state
        self._settings = settings
        self._native = signatures.native_domain(settings.chain_id, settings.venue_address)
        self._lane = asyncio.Lock()
        self._spent: list[tuple[float, float]] = []

    async def signature(self, request: Request) -> Json:
        """Say why a signature is not its signer's: which check, recovered and expected address, digest, the differing field."""
        body = await read_body(request, SignatureBody)
        try:
            return await self._examined(body.kind, body.message, body.signature, body.signer)
        except BadStruct as error:
            raise problem(400, "BAD_BODY", str(error)) from None

    async def _examined(self, kind: str, message: Json, signature: str, signer: str = "") -> Json:
        """Examine in a thread, one at a time and for a bounded part of the time: a wrong signature costs many recoveries."""
        async with self._lane:
            now = time.monotonic()
            self._spent = [(at, took) for at, took in self._spent if now - at < WINDOW_S]
            if sum(took for _, took in self._spent) > MAX_SECONDS:
                raise problem(429, "TOO_MANY", "too many explanations were asked for: try again in some seconds")
            found, took = await asyncio.to_thread(self._examine, kind, message, signature, signer)
            self._spent.append((now, took))
        code = "BAD_SIGNATURE" if kind in ("native", "vault_action", "link_account", "cancel") else "INVALID_SIGNATURE"
        return found if found["ok"] else {**found, "code": code, "docs": error_page.link(code)}

    def _examine(self, kind: str, message: Json, signature: str, signer: str) -> tuple[Json, float]:
        """Return what is found, and the processor's seconds that it took."""
        started = time.thread_time()
        return Patient(self._settings, kind, message, signature, signer).examine(), time.thread_time() - started

    async def order(self, request: Request) -> Json:
        """Say why an order would be refused, as it would be sent to `POST /order` or `POST /venue/orders`. Nothing is placed."""
        raw = await read_body(request, dict[str, Any])
        order = raw.get("order")
        if not isinstance(order, dict):
            raise problem(400, "BAD_BODY", "the body is what would be posted: {order: {…}, …}")
        passed: list[str] = []
        try:
            await (self._explain_native if "wallet" in order else self._explain_polymarket)(raw, passed)
        except Stop as stop:
            return {**stop.answer, "passed": passed, "docs": error_page.link(stop.answer["code"])}
        return {"ok": True, "check": None, "message": "the order would be taken now", "passed": passed}

    async def _explain_native(self, raw: Json, passed: list[str]) -> None:
        try:
            body = msgspec.convert(raw, native_orders.PlaceBody)
            signed = native_orders.signed_order(self._native, body.order, body.signature)
        except msgspec.ValidationError as error:
            raise Stop("shape", "BAD_BODY", str(error)) from None
        except HTTPException as error:
            raise _stop("shape", error) from None
        passed.append("shape")
        await self._check_signature("native", raw["order"], signed, passed)
        token = self._token(signed, passed)
        try:
            command = native_orders.to_command(body, signed, token)
        except HTTPException as error:
            raise _stop("amounts", error) from None
        passed.append("amounts")
        refused = self._refusal(command)
        if refused is not None:
            answer = native_orders.order_refusal(refused, token.outcome)
            raise self._with_balance(_stop("exchange", answer), refused, command)
        passed.append("exchange")

    async def _explain_polymarket(self, raw: Json, passed: list[str]) -> None:
        stage = "shape"
        try:
            posted = msgspec.convert({"owner": "", **raw}, PostedOrder)
            signed = polymarket_order(self._settings, posted.order)
            passed.append(stage)
            stage = "owner and wallets"
            if "owner" in raw:
                check_owner(self._state.keys.get(posted.owner), posted, signed)
            check_wallets(posted, signed)
            passed.append(stage)
            await self._check_signature(scheme_of(posted.order).value, _as_signed(posted.order), signed, passed)
            token = self._token(signed, passed)
            stage = "amounts"
            command = to_command(posted, signed, token)
            passed.append(stage)
        except msgspec.ValidationError as error:
            raise Stop(stage, "MALFORMED_BODY", str(error)) from None
        except ApiError as error:
            raise _api_stop(stage, error) from None
        refused = self._refusal(command)
        if refused is not None:
            answer = from_order_rejection(refused, command.order_id, token.market, token.outcome)
            raise self._with_balance(_api_stop("exchange", answer), refused, command)
        passed.append("exchange")

    async def _check_signature(self, kind: str, message: Json, signed: SignedOrder, passed: list[str]) -> None:
        if signed.signature_type == signatures.CONTRACT_SIGNATURE:
            passed.append("signature: the contract is asked when the order is placed")
            return
        try:
            found = await self._examined(kind, message, signed.signature, signed.signer)
        except BadStruct as error:
            raise Stop("shape", "BAD_BODY", str(error)) from None
        if not found["ok"]:
            more = {name: value for name, value in found.items() if name not in ("ok", "code", "message", "docs")}
            raise Stop("signature", found["code"], found["message"], more)
        passed.append("signature")

    def _token(self, signed: SignedOrder, passed: list[str]) -> Token:
        token = find_token(self._state, signed.token_id)
        if token is None:
            raise Stop("token", "UNKNOWN_TOKEN", f"no market has the token {signed.token_id}; GET /venue/markets lists them")
        passed.append("token")
        return token

    def _refusal(self, command: PlaceOrder) -> Rejected | None:
        refused = refusal_of(self._state, command)
        return next((event for event in refused or () if isinstance(event, Rejected)), None)

    def _with_balance(self, stop: Stop, refused: Rejected, command: PlaceOrder) -> Stop:
        """Add what a wallet has, what is held and by which orders, and the block that says so."""
        if refused.code not in (RejectCode.INSUFFICIENT_CASH, RejectCode.INSUFFICIENT_TOKENS):
            return stop
        account, is_cash = self._state.accounts[command.account_id], refused.code is RejectCode.INSUFFICIENT_CASH
        assert command.outcome is not None
        asset = CASH if is_cash else token_asset(command.ticker, command.outcome)
        balance, need = account.balances.get(asset) or Balance(), int(details(refused)["need_micros"])
        holders = [
            {"order_id": one.order_id, "held_micros": one.hold_micros}
            for one in account.open_orders.values()
            if one.opens is is_cash and (is_cash or (one.ticker, one.outcome) == (command.ticker, command.outcome))
        ]
        stop.answer["balance"] = {
            "asset": asset,
            "token": self._settings.collateral_address
            if is_cash
            else self._state.markets[command.ticker].token_id(command.outcome),
            "have_micros": balance.available,
            "held_micros": balance.held,
            "need_micros": need,
            "missing_micros": need - balance.available,
            "not_final_micros": balance.pending,
            "holders": holders[:SHOWN_ORDERS],
            "spender": self._settings.venue_address,
            "allowance": "not needed: orders are paid from the wallet's vault balance, not by an allowance",
            "block": self._state.final_block,
        }
        return stop


def _as_signed(order: OrderFields) -> Json:
    """Return the fields of a posted order under the names of the struct."""
    found: Json = msgspec.to_builtins(order)
    return {name: value for name, value in found.items() if value is not None}


def _stop(check: str, error: HTTPException) -> Stop:
    detail: Any = error.detail
    return Stop(check, detail["code"], detail["message"], detail["details"])


def _api_stop(check: str, error: ApiError) -> Stop:
    return Stop(check, error.code, error.reason, {**error.details, "error": error.error})


def router(sequencer: Sequencer, settings: Settings) -> APIRouter:
    """Return the routes under /venue/explain."""
    explainer = Explainer(sequencer, settings)
    routes = APIRouter(prefix="/venue/explain", tags=["venue"])
    routes.add_api_route("/signature", explainer.signature, methods=["POST"])
    routes.add_api_route("/order", explainer.order, methods=["POST"])
    return routes
