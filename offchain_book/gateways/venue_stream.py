"""Our own stream at /venue/ws: the simplest thing that a web page or a native client can use. Read me with `stream`.

One connection, JSON, everything by `type`. Public channels need no credentials; the `account` channel needs a ticket, which
`POST /venue/stream/tickets` gives to whoever signs as for the rest of the venue. Each message carries a `cursor`; whoever
comes back with the newest one gets what it missed, or is told that there is a gap and gets snapshots.
"""

import asyncio
import hashlib
import time
from typing import Any

import msgspec
from fastapi import APIRouter, Request, WebSocket

from offchain_book.config import HEARTBEAT_S, Settings
from offchain_book.engine.account import ApiKey
from offchain_book.gateways import error_page
from offchain_book.gateways import venue_stream_messages as m
from offchain_book.gateways.credentials import Authenticator, BadCredentials, grants
from offchain_book.gateways.native import problem
from offchain_book.gateways.page_sessions import PageSessions
from offchain_book.gateways.sessions import Sessions
from offchain_book.gateways.stream import BadCursor, Client, Cursor, Hub, Publication, TooMany, Topic, topic_of
from offchain_book.gateways.stream_facts import (
    PRIVATE,
    BalanceChanged,
    BookChanged,
    Filled,
    FillMoved,
    GroupChanged,
    MarketListed,
    MarketMoved,
    OrderChanged,
    StageChanged,
    TickerChanged,
    Traded,
)
from offchain_book.gateways.stream_tickets import TICKET_S, Tickets
from offchain_book.gateways.stream_wire import refuse, serve, wire_of
from offchain_book.gateways.venue_stream_words import Words, encoder
from offchain_book.gateways.wallet_credentials import NotAuthenticated, authenticate_request

PATH = "/venue/ws"
BEAT_S: float = HEARTBEAT_S
CHANNELS: dict[str, tuple[type, ...]] = {
    "book": (BookChanged,),
    "trades": (Traded,),
    "tickers": (TickerChanged,),
    "markets": (MarketListed, MarketMoved),
    "settlement": (StageChanged,),
    "account": (OrderChanged, Filled, FillMoved, BalanceChanged, GroupChanged),
}
_CHANNEL_OF = {fact: channel for channel, facts in CHANNELS.items() for fact in facts}
_requests = msgspec.json.Decoder(m.Request)


