"""Sign-ins and relayed deposits are counted per account and per address, and only failures stay counted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException, Request

from offchain_book.config import RELAYS_PER_WALLET, SIGN_INS_PER_ACCOUNT, AttemptLimit
from offchain_book.gateways import attempts
from offchain_book.gateways.attempts import Attempts, Guarded
from tests.gateways.native_venue import WALLET, NativeVenue

SIGNATURE = "0x" + "11" * 32 + "22" * 32 + "1b"


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[NativeVenue]:
    async with NativeVenue(tmp_path).running() as running:
        yield running


def asked_from(host: str) -> Request:
    return Request({"type": "http", "headers": [], "client": (host, 1)})


def refused(work: Any) -> dict[str, Any]:
    with pytest.raises(HTTPException) as found:
        work()
    assert found.value.status_code == 429
    assert found.value.headers is not None
    detail: dict[str, Any] = dict(found.value.detail)  # type: ignore[call-overload]
    assert int(found.value.headers["Retry-After"]) == detail["details"]["retry_after_s"]
    return detail


def test_after_so_many_attempts_one_more_comes_free_with_each_step_of_time() -> None:
    now = [0.0]
    limit = Attempts("tries", AttemptLimit(3, 30), lambda: now[0])
    for _ in range(3):
        limit.take("zoe")
    detail = refused(lambda: limit.take("zoe"))
    assert (detail["code"], detail["details"]) == ("TOO_MANY_ATTEMPTS", {"most": 3, "window_s": 30, "retry_after_s": 10})
    limit.take("somebody else")
    now[0] = 10
    limit.take("zoe")
    refused(lambda: limit.take("zoe"))
    now[0] = 1_000
    for _ in range(3):
        limit.take("zoe")
    refused(lambda: limit.take("zoe"))


def test_what_was_right_is_not_counted() -> None:
    limit = Guarded("tries", AttemptLimit(2, 10), AttemptLimit(3, 10), lambda: 0.0)
    for _ in range(20):
        limit.take(asked_from("::1"), "zoe")
        limit.give_back(asked_from("::1"), "zoe")


def test_an_address_that_tries_many_accounts_is_stopped_and_others_are_not() -> None:
    limit = Guarded("tries", AttemptLimit(2, 10), AttemptLimit(3, 10), lambda: 0.0)
    for name in ("a", "b", "c"):
        limit.take(asked_from("10.0.0.1"), name)
    assert "address" in refused(lambda: limit.take(asked_from("10.0.0.1"), "d"))["message"]
    limit.take(asked_from("10.0.0.2"), "d")


def test_only_so_many_keys_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MAX_KEYS", 2)
    limit = Attempts("tries", AttemptLimit(1, 10), lambda: 0.0)
    for name in ("a", "b", "c"):
        limit.take(name)
    limit.take("a")
    refused(lambda: limit.take("c"))


async def test_a_wallet_asks_for_so_many_nonces_that_it_does_not_sign(small: NativeVenue) -> None:
    for _ in range(SIGN_INS_PER_ACCOUNT.most):
        assert (await small.http.post("/venue/session/nonce", json={"wallet": WALLET})).status_code == 200
    answer = await small.http.post("/venue/session/nonce", json={"wallet": WALLET})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "TOO_MANY_ATTEMPTS")
    assert 0 < int(answer.headers["retry-after"]) <= SIGN_INS_PER_ACCOUNT.window_s // SIGN_INS_PER_ACCOUNT.most


async def test_a_permit_reaches_the_chain_as_it_was_signed(small: NativeVenue) -> None:
    body = {"wallet": WALLET, "amount": "12.5", "deadline": 2_000_000_000, "signature": SIGNATURE}
    answer = await small.http.post("/venue/deposits/permit", json=body)
    assert (answer.status_code, answer.json()) == (201, {"id": "deposit:7", "transaction": "0x5", "block": 1})
    assert small.hooks.asked == [("permit", WALLET, 12_500_000, 2_000_000_000, 27, b"\x11" * 32, b"\x22" * 32)]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [("amount", "0.999999", "BAD_AMOUNT"), ("signature", "0x11", "BAD_BODY"), ("wallet", "0x12", "BAD_ADDRESS")],
)
async def test_a_permit_that_cannot_be_right_is_refused_before_the_chain(
    small: NativeVenue, field: str, value: str, code: str
) -> None:
    body = {"wallet": WALLET, "amount": "5", "deadline": 2_000_000_000, "signature": SIGNATURE} | {field: value}
    answer = await small.http.post("/venue/deposits/permit", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert small.hooks.asked == []


async def test_the_venue_pays_gas_for_so_many_deposits_of_a_wallet(small: NativeVenue) -> None:
    body = {"wallet": WALLET, "amount": "5", "deadline": 2_000_000_000, "signature": SIGNATURE}
    for _ in range(RELAYS_PER_WALLET.most):
        assert (await small.http.post("/venue/deposits/permit", json=body)).status_code == 201
    answer = await small.http.post("/venue/deposits/permit", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "TOO_MANY_ATTEMPTS")
