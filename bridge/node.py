"""The chain's process in development: anvil's own binary, started, adopted, paused in time, saved and stopped.

Owns `chain-state.json` (anvil's), `chain-saved.json` (the newest complete copy of it), `anvil.json` (who runs) and
`logs/anvil.log` in the data folder. Knows nothing of contracts. Every function blocks: call it from a worker thread.

What anvil 1.7.1 does, measured, and what follows from it:

* It writes its state in place every second, on a clock of its own. A file may be torn, and a dump that overlaps a block
  may hold the accounts of one block and the head of the one before. So mining runs half a second out of step with saving,
  a dump counts only when the head is still its head, and what counts is copied aside at once.
* After a restart the first block carries wall time, however long it was off. So time is set back to the saved head, what
  the chain forgot can be sent again before its deadline, and `move_time_on` ends that.
* Each start makes a new genesis block beside the saved one unless `--timestamp` repeats the first.
"""

import contextlib
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bridge.rpc import ChainUnavailable, RpcClient, RpcError

CHAIN_ID = 31_337
MNEMONIC = "test test test test test test test test test test test junk"
ACCOUNTS = 10
GAS_LIMIT = 60_000_000
BLOCK_TIME_S = 1
HISTORY_STATES = 64
"""States of old blocks that anvil keeps; without the option it fills the disk."""
START_TIMEOUT_MS = 15_000
STOP_TIMEOUT_MS = 15_000
_POLL_S = 0.02
_TAIL = b'"historical_states":null}'
_BEST = b'"best_block_number":'


class NodeError(Exception):
    """The chain's process cannot be started, found or trusted; the message says what to do."""


class NodeDied(NodeError):
    """The chain's process ended by itself."""


@dataclass(frozen=True, slots=True)
class _Running:
    """What `anvil.json` keeps about the process, so that the next `up` can find it again."""

    pid: int
    port: int
    genesis_time_s: int
    genesis_hash: str


def anvil_binary(root: Path) -> Path:
    """Return anvil's own binary for this machine; npm's wrapper would leave it running when killed."""
    system = {"Darwin": "darwin", "Linux": "linux", "Windows": "win32"}.get(platform.system(), platform.system())
    machine = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    folder = root / "node_modules" / "@foundry-rs" / f"anvil-{system}-{machine}" / "bin"
    path = folder / ("anvil.exe" if system == "win32" else "anvil")
    if not os.access(path, os.X_OK):
        raise NodeError(f"{path} is missing: run `make setup` (npm installs the chain, anvil)")
    return path


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _command_line(pid: int) -> str:
    """Return a process's command line; empty when it is gone or a zombie."""
    proc = Path(f"/proc/{pid}/cmdline")
    if proc.parent.parent.is_dir():
        try:
            return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    done = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout


def _complete_head(content: bytes) -> int:
    """Return the head of a state file, -1 when the file is torn."""
    if not content.rstrip().endswith(_TAIL):
        return -1
    start = content.find(_BEST)
    if start < 0:
        return -1
    digits = content[start + len(_BEST) : start + len(_BEST) + 20].split(b",")[0].strip()
    return int(digits) if digits.isdigit() else -1


def _accounts_match_blocks(content: bytes, head: int) -> bool:
    """Return whether no account has sent more than the blocks up to `head` show: false for a dump amid a block."""
    state: dict[str, Any] = json.loads(content)
    sent: dict[str, int] = {}
    for transaction in state["transactions"]:
        if int(transaction["block_number"]) <= head:
            info = transaction["info"]
            sent[info["from"]] = max(sent.get(info["from"], 0), int(info["nonce"]) + 1)
    return all(
        int(account["nonce"]) <= sent.get(address, 0)
        for address, account in state["accounts"].items()
        if account["code"] == "0x"
    )


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves the old or the new one."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)


class ExternalNode:
    """A node that somebody else runs (`--chain-url`). A block is final at the configured depth."""

    version = "external"

    def __init__(self, url: str) -> None:
        self.url = url
        self.rpc = RpcClient(url)
        self.adopted = True
        self.resumed = False

    def start(self) -> None:
        """Check that it answers."""
        try:
            self.rpc.call("eth_chainId")
        except ChainUnavailable as error:
            raise NodeError(f"no chain answers at {self.url}: start it, or correct --chain-url") from error

    def begin_setup(self) -> None:
        """Its own rules decide when it mines."""

    def mine(self, blocks: int) -> None:
        """It mines as it likes."""

    def wait_saved(self, block_number: int) -> None:
        """Its owner cares for its state."""

    def begin_mining(self) -> None:
        """It mines as it likes."""

    def move_time_on(self, now_s: int) -> None:
        """Its time is its own."""

    def check(self) -> None:
        """Its owner watches it; the indexer reports when finality stands still."""

    def final_block(self, confirmations: int) -> int:
        """Return the newest block that counts as final, -1 when none does."""
        return max(-1, int(self.rpc.call("eth_blockNumber"), 16) - confirmations)

    def stop(self) -> None:
        """Leave it running."""
        self.rpc.close()


