"""Explanations: each known mistake is found and named; an order is explained as far as the check that would refuse it."""

import dataclasses
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from offchain_book.app import build_app
from offchain_book.engine import chain_commands as cc
from offchain_book.engine.operations import OrderScheme, Outcome, SignedOrder, TokenSide
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.snapshot import state_hash
from offchain_book.gateways import error_page
from offchain_book.gateways.native_orders import OrderMessage
from offchain_book.signatures import (
    Domain,
    checksum_address,
    keccak256,
    native_domain,
    order_digest,
    polymarket_domain,
    sign_digest,
)
from tests.gateways.native_venue import CONTRACT, DOLLAR, SETTINGS, STRANGER, TICKER, WALLET, WALLET_KEY, NativeVenue

BUY, SELL = TokenSide.BUY, TokenSide.SELL
YES, NO = Outcome.YES, Outcome.NO
V1, V2 = OrderScheme.POLYMARKET_V1, OrderScheme.POLYMARKET_V2
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
CLIENT = SETTINGS.client_chain_id
NEG_RISK = "0xe2222d279d744050d28e00520010520000310f59"


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[NativeVenue]:
    async with NativeVenue(tmp_path).running() as running:
        await running.do(cc.CreditDeposit(3, "venue:guarantee", 1_000 * DOLLAR, "0x4", 1, STRANGER))
        yield running


def wallet_order(small: NativeVenue, scheme: OrderScheme = V2, **changed: Any) -> SignedOrder:
    """Return an order of the wallet's in Polymarket's form, not signed yet."""
    times = {"timestamp_ms": time.time_ns() // 10**6} if scheme is V2 else {"fee_rate_bps": 0, "nonce": 0}
    token = small.state.markets[TICKER].yes_token_id
    plain = SignedOrder(scheme, "", WALLET, WALLET, token, BUY, 4 * DOLLAR, 10 * CONTRACT, "77", "", **times)
    return dataclasses.replace(plain, **changed)


def domain_of(scheme: OrderScheme) -> Domain:
    exchange = SETTINGS.compatible_v1 if scheme is V1 else SETTINGS.compatible_v2
    return polymarket_domain(scheme, CLIENT, exchange)


def as_message(order: SignedOrder) -> dict[str, Any]:
    """Return the fields as clients post them."""
    found: dict[str, Any] = {
        "salt": int(order.salt),
        "maker": checksum_address(order.maker),
        "signer": checksum_address(order.signer),
        "tokenId": order.token_id,
        "makerAmount": str(order.sell_amount_micros),
        "takerAmount": str(order.buy_amount_micros),
        "side": order.side.name,
        "signatureType": order.signature_type,
        "signature": order.signature,
        "expiration": str(order.expiration_s),
    }
    if order.scheme is V1:
        return found | {"taker": "0x" + "00" * 20, "nonce": str(order.nonce), "feeRateBps": str(order.fee_rate_bps)}
    return found | {"timestamp": str(order.timestamp_ms), "metadata": order.metadata, "builder": order.builder}


async def explained(small: NativeVenue, sent: SignedOrder, signature: str) -> dict[str, Any]:
    body = {"kind": sent.scheme.value, "message": as_message(sent), "signature": signature}
    answer = await small.http.post("/venue/explain/signature", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# --- signatures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [V1, V2])
async def test_a_right_signature_is_said_to_be_right(small: NativeVenue, scheme: OrderScheme) -> None:
    sent = wallet_order(small, scheme)
    digest = order_digest(domain_of(scheme), sent)
    found = await explained(small, sent, sign_digest(digest, WALLET_KEY))
    assert (found["ok"], found["recovered"], found["digest"]) == (True, WALLET, "0x" + digest.hex())


@pytest.mark.parametrize(
    ("domain", "fields", "words"),
    [
        (polymarket_domain(V2, 137, SETTINGS.compatible_v2), {"chainId"}, "137"),
        (polymarket_domain(V2, 31_337, SETTINGS.compatible_v2), {"chainId"}, "31337"),
        (polymarket_domain(V2, CLIENT, SETTINGS.compatible_v1), {"verifyingContract"}, SETTINGS.compatible_v1.lower()),
        (polymarket_domain(V2, CLIENT, NEG_RISK), {"verifyingContract"}, "neg-risk"),
        (polymarket_domain(V2, 137, NEG_RISK), {"chainId", "verifyingContract"}, "neg-risk"),
        (polymarket_domain(V1, CLIENT, SETTINGS.compatible_v2), {"version"}, "version"),
        (polymarket_domain(V1, CLIENT, SETTINGS.compatible_v1), {"version", "verifyingContract"}, "version"),
        (native_domain(31_337, SETTINGS.venue_address), {"chainId", "name", "version", "verifyingContract"}, "Causeway"),
    ],
)
async def test_the_domain_that_was_signed_is_found(small: NativeVenue, domain: Domain, fields: set[str], words: str) -> None:
    sent = wallet_order(small)
    found = await explained(small, sent, sign_digest(order_digest(domain, sent), WALLET_KEY))
    assert (found["ok"], found["check"], {row["field"] for row in found["differing"]}) == (False, "domain", fields)
    assert words in found["message"]
    assert found["expected"] == WALLET != found["recovered"]
    assert found["docs"] == "/docs/errors#INVALID_SIGNATURE"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"sell_amount_micros": 10 * CONTRACT, "buy_amount_micros": 4 * DOLLAR}, "makerAmount"),
        ({"sell_amount_micros": 4, "buy_amount_micros": 10}, "makerAmount"),
        ({"side": SELL}, "side"),
        ({"signature_type": 1}, "signatureType"),
        ({"timestamp_ms": 1_700_000_000}, "timestamp"),
        ({"maker": STRANGER}, "maker"),
        ({"builder": "0x" + "00" * 32}, "builder"),
    ],
)
async def test_the_field_that_was_signed_otherwise_is_found(small: NativeVenue, changed: dict[str, Any], field: str) -> None:
    sent = wallet_order(small, builder="0x" + "07" * 32, timestamp_ms=1_700_000_000_000)
    if field == "maker":
        sent, changed = dataclasses.replace(sent, maker=STRANGER), {"maker": WALLET}
    signed = dataclasses.replace(sent, **changed)
    found = await explained(small, sent, sign_digest(order_digest(domain_of(V2), signed), WALLET_KEY))
    assert (found["check"], found["differing"][0]["field"]) == ("message", field)
    assert found["differing"][0]["signed"] != found["differing"][0]["expected"]


