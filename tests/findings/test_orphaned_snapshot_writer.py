"""Found by CI: a venue killed right after it forked its snapshot writer left the child holding the journal's lock for a moment,
and a child that goes on writing could remove files under the next start. Whoever starts now ends such a child first."""

import os
import time
from pathlib import Path

import pytest

from offchain_book.recovery import recover
from offchain_book.snapshots import SnapshotFailed, Snapshots

CONFIG = {"settle_deadline_s": 60}


def test_a_start_ends_a_writer_that_outlived_its_venue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.log"
    found = recover(path, CONFIG)
    monkeypatch.setattr(os, "closerange", lambda first, last: time.sleep(120))  # in the child: it keeps every lock
    saving = found.snapshots.begin(found.state, found.projections, found.journal.position)
    monkeypatch.undo()
    found.journal.close()
    again = recover(path, CONFIG)
    again.journal.close()
    with pytest.raises(SnapshotFailed, match="status 9"):
        saving.finish()
    assert Snapshots(path).folder.is_dir()
