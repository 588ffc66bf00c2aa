"""Polymarket's Gamma API under /gamma: what can be traded, listed, filtered, searched. Bots read it before they trade.

Production's paths, parameters and field names; sports, teams and comments are empty lists, because this venue has none.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from fastapi import APIRouter, Request, Response

from offchain_book.config import Settings
from offchain_book.engine.market import EventInfo, Market, Series
from offchain_book.gateways.gamma_index import Query, address_in, slug_of
from offchain_book.gateways.gamma_views import GammaViews, Json
from offchain_book.gateways.polymarket_errors import ApiError
from offchain_book.gateways.polymarket_http import Handler, PolymarketRoute, Venue, reply
from offchain_book.gateways.polymarket_words import cursor, iso, position_of
from offchain_book.sequencer import Sequencer

DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET = 20, 500, 10_000
_MARKET_ORDERS = ("id", "volumeNum", "liquidityNum", "volume24hr", "startDate", "endDate", "createdAt", "slug", "question")
_EVENT_ORDERS = ("id", "volume", "liquidity", "volume24hr", "startDate", "endDate", "createdAt", "slug", "title")


def _camel(name: str) -> str:
    """Return volume_num as volumeNum; production takes both, and volume for volumeNum."""
    return re.sub(r"_(\w)", lambda found: found.group(1).upper(), name)


class GammaRoutes:
    """The routes of one venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._views = GammaViews(venue)

    # --- markets ---------------------------------------------------------------------------------------------------------

    def _wanted_markets(self, query: Query) -> list[Market]:
        """Return the markets that pass a request's filters. Without `closed` only open ones do, as in production."""
        views, state = self._views, self._venue.state
        index = views.index
        closed, tag = query.flag("closed") or False, query.text("tag_id")
        named: tuple[tuple[list[str], Callable[[Market], tuple[str, ...]]], ...] = (
            (query.many("id"), lambda market: (str(index.number("market", market.ticker)),)),
            (query.many("slug"), lambda market: (slug_of(market.ticker),)),
            (query.many("condition_ids"), lambda market: (market.condition_id,)),
            (query.many("clob_token_ids"), lambda market: (market.yes_token_id, market.no_token_id)),
            (query.many("question_ids"), lambda market: (market.question_id,)),
        )
        found = []
        for market in index.markets:
            series = state.series[market.series_ticker]
            if (
                views.is_closed(market) is closed
                and query.flag("archived") is not True
                and query.flag("active") is not False
                and all(not asked or set(values(market)) & set(asked) for asked, values in named)
                and (not tag or tag in {row["id"] for row in views.tags(series)})
                and query.within("start_date_min", "start_date_max", market.open_ms, "time_ms")
                and query.within("end_date_min", "end_date_max", market.close_ms, "time_ms")
                and query.within("volume_num_min", "volume_num_max", views.volume_micros(market))
                and query.within("liquidity_num_min", "liquidity_num_max", views.liquidity_micros(market))
                and self._rewards_reach(query, market)
            ):
                found.append(market)
        return found

    def _rewards_reach(self, query: Query, market: Market) -> bool:
        least = query.micros("rewards_min_size")
        program = self._venue.state.reward_programs.get(market.ticker)
        return least is None or (program is not None and program.min_size_micros >= least)

    async def markets(self, request: Request) -> Response:
        """List markets, oldest first or by `order`."""
        query = Query(request)
        with_tags = query.flag("include_tag") is True
        return reply(_listing(query, self._wanted_markets(query), self._market_row(with_tags), _MARKET_ORDERS))

    def _market_row(self, with_tags: bool) -> Callable[[Market], Json]:
        return lambda market: self._views.market(market, with_tags=with_tags)

    async def markets_keyset(self, request: Request) -> Response:
        """List markets page by page; `next_cursor` goes into the next request's `after_cursor`."""
        query = Query(request)
        rows, following = _keyset(query, self._wanted_markets(query), self._market_row(query.flag("include_tag") is True))
        return reply({"markets": rows} | following)

    async def market(self, request: Request) -> Response:
        """Return a market by its number or slug."""
        query = Query(request)
        found = _named(request, self._views.index.markets, lambda market: market.ticker)
        return reply(self._views.market(found, with_tags=query.flag("include_tag") is True))

    async def market_tags(self, request: Request) -> Response:
        """Return a market's tags."""
        found = _named(request, self._views.index.markets, lambda market: market.ticker)
        return reply(self._views.tags(self._venue.state.series[found.series_ticker]))

    # --- events ------------------------------------------------------------------------------------------------------------

    def _wanted_events(self, query: Query) -> list[EventInfo]:
        views, state = self._views, self._venue.state
        index = views.index
        closed = query.flag("closed")
        ids, slugs, without = query.many("id"), query.many("slug"), set(query.many("exclude_tag_id"))
        found = []
        for event in index.events:
            series = state.series[event.series_ticker]
            markets = [state.markets[ticker] for ticker in event.tickers]
            tags = views.tags(series)
            if (
                (closed is None or (bool(markets) and all(map(views.is_closed, markets))) is closed)
                and query.flag("archived") is not True
                and query.flag("active") is not False
                and query.flag("featured") is not True
                and (not ids or str(index.number("event", event.event_ticker)) in ids)
                and (not slugs or slug_of(event.event_ticker) in slugs)
                and query.text("tag_id") in ("", *(row["id"] for row in tags))
                and query.text("tag_slug") in ("", *(row["slug"] for row in tags))
                and not without & {row["id"] for row in tags}
                and query.text("recurrence") in ("", series.frequency)
                and query.text("series_id") in ("", str(index.number("series", series.series_ticker)))
                and query.within("volume_min", "volume_max", sum(map(views.volume_micros, markets)))
                and query.within("liquidity_min", "liquidity_max", sum(map(views.liquidity_micros, markets)))
                and query.within("start_date_min", "start_date_max", min((m.open_ms for m in markets), default=0), "time_ms")
                and query.within("end_date_min", "end_date_max", max((m.close_ms for m in markets), default=0), "time_ms")
            ):
                found.append(event)
        return found

    async def events(self, request: Request) -> Response:
        """List events with their markets, oldest first or by `order`."""
        query = Query(request)
        return reply(_listing(query, self._wanted_events(query), self._views.event, _EVENT_ORDERS))

    async def events_keyset(self, request: Request) -> Response:
        """List events page by page."""
        query = Query(request)
        rows, following = _keyset(query, self._wanted_events(query), self._views.event)
        return reply({"events": rows} | following)

    async def event(self, request: Request) -> Response:
        """Return an event by its number or slug."""
        return reply(self._views.event(_named(request, self._views.index.events, lambda event: event.event_ticker)))

    async def event_tags(self, request: Request) -> Response:
        """Return an event's tags."""
        found = _named(request, self._views.index.events, lambda event: event.event_ticker)
        return reply(self._views.tags(self._venue.state.series[found.series_ticker]))

    # --- tags and series ---------------------------------------------------------------------------------------------------

    async def tags(self, request: Request) -> Response:
        """List tags: the categories and tags of all series."""
        return reply(_listing(Query(request), self._views.index.tags, self._views.tag, ("id", "label", "slug")))

    async def tag(self, request: Request) -> Response:
        """Return a tag by its number or slug."""
        return reply(self._views.tag(_named(request, self._views.index.tags, lambda label: label)))

    async def series_list(self, request: Request) -> Response:
        """List series with their events."""
        query = Query(request)
        slugs, labels, closed = query.many("slug"), query.many("categories_labels"), query.flag("closed")
        found = [
            series
            for series in self._views.index.series
            if (not slugs or slug_of(series.series_ticker) in slugs)
            and (not labels or series.category in labels)
            and query.text("recurrence") in ("", series.frequency)
            and (closed is None or self._views.series(series, with_events=False)["closed"] is closed)
        ]
        return reply(_listing(query, found, self._views.series, ("id", "title", "slug", "createdAt")))

    async def series(self, request: Request) -> Response:
        """Return a series by its number."""

        def ticker(series: Series) -> str:
            return series.series_ticker

        return reply(self._views.series(_named(request, self._views.index.series, ticker)))

    # --- search ------------------------------------------------------------------------------------------------------------

    async def search(self, request: Request) -> Response:
        """Find events (by their own words or their markets'), tags and wallets that contain all words of `q`."""
        query = Query(request)
        words = query.text("q").lower().split()
        if not words:
            raise ApiError(400, "invalid q", "INVALID_QUERY", "q is what to search for", field="q")
        limit, shown_page = query.integer("limit_per_type", 10, 100), max(1, query.integer("page", 1, 1_000))
        tags_wanted, status = (
            set(query.many("events_tag")),
            query.choice("events_status", ("", "ACTIVE", "CLOSED", "ALL"), ""),
        )
        events = [
            event
            for event in self._views.index.events
            if self._speaks_of(event, words) and self._has_tag(event, tags_wanted) and self._is(event, status)
        ]
        start = (shown_page - 1) * limit
        tags = [self._views.tag(tag) for tag in self._views.index.tags if all(word in tag.lower() for word in words)]
        wallet = self._venue.state.accounts.get(query.text("q").lower())
        found: Json = {
            "events": [self._views.event(event) for event in events[start : start + limit]],
            "pagination": {"hasMore": len(events) > start + limit, "totalResults": len(events)},
        }
        if query.flag("search_tags") is not False:
            found["tags"] = [tag | {"event_count": self._count(tag["label"])} for tag in tags[:limit]]
        if query.flag("search_profiles") is not False:
            found["profiles"] = [_profile(wallet.account_id)] if wallet is not None and wallet.is_wallet else []
        return reply(found)

    def _speaks_of(self, event: EventInfo, words: list[str]) -> bool:
        markets = (self._venue.state.markets[ticker] for ticker in event.tickers)
        texts = [event.title, event.sub_title, event.event_ticker, *(f"{m.title} {m.rules} {m.ticker}" for m in markets)]
        text = " ".join(texts).lower()
        return all(word in text for word in words)

    def _has_tag(self, event: EventInfo, wanted: set[str]) -> bool:
        tags = self._views.tags(self._venue.state.series[event.series_ticker])
        return not wanted or bool(wanted & {value for tag in tags for value in (tag["slug"], tag["label"])})

    def _is(self, event: EventInfo, status: str) -> bool:
        markets = [self._venue.state.markets[ticker] for ticker in event.tickers]
        closed = bool(markets) and all(map(self._views.is_closed, markets))
        return status in ("", "ALL") or closed is (status == "CLOSED")

    def _count(self, label: str) -> int:
        state, index = self._venue.state, self._views.index
        return sum(label in index.tags_of(state.series[event.series_ticker]) for event in index.events)

    async def profile(self, request: Request) -> Response:
        """Return a wallet's public profile: its address, and since when the venue knows it."""
        address = address_in(Query(request), "address")
        account = self._venue.state.accounts.get(address)
        if account is None or not account.is_wallet:
            raise ApiError(404, "profile not found", "UNKNOWN_ACCOUNT", f"this venue knows no wallet {address}")
        keys = [key.created_ms for key in self._venue.state.keys.values() if key.account_id == address]
        return reply(_profile(address) | ({"createdAt": iso(min(keys))} if keys else {}))


