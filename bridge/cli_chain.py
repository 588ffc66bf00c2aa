"""`causeway chain`: only the data folder's chain, without the venue. For leaving while the venue is off, and for tools."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from bridge.clock import VenueClock
from bridge.datadir import DataDir
from bridge.node import Anvil, anvil_binary
from bridge.rpc import ChainUnavailable
from bridge.stop_signal import StopSignal

WATCH_S = 0.15


def run(root: Path, data_dir: Path, port: int, ready: Callable[[str, str], None]) -> None:
    """Run the chain until SIGINT or SIGTERM; `ready` gets its version and URL. Raises NodeError, DataDirInUse."""
    stop = StopSignal()
    data = DataDir(data_dir)
    data.lock()
    node = Anvil(anvil_binary(root), data.path, port)
    try:
        node.start()
        node.begin_mining()
        node.move_time_on(VenueClock(data)() // 1_000)
        ready(node.version, node.url)
        while not stop.wait(WATCH_S):
            node.check()
            with contextlib.suppress(ChainUnavailable):
                node.saved_block()
    finally:
        node.stop()
        data.unlock()
