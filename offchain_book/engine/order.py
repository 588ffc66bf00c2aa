"""Orders as they live in a book: mutable, owned by the engine alone."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from offchain_book.engine.operations import YES, Outcome, SignedOrder
from offchain_book.engine.units import PRICE_SCALE, cost_micros

if TYPE_CHECKING:
    from offchain_book.engine.account import Account
    from offchain_book.engine.book import Level


class BookSide(IntEnum):
    """The side of the one book, in YES prices. Buying NO at q is an ASK at 1 - q."""

    BID = 0
    ASK = 1

    @property
    def opposite(self) -> "BookSide":
        """The side this one trades with."""
        return ASK if self is BID else BID


BID: Final = BookSide.BID
"""A name of a module costs a twentieth of `BookSide.BID` in CPython 3.11, where the latter runs code of `enum`."""
ASK: Final = BookSide.ASK


class TimeInForce(StrEnum):
    """How long an order may wait."""

    GTC = "good_till_canceled"
    IOC = "immediate_or_cancel"
    FOK = "fill_or_kill"


GTC: Final = TimeInForce.GTC
FOK: Final = TimeInForce.FOK


class SelfTrade(StrEnum):
    """Which order gives way when both belong to one beneficial owner."""

    TAKER_AT_CROSS = "taker_at_cross"
    MAKER = "maker"


class OrderStatus(StrEnum):
    """`resting` while it can trade; `executed` when filled in full; `canceled` otherwise."""

    RESTING = "resting"
    EXECUTED = "executed"
    CANCELED = "canceled"


RESTING: Final = OrderStatus.RESTING
EXECUTED: Final = OrderStatus.EXECUTED


class CancelReason(StrEnum):
    """Why the rest of an order left the book or never reached it."""

    BY_USER = "by_user"
    TIME_IN_FORCE = "time_in_force"
    SELF_TRADE = "self_trade"
    EXPIRED = "expired"
    MARKET_CLOSED = "market_closed"
    CHAIN_HALTED = "chain_halted"
    GUARANTEE_EXHAUSTED = "guarantee_exhausted"
    OUTFLOW_LIMIT = "outflow_limit"
    UNFUNDED = "unfunded"
    WALLET_EXITING = "wallet_exiting"
    AMOUNT_SPENT = "amount_spent"
    MAX_COST = "max_cost"
    GROUP_TRIGGERED = "group_triggered"
    GROUP_DELETED = "group_deleted"
    DEAD_MAN = "dead_man"
    SESSION_ENDED = "session_ended"
    WATERMARK = "watermark"
    PAUSED = "paused"
    RESUMED = "resumed"
    FEES_CHANGED = "fees_changed"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order asks for and never changes. Most orders share one (`shared_terms`), so it costs them a reference."""

    outcome: Outcome | None = None
    """None for custodial orders, which are netted; the token of a wallet's order."""
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    cancel_on_pause: bool = False
    by_amount: bool = False
    """The budget is what the order is for: spending it fills the order. Otherwise it is a maximum cost."""
    self_trade: SelfTrade = SelfTrade.TAKER_AT_CROSS
    group_id: str = ""
    session_id: str = ""
    signed: SignedOrder | None = None
    fee_price_e4: int = 0
    """With a budget: the best own price when the order arrived, where a dollar would pay the highest fee."""


shared_terms = lru_cache(maxsize=4_096)(Terms)
"""Make terms, or find equal ones. Not for signed orders, whose terms are their own."""


class Extra(Struct, gc=False):
    """What most resting orders lack: an end, a budget, fees so far. An order that lacks them all has none of these."""

    expires_ms: int = 0
    """0 is never."""
    budget_micros: int = 0
    """What may still be spent; 0 is no bound, below zero is nothing."""
    fee_numerator: int = 0
    fee_charged_micros: int = 0


class Order(Struct, eq=False):
    """One order while it is open. What it was before that and became after is in the projections.

    Its market, side and price are those of the `level` at which it rests or would rest. `previous` and `next` belong to
    `book.py`. Fields are few on purpose: a venue holds millions of these. A struct, because one is made for every order
    that arrives.
    """

    order_id: str
    account: "Account"
    level: "Level"
    remaining_micros: int
    terms: Terms
    extra: Extra | None = None
    filled_micros: int = 0
    hold_micros: int = 0
    previous: "Order | None" = None
    next: "Order | None" = None

    @property
    def ticker(self) -> str:
        """The market."""
        return self.level.ticker

    @property
    def side(self) -> BookSide:
        """The side of the book."""
        return self.level.side

    @property
    def price_e4(self) -> int:
        """The limit, as a YES price."""
        return self.level.price_e4

    @property
    def expires_ms(self) -> int:
        """When the order leaves the book; 0 is never."""
        return self.extra.expires_ms if self.extra is not None else 0

    @property
    def budget_micros(self) -> int:
        """What may still be spent; 0 is no bound, below zero is nothing."""
        return self.extra.budget_micros if self.extra is not None else 0

    @property
    def fees_so_far(self) -> tuple[int, int]:
        """The exact fee of all fills (times 10^12), and what was charged for them (in millionths)."""
        extra = self.extra
        return (0, 0) if extra is None else (extra.fee_numerator, extra.fee_charged_micros)

    def own_extra(self) -> Extra:
        """Return `extra` for a change, making it first where there is none."""
        if self.extra is None:
            self.extra = Extra()
        return self.extra

    @property
    def account_id(self) -> str:
        """Whose order it is."""
        return self.account.account_id

    @property
    def in_book(self) -> bool:
        """Whether it rests: it leads its level or stands behind another."""
        return self.previous is not None or self.level.head is self

    @property
    def outcome(self) -> Outcome | None:
        """The token of a wallet's order; None for custodial orders."""
        return self.terms.outcome

    @property
    def signed(self) -> SignedOrder | None:
        """What a wallet signed."""
        return self.terms.signed

    @property
    def size_micros(self) -> int:
        """What was filled and what is still wanted."""
        return self.filled_micros + self.remaining_micros

    @property
    def opens(self) -> bool:
        """Whether a wallet order buys its token (it gives cash) rather than sells it."""
        return (self.terms.outcome is YES) is (self.side is BID)

    @property
    def own_price_e4(self) -> int:
        """The limit in the order's own money: what a contract costs on this side of the book."""
        return self.price_e4 if self.side is BID else PRICE_SCALE - self.price_e4

    @property
    def open_cost_micros(self) -> int:
        """What filling the rest at the limit would cost if it opened a position."""
        return cost_micros(self.remaining_micros, self.own_price_e4)


# msgspec looks at every assignment to a field, for the sake of structs that the collector may skip. No order is one of them
# (each refers to an account), and a plain assignment costs a quarter.
Order.__setattr__ = object.__setattr__  # type: ignore[method-assign]
Order.__delattr__ = object.__delattr__  # type: ignore[method-assign]
