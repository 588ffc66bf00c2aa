"""The packer: its bytes against the documented layout, its calldata against the ABI encoder, and what it refuses."""

from dataclasses import replace

import pytest

from bridge.settlement import (
    MAX_GROUP_MAKERS,
    NotPackable,
    check_packable,
    condition_id,
    decode_token_id,
    encode_operations,
    payload_hash,
    settle_batch_calldata,
    token_id,
)
from offchain_book.engine.operations import (
    FillLeg,
    FillOperation,
    MatchKind,
    OrderScheme,
    Outcome,
    PoolAction,
    PoolOperation,
    SignedOrder,
    TokenSide,
    VaultAction,
    VaultActionKind,
    WalletOperation,
)
from offchain_book.signatures import keccak256, sign_digest
from tests.contracts.stage import Stage

BUY, SELL = TokenSide.BUY, TokenSide.SELL
YES, NO = Outcome.YES, Outcome.NO
V1, V2, NATIVE = OrderScheme.POLYMARKET_V1, OrderScheme.POLYMARKET_V2, OrderScheme.NATIVE
CONDITION = "0x" + "c0" * 31 + "00"
WALLETS = ["0x" + f"{i:02x}" * 20 for i in (0xA1, 0xB2)]
SIGNATURE = sign_digest(keccak256(b"x"), keccak256(b"key"))
DEADLINE = 1_795_000_060


def signed(
    scheme: OrderScheme = V2, wallet: int = 0, side: TokenSide = BUY, outcome: Outcome = YES, **fields: object
) -> SignedOrder:
    order = SignedOrder(
        scheme=scheme,
        digest=f"{scheme}-{wallet}",
        maker=WALLETS[wallet],
        signer=WALLETS[wallet],
        token_id=str(token_id(CONDITION, outcome)),
        side=side,
        sell_amount_micros=26_500_000,
        buy_amount_micros=50_000_000,
        salt="479001600",
        signature=SIGNATURE,
        timestamp_ms=1_795_000_000_000,
        expiration_s=1_795_003_600,
        nonce=9,
        fee_rate_bps=700,
    )
    return replace(order, **fields)  # type: ignore[arg-type]


def leg(
    order: SignedOrder | None, side: TokenSide = BUY, outcome: Outcome = YES, fee: int = 0, closes: bool = False
) -> FillLeg:
    if order is None:
        return FillLeg("pool", "house", None, outcome, side, fee, None, closes)
    return FillLeg(order.digest, order.maker, order.maker, outcome, side, fee, order, closes)


def fill(taker: FillLeg, maker: FillLeg, **fields: object) -> FillOperation:
    operation = FillOperation(5, 1, "T", CONDITION, MatchKind.COMPLEMENTARY, 50_000_000, 5_300, taker, maker, DEADLINE)
    return replace(operation, **fields)  # type: ignore[arg-type]


def u(value: int, length: int) -> bytes:
    return value.to_bytes(length, "big")


def compact(signature: str) -> bytes:
    raw = bytes.fromhex(signature[2:])
    return raw[:32] + bytes([raw[32] | (raw[64] - 27) << 7]) + raw[33:64]


