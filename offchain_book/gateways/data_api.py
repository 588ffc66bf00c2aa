"""Polymarket's Data API under /data-api: what wallets hold, what they did, who holds what. Public, as in production.

Positions are vault balances; tokens that a wallet took out of the vault are its own affair.
"""

import heapq
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request, Response

from offchain_book.config import Settings
from offchain_book.engine.names import token_asset
from offchain_book.engine.operations import Outcome
from offchain_book.engine.units import ONE_DOLLAR_MICROS
from offchain_book.gateways.data_views import DataViews, Json
from offchain_book.gateways.gamma_index import Catalogue, Query, address_in, markets_in
from offchain_book.gateways.polymarket_errors import ApiError
from offchain_book.gateways.polymarket_http import PolymarketRoute, Venue, reply
from offchain_book.gateways.polymarket_words import Token, decimal, number
from offchain_book.sequencer import Sequencer
from offchain_book.views import TradeStage, TradeView, traded_micros
from offchain_book.wallet_views import DAY_MS, PositionView

MAX_SCANNED = 20_000
"""Most rows of history that one request looks at; what is older than that is not found by a filter."""
POOL_NAME = "custody pool"
_PERIODS = {"DAY": 1, "WEEK": 7, "MONTH": 30, "ALL": 0}
_POSITION_ORDERS = ("CURRENT", "INITIAL", "TOKENS", "CASHPNL", "PERCENTPNL", "TITLE", "RESOLVING", "PRICE", "AVGPRICE")
_CLOSED_ORDERS = ("REALIZEDPNL", "TITLE", "PRICE", "AVGPRICE", "TIMESTAMP")
_FIELDS = {
    "CURRENT": "currentValue",
    "INITIAL": "initialValue",
    "TOKENS": "size",
    "CASHPNL": "cashPnl",
    "PERCENTPNL": "percentPnl",
    "TITLE": "title",
    "RESOLVING": "endDate",
    "PRICE": "curPrice",
    "AVGPRICE": "avgPrice",
    "REALIZEDPNL": "realizedPnl",
    "TIMESTAMP": "timestamp",
    "CASH": "usdcSize",
}


