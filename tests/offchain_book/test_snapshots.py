"""Snapshots beside the journal: a start that is as right as a full replay and shorter, or a clear refusal."""

import asyncio
import contextlib
import logging
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.polling import poll
from offchain_book import segments, snapshots
from offchain_book.engine import commands as c
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.snapshot import STATE_FORMAT, state_hash
from offchain_book.journal import Checkpoint, Journal, JournalDamaged, JournalInUse, read, read_checkpoints, read_records
from offchain_book.projections import Projections
from offchain_book.recovery import Recovered, StateDiverged, recover, replay
from offchain_book.sequencer import Sequencer
from offchain_book.snapshots import SnapshotRefused, Snapshots
from tests.engine.walk import Walk

CONFIG = {"settle_deadline_s": 60, "contract_version": 2}
EVERY = 40


def walked(seed: int = 7, steps: int = 220) -> Walk:
    walk = Walk(seed)
    for _ in range(steps):
        walk.step()
    return walk


WALK = walked()
LAST = WALK.venue.log[-1].seq


def everything(read_models: Projections) -> dict[str, Any]:
    """Return read models as plain data, the order of dicts included."""
    return {name: msgspec.json.encode(models) for name, models in vars(read_models).items() if name != "changes"}


def run(path: Path, entries: list[c.Sequenced], every: int = EVERY, stop: bool = True) -> Recovered:
    """Live one life of an exchange: recover, take commands with snapshots on the way, and stop, cleanly or not."""
    found = recover(path, CONFIG, every)

    async def live() -> None:
        times = iter([entry.at_ms for entry in entries])
        one = Sequencer(found.state, found.journal, found.projections, lambda: next(times), found.snapshots)
        one.start()
        for entry in entries:
            await one.submit(entry.command, entry.request_id)
            if one._saving is not None:
                await asyncio.wait([one._saving])
        if stop:
            await one.stop()
        else:
            assert one._task is not None
            one._task.cancel()

    asyncio.run(live())
    found.journal.close()
    return found


def after(path: Path, every: int = EVERY) -> Recovered:
    found = recover(path, CONFIG, every)
    found.journal.close()
    return found


@pytest.fixture(scope="module")
def lived_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lived") / "journal.log"
    run(path, WALK.venue.log, stop=False)
    return path


