"""Two market makers, one in each dialect and neither knowing of the other, trade; then books, ledger and chain are equal."""

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from offchain_book.engine.operations import Outcome
from tests.system.audit import audit
from tests.system.books import Books
from tests.system.clients import eventually
from tests.system.conftest import VenueProcess

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"


def start(environment: str, script: str, **options: Any) -> subprocess.Popen[str]:
    """Start an example in its client's environment."""
    command = [str(ROOT / environment / "bin" / "python"), str(EXAMPLES / script)]
    command += [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean)


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Press Ctrl-C, and return what the example printed."""
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    found: dict[str, Any] = json.loads(output)
    return found


def trade(running: VenueProcess, event: str, trades: int, within_s: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let both quote the same new market until they have met so often; then compare both with the ledger, and that with the chain."""
    books = Books(running)
    with contextlib.ExitStack() as undo:
        undo.callback(books.chain.close)
        market, status = books.new_market(event), books.status
        alice, erin = status["accounts"]["custodial"]["alice"], status["accounts"]["wallets"]["erin"]
        common = {"host": status["http"], "seconds": 2 * within_s}
        wallet = start(
            ".venv-polymarket",
            "maker_polymarket.py",
            key=erin["private_key"],
            condition_id=market["condition_id"],
            seed=11,
            **common,
        )
        undo.callback(end, wallet)
        custodial = start(
            ".venv-kalshi",
            "maker_kalshi.py",
            key_id=alice["key_id"],
            pem=alice["private_key_path"],
            ticker=market["ticker"],
            seed=12,
            **common,
        )
        undo.callback(end, custodial)
        met = f"/trade-api/v2/markets/trades?ticker={market['ticker']}&limit={min(trades, 1_000)}"

        def have_met() -> bool:
            assert wallet.poll() is custodial.poll() is None, "a maker ended by itself"
            return len(books.client.ask("GET", met)["trades"]) >= trades

        eventually(have_met, within_s)
        there, here = result(wallet), result(custodial)
        state = books.check()
        ticker, address = market["ticker"], erin["address"].lower()
        held = {outcome: books.tokens(address, ticker, outcome) for outcome in Outcome}
        assert (there["yes_micros"], there["no_micros"]) == (held[Outcome.YES], held[Outcome.NO])
        own = [books.tokens("alice", ticker, outcome) for outcome in Outcome]
        assert here["position_micros"] == own[0] - own[1]
        assert held[Outcome.YES] - held[Outcome.NO] == -here["position_micros"], "what one bought the other sold"
        assert there["trades"] == here["trades"] >= trades
        assert not [order for order in state.orders.values() if order.ticker == ticker], "both left the market clean"
        audit(status)
        return there, here


def end(process: subprocess.Popen[str]) -> None:
    """Leave no process and no pipe behind."""
    with process:
        process.kill()


@pytest.mark.slow
def test_a_maker_of_each_dialect_trade_with_each_other_and_everything_adds_up(running: VenueProcess) -> None:
    there, here = trade(running, "KXTEST-MAKERS", 3, 120)
    assert min(there["placed"], here["placed"]) >= 2
    assert set(there["states"]) <= {"MATCHED", "MINED", "CONFIRMED"}


@pytest.mark.soak
def test_a_maker_of_each_dialect_trade_four_hundred_times(running: VenueProcess) -> None:
    there, here = trade(running, "KXTEST-LONG", 400, 1_800)
    assert min(there["placed"], here["placed"]) > 400
