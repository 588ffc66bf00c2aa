"""Errors in Polymarket's words: production's status and string, and beside it our code, sentence and values.

Bots branch on `error`, so it is production's text wherever production has one. People read `reason`.
"""

from collections.abc import Mapping

from offchain_book import errors
from offchain_book.engine.events import Rejected
from offchain_book.engine.market import Market
from offchain_book.engine.operations import Outcome
from offchain_book.engine.rejects import RejectCode
from offchain_book.gateways import error_page
from offchain_book.gateways.polymarket_words import decimal, price_text

Detail = int | str | bool | Mapping[str, int | str]

UNAUTHORIZED = "Unauthorized/Invalid api key"
INVALID_L1 = "Invalid L1 Request headers"
INVALID_PAYLOAD = "Invalid order payload"
NO_ORDERBOOK = "No orderbook exists for the requested token id"
NO_BALANCE = "not enough balance / allowance"
INVALID_EXPIRATION = "invalid expiration"
FAK_UNMATCHED = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
CANCEL_ONLY = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
TRADING_DISABLED = "Trading is currently disabled. No orders and no cancels are accepted."
POST_ONLY = "post-only mode: only post-only orders and cancels are allowed"
CLOSED_ORDER = "order can't be found - already canceled or matched"

_FIXED: Mapping[RejectCode, tuple[int, str]] = {
    RejectCode.UNKNOWN_ACCOUNT: (401, UNAUTHORIZED),
    RejectCode.KEY_EXISTS: (400, "Could not create api key"),
    RejectCode.ACCOUNT_EXISTS: (400, "Could not create api key"),
    RejectCode.UNKNOWN_KEY: (401, UNAUTHORIZED),
    RejectCode.UNKNOWN_MARKET: (404, NO_ORDERBOOK),
    RejectCode.MARKET_INACTIVE: (400, "the market is not yet ready to process new orders"),
    RejectCode.UNKNOWN_ORDER: (404, CLOSED_ORDER),
    RejectCode.ORDER_NOT_OPEN: (400, CLOSED_ORDER),
    RejectCode.EXPIRY_IN_PAST: (400, INVALID_EXPIRATION),
    RejectCode.SIGNED_EXPIRY_TOO_SOON: (400, INVALID_EXPIRATION),
    RejectCode.POST_ONLY_CROSS: (400, "invalid post-only order: order crosses book"),
    RejectCode.FILL_OR_KILL_UNFILLED: (
        400,
        "order couldn't be fully filled. FOK orders are fully filled or killed.",
    ),
    RejectCode.CHAIN_HALTED: (503, CANCEL_ONLY),
    RejectCode.MARKET_NOT_OPEN_YET: (400, "the market is not yet ready to process new orders"),
    RejectCode.EXCHANGE_PAUSED: (503, TRADING_DISABLED),
    RejectCode.MAINTENANCE: (503, TRADING_DISABLED),
    RejectCode.CANCEL_ONLY: (503, CANCEL_ONLY),
    RejectCode.OUTSIDE_TRADING_HOURS: (503, CANCEL_ONLY),
    RejectCode.POST_ONLY_MODE: (503, POST_ONLY),
}
"""Rejections whose text in production is always the same."""
_SIZES = (RejectCode.SIZE_NOT_POSITIVE, RejectCode.SIZE_OFF_LOT, RejectCode.SIZE_TOO_LARGE)
_PRICES = (RejectCode.PRICE_OFF_TICK, RejectCode.PRICE_OUT_OF_RANGE)


class ApiError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, error: str, code: str, reason: str = "", /, **details: Detail) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.code = code
        self.reason = reason or error
        self.details = details

    def body(self, request_id: str) -> dict[str, object]:
        """Return the answer's JSON object."""
        return {
            "error": self.error,
            "code": self.code,
            "reason": self.reason,
            "details": self.details,
            "docs": error_page.link(self.code),
            "request_id": request_id,
        }


def unknown_token(token_id: str) -> ApiError:
    """Return the error for a token id that belongs to no market."""
    return ApiError(404, NO_ORDERBOOK, "UNKNOWN_TOKEN", f"no market has the token {token_id or '(none given)'}")