def _profile(address: str) -> Json:
    return {"id": address, "proxyWallet": address, "name": "", "pseudonym": "", "bio": "", "displayUsernamePublic": False}


def _listing(query: Query, found: Iterable[Any], row: Callable[[Any], Json], orders: tuple[str, ...]) -> list[Json]:
    """Return the asked part of what was found."""
    limit, offset = query.integer("limit", DEFAULT_LIMIT, MAX_LIMIT), query.integer("offset", 0, MAX_OFFSET)
    aliases = {"volume": "volumeNum", "liquidity": "liquidityNum"} if "volumeNum" in orders else {}
    wanted = [aliases.get(_camel(name), _camel(name)) for name in query.many("order")]
    ascending = query.flag("ascending") is not False
    if not wanted or wanted == ["id"]:
        entities = list(found)
        entities = entities if ascending else entities[::-1]
        return [row(entity) for entity in entities[offset : offset + limit]]
    unknown = [name for name in wanted if name not in orders]
    if unknown:
        reason = f"order is one of {', '.join(orders)}, not {unknown[0][:80]}"
        raise ApiError(400, "order fields are not valid", "INVALID_QUERY", reason, field="order")
    rows = [row(entity) for entity in found]
    keyed = [(tuple(_key(one.get(name)) for name in wanted), place) for place, one in enumerate(rows)]
    keyed.sort(key=lambda pair: pair[0], reverse=not ascending)
    return [rows[place] for _, place in keyed[offset : offset + limit]]


