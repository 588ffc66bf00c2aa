"""Kalshi's WebSocket at /trade-api/ws/v2: commands in, channels out. Read me for the protocol, `stream` for the machinery.

One connection, opened with the three signed headers, holds one subscription (`sid`) per channel. `seq` counts a
subscription's messages, replies included, on the channels that Kalshi sequences. A book is a snapshot per market and then
deltas; nothing is left out between them. Our own extension: `resume_from` (see docs/interfaces.md).
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from fastapi import APIRouter, WebSocket

from offchain_book.engine.state import ApiKey, MarketStatus
from offchain_book.gateways import kalshi_stream_messages as words
from offchain_book.gateways.credentials import Authenticator, BadCredentials, grants, wall_clock_ms
from offchain_book.gateways.kalshi_call import Json
from offchain_book.gateways.kalshi_errors import KalshiError, body
from offchain_book.gateways.kalshi_portfolio import History, held
from offchain_book.gateways.kalshi_units import count_text, dollars_text
from offchain_book.gateways.kalshi_views import owner_and_number
from offchain_book.gateways.stream import BadCursor, Client, Cursor, Hub, Publication, TooMany, topic_of
from offchain_book.gateways.stream_facts import (
    EventFeesChanged,
    EventListed,
    Fact,
    Filled,
    GridRefined,
    GroupChanged,
    LevelChanged,
    MarketListed,
    MarketMoved,
    OrderChanged,
    PositionChanged,
    TickerChanged,
    Traded,
)
from offchain_book.gateways.stream_wire import refuse, serve, wire_of

PATH = "/trade-api/ws/v2"
READ_SCOPE = "read"


@dataclass(frozen=True, slots=True)
class Channel:
    """One of Kalshi's channels: which facts it tells, and how it may be narrowed down."""

    name: str
    facts: tuple[type, ...]
    sequenced: bool
    private: bool
    markets: str
    """`required`, `optional`, or empty when it cannot be narrowed down."""


LIFECYCLE = (EventListed, EventFeesChanged, MarketListed, MarketMoved, GridRefined)
CHANNELS = {
    channel.name: channel
    for channel in (
        Channel("orderbook_delta", (LevelChanged,), True, False, "required"),
        Channel("ticker", (TickerChanged,), False, False, "optional"),
        Channel("trade", (Traded,), True, False, "optional"),
        Channel("fill", (Filled,), False, True, "optional"),
        Channel("user_orders", (OrderChanged,), False, True, "optional"),
        Channel("market_positions", (PositionChanged,), False, True, "optional"),
        Channel("market_lifecycle_v2", LIFECYCLE, True, False, ""),
        Channel("multivariate_market_lifecycle", (), True, False, ""),
        Channel("order_group_updates", (GroupChanged,), True, True, ""),
    )
}
"""There are no multivariate events on this venue, so that channel is silent."""
NOT_SERVED = {
    "communications": "requests for quotes are not served; every order meets the one book",
    "cfbenchmarks_value": "this venue has no index values",
    "cfbenchmarks_value_5hz": "this venue has no index values",
    "pyth_value": "this venue has no index values",
}
_YES_PRICES = "orderbook_delta in YES prices"
_FACT_TYPES: dict[type, str] = {EventListed: "event_lifecycle", EventFeesChanged: "event_fee_update"}
_MESSAGE_TYPES = {
    "user_orders": "user_order",
    "market_positions": "market_position",
}
_ERRORS = {
    1: "Unable to process message",
    2: "Params required",
    3: "Channels required",
    4: "Subscription IDs required",
    5: "Unknown command",
    7: "Unknown subscription ID",
    8: "Unknown channel name",
    9: "Authentication required",
    10: "Channel error",
    11: "Invalid parameter",
    12: "Exactly one subscription ID is required",
    13: "Unsupported action",
    14: "Market Ticker required",
    15: "Action required",
    25: "Subscription buffer overflow",
    26: "Subscription market limit exceeded",
    27: "Too many requests",
}


class Refused(Exception):
    """A command that is answered with an error; `more` stands in the error's `msg`."""

    def __init__(self, code: int, why: str = "", **more: Any) -> None:
        super().__init__(code, why)
        self.code = code
        self.message = f"{_ERRORS[code]}: {why}" if why else _ERRORS[code]
        self.more = more


