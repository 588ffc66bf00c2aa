"""What every verb of the command shares: where the checkout is, exit codes, the two options that all of them take."""

from pathlib import Path
from typing import Annotated

import typer

from bridge import cli_output as output

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_DATA_DIR = ROOT / "var"
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_READY = 3
EXIT_NOT_FINAL = 4
EXIT_DID_NOT_SETTLE = 5

DataDirOption = Annotated[Path, typer.Option("--data-dir", help="The venue's data folder.")]
OutputOption = Annotated[output.Format, typer.Option("--output", "-o", help="How to print the result.")]
KeyOption = Annotated[
    Path | None,
    typer.Option("--key", help="Private key to sign with (PEM for accounts, hex for wallets); demo keys are known."),
]
