"""The chain's process: what it saves, what survives a kill, whose process it touches."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge import node
from bridge.node import Anvil, ExternalNode, NodeDied, NodeError
from tests.bridge.harness import ROOT, free_port

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


def until(look: Callable[[], Any], timeout_s: int = 10) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
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


def test_block_is_final_only_when_deep_and_saved(make: Make) -> None:
    anvil = make()
    anvil.start()
    assert anvil.final_block(0) == -1, "nothing is saved yet"
    anvil.begin_mining()
    until(lambda: anvil.saved_block() >= 2)
    assert anvil.final_block(1) <= head(anvil)["number"] - 1
    saved = json.loads((anvil._saved_path).read_bytes())
    assert saved["best_block_number"] == anvil.saved_block()
    assert anvil.final_block(100) == -1


def test_torn_or_overlapping_save_does_not_count(make: Make) -> None:
    anvil = make()
    anvil.start()
    anvil.mine(3)
    until(lambda: anvil.saved_block() == 3)
    whole = anvil._state_path.read_bytes()
    anvil.mine(1)
    anvil._state_path.write_bytes(whole + b" ")
    assert anvil.saved_block() == 3, "a save whose head is not the chain's head may hold half a block"
    anvil._state_path.write_bytes(whole[:-100])
    assert anvil.saved_block() == 3
    until(lambda: anvil.saved_block() == 4)


def test_restart_resumes_at_the_saved_time_until_time_moves_on(make: Make) -> None:
    first = make()
    first.start()
    first.mine(2)
    before = head(first)
    first.stop()
    time.sleep(3)
    second = make(port_of(first))
    second.start()
    assert second.resumed
    assert head(second) == before
    second.mine(1)
    assert head(second)["time"] <= before["time"] + 2, "time off does not count"
    now_s = int(time.time())
    second.move_time_on(now_s)
    second.mine(1)
    assert now_s <= head(second)["time"] <= now_s + 2
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


def test_mining_goes_on_every_second(make: Make) -> None:
    anvil = make()
    anvil.start()
    anvil.begin_setup()
    anvil.begin_mining()
    start = head(anvil)["number"]
    time.sleep(3.2)
    assert 2 <= head(anvil)["number"] - start <= 4


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
