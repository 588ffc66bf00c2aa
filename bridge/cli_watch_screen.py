"""What `causeway watch` shows: three columns, book, ledger and chain."""

from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.console import Group
from rich.panel import Panel
from rich.table import Table

from bridge.cli_tables import text

if TYPE_CHECKING:
    from bridge.cli_watch import View

DEPTH = 8


def screen(view: "View") -> Columns:
    """Return the whole screen."""
    return Columns([_book(view), _ledger(view), _chain(view)], expand=True)


def _book(view: "View") -> Panel:
    table = Table("", "YES price", "contracts", box=None, pad_edge=False)
    for price in reversed(sorted(view.asks)[:DEPTH]):
        table.add_row("ask", text("_e4", price), text("_micros", view.asks[price]), style="red")
    table.add_row("", "–", "", style="dim")
    for price in sorted(view.bids, reverse=True)[:DEPTH]:
        table.add_row("bid", text("_e4", price), text("_micros", view.bids[price]), style="green")
    return Panel(table, title=f"book · {view.ticker}")


def _ledger(view: "View") -> Panel:
    facts = Table(box=None, show_header=False, pad_edge=False)
    for name in ("seq", "state_hash", "venue_time_ms"):
        facts.add_row(name.removesuffix("_ms").replace("_", " "), text(name, view.status.get(name))[:24])
    return Panel(Group(facts, "", *(view.fills or ["no trades since you came"])), title="ledger")


def _chain(view: "View") -> Panel:
    facts = Table(box=None, show_header=False, pad_edge=False)
    operations = view.status.get("operations", {})
    facts.add_row("final block", text("", view.status.get("final_block")))
    facts.add_row("operations", f"{operations.get('confirmed', 0)} final, {operations.get('open', 0)} open")
    words = "not compared yet"
    if "equal" in view.reserves:
        words = (
            f"equal in block {view.reserves['block_number']}" if view.reserves["equal"] else "[bold red]differ[/bold red]"
        )
    facts.add_row("ledger = chain", words)
    return Panel(Group(facts, "", *(view.chain or ["no settlements since you came"])), title="chain")
