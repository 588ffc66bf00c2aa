"""What time does happens on time, without a single request."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.exchange import new_state
from offchain_book.engine.market import MarketStatus
from offchain_book.engine.market_commands import AdvanceClock
from offchain_book.journal import Journal, read
from offchain_book.projections import Projections
from offchain_book.sequencer import Sequencer
from offchain_book.timekeeper import Timekeeper
from tests.builders import ALICE, CONTRACT, DOLLAR, TICKER, market

START_MS = 1_800_000_000_000
PATIENCE_S = 60


class Stage:
    """An exchange with one market and a clock that stands still until a test moves it."""

    def __init__(self, path: Path) -> None:
        self.time_ms = START_MS
        self.looked = asyncio.Event()
        self.path = path
        self.sequencer = Sequencer(new_state(60), Journal(path, {}), Projections(), self.now_ms)
        self.changed = asyncio.Event()

    def now_ms(self) -> int:
        self.looked.set()
        return self.time_ms

    async def pass_ms(self, ms: int) -> None:
        """Move the clock, and return when somebody has looked at it."""
        self.time_ms += ms
        self.looked.clear()
        async with asyncio.timeout(PATIENCE_S):
            await self.looked.wait()

    async def start(self) -> None:
        self.sequencer.start()
        for command in (
            c.OpenAccount(ALICE, c.Custody.CUSTODIAL),
            cc.CreditDeposit(0, ALICE, 100 * DOLLAR, "0x", 1, "0x"),
            c.CreateSeries("FREE", "Free"),
            c.CreateEvent("RAIN", "FREE", "Rain"),
            market(),
        ):
            assert (await self.sequencer.submit(command)).rejected is None
        self.sequencer.subscribe(lambda entry, events: self.changed.set())

    async def place(self, name: str, lasts_ms: int) -> None:
        order = c.PlaceOrder(name, ALICE, TICKER, c.BookSide.BID, 4_000, CONTRACT, expires_ms=self.time_ms + lasts_ms)
        assert (await self.sequencer.submit(order)).rejected is None

    async def until_gone(self, name: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while name in self.sequencer.state.orders:
                self.changed.clear()
                await self.changed.wait()

    def clock_commands(self) -> int:
        return sum(isinstance(entry.command, AdvanceClock) for entry in read(self.path))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(tmp_path / "journal")
    await made.start()
    task = asyncio.create_task(Timekeeper(made.sequencer).run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await made.sequencer.stop()


async def test_an_order_expires_without_traffic_and_with_one_command(stage: Stage) -> None:
    await stage.place("o1", 30)
    await stage.pass_ms(29)
    assert "o1" in stage.sequencer.state.orders
    await stage.pass_ms(1)
    await stage.until_gone("o1")
    assert stage.clock_commands() == 1


async def test_what_is_due_earlier_than_planned_is_not_late(stage: Stage) -> None:
    await stage.place("late", 60_000)
    await asyncio.sleep(0)
    await stage.place("early", 30)
    await stage.pass_ms(30)
    await stage.until_gone("early")
    assert "late" in stage.sequencer.state.orders


async def test_a_cancelled_deadline_hides_none_behind_it(stage: Stage) -> None:
    await stage.place("first", 100)
    await stage.sequencer.submit(c.CancelOrder(ALICE, "first"))
    await stage.place("second", 200)
    await stage.pass_ms(100)
    await stage.pass_ms(100)
    await stage.until_gone("second")
    assert stage.clock_commands() == 1


async def test_a_jump_of_venue_time_closes_a_market_within_a_moment(stage: Stage) -> None:
    await stage.place("o1", 10**15)
    await stage.pass_ms(10**15)
    await stage.until_gone("o1")
    assert stage.sequencer.state.markets[TICKER].status is MarketStatus.CLOSED
