"""`causeway bindings`: what contract developers import."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge import cli_output as output
from bridge.cli_client import CommandError, reporting
from bridge.cli_options import DEFAULT_DATA_DIR, EXIT_USAGE, DataDirOption, OutputOption

NAMES = {"venue": "Venue", "collateral": "TestUSD"}
"""Name in the address book -> contract."""
RPC_URL = "http://127.0.0.1:8545"


def bindings(
    out: Annotated[Path, typer.Option("--out", help="Folder for causeway_contracts.py and causeway-contracts.ts.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Write typed bindings of a deployment: a Python module over web3.py, and ABIs `as const` with addresses for TypeScript.

    The data folder is a venue's, running or not, or what scripts/deploy.py --out made. Exit codes: 0; 2 it holds no deployment.
    """
    from bridge.bindings import python, typescript

    with reporting(form):
        book, abis = read(data_dir)
        addresses = {contract: book[name] for name, contract in NAMES.items()}
        status = data_dir / "status.json"
        rpc_url = json.loads(status.read_text())["rpc"] if status.exists() else RPC_URL
        out.mkdir(parents=True, exist_ok=True)
        files = {
            "python": (out / "causeway_contracts.py", python(book["chain_id"], addresses, abis)),
            "typescript": (out / "causeway-contracts.ts", typescript(book["chain_id"], addresses, abis, rpc_url)),
        }
        for path, text in files.values():
            path.write_text(text)
        output.show(
            {name: str(path) for name, (path, _) in files.items()} | {"chain_id": book["chain_id"], **addresses}, form
        )


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return address book and ABIs of a folder. Raises CommandError."""
    try:
        book: dict[str, Any] = json.loads((folder / "deployment.json").read_text())
        abis = {path.stem: json.loads(path.read_text()) for path in sorted((folder / "abi").glob("*.json"))}
    except (OSError, ValueError) as error:
        raise CommandError(
            f"{folder} holds no deployment: {error}; run `causeway up` or scripts/deploy.py", EXIT_USAGE
        ) from None
    return book, abis
