"""Tokenize and come back by signature alone: a linked wallet without any ETH, on a real chain."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.chain import address_of
from offchain_book.client import Client, Refused
from offchain_book.engine.operations import Outcome
from tests.system.books import Books
from tests.system.clients import Client as Sdk
from tests.system.clients import eventually
from tests.system.conftest import VenueProcess
from tests.system.test_round_trip import GTC, run

pytestmark = pytest.mark.slow
CONTRACT = DOLLAR = 1_000_000


def final(books: Books, taken: dict[str, list[dict[str, str]]]) -> list[str]:
    """Wait for what `take-back` handed in; return where it came from."""
    for action in taken["actions"]:
        assert set(run(books, "wait", action["id"], "--final")["stages"]) == {"CONFIRMED"}
    return [action["from"] for action in taken["actions"]]


@pytest.fixture
def books(running: VenueProcess) -> Iterator[Books]:
    found = Books(running)
    yield found
    found.chain.close()


def test_tokens_and_cash_come_back_by_signature_and_the_wallet_sends_nothing(books: Books, tmp_path: Path) -> None:
    key, pem, wallet_file = "0x" + secrets.token_hex(32), tmp_path / "fritz.pem", tmp_path / "wallet.key"
    private, wallet = Ed25519PrivateKey.generate(), address_of(key)
    wallet_file.write_text(key)
    form = serialization.PrivateFormat.PKCS8
    pem.write_bytes(private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    public = tmp_path / "fritz.pub"
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(private.public_key().public_bytes(serialization.Encoding.PEM, spki))
    made = run(books, "account", "create", "fritz", "--public-key", str(public))
    run(books, "deposit", "fritz", "20", "--wait")
    books.fund(key, dollars=10)
    mine = Client(books.status["http"], key)

    with pytest.raises(Refused) as refused:
        mine.take_back("0", DOLLAR)
    assert (refused.value.code, refused.value.status) == ("NOT_LINKED", 409)
    run(books, "link", "fritz", wallet, "--key", str(pem), "--wallet-key", str(wallet_file))

    # Four of ten contracts go out as tokens; one and a half come back out of the wallet itself.
    market = books.new_market("KXTEST-BACK")
    ticker, yes, no = market["ticker"], market["token_ids"]["yes"], market["token_ids"]["no"]
    dave = Client(books.status["http"], books.status["accounts"]["wallets"]["dave"]["private_key"])
    with Sdk("kalshi", books.status["http"], made["key_id"], str(pem)) as fritz:
        fritz.create_order_v2(ticker=ticker, side="bid", count="10.00", price="0.5000", **GTC)
    assert dave.place(no, "buy", 5_000, 10 * CONTRACT, fee_cap_bps=700)["status"] == "executed"
    run(books, "flush")
    sent = run(books, "tokenize", "fritz", ticker, "yes", "4", wallet, "--key", str(pem))
    run(books, "wait", sent["id"], "--final")
    back = run(books, "take-back", wallet, "1.5", ticker, "yes", "--key", str(wallet_file))
    assert final(books, back) == ["wallet"]
    assert books.free(wallet, yes) == 2_500_000
    assert books.tokens("fritz", ticker, Outcome.YES) == 7_500_000
    books.check()

    # What it buys is in the vault: three come back and meet three of the other outcome, and so does cash.
    dave.place(yes, "buy", 5_000, 5 * CONTRACT, fee_cap_bps=700)
    assert mine.place(no, "buy", 5_000, 5 * CONTRACT, fee_cap_bps=700)["status"] == "executed"
    run(books, "flush")
    cash = books.cash("fritz")
    back = run(books, "take-back", wallet, "3", ticker, "no", "--key", str(wallet_file))
    assert final(books, back) == ["vault"]
    assert final(books, run(books, "take-back", wallet, "2", "--key", str(wallet_file))) == ["vault"]
    assert books.cash("fritz") == cash + 3 * DOLLAR + 2 * DOLLAR
    assert books.tokens("fritz", ticker, Outcome.YES) == 4_500_000
    assert (books.cash(wallet), books.tokens(wallet, ticker, Outcome.NO)) == (5_500_000, 2 * CONTRACT)
    traced = run(books, "trace", back["actions"][0]["id"])
    assert {line["account"] for row in traced["postings"] for line in row["lines"]} >= {wallet, "fritz"}
    books.check()

    # What is not there any more is skipped, and credits nothing.
    lost = mine.take_back(yes, 100 * CONTRACT, free=True)
    run(books, "flush")
    eventually(lambda: lost["operation"] not in books.state().operations)
    assert books.tokens("fritz", ticker, Outcome.YES) == 4_500_000
    assert books.free(wallet, yes) == 2_500_000
    books.check()
    assert books.chain.nonce(wallet) == 0, "it has sent nothing"
    assert books.chain.native_balance(wallet) == 0, "and could not have"
