"""Subaccounts in Kalshi's dialect: apart where they must be, joined where the specification joins them."""

import uuid
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from offchain_book.gateways import kalshi_orders
from tests.gateways.conftest import Client, order, possessions
from tests.sdk.kalshi_venue import ALICE, BOB, OTHER, TICKER, Key

SUBACCOUNTS = "/portfolio/subaccounts"
ORDERS = "/portfolio/events/orders"
LOCKED = "alice-locked"


async def open_funded(client: Client, cents: int = 10_000) -> int:
    """Open the next subaccount of alice with some cash."""
    response = await client.send("POST", SUBACCOUNTS)
    assert response.status_code == 201, response.text
    number: int = response.json()["subaccount_number"]
    await transfer(client, 0, number, cents)
    return number


def sending(source: int, target: int, cents: int, **more: Any) -> dict[str, Any]:
    fields = {"from_subaccount": source, "to_subaccount": target, "amount_cents": cents}
    return {"client_transfer_id": str(uuid.uuid4()), **fields, **more}


async def transfer(client: Client, source: int, target: int, cents: int) -> None:
    response = await client.send("POST", f"{SUBACCOUNTS}/transfer", json=sending(source, target, cents))
    assert (response.status_code, response.json()) == (200, {}), response.text


async def balances(client: Client, who: str = ALICE) -> dict[int, str]:
    rows = (await client.get(f"{SUBACCOUNTS}/balances", who))["subaccount_balances"]
    return {row["subaccount_number"]: row["balance"] for row in rows}


async def refused(client: Client, status: int, code: str, method: str, path: str, who: str = ALICE, **more: Any) -> Any:
    before = possessions(client.venue)
    response = await client.send(method, path, who, **more)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert possessions(client.venue) == before
    return response.json()["error"]["details"]


async def lock(client: Client, number: int) -> None:
    """Give alice a key that is locked to a subaccount."""
    private = ed25519.Ed25519PrivateKey.generate()
    sent = {"name": "locked", "public_key": Key("", private).public_pem, "subaccount": number}
    response = await client.send("POST", "/api_keys", json=sent)
    assert response.status_code == 201, response.text
    client.venue.keys = {**client.venue.keys, LOCKED: Key(response.json()["api_key_id"], private)}


async def test_subaccounts_are_numbered_and_hold_what_is_sent_to_them(client: Client) -> None:
    assert await balances(client) == {0: "1000.0000"}
    assert [await open_funded(client, 1_050), await open_funded(client, 1)] == [1, 2]
    assert await balances(client) == {0: "989.4900", 1: "10.5000", 2: "0.0100"}
    await transfer(client, 1, 2, 50)
    assert await balances(client) == {0: "989.4900", 1: "10.0000", 2: "0.5100"}
    rows = await client.get(f"{SUBACCOUNTS}/transfers", limit=2)
    assert [(row["from_subaccount"], row["to_subaccount"], row["amount_cents"]) for row in rows["transfers"]] == [
        (1, 2, 50),
        (0, 2, 1),
    ]
    last = await client.get(f"{SUBACCOUNTS}/transfers", limit=2, cursor=rows["cursor"])
    assert ([row["amount_cents"] for row in last["transfers"]], last["cursor"]) == ([1_050], "")
    assert (await client.get(f"{SUBACCOUNTS}/transfers", BOB))["transfers"] == []


async def test_transfer_takes_effect_once(client: Client) -> None:
    await open_funded(client, 100)
    sent = sending(0, 1, 100)
    for _ in range(2):
        response = await client.send("POST", f"{SUBACCOUNTS}/transfer", json=sent)
        assert (response.status_code, response.json()) == (200, {})
    assert (await balances(client))[1] == "2.0000"
    path = f"{SUBACCOUNTS}/transfer"
    await refused(client, 409, "transfer_already_exists", "POST", path, json={**sent, "amount_cents": 99})
    assert len((await client.get(f"{SUBACCOUNTS}/transfers"))["transfers"]) == 2


async def test_transfer_that_cannot_be_is_refused(client: Client) -> None:
    await open_funded(client, 100)
    path = f"{SUBACCOUNTS}/transfer"
    details = await refused(client, 400, "available_balance_too_low", "POST", path, json=sending(1, 0, 101))
    assert (details["have_dollars"], details["need_dollars"]) == ("1.0000", "1.0100")
    await refused(client, 404, "subaccount_not_found", "POST", path, json=sending(0, 2, 1))
    for sent in (
        sending(0, 1, 0),
        sending(0, 1, -1),
        sending(1, 1, 1),
        sending(0, 64, 1),
        sending(-1, 0, 1),
        sending(0, 1, 10**18),
        sending(0, 1, 1, client_transfer_id="first"),
        sending(0, 1, 1, exchange_index=1),
        {"from_subaccount": 0, "to_subaccount": 1, "amount_cents": 1},
    ):
        await refused(client, 400, "invalid_parameters", "POST", path, json=sent)
    await refused(client, 403, "insufficient_scope", "POST", path, "alice-reads", json=sending(0, 1, 1))


