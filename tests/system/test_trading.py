"""Every kind of match and of order, through the official clients, down to the chain."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from bridge.chain import address_of
from offchain_book.engine.operations import Outcome, VaultActionKind
from tests.system.books import Books
from tests.system.clients import Client, ClientError, eventually, polymarket
from tests.system.conftest import VenueProcess

pytestmark = pytest.mark.slow
GTC = {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}


@pytest.fixture(scope="module")
def books(running: VenueProcess) -> Iterator[Books]:
    found = Books(running)
    yield found
    found.chain.close()


@pytest.fixture(scope="module")
def market(books: Books) -> dict[str, Any]:
    return books.new_market("KXTEST-KINDS")


def test_every_kind_of_match_settles_and_is_traced(
    books: Books, market: dict[str, Any], alice: Client, bob: Client, dave: Client, erin: Client
) -> None:
    """(ledger's kind, chain's kind) of wallet with wallet, and of wallet with the pool."""
    ticker, yes, no = market["ticker"], market["token_ids"]["yes"], market["token_ids"]["no"]
    expected: dict[str, tuple[str, str]] = {}

    def wallet(client: Client, token: str, price: float, size: int, side: str, kinds: tuple[str, str] | None = None) -> None:
        answer = client.order(token_id=token, price=price, size=size, side=side)
        assert answer["status"] == ("matched" if kinds else "live"), answer
        if kinds:
            expected[answer["orderID"]] = kinds

    def custodial(client: Client, side: str, price: str, count: str) -> None:
        client.create_order_v2(ticker=ticker, side=side, count=count, price=price, **GTC)

    wallet(dave, yes, 0.60, 10, "BUY")
    wallet(erin, no, 0.40, 10, "BUY", ("MINT", "MINT"))
    wallet(dave, yes, 0.50, 4, "SELL")
    wallet(erin, yes, 0.50, 4, "BUY", ("COMPLEMENTARY", "COMPLEMENTARY"))
    wallet(erin, no, 0.50, 5, "SELL")
    wallet(dave, yes, 0.50, 5, "SELL", ("MERGE", "MERGE"))
    custodial(alice, "bid", "0.6000", "3.00")
    wallet(dave, no, 0.40, 3, "BUY", ("MINT", "MINT"))
    custodial(bob, "ask", "0.6000", "2.00")
    wallet(dave, yes, 0.60, 2, "BUY", ("MINT", "COMPLEMENTARY"))
    custodial(alice, "ask", "0.6000", "1.00")
    wallet(dave, no, 0.40, 1, "SELL", ("MERGE", "MERGE"))

    state = books.check()
    for order_id, kinds in expected.items():
        traced = books.client.trace(order_id)
        assert traced is not None
        (fill,) = traced["fills"]
        assert ([piece["kind"] for piece in fill["ledger_kinds"]], fill["chain_kind"]) == ([kinds[0]], kinds[1])
        assert fill["stage"] == "CONFIRMED"
        assert [one["hash"] for one in traced["transactions"]] == [fill["transaction"]]
        assert [one["kind"] for one in traced["operations"]] == [kinds[1]]
        assert [command["kind"] for command in traced["commands"]] == ["PlaceOrder", "PlaceOrder"]
        assert sum(line["micros"] for one in traced["postings"] for line in one["lines"] if line["asset"] == "USD") == 0
        by_hash = books.client.trace(fill["transaction"])
        assert by_hash is not None
        assert fill["trade_id"] in [one["trade_id"] for one in by_hash["fills"]]
    assert state.markets[ticker].unsplit_micros != 0, "the ledger's kinds and the chain's differ by u"


def test_order_types_of_the_kalshi_client(books: Books, alice: Client, bob: Client) -> None:
    ticker = books.new_market("KXTEST-KALSHI")["ticker"]
    alice.create_order_v2(ticker=ticker, side="ask", count="5.00", price="0.4000", **GTC)
    base = {"ticker": ticker, "side": "bid", "price": "0.4000", "self_trade_prevention_type": "taker_at_cross"}
    with pytest.raises(ClientError) as refused:
        bob.create_order_v2(**base, count="6.00", time_in_force="fill_or_kill")
    assert refused.value.status in (400, 409)
    with pytest.raises(ClientError) as refused:
        bob.create_order_v2(**base, count="1.00", time_in_force="good_till_canceled", post_only=True)
    assert "post only" in str(refused.value.body)
    assert bob.create_order_v2(**base, count="2.00", time_in_force="fill_or_kill")["fill_count"] == "2.00"
    market_order = {**base, "price": "0.9900", "count": "10.00", "time_in_force": "immediate_or_cancel"}
    taken = bob.create_order_v2(**market_order)
    assert (taken["fill_count"], taken["remaining_count"]) == ("3.00", "0.00")
    assert bob.get_order(taken["order_id"])["order"]["status"] in ("canceled", "executed")
    resting = bob.create_order_v2(**base, count="1.00", time_in_force="good_till_canceled", post_only=True)
    assert resting["remaining_count"] == "1.00"


def test_order_types_of_the_polymarket_client(books: Books, alice: Client, dave: Client) -> None:
    market = books.new_market("KXTEST-POLY")
    ticker, yes = market["ticker"], market["token_ids"]["yes"]
    alice.create_order_v2(ticker=ticker, side="ask", count="10.00", price="0.4000", **GTC)
    with pytest.raises(ClientError):
        dave.order(token_id=yes, price=0.40, size=11, side="BUY", order_type="FOK")
    with pytest.raises(ClientError):
        dave.order(token_id=yes, price=0.40, size=5, side="BUY", post_only=True)
    dave.order(token_id=yes, price=0.40, size=5, side="BUY", order_type="FOK")
    bought = dave.market_order(token_id=yes, amount=1, side="BUY", order_type="FOK")
    assert (bought["status"], bought["takingAmount"], bought["makingAmount"]) == ("matched", "2.5", "1")
    partly = dave.order(token_id=yes, price=0.40, size=5, side="BUY", order_type="FAK")
    assert (partly["status"], partly["takingAmount"]) == ("matched", "2.5")
    alice.create_order_v2(ticker=ticker, side="bid", count="4.00", price="0.3000", **GTC)
    sold = dave.market_order(token_id=yes, amount=4, side="SELL", order_type="FAK")
    assert (sold["status"], sold["takingAmount"]) == ("matched", "1.2")
    assert dave.order(token_id=yes, price=0.20, size=5, side="BUY", post_only=True)["status"] == "live"
    books.check()


def test_order_of_the_older_polymarket_client_settles(books: Books, venue: dict[str, Any], alice: Client) -> None:
    market = books.new_market("KXTEST-OLDER")
    no = market["token_ids"]["no"]
    alice.create_order_v2(ticker=market["ticker"], side="bid", count="7.00", price="0.6000", **GTC)
    with polymarket(venue, "erin", "polymarket_v1") as erin:
        answer = erin.order(token_id=no, price=0.40, size=7, side="BUY")
    assert answer["status"] == "matched"
    books.check()
    traced = books.client.trace(answer["orderID"])
    assert traced is not None
    assert "polymarket_v1" in [order["signed_under"] for order in traced["orders"]]
    assert [fill["stage"] for fill in traced["fills"]] == ["CONFIRMED"]
    erin_address = venue["accounts"]["wallets"]["erin"]["address"]
    assert books.chain.vault_balance_of(erin_address, no) == 7_000_000
    assert books.tokens("alice", market["ticker"], Outcome.YES) == 7_000_000


def test_vault_actions_and_free_tokens(books: Books, erin: Client, dave: Client) -> None:
    """Everything a wallet may sign for its vault, and what it does with its free half by itself."""
    market = books.new_market("KXTEST-VAULT")
    wallet = books.client.wallet("erin")
    condition, (yes, no) = str(int(market["condition_id"], 16)), market["token_ids"].values()

    def balances() -> list[int]:
        vault = [books.chain.vault_balance_of(wallet.address, token) for token in (yes, no)]
        return [amount // 1_000_000 for amount in (*vault, books.free(wallet.address, yes), books.free(wallet.address, no))]

    books.client.act(wallet, VaultActionKind.SPLIT, condition, 5_000_000)
    books.check()
    assert balances() == [5, 5, 0, 0]
    books.client.act(wallet, VaultActionKind.MERGE, condition, 2_000_000)
    books.client.act(wallet, VaultActionKind.WITHDRAW, yes, 1_000_000)
    books.client.act(wallet, VaultActionKind.SET_DELIVERY, "0", 1)
    books.check()
    assert balances() == [2, 3, 1, 0]

    dave.order(token_id=yes, price=0.50, size=6, side="BUY")
    assert erin.order(token_id=no, price=0.50, size=6, side="BUY")["status"] == "matched"
    books.client.act(wallet, VaultActionKind.SET_DELIVERY, "0", 0)
    books.check()
    assert balances() == [2, 3, 1, 6], "bought tokens arrive free when the wallet says so"

    key = wallet.private_key
    books.send(key, "depositTokens", int(no), 6_000_000)
    eventually(lambda: books.tokens(wallet.address, market["ticker"], Outcome.NO) == 9_000_000)
    books.send_collateral(key, "approve", books.venue, 4_000_000)
    books.send(key, "split", bytes.fromhex(market["condition_id"][2:]), 4_000_000)
    assert balances() == [2, 9, 5, 4]
    books.send(key, "merge", bytes.fromhex(market["condition_id"][2:]), 4_000_000)
    books.check()
    assert balances() == [2, 9, 1, 0]


def test_deposit_by_permit_is_credited(books: Books) -> None:
    """A wallet that has never approved anything deposits with one signature and one transaction."""
    key = "0x" + secrets.token_hex(32)
    wallet = address_of(key)
    books.client.admin("POST", "/faucet", {"wallet": wallet, "amount": "50"})
    deadline, amount = int(time.time()) + 86_400 * 3_650, 30_000_000
    fields = {"owner": "address", "spender": "address", "value": "uint256", "nonce": "uint256", "deadline": "uint256"}
    permit = encode_typed_data(
        {
            "name": "Causeway Test USD",
            "version": "1",
            "chainId": books.status["chain_id"],
            "verifyingContract": books.collateral,
        },
        {"Permit": [{"name": name, "type": kind} for name, kind in fields.items()]},
        {"owner": wallet, "spender": books.venue, "value": amount, "nonce": 0, "deadline": deadline},
    )
    signed = Account.sign_message(permit, key)
    r, s = (number.to_bytes(32, "big") for number in (signed.r, signed.s))
    books.send(key, "depositWithPermit", amount, deadline, signed.v, r, s)
    eventually(lambda: wallet in books.state().accounts)
    assert books.cash(wallet) == amount
    assert books.dollars(wallet) == 20_000_000
    books.check()
