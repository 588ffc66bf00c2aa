"""The hub: a slow reader is cut off alone, a gap is announced, whoever comes back misses nothing, every limit holds."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from offchain_book.config import StreamLimits
from offchain_book.engine import commands as c
from offchain_book.engine.order import BookSide
from offchain_book.gateways import kalshi_stream as gateway
from offchain_book.gateways import stream as hubs
from offchain_book.gateways.stream import BadCursor, Cursor, Hub
from tests.gateways.streams import PATIENCE_S, Clock, KalshiStream, book_of, kalshi_stream, serving
from tests.gateways.test_kalshi_stream import book, place, shown
from tests.sdk.kalshi_venue import ALICE, BOB, CAROL, OTHER, TICKER, SmallVenue


@contextlib.asynccontextmanager
async def served(venue: SmallVenue, **limits: Any) -> AsyncIterator[tuple[str, Hub]]:
    chosen = StreamLimits(**limits)
    hub = Hub(venue.sequencer, chosen)
    venue.app.include_router(gateway.router(hub))
    async with serving(venue.app, chosen) as url:
        yield url, hub


async def churn(venue: SmallVenue, rounds: int) -> None:
    """Make a lot of book: place and cancel."""
    for number in range(rounds):
        order = await place(venue, ALICE, "bid", 100 + 100 * (number % 30), 1)
        await venue.do(c.CancelOrder(ALICE, order))


@contextlib.asynccontextmanager
async def slow_stream(url: str, venue: SmallVenue, who: str) -> AsyncIterator[KalshiStream]:
    """Open a connection whose own buffers are small, so that what is not read waits at the venue."""
    with socket.socket() as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        small.connect(("127.0.0.1", int(url.rpartition(":")[2])))
        small.setblocking(False)
        async with kalshi_stream(url, venue.keys[who], sock=small, max_queue=1, close_timeout=1) as stream:
            yield stream


# --- slow readers -------------------------------------------------------------------------------------------------------


async def test_a_slow_reader_is_cut_off_with_its_code_and_the_others_miss_nothing(venue: SmallVenue) -> None:
    async with (
        served(venue, backlog_bytes=50_000, grace_s=PATIENCE_S) as (url, hub),
        slow_stream(url, venue, BOB) as stuck,
        kalshi_stream(url, venue.keys[CAROL]) as quick,
    ):
        await stuck.subscribe("orderbook_delta", TICKER)
        await quick.subscribe("orderbook_delta", TICKER)
        stuck.socket.transport.pause_reading()
        reader = asyncio.create_task(quick.until(lambda m: m["msg"].get("price_dollars") == "0.9900"))
        for _ in range(200):
            await churn(venue, 50)
            if hub.connections == 1:
                break
        assert hub.connections == 1
        await place(venue, ALICE, "bid", 9_900, 1)
        await reader
        assert shown(quick) == book(venue)
        stuck.socket.transport.resume_reading()
        code, reason = await stuck.closed()
        assert (code, reason.startswith("slow consumer")) == (1013, True)
        last = stuck.kept[-1]
        assert (last["type"], last["msg"]["code"], last["sid"]) == ("error", 25, 1)


async def test_a_reader_that_never_reads_again_is_dropped_after_its_grace(venue: SmallVenue) -> None:
    async with served(venue, backlog_bytes=50_000, grace_s=0.2) as (url, hub), slow_stream(url, venue, BOB) as stuck:
        await stuck.subscribe("orderbook_delta", TICKER)
        stuck.socket.transport.pause_reading()
        lost = asyncio.Event()
        protocol: Any = next(iter(hub._clients))._wire
        transport, heard = protocol.transport, protocol.connection_lost
        protocol.connection_lost = lambda error: (heard(error), lost.set())
        while hub.connections:
            await churn(venue, 50)
        await asyncio.wait_for(lost.wait(), PATIENCE_S)
        assert transport.is_closing()
        stuck.socket.transport.abort()


async def test_the_book_does_not_wait_for_the_streams(venue: SmallVenue) -> None:
    async with served(venue, pending=10) as (url, hub):
        async with kalshi_stream(url, venue.keys[BOB]) as stream:
            await stream.subscribe("orderbook_delta", TICKER)
            await stream.next()
            hub._scheduled = True  # the loop never comes round to sending
            await churn(venue, 5)
            assert await stream.closed() == (1013, "the streams fell behind; connect again and resume")
        assert venue.sequencer.failure is None
        hub._scheduled = False
        async with kalshi_stream(url, venue.keys[BOB]) as stream:
            await stream.subscribe("orderbook_delta", TICKER)
            await stream.next()
            assert shown(stream) == book(venue)


# --- coming back --------------------------------------------------------------------------------------------------------


async def test_whoever_resumes_gets_exactly_what_it_missed(venue: SmallVenue) -> None:
    channels = ["orderbook_delta", "trade", "fill", "user_orders"]
    async with served(venue) as (url, _):
        async with kalshi_stream(url, venue.keys[ALICE]) as stream:
            await stream.command("subscribe", channels=channels, market_ticker=TICKER, resume_from="")
            await stream.until(lambda m: m["type"] == "orderbook_snapshot")
            resting = await place(venue, ALICE, "bid", 4_000, 10)
            last = await stream.until(lambda m: m["type"] == "user_order")
            books = stream.books
        await place(venue, BOB, "ask", 4_000, 3)
        await venue.do(c.DecreaseOrder(ALICE, resting, reduce_by_micros=1_000_000))
        await place(venue, ALICE, "bid", 3_000, 1)
        async with kalshi_stream(url, venue.keys[ALICE]) as again:
            again.books = books
            await again.command("subscribe", channels=channels, market_ticker=TICKER, resume_from=last["cursor"])
            told = [m for m in [await again.next() for _ in range(4 + 3 + 1 + 1 + 2)] if m["type"] != "subscribed"]
            assert [m["type"] for m in told].count("orderbook_snapshot") == 0
            assert [m["msg"]["delta_fp"] for m in told if m["type"] == "orderbook_delta"] == ["-3.00", "-1.00", "1.00"]
            assert shown(again) == book(venue)
            orders = {m["msg"]["order_id"]: m["msg"] for m in told if m["type"] == "user_order"}
            assert orders[resting]["remaining_count_fp"] == "6.00"
            assert [m["msg"]["post_position_fp"] for m in told if m["type"] == "fill"] == ["3.00"]
            await place(venue, ALICE, "bid", 2_000, 1)
            await again.until(lambda m: m["type"] == "orderbook_delta")
            assert shown(again) == book(venue)


async def test_cursors_rise_and_each_is_a_place_to_go_on(venue: SmallVenue) -> None:
    async with served(venue) as (url, _), kalshi_stream(url, venue.keys[BOB]) as stream:
        for number in range(3):
            await place(venue, ALICE, "bid", 4_000 - 100 * number, 1)
        await stream.subscribe("orderbook_delta", TICKER, resume_from="")
        await stream.next()
        await place(venue, BOB, "ask", 3_800, 3)
        deltas = [await stream.next() for _ in range(3)]
        cursors = [Cursor.parse(delta["cursor"]) for delta in deltas]
        assert cursors == sorted(cursors)
        for place_to_go_on in range(3):
            async with kalshi_stream(url, venue.keys[BOB]) as again:
                again.books = {TICKER: {"clock": 0, "yes": dict.fromkeys(("0.4000", "0.3900", "0.3800"), "9.00"), "no": {}}}
                await again.command(
                    "subscribe", channels=["orderbook_delta"], market_ticker=TICKER, resume_from=str(cursors[place_to_go_on])
                )
                await place(venue, ALICE, "bid", 1_000, 1)
                await again.next()
                told = []
                while (message := await again.next())["msg"]["price_dollars"] != "0.1000":
                    told.append(message["cursor"])
                assert told == [delta["cursor"] for delta in deltas[place_to_go_on + 1 :]]
                await venue.do(c.CancelOrders(ALICE, TICKER))


async def test_a_gap_is_announced_and_a_book_starts_again_from_a_snapshot(venue: SmallVenue) -> None:
    async with served(venue, history=5) as (url, hub), kalshi_stream(url, venue.keys[BOB]) as stream:
        await churn(venue, 10)
        code, text = await stream.error("subscribe", channels=["trade"], resume_from="1")
        assert (code, "older than what is kept" in text) == (11, True)
        assert (await stream.ask("list_subscriptions"))["msg"] == []
        await stream.subscribe("orderbook_delta", TICKER, resume_from="1")
        snapshot = await stream.next()
        assert (snapshot["type"], snapshot["cursor"]) == ("orderbook_snapshot", str(hub.now))


async def test_a_cursor_of_another_venue_is_a_gap(venue: SmallVenue) -> None:
    async with served(venue) as (url, _), kalshi_stream(url, venue.keys[BOB]) as stream:
        assert (await stream.error("subscribe", channels=["trade"], resume_from="999999"))[0] == 11


async def test_too_much_to_repeat_is_a_gap(venue: SmallVenue) -> None:
    async with served(venue, replay=5) as (url, hub), kalshi_stream(url, venue.keys[BOB]) as stream:
        start = str(hub.now)
        await churn(venue, 10)
        await stream.subscribe("orderbook_delta", TICKER, resume_from=start)
        assert (await stream.next())["type"] == "orderbook_snapshot"


@pytest.mark.parametrize("text", ["", "x", "1.", ".1", "-1", "1.2.3", "1" * 16, "١"])
def test_no_cursor(text: str) -> None:
    with pytest.raises(BadCursor):
        Cursor.parse(text)


# --- limits -------------------------------------------------------------------------------------------------------------


async def test_connections_of_one_user_are_bounded(venue: SmallVenue) -> None:
    async with served(venue, connections_per_user=2) as (url, _):
        async with contextlib.AsyncExitStack() as stack:
            for who in (BOB, BOB):
                await stack.enter_async_context(kalshi_stream(url, venue.keys[who]))
            with pytest.raises(InvalidStatus) as caught:
                await stack.enter_async_context(kalshi_stream(url, venue.keys[BOB]))
            assert caught.value.response.status_code == 429
            await stack.enter_async_context(kalshi_stream(url, venue.keys[CAROL]))
        async with kalshi_stream(url, venue.keys[BOB]) as stream:
            assert (await stream.ask("list_subscriptions"))["type"] == "ok"


async def test_connections_of_the_venue_are_bounded(venue: SmallVenue) -> None:
    async with served(venue, connections=1) as (url, _), kalshi_stream(url, venue.keys[BOB]):
        with pytest.raises(InvalidStatus) as caught:
            async with kalshi_stream(url, venue.keys[CAROL]):
                pass
        assert caught.value.response.status_code == 503


async def test_markets_of_a_subscription_are_bounded(venue: SmallVenue) -> None:
    async with served(venue, markets=1) as (url, _), kalshi_stream(url, venue.keys[BOB]) as stream:
        assert (await stream.error("subscribe", channels=["trade"], market_tickers=[TICKER, OTHER]))[0] == 26
        sid = await stream.subscribe("trade", TICKER)
        code, _ = await stream.error("update_subscription", sid=sid, action="add_markets", market_ticker=OTHER)
        assert code == 26


async def test_commands_are_bounded_per_second(venue: SmallVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(hubs, "time", clock)
    async with served(venue, commands_per_s=5) as (url, _), kalshi_stream(url, venue.keys[BOB]) as stream:
        for _ in range(10):
            await stream.command("list_subscriptions")
        told = [await stream.next() for _ in range(10)]
        assert [m["type"] for m in told[:5]] == ["ok"] * 5
        assert [m["msg"]["code"] for m in told[5:]] == [27] * 5
        clock.now_s += 0.25
        assert (await stream.ask("list_subscriptions"))["type"] == "ok"
        assert (await stream.error("list_subscriptions"))[0] == 27


async def test_messages_are_bounded_in_size(venue: SmallVenue) -> None:
    async with served(venue, message_bytes=1_000) as (url, _), kalshi_stream(url, venue.keys[BOB]) as stream:
        await stream.send("x" * 1_001)
        with pytest.raises(ConnectionClosed) as caught:
            await stream.next()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009


async def test_a_bug_of_ours_closes_with_a_code_and_shows_no_traceback(
    venue: SmallVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a secret of the venue")

    monkeypatch.setattr(gateway.Session, "_carry_out", broken)
    async with served(venue) as (url, hub), kalshi_stream(url, venue.keys[BOB]) as stream:
        await stream.command("list_subscriptions")
        assert await stream.closed() == (1011, "a bug of the venue; its log says more")
        assert not hub.connections


async def test_a_fact_that_cannot_be_told_costs_the_readers_their_connections_and_no_more(
    venue: SmallVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise RuntimeError("a secret of the venue")

    async with served(venue) as (url, _):
        async with kalshi_stream(url, venue.keys[BOB]) as stream:
            await stream.subscribe("orderbook_delta", market_tickers=[TICKER])
            with monkeypatch.context() as patched:
                patched.setattr(gateway.Subscription, "take", broken)
                await place(venue, ALICE, "bid", 4_000, 1)
                assert (await stream.closed())[0] == 1013
        async with kalshi_stream(url, venue.keys[BOB]) as stream:
            await stream.subscribe("orderbook_delta", market_tickers=[TICKER])
            await place(venue, ALICE, "bid", 4_100, 1)
            await stream.until(lambda one: one["type"] == "orderbook_delta")
            assert stream.books[TICKER]["yes"] == {"0.4000": "1.00", "0.4100": "1.00"}


async def test_many_readers_have_the_same_book(venue: SmallVenue) -> None:
    async with served(venue) as (url, _), contextlib.AsyncExitStack() as stack:
        streams: list[KalshiStream] = []
        for number in range(20):
            stream = await stack.enter_async_context(kalshi_stream(url, venue.keys[(ALICE, BOB)[number % 2]]))
            await stream.subscribe("orderbook_delta", TICKER)
            streams.append(stream)
            await place(venue, ALICE, "bid", 4_000 - 100 * number, 1)
        await place(venue, BOB, "bid", 100, 1)
        for stream in streams:
            await stream.until(lambda m: m["msg"].get("price_dollars") == "0.0100")
            assert shown(stream) == book(venue)
        found = venue.state.markets[TICKER].book
        assert shown(streams[0]) == book_of(found.depth(BookSide.BID), found.depth(BookSide.ASK))