async def test_two_mistakes_at_once_are_found(small: NativeVenue) -> None:
    sent = wallet_order(small)
    signed = dataclasses.replace(sent, side=SELL)
    digest = order_digest(polymarket_domain(V2, 137, SETTINGS.compatible_v2), signed)
    found = await explained(small, sent, sign_digest(digest, WALLET_KEY))
    assert {(row["where"], row["field"]) for row in found["differing"]} == {("domain", "chainId"), ("message", "side")}


async def test_forms_that_the_contract_refuses_are_named_with_the_right_one(small: NativeVenue) -> None:
    sent = wallet_order(small)
    right = sign_digest(order_digest(domain_of(V2), sent), WALLET_KEY)
    r, s, v = right[2:66], int(right[66:130], 16), int(right[130:], 16)
    high = f"0x{r}{CURVE_ORDER - s:064x}{55 - v:02x}"
    compact = f"0x{r}{s | (v - 27) << 255:064x}"
    for signature, words in (
        (high, f"v {v}"),
        (right[:-2], f"append {v:02x}"),
        (f"{right[:-2]}{55 - v:02x}", "recovers to"),
        (f"{right[:-2]}05", f"v has to be {v}"),
        (right + "00", "65 bytes"),
        ("0x12", "65 bytes"),
    ):
        found = await explained(small, sent, signature)
        assert not found["ok"]
        assert words in found["message"], found["message"]
    if v == 28:
        assert "EIP-2098" in (await explained(small, sent, compact))["message"]


