"""Market data over FIX: books by snapshot and change, trades, and the states of markets, keyed by Symbol.

What a client was told is kept as levels, and what it hears next is the difference to the book of that moment. So a slow client
gets fewer, larger steps and never a wrong book; only trades queue up, and one who lets too many wait is cut off.
"""

from collections.abc import Mapping, Sequence

from offchain_book.engine import chain_events as ce
from offchain_book.engine import commands as c
from offchain_book.engine import events as e
from offchain_book.engine import market_events as me
from offchain_book.engine.market import MarketStatus
from offchain_book.engine.order import BookSide
from offchain_book.gateways.fix_codec import Fields, payload
from offchain_book.gateways.fix_message import Message, Refused
from offchain_book.gateways.fix_session import FixSession, Outgoing
from offchain_book.gateways.fix_words import explained
from offchain_book.gateways.kalshi_units import count_text, price_text
from offchain_book.sequencer import Sequencer

MAX_SYMBOLS = 1_000
"""Most markets of one session."""
MAX_TRADES = 10_000
"""Most trades that wait for a slow client."""
_SNAPSHOT, _SUBSCRIBE, _UNSUBSCRIBE = "0", "1", "2"
_NEW, _CHANGE, _DELETE = "0", "1", "2"
_TRADE = "2"
_SIDES = ((BookSide.BID, "0"), (BookSide.ASK, "1"))
_DETERMINED, _SETTLED = "100", "101"
_STATES: Mapping[str, str] = {MarketStatus.ACTIVE: "3", MarketStatus.INACTIVE: "2", MarketStatus.CLOSED: "2"}
"""Status after an operator's command -> SecurityTradingStatus<326>: resumed or halted."""
_BOOK_EVENTS = (e.OrderRested, e.OrderCancelled, e.OrderDecreased, e.OrderAmended, e.Matched)

Levels = dict[tuple[str, int], int]
"""(side's code, price) -> size."""


