"""What the Polymarket gateway answers when all is well: books, orders, trades and their settlement, balances, pages."""

import hashlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offchain_book.engine import commands as c
from offchain_book.engine.chain_commands import BatchStage
from offchain_book.engine.operations import OrderScheme, Outcome, SignedOrder, TokenSide
from offchain_book.engine.order import BookSide
from offchain_book.gateways import polymarket_account
from offchain_book.gateways.polymarket_orders import neighbours
from offchain_book.gateways.polymarket_words import cursor, decimal, fixed, position_of
from tests.builders import assert_books_balance
from tests.gateways.polymarket_fixtures import (
    CONTRACT,
    DOLLAR,
    FEE_TICKER,
    FINE_TICKER,
    MAKER,
    SETTINGS,
    TICKER,
    House,
    Wallet,
    open_house,
)
from tests.gateways.polymarket_house import signed_get, token

V1, V2 = OrderScheme.POLYMARKET_V1, OrderScheme.POLYMARKET_V2


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A venue in which the custodial maker buys YES at 40 and 39 and sells it at 50 and 51 cents, 100 contracts each."""
    async with open_house(tmp_path) as opened:
        for price in (3_900, 4_000):
            await opened.quote("bid", price, 100)
        for price in (5_100, 5_000):
            await opened.quote("ask", price, 100)
        yield opened
        assert_books_balance(opened.state)


async def placed(wallet: Wallet, *args: Any, **more: Any) -> dict[str, Any]:
    """Place an order that has to be taken."""
    response = await wallet.place(*args, **more)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    assert (body["success"], body["errorMsg"]) == (True, "")
    return body


# --- books and prices --------------------------------------------------------------------------------------------------


async def test_a_book_has_its_best_prices_last_and_a_hash(house: House, http: httpx.AsyncClient) -> None:
    """Bids ascending, asks descending; SHA-1 over the compact JSON with an empty hash, in production's key order."""
    book = (await http.get("/book", params={"token_id": token(house)})).json()
    assert [level["price"] for level in book["bids"]] == ["0.39", "0.4"]
    assert [level["price"] for level in book["asks"]] == ["0.51", "0.5"]
    assert list(book) == [
        "market",
        "asset_id",
        "timestamp",
        "hash",
        "bids",
        "asks",
        "min_order_size",
        "tick_size",
        "neg_risk",
        "last_trade_price",
    ]
    text = json.dumps(book | {"hash": ""}, separators=(",", ":"))
    assert book["hash"] == hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


async def test_the_no_book_mirrors_the_yes_book(house: House, http: httpx.AsyncClient) -> None:
    """Who buys YES at 40 sells NO at 60."""
    book = (await http.get("/book", params={"token_id": token(house, Outcome.NO)})).json()
    assert [level["price"] for level in book["bids"]] == ["0.49", "0.5"]
    assert [level["price"] for level in book["asks"]] == ["0.61", "0.6"]


async def test_prices_follow_the_token(house: House, http: httpx.AsyncClient, wendy: Wallet) -> None:
    """Best prices, middle, spread and last trade of both tokens."""
    both = [{"token_id": token(house, outcome)} for outcome in Outcome] + [{"token_id": "12345"}]
    await placed(wendy, "BUY", token(house, Outcome.NO), 6 * DOLLAR, 10 * CONTRACT)
    yes, no = token(house), token(house, Outcome.NO)
    assert (await http.post("/prices", json=both)).json() == {
        yes: {"BUY": "0.4", "SELL": "0.5"},
        no: {"BUY": "0.5", "SELL": "0.6"},
    }
    assert (await http.post("/midpoints", json=both)).json() == {yes: "0.45", no: "0.55"}
    assert (await http.post("/last-trades-prices", json=both)).json() == [
        {"token_id": yes, "price": "0.4", "side": "SELL"},
        {"token_id": no, "price": "0.6", "side": "BUY"},
    ]
    assert [book["asset_id"] for book in (await http.post("/books", json=both)).json()] == [yes, no]
    fine = {"token_id": token(house, ticker=FINE_TICKER)}
    assert (await http.get("/tick-size", params=fine)).text == '{"minimum_tick_size":0.001}'
    assert (await http.get("/midpoint", params=fine)).json() == {"mid": "0.5"}  # empty: between 0 and 1
    assert (await http.get("/price", params=fine | {"side": "SELL"})).json() == {"price": "1"}


