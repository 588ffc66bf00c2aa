"""Order routes of the first generation, and answers in cents for the clients that read them."""

from typing import Any

import pytest

from offchain_book.gateways.kalshi_legacy import is_older, older
from tests.gateways.conftest import Client, possessions
from tests.sdk.kalshi_venue import ALICE, BOB, TICKER

OLD = {"User-Agent": "OpenAPI-Generator/3.2.0/python"}
OLDEST = {"User-Agent": "OpenAPI-Generator/2.1.0/python"}


def first(side: str = "yes", action: str = "buy", count: int = 10, **more: Any) -> dict[str, Any]:
    """Return a valid body."""
    return {"ticker": TICKER, "side": side, "action": action, "count": count, "type": "limit", **more}


async def place(client: Client, who: str = ALICE, **body: Any) -> dict[str, Any]:
    """Place an order that must be accepted, with an older client."""
    response = await client.send("POST", "/portfolio/orders", who, json=first(**body), headers=OLD)
    assert response.status_code == 201, response.text
    order: dict[str, Any] = response.json()["order"]
    return order


@pytest.mark.parametrize(
    ("side", "action", "price", "book_side", "yes_cents"),
    [
        ("yes", "buy", {"yes_price": 40}, "bid", 40),
        ("no", "sell", {"no_price": 60}, "bid", 40),
        ("no", "buy", {"no_price": 30}, "ask", 70),
        ("yes", "sell", {"yes_price_dollars": "0.7000"}, "ask", 70),
        ("no", "buy", {"yes_price": 55}, "ask", 55),
    ],
)
async def test_side_and_action_become_one_side_of_the_book(
    client: Client, side: str, action: str, price: dict[str, Any], book_side: str, yes_cents: int
) -> None:
    order = await place(client, side=side, action=action, **price)
    assert (order["book_side"], order["yes_price"], order["no_price"]) == (book_side, yes_cents, 100 - yes_cents)
    assert (order["remaining_count"], order["initial_count"], order["status"]) == (10, 10, "resting")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_parameters"),
        ({"yes_price": 40, "no_price": 60}, "invalid_price"),
        ({"yes_price": 0}, "invalid_price"),
        ({"yes_price": 100}, "invalid_price"),
        ({"yes_price": 40.001}, "invalid_price"),
        ({"yes_price": 40, "type": "market"}, "invalid_parameters"),
        ({"yes_price": 40, "sell_position_floor": 5}, "invalid_parameters"),
        ({"yes_price": 40, "action": "sell", "buy_max_cost": 100}, "invalid_parameters"),
        ({"yes_price": 40, "count": -1}, "invalid_parameters"),
        ({"yes_price": 40, "count": 0}, "invalid_order_size"),
        ({"yes_price": 40, "unknown": 1}, "invalid_parameters"),
        ({"yes_price": "40"}, "invalid_parameters"),
    ],
)
async def test_bad_body_is_refused_and_changes_nothing(client: Client, body: dict[str, Any], code: str) -> None:
    before = possessions(client.venue)
    response = await client.send("POST", "/portfolio/orders", json=first(**body))
    assert (response.status_code, response.json()["code"]) == (400, code)
    assert possessions(client.venue) == before


async def test_maximum_cost_makes_the_order_fill_or_kill(client: Client) -> None:
    await place(client, BOB, action="sell", yes_price=40)
    body = first(yes_price=40, buy_max_cost=399)
    refused = await client.send("POST", "/portfolio/orders", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "fill_or_kill_insufficient_resting_volume")
    order = await place(client, yes_price=40, buy_max_cost=400)
    assert (order["status"], order["taker_fill_cost"]) == ("executed", 400)


async def test_batch_rows_fail_alone_under_both_names(client: Client) -> None:
    rows = {"orders": [first(yes_price=10), first(yes_price=0), first(yes_price=11)]}
    reply = (await client.send("POST", "/portfolio/orders/batched", json=rows, headers=OLD)).json()
    assert reply["orders"] == reply["responses"]
    assert [("order" in row, "error" in row) for row in reply["orders"]] == [(True, False), (False, True), (True, False)]
    ids = [reply["orders"][0]["order"]["order_id"], "none"]
    gone = (await client.send("DELETE", "/portfolio/orders/batched", json={"ids": ids}, headers=OLD)).json()["orders"]
    assert [row["reduced_by"] for row in gone] == [10, 0]
    assert gone[1]["error"]["code"] == "order_not_found"


async def test_orders_of_others_do_not_exist(client: Client) -> None:
    order = await place(client, BOB, yes_price=40)
    path = f"/portfolio/orders/{order['order_id']}"
    for method, rest, body in (("DELETE", "", None), ("POST", "/amend", {}), ("POST", "/decrease", {"reduce_by": 1})):
        response = await client.send(method, f"{path}{rest}", json=body)
        assert (response.status_code, response.json()["code"]) == (404, "order_not_found")


async def test_amendment_keeps_what_it_does_not_name(client: Client) -> None:
    order = await place(client, yes_price=40, client_order_id="mine")
    path = f"/portfolio/orders/{order['order_id']}/amend"
    reply = (await client.send("POST", path, json={"yes_price": 42}, headers=OLD)).json()
    assert (reply["old_order"]["yes_price"], reply["order"]["yes_price"]) == (40, 42)
    assert reply["order"]["remaining_count"] == 10
    wrong = await client.send("POST", path, json={"yes_price": 43, "side": "no", "action": "buy"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "order_side_mismatch")


async def test_book_is_in_cents_under_the_names_of_each_generation(client: Client) -> None:
    await place(client, yes_price=40)
    path = f"/markets/{TICKER}/orderbook"
    old = (await client.send("GET", path, None, headers=OLD)).json()["orderbook"]
    assert (old["true"], old["yes"], old["yes_dollars"]) == ([[40, 10]], [[40, 10]], [["0.4000", "10.00"]])
    oldest = (await client.send("GET", path, None, headers=OLDEST)).json()["orderbook"]
    assert oldest == {"true": [{"price": 40, "count": 10}], "false": []}
    assert "orderbook" not in (await client.send("GET", path, None)).json()


def test_only_older_clients_get_cents() -> None:
    assert [is_older(agent["User-Agent"]) for agent in (OLD, OLDEST)] == [True, True]
    assert not any(is_older(agent) for agent in ("OpenAPI-Generator/3.34.0/python", "curl/8", ""))
    assert older({"a_dollars": "0.4050", "b_fp": "1.75", "c_dollars": None}, "") == {
        "a_dollars": "0.4050",
        "a": 40,
        "b_fp": "1.75",
        "b": 1,
        "c_dollars": None,
        "c": None,
    }
