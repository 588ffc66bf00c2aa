"""An exchange whose clock failed did not say so: the writer's task ended, every later command waited for ever, `/readyz` was green."""

import asyncio
from pathlib import Path

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.exchange import new_state
from offchain_book.journal import Journal
from offchain_book.projections import Projections
from offchain_book.sequencer import Sequencer, Unavailable


def broken_clock() -> int:
    raise OSError("the file of the clock's offset cannot be read")


async def test_clock_that_fails_stops_the_exchange_and_refuses_what_waits(tmp_path: Path) -> None:
    sequencer = Sequencer(new_state(60), Journal(tmp_path / "journal", {}), Projections(), broken_clock)
    sequencer.start()
    ended = asyncio.ensure_future(sequencer.ended())
    with pytest.raises(Unavailable, match="has stopped"):
        await asyncio.wait_for(sequencer.submit(c.OpenAccount("alice", c.Custody.CUSTODIAL)), 60)
    with pytest.raises(OSError, match="offset"):
        await asyncio.wait_for(ended, 60)
    assert isinstance(sequencer.failure, OSError)
    with pytest.raises(Unavailable):
        await sequencer.submit(c.OpenAccount("bob", c.Custody.CUSTODIAL))
    await sequencer.stop()
