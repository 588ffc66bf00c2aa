"""A small exchange behind Kalshi's dialect, without a chain: for the gateway's own tests and for the official client.

Alice, bob and carol are custodial and have keys; wendy trades with her own wallet.
"""

import asyncio
import base64
import socket
import threading
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from fastapi import FastAPI

from offchain_book.config import Settings
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.exchange import new_state
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide
from offchain_book.gateways import kalshi
from offchain_book.gateways.credentials import wall_clock_ms
from offchain_book.journal import Journal
from offchain_book.projections import Projections
from offchain_book.sequencer import Receipt, Sequencer

ALICE, BOB, CAROL, WENDY = "alice", "bob", "carol", "0x" + "aa" * 20
FREE_SERIES, FREE_EVENT, TICKER, OTHER = "KXRAIN", "KXRAIN-26", "KXRAIN-26-NYC", "KXRAIN-26-LA"
PAID_SERIES, PAID_EVENT, FEE_TICKER = "KXSNOW", "KXSNOW-26", "KXSNOW-26-NYC"
LATER_TICKER = "KXRAIN-26-SF"
DOLLAR = CONTRACT = 1_000_000
FUNDS = 1_000 * DOLLAR
DAY_MS = 86_400_000
SETTINGS = Settings(31337, "0x", "0x", b"secret", "token", 2, 60, 600)

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class Clock:
    """Venue time that tests move."""

    def __init__(self) -> None:
        self.offset_ms = 0

    def __call__(self) -> int:
        """Return the time."""
        return wall_clock_ms() + self.offset_ms


@dataclass(frozen=True)
class Key:
    """An API key with its private half."""

    key_id: str
    private: PrivateKey

    @property
    def public_pem(self) -> str:
        """The half that the exchange knows."""
        public = self.private.public_key()
        return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def private_pem(self) -> bytes:
        """The half that clients sign with."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, text: str) -> str:
        """Return the base64 signature of a text, as Kalshi's clients make it."""
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return base64.b64encode(self.private.sign(text.encode())).decode()
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        return base64.b64encode(self.private.sign(text.encode(), pss, hashes.SHA256())).decode()

    def headers(self, method: str, path: str, timestamp_ms: int | None = None) -> dict[str, str]:
        """Return the three headers of a signed request."""
        timestamp = str(wall_clock_ms() if timestamp_ms is None else timestamp_ms)
        return {
            "KALSHI-ACCESS-KEY": self.key_id,
            "KALSHI-ACCESS-TIMESTAMP": timestamp,
            "KALSHI-ACCESS-SIGNATURE": self.sign(f"{timestamp}{method}{path}"),
        }


def make_keys() -> dict[str, Key]:
    """Return new keys: alice and carol RSA, bob Ed25519, and one of alice's that may only read."""

    def rsa_key() -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 2048)

    return {
        ALICE: Key(str(uuid.uuid4()), rsa_key()),
        BOB: Key(str(uuid.uuid4()), ed25519.Ed25519PrivateKey.generate()),
        CAROL: Key(str(uuid.uuid4()), rsa_key()),
        "alice-reads": Key(str(uuid.uuid4()), ed25519.Ed25519PrivateKey.generate()),
    }


