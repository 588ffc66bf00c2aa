"""The operator on the page: a market is paused, resumed and decided after a second look; the queue shows where operations are."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bridge.pytest_plugin import CausewayVenue, VenueMarket
from tests.web.steps import SETTLED_MS, review_and_confirm, settled, start_with_burner

pytestmark = pytest.mark.slow


def test_the_operator_pauses_resumes_and_decides_a_market_and_sees_its_operations(
    page: Page, market: VenueMarket, causeway_venue: CausewayVenue
) -> None:
    page.goto(f"/#/m/{market.ticker}")
    start_with_burner(page)
    review_and_confirm(page)
    settled(page)
    page.goto("/#/operator")
    page.get_by_label("Operator token").fill("wrong")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Operator token").fill(Path(causeway_venue.status["operator_token_path"]).read_text())
    page.get_by_role("button", name="Enter").click()
    queue = page.get_by_role("region", name="Newest operations")
    expect(queue.locator("tbody tr").first).to_contain_text("confirmed", timeout=SETTLED_MS)
    row = page.locator("tr", has=page.locator(f"a[href='#/m/{market.ticker}']"))
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("Paused")
    row.get_by_role("button", name="Resume").click()
    expect(row).to_contain_text("Open")
    row.get_by_role("button", name="Resolve Yes").click()
    expect(row).to_contain_text("Yes pays $1, No nothing")
    row.get_by_role("button", name="Keep it open").click()
    expect(row).to_contain_text("Open")
    row.get_by_role("button", name="Resolve No").click()
    row.get_by_role("button", name="Confirm: Resolve No").click()
    expect(row).to_contain_text("Yes pays 0¢", timeout=SETTLED_MS)
    expect(row).to_contain_text("on chain", timeout=SETTLED_MS)
    page.get_by_role("button", name="Settle everything now").click()
    expect(page.locator(".said", has_text="all are final")).to_be_visible(timeout=SETTLED_MS)
    queue.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="operation:")).to_be_visible()
