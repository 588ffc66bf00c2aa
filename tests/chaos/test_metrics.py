"""What the chain's side and the book say of themselves while a fill is on its way."""

from prometheus_client import CollectorRegistry

from bridge.gauges import chain_gauges
from offchain_book.engine.names import GUARANTEE
from offchain_book.gateways.metrics import VenueMetrics
from tests.bridge.harness import DOLLAR
from tests.chaos import faults
from tests.chaos.stage import START, Stage


async def test_metrics_follow_a_fill_from_match_to_finality(stage: Stage) -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(VenueMetrics(stage.venue.sequencer, lambda: chain_gauges(stage.state, stage.submitter, stage.indexer)))

    def value(name: str) -> float:
        found = registry.get_sample_value(f"causeway_{name}")
        assert found is not None, name
        return found

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
