"""Fills: what lands, what is skipped and why, and that nothing is made or lost on the way."""

from dataclasses import replace

import pytest

from bridge.settlement import encode_operations
from offchain_book.engine.operations import MatchKind, OrderScheme, Outcome, TokenSide, VaultActionKind
from offchain_book.signatures import sign_digest
from tests.contracts.checks import START, assert_conserved, holdings
from tests.contracts.stage import (
    CONTRACT,
    DOLLAR,
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
FINISHED = (2**64 - 1, True)


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
    assert stage.filled(order.signed) == FINISHED
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
    assert stage.filled(sell.signed) == (FINISHED if scheme is V2 else (SIZE, False))
    assert stage.settle(stage.fill(buy, sell, 5_000, LOT)).reasons == ["ORDER_FILLED"]


@pytest.mark.parametrize("scheme", list(OrderScheme))
def test_a_close_bit_ends_an_order_whatever_is_left(stage: Stage, alice: Person, bob: Person, scheme: OrderScheme) -> None:
    """Bought below its limit, an order counted in cash would otherwise buy more than was asked."""
    buy = stage.leg(stage.order(alice, BUY, YES, 5_300, scheme=scheme, nonce=0 if scheme is V2 else 9), closes=True)
    sells = [stage.leg(stage.order(bob, SELL, YES, 5_200)) for _ in range(2)]
    assert not stage.settle(stage.fill(buy, sells[0], 5_200)).skips
    assert stage.settle(stage.fill(buy, sells[1], 5_200, CONTRACT // 2)).reasons == ["TAKER_ORDER_FILLED"]
    assert stage.filled(buy.signed) == FINISHED


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
    assert stage.filled(order) == (0, False)


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
