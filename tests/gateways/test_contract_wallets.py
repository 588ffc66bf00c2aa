"""Orders of wallets made of code: asked for and recorded on chain before the exchange sees them, and not for nothing."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from offchain_book import signatures
from offchain_book.engine import chain_commands as cc
from offchain_book.engine.market_commands import AdvanceClock
from offchain_book.engine.operations import Outcome, TokenSide, VaultAction, VaultActionKind, WalletOperation
from offchain_book.gateways import siwe
from offchain_book.gateways.contract_wallets import HookRefused
from tests.gateways.native_venue import (
    CONTRACT,
    DOLLAR,
    STRANGER,
    TICKER,
    WALLET,
    WALLET_KEY,
    NativeVenue,
)
from tests.gateways.polymarket_fixtures import Wallet
from tests.gateways.streams import serving
from tests.gateways.test_explain import posted, wallet_order
from tests.gateways.test_polymarket_stream import user_stream

BUY, YES = TokenSide.BUY, Outcome.YES
SAFE = "0x" + "5a" * 20
"""A contract for which dave's key signs."""


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[NativeVenue]:
    async with NativeVenue(tmp_path).running() as running:
        await running.do(cc.CreditDeposit(3, SAFE, 100 * DOLLAR, "0x4", 1, SAFE))
        running.hooks.contracts[SAFE] = WALLET_KEY
        yield running


async def place(small: NativeVenue, price_e4: int = 4_000, contracts: int = 5, wallet: str = SAFE) -> Any:
    return await small.http.post("/venue/orders", json=small.order_body(BUY, YES, price_e4, contracts, wallet=wallet))


async def test_a_native_order_is_approved_first_and_carries_no_signature(small: NativeVenue) -> None:
    answer = await place(small)
    assert (answer.status_code, answer.json()["account"]) == (201, SAFE)
    assert small.hooks.asked == [("approve", SAFE, answer.json()["order_id"])]
    signed = small.state.orders[answer.json()["order_id"]].signed
    assert signed is not None
    assert signed.signature == ""


async def test_nothing_is_approved_that_would_be_refused(small: NativeVenue) -> None:
    assert (await place(small, 5_000, 300)).json()["error"]["code"] == "INSUFFICIENT_CASH"
    assert small.hooks.asked == []


async def test_neither_a_plain_address_nor_an_unknown_contract_is_asked(small: NativeVenue) -> None:
    for wallet in (WALLET[:-1] + "f", STRANGER):
        assert (await place(small, wallet=wallet)).json()["error"]["code"] == "BAD_SIGNATURE"
    small.hooks.contracts[SAFE] = b"\x33" * 32
    assert (await place(small)).json()["error"]["code"] == "BAD_SIGNATURE"
    assert small.hooks.asked == []


async def test_a_chain_that_does_not_answer_is_said_and_nothing_is_placed(small: NativeVenue) -> None:
    small.hooks.refuses = HookRefused(503, "CHAIN_UNAVAILABLE", "no answer")
    answer = await place(small)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "CHAIN_UNAVAILABLE")
    assert small.state.accounts[SAFE].cash.held == 0


async def test_a_contract_wallet_cancels_by_its_own_signature(small: NativeVenue) -> None:
    order_id = (await place(small)).json()["order_id"]
    deadline = small.sequencer.clock_ms() // 1_000 + 60
    digest = signatures.cancel_digest(small.domain, SAFE, [order_id], deadline)
    body = {"wallet": SAFE, "deadline": deadline, "signature": signatures.sign_digest(digest, b"\x33" * 32)}
    refused = await small.http.request("DELETE", f"/venue/orders/{order_id}", json=body)
    assert refused.json()["error"]["code"] == "BAD_SIGNATURE"
    body["signature"] = signatures.sign_digest(digest, WALLET_KEY)
    done = await small.http.request("DELETE", f"/venue/orders/{order_id}", json=body)
    assert done.json()["status"] == "canceled"


async def test_a_v2_order_of_type_3_is_explained_as_far_as_it_goes(small: NativeVenue) -> None:
    order = dataclasses.replace(wallet_order(small), maker=SAFE, signer=SAFE, signature_type=3)
    found = (await small.http.post("/venue/explain/order", json=posted(order))).json()
    assert (found["ok"], found["passed"][2]) == (True, "signature: the contract is asked when the order is placed")