async def test_fees_are_told_in_both_forms(house: House, http: httpx.AsyncClient) -> None:
    """The V1 cap in basis points, the V2 curve as rate and exponent."""
    paid = house.state.markets[FEE_TICKER]
    assert (await http.get("/fee-rate", params={"token_id": paid.yes_token_id})).json() == {"base_fee": 700}
    assert (await http.get("/fee-rate-bps", params={"token_id": paid.yes_token_id})).json() == {"base_fee": 700}
    told = (await http.get(f"/clob-markets/{paid.condition_id}")).json()
    assert (told["fd"], told["tbf"], told["mbf"]) == ({"r": 0.07, "e": 1, "to": True}, 700, 0)
    found = (await http.get(f"/markets-by-token/{paid.no_token_id}")).json()
    assert found["condition_id"] == paid.condition_id


async def test_a_closed_and_resolved_market_says_so(house: House, http: httpx.AsyncClient, wendy: Wallet) -> None:
    """No more orders; the winner pays a dollar."""
    resting = await placed(wendy, "BUY", token(house), 3 * DOLLAR, 10 * CONTRACT)
    await house.do(c.CloseMarket(TICKER))
    assert (await signed_get(wendy, f"/data/order/{resting['orderID']}"))["status"] == "CANCELED_MARKET_RESOLVED"
    refused = await wendy.place("BUY", token(house), 3 * DOLLAR, 10 * CONTRACT)
    assert (refused.status_code, refused.json()["error"]) == (400, "the market is not yet ready to process new orders")
    await house.do(c.ResolveMarket(TICKER, 1_000_000, "test"))
    market = (await http.get(f"/markets/{house.state.markets[TICKER].condition_id}")).json()
    assert (market["closed"], market["accepting_orders"]) == (True, False)
    assert [(row["price"], row["winner"]) for row in market["tokens"]] == [(1, True), (0, False)]
    assert len((await http.get("/sampling-markets")).json()["data"]) == 2


# --- orders ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "outcome", "price", "book_side", "yes_price"),
    [
        ("BUY", Outcome.YES, 3_000, BookSide.BID, 3_000),
        ("SELL", Outcome.YES, 7_000, BookSide.ASK, 7_000),
        ("BUY", Outcome.NO, 3_000, BookSide.ASK, 7_000),
        ("SELL", Outcome.NO, 7_000, BookSide.BID, 3_000),
    ],
)
@pytest.mark.parametrize("scheme", [V1, V2])
async def test_each_token_and_side_has_its_place_in_the_one_book(
    house: House,
    wendy: Wallet,
    side: str,
    outcome: Outcome,
    price: int,
    book_side: BookSide,
    yes_price: int,
    scheme: OrderScheme,
) -> None:
    """Buying NO at q is selling YES at 1 - q; the order is shown in its own token again."""
    await house.fund(wendy.account, 10 * CONTRACT, TICKER, outcome)
    cash, size = price * 1_000, 10 * CONTRACT
    gives, gets = (cash, size) if side == "BUY" else (size, cash)
    answer = await placed(wendy, side, token(house, outcome), gives, gets, scheme=scheme)
    order = house.state.orders[answer["orderID"]]
    assert (order.side, order.price_e4, order.outcome, order.size_micros) == (book_side, yes_price, outcome, size)
    assert order.signed is not None
    assert (order.signed.scheme, order.signed.side.name, order.signed.digest) == (scheme, side, answer["orderID"])
    shown = await signed_get(wendy, f"/data/order/{answer['orderID']}")
    assert (shown["side"], shown["outcome"], shown["price"]) == (side, outcome.name.title(), fixed(price, 4))
    assert (shown["asset_id"], shown["original_size"], shown["status"]) == (token(house, outcome), "10", "LIVE")


