"""Signed wallet orders per second through `POST /order` and `POST /orders`, and where the time goes.

The clients sign beforehand and run in a process of their own; the venue is the whole gateway, sequencer, journal and engine,
without a chain. Stage costs are CPU time of one thread, measured apart on the same payloads; what is left of a request's CPU
time is HTTP and routing. Wall-clock rates depend on what else the machine does; CPU time per order does not.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from offchain_book.app import build_app
from offchain_book.engine import commands as c
from offchain_book.engine.claims import place_of
from offchain_book.gateways.polymarket_http import reply
from offchain_book.gateways.polymarket_orders import PostedOrder, signed_order, to_command
from offchain_book.gateways.polymarket_trading import order_decoder, placed
from offchain_book.gateways.polymarket_words import find_token
from offchain_book.gateways.signature_pool import recover_all
from offchain_book.gateways.wallet_credentials import authenticate_request
from offchain_book.sequencer import Receipt
from scripts.bench_common import Json, Report
from scripts.bench_http import CONNECTIONS, Requests, measured, request, run_ways, stages_of, timed
from tests.gateways.polymarket_fixtures import CONTRACT, DOLLAR, SETTINGS, TICKER, House, Wallet, open_house

AIM_PER_S = 5_000
BATCH = 15


async def _wallets(house: House, count: int) -> list[Wallet]:
    wallets = []
    async with house.client() as http:
        for number in range(count):
            wallet = Wallet(http, (number + 1).to_bytes(32, "big"))
            await wallet.login()
            await house.fund(wallet.account, 10_000 * DOLLAR)
            wallets.append(wallet)
    return wallets


def _payload(house: House, wallet: Wallet, number: int) -> dict[str, Any]:
    """Return an order that rests: YES at 1 to 39 cents, below every ask."""
    cents = 1 + number % 39
    return wallet.payload("BUY", house.state.markets[TICKER].yes_token_id, cents * 10_000, CONTRACT)


def _payloads(house: House, wallet: Wallet, count: int) -> list[dict[str, Any]]:
    """Return a wallet's orders, each with a place of its own in the contract's fill state: of two with one the second is refused."""
    made: dict[str, dict[str, Any]] = {}
    while len(made) < count:
        payload = _payload(house, wallet, len(made))
        made.setdefault(place_of(signed_order(SETTINGS, msgspec.convert(payload, PostedOrder).order)), payload)
    return list(made.values())


def _sign(house: House, wallets: Sequence[Wallet], per_wallet: int, batch: int) -> Requests:
    """Return each connection's requests, signed."""
    made = []
    for wallet in wallets:
        orders = _payloads(house, wallet, per_wallet)
        groups: list[Any] = orders if batch == 1 else [orders[at : at + batch] for at in range(0, per_wallet, batch)]
        path, own = "/order" if batch == 1 else "/orders", []
        for group in groups:
            body = json.dumps(group, separators=(",", ":"))
            own.append(request("POST", path, wallet.headers("POST", path, body), body))
        made.append(own)
    return made


async def _run(folder: Path, orders: int, connections: int, batch: int) -> Json:
    """Measure one way of posting."""
    async with open_house(folder) as house:
        wallets = await _wallets(house, connections)
        sent = _sign(house, wallets, max(2, orders // connections // batch) * batch, batch)
        commands = house.state.seq
        row = await measured(build_app(house.sequencer, SETTINGS, {}, lambda: ""), sent, batch)
        assert house.state.seq - commands == sum(map(len, sent)) * batch
        return {"connections": connections, "batch": batch, **row}


# --- stages ---------------------------------------------------------------------------------------------------------------


async def _stages(folder: Path, count: int) -> Json:
    """Measure each stage apart on the same payloads."""
    async with open_house(folder) as house:
        (wallet,) = await _wallets(house, 1)
        payloads = _payloads(house, wallet, count)
        bodies = [json.dumps(payload, separators=(",", ":")).encode() for payload in payloads]
        headers = [wallet.headers("POST", "/order", b.decode()) for b in bodies]
        posted: list[PostedOrder] = []
        found: Json = {"parse": timed(lambda: posted.extend(map(order_decoder.decode, bodies)), count)}
        now_s = int(time.time())
        found["hmac"] = timed(
            lambda: [
                authenticate_request(house.state, SETTINGS, head, "POST", "/order", body, now_s)
                for head, body in zip(headers, bodies, strict=True)
            ],
            count,
        )
        signed = []
        found["digest"] = timed(lambda: signed.extend(signed_order(SETTINGS, one.order) for one in posted), count)
        asked = [(bytes.fromhex(one.digest[2:]), one.signature) for one in signed]
        found["recover (off the loop)"] = timed(lambda: recover_all(asked), count)
        token = find_token(house.state, signed[0].token_id)
        assert token is not None
        commands = [to_command(one, order, token) for one, order in zip(posted, signed, strict=True)]

        def respond(command: c.PlaceOrder, receipt: Receipt) -> object:
            return reply(placed(command, token, receipt))

        return found | stages_of(house.sequencer, commands, folder / "stage", respond)


def run(console: Console, orders: int, report: Report) -> Json:
    """Measure and print."""
    title = f"Signed wallet orders, durable before the reply (aim {AIM_PER_S:,}/s at {CONNECTIONS} connections)"
    return {"aim_per_s": AIM_PER_S, **run_ways(console, title, orders, BATCH, _run, _stages, report)}
