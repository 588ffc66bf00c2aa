"""Every refusal, whichever dialect and wire it comes by, links to its line on the page of errors, which the venue itself serves."""

import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from offchain_book.engine import chain_commands as cc
from offchain_book.engine.operations import Outcome, TokenSide
from offchain_book.gateways import error_page, kalshi_errors
from offchain_book.gateways.fix import Service
from offchain_book.gateways.kalshi_stream import PATH as KALSHI_WS
from offchain_book.gateways.kalshi_stream_protocol import ERRORS
from offchain_book.gateways.polymarket import NOT_SERVED
from offchain_book.gateways.venue_stream import PATH as VENUE_WS
from tests.gateways.fix_raw import FixWorld, RawClient, fix_world, order
from tests.gateways.native_venue import CONTRACT, DOLLAR, STRANGER, TICKER, WALLET_KEY, NativeVenue
from tests.gateways.polymarket_fixtures import Wallet
from tests.gateways.streams import connect, serving
from tests.sdk.kalshi_venue import Key

KALSHI = "/trade-api/v2"
ORDERS = f"{KALSHI}/portfolio/events/orders"
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[NativeVenue]:
    async with NativeVenue(tmp_path).running() as running:
        await running.do(cc.CreditDeposit(3, "venue:guarantee", 1_000 * DOLLAR, "0x4", 1, STRANGER))
        yield running


