"""No part of a running venue dies silently: each is made to fail once, and the venue ends and says which part it was."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from bridge import venue as composition
from bridge.cli_options import ROOT
from bridge.http_server import HttpServer
from bridge.node import Anvil
from bridge.options import Options
from bridge.oracle import Oracle
from bridge.recorder import Recorder
from bridge.reserves import Reserves
from bridge.venue import Venue, VenueError
from bridge.venue_process import free_port
from offchain_book import timekeeper
from offchain_book.engine.market_commands import AdvanceClock
from offchain_book.sequencer import Sequencer


class Silence:
    """A console that nobody reads."""

    def step(self, name: str, text: str) -> None:
        """A part is ready."""

    def ready(self, status: dict[str, Any]) -> None:
        """Everything is."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def command(self, entry: Any, events: Any) -> None:
        """A command was applied."""


class Fault(Exception):
    """A bug that nobody foresaw."""


def planted(*_: Any, **__: Any) -> NoReturn:
    raise Fault("a bug that was planted")


FAULTS = {
    "recorder": (Recorder, "_look"),
    "reserves": (Reserves, "look"),
    "indexer": (composition.Indexer, "_step"),
    "submitter": (composition.Submitter, "_step"),
    "oracle": (Oracle, "_due"),
    "timekeeper": (timekeeper, "next_due_ms"),
    "chain process": (Anvil, "check"),
    "http server": (HttpServer, "on_tick"),
    "sequencer": (Sequencer, "_apply"),
}
"""What every supervised part does again and again: (where, its name). Reserves wait for the submitter, all for the sequencer."""


@pytest.fixture
async def started(tmp_path: Path) -> AsyncIterator[Venue]:
    options = Options(ROOT, tmp_path / "venue", port=free_port(), fix_port=0, chain_port=free_port(), demo=False)
    venue = Venue(options, Silence())
    try:
        await venue._start()
        yield venue
    finally:
        await venue._stop()


@pytest.mark.slow
async def test_every_part_that_fails_ends_the_venue_by_name(started: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(started._parts._tasks) == set(FAULTS), "a part without a fault here is a part whose death nobody tests"
    strays = asyncio.all_tasks() - {asyncio.current_task(), started._sequencer._task, *started._parts._tasks.values()}
    coroutines = [task.get_coro() for task in strays]
    ours = {one.__qualname__ for one in coroutines if Path(one.cr_code.co_filename).is_relative_to(ROOT)}
    assert ours <= {"Indexer._try"}, "nobody supervises it"
    for name, (owner, attribute) in FAULTS.items():
        with monkeypatch.context() as patch:
            patch.setattr(owner, attribute, planted)
            wake(started)
            with pytest.raises(VenueError, match=rf"{name} ended: .*planted"):
                await asyncio.wait_for(started._parts.unless_stopped(asyncio.Event().wait()), 120)
        del started._parts._tasks[name]
    assert isinstance(started._sequencer.failure, Fault)


def wake(venue: Venue) -> None:
    """Let the parts look that wait for something to do."""
    for listener in venue._sequencer._listeners:
        part = getattr(listener, "__self__", None)
        if isinstance(part, composition.Submitter | Oracle):
            part._wake.set()
        elif isinstance(part, Recorder):
            part._reported.set()
    venue._sequencer.enqueue(AdvanceClock()).add_done_callback(asyncio.Future.exception)
