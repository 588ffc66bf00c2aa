"""Sign-in with Ethereum (EIP-4361): the text that a wallet shows and signs, written and read by the standard's grammar.

The libraries for it, `siwe` and `signinwithethereum`, declare web3 before 8 and eth-account before 0.14, so `pip install` of
this project with either fails (ADR 0024). The grammar is one expression; whether a message is acceptable is decided in `sessions.py`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from offchain_book.signatures import checksum_address, keccak256

_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)"
_URI = r"[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-\[\]_a-z~%]*"
_MESSAGE = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<domain>[A-Za-z0-9._~%!$&'()*+,;=:@\[\]-]+)"
    r" wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n"
    r"\n(?:(?P<statement>[ !#$&-;=?-\[\]_a-z~@A-Z']+)\n)?\n"
    rf"URI: (?P<uri>{_URI})\n"
    r"Version: (?P<version>1)\n"
    r"Chain ID: (?P<chain_id>\d{1,18})\n"
    r"Nonce: (?P<nonce>[A-Za-z0-9]{8,})\n"
    rf"Issued At: (?P<issued_at>{_TIME})"
    rf"(?:\nExpiration Time: (?P<expiration_time>{_TIME}))?"
    rf"(?:\nNot Before: (?P<not_before>{_TIME}))?"
    r"(?:\nRequest ID: (?P<request_id>[A-Za-z0-9._~!$&'()*+,;=:@%-]*))?"
    rf"(?:\nResources:(?P<resources>(?:\n- {_URI})*))?",
    re.ASCII,
)
MAX_MESSAGE = 4_096
"""Longest message that is read."""


class BadMessage(ValueError):
    """The text is no EIP-4361 message."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a sign-in says. Times are milliseconds since 1970; 0 where the message has none."""

    domain: str
    address: str
    uri: str
    chain_id: int
    nonce: str
    issued_ms: int
    expires_ms: int
    not_before_ms: int
    statement: str = ""

    def text(self) -> str:
        """Write it, without the optional parts that we do not use."""
        expires = f"\nExpiration Time: {_iso(self.expires_ms)}" if self.expires_ms else ""
        statement = f"{self.statement}\n" if self.statement else ""
        return (
            f"{self.domain} wants you to sign in with your Ethereum account:\n{self.address}\n\n{statement}\n"
            f"URI: {self.uri}\nVersion: 1\nChain ID: {self.chain_id}\nNonce: {self.nonce}\n"
            f"Issued At: {_iso(self.issued_ms)}{expires}"
        )


def parse(text: str) -> Message:
    """Read a message. The address must carry its checksum, as the standard demands. Raises BadMessage."""
    found = _MESSAGE.fullmatch(text) if len(text) <= MAX_MESSAGE else None
    if found is None:
        raise BadMessage("this is no EIP-4361 message; POST /venue/session/nonce writes one to sign as it is")
    address = found["address"]
    if checksum_address(address) != address:
        raise BadMessage(f"the address {address} has to be written with its checksum: {checksum_address(address)}")
    return Message(
        found["domain"],
        address,
        found["uri"],
        int(found["chain_id"]),
        found["nonce"],
        _ms(found["issued_at"]),
        _ms(found["expiration_time"]),
        _ms(found["not_before"]),
        found["statement"] or "",
    )


def personal_digest(text: str) -> bytes:
    """Return what `personal_sign` signs (EIP-191)."""
    raw = text.encode()
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(raw)).encode() + raw)


def _ms(text: str | None) -> int:
    if not text:
        return 0
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1_000)
    except (ValueError, OverflowError) as error:
        raise BadMessage(f"{text} is no time: {error}") from None


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
