"""Reads the chain: deposits, exits, cancels, resolutions and finality become commands. It writes nothing to the chain.

What gives (deposits, resolutions, the end of an exit) is believed when its block is final, and read in ranges of blocks
behind the newest final one. What takes away (an exit asked for, a cancel) is believed at the head, which is followed by
block hash and parent links, so that a reorg is walked back. The position is the journal's own: the newest final block that
was reported, and the number of the next deposit; whatever is read twice changes nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sha3

from bridge.chain import Block, Chain, StateUnavailable
from bridge.heads import HeadWatch
from bridge.lane import now_ms
from bridge.logs import (
    CancelledBefore,
    ConditionResolved,
    DeliveryRefused,
    Deposited,
    Exited,
    ExitRequested,
    MinNonceSet,
    TokensMoved,
    VenueEvent,
)
from bridge.rpc import ChainUnavailable, RpcError
from bridge.second_node import SecondNode
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.operations import ZERO_ADDRESS, Outcome
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State
from offchain_book.sequencer import Overloaded, Sequencer

_log = logging.getLogger(__name__)
T = TypeVar("T")

Finality = Callable[[], int]
"""As in `submitter.py`."""

POLL_MS = 250
"""How often the head is asked for."""
REPORT_MS = 3_000
"""Shortest time between two reports of a new final block."""
HALT_AFTER_MS = 30_000
"""Finality that stands still longer than this halts matching with wallets; `halt_after_ms` derives shorter times."""
LEAST_HALT_AFTER_MS = 3_000
"""A healthy chain of our own may show nothing final for two blocks and a save."""
MAX_BACKOFF_MS = 5_000
RANGE_BLOCKS = 1_000
"""Most blocks in one request for logs."""
DEBITS = ("ExitRequested", "Exited", "MinNonceSet", "CancelledBefore")
"""Events that are believed at the head."""
FOLLOWED_EVENTS = (*DEBITS, "Deposited", "DeliveryRefused", "ConditionResolved", "TransferSingle", "TransferBatch")
"""Events that are read when final; a transfer tells what an exit delivered."""
FOLLOWED_BLOCKS = 128
"""Most blocks above the final one that are followed by hash."""


def halt_after_ms(settle_deadline_s: int, longest_ms: int = HALT_AFTER_MS) -> int:
    """Return how long finality may stand still: a third of what a fill has to land, within bounds."""
    return max(LEAST_HALT_AFTER_MS, min(longest_ms, settle_deadline_s * 1000 // 3))


class ChainDiverged(Exception):
    """The chain contradicts what was final before: a deep reorg, another chain, or a node restored from an old copy. Fatal."""

    def __init__(self, contradiction: str) -> None:
        super().__init__(
            f"{contradiction}. Nothing was taken from this node since; ask a second node for that block (--chain-url), "
            "and read `Final blocks were replaced` in docs/runbook.md before anything else"
        )


class _NotYet(Exception):
    """The ledger has to catch up with the chain first; nothing is wrong."""


def account_reference(account_id: str) -> str:
    """Return the bytes32 (0x hex) that `depositFor` carries for a custodial account: keccak256 of its id."""
    return "0x" + str(sha3.keccak_256(account_id.encode()).hexdigest())


def custodial_references(state: State) -> Callable[[str], str | None]:
    """Return the reverse lookup over the accounts that exist when it is asked."""
    found: dict[str, str] = {}
    seen = 0

    def account_of(reference: str) -> str | None:
        nonlocal seen
        if reference not in found and len(state.accounts) != seen:
            found.update(
                (account_reference(name), name) for name, account in state.accounts.items() if not account.is_wallet
            )
            seen = len(state.accounts)
        return found.get(reference)

    return account_of


@dataclass(frozen=True, slots=True)
class _Seen:
    """A block above the final one, and whose exits and cancels its events touch."""

    block: Block
    events: tuple[VenueEvent, ...]


class Indexer:
    """Construct it on the event loop's thread; then supervise `run()` as one task. `chain` must be bound.

    `start_block` is the deployment block. A block is final at depth `confirmations` and when `finality()` says so.
    `account_of_reference` maps a deposit's reference (0x hex) to a custodial account id, or None. With a `second` node, final
    blocks and their events count when it shows the same.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        chain: Chain,
        confirmations: int,
        finality: Finality,
        account_of_reference: Callable[[str], str | None] | None = None,
        start_block: int = 0,
        halt_after_ms: int = HALT_AFTER_MS,
        poll_ms: int = POLL_MS,
        report_ms: int = REPORT_MS,
        second: SecondNode | None = None,
    ) -> None:
        self.failure: BaseException | None = None
        """Why `run` ended, if it did."""
        self.head: Block | None = None
        """The newest block seen."""
        self._sequencer = sequencer
        self._state = sequencer.state
        self._chain = chain
        self._confirmations = confirmations
        self._finality = finality
        self._account_of = account_of_reference or custodial_references(sequencer.state)
        self._start_block = start_block
        self._halt_after_ms = halt_after_ms
        self._poll_ms = poll_ms
        self._report_ms = report_ms
        self._second = second
        self._heads = HeadWatch()
        self._final: Block | None = None
        self._recent: dict[int, _Seen] = {}
        self._exits = {name for name, account in sequencer.state.accounts.items() if account.exit_at_s}
        """Wallets whose exit the contract has to be asked about."""
        self._progress_ms = now_ms()
        self._reported_ms = 0
        self._advanced = asyncio.Event()

    # --- the task ----------------------------------------------------------------------------------------------------

    @property
    def final_block(self) -> int:
        """The newest final block whose events are all in the journal."""
        return self._final.number if self._final else -1

    @property
    def finality_age_ms(self) -> int:
        """How long ago finality advanced, or this object was made."""
        return now_ms() - self._progress_ms

    async def run(self) -> None:
        """Follow the chain until cancelled. Raises ChainDiverged, and bugs, to its supervisor."""
        try:
            await self._work()
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self._advanced.set()

    async def _work(self) -> None:
        wait_ms = self._poll_ms
        while True:
            problem = await self._while_reporting(self._try(self._step))
            if problem:
                wait_ms = min(wait_ms * 2, MAX_BACKOFF_MS)
                _log.warning("the indexer tries again in %d ms: %s", wait_ms, problem)
            else:
                wait_ms = self._poll_ms
                if self._second:
                    self._second.went_on("indexer")
            await self._while_reporting(asyncio.sleep(wait_ms / 1000))

    async def _while_reporting(self, work: Coroutine[Any, Any, T]) -> T:
        """Await what may take long, because a node that does not answer must not delay the report that it does not."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=self._poll_ms / 1000)
                problem = await self._try(self._report)
                if problem:
                    _log.warning("finality could not be reported: %s", problem)
            return task.result()
        finally:
            task.cancel()

    async def _try(self, work: Callable[[], Awaitable[None]]) -> str:
        """Do something; return what was in its way if it is worth trying again."""
        try:
            await work()
        except _NotYet:
            return ""
        except (ChainUnavailable, StateUnavailable, RpcError, Overloaded) as error:
            return str(error)
        return ""

    async def caught_up(self, block_number: int) -> None:
        """Return when everything up to this block is final and in the journal."""
        while self.final_block < block_number:
            if self.failure is not None:
                raise ChainUnavailable(f"the indexer has stopped: {self.failure!r}")
            self._advanced.clear()
            await self._advanced.wait()

    async def _step(self) -> None:
        head = await asyncio.to_thread(self._chain.head)
        if self._final is None:
            self._final = await asyncio.to_thread(self._resume_at, head)
        if head.number < self._final.number:
            raise ChainUnavailable(f"the node shows block {head.number}, block {self._final.number} is final")
        self._heads.check(head)
        self.head = head
        await self._follow_head(head)
        await self._advance(head)
        await self._report_exits(head)

    async def _submit(self, command: c.Command, *tolerated: RejectCode) -> None:
        receipt = await self._sequencer.submit(command)
        if receipt.rejected is not None and receipt.rejected.code not in tolerated:
            raise RuntimeError(f"the engine refuses {command}: {receipt.rejected}")

    def _resume_at(self, head: Block) -> Block:
        """Return the final block to go on from, having checked that this chain still contains it."""
        state = self._state
        if state.final_block == 0:
            found = self._chain.block(max(0, self._start_block - 1))
            if found is None:
                raise ChainUnavailable(f"the node does not have block {self._start_block - 1} yet")
            return found
        found = self._chain.block(state.final_block)
        if found is None:
            raise ChainUnavailable(f"the node shows block {head.number}, block {state.final_block} was final before")
        if found.timestamp_s != state.final_time_s:
            raise ChainDiverged(f"final block {found.number} had time {state.final_time_s}, now {found.timestamp_s}")
        if state.final_hash and found.hash != state.final_hash:
            raise ChainDiverged(f"final block {found.number} was {state.final_hash}, now it is {found.hash}")
        deposits = self._chain.deposit_count()
        if deposits < state.next_deposit:
            raise ChainDiverged(f"{state.next_deposit} deposits were credited, the contract counts {deposits}")
        return found

    # --- the final chain ---------------------------------------------------------------------------------------------

    async def _advance(self, head: Block) -> None:
        """Take everything up to the newest final block into the journal."""
        before = self._final
        assert before is not None
        final = min(await asyncio.to_thread(self._finality), head.number - self._confirmations)
        if final <= before.number:
            return
        stop = min(final, before.number + RANGE_BLOCKS)
        after, events = await asyncio.to_thread(self._read_range, before, stop)
        await self._credit(events, after)
        await self._credit_refused(events, after)
        await self._settle_exits(events, after)
        await self._resolve(events)
        await self._observe_watermarks(events)
        self._note_exits(event.wallet for event in events if isinstance(event, ExitRequested | Exited))
        for number in [number for number in self._recent if number <= after.number]:
            del self._recent[number]
        self._final = after
        self._progress_ms = now_ms()
        self._advanced.set()

    def _read_range(self, before: Block, stop: int) -> tuple[Block, list[VenueEvent]]:
        """Return the last block of a final range with the events in it, all on the chain that was final before."""
        events = self._chain.logs(before.number + 1, stop, FOLLOWED_EVENTS)
        after, again = self._chain.block(stop), self._chain.block(before.number)
        if after is None or again is None:
            raise ChainUnavailable(f"the node lost block {before.number} or {stop}")
        if again.hash != before.hash:
            raise ChainDiverged(f"final block {before.number} was {before.hash}, now it is {again.hash}")
        if self._second:
            self._second.agree_on_block("indexer", after)
        return after, self._agreed(before.number + 1, stop, FOLLOWED_EVENTS, events)

    def _agreed(self, first: int, stop: int, names: Sequence[str], events: list[VenueEvent]) -> list[VenueEvent]:
        """Return the events of a final range once the second node, if there is one, shows the same."""
        if self._second:
            about = f"logs of blocks {first} to {stop}"
            self._second.agree("indexer", about, events, lambda chain: chain.logs(first, stop, names))
        return events

    async def _credit(self, events: Sequence[VenueEvent], after: Block) -> None:
        """Credit every deposit up to a final block, in the contract's own order."""
        expected = await asyncio.to_thread(self._deposits_at, after)
        deposits = {event.index: event for event in events if isinstance(event, Deposited)}
        wanted = max(deposits, default=-1) + 1 if expected is None else expected
        if any(index not in deposits for index in range(self._state.next_deposit, wanted)):
            _log.warning("the node left out deposits: reading them again from block %d", self._start_block)
            deposits |= await asyncio.to_thread(self._all_deposits, after.number)
        for index in range(self._state.next_deposit, wanted):
            if index not in deposits:
                raise ChainUnavailable(f"the contract counts {wanted} deposits, the node does not show number {index}")
            await self._submit(self._deposit(deposits[index]))

    def _deposits_at(self, block: Block) -> int | None:
        """Return the contract's counter at a block; None when the node has pruned that state."""
        try:
            return self._chain.deposit_count(block.number)
        except StateUnavailable:
            return None

    def _all_deposits(self, stop: int) -> dict[int, Deposited]:
        found: dict[int, Deposited] = {}
        for first in range(self._start_block, stop + 1, RANGE_BLOCKS):
            last = min(stop, first + RANGE_BLOCKS - 1)
            events = self._agreed(first, last, ("Deposited",), self._chain.logs(first, last, ("Deposited",)))
            found |= {event.index: event for event in events if isinstance(event, Deposited)}
        return found

    def _deposit(self, event: Deposited) -> cc.CreditDeposit:
        """Translate a deposit. A reference that names nobody is passed on: the engine puts it into suspense."""
        account_id = event.wallet
        if event.wallet == self._chain.address:
            account_id = self._account_of(event.account_reference) or event.account_reference
        ticker, outcome = self._token(event.token_id)
        return cc.CreditDeposit(
            event.index,
            account_id,
            event.amount_micros,
            event.place.tx_hash,
            event.place.block_number,
            event.from_address,
            ticker,
            outcome,
        )

    def _token(self, token_id: str) -> tuple[str, Outcome | None]:
        """Return (ticker, outcome); a token of a market that was never listed keeps a name of its own."""
        if token_id == "0":
            return "", None
        found = self._state.tokens.get(token_id)
        if found is not None:
            return found
        number = int(token_id)
        _log.error("token %s belongs to no listed market", token_id)
        return f"unlisted:{number >> 8:062x}", Outcome.YES if number & 0xFF == Outcome.YES else Outcome.NO

    async def _credit_refused(self, events: Sequence[VenueEvent], after: Block) -> None:
        """Give wallets the tokens that their code refused, once every batch up to there is confirmed."""
        refused = [event for event in events if isinstance(event, DeliveryRefused)]
        if refused:
            await self._require_settled(after)
        for event in refused:
            reference = f"{event.place.tx_hash}:{event.place.log_index}"
            ticker, outcome = self._token(event.token_id)
            if outcome is not None and reference not in self._state.references:
                await self._submit(cc.RecordRefusedDelivery(reference, event.wallet, event.amount_micros, ticker, outcome))

    async def _settle_exits(self, events: Sequence[VenueEvent], after: Block) -> None:
        """Take what final exits paid out off the ledger, once every batch up to there is confirmed."""
        if not any(isinstance(event, Exited) for event in events):
            return
        await self._require_settled(after)
        for position, event in enumerate(events):
            if not isinstance(event, Exited):
                continue
            where = f"{event.place.tx_hash}:{event.place.log_index}"
            paid: list[tuple[str, Outcome | None, int]] = [("", None, event.cash_micros)]
            paid += [(*self._token(token_id), amount) for token_id, amount in _delivered(event, events[position + 1 :])]
            for part, (ticker, outcome, amount) in enumerate(paid):
                reference = f"{where}:{part}"
                if amount and reference not in self._state.references:
                    command = cc.RecordExit(reference, event.wallet, amount, ticker, outcome)
                    await self._submit(command, RejectCode.UNKNOWN_ACCOUNT)

    async def _require_settled(self, after: Block) -> None:
        """Raise _NotYet until the submitter has confirmed every batch that executed up to this final block."""
        try:
            executed = await asyncio.to_thread(self._chain.next_operation, after.number)
        except StateUnavailable:
            executed = await asyncio.to_thread(self._chain.next_operation)
        if next(iter(self._state.operations), self._state.next_operation) < executed:
            raise _NotYet

    async def _resolve(self, events: Sequence[VenueEvent]) -> None:
        for event in events:
            if not isinstance(event, ConditionResolved):
                continue
            market = self._state.markets.get(self._state.conditions.get(event.condition_id, ""))
            if market is None or market.resolved_on_chain:
                continue
            if market.yes_payout_micros != event.yes_payout_micros:
                _log.critical(
                    "%s pays %d on chain, %d here", market.ticker, event.yes_payout_micros, market.yes_payout_micros
                )
                continue
            if market.open_operations:
                raise _NotYet
            place = event.place
            await self._submit(
                cc.ConfirmResolution(market.ticker, event.yes_payout_micros, place.tx_hash, place.block_number, merges=True)
            )

    # --- the head ----------------------------------------------------------------------------------------------------

    async def _follow_head(self, head: Block) -> None:
        """Walk from the head back to a block that is known, drop what is no longer on that path, read what is new."""
        assert self._final is not None
        fresh = await asyncio.to_thread(self._fresh, head, self._final.number)
        first_gone = fresh[-1].block.number if fresh else head.number + 1
        dropped = [seen for number, seen in self._recent.items() if number >= first_gone]
        for seen in dropped:
            del self._recent[seen.block.number]
        if dropped:
            _log.warning("reorg: %d blocks from %d on were replaced", len(dropped), dropped[0].block.number)
        for seen in reversed(fresh):
            self._recent[seen.block.number] = seen
        touched = [event for seen in (*dropped, *fresh) for event in seen.events]
        self._note_exits(event.wallet for event in touched if isinstance(event, ExitRequested | Exited))
        await self._observe_watermarks(event for seen in fresh for event in seen.events)

    def _fresh(self, head: Block, final: int) -> list[_Seen]:
        """Return the blocks above the final one that are new, the newest first."""
        fresh: list[_Seen] = []
        block: Block | None = head
        while block is not None and block.number > final and len(fresh) < FOLLOWED_BLOCKS:
            known = self._recent.get(block.number)
            if known is not None and known.block.hash == block.hash:
                break
            fresh.append(_Seen(block, tuple(self._chain.logs_of_block(block.hash, DEBITS))))
            block = self._chain.block(block.parent_hash)
        return fresh

    def _note_exits(self, wallets: Iterable[str]) -> None:
        """Remember to ask the contract about these wallets: its word counts, not the events."""
        self._exits.update(wallets)

    async def _report_exits(self, head: Block) -> None:
        """Report every noted wallet's exit: a beginning as the head has it, an end as the final block has it."""
        assert self._final is not None
        for wallet in sorted(self._exits):
            account = self._state.accounts.get(wallet)
            exit_at_s = await asyncio.to_thread(self._exit_at, wallet, head, self._final.number)
            if account is None and exit_at_s:
                continue
            if account is not None and account.exit_at_s != exit_at_s:
                await self._submit(cc.ObserveExit(wallet, exit_at_s))
            self._exits.discard(wallet)

    def _exit_at(self, wallet: str, head: Block, final: int) -> int:
        """Ask about exactly the head that was followed: another node's "latest" may be older, and an exit missing in it."""
        return self._chain.exit_at(wallet, head.hash) or self._chain.exit_at(wallet, final)

    async def _observe_watermarks(self, events: Iterable[VenueEvent]) -> None:
        """Report watermarks as soon as they are seen: what they will void must not be matched any more."""
        for event in events:
            account = self._state.accounts.get(getattr(event, "wallet", ""))
            if isinstance(event, MinNonceSet) and (account is None or account.min_nonce < event.min_nonce):
                await self._submit(cc.ObserveWatermark(event.wallet, min_nonce=event.min_nonce))
            if isinstance(event, CancelledBefore) and (account is None or account.cancel_before_ms < event.timestamp_ms):
                await self._submit(cc.ObserveWatermark(event.wallet, cancel_before_ms=event.timestamp_ms))

    # --- reports -----------------------------------------------------------------------------------------------------

    async def _report(self) -> None:
        """Report finality when it has moved for a while, when it stands still too long, and when it comes back."""
        state, now = self._state, now_ms()
        halted = now - self._progress_ms > self._halt_after_ms
        if halted and not state.chain_halted:
            _log.critical("no new final block for %d ms: matching with wallets stops", now - self._progress_ms)
        moved = self._final is not None and self._final.number != state.final_block
        if halted == state.chain_halted and not (moved and now - self._reported_ms >= self._report_ms):
            return
        if not halted and not moved:
            return
        number, time_s, block_hash = state.final_block, state.final_time_s, state.final_hash
        if self._final is not None:
            number, time_s, block_hash = self._final.number, self._final.timestamp_s, self._final.hash
        await self._submit(cc.ObserveChain(number, time_s, halted, block_hash))
        self._reported_ms = now


def _delivered(exited: Exited, later: Sequence[VenueEvent]) -> list[tuple[str, int]]:
    """Return (token id, amount) that an exit put into the wallet's free half: the next mint of its transaction."""
    for event in later:
        same = event.place.tx_hash == exited.place.tx_hash
        if same and isinstance(event, TokensMoved) and event.from_address == ZERO_ADDRESS and event.to == exited.wallet:
            return list(zip(event.token_ids, event.amounts_micros, strict=True))
    return []
