"""Steps that several tests of the page take."""

import os
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from bridge.cli_options import ROOT

SETTLED_MS = 90_000
"""How long the chain may take to make something final."""
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
RUN = "() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
PICTURES = os.environ.get("CAUSEWAY_PICTURES", "")
"""A folder: then every page of PICTURED leaves a picture there (`make screenshots`)."""
STATE_PICTURES = os.environ.get("CAUSEWAY_STATE_PICTURES", "")
"""A folder: then every look leaves a picture there, for the eyes of whoever changes the page."""
PICTURED = (
    *("markets", "market", "phone", "portfolio", "transaction", "proof", "operator-review"),
    *("loading", "empty", "disconnected", "stale", "frozen", "halted"),
)
MOST_BYTES = 200_000


def settled(page: Page) -> None:
    """Wait until the ticket says that the order is filled and final on chain."""
    expect(page.get_by_role("heading", name="Filled and settled")).to_be_visible(timeout=SETTLED_MS)
    done = page.locator(".result .stages li.done")
    assert [name.split("\n")[0] for name in done.all_inner_texts()][-1] == "final"


def review_and_confirm(page: Page) -> None:
    """Review the order that is in the ticket, and confirm it."""
    page.get_by_role("button", name="Review order").click(timeout=SETTLED_MS)
    page.get_by_role("button", name="Confirm:").click()


def start_with_burner(page: Page) -> None:
    """Take a burner wallet with a thousand dollars in its vault."""
    page.get_by_role("complementary").get_by_role("button", name="Start trading").click()
    page.get_by_role("button", name="Use a burner wallet").click()
    expect(page.get_by_role("dialog")).to_be_hidden(timeout=SETTLED_MS)


def sign_up(page: Page, name: str) -> None:
    """Sign up with a password, and take test money."""
    page.get_by_role("banner").get_by_role("button", name="Start trading").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Create account").click()
    page.get_by_role("button", name="Deposit test money").click()
    expect(page.get_by_role("dialog").locator(".strong dd")).to_have_text("$1,000.00", timeout=SETTLED_MS)
    page.get_by_role("button", name="Close").click()


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
    if STATE_PICTURES:
        page.screenshot(path=Path(STATE_PICTURES) / f"{name}.png", animations="disabled")
    if PICTURES and name in PICTURED:
        path = Path(PICTURES) / f"page-{name}.png"
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=path, animations="disabled")
        assert path.stat().st_size <= MOST_BYTES
