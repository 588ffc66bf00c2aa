"""`causeway up --redeploy`, for people who change the contracts: a changed source that compiles is a new deployment.

A deployment is for good, because ledger and signatures name its address. So the venue runs in a child process; after a change it is
stopped as by Ctrl-C and started over with an empty data folder. A source that does not compile leaves it running.
"""

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import watchfiles

from bridge.compiler import CompilationFailed, compile_contracts

_SETTLE_MS = 300
"""Editors write several files: changes this close together are one."""


def run(command: Sequence[str], root: Path) -> int:
    """Run a venue by its command, anew after every change of a contract; return the exit code of the last run."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    venue = _start(command)
    try:
        while _changed(venue, root):
            if _compiles(root):
                _stop(venue)
                venue = _start([*command, "--fresh"])
    finally:
        code = _stop(venue)
    return code


def _compiles(root: Path) -> bool:
    _say("a contract changed: compiling (20 s)")
    try:
        compile_contracts(root, root / "var" / "cache")
    except CompilationFailed as error:
        _say(f"it does not compile, the venue stays as it is: {error}")
        return False
    _say("starting over with the new contracts")
    return True


def _say(text: str) -> None:
    print(f"causeway: {text}", file=sys.stderr, flush=True)


def _start(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start the venue where a terminal's Ctrl-C does not reach it: it comes from us, once."""
    return subprocess.Popen(command, process_group=0)


def _changed(venue: "subprocess.Popen[bytes]", root: Path) -> bool:
    """Wait for a change of a source; False when the venue ended, or somebody wants us to."""
    ended = threading.Event()

    def wait() -> None:
        venue.wait()
        ended.set()

    threading.Thread(target=wait, name="venue", daemon=True).start()
    changes = watchfiles.watch(root / "contracts", stop_event=ended, debounce=_SETTLE_MS, raise_interrupt=False)
    return next(changes, None) is not None


def _stop(venue: "subprocess.Popen[bytes]") -> int:
    """Let the venue settle what is open, and return its exit code."""
    if venue.poll() is None:
        venue.send_signal(signal.SIGINT)
    return venue.wait()
