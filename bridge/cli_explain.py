"""`causeway explain`: why an order or a signature is refused, and what an error means."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge import cli_output as output
from bridge.cli_client import CommandError, VenueClient, reporting
from bridge.cli_options import DEFAULT_DATA_DIR, EXIT_FAILED, EXIT_USAGE, DataDirOption, OutputOption

explain = typer.Typer(no_args_is_help=True, help="Why an order or a signature is refused; what an error means.")
FileArgument = Annotated[Path, typer.Argument(help="A JSON file; - is standard input.")]


@explain.command()
def order(file: FileArgument, data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE) -> None:
    """Explain an order, as it would be posted: {"order": {...}, ...} in Polymarket's form or in ours. Nothing is placed.

    Exit codes: 0 it would be taken; 1 it would be refused, or the venue cannot say; 2 wrong usage; 3 the venue is not running.
    """
    _ask("/venue/explain/order", file, data_dir, form)


@explain.command()
def signature(
    file: FileArgument, data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE
) -> None:
    """Explain a signature: {"kind": "native" ..., "message": {...}, "signature": "0x..."}; kinds as in /venue/eip712.

    Exit codes: 0 it is the signer's; 1 it is not, or the venue cannot say; 2 wrong usage; 3 the venue is not running.
    """
    _ask("/venue/explain/signature", file, data_dir, form)


@explain.command()
def code(
    name: Annotated[str, typer.Argument(help="An error's name or number, such as INSUFFICIENT_CASH or 140.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Say what an error means. Needs no venue. Exit codes: 0; 2 there is no such error."""
    from offchain_book.engine.rejects import RejectCode
    from offchain_book.errors import SENTENCES
    from offchain_book.gateways.error_page import GATEWAY

    with reporting(form):
        wanted = name.upper()
        for known in RejectCode:
            if wanted in (known.name, str(known.value)):
                output.show({"code": known.name, "number": known.value, "message": SENTENCES[known]}, form)
                return
        if wanted not in GATEWAY:
            raise CommandError(f"there is no error {name}; docs/errors.md lists all of them", EXIT_USAGE)
        output.show({"code": wanted, "message": GATEWAY[wanted]}, form)


def _ask(path: str, file: Path, data_dir: Path, form: output.Format) -> None:
    with reporting(form):
        found = VenueClient(data_dir).ask("POST", path, _read(file), {})
        output.show(found, form)
        if not found["ok"]:
            raise typer.Exit(EXIT_FAILED)


def _read(file: Path) -> Any:
    try:
        return json.loads(sys.stdin.read() if str(file) == "-" else file.read_text())
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", EXIT_USAGE) from None
    except ValueError as error:
        raise CommandError(f"{file} is no JSON: {error}", EXIT_USAGE) from None
