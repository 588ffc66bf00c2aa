"""Our own stream: what a page sees, who may see what of an account, coming back after a break, and its description."""

import base64
import contextlib
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.names import GUARANTEE
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide
from offchain_book.gateways import venue_stream as gateway
from offchain_book.gateways.asyncapi import document
from offchain_book.gateways.stream_tickets import MAX_TICKETS, TICKET_S, Tickets
from offchain_book.gateways.venue_stream_messages import MESSAGES, REQUESTS
from offchain_book.gateways.wallet_credentials import credentials
from tests.gateways.native_venue import CONTRACT, DOLLAR, SETTINGS, TICKER, WALLET, NativeVenue
from tests.gateways.streams import Stream, connect, serving
from tests.sdk.kalshi_venue import Key

TICKETS = "/venue/stream/tickets"


@cache
def validators() -> dict[str, Any]:
    """Return a validator per message type, from the AsyncAPI document that the venue serves."""
    schemas = document(SETTINGS)["components"]["schemas"]
    return {
        schema["properties"]["type"]["enum"][0]: jsonschema.Draft202012Validator(
            schema | {"components": {"schemas": schemas}, "additionalProperties": False}
        )
        for schema in schemas.values()
        if "type" in schema.get("properties", {})
    }


@pytest.fixture
def described() -> dict[str, Any]:
    return validators()


class VenueStream(Stream):
    """A client that keeps books and orders, as a page would, and checks each message against the description."""

    def __init__(self, socket: Any, described: dict[str, Any]) -> None:
        super().__init__(socket)
        self._described = described
        self.cursor = ""
        self.books: dict[str, dict[str, dict[int, int]]] = {}

    def _read(self, raw: str | bytes) -> Any:
        message = json.loads(raw)
        self._described[message["type"]].validate(message)
        self.cursor = message.get("cursor", self.cursor)
        if message["type"] == "book":
            self.books[message["ticker"]] = {"bid": dict(message["bids"]), "ask": dict(message["asks"])}
        for level in message.get("levels", []):
            side = self.books[message["ticker"]][level["side"]]
            side[level["price_e4"]] = level["size_micros"]
            if not level["size_micros"]:
                del side[level["price_e4"]]
        return message

    async def subscribe(self, *channels: str, tickers: tuple[str, ...] = (), resume_from: str = "") -> Any:
        await self.send({"op": "subscribe", "channels": channels, "tickers": tickers, "resume_from": resume_from})
        return await self.until(lambda message: message["type"] in ("subscribed", "error"))

    async def kind(self, name: str) -> Any:
        return await self.until(lambda message: message["type"] == name)

    async def silent(self) -> None:
        """Nothing has come that nobody asked for."""
        await self.send({"op": "ping"})
        assert (await self.next())["type"] == "pong"


