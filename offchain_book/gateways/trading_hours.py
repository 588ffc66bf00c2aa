"""Weekly timetables between people's words (days, clock times, time zones) and the engine's minutes and offsets."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from offchain_book.engine.market_commands import Week

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_MINUTES = 1_440
Clock = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
"""A time of day. As a session's end, 00:00 is the end of the day."""
Sessions = list[tuple[str, str]]


def session_minutes(hours: Mapping[str, Sequence[tuple[str, str]]]) -> tuple[tuple[int, int], ...]:
    """Return a timetable's sessions in minutes since Monday 00:00, those that touch joined."""
    found: list[tuple[int, int]] = []
    for day, sessions in ((DAYS.index(day), sessions) for day, sessions in hours.items()):
        for opens, closes in sessions:
            end = _minutes(closes) or DAY_MINUTES
            found.append((day * DAY_MINUTES + _minutes(opens), day * DAY_MINUTES + end))
    joined: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if joined and start == joined[-1][1]:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)


def week_view(week: Week) -> dict[str, Sessions]:
    """Return a week's sessions by day; a session over midnight is cut there."""
    view: dict[str, Sessions] = {day: [] for day in DAYS}
    for start, end in week.sessions:
        while start < end:
            day = start // DAY_MINUTES
            stop = min(end, (day + 1) * DAY_MINUTES)
            view[DAYS[day]].append((_clock(start), _clock(stop)))
            start = stop
    return view


def offsets_of(zone: ZoneInfo, start: datetime, end: datetime) -> tuple[tuple[int, int], ...]:
    """Return (instant in ms, minutes ahead of UTC) at the start and at each change, to the minute."""
    found = [(_ms(start), _ahead(zone, start))]
    at = start
    while at < end:
        following = min(at + timedelta(days=1), end)
        if _ahead(zone, following) != found[-1][1]:
            found.append((_ms(_change(zone, at, following)), _ahead(zone, following)))
        at = following
    return tuple(found)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the first minute with the later instant's offset."""
    while after - before > timedelta(minutes=1):
        middle = before + (after - before) / 2
        middle -= timedelta(seconds=middle.second, microseconds=middle.microsecond)
        if _ahead(zone, middle) == _ahead(zone, before):
            before = middle
        else:
            after = middle
    return after


def _ahead(zone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) // 60


def _ms(at: datetime) -> int:
    return int(at.timestamp()) * 1_000


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"
