"""What an account owns, in Kalshi's dialect: cash, cost, gains, payouts."""

from typing import Any

import pytest

from offchain_book.engine.operations import Outcome
from tests.gateways.conftest import Client
from tests.sdk.kalshi_venue import ALICE, BOB, CAROL, CONTRACT, DOLLAR, FEE_TICKER, FREE_EVENT, OTHER, TICKER


async def position(client: Client, who: str = ALICE, ticker: str = TICKER, **filters: Any) -> dict[str, Any]:
    """Return an account's row for a market."""
    rows = (await client.get("/portfolio/positions", who, ticker=ticker, **filters))["market_positions"]
    (row,) = rows
    found: dict[str, Any] = row
    return found


async def test_balance_counts_holds_and_floors_to_cents(client: Client) -> None:
    await client.venue.deposit(CAROL, 19_999)
    balance = await client.get("/portfolio/balance", CAROL)
    assert (balance["balance"], balance["balance_dollars"], balance["portfolio_value"]) == (1, "0.019999", 0)
    await client.place(ALICE, "bid", "0.40", "10")
    balance = await client.get("/portfolio/balance")
    assert (balance["balance"], balance["balance_dollars"]) == (99_600, "996.0000")
    assert balance["balance_breakdown"] == [{"exchange_index": 0, "balance": "996.0000"}]
    assert abs(balance["updated_ts"] - client.venue.clock() // 1000) < 60


async def test_selling_part_of_a_position_realises_its_gain(client: Client) -> None:
    await client.place(BOB, "ask", "0.40", "10")
    await client.place(ALICE, "bid", "0.40", "10")
    row = await position(client)
    assert (row["position_fp"], row["market_exposure_dollars"]) == ("10.00", "4.0000")
    await client.place(BOB, "bid", "0.50", "4")
    await client.place(ALICE, "ask", "0.50", "4")
    row = await position(client)
    assert (row["position_fp"], row["market_exposure_dollars"], row["realized_pnl_dollars"]) == ("6.00", "2.4000", "0.4000")
    assert (await position(client, BOB))["realized_pnl_dollars"] == "-0.4000"
    assert (await client.get("/portfolio/balance"))["portfolio_value"] == 300


async def test_crossing_zero_turns_the_position(client: Client) -> None:
    await client.place(BOB, "ask", "0.40", "2")
    await client.place(ALICE, "bid", "0.40", "2")
    await client.place(BOB, "bid", "0.60", "5")
    await client.place(ALICE, "ask", "0.60", "5")
    row = await position(client)
    assert (row["position_fp"], row["realized_pnl_dollars"]) == ("-3.00", "0.4000")
    assert row["market_exposure_dollars"] == "1.2000"


async def test_deposited_tokens_count_and_cost_nothing(client: Client) -> None:
    await client.venue.wallet_order_pair()
    await client.venue.deposit(CAROL, 2 * CONTRACT, TICKER, Outcome.YES)
    row = await position(client, CAROL)
    assert (row["position_fp"], row["market_exposure_dollars"], row["total_traded_dollars"]) == ("2.00", "0.0000", "0.0000")


async def test_positions_are_filtered_and_summed_by_event(client: Client) -> None:
    for ticker in (TICKER, OTHER, FEE_TICKER):
        await client.place(BOB, "ask", "0.50", "10", ticker=ticker)
        await client.place(ALICE, "bid", "0.50", "10", ticker=ticker)
    await client.place(BOB, "bid", "0.50", "10", ticker=OTHER)
    await client.place(ALICE, "ask", "0.50", "10", ticker=OTHER)

    async def found(**filters: Any) -> list[str]:
        return [row["ticker"] for row in (await client.get("/portfolio/positions", **filters))["market_positions"]]

    assert await found() == [FEE_TICKER, OTHER, TICKER]
    assert await found(count_filter="position") == [FEE_TICKER, TICKER]
    assert await found(count_filter="position,total_traded") == [FEE_TICKER, TICKER]
    assert await found(event_ticker=FREE_EVENT) == [OTHER, TICKER]
    first = await client.get("/portfolio/positions", limit=2)
    assert await found(limit=2, cursor=first["cursor"]) == [TICKER]
    (event,) = (await client.get("/portfolio/positions", event_ticker=FREE_EVENT))["event_positions"]
    assert (event["total_cost_dollars"], event["total_cost_shares_fp"]) == ("15.0000", "30.00")
    assert (event["event_exposure_dollars"], event["realized_pnl_dollars"]) == ("5.0000", "0.0000")
    fees = (await position(client, ticker=FEE_TICKER))["fees_paid_dollars"]
    assert fees == "0.1750"
    for bad in ({"count_filter": "resting"}, {"settlement_status": "open"}, {"cursor": "cG9zaXRpb25zX2FsbC4x"}):
        assert (await client.send("GET", "/portfolio/positions", params=bad)).status_code == 400


@pytest.mark.parametrize(
    ("payout", "result", "revenue", "value", "gain"),
    [(1_000_000, "yes", 1_000, 100, "6.0000"), (0, "no", 0, 0, "-4.0000"), (123_400, "scalar", 123, 12, "-2.7660")],
)
async def test_settlement_pays_and_moves_the_position(
    client: Client, payout: int, result: str, revenue: int, value: int, gain: str
) -> None:
    await client.place(BOB, "ask", "0.40", "10")
    await client.place(ALICE, "bid", "0.40", "10")
    await client.venue.resolve(TICKER, payout)
    (row,) = (await client.get("/portfolio/settlements"))["settlements"]
    assert (row["market_result"], row["revenue"], row["value"]) == (result, revenue, value)
    assert (row["yes_count_fp"], row["yes_total_cost_dollars"], row["event_ticker"]) == ("10.00", "4.0000", FREE_EVENT)
    assert (await client.get("/portfolio/positions"))["market_positions"] == []
    settled = await position(client, settlement_status="settled")
    assert (settled["position_fp"], settled["market_exposure_dollars"]) == ("0.00", "0.0000")
    assert settled["realized_pnl_dollars"] == gain
    assert await position(client, settlement_status="all") == settled
    cash = (await client.get("/portfolio/balance"))["balance_dollars"]
    assert cash == f"{(996 * DOLLAR + 10 * payout) / DOLLAR:.4f}"
    for filters, count in (({"ticker": OTHER}, 0), ({"event_ticker": FREE_EVENT}, 1), ({"max_ts": 1}, 0)):
        assert len((await client.get("/portfolio/settlements", **filters))["settlements"]) == count


async def test_fills_are_filtered_and_paged(client: Client) -> None:
    first = await client.place(BOB, "ask", "0.40", "3")
    for ticker in (TICKER, TICKER, TICKER):
        await client.place(ALICE, "bid", "0.40", "1", ticker=ticker)
    await client.place(BOB, "ask", "0.40", "1", ticker=OTHER)
    await client.place(ALICE, "bid", "0.40", "1", ticker=OTHER)

    async def found(**filters: Any) -> int:
        return len((await client.get("/portfolio/fills", BOB, **filters))["fills"])

    assert await found() == 4
    assert await found(ticker=TICKER) == 3
    assert await found(ticker=f"{TICKER},{OTHER}") == 4
    assert await found(order_id=first["order_id"]) == 3
    assert await found(min_ts=10**10) == 0
    page = await client.get("/portfolio/fills", BOB, limit=3)
    last = await client.get("/portfolio/fills", BOB, limit=3, cursor=page["cursor"])
    assert (len(page["fills"]), len(last["fills"]), last["cursor"]) == (3, 1, "")
    ids = [row["fill_id"] for row in page["fills"] + last["fills"]]
    assert len(set(ids)) == 4
    fill = last["fills"][0]
    assert (fill["ticker"], fill["market_ticker"], fill["exchange_index"]) == (TICKER, TICKER, 0)
    assert (fill["outcome_side"], fill["book_side"], fill["is_taker"]) == ("no", "ask", False)


async def test_resting_order_value_is_what_the_orders_would_cost(client: Client) -> None:
    await client.place(ALICE, "bid", "0.40", "10")
    await client.place(ALICE, "ask", "0.60", "10")
    value = await client.get("/portfolio/summary/total_resting_order_value")
    assert value == {
        "total_resting_order_value": 800,
        "resting_order_value_breakdown": [{"exchange_index": 0, "balance": "8.0000"}],
    }


@pytest.mark.parametrize("path", ["balance", "positions", "orders", "fills", "settlements"])
async def test_subaccount_that_is_not_open_is_404(client: Client, path: str) -> None:
    assert (await client.send("GET", f"/portfolio/{path}", params={"subaccount": 0})).status_code == 200
    response = await client.send("GET", f"/portfolio/{path}", params={"subaccount": 1})
    assert (response.status_code, response.json()["code"]) == (404, "subaccount_not_found")
    response = await client.send("GET", f"/portfolio/{path}", params={"subaccount": 64})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameters")
