"""`causeway up`: it starts, says where everything is, survives restarts and kills, and leaves nothing behind."""

import json
import re
import shutil
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import EXIT_FAILED, EXIT_NOT_READY, ROOT
from bridge.node import Anvil, anvil_binary
from tests.chaos.faults import Proxy
from tests.system.clients import eventually, kalshi, polymarket
from tests.system.conftest import VenueProcess, causeway, free_port, processes_of

pytestmark = pytest.mark.slow


def rpc(url: str, method: str, *params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read())["result"]


def block_number(url: str) -> int:
    return int(rpc(url, "eth_blockNumber"), 16)


def one_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("causeway: ")]
    assert len(lines) == 1, text
    return lines[0]


# --- status and demo -------------------------------------------------------------------------------------------------


def test_status_carries_what_others_script_against(running: VenueProcess) -> None:
    status = running.status()
    assert status["ready"] is True
    assert status["http"] == f"http://127.0.0.1:{running.port}"
    assert status["ws"] == f"ws://127.0.0.1:{running.port}"
    assert status["rpc"] == f"http://127.0.0.1:{running.chain_port}"
    assert (status["chain_id"], status["client_chain_id"]) == (31_337, 80_002)
    assert {"page", "abi_dir", "seq", "state_hash", "data_dir"} <= set(status)
    assert {"venue", "collateral"} <= set(status["contracts"])
    assert list(status["fix"]) == ["KalshiNR", "KalshiDC", "KalshiRT", "KalshiPT", "KalshiRFQ", "KalshiMD"]
    assert set(status["limits"]) == {"confirmations", "settle_deadline_s", "exit_delay_s"}
    assert Path(status["operator_token_path"]).stat().st_mode & 0o777 == 0o600
    for name in ("Venue", "TestUSD"):
        assert json.loads((Path(status["abi_dir"]) / f"{name}.json").read_text())


def test_demo_has_people_and_markets(running: VenueProcess) -> None:
    status = running.status()
    custodial, wallets = status["accounts"]["custodial"], status["accounts"]["wallets"]
    assert len(custodial) >= 3
    assert len(wallets) >= 3
    for account in custodial.values():
        assert Path(account["private_key_path"]).stat().st_mode & 0o777 == 0o600
    assert sum(ticker.startswith("KXDEMO") for ticker in status["markets"]) >= 3
    for market in status["markets"].values():
        yes, no = int(market["token_ids"]["yes"]), int(market["token_ids"]["no"])
        assert (yes, no) == (int(market["condition_id"], 16) + 1, int(market["condition_id"], 16) + 2)


def test_demo_money_is_on_chain(running: VenueProcess) -> None:
    import sha3

    status = running.status()

    def cash_of(address: str) -> int:
        selector = str(sha3.keccak_256(b"cashOf(address)").hexdigest())[:8]
        call = {"to": status["contracts"]["venue"], "data": f"0x{selector}{address[2:]:0>64}"}
        return int(rpc(status["rpc"], "eth_call", call, "latest"), 16) // 1_000_000

    addresses = [wallet["address"] for wallet in status["accounts"]["wallets"].values()]
    assert [cash_of(address) >= 1_000 for address in addresses] == [True, True, False]
    assert cash_of(status["contracts"]["venue"]) >= 3 * 1_000 + 50_000 + 10_000


# --- restart ---------------------------------------------------------------------------------------------------------


def test_restart_keeps_book_and_chain(own_venue: VenueProcess) -> None:
    own_venue.start()
    first = own_venue.status()
    height = block_number(first["rpc"])
    assert own_venue.stop() == 0, own_venue.output
    assert processes_of(own_venue.data_dir) == []
    journal = own_venue.data_dir / "journal.log"
    before = journal.read_bytes()
    replayed = json.loads(causeway("replay", str(journal), "-o", "json").stdout)
    shutil.copy(journal, own_venue.data_dir.parent / "before.log")

    own_venue.start()
    second = own_venue.status()
    assert "after snapshot" in own_venue.output, "it replays no more than what came after, so its age costs nothing"
    assert "compiling" not in own_venue.output
    assert re.search(r"contracts +\d+ found", own_venue.output), "nothing is deployed again"
    assert replayed["state_hash"][:12] in own_venue.output
    assert journal.read_bytes().startswith(before)
    assert second["seq"] >= replayed["seq"] >= first["seq"]
    for name in ("contracts", "markets", "accounts"):
        assert second[name] == first[name]
    assert block_number(second["rpc"]) >= height
    again = json.loads(causeway("replay", str(own_venue.data_dir.parent / "before.log"), "-o", "json").stdout)
    assert again == replayed
    assert own_venue.stop() == 0


