"""Fills: what lands, what is skipped and why, and that nothing is made or lost on the way."""

from dataclasses import replace

import pytest

from bridge.settlement import encode_operations
from offchain_book.engine.operations import MatchKind, OrderScheme, Outcome, TokenSide, VaultActionKind
from offchain_book.signatures import Domain, polymarket_domain, sign_digest
from tests.contracts.stage import (
    COMPATIBLE_CHAIN_ID,
    COMPATIBLE_V1,
    COMPATIBLE_V2,
    CONTRACT,
    DOLLAR,
    EXIT_DELAY_S,
    LOT,
    Person,
    Stage,
    expect_revert,
    person,
)

BUY, SELL = TokenSide.BUY, TokenSide.SELL
YES, NO = Outcome.YES, Outcome.NO
NATIVE, V1, V2 = OrderScheme.NATIVE, OrderScheme.POLYMARKET_V1, OrderScheme.POLYMARKET_V2
SIZE = 50 * CONTRACT
START = 1_000


def holdings(stage: Stage, *names: str) -> dict[str, tuple[float, float, float]]:
    """Cash, YES and NO in the vault, in whole units."""
    people = names or ("alice", "bob", "carol", "pool")
    found = {}
    for name in people:
        who: Person | str = "pool" if name == "pool" else person(name)
        found[name] = (stage.cash(who) / DOLLAR, stage.vault(who, YES) / CONTRACT, stage.vault(who, NO) / CONTRACT)
    return found


def total_cash(stage: Stage) -> int:
    return sum(stage.cash(who) for who in (person("alice"), person("bob"), person("carol"), "pool"))


def assert_conserved(stage: Stage) -> None:
    """All cash and all collateral are in the token; YES supply = NO supply = collateral."""
    people = [person("alice"), person("bob"), person("carol"), person("pool funder"), "pool"]
    collateral = stage.view("conditionOf", bytes.fromhex(stage.condition[2:]))[1]
    held = stage.view("balanceOf", stage.venue.address, contract=stage.usd)
    assert sum(stage.cash(who) for who in people) + collateral == held
    for outcome in Outcome:
        supply = sum(stage.vault(who, outcome) + (stage.free(who, outcome) if who != "pool" else 0) for who in people)
        assert supply == collateral


@pytest.mark.parametrize("scheme", list(OrderScheme))
def test_complementary_fill_moves_tokens_one_way_and_cash_the_other(
    stage: Stage, alice: Person, bob: Person, scheme: OrderScheme
) -> None:
    buy = stage.leg(stage.order(alice, BUY, YES, 5_300, scheme=scheme))
    sell = stage.leg(stage.order(bob, SELL, YES, 5_300, scheme=scheme))
    settled = stage.settle(stage.fill(buy, sell, 5_300))
    assert not settled.skips
    assert holdings(stage, "alice", "bob") == {"alice": (973.5, 1_050, START), "bob": (1_026.5, 950, START)}
    (fill,) = settled.fills
    assert (fill.taker, fill.maker) == (alice.address.lower(), bob.address.lower())
    assert (fill.size_micros, fill.price_e4, fill.kind, fill.taker_side) == (SIZE, 5_300, MatchKind.COMPLEMENTARY, BUY)
    assert_conserved(stage)


def test_complementary_fill_of_no_uses_the_no_price(stage: Stage, alice: Person, bob: Person) -> None:
    sell = stage.leg(stage.order(alice, SELL, NO, 4_000))
    buy = stage.leg(stage.order(bob, BUY, NO, 4_000))
    assert not stage.settle(stage.fill(sell, buy, 6_000)).skips
    assert holdings(stage, "alice", "bob") == {"alice": (1_020, START, 950), "bob": (980, START, 1_050)}
    assert_conserved(stage)


@pytest.mark.parametrize("scheme", list(OrderScheme))
def test_mint_makes_a_full_set_of_two_buyers(stage: Stage, alice: Person, bob: Person, scheme: OrderScheme) -> None:
    yes = stage.leg(stage.order(alice, BUY, YES, 5_300, scheme=scheme))
    no = stage.leg(stage.order(bob, BUY, NO, 4_700, scheme=scheme))
    assert not stage.settle(stage.fill(yes, no, 5_300)).skips
    assert holdings(stage, "alice", "bob") == {"alice": (973.5, 1_050, START), "bob": (976.5, START, 1_050)}
    assert_conserved(stage)


@pytest.mark.parametrize("scheme", list(OrderScheme))
def test_merge_redeems_a_full_set_of_two_sellers(stage: Stage, alice: Person, bob: Person, scheme: OrderScheme) -> None:
    no = stage.leg(stage.order(alice, SELL, NO, 4_700, scheme=scheme))
    yes = stage.leg(stage.order(bob, SELL, YES, 5_300, scheme=scheme))
    assert not stage.settle(stage.fill(no, yes, 5_300)).skips
    assert holdings(stage, "alice", "bob") == {"alice": (1_023.5, START, 950), "bob": (1_026.5, 950, START)}
    assert_conserved(stage)


