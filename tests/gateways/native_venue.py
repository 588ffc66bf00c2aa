"""A small exchange behind our own routes, without a chain: alice is custodial with a key, dave trades with his wallet."""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519

from offchain_book import signatures
from offchain_book.app import build_app
from offchain_book.config import Settings
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.account import Account
from offchain_book.engine.exchange import new_state
from offchain_book.engine.operations import Outcome, TokenSide, VaultAction, VaultActionKind
from offchain_book.gateways import native_orders, siwe
from offchain_book.gateways.admin import Condition, Paid
from offchain_book.gateways.contract_wallets import HookRefused
from offchain_book.gateways.credentials import wall_clock_ms
from offchain_book.journal import Journal
from offchain_book.projections import Projections
from offchain_book.reserves import ReserveBoard
from offchain_book.sequencer import Sequencer
from tests.sdk.kalshi_venue import Key

DOLLAR = CONTRACT = 1_000_000
TICKER = "KXRAIN-26-NYC"
CONDITION = "0x" + "ab" * 31 + "00"
WALLET_KEY = bytes.fromhex("22" * 32)
STRANGER = "0x" + "99" * 20
SETTINGS = Settings(
    31_337,
    "0x" + "11" * 20,
    "0x" + "12" * 20,
    b"secret",
    "token",
    2,
    60,
    120,
    reviewer_token="second token",
    http_url="http://venue",
)
OPERATOR = {"Authorization": "Bearer token"}
REVIEWER = {"Authorization": "Bearer second token"}


def address_of(key: bytes) -> str:
    return signatures.recover(bytes(32), signatures.sign_digest(bytes(32), key)).lower()


WALLET = address_of(WALLET_KEY)


class FakeHooks:
    """The chain's side, as far as the operator's routes can tell."""

    def __init__(self, sequencer: Sequencer) -> None:
        self.sequencer = sequencer
        self.asked: list[Any] = []
        self.refuses: HookRefused | None = None
        self.contracts: dict[str, bytes] = {}
        """Wallets made of code -> the key that signs for each."""

    def _note(self, *what: Any) -> None:
        self.asked.append(what)
        if self.refuses:
            raise self.refuses

    async def prepare_conditions(self, questions: Sequence[tuple[str, str]]) -> list[Condition]:
        self._note("prepare", *questions)
        digests = [hashlib.sha256(ticker.encode()).hexdigest() for ticker, _ in questions]
        return [Condition("0x" + digest, "0x" + digest[:62] + "00") for digest in digests]

    async def deposit(self, account: Account, amount_micros: int) -> Paid:
        self._note("deposit", account.account_id, amount_micros)
        index = self.sequencer.state.next_deposit
        await self.sequencer.submit(cc.CreditDeposit(index, account.account_id, amount_micros, "0x1", 1, "0x2"))
        return Paid(index, "0x1", 1)

    async def credited(self, paid: Paid) -> None:
        self._note("credited", paid.deposit_index)

    async def faucet(self, wallet: str, amount_micros: int) -> str:
        self._note("faucet", wallet, amount_micros)
        return "0x3"

    async def publish_liabilities(self) -> str:
        self._note("publish_liabilities")
        return "0x4"

    async def is_signed(self, wallet: str, digest: bytes, signature: str) -> bool:
        key = self.contracts.get(wallet)
        return key is not None and signatures.recover(digest, signature).lower() == address_of(key)

    async def approve(self, wallet: str, digest: bytes, signature: str) -> bool:
        if not await self.is_signed(wallet, digest, signature):
            return False
        self._note("approve", wallet, "0x" + digest.hex())
        return True

    async def deposit_by_permit(self, wallet: str, amount_micros: int, deadline_s: int, v: int, r: bytes, s: bytes) -> Paid:
        self._note("permit", wallet, amount_micros, deadline_s, v, r, s)
        return Paid(7, "0x5", 1)

    async def flush(self) -> int:
        self._note("flush")
        return 0

    async def move_time(self, seconds: int) -> None:
        self._note("time", seconds)


