"""Drop copy over FIX: the ExecutionReports of an account's last three hours, by their ids, whatever door its orders came through."""

import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator

from offchain_book.gateways.fix_codec import Fields, payload
from offchain_book.gateways.fix_logon import HOUR_MS
from offchain_book.gateways.fix_message import Message, Refused
from offchain_book.gateways.fix_reports import EXECUTIONS, message_of
from offchain_book.gateways.fix_session import FixSession, Outgoing
from offchain_book.reports import Report, ReportKind, owner_of
from offchain_book.sequencer import Sequencer

LOOK_BACK_MS = 3 * HOUR_MS
MAX_REQUESTS = 10
"""Most requests in any `WINDOW_MS`."""
WINDOW_MS = 10_000
_EXEC_ID = re.compile(r"(\d{1,15});(\d{1,9})(?:;\d{1,9})?", re.ASCII)
_TOO_MANY, _TOO_SMALL, _TOO_LARGE = "1", "3", "4"
_LAST_PLACE = 10**9


class DropCopy:
    """The application of KalshiDC."""

    def __init__(self, sequencer: Sequencer, session: FixSession) -> None:
        self._sequencer = sequencer
        self._session = session
        account_id = session.logon.key.account_id
        self._account = sequencer.state.accounts[account_id]
        self._reports = sequencer.projections.reports_by_owner[owner_of(account_id)]
        self._answers: deque[Iterator[Outgoing]] = deque()
        self._asked_ms: deque[int] = deque(maxlen=MAX_REQUESTS)

    def pull(self, limit: int) -> list[Outgoing]:
        """Return the next messages of the oldest request."""
        found: list[Outgoing] = []
        while self._answers and len(found) < limit:
            message = next(self._answers[0], None)
            if message is None:
                self._answers.popleft()
            else:
                found.append(message)
        return found

    async def ready(self) -> None:
        """Always: requests are limited by time."""

    def on_message(self, message: Message) -> None:
        """Take an EventResendRequest (35=U1)."""
        if message.kind != "U1":
            self._session.refuse(message, 3, f"KalshiDC does not take messages of type {message.kind}")
            return
        first = _parsed(message, 21001)
        last = _parsed(message, 21002) if 21002 in message.values else None
        refused = self._refusal(first, last)
        if refused:
            self._session.send("U3", [(45, str(message.number)), (21004, refused)])
            return
        state = self._sequencer.state
        self._answers.append(self._answer(message.number, first, last or (state.seq, _LAST_PLACE)))
        self._session.wake()

    def _refusal(self, first: tuple[int, int], last: tuple[int, int] | None) -> str:
        """Return why a request cannot be met, empty when it can."""
        now_ms = self._sequencer.clock_ms()
        if len(self._asked_ms) == MAX_REQUESTS and now_ms - self._asked_ms[0] < WINDOW_MS:
            return _TOO_MANY
        self._asked_ms.append(now_ms)
        commands = self._sequencer.projections.commands
        if first[0] >= len(commands) or (last is not None and last[0] >= len(commands)):
            return _TOO_LARGE
        if first[0] < 1 or commands[first[0]][1] < now_ms - LOOK_BACK_MS:
            return _TOO_SMALL
        return ""

    def _answer(self, number: int, first: tuple[int, int], last: tuple[int, int]) -> Iterator[Outgoing]:
        count = 0
        for report in self._between(first, last):
            message = message_of(report, self._session.logon)
            if message is not None:
                count += 1
                yield message
        done: Fields = [(45, str(number)), (21003, str(count))]
        yield Outgoing("U2", payload(done))

    def _between(self, first: tuple[int, int], last: tuple[int, int]) -> Iterator[Report]:
        made = self._reports
        for place in range(bisect_left(made, first, key=_place), bisect_right(made, last, key=_place)):
            report = made[place]
            mine = not self._account.parent or report.account_id == self._account.account_id
            if mine and report.kind in EXECUTIONS and report.kind is not ReportKind.REFUSED:
                yield report


def _place(report: Report) -> tuple[int, int]:
    return report.seq, report.place


def _parsed(message: Message, tag: int) -> tuple[int, int]:
    """Return an ExecID as (command, place). Raises Refused."""
    found = _EXEC_ID.fullmatch(message.text(tag))
    if found is None:
        raise Refused(6, f"tag {tag} must be an ExecID such as 120;0, not '{message.text(tag)[:30]}'", tag)
    return int(found[1]), int(found[2])
