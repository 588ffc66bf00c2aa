"""Kalshi's WebSocket, over a real server: who may connect, and what happens to bad input."""

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from offchain_book.engine import commands as c
from offchain_book.gateways import kalshi_stream as gateway
from offchain_book.gateways.stream import Hub
from tests.gateways.kalshi_streams import alice, bob
from tests.gateways.streams import PATIENCE_S, connect, kalshi_stream, serving
from tests.sdk.kalshi_venue import (
    ALICE,
    BOB,
    OTHER,
    TICKER,
    SmallVenue,
)

# --- the handshake ------------------------------------------------------------------------------------------------------


async def refused(url: str, headers: dict[str, str]) -> tuple[int, Any]:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(f"{url}{gateway.PATH}", additional_headers=headers):
            pass
    return caught.value.response.status_code, json.loads(caught.value.response.body or b"")


async def test_an_unsigned_handshake_is_refused(venue: SmallVenue, url: str) -> None:
    status, body = await refused(url, {})
    assert (status, body["code"]) == (401, "authentication_error")
    assert "KALSHI-ACCESS-KEY" in body["message"]


async def test_a_signature_over_another_path_is_refused_and_explained(venue: SmallVenue, url: str) -> None:
    status, body = await refused(url, venue.keys[ALICE].headers("GET", "/trade-api/v2/ws"))
    assert status == 401
    assert body["error"]["details"]["expected_text"].endswith("GET/trade-api/ws/v2")


async def test_a_handshake_from_yesterday_is_refused(venue: SmallVenue, url: str) -> None:
    stale = venue.keys[ALICE].headers("GET", gateway.PATH, 1_600_000_000_000)
    assert (await refused(url, stale))[0] == 401


async def test_rsa_and_ed25519_keys_connect(venue: SmallVenue, url: str) -> None:
    for who in (ALICE, BOB):
        async with kalshi_stream(url, venue.keys[who]) as stream:
            assert (await stream.ask("list_subscriptions"))["msg"] == []


async def test_a_revoked_key_loses_its_connection(venue: SmallVenue, url: str) -> None:
    async with alice(venue, url) as stream, bob(venue, url) as other:
        await stream.ask("list_subscriptions")
        await venue.do(c.RevokeKey(ALICE, venue.keys[ALICE].key_id))
        code, reason = await stream.closed()
        assert (code, "revoked" in reason) == (1008, True)
        assert (await other.ask("list_subscriptions"))["type"] == "ok"


# --- what is wrong ------------------------------------------------------------------------------------------------------


