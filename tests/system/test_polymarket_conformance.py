"""Every method of Polymarket's two Python clients against a running venue, checked for what it means.

The table docs/conformance-polymarket.md is made of these runs; CAUSEWAY_WRITE_DOCS=1 writes it anew.
"""

import asyncio
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateways.polymarket_fixtures import Wallet
from tests.system.books import Books
from tests.system.clients import kalshi
from tests.system.conftest import VenueProcess
from tests.system.polymarket_checks import Run, check_of

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-polymarket" / "bin" / "python"
TABLE = ROOT / "docs" / "conformance-polymarket.md"
GTC = {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}
CLIENTS = {"v1": "`py-clob-client` 0.34.6", "v2": "`py-clob-client-v2` 1.2.1"}


async def builder_key(host: str, key: str) -> dict[str, Any]:
    """Become a builder with a wallet, as the older client cannot."""
    async with httpx.AsyncClient(base_url=host) as http:
        wallet = Wallet(http, bytes.fromhex(key[2:]))
        await wallet.login(nonce=11)
        made: dict[str, Any] = (await wallet.call("POST", "/auth/builder-api-key")).json()
        return made


def session(books: Books, generation: str, key: str, other: str, builder: dict[str, Any]) -> Run:
    """Run one client in a market of its own, where alice quotes 40 and 60 cents.

    Its wallet is its own too: it looks at all of its orders and money, and its last heartbeat cancels its orders ten seconds later.
    """
    market = books.new_market(f"KXTEST-CONF{generation.upper()}")
    ticker = market["ticker"]
    books.client.admin("POST", f"/markets/{ticker}/rewards", {"daily": "144", "min_size": "5", "max_spread": "0.15"})
    with kalshi(books.status, "alice") as alice:
        for side, price in (("bid", "0.4000"), ("ask", "0.6000")):
            alice.create_order_v2(ticker=ticker, side=side, count="50.00", price=price, **GTC)
    command = [str(PYTHON), str(ROOT / "tests" / "sdk" / "polymarket_conformance.py"), generation]
    command += ["--host", books.status["http"], "--key", key, "--other-key", books.client.wallet(other).private_key]
    command += ["--condition-id", market["condition_id"], "--builder-key", json.dumps(builder)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return Run(generation, json.loads(done.stdout), market["condition_id"], ticker)


@pytest.fixture(scope="module")
def runs(running: VenueProcess) -> dict[str, Run]:
    """Both clients, at the same time."""
    books = Books(running)
    keys = {"v1": "0x" + "c1" * 32, "v2": "0x" + "c2" * 32}
    books.fund(*keys.values(), dollars=100)
    books.chain.close()
    builder = asyncio.run(builder_key(books.status["http"], "0x" + "b1" * 32))
    with ThreadPoolExecutor(2) as pool:
        others = {"v1": "dave", "v2": "erin"}
        started = {name: pool.submit(session, books, name, keys[name], others[name], builder) for name in keys}
        return {name: future.result() for name, future in started.items()}


@pytest.mark.parametrize("generation", list(CLIENTS))
def test_every_method_of_the_client_means_what_it_says(runs: dict[str, Run], generation: str) -> None:
    run = runs[generation]
    assert sorted(run.answers) == sorted(run.methods), "every method is called, and nothing else"
    wrong = {}
    for method in run.methods:
        _, holds = check_of(method)
        try:
            if not holds(run, run.answers[method]):
                wrong[method] = run.answers[method]
        except (KeyError, TypeError, IndexError, StopIteration, AttributeError, ValueError) as error:
            wrong[method] = (repr(error), run.answers[method])
    assert not wrong


def table(runs: dict[str, Run]) -> str:
    """Return the conformance table."""
    methods = sorted({method for run in runs.values() for method in run.methods})
    rows = [f"| Method | {' | '.join(CLIENTS.values())} | Requests | What is checked |", "|---|---|---|---|---|"]
    for method in methods:
        calls = list(dict.fromkeys(call for run in runs.values() for call in run.calls.get(method, [])))
        marks = ["✓" if method in run.methods else "" for run in runs.values()]
        asked = "<br>".join(f"`{call}`" for call in calls) or "none"
        rows.append(f"| `{method}` | {' | '.join(marks)} | {asked} | {check_of(method)[0]} |")
    counts = ", ".join(f"{len(run.methods)} of {CLIENTS[name]}" for name, run in runs.items())
    return (
        "# Polymarket's Python clients, method by method\n\n"
        "Made by `tests/system/test_polymarket_conformance.py`: both clients, unmodified, call every public method that they "
        "have\nagainst a running venue with its chain, and the answers are checked for what they mean. "
        "`CAUSEWAY_WRITE_DOCS=1` writes this page anew.\n\n"
        f"Methods: {counts}.\n\n" + "\n".join(rows) + "\n"
    )


def test_the_committed_table_is_what_the_clients_did(runs: dict[str, Run]) -> None:
    made = table(runs)
    if os.environ.get("CAUSEWAY_WRITE_DOCS"):
        TABLE.write_text(made)
    assert TABLE.read_text() == made, "run this test with CAUSEWAY_WRITE_DOCS=1 and commit docs/conformance-polymarket.md"
