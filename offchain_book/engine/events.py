"""Everything that did happen. Past participles; immutable.

Every event is caused by the command whose `Sequenced` envelope the sequencer publishes beside it.
"""

from enum import StrEnum

from offchain_book.engine.chain_events import ChainEvent
from offchain_book.engine.happened import Details, Happened
from offchain_book.engine.market_events import MarketEvent
from offchain_book.engine.operations import COMPLEMENTARY, MERGE, MINT, MatchKind, Outcome
from offchain_book.engine.order import EXECUTED, RESTING, BookSide, CancelReason, OrderStatus
from offchain_book.engine.policy_events import PolicyEvent
from offchain_book.engine.rejects import RejectCode


class Rejected(Happened, frozen=True):
    """The command changed nothing."""

    code: RejectCode
    details: Details


class AccountOpened(Happened, frozen=True):
    """An account exists."""

    account_id: str


class KeyRegistered(Happened, frozen=True):
    """An API key works from now on."""

    account_id: str
    key_id: str


class KeyRevoked(Happened, frozen=True):
    """An API key stopped working."""

    account_id: str
    key_id: str


class SeriesCreated(Happened, frozen=True):
    """A series exists."""

    series_ticker: str


class EventCreated(Happened, frozen=True):
    """An event exists."""

    event_ticker: str


class MarketCreated(Happened, frozen=True):
    """A market exists and may trade between its open and close times."""

    ticker: str


class OrderAccepted(Happened, frozen=True):
    """An order passed every check; its holds are in place. Reduce-only may have capped `size_micros`."""

    order_id: str
    account_id: str
    ticker: str
    size_micros: int


class OrderRested(Happened, frozen=True):
    """What is left of an order waits in the book."""

    order_id: str
    ticker: str
    side: BookSide
    price_e4: int
    remaining_micros: int


class OrderCancelled(Happened, frozen=True):
    """The rest of an order is gone; `reduced_micros` of it were still open."""

    order_id: str
    account_id: str
    ticker: str
    side: BookSide
    price_e4: int
    reduced_micros: int
    reason: CancelReason
    was_resting: bool


class OrderDecreased(Happened, frozen=True):
    """An order shrank in place by `reduced_micros`; `remaining_micros` still rest where they rested."""

    order_id: str
    account_id: str
    ticker: str
    side: BookSide
    price_e4: int
    reduced_micros: int
    remaining_micros: int


class OrderAmended(Happened, frozen=True):
    """An order was changed. Without `kept_place` all that rested has left the book, and what follows says what became of it.

    `rested_micros` at `old_price_e4` is what rested before; `remaining_micros` at `price_e4` is what is wanted now.
    """

    order_id: str
    account_id: str
    ticker: str
    side: BookSide
    old_price_e4: int
    rested_micros: int
    price_e4: int
    remaining_micros: int
    size_micros: int
    expires_ms: int
    client_order_id: str
    kept_place: bool


class GroupChange(StrEnum):
    """What happened to an order group."""

    CREATED = "created"
    LIMIT_UPDATED = "limit_updated"
    TRIGGERED = "triggered"
    RESET = "reset"
    DELETED = "deleted"


class OrderGroupChanged(Happened, frozen=True):
    """An order group was created, changed, triggered, reset or deleted."""

    group_id: str
    account_id: str
    change: GroupChange
    limit_micros: int


class DeadManArmed(Happened, frozen=True):
    """A dead-man timer runs."""

    account_id: str
    session_id: str
    deadline_ms: int


class DeadManDisarmed(Happened, frozen=True):
    """A dead-man timer was stopped."""

    account_id: str
    session_id: str


class DeadManFired(Happened, frozen=True):
    """A dead-man timer ran out; what it guarded is cancelled."""

    account_id: str
    session_id: str


class SessionEnded(Happened, frozen=True):
    """A connection's orders are gone."""

    account_id: str
    session_id: str


class SubaccountOpened(Happened, frozen=True):
    """A part of a custodial account exists; its own account id is `subaccount_id`."""

    account_id: str
    number: int
    subaccount_id: str


class CashTransferred(Happened, frozen=True):
    """Cash moved between two parts of one account."""

    account_id: str
    transfer_id: str
    from_subaccount: int
    to_subaccount: int
    amount_micros: int


