"""What the chain's side adds to `/metrics`. It reads what the parts know already and asks the node nothing."""

from collections.abc import Mapping

from bridge.indexer import Indexer
from bridge.second_node import SecondNode
from bridge.submitter import Submitter
from offchain_book.engine.state import State


def chain_gauges(
    state: State, submitter: Submitter, indexer: Indexer, second: SecondNode | None = None
) -> Mapping[str, tuple[str, float]]:
    """Return name -> (text, value)."""
    head = indexer.head.number if indexer.head else -1
    found = {
        "submitter_queue": ("Operations that wait to be put into a batch.", state.next_operation - state.uncut),
        "submitter_alarm": ("1 when settlement needs a person; /readyz says why.", bool(submitter.alarm)),
        "head_block": ("Newest block that the indexer has seen, -1 before the first.", head),
        "indexer_lag_blocks": (
            "Blocks between the newest one and the last whose events are in the journal.",
            head - indexer.final_block,
        ),
        "finality_age_seconds": ("Time since finality last advanced.", indexer.finality_age_ms / 1000),
    }
    if second is not None:
        found["nodes_disagree"] = (
            "1 while the second node contradicts the first: nothing final is taken.",
            bool(second.alarm),
        )
        found["second_node_waits"] = ("1 while something final waits for the second node.", bool(second.trouble))
        found["node_disagreements"] = ("Answers of the second node that differed since this start.", second.disagreements)
    return found
