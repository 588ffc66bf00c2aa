"""What a wallet does with its vault: sets are made and merged, money leaves by a signature."""

import pytest
from playwright.sync_api import Page, expect

from bridge.pytest_plugin import VenueMarket
from tests.web.steps import SETTLED_MS, start_with_burner

pytestmark = pytest.mark.slow


def test_sets_are_made_and_merged_and_money_leaves_the_vault_by_one_signature_each(page: Page, market: VenueMarket) -> None:
    page.goto(f"/#/m/{market.ticker}")
    start_with_burner(page)
    page.goto("/#/portfolio")
    available = page.locator(".money dd").first
    expect(available).to_have_text("$1,000.00", timeout=SETTLED_MS)
    page.get_by_label("Market", exact=True).select_option(market.ticker)
    page.get_by_label("Sets", exact=True).fill("25")
    page.get_by_role("button", name="Split").click()
    row = page.get_by_role("region", name="Positions").locator("tbody tr")
    expect(row).to_contain_text("25", timeout=SETTLED_MS)
    expect(available).to_have_text("$975.00")
    page.get_by_label("Sets", exact=True).fill("10")
    page.get_by_role("button", name="Merge").click()
    expect(available).to_have_text("$985.00", timeout=SETTLED_MS)
    expect(row.locator("td").nth(1)).to_have_text("15")
    page.get_by_role("button", name="Deposit or withdraw").click()
    page.get_by_label("Amount in dollars").fill("85")
    page.get_by_role("button", name="Withdraw", exact=True).click()
    expect(page.locator(".said", has_text="The withdrawal is signed and queued")).to_be_visible()
    in_wallet = page.locator(".figures .line").filter(has_text="In the wallet")
    expect(in_wallet).to_contain_text("$85.00", timeout=SETTLED_MS)
    page.get_by_label("Amount in dollars").fill("50000")
    page.get_by_role("button", name="Withdraw", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    events = page.locator("ul.events")
    for kind in ("split", "merge", "withdraw"):
        expect(events.locator("li", has_text=kind)).to_contain_text("confirmed", timeout=SETTLED_MS)
    events.get_by_role("link", name="withdraw").click()
    expect(page.get_by_text("✓ executed")).to_be_visible()
