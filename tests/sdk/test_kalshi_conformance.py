"""Every operation of four of Kalshi's official Python clients against the venue, checked for what it means.

The table docs/conformance-kalshi.md is made of these runs; CAUSEWAY_WRITE_DOCS=1 writes it anew.
"""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from offchain_book.engine.units import ONE_DOLLAR_MICROS
from offchain_book.gateways.kalshi_later import later_routes
from tests.sdk.kalshi_venue import ALICE, CAROL, FREE_EVENT, FREE_SERIES, FUNDS, TICKER, Server, make_keys

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "conformance-kalshi.md"
CLIENTS = {
    "3.34.0": ("kalshi", "kalshi_python_sync", "`kalshi-python-sync` 3.34.0"),
    "async": ("kalshi", "kalshi_python_async", "`kalshi-python-async` 3.34.0"),
    "3.2.0": ("kalshi-320", "kalshi_python_sync", "`kalshi-python-sync` 3.2.0"),
    "2.1.4": ("kalshi-214", "kalshi_python", "`kalshi-python` 2.1.4"),
}
ABSENT = (
    "milestone",
    "structured_target",
    "live_data",
    "game_stats",
    "weather",
    "historical_market",
    "candlesticks_historical",
)
"""Parts of the names of operations on single things that this venue has none of: 404 is right."""


@dataclass
class Run:
    """What one client did."""

    operations: list[str]
    answers: dict[str, list[dict[str, Any]]]
    seen: dict[str, Any]


def session(generation: str, folder: Path) -> Run:
    """Run one client against a venue of its own."""
    venv, module, _ = CLIENTS[generation]
    folder = folder / generation
    folder.mkdir()
    keys = make_keys()
    with Server(folder / "journal", keys) as server:
        server.do(server.venue.deposit(CAROL, FUNDS))
        command = [str(ROOT / f".venv-{venv}" / "bin" / "python"), str(ROOT / "tests/sdk/kalshi_conformance.py"), module]
        command += ["--host", server.host, "--ticker", TICKER, "--event", FREE_EVENT, "--series", FREE_SERIES]
        for role, name in (("maker", ALICE), ("taker", CAROL)):
            pem = folder / f"{role}.pem"
            pem.write_bytes(keys[name].private_pem)
            command += [f"--{role}", f"{keys[name].key_id}={pem}"]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with (
            (folder / "stderr").open("w+") as errors,
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
            ) as child,
        ):
            assert child.stdin is not None
            assert child.stdout is not None
            line = child.stdout.readline()
            assert line == "settle\n", (folder / "stderr").read_text()[-3_000:]
            server.do(server.venue.resolve(TICKER, ONE_DOLLAR_MICROS))
            output, _ = child.communicate("\n", timeout=240)
            assert child.returncode == 0, (folder / "stderr").read_text()[-3_000:]
    return Run(**msgspec.json.decode(output))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """All clients, two at a time."""
    folder = tmp_path_factory.mktemp("kalshi")
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(CLIENTS, pool.map(lambda generation: session(generation, folder), CLIENTS), strict=True))


def result(name: str, rows: list[dict[str, Any]]) -> str:
    """Return what became of an operation, in a word for the table; raise where it is not as it should be."""
    good = [row for row in rows if row["status"] in (200, 201, 204) and "error" not in row]
    if good:
        return f"✓ {good[-1]['status']}"
    last = rows[-1]
    if last["status"] == 501:
        return "501"
    if last["status"] == 404 and any(part in name for part in ABSENT):
        return "✓ 404"
    raise AssertionError(f"{name}: {last}")


@pytest.mark.parametrize("generation", list(CLIENTS))
def test_every_operation_is_answered_as_its_client_expects(runs: dict[str, Run], generation: str) -> None:
    run = runs[generation]
    assert set(run.answers) == set(run.operations)
    failures = []
    for name in run.operations:
        try:
            result(name, run.answers[name])
        except AssertionError as error:
            failures.append(str(error)[:600])
    assert not failures, "\n\n".join(failures)