async def test_no_more_than_63_subaccounts(client: Client) -> None:
    for _ in range(63):
        assert (await client.send("POST", SUBACCOUNTS, json={"exchange_index": 0})).status_code == 201
    details = await refused(client, 400, "invalid_subaccount", "POST", SUBACCOUNTS)
    assert details["highest"] == 63
    await refused(client, 400, "invalid_parameters", "POST", SUBACCOUNTS, json={"number": 5})
    await refused(client, 403, "insufficient_scope", "POST", SUBACCOUNTS, "alice-reads")


async def test_order_belongs_to_the_subaccount_that_places_it(client: Client) -> None:
    number = await open_funded(client, 400)
    placed = await client.place(ALICE, "bid", "0.40", "10", subaccount=number)
    order_id = placed["order_id"]
    assert await balances(client) == {0: "996.0000", 1: "0.0000"}
    view = (await client.get(f"/portfolio/orders/{order_id}"))["order"]
    assert (view["subaccount_number"], view["user_id"]) == (number, ALICE)
    sent = order(subaccount=number)
    await refused(client, 400, "available_balance_too_low", "POST", ORDERS, json=sent)
    # What names one order by its id asks for the number, zero when there is none.
    await refused(client, 404, "order_not_found", "DELETE", f"{ORDERS}/{order_id}")
    await refused(client, 404, "order_not_found", "POST", f"{ORDERS}/{order_id}/decrease", json={"reduce_by": "1"})
    response = await client.send(
        "POST", f"{ORDERS}/{order_id}/decrease", params={"subaccount": number}, json={"reduce_by": "1"}
    )
    assert response.json()["remaining_count"] == "9.00"
    await client.place(BOB, "ask", "0.40", "4")
    (own,) = (await client.get("/portfolio/positions", subaccount=number))["market_positions"]
    assert own["position_fp"] == "4.00"
    assert (await client.get("/portfolio/positions"))["market_positions"] == []
    assert (await client.get("/portfolio/balance", subaccount=number))["portfolio_value"] == 160
    assert (await client.get("/portfolio/summary/total_resting_order_value"))["total_resting_order_value"] == 200
    rows = [{"order_id": order_id}, {"order_id": order_id, "subaccount": number}]
    response = await client.send("DELETE", f"{ORDERS}/batched", json={"orders": rows})
    assert [row["reduced_by"] for row in response.json()["orders"]] == ["0.00", "5.00"]


@pytest.mark.parametrize("status", [None, "resting"])
async def test_lists_join_all_subaccounts_and_pages_stay_stable(client: Client, status: str | None) -> None:
    filters: dict[str, Any] = {"limit": 2} | ({"status": status} if status else {})
    placed = [(await client.place(ALICE, "bid", "0.10", "1"))["order_id"] for _ in range(2)]
    early = await client.get("/portfolio/orders", **{**filters, "limit": 1})
    number = await open_funded(client)
    parts = (number, 0, number)
    placed += [(await client.place(ALICE, "bid", "0.10", "1", subaccount=part))["order_id"] for part in parts]
    first = await client.get("/portfolio/orders", **filters)
    await client.place(ALICE, "bid", "0.10", "1", subaccount=number)
    second = await client.get("/portfolio/orders", **filters, cursor=first["cursor"])
    third = await client.get("/portfolio/orders", **filters, cursor=second["cursor"])
    found = [row["order_id"] for page in (first, second, third) for row in page["orders"]]
    assert (found, third["cursor"]) == (placed[::-1], "")
    rest = await client.get("/portfolio/orders", **{**filters, "cursor": early["cursor"]})
    assert [row["order_id"] for row in rest["orders"]] == placed[:1]

    async def count(**more: Any) -> int:
        rows = (await client.get("/portfolio/orders", **more))["orders"]
        return len(rows)

    assert [await count(), await count(subaccount=0), await count(subaccount=number)] == [6, 3, 3]


