"""Collateral return, strikes and event rules in Kalshi's dialect, with the market files of the hedging examples."""

from pathlib import Path
from typing import Any

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.names import COLLATERAL
from offchain_book.gateways.market_file import MarketFileError, event_command, market_command, parse_toml, series_command
from tests.gateways.conftest import Client, order
from tests.sdk.kalshi_venue import ALICE, BOB, SmallVenue

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
NETTING = "/portfolio/subaccounts/netting"
HOMES = ("KXHOMEPRICE-27JUN-T400", "KXHOMEPRICE-27JUN-B415", "KXHOMEPRICE-27JUN-B445")


async def list_file(venue: SmallVenue, name: str) -> list[str]:
    """List the markets of a file under invented conditions."""
    file = parse_toml((EXAMPLES / f"{name}.toml").read_text())
    await venue.do(series_command(file.series))
    await venue.do(event_command(file))
    for part in file.markets:
        condition = f"0x{int.from_bytes(part.ticker.encode(), 'big') << 8:x}"
        await venue.do(market_command(part, file.event.ticker, condition, condition, venue.clock()))
    return [part.ticker for part in file.markets]


async def strikes(client: Client, ticker: str) -> dict[str, Any]:
    market = (await client.get(f"/markets/{ticker}", None))["market"]
    return {name: market[name] for name in market if "strike" in name}


async def test_events_say_how_collateral_is_returned_and_markets_what_their_strikes_are(client: Client) -> None:
    kinds = {}
    for name in ("home-prices", "power-price", "data-centre-energy"):
        tickers = await list_file(client.venue, name)
        event = (await client.get(f"/events/{client.venue.state.markets[tickers[0]].event_ticker}", None))["event"]
        kinds[name] = (event["collateral_return_type"], event["mutually_exclusive"])
    assert kinds == {"home-prices": ("MECNET", True), "power-price": ("", False), "data-centre-energy": ("DIRECNET", False)}
    assert await strikes(client, HOMES[0]) == {"strike_type": "less", "cap_strike": 400_000}
    assert await strikes(client, HOMES[1]) == {"strike_type": "between", "floor_strike": 400_000, "cap_strike": 429_999}
    assert await strikes(client, "KXDCENERGY-27-T6") == {"strike_type": "greater", "floor_strike": 6}
    power = {"strike_type": "functional", "functional_strike": "linear", "floor_strike": 20, "cap_strike": 120}
    assert await strikes(client, "KXPOWER-27JUN-AVG") == power


async def buy_no(client: Client, ticker: str) -> None:
    for who, side in ((BOB, "bid"), (ALICE, "ask")):
        response = await client.send("POST", "/portfolio/events/orders", who, json=order(side, "0.3000", ticker=ticker))
        assert response.status_code == 201, response.text


async def test_the_netting_switch_returns_collateral_and_takes_it_back(client: Client) -> None:
    await list_file(client.venue, "home-prices")
    await client.venue.deposit(COLLATERAL, 1_000_000_000)
    assert await client.get(NETTING) == {
        "netting_configs": [{"subaccount_number": 0, "enabled": False, "exchange_index": 0}]
    }
    before = (await client.get("/portfolio/balance"))["balance"]
    for ticker in HOMES:
        await buy_no(client, ticker)
    paid = before - (await client.get("/portfolio/balance"))["balance"]
    assert paid == 3 * 700
    on = await client.send("PUT", NETTING, json={"subaccount_number": 0, "enabled": True})
    assert (on.status_code, on.json()) == (200, {})
    assert before - (await client.get("/portfolio/balance"))["balance"] == paid - 2_000
    (row,) = (await client.get("/portfolio/positions"))["event_positions"]
    assert row["collateral_returned_dollars"] == "20.0000"
    assert (await client.get(NETTING))["netting_configs"][0]["enabled"] is True
    await client.send("PUT", NETTING, json={"subaccount_number": 0, "enabled": False})
    assert before - (await client.get("/portfolio/balance"))["balance"] == paid


async def test_what_was_spent_since_must_be_there_again_before_it_is_switched_off(client: Client) -> None:
    await list_file(client.venue, "home-prices")
    await client.venue.deposit(COLLATERAL, 1_000_000_000)
    await client.send("PUT", NETTING, json={"subaccount_number": 0, "enabled": True})
    for ticker in HOMES:
        await buy_no(client, ticker)
    cash = client.venue.state.accounts[ALICE].cash.available
    await client.venue.do(c.Withdraw("w", ALICE, cash - 5_000_000, "0x" + "99" * 20))
    refused = await client.send("PUT", NETTING, json={"subaccount_number": 0, "enabled": False})
    assert (refused.status_code, refused.json()["code"]) == (400, "available_balance_too_low")
    details = refused.json()["error"]["details"]
    assert (details["have_dollars"], details["need_dollars"]) == ("5.0000", "20.0000")


async def test_the_switch_is_per_subaccount(client: Client) -> None:
    assert (await client.send("POST", "/portfolio/subaccounts")).status_code == 201
    await client.send("PUT", NETTING, json={"subaccount_number": 1, "enabled": True})
    assert [row["enabled"] for row in (await client.get(NETTING))["netting_configs"]] == [False, True]
    unknown = await client.send("PUT", NETTING, json={"subaccount_number": 7, "enabled": True})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "subaccount_not_found")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("floor_strike = 400000", "floor_strike = 399999", "overlaps KXHOMEPRICE-27JUN-T400"),
        ("cap_strike = 429999", "", "cap_strike cannot be left out"),
        ("cap_strike = 429999", "cap_strike = 4e20", "at most six decimals"),
        ("cap_strike = 429999", "cap_strike = 429999.0000001", "at most six decimals"),
        ('strike_type = "less"', 'strike_type = "under"', "strike_type"),
        ("mutually_exclusive = true", "mutually_exclusive = true\nordered_strikes = true", "not both"),
        ("mutually_exclusive = true", "ordered_strikes = true", "ordered strikes: they are above or below one value"),
    ],
)
def test_a_file_with_strikes_that_do_not_fit_names_the_place(old: str, new: str, says: str) -> None:
    text = (EXAMPLES / "home-prices.toml").read_text()
    with pytest.raises(MarketFileError) as error:
        parse_toml(text.replace(old, new, 1))
    assert says in str(error.value)
    assert "`$." in str(error.value)
