"""The page in headless Chromium (Debian's), against the shared venue; a missing browser fails every test here."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from bridge.pytest_plugin import CausewayVenue, VenueMarket
from bridge.rpc import RpcClient
from offchain_book.signatures import checksum_address
from tests.system.clients import Client, kalshi

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"]
WALLET_SCRIPT = (Path(__file__).parent / "wallet.js").read_text()
PATIENCE_MS = 60_000
"""How long anything may take; only a test that fails waits so long."""
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a file's tests. Its event loop is this thread's, so it has to end before a test with one of its own."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS, timeout=2 * PATIENCE_MS)
        yield found
        found.close()


@pytest.fixture
def context(browser: Browser, causeway_venue: CausewayVenue) -> Iterator[BrowserContext]:
    """A browser profile that has never been here."""
    found = browser.new_context(
        base_url=causeway_venue.http, viewport={"width": 1360, "height": 900}, reduced_motion="reduce", color_scheme="light"
    )
    found.set_default_timeout(PATIENCE_MS)
    yield found
    found.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab. Whatever breaks the content policy or throws fails the test."""
    found, broken = context.new_page(), list[str]()
    found.on("pageerror", lambda error: broken.append(str(error)))
    found.on("console", lambda said: broken.append(said.text) if "Content Security Policy" in said.text else None)
    yield found
    assert broken == []


@pytest.fixture(scope="session")
def alice(causeway_venue: CausewayVenue) -> Iterator[Client]:
    """The custodial maker, with Kalshi's own client."""
    with kalshi(dict(causeway_venue.status), "alice") as client:
        yield client


Quote = Callable[[str, str, str, str], None]


@pytest.fixture(scope="session")
def quote(alice: Client) -> Quote:
    """Put one order of alice's into a book: ticker, bid or ask, price in dollars, contracts."""

    def place(ticker: str, side: str, price: str, count: str) -> None:
        terms = {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}
        alice.create_order_v2(ticker=ticker, side=side, price=price, count=count, **terms)

    return place


@pytest.fixture
def market(causeway_venue: CausewayVenue, quote: Quote, request: pytest.FixtureRequest) -> VenueMarket:
    """A market of the test's own with a bid at 40 and an offer at 60 cents."""
    name = "".join(c for c in request.node.name.upper() if c.isalnum())[-24:]
    found = causeway_venue.new_market(f"KXWEB-{name}")
    quote(found.ticker, "bid", "0.4000", "50.00")
    quote(found.ticker, "ask", "0.6000", "50.00")
    return found


class InjectedWallet:
    """What a wallet extension does: keeps a key outside the page, asks before it signs or sends, speaks EIP-1193."""

    def __init__(self, context: BrowserContext, venue: CausewayVenue, private_key: str, *, together: bool = False) -> None:
        self.account = Account.from_key(private_key)
        self.prompts: list[str] = []
        """What a person had to confirm, connecting apart."""
        self._rpc = RpcClient(venue.rpc)
        self._chain_id = venue.chain_id
        self._together = together
        self._sent: dict[str, list[str]] = {}
        context.expose_function("causewayTestWallet", self._answer)
        context.add_init_script(WALLET_SCRIPT)

    def _answer(self, text: str) -> Any:
        asked = json.loads(text)
        method, params = asked["method"], asked.get("params") or []
        handler = getattr(self, f"_{method}", None)
        return handler(*params) if handler else self._rpc.call(method, *params)

    def _eth_requestAccounts(self) -> list[str]:
        return [self.account.address]

    def _wallet_getCapabilities(self, address: str) -> dict[str, Any]:
        status = "ready" if self._together else "unsupported"
        return {hex(self._chain_id): {"atomic": {"status": status}}}

    def _eth_signTypedData_v4(self, address: str, data: str) -> str:
        message = json.loads(data)
        self.prompts.append(f"sign {message['primaryType']}")
        return "0x" + self.account.sign_message(encode_typed_data(full_message=message)).signature.hex()

    def _personal_sign(self, text: str, address: str) -> str:
        self.prompts.append("sign text")
        return "0x" + self.account.sign_message(encode_defunct(hexstr=text)).signature.hex()

    def _eth_sendTransaction(self, call: dict[str, Any]) -> str:
        self.prompts.append("send")
        return self._send(call)

    def _wallet_sendCalls(self, request: dict[str, Any]) -> dict[str, str]:
        self.prompts.append("send calls")
        name = f"calls-{len(self._sent)}"
        self._sent[name] = [self._send(call) for call in request["calls"]]
        return {"id": name}

    def _wallet_getCallsStatus(self, name: str) -> dict[str, int]:
        receipts = [self._rpc.call("eth_getTransactionReceipt", tx) for tx in self._sent[name]]
        if not all(receipts):
            return {"status": 100}
        return {"status": 200 if all(one["status"] == "0x1" for one in receipts) else 500}

    def _send(self, call: dict[str, Any]) -> str:
        terms = {
            "to": checksum_address(call["to"]),
            "data": call.get("data", "0x"),
            "gas": 400_000,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 10**9,
            "nonce": int(self._rpc.call("eth_getTransactionCount", self.account.address, "pending"), 16),
            "chainId": self._chain_id,
        }
        return str(
            self._rpc.call("eth_sendRawTransaction", "0x" + self.account.sign_transaction(terms).raw_transaction.hex())
        )

    def close(self) -> None:
        """Close the connection to the chain."""
        self._rpc.close()


class Inject(Protocol):
    """Puts a wallet with a key into the browser, before the page loads."""

    def __call__(self, private_key: str, *, together: bool = False) -> InjectedWallet: ...


@pytest.fixture
def inject(context: BrowserContext, causeway_venue: CausewayVenue) -> Iterator[Inject]:
    """Wallets that are closed after the test."""
    made: list[InjectedWallet] = []

    def put(private_key: str, *, together: bool = False) -> InjectedWallet:
        made.append(InjectedWallet(context, causeway_venue, private_key, together=together))
        return made[-1]

    yield put
    for wallet in made:
        wallet.close()
