"""Everything a wallet signs, as EIP-712 domains and types in the JSON form that wallets and libraries take.

`signatures.py` hashes the same structures by hand; a test compares the type hashes of both.
"""

from typing import Any

from offchain_book.config import Settings
from offchain_book.engine.operations import OrderScheme
from offchain_book.signatures import Domain, clob_auth_domain, native_domain, polymarket_domain

STRUCTS: dict[str, tuple[str, str]] = {
    "native": (
        "Order",
        "address wallet,uint256 tokenId,uint8 side,uint256 sellAmount,uint256 buyAmount,"
        "uint256 nonce,uint256 expiration,uint256 feeCapBps,bytes32 builder",
    ),
    "polymarket_v1": (
        "Order",
        "uint256 salt,address maker,address signer,address taker,uint256 tokenId,uint256 makerAmount,"
        "uint256 takerAmount,uint256 expiration,uint256 nonce,uint256 feeRateBps,uint8 side,uint8 signatureType",
    ),
    "polymarket_v2": (
        "Order",
        "uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
        "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder",
    ),
    "vault_action": (
        "VaultAction",
        "address wallet,uint8 kind,uint256 id,uint256 amount,address to,uint256 nonce,uint256 deadline",
    ),
    "link_account": ("LinkAccount", "string account,address wallet,uint256 deadline"),
    "cancel": ("Cancel", "address wallet,bytes32[] orders,uint256 deadline"),
    "clob_auth": ("ClobAuth", "address address,string timestamp,uint256 nonce,string message"),
}
"""What is signed -> (struct name, its fields)."""

WORDS = {
    "side": {"0": "Buy", "1": "Sell"},
    "kind": {
        "0": "Withdraw",
        "1": "Split dollars into a full set",
        "2": "Merge a full set into dollars",
        "3": "Redeem",
        "4": "Choose where bought tokens arrive (1: in your wallet, 0: in the vault)",
        "5": "Send from the vault to the account that you are linked to",
        "6": "Send tokens of your wallet to the account that you are linked to",
    },
}
"""Fields that are numbers -> what each number means."""

_DOMAIN_OF = {"vault_action": "native", "link_account": "native", "cancel": "native"}
"""What is signed under another entry's domain; every other entry has its own."""


def _domain(domain: Domain) -> dict[str, Any]:
    found: dict[str, Any] = {"name": domain.name, "version": domain.version, "chainId": domain.chain_id}
    if domain.verifying_contract is not None:
        found["verifyingContract"] = domain.verifying_contract
    return found


def _fields(text: str) -> list[dict[str, str]]:
    pairs = (field.split(" ") for field in text.split(","))
    return [{"name": name, "type": kind} for kind, name in pairs]


def describe(settings: Settings) -> dict[str, Any]:
    """Return domains, types, and which domain goes with which type."""
    client = settings.client_chain_id
    v1 = polymarket_domain(OrderScheme.POLYMARKET_V1, client, settings.compatible_v1)
    v2 = polymarket_domain(OrderScheme.POLYMARKET_V2, client, settings.compatible_v2)
    return {
        "domains": {
            "native": _domain(native_domain(settings.chain_id, settings.venue_address)),
            "polymarket_v1": _domain(v1),
            "polymarket_v2": _domain(v2),
            "clob_auth": _domain(clob_auth_domain(client)),
        },
        "types": {name: {struct: _fields(fields)} for name, (struct, fields) in STRUCTS.items()},
        "signed_under": {name: _DOMAIN_OF.get(name, name) for name in STRUCTS},
        "words": WORDS,
    }
