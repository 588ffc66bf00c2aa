"""What the exchange knows of one account. Data only; `state.py` says who may write it."""

from collections import deque
from dataclasses import dataclass, field

from offchain_book.engine.commands import Custody, KeyKind
from offchain_book.engine.market import Market
from offchain_book.engine.order import Order
from offchain_book.engine.strikes import CollateralReturn
from offchain_book.engine.units import CASH


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

    `yes` and `no` are the account's balances, and never stored.
    """

    __slots__ = ("ask_cost", "ask_size", "bid_cost", "bid_size", "hold", "no", "yes")

    def __init__(self, yes: Balance, no: Balance) -> None:
        self.yes = yes
        self.no = no
        self.bid_cost = 0
        self.bid_size = 0
        self.ask_cost = 0
        self.ask_size = 0
        self.hold = 0


@dataclass(slots=True)
class Advance:
    """What collateral return has paid an account in one event and is owed there (`collateral.py`)."""

    kind: CollateralReturn
    markets: dict[str, Market]
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
        "plain",
        "position_limits",
        "subaccounts",
        "suspended",
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
        self.suspended = ""
        """Why an operator has stopped its trading; empty when nobody has."""
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
        self.plain = False
        """Whether its orders may go the straight way; follows from the rest (`plain.py`), and is never stored."""
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