MALFORMED: tuple[tuple[str | bytes, int], ...] = (
    ("{", 1),
    ("[]", 1),
    ("17", 1),
    ('"subscribe"', 1),
    (b"\xff\xfe", 1),
    ("[" * 5_000, 1),
    ('{"id": "x", "cmd": "subscribe"}', 1),
    ('{"id": -1, "cmd": "subscribe"}', 11),
    ("{}", 5),
    ('{"id": 1, "cmd": "fly", "params": {}}', 5),
    ('{"id": 1, "cmd": "subscribe"}', 2),
    ('{"id": 1, "cmd": "subscribe", "params": null}', 2),
    ('{"id": 1, "cmd": "subscribe", "params": {}}', 3),
    ('{"id": 1, "cmd": "subscribe", "params": {"channels": []}}', 3),
    ('{"id": 1, "cmd": "subscribe", "params": {"channels": "ticker"}}', 11),
    ('{"id": 1, "cmd": "subscribe", "params": {"channels": ["nonsense"]}}', 8),
    ('{"id": 1, "cmd": "subscribe", "params": {"channels": ["communications"]}}', 10),
    ('{"id": 1, "cmd": "subscribe", "params": {"channels": ["pyth_value"]}}', 10),
    ('{"id": 1, "cmd": "subscribe", "params": {"channels": ["orderbook_delta"]}}', 14),
    ('{"id": 1, "cmd": "subscribe", "params": {"channels": ["ticker"], "market_ticker": "NO-SUCH"}}', 11),
    ('{"id": 1, "cmd": "subscribe", "params": {"channels": ["trade"], "market_id": "NO-SUCH"}}', 11),
    ('{"id": 1, "cmd": "subscribe", "params": {"channels": ["ticker"], "market_id": "NO-SUCH"}}', 11),
    ('{"id": 1, "cmd": "subscribe", "params": {"channels": ["ticker"], "resume_from": "yesterday"}}', 11),
    ('{"id": 1, "cmd": "unsubscribe", "params": {}}', 4),
    ('{"id": 1, "cmd": "unsubscribe", "params": {"sids": [99]}}', 7),
    ('{"id": 1, "cmd": "update_subscription", "params": {}}', 12),
    ('{"id": 1, "cmd": "update_subscription", "params": {"sids": [1, 2]}}', 12),
    ('{"id": 1, "cmd": "update_subscription", "params": {"sid": 99}}', 7),
    ('{"id": 1, "cmd": "update_subscription", "params": {"sid": 1}}', 15),
    ('{"id": 1, "cmd": "update_subscription", "params": {"sid": 1, "action": "dance"}}', 13),
    ('{"id": 1, "cmd": "update_subscription", "params": {"sid": 1, "action": "add_markets"}}', 14),
    ('{"id": 1, "cmd": "update_subscription", "params": {"sid": 2, "action": "add_markets"}}', 13),
    ('{"id": 1, "cmd": "update_subscription", "params": {"sid": 3, "action": "get_snapshot"}}', 13),
    ('{"id": 1, "cmd": "update_subscription", "params": {"sid": 3, "action": "delete_markets", "market_ticker": '
     f'"{TICKER}"}}}}', 11),
)  # fmt: skip


async def test_bad_input_is_answered_with_its_code_and_changes_nothing(venue: SmallVenue, url: str) -> None:
    async with bob(venue, url) as stream:
        await stream.subscribe("orderbook_delta", TICKER)
        await stream.next()
        await stream.subscribe("market_lifecycle_v2")
        await stream.subscribe("trade")
        for raw, code in MALFORMED:
            await stream.send(raw)
            error = await stream.next()
            assert (error["type"], error["msg"]["code"]) == ("error", code), (raw, error)
            assert len(error["msg"]["msg"]) > 8
        assert [one["sid"] for one in (await stream.ask("list_subscriptions"))["msg"]] == [1, 2, 3]


async def test_both_ways_to_name_a_market_at_once_are_refused(venue: SmallVenue, url: str) -> None:
    async with bob(venue, url) as stream:
        code, _ = await stream.error("subscribe", channels=["trade"], market_ticker=TICKER, market_tickers=[OTHER])
        assert code == 11


async def test_id_zero_counts_as_none(venue: SmallVenue, url: str) -> None:
    async with bob(venue, url) as stream:
        await stream.send({"id": 0, "cmd": "list_subscriptions"})
        assert "id" not in await stream.next()


async def test_a_message_that_is_too_large_ends_the_connection(venue: SmallVenue, url: str) -> None:
    async with bob(venue, url) as stream:
        await stream.send("x" * 1_000_001)
        with pytest.raises(ConnectionClosed) as caught:
            await stream.next()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009


async def test_pings_are_answered_and_the_venue_pings_with_heartbeat(venue: SmallVenue) -> None:
    venue.app.include_router(gateway.router(Hub(venue.sequencer)))
    async with serving(venue.app, heartbeat_s=0.1) as url, bob(venue, url) as stream:
        await asyncio.wait_for(await stream.socket.ping(b"anybody there?"), PATIENCE_S)
        seen: asyncio.Queue[bytes] = asyncio.Queue()
        receive = stream.socket.protocol.recv_frame

        def watch(frame: Any) -> None:
            if frame.opcode == 9:
                seen.put_nowait(bytes(frame.data))
            receive(frame)

        stream.socket.protocol.recv_frame = watch  # type: ignore[method-assign]
        assert [await asyncio.wait_for(seen.get(), PATIENCE_S) for _ in range(3)] == [b"heartbeat"] * 3
        assert (await stream.ask("list_subscriptions"))["type"] == "ok"
