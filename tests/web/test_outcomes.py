"""The chart of an event: a line for each outcome, by name, switched on and off, live, and as a table."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from bridge.pytest_plugin import CLOSE, CausewayVenue
from tests.system.clients import Client, kalshi
from tests.web.conftest import Quote
from tests.web.steps import look

pytestmark = pytest.mark.slow
EVENT = "KXWEB-LINES"


@pytest.fixture(scope="module")
def event(causeway_venue: CausewayVenue, quote: Quote) -> list[str]:
    """Three outcomes of which one wins: one that traded at 30, one at 50 cents, one that never did."""
    names = ("Low", "Middle", "High")
    terms = {"rules": "If so, Yes.", "close": CLOSE}
    markets = [{"ticker": f"{EVENT}-{name.upper()}", "title": f"Will it be {name}?", "yes": name, **terms} for name in names]
    head = {"ticker": EVENT, "title": "How high?", "mutually_exclusive": True}
    causeway_venue.client.admin(
        "POST", "/markets", {"series": {"ticker": "KXTEST", "title": "Tests"}, "event": head, "markets": markets}
    )
    tickers = [one["ticker"] for one in markets]
    for ticker, price in zip(tickers, ("0.3000", "0.5000"), strict=False):
        quote(ticker, "ask", price, "5.00")
        with kalshi(dict(causeway_venue.status), "bob") as bob:
            _take(bob, ticker, price)
    return tickers


def _take(client: Client, ticker: str, price: str) -> None:
    terms = {"time_in_force": "immediate_or_cancel", "self_trade_prevention_type": "taker_at_cross"}
    client.create_order_v2(ticker=ticker, side="bid", price=price, count="5.00", **terms)


def _outcome(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name="Outcomes in the chart").get_by_role("button", name=name)


def test_outcomes_are_lines_of_one_chart_which_is_live_and_can_be_read(
    page: Page, event: list[str], quote: Quote, causeway_venue: CausewayVenue
) -> None:
    page.goto(f"/#/m/{event[0]}")
    chart = page.get_by_role("img", name="The yes prices of")
    expect(chart.locator("canvas").first).to_be_visible()
    expect(chart).to_have_accessible_name(re.compile(r"Low 30¢, Middle 50¢, High –\. 3 outcomes"))
    for name, price in (("Low", "30¢"), ("Middle", "50¢"), ("High", "–")):
        expect(_outcome(page, name)).to_have_attribute("aria-pressed", "true")
        expect(_outcome(page, name)).to_contain_text(price)
    page.get_by_text("Show as a table").click()
    table = page.get_by_role("region", name="Prices of all outcomes as a table")
    expect(table.locator("thead")).to_have_text("TimeLowMiddleHigh")
    expect(table.locator("tbody tr").first).to_contain_text("30¢50¢–")
    look(page, "outcomes")

    _outcome(page, "Middle").click()
    expect(_outcome(page, "Middle")).to_have_attribute("aria-pressed", "false")
    expect(table.locator("thead")).to_have_text("TimeLowHigh")
    expect(chart).to_have_accessible_name(re.compile(r"of Low 30¢, High –\."))

    quote(event[2], "ask", "0.2000", "5.00")
    with kalshi(dict(causeway_venue.status), "bob") as bob:
        _take(bob, event[2], "0.2000")
    expect(_outcome(page, "High")).to_contain_text("20¢")
    expect(table.locator("tbody tr").first).to_contain_text("30¢20¢")

    page.get_by_role("button", name="This outcome").click()
    expect(page.get_by_role("img", name="Candles of the yes price")).to_be_visible()
    page.get_by_role("link", name="Middle", exact=True).click()
    expect(page.get_by_role("heading", name="Will it be Middle?")).to_be_visible()
    expect(page.get_by_role("button", name="This outcome")).to_have_attribute("aria-pressed", "true")


def test_a_market_alone_in_its_event_has_no_chart_of_outcomes(page: Page, causeway_venue: CausewayVenue) -> None:
    alone = causeway_venue.new_market("KXWEB-ALONE")
    page.goto(f"/#/m/{alone.ticker}")
    expect(page.get_by_role("button", name="Price", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="All outcomes")).to_have_count(0)
