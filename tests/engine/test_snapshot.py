"""A state written and read back is the same exchange: the same events, the same hashes, for everything that follows."""

import gc
import json
import random
import weakref
from dataclasses import dataclass
from typing import Any

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.order import BookSide
from offchain_book.engine.snapshot import dump, load, state_hash
from offchain_book.engine.state import State
from tests.builders import ALICE, BOB, TICKER, WENDY, Venue, assert_books_balance, market, open_venue
from tests.engine.walk import Walk

STEPS = 300


def through_text(state: State) -> State:
    """Return the state that a file would give back."""
    return load(json.loads(json.dumps(dump(state))))


@pytest.mark.parametrize("seed", range(100, 108))
def test_a_state_read_back_at_random_points_goes_on_exactly_like_the_live_one(seed: int) -> None:
    walk = Walk(seed)
    picker = random.Random(seed)
    for _ in range(STEPS):
        walk.step()
    live, other = new_state(60), new_state(60)
    restarts = 0
    for entry in walk.venue.log:
        if picker.random() < 0.04:
            other = through_text(other)
            restarts += 1
        assert apply(other, entry) == apply(live, entry)
        if entry.seq % 25 == 0:
            assert state_hash(other) == state_hash(live)
    assert restarts > 5
    assert dump(other) == dump(live)
    assert_books_balance(other)


def test_reading_back_writes_the_same_text() -> None:
    walk = Walk(42)
    for _ in range(STEPS):
        walk.step()
    text = json.dumps(dump(walk.venue.state))
    assert json.dumps(dump(load(json.loads(text)))) == text


def test_a_state_read_back_shares_nothing_with_the_live_one() -> None:
    venue = open_venue()
    venue.place(ALICE, "bid", 4_000, 3)
    other = through_text(venue.state)
    before = dump(other)
    venue.place(BOB, "ask", 4_000, 2)
    assert dump(other) == before


def test_the_queue_keeps_its_order_even_where_order_numbers_do_not() -> None:
    venue = open_venue()
    for name in (ALICE, BOB, ALICE):
        venue.place(name, "bid", 4_000, 1)
    venue.place(BOB, "bid", 4_100, 1)
    book = venue.state.markets[TICKER].book
    first = book.first(BookSide.BID)
    assert first is not None
    book.remove(first)
    book.add(first)
    ids = [order.order_id for order in book.orders(BookSide.BID)]
    again = through_text(venue.state)
    assert [order.order_id for order in again.markets[TICKER].book.orders(BookSide.BID)] == ids
    assert again.markets[TICKER].book.depth(BookSide.BID) == book.depth(BookSide.BID)


def test_one_order_is_one_object_wherever_it_is_referred_to() -> None:
    venue = open_venue()
    venue.place(ALICE, "bid", 4_000, 3)
    state = through_text(venue.state)
    (order,) = state.orders.values()
    assert state.accounts[ALICE].open_orders[order.order_id] is order
    assert state.markets[TICKER].book.first(BookSide.BID) is order
    assert state.accounts[ALICE].cash is state.accounts[ALICE].balances["USD"]


class Name(str):
    """A text that can be watched."""


@pytest.mark.parametrize("lives", [lambda state: state, through_text], ids=["live", "read back"])
def test_a_state_that_nobody_needs_any_more_is_collected_with_the_orders_that_rest_in_it(lives: Any) -> None:
    venue = open_venue()
    venue.place(ALICE, "bid", 4_000, 3)
    state = lives(venue.state)
    state.accounts[ALICE].name = Name("Alice")
    watched = weakref.ref(state.accounts[ALICE].name)
    del venue, state
    gc.collect()
    assert watched() is None


def test_looking_at_a_balance_does_not_change_the_hash() -> None:
    venue = open_venue()
    before = state_hash(venue.state)
    assert venue.state.accounts[ALICE].balance("NEVER:YES").total == 0
    assert state_hash(venue.state) == before


def test_a_field_at_its_default_is_not_written_so_one_added_later_changes_no_hash_and_reads_old_data() -> None:
    venue = open_venue()
    data = dump(venue.state)
    _, listed = data["markets"][1][TICKER]
    never_used = {"volume_micros", "resolution_source", "yes_payout_micros", "status"}
    assert not never_used & listed.keys()
    market_again = load(data).markets[TICKER]
    for name in never_used:
        assert getattr(market_again, name) == getattr(venue.state.markets[TICKER], name)
    explicit = json.loads(json.dumps(data))
    explicit["markets"][1][TICKER][1]["yes_payout_micros"] = -1
    assert dump(load(explicit)) == data


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.pop("orders"),
        lambda data: data.update(unheard_of=1),
        lambda data: data["accounts"][1][ALICE][1].pop("custody"),
        lambda data: data["accounts"][1][ALICE][1].update(open_orders=["@Orders", ["nobody's"]]),
        lambda data: data.update(expiries=["NoSuchClass", {}]),
        lambda data: data["markets"][1][TICKER][1].update(status=["MarketStatus", "asleep"]),
    ],
)
def test_data_that_no_dump_wrote_is_refused(spoil: Any) -> None:
    data = json.loads(json.dumps(dump(open_venue().state)))
    spoil(data)
    with pytest.raises(ValueError):
        load(data)


@dataclass
class Stranger:
    """Not of the engine."""


def two_places(venue: Venue) -> None:
    venue.state.markets["SECOND"] = venue.state.markets[TICKER]
    venue.state.events["AGAIN"] = venue.state.events["RAIN"]


def outside_the_state(venue: Venue) -> None:
    venue.place(ALICE, "bid", 4_000, 1)
    del venue.state.orders["o1"]


def out_of_its_book(venue: Venue) -> None:
    venue.place(ALICE, "bid", 4_000, 1)
    venue.state.markets[TICKER].book.remove(venue.state.orders["o1"])


def foreign(venue: Venue) -> None:
    venue.state.contra["stranger"] = Stranger()  # type: ignore[assignment]


@pytest.mark.parametrize("spoil", [two_places, outside_the_state, out_of_its_book, foreign])
def test_what_cannot_be_written_exactly_is_not_written(spoil: Any) -> None:
    venue = open_venue()
    spoil(venue)
    with pytest.raises(TypeError):
        dump(venue.state)


def test_every_class_that_a_state_can_hold_is_written_by_its_name() -> None:
    venue = open_venue()
    venue.do(c.RegisterKey(ALICE, "key", c.KeyKind.KALSHI))
    venue.do(market("EMPTY-1"))
    venue.place(ALICE, "bid", 4_000, 1)
    venue.place(WENDY, "buy no", 6_000, 2)
    venue.do(cc.CutBatch(0, 0, 1, "0x"))
    text = json.dumps(dump(venue.state))
    engine = ("Account", "ApiKey", "Balance", "Batch", "Book", "Credit", "EventInfo", "Exposure", "FillLeg", "FillOperation")
    for name in (*engine, "Market", "OpenOperation", "Order", "Outcome", "Series"):
        assert f'["{name}"' in text, name
    assert dump(through_text(venue.state)) == dump(venue.state)
