"""Bad input, family by family: the exact status, production's exact text, and nothing has moved."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from offchain_book.config import MAX_BODY_BYTES
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.names import GUARANTEE
from offchain_book.engine.operations import OrderScheme
from offchain_book.gateways.polymarket import NOT_SERVED
from tests.gateways.polymarket_fixtures import CONTRACT, DOLLAR, FEE_TICKER, FINE_TICKER, TICKER, House, Wallet, open_house
from tests.gateways.polymarket_untouched import Untouched, no, refused, yes

V1 = OrderScheme.POLYMARKET_V1


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A venue in which the custodial maker buys YES at 40 and sells it at 50 cents, 100 contracts each."""
    async with open_house(tmp_path) as opened:
        await opened.quote("bid", 4_000, 100)
        await opened.quote("ask", 5_000, 100)
        yield opened


@pytest.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client."""
    async with house.client() as client:
        yield client


@pytest.fixture
async def wendy(house: House, http: httpx.AsyncClient) -> Wallet:
    """A wallet with credentials and $1,000."""
    wallet = Wallet(http, b"\x11" * 32)
    await wallet.login()
    await house.fund(wallet.account, 1_000 * DOLLAR)
    return wallet


@pytest.fixture
async def walt(http: httpx.AsyncClient) -> Wallet:
    """A wallet with credentials and no money."""
    wallet = Wallet(http, b"\x22" * 32)
    await wallet.login()
    return wallet


# --- bodies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "{}",
        '"text"',
        '{"order":{}}',
        '{"order":' + "[" * 5_000,
        '{"order":{"salt":1.5}}',
    ],
)
async def test_a_malformed_body_is_an_invalid_payload(house: House, wendy: Wallet, body: str) -> None:
    """No JSON, wrong shape, wrong types."""
    with Untouched(house):
        refused(await wendy.call("POST", "/order", body), 400, "Invalid order payload", "MALFORMED_BODY")


async def test_a_body_in_no_known_encoding_is_malformed(house: House, wendy: Wallet) -> None:
    """Bytes that are no UTF-8, correctly signed."""
    text = '{"order":"ÿ"}'
    headers = wendy.headers("POST", "/order", text)
    with Untouched(house):
        latin = await wendy.http.post("/order", headers=headers, content=text.encode("latin-1"))
        assert latin.status_code == 401  # other bytes than those signed


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("maker", "0x12"),
        ("signer", "wendy"),
        ("tokenId", "0x10"),
        ("tokenId", "-1"),
        ("makerAmount", "1e6"),
        ("takerAmount", ""),
        ("makerAmount", "9" * 78),
        ("salt", -1),
        ("salt", "9" * 79),
        ("side", "HOLD"),
        ("signatureType", "0"),
        ("signatureType", 9),
        ("expiration", "soon"),
        ("timestamp", "٣"),
        ("builder", "0xzz"),
        ("metadata", "0x" + "0" * 65),
    ],
)
async def test_a_field_of_the_wrong_form_is_an_invalid_payload(
    house: House, wendy: Wallet, field: str, value: object
) -> None:
    """Each field of an order, bent."""
    payload = wendy.payload("BUY", yes(house), 4 * DOLLAR, 10 * CONTRACT)
    payload["order"][field] = value
    with Untouched(house):
        refused(await wendy.call("POST", "/order", payload), 400, "Invalid order payload", "MALFORMED_BODY")


async def test_an_order_of_neither_version_is_an_invalid_payload(house: House, wendy: Wallet) -> None:
    """Without timestamp, nonce and feeRateBps nobody can tell what was signed."""
    payload = wendy.payload("BUY", yes(house), 4 * DOLLAR, 10 * CONTRACT)
    del payload["order"]["timestamp"]
    body = refused(await wendy.call("POST", "/order", payload), 400, "Invalid order payload", "MALFORMED_BODY")
    assert "neither" in body["reason"]


async def test_a_large_body_is_refused_before_it_is_read_to_its_end(house: House, wendy: Wallet) -> None:
    """By its declared length, and when the length is not declared."""
    text = "x" * (MAX_BODY_BYTES + 1)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    with Untouched(house):
        declared = await wendy.call("POST", "/order", text)
        refused(declared, 413, "request body too large", "BODY_TOO_LARGE")
        streamed = await wendy.http.post("/order", content=parts(), headers=wendy.headers("POST", "/order"))
        refused(streamed, 413, "request body too large", "BODY_TOO_LARGE")


# --- what is ordered ---------------------------------------------------------------------------------------------------


async def test_an_unknown_token_has_no_orderbook(house: House, wendy: Wallet) -> None:
    """In orders and in every question about a token."""
    text = "No orderbook exists for the requested token id"
    with Untouched(house):
        refused(await wendy.place("BUY", "12345", 4 * DOLLAR, 10 * CONTRACT), 404, text, "UNKNOWN_TOKEN")
        for path in ("/book", "/price", "/midpoint", "/spread", "/last-trade-price", "/tick-size", "/neg-risk", "/fee-rate"):
            refused(await wendy.http.get(path, params={"token_id": "12345"}), 404, text, "UNKNOWN_TOKEN")
            refused(await wendy.http.get(path), 404, text, "UNKNOWN_TOKEN")
        refused(await wendy.http.get("/markets-by-token/12345"), 404, text, "UNKNOWN_TOKEN")
        asked = await wendy.call("GET", "/balance-allowance", asset_type="CONDITIONAL", token_id="12345")
        refused(asked, 404, text, "UNKNOWN_TOKEN")


@pytest.mark.parametrize(
    ("side", "outcome", "gives", "gets", "price", "nearest"),
    [
        ("BUY", "yes", 4_050_000, 10_000_000, "0.405", {"below": "0.4", "above": "0.41"}),
        ("BUY", "no", 4_050_000, 10_000_000, "0.405", {"below": "0.4", "above": "0.41"}),
        ("SELL", "yes", 10_000_000, 5_950_000, "0.595", {"below": "0.59", "above": "0.6"}),
        ("BUY", "yes", 4_000_001, 10_000_000, "0.4000001", {"below": "0.4", "above": "0.41"}),
        ("SELL", "no", 30_000_000, 10_000_000, "0.33333333", {"below": "0.33", "above": "0.34"}),
    ],
)
async def test_a_price_off_the_tick_names_the_nearest_valid_ones(
    house: House, wendy: Wallet, side: str, outcome: str, gives: int, gets: int, price: str, nearest: dict[str, str]
) -> None:
    """In the price of the order's own token, whether the price is a whole number of 1/10,000 or not."""
    token = yes(house) if outcome == "yes" else no(house)
    payload = wendy.payload(side, token, gives, gets)
    with Untouched(house):
        answer = await wendy.call("POST", "/order", payload)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (400, "PRICE_OFF_TICK"), body
    assert body["error"].startswith("order 0x")
    assert body["error"].endswith(f" is invalid. Price ({price}) breaks minimum tick size rule: 0.01")
    assert body["details"]["nearest"] == nearest


