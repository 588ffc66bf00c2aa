"""Polymarket's WebSockets: /ws/market for anybody, /ws/user for the holder of an API key. Read me with `stream`.

The first message says what is wanted; later ones change it. A market's changes are told once for both of its tokens, in
the same frame for every reader. Prices and sizes of a change are absolute, so reading one twice does no harm. Clients send
the text PING and get PONG; the venue pings too.

A trade is followed by the whole book (as in Polymarket's documentation); while more changes of that book wait to be sent, the book
waits for the last of them, so that it never shows what a later message takes back.
`tick_size_change` is sent when the tick that clients know changes.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from fastapi import APIRouter, WebSocket

from offchain_book.config import Settings
from offchain_book.engine.operations import Outcome
from offchain_book.gateways import error_page
from offchain_book.gateways import polymarket_stream_messages as words
from offchain_book.gateways.polymarket_errors import ApiError
from offchain_book.gateways.polymarket_http import Caller, Venue
from offchain_book.gateways.polymarket_words import client_tick_text, tick_text
from offchain_book.gateways.stream import POLICY_VIOLATION, Client, Hub, Publication, TooMany, Topic, handed_in
from offchain_book.gateways.stream_facts import (
    BestChanged,
    BookChanged,
    FillMoved,
    GridRefined,
    MarketListed,
    MarketMoved,
    OrderChanged,
    Traded,
)
from offchain_book.gateways.stream_wire import refuse, serve, wire_of
from offchain_book.gateways.wallet_credentials import NotAuthenticated, authenticate_secrets

MARKET_PATH, USER_PATH = "/ws/market", "/ws/user"
_PING, _PONG = b"PING", b"PONG"


class Auth(msgspec.Struct, rename="camel"):
    """An API key with its secret half, as the user channel wants it in its first message."""

    api_key: str
    secret: str
    passphrase: str


class MarketRequest(msgspec.Struct):
    """What a client of /ws/market sends: the first message, or a change (`operation`)."""

    type: str = ""
    operation: str = ""
    assets_ids: list[str] = []
    initial_dump: bool = True
    custom_feature_enabled: bool | None = None


class UserRequest(msgspec.Struct):
    """What a client of /ws/user sends: the first message with `auth`, or a change (`operation`)."""

    type: str = ""
    operation: str = ""
    markets: list[str] = []
    auth: Auth | None = None


_market_requests = msgspec.json.Decoder(MarketRequest)
_user_requests = msgspec.json.Decoder(UserRequest)
_PUBLIC = (BookChanged, Traded, BestChanged, MarketMoved, GridRefined)
"""What a connection hears about each market that it follows."""
_CHANGES = ("", "subscribe", "unsubscribe")


class Refused(Exception):
    """A message that is answered with an error event."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def _error(code: str, message: str) -> bytes:
    docs = error_page.link(code)
    return words.encode({"event_type": "error", "code": code, "message": message, "docs": docs})


class _Connection(ABC):
    """What both channels share: PING, the rate limit, errors as events."""

    def __init__(self, hub: Hub, client: Client) -> None:
        self.hub = hub
        self.client = client

    async def handle(self, raw: bytes) -> None:
        """Carry out one message, or say what is wrong with it."""
        try:
            if not self.client.may_command():
                raise Refused("TOO_MANY", f"{self.hub.limits.commands_per_s} messages a second are allowed")
            if raw.strip() == _PING:
                self.client.send(_PONG)
                return
            await self.ask(raw)
        except Refused as refused:
            self.client.send(_error(refused.code, refused.message))

    @abstractmethod
    async def ask(self, raw: bytes) -> None:
        """Carry out a request."""

    @abstractmethod
    def close(self) -> None:
        """Stop listening."""


def _decode(decoder: "msgspec.json.Decoder[Any]", raw: bytes) -> Any:
    try:
        found = decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("MALFORMED", f"the message cannot be read: {str(error)[:200]}") from None
    if found.operation not in _CHANGES:
        raise Refused("UNKNOWN_OPERATION", f"operation is subscribe or unsubscribe, not {found.operation[:40]}")
    return found