def test_a_group_of_two_makers_is_laid_out_as_documented() -> None:
    taker = leg(signed(V1), fee=123_400)
    pool = leg(None, SELL, YES, fee=99)
    native = signed(NATIVE, 1, BUY, NO, builder="0x" + "bb" * 32)
    maker = leg(native, BUY, NO, fee=7, closes=True)
    operations = [fill(taker, pool), fill(replace(taker, closes_order=True), maker, number=6, kind=MatchKind.MINT)]
    expected = (
        u(2, 2)
        + bytes([0x01]) + u(DEADLINE, 5) + bytes([2, 0b0000_0010]) + bytes.fromhex(CONDITION[2:64])
        + bytes.fromhex(WALLETS[0][2:]) + u(26_500_000, 8) + u(50_000_000, 8)
        + u(1_795_003_600, 5) + u(9, 6) + u(700, 2) + u(479_001_600, 6) + compact(SIGNATURE)
        + bytes([0]) + u(5_300, 2) + u(5_000, 5) + u(123_400, 5) + u(0, 5)
        + bytes([0b1000_0101]) + u(5_300 | 3 << 14, 2) + u(5_000, 5) + u(123_400, 5) + u(7, 5)
        + bytes.fromhex(WALLETS[1][2:]) + u(26_500_000, 8) + u(50_000_000, 8)
        + u(1_795_003_600, 5) + u(9, 6) + u(700, 2) + bytes.fromhex("bb" * 32) + compact(SIGNATURE)
    )  # fmt: skip
    assert encode_operations(operations) == expected
    assert payload_hash(operations) == "0x" + keccak256(expected).hex()


def test_v2_orders_are_short_unless_their_fields_are_not() -> None:
    pool = leg(None, SELL, YES)
    short = encode_operations([fill(leg(signed()), pool)])
    assert short[41:77] == bytes.fromhex(WALLETS[0][2:]) + u(26_500_000, 8) + u(50_000_000, 8)
    assert short[77:89] == u(1_795_000_000_000, 6) + u(479_001_600, 6)
    wide = encode_operations([fill(leg(signed(salt=str(2**48), metadata="0x" + "11" * 32)), pool)])
    assert wide[9] == short[9] | 1 << 6 | 1 << 7
    assert wide[77:179] == u(1_795_000_000_000, 6) + u(2**48, 32) + b"\x11" * 32 + bytes(32)
    contract = encode_operations([fill(leg(signed(signature_type=3)), pool)])
    assert contract[9] == short[9] | 1 << 5
    assert len(contract) == len(short) - 64


def test_pool_and_wallet_operations_are_laid_out_as_documented() -> None:
    send = PoolOperation(5, PoolAction.SEND_TOKENS, "T", CONDITION, NO, 77, WALLETS[0], DEADLINE, "w")
    action = VaultAction(WALLETS[1], VaultActionKind.WITHDRAW, "0", 88, WALLETS[0], str(2**200), DEADLINE + 1, SIGNATURE)
    wallet = WalletOperation(number=6, action_id="a", action=action, ticker="", needs=(), not_after_s=DEADLINE)
    expected = (
        u(2, 2)
        + bytes([0x24]) + u(DEADLINE, 5) + u(int(CONDITION, 16) | 2, 32) + u(77, 16) + bytes.fromhex(WALLETS[0][2:])
        + bytes([0x10, 0]) + u(DEADLINE, 5) + bytes.fromhex(WALLETS[1][2:]) + bytes([0]) + u(0, 32) + u(88, 16)
        + bytes.fromhex(WALLETS[0][2:]) + u(2**200, 32) + u(DEADLINE + 1, 5) + compact(SIGNATURE)
    )  # fmt: skip
    assert encode_operations([send, wallet]) == expected
    cash = replace(send, action=PoolAction.SEND_CASH)
    assert encode_operations([cash])[2:40] == bytes([0x23]) + u(DEADLINE, 5) + bytes(32)


def test_calldata_is_what_the_abi_encoder_makes(stage: Stage) -> None:
    for count in (1, 2, 5):
        operations = [fill(leg(signed()), leg(signed(wallet=1, side=SELL), SELL), number=5 + i) for i in range(count)]
        expected = stage.venue.encode_abi("settleBatch", args=[5, encode_operations(operations)])
        assert "0x" + settle_batch_calldata(5, operations).hex() == expected


