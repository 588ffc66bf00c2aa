"""Writes down what the contract holds in each final block that the indexer reports (`offchain_book/chain_record.py`).

What may have changed is read, not everything: the pool's cash, and the tokens of markets and the balances of wallets that
commands touched since the block before, or that operations under way touch. Which those are is settled when the block is
reported, not when it is read: what is confirmed in between has landed in a later block.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from bridge.chain import Chain, Reverted, StateUnavailable
from bridge.rpc import ChainUnavailable, RpcError
from offchain_book.chain_record import POOL_HOLDER, ChainRecord
from offchain_book.engine.chain_events import ChainObserved, OperationSettled
from offchain_book.engine.commands import Sequenced
from offchain_book.engine.events import Event, Posted
from offchain_book.engine.names import token_asset
from offchain_book.engine.operations import Outcome
from offchain_book.engine.units import CASH
from offchain_book.sequencer import Sequencer

_log = logging.getLogger(__name__)
BATCH = 200
"""Most values in one request to the node."""
Key = tuple[str, str]


class Recorder:
    """Construct it on the event loop's thread before anything is reported; then supervise `run()` as one task."""

    def __init__(self, sequencer: Sequencer, chain: Chain, record: ChainRecord, first_block: int) -> None:
        self._state = sequencer.state
        self._chain = chain
        self._record = record
        self._first_block = first_block
        """The contract is not there before it."""
        self._reported = asyncio.Event()
        self._wallets = {name for name, account in self._state.accounts.items() if account.is_wallet}
        self._tickers = set(self._state.markets)
        self._due_wallets: set[str] = set()
        self._due_tickers: set[str] = set()
        """To be read in the block that was reported."""
        self._landed_in = 0
        """The newest block in which an operation was confirmed: that news may come before the block's own."""
        sequencer.subscribe(self._on_command)

    async def run(self) -> None:
        """Record every final block that is reported, until cancelled. One that cannot be read is left out."""
        while True:
            await self._reported.wait()
            self._reported.clear()
            block = self._state.final_block
            if block <= self._first_block:
                continue
            wallets, tickers = self._due_wallets, self._due_tickers
            self._due_wallets, self._due_tickers = set(), set()
            try:
                await self._look(block, wallets, tickers)
            except (ChainUnavailable, RpcError, Reverted, StateUnavailable) as error:
                self._due_wallets |= wallets
                self._due_tickers |= tickers
                _log.info("block %d was not recorded: %s", block, error)

    async def _look(self, block: int, wallets: Iterable[str], tickers: Iterable[str]) -> None:
        keys: list[Key] = [(POOL_HOLDER, CASH)]
        keys += [(POOL_HOLDER, token_asset(ticker, outcome)) for ticker in sorted(tickers) for outcome in Outcome]
        for wallet in sorted(wallets):
            assets = (
                asset for asset in self._state.accounts[wallet].balances if asset.rpartition(":")[0] in self._state.markets
            )
            keys += [(wallet, CASH), *((wallet, asset) for asset in assets if asset != CASH)]
        calls = [self._call(*key) for key in keys]
        counters, values = await asyncio.to_thread(self._read, block, calls)
        await asyncio.to_thread(self._record.add, block, counters, dict(zip(keys, values, strict=True)))

    def _read(self, block: int, calls: Sequence[tuple[str, Sequence[Any]]]) -> tuple[tuple[int, int, int], list[int]]:
        """Read one final block, in a thread."""
        head = self._chain.read_all([("nextOperation", ()), ("depositCount", ()), ("skippedOperations", ())], block)
        values: list[int] = []
        for start in range(0, len(calls), BATCH):
            values += map(int, self._chain.read_all(calls[start : start + BATCH], block))
        return (int(head[0]), int(head[1]), int(head[2])), values

    def _call(self, holder: str, asset: str) -> tuple[str, Sequence[Any]]:
        address = self._chain.address if holder == POOL_HOLDER else holder
        if asset == CASH:
            return "cashOf", (address,)
        ticker, _, outcome = asset.rpartition(":")
        return "vaultBalanceOf", (address, int(self._state.markets[ticker].token_id(Outcome[outcome])))

    def _on_command(self, entry: Sequenced, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Posted):
                self._touch(event.lines)
            elif isinstance(event, OperationSettled):
                self._landed_in = max(self._landed_in, event.block_number)
            elif isinstance(event, ChainObserved):
                self._report(event.final_block)

    def _report(self, block: int) -> None:
        """All that was touched is due; what is under way, or has landed in a later block, is due again in the next one."""
        self._touch_open()
        self._due_wallets |= self._wallets
        self._due_tickers |= self._tickers
        if self._landed_in <= block:
            self._wallets, self._tickers = set(), set()
            self._touch_open()
        self._reported.set()

    def _touch_open(self) -> None:
        self._touch(line for entry in self._state.operations.values() for line in entry.lines)

    def _touch(self, lines: Iterable[tuple[str, str, int]]) -> None:
        for account_id, asset, _ in lines:
            account = self._state.accounts.get(account_id)
            if account is not None and account.is_wallet:
                self._wallets.add(account_id)
            ticker = asset.rpartition(":")[0]
            if ticker in self._state.markets:
                self._tickers.add(ticker)
