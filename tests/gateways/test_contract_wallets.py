"""Orders of wallets made of code: asked for and recorded on chain before the exchange sees them, and not for nothing."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from offchain_book import signatures
from offchain_book.engine import chain_commands as cc
from offchain_book.engine.operations import Outcome, TokenSide
from offchain_book.gateways.admin import HookRefused
from tests.gateways.native_venue import (
    DOLLAR,
    STRANGER,
    WALLET,
    WALLET_KEY,
    NativeVenue,
)
from tests.gateways.polymarket_fixtures import Wallet
from tests.gateways.test_explain import posted, wallet_order

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