class Refused(Exception):
    """A message that is answered with an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Connection:
    """One client of the stream."""

    def __init__(self, streams: "VenueStreams", client: Client) -> None:
        self._streams = streams
        self._hub = streams.hub
        self._state = streams.hub.sequencer.state
        self._client = client
        self._account_id = ""
        self._heard: dict[str, dict[str, None]] = {}
        """Channel -> tickers; the empty ticker is all of them."""
        self._told: dict[str, Cursor] = {}
        """Channel -> the newest place that this client was told about."""
        self._beating: asyncio.TimerHandle | None = None

    # --- messages ----------------------------------------------------------------------------------------------------

    async def handle(self, raw: bytes) -> None:
        """Carry out one message, or say what is wrong with it."""
        try:
            if not self._client.may_command():
                raise Refused("TOO_MANY_MESSAGES", f"{self._hub.limits.commands_per_s} messages a second are allowed")
            try:
                request = _requests.decode(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise Refused("BAD_MESSAGE", f"the message cannot be read: {str(error)[:200]}") from None
            if isinstance(request, m.Auth):
                self._authenticate(request.ticket)
            elif isinstance(request, m.Subscribe):
                await self._subscribe(request)
            elif isinstance(request, m.Unsubscribe):
                self._unsubscribe(request)
            else:
                self.tell(m.Pong(**self._standing()))
        except Refused as refused:
            self.tell(m.Error(code=refused.code, message=refused.message, docs=error_page.link(refused.code)))

    def tell(self, message: msgspec.Struct) -> None:
        """Send a message to this client alone."""
        self._client.send(encoder.encode(message))

    def greet(self) -> None:
        """Say where the stream stands."""
        now = self._hub.sequencer.clock_ms()
        self.tell(m.Ready(cursor=str(self._hub.now), venue_time_ms=now, heartbeat_s=HEARTBEAT_S))
        self._beating = asyncio.get_running_loop().call_later(BEAT_S, self._beat)

    def _beat(self) -> None:
        """Say that the connection lives and what was sent on it."""
        self.tell(m.Heartbeat(**self._standing()))
        self._beating = asyncio.get_running_loop().call_later(BEAT_S, self._beat)

    def _standing(self) -> dict[str, Any]:
        self._hub.flush()
        told = {channel: str(cursor) for channel, cursor in self._told.items()}
        return {"cursor": str(self._hub.now), "venue_time_ms": self._hub.sequencer.clock_ms(), "channels": told}

    def _authenticate(self, name: str) -> None:
        ticket = self._streams.tickets.use(name)
        if ticket is None:
            raise Refused("BAD_TICKET", f"a ticket works once, within {TICKET_S} s; ask for a new one")
        if "account" in self._heard:
            raise Refused("ALREADY_SUBSCRIBED", "the account channel is open already; unsubscribe it first")
        try:
            self._hub.rename(self._client, ticket.account_id.partition("/")[0])
        except TooMany as error:
            raise Refused("TOO_MANY_CONNECTIONS", str(error)) from error
        self._account_id, self._client.key_id = ticket.account_id, ticket.key_id
        self.tell(m.Authenticated(account=ticket.account_id))

    async def _subscribe(self, request: m.Subscribe) -> None:
        channels = self._check(request.channels, request.tickers)
        resume = self._cursor(request.resume_from)
        self._hub.flush()
        new = {channel: self._new_tickers(channel, request.tickers) for channel in channels}
        if sum(map(len, new.values())) + sum(map(len, self._heard.values())) > self._hub.limits.markets:
            raise Refused("TOO_MANY_MARKETS", f"{self._hub.limits.markets} channels times markets are allowed")
        wanted = {topic for channel, tickers in new.items() for topic in self._topics(channel, tickers)}
        missed = None if resume is None else self._hub.since(resume, lambda one: self._concerns(one, wanted))
        self.tell(
            m.Subscribed(
                channels=channels, tickers=request.tickers, resumed=missed is not None, cursor=str(resume or self._hub.now)
            )
        )
        if missed is not None:
            self._hear(new)
            for publication in missed:
                self.take(publication)
            return
        await self._start(new)

    async def _start(self, new: dict[str, list[str]]) -> None:
        """Begin from what is: each market of each channel with its snapshot."""
        for channel, tickers in new.items():
            for ticker in tickers:
                self._hub.flush()
                self._hear({channel: [ticker]})
                self._snapshot(channel, ticker)
                await self._client.caught_up()

    def _snapshot(self, channel: str, ticker: str) -> None:
        now, words = self._hub.now, self._streams.words
        if channel == "book":
            self.tell(words.book(ticker, now))
        elif channel == "tickers":
            for name in [ticker] if ticker else list(self._state.markets):
                self.tell(words.ticker(name, str(now)))
        elif channel == "account":
            orders = self._hub.sequencer.projections.orders
            for account in [one for one in self._state.accounts.values() if self._sees(one.account_id)]:
                self.tell(words.account(account, [orders[name] for name in account.open_orders], now))

    def _unsubscribe(self, request: m.Unsubscribe) -> None:
        channels = self._check(request.channels, [], leaving=True)
        self._hub.flush()
        for channel in channels:
            known = self._heard.get(channel, {})
            for ticker in request.tickers or list(known):
                if ticker in known:
                    del known[ticker]
                    for kind, key in self._topics(channel, [ticker]):
                        self._hub.unlisten(self, kind, key)
            if not known:
                self._heard.pop(channel, None)
                self._told.pop(channel, None)
        self.tell(m.Unsubscribed(channels=channels, tickers=request.tickers))

    # --- what may be heard -------------------------------------------------------------------------------------------

    def _check(self, channels: list[str], tickers: list[str], *, leaving: bool = False) -> list[str]:
        chosen = list(dict.fromkeys(channels))
        unknown = [name[:40] for name in chosen if name not in CHANNELS]
        if unknown or not chosen:
            raise Refused("UNKNOWN_CHANNEL", f"{unknown[0] if unknown else 'none'}; there are {', '.join(CHANNELS)}")
        missing = [name[:64] for name in tickers if name not in self._state.markets]
        if missing:
            raise Refused("UNKNOWN_MARKET", f"there is no market {missing[0]}")
        if "book" in chosen and not tickers and not leaving:
            raise Refused("TICKERS_NEEDED", "the book channel needs tickers")
        if "account" in chosen and not self._account_id and not leaving:
            raise Refused("NOT_AUTHENTICATED", "the account channel needs a ticket: POST /venue/stream/tickets")
        return chosen

    def _cursor(self, text: str) -> Cursor | None:
        if not text:
            return None
        try:
            return Cursor.parse(text)
        except BadCursor:
            raise Refused("BAD_CURSOR", "resume_from is no cursor of this stream") from None

    def _new_tickers(self, channel: str, tickers: list[str]) -> list[str]:
        """Return what a channel does not hear yet; markets and account know no tickers."""
        asked = [""] if channel in ("markets", "account") or not tickers else list(dict.fromkeys(tickers))
        known = self._heard.get(channel, {})
        return [] if "" in known else [ticker for ticker in asked if ticker not in known]

    def _topics(self, channel: str, tickers: list[str]) -> list[Topic]:
        keys = [self._account_id.partition("/")[0]] if channel == "account" else tickers
        return [(kind, key) for kind in CHANNELS[channel] for key in keys]

    def _hear(self, new: dict[str, list[str]]) -> None:
        for channel, tickers in new.items():
            if not tickers:
                continue
            known = self._heard.setdefault(channel, {})
            self._told.setdefault(channel, self._hub.now)
            if "" in tickers:
                for kind, key in self._topics(channel, list(known)):
                    self._hub.unlisten(self, kind, key)
                known.clear()
            known.update(dict.fromkeys(tickers))
            for kind, key in self._topics(channel, tickers):
                self._hub.listen(self, kind, key)

    def _concerns(self, publication: Publication, wanted: set[Topic]) -> bool:
        kind, key = topic_of(publication.fact)
        return ((kind, key) in wanted or (kind, "") in wanted) and self._may_hear(publication)

    def _may_hear(self, publication: Publication) -> bool:
        return not isinstance(publication.fact, PRIVATE) or self._sees(publication.fact[0])

    def _sees(self, account_id: str) -> bool:
        """Whether an account is the ticket's own, or a part of it."""
        return account_id == self._account_id or account_id.partition("/")[0] == self._account_id

    def take(self, publication: Publication) -> None:
        """Tell a fact."""
        if self._may_hear(publication):
            self._client.send_frame(publication.words(self._streams.words))
            self._told[_CHANNEL_OF[type(publication.fact)]] = publication.cursor

    def close(self) -> None:
        """Stop listening."""
        if self._beating is not None:
            self._beating.cancel()
        for channel, tickers in self._heard.items():
            for kind, key in self._topics(channel, list(tickers)):
                self._hub.unlisten(self, kind, key)


