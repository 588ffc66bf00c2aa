"""`make bench` works and writes what scripts read. Nothing here is timed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "scripts" / "bench.py"
LANE = {"name", "mops_per_s", "ratio", "ratio_p10", "ratio_p90", "p50_ns", "p99_ns", "bytes_per_order"}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, BENCH, *arguments], capture_output=True, text=True, check=False, cwd=ROOT.parent)


@pytest.mark.timeout(900)  # a minute, and four when the machine has much else to do
def test_a_quick_run_prints_tables_and_writes_json(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = bench(
        "book",
        "apply",
        "stages",
        "growth",
        "journal",
        "kalshi_orders",
        "wallet_orders",
        "ws",
        "--quick",
        "--ops",
        "2000",
        "--out",
        str(out),
    )
    assert done.returncode == 0, done.stderr
    assert "x naive" in done.stdout
    results = json.loads(out.read_text())
    assert results["format"] == 1
    assert results["quick"] is True
    assert results["machine"]["python"]
    sections = results["sections"]
    assert list(sections) == ["book", "apply", "stages", "growth", "journal", "kalshi_orders", "wallet_orders", "ws"]
    for name, engines in (("book", 3), ("apply", 3)):
        assert sections[name]["fills"] > 0
        assert [set(row) for row in sections[name]["rows"]] == [LANE] * engines
        assert sections[name]["rows"][0]["ratio"] == 1
    assert sections["book"]["fills_sha256"] == sections["apply"]["fills_sha256"]
    for engine in sections["stages"]["engines"]:
        assert sum(engine["shares"].values()) == pytest.approx(1, abs=0.01)
        assert {"holds", "checks", "book", "ledger postings"} < engine["shares"].keys()
    assert min(sections["stages"]["floor_ns"].values()) > 0
    assert [row["resting"] for row in sections["growth"]["rows"]] == [1_000, 10_000]
    assert [row["group"] for row in sections["journal"]["append"]] == [1, 32, 256]
    assert sections["journal"]["replay"]["commands"] > 2000
    _, single, _, batch = sections["wallet_orders"]["rows"]
    assert (single["batch"], batch["batch"]) == (1, 15)
    stages_us = sections["wallet_orders"]["stages_us"]
    assert stages_us.pop("HTTP, hand-overs, waiting") >= 0  # what is left of another measurement, cut off at zero
    assert min(single["orders_per_s"], batch["orders_per_s"], *stages_us.values()) > 0
    assert not list(tmp_path.glob("bench-*"))


def test_other_engines_make_the_same_fills_or_say_how_to_install_them(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = bench("peers", "--quick", "--ops", "4000", "--out", str(out))
    assert done.returncode == 0, done.stderr
    peers = json.loads(out.read_text())["sections"]["peers"]
    if (ROOT / ".venv-peers").exists():
        assert len(peers["rows"]) == 6
        assert peers["fills"] > 0
    else:
        assert "`make bench` installs them" in peers["skipped"]


def test_an_unknown_section_is_named(tmp_path: Path) -> None:
    done = bench("everything", "--out", str(tmp_path / "bench.json"))
    assert done.returncode == 64
    assert "'everything'" in done.stderr
