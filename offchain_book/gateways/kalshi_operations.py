"""The table of operations that this venue serves in Kalshi's dialect: method, path, handler, scope, status, query."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from offchain_book.gateways.kalshi_account import Accounts
from offchain_book.gateways.kalshi_call import Call, Json
from offchain_book.gateways.kalshi_candles import Candles
from offchain_book.gateways.kalshi_changes import Changes
from offchain_book.gateways.kalshi_discovery import Discovery
from offchain_book.gateways.kalshi_fees import Fees
from offchain_book.gateways.kalshi_groups import Groups
from offchain_book.gateways.kalshi_keys import Keys
from offchain_book.gateways.kalshi_markets import Markets
from offchain_book.gateways.kalshi_orders import Orders
from offchain_book.gateways.kalshi_portfolio import Portfolio
from offchain_book.gateways.kalshi_rates import Limiter
from offchain_book.gateways.kalshi_subaccounts import Subaccounts
from offchain_book.gateways.kalshi_v1 import FirstGeneration
from offchain_book.sequencer import Sequencer

PUBLIC = ""
READ = "read"
READ_BALANCE = "read::portfolio_balance"
WRITE = "write"
TRADE = "write::trade"
TRANSFER = "write::transfer"

_PAGE = ("limit", "cursor")
_TIMES = ("min_ts", "max_ts")
_SHARD = ("subaccount", "exchange_index")
_EVENTS_QUERY = (
    *_PAGE,
    "with_nested_markets",
    "with_milestones",
    "status",
    "series_ticker",
    "tickers",
    "min_close_ts",
    "min_updated_ts",
)
_MARKETS_QUERY = (
    *_PAGE,
    "event_ticker",
    "series_ticker",
    *(f"{edge}_{kind}_ts" for kind in ("created", "updated", "close", "settled") for edge in ("min", "max")),
    "status",
    "tickers",
    "mve_filter",
)

_CANDLES = ("start_ts", "end_ts", "period_interval")
_PAST = ("ticker", *_TIMES, *_PAGE, "subaccount")
_MILESTONES = (
    *_PAGE,
    "minimum_start_date",
    "category",
    "competition",
    "source_id",
    "type",
    "related_event_ticker",
    "min_updated_ts",
)

Handler = Callable[[Call], Awaitable[Json | None]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of Kalshi's specification. `scope` is what a key must have; empty for public routes."""

    operation_id: str
    method: str
    path: str
    handler: Handler
    scope: str = PUBLIC
    status: int = HTTPStatus.OK
    query: tuple[str, ...] = ()


def operations(sequencer: Sequencer, limiter: Limiter) -> tuple[Operation, ...]:
    """Return what is served. Order matters: a fixed path stands before one with a parameter in its place."""
    accounts = Accounts(sequencer, limiter)
    table = (*_surroundings(sequencer, accounts), *_first_generation(sequencer), *_trading(sequencer))
    accounts.paths = {operation.operation_id: (operation.method, operation.path) for operation in table}
    return table


