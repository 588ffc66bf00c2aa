"""The shapes of Kalshi's responses: pure functions from what the exchange knows to what its clients parse.

Field by field as OpenAPI 3.34.0 requires them. Deprecated fields (`side`, `action`) are sent too, since older clients
read them. This venue has one matching engine, so every `exchange_index` is 0.
"""

from decimal import Decimal

from offchain_book.engine.fees import FLAT
from offchain_book.engine.lifecycle import status_at
from offchain_book.engine.market import EventInfo, FeeChange, Market, Series
from offchain_book.engine.order import BookSide
from offchain_book.engine.units import ONE_DOLLAR_MICROS, complement_e4
from offchain_book.gateways.kalshi_call import Json
from offchain_book.gateways.kalshi_units import count_text, dollars_text, price_text, time_text
from offchain_book.views import FillView, OrderView, TradeView

_BOOK_SIDES = {BookSide.BID: "bid", BookSide.ASK: "ask"}
_OUTCOME_SIDES = {BookSide.BID: "yes", BookSide.ASK: "no"}
_FULL_RATE_E4 = 700
"""The taker rate that Kalshi's `fee_multiplier` multiplies."""


def trade_id(match_id: int) -> str:
    """Return a match's id as clients see it."""
    return f"trade:{match_id}"


def metadata_updated_ms(market: Market) -> int:
    """Return when anything but trading last changed a market: `updated_ms` moves with each trade too."""
    return market.changed_ms or market.created_ms


def market_result(yes_payout_micros: int) -> str:
    """Return the outcome's name for what YES pays, empty while it is open."""
    if yes_payout_micros < 0:
        return ""
    return {0: "no", ONE_DOLLAR_MICROS: "yes"}.get(yes_payout_micros, "scalar")


def fee_multiplier(source: Series | FeeChange) -> Decimal:
    """Return a taker rate as a multiple of Kalshi's; 1 for flat fees, which are amounts (`taker_fee_rate`)."""
    return Decimal(1) if source.fee_type == FLAT else round(Decimal(source.taker_rate_e4) / _FULL_RATE_E4, 6).normalize()


def series_view(series: Series, volume_micros: int | None) -> Json:
    """Return a series. Rates that a multiplier of the two standard fee types cannot express stand in extra fields."""
    view: Json = {
        "ticker": series.series_ticker,
        "frequency": series.frequency,
        "title": series.title,
        "category": series.category,
        "categories": [series.category],
        "tags": list(series.tags),
        "settlement_sources": [],
        "contract_url": "",
        "contract_terms_url": "",
        "fee_type": series.fee_type,
        "fee_multiplier": fee_multiplier(series),
        "taker_fee_rate": price_text(series.taker_rate_e4),
        "maker_fee_rate": price_text(series.maker_rate_e4),
        "additional_prohibitions": [],
        "last_updated_ts": time_text(series.updated_ms or series.created_ms),
        "exchange_index": 0,
    }
    if volume_micros is not None:
        view["volume_fp"] = count_text(volume_micros)
    return view


def event_view(event: EventInfo, category: str, own_fees: FeeChange | None, markets: list[Json] | None) -> Json:
    """Return an event; `own_fees` are those that it has instead of its series'."""
    view: Json = {
        "event_ticker": event.event_ticker,
        "series_ticker": event.series_ticker,
        "title": event.title,
        "sub_title": event.sub_title,
        "collateral_return_type": event.collateral_return.value,
        "mutually_exclusive": event.mutually_exclusive,
        "category": category,
        "settlement_sources": [],
        "last_updated_ts": time_text(event.created_ms),
        "exchange_index": 0,
    }
    if own_fees is not None:
        view["fee_type_override"] = own_fees.fee_type
        view["fee_multiplier_override"] = fee_multiplier(own_fees)
    if markets is not None:
        view["markets"] = markets
    return view


