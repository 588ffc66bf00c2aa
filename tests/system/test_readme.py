"""The README's examples run as they stand: only host and key folder change."""

import json
import re
import subprocess
import sys
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
    done = subprocess.run([str(ROOT / python), "-c", code], capture_output=True, text=True, timeout=150, check=False)
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


def test_the_shell_example_answers(venue: dict[str, Any], placed: dict[str, str], tmp_path: Path) -> None:
    lines = [line.partition("#")[0].strip() for line in placed["shell"].splitlines() if line.strip()]
    verbs = [line.replace("--out build", f"--out {tmp_path}") for line in lines if not line.startswith("curl")]
    asked = [line.rpartition(" ")[2] for line in lines if line.startswith("curl")]
    assert (len(verbs), len(asked)) == (2, 2)
    for verb in verbs:
        more = ["-o", "json", "--data-dir", venue["data_dir"]]
        done = subprocess.run([*verb.split(), *more], cwd=ROOT, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)
    for url in asked:
        with urllib.request.urlopen(url, timeout=60) as response:
            assert json.load(response)
    # the bindings' own example, on what was just written
    found = re.search(
        r"^```python bindings\n(.*?)^```", (ROOT / "docs" / "developers.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert found is not None
    code = found[1].replace("http://127.0.0.1:8545", venue["rpc"])
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False
    )
    assert ran.stdout.splitlines()[-1:] == ["ExitNotReady(exitAt=0)"], ran.stderr


def test_llms_txt_is_served_and_names_what_exists(venue: dict[str, Any]) -> None:
    with urllib.request.urlopen(f"{venue['http']}/llms.txt", timeout=60) as response:
        text = response.read().decode()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 10
    for link in links:
        if link.startswith("/"):
            with urllib.request.urlopen(venue["http"] + link, timeout=60) as response:
                assert response.status == 200
        else:
            assert (ROOT / link).exists(), link


def test_no_example_is_longer_than_ten_lines() -> None:
    for name, code in blocks().items():
        lines = [line for line in code.splitlines() if line.strip()]
        assert len(lines) <= 10, name