def _key(value: Any) -> tuple[float, str]:
    """Return something to sort by: numbers are stored as JSON text."""
    if isinstance(value, str):
        return (float(value), "") if value.isdigit() else (0.0, value)
    return (float(bytes(value)), "") if value is not None and not isinstance(value, int | float) else (float(value or 0), "")


def _keyset(query: Query, found: list[Any], row: Callable[[Any], Json]) -> tuple[list[Json], Json]:
    """Return a page by cursor and what the answer says of the next one. A cursor is a place in the order of creation."""
    if query.text("offset"):
        raise ApiError(
            400, "invalid offset", "INVALID_QUERY", "pages go by after_cursor here, not by offset", field="offset"
        )
    limit = query.integer("limit", DEFAULT_LIMIT, MAX_LIMIT)
    try:
        start = position_of(query.text("after_cursor"))
    except ValueError as error:
        raise ApiError(400, "invalid after_cursor", "INVALID_CURSOR", "after_cursor is no cursor of this venue") from error
    shown = found[start : start + limit] if start >= 0 else []
    following = {"next_cursor": cursor(start + limit)} if limit and len(found) > start + limit else {}
    return [row(entity) for entity in shown], following


def _named(request: Request, found: list[Any], name: Callable[[Any], str]) -> Any:
    """Return the entity whose number or slug the path names, or answer 404."""
    wanted = request.path_params
    if "slug" in wanted:
        for entity in found:
            if slug_of(name(entity)) == wanted["slug"].lower():
                return entity
    else:
        text = wanted["id"]
        if text.isascii() and text.isdigit() and len(text) < 16 and 0 < int(text) <= len(found):
            return found[int(text) - 1]
    reason = f"nothing here is called {(wanted.get('slug') or wanted.get('id') or '')[:80]}"
    raise ApiError(404, "not found", "NOT_FOUND", reason)