async def test_fills_and_settlements_join_all_subaccounts(client: Client) -> None:
    number = await open_funded(client)
    await client.place(BOB, "ask", "0.40", "6")
    for part in (0, number, 0):
        await client.place(ALICE, "bid", "0.40", str(part + 1), subaccount=part)
    fills = (await client.get("/portfolio/fills"))["fills"]
    assert [(row["subaccount_number"], row["count_fp"]) for row in fills] == [(0, "1.00"), (1, "2.00"), (0, "1.00")]
    assert len((await client.get("/portfolio/fills", subaccount=number))["fills"]) == 1
    await client.venue.resolve(TICKER, 1_000_000)
    rows = (await client.get("/portfolio/settlements"))["settlements"]
    assert sorted((row["yes_count_fp"], row["yes_total_cost_dollars"]) for row in rows) == [
        ("2.00", "0.8000"),
        ("2.00", "0.8000"),
    ]
    (own,) = (await client.get("/portfolio/settlements", subaccount=number))["settlements"]
    assert own["revenue"] == 200


async def test_parts_of_one_account_do_not_trade_with_each_other(client: Client) -> None:
    number = await open_funded(client)
    await client.place(ALICE, "ask", "0.40", "1")
    own = await client.place(ALICE, "bid", "0.40", "1", subaccount=number)
    assert (own["fill_count"], own["remaining_count"]) == ("0.00", "0.00")


async def test_cancel_all_reaches_every_subaccount_or_one(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    number = await open_funded(client)

    async def place(*parts: int) -> None:
        for part in parts:
            await client.place(ALICE, "bid", "0.10", "1", ticker=OTHER, subaccount=part)

    async def left() -> list[int]:
        rows = (await client.get("/portfolio/orders", status="resting"))["orders"]
        return [row["subaccount_number"] for row in rows]

    await place(0, number)
    assert (await client.send("DELETE", ORDERS, params={"subaccount": number})).status_code == 204
    assert await left() == [0]
    await place(number)
    assert (await client.send("DELETE", ORDERS)).status_code == 204
    assert await left() == []
    await place(0, 0, number, number)
    monkeypatch.setattr(kalshi_orders, "MAX_CANCELLED", 3)
    await client.send("DELETE", ORDERS)
    assert await left() == [number]


async def test_groups_belong_to_their_subaccount(client: Client) -> None:
    number = await open_funded(client)
    response = await client.send("POST", "/portfolio/order_groups/create", json={"contracts_limit": 5, "subaccount": number})
    group_id = response.json()["order_group_id"]
    assert response.json()["subaccount"] == number
    sent = order(order_group_id=group_id)
    await refused(client, 404, "order_group_not_found", "POST", ORDERS, json=sent)
    placed = await client.place(ALICE, "bid", "0.40", "1", order_group_id=group_id, subaccount=number)
    assert (await client.get(f"/portfolio/order_groups/{group_id}"))["orders"] == [placed["order_id"]]
    assert len((await client.get("/portfolio/order_groups"))["order_groups"]) == 1
    assert (await client.get("/portfolio/order_groups", subaccount=0))["order_groups"] == []
    path = f"/portfolio/order_groups/{group_id}"
    await refused(client, 404, "order_group_not_found", "DELETE", path)
    assert (await client.send("DELETE", path, params={"subaccount": number})).status_code == 200


async def test_locked_key_reaches_its_subaccount_only(client: Client) -> None:
    number = await open_funded(client)
    other = await open_funded(client)
    await lock(client, number)
    await client.place(ALICE, "bid", "0.10", "1")
    placed = await client.place(LOCKED, "bid", "0.10", "1")
    await client.place(LOCKED, "bid", "0.10", "1", subaccount=number)
    rows = (await client.get("/portfolio/orders", LOCKED))["orders"]
    assert [row["subaccount_number"] for row in rows] == [number, number]
    assert await balances(client, LOCKED) == {number: "99.8000"}
    assert (await client.get("/portfolio/balance", LOCKED))["balance_dollars"] == "99.8000"
    for part in (0, other):
        details = await refused(client, 403, "subaccount_restricted", "POST", ORDERS, LOCKED, json=order(subaccount=part))
        assert details["have"] == number
        await refused(client, 403, "subaccount_restricted", "GET", "/portfolio/fills", LOCKED, params={"subaccount": part})
    await refused(client, 403, "subaccount_restricted", "POST", SUBACCOUNTS, LOCKED)
    path = f"{SUBACCOUNTS}/transfer"
    await refused(client, 403, "subaccount_restricted", "POST", path, LOCKED, json=sending(number, 0, 1))
    await refused(client, 403, "subaccount_restricted", "GET", f"{SUBACCOUNTS}/transfers", LOCKED)
    assert (await client.send("DELETE", ORDERS, LOCKED)).status_code == 204
    assert (await client.get(f"/portfolio/orders/{placed['order_id']}"))["order"]["status"] == "canceled"
    assert len((await client.get("/portfolio/orders", status="resting"))["orders"]) == 1
