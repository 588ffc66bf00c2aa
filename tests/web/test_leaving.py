"""How money comes back to a wallet: redemption after a resolution, a withdrawal, and the exit that needs nobody."""

import pytest
from playwright.sync_api import Page, expect

from bridge.pytest_plugin import CausewayVenue, VenueMarket
from tests.web.steps import SETTLED_MS, review_and_confirm, settled, start_with_burner

pytestmark = pytest.mark.slow


def test_a_burner_redeems_what_won_and_leaves_without_the_venue(
    page: Page, market: VenueMarket, causeway_venue: CausewayVenue
) -> None:
    page.goto(f"/#/m/{market.ticker}")
    start_with_burner(page)
    review_and_confirm(page)
    settled(page)
    causeway_venue.resolve(market.ticker, "yes")
    page.goto("/#/portfolio")
    available = page.locator(".money dd").first
    expect(available).to_have_text("$994.00")
    page.get_by_role("button", name="Redeem").click(timeout=SETTLED_MS)
    expect(available).to_have_text("$1,004.00", timeout=SETTLED_MS)
    expect(page.get_by_text("No positions.")).to_be_visible(timeout=SETTLED_MS)
    page.get_by_role("button", name="Request exit").click()
    expect(page.get_by_text("Can be collected from")).to_be_visible(timeout=SETTLED_MS)
    causeway_venue.client.admin("POST", "/time", {"seconds": 130})
    page.reload()
    page.get_by_role("button", name="Collect everything").click(timeout=SETTLED_MS)
    expect(page.locator(".said", has_text="Paid out to your wallet.")).to_be_visible(timeout=SETTLED_MS)
    expect(available).to_have_text("$0.00", timeout=SETTLED_MS)
    page.get_by_role("banner").get_by_role("button").last.click()
    expect(page.locator(".figures .line").filter(has_text="In the wallet")).to_contain_text("$1,004.00", timeout=SETTLED_MS)
