"""The operator's and the reviewer's routes for a market's life, ticks, modes and trading hours."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.hours import session_at
from offchain_book.engine.market import MarketStatus
from offchain_book.engine.market_commands import TradingHours, Week
from offchain_book.engine.state import Session
from offchain_book.gateways.price_structures import PRICE_STRUCTURES
from offchain_book.gateways.trading_hours import offsets_of, session_minutes, week_view
from tests.gateways.native_venue import REVIEWER, TICKER, NativeVenue

HOUR_MS = 3_600_000


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[NativeVenue]:
    async with NativeVenue(tmp_path).running() as running:
        yield running


def error_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def act(small: NativeVenue, verb: str, body: Any = None, **more: Any) -> Any:
    """Do something to the market that must succeed."""
    answer = await small.admin("POST", f"/markets/{TICKER}/{verb}", body, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_market_pauses_and_resumes(small: NativeVenue) -> None:
    assert (await act(small, "pause"))["status"] == "inactive"
    answer = await small.admin("POST", f"/markets/{TICKER}/pause", None)
    assert error_of(answer) == (409, "WRONG_MARKET_STATE")
    assert (await act(small, "resume"))["status"] == "active"


async def test_a_void_market_shows_value_and_reason(small: NativeVenue) -> None:
    assert error_of(await small.admin("POST", f"/markets/{TICKER}/void", {})) == (400, "BAD_BODY")
    found = await act(small, "void", {"reason": "called off", "value": "0.35"})
    assert (found["status"], found["voided"], found["yes_payout_micros"]) == ("determined", True, 350_000)
    assert found["resolution_source"] == "void: called off"


async def test_only_the_reviewer_disputes_and_amends(small: NativeVenue) -> None:
    small.state.markets[TICKER].settlement_timer_s = 3_600
    await act(small, "resolve", {"outcome": "yes"})
    doubt = {"reason": "another source"}
    for headers in ({}, {"Authorization": "Bearer token"}, {"Authorization": "Bearer "}):
        assert (await small.admin("POST", f"/markets/{TICKER}/dispute", doubt, headers)).status_code == 401
    for path, body in (("pause", None), ("resolve", {"outcome": "no"})):
        assert (await small.admin("POST", f"/markets/{TICKER}/{path}", body, REVIEWER)).status_code == 401
    assert (await act(small, "dispute", doubt, headers=REVIEWER))["status"] == "disputed"
    found = await act(small, "amend", {"outcome": "0.25", "reason": "the second source"}, headers=REVIEWER)
    assert (found["status"], found["yes_payout_micros"]) == ("amended", 250_000)
    assert found["settles_ms"] == small.state.now_ms + 3_600_000


async def test_ticks_get_finer_and_never_coarser(small: NativeVenue) -> None:
    assert (await act(small, "ticks", {"price_structure": "deci_cent"}))["price_structure"] == "deci_cent"
    answer = await small.admin("POST", f"/markets/{TICKER}/ticks", {"price_structure": "linear_cent"})
    assert error_of(answer) == (409, "TICKS_NOT_FINER")
    answer = await small.admin("POST", f"/markets/{TICKER}/ticks", {"price_structure": "coarse"})
    assert error_of(answer) == (400, "BAD_PRICE_STRUCTURE")


async def test_the_mode_of_the_exchange_is_shown_and_set(small: NativeVenue) -> None:
    until = datetime.fromtimestamp(small.sequencer.clock_ms() / 1_000 + 60, UTC)
    answer = await small.admin("PUT", "/exchange/mode", {"mode": "post_only", "until": until.isoformat()})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["mode"], answer.json()["trading_active"]) == ("post_only", True)
    await small.admin("PUT", "/exchange/mode", {"mode": "paused"})
    found = (await small.admin("GET", "/exchange")).json()
    assert (found["mode"], found["exchange_active"], found["mode_until_ms"]) == ("paused", False, None)
    assert error_of(await small.admin("PUT", "/exchange/mode", {"mode": "asleep"})) == (400, "BAD_BODY")
    late = {"mode": "paused", "until": "2020-01-01T00:00:00Z"}
    assert error_of(await small.admin("PUT", "/exchange/mode", late)) == (400, "INVALID_SCHEDULE")


async def test_trading_hours_are_local_times_of_a_zone(small: NativeVenue) -> None:
    day = [["00:00", "00:00"]]
    hours = dict.fromkeys(("monday", "tuesday", "wednesday", "friday", "saturday", "sunday"), day)
    hours["thursday"] = [["00:00", "03:00"], ["05:00", "00:00"]]
    week = {"start": "2020-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z", "hours": hours}
    window = {"start": "2029-01-01T00:00:00Z", "end": "2029-01-01T06:00:00Z"}
    answer = await small.admin("PUT", "/exchange/hours", {"weeks": [week], "maintenance": [window]})
    assert answer.status_code == 200, answer.text
    shown = answer.json()["hours"]["weeks"][0]["hours"]
    assert (shown["thursday"], shown["friday"]) == ([["00:00", "03:00"], ["05:00", "00:00"]], day)
    found = small.state.hours
    summer, winter = (datetime(2026, month, 9, 7, tzinfo=UTC) for month in (7, 12))
    winter = winter.replace(day=10)
    sessions = {at.month: session_at(found, int(at.timestamp()) * 1_000) for at in (summer, winter)}
    assert sessions == {7: Session.CLOSED, 12: Session.OPEN}, "07:00 UTC is 03:00 in a New York summer, 02:00 in winter"
    assert (await small.admin("PUT", "/exchange/hours", {})).status_code == 200
    assert small.state.hours == TradingHours()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"zone": "Atlantis/Centre"}, "BAD_ZONE"),
        (
            {"weeks": [{"start": "2020-01-01T00:00:00Z", "end": "2021-01-01T00:00:00Z", "hours": {"doomsday": []}}]},
            "BAD_BODY",
        ),
        ({"weeks": [{"start": "2020-01-01T00:00:00Z", "end": "2090-01-01T00:00:00Z", "hours": {}}]}, "BAD_BODY"),
        ({"weeks": [{"start": "2021-01-01T00:00:00Z", "end": "2020-01-01T00:00:00Z", "hours": {}}]}, "INVALID_SCHEDULE"),
        (
            {
                "weeks": [
                    {
                        "start": "2020-01-01T00:00:00Z",
                        "end": "2021-01-01T00:00:00Z",
                        "hours": {"monday": [["09:00", "08:00"]]},
                    }
                ]
            },
            "INVALID_SCHEDULE",
        ),
        ({"maintenance": [{"start": "2021-01-01T00:00:00", "end": "2022-01-01T00:00:00Z"}]}, "BAD_BODY"),
    ],
)
async def test_hours_that_cannot_be_are_refused_by_name(small: NativeVenue, body: dict[str, Any], code: str) -> None:
    assert error_of(await small.admin("PUT", "/exchange/hours", body)) == (400, code)
    assert small.state.hours == TradingHours()


def test_offsets_follow_the_zone_to_the_minute() -> None:
    zone = ZoneInfo("America/New_York")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = offsets_of(zone, start, datetime(2027, 1, 1, tzinfo=UTC))
    assert [minutes for _, minutes in found] == [-300, -240, -300]
    for changed_ms, minutes in found[1:]:
        at = datetime.fromtimestamp(changed_ms / 1_000, UTC)
        before = (at - timedelta(minutes=1)).astimezone(zone).utcoffset()
        after = at.astimezone(zone).utcoffset()
        assert after == timedelta(minutes=minutes) != before


def test_sessions_that_touch_are_one_and_shown_by_day() -> None:
    sessions = session_minutes({"monday": [("22:00", "00:00")], "tuesday": [("00:00", "02:00"), ("09:30", "16:00")]})
    assert sessions == ((1_320, 1_560), (2_010, 2_400))
    shown = week_view(Week(0, 1, sessions))
    assert shown["monday"] == [("22:00", "00:00")]
    assert shown["tuesday"] == [("00:00", "02:00"), ("09:30", "16:00")]


@pytest.mark.parametrize("name", list(PRICE_STRUCTURES))
async def test_every_price_structure_makes_a_market_that_trades_its_prices(small: NativeVenue, name: str) -> None:
    listed = small.state.markets[TICKER]
    number = int(listed.condition_id, 16) + (1 << 8)
    made = await small.sequencer.submit(
        c.CreateMarket(
            "GRID", listed.event_ticker, "?", "0x1", f"0x{number:064x}", str(number | 1), str(number | 2), 0, 10**15,
            price_structure=name, price_ranges=PRICE_STRUCTURES[name],
        )
    )  # fmt: skip
    assert made.rejected is None
    grid = small.state.markets["GRID"]
    valid = {price for start, end, step in grid.price_ranges for price in range(start, end + 1, step)}
    assert {10_000 - price for price in valid} == valid, "the NO side has the same grid"
    whole = set(range(100, 10_000, 100))
    assert name == "ten_cent" or whole <= valid
    assert all(price % grid.tick_at(price) == 0 for price in valid)
    assert grid.status is MarketStatus.ACTIVE


async def test_fees_change_by_route_and_the_change_is_kept(small: NativeVenue) -> None:
    body = {"id": "f1", "event": "KXRAIN-26", "fee_type": "quadratic", "taker_fee": "0.05", "maker_rebate": "0.01"}
    answer = await small.admin("POST", "/fees", body)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["made"], answer.json()["maker_rate_e4"]) == (True, -100)
    listed = small.state.markets[TICKER]
    assert (listed.taker_rate_e4, listed.maker_rate_e4) == (500, -100)
    assert error_of(await small.admin("POST", "/fees", body)) == (409, "DUPLICATE_REQUEST")
    for wrong in ({"taker_fee": "0.08"}, {"maker_fee": "0.01"}):
        assert error_of(await small.admin("POST", "/fees", body | {"id": "f2"} | wrong)) == (400, "BAD_FEES")


async def test_flat_fees_and_whole_cents_come_by_route_and_every_dialect_says_so(small: NativeVenue) -> None:
    body = {"id": "f1", "series": "KXRAIN", "fee_type": "flat", "taker_fee": "0.01", "whole_cents": True}
    answer = await small.admin("POST", "/fees", body)
    assert (answer.status_code, answer.json()["whole_cents"]) == (201, True)
    fee = small.state.markets[TICKER].fees.taker
    assert (fee.rate_e4, fee.flat, fee.whole_cents) == (100, True, True)
    series = (await small.http.get("/trade-api/v2/series/KXRAIN")).json()["series"]
    assert (series["fee_type"], series["fee_multiplier"], series["taker_fee_rate"]) == ("flat", 1, "0.0100")
    assert small.state.markets[TICKER].max_rate_e4 == 700, "what a wallet's signature has to allow"
    wrong = body | {"id": "f2", "maker_rebate": "0.001"}
    assert error_of(await small.admin("POST", "/fees", wrong)) == (400, "BAD_FEES")


async def test_kalshis_clients_see_fee_changes(small: NativeVenue) -> None:
    for name, change in {
        "now": {"event": "KXRAIN-26", "fee_type": "quadratic", "taker_fee": "0.035"},
        "later": {"series": "KXRAIN", "fee_type": "quadratic", "taker_fee": "0.07", "at": "2035-01-01T00:00:00Z"},
        "clear": {"event": "KXRAIN-26", "at": "2035-01-01T00:00:00Z"},
    }.items():
        assert (await small.admin("POST", "/fees", {"id": name, **change})).status_code == 201
    api = "/trade-api/v2"
    (series,) = (await small.http.get(f"{api}/series/fee_changes")).json()["series_fee_change_arr"]
    assert (series["id"], series["fee_multiplier"], series["scheduled_ts"]) == ("later", 1, "2035-01-01T00:00:00.000Z")
    events = (await small.http.get(f"{api}/events/fee_changes?event_ticker=KXRAIN-26")).json()
    shown = [(row["id"], row["fee_type_override"], row["fee_multiplier_override"]) for row in events["event_fee_changes"]]
    assert (shown, events["cursor"]) == ([("clear", None, None), ("now", "quadratic", 0.5)], "")
    event = (await small.http.get(f"{api}/events/KXRAIN-26")).json()["event"]
    assert (event["fee_type_override"], event["fee_multiplier_override"]) == ("quadratic", 0.5)
