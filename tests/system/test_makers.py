"""Two market makers, one in each dialect and neither knowing of the other, trade; then books, ledger and chain are equal."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from offchain_book.engine.operations import Outcome
from tests.system.audit import audit
from tests.system.books import Books
from tests.system.conftest import VenueProcess

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
SHORT_S, LONG_S = 5, 600


def start(environment: str, script: str, **options: Any) -> subprocess.Popen[str]:
    """Start an example in its client's environment."""
    command = [str(ROOT / environment / "bin" / "python"), str(EXAMPLES / script)]
    command += [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean)


def result(process: subprocess.Popen[str], timeout_s: float) -> dict[str, Any]:
    """Return what an example printed."""
    output, errors = process.communicate(timeout=timeout_s)
    assert process.returncode == 0, errors
    found: dict[str, Any] = json.loads(output)
    return found


def trade(running: VenueProcess, event: str, seconds: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let both quote the same new market, then compare what each says with the ledger, and the ledger with the chain."""
    books = Books(running)
    try:
        market, status = books.new_market(event), books.status
        alice, erin = status["accounts"]["custodial"]["alice"], status["accounts"]["wallets"]["erin"]
        common = {"host": status["http"], "seconds": seconds}
        wallet = start(
            ".venv-polymarket",
            "maker_polymarket.py",
            key=erin["private_key"],
            condition_id=market["condition_id"],
            seed=11,
            **common,
        )
        custodial = start(
            ".venv-kalshi",
            "maker_kalshi.py",
            key_id=alice["key_id"],
            pem=alice["private_key_path"],
            ticker=market["ticker"],
            seed=12,
            **common,
        )
        there, here = result(wallet, seconds + 90), result(custodial, seconds + 90)
        state = books.check()
        ticker, address = market["ticker"], erin["address"].lower()
        held = {outcome: books.tokens(address, ticker, outcome) for outcome in Outcome}
        assert (there["yes_micros"], there["no_micros"]) == (held[Outcome.YES], held[Outcome.NO])
        own = [books.tokens("alice", ticker, outcome) for outcome in Outcome]
        assert here["position_micros"] == own[0] - own[1]
        assert held[Outcome.YES] - held[Outcome.NO] == -here["position_micros"], "what one bought the other sold"
        assert not [order for order in state.orders.values() if order.ticker == ticker], "both left the market clean"
        audit(status)
        return there, here
    finally:
        books.chain.close()


@pytest.mark.slow
def test_a_maker_of_each_dialect_trade_with_each_other_and_everything_adds_up(running: VenueProcess) -> None:
    there, here = trade(running, "KXTEST-MAKERS", SHORT_S)
    assert there["trades"] == here["trades"] > 0
    assert min(there["placed"], here["placed"]) > 4
    assert set(there["states"]) <= {"MATCHED", "MINED", "CONFIRMED"}


@pytest.mark.soak
def test_a_maker_of_each_dialect_trade_for_ten_minutes(running: VenueProcess) -> None:
    there, here = trade(running, "KXTEST-LONG", LONG_S)
    assert there["trades"] > 200
    assert here["placed"] > 500
    assert set(there["states"]) <= {"MATCHED", "MINED", "CONFIRMED"}