class DataRoutes:
    """The routes of one venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._views = DataViews(venue)
        self._catalogue = Catalogue(venue.state)

    async def ok(self, request: Request) -> Response:
        """Say that the API answers."""
        return reply({"data": "OK"})

    # --- positions -----------------------------------------------------------------------------------------------------------

    def _positions(self, query: Query) -> list[PositionView]:
        """Return a wallet's positions in the markets that a request names."""
        wanted = markets_in(query, self._catalogue.index(), self._venue.state)
        title = query.text("title").lower()
        found = self._venue.projections.wallets.positions.get(address_in(query), {}).values()
        return [
            position
            for position in found
            if (wanted is None or position.asset.rpartition(":")[0] in wanted)
            and title in self._views.token_of(position.asset).market.title.lower()
        ]

    async def positions(self, request: Request) -> Response:
        """List what a wallet holds, from `sizeThreshold` contracts up (1 if not given), largest first or by `sortBy`."""
        query = Query(request)
        threshold = query.micros("sizeThreshold")
        least = max(1, ONE_DOLLAR_MICROS if threshold is None else threshold)
        index, rows = self._catalogue.index(), []
        for position in self._positions(query):
            if position.size_micros < least:
                continue
            token = self._views.token_of(position.asset)
            other = self._venue.projections.wallets.positions[position.account_id].get(
                token_asset(token.market.ticker, token.outcome.complement)
            )
            row = self._views.position(
                position, other.size_micros if other else 0, index.number("event", token.market.event_ticker)
            )
            if all(query.flag(name) is not True or row[name] for name in ("redeemable", "mergeable")):
                rows.append(row)
        return reply(_sorted(query, rows, _POSITION_ORDERS, "TOKENS", 100, 500))

    async def closed_positions(self, request: Request) -> Response:
        """List what a wallet held once and sold, merged or redeemed whole, best result first or by `sortBy`."""
        query = Query(request)
        rows = [
            self._views.closed_position(position)
            for position in self._positions(query)
            if not position.size_micros and position.bought_micros
        ]
        return reply(_sorted(query, rows, _CLOSED_ORDERS, "REALIZEDPNL", 10, 50))

    async def value(self, request: Request) -> Response:
        """Return what a wallet's positions are worth now."""
        query = Query(request)
        total = sum(map(self._views.value_micros, self._positions(query)))
        return reply([{"user": address_in(query), "value": number(decimal(total))}])

    async def traded(self, request: Request) -> Response:
        """Return in how many markets a wallet has had a position."""
        query = Query(request)
        tickers = {position.asset.rpartition(":")[0] for position in self._positions(query)}
        return reply({"user": address_in(query), "traded": len(tickers)})

    # --- trades and activity ---------------------------------------------------------------------------------------------------

    async def trades(self, request: Request) -> Response:
        """List trades, newest first: takers' sides, or with takerOnly=false both."""
        query = Query(request)
        limit, offset = query.integer("limit", 100, 10_000), query.integer("offset", 0, 10_000)
        side = query.choice("side", ("", "BUY", "SELL"), "")
        kind, least = query.choice("filterType", ("", "CASH", "TOKENS"), ""), query.micros("filterAmount") or 0
        taker_only = query.flag("takerOnly") is not False
        user = address_in(query) if query.text("user") else ""

        def rows() -> Iterator[Json]:
            for trade in self._newest(query, user):
                for own in (trade.taker,) if taker_only else (trade.taker, trade.maker):
                    amount = traded_micros(trade, own) if kind == "CASH" else trade.size_micros
                    if (user and own.account_id != user) or (kind and amount < least):
                        continue
                    row = self._views.trade(trade, own)
                    if side in ("", row["side"]):
                        yield row

        return reply(list(islice(rows(), offset, offset + limit)))

    def _newest(self, query: Query, user: str) -> Iterator[TradeView]:
        """Yield the newest trades of what a request names: a wallet's, a market's, or everybody's."""
        read = self._venue.projections
        wanted = markets_in(query, self._catalogue.index(), self._venue.state)
        found: Iterator[TradeView]
        if user:
            found = (fill.trade for fill in reversed(read.fills_by_account.get(user, [])))
        elif wanted is not None:
            lists = [reversed(read.trades_by_ticker.get(ticker, [])) for ticker in sorted(wanted)]
            found = heapq.merge(*lists, key=lambda trade: -trade.match_id)
        else:
            found = reversed(read.trades)
        for trade in islice(found, MAX_SCANNED):
            if wanted is None or trade.ticker in wanted:
                yield trade

    async def activity(self, request: Request) -> Response:
        """List what a wallet did on chain: trades, splits, merges, redemptions; newest first or by `sortBy`."""
        query = Query(request)
        kinds = {kind.upper() for kind in query.many("type")}
        start, end = query.integer("start", 0, 10**12), query.integer("end", 10**12, 10**12)
        side = query.choice("side", ("", "BUY", "SELL"), "")
        wanted = markets_in(query, self._catalogue.index(), self._venue.state)
        conditions = None if wanted is None else {self._venue.state.markets[t].condition_id for t in wanted if t}
        user = address_in(query)
        rows = [
            row
            for row in self._activity(user)
            if (not kinds or row["type"] in kinds)
            and start <= row["timestamp"] <= end
            and (not side or row["side"] == side)
            and (conditions is None or row["conditionId"] in conditions)
        ]
        return reply(_sorted(query, rows, ("TIMESTAMP", "TOKENS", "CASH"), "TIMESTAMP", 100, 500))

    def _activity(self, user: str) -> Iterator[Json]:
        """Yield a wallet's activity, newest first."""
        read = self._venue.projections
        for one in islice(reversed(read.wallets.activity.get(user, [])), MAX_SCANNED):
            if one.kind == "TRADE":
                trade = read.trades[one.number]
                yield self._views.traded(trade, trade.taker if trade.taker.account_id == user else trade.maker)
            elif read.operations[one.number].stage == TradeStage.CONFIRMED:
                yield self._views.action(read.operations[one.number])

    # --- markets -----------------------------------------------------------------------------------------------------------------

    async def holders(self, request: Request) -> Response:
        """List who holds most of each token of the markets asked for; the custody pool is one holder."""
        query = Query(request)
        if not query.many("market"):
            raise ApiError(400, "invalid market", "INVALID_QUERY", "market is one or more condition ids", field="market")
        limit, least = query.integer("limit", 20, 500), query.integer("minBalance", 1, 999_999) * ONE_DOLLAR_MICROS
        wanted = markets_in(query, self._catalogue.index(), self._venue.state) or set()
        found = []
        for ticker in sorted(wanted - {""}):
            market = self._venue.state.markets[ticker]
            pools = {Outcome.YES: market.pool_yes_micros, Outcome.NO: market.pool_no_micros}
            for outcome in Outcome:
                token = Token(market, outcome)
                rows = [
                    (position.size_micros, self._views.holder(wallet, token, position.size_micros))
                    for wallet, position in self._venue.projections.wallets.holders.get(
                        token_asset(ticker, outcome), {}
                    ).items()
                    if position.size_micros >= least
                ]
                if pools[outcome] >= max(1, least):
                    pool = self._views.holder(self._venue.settings.venue_address, token, pools[outcome], POOL_NAME)
                    rows.append((pools[outcome], pool))
                best = heapq.nlargest(limit, rows, key=lambda row: row[0])
                found.append({"token": token.token_id, "holders": [row for _, row in best]})
        return reply(found)

    async def open_interest(self, request: Request) -> Response:
        """Return the full sets in existence per market, in dollars."""
        query = Query(request)
        wanted = markets_in(query, self._catalogue.index(), self._venue.state)
        markets = [m for m in self._catalogue.index().markets if wanted is None or m.ticker in wanted]
        return reply([{"market": m.condition_id, "value": number(decimal(m.yes_supply_micros))} for m in markets])

    async def live_volume(self, request: Request) -> Response:
        """Return the dollars traded in an event, and in each of its markets."""
        index = self._catalogue.index()
        place = Query(request).integer("id", 0, 10**12)
        if not 0 < place <= len(index.events):
            raise ApiError(
                400, "invalid id", "INVALID_QUERY", f"id is an event's number, 1 to {len(index.events)}", field="id"
            )
        sums = []
        for ticker in index.events[place - 1].tickers:
            history = self._venue.projections.prices.get(ticker)
            market = self._venue.state.markets[ticker]
            sums.append((market.condition_id, history.total_micros if history is not None else 0))
        rows = [{"market": condition, "value": number(decimal(traded))} for condition, traded in sums]
        return reply([{"total": number(decimal(sum(traded for _, traded in sums))), "markets": rows}])

    async def leaderboard(self, request: Request) -> Response:
        """Rank wallets by realized gains, or by dollars traded, over whole UTC days up to today."""
        query = Query(request)
        days = _PERIODS[query.choice("timePeriod", tuple(_PERIODS), "DAY")]
        by = query.choice("orderBy", ("PNL", "VOL"), "PNL")
        limit, offset = query.integer("limit", 25, 50), query.integer("offset", 0, 1_000)
        first = self._venue.sequencer.clock_ms() // DAY_MS - days + 1 if days else 0
        wallets = self._venue.projections.wallets
        sums = []
        for wallet in wallets.traded_days:
            traded, gained = (
                sum(micros for day, micros in found.get(wallet, {}).items() if day >= first)
                for found in (wallets.traded_days, wallets.realized_days)
            )
            if traded or gained:
                sums.append((gained if by == "PNL" else traded, wallet, traded, gained))
        sums.sort(key=lambda row: (-row[0], row[1]))
        user = query.text("user").lower()
        rows = [
            {
                "rank": str(rank),
                "proxyWallet": wallet,
                "userName": "",
                "vol": number(decimal(traded)),
                "pnl": number(decimal(gained)),
                "profileImage": "",
                "xUsername": "",
                "verifiedBadge": False,
            }
            for rank, (_, wallet, traded, gained) in enumerate(sums, start=1)
            if user in ("", wallet)
        ]
        return reply(rows[offset : offset + limit])


