"""Heartbeats, notifications, read-only and builder keys, price history: what a connection is about."""

import json
import time
from typing import Any

import httpx
import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine import policy_commands as pc
from offchain_book.engine.operations import Outcome
from tests.gateways.polymarket_fixtures import CONTRACT, DOLLAR, MAKER, TICKER, House, Wallet
from tests.gateways.polymarket_house import placed, public_get, signed_get, token


@pytest.fixture
def clock(house: House) -> dict[str, int]:
    """The venue's time, which the test moves."""
    found = {"ms": house.state.now_ms}
    house.sequencer.clock_ms = lambda: found["ms"]
    return found


async def beat(wallet: Wallet, heartbeat_id: str | None) -> tuple[int, dict[str, Any]]:
    answer = await wallet.call("POST", "/v1/heartbeats", {"heartbeat_id": heartbeat_id})
    return answer.status_code, answer.json()


# --- heartbeats ---------------------------------------------------------------------------------------------------------


async def test_orders_live_while_heartbeats_come_and_go_when_they_stop(
    house: House, wendy: Wallet, clock: dict[str, int]
) -> None:
    await placed(wendy, "BUY", token(house), 1 * DOLLAR, 10 * CONTRACT)
    _, first = await beat(wendy, None)
    clock["ms"] += 9_000
    status, second = await beat(wendy, first["heartbeat_id"])
    assert (status, second["heartbeat_id"] != first["heartbeat_id"]) == (200, True)
    clock["ms"] += 9_999
    assert len((await signed_get(wendy, "/data/orders"))["data"]) == 1
    clock["ms"] += 1
    await house.do(c.CancelOrders(MAKER, "none"))
    assert (await signed_get(wendy, "/data/orders"))["data"] == []
    (told,) = await signed_get(wendy, "/notifications")
    assert (told["type"], told["payload"]["cancel_reason"]) == (1, "dead_man")
    status, refused = await beat(wendy, second["heartbeat_id"])
    assert (status, refused["error_msg"], refused["heartbeat_id"]) == (400, "Invalid Heartbeat ID", "")
    assert (await beat(wendy, ""))[0] == 200


async def test_a_wrong_heartbeat_is_told_the_right_one_and_changes_nothing(wendy: Wallet, clock: dict[str, int]) -> None:
    _, first = await beat(wendy, "")
    for wrong in ("", "11111111-1111-4111-8111-111111111111"):
        status, refused = await beat(wendy, wrong)
        assert (status, refused["heartbeat_id"]) == (400, first["heartbeat_id"])
    assert (await beat(wendy, first["heartbeat_id"]))[0] == 200


# --- keys ---------------------------------------------------------------------------------------------------------------


async def test_a_read_only_key_reads_its_wallet_and_moves_nothing(house: House, wendy: Wallet, walt: Wallet) -> None:
    order_id = (await placed(wendy, "BUY", token(house), 1 * DOLLAR, 10 * CONTRACT))["orderID"]
    shown = (await wendy.call("POST", "/auth/readonly-api-key")).json()["apiKey"]
    headers = {"POLY_ADDRESS": wendy.address, "POLY_READONLY_API_KEY": shown}
    found = (await wendy.http.get("/data/orders", headers=headers)).json()["data"]
    assert [row["id"] for row in found] == [order_id]
    assert (await wendy.http.request("DELETE", "/cancel-all", headers=headers)).status_code == 401
    assert (await wendy.http.get("/data/orders", headers=headers | {"POLY_ADDRESS": walt.address})).status_code == 401
    assert (await wendy.call("GET", "/auth/api-keys")).json() == {"apiKeys": [wendy.creds["apiKey"]]}
    assert shown not in str(list(house.state.keys.values())), "what opens the door is not in the journal"
    assert (await wendy.call("DELETE", "/auth/readonly-api-key", {"key": shown})).status_code == 200
    assert (await wendy.http.get("/data/orders", headers=headers)).status_code == 401
    assert (await wendy.call("DELETE", "/auth/readonly-api-key", {"key": shown})).status_code == 404


async def test_a_builders_headers_have_to_be_its_own(house: House, wendy: Wallet, walt: Wallet) -> None:
    made = (await walt.call("POST", "/auth/builder-api-key")).json()
    app = Wallet(
        walt.http, walt.private_key, {"apiKey": made["key"], "secret": made["secret"], "passphrase": made["passphrase"]}
    )
    body = wendy.payload("BUY", token(house), 1 * DOLLAR, 10 * CONTRACT)
    text = json.dumps(body, separators=(",", ":"))
    signed = app.headers("POST", "/order", text)
    extra = {
        name.replace("POLY_", "POLY_BUILDER_"): signed[name]
        for name in ("POLY_API_KEY", "POLY_PASSPHRASE", "POLY_SIGNATURE", "POLY_TIMESTAMP")
    }
    headers = wendy.headers("POST", "/order", text)
    wrong = await wendy.http.post("/order", content=text, headers=headers | extra | {"POLY_BUILDER_SIGNATURE": "no"})
    assert (wrong.status_code, wrong.json()["details"]["check"]) == (401, "builder")
    taken = await wendy.http.post("/order", content=text, headers=headers | extra)
    assert taken.status_code == 200, taken.text
    order = await signed_get(wendy, f"/data/order/{taken.json()['orderID']}")
    assert order["builder"] == "0x" + walt.account[2:].rjust(64, "0")
    assert (await app.call("GET", "/data/orders")).status_code == 401, "a builder key reads nobody's orders"


