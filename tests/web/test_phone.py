"""On a phone the ticket lies over the market: two buttons at the bottom open it, and so does an outcome in a list."""

import pytest
from playwright.sync_api import Page, expect

from bridge.pytest_plugin import VenueMarket
from tests.web.steps import look, review_and_confirm, settled

pytestmark = pytest.mark.slow


def test_from_an_outcome_in_the_list_to_a_settled_fill_on_a_phone(page: Page, market: VenueMarket) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/")
    page.locator(f"a.pick.yes[href='#/m/{market.ticker}']").click()
    ticket = page.get_by_role("dialog", name="Order ticket")
    expect(ticket.get_by_text("You pay at most")).to_be_visible()
    look(page, "phone-ticket")
    ticket.get_by_role("button", name="Start trading").click()
    page.get_by_role("button", name="Use a burner wallet").click()
    review_and_confirm(page)
    settled(page)
    page.keyboard.press("Escape")
    expect(ticket).to_be_hidden()

    buy = page.get_by_role("group", name="Buy", exact=True)
    buy.get_by_role("button", name="Buy No 60¢").click()
    expect(ticket.get_by_role("button", name="No 60¢", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(ticket.get_by_role("button", name="Review order")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Markets", exact=True)).to_be_visible()
    expect(ticket).to_be_hidden()
    page.go_forward()
    expect(buy).to_be_visible()
    expect(ticket).to_be_hidden()


def test_what_has_the_focus_is_never_under_the_buttons(page: Page, market: VenueMarket) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/#/m/{market.ticker}", wait_until="networkidle")  # nothing comes later and moves what is measured
    expect(page.locator(".ladder .bid tr")).to_have_count(1)
    bar = page.get_by_role("group", name="Buy", exact=True).bounding_box()
    assert bar is not None
    page.locator("h1").click()
    for place in ("footer a >> nth=-1", ".ladder .bid button", ".buybar button >> nth=0"):
        page.locator(place).focus()
        box = page.locator(place).bounding_box()
        assert box is not None
        assert place.startswith(".buybar") or box["y"] + box["height"] <= bar["y"], place
