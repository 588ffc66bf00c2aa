"""Orders in Kalshi's dialect: what a good one does, and that a bad one is named exactly and moves nothing."""

import asyncio
from typing import Any

import pytest

from offchain_book.config import MAX_BODY_BYTES
from offchain_book.engine import policy_commands as pc
from offchain_book.engine.market_commands import PauseMarket
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide
from offchain_book.gateways import kalshi_call, kalshi_orders
from offchain_book.gateways.kalshi_bodies import MAX_BATCH, count_micros, price_e4
from offchain_book.sequencer import Overloaded, Unavailable
from tests.gateways.conftest import Client, order, possessions
from tests.sdk.kalshi_venue import ALICE, BOB, CAROL, FEE_TICKER, LATER_TICKER, OTHER, TICKER

ORDERS = "/portfolio/events/orders"


async def refused(client: Client, status: int, code: str, who: str = ALICE, **request: Any) -> dict[str, Any]:
    """Send a POST that must fail with this status and code and leave everything as it was; return the nested details."""
    before = possessions(client.venue)
    response = await client.send("POST", ORDERS, who, **request)
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    assert body["error"]["code"] == code
    assert body["error"]["message"] == body["message"] != ""
    assert isinstance(body["details"], str)
    assert possessions(client.venue) == before
    details: dict[str, Any] = body["error"]["details"]
    return details


# --- malformed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"{", b"nonsense", b"\xff\xfe", b'{"ticker": NaN}', b'{"ticker": "\\ud800"}'])
async def test_malformed_json_is_400(client: Client, content: bytes) -> None:
    await refused(client, 400, "invalid_json", content=content)


async def test_json_nested_without_end_is_400(client: Client) -> None:
    content = b'{"orders":[' + b"[" * 500_000
    response = await client.send("POST", f"{ORDERS}/batched", content=content)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("content", [b"[]", b"null", b"1", b'"order"', b"{}", b'{"ticker": null}'])
async def test_json_of_another_shape_is_400(client: Client, content: bytes) -> None:
    await refused(client, 400, "invalid_parameters", content=content)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ticker", ""),
        ("ticker", 7),
        ("ticker", "X" * 201),
        ("side", "yes"),
        ("side", None),
        ("count", 10),
        ("count", None),
        ("price", 0.4),
        ("price", None),
        ("time_in_force", "day"),
        ("time_in_force", None),
        ("self_trade_prevention_type", "none"),
        ("self_trade_prevention_type", None),
        ("client_order_id", 7),
        ("client_order_id", "X" * 201),
        ("expiration_time", "tomorrow"),
        ("expiration_time", 1.5),
        ("post_only", "true"),
        ("post_only", 1),
        ("subaccount", "0"),
        ("exchange_index", 1),
        ("post_onyl", True),
    ],
)
async def test_field_of_the_wrong_kind_is_400(client: Client, field: str, value: Any) -> None:
    await refused(client, 400, "invalid_parameters", json=order(**{field: value}))


async def test_body_above_the_limit_is_413(client: Client) -> None:
    exact = b" " * (MAX_BODY_BYTES - 2) + b"{}"
    await refused(client, 400, "invalid_parameters", content=exact)
    await refused(client, 413, "body_too_large", content=exact + b" ")


async def test_order_that_asks_for_it_is_cancelled_by_a_pause(client: Client) -> None:
    asked = await client.place(ALICE, "bid", "0.3000", "1.00", cancel_order_on_pause=True)
    stays = await client.place(ALICE, "bid", "0.3000", "1.00")
    await client.venue.sequencer.submit(PauseMarket(TICKER))
    found = [(await client.get(f"/portfolio/orders/{one['order_id']}"))["order"] for one in (asked, stays)]
    assert [(view["status"], view["cancel_reason"]) for view in found] == [("canceled", "paused"), ("resting", None)]
    assert (await client.get(f"/markets/{TICKER}", None))["market"]["status"] == "inactive"


