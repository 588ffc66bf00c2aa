"""Native orders: who may place, list and cancel them, what a signature covers, which nonces are handed out."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from offchain_book import signatures
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.operations import OrderScheme, Outcome, TokenSide, VaultActionKind
from offchain_book.engine.order import BookSide
from offchain_book.gateways.credentials import wall_clock_ms
from tests.builders import assert_books_balance
from tests.gateways.native_venue import CONTRACT, DOLLAR, SETTINGS, TICKER, WALLET, NativeVenue

BUY, SELL = TokenSide.BUY, TokenSide.SELL
YES, NO = Outcome.YES, Outcome.NO


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[NativeVenue]:
    async with NativeVenue(tmp_path).running() as running:
        await running.do(cc.CreditDeposit(3, "venue:guarantee", 1_000 * DOLLAR, "0x4", 1, "0x" + "99" * 20))
        yield running
        assert_books_balance(running.state)


def error_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def test_an_order_rests_with_its_own_price_and_its_signature_is_kept(small: NativeVenue) -> None:
    answer = await small.order(BUY, NO, 3_000, 5, client_order_id="mine")
    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["outcome"], shown["side"], shown["price_e4"], shown["status"]) == ("no", "buy", 3_000, "resting")
    assert (shown["remaining_micros"], shown["nonce"], shown["client_order_id"]) == (5 * CONTRACT, "1", "mine")
    order = small.state.orders[shown["order_id"]]
    assert (order.side, order.price_e4) == (BookSide.ASK, 7_000)
    assert order.signed is not None
    assert order.signed.scheme is OrderScheme.NATIVE
    assert small.state.accounts[WALLET].cash.held == 1_500_000


async def test_an_order_trades_with_a_custodial_one_at_once(small: NativeVenue) -> None:
    await small.do(c.PlaceOrder("a1", "alice", TICKER, BookSide.ASK, 4_000, 3 * CONTRACT))
    shown = (await small.order(BUY, YES, 4_500, 5, time_in_force="ioc")).json()
    assert (shown["filled_micros"], shown["cost_micros"], shown["status"]) == (3 * CONTRACT, 1_200_000, "canceled")
    assert (shown["cancel_reason"], len(shown["trades"])) == ("time_in_force", 1)
    assert small.state.accounts[WALLET].balances[f"{TICKER}:YES"].total == 3 * CONTRACT


async def test_amounts_that_make_no_price_name_the_nearest_that_do(small: NativeVenue) -> None:
    body = small.order_body(BUY, YES, 4_000, 5, sellAmount="2012345")
    answer = await small.http.post("/venue/orders", json=body)
    assert error_of(answer) == (400, "PRICE_OFF_TICK")
    assert answer.json()["error"]["details"]["nearest"] == [
        {"price_e4": 4_000, "sellAmount": "2000000"},
        {"price_e4": 4_100, "sellAmount": "2050000"},
    ]
    whole = small.order_body(BUY, NO, 4_050, 5)
    details = (await small.http.post("/venue/orders", json=whole)).json()["error"]["details"]
    assert (details["price_e4"], details["below_e4"], details["above_e4"]) == (4_050, 4_000, 4_100)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"sellAmount": "2050000"}, "BAD_SIGNATURE"),
        ({"nonce": "99"}, "BAD_SIGNATURE"),
        ({"builder": "0x" + "01" * 32}, "BAD_SIGNATURE"),
        ({"feeCapBps": 800}, "BAD_SIGNATURE"),
        ({"nonce": str(1 << 48)}, "BAD_NUMBER"),
        ({"nonce": "-1"}, "BAD_BODY"),
        ({"side": 2}, "BAD_SIDE"),
        ({"builder": "0x01"}, "BAD_NUMBER"),
        ({"wallet": "0x12"}, "BAD_ADDRESS"),
        ({"extra": 1}, "BAD_BODY"),
        ({"buyAmount": "0"}, "SIZE_NOT_POSITIVE"),
        ({"buyAmount": "5000001"}, "BAD_SIGNATURE"),
    ],
)
async def test_altered_order_is_refused(small: NativeVenue, changed: dict[str, Any], code: str) -> None:
    body = small.order_body(BUY, YES, 4_000, 5)
    body["order"].update(changed)
    if code == "SIZE_NOT_POSITIVE":
        body = small.order_body(BUY, YES, 4_000, 5, **changed)
    assert error_of(await small.http.post("/venue/orders", json=body)) == (400, code)
    assert small.state.accounts[WALLET].cash.held == 0


@pytest.mark.parametrize(
    ("chain_id", "contract"), [(1, SETTINGS.venue_address), (80_002, SETTINGS.venue_address), (31_337, "0x" + "13" * 20)]
)
async def test_what_was_signed_in_another_deployments_domain_is_worth_nothing_here(
    small: NativeVenue, chain_id: int, contract: str
) -> None:
    """Orders, vault actions, cancels and links alike: the domain names chain and contract."""
    resting = (await small.order(BUY, YES, 4_000, 5)).json()["order_id"]
    small.domain = signatures.native_domain(chain_id, contract)
    held = small.state.accounts[WALLET].cash.held
    answers = [
        await small.order(BUY, YES, 4_000, 5),
        await small.http.post("/venue/actions", json=small.action(VaultActionKind.WITHDRAW, "0", DOLLAR)),
        await small.http.request("DELETE", f"/venue/orders/{resting}", json=small.cancel_body([resting])),
        await small.signed("/venue/links", small.link()),
    ]
    assert [error_of(answer) for answer in answers] == [(400, "BAD_SIGNATURE")] * 4
    assert small.state.accounts[WALLET].cash.held == held
    assert resting in small.state.orders


async def test_a_nonce_belongs_to_one_order_and_the_same_order_is_not_taken_twice(small: NativeVenue) -> None:
    body = small.order_body(BUY, YES, 4_000, 5)
    assert (await small.http.post("/venue/orders", json=body)).status_code == 201
    assert error_of(await small.http.post("/venue/orders", json=body)) == (409, "DUPLICATE_ORDER_ID")
    other = small.order_body(BUY, YES, 3_000, 5, nonce=body["order"]["nonce"])
    assert error_of(await small.http.post("/venue/orders", json=other)) == (409, "SIGNED_NONCE_TAKEN")


async def test_an_expiry_that_leaves_no_time_to_settle_is_refused(small: NativeVenue) -> None:
    soon = small.order_body(BUY, YES, 4_000, 5, expiration=wall_clock_ms() // 1000 + 30)
    assert error_of(await small.http.post("/venue/orders", json=soon)) == (400, "SIGNED_EXPIRY_TOO_SOON")
    later = small.order_body(BUY, YES, 4_000, 5, expiration=wall_clock_ms() // 1000 + 600)
    assert (await small.http.post("/venue/orders", json=later)).json()["expires_ms"] > wall_clock_ms()


async def test_what_is_missing_is_said(small: NativeVenue) -> None:
    answer = await small.order(BUY, YES, 5_000, 300)
    assert error_of(answer) == (400, "INSUFFICIENT_CASH")
    details = answer.json()["error"]["details"]
    assert (details["have_micros"], details["need_micros"]) == (100 * DOLLAR, 150 * DOLLAR)
    assert error_of(await small.order(SELL, YES, 5_000, 3)) == (400, "INSUFFICIENT_TOKENS")
    unknown = small.order_body(BUY, YES, 5_000, 3, tokenId="5")
    assert error_of(await small.http.post("/venue/orders", json=unknown)) == (404, "UNKNOWN_TOKEN")


# --- cancelling --------------------------------------------------------------------------------------------------------


async def test_a_signed_cancel_takes_one_order_out(small: NativeVenue) -> None:
    order_id = (await small.order(BUY, YES, 4_000, 5)).json()["order_id"]
    path = f"/venue/orders/{order_id}"
    assert error_of(await small.http.request("DELETE", path)) == (401, "NOT_SIGNED_IN")
    stranger = small.cancel_body([order_id], key=b"\x33" * 32)
    assert error_of(await small.http.request("DELETE", path, json=stranger)) == (400, "BAD_SIGNATURE")
    assert error_of(await small.http.request("DELETE", path, json=small.cancel_body([]))) == (400, "BAD_SIGNATURE")
    done = await small.http.request("DELETE", path, json=small.cancel_body([order_id]))
    assert (done.json()["status"], done.json()["cancel_reason"]) == ("canceled", "by_user")
    again = await small.http.request("DELETE", path, json=small.cancel_body([order_id]))
    assert error_of(again) == (409, "ORDER_NOT_OPEN")
    assert small.state.accounts[WALLET].cash.held == 0


async def test_a_cancel_is_good_for_minutes_only(small: NativeVenue) -> None:
    now_s = wall_clock_ms() // 1000
    for deadline, code in ((now_s - 5, "DEADLINE_PASSED"), (now_s + 3_600, "DEADLINE_TOO_FAR")):
        body = {"orders": [], **small.cancel_body([], deadline)}
        assert error_of(await small.http.post("/venue/orders/cancel", json=body)) == (400, code)


async def test_many_are_cancelled_at_once_and_each_says_what_became_of_it(small: NativeVenue) -> None:
    first, second, third = [(await small.order(BUY, YES, price, 5)).json()["order_id"] for price in (1_000, 2_000, 3_000)]
    unknown = "0x" + "00" * 32
    some = {"orders": [first, unknown], **small.cancel_body([first, unknown])}
    answer = (await small.http.post("/venue/orders/cancel", json=some)).json()
    assert answer["canceled"] == [first]
    assert answer["not_canceled"][unknown]["code"] == "UNKNOWN_ORDER"
    everything = {"orders": [], **small.cancel_body([])}
    answer = (await small.http.post("/venue/orders/cancel", json=everything)).json()
    assert answer == {"canceled": [second, third], "not_canceled": {}}
    bad = {"orders": ["x"], **small.cancel_body([])}
    assert error_of(await small.http.post("/venue/orders/cancel", json=bad)) == (400, "BAD_ORDER_ID")


# --- with a session, with a key ----------------------------------------------------------------------------------------


async def test_a_session_lists_and_cancels_its_own_orders(small: NativeVenue) -> None:
    order_id = (await small.order(BUY, YES, 4_000, 5)).json()["order_id"]
    assert error_of(await small.http.get("/venue/orders")) == (401, "NOT_SIGNED_IN")
    await small.sign_in(b"\x33" * 32)
    assert (await small.http.get("/venue/orders")).json() == {"orders": [], "cursor": ""}
    assert error_of(await small.http.request("DELETE", f"/venue/orders/{order_id}")) == (404, "UNKNOWN_ORDER")
    assert error_of(await small.http.get(f"/venue/orders/{order_id}")) == (404, "UNKNOWN_ORDER")
    await small.sign_in()
    listed = (await small.http.get("/venue/orders", params={"ticker": TICKER})).json()["orders"]
    assert [one["order_id"] for one in listed] == [order_id]
    assert (await small.http.get(f"/venue/orders/{order_id}")).json() == listed[0]
    assert (await small.http.request("DELETE", f"/venue/orders/{order_id}")).json()["status"] == "canceled"
    assert (await small.http.get("/venue/orders")).json()["orders"] == []
    closed = (await small.http.get("/venue/orders", params={"status": "closed"})).json()["orders"]
    assert [one["order_id"] for one in closed] == [order_id]
    assert error_of(await small.http.get("/venue/orders", params={"status": "odd"})) == (400, "BAD_STATUS")


async def test_a_custodial_key_lists_and_cancels_the_accounts_orders(small: NativeVenue) -> None:
    await small.do(c.PlaceOrder("a1", "alice", TICKER, BookSide.BID, 4_000, 3 * CONTRACT))
    listed = (await small.signed("/venue/orders", None, method="GET")).json()["orders"]
    assert [(one["order_id"], one["side"], one["price_e4"]) for one in listed] == [("a1", "buy", 4_000)]
    assert (await small.signed("/venue/orders/a1", None, method="DELETE")).json()["status"] == "canceled"
    assert (await small.signed("/venue/orders/cancel", {"orders": []})).json() == {"canceled": [], "not_canceled": {}}


async def test_pages_of_orders_follow_each_other(small: NativeVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offchain_book.gateways.native_orders.PAGE", 2)
    ids = [(await small.order(BUY, YES, 1_000, 1)).json()["order_id"] for _ in range(3)]
    await small.sign_in()
    first = (await small.http.get("/venue/orders")).json()
    second = (await small.http.get("/venue/orders", params={"cursor": first["cursor"]})).json()
    assert [one["order_id"] for one in first["orders"] + second["orders"]] == ids[::-1]
    assert second["cursor"] == ""
    assert error_of(await small.http.get("/venue/orders", params={"cursor": "x"})) == (400, "BAD_CURSOR")


# --- nonces and markets ------------------------------------------------------------------------------------------------


async def test_nonces_are_free_and_never_handed_out_twice(small: NativeVenue) -> None:
    await small.http.post("/venue/orders", json=small.order_body(BUY, YES, 4_000, 5, nonce=6))
    path = f"/venue/nonces/{WALLET}"
    first = (await small.http.get(path)).json()
    assert (first["orders"], first["actions"]) == (["7", "8", "9", "10"], ["0"])
    second = (await small.http.get(path, params={"orders": 2, "actions": 2})).json()
    assert (second["orders"], second["actions"]) == (["11", "12"], ["1", "2"])
    await small.do(cc.ObserveWatermark(WALLET, 100, 0))
    assert (await small.http.get(path, params={"orders": 1})).json()["orders"] == ["100"]
    assert error_of(await small.http.get(path, params={"orders": 1_000})) == (400, "BAD_NUMBER")
    used = small.action(0, "0", DOLLAR, nonce="3")  # type: ignore[arg-type]
    assert (await small.http.post("/venue/actions", json=used)).status_code == 201
    assert (await small.http.get(path)).json()["actions"] == ["4"]


async def test_markets_say_what_an_order_needs(small: NativeVenue) -> None:
    await small.order(BUY, YES, 4_000, 5)
    (market,) = (await small.http.get("/venue/markets")).json()["markets"]
    assert market["token_ids"]["yes"] == small.state.markets[TICKER].yes_token_id
    assert (market["best_bid_e4"], market["best_ask_e4"], market["status"]) == (4_000, None, "active")
    assert market["fee_rate_bps"] == {"taker": 0, "maker": 0, "cap": 0}
    assert (await small.http.get("/venue/markets", params={"ticker": "X"})).json() == {"markets": []}
