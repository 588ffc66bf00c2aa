"""The chain's process: what it saves, what survives a kill, whose process it touches."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge import node
from bridge.node import Anvil, ExternalNode, NodeDied, NodeError
from bridge.polling import poll
from tests.bridge.harness import ROOT, free_port
from tests.bridge.waiting import PATIENCE_S

FUNDED = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
Make = Callable[..., Anvil]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make nodes on one data folder; whatever is left of them at the end is ended."""
    made: list[Anvil] = []

    def new(port: int = 0) -> Anvil:
        made.append(Anvil(node.anvil_binary(ROOT), tmp_path, port or free_port()))
        return made[-1]

    yield new
    for one in made:
        one.stop()


def head(anvil: Anvil) -> dict[str, int]:
    block = anvil.rpc.call("eth_getBlockByNumber", "latest", False)
    return {"number": int(block["number"], 16), "time": int(block["timestamp"], 16)}


def until(look: Callable[[], Any]) -> Any:
    found = poll(lambda: look() or None, 0.02, PATIENCE_S)
    assert found, "it did not happen"
    return found


def send(anvil: Anvil) -> None:
    anvil.rpc.call("eth_sendTransaction", {"from": FUNDED, "to": FUNDED, "value": "0x1"})


def killed(anvil: Anvil) -> None:
    """Kill -9 the node, as a machine that goes down would."""
    assert anvil._process is not None
    anvil._process.kill()
    anvil._process.wait()


def port_of(anvil: Anvil) -> int:
    return int(anvil.url.rsplit(":", 1)[1])


