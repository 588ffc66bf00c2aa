"""Verbs beside the venue's own life: adds them to the command, each from the module of its subject."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bridge import (
    cli_account,
    cli_bindings,
    cli_demo,
    cli_diagnose,
    cli_exchange,
    cli_explain,
    cli_follow,
    cli_market,
    cli_money,
    cli_reserves,
    cli_watch,
)
from bridge import cli_output as output
from bridge.cli_options import DEFAULT_DATA_DIR, ROOT, DataDirOption, OutputOption


def add_to(app: typer.Typer) -> None:
    """Add every verb."""
    app.add_typer(cli_market.market, name="market")
    app.add_typer(cli_exchange.exchange, name="exchange")
    app.add_typer(cli_account.account, name="account")
    app.add_typer(cli_explain.explain, name="explain")
    app.add_typer(cli_reserves.reserves, name="reserves")
    for verb in (
        cli_money.deposit,
        cli_money.withdraw,
        cli_money.tokenize,
        cli_money.take_back,
        cli_money.redeem,
        cli_money.faucet,
        cli_account.link,
        cli_follow.wait,
        cli_follow.trace,
        cli_follow.flush,
        cli_follow.time,
        cli_demo.demo,
        cli_bindings.bindings,
        cli_diagnose.diagnose,
        cli_watch.watch,
        chain,
    ):
        app.command()(verb)
    app.command("exit")(leave)
    app.command("verify-reserves")(cli_reserves.verify_reserves)


def chain(
    chain_port: Annotated[int, typer.Option(help="The chain's JSON-RPC port.")] = 8_545,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Run only the data folder's chain, in the foreground, until Ctrl-C. Exit codes: 0 stopped; 1 it cannot run."""
    from bridge import cli_chain
    from bridge.datadir import DataDirInUse
    from bridge.node import NodeError

    def ready(version: str, url: str) -> None:
        output.show({"chain": version, "rpc": url}, form)
        sys.stdout.flush()

    try:
        cli_chain.run(ROOT, data_dir, chain_port, ready)
    except (DataDirInUse, NodeError, OSError) as error:
        output.fail(str(error), form)


def leave(
    rpc: Annotated[str, typer.Option(help="URL of any node of the chain.")],
    contract: Annotated[str, typer.Option(help="Address of the venue contract.")],
    key_file: Annotated[Path, typer.Option(help="File with the wallet's private key: 64 hexadecimal digits.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Leave with everything while the venue is off: finds the tokens in the contract's logs, asks to leave, waits, collects.

    Nothing of the data folder is read. Exit codes: 0 everything is out; 1 it failed, or something is left: run it again;
    2 wrong usage.
    """
    from bridge.cli_client import CommandError, read_key, reporting
    from bridge.cli_exit import Leaver

    def tell(text: str) -> None:
        print(f"causeway exit: {text}", file=sys.stderr, flush=True)

    with reporting(form):
        found = Leaver(rpc, contract, read_key(key_file), tell).leave()
        output.show(found, form)
        if not found["finished"]:
            raise CommandError("something is left in the vault: run it again")
