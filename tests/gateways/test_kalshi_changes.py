"""Open orders in Kalshi's dialect: amend, decrease, queue positions, reduce-only, and a cancel-all with a bound."""

from typing import Any

import pytest

from offchain_book.gateways import kalshi_orders
from offchain_book.gateways.credentials import wall_clock_ms
from tests.gateways.conftest import Client, order, possessions
from tests.sdk.kalshi_venue import ALICE, BOB, FEE_TICKER, FREE_EVENT, OTHER, PAID_EVENT, TICKER

ORDERS = "/portfolio/events/orders"


def body(price: str = "0.40", count: str = "10", **more: Any) -> dict[str, Any]:
    return {"ticker": TICKER, "side": "bid", "price": price, "count": count, **more}


async def change(client: Client, how: str, order_id: str, sent: dict[str, Any], who: str = ALICE) -> Any:
    response = await client.send("POST", f"{ORDERS}/{order_id}/{how}", who, json=sent)
    assert response.status_code == 200, response.text
    return response.json()


async def refused(
    client: Client, how: str, order_id: str, sent: Any, status: int, code: str, who: str = ALICE
) -> dict[str, Any]:
    """Send a change that must fail and leave everything as it was; return the nested details."""
    before = possessions(client.venue)
    response = await client.send("POST", f"{ORDERS}/{order_id}/{how}", who, json=sent)
    answer = response.json()
    assert (response.status_code, answer["code"]) == (status, code), answer
    assert possessions(client.venue) == before
    details: dict[str, Any] = answer["error"]["details"]
    return details


async def seen(client: Client, order_id: str, who: str = ALICE) -> Any:
    return (await client.get(f"/portfolio/orders/{order_id}", who))["order"]


async def ahead(client: Client, order_id: str, who: str = ALICE) -> Any:
    return (await client.get(f"/portfolio/orders/{order_id}/queue_position", who))["queue_position_fp"]


# --- amend -------------------------------------------------------------------------------------------------------------


async def test_amend_to_a_crossing_price_trades_at_once(client: Client) -> None:
    await client.place(BOB, "ask", "0.45", "4")
    placed = await client.place(ALICE, "bid", "0.40", "10")
    answer = await change(client, "amend", placed["order_id"], body("0.45"))
    assert (answer["order_id"], answer["fill_count"], answer["remaining_count"]) == (placed["order_id"], "4.00", "6.00")
    assert (answer["average_fill_price"], answer["average_fee_paid"]) == ("0.4500", "0.0000")
    view = await seen(client, placed["order_id"])
    assert (view["yes_price_dollars"], view["fill_count_fp"], view["remaining_count_fp"]) == ("0.4500", "4.00", "6.00")
    assert view["initial_count_fp"] == "10.00"


async def test_amend_that_fills_everything_leaves_nothing(client: Client) -> None:
    await client.place(BOB, "ask", "0.45", "10")
    placed = await client.place(ALICE, "bid", "0.40", "10")
    answer = await change(client, "amend", placed["order_id"], body("0.45"))
    assert (answer["fill_count"], answer["remaining_count"]) == ("10.00", "0.00")
    assert (await seen(client, placed["order_id"]))["status"] == "executed"


async def test_count_is_the_total_of_filled_and_wanted(client: Client) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "10")
    await client.place(BOB, "ask", "0.40", "3")
    answer = await change(client, "amend", placed["order_id"], body(count="5"))
    assert (answer["fill_count"], answer["remaining_count"]) == ("0.00", "2.00")
    assert "average_fill_price" not in answer
    view = await seen(client, placed["order_id"])
    assert (view["initial_count_fp"], view["remaining_count_fp"], view["fill_count_fp"]) == ("10.00", "2.00", "3.00")
    details = await refused(client, "amend", placed["order_id"], body(count="3"), 400, "invalid_order_size")
    assert (details["size_fp"], details["filled_fp"]) == ("3.00", "3.00")


async def test_expiry_alone_keeps_the_place_and_reports_no_counts(client: Client) -> None:
    first = await client.place(ALICE, "bid", "0.40", "10")
    second = await client.place(BOB, "bid", "0.40", "1")
    until = wall_clock_ms() // 1000 + 600
    answer = await change(client, "amend", first["order_id"], body(expiration_time=until))
    assert (answer["remaining_count"], answer["fill_count"]) == (None, None)
    assert (await seen(client, first["order_id"]))["expiration_time"] is not None
    assert await ahead(client, second["order_id"], BOB) == "10.00"
    await change(client, "amend", first["order_id"], body())
    assert (await seen(client, first["order_id"]))["expiration_time"] is not None
    await change(client, "amend", first["order_id"], body(expiration_time=0))
    assert (await seen(client, first["order_id"]))["expiration_time"] is None
    for past in (1, -1):
        await refused(client, "amend", first["order_id"], body(expiration_time=past), 400, "invalid_expiration_time")