def test_block_is_final_only_when_deep_and_saved(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    anvil = make()
    anvil.start()
    with monkeypatch.context() as patch:
        patch.setattr(anvil, "_state_path", tmp_path / "not written yet")
        assert anvil.final_block(0) == -1, "nothing is saved yet"
    anvil.begin_mining()
    until(lambda: anvil.saved_block() >= 2)
    saved = json.loads((anvil._saved_path).read_bytes())
    assert saved["best_block_number"] == anvil._saved, "the copy is of the save that counts"
    assert anvil.final_block(1) <= head(anvil)["number"] - 1
    assert anvil.final_block(100) == -1


def test_torn_save_does_not_count(make: Make) -> None:
    anvil = make()
    anvil.start()
    anvil.mine(3)
    until(lambda: anvil.saved_block() == 3)
    anvil._state_path.write_bytes(anvil._state_path.read_bytes()[:-100])
    assert anvil.saved_block() == 3
    anvil.mine(1)
    until(lambda: anvil.saved_block() == 4)


def test_save_that_overlaps_a_block_does_not_count(make: Make) -> None:
    anvil = make()
    anvil.start()
    anvil.begin_setup()
    send(anvil)
    until(lambda: anvil.saved_block() == 1)
    before = anvil._saved_path.read_bytes()
    send(anvil)
    until(lambda: head(anvil)["number"] == 2)
    half = json.loads(before)
    half["accounts"][FUNDED]["nonce"] = 2
    torn_between = json.dumps(half, separators=(",", ":")).encode()
    assert anvil._holds_exactly(before, 1), "one block behind, and whole"
    assert not anvil._holds_exactly(torn_between, 1), "the head of one block with the accounts of the next"
    anvil.mine(100)
    assert not anvil._holds_exactly(before, 1), "too far behind to be checked"


def test_restart_resumes_at_the_saved_time_until_time_moves_on(make: Make) -> None:
    first = make()
    first.start()
    first.mine(2)
    before = head(first)
    first.stop()
    time.sleep(3)
    started_s = time.monotonic()
    second = make(port_of(first))
    second.start()
    assert second.resumed
    assert head(second) == before
    second.mine(1)
    ran_s = time.monotonic() - started_s
    assert head(second)["time"] <= before["time"] + ran_s + 1, "time off does not count"
    now_s = int(time.time())
    second.move_time_on(now_s)
    second.mine(1)
    assert now_s <= head(second)["time"] <= time.time() + 1
    second.move_time_on(now_s - 100)
    second.mine(1)
    assert head(second)["time"] >= now_s, "never backwards"


def test_genesis_stays_the_same_over_many_restarts(make: Make) -> None:
    port = free_port()
    hashes = set()
    for _ in range(3):
        anvil = make(port)
        anvil.start()
        anvil.mine(1)
        hashes.add(anvil.rpc.call("eth_getBlockByNumber", "0x0", False)["hash"])
        anvil.stop()
        time.sleep(1.1)
    assert len(hashes) == 1


def test_kill_loses_nothing_that_was_saved(make: Make) -> None:
    first = make()
    first.start()
    first.begin_setup()
    send(first)
    until(lambda: first.saved_block() == 1)
    killed(first)
    with pytest.raises(NodeDied):
        first.check()
    second = make(port_of(first))
    second.start()
    assert second.resumed
    assert not second.adopted
    assert head(second)["number"] == 1


@pytest.mark.parametrize("damage", ["torn", "half a block"])
def test_damaged_state_falls_back_to_the_copy(make: Make, damage: str) -> None:
    first = make()
    first.start()
    first.begin_setup()
    send(first)
    until(lambda: first.saved_block() == 1)
    killed(first)
    content = first._state_path.read_bytes()
    if damage == "torn":
        content = content[: len(content) // 2]
    else:
        state = json.loads(content)
        state["accounts"][FUNDED]["nonce"] = 2
        content = json.dumps(state, separators=(",", ":")).encode()
    first._state_path.write_bytes(content)
    second = make(port_of(first))
    second.start()
    assert head(second)["number"] == 1
    assert int(second.rpc.call("eth_getTransactionCount", FUNDED, "latest"), 16) == 1


def test_damaged_state_without_a_copy_is_one_clear_error(make: Make) -> None:
    first = make()
    first.start()
    killed(first)
    first._state_path.write_bytes(b"{")
    with pytest.raises(NodeError, match="--fresh"):
        make(port_of(first)).start()


def test_orphan_of_the_folder_is_adopted(make: Make) -> None:
    first = make()
    first.start()
    first.mine(2)
    second = make(port_of(first))
    second.start()
    assert second.adopted
    assert head(second)["number"] == 2
    second.check()
    second.stop()
    assert first._process is not None
    assert first._process.wait(5) == 0
    with pytest.raises(NodeDied):
        second.check()


def test_orphan_on_another_port_is_ended_and_its_chain_goes_on(make: Make) -> None:
    first = make()
    first.start()
    first.mine(2)
    second = make()
    second.start()
    assert not second.adopted
    assert head(second)["number"] == 2
    assert first._process is not None
    assert first._process.wait(5) == 0


def test_somebody_elses_process_is_left_alone(make: Make, tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "60"])
    try:
        record = {"pid": other.pid, "port": 1, "genesis_time_s": 1, "genesis_hash": "0x00"}
        (tmp_path / "anvil.json").write_text(json.dumps(record))
        anvil = make()
        anvil.start()
        assert not anvil.adopted
        assert other.poll() is None
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()


def test_taken_port_names_the_flag(make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(NodeError, match="--chain-port"):
            make(taken.getsockname()[1]).start()


def test_stop_after_a_crash_does_not_call_the_state_clean(make: Make) -> None:
    first = make()
    first.start()
    first.begin_setup()
    send(first)
    until(lambda: first.saved_block() == 1)
    killed(first)
    copy = first._saved_path.read_bytes()
    first._state_path.write_bytes(first._state_path.read_bytes() + b" ")
    first.stop()
    assert first._saved_path.read_bytes() == copy
    record = first._read_record()
    assert record is not None
    assert record.pid != 0


def test_another_folders_chain_on_the_port_is_left_alone(make: Make, tmp_path: Path) -> None:
    other = make()
    other.start()
    other.begin_mining()
    (tmp_path / "second").mkdir()
    refused = Anvil(node.anvil_binary(ROOT), tmp_path / "second", port_of(other))
    with pytest.raises(NodeError, match="--chain-port"):
        refused.start()
    refused.stop()
    assert other.rpc.call("anvil_getIntervalMining") == 1
    other.check()


def test_mining_goes_on_every_second(make: Make) -> None:
    anvil = make()
    anvil.start()
    anvil.begin_setup()
    anvil.begin_mining()
    assert anvil.rpc.call("anvil_getIntervalMining") == node.BLOCK_TIME_S == 1
    start = head(anvil)["number"]
    until(lambda: head(anvil)["number"] >= start + 3)
    assert anvil.rpc.call("anvil_getAutomine") is False, "a transaction waits for its block"


def test_stop_survives_a_terminal_interrupt_of_its_parent_group(make: Make) -> None:
    anvil = make()
    anvil.start()
    assert os.getpgid(anvil._pid) != os.getpgid(0), "Ctrl-C in a terminal must not reach the chain before the venue does"


def test_external_node_is_checked_and_never_stopped(make: Make) -> None:
    with pytest.raises(NodeError, match="--chain-url"):
        ExternalNode(f"http://127.0.0.1:{free_port()}").start()
    anvil = make()
    anvil.start()
    anvil.mine(5)
    external = ExternalNode(anvil.url)
    external.start()
    assert external.final_block(2) == 3
    external.stop()
    anvil.check()


def test_chain_that_a_deployment_needs_is_never_replaced_by_a_new_one(make: Make) -> None:
    """A new chain would overwrite what is left, and a copy that is restored later would not be recognised."""
    anvil = make()
    anvil.start()
    anvil.wait_saved(0)
    anvil.stop()
    record = anvil._record_path.read_bytes()
    anvil._state_path.with_name("deployment.json").write_text("{}")
    kept = anvil._state_path.read_bytes()
    anvil._state_path.unlink()
    anvil._saved_path.unlink()
    with pytest.raises(NodeError, match=r"chain-saved\.json are missing: restore"):
        make().start()
    assert anvil._record_path.read_bytes() == record
    anvil._state_path.write_bytes(kept)
    make().start()


def test_anvil_that_nobody_wrote_down_is_found(make: Make) -> None:
    """The venue was killed between starting the chain and noting its process."""
    anvil = make()
    anvil.start()
    anvil._record_path.unlink()
    again = make(anvil._port)
    again.start()
    assert not again.adopted
    assert again._pid != anvil._pid


def logging_contract(anvil: Anvil) -> str:
    """Deploy five bytes that emit an empty event whenever they are called; return the address."""
    code = "0x6460006000a060005260056" + "01bf3"
    sent = anvil.rpc.call("eth_sendTransaction", {"from": FUNDED, "data": code, "gas": hex(200_000)})
    return str(until(lambda: anvil.rpc.call("eth_getTransactionReceipt", sent))["contractAddress"])


def test_thinning_drops_old_empty_blocks_and_nothing_else(make: Make) -> None:
    """The process is another one afterwards; the head, time, logs, receipts, and what waits in the pool are as before."""
    anvil = make()
    anvil.start()
    anvil.begin_setup()
    contract = logging_contract(anvil)
    anvil.mine(40)
    called = anvil.rpc.call("eth_sendTransaction", {"from": FUNDED, "to": contract})
    receipt = until(lambda: anvil.rpc.call("eth_getTransactionReceipt", called))
    event_block = int(receipt["blockNumber"], 16)
    anvil.mine(40)
    anvil.rpc.call("evm_setAutomine", False)
    waiting = [
        anvil.rpc.call("eth_sendTransaction", {"from": FUNDED, "to": contract, "nonce": hex(nonce)}) for nonce in (2, 3, 5)
    ]
    before, pid, all_logs = head(anvil), anvil._pid, {"address": contract, "fromBlock": "0x0", "toBlock": "latest"}
    logs, started_s = anvil.rpc.call("eth_getLogs", all_logs), time.monotonic()
    size = len(anvil.rpc.call("anvil_dumpState"))
    anvil.thin(before["number"] - 10 + node.KEPT_BLOCKS, lambda: before["time"] + 1_000)
    assert anvil._pid != pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert anvil.rpc.call("eth_getLogs", {**all_logs, "toBlock": hex(before["number"])}) == logs
    assert anvil.rpc.call("eth_getTransactionReceipt", called) == receipt
    has = [number for number in range(before["number"] + 1) if anvil.rpc.call("eth_getBlockByNumber", hex(number), False)]
    assert has == [0, 1, event_block - 1, event_block, *range(before["number"] - 10, before["number"] + 1)]
    until(lambda: anvil.rpc.call("eth_getTransactionReceipt", waiting[1]))
    assert anvil.rpc.call("eth_getTransactionReceipt", waiting[2]) is None, "its nonce is not due"
    ran_s = head(anvil)["time"] - before["time"] - 1_000
    assert 0 <= ran_s <= time.monotonic() - started_s + 1
    until(lambda: anvil.saved_block() > before["number"])
    assert not anvil.is_overgrown
    assert len(anvil.rpc.call("anvil_dumpState")) < size
    killed(anvil)
    again = make(port_of(anvil))
    again.start()
    assert again.rpc.call("eth_getTransactionReceipt", called) == receipt
    assert again._thinned == before["number"]


def test_state_is_thinned_again_after_as_many_blocks_and_a_kill_on_the_way_loses_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "THIN_AFTER_BLOCKS", 30)
    anvil = make()
    anvil.start()
    anvil.mine(20)
    until(lambda: anvil.saved_block() == 20)
    assert not anvil.is_overgrown
    anvil.mine(20)
    until(lambda: anvil.saved_block() == 40)
    assert anvil.is_overgrown
    with monkeypatch.context() as patch:
        patch.setattr(anvil, "_spawn", lambda record: (_ for _ in ()).throw(NodeError("killed here")))
        with pytest.raises(NodeError, match="killed here"):
            anvil.thin(40 + node.KEPT_BLOCKS, lambda: 0)
    again = make(port_of(anvil))
    again.start()
    assert head(again)["number"] == 40
    until(lambda: again.saved_block() == 40)
    thinning = threading.Thread(target=again.thin, args=(40 + node.KEPT_BLOCKS, lambda: 0))
    thinning.start()
    while thinning.is_alive():
        with again.steady:
            again.rpc.call("eth_blockNumber")
    assert not again.is_overgrown
    assert head(again)["number"] >= 40
