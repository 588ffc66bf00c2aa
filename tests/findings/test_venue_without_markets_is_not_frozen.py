"""Found by starting with --no-demo: without a market the contract's dollars were not read, counted as 0, and the exchange froze."""

from pathlib import Path

from tests.bridge.conftest import artifacts, shared_world, world
from tests.bridge.harness import WENDY_KEY, World, exchange
from tests.bridge.test_reserves import Watch

__all__ = ["artifacts", "shared_world", "world"]


async def test_a_venue_that_has_money_and_no_market_is_compared_in_full(world: World, tmp_path: Path) -> None:
    async with exchange(world, tmp_path) as venue:
        indexer = venue.indexer()
        world.deposit(WENDY_KEY, 5)
        await venue.until_mined(lambda: venue.state.next_deposit == 1)
        watch = Watch(venue, indexed=indexer)
        assert await watch.reserves.look_at_all()
        assert watch.board.collateral is not None
        assert watch.board.collateral.held_micros == watch.board.collateral.claimed_micros == 5_000_000
        assert not venue.state.frozen
