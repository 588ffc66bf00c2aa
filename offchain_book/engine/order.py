"""Orders as they live in a book: mutable, owned by the engine alone."""

from enum import IntEnum, StrEnum

from offchain_book.engine.operations import Outcome, SignedOrder
from offchain_book.engine.units import PRICE_SCALE, cost_micros


class BookSide(IntEnum):
    """The side of the one book, in YES prices. Buying NO at q is an ASK at 1 - q."""

    BID = 0
    ASK = 1

    @property
    def opposite(self) -> "BookSide":
        """The side this one trades with."""
        return BookSide.ASK if self is BookSide.BID else BookSide.BID


class TimeInForce(StrEnum):
    """How long an order may wait."""

    GTC = "good_till_canceled"
    IOC = "immediate_or_cancel"
    FOK = "fill_or_kill"


class SelfTrade(StrEnum):
    """Which order gives way when both belong to one beneficial owner."""

    TAKER_AT_CROSS = "taker_at_cross"
    MAKER = "maker"


class OrderStatus(StrEnum):
    """`resting` while it can trade; `executed` when filled in full; `canceled` otherwise."""

    RESTING = "resting"
    EXECUTED = "executed"
    CANCELED = "canceled"


class CancelReason(StrEnum):
    """Why the rest of an order left the book or never reached it."""

    BY_USER = "by_user"
    TIME_IN_FORCE = "time_in_force"
    SELF_TRADE = "self_trade"
    EXPIRED = "expired"
    MARKET_CLOSED = "market_closed"
    CHAIN_HALTED = "chain_halted"
    GUARANTEE_EXHAUSTED = "guarantee_exhausted"
    UNFUNDED = "unfunded"
    WALLET_EXITING = "wallet_exiting"
    AMOUNT_SPENT = "amount_spent"
    WATERMARK = "watermark"


class Order:
    """One order. `outcome` is None for custodial orders, which are netted, and the token for wallet orders.

    `previous`, `next` and `in_book` belong to `book.py`.
    """

    __slots__ = (
        "account_id",
        "budget_micros",
        "client_order_id",
        "created_ms",
        "expires_ms",
        "fee_charged_micros",
        "fee_numerator",
        "fee_price_e4",
        "filled_micros",
        "hold_micros",
        "in_book",
        "next",
        "order_id",
        "outcome",
        "owner",
        "post_only",
        "previous",
        "price_e4",
        "remaining_micros",
        "self_trade",
        "seq",
        "side",
        "signed",
        "size_micros",
        "ticker",
        "time_in_force",
    )

    def __init__(
        self,
        order_id: str,
        client_order_id: str,
        account_id: str,
        owner: str,
        ticker: str,
        side: BookSide,
        outcome: Outcome | None,
        price_e4: int,
        size_micros: int,
        time_in_force: TimeInForce,
        post_only: bool,
        self_trade: SelfTrade,
        expires_ms: int,
        budget_micros: int,
        signed: SignedOrder | None,
        seq: int,
        created_ms: int,
    ) -> None:
        self.order_id = order_id
        self.client_order_id = client_order_id
        self.account_id = account_id
        self.owner = owner
        self.ticker = ticker
        self.side = side
        self.outcome = outcome
        self.price_e4 = price_e4
        self.size_micros = size_micros
        self.remaining_micros = size_micros
        self.filled_micros = 0
        self.time_in_force = time_in_force
        self.post_only = post_only
        self.self_trade = self_trade
        self.expires_ms = expires_ms
        self.budget_micros = budget_micros
        self.signed = signed
        self.seq = seq
        self.created_ms = created_ms
        self.fee_numerator = 0
        self.fee_price_e4 = 0
        """For an order by amount: the best own price when it arrived, where a dollar would pay the highest fee."""
        self.fee_charged_micros = 0
        self.hold_micros = 0
        self.previous: Order | None = None
        self.next: Order | None = None
        self.in_book = False

    @property
    def opens(self) -> bool:
        """Whether a wallet order buys its token (it gives cash) rather than sells it."""
        return (self.outcome is Outcome.YES) is (self.side is BookSide.BID)

    @property
    def own_price_e4(self) -> int:
        """The limit in the order's own money: what a contract costs on this side of the book."""
        return self.price_e4 if self.side is BookSide.BID else PRICE_SCALE - self.price_e4

    @property
    def open_cost_micros(self) -> int:
        """What filling the rest at the limit would cost if it opened a position."""
        return cost_micros(self.remaining_micros, self.own_price_e4)
