"""What wallets are told of our structs: the descriptor names every field, and /venue/eip712 alone is enough to sign each struct."""

from typing import Any

import pytest
from eth_account import Account

from offchain_book import signatures
from offchain_book.engine.operations import OrderScheme, SignedOrder, TokenSide, VaultAction, VaultActionKind
from offchain_book.gateways import erc7730, typed_data
from tests.gateways.native_venue import SETTINGS, STRANGER, WALLET, WALLET_KEY

NATIVE = signatures.native_domain(SETTINGS.chain_id, SETTINGS.venue_address)


def test_the_descriptor_shows_or_excludes_every_field_of_every_struct() -> None:
    found = erc7730.descriptor(SETTINGS)
    assert set(found) == {"$schema", "context", "metadata", "display"}
    eip712 = found["context"]["eip712"]
    assert eip712["deployments"] == [{"chainId": SETTINGS.chain_id, "address": SETTINGS.venue_address}]
    formats = found["display"]["formats"]
    assert {one["primaryType"] for one in eip712["schemas"]} == set(formats)
    for schema in eip712["schemas"]:
        name = schema["primaryType"]
        fields, shown = {one["name"] for one in schema["types"][name]}, formats[name]
        paths = {one["path"].partition(".")[0] for one in shown["fields"]}
        assert paths | set(shown.get("excluded", ())) == fields, name
        assert set(shown["required"]) <= paths
        for one in shown["fields"]:
            assert one["format"] in ("raw", "unit", "date", "enum", "addressName")
            if one["format"] == "enum":
                assert one["params"]["$ref"].rpartition(".")[2] in found["metadata"]["enums"]
    assert set(found["metadata"]["enums"]["kind"]) == {str(kind.value) for kind in VaultActionKind}


def order(scheme: OrderScheme, **more: Any) -> SignedOrder:
    return SignedOrder(scheme, "", WALLET, WALLET, "5", TokenSide.SELL, 3, 4, more.pop("salt", "0"), "", **more)


_ZERO = "0x" + "00" * 32
_IDS = ["0x" + "11" * 32, "0x" + "22" * 32]
_ORDER = {"maker": WALLET, "signer": WALLET, "tokenId": 5, "makerAmount": 3, "takerAmount": 4, "side": 1, "signatureType": 0}
CASES: dict[str, tuple[dict[str, Any], bytes]] = {
    "native": (
        {
            "wallet": WALLET,
            "tokenId": 5,
            "side": 1,
            "sellAmount": 3,
            "buyAmount": 4,
            "nonce": 6,
            "expiration": 7,
            "feeCapBps": 8,
            "builder": _ZERO,
        },
        signatures.order_digest(NATIVE, order(OrderScheme.NATIVE, nonce=6, expiration_s=7, fee_rate_bps=8)),
    ),
    "polymarket_v1": (
        {**_ORDER, "salt": 9, "taker": "0x" + "00" * 20, "expiration": 7, "nonce": 6, "feeRateBps": 8},
        signatures.order_digest(
            signatures.polymarket_domain(OrderScheme.POLYMARKET_V1, SETTINGS.client_chain_id, SETTINGS.compatible_v1),
            order(OrderScheme.POLYMARKET_V1, salt="9", nonce=6, expiration_s=7, fee_rate_bps=8),
        ),
    ),
    "polymarket_v2": (
        {**_ORDER, "salt": 9, "timestamp": 10, "metadata": _ZERO, "builder": _ZERO},
        signatures.order_digest(
            signatures.polymarket_domain(OrderScheme.POLYMARKET_V2, SETTINGS.client_chain_id, SETTINGS.compatible_v2),
            order(OrderScheme.POLYMARKET_V2, salt="9", timestamp_ms=10),
        ),
    ),
    "vault_action": (
        {"wallet": WALLET, "kind": 1, "id": 2, "amount": 3, "to": STRANGER, "nonce": 4, "deadline": 5},
        signatures.vault_action_digest(NATIVE, VaultAction(WALLET, VaultActionKind.SPLIT, "2", 3, STRANGER, "4", 5, "")),
    ),
    "link_account": (
        {"account": "alice", "wallet": WALLET, "deadline": 5},
        signatures.link_account_digest(NATIVE, "alice", WALLET, 5),
    ),
    "cancel": (
        {"wallet": WALLET, "orders": [bytes.fromhex(one[2:]) for one in _IDS], "deadline": 5},
        signatures.cancel_digest(NATIVE, WALLET, _IDS, 5),
    ),
    "clob_auth": (
        {"address": WALLET, "timestamp": "6", "nonce": 7, "message": signatures.CLOB_AUTH_MESSAGE},
        signatures.clob_auth_digest(SETTINGS.client_chain_id, WALLET, "6", 7),
    ),
}


@pytest.mark.parametrize("kind", sorted(typed_data.STRUCTS))
def test_every_struct_can_be_signed_from_the_venues_answer_alone(kind: str) -> None:
    answer = typed_data.describe(SETTINGS)
    message, digest = CASES[kind]
    domain = answer["domains"][answer["signed_under"][kind]]
    signed = Account.sign_typed_data(WALLET_KEY, domain, answer["types"][kind], message)
    assert signatures.recover(digest, signed.signature.hex()).lower() == WALLET
