"""Packing: operations of the engine to the bytes of `settleBatch`, and back from its events. Pure; no chain, no clock.

The format is the contract's (contracts/mixins/Settlement.sol and Fills.sol; written down in docs/contracts.md). Whatever
cannot be packed raises `NotPackable`, which `check_packable` lets a gateway ask before an order is admitted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise

from offchain_book.engine.operations import (
    ZERO_BYTES32,
    FillLeg,
    FillOperation,
    MatchKind,
    Operation,
    OrderScheme,
    Outcome,
    PoolAction,
    PoolOperation,
    SignedOrder,
    TokenSide,
    VaultAction,
    WalletOperation,
)
from offchain_book.engine.units import LOT_MICROS, PRICE_SCALE
from offchain_book.signatures import CONTRACT_SIGNATURE, EOA_SIGNATURE, InvalidSignature, keccak256, parse_signature

SETTLE_BATCH_SELECTOR = keccak256(b"settleBatch(uint256,bytes)")[:4]
FILLED_TOPIC = "0x" + keccak256(b"Filled(address,address,uint256,uint256)").hex()
SKIPPED_TOPIC = "0x" + keccak256(b"OperationSkipped(uint256,uint8)").hex()

MAX_OPERATIONS = 0xFFFF
"""A batch states its number of operations in two bytes."""
MAX_GROUP_MAKERS = 0xFF
MAX_FEE_RATE_BPS = 700
"""The contract's cap on every order's fee rate: 0.07 of p(1-p)."""
FEE_STEP_MICROS = 100

_TAKER_REASON = 128
_SCHEME_BITS = {OrderScheme.NATIVE: 1, OrderScheme.POLYMARKET_V1: 2, OrderScheme.POLYMARKET_V2: 3}
_FILL_GROUP = 0x01
_WALLET_ACTION = 0x10
_POOL_KINDS = {
    PoolAction.SPLIT: 0x20,
    PoolAction.MERGE: 0x21,
    PoolAction.REDEEM: 0x22,
    PoolAction.SEND_CASH: 0x23,
    PoolAction.SEND_TOKENS: 0x24,
}
_NO_BIT = 1 << 2
_SELLS_BIT = 1 << 3
_KIND_SHIFT = 2
_APPROVED = 1 << 5
_WIDE_SALT = 1 << 6
_EXTENDED = 1 << 7
_CLOSES_TAKER = 1 << 15
_CLOSES_MAKER = 1 << 14
_UINT48_END = 1 << 48


class SkipReason(IntEnum):
    """Why the contract skipped an operation; contracts/libraries/SkipReason.sol."""

    TOO_LATE = 1
    PAUSED = 2
    BAD_KIND = 3
    BAD_PRICE = 4
    ZERO_AMOUNT = 5
    SELF_TRADE = 6
    DIALECT_OFF = 7
    BAD_SIGNATURE = 8
    NOT_APPROVED = 9
    ORDER_EXPIRED = 10
    ORDER_CANCELLED = 11
    ORDER_TOO_OLD = 12
    ACCOUNT_EXITED = 13
    ORDER_FILLED = 14
    PRICE_WORSE_THAN_SIGNED = 15
    FEE_ABOVE_CAP = 16
    INSUFFICIENT_CASH = 17
    INSUFFICIENT_TOKENS = 18
    CONDITION_NOT_OPEN = 19
    CONDITION_NOT_RESOLVED = 20
    INSUFFICIENT_COLLATERAL = 21
    OUTFLOW_LIMIT = 22
    BAD_RECEIVER = 23
    RECEIVER_REFUSED = 24
    TRANSFER_FAILED = 25
    NONCE_USED = 26


class NotPackable(ValueError):
    """The operation or order does not fit the contract's format; the message says which field and why."""


@dataclass(frozen=True, slots=True)
class Skip:
    """A decoded `OperationSkipped`. `of_taker` tells whose leg of a fill the reason is about."""

    number: int
    reason: SkipReason
    of_taker: bool


