"""What the exchange knows. Data only: the rules that change it are in `exchange.py` and the modules it calls.

Gateways and the bridge read it freely (one thread, between commands) and never write.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from sortedcontainers import SortedList

from offchain_book.engine.book import Book
from offchain_book.engine.commands import BatchStage, Custody, KeyKind, Withdraw
from offchain_book.engine.fees import CONTRACT_CAP_E4, FLAT, Schedule, schedule
from offchain_book.engine.market_commands import ExchangeMode, TradingHours
from offchain_book.engine.operations import NO, YES, Operation, Outcome
from offchain_book.engine.order import Order
from offchain_book.engine.strikes import CollateralReturn, StrikeType
from offchain_book.engine.units import CASH

EQUITY = "venue:equity"
"""Fees, remainders and the venue's own money, in the pool."""
GUARANTEE = "venue:guarantee"
"""Takes a wallet's place when its leg of a fill does not settle."""
SUSPENSE = "venue:suspense"
"""Deposits into the pool that name no account."""
COLLATERAL = "venue:collateral"
"""Pays the advances of collateral return; what is in it is the most that they can come to."""
OUTSIDE = "chain:outside"
"""The contra account of deposits and withdrawals; its balance is minus what came in."""
VENUE_ACCOUNTS = (EQUITY, GUARANTEE, SUSPENSE)


@lru_cache(maxsize=65_536)
def token_asset(ticker: str, outcome: Outcome) -> str:
    """Return the ledger's name of an outcome token."""
    return f"{ticker}:{outcome.name}"


@lru_cache(maxsize=65_536)
def token_assets(ticker: str) -> tuple[str, str]:
    """Return the ledger's names of a market's YES and NO."""
    return token_asset(ticker, YES), token_asset(ticker, NO)


@lru_cache(maxsize=65_536)
def collateral_account(ticker: str) -> str:
    """Return the account that holds a market's collateral and has issued its tokens."""
    return f"market:{ticker}"


def owed_account(account_id: str, event_ticker: str) -> str:
    """Return the contra account of what an account owes for advances in an event."""
    return f"owed:{account_id}:{event_ticker}"


def subaccount_id(account_id: str, number: int) -> str:
    """Return the account id of a numbered part of an account; 0 is the account itself."""
    return f"{account_id}/{number}" if number else account_id


class Balance:
    """One account's amount of one asset, in millionths.

    `total` counts every fill at once; `held` secures open orders and actions; `pending_in` and `pending_out` are the parts
    of `total` that fills moved and that are not final on chain.
    """

    __slots__ = ("held", "pending_in", "pending_out", "total")

    def __init__(self) -> None:
        self.total = 0
        self.held = 0
        self.pending_in = 0
        self.pending_out = 0

    @property
    def available(self) -> int:
        """What new orders may use: total minus held."""
        return self.total - self.held

    @property
    def pending(self) -> int:
        """The net part of `total` that is not final yet."""
        return self.pending_in - self.pending_out

    @property
    def settled(self) -> int:
        """`total` minus `pending`: for a wallet, its vault balance in the newest final block."""
        return self.total - self.pending_in + self.pending_out

    @property
    def withdrawable(self) -> int:
        """What may leave: available, without anything that still has to arrive."""
        return max(0, self.total - self.held - self.pending_in)


class Exposure:
    """A custodial account's open orders in one market, summed, for its worst-case hold (see `risk.py`).

    `yes` and `no` are shortcuts to the account's balances, made when they are needed and never stored.
    """

    __slots__ = ("ask_cost", "ask_size", "bid_cost", "bid_size", "hold", "no", "yes")

    def __init__(self) -> None:
        self.bid_cost = 0
        self.bid_size = 0
        self.ask_cost = 0
        self.ask_size = 0
        self.hold = 0
        self.yes: Balance | None = None
        self.no: Balance | None = None