async def test_a_v2_order_of_type_3_is_approved_before_it_reaches_the_exchange(small: NativeVenue) -> None:
    wendy = Wallet(small.http, b"\x44" * 32)
    await wendy.login()
    order = dataclasses.replace(wallet_order(small), maker=SAFE, signer=SAFE, signature_type=3)
    body = posted(order, owner=wendy.creds["apiKey"], orderType="GTC")
    answer = await wendy.call("POST", "/order", body)
    assert (answer.status_code, answer.json()["status"]) == (200, "live"), answer.text
    order_id = answer.json()["orderID"]
    assert small.hooks.asked == [("approve", SAFE, order_id)]
    assert small.state.orders[order_id].account_id == SAFE
    small.hooks.contracts[SAFE] = b"\x33" * 32
    forged = posted(dataclasses.replace(order, salt="78"), owner=wendy.creds["apiKey"], orderType="GTC")
    refused = await wendy.call("POST", "/order", forged)
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_SIGNATURE")
    unknown = dataclasses.replace(order, maker=STRANGER, signer=STRANGER)
    refused = await wendy.call("POST", "/order", posted(unknown, owner=wendy.creds["apiKey"], orderType="GTC"))
    assert refused.json()["code"] == "UNKNOWN_ACCOUNT"
    assert len(small.hooks.asked) == 1


# --- money, links, sessions -------------------------------------------------------------------------------------------


def action_of(small: NativeVenue, amount: int, key: bytes = WALLET_KEY, nonce: str = "3") -> dict[str, Any]:
    """Return the body of a withdrawal from the contract that a key signed."""
    deadline = small.sequencer.clock_ms() // 1_000 + 600
    action = VaultAction(SAFE, VaultActionKind.WITHDRAW, "0", amount, STRANGER, nonce, deadline, "")
    signature = signatures.sign_digest(signatures.vault_action_digest(small.domain, action), key)
    return {"wallet": SAFE, "kind": 0, "id": "0", "amount": str(amount), "to": STRANGER, "nonce": nonce,
            "deadline": deadline, "signature": signature}  # fmt: skip


async def test_a_vault_action_is_approved_first_and_carries_no_signature(small: NativeVenue) -> None:
    answer = await small.http.post("/venue/actions", json=action_of(small, 40 * DOLLAR))
    assert answer.status_code == 201, answer.text
    assert small.hooks.asked == [("approve", SAFE, answer.json()["action_id"])]
    operation = small.state.operations[answer.json()["operation"]].operation
    assert isinstance(operation, WalletOperation)
    assert operation.action.signature == ""
    assert small.state.accounts[SAFE].cash.held == 40 * DOLLAR


async def test_no_vault_action_is_approved_that_would_be_refused_or_is_forged(small: NativeVenue) -> None:
    poor = await small.http.post("/venue/actions", json=action_of(small, 101 * DOLLAR))
    assert poor.json()["error"]["code"] == "INSUFFICIENT_CASH"
    forged = await small.http.post("/venue/actions", json=action_of(small, DOLLAR, b"\x33" * 32))
    assert forged.json()["error"]["code"] == "BAD_SIGNATURE"
    assert small.hooks.asked == []
    assert (await small.http.post("/venue/actions", json=action_of(small, DOLLAR))).status_code == 201
    again = await small.http.post("/venue/actions", json=action_of(small, 2 * DOLLAR))
    assert again.json()["error"]["code"] == "ACTION_NONCE_USED"
    assert len(small.hooks.asked) == 1


async def test_a_contract_wallet_is_linked_by_its_signature(small: NativeVenue) -> None:
    digest = signatures.link_account_digest(small.domain, "alice", SAFE, 1 << 34)
    body = {"wallet": SAFE, "deadline": 1 << 34, "signature": signatures.sign_digest(digest, b"\x33" * 32)}
    assert (await small.signed("/venue/links", body)).json()["error"]["code"] == "BAD_SIGNATURE"
    body["signature"] = signatures.sign_digest(digest, WALLET_KEY)
    assert (await small.signed("/venue/links", body)).status_code == 201
    assert small.state.accounts["alice"].wallet == SAFE


