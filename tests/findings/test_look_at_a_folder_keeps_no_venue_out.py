"""Found by reading: whoever looks whether a venue runs holds its folder's lock for a moment. A venue that started in that moment said
that another one was using the folder, and ended; `causeway status` in a loop made that likely on a busy machine."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from bridge import cli_status, datadir
from bridge.datadir import DataDir, DataDirInUse


def test_a_venue_starts_while_somebody_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datadir, "LOOK_S", 100.0)
    (tmp_path / "lock").touch()
    looking = os.open(tmp_path / "lock", os.O_RDWR)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.2, os.close, (looking,)).start()
    data = DataDir(tmp_path)
    data.lock()
    assert cli_status._is_running(tmp_path)
    other = DataDir(tmp_path)
    monkeypatch.setattr(datadir, "LOOK_S", 0.1)
    with pytest.raises(DataDirInUse, match=f"pid {os.getpid()}"):
        other.lock()
    data.unlock()
    assert not cli_status._is_running(tmp_path)
