"""What bodies of Kalshi's order routes may say: their fields, and the numbers in them.

A field that a body does not know is refused: an option that is ignored is another order.
"""

from typing import Annotated, Literal

import msgspec

from offchain_book.engine.order import BookSide, SelfTrade, TimeInForce
from offchain_book.gateways.kalshi_errors import invalid
from offchain_book.gateways.kalshi_units import CENT_MICROS, count_text, parse_fixed_point, price_text, rescaled

MAX_BATCH = 100
"""Most orders in one batch."""
MAX_NAME = 200
"""Longest ticker or id in a body."""
LAST_EXPIRATION_S = 253_402_300_799
"""The end of the year 9999: the last instant that a response can spell."""
SIDES = {"bid": BookSide.BID, "ask": BookSide.ASK}

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
OptionalName = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]


class CreateOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """CreateOrderV2Request."""

    ticker: Name
    side: Literal["bid", "ask"]
    count: str
    price: str
    time_in_force: TimeInForce
    self_trade_prevention_type: SelfTrade
    client_order_id: OptionalName | None = None
    expiration_time: int | None = None
    post_only: bool | None = None
    cancel_order_on_pause: bool | None = None
    reduce_only: bool | None = None
    subaccount: int | None = None
    order_group_id: OptionalName | None = None
    exchange_index: int | None = None


class AmendOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """AmendOrderV2Request. `count` is the total: what is filled plus the wanted rest."""

    ticker: Name
    side: Literal["bid", "ask"]
    price: str
    count: str
    client_order_id: OptionalName | None = None
    updated_client_order_id: OptionalName | None = None
    expiration_time: int | None = None
    exchange_index: int | None = None


class DecreaseOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """DecreaseOrderV2Request. The engine sees to it that exactly one of both sizes is given."""

    reduce_by: str | None = None
    reduce_to: str | None = None
    exchange_index: int | None = None
    market_ticker: OptionalName | None = None


class CancelOne(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of BatchCancelOrdersV2Request."""

    order_id: Name
    subaccount: int | None = None
    exchange_index: int | None = None
    market_ticker: OptionalName | None = None


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch's body; its rows are decoded one by one, so that one bad row fails alone."""

    orders: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


def check_exchange(index: int | None) -> None:
    """Refuse other matching engines than the one there is."""
    if index not in (None, 0, -1):
        raise invalid("this venue has one exchange index, 0", {"field": "exchange_index"})


def count_micros(text: str, field: str = "count") -> int:
    """Return a contract count in millionths; at most two decimals."""
    parsed = parse_fixed_point(text)
    if parsed is None:
        raise invalid(
            f'{field} must be a fixed-point string such as "10" or "10.00"',
            {"field": field, "value": text[:64]},
            "invalid_order_size",
        )
    digits, decimals = parsed
    cents, _ = rescaled(digits, decimals, 2)
    if decimals > 2:
        below, above = count_text(cents * CENT_MICROS), count_text((cents + 1) * CENT_MICROS)
        raise invalid(
            f"{field} {text} has {decimals} decimals, two are allowed; the nearest valid counts are {below} and {above}",
            {"field": field, "value": text, "below_fp": below, "above_fp": above},
            "invalid_order_size",
        )
    return cents * CENT_MICROS


def price_e4(text: str) -> int:
    """Return a price in ten-thousandths of a dollar; two to four decimals."""
    parsed = parse_fixed_point(text)
    if parsed is None or parsed[1] < 2:
        raise invalid(
            'price must be a fixed-point string with two to four decimals such as "0.56"',
            {"field": "price", "value": text[:64]},
            "invalid_price",
        )
    digits, decimals = parsed
    price, _ = rescaled(digits, decimals, 4)
    if decimals > 4:
        below, above = price_text(price), price_text(price + 1)
        raise invalid(
            f"price {text} has {decimals} decimals, four are allowed; the nearest are {below} and {above}",
            {"field": "price", "value": text, "below_dollars": below, "above_dollars": above},
            "invalid_price",
        )
    return price


def expiration_ms(at_s: int) -> int:
    """Return an expiration time in milliseconds. The engine compares it with venue time."""
    if not 0 < at_s <= LAST_EXPIRATION_S:
        raise invalid(
            "expiration_time must be a future Unix time in seconds",
            {"field": "expiration_time", "value": str(at_s)},
            "invalid_expiration_time",
        )
    return at_s * 1000
