"""What surrounds the markets: incentive programmes, tags, deposits, volume, and data that a local venue has none of."""

import pytest

from offchain_book.engine import commands as c
from tests.gateways.conftest import Client
from tests.sdk.kalshi_venue import ALICE, BOB, CONTRACT, DAY_MS, DOLLAR, FREE_EVENT, OTHER, TICKER


async def test_incentive_programme_shows_its_whole_reward_in_hundredths_of_a_cent(client: Client) -> None:
    now = client.venue.clock()
    for ticker, starts in ((TICKER, now), (OTHER, now + DAY_MS)):
        await client.venue.do(c.SetRewardProgram(ticker, 10 * DOLLAR, 5 * CONTRACT, 500, starts, starts + 2 * DAY_MS))
    listed = (await client.get("/incentive_programs", None))["incentive_programs"]
    assert [row["market_ticker"] for row in listed] == [OTHER, TICKER]
    assert (listed[1]["period_reward"], listed[1]["target_size_fp"], listed[1]["paid_out"]) == (200_000, "5.00", False)
    active = await client.get("/incentive_programs", None, status="active")
    assert [row["market_ticker"] for row in active["incentive_programs"]] == [TICKER]
    assert (await client.get("/incentive_programs", None, type="volume"))["incentive_programs"] == []
    page = await client.get("/incentive_programs", None, limit=1)
    rest = await client.get("/incentive_programs", None, limit=1, cursor=page["next_cursor"])
    assert [rest["incentive_programs"][0]["market_ticker"], rest["next_cursor"]] == [TICKER, ""]


async def test_tags_are_those_of_the_series(client: Client) -> None:
    assert (await client.get("/search/tags_by_categories", None))["tags_by_categories"] == {"Climate": ["weather"]}


async def test_metadata_names_the_event_s_markets(client: Client) -> None:
    metadata = await client.get(f"/events/{FREE_EVENT}/metadata", None)
    assert TICKER in [row["market_ticker"] for row in metadata["market_details"]]
    assert (await client.send("GET", "/events/NONE/metadata", None)).status_code == 404


async def test_deposits_are_the_account_s_own(client: Client) -> None:
    await client.venue.deposit(ALICE, 12 * DOLLAR)
    deposits = (await client.get("/portfolio/deposits"))["deposits"]
    assert [row["amount_cents"] for row in deposits] == [1_200, 100_000]
    assert {(row["type"], row["status"]) for row in deposits} == {("crypto", "applied")}


async def test_volume_counts_both_sides_of_thirty_days(client: Client) -> None:
    await client.place(ALICE, "bid", "0.4000", "10.00")
    await client.place(BOB, "ask", "0.4000", "10.00")
    path = "/account/api_usage_level/volume_progress"
    assert (await client.get(path))["volume_progress"][0]["trailing_30d_volume_fp"] == "10.00"
    client.venue.clock.offset_ms += 31 * DAY_MS
    assert (await client.get(path))["volume_progress"][0]["trailing_30d_volume_fp"] == "0.00"


async def test_data_timestamp_moves_with_the_newest_command(client: Client) -> None:
    before = (await client.get("/exchange/user_data_timestamp", None))["as_of_time"]
    client.venue.clock.offset_ms += 5_000
    await client.place(ALICE, "bid", "0.4000", "10.00")
    assert (await client.get("/exchange/user_data_timestamp", None))["as_of_time"] > before


@pytest.mark.parametrize(
    ("path", "name"),
    [("/milestones?limit=5", "milestones"), ("/structured_targets?ids=a&ids=b", "structured_targets")],
)
async def test_lists_of_the_outside_world_are_empty(client: Client, path: str, name: str) -> None:
    assert (await client.get(path, None))[name] == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/milestones/some-id", "milestone_not_found"),
        ("/structured_targets/some-id", "structured_target_not_found"),
        ("/live_data/milestone/some-id", "milestone_not_found"),
        ("/live_data/milestone/some-id/game_stats", "milestone_not_found"),
        ("/live_data/football/milestone/some-id", "milestone_not_found"),
        ("/live_data/weather/nyc", "city_not_found"),
        ("/live_data/events/some-event", "event_ticker_not_found"),
    ],
)
async def test_single_things_of_the_outside_world_do_not_exist(client: Client, path: str, code: str) -> None:
    response = await client.send("GET", path, None)
    assert (response.status_code, response.json()["code"]) == (404, code)
