"""When the exchange takes what: the mode that an operator sets, and the weekly hours with maintenance windows.

    open           everything
    post only      orders that cannot trade at once, cancels                     (mode)
    cancel only    cancels and decreases                                         (mode, or outside the trading hours)
    paused         nothing that touches an order or moves cash inside            (mode, or during maintenance)

Money may leave at all times: withdrawals, vault actions and exits are never refused here. The stricter of mode and hours
counts. Whatever stops trading cancels the orders that asked to be cancelled on a pause.
"""

from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine.cancels import cancel_for_pause
from offchain_book.engine.events import Event
from offchain_book.engine.listing import reject
from offchain_book.engine.market_commands import ExchangeMode, TradingHours
from offchain_book.engine.market_events import ExchangeModeChanged, SessionChanged, TradingHoursSet
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import Due, Session, State

MINUTE_MS = 60_000
WEEK_MINUTES = 7 * 1_440
_EPOCH_WEEKDAY = 3
"""1 January 1970 was a Thursday; weeks begin on Monday."""
_MAX_STEPS = 500
"""How many changes are looked at to find the next opening."""
MAX_RANGES = 1_000
"""Most sessions, windows or offsets in one set of hours."""

_CHANGES = (c.CancelOrder, c.CancelOrders, c.DecreaseOrder)
_ARRIVALS = (c.PlaceOrder, c.AmendOrder)
_GROUPS = (c.CreateOrderGroup, c.SetOrderGroupLimit, c.TriggerOrderGroup, c.ResetOrderGroup, c.DeleteOrderGroup)
_FROZEN = frozenset({*_CHANGES, *_ARRIVALS, *_GROUPS, c.TransferCash, c.SetNetting})
"""What a pause of the whole exchange refuses."""


def refuse(state: State, command: c.Command) -> list[Event] | None:
    """Refuse what mode or hours do not allow now. Called only while something is restricted."""
    if type(command) not in _FROZEN:
        return None
    if state.mode is ExchangeMode.PAUSED:
        return reject(RejectCode.EXCHANGE_PAUSED, resumes_ms=state.mode_until_ms)
    if state.session is Session.MAINTENANCE:
        return reject(RejectCode.MAINTENANCE, resumes_ms=next_opening_ms(state.hours, state.now_ms))
    if not isinstance(command, _ARRIVALS):
        return None
    if state.mode is ExchangeMode.CANCEL_ONLY:
        return reject(RejectCode.CANCEL_ONLY, resumes_ms=state.mode_until_ms)
    if state.session is Session.CLOSED:
        return reject(RejectCode.OUTSIDE_TRADING_HOURS, opens_ms=next_opening_ms(state.hours, state.now_ms))
    if state.mode is ExchangeMode.POST_ONLY and not _posts(state, command):
        return reject(RejectCode.POST_ONLY_MODE, resumes_ms=state.mode_until_ms)
    return None


def _posts(state: State, command: c.PlaceOrder | c.AmendOrder) -> bool:
    if isinstance(command, c.PlaceOrder):
        return command.post_only
    order = state.orders.get(command.order_id)
    return order is None or order.terms.post_only or command.price_e4 is None


def set_mode(state: State, command: m.SetExchangeMode) -> list[Event]:
    """Set the mode by hand, until further notice or until an instant."""
    if command.until_ms and (command.until_ms <= state.now_ms or command.mode is ExchangeMode.OPEN):
        return reject(RejectCode.INVALID_SCHEDULE, field="until_ms", value=command.until_ms)
    if state.mode_until_ms:
        state.agenda.discard((state.mode_until_ms, Due.MODE, ""))
    if command.until_ms:
        state.put_on_agenda(command.until_ms, Due.MODE)
    events: list[Event] = []
    _enter_mode(state, command.mode, command.until_ms, events)
    return events


def end_mode(state: State, events: list[Event]) -> None:
    """The mode's time is over: the exchange opens."""
    _enter_mode(state, ExchangeMode.OPEN, 0, events)


def _enter_mode(state: State, mode: ExchangeMode, until_ms: int, events: list[Event]) -> None:
    state.mode, state.mode_until_ms = mode, until_ms
    events.append(ExchangeModeChanged(mode, until_ms))
    _note_restrictions(state, events)


def set_hours(state: State, command: m.SetTradingHours) -> list[Event]:
    """Replace the trading hours; they count at once."""
    refused = _check(command.hours)
    if refused:
        return refused
    for entry in [entry for entry in state.agenda if entry[1] is Due.HOURS]:
        state.agenda.remove(entry)
    state.hours = command.hours
    events: list[Event] = [TradingHoursSet(len(command.hours.weeks), len(command.hours.maintenance))]
    turn(state, events)
    return events