class MarketConnection(_Connection):
    """One reader of public data."""

    def __init__(self, hub: Hub, client: Client, venue: Venue, frames: words.MarketWords) -> None:
        super().__init__(hub, client)
        self._venue = venue
        self._words = frames
        self._tokens: dict[str, tuple[str, Outcome]] = {}
        self._markets: dict[str, int] = {}
        """Ticker -> how many of its tokens are wanted."""
        self._traded: set[str] = set()
        """Tickers whose readers have not had the book since a trade."""
        self._custom = False

    async def ask(self, raw: bytes) -> None:
        """Subscribe or unsubscribe tokens."""
        request: MarketRequest = _decode(_market_requests, raw)
        if request.type and request.type.lower() != "market":
            raise Refused("WRONG_CHANNEL", f"this is the market channel, not {request.type[:40]}")
        if request.custom_feature_enabled is not None:
            self._set_custom(request.custom_feature_enabled)
        if request.operation == "unsubscribe":
            self._drop(request.assets_ids)
        else:
            await self._add(request)

    def _set_custom(self, enabled: bool) -> None:
        if enabled and not self._custom:
            self.hub.listen(self, MarketListed)
        elif self._custom and not enabled:
            self.hub.unlisten(self, MarketListed)
        self._custom = enabled

    async def _add(self, request: MarketRequest) -> None:
        """Take tokens in, each with its book if that is wanted. Unknown tokens are named, the others taken."""
        known = self._venue.state.tokens
        wanted = [token for token in dict.fromkeys(request.assets_ids) if token not in self._tokens]
        if len(self._tokens) + len(wanted) > self.hub.limits.markets:
            raise Refused("TOO_MANY_TOKENS", f"{self.hub.limits.markets} tokens are allowed")
        for token in wanted:
            if token not in known or self.client.closed:
                continue
            self.hub.flush()
            ticker, _ = self._tokens[token] = known[token]
            self._markets[ticker] = self._markets.get(ticker, 0) + 1
            if self._markets[ticker] == 1:
                for kind in _PUBLIC:
                    self.hub.listen(self, kind, ticker)
            if request.initial_dump:
                self.client.send(words.encode(words.book(self._venue.token(token), self._venue.state.now_ms)))
            await self.client.caught_up()
        unknown = [token[:80] for token in wanted if token not in known]
        if unknown:
            raise Refused("UNKNOWN_TOKEN", f"no market has the token {', '.join(unknown[:5])}")

    def _drop(self, tokens: Iterable[str]) -> None:
        self.hub.flush()
        for token in tokens:
            ticker, _ = self._tokens.pop(token, ("", None))
            if not ticker:
                continue
            self._markets[ticker] -= 1
            if not self._markets[ticker]:
                del self._markets[ticker]
                for kind in _PUBLIC:
                    self.hub.unlisten(self, kind, ticker)

    def close(self) -> None:
        """Stop listening."""
        self._set_custom(False)
        self._drop(list(self._tokens))

    def take(self, publication: Publication) -> None:
        """Tell what happened in a market."""
        fact = publication.fact
        if isinstance(fact, BookChanged):
            self.client.send_frame(publication.words(self._words.price_change))
            self._tell_book(publication, fact.ticker)
        elif isinstance(fact, MarketListed):
            self.client.send_frame(publication.words(self._words.new_market))
        elif isinstance(fact, MarketMoved):
            if self._custom and fact.status in ("determined", "amended"):
                self.client.send_frame(publication.words(self._words.market_resolved))
        elif isinstance(fact, GridRefined):
            if client_tick_text(fact.old_e4) != tick_text(self._venue.state.markets[fact.ticker]):
                self._per_token(publication, fact.ticker, self._words.tick_size_change)
        elif isinstance(fact, Traded):
            self._per_token(publication, fact.ticker, self._words.last_trade_price)
            self._traded.add(fact.ticker)
            self._tell_book(publication, fact.ticker)
        elif isinstance(fact, BestChanged) and self._custom:
            self._per_token(publication, fact.ticker, self._words.best_bid_ask)

    def _tell_book(self, publication: Publication, ticker: str) -> None:
        """Send the books of a market that has traded, unless it changed since: then the last change is what sends them."""
        if ticker in self._traded and self.hub.book_clock(ticker) <= publication.cursor[0]:
            self._traded.discard(ticker)
            self._per_token(publication, ticker, self._words.book)

    def _per_token(
        self, publication: Publication, ticker: str, by_outcome: dict[Outcome, Callable[[Publication], bytes]]
    ) -> None:
        market = self._venue.state.markets[ticker]
        for outcome, encoder in by_outcome.items():
            if market.token_id(outcome) in self._tokens:
                self.client.send_frame(publication.words(encoder))


