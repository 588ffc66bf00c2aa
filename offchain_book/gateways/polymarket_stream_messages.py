"""What Polymarket's WebSockets say: facts to events, as the documentation and the SDKs' parsers have them. Pure."""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from offchain_book.engine.market import Market
from offchain_book.engine.operations import FillOperation, Outcome
from offchain_book.engine.state import State
from offchain_book.engine.units import ONE_DOLLAR_MICROS, PRICE_SCALE
from offchain_book.gateways.polymarket_account import order_summary, trade_summary
from offchain_book.gateways.polymarket_http import Caller, Venue
from offchain_book.gateways.polymarket_markets import book_summary, fee_cap_bps
from offchain_book.gateways.polymarket_words import (
    Token,
    client_tick_text,
    decimal,
    outcome_text,
    own_price_e4,
    price_text,
    tick_text,
    token_side,
)
from offchain_book.gateways.stream import Publication
from offchain_book.gateways.stream_facts import (
    BestChanged,
    BookChanged,
    FillMoved,
    GridRefined,
    LevelChanged,
    MarketListed,
    MarketMoved,
    OrderChanged,
    Traded,
)
from offchain_book.gateways.stream_wire import frame

Json = dict[str, Any]
_OUTCOMES = (Outcome.YES, Outcome.NO)
_encoder = msgspec.json.Encoder()


def encode(message: Json) -> bytes:
    """Write an event."""
    return _encoder.encode(message)


def book(token: Token, at_ms: int) -> Json:
    """Return a token's whole book, with the hash that GET /book has."""
    return {"event_type": "book"} | book_summary(token, at_ms)


class MarketWords:
    """Writes public events, each as a frame that goes to every reader as it is."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.book = {outcome: self._for_token(outcome, self._book) for outcome in _OUTCOMES}
        self.last_trade_price = {outcome: self._for_token(outcome, self._last_trade) for outcome in _OUTCOMES}
        self.tick_size_change = {outcome: self._for_token(outcome, self._tick) for outcome in _OUTCOMES}
        self.best_bid_ask = {outcome: self._for_token(outcome, self._best) for outcome in _OUTCOMES}

    def _market(self, publication: Publication) -> Market:
        return self._state.markets[publication.fact[0]]

    def _for_token(self, outcome: Outcome, write: Callable[[Publication, Outcome], Json]) -> Callable[[Publication], bytes]:
        return lambda publication: frame(encode(write(publication, outcome)))

    def price_change(self, publication: Publication) -> bytes:
        """Write all levels that a command changed, for both tokens."""
        fact, market = publication.fact, self._market(publication)
        assert isinstance(fact, BookChanged)
        timestamp = str(publication.at_ms)
        levels = {(level.side, level.price_e4): level for level in fact.levels}.values()
        changes = [self._change(market, outcome, level, fact, timestamp) for outcome in _OUTCOMES for level in levels]
        return frame(
            encode(
                {
                    "event_type": "price_change",
                    "market": market.condition_id,
                    "price_changes": changes,
                    "timestamp": timestamp,
                }
            )
        )

    def _change(self, market: Market, outcome: Outcome, level: LevelChanged, fact: BookChanged, timestamp: str) -> Json:
        """Write one level as a token's holders see it. `hash` names the change (Polymarket documents it as an order's); a
        book's own hash stands in `book`."""
        best = _mirrored(outcome, fact.best_bid_e4, fact.best_ask_e4)
        change = {
            "asset_id": market.token_id(outcome),
            "price": price_text(own_price_e4(outcome, level.price_e4)),
            "size": decimal(level.size_micros),
            "side": token_side(outcome, level.side).name,
            "best_bid": price_text(best[0]),
            "best_ask": price_text(best[1]),
        }
        named = "|".join([timestamp, market.condition_id, *change.values()])
        return change | {"hash": hashlib.sha1(named.encode(), usedforsecurity=False).hexdigest()}

    def _book(self, publication: Publication, outcome: Outcome) -> Json:
        return book(Token(self._market(publication), outcome), publication.at_ms)

    def _last_trade(self, publication: Publication, outcome: Outcome) -> Json:
        fact, market = publication.fact, self._market(publication)
        assert isinstance(fact, Traded)
        trade = fact.trade
        return {
            "event_type": "last_trade_price",
            "market": market.condition_id,
            "asset_id": market.token_id(outcome),
            "price": price_text(own_price_e4(outcome, trade.price_e4)),
            "size": decimal(trade.size_micros),
            "side": token_side(outcome, trade.taker.side).name,
            "fee_rate_bps": str(fee_cap_bps(market)),
            "timestamp": str(publication.at_ms),
        }

    def _tick(self, publication: Publication, outcome: Outcome) -> Json:
        fact, market = publication.fact, self._market(publication)
        assert isinstance(fact, GridRefined)
        return {
            "event_type": "tick_size_change",
            "market": market.condition_id,
            "asset_id": market.token_id(outcome),
            "old_tick_size": client_tick_text(fact.old_e4),
            "new_tick_size": tick_text(market),
            "timestamp": str(publication.at_ms),
        }

    def _best(self, publication: Publication, outcome: Outcome) -> Json:
        fact, market = publication.fact, self._market(publication)
        assert isinstance(fact, BestChanged)
        bid, ask = _mirrored(outcome, fact.best_bid_e4, fact.best_ask_e4)
        return {
            "event_type": "best_bid_ask",
            "market": market.condition_id,
            "asset_id": market.token_id(outcome),
            "best_bid": price_text(bid),
            "best_ask": price_text(ask),
            "spread": price_text(ask - bid),
            "timestamp": str(publication.at_ms),
        }

    def new_market(self, publication: Publication) -> bytes:
        """Write that a market exists."""
        assert isinstance(publication.fact, MarketListed)
        return frame(encode(self._about("new_market", publication)))

    def market_resolved(self, publication: Publication) -> bytes:
        """Write how a market ended; a scalar one has no winner."""
        fact, market = publication.fact, self._market(publication)
        assert isinstance(fact, MarketMoved)
        paid = {Outcome.YES: fact.yes_payout_micros, Outcome.NO: ONE_DOLLAR_MICROS - fact.yes_payout_micros}
        winner = next((outcome for outcome in _OUTCOMES if paid[outcome] == ONE_DOLLAR_MICROS), None)
        return frame(
            encode(
                self._about("market_resolved", publication)
                | {
                    "winning_asset_id": market.token_id(winner) if winner else "",
                    "winning_outcome": outcome_text(winner) if winner else "",
                    "payouts": [decimal(paid[outcome]) for outcome in _OUTCOMES],
                }
            )
        )

    def _about(self, event_type: str, publication: Publication) -> Json:
        market = self._market(publication)
        event = self._state.events[market.event_ticker]
        return {
            "event_type": event_type,
            "id": market.ticker,
            "question": market.title,
            "market": market.condition_id,
            "slug": market.ticker.lower(),
            "description": market.rules,
            "assets_ids": [market.token_id(outcome) for outcome in _OUTCOMES],
            "outcomes": [outcome_text(outcome) for outcome in _OUTCOMES],
            "event_message": {
                "id": event.event_ticker,
                "ticker": event.event_ticker,
                "slug": event.event_ticker.lower(),
                "title": event.title,
                "description": event.sub_title,
            },
            "timestamp": str(publication.at_ms),
        }


