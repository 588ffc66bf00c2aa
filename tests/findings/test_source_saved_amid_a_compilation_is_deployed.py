"""Found by reading: `causeway up --redeploy` looked away while it compiled, and what was saved then waited for the next save."""

import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from watchfiles import main as watching

from bridge import redeploy

VENUE = """
import pathlib, time
until = time.monotonic() + 120
while not pathlib.Path({ended!r}).exists() and time.monotonic() < until:
    time.sleep(0.02)
"""


def test_a_source_saved_amid_a_compilation_is_compiled_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, ended, begun = tmp_path / "contracts" / "A.sol", tmp_path / "ended", threading.Event()
    source.parent.mkdir()
    source.write_text("as it was")
    compiled: list[str] = []
    notify = watching.RustNotify

    def begin(*args: Any) -> Any:
        made = notify(*args)
        begun.set()
        return made

    def compiling(root: Path, cache: Path) -> None:
        """Amid the first compilation the next save comes; the second one ends the venue, and with it the command."""
        compiled.append(source.read_text())
        if len(compiled) == 1:
            source.write_text("saved meanwhile")
        else:
            ended.touch()

    def save() -> None:
        begun.wait()
        source.write_text("saved")

    monkeypatch.setattr(watching, "RustNotify", begin)
    monkeypatch.setattr(redeploy, "compile_contracts", compiling)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    first = threading.Thread(target=save)
    first.start()
    try:
        redeploy.run([sys.executable, "-c", VENUE.format(ended=str(ended))], tmp_path)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        first.join()
    assert compiled == ["saved", "saved meanwhile"]