async def test_larger_amend_goes_to_the_back(client: Client) -> None:
    first = await client.place(ALICE, "bid", "0.40", "10")
    second = await client.place(BOB, "bid", "0.40", "1")
    await change(client, "amend", first["order_id"], body(count="11"))
    assert await ahead(client, first["order_id"]) == "1.00"
    assert await ahead(client, second["order_id"], BOB) == "0.00"
    assert (await seen(client, first["order_id"]))["initial_count_fp"] == "11.00"


async def test_amend_may_rename_and_is_harmless_twice(client: Client) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "10", client_order_id="old")
    sent = body("0.41", client_order_id="old", updated_client_order_id="new")
    for _ in range(2):
        assert (await change(client, "amend", placed["order_id"], sent))["client_order_id"] == "new"
    assert (await seen(client, placed["order_id"]))["client_order_id"] == "new"
    other = await client.place(ALICE, "bid", "0.40", "1", client_order_id="other")
    await refused(
        client, "amend", other["order_id"], body(count="1", updated_client_order_id="new"), 409, "order_already_exists"
    )


async def test_amend_that_means_another_order_is_named(client: Client) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "10", client_order_id="mine")
    order_id = placed["order_id"]
    await refused(client, "amend", order_id, {**body(), "ticker": OTHER}, 400, "order_ticker_mismatch")
    await refused(client, "amend", order_id, {**body(), "side": "ask"}, 400, "order_side_mismatch")
    sent = body(client_order_id="nobodys")
    await refused(client, "amend", order_id, sent, 400, "order_id_and_client_order_id_mismatch")


async def test_amend_meets_the_checks_of_a_new_order(client: Client) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "10", post_only=True)
    await client.place(BOB, "ask", "0.50", "1")
    order_id = placed["order_id"]
    details = await refused(client, "amend", order_id, body("0.405"), 400, "invalid_price")
    assert (details["below_dollars"], details["above_dollars"]) == ("0.4000", "0.4100")
    details = await refused(client, "amend", order_id, body(count="9000"), 400, "available_balance_too_low")
    assert (details["have_dollars"], details["need_dollars"]) == ("996.0000", "3596.0000")
    await refused(client, "amend", order_id, body("0.50"), 400, "post_only_cross")
    await refused(client, "amend", order_id, body(count="0"), 400, "invalid_order_size")
    for sent in ({}, body(count=10), body(reduce_only=True), body(exchange_index=1), body(side="yes"), []):
        await refused(client, "amend", order_id, sent, 400, "invalid_parameters")


@pytest.mark.parametrize(("how", "sent"), [("amend", body()), ("decrease", {"reduce_by": "1"})])
async def test_only_ones_own_open_order_can_change(client: Client, how: str, sent: dict[str, Any]) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "10")
    await refused(client, how, placed["order_id"], sent, 404, "order_not_found", BOB)
    await refused(client, how, "nothing", sent, 404, "order_not_found")
    await refused(client, how, placed["order_id"], sent, 403, "insufficient_scope", "alice-reads")
    await client.send("DELETE", f"{ORDERS}/{placed['order_id']}")
    await refused(client, how, placed["order_id"], sent, 404, "order_not_open")


# --- decrease ----------------------------------------------------------------------------------------------------------


async def test_decrease_by_and_to_keep_the_place(client: Client) -> None:
    first = await client.place(ALICE, "bid", "0.40", "10", client_order_id="mine")
    second = await client.place(BOB, "bid", "0.40", "1")
    answer = await change(client, "decrease", first["order_id"], {"reduce_by": "2.5"})
    assert (answer["order_id"], answer["client_order_id"], answer["remaining_count"]) == (first["order_id"], "mine", "7.50")
    assert isinstance(answer["ts_ms"], int)
    answer = await change(client, "decrease", first["order_id"], {"reduce_to": "4", "market_ticker": TICKER})
    assert answer["remaining_count"] == "4.00"
    view = await seen(client, first["order_id"])
    assert (view["initial_count_fp"], view["remaining_count_fp"], view["status"]) == ("10.00", "4.00", "resting")
    assert await ahead(client, second["order_id"], BOB) == "4.00"
    assert (await client.get("/portfolio/balance"))["balance_dollars"] == "998.4000"


@pytest.mark.parametrize("sent", [{"reduce_to": "0"}, {"reduce_by": "10"}, {"reduce_by": "11"}])
async def test_decrease_to_nothing_cancels(client: Client, sent: dict[str, Any]) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "10")
    assert (await change(client, "decrease", placed["order_id"], sent))["remaining_count"] == "0.00"
    view = await seen(client, placed["order_id"])
    assert (view["status"], view["initial_count_fp"]) == ("canceled", "10.00")


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"reduce_by": "1", "reduce_to": "1"},
        {"reduce_by": "0"},
        {"reduce_by": "-1"},
        {"reduce_to": "10"},
        {"reduce_to": "-1"},
        {"reduce_by": None},
    ],
)
async def test_decrease_needs_exactly_one_smaller_size(client: Client, sent: dict[str, Any]) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "10")
    details = await refused(client, "decrease", placed["order_id"], sent, 400, "invalid_order_size")
    assert details["remaining_fp"] == "10.00"


