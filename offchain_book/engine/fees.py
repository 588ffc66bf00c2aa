"""Trading fees: rate x price x complement, cumulative over an order's life, in steps of $0.0001.

A fill's fee is the order's exact fee so far, rounded up to the step, minus what was charged before: however an order is cut
into fills, it pays one rounding. A fee never takes more than the account has free, so a rounding can never block or
overdraw anything. Rates are ten-thousandths (700 = 0.07). Source of the formula: Kalshi's fee schedule.
"""

from offchain_book.engine.order import Order
from offchain_book.engine.units import FEE_STEP_MICROS, PRICE_SCALE, ceil_div

_DENOMINATOR = PRICE_SCALE**3


def numerator(rate_e4: int, size_micros: int, price_e4: int) -> int:
    """Return the exact fee of a fill times 10^12."""
    return rate_e4 * size_micros * price_e4 * (PRICE_SCALE - price_e4)


def rounded_up(exact: int) -> int:
    """Return an exact fee (times 10^12) in millionths, rounded up to the step; a rebate (below zero) towards zero."""
    return ceil_div(exact, _DENOMINATOR * FEE_STEP_MICROS) * FEE_STEP_MICROS


def due_micros(order: Order, exact: int) -> int:
    """Return what a fill with this exact fee should charge, after what the order has paid before; below zero is a rebate."""
    due = rounded_up(order.fee_numerator + exact) - order.fee_charged_micros
    if exact < 0:
        return min(0, max(due, -rounded_up(-exact)))
    return max(0, min(due, rounded_up(exact)))


def reserve_micros(order: Order, rate_e4: int, price_e4: int, size_micros: int, round_up: bool) -> int:
    """Return what the rest of an order may still cost in fees, at most; exact (rounded down) or rounded up."""
    exact = order.fee_numerator + numerator(rate_e4, size_micros, price_e4)
    total = rounded_up(exact) if round_up else exact // _DENOMINATOR
    return max(0, total - order.fee_charged_micros)


def budget_reserve_micros(order: Order, rate_e4: int) -> int:
    """Return the most that spending the rest of a budget may cost in fees: a dollar pays most at the best price."""
    exact = rate_e4 * max(0, order.budget_micros) * PRICE_SCALE * (PRICE_SCALE - order.terms.fee_price_e4)
    return max(0, rounded_up(order.fee_numerator + exact) - order.fee_charged_micros)