class Params(msgspec.Struct):
    """The parameters of every command; each uses its own."""

    channels: list[str] = []
    market_ticker: str = ""
    market_tickers: list[str] = []
    market_id: str = ""
    market_ids: list[str] = []
    send_initial_snapshot: bool = False
    skip_ticker_ack: bool = False
    use_yes_price: bool = False
    sid: int | None = None
    sids: list[int] = []
    action: str = ""
    resume_from: str | None = None


class Command(msgspec.Struct):
    """What every message of a client is."""

    cmd: str = ""
    id: int = 0
    params: msgspec.Raw = msgspec.Raw()


_commands = msgspec.json.Decoder(Command)
_params = msgspec.json.Decoder(Params)


def _tail(payload: bytes) -> bytes:
    """Return the end of a channel's message, which does not depend on the subscription."""
    return b',"msg":%b,"sending_ts_ms":%d}' % (payload, wall_clock_ms())


def _tail_writer(write: Callable[[Publication], bytes]) -> Callable[[Publication], bytes]:
    return lambda publication: _tail(write(publication))


class KalshiStreams:
    """What all connections of this dialect share."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.state = hub.sequencer.state
        self.projections = hub.sequencer.projections
        self.book = words.BookWords(self.state, self.projections)
        self.lifecycle = words.LifecycleWords(self.state)
        self._authenticator = Authenticator(self.state)
        self._histories: defaultdict[str, History] = defaultdict(History)
        self._tickers_by_id: dict[str, str] = {}
        writers: dict[str, Callable[[Publication], bytes]] = {
            "orderbook_delta": self.book.no_prices,
            _YES_PRICES: self.book.yes_prices,
            "ticker": self.ticker,
            "trade": words.trade,
            "fill": self.fill,
            "user_orders": words.user_order,
            "market_positions": self.position,
            "order_group_updates": words.order_group,
            "market_lifecycle_v2": self.lifecycle,
            "multivariate_market_lifecycle": self.lifecycle,
        }
        self.tails = {name: _tail_writer(write) for name, write in writers.items()}
        """Per channel: what follows the envelope of each subscription, written once for all."""

    # --- connections -------------------------------------------------------------------------------------------------

    async def endpoint(self, websocket: WebSocket) -> None:
        """Serve one connection."""
        try:
            key = self._authenticator.check(websocket.headers, "GET", websocket.scope["raw_path"].decode("latin-1"))
        except BadCredentials as error:
            await refuse(websocket, 401, body(KalshiError(401, "authentication_error", error.message, error.details)))
            return
        client = Client(wire_of(websocket), self.hub.limits, owner_and_number(key.account_id)[0])
        client.key_id = key.key_id
        try:
            self.hub.join(client)
        except TooMany as error:
            status, code = (429, "too_many_connections") if error.mine else (503, "stream_unavailable")
            await refuse(websocket, status, body(KalshiError(status, code, str(error))))
            return
        session = Session(self, client, key)
        try:
            await websocket.accept()
            await serve(websocket, client, session.handle)
        finally:
            session.close()
            self.hub.leave(client)

    # --- positions ---------------------------------------------------------------------------------------------------

    async def learn_positions(self, account_ids: list[str]) -> None:
        """Fold the accounts' fills once, so that a change costs only what is new."""
        for account_id in account_ids:
            await self._histories[account_id].advance(self.projections, self.state.accounts[account_id])

    def position(self, publication: Publication) -> bytes:
        """Write a position as it is now."""
        fact = publication.fact
        assert isinstance(fact, PositionChanged)
        account, history = self.state.accounts[fact.account_id], self._histories[fact.account_id]
        while history.fold(self.projections, account):
            pass
        yes, no = held(account, fact.ticker)
        owner, number = owner_and_number(fact.account_id)
        row = history.positions.get(fact.ticker)
        fees = row.fees_micros if row else 0
        return words.encode(
            {
                "user_id": owner,
                "market_ticker": fact.ticker,
                "position_fp": count_text(yes - no),
                "position_cost_dollars": dollars_text(row.exposure(yes, no) if row else 0),
                "realized_pnl_dollars": dollars_text(row.realized_micros if row else 0),
                "fees_paid_dollars": dollars_text(fees),
                "position_fee_cost_dollars": dollars_text(fees if yes or no else 0),
                "volume_fp": count_text(row.shares_micros if row else 0),
                "subaccount": number,
            }
        )

    def ticker(self, publication: Publication) -> bytes:
        """Write a market's ticker as it is now."""
        return words.ticker(self.state, self.projections, publication.fact[0])

    def fill(self, publication: Publication) -> bytes:
        """Write one account's side of a match."""
        return words.fill(publication, self.projections)

    def ticker_of(self, market_id: str) -> str:
        """Return the market with a UUID, or nothing."""
        if len(self._tickers_by_id) < len(self.state.markets):
            self._tickers_by_id = {
                words.market_id(market.condition_id): ticker for ticker, market in self.state.markets.items()
            }
        return self._tickers_by_id.get(market_id.lower(), "")