def _surroundings(sequencer: Sequencer, accounts: Accounts) -> tuple[Operation, ...]:
    """Return what is about markets and accounts without being the book or the portfolio."""
    candles, markets, discovery = Candles(sequencer), Markets(sequencer), Discovery(sequencer)
    orders, portfolio = Orders(sequencer), Portfolio(sequencer)
    past = "/historical"
    return (
        Operation(
            "GetMarketCandlesticks",
            "GET",
            "/series/{series_ticker}/markets/{ticker}/candlesticks",
            candles.market,
            query=(*_CANDLES, "include_latest_before_start"),
        ),
        Operation(
            "BatchGetMarketCandlesticks",
            "GET",
            "/markets/candlesticks",
            candles.markets,
            query=("market_tickers", *_CANDLES, "include_latest_before_start"),
        ),
        Operation(
            "GetMarketCandlesticksByEvent",
            "GET",
            "/series/{series_ticker}/events/{ticker}/candlesticks",
            candles.event,
            query=_CANDLES,
        ),
        Operation("GetHistoricalCutoff", "GET", f"{past}/cutoff", markets.cutoff),
        Operation(
            "GetHistoricalMarkets",
            "GET",
            f"{past}/markets",
            markets.historical_markets,
            query=(*_PAGE, "tickers", "event_ticker", "series_ticker", "mve_filter"),
        ),
        Operation("GetHistoricalMarket", "GET", f"{past}/markets/{{ticker}}", markets.historical_market),
        Operation(
            "GetMarketCandlesticksHistorical",
            "GET",
            f"{past}/markets/{{ticker}}/candlesticks",
            candles.historical,
            query=_CANDLES,
        ),
        Operation(
            "GetTradesHistorical",
            "GET",
            f"{past}/trades",
            markets.historical_trades,
            query=(*_PAGE, "ticker", *_TIMES, "is_block_trade"),
        ),
        Operation("GetFillsHistorical", "GET", f"{past}/fills", portfolio.historical_fills, READ, query=_PAST),
        Operation("GetHistoricalOrders", "GET", f"{past}/orders", orders.historical_orders, READ, query=_PAST),
        Operation(
            "GetHistoricalPositions",
            "GET",
            f"{past}/positions",
            portfolio.historical_positions,
            READ,
            query=(*_PAGE, "ticker", "event_ticker", "subaccount"),
        ),
        Operation("GetAccountApiLimits", "GET", "/account/limits", accounts.limits, READ),
        Operation("GetAccountEndpointCosts", "GET", "/account/endpoint_costs", accounts.costs),
        Operation(
            "GetAccountApiUsageLevelVolumeProgress",
            "GET",
            "/account/api_usage_level/volume_progress",
            accounts.volume,
            READ,
        ),
        Operation("GetDeposits", "GET", "/portfolio/deposits", accounts.deposits, READ, query=_PAGE),
        Operation("GetUserDataTimestamp", "GET", "/exchange/user_data_timestamp", accounts.data_timestamp),
        Operation(
            "GetIncentivePrograms",
            "GET",
            "/incentive_programs",
            discovery.incentives,
            query=("status", "type", "incentive_description", *_PAGE),
        ),
        Operation("GetTagsForSeriesCategories", "GET", "/search/tags_by_categories", discovery.tags),
        Operation("GetFiltersForSports", "GET", "/search/filters_by_sport", discovery.sports),
        Operation("GetEventMetadata", "GET", "/events/{event_ticker}/metadata", discovery.metadata),
        Operation("GetMilestones", "GET", "/milestones", discovery.milestones, query=_MILESTONES),
        Operation("GetMilestone", "GET", "/milestones/{milestone_id}", discovery.absent),
        Operation(
            "GetStructuredTargets",
            "GET",
            "/structured_targets",
            discovery.targets,
            query=("ids", "type", "competition", "page_size", "cursor"),
        ),
        Operation("GetStructuredTarget", "GET", "/structured_targets/{structured_target_id}", discovery.absent),
        Operation(
            "GetLiveDatas", "GET", "/live_data/batch", discovery.live, query=("milestone_ids", "include_player_stats")
        ),
        Operation("GetEventLiveData", "GET", "/live_data/events/{event_ticker}", discovery.absent),
        Operation("GetLiveDataByMilestone", "GET", "/live_data/milestone/{milestone_id}", discovery.absent),
        Operation("GetGameStats", "GET", "/live_data/milestone/{milestone_id}/game_stats", discovery.absent),
        Operation("GetWeatherIndex", "GET", "/live_data/weather/{city}", discovery.absent),
        Operation("GetWeatherIndexCalibrations", "GET", "/live_data/weather/{city}/calibrations", discovery.absent),
        Operation("GetLiveData", "GET", "/live_data/{type}/milestone/{milestone_id}", discovery.absent),
    )


