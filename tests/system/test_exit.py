"""Leaving with everything while every process of the venue is off: one RPC URL and the wallet's key."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.system.books import Books
from tests.system.clients import eventually, kalshi, polymarket
from tests.system.conftest import CAUSEWAY, ROOT, VenueProcess, causeway, processes_of

pytestmark = pytest.mark.slow
TERMS = ("--settle-deadline", "6", "--exit-delay", "12", "--confirmations", "1")
TICKER = "KXDEMO-26-RAIN"
GTC = {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}


def start_exit(status: dict[str, Any], name: str, folder: Path) -> "subprocess.Popen[str]":
    """Start `causeway exit` for a demo wallet, with nothing of the data folder at hand."""
    key = folder / f"{name}.key"
    key.write_text(status["accounts"]["wallets"][name]["private_key"])
    where = ["--rpc", status["rpc"], "--contract", status["contracts"]["venue"], "--key-file", str(key)]
    command = [str(CAUSEWAY), "exit", *where, "--data-dir", str(folder / "nowhere"), "-o", "json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def finished(process: "subprocess.Popen[str]") -> tuple[dict[str, Any], str]:
    out, told = process.communicate(timeout=200)
    assert process.returncode == 0, out + told
    return json.loads(out), told


def test_wallets_leave_with_everything_while_the_venue_is_off(own_venue: VenueProcess, tmp_path: Path) -> None:
    own_venue.start(*TERMS)
    books = Books(own_venue)
    status = books.status
    no = status["markets"][TICKER]["token_ids"]["no"]
    dave, erin = (status["accounts"]["wallets"][name]["address"] for name in ("dave", "erin"))
    with kalshi(status, "alice") as alice, polymarket(status, "dave") as client:
        alice.create_order_v2(ticker=TICKER, side="bid", count="10.00", price="0.6000", **GTC)
        assert client.order(token_id=no, price=0.40, size=10, side="BUY")["status"] == "matched"
        client.order(token_id=no, price=0.10, size=100, side="BUY")
    books.check()
    cash = {wallet: books.chain.cash_of(wallet) for wallet in (dave, erin)}
    before = {wallet: books.dollars(wallet) for wallet in (dave, erin)}

    own_venue.kill(with_chain=False)
    command = [str(CAUSEWAY), "chain", "--data-dir", str(own_venue.data_dir), "--chain-port", str(own_venue.chain_port)]
    node = subprocess.Popen([*command, "-o", "json"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert node.stdout is not None
        assert json.loads(node.stdout.readline())["rpc"] == status["rpc"]
        leaving = [start_exit(status, name, tmp_path) for name in ("dave", "erin")]
        (daves, told), (erins, _) = [finished(process) for process in leaving]
        assert "waiting for the exit delay" in told
        assert (daves["cash_micros"], erins["cash_micros"]) == (cash[dave], cash[erin])
        assert daves["tokens"] == [{"id": no, "micros": 10_000_000}]
        assert daves["finished"] is erins["finished"] is True
        for wallet in (dave, erin):
            assert books.dollars(wallet) == before[wallet] + cash[wallet]
            assert (books.chain.cash_of(wallet), books.chain.exit_at(wallet)) == (0, 0)
        assert books.free(dave, no) == 10_000_000
        assert books.chain.vault_balance_of(dave, no) == 0
        again, _ = finished(start_exit(status, "dave", tmp_path))
        assert (again["finished"], again["cash_micros"], again["transactions"]) == (True, 0, [])
    finally:
        node.send_signal(signal.SIGINT)
        assert node.wait(120) == 0
        node.stdout.close()
    assert processes_of(own_venue.data_dir) == []

    # The venue comes back and its ledger follows what the chain shows.
    own_venue.start()
    books.chain.close()
    books = Books(own_venue)
    eventually(lambda: books.cash(dave) == books.cash(erin) == 0)
    state = books.check()
    assert not state.accounts[dave].open_orders
    books.chain.close()
    assert own_venue.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--rpc", "http://127.0.0.1:1", "--contract", "0x" + "11" * 20], 1, "no chain answers"),
        (["--rpc", "RPC", "--contract", "0x" + "11" * 20], 1, "there is no contract"),
        (["--rpc", "RPC", "--contract", "nonsense"], 2, "not an address"),
    ],
)
def test_exit_says_what_is_wrong(venue: dict[str, Any], tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    key = tmp_path / "key"
    key.write_text("0x" + "22" * 32)
    given = [venue["rpc"] if one == "RPC" else one for one in arguments]
    done = causeway("exit", *given, "--key-file", str(key))
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr


def test_exit_needs_a_key(venue: dict[str, Any], tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("not a key")
    done = causeway("exit", "--rpc", venue["rpc"], "--contract", venue["contracts"]["venue"], "--key-file", str(key))
    assert done.returncode == 2
    assert "64 hexadecimal digits" in done.stderr
