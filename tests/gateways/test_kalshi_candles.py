"""Candlesticks: prices, volumes and quotes by the minute, hour and day."""

from typing import Any

import pytest

from offchain_book.gateways.kalshi_candles import MAX_CANDLES
from tests.gateways.conftest import Client
from tests.sdk.kalshi_venue import ALICE, BOB, FREE_EVENT, FREE_SERIES, OTHER, TICKER

MINUTE_MS = 60_000
OF_MARKET = f"/series/{FREE_SERIES}/markets/{TICKER}/candlesticks"


async def traded(client: Client) -> int:
    """Trade at 40, 55 and 30 cents in one minute and at 60 two minutes later; return the end of the first, in seconds."""
    clock = client.venue.clock
    clock.offset_ms += MINUTE_MS - clock() % MINUTE_MS + 1_000
    first_end_s = (clock() // MINUTE_MS + 1) * 60
    for price, count in (("0.4000", "10.00"), ("0.5500", "2.00"), ("0.3000", "8.00")):
        await client.place(ALICE, "bid", price, count)
        await client.place(BOB, "ask", price, count)
    clock.offset_ms += 2 * MINUTE_MS
    await client.place(BOB, "ask", "0.6000", "5.00")
    await client.place(ALICE, "bid", "0.6000", "1.00")
    return first_end_s


def window(first_s: int, last_s: int, minutes: int = 1) -> dict[str, Any]:
    """Return the query of a span."""
    return {"start_ts": first_s, "end_ts": last_s, "period_interval": minutes}


async def test_minute_has_first_highest_lowest_last_and_weighted_mean_price(client: Client) -> None:
    end_s = await traded(client)
    reply = await client.get(OF_MARKET, None, **window(end_s, end_s + 120))
    first, between, last = reply["candlesticks"]
    assert reply["ticker"] == TICKER
    assert first["end_period_ts"] == end_s
    assert first["price"] == {
        "open_dollars": "0.4000",
        "high_dollars": "0.5500",
        "low_dollars": "0.3000",
        "close_dollars": "0.3000",
        "mean_dollars": "0.3750",
        "previous_dollars": None,
    }
    assert (first["volume_fp"], first["open_interest_fp"]) == ("20.00", "20.00")
    assert (between["price"]["close_dollars"], between["price"]["previous_dollars"]) == (None, "0.3000")
    assert (between["volume_fp"], between["open_interest_fp"]) == ("0.00", "20.00")
    assert (last["price"]["open_dollars"], last["open_interest_fp"]) == ("0.6000", "21.00")


async def test_quotes_carry_over_minutes_in_which_nothing_changed(client: Client) -> None:
    end_s = await traded(client)
    client.venue.clock.offset_ms += 2 * MINUTE_MS
    rows = (await client.get(OF_MARKET, None, **window(end_s, end_s + 240)))["candlesticks"]
    first, between, changed, after = rows[0], rows[1], rows[2], rows[3]
    assert first["yes_bid"]["high_dollars"] == "0.5500"
    assert (first["yes_bid"]["open_dollars"], first["yes_bid"]["close_dollars"]) == ("0.0000", "0.0000")
    assert between["yes_ask"]["close_dollars"] == "1.0000"
    assert (changed["yes_ask"]["open_dollars"], changed["yes_ask"]["close_dollars"]) == ("1.0000", "0.6000")
    assert set(after["yes_ask"].values()) == {"0.6000"}


async def test_hour_is_the_sum_of_its_minutes(client: Client) -> None:
    end_s = await traded(client)
    rows = (await client.get(OF_MARKET, None, **window(end_s - 3_600, end_s + 7_200, 60)))["candlesticks"]
    assert sum(float(row["volume_fp"]) for row in rows) == 21
    assert [row["price"]["close_dollars"] for row in rows if row["price"]["close_dollars"]][-1] == "0.6000"


async def test_last_candle_before_the_start_is_projected_when_asked_for(client: Client) -> None:
    end_s = await traded(client)
    client.venue.clock.offset_ms += 5 * MINUTE_MS
    span = window(end_s + 240, end_s + 300) | {"include_latest_before_start": "true"}
    first, second, *_ = (await client.get(OF_MARKET, None, **span))["candlesticks"]
    assert (first["end_period_ts"], first["price"]["previous_dollars"]) == (end_s + 240, "0.6000")
    assert first["price"]["close_dollars"] is None
    assert second["end_period_ts"] == end_s + 240


async def test_batch_and_event_have_a_row_for_every_market(client: Client) -> None:
    end_s = await traded(client)
    batch = await client.get("/markets/candlesticks", None, market_tickers=f"{TICKER},{OTHER}", **window(end_s, end_s))
    assert [row["market_ticker"] for row in batch["markets"]] == [TICKER, OTHER]
    assert batch["markets"][0]["candlesticks"][0]["volume_fp"] == "20.00"
    event = await client.get(f"/series/{FREE_SERIES}/events/{FREE_EVENT}/candlesticks", None, **window(end_s, end_s))
    assert event["market_tickers"][:2] == [TICKER, OTHER]
    assert event["market_candlesticks"][0] == batch["markets"][0]["candlesticks"]
    assert event["adjusted_end_ts"] == end_s


async def test_event_moves_its_end_back_when_there_would_be_too_many(client: Client) -> None:
    client.venue.clock.offset_ms += 20 * 86_400_000
    now_s = client.venue.clock() // 1000
    reply = await client.get(
        f"/series/{FREE_SERIES}/events/{FREE_EVENT}/candlesticks", None, **window(now_s - 15 * 86_400, now_s)
    )
    assert sum(len(rows) for rows in reply["market_candlesticks"]) <= MAX_CANDLES
    assert reply["adjusted_end_ts"] < now_s - 86_400


@pytest.mark.parametrize(
    ("path", "query", "parameter"),
    [
        (OF_MARKET, {"start_ts": 1, "end_ts": 2}, "period_interval"),
        (OF_MARKET, window(1, 2, 7), "period_interval"),
        (OF_MARKET, window(2, 1), "end_ts"),
        (OF_MARKET, {"period_interval": 1}, "end_ts"),
        ("/markets/candlesticks", window(1, 2), "market_tickers"),
    ],
)
async def test_bad_span_is_refused_by_name(client: Client, path: str, query: dict[str, Any], parameter: str) -> None:
    response = await client.send("GET", path, None, params=query)
    assert (response.status_code, response.json()["error"]["details"]["parameter"]) == (400, parameter)


async def test_market_under_another_series_does_not_exist(client: Client) -> None:
    response = await client.send("GET", f"/series/KXSNOW/markets/{TICKER}/candlesticks", None, params=window(1, 2))
    assert (response.status_code, response.json()["code"]) == (404, "market_not_found")
