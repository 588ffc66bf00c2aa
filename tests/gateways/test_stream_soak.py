"""Readers of all three streams that keep losing their connections while two accounts trade: at the end their books are the
venue's, and nobody who resumed has missed a fill or seen one twice. Ten minutes in `make soak`, three breaks in `make test`.
"""

import asyncio
import random
import time
import uuid
from typing import Any

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.operations import Outcome, TokenSide
from offchain_book.engine.order import BookSide, TimeInForce
from offchain_book.gateways import kalshi_stream, polymarket_stream, venue_stream
from offchain_book.gateways.polymarket_words import Token, decimal, price_text
from offchain_book.gateways.sessions import Sessions
from offchain_book.gateways.stream import Hub
from offchain_book.gateways.stream_tickets import Tickets
from tests.gateways.streams import KalshiStream, Stream, connect, serving
from tests.gateways.test_kalshi_stream import book
from tests.gateways.test_polymarket_stream import MarketStream
from tests.gateways.test_venue_stream import VenueStream, validators
from tests.sdk.kalshi_venue import ALICE, BOB, CONTRACT, OTHER, SETTINGS, TICKER, SmallVenue

TICKERS = (TICKER, OTHER)
BREAKS = 3
"""How often every reader loses its connection at least."""
TRADES = 50
"""How many trades there are at least."""
LAST_MICROS = 7_770_000
"""Size of the order that ends it, in each market, at a price that nobody else uses."""


