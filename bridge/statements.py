"""Statements of liabilities on their way to the chain: transactions of their own, in the settlement lane's order of nonces.

Nothing depends on one: it is mined or it is not, and a later one takes its place. So, unlike a batch, one that a restart
forgot is not asked for again; its signed bytes are in the store and its nonce is tended like every other.
"""

import asyncio
from dataclasses import dataclass

from bridge.attempts import Attempts
from bridge.chain import Block, Chain
from bridge.lane import Lane

GAS = 120_000


@dataclass(frozen=True, slots=True)
class _Statement:
    calldata: bytes
    mined: "asyncio.Future[str]"


class Statements:
    """What waits to be mined. `put` and `landed` on the event loop's thread, `work` in a worker thread."""

    def __init__(self, chain: Chain, attempts: Attempts, lane: Lane) -> None:
        self._chain = chain
        self._attempts = attempts
        self._lane = lane
        self._waiting: dict[str, _Statement] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, root: str, total_micros: int) -> "asyncio.Future[str]":
        """Ask for a statement. The future gives the hash of its mined transaction; the same root asked for twice is one."""
        purpose = f"liabilities:{root}"
        if purpose not in self._waiting:
            calldata = self._chain.encode("publishLiabilities", [bytes.fromhex(root), total_micros])
            self._waiting[purpose] = _Statement(calldata, asyncio.get_running_loop().create_future())
        return self._waiting[purpose].mined

    def work(self, head: Block, mined_nonce: int) -> dict[str, str]:
        """Sign what is not signed; return the hashes of what is mined, by purpose."""
        done: dict[str, str] = {}
        for purpose, statement in list(self._waiting.items()):
            attempts = self._attempts.of(purpose)
            receipts = self._chain.outcomes([attempt.tx_hash for attempt in attempts])
            found = next((receipt for receipt in receipts if receipt is not None and receipt.succeeded), None)
            if found is not None:
                done[purpose] = found.tx_hash
            elif not any(attempt.nonce >= mined_nonce for attempt in attempts):
                self._lane.sign(purpose, self._chain.address, statement.calldata, GAS, head, mined_nonce)
        return done

    def landed(self, done: dict[str, str]) -> None:
        """Tell whoever waits."""
        for purpose, tx_hash in done.items():
            mined = self._waiting.pop(purpose).mined
            if not mined.done():
                mined.set_result(tx_hash)