class Subscription:
    """One channel of one connection."""

    def __init__(self, session: "Session", channel: Channel, tickers: list[str] | None, params: Params) -> None:
        self.sid = 0
        self.channel = channel
        self.tickers: dict[str, None] | None = None if tickers is None else dict.fromkeys(tickers)
        """None is every market."""
        self._session = session
        self._streams = session.streams
        self._seq = 0
        self._skip_ack = params.skip_ticker_ack
        self._yes_prices = params.use_yes_price and channel.name == "orderbook_delta"
        self._with_cursor = params.resume_from is not None
        self._message_type = _MESSAGE_TYPES.get(channel.name, channel.name)
        self._tail = self._streams.tails[_YES_PRICES if self._yes_prices else channel.name]
        self._heads: dict[str, bytes] = {}

    # --- what it hears -----------------------------------------------------------------------------------------------

    def topics(self) -> list[tuple[type, str]]:
        """Return what it listens to."""
        if self.channel.private:
            return [(kind, self._session.owner) for kind in self.channel.facts]
        keys = [""] if self.tickers is None else list(self.tickers)
        return [(kind, key) for kind in self.channel.facts for key in keys]

    def wants(self, publication: Publication) -> bool:
        """Whether a fact belongs here; for what is read again."""
        kind, key = topic_of(publication.fact)
        if kind not in self.channel.facts:
            return False
        if self.channel.private:
            return key == self._session.owner and self._may_see(publication.fact)
        return self.tickers is None or key in self.tickers

    def _may_see(self, fact: Fact) -> bool:
        """Whether a private fact is for this key and within the markets asked for."""
        if not self._session.sees(fact[0]):
            return False
        if self.tickers is None:
            return True
        if isinstance(fact, Filled):
            return fact.fill.trade.ticker in self.tickers
        if isinstance(fact, OrderChanged):
            return fact.order.ticker in self.tickers
        return isinstance(fact, PositionChanged) and fact.ticker in self.tickers

    def take(self, publication: Publication) -> None:
        """Tell a fact."""
        fact = publication.fact
        if self.channel.private and not self._may_see(fact):
            return
        if isinstance(fact, MarketMoved) and fact.status == MarketStatus.DISPUTED:
            return  # Kalshi has no word for it; the amendment that follows is told
        if isinstance(fact, LevelChanged) and self._session.caused(fact):
            tail = _tail(self._streams.book.own(publication, yes_prices=self._yes_prices))
        else:
            tail = publication.words(self._tail)
        kind = _FACT_TYPES.get(type(fact), self._message_type)
        self._tell(kind, tail, publication.cursor)

    # --- what it says ------------------------------------------------------------------------------------------------

    def _tell(self, kind: str, tail: bytes, cursor: Cursor, command_id: int = 0) -> None:
        """Put this subscription's envelope before what is the same for all."""
        head = self._heads.get(kind) or self._new_head(kind)
        if self.channel.sequenced:
            self._seq += 1
            head = head % self._seq
        if command_id:
            head += b',"id":%d' % command_id
        if self._with_cursor:
            head += b',"cursor":"%b"' % str(cursor).encode()
        self._session.client.send(head + tail)

    def _new_head(self, kind: str) -> bytes:
        head = b'{"type":"%b","sid":%d' % (kind.encode(), self.sid) + (b',"seq":%d' if self.channel.sequenced else b"")
        self._heads[kind] = head
        return head

    def snapshot(self, ticker: str, command_id: int = 0) -> None:
        """Send a whole book."""
        hub = self._streams.hub
        market = self._streams.state.markets[ticker]
        payload = words.orderbook_snapshot(market, hub.book_clock(ticker), yes_prices=self._yes_prices)
        self._tell("orderbook_snapshot", _tail(payload), hub.now, command_id)

    def current(self, ticker: str) -> None:
        """Send a market's ticker as it is."""
        hub = self._streams.hub
        self._tell("ticker", _tail(words.ticker(self._streams.state, self._streams.projections, ticker)), hub.now)

    def acknowledge(self, kind: str, command_id: int) -> Json:
        """Return a reply about this subscription, counted in its sequence; `ok` lists its markets."""
        self._seq += 1
        reply: Json = {"type": kind, "sid": self.sid, "seq": self._seq}
        if command_id:
            reply["id"] = command_id
        if kind == "ok" and not self._skip_ack:
            reply["msg"] = {"market_tickers": list(self.tickers or ())}
        return reply

    def overflow(self) -> bytes:
        """Return the last message of a subscription whose client does not read."""
        reply = self.acknowledge("error", 0)
        if not self.channel.sequenced:
            del reply["seq"]
        return words.encode(reply | {"msg": {"code": 25, "msg": _ERRORS[25]}})


