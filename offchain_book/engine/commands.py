"""Everything that may happen to the exchange. Imperatives; immutable; the journal stores exactly these.

Time, ids and randomness arrive inside the `Sequenced` envelope or the command itself. Chain facts are commands too, so a
replay needs no node. Fields added later get defaults, so that an old journal replays after an upgrade.
"""

from enum import StrEnum

from msgspec import Struct

from offchain_book.engine.chain_commands import ChainCommand
from offchain_book.engine.market_commands import MarketCommand
from offchain_book.engine.operations import Outcome, SignedOrder, VaultAction
from offchain_book.engine.order import BookSide, SelfTrade, TimeInForce
from offchain_book.engine.policy_commands import PolicyCommand
from offchain_book.engine.strikes import CollateralReturn, StrikeType


class Custody(StrEnum):
    """Who holds the keys."""

    CUSTODIAL = "custodial"
    WALLET = "wallet"


class KeyKind(StrEnum):
    """The dialect that an API key belongs to."""

    KALSHI = "kalshi"
    POLYMARKET = "polymarket"


class OpenAccount(Struct, frozen=True):
    """Open an account. A wallet's account id is its lower-case address."""

    account_id: str
    custody: Custody
    name: str = ""


class RegisterKey(Struct, frozen=True):
    """Give an account an API key. Only public material is stored."""

    account_id: str
    key_id: str
    kind: KeyKind
    public_key_pem: str = ""
    name: str = ""
    scopes: tuple[str, ...] = ("read", "write")
    nonce: int = 0


class RevokeKey(Struct, frozen=True):
    """Make an API key useless."""

    account_id: str
    key_id: str


class CreateSeries(Struct, frozen=True):
    """Create a series. Rates are ten-thousandths: 700 is 0.07 of price times complement, with `fee_type` flat $0.07 a contract.

    `whole_cents`: what custodial accounts pay for an order is rounded to cents (`fees.py`).
    """

    series_ticker: str
    title: str
    category: str = "Other"
    tags: tuple[str, ...] = ()
    frequency: str = "custom"
    fee_type: str = "quadratic"
    taker_rate_e4: int = 0
    maker_rate_e4: int = 0
    whole_cents: bool = False


class CreateEvent(Struct, frozen=True):
    """Create an event in a series. `collateral_return` is what its markets imply about each other; results must keep to it."""

    event_ticker: str
    series_ticker: str
    title: str
    sub_title: str = ""
    mutually_exclusive: bool = False
    collateral_return: CollateralReturn = CollateralReturn.NONE


class CreateMarket(Struct, frozen=True):
    """Create a market whose condition is already prepared on chain. `price_ranges` are (start, end, step) in e4.

    An outcome can be disputed for `settlement_timer_s` after it is decided. A market that nobody has decided by
    `latest_expiration_ms` is void (0: it waits for ever).
    """

    ticker: str
    event_ticker: str
    title: str
    question_id: str
    condition_id: str
    yes_token_id: str
    no_token_id: str
    open_ms: int
    close_ms: int
    yes_sub_title: str = ""
    no_sub_title: str = ""
    rules: str = ""
    market_type: str = "binary"
    price_structure: str = "linear_cent"
    price_ranges: tuple[tuple[int, int, int], ...] = ((100, 9_900, 100),)
    strike_type: StrikeType = StrikeType.NONE
    floor_strike_e6: int | None = None
    cap_strike_e6: int | None = None
    functional_strike: str = ""
    custom_strike: tuple[tuple[str, str], ...] = ()
    settlement_timer_s: int = 0
    expected_expiration_ms: int = 0
    latest_expiration_ms: int = 0
    can_close_early: bool = True
    early_close_condition: str = ""


