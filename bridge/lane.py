"""One signer's lane of consecutive nonces: sign, store, broadcast, keep known to the node, replace when stuck.

The lane knows nothing of batches. Its one rule: every nonce that was ever signed and is not mined yet stays in the
node's pool, at a fee that a block can include. Signed bytes are stored before they are broadcast, and a doubt about a
broadcast is answered by looking the hash up and sending the same bytes again, never by signing with another nonce.
"""

import logging
import time
from dataclasses import dataclass

from bridge.attempts import Attempt, Attempts
from bridge.chain import Block, Chain, address_of
from bridge.rpc import ChainUnavailable, RpcError
from offchain_book.sequencer import crash_point

_log = logging.getLogger(__name__)
GWEI = 10**9
LOOKS_BEFORE_HALT = 5
"""How often in a row a foreign nonce must be seen before it counts as real (a node may lag behind itself)."""

_ALREADY_KNOWN = ("already known", "already imported", "known transaction", "alreadyknown")
_NONCE_USED = ("nonce too low",)
_UNDERPRICED = ("underpriced",)
_BELOW_BASE_FEE = ("less than block base fee", "max fee per gas less than", "fee cap less than")


class ForeignTransaction(Exception):
    """The chain shows a transaction of our signer that this lane did not sign: the key is used elsewhere, or stolen."""


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """What a transaction may cost and when it counts as stuck."""

    ceiling: int = 500 * GWEI
    """Highest max fee per gas, in wei; above it transactions wait and the alarm is on."""
    stuck_ms: int = 15_000
    stuck_blocks: int = 2
    """Replace after so long, and so many blocks that left it out."""
    rebroadcast_ms: int = 1_000
    """Shortest time between two broadcasts of the same bytes."""

    def first(self, base_fee: int, tip: int) -> tuple[int, int] | None:
        """Return (max fee, priority fee) of a new transaction; None when the ceiling forbids it."""
        wanted = self._bumpable(2 * base_fee + tip)
        return None if wanted < base_fee else (wanted, min(tip, wanted))

    def bumped(self, attempt: Attempt, base_fee: int, tip: int) -> tuple[int, int] | None:
        """Return the fees of a replacement, both at least an eighth higher; None when the ceiling forbids it."""
        max_fee = _eighth_more(attempt.max_fee)
        priority = max(_eighth_more(attempt.priority_fee), min(tip, self.ceiling))
        if max_fee > self.ceiling:
            return None
        max_fee = self._bumpable(max(max_fee, 2 * base_fee + priority, priority))
        return None if max_fee < base_fee or priority > max_fee else (max_fee, priority)

    def _bumpable(self, wanted: int) -> int:
        """Return a fee that can be bumped once more, or the ceiling: what stops short of it could never reach it."""
        return self.ceiling if _eighth_more(wanted) > self.ceiling else wanted


