"""Digests against eth_account's typed-data encoder, recovery against its signer, and what is not a signature."""

import subprocess
import sys
from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data

from offchain_book.engine.operations import OrderScheme, SignedOrder, TokenSide, VaultAction, VaultActionKind
from offchain_book.signatures import (
    CLOB_AUTH_MESSAGE,
    NATIVE_ORDER_TYPE,
    V2_ORDER_TYPE,
    Domain,
    InvalidAddress,
    InvalidSignature,
    checksum_address,
    clob_auth_digest,
    keccak256,
    link_account_digest,
    native_domain,
    order_digest,
    parse_address,
    polymarket_domain,
    recover,
    sign_digest,
    vault_action_digest,
)

KEY = keccak256(b"a test key")
ALICE = Account.from_key(KEY).address
VENUE = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
V2_ADDRESS = "0xE111180000d2663C0091e4f400237545B87B996B"
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

TYPES = {
    OrderScheme.NATIVE: (
        "address wallet,uint256 tokenId,uint8 side,uint256 sellAmount,uint256 buyAmount,uint256 nonce,"
        "uint256 expiration,uint256 feeCapBps,bytes32 builder"
    ),
    OrderScheme.POLYMARKET_V1: (
        "uint256 salt,address maker,address signer,address taker,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
        "uint256 expiration,uint256 nonce,uint256 feeRateBps,uint8 side,uint8 signatureType"
    ),
    OrderScheme.POLYMARKET_V2: (
        "uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,uint8 side,"
        "uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder"
    ),
}
FIELDS = {
    "wallet": "maker",
    "maker": "maker",
    "signer": "signer",
    "sellAmount": "sell_amount_micros",
    "makerAmount": "sell_amount_micros",
    "buyAmount": "buy_amount_micros",
    "takerAmount": "buy_amount_micros",
    "side": "side",
    "nonce": "nonce",
    "expiration": "expiration_s",
    "feeCapBps": "fee_rate_bps",
    "feeRateBps": "fee_rate_bps",
    "signatureType": "signature_type",
    "timestamp": "timestamp_ms",
    "metadata": "metadata",
    "builder": "builder",
}


def order(scheme: OrderScheme, **fields: object) -> SignedOrder:
    signed = SignedOrder(
        scheme=scheme,
        digest="",
        maker=ALICE.lower(),
        signer=ALICE.lower(),
        token_id=str(2**255 + 12_345 * 256 + 1),
        side=TokenSide.SELL,
        sell_amount_micros=50_000_000,
        buy_amount_micros=26_500_000,
        salt="1768435187",
        signature="",
        timestamp_ms=1_795_000_000_123,
        metadata="0x" + "1f" * 32,
        builder="0x" + "2e" * 32,
        expiration_s=1_795_000_600,
        nonce=77,
        fee_rate_bps=700,
    )
    return replace(signed, **fields)  # type: ignore[arg-type]


def domain(scheme: OrderScheme) -> Domain:
    if scheme is OrderScheme.NATIVE:
        return native_domain(31_337, VENUE)
    return polymarket_domain(scheme, 80_002, V2_ADDRESS)


def oracle_digest(of: Domain, name: str, members: str, message: dict[str, object]) -> bytes:
    """The digest by eth_account."""
    types = {name: [dict(zip(("type", "name"), member.split(), strict=True)) for member in members.split(",")]}
    data: dict[str, object] = {"name": of.name, "version": of.version, "chainId": of.chain_id}
    if of.verifying_contract is not None:
        data["verifyingContract"] = of.verifying_contract
    return bytes(_hash_eip191_message(encode_typed_data(data, types, message)))


def test_the_type_hashes_are_the_known_ones() -> None:
    assert V2_ORDER_TYPE.hex().startswith("bb86318a")
    assert V2_ORDER_TYPE.hex().endswith("8589")
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(f"Order({TYPES[OrderScheme.NATIVE]})".encode()) == NATIVE_ORDER_TYPE


@pytest.mark.parametrize("scheme", list(OrderScheme))
def test_order_digests_equal_the_typed_data_encoders(scheme: OrderScheme) -> None:
    signed = order(scheme)
    members = TYPES[scheme]
    message: dict[str, object] = {}
    for member in members.split(","):
        name = member.split()[1]
        if name == "taker":
            message[name] = "0x" + "00" * 20
        elif name in ("salt", "tokenId"):
            message[name] = int(getattr(signed, "salt" if name == "salt" else "token_id"))
        elif name in ("metadata", "builder"):
            message[name] = bytes.fromhex(getattr(signed, name)[2:])
        else:
            value = getattr(signed, FIELDS[name])
            message[name] = checksum_address(value) if isinstance(value, str) else int(value)
    assert order_digest(domain(scheme), signed) == oracle_digest(domain(scheme), "Order", members, message)