# --- prices, sizes, names ----------------------------------------------------------------------------------------------


async def test_unknown_ticker_is_404(client: Client) -> None:
    details = await refused(client, 404, "market_not_found", json=order(ticker="KXNO"))
    assert details == {"reject_code": "UNKNOWN_MARKET", "ticker": "KXNO"}


async def test_price_off_tick_names_its_neighbours(client: Client) -> None:
    details = await refused(client, 400, "invalid_price", json=order(price="0.405"))
    assert (details["price_dollars"], details["below_dollars"], details["above_dollars"]) == (
        "0.4050",
        "0.4000",
        "0.4100",
    )


@pytest.mark.parametrize("price", ["0.00", "1.00", "0.0001", "0.9999", "-0.40", "999999999999.00"])
async def test_price_out_of_range_names_the_range(client: Client, price: str) -> None:
    details = await refused(client, 400, "invalid_price", json=order(price=price))
    assert (details["lowest_dollars"], details["highest_dollars"]) == ("0.0100", "0.9900")


@pytest.mark.parametrize(
    "price", ["", "abc", "0.4", "1", ".40", "0,40", "4e-1", " 0.40", "+0.40", "0.40 ", "NaN", "٠.٤٠", "1" * 13 + ".00"]
)
async def test_price_that_is_no_fixed_point_number_is_400(client: Client, price: str) -> None:
    await refused(client, 400, "invalid_price", json=order(price=price))


async def test_price_with_five_decimals_names_its_neighbours(client: Client) -> None:
    details = await refused(client, 400, "invalid_price", json=order(price="0.40005"))
    assert (details["below_dollars"], details["above_dollars"]) == ("0.4000", "0.4001")


@pytest.mark.parametrize("count", ["0", "0.00", "-1", "-0.01"])
async def test_size_that_is_not_positive_is_400(client: Client, count: str) -> None:
    details = await refused(client, 400, "invalid_order_size", json=order(count=count))
    assert details["reject_code"] == "SIZE_NOT_POSITIVE"


async def test_size_off_lot_names_its_neighbours(client: Client) -> None:
    details = await refused(client, 400, "invalid_order_size", json=order(count="10.005"))
    assert (details["below_fp"], details["above_fp"]) == ("10.00", "10.01")


@pytest.mark.parametrize("count", ["", "ten", "1e3", "1.", ".5", "1_000", "0x10", "Infinity", "1" * 13])
async def test_size_that_is_no_fixed_point_number_is_400(client: Client, count: str) -> None:
    await refused(client, 400, "invalid_order_size", json=order(count=count))


async def test_size_above_the_limit_is_400(client: Client) -> None:
    details = await refused(client, 400, "invalid_order_size", json=order(count="1000000.01"))
    assert details["limit_fp"] == "1000000.00"


@pytest.mark.parametrize(("text", "micros"), [("1", 1_000_000), ("1.5", 1_500_000), ("0.01", 10_000), ("12.34", 12_340_000)])
def test_counts_are_exact(text: str, micros: int) -> None:
    assert count_micros(text) == micros


@pytest.mark.parametrize(("text", "price"), [("0.56", 5_600), ("0.567", 5_670), ("0.5678", 5_678)])
def test_prices_are_exact(text: str, price: int) -> None:
    assert price_e4(text) == price


@pytest.mark.parametrize("at_s", [0, -1, 1, 10**15])
async def test_expiry_that_is_not_in_the_future_is_400(client: Client, at_s: int) -> None:
    await refused(client, 400, "invalid_expiration_time", json=order(expiration_time=at_s))


async def test_expiry_goes_with_good_till_canceled_only(client: Client) -> None:
    body = order(expiration_time=4_000_000_000, time_in_force="immediate_or_cancel")
    await refused(client, 400, "invalid_parameters", json=body)


# --- funds, names, time in force ---------------------------------------------------------------------------------------


