"""A part that was woken in the very moment in which it was cancelled went on for ever, and Ctrl-C with it.

`asyncio.wait_for` swallows a cancellation when what it waits for is done already (Python 3.11). A soak of the chaos tests found
it: 1 of 259 seeds hung.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.attempts import Attempts
from bridge.submitter import Submitter
from offchain_book.engine.exchange import new_state
from offchain_book.journal import Journal
from offchain_book.projections import Projections
from offchain_book.sequencer import Sequencer
from offchain_book.timekeeper import Timekeeper
from tests.bridge.harness import OPERATOR_KEY

NO_CHAIN: Any = SimpleNamespace(chain_id=31_337, address="0x" + "00" * 20)
"""Nothing is open, so nobody asks it anything."""


async def waits_to_look_again(sequencer: Sequencer, folder: Path, woken: list[asyncio.Event]) -> None:
    part = Submitter(sequencer, NO_CHAIN, Attempts(folder / "attempts"), OPERATOR_KEY, 50, 20, lambda: 0)
    woken.append(part._wake)
    while True:
        await part._wait(60_000)
        part._wake.clear()


async def keeps_time(sequencer: Sequencer, folder: Path, woken: list[asyncio.Event]) -> None:
    part = Timekeeper(sequencer)
    woken.append(part._changed)
    await part.run()


@pytest.mark.parametrize("steps", range(5))
@pytest.mark.parametrize("life", [waits_to_look_again, keeps_time])
async def test_part_that_is_woken_as_it_is_cancelled_ends(tmp_path: Path, life: Callable[..., Any], steps: int) -> None:
    woken: list[asyncio.Event] = []
    sequencer = Sequencer(new_state(60), Journal(tmp_path / "journal", {}), Projections(), lambda: 0)
    task = asyncio.create_task(life(sequencer, tmp_path, woken))
    await asyncio.sleep(0.05)
    woken[0].set()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=60)
    assert task.cancelled()