def _first_generation(sequencer: Sequencer) -> tuple[Operation, ...]:
    """Return the order routes of SDKs before 3.34.0. Deprecated by Kalshi in June 2026."""
    first, groups = FirstGeneration(sequencer, Orders(sequencer)), Groups(sequencer)
    orders, created = "/portfolio/orders", HTTPStatus.CREATED
    group = "/portfolio/order_groups/{order_group_id}"
    return (
        Operation("CreateOrder", "POST", orders, first.create, TRADE, created),
        Operation("BatchCreateOrders", "POST", f"{orders}/batched", first.create_batch, TRADE, created),
        Operation("BatchCancelOrders", "DELETE", f"{orders}/batched", first.cancel_batch, TRADE),
        Operation("GetQueuePositions", "POST", f"{orders}/queue_positions", first.queue_positions, READ),
        Operation("CancelOrder", "DELETE", f"{orders}/{{order_id}}", first.cancel, TRADE),
        Operation("AmendOrder", "POST", f"{orders}/{{order_id}}/amend", first.amend, TRADE),
        Operation("DecreaseOrder", "POST", f"{orders}/{{order_id}}/decrease", first.decrease, TRADE),
        Operation("ResetOrderGroupByPost", "POST", f"{group}/reset", groups.reset_by_post, TRADE, HTTPStatus.NO_CONTENT),
    )