class NativeVenue:
    """The exchange, and clients of it."""

    def __init__(self, folder: Path) -> None:
        self.state = new_state(SETTINGS.settle_deadline_s)
        self.journal = Journal(folder / "journal", {"settle_deadline_s": SETTINGS.settle_deadline_s, "contract_version": 2})
        self.sequencer = Sequencer(self.state, self.journal, Projections(), wall_clock_ms)
        self.hooks = FakeHooks(self.sequencer)
        self.board = ReserveBoard()
        app = self.app = build_app(self.sequencer, SETTINGS, {}, lambda: "hash", hooks=self.hooks, board=self.board)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://venue")
        self.key = Key("alice-key", ed25519.Ed25519PrivateKey.generate())
        self.reader = Key("alice-reads", ed25519.Ed25519PrivateKey.generate())
        self.nonce = 0
        self.domain = signatures.native_domain(SETTINGS.chain_id, SETTINGS.venue_address)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["NativeVenue"]:
        self.sequencer.start()
        try:
            await self._list()
            yield self
        finally:
            await self.http.aclose()
            await self.sequencer.stop()
            self.journal.close()

    async def do(self, command: c.Command) -> None:
        receipt = await self.sequencer.submit(command)
        assert receipt.rejected is None, receipt.rejected

    async def _list(self) -> None:
        condition = int(CONDITION, 16)
        now_ms = wall_clock_ms()
        tokens = (str(condition | Outcome.YES), str(condition | Outcome.NO))
        for command in (
            c.OpenAccount("alice", c.Custody.CUSTODIAL, "alice"),
            c.RegisterKey("alice", self.key.key_id, c.KeyKind.KALSHI, self.key.public_pem),
            c.RegisterKey("alice", self.reader.key_id, c.KeyKind.KALSHI, self.reader.public_pem, "", ("read",)),
            c.CreateSeries("KXRAIN", "Rain"),
            c.CreateEvent("KXRAIN-26", "KXRAIN", "Rain"),
            c.CreateMarket(TICKER, "KXRAIN-26", "Rain?", "0x01", CONDITION, *tokens, now_ms, now_ms + 86_400_000),
            cc.CreditDeposit(0, "alice", 100 * DOLLAR, "0x1", 1, STRANGER),
            cc.CreditDeposit(1, WALLET, 100 * DOLLAR, "0x2", 1, WALLET),
            cc.CreditDeposit(2, "alice", 10 * CONTRACT, "0x3", 1, STRANGER, TICKER, Outcome.YES),
        ):
            await self.do(command)

    # --- clients -----------------------------------------------------------------------------------------------------

    async def signed(self, path: str, body: Any, key: Key | None = None, method: str = "POST", sign: Any = None) -> Any:
        """Send a request that alice signs, body included."""
        raw = b"" if body is None else json.dumps(body).encode()
        over = raw if sign is None else sign
        headers = (key or self.key).headers(method, path + hashlib.sha256(over).hexdigest())
        return await self.http.request(method, path, content=raw, headers=headers)

    async def admin(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Send a request with the operator's token."""
        given = OPERATOR if headers is None else headers
        return await self.http.request(method, f"/venue/admin{path}", json=body, headers=given)

    def action(self, kind: VaultActionKind, token: str, amount: int, **signed: Any) -> dict[str, Any]:
        """Return the body of a vault action that dave signed."""
        fields = {"nonce": "7", "deadline": wall_clock_ms() // 1000 + 600, "to": WALLET, **signed}
        action = VaultAction(WALLET, kind, token, amount, WALLET, fields["nonce"], fields["deadline"], "")
        signature = signatures.sign_digest(signatures.vault_action_digest(self.domain, action), WALLET_KEY)
        body = {"wallet": WALLET, "kind": int(kind), "id": token, "amount": str(amount), "signature": signature}
        return {**body, **fields}

    async def order(self, side: TokenSide, outcome: Outcome, price_e4: int, contracts: int, **more: Any) -> Any:
        """Place a native order that dave signed."""
        body = self.order_body(side, outcome, price_e4, contracts)
        return await self.http.post("/venue/orders", json={**body, **more})

    def order_body(self, side: TokenSide, outcome: Outcome, price_e4: int, contracts: int, **signed: Any) -> dict[str, Any]:
        """Return the body of an order that dave signed, each time under another nonce."""
        self.nonce += 1
        size, cash = contracts * CONTRACT, contracts * CONTRACT * price_e4 // 10_000
        sell, buy = (cash, size) if side is TokenSide.BUY else (size, cash)
        message = {
            "wallet": WALLET,
            "tokenId": str(int(CONDITION, 16) | outcome),
            "side": int(side),
            "sellAmount": str(sell),
            "buyAmount": str(buy),
            "nonce": str(self.nonce),
            "expiration": "0",
            "feeCapBps": "700",
            "builder": "0x" + "00" * 32,
            **signed,
        }
        order = msgspec.convert(message, native_orders.OrderMessage)
        digest = native_orders.signed_order(self.domain, order, "").digest
        return {"order": message, "signature": signatures.sign_digest(bytes.fromhex(digest[2:]), WALLET_KEY)}

    def cancel_body(self, ids: list[str], deadline: int = 0, key: bytes = WALLET_KEY) -> dict[str, Any]:
        """Return a `Cancel` that the wallet signed."""
        deadline = deadline or wall_clock_ms() // 1000 + 300
        digest = signatures.cancel_digest(self.domain, WALLET, ids, deadline)
        return {"wallet": WALLET, "deadline": deadline, "signature": signatures.sign_digest(digest, key)}

    async def sign_in(self, key: bytes = WALLET_KEY) -> str:
        """Sign a wallet in and return the session's token."""
        asked = await self.http.post("/venue/session/nonce", json={"wallet": address_of(key)})
        message = asked.json()["message"]
        signature = signatures.sign_digest(siwe.personal_digest(message), key)
        answer = await self.http.post("/venue/session", json={"message": message, "signature": signature})
        assert answer.status_code == 201, answer.text
        return str(answer.cookies["causeway_session"])

    def link(self, account: str = "alice", deadline: int = 1 << 34, key: bytes = WALLET_KEY) -> dict[str, Any]:
        """Return the body of a link that the wallet signed."""
        digest = signatures.link_account_digest(self.domain, account, WALLET, deadline)
        return {"wallet": WALLET, "deadline": deadline, "signature": signatures.sign_digest(digest, key)}
