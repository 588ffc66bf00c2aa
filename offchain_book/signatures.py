"""EIP-712: what a wallet signs, hashed by hand, and who signed it.

Owns the domains, the type hashes of every structure that our clients sign, and address recovery. It reads no clock and no
network, and needs neither web3 nor eth_account (a digest and a recovery take 45 us instead of 300). Deciding whether a
signed order may trade is the engine's; the contract repeats every check here on chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import coincurve
import sha3  # type: ignore[import-not-found, import-untyped, unused-ignore]

from offchain_book.engine.operations import POLYMARKET_V1, POLYMARKET_V2, OrderScheme, SignedOrder, VaultAction

CLOB_AUTH_MESSAGE = "This message attests that I control the given wallet"
"""Fixed by Polymarket's clients; part of what L1 authentication signs."""

EOA_SIGNATURE = 0
CONTRACT_SIGNATURE = 3
"""Polymarket's signature types that we take: 0 anywhere, 3 (ERC-1271, pre-approved on chain) under V2."""

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_UINT256_END = 1 << 256


class InvalidSignature(ValueError):
    """The signature is not one that the contract would accept; the message says which rule it breaks."""


class InvalidAddress(ValueError):
    """The text is not an address, or its mixed case fails the checksum."""


def keccak256(data: bytes) -> bytes:
    """Return Ethereum's hash of `data`."""
    digest: bytes = sha3.keccak_256(data).digest()
    return digest