@pytest.fixture
def lived(lived_once: Path, tmp_path: Path) -> Path:
    """A journal with snapshots, after a crash: the last snapshot is some commands old."""
    shutil.copytree(lived_once.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / lived_once.name


def files(path: Path, kind: str) -> list[Path]:
    return sorted(Snapshots(path).folder.glob(f"*.{kind}"))


# --- a start ---------------------------------------------------------------------------------------------------------------


def test_a_start_from_a_snapshot_from_the_first_command_and_the_live_exchange_agree(lived: Path) -> None:
    found = after(lived)
    assert LAST - 2 * EVERY < found.from_seq < LAST
    from_genesis = Projections()
    assert state_hash(found.state) == state_hash(replay(lived, from_genesis)) == state_hash(WALK.venue.state)
    assert everything(found.projections) == everything(from_genesis)


def test_a_life_of_many_starts_and_stops_is_the_life_without_them(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    log, done, stop = WALK.venue.log, 0, True
    for count in (1, 39, 40, 41, 3, 90, 0, 7):
        run(path, log[done : done + count], stop=stop)
        done, stop = done + count, not stop
    found = run(path, log[done:])
    live, read_models = new_state(60), Projections()
    for entry in log:
        read_models.observe(live, entry, apply(live, entry))
    assert state_hash(found.state) == state_hash(live)
    assert everything(found.projections) == everything(read_models)
    assert list(read(path)) == log
    again = after(path)
    assert again.from_seq == LAST
    assert everything(again.projections) == everything(read_models)


def test_a_read_model_added_later_must_be_stored_or_made_anew(lived: Path) -> None:
    live, read_models = new_state(60), Projections()
    for entry in WALK.venue.log:
        read_models.observe(live, entry, apply(live, entry))
    restored = everything(segments.restore([segments.decode(segments.encode(segments.cut(read_models, 0)))]))
    for name, models in everything(read_models).items():
        assert restored[name] == models, name


def test_what_the_header_fixes_is_the_same_after_every_kind_of_start(tmp_path: Path) -> None:
    path, config = tmp_path / "journal.log", {"settle_deadline_s": 77, "signed_not_before_ms": 5_000}
    Journal(path, config).close()
    run(path, WALK.venue.log[:3])
    for state in (replay(path), after(path).state):
        assert (state.settle_deadline_s, state.signed_not_before_ms) == (77, 5_000)
    assert after(path).from_seq == 3


def test_a_clean_stop_leaves_nothing_to_replay(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    run(path, WALK.venue.log[:25])
    assert after(path).from_seq == 25
    before = path.read_bytes()
    run(path, [])
    assert path.read_bytes() == before


def test_two_snapshots_are_kept_and_only_the_views_that_they_need(lived: Path) -> None:
    found = after(lived)
    assert len(files(lived, "snapshot")) == 2
    named = [name for name, _ in next(found.snapshots.found()).header.segments]
    assert [path.name for path in files(lived, "views")] == named
    assert len(named) == found.from_seq // EVERY


def test_the_older_snapshot_serves_when_the_newest_was_deleted(lived: Path) -> None:
    newest = files(lived, "snapshot")[-1]
    newest.unlink()
    found = after(lived)
    assert 0 < found.from_seq < int(newest.stem)
    assert state_hash(found.state) == state_hash(WALK.venue.state)


def test_without_its_snapshots_the_journal_suffices(lived: Path) -> None:
    for path in Snapshots(lived).folder.iterdir():
        path.unlink()
    found = after(lived)
    assert found.from_seq == 0
    assert state_hash(found.state) == state_hash(WALK.venue.state)


def test_only_the_records_after_the_snapshot_are_read(lived: Path) -> None:
    offset = next(Snapshots(lived).found()).header.offset
    whole = lived.read_bytes()
    lived.write_bytes(b"x" * (offset // 2) + whole[offset // 2 :])
    assert after(lived).state.seq == LAST
    with pytest.raises(JournalDamaged) as caught:
        list(read(lived))
    assert caught.value.first_bad_seq == 0


def test_a_torn_tail_is_cut_off_after_a_start_from_a_snapshot_too(lived: Path) -> None:
    lived.write_bytes(lived.read_bytes()[:-7])
    found = after(lived)
    assert found.state.seq == LAST - 1
    assert found.journal.repaired_bytes > 0
    run(lived, WALK.venue.log[-1:])
    assert list(read(lived)) == WALK.venue.log


def test_a_crash_while_a_snapshot_was_written_leaves_the_one_before(lived: Path) -> None:
    newest = files(lived, "snapshot")[-1]
    half = newest.with_name("0000000009999.snapshot.new")
    half.write_bytes(newest.read_bytes()[:50])
    (newest.parent / "0000000009999-0000000009999.views").write_bytes(b"orphan")
    assert after(lived).from_seq == int(newest.stem)
    run(lived, [c.Sequenced(LAST + 1, WALK.venue.now_ms, "", c.CancelOrders("alice"))])
    assert not half.exists()
    assert after(lived).from_seq == LAST + 1


def test_another_version_of_the_program_replays_everything_once(lived: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "program", lambda: "another")
    found = run(lived, [])
    assert found.from_seq == 0
    assert "another version" in found.notes[0]
    again = after(lived)
    assert (again.from_seq, again.notes) == (LAST, ())
    assert everything(again.projections) == everything(found.projections)


# --- refusals --------------------------------------------------------------------------------------------------------------


def cut_short(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize("spoil", [cut_short, flip, lambda data: b""], ids=["cut short", "one bit", "empty"])
def test_a_damaged_snapshot_is_refused_and_deleting_it_helps(lived: Path, spoil: Callable[[bytes], bytes]) -> None:
    newest = files(lived, "snapshot")[-1]
    newest.write_bytes(spoil(newest.read_bytes()))
    with pytest.raises(SnapshotRefused, match=r"damaged.*delete it: the journal suffices"):
        after(lived)
    newest.unlink()
    assert state_hash(after(lived).state) == state_hash(WALK.venue.state)


@pytest.mark.parametrize("number", [0, -1])
def test_damaged_or_missing_views_are_refused_and_deleting_the_folder_helps(lived: Path, number: int) -> None:
    views = files(lived, "views")[number]
    whole = views.read_bytes()
    for spoil in (flip, cut_short, None):
        views.unlink() if spoil is None else views.write_bytes(spoil(whole))
        with pytest.raises(SnapshotRefused, match=r"delete the folder .*\.snapshots: the journal suffices"):
            after(lived)
    for path in Snapshots(lived).folder.iterdir():
        path.unlink()
    assert state_hash(after(lived).state) == state_hash(WALK.venue.state)


def test_a_journal_that_lost_its_end_is_refused_because_the_snapshot_is_newer(lived: Path) -> None:
    offset = next(Snapshots(lived).found()).header.offset
    whole = lived.read_bytes()
    lines = whole[:offset].splitlines(keepends=True)
    for shorter in (b"".join(lines[:-1]), whole[: offset - 5], b""):
        lived.write_bytes(shorter)
        with pytest.raises(SnapshotRefused, match=r"bytes are missing.*restore the journal from a copy"):
            after(lived)
        assert lived.read_bytes() == shorter
    lived.unlink()
    with pytest.raises(SnapshotRefused, match="bytes are missing"):
        after(lived)


def test_a_journal_that_lost_its_middle_is_refused(lived: Path) -> None:
    lines = lived.read_bytes().splitlines(keepends=True)
    lived.write_bytes(b"".join(lines[:20] + lines[21:]))
    with pytest.raises(SnapshotRefused, match="causeway verify"):
        after(lived)
    with pytest.raises(JournalDamaged) as caught:
        list(read(lived))
    assert caught.value.first_bad_seq == 20


def test_a_foreign_snapshot_is_refused(lived: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.log"
    run(other, walked(8, 60).venue.log, stop=False)
    for path in Snapshots(lived).folder.iterdir():
        path.unlink()
    for path in Snapshots(other).folder.iterdir():
        (Snapshots(lived).folder / path.name).write_bytes(path.read_bytes())
    with pytest.raises(SnapshotRefused, match=r"another record where command \d+ was; `causeway verify`"):
        after(lived)


def test_a_snapshot_of_another_version_must_fit_the_journal_too(lived: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "program", lambda: "another")
    lines = lived.read_bytes().splitlines(keepends=True)
    lived.write_bytes(b"".join(lines[:30]))
    with pytest.raises(SnapshotRefused, match="bytes are missing"):
        after(lived)


def test_a_snapshot_of_a_newer_format_is_refused(lived: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "FORMAT_VERSION", 0)
    with pytest.raises(SnapshotRefused, match="newer program"):
        after(lived)


def test_a_record_written_twice_is_refused_also_when_its_hash_was_made_to_fit(lived: Path) -> None:
    whole = lived.read_bytes()
    last = whole[whole[:-1].rindex(b"\n") + 1 :]
    lived.write_bytes(whole + last)
    with pytest.raises(JournalDamaged, match="hash") as caught:
        after(lived)
    assert caught.value.first_bad_seq == LAST + 1
    lived.write_bytes(whole)
    journal = Journal(lived, CONFIG)
    journal._write([last[65:-1]])
    journal.close()
    with pytest.raises(JournalDamaged, match=f"is numbered {LAST}") as caught:
        after(lived)
    assert caught.value.first_bad_seq == LAST + 1


# --- checkpoints -----------------------------------------------------------------------------------------------------------


def test_the_state_hash_is_journaled_with_every_snapshot_and_at_a_clean_stop(lived: Path) -> None:
    run(lived, [])
    found = read_checkpoints(lived)
    assert set(found) == {*range(EVERY, LAST, EVERY), LAST}
    state = new_state(60)
    for entry in read(lived):
        apply(state, entry)
        if entry.seq in found:
            assert found[entry.seq].state_hash == state_hash(state)


def test_a_replay_that_leads_elsewhere_is_refused_and_says_where(lived: Path) -> None:
    journal = Journal(lived, CONFIG)
    journal.append([Checkpoint(130, "0" * 64, STATE_FORMAT)])
    journal.close()
    with pytest.raises(StateDiverged, match="after command 130"):
        replay(lived)
    for path in Snapshots(lived).folder.iterdir():
        path.unlink()
    with pytest.raises(StateDiverged, match="after command 130"):
        after(lived)


def test_a_snapshot_that_disagrees_with_the_journal_is_refused(lived: Path) -> None:
    seq = next(Snapshots(lived).found()).header.seq
    journal = Journal(lived, CONFIG)
    journal.append([Checkpoint(seq, "0" * 64, STATE_FORMAT)])
    journal.close()
    with pytest.raises(StateDiverged, match=f"after command {seq}"):
        after(lived)


def test_a_checkpoint_of_another_state_format_is_passed_over(lived: Path) -> None:
    journal = Journal(lived, CONFIG)
    journal.append([Checkpoint(130, "0" * 64, 0)])
    journal.close()
    assert state_hash(replay(lived)) == state_hash(WALK.venue.state)


def test_checkpoints_do_not_move_the_numbers_of_damaged_records(lived: Path) -> None:
    lines = lived.read_bytes().splitlines(keepends=True)
    for position in range(1, len(lines), 9):
        spoilt = [*lines]
        spoilt[position] = spoilt[position][:70] + bytes([spoilt[position][70] ^ 1]) + spoilt[position][71:]
        lived.write_bytes(b"".join(spoilt))
        commands_before = sum(b'"command"' in line for line in lines[:position])
        with pytest.raises(JournalDamaged) as caught:
            list(read_records(lived))
        assert caught.value.first_bad_seq == commands_before + 1


# --- writing beside trading ------------------------------------------------------------------------------------------------


async def test_trading_goes_on_while_a_snapshot_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, gate = Snapshots.write, tmp_path / "gate"
    os.mkfifo(gate)

    def held(*args: Any) -> Any:
        gate.read_bytes()  # waits until the test opens it too
        return real(*args)

    monkeypatch.setattr(Snapshots, "write", held)
    found = recover(tmp_path / "journal.log", CONFIG, 5)
    one = Sequencer(found.state, found.journal, found.projections, lambda: 1_000, found.snapshots)
    one.start()
    try:
        for number in range(30):
            await one.submit(c.OpenAccount(f"a{number}", c.Custody.CUSTODIAL))
        assert one._saving is not None
        assert (found.snapshots.tried_seq, found.snapshots.last_seq) == (5, 0)
    finally:
        monkeypatch.undo()
        gate.open("wb").close()
    await one.stop()
    found.journal.close()
    assert [int(path.stem) for path in files(tmp_path / "journal.log", "snapshot")] == [5, 30]
    assert [type(record).__name__ for record in read_records(tmp_path / "journal.log")][-2:] == ["Checkpoint"] * 2
    assert after(tmp_path / "journal.log").from_seq == 30


_LIFE = """
import asyncio, sys
from pathlib import Path
from offchain_book.engine import commands as c
from offchain_book.recovery import recover
from offchain_book.sequencer import Sequencer
async def main():
    found = recover(Path(sys.argv[1]), {"settle_deadline_s": 60, "contract_version": 2}, 15)
    one = Sequencer(found.state, found.journal, found.projections, lambda: 1_000, found.snapshots)
    one.start()
    print("ready", flush=True)
    while True:
        await one.submit(c.OpenAccount(f"a{one.state.seq}", c.Custody.CUSTODIAL))
        print(one.state.seq, flush=True)
asyncio.run(main())
"""


def test_a_process_killed_again_and_again_amid_snapshots_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    path, picker, acknowledged = tmp_path / "journal.log", random.Random(4), 0
    starts = []
    for life in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", _LIFE, str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            for _ in range(picker.randrange(20, 80)):
                acknowledged = int(process.stdout.readline())
            while life == 3 and not files(path, "snapshot"):
                acknowledged = int(process.stdout.readline())  # the snapshots' writer may be slower than four short lives
            process.kill()
        found = after(path, 15)
        starts.append(found.from_seq)
        assert found.state.seq >= acknowledged
        assert state_hash(found.state) == state_hash(replay(path))
    assert starts[-1] > 0


async def test_a_snapshot_that_fails_stops_nothing_and_the_next_one_holds_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "journal.log"
    found = recover(path, CONFIG, EVERY)
    times = iter([entry.at_ms for entry in WALK.venue.log])
    one = Sequencer(found.state, found.journal, found.projections, lambda: next(times), found.snapshots)
    one.start()

    def full_disk(*args: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(Snapshots, "write", full_disk)
        for entry in WALK.venue.log[: EVERY + 10]:
            await one.submit(entry.command, entry.request_id)
        assert one._saving is None or await asyncio.wait([one._saving])
        await asyncio.sleep(0)
    assert "No space left on device" in caplog.text
    assert caplog.text.count("the next start takes longer") == 1
    assert files(path, "snapshot") == []
    for entry in WALK.venue.log[EVERY + 10 :]:
        await one.submit(entry.command, entry.request_id)
    await one.stop()
    found.journal.close()
    again = after(path)
    assert again.from_seq == LAST
    assert everything(again.projections) == everything(found.projections)


async def test_a_broken_invariant_leaves_no_snapshot(tmp_path: Path) -> None:
    found = recover(tmp_path / "journal.log", CONFIG, 1_000)
    one = Sequencer(found.state, found.journal, found.projections, lambda: 1_000, found.snapshots)
    one.start()
    await one.submit(c.OpenAccount("a", c.Custody.CUSTODIAL))
    one.state.seq = 99
    with pytest.raises(Exception, match="stopped"):
        await one.submit(c.OpenAccount("b", c.Custody.CUSTODIAL))
    await one.stop()
    found.journal.close()
    assert not files(tmp_path / "journal.log", "snapshot")


def journal_if_free(path: Path) -> Journal | None:
    with contextlib.suppress(JournalInUse):
        return Journal(path, CONFIG)
    return None


def test_the_child_does_not_keep_the_journal_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.log"
    monkeypatch.setattr(Snapshots, "write", lambda *args: time.sleep(120))
    found = recover(path, CONFIG)
    saving = found.snapshots.begin(found.state, found.projections, found.journal.position)
    try:
        found.journal.close()
        opened = poll(lambda: journal_if_free(path), 0.01, 60)
        assert opened is not None
        opened.close()
    finally:
        os.kill(saving._pid, 9)
    with pytest.raises(snapshots.SnapshotFailed, match="status 9"):
        saving.finish()
