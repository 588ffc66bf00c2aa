"""What people see of orders, trades and operations. Data only; `projections.py` makes and changes it."""

from dataclasses import dataclass, field

from offchain_book.engine import events as e
from offchain_book.engine.operations import MatchKind, Operation, Outcome, SignedOrder
from offchain_book.engine.order import BookSide, CancelReason, OrderStatus, SelfTrade, TimeInForce
from offchain_book.engine.units import PRICE_SCALE, cost_micros


@dataclass(slots=True, eq=False)
class OrderView:
    """An order's whole life, open or finished. Costs and fees are millionths of a dollar."""

    order_id: str
    client_order_id: str
    account_id: str
    ticker: str
    side: BookSide
    outcome: Outcome | None
    price_e4: int
    size_micros: int
    time_in_force: TimeInForce
    post_only: bool
    self_trade: SelfTrade
    expires_ms: int
    signed: SignedOrder | None
    seq: int
    created_ms: int
    updated_ms: int
    status: OrderStatus = OrderStatus.RESTING
    cancel_reason: CancelReason | None = None
    remaining_micros: int = 0
    filled_micros: int = 0
    taker_cost_micros: int = 0
    maker_cost_micros: int = 0
    taker_fee_micros: int = 0
    maker_fee_micros: int = 0
    matches: list[int] = field(default_factory=list)
    reduce_only: bool = False
    cancel_on_pause: bool = False
    group_id: str = ""
    session_id: str = ""
    builder: str = ""
    """The code of the app that the order came through; empty when it came directly."""
    decreased_micros: int = 0
    """What decreases and amendments took off; `size_micros` is what was filled plus what was wanted last."""

    @property
    def handed_in_by(self) -> str:
        """The wallet whose API key handed the order in for a contract wallet (ADR 0032); empty for an account's own."""
        return self.session_id if self.signed is not None and self.session_id != self.account_id else ""


@dataclass(slots=True)
class TransferView:
    """Cash that moved between two parts of an account."""

    account_id: str
    transfer_id: str
    from_subaccount: int
    to_subaccount: int
    amount_micros: int
    at_ms: int


class TradeStage:
    """How far a trade's settlement has come, in the order of a good life; RETRYING and FAILED are the bad turns."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"
    RETRYING = "RETRYING"
    FAILED = "FAILED"


@dataclass(slots=True)
class TradeView:
    """One match: the public trade and its settlement. `operation` is -1 between custodial accounts: CONFIRMED at once."""

    match_id: int
    seq: int
    ticker: str
    price_e4: int
    size_micros: int
    at_ms: int
    updated_ms: int
    taker: e.FillSide
    maker: e.FillSide
    pieces: tuple[tuple[MatchKind, int], ...]
    operation: int
    stage: str
    chain_kind: MatchKind | None = None
    batch_no: int = -1
    tx_hash: str = ""
    block_number: int = 0
    resolution: str = ""


@dataclass(slots=True)
class FillView:
    """One account's side of a match."""

    trade: TradeView
    own: e.FillSide
    other: e.FillSide
    is_taker: bool


@dataclass(slots=True)
class SettlementView:
    """A custodial position that was paid out."""

    account_id: str
    ticker: str
    yes_micros: int
    no_micros: int
    payout_micros: int
    yes_payout_micros: int
    at_ms: int


@dataclass(slots=True)
class DepositView:
    """A credited deposit."""

    deposit_index: int
    account_id: str
    asset: str
    amount_micros: int
    tx_hash: str
    block_number: int
    at_ms: int


@dataclass(slots=True)
class BatchView:
    """A settlement batch's way to the chain. Times are venue time, 0 until it has come so far."""

    batch_no: int
    first: int
    count: int
    cut_ms: int
    sent_ms: int = 0
    """When its newest transaction was handed to the node."""
    mined_ms: int = 0
    """When its transaction was first seen in a block, of the newest time that it was."""
    tx_hash: str = ""


@dataclass(slots=True)
class OperationView:
    """An operation's life: who caused it, where it landed."""

    operation: Operation
    seq: int
    at_ms: int
    stage: str
    batch_no: int = -1
    tx_hash: str = ""
    block_number: int = 0
    resolution: str = ""


def traded_micros(trade: TradeView, own: e.FillSide) -> int:
    """Return the dollars (millionths) that a side's own token changed hands for; a custodial side counts what it bought."""
    if own.outcome is None:
        return own_cost_micros(trade, own)
    return cost_micros(trade.size_micros, trade.price_e4 if own.outcome is Outcome.YES else PRICE_SCALE - trade.price_e4)


def own_cost_micros(trade: TradeView, own: e.FillSide) -> int:
    """Return what a side of a trade was worth in its own money, in millionths of a dollar."""
    return cost_micros(trade.size_micros, trade.price_e4 if own.side is BookSide.BID else PRICE_SCALE - trade.price_e4)
