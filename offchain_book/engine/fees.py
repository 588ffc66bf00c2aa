"""Trading fees: one schedule, cumulative over an order's life, so that an order pays one rounding however it is cut into fills.

The exact fee of a fill is rate x price x complement or, where fees are flat, so much a contract, and never above what the
contract takes from a wallet (0.07 x price x complement): closing a position therefore always brings money. Two roundings:

    steps        the order's exact fee so far is rounded up to $0.0001; holds contain the exact fee, and what a rounding asks for
                 beyond an account's free cash is waived, so it can never block or overdraw anything
    whole cents  what a custodial account pays for the order so far, fees included, is rounded up to a cent; equal to rounding
                 every fill and giving back a cent whenever the order's roundings add up to one. Wallets pay in steps.

A lot redeems for exactly one cent and costs less, so with whole cents a hold that contains the rounding is exact: one more lot
costs nothing or a cent, and closing one costs nothing. Rates are ten-thousandths (700 = 0.07, or $0.07 a contract). Sources:
Kalshi's fee schedule and its page on fee rounding, which differs in one point: ADR 0007.
"""

from dataclasses import dataclass
from functools import lru_cache

from offchain_book.engine.order import Order
from offchain_book.engine.units import CENT_MICROS, FEE_STEP_MICROS, PRICE_SCALE, ceil_div

FLAT = "flat"
"""Kalshi's word for fees of so much a contract. Its table of them is not published; here they are two amounts."""
CONTRACT_CAP_E4 = 700
"""The contract takes no fee above this rate of price times complement (`Orders.MAX_FEE_RATE_BPS`)."""
_DENOMINATOR = PRICE_SCALE**3
_STEP = _DENOMINATOR * FEE_STEP_MICROS


@dataclass(frozen=True, slots=True)
class Fee:
    """What one side of a fill is charged. Made by `fee_of`, so that equal fees are one object and `FREE` is known by identity."""

    rate_e4: int
    flat: bool
    whole_cents: bool


FREE = Fee(0, False, False)


@lru_cache(maxsize=4_096)
def fee_of(rate_e4: int, flat: bool, whole_cents: bool) -> Fee:
    """Return the fee of a rate; `FREE` when nothing is charged or rounded."""
    return Fee(rate_e4, flat, whole_cents) if rate_e4 or whole_cents else FREE


@dataclass(frozen=True, slots=True)
class Schedule:
    """The fees of a market."""

    taker: Fee
    maker: Fee
    highest: Fee
    """The higher of both."""
    in_steps: bool
    """Whether both are fees that are rounded in steps: no rebate, no whole cents."""


def schedule(taker_rate_e4: int, maker_rate_e4: int, flat: bool, whole_cents: bool) -> Schedule:
    """Return the fees of a market with these rates."""
    taker, maker = (fee_of(rate, flat, whole_cents) for rate in (taker_rate_e4, maker_rate_e4))
    highest, lowest = (taker, maker_rate_e4) if taker_rate_e4 > maker_rate_e4 else (maker, taker_rate_e4)
    return Schedule(taker, maker, highest, lowest >= 0 and not whole_cents)


def charges(fee: Fee, order: Order) -> bool:
    """Whether a fill may change what this order's account pays. A wallet's fill has no place for a rebate on chain."""
    return fee.rate_e4 > 0 or (fee is not FREE and not order.account.is_wallet)


def numerator(fee: Fee, size_micros: int, price_e4: int) -> int:
    """Return the exact fee of a fill times 10^12."""
    base = price_e4 * (PRICE_SCALE - price_e4)
    if not fee.flat:
        return fee.rate_e4 * size_micros * base
    each = min(abs(fee.rate_e4) * PRICE_SCALE * PRICE_SCALE, CONTRACT_CAP_E4 * base)
    return size_micros * (each if fee.rate_e4 > 0 else -each)


def budget_numerator(order: Order, fee: Fee) -> int:
    """Return the most that spending the rest of a budget may cost in fees: a dollar pays most at the best price."""
    own, left = order.terms.fee_price_e4, max(0, order.budget_micros)
    if not fee.flat:
        return fee.rate_e4 * left * PRICE_SCALE * (PRICE_SCALE - own)
    flat = ceil_div(fee.rate_e4 * left * _DENOMINATOR, own)
    return min(flat, CONTRACT_CAP_E4 * left * PRICE_SCALE * (PRICE_SCALE - own))


def rounded_up(exact: int) -> int:
    """Return an exact fee (times 10^12) in millionths, rounded up to the step; a rebate (below zero) towards zero."""
    return ceil_div(exact, _STEP) * FEE_STEP_MICROS


def due_micros(order: Order, fee: Fee, cost_micros: int, exact: int) -> int:
    """Return what a fill with this cost and exact fee should charge, after what the order has paid before.

    Below zero is a rebate or, with whole cents, roundings given back.
    """
    if _in_cents(order, fee):
        return _to_whole_cents(order, cost_micros, exact)
    before, paid = order.fees_so_far
    if exact < 0:
        return min(0, max(rounded_up(before + exact) - paid, -rounded_up(-exact)))
    return due_in_steps(before, paid, exact)


def due_in_steps(numerator_before: int, charged_micros: int, exact: int) -> int:
    """Return what a fill charges after what the order has paid, rounded in steps: never more than its own fee rounded up."""
    due = -(-(numerator_before + exact) // _STEP) * FEE_STEP_MICROS - charged_micros
    most = -(-exact // _STEP) * FEE_STEP_MICROS
    return (most if most < due else due) if due > 0 else 0


def reserve_micros(order: Order, fee: Fee, cost_micros: int, exact: int, round_up: bool) -> int:
    """Return what the rest of an order, at this cost and exact fee, may still pay in fees: exact (rounded down), or rounded up.

    With whole cents it is what will be paid, to the millionth; below zero when earlier roundings are given back.
    """
    if _in_cents(order, fee):
        return _to_whole_cents(order, cost_micros, exact)
    before, paid = order.fees_so_far
    if round_up:
        return max(0, rounded_up(before + exact) - paid)
    return reserve_in_steps(before, paid, exact)


def reserve_in_steps(numerator_before: int, charged_micros: int, exact: int) -> int:
    """Return what an order's rest of this exact fee may still pay, rounded down."""
    due = (numerator_before + exact) // _DENOMINATOR - charged_micros
    return due if due > 0 else 0


def _in_cents(order: Order, fee: Fee) -> bool:
    return fee.whole_cents and not order.account.is_wallet


def _to_whole_cents(order: Order, cost_micros: int, exact: int) -> int:
    """Return the fee that brings a cost up to whole cents and the order's fees up to the exact ones; gives back below a cent."""
    before, paid = order.fees_so_far
    owed = ceil_div(before + exact, _DENOMINATOR) - paid
    return ceil_div(cost_micros + max(owed, 1 - CENT_MICROS), CENT_MICROS) * CENT_MICROS - cost_micros
