"""What no fill gets past: every check, and the reason that it gives."""

from dataclasses import replace

import coincurve
import pytest

from bridge.settlement import encode_operations
from offchain_book.engine.operations import OrderScheme, Outcome, TokenSide
from offchain_book.signatures import Domain, keccak256, polymarket_domain, public_key_address
from tests.contracts.checks import START, holdings
from tests.contracts.stage import CONTRACT, DOLLAR, LOT, Person, Stage, person
from tests.contracts.terms import COMPATIBLE_CHAIN_ID, COMPATIBLE_V1, COMPATIBLE_V2, EXIT_DELAY_S

BUY, SELL = TokenSide.BUY, TokenSide.SELL
YES, NO = Outcome.YES, Outcome.NO
NATIVE, V1, V2 = OrderScheme.NATIVE, OrderScheme.POLYMARKET_V1, OrderScheme.POLYMARKET_V2
SIZE = 50 * CONTRACT


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


def test_of_two_signatures_with_one_meaning_only_the_low_one_is_taken(stage: Stage) -> None:
    """The compact form has room for s just above half the order. Nobody meets such an s by chance: a key is made for it."""
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    digest = keccak256(b"any digest")
    high, nonce = order // 2 + 1, 7
    point = coincurve.PrivateKey.from_int(nonce).public_key.format(compressed=False)
    r, odd = int.from_bytes(point[1:33], "big"), point[64] & 1
    key = (high * nonce - int.from_bytes(digest, "big")) * pow(r, -1, order) % order
    signer = public_key_address(coincurve.PrivateKey.from_int(key).public_key.format(compressed=False))
    harness = stage.deploy("OrderHashHarness")

    def signed(s: int, bit: int, wallet: str = signer) -> object:
        compact = r.to_bytes(32, "big") + (bit << 255 | s).to_bytes(32, "big")
        return stage.view("isSignedBy", digest, compact, wallet, contract=harness)

    assert high < 1 << 255
    assert signed(order - high, 1 - odd) is True
    assert signed(high, odd) is False
    assert signed(order - high, odd) is False
    assert signed(0, odd, "0x" + "00" * 20) is False


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
