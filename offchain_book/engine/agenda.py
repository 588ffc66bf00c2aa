"""What time does by itself, beside expiries, dead-man timers and closes: the entries of `State.agenda`, earliest first."""

from collections.abc import Callable, Mapping

from offchain_book.engine import fee_changes, hours, lifecycle, memory, resolution
from offchain_book.engine.events import Event
from offchain_book.engine.state import Due, State

_DO: Mapping[Due, Callable[[State, str, list[Event]], None]] = {
    Due.FEES: fee_changes.make_change,
    Due.FORGET: lambda state, _, events: memory.forget(state, events),
    Due.HOURS: lambda state, _, events: hours.turn(state, events),
    Due.MODE: lambda state, _, events: hours.end_mode(state, events),
    Due.OPEN: lifecycle.open_market,
    Due.RELEASE: resolution.release,
    Due.VOID: resolution.expire,
}


def do_next(state: State, events: list[Event]) -> None:
    """Do the earliest entry; its instant has come."""
    _, due, name = state.agenda.pop(0)
    _DO[due](state, name, events)
