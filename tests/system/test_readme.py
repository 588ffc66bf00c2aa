"""The README's examples run as they stand: only host and key folder change."""

import json
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+) (\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks() -> dict[str, str]:
    """Return the README's examples by name."""
    return {name: body for _, name, body in BLOCK.findall((ROOT / "README.md").read_text())}


def run(python: str, code: str) -> str:
    done = subprocess.run([str(ROOT / python), "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def placed(venue: dict[str, Any]) -> dict[str, str]:
    """The examples with this venue's address and keys in them."""
    alice = venue["accounts"]["custodial"]["alice"]
    changes = {
        "http://127.0.0.1:8000": venue["http"],
        "9f10b8b2-KEY-ID-OF-ALICE": alice["key_id"],
        "var/keys/alice.pem": alice["private_key_path"],
    }
    found = blocks()
    for name, code in found.items():
        for old, new in changes.items():
            code = code.replace(old, new)
        found[name] = code
    return found


def test_the_kalshi_example_and_the_polymarket_example_meet(placed: dict[str, str]) -> None:
    assert "order_id" in placed["kalshi"]
    run(".venv-kalshi/bin/python", placed["kalshi"])
    answer = run(".venv-polymarket/bin/python", placed["polymarket"])
    assert "'status': 'matched'" in answer, answer


def test_the_shell_example_answers(venue: dict[str, Any], placed: dict[str, str]) -> None:
    lines = [line.partition("#")[0].strip() for line in placed["shell"].splitlines() if line.strip()]
    assert len(lines) == 3
    status, eip712, trace = lines
    done = subprocess.run(
        [*status.split(), "--data-dir", venue["data_dir"]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["ready"] is True
    for line in (eip712, trace):
        with urllib.request.urlopen(line.rpartition(" ")[2], timeout=10) as response:
            assert json.load(response)


def test_no_example_is_longer_than_ten_lines() -> None:
    for name, code in blocks().items():
        lines = [line for line in code.splitlines() if line.strip()]
        assert len(lines) <= 10, name
