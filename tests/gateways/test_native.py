"""Our own routes under /venue: who may do what, what a signature covers, what an error says."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from offchain_book.engine import commands as c
from offchain_book.engine.operations import VaultActionKind
from tests.gateways.native_venue import CONDITION, CONTRACT, DOLLAR, OPERATOR, STRANGER, TICKER, WALLET, NativeVenue
from tests.sdk.kalshi_venue import Key


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[NativeVenue]:
    async with NativeVenue(tmp_path).running() as running:
        yield running


def error_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


# --- custodial accounts: the signature covers the body ----------------------------------------------------------------


async def test_withdrawal_leaves_through_the_stream(small: NativeVenue) -> None:
    body = {"reference": "r1", "amount": "12.5", "to": STRANGER}
    answer = await small.signed("/venue/withdrawals", body)
    assert answer.status_code == 201
    assert answer.json() == {
        "reference": "alice:r1",
        "operation": 0,
        "asset": "USD",
        "amount": "12.500000",
        "to": STRANGER,
        "seq": small.state.seq,
    }
    assert small.state.accounts["alice"].cash.total == 87_500_000
    traced = (await small.http.get("/venue/trace/alice:r1")).json()
    assert [one["type"] for one in traced["operations"]] == ["pool_send_cash"]


async def test_same_reference_moves_money_once(small: NativeVenue) -> None:
    body = {"reference": "r1", "amount": "1", "to": STRANGER}
    assert (await small.signed("/venue/withdrawals", body)).status_code == 201
    assert error_of(await small.signed("/venue/withdrawals", body)) == (409, "DUPLICATE_REQUEST")
    assert small.state.accounts["alice"].cash.total == 99 * DOLLAR


async def test_another_body_than_the_signed_one_is_refused(small: NativeVenue) -> None:
    body = {"reference": "r1", "amount": "1", "to": STRANGER}
    answer = await small.signed("/venue/withdrawals", body, sign=b'{"amount": "1"}')
    assert error_of(answer) == (401, "BAD_CREDENTIALS")
    assert small.state.next_operation == 0


async def test_key_that_may_only_read_moves_nothing(small: NativeVenue) -> None:
    body = {"reference": "r1", "amount": "1", "to": STRANGER}
    assert error_of(await small.signed("/venue/withdrawals", body, small.reader)) == (403, "SCOPE")


async def test_key_that_may_only_trade_sees_and_moves_nothing(small: NativeVenue) -> None:
    key = Key("alice-trades", ed25519.Ed25519PrivateKey.generate())
    scopes = ("write::trade",)
    await small.do(c.RegisterKey("alice", key.key_id, c.KeyKind.KALSHI, key.public_pem, "", scopes))
    body = {"reference": "r1", "amount": "1", "to": STRANGER}
    assert error_of(await small.signed("/venue/withdrawals", body, key)) == (403, "SCOPE")
    assert error_of(await small.signed("/venue/accounts/alice", None, key, "GET")) == (403, "SCOPE")


async def test_key_of_a_subaccount_sends_nothing_away(small: NativeVenue) -> None:
    key = Key("alice-locked", ed25519.Ed25519PrivateKey.generate())
    await small.do(c.OpenSubaccount("alice"))
    await small.do(c.TransferCash("alice", "t", 0, 1, 10 * DOLLAR))
    await small.do(c.RegisterKey("alice/1", key.key_id, c.KeyKind.KALSHI, key.public_pem))
    body = {"reference": "r1", "amount": "1", "to": STRANGER}
    assert error_of(await small.signed("/venue/withdrawals", body, key)) == (403, "SCOPE")
    assert small.state.next_operation == 0


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"amount": "0"}, "AMOUNT_NOT_POSITIVE"),
        ({"amount": "100.01"}, "INSUFFICIENT_CASH"),
        ({"amount": "-1"}, "BAD_BODY"),
        ({"amount": "1.1234567"}, "BAD_BODY"),
        ({"amount": 1}, "BAD_BODY"),
        ({"to": "0x12"}, "BAD_ADDRESS"),
        ({"reference": "with space"}, "BAD_BODY"),
        ({"extra": "field"}, "BAD_BODY"),
    ],
)
async def test_bad_withdrawal_says_why(small: NativeVenue, changed: dict[str, Any], code: str) -> None:
    body = {"reference": "r1", "amount": "1", "to": STRANGER, **changed}
    assert error_of(await small.signed("/venue/withdrawals", body)) == (400, code)
    assert small.state.next_operation == 0


async def test_tokenize_sends_part_of_a_position(small: NativeVenue) -> None:
    body = {"reference": "t1", "ticker": TICKER, "outcome": "yes", "count": "4", "wallet": STRANGER}
    answer = await small.signed("/venue/tokenize", body)
    assert (answer.status_code, answer.json()["asset"]) == (201, f"{TICKER}:YES")
    assert small.state.markets[TICKER].pool_yes_micros == 6 * CONTRACT
    assert error_of(await small.signed("/venue/tokenize", {**body, "reference": "t2", "outcome": "maybe"})) == (
        400,
        "BAD_OUTCOME",
    )
    assert error_of(await small.signed("/venue/tokenize", {**body, "reference": "t2", "ticker": "X"})) == (
        404,
        "UNKNOWN_MARKET",
    )
    too_many = {**body, "reference": "t2", "count": "6.01"}
    assert error_of(await small.signed("/venue/tokenize", too_many)) == (400, "INSUFFICIENT_TOKENS")


# --- links -------------------------------------------------------------------------------------------------------------


async def test_link_needs_both_signatures(small: NativeVenue) -> None:
    assert error_of(await small.signed("/venue/links", small.link(account="bob"))) == (400, "BAD_SIGNATURE")
    assert error_of(await small.signed("/venue/links", small.link(key=b"\x33" * 32))) == (400, "BAD_SIGNATURE")
    assert error_of(await small.signed("/venue/links", small.link(deadline=1))) == (400, "DEADLINE_PASSED")
    assert (await small.http.post("/venue/links", json=small.link())).status_code == 401
    answer = await small.signed("/venue/links", {**small.link(), "deliver": True})
    assert answer.json() == {"account": "alice", "wallet": WALLET, "deliver": True}
    assert small.state.accounts["alice"].deliver_to == WALLET


# --- vault actions -----------------------------------------------------------------------------------------------------


async def test_action_is_held_and_queued(small: NativeVenue) -> None:
    answer = await small.http.post("/venue/actions", json=small.action(VaultActionKind.WITHDRAW, "0", 3 * DOLLAR))
    assert answer.status_code == 201
    wallet = small.state.accounts[WALLET]
    assert (wallet.cash.held, answer.json()["operation"]) == (3 * DOLLAR, 0)
    again = await small.http.post("/venue/actions", json=small.action(VaultActionKind.WITHDRAW, "0", 2 * DOLLAR))
    assert error_of(again) == (409, "ACTION_NONCE_USED")


async def test_action_that_could_not_land_in_time_is_refused(small: NativeVenue) -> None:
    late = small.action(VaultActionKind.WITHDRAW, "0", 3 * DOLLAR, deadline=1)
    assert error_of(await small.http.post("/venue/actions", json=late)) == (400, "DEADLINE_PASSED")


async def test_split_needs_a_known_condition(small: NativeVenue) -> None:
    split = small.action(VaultActionKind.SPLIT, str(int(CONDITION, 16)), CONTRACT)
    assert (await small.http.post("/venue/actions", json=split)).status_code == 201
    unknown = small.action(VaultActionKind.SPLIT, "512", CONTRACT, nonce="8")
    assert error_of(await small.http.post("/venue/actions", json=unknown)) == (404, "UNKNOWN_MARKET")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"amount": "4000000"}, "BAD_SIGNATURE"),
        ({"to": STRANGER}, "BAD_SIGNATURE"),
        ({"signature": "0x12"}, "BAD_SIGNATURE"),
        ({"kind": 9}, "BAD_KIND"),
        ({"id": "-1"}, "BAD_NUMBER"),
        ({"id": str(1 << 256)}, "BAD_NUMBER"),
        ({"amount": str(1 << 96)}, "BAD_NUMBER"),
        ({"deadline": 1 << 39}, "BAD_SIGNATURE"),
    ],
)
async def test_altered_action_is_refused(small: NativeVenue, changed: dict[str, Any], code: str) -> None:
    body = {**small.action(VaultActionKind.WITHDRAW, "0", 3 * DOLLAR), **changed}
    assert error_of(await small.http.post("/venue/actions", json=body)) == (400, code)
    assert small.state.accounts[WALLET].cash.held == 0


# --- looking -----------------------------------------------------------------------------------------------------------


async def test_balances_of_a_custodial_account_are_its_own(small: NativeVenue) -> None:
    path = "/venue/accounts/alice"
    assert error_of(await small.http.get(path)) == (401, "BAD_CREDENTIALS")
    own = await small.signed(path, None, method="GET")
    assert own.json()["balances"]["USD"]["withdrawable"] == 100 * DOLLAR
    assert error_of(await small.signed("/venue/accounts/nobody", None, method="GET")) == (403, "NOT_YOURS")
    assert (await small.http.get(path, headers=OPERATOR)).json()["account"] == "alice"
    assert (await small.http.get(f"/venue/accounts/{WALLET}")).json()["custody"] == "wallet"


async def test_trace_hides_custodial_names_from_others(small: NativeVenue) -> None:
    await small.signed("/venue/withdrawals", {"reference": "r1", "amount": "1", "to": STRANGER})

    async def accounts(headers: dict[str, str]) -> set[str]:
        found = (await small.http.get("/venue/trace/operation:0", headers=headers)).json()
        return {line["account"] for posting in found["postings"] for line in posting["lines"]}

    assert "alice" not in await accounts({})
    assert "alice" in await accounts(OPERATOR)
    assert error_of(await small.http.get("/venue/trace/nothing")) == (404, "UNKNOWN_ID")
