"""Kalshi's number and time formats, exactly and in integers both ways.

Dollars are strings with four decimals (six when a millionth matters), contract counts strings with two, instants
RFC 3339 in UTC. Parsing answers None for what is no fixed-point number; what a number may be is decided elsewhere.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from offchain_book.engine.units import ONE_DOLLAR_MICROS

MAX_INTEGER_DIGITS = 12
"""Longest integer part of a number in a request; far above every limit, far below what makes arithmetic slow."""
_FIXED_POINT = re.compile(rf"(-?)(\d{{1,{MAX_INTEGER_DIGITS}}})(?:\.(\d{{1,30}}))?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_999
CENT_MICROS = 10_000


def dollars_text(micros: int) -> str:
    """Return an amount as dollars."""
    sign = "-" if micros < 0 else ""
    whole, fraction = divmod(abs(micros), ONE_DOLLAR_MICROS)
    digits = f"{fraction:06d}"
    return f"{sign}{whole}.{digits[:4] if digits.endswith('00') else digits}"


def price_text(price_e4: int) -> str:
    """Return a price as dollars."""
    return dollars_text(price_e4 * 100)


def count_text(micros: int) -> str:
    """Return a contract count, towards zero."""
    sign = "-" if micros <= -CENT_MICROS else ""
    whole, fraction = divmod(abs(micros), ONE_DOLLAR_MICROS)
    return f"{sign}{whole}.{fraction // CENT_MICROS:02d}"


def cents_rounded_down(micros: int) -> int:
    """Return an amount in whole cents."""
    return micros // CENT_MICROS


def time_text(at_ms: int) -> str:
    """Return an instant as the specification's `date-time`."""
    seconds, millis = divmod(min(at_ms, _LAST_MS), 1000)
    return f"{_second_text(seconds)}.{millis:03d}Z"


@lru_cache(maxsize=4_096)
def _second_text(seconds: int) -> str:
    """Return a second without its zone. Remembered, because a page names the same few seconds many times."""
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()


def parse_fixed_point(text: str) -> tuple[int, int] | None:
    """Return (digits as one signed integer, number of decimals), or None when the text is no fixed-point number."""
    match = _FIXED_POINT.fullmatch(text)
    if match is None:
        return None
    sign, whole, fraction = match.group(1), match.group(2), match.group(3) or ""
    return int(f"{sign}{whole}{fraction}"), len(fraction)


def rescaled(digits: int, decimals: int, wanted: int) -> tuple[int, bool]:
    """Return a number in units of 10^-wanted, rounded down, and whether that was exact."""
    if decimals <= wanted:
        return digits * 10 ** (wanted - decimals), True
    quotient, rest = divmod(digits, 10 ** (decimals - wanted))
    return quotient, rest == 0
