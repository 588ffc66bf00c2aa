"""The journal: durable appends in groups, beside bare writes of the same bytes; and a full replay."""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from offchain_book.engine.commands import Sequenced
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.snapshot import state_hash
from offchain_book.journal import Journal, encode, read
from scripts.bench_apply import journal_entries
from scripts.bench_common import Json, Report, Scale, quiet_gc, show
from tests.engine.workload import Workload

GROUPS = (1, 32, 256)
AIMS: Json = {"seconds_per_million_replayed": 2.0}


def run(console: Console, work: Workload, scale: Scale, report: Report, folder: Path) -> Json:
    """Append, replay and print. The files lie in `folder`, on the disk that a venue would use."""
    entries, engine = journal_entries(work, scale.replay)
    with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as scratch, quiet_gc():
        rows = []
        for group in GROUPS:
            report(f"append in groups of {group}", 0, 0)
            rows.append(_append(Path(scratch), entries, group, _groups_of(group, scale)))
        report("replay", 0, 0)
        replay = _replay(Path(scratch), entries, state_hash(engine.state))
    show(console, _append_table(rows), _replay_table(replay))
    seconds = 1e6 / replay["replay_per_s"]
    console.print(f"a million commands replay in {seconds:.1f} s (aim: {AIMS['seconds_per_million_replayed']:.0f} s)\n")
    return {"append": rows, "replay": replay, "aims": AIMS}


def _groups_of(group: int, scale: Scale) -> int:
    """Return how many groups to write: as many as a second or two allows."""
    return max(3, scale.groups // {1: 1, 32: 2, 256: 8}[group])


def _append(folder: Path, entries: Sequence[Sequenced], group: int, count: int) -> Json:
    """Append groups to a journal and the same bytes to a bare file, in turns."""
    journal = Journal(folder / f"journal-{group}", {})
    bare = os.open(folder / f"bare-{group}", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    ours, theirs = [], []
    try:
        for number in range(count):
            chosen = _renumbered(entries, journal.last_seq + 1, group)
            data = b"\n".join(encode(entry) for entry in chosen) + b"\n" * 66
            start = time.perf_counter()
            os.write(bare, data)
            os.fdatasync(bare)
            middle = time.perf_counter()
            journal.append(chosen)
            ours.append(time.perf_counter() - middle)
            theirs.append(middle - start)
            if not number:
                ours, theirs = [], []
    finally:
        journal.close()
        os.close(bare)
    return {
        "group": group,
        "groups": count,
        "events_per_s": round(group / median(ours)),
        "bare_events_per_s": round(group / median(theirs)),
        "ratio": round(median(theirs) / median(ours), 3),
        "p50_us": round(median(ours) * 1e6),
        "p99_us": round(sorted(ours)[len(ours) * 99 // 100] * 1e6),
    }


def _renumbered(entries: Sequence[Sequenced], first: int, count: int) -> list[Sequenced]:
    """Return `count` entries numbered from `first` on; the list of entries may wrap around."""
    picked = (entries[number % len(entries)] for number in range(first, first + count))
    return [Sequenced(seq, e.at_ms, e.request_id, e.command) for seq, e in enumerate(picked, start=first)]


def _replay(folder: Path, entries: Sequence[Sequenced], expected: str) -> Json:
    """Write a whole journal, read it, replay it, and compare the state that comes out."""
    path = folder / "replay"
    journal = Journal(path, {})
    for first in range(0, len(entries), 1_000):
        journal.append(entries[first : first + 1_000])
    journal.close()
    start = time.process_time()
    count = sum(1 for _ in read(path))
    read_done = time.process_time()
    state = new_state(60)
    for entry in read(path):
        apply(state, entry)
    replay_done = time.process_time()
    again = new_state(60)
    for entry in entries:
        apply(again, entry)
    applied = time.process_time()
    if not state_hash(state) == state_hash(again) == expected:
        raise AssertionError("the replayed state differs")
    return {
        "commands": count,
        "bytes_per_command": round(path.stat().st_size / count),
        "read_per_s": round(count / (read_done - start)),
        "replay_per_s": round(count / (replay_done - read_done)),
        "apply_per_s": round(count / (applied - replay_done)),
        "ratio": round((applied - replay_done) / (replay_done - read_done), 3),
        "state_hash": expected,
    }


def _append_table(rows: Sequence[Json]) -> Table:
    table = Table(title="Journal: append + fdatasync, beside a bare write of the same bytes", title_justify="left")
    for heading in ("group", "x bare", "commands/s", "bare commands/s", "p50 µs", "p99 µs"):
        table.add_column(heading, justify="right")
    for row in rows:
        names = ("group", "ratio", "events_per_s", "bare_events_per_s", "p50_us", "p99_us")
        table.add_row(*(f"{row[name]:,}" for name in names))
    return table


def _replay_table(row: Json) -> Table:
    table = Table(
        title=f"Journal: {row['commands']:,} commands, {row['bytes_per_command']} bytes each", title_justify="left"
    )
    table.add_column("what")
    table.add_column("commands/s", justify="right")
    table.add_column("x apply alone", justify="right")
    for name, what in (("read", "read, check the chain, decode"), ("replay", "replay"), ("apply", "apply alone")):
        per_second = row[f"{name}_per_s"]
        table.add_row(what, f"{per_second:,}", f"{per_second / row['apply_per_s']:.2f}")
    return table
