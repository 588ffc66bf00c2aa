"""A venue as its users start it, for tests: `causeway up` in a process of its own, on free ports, gone without a trace.

What `bridge/pytest_plugin.py` hands out, and what our own system tests crash and restart.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from bridge import cli_status
from bridge.cli_options import ROOT
from bridge.datadir import take_lock
from bridge.node import port_is_free
from bridge.polling import poll

CAUSEWAY = ROOT / ".venv" / "bin" / "causeway"
READY_TIMEOUT_S = 240
"""Compiling the contracts is part of a first start: half a minute of processor time, two minutes beside much else."""
STOP_TIMEOUT_S = 120
"""Only against hanging: on a machine with something to do an orderly end takes a second or two."""
PORTS = range(20_000, 32_000)
"""Where `free_port` looks."""


class VenueDied(Exception):
    """The venue did not get ready, or ended; the message has everything it printed."""


def free_port() -> int:
    """Return a port that nobody listens on, and that is given to nobody else while this process lives.

    Some time goes by until it is bound, and more between a stop and the next start. So it is none of those that the system hands
    out by itself, for port 0 and for outgoing connections (32768 and above), and a lock keeps it from other processes that ask here.
    """
    folder = Path(tempfile.gettempdir()) / f"causeway-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    first = secrets.randbelow(len(PORTS))
    for port in chain(PORTS[first:], PORTS[:first]):
        fd = os.open(folder / str(port), os.O_RDWR | os.O_CREAT, 0o600)
        if take_lock(fd) and port_is_free(port):
            return port  # the lock ends with this process
        os.close(fd)
    raise VenueDied(f"none of the ports {PORTS.start} to {PORTS.stop - 1} is free")


def command() -> list[str]:
    """Return how to run the command: as the environment's script, or by this interpreter when the script is elsewhere."""
    beside = Path(sys.executable).with_name("causeway")
    script = next((path for path in (CAUSEWAY, beside) if path.exists()), None)
    return [str(script)] if script else [sys.executable, "-c", "from bridge.cli import main; main()"]


def causeway(*args: str, timeout_s: int = READY_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """Run the command and return what it printed and its exit code."""
    return subprocess.run([*command(), *args], capture_output=True, text=True, timeout=timeout_s, check=False, cwd=ROOT)


def processes_of(data_dir: Path) -> list[str]:
    """Return the command lines of all living processes that name a data folder."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,stat=,command="], capture_output=True, text=True, check=True)
    rows = (line.split(maxsplit=2) for line in listed.stdout.splitlines())
    return [f"{pid} {line}" for pid, stat, line in rows if str(data_dir) in line and "Z" not in stat]


def kill_all(data_dir: Path) -> None:
    """Kill -9 every process that names a data folder; one may end by itself as it is looked for."""
    for line in processes_of(data_dir):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line.split()[0]), signal.SIGKILL)


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
        return self._output_file.read_text()

    @property
    def _output_file(self) -> Path:
        return self.data_dir.parent / f"{self.data_dir.name}.out"

    def arguments(self, *more: str) -> list[str]:
        """Return the arguments of `causeway` that start this venue."""
        ports = ["--port", str(self.port), "--chain-port", str(self.chain_port), "--fix-port", "0"]
        return ["up", "--data-dir", str(self.data_dir), *ports, *more]

    def start(self, *more: str) -> int:
        """Run `up` until it is ready. Returns the milliseconds it took. Raises VenueDied."""
        started = time.monotonic()
        with self._output_file.open("wb") as out:
            self.process = subprocess.Popen(
                [*command(), *self.arguments(*more)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=ROOT,
            )
        if poll(self._is_ready, 0.05, READY_TIMEOUT_S) is None:
            raise VenueDied(f"not ready after {READY_TIMEOUT_S} s: {self.output}")
        return round((time.monotonic() - started) * 1000)

    def _is_ready(self) -> bool | None:
        """True when it is, None when not yet; the command would take a core from the venue that starts. Raises VenueDied."""
        if cli_status.read(self.data_dir)["ready"]:
            return True
        code = self._started().poll()
        if code is not None:
            raise VenueDied(f"`up` ended with {code}: {self.output}")
        return None

    def status(self) -> dict[str, Any]:
        """Return `causeway status -o json`."""
        done = causeway("status", "-o", "json", "--data-dir", str(self.data_dir))
        return dict(json.loads(done.stdout))

    def live_status(self) -> dict[str, Any]:
        """Return what the running venue says of itself at `/venue/status`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/venue/status", timeout=60) as answer:
            return dict(json.loads(answer.read()))

    def chain_pid(self) -> int:
        """Return the process id of the chain."""
        return int(json.loads((self.data_dir / "anvil.json").read_text())["pid"])

    def stop(self) -> int:
        """Press Ctrl-C, as a terminal does: every process of the group gets it. Returns the exit code."""
        process = self._started()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        return process.wait(STOP_TIMEOUT_S)

    def kill(self, with_chain: bool) -> None:
        """Kill -9 the venue, and its chain too if asked."""
        process, chain_pid = self._started(), self.chain_pid()
        process.kill()
        process.wait(STOP_TIMEOUT_S)
        if with_chain:
            os.kill(chain_pid, signal.SIGKILL)

    def clean_up(self) -> None:
        """Leave no process behind, whatever happened."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_TIMEOUT_S)
        kill_all(self.data_dir)

    def _started(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise VenueDied("it was never started")
        return self.process
