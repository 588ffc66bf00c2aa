"""What anybody may read in Kalshi's dialect: formats, meanings, filters, pages."""

from typing import Any

import pytest

from offchain_book.engine.commands import CloseMarket, ResolveMarket
from offchain_book.gateways.kalshi_units import count_text, dollars_text, parse_fixed_point, price_text, time_text
from tests.gateways.conftest import Client
from tests.sdk.kalshi_venue import (
    ALICE,
    BOB,
    DAY_MS,
    FEE_TICKER,
    FREE_EVENT,
    LATER_TICKER,
    OTHER,
    PAID_EVENT,
    PAID_SERIES,
    TICKER,
)


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0.0000"),
        (1, "0.000001"),
        (100, "0.0001"),
        (400_000, "0.4000"),
        (-1_500_050, "-1.500050"),
        (10**12, "1000000.0000"),
    ],
)
def test_dollars_have_four_decimals_or_six(micros: int, text: str) -> None:
    assert dollars_text(micros) == text


@pytest.mark.parametrize(
    ("micros", "text"), [(0, "0.00"), (9_999, "0.00"), (10_000, "0.01"), (-9_999, "0.00"), (-3_000_000, "-3.00")]
)
def test_counts_have_two_decimals(micros: int, text: str) -> None:
    assert count_text(micros) == text


