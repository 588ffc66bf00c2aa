"""A FIX client that says exactly what a test tells it to, right or wrong; QuickFIX (tests/sdk) says only what is right."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519

from offchain_book.engine import commands as c
from offchain_book.gateways.credentials import wall_clock_ms
from offchain_book.gateways.fix import FixGateway, Service, listen
from offchain_book.gateways.fix_codec import SOH, Framer, encode, parse, payload, time_text
from offchain_book.gateways.fix_message import Message
from offchain_book.gateways.fix_store import FixStore
from tests.sdk.kalshi_venue import ALICE, TICKER, Key, SmallVenue

TIMEOUT_S = 60
"""Only guards against hanging: the machine may be busy."""
_LINK = " [/docs/errors#FIX_LOGOUT]"


def order(name: str, **more: Any) -> dict[int, Any]:
    """Return the fields of a NewOrderSingle: buy 10 at 40 cents, good till cancelled; `_44=...` changes one."""
    fields: dict[int, Any] = {11: name, 38: "10", 40: "2", 44: "40", 54: "1", 55: TICKER, 59: "1"}
    fields |= {int(tag[1:]): value for tag, value in more.items()}
    return {tag: value for tag, value in fields.items() if value is not None}


class RawClient:
    """One connection."""

    def __init__(
        self,
        service: Service,
        key: Key,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.service, self.key = service, key
        self.now_ms = now_ms
        self.reader, self.writer = reader, writer
        self.number = 1
        self._framer = Framer()
        self._messages: list[Message] = []

    def message(self, kind: str, fields: dict[int, Any], **more: Any) -> bytes:
        """Return a message's bytes. `number`, `sender`, `target`, `sent_ms` and `extra` replace what is right."""
        number = more.get("number", self.number)
        if "number" not in more:
            self.number += 1
        sent = time_text(more.get("sent_ms", self.now_ms()))
        names = (more.get("sender", self.key.key_id), more.get("target", self.service.value))
        return encode(kind, number, *names, sent, payload(fields.items()), payload(more.get("extra", {}).items()))

    def logon(self, flags: dict[int, Any] | None = None, **more: Any) -> bytes:
        """Return a signed Logon."""
        sent_ms = more.pop("sent_ms", self.now_ms())
        number = more.get("number", self.number)
        names = (more.get("sender", self.key.key_id), more.get("target", self.service.value))
        signature = self.key.sign(SOH.join((time_text(sent_ms), "A", str(number), *names)))
        signature = more.pop("signature", signature)
        fields = {98: "0", 108: "300", 95: len(signature), 96: signature, 141: "Y", 1137: "9"} | (flags or {})
        return self.message("A", {tag: value for tag, value in fields.items() if value is not None}, sent_ms=sent_ms, **more)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)

    def send(self, kind: str, fields: dict[int, Any], **more: Any) -> None:
        """Send a message."""
        self.write(self.message(kind, fields, **more))

    async def log_on(self, flags: dict[int, Any] | None = None, **more: Any) -> "RawClient":
        """Log on, which must succeed."""
        self.write(self.logon(flags, **more))
        answer = await self.next()
        assert answer.kind == "A", answer.fields
        return self

    async def next(self) -> Message:
        """Return the next message that comes."""
        async with asyncio.timeout(TIMEOUT_S):
            while not self._messages:
                data = await self.reader.read(65_536)
                assert data, "the venue closed the connection"
                self._messages += [Message(parse(text)) for text in self._framer.feed(data)]
        return self._messages.pop(0)

    async def until(self, kind: str, **wanted: str) -> Message:
        """Return the next message of a type with these values (`_150="0"`); what comes before is dropped."""
        while True:
            found = await self.next()
            if found.kind == kind and all(found.values.get(int(tag[1:])) == value for tag, value in wanted.items()):
                return found

    async def ended(self) -> str:
        """Return the text of the Logout that ends the session, without its link, and see that the connection is closed."""
        text = (await self.until("5")).values.get(58, "")
        assert not text or text.endswith(_LINK), text
        self.writer.write_eof()
        async with asyncio.timeout(TIMEOUT_S):
            while await self.reader.read(65_536):
                pass
        return text.removesuffix(_LINK)

    async def quiet(self) -> None:
        """See that everything sent so far was taken and that nothing but the answer to a TestRequest comes."""
        mark = uuid.uuid4().hex
        self.send("1", {112: mark})
        found = await self.next()
        assert (found.kind, found.values.get(112)) == ("0", mark), found.fields

    def drop(self) -> None:
        """Cut the connection. The venue notices later: `FixWorld.dropped` waits for that."""
        self.writer.transport.abort()


class FixWorld:
    """A small venue with open FIX ports."""

    def __init__(self, venue: SmallVenue, folder: Path) -> None:
        self.venue = venue
        self.path = folder / "fix.sqlite"
        self.gateway: FixGateway
        self.ahead_ms = 0
        """How far tests have moved the wall clock of gateway and clients."""
        self.ports: dict[Service, int] = {}
        self._clients: list[RawClient] = []

    async def open(self) -> None:
        """Start the gateway, again after `close`."""
        listeners = listen("127.0.0.1", 0)
        self.ports = {service: one.getsockname()[1] for service, one in listeners.items()}
        self.gateway = FixGateway(self.venue.sequencer, FixStore(self.path), now_ms=self.now_ms)
        await self.gateway.start(listeners)

    def now_ms(self) -> int:
        """Return the wall time that gateway and clients believe in."""
        return wall_clock_ms() + self.ahead_ms

    async def close(self) -> None:
        """Stop the gateway."""
        await self.gateway.stop()

    async def hang_up(self) -> None:
        """Close every client's end."""
        for client in self._clients:
            client.writer.close()
        await asyncio.gather(*(client.writer.wait_closed() for client in self._clients), return_exceptions=True)

    async def dropped(self, client: RawClient) -> None:
        """Cut a client's connection, and wait until the venue is through with its session."""
        client.drop()
        await self.gone(client)

    async def gone(self, client: RawClient) -> None:
        """Wait until the venue is through with a client's session."""
        async with asyncio.timeout(TIMEOUT_S):
            while (task := self.gateway._tasks.get(client.key.key_id)) is not None:
                await asyncio.wait([task])

    async def new_key(self, account_id: str = ALICE, scopes: tuple[str, ...] = ("read", "write")) -> Key:
        """Register a key for a session of its own."""
        key = Key(str(uuid.uuid4()), ed25519.Ed25519PrivateKey.generate())
        await self.venue.do(c.RegisterKey(account_id, key.key_id, c.KeyKind.KALSHI, key.public_pem, "fix", scopes))
        return key

    async def connect(self, service: Service, key: Key) -> RawClient:
        """Open a connection without logging on."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[service])
        self._clients.append(RawClient(service, key, reader, writer, self.now_ms))
        return self._clients[-1]

    async def client(
        self, service: Service = Service.ORDERS, account_id: str = ALICE, flags: dict[int, Any] | None = None
    ) -> RawClient:
        """Return a new session that has logged on, without pending reports."""
        connected = await self.connect(service, await self.new_key(account_id))
        wishes = {21011: "Y"} | (flags or {}) if service.takes_orders else flags
        return await connected.log_on(wishes)


@asynccontextmanager
async def fix_world(venue: SmallVenue, folder: Path) -> AsyncIterator[FixWorld]:
    """Run a gateway before a venue."""
    made = FixWorld(venue, folder)
    await made.open()
    try:
        yield made
    finally:
        await made.hang_up()
        await made.close()
