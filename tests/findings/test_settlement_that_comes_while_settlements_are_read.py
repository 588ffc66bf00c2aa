"""A position that was paid out in the moment in which its owner asked for settlements made the answer an error of ours: the list had
it, what the position had cost was not looked at yet.
"""

import asyncio
from pathlib import Path

import httpx
import pytest

from offchain_book.gateways import kalshi_portfolio
from tests.gateways.conftest import Client
from tests.sdk.kalshi_venue import ALICE, BOB, OTHER, TICKER, SmallVenue, make_keys


async def test_settlements_and_what_the_positions_cost_are_of_one_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = SmallVenue(tmp_path / "journal", make_keys())
    transport = httpx.ASGITransport(venue.app)
    async with venue.running(), httpx.AsyncClient(transport=transport, base_url="http://venue") as http:
        client = Client(http, venue)

        async def traded_and_paid(ticker: str) -> None:
            await client.place(ALICE, "bid", "0.4000", "1.00", ticker=ticker)
            await client.place(BOB, "ask", "0.4000", "1.00", ticker=ticker)
            await venue.resolve(ticker, 1_000_000)

        await traded_and_paid(TICKER)
        give_way, gave_way = asyncio.sleep, []

        async def meanwhile(seconds: float) -> None:
            gave_way.append(seconds)
            if len(gave_way) == 1:
                await traded_and_paid(OTHER)
            await give_way(seconds)

        with monkeypatch.context() as patched:
            patched.setattr(kalshi_portfolio.asyncio, "sleep", meanwhile)
            during = await client.get("/portfolio/settlements", ALICE)
        if not gave_way:
            await traded_and_paid(OTHER)
        after = await client.get("/portfolio/settlements", ALICE)
    assert {row["ticker"] for row in during["settlements"]} <= {TICKER, OTHER}
    assert [(row["ticker"], row["yes_total_cost_dollars"]) for row in after["settlements"]] == [
        (OTHER, "0.4000"),
        (TICKER, "0.4000"),
    ]