async def test_a_tapered_grid_names_the_tick_that_applies_there(house: House, wendy: Wallet) -> None:
    """0.405 is off the grid in the middle, although a tenth of a cent is valid at the ends."""
    answer = await wendy.place("BUY", yes(house, FINE_TICKER), 4_050_000, 10 * CONTRACT)
    assert answer.json()["details"] == {
        "price": "0.405",
        "tick_size": "0.01",
        "nearest": {"below": "0.4", "above": "0.41"},
    }
    assert (await wendy.place("BUY", yes(house, FINE_TICKER), 450_000, 10 * CONTRACT)).status_code == 200
    assert (await wendy.place("BUY", no(house, FINE_TICKER), 9_540_000, 10 * CONTRACT)).status_code == 200


@pytest.mark.parametrize(("gives", "gets", "price"), [(0, 10_000_000, "0"), (10_000_000, 10_000_000, "1")])
async def test_a_price_outside_the_range_is_refused(house: House, wendy: Wallet, gives: int, gets: int, price: str) -> None:
    """Nothing is bought for nothing, or for a whole dollar."""
    with Untouched(house):
        for token in (yes(house), no(house)):
            answer = await wendy.place("BUY", token, gives, gets)
            text = f"invalid price ({price}), min: 0.01 - max: 0.99"
            body = refused(answer, 400, text, "PRICE_OUT_OF_RANGE")
            assert body["details"]["nearest"] == ("0.01" if price == "0" else "0.99")


