"""What an account owns, in Kalshi's dialect: balance, positions, fills, settlements.

Quantities come from the ledger. What the ledger does not know, the average cost of a position and the gain already
made, is folded here from the account's fills, each of which is looked at once.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import islice

from offchain_book.engine.account import Account
from offchain_book.engine.market import Market, MarketStatus
from offchain_book.engine.names import token_asset
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide
from offchain_book.engine.units import CASH, PRICE_SCALE, complement_e4, cost_micros
from offchain_book.gateways.kalshi_call import Call, Json, newest_first, next_cursor, rendered, time_bounds
from offchain_book.gateways.kalshi_errors import invalid
from offchain_book.gateways.kalshi_history import archived, tier_bounds
from offchain_book.gateways.kalshi_parts import Joined
from offchain_book.gateways.kalshi_units import cents_rounded_down, count_text, dollars_text, time_text
from offchain_book.gateways.kalshi_views import fill_view, market_result
from offchain_book.projections import Projections
from offchain_book.sequencer import Sequencer
from offchain_book.views import FillView, SettlementView

_ITEMS_PER_TURN = 2_000
"""Fills or orders looked at before other requests get the loop."""


class Lot:
    """Contracts of one outcome and what they cost."""

    __slots__ = ("cost_micros", "size_micros")

    def __init__(self) -> None:
        self.size_micros = 0
        self.cost_micros = 0

    def take(self, size_micros: int) -> int:
        """Remove contracts at the average cost and return that cost."""
        size = min(size_micros, self.size_micros)
        cost = self.cost_of(size)
        self.size_micros -= size
        self.cost_micros -= cost
        return cost

    def cost_of(self, size_micros: int) -> int:
        """Return the cost of part of the lot. What came from outside the market, as a token deposit, cost nothing."""
        if not self.size_micros:
            return 0
        return self.cost_micros * min(size_micros, self.size_micros) // self.size_micros


class Position:
    """An account's history in one market."""

    __slots__ = ("fees_micros", "lots", "realized_micros", "shares_micros", "ticker", "traded_micros", "updated_ms")

    def __init__(self, ticker: str) -> None:
        self.ticker = ticker
        self.lots = {Outcome.YES: Lot(), Outcome.NO: Lot()}
        self.traded_micros = 0
        self.shares_micros = 0
        self.realized_micros = 0
        self.fees_micros = 0
        self.updated_ms = 0

    def add_fill(self, fill: FillView) -> None:
        """Count a fill: what closes takes from the other outcome's lot, what opens adds to its own."""
        own, price = fill.own, fill.trade.price_e4
        bought = Outcome.YES if own.side is BookSide.BID else Outcome.NO
        own_price = price if bought is Outcome.YES else complement_e4(price)
        proceeds = cost_micros(own.close_micros, complement_e4(own_price))
        self.realized_micros += proceeds - self.lots[bought.complement].take(own.close_micros)
        opening = cost_micros(own.open_micros, own_price)
        self.lots[bought].size_micros += own.open_micros
        self.lots[bought].cost_micros += opening
        self.traded_micros += cost_micros(fill.trade.size_micros, own_price)
        self.shares_micros += fill.trade.size_micros
        self.fees_micros += own.fee_micros
        self.updated_ms = fill.trade.at_ms

    def settle(self, settlement: SettlementView) -> None:
        """Close the position at its payout. The lots stay as they were, for the settlement's cost columns."""
        self.realized_micros += settlement.payout_micros - self.exposure(settlement.yes_micros, settlement.no_micros)
        self.updated_ms = settlement.at_ms

    def exposure(self, yes_micros: int, no_micros: int) -> int:
        """Return what the contracts now held cost."""
        return self.lots[Outcome.YES].cost_of(yes_micros) + self.lots[Outcome.NO].cost_of(no_micros)


class History:
    """One account's positions, brought up to date from the projections when somebody asks (`folded`)."""

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self._fills = 0
        self._settlements = 0

    def fold(self, projections: Projections, account: Account) -> bool:
        """Fold some of what is new; True while there is more."""
        fills = projections.fills_by_account.get(account.account_id, [])
        for fill in islice(fills, self._fills, self._fills + _ITEMS_PER_TURN):
            self._fills += 1
            self._position(fill.trade.ticker).add_fill(fill)
        if self._fills < len(fills):
            return True
        settlements = projections.settlements_by_account.get(account.account_id, [])
        while self._settlements < len(settlements):
            settlement = settlements[self._settlements]
            self._settlements += 1
            self._position(settlement.ticker).settle(settlement)
        for asset, balance in account.balances.items():
            if asset != CASH and balance.total:
                self._position(asset.rpartition(":")[0])
        return False

    def _position(self, ticker: str) -> Position:
        return self.positions.setdefault(ticker, Position(ticker))


