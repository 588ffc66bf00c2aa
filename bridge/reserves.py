"""Reserves: the ledger against the chain, all the time; a freeze when they differ; what is owed, published.

Every few seconds one look at the newest final block: the pool's cash, a slice of its tokens, a slice of the wallets. A
difference that is seen in several blocks running freezes the exchange (`Freeze`): trading and everything that leaves the pool
stop until an operator has found out why. At longer intervals, everything at once in one block, every dollar in the contract
against every claim on it, and a Merkle-sum tree of what custodial accounts are owed, whose root goes on chain.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.chain import Abi, Chain, Reverted, StateUnavailable
from bridge.rpc import ChainUnavailable, RpcError
from offchain_book.engine.market import Market
from offchain_book.engine.operations import Outcome
from offchain_book.engine.policy_commands import Freeze
from offchain_book.engine.units import CASH
from offchain_book.liabilities import Tree
from offchain_book.reserves import (
    Books,
    Collateral,
    Publication,
    ReserveBoard,
    Row,
    owed,
    pool_assets,
    read_books,
)
from offchain_book.sequencer import Sequencer, Unavailable

_log = logging.getLogger(__name__)
LOOK_S = 2
"""Pause between two looks."""
SLICE = 64
"""Most assets, and most wallets, of one look; the next look goes on where it ended."""
LOOKS_BEFORE_FREEZE = 3
"""A difference counts when as many final blocks in a row show the same one."""
PUBLISH_S = 600
"""How often what is owed is published."""
POOL_NAME = "pool"

Publish = Callable[[str, int], Awaitable[str]]
"""Puts a root (64 hexadecimal digits) and the total cash owed on chain; returns the mined transaction's hash."""
Save = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class _View:
    """One final block, as far as it was asked for."""

    block_number: int
    next_operation: int
    deposits: int
    skipped: int
    held: dict[tuple[str, str], int]
    backing: int
    """Collateral behind all conditions; with `collateral` only in a full look."""
    collateral: int