async def test_an_order_partly_filled_on_arrival_is_matched_and_rests(house: House, wendy: Wallet) -> None:
    """100 at 50 cents, the rest waits."""
    answer = await placed(wendy, "BUY", token(house), 75 * DOLLAR, 150 * CONTRACT)
    assert (answer["status"], answer["makingAmount"], answer["takingAmount"]) == ("matched", "50", "100")
    shown = await signed_get(wendy, f"/data/order/{answer['orderID']}")
    assert (shown["status"], shown["size_matched"], shown["original_size"]) == ("LIVE", "100", "150")


async def test_a_market_buy_spends_its_dollars_also_at_better_prices(house: House, wendy: Wallet) -> None:
    """$60 at up to 51 cents: 100 for $50, then 19.60 for $9.996; the rest of a lot stays."""
    answer = await placed(wendy, "BUY", token(house), 60 * DOLLAR, 117_647_000, "FOK")
    assert (answer["status"], answer["makingAmount"], answer["takingAmount"]) == ("matched", "59.996", "119.6")
    assert len(answer["tradeIDs"]) == 2
    shown = await signed_get(wendy, f"/data/order/{answer['orderID']}")
    assert (shown["status"], shown["order_type"], shown["original_size"]) == ("MATCHED", "FOK", "117.647")
    balance = await signed_get(wendy, "/balance-allowance", asset_type="COLLATERAL")
    assert balance["balance"] == str(1_000 * DOLLAR - 59_996_000)
    assert balance["held"] == "0"


async def test_a_market_order_never_trades_beyond_what_was_signed(house: House, wendy: Wallet) -> None:
    """The signed ratio is rounded to the grid on the safe side: 50.99 cents buys at 50, not at 51."""
    answer = await placed(wendy, "BUY", token(house), 101_980_000, 200 * CONTRACT, "FAK")
    assert (answer["makingAmount"], answer["takingAmount"]) == ("50", "100")
    await house.fund(wendy.account, 200 * CONTRACT, TICKER, Outcome.YES)
    sold = await placed(wendy, "SELL", token(house), 200 * CONTRACT, 78_020_000, "FAK")
    assert (sold["makingAmount"], sold["takingAmount"]) == ("100", "40")
    bought = await placed(wendy, "BUY", token(house, Outcome.NO), 122_500_000, 200 * CONTRACT, "FAK")
    assert (bought["makingAmount"], bought["takingAmount"]) == ("61", "100")


async def test_a_market_buy_in_a_market_with_fees_needs_its_dollars_and_the_fee(house: House, wendy: Wallet) -> None:
    """$50 of YES at 50 cents and 7% · p(1-p) on 100 contracts: $1.75."""
    await house.quote("ask", 5_000, 200, FEE_TICKER)
    answer = await placed(wendy, "BUY", token(house, ticker=FEE_TICKER), 50 * DOLLAR, 100 * CONTRACT, "FOK")
    assert (answer["makingAmount"], answer["takingAmount"], answer["fee"]) == ("50", "100", "1.75")
    (trade,) = (await signed_get(wendy, "/data/trades", id=answer["tradeIDs"][0]))["data"]
    assert (trade["fee_rate_bps"], trade["fee"]) == ("700", "1.75")
    balance = await signed_get(wendy, "/balance-allowance", asset_type="COLLATERAL")
    assert balance["balance"] == str(1_000 * DOLLAR - 51_750_000)


async def test_a_gtd_order_leaves_a_minute_before_its_expiration(house: House, wendy: Wallet) -> None:
    """As in production; a V1 expiration is signed and leaves room for the settlement as well."""
    expiration = int(time.time()) + 1_000
    for scheme in (V2, V1):
        answer = await placed(wendy, "BUY", token(house), 3 * DOLLAR, 10 * CONTRACT, "GTD", scheme, expiration=expiration)
        assert house.state.orders[answer["orderID"]].expires_ms == (expiration - 60) * 1_000
        shown = await signed_get(wendy, f"/data/order/{answer['orderID']}")
        assert (shown["order_type"], shown["expiration"]) == ("GTD", str(expiration - 60))


