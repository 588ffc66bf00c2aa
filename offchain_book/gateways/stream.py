"""The hub of all WebSocket streams: what happened, once, to everybody who asked for it. Read me first.

The sequencer calls the hub with every durable command. The hub makes facts of it (`stream_facts`), numbers them, keeps the
newest for clients that come back, and sends them in turns of its own, so that the book never waits for a reader. A dialect
puts a fact into words once; what differs per subscription is only the envelope around it.

A client that does not read leaves a backlog in its own connection. When that passes its bound the client is cut off with
code 1013 and a reason; the others notice nothing.
"""

import asyncio
import logging
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from offchain_book.config import StreamLimits
from offchain_book.engine.commands import Sequenced
from offchain_book.engine.events import Event
from offchain_book.gateways.stream_facts import (
    PRIVATE,
    STATES,
    BookChanged,
    Fact,
    FactMaker,
    KeyEnded,
    handed_in_by,
    subject,
)
from offchain_book.sequencer import Sequencer

_log = logging.getLogger(__name__)
TRY_AGAIN_LATER = 1013
"""Close code (IANA): the client left too much unread, or the hub itself fell behind. Come back, and read faster."""
POLICY_VIOLATION = 1008
"""Close code: the client may not have what it asked for, or may no longer."""
GOING_AWAY = 1001
SLICE_S = 0.005
"""How long the hub sends before other work gets the loop; then it rests for as long, so the book has half of the loop at
least, and what comes meanwhile reaches each client in one write."""
_END_OF_COMMAND = 1 << 30


class BadCursor(ValueError):
    """A cursor that this hub never gave out."""


class Cursor(tuple[int, int]):
    """A place in the numbered facts: (command, fact of that command). `str` is what clients keep."""

    @classmethod
    def after(cls, seq: int) -> "Cursor":
        """Return the place behind everything that a command caused."""
        return cls((seq, _END_OF_COMMAND))

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read a cursor. Raises BadCursor."""
        seq, dot, index = text.partition(".")
        parts = (seq, index) if dot else (seq,)
        if not all(part.isascii() and part.isdigit() and len(part) <= 15 for part in parts):
            raise BadCursor(text[:40])
        return cls((int(seq), int(index) if dot else _END_OF_COMMAND))

    def __str__(self) -> str:
        return str(self[0]) if self[1] == _END_OF_COMMAND else f"{self[0]}.{self[1]}"


class Publication:
    """One fact on its way: its place, the venue time of its command, and its words in each dialect that was asked."""

    __slots__ = ("_words", "at_ms", "cursor", "fact")

    def __init__(self, cursor: Cursor, at_ms: int, fact: Fact) -> None:
        self.cursor = cursor
        self.at_ms = at_ms
        self.fact = fact
        self._words: dict[object, bytes] | None = None

    def words(self, encoder: "Callable[[Publication], bytes]") -> bytes:
        """Return the fact as `encoder` writes it; it writes once."""
        known = self._words
        if known is None:
            known = self._words = {}
        found = known.get(encoder)
        if found is None:
            found = known[encoder] = encoder(self)
        return found

    def forget_words(self) -> None:
        """Everybody has it: keep the fact only."""
        self._words = None


class Told(NamedTuple):
    """What one command caused, as it is kept. A place and words of its own are given to a fact when somebody wants it."""

    seq: int
    at_ms: int
    facts: list[Fact]

    def publications(self, start: int = 0) -> list[Publication]:
        """Return the facts from `start` on."""
        return [Publication(Cursor((self.seq, at)), self.at_ms, self.facts[at]) for at in range(start, len(self.facts))]


class Wire(Protocol):
    """A connection, as `stream_wire` implements it."""

    def write_text(self, payload: bytes) -> None:
        """Queue a text message. It never waits."""

    def write_frame(self, frame: bytes) -> None:
        """Queue a frame that is built already."""

    def backlog(self) -> int:
        """Return how many bytes the peer has not taken yet."""

    async def drained(self) -> None:
        """Wait until the peer has taken most of them, or is gone."""

    def cut(self, code: int, reason: str, grace_s: float) -> None:
        """Say why, and end the connection; what is queued may still be read for `grace_s` seconds."""


class Sink(Protocol):
    """Somebody who wants facts."""

    def take(self, publication: Publication) -> None:
        """Take a fact of a topic that was asked for."""


Topic = tuple[type, str]
"""A kind of fact, and whose: a ticker or an account (without its subaccount number); empty is all of them."""


def topic_of(fact: Fact) -> Topic:
    """Return the topic that a fact belongs to."""
    return type(fact), fact[0].partition("/")[0] if isinstance(fact, PRIVATE) else fact[0]


def handed_in(account_id: str) -> str:
    """Return the topic key of orders that an account's API key handed in for contract wallets. No account's own has a slash."""
    return f"{account_id}/handed in"


class Client:
    """One open connection: writes what the dialect's session sends, and is cut off when its peer does not read."""

    def __init__(self, wire: Wire, limits: StreamLimits, user: str) -> None:
        self.user = user
        self.key_id = ""
        self._wire = wire
        self._limits = limits
        self._allowance = float(limits.commands_per_s)
        self._allowance_at = time.monotonic()
        self.closed = False
        self.on_slow: Callable[[], None] = lambda: None
        """Says goodbye in the dialect's own words to a client that reads too slowly."""

    def send(self, payload: bytes) -> None:
        """Queue a text message."""
        if not self.closed:
            self._wire.write_text(payload)
            self._check()

    def send_frame(self, frame: bytes) -> None:
        """Queue a frame that is built already."""
        if not self.closed:
            self._wire.write_frame(frame)
            self._check()

    async def caught_up(self) -> None:
        """Wait until the peer has taken most of what waits, when that is half of what may. For who sends much at once."""
        if self._wire.backlog() * 2 > self._limits.backlog_bytes:
            await self._wire.drained()

    def may_command(self) -> bool:
        """Count one message from the client; False when they come too fast."""
        now, rate = time.monotonic(), self._limits.commands_per_s
        self._allowance = min(rate, self._allowance + (now - self._allowance_at) * rate)
        self._allowance_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def cut(self, code: int, reason: str) -> None:
        """End the connection with a code."""
        if not self.closed:
            self.closed = True
            self._wire.cut(code, reason, self._limits.grace_s)

    def _check(self) -> None:
        waits = self._wire.backlog()
        if waits > self._limits.backlog_bytes:
            self.on_slow()
            self.cut(TRY_AGAIN_LATER, f"slow consumer: {waits} bytes unread, {self._limits.backlog_bytes} allowed")

    def last_word(self, payload: bytes) -> None:
        """Queue a message that the backlog's bound does not stop. For `on_slow`."""
        self._wire.write_text(payload)


