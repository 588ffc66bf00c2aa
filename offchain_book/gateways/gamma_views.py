"""Markets, events, series and tags in the words of Polymarket's Gamma API. What this venue has no fact for is left out."""

import json
from typing import Any

from offchain_book.engine import rewards
from offchain_book.engine.book import Book
from offchain_book.engine.hours import trading_is_active
from offchain_book.engine.lifecycle import OPEN_STATES, status_at
from offchain_book.engine.market import EventInfo, Market, MarketStatus, Series
from offchain_book.engine.operations import Outcome, TokenSide
from offchain_book.engine.units import LOT_MICROS, PRICE_SCALE, cost_micros
from offchain_book.gateways.gamma_index import Catalogue, Index, price_micros, slug_of
from offchain_book.gateways.polymarket_http import Venue
from offchain_book.gateways.polymarket_words import Token, decimal, fixed, iso, iso_day, number, price_text, tick_text

Json = dict[str, Any]
DAY_S = 86_400
WINDOWS = {"24hr": DAY_S, "1wk": 7 * DAY_S, "1mo": 30 * DAY_S, "1yr": 365 * DAY_S}
_CHANGES = {"oneHour": 3_600, "oneDay": DAY_S, "oneWeek": 7 * DAY_S, "oneMonth": 30 * DAY_S}