def _mirrored(outcome: Outcome, bid_e4: int, ask_e4: int) -> tuple[int, int]:
    """Return best bid and ask of a token for those of YES."""
    return (bid_e4, ask_e4) if outcome is Outcome.YES else (PRICE_SCALE - ask_e4, PRICE_SCALE - bid_e4)


class UserWords:
    """Writes a wallet's own events."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def order(self, publication: Publication, caller: Caller) -> bytes:
        """Write an order: PLACEMENT when it is new, CANCELLATION when its rest is gone, UPDATE when it matched."""
        fact = publication.fact
        assert isinstance(fact, OrderChanged)
        kind = "CANCELLATION" if fact.event == "cancelled" else "PLACEMENT" if fact.placed else "UPDATE"
        market = self._venue.state.markets[fact.order.ticker]
        return encode(
            order_summary(fact.order, market, caller.key.key_id)
            | {
                "event_type": "order",
                "type": kind,
                "order_owner": caller.key.key_id,
                "timestamp": str(publication.at_ms),
            }
        )

    def trade(self, publication: Publication, caller: Caller) -> bytes:
        """Write a trade at the stage that it has just reached."""
        fact = publication.fact
        assert isinstance(fact, FillMoved)
        operation = self._venue.projections.operations[fact.fill.trade.operation].operation
        assert isinstance(operation, FillOperation)
        return encode(
            trade_summary(fact.fill, operation, self._venue, caller)
            | {
                "event_type": "trade",
                "type": "TRADE",
                "status": fact.stage,
                "transaction_hash": fact.tx_hash,
                "trade_owner": caller.key.key_id,
                "matchtime": str(fact.fill.trade.at_ms // 1000),
                "timestamp": str(publication.at_ms),
            }
        )