class Reserves:
    """Construct it on the event loop's thread; then supervise `run()` as one task."""

    def __init__(
        self,
        sequencer: Sequencer,
        chain: Chain,
        collateral: tuple[str, Abi],
        first_block: int,
        final_block: Callable[[], int],
        board: ReserveBoard,
        secret: bytes,
        publish: Publish,
        save: Save,
    ) -> None:
        self._sequencer = sequencer
        self._state = sequencer.state
        self._chain = chain
        self._collateral = collateral
        self._first_block = first_block
        """The contract is not there before it."""
        self._final_block = final_block
        self._board = board
        self._secret = secret
        self._publish = publish
        self._save = save
        self._suspected: dict[tuple[str, str], tuple[int, int, int]] = {}
        """(holder, asset) -> (difference, newest block, how many blocks in a row)."""
        self._next_asset = 0
        self._next_wallet = 0
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Look and publish until cancelled."""
        clock = asyncio.get_running_loop().time
        due = 0.0
        while True:
            try:
                if self._final_block() <= self._first_block:
                    self._board.waiting = "nothing is final yet"
                elif clock() >= due:
                    await self.publish()
                    due = clock() + PUBLISH_S
                else:
                    await self.look()
            except (ChainUnavailable, RpcError, Reverted, StateUnavailable, Unavailable) as error:
                self._board.waiting = str(error)
                _log.info("the reserves could not be looked at: %s", error)
            await asyncio.sleep(LOOK_S)

    async def look(self) -> bool:
        """Compare the next slice in the newest final block. Returns whether it could be compared."""
        async with self._lock:
            return await self._compare(*self._slice(), full=False)

    async def look_at_all(self) -> bool:
        """Compare everything in the newest final block, and the contract's dollars against everybody's claims."""
        async with self._lock:
            wallets = [name for name, account in self._state.accounts.items() if account.is_wallet]
            return await self._compare(pool_assets(self._state), wallets, full=True)

    async def publish(self) -> Publication:
        """Compare everything, then put the root of what is owed now on chain. Raises what the chain raises."""
        await self.look_at_all()
        seq, rows = self._state.seq, owed(self._state)
        tree = await asyncio.to_thread(Tree, seq, rows, self._secret)
        block, at_ms = self._final_block(), self._sequencer.clock_ms()
        tx_hash = await self._publish(tree.statement.root, tree.statement.of(CASH).total_micros)
        self._board.publication = Publication(tree, block, at_ms, tx_hash)
        self._save({"seq": seq, "owed": rows, "block_number": block, "at_ms": at_ms, "tx_hash": tx_hash})
        return self._board.publication

    def restore(self, saved: dict[str, Any]) -> None:
        """Show a statement that was published before a restart."""
        tree = Tree(saved["seq"], saved["owed"], self._secret)
        self._board.publication = Publication(tree, saved["block_number"], saved["at_ms"], saved["tx_hash"])

    # --- one look ------------------------------------------------------------------------------------------------------

    def _slice(self) -> tuple[list[str], list[str]]:
        assets = pool_assets(self._state)[1:]
        wallets = [name for name, account in self._state.accounts.items() if account.is_wallet]
        chosen = [CASH, *_turn(assets, self._next_asset)], _turn(wallets, self._next_wallet)
        self._next_asset = (self._next_asset + SLICE) % max(1, len(assets))
        self._next_wallet = (self._next_wallet + SLICE) % max(1, len(wallets))
        return chosen

    async def _compare(self, assets: list[str], wallets: list[str], full: bool) -> bool:
        books = read_books(self._state, assets, wallets)
        markets = list(self._state.markets.values()) if full else None
        tokens = {asset: self._token_id(asset) for asset in {*assets, *(asset for _, asset in books.wallets)} - {CASH}}
        view = await asyncio.to_thread(self._read, self._final_block(), books, tokens, markets)
        board = self._board
        board.waiting = books.unlike(view.next_operation, view.deposits, view.skipped)
        if board.waiting:
            return False
        board.block_number, board.compared_ms = view.block_number, self._sequencer.clock_ms()
        board.wallets_checked = len(wallets)
        rows = [self._pool_row(books, view, asset) for asset in assets]
        rows += [self._wallet_row(books, view, wallet, asset) for wallet, asset in books.wallets]
        for row in rows:
            await self._judge(row)
        live = {(POOL_NAME, asset) for asset in pool_assets(self._state)}
        board.rows = {key: row for key, row in board.rows.items() if key in live or key[0] != POOL_NAME}
        if full:
            wallets_cash = sum(row.on_chain_micros for row in rows if row.holder != POOL_NAME and row.asset == CASH)
            claimed = wallets_cash + view.held[POOL_NAME, CASH] + view.backing
            board.collateral = Collateral(view.collateral, claimed, view.block_number)
            if view.collateral < claimed:
                await self._freeze(f"the contract holds {view.collateral} dollars (millionths), {claimed} are claimed")
        return True

    def _token_id(self, asset: str) -> str:
        ticker, _, outcome = asset.rpartition(":")
        return self._state.markets[ticker].token_id(Outcome[outcome])

    def _read(self, block: int, books: Books, tokens: dict[str, str], markets: Sequence[Market] | None) -> _View:
        """Read one final block, in a thread; with all markets also the dollars of the whole contract."""
        keys = [(POOL_NAME, asset) for asset in books.pool] + list(books.wallets)
        calls: list[tuple[str, Sequence[Any]]] = [("nextOperation", ()), ("depositCount", ()), ("skippedOperations", ())]
        for holder, asset in keys:
            address = self._chain.address if holder == POOL_NAME else holder
            calls.append(("cashOf", (address,)) if asset == CASH else ("vaultBalanceOf", (address, int(tokens[asset]))))
        calls += [("conditionOf", (bytes.fromhex(market.condition_id[2:]),)) for market in markets or ()]
        next_operation, deposits, skipped, *rest = self._chain.read_all(calls, block)
        held = 0
        if markets is not None:
            address, abi = self._collateral
            held = int(self._chain.read("balanceOf", (self._chain.address,), block, to=address, abi=abi))
        backing = sum(int(row[1]) for row in rest[len(keys) :])
        found = dict(zip(keys, map(int, rest[: len(keys)]), strict=True))
        return _View(block, int(next_operation), int(deposits), int(skipped), found, backing, held)

    def _pool_row(self, books: Books, view: _View, asset: str) -> Row:
        expected = books.expected_pool(asset, view.next_operation)
        in_flight = books.pool[asset] - expected
        return Row(POOL_NAME, asset, expected, view.held[POOL_NAME, asset], in_flight, view.block_number)

    def _wallet_row(self, books: Books, view: _View, wallet: str, asset: str) -> Row:
        expected = books.expected_wallet(wallet, asset, view.next_operation)
        return Row(wallet, asset, expected, view.held[wallet, asset], 0, view.block_number)

    async def _judge(self, row: Row) -> None:
        """Keep a row; freeze when the same difference has stood long enough.

        A wallet with more on chain than in the ledger is shown and logged, and endangers nobody else: no wallet may stop the
        exchange by what its own code does.
        """
        key = (row.holder, row.asset)
        if row.holder == POOL_NAME or row.difference_micros:
            self._board.rows[key] = row
        else:
            self._board.rows.pop(key, None)
        if not row.difference_micros:
            self._suspected.pop(key, None)
            return
        difference, block, looks = self._suspected.get(key, (0, 0, 0))
        if difference != row.difference_micros:
            looks = 0
        if row.block_number > block:
            looks += 1
        self._suspected[key] = (row.difference_micros, row.block_number, looks)
        _log.error(
            "%s %s: chain %d, ledger %d in block %d", *key, row.on_chain_micros, row.expected_micros, row.block_number
        )
        if looks >= LOOKS_BEFORE_FREEZE and (row.holder == POOL_NAME or row.difference_micros < 0):
            await self._freeze(
                f"{row.holder} {row.asset}: the chain has {row.on_chain_micros}, the ledger {row.expected_micros} (millionths), "
                f"block {row.block_number}"
            )

    async def _freeze(self, reason: str) -> None:
        if self._state.frozen:
            return
        _log.critical("frozen: %s", reason)
        await self._sequencer.submit(Freeze(f"reserves: {reason}", pauses=True))


def _turn(names: list[str], start: int) -> list[str]:
    """Return the next SLICE names, going round."""
    return (names + names)[start : start + min(SLICE, len(names))]