@pytest.mark.parametrize(
    "change",
    [
        {"not_after_s": DEADLINE + 1},
        {"condition_id": "0x" + "c1" * 31 + "00"},
        {"taker": leg(None, SELL, NO)},
        {"taker": leg(None, BUY, YES), "maker": leg(signed(wallet=1, side=SELL), SELL)},
    ],
)
def test_what_a_header_states_once_starts_a_new_group_when_it_changes(change: dict[str, object]) -> None:
    first = fill(leg(None, SELL, YES), leg(signed()))
    if "condition_id" in change:
        change = {**change, "maker": leg(signed(token_id=str(int("c1" * 31 + "01", 16))))}
    if change.get("taker") == leg(None, SELL, NO):
        change = {**change, "maker": leg(signed(outcome=NO), BUY, NO)}
    second = replace(first, number=6, **change)  # type: ignore[arg-type]
    together = encode_operations([first, second])
    apart = encode_operations([first])[2:] + encode_operations([second])[2:]
    assert together == u(2, 2) + apart


def test_a_group_holds_no_more_makers_than_its_header_can_count() -> None:
    operations = [fill(leg(None, SELL, YES), leg(signed()), number=i) for i in range(MAX_GROUP_MAKERS + 1)]
    encoded = encode_operations(operations)
    assert encoded[:2] == u(MAX_GROUP_MAKERS + 1, 2)
    assert encoded[8] == MAX_GROUP_MAKERS


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        (fill(leg(None, BUY), leg(None, SELL)), "no wallet leg"),
        (fill(leg(signed()), leg(signed(wallet=1), BUY)), "do not go together"),
        (fill(leg(signed()), leg(None, SELL), kind=MatchKind.MINT), "do not go together"),
        (fill(leg(signed()), leg(None, SELL), size_micros=10_001), "multiple"),
        (fill(leg(signed()), leg(None, SELL), size_micros=0), "multiple"),
        (fill(leg(signed()), leg(None, SELL), price_e4=10_000), "price"),
        (fill(leg(signed(side=SELL)), leg(None, SELL)), "another token or side"),
        (fill(leg(signed(outcome=NO)), leg(None, SELL)), "another token or side"),
        (fill(replace(leg(signed()), signed=None), leg(None, SELL)), "without a signed order"),
        (fill(replace(leg(signed()), wallet=WALLETS[1]), leg(None, SELL)), "belongs to"),
        (fill(leg(signed()), leg(None, SELL), condition_id="0x" + "c0" * 32), "zero byte|another token"),
    ],
)
def test_what_the_contract_could_not_read_is_refused(operation: FillOperation, says: str) -> None:
    with pytest.raises(NotPackable, match=says):
        encode_operations([operation])


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (signed(signer=WALLETS[1]), "signature types 1 and 2"),
        (signed(signature_type=2), "signature type 2"),
        (signed(V1, signature_type=3), "signature type 3"),
        (signed(sell_amount_micros=2**64), "sell amount"),
        (signed(buy_amount_micros=0), "zero"),
        (signed(NATIVE, nonce=2**48), "nonce"),
        (signed(V1, fee_rate_bps=65_536), "fee rate"),
        (signed(timestamp_ms=2**48), "timestamp"),
        (signed(signature=SIGNATURE[:-2]), "64 bytes"),
    ],
)
def test_an_order_that_no_fill_could_settle_is_known_at_admission(order: SignedOrder, says: str) -> None:
    with pytest.raises(NotPackable, match=says):
        check_packable(order)


@pytest.mark.parametrize("scheme", list(OrderScheme))
def test_an_honest_order_is_packable(scheme: OrderScheme) -> None:
    check_packable(signed(scheme))


def test_numbers_must_be_consecutive_and_start_where_the_batch_does() -> None:
    operation = fill(leg(signed()), leg(None, SELL))
    with pytest.raises(NotPackable, match="follows"):
        encode_operations([operation, replace(operation, number=7)])
    with pytest.raises(NotPackable, match="starts at"):
        settle_batch_calldata(4, [operation])


def test_ids_are_structured() -> None:
    condition = condition_id(31_337, WALLETS[0], "0x" + "01" * 32, "0x" + "02" * 32)
    assert condition.endswith("00")
    for outcome in Outcome:
        assert decode_token_id(token_id(condition, outcome)) == (condition, outcome)