class UserConnection(_Connection):
    """What an API key reaches: its wallet's orders and trades, and those of orders that it handed in for contract wallets."""

    def __init__(self, hub: Hub, client: Client, venue: Venue) -> None:
        super().__init__(hub, client)
        self._venue = venue
        self._words = words.UserWords(venue)
        self._caller: Caller | None = None
        self._markets: dict[str, None] = {}
        """Tickers that are wanted; none is all."""

    async def ask(self, raw: bytes) -> None:
        """Say who it is, then choose markets."""
        request: UserRequest = _decode(_user_requests, raw)
        if request.type and request.type.lower() != "user":
            raise Refused("WRONG_CHANNEL", f"this is the user channel, not {request.type[:40]}")
        if self._caller is None:
            self._caller = self._authenticate(request.auth)
            for topic in self._topics(self._caller):
                self.hub.listen(self, *topic)
        conditions = self._venue.state.conditions
        unknown = [name[:80] for name in request.markets if name.lower() not in conditions]
        if unknown:
            raise Refused("UNKNOWN_MARKET", f"no market has the condition {', '.join(unknown[:5])}")
        tickers = [conditions[name.lower()] for name in request.markets]
        if request.operation == "unsubscribe":
            for ticker in tickers:
                self._markets.pop(ticker, None)
        else:
            self._markets.update(dict.fromkeys(tickers))

    @staticmethod
    def _topics(caller: Caller) -> Iterator[Topic]:
        for key in (caller.account_id, handed_in(caller.account_id)):
            yield from ((OrderChanged, key), (FillMoved, key))

    def _authenticate(self, auth: Auth | None) -> Caller:
        """Check the key and both its secrets, in constant time; a stranger is shown out."""
        try:
            if auth is None:
                raise NotAuthenticated("auth", "the first message has to carry auth: apiKey, secret, passphrase")
            secrets = (auth.api_key, auth.secret, auth.passphrase)
            key = authenticate_secrets(self._venue.state, self._venue.settings, *secrets)
            self.hub.rename(self.client, key.account_id)
        except (NotAuthenticated, TooMany) as error:
            code = "UNAUTHORIZED" if isinstance(error, NotAuthenticated) else "TOO_MANY"
            self.client.send(_error(code, str(error)))
            self.client.cut(POLICY_VIOLATION, str(error))
            raise Refused(code, str(error)) from error
        self.client.key_id = key.key_id
        return Caller(key, b"", "")

    def give_up_waiting(self) -> None:
        """Nobody has said who they are for too long."""
        if self._caller is None:
            self.client.cut(POLICY_VIOLATION, f"no auth within {self.hub.limits.silence_s:g} s")

    def close(self) -> None:
        """Stop listening."""
        if self._caller is not None:
            for topic in self._topics(self._caller):
                self.hub.unlisten(self, *topic)

    def take(self, publication: Publication) -> None:
        """Tell what became of an order or a trade."""
        fact, caller = publication.fact, self._caller
        assert caller is not None
        if isinstance(fact, OrderChanged) and self._wants(fact.order.ticker):
            self.client.send(self._words.order(publication, caller))
        elif isinstance(fact, FillMoved) and self._wants(fact.fill.trade.ticker):
            self.client.send(self._words.trade(publication, caller))

    def _wants(self, ticker: str) -> bool:
        return not self._markets or ticker in self._markets


class PolymarketStreams:
    """Both endpoints."""

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self._hub = hub
        self._venue = Venue(hub.sequencer, settings)
        self._words = words.MarketWords(hub.sequencer.state)

    async def market(self, websocket: WebSocket) -> None:
        """Serve one reader of public data."""
        await self._serve(websocket, lambda client: MarketConnection(self._hub, client, self._venue, self._words))

    async def user(self, websocket: WebSocket) -> None:
        """Serve one wallet."""

        def connect(client: Client) -> UserConnection:
            connection = UserConnection(self._hub, client, self._venue)
            asyncio.get_running_loop().call_later(self._hub.limits.silence_s, connection.give_up_waiting)
            return connection

        await self._serve(websocket, connect)

    async def _serve(self, websocket: WebSocket, connect: Callable[[Client], _Connection]) -> None:
        address = websocket.client.host if websocket.client else "unknown"
        client = Client(wire_of(websocket), self._hub.limits, address)
        try:
            self._hub.join(client)
        except TooMany as error:
            status = 429 if error.mine else 503
            await refuse(websocket, status, words.encode(ApiError(status, str(error), "TOO_MANY").body("")))
            return
        connection = connect(client)
        try:
            await websocket.accept()
            await serve(websocket, client, connection.handle)
        finally:
            connection.close()
            self._hub.leave(client)


def router(hub: Hub, settings: Settings) -> APIRouter:
    """Return the WebSocket routes of Polymarket's dialect."""
    streams = PolymarketStreams(hub, settings)
    routes = APIRouter()
    routes.add_api_websocket_route(MARKET_PATH, streams.market)
    routes.add_api_websocket_route(USER_PATH, streams.user)
    return routes