@dataclass(frozen=True, slots=True)
class FilledLog:
    """A decoded `Filled`, enough to rebuild both parties' vault balances from logs alone."""

    number: int
    taker: str
    maker: str
    taker_token_id: int
    taker_side: TokenSide
    kind: MatchKind
    size_micros: int
    price_e4: int
    taker_fee_micros: int
    maker_fee_micros: int
    closes_taker: bool
    closes_maker: bool

    @property
    def maker_side(self) -> TokenSide:
        """The other side in a COMPLEMENTARY fill, else the same."""
        return TokenSide(1 - self.taker_side) if self.kind is MatchKind.COMPLEMENTARY else self.taker_side


def condition_id(chain_id: int, venue_address: str, salt: str, question_id: str) -> str:
    """Return the condition id as the contract derives it: the deployment and the question, last byte zero."""
    encoded = _word(chain_id) + bytes(12) + _fixed(venue_address, 20) + _fixed(salt, 32) + _fixed(question_id, 32)
    return "0x" + keccak256(encoded)[:31].hex() + "00"


def token_id(condition: str, outcome: Outcome) -> int:
    """Return the ERC-1155 id of a condition's outcome."""
    return int(condition, 16) | outcome


def decode_token_id(token: int) -> tuple[str, Outcome]:
    """Return (condition id, outcome) of an ERC-1155 id."""
    return f"0x{token & ~0xFF:064x}", Outcome(token & 0xFF)