def _trading(sequencer: Sequencer) -> tuple[Operation, ...]:
    """Return the book, the portfolio, the keys, and what describes the markets."""
    markets, orders, portfolio = Markets(sequencer), Orders(sequencer), Portfolio(sequencer)
    changes, groups = Changes(sequencer), Groups(sequencer)
    fees = Fees(sequencer)
    subaccounts, keys = Subaccounts(sequencer), Keys(sequencer)
    created, empty = HTTPStatus.CREATED, HTTPStatus.NO_CONTENT
    placing, grouping = "/portfolio/events/orders", "/portfolio/order_groups"
    dividing = "/portfolio/subaccounts"
    return (
        Operation("CreateOrderV2", "POST", placing, orders.create, TRADE, created),
        Operation("CancelAllOrders", "DELETE", placing, orders.cancel_all, TRADE, empty, _SHARD),
        Operation("BatchCreateOrdersV2", "POST", f"{placing}/batched", orders.create_batch, TRADE, created),
        Operation("BatchCancelOrdersV2", "DELETE", f"{placing}/batched", orders.cancel_batch, TRADE),
        Operation(
            "CancelOrderV2",
            "DELETE",
            f"{placing}/{{order_id}}",
            orders.cancel,
            TRADE,
            query=(*_SHARD, "market_ticker"),
        ),
        Operation("AmendOrderV2", "POST", f"{placing}/{{order_id}}/amend", changes.amend, TRADE, query=_SHARD),
        Operation("DecreaseOrderV2", "POST", f"{placing}/{{order_id}}/decrease", changes.decrease, TRADE, query=_SHARD),
        Operation("GetMarketOrderbook", "GET", "/markets/{ticker}/orderbook", markets.orderbook, query=("depth",)),
        Operation("GetMarkets", "GET", "/markets", markets.markets, query=_MARKETS_QUERY),
        Operation(
            "GetTrades",
            "GET",
            "/markets/trades",
            markets.trades,
            query=(*_PAGE, "ticker", *_TIMES, "is_block_trade"),
        ),
        Operation("GetMarketOrderbooks", "GET", "/markets/orderbooks", markets.orderbooks, query=("tickers",)),
        Operation("GetMarket", "GET", "/markets/{ticker}", markets.market),
        Operation("GetBalance", "GET", "/portfolio/balance", portfolio.balance, READ_BALANCE, query=_SHARD),
        Operation(
            "GetPositions",
            "GET",
            "/portfolio/positions",
            portfolio.positions,
            READ,
            query=(*_PAGE, "count_filter", "settlement_status", "ticker", "event_ticker", *_SHARD),
        ),
        Operation(
            "GetOrders",
            "GET",
            "/portfolio/orders",
            orders.orders,
            READ,
            query=("ticker", "event_ticker", *_TIMES, "status", *_PAGE, *_SHARD),
        ),
        Operation(
            "GetOrderQueuePositions",
            "GET",
            "/portfolio/orders/queue_positions",
            changes.queue_positions,
            READ,
            query=("market_tickers", "event_ticker", "subaccount"),
        ),
        Operation(
            "GetOrderQueuePosition", "GET", "/portfolio/orders/{order_id}/queue_position", changes.queue_position, READ
        ),
        Operation("GetOrder", "GET", "/portfolio/orders/{order_id}", orders.order, READ),
        Operation(
            "GetFills",
            "GET",
            "/portfolio/fills",
            portfolio.fills,
            READ,
            query=("ticker", "order_id", *_TIMES, *_PAGE, *_SHARD),
        ),
        Operation(
            "GetSettlements",
            "GET",
            "/portfolio/settlements",
            portfolio.settlements,
            READ,
            query=(*_PAGE, "ticker", "event_ticker", *_TIMES, "subaccount"),
        ),
        Operation(
            "GetPortfolioRestingOrderTotalValue",
            "GET",
            "/portfolio/summary/total_resting_order_value",
            portfolio.resting_order_value,
            READ,
        ),
        Operation("CreateOrderGroup", "POST", f"{grouping}/create", groups.create, TRADE, created),
        Operation("GetOrderGroups", "GET", grouping, groups.groups, READ, query=("subaccount",)),
        Operation("GetOrderGroup", "GET", f"{grouping}/{{order_group_id}}", groups.group, READ, query=("subaccount",)),
        Operation("ResetOrderGroup", "PUT", f"{grouping}/{{order_group_id}}/reset", groups.reset, TRADE, query=_SHARD),
        Operation("TriggerOrderGroup", "PUT", f"{grouping}/{{order_group_id}}/trigger", groups.trigger, TRADE, query=_SHARD),
        Operation(
            "UpdateOrderGroupLimit", "PUT", f"{grouping}/{{order_group_id}}/limit", groups.set_limit, TRADE, query=_SHARD
        ),
        Operation("DeleteOrderGroup", "DELETE", f"{grouping}/{{order_group_id}}", groups.delete, TRADE, query=_SHARD),
        Operation("CreateSubaccount", "POST", dividing, subaccounts.create, WRITE, created),
        Operation("ApplySubaccountTransfer", "POST", f"{dividing}/transfer", subaccounts.transfer, TRANSFER),
        Operation("GetSubaccountTransfers", "GET", f"{dividing}/transfers", subaccounts.transfers, READ, query=_PAGE),
        Operation("GetSubaccountNetting", "GET", f"{dividing}/netting", subaccounts.netting, READ),
        Operation("UpdateSubaccountNetting", "PUT", f"{dividing}/netting", subaccounts.set_netting, WRITE),
        Operation("GetSubaccountBalances", "GET", f"{dividing}/balances", subaccounts.balances, READ_BALANCE),
        Operation("CreateApiKey", "POST", "/api_keys", keys.create, WRITE, created),
        Operation("GenerateApiKey", "POST", "/api_keys/generate", keys.generate, WRITE, created),
        Operation("GetApiKeys", "GET", "/api_keys", keys.keys, READ, query=("fcm_subtrader_id",)),
        Operation("DeleteApiKey", "DELETE", "/api_keys/{api_key}", keys.delete, WRITE, empty),
        Operation("GetExchangeStatus", "GET", "/exchange/status", markets.exchange_status),
        Operation("GetExchangeSchedule", "GET", "/exchange/schedule", markets.exchange_schedule),
        Operation("GetEvents", "GET", "/events", markets.events, query=_EVENTS_QUERY),
        Operation("GetEventFeeChanges", "GET", "/events/fee_changes", fees.event_changes, query=(*_PAGE, "event_ticker")),
        Operation(
            "GetSeriesFeeChanges",
            "GET",
            "/series/fee_changes",
            fees.series_changes,
            query=("series_ticker", "show_historical"),
        ),
        Operation(
            "GetEvent",
            "GET",
            "/events/{event_ticker}",
            markets.event,
            query=("with_nested_markets", "exclude_markets"),
        ),
        Operation(
            "GetSeriesList",
            "GET",
            "/series",
            markets.series_list,
            query=("category", "tags", "include_product_metadata", "include_volume", "min_updated_ts"),
        ),
        Operation("GetSeries", "GET", "/series/{series_ticker}", markets.series, query=("include_volume",)),
    )
