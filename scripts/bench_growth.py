"""Growth: the same operations near the touch with a thousand to a million orders resting behind them."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from scripts.bench_apply import FreeEngine
from scripts.bench_book import BookEngine, NaiveEngine
from scripts.bench_common import Json, Lane, Report, Scale, race, show
from tests.engine.workload import generate


def run(console: Console, scale: Scale, report: Report) -> Json:
    """Race with ever more resting orders; print each engine's time beside its time with the fewest."""
    rows: list[Json] = []
    for resting in scale.growth:
        report(f"{resting:,} resting orders", 0, 0)
        work = generate(scale.growth_ops, dust=resting)
        lanes = race((NaiveEngine, BookEngine, FreeEngine), work, 1, scale.growth_ops, lambda *_: None)
        rows.append({"resting": resting, "engines": [_row(lane, scale.growth_ops) for lane in lanes]})
    show(console, _table(rows), "1.00 is the time with the fewest orders\n")
    return {"ops": scale.growth_ops, "rows": rows}


def _row(lane: Lane, ops: int) -> Json:
    microseconds = round(sum(lane.seconds) / ops * 1e6, 3)
    return {"name": lane.name, "us_per_op": microseconds, "p50_ns": lane.p50_ns, "p99_ns": lane.p99_ns}


def _table(rows: Sequence[Json]) -> Table:
    table = Table(title="Growth: µs an operation (and x the first row)", title_justify="left")
    table.add_column("resting orders", justify="right")
    for engine in rows[0]["engines"]:
        table.add_column(engine["name"], justify="right")
    for row in rows:
        pairs = zip(row["engines"], rows[0]["engines"], strict=True)
        cells = [f"{now['us_per_op']:.2f} ({now['us_per_op'] / first['us_per_op']:.2f})" for now, first in pairs]
        table.add_row(f"{row['resting']:,}", *cells)
    return table
