"""`causeway reserves …` asks the running venue; `causeway verify-reserves` trusts nobody: files, a journal, any node."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge import cli_output as output
from bridge.cli_client import CommandError, VenueClient, reporting
from bridge.cli_options import DEFAULT_DATA_DIR, EXIT_USAGE, DataDirOption, KeyOption, OutputOption
from bridge.rpc import ChainUnavailable, RpcClient, RpcError
from offchain_book.liabilities import BadProof, Statement, read_nodes, read_proof, read_statement, verify, verify_leaves

Json = dict[str, Any]
reserves = typer.Typer(no_args_is_help=True, help="What the venue holds, what it owes, and the proofs.")
FileOption = Annotated[Path | None, typer.Option("--save", help="Write the answer to this file, for verify-reserves.")]


@reserves.command()
def show(data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE) -> None:
    """Show ledger against chain, and what is owed. Exit codes: 0 equal; 1 not; 3 the venue is not running."""
    with reporting(form):
        found = VenueClient(data_dir).ask("GET", "/venue/reserves")
        output.show(_not_empty(found) if form is output.Format.TABLE else found, form)
        if not found["equal"]:
            raise CommandError(found["frozen"] or found["waiting"] or "ledger and chain differ: see the rows")


def _not_empty(found: Json) -> Json:
    """Leave out the rows of what nobody has, and say how many they are."""
    rows = [row for row in found["rows"] if any(row[name] for name in row if name.endswith("_micros"))]
    return {**found, "rows": rows, "empty_rows_left_out": len(found["rows"]) - len(rows)}


@reserves.command()
def publish(data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE) -> None:
    """Compare everything now and put what is owed on chain. Exit codes: 0; 1 refused; 3 the venue is not running."""
    with reporting(form):
        output.show(VenueClient(data_dir).admin("POST", "/reserves"), form)


@reserves.command()
def proof(
    account: Annotated[str, typer.Argument(help="A custodial account.")],
    save: FileOption = None,
    key: KeyOption = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Get an account's inclusion proof. Exit codes: 0; 1 refused; 2 wrong usage; 3 the venue is not running."""
    with reporting(form):
        _give(VenueClient(data_dir).signed_get(account, key, "/venue/reserves/proof"), save, form)


@reserves.command()
def leaves(
    save: FileOption = None, data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE
) -> None:
    """Get every leaf of the newest statement, for an auditor. Exit codes: 0; 1 refused; 3 the venue is not running."""
    with reporting(form):
        _give(VenueClient(data_dir).ask("GET", "/venue/reserves/leaves"), save, form)


def _give(found: Json, save: Path | None, form: output.Format) -> None:
    if save is None:
        output.show(found, form)
        return
    save.write_text(json.dumps(found, indent=1))
    output.show({"saved": str(save), "seq": found["statement"]["seq"], "root": found["statement"]["root"]}, form)


