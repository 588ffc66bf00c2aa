"""A market's past by the minute: the last price of every minute with trades, and the dollars traded up to its end.

Rebuilt from the trades, so it is no stored data of its own. Memory grows with minutes that traded, not with trades.
"""

from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass(slots=True)
class PriceHistory:
    """One market's minutes, oldest first; the three lists have the same length."""

    minutes: list[int] = field(default_factory=list)
    """Whole minutes since 1970."""
    closes_e4: list[int] = field(default_factory=list)
    """The last YES price in each, in ten-thousandths."""
    traded_micros: list[int] = field(default_factory=list)
    """What takers had paid or received for their side up to the end of each, in millionths of a dollar."""

    def add(self, at_ms: int, price_e4: int, cash_micros: int) -> None:
        """Count a trade; trades come in the order of their times."""
        minute = at_ms // 60_000
        if self.minutes and self.minutes[-1] == minute:
            self.closes_e4[-1] = price_e4
            self.traded_micros[-1] += cash_micros
            return
        self.minutes.append(minute)
        self.closes_e4.append(price_e4)
        self.traded_micros.append(self.total_micros + cash_micros)

    @property
    def total_micros(self) -> int:
        """Return the dollars ever traded."""
        return self.traded_micros[-1] if self.traded_micros else 0

    def price_e4(self, at_s: int) -> int:
        """Return the last price at a time, to the minute; 0 before the first trade."""
        place = bisect_right(self.minutes, at_s // 60)
        return self.closes_e4[place - 1] if place else 0

    def traded_since_micros(self, at_s: int) -> int:
        """Return the dollars traded since a time, to the minute."""
        place = bisect_right(self.minutes, at_s // 60 - 1)
        return self.total_micros - (self.traded_micros[place - 1] if place else 0)

    @property
    def first_s(self) -> int:
        """Return when the first trade was, to the minute; 0 without trades."""
        return self.minutes[0] * 60 if self.minutes else 0
