"""Commands about the life of markets and the hours of the exchange; see `commands.py` for what holds for all of them."""

from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct

Ranges = tuple[tuple[int, int, int], ...]
"""A price grid: (first price, last price, step) in ten-thousandths of a dollar."""


class AdvanceClock(Struct, frozen=True):
    """Venue time has passed. Changes nothing by itself: what was due is done first, as with every command."""


class PauseMarket(Struct, frozen=True):
    """Stop trading in one market for a while. Its orders stay, except those that asked to be cancelled on a pause."""

    ticker: str


class ResumeMarket(Struct, frozen=True):
    """Trade a paused market again, from an empty book: what rested through the pause is cancelled (Kalshi's rule)."""

    ticker: str


class VoidMarket(Struct, frozen=True):
    """End a market without an outcome: YES pays a fair value in millionths, or with None the last traded price."""

    ticker: str
    yes_payout_micros: int | None = None
    reason: str = ""


class DisputeResolution(Struct, frozen=True):
    """The reviewer doubts an outcome while its settlement timer runs: the timer stops."""

    ticker: str
    reason: str = ""


class AmendResolution(Struct, frozen=True):
    """The reviewer ends a dispute with another outcome, or upholds the same; the settlement timer starts again."""

    ticker: str
    yes_payout_micros: int
    source: str = ""


class RefineTicks(Struct, frozen=True):
    """Make a market's price grid finer. Every price that was valid stays valid, so every resting order keeps its place."""

    ticker: str
    price_structure: str
    price_ranges: Ranges


class ExchangeMode(StrEnum):
    """What the whole exchange takes, as an operator sets it."""

    OPEN = "open"
    POST_ONLY = "post_only"
    CANCEL_ONLY = "cancel_only"
    PAUSED = "paused"


class SetExchangeMode(Struct, frozen=True):
    """Change the mode; with `until_ms` the exchange opens by itself then."""

    mode: ExchangeMode
    until_ms: int = 0


@dataclass(frozen=True, slots=True)
class Week:
    """Weekly sessions between two instants: (open, close) in minutes since Monday 00:00 local time, close after open."""

    start_ms: int
    end_ms: int
    sessions: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class TradingHours:
    """When the exchange trades. Without weeks: always. Maintenance (start, end in ms) stops everything, cancels too.

    `offsets` are (from instant in ms, minutes that local time is ahead of UTC), ascending: the engine knows no time zones.
    """

    weeks: tuple[Week, ...] = ()
    maintenance: tuple[tuple[int, int], ...] = ()
    offsets: tuple[tuple[int, int], ...] = ()


class SetTradingHours(Struct, frozen=True):
    """Replace the trading hours."""

    hours: TradingHours


class SetFees(Struct, frozen=True):
    """Change the fees of a series, or of one event (which then no longer follows its series), now or at `at_ms`.

    `fee_type` empty, for an event, makes it follow its series again. Rates as in `CreateSeries`; a maker rate below zero is a rebate.
    """

    change_id: str
    fee_type: str = ""
    taker_rate_e4: int = 0
    maker_rate_e4: int = 0
    series_ticker: str = ""
    event_ticker: str = ""
    at_ms: int = 0
    whole_cents: bool = False


class SetRetention(Struct, frozen=True):
    """Remember finished ids for this long, and at most twice as long (`memory.py`); 0 is for ever, as before any such command.

    `signed`: what wallets signed is forgotten too, as far as it cannot come again, and V2 orders signed longer ago are refused;
    journals from before that rule do not say so.
    """

    retention_ms: int
    signed: bool = False


MarketCommand = (
    AdvanceClock
    | PauseMarket
    | ResumeMarket
    | VoidMarket
    | DisputeResolution
    | AmendResolution
    | RefineTicks
    | SetExchangeMode
    | SetTradingHours
    | SetFees
    | SetRetention
)
