"""What users of this dialect ask for most (in the order of how often), one test each that shows our answer.

Asks 6 and 7 (redeem, split, merge by API) are shown by tests/system/test_polymarket_vault.py, asks 8 to 10 (streams) by
tests/gateways/test_top_asks_streams.py.
"""

import hashlib
import json
from typing import Any

import httpx

from offchain_book.engine.chain_commands import BatchStage
from offchain_book.engine.market_commands import RefineTicks
from offchain_book.engine.operations import Outcome
from offchain_book.gateways.polymarket_markets import book_hash
from tests.gateways.polymarket_fixtures import CONTRACT, DOLLAR, FINE_TICKER, TICKER, House, Wallet
from tests.gateways.polymarket_house import placed, public_get, signed_get, token


async def error_of(wallet: Wallet, *args: Any, **more: Any) -> dict[str, Any]:
    """Place an order that has to be refused."""
    answer = await wallet.place(*args, **more)
    assert answer.status_code == 400, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_ask_1_an_invalid_signature_says_which_check_failed_and_what_was_expected(house: House, wendy: Wallet) -> None:
    body = wendy.payload("BUY", token(house), 1 * DOLLAR, 10 * CONTRACT)
    body["order"]["makerAmount"] = "1000001"
    found = (await wendy.call("POST", "/order", body)).json()
    details = found["details"]
    assert (details["check"], details["expected"]) == ("signature", wendy.account)
    assert len(details["recovered"]) == 42
    assert len(details["digest"]) == 66
    assert set(details["domain"]) == {"name", "version", "chainId", "verifyingContract"}


