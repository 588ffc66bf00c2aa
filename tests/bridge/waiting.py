"""Waiting for what the chain side does beside a test; a wait in vain says what was awaited and how everything stands."""

import asyncio
import inspect
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from bridge.indexer import Indexer
from bridge.rpc import ChainUnavailable, RpcError

if TYPE_CHECKING:
    from tests.bridge.harness import Exchange

PATIENCE_S = 120
"""It only tells what hangs from what a busy machine does late."""
MOST = 12
"""Of each kind so many are shown."""


async def until(
    condition: Callable[[], Any],
    tasks: Sequence["asyncio.Task[None]"] = (),
    tell: Callable[[], str] = str,
    patience_s: float = PATIENCE_S,
) -> None:
    """Wait for a condition; a task that dies meanwhile fails the test, and so does a wait in vain, with what `tell` says."""
    deadline = time.monotonic() + patience_s
    while not condition():
        for task in tasks:
            if task.done():
                task.result()
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience_s} s in vain for\n{_source(condition)}\n{tell()}")
        await asyncio.sleep(0.005)


def _source(condition: Callable[[], Any]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)


def told(venue: "Exchange") -> str:
    """Return how an exchange, the parts of its chain side and its chain stand, for who reads why a test failed."""
    return "\n".join([*_exchange(venue), *_parts(venue), *_chain(venue), *(note() for note in venue.notes)])


def _exchange(venue: "Exchange") -> Iterator[str]:
    state = venue.state
    yield f"exchange: {venue.sequencer.clock_ms() / 1000:.3f} s, command {state.seq}; failure {venue.sequencer.failure!r}"
    yield f"  deposits {state.next_deposit}; operations: next {state.next_operation}, uncut {state.uncut}"
    yield f"  final block {state.final_block} at {state.final_time_s} s; halted {state.chain_halted}"
    for batch in islice(state.batches.values(), MOST):
        yield f"  {batch}"
    for entry in islice(state.operations.values(), MOST):
        yield f"  operation {entry.operation.number}: until {entry.operation.not_after_s} s; failed {entry.failed}"
    yield f"  taken: {dict(Counter(type(command).__name__ for command in venue.commands))}"
    for command in venue.commands[-MOST:]:
        yield f"  {str(command)[:300]}"


def _parts(venue: "Exchange") -> Iterator[str]:
    for part in venue.parts:
        if isinstance(part, Indexer):
            yield f"indexer: head {part.head}, final {part.final_block}, {part.finality_age_ms} ms old; failure {part.failure!r}"
        else:
            yield f"submitter: alarm {part.alarm!r}; failure {part.failure!r}"
            attempts = [] if venue.attempts is None else venue.attempts.from_nonce(part.lane.address, 0)
            for attempt in attempts[-MOST:]:
                yield f"  {attempt.purpose}: nonce {attempt.nonce}, {attempt.max_fee} wei, {attempt.tx_hash}"
    for task in venue.tasks:
        for frame in task.get_stack():
            yield f"  in {frame.f_code.co_qualname}, line {frame.f_lineno}"


def _chain(venue: "Exchange") -> Iterator[str]:
    world = venue.world
    try:
        yield f"chain: {world.chain.head()}; next operation {world.chain.next_operation()}"
        yield f"  pool: {world.rpc('txpool_inspect')}"
    except (ChainUnavailable, RpcError) as error:
        yield f"chain: {error}"
