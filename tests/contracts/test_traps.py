"""The sixteen safety traps that a prototype of this settlement met, each closed, by number (docs/invariants.md)."""

from dataclasses import replace

import pytest

from bridge.settlement import NotPackable, check_packable, encode_operations
from offchain_book.engine.operations import FillOperation, OrderScheme, Outcome, PoolAction, PoolOperation, TokenSide
from offchain_book.signatures import keccak256, polymarket_domain, sign_digest
from tests.contracts.checks import assert_conserved, holdings
from tests.contracts.stage import CONTRACT, DOLLAR, LOT, Person, Stage, expect_revert, person
from tests.contracts.terms import EXIT_DELAY_S, OUTFLOW_LIMIT, OUTFLOW_WINDOW_S

BUY, SELL = TokenSide.BUY, TokenSide.SELL
YES, NO = Outcome.YES, Outcome.NO
NATIVE, V1, V2 = OrderScheme.NATIVE, OrderScheme.POLYMARKET_V1, OrderScheme.POLYMARKET_V2
SIZE = 50 * CONTRACT


def test_trap_01_an_order_of_one_deployment_is_worth_nothing_on_the_next(stage: Stage, alice: Person, bob: Person) -> None:
    """Same Polymarket domain, same question: the condition id, and so the signed token id, is another one."""
    buy, sell = stage.order(alice, BUY, YES, 5_000), stage.order(bob, SELL, YES, 5_000)
    first, condition = stage.venue, stage.condition
    try:
        stage.venue = stage.deploy_venue()
        stage.condition = stage.prepare("0x" + keccak256(b"will it rain").hex())
        assert stage.condition != condition
        for who in (alice, bob):
            stage.fund(who, cash=1_000 * DOLLAR, sets=100 * CONTRACT)
        moved = [replace(order, token_id=str(int(stage.condition, 16) + YES)) for order in (buy, sell)]
        fill = stage.fill(stage.leg(moved[0]), stage.leg(moved[1]), 5_000)
        assert stage.settle(fill).reasons == ["TAKER_BAD_SIGNATURE"]
        old = stage.order(bob, SELL, YES, 5_000, timestamp_ms=(stage.now() - 3_600) * 1000)
        fill = stage.fill(stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(old), 5_000)
        assert stage.settle(fill).reasons == ["ORDER_TOO_OLD"]
    finally:
        stage.venue, stage.condition = first, condition


@pytest.mark.parametrize(
    "address", ["0xe2222d279d744050d28e00520010520000310F59", "0x9fE6e61422AdB6F610d8597F9684b16912D50C3D"]
)
def test_trap_02_one_domain_is_bound_and_the_order_cannot_choose(
    stage: Stage, alice: Person, bob: Person, address: str
) -> None:
    """The neg-risk and V3 exchanges share V2's struct and type hash; a client can be made to sign for them."""
    sell = stage.order(bob, SELL, YES, 5_000, domain=polymarket_domain(V2, 80_002, address))
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000))
    assert stage.settle(stage.fill(buy, stage.leg(sell), 5_000)).reasons == ["BAD_SIGNATURE"]
    assert expect_revert("ForbiddenChainId", lambda: stage.deploy_venue(compatibleChainId=137)).values == (137,)


def test_trap_03_nothing_settles_without_consuming_the_order(stage: Stage, alice: Person, bob: Person) -> None:
    """There are no netted batches: the only way to move a wallet's balances is a fill of its order, which counts."""
    buy, sell = stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(stage.order(bob, SELL, YES, 5_000))
    fill = stage.fill(buy, sell, 5_000)
    assert not stage.settle(fill).skips
    assert stage.settle(replace(fill, number=stage.next())).reasons == ["TAKER_ORDER_FILLED"]
    encoded = encode_operations([stage.fill(buy, sell, 5_000)])
    for kind in (0x00, 0x02, 0x0F, 0x11, 0x1F, 0x25, 0xFF):
        unknown = encoded[:2] + bytes([kind]) + encoded[3:]
        expect_revert("MalformedOperations", lambda unknown=unknown: stage.settle_bytes(unknown))