class GammaViews:
    """Makes the objects of the Gamma API from one venue's state."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._catalogue = Catalogue(venue.state)

    @property
    def index(self) -> Index:
        """The numbers of what exists."""
        return self._catalogue.index()

    def is_closed(self, market: Market) -> bool:
        """Whether a market has stopped trading for good."""
        return market.status not in OPEN_STATES

    def _now_s(self) -> int:
        return self._venue.sequencer.clock_ms() // 1000

    def volume_micros(self, market: Market) -> int:
        """Return the dollars ever traded in a market."""
        history = self._venue.projections.prices.get(market.ticker)
        return history.total_micros if history is not None else 0

    def _volumes(self, markets: list[Market]) -> Json:
        """Return the dollars traded in windows of time."""
        sums = {}
        for name, window_s in WINDOWS.items():
            since = self._now_s() - window_s
            histories = (self._venue.projections.prices.get(market.ticker) for market in markets)
            traded = sum(history.traded_since_micros(since) for history in histories if history is not None)
            sums[f"volume{name}"] = number(decimal(traded))
        return sums

    def liquidity_micros(self, market: Market) -> int:
        """Return the dollars that rest in a book: what the bids pay for YES and the asks for NO."""
        token = Token(market, Outcome.YES)
        bids = sum(cost_micros(size, price) for price, size in token.depth(TokenSide.BUY))
        return bids + sum(cost_micros(size, PRICE_SCALE - price) for price, size in token.depth(TokenSide.SELL))

    def _changes(self, market: Market) -> Json:
        """Return how far the last price is from what it was; left out where there was no price yet."""
        history, found = self._venue.projections.prices.get(market.ticker), {}
        for name, back_s in _CHANGES.items():
            before = history.price_e4(self._now_s() - back_s) if history is not None else 0
            if before:
                found[f"{name}PriceChange"] = number(price_text(market.last_price_e4 - before))
        return found

    def _rewards(self, market: Market) -> Json:
        program = rewards.active(self._venue.state, market, self._venue.sequencer.clock_ms())
        if program is None:
            return {"rewardsMinSize": 0, "rewardsMaxSpread": 0}
        row = {
            "id": str(self.index.number("market", market.ticker)),
            "conditionId": market.condition_id,
            "assetAddress": self._venue.settings.collateral_address,
            "rewardsAmount": 0,
            "rewardsDailyRate": number(decimal(program.daily_micros)),
            "startDate": iso_day(program.start_ms),
            "endDate": iso_day(program.end_ms),
        }
        return {
            "rewardsMinSize": number(decimal(program.min_size_micros)),
            "rewardsMaxSpread": number(fixed(program.max_spread_e4, 2)),
            "clobRewards": [row],
        }

    def _prices(self, market: Market) -> Json:
        yes, no = Token(market, Outcome.YES), Token(market, Outcome.NO)
        book: Book = market.book
        prices: Json = {
            "outcomes": json.dumps([market.yes_sub_title or "Yes", market.no_sub_title or "No"]),
            "outcomePrices": json.dumps([decimal(price_micros(yes)), decimal(price_micros(no))]),
            "spread": number(price_text(book.best_ask_e4 - book.best_bid_e4)),
            "bestBid": number(price_text(book.best_bid_e4)),
            "bestAsk": number(price_text(book.best_ask_e4)),
        }
        if market.last_price_e4:
            prices["lastTradePrice"] = number(price_text(market.last_price_e4))
        return prices

    def market(self, market: Market, *, with_events: bool = True, with_tags: bool = False) -> Json:
        """Return a market."""
        volume, liquidity = decimal(self.volume_micros(market)), decimal(self.liquidity_micros(market))
        closed = self.is_closed(market)
        now_ms = self._venue.sequencer.clock_ms()
        found: Json = {
            "id": str(self.index.number("market", market.ticker)),
            "question": market.title,
            "conditionId": market.condition_id,
            "slug": slug_of(market.ticker),
            "resolutionSource": market.resolution_source,
            "endDate": iso(market.close_ms),
            "startDate": iso(market.open_ms),
            "endDateIso": iso_day(market.close_ms),
            "startDateIso": iso_day(market.open_ms),
            "image": "",
            "icon": "",
            "description": market.rules,
            "volume": volume,
            "volumeNum": number(volume),
            "volumeClob": number(volume),
            "liquidity": liquidity,
            "liquidityNum": number(liquidity),
            "liquidityClob": number(liquidity),
            "active": True,
            "closed": closed,
            "archived": False,
            "new": False,
            "featured": False,
            "restricted": False,
            "createdAt": iso(market.created_ms),
            "updatedAt": iso(market.updated_ms),
            "groupItemTitle": market.yes_sub_title,
            "questionID": market.question_id,
            "enableOrderBook": True,
            "orderPriceMinTickSize": number(tick_text(market)),
            "orderMinSize": number(decimal(LOT_MICROS)),
            "clobTokenIds": json.dumps([market.yes_token_id, market.no_token_id]),
            "acceptingOrders": status_at(market, now_ms) is MarketStatus.ACTIVE and trading_is_active(self._venue.state),
            "acceptingOrdersTimestamp": iso(market.open_ms),
            "makerBaseFee": market.maker_cap_e4,
            "takerBaseFee": market.taker_cap_e4,
            "feesEnabled": market.max_rate_e4 > 0,
            "marketType": "normal" if market.market_type == "binary" else market.market_type,
            "umaResolutionStatus": "resolved" if market.resolved_on_chain else "",
            "umaResolutionStatuses": "[]",
            "negRisk": False,
            "ready": True,
            "funded": True,
            "approved": True,
            "cyom": False,
            "commentsEnabled": False,
            "rfqEnabled": False,
        }
        if closed:
            found["closedTime"] = iso(market.resolved_ms or min(market.close_ms, market.updated_ms))
        found |= self._prices(market) | self._volumes([market]) | self._changes(market) | self._rewards(market)
        if with_events:
            event = self._venue.state.events[market.event_ticker]
            found["events"] = [self.event(event, with_markets=False)]
        if with_tags:
            found["tags"] = self.tags(self._venue.state.series[market.series_ticker])
        return found

    def event(self, event: EventInfo, *, with_markets: bool = True, with_series: bool = True) -> Json:
        """Return an event."""
        state = self._venue.state
        markets = [state.markets[ticker] for ticker in event.tickers]
        series = state.series[event.series_ticker]
        volume = sum(map(self.volume_micros, markets))
        liquidity = number(decimal(sum(map(self.liquidity_micros, markets))))
        closed = bool(markets) and all(map(self.is_closed, markets))
        found: Json = {
            "id": str(self.index.number("event", event.event_ticker)),
            "ticker": slug_of(event.event_ticker),
            "slug": slug_of(event.event_ticker),
            "title": event.title,
            "subtitle": event.sub_title,
            "description": event.sub_title or event.title,
            "startDate": iso(min((market.open_ms for market in markets), default=event.created_ms)),
            "creationDate": iso(event.created_ms),
            "createdAt": iso(event.created_ms),
            "updatedAt": iso(max((market.updated_ms for market in markets), default=event.created_ms)),
            "image": "",
            "icon": "",
            "active": True,
            "closed": closed,
            "archived": False,
            "new": False,
            "featured": False,
            "restricted": False,
            "category": series.category,
            "liquidity": liquidity,
            "liquidityClob": liquidity,
            "volume": number(decimal(volume)),
            "openInterest": number(decimal(sum(market.yes_supply_micros for market in markets))),
            "enableOrderBook": True,
            "negRisk": False,
            "enableNegRisk": False,
            "showAllOutcomes": True,
            "commentCount": 0,
            "cyom": False,
            "seriesSlug": slug_of(series.series_ticker),
            "tags": self.tags(series),
        }
        if markets:
            found["endDate"] = iso(max(market.close_ms for market in markets))
        found |= self._volumes(markets)
        if with_series:
            found["series"] = [self.series(series, with_events=False)]
        if with_markets:
            found["markets"] = [self.market(market, with_events=False) for market in markets]
        return found

    def series(self, series: Series, *, with_events: bool = True) -> Json:
        """Return a series."""
        events = [event for event in self.index.events if event.series_ticker == series.series_ticker]
        markets = [self._venue.state.markets[ticker] for event in events for ticker in event.tickers]
        found: Json = {
            "id": str(self.index.number("series", series.series_ticker)),
            "ticker": slug_of(series.series_ticker),
            "slug": slug_of(series.series_ticker),
            "title": series.title,
            "seriesType": "single",
            "recurrence": series.frequency,
            "active": True,
            "closed": bool(markets) and all(map(self.is_closed, markets)),
            "archived": False,
            "createdAt": iso(series.created_ms),
            "updatedAt": iso(max((market.updated_ms for market in markets), default=series.created_ms)),
            "volume": number(decimal(sum(map(self.volume_micros, markets)))),
            "liquidity": number(decimal(sum(map(self.liquidity_micros, markets)))),
            "commentCount": 0,
        }
        if with_events:
            found["events"] = [self.event(event, with_markets=False, with_series=False) for event in events]
            found["tags"] = self.tags(series)
        return found

    def tags(self, series: Series) -> list[Json]:
        """Return the tags of a series."""
        return [self.tag(label) for label in self.index.tags_of(series)]

    def tag(self, label: str) -> Json:
        """Return a tag."""
        slug = slug_of(label)
        return {"id": str(self.index.number("tag", slug)), "label": label, "slug": slug, "forceShow": False}
