"""A small venue behind the Polymarket gateway, without a chain, and wallets that sign as the official clients do.

The wallets' HMAC and payloads are written here a second time on purpose: from what the clients send, not from our code.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import coincurve
import httpx
from fastapi import FastAPI

from offchain_book.config import CLIENT_CHAIN_ID, COMPATIBLE_V1, COMPATIBLE_V2, Settings
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.exchange import new_state
from offchain_book.engine.names import GUARANTEE
from offchain_book.engine.operations import ZERO_BYTES32, OrderScheme, Outcome, SignedOrder, TokenSide
from offchain_book.engine.order import BookSide
from offchain_book.engine.state import State
from offchain_book.gateways import data_api, gamma, polymarket
from offchain_book.journal import Journal
from offchain_book.projections import Projections
from offchain_book.sequencer import Receipt, Sequencer
from offchain_book.signatures import (
    clob_auth_digest,
    order_digest,
    polymarket_domain,
    public_key_address,
    sign_digest,
)

DOLLAR = CONTRACT = 1_000_000
TICKER, FEE_TICKER, FINE_TICKER = "RAIN-1", "SNOW-1", "WIND-1"
MAKER = "maria"
"""The custodial counterparty, who makes markets."""
SETTLE_DEADLINE_S = 60
SETTINGS = Settings(
    chain_id=31_337,
    venue_address="0x" + "be" * 20,
    collateral_address="0x" + "c0" * 20,
    api_secret=b"a secret of the tests",
    operator_token="operator",
    confirmations=2,
    settle_deadline_s=SETTLE_DEADLINE_S,
    exit_delay_s=600,
)


def market(ticker: str, event: str, ranges: tuple[tuple[int, int, int], ...]) -> c.CreateMarket:
    """Return a market with token ids as long as real ones."""
    number = int.from_bytes(hashlib.sha256(ticker.encode()).digest()) >> 8 << 8
    return c.CreateMarket(
        ticker=ticker,
        event_ticker=event,
        title=f"Will {ticker} happen?",
        question_id=f"0x{number >> 8:064x}",
        condition_id=f"0x{number:064x}",
        yes_token_id=str(number + 1),
        no_token_id=str(number + 2),
        open_ms=0,
        close_ms=4_000_000_000_000,
        rules="It happens if it does.",
        price_ranges=ranges,
    )


CENTS = ((100, 9_900, 100),)
TAPERED = ((10, 1_000, 10), (1_000, 9_000, 100), (9_000, 9_990, 10))
LISTING: tuple[c.Command, ...] = (
    c.OpenAccount(MAKER, c.Custody.CUSTODIAL, "Maria"),
    c.CreateSeries("FREE", "Free", tags=("weather",)),
    c.CreateSeries("PAID", "Paid", taker_rate_e4=700, maker_rate_e4=0),
    c.CreateEvent("RAIN", "FREE", "Rain"),
    c.CreateEvent("SNOW", "PAID", "Snow"),
    market(TICKER, "RAIN", CENTS),
    market(FEE_TICKER, "SNOW", CENTS),
    market(FINE_TICKER, "RAIN", TAPERED),
)


class House:
    """The venue from the inside: funds accounts, trades for the custodial maker, and plays the chain."""

    def __init__(self, sequencer: Sequencer, app: FastAPI) -> None:
        self.sequencer = sequencer
        self.app = app
        self.placed = 0

    @property
    def state(self) -> State:
        """The exchange's state."""
        return self.sequencer.state

    async def do(self, command: c.Command) -> Receipt:
        """Submit a command that has to be accepted."""
        receipt = await self.sequencer.submit(command)
        assert receipt.rejected is None, receipt.rejected
        return receipt

    async def fund(self, account: str, micros: int, ticker: str = "", outcome: Outcome | None = None) -> None:
        """Credit a deposit of cash or tokens."""
        index = self.state.next_deposit
        await self.do(cc.CreditDeposit(index, account, micros, "0xde", 1, "0x" + "fa" * 20, ticker, outcome))

    async def quote(self, side: str, price_e4: int, contracts: int, ticker: str = TICKER) -> Receipt:
        """Let the maker buy (bid) or sell (ask) YES."""
        self.placed += 1
        book_side = BookSide.BID if side == "bid" else BookSide.ASK
        return await self.do(c.PlaceOrder(f"maria-{self.placed}", MAKER, ticker, book_side, price_e4, contracts * CONTRACT))

    async def cut(self) -> int:
        """Put everything that waits into a batch."""
        number, first = self.state.next_batch, self.state.uncut
        await self.do(cc.CutBatch(number, first, self.state.next_operation - first, "0x" + "00" * 32))
        return number

    async def observe(self, batch: int, stage: cc.BatchStage, tx_hash: str) -> None:
        """See a batch's transaction."""
        await self.do(cc.ObserveBatch(batch, stage, tx_hash, 7))

    async def confirm(self, batch: int, tx_hash: str, skipped: tuple[tuple[int, int], ...] = ()) -> None:
        """See a batch become final."""
        await self.do(cc.ConfirmBatch(batch, tx_hash, 7, "0xb10c", skipped))

    def client(self) -> httpx.AsyncClient:
        """Return an HTTP client that talks to the gateway in this process."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        return httpx.AsyncClient(transport=transport, base_url="http://venue")


@asynccontextmanager
async def open_house(folder: Path) -> AsyncIterator[House]:
    """Start a venue with three markets, a funded maker and a funded guarantee account; the gateway alone serves it."""
    journal = Journal(folder / "journal", {})
    sequencer = Sequencer(new_state(SETTLE_DEADLINE_S), journal, Projections(), lambda: time.time_ns() // 1_000_000)
    sequencer.start()
    app = FastAPI()
    for dialect in (polymarket, gamma, data_api):
        app.include_router(dialect.router(sequencer, SETTINGS))
    house = House(sequencer, app)
    try:
        for command in LISTING:
            await house.do(command)
        for account in (MAKER, GUARANTEE):
            await house.fund(account, 10_000 * DOLLAR)
        yield house
    finally:
        await sequencer.stop()
        journal.close()


@dataclass
class Wallet:
    """A wallet with its API credentials, and the payloads that the V2 client (or V1, if asked) would send."""

    http: httpx.AsyncClient
    private_key: bytes
    creds: dict[str, str] = field(default_factory=dict)
    salts: int = 0

    @property
    def address(self) -> str:
        """The checksummed address."""
        return address_of(self.private_key)

    @property
    def account(self) -> str:
        """The account id."""
        return self.address.lower()

    def proof(self, nonce: int = 0, timestamp: int = 0, chain_id: int = CLIENT_CHAIN_ID) -> dict[str, str]:
        """Return L1 headers."""
        stamp = str(timestamp or int(time.time()))
        digest = clob_auth_digest(chain_id, self.address, stamp, nonce)
        return {
            "POLY_ADDRESS": self.address,
            "POLY_SIGNATURE": sign_digest(digest, self.private_key),
            "POLY_TIMESTAMP": stamp,
            "POLY_NONCE": str(nonce),
        }

    async def login(self, nonce: int = 0) -> None:
        """Create API credentials."""
        response = await self.http.post("/auth/api-key", headers=self.proof(nonce))
        assert response.status_code == 200, response.text
        self.creds = response.json()

    def headers(self, method: str, path: str, body: str = "", timestamp: int = 0, **changed: str) -> dict[str, str]:
        """Return L2 headers."""
        stamp = str(timestamp or int(time.time()))
        message = stamp + method + path + body.replace("'", '"')
        secret = base64.urlsafe_b64decode(self.creds["secret"])
        digest = hmac.new(secret, message.encode(), hashlib.sha256).digest()
        return {
            "POLY_ADDRESS": self.address,
            "POLY_SIGNATURE": base64.urlsafe_b64encode(digest).decode(),
            "POLY_TIMESTAMP": stamp,
            "POLY_API_KEY": self.creds["apiKey"],
            "POLY_PASSPHRASE": self.creds["passphrase"],
        } | changed

    async def call(self, method: str, path: str, body: Any = None, **query: str) -> httpx.Response:
        """Send a signed request; a str body goes as it is, anything else as compact JSON."""
        text = "" if body is None else body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
        headers = self.headers(method, path, text)
        return await self.http.request(method, path, headers=headers, content=text or None, params=query or None)

    def signed(self, side: str, token_id: str, gives: int, gets: int, scheme: OrderScheme, **changed: Any) -> SignedOrder:
        """Return a signed order of millionths; `changed` replaces fields before it is signed."""
        self.salts += 1
        is_v1 = scheme is OrderScheme.POLYMARKET_V1
        order = SignedOrder(
            scheme=scheme,
            digest="",
            maker=self.address,
            signer=self.address,
            token_id=token_id,
            side=TokenSide[side],
            sell_amount_micros=gives,
            buy_amount_micros=gets,
            salt=str(self.salts),
            signature="",
            timestamp_ms=0 if is_v1 else time.time_ns() // 1_000_000,
        )
        order = replace(order, **changed)
        domain = polymarket_domain(scheme, CLIENT_CHAIN_ID, COMPATIBLE_V1 if is_v1 else COMPATIBLE_V2)
        digest = order_digest(domain, order)
        return replace(order, digest="0x" + digest.hex(), signature=sign_digest(digest, self.private_key))

    def payload(
        self,
        side: str,
        token_id: str,
        gives: int,
        gets: int,
        order_type: str = "GTC",
        scheme: OrderScheme = OrderScheme.POLYMARKET_V2,
        post_only: bool = False,
        expiration: int = 0,
        **changed: Any,
    ) -> dict[str, Any]:
        """Return the body of POST /order."""
        if scheme is OrderScheme.POLYMARKET_V1:
            changed["expiration_s"] = expiration
        order = self.signed(side, token_id, gives, gets, scheme, **changed)
        fields: dict[str, Any] = {
            "salt": int(order.salt),
            "maker": order.maker,
            "signer": order.signer,
            "tokenId": order.token_id,
            "makerAmount": str(order.sell_amount_micros),
            "takerAmount": str(order.buy_amount_micros),
            "side": side,
            "expiration": str(expiration),
            "signatureType": order.signature_type,
            "signature": order.signature,
        }
        if scheme is OrderScheme.POLYMARKET_V1:
            fields |= {"taker": "0x" + "00" * 20, "nonce": str(order.nonce), "feeRateBps": str(order.fee_rate_bps)}
        else:
            fields |= {"timestamp": str(order.timestamp_ms), "metadata": ZERO_BYTES32, "builder": ZERO_BYTES32}
        return {"order": fields, "owner": self.creds["apiKey"], "orderType": order_type, "postOnly": post_only}

    async def place(self, *args: Any, **more: Any) -> httpx.Response:
        """Post an order; the arguments are those of `payload`."""
        return await self.call("POST", "/order", self.payload(*args, **more))


def address_of(private_key: bytes) -> str:
    """Return the checksummed address of a key."""
    return public_key_address(coincurve.PrivateKey(private_key).public_key.format(compressed=False))
