"""Gas of settlement, from receipts of a private chain: ours beside Polymarket's and our targets."""

import importlib
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.bench_common import Json, Report, show


def run(console: Console, report: Report) -> Json:
    """Settle on a private chain, print the rows. While the contract tools are missing, say so and go on."""
    report("deploy and settle on a private chain", 0, 0)
    try:
        gas = importlib.import_module("tests.contracts.gas")
    except ImportError as error:
        console.print(f"Gas: skipped, because the contract tools are not in this checkout yet ({error})\n")
        return {"skipped": str(error), "rows": []}
    rows = [_row(row) for row in gas.measure()]
    show(console, _table(rows), "below 1 is cheaper\n")
    return {"rows": rows}


def _row(row: Any) -> Json:
    return {
        "name": row.name,
        "gas": row.gas,
        "target": row.target,
        "polymarket": row.theirs,
        "floor": row.floor,
        "ratio_to_polymarket": round(row.gas / row.theirs, 3) if row.theirs else None,
        "ratio_to_target": round(row.gas / row.target, 3),
    }


def _table(rows: Sequence[Json]) -> Table:
    table = Table(title="Settlement gas from receipts; theirs: Polymarket V2 on the same work", title_justify="left")
    table.add_column("work", no_wrap=True)
    for heading in ("ours", "theirs", "target", "x theirs", "x target"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        theirs, ratio = row["polymarket"], row["ratio_to_polymarket"]
        cells = (f"{row['gas']:,}", f"{theirs:,}" if theirs else "–", f"{row['target']:,}", f"{ratio:.2f}" if ratio else "–")
        table.add_row(row["name"], *cells, f"{row['ratio_to_target']:.2f}")
    return table
