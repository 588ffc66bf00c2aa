"""The settlement lane: cut batches, send them in stream order, watch them until a final block shows them executed.

The intent (`CutBatch`) is in the journal before anything is signed, signed bytes are stored before they are broadcast
(`lane.py`), and a batch is confirmed only when a final block's own state agrees with the events: not when a receipt was
seen. The contract executes a batch only when its first number is the next one, so a batch that is sent twice or early
does nothing, and every doubt is answered by sending again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bridge.attempts import Attempt, Attempts
from bridge.chain import Block, Chain, StateUnavailable, TransactionReceipt
from bridge.gas import fitting, gas_for, most_gas
from bridge.heads import HeadWatch
from bridge.lane import LOOKS_BEFORE_HALT, FeePolicy, ForeignTransaction, Lane, now_ms
from bridge.logs import OPERATION_EVENTS
from bridge.proof import Claim, Contradiction, Doubtful, Proof, prove
from bridge.rpc import ChainUnavailable, RpcError
from bridge.second_node import NodesDisagree, SecondNode
from bridge.settlement import as_packed, payload_hash, settle_batch_calldata
from bridge.statements import Statements
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.chain_events import OperationQueued, OperationSettled
from offchain_book.engine.events import Event
from offchain_book.engine.operations import Operation
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import Batch, OpenOperation
from offchain_book.sequencer import Overloaded, Sequencer, crash_point

_log = logging.getLogger(__name__)

Finality = Callable[[], int]
"""Number of the newest block that counts as final, e.g. min(head - confirmations, newest saved block). Called in a
worker thread; may block on IO and raise ChainUnavailable; below zero when no block is final yet."""

MAX_IN_FLIGHT = 8
"""Most batches that are cut and not final."""
POLL_MS = 200
"""How often the chain is looked at while a batch is in flight."""
MAX_BACKOFF_MS = 5_000
"""Longest wait after a failed look at the chain."""
ALARM_BACKOFF_MS = 1_000
"""A chain that has not answered usefully for so long is worth an alarm."""
MAX_RETRY_MS = 60_000
"""Longest wait before a batch that reverted is sent again."""
SEARCH_BLOCKS = 1_000
"""Blocks per request when a batch's transaction is searched by its events."""


class SubmitterHalted(Exception):
    """The lane cannot go on without a person; the message says why. Nothing was lost."""


def purpose_of(batch_no: int) -> str:
    """Return the name under which a batch's attempts are stored."""
    return f"batch:{batch_no}"


@dataclass(slots=True)
class _Flight:
    """A batch between cut and confirmed, with all transactions that may have executed it."""

    batch_no: int
    first: int
    count: int
    attempts: list[Attempt] = field(default_factory=list)
    foreign_hash: str = ""
    receipt: TransactionReceipt | None = None
    """Of the transaction that executed it."""
    missing: list[Attempt] = field(default_factory=list)
    """Attempts whose nonces are used up without a receipt of any of theirs."""
    retries: int = 0
    retry_at_ms: int = 0

    @property
    def end(self) -> int:
        """The number after its last operation."""
        return self.first + self.count

    @property
    def hashes(self) -> list[str]:
        """All transactions that may have executed it."""
        return [attempt.tx_hash for attempt in self.attempts] + ([self.foreign_hash] if self.foreign_hash else [])


@dataclass(frozen=True, slots=True)
class _View:
    """One look at the chain."""

    head: Block
    nonce: int
    next_operation: int
    final_block: int


