"""A million commands with fixed seeds; `make soak` alone runs it. `CAUSEWAY_SOAK_COMMANDS` shortens it.

After every command: I1 (each posting), I2 (of the accounts concerned), I5 and I7, by the naive twin. After every step of the walk,
which is one command or a few: I1 to I4 and the indexes over the whole state, I13, I14 and every hold against every subset of fills.
Every 100 steps: the twin's balances and books in full. I12 twice a walk, at any byte; I8 at its end. The shards may run side by side.
"""

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.events import Event
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.snapshot import dump, load, state_hash
from offchain_book.engine.state import State
from offchain_book.journal import Journal, read
from tests.builders import assert_books_balance, assert_holds_are_exact, assert_orders_are_listed
from tests.engine.event_walk import EventWalk
from tests.engine.twin import Twin
from tests.engine.walk import Walk

COMMANDS = int(os.environ.get("CAUSEWAY_SOAK_COMMANDS", "1000000"))
SHARDS = 4
A_WALK = 5_000
"""Commands of one seed: long enough for many events to begin and end, short enough to say which seed failed and when."""
GROUP = 64
"""Commands that become durable together."""


class Log:
    """The journal of a walk. What it has taken is acknowledged; a copy of it is cut at some byte now and then, as by a crash."""

    def __init__(self, path: Path, seed: int, log: list[c.Sequenced]) -> None:
        self.random = random.Random(seed)
        self.path = path
        self.journal = Journal(path, {})
        self.log = log
        self.journal.append(log)

    def take(self, state: State, entry: c.Sequenced, events: list[Event]) -> None:
        """Make a group of commands durable as soon as there is one."""
        if len(self.log) - self.journal.last_seq >= GROUP:
            self.journal.append(self.log[self.journal.last_seq :])

    def crash(self) -> None:
        """Lose the newest group from some byte on: what was acknowledged before it is there (I12), and nothing else is."""
        before = self.journal.position
        self.journal.append(self.log[before.seq :])
        torn = self.path.with_suffix(".torn")
        shutil.copy(self.path, torn)
        os.truncate(torn, self.random.randint(before.offset, self.journal.position.offset))
        opened = Journal(torn, {})
        kept = [record for record in opened.read() if isinstance(record, c.Sequenced)]
        opened.close()
        assert len(kept) >= before.seq
        assert kept == self.log[: len(kept)]
        torn.unlink()

    def close(self) -> list[c.Sequenced]:
        """Return all that was acknowledged, as it is read again from the file."""
        self.journal.append(self.log[self.journal.last_seq :])
        self.journal.close()
        found = list(read(self.path))
        self.path.unlink()
        return found


@pytest.mark.soak
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_million_commands_keep_every_invariant(shard: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    began, done, seed = time.monotonic(), 0, shard
    while done < COMMANDS // SHARDS:
        done += _walk(seed, tmp_path)
        seed += SHARDS
        with capsys.disabled():
            print(f"shard {shard}: {done:>9,} commands, seed {seed}, {time.monotonic() - began:,.0f} s", flush=True)


def _walk(seed: int, folder: Path) -> int:
    """Walk one seed and check it all; return how many commands it had."""
    walk = (EventWalk if seed % 2 else Walk)(seed)
    state, log = walk.venue.state, walk.venue.log
    twin, journal = Twin(walk.venue), Log(folder / f"{seed}.journal", seed, log)
    walk.venue.watchers.append(journal.take)
    steps = 0
    while len(log) < A_WALK:
        walk.step()
        steps += 1
        assert_books_balance(state)
        assert_orders_are_listed(state)
        assert_holds_are_exact(state)
        if not steps % 100:
            twin.agree_in_full(state)
        if not steps % 2_000:
            journal.crash()
    _replay(journal.close(), state)
    return len(log)


def _replay(log: list[c.Sequenced], state: State) -> None:
    """I8: from the first command, and from a snapshot in the middle, to the same exchange."""
    again = new_state(state.settle_deadline_s)
    for entry in log[: A_WALK // 2]:
        apply(again, entry)
    stored = load(dump(again))
    for entry in log[A_WALK // 2 :]:
        apply(again, entry)
        apply(stored, entry)
    assert state_hash(again) == state_hash(stored) == state_hash(state)