async def test_a_batch_is_taken_in_its_order(house: House, wendy: Wallet) -> None:
    """Fifteen at one price queue as they were listed."""
    orders = [wendy.payload("BUY", token(house), 3 * DOLLAR, 10 * CONTRACT) for _ in range(15)]
    answers = (await wendy.call("POST", "/orders", orders)).json()
    listed = (await signed_get(wendy, "/data/orders"))["data"]
    assert [row["id"] for row in listed] == [row["orderID"] for row in answers]
    queue = [order.order_id for order in house.state.markets[TICKER].book.orders(BookSide.BID)]
    assert queue[-15:] == [row["orderID"] for row in answers]


async def test_cancels_reach_exactly_what_they_name(house: House, wendy: Wallet, walt: Wallet) -> None:
    """One token, one market, everything; never another wallet's."""

    async def rest(wallet: Wallet, outcome: Outcome, ticker: str = TICKER) -> str:
        answer = await placed(wallet, "BUY", token(house, outcome, ticker), 500_000, 10 * CONTRACT)
        return str(answer["orderID"])

    theirs = await rest(walt, Outcome.YES)
    first, second, other = (
        await rest(wendy, Outcome.YES),
        await rest(wendy, Outcome.NO),
        await rest(wendy, Outcome.YES, FINE_TICKER),
    )
    condition = house.state.markets[TICKER].condition_id
    answer = await wendy.call("DELETE", "/cancel-market-orders", {"market": "", "asset_id": token(house)})
    assert answer.json() == {"canceled": [first], "not_canceled": {}}
    mismatch = {"market": house.state.markets[FEE_TICKER].condition_id, "asset_id": token(house, Outcome.NO)}
    assert (await wendy.call("DELETE", "/cancel-market-orders", mismatch)).json()["canceled"] == []
    answer = await wendy.call("DELETE", "/cancel-market-orders", {"market": condition, "asset_id": ""})
    assert answer.json()["canceled"] == [second]
    answer = await wendy.call("DELETE", "/cancel-market-orders", {"market": "", "asset_id": ""})
    assert answer.json()["canceled"] == [other]
    assert list(house.state.orders[theirs].account_id) == list(walt.account)


# --- trades and their settlement ---------------------------------------------------------------------------------------


async def test_a_trade_moves_from_matched_to_confirmed(house: House, wendy: Wallet) -> None:
    """With the hash as soon as there is one: that is what the V2 client waits for."""
    answer = await placed(wendy, "BUY", token(house), 5 * DOLLAR, 10 * CONTRACT)
    (trade_id,) = answer["tradeIDs"]

    async def seen() -> tuple[str, str]:
        (trade,) = (await signed_get(wendy, "/data/trades", id=trade_id))["data"]
        assert trade["id"] == trade_id
        return trade["status"], trade["transaction_hash"]

    assert answer["transactionsHashes"] == []
    assert await seen() == ("MATCHED", "")
    balance = await signed_get(wendy, "/balance-allowance", asset_type="CONDITIONAL", token_id=token(house))
    assert (balance["balance"], balance["pending"], balance["settled"]) == ("10000000", "10000000", "0")
    assert balance["withdrawable"] == "0"
    batch = await house.cut()
    assert await seen() == ("MATCHED", "")
    await house.observe(batch, BatchStage.SENT, "0xaa")
    assert await seen() == ("MATCHED", "0xaa")
    await house.observe(batch, BatchStage.MINED, "0xaa")
    assert await seen() == ("MINED", "0xaa")
    await house.observe(batch, BatchStage.RETRYING, "0xbb")
    assert await seen() == ("RETRYING", "0xbb")
    await house.observe(batch, BatchStage.MINED, "0xbb")
    await house.confirm(batch, "0xbb")
    assert await seen() == ("CONFIRMED", "0xbb")
    balance = await signed_get(wendy, "/balance-allowance", asset_type="CONDITIONAL", token_id=token(house))
    assert (balance["pending"], balance["settled"]) == ("0", "10000000")


