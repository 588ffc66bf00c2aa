"""Sign-in with Ethereum: what a message must say, that it works once, and what a session may do."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from offchain_book import signatures
from offchain_book.gateways import sessions, siwe
from offchain_book.gateways.credentials import wall_clock_ms
from offchain_book.gateways.native import problem
from offchain_book.gateways.sessions import MAX_SESSIONS, NONCE_MS, SESSION_MS, Sessions
from tests.gateways.native_venue import SETTINGS, WALLET, WALLET_KEY, NativeVenue

EXAMPLE = """example.com wants you to sign in with your Ethereum account:
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2

I accept the ExampleOrg Terms of Service: https://example.com/tos

URI: https://example.com/login
Version: 1
Chain ID: 1
Nonce: 32891756
Issued At: 2021-09-30T16:25:24Z
Resources:
- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/
- https://example.com/my-web2-claim.json"""
"""The example of EIP-4361 itself."""


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[NativeVenue]:
    async with NativeVenue(tmp_path).running() as running:
        yield running


def error_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def signed(text: str, key: bytes = WALLET_KEY) -> dict[str, str]:
    """Sign a message as wallets do, by another library than ours."""
    signature = Account.sign_message(encode_defunct(text=text), key).signature.hex()
    return {"message": text, "signature": "0x" + signature.removeprefix("0x")}


# --- the message -------------------------------------------------------------------------------------------------------


def test_the_standards_own_example_is_read() -> None:
    found = siwe.parse(EXAMPLE)
    assert (found.domain, found.chain_id, found.nonce) == ("example.com", 1, "32891756")
    assert found.statement == "I accept the ExampleOrg Terms of Service: https://example.com/tos"
    assert (found.uri, found.issued_ms, found.expires_ms) == ("https://example.com/login", 1_633_019_124_000, 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Version: 1", "Version: 2"),
        ("0xC02aaA39", "0xc02aaA39"),
        ("Nonce: 32891756", "Nonce: 1"),
        ("\nIssued At: 2021-09-30T16:25:24Z", ""),
        ("2021-09-30T16:25:24Z", "2021-13-30T16:25:24Z"),
        ("2021-09-30T16:25:24Z", "yesterday"),
        ("Terms of Service", "Terms\nof Service"),
        ("Chain ID: 1\n", "Chain ID: one\n"),
        ("claim.json", "claim.json\nmore"),
        ("example.com wants", "exa mple.com wants"),
    ],
)
def test_what_breaks_the_grammar_is_refused(old: str, new: str) -> None:
    assert old in EXAMPLE
    with pytest.raises(siwe.BadMessage):
        siwe.parse(EXAMPLE.replace(old, new, 1))


def test_what_is_written_is_what_is_read() -> None:
    message = siwe.Message("h:1", signatures.checksum_address(WALLET), "http://h:1", 5, "a" * 9, 1_000, 9_000, 0, "Hello.")
    assert siwe.parse(message.text()) == message
    plain = dataclasses.replace(message, statement="", expires_ms=0)
    assert siwe.parse(plain.text()) == plain


# --- signing in --------------------------------------------------------------------------------------------------------


async def test_sign_in_gives_a_cookie_that_scripts_and_other_sites_do_not_get(small: NativeVenue) -> None:
    asked = (await small.http.post("/venue/session/nonce", json={"wallet": WALLET})).json()
    assert asked["nonce"] in asked["message"]
    before = wall_clock_ms()
    answer = await small.http.post("/venue/session", json=signed(asked["message"]))
    assert answer.status_code == 201
    assert answer.json()["wallet"] == WALLET
    assert before // 1_000 * 1_000 <= answer.json()["expires_ms"] - SESSION_MS <= wall_clock_ms()
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/venue")), cookie
    assert (await small.http.get("/venue/session")).json()["wallet"] == WALLET
    assert (await small.http.delete("/venue/session")).status_code == 204
    assert (await small.http.get("/venue/session")).json() == {"wallet": None, "expires_ms": None}


async def test_signing_out_ends_the_session_and_not_only_the_cookie(small: NativeVenue) -> None:
    token = await small.sign_in()
    await small.http.delete("/venue/session")
    kept = {"cookie": f"causeway_session={token}"}
    assert (await small.http.get("/venue/session", headers=kept)).json()["wallet"] is None


