"""`causeway up --redeploy`, for people who change the contracts: a changed source that compiles is a new deployment.

A deployment is for good, because ledger and signatures name its address. So the venue runs in a child process; after a change it is
stopped as by Ctrl-C and started over with an empty data folder. A source that does not compile leaves it running.
"""

import contextlib
import hashlib
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
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # a script that starts us in the background has Ctrl-C ignored
    over = threading.Event()
    # One watch for all: what is saved while something else compiles or stops is seen afterwards.
    changes = watchfiles.watch(root / "contracts", stop_event=over, debounce=_SETTLE_MS, raise_interrupt=False)
    known, venue = _fingerprint(root), _Venue(command, over)
    try:
        for _ in changes:
            before, known = known, _fingerprint(root)
            if known != before and _compiles(root):
                venue.stop()
                venue = _Venue([*command, "--fresh"], over)
    except KeyboardInterrupt:
        _say("stopping")
    finally:
        code = venue.stop()
    return code


class _Venue:
    """A venue where a terminal's Ctrl-C does not reach it: it comes from us, once."""

    def __init__(self, command: Sequence[str], over: threading.Event) -> None:
        self._process = subprocess.Popen(command, process_group=0)
        self._over = over
        self._is_stopping = False
        threading.Thread(target=self._wait, name="venue", daemon=True).start()

    def _wait(self) -> None:
        self._process.wait()
        if not self._is_stopping:
            self._over.set()

    def stop(self) -> int:
        """Let it settle what is open, and return its exit code."""
        self._is_stopping = True
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        return self._process.wait()


def _fingerprint(root: Path) -> str:
    """Return a hash of the sources and the compiler's settings: saving one as it was changes nothing."""
    digest = hashlib.sha256()
    for path in sorted((root / "contracts").rglob("*.*")):
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):  # editors replace files
            digest.update(f"{path}\0".encode() + path.read_bytes())
    return digest.hexdigest()


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
