"""The chain's process in development: anvil's own binary, started, adopted, paused in time, saved and stopped.

Owns `chain-state.json` (anvil's), `chain-saved.json` (the newest complete copy of it), `anvil.json` (who runs) and
`logs/anvil.log` in the data folder. Knows nothing of contracts. Every function blocks: call it from a worker thread.

What anvil 1.7.1 does, measured, and what follows from it:

* It writes its state in place about every second, on a clock that drifts against mining. A file may be torn, and a dump
  that overlaps a block may hold the accounts of one block and the head of the one before. So a dump counts only when the
  next block that has transactions is not in its accounts, which a nonce tells, and what counts is copied aside at once.
* After a restart the first block carries wall time, however long it was off. So time is set back to the saved head, what
  the chain forgot can be sent again before its deadline, and `move_time_on` ends that.
* Each start makes a new genesis block beside the saved one unless `--timestamp` repeats the first.
* It keeps every block in memory and in every save, 1.5 kB for an empty one. So from time to time it is started anew on a state
  without the old empty ones (`thin`).
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
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bridge.chain_state import accounts_match_blocks, complete_head, nonce_in, thinned
from bridge.polling import poll
from bridge.rpc import ChainUnavailable, RpcClient, RpcError

CHAIN_ID = 31_337
MNEMONIC = "test test test test test test test test test test test junk"
ACCOUNTS = 10
GAS_LIMIT = 60_000_000
BLOCK_TIME_S = 1
HISTORY_STATES = 64
"""States of old blocks that anvil keeps; without the option it fills the disk."""
THIN_AFTER_BLOCKS = 2_000
"""The process is started anew without old empty blocks when it has made so many: every half hour."""
KEPT_BLOCKS = 512
"""Empty blocks before the final one that stay: contracts may ask for the hashes of 256, and reorgs end far above."""
START_TIMEOUT_MS = 15_000
STOP_TIMEOUT_MS = 15_000
MAX_BLOCKS_BEHIND = 64
"""A state file that is further behind the head says nothing."""
_POLL_S = 0.02


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
    thinned_block: int = 0
    """The head when the process was last started without old empty blocks."""


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
        self.steady = threading.Lock()
        """As in `Anvil`; nothing here starts the node anew."""

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
        self._saved = -1
        self._seen: tuple[int, int] = (0, 0)
        self._thinned = 0
        self._lock = threading.Lock()
        self._life = threading.RLock()
        """Held while the process is started anew or stopped: both may be asked for at once."""
        self.steady = threading.Lock()
        """Hold it for work that must not meet the half second without a process; for seconds, not longer."""

    # --- start ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Adopt the folder's orphan, or start anew from the saved state. Raises NodeError."""
        record = self._read_record()
        self._thinned = 0 if record is None else record.thinned_block
        if record is not None and self._can_adopt(record):
            self._pid, self.adopted = record.pid, True
            self.version = self._client_version()
            return
        self.stop_orphan()
        if not port_is_free(self._port):
            raise NodeError(f"port {self._port} is taken by another program: choose another with --chain-port")
        self._choose_state(stopped_cleanly=record is None or record.pid == 0)
        self._spawn(record)
        self._wait_ready()
        self._hold_time(record)

    def stop_orphan(self) -> None:
        """End the anvil that a killed venue left running on this folder, if there is one."""
        for pid in self._orphans():
            self._end(pid)
            self._wait_for_port()

    def _wait_for_port(self) -> None:
        """A process that ends has no command line any more a moment before its sockets are closed."""
        poll(lambda: port_is_free(self._port) or None, _POLL_S, STOP_TIMEOUT_MS / 1000)

    def _orphans(self) -> list[int]:
        """Return every anvil of this folder; a venue that was killed as it started one had not written it down yet."""
        listed = subprocess.run(["ps", "-ww", "-eo", "pid=,command="], capture_output=True, text=True, check=False)
        rows = (line.split(maxsplit=1) for line in listed.stdout.splitlines())
        return [int(row[0]) for row in rows if len(row) == 2 and f"--state {self._state_path} " in row[1]]

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

    def _can_adopt(self, record: _Running) -> bool:
        return self._is_ours(record.pid) and record.port == self._port and self._answers_as(record)

    def _answers_as(self, record: _Running) -> bool:
        try:
            genesis = self.rpc.call("eth_getBlockByNumber", "0x0", False)
            return int(self.rpc.call("eth_chainId"), 16) == CHAIN_ID and genesis["hash"] == record.genesis_hash
        except (ChainUnavailable, RpcError):
            return False

    def _choose_state(self, stopped_cleanly: bool) -> None:
        """Put the newest state that can be trusted where anvil reads it."""
        live = self._state_path.read_bytes() if self._state_path.exists() else b""
        head = complete_head(live)
        if head >= 0 and (stopped_cleanly or accounts_match_blocks(live, head)):
            return
        if self._saved_path.exists():
            shutil.copyfile(self._saved_path, self._state_path)
        elif live:
            raise NodeError(
                f"{self._state_path} is damaged and no copy of it was kept: "
                "restore it from a backup, or start over with --fresh"
            )
        elif self._is_needed:
            raise NodeError(
                f"{self._state_path} and its copy chain-saved.json are missing: restore them, or start over with --fresh"
            )

    @property
    def _is_needed(self) -> bool:
        """Whether a venue was deployed on this folder's chain; then a new chain in its place would only hide the loss."""
        return self._state_path.with_name("deployment.json").exists()

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

    def _wait_ready(self) -> None:
        if poll(self._answers, _POLL_S, START_TIMEOUT_MS / 1000) is None:
            self.stop()
            raise NodeError(f"the chain does not answer at {self.url} after {START_TIMEOUT_MS} ms: see {self._log_path}")
        self.version = self._client_version()

    def _answers(self) -> bool | None:
        """True when it answers, None when not yet. Raises NodeDied."""
        self.check()
        with contextlib.suppress(ChainUnavailable):
            self.rpc.call("eth_chainId")
            return True
        return None

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
        genesis_time_s = int(genesis["timestamp"], 16)
        self._write_record(_Running(self._pid, self._port, genesis_time_s, genesis["hash"], self._thinned))

    # --- mining and time --------------------------------------------------------------------------------------------

    def begin_setup(self) -> None:
        """Mine each transaction at once, while a new deployment is made."""
        self.rpc.call("evm_setAutomine", True)

    def mine(self, blocks: int) -> None:
        """Mine empty blocks at once."""
        self.rpc.call("anvil_mine", blocks)

    def begin_mining(self) -> None:
        """Mine every second from now on."""
        self.rpc.call("evm_setAutomine", False)
        if self.rpc.call("anvil_getIntervalMining") != BLOCK_TIME_S:
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
        head = complete_head(content)
        if head < 0 or not self._holds_exactly(content, head):
            return
        after = self._state_path.stat()
        if (after.st_mtime_ns, after.st_size) == seen:
            _replace(self._saved_path, content)
            self._saved, self._seen = head, seen

    def _holds_exactly(self, content: bytes, head: int) -> bool:
        """Return whether the accounts in a state file are those after its head, and not after the next block already."""
        newest = int(self.rpc.call("eth_blockNumber"), 16)
        if not head <= newest <= head + MAX_BLOCKS_BEHIND:
            return False
        for number in range(head + 1, newest + 1):
            block = self.rpc.call("eth_getBlockByNumber", hex(number), True)
            if block is None:
                return False
            if block["transactions"]:
                first = block["transactions"][0]
                return nonce_in(content, first["from"].lower()) <= int(first["nonce"], 16)
        return True

    def wait_saved(self, block_number: int) -> None:
        """Return when a saved state contains this block."""
        if poll(lambda: self.saved_block() >= block_number or None, _POLL_S, START_TIMEOUT_MS / 1000) is None:
            raise NodeError(f"the chain does not save its state to {self._state_path}: is the disk full?")

    def final_block(self, confirmations: int) -> int:
        """Return the newest block that counts as final, -1 when none does: deep enough, and saved."""
        head = int(self.rpc.call("eth_blockNumber"), 16)
        return max(-1, min(head - confirmations, self.saved_block()))

    # --- long lives -------------------------------------------------------------------------------------------------

    @property
    def is_overgrown(self) -> bool:
        """Whether so many blocks were made that `thin` is worth its second without a chain."""
        return self._saved - self._thinned >= THIN_AFTER_BLOCKS

    def thin(self, final_block: int, now_s: Callable[[], int]) -> None:
        """Start the process anew without the empty blocks long before `final_block`; time goes on at `now_s()`.

        Blocks with transactions stay, with their logs and receipts, and so does what waits in the pool. Nothing is lost if anything
        is killed on the way: the state is saved before the process ends, and replaced at once or not at all.
        """
        with self.steady, self._life:
            record = self._read_record()
            if record is None:
                return
            try:
                waiting = self._quiesce()
            except ChainUnavailable:
                self.begin_mining()
                raise
            try:
                self._start_thinned(record, final_block - KEPT_BLOCKS)
                for raw in waiting:
                    with contextlib.suppress(RpcError):
                        self.rpc.call("eth_sendRawTransaction", raw)
                self.move_time_on(now_s())
                self.begin_mining()
            except ChainUnavailable as error:
                raise NodeError(f"the chain did not go on after it was thinned ({error}): see {self._log_path}") from error

    def _start_thinned(self, record: _Running, keep_from: int) -> None:
        head = self._saved
        self._end(self._pid)
        self._wait_for_port()
        content = self._state_path.read_bytes()
        if complete_head(content) < head:
            content = self._saved_path.read_bytes()
        _replace(self._state_path, thinned(content, keep_from))
        self._thinned = head
        self._spawn(record)
        self._wait_ready()
        self._hold_time(record)

    def _quiesce(self) -> list[str]:
        """Stop mining, wait until everything is saved, and return the transactions that wait."""
        self.rpc.call("evm_setIntervalMining", 0)
        self.wait_saved(int(self.rpc.call("eth_blockNumber"), 16))
        return self._pool()

    def _pool(self) -> list[str]:
        """Return the transactions that wait, as bytes, each sender's in order."""
        content = self.rpc.call("txpool_content")
        waiting = [
            sent[nonce]["hash"]
            for part in ("pending", "queued")
            for sent in content[part].values()
            for nonce in sorted(sent, key=int)
        ]
        return [self.rpc.call("eth_getRawTransactionByHash", tx_hash) for tx_hash in waiting]

    # --- end --------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise NodeDied when the process is gone."""
        gone = self._process.poll() is not None if self._process else not self._is_ours(self._pid)
        if gone:
            raise NodeDied(f"the chain (anvil, pid {self._pid}) ended by itself: see {self._log_path}")

    def stop(self) -> None:
        """Stop the process; it saves its state first."""
        with self._life:
            self._stop()

    def _stop(self) -> None:
        if not self._pid or not self._alive(self._pid):
            self.rpc.close()
            return  # whoever answers at this port is somebody else's, and a state that a crash left is not clean
        with contextlib.suppress(ChainUnavailable, RpcError):
            self.rpc.call("evm_setIntervalMining", 0)
        self.rpc.close()
        self._end(self._pid)
        content = self._state_path.read_bytes() if self._state_path.exists() else b""
        record = self._read_record()
        if complete_head(content) >= 0 and record is not None:
            _replace(self._saved_path, content)
            self._write_record(replace(record, pid=0))

    def _end(self, pid: int) -> None:
        """End a process of ours: SIGINT saves the state, SIGKILL is the last resort."""
        for number, patience_ms in ((signal.SIGINT, STOP_TIMEOUT_MS), (signal.SIGKILL, STOP_TIMEOUT_MS)):
            if not self._alive(pid):
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            poll(lambda: None if self._alive(pid) else True, _POLL_S, patience_ms / 1000)

    def _alive(self, pid: int) -> bool:
        if self._process is not None and self._process.pid == pid:
            return self._process.poll() is None
        return self._is_ours(pid)