def test_trap_04_what_price_improvement_leaves_of_a_purchase_is_closed(stage: Stage, alice: Person, bob: Person) -> None:
    """50 at 0.53 filled at 0.52 leaves 0.50 dollars signed, which would buy more shares than were asked for."""
    order = stage.order(alice, BUY, YES, 5_300)
    sells = [stage.leg(stage.order(bob, SELL, YES, 5_200)) for _ in range(2)]
    assert not stage.settle(stage.fill(stage.leg(order, closes=True), sells[0], 5_200)).skips
    assert stage.settle(stage.fill(stage.leg(order), sells[1], 5_200, LOT)).reasons == ["TAKER_ORDER_FILLED"]


@pytest.mark.parametrize("price", [1, 3_333, 9_999])
def test_trap_05_every_fill_is_exact_at_equal_limits(stage: Stage, alice: Person, bob: Person, price: int) -> None:
    """A fill is whole lots, so cost = lots * price: no fraction that would break one of two equal limits."""
    buy, sell = stage.leg(stage.order(alice, BUY, YES, price)), stage.leg(stage.order(bob, SELL, YES, price))
    before = stage.cash(alice)
    parts = (LOT, 7 * LOT, SIZE - 8 * LOT)
    for size in parts:
        assert not stage.settle(stage.fill(buy, sell, price, size)).skips
    assert before - stage.cash(alice) == sum(size * price // 10_000 for size in parts) == SIZE * price // 10_000
    with pytest.raises(NotPackable, match="not a positive multiple"):
        stage.settle(stage.fill(buy, sell, price, LOT + 1))


def test_trap_06_nobody_stands_on_both_sides_and_a_taker_is_written_before_the_next_group(
    stage: Stage, alice: Person, bob: Person
) -> None:
    own = stage.fill(stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(stage.order(alice, SELL, YES, 5_000)), 5_000)
    assert stage.settle(own).reasons == ["SELF_TRADE"]
    taker = stage.leg(stage.order(alice, BUY, YES, 5_000, 2 * SIZE))
    maker_then = (stage.leg(stage.order(bob, SELL, YES, 5_000)), taker, 5_000)
    fills = stage.fills((taker, stage.leg(stage.order(bob, SELL, YES, 5_000)), 5_000), maker_then)
    assert not stage.settle(*fills).skips
    assert holdings(stage, "alice")["alice"] == (950, 1_100, 1_000)
    assert_conserved(stage)


def test_trap_07_a_failing_taker_skips_only_its_own_later_fills_and_says_so(
    stage: Stage, alice: Person, bob: Person
) -> None:
    taker = stage.leg(stage.order(alice, BUY, YES, 5_000))
    sells = [stage.leg(stage.order(bob, SELL, YES, 5_000)) for _ in range(2)]
    other = (stage.leg(stage.order(bob, BUY, YES, 5_000)), stage.leg(stage.order(alice, SELL, YES, 5_000)), 5_000)
    settled = stage.settle(*stage.fills(*((taker, sell, 5_000) for sell in sells), other))
    assert settled.reasons == ["TAKER_ORDER_FILLED"]
    assert len(settled.fills) == 2
    assert stage.filled(sells[1].signed) == (0, False)
    assert_conserved(stage)


def test_trap_08_no_field_of_a_packed_word_runs_into_the_next(stage: Stage, alice: Person, bob: Person) -> None:
    whole = stage.order(bob, SELL, YES, 1, (2**64 - 1) // LOT * LOT, scheme=NATIVE, nonce=4)
    for size, reasons in ((1_000 * CONTRACT, []), (LOT, ["INSUFFICIENT_TOKENS"])):
        buy = stage.leg(stage.order(alice, BUY, YES, 1, size))
        assert stage.settle(stage.fill(buy, stage.leg(whole), 1, size)).reasons == reasons
    assert [stage.view("nativeOrderFilled", bob.address, nonce)[0] for nonce in (4, 5, 6, 7)] == [1_000 * CONTRACT, 0, 0, 0]
    assert stage.vault(bob, YES) == 0
    assert stage.free(bob, YES) == 10 * CONTRACT


def test_trap_09_a_lane_in_use_proves_no_signature_and_a_nonce_is_one_order(
    stage: Stage, alice: Person, bob: Person
) -> None:
    """The engine admits one order a nonce (tests/engine/test_claims.py); the contract never fills two beyond one's size."""
    first, second = (stage.order(bob, SELL, YES, 5_000, scheme=NATIVE, nonce=9) for _ in range(2))
    buys = [stage.leg(stage.order(alice, BUY, YES, 5_000)) for _ in range(3)]
    assert not stage.settle(stage.fill(buys[0], stage.leg(first), 5_000)).skips
    assert stage.settle(stage.fill(buys[1], stage.leg(second), 5_000)).reasons == ["ORDER_FILLED"]
    forged = replace(second, signature=sign_digest(bytes.fromhex(second.digest[2:]), alice.key))
    assert stage.settle(stage.fill(buys[2], stage.leg(forged), 5_000, LOT)).reasons == ["BAD_SIGNATURE"]


def test_trap_10_a_signature_is_kept_by_digest_and_only_once_it_was_good(stage: Stage, alice: Person, bob: Person) -> None:
    order = stage.order(bob, SELL, YES, 5_000)
    bad = replace(order, signature=sign_digest(bytes.fromhex(order.digest[2:]), alice.key))
    for _ in range(2):  # a failure is not remembered as a success
        buy = stage.leg(stage.order(alice, BUY, YES, 5_000))
        assert stage.settle(stage.fill(buy, stage.leg(bad), 5_000, LOT)).reasons == ["BAD_SIGNATURE"]
    curve = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    r, s, v = order.signature[2:66], int(order.signature[66:130], 16), int(order.signature[130:], 16)
    for wrong in (f"0x{r}{curve - s:064x}{55 - v:02x}", order.signature + "00", order.signature[:-2], "0x" + "00" * 65):
        with pytest.raises(NotPackable):
            check_packable(replace(order, signature=wrong))


def test_trap_11_the_pool_sends_within_its_limit_alone(stage: Stage, alice: Person) -> None:
    stage.fund_pool(cash=OUTFLOW_LIMIT // 2)
    stage.fund_pool(cash=OUTFLOW_LIMIT // 2)
    assert not stage.settle(stage.pool_action(PoolAction.SEND_CASH, OUTFLOW_LIMIT, to=alice.address)).skips
    for action, outcome in ((PoolAction.SEND_CASH, None), (PoolAction.SEND_TOKENS, YES)):
        more = stage.pool_action(action, 10 * DOLLAR * 1_000, to=alice.address, outcome=outcome)
        assert stage.settle(more).reasons == ["OUTFLOW_LIMIT"]


POOL_SIDES = [(BUY, YES), (BUY, NO), (SELL, YES), (SELL, NO)]


def pool_fill(stage: Stage, who: Person, pool: tuple[TokenSide, Outcome], *, swaps: bool, takes: bool) -> FillOperation:
    """The pool buys or sells at a YES price of 30 cents, against the same token or (MINT, MERGE) the other one."""
    side, outcome = pool
    against = stage.order(who, TokenSide(1 - side), outcome, 3_000 if outcome is YES else 7_000)
    if not swaps:
        against = stage.order(who, side, outcome.complement, 3_000 if outcome is NO else 7_000)
    legs = stage.pool_leg(side, outcome), stage.leg(against)
    return stage.fill(*(legs if takes else legs[::-1]), 3_000)


def fill_the_bucket(stage: Stage, left: int) -> PoolOperation:
    """A sending that leaves this much of the limit; what follows in its batch happens at the same time."""
    return stage.pool_action(PoolAction.SEND_CASH, OUTFLOW_LIMIT - left, to=person("dana").address)


@pytest.mark.parametrize("takes", [True, False])
@pytest.mark.parametrize("swaps", [True, False])
@pytest.mark.parametrize("pool", POOL_SIDES)
def test_trap_11_a_fill_of_the_pool_counts_the_most_that_it_can_lose_by_it(
    stage: Stage, alice: Person, pool: tuple[TokenSide, Outcome], swaps: bool, takes: bool
) -> None:
    """A buyer may be left with a worthless token, a seller may have given away a dollar: what is paid, or not got, counts."""
    stage.fund_pool(cash=OUTFLOW_LIMIT)
    side, outcome = pool
    price = 3_000 if outcome is YES else 7_000
    loss = SIZE * (price if side is BUY else 10_000 - price) // 10_000
    fill = pool_fill(stage, alice, pool, swaps=swaps, takes=takes)
    snapshot = stage.node.call("evm_snapshot")
    before = holdings(stage, "alice")
    full = stage.settle(fill_the_bucket(stage, loss - 1), replace(fill, number=fill.number + 1))
    assert full.reasons == ["TAKER_OUTFLOW_LIMIT" if takes else "OUTFLOW_LIMIT"]
    assert holdings(stage, "alice") == before
    stage.node.call("evm_revert", snapshot)
    room = stage.settle(fill_the_bucket(stage, loss), replace(fill, number=fill.number + 1))
    assert not room.skips
    assert_conserved(stage)


def test_trap_11_every_fill_of_a_group_counts_and_fees_earned_give_nothing_back(
    stage: Stage, alice: Person, bob: Person, carol: Person
) -> None:
    stage.fund_pool(cash=OUTFLOW_LIMIT)
    sells = [stage.leg(stage.order(who, SELL, YES, 4_000), fee=100_000) for who in (alice, bob, carol)]
    takes = [(stage.pool_leg(BUY, YES), sell, 4_000) for sell in sells]
    send, fills = fill_the_bucket(stage, 2 * 20 * DOLLAR), stage.fills(*takes)
    settled = stage.settle(send, *(replace(fill, number=fill.number + 1) for fill in fills))
    assert settled.reasons == ["TAKER_OUTFLOW_LIMIT"]
    assert settled.skips[0].number == send.number + 3
    stage.pass_time(OUTFLOW_WINDOW_S)
    stage.fund_pool(cash=OUTFLOW_LIMIT)
    buy = stage.leg(stage.order(alice, BUY, YES, 4_000, 3 * SIZE))
    makes = [(buy, stage.pool_leg(SELL, YES), 4_000), (buy, stage.pool_leg(BUY, NO), 4_000)]
    between_wallets = (buy, stage.leg(stage.order(bob, SELL, YES, 4_000)), 4_000)
    send, fills = fill_the_bucket(stage, 30 * DOLLAR), stage.fills(*makes, between_wallets)
    settled = stage.settle(send, *(replace(fill, number=fill.number + 1) for fill in fills))
    assert settled.reasons == ["OUTFLOW_LIMIT"]
    assert settled.skips[0].number == send.number + 2, (
        "the first of the pool's two counts; wallets among themselves never do"
    )


def test_trap_11_what_has_drained_may_be_lost_again_to_the_micro(stage: Stage, alice: Person) -> None:
    """However often a fill falls between, no second's drain is rounded away: the limit and the window have no common measure."""
    for _ in range(2):
        stage.fund_pool(cash=OUTFLOW_LIMIT)
    assert not stage.settle(fill_the_bucket(stage, 0)).skips
    filled_at = stage.now()
    spent = 0
    for _ in range(5):
        stage.pass_time(1)
        fill = pool_fill(stage, alice, (BUY, YES), swaps=True, takes=True)
        assert not stage.settle(replace(fill, size_micros=LOT)).skips
        spent += 3_000
    stage.pass_time(7)
    for more, reasons in ((1, ["OUTFLOW_LIMIT"]), (0, [])):
        snapshot = stage.node.call("evm_snapshot")
        at = stage.now() + 5
        stage.node.call("evm_setNextBlockTimestamp", at)
        left = (at - filled_at) * OUTFLOW_LIMIT // OUTFLOW_WINDOW_S - spent
        send = stage.pool_action(PoolAction.SEND_CASH, left + more, to=alice.address)
        assert stage.settle(send).reasons == reasons
        stage.node.call("evm_revert", snapshot)


def test_trap_12_a_v2_order_signs_no_fee_so_the_contract_caps_it_for_good(stage: Stage, alice: Person, bob: Person) -> None:
    cap = 875_000  # 0.07 * 0.5 * 0.5 * 50
    for fee, reasons in ((cap + 1, ["FEE_ABOVE_CAP"]), (cap, [])):
        sell = stage.leg(stage.order(bob, SELL, YES, 5_000), fee=fee)
        assert stage.settle(stage.fill(stage.leg(stage.order(alice, BUY, YES, 5_000)), sell, 5_000)).reasons == reasons
    assert not [item for item in stage.venue.abi if "fee" in item.get("name", "").lower() and item["type"] == "function"]


def test_trap_13_a_chosen_id_reaches_no_other_word(stage: Stage, alice: Person) -> None:
    """Slots are hashes of tagged keys: an id made to look like another mapping's key is just an id without tokens."""
    tag = int.from_bytes(b"cway.account", "big") << 160 | int(alice.address, 16)
    for chosen in (0, 1, 2, tag, 2**256 - 1):
        assert stage.view("vaultBalanceOf", alice.address, chosen) == 0
        assert stage.view("balanceOf", alice.address, chosen) == 0
        expect_revert("ERC1155InsufficientBalance", lambda chosen=chosen: stage.send(alice, "depositTokens", chosen, 1))


def test_trap_14_the_vault_half_has_a_view_and_the_standards_events_sum_to_the_other(stage: Stage, alice: Person) -> None:
    token = int(stage.condition, 16) + YES
    receipt = stage.send(alice, "depositTokens", token, 4 * CONTRACT)
    (moved,) = stage.events(receipt, "TransferSingle")
    assert (moved["from"], moved["to"], moved["value"]) == (alice.address, "0x" + "00" * 20, 4 * CONTRACT)
    assert (stage.free(alice, YES), stage.vault(alice, YES)) == (6 * CONTRACT, 1_004 * CONTRACT)


def test_trap_15_a_resolved_market_makes_no_sets_and_the_engine_closes_it_first(
    stage: Stage, alice: Person, bob: Person
) -> None:
    """COMPLEMENTARY reads no condition: the engine resolves on chain only when no operation of the market is open."""
    condition = bytes.fromhex(stage.condition[2:])
    stage.send("oracle", "report", condition, 1_000_000)
    stage.send("reviewer", "confirm", condition, 1_000_000)
    mint = (stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(stage.order(bob, BUY, NO, 5_000)), 5_000)
    swap = (stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(stage.order(bob, SELL, YES, 5_000)), 5_000)
    assert stage.settle(*stage.fills(mint, swap)).reasons == ["CONDITION_NOT_OPEN"]
    assert_conserved(stage)


@pytest.mark.parametrize("scheme", list(OrderScheme))
def test_trap_16_a_second_part_is_bounded_by_the_order_not_by_the_batch(
    stage: Stage, alice: Person, bob: Person, scheme: OrderScheme
) -> None:
    sell = stage.leg(stage.order(bob, SELL, YES, 5_000, scheme=scheme, nonce=0 if scheme is V2 else 3))
    parts = []
    for size in (30 * CONTRACT, 30 * CONTRACT, 20 * CONTRACT):
        buy = stage.leg(stage.order(alice, BUY, YES, 5_000, size))
        parts.append(stage.settle(stage.fill(buy, sell, 5_000, size)).reasons)
    assert parts == [[], ["ORDER_FILLED"], []]
    stage.pass_time(EXIT_DELAY_S)
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000, LOT))
    assert stage.settle(stage.fill(buy, sell, 5_000, LOT)).reasons == ["ORDER_FILLED"]
