"""Wallets made of code trade: their yes is recorded on chain before it counts, what they sign settles, and they leave."""

import contextlib
import dataclasses
import json
import secrets
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from websockets.sync.client import ClientConnection, connect

from bridge.cli_client import CommandError
from bridge.compiler import compile_contracts
from offchain_book import signatures
from offchain_book.engine.operations import Outcome, VaultAction, VaultActionKind
from offchain_book.gateways import siwe
from offchain_book.gateways.native_orders import OrderMessage, signed_order
from tests.contracts.stage import MOCK_CONTRACTS
from tests.system.books import Books
from tests.system.clients import Client, ClientError, eventually
from tests.system.conftest import ROOT, VenueProcess

pytestmark = pytest.mark.slow
DOLLAR = CONTRACT = 1_000_000


@pytest.fixture
def books(running: VenueProcess) -> Iterator[Books]:
    made = Books(running)
    yield made
    made.chain.close()


@dataclasses.dataclass
class CodeWallet:
    """A wallet made of code with money in the vault, and the key that signs for it."""

    books: Books
    kind: str
    key: bytes = dataclasses.field(default_factory=lambda: secrets.token_bytes(32))

    def __post_init__(self) -> None:
        artifact = compile_contracts(ROOT, ROOT / "var" / "cache", MOCK_CONTRACTS)[self.kind]
        self._abi, books = artifact.abi, self.books
        self.owner = signatures.recover(bytes(32), signatures.sign_digest(bytes(32), self.key)).lower()
        payer = books.client.wallet("dave").private_key
        books.send_collateral(payer, "faucet", self.owner, DOLLAR)
        books.chain.transact(payer, self.owner, b"", 10**18, gas=21_000)
        built = {"abi": artifact.abi, "bytecode": artifact.bytecode}
        self.address = books.chain.deploy(built, [self.owner], payer).lower()
        books.send_collateral(payer, "faucet", self.address, 50 * DOLLAR)
        self.call(books.collateral, books.chain.encode("approve", [books.venue, 50 * DOLLAR], books.abi("TestUSD")))
        self.call(books.venue, books.chain.encode("deposit", [50 * DOLLAR]))
        eventually(self._credited)

    def call(self, target: str, calldata: bytes) -> None:
        """Make the wallet call something."""
        data = self.books.chain.encode("call", [target, calldata], self._abi)
        self.books.chain.transact("0x" + self.key.hex(), self.address, data, gas=500_000)

    def _credited(self) -> bool:
        try:
            return self.books.cash(self.address) == 50 * DOLLAR
        except CommandError:
            return False

    def sign(self, digest: bytes, key: bytes | None = None) -> str:
        """Sign a digest as the wallet's key, or another."""
        return signatures.sign_digest(digest, key or self.key)

    def order(self, token: str, sell: int, buy: int, key: bytes | None = None) -> tuple[dict[str, Any], str]:
        """Return the body of a native order that a key signed for the wallet, and its id."""
        return order_of(self.books, self.address, key or self.key, token, sell, buy)

    def action(self, kind: VaultActionKind, token: str, amount: int, to: str = "", key: bytes | None = None) -> Any:
        """Hand in a vault action; returns the venue's answer."""
        books, deadline = self.books, venue_time_s(self.books) + 600
        nonce = books.client.ask("GET", f"/venue/nonces/{self.address}", headers={})["actions"][0]
        action = VaultAction(self.address, kind, token, amount, to or self.address, nonce, deadline, "")
        signature = self.sign(signatures.vault_action_digest(domain_of(books), action), key)
        body = {"wallet": self.address, "kind": int(kind), "id": token, "amount": str(amount), "to": action.to}
        body |= {"nonce": nonce, "deadline": deadline, "signature": signature}
        return books.client.ask("POST", "/venue/actions", body, {})


def domain_of(books: Books) -> signatures.Domain:
    return signatures.native_domain(books.status["chain_id"], books.venue)


def venue_time_s(books: Books) -> int:
    return int(books.client.ask("GET", "/venue/status", headers={})["venue_time_ms"]) // 1_000