async def test_a_signed_message_works_once(small: NativeVenue) -> None:
    message = (await small.http.post("/venue/session/nonce", json={"wallet": WALLET})).json()["message"]
    assert (await small.http.post("/venue/session", json=signed(message))).status_code == 201
    assert error_of(await small.http.post("/venue/session", json=signed(message))) == (401, "BAD_NONCE")


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"domain": "evil.example", "uri": "http://evil.example"}, 400, "WRONG_TERMS"),
        ({"uri": "http://evil.example"}, 400, "WRONG_TERMS"),
        ({"chain_id": 137}, 400, "WRONG_TERMS"),
        ({"chain_id": 80_002}, 400, "WRONG_TERMS"),
        ({"nonce": "12345678"}, 401, "BAD_NONCE"),
        ({"expires_ms": 1_000}, 401, "MESSAGE_EXPIRED"),
        ({"issued_ms": 4_000_000_000_000}, 401, "MESSAGE_NOT_YET_VALID"),
        ({"address": signatures.checksum_address("0x" + "99" * 20)}, 401, "BAD_SIGNATURE"),
    ],
)
async def test_a_message_for_another_place_time_or_wallet_is_refused(
    small: NativeVenue, changed: dict[str, Any], status: int, code: str
) -> None:
    text = (await small.http.post("/venue/session/nonce", json={"wallet": WALLET})).json()["message"]
    altered = dataclasses.replace(siwe.parse(text), **changed).text()
    assert error_of(await small.http.post("/venue/session", json=signed(altered))) == (status, code)
    assert (await small.http.get("/venue/session")).json()["wallet"] is None
    assert error_of(await small.http.post("/venue/session", json={"message": "x", "signature": "0x"})) == (
        400,
        "BAD_MESSAGE",
    )


async def test_a_session_changes_nothing_for_another_origin(small: NativeVenue) -> None:
    await small.sign_in()
    cancel = {"orders": []}
    foreign = await small.http.post("/venue/orders/cancel", json=cancel, headers={"origin": "http://evil.example"})
    assert error_of(foreign) == (403, "WRONG_ORIGIN")
    own = await small.http.post("/venue/orders/cancel", json=cancel, headers={"origin": "http://venue"})
    assert own.status_code == 200


async def test_a_session_gets_a_ticket_of_its_wallet(small: NativeVenue) -> None:
    assert (await small.http.post("/venue/stream/tickets")).status_code == 401
    await small.sign_in()
    answer = await small.http.post("/venue/stream/tickets")
    assert (answer.status_code, answer.json()["account"]) == (201, WALLET)


async def test_nonces_and_sessions_end() -> None:
    now = [wall_clock_ms()]
    board = Sessions(SETTINGS, lambda: now[0])
    late = board.message(WALLET, "").text()
    now[0] += NONCE_MS + 1
    with pytest.raises(type(problem(401, "", ""))) as refused:
        await board.open(**_as_arguments(signed(late)))
    assert refused.value.detail["code"] == "BAD_NONCE"  # type: ignore[attr-defined]
    token, session = await board.open(**_as_arguments(signed(board.message(WALLET, "").text())))
    assert board.find(_Request(token)) == session  # type: ignore[arg-type]
    now[0] += SESSION_MS
    assert board.find(_Request(token)) is None  # type: ignore[arg-type]


async def test_the_oldest_session_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_SESSIONS > 2
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 2)
    board = Sessions(SETTINGS)
    tokens = [(await board.open(**_as_arguments(signed(board.message(WALLET, "").text()))))[0] for _ in range(3)]
    assert [board.find(_Request(token)) is not None for token in tokens] == [False, True, True]  # type: ignore[arg-type]


def _as_arguments(body: dict[str, str]) -> dict[str, str]:
    return {"text": body["message"], "signature": body["signature"]}


class _Request:
    """What a session looks at."""

    method = "GET"

    def __init__(self, token: str) -> None:
        self.cookies = {"causeway_session": token}
        self.headers: dict[str, str] = {}
