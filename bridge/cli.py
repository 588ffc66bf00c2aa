"""`causeway`, the command. Reads arguments, calls one function, prints; heavy imports wait until a verb needs them."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge import cli_output as output
from bridge import cli_verbs as verbs
from bridge.cli_options import (
    DEFAULT_DATA_DIR,
    EXIT_FAILED,
    EXIT_NOT_READY,
    ROOT,
    DataDirOption,
    OutputOption,
)
from offchain_book.config import UsageTier

_HELP = """Run and use a prediction exchange: one order book, custodial accounts and wallets, fills settled on a local chain.

Every verb takes --data-dir and -o table|json|env. Exit codes: 0 done; 1 it failed, one line says why and what to do; 2 wrong usage;
3 the venue is not running or not ready; 4 not final in time; 5 final, and it did not settle.
"""

app = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


def main() -> None:
    """Run the command; Ctrl-C before anything started is no error of ours."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


@app.command()
def up(
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    port: Annotated[int, typer.Option(help="REST, WebSocket and page.")] = 8_000,
    fix_port: Annotated[int, typer.Option(help="First of six FIX ports; 0: any free ones.")] = 8_228,
    fix_tls_cert: Annotated[Path | None, typer.Option(help="Serve FIX over TLS with this certificate chain (PEM).")] = None,
    fix_tls_key: Annotated[Path | None, typer.Option(help="The certificate's private key (PEM).")] = None,
    chain_port: Annotated[int, typer.Option(help="The chain's JSON-RPC port.")] = 8_545,
    chain_url: Annotated[str, typer.Option(help="Use a running node instead of starting one.")] = "",
    second_node: Annotated[
        str, typer.Option(help="JSON-RPC URL of another node: what is final counts only when both say the same.")
    ] = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget everything this data folder holds.")] = False,
    no_demo: Annotated[bool, typer.Option("--no-demo", help="Seed no accounts and markets.")] = False,
    seed: Annotated[int, typer.Option(help="Decides the demo's key ids.")] = 0,
    confirmations: Annotated[int, typer.Option(min=0, help="Blocks on top of one that counts as final.")] = 2,
    batch_ms: Annotated[int, typer.Option(min=0, help="Longest wait of a fill for its settlement batch.")] = 500,
    max_fee: Annotated[
        int, typer.Option(min=1, help="Most gwei per gas that settlement pays; above it batches wait.")
    ] = 500,
    settle_deadline: Annotated[int | None, typer.Option(help="Seconds a fill has to land; fixed at deployment.")] = None,
    exit_delay: Annotated[int | None, typer.Option(help="Seconds from requestExit to exit; fixed at deployment.")] = None,
    rate_limits: Annotated[
        UsageTier | None, typer.Option(help="Enforce this tier of Kalshi's rate limits; else none.")
    ] = None,
    redeploy: Annotated[
        bool,
        typer.Option("--redeploy", help="Development: when a contract changes, compile it and start over as with --fresh."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing after the banner.")] = False,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Start the venue in the foreground: chain, contracts, book, API, demo. Ctrl-C settles what is open and stops all."""
    if redeploy:
        from bridge import redeploy as redeploying

        same = [word for word in sys.orig_argv if word != "--redeploy"]
        raise typer.Exit(redeploying.run(same, ROOT))
    from bridge import cli_up
    from bridge.options import Options

    options = Options(
        root=ROOT,
        data_dir=data_dir,
        port=port,
        fix_port=fix_port,
        fix_tls_cert=fix_tls_cert,
        fix_tls_key=fix_tls_key,
        chain_port=chain_port,
        chain_url=chain_url,
        second_node=second_node,
        fresh=fresh,
        demo=not no_demo,
        seed=seed,
        confirmations=confirmations,
        batch_ms=batch_ms,
        max_fee_gwei=max_fee,
        rate_limits=rate_limits,
        settle_deadline_s=settle_deadline,
        exit_delay_s=exit_delay,
    )
    failure = cli_up.run(options, form, quiet)
    if failure:
        output.fail(failure, form)


@app.command()
def status(data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE) -> None:
    """Say where the venue is and how it does. Exit code 0 only when it is ready, 3 otherwise."""
    from bridge import cli_status

    found = cli_status.read(data_dir)
    output.show(cli_status.for_people(found) if form is output.Format.TABLE else found, form)
    if not found["ready"]:
        raise typer.Exit(EXIT_NOT_READY)


@app.command()
def doctor(
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    port: int = 8_000,
    chain_port: int = 8_545,
    fix_port: int = 8_228,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Check that this machine has what the venue needs. Exit code 1 when something is wrong."""
    from bridge import cli_doctor

    with output.working("examining this machine", form):
        found = cli_doctor.examine(ROOT, data_dir, port, chain_port, fix_port)
    output.show({"ok": all(one["ok"] for one in found), "checks": found}, form)
    if not all(one["ok"] for one in found):
        raise typer.Exit(EXIT_FAILED)


JournalArgument = Annotated[Path | None, typer.Argument(help="A journal; by default the data folder's.")]


@app.command()
def replay(
    file: JournalArgument = None, data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE
) -> None:
    """Replay a journal and print {seq, state_hash}. Exit code 1 when it is damaged or missing."""
    from bridge.replay import replay as rebuild
    from offchain_book.engine.snapshot import state_hash
    from offchain_book.journal import JournalDamaged, JournalTooNew
    from offchain_book.recovery import StateDiverged

    try:
        with output.working("replaying the journal", form):
            state = rebuild(file or data_dir / "journal.log")
    except (JournalDamaged, JournalTooNew, StateDiverged, OSError) as error:
        output.fail(_file_trouble(error), form)
    output.show({"seq": state.seq, "state_hash": state_hash(state)}, form)


@app.command()
def verify(
    file: JournalArgument = None, data_dir: DataDirOption = DEFAULT_DATA_DIR, form: OutputOption = output.Format.TABLE
) -> None:
    """Check a journal's hash chain and print {ok, first_bad_seq}. Exit code 1 when it is damaged or missing."""
    from offchain_book.journal import JournalDamaged, JournalTooNew, read

    result: dict[str, Any] = {"ok": True, "first_bad_seq": None}
    try:
        with output.working("checking the journal", form) as progress:
            for entry in read(file or data_dir / "journal.log"):
                if entry.seq % 10_000 == 0:
                    progress.say(f"checking the journal: {entry.seq} commands are unbroken")
    except JournalDamaged as error:
        result = {"ok": False, "first_bad_seq": error.first_bad_seq, "why": error.why}
    except (JournalTooNew, OSError) as error:
        output.fail(_file_trouble(error), form)
    output.show(result, form)
    if not result["ok"]:
        raise typer.Exit(EXIT_FAILED)


def _file_trouble(error: Exception) -> str:
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)


verbs.add_to(app)
