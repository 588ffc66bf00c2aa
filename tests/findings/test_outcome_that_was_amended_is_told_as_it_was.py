"""A market's outcome was told as it was when a stream came to tell it: after an amendment both messages said the second outcome, to
whoever read late or came back.
"""

from pathlib import Path
from typing import Any

import msgspec

from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.gateways.kalshi_stream_messages import LifecycleWords
from offchain_book.gateways.polymarket_stream_messages import MarketWords
from offchain_book.gateways.stream import Hub
from offchain_book.gateways.venue_stream_words import Words
from tests.sdk.kalshi_venue import TICKER, SmallVenue


def read(message: bytes) -> Any:
    """Return the JSON of a message or of a frame with one."""
    return msgspec.json.decode(message[message.index(b"{") :])


async def test_determination_says_the_outcome_of_its_own_time(tmp_path: Path) -> None:
    async with SmallVenue(tmp_path / "journal", {}).running() as venue:
        hub = Hub(venue.sequencer)
        start = hub.now
        venue.state.markets[TICKER].settlement_timer_s = 60
        for command in (c.ResolveMarket(TICKER, 1_000_000), m.DisputeResolution(TICKER), m.AmendResolution(TICKER, 0)):
            await venue.do(command)
        steps = hub.since(start, lambda one: getattr(one.fact, "status", "") in ("determined", "amended"))
        assert steps is not None
        words = Words(hub)
        kalshi = [read(LifecycleWords(venue.state)(one))["result"] for one in steps]
        polymarket = [read(MarketWords(venue.state).market_resolved(one))["winning_outcome"] for one in steps]
        ours = [read(words(one))["yes_payout_micros"] for one in steps]
    assert (kalshi, polymarket, ours) == (["yes", "no"], ["Yes", "No"], [1_000_000, 0])
