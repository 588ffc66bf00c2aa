"""Gas of settlement, from receipts of a private chain: ours beside Polymarket's, the schedule's floor and our targets."""

import importlib
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.bench_common import Json, Report, show


def run(console: Console, report: Report) -> Json:
    """Settle on a private chain, print the tables. While the contract tools are missing, say so and go on."""
    report("deploy and settle on a private chain", 0, 0)
    try:
        gas = importlib.import_module("tests.contracts.gas")
    except ImportError as error:
        console.print(f"Gas: skipped, because the contract tools are not in this checkout yet ({error})\n")
        return {"skipped": str(error), "rows": [], "lines": []}
    measured = gas.measure()
    rows = [_row(row) for row in gas.targets(measured)]
    lines = [_line(line) for line in measured]
    show(console, _targets(rows), "below 1 is cheaper\n")
    show(console, _lines(lines, gas.SIZES), "gasUsed of one batch; 'further' is each maker or operation from 10 to 20\n")
    return {"rows": rows, "lines": lines}


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


def _line(line: Any) -> Json:
    return {"name": line.name, "gas": line.gas, "further": line.further, "polymarket": line.theirs, "floor": line.floor}


def _targets(rows: Sequence[Json]) -> Table:
    table = _table("Settlement gas from receipts; theirs: Polymarket V2 on the same work")
    for heading in ("ours", "theirs", "floor", "target", "x theirs", "x target"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        theirs, ratio = row["polymarket"], row["ratio_to_polymarket"]
        numbers = (_count(row["gas"]), _count(theirs), _count(row["floor"]), _count(row["target"]))
        table.add_row(row["name"], *numbers, f"{ratio:.2f}" if ratio else "–", f"{row['ratio_to_target']:.2f}")
    return table


def _lines(lines: Sequence[Json], sizes: Sequence[int]) -> Table:
    """One row of ours for each kind of work; below it theirs and the floor where there are such things."""
    table = _table("Gas by kind of fill, kind of order and number of distinct makers")
    for heading in (*(str(size) for size in sizes), "further"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(line["name"], *(_count(line["gas"][size]) for size in sizes), _count(line["further"]))
        for name in ("polymarket", "floor"):
            if values := line[name]:
                further = (values[sizes[-1]] - values[sizes[-2]]) // (sizes[-1] - sizes[-2])
                cells = (*(_count(values[size]) for size in sizes), _count(further))
                table.add_row(f"  {name}", *cells, style="dim")
    return table


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("work", no_wrap=True)
    return table


def _count(value: int | None) -> str:
    return f"{value:,}" if value else "–"
