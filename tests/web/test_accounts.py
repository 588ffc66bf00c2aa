"""Custodial people: sign-up, a key, sessions that end, orders, money in and out, and the proof that they are counted."""

import json
import secrets

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from bridge.pytest_plugin import CausewayVenue, CustodialAccount, VenueMarket
from offchain_book.config import SIGN_INS_PER_ACCOUNT
from tests.web.steps import SETTLED_MS, review_and_confirm, sign_up

pytestmark = pytest.mark.slow


def open_account_dialog(page: Page) -> None:
    page.get_by_role("banner").get_by_role("button").last.click()


def sign_in_by_key(page: Page, account: CustodialAccount) -> None:
    page.get_by_role("banner").get_by_role("button", name="Start trading").click()
    page.get_by_role("button", name="With a key").click()
    page.get_by_label("API key id").fill(account.key_id)
    page.get_by_label("Private key").fill(account.private_key_pem)
    page.get_by_role("button", name="Sign in", exact=True).last.click()


def test_somebody_with_an_api_key_signs_in_and_verifies_that_the_published_root_counts_him(
    page: Page, causeway_venue: CausewayVenue
) -> None:
    page.goto("/#/proof")
    sign_in_by_key(page, causeway_venue.custodial["alice"])
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="Verify my proof").click()
    expect(page.get_by_text("✓ Your balances at command")).to_be_visible(timeout=SETTLED_MS)

    def one_dollar_more(route: Route) -> None:
        proof = route.fetch().json()
        first = proof["inclusions"][0]
        first["amount_micros"] = str(int(first["amount_micros"]) + 1_000_000)
        route.fulfill(body=json.dumps(proof), content_type="application/json")

    page.route("**/venue/reserves/proof", one_dollar_more)
    page.get_by_role("button", name="Verify my proof").click()
    expect(page.get_by_text("✕ USD: your amount leads to another root than the statement's.")).to_be_visible()
    page.unroute("**/venue/reserves/proof")

    def another_root(route: Route) -> None:
        proof = route.fetch().json()
        proof["statement"]["seq"] += 1
        route.fulfill(body=json.dumps(proof), content_type="application/json")

    page.route("**/venue/reserves/proof", another_root)
    page.get_by_role("button", name="Verify my proof").click()
    expect(page.get_by_text("✕ The statement's root is")).to_be_visible()


def test_answers_that_are_slower_than_the_page_asks_are_shown_all_the_same(
    page: Page, causeway_venue: CausewayVenue
) -> None:
    """Found on a busy machine: each answer was thrown away because a newer question was out, and the dialog stayed open."""
    waits: list[Route] = []

    def until_asked_again(route: Route) -> None:
        waits.append(route)
        if len(waits) > 1:
            waits.pop(0).continue_()

    page.route("**/venue/page/portfolio*", until_asked_again)
    page.goto("/#/portfolio")
    sign_in_by_key(page, causeway_venue.custodial["alice"])
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator(".money dd").first).to_contain_text("$")
    page.unroute_all(behavior="ignoreErrors")


def test_a_session_that_has_ended_is_said_and_begins_again_where_it_was(
    page: Page, context: BrowserContext, market: VenueMarket
) -> None:
    name = f"zoe-{secrets.token_hex(4)}"
    page.goto(f"/#/m/{market.ticker}")
    sign_up(page, name)
    context.clear_cookies(name="causeway_account")
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    expect(page.get_by_role("complementary").get_by_role("button", name="Start trading")).to_be_visible()
    page.get_by_role("button", name="Sign in again").click()
    page.get_by_role("button", name="Sign in", exact=True).first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password").fill("wrong horse!")
    submit = page.locator("form.custodial .primary")
    wrong, too_many = (page.get_by_text(text) for text in ("No account has this name and password", "Too many sign-ins"))
    submit.click()
    expect(wrong).to_be_visible()
    for _ in range(3 * SIGN_INS_PER_ACCOUNT.most):  # one more is allowed every half minute
        if not wrong.is_visible():
            break
        submit.click()
        expect(submit).to_be_enabled()
        expect(wrong.or_(too_many)).to_be_visible()
    expect(too_many).to_contain_text("for this account")


def test_money_of_an_account_leaves_to_an_address_and_the_way_is_shown(
    page: Page, market: VenueMarket, causeway_venue: CausewayVenue
) -> None:
    page.goto(f"/#/m/{market.ticker}")
    sign_up(page, f"zoe-{secrets.token_hex(4)}")
    review_and_confirm(page)
    expect(page.get_by_role("heading", name="Filled and settled")).to_be_visible()
    open_account_dialog(page)
    page.get_by_label("Amount in dollars").fill("5000")
    page.get_by_label("Withdraw to address").fill(causeway_venue.wallets["frank"].address)
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    page.get_by_label("Amount in dollars").fill("94")
    page.get_by_role("button", name="Withdraw").click()
    expect(page.locator(".said", has_text="The withdrawal is in the next batch.")).to_be_visible()
    expect(page.get_by_role("dialog").locator(".strong dd")).to_have_text("$900.00")
    page.get_by_role("button", name="Close").click()
    page.goto("/#/portfolio")
    expect(page.get_by_role("region", name="Order history")).to_contain_text("executed")
    expect(page.locator(".money dd").first).to_have_text("$900.00")
