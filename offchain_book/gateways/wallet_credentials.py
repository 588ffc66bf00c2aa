"""API credentials of wallets: derived from the venue's secret, never stored, checked in constant time.

A wallet proves itself once with an EIP-712 signature (L1) and then signs each request with an HMAC (L2). The key id
follows from the address and the wallet's nonce. Secret and passphrase follow from the key id and the moment it was
registered, so a key that was revoked and registered again gets new ones. The journal holds public material only.
"""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from offchain_book.config import L2_WINDOW_S, SIGNATURE_WINDOW_S, Settings
from offchain_book.engine.account import ApiKey
from offchain_book.engine.commands import KeyKind
from offchain_book.engine.state import State
from offchain_book.signatures import InvalidAddress, InvalidSignature, clob_auth_digest, parse_address, recover

MAX_NONCE = 2**63 - 1
"""Largest nonce of an API key; beyond it the journal's integers would not fit everywhere."""
_MAX_TIMESTAMP_DIGITS = 15
READ_ONLY = ("read",)
BUILDER = ("builder",)
"""Scopes of keys that trade nothing: see a wallet's orders; add an app's name to its users' orders."""
READONLY_HEADER = "POLY_READONLY_API_KEY"
BUILDER_HEADERS = (
    "POLY_BUILDER_API_KEY",
    "POLY_BUILDER_PASSPHRASE",
    "POLY_BUILDER_SIGNATURE",
    "POLY_BUILDER_TIMESTAMP",
)


class NotAuthenticated(Exception):
    """The caller is not who the headers say; `check` names the check that failed, the message says what was seen."""

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(reason)
        self.check = check
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an API client keeps: the id is public, the rest is not."""

    key_id: str
    secret: str
    passphrase: str


@dataclass(frozen=True, slots=True)
class WalletProof:
    """A wallet that has proved itself with its signature, and the nonce of the key that it asks for."""

    address: str
    nonce: int


def _derive(api_secret: bytes, *parts: str) -> bytes:
    return hmac.digest(api_secret, "|".join(parts).encode(), hashlib.sha256)


def key_id_of(api_secret: bytes, address: str, nonce: int) -> str:
    """Return the id of the key that belongs to a wallet and a nonce."""
    return str(uuid.UUID(bytes=_derive(api_secret, "key", address, str(nonce))[:16], version=4))


def credentials(api_secret: bytes, key: ApiKey) -> Credentials:
    """Return a registered key with its secret half."""
    return _credentials(api_secret, key.key_id, str(key.created_ms))


@lru_cache(maxsize=4_096)
def _credentials(api_secret: bytes, key_id: str, registered: str) -> Credentials:
    secret = _derive(api_secret, "secret", key_id, registered)
    passphrase = _derive(api_secret, "passphrase", key_id, registered)
    return Credentials(key_id, base64.urlsafe_b64encode(secret).decode(), passphrase.hex())


@lru_cache(maxsize=4_096)
def _keyed(secret: str) -> hmac.HMAC:
    """Return the HMAC of nothing: a copy of it is half the way to that of a request."""
    return hmac.new(base64.urlsafe_b64decode(secret), digestmod="sha256")


def request_signature(secret: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    """Return the HMAC of a request. The clients hash the body with every single quote replaced by a double one."""
    mac = _keyed(secret).copy()
    mac.update(f"{timestamp}{method}{path}".encode() + body.replace(b"'", b'"'))
    return base64.urlsafe_b64encode(mac.digest()).decode()


def prove_wallet(settings: Settings, headers: Mapping[str, str], now_s: int) -> WalletProof:
    """Check the headers of a wallet's own signature (L1). Raises NotAuthenticated."""
    address = _wallet(headers)
    signature = _header(headers, "POLY_SIGNATURE")
    timestamp = _header(headers, "POLY_TIMESTAMP")
    nonce = headers.get("POLY_NONCE", "") or "0"
    _check_timestamp(timestamp, now_s, SIGNATURE_WINDOW_S)
    if not (nonce.isascii() and nonce.isdigit() and len(nonce) < 20 and int(nonce) <= MAX_NONCE):
        raise NotAuthenticated("nonce", f"POLY_NONCE has to be a whole number up to {MAX_NONCE}")
    recovered = []
    for chain_id in (settings.client_chain_id, settings.chain_id):
        digest = clob_auth_digest(chain_id, address, timestamp, int(nonce))
        try:
            signer = recover(digest, signature).lower()
        except InvalidSignature as error:
            raise NotAuthenticated("signature", f"POLY_SIGNATURE cannot be read: {error}") from error
        if signer == address:
            return WalletProof(address, int(nonce))
        recovered.append(f"{signer} under chain id {chain_id}")
    raise NotAuthenticated("signature", f"POLY_SIGNATURE recovers to {' and '.join(recovered)}, not to {address}")