def test_pool_takes_from_wallets_in_every_kind(stage: Stage, alice: Person, bob: Person) -> None:
    pool_buys, pool_sells = stage.pool_leg(BUY, YES), stage.pool_leg(SELL, YES)
    sells, buys = stage.order(alice, SELL, YES, 5_000), stage.order(bob, BUY, YES, 5_000)
    buys_no, sells_no = stage.order(bob, BUY, NO, 5_000), stage.order(alice, SELL, NO, 5_000)
    settled = stage.settle(
        *stage.fills(
            (pool_buys, stage.leg(sells), 5_000),
            (pool_buys, stage.leg(buys_no), 5_000),
            (pool_sells, stage.leg(buys), 5_000),
            (pool_sells, stage.leg(sells_no), 5_000),
        )
    )
    assert not settled.skips
    assert holdings(stage) == {
        "alice": (1_050, 950, 950),
        "bob": (950, 1_050, 1_050),
        "carol": (START, START, START),
        "pool": (START, START, START),
    }
    assert_conserved(stage)


def test_pool_makes_for_wallets(stage: Stage, alice: Person, bob: Person) -> None:
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000, 2 * SIZE))
    settled = stage.settle(*stage.fills((buy, stage.pool_leg(SELL, YES), 5_000), (buy, stage.pool_leg(BUY, NO), 4_000)))
    assert not settled.skips
    assert holdings(stage, "alice", "pool") == {"alice": (955, 1_100, START), "pool": (995, 950, 1_050)}
    assert_conserved(stage)


def test_one_taker_meets_many_makers_in_one_group(stage: Stage, alice: Person, bob: Person, carol: Person) -> None:
    buy = stage.leg(stage.order(alice, BUY, YES, 5_500, 3 * SIZE))
    makers = [
        (stage.leg(stage.order(bob, SELL, YES, 5_000)), 5_000),
        (stage.leg(stage.order(carol, BUY, NO, 4_800)), 5_200),
        (stage.leg(stage.order(bob, SELL, YES, 5_500)), 5_500),
    ]
    settled = stage.settle(*stage.fills(*((buy, maker, price) for maker, price in makers)))
    assert [fill.number for fill in settled.fills] == [settled.fills[0].number + i for i in range(3)]
    assert holdings(stage, "alice", "bob", "carol") == {
        "alice": (1_000 - 25 - 26 - 27.5, 1_150, START),
        "bob": (1_052.5, 900, START),
        "carol": (976, START, 1_050),
    }
    assert_conserved(stage)


def test_the_taker_of_one_group_may_make_in_the_next(stage: Stage, alice: Person, bob: Person, carol: Person) -> None:
    order = stage.leg(stage.order(alice, BUY, YES, 5_000, 3 * SIZE))
    settled = stage.settle(
        *stage.fills(
            (order, stage.leg(stage.order(bob, SELL, YES, 5_000)), 5_000),
            (stage.leg(stage.order(carol, SELL, YES, 5_000)), order, 5_000),
            (order, stage.leg(stage.order(bob, SELL, YES, 5_000)), 5_000),
        )
    )
    assert not settled.skips
    assert stage.view("orderFilled", bytes.fromhex(order.order_id[2:])) == (75 * DOLLAR, False)
    assert_conserved(stage)


@pytest.mark.parametrize("scheme", list(OrderScheme))
def test_an_order_fills_in_parts_and_never_above_its_size(
    stage: Stage, alice: Person, bob: Person, scheme: OrderScheme
) -> None:
    sell = stage.leg(stage.order(bob, SELL, YES, 5_000, scheme=scheme, nonce=0 if scheme is V2 else 7))
    for size in (20 * CONTRACT, 30 * CONTRACT - LOT):
        buy = stage.leg(stage.order(alice, BUY, YES, 5_000, size))
        assert not stage.settle(stage.fill(buy, sell, 5_000, size)).skips
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000, 2 * LOT))
    assert stage.settle(stage.fill(buy, sell, 5_000, 2 * LOT)).reasons == ["ORDER_FILLED"]
    assert not stage.settle(stage.fill(buy, sell, 5_000, LOT)).skips
    view = ("nativeOrderFilled", bob.address, 7) if scheme is NATIVE else ("orderFilled", bytes.fromhex(sell.order_id[2:]))
    assert stage.view(*view) == (SIZE, False)
    assert stage.settle(stage.fill(buy, sell, 5_000, LOT)).reasons == ["ORDER_FILLED"]


