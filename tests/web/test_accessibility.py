"""axe finds nothing on any page in either theme, and everything works from the keyboard. The pictures of the docs are taken here."""

import re
import secrets
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bridge.cli_options import ROOT
from bridge.pytest_plugin import CausewayVenue, VenueMarket
from offchain_book.gateways.market_file import as_json, parse_toml
from tests.system.clients import Client, kalshi
from tests.web.conftest import Quote
from tests.web.steps import PICTURES, SETTLED_MS, look, sign_up

pytestmark = pytest.mark.slow
HOMES, DEMO = ROOT / "docs" / "examples" / "home-prices.toml", "KXHOMEPRICE-27JUN"


@pytest.fixture(scope="module")
def traded(causeway_venue: CausewayVenue, quote: Quote) -> VenueMarket:
    """A bracket of home prices with depth on both sides and some trades: the demo's for pictures, else nobody else's."""
    event = DEMO if PICTURES else "KXWEBHOMES-27JUN"
    ticker = f"{event}-B415"
    if PICTURES:
        _morning(causeway_venue, quote, ticker)
    else:
        causeway_venue.client.admin("POST", "/markets", as_json(parse_toml(HOMES.read_text().replace(DEMO, event))))
    steps = [(step, f"{60 + 35 * step % 170}.00") for step in range(1, 10)]
    for step, count in steps:
        quote(ticker, "bid", f"{0.42 - step / 100:.4f}", count)
        quote(ticker, "ask", f"{0.43 + step / 100:.4f}", count)
    with kalshi(dict(causeway_venue.status), "bob") as bob:
        for number in range(8):
            _take(bob, ticker, "bid" if number % 3 else "ask", f"{5 + number}.00")
    for other, price in (("T400", "0.1700"), ("B445", "0.2900"), ("T460", "0.1100")):
        quote(f"{event}-{other}", "bid", price, "50.00")
        quote(f"{event}-{other}", "ask", f"{float(price) + 0.02:.4f}", "50.00")
    return causeway_venue.markets[ticker]


def _morning(venue: CausewayVenue, quote: Quote, ticker: str) -> None:
    """Let a morning of trades pass, so that the picture has a price that moves."""
    prices = (36, 37, 37, 39, 38, 40, 42, 41, 41, 43, 44, 42, 43, 45, 44, 43)
    with kalshi(dict(venue.status), "bob") as bob:
        for number, cents in enumerate(prices):
            quote(ticker, "ask", f"0.{cents}00", f"{12 + 7 * number % 30}.00")
            _take(bob, ticker, "bid", f"{12 + 7 * number % 30}.00")
            if number % 3 == 0:
                for other, at in (("T400", 19), ("B445", 33), ("T460", 9)):
                    quote(
                        f"KXHOMEPRICE-27JUN-{other}",
                        "ask",
                        f"0.{at + (cents - 36) * (-1 if at > 20 else 1) // 2:02}00",
                        "5.00",
                    )
                    _take(bob, f"KXHOMEPRICE-27JUN-{other}", "bid", "5.00")
            venue.client.admin("POST", "/time", {"seconds": 60})


def _take(client: Client, ticker: str, side: str, count: str) -> None:
    terms = {"time_in_force": "immediate_or_cancel", "self_trade_prevention_type": "taker_at_cross"}
    client.create_order_v2(ticker=ticker, side=side, price="0.9000" if side == "bid" else "0.1000", count=count, **terms)


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
    page.get_by_role("button", name="With a key").click()
    look(page, "start-with-a-key")
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
    page.get_by_role("button", name="Deposit or withdraw").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    look(page, "wallet")
    page.get_by_role("button", name="Close").click()
    page.goto(f"/{link}")
    expect(page.get_by_text("✓ executed")).to_be_visible()
    look(page, "transaction")
    page.goto("/#/proof")
    expect(page.get_by_role("heading", name="Reserves")).to_be_visible()
    expect(page.locator(".panes").first).to_be_visible()
    expect(page.locator(".verdict.small")).to_be_visible()
    look(page, "proof")
    page.goto("/#/operator")
    look(page, "operator-sign-in")
    token = Path(causeway_venue.status["operator_token_path"]).read_text()
    page.get_by_label("Operator token").fill(token)
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("heading", name="Settlement queue")).to_be_visible()
    look(page, "operator")
    page.get_by_role("button", name="Resolve Yes").first.click()
    look(page, "operator-review")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keyboard")).to_be_visible()
    look(page, "keys")