def order_of(books: Books, wallet: str, key: bytes, token: str, sell: int, buy: int) -> tuple[dict[str, Any], str]:
    """Return the body of a native order that a key signed, and its id."""
    message = {
        "wallet": wallet,
        "tokenId": token,
        "side": 0,
        "sellAmount": str(sell),
        "buyAmount": str(buy),
        "nonce": books.client.ask("GET", f"/venue/nonces/{wallet}", headers={})["orders"][0],
        "feeCapBps": "700",
    }
    digest = signed_order(domain_of(books), msgspec.convert(message, OrderMessage), "").digest
    return {"order": message, "signature": signatures.sign_digest(bytes.fromhex(digest[2:]), key)}, digest


def dave_buys(books: Books, token: str, sell: int, buy: int) -> Any:
    """Let dave meet an order."""
    dave = books.client.wallet("dave")
    body, _ = order_of(books, dave.address, bytes.fromhex(dave.private_key[2:]), token, sell, buy)
    return books.client.ask("POST", "/venue/orders", body, {})


@contextlib.contextmanager
def user_stream(books: Books, client: Client) -> Iterator[ClientConnection]:
    """Connect to /ws/user with the credentials of Polymarket's client."""
    creds = client.create_or_derive_api_key()
    auth = {"apiKey": creds["api_key"], "secret": creds["api_secret"], "passphrase": creds["api_passphrase"]}
    with connect(books.status["ws"] + "/ws/user", open_timeout=60) as socket:
        for message in (json.dumps({"type": "user", "auth": auth, "markets": []}), "PING"):
            socket.send(message)
        assert socket.recv(timeout=60) == "PONG"
        yield socket


def told(stream: ClientConnection, event_type: str, kind: str = "") -> Any:
    """Return the next event of a type (and, of orders, of a kind)."""
    while True:
        event = json.loads(stream.recv(timeout=60))
        if event["event_type"] == event_type and kind in ("", event["type"]):
            return event


def test_a_contract_wallet_trades_withdraws_and_signs_in_by_its_signature(books: Books) -> None:
    market, wallet = books.new_market("KXTEST-1271"), CodeWallet(books, "ContractWallet")
    yes, no = market["token_ids"]["yes"], market["token_ids"]["no"]
    forged, digest = wallet.order(yes, 4 * DOLLAR, 10 * CONTRACT, b"\x33" * 32)
    with pytest.raises(CommandError) as refused:
        books.client.ask("POST", "/venue/orders", forged, {})
    assert refused.value.name == "BAD_SIGNATURE"
    assert not books.chain.read("orderApproved", [wallet.address, bytes.fromhex(digest[2:])])
    body, digest = wallet.order(yes, 4 * DOLLAR, 10 * CONTRACT)
    placed = books.client.ask("POST", "/venue/orders", body, {})
    assert (placed["status"], placed["account"]) == ("resting", wallet.address)
    assert books.chain.read("orderApproved", [wallet.address, bytes.fromhex(digest[2:])])
    assert dave_buys(books, no, 6 * DOLLAR, 10 * CONTRACT)["filled_micros"] == 10 * CONTRACT
    books.check()
    assert books.tokens(wallet.address, market["ticker"], Outcome.YES) == 10 * CONTRACT
    assert books.chain.read("vaultBalanceOf", [wallet.address, int(yes)]) == 10 * CONTRACT
    resting, order_id = wallet.order(yes, 1 * DOLLAR, 10 * CONTRACT)
    books.client.ask("POST", "/venue/orders", resting, {})
    deadline = venue_time_s(books) + 300
    cancel = wallet.sign(signatures.cancel_digest(domain_of(books), wallet.address, [order_id], deadline))
    signed = {"wallet": wallet.address, "deadline": deadline, "signature": cancel}
    gone = books.client.ask("DELETE", f"/venue/orders/{order_id}", signed, {})
    assert (gone["status"], gone["cancel_reason"]) == ("canceled", "by_user")

    with pytest.raises(CommandError) as refused:
        wallet.action(VaultActionKind.WITHDRAW, "0", 10 * DOLLAR, wallet.owner, key=b"\x33" * 32)
    assert refused.value.name == "BAD_SIGNATURE"
    condition = str(int(market["condition_id"], 16))
    wallet.action(VaultActionKind.SPLIT, condition, 3 * DOLLAR)
    wallet.action(VaultActionKind.WITHDRAW, "0", 10 * DOLLAR, wallet.owner)
    books.check()
    assert books.chain.read("balanceOf", [wallet.owner], to=books.collateral, abi=books.abi("TestUSD")) == 11 * DOLLAR
    assert books.chain.read("vaultBalanceOf", [wallet.address, int(no)]) == 3 * CONTRACT
    assert books.cash(wallet.address) == (50 - 4 - 3 - 10) * DOLLAR
    _signs_in(books, wallet)


