"""Liquidity rewards as the dialect shows them: programmes, the minutes' samples as earnings, shares, scoring."""

from typing import Any

import httpx
import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.operations import Outcome
from offchain_book.gateways.polymarket_words import iso_day
from tests.gateways.polymarket_fixtures import CONTRACT, DOLLAR, MAKER, TICKER, House, Wallet
from tests.gateways.polymarket_house import placed, public_get, signed_get, token

DAILY = 1_440 * DOLLAR


@pytest.fixture
async def paying(house: House) -> House:
    """A market that pays a dollar a minute, and a clock that the test moves."""
    now = house.state.now_ms
    clock = {"ms": now}
    house.sequencer.clock_ms = lambda: clock["ms"]
    house.clock = clock
    await house.do(c.SetRewardProgram(TICKER, DAILY, 5 * CONTRACT, 1_500, now, now + 86_400_000))
    return house


async def a_minute_later(house: House) -> None:
    house.clock["ms"] += 60_000
    await house.do(c.CancelOrders(MAKER, "none"))


async def test_a_programme_is_listed_until_it_ends(paying: House, http: httpx.AsyncClient) -> None:
    market = paying.state.markets[TICKER]
    rows = (await public_get(http, "/rewards/markets/current"))["data"]
    assert [(row["condition_id"], row["rewards_min_size"], row["rewards_max_spread"]) for row in rows] == [
        (market.condition_id, 5, 15)
    ]
    (whole,) = (await public_get(http, f"/rewards/markets/{market.condition_id}"))["data"]
    assert (whole["market_slug"], whole["rewards_config"][0]["rate_per_day"]) == ("rain-1", 1_440)
    assert (await public_get(http, f"/markets/{market.condition_id}"))["rewards"]["rates"][0]["rewards_daily_rate"] == 1_440
    paying.clock["ms"] += 86_400_000
    assert (await public_get(http, "/rewards/markets/current"))["data"] == []


async def test_each_minute_pays_the_orders_near_the_middle(paying: House, wendy: Wallet, walt: Wallet) -> None:
    """Maria quotes 10 cents away with 100 contracts; Wendy at the same prices with 100: each half a dollar a minute."""
    yes, no = token(paying), token(paying, Outcome.NO)
    await placed(wendy, "BUY", yes, 40 * DOLLAR, 100 * CONTRACT)
    await placed(wendy, "BUY", no, 40 * DOLLAR, 100 * CONTRACT)
    await a_minute_later(paying)
    await a_minute_later(paying)
    date = iso_day(paying.state.now_ms)
    (row,) = (await signed_get(wendy, "/rewards/user", date=date))["data"]
    assert (row["earnings"], row["maker_address"], row["date"]) == (1, wendy.account, date)
    (total,) = await signed_get(wendy, "/rewards/user/total", date=date)
    assert total["earnings"] == 1
    assert await signed_get(wendy, "/rewards/user/percentages") == {row["condition_id"]: 50}
    (market,) = (await signed_get(wendy, "/rewards/user/markets", date=date))["data"]
    assert (market["earning_percentage"], market["earnings"][0]["earnings"]) == (50, 1)
    assert (await signed_get(wendy, "/rewards/user", date="2020-01-01"))["data"] == []
    assert (await signed_get(walt, "/rewards/user", date=date))["data"] == []


async def test_an_order_scores_while_it_counts(paying: House, wendy: Wallet) -> None:
    near = (await placed(wendy, "BUY", token(paying), 5 * DOLLAR, 10 * CONTRACT))["orderID"]
    far = (await placed(wendy, "BUY", token(paying), 1 * DOLLAR, 10 * CONTRACT))["orderID"]
    assert await signed_get(wendy, "/order-scoring", order_id=near) == {"scoring": True}
    answer = await wendy.call("POST", "/orders-scoring", [near, far, "0x01"])
    assert answer.json() == {near: True, far: False, "0x01": False}


@pytest.mark.parametrize("date", ["", "yesterday", "2026-13-01"])
async def test_a_date_has_a_form(paying: House, wendy: Wallet, date: str) -> None:
    answer: Any = await wendy.call("GET", "/rewards/user", date=date)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_DATE")
