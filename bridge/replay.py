"""A journal becomes the state it leads to. Light on purpose: `causeway replay` needs no chain and no web framework."""

from pathlib import Path

from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.state import State
from offchain_book.journal import read, read_config
from offchain_book.projections import Projections


def replay(path: Path, projections: Projections | None = None) -> State:
    """Return the state after a journal's last command, and fill `projections` on the way. Raises JournalDamaged."""
    config = read_config(path)
    state = new_state(int(config["settle_deadline_s"]), int(config["signed_not_before_ms"]))
    for entry in read(path):
        events = apply(state, entry)
        if projections is not None:
            projections.observe(state, entry, events)
    return state
