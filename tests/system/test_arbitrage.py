"""The arbitrage example: one question listed twice, quoted by an account here and by a wallet there; the bot takes the gap."""

import json
import os
import subprocess

import pytest

from bridge.cli_options import ROOT
from bridge.cli_traders import CustodialTrader, WalletTrader
from bridge.pytest_plugin import CausewayVenue

pytestmark = pytest.mark.slow
SECONDS = 1.0


def test_the_bot_locks_the_gap_between_two_listings_of_one_question(causeway_venue: CausewayVenue) -> None:
    here, there = causeway_venue.new_market("KXTEST-ARBK"), causeway_venue.new_market("KXTEST-ARBP")
    bob, erin = CustodialTrader(causeway_venue.client, "bob"), WalletTrader(causeway_venue.client, "erin")
    bob.place(here.ticker, "ask", 10, 40)  # YES costs 40 cents here
    erin.buy(there.yes_token_id, 6, 50)  # NO costs 50 cents there
    erin.buy(there.yes_token_id, 6, 40)  # and 60 behind that: no gain
    alice, dave = causeway_venue.custodial["alice"], causeway_venue.wallets["dave"]
    given = {
        "host": causeway_venue.http,
        "key-id": alice.key_id,
        "pem": alice.private_key_path,
        "key": dave.private_key,
        "ticker": here.ticker,
        "condition-id": there.condition_id,
        "seconds": SECONDS,
    }
    (packages,) = (ROOT / ".venv-polymarket" / "lib").glob("python3.*/site-packages")
    done = subprocess.run(
        [str(ROOT / ".venv-kalshi/bin/python"), str(ROOT / "docs/examples/arbitrage.py")]
        + [text for name, value in given.items() for text in (f"--{name}", str(value))],
        env={**os.environ, "PYTHONPATH": str(packages)},  # both clients in one environment
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"trades": 1, "locked": "6.00", "profit": "0.60", "unhedged": "0.00"}
    balances = causeway_venue.client.admin("GET", "/accounts/alice")["balances"]
    assert balances[f"{here.ticker}:YES"]["total"] == 6_000_000
    balances = causeway_venue.client.admin("GET", f"/accounts/{dave.address}")["balances"]
    assert balances[f"{there.ticker}:NO"]["total"] == 6_000_000
