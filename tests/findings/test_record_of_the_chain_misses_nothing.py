"""Found on the page beside a busy demo: the proof of a past command said "differs from the ledger", and nothing differed.

The record of what the contract held reads what was touched since the block before. A fill was confirmed after a block had been
reported and before the record read it: the record looked in the older block, where the fill was not, and not again.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bridge.chain import Chain
from bridge.recorder import Recorder
from offchain_book.chain_record import POOL_HOLDER, ChainRecord
from offchain_book.engine import chain_commands as cc
from offchain_book.engine.names import token_asset
from offchain_book.engine.operations import Outcome
from offchain_book.engine.units import CASH
from offchain_book.sequencer import Listener, Sequencer
from tests.builders import ALICE, CONTRACT, DOLLAR, TICKER, WALT, open_venue

YES = (POOL_HOLDER, token_asset(TICKER, Outcome.YES))


class Looked:
    """The contract: in block 7 the pool has the fill's tokens, and Walt has a dollar more in block 9."""

    address = "0x" + "11" * 20

    def __init__(self, yes_token: str) -> None:
        self.yes_token = int(yes_token)

    def read_all(self, calls: Sequence[tuple[str, Sequence[Any]]], block: int) -> list[int]:
        return [self._value(name, arguments, block) for name, arguments in calls]

    def _value(self, name: str, arguments: Sequence[Any], block: int) -> int:
        if name == "vaultBalanceOf":
            return 5 * CONTRACT if block >= 7 and arguments == (self.address, self.yes_token) else 0
        return DOLLAR if name == "cashOf" and block >= 9 and arguments == (WALT,) else 0


class Recorded:
    """A venue whose blocks are recorded, by hand: `reads` lets the record read what was reported."""

    def __init__(self, path: Path) -> None:
        self.venue = open_venue()
        self.listeners: list[Listener] = []
        self.record = ChainRecord(path / "record.sqlite")
        self.read = asyncio.Event()
        add = self.record.add

        def added(*what: Any) -> None:
            add(*what)
            loop.call_soon_threadsafe(self.read.set)

        loop = asyncio.get_running_loop()
        self.record.add = added  # type: ignore[method-assign]
        self.venue.watchers.append(lambda state, entry, events: [heard(entry, events) for heard in self.listeners])
        sequencer = SimpleNamespace(state=self.venue.state, subscribe=self.listeners.append)
        chain = Looked(self.venue.state.markets[TICKER].yes_token_id)
        self.recorder = Recorder(cast(Sequencer, sequencer), cast(Chain, chain), self.record, 0)

    def report(self, block: int) -> None:
        self.venue.do(cc.ObserveChain(block, block, False))

    async def reads(self) -> None:
        await asyncio.wait_for(self.read.wait(), 60)
        self.read.clear()

    def held(self, block: int, key: tuple[str, str]) -> int:
        found = self.record.at(block)
        assert found is not None
        return found.held.get(key, 0)


@pytest.fixture
async def recorded(tmp_path: Path) -> AsyncIterator[Recorded]:
    made = Recorded(tmp_path)
    running = asyncio.create_task(made.recorder.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    made.record.close()


def _fill(recorded: Recorded) -> None:
    recorded.venue.place(ALICE, "bid", 5_000, 5)
    recorded.venue.place(WALT, "buy no", 5_000, 5)
    recorded.venue.do(cc.CutBatch(0, 0, 1, "0x"))


async def test_what_is_confirmed_between_a_blocks_report_and_its_reading_is_read_in_the_next_one(recorded: Recorded) -> None:
    recorded.report(5)
    await recorded.reads()
    _fill(recorded)
    recorded.report(6)
    recorded.venue.do(cc.ConfirmBatch(0, "0xaa", 7, "0xb7", ()))
    await recorded.reads()
    recorded.report(7)
    await recorded.reads()
    assert (recorded.held(6, YES), recorded.held(7, YES)) == (0, 5 * CONTRACT)


async def test_what_is_confirmed_before_an_older_block_is_reported_is_read_in_its_own(recorded: Recorded) -> None:
    recorded.report(4)
    await recorded.reads()
    _fill(recorded)
    recorded.venue.do(cc.ConfirmBatch(0, "0xaa", 7, "0xb7", ()))
    for block in (5, 6, 7):
        recorded.report(block)
        await recorded.reads()
    assert (recorded.held(6, YES), recorded.held(7, YES)) == (0, 5 * CONTRACT)


async def test_a_deposit_that_is_credited_before_an_older_block_is_read_is_seen_in_its_own(recorded: Recorded) -> None:
    recorded.report(7)
    await recorded.reads()
    recorded.report(8)
    recorded.venue.deposit(WALT, DOLLAR)
    await recorded.reads()
    recorded.report(9)
    await recorded.reads()
    assert (recorded.held(8, (WALT, CASH)), recorded.held(9, (WALT, CASH))) == (0, DOLLAR)