@reserves.command()
def freeze(
    reason: Annotated[str, typer.Argument(help="For the journal and for everybody who asks.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Stop trading and everything that leaves the pool. Exit codes: 0; 1 refused; 3 the venue is not running."""
    with reporting(form):
        output.show(VenueClient(data_dir).admin("POST", "/freeze", {"reason": reason}), form)


@reserves.command()
def unfreeze(
    reason: Annotated[str, typer.Argument(help="Why that is right.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Take a freeze back. Exit codes: 0; 1 refused; 3 the venue is not running."""
    with reporting(form):
        output.show(VenueClient(data_dir).admin("POST", "/unfreeze", {"reason": reason}), form)


# --- trusting nobody -----------------------------------------------------------------------------------------------------


def verify_reserves(
    files: Annotated[list[Path], typer.Argument(help="Proofs and leaves, as `causeway reserves proof|leaves` saves them.")],
    root: Annotated[
        str, typer.Option(help="The published root; or give --rpc and --contract to read it from the chain.")
    ] = "",
    rpc: Annotated[str, typer.Option(help="URL of any node of the chain.")] = "",
    contract: Annotated[str, typer.Option(help="Address of the venue contract.")] = "",
    journal: Annotated[
        Path | None, typer.Option(help="Replay this journal: is every account counted, with what it has?")
    ] = None,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Check statements of liabilities: every file against the published root, and against a journal if one is given.

    Finds an omitted account, a negative balance, a duplicated leaf, a wrong sum. Needs no running venue.
    Exit codes: 0 everything holds; 1 something does not; 2 wrong usage.
    """
    with reporting(form):
        if bool(root) == bool(rpc and contract):
            raise CommandError("give either --root, or --rpc and --contract", EXIT_USAGE)
        checked = []
        for path in files:
            statement, what = check_file(path, root, rpc, contract)
            if journal is not None:
                check_journal(statement, journal)
            checked.append({"file": str(path), "what": what, "seq": statement.seq, "root": statement.root})
        output.show({"ok": True, "checked": checked}, form)


def check_file(path: Path, root: str, rpc: str, contract: str) -> tuple[Statement, str]:
    """Check one file against a root, or against what the contract published. Returns its statement and what holds."""
    try:
        data: Json = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read: {error}", EXIT_USAGE) from None
    try:
        statement = read_statement(data.get("statement", {}))
        published = root or _published(statement, rpc, contract)
        if "inclusions" in data:
            proof_ = read_proof(data)
            verify(proof_, published)
            amounts = ", ".join(f"{one.asset} {one.amount_micros}" for one in proof_.inclusions)
            return statement, f"{proof_.account_id} is counted: {amounts}"
        if "leaves" not in data:
            raise BadProof("neither a proof nor leaves")
        verify_leaves(statement, {asset: read_nodes(nodes) for asset, nodes in data["leaves"].items()}, published)
        return statement, "all leaves add up, each once"
    except BadProof as error:
        raise CommandError(f"{path}: {error}") from None


def check_journal(statement: Statement, journal: Path) -> None:
    """Replay up to the statement's command: the journal knows every account, so nobody can have been left out."""
    from offchain_book.engine.exchange import apply
    from offchain_book.journal import JournalDamaged, JournalTooNew, read, read_config
    from offchain_book.recovery import first_state
    from offchain_book.reserves import owed

    try:
        state = first_state(read_config(journal))
        for entry in read(journal):
            if entry.seq > statement.seq:
                break
            apply(state, entry)
    except (JournalDamaged, JournalTooNew, OSError) as error:
        raise CommandError(f"{journal}: {error}") from None
    if state.seq != statement.seq:
        raise CommandError(f"{journal} ends at command {state.seq}, the statement is of {statement.seq}")
    expected = owed(state)
    if sorted(expected) != [one.asset for one in statement.assets]:
        raise CommandError(f"the statement counts {[one.asset for one in statement.assets]}, the journal {sorted(expected)}")
    for one in statement.assets:
        found = (len(expected[one.asset]), sum(expected[one.asset].values()))
        if found != (one.leaves, one.total_micros):
            raise CommandError(
                f"{one.asset}: the statement counts {one.leaves} accounts with {one.total_micros}, the journal has "
                f"{found[0]} with {found[1]}"
            )


def _published(statement: Statement, rpc: str, contract: str) -> str:
    """Return the statement's root if the contract has published it with the same total of cash."""
    from bridge.chain import keccak_hex
    from offchain_book.engine.units import CASH

    client = RpcClient(rpc)
    topics = [keccak_hex("LiabilitiesPublished(bytes32,uint256,uint256)"), "0x" + statement.root]
    try:
        logs: list[Mapping[str, Any]] = client.call(
            "eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", "address": contract, "topics": topics}
        )
    except (ChainUnavailable, RpcError) as error:
        raise CommandError(f"{rpc}: {error}") from None
    finally:
        client.close()
    if not logs:
        raise BadProof(f"the contract never published the root {statement.root}")
    total = int(logs[-1]["data"][2:66], 16)
    if total != statement.of(CASH).total_micros:
        raise BadProof(f"the contract published a total of {total}, the statement says {statement.of(CASH).total_micros}")
    return statement.root
