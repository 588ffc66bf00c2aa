"""Signed custodial orders per second through Kalshi's dialect, durable before the reply, and where the time goes.

The clients sign every request beforehand (RSA-PSS) and run in a process of their own; the venue is the whole gateway, sequencer,
journal and engine, without a chain. Stage costs are CPU time of one thread, measured apart on the same payloads; what is left
of a request's CPU time is HTTP. Wall-clock rates depend on what else the machine does; CPU time per order does not.
"""

import base64
import json
from pathlib import Path
from unittest.mock import patch

import msgspec
from rich.console import Console

from offchain_book.app import build_app
from offchain_book.engine import commands as c
from offchain_book.gateways import credentials
from offchain_book.gateways.credentials import Claim, parse_public_key, verify_all
from offchain_book.gateways.kalshi_bodies import CreateOrder
from offchain_book.gateways.kalshi_orders import command_of, created
from offchain_book.sequencer import Receipt
from scripts.bench_common import Json, Report
from scripts.bench_http import Requests, measured, request, run_ways, stages_of, timed
from tests.sdk.kalshi_venue import ALICE, DOLLAR, SETTINGS, TICKER, Key, SmallVenue, make_keys

AIM_PER_S, AIM_P50_MS = 10_000, 2.0
BATCH = 20
_WINDOW_S = 3_600
"""How old a request may be here: it is signed long before it is sent."""
SINGLE, MANY = "/trade-api/v2/portfolio/events/orders", "/trade-api/v2/portfolio/events/orders/batched"


def _body(number: int) -> dict[str, str]:
    """Return an order that rests: YES at 1 to 39 cents."""
    return {
        "ticker": TICKER,
        "client_order_id": f"bench-{number}",
        "side": "bid",
        "count": "1.00",
        "price": f"0.{1 + number % 39:02}00",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
    }


def _sign(key: Key, orders: int, connections: int, batch: int) -> Requests:
    """Return each connection's requests, every one with a signature of its own."""
    made: Requests = []
    each = max(2, orders // (connections * batch))
    number = 0
    for _ in range(connections):
        own = []
        for _ in range(each):
            rows = [_body(number + place) for place in range(batch)]
            number += batch
            path, body = (SINGLE, rows[0]) if batch == 1 else (MANY, {"orders": rows})
            own.append(
                request(
                    "POST",
                    path,
                    key.headers("POST", path),
                    json.dumps(body, separators=(",", ":")),
                )
            )
        made.append(own)
    return made


async def _run(folder: Path, orders: int, connections: int, batch: int) -> Json:
    """Measure one way of posting."""
    async with SmallVenue(folder / "journal", make_keys()).running() as venue:
        await venue.deposit(ALICE, 10_000_000 * DOLLAR)
        sent = _sign(venue.keys[ALICE], orders, connections, batch)
        commands = venue.state.seq
        with patch.object(credentials, "SIGNATURE_WINDOW_S", _WINDOW_S):
            row = await measured(build_app(venue.sequencer, SETTINGS, {}, lambda: ""), sent, batch)
        assert venue.state.seq - commands == sum(map(len, sent)) * batch
        return {"connections": connections, "batch": batch, **row}


# --- stages ---------------------------------------------------------------------------------------------------------------


async def _stages(folder: Path, count: int) -> Json:
    """Measure each stage apart on the same payloads."""
    async with SmallVenue(folder / "venue", make_keys()).running() as venue:
        await venue.deposit(ALICE, 10_000_000 * DOLLAR)
        key = venue.keys[ALICE]
        known = venue.state.keys[key.key_id]
        decoder = msgspec.json.Decoder(CreateOrder)
        bodies = [json.dumps(_body(number)).encode() for number in range(count)]
        commands: list[c.PlaceOrder] = []
        found: Json = {
            "parse": timed(lambda: commands.extend(command_of(ALICE, decoder.decode(body), 0) for body in bodies), count)
        }
        signed = [key.headers("POST", SINGLE) for _ in range(min(count, 500))]
        public = parse_public_key(known.public_key_pem)
        claims = [Claim(known, public, _signature(head), head["KALSHI-ACCESS-TIMESTAMP"], "POST", SINGLE) for head in signed]
        found["signature (off the loop)"] = timed(lambda: verify_all(claims), len(claims))
        encoder = msgspec.json.Encoder(decimal_format="number")

        def respond(command: c.PlaceOrder, receipt: Receipt) -> bytes:
            return encoder.encode(created(command, receipt))

        return found | stages_of(venue.sequencer, commands, folder / "stage", respond)


def _signature(head: dict[str, str]) -> bytes:
    return base64.b64decode(head["KALSHI-ACCESS-SIGNATURE"])


def run(console: Console, orders: int, report: Report) -> Json:
    """Measure and print."""
    title = (
        f"RSA-signed custodial orders, durable before the reply (aim {AIM_PER_S:,}/s, p50 {AIM_P50_MS} ms, 64 connections)"
    )
    found = run_ways(console, title, orders, BATCH, _run, _stages, report)
    return {"aim_per_s": AIM_PER_S, "aim_p50_ms": AIM_P50_MS, **found}
