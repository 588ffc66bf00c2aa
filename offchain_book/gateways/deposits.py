"""A deposit that a wallet only signs: its ERC-2612 permit, sent to the contract by the venue, which pays the gas."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request

from offchain_book.config import RELAYS_PER_ADDRESS, RELAYS_PER_WALLET
from offchain_book.engine.units import ONE_DOLLAR_MICROS
from offchain_book.gateways.admin import Hooks
from offchain_book.gateways.attempts import Guarded
from offchain_book.gateways.contract_wallets import HookRefused
from offchain_book.gateways.native import Amount, Hex, address_of, micros, problem, read_body

Json = dict[str, Any]
LEAST_MICROS = ONE_DOLLAR_MICROS
"""Smallest deposit that the venue pays gas for."""
Signature = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{130}$")]


class PermitBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/deposits/permit`: the wallet's permit for the venue's contract, of exactly `amount`."""

    wallet: Hex
    amount: Amount
    deadline: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    signature: Signature


class DepositRoutes:
    """The routes of one venue."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._limit = Guarded("deposits by permit", RELAYS_PER_WALLET, RELAYS_PER_ADDRESS)

    async def by_permit(self, request: Request) -> Json:
        """Put a wallet's money into its own vault, on its permit; the wallet sends no transaction."""
        body = await read_body(request, PermitBody)
        wallet, amount = address_of(body.wallet, "wallet"), micros(body.amount)
        if amount < LEAST_MICROS:
            raise problem(400, "BAD_AMOUNT", f"amount is at least {LEAST_MICROS // ONE_DOLLAR_MICROS} dollar")
        self._limit.take(request, wallet)
        raw = bytes.fromhex(body.signature[2:])
        try:
            paid = await self._hooks.deposit_by_permit(wallet, amount, body.deadline, raw[64], raw[:32], raw[32:64])
        except HookRefused as error:
            raise problem(error.status, error.code, error.message) from None
        return {"id": f"deposit:{paid.deposit_index}", "transaction": paid.tx_hash, "block": paid.block_number}


def router(hooks: Hooks) -> APIRouter:
    """Return the routes about deposits."""
    found = DepositRoutes(hooks)
    routes = APIRouter(prefix="/venue/deposits", tags=["venue"])
    routes.add_api_route("/permit", found.by_permit, methods=["POST"], status_code=201)
    return routes
