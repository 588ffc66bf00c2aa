"""`causeway exchange`: what the whole exchange takes, by mode and by trading hours, and its fees."""

import json
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from bridge import cli_output as output
from bridge.cli_client import CommandError, Json, VenueClient, reporting
from bridge.cli_options import DEFAULT_DATA_DIR, EXIT_USAGE, DataDirOption, OutputOption
from offchain_book.engine.market_commands import ExchangeMode

exchange = typer.Typer(no_args_is_help=True, help="Pause the exchange, set its mode, its trading hours and its fees.")


@exchange.command()
def show(data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE) -> None:
    """Show mode and hours, and what they allow now. Exit codes: 0; 3 the venue is not running."""
    with reporting(form):
        output.show(VenueClient(data_dir).admin("GET", "/exchange"), form)


@exchange.command()
def mode(
    to: Annotated[ExchangeMode, typer.Argument(help="What it takes from now on.")],
    until: Annotated[str, typer.Option(help="When it opens by itself, like 2027-01-31T12:00:00Z.")] = "",
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Set the mode of the whole exchange. Exit codes: 0; 1 refused; 3 the venue is not running."""
    with reporting(form):
        body: Json = {"mode": to.value, **({"until": until} if until else {})}
        output.show(VenueClient(data_dir).admin("PUT", "/exchange/mode", body), form)


@exchange.command()
def fees(
    change_id: Annotated[str, typer.Argument(metavar="ID", help="A name of your own; a change takes effect once.")],
    series: Annotated[str, typer.Option(help="Whose fees; or --event.")] = "",
    event: Annotated[str, typer.Option(help="An event that gets fees of its own, or with --follow its series' again.")] = "",
    follow: Annotated[bool, typer.Option("--follow", help="The event follows its series again.")] = False,
    flat: Annotated[bool, typer.Option("--flat", help="Dollars a contract instead of rates of price x complement.")] = False,
    taker: Annotated[str, typer.Option(help="Taker's rate, like 0.07; with --flat dollars.")] = "0",
    maker: Annotated[str, typer.Option(help="Maker's rate; with --flat dollars.")] = "0",
    rebate: Annotated[str, typer.Option(help="Paid to custodial makers instead of a maker's fee.")] = "0",
    whole_cents: Annotated[bool, typer.Option("--whole-cents", help="Custodial accounts pay in whole cents.")] = False,
    at: Annotated[str, typer.Option(help="From when on, like 2027-01-31T12:00:00Z; now if left out.")] = "",
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Change the fees of a series or of one event. Exit codes: 0; 1 refused; 3 the venue is not running."""
    kind = "flat" if flat else "quadratic_with_maker_fees" if maker.strip("0.") else "quadratic"
    body: Json = {"id": change_id, "series": series, "event": event, **({"at": at} if at else {})}
    if not follow:
        body |= {
            "fee_type": kind,
            "taker_fee": taker,
            "maker_fee": maker,
            "maker_rebate": rebate,
            "whole_cents": whole_cents,
        }
    with reporting(form):
        output.show(VenueClient(data_dir).admin("POST", "/fees", body), form)


@exchange.command()
def hours(
    file: Annotated[Path, typer.Option("--file", help="TOML or JSON: see docs/interfaces.md. An empty file removes them.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Replace the trading hours. Exit codes: 0; 1 refused; 2 the file cannot be read; 3 the venue is not running."""
    with reporting(form):
        try:
            text = file.read_text()
            body = json.loads(text or "{}") if file.suffix == ".json" else tomllib.loads(text)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}", EXIT_USAGE) from None
        except ValueError as error:
            raise CommandError(f"{file}: {error}", EXIT_USAGE) from None
        output.show(VenueClient(data_dir).admin("PUT", "/exchange/hours", json.loads(json.dumps(body, default=str))), form)
