"""`causeway up --redeploy`: a contract developer saves a file and has a venue with the new contract."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sha3

from bridge import cli_status
from bridge.cli import ROOT
from bridge.cli_options import EXIT_FAILED
from tests.system.conftest import free_port, processes_of

pytestmark = pytest.mark.slow
DEADLINE_S = 400
"""Only against hanging: compiling keeps two cores busy for twenty seconds, if nobody else has something to do."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of our own, whose contracts a test may change."""
    root = tmp_path / "checkout"
    root.mkdir()
    for name in ("bridge", "offchain_book", "contracts", "tools", "web"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / name, root / name)
    (root / "node_modules").symlink_to(ROOT / "node_modules")
    # Others may be compiling: what they have not finished is renamed amid the copy.
    shutil.copytree(ROOT / "var" / "cache", root / "var" / "cache", ignore=shutil.ignore_patterns("*.tmp"))
    return root


@pytest.fixture
def developing(checkout: Path) -> Iterator["subprocess.Popen[str]"]:
    """`causeway up --redeploy` of that checkout."""
    ports = [free_port() for _ in range(2)]
    command = [sys.executable, "-c", "from bridge.cli import main; main()", "up", "--redeploy", "--no-demo", "--quiet"]
    flags = ["--data-dir", str(checkout / "data"), "--port", str(ports[0]), "--chain-port", str(ports[1]), "--fix-port", "0"]
    with (checkout / "output.txt").open("w") as output:
        process = subprocess.Popen(
            [*command, *flags],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout)},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.wait(120)
    assert processes_of(checkout / "data") == []


def symbol(status: dict[str, Any]) -> str:
    """Ask the collateral on chain for its symbol."""
    selector = str(sha3.keccak_256(b"symbol()").hexdigest())[:8]
    call = {"to": status["contracts"]["collateral"], "data": f"0x{selector}"}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]}).encode()
    request = urllib.request.Request(status["rpc"], body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = bytes.fromhex(json.loads(response.read())["result"][2:])
    return answer[64 : 64 + int.from_bytes(answer[32:64])].decode()


def until_ready(checkout: Path, process: "subprocess.Popen[str]") -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := cli_status.read(checkout / "data"))["ready"]:
        assert process.poll() is None, (checkout / "output.txt").read_text()
        assert time.monotonic() < deadline, (checkout / "output.txt").read_text()
        time.sleep(0.1)
    return found


def until_said(checkout: Path, text: str, times: int = 1) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while (checkout / "output.txt").read_text().count(text) < times:
        assert time.monotonic() < deadline, (checkout / "output.txt").read_text()
        time.sleep(0.1)


@pytest.mark.timeout(900)
def test_a_saved_contract_is_deployed_and_one_that_does_not_compile_stops_nothing(
    checkout: Path, developing: "subprocess.Popen[str]"
) -> None:
    assert symbol(until_ready(checkout, developing)) == "tUSD"
    source = checkout / "contracts" / "TestUSD.sol"
    good = source.read_text()

    source.write_text(good.replace("contract TestUSD", "contract TestUSD (", 1))
    until_said(checkout, "it does not compile, the venue stays as it is")
    assert cli_status.read(checkout / "data")["ready"]

    source.write_text(good.replace('"tUSD"', '"xUSD"'))
    until_said(checkout, "starting over with the new contracts")
    until_said(checkout, "ready after", times=2)
    assert symbol(until_ready(checkout, developing)) == "xUSD"

    developing.send_signal(signal.SIGINT)
    assert developing.wait(120) == 0, (checkout / "output.txt").read_text()


def test_a_venue_that_cannot_start_ends_the_command_with_its_exit_code(checkout: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from bridge.cli import main; main()", "up", "--redeploy", "--data-dir", "/dev/null/nowhere"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == EXIT_FAILED
    assert "causeway: " in done.stderr