@dataclass(slots=True)
class Advance:
    """What collateral return has paid an account in one event and is owed there (`collateral.py`)."""

    kind: CollateralReturn
    markets: dict[str, "Market"]
    """All of the event."""
    micros: int = 0
    hold: int = 0
    """Held beside the open orders' own holds, because fills could leave the advance uncovered, or have."""


@dataclass(slots=True)
class OrderGroup:
    """Orders of one account that share a limit on what may match in a rolling window (see `groups.py`)."""

    group_id: str
    limit_micros: int
    triggered: bool = False
    matched_micros: int = 0
    """The sum of `window`."""
    window: deque[tuple[int, int]] = field(default_factory=deque)
    """(venue time, millionths matched), oldest first."""
    orders: dict[str, Order] = field(default_factory=dict)
    """Those that rest."""


@dataclass(slots=True)
class Outflow:
    """What has left the pool in a rolling window."""

    sum_micros: int = 0
    window: deque[tuple[int, int]] = field(default_factory=deque)
    """(venue time, millionths), oldest first."""


@dataclass(frozen=True, slots=True)
class WithdrawalPolicy:
    """What may leave the pool (see `policy.py`); fields as in `SetWithdrawalPolicy`."""

    cooling_off_ms: int
    window_ms: int
    account_cap_micros: int
    venue_cap_micros: int
    approval_above_micros: int
    approvals: int
    approvers: tuple[str, ...]


@dataclass(slots=True)
class WaitingWithdrawal:
    """A withdrawal that waits for approvers."""

    withdrawal: Withdraw
    since_ms: int
    approvers: list[str] = field(default_factory=list)


class Account:
    """An account of either custody. `owner` is the beneficial owner: linked accounts and subaccounts share it.

    A subaccount is an account of its own with a `parent`; its id is the parent's with a slash and its number.
    """

    __slots__ = (
        "account_id",
        "advances",
        "balances",
        "cancel_before_ms",
        "cash",
        "claims",
        "client_order_ids",
        "collateral_return",
        "custody",
        "dead_men",
        "deliver_free",
        "deliver_to",
        "destinations",
        "exit_at_s",
        "exposure_cap_micros",
        "exposures",
        "groups",
        "is_wallet",
        "min_nonce",
        "name",
        "netting",
        "number",
        "open_orders",
        "outflow",
        "owner",
        "owner_exposure_cap_micros",
        "owner_position_limits",
        "parent",
        "position_limits",
        "subaccounts",
        "wallet",
    )

    def __init__(self, account_id: str, custody: Custody, name: str) -> None:
        self.account_id = account_id
        self.custody = custody
        self.is_wallet = custody is Custody.WALLET
        """Whether this account trades from an on-chain vault balance."""
        self.name = name
        self.owner = account_id
        self.wallet = account_id if custody is Custody.WALLET else ""
        self.deliver_to = ""
        """Linked wallet that receives every custodial fill, or empty."""
        self.destinations: dict[str, int] = {}
        """Custodial: address -> venue time from which on money may be sent there."""
        self.outflow = Outflow()
        self.deliver_free = False
        """A wallet's choice: bought tokens arrive in its free half."""
        self.exit_at_s = 0
        self.min_nonce = 0
        self.cancel_before_ms = 0
        self.cash = Balance()
        self.balances: dict[str, Balance] = {CASH: self.cash}
        self.exposures: dict[str, Exposure] = {}
        self.open_orders: dict[str, Order] = {}
        self.client_order_ids: dict[str, str] = {}
        self.claims: dict[str, str] = {}
        """A wallet's places in the contract's fill state -> the order that uses each (see `claims.py`)."""
        self.groups: dict[str, OrderGroup] = {}
        self.dead_men: dict[str, int] = {}
        """Session ("" is the whole account) -> deadline of its dead-man timer."""
        self.parent = ""
        self.number = 0
        self.subaccounts: list[int] = []
        self.netting = True
        """Custodial: YES and NO of a market cancel out. When off, both may be held side by side."""
        self.collateral_return = False
        """Custodial, and while it nets: what positions in an event pay at least is advanced."""
        self.advances: dict[str, Advance] = {}
        """Event ticker -> what is advanced there; only where something is."""
        self.position_limits: dict[str, int] = {}
        """Ticker ("" is every market) -> most contracts of either side, open orders included."""
        self.exposure_cap_micros: int | None = None
        self.owner_position_limits: dict[str, int] = {}
        """The same for all accounts of the beneficial owner together; on the account that is the owner."""
        self.owner_exposure_cap_micros: int | None = None

    def balance(self, asset: str) -> Balance:
        """Return the balance of an asset, creating an empty one."""
        found = self.balances.get(asset)
        if found is None:
            found = self.balances[asset] = Balance()
        return found