async def folded(histories: dict[str, History], projections: Projections, parts: Sequence[Account]) -> None:
    """Bring the histories of accounts up to date, giving way to other requests in between.

    All are of one moment, and nothing has happened since when it returns: no turn of the loop comes after the last look.
    """
    while True:
        unread = [part for part in parts if histories[part.account_id].fold(projections, part)]
        if not unread:
            return
        await asyncio.sleep(0)


class Portfolio:
    """Handlers of the portfolio routes that are not about orders."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer
        self._state = sequencer.state
        self._projections = sequencer.projections
        self._fills = Joined(sequencer.projections.fills_by_account, lambda fill: fill.trade.match_id)
        self._settlements = Joined(sequencer.projections.settlements_by_account, lambda row: row.at_ms)
        self._histories: defaultdict[str, History] = defaultdict(History)

    def _updated_ms(self, account: Account) -> int:
        return self._projections.account_updated_ms.get(account.account_id, 0)

    # --- balance ------------------------------------------------------------------------------------------------------

    async def balance(self, call: Call) -> Json:
        """Return the available cash and what the positions are worth."""
        account = call.asked_part()
        available = account.cash.available
        return {
            "balance": cents_rounded_down(available),
            "balance_dollars": dollars_text(available),
            "portfolio_value": cents_rounded_down(self._worth(account)),
            "updated_ts": self._updated_ms(account) // 1000,
            "balance_breakdown": [{"exchange_index": 0, "balance": dollars_text(available)}],
        }

    def _worth(self, account: Account) -> int:
        """Return the account's contracts at their marks, in millionths of a dollar."""
        total = 0
        for asset, balance in account.balances.items():
            if asset == CASH or not balance.total:
                continue
            ticker, _, outcome = asset.rpartition(":")
            yes_price = mark_e4(self._state.markets[ticker])
            price = yes_price if outcome == Outcome.YES.name else complement_e4(yes_price)
            total += balance.total * price // PRICE_SCALE
        return total

    async def resting_order_value(self, call: Call) -> Json:
        """Return what the open orders would cost at their limits."""
        total = 0
        orders = [order for part in call.parts() for order in part.open_orders.values()]
        for count, order in enumerate(orders, start=1):
            total += order.open_cost_micros
            if count % _ITEMS_PER_TURN == 0:
                await asyncio.sleep(0)
        return {
            "total_resting_order_value": cents_rounded_down(total),
            "resting_order_value_breakdown": [{"exchange_index": 0, "balance": dollars_text(total)}],
        }

    # --- positions ----------------------------------------------------------------------------------------------------

    async def positions(self, call: Call) -> Json:
        """List positions by market and by event, newest market first."""
        return await self._positions(call, call.choice("settlement_status", ("unsettled", "settled", "all")) or "unsettled")

    async def historical_positions(self, call: Call) -> Json:
        """List the settled positions of the historical tier, newest market first."""
        return await self._positions(call, "historical")

    async def _positions(self, call: Call, settled: str) -> Json:
        account = call.asked_part()
        keep, limit, before = (
            self._position_filter(call, account, settled),
            call.limit(),
            call.cursor(f"positions_{settled}"),
        )
        await folded(self._histories, self._projections, [account])
        rows = list(self._histories[account.account_id].positions.values())
        found, position = newest_first(rows, keep, limit, before)
        resting = Counter(order.ticker for order in account.open_orders.values())
        events = dict.fromkeys(self._state.markets[row.ticker].event_ticker for row in found)
        return {
            "market_positions": [self._market_position(account, row, resting[row.ticker]) for row in found],
            "event_positions": [
                self._event_position(account, event, [row for row in rows if keep(row)]) for event in events
            ],
            "cursor": next_cursor(f"positions_{settled}", position),
        }

    def _position_filter(self, call: Call, account: Account, settled: str) -> Callable[[Position], bool]:
        ticker, event = call.text("ticker"), call.text("event_ticker")
        tiers = ("unsettled", "settled") if settled == "all" else (settled,)
        nonzero = call.names("count_filter")
        unknown = set(nonzero) - {"position", "total_traded"}
        if unknown:
            raise invalid("count_filter may list position and total_traded", {"parameter": "count_filter"})

        def keep(row: Position) -> bool:
            return (
                self._tier_of(row) in tiers
                and (not ticker or row.ticker == ticker)
                and (not event or self._state.markets[row.ticker].event_ticker == event)
                and ("position" not in nonzero or any(held(account, row.ticker)))
                and ("total_traded" not in nonzero or row.traded_micros > 0)
            )

        return keep

    def _tier_of(self, row: Position) -> str:
        market = self._state.markets[row.ticker]
        if archived(self._sequencer, market):
            return "historical"
        return "settled" if market.status is MarketStatus.FINALIZED else "unsettled"

    def _market_position(self, account: Account, row: Position, resting: int) -> Json:
        yes, no = held(account, row.ticker)
        return {
            "ticker": row.ticker,
            "exchange_index": 0,
            "total_traded_dollars": dollars_text(row.traded_micros),
            "position_fp": count_text(yes - no),
            "resting_orders_count": resting,
            "market_exposure_dollars": dollars_text(row.exposure(yes, no)),
            "realized_pnl_dollars": dollars_text(row.realized_micros),
            "fees_paid_dollars": dollars_text(row.fees_micros),
            "last_updated_ts": time_text(row.updated_ms or self._updated_ms(account)),
        }

    def _event_position(self, account: Account, event: str, rows: list[Position]) -> Json:
        own = [row for row in rows if self._state.markets[row.ticker].event_ticker == event]
        advance = account.advances.get(event)
        return {
            "event_ticker": event,
            "collateral_returned_dollars": dollars_text(advance.micros if advance else 0),
            "total_cost_dollars": dollars_text(sum(row.traded_micros for row in own)),
            "total_cost_shares_fp": count_text(sum(row.shares_micros for row in own)),
            "event_exposure_dollars": dollars_text(sum(row.exposure(*held(account, row.ticker)) for row in own)),
            "realized_pnl_dollars": dollars_text(sum(row.realized_micros for row in own)),
            "fees_paid_dollars": dollars_text(sum(row.fees_micros for row in own)),
        }

    # --- fills and settlements ----------------------------------------------------------------------------------------

    async def fills(self, call: Call) -> Json:
        """List the account's fills of the live tier, newest first."""
        return await self._fill_page(call, historical=False)

    async def historical_fills(self, call: Call) -> Json:
        """List the account's fills of the historical tier, newest first."""
        return await self._fill_page(call, historical=True)

    async def _fill_page(self, call: Call, *, historical: bool) -> Json:
        fills = self._fills.of(call.asked_parts())
        tickers, order_id = call.names("ticker"), call.text("order_id")

        def keep(fill: FillView) -> bool:
            return (not tickers or fill.trade.ticker in tickers) and (not order_id or fill.own.order_id == order_id)

        limit = call.limit()
        bounds = time_bounds(fills, lambda fill: fill.trade.at_ms, call, call.cursor("fills"))
        before, oldest = tier_bounds(self._sequencer, fills, lambda fill: fill.trade.at_ms, bounds, historical)
        found, position = newest_first(fills, keep, limit, before, oldest)
        return {"fills": await rendered(found, fill_view), "cursor": next_cursor("fills", position)}

    async def settlements(self, call: Call) -> Json:
        """List the positions that were paid out, newest first."""
        parts = call.asked_parts()
        ticker, event = call.text("ticker"), call.text("event_ticker")

        def keep(row: SettlementView) -> bool:
            return (not ticker or row.ticker == ticker) and (
                not event or self._state.markets[row.ticker].event_ticker == event
            )

        limit, cursor = call.limit(), call.cursor("settlements")
        await folded(self._histories, self._projections, parts)
        rows = self._settlements.of(parts)
        before, oldest = time_bounds(rows, lambda row: row.at_ms, call, cursor)
        found, position = newest_first(rows, keep, limit, before, oldest)
        return {
            "settlements": [self._settlement(row, self._histories[row.account_id].positions[row.ticker]) for row in found],
            "cursor": next_cursor("settlements", position),
        }

    def _settlement(self, row: SettlementView, position: Position) -> Json:
        yes, no = position.lots[Outcome.YES], position.lots[Outcome.NO]
        return {
            "ticker": row.ticker,
            "exchange_index": 0,
            "event_ticker": self._state.markets[row.ticker].event_ticker,
            "market_result": market_result(row.yes_payout_micros),
            "yes_count_fp": count_text(row.yes_micros),
            "yes_total_cost_dollars": dollars_text(yes.cost_of(row.yes_micros)),
            "no_count_fp": count_text(row.no_micros),
            "no_total_cost_dollars": dollars_text(no.cost_of(row.no_micros)),
            "revenue": cents_rounded_down(row.payout_micros),
            "settled_time": time_text(row.at_ms),
            "fee_cost": dollars_text(position.fees_micros),
            "value": cents_rounded_down(row.yes_payout_micros),
        }


def held(account: Account, ticker: str) -> tuple[int, int]:
    """Return the account's (YES, NO) in a market, without creating empty balances."""
    yes = account.balances.get(token_asset(ticker, Outcome.YES))
    no = account.balances.get(token_asset(ticker, Outcome.NO))
    return (yes.total if yes else 0), (no.total if no else 0)


def mark_e4(market: Market) -> int:
    """Return what a YES contract is worth: its payout once decided, else its last price, else the book's middle."""
    if market.yes_payout_micros >= 0:
        return market.yes_payout_micros // 100
    return market.last_price_e4 or (market.book.best_bid_e4 + market.book.best_ask_e4) // 2
