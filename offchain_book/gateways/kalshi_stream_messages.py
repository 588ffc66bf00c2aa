"""What Kalshi's WebSocket says, field by field as its AsyncAPI has it: facts to messages, pure.

Fields that it calls deprecated but requires are there. `clock` is the number of the command that made the change: the same
on every connection, rising per market. Ids are those of the REST routes, so `trade_id` is `trade:N` here too.
"""

import uuid
from functools import lru_cache
from typing import Any

import msgspec

from offchain_book.engine.events import GroupChange
from offchain_book.engine.market import Market, MarketStatus
from offchain_book.engine.order import BookSide, CancelReason
from offchain_book.engine.state import State
from offchain_book.engine.units import ONE_DOLLAR_MICROS, complement_e4
from offchain_book.gateways.kalshi_call import Json
from offchain_book.gateways.kalshi_units import count_text, dollars_text, price_text, time_text
from offchain_book.gateways.kalshi_views import (
    fee_multiplier,
    market_result,
    order_view,
    owner_and_number,
    strikes,
    trade_id,
)
from offchain_book.gateways.stream import Publication
from offchain_book.gateways.stream_facts import (
    EventFeesChanged,
    EventListed,
    Filled,
    GridRefined,
    GroupChanged,
    LevelChanged,
    MarketListed,
    MarketMoved,
    OrderChanged,
    Traded,
)
from offchain_book.projections import Projections

_encoder = msgspec.json.Encoder(decimal_format="number")
_SIDES = {BookSide.BID: "yes", BookSide.ASK: "no"}
_BOOK_SIDES = {BookSide.BID: "bid", BookSide.ASK: "ask"}
_REASONS = {
    CancelReason.SELF_TRADE: "SelfTradeCancel",
    CancelReason.EXPIRED: "ExpiryCancel",
    CancelReason.MARKET_CLOSED: "CloseCancel",
    CancelReason.CHAIN_HALTED: "HaltCancel",
    CancelReason.PAUSED: "HaltCancel",
}
_UPDATES = {"matched": "Trade", "decreased": "Decrease", "amended": "Amend"}


@lru_cache(maxsize=65_536)
def market_id(condition_id: str) -> str:
    """Return a market's UUID, which follows from its condition id (RFC 9562, version 5)."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, condition_id))


def encode(message: Json) -> bytes:
    """Write a message's body."""
    return _encoder.encode(message)


# --- books --------------------------------------------------------------------------------------------------------------


def orderbook_snapshot(market: Market, clock: int, *, yes_prices: bool) -> bytes:
    """Return a whole book; a side without orders has no key. NO levels stand in NO prices unless `yes_prices`."""
    message: Json = {"market_ticker": market.ticker, "market_id": market_id(market.condition_id), "clock": clock}
    for name, side in (("yes_dollars_fp", BookSide.BID), ("no_dollars_fp", BookSide.ASK)):
        levels = market.book.depth(side)
        if levels:
            shown = [[_level_price(side, price, yes_prices), count_text(size)] for price, size in reversed(levels)]
            message[name] = shown
    return encode(message)


def _level_price(side: BookSide, price_e4: int, yes_prices: bool) -> str:
    return price_text(price_e4 if side is BookSide.BID or yes_prices else complement_e4(price_e4))


class BookWords:
    """Writes level changes; one encoder per way of pricing NO, so that each is written once for all."""

    def __init__(self, state: State, projections: Projections) -> None:
        self._state = state
        self._projections = projections

    def no_prices(self, publication: Publication) -> bytes:
        """Write a delta with NO levels in NO prices."""
        return encode(self._delta(publication, yes_prices=False))

    def yes_prices(self, publication: Publication) -> bytes:
        """Write a delta with every level in YES prices."""
        return encode(self._delta(publication, yes_prices=True))

    def own(self, publication: Publication, *, yes_prices: bool) -> bytes:
        """Write a delta for whoever caused it: with the order's own id and the subaccount."""
        fact = publication.fact
        assert isinstance(fact, LevelChanged)
        message = self._delta(publication, yes_prices=yes_prices)
        order = self._projections.orders[fact.order_id]
        if order.client_order_id:
            message["client_order_id"] = order.client_order_id
        message["subaccount"] = owner_and_number(fact.account_id)[1]
        return encode(message)

    def _delta(self, publication: Publication, *, yes_prices: bool) -> Json:
        fact = publication.fact
        assert isinstance(fact, LevelChanged)
        return {
            "market_ticker": fact.ticker,
            "market_id": market_id(self._state.markets[fact.ticker].condition_id),
            "clock": publication.cursor[0],
            "price_dollars": _level_price(fact.side, fact.price_e4, yes_prices),
            "delta_fp": count_text(fact.delta_micros),
            "side": _SIDES[fact.side],
            "ts": time_text(publication.at_ms),
            "ts_ms": publication.at_ms,
        }


