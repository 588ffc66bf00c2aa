"""Kalshi's FIX words for what the engine decides: reasons, states, prices. Pure functions.

`Text<58>` begins with Kalshi's own word for a reason, where it has one, so that programs can compare; our sentence, with have
and need, follows it, and at the end stands where the venue explains it.
"""

from collections.abc import Mapping

from offchain_book.engine.order import BookSide, CancelReason
from offchain_book.engine.rejects import RejectCode
from offchain_book.gateways import error_page
from offchain_book.gateways.fix_logon import Logon
from offchain_book.gateways.kalshi_units import dollars_text

SIDES: Mapping[str, BookSide] = {"1": BookSide.BID, "2": BookSide.ASK}
SIDE_CODES = {side: code for code, side in SIDES.items()}

_REFUSALS: Mapping[str, tuple[str, str]] = {
    RejectCode.UNKNOWN_MARKET.name: ("1", "MARKET_NOT_FOUND"),
    RejectCode.MARKET_INACTIVE.name: ("2", "MARKET_INACTIVE"),
    RejectCode.MARKET_NOT_OPEN_YET.name: ("2", "MARKET_INACTIVE"),
    RejectCode.EXCHANGE_PAUSED.name: ("2", "EXCHANGE_PAUSED"),
    RejectCode.MAINTENANCE.name: ("2", "EXCHANGE_PAUSED"),
    RejectCode.CANCEL_ONLY.name: ("2", "TRADING_PAUSED"),
    RejectCode.OUTSIDE_TRADING_HOURS.name: ("2", "TRADING_PAUSED"),
    RejectCode.INSUFFICIENT_CASH.name: ("3", "INSUFFICIENT_BALANCE"),
    RejectCode.INSUFFICIENT_TOKENS.name: ("3", "INSUFFICIENT_BALANCE"),
    RejectCode.POSITION_LIMIT.name: ("3", "EXCEEDED_PER_MARKET_RISK_LIMIT"),
    RejectCode.EXPOSURE_CAP.name: ("3", "EXCEEDED_PER_MARKET_RISK_LIMIT"),
    RejectCode.TOO_MANY_OPEN_ORDERS.name: ("3", "TOO_MANY_OPEN_ORDERS"),
    RejectCode.ORDER_GROUP_TRIGGERED.name: ("3", "EXCEEDED_ORDER_GROUP_RISK_LIMIT"),
    RejectCode.UNKNOWN_ORDER_GROUP.name: ("11", "ORDER_GROUP_NOT_FOUND"),
    RejectCode.DUPLICATE_ORDER_ID.name: ("6", "ORDER_ALREADY_EXISTS"),
    RejectCode.DUPLICATE_CLIENT_ORDER_ID.name: ("6", "ORDER_ALREADY_EXISTS"),
    RejectCode.PRICE_OUT_OF_RANGE.name: ("11", "INVALID_ORDER"),
    RejectCode.PRICE_OFF_TICK.name: ("11", "INVALID_ORDER"),
    RejectCode.EXPIRY_IN_PAST.name: ("11", "INVALID_ORDER"),
    RejectCode.OPTION_CONFLICT.name: ("11", "INVALID_ORDER"),
    RejectCode.AMOUNT_NOT_POSITIVE.name: ("11", "INVALID_ORDER"),
    RejectCode.SIZE_NOT_POSITIVE.name: ("13", "INVALID_ORDER"),
    RejectCode.SIZE_OFF_LOT.name: ("13", "INVALID_ORDER"),
    RejectCode.SIZE_TOO_LARGE.name: ("13", "INVALID_ORDER"),
    RejectCode.UNKNOWN_ACCOUNT.name: ("15", "CUSTOMER_ACCOUNT_NOT_FOUND"),
}
"""Reject code -> (OrdRejReason<103>, word)."""
_MISSED: Mapping[str, str] = {
    RejectCode.FILL_OR_KILL_UNFILLED.name: "FOK_INSUFFICIENT_VOLUME",
    RejectCode.POST_ONLY_CROSS.name: "POST_ONLY_CROSS",
}
"""Refusals that Kalshi reports as a cancelled order."""
_CHANGE_REFUSALS: Mapping[str, tuple[str, str]] = {
    RejectCode.ORDER_NOT_OPEN.name: ("0", "TOO_LATE_TO_CANCEL"),
    RejectCode.UNKNOWN_ORDER.name: ("1", "UNKNOWN_ORDER"),
    RejectCode.SIZE_BELOW_FILLED.name: ("2", "INVALID_AMEND_QTY_FOR_ORDER"),
}
"""Reject code -> (CxlRejReason<102>, word)."""
_CANCELS: Mapping[str, str] = {
    CancelReason.BY_USER.name: "",
    CancelReason.TIME_IN_FORCE.name: "IMMEDIATE_OR_CANCELLED",
    CancelReason.EXPIRED.name: "EXPIRED",
    CancelReason.MARKET_CLOSED.name: "MARKET_ALREADY_CLOSED",
    CancelReason.GROUP_TRIGGERED.name: "ORDER_GROUP_CANCEL",
    CancelReason.GROUP_DELETED.name: "ORDER_GROUP_CANCEL",
    CancelReason.SESSION_ENDED.name: "CANCEL_ON_DISCONNECT",
}
"""Cancel reason -> word; others keep the engine's."""
EXPIRIES = frozenset({CancelReason.EXPIRED.name, CancelReason.MARKET_CLOSED.name})


def explained(text: str, code: str) -> str:
    """Return a refusal's text with its link."""
    return f"{text} [{error_page.link(code)}]"


def missed(reason: str) -> str:
    """Return the word for an order that was refused because it could not do what it was for; empty for other refusals."""
    return _MISSED.get(reason, "")


def refusal(reason: str) -> tuple[str, str]:
    """Return OrdRejReason and word."""
    return _REFUSALS.get(reason, ("99", reason))


def change_refusal(reason: str, amends: bool) -> tuple[str, str]:
    """Return CxlRejReason and word."""
    if amends and reason == RejectCode.ORDER_NOT_OPEN.name:
        return "2", "CANNOT_UPDATE_FILLED_ORDER"
    return _CHANGE_REFUSALS.get(reason, ("99", refusal(reason)[1]))


def cancel_word(reason: str, was_resting: bool) -> str:
    """Return the word for why an order was cancelled; empty when its owner asked for it."""
    if reason == CancelReason.SELF_TRADE.name:
        return f"{'MAKER' if was_resting else 'TAKER'}_CANCEL_FOR_SELF_TRADE_PREVENTION"
    return _CANCELS.get(reason, reason)


def price_text(logon: Logon, price_e4: int) -> str:
    """Return a price: dollars with four decimals, or cents, whole where they are."""
    if logon.in_dollars:
        return dollars_text(price_e4 * 100)
    cents, rest = divmod(price_e4, 100)
    return f"{cents}.{rest:02d}" if rest else str(cents)


def average_text(logon: Logon, value_micros_e4: int, filled_micros: int) -> str:
    """Return the average price of fills, to a ten-thousandth of a dollar; 0 without fills."""
    if not filled_micros:
        return "0"
    return price_text(logon, (value_micros_e4 + filled_micros // 2) // filled_micros)