class TooMany(Exception):
    """One connection more than is allowed. `mine` tells whether it is the user's bound or the venue's."""

    def __init__(self, message: str, mine: bool) -> None:
        super().__init__(message)
        self.mine = mine


class Hub:
    """All streams of one venue. It lives in the event loop's thread."""

    def __init__(self, sequencer: Sequencer, limits: StreamLimits | None = None) -> None:
        self.sequencer = sequencer
        self.limits = limits or StreamLimits()
        self._maker = FactMaker(sequencer.state, sequencer.projections)
        self._topics: dict[Topic, dict[Sink, None]] = {}
        self._clients: dict[Client, None] = {}
        self._per_user: Counter[str] = Counter()
        self._waiting: deque[Publication] = deque()
        self._scheduled = False
        self._rested_at = 0.0
        self._history: deque[Told] = deque()
        self._kept = 0
        """Facts in the history."""
        self._floor = Cursor.after(sequencer.state.seq)
        """What came before or at it is not kept."""
        self.changed: dict[str, int] = {}
        """Ticker -> the last command that changed its book, since this start."""
        sequencer.subscribe(self.observe)

    # --- connections -------------------------------------------------------------------------------------------------

    def join(self, client: Client) -> None:
        """Count a new connection. Raises TooMany."""
        limits = self.limits
        if len(self._clients) >= limits.connections:
            raise TooMany(f"the venue has {limits.connections} streams open, which is its bound", mine=False)
        self._check_user(client.user)
        self._clients[client] = None
        self._per_user[client.user] += 1

    def rename(self, client: Client, user: str) -> None:
        """A client said who it is: count it there. Raises TooMany."""
        self._check_user(user)
        self._per_user[client.user] -= 1
        self._per_user[user] += 1
        client.user = user

    def _check_user(self, user: str) -> None:
        bound = self.limits.connections_per_user
        if self._per_user[user] >= bound:
            raise TooMany(f"{user} has {bound} streams open, which is the bound", mine=True)

    def leave(self, client: Client) -> None:
        """Forget a connection."""
        client.closed = True
        if client in self._clients:
            del self._clients[client]
            self._per_user[client.user] -= 1
            if not self._per_user[client.user]:
                del self._per_user[client.user]

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._clients)

    # --- topics ------------------------------------------------------------------------------------------------------

    def listen(self, sink: Sink, kind: type, key: str = "") -> None:
        """Give a sink every fact of a topic from now on. Call `flush` first where the order with a snapshot matters."""
        self._topics.setdefault((kind, key), {})[sink] = None

    def unlisten(self, sink: Sink, kind: type, key: str = "") -> None:
        """Take a topic away from a sink."""
        sinks = self._topics.get((kind, key), {})
        sinks.pop(sink, None)
        if not sinks:
            self._topics.pop((kind, key), None)

    @property
    def now(self) -> Cursor:
        """The place behind everything that has happened."""
        return Cursor.after(self.sequencer.state.seq)

    def book_clock(self, ticker: str) -> int:
        """Return the last command that changed a book, as far as this start knows; 0 for a book that was always empty."""
        known = self.changed.get(ticker)
        if known is not None:
            return known
        return self._floor[0] if len(self.sequencer.state.markets[ticker].book) else 0

    def since(self, cursor: Cursor, wanted: Callable[[Publication], bool]) -> list[Publication] | None:
        """Return what happened after a place, or None when not all of it is kept, or it is too much to send at once.

        Of facts about what is, only the newest of each subject is there.
        """
        if not self._floor <= cursor <= self.now:
            return None
        seq, index = cursor
        first = bisect_left(self._history, seq, key=lambda told: told.seq)
        later = (
            one
            for told in islice(self._history, first, None)
            for one in told.publications(index + 1 if told.seq == seq else 0)
        )
        found = [publication for publication in later if wanted(publication)]
        newest = {(type(one.fact), subject(one.fact)): one for one in found if isinstance(one.fact, STATES)}
        kept = [one for one in found if not isinstance(one.fact, STATES) or newest[type(one.fact), subject(one.fact)] is one]
        return kept if len(kept) <= self.limits.replay else None

    # --- sending -----------------------------------------------------------------------------------------------------

    def observe(self, entry: Sequenced, events: Sequence[Event]) -> None:
        """Take in a command and what it caused."""
        facts = self._maker.facts(entry, events)
        if facts:
            self._keep(Told(entry.seq, entry.at_ms, facts))
        if len(self._waiting) > self.limits.pending:
            self._give_up()
        elif self._waiting and not self._scheduled:
            self._schedule()

    def _keep(self, told: Told) -> None:
        for fact in told.facts:
            if type(fact) is BookChanged:
                self.changed[fact.ticker] = told.seq
        self._history.append(told)
        self._kept += len(told.facts)
        if self._topics or self._clients:
            self._waiting.extend(told.publications())
        while self._kept > self.limits.history:
            oldest = self._history.popleft()
            self._kept -= len(oldest.facts)
            self._floor = Cursor.after(oldest.seq)

    def _schedule(self) -> None:
        """Send soon: at once after a quiet time, otherwise when the last turn's rest is over."""
        self._scheduled = True
        loop = asyncio.get_running_loop()
        if self._rested_at > loop.time():
            loop.call_at(self._rested_at, self._send_slice, loop)
        else:
            loop.call_soon(self._send_slice, loop)

    def _send_slice(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send for a moment, then let others work."""
        started = loop.time()
        while self._waiting and loop.time() < started + SLICE_S:
            self._send(self._waiting.popleft())
        loop.call_soon(self._end_slice, loop, started)

    def _end_slice(self, loop: asyncio.AbstractEventLoop, started: float) -> None:
        """The loop has come round, so the writes of this turn are done: rest for as long as they took."""
        now = loop.time()
        self._rested_at = 2 * now - started
        self._scheduled = False
        if self._waiting:
            self._schedule()

    def flush(self) -> None:
        """Send everything that waits, so that what is read from the state now is in step with what was sent."""
        while self._waiting:
            self._send(self._waiting.popleft())

    def _send(self, publication: Publication) -> None:
        """Give a fact to everybody who wants it. A bug of ours costs the readers their connections, not the venue its streams."""
        kind, key = topic_of(publication.fact)
        try:
            sender = handed_in_by(publication.fact)
            for topic in ((kind, key), (kind, ""), *([(kind, handed_in(sender))] if sender else ())):
                for sink in tuple(self._topics.get(topic, ())):
                    sink.take(publication)
        except Exception:
            _log.exception("a fact of command %d could not be told: %s", publication.cursor[0], kind.__name__)
            self._give_up()
        if isinstance(publication.fact, KeyEnded):
            self._end_key(publication.fact.key_id)
        publication.forget_words()

    def _end_key(self, key_id: str) -> None:
        for client in [client for client in self._clients if client.key_id == key_id]:
            client.cut(POLICY_VIOLATION, "the API key of this connection was revoked")

    def _give_up(self) -> None:
        """More waits than may, or it cannot be told: the book goes on, every reader has to come back and resume or take a
        snapshot."""
        _log.error("%d facts were not sent; every connection is closed", len(self._waiting))
        self._waiting.clear()
        for client in list(self._clients):
            client.cut(TRY_AGAIN_LATER, "the streams fell behind; connect again and resume")