# --- what anybody may know ------------------------------------------------------------------------------------------------


def ticker(state: State, projections: Projections, name: str) -> bytes:
    """Return a market's ticker as it is now.

    `dollar_volume` and `dollar_open_interest` are half a dollar a contract: Kalshi's own example has 16,948 for 33,896.00.
    """
    market = state.markets[name]
    book, at_ms = market.book, state.now_ms
    trades = projections.trades_by_ticker.get(name)
    bid, ask = book.best_bid_e4, book.best_ask_e4
    return encode(
        {
            "market_id": market_id(market.condition_id),
            "market_ticker": name,
            "price_dollars": price_text(market.last_price_e4),
            "yes_bid_dollars": price_text(bid),
            "yes_ask_dollars": price_text(ask),
            "volume_fp": count_text(market.volume_micros),
            "open_interest_fp": count_text(market.yes_supply_micros),
            "dollar_volume": market.volume_micros // (2 * ONE_DOLLAR_MICROS),
            "dollar_open_interest": market.yes_supply_micros // (2 * ONE_DOLLAR_MICROS),
            "yes_bid_size_fp": count_text(book.size_at(BookSide.BID, bid)),
            "yes_ask_size_fp": count_text(book.size_at(BookSide.ASK, ask)),
            "last_trade_size_fp": count_text(trades[-1].size_micros if trades else 0),
            "ts": at_ms // 1000,
            "ts_ms": at_ms,
            "time": time_text(at_ms),
        }
    )


def trade(publication: Publication) -> bytes:
    """Write a public trade."""
    fact = publication.fact
    assert isinstance(fact, Traded)
    view, side = fact.trade, fact.trade.taker.side
    return encode(
        {
            "trade_id": trade_id(view.match_id),
            "market_ticker": view.ticker,
            "yes_price_dollars": price_text(view.price_e4),
            "no_price_dollars": price_text(complement_e4(view.price_e4)),
            "count_fp": count_text(view.size_micros),
            "taker_side": _SIDES[side],
            "taker_outcome_side": _SIDES[side],
            "taker_book_side": _BOOK_SIDES[side],
            "is_block_trade": False,
            "ts": view.at_ms // 1000,
            "ts_ms": view.at_ms,
        }
    )


class LifecycleWords:
    """Writes what becomes of events and markets."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __call__(self, publication: Publication) -> bytes:
        """Write one step."""
        fact = publication.fact
        if isinstance(fact, EventListed):
            return encode(self._event(fact.event_ticker))
        if isinstance(fact, EventFeesChanged):
            return encode(self._fees(fact))
        if isinstance(fact, MarketListed):
            return encode(self._created(self._state.markets[fact.ticker]))
        if isinstance(fact, GridRefined):
            market = self._state.markets[fact.ticker]
            step: Json = {"market_ticker": market.ticker, "event_type": "price_level_structure_updated"}
            return encode(step | _grid(market))
        assert isinstance(fact, MarketMoved)
        return encode({"market_ticker": fact.ticker, **_step(fact, publication.at_ms // 1000)})

    def _event(self, event_ticker: str) -> Json:
        event = self._state.events[event_ticker]
        return {
            "event_ticker": event.event_ticker,
            "exchange_index": 0,
            "title": event.title,
            "subtitle": event.sub_title,
            "collateral_return_type": event.collateral_return.value,
            "series_ticker": event.series_ticker,
        }

    def _fees(self, fact: EventFeesChanged) -> Json:
        """Nulls: the event follows its series again."""
        change = self._state.fee_changes[fact.change_id]
        return {
            "event_ticker": fact.event_ticker,
            "fee_type_override": change.fee_type or None,
            "fee_multiplier_override": fee_multiplier(change) if change.fee_type else None,
        }

    def _created(self, market: Market) -> Json:
        return {
            "market_ticker": market.ticker,
            "event_type": "created",
            "exchange_index": 0,
            "open_ts": market.open_ms // 1000,
            "close_ts": market.close_ms // 1000,
            **_grid(market),
            "additional_metadata": {
                "name": market.title,
                "title": market.title,
                "yes_sub_title": market.yes_sub_title,
                "no_sub_title": market.no_sub_title,
                "rules_primary": market.rules,
                "rules_secondary": "",
                "can_close_early": market.can_close_early,
                "event_ticker": market.event_ticker,
                "expected_expiration_ts": (market.expected_expiration_ms or market.close_ms) // 1000,
                **{name: value for name, value in strikes(market).items() if name != "functional_strike"},
            },
        }


def _step(fact: MarketMoved, at_s: int) -> Json:
    """Return what a market's step was, as it was: it may have gone on since."""
    if fact.status in (MarketStatus.ACTIVE, MarketStatus.INACTIVE):
        paused = fact.status == MarketStatus.INACTIVE
        return {"event_type": "deactivated" if paused else "activated", "is_deactivated": paused}
    if fact.status == MarketStatus.CLOSED:
        return {"event_type": "close_date_updated", "close_ts": at_s}
    if fact.status == MarketStatus.FINALIZED:
        return {"event_type": "settled", "settled_ts": at_s}
    return {
        "event_type": "determined",
        "determination_ts": at_s,
        "result": market_result(fact.yes_payout_micros),
        "settlement_value": dollars_text(fact.yes_payout_micros),
    }


