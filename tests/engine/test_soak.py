"""A million commands with fixed seeds; `make soak` alone runs it. `CAUSEWAY_SOAK_COMMANDS` shortens it."""

import os
import time

import pytest

from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.snapshot import dump, load, state_hash
from tests.builders import assert_books_balance, assert_holds_are_exact, assert_orders_are_listed
from tests.engine.event_walk import EventWalk

COMMANDS = int(os.environ.get("CAUSEWAY_SOAK_COMMANDS", "1000000"))
A_WALK = 5_000
"""Commands of one seed: long enough for many events to begin and end, short enough to say which seed failed and when."""


@pytest.mark.soak
def test_a_million_commands_keep_every_invariant(capsys: pytest.CaptureFixture[str]) -> None:
    began, done, seed = time.monotonic(), 0, 0
    while done < COMMANDS:
        done += _walk(seed)
        seed += 1
        with capsys.disabled():
            print(f"{done:>9,} of {COMMANDS:,} commands, {seed} seeds, {time.monotonic() - began:,.0f} s", flush=True)


def _walk(seed: int) -> int:
    """Walk one seed, check after every step, replay it all and from a snapshot in the middle; return how many commands."""
    walk = EventWalk(seed)
    state, log = walk.venue.state, walk.venue.log
    while len(log) < A_WALK:
        walk.step()
        assert_books_balance(state)
        assert_orders_are_listed(state)
        assert_holds_are_exact(state)
    again = new_state(state.settle_deadline_s)
    for entry in log[: A_WALK // 2]:
        apply(again, entry)
    stored = load(dump(again))
    for entry in log[A_WALK // 2 :]:
        apply(again, entry)
        apply(stored, entry)
    assert state_hash(again) == state_hash(stored) == state_hash(state), seed
    return len(log)
