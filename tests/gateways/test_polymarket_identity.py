"""Who asks, and whose order it is: the exact status, production's exact text, and nothing has moved."""

import time
from types import SimpleNamespace

import httpx
import pytest

from offchain_book.config import CLIENT_CHAIN_ID, COMPATIBLE_V1, L2_WINDOW_S, SIGNATURE_WINDOW_S
from offchain_book.engine.operations import OrderScheme
from offchain_book.gateways import polymarket_http
from offchain_book.signatures import order_digest, polymarket_domain, sign_digest
from tests.gateways.polymarket_fixtures import CONTRACT, DOLLAR, House, Wallet
from tests.gateways.polymarket_untouched import Untouched, refused, yes

V1 = OrderScheme.POLYMARKET_V1


# --- who asks ----------------------------------------------------------------------------------------------------------


async def test_l1_refuses_a_stale_or_early_timestamp(
    house: House, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than the window away from the wall clock, either way."""
    wallet, now_s = Wallet(http, b"\x33" * 32), int(time.time())
    monkeypatch.setattr(polymarket_http, "time", SimpleNamespace(time_ns=lambda: now_s * 10**9))
    with Untouched(house):
        for away in (-SIGNATURE_WINDOW_S - 1, SIGNATURE_WINDOW_S + 1):
            headers = wallet.proof(timestamp=now_s + away)
            body = refused(
                await http.post("/auth/api-key", headers=headers), 401, "Invalid L1 Request headers", "INVALID_L1"
            )
            assert body["details"] == {"check": "timestamp"}


async def test_l1_refuses_another_wallets_signature_and_bad_headers(house: House, http: httpx.AsyncClient) -> None:
    """Each header missing or wrong."""
    wallet, other = Wallet(http, b"\x33" * 32), Wallet(http, b"\x44" * 32)
    bad: list[tuple[str, dict[str, str]]] = [
        ("signature", {"POLY_ADDRESS": other.address}),
        ("signature", {"POLY_NONCE": "1"}),
        ("signature", {"POLY_SIGNATURE": "0x00"}),
        ("signature", {"POLY_SIGNATURE": "zz"}),
        ("address", {"POLY_ADDRESS": "0x12"}),
        ("nonce", {"POLY_NONCE": "-1"}),
        ("nonce", {"POLY_NONCE": "9" * 30}),
        ("timestamp", {"POLY_TIMESTAMP": "yesterday"}),
        ("headers", {"POLY_SIGNATURE": ""}),
        ("headers", {"POLY_ADDRESS": ""}),
    ]
    with Untouched(house):
        for check, changed in bad:
            response = await http.post("/auth/api-key", headers=wallet.proof() | changed)
            body = refused(response, 401, "Invalid L1 Request headers", "INVALID_L1")
            assert body["details"]["check"] == check, changed
        assert (await http.post("/auth/api-key")).status_code == 401


async def test_l1_takes_the_clients_chain_id_and_the_chains_own(house: House, http: httpx.AsyncClient) -> None:
    """80002 from the clients, 31337 from a browser wallet; nothing else, least of all Polygon."""
    wallet = Wallet(http, b"\x33" * 32)
    with Untouched(house):
        headers = wallet.proof(chain_id=137)
        refused(await http.post("/auth/api-key", headers=headers), 401, "Invalid L1 Request headers", "INVALID_L1")
    for nonce, chain_id in enumerate((CLIENT_CHAIN_ID, 31_337)):
        response = await http.post("/auth/api-key", headers=wallet.proof(nonce, chain_id=chain_id))
        assert response.status_code == 200, response.text


async def test_an_existing_key_is_derived_and_a_missing_one_is_not(house: House, wendy: Wallet) -> None:
    """Create once, derive ever after; a nonce that was never used has no key."""
    with Untouched(house):
        again = await wendy.http.post("/auth/api-key", headers=wendy.proof())
        refused(again, 400, "Could not create api key", "KEY_EXISTS")
        derived = await wendy.http.get("/auth/derive-api-key", headers=wendy.proof())
        assert (derived.status_code, derived.json()) == (200, wendy.creds)
        never = await wendy.http.get("/auth/derive-api-key", headers=wendy.proof(7))
        refused(never, 400, "Could not derive api key", "UNKNOWN_KEY")


async def test_a_revoked_key_is_dead_and_its_successor_has_another_secret(wendy: Wallet) -> None:
    """The id comes back with the nonce, the secret does not."""
    old = dict(wendy.creds)
    assert (await wendy.call("DELETE", "/auth/api-key")).json() == "OK"
    refused(await wendy.call("GET", "/data/orders"), 401, "Unauthorized/Invalid api key", "UNAUTHORIZED")
    await wendy.login()
    assert wendy.creds["apiKey"] == old["apiKey"]
    assert wendy.creds["secret"] != old["secret"]
    assert wendy.creds["passphrase"] != old["passphrase"]
    assert (await wendy.call("GET", "/data/orders")).status_code == 200
    wendy.creds = old
    assert (await wendy.call("GET", "/data/orders")).status_code == 401


async def test_l2_names_the_check_that_failed(house: House, wendy: Wallet, walt: Wallet) -> None:
    """Key, address, time, passphrase, HMAC over method, path and body."""
    path = "/data/orders"
    good = wendy.headers("GET", path)
    stale = wendy.headers("GET", path, timestamp=int(time.time()) - L2_WINDOW_S - 2)
    bad: list[tuple[str, dict[str, str]]] = [
        ("key", good | {"POLY_API_KEY": "11111111-1111-4111-8111-111111111111"}),
        ("address", good | {"POLY_ADDRESS": walt.address}),
        ("address", good | {"POLY_API_KEY": walt.creds["apiKey"]}),
        ("timestamp", stale),
        ("passphrase", good | {"POLY_PASSPHRASE": walt.creds["passphrase"]}),
        ("signature", wendy.headers("POST", path)),
        ("signature", wendy.headers("GET", "/data/trades")),
        ("signature", wendy.headers("GET", path, "{}")),
        ("signature", good | {"POLY_SIGNATURE": "abc"}),
        ("headers", {name: value for name, value in good.items() if name != "POLY_PASSPHRASE"}),
        ("headers", {}),
    ]
    with Untouched(house):
        for check, headers in bad:
            response = await wendy.http.get(path, headers=headers)
            body = refused(response, 401, "Unauthorized/Invalid api key", "UNAUTHORIZED")
            assert body["details"]["check"] == check, headers
    assert (await wendy.http.get(path, headers=good)).status_code == 200


async def test_every_private_route_needs_a_key(http: httpx.AsyncClient) -> None:
    """Without headers, nothing private answers."""
    for method, path in (
        ("GET", "/auth/api-keys"),
        ("DELETE", "/auth/api-key"),
        ("GET", "/auth/ban-status/closed-only"),
        ("POST", "/order"),
        ("POST", "/orders"),
        ("DELETE", "/order"),
        ("DELETE", "/orders"),
        ("DELETE", "/cancel-all"),
        ("DELETE", "/cancel-market-orders"),
        ("GET", "/data/order/0x01"),
        ("GET", "/data/orders"),
        ("GET", "/data/trades"),
        ("GET", "/balance-allowance"),
        ("GET", "/balance-allowance/update"),
        ("GET", "/order-scoring"),
        ("POST", "/orders-scoring"),
        ("GET", "/notifications"),
        ("DELETE", "/notifications"),
    ):
        refused(await http.request(method, path), 401, "Unauthorized/Invalid api key", "UNAUTHORIZED")


# --- whose order -------------------------------------------------------------------------------------------------------


async def test_an_order_names_the_key_that_signs_the_request(house: House, wendy: Wallet, walt: Wallet) -> None:
    """Wrong owner."""
    payload = wendy.payload("BUY", yes(house), 4 * DOLLAR, 10 * CONTRACT) | {"owner": walt.creds["apiKey"]}
    with Untouched(house):
        text = "the order owner has to be the owner of the API KEY"
        refused(await wendy.call("POST", "/order", payload), 400, text, "WRONG_OWNER")


async def test_an_order_signed_by_somebody_else_is_refused(house: House, wendy: Wallet, walt: Wallet) -> None:
    """Walt posts Wendy's order: as hers, and as his own."""
    payload = wendy.payload("BUY", yes(house), 4 * DOLLAR, 10 * CONTRACT) | {"owner": walt.creds["apiKey"]}
    with Untouched(house):
        text = "the order signer address has to be the address of the API KEY"
        body = refused(await walt.call("POST", "/order", payload), 400, text, "WRONG_SIGNER")
        assert body["details"] == {"expected": walt.account, "signer": wendy.account}
        payload["order"] |= {"maker": walt.address, "signer": walt.address}
        answer = await walt.call("POST", "/order", payload)
        assert answer.json()["code"] == "INVALID_SIGNATURE"


@pytest.mark.parametrize("scheme", [OrderScheme.POLYMARKET_V1, OrderScheme.POLYMARKET_V2])
async def test_an_invalid_signature_says_what_was_expected(house: House, wendy: Wallet, scheme: OrderScheme) -> None:
    """One signed field changed afterwards: who was recovered, under which domain, from which digest."""
    payload = wendy.payload("BUY", yes(house), 4 * DOLLAR, 10 * CONTRACT, scheme=scheme)
    payload["order"]["takerAmount"] = str(11 * CONTRACT)
    with Untouched(house):
        answer = await wendy.call("POST", "/order", payload)
    body, details = answer.json(), answer.json()["details"]
    assert answer.status_code == 400
    assert body["error"].startswith("Invalid signature: the signature recovers to 0x")
    assert details["expected"] == wendy.account != details["recovered"]
    assert details["domain"]["chainId"] == CLIENT_CHAIN_ID
    assert details["domain"]["version"] == ("1" if scheme is V1 else "2")
    assert len(details["digest"]) == 66


async def test_an_invalid_signature_names_the_domain_that_it_fits(house: House, wendy: Wallet) -> None:
    """Signed for Polygon, and for the neg-risk exchange."""
    for chain_id, contract, hint in (
        (137, "0xE111180000d2663C0091e4f400237545B87B996B", "chain id 137"),
        (31_337, "0xE111180000d2663C0091e4f400237545B87B996B", "chain id 31337"),
        (CLIENT_CHAIN_ID, "0xe2222d279d744050d28e00520010520000310F59", "neg-risk"),
    ):
        order = wendy.signed("BUY", yes(house), 4 * DOLLAR, 10 * CONTRACT, OrderScheme.POLYMARKET_V2)
        domain = polymarket_domain(OrderScheme.POLYMARKET_V2, chain_id, contract)
        payload = wendy.payload("BUY", yes(house), 4 * DOLLAR, 10 * CONTRACT)
        payload["order"] |= {
            "salt": int(order.salt),
            "timestamp": str(order.timestamp_ms),
            "signature": sign_digest(order_digest(domain, order), wendy.private_key),
        }
        body = (await wendy.call("POST", "/order", payload)).json()
        assert hint in body["error"], body
    order = wendy.payload("BUY", yes(house), 4 * DOLLAR, 10 * CONTRACT, scheme=V1)
    order["order"]["signature"] = "0x" + "00" * 65
    body = (await wendy.call("POST", "/order", order)).json()
    assert body["code"] == "INVALID_SIGNATURE"
    assert body["details"]["domain"]["verifyingContract"] == COMPATIBLE_V1


async def test_proxy_wallets_are_refused_with_the_reason(house: House, wendy: Wallet) -> None:
    """Types 1 and 2 never; type 3 where a chain can be asked."""
    with Untouched(house):
        for signature_type, status, word in ((1, 400, "POLY_PROXY"), (2, 400, "POLY_GNOSIS_SAFE"), (3, 501, "ERC-1271")):
            answer = await wendy.place("BUY", yes(house), 4 * DOLLAR, 10 * CONTRACT, signature_type=signature_type)
            body = answer.json()
            assert (answer.status_code, body["code"]) == (status, "SIGNATURE_TYPE")
            assert body["error"].startswith("invalid signature: ")
            assert word in body["error"]


async def test_the_wallet_that_pays_is_the_one_that_signs(house: House, wendy: Wallet, walt: Wallet) -> None:
    """A funder other than the signer, and a private order."""
    with Untouched(house):
        answer = await wendy.place("BUY", yes(house), 4 * DOLLAR, 10 * CONTRACT, maker=walt.address)
        refused(answer, 400, "maker address not allowed", "WRONG_MAKER")
        payload = wendy.payload("BUY", yes(house), 4 * DOLLAR, 10 * CONTRACT, scheme=V1)
        payload["order"]["taker"] = walt.address
        refused(await wendy.call("POST", "/order", payload), 400, "taker address not allowed", "WRONG_TAKER")
