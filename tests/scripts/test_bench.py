"""`make bench` works and writes what scripts read. Nothing here is timed."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "scripts" / "bench.py"
LANE = {"name", "mops_per_s", "ratio", "ratio_p10", "ratio_p90", "p50_ns", "p99_ns", "bytes_per_order"}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, BENCH, *arguments], capture_output=True, text=True, check=False, cwd=ROOT.parent)


def test_a_quick_run_prints_tables_and_writes_json(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = bench("book", "apply", "journal", "--quick", "--ops", "2000", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "x naive" in done.stdout
    results = json.loads(out.read_text())
    assert results["format"] == 1
    assert results["quick"] is True
    assert results["machine"]["python"]
    sections = results["sections"]
    assert list(sections) == ["book", "apply", "journal"]
    for name, engines in (("book", 3), ("apply", 3)):
        assert sections[name]["fills"] > 0
        assert [set(row) for row in sections[name]["rows"]] == [LANE] * engines
        assert sections[name]["rows"][0]["ratio"] == 1
    assert sections["book"]["fills_sha256"] == sections["apply"]["fills_sha256"]
    assert [row["group"] for row in sections["journal"]["append"]] == [1, 32, 256]
    assert sections["journal"]["replay"]["commands"] > 2000
    assert not list(tmp_path.glob("bench-*"))


def test_an_unknown_section_is_named(tmp_path: Path) -> None:
    done = bench("everything", "--out", str(tmp_path / "bench.json"))
    assert done.returncode == 64
    assert "'everything'" in done.stderr