async def test_unfunded_order_tells_have_and_need(client: Client) -> None:
    details = await refused(client, 400, "available_balance_too_low", CAROL, json=order(price="0.50", count="3"))
    assert (details["have_dollars"], details["need_dollars"], details["held_dollars"]) == ("0.0000", "1.5000", "0.0000")


async def test_duplicate_client_order_id_is_409_even_after_a_cancel(client: Client) -> None:
    first = await client.place(ALICE, "bid", "0.40", "1", client_order_id="mine")
    details = await refused(client, 409, "order_already_exists", json=order(client_order_id="mine"))
    assert details["order_id"] == first["order_id"]
    await client.send("DELETE", f"{ORDERS}/{first['order_id']}")
    await refused(client, 409, "order_already_exists", json=order(client_order_id="mine"))
    assert (await client.place(BOB, "bid", "0.40", "1", client_order_id="mine"))["client_order_id"] == "mine"


async def test_market_that_is_not_open_takes_no_orders(client: Client) -> None:
    details = await refused(client, 409, "market_inactive", json=order(ticker=LATER_TICKER))
    assert details["status"] == "initialized"


async def test_post_only_that_would_cross_is_400(client: Client) -> None:
    await client.place(BOB, "ask", "0.40", "1")
    details = await refused(client, 400, "post_only_cross", json=order(price="0.40", post_only=True))
    assert (details["reason"], details["best_dollars"]) == ("post only cross", "0.4000")
    assert (await client.place(ALICE, "bid", "0.39", "1", post_only=True))["remaining_count"] == "1.00"


async def test_fill_or_kill_fills_whole_or_not_at_all(client: Client) -> None:
    await client.place(BOB, "ask", "0.40", "5")
    body = order(price="0.40", count="6", time_in_force="fill_or_kill")
    details = await refused(client, 409, "fill_or_kill_insufficient_resting_volume", json=body)
    assert details["fillable_fp"] == "5.00"
    filled = await client.place(ALICE, "bid", "0.40", "5", time_in_force="fill_or_kill")
    assert (filled["fill_count"], filled["remaining_count"]) == ("5.00", "0.00")


async def test_immediate_or_cancel_cancels_the_rest(client: Client) -> None:
    await client.place(BOB, "ask", "0.40", "5")
    filled = await client.place(ALICE, "bid", "0.40", "6", time_in_force="immediate_or_cancel")
    assert (filled["fill_count"], filled["remaining_count"]) == ("5.00", "0.00")
    row = (await client.get(f"/portfolio/orders/{filled['order_id']}"))["order"]
    assert (row["status"], row["fill_count_fp"], row["remaining_count_fp"]) == ("canceled", "5.00", "0.00")


async def test_average_price_is_weighted_by_size(client: Client) -> None:
    for price, count in (("0.40", "1"), ("0.41", "2")):
        await client.place(BOB, "ask", price, count)
    filled = await client.place(ALICE, "bid", "0.45", "4")
    assert (filled["fill_count"], filled["remaining_count"]) == ("3.00", "1.00")
    assert (filled["average_fill_price"], filled["average_fee_paid"]) == ("0.406667", "0.0000")


async def test_fees_are_reported_with_order_and_fill(client: Client) -> None:
    await client.place(BOB, "ask", "0.50", "100", ticker=FEE_TICKER)
    filled = await client.place(ALICE, "bid", "0.50", "100", ticker=FEE_TICKER)
    assert filled["average_fee_paid"] == "0.0175"
    row = (await client.get(f"/portfolio/orders/{filled['order_id']}"))["order"]
    assert (row["taker_fees_dollars"], row["maker_fees_dollars"]) == ("1.7500", "0.0000")
    (fill,) = (await client.get("/portfolio/fills", BOB))["fills"]
    assert fill["fee_cost"] == "0.4375"


