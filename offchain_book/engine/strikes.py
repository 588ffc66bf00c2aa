"""Strikes: which values of what an event asks about make a market pay YES, and how an event's markets imply each other.

A value is an integer of millionths (`_e6`: 4.1 % is 4,100,000), so "above 50" means at least 50.000001 and every strike is a
closed interval of integers. Names of strike types and of both kinds of event: Kalshi's OpenAPI 3.34.0.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

from offchain_book.engine.units import ONE_DOLLAR_MICROS

LINEAR = "linear"
"""The functional strike that this venue can decide by itself: YES pays its share of the way from floor to cap."""
Span = tuple[int | None, int | None]
"""Lowest and highest value that pay YES; None is no bound."""


class CollateralReturn(StrEnum):
    """What the markets of an event imply about each other, and so what can be lost in all of them together at most."""

    NONE = ""
    EXCLUSIVE = "MECNET"
    """At most one market pays YES."""
    ORDERED = "DIRECNET"
    """YES at a further strike implies YES at a nearer one."""


class StrikeType(StrEnum):
    """How a market's strikes are read."""

    NONE = ""
    GREATER = "greater"
    GREATER_OR_EQUAL = "greater_or_equal"
    LESS = "less"
    LESS_OR_EQUAL = "less_or_equal"
    BETWEEN = "between"
    FUNCTIONAL = "functional"
    CUSTOM = "custom"
    STRUCTURED = "structured"


_FLOOR = {StrikeType.GREATER, StrikeType.GREATER_OR_EQUAL, StrikeType.BETWEEN}
_CAP = {StrikeType.LESS, StrikeType.LESS_OR_EQUAL, StrikeType.BETWEEN}


class Struck(Protocol):
    """A market, or the command that creates it."""

    @property
    def ticker(self) -> str: ...
    @property
    def strike_type(self) -> StrikeType: ...
    @property
    def floor_strike_e6(self) -> int | None: ...
    @property
    def cap_strike_e6(self) -> int | None: ...
    @property
    def functional_strike(self) -> str: ...


def span(market: Struck) -> Span | None:
    """Return the values that pay YES; None when strikes do not say."""
    floor, cap = market.floor_strike_e6, market.cap_strike_e6
    match market.strike_type:
        case StrikeType.GREATER if floor is not None:
            return floor + 1, None
        case StrikeType.GREATER_OR_EQUAL:
            return floor, None
        case StrikeType.LESS if cap is not None:
            return None, cap - 1
        case StrikeType.LESS_OR_EQUAL:
            return None, cap
        case StrikeType.BETWEEN:
            return floor, cap
    return None


def rank(market: Struck) -> int:
    """Return a one-sided strike's place in its event: YES at one rank implies YES at every lower one."""
    low, high = span(market) or (None, None)
    return low if low is not None else -(high or 0)


def payout_at(market: Struck, value_e6: int) -> int | None:
    """Return what YES pays (millionths) when this value is the event's result; None when strikes do not say."""
    where = span(market)
    if where is not None:
        low, high = where
        return ONE_DOLLAR_MICROS if (low is None or value_e6 >= low) and (high is None or value_e6 <= high) else 0
    floor, cap = market.floor_strike_e6, market.cap_strike_e6
    if market.strike_type is not StrikeType.FUNCTIONAL or market.functional_strike != LINEAR or floor is None or cap is None:
        return None
    return min(max(0, value_e6 - floor), cap - floor) * ONE_DOLLAR_MICROS // (cap - floor)


def flaw(new: Struck, kind: CollateralReturn, siblings: Iterable[Struck]) -> tuple[str, str] | None:
    """Return (field, what is wrong) of a market's strikes, by themselves or beside those of its event's other markets."""
    return _own_flaw(new) or _flaw_beside(new, kind, siblings)


def _own_flaw(new: Struck) -> tuple[str, str] | None:
    floor, cap, kind = new.floor_strike_e6, new.cap_strike_e6, new.strike_type
    linear = kind is StrikeType.FUNCTIONAL and new.functional_strike == LINEAR
    if (kind in _FLOOR or linear) and floor is None:
        return "floor_strike_e6", f"left out of a strike of type {kind}"
    if (kind in _CAP or linear) and cap is None:
        return "cap_strike_e6", f"left out of a strike of type {kind}"
    if kind is StrikeType.FUNCTIONAL and not new.functional_strike:
        return "functional_strike", "left out of a functional strike"
    if floor is not None and cap is not None and cap < floor + linear:
        return "cap_strike_e6", f"{cap}: the floor is {floor}"
    return None


def _flaw_beside(new: Struck, kind: CollateralReturn, siblings: Iterable[Struck]) -> tuple[str, str] | None:
    where = span(new)
    if kind is CollateralReturn.ORDERED and (where is None or None not in where):
        return (
            "strike_type",
            f"{new.strike_type or 'left out'} in an event of ordered strikes: they are above or below one value",
        )
    if kind is CollateralReturn.EXCLUSIVE and new.strike_type is StrikeType.FUNCTIONAL:
        return "strike_type", f"{new.strike_type} in a mutually exclusive event: two of them would pay parts at once"
    for other in siblings:
        there = span(other)
        if kind is CollateralReturn.ORDERED and where is not None and there is not None:
            if (where[0] is None) is not (there[0] is None):
                return "strike_type", f"{new.strike_type}: {other.ticker} is ordered the other way"
            if where == there:
                return "strike_type", f"{new.strike_type}: {other.ticker} has the same strike"
        if kind is CollateralReturn.EXCLUSIVE and where is not None and there is not None and _overlap(where, there):
            return "strike_type", f"{new.strike_type}: it overlaps {other.ticker} in a mutually exclusive event"
    return None


def _overlap(one: Span, other: Span) -> bool:
    (low, high), (lower, higher) = one, other
    return (high is None or lower is None or lower <= high) and (higher is None or low is None or low <= higher)
