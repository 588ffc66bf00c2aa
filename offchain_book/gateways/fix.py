"""FIX in Kalshi's dialect: six ports, a session per connection. Read me first; then `fix_session.py`, then `fix_orders.py`.

A connection logs on (`fix_logon.py`), gets a session and the application of its port. The gateway only knows who is connected
and wakes those whom a command concerns. FIXT.1.1 with FIX 5.0 SP2; `docs/fix.md` lists messages and tags.
"""

import asyncio
import logging
import secrets
import socket
import ssl
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from offchain_book.engine import commands as c
from offchain_book.engine import events as e
from offchain_book.engine import market_events as me
from offchain_book.gateways.credentials import wall_clock_ms
from offchain_book.gateways.fix_codec import Framer, TooLong, encode, parse, payload, time_text
from offchain_book.gateways.fix_drop_copy import DropCopy
from offchain_book.gateways.fix_logon import WINDOW_MS, Logon, LogonRefused, Service, check_logon
from offchain_book.gateways.fix_market_data import MarketData
from offchain_book.gateways.fix_message import Message
from offchain_book.gateways.fix_orders import OrderEntry
from offchain_book.gateways.fix_post_trade import PostTrade, settled_so_far
from offchain_book.gateways.fix_session import LINGER_S, READ_BYTES, FixSession
from offchain_book.gateways.fix_store import FixStore, Progress
from offchain_book.gateways.fix_words import explained
from offchain_book.reports import owner_of
from offchain_book.sequencer import Sequencer, Unavailable

_log = logging.getLogger(__name__)
LOGON_S = 10
"""How long a new connection may take to log on."""
MAX_CONNECTIONS = 500
"""Most connections of all ports together, those that have not logged on included."""
STOP_S = 5


class PortTaken(Exception):
    """A FIX port cannot be had."""


def listen(host: str, first_port: int) -> dict[Service, socket.socket]:
    """Bind the six ports from the first one on; any free ones when it is 0. Raises PortTaken."""
    found: dict[Service, socket.socket] = {}
    for place, service in enumerate(Service):
        port = first_port + place if first_port else 0
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found[service] = listener
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError as error:
            for bound in found.values():
                bound.close()
            reason = error.strerror or str(error)
            raise PortTaken(
                f"FIX port {port} ({service}) is taken: choose another first of six ports with --fix-port ({reason})"
            ) from None
        except OverflowError:
            for bound in found.values():
                bound.close()
            raise PortTaken(f"--fix-port must leave room for six ports: {first_port} is too high") from None
    return found


