"""Every state that the page can be in looks like itself: loading, empty, old, cut off, frozen, standing still, without a venue."""

import json
import secrets
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, WebSocketRoute, expect

from bridge.pytest_plugin import VenueMarket
from tests.web.conftest import Quote
from tests.web.steps import look, sign_up

pytestmark = pytest.mark.slow
Line = dict[str, Any]


def changed(page: Page, **fields: Any) -> Line:
    """Let the venue's overview say something else from now on; return it."""
    body: Line = page.request.get("/venue/page/overview").json() | fields
    page.route("**/venue/page/overview", lambda route: route.fulfill(json=body))
    return body


class Wire:
    """The page's connection to the stream, which can be cut and silenced."""

    def __init__(self, page: Page) -> None:
        self.silent = False
        self.refused = False
        self.open: list[WebSocketRoute] = []
        self.sent: list[Line] = []
        page.route_web_socket("**/venue/ws", self._connected)

    def _connected(self, socket: WebSocketRoute) -> None:
        if self.refused:
            socket.close(code=1012)
            return
        server = socket.connect_to_server()
        self.open.append(socket)
        socket.on_message(lambda text: (self.sent.append(json.loads(text)), server.send(text)))
        server.on_message(lambda text: None if self.silent else socket.send(text))

    def cut(self) -> None:
        """Break the connection, as a network does."""
        for socket in self.open:
            socket.close(code=1012)
        self.open.clear()


def test_loading_empty_and_unreachable(page: Page) -> None:
    held: list[Route] = []
    page.route("**/venue/page/overview", lambda route: held.append(route))
    page.goto("/")
    expect(page.get_by_label("Loading markets")).to_be_visible()
    look(page, "loading")
    empty = changed(page, events=[])
    for route in held:
        route.fulfill(json=empty)
    expect(page.get_by_role("heading", name="No markets yet")).to_be_visible()
    look(page, "empty")
    page.goto("/#/portfolio")
    expect(page.get_by_text("Connect a wallet, take a burner, or sign in")).to_be_visible()
    look(page, "empty-portfolio")
    page.goto("/#/m/KXNOBODY-A")
    expect(page.get_by_role("heading", name="There is no market KXNOBODY-A")).to_be_visible()
    look(page, "no-such-market")
    page.unroute_all(behavior="ignoreErrors")
    page.route("**/venue/page/overview", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("heading", name="The venue does not answer")).to_be_visible()
    look(page, "unreachable")
    page.evaluate("for (let id = setTimeout(() => 0); id > 0; id--) clearInterval(id)")  # or the page itself tries again
    page.unroute_all(behavior="ignoreErrors")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("There is no market KXNOBODY-A")).to_be_visible()


def test_a_connection_that_drops_says_so_and_resumes_with_nothing_missed(
    page: Page, market: VenueMarket, quote: Quote
) -> None:
    wire = Wire(page)
    page.goto(f"/#/m/{market.ticker}")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.locator(".ladder .ask tr").last).to_contain_text("60¢")
    wire.refused = True
    wire.cut()
    expect(page.get_by_text("The connection broke.")).to_be_visible()
    expect(page.get_by_text("Reconnecting")).to_be_visible()
    look(page, "disconnected")
    quote(market.ticker, "ask", "0.5500", "7.00")
    quote(market.ticker, "bid", "0.4500", "3.00")
    wire.sent.clear()
    wire.refused = False
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.locator(".ladder .ask tr").last).to_contain_text("55¢")
    expect(page.locator(".ladder .bid tr").first).to_contain_text("45¢")
    first = next(line for line in wire.sent if line["op"] == "subscribe")
    assert first["resume_from"], "it went on where it had been"
    expect(page.locator(".title .big")).to_contain_text("50%")


def test_a_connection_that_breaks_while_its_ticket_is_fetched_begins_once(page: Page, market: VenueMarket) -> None:
    wire = Wire(page)
    page.goto(f"/#/m/{market.ticker}")
    sign_up(page, f"uma-{secrets.token_hex(4)}")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    held: list[Route] = []
    page.route("**/venue/stream/tickets", lambda route: route.continue_() if held else held.append(route))
    with page.expect_request("**/venue/stream/tickets"):
        wire.cut()
    wire.sent.clear()
    wire.cut()
    expect(page.get_by_text("Reconnecting")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    with page.expect_response("**/venue/stream/tickets"):
        held[0].continue_()
    page.evaluate("new Promise(requestAnimationFrame)")
    assert [line["op"] for line in wire.sent if line["op"] == "auth"] == ["auth"]


def test_data_that_grows_old_says_how_old_it_is(page: Page, context: BrowserContext, market: VenueMarket) -> None:
    page.clock.install()
    wire = Wire(page)
    page.goto(f"/#/m/{market.ticker}")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    wire.silent = True
    page.clock.run_for(20_000)
    expect(page.locator(".link")).to_contain_text("s old")
    look(page, "stale")
    wire.silent = False
    page.clock.run_for(6_000)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


STOPPED: dict[str, tuple[dict[str, Any], str, str]] = {
    "frozen": ({"frozen": "reserves: the chain has less"}, "Trading is frozen", "while the exchange is frozen"),
    "halted": ({"chain_halted": True}, "The chain has stopped making blocks final.", ""),
    "paused": ({"mode": "paused"}, "The exchange is paused.", "takes no new orders now"),
    "closed": ({"session": "closed"}, "Outside trading hours", "outside its trading hours"),
}


@pytest.mark.parametrize("state", STOPPED)
def test_an_exchange_that_stands_still_says_why_and_takes_no_order(page: Page, market: VenueMarket, state: str) -> None:
    fields, notice, ticket = STOPPED[state]
    changed(page, **fields)
    page.goto(f"/#/m/{market.ticker}")
    expect(page.locator(".notice")).to_contain_text(notice)
    if ticket:
        expect(page.get_by_role("complementary")).to_contain_text(ticket)
        expect(page.get_by_role("button", name="Review order")).to_have_count(0)
    look(page, state)