@dataclass(slots=True)
class ApiKey:
    """An API key's public half."""

    key_id: str
    account_id: str
    kind: KeyKind
    public_key_pem: str
    name: str
    scopes: tuple[str, ...]
    nonce: int
    created_ms: int


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


class Due(StrEnum):
    """What the clock may have to do at an instant; `agenda.py` does it. Equal instants go in this alphabet's order."""

    FEES = "fees"
    FORGET = "forget"
    HOURS = "hours"
    MODE = "mode"
    OPEN = "open"
    RELEASE = "release"
    VOID = "void"


class Session(StrEnum):
    """Where the trading hours stand."""

    OPEN = "open"
    CLOSED = "closed"
    MAINTENANCE = "maintenance"


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

    def __post_init__(self) -> None:
        """Make the schedule."""
        self.fees = self.schedule()

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


@dataclass(slots=True)
class Credit:
    """One posting line that an operation caused; pending until the operation is final."""

    account_id: str
    asset: str
    amount_micros: int


@dataclass(slots=True)
class OpenOperation:
    """An operation that is not final, with what to undo or release.

    `failed` means that the ledger has already treated it as never executed; the chain will skip its number.
    """

    operation: Operation
    lines: tuple[tuple[str, str, int], ...]
    """Its postings, contra accounts included."""
    credits: tuple[Credit, ...]
    """Those of real accounts: pending until final."""
    guarantee_micros: int
    failed: bool = False
    voided: bool = False
    """It had failed when it was cut, and was packed with a deadline in the past: the contract cannot execute it."""


@dataclass(slots=True)
class Batch:
    """A settlement batch: consecutive operations in one transaction."""

    batch_no: int
    first: int
    count: int
    payload_hash: str
    stage: BatchStage
    tx_hash: str = ""
    block_number: int = 0