class SmallVenue:
    """A sequencer with everything it needs, funded and listed."""

    def __init__(self, journal: Path, keys: dict[str, Key]) -> None:
        self.keys = keys
        self.clock = Clock()
        self.state = new_state(SETTINGS.settle_deadline_s)
        self.projections = Projections()
        self.journal = Journal(journal, {})
        self.sequencer = Sequencer(self.state, self.journal, self.projections, self.clock)
        self.app = FastAPI()
        self.app.include_router(kalshi.router(self.sequencer, SETTINGS))

    @asynccontextmanager
    async def running(self) -> AsyncIterator["SmallVenue"]:
        """Run the sequencer, with the listing done."""
        self.sequencer.start()
        await self._list()
        try:
            yield self
        finally:
            await self.sequencer.stop()
            self.journal.close()

    async def do(self, command: c.Command) -> Receipt:
        """Submit a command that must be accepted."""
        receipt = await self.sequencer.submit(command)
        assert receipt.rejected is None, receipt.rejected
        return receipt

    async def deposit(self, account_id: str, micros: int, ticker: str = "", outcome: Outcome | None = None) -> None:
        """Credit a deposit."""
        index = self.state.next_deposit
        await self.do(cc.CreditDeposit(index, account_id, micros, "0x1", 1, "0x2", ticker, outcome))

    async def wallet_order(self, side: BookSide, outcome: Outcome, price_e4: int, contracts: int) -> Receipt:
        """Place an order of wendy's in the fee-free market; `price_e4` is the YES price."""
        return await self.do(
            c.PlaceOrder(str(uuid.uuid4()), WENDY, TICKER, side, price_e4, contracts * CONTRACT, outcome=outcome)
        )

    async def wallet_order_pair(self) -> None:
        """Have wendy sell NO to alice's bid, so that the pool holds tokens on chain."""
        await self.do(c.PlaceOrder(str(uuid.uuid4()), ALICE, TICKER, BookSide.BID, 4_000, 5 * CONTRACT))
        await self.wallet_order(BookSide.ASK, Outcome.NO, 4_000, 5)
        await self.land()

    async def resolve(self, ticker: str, yes_payout_micros: int) -> None:
        """Decide a market and let the chain agree."""
        await self.do(c.ResolveMarket(ticker, yes_payout_micros, "test"))
        await self.do(cc.ConfirmResolution(ticker, yes_payout_micros, "0x3", 9, merges=True))

    async def land(self) -> None:
        """Settle everything that waits for the chain."""
        batch = self.state.next_batch
        count = self.state.next_operation - self.state.uncut
        await self.do(cc.CutBatch(batch, self.state.uncut, count, "0x"))
        await self.do(cc.ConfirmBatch(batch, "0xabc", 7, "0xdef"))

    async def _list(self) -> None:
        for account_id in (ALICE, BOB, CAROL):
            await self.do(c.OpenAccount(account_id, c.Custody.CUSTODIAL, account_id.title()))
        for name, key in self.keys.items():
            account_id, _, only = name.partition("-")
            scopes = ("read",) if only else ("read", "write")
            await self.do(c.RegisterKey(account_id, key.key_id, c.KeyKind.KALSHI, key.public_pem, name, scopes))
        await self.do(c.CreateSeries(FREE_SERIES, "Rain", "Climate", ("weather",), "daily"))
        await self.do(c.CreateSeries(PAID_SERIES, "Snow", "Climate", (), "daily", "quadratic_with_maker_fees", 700, 175))
        await self.do(c.CreateEvent(FREE_EVENT, FREE_SERIES, "Where does it rain?", "in 2026", True))
        await self.do(c.CreateEvent(PAID_EVENT, PAID_SERIES, "Where does it snow?"))
        for ticker, event, opens_in_ms in (
            (TICKER, FREE_EVENT, 0),
            (OTHER, FREE_EVENT, 0),
            (FEE_TICKER, PAID_EVENT, 0),
            (LATER_TICKER, FREE_EVENT, DAY_MS),
        ):
            await self.do(self._market(ticker, event, opens_in_ms))
        for account_id in (ALICE, BOB, WENDY, "venue:guarantee"):
            await self.deposit(account_id, FUNDS)

    def _market(self, ticker: str, event: str, opens_in_ms: int) -> c.CreateMarket:
        number = sum(place * ord(letter) for place, letter in enumerate(ticker, start=1))
        return c.CreateMarket(
            ticker,
            event,
            f"{ticker}?",
            f"0x{number:064x}",
            f"0x{number << 8:064x}",
            str((number << 8) + 1),
            str((number << 8) + 2),
            self.clock() + opens_in_ms,
            self.clock() + 30 * DAY_MS,
            yes_sub_title="yes it does",
            no_sub_title="no it does not",
            rules="It rains or it does not.",
        )


class Server:
    """A small venue behind a real HTTP server, in a thread of its own."""

    def __init__(self, journal: Path, keys: dict[str, Key]) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(journal, keys)), daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._server: uvicorn.Server
        self.venue: SmallVenue
        self.host = ""

    def __enter__(self) -> "Server":
        self._thread.start()
        assert self._ready.wait(120), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(120)

    def do(self, action: Any) -> Any:
        """Run a coroutine of the venue in its own loop and return its result."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(action, self._loop)
        return future.result(120)

    async def _serve(self, journal: Path, keys: dict[str, Key]) -> None:
        self._loop = asyncio.get_running_loop()
        self.venue = SmallVenue(journal, keys)
        # Listening before uvicorn takes over: whoever connects early waits in the backlog.
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.host = f"http://127.0.0.1:{listening.getsockname()[1]}{kalshi.PREFIX}"
            config = uvicorn.Config(self.venue.app, log_level="warning", ws="none", lifespan="off")
            self._server = uvicorn.Server(config)
            async with self.venue.running():
                self._ready.set()
                await self._server.serve([listening])
