"""A wallet made of code trades: its yes is recorded on chain before its order may match, and its fill settles."""

import secrets
from typing import Any

import msgspec
import pytest

from bridge.cli_client import CommandError
from bridge.compiler import compile_contracts
from offchain_book import signatures
from offchain_book.engine.operations import Outcome
from offchain_book.gateways.native_orders import OrderMessage, signed_order
from tests.contracts.stage import MOCK_CONTRACTS
from tests.system.books import Books
from tests.system.clients import eventually
from tests.system.conftest import ROOT, VenueProcess

pytestmark = pytest.mark.slow
DOLLAR = CONTRACT = 1_000_000


def order_of(books: Books, wallet: str, key: bytes, token: str, sell: int, buy: int) -> tuple[dict[str, Any], str]:
    """Return the body of a native order that a key signed, and its id."""
    domain = signatures.native_domain(books.status["chain_id"], books.venue)
    message = {
        "wallet": wallet,
        "tokenId": token,
        "side": 0,
        "sellAmount": str(sell),
        "buyAmount": str(buy),
        "nonce": books.client.ask("GET", f"/venue/nonces/{wallet}", headers={})["orders"][0],
        "feeCapBps": "700",
    }
    digest = signed_order(domain, msgspec.convert(message, OrderMessage), "").digest
    return {"order": message, "signature": signatures.sign_digest(bytes.fromhex(digest[2:]), key)}, digest


def test_a_contract_wallet_trades_after_its_yes_is_on_chain(running: VenueProcess) -> None:
    books = Books(running)
    try:
        market, dave = books.new_market("KXTEST-1271"), books.client.wallet("dave")
        key = secrets.token_bytes(32)
        owner = signatures.recover(bytes(32), signatures.sign_digest(bytes(32), key)).lower()
        artifact = compile_contracts(ROOT, ROOT / "var" / "cache", MOCK_CONTRACTS)["ContractWallet"]
        built = {"abi": artifact.abi, "bytecode": artifact.bytecode}
        wallet = books.chain.deploy(built, [owner], dave.private_key).lower()

        def call(target: str, calldata: bytes) -> None:
            data = books.chain.encode("call", [target, calldata], artifact.abi)
            books.chain.transact(dave.private_key, wallet, data, gas=500_000)

        books.send_collateral(dave.private_key, "faucet", wallet, 50 * DOLLAR)
        call(books.collateral, books.chain.encode("approve", [books.venue, 50 * DOLLAR], books.abi("TestUSD")))
        call(books.venue, books.chain.encode("deposit", [50 * DOLLAR]))

        def credited() -> bool:
            try:
                return books.cash(wallet) == 50 * DOLLAR
            except CommandError:
                return False

        eventually(credited)
        yes, no = market["token_ids"]["yes"], market["token_ids"]["no"]
        forged, digest = order_of(books, wallet, b"\x33" * 32, yes, 4 * DOLLAR, 10 * CONTRACT)
        with pytest.raises(CommandError) as refused:
            books.client.ask("POST", "/venue/orders", forged, {})
        assert refused.value.name == "BAD_SIGNATURE"
        assert not books.chain.read("orderApproved", [wallet, bytes.fromhex(digest[2:])])
        body, digest = order_of(books, wallet, key, yes, 4 * DOLLAR, 10 * CONTRACT)
        placed = books.client.ask("POST", "/venue/orders", body, {})
        assert (placed["status"], placed["account"]) == ("resting", wallet)
        assert books.chain.read("orderApproved", [wallet, bytes.fromhex(digest[2:])])
        other, _ = order_of(books, dave.address, bytes.fromhex(dave.private_key[2:]), no, 6 * DOLLAR, 10 * CONTRACT)
        assert books.client.ask("POST", "/venue/orders", other, {})["filled_micros"] == 10 * CONTRACT
        books.check()
        assert books.tokens(wallet, market["ticker"], Outcome.YES) == 10 * CONTRACT
        assert books.chain.read("vaultBalanceOf", [wallet, int(yes)]) == 10 * CONTRACT
        resting, order_id = order_of(books, wallet, key, yes, 1 * DOLLAR, 10 * CONTRACT)
        books.client.ask("POST", "/venue/orders", resting, {})
        deadline = books.client.ask("GET", "/venue/status", headers={})["venue_time_ms"] // 1_000 + 300
        domain = signatures.native_domain(books.status["chain_id"], books.venue)
        cancel = signatures.cancel_digest(domain, wallet, [order_id], deadline)
        signed = {"wallet": wallet, "deadline": deadline, "signature": signatures.sign_digest(cancel, key)}
        gone = books.client.ask("DELETE", f"/venue/orders/{order_id}", signed, {})
        assert (gone["status"], gone["cancel_reason"]) == ("canceled", "by_user")
    finally:
        books.chain.close()
