"""Book, ledger and chain side by side for any command: before a fill, while it is in flight, and when it is final."""

import re

import pytest
from playwright.sync_api import Page, expect

from bridge.polling import poll
from bridge.pytest_plugin import CausewayVenue, VenueMarket
from tests.web.steps import SETTLED_MS, review_and_confirm, settled, start_with_burner

pytestmark = pytest.mark.slow


def all_is_recorded(venue: CausewayVenue) -> bool | None:
    """True when a recorded block is as far as the newest command; None as long as not."""
    newest = venue.client.ask("GET", "/venue/page/overview")["seq"]
    return venue.client.ask("GET", f"/venue/at/{newest}")["chain"]["equal"]


def test_three_witnesses_agree_before_during_and_after_a_fill(
    page: Page, market: VenueMarket, causeway_venue: CausewayVenue
) -> None:
    page.goto(f"/#/m/{market.ticker}")
    start_with_burner(page)
    causeway_venue.flush()  # else what other tests traded may be in flight too
    assert poll(lambda: all_is_recorded(causeway_venue), 0.2, SETTLED_MS / 1_000), "the deposit's block was recorded"
    review_and_confirm(page)
    settled(page)
    stages = page.locator(".result .stages li")
    assert stages.locator("time").count() == 6, "every stage has its time"
    times = [str(time) for time in stages.locator("time").evaluate_all("all => all.map(one => one.dateTime)")]
    assert times == sorted(times)
    order = int(str(page.locator(".result .stages a", has_text="accepted").get_attribute("href")).rpartition("%3A")[2])
    wallet = page.evaluate("document.querySelector('.who').title").lower()
    before, after = (causeway_venue.client.ask("GET", f"/venue/at/{seq}?wallet={wallet}") for seq in (order - 1, order))
    for moment in (before, after):
        assert (moment["chain"]["equal"], moment["chain"]["waiting"]) == (True, None)
    pool = {row["asset"]: row for row in after["chain"]["rows"] if row["holder"] == "pool"}
    assert pool["USD"]["in_flight_micros"] == -4_000_000, (
        "alice's part of ten contracts at 60 cents was matched, not executed"
    )
    mine = [{one["asset"]: one["total_micros"] for one in moment["ledger"]["mine"]} for moment in (before, after)]
    assert mine == [{"USD": 1_000_000_000}, {"USD": 994_000_000, f"{market.ticker}:YES": 10_000_000}]

    page.goto(f"/#/proof/{order}")
    moment = page.locator(".moment")
    expect(moment).to_contain_text(f"#{order}, PlaceOrder")
    expect(page.get_by_role("region", name="Chain", exact=True)).to_contain_text("✓ agrees with the ledger")
    expect(page.get_by_role("region", name="Ledger")).to_contain_text(re.compile(r"Mine, USD\s*\$994\.00"))
    expect(page.get_by_role("region", name="Book")).to_contain_text("open orders")
    page.get_by_role("button", name="One command back").click()
    expect(moment).to_contain_text(f"#{order - 1},")
    expect(page.get_by_role("region", name="Ledger")).to_contain_text(re.compile(r"Mine, USD\s*\$1,000\.00"))
    page.get_by_role("heading", name="Reserves").click()
    page.keyboard.press(".")
    expect(moment).to_contain_text(f"#{order},")
    page.keyboard.press(",")
    expect(moment).to_contain_text(f"#{order - 1},")
    with page.expect_response("**/venue/page/overview") as drawn_anew:
        page.get_by_label("Command", exact=True).first.fill(str(order))
    drawn_anew.value.finished()
    page.keyboard.press("Enter")
    expect(moment).to_contain_text(f"#{order},")
    page.get_by_role("button", name="Newest").click()
    expect(page.get_by_role("region", name="Chain", exact=True)).to_contain_text("✓ agrees with the ledger")
