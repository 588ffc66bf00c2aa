"""One channel of one connection to Kalshi's WebSocket: what it hears, and its envelope around it."""

from typing import TYPE_CHECKING

from offchain_book.engine.market import MarketStatus
from offchain_book.gateways import kalshi_stream_messages as words
from offchain_book.gateways.credentials import wall_clock_ms
from offchain_book.gateways.kalshi_call import Json
from offchain_book.gateways.kalshi_stream_protocol import (
    ERRORS,
    FACT_TYPES,
    MESSAGE_TYPES,
    YES_PRICES,
    Channel,
    Params,
)
from offchain_book.gateways.stream import Cursor, Publication, topic_of
from offchain_book.gateways.stream_facts import (
    Fact,
    Filled,
    LevelChanged,
    MarketMoved,
    OrderChanged,
    PositionChanged,
)

if TYPE_CHECKING:
    from offchain_book.gateways.kalshi_stream import Session


def tail_of(payload: bytes) -> bytes:
    """Return the end of a channel's message, which does not depend on the subscription."""
    return b',"msg":%b,"sending_ts_ms":%d}' % (payload, wall_clock_ms())


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
        self._message_type = MESSAGE_TYPES.get(channel.name, channel.name)
        self._tail = self._streams.tails[YES_PRICES if self._yes_prices else channel.name]
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
            tail = tail_of(self._streams.book.own(publication, yes_prices=self._yes_prices))
        else:
            tail = publication.words(self._tail)
        kind = FACT_TYPES.get(type(fact), self._message_type)
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
        self._tell("orderbook_snapshot", tail_of(payload), hub.now, command_id)

    def current(self, ticker: str) -> None:
        """Send a market's ticker as it is."""
        hub = self._streams.hub
        self._tell("ticker", tail_of(words.ticker(self._streams.state, self._streams.projections, ticker)), hub.now)

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
        return words.encode(reply | {"msg": {"code": 25, "msg": ERRORS[25]}})
