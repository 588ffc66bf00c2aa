"""Makes things happen on time without traffic: submits a command when the clock has something to do.

Everything that time does is done by the engine, before the next command (`exchange.next_due_ms`). This task is only the
command that comes when nobody else sends one.
"""

import asyncio
import contextlib
from collections.abc import Sequence

from offchain_book.engine.commands import Sequenced
from offchain_book.engine.events import Event
from offchain_book.engine.exchange import next_due_ms
from offchain_book.engine.market_commands import AdvanceClock
from offchain_book.sequencer import Overloaded, Sequencer

LOOK_AGAIN_S = 1.0
"""Longest wait: venue time may jump (`causeway time`, a laptop that slept) without anybody saying so here."""


class Timekeeper:
    """Construct it on the event loop's thread; then supervise `run()` as one task."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer
        self._state = sequencer.state
        self._changed = asyncio.Event()
        self._wake_ms = 0
        sequencer.subscribe(self._on_command)

    def _on_command(self, entry: Sequenced, events: Sequence[Event]) -> None:
        if self._state.wake_ms != self._wake_ms:
            self._changed.set()

    async def run(self) -> None:
        """Submit `AdvanceClock` whenever something is due. Raises Unavailable when the exchange has stopped."""
        while True:
            self._changed.clear()
            self._wake_ms = self._state.wake_ms
            due_ms, now_ms = next_due_ms(self._state), self._sequencer.clock_ms()
            if 0 < due_ms <= now_ms:
                with contextlib.suppress(Overloaded):
                    await self._sequencer.submit(AdvanceClock(), "timekeeper")
                continue
            # `wake_ms` may be earlier than anything due; what is added behind it does not move it.
            ahead = (at_ms for at_ms in (due_ms, self._wake_ms) if at_ms > now_ms)
            wait_s = (min(ahead, default=now_ms) - now_ms) / 1_000 or LOOK_AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, LOOK_AGAIN_S)):
                    await self._changed.wait()
