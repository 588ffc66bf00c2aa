"""One FIX session on one connection: numbers, gaps, heartbeats, resends, the way out. It knows nothing of orders.

Three tasks share a session. The reader checks each message's number and hands it on; the writer alone numbers what goes out,
stores it where the session keeps its messages, and writes it; the watcher sends heartbeats and notices silence. What an
application has to say is pulled by the writer when the connection can take it, so a slow reader costs nobody anything.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from offchain_book.gateways.fix_codec import Fields, Framer, TooLong, encode, parse, payload, time_text
from offchain_book.gateways.fix_logon import HOUR_MS, Logon, check_time
from offchain_book.gateways.fix_message import LATER, MAX_NUMBER, Message, Refused
from offchain_book.gateways.fix_store import FixStore, Progress, Sent
from offchain_book.gateways.fix_words import explained

_log = logging.getLogger(__name__)
READ_BYTES = 65_536
BATCH = 500
"""Most messages that are numbered, stored and written at once."""
MAX_WAITING = 2_000
"""Most answers that wait for the writer; beyond it nothing more is read."""
SLOW_S = 10
"""A client that takes nothing for so long is cut off."""
LINGER_S = 2
"""How long a Logout waits for the other side to close."""
BUFFER_BYTES = 262_144
_ADMIN = frozenset("A012345")


class Outgoing(NamedTuple):
    """A message without its number. `extra` are header fields."""

    kind: str
    body: str
    extra: str = ""


class _Resend(NamedTuple):
    first: int
    last: int


class Application(Protocol):
    """What a session carries."""

    def on_message(self, message: Message) -> None:
        """Take a message whose number is right. Raises Refused."""

    def pull(self, limit: int) -> list[Outgoing]:
        """Return what has to be said next, at most about `limit` messages; nothing when there is nothing."""

    async def ready(self) -> None:
        """Wait until more messages may come in."""


class FixSession:
    """A session that has logged on. `run` is its whole life."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        framer: Framer,
        logon: Logon,
        progress: Progress,
        store: FixStore,
        now_ms: Callable[[], int],
    ) -> None:
        self.logon = logon
        self.progress = progress
        self.application: Application
        self._reader, self._writer, self._framer = reader, writer, framer
        self._store = store
        self._now_ms = now_ms
        self._outbox: deque[Outgoing | _Resend] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._ending = False
        self.is_over = False
        """One side has ended it."""
        self._asked_until = 0
        self._tidied_ms = now_ms()
        self._loop = asyncio.get_running_loop()
        self._heard = self._said = self._loop.time()
        self._tested = 0.0
        writer.transport.set_write_buffer_limits(high=BUFFER_BYTES)

    # --- for the application ----------------------------------------------------------------------------------------------

    def send(self, kind: str, fields: Fields, extra: str = "") -> None:
        """Say something soon."""
        self._outbox.append(Outgoing(kind, payload(fields), extra))
        self._wake.set()

    def wake(self) -> None:
        """The application has something to say: pull it."""
        self._wake.set()

    def refuse(self, message: Message, reason: int, text: str, reference: str = "") -> None:
        """Answer with a BusinessMessageReject (35=j); `reason` is BusinessRejectReason."""
        named: Fields = [(379, reference)] if reference else []
        self.send(
            "j",
            [
                (45, str(message.number)),
                (372, message.kind),
                *named,
                (380, str(reason)),
                (58, explained(text, "FIX_BUSINESS_REJECT")),
            ],
        )

    def end(self, text: str = "") -> None:
        """Log out and close."""
        if not self._ending:
            self.send("5", [(58, explained(text, "FIX_LOGOUT"))] if text else [])
            self._ending = self.is_over = True

    # --- life -------------------------------------------------------------------------------------------------------------

    async def run(self, early: Sequence[str]) -> None:
        """Live until one side ends it. `early` are messages that came with the Logon."""
        parts = [self._loop.create_task(part) for part in (self._read(early), self._write(), self._watch())]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            self.is_over = True
            if self._ending:
                await asyncio.wait([parts[1]], timeout=SLOW_S)
                parts[0].cancel()
                await asyncio.wait([parts[0]])
                await self._linger()
        finally:
            for part in parts:
                part.cancel()
            for outcome in await asyncio.gather(*parts, return_exceptions=True):
                if isinstance(outcome, Exception) and not isinstance(outcome, OSError | TimeoutError):
                    _log.error("session %s failed", self.logon.name, exc_info=outcome)
            self._writer.transport.abort()

    async def _linger(self) -> None:
        """Let the other side read the Logout: closing with unread input would take it away from it."""
        try:
            async with asyncio.timeout(LINGER_S):
                while await self._reader.read(READ_BYTES):
                    pass
        except (OSError, TimeoutError):
            return

    # --- in ---------------------------------------------------------------------------------------------------------------

    async def _read(self, early: Sequence[str]) -> None:
        for text in early:
            self._take(text)
        while not self._ending:
            data = await self._reader.read(READ_BYTES)
            if not data:
                return
            self._heard = self._loop.time()
            try:
                for text in self._framer.feed(data):
                    if not self._ending:
                        self._take(text)
            except TooLong as error:
                self.end(str(error))
            await self.application.ready()
            while len(self._outbox) > MAX_WAITING:
                self._room.clear()
                await self._room.wait()

    def _take(self, text: str) -> None:
        message = Message(parse(text))
        try:
            if not message.number:
                self.end("MsgSeqNum<34> is missing or no positive number")
            elif self._in_turn(message):
                self.progress.next_in = message.number + 1
                self._check(message)
                self._handle(message)
        except Refused as error:
            self._reject(message, error)
            if error.reason == 9:
                self.end(str(error))

    def _in_turn(self, message: Message) -> bool:
        """Whether a message is the one that is expected next; deals with those that are not."""
        expected, number = self.progress.next_in, message.number
        if message.kind == "4" and message.values.get(123) != "Y":
            self._reset(message)
            return False
        if number == expected:
            return True
        if number < expected:
            if message.values.get(43) != "Y":
                self.end(f"MsgSeqNum too low, expecting {expected} but received {number}")
            return False
        if not self.logon.service.keeps:
            self.end(
                f"MsgSeqNum too high, expecting {expected} but received {number}: {self.logon.service} cannot ask for what is "
                "missing; log on again with ResetSeqNumFlag<141>=Y"
            )
            return False
        if message.kind == "2":
            self._check(message)
            self._resend(message)
        elif message.kind == "5":
            self.end()
        self.ask(number)
        return False

    def ask(self, until: int) -> None:
        """Ask for everything from the message that is expected on; `until` was seen."""
        expected = self.progress.next_in
        if expected > self._asked_until:
            self.send("2", [(7, str(expected)), (16, "0")])
        self._asked_until = max(self._asked_until, until)

    def _check(self, message: Message) -> None:
        values = message.values
        if values.get(49) != self.logon.key.key_id or values.get(56) != self.logon.service:
            raise Refused(9, "SenderCompID<49> and TargetCompID<56> must be those of the Logon", 49)
        if message.kind not in LATER:
            message.check()
        check_time(message, self._now_ms())
        if message.flag(43):
            first = message.instant_ms(122)
            if first is None:
                raise Refused(1, "OrigSendingTime<122> is missing beside PossDupFlag<43>=Y", 122)
            if first > (message.instant_ms(52) or 0):
                raise Refused(10, "OrigSendingTime<122> is after SendingTime<52>", 122)

    def _handle(self, message: Message) -> None:
        match message.kind:
            case "0":
                return
            case "1":
                self.send("0", [(112, message.text(112))])
            case "2":
                self._resend(message)
            case "3" | "j":
                _log.warning("session %s: the client refused a message: %s", self.logon.name, message.values.get(58, ""))
            case "4":
                self._fill_gap(message)
            case "5":
                self.end()
            case "A":
                self.end("this session is logged on already")
            case kind if kind in LATER:
                self.refuse(message, 3, "requests for quotes are not built in this venue yet")
            case _:
                self.application.on_message(message)

    def _reject(self, message: Message, error: Refused) -> None:
        tag: Fields = [(371, str(error.tag))] if error.tag else []
        kind: Fields = [(372, message.kind)] if message.kind else []
        self.send(
            "3",
            [
                (45, str(message.number)),
                *tag,
                *kind,
                (373, str(error.reason)),
                (58, explained(str(error), "FIX_SESSION_REJECT")),
            ],
        )

    def _need_kept(self, message: Message) -> None:
        if not self.logon.service.keeps:
            raise Refused(11, f"{self.logon.service} keeps no messages: type {message.kind} is for KalshiRT and KalshiPT")

    def _fill_gap(self, message: Message) -> None:
        self._need_kept(message)
        until = message.required_integer(36, 1, MAX_NUMBER)
        if until <= message.number:
            raise Refused(5, f"NewSeqNo<36> must be above {message.number}, not {until}", 36)
        self.progress.next_in = until

    def _reset(self, message: Message) -> None:
        """Reset mode: the client's next message has this number, whatever is lost. Numbers never go back."""
        self._check(message)
        self._need_kept(message)
        until = message.required_integer(36, 1, MAX_NUMBER)
        if until < self.progress.next_in:
            raise Refused(5, f"NewSeqNo<36> must be {self.progress.next_in} or more, not {until}", 36)
        self.progress.next_in = until

    def _resend(self, message: Message) -> None:
        self._need_kept(message)
        first = message.required_integer(7, 1, MAX_NUMBER)
        last = message.required_integer(16, 0, MAX_NUMBER)
        if last and last < first:
            raise Refused(5, f"EndSeqNo<16> must be 0 or at least {first}, not {last}", 16)
        if first < self.progress.kept_from:
            raise Refused(5, f"messages before {self.progress.kept_from} are not kept any more", 7)
        self._outbox.append(_Resend(first, last))
        self._wake.set()

    # --- out --------------------------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        while not (self._ending and not self._outbox):
            await self._wake.wait()
            self._wake.clear()
            while batch := self._next_batch():
                if isinstance(batch, _Resend):
                    await self._send_again(batch)
                else:
                    await self._send(batch)
                self._room.set()

    def _next_batch(self) -> list[Outgoing] | _Resend:
        """Return what goes out next: answers in their order, a resend alone, else what the application has to say."""
        outbox = self._outbox
        if not outbox:
            return [] if self._ending else self.application.pull(BATCH)
        batch: list[Outgoing] = []
        while outbox and len(batch) < BATCH:
            item = outbox.popleft()
            if isinstance(item, Outgoing):
                batch.append(item)
            elif batch:
                outbox.appendleft(item)
                break
            else:
                return item
        return batch

    async def _send(self, batch: Sequence[Outgoing]) -> None:
        """Number, store where messages are kept, write."""
        progress, now_ms = self.progress, self._now_ms()
        sent, sender, target = time_text(now_ms), self.logon.service.value, self.logon.key.key_id
        data: list[bytes] = []
        kept: list[Sent] = []
        for kind, body, extra in batch:
            number = progress.next_out
            progress.next_out += 1
            data.append(encode(kind, number, sender, target, sent, body, extra))
            if kind not in _ADMIN:
                kept.append(Sent(number, now_ms, kind, sent, body))
        if self.logon.service.keeps:
            await self._store.save(progress, kept)
        await self._transmit(data)
        if self.logon.service.keeps and now_ms >= self._tidied_ms + HOUR_MS:
            await self.tidy()

    async def tidy(self) -> None:
        """Forget messages that are older than the session's retention."""
        self._tidied_ms = self._now_ms()
        highest = await self._store.forget(self.progress.name, self._tidied_ms - self.progress.retention_ms)
        self.progress.kept_from = max(self.progress.kept_from, highest + 1)

    async def _transmit(self, data: Sequence[bytes]) -> None:
        self._writer.write(b"".join(data))
        self._said = self._loop.time()
        try:
            async with asyncio.timeout(SLOW_S):
                await self._writer.drain()
        except TimeoutError:
            _log.warning("session %s took nothing for %d s and was cut off", self.logon.name, SLOW_S)
            self._writer.transport.abort()
            raise

    async def _send_again(self, asked: _Resend) -> None:
        """Send stored messages of a range again, and say which numbers carry nothing that counts."""
        end = self.progress.next_out - 1
        last = min(asked.last or end, end)
        number = asked.first
        while number <= last:
            upto = min(number + BATCH - 1, last)
            stored = await self._store.messages(self.progress.name, number, upto)
            data: list[bytes] = []
            for message in stored:
                data += self._gap(number, message.number)
                data.append(self._again(message))
                number = message.number + 1
            data += self._gap(number, upto + 1)
            number = upto + 1
            await self._transmit(data)

    def _again(self, message: Sent) -> bytes:
        extra = payload([(43, "Y"), (122, message.sent)])
        return self._encoded(message.kind, message.number, message.body, extra)

    def _gap(self, first: int, new: int) -> list[bytes]:
        """Return a gap fill for the numbers from `first` to before `new`."""
        if first >= new:
            return []
        extra = payload([(43, "Y"), (122, time_text(self._now_ms()))])
        return [self._encoded("4", first, payload([(123, "Y"), (36, str(new))]), extra)]

    def _encoded(self, kind: str, number: int, body: str, extra: str) -> bytes:
        names = (self.logon.service.value, self.logon.key.key_id)
        return encode(kind, number, *names, time_text(self._now_ms()), body, extra)

    # --- silence ----------------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Send a heartbeat when nothing else was said; ask a silent client, and leave when it stays silent."""
        beat = self.logon.heartbeat_s
        while True:
            heard = max(self._heard, self._tested)
            patience = beat if self._tested > self._heard else beat * 1.2
            now = self._loop.time()
            await asyncio.sleep(max(0.001, min(self._said + beat, heard + patience) - now))
            now = self._loop.time()
            if now >= self._said + beat:
                self._said = now
                self.send("0", [])
            if now >= max(self._heard, self._tested) + patience:
                if self._tested > self._heard:
                    _log.warning("session %s fell silent and was closed", self.logon.name)
                    self._writer.transport.abort()
                    return
                self._tested = now
                self.send("1", [(112, f"TEST-{self._now_ms()}")])
