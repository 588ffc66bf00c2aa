"""Which head to believe: a node behind a load balancer may lag behind what another one has shown already."""

import logging

from bridge.chain import Block
from bridge.lane import now_ms
from bridge.rpc import ChainUnavailable

_log = logging.getLogger(__name__)
STALE_HEAD_MS = 5_000
"""How long a head below the highest one seen counts as a node that lags, not as a shorter chain."""


class HeadWatch:
    """Lets a head through unless it is below the highest one seen; a chain that stays shorter is believed after a while."""

    def __init__(self) -> None:
        self._highest = 0
        self._lower_since_ms = -1

    def check(self, head: Block) -> None:
        """Raise ChainUnavailable for a stale head: it would make mined batches, exits and deposits look lost."""
        if head.number < self._highest:
            if self._lower_since_ms < 0:
                self._lower_since_ms = now_ms()
            if now_ms() - self._lower_since_ms < STALE_HEAD_MS:
                raise ChainUnavailable(f"the node shows block {head.number} after {self._highest}")
            _log.warning("the chain got shorter: block %d after %d", head.number, self._highest)
        self._highest, self._lower_since_ms = head.number, -1