def fee_cap_micros(size_micros: int, price_e4: int, rate_bps: int = MAX_FEE_RATE_BPS) -> int:
    """Return the most that the contract lets one leg of a fill pay: rate * p(1-p) * size, up to the next $0.0001.

    `rate_bps` is what a V1 or native order signed; it never lifts the cap above the contract's own.
    """
    scaled = size_micros // LOT_MICROS * price_e4 * (PRICE_SCALE - price_e4) * min(rate_bps, MAX_FEE_RATE_BPS)
    return -(-scaled // 10**10) * FEE_STEP_MICROS


def as_packed(operation: Operation, voided: bool) -> Operation:
    """Return the operation as its batch carries it: one that the ledger has given up gets a deadline in the past."""
    return replace(operation, not_after_s=0) if voided else operation


def encode_operations(operations: Sequence[Operation]) -> bytes:
    """Pack consecutively numbered operations. Fills of one taker order in a row share a group."""
    if len(operations) > MAX_OPERATIONS:
        raise NotPackable(f"{len(operations)} operations, at most {MAX_OPERATIONS} fit a batch")
    for before, after in pairwise(operations):
        if after.number != before.number + 1:
            raise NotPackable(f"operation {after.number} follows {before.number}")
    packed = [len(operations).to_bytes(2, "big")]
    for group in _groups(operations):
        match group[0]:
            case FillOperation():
                packed.append(_fill_group([operation for operation in group if isinstance(operation, FillOperation)]))
            case PoolOperation() as operation:
                packed.append(_pool_operation(operation))
            case WalletOperation() as operation:
                packed.append(_wallet_operation(operation))
    return b"".join(packed)


def settle_batch_calldata(first: int, operations: Sequence[Operation]) -> bytes:
    """Return the calldata of `settleBatch(first, operations)`; byte-identical to the ABI encoder's."""
    if operations and operations[0].number != first:
        raise NotPackable(f"the batch starts at {first}, its first operation is {operations[0].number}")
    return settle_batch_calldata_of(first, encode_operations(operations))


def settle_batch_calldata_of(first: int, encoded: bytes) -> bytes:
    """Return the calldata for operations that are already packed."""
    padding = bytes(-len(encoded) % 32)
    return SETTLE_BATCH_SELECTOR + _word(first) + _word(64) + _word(len(encoded)) + encoded + padding


def payload_hash(operations: Sequence[Operation]) -> str:
    """Return what a batch's cut command commits to: keccak-256 of the packed bytes."""
    return "0x" + keccak256(encode_operations(operations)).hex()


def check_packable(signed: SignedOrder) -> None:
    """Raise `NotPackable` if no fill of this order could ever be settled, whatever the venue does."""
    _order_body(signed)


def decode_filled(topics: Sequence[str], data: bytes) -> FilledLog:
    """Decode a `Filled` log; topics and data as the node gives them, topics 0x-prefixed."""
    token, details = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big")
    closes_and_price = (details >> 120) & 0xFFFF
    taker_flags = (details >> 144) & 0xFF
    return FilledLog(
        number=details >> 152,
        taker="0x" + topics[1][-40:].lower(),
        maker="0x" + topics[2][-40:].lower(),
        taker_token_id=token,
        taker_side=TokenSide.SELL if taker_flags & _SELLS_BIT else TokenSide.BUY,
        kind=MatchKind(details >> 136 + _KIND_SHIFT & 3),
        size_micros=((details >> 80) & 0xFFFFFFFFFF) * LOT_MICROS,
        price_e4=closes_and_price & 0x3FFF,
        taker_fee_micros=(details >> 40) & 0xFFFFFFFFFF,
        maker_fee_micros=details & 0xFFFFFFFFFF,
        closes_taker=bool(closes_and_price & _CLOSES_TAKER),
        closes_maker=bool(closes_and_price & _CLOSES_MAKER),
    )


def decode_skipped(topics: Sequence[str], data: bytes) -> Skip:
    """Decode an `OperationSkipped` log."""
    code = int.from_bytes(data[:32], "big")
    return Skip(int(topics[1], 16), SkipReason(code & ~_TAKER_REASON), bool(code & _TAKER_REASON))


def _groups(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    group: list[Operation] = []
    for operation in operations:
        if group and len(group) < MAX_GROUP_MAKERS and _same_group(group[-1], operation):
            group.append(operation)
            continue
        if group:
            yield group
        group = [operation]
    if group:
        yield group


def _same_group(before: Operation, after: Operation) -> bool:
    """Tell whether two fills share what a group's header states once: taker order, token, side and deadline."""
    if not (isinstance(before, FillOperation) and isinstance(after, FillOperation)):
        return False
    return (
        before.taker.order_id == after.taker.order_id
        and before.taker.outcome == after.taker.outcome
        and before.taker.side == after.taker.side
        and before.taker.signed == after.taker.signed
        and before.condition_id == after.condition_id
        and before.not_after_s == after.not_after_s
    )


def _fill_group(fills: Sequence[FillOperation]) -> bytes:
    first = fills[0]
    taker = first.taker
    flags, body = _leg(taker, first)
    flags |= (_NO_BIT if taker.outcome is Outcome.NO else 0) | (_SELLS_BIT if taker.side is TokenSide.SELL else 0)
    condition = _fixed(first.condition_id, 32)
    if condition[31]:
        raise NotPackable(f"condition id {first.condition_id} does not end in a zero byte")
    header = bytes([_FILL_GROUP]) + _uint(first.not_after_s, 5, "notAfter") + bytes([len(fills), flags])
    return header + condition[:31] + body + b"".join(_fill(fill) for fill in fills)


def _fill(fill: FillOperation) -> bytes:
    """Pack one maker's record: flags, close bits and price, lots, fees, then the maker's order."""
    taker, maker = fill.taker, fill.maker
    _require_kind(fill)
    if not 0 < fill.price_e4 < PRICE_SCALE:
        raise NotPackable(f"price {fill.price_e4} is not within 1..{PRICE_SCALE - 1}")
    lots, dust = divmod(fill.size_micros, LOT_MICROS)
    if dust or lots <= 0:
        raise NotPackable(f"size {fill.size_micros} is not a positive multiple of {LOT_MICROS}")
    flags, body = _leg(maker, fill)
    flags |= fill.kind << _KIND_SHIFT
    price = fill.price_e4
    if taker.closes_order and taker.wallet is not None:
        price |= _CLOSES_TAKER
    if maker.closes_order and maker.wallet is not None:
        price |= _CLOSES_MAKER
    return (
        bytes([flags])
        + price.to_bytes(2, "big")
        + _uint(lots, 5, "lots")
        + _uint(_fee(taker), 5, "taker fee")
        + _uint(_fee(maker), 5, "maker fee")
        + body
    )


def _require_kind(fill: FillOperation) -> None:
    """Check that the maker's token and side are those which the contract will derive from the kind."""
    taker, maker = fill.taker, fill.maker
    if taker.wallet is None and maker.wallet is None:
        raise NotPackable(f"fill {fill.number} has no wallet leg")
    if fill.kind is MatchKind.COMPLEMENTARY:
        fits = maker.outcome is taker.outcome and maker.side is not taker.side
    else:
        side = TokenSide.BUY if fill.kind is MatchKind.MINT else TokenSide.SELL
        fits = maker.outcome is taker.outcome.complement and maker.side is taker.side is side
    if not fits:
        raise NotPackable(f"fill {fill.number} is {fill.kind.name} between legs that do not go together")


def _fee(leg: FillLeg) -> int:
    """The pool's own fees stay inside the pool: only the ledger moves."""
    return 0 if leg.wallet is None else leg.fee_micros


def _leg(leg: FillLeg, fill: FillOperation) -> tuple[int, bytes]:
    """Return a leg's flags and its packed order; nothing for the pool."""
    if leg.wallet is None:
        return 0, b""
    signed = leg.signed
    if signed is None:
        raise NotPackable(f"wallet {leg.wallet} trades without a signed order in fill {fill.number}")
    expected = token_id(fill.condition_id, leg.outcome)
    if int(signed.token_id) != expected or signed.side is not leg.side:
        raise NotPackable(f"order {leg.order_id} is signed for another token or side than fill {fill.number}")
    if signed.maker.lower() != leg.wallet.lower():
        raise NotPackable(f"order {leg.order_id} belongs to {signed.maker}, not to {leg.wallet}")
    return _order_body(signed)


def _order_body(signed: SignedOrder) -> tuple[int, bytes]:
    if signed.signer.lower() != signed.maker.lower():
        raise NotPackable("signer and maker differ: signature types 1 and 2 are refused")
    flags = _SCHEME_BITS[signed.scheme]
    body = (
        _fixed(signed.maker, 20)
        + _uint(signed.sell_amount_micros, 8, "sell amount")
        + _uint(signed.buy_amount_micros, 8, "buy amount")
    )
    if not (signed.sell_amount_micros and signed.buy_amount_micros):
        raise NotPackable("an order's amounts may not be zero")
    salt = int(signed.salt)
    wide = salt >= _UINT48_END
    if signed.scheme is OrderScheme.POLYMARKET_V2:
        body += _uint(signed.timestamp_ms, 6, "timestamp")
        body += _uint(salt, 32 if wide else 6, "salt")
        if (signed.metadata, signed.builder) != (ZERO_BYTES32, ZERO_BYTES32):
            flags |= _EXTENDED
            body += _fixed(signed.metadata, 32) + _fixed(signed.builder, 32)
    else:
        body += _uint(signed.expiration_s, 5, "expiration")
        body += _uint(signed.nonce, 6, "nonce")
        body += _uint(signed.fee_rate_bps, 2, "fee rate")
        if signed.scheme is OrderScheme.POLYMARKET_V1:
            body += _uint(salt, 32 if wide else 6, "salt")
        elif signed.builder != ZERO_BYTES32:
            flags |= _EXTENDED
            body += _fixed(signed.builder, 32)
    if wide and signed.scheme is not OrderScheme.NATIVE:
        flags |= _WIDE_SALT
    approved, signature = _order_signature(signed)
    return flags | (_APPROVED if approved else 0), body + signature


def _order_signature(signed: SignedOrder) -> tuple[bool, bytes]:
    """Return (approved on chain, packed signature). Contract wallets: V2 type 3, or a native order with no signature."""
    native_approved = signed.scheme is OrderScheme.NATIVE and signed.signature in ("", "0x")
    v2_approved = signed.scheme is OrderScheme.POLYMARKET_V2 and signed.signature_type == CONTRACT_SIGNATURE
    if native_approved or v2_approved:
        return True, b""
    if signed.signature_type != EOA_SIGNATURE:
        raise NotPackable(f"signature type {signed.signature_type} is refused under {signed.scheme}")
    return False, _signature(signed.signature)


def _pool_operation(operation: PoolOperation) -> bytes:
    match operation.action:
        case PoolAction.SEND_CASH:
            subject = bytes(32)
        case PoolAction.SEND_TOKENS | PoolAction.REDEEM:
            if operation.outcome is None:
                raise NotPackable(f"operation {operation.number} names no outcome")
            subject = _word(token_id(operation.condition_id, operation.outcome))
        case _:
            subject = _fixed(operation.condition_id, 32)
    return (
        bytes([_POOL_KINDS[operation.action]])
        + _uint(operation.not_after_s, 5, "notAfter")
        + subject
        + _uint(operation.amount_micros, 16, "amount")
        + _fixed(operation.to or "0x" + "00" * 20, 20)
    )


def _wallet_operation(operation: WalletOperation) -> bytes:
    action = operation.action
    approved = action.signature in ("", "0x")
    return (
        bytes([_WALLET_ACTION, _APPROVED if approved else 0])
        + _uint(operation.not_after_s, 5, "notAfter")
        + _action_body(action)
        + (b"" if approved else _signature(action.signature))
    )


def _action_body(action: VaultAction) -> bytes:
    return (
        _fixed(action.wallet, 20)
        + bytes([action.kind])
        + _uint(int(action.id), 32, "id")
        + _uint(action.amount_micros, 16, "amount")
        + _fixed(action.to, 20)
        + _uint(int(action.nonce), 32, "nonce")
        + _uint(action.deadline_s, 5, "deadline")
    )


def _signature(signature: str) -> bytes:
    """Pack 65 bytes into 64: v goes into the top bit of s, which a low s leaves free."""
    try:
        r, s, bit = parse_signature(signature)
    except InvalidSignature as error:
        raise NotPackable(str(error)) from error
    return r.to_bytes(32, "big") + (bit << 255 | s).to_bytes(32, "big")


def _uint(value: int, length: int, name: str) -> bytes:
    if not 0 <= value < 1 << 8 * length:
        raise NotPackable(f"{name} {value} does not fit {8 * length} bits")
    return int(value).to_bytes(length, "big")


def _word(value: int) -> bytes:
    return _uint(value, 32, "word")


def _fixed(text: str, length: int) -> bytes:
    raw = bytes.fromhex(text.removeprefix("0x"))
    if len(raw) != length:
        raise NotPackable(f"{text} has {len(raw)} bytes, {length} are needed")
    return raw


__all__ = [
    "FILLED_TOPIC",
    "MAX_GROUP_MAKERS",
    "MAX_OPERATIONS",
    "SETTLE_BATCH_SELECTOR",
    "SKIPPED_TOPIC",
    "FilledLog",
    "NotPackable",
    "Skip",
    "SkipReason",
    "check_packable",
    "condition_id",
    "decode_filled",
    "decode_skipped",
    "decode_token_id",
    "encode_operations",
    "fee_cap_micros",
    "payload_hash",
    "settle_batch_calldata",
    "settle_batch_calldata_of",
    "token_id",
]
