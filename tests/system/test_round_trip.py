"""One dollar's whole way, with the sum checked in ledger and chain at every step; a scalar market and a delivery."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.chain import address_of
from bridge.indexer import account_reference
from offchain_book.engine.operations import Outcome
from tests.system.books import Books
from tests.system.clients import Client, eventually
from tests.system.conftest import VenueProcess, causeway

pytestmark = pytest.mark.slow
DOLLAR = CONTRACT = 1_000_000
GTC = {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}
TRIP, LEVEL = "KXTRIP-1-ARRIVES", "KXTRIP-1-LEVEL"
MARKET_FILE = f"""
[series]
ticker = "KXTRIP"
title = "Travels of a dollar"

[event]
ticker = "KXTRIP-1"
title = "Does the dollar arrive?"

[[markets]]
ticker = "{TRIP}"
title = "Does it arrive?"
rules = "If it does, Yes."
close = 2035-01-01T00:00:00Z

[[markets]]
ticker = "{LEVEL}"
title = "How much of it?"
rules = "Yes pays what arrives."
type = "scalar"
price_structure = "tapered_deci_cent"
close = 2035-01-01T00:00:00Z
"""


@pytest.fixture(scope="module")
def books(running: VenueProcess) -> Iterator[Books]:
    found = Books(running)
    yield found
    found.chain.close()


@pytest.fixture(scope="module")
def markets(books: Books, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two markets, made by the command from a file."""
    file = tmp_path_factory.mktemp("market") / "market.toml"
    file.write_text(MARKET_FILE)
    made = run(books, "market", "create", "--file", str(file))
    return {market["ticker"]: market for market in made["markets"]}


def run(books: Books, *args: str) -> Any:
    """Run a verb that must succeed."""
    done = causeway(*args, "-o", "json", "--data-dir", str(books.running.data_dir))
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def position(client: Client, ticker: str) -> str:
    rows = client.get_positions(ticker=ticker)["market_positions"]
    return str(rows[0]["position_fp"]) if rows else "0.00"


def test_a_dollar_goes_all_the_way_round(
    books: Books, markets: dict[str, Any], alice: Client, dave: Client, venue: dict[str, Any]
) -> None:
    yes, no = (markets[TRIP]["token_ids"][side] for side in ("yes", "no"))
    wallets = venue["accounts"]["wallets"]
    erin, frank = wallets["erin"], wallets["frank"]
    books.check()

    # Deposit: real dollars into the pool.
    cash = books.cash("alice")
    assert run(books, "deposit", "alice", "6.00", "--wait")["credited"] is True
    assert books.cash("alice") == cash + 6 * DOLLAR
    books.check()

    # Trade: a Kalshi bid and a Polymarket buy of NO make ten sets.
    bid = alice.create_order_v2(ticker=TRIP, side="bid", count="10.00", price="0.6000", **GTC)
    answer = dave.order(token_id=no, price=0.40, size=10, side="BUY")
    assert answer["status"] == "matched"
    (fill,) = alice.get_fills(order_id=bid["order_id"])["fills"]
    waited = run(books, "wait", fill["trade_id"], "--final")
    assert set(waited["stages"]) == {"CONFIRMED"}
    assert books.cash("alice") == cash
    books.check()
    assert books.market(TRIP)["pool_micros"] == {"yes": 10 * CONTRACT, "no": 0}

    # Tokenize: four contracts leave as ERC-1155 tokens.
    sent = run(books, "tokenize", "alice", TRIP, "yes", "4", "frank")
    assert set(run(books, "wait", sent["id"], "--final")["stages"]) == {"CONFIRMED"}
    assert books.free(frank["address"], yes) == 4 * CONTRACT
    assert position(alice, TRIP) == "6.00"
    books.check()

    # Transfer: they are anybody's tokens now.
    books.send(frank["private_key"], "safeTransferFrom", frank["address"], erin["address"], int(yes), 4 * CONTRACT, b"")
    assert books.free(erin["address"], yes) == 4 * CONTRACT
    books.check()

    # Take-back: three of them come home with alice's reference.
    reference = bytes.fromhex(account_reference("alice")[2:])
    books.send(erin["private_key"], "depositTokensFor", reference, int(yes), 3 * CONTRACT)
    eventually(lambda: position(alice, TRIP) == "9.00")
    assert books.free(erin["address"], yes) == 1 * CONTRACT
    books.check()

    # The wallet buys out of the pool's inventory, and so holds winners and losers.
    alice.create_order_v2(ticker=TRIP, side="ask", count="2.00", price="0.7000", **GTC)
    assert dave.order(token_id=yes, price=0.70, size=2, side="BUY")["status"] == "matched"
    cash = books.cash("alice")
    state = books.check()
    assert state.markets[TRIP].pool_yes_micros == 7 * CONTRACT

    # Resolution: decided in the book, then once on chain, and custodial winners are paid in the ledger.
    resting = alice.create_order_v2(ticker=TRIP, side="bid", count="1.00", price="0.0500", **GTC)
    assert run(books, "market", "resolve", TRIP, "yes", "--wait")["resolved_on_chain"] is True
    assert alice.get_order(resting["order_id"])["order"]["status"] == "canceled"
    assert books.cash("alice") == cash + 7 * DOLLAR
    books.check()
    _seen_as_resolved(alice, dave, TRIP, markets[TRIP])

    # Redemption: dave's two by a signed action, erin's one directly on chain.
    before = books.cash(wallets["dave"]["address"])
    (taken,) = run(books, "redeem", "dave", TRIP)["actions"]
    assert set(run(books, "wait", taken["id"], "--final")["stages"]) == {"CONFIRMED"}
    assert books.cash(wallets["dave"]["address"]) == before + 2 * DOLLAR
    assert run(books, "redeem", "erin", TRIP)["paid_free_micros"] == 1 * DOLLAR
    books.check()

    # Withdrawal: both custodies.
    franks, daves = books.dollars(frank["address"]), books.dollars(wallets["dave"]["address"])
    out = run(books, "withdraw", "alice", "7.00", "--to", "frank")
    own = run(books, "withdraw", "dave", "2")
    for taken in (out, own):
        assert set(run(books, "wait", taken["id"], "--final")["stages"]) == {"CONFIRMED"}
    assert books.dollars(frank["address"]) == franks + 7 * DOLLAR
    assert books.dollars(wallets["dave"]["address"]) == daves + 2 * DOLLAR
    state = books.check()
    assert state.markets[TRIP].custodial_yes_micros == 0
    assert books.chain.read("conditionOf", [bytes.fromhex(markets[TRIP]["condition_id"][2:])])[1] == 0


