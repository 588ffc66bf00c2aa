"""Resolution on chain: once per market, after the market's last fill is final, by two keys.

The oracle reports what the engine has decided, the reviewer confirms it; the contract takes it once. What happened is read
back from the chain by the indexer, never assumed here, so a crash at any point is answered by looking again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from bridge.chain import Chain, Reverted, StateUnavailable
from bridge.rpc import ChainUnavailable, RpcError
from offchain_book.engine import commands as c
from offchain_book.engine.chain_events import OperationSettled
from offchain_book.engine.events import Event
from offchain_book.engine.market import Market
from offchain_book.engine.market_events import ResolutionReleased
from offchain_book.engine.resolution import is_released
from offchain_book.sequencer import Sequencer

_log = logging.getLogger(__name__)
LOOK_AGAIN_S = 2
"""Pause before the chain is looked at again: it may have refused, not answered, or forgotten in a reorg."""


class Oracle:
    """Carries decided markets to the chain."""

    def __init__(self, sequencer: Sequencer, chain: Chain, oracle_key: str, reviewer_key: str) -> None:
        self._sequencer = sequencer
        self._chain = chain
        self._oracle_key = oracle_key
        self._reviewer_key = reviewer_key
        self._wake = asyncio.Event()
        self._wake.set()
        sequencer.subscribe(self._on_events)

    def _on_events(self, entry: c.Sequenced, events: Sequence[Event]) -> None:
        if any(isinstance(event, ResolutionReleased | OperationSettled) for event in events):
            self._wake.set()

    def _due(self) -> list[Market]:
        """Return markets whose outcome stands, that are not resolved on chain, and have nothing in flight."""
        state = self._sequencer.state
        return [
            market
            for market in state.markets.values()
            if is_released(state, market) and not market.resolved_on_chain and not market.open_operations
        ]

    async def run(self) -> None:
        """Resolve what is due, whenever something may have become due."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S if self._due() else None):
                    await self._wake.wait()
            self._wake.clear()
            for market in self._due():
                try:
                    await asyncio.to_thread(self._resolve, market)
                except (ChainUnavailable, StateUnavailable, RpcError, Reverted) as error:
                    _log.warning("%s is not resolved on chain yet: %s", market.ticker, error)

    def _resolve(self, market: Market) -> None:
        """Report and confirm, each only if the contract does not have it yet."""
        state = condition_state(self._chain, market.condition_id)
        if state == OPEN:
            self._send(self._oracle_key, "report", market)
            state = condition_state(self._chain, market.condition_id)
        if state == REPORTED:
            self._send(self._reviewer_key, "confirm", market)

    def _send(self, key: str, function: str, market: Market) -> None:
        calldata = self._chain.encode(function, [_bytes32(market.condition_id), market.yes_payout_micros])
        self._chain.transact(key, self._chain.address, calldata)


OPEN, REPORTED, RESOLVED = 1, 2, 3
"""`conditionOf(...).state`, as in contracts/interfaces/IMarkets.sol."""


def condition_state(chain: Chain, condition_id: str) -> int:
    """Return where a condition stands at the head."""
    return int(chain.read("conditionOf", [_bytes32(condition_id)])[0])


def _bytes32(text: str) -> bytes:
    return bytes.fromhex(text[2:])
