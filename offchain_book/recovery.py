"""A journal becomes the exchange that it leads to: from the newest snapshot and what followed, or from the first command.

Both ways give the same state, and both compare it with every checkpoint on the way. What does not add up is refused: nothing
here guesses, and nothing goes on with a part.
"""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offchain_book.config import SNAPSHOT_EVERY
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.snapshot import STATE_FORMAT, state_hash
from offchain_book.engine.state import State
from offchain_book.journal import (
    Checkpoint,
    Journal,
    JournalMismatch,
    Record,
    read_checkpoints,
    read_config,
    read_records,
)
from offchain_book.projections import Projections
from offchain_book.snapshots import Found, SnapshotRefused, Snapshots


class StateDiverged(Exception):
    """The commands are those of the journal, and lead this program to another state than the exchange had."""

    def __init__(self, path: Path, seq: int) -> None:
        super().__init__(
            f"{path}: after command {seq} this program has another state than the exchange had; use the program that wrote "
            "the journal (if this is it, the journal or the program was changed)"
        )
        self.seq = seq


@dataclass(frozen=True, slots=True)
class Recovered:
    """An exchange ready to go on; `journal` is open for writing."""

    journal: Journal
    state: State
    projections: Projections
    snapshots: Snapshots
    from_seq: int
    """The snapshot's command, 0 when everything was replayed."""
    notes: tuple[str, ...]
    """What a person may want to know."""


def recover(path: Path, config: dict[str, Any], every: int = SNAPSHOT_EVERY) -> Recovered:
    """Open the journal (a new one gets `config`) and return the exchange after its last command.

    Raises JournalInUse, JournalDamaged, JournalTooNew, SnapshotRefused and StateDiverged.
    """
    snapshots = Snapshots(path, every)
    snapshots.end_orphan()
    newest = next(snapshots.found(), None)
    usable = newest if newest is not None and newest.usable else None
    notes: tuple[str, ...] = ()
    if newest is not None and usable is None:
        notes = (f"the snapshot of command {newest.header.seq} was made by another version: everything is replayed once",)
    try:
        journal = Journal(path, config, newest.header.position if newest else None, check_all=usable is None)
    except JournalMismatch as error:
        assert newest is not None
        raise _mismatch(newest, error) from error
    try:
        with _collector_off():
            if usable is None:
                state, projections = first_state(read_config(path)), Projections()
            else:
                state, projections = snapshots.restore(usable)
            from_seq = state.seq
            checkpoints = journal.checkpoints()
            _compare(path, state, checkpoints)
            _replay(path, state, projections, journal.read(from_seq), checkpoints)
    except BaseException:
        journal.close()
        raise
    return Recovered(journal, state, projections, snapshots, from_seq, notes)


def _mismatch(found: Found, error: JournalMismatch) -> SnapshotRefused:
    if error.is_short:
        remedy = "restore the journal from a copy; without one, deleting the snapshots accepts that those commands are lost"
    else:
        remedy = "`causeway verify` tells whether the journal is whole: if so delete the snapshots, else restore the journal"
    return SnapshotRefused(found.path, str(error), remedy)


def replay(path: Path, projections: Projections | None = None) -> State:
    """Return the state after a journal's last command, from the first one on, and fill `projections` on the way.

    Raises JournalDamaged, JournalTooNew and StateDiverged.
    """
    state = first_state(read_config(path))
    with _collector_off():
        _replay(path, state, projections, read_records(path), read_checkpoints(path))
    return state


def first_state(config: Mapping[str, Any]) -> State:
    """Return the exchange that a journal's header describes. Old headers lack what came later."""
    terms = {"signed_not_before_ms": 0, "pool_outflow_limit_micros": 0, "pool_outflow_window_s": 0, "contract_version": 1}
    return new_state(int(config["settle_deadline_s"]), **{name: int(config.get(name, old)) for name, old in terms.items()})


def _replay(
    path: Path,
    state: State,
    projections: Projections | None,
    records: Iterator[Record],
    checkpoints: Mapping[int, Checkpoint],
) -> None:
    for record in records:
        if isinstance(record, Checkpoint):
            continue
        events = apply(state, record)
        if projections is not None:
            projections.observe(state, record, events)
        if record.seq in checkpoints:
            _compare(path, state, checkpoints)


def _compare(path: Path, state: State, checkpoints: Mapping[int, Checkpoint]) -> None:
    """Compare with the checkpoint of the state's last command, if there is one that speaks of states as we know them."""
    checkpoint = checkpoints.get(state.seq)
    if checkpoint is None or checkpoint.state_format != STATE_FORMAT:
        return
    if checkpoint.state_hash != state_hash(state):
        raise StateDiverged(path, state.seq)


@contextmanager
def _collector_off() -> Iterator[None]:
    """Keep the garbage collector from walking over millions of objects that all stay."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
