"""Kalshi's WebSocket at /trade-api/ws/v2: commands in, channels out. Read me for the protocol, `stream` for the machinery.

One connection, opened with the three signed headers, holds one subscription (`sid`) per channel. `seq` counts a
subscription's messages, replies included, on the channels that Kalshi sequences. A book is a snapshot per market and then
deltas; nothing is left out between them. Our own extension: `resume_from` (see docs/interfaces.md).
"""

from collections import defaultdict
from collections.abc import Callable

import msgspec
from fastapi import APIRouter, WebSocket

from offchain_book.engine.account import ApiKey
from offchain_book.gateways import kalshi_stream_messages as words
from offchain_book.gateways.credentials import Authenticator, BadCredentials, grants, wall_clock_ms
from offchain_book.gateways.kalshi_call import Json
from offchain_book.gateways.kalshi_errors import KalshiError, body
from offchain_book.gateways.kalshi_portfolio import History, folded, held
from offchain_book.gateways.kalshi_stream_protocol import (
    CHANNELS,
    COMMANDS,
    NOT_SERVED,
    PARAMS,
    READ_SCOPE,
    YES_PRICES,
    Channel,
    Command,
    Params,
    Refused,
)
from offchain_book.gateways.kalshi_stream_subscription import Subscription, tail_of
from offchain_book.gateways.kalshi_units import count_text, dollars_text
from offchain_book.gateways.kalshi_views import owner_and_number
from offchain_book.gateways.stream import BadCursor, Client, Cursor, Hub, Publication, TooMany
from offchain_book.gateways.stream_facts import (
    LevelChanged,
    PositionChanged,
)
from offchain_book.gateways.stream_wire import refuse, serve, wire_of

PATH = "/trade-api/ws/v2"


def _tail_writer(write: Callable[[Publication], bytes]) -> Callable[[Publication], bytes]:
    return lambda publication: tail_of(write(publication))


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
            YES_PRICES: self.book.yes_prices,
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
        await folded(self._histories, self.projections, [self.state.accounts[account_id] for account_id in account_ids])

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
            reply: Json = {"type": "error", "msg": refused.body()}
            if command_id:
                reply["id"] = command_id
            self._reply(reply)

    def _decode(self, raw: bytes) -> Command:
        try:
            command = COMMANDS.decode(raw)
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
            params = PARAMS.decode(command.params)
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