def market_view(market: Market, now_ms: int, volume_24h_micros: int, price_24h_ago_e4: int) -> Json:
    """Return a market. Quotes of a day ago are not kept, so they are reported as an empty book's."""
    book = market.book
    bid, ask = book.best_bid_e4, book.best_ask_e4
    status = status_at(market, now_ms).value
    result = market_result(market.yes_payout_micros)
    view: Json = {
        "ticker": market.ticker,
        "event_ticker": market.event_ticker,
        "market_type": market.market_type,
        "title": market.title,
        "subtitle": "",
        "yes_sub_title": market.yes_sub_title,
        "no_sub_title": market.no_sub_title,
        "created_time": time_text(market.created_ms),
        "updated_time": time_text(metadata_updated_ms(market)),
        "open_time": time_text(market.open_ms),
        "close_time": time_text(market.close_ms),
        "expected_expiration_time": time_text(market.expected_expiration_ms or market.close_ms),
        "latest_expiration_time": time_text(market.latest_expiration_ms or market.close_ms),
        "settlement_timer_seconds": market.settlement_timer_s,
        "status": status,
        "notional_value_dollars": "1.0000",
        "yes_bid_dollars": price_text(bid),
        "yes_ask_dollars": price_text(ask),
        "no_bid_dollars": price_text(complement_e4(ask)),
        "no_ask_dollars": price_text(complement_e4(bid)),
        "yes_bid_size_fp": count_text(_best_size(market, BookSide.BID)),
        "yes_ask_size_fp": count_text(_best_size(market, BookSide.ASK)),
        "last_price_dollars": price_text(market.last_price_e4),
        "previous_yes_bid_dollars": price_text(0),
        "previous_yes_ask_dollars": price_text(10_000),
        "previous_price_dollars": price_text(price_24h_ago_e4),
        "volume_fp": count_text(market.volume_micros),
        "volume_24h_fp": count_text(volume_24h_micros),
        "open_interest_fp": count_text(market.yes_supply_micros),
        "result": result,
        "can_close_early": market.can_close_early,
        "early_close_condition": market.early_close_condition or None,
        "expiration_value": dollars_text(market.yes_payout_micros) if result == "scalar" else result,
        "rules_primary": market.rules,
        "rules_secondary": "",
        "price_level_structure": market.price_structure,
        "price_ranges": [
            {"start": price_text(start), "end": price_text(end), "step": price_text(step)}
            for start, end, step in market.price_ranges
        ],
        "settlement_bounds_type": "default",
        "exchange_index": 0,
    }
    view |= strikes(market)
    if result:
        view["settlement_value_dollars"] = dollars_text(market.yes_payout_micros)
    if status == "finalized":
        view["settlement_ts"] = time_text(market.updated_ms)
    return view


def strikes(market: Market) -> Json:
    """Return how a market's outcome is measured; nothing when it has no strikes."""
    if not market.strike_type:
        return {}
    view: Json = {
        "strike_type": market.strike_type.value,
        "floor_strike": strike_number(market.floor_strike_e6),
        "cap_strike": strike_number(market.cap_strike_e6),
        "functional_strike": market.functional_strike or None,
        "custom_strike": dict(market.custom_strike) or None,
    }
    return {name: value for name, value in view.items() if value is not None}


def strike_number(value_e6: int | None) -> int | Decimal | None:
    """Return a strike as a JSON number, without a fraction where it has none."""
    if value_e6 is None or value_e6 % 10**6 == 0:
        return value_e6 and value_e6 // 10**6
    return Decimal(value_e6).scaleb(-6).normalize()


def _best_size(market: Market, side: BookSide) -> int:
    best = market.book.depth(side, 1)
    return best[0][1] if best else 0


def orderbook_view(market: Market, depth: int) -> Json:
    """Return the YES bids and the NO bids, ascending, best last; `depth` levels of each, all when 0."""
    yes = market.book.depth(BookSide.BID, depth)
    no = [(complement_e4(price), size) for price, size in market.book.depth(BookSide.ASK, depth)]
    return {
        "yes_dollars": [[price_text(price), count_text(size)] for price, size in reversed(yes)],
        "no_dollars": [[price_text(price), count_text(size)] for price, size in reversed(no)],
    }