def _always(answer: object, sentence: str) -> Handler:
    async def endpoint(request: Request) -> Response:
        return reply(answer)

    endpoint.__doc__ = sentence
    return endpoint


def router(sequencer: Sequencer, settings: Settings) -> APIRouter:
    """Return the routes under /gamma."""
    routes = APIRouter(prefix="/gamma", route_class=PolymarketRoute, tags=["gamma"])
    gamma = GammaRoutes(Venue(sequencer, settings))
    none = "Return an empty list: this venue has none."
    for path, endpoint in (
        ("/status", _always("OK", "Say that the API answers.")),
        ("/markets", gamma.markets),
        ("/markets/keyset", gamma.markets_keyset),
        ("/markets/slug/{slug}", gamma.market),
        ("/markets/{id}", gamma.market),
        ("/markets/{id}/tags", gamma.market_tags),
        ("/events", gamma.events),
        ("/events/keyset", gamma.events_keyset),
        ("/events/slug/{slug}", gamma.event),
        ("/events/{id}", gamma.event),
        ("/events/{id}/tags", gamma.event_tags),
        ("/tags", gamma.tags),
        ("/tags/slug/{slug}", gamma.tag),
        ("/tags/slug/{slug}/related-tags", _always([], none)),
        ("/tags/slug/{slug}/related-tags/tags", _always([], none)),
        ("/tags/{id}", gamma.tag),
        ("/tags/{id}/related-tags", _always([], none)),
        ("/tags/{id}/related-tags/tags", _always([], none)),
        ("/series", gamma.series_list),
        ("/series/{id}", gamma.series),
        ("/sports", _always([], none)),
        ("/sports/market-types", _always({"marketTypes": []}, none)),
        ("/teams", _always([], none)),
        ("/comments", _always([], none)),
        ("/comments/user_address/{address}", _always([], none)),
        ("/comments/{id}", _always([], none)),
        ("/public-search", gamma.search),
        ("/public-profile", gamma.profile),
    ):
        name = "gamma" + re.sub(r"[/\-{}]+", "_", path)
        routes.add_api_route(path, endpoint, methods=["GET"], name=name)
    return routes