class Session:
    """One connection's commands and subscriptions."""

    def __init__(self, streams: KalshiStreams, client: Client, key: ApiKey) -> None:
        self.streams = streams
        self.client = client
        self.owner, self._number = owner_and_number(key.account_id)
        self.may_read = grants(key, READ_SCOPE)
        self._hub = streams.hub
        self._subscriptions: dict[int, Subscription] = {}
        self._next_sid = 1
        client.on_slow = self._on_slow

    def sees(self, account_id: str) -> bool:
        """Whether the key reaches an account: its own with all parts, or the one part that it is locked to."""
        owner, number = owner_and_number(account_id)
        return owner == self.owner and self._number in (0, number)

    def caused(self, fact: LevelChanged) -> bool:
        """Whether one of the key's own orders changed a level, and the key may know."""
        return fact.account_id.startswith(self.owner) and self.may_read and self.sees(fact.account_id)

    def close(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions.values():
            self._unlisten(subscription)

    def _on_slow(self) -> None:
        for subscription in self._subscriptions.values():
            self.client.last_word(subscription.overflow())

    def _reply(self, reply: Json) -> None:
        self.client.send(words.encode(reply | {"sending_ts_ms": wall_clock_ms()}))

    # --- commands ----------------------------------------------------------------------------------------------------

    async def handle(self, raw: bytes) -> None:
        """Carry out one command, or say what is wrong with it."""
        command_id = 0
        try:
            command = self._decode(raw)
            command_id = command.id
            if not self.client.may_command():
                raise Refused(27, f"{self._hub.limits.commands_per_s} commands a second are allowed")
            await self._carry_out(command)
        except Refused as refused:
            reply: Json = {"type": "error", "msg": {"code": refused.code, "msg": refused.message, **refused.more}}
            if command_id:
                reply["id"] = command_id
            self._reply(reply)

    def _decode(self, raw: bytes) -> Command:
        try:
            command = _commands.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(1, str(error)[:200]) from None
        if command.id < 0:
            raise Refused(11, "id must not be negative")
        return command

    async def _carry_out(self, command: Command) -> None:
        if command.cmd == "list_subscriptions":
            rows = [{"channel": one.channel.name, "sid": one.sid} for one in self._subscriptions.values()]
            self._reply(_with_id({"type": "ok", "msg": rows}, command.id))
            return
        handlers = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "update_subscription": self._update,
        }
        handler = handlers.get(command.cmd)
        if handler is None:
            known = ", ".join([*handlers, "list_subscriptions"])
            raise Refused(5, f"{command.cmd[:40] or '(none)'}; there are {known}")
        if bytes(command.params) in (b"", b"null"):
            raise Refused(2)
        try:
            params = _params.decode(command.params)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(11, str(error)[:200]) from None
        await handler(command.id, params)

    async def _subscribe(self, command_id: int, params: Params) -> None:
        if not params.channels:
            raise Refused(3)
        channels = [self._channel(name) for name in dict.fromkeys(params.channels)]
        tickers = {channel.name: self._tickers(channel, params) for channel in channels}
        if any(channel.name == "market_positions" for channel in channels):
            parts = [name for name in self.streams.state.accounts if self.sees(name)]
            await self.streams.learn_positions(parts)
        known = {one.channel.name: one for one in self._subscriptions.values()}
        new = [
            Subscription(self, channel, tickers[channel.name], params) for channel in channels if channel.name not in known
        ]
        missed = self._missed(params, new)
        for subscription in new:
            subscription.sid = self._next_sid
            self._next_sid += 1
            self._subscriptions[subscription.sid] = subscription
            reply = {"type": "subscribed", "msg": {"channel": subscription.channel.name, "sid": subscription.sid}}
            self._reply(_with_id(reply, command_id))
        if missed is not None:
            self._replay(new, missed)
        else:
            for subscription in new:
                await self._begin(subscription, params)
        for channel in channels:
            if channel.name in known:
                await self._add(known[channel.name], command_id, tickers[channel.name], params)

    async def _begin(self, subscription: Subscription, params: Params) -> None:
        """Start from now, each market from its snapshot on."""
        wanted = list(subscription.tickers or ())
        if subscription.tickers is not None:
            subscription.tickers = {}
        self._listen(subscription)
        await self._add_tickers(subscription, wanted, params)

    def _channel(self, name: str) -> Channel:
        if name in NOT_SERVED:
            raise Refused(10, f"{name}: {NOT_SERVED[name]}")
        channel = CHANNELS.get(name)
        if channel is None:
            raise Refused(8, f"{name[:40]}; there are {', '.join(CHANNELS)}")
        if channel.private and not self.may_read:
            raise Refused(9, f"{name} needs a key with the scope {READ_SCOPE}")
        return channel

    def _tickers(self, channel: Channel, params: Params) -> list[str] | None:
        """Return the markets that a command names, None for all."""
        by_ticker = [params.market_ticker] if params.market_ticker else params.market_tickers
        by_id = [params.market_id] if params.market_id else params.market_ids
        if not channel.markets:
            return None
        if bool(params.market_ticker) + bool(params.market_tickers) + bool(by_id) > 1:
            raise Refused(11, "name markets by one of market_ticker, market_tickers, market_id, market_ids")
        if by_id and channel.name != "ticker":
            raise Refused(11, f"{channel.name} takes tickers, not market ids")
        found = {one: self.streams.ticker_of(one) for one in by_id} or {one: one for one in by_ticker}
        unknown = [given for given, ticker in found.items() if ticker not in self.streams.state.markets]
        if unknown:
            raise Refused(11, f"there is no market {unknown[0][:64]}", market_tickers=[one[:64] for one in unknown[:100]])
        if not found and channel.markets == "required":
            raise Refused(14)
        if len(found) > self._hub.limits.markets:
            raise Refused(26, f"{self._hub.limits.markets} markets are allowed")
        return list(found.values()) or None

    def _missed(self, params: Params, new: list[Subscription]) -> list[Publication] | None:
        """Return what the new subscriptions missed since `resume_from`, or None when they start from now.

        A book needs no history, since a snapshot says it all; on other channels a gap is refused.
        """
        if not params.resume_from:
            return None
        try:
            cursor = Cursor.parse(params.resume_from)
        except BadCursor:
            raise Refused(11, "resume_from is no cursor of this stream") from None
        self._hub.flush()
        missed = self._hub.since(cursor, lambda one: any(subscription.wants(one) for subscription in new))
        if missed is None and any(one.channel.name != "orderbook_delta" for one in new):
            raise Refused(
                11, f"resume_from {cursor} is older than what is kept; subscribe without it and read the rest by REST"
            )
        return missed

    def _replay(self, new: list[Subscription], missed: list[Publication]) -> None:
        """Tell what was missed, in its order over all channels, so that any of its cursors is a place to go on."""
        for subscription in new:
            self._listen(subscription)
        for publication in missed:
            for subscription in new:
                if subscription.wants(publication):
                    subscription.take(publication)

    async def _add(self, subscription: Subscription, command_id: int, tickers: list[str] | None, params: Params) -> None:
        """Add markets to a subscription that is there; none named means all from now on."""
        new = [] if tickers is None or subscription.tickers is None else tickers
        new = [ticker for ticker in new if ticker not in (subscription.tickers or {})]
        if len(subscription.tickers or ()) + len(new) > self._hub.limits.markets:
            raise Refused(26, f"{self._hub.limits.markets} markets are allowed")
        if tickers is None and subscription.tickers is not None:
            self._unlisten(subscription)
            subscription.tickers = None
            self._listen(subscription)
        reply = subscription.acknowledge("ok", command_id)
        if "msg" in reply:
            reply["msg"]["market_tickers"] += new
        self._reply(reply)
        await self._add_tickers(subscription, new, params)

    async def _add_tickers(self, subscription: Subscription, tickers: list[str], params: Params) -> None:
        """Listen to more markets, each from its snapshot on."""
        is_book = subscription.channel.name == "orderbook_delta"
        wants_current = subscription.channel.name == "ticker" and params.send_initial_snapshot
        for ticker in tickers:
            if self.client.closed:
                return
            self._hub.flush()
            assert subscription.tickers is not None
            subscription.tickers[ticker] = None
            if not subscription.channel.private:
                for kind in subscription.channel.facts:
                    self._hub.listen(subscription, kind, ticker)
            if is_book:
                subscription.snapshot(ticker)
            elif wants_current:
                subscription.current(ticker)
            await self.client.caught_up()

    async def _unsubscribe(self, command_id: int, params: Params) -> None:
        if not params.sids:
            raise Refused(4)
        for sid in params.sids:
            subscription = self._subscriptions.pop(sid, None)
            if subscription is None:
                raise Refused(7, str(sid))
            self._hub.flush()
            self._unlisten(subscription)
            self._reply(subscription.acknowledge("unsubscribed", command_id))

    async def _update(self, command_id: int, params: Params) -> None:
        sids = params.sids if params.sid is None else [params.sid, *params.sids]
        if len(sids) != 1:
            raise Refused(12)
        subscription = self._subscriptions.get(sids[0])
        if subscription is None:
            raise Refused(7, str(sids[0]))
        if not params.action:
            raise Refused(15)
        channel = subscription.channel
        allowed = ["add_markets", "delete_markets"] if channel.markets else []
        allowed += ["get_snapshot"] if channel.name == "orderbook_delta" else []
        if params.action not in allowed:
            raise Refused(13, f"{params.action[:40]}; {channel.name} takes {', '.join(allowed) or 'none'}")
        tickers = self._tickers(channel, params)
        if tickers is None:
            raise Refused(14)
        if params.action == "get_snapshot":
            self._hub.flush()
            for ticker in tickers:
                subscription.snapshot(ticker, command_id)
        elif params.action == "add_markets":
            await self._add(subscription, command_id, tickers, params)
        else:
            self._delete(subscription, command_id, tickers)

    def _delete(self, subscription: Subscription, command_id: int, tickers: list[str]) -> None:
        if subscription.tickers is None:
            raise Refused(11, "the subscription covers every market; unsubscribe and name the ones you want")
        self._hub.flush()
        self._unlisten(subscription)
        for ticker in tickers:
            subscription.tickers.pop(ticker, None)
        self._listen(subscription)
        self._reply(subscription.acknowledge("ok", command_id))

    def _listen(self, subscription: Subscription) -> None:
        for kind, key in subscription.topics():
            self._hub.listen(subscription, kind, key)

    def _unlisten(self, subscription: Subscription) -> None:
        for kind, key in subscription.topics():
            self._hub.unlisten(subscription, kind, key)


def _with_id(reply: Json, command_id: int) -> Json:
    """Return a reply that echoes the command's id; 0 counts as none."""
    return {"id": command_id, **reply} if command_id else reply


def router(hub: Hub) -> APIRouter:
    """Return the WebSocket route of Kalshi's dialect."""
    routes = APIRouter()
    routes.add_api_websocket_route(PATH, KalshiStreams(hub).endpoint)
    return routes