@pytest.mark.parametrize(("prevention", "left", "resting"), [("taker_at_cross", "0.00", 1), ("maker", "1.00", 1)])
async def test_self_trade_prevention(client: Client, prevention: str, left: str, resting: int) -> None:
    first = await client.place(ALICE, "ask", "0.40", "1")
    second = await client.place(ALICE, "bid", "0.40", "1", self_trade_prevention_type=prevention)
    assert (second["fill_count"], second["remaining_count"]) == ("0.00", left)
    rows = (await client.get("/portfolio/orders", status="resting"))["orders"]
    survivor = first if prevention == "taker_at_cross" else second
    assert [row["order_id"] for row in rows] == [survivor["order_id"]]
    assert len(rows) == resting


async def test_order_expires_on_venue_time(client: Client) -> None:
    at_s = client.venue.clock() // 1000 + 3_600
    placed = await client.place(ALICE, "bid", "0.40", "1", expiration_time=at_s)
    client.venue.clock.offset_ms = 2 * 3_600_000
    await client.place(BOB, "bid", "0.10", "1")
    row = (await client.get(f"/portfolio/orders/{placed['order_id']}"))["order"]
    assert (row["status"], row["cancel_reason"]) == ("canceled", "expired")
    assert row["expiration_time"].endswith(".000Z")


# --- cancelling --------------------------------------------------------------------------------------------------------


async def test_cancel_frees_the_hold_and_answers_what_was_left(client: Client) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "10", client_order_id="mine")
    await client.place(BOB, "ask", "0.40", "4")
    response = await client.send("DELETE", f"{ORDERS}/{placed['order_id']}", params={"market_ticker": TICKER})
    body = response.json()
    assert (response.status_code, body["reduced_by"], body["client_order_id"]) == (200, "6.00", "mine")
    assert (await client.get("/portfolio/balance"))["balance"] == 99_840


@pytest.mark.parametrize("who", [BOB, ALICE])
async def test_cancel_of_a_stranger_or_unknown_order_is_404(client: Client, who: str) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "1")
    order_id = placed["order_id"] if who == BOB else "no-such-order"
    before = possessions(client.venue)
    response = await client.send("DELETE", f"{ORDERS}/{order_id}", who)
    assert (response.status_code, response.json()["code"]) == (404, "order_not_found")
    assert possessions(client.venue) == before


async def test_cancel_of_a_finished_order_is_404(client: Client) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "1")
    await client.place(BOB, "ask", "0.40", "1")
    response = await client.send("DELETE", f"{ORDERS}/{placed['order_id']}")
    assert (response.status_code, response.json()["code"]) == (404, "order_not_open")


async def test_cancel_in_another_market_is_refused(client: Client) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "1")
    response = await client.send("DELETE", f"{ORDERS}/{placed['order_id']}", params={"market_ticker": OTHER})
    assert (response.status_code, response.json()["code"]) == (400, "order_ticker_mismatch")


async def test_cancel_all_takes_every_market_and_nobody_elses(client: Client) -> None:
    await client.place(ALICE, "bid", "0.40", "1")
    await client.place(ALICE, "ask", "0.60", "1", ticker=OTHER)
    await client.place(BOB, "bid", "0.30", "1")
    response = await client.send("DELETE", ORDERS)
    assert (response.status_code, response.content) == (204, b"")
    assert (await client.get("/portfolio/orders", status="resting"))["orders"] == []
    assert len((await client.get("/portfolio/orders", BOB, status="resting"))["orders"]) == 1
    assert (await client.send("DELETE", ORDERS)).status_code == 204


# --- batches -----------------------------------------------------------------------------------------------------------


async def test_batch_rows_succeed_and_fail_alone_and_in_order(client: Client) -> None:
    rows = [order("bid", "0.40", "1", client_order_id="a"), order(price="0.405"), {"ticker": 1}, order("ask", "0.60", "2")]
    rows.append(order("bid", "0.30", "1", client_order_id="a"))
    response = await client.send("POST", f"{ORDERS}/batched", json={"orders": rows})
    assert response.status_code == 201
    results = response.json()["orders"]
    assert [row["error"]["code"] if "error" in row else row["remaining_count"] for row in results] == [
        "1.00",
        "invalid_price",
        "invalid_parameters",
        "2.00",
        "order_already_exists",
    ]