class FixGateway:
    """All FIX sessions of one venue."""

    def __init__(
        self,
        sequencer: Sequencer,
        store: FixStore,
        tls: ssl.SSLContext | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._sequencer = sequencer
        self._store = store
        self._tls = tls
        self._now_ms = now_ms
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._by_key: dict[str, FixSession | None] = {}
        """API key -> its session; None while it is being set up."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """API key -> the task of its connection."""
        self._by_owner: dict[str, set[FixSession]] = defaultdict(set)
        self._market_data: set[MarketData] = set()
        self._used: dict[bytes, int] = {}
        """Signature of a Logon that came in -> when; as long as its SendingTime would let it in again."""

    # --- life -------------------------------------------------------------------------------------------------------------

    async def start(self, listeners: Mapping[Service, socket.socket]) -> None:
        """Cancel what sessions left behind that died with the venue, then take connections."""
        for progress in await self._store.cancelling():
            if await self._end_session(progress.name, progress.cancels):
                progress.cancels = ""
                await self._store.save(progress)
        self._sequencer.subscribe(self._observe)
        for service, listener in listeners.items():
            server = await asyncio.start_server(self._acceptor(service), sock=listener, ssl=self._tls)
            self._servers.append(server)

    async def stop(self) -> None:
        """Log everybody out and wait until their orders are cancelled where they wished it."""
        for server in self._servers:
            server.close()
        for session in self._by_key.values():
            if session is not None:
                session.end("the venue stops")
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=STOP_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._store.close()

    def _acceptor(self, service: Service) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(self._connections) >= MAX_CONNECTIONS:
                writer.transport.abort()
                return
            task = asyncio.get_running_loop().create_task(self._serve(service, reader, writer))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

        return accept

    async def _serve(self, service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(service, reader, writer)
        except (OSError, TimeoutError, TooLong):
            return
        except Exception:
            _log.exception("a connection to %s failed", service)
        finally:
            writer.transport.abort()

    async def _converse(self, service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = Framer()
        async with asyncio.timeout(LOGON_S):
            early = await _first_messages(reader, framer)
        if not early:
            return
        message = Message(parse(early[0]))
        try:
            logon = check_logon(service, message, self._sequencer.state, self._now_ms)
            await self._claim(logon)
        except LogonRefused as error:
            await _turn_away(reader, writer, message, str(error), self._now_ms())
            return
        try:
            progress = await self._progress(logon)
            if logon.number < progress.next_in:
                text = f"MsgSeqNum too low, expecting {progress.next_in} but received {logon.number}"
                await _turn_away(reader, writer, message, text, self._now_ms(), progress.next_out)
                progress.next_out += 1
                await self._store.save(progress)
                return
            await self._live(FixSession(reader, writer, framer, logon, progress, self._store, self._now_ms), early[1:])
        finally:
            del self._by_key[logon.key.key_id], self._tasks[logon.key.key_id]

    async def _claim(self, logon: Logon) -> None:
        """Take the key for this connection, after one that is ending.

        Raises LogonRefused: a key has one connection, and a Logon that somebody has overheard works no second time.
        """
        key_id = logon.key.key_id
        before = self._by_key.get(key_id)
        if before is not None and before.is_over:
            await asyncio.wait([self._tasks[key_id]], timeout=STOP_S)
        if key_id in self._by_key:
            raise LogonRefused("already exists: this API key has a connection; end that one, or use a key of its own")
        now_ms = self._now_ms()
        self._used = {signature: at_ms for signature, at_ms in self._used.items() if at_ms > now_ms - 2 * WINDOW_MS}
        if logon.signature in self._used:
            raise LogonRefused("this Logon was used already: sign a new one, with a SendingTime<52> of its own")
        self._used[logon.signature] = now_ms
        task = asyncio.current_task()
        assert task is not None
        self._by_key[key_id], self._tasks[key_id] = None, task

    async def _progress(self, logon: Logon) -> Progress:
        """Return how far a session has come, or where it begins anew. Nothing of it is stored yet."""
        progress = await self._store.load(logon.name)
        if progress is None or logon.resets:
            account = self._sequencer.state.accounts[logon.key.account_id]
            reports = self._sequencer.projections.reports_by_owner
            progress = Progress(
                logon.name,
                secrets.token_hex(8),
                reported=len(reports[owner_of(account.account_id)]),
                settled=settled_so_far(self._sequencer, account),
            )
        return progress

    async def _live(self, session: FixSession, early: Sequence[str]) -> None:
        logon, progress = session.logon, session.progress
        owner = owner_of(logon.key.account_id)
        progress.retention_ms = logon.retention_ms
        progress.cancels = logon.key.account_id if logon.cancels_on_disconnect else ""
        if logon.resets:
            await self._store.forget(logon.name, 2**62)
        await self._store.save(progress)
        application = self._application(session)
        session.application = application
        reset = [(141, "Y")] if logon.resets else []
        session.send("A", [(98, "0"), (108, str(logon.heartbeat_s)), *reset, (1137, "9")])
        if logon.number == progress.next_in:
            progress.next_in += 1
        else:
            session.ask(logon.number)
        self._by_key[logon.key.key_id] = session
        self._by_owner[owner].add(session)
        if isinstance(application, MarketData):
            self._market_data.add(application)
        try:
            if logon.service.keeps:
                await session.tidy()
            await session.run(early)
        finally:
            self._by_owner[owner].discard(session)
            if isinstance(application, MarketData):
                self._market_data.discard(application)
            await asyncio.shield(self._after(session))

    def _application(self, session: FixSession) -> OrderEntry | DropCopy | PostTrade | MarketData:
        match session.logon.service:
            case Service.DROP_COPY:
                return DropCopy(self._sequencer, session)
            case Service.POST_TRADE:
                return PostTrade(self._sequencer, session)
            case Service.MARKET_DATA:
                return MarketData(self._sequencer, session)
            case _:
                return OrderEntry(self._sequencer, session)

    async def _after(self, session: FixSession) -> None:
        """Cancel a session's orders if it wished so, and remember how far it came."""
        application, progress = session.application, session.progress
        if isinstance(application, OrderEntry):
            await application.settle()
        if progress.cancels and await self._end_session(progress.name, progress.cancels):
            progress.cancels = ""
        await self._store.save(progress)

    async def _end_session(self, name: str, account_id: str) -> bool:
        """Cancel the orders of a session that is over. When the exchange has stopped, the next start does it."""
        try:
            await self._sequencer.submit(c.EndSession(account_id, name))
        except Unavailable:
            return False
        return True

    # --- what happens -----------------------------------------------------------------------------------------------------

    def _observe(self, entry: c.Sequenced, events: Sequence[e.Event]) -> None:
        """Wake the sessions that a command concerns."""
        if not self._by_key:
            return
        for application in list(self._market_data):
            application.observe(entry, events)
        for report in self._sequencer.projections.reports_of(entry.seq):
            self._wake(owner_of(report.account_id))
        for event in events:
            if isinstance(event, me.PositionPaid):
                self._wake(owner_of(event.account_id))
        if isinstance(entry.command, c.RevokeKey):
            session = self._by_key.get(entry.command.key_id)
            if session is not None:
                session.end("the API key was revoked")

    def _wake(self, owner: str) -> None:
        for session in self._by_owner.get(owner, ()):
            session.wake()


async def _first_messages(reader: asyncio.StreamReader, framer: Framer) -> list[str]:
    """Return what came up to the first whole message; nothing when the other side sends no FIX."""
    while data := await reader.read(READ_BYTES):
        messages = list(framer.feed(data))
        if messages or framer.garbled:
            return messages
    return []


async def _turn_away(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: Message, text: str, now_ms: int, number: int = 1
) -> None:
    """Answer a Logon with a Logout that says why, under the names that the client used, and close."""
    sender, target = (message.values.get(tag, "")[:64].encode("ascii", "replace").decode() for tag in (56, 49))
    writer.write(encode("5", number, sender, target, time_text(now_ms), payload([(58, explained(text, "FIX_LOGOUT"))])))
    async with asyncio.timeout(LINGER_S):
        await writer.drain()
        while await reader.read(READ_BYTES):
            pass
