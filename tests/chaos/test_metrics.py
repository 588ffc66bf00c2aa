"""What the chain's side and the book say of themselves while a fill is on its way."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from bridge.gauges import chain_gauges
from offchain_book.engine import chain_commands as cc
from offchain_book.engine.names import GUARANTEE
from offchain_book.gateways.metrics import VenueMetrics
from tests.bridge.harness import DOLLAR, SETTLE_DEADLINE_S
from tests.chaos import faults
from tests.chaos.stage import START, Stage


def metrics_of(stage: Stage) -> Callable[[str], float]:
    """Return how to read one metric as `/metrics` would show it now."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(VenueMetrics(stage.venue.sequencer, lambda: chain_gauges(stage.state, stage.submitter, stage.indexer)))

    def value(name: str) -> float:
        found = registry.get_sample_value(f"causeway_{name}")
        assert found is not None, name
        return found

    return value


async def test_metrics_follow_a_fill_from_match_to_finality(stage: Stage) -> None:
    value = metrics_of(stage)
    with stage.proxy.during("eth_sendRawTransaction", faults.swallowed):
        await stage.match(7)
        assert value("settlement_lag_seconds") >= 0
        assert value("unsettled_micros") == 7 * DOLLAR
        reserved = value("guarantee_reserved_micros")
        assert reserved == stage.state.accounts[GUARANTEE].cash.held > 0
        assert value("guarantee_free_micros") == START * DOLLAR - reserved
        assert (value("stream_next"), value("stream_final")) == (1, 0)
        await stage.until(lambda: value("stream_cut") == 1)
        assert value("submitter_queue") == 0
        await stage.until_mined(lambda: value("indexer_lag_blocks") >= 3)
        lag = value("settlement_lag_seconds")
        await stage.until(lambda: value("settlement_lag_seconds") > lag)
    await stage.settle()
    for name in ("settlement_lag_seconds", "unsettled_micros", "guarantee_reserved_micros", "submitter_alarm"):
        assert value(name) == 0
    assert value("stream_final") == value("stream_next") == 1
    assert value("ghost_fills_total") == 0


async def test_metrics_of_a_fault_run_count_what_was_guaranteed_and_what_was_a_ghost(stage: Stage) -> None:
    """Blocks go on without our transactions, past the deadline: one fill falls to the guarantee, one between wallets is a ghost."""
    value = metrics_of(stage)
    with stage.proxy.during("eth_sendRawTransaction", faults.swallowed):
        await stage.match(7)
        await stage.match_wallets(3)
        assert value("unsettled_micros") == 10 * DOLLAR
        assert value("guarantee_reserved_micros") > 0
        await stage.until(lambda: value("stream_cut") == 2)
        stage.world.rpc("evm_increaseTime", hex(SETTLE_DEADLINE_S + 60))
        assert (value("guaranteed_fills_total"), value("ghost_fills_total")) == (0, 0)
        await stage.until_mined(lambda: stage.venue.sent(cc.ExpireOperations))
        assert (value("guaranteed_fills_total"), value("ghost_fills_total")) == (1, 1)
        assert value("guarantee_reserved_micros") == 0
    await stage.until_mined(lambda: not stage.state.operations)
    await stage.audit()
    assert (value("guaranteed_fills_total"), value("ghost_fills_total")) == (1, 1)
    assert value("operations_skipped_total") == value("operations_confirmed_total") == value("stream_final") == 2
    for name in ("settlement_lag_seconds", "unsettled_micros", "guarantee_reserved_micros", "open_batches"):
        assert value(name) == 0