def turn(state: State, events: list[Event]) -> None:
    """Bring the session in line with the hours, and note when to look again."""
    following = next_change_ms(state.hours, state.now_ms)
    if following:
        state.put_on_agenda(following, Due.HOURS)
    session = session_at(state.hours, state.now_ms)
    if session is not state.session:
        state.session = session
        events.append(SessionChanged(session, next_opening_ms(state.hours, state.now_ms)))
    _note_restrictions(state, events)


def _note_restrictions(state: State, events: list[Event]) -> None:
    state.restricted = state.mode is not ExchangeMode.OPEN or state.session is not Session.OPEN
    if not trading_is_active(state):
        cancel_for_pause(state, events)


def trading_is_active(state: State) -> bool:
    """Whether orders are taken at all."""
    return not state.frozen and state.session is Session.OPEN and state.mode in (ExchangeMode.OPEN, ExchangeMode.POST_ONLY)


def exchange_is_active(state: State) -> bool:
    """Whether anything is taken at all."""
    return state.session is not Session.MAINTENANCE and state.mode is not ExchangeMode.PAUSED


# --- the week ------------------------------------------------------------------------------------------------------------


def _check(hours: TradingHours) -> list[Event] | None:
    for name, ranges in (("weeks", hours.weeks), ("maintenance", hours.maintenance), ("offsets", hours.offsets)):
        if len(ranges) > MAX_RANGES:
            return reject(RejectCode.INVALID_SCHEDULE, field=name, value=len(ranges))
    for week in hours.weeks:
        if week.end_ms <= week.start_ms:
            return reject(RejectCode.INVALID_SCHEDULE, field="weeks.end_ms", value=week.end_ms)
        for opens, closes in week.sessions:
            if not 0 <= opens < closes <= WEEK_MINUTES or len(week.sessions) > MAX_RANGES:
                return reject(RejectCode.INVALID_SCHEDULE, field="weeks.sessions", value=f"{opens}..{closes}")
    for start, end in hours.maintenance:
        if end <= start:
            return reject(RejectCode.INVALID_SCHEDULE, field="maintenance", value=f"{start}..{end}")
    for (before, _), (after, _) in zip(hours.offsets, hours.offsets[1:], strict=False):
        if after <= before:
            return reject(RejectCode.INVALID_SCHEDULE, field="offsets", value=after)
    return None


def session_at(hours: TradingHours, at_ms: int) -> Session:
    """Return where the hours stand at an instant."""
    if any(start <= at_ms < end for start, end in hours.maintenance):
        return Session.MAINTENANCE
    if not hours.weeks:
        return Session.OPEN
    minute = _local_ms(hours, at_ms) // MINUTE_MS % WEEK_MINUTES
    weeks = [week for week in hours.weeks if week.start_ms <= at_ms < week.end_ms]
    trades = any(opens <= minute < closes for week in weeks for opens, closes in week.sessions)
    return Session.OPEN if trades else Session.CLOSED


def next_change_ms(hours: TradingHours, at_ms: int) -> int:
    """Return the next instant after this one at which the session may change, 0 for never."""
    edges = [edge for window in hours.maintenance for edge in window]
    edges += [edge for week in hours.weeks for edge in (week.start_ms, week.end_ms)]
    if hours.weeks:
        edges += [start for start, _ in hours.offsets]
    local = _local_ms(hours, at_ms)
    week_ms = WEEK_MINUTES * MINUTE_MS
    for week in hours.weeks:
        if week.start_ms <= at_ms < week.end_ms:
            into = local % week_ms
            edges += [
                at_ms + ((edge * MINUTE_MS - into) % week_ms or week_ms) for session in week.sessions for edge in session
            ]
    return min((edge for edge in edges if edge > at_ms), default=0)


def next_opening_ms(hours: TradingHours, at_ms: int) -> int:
    """Return the first instant from this one on at which the session is open, 0 when none is in sight."""
    for _ in range(_MAX_STEPS):
        if session_at(hours, at_ms) is Session.OPEN:
            return at_ms
        at_ms = next_change_ms(hours, at_ms)
        if not at_ms:
            break
    return 0


def _local_ms(hours: TradingHours, at_ms: int) -> int:
    """Return local time in milliseconds since a Monday, 00:00."""
    offset = hours.offsets[0][1] if hours.offsets else 0
    for start, minutes in hours.offsets:
        if start <= at_ms:
            offset = minutes
    return at_ms + (offset + _EPOCH_WEEKDAY * 1_440) * MINUTE_MS