class VenueStreams:
    """The endpoint, and the route that gives out tickets."""

    def __init__(
        self, hub: Hub, settings: Settings, tickets: Tickets, sessions: Sessions, people: PageSessions | None = None
    ) -> None:
        self.hub = hub
        self._sessions = sessions
        self.tickets = tickets
        self._people = people or PageSessions()
        self.words = Words(hub)
        self._settings = settings
        self._authenticator = Authenticator(hub.sequencer.state)

    async def endpoint(self, websocket: WebSocket) -> None:
        """Serve one connection."""
        address = websocket.client.host if websocket.client else "unknown"
        client = Client(wire_of(websocket), self.hub.limits, address)
        try:
            self.hub.join(client)
        except TooMany as error:
            code = "TOO_MANY_CONNECTIONS"
            body = {"error": {"code": code, "message": str(error), "details": {}, "docs": error_page.link(code)}}
            await refuse(websocket, 429 if error.mine else 503, encoder.encode(body))
            return
        connection = Connection(self, client)
        try:
            await websocket.accept()
            connection.greet()
            await serve(websocket, client, connection.handle)
        finally:
            connection.close()
            self.hub.leave(client)

    async def ticket(self, request: Request) -> dict[str, Any]:
        """Give a ticket for the `account` channel of /venue/ws to a session or a signed request; browsers cannot sign a handshake."""
        session = self._sessions.find(request)
        account_id, key_id = self._people.account_of(request) or (session.wallet if session else ""), ""
        if not account_id:
            key = await self._signer(request)
            account_id, key_id = key.account_id, key.key_id
        return {"ticket": self.tickets.issue(account_id, key_id), "account": account_id, "expires_in_s": TICKET_S}

    async def _signer(self, request: Request) -> ApiKey:
        """Return the key that signed a request: in Kalshi's way over the body too, or with Polymarket's L2 headers."""
        body, path = await request.body(), request.scope["raw_path"].decode("ascii")
        try:
            if "poly_api_key" in request.headers:
                state, now_s = self.hub.sequencer.state, time.time_ns() // 1_000_000_000
                return authenticate_request(state, self._settings, request.headers, request.method, path, body, now_s)
            key = self._authenticator.check(request.headers, request.method, path + hashlib.sha256(body).hexdigest())
        except BadCredentials as error:
            raise problem(401, "BAD_CREDENTIALS", error.message, dict(error.details)) from None
        except NotAuthenticated as error:
            raise problem(401, "BAD_CREDENTIALS", error.reason, {"check": error.check}) from None
        if not grants(key, "read"):
            raise problem(403, "SCOPE", f"the key's scopes are {', '.join(key.scopes)}; this route needs read")
        return key


def router(
    hub: Hub, settings: Settings, tickets: Tickets, sessions: Sessions, people: PageSessions | None = None
) -> APIRouter:
    """Return our own stream and the route of its tickets."""
    streams = VenueStreams(hub, settings, tickets, sessions, people)
    routes = APIRouter(tags=["venue"])
    routes.add_api_websocket_route(PATH, streams.endpoint)
    routes.add_api_route("/venue/stream/tickets", streams.ticket, methods=["POST"], status_code=201)
    return routes