def test_prices_and_times() -> None:
    assert (price_text(1), price_text(9_999), price_text(10_000)) == ("0.0001", "0.9999", "1.0000")
    assert time_text(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
    assert time_text(10**18) == "9999-12-31T23:59:59.999Z"


@pytest.mark.parametrize("text", ["", "-", ".", "1.", ".1", "1e5", "--1", "0x1", "1 ", "1" * 13, "1." + "0" * 31])
def test_what_is_no_fixed_point_number(text: str) -> None:
    assert parse_fixed_point(text) is None


async def test_status_tells_when_the_exchange_has_stopped(client: Client) -> None:
    assert (await client.get("/exchange/status", None))["trading_active"] is True
    client.venue.sequencer.failure = RuntimeError("broken")
    assert (await client.get("/exchange/status", None))["exchange_active"] is False


async def test_series_tell_their_fees(client: Client) -> None:
    rows = {row["ticker"]: row for row in (await client.get("/series", None, include_volume="true"))["series"]}
    assert (rows["KXRAIN"]["fee_type"], rows["KXRAIN"]["fee_multiplier"]) == ("quadratic", 0)
    assert (rows["KXSNOW"]["fee_type"], rows["KXSNOW"]["fee_multiplier"]) == ("quadratic_with_maker_fees", 1)
    assert rows["KXRAIN"]["volume_fp"] == "0.00"
    assert (await client.get("/series", None, tags="weather,x"))["series"][0]["ticker"] == "KXRAIN"
    assert (await client.get("/series", None, category="climate"))["series"] == []
    assert (await client.send("GET", "/series/KXNO", None)).json()["code"] == "series_not_found"


async def test_events_with_and_without_their_markets(client: Client) -> None:
    rows = (await client.get("/events", None))["events"]
    assert [row["event_ticker"] for row in rows] == [PAID_EVENT, FREE_EVENT]
    assert "markets" not in rows[0]
    nested = await client.get("/events", None, with_nested_markets="true", with_milestones="true")
    assert [market["ticker"] for market in nested["events"][0]["markets"]] == [FEE_TICKER]
    assert nested["milestones"] == []
    beside = await client.get(f"/events/{FREE_EVENT}", None)
    assert [market["ticker"] for market in beside["markets"]] == [TICKER, OTHER, LATER_TICKER]
    inside = await client.get(f"/events/{FREE_EVENT}", None, with_nested_markets="true")
    assert inside["markets"] == []
    assert inside["event"]["markets"] == beside["markets"]
    assert (await client.get(f"/events/{FREE_EVENT}", None, exclude_markets="true"))["markets"] == []
    both = {"exclude_markets": "true", "with_nested_markets": "true"}
    assert (await client.send("GET", f"/events/{FREE_EVENT}", None, params=both)).status_code == 400
    assert (await client.send("GET", "/events/KXNO", None)).json()["code"] == "event_not_found"


async def test_events_are_filtered_and_paged(client: Client) -> None:
    async def found(**filters: Any) -> list[str]:
        return [row["event_ticker"] for row in (await client.get("/events", None, **filters))["events"]]

    assert await found(series_ticker=PAID_SERIES) == [PAID_EVENT]
    assert await found(tickers=f"{FREE_EVENT},KXNO") == [FREE_EVENT]
    assert await found(status="open") == [PAID_EVENT, FREE_EVENT]
    assert await found(status="settled") == []
    assert await found(min_close_ts=client.venue.clock() // 1000 + 10**8) == []
    await client.venue.resolve(FEE_TICKER, 0)
    assert await found(status="settled") == [PAID_EVENT]
    first = await client.get("/events", None, limit=1)
    assert [row["event_ticker"] for row in first["events"]] == [PAID_EVENT]
    assert await found(limit=1, cursor=first["cursor"]) == [FREE_EVENT]
    assert (await client.send("GET", "/events", None, params={"limit": 201})).status_code == 400


async def test_market_of_an_empty_book(client: Client) -> None:
    market = (await client.get(f"/markets/{TICKER}", None))["market"]
    assert (market["yes_bid_dollars"], market["yes_ask_dollars"]) == ("0.0000", "1.0000")
    assert (market["last_price_dollars"], market["result"], market["status"]) == ("0.0000", "", "active")
    assert market["price_ranges"] == [{"start": "0.0100", "end": "0.9900", "step": "0.0100"}]
    assert market["expiration_value"] == ""
    assert "settlement_value_dollars" not in market
    assert (await client.send("GET", "/markets/KXNO", None)).status_code == 404


async def test_time_moves_a_market_without_an_event(client: Client) -> None:
    async def status(ticker: str) -> str:
        return str((await client.get(f"/markets/{ticker}", None))["market"]["status"])

    assert await status(LATER_TICKER) == "initialized"
    client.venue.clock.offset_ms = DAY_MS
    assert await status(LATER_TICKER) == "active"
    client.venue.clock.offset_ms = 31 * DAY_MS
    assert await status(TICKER) == "closed"


async def test_status_filters_follow_the_life_of_a_market(client: Client) -> None:
    async def found(status: str) -> set[str]:
        rows = (await client.get("/markets", None, status=status, event_ticker=FREE_EVENT))["markets"]
        return {row["ticker"] for row in rows}

    await client.venue.do(CloseMarket(OTHER))
    assert await found("unopened") == {LATER_TICKER}
    assert await found("open") == {TICKER}
    assert await found("closed") == {OTHER}
    assert await found("paused") == set()
    await client.venue.do(ResolveMarket(OTHER, 123_400))
    determined = (await client.get(f"/markets/{OTHER}", None))["market"]
    assert (determined["status"], determined["result"]) == ("determined", "scalar")
    assert (determined["settlement_value_dollars"], determined["expiration_value"]) == ("0.1234", "0.1234")
    assert await found("settled") == set()


async def test_markets_are_filtered(client: Client) -> None:
    async def found(**filters: Any) -> list[str]:
        return [row["ticker"] for row in (await client.get("/markets", None, **filters))["markets"]]

    now_s = client.venue.clock() // 1000
    assert await found() == [LATER_TICKER, FEE_TICKER, OTHER, TICKER]
    assert await found(limit=0) == await found()
    assert await found(series_ticker=PAID_SERIES) == [FEE_TICKER]
    assert await found(tickers=f"{TICKER},{FEE_TICKER}") == [FEE_TICKER, TICKER]
    assert await found(mve_filter="only") == []
    assert await found(min_created_ts=now_s + 100) == []
    assert await found(max_created_ts=now_s + 100, status="open") == [FEE_TICKER, OTHER, TICKER]
    assert await found(max_close_ts=now_s) == []
    assert await found(min_settled_ts=0) == []
    await client.venue.resolve(FEE_TICKER, 1_000_000)
    assert await found(min_settled_ts=now_s - 1) == [FEE_TICKER]
    assert await found(min_updated_ts=now_s - 100) == [LATER_TICKER, FEE_TICKER, OTHER, TICKER]


@pytest.mark.parametrize(
    "filters",
    [
        {"status": "active"},
        {"status": "open,closed"},
        {"limit": -1},
        {"limit": 1001},
        {"cursor": "b3JkZXJzLjE"},
        {"min_close_ts": 1, "min_created_ts": 1},
        {"min_close_ts": 1, "status": "open"},
        {"min_updated_ts": 1, "status": "open"},
        {"mve_filter": "all"},
        {"tickers": ",".join(["X"] * 101)},
    ],
)
async def test_bad_market_filter_is_400(client: Client, filters: dict[str, Any]) -> None:
    response = await client.send("GET", "/markets", None, params=filters)
    assert response.status_code == 400
    assert response.json()["error"]["message"]


async def test_book_is_ascending_with_the_best_last(client: Client) -> None:
    for price in ("0.38", "0.40", "0.39"):
        await client.place(ALICE, "bid", price, "2.50")
    for price in ("0.62", "0.60"):
        await client.place(BOB, "ask", price, "1")
    book = (await client.get(f"/markets/{TICKER}/orderbook", None))["orderbook_fp"]
    assert book["yes_dollars"] == [["0.3800", "2.50"], ["0.3900", "2.50"], ["0.4000", "2.50"]]
    assert book["no_dollars"] == [["0.3800", "1.00"], ["0.4000", "1.00"]]
    best = (await client.get(f"/markets/{TICKER}/orderbook", None, depth=1))["orderbook_fp"]
    assert best == {"yes_dollars": [["0.4000", "2.50"]], "no_dollars": [["0.4000", "1.00"]]}
    assert (await client.get(f"/markets/{TICKER}/orderbook", None, depth=-1))["orderbook_fp"] == book
    for depth in ("101", "x"):
        assert (await client.send("GET", f"/markets/{TICKER}/orderbook", None, params={"depth": depth})).status_code == 400
    assert (await client.send("GET", "/markets/KXNO/orderbook", None)).status_code == 404


async def test_several_books_in_the_order_asked_for(client: Client) -> None:
    books = (await client.get("/markets/orderbooks", None, tickers=[OTHER, TICKER]))["orderbooks"]
    assert [book["ticker"] for book in books] == [OTHER, TICKER]
    for tickers in ([], ["X"] * 101):
        assert (await client.send("GET", "/markets/orderbooks", None, params={"tickers": tickers})).status_code == 400
    unknown = await client.send("GET", "/markets/orderbooks", None, params={"tickers": [TICKER, "KXNO"]})
    assert unknown.status_code == 404


async def test_trades_newest_first_and_stable_pages(client: Client) -> None:
    await client.place(BOB, "ask", "0.40", "10")
    for count in ("1", "2", "3"):
        await client.place(ALICE, "bid", "0.40", count)
    first = await client.get("/markets/trades", None, ticker=TICKER, limit=2)
    assert [row["count_fp"] for row in first["trades"]] == ["3.00", "2.00"]
    await client.place(ALICE, "bid", "0.40", "4")
    second = await client.get("/markets/trades", None, ticker=TICKER, limit=2, cursor=first["cursor"])
    assert ([row["count_fp"] for row in second["trades"]], second["cursor"]) == (["1.00"], "")
    newest = first["trades"][0]
    assert (newest["taker_outcome_side"], newest["taker_book_side"]) == ("yes", "bid")
    assert (newest["yes_price_dollars"], newest["no_price_dollars"]) == ("0.4000", "0.6000")
    assert len((await client.get("/markets/trades", None))["trades"]) == 4
    assert (await client.get("/markets/trades", None, is_block_trade="true"))["trades"] == []
    assert len((await client.get("/markets/trades", None, is_block_trade="false"))["trades"]) == 4
    assert (await client.get("/markets/trades", None, max_ts=1))["trades"] == []
    assert (await client.get("/markets/trades", None, min_ts=10**10))["trades"] == []
    assert (await client.send("GET", "/markets/trades", None, params={"ticker": "KXNO"})).status_code == 404
    assert (await client.send("GET", "/markets/trades", None, params={"is_block_trade": "x"})).status_code == 400


async def test_volume_of_a_day_forgets_what_is_older(client: Client) -> None:
    async def volumes() -> tuple[str, str, str]:
        market = (await client.get(f"/markets/{TICKER}", None))["market"]
        return market["volume_fp"], market["volume_24h_fp"], market["previous_price_dollars"]

    await client.place(BOB, "ask", "0.40", "5")
    await client.place(ALICE, "bid", "0.40", "2")
    assert await volumes() == ("2.00", "2.00", "0.0000")
    client.venue.clock.offset_ms = DAY_MS // 2
    await client.place(ALICE, "bid", "0.40", "1")
    assert await volumes() == ("3.00", "3.00", "0.0000")
    client.venue.clock.offset_ms = DAY_MS + 1_000
    assert await volumes() == ("3.00", "1.00", "0.4000")