async def test_size_zero_is_below_the_minimum(house: House, wendy: Wallet) -> None:
    """Limit and market orders alike."""
    with Untouched(house):
        for gives, gets, order_type in (
            (4_000_000, 0, "GTC"),
            (4_000_000, 0, "FAK"),
            (0, 0, "GTC"),
            (0, 10_000_000, "FAK"),
        ):
            payload = wendy.payload("BUY", yes(house), gives, gets, order_type)
            body = (await wendy.call("POST", "/order", payload)).json()
            assert body["code"] == "SIZE_NOT_POSITIVE", (gives, gets, body)
            assert body["error"].endswith(" is invalid. Size (0) lower than the minimum: 0.01")


async def test_a_size_off_the_lot_names_the_nearest_valid_ones(house: House, wendy: Wallet) -> None:
    """Every size is a multiple of 0.01."""
    with Untouched(house):
        answer = await wendy.place("BUY", yes(house), 4_002_000, 10_005_000)
        text = "invalid amounts, the size supports a max accuracy of 2 decimals (10.005; nearest: 10, 10.01)"
        refused(answer, 400, text, "SIZE_OFF_LOT")
        huge = (await wendy.place("BUY", yes(house), 4 * 10**12, 10**13)).json()
        assert huge["code"] == "SIZE_TOO_LARGE"


async def test_an_unfunded_order_says_what_is_there_and_what_is_needed(house: House, wendy: Wallet, walt: Wallet) -> None:
    """Cash and tokens."""
    with Untouched(house):
        cash = await walt.place("BUY", yes(house), 4 * DOLLAR, 10 * CONTRACT)
        body = cash.json()
        assert (cash.status_code, body["code"]) == (400, "INSUFFICIENT_CASH")
        assert body["error"].startswith("not enough balance / allowance: ")
        assert body["details"] == {"have_micros": 0, "need_micros": 4 * DOLLAR, "held_micros": 0}
        tokens = (await wendy.place("SELL", no(house), 10 * CONTRACT, 4 * DOLLAR)).json()
        assert tokens["code"] == "INSUFFICIENT_TOKENS"
        assert tokens["error"].startswith("not enough balance / allowance: ")
        assert tokens["details"]["outcome"] == "NO"


async def test_what_open_orders_hold_is_not_available(house: House, wendy: Wallet) -> None:
    """$600 of $1,000 held, $600 more refused with the three numbers."""
    assert (await wendy.place("BUY", yes(house), 300 * DOLLAR, 1_000 * CONTRACT)).status_code == 200
    assert (await wendy.place("BUY", yes(house), 300 * DOLLAR, 1_000 * CONTRACT)).status_code == 200
    with Untouched(house):
        body = (await wendy.place("BUY", yes(house), 600 * DOLLAR, 2_000 * CONTRACT)).json()
    assert body["details"] == {"have_micros": 400 * DOLLAR, "need_micros": 600 * DOLLAR, "held_micros": 600 * DOLLAR}