async def test_decrease_with_a_bad_field_names_it(client: Client) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "10")
    details = await refused(client, "decrease", placed["order_id"], {"reduce_by": "0.001"}, 400, "invalid_order_size")
    assert (details["field"], details["below_fp"], details["above_fp"]) == ("reduce_by", "0.00", "0.01")
    sent = {"reduce_by": "1", "market_ticker": OTHER}
    await refused(client, "decrease", placed["order_id"], sent, 400, "order_ticker_mismatch")
    for wrong in ({"reduce_by": 1}, {"by": "1"}, {"reduce_by": "1", "exchange_index": 2}):
        await refused(client, "decrease", placed["order_id"], wrong, 400, "invalid_parameters")


# --- queue positions ---------------------------------------------------------------------------------------------------


async def test_queue_position_counts_better_prices_and_earlier_orders(client: Client) -> None:
    await client.place(BOB, "bid", "0.41", "2")
    await client.place(BOB, "bid", "0.40", "3.5")
    mine = await client.place(ALICE, "bid", "0.40", "10")
    await client.place(BOB, "bid", "0.40", "7")
    assert await ahead(client, mine["order_id"]) == "5.50"
    await client.place(ALICE, "ask", "0.41", "1")
    assert await ahead(client, mine["order_id"]) == "4.50"


async def test_queue_positions_are_filtered(client: Client) -> None:
    await client.place(BOB, "bid", "0.40", "3", ticker=OTHER)
    placed = {ticker: await client.place(ALICE, "bid", "0.40", "1", ticker=ticker) for ticker in (TICKER, OTHER, FEE_TICKER)}

    async def found(**filters: Any) -> dict[str, Any]:
        rows = (await client.get("/portfolio/orders/queue_positions", **filters))["queue_positions"]
        for row in rows:
            assert row["order_id"] == placed[row["market_ticker"]]["order_id"]
        return {row["market_ticker"]: row["queue_position_fp"] for row in rows}

    assert await found() == {FEE_TICKER: "0.00", OTHER: "3.00", TICKER: "0.00"}
    assert await found(market_tickers=f"{OTHER},{FEE_TICKER}") == {FEE_TICKER: "0.00", OTHER: "3.00"}
    assert await found(event_ticker=FREE_EVENT) == {OTHER: "3.00", TICKER: "0.00"}
    assert await found(event_ticker=PAID_EVENT, market_tickers=TICKER) == {}


async def test_finished_order_stands_in_no_queue(client: Client) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "1")
    await client.send("DELETE", ORDERS)
    for order_id, code in ((placed["order_id"], "order_not_open"), ("nothing", "order_not_found")):
        response = await client.send("GET", f"/portfolio/orders/{order_id}/queue_position")
        assert (response.status_code, response.json()["code"]) == (404, code)
    assert (await client.get("/portfolio/orders/queue_positions"))["queue_positions"] == []


# --- reduce-only and cancel-all ----------------------------------------------------------------------------------------


async def test_reduce_only_closes_no_more_than_there_is(client: Client) -> None:
    now = {"reduce_only": True, "time_in_force": "immediate_or_cancel"}
    sent = order("ask", "0.40", "10", **now)
    response = await client.send("POST", ORDERS, json=sent)
    assert (response.status_code, response.json()["code"]) == (409, "nothing_to_reduce")
    await client.place(BOB, "ask", "0.40", "3")
    await client.place(ALICE, "bid", "0.40", "3")
    await client.place(BOB, "bid", "0.40", "10")
    sold = await client.place(ALICE, "ask", "0.40", "10", **now)
    assert (sold["fill_count"], sold["remaining_count"]) == ("3.00", "0.00")
    (position,) = (await client.get("/portfolio/positions"))["market_positions"]
    assert position["position_fp"] == "0.00"


async def test_reduce_only_that_could_rest_is_400(client: Client) -> None:
    before = possessions(client.venue)
    response = await client.send("POST", ORDERS, json=order(reduce_only=True))
    details = response.json()["error"]["details"]
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameters")
    assert details["option"] == "reduce-only"
    assert possessions(client.venue) == before


async def test_cancel_all_is_bounded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kalshi_orders, "MAX_CANCELLED", 2)
    placed = [await client.place(ALICE, "bid", "0.40", "1") for _ in range(3)]
    assert (await client.send("DELETE", ORDERS)).status_code == 204
    left = (await client.get("/portfolio/orders", status="resting"))["orders"]
    assert [row["order_id"] for row in left] == [placed[2]["order_id"]]
