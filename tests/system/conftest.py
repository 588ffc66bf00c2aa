"""A whole venue as its users meet it: the `causeway up` command, in a process of its own, on free ports."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bridge import cli_status

ROOT = Path(__file__).resolve().parents[2]
CAUSEWAY = ROOT / ".venv" / "bin" / "causeway"
READY_TIMEOUT_S = 120
"""Compiling the contracts is part of a first start."""
STOP_TIMEOUT_S = 40


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def causeway(*args: str, timeout_s: int = READY_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """Run the command and return what it printed and its exit code."""
    command = [str(CAUSEWAY), *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=ROOT)


def processes_of(data_dir: Path) -> list[str]:
    """Return the command lines of all living processes that name a data folder."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,stat=,command="], capture_output=True, text=True, check=True)
    rows = (line.split(maxsplit=2) for line in listed.stdout.splitlines())
    return [f"{pid} {command}" for pid, stat, command in rows if str(data_dir) in command and "Z" not in stat]


@dataclass
class VenueProcess:
    """One `causeway up`, or several one after the other, on one data folder."""

    data_dir: Path
    port: int = field(default_factory=free_port)
    chain_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        """Everything that the newest `up` printed."""
        return (self.data_dir.parent / f"{self.data_dir.name}.out").read_text()

    def arguments(self, *more: str) -> list[str]:
        """Return the arguments of `causeway` that start this venue."""
        ports = ["--port", str(self.port), "--chain-port", str(self.chain_port), "--fix-port", "0"]
        return ["up", "--data-dir", str(self.data_dir), *ports, *more]

    def start(self, *more: str) -> int:
        """Run `up` until it is ready. Returns the milliseconds it took."""
        started = time.monotonic()
        with (self.data_dir.parent / f"{self.data_dir.name}.out").open("wb") as out:
            command = [str(CAUSEWAY), *self.arguments(*more)]
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, cwd=ROOT
            )
        while not cli_status.read(self.data_dir)["ready"]:  # the command would take a core from the venue that starts
            assert self.process.poll() is None, f"`up` ended with {self.process.returncode}: {self.output}"
            assert time.monotonic() - started < READY_TIMEOUT_S, f"not ready: {self.output}"
            time.sleep(0.05)
        took_ms = round((time.monotonic() - started) * 1000)
        assert causeway("status", "--data-dir", str(self.data_dir)).returncode == 0
        return took_ms

    def status(self) -> dict[str, Any]:
        """Return `causeway status -o json`."""
        done = causeway("status", "-o", "json", "--data-dir", str(self.data_dir))
        return dict(json.loads(done.stdout))

    def live_status(self) -> dict[str, Any]:
        """Return what the running venue says of itself at `/venue/status`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/venue/status", timeout=10) as answer:
            return dict(json.loads(answer.read()))

    def chain_pid(self) -> int:
        """Return the process id of the chain."""
        return int(json.loads((self.data_dir / "anvil.json").read_text())["pid"])

    def stop(self) -> int:
        """Press Ctrl-C, as a terminal does: every process of the group gets it. Returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(STOP_TIMEOUT_S)

    def kill(self, with_chain: bool) -> None:
        """Kill -9 the venue, and its chain too if asked."""
        assert self.process is not None
        chain_pid = self.chain_pid()
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)
        if with_chain:
            os.kill(chain_pid, signal.SIGKILL)

    def clean_up(self) -> None:
        """Leave no process behind, whatever the test did."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_TIMEOUT_S)
        for line in processes_of(self.data_dir):
            os.kill(int(line.split()[0]), signal.SIGKILL)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueProcess]:
    """A running venue with the demo, shared by all system tests; none of them may stop it."""
    shared = VenueProcess(tmp_path_factory.mktemp("shared") / "venue")
    try:
        shared.start("--fresh")
        yield shared
        assert shared.stop() == 0, shared.output
        assert processes_of(shared.data_dir) == []
    finally:
        shared.clean_up()


@pytest.fixture(scope="session")
def venue(running: VenueProcess) -> dict[str, Any]:
    """What `causeway status -o json` said of the shared venue when it was ready."""
    return running.status()


@pytest.fixture
def own_venue(tmp_path: Path) -> Iterator[VenueProcess]:
    """A venue of the test's own, not started yet."""
    own = VenueProcess(tmp_path / "venue")
    try:
        yield own
    finally:
        own.clean_up()
