"""Who sends a request: Kalshi's three headers, checked against the keys that the exchange knows.

The signed text is timestamp + METHOD + path, the path being the one on the wire, percent-encoded and without the query.
REST and the WebSocket handshake share this; the key's type decides between RSA-PSS and Ed25519. A refusal says which
check failed and what should have been signed, because a wrong signature is the commonest beginner's problem.
"""

import base64
import binascii
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from offchain_book.config import SIGNATURE_WINDOW_S
from offchain_book.engine.account import ApiKey
from offchain_book.engine.commands import KeyKind
from offchain_book.engine.state import State
from offchain_book.gateways.signature_pool import Batches

KEY_HEADER = "KALSHI-ACCESS-KEY"
TIMESTAMP_HEADER = "KALSHI-ACCESS-TIMESTAMP"
SIGNATURE_HEADER = "KALSHI-ACCESS-SIGNATURE"
HEADERS = (KEY_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)
MAX_PARSED_KEYS = 4_096
"""Most parsed public keys kept in memory."""
_SALT_BYTES = 32
_TIMESTAMP = re.compile(r"\d{1,16}", re.ASCII)

PublicKey = RSAPublicKey | Ed25519PublicKey


class BadCredentials(Exception):
    """A request is not who it says it is. `details` names the failed check and what was expected."""

    def __init__(self, message: str, details: Mapping[str, int | str]) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class UnsupportedKey(Exception):
    """A public key that neither RSA-PSS nor Ed25519 can use."""


def wall_clock_ms() -> int:
    """Return the time of the world, which `time +SECONDS` does not move."""
    return time.time_ns() // 1_000_000


@lru_cache(maxsize=MAX_PARSED_KEYS)
def parse_public_key(pem: str) -> PublicKey:
    """Parse a public key, once per key."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnsupportedKey(f"the public key is not PEM: {error}") from error
    if not isinstance(key, RSAPublicKey | Ed25519PublicKey):
        raise UnsupportedKey("the public key is neither RSA nor Ed25519")
    return key


def verify(key: PublicKey, signature: bytes, text: str) -> bool:
    """Whether `signature` is over `text`: RSA-PSS with SHA-256, MGF1-SHA-256 and 32 bytes of salt, or Ed25519."""
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, text.encode())
        else:
            pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=_SALT_BYTES)
            key.verify(signature, text.encode(), pss, hashes.SHA256())
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Claim:
    """A signed request, all of it checked but the signature."""

    key: ApiKey
    public: PublicKey
    signature: bytes
    timestamp: str
    method: str
    path: str

    @property
    def text(self) -> str:
        """What must have been signed."""
        return f"{self.timestamp}{self.method}{self.path}"


def verify_all(claims: Sequence[Claim]) -> list[bool]:
    """Verify many requests, one after the other."""
    return [verify(claim.public, claim.signature, claim.text) for claim in claims]


def grants(key: ApiKey, needed: str) -> bool:
    """Whether a key has a scope, or the parent of it: `write` grants `write::trade`."""
    return any(scope == needed or needed.startswith(f"{scope}::") for scope in key.scopes)


class Authenticator:
    """Checks signed requests against the exchange's keys."""

    def __init__(self, state: State, now_ms: Callable[[], int] = wall_clock_ms) -> None:
        self._state = state
        self._now_ms = now_ms
        self._verified: Batches[Claim, bool] = Batches(verify_all, "credentials")

    def check(self, headers: Mapping[str, str], method: str, path: str, query: str = "") -> ApiKey:
        """Return the key that signed a request. `path` is raw; `query` only serves to explain a wrong signature.

        Raises BadCredentials naming the first check that fails.
        """
        claim = self._claim(headers, method.upper(), path)
        if not verify(claim.public, claim.signature, claim.text):
            raise _wrong(claim, query)
        return claim.key

    async def check_off_loop(self, headers: Mapping[str, str], method: str, path: str, query: str = "") -> ApiKey:
        """Do the same with the arithmetic in a thread, so that the loop serves others meanwhile."""
        claim = self._claim(headers, method.upper(), path)
        if not await self._verified.ask(claim):
            raise _wrong(claim, query)
        return claim.key

    def _claim(self, headers: Mapping[str, str], method: str, path: str) -> Claim:
        """Return what a request says about itself when everything but the signature is right."""
        absent = [name for name in HEADERS if not headers.get(name)]
        if absent:
            raise BadCredentials(
                f"this route needs a signed request; missing: {', '.join(absent)}",
                {"check": "headers", "reason": "MISSING_API_KEY_HEADERS", "missing": ", ".join(absent)},
            )
        key = self._state.keys.get(headers[KEY_HEADER])
        if key is None or key.kind is not KeyKind.KALSHI:
            raise BadCredentials(
                f"there is no API key {headers[KEY_HEADER][:64]} on this venue",
                {"check": "key", "reason": "UNKNOWN_API_KEY", "key_id": headers[KEY_HEADER][:64]},
            )
        timestamp = headers[TIMESTAMP_HEADER]
        self._check_timestamp(timestamp)
        return _parsed(key, headers[SIGNATURE_HEADER], timestamp, method, path)

    def _check_timestamp(self, timestamp: str) -> None:
        now = self._now_ms()
        if not _TIMESTAMP.fullmatch(timestamp):
            raise BadCredentials(
                f"{TIMESTAMP_HEADER} is no Unix time in milliseconds",
                {"check": "timestamp", "reason": "INVALID_TIMESTAMP", "timestamp": timestamp[:32], "server_ms": now},
            )
        late_ms = now - int(timestamp)
        if abs(late_ms) > SIGNATURE_WINDOW_S * 1000:
            raise BadCredentials(
                f"{TIMESTAMP_HEADER} is {abs(late_ms)} ms {'behind' if late_ms > 0 else 'ahead of'} this server; "
                f"{SIGNATURE_WINDOW_S} s are allowed",
                {
                    "check": "timestamp",
                    "reason": "TIMESTAMP_OUTSIDE_WINDOW",
                    "timestamp": timestamp,
                    "server_ms": now,
                    "window_s": SIGNATURE_WINDOW_S,
                },
            )


