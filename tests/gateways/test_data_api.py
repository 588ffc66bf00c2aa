"""Data API: positions with their gains, trades, activity, holders, values; bounded pages, filters, order."""

from typing import Any

import httpx
import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.operations import Outcome, VaultAction, VaultActionKind
from tests.gateways.polymarket_fixtures import CONTRACT, DOLLAR, SETTINGS, TICKER, House, Wallet
from tests.gateways.polymarket_house import placed, public_get, token


@pytest.fixture
async def traded(house: House, wendy: Wallet, walt: Wallet) -> House:
    """Wendy bought 10 YES at 60 from the pool and sold 4 at 40; Walt bought 5 NO at 60 from the pool. All on one day."""
    now_ms = house.state.now_ms
    house.sequencer.clock_ms = lambda: now_ms
    await placed(wendy, "BUY", token(house), 6 * DOLLAR, 10 * CONTRACT)
    await placed(wendy, "SELL", token(house), 4 * CONTRACT, 1_600_000)
    await placed(walt, "BUY", token(house, Outcome.NO), 3 * DOLLAR, 5 * CONTRACT)
    return house


async def act(house: House, wallet: Wallet, kind: VaultActionKind, number: str, contracts: int, nonce: str) -> None:
    action = VaultAction(wallet.account, kind, number, contracts * CONTRACT, wallet.account, nonce, 10**10, "0x")
    await house.do(c.SubmitAction(f"action-{nonce}", action))
    await house.confirm(await house.cut(), f"0x{int(nonce):064x}")


async def test_a_position_has_its_price_value_and_gains(traded: House, http: httpx.AsyncClient, wendy: Wallet) -> None:
    (row,) = await public_get(http, "/data-api/positions", user=wendy.address)
    assert (row["size"], row["avgPrice"], row["initialValue"]) == (6, 0.6, 3.6)
    assert (row["curPrice"], row["currentValue"], row["cashPnl"], row["percentPnl"]) == (0.5, 3, -0.6, -16.66)
    assert (row["totalBought"], row["realizedPnl"], row["percentRealizedPnl"]) == (10, -0.8, -13.33)
    assert (row["outcome"], row["outcomeIndex"], row["oppositeAsset"]) == ("Yes", 0, token(traded, Outcome.NO))
    assert (row["redeemable"], row["mergeable"], row["slug"], row["eventId"]) == (False, False, "rain-1", "1")
    assert await public_get(http, "/data-api/value", user=wendy.address) == [{"user": wendy.account, "value": 3}]
    assert await public_get(http, "/data-api/positions", user=wendy.address, sizeThreshold="7") == []
    assert await public_get(http, "/data-api/positions", user=wendy.address, market="0x01") == []
    assert len(await public_get(http, "/data-api/positions", user=wendy.address, eventId="1", title="RAIN")) == 1


async def test_positions_are_ordered_and_paged(traded: House, http: httpx.AsyncClient, wendy: Wallet) -> None:
    market = traded.state.markets[TICKER]
    await traded.confirm(await traded.cut(), "0x" + "0a" * 32)
    await act(traded, wendy, VaultActionKind.SPLIT, str(int(market.condition_id, 16)), 3, "1")

    async def sizes(**query: Any) -> list[float]:
        return [row["size"] for row in await public_get(http, "/data-api/positions", user=wendy.address, **query)]

    assert await sizes() == [9, 3]
    assert await sizes(sortDirection="ASC") == [3, 9]
    assert await sizes(limit=1, offset=1) == [3]
    assert await sizes(mergeable="true", sortBy="AVGPRICE") == [9, 3]
    assert await sizes(redeemable="true") == []


async def test_a_position_that_is_gone_is_closed_with_its_result(
    traded: House, http: httpx.AsyncClient, wendy: Wallet
) -> None:
    assert await public_get(http, "/data-api/closed-positions", user=wendy.address) == []
    await placed(wendy, "SELL", token(traded), 6 * CONTRACT, 2_400_000)
    (row,) = await public_get(http, "/data-api/closed-positions", user=wendy.address)
    assert (row["avgPrice"], row["totalBought"], row["realizedPnl"]) == (0.6, 10, -2)
    assert await public_get(http, "/data-api/positions", user=wendy.address) == []
    assert await public_get(http, "/data-api/traded", user=wendy.address) == {"user": wendy.account, "traded": 1}


async def test_trades_are_listed_for_wallets_markets_and_everybody(
    traded: House, http: httpx.AsyncClient, wendy: Wallet, walt: Wallet
) -> None:
    own = await public_get(http, "/data-api/trades", user=wendy.address)
    assert [(row["side"], row["size"], row["price"]) for row in own] == [("SELL", 4, 0.4), ("BUY", 10, 0.6)]
    everybody = await public_get(http, "/data-api/trades")
    assert [row["proxyWallet"] for row in everybody] == [walt.account, wendy.account, wendy.account]
    both = await public_get(http, "/data-api/trades", takerOnly="false", market=traded.state.markets[TICKER].condition_id)
    assert len(both) == 6
    assert {row["proxyWallet"] for row in both} == {wendy.account, walt.account, SETTINGS.venue_address}
    assert len(await public_get(http, "/data-api/trades", side="SELL")) == 1
    assert len(await public_get(http, "/data-api/trades", filterType="CASH", filterAmount="2")) == 2
    assert len(await public_get(http, "/data-api/trades", filterType="TOKENS", filterAmount="6")) == 1
    assert await public_get(http, "/data-api/trades", limit=1, offset=1) == everybody[1:2]


