"""Polymarket's two official Python clients, unmodified, against a real server: what they read has to mean the right thing.

No chain runs here: a task cuts, mines and confirms settlement batches as the bridge would.
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from offchain_book.engine.chain_commands import BatchStage
from offchain_book.engine.operations import Outcome
from tests.builders import assert_books_balance
from tests.gateways.polymarket_fixtures import CONTRACT, DOLLAR, SETTINGS, TICKER, House, address_of, open_house

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-polymarket" / "bin" / "python"
KEY = "0x" + "5a" * 32
SESSION_S = 240


async def play_chain(house: House) -> None:
    """Settle whatever waits, a little later than it was matched."""
    while True:
        await asyncio.sleep(0.15)
        if house.state.next_operation == house.state.uncut:
            continue
        batch = await house.cut()
        await asyncio.sleep(0.15)
        tx_hash = f"0x{batch + 1:064x}"
        await house.observe(batch, BatchStage.MINED, tx_hash)
        await asyncio.sleep(0.15)
        await house.confirm(batch, tx_hash)


@asynccontextmanager
async def serve(house: House) -> AsyncIterator[str]:
    """Serve the venue on a free port, with a chain behind it."""

    @house.app.get("/")
    async def index() -> str:
        return "OK"

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(house.app, log_level="warning", lifespan="off"))
    tasks = [asyncio.create_task(server.serve([listening])), asyncio.create_task(play_chain(house))]
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await tasks[0]
        tasks[1].cancel()
        with suppress(asyncio.CancelledError):
            await tasks[1]


async def session(script: str, host: str) -> dict[str, Any]:
    """Run a session in the clients' own environment and return what it printed."""
    arguments = [str(ROOT / "tests" / "sdk" / script), "--host", host, "--key", KEY]
    pipe = asyncio.subprocess.PIPE
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = await asyncio.create_subprocess_exec(
        str(PYTHON), *arguments, stdout=pipe, stderr=pipe, env=environment, cwd=ROOT / "tests" / "sdk"
    )
    output, errors = await asyncio.wait_for(process.communicate(), SESSION_S)
    assert process.returncode == 0, errors.decode()
    result: dict[str, Any] = json.loads(output)
    return result


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A venue in which Maria buys YES at 40 and sells it at 50 cents, and a wallet has $1,000."""
    address = address_of(bytes.fromhex(KEY[2:])).lower()
    async with open_house(tmp_path) as opened:
        await opened.quote("bid", 4_000, 100)
        await opened.quote("ask", 5_000, 100)
        await opened.fund(address, 1_000 * DOLLAR)
        yield opened


@pytest.fixture
async def v2(house: House) -> AsyncIterator[dict[str, Any]]:
    """What a session with the V2 client came to."""
    async with serve(house) as host:
        yield await session("polymarket_session.py", host)


async def test_the_v2_client_works_unmodified(house: House, v2: dict[str, Any]) -> None:
    """One session over every call, checked part by part."""
    check_market_data(house, v2)
    check_keys(v2)
    check_resting_orders(v2)
    check_trades(house, v2)
    check_refusals(v2)
    assert_books_balance(house.state)


def check_market_data(house: House, seen: dict[str, Any]) -> None:
    """Books, prices, markets."""
    market = house.state.markets[TICKER]
    assert seen["ok"] == "OK"
    assert seen["version"] == 2
    assert isinstance(seen["time"], int)
    for name in ("markets", "simplified_markets", "sampling_markets", "sampling_simplified_markets"):
        assert seen[name]["next_cursor"] == "LTE="
        assert seen[name]["count"] == len(seen[name]["data"]) == 3
    shown = seen["market"]
    assert (shown["condition_id"], shown["question"]) == (market.condition_id, market.title)
    assert [(t["token_id"], t["outcome"], t["price"], t["winner"]) for t in shown["tokens"]] == [
        (market.yes_token_id, "Yes", 0.45, False),
        (market.no_token_id, "No", 0.55, False),
    ]
    assert (shown["minimum_tick_size"], shown["minimum_order_size"]) == (0.01, 0.01)
    assert (shown["active"], shown["closed"], shown["accepting_orders"], shown["neg_risk"]) == (True, False, True, False)
    assert shown["tags"] == ["weather"]
    assert seen["clob_market"]["mts"] == 0.01
    assert seen["clob_market"]["fd"] == {"r": 0, "e": 1, "to": True}
    assert seen["book"]["bids"] == [{"price": "0.4", "size": "100"}]
    assert seen["book"]["asks"] == [{"price": "0.5", "size": "100"}]
    assert seen["book_no"]["bids"] == [{"price": "0.5", "size": "100"}]
    assert seen["book_no"]["asks"] == [{"price": "0.6", "size": "100"}]
    assert seen["book_hash"] == seen["book"]["hash"]
    assert [book["asset_id"] for book in seen["books"]] == [market.yes_token_id, market.no_token_id]
    assert (seen["price_buy"], seen["price_sell"]) == ({"price": "0.4"}, {"price": "0.5"})
    assert seen["prices"] == {market.yes_token_id: {"BUY": "0.4"}, market.no_token_id: {"SELL": "0.6"}}
    assert seen["midpoint"] == {"mid": "0.45"}
    assert seen["midpoints"] == {market.yes_token_id: "0.45", market.no_token_id: "0.55"}
    assert seen["spread"] == {"spread": "0.1"}
    assert seen["spreads"] == {market.yes_token_id: "0.1", market.no_token_id: "0.1"}
    assert seen["last_trade_price"] == {"price": "0.5", "side": ""}
    assert (seen["tick_size"], seen["neg_risk"], seen["fee_rate_bps"], seen["fee_exponent"]) == ("0.01", False, 0, 1)
    assert seen["unknown_book"]["status"] == 404
    assert seen["unknown_book"]["error"]["error"] == "No orderbook exists for the requested token id"
    assert seen["rewards"] == []


def check_keys(seen: dict[str, Any]) -> None:
    """Credentials."""
    assert seen["derived_is_created"] is True
    assert (seen["create_again"]["status"], seen["create_again"]["error"]["error"]) == (400, "Could not create api key")
    assert seen["api_keys"] == {"apiKeys": [seen["api_key"]]}
    assert seen["closed_only"] == {"closed_only": False}
    assert (seen["notifications"], seen["drop_notifications"]) == ([], "OK")
    assert seen["delete_key"] == "OK"
    assert (seen["after_delete"]["status"], seen["after_delete"]["error"]["error"]) == (401, "Unauthorized/Invalid api key")


def check_resting_orders(seen: dict[str, Any]) -> None:
    """Types, listings, cancels."""
    rested = seen["rest"]
    assert (rested["success"], rested["status"], rested["tradeIDs"]) == (True, "live", [])
    assert seen["balance"]["balance"] == str(1_000 * DOLLAR)
    assert seen["balance"]["allowances"][SETTINGS.venue_address]
    assert seen["balance_while_resting"]["balance"] == str(1_000 * DOLLAR - 500_000)
    assert seen["balance_while_resting"]["held"] == "500000"
    order = seen["order"]
    assert order["id"] == rested["orderID"]
    assert (order["status"], order["side"], order["outcome"], order["order_type"]) == ("LIVE", "BUY", "Yes", "GTC")
    assert (order["price"], order["original_size"], order["size_matched"]) == ("0.05", "10", "0")
    assert (order["owner"], order["maker_address"]) == (seen["api_key"], seen["address"].lower())
    assert seen["open_orders"] == seen["open_orders_of_market"] == [order]
    assert seen["open_orders_of_no"] == []
    assert seen["scoring"] == {"scoring": False}
    assert seen["scorings"] == {rested["orderID"]: False}
    assert seen["cancel"] == {"canceled": [rested["orderID"]], "not_canceled": {}}
    assert seen["order_cancelled"]["status"] == "CANCELED"
    gone = "order can't be found - already canceled or matched"
    assert seen["cancel_again"]["canceled"] == []
    assert seen["cancel_again"]["not_canceled"] == {rested["orderID"]: gone}
    assert (seen["gtd"]["status"], seen["gtd_order"]["order_type"]) == ("live", "GTD")
    assert seen["gtd_order"]["outcome"] == "No"
    assert int(seen["gtd_order"]["expiration"]) - seen["gtd_order"]["created_at"] in range(3_300, 3_601)
    assert seen["post_only"]["status"] == "live"
    assert seen["cancel_many"]["canceled"] == [seen["gtd"]["orderID"], seen["post_only"]["orderID"]]
    assert seen["cancel_many"]["not_canceled"] == {"0x01": gone}
    first, second = seen["batch"]
    assert (first["status"], second["status"]) == ("live", "live")
    assert seen["cancel_token"]["canceled"] == [second["orderID"]]
    assert seen["cancel_market"]["canceled"] == [first["orderID"]]
    assert seen["cancel_all"]["canceled"] == [seen["rest_again"]["orderID"]]


def check_trades(house: House, seen: dict[str, Any]) -> None:
    """Fills, their settlement, and the balances after them."""
    bought = seen["market_buy"]
    assert (bought["success"], bought["status"]) == (True, "matched")
    assert (bought["makingAmount"], bought["takingAmount"]) == ("5", "10")
    assert bought["transactionsHashes"] == [f"0x{1:064x}"]  # the client waited for it
    (trade,) = seen["trades_of_buy"]
    assert trade["id"] == bought["tradeIDs"][0]
    assert trade["taker_order_id"] == bought["orderID"]
    assert (trade["side"], trade["outcome"], trade["price"], trade["size"]) == ("BUY", "Yes", "0.5", "10")
    assert (trade["trader_side"], trade["owner"]) == ("TAKER", seen["api_key"])
    assert trade["transaction_hash"] == bought["transactionsHashes"][0]
    assert trade["status"] in ("MINED", "CONFIRMED")
    (maker,) = trade["maker_orders"]
    assert (maker["maker_address"], maker["owner"], maker["matched_amount"]) == (SETTINGS.venue_address, "", "10")
    assert (seen["settled"]["status"], seen["settled"]["transaction_hash"]) == ("CONFIRMED", trade["transaction_hash"])
    assert seen["order_of_buy"]["status"] == "MATCHED"
    assert seen["order_of_buy"]["associate_trades"] == [trade["id"]]
    assert seen["yes_after_buy"]["balance"] == str(10 * CONTRACT)
    sold = seen["market_sell"]
    assert (sold["status"], sold["makingAmount"], sold["takingAmount"]) == ("matched", "4", "1.6")
    against = seen["limit_buy_no"]
    assert (against["status"], against["makingAmount"], against["takingAmount"]) == ("matched", "1.8", "3")
    assert seen["no_after_buy"]["balance"] == str(3 * CONTRACT)
    assert [row["id"] for row in seen["all_trades"]] == [
        against["tradeIDs"][0],
        sold["tradeIDs"][0],
        bought["tradeIDs"][0],
    ]
    page = seen["trades_page"]
    assert (page["next_cursor"], page["count"], len(page["trades"])) == ("LTE=", 3, 3)
    left = 1_000 * DOLLAR - 5_000_000 + 1_600_000 - 1_800_000
    assert seen["balance_after_trades"]["balance"] == str(left)
    wallet = house.state.accounts[seen["address"].lower()]
    assert wallet.balance(f"{TICKER}:{Outcome.YES.name}").total == 6 * CONTRACT
    assert wallet.cash.total == left


def check_refusals(seen: dict[str, Any]) -> None:
    """The texts that bots branch on."""

    def text(name: str) -> str:
        assert seen[name]["status"] == 400, seen[name]
        found: str = seen[name]["error"]["error"]
        return found

    assert text("unfunded").startswith("not enough balance / allowance")
    assert text("duplicate") == f"order {seen['first']['orderID']} is invalid. Duplicated."
    assert text("fak_unmatched").startswith("no orders found to match with FAK order.")
    assert text("fok_unfilled") == "order couldn't be fully filled. FOK orders are fully filled or killed."
    assert text("post_only_cross") == "invalid post-only order: order crosses book"
    assert "neg-risk exchange" in text("neg_risk_signature")
    assert seen["v1_order"]["status"] == "live"
    assert seen["v1_shown"]["version"] == "1"


async def test_the_v1_client_works_unmodified(house: House) -> None:
    """V1 orders, their struct, their domain; `get_ok` asks for /."""
    async with serve(house) as host:
        seen = await session("polymarket_v1_session.py", host)
    assert seen["ok"] == "OK"
    assert len(seen["api_keys"]["apiKeys"]) == 1
    assert seen["book_hash"] == seen["book"]["hash"]
    assert [row["price"] for row in seen["book"]["bids"]] == ["0.4"]
    assert len(seen["books"]) == 2
    assert seen["tick_size"] == "0.01"
    assert seen["prices"] == {seen["yes"]: {"BUY": "0.4"}, seen["no"]: {"SELL": "0.6"}}
    assert seen["balance"]["balance"] == seen["update_balance"]["balance"] == str(1_000 * DOLLAR)
    assert seen["rest"]["status"] == "live"
    assert (seen["order"]["version"], seen["order"]["price"], seen["order"]["original_size"]) == ("1", "0.05", "10")
    assert [row["id"] for row in seen["open_orders"]] == [seen["rest"]["orderID"]]
    assert seen["scorings"] == {seen["rest"]["orderID"]: False}
    assert seen["cancel"]["canceled"] == [seen["rest"]["orderID"]]
    assert seen["cancel_market"]["canceled"] == [seen["gtd"]["orderID"]]
    assert sorted(seen["cancel_all"]["canceled"]) == sorted(row["orderID"] for row in seen["batch"])
    assert (seen["market_buy"]["makingAmount"], seen["market_buy"]["takingAmount"]) == ("3", "6")
    assert (seen["market_sell"]["makingAmount"], seen["market_sell"]["takingAmount"]) == ("2", "0.8")
    assert seen["settled"][0]["status"] == "CONFIRMED"
    assert seen["delete_key"] == "OK"
    assert_books_balance(house.state)


def test_the_sessions_import_nothing_of_ours() -> None:
    """They are what a user would write."""
    for script in ("polymarket_session.py", "polymarket_v1_session.py"):
        text = (ROOT / "tests" / "sdk" / script).read_text()
        assert "offchain_book" not in text
        assert "import bridge" not in text


async def test_the_typescript_client_works_unmodified(house: House) -> None:
    """It derives keys, places, finds and cancels an order, and is told why another one is refused."""
    market = house.state.markets[TICKER]
    folder = ROOT / "tests" / "sdk" / "typescript"
    async with serve(house) as host:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            "node", str(folder / "session.mjs"), host, KEY, market.condition_id, stdout=pipe, stderr=pipe, cwd=folder
        )
        output, errors = await asyncio.wait_for(process.communicate(), SESSION_S)
    assert process.returncode == 0, errors.decode()
    seen = json.loads(output)
    assert (seen["ok"], seen["market"], len(seen["apiKeys"]["apiKeys"])) == ("OK", market.condition_id, 1)
    assert seen["bookHash"] == seen["book"]["hash"]
    assert [level["price"] for level in seen["book"]["bids"]] == ["0.4"]
    order_id = seen["placed"]["orderID"]
    assert (seen["placed"]["status"], seen["open"], seen["openAfter"]) == ("live", [order_id], [])
    assert (seen["order"]["price"], seen["order"]["original_size"], seen["order"]["side"]) == ("0.1", "10", "BUY")
    assert seen["canceled"]["canceled"] == [order_id]
    assert seen["refused"]["error"].startswith("not enough balance / allowance")
    assert seen["trades"] == []
    assert_books_balance(house.state)