class Anvil:
    """The data folder's own anvil: a child that outlives us when we are killed, and is adopted by the next `up`."""

    def __init__(self, binary: Path, data_dir: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.rpc = RpcClient(self.url)
        self.adopted = False
        self.resumed = False
        """True when an older chain was loaded and its time stands back until `move_time_on`."""
        self.version = "anvil"
        self._binary = binary
        self._port = port
        self._state_path = data_dir / "chain-state.json"
        self._saved_path = data_dir / "chain-saved.json"
        self._record_path = data_dir / "anvil.json"
        self._log_path = data_dir / "logs" / "anvil.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._started_at = 0.0
        self._saved = -1
        self._seen: tuple[int, int] = (0, 0)
        self._lock = threading.Lock()

    # --- start ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Adopt the folder's orphan, or start anew from the saved state. Raises NodeError."""
        record = self._read_record()
        if record is not None and self._is_ours(record.pid):
            if record.port == self._port and self._answers_as(record):
                self._pid, self.adopted = record.pid, True
                self.version = self._client_version()
                return
            self._end(record.pid)
        if not port_is_free(self._port):
            raise NodeError(f"port {self._port} is taken by another program: choose another with --chain-port")
        self._choose_state(stopped_cleanly=record is None or record.pid == 0)
        self._spawn(record)
        self._wait_ready()
        self._hold_time(record)

    def stop_orphan(self) -> None:
        """End the anvil that a killed venue left running on this folder, if there is one."""
        record = self._read_record()
        if record is not None:
            self._end(record.pid)

    def _read_record(self) -> _Running | None:
        try:
            return _Running(**json.loads(self._record_path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _write_record(self, record: _Running) -> None:
        _replace(self._record_path, json.dumps(asdict(record)).encode())

    def _is_ours(self, pid: int) -> bool:
        """Whether this process is an anvil that writes this folder's state file."""
        return pid > 0 and f"--state {self._state_path} " in _command_line(pid)

    def _answers_as(self, record: _Running) -> bool:
        try:
            genesis = self.rpc.call("eth_getBlockByNumber", "0x0", False)
            return int(self.rpc.call("eth_chainId"), 16) == CHAIN_ID and genesis["hash"] == record.genesis_hash
        except (ChainUnavailable, RpcError):
            return False

    def _choose_state(self, stopped_cleanly: bool) -> None:
        """Put the newest state that can be trusted where anvil reads it."""
        live = self._state_path.read_bytes() if self._state_path.exists() else b""
        head = _complete_head(live)
        if head >= 0 and (stopped_cleanly or _accounts_match_blocks(live, head)):
            return
        if self._saved_path.exists():
            shutil.copyfile(self._saved_path, self._state_path)
        elif live:
            raise NodeError(
                f"{self._state_path} is damaged and no copy of it was kept: "
                "restore it from a backup, or start over with --fresh"
            )

    def _spawn(self, record: _Running | None) -> None:
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self.resumed = record is not None and self._state_path.exists()
        command = [str(self._binary), "--chain-id", str(CHAIN_ID), "--hardfork", "cancun"]
        command += ["--host", "127.0.0.1", "--port", str(self._port), "--no-mining"]
        command += ["--accounts", str(ACCOUNTS), "--mnemonic", MNEMONIC, "--gas-limit", str(GAS_LIMIT)]
        command += ["--prune-history", str(HISTORY_STATES)]
        if self.resumed and record is not None:
            command += ["--timestamp", str(record.genesis_time_s)]
        command += ["--state", str(self._state_path), "--state-interval", "1"]
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._pid = self._process.pid
        self._started_at = time.monotonic()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_MS / 1000
        while time.monotonic() < deadline:
            self.check()
            with contextlib.suppress(ChainUnavailable):
                self.rpc.call("eth_chainId")
                self.version = self._client_version()
                return
            time.sleep(_POLL_S)
        self.stop()
        raise NodeError(f"the chain does not answer at {self.url} after {START_TIMEOUT_MS} ms: see {self._log_path}")

    def _client_version(self) -> str:
        return str(self.rpc.call("web3_clientVersion")).replace("/v", " ")

    def _hold_time(self, record: _Running | None) -> None:
        """Let a resumed chain go on from its saved time, and remember who runs."""
        head = self.rpc.call("eth_getBlockByNumber", "latest", False)
        if self.resumed:
            self.rpc.call("evm_setTime", int(head["timestamp"], 16))
        genesis = self.rpc.call("eth_getBlockByNumber", "0x0", False)
        if record is not None and self.resumed and genesis["hash"] != record.genesis_hash:
            self.stop()
            raise NodeError(f"{self._state_path} belongs to another chain: restore it, or start over with --fresh")
        self._write_record(_Running(self._pid, self._port, int(genesis["timestamp"], 16), genesis["hash"]))

    # --- mining and time --------------------------------------------------------------------------------------------

    def begin_setup(self) -> None:
        """Mine each transaction at once, while a new deployment is made."""
        self.rpc.call("evm_setAutomine", True)

    def mine(self, blocks: int) -> None:
        """Mine empty blocks at once."""
        self.rpc.call("anvil_mine", blocks)

    def begin_mining(self) -> None:
        """Mine every second from now on, half a second out of step with saving."""
        self.rpc.call("evm_setAutomine", False)
        if self.rpc.call("anvil_getIntervalMining") == BLOCK_TIME_S:
            return
        time.sleep((0.5 - (time.monotonic() - self._started_at)) % 1.0)
        self.rpc.call("evm_setIntervalMining", BLOCK_TIME_S)

    def move_time_on(self, now_s: int) -> None:
        """Let the next block carry `now_s` and go on from there; never backwards."""
        head = self.rpc.call("eth_getBlockByNumber", "latest", False)
        if now_s > int(head["timestamp"], 16):
            self.rpc.call("evm_setNextBlockTimestamp", now_s)

    # --- what is saved ----------------------------------------------------------------------------------------------

    def saved_block(self) -> int:
        """Return the newest block that survives a kill of everything, -1 when none does."""
        with self._lock:
            try:
                stat = self._state_path.stat()
                seen = (stat.st_mtime_ns, stat.st_size)
                if seen != self._seen:
                    self._take_copy(seen)
            except FileNotFoundError:
                return -1
            return self._saved

    def _take_copy(self, seen: tuple[int, int]) -> None:
        content = self._state_path.read_bytes()
        head = _complete_head(content)
        if head < 0 or int(self.rpc.call("eth_blockNumber"), 16) != head:
            return
        after = self._state_path.stat()
        if (after.st_mtime_ns, after.st_size) == seen:
            _replace(self._saved_path, content)
            self._saved, self._seen = head, seen

    def wait_saved(self, block_number: int) -> None:
        """Return when a saved state contains this block."""
        deadline = time.monotonic() + START_TIMEOUT_MS / 1000
        while self.saved_block() < block_number:
            if time.monotonic() > deadline:
                raise NodeError(f"the chain does not save its state to {self._state_path}: is the disk full?")
            time.sleep(_POLL_S)

    def final_block(self, confirmations: int) -> int:
        """Return the newest block that counts as final, -1 when none does: deep enough, and saved."""
        head = int(self.rpc.call("eth_blockNumber"), 16)
        return max(-1, min(head - confirmations, self.saved_block()))

    # --- end --------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise NodeDied when the process is gone."""
        gone = self._process.poll() is not None if self._process else not self._is_ours(self._pid)
        if gone:
            raise NodeDied(f"the chain (anvil, pid {self._pid}) ended by itself: see {self._log_path}")

    def stop(self) -> None:
        """Stop the process; it saves its state first."""
        with contextlib.suppress(ChainUnavailable, RpcError):
            self.rpc.call("evm_setIntervalMining", 0)
        self.rpc.close()
        self._end(self._pid)
        content = self._state_path.read_bytes() if self._state_path.exists() else b""
        record = self._read_record()
        if _complete_head(content) >= 0 and record is not None:
            _replace(self._saved_path, content)
            self._write_record(_Running(0, record.port, record.genesis_time_s, record.genesis_hash))

    def _end(self, pid: int) -> None:
        """End a process of ours: SIGINT saves the state, SIGKILL is the last resort."""
        for number, patience_ms in ((signal.SIGINT, STOP_TIMEOUT_MS), (signal.SIGKILL, STOP_TIMEOUT_MS)):
            if not self._alive(pid):
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = time.monotonic() + patience_ms / 1000
            while self._alive(pid) and time.monotonic() < deadline:
                time.sleep(_POLL_S)

    def _alive(self, pid: int) -> bool:
        if self._process is not None and self._process.pid == pid:
            return self._process.poll() is None
        return self._is_ours(pid)