def test_a_narrow_screen_shows_everything_without_scrolling_sideways(page: Page, traded: VenueMarket) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for place in ("/#/", "/#/proof", "/#/portfolio", f"/#/m/{traded.ticker}"):
        page.goto(place)
        expect(page.get_by_role("main")).to_be_visible()
        expect(page.locator(".skeleton")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, place
    expect(page.locator(".chart canvas").first).to_be_visible()
    look(page, "phone")


def test_every_key_of_the_map_does_what_the_map_says(page: Page, traded: VenueMarket) -> None:
    page.goto("/")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    press = page.keyboard.press
    press("/")
    expect(page.get_by_label("Search markets")).to_be_focused()
    page.keyboard.type("by n?")
    expect(page.get_by_label("Search markets")).to_have_value("by n?")
    press("Escape")
    expect(page.get_by_label("Search markets")).to_have_value("")
    page.get_by_role("heading", name="Markets", exact=True).click()
    links = page.locator(".rows .name, .card h2 a")
    press("j")
    expect(links.nth(0)).to_be_focused()
    press("j")
    expect(links.nth(1)).to_be_focused()
    press("k")
    expect(links.nth(0)).to_be_focused()
    page.goto(f"/#/m/{traded.ticker}")
    sign_up(page, f"zoe-{secrets.token_hex(4)}")
    page.get_by_role("heading", name="Order book").click()
    price = page.get_by_label("Limit price", exact=True)
    pressed = {"n": ".outcomes .no", "y": ".outcomes .yes", "s": ".sides button >> nth=1", "b": ".sides button >> nth=0"}
    for key, button in pressed.items():
        press(key)
        expect(page.locator(button)).to_have_attribute("aria-pressed", "true")
    before = float(price.input_value())
    press("]")
    expect(price).to_have_value(re.compile(rf"^{before + 1:g}$"))
    press("[")
    expect(price).to_have_value(re.compile(rf"^{before:g}$"))
    press("r")
    expect(page.locator("#app > .sr")).to_have_text(re.compile("^Bids: .+ Offers: .+"))
    press("c")
    expect(page.get_by_label("Contracts", exact=True)).to_be_focused()
    price.fill("2")
    page.get_by_role("heading", name="Order book").click()
    expect(page.get_by_text("10 wait in the book")).to_be_visible()
    press("Enter")
    expect(page.get_by_role("button", name="Confirm:")).to_be_focused()
    press("Enter")
    expect(page.get_by_role("heading", name="In the book")).to_be_visible()
    cancel = page.get_by_role("button", name=f"Cancel {traded.ticker}")
    expect(cancel).to_be_visible()
    press("x")
    expect(cancel).to_be_hidden()
    theme = page.locator("html")
    press("t")
    expect(theme).to_have_attribute("data-theme", "dark")
    press("t")
    expect(theme).to_have_attribute("data-theme", "light")
    press("a")
    expect(page.get_by_role("dialog")).to_be_visible()
    press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    for key, title in (("c", "Proof"), ("p", "Portfolio"), ("m", "Markets")):
        press("g")
        press(key)
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    press("?")
    map_ = page.get_by_role("dialog")
    expect(map_.get_by_role("heading", name="Keyboard")).to_be_visible()
    map_.get_by_label("Keys are on").uncheck()
    press("Escape")
    expect(map_).to_be_hidden()
    press("t")
    press("?")
    expect(map_).to_be_hidden()
    expect(theme).to_have_attribute("data-theme", "light")
    page.get_by_role("contentinfo").get_by_role("button", name="Keyboard").click()
    map_.get_by_label("Keys are on").check()
    press("Escape")
    press("t")
    expect(theme).to_have_attribute("data-theme", "dark")


def test_the_ladder_is_walked_with_arrows_and_gives_its_price_to_the_ticket(page: Page, traded: VenueMarket) -> None:
    page.goto(f"/#/m/{traded.ticker}")
    best = page.locator(".ladder .ask tr").last.get_by_role("button")
    best.focus()
    page.keyboard.press("ArrowDown")
    bid = page.locator(".ladder .bid tr").first.get_by_role("button")
    expect(bid).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Limit price", exact=True)).to_have_value(bid.inner_text().removesuffix("¢"))
    page.keyboard.press("ArrowUp")
    expect(best).to_be_focused()