@pytest.mark.parametrize("scheme", list(OrderScheme))
def test_a_close_bit_ends_an_order_whatever_is_left(stage: Stage, alice: Person, bob: Person, scheme: OrderScheme) -> None:
    """Bought below its limit, an order counted in cash would otherwise buy more than was asked."""
    buy = stage.leg(stage.order(alice, BUY, YES, 5_300, scheme=scheme, nonce=0 if scheme is V2 else 9), closes=True)
    sells = [stage.leg(stage.order(bob, SELL, YES, 5_200)) for _ in range(2)]
    assert not stage.settle(stage.fill(buy, sells[0], 5_200)).skips
    assert stage.settle(stage.fill(buy, sells[1], 5_200, CONTRACT // 2)).reasons == ["TAKER_ORDER_FILLED"]
    view = ("nativeOrderFilled", alice.address, 9) if scheme is NATIVE else ("orderFilled", bytes.fromhex(buy.order_id[2:]))
    assert stage.view(*view)[1] is True


def test_the_same_order_twice_in_a_group_is_filled_once(stage: Stage, alice: Person, bob: Person) -> None:
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000, 2 * SIZE))
    sell = stage.leg(stage.order(bob, SELL, YES, 5_000))
    assert stage.settle(*stage.fills((buy, sell, 5_000), (buy, sell, 5_000))).reasons == ["ORDER_FILLED"]
    assert_conserved(stage)


def test_native_orders_share_a_word_without_disturbing_each_other(stage: Stage, alice: Person, bob: Person) -> None:
    for nonce in (8, 11, 9, 10):
        sell = stage.leg(stage.order(bob, SELL, YES, 5_000, (nonce + 1) * LOT, scheme=NATIVE, nonce=nonce))
        buy = stage.leg(stage.order(alice, BUY, YES, 5_000, (nonce + 1) * LOT))
        assert not stage.settle(stage.fill(buy, sell, 5_000, (nonce + 1) * LOT)).skips
    for nonce in (8, 9, 10, 11):
        assert stage.view("nativeOrderFilled", bob.address, nonce) == ((nonce + 1) * LOT, False)


def test_two_native_orders_with_one_nonce_share_their_fill_state(stage: Stage, alice: Person, bob: Person) -> None:
    first = stage.leg(stage.order(bob, SELL, YES, 5_000, scheme=NATIVE, nonce=3))
    second = stage.leg(stage.order(bob, SELL, YES, 4_000, scheme=NATIVE, nonce=3))
    buys = [stage.leg(stage.order(alice, BUY, YES, 5_000)) for _ in range(2)]
    assert not stage.settle(stage.fill(buys[0], first, 5_000)).skips
    assert stage.settle(stage.fill(buys[1], second, 5_000)).reasons == ["ORDER_FILLED"]


def test_a_used_lane_proves_no_signature(stage: Stage, alice: Person, bob: Person) -> None:
    sell = stage.leg(stage.order(bob, SELL, YES, 5_000, scheme=NATIVE, nonce=3))
    assert not stage.settle(stage.fill(stage.leg(stage.order(alice, BUY, YES, 5_000, LOT)), sell, 5_000, LOT)).skips
    forged = stage.order(bob, SELL, YES, 1_000, scheme=NATIVE, nonce=3)
    forged = replace(forged, signature=sign_digest(bytes.fromhex(forged.digest[2:]), alice.key))
    buy = stage.leg(stage.order(alice, BUY, YES, 1_000, LOT))
    assert stage.settle(stage.fill(buy, stage.leg(forged), 1_000, LOT)).reasons == ["BAD_SIGNATURE"]


# What is refused


def fill_reasons(stage: Stage, alice: Person, maker_fields: dict[str, object], bob: Person, **common: object) -> list[str]:
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000))
    sell = stage.leg(stage.order(bob, SELL, YES, 5_000, **maker_fields))  # type: ignore[arg-type]
    return stage.settle(stage.fill(buy, sell, 5_000, **common)).reasons  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "scheme", "domain"),
    [
        ("the wrong version", V2, Domain("Polymarket CTF Exchange", "3", COMPATIBLE_CHAIN_ID, COMPATIBLE_V2)),
        ("mainnet", V2, polymarket_domain(V2, 137, COMPATIBLE_V2)),
        ("the neg-risk exchange", V2, polymarket_domain(V2, 80_002, "0xe2222d279d744050d28e00520010520000310F59")),
        ("V1's version on V2", V2, polymarket_domain(V1, 80_002, COMPATIBLE_V2)),
        ("V2's address on V1", V1, polymarket_domain(V1, 80_002, COMPATIBLE_V2)),
        ("another venue", NATIVE, Domain("Causeway", "1", 31_337, COMPATIBLE_V1)),
        ("another chain", NATIVE, None),
    ],
)
def test_an_order_of_another_domain_is_refused(
    stage: Stage, alice: Person, bob: Person, name: str, scheme: OrderScheme, domain: Domain | None
) -> None:
    domain = domain or Domain("Causeway", "1", 1, stage.venue.address)
    assert fill_reasons(stage, alice, {"scheme": scheme, "domain": domain}, bob) == ["BAD_SIGNATURE"], name


