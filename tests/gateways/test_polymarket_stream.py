"""Polymarket's WebSockets over a real server: books, changes, trades, and a wallet's own orders up to CONFIRMED or FAILED."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from offchain_book.config import StreamLimits
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.market_commands import PauseMarket, RefineTicks
from offchain_book.engine.operations import Outcome, TokenSide
from offchain_book.engine.order import BookSide
from offchain_book.gateways import polymarket_stream as gateway
from offchain_book.gateways import stream as hubs
from offchain_book.gateways.polymarket_markets import book_hash
from offchain_book.gateways.polymarket_words import Token
from offchain_book.gateways.price_structures import PRICE_STRUCTURES
from offchain_book.gateways.stream import Hub
from tests.gateways.polymarket_fixtures import (
    CENTS,
    CONTRACT,
    DOLLAR,
    FEE_TICKER,
    SETTINGS,
    TICKER,
    House,
    Wallet,
    market,
    open_house,
)
from tests.gateways.streams import PATIENCE_S, Clock, Stream, connect, serving


class MarketStream(Stream):
    """A reader of /ws/market that keeps books, and reads lists of events as well as single ones."""

    def __init__(self, socket: Any) -> None:
        super().__init__(socket)
        self.books: dict[str, dict[str, dict[str, str]]] = {}

    def _read(self, raw: str | bytes) -> Any:
        if raw == "PONG":
            return {"event_type": "PONG"}
        event = json.loads(raw)
        if event["event_type"] == "book":
            sides = {"BUY": event["bids"], "SELL": event["asks"]}
            self.books[event["asset_id"]] = {
                side: {level["price"]: level["size"] for level in levels} for side, levels in sides.items()
            }
        for change in event.get("price_changes", []):
            if change["asset_id"] in self.books:
                levels = self.books[change["asset_id"]][change["side"]]
                levels[change["price"]] = change["size"]
                if change["size"] == "0":
                    del levels[change["price"]]
        return event

    async def want(self, *tokens: str, **more: Any) -> None:
        """Subscribe tokens, each with its book."""
        await self.send({"type": "market", "assets_ids": list(tokens), **more})
        for _ in tokens:
            assert (await self.next())["event_type"] == "book"

    async def event(self, kind: str, asset_id: str = "") -> Any:
        """Return the next event of a kind (and of a token)."""
        return await self.until(lambda e: e["event_type"] == kind and (not asset_id or e["asset_id"] == asset_id))


@contextlib.asynccontextmanager
async def opened(house: House, **limits: Any) -> AsyncIterator[tuple[str, Hub]]:
    chosen = StreamLimits(**{"silence_s": PATIENCE_S, **limits})
    hub = Hub(house.sequencer, chosen)
    house.app.include_router(gateway.router(hub, SETTINGS))
    async with serving(house.app, chosen) as url:
        yield url, hub


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as running:
        yield running


@pytest.fixture
async def url(house: House) -> AsyncIterator[str]:
    async with opened(house) as (running, _):
        yield running


@pytest.fixture
async def wallet(house: House) -> AsyncIterator[Wallet]:
    async with house.client() as http:
        found = Wallet(http, bytes.fromhex("51" * 32))
        await found.login()
        await house.fund(found.account, 1_000 * DOLLAR)
        yield found


@contextlib.asynccontextmanager
async def market_stream(url: str) -> AsyncIterator[MarketStream]:
    async with connect(url + gateway.MARKET_PATH) as socket:
        yield MarketStream(socket)


@contextlib.asynccontextmanager
async def user_stream(url: str, wallet: Wallet | None, *markets: str) -> AsyncIterator[MarketStream]:
    async with connect(url + gateway.USER_PATH) as socket:
        stream = MarketStream(socket)
        if wallet is not None:
            await stream.send({"type": "user", "auth": auth(wallet), "markets": list(markets)})
            await stream.send("PING")
            assert await stream.next() == {"event_type": "PONG"}
        yield stream


def auth(wallet: Wallet) -> dict[str, str]:
    return {name: wallet.creds[name] for name in ("apiKey", "secret", "passphrase")}


def tokens(house: House, ticker: str = TICKER) -> tuple[str, str]:
    found = house.state.markets[ticker]
    return found.yes_token_id, found.no_token_id


def book(house: House, outcome: Outcome, ticker: str = TICKER) -> dict[str, dict[str, str]]:
    token = Token(house.state.markets[ticker], outcome)

    def text(amount: int, decimals: int) -> str:
        return f"{amount / 10**decimals:.4f}".rstrip("0").rstrip(".")

    return {side.name: {text(price, 4): text(size, 6) for price, size in token.depth(side)} for side in TokenSide}


# --- the market channel -------------------------------------------------------------------------------------------------


async def test_both_tokens_books_follow_from_the_changes(house: House, url: str) -> None:
    await house.quote("bid", 4_000, 10)
    yes, no = tokens(house)
    async with market_stream(url) as stream:
        await stream.want(yes, no)
        await house.quote("ask", 6_000, 4)
        change = await stream.event("price_change")
        assert change["market"] == house.state.markets[TICKER].condition_id
        told = {one["asset_id"]: one for one in change["price_changes"]}
        assert told[yes] == {
            "asset_id": yes,
            "price": "0.6",
            "size": "4",
            "side": "SELL",
            "best_bid": "0.4",
            "best_ask": "0.6",
            "hash": told[yes]["hash"],
        }
        assert (told[no]["price"], told[no]["side"], told[no]["best_bid"]) == ("0.4", "BUY", "0.4")
        assert len(told[yes]["hash"]) == 40
        for price in (4_100, 4_200, 3_900):
            await house.quote("bid", price, 3)
        await house.do(c.CancelOrders("maria", TICKER, limit=2))
        await stream.until(lambda e: any(one["size"] == "0" for one in e.get("price_changes", [])))
        assert stream.books == {yes: book(house, Outcome.YES), no: book(house, Outcome.NO)}
        assert stream.books[yes]["BUY"] == {"0.41": "3", "0.42": "3", "0.39": "3"}


async def test_first_book_is_that_of_rest(house: House, url: str) -> None:
    await house.quote("bid", 4_000, 10)
    yes, _ = tokens(house)
    async with market_stream(url) as stream, house.client() as http:
        await stream.send({"type": "MARKET", "assets_ids": [yes]})
        event = await stream.next()
        rest = (await http.get("/book", params={"token_id": yes})).json()
        assert event == {"event_type": "book", **rest}


async def test_trades_best_prices_and_markets_for_those_who_want_them(house: House, url: str, wallet: Wallet) -> None:
    await house.quote("ask", 6_000, 10)
    yes, no = tokens(house)
    async with market_stream(url) as plain, market_stream(url) as custom:
        await plain.want(yes)
        await custom.want(yes, no, custom_feature_enabled=True)
        await wallet.place("BUY", yes, 6 * DOLLAR, 10 * CONTRACT)
        for stream in (plain, custom):
            trade = await stream.event("last_trade_price")
            assert (trade["asset_id"], trade["price"], trade["size"], trade["side"]) == (yes, "0.6", "10", "BUY")
        other = await custom.event("last_trade_price", no)
        assert (other["price"], other["side"]) == ("0.4", "SELL")
        await house.quote("bid", 2_000, 1)
        best = await custom.event("best_bid_ask", no)
        assert (best["best_bid"], best["best_ask"], best["spread"]) == ("0", "0.8", "0.8")
        await house.do(market("RAIN-9", "RAIN", CENTS))
        new = await custom.event("new_market")
        assert (new["slug"], new["outcomes"]) == ("rain-9", ["Yes", "No"])
        assert new["assets_ids"] == list(tokens(house, "RAIN-9"))
        await house.do(c.ResolveMarket(TICKER, 1_000_000, "test"))
        resolved = await custom.event("market_resolved")
        assert (resolved["winning_asset_id"], resolved["winning_outcome"]) == (yes, "Yes")
        await plain.send("PING")
        seen = []
        while (event := await plain.next())["event_type"] != "PONG":
            seen.append(event["event_type"])
        assert set(seen) == {"book", "price_change"}


async def test_a_trade_is_followed_by_both_tokens_books_as_rest_has_them(house: House, url: str, wallet: Wallet) -> None:
    await house.quote("ask", 6_000, 10)
    yes, no = tokens(house)
    async with market_stream(url) as stream, house.client() as http:
        await stream.want(yes, no)
        await wallet.place("BUY", yes, 3 * DOLLAR, 5 * CONTRACT)
        for token in (yes, no):
            told = await stream.event("book", token)
            rest = (await http.get("/book", params={"token_id": token})).json()
            same = ("asset_id", "bids", "asks", "last_trade_price", "tick_size", "market")
            assert {name: told[name] for name in same} == {name: rest[name] for name in same}
            assert told["hash"] == book_hash({name: value for name, value in told.items() if name != "event_type"})
            assert told["asks" if token == yes else "bids"] == [{"price": "0.6" if token == yes else "0.4", "size": "5"}]
        await house.quote("bid", 100, 1)
        await stream.event("price_change")
        await stream.send("PING")
        assert (await stream.next())["event_type"] == "PONG"


async def test_trades_that_come_faster_than_they_are_sent_are_followed_by_one_book(house: House, wallet: Wallet) -> None:
    yes, _ = tokens(house)
    async with opened(house) as (url, hub), market_stream(url) as stream:
        await stream.want(yes)
        hub._scheduled = True  # nothing is sent before the flush below
        for _ in range(3):
            await house.quote("ask", 6_000, 2)
            await wallet.place("BUY", yes, DOLLAR * 6 // 10, CONTRACT)
        await house.quote("bid", 1_000, 1)
        hub.flush()
        kinds: list[str] = []
        while not kinds or kinds[-1] != "book":
            kinds.append((await stream.next())["event_type"])
        assert kinds.count("last_trade_price") == 3
        assert stream.books[yes] == book(house, Outcome.YES)


async def test_a_finer_tick_is_told_to_both_tokens_once_clients_can_use_it(house: House, url: str) -> None:
    yes, no = tokens(house)
    async with market_stream(url) as stream:
        await stream.want(yes, no)
        for structure in ("center_whole_edge_half_cent", "deci_cent"):
            await house.do(RefineTicks(TICKER, structure, PRICE_STRUCTURES[structure]))
        for token in (yes, no):
            told = await stream.event("tick_size_change", token)
            assert (told["old_tick_size"], told["new_tick_size"]) == ("0.01", "0.001")


async def test_tokens_come_and_go_without_a_new_connection(house: House, url: str) -> None:
    yes, _ = tokens(house)
    other, _ = tokens(house, FEE_TICKER)
    async with market_stream(url) as stream:
        await stream.want(yes)
        await stream.send({"operation": "subscribe", "assets_ids": [other], "initial_dump": False})
        await stream.send({"operation": "unsubscribe", "assets_ids": [yes]})
        await stream.send("PING")
        assert (await stream.next())["event_type"] == "PONG"
        await house.quote("bid", 4_000, 1)
        await house.quote("bid", 4_100, 1, FEE_TICKER)
        change = await stream.next()
        assert change["market"] == house.state.markets[FEE_TICKER].condition_id


BAD = (
    ("{", "MALFORMED"),
    ("[1]", "MALFORMED"),
    (b"\xff", "MALFORMED"),
    ("[" * 5_000, "MALFORMED"),
    ('{"assets_ids": "all"}', "MALFORMED"),
    ('{"type": "user"}', "WRONG_CHANNEL"),
    ('{"operation": "dance"}', "UNKNOWN_OPERATION"),
    ('{"assets_ids": ["123"]}', "UNKNOWN_TOKEN"),
    (json.dumps({"assets_ids": ["1", "2", "3", "4"]}), "TOO_MANY_TOKENS"),
)


async def test_bad_messages_are_answered_and_end_nothing(house: House) -> None:
    async with opened(house, markets=3) as (url, _), market_stream(url) as stream:
        for raw, code in BAD:
            await stream.send(raw)
            event = await stream.next()
            assert (event["event_type"], event["code"]) == ("error", code), (raw, event)
        await stream.send(" PING\n")
        assert await stream.next() == {"event_type": "PONG"}


async def test_messages_are_bounded_per_second(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(hubs, "time", clock)
    async with opened(house, commands_per_s=3) as (url, _), market_stream(url) as stream:
        for _ in range(8):
            await stream.send("PING")
        told = [await stream.next() for _ in range(8)]
        assert [event["event_type"] for event in told[:3]] == ["PONG"] * 3
        assert [event["code"] for event in told[3:]] == ["TOO_MANY"] * 5
        clock.now_s += 0.5
        await stream.send("PING")
        assert (await stream.next())["event_type"] == "PONG"


async def test_connections_from_one_address_are_bounded(house: House) -> None:
    async with opened(house, connections_per_user=1) as (url, _), market_stream(url):
        with pytest.raises(InvalidStatus) as caught:
            async with market_stream(url):
                pass
        assert caught.value.response.status_code == 429


# --- the user channel ---------------------------------------------------------------------------------------------------


async def test_an_order_is_placed_updated_and_cancelled(house: House, url: str, wallet: Wallet) -> None:
    yes, _ = tokens(house)
    async with user_stream(url, wallet) as stream:
        placed = (await wallet.place("BUY", yes, 4 * DOLLAR, 10 * CONTRACT)).json()
        order = await stream.event("order")
        assert (order["type"], order["id"], order["status"]) == ("PLACEMENT", placed["orderID"], "LIVE")
        assert (order["original_size"], order["size_matched"], order["price"]) == ("10", "0", "0.4")
        assert order["owner"] == wallet.creds["apiKey"]
        await house.quote("ask", 4_000, 3)
        update = await stream.event("order")
        assert (update["type"], update["size_matched"], update["associate_trades"]) == ("UPDATE", "3", ["trade:0"])
        await wallet.call("DELETE", "/order", {"orderID": placed["orderID"]})
        gone = await stream.event("order")
        assert (gone["type"], gone["status"], gone["size_matched"]) == ("CANCELLATION", "CANCELED", "3")


@pytest.mark.parametrize(
    ("end", "status"), [(c.CloseMarket(TICKER), "CANCELED_MARKET_RESOLVED"), (PauseMarket(TICKER), "CANCELED")]
)
async def test_an_order_that_its_market_takes_away_is_told_as_cancelled(
    house: House, url: str, wallet: Wallet, end: c.Command, status: str
) -> None:
    yes, _ = tokens(house)
    async with user_stream(url, wallet) as stream:
        await house.do(
            c.PlaceOrder("0xorder", wallet.account, TICKER, BookSide.BID, 4_000, CONTRACT, outcome=Outcome.YES,
                         cancel_on_pause=True)
        )  # fmt: skip
        assert (await stream.event("order"))["type"] == "PLACEMENT"
        await house.do(end)
        gone = await stream.event("order")
        assert (gone["type"], gone["id"], gone["asset_id"], gone["status"]) == ("CANCELLATION", "0xorder", yes, status)


async def test_a_trade_goes_from_matched_to_confirmed(house: House, url: str, wallet: Wallet) -> None:
    yes, _ = tokens(house)
    await house.quote("ask", 4_000, 10)
    async with user_stream(url, wallet, house.state.markets[TICKER].condition_id) as stream:
        await wallet.place("BUY", yes, 4 * DOLLAR, 10 * CONTRACT)
        told = [await stream.event("trade")]
        batch = await house.cut()
        await house.observe(batch, cc.BatchStage.MINED, "0xaa")
        told.append(await stream.event("trade"))
        await house.observe(batch, cc.BatchStage.RETRYING, "0xbb")
        told.append(await stream.event("trade"))
        await house.observe(batch, cc.BatchStage.MINED, "0xbb")
        told.append(await stream.event("trade"))
        await house.confirm(batch, "0xbb")
        told.append(await stream.event("trade"))
    assert [one["status"] for one in told] == ["MATCHED", "MINED", "RETRYING", "MINED", "CONFIRMED"]
    assert [one["transaction_hash"] for one in told] == ["", "0xaa", "0xbb", "0xbb", "0xbb"]
    last = told[-1]
    assert (last["id"], last["trader_side"], last["side"], last["size"]) == ("trade:0", "TAKER", "BUY", "10")
    assert (last["owner"], last["maker_orders"][0]["owner"]) == (wallet.creds["apiKey"], "")


async def test_a_skipped_fill_is_told_as_failed(house: House, url: str, wallet: Wallet) -> None:
    yes, _ = tokens(house)
    await house.quote("ask", 4_000, 10)
    async with user_stream(url, wallet) as stream:
        await wallet.place("BUY", yes, 4 * DOLLAR, 10 * CONTRACT)
        batch = await house.cut()
        await house.confirm(batch, "0xcc", ((0, 1),))
        told = await stream.until(lambda e: e["event_type"] == "trade" and e["status"] != "MATCHED")
        assert told["status"] == "FAILED"
        assert told["err_msg"]


async def test_wallets_see_their_own_only(house: House, url: str, wallet: Wallet) -> None:
    yes, _ = tokens(house)
    async with house.client() as http, user_stream(url, wallet) as own:
        stranger = Wallet(http, bytes.fromhex("52" * 32))
        await stranger.login()
        async with user_stream(url, stranger) as other:
            await wallet.place("BUY", yes, 4 * DOLLAR, 10 * CONTRACT)
            await own.event("order")
            await other.send("PING")
            assert await other.next() == {"event_type": "PONG"}


async def test_user_events_narrow_to_markets(house: House, url: str, wallet: Wallet) -> None:
    (yes, _), (other, _) = tokens(house), tokens(house, FEE_TICKER)
    async with user_stream(url, wallet, house.state.markets[FEE_TICKER].condition_id) as stream:
        await wallet.place("BUY", yes, 4 * DOLLAR, 10 * CONTRACT)
        await wallet.place("BUY", other, 4 * DOLLAR, 10 * CONTRACT, fee_rate_bps=0)
        assert (await stream.event("order"))["asset_id"] == other


@pytest.mark.parametrize("wrong", [{}, {"secret": "x"}, {"passphrase": "x"}, {"apiKey": "x"}, {"apiKey": None}])
async def test_wrong_credentials_are_shown_out(house: House, url: str, wallet: Wallet, wrong: dict[str, Any]) -> None:
    async with user_stream(url, None) as stream:
        given = {name: value for name, value in (auth(wallet) | wrong).items() if wrong and value is not None}
        await stream.send({"type": "user", **({"auth": given} if "apiKey" in given else {})})
        code, reason = await stream.closed()
        assert stream.kept[0]["code"] == "UNAUTHORIZED"
        assert (code, reason) == (1008, stream.kept[0]["message"])


async def test_keys_that_do_not_trade_open_no_user_stream(house: House, url: str, wallet: Wallet) -> None:
    made = (await wallet.call("POST", "/auth/builder-api-key")).json()
    async with user_stream(url, None) as stream:
        await stream.send(
            {"type": "user", "auth": {"apiKey": made["key"], **{n: made[n] for n in ("secret", "passphrase")}}}
        )
        assert (await stream.closed())[0] == 1008


async def test_whoever_says_nothing_is_shown_out(house: House) -> None:
    async with opened(house, silence_s=0.1) as (url, _), user_stream(url, None) as stream:
        assert await stream.closed() == (1008, "no auth within 0.1 s")


async def test_a_revoked_key_hears_nothing_more(house: House, url: str, wallet: Wallet) -> None:
    async with user_stream(url, wallet) as stream:
        assert (await wallet.call("DELETE", "/auth/api-key")).status_code == 200
        assert (await stream.closed())[0] == 1008
