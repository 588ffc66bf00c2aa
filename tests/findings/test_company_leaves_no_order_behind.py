"""Found by CI: Ctrl-C amid a request of `causeway demo --live`. The order that was under way landed when everything had been
left, and nobody took it back; nor was the rest of a taker's order, when the quotes were too small for it."""

import itertools
import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from bridge import cli_crowd
from bridge.cli_client import CommandError, VenueClient, Wallet
from bridge.cli_crowd import Company
from offchain_book import signatures

ORDERS = "/trade-api/v2/portfolio/events/orders"
KEYS = {name: f"0x{number:064x}" for number, name in enumerate(("dave", "erin"), 1)}
MARKETS = [{"ticker": f"T-{n}", "condition_id": f"c{n}", "token_ids": {"yes": f"{n}1", "no": f"{n}0"}} for n in range(1, 5)]


class Recorded(VenueClient):
    """A venue where every order rests until somebody cancels it; after the answer to an order's request comes a surprise."""

    def __init__(self, surprise: Callable[[int], None]) -> None:
        self.resting: dict[str, str] = {}
        """Order -> the market where its sender can find it."""
        self._numbers = itertools.count(1)
        self._surprise = surprise

    def wallet(self, name: str, key_file: object = None) -> Wallet:
        key = KEYS[name]
        return Wallet(signatures.recover(bytes(32), signatures.sign_digest(bytes(32), bytes.fromhex(key[2:]))).lower(), key)

    def ask(self, method: str, path: str, body: Any = None, headers: Any = None) -> Any:
        if path == "/venue/markets":
            return {"markets": MARKETS}
        if path.startswith("/trade-api/v2/events"):
            nested = [{"ticker": market["ticker"], "status": "active"} for market in MARKETS]
            return {"events": [{"mutually_exclusive": False, "markets": nested}]}
        if path == "/order":
            number = self._rests(f"c{body['order']['tokenId'][0]}")
            return {"success": True, "orderID": number, "takingAmount": "0"}
        if path == "/cancel-market-orders":
            self.resting = {order: market for order, market in self.resting.items() if market != body["market"]}
        return {"apiKey": "k", "secret": "c2VjcmV0", "passphrase": "p", "venue_time_ms": 1}

    def kalshi(self, account: str, method: str, path: str, body: Any = None) -> Any:
        if method == "POST":
            return {"order_id": self._rests(body["ticker"]), "fill_count": "0.00"}
        if self.resting.pop(path.rpartition("/")[2], None) is None:
            raise CommandError("it was filled", name="order_not_open", status=404)
        return {}

    def _rests(self, market: str) -> str:
        number = next(self._numbers)
        self.resting[str(number)] = market
        self._surprise(number)
        return str(number)


@pytest.mark.parametrize("amid", range(1, 40, 2))
def test_an_order_under_way_at_ctrl_c_is_taken_back(amid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the markets are quoted for the first time (the first sixteen orders), and when bob and erin take."""
    monkeypatch.setattr(cli_crowd, "PAUSE_S", 0.0)

    def interrupt(number: int) -> None:
        if number == amid:
            os.kill(os.getpid(), (signal.SIGINT, signal.SIGTERM)[number // 2 % 2])

    before = [signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        venue = Recorded(interrupt)
        Company(venue, 1, lambda kind, text: None).stay()
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)
    assert next(venue._numbers) > amid
    assert venue.resting == {}


def test_a_market_that_refuses_a_cancel_keeps_no_other_markets_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(Recorded):
        def kalshi(self, account: str, method: str, path: str, body: Any = None) -> Any:
            if method == "DELETE" and self.resting.get(path.rpartition("/")[2]) == "T-2":
                raise CommandError("too many requests", name="too_many_requests", status=429)
            return super().kalshi(account, method, path, body)

    def interrupt(number: int) -> None:
        if number == 16:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(cli_crowd, "PAUSE_S", 0.0)
    venue = Refusing(interrupt)
    with pytest.raises(CommandError, match=r"may be left in T-2 \(too_many_requests") as left:
        Company(venue, 1, lambda kind, text: None).stay()
    assert "T-1" not in str(left.value), json.dumps(venue.resting)
    assert set(venue.resting.values()) == {"T-2", "c2"}