_DOMAIN_TYPE = keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_DOMAIN_TYPE_WITHOUT_CONTRACT = keccak256(b"EIP712Domain(string name,string version,uint256 chainId)")
NATIVE_ORDER_TYPE = keccak256(
    b"Order(address wallet,uint256 tokenId,uint8 side,uint256 sellAmount,uint256 buyAmount,"
    b"uint256 nonce,uint256 expiration,uint256 feeCapBps,bytes32 builder)"
)
V1_ORDER_TYPE = keccak256(
    b"Order(uint256 salt,address maker,address signer,address taker,uint256 tokenId,uint256 makerAmount,"
    b"uint256 takerAmount,uint256 expiration,uint256 nonce,uint256 feeRateBps,uint8 side,uint8 signatureType)"
)
V2_ORDER_TYPE = keccak256(
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
VAULT_ACTION_TYPE = keccak256(
    b"VaultAction(address wallet,uint8 kind,uint256 id,uint256 amount,address to,uint256 nonce,uint256 deadline)"
)
CLOB_AUTH_TYPE = keccak256(b"ClobAuth(address address,string timestamp,uint256 nonce,string message)")
LINK_ACCOUNT_TYPE = keccak256(b"LinkAccount(string account,address wallet,uint256 deadline)")
CANCEL_TYPE = keccak256(b"Cancel(address wallet,bytes32[] orders,uint256 deadline)")


@dataclass(frozen=True)
class Domain:
    """An EIP-712 domain. `verifying_contract` is None where the struct does not have the field (L1 authentication)."""

    name: str
    version: str
    chain_id: int
    verifying_contract: str | None

    @cached_property
    def separator(self) -> bytes:
        """The domain's hash."""
        head = keccak256(self.name.encode()) + keccak256(self.version.encode()) + _uint(self.chain_id)
        if self.verifying_contract is None:
            return keccak256(_DOMAIN_TYPE_WITHOUT_CONTRACT + head)
        return keccak256(_DOMAIN_TYPE + head + _address(self.verifying_contract))


@lru_cache(maxsize=64)
def native_domain(chain_id: int, venue: str) -> Domain:
    """Return the domain of native orders, vault actions and account links: the real chain id and the venue itself."""
    return Domain("Causeway", "1", chain_id, venue)


@lru_cache(maxsize=64)
def polymarket_domain(scheme: OrderScheme, chain_id: int, verifying_contract: str) -> Domain:
    """Return the domain that Polymarket's unmodified clients sign; `chain_id` is the clients' (80002), never 137."""
    version = {OrderScheme.POLYMARKET_V1: "1", OrderScheme.POLYMARKET_V2: "2"}[scheme]
    return Domain("Polymarket CTF Exchange", version, chain_id, verifying_contract)


@lru_cache(maxsize=64)
def clob_auth_domain(chain_id: int) -> Domain:
    """Return the domain of Polymarket's L1 authentication, which names no contract."""
    return Domain("ClobAuthDomain", "1", chain_id, None)


def typed_digest(separator: bytes, struct_hash: bytes) -> bytes:
    """Return the 32 bytes that a wallet signs."""
    return keccak256(b"\x19\x01" + separator + struct_hash)


def order_struct_hash(signed: SignedOrder) -> bytes:
    """Return the struct hash of an order under its own scheme."""
    amounts = _uint(signed.sell_amount_micros) + _uint(signed.buy_amount_micros)
    token_id = _token(signed.token_id)
    side = _uint(signed.side)
    maker = _address(signed.maker)
    words: tuple[bytes, ...]
    if signed.scheme is POLYMARKET_V2:
        words = (
            V2_ORDER_TYPE,
            _uint(int(signed.salt)),
            maker,
            _address(signed.signer),
            token_id,
            amounts,
            side,
            _uint(signed.signature_type),
            _uint(signed.timestamp_ms),
            _bytes32(signed.metadata),
            _bytes32(signed.builder),
        )
    elif signed.scheme is POLYMARKET_V1:
        words = (
            V1_ORDER_TYPE,
            _uint(int(signed.salt)),
            maker,
            _address(signed.signer),
            _uint(0),
            token_id,
            amounts,
            _uint(signed.expiration_s),
            _uint(signed.nonce),
            _uint(signed.fee_rate_bps),
            side,
            _uint(signed.signature_type),
        )
    else:
        words = (
            NATIVE_ORDER_TYPE,
            maker,
            token_id,
            side,
            amounts,
            _uint(signed.nonce),
            _uint(signed.expiration_s),
            _uint(signed.fee_rate_bps),
            _bytes32(signed.builder),
        )
    return keccak256(b"".join(words))


def order_digest(domain: Domain, signed: SignedOrder) -> bytes:
    """Return the digest of an order, which is also its id. `signed.digest` and `signed.signature` are not read.

    V1's `taker` (private orders) is hashed as zero: an order that names a taker has another digest and is refused.
    """
    return typed_digest(domain.separator, order_struct_hash(signed))


def with_digest(domain: Domain, signed: SignedOrder) -> SignedOrder:
    """Fill in the digest of an order that was just made, and return it. In place: a copy would cost as much as the hash."""
    object.__setattr__(signed, "digest", "0x" + order_digest(domain, signed).hex())
    return signed


def vault_action_digest(domain: Domain, action: VaultAction) -> bytes:
    """Return the digest of a vault action in the native domain."""
    struct_hash = keccak256(
        VAULT_ACTION_TYPE
        + _address(action.wallet)
        + _uint(action.kind)
        + _uint(int(action.id))
        + _uint(action.amount_micros)
        + _address(action.to)
        + _uint(int(action.nonce))
        + _uint(action.deadline_s)
    )
    return typed_digest(domain.separator, struct_hash)


def clob_auth_digest(chain_id: int, address: str, timestamp: str, nonce: int) -> bytes:
    """Return the digest of Polymarket's L1 authentication headers; `timestamp` as the header's own text."""
    struct_hash = keccak256(
        CLOB_AUTH_TYPE
        + _address(address)
        + keccak256(timestamp.encode())
        + _uint(nonce)
        + keccak256(CLOB_AUTH_MESSAGE.encode())
    )
    return typed_digest(clob_auth_domain(chain_id).separator, struct_hash)


def link_account_digest(domain: Domain, account: str, wallet: str, deadline_s: int) -> bytes:
    """Return the digest by which a wallet agrees to be linked to a custodial account, in the native domain."""
    struct_hash = keccak256(LINK_ACCOUNT_TYPE + keccak256(account.encode()) + _address(wallet) + _uint(deadline_s))
    return typed_digest(domain.separator, struct_hash)


def cancel_digest(domain: Domain, wallet: str, order_ids: Sequence[str], deadline_s: int) -> bytes:
    """Return the digest by which a wallet cancels orders (none named: all that are open), in the native domain."""
    orders = keccak256(b"".join(_bytes32(order_id) for order_id in order_ids))
    return typed_digest(domain.separator, keccak256(CANCEL_TYPE + _address(wallet) + orders + _uint(deadline_s)))


def parse_signature(signature: str) -> tuple[int, int, int]:
    """Return (r, s, recovery bit) of a 65-byte hex signature.

    Raise `InvalidSignature` for another length, a v outside 27, 28 (0 and 1 are taken as such), a zero or a high s.
    """
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError as error:
        raise InvalidSignature("the signature is not hexadecimal") from error
    if len(raw) != 65:
        raise InvalidSignature(f"the signature has {len(raw)} bytes, 65 are needed")
    r, s, v = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big"), raw[64]
    if v not in (0, 1, 27, 28):
        raise InvalidSignature(f"the signature's v is {v}, 27 or 28 is needed")
    if not 0 < s <= _HALF_ORDER:
        raise InvalidSignature("the signature's s is not in the lower half of the curve's order")
    return r, s, v % 27


def recover(digest: bytes, signature: str) -> str:
    """Return the checksummed address that signed `digest`; raise `InvalidSignature` if there is none."""
    r, s, bit = parse_signature(signature)
    compact = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([bit])
    try:
        key = coincurve.PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except ValueError as error:
        raise InvalidSignature("the signature belongs to no key") from error
    return public_key_address(key.format(compressed=False))


def sign_digest(digest: bytes, private_key: bytes) -> str:
    """Sign for tests, demo accounts and the command line; never used on a user's behalf. 65 bytes, low s, v 27 or 28."""
    raw = coincurve.PrivateKey(private_key).sign_recoverable(digest, hasher=None)
    return "0x" + raw[:64].hex() + f"{raw[64] + 27:02x}"


def public_key_address(public_key: bytes) -> str:
    """Return the checksummed address of an uncompressed public key (65 bytes)."""
    return checksum_address("0x" + keccak256(public_key[1:])[12:].hex())


@lru_cache(maxsize=16_384)
def checksum_address(address: str) -> str:
    """Return the address in EIP-55's mixed case. Raise `InvalidAddress` if it is not 20 bytes of hex."""
    text = address.removeprefix("0x").lower()
    if len(text) != 40 or not all(character in "0123456789abcdef" for character in text):
        raise InvalidAddress(f"not an address: {address!r}")
    digest = keccak256(text.encode()).hex()
    return "0x" + "".join(
        character.upper() if int(nibble, 16) >= 8 else character for character, nibble in zip(text, digest, strict=False)
    )


@lru_cache(maxsize=16_384)
def parse_address(address: str) -> str:
    """Return the address in lower case, as the engine keeps it; mixed case must be the right checksum."""
    checksummed = checksum_address(address)
    text = address.removeprefix("0x")
    if text not in (text.lower(), text.upper()) and "0x" + text != checksummed:
        raise InvalidAddress(f"the checksum of {address!r} is wrong, {checksummed} is right")
    return checksummed.lower()


def _uint(value: int) -> bytes:
    if not 0 <= value < _UINT256_END:
        raise ValueError(f"not a uint256: {value}")
    return value.to_bytes(32, "big")


@lru_cache(maxsize=4_096)
def _token(token_id: str) -> bytes:
    """Return a token's id as it is hashed; reading 77 digits takes as long as hashing them."""
    return _uint(int(token_id))


def _address(address: str) -> bytes:
    raw = bytes.fromhex(address.removeprefix("0x"))
    if len(raw) != 20:
        raise InvalidAddress(f"not an address: {address!r}")
    return bytes(12) + raw


def _bytes32(value: str) -> bytes:
    raw = bytes.fromhex(value.removeprefix("0x"))
    if len(raw) != 32:
        raise ValueError(f"not 32 bytes: {value!r}")
    return raw


__all__ = [
    "CLOB_AUTH_MESSAGE",
    "CONTRACT_SIGNATURE",
    "EOA_SIGNATURE",
    "Domain",
    "InvalidAddress",
    "InvalidSignature",
    "cancel_digest",
    "checksum_address",
    "clob_auth_digest",
    "clob_auth_domain",
    "keccak256",
    "link_account_digest",
    "native_domain",
    "order_digest",
    "order_struct_hash",
    "parse_address",
    "parse_signature",
    "polymarket_domain",
    "public_key_address",
    "recover",
    "sign_digest",
    "typed_digest",
    "vault_action_digest",
    "with_digest",
]