async def test_the_same_order_twice_is_a_duplicate(house: House, wendy: Wallet) -> None:
    """While it rests, and after it is gone."""
    payload = wendy.payload("BUY", yes(house), 3 * DOLLAR, 10 * CONTRACT)
    order_id = (await wendy.call("POST", "/order", payload)).json()["orderID"]
    text = f"order {order_id} is invalid. Duplicated."
    with Untouched(house):
        refused(await wendy.call("POST", "/order", payload), 400, text, "DUPLICATE_ORDER_ID")
    await wendy.call("DELETE", "/order", {"orderID": order_id})
    with Untouched(house):
        refused(await wendy.call("POST", "/order", payload), 400, text, "DUPLICATE_ORDER_ID")


async def test_post_only_may_not_cross(house: House, wendy: Wallet) -> None:
    """Production's text; and post-only goes with GTC and GTD alone."""
    with Untouched(house):
        answer = await wendy.place("BUY", yes(house), 5 * DOLLAR, 10 * CONTRACT, post_only=True)
        refused(answer, 400, "invalid post-only order: order crosses book", "POST_ONLY_CROSS")
        mixed = await wendy.place("BUY", yes(house), 5 * DOLLAR, 10 * CONTRACT, "FOK", post_only=True)
        assert mixed.json()["code"] == "POST_ONLY_TYPE"


async def test_fill_or_kill_and_fill_and_kill_that_find_nothing(house: House, wendy: Wallet) -> None:
    """Both leave every balance as it was."""
    with Untouched(house):
        killed = await wendy.place("BUY", yes(house), 100 * DOLLAR, 200 * CONTRACT, "FOK")
        text = "order couldn't be fully filled. FOK orders are fully filled or killed."
        refused(killed, 400, text, "FILL_OR_KILL_UNFILLED")
    cash = house.state.accounts[wendy.account].cash
    before = (cash.total, cash.held)
    text = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
    refused(await wendy.place("BUY", yes(house), 3 * DOLLAR, 10 * CONTRACT, "FAK"), 400, text, "NO_MATCH")
    assert (cash.total, cash.held) == before


@pytest.mark.parametrize(("order_type", "ahead_s"), [("GTD", None), ("GTD", 30), ("GTC", 600), ("FOK", 600)])
@pytest.mark.parametrize("scheme", [OrderScheme.POLYMARKET_V1, OrderScheme.POLYMARKET_V2])
async def test_an_expiration_belongs_to_gtd_and_lies_a_minute_ahead(
    house: House, wendy: Wallet, order_type: str, ahead_s: int | None, scheme: OrderScheme
) -> None:
    """None, too soon, or with another type."""
    expiration = 0 if ahead_s is None else int(time.time()) + ahead_s
    with Untouched(house):
        answer = await wendy.place("BUY", yes(house), 3 * DOLLAR, 10 * CONTRACT, order_type, scheme, expiration=expiration)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid expiration"), answer.text


async def test_a_v1_order_signs_the_markets_fee_rate(house: House, wendy: Wallet) -> None:
    """A lower cap would be skipped on chain, so it is refused here."""
    with Untouched(house):
        answer = await wendy.place("BUY", yes(house, FEE_TICKER), 4 * DOLLAR, 10 * CONTRACT, scheme=V1)
        refused(answer, 400, "invalid fee rate (0), current market's taker fee: 700", "FEE_RATE_BELOW_MARKET")
    taken = await wendy.place("BUY", yes(house, FEE_TICKER), 4 * DOLLAR, 10 * CONTRACT, scheme=V1, fee_rate_bps=700)
    assert taken.status_code == 200, taken.text


async def test_an_order_that_meets_its_owners_own_is_cancelled_with_the_reason(house: House, wendy: Wallet) -> None:
    """Self-trade prevention: the arriving order gives way."""
    assert (await wendy.place("BUY", yes(house), 45 * DOLLAR, 100 * CONTRACT)).json()["status"] == "live"
    await house.fund(wendy.account, 10 * CONTRACT, TICKER, house.state.tokens[yes(house)][1])
    answer = await wendy.place("SELL", yes(house), 10 * CONTRACT, 4_500_000)
    assert (answer.status_code, answer.json()["code"]) == (400, "SELF_TRADE")


