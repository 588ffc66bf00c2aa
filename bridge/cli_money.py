"""Verbs that move money and tokens: deposit, withdraw, tokenize, take-back, redeem, faucet. Each answers when the venue has taken it;
`causeway wait ID --final` waits for the chain."""

import json
import secrets
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from bridge import cli_output as output
from bridge.cli_client import CommandError, Json, VenueClient, Wallet, amount, micros, reporting
from bridge.cli_options import DEFAULT_DATA_DIR, EXIT_USAGE, DataDirOption, KeyOption, OutputOption
from offchain_book.engine.operations import VaultActionKind

CASH_ID = "0"
REDEEM_GAS = 300_000
AccountArgument = Annotated[str, typer.Argument(help="A custodial account, a demo wallet, or an address.")]
WalletArgument = Annotated[str, typer.Argument(help="A demo wallet or an address.")]
AmountArgument = Annotated[str, typer.Argument(metavar="AMOUNT", help="Dollars.")]


class Side(StrEnum):
    """An outcome, as people write it."""

    YES = "yes"
    NO = "no"


def _reference() -> str:
    return f"cli-{secrets.token_hex(8)}"


def deposit(
    account: AccountArgument,
    dollars: AmountArgument,
    wait: Annotated[bool, typer.Option("--wait", help="Return when it is credited.")] = False,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Pay in test dollars on chain. Exit codes: 0 paid (with --wait: credited); 1 refused; 2 wrong usage; 3 not running."""
    with reporting(form):
        venue = VenueClient(data_dir)
        body = {"account": venue.account_id(account), "amount": amount(dollars), "wait": wait}
        output.show(venue.admin("POST", "/deposits", body), form)


def faucet(
    wallet: WalletArgument,
    dollars: AmountArgument,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Give a wallet free test dollars, and gas money if it has none. Exit codes: 0; 1 refused; 2 usage; 3 not running."""
    with reporting(form):
        venue = VenueClient(data_dir)
        body = {"wallet": venue.wallet(wallet).address, "amount": amount(dollars)}
        output.show(venue.admin("POST", "/faucet", body), form)


def withdraw(
    account: AccountArgument,
    dollars: AmountArgument,
    to: Annotated[str, typer.Option("--to", help="Where to: by default the linked wallet, or the wallet itself.")] = "",
    key: KeyOption = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Send cash out. Exit codes: 0 taken, the id is printed; 1 refused; 2 wrong usage; 3 the venue is not running."""
    with reporting(form):
        venue = VenueClient(data_dir)
        amount_micros = micros(dollars)
        receiver = venue.wallet(to).address if to else ""
        if venue.is_wallet(account):
            wallet = venue.wallet(account, key)
            taken = venue.act(wallet, VaultActionKind.WITHDRAW, CASH_ID, amount_micros, receiver)
            output.show({**taken, "to": receiver or wallet.address, "amount": dollars}, form)
            return
        body = {"reference": _reference(), "amount": dollars, "to": receiver or _linked_wallet(venue, account)}
        output.show(_taken(venue.signed(account, key, "/venue/withdrawals", body)), form)


def _linked_wallet(venue: VenueClient, account: str) -> str:
    found = venue.admin("GET", f"/accounts/{quote(account)}")["linked_wallet"]
    if not found:
        raise CommandError(f"{account} has no linked wallet: say --to ADDRESS", EXIT_USAGE)
    return str(found)


def _taken(answer: Json) -> Json:
    """Return a withdrawal under the id that `wait` and `trace` take."""
    return {"id": answer.pop("reference"), **answer}


def tokenize(
    account: Annotated[str, typer.Argument(help="A custodial account.")],
    ticker: Annotated[str, typer.Argument(help="The market.")],
    outcome: Annotated[Side, typer.Argument(help="Which token.")],
    count: Annotated[str, typer.Argument(metavar="COUNT", help="Contracts.")],
    wallet: WalletArgument,
    key: KeyOption = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Send a custodial position to a wallet as ERC-1155 tokens. Exit codes: 0 taken; 1 refused; 2 usage; 3 not running."""
    with reporting(form):
        venue = VenueClient(data_dir)
        body = {
            "reference": _reference(),
            "ticker": ticker,
            "outcome": outcome.value,
            "count": amount(count, "count of contracts"),
            "wallet": venue.wallet(wallet).address,
        }
        output.show(_taken(venue.signed(account, key, "/venue/tokenize", body)), form)


def take_back(
    wallet: WalletArgument,
    count: Annotated[str, typer.Argument(metavar="AMOUNT", help="Dollars, or contracts when a market is named.")],
    ticker: Annotated[str, typer.Argument(help="The market, for tokens.")] = "",
    outcome: Annotated[Side | None, typer.Argument(help="Which token.")] = None,
    key: KeyOption = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Send a wallet's dollars or tokens to the account that it is linked to, by signature alone: the venue pays the gas.

    Tokens in the vault go first, then those in the wallet itself. Exit codes: 0 taken; 1 refused; 2 wrong usage; 3 not running.
    """
    with reporting(form):
        venue = VenueClient(data_dir)
        amount_micros = micros(count)
        owner = venue.wallet(wallet, key)
        token, vault = CASH_ID, amount_micros
        if ticker:
            if outcome is None:
                raise CommandError(f"say which token of {ticker}: yes or no", EXIT_USAGE)
            token = venue.admin("GET", f"/markets/{quote(ticker)}")["token_ids"][outcome.value]
            vault = min(amount_micros, _vault_tokens(venue, owner, ticker).get(outcome.value, 0))
        parts = {
            "vault": (VaultActionKind.TAKE_BACK, vault),
            "wallet": (VaultActionKind.TAKE_BACK_FREE, amount_micros - vault),
        }
        actions = [
            {"from": place, "micros": part, **venue.act(owner, kind, token, part)}
            for place, (kind, part) in parts.items()
            if part
        ]
        output.show(
            {"wallet": owner.address, "asset": f"{ticker}:{outcome.name}" if outcome else "USD", "actions": actions}, form
        )


def redeem(
    wallet: WalletArgument,
    ticker: Annotated[str, typer.Argument(help="A market that is resolved on chain.")],
    key: KeyOption = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Cash a wallet's tokens of a resolved market in: those in the vault by a signed action, free ones directly on chain.

    Exit codes: 0 done or taken; 1 refused or nothing to redeem; 2 wrong usage; 3 the venue is not running.
    """
    with reporting(form):
        venue = VenueClient(data_dir)
        market = venue.admin("GET", f"/markets/{quote(ticker)}")
        if not market["resolved_on_chain"]:
            raise CommandError(f"{ticker} is {market['status']}: it can be redeemed when it is resolved on chain")
        owner = venue.wallet(wallet, key)
        actions = [
            {"outcome": side, "micros": held, **venue.act(owner, VaultActionKind.REDEEM, market["token_ids"][side], held)}
            for side, held in _vault_tokens(venue, owner, ticker).items()
            if _pays(market, side)
        ]
        direct = _redeem_free(venue, owner, market)
        if not actions and not direct:
            raise CommandError(f"{owner.address} holds no tokens of {ticker} that pay")
        output.show({"wallet": owner.address, "ticker": ticker, "actions": actions, **direct}, form)


def _pays(market: Json, side: str) -> bool:
    payout = int(market["yes_payout_micros"])
    return (payout if side == Side.YES else 1_000_000 - payout) > 0


def _vault_tokens(venue: VenueClient, wallet: Wallet, ticker: str) -> dict[str, int]:
    """Return outcome -> what the wallet has of it in the vault and can redeem."""
    try:
        balances = venue.admin("GET", f"/accounts/{wallet.address}")["balances"]
    except CommandError as error:
        if error.name == "UNKNOWN_ACCOUNT":
            return {}
        raise
    held = {side: balances.get(f"{ticker}:{side.name}", {}).get("available", 0) for side in Side}
    return {side.value: int(amount) for side, amount in held.items() if amount}


def _redeem_free(venue: VenueClient, wallet: Wallet, market: Json) -> Json:
    """Redeem free tokens by the wallet's own transaction; they are none of the venue's business."""
    from bridge.chain import Chain, Reverted

    status = venue.status
    chain = Chain(status["rpc"], status["chain_id"], _abi(status, "Venue"), status["contracts"]["venue"])
    held = sum(chain.read("balanceOf", [wallet.address, int(token)]) for token in market["token_ids"].values())
    if not held:
        return {}
    if not wallet.private_key:
        raise CommandError(f"{wallet.address} is no demo wallet: pass its key with --key FILE", EXIT_USAGE)

    def dollars() -> int:
        collateral = status["contracts"]["collateral"]
        return int(chain.read("balanceOf", [wallet.address], to=collateral, abi=_abi(status, "TestUSD")))

    before = dollars()
    calldata = chain.encode("redeem", [bytes.fromhex(market["condition_id"][2:])])
    try:
        sent = chain.transact(wallet.private_key, chain.address, calldata, gas=REDEEM_GAS)
    except Reverted as error:
        raise CommandError(f"the chain refuses: {error}") from None
    return {"transaction": sent.tx_hash, "redeemed_free_micros": int(held), "paid_free_micros": dollars() - before}


def _abi(status: Json, name: str) -> Any:
    return json.loads((Path(status["abi_dir"]) / f"{name}.json").read_text())