@pytest.mark.parametrize("rows", [[], [{}] * (MAX_BATCH + 1), None, "all"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_batch_of_the_wrong_size_is_400(client: Client, method: str, rows: Any) -> None:
    before = possessions(client.venue)
    response = await client.send(method, f"{ORDERS}/batched", json={"orders": rows})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameters")
    assert possessions(client.venue) == before


async def test_batch_cancel_always_tells_reduced_by(client: Client) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "3")
    rows = [
        {"order_id": placed["order_id"], "market_ticker": TICKER},
        {"order_id": "no"},
        {"order_id": "n", "subaccount": 1},
    ]
    response = await client.send("DELETE", f"{ORDERS}/batched", json={"orders": rows})
    first, second, third = response.json()["orders"]
    assert (response.status_code, first["reduced_by"]) == (200, "3.00")
    assert (second["reduced_by"], second["error"]["code"]) == ("0.00", "order_not_found")
    assert (third["reduced_by"], third["error"]["code"]) == ("0.00", "subaccount_not_found")


# --- listing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [None, "resting"])
async def test_pages_stay_stable_while_orders_arrive(client: Client, status: str | None) -> None:
    placed = [(await client.place(ALICE, "bid", "0.10", "1"))["order_id"] for _ in range(7)]
    filters: dict[str, Any] = {"limit": 3} | ({"status": status} if status else {})
    first = await client.get("/portfolio/orders", **filters)
    await client.place(ALICE, "bid", "0.11", "1")
    second = await client.get("/portfolio/orders", **filters, cursor=first["cursor"])
    third = await client.get("/portfolio/orders", **filters, cursor=second["cursor"])
    found = [row["order_id"] for page in (first, second, third) for row in page["orders"]]
    assert found == placed[::-1]
    assert third["cursor"] == ""


@pytest.mark.parametrize("status", [None, "resting"])
async def test_filter_that_finds_few_gives_short_pages_and_loses_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch, status: str | None
) -> None:
    for module in (kalshi_call, kalshi_orders):
        monkeypatch.setattr(module, "MAX_SCAN", 3)
    wanted = [(await client.place(ALICE, "bid", "0.10", "1", ticker=OTHER))["order_id"] for _ in range(2)]
    for _ in range(8):
        await client.place(ALICE, "bid", "0.10", "1")
    wanted.append((await client.place(ALICE, "bid", "0.10", "1", ticker=OTHER))["order_id"])
    filters: dict[str, Any] = {"limit": 2, "ticker": OTHER} | ({"status": status} if status else {})
    found, cursor, pages = [], None, 0
    while cursor != "":
        page = await client.get("/portfolio/orders", **filters, **({"cursor": cursor} if cursor else {}))
        found += [row["order_id"] for row in page["orders"]]
        cursor, pages = page["cursor"], pages + 1
        assert pages < 10
    assert found == wanted[::-1]
    assert pages >= 4


async def test_orders_are_filtered(client: Client) -> None:
    bid = (await client.place(ALICE, "bid", "0.40", "1"))["order_id"]
    other = (await client.place(ALICE, "bid", "0.40", "1", ticker=OTHER))["order_id"]
    paid = (await client.place(ALICE, "bid", "0.40", "1", ticker=FEE_TICKER))["order_id"]
    await client.send("DELETE", f"{ORDERS}/{other}")

    async def found(**filters: Any) -> list[str]:
        return [row["order_id"] for row in (await client.get("/portfolio/orders", **filters))["orders"]]

    now_s = client.venue.clock() // 1000
    assert await found() == [paid, other, bid]
    assert await found(status="resting") == [paid, bid]
    assert await found(status="canceled") == [other]
    assert await found(status="executed") == []
    assert await found(ticker=TICKER) == [bid]
    assert await found(event_ticker="KXRAIN-26,KXNO") == [other, bid]
    assert await found(event_ticker="KXNO") == []
    assert await found(min_ts=now_s + 10) == []
    assert await found(max_ts=now_s - 10) == []
    assert await found(min_ts=now_s - 10, max_ts=now_s + 10, status="resting") == [paid, bid]
    assert await found(max_ts=now_s - 10, status="resting") == []


