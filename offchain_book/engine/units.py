"""Units: every number in the engine is an integer and names its unit.

Money and quantities are millionths (`_micros`): of a dollar, of a contract. Both collateral and outcome tokens have six
decimals on chain, so a millionth is the same unit there. A price (`_e4`) is ten-thousandths of a dollar for one YES
contract, 1..9999. Every fill is a multiple of `LOT_MICROS`, which makes its cost an exact integer.
"""

ONE_DOLLAR_MICROS = 1_000_000
ONE_CONTRACT_MICROS = 1_000_000
PRICE_SCALE = 10_000
LOT_MICROS = 10_000
FEE_STEP_MICROS = 100
"""Fees are charged in steps of $0.0001."""

CENT_MICROS = 10_000
"""A cent; also what a lot pays that wins."""

CASH = "USD"
"""The ledger's name of the collateral."""


def complement_e4(price_e4: int) -> int:
    """Return the NO price that goes with a YES price, and back."""
    return PRICE_SCALE - price_e4


def whole_lots(amount_micros: int) -> int:
    """Return the part of an amount that can be traded; dust below a lot can be withdrawn, not traded."""
    return amount_micros - amount_micros % LOT_MICROS


def cost_micros(size_micros: int, price_e4: int) -> int:
    """Return what `size_micros` contracts cost at `price_e4`; exact, because sizes are whole lots."""
    return size_micros * price_e4 // PRICE_SCALE


def ceil_div(numerator: int, denominator: int) -> int:
    """Divide non-negative integers, rounding up."""
    return -(-numerator // denominator)