@dataclass(slots=True)
class State:
    """The whole exchange. `apply` in `exchange.py` is the only writer."""

    settle_deadline_s: int
    signed_not_before_ms: int = 0
    """The contract refuses V2 orders signed before this time."""
    seq: int = 0
    wake_ms: int = 0
    """Before this instant the clock has nothing to do; a lower bound, so that most commands need one comparison."""
    now_ms: int = 0
    accounts: dict[str, Account] = field(default_factory=dict)
    contra: dict[str, dict[str, int]] = field(default_factory=dict)
    """Balances of the contra accounts (`chain:outside`, `market:...`), which may be negative."""
    keys: dict[str, ApiKey] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    events: dict[str, EventInfo] = field(default_factory=dict)
    markets: dict[str, Market] = field(default_factory=dict)
    tokens: dict[str, tuple[str, Outcome]] = field(default_factory=dict)
    """Token id (decimal) -> (ticker, outcome)."""
    conditions: dict[str, str] = field(default_factory=dict)
    """Condition id -> ticker."""
    orders: dict[str, Order] = field(default_factory=dict)
    """Open orders only; finished ones live in the projections."""
    expiries: "SortedList[tuple[int, str]]" = field(default_factory=SortedList)
    """(expiry in ms, order id) of open orders that expire."""
    dead_men: "SortedList[tuple[int, str, str]]" = field(default_factory=SortedList)
    """(deadline in ms, account id, session id) of armed dead-man timers."""
    closings: "SortedList[tuple[int, str]]" = field(default_factory=SortedList)
    """(close in ms, ticker) of markets that still trade."""
    reward_programs: dict[str, RewardProgram] = field(default_factory=dict)
    """Ticker -> its programme, also when it has not begun or has ended."""
    next_sample_ms: int = 0
    """When the books with a programme are sampled next."""
    agenda: "SortedList[tuple[int, Due, str]]" = field(default_factory=SortedList)
    """(instant in ms, what, whose) of everything else that time does."""
    fee_changes: dict[str, FeeChange] = field(default_factory=dict)
    """Every change ever announced, in that order."""
    mode: ExchangeMode = ExchangeMode.OPEN
    mode_until_ms: int = 0
    hours: TradingHours = field(default_factory=TradingHours)
    session: Session = Session.OPEN
    restricted: bool = False
    """Whether mode or session restrict anything; one look instead of two for every command."""
    finished_order_ids: set[str] = field(default_factory=set)
    """Never forgotten: of orders that wallets signed, and of all that finished without a retention."""
    references: set[str] = field(default_factory=set)
    """Never forgotten: actions and their nonces, exits, and all that were used without a retention."""
    retention_ms: int = 0
    """How long ids are remembered at least (`memory.py`); 0 is for ever."""
    forget_ms: int = 0
    """When the older generation goes."""
    recent_order_ids: set[str] = field(default_factory=set)
    earlier_order_ids: set[str] = field(default_factory=set)
    recent_references: set[str] = field(default_factory=set)
    earlier_references: set[str] = field(default_factory=set)
    next_match: int = 0
    next_operation: int = 0
    next_batch: int = 0
    next_deposit: int = 0
    operations: dict[int, OpenOperation] = field(default_factory=dict)
    """Not final yet, in stream order."""
    uncut: int = 0
    """The first operation that is in no batch."""
    batches: dict[int, Batch] = field(default_factory=dict)
    """Not confirmed yet."""
    withdrawal_policy: WithdrawalPolicy | None = None
    """None: anything may leave at once."""
    waiting_withdrawals: dict[str, WaitingWithdrawal] = field(default_factory=dict)
    outflow: Outflow = field(default_factory=Outflow)
    """Of all accounts together, as far as the policy's window reaches."""
    frozen: str = ""
    """Why trading and everything that leaves the pool have stopped; empty when they have not."""
    pool_cash_micros: int = 0
    """The pool's cash on chain once the stream has landed."""
    final_block: int = 0
    final_time_s: int = 0
    final_hash: str = ""
    """Of `final_block`; empty in journals that are older than this field."""
    chain_halted: bool = False
    confirmed_operations: int = 0
    skipped_operations: int = 0
    ghost_fills: int = 0
    guaranteed_fills: int = 0
    pool_outflow_limit_micros: int = 0
    """What the contract lets the pool send per window; 0 in journals that do not say (see `outflow.py`)."""
    pool_outflow_window_s: int = 0
    pool_outflow_open_micros: int = 0
    """Queued and not final."""
    pool_outflow_landed: dict[int, int] = field(default_factory=dict)
    """Block number -> what was sent in it, until a final block as new as that is known."""
    pool_outflow_level_micros: int = 0
    pool_outflow_at_s: int = 0
    """Chain time at which the level was that."""

    def wake_at(self, at_ms: int) -> None:
        """Note that the clock has something to do at this instant."""
        self.wake_ms = min(self.wake_ms, at_ms)

    def put_on_agenda(self, at_ms: int, due: Due, name: str = "") -> None:
        """Have the clock do something at an instant."""
        self.agenda.add((at_ms, due, name))
        self.wake_at(at_ms)
