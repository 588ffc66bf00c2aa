"""The ERC-7730 descriptor: how a wallet shows what it signs for this venue in words instead of numbers.

One file for the native domain: orders, cancels, vault actions, account links. The types come from `typed_data`, so that the
descriptor cannot describe another struct than the one that is hashed. Version 1 of the schema.
"""

from typing import Any

from offchain_book.config import Settings
from offchain_book.gateways import typed_data

Json = dict[str, Any]
SCHEMA = "https://eips.ethereum.org/assets/eip-7730/erc7730-v1.schema.json"
_NATIVE = ("native", "vault_action", "link_account", "cancel")
_MICROS = {"format": "unit", "params": {"base": "", "decimals": 6}}
_WALLET = {"format": "addressName", "params": {"types": ["wallet", "eoa", "contract"]}}
_TIME = {"format": "date", "params": {"encoding": "timestamp"}}
_RAW = {"format": "raw"}


def _field(path: str, label: str, how: Json) -> Json:
    return {"path": path, "label": label, **how}


def _named(enum: str) -> Json:
    return {"format": "enum", "params": {"$ref": f"$.metadata.enums.{enum}"}}


_FORMATS: dict[str, Json] = {
    "Order": {
        "intent": "Place an order",
        "fields": [
            _field("side", "You", _named("side")),
            _field("tokenId", "Outcome token", _RAW),
            _field("sellAmount", "You give at most (dollars to buy, contracts to sell)", _MICROS),
            _field("buyAmount", "You get at least (contracts to buy, dollars to sell)", _MICROS),
            _field("feeCapBps", "Fee rate at most", {"format": "unit", "params": {"base": "%", "decimals": 2}}),
            _field("expiration", "Good until (1970: until cancelled)", _TIME),
            _field("wallet", "From the vault balance of", _WALLET),
            _field("builder", "App", _RAW),
        ],
        "required": ["side", "tokenId", "sellAmount", "buyAmount", "wallet"],
        "excluded": ["nonce"],
    },
    "VaultAction": {
        "intent": "Move what is in your vault",
        "fields": [
            _field("kind", "Action", _named("kind")),
            _field("id", "Of (0: dollars, else a token or market)", _RAW),
            _field("amount", "Amount", _MICROS),
            _field("to", "To", _WALLET),
            _field("deadline", "Good until", _TIME),
            _field("wallet", "From the vault balance of", _WALLET),
        ],
        "required": ["kind", "id", "amount", "to", "wallet"],
        "excluded": ["nonce"],
    },
    "LinkAccount": {
        "intent": "Become one owner with an account",
        "fields": [
            _field("account", "Account at the venue", _RAW),
            _field("wallet", "Your wallet", _WALLET),
            _field("deadline", "Good until", _TIME),
        ],
        "required": ["account", "wallet"],
    },
    "Cancel": {
        "intent": "Cancel orders",
        "fields": [
            _field("orders.[]", "Order (none: all that are open)", _RAW),
            _field("wallet", "Of your wallet", _WALLET),
            _field("deadline", "Good until", _TIME),
        ],
        "required": ["wallet"],
    },
}


def descriptor(settings: Settings) -> Json:
    """Return the descriptor of one deployment."""
    described = typed_data.describe(settings)
    domain = described["domains"]["native"]
    schemas = []
    for kind in _NATIVE:
        ((struct, fields),) = described["types"][kind].items()
        header = [
            {"name": "name", "type": "string"},
            {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ]
        schemas.append({"primaryType": struct, "types": {"EIP712Domain": header, struct: fields}})
    return {
        "$schema": SCHEMA,
        "context": {
            "$id": "Causeway",
            "eip712": {
                "domain": {"name": domain["name"], "version": domain["version"]},
                "deployments": [{"chainId": domain["chainId"], "address": domain["verifyingContract"]}],
                "schemas": schemas,
            },
        },
        "metadata": {
            "owner": "Causeway",
            "info": {"legalName": "Causeway, a test venue", "url": settings.http_url},
            "enums": {name: dict(words) for name, words in described["words"].items()},
        },
        "display": {"formats": _FORMATS},
    }
