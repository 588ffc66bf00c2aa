"""The verbs of the command against a running venue: what they print, what they refuse, how they end."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bridge.cli_options import EXIT_FAILED, EXIT_NOT_FINAL, EXIT_NOT_READY, EXIT_USAGE
from offchain_book import signatures
from offchain_book.gateways.native_orders import OrderMessage, signed_order
from tests.system.books import Books
from tests.system.clients import eventually, kalshi
from tests.system.conftest import VenueProcess, causeway, free_port

pytestmark = pytest.mark.slow
NOBODY = "0x" + "00" * 19 + "aa"


@pytest.fixture(scope="module")
def books(running: VenueProcess) -> Iterator[Books]:
    found = Books(running)
    yield found
    found.chain.close()


def ask(data_dir: Path, *args: str) -> tuple[int, Any]:
    """Run a verb; return its exit code and what it printed as JSON."""
    done = causeway(*args, "-o", "json", "--data-dir", str(data_dir))
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_faucet_gives_dollars_and_gas(books: Books) -> None:
    before = books.dollars(NOBODY)
    code, found = ask(books.running.data_dir, "faucet", NOBODY, "12.5")
    assert (code, found["wallet"], found["amount"]) == (0, NOBODY, "12.5")
    assert books.dollars(NOBODY) == before + 12_500_000
    assert books.chain.native_balance(NOBODY) == 10**18


def test_deposit_can_be_waited_for(books: Books) -> None:
    code, paid = ask(books.running.data_dir, "deposit", "erin", "3")
    assert (code, paid["credited"]) == (0, False)
    code, waited = ask(books.running.data_dir, "wait", paid["id"], "--final")
    assert (code, waited["transactions"]) == (0, [paid["transaction"]])
    assert ask(books.running.data_dir, "trace", paid["transaction"])[1]["deposits"][0]["amount_micros"] == 3_000_000


def test_market_lives_and_dies_by_command(books: Books, tmp_path: Path) -> None:
    data_dir, file = books.running.data_dir, tmp_path / "market.json"
    market = {"ticker": "KXVERB-1-A", "title": "A", "rules": "A.", "close": "2035-01-01T00:00:00Z"}
    content = {
        "series": {"ticker": "KXVERB", "title": "V"},
        "event": {"ticker": "KXVERB-1", "title": "V"},
        "markets": [market],
    }
    file.write_text(json.dumps(content))
    code, made = ask(data_dir, "market", "create", "--file", str(file))
    assert (code, made["markets"][0]["status"]) == (0, "active")
    code, fees = ask(
        data_dir, "exchange", "fees", "verb-1", "--event", "KXVERB-1", "--flat", "--taker", "0.01", "--whole-cents"
    )
    assert (code, fees["fee_type"], fees["taker_rate_e4"], fees["whole_cents"]) == (0, "flat", 100, True)
    assert ask(data_dir, "exchange", "fees", "verb-2", "--event", "KXVERB-1", "--follow")[1]["fee_type"] == ""
    assert "KXVERB-1-A" in books.running.status()["markets"]
    assert ask(data_dir, "market", "create", "--file", str(file))[0] == EXIT_FAILED
    assert ask(data_dir, "market", "close", "KXVERB-1-A")[1]["status"] == "closed"
    code, resolved = ask(data_dir, "market", "resolve", "KXVERB-1-A", "no", "--wait")
    assert (code, resolved["status"], resolved["resolved_on_chain"]) == (0, "finalized", True)
    assert ask(data_dir, "market", "show", "KXVERB-1-A")[1] == resolved
    file.write_text(json.dumps({**content, "colour": 1}))
    code, refused = ask(data_dir, "market", "create", "--file", str(file))
    assert (code, "colour" in refused["error"]["message"]) == (EXIT_USAGE, True)


def test_an_account_is_suspended_and_restored(books: Books, tmp_path: Path) -> None:
    data_dir, key = books.running.data_dir, tmp_path / "key.pem"
    key.write_bytes(Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert ask(data_dir, "account", "create", "stopped", "--public-key", str(key))[0] == 0
    assert ask(data_dir, "account", "suspend", "stopped", "a question") == (
        0,
        {"account": "stopped", "suspended": "a question"},
    )
    assert ask(data_dir, "account", "show", "stopped")[1]["suspended"] == "a question"
    assert ask(data_dir, "account", "restore", "stopped", "answered") == (0, {"account": "stopped", "suspended": None})
    assert ask(data_dir, "account", "restore", "stopped", "again")[0] == EXIT_FAILED


def test_flush_answers_when_everything_is_final(books: Books) -> None:
    data_dir = books.running.data_dir
    code, taken = ask(data_dir, "withdraw", "bob", "1", "--to", NOBODY)
    assert code == 0
    assert ask(data_dir, "flush")[0] == 0
    code, waited = ask(data_dir, "wait", f"operation:{taken['operation']}", "--final", "--timeout", "0")
    assert (code, waited["stages"]) == (0, ["CONFIRMED"])
    assert ask(data_dir, "trace", taken["id"])[1]["operations"][0]["to"] == NOBODY


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["withdraw", "alice", "1"], EXIT_USAGE, "--to"),
        (["withdraw", "alice", "1.5x", "--to", NOBODY], EXIT_USAGE, "amount"),
        (["withdraw", "alice", "99999999", "--to", NOBODY], EXIT_FAILED, "INSUFFICIENT_CASH"),
        (["withdraw", "nobody", "1", "--to", NOBODY], EXIT_USAGE, "--key"),
        (["withdraw", NOBODY, "1"], EXIT_USAGE, "--key"),
        (["tokenize", "alice", "NONE", "yes", "1", NOBODY], EXIT_FAILED, "UNKNOWN_MARKET"),
        (["tokenize", "alice", "KXDEMO-26-SNOW", "no", "1", "zoe"], EXIT_USAGE, "neither an address nor a demo wallet"),
        (["take-back", NOBODY, "1"], EXIT_USAGE, "--key"),
        (["take-back", "dave", "1", "KXDEMO-26-SNOW"], EXIT_USAGE, "yes or no"),
        (["redeem", "dave", "KXDEMO-26-SNOW"], EXIT_FAILED, "active"),
        (["deposit", NOBODY, "1"], EXIT_FAILED, "UNKNOWN_ACCOUNT"),
        (["faucet", "dave", "1000001"], EXIT_FAILED, "BAD_AMOUNT"),
        (["market", "resolve", "KXDEMO-26-SNOW", "maybe"], EXIT_FAILED, "BAD_OUTCOME"),
        (["market", "show", "NONE"], EXIT_FAILED, "UNKNOWN_MARKET"),
        (["wait", "nothing", "--final"], EXIT_FAILED, "nothing has the id"),
        (["wait", "deposit:9999", "--final", "--timeout", "0"], EXIT_NOT_FINAL, "not final"),
        (["trace", "nothing"], EXIT_FAILED, "nothing has the id"),
        (["time", "60"], EXIT_USAGE, "+SECONDS"),
        (["account", "create", "x", "--public-key", "/nowhere"], EXIT_USAGE, "/nowhere"),
    ],
)
def test_refusal_is_one_line_with_its_exit_code(books: Books, arguments: list[str], code: int, says: str) -> None:
    found, answer = ask(books.running.data_dir, *arguments)
    assert (found, answer["error"]["exit_code"]) == (code, code)
    assert says in answer["error"]["message"]


def test_verbs_need_a_running_venue(tmp_path: Path) -> None:
    for arguments in (["flush"], ["deposit", "alice", "1"], ["market", "show", "X"], ["wait", "x"], ["time", "+1"]):
        code, answer = ask(tmp_path, *arguments)
        assert (code, "causeway up" in answer["error"]["message"]) == (EXIT_NOT_READY, True)


def test_explain_says_why_an_order_would_be_refused_and_what_an_error_means(books: Books, tmp_path: Path) -> None:
    """An order that the demo wallet signed is explained through the running venue; nothing is placed."""
    market, wallet = books.new_market("KXTEST-EXPLAIN"), books.client.wallet("dave")
    domain = signatures.native_domain(books.status["chain_id"], books.status["contracts"]["venue"])
    free = books.client.ask("GET", f"/venue/nonces/{wallet.address}", headers={})["orders"][0]
    order = {
        "wallet": wallet.address,
        "tokenId": market["token_ids"]["yes"],
        "side": 0,
        "sellAmount": "4000000",
        "buyAmount": "10000000",
        "nonce": free,
        "expiration": "0",
        "feeCapBps": "700",
        "builder": "0x" + "00" * 32,
    }
    digest = bytes.fromhex(signed_order(domain, msgspec.convert(order, OrderMessage), "").digest[2:])
    file = tmp_path / "order.json"
    file.write_text(json.dumps({"order": order, "signature": wallet.sign(digest)}))
    data_dir = books.running.data_dir
    code, found = ask(data_dir, "explain", "order", str(file))
    assert (code, found["ok"], found["passed"][-1]) == (0, True, "exchange")
    wrong = {"kind": "native", "message": {**order, "side": 1}, "signature": wallet.sign(digest)}
    file.write_text(json.dumps(wrong))
    code, found = ask(data_dir, "explain", "signature", str(file))
    assert (code, [row["field"] for row in found["differing"]]) == (EXIT_FAILED, ["side"])
    code, found = ask(data_dir, "explain", "code", "140")
    assert (code, found["code"]) == (0, "INSUFFICIENT_CASH")
    assert ask(data_dir, "explain", "code", "NONSENSE")[0] == EXIT_USAGE
    assert ask(data_dir, "explain", "order", str(tmp_path / "none.json"))[0] == EXIT_USAGE


@pytest.mark.parametrize("verb", ["deposit", "wait", "exit", "chain", "redeem", "time"])
def test_help_lists_exit_codes(verb: str) -> None:
    assert "Exit codes" in " ".join(causeway(verb, "--help").stdout.split())


def test_chain_on_a_folder_in_use_is_refused(books: Books) -> None:
    done = causeway("chain", "--data-dir", str(books.running.data_dir), "--chain-port", str(free_port()))
    assert (done.returncode, "in use" in done.stderr) == (EXIT_FAILED, True)


def test_time_moves_book_and_chain_and_stays_moved(own_venue: VenueProcess) -> None:
    """An order and a market end on venue time; fills settle before and after; a restart keeps the offset."""
    own_venue.start("--confirmations", "1")
    books = Books(own_venue)
    market = books.new_market("KXTEST-TIME")
    hour_ms = int(time.time() * 1000) + 3_600_000
    with kalshi(books.status, "alice") as alice:
        order = {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}
        fleeting = alice.create_order_v2(
            ticker=market["ticker"], side="bid", count="1.00", price="0.5000", expiration_time=hour_ms // 1000, **order
        )
        _, sent = ask(own_venue.data_dir, "withdraw", "alice", "1", "--to", NOBODY)
        code, moved = ask(own_venue.data_dir, "time", "+7200")
        assert (code, moved["venue_time_ms"] > hour_ms) == (0, True)
        assert ask(own_venue.data_dir, "wait", sent["id"], "--final", "--timeout", "0")[0] == 0
        assert alice.get_order(fleeting["order_id"])["order"]["status"] == "canceled"
        assert books.chain.head().timestamp_s * 1000 > hour_ms
        assert alice.get_balance()["balance"] == 999_900, "authentication stays on wall time"
        _, sent = ask(own_venue.data_dir, "withdraw", "alice", "1", "--to", NOBODY)
        assert ask(own_venue.data_dir, "wait", sent["id"], "--final")[0] == 0
    own_venue.kill(with_chain=True)
    own_venue.start()
    assert eventually(lambda: books.chain.head().timestamp_s * 1000 > hour_ms)
    assert books.client.ask("GET", "/venue/status")["venue_time_ms"] > hour_ms
    _, sent = ask(own_venue.data_dir, "withdraw", "dave", "1")
    assert ask(own_venue.data_dir, "wait", sent["id"], "--final")[0] == 0
    books.check()
    books.chain.close()
    assert own_venue.stop() == 0
