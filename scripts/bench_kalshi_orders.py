"""Signed custodial orders per second through Kalshi's dialect, durable before the reply, and where the time goes.

The clients sign every request beforehand (RSA-PSS) and run in a process of their own; the venue is the whole gateway, sequencer,
journal and engine, without a chain. Stage costs are CPU time of one thread, measured apart on the same payloads; what is left
of a request's CPU time is HTTP. Wall-clock rates depend on what else the machine does; CPU time per order does not.
"""

import asyncio
import json
import os
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import uvloop
from rich.console import Console

from offchain_book.app import build_app
from offchain_book.engine import commands as c
from offchain_book.engine.exchange import apply
from offchain_book.gateways import credentials
from offchain_book.gateways.credentials import Claim, parse_public_key, verify_all
from offchain_book.gateways.kalshi_bodies import CreateOrder
from offchain_book.gateways.kalshi_candles import Quotes
from offchain_book.gateways.kalshi_orders import command_of, created
from offchain_book.gateways.stream import Hub
from offchain_book.journal import Journal
from offchain_book.sequencer import Receipt
from scripts.bench_common import Json, Report, quiet_gc, show
from scripts.bench_http import Requests, measured, orders_table, request, stages_table, timed
from tests.sdk.kalshi_venue import ALICE, DOLLAR, SETTINGS, TICKER, Key, SmallVenue, make_keys

AIM_PER_S, AIM_P50_MS = 10_000, 2.0
CONNECTIONS = 64
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
        seq, at_ms = venue.state.seq, venue.state.now_ms
        entries = [c.Sequenced(seq + place, at_ms, "r", command) for place, command in enumerate(commands, start=1)]
        numbered = [c.Sequenced(place, at_ms, "r", command) for place, command in enumerate(commands, start=1)]
        groups = [numbered[at : at + CONNECTIONS] for at in range(0, count, CONNECTIONS)]
        journal = Journal(folder / "stage", {})
        found["journal"] = timed(lambda: [journal.append(group) for group in groups], count)
        journal.close()
        events: list[Any] = []
        found["risk and match"] = timed(lambda: events.extend(apply(venue.state, entry) for entry in entries), count)
        read = venue.sequencer.projections
        found["read models"] = timed(
            lambda: [read.observe(venue.state, entry, one) for entry, one in zip(entries, events, strict=True)], count
        )
        hub, quotes = Hub(venue.sequencer), Quotes(venue.sequencer)
        found["streams, candles"] = timed(
            lambda: [
                (hub.observe(entry, one), quotes.observe(entry, one)) for entry, one in zip(entries, events, strict=True)
            ],
            count,
        )
        encoder = msgspec.json.Encoder(decimal_format="number")
        found["response"] = timed(
            lambda: [
                encoder.encode(created(command, Receipt(entry, one)))
                for command, entry, one in zip(commands, entries, events, strict=True)
            ],
            count,
        )
        return found


def _signature(head: dict[str, str]) -> bytes:
    import base64

    return base64.b64decode(head["KALSHI-ACCESS-SIGNATURE"])


def run(console: Console, orders: int, report: Report) -> Json:
    """Measure and print."""
    ways = ((1, 1), (CONNECTIONS, 1), (1, BATCH), (CONNECTIONS, BATCH))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for place, (connections, batch) in enumerate(ways):
            report(f"{connections} connections, batches of {batch}", place, len(ways) + 1)
            (Path(folder) / str(place)).mkdir()
            count = orders if connections > 1 else max(BATCH, orders // 8)
            rows.append(uvloop.run(_run(Path(folder) / str(place), count, connections, batch)))
        report("stages", len(ways), len(ways) + 1)
        with quiet_gc():
            stages = asyncio.run(_stages(Path(folder), orders))
    stages["HTTP, hand-overs, waiting"] = round(max(0.0, rows[1]["cpu_us_per_order"] - sum(stages.values())), 1)
    title = (
        f"RSA-signed custodial orders, durable before the reply (aim {AIM_PER_S:,}/s, p50 {AIM_P50_MS} ms, 64 connections)"
    )
    show(console, orders_table(title, rows), stages_table(stages))
    return {
        "aim_per_s": AIM_PER_S,
        "aim_p50_ms": AIM_P50_MS,
        "rows": rows,
        "stages_us": stages,
        "load": os.getloadavg()[0],
    }
