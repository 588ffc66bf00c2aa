"""Signed requests: what is accepted, and that each refusal names the check that failed and what it expected."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from offchain_book.config import SIGNATURE_WINDOW_S
from offchain_book.engine.commands import KeyKind, RegisterKey, RevokeKey
from offchain_book.gateways.credentials import (
    HEADERS,
    Authenticator,
    BadCredentials,
    UnsupportedKey,
    parse_public_key,
    wall_clock_ms,
)
from tests.gateways.conftest import Client
from tests.sdk.kalshi_venue import ALICE, BOB, CAROL, Key, SmallVenue

PATH = "/trade-api/v2/portfolio/balance"


def refusal(venue: SmallVenue, headers: dict[str, str], query: str = "", now_ms: int | None = None) -> BadCredentials:
    """Return why the headers are refused."""
    clock = wall_clock_ms if now_ms is None else lambda: now_ms
    with pytest.raises(BadCredentials) as caught:
        Authenticator(venue.state, clock).check(headers, "GET", PATH, query)
    return caught.value


@pytest.mark.parametrize("who", [ALICE, BOB])
async def test_rsa_and_ed25519_keys_sign_the_same_text(venue: SmallVenue, who: str) -> None:
    key = Authenticator(venue.state).check(venue.keys[who].headers("GET", PATH), "get", PATH)
    assert key.account_id == who


@pytest.mark.parametrize("absent", HEADERS)
async def test_missing_header_is_named(venue: SmallVenue, absent: str) -> None:
    headers = venue.keys[ALICE].headers("GET", PATH)
    del headers[absent]
    error = refusal(venue, headers)
    assert error.details == {"check": "headers", "reason": "MISSING_API_KEY_HEADERS", "missing": absent}


async def test_unknown_revoked_and_foreign_keys_are_refused(venue: SmallVenue) -> None:
    carol = venue.keys[CAROL]
    stranger = Key("nobody", carol.private)
    assert refusal(venue, stranger.headers("GET", PATH)).details["reason"] == "UNKNOWN_API_KEY"
    await venue.do(RevokeKey(CAROL, carol.key_id))
    assert refusal(venue, carol.headers("GET", PATH)).details["check"] == "key"
    await venue.do(RegisterKey(CAROL, carol.key_id, KeyKind.POLYMARKET, carol.public_pem))
    assert refusal(venue, carol.headers("GET", PATH)).details["check"] == "key"


@pytest.mark.parametrize("late_s", [SIGNATURE_WINDOW_S, -SIGNATURE_WINDOW_S])
async def test_window_is_measured_on_wall_time_both_ways(venue: SmallVenue, late_s: int) -> None:
    signed_ms = 1_700_000_000_000
    headers = venue.keys[BOB].headers("GET", PATH, signed_ms)
    at_edge = signed_ms + late_s * 1000
    assert Authenticator(venue.state, lambda: at_edge).check(headers, "GET", PATH).account_id == BOB
    beyond = at_edge + (1 if late_s > 0 else -1)
    details = refusal(venue, headers, now_ms=beyond).details
    assert (details["check"], details["reason"]) == ("timestamp", "TIMESTAMP_OUTSIDE_WINDOW")
    assert (details["server_ms"], details["window_s"]) == (beyond, SIGNATURE_WINDOW_S)


@pytest.mark.parametrize("timestamp", ["soon", "1.5", "-1", "1" * 17, "１７００"])
async def test_timestamp_must_be_milliseconds(venue: SmallVenue, timestamp: str) -> None:
    headers = venue.keys[BOB].headers("GET", PATH) | {"KALSHI-ACCESS-TIMESTAMP": timestamp}
    assert refusal(venue, headers).details["reason"] == "INVALID_TIMESTAMP"


@pytest.mark.parametrize("signature", ["!!!", "AAAA", base64.b64encode(bytes(256)).decode(), "é"])
@pytest.mark.parametrize("who", [ALICE, BOB])
async def test_wrong_signature_shows_the_text_to_sign(venue: SmallVenue, who: str, signature: str) -> None:
    headers = venue.keys[who].headers("GET", PATH) | {"KALSHI-ACCESS-SIGNATURE": signature}
    details = refusal(venue, headers).details
    assert (details["check"], details["reason"]) == ("signature", "INCORRECT_API_KEY_SIGNATURE")
    assert details["expected_text"] == f"{headers['KALSHI-ACCESS-TIMESTAMP']}GET{PATH}"


@pytest.mark.parametrize(
    ("signed", "hint"),
    [
        ("GET/trade-api/v2/portfolio/balance?limit=1", "query"),
        ("GET/portfolio/balance", "without /trade-api/v2"),
        ("get/trade-api/v2/portfolio/balance", "lower case"),
    ],
)
async def test_usual_mistakes_are_recognised(venue: SmallVenue, signed: str, hint: str) -> None:
    key = venue.keys[ALICE]
    headers = key.headers("GET", PATH)
    headers["KALSHI-ACCESS-SIGNATURE"] = key.sign(f"{headers['KALSHI-ACCESS-TIMESTAMP']}{signed}")
    assert hint in str(refusal(venue, headers, "limit=1").details["hint"])


@pytest.mark.parametrize(
    ("scheme", "hint"),
    [
        (padding.PKCS1v15(), "PKCS#1"),
        (padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH), "salt of 32"),
    ],
)
async def test_other_rsa_schemes_are_recognised(venue: SmallVenue, scheme: Any, hint: str) -> None:
    key = venue.keys[ALICE]
    assert isinstance(key.private, rsa.RSAPrivateKey)
    headers = key.headers("GET", PATH)
    text = f"{headers['KALSHI-ACCESS-TIMESTAMP']}GET{PATH}"
    signature = key.private.sign(text.encode(), scheme, hashes.SHA256())
    headers["KALSHI-ACCESS-SIGNATURE"] = base64.b64encode(signature).decode()
    assert hint in str(refusal(venue, headers).details["hint"])


async def test_signature_of_another_method_or_path_is_wrong(venue: SmallVenue) -> None:
    headers = venue.keys[BOB].headers("GET", PATH)
    for method, path in (("POST", PATH), ("GET", f"{PATH}s")):
        with pytest.raises(BadCredentials):
            Authenticator(venue.state).check(headers, method, path)


def test_only_public_keys_that_can_sign_requests_are_parsed() -> None:
    for pem in ("", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"):
        with pytest.raises(UnsupportedKey):
            parse_public_key(pem)


# --- over HTTP ---------------------------------------------------------------------------------------------------------


async def test_wrong_signature_is_401_in_both_shapes(client: Client) -> None:
    headers = client.venue.keys[BOB].headers("GET", "/trade-api/v2/portfolio/orders")
    response = await client.send("GET", "/portfolio/balance", None, headers=headers)
    body = response.json()
    assert (response.status_code, body["code"], body["error"]["code"]) == (401, *["authentication_error"] * 2)
    expected = f"{headers['KALSHI-ACCESS-TIMESTAMP']}GET{PATH}"
    assert body["error"]["details"]["expected_text"] == expected
    assert "INCORRECT_API_KEY_SIGNATURE" in body["details"]
    assert expected in body["details"]


async def test_percent_encoded_path_is_verified_as_sent(client: Client) -> None:
    response = await client.send("GET", "/portfolio/orders/a%20b%2Fc")
    assert response.status_code == 404
    assert (await client.send("GET", "/portfolio/orders/a b")).status_code == 404


async def test_public_route_takes_no_credentials_or_right_ones(client: Client) -> None:
    assert (await client.send("GET", "/exchange/status", None)).status_code == 200
    assert (await client.send("GET", "/exchange/status", BOB)).status_code == 200
    headers = {"KALSHI-ACCESS-KEY": "nobody"}
    assert (await client.send("GET", "/exchange/status", None, headers=headers)).status_code == 401


async def test_private_route_without_credentials_is_401(client: Client) -> None:
    response = await client.send("GET", "/portfolio/balance", None)
    assert (response.status_code, response.json()["error"]["details"]["check"]) == (401, "headers")


async def test_key_that_may_only_read_cannot_trade(client: Client) -> None:
    assert (await client.send("GET", "/portfolio/balance", "alice-reads")).status_code == 200
    response = await client.send("DELETE", "/portfolio/events/orders", "alice-reads")
    assert (response.status_code, response.json()["code"]) == (403, "insufficient_scope")


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        ("read::portfolio_balance", "/portfolio/balance", 200),
        ("read::portfolio_balance", "/portfolio/orders", 403),
        ("write::trade", "/portfolio/balance", 403),
    ],
)
async def test_narrow_scopes_open_their_own_routes_only(client: Client, scope: str, path: str, status: int) -> None:
    key = Key("narrow", client.venue.keys[BOB].private)
    client.venue.keys = {**client.venue.keys, "narrow": key}
    await client.venue.do(RegisterKey(BOB, "narrow", KeyKind.KALSHI, key.public_pem, "", (scope,)))
    assert (await client.send("GET", path, "narrow")).status_code == status
