"""Order groups in Kalshi's dialect."""

from typing import Any

import pytest

from tests.gateways.conftest import Client, order, possessions
from tests.sdk.kalshi_venue import ALICE, BOB

GROUPS = "/portfolio/order_groups"
ORDERS = "/portfolio/events/orders"


async def make(client: Client, limit: str = "5", who: str = ALICE, **more: Any) -> str:
    response = await client.send("POST", f"{GROUPS}/create", who, json={"contracts_limit_fp": limit, **more})
    assert response.status_code == 201, response.text
    group_id: str = response.json()["order_group_id"]
    return group_id


async def change(client: Client, method: str, path: str, **more: Any) -> None:
    response = await client.send(method, f"{GROUPS}/{path}", **more)
    assert (response.status_code, response.json()) == (200, {}), response.text


async def refused(client: Client, status: int, code: str, method: str, path: str, who: str = ALICE, **more: Any) -> Any:
    before = possessions(client.venue)
    response = await client.send(method, f"{GROUPS}{path}", who, **more)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert possessions(client.venue) == before
    return response.json()["error"]["details"]


async def group(client: Client, group_id: str) -> Any:
    return await client.get(f"{GROUPS}/{group_id}")


async def test_created_group_is_listed_with_its_orders(client: Client) -> None:
    response = await client.send("POST", f"{GROUPS}/create", json={"contracts_limit": 5, "contracts_limit_fp": "5.00"})
    made = response.json()
    assert (response.status_code, made["subaccount"], made["exchange_index"]) == (201, 0, 0)
    group_id = made["order_group_id"]
    assert (await group(client, group_id))["orders"] == []
    placed = await client.place(ALICE, "bid", "0.40", "3", order_group_id=group_id)
    found = await group(client, group_id)
    assert (found["orders"], found["contracts_limit_fp"]) == ([placed["order_id"]], "5.00")
    assert (found["is_auto_cancel_enabled"], found["is_triggered"]) == (True, False)
    second = await make(client)
    rows = (await client.get(GROUPS))["order_groups"]
    assert [(row["id"], row["contracts_limit_fp"]) for row in rows] == [(group_id, "5.00"), (second, "5.00")]
    view = (await client.get(f"/portfolio/orders/{placed['order_id']}"))["order"]
    assert view["order_group_id"] == group_id
    assert (await client.get(GROUPS, BOB))["order_groups"] == []


async def test_limit_cancels_the_group_until_it_is_reset(client: Client) -> None:
    group_id = await make(client)
    waiting = await client.place(ALICE, "bid", "0.30", "3", order_group_id=group_id)
    await client.place(ALICE, "bid", "0.40", "9", order_group_id=group_id)
    await client.place(BOB, "ask", "0.40", "5")
    found = await group(client, group_id)
    assert (found["orders"], found["is_triggered"]) == ([], True)
    view = (await client.get(f"/portfolio/orders/{waiting['order_id']}"))["order"]
    assert (view["status"], view["cancel_reason"]) == ("canceled", "group_triggered")
    sent = order(order_group_id=group_id)
    response = await client.send("POST", ORDERS, json=sent)
    assert (response.status_code, response.json()["code"]) == (409, "order_group_triggered")
    await change(client, "PUT", f"{group_id}/reset", headers={"Content-Type": "application/json"})
    assert not (await group(client, group_id))["is_triggered"]
    await client.place(ALICE, "bid", "0.40", "1", order_group_id=group_id)


async def test_trigger_limit_and_delete(client: Client) -> None:
    group_id = await make(client)
    await client.place(ALICE, "bid", "0.40", "3", order_group_id=group_id)
    await change(client, "PUT", f"{group_id}/trigger", json={})
    assert (await group(client, group_id))["is_triggered"]
    await change(client, "PUT", f"{group_id}/reset")
    await client.place(ALICE, "bid", "0.40", "3", order_group_id=group_id)
    await client.place(BOB, "ask", "0.40", "2")
    await change(client, "PUT", f"{group_id}/limit", json={"contracts_limit": 4})
    assert len((await group(client, group_id))["orders"]) == 1
    await change(client, "PUT", f"{group_id}/limit", json={"contracts_limit_fp": "2.00"})
    found = await group(client, group_id)
    assert (found["orders"], found["is_triggered"], found["contracts_limit_fp"]) == ([], True, "2.00")
    await change(client, "PUT", f"{group_id}/reset")
    placed = await client.place(ALICE, "bid", "0.40", "1", order_group_id=group_id)
    await change(client, "DELETE", group_id)
    assert (await client.get(f"/portfolio/orders/{placed['order_id']}"))["order"]["cancel_reason"] == "group_deleted"
    await refused(client, 404, "order_group_not_found", "GET", f"/{group_id}")


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"contracts_limit": 0},
        {"contracts_limit": -1},
        {"contracts_limit": 10**15},
        {"contracts_limit": 1.5},
        {"contracts_limit": "5"},
        {"contracts_limit": 5, "contracts_limit_fp": "6"},
        {"contracts_limit_fp": "0.50"},
        {"contracts_limit_fp": "1000000.01"},
        {"contracts_limit": 5, "limit": 5},
    ],
)
async def test_bad_limit_is_400(client: Client, sent: dict[str, Any]) -> None:
    await refused(client, 400, "invalid_parameters", "POST", "/create", json=sent)
    group_id = await make(client)
    await refused(client, 400, "invalid_parameters", "PUT", f"/{group_id}/limit", json=sent)


async def test_highest_limit_is_named_and_allowed(client: Client) -> None:
    details = await refused(client, 400, "invalid_parameters", "POST", "/create", json={"contracts_limit": 1_000_001})
    assert (details["limit_fp"], details["highest_fp"]) == ("1000001.00", "1000000.00")
    await make(client, details["highest_fp"])


async def test_group_of_nobody_or_somebody_else_is_404(client: Client) -> None:
    group_id = await make(client)
    for found, who in (("nothing", ALICE), (group_id, BOB)):
        await refused(client, 404, "order_group_not_found", "GET", f"/{found}", who)
        await refused(client, 404, "order_group_not_found", "DELETE", f"/{found}", who)
        for change_name, sent in (("reset", None), ("trigger", None), ("limit", {"contracts_limit": 5})):
            await refused(client, 404, "order_group_not_found", "PUT", f"/{found}/{change_name}", who, json=sent)
        response = await client.send("POST", ORDERS, who, json=order(order_group_id=found))
        assert (response.status_code, response.json()["code"]) == (404, "order_group_not_found")


async def test_what_groups_do_not_take(client: Client) -> None:
    group_id = await make(client)
    await refused(client, 400, "invalid_parameters", "PUT", f"/{group_id}/reset", json={"force": True})
    await refused(client, 400, "invalid_json", "PUT", f"/{group_id}/trigger", content=b"{")
    await refused(client, 400, "invalid_parameters", "POST", "/create", json={"contracts_limit": 5, "exchange_index": 1})
    await refused(client, 403, "insufficient_scope", "POST", "/create", "alice-reads", json={"contracts_limit": 5})
    await refused(client, 404, "subaccount_not_found", "POST", "/create", json={"contracts_limit": 5, "subaccount": 9})
