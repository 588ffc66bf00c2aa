"""Answers for Kalshi's older SDKs (2.1.4, 3.2.0): the same facts in the fields, units and words that these parse.

Both are known by their `User-Agent`. Cents and whole contracts stand beside the fixed-point strings, rounded where they
cannot hold the value; words that came later (finalized, inactive, scalar) become the nearest that these clients accept.
"""

from decimal import Decimal
from typing import Any

from offchain_book.gateways.kalshi_call import Json

_AGENTS = ("OpenAPI-Generator/2.", "OpenAPI-Generator/3.2.")
_OLDEST = _AGENTS[0]
_STATUSES = {"inactive": "closed", "disputed": "determined", "amended": "determined", "finalized": "settled"}
_BOOK = "orderbook_fp"


def is_older(user_agent: str) -> bool:
    """Whether a client is of a generation that reads cents."""
    return user_agent.startswith(_AGENTS)


def older(value: Any, user_agent: str) -> Any:
    """Return an answer with what this older client looks for added, all the way down."""
    if isinstance(value, list):
        return [older(item, user_agent) for item in value]
    if not isinstance(value, dict):
        return value
    view = {name: older(item, user_agent) for name, item in value.items()}
    if isinstance(value.get(_BOOK), dict):
        view["orderbook"] = _book(value[_BOOK], user_agent.startswith(_OLDEST))
    for name, item in value.items():
        _add_number(view, name, item)
    if "price_level_structure" in view:
        _market(view)
    elif "initial_count_fp" in view:
        view |= {"count": view["initial_count"], "updated_time": view["last_update_time"], "queue_position": 0}
    elif "fill_id" in view or "taker_side" in view:
        side = view.get("taker_side") or view["side"]
        view |= {"price": view[f"{side}_price"], "yes_price_fixed": view["yes_price_dollars"]}
        view["no_price_fixed"] = view["no_price_dollars"]
    elif "mutually_exclusive" in view:
        view |= {"available_on_brokers": False, "product_metadata": {}}
    elif "market_result" in view:
        view["result"] = view["market_result"]
    elif "order_group_id" in view and "subaccount" in view:
        view["order_group"] = {"order_group_id": view["order_group_id"]}
    elif "is_auto_cancel_enabled" in view and "id" in view:
        view["order_group_id"] = view["id"]
    elif "market_positions" in view:
        view["positions"] = view["market_positions"]
    elif "end_period_ts" in view:
        view["end_ts"] = view["end_period_ts"]
        view |= {name: view["price"].get(name) for name in ("open", "high", "low", "close")}
    return view


def _add_number(view: Json, name: str, text: Any) -> None:
    """Add the integer twin of a fixed-point string: cents of `x_dollars`, whole contracts of `x_fp`."""
    if name.endswith("_dollars") and (text is None or isinstance(text, str)):
        stem = name.removesuffix("_dollars")
        view.setdefault(stem, None if text is None else int((Decimal(text) * 100).to_integral_value()))
    elif name.endswith("_fp") and isinstance(text, str):
        view.setdefault(name.removesuffix("_fp"), int(Decimal(text)))


def _book(book: Json, named: bool) -> Json:
    """Return both sides in dollars and in cents.

    These clients look for cents under `true` and `false`, what their generator made of a yes and a no; 2.1.4 wants named fields.
    """
    cents = {
        side: [
            [int((Decimal(price) * 100).to_integral_value()), int(Decimal(count))]
            for price, count in book[f"{side}_dollars"]
        ]
        for side in ("yes", "no")
    }
    if named:
        levels = {side: [{"price": price, "count": count} for price, count in rows] for side, rows in cents.items()}
        return {"true": levels["yes"], "false": levels["no"]}
    return {**book, **cents, "true": cents["yes"], "false": cents["no"]}


def _market(view: Json) -> None:
    """Add what a market had in these versions. What Kalshi had stopped to fill by then has the value that it sent."""
    view["status"] = _STATUSES.get(view["status"], view["status"])
    if view["result"] == "scalar":
        view["result"] = ""
    view |= {
        "expiration_time": view["latest_expiration_time"],
        "response_price_units": "usd_cent",
        "liquidity": 0,
        "liquidity_dollars": "0.0000",
        "category": "",
        "risk_limit_cents": 0,
        "tick_size": 1,
    }
