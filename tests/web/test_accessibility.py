"""axe finds nothing on any page in either theme, and everything works from the keyboard. The pictures of the docs are taken here."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bridge.cli_options import ROOT
from bridge.pytest_plugin import CausewayVenue, VenueMarket
from tests.system.clients import Client, kalshi
from tests.web.conftest import SETTLED_MS, Quote

pytestmark = pytest.mark.slow
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
RUN = "() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
PICTURES = os.environ.get("CAUSEWAY_PICTURES", "")
"""A folder: then every page leaves a picture there (`make screenshots`)."""
PICTURED = ("markets", "market", "portfolio", "transaction", "proof")
MOST_BYTES = 150_000


@pytest.fixture(scope="module")
def traded(causeway_venue: CausewayVenue, quote: Quote) -> VenueMarket:
    """A market of the demo with depth on both sides and some trades."""
    ticker = "KXHOMEPRICE-27JUN-B415"
    steps = [(step, f"{60 + 35 * step % 170}.00") for step in range(1, 10)]
    for step, count in steps:
        quote(ticker, "bid", f"{0.42 - step / 100:.4f}", count)
        quote(ticker, "ask", f"{0.43 + step / 100:.4f}", count)
    with kalshi(dict(causeway_venue.status), "bob") as bob:
        for number in range(8):
            _take(bob, ticker, "bid" if number % 3 else "ask", f"{5 + number}.00")
    for other, price in (("T400", "0.1700"), ("B445", "0.2900"), ("T460", "0.1100")):
        quote(f"KXHOMEPRICE-27JUN-{other}", "bid", price, "50.00")
        quote(f"KXHOMEPRICE-27JUN-{other}", "ask", f"{float(price) + 0.02:.4f}", "50.00")
    return causeway_venue.markets[ticker]


def _take(client: Client, ticker: str, side: str, count: str) -> None:
    terms = {"time_in_force": "immediate_or_cancel", "self_trade_prevention_type": "taker_at_cross"}
    client.create_order_v2(ticker=ticker, side=side, price="0.9000" if side == "bid" else "0.1000", count=count, **terms)


def violations(page: Page) -> list[str]:
    """Return what axe finds, as one line each."""
    page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate(RUN)["violations"]
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


def look(page: Page, name: str) -> None:
    """Check a page as it is now in both themes, and take its picture if one is wanted."""
    own = page.evaluate("document.documentElement.dataset.theme")
    other = "dark" if own == "light" else "light"
    assert violations(page) == [], name
    page.evaluate(f"document.documentElement.dataset.theme = '{other}'")
    assert violations(page) == [], f"{name}, {other}"
    page.evaluate(f"document.documentElement.dataset.theme = '{own}'")
    if PICTURES and name in PICTURED:
        path = Path(PICTURES) / f"page-{name}.png"
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=path, animations="disabled")
        assert path.stat().st_size <= MOST_BYTES


def test_axe_finds_nothing_on_any_page_in_either_theme(
    page: Page, traded: VenueMarket, causeway_venue: CausewayVenue
) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Markets")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    look(page, "markets")
    page.get_by_label("Search markets").fill("nothing of the kind")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    look(page, "nothing")
    page.goto(f"/#/m/{traded.ticker}")
    page.get_by_role("complementary").get_by_role("button", name="Start trading").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    look(page, "start")
    page.get_by_role("button", name="Use a burner wallet").click()
    page.get_by_role("button", name="Review order").click(timeout=SETTLED_MS)
    look(page, "review")
    page.get_by_role("button", name="Confirm:").click()
    expect(page.get_by_role("heading", name="Filled and settled")).to_be_visible(timeout=SETTLED_MS)
    expect(page.locator(".chart canvas").first).to_be_visible()
    look(page, "market")
    page.get_by_role("button", name="Depth").click()
    look(page, "depth")
    link = page.locator(".result .stages a", has_text="final").get_attribute("href")
    page.goto("/#/portfolio")
    expect(page.get_by_role("heading", name="Positions")).to_be_visible()
    look(page, "portfolio")
    page.goto(f"/{link}")
    expect(page.get_by_text("✓ executed")).to_be_visible()
    look(page, "transaction")
    page.goto("/#/proof")
    expect(page.get_by_role("heading", name="Reserves")).to_be_visible()
    expect(page.locator(".panes")).to_be_visible()
    look(page, "proof")
    page.goto("/#/operator")
    look(page, "operator-sign-in")
    token = Path(causeway_venue.status["operator_token_path"]).read_text()
    page.get_by_label("Operator token").fill(token)
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("heading", name="Settlement queue")).to_be_visible()
    look(page, "operator")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keyboard")).to_be_visible()
    look(page, "keys")


def test_a_narrow_screen_shows_everything_without_scrolling_sideways(page: Page, traded: VenueMarket) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for place in ("/#/", f"/#/m/{traded.ticker}", "/#/proof", "/#/portfolio"):
        page.goto(place)
        expect(page.get_by_role("main")).to_be_visible()
        expect(page.locator(".skeleton")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, place


def test_keys_search_choose_sides_and_prices_and_are_off_inside_fields(page: Page, traded: VenueMarket) -> None:
    page.goto("/")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Search markets")).to_be_focused()
    page.keyboard.type("by n?")
    expect(page.get_by_label("Search markets")).to_have_value("by n?")
    page.goto(f"/#/m/{traded.ticker}")
    price = page.get_by_label("Limit price", exact=True)
    page.get_by_role("heading", name="Order book").click()
    page.keyboard.press("n")
    expect(page.locator(".outcomes .no")).to_have_attribute("aria-pressed", "true")
    before = float(price.input_value())
    page.keyboard.press("]")
    expect(price).to_have_value(re.compile(rf"^{before + 1:g}$"))
    page.keyboard.press("r")
    expect(page.locator("#app > .sr")).to_have_text(re.compile("^Bids: .+ Offers: .+"))
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page.get_by_role("heading", name="Proof", exact=True)).to_be_visible()