@pytest.mark.parametrize("generation", list(CLIENTS))
def test_what_is_refused_says_what_is_missing(runs: dict[str, Run], generation: str) -> None:
    known = {what for _, _, what in later_routes()}
    for rows in runs[generation].answers.values():
        for row in rows:
            if row["status"] == 501:
                assert msgspec.json.decode(row["body"])["error"]["details"]["missing"] in known | {"clearing members"}


@pytest.mark.parametrize("generation", list(CLIENTS))
def test_orders_fills_positions_and_balances_move_together(runs: dict[str, Run], generation: str) -> None:
    seen, first = runs[generation].seen, generation in ("3.2.0", "2.1.4")

    def left(order: dict[str, Any]) -> float:
        return float(order["remaining_count" if first else "remaining_count_fp"])

    assert seen["listed_after_create"]
    assert (left(seen["order"]), left(seen["after_fill"])) == (10, 6)
    (fill,) = seen["fills"]
    assert float(fill["count" if first else "count_fp"]) == 4
    assert seen["balance_before"] - seen["balance_after_fill"] == 400
    if generation == "2.1.4":
        assert [row["position"] for row in seen["positions"]["positions"]] == [4]
    else:
        (position,) = seen["positions"]["market_positions"]
        assert float(position["position" if first else "position_fp"]) == 4
    assert left(seen["after_decrease"]) == 5
    assert left(seen["after_amend"]) == 4
    price = seen["after_amend"]["yes_price" if first else "yes_price_dollars"]
    assert price == (41 if first else "0.4100")
    assert not seen["listed_after_cancel"]
    assert len(seen["listed_after_batch"]) == 2
    assert seen["open_at_the_end"] == []


@pytest.mark.parametrize("generation", list(CLIENTS))
def test_settlement_pays_and_closes_the_market(runs: dict[str, Run], generation: str) -> None:
    seen = runs[generation].seen
    assert seen["balance_after_settlement"] - seen["balance_before_settlement"] == 400
    (settlement,) = seen["settlements"]
    assert settlement["revenue"] == 400
    assert seen["settled_market"]["result"] == "yes"
    assert seen["settled_market"]["status"] == ("settled" if generation in ("3.2.0", "2.1.4") else "finalized")


@pytest.mark.parametrize("generation", ["3.34.0", "async", "3.2.0"])
def test_deleted_key_is_listed_no_more(runs: dict[str, Run], generation: str) -> None:
    seen = runs[generation].seen
    assert seen["deleted_key"] not in seen["keys_left"]


def table(runs: dict[str, Run]) -> str:
    """Return the page."""
    names = sorted({name for run in runs.values() for name in run.operations})
    rows = [
        f"| `{name}` | "
        + " | ".join(result(name, run.answers[name]) if name in run.answers else "" for run in runs.values())
        + " |"
        for name in names
    ]
    heads = " | ".join(title for _, _, title in CLIENTS.values())
    counts = ", ".join(f"{len(runs[key].operations)} of {title}" for key, (_, _, title) in CLIENTS.items())
    return (
        "# Kalshi's Python clients, operation by operation\n\n"
        "Made by `tests/sdk/test_kalshi_conformance.py`: four official clients, unmodified, call every operation that they have\n"
        "against a venue. What is checked beyond the shape: after a create the order is listed, after a fill the position and the\n"
        "balance moved, decrease, amend and cancel do what they say, after the settlement the balance has the payout.\n"
        "`CAUSEWAY_WRITE_DOCS=1` writes this page anew.\n\n"
        f"Operations: {counts}.\n\n"
        "✓ with the status: answered and parsed. ✓ 404: the thing does not exist here (see docs/interfaces.md). 501: not offered,\n"
        "and the answer says what is missing. Empty: this client does not have the operation.\n\n"
        f"| Operation | {heads} |\n|---|{'---|' * len(runs)}\n" + "\n".join(rows) + "\n"
    )


def test_the_committed_table_is_what_the_clients_did(runs: dict[str, Run]) -> None:
    made = table(runs)
    if os.environ.get("CAUSEWAY_WRITE_DOCS"):
        TABLE.write_text(made)
    assert TABLE.read_text() == made, "run this test with CAUSEWAY_WRITE_DOCS=1 and commit docs/conformance-kalshi.md"