def _eighth_more(fee: int) -> int:
    return fee + -(-fee // 8)


@dataclass(slots=True)
class _Watch:
    """How one attempt fares in this process's eyes."""

    first_block: int
    first_ms: int
    broadcast_ms: int = -1


def now_ms() -> int:
    """Return monotonic milliseconds: waiting is never measured on the wall clock."""
    return time.monotonic_ns() // 1_000_000


class Lane:
    """Blocking; one caller at a time, from any thread."""

    def __init__(self, chain: Chain, attempts: Attempts, key: str, fees: FeePolicy) -> None:
        self.address = address_of(key)
        self._chain = chain
        self._attempts = attempts
        self._key = key
        self._fees = fees
        self._watches: dict[str, _Watch] = {}
        self._suspicions: dict[str, int] = {}
        self._problems: dict[str, str] = {}

    @property
    def alarm(self) -> str:
        """What is wrong with the lane now, for people; empty when nothing is."""
        return "; ".join(self._problems.values())

    def nonce(self) -> int:
        """Return the next nonce by the newest block. Raises ForeignTransaction when it is beyond everything signed."""
        mined = self._chain.nonce(self.address)
        highest = self._attempts.highest_nonce(self.address)
        self.suspect("unsigned nonce", highest is not None and mined > highest + 1, mined - 1)
        return mined

    def suspect(self, sign: str, seen: bool, nonce: int) -> None:
        """Count a sign of a foreign transaction; raises ForeignTransaction when it does not go away."""
        if not seen:
            self._suspicions.pop(sign, None)
            return
        self._suspicions[sign] = self._suspicions.get(sign, 0) + 1
        why = f"nonce {nonce} of {self.address} was used by a transaction that this venue did not sign ({sign})"
        if self._suspicions[sign] >= LOOKS_BEFORE_HALT:
            self._note(sign, why)
            raise ForeignTransaction(why)
        raise ChainUnavailable(why)

    def sign(self, purpose: str, to: str, calldata: bytes, gas: int, head: Block, mined_nonce: int) -> Attempt | None:
        """Sign with the next free nonce and store it; `tend` broadcasts. None while fees are above the ceiling."""
        fees = self._fees.first(head.base_fee, self._chain.priority_fee())
        if fees is None:
            self._note(
                "sign", f"base fees are above the ceiling of {self._fees.ceiling} wei (--max-fee, in gwei): batches wait"
            )
            return None
        self._note("sign", "")
        highest = self._attempts.highest_nonce(self.address)
        nonce = mined_nonce if highest is None else max(mined_nonce, highest + 1)
        tx = {
            "nonce": nonce,
            "gas": gas,
            "maxFeePerGas": fees[0],
            "maxPriorityFeePerGas": fees[1],
            "to": to,
            "data": calldata,
        }
        signed = self._chain.sign_transaction(self._key, tx)
        crash_point("after_sign")
        attempt = Attempt(purpose, self.address, nonce, signed.tx_hash, signed.raw, gas, *fees)
        self._attempts.store(attempt)
        return attempt

    def tend(self, head: Block, mined_nonce: int) -> None:
        """Keep every signed nonce that is not mined known to the node, and replace what is stuck."""
        newest: dict[int, Attempt] = {}
        for attempt in self._attempts.from_nonce(self.address, mined_nonce):
            newest[attempt.nonce] = attempt
        if not newest:
            self._note("tend", "")
            self._watches.clear()
            return
        waiting = [newest[nonce] for nonce in sorted(newest)]
        known = self._chain.known([attempt.tx_hash for attempt in waiting])
        problem = ""
        for position, (attempt, is_known) in enumerate(zip(waiting, known, strict=True)):
            watch = self._watches.setdefault(attempt.tx_hash, _Watch(head.number, now_ms()))
            must = attempt.max_fee < head.base_fee or attempt.gas > head.gas_limit
            if must or (position == 0 and is_known and self._is_stuck(watch, head)):
                problem = self._replace(attempt, head) or problem
            elif not is_known and self._may_repeat(watch):
                problem = self.broadcast(attempt) or problem
        self._note("tend", problem)

    def _is_stuck(self, watch: _Watch, head: Block) -> bool:
        blocks, waited_ms = head.number - watch.first_block, now_ms() - watch.first_ms
        return blocks >= self._fees.stuck_blocks and waited_ms >= self._fees.stuck_ms

    def _may_repeat(self, watch: _Watch) -> bool:
        return watch.broadcast_ms < 0 or now_ms() - watch.broadcast_ms >= self._fees.rebroadcast_ms

    def _replace(self, attempt: Attempt, head: Block) -> str:
        fees = self._fees.bumped(attempt, head.base_fee, self._chain.priority_fee())
        if fees is None:
            return f"nonce {attempt.nonce} waits: its fee would pass the ceiling of {self._fees.ceiling} wei (--max-fee, in gwei)"
        gas = min(attempt.gas, head.gas_limit)
        signed = self._chain.sign_replacement(self._key, attempt.raw, gas, *fees)
        replacement = Attempt(attempt.purpose, self.address, attempt.nonce, signed.tx_hash, signed.raw, gas, *fees)
        self._attempts.store(replacement)
        _log.warning("%s: nonce %d replaced at %d wei per gas", attempt.purpose, attempt.nonce, fees[0])
        self._watches[replacement.tx_hash] = _Watch(head.number, now_ms())
        return self.broadcast(replacement)

    def broadcast(self, attempt: Attempt) -> str:
        """Send stored bytes. Returns what is wrong, for people; "" when the node has them or may have them."""
        watch = self._watches.get(attempt.tx_hash)
        if watch is not None:
            watch.broadcast_ms = now_ms()
        try:
            self._chain.send_raw(attempt.raw)
        except ChainUnavailable as error:
            _log.warning("%s: unknown whether the node took %s: %s", attempt.purpose, attempt.tx_hash, error)
        except RpcError as error:
            return self._refused(attempt, error)
        return ""

    def _refused(self, attempt: Attempt, error: RpcError) -> str:
        """Judge a refusal. What the next look at the chain settles by itself is not a problem."""
        text = error.message.lower()
        if any(part in text for part in (*_ALREADY_KNOWN, *_NONCE_USED, *_BELOW_BASE_FEE)):
            return ""
        if any(part in text for part in _UNDERPRICED):
            _log.warning("%s: another attempt with nonce %d is in the pool", attempt.purpose, attempt.nonce)
            return ""
        if "insufficient funds" in text:
            return f"{self.address} has no gas money left: send it native coin"
        return f"the node refuses {attempt.purpose} (nonce {attempt.nonce}): {error}"

    def _note(self, where: str, problem: str) -> None:
        if not problem:
            self._problems.pop(where, None)
        elif self._problems.get(where) != problem:
            self._problems[where] = problem
            _log.critical("settlement lane: %s", problem)
