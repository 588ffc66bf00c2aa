"""The historical tier: after 90 days finished things leave the live routes and stand under /historical."""

from typing import Any

from offchain_book.engine.units import ONE_DOLLAR_MICROS
from offchain_book.gateways.kalshi_history import LIVE_DAYS
from tests.gateways.conftest import Client
from tests.sdk.kalshi_venue import ALICE, BOB, DAY_MS, FREE_SERIES, TICKER


async def aged(client: Client) -> dict[str, Any]:
    """Trade, settle, and let 91 days pass; return what the live routes said before."""
    await client.place(ALICE, "bid", "0.4000", "10.00")
    await client.place(BOB, "ask", "0.4000", "10.00")
    await client.venue.resolve(TICKER, ONE_DOLLAR_MICROS)
    before = {
        "fills": (await client.get("/portfolio/fills"))["fills"],
        "orders": (await client.get("/portfolio/orders"))["orders"],
        "trades": (await client.get("/markets/trades", None))["trades"],
        "markets": (await client.get("/markets", None, status="settled"))["markets"],
        "positions": (await client.get("/portfolio/positions", settlement_status="settled"))["market_positions"],
    }
    client.venue.clock.offset_ms += (LIVE_DAYS + 1) * DAY_MS
    return before


async def test_finished_things_move_to_the_historical_tier_and_stay_the_same(client: Client) -> None:
    before = await aged(client)
    assert all(len(rows) == 1 for rows in before.values())
    assert (await client.get("/portfolio/fills"))["fills"] == []
    assert (await client.get("/portfolio/orders"))["orders"] == []
    assert (await client.get("/markets/trades", None))["trades"] == []
    assert (await client.get("/markets", None, status="settled"))["markets"] == []
    assert (await client.get("/portfolio/positions", settlement_status="all"))["market_positions"] == []
    assert (await client.get("/historical/fills"))["fills"] == before["fills"]
    assert (await client.get("/historical/orders"))["orders"] == before["orders"]
    assert (await client.get("/historical/trades", None))["trades"] == before["trades"]
    (market,) = (await client.get("/historical/markets", None))["markets"]
    assert (market["ticker"], market["result"]) == (TICKER, "yes")
    assert (await client.get(f"/historical/markets/{TICKER}", None))["market"] == market
    assert (await client.get("/historical/positions"))["market_positions"] == before["positions"]


async def test_live_things_are_not_historical(client: Client) -> None:
    await client.place(ALICE, "bid", "0.4000", "10.00")
    client.venue.clock.offset_ms += (LIVE_DAYS + 1) * DAY_MS
    assert (await client.get("/historical/orders"))["orders"] == []
    assert (await client.get("/historical/markets", None))["markets"] == []
    response = await client.send("GET", f"/historical/markets/{TICKER}", None)
    assert (response.status_code, response.json()["code"]) == (404, "market_not_found")


async def test_cutoff_is_a_midnight_ninety_days_ago(client: Client) -> None:
    cutoff = await client.get("/historical/cutoff", None)
    assert len(set(cutoff.values())) == 1
    assert cutoff["market_settled_ts"].endswith("T00:00:00.000Z")


async def test_candles_of_a_historical_market_have_the_names_of_that_tier(client: Client) -> None:
    created_s = client.venue.clock() // 1000
    await aged(client)
    span = {"start_ts": created_s, "end_ts": created_s + 86_400, "period_interval": 60}
    rows = (await client.get(f"/historical/markets/{TICKER}/candlesticks", None, **span))["candlesticks"]
    assert [row["price"]["close"] for row in rows if row["price"]["close"]] == ["0.4000"]
    assert sum(float(row["volume"]) for row in rows) == 10
    live = await client.get(f"/series/{FREE_SERIES}/markets/{TICKER}/candlesticks", None, **span)
    assert len(live["candlesticks"]) == len(rows)