def _details(claim_text: str) -> dict[str, int | str]:
    return {"check": "signature", "reason": "INCORRECT_API_KEY_SIGNATURE", "expected_text": claim_text}


def _parsed(key: ApiKey, encoded: str, timestamp: str, method: str, path: str) -> Claim:
    details = _details(f"{timestamp}{method}{path}")
    try:
        signature = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise BadCredentials(f"{SIGNATURE_HEADER} is not base64", details) from None
    try:
        public = parse_public_key(key.public_key_pem)
    except UnsupportedKey as error:
        raise BadCredentials(str(error), {**details, "reason": "UNUSABLE_API_KEY"}) from error
    return Claim(key, public, signature, timestamp, method, path)


def _wrong(claim: Claim, query: str) -> BadCredentials:
    """Return what to say about a signature that does not verify."""
    details = _details(claim.text)
    details["scheme"] = "Ed25519" if isinstance(claim.public, Ed25519PublicKey) else "RSA-PSS SHA-256 salt 32"
    hint = _explain(claim.public, claim.signature, claim.timestamp, claim.method, claim.path, query)
    if hint:
        details["hint"] = hint
    return BadCredentials("the signature does not verify; sign exactly expected_text", details)


def _explain(key: PublicKey, signature: bytes, timestamp: str, method: str, path: str, query: str) -> str:
    """Return what the client signed instead, when it is one of the usual mistakes."""
    expected = f"{timestamp}{method}{path}"
    mistakes = {
        f"{expected}?{query}": "the query was signed; leave it out",
        f"{timestamp}{method}{path.removeprefix('/trade-api/v2')}": "the path was signed without /trade-api/v2",
        f"{timestamp}{method.lower()}{path}": "the method was signed in lower case",
    }
    for text, hint in mistakes.items():
        if text != expected and verify(key, signature, text):
            return hint
    if isinstance(key, RSAPublicKey):
        return _explain_padding(key, signature, expected)
    return ""


def _explain_padding(key: RSAPublicKey, signature: bytes, expected: str) -> str:
    """Return which other RSA scheme the client used over the right text."""
    longest = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.MAX_LENGTH)
    schemes: tuple[tuple[padding.AsymmetricPadding, str], ...] = (
        (padding.PKCS1v15(), "signed with PKCS#1 v1.5; use RSA-PSS"),
        (longest, "signed with the longest salt; use a salt of 32 bytes"),
    )
    for scheme, hint in schemes:
        try:
            key.verify(signature, expected.encode(), scheme, hashes.SHA256())
        except InvalidSignature:
            continue
        return hint
    return ""
