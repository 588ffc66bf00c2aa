"""Asks 8 to 10 of users, about streams, one test each that shows our answer; the others are in test_top_asks.py."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine.names import GUARANTEE
from offchain_book.engine.order import BookSide
from offchain_book.gateways import venue_stream
from offchain_book.gateways.stream import Cursor
from tests.gateways.native_venue import CONTRACT, DOLLAR, TICKER, WALLET, NativeVenue
from tests.gateways.streams import connect, serving
from tests.gateways.test_venue_stream import log_in, opened, place, validators, wallet_buys_no
from tests.sdk.kalshi_venue import Key

KALSHI = "/trade-api/ws/v2"


@pytest.fixture
async def url(small: NativeVenue) -> AsyncIterator[str]:
    async with serving(small.app) as running:
        yield running


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[NativeVenue]:
    async with NativeVenue(tmp_path).running() as running:
        await running.do(cc.CreditDeposit(3, GUARANTEE, 1_000 * DOLLAR, "0x4", 1, WALLET))
        yield running


async def test_ask_8_a_heartbeat_says_what_was_sent_last_so_silence_and_staleness_are_told_apart(
    small: NativeVenue, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asks for it. A channel where nothing happens keeps its cursor; where something did, it is the last message's."""
    monkeypatch.setattr(venue_stream, "BEAT_S", 0.05)
    async with opened(url + venue_stream.PATH, validators()) as stream:
        told = await stream.subscribe("book", "trades", tickers=(TICKER,))
        quiet = await stream.kind("heartbeat")
        assert quiet["channels"] == {"book": told["cursor"], "trades": told["cursor"]}
        await place(small, "alice", "bid", 4_000, 10)
        levels = await stream.kind("levels")
        beat = await stream.until(lambda one: one["type"] == "heartbeat" and one["channels"] != quiet["channels"])
        assert beat["channels"] == {"book": levels["cursor"], "trades": told["cursor"]}
        assert Cursor.parse(beat["cursor"]) >= Cursor.parse(levels["cursor"]) > Cursor.parse(told["cursor"])
        again = await stream.kind("heartbeat")
        assert again["channels"] == beat["channels"], "it goes on while nothing happens"
        assert again["venue_time_ms"] >= beat["venue_time_ms"]
        await stream.send({"op": "ping"})
        assert (await stream.kind("pong"))["channels"] == beat["channels"], "whoever cannot wait asks"


async def test_ask_9_after_a_break_the_missed_comes_and_a_gap_is_flagged_and_filled_by_snapshots(
    small: NativeVenue, url: str
) -> None:
    described = validators()
    async with opened(url + venue_stream.PATH, described) as before:
        await log_in(small, before)
        await before.subscribe("book", "trades", "account", tickers=(TICKER,))
        order_id = await place(small, "alice", "bid", 4_000, 10)
        await before.until(lambda one: one["type"] == "order" and one["order"]["order_id"] == order_id)
        await before.send({"op": "ping"})
        await before.kind("pong")
    await wallet_buys_no(small, 4_000, 4)
    async with opened(url + venue_stream.PATH, described) as after:
        after.books = before.books
        await log_in(small, after)
        told = await after.subscribe("book", "trades", "account", tickers=(TICKER,), resume_from=before.cursor)
        assert told["resumed"] is True
        assert (await after.kind("trade"))["size_micros"] == 4 * CONTRACT
    async with opened(url + venue_stream.PATH, described) as stale:
        told = await stale.subscribe("book", tickers=(TICKER,), resume_from="999999")
        assert told["resumed"] is False
        assert (await stale.kind("book"))["bids"] == [
            list(level) for level in small.state.markets[TICKER].book.depth(BookSide.BID)
        ]


async def test_ask_10_the_description_beside_docs_names_every_stream_and_each_answers_an_example(
    small: NativeVenue, url: str
) -> None:
    """From the document alone: connect to each address, and have the first message or refusal of each."""
    assert 'href="/asyncapi.json"' in (await small.http.get("/docs")).text
    document = (await small.http.get("/asyncapi.json")).json()
    tried = [(_key_of(small, address), address, message) for address, message in EXAMPLES]
    assert {address for address, _ in EXAMPLES} == {channel["address"] for channel in document["channels"].values()}
    for key, address, message in tried:
        headers = key.headers("GET", address) if key else None
        async with connect(url + address, additional_headers=headers) as socket:
            await socket.send(message)
            assert re.search('"(event_)?type"', str(await socket.recv())), address
    names = set(document["components"]["schemas"])
    assert {kind["name"] for kind in document["components"]["messages"].values()} <= names
    for channel in venue_stream.CHANNELS:
        assert channel in document["channels"]["venue"]["description"]


EXAMPLES: tuple[tuple[str, str], ...] = (
    (venue_stream.PATH, '{"op": "subscribe", "channels": ["markets"], "tickers": []}'),
    (KALSHI, '{"id": 1, "cmd": "subscribe", "params": {"channels": ["market_lifecycle_v2"]}}'),
    ("/ws/market", '{"type": "market", "assets_ids": ["5"]}'),
    ("/ws/user", '{"type": "user"}'),
)


def _key_of(small: NativeVenue, address: str) -> Key | None:
    return small.key if address == KALSHI else None
