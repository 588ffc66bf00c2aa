"""The README's way through the page, click by click, as it is written there."""

import re

import pytest
from playwright.sync_api import Page

from bridge.cli_options import ROOT
from bridge.pytest_plugin import VenueMarket
from tests.web.steps import SETTLED_MS, settled

pytestmark = pytest.mark.slow


def test_the_readmes_clicks_lead_to_a_fill_that_is_final(page: Page, market: VenueMarket) -> None:
    block = re.search(r"^```text browser\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    yes, *buttons = re.findall(r'"([^"]+)"', block[1])
    page.goto("/")
    page.locator(f"a.pick.{yes.lower()}[href='#/m/{market.ticker}']").click()
    for label in buttons:
        page.get_by_role("button", name=label).last.click(timeout=SETTLED_MS)
    settled(page)
    stages = [name.split("\n")[0] for name in page.locator(".result .stages li").all_inner_texts()]
    assert " → ".join(stages) in block[1]
