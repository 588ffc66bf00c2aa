"""`causeway account …` and `causeway link`."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from bridge import cli_output as output
from bridge.cli_client import CommandError, VenueClient, reporting
from bridge.cli_options import DEFAULT_DATA_DIR, EXIT_USAGE, DataDirOption, KeyOption, OutputOption

account = typer.Typer(no_args_is_help=True, help="Custodial accounts.")
WalletKeyOption = Annotated[Path | None, typer.Option("--wallet-key", help="The wallet's private key (hex).")]


@account.command()
def create(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits, '.', '_', '-'.")],
    public_key: Annotated[Path, typer.Option("--public-key", help="PEM file with an RSA or Ed25519 public key.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Open a custodial account with an API key. Exit codes: 0; 1 refused; 2 wrong usage; 3 the venue is not running.

    Keep the private key as DATA/keys/NAME.pem, or pass it with --key, and the other verbs sign with it.
    """
    with reporting(form):
        try:
            pem = public_key.read_text()
        except OSError as error:
            raise CommandError(f"{public_key}: {error.strerror}", EXIT_USAGE) from None
        body = {"name": name, "public_key_pem": pem}
        output.show(VenueClient(data_dir).admin("POST", "/accounts", body), form)


@account.command()
def show(
    name: Annotated[str, typer.Argument(help="A custodial account, a demo wallet, or an address.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Show an account's balances and key ids. Exit codes: 0; 1 unknown; 3 the venue is not running."""
    with reporting(form):
        venue = VenueClient(data_dir)
        output.show(venue.admin("GET", f"/accounts/{quote(venue.account_id(name))}"), form)


def _change(verb: str, name: str, reason: str, data_dir: Path, form: output.Format) -> None:
    with reporting(form):
        venue = VenueClient(data_dir)
        output.show(venue.admin("POST", f"/{verb}", {"account": venue.account_id(name), "reason": reason}), form)


@account.command()
def suspend(
    name: Annotated[str, typer.Argument(help="A custodial account (its subaccounts too), a demo wallet, or an address.")],
    reason: Annotated[str, typer.Argument(help="For the journal and for the account.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Stop an account's trading; its money may leave. Exit codes: 0; 1 unknown; 3 the venue is not running."""
    _change("suspend", name, reason, data_dir, form)


@account.command()
def restore(
    name: Annotated[str, typer.Argument(help="As for `account suspend`.")],
    reason: Annotated[str, typer.Argument(help="Why that is right.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Let an account trade again. Exit codes: 0; 1 unknown or not suspended; 3 the venue is not running."""
    _change("restore", name, reason, data_dir, form)


def link(
    account_name: Annotated[str, typer.Argument(metavar="ACCOUNT", help="A custodial account.")],
    wallet: Annotated[str, typer.Argument(help="A demo wallet or an address.")],
    deliver: Annotated[bool, typer.Option("--deliver", help="Send every fill of the account to the wallet.")] = False,
    key: KeyOption = None,
    wallet_key: WalletKeyOption = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Make an account and a wallet one owner; both sign. Exit codes: 0; 1 refused; 2 wrong usage; 3 not running."""
    with reporting(form):
        venue = VenueClient(data_dir)
        output.show(venue.link(account_name, key, venue.wallet(wallet, wallet_key), deliver), form)