async def test_a_digest_signed_as_a_message_and_a_strangers_signature_are_told_apart(small: NativeVenue) -> None:
    sent = wallet_order(small)
    digest = order_digest(domain_of(V2), sent)
    personal = keccak256(b"\x19Ethereum Signed Message:\n32" + digest)
    assert (await explained(small, sent, sign_digest(personal, WALLET_KEY)))["check"] == "method"
    foreign = await explained(small, sent, sign_digest(digest, b"\x33" * 32))
    assert (foreign["check"], foreign["differing"]) == ("signer", [])
    funder = dataclasses.replace(sent, signer=STRANGER)
    found = await explained(small, funder, sign_digest(order_digest(domain_of(V2), funder), WALLET_KEY))
    assert (found["check"], "funder" in found["message"]) == ("signer", True)


async def test_every_struct_can_be_explained_and_a_wrong_field_is_named(small: NativeVenue) -> None:
    action = small.action(0, "0", DOLLAR)  # type: ignore[arg-type]
    body = {"kind": "vault_action", "message": action, "signature": action["signature"]}
    assert (await small.http.post("/venue/explain/signature", json=body)).json()["ok"]
    altered = {**body, "message": {**action, "nonce": "8"}}
    found = (await small.http.post("/venue/explain/signature", json=altered)).json()
    assert (found["differing"][0]["field"], found["differing"][0]["signed"]) == ("nonce", "7")
    cancel = small.cancel_body(["0x" + "11" * 32])
    body = {"kind": "cancel", "message": {**cancel, "orders": ["0x" + "11" * 32]}, "signature": cancel["signature"]}
    assert (await small.http.post("/venue/explain/signature", json=body)).json()["ok"]
    link = small.link()
    body = {"kind": "link_account", "message": {**link, "account": "alice"}, "signature": link["signature"]}
    assert (await small.http.post("/venue/explain/signature", json=body)).json()["ok"]
    for message in ({}, {**action, "amount": "x"}, {**action, "to": "0x1"}):
        bad = {"kind": "vault_action", "message": message, "signature": "0x"}
        answer = await small.http.post("/venue/explain/signature", json=bad)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BAD_BODY")


