"""A small client of our own routes for wallets: place, list, cancel, move. Written from `GET /venue/eip712` alone.

It knows no struct by heart: domains and types come from the venue, and `eth_account` signs them. Read it as an example of what a
client in another language has to do. It blocks; use one per thread.

    client = Client("http://127.0.0.1:8000", private_key)
    market = client.markets()[0]
    order = client.place(market["token_ids"]["yes"], "buy", price_e4=4_000, size_micros=10_000_000, fee_cap_bps=700)
    client.cancel([order["order_id"]])
"""

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any, Literal

from eth_account import Account
from eth_account.messages import encode_defunct

Json = dict[str, Any]
TIMEOUT_S = 30
ZERO_BYTES32 = "0x" + "00" * 32
CANCEL_LIFE_S = 300
ACTION_LIFE_S = 3_600
TAKE_BACK, TAKE_BACK_FREE = 5, 6


class Refused(Exception):
    """The venue refuses: its code, its sentence, and the values that repair it."""

    def __init__(self, status: int, error: Json) -> None:
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.status = status
        self.code = str(error.get("code", ""))
        self.details: Json = error.get("details") or {}


class Client:
    """One wallet at one venue. The key stays here."""

    def __init__(self, url: str, private_key: str) -> None:
        self._url = url.rstrip("/")
        self._account = Account.from_key(private_key)
        self.wallet = str(self._account.address).lower()
        self._cookie = ""
        self._signed = self.ask("GET", "/venue/eip712")

    def ask(self, method: str, path: str, body: Json | None = None) -> Any:
        """Send a request and return its answer. Raises Refused, or OSError when nobody answers."""
        headers = {"Content-Type": "application/json"} | ({"Cookie": self._cookie} if self._cookie else {})
        raw = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, raw, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                cookie = answer.headers.get("set-cookie", "")
                self._cookie = cookie.partition(";")[0] or self._cookie
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            answer_body = json.loads(error.read() or b"{}")
            raise Refused(error.code, answer_body.get("error", {})) from None

    def sign(self, kind: str, message: Json) -> str:
        """Sign a struct of `/venue/eip712` by its name there."""
        domain = self._signed["domains"][self._signed["signed_under"][kind]]
        signature: str = self._account.sign_typed_data(domain, self._signed["types"][kind], message).signature.hex()
        return "0x" + signature

    def markets(self) -> list[Json]:
        """Return the markets with their token ids, prices and fees."""
        return list(self.ask("GET", "/venue/markets")["markets"])

    def place(
        self,
        token_id: str,
        side: Literal["buy", "sell"],
        price_e4: int,
        size_micros: int,
        *,
        fee_cap_bps: int = 0,
        expiration_s: int = 0,
        time_in_force: Literal["gtc", "ioc", "fok"] = "gtc",
        post_only: bool = False,
        builder: str = ZERO_BYTES32,
    ) -> Json:
        """Sign and place an order at a price of its own token; size in millionths of a contract. Returns the order."""
        cash = size_micros * price_e4 // 10_000
        message = {
            "wallet": self.wallet,
            "tokenId": int(token_id),
            "side": 0 if side == "buy" else 1,
            "sellAmount": cash if side == "buy" else size_micros,
            "buyAmount": size_micros if side == "buy" else cash,
            "nonce": int(self.ask("GET", f"/venue/nonces/{self.wallet}?orders=1&actions=0")["orders"][0]),
            "expiration": expiration_s,
            "feeCapBps": fee_cap_bps,
            "builder": builder,
        }
        body = {"order": {**message, "tokenId": token_id}, "signature": self.sign("native", message)}
        placed: Json = self.ask("POST", "/venue/orders", {**body, "time_in_force": time_in_force, "post_only": post_only})
        return placed

    def cancel(self, order_ids: Sequence[str] = ()) -> Json:
        """Cancel orders, or all that are open, by a signature; no session is needed."""
        message = {"wallet": self.wallet, "orders": list(order_ids), "deadline": self._venue_time_s() + CANCEL_LIFE_S}
        struct = {**message, "orders": [bytes.fromhex(one[2:]) for one in order_ids]}
        cancelled: Json = self.ask("POST", "/venue/orders/cancel", {**message, "signature": self.sign("cancel", struct)})
        return cancelled

    def act(self, kind: int, asset: str, amount_micros: int, to: str = "") -> Json:
        """Sign a vault action (`words` of `/venue/eip712` names the kinds); the operator pays its gas."""
        nonce = self.ask("GET", f"/venue/nonces/{self.wallet}?orders=0&actions=1")["actions"][0]
        message = {
            "wallet": self.wallet,
            "kind": kind,
            "to": to or self.wallet,
            "deadline": self._venue_time_s() + ACTION_LIFE_S,
        }
        struct = {**message, "id": int(asset), "amount": amount_micros, "nonce": int(nonce)}
        texts = {"id": asset, "amount": str(amount_micros), "nonce": nonce, "signature": self.sign("vault_action", struct)}
        taken: Json = self.ask("POST", "/venue/actions", {**message, **texts})
        return taken

    def take_back(self, asset: str, amount_micros: int, *, free: bool = False) -> Json:
        """Send dollars (asset "0") or tokens from the vault to the custodial account that the wallet is linked to; with `free`
        tokens that are in the wallet itself. The account has them when the action is final."""
        return self.act(TAKE_BACK_FREE if free else TAKE_BACK, asset, amount_micros)

    def sign_in(self) -> None:
        """Open a session, which `orders` needs."""
        message = self.ask("POST", "/venue/session/nonce", {"wallet": self.wallet})["message"]
        signature = "0x" + self._account.sign_message(encode_defunct(text=message)).signature.hex()
        self.ask("POST", "/venue/session", {"message": message, "signature": signature})

    def orders(self, status: Literal["open", "closed", "all"] = "open") -> list[Json]:
        """Return the wallet's newest orders."""
        return list(self.ask("GET", f"/venue/orders?status={status}")["orders"])

    def _venue_time_s(self) -> int:
        return int(self.ask("GET", "/venue/status")["venue_time_ms"]) // 1_000