@pytest.mark.parametrize("scheme", list(OrderScheme))
@pytest.mark.parametrize("field", ["sell_amount_micros", "buy_amount_micros", "salt", "nonce", "expiration_s", "builder"])
def test_every_signed_field_is_bound(stage: Stage, alice: Person, bob: Person, scheme: OrderScheme, field: str) -> None:
    """One changed field, signature kept."""
    order = stage.order(bob, SELL, YES, 5_000, scheme=scheme)
    if field in {"nonce", "expiration_s"} and scheme is V2:
        field = "timestamp_ms"
    if (scheme, field) in {(NATIVE, "salt"), (V1, "builder")}:
        field = "fee_rate_bps"
    changed = {
        "salt": "1",
        "builder": "0x" + "22" * 32,
        "fee_rate_bps": 1,
        "nonce": 5,
        "expiration_s": stage.now() + 1_000,
        "timestamp_ms": order.timestamp_ms + 1,
        "sell_amount_micros": SIZE + LOT,
        "buy_amount_micros": 24 * DOLLAR,
    }[field]
    forged = replace(order, **{field: changed})  # type: ignore[arg-type]
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000))
    assert stage.settle(stage.fill(buy, stage.leg(forged), 5_000)).reasons == ["BAD_SIGNATURE"]


def test_an_order_for_another_market_token_or_side_is_a_bad_signature(stage: Stage, alice: Person, bob: Person) -> None:
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000))
    for outcome, side in ((NO, SELL), (YES, BUY)):
        order = stage.order(bob, side, outcome, 5_000)
        honest = stage.order(bob, SELL, YES, 5_000)
        lying = replace(order, token_id=honest.token_id, side=SELL)
        assert stage.settle(stage.fill(buy, stage.leg(lying), 5_000)).reasons == ["BAD_SIGNATURE"]


def test_an_order_of_another_deployment_is_worth_nothing(stage: Stage, alice: Person, bob: Person) -> None:
    """The Polymarket domains are the same everywhere; the token id is not."""
    other = stage.prepare("0x" + "77" * 32)
    order = replace(
        stage.order(bob, SELL, YES, 5_000, condition=other), token_id=stage.order(bob, SELL, YES, 5_000).token_id
    )
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000))
    assert stage.settle(stage.fill(buy, stage.leg(order), 5_000)).reasons == ["BAD_SIGNATURE"]


def test_a_high_s_signature_is_refused(stage: Stage, alice: Person, bob: Person) -> None:
    """The compact form leaves room for s just above half the order: crafted bytes, not an honest packer."""
    order = stage.order(bob, SELL, YES, 5_000)
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000))
    encoded = encode_operations([stage.fill(buy, stage.leg(order), 5_000)])
    s = int(order.signature[66:130], 16)
    half = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
    bit = int(order.signature[130:132], 16) - 27
    packed = (bit << 255 | s).to_bytes(32, "big")
    assert packed in encoded
    crafted = encoded.replace(packed, (bit << 255 | half + 1).to_bytes(32, "big"))
    assert stage.settle_bytes(crafted).reasons == ["BAD_SIGNATURE"]


def test_a_zero_maker_has_no_signature(stage: Stage, alice: Person, bob: Person) -> None:
    """ecrecover answers zero for nonsense; zero must not be a wallet."""
    order = stage.order(bob, SELL, YES, 5_000)
    encoded = encode_operations([stage.fill(stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(order), 5_000)])
    zeroed = encoded.replace(bytes.fromhex(order.maker[2:]), bytes(20)).replace(
        bytes.fromhex(order.signature[2:66]), bytes(32)
    )
    assert stage.settle_bytes(zeroed).reasons == ["BAD_SIGNATURE"]


@pytest.mark.parametrize(
    ("taker_price", "maker_price", "price", "reason"),
    [
        (5_000, 5_001, 5_000, "PRICE_WORSE_THAN_SIGNED"),
        (5_000, 4_900, 5_001, "TAKER_PRICE_WORSE_THAN_SIGNED"),
        (5_000, 4_900, 4_899, "PRICE_WORSE_THAN_SIGNED"),
    ],
)
def test_no_price_is_worse_than_signed(
    stage: Stage, alice: Person, bob: Person, taker_price: int, maker_price: int, price: int, reason: str
) -> None:
    buy = stage.leg(stage.order(alice, BUY, YES, taker_price, 2 * SIZE))
    sell = stage.leg(stage.order(bob, SELL, YES, maker_price))
    assert stage.settle(stage.fill(buy, sell, price)).reasons == [reason]


