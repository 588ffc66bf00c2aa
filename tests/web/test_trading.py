"""From a first visit to a settled fill, for everybody who comes: burner, injected wallet, custodial account."""

import secrets

import pytest
from playwright.sync_api import Page, expect

from bridge.pytest_plugin import CausewayVenue, VenueMarket
from tests.web.conftest import Inject, Quote
from tests.web.steps import SETTLED_MS, look, review_and_confirm, settled, sign_up

pytestmark = pytest.mark.slow
CLICKS = """window.clicks = 0; addEventListener("click", (event) => event.isTrusted && window.clicks++, true)"""


def test_a_first_visit_leads_to_a_settled_fill_with_a_burner_wallet_in_six_clicks(
    page: Page, market: VenueMarket, causeway_venue: CausewayVenue
) -> None:
    page.add_init_script(CLICKS)
    page.goto("/")
    page.locator(f"a.pick.yes[href='#/m/{market.ticker}']").click()
    page.get_by_role("complementary").get_by_role("button", name="Start trading").click()
    page.get_by_role("button", name="Use a burner wallet").click()
    review_and_confirm(page)
    settled(page)
    assert page.evaluate("window.clicks") <= 6
    link = page.locator(".result .stages a", has_text="final")
    transaction = str(link.get_attribute("href")).rpartition("/")[2]
    trace = causeway_venue.trace(transaction)
    assert trace["fills"][0]["stage"] == "CONFIRMED"
    link.click()
    expect(page.get_by_text("✓ executed")).to_be_visible()
    log = page.locator(".logs li", has=page.locator(f"a[href='#/m/{market.ticker}']"))
    for words in (
        "Filled",
        "my wallet bought Yes",
        "custody pool bought No",
        "10 contracts",
        "60¢",
        "taker none, maker none",
    ):
        expect(log).to_contain_text(words)
    log.get_by_role("link", name="my wallet").click()
    expect(page.get_by_role("heading", name="Wallet", exact=True)).to_be_visible()
    expect(page.locator(".money dd").first).to_have_text("$994.00")
    look(page, "wallet-of-somebody")


def test_a_wallet_with_money_in_its_vault_trades_with_one_prompt(
    inject: Inject, page: Page, market: VenueMarket, causeway_venue: CausewayVenue
) -> None:
    wallet = inject(causeway_venue.wallets["erin"].private_key)
    page.goto(f"/#/m/{market.ticker}")
    page.get_by_role("complementary").get_by_role("button", name="Start trading").click()
    page.get_by_role("button", name="Connect Test Wallet").click()
    review_and_confirm(page)
    settled(page)
    assert wallet.prompts == ["sign Order"]


@pytest.mark.parametrize(("together", "deposits_by"), [(False, "sign Permit"), (True, "send calls")])
def test_a_new_wallet_deposits_and_trades_with_two_prompts(
    inject: Inject, page: Page, market: VenueMarket, together: bool, deposits_by: str
) -> None:
    wallet = inject("0x" + secrets.token_hex(32), together=together)
    page.goto(f"/#/m/{market.ticker}")
    page.get_by_role("complementary").get_by_role("button", name="Start trading").click()
    page.get_by_role("button", name="Connect Test Wallet").click()
    page.get_by_role("button", name="Get test money").click()
    expect(page.locator(".figures .line").filter(has_text="In the wallet")).to_contain_text("$100.00", timeout=SETTLED_MS)
    page.get_by_role("button", name="Deposit", exact=True).click()
    expect(page.locator(".said", has_text="Deposited:")).to_be_visible(timeout=SETTLED_MS)
    page.get_by_role("button", name="Close").click()
    review_and_confirm(page)
    settled(page)
    assert wallet.prompts == [deposits_by, "sign Order"]


def test_somebody_signs_up_with_a_password_trades_leaves_and_comes_back(page: Page, market: VenueMarket) -> None:
    name = f"zoe-{secrets.token_hex(4)}"
    page.goto(f"/#/m/{market.ticker}")
    sign_up(page, name)
    review_and_confirm(page)
    expect(page.get_by_role("heading", name="Filled and settled")).to_be_visible()
    page.goto("/#/portfolio")
    expect(page.locator(".money dd").first).to_have_text("$994.00")
    page.get_by_role("button", name="Deposit or withdraw").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("banner").get_by_role("button", name="Start trading").click()
    page.get_by_role("button", name="Sign in", exact=True).first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password").fill("wrong horse!")
    page.locator("form.custodial .primary").click()
    expect(page.get_by_text("No account has this name and password")).to_be_visible()
    page.get_by_label("Password").fill("correct horse")
    page.locator("form.custodial .primary").click()
    expect(page.get_by_role("heading", name="Fills")).to_be_visible()


def test_an_order_that_rests_is_shown_and_cancelled(page: Page, market: VenueMarket) -> None:
    page.goto(f"/#/m/{market.ticker}")
    sign_up(page, f"zoe-{secrets.token_hex(4)}")
    page.get_by_label("Limit price", exact=True).fill("41")
    review_and_confirm(page)
    expect(page.get_by_role("heading", name="In the book")).to_be_visible()
    expect(page.locator(".ladder .bid tr").first).to_contain_text("41¢")
    page.get_by_role("button", name=f"Cancel {market.ticker}").click()
    expect(page.locator(".ladder .bid tr").first).to_contain_text("40¢")


def test_a_book_that_changes_elsewhere_changes_on_the_page(page: Page, market: VenueMarket, quote: Quote) -> None:
    page.goto(f"/#/m/{market.ticker}")
    expect(page.locator(".ladder .ask tr").last).to_contain_text("60¢")
    quote(market.ticker, "ask", "0.5500", "7.00")
    expect(page.locator(".ladder .ask tr").last).to_contain_text("55¢")
