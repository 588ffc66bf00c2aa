"""The single writer: durable before the reply, in order, and stopped for good by a broken invariant."""

import asyncio
from pathlib import Path

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.events import AccountOpened
from offchain_book.engine.exchange import new_state
from offchain_book.engine.rejects import RejectCode
from offchain_book.journal import Journal, read
from offchain_book.projections import Projections
from offchain_book.sequencer import Sequencer, Unavailable


def sequencer(tmp_path: Path) -> Sequencer:
    times = iter([1_000, 900] + [2_000] * 1_000)
    made = Sequencer(new_state(60), Journal(tmp_path / "journal", {}), Projections(), lambda: next(times))
    made.start()
    return made


async def test_a_reply_comes_after_the_command_is_durable(tmp_path: Path) -> None:
    one = sequencer(tmp_path)
    receipt = await one.submit(c.OpenAccount("alice", c.Custody.CUSTODIAL), "request-1")
    assert receipt.first(AccountOpened) == AccountOpened("alice")
    assert [(entry.seq, entry.request_id) for entry in read(tmp_path / "journal")] == [(1, "request-1")]
    await one.stop()


async def test_commands_that_arrive_together_are_numbered_in_order_of_arrival(tmp_path: Path) -> None:
    one = sequencer(tmp_path)
    seen: list[int] = []
    one.subscribe(lambda entry, events: seen.append(entry.seq))
    receipts = await asyncio.gather(*(one.submit(c.OpenAccount(f"a{n}", c.Custody.CUSTODIAL)) for n in range(50)))
    assert [receipt.entry.seq for receipt in receipts] == list(range(1, 51)) == seen
    await one.stop()


async def test_venue_time_never_runs_backwards_when_the_clock_does(tmp_path: Path) -> None:
    one = sequencer(tmp_path)
    first = await one.submit(c.OpenAccount("a", c.Custody.CUSTODIAL))
    second = await one.submit(c.OpenAccount("b", c.Custody.CUSTODIAL))
    assert (first.entry.at_ms, second.entry.at_ms) == (1_000, 1_000)
    await one.stop()


async def test_a_refusal_is_journaled_and_answered(tmp_path: Path) -> None:
    one = sequencer(tmp_path)
    receipt = await one.submit(c.CancelOrder("nobody", "o1"))
    assert receipt.rejected is not None
    assert receipt.rejected.code is RejectCode.UNKNOWN_ORDER
    assert len(list(read(tmp_path / "journal"))) == 1
    await one.stop()


async def test_a_broken_invariant_stops_the_writer_and_keeps_the_journal(tmp_path: Path) -> None:
    one = sequencer(tmp_path)
    await one.submit(c.OpenAccount("a", c.Custody.CUSTODIAL))
    one.state.seq = 99
    with pytest.raises(Unavailable):
        await one.submit(c.OpenAccount("b", c.Custody.CUSTODIAL))
    with pytest.raises(Unavailable):
        await one.submit(c.OpenAccount("c", c.Custody.CUSTODIAL))
    assert one.failure is not None
    assert len(list(read(tmp_path / "journal"))) == 1
    await one.stop()