def test_prices_of_mint_and_merge_are_each_sides_own(stage: Stage, alice: Person, bob: Person) -> None:
    buys_no = stage.leg(stage.order(bob, BUY, NO, 4_699, 2 * SIZE))
    buys_yes = stage.leg(stage.order(alice, BUY, YES, 5_300, 2 * SIZE))
    assert stage.settle(stage.fill(buys_yes, buys_no, 5_300)).reasons == ["PRICE_WORSE_THAN_SIGNED"]
    sells_no = stage.leg(stage.order(bob, SELL, NO, 4_701))
    sells_yes = stage.leg(stage.order(alice, SELL, YES, 5_300))
    assert stage.settle(stage.fill(sells_yes, sells_no, 5_300)).reasons == ["PRICE_WORSE_THAN_SIGNED"]
    assert stage.settle(stage.fill(sells_yes, sells_no, 5_299)).reasons == ["TAKER_PRICE_WORSE_THAN_SIGNED"]


def test_price_improvement_goes_to_the_better_priced_side(stage: Stage, alice: Person, bob: Person) -> None:
    buy = stage.leg(stage.order(alice, BUY, YES, 6_000))
    assert not stage.settle(stage.fill(buy, stage.leg(stage.order(bob, SELL, YES, 5_000)), 5_000)).skips
    assert holdings(stage, "alice", "bob") == {"alice": (975, 1_050, START), "bob": (1_025, 950, START)}


def test_a_wallet_cannot_trade_with_itself(stage: Stage, alice: Person) -> None:
    buy, sell = stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(stage.order(alice, SELL, YES, 5_000))
    assert stage.settle(stage.fill(buy, sell, 5_000)).reasons == ["SELF_TRADE"]


def test_the_pool_cannot_stand_on_both_sides(stage: Stage, alice: Person) -> None:
    """The packer refuses it; so does the contract: here the wallet's record is replaced by the pool's."""
    fill = stage.fill(stage.pool_leg(BUY, YES), stage.leg(stage.order(alice, SELL, YES, 5_000)), 5_000)
    encoded = encode_operations([fill])
    record = bytearray(encoded[: 2 + 39 + 18])
    record[2 + 39] = 0
    assert stage.settle_bytes(bytes(record)).reasons == ["SELF_TRADE"]


@pytest.mark.parametrize(("kind", "reason"), [(1, "BAD_KIND"), (3, "BAD_KIND")])
def test_a_kind_that_does_not_fit_the_sides_is_refused(
    stage: Stage, alice: Person, bob: Person, kind: int, reason: str
) -> None:
    sell = stage.leg(stage.order(alice, SELL, YES, 5_000))
    encoded = bytearray(encode_operations([stage.fill(stage.pool_leg(SELL, NO), sell, 5_000)]))
    encoded[2 + 39] = encoded[2 + 39] & 0b11110011 | kind << 2
    assert stage.settle_bytes(bytes(encoded)).reasons == [reason]


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [(1, bytes(2), "BAD_PRICE"), (1, (10_000).to_bytes(2, "big"), "BAD_PRICE"), (3, bytes(5), "ZERO_AMOUNT")],
)
def test_prices_outside_the_grid_and_empty_fills_are_refused(
    stage: Stage, alice: Person, bob: Person, at: int, value: bytes, reason: str
) -> None:
    sell = stage.leg(stage.order(alice, SELL, YES, 5_000))
    encoded = bytearray(encode_operations([stage.fill(stage.pool_leg(BUY, YES), sell, 5_000)]))
    encoded[41 + at : 41 + at + len(value)] = value
    assert stage.settle_bytes(bytes(encoded)).reasons == [reason]


@pytest.mark.parametrize("amount", [28, 20])
def test_an_order_with_a_zero_amount_is_refused(stage: Stage, alice: Person, bob: Person, amount: int) -> None:
    """A buyer who asks for nothing would accept any price."""
    sell = stage.leg(stage.order(alice, SELL, YES, 5_000))
    encoded = bytearray(encode_operations([stage.fill(stage.pool_leg(BUY, YES), sell, 5_000)]))
    start = 2 + 39 + 18 + amount
    encoded[start : start + 8] = bytes(8)
    assert stage.settle_bytes(bytes(encoded)).reasons == ["ZERO_AMOUNT"]


def test_a_fill_after_its_deadline_is_skipped_with_every_fill_of_its_group(stage: Stage, alice: Person, bob: Person) -> None:
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000, 2 * SIZE))
    sells = [stage.leg(stage.order(bob, SELL, YES, 5_000)) for _ in range(2)]
    late = stage.fills(*((buy, sell, 5_000) for sell in sells), not_after=stage.now() - 1)
    assert stage.settle(*late).reasons == ["TOO_LATE", "TOO_LATE"]


@pytest.mark.parametrize("scheme", [V1, NATIVE])
def test_an_expired_order_is_refused_and_one_about_to_expire_is_not(
    stage: Stage, alice: Person, bob: Person, scheme: OrderScheme
) -> None:
    assert fill_reasons(stage, alice, {"scheme": scheme, "expiration_s": stage.now() + 30}, bob) == []
    assert fill_reasons(stage, alice, {"scheme": scheme, "expiration_s": stage.now() - 1}, bob) == ["ORDER_EXPIRED"]