def test_killed_venue_adopts_its_chain_and_resumes_it_when_it_is_killed_too(own_venue: VenueProcess) -> None:
    own_venue.start()
    status, chain_pid = own_venue.status(), own_venue.chain_pid()
    own_venue.kill(with_chain=False)
    assert causeway("status", "--data-dir", str(own_venue.data_dir)).returncode == EXIT_NOT_READY
    height = block_number(status["rpc"])
    eventually(lambda: block_number(status["rpc"]) > height + 1)  # the orphaned chain must go on without us

    own_venue.start()
    assert own_venue.chain_pid() == chain_pid
    assert "(adopted)" in own_venue.output
    assert own_venue.status()["contracts"] == status["contracts"]
    own_venue.kill(with_chain=True)
    saved = json.loads((own_venue.data_dir / "chain-saved.json").read_bytes())["best_block_number"]

    own_venue.start()
    assert "(resumed)" in own_venue.output
    assert block_number(status["rpc"]) >= saved
    assert own_venue.status()["contracts"] == status["contracts"]
    own_venue.kill(with_chain=True)
    fresh = own_venue.data_dir / "notes.txt"
    fresh.write_text("not a venue's file")

    own_venue.start("--fresh", "--no-demo")
    empty = own_venue.status()
    assert empty["accounts"] == {"custodial": {}, "wallets": {}}
    assert empty["markets"] == {}
    assert empty["seq"] < status["seq"]
    assert fresh.exists()
    assert own_venue.stop() == 0
    assert processes_of(own_venue.data_dir) == []


@pytest.mark.parametrize("after_s", [0, pytest.param(1.2, marks=pytest.mark.soak)])
def test_fill_outlives_a_kill_of_everything(own_venue: VenueProcess, after_s: float) -> None:
    """Killed before or after its batch was mined, off for longer than the deadline: the fill settles all the same."""
    own_venue.start("--settle-deadline", "5", "--exit-delay", "30")
    status = own_venue.status()
    token = status["markets"]["KXDEMO-26-SUN"]["token_ids"]["yes"]
    with kalshi(status, "alice") as alice, polymarket(status, "dave") as dave:
        alice.create_order_v2(
            ticker="KXDEMO-26-SUN",
            side="ask",
            count="10.00",
            price="0.4000",
            time_in_force="good_till_canceled",
            self_trade_prevention_type="taker_at_cross",
        )
        assert dave.order(token_id=token, price=0.40, size=10, side="BUY")["status"] == "matched"
        time.sleep(after_s)
        own_venue.kill(with_chain=True)
        time.sleep(6)
        own_venue.start()
        (trade,) = dave.get_trades()
        assert trade["status"] == "CONFIRMED"
    found = own_venue.live_status()["operations"]
    assert found == {"next": 1, "open": 0, "confirmed": 1, "skipped": 0}
    assert own_venue.stop() == 0


# --- refusals --------------------------------------------------------------------------------------------------------


def test_second_venue_on_the_same_folder_is_refused(running: VenueProcess) -> None:
    other = VenueProcess(running.data_dir)
    done = causeway(*other.arguments())
    assert done.returncode == EXIT_FAILED
    assert running.process is not None
    assert f"pid {running.process.pid}" in one_line(done.stderr)
    assert "--data-dir" in done.stderr
    assert running.status()["ready"]


def test_taken_ports_name_their_flags(running: VenueProcess, tmp_path: Path) -> None:
    http = VenueProcess(tmp_path / "venue", port=running.port)
    done = causeway(*http.arguments())
    assert (done.returncode, "--port" in one_line(done.stderr)) == (EXIT_FAILED, True)
    chain = VenueProcess(tmp_path / "venue", chain_port=running.chain_port)
    done = causeway(*chain.arguments())
    assert (done.returncode, "--chain-port" in one_line(done.stderr)) == (EXIT_FAILED, True)
    taken = running.status()["fix"]["KalshiNR"].partition(":")[2]
    done = causeway(*VenueProcess(tmp_path / "venue").arguments("--fix-port", taken))
    assert (done.returncode, "--fix-port" in one_line(done.stderr)) == (EXIT_FAILED, True)
    assert running.status()["ready"]