def _grid(market: Market) -> Json:
    return {
        "price_level_structure": market.price_structure,
        "price_ranges": [
            {"start": price_text(start), "end": price_text(end), "step": price_text(step)}
            for start, end, step in market.price_ranges
        ],
    }


# --- what only its owner may know -----------------------------------------------------------------------------------------


def fill(publication: Publication, projections: Projections) -> bytes:
    """Write one account's side of a match."""
    fact = publication.fact
    assert isinstance(fact, Filled)
    view, own = fact.fill.trade, fact.fill.own
    message = {
        "trade_id": trade_id(view.match_id),
        "order_id": own.order_id,
        "client_order_id": projections.orders[own.order_id].client_order_id,
        "market_ticker": view.ticker,
        "exchange_index": 0,
        "is_taker": fact.fill.is_taker,
        "side": _SIDES[own.side],
        "yes_price_dollars": price_text(view.price_e4),
        "count_fp": count_text(view.size_micros),
        "fee_cost": dollars_text(own.fee_micros),
        "action": "buy",
        "outcome_side": _SIDES[own.side],
        "book_side": _BOOK_SIDES[own.side],
        "ts": view.at_ms // 1000,
        "ts_ms": view.at_ms,
        "post_position_fp": count_text(fact.position_micros),
        "purchased_side": _SIDES[own.side],
        "subaccount": owner_and_number(own.account_id)[1],
    }
    return encode(message)


_SHARED_WITH_REST = (
    "order_id",
    "user_id",
    "ticker",
    "exchange_index",
    "status",
    "side",
    "outcome_side",
    "book_side",
    "yes_price_dollars",
    "fill_count_fp",
    "remaining_count_fp",
    "initial_count_fp",
    "taker_fill_cost_dollars",
    "maker_fill_cost_dollars",
    "taker_fees_dollars",
    "maker_fees_dollars",
    "client_order_id",
    "self_trade_prevention_type",
    "created_time",
    "last_update_time",
    "subaccount_number",
)


def user_order(publication: Publication) -> bytes:
    """Write an order as it is now: the fields that REST shows too, and the stream's own."""
    fact = publication.fact
    assert isinstance(fact, OrderChanged)
    order = fact.order
    rest = order_view(order)
    message: Json = {name: rest[name] for name in _SHARED_WITH_REST} | {
        "is_yes": order.side is BookSide.BID,
        "created_ts_ms": order.created_ms,
        "last_updated_ts_ms": order.updated_ms,
    }
    if order.group_id:
        message["order_group_id"] = order.group_id
    if order.expires_ms:
        message["expiration_time"] = rest["expiration_time"]
        message["expiration_ts_ms"] = order.expires_ms
    reason = _REASONS.get(fact.reason) if fact.reason else _UPDATES.get(fact.event)
    if reason:
        message["last_update_reason"] = reason
    return encode(message)


def order_group(publication: Publication) -> bytes:
    """Write what became of an order group."""
    fact = publication.fact
    assert isinstance(fact, GroupChanged)
    message: dict[str, Any] = {
        "event_type": fact.change.value,
        "order_group_id": fact.group_id,
        "ts_ms": publication.at_ms,
    }
    if fact.change in (GroupChange.CREATED, GroupChange.LIMIT_UPDATED):
        message["contracts_limit_fp"] = count_text(fact.limit_micros)
    return encode(message)
