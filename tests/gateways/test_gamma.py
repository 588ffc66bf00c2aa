"""Gamma: numbers and slugs, production's fields, filters, order, pages, search."""

import json
from typing import Any

import httpx
import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.operations import Outcome
from tests.gateways.polymarket_fixtures import CONTRACT, DOLLAR, FEE_TICKER, FINE_TICKER, TICKER, House, Wallet
from tests.gateways.polymarket_house import placed, public_get, token


def slugs(rows: list[dict[str, Any]]) -> list[str]:
    return [row["slug"] for row in rows]


async def test_a_market_tells_everything_a_bot_needs_to_trade_it(
    house: House,
    http: httpx.AsyncClient,
    wendy: Wallet,
) -> None:
    await placed(wendy, "BUY", token(house), 6 * DOLLAR, 10 * CONTRACT)
    found = await public_get(http, "/gamma/markets/slug/rain-1")
    assert found == await public_get(http, "/gamma/markets/1")
    market = house.state.markets[TICKER]
    assert (found["id"], found["conditionId"], found["questionID"]) == ("1", market.condition_id, market.question_id)
    assert json.loads(found["clobTokenIds"]) == [market.yes_token_id, market.no_token_id]
    assert (json.loads(found["outcomes"]), json.loads(found["outcomePrices"])) == (["Yes", "No"], ["0.5", "0.5"])
    assert (found["bestBid"], found["bestAsk"], found["spread"], found["lastTradePrice"]) == (0.4, 0.6, 0.2, 0.6)
    assert (found["volumeNum"], found["volume24hr"], found["volume"]) == (6, 6, "6")
    assert found["liquidityNum"] == 100 * 0.4 + 90 * 0.4
    assert (found["orderPriceMinTickSize"], found["orderMinSize"], found["acceptingOrders"]) == (0.01, 0.01, True)
    assert (found["events"][0]["slug"], "markets" in found["events"][0]) == ("rain", False)


async def test_markets_are_filtered_by_what_names_them(house: House, http: httpx.AsyncClient) -> None:
    market = house.state.markets[FEE_TICKER]
    for name, value in (
        ("id", "2"),
        ("slug", "snow-1"),
        ("condition_ids", market.condition_id),
        ("clob_token_ids", market.no_token_id),
        ("question_ids", market.question_id),
    ):
        assert slugs(await public_get(http, "/gamma/markets", **{name: value})) == ["snow-1"], name
    assert slugs(await public_get(http, "/gamma/markets", slug=["rain-1", "wind-1"])) == ["rain-1", "wind-1"]
    tag = next(row["id"] for row in await public_get(http, "/gamma/tags") if row["slug"] == "weather")
    assert slugs(await public_get(http, "/gamma/markets", tag_id=tag)) == ["rain-1", "wind-1"]
    assert slugs(await public_get(http, "/gamma/markets", liquidity_num_min="1")) == ["rain-1"]
    assert await public_get(http, "/gamma/markets", end_date_max="2026-01-01T00:00:00Z") == []


async def test_closed_markets_are_listed_when_asked_for(house: House, http: httpx.AsyncClient) -> None:
    await house.do(c.ResolveMarket(FINE_TICKER, DOLLAR))
    assert slugs(await public_get(http, "/gamma/markets")) == ["rain-1", "snow-1"]
    (closed,) = await public_get(http, "/gamma/markets", closed="true")
    assert (closed["slug"], closed["closed"], json.loads(closed["outcomePrices"])) == ("wind-1", True, ["1", "0"])
    assert "closedTime" in closed
    assert not (await public_get(http, "/gamma/events/slug/rain"))["closed"], "another market of it still trades"


async def test_lists_are_ordered_and_paged(
    house: House,
    http: httpx.AsyncClient,
    wendy: Wallet,
) -> None:
    await placed(wendy, "BUY", token(house), 6 * DOLLAR, 10 * CONTRACT)
    ordered = await public_get(http, "/gamma/markets", order="volume_num", ascending="false")
    assert slugs(ordered)[0] == "rain-1"
    assert slugs(await public_get(http, "/gamma/markets", ascending="false", order="id")) == ["wind-1", "snow-1", "rain-1"]
    assert slugs(await public_get(http, "/gamma/markets", limit=1, offset=1)) == ["snow-1"]
    seen: list[str] = []
    page = await public_get(http, "/gamma/markets/keyset", limit=2)
    seen += slugs(page["markets"])
    page = await public_get(http, "/gamma/markets/keyset", limit=2, after_cursor=page["next_cursor"])
    assert seen + slugs(page["markets"]) == ["rain-1", "snow-1", "wind-1"]
    assert "next_cursor" not in page


