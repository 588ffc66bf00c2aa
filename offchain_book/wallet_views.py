"""Read models of wallets: positions with their cost, who holds a token, what a wallet did, what it is told and has earned.

Fed by `projections.py`. Everything but notifications and earnings follows from trades, operations and postings and is made
anew from them; those two are stored (`segments.py`). A wallet's account id is its address, so it begins with 0x.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from offchain_book.engine import events as e
from offchain_book.engine.names import OUTSIDE
from offchain_book.engine.operations import Operation, VaultActionKind, WalletOperation
from offchain_book.engine.units import CASH

K = TypeVar("K")

DAY_MS = 86_400_000
MAX_NOTIFICATIONS = 200
"""Kept per wallet; the oldest go first."""
_ACTIVITIES = {VaultActionKind.SPLIT: "SPLIT", VaultActionKind.MERGE: "MERGE", VaultActionKind.REDEEM: "REDEEM"}


def is_wallet(account_id: str) -> bool:
    """Whether an account id is an address."""
    return account_id.startswith("0x")


@dataclass(slots=True)
class PositionView:
    """What a wallet has of a token in its vault balance, what it paid for it, and what it made with what is gone.

    Costs and gains are millionths of a dollar without fees. Tokens that were deposited cost nothing; withdrawn ones take
    their part of the cost along.
    """

    account_id: str
    asset: str
    size_micros: int = 0
    cost_micros: int = 0
    bought_micros: int = 0
    bought_cost_micros: int = 0
    realized_micros: int = 0
    updated_ms: int = 0

    def move(self, tokens: int, cash: int | None, at_ms: int) -> int:
        """Take in a change of tokens against cash (None: none was paid). Returns what was realized."""
        self.updated_ms = at_ms
        if tokens > 0:
            self.size_micros += tokens
            paid = -cash if cash is not None else 0
            self.cost_micros += paid
            if cash is not None:
                self.bought_micros += tokens
                self.bought_cost_micros += paid
            return 0
        cost = self.cost_micros * -tokens // self.size_micros if self.size_micros else 0
        self.size_micros += tokens
        self.cost_micros -= cost
        gain = cash - cost if cash is not None else 0
        self.realized_micros += gain
        return gain


class NotificationKind:
    """Polymarket's numbers for what a notification tells."""

    CANCELLED = 1
    FILLED = 2
    RESOLVED = 4


@dataclass(slots=True)
class NotificationView:
    """Something that happened to a wallet without its doing. `order_id` is empty when a market was resolved."""

    number: int
    kind: int
    at_ms: int
    ticker: str
    order_id: str = ""
    match_id: int = -1


@dataclass(slots=True)
class Activity:
    """One thing that a wallet did: a match (`kind` TRADE, `number` its id) or an action (`number` its operation)."""

    kind: str
    at_ms: int
    number: int


@dataclass(slots=True)
class WalletViews:
    """All read models of wallets."""

    positions: dict[str, dict[str, PositionView]] = field(default_factory=lambda: defaultdict(dict))
    """Wallet -> asset -> position."""
    holders: dict[str, dict[str, PositionView]] = field(default_factory=lambda: defaultdict(dict))
    """Asset -> wallet -> the same positions, those that are not empty."""
    traded_days: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    """Wallet -> day since 1970 -> dollars traded, in millionths."""
    realized_days: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    """Wallet -> day since 1970 -> what sales, merges and redemptions gained over their cost, in millionths."""
    activity: dict[str, list[Activity]] = field(default_factory=lambda: defaultdict(list))
    by_builder: dict[str, list[tuple[int, bool]]] = field(default_factory=lambda: defaultdict(list))
    """Builder code -> (match, whether the taker's order carried it), oldest first."""
    notifications: dict[str, list[NotificationView]] = field(default_factory=lambda: defaultdict(list))
    earnings: dict[str, dict[int, dict[str, int]]] = field(default_factory=lambda: defaultdict(dict))
    """Account -> day since 1970 -> ticker -> millionths of a dollar."""
    notified: int = 0
    """How many notifications there have ever been; their numbers."""

    def posted(self, event: e.Posted, at_ms: int) -> None:
        """Take in a posting: what moved tokens of wallets, and the cash that moved with them."""
        moved: dict[str, list[tuple[str, int]]] = {}
        for account_id, asset, amount in event.lines:
            if asset != CASH and is_wallet(account_id):
                moved.setdefault(account_id, []).append((asset, amount))
        if not moved:
            return
        paid = all(account_id != OUTSIDE for account_id, _, _ in event.lines)
        for wallet, tokens in moved.items():
            cash = sum(amount for account_id, asset, amount in event.lines if account_id == wallet and asset == CASH)
            share, odd = divmod(cash, len(tokens))
            for place, (asset, amount) in enumerate(tokens):
                self._move(wallet, asset, amount, share + (0 if place else odd) if paid else None, at_ms)

    def _move(self, wallet: str, asset: str, tokens: int, cash: int | None, at_ms: int) -> None:
        position = self.positions[wallet].get(asset)
        if position is None:
            position = self.positions[wallet][asset] = PositionView(wallet, asset)
        gain = position.move(tokens, cash, at_ms)
        if gain:
            _count(self.realized_days[wallet], at_ms // DAY_MS, gain)
        if position.size_micros:
            self.holders[asset][wallet] = position
        else:
            self.holders[asset].pop(wallet, None)

    def traded(self, match_id: int, at_ms: int, sides: Iterable[tuple[str, int, str, bool]]) -> None:
        """Take in a match: (account, dollars in millionths, builder code, is taker) of both sides."""
        for account_id, cash_micros, builder, is_taker in sides:
            if is_wallet(account_id):
                _count(self.traded_days[account_id], at_ms // DAY_MS, cash_micros)
                self.activity[account_id].append(Activity("TRADE", at_ms, match_id))
            if builder:
                self.by_builder[builder].append((match_id, is_taker))

    def queued(self, operation: Operation, at_ms: int) -> None:
        """Take in an action that waits for the chain."""
        if isinstance(operation, WalletOperation) and operation.action.kind in _ACTIVITIES:
            kind = _ACTIVITIES[operation.action.kind]
            self.activity[operation.action.wallet].append(Activity(kind, at_ms, operation.number))

    def notify(self, account_id: str, kind: int, at_ms: int, ticker: str, order_id: str = "", match_id: int = -1) -> None:
        """Tell a wallet something."""
        self.notified += 1
        rows = self.notifications[account_id]
        rows.append(NotificationView(self.notified, kind, at_ms, ticker, order_id, match_id))
        del rows[:-MAX_NOTIFICATIONS]

    def drop(self, account_id: str, numbers: tuple[int, ...]) -> None:
        """Forget notifications, all of them when none is named."""
        rows = self.notifications.get(account_id)
        if rows is not None:
            rows[:] = [row for row in rows if numbers and row.number not in numbers]

    def earned(self, event: e.RewardsEarned) -> None:
        """Count a sample's rewards to their day."""
        day = event.at_ms // DAY_MS
        for account_id, micros in event.earned:
            _count(self.earnings[account_id].setdefault(day, {}), event.ticker, micros)


def _count(sums: dict[K, int], key: K, amount: int) -> None:
    sums[key] = sums.get(key, 0) + amount