@pytest.mark.parametrize("scheme", [V1, NATIVE])
def test_min_nonce_takes_effect_after_the_exit_delay_and_not_before(
    stage: Stage, alice: Person, bob: Person, scheme: OrderScheme
) -> None:
    stage.send(bob, "setMinNonce", 5)
    assert fill_reasons(stage, alice, {"scheme": scheme, "nonce": 4}, bob) == []
    stage.pass_time(EXIT_DELAY_S + 1)
    assert fill_reasons(stage, alice, {"scheme": scheme, "nonce": 4}, bob) == ["ORDER_CANCELLED"]
    assert fill_reasons(stage, alice, {"scheme": scheme, "nonce": 5}, bob) == []
    assert stage.view("watermarksOf", bob.address) == (5, 0)


def test_cancel_before_takes_effect_after_the_exit_delay_and_not_before(stage: Stage, alice: Person, bob: Person) -> None:
    stamp = stage.now() * 1000
    stage.send(bob, "cancelBefore", stamp)
    assert fill_reasons(stage, alice, {"timestamp_ms": stamp - 1}, bob) == []
    stage.pass_time(EXIT_DELAY_S + 1)
    assert fill_reasons(stage, alice, {"timestamp_ms": stamp - 1}, bob) == ["ORDER_CANCELLED"]
    assert fill_reasons(stage, alice, {"timestamp_ms": stamp}, bob) == []


def test_a_v2_order_from_before_the_deployment_is_refused(stage: Stage, alice: Person, bob: Person) -> None:
    assert fill_reasons(stage, alice, {"timestamp_ms": (stage.now() - 1_000_000) * 1000}, bob) == ["ORDER_TOO_OLD"]


def test_an_effective_exit_stops_both_sides(stage: Stage, alice: Person, bob: Person, carol: Person) -> None:
    for who in (alice, bob):
        stage.send(who, "requestExit")
    assert fill_reasons(stage, alice, {}, bob) == []
    stage.pass_time(EXIT_DELAY_S + 1)
    assert fill_reasons(stage, alice, {}, carol) == ["TAKER_ACCOUNT_EXITED"]
    assert fill_reasons(stage, carol, {}, bob) == ["ACCOUNT_EXITED"]


def test_a_fill_needs_the_cash_and_the_tokens(stage: Stage, alice: Person, bob: Person) -> None:
    poor = person("poor")
    buy = stage.leg(stage.order(poor, BUY, YES, 5_000))
    assert stage.settle(stage.fill(buy, stage.leg(stage.order(bob, SELL, YES, 5_000)), 5_000)).reasons == [
        "TAKER_INSUFFICIENT_CASH"
    ]
    sell = stage.leg(stage.order(poor, SELL, YES, 5_000))
    assert stage.settle(stage.fill(stage.leg(stage.order(alice, BUY, YES, 5_000)), sell, 5_000)).reasons == [
        "INSUFFICIENT_TOKENS"
    ]


def test_free_tokens_and_free_cash_cannot_be_traded(stage: Stage, alice: Person) -> None:
    dana = stage.fund(person("dana"), free_sets=100 * CONTRACT)
    sell = stage.leg(stage.order(dana, SELL, YES, 5_000))
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000))
    assert stage.settle(stage.fill(buy, sell, 5_000)).reasons == ["INSUFFICIENT_TOKENS"]


def test_the_pool_cannot_sell_what_it_does_not_hold(stage: Stage, alice: Person) -> None:
    whale = stage.fund(person("whale"), cash=50_000 * DOLLAR)
    size = 1_001 * CONTRACT
    buy = stage.leg(stage.order(whale, BUY, YES, 5_000, size))
    assert stage.settle(stage.fill(buy, stage.pool_leg(SELL, YES), 5_000, size)).reasons == ["INSUFFICIENT_TOKENS"]
    assert stage.settle(stage.fill(buy, stage.pool_leg(BUY, NO), 1, size)).reasons == ["INSUFFICIENT_CASH"]


# Fees


def test_fees_of_both_sides_go_to_the_pool(stage: Stage, alice: Person, bob: Person) -> None:
    cap = 875_000  # 0.07 * 0.5 * 0.5 * 50
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000), fee=cap)
    sell = stage.leg(stage.order(bob, SELL, YES, 5_000), fee=100)
    assert not stage.settle(stage.fill(buy, sell, 5_000)).skips
    assert (stage.cash(alice), stage.cash(bob)) == (975 * DOLLAR - cap, 1_025 * DOLLAR - 100)
    assert stage.cash("pool") == 1_000 * DOLLAR + cap + 100
    assert_conserved(stage)