def _signs_in(books: Books, wallet: CodeWallet) -> None:
    """Sign in: the contract is asked by ERC-1271."""
    message = books.client.ask("POST", "/venue/session/nonce", {"wallet": wallet.address}, {})["message"]
    digest = siwe.personal_digest(message)
    with pytest.raises(CommandError) as refused:
        books.client.ask("POST", "/venue/session", {"message": message, "signature": wallet.sign(digest, b"\x33" * 32)}, {})
    assert refused.value.name == "BAD_SIGNATURE"
    signed_in = books.client.ask("POST", "/venue/session", {"message": message, "signature": wallet.sign(digest)}, {})
    assert signed_in["wallet"] == wallet.address


def test_polymarkets_client_trades_for_a_contract_wallet_with_signature_type_3(books: Books) -> None:
    """Unmodified py-clob-client-v2: it signs by ERC-7739 for the wallet that its key controls, places, sees, cancels.

    With its credentials /ws/user tells of the same orders; with those of another key of none of them."""
    market, wallet = books.new_market("KXTEST-TYPE3"), CodeWallet(books, "DepositWallet")
    yes, no = market["token_ids"]["yes"], market["token_ids"]["no"]
    host, mine = books.status["http"], {"$": "BalanceAllowanceParams", "asset_type": "COLLATERAL"}
    with (
        Client("polymarket_1271", host, "0x" + wallet.key.hex(), wallet.address) as client,
        Client("polymarket_1271", host, "0x" + "33" * 32, wallet.address) as thief,
        user_stream(books, client) as stream,
        user_stream(books, thief) as other,
    ):
        with pytest.raises(ClientError) as refused:
            thief.order(token_id=yes, price=0.40, size=10, side="BUY")
        assert "INVALID_SIGNATURE" in str(refused.value.body)
        placed = client.order(token_id=yes, price=0.40, size=10, side="BUY")
        assert placed["status"] == "live"
        order = told(stream, "order")
        assert (order["id"], order["type"], order["maker_address"]) == (placed["orderID"], "PLACEMENT", wallet.address)
        (shown,) = client.get_open_orders()
        assert (shown["id"], shown["maker_address"]) == (placed["orderID"], wallet.address)
        assert thief.get_open_orders() == []
        assert client.get_balance_allowance(mine)["balance"] == str(46 * DOLLAR)
        dave_buys(books, no, 6 * DOLLAR, 10 * CONTRACT)
        books.check()
        (trade,) = client.get_trades()
        assert (trade["status"], trade["maker_orders"][0]["maker_address"]) == ("CONFIRMED", wallet.address)
        assert int(trade["transaction_hash"], 16)
        followed = [told(stream, "trade")]
        while followed[-1]["status"] != "CONFIRMED":
            followed.append(told(stream, "trade"))
        assert {one["id"] for one in followed} == {trade["id"]}
        assert followed[0]["status"] == "MATCHED"
        assert followed[-1]["transaction_hash"] == trade["transaction_hash"]
        ids = [client.order(token_id=yes, price=price, size=10, side="BUY")["orderID"] for price in (0.10, 0.11)]
        assert thief.cancel_orders(ids)["canceled"] == []
        assert client.cancel_orders(ids[:1])["canceled"] == ids[:1]
        assert client.cancel_all()["canceled"] == ids[1:]
        assert client.get_open_orders() == []
        gone = [told(stream, "order", "CANCELLATION")["id"] for _ in ids]
        assert gone == ids
        other.send("PING")
        assert other.recv(timeout=60) == "PONG", "what was told before would have come first"
    assert books.chain.read("vaultBalanceOf", [wallet.address, int(yes)]) == 10 * CONTRACT
