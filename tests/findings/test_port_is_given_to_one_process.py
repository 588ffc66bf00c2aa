"""Found by reading: a free port was one that the system hands out to everybody; by the time a venue's chain listened there, another
test's server could have it, or another node, and then that one answered."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge import venue_process
from bridge.cli_options import ROOT
from bridge.venue_process import PORTS, VenueDied, free_port

FEW = PORTS[-5:]
ASK = f"""
from bridge import venue_process
venue_process.PORTS = range({FEW.start}, {FEW.stop})
try:
    print(venue_process.free_port())
except venue_process.VenueDied as error:
    print(error)
"""


def test_no_port_is_given_twice_while_its_owner_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venue_process, "PORTS", FEW)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    given: list[int] = []
    with contextlib.suppress(VenueDied):
        given.extend(free_port() for _ in range(len(FEW) + 1))
    with pytest.raises(VenueDied, match=f"none of the ports {FEW.start} to {FEW.stop - 1} is free"):
        free_port()
    assert len(given) == len(set(given)) > 0
    assert set(given) <= set(FEW)
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    other = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout.startswith("none of the ports")