async def test_a_trade_between_wallets_shows_each_its_side(house: House, wendy: Wallet, walt: Wallet) -> None:
    """Wendy's bid for YES at 45 meets Walt's bid for NO at 55: a set is made."""
    rested = await placed(wendy, "BUY", token(house), 4_500_000, 10 * CONTRACT)
    arrived = await placed(walt, "BUY", token(house, Outcome.NO), 5_500_000, 10 * CONTRACT, scheme=V1)
    assert (arrived["makingAmount"], arrived["takingAmount"]) == ("5.5", "10")
    (his,) = (await signed_get(walt, "/data/trades"))["data"]
    (hers,) = (await signed_get(wendy, "/data/trades"))["data"]
    for trade, side, key in ((his, "TAKER", walt), (hers, "MAKER", wendy)):
        assert (trade["trader_side"], trade["taker_order_id"]) == (side, arrived["orderID"])
        assert (trade["side"], trade["outcome"], trade["price"], trade["size"]) == ("BUY", "No", "0.55", "10")
        assert trade["maker_address"] == walt.account
        (maker,) = trade["maker_orders"]
        assert (maker["order_id"], maker["maker_address"]) == (rested["orderID"], wendy.account)
        assert (maker["side"], maker["outcome"], maker["price"], maker["matched_amount"]) == ("BUY", "Yes", "0.45", "10")
        owners = (trade["owner"], maker["owner"])
        assert owners == ((key.creds["apiKey"], "") if side == "TAKER" else ("", key.creds["apiKey"]))


async def test_a_custodial_counterparty_shows_as_the_pool(house: House, wendy: Wallet) -> None:
    """Maria hits Wendy's bid; nothing of hers but the order id is told."""
    await placed(wendy, "BUY", token(house), 4_500_000, 10 * CONTRACT)
    await house.quote("ask", 4_500, 10)
    (trade,) = (await signed_get(wendy, "/data/trades"))["data"]
    assert (trade["trader_side"], trade["maker_address"], trade["owner"]) == ("MAKER", SETTINGS.venue_address, "")
    assert MAKER not in json.dumps(trade).replace(trade["taker_order_id"], "")


async def test_a_trade_that_failed_says_what_happened_instead(house: House, wendy: Wallet, walt: Wallet) -> None:
    """Skipped by the contract: between wallets it is busted."""
    await placed(wendy, "BUY", token(house), 4_500_000, 10 * CONTRACT)
    answer = await placed(walt, "BUY", token(house, Outcome.NO), 5_500_000, 10 * CONTRACT)
    batch = await house.cut()
    await house.observe(batch, BatchStage.MINED, "0xaa")
    await house.confirm(batch, "0xaa", skipped=((0, 3),))
    (trade,) = (await signed_get(walt, "/data/trades", id=answer["tradeIDs"][0]))["data"]
    assert (trade["status"], trade["err_msg"], trade["resolution"]) == ("FAILED", "busted", "busted")
    balance = await signed_get(walt, "/balance-allowance", asset_type="COLLATERAL")
    assert balance["balance"] == str(1_000 * DOLLAR)


async def test_trades_are_filtered(house: House, wendy: Wallet, walt: Wallet) -> None:
    """By token, market, address and time; another wallet's trades are never among them."""
    await house.quote("ask", 5_000, 100, FINE_TICKER)
    await placed(wendy, "BUY", token(house), 5 * DOLLAR, 10 * CONTRACT)
    await placed(wendy, "BUY", token(house, ticker=FINE_TICKER), 5 * DOLLAR, 10 * CONTRACT)
    now = int(time.time())

    async def count(wallet: Wallet, **query: str) -> int:
        return len((await signed_get(wallet, "/data/trades", **query))["data"])

    assert await count(wendy) == 2
    assert await count(walt) == 0
    assert await count(walt, id="0") == 0
    assert await count(wendy, id="0") == 1
    assert await count(wendy, id="99") == await count(wendy, id="x") == 0
    assert await count(wendy, asset_id=token(house)) == 1
    assert await count(wendy, market=house.state.markets[FINE_TICKER].condition_id) == 1
    assert await count(wendy, maker_address=wendy.address) == 2
    assert await count(wendy, maker_address=walt.address) == 0
    assert await count(wendy, after=str(now - 60), before=str(now + 60)) == 2
    assert await count(wendy, after=str(now + 60)) == await count(wendy, before=str(now - 60)) == 0