@pytest.mark.parametrize(
    "filters",
    [
        {"limit": 0},
        {"limit": 1001},
        {"limit": "ten"},
        {"cursor": "!"},
        {"cursor": "abc"},
        {"cursor": "dHJhZGVzLjE"},
        {"status": "open"},
        {"min_ts": "yesterday"},
        {"event_ticker": ",".join(["X"] * 101)},
        {"exchange_index": 1},
    ],
)
async def test_bad_filter_is_400(client: Client, filters: dict[str, Any]) -> None:
    response = await client.send("GET", "/portfolio/orders", params=filters)
    assert response.status_code == 400
    assert response.json()["code"] in ("invalid_parameters", "invalid_cursor")


async def test_order_of_somebody_else_does_not_exist(client: Client) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "1")
    response = await client.send("GET", f"/portfolio/orders/{placed['order_id']}", BOB)
    assert (response.status_code, response.json()["code"]) == (404, "order_not_found")


# --- when the exchange cannot ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Overloaded("busy"), 429, "too_many_requests"),
        (Unavailable("stopped"), 503, "exchange_unavailable"),
        (ZeroDivisionError("a bug"), 500, "internal_error"),
    ],
)
async def test_exchange_in_trouble_answers_in_the_dialect(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    async def submit(*_: object) -> None:
        raise error

    monkeypatch.setattr(client.venue.sequencer, "submit", submit)
    response = await client.send("POST", ORDERS, json=order(), headers={"X-Request-Id": "r-1"})
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["X-Request-Id"] == "r-1"
    assert "Traceback" not in response.text
    assert ("Retry-After" in response.headers) is (status == 429)


async def test_request_id_leads_to_the_command(client: Client) -> None:
    response = await client.send("POST", ORDERS, json=order(), headers={"X-Request-Id": "trace-me"})
    (seq,) = client.venue.projections.requests["trace-me"]
    assert client.venue.projections.orders[response.json()["order_id"]].seq == seq
    bad = await client.send("GET", "/exchange/status", headers={"X-Request-Id": "bad id\t"})
    assert bad.headers["X-Request-Id"] != "bad id\t"


async def test_wallet_and_custodial_orders_meet_in_one_book(client: Client) -> None:
    placed = await client.place(ALICE, "bid", "0.40", "5")
    await client.venue.wallet_order(BookSide.ASK, Outcome.NO, 4_000, 5)
    (fill,) = (await client.get("/portfolio/fills"))["fills"]
    assert (fill["order_id"], fill["settlement_status"], fill["transaction_hash"]) == (
        placed["order_id"],
        "MATCHED",
        None,
    )
    await client.venue.land()
    (fill,) = (await client.get("/portfolio/fills"))["fills"]
    assert (fill["settlement_status"], fill["transaction_hash"]) == ("CONFIRMED", "0xabc")


async def test_many_at_once_are_all_answered(client: Client) -> None:
    replies = await asyncio.gather(*(client.place(ALICE, "bid", "0.01", "1") for _ in range(50)))
    assert len({reply["order_id"] for reply in replies}) == 50


async def test_an_account_whose_trading_is_suspended_is_told_why(client: Client) -> None:
    await client.venue.do(pc.SuspendAccount(ALICE, "a question"))
    details = await refused(client, 403, "account_suspended", json=order())
    assert details["reason"] == "a question"
