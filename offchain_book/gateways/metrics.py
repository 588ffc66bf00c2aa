"""What `/metrics` says, for Prometheus. Names and meanings are in docs/runbook.md."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from offchain_book.engine.names import GUARANTEE
from offchain_book.engine.operations import FillOperation
from offchain_book.engine.outflow import left_micros
from offchain_book.engine.state import State
from offchain_book.projections import Projections
from offchain_book.sequencer import Sequencer

Gauges = Callable[[], Mapping[str, tuple[str, float]]]
"""Returns name -> (text, value) of what the chain's side knows."""


class VenueMetrics(Collector):
    """Reads the state when it is asked; nothing is counted on the way of an order."""

    def __init__(self, sequencer: Sequencer, more: Gauges) -> None:
        self._sequencer = sequencer
        self._more = more

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        state, projections = self._sequencer.state, self._sequencer.projections
        gauges: dict[str, tuple[str, float]] = {
            "accounts": ("Accounts.", len(state.accounts)),
            "markets": ("Markets.", len(state.markets)),
            "open_orders": ("Orders that rest in a book.", len(state.orders)),
            "open_operations": ("Operations that are not final on chain.", len(state.operations)),
            "open_batches": ("Settlement batches that are not final on chain.", len(state.batches)),
            "final_block": ("Newest block that counts as final.", state.final_block),
            "chain_halted": ("1 when finality stands still and nothing with a wallet is matched.", state.chain_halted),
            "stopped": ("1 when the exchange stopped on a broken invariant.", self._sequencer.failure is not None),
            **_settlement(state, projections, self._sequencer.clock_ms()),
            **self._more(),
        }
        counters = {
            "commands": ("Commands in the journal.", state.seq),
            "trades": ("Matches.", len(projections.trades)),
            "operations_confirmed": ("Operations that are final on chain.", state.confirmed_operations),
            "operations_skipped": ("Operations that the contract skipped.", state.skipped_operations),
            "ghost_fills": ("Matches that did not settle and were taken back.", state.ghost_fills),
            "guaranteed_fills": ("Matches whose wallet leg the guarantee took over.", state.guaranteed_fills),
        }
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(f"causeway_{name}", text, value=value)
        for name, (text, value) in counters.items():
            yield CounterMetricFamily(f"causeway_{name}", text, value=value)


def _settlement(state: State, projections: Projections, now_ms: int) -> dict[str, tuple[str, float]]:
    """Return how settlement fares: how old and how much is what is not final, and what secures it."""
    oldest = next(iter(state.operations), None)
    lag_ms = 0 if oldest is None else max(0, now_ms - projections.operations[oldest].at_ms)
    open_fills = (one.operation for one in state.operations.values() if isinstance(one.operation, FillOperation))
    cash = state.accounts[GUARANTEE].cash
    left = left_micros(state)
    found: dict[str, tuple[str, float]] = {
        "settlement_lag_seconds": ("Age of the oldest operation that is not final.", lag_ms / 1000),
        "unsettled_micros": (
            "Contracts of fills that are not final, at one dollar each.",
            sum(f.size_micros for f in open_fills),
        ),
        "guarantee_reserved_micros": ("The guarantee's cash that open fills reserve.", cash.held),
        "guarantee_free_micros": ("The guarantee's cash that new matches may reserve.", cash.available),
        "stream_next": ("Number of the next operation to be decided.", state.next_operation),
        "stream_cut": ("Number of the first operation that is in no batch.", state.uncut),
        "stream_final": ("Number of the first operation that is not final.", state.confirmed_operations),
    }
    if left is not None:
        used = state.pool_outflow_limit_micros - left
        found["pool_outflow_left_micros"] = ("What the contract's outflow limit leaves the pool to send or lose now.", left)
        found["pool_outflow_used_micros"] = ("What of the contract's outflow limit is used or reserved.", used)
    return found