class OrderCommand(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What nearly every record of a journal is: it is written without the fields at their defaults, which never change."""


class PlaceOrder(OrderCommand, frozen=True):
    """Place an order. `outcome` is the wallet order's token; None for custodial orders.

    `builder` is the code of the app that the order came through, when what was signed does not carry one itself.
    `price_e4` is the YES price. `budget_micros` > 0 makes it an order by amount: it spends at most that (whole lots).
    `max_cost_micros` > 0 bounds what an IOC or FOK order may spend, fees apart. `reduce_only` caps the order at the
    position that it closes. `session_id` names the connection whose end cancels the order, or the wallet that hands it in for a
    contract wallet. `to_the_last`: a fill-or-kill order by amount is filled also when its last cent buys the last order of the
    book, as every one is today; journals from before that rule do not say so.
    """

    order_id: str
    account_id: str
    ticker: str
    side: BookSide
    price_e4: int
    size_micros: int
    client_order_id: str = ""
    outcome: Outcome | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    self_trade: SelfTrade = SelfTrade.TAKER_AT_CROSS
    expires_ms: int = 0
    budget_micros: int = 0
    signed: SignedOrder | None = None
    reduce_only: bool = False
    max_cost_micros: int = 0
    cancel_on_pause: bool = False
    group_id: str = ""
    session_id: str = ""
    builder: str = ""
    to_the_last: bool = False


class CancelOrder(OrderCommand, frozen=True):
    """Take the rest of one order out of the book."""

    account_id: str
    order_id: str


class CancelOrders(OrderCommand, frozen=True):
    """Take every open order of an account out, or those of one market, one group, one session; oldest first.

    `limit` bounds how many go (0: all of them).
    """

    account_id: str
    ticker: str = ""
    limit: int = 0
    group_id: str = ""
    session_id: str = ""


class DecreaseOrder(OrderCommand, frozen=True):
    """Shrink an open order; it keeps its place. Exactly one of both sizes; nothing left means a cancel."""

    account_id: str
    order_id: str
    reduce_by_micros: int | None = None
    reduce_to_micros: int | None = None


class AmendOrder(OrderCommand, frozen=True):
    """Change an open order. Absent values stay; `size_micros` is the total: what is filled plus the wanted rest.

    A new price or a larger rest costs the place in the queue and matches like a new arrival. `expires_ms` 0 removes the
    expiry. All values are absolute, so a repeated command changes nothing more.
    """

    account_id: str
    order_id: str
    price_e4: int | None = None
    size_micros: int | None = None
    expires_ms: int | None = None
    client_order_id: str = ""


class CreateOrderGroup(Struct, frozen=True):
    """Create an order group: at most `limit_micros` contracts of it may match in any 15 seconds of venue time."""

    account_id: str
    group_id: str
    limit_micros: int


class SetOrderGroupLimit(Struct, frozen=True):
    """Change a group's limit; triggers the group when what has matched reaches it already."""

    account_id: str
    group_id: str
    limit_micros: int


class TriggerOrderGroup(Struct, frozen=True):
    """Cancel a group's orders and refuse new ones until it is reset."""

    account_id: str
    group_id: str


class ResetOrderGroup(Struct, frozen=True):
    """Start a group's count again; it takes orders from now on."""

    account_id: str
    group_id: str


class DeleteOrderGroup(Struct, frozen=True):
    """Cancel a group's orders and forget it."""

    account_id: str
    group_id: str


class ArmDeadMan(Struct, frozen=True):
    """Cancel a session's orders at `deadline_ms` (with no session: all of the account) unless armed again before."""

    account_id: str
    deadline_ms: int
    session_id: str = ""


class DisarmDeadMan(Struct, frozen=True):
    """Stop a dead-man timer."""

    account_id: str
    session_id: str = ""


class EndSession(Struct, frozen=True):
    """A connection with cancel-on-disconnect has ended: its orders and its timer go."""

    account_id: str
    session_id: str


class OpenSubaccount(Struct, frozen=True):
    """Open a numbered part of a custodial account; `number` 0 takes the next one."""

    account_id: str
    number: int = 0


class TransferCash(Struct, frozen=True):
    """Move cash between an account's own parts (0 is the account itself). Takes effect once per `transfer_id`."""

    account_id: str
    transfer_id: str
    from_subaccount: int
    to_subaccount: int
    amount_micros: int


class SetNetting(Struct, frozen=True):
    """Choose whether a custodial account (or subaccount) nets YES against NO, or may hold both side by side."""

    account_id: str
    enabled: bool


class SetCollateralReturn(Struct, frozen=True):
    """Choose whether a custodial account (or subaccount) is advanced what its positions in an event pay at least."""

    account_id: str
    enabled: bool


class SetPositionLimit(Struct, frozen=True):
    """Bound an account's position in a market (`ticker` empty: in each market), open orders included; None lifts it.

    `whole_owner` bounds all accounts of the beneficial owner together: subaccounts and the linked wallet too.
    """

    account_id: str
    limit_micros: int | None
    ticker: str = ""
    whole_owner: bool = False


class SetExposureCap(Struct, frozen=True):
    """Bound the sum of worst-case positions over all markets, of an account or of its owner; None lifts it."""

    account_id: str
    cap_micros: int | None
    whole_owner: bool = False


class Withdraw(Struct, frozen=True):
    """A custodial account sends cash (`outcome` None) or tokens (tokenize) from the pool to an address."""

    reference: str
    account_id: str
    amount_micros: int
    to: str
    ticker: str = ""
    outcome: Outcome | None = None


class SubmitAction(Struct, frozen=True):
    """A wallet's signed vault action, verified by the gateway, held until final."""

    action_id: str
    action: VaultAction


class LinkAccount(Struct, frozen=True):
    """Link a custodial account with a wallet (both proved ownership); `deliver` sends every fill to that wallet."""

    account_id: str
    wallet: str
    deliver: bool


class SetRewardProgram(Struct, frozen=True):
    """Reward liquidity in a market: `daily_micros` a day, shared by score (`rewards.py`); 0 ends it.

    An order counts with at least `min_size_micros` open, closer than `max_spread_e4` to the middle.
    """

    ticker: str
    daily_micros: int
    min_size_micros: int
    max_spread_e4: int
    start_ms: int
    end_ms: int


class DropNotifications(Struct, frozen=True):
    """A wallet has read these notifications (with none named: all of them)."""

    account_id: str
    numbers: tuple[int, ...] = ()


class CloseMarket(Struct, frozen=True):
    """Stop trading in a market for good; its resting orders are cancelled."""

    ticker: str


class ResolveMarket(Struct, frozen=True):
    """Decide a market: YES pays `yes_payout_micros` of a dollar, NO the rest."""

    ticker: str
    yes_payout_micros: int
    source: str = ""


class ResolveEvent(Struct, frozen=True):
    """Decide every open market of an event by the value that its strikes are about, in millionths."""

    event_ticker: str
    value_e6: int
    source: str = ""


Command = (
    OpenAccount
    | RegisterKey
    | RevokeKey
    | CreateSeries
    | CreateEvent
    | CreateMarket
    | PlaceOrder
    | CancelOrder
    | CancelOrders
    | DecreaseOrder
    | AmendOrder
    | CreateOrderGroup
    | SetOrderGroupLimit
    | TriggerOrderGroup
    | ResetOrderGroup
    | DeleteOrderGroup
    | ArmDeadMan
    | DisarmDeadMan
    | EndSession
    | OpenSubaccount
    | TransferCash
    | SetNetting
    | SetCollateralReturn
    | SetPositionLimit
    | SetExposureCap
    | Withdraw
    | SubmitAction
    | LinkAccount
    | SetRewardProgram
    | DropNotifications
    | CloseMarket
    | ResolveMarket
    | ResolveEvent
    | ChainCommand
    | MarketCommand
    | PolicyCommand
)


class Sequenced(Struct, frozen=True):
    """A command with its place in the journal: number, venue time, and the request that caused it."""

    seq: int
    at_ms: int
    request_id: str
    command: Command