async def test_nothing_is_matched_while_the_chain_stands_still(house: House, wendy: Wallet) -> None:
    """Orders are refused as in production's cancel-only mode, cancels are not."""
    mine = (await wendy.place("BUY", yes(house), 3 * DOLLAR, 10 * CONTRACT)).json()["orderID"]
    await house.do(cc.ObserveChain(7, 1, True))
    text = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
    with Untouched(house):
        answer = await wendy.place("BUY", yes(house), 5 * DOLLAR, 10 * CONTRACT)
        refused(answer, 503, text, "CHAIN_HALTED")
        assert answer.headers["Retry-After"] == "1"
    assert (await wendy.call("DELETE", "/order", {"orderID": mine})).json()["canceled"] == [mine]


async def test_an_order_that_the_guarantee_cannot_cover_is_cancelled(house: House, wendy: Wallet) -> None:
    """Its id is used up, so the answer is no 503 that a client would retry."""
    guarantee = house.state.accounts[GUARANTEE]
    guarantee.cash.held = guarantee.cash.total
    answer = await wendy.place("BUY", yes(house), 5 * DOLLAR, 10 * CONTRACT)
    assert (answer.status_code, answer.json()["code"]) == (400, "GUARANTEE_EXHAUSTED")


async def test_a_venue_that_has_stopped_says_so(house: House, wendy: Wallet) -> None:
    """503 and Retry-After; in a batch, order by order."""
    house.sequencer.failure = RuntimeError("a test stopped it")
    with Untouched(house):
        answer = await wendy.place("BUY", yes(house), 5 * DOLLAR, 10 * CONTRACT)
        assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "UNAVAILABLE", "1")
        batch = await wendy.call("POST", "/orders", [wendy.payload("BUY", yes(house), 5 * DOLLAR, 10 * CONTRACT)])
        assert [row["code"] for row in batch.json()] == ["UNAVAILABLE"]
    house.sequencer.failure = None


async def test_a_wallet_gets_no_key_to_a_custodial_account_of_its_name(house: House, http: httpx.AsyncClient) -> None:
    """Whoever named it so."""
    wallet = Wallet(http, b"\x33" * 32)
    await house.do(c.OpenAccount(wallet.account, c.Custody.CUSTODIAL))
    with Untouched(house):
        answer = await http.post("/auth/api-key", headers=wallet.proof())
        refused(answer, 400, "Could not create api key", "CUSTODY_MISMATCH")


# --- batches, cancels, questions ---------------------------------------------------------------------------------------


async def test_a_batch_answers_each_order_by_itself(house: House, wendy: Wallet) -> None:
    """Two good ones around two bad ones, in order, all under status 200."""
    good, bad = (
        [wendy.payload("BUY", yes(house), 3 * DOLLAR, 10 * CONTRACT) for _ in range(2)],
        [wendy.payload("BUY", yes(house), 3 * DOLLAR, 7 * CONTRACT), wendy.payload("BUY", "1", 3 * DOLLAR, CONTRACT)],
    )
    answer = await wendy.call("POST", "/orders", [good[0], *bad, good[1]])
    assert answer.status_code == 200
    first, off_tick, unknown, last = answer.json()
    assert [row["success"] for row in (first, off_tick, unknown, last)] == [True, False, False, True]
    assert "breaks minimum tick size rule" in off_tick["errorMsg"]
    assert off_tick["details"]["nearest"] == {"below": "0.42", "above": "0.43"}
    assert unknown["errorMsg"] == "No orderbook exists for the requested token id"
    assert list(house.state.accounts[wendy.account].open_orders) == [first["orderID"], last["orderID"]]


