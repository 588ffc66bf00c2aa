"""API keys in Kalshi's dialect: what works afterwards, and what a key cannot give away."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from tests.gateways.conftest import Client, order, possessions
from tests.sdk.kalshi_venue import ALICE, BOB, Key

NEW = "alice-new"


def use(client: Client, key_id: str, private: Any) -> None:
    """Let the client sign with a new key."""
    client.venue.keys = {**client.venue.keys, NEW: Key(key_id, private)}


async def make(client: Client, who: str = ALICE, **more: Any) -> str:
    """Register a new Ed25519 key and let the client sign with it."""
    private = ed25519.Ed25519PrivateKey.generate()
    sent = {"name": "new", "public_key": Key("", private).public_pem, **more}
    response = await client.send("POST", "/api_keys", who, json=sent)
    assert response.status_code == 201, response.text
    key_id: str = response.json()["api_key_id"]
    use(client, key_id, private)
    return key_id


async def refused(client: Client, status: int, code: str, method: str, path: str, who: str = ALICE, **more: Any) -> Any:
    before = possessions(client.venue)
    response = await client.send(method, path, who, **more)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert possessions(client.venue) == before
    return response.json()["error"]["details"]


async def test_registered_key_works_until_it_is_deleted(client: Client) -> None:
    key_id = await make(client)
    await client.place(NEW, "bid", "0.40", "1")
    rows = {row["api_key_id"]: row for row in (await client.get("/api_keys"))["api_keys"]}
    assert rows[key_id] == {"api_key_id": key_id, "name": "new", "scopes": ["read", "write"], "subaccount": None}
    assert set(rows) == {key_id, client.venue.keys[ALICE].key_id, client.venue.keys["alice-reads"].key_id}
    response = await client.send("DELETE", f"/api_keys/{key_id}")
    assert (response.status_code, response.content) == (204, b"")
    await refused(client, 401, "authentication_error", "GET", "/portfolio/balance", NEW)
    await refused(client, 404, "api_key_not_found", "DELETE", f"/api_keys/{key_id}")


@pytest.mark.parametrize(
    ("kind", "begins"), [(None, "-----BEGIN RSA PRIVATE KEY"), ("rsa", "-----BEGIN RSA"), ("ed25519", "-----BEGIN PRIVATE")]
)
async def test_generated_key_signs_and_its_private_half_is_not_kept(client: Client, kind: str | None, begins: str) -> None:
    sent = {"name": "made"} | ({"key_type": kind} if kind else {})
    response = await client.send("POST", "/api_keys/generate", json=sent)
    made = response.json()
    assert (response.status_code, made["key_type"]) == (201, kind or "rsa")
    assert made["private_key"].startswith(begins)
    private = load_pem_private_key(made["private_key"].encode(), None)
    if isinstance(private, rsa.RSAPrivateKey):
        assert private.key_size == 2048
    use(client, made["api_key_id"], private)
    await client.place(NEW, "bid", "0.40", "1")
    assert client.venue.state.keys[made["api_key_id"]].public_key_pem.startswith("-----BEGIN PUBLIC KEY")
    assert "private_key" not in (await client.send("GET", "/api_keys")).text


async def test_scopes_bound_what_a_key_may_do(client: Client) -> None:
    await make(client, scopes=["write::trade", "read::portfolio_balance", "write::trade"])
    await client.place(NEW, "bid", "0.40", "1")
    await client.get("/portfolio/balance", NEW)
    for method, path in (("GET", "/portfolio/orders"), ("POST", "/portfolio/subaccounts"), ("POST", "/api_keys/generate")):
        await refused(client, 403, "insufficient_scope", method, path, NEW)
    (row,) = [row for row in (await client.get("/api_keys"))["api_keys"] if row["name"] == "new"]
    assert row["scopes"] == ["write::trade", "read::portfolio_balance"]


@pytest.mark.parametrize(
    "more",
    [
        {"scopes": []},
        {"scopes": ["write"]},
        {"scopes": ["admin"]},
        {"scopes": "read"},
        {"name": ""},
        {"name": None},
        {"subaccount": 64},
        {"subaccount": -1},
        {"subaccount": "1"},
        {"expires": 1},
    ],
)
async def test_bad_request_for_a_key_is_400(client: Client, more: dict[str, Any]) -> None:
    pem = client.venue.keys[BOB].public_pem
    await refused(client, 400, "invalid_parameters", "POST", "/api_keys", json={"name": "n", "public_key": pem, **more})
    await refused(client, 400, "invalid_parameters", "POST", "/api_keys/generate", json={"name": "n", **more})


async def test_public_key_that_nobody_could_use_is_400(client: Client) -> None:
    curve = ec.generate_private_key(ec.SECP256K1()).public_key()
    wrong = curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for pem in ("", "nonsense", wrong, client.venue.keys[BOB].private_pem.decode()):
        details = await refused(
            client, 400, "invalid_public_key", "POST", "/api_keys", json={"name": "n", "public_key": pem}
        )
        assert details["field"] == "public_key"
    await refused(client, 400, "invalid_parameters", "POST", "/api_keys/generate", json={"name": "n", "key_type": "ec"})


async def test_only_the_key_itself_is_stored(client: Client) -> None:
    key = client.venue.keys[BOB]
    sent = {"name": "n", "public_key": key.public_pem + key.private_pem.decode()}
    response = await client.send("POST", "/api_keys", json=sent)
    assert client.venue.state.keys[response.json()["api_key_id"]].public_key_pem == key.public_pem


async def test_key_cannot_give_or_take_what_is_not_its_own(client: Client) -> None:
    await refused(client, 403, "insufficient_scope", "POST", "/api_keys/generate", "alice-reads", json={"name": "n"})
    key_id = client.venue.keys[ALICE].key_id
    await refused(client, 404, "api_key_not_found", "DELETE", f"/api_keys/{key_id}", BOB)
    await refused(client, 403, "insufficient_scope", "DELETE", f"/api_keys/{key_id}", "alice-reads")
    assert len((await client.get("/api_keys", BOB))["api_keys"]) == 1
    sent = {"name": "n", "fcm_subtrader_id": "alice_1"}
    await refused(client, 501, "not_implemented", "POST", "/api_keys/generate", json=sent)
    await refused(client, 501, "not_implemented", "POST", "/api_keys/generate", json={"name": "n", "subaccount": 0})


async def test_locked_key_makes_and_sees_only_keys_of_its_subaccount(client: Client) -> None:
    await client.send("POST", "/portfolio/subaccounts")
    await refused(client, 404, "subaccount_not_found", "POST", "/api_keys/generate", json={"name": "n", "subaccount": 2})
    locked = await make(client, subaccount=1)
    response = await client.send("POST", "/api_keys/generate", NEW, json={"name": "n", "key_type": "ed25519"})
    second = response.json()["api_key_id"]
    rows = (await client.get("/api_keys", NEW))["api_keys"]
    assert [(row["api_key_id"], row["subaccount"]) for row in rows] == [(locked, 1), (second, 1)]
    assert len((await client.get("/api_keys"))["api_keys"]) == 4
    await refused(
        client, 403, "subaccount_restricted", "POST", "/api_keys/generate", NEW, json={"name": "n", "subaccount": 2}
    )
    await refused(client, 404, "api_key_not_found", "DELETE", f"/api_keys/{client.venue.keys[ALICE].key_id}", NEW)
    await refused(client, 400, "available_balance_too_low", "POST", "/portfolio/events/orders", NEW, json=order())
    assert (await client.send("DELETE", f"/api_keys/{second}")).status_code == 204