def _sorted(query: Query, rows: list[Json], orders: tuple[str, ...], default: str, usual: int, most: int) -> list[Json]:
    """Return the asked part of rows, sorted as asked; production's largest pages and offsets."""
    limit, offset = query.integer("limit", usual, most), query.integer("offset", 0, 100_000)
    field = _FIELDS[query.choice("sortBy", orders, default)]
    descending = query.choice("sortDirection", ("ASC", "DESC"), "DESC") == "DESC"
    rows.sort(key=lambda row: _value(row[field]), reverse=descending)
    return rows[offset : offset + limit]


def _value(found: Any) -> Any:
    """Return what to compare: texts as they are, numbers (JSON text here) as numbers."""
    return found if isinstance(found, str | int) else float(bytes(found))


def router(sequencer: Sequencer, settings: Settings) -> APIRouter:
    """Return the routes under /data-api."""
    routes = APIRouter(prefix="/data-api", route_class=PolymarketRoute, tags=["data-api"])
    data = DataRoutes(Venue(sequencer, settings))
    for path, endpoint in (
        ("/", data.ok),
        ("/positions", data.positions),
        ("/closed-positions", data.closed_positions),
        ("/value", data.value),
        ("/traded", data.traded),
        ("/trades", data.trades),
        ("/activity", data.activity),
        ("/holders", data.holders),
        ("/oi", data.open_interest),
        ("/live-volume", data.live_volume),
        ("/v1/leaderboard", data.leaderboard),
    ):
        routes.add_api_route(path, endpoint, methods=["GET"], name="data" + re.sub(r"[/\-]+", "_", path))
    return routes