def test_wrong_chain_is_one_clear_line(running: VenueProcess, tmp_path: Path) -> None:
    shutil.copy(running.data_dir / "deployment.json", tmp_path / "deployment.json")
    book = json.loads((tmp_path / "deployment.json").read_text())
    (tmp_path / "deployment.json").write_text(json.dumps({**book, "genesis_hash": "0x" + "11" * 32}))
    url = f"http://127.0.0.1:{running.chain_port}"
    done = causeway("up", "--data-dir", str(tmp_path), "--port", str(free_port()), "--fix-port", "0", "--chain-url", url)
    assert done.returncode == EXIT_FAILED
    assert "wrong chain" in one_line(done.stderr)


def test_no_chain_at_url_is_one_clear_line(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = causeway("up", "--data-dir", str(tmp_path), "--port", str(free_port()), "--fix-port", "0", "--chain-url", url)
    assert done.returncode == EXIT_FAILED
    assert "--chain-url" in one_line(done.stderr)


def test_short_exit_delay_is_refused_before_anything_starts(own_venue: VenueProcess) -> None:
    done = causeway(*own_venue.arguments("--settle-deadline", "50", "--exit-delay", "50"))
    assert done.returncode == EXIT_FAILED
    assert "--exit-delay" in one_line(done.stderr)
    assert processes_of(own_venue.data_dir) == []


def test_fixed_terms_cannot_change(running: VenueProcess, tmp_path: Path) -> None:
    shutil.copy(running.data_dir / "deployment.json", tmp_path / "deployment.json")
    done = causeway(
        "up", "--data-dir", str(tmp_path), "--port", str(free_port()), "--fix-port", "0", "--settle-deadline", "7"
    )
    assert done.returncode == EXIT_FAILED
    assert "--settle-deadline is fixed" in one_line(done.stderr)


# --- journal verbs ---------------------------------------------------------------------------------------------------


def test_verify_finds_the_first_bad_record(running: VenueProcess, tmp_path: Path) -> None:
    copy = tmp_path / "journal.log"
    lines = (running.data_dir / "journal.log").read_bytes().splitlines(keepends=True)
    if not lines[-1].endswith(b"\n"):
        lines.pop()  # the venue was writing it
    copy.write_bytes(b"".join(lines))
    done = causeway("verify", str(copy), "-o", "json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"ok": True, "first_bad_seq": None})

    lines[5] = lines[5].replace(b'"at_ms":1', b'"at_ms":2')
    copy.write_bytes(b"".join(lines))
    done = causeway("verify", str(copy), "-o", "json")
    assert done.returncode == EXIT_FAILED
    assert json.loads(done.stdout)["first_bad_seq"] == 5
    done = causeway("replay", str(copy), "-o", "json")
    assert done.returncode == EXIT_FAILED
    assert "record 5" in one_line(done.stderr)


def test_status_of_nothing_is_not_ready(tmp_path: Path) -> None:
    done = causeway("status", "-o", "json", "--data-dir", str(tmp_path / "nowhere"))
    assert done.returncode == EXIT_NOT_READY
    assert json.loads(done.stdout)["ready"] is False


# --- somebody else's node --------------------------------------------------------------------------------------------


def test_running_node_is_used_and_left_running(own_venue: VenueProcess, tmp_path: Path) -> None:
    node = Anvil(anvil_binary(ROOT), tmp_path / "node", own_venue.chain_port)
    (tmp_path / "node").mkdir()
    try:
        node.start()
        node.begin_mining()
        own_venue.start("--chain-url", node.url, "--confirmations", "1")
        first = own_venue.status()
        assert first["rpc"] == node.url
        assert own_venue.stop() == 0, own_venue.output
        node.check()
        with Proxy(node.url) as second:
            own_venue.start("--chain-url", node.url, "--second-node", second.url)
            assert own_venue.status()["contracts"] == first["contracts"]
            eventually(lambda: second.calls["eth_getLogs"])
            found = own_venue.live_status()["checks"]["second_node"]
            assert found == {"ok": True, "detail": "it says the same"}
            with urllib.request.urlopen(f"{first['http']}/metrics", timeout=30) as answer:
                assert b"causeway_nodes_disagree 0.0" in answer.read()
            assert own_venue.stop() == 0
    finally:
        node.stop()