async def test_a_signed_builder_code_finds_its_trades_page_by_page(
    house: House, http: httpx.AsyncClient, wendy: Wallet
) -> None:
    code = "0x" + "b1" * 32
    for _ in range(3):
        body = wendy.payload("BUY", token(house), 600_000, CONTRACT, builder=code)
        body["order"]["builder"] = code
        assert (await wendy.call("POST", "/order", body)).status_code == 200
    await placed(wendy, "BUY", token(house), 600_000, CONTRACT)
    found = await public_get(http, "/builder/trades", builder_code=code)
    assert [row["id"] for row in found["data"]] == ["trade:2", "trade:1", "trade:0"]
    assert (await public_get(http, "/builder/trades", builder_code=code, id="trade:1"))["count"] == 1
    assert (await http.get("/builder/trades", params={"builder_code": "0x00"})).status_code == 400
    assert (await public_get(http, f"/fees/builder-fees/{code}"))["builder_taker_fee_rate_bps"] == 0


async def test_a_suspended_wallet_is_closed_only_and_its_orders_are_refused_with_the_reason(
    house: House, wendy: Wallet
) -> None:
    await house.do(pc.SuspendAccount(wendy.account, "a question"))
    assert await signed_get(wendy, "/auth/ban-status/closed-only") == {"closed_only": True}
    answer = await wendy.place("BUY", token(house), 600_000, CONTRACT)
    assert (answer.status_code, answer.json()["code"]) == (400, "ACCOUNT_SUSPENDED")
    assert "a question" in answer.text
    await house.do(pc.RestoreAccount(wendy.account, "answered"))
    assert await signed_get(wendy, "/auth/ban-status/closed-only") == {"closed_only": False}


async def test_a_wallet_that_leaves_is_closed_only(house: House, wendy: Wallet) -> None:
    assert await signed_get(wendy, "/auth/ban-status/closed-only") == {"closed_only": False}
    await house.do(cc.ObserveExit(wendy.account, int(time.time()) + 600))
    assert await signed_get(wendy, "/auth/ban-status/closed-only") == {"closed_only": True}


# --- prices -------------------------------------------------------------------------------------------------------------


async def test_prices_are_sampled_from_the_minutes_that_traded(
    house: House, http: httpx.AsyncClient, wendy: Wallet, clock: dict[str, int]
) -> None:
    start = clock["ms"] // 60_000 * 60
    await placed(wendy, "BUY", token(house), 600_000, CONTRACT)
    clock["ms"] += 180_000
    await placed(wendy, "SELL", token(house), CONTRACT, 400_000)
    yes, no = token(house), token(house, Outcome.NO)
    window = {"startTs": start, "endTs": start + 240}
    found = (await public_get(http, "/prices-history", market=yes, fidelity=1, **window))["history"]
    assert [(row["t"] - start, row["p"]) for row in found][:4] == [(0, 0.6), (60, 0.6), (120, 0.6), (180, 0.4)]
    mirrored = (await public_get(http, "/prices-history", market=no, interval="1h"))["history"]
    assert [row["p"] for row in mirrored][-1:] == [0.6]
    assert (await public_get(http, "/prices-history", market=yes, interval="max"))["history"][0]["p"] == 0.6
    other = house.state.markets["WIND-1"].yes_token_id
    assert await public_get(http, "/prices-history", market=other, interval="1d") == {"history": []}


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({}, "invalid filters: time component is mandatory"),
        ({"interval": "1y"}, "invalid filters: interval"),
        ({"interval": "1w", "fidelity": "1"}, "invalid filters: minimum 'fidelity' for '1w' range is 5"),
        ({"startTs": "1", "fidelity": "1"}, "invalid filters: 'startTs' and 'endTs' interval is too long"),
        ({"startTs": "9", "endTs": "5"}, "invalid filters: 'startTs' is after 'endTs'"),
    ],
)
async def test_a_window_has_to_mean_something(
    house: House, http: httpx.AsyncClient, asked: dict[str, str], error: str
) -> None:
    answer = await http.get("/prices-history", params={"market": house.state.markets[TICKER].yes_token_id} | asked)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_the_venue_blocks_no_place(http: httpx.AsyncClient) -> None:
    assert (await public_get(http, "/api/geoblock"))["blocked"] is False