@pytest.mark.parametrize(
    ("scheme", "signed_bps", "price", "size", "cap"),
    [
        (V2, 0, 5_000, SIZE, 875_000),
        (V2, 0, 1, LOT, 100),
        (V2, 0, 3_300, 7 * LOT, 1_100),
        (V1, 10_000, 5_000, SIZE, 875_000),
        (V1, 100, 5_000, SIZE, 125_000),
        (NATIVE, 350, 5_000, SIZE, 437_500),
        (NATIVE, 0, 5_000, SIZE, 0),
    ],
)
def test_no_fee_above_the_signed_and_the_venues_cap(
    stage: Stage, alice: Person, bob: Person, scheme: OrderScheme, signed_bps: int, price: int, size: int, cap: int
) -> None:
    from bridge.settlement import fee_cap_micros

    assert fee_cap_micros(size, price, 700 if scheme is V2 else signed_bps) == cap
    for fee, expected in ((cap + 1, ["FEE_ABOVE_CAP"]), (cap, [])):
        buy = stage.leg(stage.order(alice, BUY, YES, price, size))
        sell = stage.leg(stage.order(bob, SELL, YES, price, size, scheme=scheme, fee_rate_bps=signed_bps), fee=fee)
        assert stage.settle(stage.fill(buy, sell, price, size)).reasons == expected


def test_a_fee_may_exceed_the_proceeds_but_not_the_cash(stage: Stage, alice: Person, bob: Person) -> None:
    """One lot at one ten-thousandth earns one micro; its fee is a hundred."""
    sell = stage.leg(stage.order(bob, SELL, YES, 1, LOT), fee=100)
    assert not stage.settle(stage.fill(stage.leg(stage.order(alice, BUY, YES, 1, LOT)), sell, 1, LOT)).skips
    assert stage.cash(bob) == 1_000 * DOLLAR + 1 - 100
    cashless = stage.fund(person("cashless"), sets=CONTRACT)
    sell = stage.leg(stage.order(cashless, SELL, YES, 1, LOT), fee=100)
    buy = stage.leg(stage.order(alice, BUY, YES, 1, LOT))
    assert stage.settle(stage.fill(buy, sell, 1, LOT)).reasons == ["INSUFFICIENT_CASH"]


def test_the_pool_spends_in_a_group_what_it_earned_in_it(stage: Stage, alice: Person, bob: Person) -> None:
    drain = stage.leg(stage.order(bob, SELL, NO, 9_999, 1_000 * CONTRACT))
    stage.settle(stage.fill(stage.pool_leg(BUY, NO), drain, 1, 1_000 * CONTRACT))
    assert stage.cash("pool") == 100_000
    order = stage.order(alice, SELL, YES, 5_000, 100 * CONTRACT)
    buy = stage.leg(stage.order(bob, BUY, YES, 5_000))
    settled = stage.settle(
        *stage.fills(
            (stage.leg(order, fee=800_000), buy, 5_000),
            (stage.leg(order), stage.pool_leg(BUY, YES), 5_000, CONTRACT),
        )
    )
    assert settled.reasons == []
    assert stage.cash("pool") == 100_000 + 800_000 - 500_000
    assert_conserved(stage)


# Isolation and order


def test_a_failing_fill_is_skipped_and_the_others_land(stage: Stage, alice: Person, bob: Person, carol: Person) -> None:
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000, 3 * SIZE))
    makers = [stage.order(bob, SELL, YES, 5_000), stage.order(carol, SELL, YES, 5_100), stage.order(carol, SELL, YES, 5_000)]
    settled = stage.settle(*stage.fills(*((buy, stage.leg(order), 5_000) for order in makers)))
    assert [(skip.reason.name, skip.of_taker) for skip in settled.skips] == [("PRICE_WORSE_THAN_SIGNED", False)]
    assert settled.skips[0].number == settled.fills[0].number + 1
    assert stage.view("skippedOperations") == 1
    assert stage.vault(alice, YES) == 1_100 * CONTRACT
    assert_conserved(stage)


def test_a_skipped_fill_changes_nothing(stage: Stage, alice: Person, bob: Person) -> None:
    before = holdings(stage)
    order = stage.order(bob, SELL, YES, 5_100)
    stage.settle(stage.fill(stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(order), 5_000))
    assert holdings(stage) == before
    assert stage.view("orderFilled", bytes.fromhex(order.digest[2:])) == (0, False)


def test_a_batch_runs_once_and_in_order(stage: Stage, alice: Person, bob: Person) -> None:
    fill = stage.fill(stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(stage.order(bob, SELL, YES, 5_000)), 5_000)
    early = replace(fill, number=fill.number + 1)
    assert expect_revert("OutOfOrder", lambda: stage.settle(early)).values == (fill.number + 1, fill.number)
    assert not stage.settle(fill).skips
    expect_revert("OutOfOrder", lambda: stage.settle(fill))
    assert stage.next() == fill.number + 1