async def test_ask_2_a_balance_reject_says_what_is_there_needed_and_held(house: House, wendy: Wallet) -> None:
    await placed(wendy, "BUY", token(house), 300 * DOLLAR, 1_000 * CONTRACT)
    found = await error_of(wendy, "BUY", token(house), 800 * DOLLAR, 4_000 * CONTRACT)
    assert found["error"].startswith("not enough balance / allowance")
    details = found["details"]
    assert [details[f"{name}_micros"] // DOLLAR for name in ("have", "need", "held")] == [700, 800, 300]


async def test_ask_3_what_is_matched_and_not_final_is_told_apart(house: House, wendy: Wallet) -> None:
    await placed(wendy, "BUY", token(house), 6 * DOLLAR, 10 * CONTRACT)
    query = {"asset_type": "CONDITIONAL", "token_id": token(house)}
    seen = await signed_get(wendy, "/balance-allowance", **query)
    assert (seen["balance"], seen["pending"], seen["settled"], seen["withdrawable"]) == ("10000000", "10000000", "0", "0")
    await house.confirm(await house.cut(), "0x" + "aa" * 32)
    seen = await signed_get(wendy, "/balance-allowance", **query)
    assert (seen["pending"], seen["settled"], seen["withdrawable"]) == ("0", "10000000", "10000000")


async def test_ask_4_each_order_and_each_fill_of_a_batch_has_its_own_answer(house: House, wendy: Wallet) -> None:
    good = wendy.payload("BUY", token(house), 6 * DOLLAR, 10 * CONTRACT)
    bad = wendy.payload("BUY", token(house), 900_000 * DOLLAR, 1_500_000 * CONTRACT)
    other = wendy.payload("BUY", token(house), 3 * DOLLAR, 5 * CONTRACT)
    rows = (await wendy.call("POST", "/orders", [good, bad, other])).json()
    assert [row["success"] for row in rows] == [True, False, True]
    batch = await house.cut()
    first = house.state.batches[batch].first
    await house.confirm(batch, "0x" + "aa" * 32, skipped=((first, 1),))
    trades = {row["id"]: row["status"] for row in (await signed_get(wendy, "/data/trades"))["data"]}
    assert [trades[row["tradeIDs"][0]] for row in (rows[0], rows[2])] == ["FAILED", "CONFIRMED"]


async def test_ask_5_a_trade_goes_through_named_states_and_only_retrying_goes_back(house: House, wendy: Wallet) -> None:
    await placed(wendy, "BUY", token(house), 6 * DOLLAR, 10 * CONTRACT)
    batch, states = await house.cut(), []
    steps = (BatchStage.SENT, BatchStage.MINED, BatchStage.RETRYING, BatchStage.MINED, None)
    for stage in steps:
        if stage is None:
            await house.confirm(batch, "0x" + "bb" * 32)
        else:
            await house.observe(batch, stage, "0x" + "aa" * 32)
        (trade,) = (await signed_get(wendy, "/data/trades"))["data"]
        states.append(trade["status"])
    assert states == ["MATCHED", "MINED", "RETRYING", "MINED", "CONFIRMED"]
    assert trade["transaction_hash"] == "0x" + "bb" * 32


async def test_ask_11_the_book_hash_is_a_function_of_the_book_that_anybody_can_compute(
    house: House, http: httpx.AsyncClient
) -> None:
    vector = {
        "market": "0xaa",
        "asset_id": "1",
        "timestamp": "1000",
        "hash": "",
        "bids": [{"price": "0.4", "size": "100"}],
        "asks": [],
        "min_order_size": "0.01",
        "tick_size": "0.01",
        "neg_risk": False,
        "last_trade_price": "",
    }
    assert book_hash(vector) == "9741fa3e0302ec206c605bad89022ac85f0a297d", "the hash that py-clob-client-v2 1.2.1 computes"
    book = await public_get(http, "/book", token_id=token(house))
    text = json.dumps(book | {"hash": ""}, separators=(",", ":"))
    assert book["hash"] == hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


async def test_ask_12_a_rounding_reject_lists_the_nearest_valid_values(house: House, wendy: Wallet) -> None:
    off_tick = await error_of(wendy, "BUY", token(house), 4_050_000, 10 * CONTRACT)
    assert off_tick["details"]["nearest"] == {"below": "0.4", "above": "0.41"}
    off_lot = await error_of(wendy, "BUY", token(house), 402_000, 1_005_000)
    assert off_lot["error"].endswith("(1.005; nearest: 1, 1.01)")
    fine = await error_of(wendy, "BUY", token(house), 1_000_001, 2_000_050, "FOK")
    assert fine["error"] == (
        "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, "
        "taker amount a max of 4 decimals"
    )
    assert fine["details"] == {
        "makerAmount_below": "1000000",
        "makerAmount_above": "1010000",
        "takerAmount_below": "2000000",
        "takerAmount_above": "2000100",
    }
    no_fine = house.state.markets[FINE_TICKER].token_id(Outcome.YES)
    finer = await error_of(wendy, "BUY", no_fine, 1_000_000, 2_000_001, "FOK")
    assert finer["error"].endswith("taker amount a max of 5 decimals"), "a finer tick takes what the clients sign there"


async def test_ask_13_a_tick_that_changes_under_a_client_strands_no_order(
    house: House, http: httpx.AsyncClient, wendy: Wallet
) -> None:
    """Ticks only get finer: a client with the old tick still posts valid prices, and a reject names the tick that applies."""
    refused = await error_of(wendy, "BUY", token(house), 4_050_000, 10 * CONTRACT)
    assert (refused["details"]["tick_size"], refused["error"][-4:]) == ("0.01", "0.01")
    resting = (await placed(wendy, "BUY", token(house), 1 * DOLLAR, 10 * CONTRACT))["orderID"]
    await house.do(RefineTicks(TICKER, "deci_cent", ((10, 9_990, 10),)))
    assert (await public_get(http, "/tick-size", token_id=token(house)))["minimum_tick_size"] == 0.001
    assert (await signed_get(wendy, f"/data/order/{resting}"))["status"] == "LIVE"
    for dollars in (2_000_000, 4_050_000):
        await placed(wendy, "BUY", token(house), dollars, 10 * CONTRACT)


async def test_ask_14_whether_a_lost_order_was_placed_can_be_asked_before_it_is_sent_again(
    house: House, wendy: Wallet
) -> None:
    """The order's id is its digest, which the client knows without an answer; the same order again changes nothing."""
    body = wendy.payload("BUY", token(house), 1 * DOLLAR, 10 * CONTRACT)
    sent = await wendy.call("POST", "/order", body)
    order_id = sent.json()["orderID"]
    assert (await signed_get(wendy, f"/data/order/{order_id}"))["status"] == "LIVE"
    again = await wendy.call("POST", "/order", body)
    assert again.json()["error"] == f"order {order_id} is invalid. Duplicated."
    assert (await signed_get(wendy, "/balance-allowance", asset_type="COLLATERAL"))["held"] == "1000000"
