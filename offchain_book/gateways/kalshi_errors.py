"""Errors in Kalshi's dialect: one exception, one body that suits every generation of its clients, one table of rejects.

The body carries code, message and details twice: nested under `error`, where older clients look (details an object),
and at the top, where the specification puts them (details a string).
"""

from collections.abc import Mapping

import msgspec

from offchain_book import errors
from offchain_book.engine.events import Rejected
from offchain_book.engine.rejects import RejectCode
from offchain_book.gateways import error_page
from offchain_book.gateways.kalshi_units import count_text, dollars_text, price_text
from offchain_book.sequencer import Overloaded, Unavailable

Details = Mapping[str, int | str]


class KalshiError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str, message: str, details: Details | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details: Details = details or {}


def invalid(message: str, details: Details | None = None, code: str = "invalid_parameters") -> KalshiError:
    """Return a 400."""
    return KalshiError(400, code, message, details)


def missing(what: str, name: str, code: str) -> KalshiError:
    """Return a 404 for something that has no such name."""
    return KalshiError(404, code, f"there is no {what} {name}", {what: name})


def not_implemented(what: str) -> KalshiError:
    """Return a 501 that names what this venue cannot do yet."""
    return KalshiError(501, "not_implemented", f"this venue does not offer yet: {what}", {"missing": what})


def stopped(error: Unavailable) -> KalshiError:
    """Return what to answer when the exchange takes no command: 429 when it is only busy, 503 when it has stopped."""
    if isinstance(error, Overloaded):
        return KalshiError(429, "too_many_requests", f"the exchange is busy, nothing was done: {error}")
    return KalshiError(503, "exchange_unavailable", str(error))


def fields(error: KalshiError) -> dict[str, str]:
    """Return the specification's flat `ErrorResponse` with our link, as it also stands in a batch's rows."""
    details = "; ".join(f"{name} {value}" for name, value in error.details.items())
    docs = error_page.link(str(error.details.get("reject_code", error.code)))
    return {"code": error.code, "message": error.message, "details": details, "docs": docs}


def body(error: KalshiError) -> bytes:
    """Return the response body in both shapes."""
    flat = fields(error)
    return msgspec.json.encode({"error": {**flat, "details": dict(error.details)}, **flat})


