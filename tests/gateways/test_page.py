"""Long lists of the page come in pages that neither repeat nor leave out anything; an event's lines share their times."""

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.order import BookSide
from offchain_book.gateways import page_views
from offchain_book.gateways.page_fills import ORDERS_PAGE, order_history
from offchain_book.gateways.page_views import LINE_POINTS, PageViews, grid_s
from tests.gateways.native_venue import CONTRACT, SETTINGS, TICKER, NativeVenue


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[NativeVenue]:
    async with NativeVenue(tmp_path).running() as running:
        yield running


async def test_finished_orders_are_paged_newest_first_and_open_ones_left_out(small: NativeVenue) -> None:
    for number in range(2 * ORDERS_PAGE + 3):
        await small.do(c.PlaceOrder(f"o{number}", "alice", TICKER, BookSide.BID, 1_000, CONTRACT))
        if number % 10:
            await small.do(c.CancelOrder("alice", f"o{number}"))
    read = small.sequencer.projections
    pages: list[Any] = [order_history(read, "alice", 0)]
    while pages[-1]["next"]:
        pages.append(order_history(read, "alice", pages[-1]["next"]))
    found = [row["order_id"] for page in pages for row in page["orders"]]
    assert found == [f"o{number}" for number in reversed(range(2 * ORDERS_PAGE + 3)) if number % 10]
    assert [len(page["orders"]) for page in pages] == [ORDERS_PAGE, len(found) - ORDERS_PAGE]
    assert order_history(read, "nobody", 0) == {"orders": [], "next": 0}


async def test_trades_are_paged_newest_first(small: NativeVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_views, "MAX_TRADES", 3)
    await small.do(c.OpenAccount("bob", c.Custody.CUSTODIAL, "bob"))
    await small.do(cc.CreditDeposit(small.state.next_deposit, "bob", 100 * CONTRACT, "0x9", 1, "0x" + "99" * 20))
    await small.do(c.PlaceOrder("rests", "alice", TICKER, BookSide.ASK, 5_000, 7 * CONTRACT))
    for number in range(7):
        await small.do(c.PlaceOrder(f"takes{number}", "bob", TICKER, BookSide.BID, 5_000, CONTRACT))
    views = PageViews(small.sequencer, SETTINGS, gives_test_money=False)
    page = await views.trades(TICKER)
    pages = [page]
    while page["more"]:
        page = await views.trades(TICKER, before=int(page["trades"][-1]["trade"].partition(":")[2]))
        pages.append(page)
    assert [[row["trade"] for row in page["trades"]] for page in pages] == [
        ["trade:6", "trade:5", "trade:4"],
        ["trade:3", "trade:2", "trade:1"],
        ["trade:0"],
    ]


def test_a_charts_times_are_whole_minutes_evenly_spaced_up_to_now_and_never_too_many() -> None:
    now = 1_800_000_059
    for first in (now, now - 1, now - 60, now - 3_599, now - 86_400 * 3 - 7, now - 86_400 * 900):
        times = grid_s(first, now)
        assert len(times) <= LINE_POINTS + 1
        assert (times[0], times[-1]) == (first // 60 * 60, now // 60 * 60)
        assert all(at % 60 == 0 for at in times)
        steps = [later - earlier for earlier, later in pairwise(times)]
        assert len(set(steps[:-1])) <= 1
        assert all(0 < step <= steps[0] for step in steps)


async def test_an_events_lines_are_its_markets_last_prices_at_the_same_times(
    small: NativeVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = small.state.markets[TICKER].event_ticker
    monkeypatch.setattr(small.state.events[event], "tickers", (*small.state.events[event].tickers, "KXQUIET"), raising=True)
    views = PageViews(small.sequencer, SETTINGS, gives_test_money=False)
    quiet = {"ticker": "KXQUIET", "prices_e4": []}
    assert await views.lines(event) == {
        "event_ticker": event, "times_s": [], "markets": [{"ticker": TICKER, "prices_e4": []}, quiet]
    }  # fmt: skip
    minute = small.sequencer.clock_ms() // 60_000
    past = small.sequencer.projections.prices[TICKER]
    for ago, price_e4 in ((600, 4_000), (90, 5_500), (30, 5_000)):
        past.add((minute - ago) * 60_000, price_e4, CONTRACT)
    for hours, first in ((0, 4_000), (24, 4_000), (6, 4_000), (1, 5_500)):
        lines = await views.lines(event, hours)
        [found, other] = lines["markets"]
        assert len(found["prices_e4"]) == len(lines["times_s"])
        assert (found["prices_e4"][0], found["prices_e4"][-1]) == (first, 5_000)
        assert other == quiet
    for asked in (("KXNOBODY", 0), (event, 5)):
        with pytest.raises(HTTPException):
            await views.lines(*asked)
