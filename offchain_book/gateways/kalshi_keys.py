"""API keys in Kalshi's dialect: bring a public key, have a pair made, list, delete.

The venue keeps public halves only: a private half is made for one answer and forgotten.
"""

import asyncio
import uuid
from typing import Annotated, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from offchain_book.engine import commands as c
from offchain_book.engine.account import ApiKey
from offchain_book.gateways.credentials import PublicKey, UnsupportedKey, grants, parse_public_key
from offchain_book.gateways.kalshi_bodies import Name
from offchain_book.gateways.kalshi_call import Call, Json, decode
from offchain_book.gateways.kalshi_errors import KalshiError, invalid, missing, not_implemented, refused
from offchain_book.gateways.kalshi_views import owner_and_number
from offchain_book.sequencer import Sequencer

_RSA_BITS = 2_048
_FULL = ("read", "write")

Scope = Literal[
    "read",
    "write",
    "read::block_trade_accept",
    "read::portfolio_balance",
    "write::trade",
    "write::transfer",
    "write::fcm_risk",
    "write::block_trade_accept",
]
Scopes = Annotated[list[Scope], msgspec.Meta(min_length=1, max_length=16)]


class CreateKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """CreateApiKeyRequest."""

    name: Name
    public_key: Annotated[str, msgspec.Meta(max_length=10_000)]
    scopes: Scopes | None = None
    subaccount: int | None = None
    fcm_subtrader_id: str | None = None


class GenerateKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """GenerateApiKeyRequest."""

    name: Name
    key_type: Literal["rsa", "ed25519"] | None = None
    scopes: Scopes | None = None
    subaccount: int | None = None
    fcm_subtrader_id: str | None = None


_create_decoder = msgspec.json.Decoder(CreateKey)
_generate_decoder = msgspec.json.Decoder(GenerateKey)


class Keys:
    """Handlers of the API-key routes."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer

    async def create(self, call: Call) -> Json:
        """Register a public key."""
        body = decode(_create_decoder, await call.body())
        try:
            public = parse_public_key(body.public_key)
        except UnsupportedKey as error:
            raise invalid(str(error), {"field": "public_key"}, "invalid_public_key") from error
        return {"api_key_id": await self._register(call, body, public)}

    async def generate(self, call: Call) -> Json:
        """Make a pair of keys and register its public half; the private half is in this answer and nowhere else."""
        body = decode(_generate_decoder, await call.body())
        self._command(call, body, "")  # what would be refused needs no key pair
        kind = body.key_type or "rsa"
        if kind == "rsa":
            pair = await asyncio.to_thread(rsa.generate_private_key, 65_537, _RSA_BITS)
            pem = pair.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
            key_id = await self._register(call, body, pair.public_key())
        else:
            short = ed25519.Ed25519PrivateKey.generate()
            pem = short.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            key_id = await self._register(call, body, short.public_key())
        return {"api_key_id": key_id, "key_type": kind, "private_key": pem.decode()}

    async def _register(self, call: Call, body: CreateKey | GenerateKey, public: PublicKey) -> str:
        # Written anew, so that nothing else that stood in the sender's text is stored.
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        command = self._command(call, body, pem)
        receipt = await self._sequencer.submit(command, call.request_id)
        if receipt.rejected is not None:
            raise refused(receipt.rejected)
        return command.key_id

    def _command(self, call: Call, body: CreateKey | GenerateKey, pem: str) -> c.RegisterKey:
        if body.fcm_subtrader_id is not None:
            raise not_implemented("clearing members")
        if body.subaccount == 0:
            raise not_implemented("keys locked to subaccount 0; leave it out, or lock the key to another")
        scopes = tuple(dict.fromkeys(body.scopes or _FULL))
        if "write" in scopes and "read" not in scopes:
            raise invalid("the scope write needs read beside it", {"field": "scopes", "need": "read"})
        beyond = [scope for scope in scopes if not grants(call.sender, scope)]
        if beyond:
            raise KalshiError(
                403,
                "insufficient_scope",
                "a key cannot give more than it has",
                {"need": ", ".join(beyond), "have": ", ".join(call.sender.scopes)},
            )
        part = call.part(body.subaccount)
        return c.RegisterKey(part.account_id, str(uuid.uuid4()), c.KeyKind.KALSHI, pem, body.name, scopes)

    async def keys(self, call: Call) -> Json:
        """List the keys of the account, or of the subaccount that the asking key is locked to."""
        if call.text("fcm_subtrader_id"):
            raise not_implemented("clearing members")
        return {"api_keys": [_key_view(key) for key in self._own(call).values()]}

    async def delete(self, call: Call) -> None:
        """Make a key useless for good."""
        key = self._own(call).get(call.path("api_key"))
        if key is None:
            raise missing("API key", call.path("api_key"), "api_key_not_found")
        receipt = await self._sequencer.submit(c.RevokeKey(key.account_id, key.key_id), call.request_id)
        if receipt.rejected is not None:
            raise refused(receipt.rejected)

    def _own(self, call: Call) -> dict[str, ApiKey]:
        """Return the keys of this dialect that the sender may see, oldest first."""
        accounts = {part.account_id for part in call.parts()}
        keys = self._sequencer.state.keys.values()
        return {key.key_id: key for key in keys if key.kind is c.KeyKind.KALSHI and key.account_id in accounts}


def _key_view(key: ApiKey) -> Json:
    """Return a key. Only a subaccount's key is locked, to its own number."""
    return {
        "api_key_id": key.key_id,
        "name": key.name,
        "scopes": list(key.scopes),
        "subaccount": owner_and_number(key.account_id)[1] or None,
    }
