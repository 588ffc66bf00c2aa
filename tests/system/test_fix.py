"""FIX in a whole venue: an order by FIX meets a wallet's on chain, and a session outlives the venue's sudden death."""

import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.fix_client import FixClient
from tests.system.books import Books
from tests.system.clients import Client, eventually, kalshi, polymarket
from tests.system.conftest import VenueProcess

pytestmark = pytest.mark.slow


def fix(status: dict[str, Any], service: str, name: str, folder: Path, **more: Any) -> FixClient:
    """Return a QuickFIX initiator for a seeded account, not connected yet; prices in dollars, no pending reports."""
    account = status["accounts"]["custodial"][name]
    pem = Path(account["private_key_path"])
    flags = [[21005, "Y"], [21011, "Y"]]
    return FixClient(status["fix"][service], service, account["key_id"], pem, folder, flags=flags, **more)


def order(name: str, ticker: str, price: str, size: str) -> dict[int, Any]:
    return {11: name, 38: size, 40: "2", 44: price, 54: "1", 55: ticker, 59: "1"}


def trades_in(client: Client, market: dict[str, Any]) -> list[dict[str, Any]]:
    found = [one for one in client.get_trades() if one["market"] == market["condition_id"]]
    assert found
    return found


def test_a_fix_bid_and_a_polymarket_buy_of_no_settle_on_chain(
    venue: dict[str, Any], running: VenueProcess, tmp_path: Path
) -> None:
    books = Books(running)
    market = books.new_market("KXTEST-FIX")
    books.chain.close()
    ticker = market["ticker"]
    with fix(venue, "KalshiNR", "carol", tmp_path) as carol, polymarket(venue, "dave") as dave:
        carol.log_on().send("D", order("spine", ticker, "0.6000", "10"))
        assert carol.wait("8")[150] == "0"
        assert dave.order(token_id=market["token_ids"]["no"], price=0.40, size=10, side="BUY")["status"] == "matched"
        fill = carol.wait("8", _150="F")
        assert (fill[39], fill[32], fill[31], fill[704]) == ("2", "10.00", "0.6000", "10.00")
        assert (fill[1704], fill[1057]) == ("-6.0000", "N")
        with urllib.request.urlopen(f"{venue['http']}/venue/trace/{fill[880]}", timeout=60) as answer:
            assert b"fix~" in answer.read()
        with kalshi(venue, "carol") as rest:
            assert rest.get_order(fill[37])["order"]["client_order_id"] == "spine"
        eventually(lambda: all(one["status"] == "CONFIRMED" for one in trades_in(dave, market)))


def test_session_goes_on_where_it_was_when_the_venue_died_amid_an_order(
    own_venue: VenueProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is in the journal, its sender has heard nothing, and both find together: one order, no report lost."""
    crash = tmp_path / "crash"
    monkeypatch.setenv("CAUSEWAY_CRASH_FILE", str(crash))
    own_venue.start()
    ticker, keeps = "KXDEMO-26-SUN", {"settings": {"ResetOnLogon": "N"}}
    with fix(own_venue.status(), "KalshiRT", "alice", tmp_path / "engine", **keeps) as alice:
        alice.log_on().send("D", order("before", ticker, "0.10", "5"))
        assert alice.wait("8")[11] == "before"
        crash.write_text("after_append PlaceOrder")
        alice.send("D", order("amid", ticker, "0.11", "5"))
        alice.event("logout")
    assert own_venue.process is not None
    assert own_venue.process.wait(120) == 137
    crash.unlink()
    own_venue.start()
    status = own_venue.status()
    with fix(status, "KalshiRT", "alice", tmp_path / "engine", **keeps) as alice:
        alice.log_on()
        report = alice.wait("8", _11="amid")
        assert (report[150], report[39]) == ("0", "0")
        alice.send("F", {11: "end", 41: "amid", 54: "1", 55: ticker})
        assert alice.wait("8", _150="4")[37] == report[37]
        with kalshi(status, "alice") as rest:
            names = [one["client_order_id"] for one in rest.get_orders(ticker=ticker)["orders"]]
        assert sorted(names) == ["amid", "before"]
    assert own_venue.stop() == 0, own_venue.output
