"""`causeway market`: create, list, show, pause, close, resolve and dispute markets of the running venue."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from bridge import cli_output as output
from bridge.cli_client import CommandError, Json, VenueClient, reporting
from bridge.cli_options import DEFAULT_DATA_DIR, EXIT_NOT_FINAL, EXIT_USAGE, DataDirOption, OutputOption
from bridge.polling import poll

POLL_S = 0.1
market = typer.Typer(no_args_is_help=True, help="Create, list, show, pause, close, resolve and dispute markets.")
_LISTED = ("ticker", "title", "status", "best_bid_e4", "best_ask_e4", "last_price_e4", "close_ms")
"""Columns for people; scripts get everything."""
Ticker = Annotated[str, typer.Argument(help="The market's ticker.")]


@market.command()
def create(
    file: Annotated[
        Path, typer.Option("--file", help="TOML or JSON: see docs/interfaces.md and docs/examples/market.toml.")
    ],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Create an event's markets. Exit codes: 0 they are open; 1 refused; 2 the file is wrong; 3 the venue is not running."""
    from offchain_book.gateways.market_file import MarketFileError, as_json, parse_json, parse_toml

    with reporting(form):
        try:
            text = file.read_text()
            body = as_json(parse_json(text) if file.suffix == ".json" else parse_toml(text))
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}", EXIT_USAGE) from None
        except MarketFileError as error:
            raise CommandError(f"{file}: {error}", EXIT_USAGE) from None
        output.show(VenueClient(data_dir).admin("POST", "/markets", body), form)


@market.command()
def close(ticker: Ticker, data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE) -> None:
    """Stop trading in a market for good. Exit codes: 0 closed; 1 refused; 3 the venue is not running."""
    with reporting(form):
        output.show(VenueClient(data_dir).admin("POST", f"/markets/{quote(ticker)}/close"), form)


@market.command()
def resolve(
    ticker: Ticker,
    outcome: Annotated[str, typer.Argument(help="yes, no, or what YES pays in dollars, like 0.1234.")],
    wait: Annotated[bool, typer.Option("--wait", help="Return when it is resolved on chain.")] = False,
    timeout: Annotated[int, typer.Option(help="Seconds to wait.")] = 120,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Decide a market. Exit codes: 0 decided (--wait: final on chain); 1 refused; 3 not running; 4 not final in time."""
    with reporting(form) as progress:
        venue = VenueClient(data_dir)
        found: Json = venue.admin("POST", f"/markets/{quote(ticker)}/resolve", {"outcome": outcome})
        if wait:
            progress.say(f"{ticker} is decided; its last fills and the outcome are on their way to the chain")
            found = until_resolved(venue, ticker, timeout)
        output.show(found, form)


def until_resolved(venue: VenueClient, ticker: str, timeout_s: int) -> Json:
    """Return a decided market when it is resolved on chain. Raises CommandError when that takes too long."""

    def resolved() -> Json | None:
        found: Json = venue.admin("GET", f"/markets/{quote(ticker)}")
        return found if found["resolved_on_chain"] else None

    found = poll(resolved, POLL_S, timeout_s)
    if found is None:
        raise CommandError(f"{ticker} is decided, and not resolved on chain after {timeout_s} s", EXIT_NOT_FINAL)
    return found


@market.command("resolve-event")
def resolve_event(
    event: Annotated[str, typer.Argument(help="The event's ticker.")],
    value: Annotated[str, typer.Option("--value", help="What the strikes are about, as a decimal like 431250.5.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Decide every open market of an event by one value, all or none. Exit codes: 0 decided; 1 refused; 3 not running."""
    with reporting(form):
        output.show(VenueClient(data_dir).admin("POST", f"/events/{quote(event)}/resolve", {"value": value}), form)


def _change(ticker: str, verb: str, body: Json | None, data_dir: Path, form: output.Format) -> None:
    with reporting(form):
        output.show(VenueClient(data_dir).admin("POST", f"/markets/{quote(ticker)}/{verb}", body), form)


@market.command()
def pause(ticker: Ticker, data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE) -> None:
    """Stop trading in a market for a while; cancels are taken. Exit codes: 0 paused; 1 refused; 3 the venue is not running."""
    _change(ticker, "pause", None, data_dir, form)


@market.command()
def resume(ticker: Ticker, data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE) -> None:
    """Trade a paused market again, from an empty book. Exit codes: 0; 1 refused; 3 the venue is not running."""
    _change(ticker, "resume", None, data_dir, form)


@market.command()
def void(
    ticker: Ticker,
    reason: Annotated[str, typer.Option(help="Why there is no outcome; shown with the market.")],
    value: Annotated[str, typer.Option(help="What YES pays, like 0.35; without it the last traded price.")] = "",
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """End a market without an outcome: YES and NO share each set's dollar. Exit codes: 0; 1 refused; 3 not running."""
    _change(ticker, "void", {"reason": reason, **({"value": value} if value else {})}, data_dir, form)


@market.command()
def ticks(
    ticker: Ticker,
    price_structure: Annotated[str, typer.Argument(help="Such as deci_cent: see docs/interfaces.md.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Make a market's price grid finer; orders keep their places. Exit codes: 0; 1 refused; 3 the venue is not running."""
    _change(ticker, "ticks", {"price_structure": price_structure}, data_dir, form)


@market.command()
def dispute(
    ticker: Ticker,
    reason: Annotated[str, typer.Option(help="What is wrong with the outcome.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """As the reviewer, stop an outcome while its settlement timer runs. Exit codes: 0; 1 refused; 3 not running."""
    with reporting(form):
        output.show(VenueClient(data_dir).review(f"/markets/{quote(ticker)}/dispute", {"reason": reason}), form)


@market.command()
def amend(
    ticker: Ticker,
    outcome: Annotated[str, typer.Argument(help="yes, no, or what YES pays; the outcome as it was upholds it.")],
    reason: Annotated[str, typer.Option(help="What the reviewer found.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """As the reviewer, end a dispute; the settlement timer starts again. Exit codes: 0; 1 refused; 3 not running."""
    with reporting(form):
        body = {"outcome": outcome, "reason": reason}
        output.show(VenueClient(data_dir).review(f"/markets/{quote(ticker)}/amend", body), form)


@market.command()
def show(ticker: Ticker, data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE) -> None:
    """Show a market: terms, state, and what the custody pool holds. Exit codes: 0; 1 unknown; 3 the venue is not running."""
    with reporting(form):
        output.show(VenueClient(data_dir).admin("GET", f"/markets/{quote(ticker)}"), form)


@market.command("list")
def list_markets(data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE) -> None:
    """List all markets with their best prices. Exit codes: 0; 3 the venue is not running."""
    with reporting(form):
        found: Json = VenueClient(data_dir).ask("GET", "/venue/markets")
        if form is output.Format.TABLE:
            found = {"markets": [{name: one[name] for name in _LISTED} for one in found["markets"]]}
        output.show(found, form)
