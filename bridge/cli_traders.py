"""The demo's people as their bots would be: one speaks Kalshi's dialect, the other Polymarket's, with what the command has."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from http import HTTPStatus
from typing import Any

from bridge.cli_client import CommandError, Json, VenueClient, Wallet
from offchain_book import config, signatures
from offchain_book.engine.operations import OrderScheme, SignedOrder, TokenSide

PATH = "/trade-api/v2/portfolio/events/orders"
ZERO_BYTES32 = "0x" + "00" * 32
CENT_MICROS = 10_000


class CustodialTrader:
    """A custodial account, by Kalshi's REST and its own key."""

    def __init__(self, venue: VenueClient, name: str) -> None:
        self._venue = venue
        self.name = name
        self._placed: dict[str, list[str]] = {}

    def place(self, ticker: str, side: str, count: int, cents: int) -> Json:
        """Bid for or ask YES. Returns {order, filled}: contracts that were matched at once."""
        body = {
            "ticker": ticker,
            "side": side,
            "count": f"{count}.00",
            "price": f"{cents / 100:.4f}",
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
        }
        answer = self._venue.kalshi(self.name, "POST", PATH, body)
        self._placed.setdefault(ticker, []).append(answer["order_id"])
        return {"order": answer["order_id"], "filled": int(float(answer["fill_count"]))}

    def cancel(self, ticker: str) -> None:
        """Take back what still rests in a market; an order that was filled meanwhile is gone already."""
        placed = self._placed.get(ticker, [])
        while placed:
            try:
                self._venue.kalshi(self.name, "DELETE", f"{PATH}/{placed[-1]}")
            except CommandError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
            placed.pop()


class WalletTrader:
    """A wallet, by Polymarket's CLOB and an EIP-712 signature for each order."""

    def __init__(self, venue: VenueClient, name: str) -> None:
        self._venue = venue
        self.name = name
        self._wallet: Wallet = venue.wallet(name)
        self._checksummed = signatures.checksum_address(self._wallet.address)
        self._creds = self._login()

    def buy(self, token_id: str, count: int, cents: int) -> Json:
        """Buy a token. Returns {order, filled}: contracts that were matched at once."""
        order = SignedOrder(
            scheme=OrderScheme.POLYMARKET_V2,
            digest="",
            maker=self._checksummed,
            signer=self._checksummed,
            token_id=token_id,
            side=TokenSide.BUY,
            sell_amount_micros=count * cents * CENT_MICROS,
            buy_amount_micros=count * 1_000_000,
            salt=str(secrets.randbits(48)),
            signature="",
            timestamp_ms=int(self._venue.ask("GET", "/venue/status", headers={})["venue_time_ms"]),
        )
        domain = signatures.polymarket_domain(order.scheme, config.CLIENT_CHAIN_ID, config.COMPATIBLE_V2)
        body = {
            "order": {
                "salt": int(order.salt),
                "maker": order.maker,
                "signer": order.signer,
                "tokenId": token_id,
                "makerAmount": str(order.sell_amount_micros),
                "takerAmount": str(order.buy_amount_micros),
                "side": "BUY",
                "expiration": "0",
                "signatureType": order.signature_type,
                "signature": self._wallet.sign(signatures.order_digest(domain, order)),
                "timestamp": str(order.timestamp_ms),
                "metadata": ZERO_BYTES32,
                "builder": ZERO_BYTES32,
            },
            "owner": self._creds["apiKey"],
            "orderType": "GTC",
        }
        answer = self._call("POST", "/order", body)
        if not answer["success"]:
            raise CommandError(str(answer["errorMsg"]))
        return {"order": answer["orderID"], "filled": int(float(answer["takingAmount"] or 0))}

    def cancel(self, condition_id: str) -> None:
        """Take back what still rests in a market."""
        self._call("DELETE", "/cancel-market-orders", {"market": condition_id, "asset_id": ""})

    def _login(self) -> Json:
        """Make API credentials, as the client's create_or_derive does."""
        stamp = str(int(time.time()))
        digest = signatures.clob_auth_digest(config.CLIENT_CHAIN_ID, self._checksummed, stamp, 0)
        headers = {
            "POLY_ADDRESS": self._checksummed,
            "POLY_SIGNATURE": self._wallet.sign(digest),
            "POLY_TIMESTAMP": stamp,
            "POLY_NONCE": "0",
        }
        try:
            found: Json = self._venue.ask("GET", "/auth/derive-api-key", headers=headers)
        except CommandError:  # the wallet has no key yet
            found = self._venue.ask("POST", "/auth/api-key", headers=headers)
        return found

    def _call(self, method: str, path: str, body: Any) -> Json:
        raw, stamp = json.dumps(body), str(int(time.time()))
        secret = base64.urlsafe_b64decode(self._creds["secret"])
        digest = hmac.new(secret, (stamp + method + path + raw).encode(), hashlib.sha256).digest()
        headers = {
            "POLY_ADDRESS": self._checksummed,
            "POLY_SIGNATURE": base64.urlsafe_b64encode(digest).decode(),
            "POLY_TIMESTAMP": stamp,
            "POLY_API_KEY": self._creds["apiKey"],
            "POLY_PASSPHRASE": self._creds["passphrase"],
        }
        answer: Json = self._venue.ask(method, path, body, headers)
        return answer