class NettingSet(Happened, frozen=True):
    """An account nets YES against NO, or not."""

    account_id: str
    enabled: bool


class CollateralReturnSet(Happened, frozen=True):
    """An account is advanced what its positions in an event pay at least, or not."""

    account_id: str
    enabled: bool


class CollateralMoved(Happened, frozen=True):
    """An advance was paid (above zero) or repaid (below zero); `advanced_micros` of the event are out now."""

    account_id: str
    event_ticker: str
    amount_micros: int
    advanced_micros: int


class PositionLimitSet(Happened, frozen=True):
    """An account's bound in one market (or, with an empty ticker, in each) changed; None means no bound."""

    account_id: str
    ticker: str
    limit_micros: int | None
    whole_owner: bool = False


class ExposureCapSet(Happened, frozen=True):
    """An account's bound over all markets changed; None means no bound."""

    account_id: str
    cap_micros: int | None
    whole_owner: bool = False


class FillSide(Happened, frozen=True):
    """One account's side of a match. `close_micros` reduced a position of the other outcome or sold a token."""

    order_id: str
    account_id: str
    side: BookSide
    outcome: Outcome | None
    close_micros: int
    open_micros: int
    fee_micros: int
    remaining_micros: int

    @property
    def status(self) -> OrderStatus:
        """What has become of the order."""
        return RESTING if self.remaining_micros else EXECUTED


class Matched(Happened, frozen=True):
    """Two orders met. `operation` is -1 when no wallet took part; then `postings.py` says what the match posted."""

    match_id: int
    ticker: str
    price_e4: int
    size_micros: int
    taker: FillSide
    maker: FillSide
    operation: int
    at_ms: int

    @property
    def pieces(self) -> tuple[tuple[MatchKind, int], ...]:
        """The ledger's kinds with their sizes: a match is cut where a custodial side crosses its zero position."""
        closed, also_closed = self.taker.close_micros, self.maker.close_micros
        pieces = (
            (MERGE, min(closed, also_closed)),
            (COMPLEMENTARY, abs(closed - also_closed)),
            (MINT, min(self.taker.open_micros, self.maker.open_micros)),
        )
        return tuple(piece for piece in pieces if piece[1])


class Posted(Happened, frozen=True):
    """One double-entry posting: (account, asset, signed millionths); sums to zero per asset."""

    reference: str
    lines: tuple[tuple[str, str, int], ...]


class WithdrawalRequested(Happened, frozen=True):
    """Cash or tokens left the account and wait for the chain."""

    reference: str
    account_id: str
    asset: str
    amount_micros: int
    to: str
    operation: int


class ActionAccepted(Happened, frozen=True):
    """A vault action is held in the ledger and queued."""

    action_id: str
    wallet: str
    operation: int


class AccountLinked(Happened, frozen=True):
    """A custodial account and a wallet are one beneficial owner."""

    account_id: str
    wallet: str
    deliver: bool


class RewardProgramSet(Happened, frozen=True):
    """A market's reward programme began, changed or ended."""

    ticker: str


class RewardsEarned(Happened, frozen=True):
    """What the minute's sample of a market's book earned: (account, millionths of a dollar)."""

    ticker: str
    at_ms: int
    earned: tuple[tuple[str, int], ...]


class NotificationsDropped(Happened, frozen=True):
    """A wallet has read these notifications; none named means all."""

    account_id: str
    numbers: tuple[int, ...]


Event = (
    Rejected
    | AccountOpened
    | KeyRegistered
    | KeyRevoked
    | SeriesCreated
    | EventCreated
    | MarketCreated
    | OrderAccepted
    | OrderRested
    | OrderCancelled
    | OrderDecreased
    | OrderAmended
    | OrderGroupChanged
    | DeadManArmed
    | DeadManDisarmed
    | DeadManFired
    | SessionEnded
    | SubaccountOpened
    | CashTransferred
    | NettingSet
    | CollateralReturnSet
    | CollateralMoved
    | PositionLimitSet
    | ExposureCapSet
    | Matched
    | Posted
    | WithdrawalRequested
    | ActionAccepted
    | AccountLinked
    | RewardProgramSet
    | RewardsEarned
    | NotificationsDropped
    | ChainEvent
    | MarketEvent
    | PolicyEvent
)
