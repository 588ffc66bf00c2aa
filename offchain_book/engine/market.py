"""What the exchange knows of series, events and markets. Data only; `state.py` says who may write it."""

from dataclasses import dataclass, field
from enum import StrEnum

from offchain_book.engine.book import Book
from offchain_book.engine.fees import CONTRACT_CAP_E4, FLAT, Schedule, schedule
from offchain_book.engine.names import collateral_account, token_assets
from offchain_book.engine.operations import Outcome
from offchain_book.engine.strikes import CollateralReturn, StrikeType


@dataclass(slots=True)
class Series:
    """A series: the fee schedule and the category of its events."""

    series_ticker: str
    title: str
    category: str
    tags: tuple[str, ...]
    frequency: str
    fee_type: str
    taker_rate_e4: int
    maker_rate_e4: int
    created_ms: int
    updated_ms: int = 0
    whole_cents: bool = False


@dataclass(slots=True)
class EventInfo:
    """An event: one question with one or more markets."""

    event_ticker: str
    series_ticker: str
    title: str
    sub_title: str
    mutually_exclusive: bool
    created_ms: int
    tickers: list[str] = field(default_factory=list)
    collateral_return: CollateralReturn = CollateralReturn.NONE
    own_fees: str = ""
    """The fee change that it goes by; empty: its series' fees."""


@dataclass(slots=True)
class FeeChange:
    """A change of a series' or an event's fees, made or still to come."""

    change_id: str
    series_ticker: str
    event_ticker: str
    fee_type: str
    taker_rate_e4: int
    maker_rate_e4: int
    at_ms: int
    made: bool = False
    whole_cents: bool = False


class MarketStatus(StrEnum):
    """A market's place in its life: the words are Kalshi's. `lifecycle.py` and `resolution.py` move it along."""

    INITIALIZED = "initialized"
    ACTIVE = "active"
    INACTIVE = "inactive"
    CLOSED = "closed"
    DETERMINED = "determined"
    DISPUTED = "disputed"
    AMENDED = "amended"
    FINALIZED = "finalized"


@dataclass(slots=True)
class Market:
    """A market, its book, and what the custody pool holds of its tokens on chain once everything in flight has landed.

    `unsplit_micros` (`custody:unsplit`) is u of docs/architecture.md: pool YES = custodial YES - u, pool NO = custodial NO - u.
    """

    ticker: str
    event_ticker: str
    series_ticker: str
    title: str
    question_id: str
    condition_id: str
    yes_token_id: str
    no_token_id: str
    open_ms: int
    close_ms: int
    yes_sub_title: str
    no_sub_title: str
    rules: str
    market_type: str
    price_structure: str
    price_ranges: tuple[tuple[int, int, int], ...]
    created_ms: int
    updated_ms: int
    book: Book
    taker_rate_e4: int
    maker_rate_e4: int
    status: MarketStatus = MarketStatus.ACTIVE
    custodial_yes_micros: int = 0
    custodial_no_micros: int = 0
    unsplit_micros: int = 0
    yes_supply_micros: int = 0
    """Sets in existence: equals NO supply and locked collateral until resolution."""
    volume_micros: int = 0
    last_price_e4: int = 0
    previous_price_e4: int = 0
    yes_payout_micros: int = -1
    resolved_on_chain: bool = False
    resolution_source: str = ""
    resolved_ms: int = 0
    changed_ms: int = 0
    """When anything but trading last changed it; 0 is not since it was created."""
    settlement_timer_s: int = 0
    settles_ms: int = 0
    """A decided outcome may be disputed before this instant and goes to the chain from then on."""
    expected_expiration_ms: int = 0
    latest_expiration_ms: int = 0
    can_close_early: bool = True
    early_close_condition: str = ""
    voided: bool = False
    open_operations: int = 0
    """Fills and pool operations on this market that are not final; resolution on chain waits for them."""
    strike_type: StrikeType = StrikeType.NONE
    floor_strike_e6: int | None = None
    cap_strike_e6: int | None = None
    functional_strike: str = ""
    custom_strike: tuple[tuple[str, str], ...] = ()
    flat_fees: bool = False
    whole_cents: bool = False
    fees: Schedule = field(init=False)
    """Made of the rates and the two choices above; never stored."""
    ledger_names: tuple[str, str, str] = field(init=False)
    """Of the account that holds the collateral, of YES and of NO; never stored."""

    def __post_init__(self) -> None:
        """Make the schedule, and the names."""
        self.fees = self.schedule()
        self.ledger_names = self.names()

    def names(self) -> tuple[str, str, str]:
        """Return what the ledger calls the collateral's account, YES and NO."""
        return collateral_account(self.ticker), *token_assets(self.ticker)

    def schedule(self) -> Schedule:
        """Return what trading here costs."""
        return schedule(self.taker_rate_e4, self.maker_rate_e4, self.flat_fees, self.whole_cents)

    def charge(self, source: "Series | FeeChange") -> None:
        """Have the fees of a series or of a change from now on."""
        self.taker_rate_e4, self.maker_rate_e4 = source.taker_rate_e4, source.maker_rate_e4
        self.flat_fees, self.whole_cents = source.fee_type == FLAT, source.whole_cents
        self.fees = self.schedule()

    @property
    def pool_yes_micros(self) -> int:
        """YES tokens that the pool holds on chain once the stream has landed."""
        return self.custodial_yes_micros - self.unsplit_micros

    @property
    def pool_no_micros(self) -> int:
        """NO tokens that the pool holds on chain once the stream has landed."""
        return self.custodial_no_micros - self.unsplit_micros

    @property
    def max_rate_e4(self) -> int:
        """The highest rate of price times complement that a fill may pay, which a signature has to allow."""
        return max(self.taker_cap_e4, self.maker_cap_e4)

    @property
    def taker_cap_e4(self) -> int:
        """The rate of price times complement that a taker's fee never exceeds."""
        return CONTRACT_CAP_E4 if self.flat_fees and self.taker_rate_e4 else self.taker_rate_e4

    @property
    def maker_cap_e4(self) -> int:
        """The same for a maker's; below zero is a rebate."""
        return CONTRACT_CAP_E4 if self.flat_fees and self.maker_rate_e4 > 0 else self.maker_rate_e4

    @property
    def undecided(self) -> bool:
        """Whether nobody has said how it ends."""
        return self.yes_payout_micros < 0

    def token_id(self, outcome: Outcome) -> str:
        """Return an outcome's token id as a decimal string."""
        return self.yes_token_id if outcome is Outcome.YES else self.no_token_id

    def tick_at(self, price_e4: int) -> int:
        """Return the step that applies at a price."""
        for start, end, step in self.price_ranges:
            if start <= price_e4 <= end:
                return step
        return self.price_ranges[-1][2]

    @property
    def finest_tick_e4(self) -> int:
        """The smallest step anywhere on the grid."""
        return min(step for _, _, step in self.price_ranges)


@dataclass(slots=True)
class RewardProgram:
    """What a market pays for resting liquidity; `rewards.py` has the rule."""

    ticker: str
    daily_micros: int
    min_size_micros: int
    max_spread_e4: int
    start_ms: int
    end_ms: int