class Submitter:
    """Construct it on the event loop's thread; then supervise `run()` as one task.

    `chain` must be bound to the venue contract. `operator_key` (0x hex) signs nothing but what this object sends:
    another user of that key looks like a thief and halts the lane.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        chain: Chain,
        attempts: Attempts,
        operator_key: str,
        batch_operations: int,
        batch_ms: int,
        finality: Finality,
        fees: FeePolicy | None = None,
        poll_ms: int = POLL_MS,
        second: SecondNode | None = None,
    ) -> None:
        self.lane = Lane(chain, attempts, operator_key, fees or FeePolicy())
        self.statements = Statements(chain, attempts, self.lane)
        self.failure: BaseException | None = None
        """Why `run` ended, if it did."""
        self._sequencer = sequencer
        self._state = sequencer.state
        self._chain = chain
        self._attempts = attempts
        self._batch_operations = batch_operations
        self._batch_ms = batch_ms
        self._finality = finality
        self._poll_ms = poll_ms
        self._second = second
        self._flights: dict[int, _Flight] = {}
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._flush_to = 0
        self._uncut_since_ms = -1
        self._heads = HeadWatch()
        self._reverting = ""
        self._unanswered = ""
        self._doubts = 0
        sequencer.subscribe(self._on_events)

    @property
    def alarm(self) -> str:
        """What needs a person now; empty when nothing does."""
        return str(self.failure) if self.failure else self.lane.alarm or self._reverting or self._unanswered

    def _on_events(self, entry: c.Sequenced, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, OperationQueued):
                waiting = self._state.next_operation - self._state.uncut
                if self._uncut_since_ms < 0 or waiting >= self._batch_operations:
                    self._wake.set()
            elif isinstance(event, OperationSettled):
                self._settled.set()

    # --- the task ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Resume every unconfirmed batch, then work until cancelled. Raises SubmitterHalted, and bugs."""
        try:
            await asyncio.to_thread(self._attempts.claim, f"{self._chain.chain_id}:{self._chain.address}")
            await self._work()
        except (ForeignTransaction, Contradiction) as error:
            self.failure = SubmitterHalted(str(error))
            raise self.failure from error
        except asyncio.CancelledError:
            self.failure = SubmitterHalted("the submitter was stopped")
            raise
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self._settled.set()

    async def _work(self) -> None:
        backoff_ms = 0
        while True:
            self._wake.clear()
            try:
                wait_ms = await self._step()
                backoff_ms, self._unanswered = 0, ""
                if self._second:
                    self._second.went_on("submitter")
            except (ChainUnavailable, StateUnavailable, RpcError, Overloaded) as error:
                backoff_ms = min(max(self._poll_ms, backoff_ms * 2), MAX_BACKOFF_MS)
                if backoff_ms >= ALARM_BACKOFF_MS or isinstance(error, NodesDisagree):
                    self._unanswered = f"settlement waits: {error}"
                wait_ms = backoff_ms
                _log.warning("the submitter tries again in %d ms: %s", wait_ms, error)
                await asyncio.sleep(wait_ms / 1000)
                continue
            await self._wait(wait_ms)

    async def _wait(self, wait_ms: int | None) -> None:
        """Return when there is something new to cut, or after `wait_ms` (None: no need to look at the chain)."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if wait_ms is None else wait_ms / 1000):
                await self._wake.wait()

    async def _step(self) -> int | None:
        """Do whatever is due. Returns when to look again."""
        wait_ms = await self._cut()
        flights = self._in_flight()
        if not flights and not self.statements:
            return wait_ms
        view = await asyncio.to_thread(self._look, flights)
        for flight in flights:
            await self._follow(flight, view)
        await self._send_missing(flights, view)
        self.statements.landed(await asyncio.to_thread(self.statements.work, view.head, view.nonce))
        await asyncio.to_thread(self.lane.tend, view.head, view.nonce)
        await self._confirm(flights, view)
        await self._expire(view)
        return self._poll_ms if wait_ms is None else min(wait_ms, self._poll_ms)

    def _in_flight(self) -> list[_Flight]:
        """Return every open batch, in stream order."""
        for batch in self._state.batches.values():
            known = self._flights.get(batch.batch_no)
            if known is None or known.count != batch.count:
                self._flights[batch.batch_no] = _Flight(batch.batch_no, batch.first, batch.count)
        return [self._flights[batch_no] for batch_no in self._state.batches]

    async def _submit(self, command: c.Command, *tolerated: RejectCode) -> bool:
        """Submit a command. Returns whether it was taken; a refusal that is not tolerated halts."""
        receipt = await self._sequencer.submit(command)
        if receipt.rejected is not None and receipt.rejected.code not in tolerated:
            raise SubmitterHalted(f"the engine refuses {command}: {receipt.rejected}")
        return receipt.rejected is None

    # --- cutting -----------------------------------------------------------------------------------------------------

    async def _cut(self) -> int | None:
        """Cut every batch that is due. Returns how long until the next one is, None when nothing waits to be cut."""
        state = self._state
        while state.uncut < state.next_operation:
            if len(state.batches) >= MAX_IN_FLIGHT:
                return self._poll_ms
            if self._uncut_since_ms < 0:
                self._uncut_since_ms = now_ms()
            waited_ms = now_ms() - self._uncut_since_ms
            waiting = state.next_operation - state.uncut
            if waiting < self._batch_operations and waited_ms < self._batch_ms and state.uncut >= self._flush_to:
                return self._batch_ms - waited_ms
            entries = self._next_operations()
            voided = tuple(entry.operation.number for entry in entries if entry.failed)
            operations = [as_packed(entry.operation, entry.failed) for entry in entries]
            cut = cc.CutBatch(state.next_batch, state.uncut, len(entries), payload_hash(operations), voided)
            if await self._submit(cut, RejectCode.BATCH_CONTENT_CHANGED):
                self._uncut_since_ms = -1
        return None

    def _next_operations(self) -> list[OpenOperation]:
        """Return the operations of the next batch: at most N, at most the gas of one transaction."""
        stop = min(self._state.next_operation, self._state.uncut + self._batch_operations)
        entries = [self._state.operations[number] for number in range(self._state.uncut, stop)]
        return entries[: fitting(entry.operation for entry in entries)]

    async def flush(self) -> None:
        """Cut whatever is uncut at once; return when every operation queued before this call is final."""
        target = self._flush_to = max(self._flush_to, self._state.next_operation)
        self._wake.set()
        while any(number < target for number in self._state.operations):
            self._settled.clear()
            if self.failure is not None:
                raise SubmitterHalted(f"the submitter has stopped: {self.failure}")
            await self._settled.wait()

    async def publish(self, root: str, total_micros: int) -> str:
        """Put a statement of liabilities on chain; returns its transaction's hash when that is mined."""
        waiting = self.statements.put(root, total_micros)
        self._wake.set()
        return await asyncio.shield(waiting)

    # --- looking -----------------------------------------------------------------------------------------------------

    def _look(self, flights: Sequence[_Flight]) -> _View:
        """Read the chain once, in an order in which a block in between only makes it look younger. In a thread."""
        head = self._chain.head()
        self._heads.check(head)
        nonce = self.lane.nonce()
        next_operation = self._chain.next_operation()
        for flight in flights:
            flight.attempts = self._attempts.of(purpose_of(flight.batch_no))
            self._look_at(flight, nonce)
            if flight.receipt is None and next_operation >= flight.end:
                self._search(flight, head.number)
        missing = [attempt for flight in flights for attempt in flight.missing]
        if missing and any(self._chain.known([attempt.tx_hash for attempt in missing])):
            raise ChainUnavailable(f"the node has {missing[0].purpose}'s transaction, and not its receipt yet")
        self.lane.suspect("nonce used, no receipt", bool(missing), min((a.nonce for a in missing), default=0))
        return _View(head, nonce, next_operation, min(self._finality(), head.number))

    def _look_at(self, flight: _Flight, nonce: int) -> None:
        receipts = self._chain.outcomes(flight.hashes)
        flight.receipt = next((found for found in receipts if found is not None and found.succeeded), None)
        mined = {found.tx_hash for found in receipts if found is not None}
        used = {attempt.nonce for attempt in flight.attempts if attempt.tx_hash in mined}
        flight.missing = [a for a in flight.attempts if a.nonce < nonce and a.nonce not in used]

    def _search(self, flight: _Flight, head: int) -> None:
        """The contract is past this batch, by none of our transactions: find the one that did it, by its events."""
        for last in range(head, -1, -SEARCH_BLOCKS):
            for event in self._chain.logs(max(0, last - SEARCH_BLOCKS + 1), last):
                is_first = isinstance(event, OPERATION_EVENTS) and event.number == flight.first
                if is_first and event.place.tx_hash not in flight.hashes:
                    _log.warning("batch %d was executed by %s", flight.batch_no, event.place.tx_hash)
                    flight.foreign_hash = event.place.tx_hash
                    flight.receipt = self._chain.receipt(flight.foreign_hash)
                    return

    # --- following ---------------------------------------------------------------------------------------------------

    async def _follow(self, flight: _Flight, view: _View) -> None:
        """Report what the look showed about one batch: mined, or lost again."""
        batch = self._state.batches[flight.batch_no]
        receipt = flight.receipt
        if receipt is not None:
            if (batch.stage, batch.tx_hash, batch.block_number) != (
                cc.BatchStage.MINED,
                receipt.tx_hash,
                receipt.block_number,
            ):
                crash_point("after_receipt")
                await self._observe(batch, cc.BatchStage.MINED, receipt.tx_hash, receipt.block_number)
        elif batch.stage is cc.BatchStage.MINED:
            _log.warning("batch %d left the chain: its transactions are sent again", batch.batch_no)
            await self._observe(batch, cc.BatchStage.RETRYING, batch.tx_hash)

    async def _observe(self, batch: Batch, stage: cc.BatchStage, tx_hash: str, block_number: int = 0) -> None:
        await self._submit(cc.ObserveBatch(batch.batch_no, stage, tx_hash, block_number))

    async def _send_missing(self, flights: Sequence[_Flight], view: _View) -> None:
        """Sign, in stream order, for every batch that no living transaction carries."""
        for flight in flights:
            if flight.receipt is not None or any(attempt.nonce >= view.nonce for attempt in flight.attempts):
                continue
            if view.next_operation >= flight.end or not await self._sign(flight, view):
                return

    async def _sign(self, flight: _Flight, view: _View) -> bool:
        """Sign and store one transaction for a batch; `tend` broadcasts it. False when that has to wait."""
        batch = self._state.batches[flight.batch_no]
        calldata = self._calldata(batch)
        if flight.attempts and not await self._may_retry(flight, view, calldata):
            return False
        wanted = gas_for(self._operations(batch.first, batch.count), calldata) << flight.retries
        gas = min(wanted, most_gas(view.head.gas_limit))
        purpose = purpose_of(batch.batch_no)
        attempt = await asyncio.to_thread(self.lane.sign, purpose, self._chain.address, calldata, gas, view.head, view.nonce)
        if attempt is None:
            return False
        crash_point("after_store")
        flight.attempts.append(attempt)
        await self._observe(batch, cc.BatchStage.SENT, attempt.tx_hash)
        crash_point("before_broadcast")
        await asyncio.to_thread(self.lane.broadcast, attempt)
        crash_point("after_broadcast")
        return True

    async def _may_retry(self, flight: _Flight, view: _View, calldata: bytes) -> bool:
        """All its transactions reverted: wait a little longer each time, and ask the chain before paying again."""
        batch = self._state.batches[flight.batch_no]
        if batch.stage is not cc.BatchStage.RETRYING:
            await self._observe(batch, cc.BatchStage.RETRYING, flight.attempts[-1].tx_hash)
        if now_ms() < flight.retry_at_ms:
            return False
        if view.next_operation == flight.first:
            reason = await asyncio.to_thread(self._simulate, calldata, view)
            if await self._split(flight, view, reason):
                return False
            flight.retries += 1
            flight.retry_at_ms = now_ms() + min(500 << flight.retries, MAX_RETRY_MS)
            self._reverting = f"batch {flight.batch_no} reverts: {reason}" if reason else ""
            if reason:
                _log.critical("%s", self._reverting)
                return False
        elif flight.first < view.next_operation < flight.end:
            raise SubmitterHalted(f"the contract stands at {view.next_operation}, inside batch {flight.batch_no}")
        return True

    def _simulate(self, calldata: bytes, view: _View) -> str:
        gas = most_gas(view.head.gas_limit)
        return self._chain.simulate(self.lane.address, self._chain.address, calldata, gas)

    async def _split(self, flight: _Flight, view: _View, reason: str) -> bool:
        """Cut a batch in two when no block takes it whole and the chain would take its beginning. Returns whether it did."""
        if not reason and flight.attempts[-1].gas < most_gas(view.head.gas_limit):
            return False
        count = flight.count // 2
        while count:
            part = self._operations(flight.first, count)
            if not await asyncio.to_thread(self._simulate, settle_batch_calldata(flight.first, part), view):
                break
            count //= 2
        else:
            return False
        rest = self._operations(flight.first + count, flight.count - count)
        _log.warning("no block takes batch %d (%s): it is cut after %d", flight.batch_no, reason or "out of gas", count)
        self._reverting = ""
        return await self._submit(
            cc.SplitBatch(flight.batch_no, count, payload_hash(part), self._state.next_batch, payload_hash(rest))
        )

    def _operations(self, first: int, count: int) -> list[Operation]:
        entries = [self._state.operations[number] for number in range(first, first + count)]
        return [as_packed(entry.operation, entry.voided) for entry in entries]

    def _calldata(self, batch: Batch) -> bytes:
        """Rebuild a batch's calldata from the journaled operations; it must be what the intent says."""
        operations = self._operations(batch.first, batch.count)
        found = payload_hash(operations)
        if found != batch.payload_hash:
            raise SubmitterHalted(f"batch {batch.batch_no} packs to {found}, its journaled hash is {batch.payload_hash}")
        return settle_batch_calldata(batch.first, operations)

    # --- finality ----------------------------------------------------------------------------------------------------

    async def _confirm(self, flights: Sequence[_Flight], view: _View) -> None:
        """Confirm, in order, the batches that a final block shows as executed."""
        claims: list[Claim] = []
        for flight in flights:
            if flight.receipt is None or flight.receipt.block_number > view.final_block:
                break
            claims.append(Claim(flight.batch_no, flight.first, flight.end, flight.receipt))
        for proof in await asyncio.to_thread(self._proved, claims, view):
            crash_point("before_confirm")
            self._refuse_landed(self._flights[proof.batch_no], {number for number, _ in proof.skipped})
            receipt = proof.receipt
            await self._submit(
                cc.ConfirmBatch(proof.batch_no, receipt.tx_hash, receipt.block_number, receipt.block_hash, proof.skipped)
            )
            del self._flights[proof.batch_no]

    def _proved(self, claims: Sequence[Claim], view: _View) -> list[Proof]:
        """Prove; a node that stays of two minds halts the lane instead of being believed."""
        if not claims:
            return []
        try:
            proofs = prove(self._chain, claims, self._state.skipped_operations, view.final_block)
        except Doubtful as error:
            self._doubts += 1
            if self._doubts >= LOOKS_BEFORE_HALT:
                raise Contradiction(f"the node contradicts itself: {error}") from error
            raise ChainUnavailable(str(error)) from error
        self._doubts = 0
        self._agree_on_proofs(claims, proofs, view.final_block)
        return proofs

    def _agree_on_proofs(self, claims: Sequence[Claim], proofs: list[Proof], final_block: int) -> None:
        """Let the second node prove the same, once it has the final block too. In a thread."""
        if self._second is None:
            return
        final = self._chain.block(final_block)
        if final is None:
            raise ChainUnavailable(f"the node lost block {final_block}")
        self._second.agree_on_block("submitter", final)
        about = f"batches {claims[0].batch_no} to {claims[-1].batch_no}"
        skipped = self._state.skipped_operations
        self._second.agree("submitter", about, proofs, lambda chain: prove(chain, claims, skipped, final_block))

    def _refuse_landed(self, flight: _Flight, skipped: set[int]) -> None:
        """Halt before a fact that the engine cannot take gets into the journal."""
        for number in range(flight.first, flight.end):
            if number not in skipped and self._state.operations[number].failed:
                raise SubmitterHalted(f"operation {number} landed after the ledger had given it up; see docs/runbook.md")

    async def _expire(self, view: _View) -> None:
        """Report operations whose deadline a final block has passed while the contract still stands before them."""
        if view.final_block < 0:
            return
        final = await asyncio.to_thread(self._chain.block, view.final_block)
        if final is None:
            return
        late = [
            number
            for number, entry in self._state.operations.items()
            if number >= view.next_operation and not entry.failed and entry.operation.not_after_s < final.timestamp_s
        ]
        if late:
            await asyncio.to_thread(self._agree_on_late, final, late[0])
            _log.error("operations %d to %d missed their settlement deadline", late[0], late[-1])
            count = late[-1] - late[0] + 1
            await self._submit(cc.ExpireOperations(late[0], count, final.number, final.timestamp_s))

    def _agree_on_late(self, final: Block, first: int) -> None:
        """Let the second node say that it has the final block, and that no block up to it has executed `first`. In a thread."""
        if self._second is None:
            return
        self._second.agree_on_block("submitter", final)
        about = f"what block {final.number} has not executed"
        self._second.agree("submitter", about, [first], lambda chain: [max(first, chain.next_operation(final.number))])
