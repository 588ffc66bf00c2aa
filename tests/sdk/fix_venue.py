"""A small exchange behind FIX, without a chain, in a thread of its own."""

import asyncio
import threading
import uuid
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from offchain_book.engine import commands as c
from offchain_book.gateways.fix import FixGateway, Service, listen
from offchain_book.gateways.fix_store import FixStore
from tests.sdk.fix_client import FixClient
from tests.sdk.kalshi_venue import Key, SmallVenue


class FixServer:
    """A small venue with its FIX ports open."""

    def __init__(self, folder: Path, keys: dict[str, Key], tls: Any = None) -> None:
        self._folder, self._keys, self._tls = folder, keys, tls
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)
        self._stop = asyncio.Event()
        self.venue: SmallVenue
        self.gateway: FixGateway
        self.addresses: dict[str, str] = {}

    def __enter__(self) -> "FixServer":
        self._thread.start()
        assert self._ready.wait(120), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(120)
        self._loop.close()

    def do(self, action: Any) -> Any:
        """Run a coroutine of the venue in its own loop and return its result."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(action, self._loop)
        return future.result(120)

    async def _serve(self) -> None:
        self.venue = SmallVenue(self._folder / "journal", self._keys)
        listeners = listen("127.0.0.1", 0)
        self.addresses = {service.value: f"127.0.0.1:{one.getsockname()[1]}" for service, one in listeners.items()}
        async with self.venue.running():
            self.gateway = FixGateway(self.venue.sequencer, FixStore(self._folder / "fix.sqlite"), self._tls)
            await self.gateway.start(listeners)
            self._ready.set()
            await self._stop.wait()
            await self.gateway.stop()

    def key(self, account_id: str, scopes: tuple[str, ...] = ("read", "write")) -> tuple[str, Path]:
        """Register an RSA key for one session; return its id and the file of its private half."""
        key = Key(str(uuid.uuid4()), rsa.generate_private_key(65537, 2048))
        self.do(self.venue.do(c.RegisterKey(account_id, key.key_id, c.KeyKind.KALSHI, key.public_pem, "fix", scopes)))
        path = self._folder / f"{key.key_id}.pem"
        path.write_bytes(key.private_pem)
        return key.key_id, path

    def client(self, service: Service, account_id: str, flags: dict[int, str] | None = None, **more: Any) -> FixClient:
        """Return a QuickFIX initiator with a key of its own, not connected yet. Prices are in dollars, pending reports off."""
        key_id, pem = more.pop("key", None) or self.key(account_id, more.pop("scopes", ("read", "write")))
        wishes = {21005: "Y", 21011: "Y"} if service.takes_orders else {}
        rows = [[tag, value] for tag, value in (wishes | (flags or {})).items()]
        folder = self._folder / f"quickfix-{key_id}"
        return FixClient(self.address(service), service.value, key_id, pem, folder, flags=rows, **more)

    def address(self, service: Service) -> str:
        """Return a port's host:port."""
        return self.addresses[service.value]