@pytest.mark.parametrize("scheme", list(OrderScheme))
def test_domains_give_different_digests(scheme: OrderScheme) -> None:
    signed = order(scheme)
    other = {OrderScheme.NATIVE: native_domain(1, VENUE)}.get(
        scheme, polymarket_domain(OrderScheme.POLYMARKET_V1, 80_002, VENUE)
    )
    assert order_digest(domain(scheme), signed) != order_digest(other, signed)


def test_vault_action_digest_equals_the_encoders() -> None:
    action = VaultAction(
        wallet=ALICE.lower(),
        kind=VaultActionKind.MERGE,
        id=str(2**255 + 256),
        amount_micros=10**12,
        to=VENUE,
        nonce=str(2**256 - 1),
        deadline_s=1_795_000_000,
        signature="",
    )
    members = "address wallet,uint8 kind,uint256 id,uint256 amount,address to,uint256 nonce,uint256 deadline"
    message = {
        "wallet": ALICE,
        "kind": 2,
        "id": 2**255 + 256,
        "amount": 10**12,
        "to": VENUE,
        "nonce": 2**256 - 1,
        "deadline": 1_795_000_000,
    }
    assert vault_action_digest(domain(OrderScheme.NATIVE), action) == oracle_digest(
        domain(OrderScheme.NATIVE), "VaultAction", members, message
    )


def test_clob_auth_digest_equals_the_encoders() -> None:
    members = "address address,string timestamp,uint256 nonce,string message"
    message = {"address": ALICE, "timestamp": "1795000000", "nonce": 3, "message": CLOB_AUTH_MESSAGE}
    expected = oracle_digest(Domain("ClobAuthDomain", "1", 80_002, None), "ClobAuth", members, message)
    assert clob_auth_digest(80_002, ALICE, "1795000000", 3) == expected


def test_link_account_digest_equals_the_encoders() -> None:
    members = "string account,address wallet,uint256 deadline"
    message = {"account": "house-é", "wallet": ALICE, "deadline": 9}
    expected = oracle_digest(domain(OrderScheme.NATIVE), "LinkAccount", members, message)
    assert link_account_digest(domain(OrderScheme.NATIVE), "house-é", ALICE, 9) == expected


def test_signatures_of_either_library_are_recovered() -> None:
    digest = keccak256(b"a message")
    ours = sign_digest(digest, KEY)
    theirs = Account.unsafe_sign_hash(digest, KEY).signature.to_0x_hex()
    assert ours == theirs
    assert recover(digest, ours) == ALICE
    assert recover(digest, ours[:-2] + f"{int(ours[-2:], 16) - 27:02x}") == ALICE
    assert recover(keccak256(b"another"), ours) != ALICE


def high_s(signature: str) -> str:
    s = CURVE_ORDER - int(signature[66:130], 16)
    return signature[:66] + f"{s:064x}" + ("1b" if signature.endswith("1c") else "1c")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text[:-2], "64 bytes"),
        (lambda text: text + "00", "66 bytes"),
        (lambda text: "0x", "0 bytes"),
        (lambda text: text[:-2] + "1d", "v is 29"),
        (high_s, "lower half"),
        (lambda text: text[:66] + "00" * 32 + "1b", "lower half"),
        (lambda text: "0x" + "ff" * 32 + text[66:], "no key"),
        (lambda text: "0x" + "zz" * 65, "hexadecimal"),
    ],
)
def test_what_the_contract_would_not_accept_is_refused_with_its_reason(change: object, says: str) -> None:
    digest = keccak256(b"a message")
    with pytest.raises(InvalidSignature, match=says):
        recover(digest, change(sign_digest(digest, KEY)))  # type: ignore[operator]


def test_addresses_are_checked_and_normalised() -> None:
    assert checksum_address(VENUE.lower()) == VENUE
    assert parse_address(VENUE) == VENUE.lower()
    assert parse_address(VENUE.lower()) == VENUE.lower()
    for text in ("0x1234", "0x" + "g" * 40, VENUE.swapcase().replace("0X", "0x"), ""):
        with pytest.raises(InvalidAddress):
            parse_address(text)


def test_amounts_must_be_uint256() -> None:
    with pytest.raises(ValueError, match="uint256"):
        order_digest(domain(OrderScheme.NATIVE), order(OrderScheme.NATIVE, nonce=-1))
    with pytest.raises(ValueError, match="32 bytes"):
        order_digest(domain(OrderScheme.NATIVE), order(OrderScheme.NATIVE, builder="0x00"))


def test_neither_web3_nor_eth_account_is_needed() -> None:
    code = "import sys, offchain_book.signatures; sys.exit(any(name in sys.modules for name in ('web3', 'eth_account')))"
    subprocess.run([sys.executable, "-c", code], check=True)