async def test_explanations_take_a_bounded_part_of_the_time(small: NativeVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offchain_book.gateways.explain.MAX_SECONDS", 0.0)
    body = {"kind": "vault_action", "message": small.action(0, "0", DOLLAR), "signature": "0x"}  # type: ignore[arg-type]
    answers = [(await small.http.post("/venue/explain/signature", json=body)).status_code for _ in range(2)]
    assert answers == [200, 429]


# --- orders ------------------------------------------------------------------------------------------------------------


async def order_explained(small: NativeVenue, body: dict[str, Any]) -> dict[str, Any]:
    before = state_hash(small.state)
    answer = await small.http.post("/venue/explain/order", json=body)
    assert answer.status_code == 200, answer.text
    assert state_hash(small.state) == before, "an explanation changes nothing"
    found: dict[str, Any] = answer.json()
    return found


def posted(order: SignedOrder, **more: Any) -> dict[str, Any]:
    digest = order_digest(domain_of(order.scheme), order)
    return {"order": as_message(dataclasses.replace(order, signature=sign_digest(digest, WALLET_KEY))), **more}


async def test_an_order_that_would_be_taken_passes_every_check(small: NativeVenue) -> None:
    native = await order_explained(small, small.order_body(BUY, YES, 4_000, 5))
    assert (native["ok"], native["passed"]) == (True, ["shape", "signature", "token", "amounts", "exchange"])
    theirs = await order_explained(small, posted(wallet_order(small), orderType="GTC"))
    assert (theirs["ok"], theirs["passed"][1]) == (True, "owner and wallets")


async def test_a_shortage_shows_have_held_need_token_block_and_who_holds(small: NativeVenue) -> None:
    resting = (await small.order(BUY, YES, 4_000, 200)).json()["order_id"]
    for body in (
        small.order_body(BUY, NO, 3_000, 100),
        posted(wallet_order(small, sell_amount_micros=30 * DOLLAR, buy_amount_micros=100 * CONTRACT)),
    ):
        found = await order_explained(small, body)
        assert (found["check"], found["code"]) == ("exchange", "INSUFFICIENT_CASH")
        balance = found["balance"]
        shown = [balance[f"{name}_micros"] // DOLLAR for name in ("have", "held", "need", "missing")]
        assert shown == [20, 80, 30, 10]
        assert (balance["token"], balance["block"]) == (SETTINGS.collateral_address, small.state.final_block)
        assert balance["holders"] == [{"order_id": resting, "held_micros": 80 * DOLLAR}]
        assert found["docs"] == "/docs/errors#INSUFFICIENT_CASH"
    sale = await order_explained(small, small.order_body(SELL, NO, 3_000, 100))
    assert (sale["balance"]["token"], sale["balance"]["have_micros"]) == (small.state.markets[TICKER].no_token_id, 0)


async def test_precision_is_explained_with_the_nearest_valid_amounts(small: NativeVenue) -> None:
    native = await order_explained(small, small.order_body(BUY, YES, 4_000, 5, sellAmount="2012345"))
    assert (native["check"], len(native["details"]["nearest"])) == ("amounts", 2)
    fine = wallet_order(small, sell_amount_micros=4_001_000, buy_amount_micros=10 * CONTRACT)
    by_amount = await order_explained(small, posted(fine, orderType="FOK"))
    assert by_amount["code"] == "AMOUNT_PRECISION"
    assert by_amount["details"]["makerAmount_below"] == "4000000"
    off = wallet_order(small, sell_amount_micros=4_050_000)
    assert (await order_explained(small, posted(off)))["details"]["nearest"] == {"below": "0.4", "above": "0.41"}


async def test_the_first_failing_check_is_named(small: NativeVenue) -> None:
    order = wallet_order(small)
    cases = [
        ("shape", "MALFORMED_BODY", {"order": {"salt": 1.5}}),
        ("shape", "BAD_BODY", {"order": {"wallet": WALLET}, "signature": "0x"}),
        ("owner and wallets", "WRONG_OWNER", posted(order, owner="nobody")),
        ("owner and wallets", "WRONG_MAKER", posted(dataclasses.replace(order, maker=STRANGER))),
        ("owner and wallets", "SIGNATURE_TYPE", posted(dataclasses.replace(order, signature_type=2))),
        ("token", "UNKNOWN_TOKEN", posted(dataclasses.replace(order, token_id="5"))),
        ("exchange", "SIGNED_ORDER_VOID", posted(dataclasses.replace(order, timestamp_ms=5))),
    ]
    await small.do(cc.ObserveWatermark(WALLET, 0, 10_000))
    for check, code, body in cases:
        found = await order_explained(small, body)
        assert (found["ok"], found["check"], found["code"]) == (False, check, code), found
    wrong = small.order_body(BUY, YES, 4_000, 5)
    wrong["order"]["nonce"] = str(int(wrong["order"]["nonce"]) + 1)
    found = await order_explained(small, wrong)
    assert (found["check"], found["details"]["differing"][0]["field"]) == ("signature", "nonce")
    assert (await small.http.post("/venue/explain/order", json={"order": 5})).status_code == 400
    assert OrderMessage.__struct_fields__[0] == "wallet", "the field by which our own form is known"


# --- every error leads to its explanation ------------------------------------------------------------------------------


async def test_every_dialect_links_its_refusals_to_the_page_of_errors(small: NativeVenue) -> None:
    page = (await small.http.get("/docs/errors")).text
    answers = {
        "ours": (await small.order(BUY, YES, 5_000, 300)).json()["error"],
        "kalshi": (await small.http.get("/trade-api/v2/portfolio/balance")).json()["error"],
        "polymarket": (await small.http.post("/order", json={})).json(),
    }
    for dialect, body in answers.items():
        path, _, anchor = body["docs"].partition("#")
        assert path == "/docs/errors", dialect
        assert dialect == "kalshi" or f'id="{anchor}"' in page, anchor
    for code in [*RejectCode.__members__, *error_page.GATEWAY]:
        assert f'id="{code}"' in page


def test_the_page_is_served_by_every_venue(small: NativeVenue) -> None:
    app = build_app(small.sequencer, SETTINGS, {}, lambda: "")
    assert any(getattr(route, "path", "") == "/docs/errors" for route in app.routes)