async def test_a_contract_wallet_signs_in_once_by_its_signature(small: NativeVenue) -> None:
    message = (await small.http.post("/venue/session/nonce", json={"wallet": SAFE})).json()["message"]
    digest = siwe.personal_digest(message)
    forged = {"message": message, "signature": signatures.sign_digest(digest, b"\x33" * 32)}
    assert (await small.http.post("/venue/session", json=forged)).json()["error"]["code"] == "BAD_SIGNATURE"
    right = {"message": message, "signature": signatures.sign_digest(digest, WALLET_KEY)}
    assert (await small.http.post("/venue/session", json=right)).json()["wallet"] == SAFE
    again = await small.http.post("/venue/session", json=right)
    assert (again.status_code, again.json()["error"]["code"]) == (401, "BAD_SIGNATURE"), "the chain is not asked about it"


# --- whose order it is for an API key -----------------------------------------------------------------------------------


async def of_type_3(small: NativeVenue, sender: Wallet, salt: str, **changed: Any) -> Any:
    signed = {"maker": SAFE, "signer": SAFE, **changed}
    order = dataclasses.replace(wallet_order(small), signature_type=3, salt=salt, **signed)
    return (await sender.call("POST", "/order", posted(order, owner=sender.creds["apiKey"], orderType="GTC"))).json()


async def test_who_hands_an_order_of_type_3_in_sees_and_cancels_it_and_nobody_else_does(small: NativeVenue) -> None:
    wendy, walt = Wallet(small.http, b"\x44" * 32), Wallet(small.http, b"\x45" * 32)
    for one in (wendy, walt):
        await one.login()
    hers, also, his = [(await of_type_3(small, *one))["orderID"] for one in ((wendy, "1"), (wendy, "2"), (walt, "3"))]
    directly = (await place(small)).json()["order_id"]
    shown = (await wendy.call("GET", "/data/orders")).json()["data"]
    assert [(row["id"], row["maker_address"]) for row in shown] == [(hers, SAFE), (also, SAFE)]
    assert (await wendy.call("GET", f"/data/order/{hers}")).json()["status"] == "LIVE"
    assert (await wendy.call("GET", f"/data/order/{his}")).status_code == 404
    balance = await wendy.call("GET", "/balance-allowance", asset_type="COLLATERAL", signature_type="3")
    assert (balance.json()["wallet"], balance.json()["held"]) == (SAFE, str(14 * DOLLAR))
    assert (await walt.call("DELETE", "/order", {"orderID": hers})).json()["canceled"] == []
    assert (await wendy.call("DELETE", "/orders", [hers, his, directly])).json()["canceled"] == [hers]
    assert (await walt.call("DELETE", "/cancel-all")).json()["canceled"] == [his]
    token = small.state.markets[TICKER].yes_token_id
    assert (await wendy.call("DELETE", "/cancel-market-orders", {"asset_id": token})).json()["canceled"] == [also]
    assert list(small.state.accounts[SAFE].open_orders) == [directly]


async def test_fills_of_type_3_are_trades_of_whoever_handed_the_order_in(small: NativeVenue) -> None:
    wendy = Wallet(small.http, b"\x44" * 32)
    await wendy.login()
    await small.do(cc.CreditDeposit(4, "venue:guarantee", 1_000 * DOLLAR, "0x5", 1, STRANGER))
    await of_type_3(small, wendy, "1")
    assert (await small.order(BUY, Outcome.NO, 6_000, 5)).json()["filled_micros"] == 5 * CONTRACT
    assert (await place(small)).json()["status"] == "resting"
    assert (await small.order(BUY, Outcome.NO, 6_000, 6)).json()["filled_micros"] == 6 * CONTRACT
    rows = (await wendy.call("GET", "/data/trades")).json()["data"]
    assert [row["size"] for row in rows] == ["5", "5"], "what the contract's own order filled is not hers"
    by_id = (await wendy.call("GET", "/data/trades", id=rows[0]["id"])).json()["data"]
    assert by_id == rows[:1]
    assert {leg["owner"] for row in rows for leg in row["maker_orders"]} == {wendy.creds["apiKey"]}