async def test_events_carry_their_markets_series_and_tags(house: House, http: httpx.AsyncClient) -> None:
    rain, snow = await public_get(http, "/gamma/events")
    assert (slugs(rain["markets"]), slugs(snow["markets"])) == (["rain-1", "wind-1"], ["snow-1"])
    assert rain == await public_get(http, "/gamma/events/1") == await public_get(http, "/gamma/events/slug/rain")
    assert [row["slug"] for row in rain["series"]] == ["free"]
    assert [row["label"] for row in await public_get(http, "/gamma/events/1/tags")] == ["Other", "weather"]
    assert slugs(await public_get(http, "/gamma/events", tag_slug="weather")) == ["rain"]
    assert slugs((await public_get(http, "/gamma/events/keyset", limit=1))["events"]) == ["rain"]
    series = await public_get(http, "/gamma/series/1")
    assert (series["slug"], slugs(series["events"])) == ("free", ["rain"])
    assert slugs(await public_get(http, "/gamma/series")) == ["free", "paid"]
    assert (await public_get(http, "/gamma/tags/slug/weather"))["label"] == "weather"


async def test_search_finds_events_by_all_words_tags_and_wallets(
    house: House,
    http: httpx.AsyncClient,
    wendy: Wallet,
) -> None:
    found = await public_get(http, "/gamma/public-search", q="WIND happen")
    assert (slugs(found["events"]), found["pagination"]) == (["rain"], {"hasMore": False, "totalResults": 1})
    assert (await public_get(http, "/gamma/public-search", q="wind snow"))["events"] == []
    paged = await public_get(http, "/gamma/public-search", q="happen", limit_per_type=1)
    assert paged["pagination"] == {"hasMore": True, "totalResults": 2}
    assert slugs((await public_get(http, "/gamma/public-search", q="happen", limit_per_type=1, page=2))["events"]) == [
        "snow"
    ]
    (tag,) = (await public_get(http, "/gamma/public-search", q="weather"))["tags"]
    assert tag["event_count"] == 1
    (profile,) = (await public_get(http, "/gamma/public-search", q=wendy.address))["profiles"]
    assert profile["proxyWallet"] == wendy.account
    assert "createdAt" in await public_get(http, "/gamma/public-profile", address=wendy.address)


async def test_a_programme_shows_in_its_market(house: House, http: httpx.AsyncClient) -> None:
    await house.do(c.SetRewardProgram(TICKER, 50 * DOLLAR, 20 * CONTRACT, 350, 0, 4_000_000_000_000))
    found = await public_get(http, "/gamma/markets/1")
    assert (found["rewardsMinSize"], found["rewardsMaxSpread"]) == (20, 3.5)
    assert found["clobRewards"][0]["rewardsDailyRate"] == 50
    assert slugs(await public_get(http, "/gamma/markets", rewards_min_size="20")) == ["rain-1"]


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/gamma/markets/99", 404, None),
        ("/gamma/events/slug/none", 404, None),
        ("/gamma/markets?limit=501", 400, "limit"),
        ("/gamma/markets?closed=maybe", 400, "closed"),
        ("/gamma/markets?order=luck", 400, "order"),
        ("/gamma/markets?end_date_min=soon", 400, "end_date_min"),
        ("/gamma/markets?volume_num_min=NaN", 400, "volume_num_min"),
        ("/gamma/markets/keyset?offset=3", 400, "offset"),
        ("/gamma/markets/keyset?after_cursor=!", 400, None),
        ("/gamma/public-search", 400, "q"),
        ("/gamma/public-profile?address=me", 400, "address"),
    ],
)
async def test_what_means_nothing_is_refused_by_name(
    http: httpx.AsyncClient,
    path: str,
    status: int,
    field: str | None,
) -> None:
    answer = await http.get(path)
    assert answer.status_code == status, answer.text
    assert answer.json()["details"].get("field") == field


async def test_what_this_venue_has_none_of_is_an_empty_list(http: httpx.AsyncClient) -> None:
    for path in ("/sports", "/teams", "/comments", "/tags/1/related-tags"):
        assert await public_get(http, f"/gamma{path}") == []


async def test_a_new_market_is_in_the_index_at_once(house: House, http: httpx.AsyncClient) -> None:
    assert len(await public_get(http, "/gamma/events")) == 2
    await house.do(c.CreateEvent("HAIL", "PAID", "Hail"))
    found = await public_get(http, "/gamma/events/3")
    assert (found["slug"], found["markets"], found["closed"]) == ("hail", [], False)
    assert Outcome.YES == 1
