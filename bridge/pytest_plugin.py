"""The pytest plugin: a running venue as the fixture `causeway_venue`, for tests of bots, adapters and contracts.

Installed with the package (entry point `pytest11`). The first test that asks for the fixture starts one venue for the whole
session: chain, contracts, book, demo accounts, on free ports in a temporary folder; it is stopped at the end. Nothing starts
for tests that do not ask. The environment variable CAUSEWAY_UP
adds arguments of `causeway up`. See docs/testing.md.
"""

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge.cli_client import VenueClient
from bridge.venue_process import VenueDied, VenueProcess, processes_of

CLOSE = "2035-01-01T00:00:00Z"


@dataclass(frozen=True)
class CustodialAccount:
    """A funded account with an API key of Kalshi's dialect."""

    name: str
    key_id: str
    private_key_path: Path

    @property
    def private_key_pem(self) -> str:
        """The key, as Kalshi's SDK takes it."""
        return self.private_key_path.read_text()


@dataclass(frozen=True)
class WalletAccount:
    """A wallet with a public test key."""

    name: str
    address: str
    private_key: str


@dataclass(frozen=True)
class VenueMarket:
    """A market under the names that each dialect has for it."""

    ticker: str
    event_ticker: str
    condition_id: str
    yes_token_id: str
    no_token_id: str


class CausewayVenue:
    """A running venue: where it is, who is on it, and the operator's and the clock's side of it."""

    def __init__(self, process: VenueProcess) -> None:
        self.process = process
        self.client = VenueClient(process.data_dir)
        """Our own routes, signed as the operator, an account or a wallet."""
        self.status: Mapping[str, Any] = self.client.status
        """`causeway status -o json` when the venue was ready."""
        self.http = str(self.status["http"])
        self.ws = str(self.status["ws"])
        self.rpc = str(self.status["rpc"])
        self.gamma = str(self.status["gamma"])
        self.data_api = str(self.status["data_api"])
        self.kalshi_host = f"{self.http}/trade-api/v2"
        self.fix: Mapping[str, str] = self.status["fix"]
        self.chain_id = int(self.status["chain_id"])
        self.client_chain_id = int(self.status["client_chain_id"])
        """What Polymarket's clients are told: it only enters what they sign."""
        self.contracts: Mapping[str, str] = self.status["contracts"]
        self.custodial = {
            name: CustodialAccount(name, key["key_id"], Path(key["private_key_path"]))
            for name, key in self.status["accounts"]["custodial"].items()
        }
        self.wallets = {
            name: WalletAccount(name, wallet["address"], wallet["private_key"])
            for name, wallet in self.status["accounts"]["wallets"].items()
        }

    @property
    def markets(self) -> dict[str, VenueMarket]:
        """Every market by ticker, as it is now."""
        return {ticker: _market(ticker, row) for ticker, row in self.process.status()["markets"].items()}

    def new_market(self, event: str, title: str = "A market") -> VenueMarket:
        """List a market of a test's own, EVENT-A, so that no other test's orders meet it. Raises CommandError."""
        content = {
            "series": {"ticker": "KXTEST", "title": "Tests"},
            "event": {"ticker": event, "title": "An event"},
            "markets": [{"ticker": f"{event}-A", "title": title, "rules": "If so, Yes.", "close": CLOSE}],
        }
        made = self.client.admin("POST", "/markets", content)["markets"][0]
        return _market(made["ticker"], made)

    def resolve(self, ticker: str, outcome: str) -> None:
        """Decide a market (yes, no, or what YES pays, like 0.25) and return when the chain has it. Raises CommandError."""
        from bridge.cli_market import until_resolved

        self.client.admin("POST", f"/markets/{ticker}/resolve", {"outcome": outcome})
        until_resolved(self.client, ticker, timeout_s=60)

    def flush(self) -> None:
        """Return when everything that was matched so far is final on chain. Raises CommandError."""
        self.client.admin("POST", "/flush")

    def trace(self, name: str) -> Mapping[str, Any] | None:
        """Return request, command, fills, operation, transaction and postings around any id."""
        return self.client.trace(name)

    def abi(self, name: str) -> list[dict[str, Any]]:
        """Return a contract's ABI: Venue or TestUSD."""
        found: list[dict[str, Any]] = json.loads((Path(self.status["abi_dir"]) / f"{name}.json").read_text())
        return found

    def kalshi_client(self, name: str) -> Any:
        """Return Kalshi's own client for an account; needs kalshi-python-sync in the tests' environment."""
        from kalshi_python_sync import Configuration, KalshiClient

        account, configuration = self.custodial[name], Configuration(host=self.kalshi_host)
        configuration.api_key_id, configuration.private_key_pem = account.key_id, account.private_key_pem
        return KalshiClient(configuration)

    def polymarket_client(self, name: str) -> Any:
        """Return Polymarket's own client for a wallet; needs py-clob-client-v2 in the tests' environment."""
        from py_clob_client_v2 import ClobClient

        client = ClobClient(self.http, chain_id=self.client_chain_id, key=self.wallets[name].private_key)
        client.set_api_creds(client.create_or_derive_api_key())
        return client


def _market(ticker: str, row: Mapping[str, Any]) -> VenueMarket:
    tokens = row["token_ids"]
    return VenueMarket(ticker, row["event_ticker"], row["condition_id"], tokens["yes"], tokens["no"])


@pytest.fixture(scope="session")
def causeway_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueProcess]:
    """The session's venue as a process; it has to end well, and to leave nothing behind."""
    shared = VenueProcess(tmp_path_factory.mktemp("causeway") / "venue")
    try:
        shared.start("--fresh", *shlex.split(os.environ.get("CAUSEWAY_UP", "")))
        yield shared
        code = shared.stop()
        if code or processes_of(shared.data_dir):
            raise VenueDied(f"the venue ended with {code}, and {processes_of(shared.data_dir)} still run: {shared.output}")
    finally:
        shared.clean_up()


@pytest.fixture(scope="session")
def causeway_venue(causeway_process: VenueProcess) -> CausewayVenue:
    """A running venue, shared by all tests of the session; none of them may stop it."""
    return CausewayVenue(causeway_process)