async def test_the_user_stream_tells_a_key_of_the_orders_that_it_handed_in_and_of_no_others(small: NativeVenue) -> None:
    wendy, walt = Wallet(small.http, b"\x44" * 32), Wallet(small.http, b"\x45" * 32)
    for one in (wendy, walt):
        await one.login()
    early = (await of_type_3(small, wendy, "1"))["orderID"]
    async with serving(small.app) as url, user_stream(url, wendy) as hers, user_stream(url, walt) as his:
        for_wendy = (await of_type_3(small, wendy, "2"))["orderID"]
        for_walt = (await of_type_3(small, walt, "3"))["orderID"]
        directly = (await place(small)).json()["order_id"]
        await wendy.call("DELETE", "/orders", [early, for_wendy])
        await walt.call("DELETE", "/order", {"orderID": for_walt})
        assert directly in small.state.orders
        told = [await hers.event("order") for _ in range(3)]
        assert [(order["id"], order["type"]) for order in told] == [
            (for_wendy, "PLACEMENT"),
            (early, "CANCELLATION"),
            (for_wendy, "CANCELLATION"),
        ]
        assert {(order["maker_address"], order["owner"]) for order in told} == {(SAFE, wendy.creds["apiKey"])}
        assert [(one["id"], one["type"]) for one in [await his.event("order") for _ in range(2)]] == [
            (for_walt, "PLACEMENT"),
            (for_walt, "CANCELLATION"),
        ]


async def test_the_user_stream_tells_of_trades_of_type_3_once_and_of_the_contracts_own_not(small: NativeVenue) -> None:
    wendy = Wallet(small.http, b"\x44" * 32)
    await wendy.login()
    await small.do(cc.CreditDeposit(4, "venue:guarantee", 1_000 * DOLLAR, "0x5", 1, STRANGER))
    async with serving(small.app) as url, user_stream(url, wendy) as stream:
        await place(small, 5_000)
        await of_type_3(small, wendy, "1")
        await small.order(BUY, Outcome.NO, 5_000, 5)
        assert (await small.order(BUY, Outcome.NO, 6_000, 2)).json()["filled_micros"] == 2 * CONTRACT
        trade = await stream.event("trade")
        assert (trade["size"], trade["status"], trade["trader_side"]) == ("2", "MATCHED", "MAKER")
        (leg,) = trade["maker_orders"]
        assert (leg["owner"], leg["maker_address"], trade["owner"]) == (wendy.creds["apiKey"], SAFE, "")
        assert (await small.order(BUY, Outcome.NO, 6_000, 1)).json()["filled_micros"] == CONTRACT
        assert (await stream.event("trade"))["size"] == "1", "the first was told once"


async def test_a_wallet_with_code_that_is_its_own_maker_is_told_once(small: NativeVenue) -> None:
    """By EIP-7702 one address may sign with its key and by its code; who hands in its own order is nobody else."""
    dave = Wallet(small.http, WALLET_KEY)
    await dave.login()
    small.hooks.contracts[WALLET] = WALLET_KEY
    async with serving(small.app) as url, user_stream(url, dave) as stream:
        ids = [(await of_type_3(small, dave, salt, maker=WALLET, signer=WALLET))["orderID"] for salt in ("1", "2")]
        assert [(await stream.event("order"))["id"] for _ in ids] == ids
        rows = (await dave.call("GET", "/data/orders")).json()["data"]
        assert [row["id"] for row in rows] == ids


async def test_heartbeats_guard_orders_that_were_handed_in_and_no_others(small: NativeVenue) -> None:
    wendy = Wallet(small.http, b"\x44" * 32)
    await wendy.login()
    hers = (await of_type_3(small, wendy, "1"))["orderID"]
    directly = (await place(small)).json()["order_id"]
    assert (await wendy.call("POST", "/v1/heartbeats", {"heartbeat_id": ""})).status_code == 200
    timers = [session_id for account in small.state.accounts.values() for session_id in account.dead_men]
    assert sorted(timers) == ["", wendy.account]
    clock = small.sequencer.clock_ms
    small.sequencer.clock_ms = lambda: clock() + 11_000  # type: ignore[method-assign]
    await small.do(AdvanceClock())
    assert hers not in small.state.orders
    assert list(small.state.accounts[SAFE].open_orders) == [directly]