def _seen_as_resolved(alice: Client, dave: Client, ticker: str, market: dict[str, Any]) -> None:
    """Both dialects say how it ended."""
    seen = alice.get_market(ticker)["market"]
    assert (seen["status"], seen["result"]) == ("finalized", "yes")
    (settled,) = [row for row in alice.get_settlements()["settlements"] if row["ticker"] == ticker]
    assert (settled["market_result"], settled["revenue"]) == ("yes", 700)
    other = dave.get_market(market["condition_id"])
    assert other["closed"] is True
    assert {token["outcome"]: token["winner"] for token in other["tokens"]} == {"Yes": True, "No": False}


def test_scalar_market_pays_both_sides_in_part(
    books: Books, markets: dict[str, Any], alice: Client, dave: Client, venue: dict[str, Any]
) -> None:
    wallet = venue["accounts"]["wallets"]["dave"]["address"]
    alice.create_order_v2(ticker=LEVEL, side="bid", count="3.33", price="0.5000", **GTC)
    assert dave.order(token_id=markets[LEVEL]["token_ids"]["no"], price=0.50, size=3.33, side="BUY")["status"] == "matched"
    cash, wallets_cash = books.cash("alice"), books.cash(wallet)
    assert run(books, "market", "resolve", LEVEL, "0.1234", "--wait")["yes_payout_micros"] == 123_400
    assert books.cash("alice") == cash + 333 * 1_234
    books.check()
    run(books, "redeem", "dave", LEVEL)
    state = books.check()
    assert books.cash(wallet) == wallets_cash + 333 * 8_766
    assert state.markets[LEVEL].resolution_source == "operator"
    (settled,) = [row for row in alice.get_settlements()["settlements"] if row["ticker"] == LEVEL]
    assert settled["market_result"] == "scalar"


def test_fills_of_a_linked_account_are_delivered(books: Books, venue: dict[str, Any], tmp_path: Path, alice: Client) -> None:
    """An account with an Ed25519 key links a wallet of its own; what it buys arrives there as free tokens."""
    private = Ed25519PrivateKey.generate()
    pem, public, wallet_file = tmp_path / "ed.pem", tmp_path / "ed.pub", tmp_path / "wallet.key"
    pem.write_bytes(
        private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    wallet_key = "0x" + secrets.token_hex(32)
    wallet_file.write_text(wallet_key)
    wallet = address_of(wallet_key)
    made = run(books, "account", "create", "edith", "--public-key", str(public))
    run(books, "deposit", "edith", "20", "--wait")
    linked = run(books, "link", "edith", wallet, "--deliver", "--key", str(pem), "--wallet-key", str(wallet_file))
    assert linked == {"account": "edith", "wallet": wallet, "deliver": True}

    market = books.new_market("KXTEST-EDITH")
    ticker, yes = market["ticker"], market["token_ids"]["yes"]
    alice.create_order_v2(ticker=ticker, side="ask", count="5.00", price="0.5000", **GTC)
    with Client("kalshi", venue["http"], made["key_id"], str(pem)) as edith:
        taken = edith.create_order_v2(ticker=ticker, side="bid", count="5.00", price="0.5000", **GTC)
        assert taken["fill_count"] == "5.00"
    state = books.check()
    assert books.free(wallet, yes) == 5 * CONTRACT
    assert books.tokens("edith", ticker, Outcome.YES) == 0
    assert state.accounts["edith"].cash.total == 20 * DOLLAR - 250 * 10_000
    out = run(books, "withdraw", "edith", "17.5", "--key", str(pem))
    assert out["to"] == wallet, "the linked wallet is where a withdrawal goes by default"
    books.check()
    assert books.dollars(wallet) == 17_500_000
