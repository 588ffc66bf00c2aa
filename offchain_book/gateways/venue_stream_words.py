"""Puts facts into the words of our own stream."""

from collections.abc import Callable
from typing import Any

import msgspec

from offchain_book.engine.account import Account
from offchain_book.engine.account import Balance as Held
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide
from offchain_book.gateways import venue_stream_messages as m
from offchain_book.gateways.stream import Cursor, Hub, Publication
from offchain_book.gateways.stream_facts import (
    BalanceChanged,
    BookChanged,
    Filled,
    FillMoved,
    GroupChanged,
    MarketListed,
    MarketMoved,
    OrderChanged,
    StageChanged,
    TickerChanged,
    Traded,
)
from offchain_book.gateways.stream_wire import frame
from offchain_book.views import OrderView

encoder = msgspec.json.Encoder()


class Words:
    """Puts facts into our words; the frame is the same for everybody who may hear it."""

    def __init__(self, hub: Hub) -> None:
        self._state = hub.sequencer.state
        self._write: dict[type, Callable[[Any, Publication, str], Any]] = {
            BookChanged: self._levels,
            Traded: self._trade,
            TickerChanged: self._ticker,
            MarketListed: self._market,
            MarketMoved: self._market,
            StageChanged: self._settlement,
            OrderChanged: self._order,
            Filled: self._fill,
            FillMoved: self._fill_stage,
            BalanceChanged: self._balance,
            GroupChanged: self._group,
        }

    def __call__(self, publication: Publication) -> bytes:
        """Return a fact's frame."""
        fact = publication.fact
        message = self._write[type(fact)](fact, publication, str(publication.cursor))
        return frame(encoder.encode(message))

    # --- public ------------------------------------------------------------------------------------------------------

    def book(self, ticker: str, cursor: Cursor) -> m.Book:
        """Return a whole book."""
        book = self._state.markets[ticker].book
        return m.Book(ticker=ticker, bids=book.depth(BookSide.BID), asks=book.depth(BookSide.ASK), cursor=str(cursor))

    def _levels(self, fact: BookChanged, publication: Publication, cursor: str) -> m.Levels:
        return m.Levels(
            ticker=fact.ticker,
            levels=[
                m.Level(side=_side(level.side), price_e4=level.price_e4, size_micros=level.size_micros)
                for level in fact.levels
            ],
            best_bid_e4=fact.best_bid_e4,
            best_ask_e4=fact.best_ask_e4,
            at_ms=publication.at_ms,
            cursor=cursor,
        )

    def _trade(self, fact: Traded, publication: Publication, cursor: str) -> m.Trade:
        trade = fact.trade
        return m.Trade(
            trade=f"trade:{trade.match_id}",
            ticker=trade.ticker,
            price_e4=trade.price_e4,
            size_micros=trade.size_micros,
            taker_side=_side(trade.taker.side),
            on_chain=trade.operation >= 0,
            at_ms=trade.at_ms,
            cursor=cursor,
        )

    def _ticker(self, fact: TickerChanged, publication: Publication, cursor: str) -> m.Ticker:
        return self.ticker(fact.ticker, cursor)

    def ticker(self, ticker: str, cursor: str) -> m.Ticker:
        """Return a market's figures."""
        market = self._state.markets[ticker]
        book = market.book
        return m.Ticker(
            ticker=ticker,
            best_bid_e4=book.best_bid_e4,
            best_bid_micros=book.size_at(BookSide.BID, book.best_bid_e4),
            best_ask_e4=book.best_ask_e4,
            best_ask_micros=book.size_at(BookSide.ASK, book.best_ask_e4),
            last_price_e4=market.last_price_e4,
            volume_micros=market.volume_micros,
            open_interest_micros=market.yes_supply_micros,
            cursor=cursor,
        )

    def _market(self, fact: MarketListed | MarketMoved, publication: Publication, cursor: str) -> m.Market:
        market = self._state.markets[fact.ticker]
        moved = fact if isinstance(fact, MarketMoved) else None
        return m.Market(
            ticker=market.ticker,
            event_ticker=market.event_ticker,
            title=market.title,
            status=moved.status if moved else market.status.value,
            open_ms=market.open_ms,
            close_ms=market.close_ms,
            yes_payout_micros=moved.yes_payout_micros if moved else market.yes_payout_micros,
            cursor=cursor,
        )

    def _settlement(self, fact: StageChanged, publication: Publication, cursor: str) -> m.Settlement:
        return m.Settlement(
            trade=f"trade:{fact.trade.match_id}",
            ticker=fact.ticker,
            operation=fact.trade.operation,
            stage=fact.stage,  # type: ignore[arg-type]
            tx_hash=fact.tx_hash,
            block_number=fact.block_number,
            resolution=fact.resolution,
            cursor=cursor,
        )

    # --- one's own ---------------------------------------------------------------------------------------------------

    def account(self, account: Account, orders: list[OrderView], cursor: Cursor) -> m.Account:
        """Return an account as a whole."""
        balances = [_balance(asset, held) for asset, held in account.balances.items() if held.total or held.pending]
        return m.Account(
            account=account.account_id,
            balances=balances,
            orders=[_order(order) for order in orders],
            cursor=str(cursor),
        )

    def _order(self, fact: OrderChanged, publication: Publication, cursor: str) -> m.OrderMessage:
        return m.OrderMessage(order=_order(fact.order), cursor=cursor)

    def _fill(self, fact: Filled, publication: Publication, cursor: str) -> m.Fill:
        trade, own = fact.fill.trade, fact.fill.own
        return m.Fill(
            trade=f"trade:{trade.match_id}",
            account=fact.account_id,
            order_id=own.order_id,
            ticker=trade.ticker,
            side=_side(own.side),
            price_e4=trade.price_e4,
            size_micros=trade.size_micros,
            fee_micros=own.fee_micros,
            is_taker=fact.fill.is_taker,
            position_micros=fact.position_micros,
            on_chain=trade.operation >= 0,
            at_ms=trade.at_ms,
            cursor=cursor,
        )

    def _fill_stage(self, fact: FillMoved, publication: Publication, cursor: str) -> m.FillStage:
        return m.FillStage(
            trade=f"trade:{fact.fill.trade.match_id}",
            account=fact.account_id,
            order_id=fact.fill.own.order_id,
            stage=fact.stage,  # type: ignore[arg-type]
            tx_hash=fact.tx_hash,
            cursor=cursor,
        )

    def _balance(self, fact: BalanceChanged, publication: Publication, cursor: str) -> m.BalanceMessage:
        held = self._state.accounts[fact.account_id].balances.get(fact.asset) or Held()
        return m.BalanceMessage(account=fact.account_id, balance=_balance(fact.asset, held), cursor=cursor)

    def _group(self, fact: GroupChanged, publication: Publication, cursor: str) -> m.Group:
        return m.Group(
            account=fact.account_id,
            group_id=fact.group_id,
            change=fact.change.value,
            limit_micros=fact.limit_micros,
            cursor=cursor,
        )


def _side(side: BookSide) -> m.Side:
    return "bid" if side is BookSide.BID else "ask"


def _balance(asset: str, held: Held) -> m.Balance:
    return m.Balance(
        asset=asset,
        total=held.total,
        available=held.available,
        held=held.held,
        pending=held.pending,
        settled=held.settled,
        withdrawable=held.withdrawable,
    )


def _order(order: OrderView) -> m.Order:
    return m.Order(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        account=order.account_id,
        ticker=order.ticker,
        side=_side(order.side),
        outcome="" if order.outcome is None else "yes" if order.outcome is Outcome.YES else "no",
        price_e4=order.price_e4,
        size_micros=order.size_micros,
        filled_micros=order.filled_micros,
        remaining_micros=order.remaining_micros,
        status=order.status.value,
        cancel_reason=order.cancel_reason.value if order.cancel_reason else "",
        fees_micros=order.taker_fee_micros + order.maker_fee_micros,
        created_ms=order.created_ms,
        updated_ms=order.updated_ms,
        expires_ms=order.expires_ms,
        group_id=order.group_id,
    )
