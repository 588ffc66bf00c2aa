"""Signed requests in the wrong hands: bodies swapped, requests replayed, owners hidden behind two accounts. Nothing moves."""

import json
import time

import pytest

from offchain_book.config import L2_WINDOW_S
from offchain_book.engine import commands as c
from offchain_book.engine.operations import OrderScheme, Outcome
from offchain_book.engine.snapshot import canonical, dump
from tests.gateways.polymarket_fixtures import CONTRACT, DOLLAR, MAKER, House, Wallet
from tests.gateways.polymarket_house import placed, signed_get, token


def possessions(house: House) -> object:
    """Return the whole state but its number and its time."""
    plain = canonical(dump(house.state))
    return {name: value for name, value in plain.items() if name not in ("seq", "now_ms")}


async def test_a_body_swapped_under_a_valid_hmac_is_refused(house: House, wendy: Wallet) -> None:
    """Chaos item 63, at the request."""
    body = json.dumps(wendy.payload("BUY", token(house), 1 * DOLLAR, 10 * CONTRACT), separators=(",", ":"))
    headers, before = wendy.headers("POST", "/order", body), possessions(house)
    for swapped in (body.replace("1000000", "2000000"), body + " ", body.replace('"GTC"', '"FOK"'), "[]"):
        answer = await wendy.http.post("/order", content=swapped, headers=headers)
        assert (answer.status_code, answer.json()["details"]["check"]) == (401, "signature"), swapped
    answer = await wendy.http.post("/orders", content=body, headers=headers)
    assert answer.status_code == 401, "the path is signed as well"
    assert possessions(house) == before


@pytest.mark.parametrize("scheme", [OrderScheme.POLYMARKET_V1, OrderScheme.POLYMARKET_V2])
async def test_an_order_changed_under_its_signature_is_refused_field_by_field(
    house: House, wendy: Wallet, scheme: OrderScheme
) -> None:
    """Chaos item 63, inside the request: the API key signs what the wallet did not."""
    before = possessions(house)
    good = wendy.payload("BUY", token(house), 1 * DOLLAR, 10 * CONTRACT, scheme=scheme)
    changes = {
        "salt": good["order"]["salt"] + 1,
        "tokenId": token(house, Outcome.NO),
        "makerAmount": "2000000",
        "takerAmount": "9000000",
        "side": "SELL",
    }
    changes |= (
        {"nonce": "7", "feeRateBps": "9"} if scheme is OrderScheme.POLYMARKET_V1 else {"timestamp": "1", "builder": "0x01"}
    )
    for name, value in changes.items():
        answer = await wendy.call("POST", "/order", good | {"order": good["order"] | {name: value}})
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_SIGNATURE"), name
    assert possessions(house) == before
    assert (await wendy.call("POST", "/order", good)).status_code == 200, "unchanged it is good"


async def test_a_replayed_request_counts_once_inside_the_window_and_never_outside(house: House, wendy: Wallet) -> None:
    body = json.dumps(wendy.payload("BUY", token(house), 1 * DOLLAR, 10 * CONTRACT), separators=(",", ":"))
    headers = wendy.headers("POST", "/order", body)
    first = await wendy.http.post("/order", content=body, headers=headers)
    order_id = first.json()["orderID"]
    for _ in range(3):
        again = await wendy.http.post("/order", content=body, headers=headers)
        assert (again.status_code, again.json()["error"]) == (400, f"order {order_id} is invalid. Duplicated.")
    await wendy.call("DELETE", "/order", {"orderID": order_id})
    again = await wendy.http.post("/order", content=body, headers=headers)
    assert again.json()["error"].endswith("Duplicated."), "a cancelled order does not come back either"
    old = wendy.headers("POST", "/order", body, timestamp=int(time.time()) - L2_WINDOW_S - 2)
    late = await wendy.http.post("/order", content=body, headers=old)
    assert (late.status_code, late.json()["details"]["check"]) == (401, "timestamp")
    assert (await signed_get(wendy, "/data/orders"))["data"] == []


async def test_one_owner_behind_a_custodial_account_and_a_wallet_does_not_trade_with_himself(
    house: House, wendy: Wallet
) -> None:
    """Chaos item 69: Maria rests, her linked wallet arrives; then the other way round."""
    await house.do(c.LinkAccount(MAKER, wendy.account, False))
    trades = len(house.sequencer.projections.trades)
    answer = await wendy.place("BUY", token(house), 6 * DOLLAR, 10 * CONTRACT)
    assert (answer.status_code, answer.json()["code"]) == (400, "SELF_TRADE")
    await placed(wendy, "BUY", token(house), 5 * DOLLAR, 10 * CONTRACT)
    await house.quote("ask", 5_000, 10)
    assert len(house.sequencer.projections.trades) == trades
    assert house.state.accounts[wendy.account].owner == house.state.accounts[MAKER].owner
