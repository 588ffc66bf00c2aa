"""The ledger held against the chain at one final block: what must be there, worked out from the exchange's state. Pure.

For the pool, per asset, once what is in flight at that block is taken off (docs/architecture.md, "The money model"):

    pool on chain = custodial + equity (+ guarantee, suspense) + u - what the stream has not executed yet

For a wallet: its vault balance on chain = settled, plus what the stream has executed and the ledger has not confirmed.
`bridge/reserves.py` reads the chain; this module says what it should have read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from offchain_book.engine.failures import POOL, projected_pool, taken_back, vault_deltas
from offchain_book.engine.names import COLLATERAL, EQUITY, GUARANTEE, token_asset
from offchain_book.engine.operations import Outcome
from offchain_book.engine.state import State
from offchain_book.engine.units import CASH
from offchain_book.liabilities import Tree

_OWN = (EQUITY, GUARANTEE, COLLATERAL)


@dataclass(frozen=True, slots=True)
class InFlight:
    """An operation that is not final, and what it moves in vault balances: (account or POOL, asset) -> millionths."""

    number: int
    failed: bool
    deltas: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Books:
    """What the ledger said at one moment, kept while the chain is read."""

    seq: int
    next_deposit: int
    skipped: int
    confirmed: int
    """The first operation that is not confirmed; the next one's number when all are."""
    stream: tuple[InFlight, ...]
    pool: Mapping[str, int]
    """Asset -> what the pool holds once the whole stream has landed."""
    wallets: Mapping[tuple[str, str], int]
    """(wallet, asset) -> settled, for those that are looked at."""

    def expected_pool(self, asset: str, next_operation: int) -> int:
        """Return what the pool must hold in a block up to which the stream has executed to `next_operation`."""
        waiting = (one for one in self.stream if one.number >= next_operation and not one.failed)
        return self.pool[asset] - sum(one.deltas.get((POOL, asset), 0) for one in waiting)

    def expected_wallet(self, wallet: str, asset: str, next_operation: int) -> int:
        """Return what a wallet's vault must hold in that block."""
        landed = (one for one in self.stream if one.number < next_operation and not one.failed)
        return self.wallets[wallet, asset] + sum(one.deltas.get((wallet, asset), 0) for one in landed)

    def unlike(self, next_operation: int, deposits: int, skipped: int) -> str:
        """Return why this moment cannot be compared with a block that shows these counters; empty when it can.

        The ledger may know less than the block (what it shows is not reported yet) or more (a later block was final).
        """
        if deposits != self.next_deposit:
            return f"{deposits} deposits in the block, {self.next_deposit} in the ledger"
        if next_operation < self.confirmed:
            return f"the block is at operation {next_operation}, the ledger has confirmed up to {self.confirmed}"
        given_up = sum(one.failed for one in self.stream if one.number < next_operation)
        if skipped != self.skipped + given_up:
            return f"{skipped} operations are skipped in the block, the ledger knows of {self.skipped + given_up}"
        return ""


def pool_assets(state: State) -> list[str]:
    """Return every asset that the pool may hold: cash, then the tokens of markets that are not resolved on chain."""
    live = [market.ticker for market in state.markets.values() if not market.resolved_on_chain]
    return [CASH, *(token_asset(ticker, outcome) for ticker in live for outcome in Outcome)]


def read_books(state: State, assets: list[str], wallets: list[str]) -> Books:
    """Return what the ledger says now of these assets in the pool, and of everything that these wallets hold."""
    stream = tuple(InFlight(number, entry.failed, vault_deltas(state, entry)) for number, entry in state.operations.items())
    coming = taken_back(state)
    return Books(
        state.seq,
        state.next_deposit,
        state.skipped_operations,
        stream[0].number if stream else state.next_operation,
        stream,
        {asset: projected_pool(state, asset) + coming.get(asset, 0) for asset in assets},
        {
            (wallet, asset): balance.settled
            for wallet in wallets
            for asset, balance in state.accounts[wallet].balances.items()
            if asset == CASH or asset.rpartition(":")[0] in state.markets
        },
    )


def owed(state: State) -> dict[str, dict[str, int]]:
    """Return what the venue owes: asset -> account -> millionths. Every custodial account counts, cash of zero included.

    Deposits that name nobody are owed too. The venue's own money is not: it is what stands behind.
    """
    found: dict[str, dict[str, int]] = {CASH: {}}
    for account_id, account in state.accounts.items():
        if account.is_wallet or account_id in _OWN:
            continue
        found[CASH][account_id] = account.cash.total
        for asset, balance in account.balances.items():
            if asset != CASH and balance.total:
                found.setdefault(asset, {})[account_id] = balance.total
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """One asset of the pool, or of a wallet, as ledger and chain have it in one block."""

    holder: str
    asset: str
    expected_micros: int
    on_chain_micros: int
    in_flight_micros: int
    """What the stream will still change: the ledger counts it already."""
    block_number: int

    @property
    def difference_micros(self) -> int:
        """Return how much more the chain has than it should."""
        return self.on_chain_micros - self.expected_micros


@dataclass(frozen=True, slots=True)
class Collateral:
    """Every dollar in the contract against everybody's claim on it, in one block."""

    held_micros: int
    claimed_micros: int
    block_number: int


@dataclass(frozen=True, slots=True)
class Publication:
    """A statement of liabilities, and the transaction that put its root on chain (empty until it is mined)."""

    tree: Tree
    block_number: int
    at_ms: int
    tx_hash: str


@dataclass(slots=True)
class ReserveBoard:
    """What is known of the reserves now. The bridge writes it, the routes read it."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    """(holder, asset) -> its newest comparison; the pool's rows, and those of wallets that were unlike."""
    collateral: Collateral | None = None
    block_number: int = 0
    """Of the newest comparison."""
    compared_ms: int = 0
    wallets_checked: int = 0
    waiting: str = ""
    """Why the newest look could not be compared; empty when it could."""
    publication: Publication | None = None

    @property
    def differences(self) -> list[Row]:
        """Return every row in which ledger and chain disagree."""
        return [row for row in self.rows.values() if row.difference_micros]