class Follower:
    """Follows links and counts them."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.codes: set[str] = set()

    async def follow(self, link: str, what: object) -> None:
        """Open a link: a page of this venue, that loads nothing from elsewhere, with exactly one line of this name."""
        path, _, code = link.partition("#")
        page = await self.http.get(path)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8"), what
        assert page.text.count(f'id="{code}"') == 1, (link, what)
        assert not re.search(r"(?:src|href)=|@import|url\(", page.text), "the page works without the internet"
        self.codes.add(code)

    async def every(self, bodies: Iterable[tuple[str, Any]]) -> None:
        """Follow the link of each error body."""
        for name, body in bodies:
            assert "docs" in body, (name, body)
            await self.follow(body["docs"], name)


@pytest.fixture
def follower(small: NativeVenue) -> Follower:
    return Follower(small.http)


def kalshi_order(**changed: Any) -> dict[str, Any]:
    plain = {"ticker": TICKER, "side": "bid", "price": "0.4000", "count": "10.00", "time_in_force": "good_till_canceled"}
    return {**plain, "self_trade_prevention_type": "taker_at_cross", **changed}


async def as_alice(small: NativeVenue, method: str, path: str, key: Key | None = None, **more: Any) -> httpx.Response:
    headers = (key or small.key).headers(method, path.partition("?")[0])
    return await small.http.request(method, path, headers=headers, **more)


def refused(answer: httpx.Response) -> Any:
    assert answer.status_code >= 400, answer.text
    return answer.json()


async def test_refusals_of_kalshis_dialect_link_to_their_explanation(small: NativeVenue, follower: Follower) -> None:
    requests: list[tuple[str, str, Any]] = [
        ("POST", ORDERS, kalshi_order(count="1000.00")),
        ("POST", ORDERS, kalshi_order(price="0.4050")),
        ("POST", ORDERS, kalshi_order(ticker="NONE")),
        ("POST", ORDERS, kalshi_order(side="up")),
        ("DELETE", f"{ORDERS}/none", None),
        ("GET", f"{KALSHI}/markets/NONE", None),
        ("GET", f"{KALSHI}/markets?cursor=x", None),
        ("GET", f"{KALSHI}/markets?limit=x", None),
        ("GET", f"{KALSHI}/portfolio/orders?subaccount=7", None),
        ("GET", f"{KALSHI}/nowhere", None),
        ("GET", f"{KALSHI}/markets/", None),
        ("PATCH", f"{KALSHI}/markets", None),
        ("GET", f"{KALSHI}/communications/rfqs", None),
        ("POST", f"{KALSHI}/communications/quotes", {}),
    ]
    for method, path, body in requests:
        answer = await as_alice(small, method, path, json=body)
        found = answer.json()
        await follower.every([(path, found), (path, found["error"])])
        assert answer.status_code != 500
    unsigned = refused(await small.http.get(f"{KALSHI}/portfolio/balance"))
    scope = refused(await as_alice(small, "POST", ORDERS, small.reader, json=kalshi_order()))
    large = refused(await small.http.post(ORDERS, content=b"x" * 1_000_001))
    rows = (await as_alice(small, "POST", f"{ORDERS}/batched", json={"orders": [kalshi_order(price="2.0000"), 5]})).json()
    gone = (await as_alice(small, "DELETE", f"{ORDERS}/batched", json={"orders": [{"order_id": "none"}]})).json()
    older = await as_alice(small, "DELETE", f"{KALSHI}/portfolio/orders/batched", json={"ids": ["none"]})
    await follower.every(
        [
            ("unsigned", unsigned["error"]),
            ("scope", scope["error"]),
            ("too large", large["error"]),
            *(("row", row["error"]) for row in rows["orders"]),
            *(("row", row["error"]) for row in gone["orders"]),
            *(("older row", row["error"]) for row in older.json()["orders"]),
        ]
    )
    assert follower.codes >= {"INSUFFICIENT_CASH", "PRICE_OFF_TICK", "not_implemented", "authentication_error", "not_found"}


async def test_refusals_of_polymarkets_dialect_link_to_their_explanation(small: NativeVenue, follower: Follower) -> None:
    wallet, token = Wallet(small.http, WALLET_KEY), small.state.markets[TICKER].yes_token_id
    stranger = await small.http.post("/auth/api-key", headers=wallet.proof(chain_id=1))
    await wallet.login()
    good = wallet.payload("BUY", token, 1 * DOLLAR, 10 * CONTRACT)
    poor = wallet.payload("BUY", token, 900 * DOLLAR, 1_500 * CONTRACT)
    forged = wallet.payload("BUY", token, 2 * DOLLAR, 10 * CONTRACT)
    forged["order"]["makerAmount"] = "2000001"
    off_tick = wallet.payload("BUY", token, 4_050_000, 10 * CONTRACT)
    foreign = wallet.payload("BUY", "5", 1 * DOLLAR, 10 * CONTRACT)
    proxy = wallet.payload("BUY", token, 1 * DOLLAR, 10 * CONTRACT, signature_type=1)
    killed = wallet.payload("BUY", token, 1 * DOLLAR, 10 * CONTRACT, "FOK")
    unmatched = wallet.payload("BUY", token, 1 * DOLLAR, 10 * CONTRACT, "FAK")
    answers = [stranger, await small.http.post("/order", json={}), await wallet.call("POST", "/order", "{")]
    bad = (poor, forged, off_tick, foreign, proxy, killed, unmatched)
    answers += [await wallet.call("POST", "/order", body) for body in bad]
    answers += [await wallet.call("DELETE", "/cancel-market-orders", {"market": "0x1"})]
    answers += [await wallet.call("POST", "/v1/heartbeats", {"heartbeat_id": "wrong"})]
    for path in ("/nowhere", "/book?token_id=5", "/markets/0x1", "/prices-history?market=5&interval=y", "/data/orders"):
        answers.append(await small.http.get(path))
    for path in (
        "/gamma/markets/77",
        "/gamma/nowhere",
        "/gamma/markets?limit=x",
        "/data-api/positions",
        "/data-api/nowhere",
    ):
        answers.append(await small.http.get(path))
    answers += [await small.http.put("/order"), await small.http.post("/order", content=b"x" * 1_000_001)]
    answers += [await small.http.request(method, path) for method, path, _ in NOT_SERVED]
    await follower.every((str(answer.request.url), refused(answer)) for answer in answers)
    taken, *rows = (await wallet.call("POST", "/orders", [good, *bad])).json()
    assert taken["success"]
    cancelled = (await wallet.call("DELETE", "/orders", [taken["orderID"], "0x1"])).json()
    assert (cancelled["canceled"], list(cancelled["not_canceled"])) == ([taken["orderID"]], ["0x1"])
    await follower.every([*(("row", row) for row in rows), *cancelled["errors"].items()])
    assert follower.codes >= {
        "NOT_SERVED",
        "INSUFFICIENT_CASH",
        "INVALID_SIGNATURE",
        "UNKNOWN_ORDER",
        "not_found",
        "NO_MATCH",
    }


async def test_refusals_of_our_own_routes_link_to_their_explanation(small: NativeVenue, follower: Follower) -> None:
    answers = [
        await small.order(TokenSide.BUY, Outcome.YES, 5_000, 300),
        await small.http.post("/venue/orders", json={}),
        await small.http.get("/venue/orders"),
        await small.http.get("/venue/nowhere"),
        await small.http.patch("/venue/orders"),
        await small.http.get("/venue/admin"),
        await small.http.get("/venue/trace/nothing"),
        await small.http.post("/venue/session", json={"message": "hello", "signature": "0x"}),
        await small.http.post("/venue/explain/order", json={"order": 5}),
        await small.signed("/venue/withdrawals", {"reference": "a", "amount": "1000", "to": "0x" + "11" * 20}),
        await small.http.post("/venue/links", content=b"x" * 1_000_001),
    ]
    await follower.every((str(answer.request.url), refused(answer)["error"]) for answer in answers)
    await small.sign_in()
    many = await small.http.post("/venue/orders/cancel", json={"orders": ["0x" + "11" * 32]})
    await follower.every(many.json()["not_canceled"].items())


# --- streams ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def opened(url: str, *, headers: dict[str, str] | None = None) -> AsyncIterator[Any]:
    async with connect(url, additional_headers=headers) as socket:

        async def ask(message: Any, is_error: Any) -> Any:
            await socket.send(message if isinstance(message, str) else json.dumps(message))
            while not is_error(found := json.loads(await socket.recv())):
                pass
            return found

        yield ask


async def test_errors_of_every_stream_link_to_their_explanation(small: NativeVenue, follower: Follower) -> None:
    async with serving(small.app) as url:
        async with opened(f"{url}{KALSHI_WS}", headers=small.key.headers("GET", KALSHI_WS)) as ask:
            for command in ("{", {"id": 1, "cmd": "fly"}, {"id": 2, "cmd": "subscribe", "params": {"channels": ["rain"]}}):
                found = await ask(command, lambda one: one["type"] == "error")
                await follower.every([(str(command), found["msg"])])
        with pytest.raises(InvalidStatus) as unsigned:
            await connect(f"{url}{KALSHI_WS}").__aenter__()
        await follower.every([("handshake", json.loads(unsigned.value.response.body or b"")["error"])])
        for path, message in (
            ("/ws/market", {"type": "user"}),
            ("/ws/market", "{"),
            ("/ws/market", {"type": "market", "assets_ids": ["5"]}),
            ("/ws/user", {"type": "user"}),
        ):
            async with opened(f"{url}{path}") as ask:
                await follower.every([(path, await ask(message, lambda one: one.get("event_type") == "error"))])
        async with opened(f"{url}{VENUE_WS}") as ask:
            for wrong in ("{", {"op": "subscribe", "channels": ["rain"]}, {"op": "subscribe", "channels": ["account"]}):
                await follower.every([(str(wrong), await ask(wrong, lambda one: one["type"] == "error"))])
    assert follower.codes >= {"WS_5", "WS_8", "authentication_error", "UNAUTHORIZED", "NOT_AUTHENTICATED"}


# --- FIX --------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def fix(small: NativeVenue, tmp_path: Path) -> AsyncIterator[FixWorld]:
    async with fix_world(small, tmp_path) as world:  # type: ignore[arg-type]
        yield world


def link_of(text: str) -> str:
    """Return the link at the end of a Text<58>."""
    found = re.search(r"\[(\S+)\]$", text)
    assert found, text
    return found[1]


async def test_fix_refusals_of_every_kind_end_with_the_link(fix: FixWorld, follower: Follower) -> None:
    client = await fix.client(account_id="alice")
    wrong: list[tuple[str, dict[int, Any], str, str]] = [
        ("D", order("a", _55="NONE"), "8", "UNKNOWN_MARKET"),
        ("D", order("b", _55=TICKER, _38="1000"), "8", "INSUFFICIENT_CASH"),
        ("D", order("c", _55=TICKER, _126="20990101-00:00:00"), "8", "FIX_ORDER"),
        ("D", order("d", _55=TICKER, _54="9"), "3", "FIX_SESSION_REJECT"),
        ("F", {11: "e", 41: "nothing", 54: "1", 55: TICKER}, "9", "FIX_ORDER"),
        ("R", {131: "f"}, "j", "FIX_BUSINESS_REJECT"),
    ]
    for kind, fields, answer, code in wrong:
        client.send(kind, fields)
        await _followed(client, follower, answer, code)
    reader = await fix.client(Service.MARKET_DATA, account_id="alice")
    reader.send("V", {263: "7", 146: "1", 55: TICKER})
    await _followed(reader, follower, "Y", "FIX_MARKET_DATA")
    stranger = await fix.connect(Service.ORDERS, await fix.new_key("alice"))
    stranger.write(stranger.logon(signature="AAAA"))
    await _followed(stranger, follower, "5", "FIX_LOGOUT")


async def _followed(client: RawClient, follower: Follower, kind: str, code: str) -> None:
    found = await client.until(kind)
    link = link_of(found.values[58])
    assert link == error_page.link(code), found.values
    await follower.follow(link, found.values)


# --- the page is complete -----------------------------------------------------------------------------------------------


def test_every_code_of_kalshis_dialect_is_on_the_page() -> None:
    """Codes of the exchange's refusals link by the exchange's own name; what the gateway itself raises has a line of its own."""
    raised = re.compile(
        r'KalshiError\(\s*[\w.]+,\s*"([a-z_]+)"|(?:invalid|missing)\((?:[^()]|\([^()]*\))*,\s*"([a-z]+(?:_[a-z]+)+)"\)'
    )
    files = (ROOT / "offchain_book" / "gateways").glob("kalshi*.py")
    codes = {code for file in files for pair in raised.findall(file.read_text()) for code in pair if code}
    assert codes >= {"authentication_error", "not_implemented", "market_not_found", "invalid_cursor"}
    assert codes <= set(error_page.KALSHI) | {"internal_error", "not_found", "method_not_allowed", "body_too_large"}
    assert {f"WS_{number}" for number in ERRORS} <= set(error_page.WIRES)
    assert "docs" in kalshi_errors.fields(kalshi_errors.not_implemented("this"))


def test_no_two_lines_of_the_page_have_one_name() -> None:
    names = re.findall(r'id="([^"]+)"', error_page.page())
    assert len(names) == len(set(names)) > 150
