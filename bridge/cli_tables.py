"""Results as people read them: a block per part of a result, dollars and times instead of integers, nothing cut off."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

_UNSCALED = frozenset({"total", "available", "held", "pending", "settled", "withdrawable", "micros"})
"""Columns of balances and postings, which are millionths under shorter names."""
_FIRST_MS = 10**12
"""Smaller `_ms` numbers are durations."""
PIPE_WIDTH = 200
_GAP = 3
"""Between two columns."""


def render(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print a result. A pipe gets no colours and long lines."""
    out = console or Console(highlight=False)
    if not out.is_terminal:
        out.width = PIPE_WIDTH
    for title, table in blocks(result, out.width):
        if title:
            out.print(f"\n[bold]{title}[/bold]")
        out.print(table)


def blocks(result: Mapping[str, Any], width: int, title: str = "") -> Iterator[tuple[str, Table]]:
    """Yield a result's tables with their titles: what is single first, then every part that has parts."""
    nested = {name: value for name, value in result.items() if _has_parts(value)}
    single = {name: value for name, value in result.items() if name not in nested}
    if single:
        yield title, _pairs(single)
    for name, value in nested.items():
        below = f"{title} · {label(name)}" if title else label(name)
        rows = _rows(value)
        if rows is not None and _fits(rows, width):
            yield below, _grid(rows)
        elif isinstance(value, Mapping):
            unit = "_micros" if name.endswith("_micros") else ""
            yield from blocks({f"{key}{unit}": item for key, item in value.items()}, width, below)
        else:
            for index, item in enumerate(value):
                yield from blocks(item, width, f"{below} {index + 1}")


def label(name: str) -> str:
    """Return a field's name without the unit that its value shows."""
    if name == "micros":
        return "amount"
    for unit in ("_micros", "_e4", "_e6", "_ms"):
        name = name.removesuffix(unit)
    return name.replace("_", " ")


def text(name: str, value: Any) -> str:
    """Return a value as people read it; the name says the unit."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _number(name, value)
    if isinstance(value, str) and name.endswith("_micros") and value.lstrip("-").isdigit():
        return _number(name, int(value))
    if isinstance(value, Mapping):
        scaled = name.endswith(("_micros", "_e4", "_ms"))
        return ", ".join(f"{key} {text(name if scaled else str(key), item)}" for key, item in value.items()) or "–"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(text(name, item) for item in value) or "–"
    return str(value)


def _number(name: str, value: int) -> str:
    if name.endswith("_micros") or name in _UNSCALED:
        return f"{Decimal(value).scaleb(-6):,.2f}" if value % 10_000 == 0 else f"{Decimal(value).scaleb(-6):,.6f}"
    if name.endswith("_e4"):
        return f"{Decimal(value).scaleb(-4):.4f}"
    if name.endswith("_e6"):
        return f"{Decimal(value).scaleb(-6).normalize():,f}"
    if name.endswith("_ms") and value >= _FIRST_MS:
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{value} ms" if name.endswith("_ms") else str(value)


def _has_parts(value: Any) -> bool:
    """Whether a value needs a block of its own."""
    if isinstance(value, Mapping):
        return any(isinstance(item, Mapping | list) for item in value.values()) or len(value) > 2
    return isinstance(value, list) and any(isinstance(item, Mapping) for item in value)


def _rows(value: Any) -> list[dict[str, Any]] | None:
    """Return a value as rows of equal kind, None if it is none."""
    if isinstance(value, Mapping):
        if not all(isinstance(item, Mapping) and item for item in value.values()):
            return None
        if len({tuple(item) for item in value.values()}) > 1:
            return None
        rows = [{"": name, **item} for name, item in value.items()]
    else:
        rows = list(value)
    deep = any(isinstance(cell, Mapping | list) and _has_parts(cell) for row in rows for cell in row.values())
    return None if deep else rows


def _fits(rows: Sequence[Mapping[str, Any]], width: int) -> bool:
    """Whether rows make a table in which no word is broken: otherwise each becomes a block of its own."""
    needed = 0
    for name in dict.fromkeys(name for row in rows for name in row):
        words = [*label(name).split(), *(word for row in rows for word in text(name, row.get(name)).split())]
        needed += max(map(len, words), default=0) + _GAP
    return needed <= width


def _pairs(single: Mapping[str, Any]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in single.items():
        table.add_row(
            label(name), text(name, value), style="red" if value is False and name in ("ok", "ready", "equal") else ""
        )
    return table


def _grid(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        numeric = all(isinstance(row.get(name), int) and not isinstance(row.get(name), bool) for row in rows)
        table.add_column(label(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        bad = row.get("ok") is False or bool(row.get("difference_micros"))
        table.add_row(*(text(name, row.get(name)) for name in names), style="red" if bad else "")
    return table