async def test_activity_has_trades_and_final_actions(traded: House, http: httpx.AsyncClient, wendy: Wallet) -> None:
    market = traded.state.markets[TICKER]
    await traded.confirm(await traded.cut(), "0x" + "0a" * 32)
    await act(traded, wendy, VaultActionKind.SPLIT, str(int(market.condition_id, 16)), 3, "1")
    await act(traded, wendy, VaultActionKind.MERGE, str(int(market.condition_id, 16)), 2, "2")
    await traded.do(c.ResolveMarket(TICKER, DOLLAR))
    await traded.do(cc.ConfirmResolution(TICKER, DOLLAR, "0x1", 1))
    await traded.confirm(await traded.cut(), "0x" + "0b" * 32)
    await act(traded, wendy, VaultActionKind.REDEEM, market.yes_token_id, 7, "3")
    rows = await public_get(http, "/data-api/activity", user=wendy.address)
    assert [(row["type"], row["size"], row["usdcSize"]) for row in rows] == [
        ("REDEEM", 7, 7),
        ("MERGE", 2, 2),
        ("SPLIT", 3, 3),
        ("TRADE", 4, 1.6),
        ("TRADE", 10, 6),
    ]
    assert [row["transactionHash"][-2:] for row in rows] == ["03", "02", "01", "0a", "0a"]
    chosen = await public_get(http, "/data-api/activity", user=wendy.address, type="SPLIT,MERGE", sortBy="CASH")
    assert [row["type"] for row in chosen] == ["SPLIT", "MERGE"]
    assert await public_get(http, "/data-api/activity", user=wendy.address, end=1) == []
    assert [row["size"] for row in await public_get(http, "/data-api/activity", user=wendy.address, side="BUY")] == [10]


async def test_holders_are_wallets_and_the_pool(traded: House, http: httpx.AsyncClient, wendy: Wallet, walt: Wallet) -> None:
    market = traded.state.markets[TICKER]
    yes, no = await public_get(http, "/data-api/holders", market=market.condition_id)
    assert (yes["token"], no["token"]) == (market.yes_token_id, market.no_token_id)
    held = {row["proxyWallet"]: row["amount"] for row in (*yes["holders"], *no["holders"])}
    assert (held[wendy.account], held[walt.account]) == (6, 5)
    for side, pool in ((yes, market.pool_yes_micros), (no, market.pool_no_micros)):
        assert sum(row["amount"] for row in side["holders"]) * CONTRACT == market.yes_supply_micros - market.unsplit_micros
        assert [row["amount"] for row in side["holders"] if row["name"]] == ([pool / CONTRACT] if pool else [])
    large = await public_get(http, "/data-api/holders", market=market.condition_id, minBalance=6)
    assert [row["proxyWallet"] for row in large[0]["holders"]][:1] == [wendy.account]
    assert all(row["amount"] >= 6 for side in large for row in side["holders"])
    assert len((await public_get(http, "/data-api/holders", market=market.condition_id, limit=0))[0]["holders"]) == 0


async def test_markets_show_interest_and_volume_and_wallets_are_ranked(
    traded: House, http: httpx.AsyncClient, wendy: Wallet, walt: Wallet
) -> None:
    market = traded.state.markets[TICKER]
    (row,) = await public_get(http, "/data-api/oi", market=market.condition_id)
    assert row["value"] * CONTRACT == market.yes_supply_micros
    assert len(await public_get(http, "/data-api/oi")) == 3
    (volume,) = await public_get(http, "/data-api/live-volume", id=1)
    assert (volume["total"], [row["value"] for row in volume["markets"]]) == (10.6, [10.6, 0])
    ranked = await public_get(http, "/data-api/v1/leaderboard", orderBy="VOL")
    assert [(row["rank"], row["proxyWallet"], row["vol"], row["pnl"]) for row in ranked] == [
        ("1", wendy.account, 7.6, -0.8),
        ("2", walt.account, 3, 0),
    ]
    (best,) = await public_get(http, "/data-api/v1/leaderboard", timePeriod="ALL", user=walt.address)
    assert best["rank"] == "1"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/positions", "user"),
        ("/value?user=0x12", "user"),
        ("/positions?user=0x" + "11" * 20 + "&limit=501", "limit"),
        ("/positions?user=0x" + "11" * 20 + "&sortBy=LUCK", "sortBy"),
        ("/trades?side=HOLD", "side"),
        ("/holders", "market"),
        ("/live-volume?id=9", "id"),
    ],
)
async def test_what_means_nothing_is_refused_by_name(http: httpx.AsyncClient, path: str, field: str) -> None:
    answer = await http.get(f"/data-api{path}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["details"]["field"] == field


async def test_a_wallet_that_nobody_knows_has_nothing(http: httpx.AsyncClient) -> None:
    stranger = "0x" + "99" * 20
    for path in ("positions", "closed-positions", "activity", "trades"):
        assert await public_get(http, f"/data-api/{path}", user=stranger) == []
    assert await public_get(http, "/data-api/value", user=stranger) == [{"user": stranger, "value": 0}]