async def test_pages_end_and_lose_nothing(house: House, wendy: Wallet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three a page; a trade that arrives between two pages shifts none of them."""
    monkeypatch.setattr(polymarket_account, "PAGE_ROWS", 3)
    for _ in range(7):
        await placed(wendy, "BUY", token(house), 500_000, CONTRACT)
    for _ in range(7):
        await placed(wendy, "BUY", token(house), 100_000, CONTRACT)
    for path in ("/data/trades", "/data/orders"):
        ids: list[str] = []
        position, pages = "MA==", 0
        while position != "LTE=":
            page = await signed_get(wendy, path, next_cursor=position)
            assert page["count"] == len(page["data"]) <= page["limit"] == 3
            ids += [row["id"] for row in page["data"]]
            position, pages = page["next_cursor"], pages + 1
            if pages == 1 and path == "/data/trades":
                await placed(wendy, "BUY", token(house), 500_000, CONTRACT)
        assert (len(ids), len(set(ids)), pages) == (7, 7, 3)
    assert ids == list(house.state.accounts[wendy.account].open_orders)
    assert (await signed_get(wendy, "/data/trades", next_cursor="LTE="))["data"] == []


# --- words -------------------------------------------------------------------------------------------------------------


@given(st.integers(-(10**18), 10**18), st.integers(0, 8))
def test_decimals_are_exact(amount: int, decimals: int) -> None:
    """Back and forth without a float, no trailing zeros."""
    text = fixed(amount, decimals)
    whole, _, fraction = text.partition(".")
    assert not fraction.endswith("0")
    digits = int(whole.removeprefix("-") + fraction.ljust(decimals, "0"))
    assert (-digits if text.startswith("-") else digits) == amount


def test_decimals_by_example() -> None:
    """What the clients use as dictionary keys, among others."""
    assert [fixed(tick, 4) for tick in (1_000, 100, 50, 25, 10, 1)] == ["0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001"]
    assert [decimal(micros) for micros in (0, 10_000, 1_500_000, -250_000)] == ["0", "0.01", "1.5", "-0.25"]


@given(st.integers(0, 10**12))
def test_cursors_read_back(position: int) -> None:
    """Any position; the first and the last are the clients' constants."""
    assert position_of(cursor(position)) == position
    assert (cursor(0), cursor(-1)) == ("MA==", "LTE=")
    assert position_of("LTE=") == -1
    assert position_of("") == 0


@given(st.integers(0, 10_000))
def test_neighbours_enclose_a_price(house_free_price: int) -> None:
    """On the grid both are the price itself; off it they are the closest on either side."""
    from tests.gateways.polymarket_fixtures import TAPERED

    class Grid:
        price_ranges = TAPERED

    grid = sorted({price for start, end, step in TAPERED for price in range(start, end + 1, step)})
    below, above = neighbours(Grid(), house_free_price)  # type: ignore[arg-type]
    assert below == max((price for price in grid if price <= house_free_price), default=0)
    assert above == min((price for price in grid if price >= house_free_price), default=10_000)


async def test_what_was_signed_reaches_the_chain_word_for_word(house: House, wendy: Wallet) -> None:
    """Every field that the contract hashes, as the engine queued it."""
    builder, metadata = "0x" + "ab" * 32, "0x" + "cd" * 32
    order = wendy.signed("BUY", token(house), 5 * DOLLAR, 10 * CONTRACT, V2, builder=builder, metadata=metadata)
    payload = wendy.payload("BUY", token(house), 5 * DOLLAR, 10 * CONTRACT)
    payload["order"] |= {
        "salt": int(order.salt),
        "timestamp": str(order.timestamp_ms),
        "builder": builder,
        "metadata": metadata,
        "signature": order.signature,
    }
    assert (await wendy.call("POST", "/order", payload)).status_code == 200
    operation = house.sequencer.projections.operations[0].operation
    leg: SignedOrder = operation.taker.signed  # type: ignore[union-attr, assignment]
    assert leg.digest == order.digest
    assert (leg.maker, leg.signer, leg.side) == (wendy.account, wendy.account, TokenSide.BUY)
    assert (leg.builder, leg.metadata, leg.timestamp_ms) == (builder, metadata, order.timestamp_ms)
    assert leg.signature == order.signature