def authenticate_request(
    state: State, settings: Settings, headers: Mapping[str, str], method: str, path: str, body: bytes, now_s: int
) -> ApiKey:
    """Check the headers of a request that is signed with an API key (L2). Raises NotAuthenticated."""
    key_id = _header(headers, "POLY_API_KEY")
    passphrase = _header(headers, "POLY_PASSPHRASE")
    signature = _header(headers, "POLY_SIGNATURE")
    timestamp = _header(headers, "POLY_TIMESTAMP")
    address = _wallet(headers)
    key = _key(state, key_id)
    if key.account_id != address:
        raise NotAuthenticated("address", f"API key {key_id} does not belong to {address}")
    _check_timestamp(timestamp, now_s, L2_WINDOW_S)
    known = credentials(settings.api_secret, key)
    expected = request_signature(known.secret, timestamp, method, path, body)
    if not _equal(known.passphrase, passphrase):
        raise NotAuthenticated("passphrase", "POLY_PASSPHRASE does not belong to this API key")
    if not _equal(expected, signature):
        raise NotAuthenticated("signature", f"POLY_SIGNATURE is not the HMAC of timestamp, {method}, {path} and the body")
    return key


def authenticate_secrets(state: State, settings: Settings, key_id: str, secret: str, passphrase: str) -> ApiKey:
    """Check a key by its secrets themselves, as the user stream gets them. Raises NotAuthenticated."""
    key = _key(state, key_id)
    known = credentials(settings.api_secret, key)
    if not _equal(f"{known.secret}|{known.passphrase}", f"{secret}|{passphrase}"):
        raise NotAuthenticated("secret", "secret or passphrase do not belong to this API key")
    return key


def readonly_key(api_secret: bytes, key: ApiKey) -> str:
    """Return what a wallet shows to read with a read-only key; it is a secret, so the journal has only the key's id."""
    return str(uuid.UUID(bytes=_derive(api_secret, "readonly", key.key_id, str(key.created_ms))[:16], version=4))


def scoped_keys(state: State, address: str, scope: tuple[str, ...]) -> list[ApiKey]:
    """Return a wallet's keys of one kind: those with exactly these scopes."""
    keys = state.keys.values()
    return [k for k in keys if k.account_id == address and k.kind is KeyKind.POLYMARKET and k.scopes == scope]


def find_readonly(state: State, settings: Settings, address: str, shown: str) -> ApiKey | None:
    """Return the read-only key of a wallet that somebody shows."""
    keys = scoped_keys(state, address, READ_ONLY)
    return next((key for key in keys if _equal(readonly_key(settings.api_secret, key), shown)), None)


def authenticate_readonly(state: State, settings: Settings, headers: Mapping[str, str]) -> ApiKey:
    """Check a read-only key. Raises NotAuthenticated."""
    address = _wallet(headers)
    key = find_readonly(state, settings, address, headers[READONLY_HEADER])
    if key is None:
        raise NotAuthenticated("key", f"{READONLY_HEADER} is no read-only key of {address}; it may have been deleted")
    return key


def authenticate_builder(
    state: State, settings: Settings, headers: Mapping[str, str], method: str, path: str, body: bytes, now_s: int
) -> ApiKey:
    """Check the headers that an app adds to its users' requests. Raises NotAuthenticated."""
    key_id, passphrase, signature, timestamp = (_header(headers, name) for name in BUILDER_HEADERS)
    key = state.keys.get(key_id)
    if key is None or key.kind is not KeyKind.POLYMARKET or key.scopes != BUILDER:
        raise NotAuthenticated("builder", f"there is no builder key {key_id}; it was never created, or it was revoked")
    _check_timestamp(timestamp, now_s, L2_WINDOW_S)
    known = credentials(settings.api_secret, key)
    expected = request_signature(known.secret, timestamp, method, path, body)
    if not _equal(known.passphrase, passphrase) or not _equal(expected, signature):
        raise NotAuthenticated("builder", f"the builder headers are not signed with builder key {key_id} for this request")
    return key


def builder_code(address: str) -> str:
    """Return the 32 bytes that name the builder with this address in orders and trades."""
    return "0x" + address[2:].rjust(64, "0")


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise NotAuthenticated("headers", f"header {name} is missing")
    return value


def _wallet(headers: Mapping[str, str]) -> str:
    try:
        return parse_address(_header(headers, "POLY_ADDRESS"))
    except InvalidAddress as error:
        raise NotAuthenticated("address", f"POLY_ADDRESS: {error}") from error


def _key(state: State, key_id: str) -> ApiKey:
    key = state.keys.get(key_id)
    if key is None or key.kind is not KeyKind.POLYMARKET or "write" not in key.scopes:
        raise NotAuthenticated("key", f"there is no API key {key_id}; it was never created, or it was revoked")
    return key


def _check_timestamp(timestamp: str, now_s: int, window_s: int) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MAX_TIMESTAMP_DIGITS):
        raise NotAuthenticated("timestamp", "POLY_TIMESTAMP has to be whole seconds since 1970")
    away = int(timestamp) - now_s
    if abs(away) > window_s:
        when = "ahead of" if away > 0 else "behind"
        raise NotAuthenticated(
            "timestamp", f"POLY_TIMESTAMP is {abs(away)} s {when} the venue's clock ({now_s}); {window_s} s are allowed"
        )


def _equal(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())
