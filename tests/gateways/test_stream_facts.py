"""Facts of a random walk through every command: the book that follows from them is the book, positions are positions."""

from collections import defaultdict

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.events import Matched
from offchain_book.engine.exchange import apply
from offchain_book.engine.order import BookSide
from offchain_book.gateways.stream_facts import (
    BestChanged,
    BookChanged,
    FactMaker,
    Filled,
    LevelChanged,
    OrderChanged,
    StageChanged,
    Traded,
    position_micros,
)
from offchain_book.projections import Projections
from offchain_book.views import TradeStage
from tests.builders import ALICE, BOB, CONTRACT, DOLLAR, TICKER, Venue, market
from tests.engine.walk import Walk

STEPS = 600


class Follower:
    """Applies commands and keeps what a client would keep from the facts alone."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.state = venue.state
        self.projections = Projections()
        self.maker: FactMaker | None = None
        self.levels: dict[tuple[str, BookSide], dict[int, int]] = defaultdict(dict)
        self.best: dict[str, tuple[int, int]] = {}
        self.stages: dict[int, list[str]] = defaultdict(list)
        self.seen: dict[type, int] = defaultdict(int)

    def do(self, command: c.Command, request_id: str = "") -> list[object]:
        """Stand in for the venue's own `do`."""
        state = self.state
        if self.maker is None:
            self.maker = FactMaker(state, self.projections)
        entry = c.Sequenced(state.seq + 1, self.venue.now_ms, request_id, command)
        self.venue.log.append(entry)
        events = apply(state, entry)
        self.projections.observe(state, entry, events)
        facts = self.maker.facts(entry, events)
        assert sum(isinstance(fact, Traded) for fact in facts) == sum(isinstance(event, Matched) for event in events)
        for fact in facts:
            self.seen[type(fact)] += 1
            self._keep(fact)
        self._compare()
        return events

    def _keep(self, fact: object) -> None:
        if isinstance(fact, LevelChanged):
            levels = self.levels[fact.ticker, fact.side]
            size = levels.get(fact.price_e4, 0) + fact.delta_micros
            assert size >= 0
            levels[fact.price_e4] = size
            if not size:
                del levels[fact.price_e4]
        elif isinstance(fact, BookChanged):
            for level in fact.levels:
                assert self.levels[fact.ticker, level.side].get(level.price_e4, 0) == level.size_micros
        elif isinstance(fact, BestChanged):
            self.best[fact.ticker] = (fact.best_bid_e4, fact.best_ask_e4)
        elif isinstance(fact, StageChanged):
            self.stages[fact.trade.match_id].append(fact.stage)
        elif isinstance(fact, OrderChanged):
            assert fact.order.account_id == fact.account_id

    def _compare(self) -> None:
        for ticker, listed in self.state.markets.items():
            for side in BookSide:
                assert dict(listed.book.depth(side)) == self.levels[ticker, side]
            best = (listed.book.best_bid_e4, listed.book.best_ask_e4)
            assert self.best.get(ticker, (0, 10_000)) == best


@pytest.mark.parametrize("seed", range(3))
def test_a_client_that_knows_only_facts_has_the_same_books(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    followers: list[Follower] = []

    def do(venue: Venue, command: c.Command, request_id: str = "") -> list[object]:
        if not followers or followers[-1].venue is not venue:
            followers.append(Follower(venue))
        return followers[-1].do(command, request_id)

    monkeypatch.setattr(Venue, "do", do)
    walk = Walk(seed)
    for _ in range(STEPS):
        walk.step()
    follower = followers[-1]
    assert follower.seen[LevelChanged] > 50
    assert follower.seen[Filled] == 2 * follower.seen[Traded] > 40
    settled = [stages for stages in follower.stages.values() if stages[-1] in (TradeStage.CONFIRMED, TradeStage.FAILED)]
    assert settled
    for stages in follower.stages.values():
        assert stages[0] == TradeStage.MATCHED
    for match_id, stages in follower.stages.items():
        assert stages[-1] == follower.projections.trades[match_id].stage


def test_positions_after_each_of_several_fills_of_one_order() -> None:
    venue = Venue()
    follower = Follower(venue)
    venue.do = follower.do  # type: ignore[method-assign,assignment]
    for name in (ALICE, BOB):
        venue.do(c.OpenAccount(name, c.Custody.CUSTODIAL, name))
    venue.do(c.CreateSeries("RAIN", "Rain"))
    venue.do(c.CreateEvent("RAIN", "RAIN", "Rain"))
    venue.do(market(TICKER))
    for name in (ALICE, BOB):
        venue.deposit(name, 100 * DOLLAR)
    told: list[tuple[str, int]] = []
    follower._keep = lambda fact: (  # type: ignore[method-assign]
        told.append((fact.account_id, fact.position_micros)) if isinstance(fact, Filled) else None
    )
    follower._compare = lambda: None  # type: ignore[method-assign]
    venue.place(BOB, "ask", 4_000, 3)
    venue.place(BOB, "ask", 4_100, 2)
    venue.place(ALICE, "bid", 4_100, 5)
    assert [size // CONTRACT for name, size in told if name == ALICE] == [3, 5]
    assert [size // CONTRACT for name, size in told if name == BOB] == [-3, -5]
    assert position_micros(venue.state, ALICE, TICKER) == 5 * CONTRACT