def trade_view(trade: TradeView) -> Json:
    """Return a public trade."""
    side = trade.taker.side
    return {
        "trade_id": trade_id(trade.match_id),
        "ticker": trade.ticker,
        "count_fp": count_text(trade.size_micros),
        "yes_price_dollars": price_text(trade.price_e4),
        "no_price_dollars": price_text(complement_e4(trade.price_e4)),
        "taker_side": _OUTCOME_SIDES[side],
        "taker_outcome_side": _OUTCOME_SIDES[side],
        "taker_book_side": _BOOK_SIDES[side],
        "created_time": time_text(trade.at_ms),
        "is_block_trade": False,
    }


def owner_and_number(account_id: str) -> tuple[str, int]:
    """Return whose part an account is and its number; see `subaccount_id`."""
    owner, _, number = account_id.partition("/")
    return owner, int(number or 0)


def order_view(order: OrderView) -> Json:
    """Return an order. Its initial count is what was wanted before anybody made it smaller."""
    owner, number = owner_and_number(order.account_id)
    return {
        "order_id": order.order_id,
        "user_id": owner,
        "client_order_id": order.client_order_id,
        "ticker": order.ticker,
        "side": _OUTCOME_SIDES[order.side],
        "action": "buy",
        "outcome_side": _OUTCOME_SIDES[order.side],
        "book_side": _BOOK_SIDES[order.side],
        "type": "limit",
        "status": order.status.value,
        "yes_price_dollars": price_text(order.price_e4),
        "no_price_dollars": price_text(complement_e4(order.price_e4)),
        "fill_count_fp": count_text(order.filled_micros),
        "remaining_count_fp": count_text(order.remaining_micros),
        "initial_count_fp": count_text(order.size_micros + order.decreased_micros),
        "taker_fill_cost_dollars": dollars_text(order.taker_cost_micros),
        "maker_fill_cost_dollars": dollars_text(order.maker_cost_micros),
        "taker_fees_dollars": dollars_text(order.taker_fee_micros),
        "maker_fees_dollars": dollars_text(order.maker_fee_micros),
        "expiration_time": time_text(order.expires_ms) if order.expires_ms else None,
        "created_time": time_text(order.created_ms),
        "last_update_time": time_text(order.updated_ms),
        "self_trade_prevention_type": order.self_trade.value,
        "order_group_id": order.group_id or None,
        "cancel_order_on_pause": order.cancel_on_pause,
        "cancel_reason": order.cancel_reason.value if order.cancel_reason else None,
        "subaccount_number": number,
        "exchange_index": 0,
    }


def fill_view(fill: FillView) -> Json:
    """Return one account's side of a match.

    The `settlement_` fields tell how far it has come on chain when a wallet took part. FAILED with the resolution
    "guaranteed" still counts for a custodial account: the venue took the wallet's place.
    """
    trade, own = fill.trade, fill.own
    return {
        "fill_id": trade_id(trade.match_id),
        "trade_id": trade_id(trade.match_id),
        "order_id": own.order_id,
        "ticker": trade.ticker,
        "market_ticker": trade.ticker,
        "side": _OUTCOME_SIDES[own.side],
        "action": "buy",
        "outcome_side": _OUTCOME_SIDES[own.side],
        "book_side": _BOOK_SIDES[own.side],
        "count_fp": count_text(trade.size_micros),
        "yes_price_dollars": price_text(trade.price_e4),
        "no_price_dollars": price_text(complement_e4(trade.price_e4)),
        "is_taker": fill.is_taker,
        "fee_cost": dollars_text(own.fee_micros),
        "created_time": time_text(trade.at_ms),
        "ts": trade.at_ms // 1000,
        "subaccount_number": owner_and_number(own.account_id)[1],
        "exchange_index": 0,
        "settlement_status": trade.stage,
        "settlement_resolution": trade.resolution or None,
        "transaction_hash": trade.tx_hash or None,
    }
