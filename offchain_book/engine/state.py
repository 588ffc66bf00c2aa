"""What the exchange knows. Data only: the rules that change it are in `exchange.py` and the modules it calls.

Gateways and the bridge read it freely (one thread, between commands) and never write.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from sortedcontainers import SortedList

from offchain_book.engine.account import Account, ApiKey, Outflow
from offchain_book.engine.chain_commands import BatchStage
from offchain_book.engine.commands import Withdraw
from offchain_book.engine.market import EventInfo, FeeChange, Market, RewardProgram, Series
from offchain_book.engine.market_commands import ExchangeMode, TradingHours
from offchain_book.engine.operations import Operation, Outcome
from offchain_book.engine.order import Order


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


CONTRACT_VERSION = 2
"""The newest (see `State.contract_version`)."""


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
    """Of orders that wallets signed, as long as they could come again, and of all that finished without a retention."""
    references: set[str] = field(default_factory=set)
    """Of actions, as long as they could come again; for ever their nonces, exits, and all that were used without a retention."""
    retention_ms: int = 0
    """How long ids are remembered at least (`memory.py`); 0 is for ever."""
    forget_ms: int = 0
    """When the older generation goes."""
    forgets_signed: bool = False
    """Whether the retention is for what wallets signed, too."""
    signed_from_ms: int = 0
    """V2 orders signed before this are refused, so nothing of them need be remembered. Never falls."""
    passing: dict[int, list[str]] = field(default_factory=dict)
    """Epoch (`claims.EPOCH_BITS`) -> ids of signed orders and actions that nobody can bring again once it is over."""
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
    contract_version: int = 1
    """What the contract can do: since 2 fills count in the pool's outflow and wallets take back by signature; 1 in journals
    that do not say."""
    pool_outflow_limit_micros: int = 0
    """What the contract lets the pool send, and lose by fills, per window; 0 in journals that do not say (see `outflow.py`)."""
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