async def test_a_batch_has_between_1_and_15_orders(house: House, wendy: Wallet) -> None:
    """None, sixteen, or not a list."""
    one = wendy.payload("BUY", yes(house), 3 * DOLLAR, 10 * CONTRACT)
    with Untouched(house):
        for body in ([], [one] * 16):
            refused(await wendy.call("POST", "/orders", body), 400, "Invalid order payload", "BATCH_SIZE")
        refused(await wendy.call("POST", "/orders", one), 400, "Invalid order payload", "MALFORMED_BODY")


async def test_orders_of_others_cannot_be_cancelled_or_seen(house: House, wendy: Wallet, walt: Wallet) -> None:
    """Unknown, already gone, somebody else's: all the same to a stranger."""
    mine = (await wendy.place("BUY", yes(house), 3 * DOLLAR, 10 * CONTRACT)).json()["orderID"]
    gone = "order can't be found - already canceled or matched"
    with Untouched(house):
        answer = (await walt.call("DELETE", "/orders", [mine, "0x01"])).json()
        assert (answer["canceled"], answer["not_canceled"]) == ([], {mine: gone, "0x01": gone})
        assert [error["code"] for error in answer["errors"].values()] == ["UNKNOWN_ORDER"] * 2
        refused(await walt.call("GET", f"/data/order/{mine}"), 404, "order not found", "UNKNOWN_ORDER")
        assert (await walt.call("DELETE", "/cancel-all")).json()["canceled"] == []
    assert (await wendy.call("DELETE", "/order", {"orderID": mine})).json()["canceled"] == [mine]
    again = (await wendy.call("DELETE", "/order", {"orderID": mine})).json()
    assert (again["canceled"], again["not_canceled"]) == ([], {mine: gone})


async def test_bodies_of_cancels_have_a_form_and_a_limit(house: House, wendy: Wallet) -> None:
    """Malformed, too many, an unknown market."""
    with Untouched(house):
        refused(await wendy.call("DELETE", "/order", "{}"), 400, "Invalid orderID", "MALFORMED_BODY")
        refused(await wendy.call("DELETE", "/orders", "{}"), 400, "Invalid order payload", "MALFORMED_BODY")
        many = [f"0x{number:x}" for number in range(1_001)]
        refused(await wendy.call("DELETE", "/orders", many), 400, "Invalid order payload", "BATCH_SIZE")
        unknown = await wendy.call("DELETE", "/cancel-market-orders", {"market": "0x01"})
        refused(unknown, 404, "market not found", "UNKNOWN_MARKET")


async def test_questions_have_a_form(wendy: Wallet) -> None:
    """Cursors, asset types, sides, times."""
    refused(await wendy.http.get("/markets?next_cursor=!"), 400, "invalid next_cursor", "INVALID_CURSOR")
    refused(await wendy.call("GET", "/data/trades", next_cursor="YWJj"), 400, "invalid next_cursor", "INVALID_CURSOR")
    refused(await wendy.call("GET", "/balance-allowance"), 400, "Invalid asset type", "INVALID_ASSET_TYPE")
    refused(await wendy.http.get("/markets/0x01"), 404, "market not found", "UNKNOWN_MARKET")
    refused(await wendy.http.post("/books", content=b"{"), 400, "Invalid payload", "MALFORMED_BODY")


async def test_what_is_not_served_answers_501_with_the_reason(http: httpx.AsyncClient) -> None:
    """Every route of production's that this venue lacks."""
    for method, path, reason in NOT_SERVED:
        refused(await http.request(method, path.replace("{", "").replace("}", "")), 501, reason, "NOT_SERVED")


async def test_a_request_id_comes_back(http: httpx.AsyncClient) -> None:
    """The caller's own, or a new one."""
    assert (await http.get("/ok", headers={"X-Request-Id": "mine-1"})).headers["X-Request-Id"] == "mine-1"
    assert len((await http.get("/ok")).headers["X-Request-Id"]) == 32