_NO_FUNDS = "available_balance_too_low"
_REJECTS: Mapping[RejectCode, tuple[int, str]] = {
    RejectCode.UNKNOWN_ACCOUNT: (403, "account_not_found"),
    RejectCode.UNKNOWN_MARKET: (404, "market_not_found"),
    RejectCode.MARKET_INACTIVE: (409, "market_inactive"),
    RejectCode.UNKNOWN_ORDER: (404, "order_not_found"),
    RejectCode.ORDER_NOT_OPEN: (404, "order_not_open"),
    RejectCode.DUPLICATE_ORDER_ID: (409, "order_already_exists"),
    RejectCode.DUPLICATE_CLIENT_ORDER_ID: (409, "order_already_exists"),
    RejectCode.INVALID_DECREASE: (400, "invalid_order_size"),
    RejectCode.SIZE_BELOW_FILLED: (400, "invalid_order_size"),
    RejectCode.OPTION_CONFLICT: (400, "invalid_parameters"),
    RejectCode.NOTHING_TO_REDUCE: (409, "nothing_to_reduce"),
    RejectCode.PRICE_OUT_OF_RANGE: (400, "invalid_price"),
    RejectCode.PRICE_OFF_TICK: (400, "invalid_price"),
    RejectCode.SIZE_NOT_POSITIVE: (400, "invalid_order_size"),
    RejectCode.SIZE_OFF_LOT: (400, "invalid_order_size"),
    RejectCode.SIZE_TOO_LARGE: (400, "invalid_order_size"),
    RejectCode.EXPIRY_IN_PAST: (400, "invalid_expiration_time"),
    RejectCode.POST_ONLY_CROSS: (400, "post_only_cross"),
    RejectCode.FILL_OR_KILL_UNFILLED: (409, "fill_or_kill_insufficient_resting_volume"),
    RejectCode.INSUFFICIENT_CASH: (400, _NO_FUNDS),
    RejectCode.INSUFFICIENT_TOKENS: (400, _NO_FUNDS),
    RejectCode.TOO_MANY_OPEN_ORDERS: (409, "too_many_open_orders"),
    RejectCode.CUSTODY_MISMATCH: (403, "custody_mismatch"),
    RejectCode.CHAIN_HALTED: (503, "chain_halted"),
    RejectCode.OUTFLOW_LIMIT: (409, "outflow_limit"),
    RejectCode.POSITION_LIMIT: (409, "position_limit_exceeded"),
    RejectCode.EXPOSURE_CAP: (409, "exposure_cap_exceeded"),
    RejectCode.UNKNOWN_ORDER_GROUP: (404, "order_group_not_found"),
    RejectCode.ORDER_GROUP_TRIGGERED: (409, "order_group_triggered"),
    RejectCode.INVALID_GROUP_LIMIT: (400, "invalid_parameters"),
    RejectCode.TOO_MANY_ORDER_GROUPS: (409, "too_many_order_groups"),
    RejectCode.INVALID_SUBACCOUNT: (400, "invalid_subaccount"),
    RejectCode.DUPLICATE_REQUEST: (409, "transfer_already_exists"),
    RejectCode.NOTHING_AVAILABLE_YET: (409, "balance_not_final"),
    RejectCode.AMOUNT_NOT_POSITIVE: (400, "invalid_parameters"),
    RejectCode.UNKNOWN_KEY: (404, "api_key_not_found"),
    RejectCode.MARKET_NOT_OPEN_YET: (409, "market_inactive"),
    RejectCode.EXCHANGE_PAUSED: (503, "exchange_paused"),
    RejectCode.MAINTENANCE: (503, "exchange_paused"),
    RejectCode.CANCEL_ONLY: (409, "trading_paused"),
    RejectCode.OUTSIDE_TRADING_HOURS: (409, "trading_paused"),
    RejectCode.POST_ONLY_MODE: (409, "post_only_mode"),
    RejectCode.ACCOUNT_SUSPENDED: (403, "account_suspended"),
}
"""Every refusal that this dialect's commands can meet; others keep their engine name with status 400."""

_IN_DOLLARS = (
    RejectCode.INSUFFICIENT_CASH,
    RejectCode.AMOUNT_NOT_POSITIVE,
    RejectCode.NOTHING_AVAILABLE_YET,
    RejectCode.OUTFLOW_LIMIT,
)
"""Refusals whose amounts are money."""

_REASONS: Mapping[RejectCode, str] = {RejectCode.POST_ONLY_CROSS: "post only cross"}
"""Words that clients look for in `details`."""


def refused(rejected: Rejected) -> KalshiError:
    """Translate the engine's refusal."""
    status, code = _REJECTS.get(rejected.code, (400, rejected.code.name.lower()))
    details = _translated(rejected)
    if rejected.code in _REASONS:
        details = {"reason": _REASONS[rejected.code], **details}
    return KalshiError(status, code, errors.sentence(rejected), {"reject_code": rejected.code.name, **details})


def _translated(rejected: Rejected) -> dict[str, int | str]:
    """Return the details in the dialect's units: prices and cash in dollars, sizes in contracts."""
    in_dollars = rejected.code in _IN_DOLLARS
    found: dict[str, int | str] = {}
    for name, value in rejected.details:
        if isinstance(value, int) and name.endswith("_e4"):
            found[f"{name.removesuffix('_e4')}_dollars"] = price_text(value)
        elif isinstance(value, int) and name.endswith("_micros"):
            stem = name.removesuffix("_micros")
            found[f"{stem}_dollars" if in_dollars else f"{stem}_fp"] = (
                dollars_text(value) if in_dollars else count_text(value)
            )
        else:
            found[name] = value
    return found
