"""Twelve V2 orders of a wallet share a word: every order fills up to its size, once, whatever the word holds."""

from dataclasses import replace

from offchain_book.engine import claims
from offchain_book.engine.operations import Outcome, SignedOrder, TokenSide
from offchain_book.signatures import keccak256
from tests.contracts.checks import assert_conserved
from tests.contracts.stage import CONTRACT, Person, Stage

BUY, SELL = TokenSide.BUY, TokenSide.SELL
YES = Outcome.YES
SIZE = 10 * CONTRACT
FINISHED = (2**64 - 1, True)
PLACES = 12


def sells(stage: Stage, who: Person, count: int) -> list[SignedOrder]:
    """Orders of one epoch."""
    stamp = stage.now() * 1000
    return [stage.order(who, SELL, YES, 5_000, SIZE, timestamp_ms=stamp) for _ in range(count)]


def take(stage: Stage, taker: Person, order: SignedOrder, size: int) -> list[str]:
    buy = stage.leg(stage.order(taker, BUY, YES, 5_000, size))
    return stage.settle(stage.fill(buy, stage.leg(order), 5_000, size)).reasons


def tag_slot(order: SignedOrder) -> str:
    key = b"cway.tags   " + bytes.fromhex(order.maker[2:]) + (order.timestamp_ms >> claims.EPOCH_BITS).to_bytes(32, "big")
    return "0x" + keccak256(key).hex()


def word(stage: Stage, slot: str) -> int:
    return int(stage.node.call("eth_getStorageAt", stage.venue.address, slot, "latest"), 16)


def tags(stage: Stage, order: SignedOrder) -> list[int]:
    """The tags in an order's word, oldest first."""
    found = word(stage, tag_slot(order))
    places = [found >> claims.TAG_BITS * place & (1 << claims.TAG_BITS) - 1 for place in range(PLACES)]
    return [tag for tag in reversed(places) if tag]


def test_a_word_names_each_order_by_the_tag_that_the_engine_reserves(stage: Stage, alice: Person, bob: Person) -> None:
    orders = sells(stage, bob, PLACES)
    for order in orders:
        assert take(stage, alice, order, SIZE) == []
    assert tags(stage, orders[0]) == [claims.tag_of(order.digest) for order in orders]
    assert [word(stage, order.digest) for order in orders] == [0] * PLACES
    assert [stage.filled(order) for order in orders] == [FINISHED] * PLACES
    for order in orders:
        assert take(stage, alice, order, CONTRACT) == ["ORDER_FILLED"]
    assert_conserved(stage)


def test_the_thirteenth_order_of_an_epoch_has_a_word_of_its_own(stage: Stage, alice: Person, bob: Person) -> None:
    *first, last = sells(stage, bob, PLACES + 1)
    for order in first:
        assert take(stage, alice, order, SIZE) == []
    named = tags(stage, last)
    assert take(stage, alice, last, 4 * CONTRACT) == []
    assert stage.filled(last) == (4 * CONTRACT, False)
    assert take(stage, alice, last, 7 * CONTRACT) == ["ORDER_FILLED"]
    assert take(stage, alice, last, 6 * CONTRACT) == []
    assert (tags(stage, last), word(stage, last.digest)) == (named, SIZE)
    assert take(stage, alice, last, CONTRACT) == ["ORDER_FILLED"]
    assert_conserved(stage)


def test_what_is_left_of_an_order_has_a_word_until_its_end(stage: Stage, alice: Person, bob: Person) -> None:
    (order,) = sells(stage, bob, 1)
    assert take(stage, alice, order, 3 * CONTRACT) == []
    assert (word(stage, order.digest), stage.filled(order)) == (3 * CONTRACT, (3 * CONTRACT, False))
    assert take(stage, alice, order, 7 * CONTRACT) == []
    assert (word(stage, order.digest), stage.filled(order)) == (0, FINISHED)
    assert take(stage, alice, order, CONTRACT) == ["ORDER_FILLED"]


def test_an_order_that_was_begun_before_its_word_was_full_goes_on(stage: Stage, alice: Person, bob: Person) -> None:
    begun, *others = sells(stage, bob, PLACES)
    assert take(stage, alice, begun, CONTRACT) == []
    for order in others:
        assert take(stage, alice, order, SIZE) == []
    assert take(stage, alice, begun, 10 * CONTRACT) == ["ORDER_FILLED"]
    assert take(stage, alice, begun, 9 * CONTRACT) == []
    assert stage.filled(begun) == FINISHED


def test_the_second_order_of_a_tag_reads_as_filled_and_never_fills_twice(stage: Stage, alice: Person, bob: Person) -> None:
    (order,) = sells(stage, bob, 1)
    other = claims.tag_of(order.digest).to_bytes(32, "big").hex()
    stage.node.call("anvil_setStorageAt", stage.venue.address, tag_slot(order), "0x" + other)
    assert take(stage, alice, order, CONTRACT) == ["ORDER_FILLED"]
    assert word(stage, order.digest) == 0


def test_a_tag_proves_no_signature(stage: Stage, alice: Person, bob: Person) -> None:
    (order,) = sells(stage, bob, 1)
    assert take(stage, alice, order, SIZE) == []
    forged = replace(order, signature=stage.order(alice, SELL, YES, 5_000, SIZE).signature)
    assert take(stage, alice, forged, CONTRACT) == ["BAD_SIGNATURE"]


def test_a_full_word_proves_no_signature(stage: Stage, alice: Person, bob: Person) -> None:
    *first, last = sells(stage, bob, PLACES + 1)
    for order in first:
        assert take(stage, alice, order, SIZE) == []
    forged = replace(last, signature=first[0].signature)
    assert take(stage, alice, forged, CONTRACT) == ["BAD_SIGNATURE"]


def test_orders_of_one_epoch_fill_in_one_group_and_in_one_batch(stage: Stage, alice: Person, bob: Person) -> None:
    orders = sells(stage, bob, 3)
    taker = stage.leg(stage.order(alice, BUY, YES, 5_000, 3 * SIZE))
    back = stage.order(bob, BUY, YES, 5_000, SIZE, timestamp_ms=orders[0].timestamp_ms)
    fills = stage.fills(
        *((taker, stage.leg(order), 5_000, SIZE) for order in orders),
        (stage.leg(back), stage.leg(stage.order(alice, SELL, YES, 5_000, SIZE)), 5_000, SIZE),
    )
    assert stage.settle(*fills).reasons == []
    assert tags(stage, orders[0]) == [claims.tag_of(order.digest) for order in (*orders, back)]
    assert_conserved(stage)


def test_a_skipped_fill_leaves_no_tag(stage: Stage, alice: Person, bob: Person) -> None:
    (order,) = sells(stage, bob, 1)
    buy = stage.leg(stage.order(alice, BUY, YES, 4_900, SIZE))
    assert stage.settle(stage.fill(buy, stage.leg(order), 4_900, SIZE)).reasons == ["PRICE_WORSE_THAN_SIGNED"]
    assert tags(stage, order) == []
    assert stage.filled(order) == (0, False)