@pytest.fixture(autouse=True)
def no_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, nothing comes that a test did not cause."""
    monkeypatch.setattr(gateway, "BEAT_S", 3_600)


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[NativeVenue]:
    async with NativeVenue(tmp_path).running() as running:
        await running.do(cc.CreditDeposit(3, GUARANTEE, 1_000 * DOLLAR, "0x4", 1, WALLET))
        yield running


@pytest.fixture
async def url(small: NativeVenue) -> AsyncIterator[str]:
    async with serving(small.app) as running:
        yield running + gateway.PATH


@pytest.fixture
async def stream(url: str, described: dict[str, Any]) -> AsyncIterator[VenueStream]:
    async with opened(url, described) as found:
        yield found


@contextlib.asynccontextmanager
async def opened(url: str, described: dict[str, Any]) -> AsyncIterator[VenueStream]:
    async with connect(url) as socket:
        found = VenueStream(socket, described)
        assert (await found.next())["type"] == "ready"
        yield found


async def place(small: NativeVenue, who: str, side: str, price_e4: int, contracts: int, **more: Any) -> str:
    order_id = str(uuid.uuid4())
    await small.do(c.PlaceOrder(order_id, who, TICKER, BookSide[side.upper()], price_e4, contracts * CONTRACT, **more))
    return order_id


async def wallet_buys_no(small: NativeVenue, price_e4: int, contracts: int) -> None:
    await place(small, WALLET, "ask", price_e4, contracts, outcome=Outcome.NO)


async def land(small: NativeVenue) -> None:
    state = small.state
    batch = state.next_batch
    await small.do(cc.CutBatch(batch, state.uncut, state.next_operation - state.uncut, "0x"))
    await small.do(cc.ObserveBatch(batch, cc.BatchStage.MINED, "0xabc", 7))
    await small.do(cc.ConfirmBatch(batch, "0xabc", 7, "0xdef"))


async def log_in(small: NativeVenue, stream: VenueStream, key: Key | None = None) -> str:
    answer = await small.signed(TICKETS, None, key)
    assert answer.status_code == 201, answer.text
    await stream.send({"op": "auth", "ticket": answer.json()["ticket"]})
    return (await stream.kind("authenticated"))["account"]


# --- public ---------------------------------------------------------------------------------------------------------------


async def test_a_page_follows_a_market_without_logging_in(small: NativeVenue, stream: VenueStream) -> None:
    await place(small, "alice", "bid", 4_000, 10)
    told = await stream.subscribe("book", "trades", "tickers", "settlement", tickers=(TICKER,))
    assert told["resumed"] is False
    assert (await stream.kind("book"))["bids"] == [[4_000, 10 * CONTRACT]]
    assert (await stream.kind("ticker"))["best_bid_micros"] == 10 * CONTRACT
    await wallet_buys_no(small, 4_000, 4)
    assert (await stream.kind("levels"))["levels"] == [{"side": "bid", "price_e4": 4_000, "size_micros": 6 * CONTRACT}]
    trade = await stream.kind("trade")
    assert (trade["taker_side"], trade["price_e4"], trade["on_chain"]) == ("ask", 4_000, True)
    assert (await stream.kind("ticker"))["open_interest_micros"] == 4 * CONTRACT
    await land(small)
    stages = [await stream.kind("settlement") for _ in range(3)]
    assert [one["stage"] for one in stages] == ["MATCHED", "MINED", "CONFIRMED"]
    assert (stages[2]["tx_hash"], stages[2]["block_number"], stages[2]["trade"]) == ("0xabc", 7, trade["trade"])


async def test_markets_are_announced_as_they_live(small: NativeVenue, stream: VenueStream) -> None:
    await stream.subscribe("markets")
    await small.do(c.ResolveMarket(TICKER, 1_000_000, "test"))
    told = [await stream.kind("market") for _ in range(2)]
    assert [(one["status"], one["yes_payout_micros"]) for one in told] == [("closed", 1_000_000), ("determined", 1_000_000)]


async def test_channels_come_and_go(small: NativeVenue, stream: VenueStream) -> None:
    await stream.subscribe("book", "trades", tickers=(TICKER,))
    await stream.kind("book")
    await stream.send({"op": "unsubscribe", "channels": ["book"], "tickers": [TICKER]})
    assert (await stream.next())["type"] == "unsubscribed"
    await place(small, "alice", "bid", 4_000, 10)
    await stream.silent()
    await stream.subscribe("trades")
    await wallet_buys_no(small, 4_000, 1)
    await stream.kind("trade")
    await stream.silent()


# --- one's own --------------------------------------------------------------------------------------------------------------


async def test_an_account_starts_whole_and_is_kept_up_to_date(small: NativeVenue, stream: VenueStream) -> None:
    first = await place(small, "alice", "bid", 4_000, 10)
    assert await log_in(small, stream) == "alice"
    await stream.subscribe("account")
    whole = await stream.kind("account")
    balances = {one["asset"]: one for one in whole["balances"]}
    assert (balances["USD"]["total"], balances["USD"]["held"]) == (100 * DOLLAR, 4 * DOLLAR)
    assert [one["order_id"] for one in whole["orders"]] == [first]
    await wallet_buys_no(small, 4_000, 4)
    assert (await stream.kind("order"))["order"]["filled_micros"] == 4 * CONTRACT
    fill = await stream.kind("fill")
    assert (fill["order_id"], fill["is_taker"], fill["position_micros"]) == (first, False, 14 * CONTRACT)
    cash = await stream.until(lambda one: one["type"] == "balance" and one["balance"]["asset"] == "USD")
    assert cash["balance"]["available"] == small.state.accounts["alice"].cash.available
    await land(small)
    assert [(await stream.kind("fill_stage"))["stage"] for _ in range(3)] == ["MATCHED", "MINED", "CONFIRMED"]


async def test_a_wallet_gets_a_ticket_with_its_api_key(small: NativeVenue, stream: VenueStream) -> None:
    await small.do(c.RegisterKey(WALLET, "dave-key", c.KeyKind.POLYMARKET))
    known = credentials(SETTINGS.api_secret, small.state.keys["dave-key"])
    stamp = str(int(time.time()))
    digest = hmac.new(base64.urlsafe_b64decode(known.secret), f"{stamp}POST{TICKETS}".encode(), hashlib.sha256).digest()
    headers = {
        "POLY_ADDRESS": WALLET,
        "POLY_API_KEY": known.key_id,
        "POLY_PASSPHRASE": known.passphrase,
        "POLY_TIMESTAMP": stamp,
        "POLY_SIGNATURE": base64.urlsafe_b64encode(digest).decode(),
    }
    ticket = (await small.http.post(TICKETS, headers=headers)).json()
    assert ticket["account"] == WALLET
    await stream.send({"op": "auth", "ticket": ticket["ticket"]})
    await stream.subscribe("account")
    assert (await stream.kind("account"))["account"] == WALLET
    await wallet_buys_no(small, 4_000, 4)
    order = (await stream.kind("order"))["order"]
    assert (order["outcome"], order["side"], order["status"]) == ("no", "ask", "resting")
    refused = await small.http.post(TICKETS, headers=headers | {"POLY_PASSPHRASE": "wrong"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "BAD_CREDENTIALS")


async def test_other_peoples_accounts_stay_theirs(small: NativeVenue, stream: VenueStream) -> None:
    await small.do(c.OpenAccount("mallory", c.Custody.CUSTODIAL, "mallory"))
    key = Key("mallory-key", ed25519.Ed25519PrivateKey.generate())
    await small.do(c.RegisterKey("mallory", key.key_id, c.KeyKind.KALSHI, key.public_pem))
    assert await log_in(small, stream, key) == "mallory"
    await stream.subscribe("account")
    assert (await stream.kind("account"))["account"] == "mallory"
    await place(small, "alice", "bid", 4_000, 10)
    await wallet_buys_no(small, 4_000, 4)
    await stream.silent()


async def test_a_key_of_a_subaccount_hears_that_part_only(small: NativeVenue, url: str, described: dict[str, Any]) -> None:
    await small.do(c.OpenSubaccount("alice"))
    await small.do(c.TransferCash("alice", "t", 0, 1, 10 * DOLLAR))
    key = Key("locked", ed25519.Ed25519PrivateKey.generate())
    await small.do(c.RegisterKey("alice/1", key.key_id, c.KeyKind.KALSHI, key.public_pem))
    async with opened(url, described) as locked, opened(url, described) as whole:
        assert await log_in(small, locked, key) == "alice/1"
        await log_in(small, whole)
        for one in (locked, whole):
            await one.subscribe("account")
        await place(small, "alice", "bid", 4_000, 1)
        await place(small, "alice/1", "bid", 4_100, 1)
        assert [(await whole.kind("order"))["order"]["account"] for _ in range(2)] == ["alice", "alice/1"]
        assert (await locked.kind("order"))["order"]["account"] == "alice/1"


async def test_tickets_work_once_and_not_for_long(small: NativeVenue, stream: VenueStream) -> None:
    ticket = (await small.signed(TICKETS, None)).json()["ticket"]
    await stream.send({"op": "auth", "ticket": ticket})
    await stream.kind("authenticated")
    await stream.send({"op": "auth", "ticket": ticket})
    assert (await stream.next())["code"] == "BAD_TICKET"
    now = [0.0]
    tickets = Tickets(lambda: now[0])
    early, late = tickets.issue("alice"), tickets.issue("alice")
    now[0] = TICKET_S
    assert tickets.use(early) is not None
    now[0] = TICKET_S + 1
    assert tickets.use(late) is None
    first = tickets.issue("alice")
    for _ in range(MAX_TICKETS):
        tickets.issue("bob")
    assert tickets.use(first) is None


async def test_a_ticket_needs_a_key_that_may_read(small: NativeVenue) -> None:
    key = Key("trades", ed25519.Ed25519PrivateKey.generate())
    await small.do(c.RegisterKey("alice", key.key_id, c.KeyKind.KALSHI, key.public_pem, "", ("write::trade",)))
    answer = await small.signed(TICKETS, None, key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "SCOPE")
    assert (await small.http.post(TICKETS)).status_code == 401


async def test_a_revoked_key_ends_the_connections_of_its_tickets(small: NativeVenue, stream: VenueStream) -> None:
    await log_in(small, stream)
    await small.do(c.RevokeKey("alice", small.key.key_id))
    assert (await stream.closed())[0] == 1008


# --- coming back ------------------------------------------------------------------------------------------------------------


async def test_after_a_break_nothing_is_missing(small: NativeVenue, url: str, described: dict[str, Any]) -> None:
    channels = ("book", "trades", "account")
    async with opened(url, described) as before:
        await log_in(small, before)
        await before.subscribe(*channels, tickers=(TICKER,))
        resting = await place(small, "alice", "bid", 4_000, 10)
        await before.until(lambda one: one["type"] == "balance" and one["balance"]["held"] == 4 * DOLLAR)
    await wallet_buys_no(small, 4_000, 4)
    await place(small, "alice", "bid", 3_000, 1)
    async with opened(url, described) as after:
        after.books = before.books
        await log_in(small, after)
        told = await after.subscribe(*channels, tickers=(TICKER,), resume_from=before.cursor)
        assert (told["resumed"], told["cursor"]) == (True, before.cursor)
        await after.send({"op": "ping"})
        seen = []
        while (message := await after.next())["type"] != "pong":
            seen.append(message)
        kinds = [one["type"] for one in seen]
        assert kinds.count("levels") == 2
        assert kinds.count("trade") == kinds.count("fill") == 1
        assert "book" not in kinds
        last = {one["order"]["order_id"]: one["order"] for one in seen if one["type"] == "order"}
        assert last[resting]["filled_micros"] == 4 * CONTRACT
        book = small.state.markets[TICKER].book
        assert after.books[TICKER] == {
            "bid": dict(book.depth(BookSide.BID)),
            "ask": dict(book.depth(BookSide.ASK)),
        }


async def test_a_gap_is_said_and_snapshots_follow(small: NativeVenue, stream: VenueStream) -> None:
    await place(small, "alice", "bid", 4_000, 10)
    told = await stream.subscribe("book", tickers=(TICKER,), resume_from="999999")
    assert told["resumed"] is False
    assert (await stream.next())["type"] == "book"


# --- what is wrong, and what is written down ----------------------------------------------------------------------------------


async def test_bad_messages_say_what_is_wrong(small: NativeVenue, stream: VenueStream) -> None:
    for message, code in (
        ("{", "BAD_MESSAGE"),
        (b"\xff", "BAD_MESSAGE"),
        ("[" * 5_000, "BAD_MESSAGE"),
        ({"op": "dance"}, "BAD_MESSAGE"),
        ({"op": "subscribe"}, "BAD_MESSAGE"),
        ({"op": "subscribe", "channels": ["book"], "tickers": [], "more": 1}, "BAD_MESSAGE"),
        ({"op": "subscribe", "channels": []}, "UNKNOWN_CHANNEL"),
        ({"op": "subscribe", "channels": ["gossip"]}, "UNKNOWN_CHANNEL"),
        ({"op": "subscribe", "channels": ["book"]}, "TICKERS_NEEDED"),
        ({"op": "subscribe", "channels": ["book"], "tickers": ["NO-SUCH"]}, "UNKNOWN_MARKET"),
        ({"op": "subscribe", "channels": ["account"]}, "NOT_AUTHENTICATED"),
        ({"op": "subscribe", "channels": ["trades"], "resume_from": "now"}, "BAD_CURSOR"),
        ({"op": "auth", "ticket": "guess"}, "BAD_TICKET"),
    ):
        await stream.send(message)
        answer = await stream.next()
        assert (answer["type"], answer["code"]) == ("error", code), (message, answer)
    await stream.silent()


async def test_the_served_description_names_every_message(small: NativeVenue, described: dict[str, Any]) -> None:
    served = (await small.http.get("/asyncapi.json")).json()
    assert served["asyncapi"] == "3.0.0"
    assert [channel["address"] for channel in served["channels"].values()] == [
        "/venue/ws",
        "/trade-api/ws/v2",
        "/ws/market",
        "/ws/user",
    ]
    assert set(served["components"]["messages"]) == {kind.__name__ for kind in (*MESSAGES, *REQUESTS)}
    assert len(described) == len(MESSAGES)
