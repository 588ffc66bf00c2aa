"""Positions, trades and activity in the words of Polymarket's Data API. Custodial accounts show as the custody pool."""

from typing import Any

from offchain_book.engine.events import FillSide
from offchain_book.engine.market import Market
from offchain_book.engine.operations import Outcome, VaultActionKind, WalletOperation
from offchain_book.engine.order import BookSide
from offchain_book.engine.units import ONE_DOLLAR_MICROS
from offchain_book.gateways.gamma_index import price_micros, slug_of
from offchain_book.gateways.polymarket_http import Venue
from offchain_book.gateways.polymarket_words import (
    Token,
    decimal,
    iso_day,
    number,
    outcome_text,
    own_price_e4,
    price_text,
    token_side,
)
from offchain_book.views import OperationView, TradeView, traded_micros
from offchain_book.wallet_views import PositionView

Json = dict[str, Any]
_NOBODY = {"name": "", "pseudonym": "", "bio": "", "profileImage": "", "profileImageOptimized": ""}
ACTIONS = {VaultActionKind.SPLIT: "SPLIT", VaultActionKind.MERGE: "MERGE", VaultActionKind.REDEEM: "REDEEM"}


class DataViews:
    """Makes the objects of the Data API from one venue's read models. Amounts to sort by stand beside each row."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def token_of(self, asset: str) -> Token:
        """Return the token of a ledger asset."""
        ticker, _, outcome = asset.rpartition(":")
        return Token(self._venue.state.markets[ticker], Outcome[outcome])

    def _named(self, market: Market) -> Json:
        return {
            "title": market.title,
            "slug": slug_of(market.ticker),
            "icon": "",
            "eventSlug": slug_of(market.event_ticker),
        }

    def _sides(self, token: Token) -> Json:
        other = token.outcome.complement
        return {
            "outcome": outcome_text(token.outcome),
            "outcomeIndex": token.outcome - 1,
            "oppositeOutcome": outcome_text(other),
            "oppositeAsset": token.market.token_id(other),
            "endDate": iso_day(token.market.close_ms),
        }

    def value_micros(self, position: PositionView) -> int:
        """Return what a position is worth now, rounded down, in millionths of a dollar."""
        return position.size_micros * price_micros(self.token_of(position.asset)) // ONE_DOLLAR_MICROS

    def position(self, position: PositionView, other_micros: int, event_number: int) -> Json:
        """Return a wallet's position; `other_micros` is what it has of the other outcome."""
        token = self.token_of(position.asset)
        market = token.market
        value, cost, size = self.value_micros(position), position.cost_micros, position.size_micros
        return {
            "proxyWallet": position.account_id,
            "asset": token.token_id,
            "conditionId": market.condition_id,
            "size": number(decimal(size)),
            "avgPrice": number(decimal(cost * ONE_DOLLAR_MICROS // size if size else 0)),
            "initialValue": number(decimal(cost)),
            "currentValue": number(decimal(value)),
            "cashPnl": number(decimal(value - cost)),
            "percentPnl": number(percent(value - cost, cost)),
            "totalBought": number(decimal(position.bought_micros)),
            "realizedPnl": number(decimal(position.realized_micros)),
            "percentRealizedPnl": number(percent(position.realized_micros, position.bought_cost_micros)),
            "curPrice": number(decimal(price_micros(token))),
            "redeemable": market.resolved_on_chain,
            "mergeable": other_micros > 0 and not market.resolved_on_chain,
            **self._named(market),
            "eventId": str(event_number),
            **self._sides(token),
            "negativeRisk": False,
        }

    def closed_position(self, position: PositionView) -> Json:
        """Return a position that was sold, merged or redeemed whole."""
        token = self.token_of(position.asset)
        bought = position.bought_micros
        return {
            "proxyWallet": position.account_id,
            "asset": token.token_id,
            "conditionId": token.market.condition_id,
            "avgPrice": number(decimal(position.bought_cost_micros * ONE_DOLLAR_MICROS // bought if bought else 0)),
            "totalBought": number(decimal(bought)),
            "realizedPnl": number(decimal(position.realized_micros)),
            "curPrice": number(decimal(price_micros(token))),
            "timestamp": position.updated_ms // 1000,
            **self._named(token.market),
            **self._sides(token),
        }

    def trade(self, trade: TradeView, own: FillSide) -> Json:
        """Return one side of a trade."""
        market = self._venue.state.markets[trade.ticker]
        outcome = own.outcome or (Outcome.YES if own.side is BookSide.BID else Outcome.NO)
        return {
            "proxyWallet": own.account_id if own.outcome else self._venue.settings.venue_address,
            "side": token_side(outcome, own.side).name,
            "asset": market.token_id(outcome),
            "conditionId": market.condition_id,
            "size": number(decimal(trade.size_micros)),
            "price": number(price_text(own_price_e4(outcome, trade.price_e4))),
            "timestamp": trade.at_ms // 1000,
            **self._named(market),
            "outcome": outcome_text(outcome),
            "outcomeIndex": outcome - 1,
            **_NOBODY,
            "transactionHash": trade.tx_hash,
        }

    def traded(self, trade: TradeView, own: FillSide) -> Json:
        """Return a match as a wallet's activity."""
        row = self.trade(trade, own)
        return row | {"type": "TRADE", "usdcSize": number(decimal(traded_micros(trade, own)))}

    def action(self, view: OperationView) -> Json:
        """Return a split, merge or redemption as a wallet's activity."""
        operation = view.operation
        assert isinstance(operation, WalletOperation)
        market, action = self._venue.state.markets[operation.ticker], operation.action
        size = cash = action.amount_micros
        asset, index = "", 999
        if action.kind is VaultActionKind.REDEEM:
            _, outcome = self._venue.state.tokens[action.id]
            cash = size * price_micros(Token(market, outcome)) // ONE_DOLLAR_MICROS
            asset, index = action.id, outcome - 1
        return {
            "proxyWallet": action.wallet,
            "timestamp": view.at_ms // 1000,
            "conditionId": market.condition_id,
            "type": ACTIONS[action.kind],
            "size": number(decimal(size)),
            "usdcSize": number(decimal(cash)),
            "transactionHash": view.tx_hash,
            "price": 0,
            "asset": asset,
            "side": "",
            "outcomeIndex": index,
            "outcome": "" if index == 999 else outcome_text(Outcome(index + 1)),
            **self._named(market),
            **_NOBODY,
        }

    def holder(self, address: str, token: Token, micros: int, name: str = "") -> Json:
        """Return a holder of a token."""
        return {
            "proxyWallet": address,
            "asset": token.token_id,
            "amount": number(decimal(micros)),
            "outcomeIndex": token.outcome - 1,
            "displayUsernamePublic": bool(name),
            "verified": False,
            **_NOBODY,
            "name": name,
        }


def percent(part: int, whole: int) -> str:
    """Return part of whole in percent, to two decimals towards zero; 0 of nothing."""
    if not whole:
        return "0"
    hundredths = abs(part) * 10_000 // abs(whole)
    text = f"{hundredths // 100}.{hundredths % 100:02d}"
    return f"-{text}" if (part < 0) is not (whole < 0) and hundredths else text