class Trader:
    """Trades at random for alice and bob."""

    def __init__(self, venue: SmallVenue, seed: int) -> None:
        self._venue = venue
        self._random = random.Random(seed)
        self.traded_enough = asyncio.Event()

    async def run(self, done: asyncio.Event) -> None:
        """Trade until it is done, a few commands at a time."""
        while not done.is_set():
            await asyncio.gather(*(self._venue.sequencer.submit(self._command()) for _ in range(8)))
            if len(self._venue.projections.trades) >= TRADES:
                self.traded_enough.set()

    def _command(self) -> c.Command:
        pick, who, ticker = self._random.random(), self._random.choice((ALICE, BOB)), self._random.choice(TICKERS)
        open_ones = list(self._venue.state.accounts[who].open_orders)
        if open_ones and (pick < 0.4 or len(open_ones) > 60):
            return c.CancelOrder(who, self._random.choice(open_ones))
        if open_ones and pick < 0.5:
            return c.DecreaseOrder(who, self._random.choice(open_ones), reduce_by_micros=CONTRACT // 2)
        if open_ones and pick < 0.6:
            return c.AmendOrder(who, self._random.choice(open_ones), price_e4=self._price())
        force = TimeInForce.IOC if pick > 0.95 else TimeInForce.GTC
        side = self._random.choice(list(BookSide))
        size = self._random.randint(1, 4) * CONTRACT
        return c.PlaceOrder(str(uuid.uuid4()), who, ticker, side, self._price(), size, time_in_force=force)

    def _price(self) -> int:
        return 100 * self._random.randint(45, 55)


class Reader:
    """Somebody whose connection breaks again and again. Subclasses know a protocol."""

    def __init__(self, venue: SmallVenue, url: str, seed: int) -> None:
        self.venue = venue
        self.url = url
        self.cursor = ""
        self.breaks = 0
        self.broke_enough = asyncio.Event()
        self._random = random.Random(seed)

    async def run(self, done: asyncio.Event) -> None:
        """Read through broken connections until trading is over, then to the end."""
        while not await self._once(done):
            self.breaks += 1
            if self.breaks == BREAKS:
                self.broke_enough.set()

    async def _once(self, done: asyncio.Event) -> bool:
        """Read one connection; True when its books are the last ones."""
        async with connect(self.url + self.path, additional_headers=self.headers()) as socket:
            stream = await self.open(socket)
            breaks_at = time.monotonic() + self._random.uniform(0.01, 0.1)
            while not self.is_last(stream):
                if time.monotonic() > breaks_at and not done.is_set():
                    socket.transport.abort()
                    return False
                self.keep(await stream.next())
            return True

    path: str

    def headers(self) -> dict[str, str]:
        """Return what the handshake needs."""
        return {}

    async def open(self, socket: Any) -> Stream:
        """Subscribe, from where it broke off if the protocol can."""
        raise NotImplementedError

    def keep(self, message: Any) -> None:
        """Take in a message."""
        self.cursor = message.get("cursor", self.cursor)

    def is_last(self, stream: Any) -> bool:
        """Whether the order that ends it is in every book."""
        raise NotImplementedError


class KalshiReader(Reader):
    """Alice, by Kalshi's protocol with our `resume_from`."""

    path = kalshi_stream.PATH
    resumes = True

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.books: dict[str, Any] = {}
        self.fills: list[str] = []
        self.trades: list[str] = []
        self.snapshots = 0

    def headers(self) -> dict[str, str]:
        return self.venue.keys[ALICE].headers("GET", self.path)

    async def open(self, socket: Any) -> Stream:
        stream = KalshiStream(socket)
        if not self.resumes or len(self.books) < len(TICKERS):
            self.books, self.cursor, self.fills, self.trades, self.snapshots = {}, "", [], [], 0
        stream.books = self.books
        channels = ["orderbook_delta", "fill", "trade"] if self.resumes else ["orderbook_delta"]
        await stream.command("subscribe", channels=channels, market_tickers=TICKERS, resume_from=self.cursor)
        return stream

    def keep(self, message: Any) -> None:
        super().keep(message)
        assert message["type"] != "error", message
        self.snapshots += message["type"] == "orderbook_snapshot"
        if message["type"] in ("fill", "trade"):
            (self.fills if message["type"] == "fill" else self.trades).append(message["msg"]["trade_id"])

    def is_last(self, stream: Any) -> bool:
        return all(stream.books.get(ticker, {"yes": {}})["yes"].get("0.0100") == "7.77" for ticker in TICKERS)

    def check(self) -> None:
        for ticker in TICKERS:
            kept = {side: self.books[ticker][side] for side in ("yes", "no")}
            assert kept == book(self.venue, ticker)
        if self.resumes:
            assert self.snapshots == len(TICKERS), "it resumed every time"
            trades = self.venue.projections.trades
            first = first_of(self.trades, len(trades))
            assert self.trades == [f"trade:{trade.match_id}" for trade in trades[first:]]
            assert self.fills == self.trades, "alice is in every trade"


def first_of(seen: list[str], made: int) -> int:
    """Return the first trade that a reader saw; `made` for one whose first whole connection came after the last trade."""
    return int(seen[0].removeprefix("trade:")) if seen else made


class ForgetfulKalshiReader(KalshiReader):
    """One who starts from snapshots each time, as Kalshi's own clients do."""

    resumes = False


class VenueReader(Reader):
    """A page."""

    path = venue_stream.PATH

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.books: dict[str, Any] = {}
        self.trades: list[str] = []

    async def open(self, socket: Any) -> Stream:
        stream = VenueStream(socket, validators())
        stream.books = self.books
        await stream.next()
        if len(self.books) < len(TICKERS):
            self.cursor, self.trades = "", []
        told = await stream.subscribe("book", "trades", tickers=TICKERS, resume_from=self.cursor)
        assert told["resumed"] is bool(self.cursor)
        return stream

    def keep(self, message: Any) -> None:
        super().keep(message)
        if message["type"] == "trade":
            self.trades.append(message["trade"])

    def is_last(self, stream: Any) -> bool:
        return all(stream.books.get(ticker, {"bid": {}})["bid"].get(100) == LAST_MICROS for ticker in TICKERS)

    def check(self) -> None:
        for ticker in TICKERS:
            found = self.venue.state.markets[ticker].book
            assert self.books[ticker] == {side.name.lower(): dict(found.depth(side)) for side in BookSide}
        trades = self.venue.projections.trades
        assert self.trades == [f"trade:{one.match_id}" for one in trades[first_of(self.trades, len(trades)) :]]


class PolymarketReader(Reader):
    """A bot with Polymarket's protocol: books of both tokens, from the start each time."""

    path = polymarket_stream.MARKET_PATH

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.books: dict[str, Any] = {}

    async def open(self, socket: Any) -> Stream:
        stream = MarketStream(socket)
        self.books = stream.books
        markets = self.venue.state.markets
        tokens = [markets[ticker].token_id(outcome) for ticker in TICKERS for outcome in Outcome]
        await stream.send({"type": "market", "assets_ids": tokens})
        return stream

    def is_last(self, stream: Any) -> bool:
        yes = [self.venue.state.markets[ticker].yes_token_id for ticker in TICKERS]
        return all(stream.books.get(token, {"BUY": {}})["BUY"].get("0.01") == "7.77" for token in yes)

    def check(self) -> None:
        for ticker in TICKERS:
            for outcome in Outcome:
                token = Token(self.venue.state.markets[ticker], outcome)
                assert self.books[token.token_id] == {
                    side.name: {price_text(price): decimal(size) for price, size in token.depth(side)} for side in TokenSide
                }


KINDS = (KalshiReader, ForgetfulKalshiReader, VenueReader, PolymarketReader)


@pytest.mark.parametrize("seconds", [0, pytest.param(600, marks=pytest.mark.soak)])
async def test_books_are_the_venues_after_many_broken_connections(venue: SmallVenue, seconds: int) -> None:
    hub = Hub(venue.sequencer)
    venue.app.include_router(kalshi_stream.router(hub))
    venue.app.include_router(polymarket_stream.router(hub, SETTINGS))
    venue.app.include_router(venue_stream.router(hub, SETTINGS, Tickets(), Sessions(SETTINGS)))
    done = asyncio.Event()
    async with serving(venue.app) as url:
        readers = [kind(venue, url, seed) for seed, kind in enumerate(KINDS * 2)]
        async with asyncio.TaskGroup() as tasks:
            for reader in readers:
                tasks.create_task(reader.run(done))
            trader = Trader(venue, 7)
            trading = tasks.create_task(trader.run(done))
            waited_for = (trader.traded_enough, *(reader.broke_enough for reader in readers))
            await asyncio.gather(*(event.wait() for event in waited_for), asyncio.sleep(seconds))
            done.set()
            await trading
            for ticker in TICKERS:
                await venue.do(c.PlaceOrder(f"last-{ticker}", BOB, ticker, BookSide.BID, 100, LAST_MICROS))
        for reader in readers:
            reader.check()
    assert len(venue.projections.trades) >= TRADES
