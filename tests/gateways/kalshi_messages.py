"""Checks every message of Kalshi's WebSocket against Kalshi's own AsyncAPI file, and against the fields that it requires.

The file is not ours to ship: `KALSHI_SPEC_DIR` names its folder, by default the reference folder beside the checkout. Where it
is missing, the table of required fields below is the check (the official SDK has no WebSocket models).
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]
SPEC = Path(os.environ.get("KALSHI_SPEC_DIR", ROOT.parent / "shared" / "reference" / "kalshi-spec")) / "asyncapi.yaml"
SCHEMAS = {
    "subscribed": ("subscribedResponsePayload",),
    "unsubscribed": ("unsubscribedResponsePayload",),
    "ok": ("okResponsePayload", "listSubscriptionsResponsePayload"),
    "error": ("errorResponsePayload",),
    "orderbook_snapshot": ("orderbookSnapshotPayload",),
    "orderbook_delta": ("orderbookDeltaPayload",),
    "ticker": ("tickerPayload",),
    "trade": ("tradePayload",),
    "fill": ("fillPayload",),
    "user_order": ("userOrderPayload",),
    "market_position": ("marketPositionPayload",),
    "market_lifecycle_v2": ("marketLifecycleV2Payload",),
    "event_lifecycle": ("eventLifecyclePayload",),
    "event_fee_update": ("eventFeeUpdatePayload",),
    "order_group_updates": ("orderGroupUpdatesPayload",),
}
REQUIRED = {
    "subscribed": "channel sid",
    "unsubscribed": "",
    "ok": "",
    "error": "code msg",
    "orderbook_snapshot": "market_ticker market_id clock",
    "orderbook_delta": "market_ticker market_id clock price_dollars delta_fp side",
    "ticker": "market_id market_ticker price_dollars yes_bid_dollars yes_ask_dollars volume_fp open_interest_fp dollar_volume "
    "dollar_open_interest yes_bid_size_fp yes_ask_size_fp last_trade_size_fp ts ts_ms time",
    "trade": "trade_id market_ticker yes_price_dollars no_price_dollars count_fp taker_side taker_outcome_side "
    "taker_book_side is_block_trade ts ts_ms",
    "fill": "trade_id order_id market_ticker exchange_index is_taker side yes_price_dollars count_fp fee_cost action "
    "outcome_side book_side ts ts_ms post_position_fp purchased_side",
    "user_order": "order_id user_id ticker exchange_index status side is_yes outcome_side book_side yes_price_dollars "
    "fill_count_fp remaining_count_fp initial_count_fp taker_fill_cost_dollars maker_fill_cost_dollars "
    "taker_fees_dollars maker_fees_dollars client_order_id created_time created_ts_ms",
    "market_position": "user_id market_ticker position_fp position_cost_dollars realized_pnl_dollars fees_paid_dollars "
    "position_fee_cost_dollars volume_fp",
    "market_lifecycle_v2": "market_ticker event_type",
    "event_lifecycle": "event_ticker exchange_index title subtitle collateral_return_type series_ticker",
    "event_fee_update": "event_ticker fee_type_override fee_multiplier_override",
    "order_group_updates": "event_type order_group_id ts_ms",
}
SEQUENCED = {
    "orderbook_snapshot",
    "orderbook_delta",
    "trade",
    "market_lifecycle_v2",
    "event_lifecycle",
    "event_fee_update",
    "order_group_updates",
    "unsubscribed",
}
_OURS = {"cursor"}
"""Our extension, sent only to whoever asked for it."""


@cache
def _validators() -> dict[str, list[Any]]:
    if not SPEC.is_file():
        return {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(SPEC.read_text(), loader)
    known = document["components"]["schemas"]
    return {
        kind: [jsonschema.Draft202012Validator(known[name] | {"components": {"schemas": known}}) for name in names]
        for kind, names in SCHEMAS.items()
    }


def check(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message that is as Kalshi writes it; fail otherwise."""
    kind = message["type"]
    assert set(message) <= {"type", "sid", "seq", "id", "msg", "sending_ts_ms"} | _OURS, message
    assert (kind not in SEQUENCED) or message["seq"] >= 1, message
    if REQUIRED[kind]:
        missing = set(REQUIRED[kind].split()) - set(message["msg"])
        assert not missing, f"{kind} lacks {missing}"
    validators = _validators().get(kind, [])
    problems = [list(validator.iter_errors(message)) for validator in validators]
    assert not validators or any(not found for found in problems), problems
    return message
