"""What happened to markets, their fees and the hours of the exchange; see `events.py` for what holds for all of them."""

from offchain_book.engine.happened import Happened


class MarketStatusChanged(Happened, frozen=True):
    """A market moved along its life."""

    ticker: str
    status: str


class FeesScheduled(Happened, frozen=True):
    """Fees of a series or an event will change, or do now."""

    change_id: str
    series_ticker: str
    event_ticker: str
    at_ms: int


class FeesChanged(Happened, frozen=True):
    """Fees of a series or an event have changed."""

    change_id: str
    series_ticker: str
    event_ticker: str


class TicksRefined(Happened, frozen=True):
    """A market's price grid became finer; no order moved."""

    ticker: str
    price_structure: str
    old_finest_e4: int
    new_finest_e4: int


class ExchangeModeChanged(Happened, frozen=True):
    """The exchange takes more or less than before; `until_ms` 0 is until further notice."""

    mode: str
    until_ms: int


class RetentionSet(Happened, frozen=True):
    """Finished ids are remembered for so long from now on; 0 is for ever."""

    retention_ms: int


class IdsForgotten(Happened, frozen=True):
    """So many ids of finished orders and requests are new again."""

    count: int


class TradingHoursSet(Happened, frozen=True):
    """The trading hours were replaced."""

    weeks: int
    maintenance_windows: int


class SessionChanged(Happened, frozen=True):
    """The trading hours began, ended, or maintenance did; `opens_ms` is the next opening, 0 when none is in sight."""

    session: str
    opens_ms: int


class MarketVoided(Happened, frozen=True):
    """A market ended without an outcome; the payout is in the `MarketResolved` beside it."""

    ticker: str
    reason: str


class ResolutionDisputed(Happened, frozen=True):
    """The reviewer doubts an outcome."""

    ticker: str
    reason: str


class ResolutionReleased(Happened, frozen=True):
    """An outcome can no longer be disputed: the chain may have it."""

    ticker: str


class MarketResolved(Happened, frozen=True):
    """The outcome is decided."""

    ticker: str
    yes_payout_micros: int


class PositionPaid(Happened, frozen=True):
    """A custodial position in a resolved market was paid out."""

    account_id: str
    ticker: str
    yes_micros: int
    no_micros: int
    payout_micros: int
    remainder_e6: int


MarketEvent = (
    MarketStatusChanged
    | FeesScheduled
    | FeesChanged
    | TicksRefined
    | ExchangeModeChanged
    | RetentionSet
    | IdsForgotten
    | TradingHoursSet
    | SessionChanged
    | MarketVoided
    | ResolutionDisputed
    | ResolutionReleased
    | MarketResolved
    | PositionPaid
)
