"""A second opinion: what one node says of final blocks counts only when another one, of somebody else's, says the same.

A node that lies consistently about blocks, logs and state can invent deposits and settlements, or hide them. With a second
node (`causeway up --second-node`) indexer and submitter put each question that makes something final to both, and take
nothing until the answers are equal. A difference is an alarm, and finality stands still with all that follows from that; a
second node that is behind or silent only delays. Without a second node nothing of this is asked.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from bridge.chain import Block, Chain, StateUnavailable
from bridge.proof import Contradiction, Doubtful
from bridge.rpc import ChainUnavailable, RpcError

_log = logging.getLogger(__name__)
DISAGREE = "NODES_DISAGREE"
"""The alarm's code, in `/readyz` and in the log."""
_SHOWN = 240
"""Most characters of each node's own part of a disagreement."""

Answer = Sequence[Any]
Ask = Callable[[Chain], Answer]


class NodesDisagree(ChainUnavailable):
    """Two nodes contradict each other about what is final. Nothing was taken from either."""


class SecondNode:
    """Any thread may use it. `connect` is called when it is first needed, and again until the node is there."""

    def __init__(self, connect: Callable[[], Chain]) -> None:
        self.disagreements = 0
        """How many answers differed since this start."""
        self._connect = connect
        self._chain: Chain | None = None
        self._lock = threading.Lock()
        self._trouble: dict[str, ChainUnavailable] = {}
        """What keeps each asker from going on."""

    @property
    def alarm(self) -> str:
        """What the nodes disagree on; empty when they do not."""
        return "; ".join(sorted({str(one) for one in self._trouble.copy().values() if isinstance(one, NodesDisagree)}))

    @property
    def trouble(self) -> str:
        """Why something final waits for the second node, disagreements included; empty when nothing does."""
        return "; ".join(sorted({str(one) for one in self._trouble.copy().values()}))

    def agree_on_block(self, asker: str, block: Block) -> None:
        """As `agree`, about the block of this number: its hash and all else that we read of it."""

        def ask(chain: Chain) -> Answer:
            found = chain.block(block.number)
            if found is None:
                raise ChainUnavailable("it has not come so far")
            return [found]

        self.agree(asker, f"block {block.number}", [block], ask)

    def agree(self, asker: str, about: str, answer: Answer, ask: Ask) -> None:
        """Return when the second node answers the same. In a thread.

        Raises NodesDisagree when it answers something else, ChainUnavailable when it gives no answer; both stay visible until
        `asker` calls `went_on`.
        """
        try:
            other = self._ask(ask)
        except (ChainUnavailable, RpcError, StateUnavailable) as error:
            raise self._noted(asker, ChainUnavailable(f"the second node says nothing about {about}: {error}")) from error
        if list(other) != list(answer):
            self.disagreements += 1
            parts = (str([one for one in mine if one not in theirs])[:_SHOWN] for mine, theirs in _both_ways(answer, other))
            text = f"{DISAGREE}: about {about} the first node alone says {next(parts)}, the second one alone {next(parts)}"
            raise self._noted(asker, NodesDisagree(text))

    def _ask(self, ask: Ask) -> Answer:
        with self._lock:
            if self._chain is None:
                self._chain = self._connect()
        try:
            return ask(self._chain)
        except (Doubtful, Contradiction) as error:
            return [str(error)]

    def _noted(self, asker: str, error: ChainUnavailable) -> ChainUnavailable:
        if isinstance(error, NodesDisagree) and str(error) not in self.alarm:
            _log.critical("nothing final is taken until both nodes say the same: %s", error)
        self._trouble[asker] = error
        return error

    def went_on(self, asker: str) -> None:
        """Nothing keeps this asker waiting any more."""
        self._trouble.pop(asker, None)

    def close(self) -> None:
        """Close the connection."""
        if self._chain is not None:
            self._chain.close()


def _both_ways(answer: Answer, other: Answer) -> tuple[tuple[Answer, Answer], tuple[Answer, Answer]]:
    return (answer, other), (other, answer)