class MarketData:
    """The application of KalshiMD."""

    def __init__(self, sequencer: Sequencer, session: FixSession) -> None:
        self._sequencer = sequencer
        self._session = session
        self._told: dict[str, Levels] = {}
        self._changed: dict[str, None] = {}
        self._trades: dict[str, list[tuple[int, int]]] = {}
        self._waiting = 0
        self._watched: set[str] = set()
        """Markets whose states are reported."""

    # --- what happens -----------------------------------------------------------------------------------------------------

    def observe(self, entry: c.Sequenced, events: Sequence[e.Event]) -> None:
        """Take in what one command caused."""
        for event in events:
            if isinstance(event, _BOOK_EVENTS):
                if event.ticker in self._told:
                    self._note(event)
            elif self._watched:
                self._note_state(entry, event)

    def _note(self, event: e.Event) -> None:
        assert isinstance(event, _BOOK_EVENTS)
        self._changed[event.ticker] = None
        if isinstance(event, e.Matched):
            self._trades.setdefault(event.ticker, []).append((event.price_e4, event.size_micros))
            self._waiting += 1
            if self._waiting > MAX_TRADES:
                self._session.end(f"too slow: {MAX_TRADES} trades wait; log on and subscribe again")
        self._session.wake()

    def _note_state(self, entry: c.Sequenced, event: e.Event) -> None:
        """Report a market's turn. Opening and closing by the clock are no turns (Kalshi's rule)."""
        ticker = getattr(event, "ticker", "")
        if ticker not in self._watched:
            return
        state = ""
        if isinstance(event, me.MarketStatusChanged):
            ordered = getattr(entry.command, "ticker", "") == ticker
            state = _STATES.get(event.status, "") if ordered else ""
        elif isinstance(event, me.MarketResolved):
            state = _DETERMINED
        elif isinstance(event, ce.ResolutionConfirmed):
            state = _SETTLED
            self._watched.discard(ticker)
        if state:
            self._session.send("f", [(55, ticker), (326, state)])

    # --- out --------------------------------------------------------------------------------------------------------------

    def pull(self, limit: int) -> list[Outgoing]:
        """Return one incremental refresh per market that has changed."""
        found: list[Outgoing] = []
        while self._changed and len(found) < limit:
            ticker = next(iter(self._changed))
            del self._changed[ticker]
            message = self._refresh(ticker)
            if message is not None:
                found.append(message)
        return found

    async def ready(self) -> None:
        """Always."""

    def _refresh(self, ticker: str) -> Outgoing | None:
        before, now = self._told[ticker], self._levels(ticker)
        self._told[ticker] = now
        entries: list[tuple[str, str, int, int]] = []
        for (side, price), size in now.items():
            old = before.get((side, price))
            if old != size:
                entries.append((_NEW if old is None else _CHANGE, side, price, size))
        entries += [(_DELETE, side, price, 0) for side, price in before if (side, price) not in now]
        trades = self._trades.pop(ticker, [])
        self._waiting -= len(trades)
        entries += [(_NEW, _TRADE, price, size) for price, size in trades]
        if not entries:
            return None
        fields: Fields = [(268, str(len(entries)))]
        for action, side, price, size in entries:
            fields += [(279, action), (55, ticker), (269, side), (270, price_text(price)), (271, count_text(size))]
        return Outgoing("X", payload(fields))

    def _levels(self, ticker: str) -> Levels:
        market = self._sequencer.state.markets.get(ticker)
        if market is None:
            return {}
        return {(code, price): size for side, code in _SIDES for price, size in market.book.depth(side)}

    def _snapshot(self, ticker: str, levels: Levels) -> None:
        fields: Fields = [(55, ticker), (268, str(len(levels)))]
        for (side, price), size in levels.items():
            fields += [(269, side), (270, price_text(price)), (271, count_text(size))]
        self._session.send("W", fields)

    # --- in ---------------------------------------------------------------------------------------------------------------

    def on_message(self, message: Message) -> None:
        """Take a MarketDataRequest (35=V) or a SecurityStatusRequest (35=e)."""
        if message.kind == "V":
            self._request(message)
        elif message.kind == "e":
            self._watch(message)
        else:
            self._session.refuse(message, 3, f"KalshiMD does not take messages of type {message.kind}")

    def _request(self, message: Message) -> None:
        kind, tickers = message.text(263), _symbols(message)
        if kind == _UNSUBSCRIBE:
            for ticker in tickers or list(self._told):
                self._told.pop(ticker, None)
                self._forget_changes(ticker)
            return
        if kind not in (_SNAPSHOT, _SUBSCRIBE):
            self._refuse("4", f"SubscriptionRequestType<263> must be 0, 1 or 2, not '{kind[:10]}'")
            return
        if not tickers:
            raise Refused(1, "NoRelatedSym<146> and its symbols are missing", 146)
        room = MAX_SYMBOLS - (len(self._told.keys() | set(tickers)) if kind == _SUBSCRIBE else len(tickers))
        if room < 0:
            self._refuse("2", f"a session may have {MAX_SYMBOLS} symbols")
            return
        for ticker in tickers:
            levels = self._levels(ticker)
            if kind == _SUBSCRIBE:
                self._told[ticker] = levels
                self._forget_changes(ticker)
            self._snapshot(ticker, levels)

    def _refuse(self, reason: str, text: str) -> None:
        self._session.send("Y", [(281, reason), (58, explained(text, "FIX_MARKET_DATA"))])

    def _forget_changes(self, ticker: str) -> None:
        self._changed.pop(ticker, None)
        self._waiting -= len(self._trades.pop(ticker, []))

    def _watch(self, message: Message) -> None:
        kind = message.choice(263, {"1": True, "2": False}, False)
        ticker = message.text(55)
        if not kind:
            self._watched.discard(ticker)
        elif len(self._watched) < MAX_SYMBOLS:
            self._watched.add(ticker)
        else:
            self._session.refuse(message, 0, f"a session may watch {MAX_SYMBOLS} symbols", ticker)


def _symbols(message: Message) -> list[str]:
    """Return the symbols of a request's group. Raises Refused when their count is wrong."""
    found = [value for tag, value in message.fields if tag == 55]
    count = message.integer(146, 0, MAX_SYMBOLS * 10) or 0
    if count != len(found):
        raise Refused(16, f"NoRelatedSym<146> is {count}, and {len(found)} symbols follow", 146)
    return list(dict.fromkeys(found))