def test_only_the_operator_settles(stage: Stage, alice: Person, bob: Person) -> None:
    fill = stage.fill(stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(stage.order(bob, SELL, YES, 5_000)), 5_000)
    expect_revert("NotOperator", lambda: stage.settle(fill, sender=alice.address))
    expect_revert("NotOperator", lambda: stage.settle(fill, sender="admin"))


@pytest.mark.parametrize("damage", ["cut", "extra", "kind", "count", "empty"])
def test_bytes_that_do_not_parse_revert_the_batch(stage: Stage, alice: Person, bob: Person, damage: str) -> None:
    fill = stage.fill(stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(stage.order(bob, SELL, YES, 5_000)), 5_000)
    encoded = encode_operations([fill])
    damaged = {
        "cut": encoded[:-1],
        "extra": encoded + b"\0",
        "kind": encoded[:2] + b"\2" + encoded[3:],
        "count": b"\0\2" + encoded[2:],
        "empty": b"",
    }[damage]
    expect_revert("MalformedOperations", lambda: stage.settle_bytes(damaged))


def test_an_order_for_an_unknown_condition_moves_nothing(stage: Stage, alice: Person, bob: Person) -> None:
    unknown = "0x" + "ab" * 31 + "00"
    yes = stage.leg(stage.order(alice, BUY, YES, 5_000, condition=unknown))
    no = stage.leg(stage.order(bob, BUY, NO, 5_000, condition=unknown))
    assert stage.settle(stage.fill(yes, no, 5_000, condition=unknown)).reasons == ["CONDITION_NOT_OPEN"]
    sell = stage.leg(stage.order(bob, SELL, YES, 5_000, condition=unknown))
    assert stage.settle(stage.fill(yes, sell, 5_000, condition=unknown)).reasons == ["INSUFFICIENT_TOKENS"]


def test_a_large_order_near_the_limit_of_its_fields_fills(stage: Stage, alice: Person, bob: Person) -> None:
    size = (2**64 - 1) // LOT * LOT
    buy = stage.order(alice, BUY, YES, 5_000, size, scheme=NATIVE, nonce=1)
    assert not stage.settle(stage.fill(stage.leg(buy), stage.leg(stage.order(bob, SELL, YES, 5_000)), 5_000)).skips
    neighbour = stage.view("nativeOrderFilled", alice.address, 2)
    assert neighbour == (0, False)


def test_wide_salts_metadata_and_builder_codes_are_hashed(stage: Stage, alice: Person, bob: Person) -> None:
    wide = {"salt": str(2**255 + 7), "metadata": "0x" + "11" * 32, "builder": "0x" + "22" * 32}
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000, **wide))
    v1 = stage.leg(stage.order(bob, SELL, YES, 5_000, 25 * CONTRACT, scheme=V1, salt=str(2**200)))
    native = stage.leg(stage.order(bob, SELL, YES, 5_000, 25 * CONTRACT, scheme=NATIVE, nonce=1, builder="0x" + "33" * 32))
    half = 25 * CONTRACT
    assert not stage.settle(*stage.fills((buy, v1, 5_000, half), (buy, native, 5_000, half))).skips


# Delivery


def test_a_wallet_may_have_bought_tokens_delivered_free(stage: Stage, alice: Person, bob: Person, carol: Person) -> None:
    for who in (alice, carol):
        stage.settle(stage.vault_action(who, VaultActionKind.SET_DELIVERY, amount=1))
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000, 2 * SIZE))
    makers = [stage.leg(stage.order(bob, SELL, YES, 5_000)), stage.leg(stage.order(carol, BUY, NO, 5_000))]
    settled = stage.settle(*stage.fills(*((buy, maker, 5_000) for maker in makers)))
    assert not settled.skips
    assert stage.free(alice, YES) == 110 * CONTRACT
    assert stage.free(carol, NO) == 60 * CONTRACT
    assert stage.vault(alice, YES) == START * CONTRACT
    moved = stage.events(settled.receipt, "TransferSingle")
    assert [(event["from"], event["to"], event["value"]) for event in moved] == [
        ("0x" + "00" * 20, carol.address, SIZE),
        ("0x" + "00" * 20, alice.address, 2 * SIZE),
    ]
    assert_conserved(stage)


def test_positions_count_open_tokens(stage: Stage, alice: Person, bob: Person) -> None:
    dana = stage.fund(person("dana"), cash=100 * DOLLAR)
    buy = stage.leg(stage.order(dana, BUY, YES, 5_000))
    stage.settle(stage.fill(buy, stage.leg(stage.order(bob, SELL, YES, 5_000)), 5_000))
    assert stage.view("positionsOf", dana.address) == 1
    sell = stage.leg(stage.order(dana, SELL, YES, 5_000))
    stage.settle(stage.fill(sell, stage.leg(stage.order(bob, BUY, YES, 5_000)), 5_000))
    assert stage.view("positionsOf", dana.address) == 0