def malformed(error: str, problem: str) -> ApiError:
    """Return the error for a body that is no JSON or has the wrong shape."""
    return ApiError(400, error, "MALFORMED_BODY", problem)


def from_rejection(rejected: Rejected) -> ApiError:
    """Return the error for anything but an order."""
    status, error = _FIXED.get(rejected.code, (400, errors.sentence(rejected)))
    return ApiError(status, error, rejected.code.name, errors.sentence(rejected), **errors.details(rejected))


def from_order_rejection(rejected: Rejected, order_id: str, market: Market, outcome: Outcome) -> ApiError:
    """Return the error for a refused order, with prices turned into the order's own token."""
    details = errors.details(rejected)
    tick = price_text(market.tick_at(int(details.get("price_e4", 0))))
    if outcome is Outcome.NO:
        details = mirrored(details)
        rejected = Rejected(rejected.code, tuple(details.items()))
    code, reason = rejected.code, errors.sentence(rejected)
    if code is RejectCode.DUPLICATE_ORDER_ID:
        error = f"order {order_id} is invalid. Duplicated."
    elif code in (RejectCode.INSUFFICIENT_CASH, RejectCode.INSUFFICIENT_TOKENS):
        error = f"{NO_BALANCE}: {reason}"
    elif code is RejectCode.FEE_RATE_BELOW_MARKET:
        error = f"invalid fee rate ({details['signed_bps']}), current market's taker fee: {details['market_bps']}"
    elif code is RejectCode.SIGNED_ORDER_VOID:
        error = f"invalid {details['field']}"
    elif code in _PRICES:
        return _price_error(code, order_id, tick, details, reason)
    elif code in _SIZES:
        error = _size_error(code, order_id, details)
    else:
        status, text = _FIXED.get(code, (400, reason))
        return ApiError(status, text, code.name, reason, **details)
    return ApiError(400, error, code.name, reason, **details)


def mirrored(details: dict[str, int | str]) -> dict[str, int | str]:
    """Turn YES prices into NO prices; what was below is then above."""
    swapped = {"below_e4": "above_e4", "above_e4": "below_e4", "lowest_e4": "highest_e4", "highest_e4": "lowest_e4"}
    return {
        swapped.get(name, name): 10_000 - value if name.endswith("_e4") and isinstance(value, int) else value
        for name, value in details.items()
    }


def _price_error(code: RejectCode, order_id: str, tick: str, details: dict[str, int | str], reason: str) -> ApiError:
    names = ("below_e4", "above_e4") if code is RejectCode.PRICE_OFF_TICK else ("lowest_e4", "highest_e4")
    first, second = (price_text(int(details[name])) for name in names)
    price = price_text(int(details["price_e4"]))
    if code is RejectCode.PRICE_OUT_OF_RANGE:
        nearest = first if int(details["price_e4"]) < int(details["lowest_e4"]) else second
        error = f"invalid price ({price}), min: {first} - max: {second}"
        return ApiError(400, error, code.name, reason, price=price, lowest=first, highest=second, nearest=nearest)
    return off_tick(order_id, price, tick, first, second)


def off_tick(order_id: str, price: str, tick: str, below: str, above: str) -> ApiError:
    """Return the error for a price that is not on the grid."""
    return ApiError(
        400,
        f"order {order_id} is invalid. Price ({price}) breaks minimum tick size rule: {tick}",
        RejectCode.PRICE_OFF_TICK.name,
        f"price {price} is off the tick of {tick}; the nearest valid prices are {below} and {above}",
        price=price,
        tick_size=tick,
        nearest={"below": below, "above": above},
    )


def _size_error(code: RejectCode, order_id: str, details: dict[str, int | str]) -> str:
    size = decimal(int(details["size_micros"]))
    if code is RejectCode.SIZE_NOT_POSITIVE:
        return f"order {order_id} is invalid. Size ({size}) lower than the minimum: 0.01"
    if code is RejectCode.SIZE_TOO_LARGE:
        limit = decimal(int(details["limit_micros"]))
        return f"order {order_id} is invalid. Size ({size}) higher than the maximum: {limit}"
    below, above = (decimal(int(details[name])) for name in ("below_micros", "above_micros"))
    return f"invalid amounts, the size supports a max accuracy of 2 decimals ({size}; nearest: {below}, {above})"
