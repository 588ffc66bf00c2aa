"""Verbs that follow what happens: wait, trace, flush, time."""

import re
from typing import Annotated

import typer

from bridge import cli_output as output
from bridge.cli_client import CommandError, Json, VenueClient, reporting
from bridge.cli_options import (
    DEFAULT_DATA_DIR,
    EXIT_DID_NOT_SETTLE,
    EXIT_NOT_FINAL,
    EXIT_USAGE,
    DataDirOption,
    OutputOption,
)
from bridge.polling import poll

POLL_S = 0.1
FINAL = ("CONFIRMED", "FAILED")
_COMES_LATER = re.compile(r"deposit:\d+|0x[0-9a-f]{64}")
"""Ids that may become known only when a block is final."""
IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Of a request, order, trade, operation, withdrawal, deposit ...")
]


def stages(found: Json) -> list[str]:
    """Return how far everything has come that an id stands for."""
    return [one["stage"] for one in (*found["fills"], *found["operations"])]


def wait(
    name: IdArgument,
    final: Annotated[bool, typer.Option("--final", help="Until it is final; otherwise until a block has it.")] = False,
    timeout: Annotated[int, typer.Option(help="Seconds to wait.")] = 120,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Wait for a trade, operation, withdrawal, vault action or deposit.

    Exit codes: 0 it settled; 1 nothing has this id; 3 the venue is not running; 4 not in time; 5 it is final and did not
    settle: it was busted, guaranteed or returned, which is printed.
    """
    with reporting(form) as progress:
        venue = VenueClient(data_dir)
        reached = FINAL if final else (*FINAL, "MINED")

        def settled() -> Json | None:
            found = venue.trace(name)
            if found is None and not _COMES_LATER.fullmatch(name):
                raise CommandError(f"nothing has the id {name}")
            if found is not None and all(stage in reached for stage in stages(found)):
                return found
            progress.say(f"{name}: {', '.join(stages(found)) if found else 'not in a final block yet'}")
            return None

        found = poll(settled, POLL_S, timeout)
        if found is None:
            raise CommandError(f"{name} is not {'final' if final else 'in a block'} after {timeout} s", EXIT_NOT_FINAL)
        resolutions = [one["resolution"] for one in found["operations"] if one["resolution"]]
        result = {
            "id": name,
            "stages": stages(found) or ["CONFIRMED"],
            "transactions": [one["hash"] for one in found["transactions"]] + [one["tx_hash"] for one in found["deposits"]],
            "resolutions": resolutions,
        }
        output.show(result, form)
        if resolutions:
            raise typer.Exit(EXIT_DID_NOT_SETTLE)


def trace(name: IdArgument, data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE) -> None:
    """Show request, command, fills, operation, transaction and postings of any id in that chain.

    Exit codes: 0; 1 nothing has this id; 3 the venue is not running.
    """
    with reporting(form):
        found = VenueClient(data_dir).trace(name)
        if found is None:
            raise CommandError(f"nothing has the id {name}")
        output.show(found, form)


def flush(data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE) -> None:
    """Settle everything that is open now. Exit codes: 0 all of it is final; 1 not in time; 3 the venue is not running."""
    with reporting(form):
        output.show(VenueClient(data_dir).admin("POST", "/flush"), form)


def time(
    seconds: Annotated[str, typer.Argument(metavar="+SECONDS", help="How far to move on, like +3600.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Move venue time, book and chain together; open batches are settled first. Development only.

    Exit codes: 0 moved; 1 refused, or open batches were not final in time; 2 wrong usage; 3 the venue is not running.
    """
    with reporting(form):
        if not re.fullmatch(r"\+\d{1,9}", seconds):
            raise CommandError(f"{seconds!r} is no way to move: write +SECONDS, time never goes back", EXIT_USAGE)
        output.show(VenueClient(data_dir).admin("POST", "/time", {"seconds": int(seconds)}), form)
