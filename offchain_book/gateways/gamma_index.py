"""Polymarket's Gamma and Data APIs number what exists; this is our numbering, and how their queries are read.

Numbers are the order of creation, from 1; tags are the categories and tags of the series. What exists is never removed, so a
number stands for ever.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from fastapi import Request

from offchain_book.engine.market import EventInfo, Market, Series
from offchain_book.engine.operations import Outcome
from offchain_book.engine.state import State
from offchain_book.engine.units import ONE_DOLLAR_MICROS, PRICE_SCALE
from offchain_book.gateways.polymarket_errors import ApiError
from offchain_book.gateways.polymarket_words import Token


def slug_of(ticker: str) -> str:
    """Return the slug of a ticker, or of a tag's label."""
    return ticker.lower().replace(" ", "-")


@dataclass(slots=True)
class Index:
    """Numbers of everything that exists."""

    markets: list[Market] = field(default_factory=list)
    events: list[EventInfo] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    """"market:TICKER", "event:TICKER", "series:TICKER", "tag:slug" -> number."""

    def number(self, kind: str, name: str) -> int:
        """Return a number; 0 when there is none."""
        return self.numbers.get(f"{kind}:{name}", 0)

    def tags_of(self, series: Series) -> list[str]:
        """Return a series' category and tags, without repeats."""
        return list(dict.fromkeys((series.category, *series.tags)))


class Catalogue:
    """Keeps the index; makes it anew when something was created."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._seen = (-1, -1, -1)
        self._index = Index()

    def index(self) -> Index:
        """Return the index of what exists now."""
        state = self._state
        counts = (len(state.markets), len(state.events), len(state.series))
        if counts != self._seen:
            self._seen = counts
            made = Index(list(state.markets.values()), list(state.events.values()), list(state.series.values()))
            made.tags = list(dict.fromkeys(tag for series in made.series for tag in made.tags_of(series)))
            for kind, names in (
                ("market", [market.ticker for market in made.markets]),
                ("event", [event.event_ticker for event in made.events]),
                ("series", [series.series_ticker for series in made.series]),
                ("tag", [slug_of(tag) for tag in made.tags]),
            ):
                made.numbers.update({f"{kind}:{name}": place for place, name in enumerate(names, start=1)})
            self._index = made
        return self._index


def price_micros(token: Token) -> int:
    """Return what a token is worth in millionths: its payout, else the middle, else the last trade, else a half."""
    payout = token.market.yes_payout_micros
    if payout >= 0:
        return payout if token.outcome is Outcome.YES else ONE_DOLLAR_MICROS - payout
    if token.best_bid_e4 > 0 and token.best_ask_e4 < PRICE_SCALE:
        return (token.best_bid_e4 + token.best_ask_e4) * 50
    return (token.last_price_e4 or PRICE_SCALE // 2) * 100


class Query:
    """A request's query, read strictly: what means nothing is answered with 400 and the field's name."""

    def __init__(self, request: Request) -> None:
        self._params = request.query_params

    def text(self, name: str) -> str:
        """Return a text; empty when it is not given."""
        return self._params.get(name, "")

    def many(self, name: str) -> list[str]:
        """Return what was given once or more often, or separated by commas."""
        return [part for text in self._params.getlist(name) for part in text.split(",") if part]

    def integer(self, name: str, default: int, most: int) -> int:
        """Return a whole number from 0 to `most`."""
        text = self._params.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 16) or int(text) > most:
            raise _bad(name, text, f"a whole number from 0 to {most}")
        return int(text)

    def flag(self, name: str) -> bool | None:
        """Return true, false, or None when it is not given."""
        text = self._params.get(name, "").lower()
        if text not in ("", "true", "false", "1", "0"):
            raise _bad(name, text, "true or false")
        return None if not text else text in ("true", "1")

    def micros(self, name: str) -> int | None:
        """Return a decimal in millionths, or None when it is not given."""
        text = self._params.get(name, "")
        if not text:
            return None
        try:
            value = Decimal(text)
        except InvalidOperation as error:
            raise _bad(name, text, "a number") from error
        if not value.is_finite() or abs(value) > 10**12:
            raise _bad(name, text, "a number that means something")
        return int(value * ONE_DOLLAR_MICROS)

    def time_ms(self, name: str) -> int | None:
        """Return an ISO time in milliseconds, or None when it is not given."""
        text = self._params.get(name, "")
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError as error:
            raise _bad(name, text, "a time like 2026-11-22T00:00:00Z") from error
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)

    def choice(self, name: str, allowed: Iterable[str], default: str) -> str:
        """Return one of the allowed words, in capitals."""
        text = self._params.get(name, "").upper() or default
        if text not in allowed:
            raise _bad(name, text, f"one of {', '.join(allowed)}")
        return text

    def within(self, low: str, high: str, value: int, read: str = "micros") -> bool:
        """Whether a value is inside two bounds of the query, each optional."""
        least, most = getattr(self, read)(low), getattr(self, read)(high)
        return (least is None or value >= least) and (most is None or value <= most)


def _bad(name: str, text: str, wanted: str) -> ApiError:
    reason = f"{name} is {wanted}, not {text[:80] or '(none given)'}"
    return ApiError(400, f"invalid {name}", "INVALID_QUERY", reason, field=name)


def address_in(query: Query, name: str = "user") -> str:
    """Return the wallet that a query has to name."""
    text = query.text(name).lower()
    if len(text) != 42 or not text.startswith("0x"):
        raise _bad(name, text, "an address")
    return text


def markets_in(query: Query, index: Index, state: State) -> set[str] | None:
    """Return the tickers that `market` (conditions) or `eventId` name, None when neither is given."""
    conditions, events = query.many("market"), query.many("eventId")
    if conditions and events:
        raise ApiError(400, "invalid market", "INVALID_QUERY", "give either market or eventId, not both")
    if conditions:
        return {state.conditions.get(condition.lower(), "") for condition in conditions}
    if events:
        wanted = {int(text) for text in events if text.isascii() and text.isdigit() and len(text) < 16}
        found = [event for event in index.events if index.number("event", event.event_ticker) in wanted]
        return {ticker for event in found for ticker in event.tickers}
    return None
