"""A private anvil for tests: the binary on a free port, a thin client for it, and what its answers mean."""

import itertools
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from hexbytes import HexBytes
from web3 import Web3
from web3.datastructures import AttributeDict

from bridge.node import anvil_binary
from bridge.venue_process import free_port

ROOT = Path(__file__).resolve().parents[2]
CHAIN_ID = 31_337
PATIENCE_S = 120
"""It only tells what hangs from what a busy machine does late."""


class Node:
    """A thin JSON-RPC client over one kept connection; ten times quicker than web3's."""

    def __init__(self, port: int) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self.ids = itertools.count()

    def call(self, method: str, *params: Any) -> Any:
        answer = self.raw(method, *params)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def raw(self, method: str, *params: Any) -> dict[str, Any]:
        body = json.dumps({"jsonrpc": "2.0", "id": next(self.ids), "method": method, "params": params})
        self.connection.request("POST", "/", body, {"Content-Type": "application/json"})
        return dict(json.loads(self.connection.getresponse().read()))


@contextmanager
def running_anvil(root: Path = ROOT, *, chain_id: int = CHAIN_ID, genesis_s: int | None = None) -> Iterator[Node]:
    """Start anvil's own binary on a free port and stop it by its id.

    Its clock stands still but for what a test lets pass, so that no busy machine lets a deadline pass; with `genesis_s` it
    counts blocks from there.
    """
    port = free_port()
    arguments = f"--port {port} --chain-id {chain_id} --hardfork cancun --prune-history 256 --silent".split()
    limits = ["--gas-limit", "60000000", "--auto-impersonate", "--base-fee", "0"]
    extra = os.environ.get("STAGE_ANVIL", "").split()
    if genesis_s is not None:
        extra += ["--timestamp", str(genesis_s)]
    process = subprocess.Popen(
        [str(anvil_binary(root)), *arguments, *limits, *extra],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                node = Node(port)
                node.call("eth_chainId")
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError("anvil did not start") from None
                time.sleep(0.02)
        node.call("anvil_setBlockTimestampInterval", 0 if genesis_s is None else 1)
        yield node
        node.connection.close()
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def checksummed(kind: str, value: Any) -> Any:
    return Web3.to_checksum_address(value) if kind == "address" else value


def abi_type(item: dict[str, Any]) -> str:
    if item["type"].startswith("tuple"):
        inner = ",".join(abi_type(component) for component in item["components"])
        return f"({inner}){item['type'][5:]}"
    return str(item["type"])


def web3_log(log: dict[str, Any]) -> Any:
    return AttributeDict(
        {
            "address": Web3.to_checksum_address(log["address"]),
            "topics": [HexBytes(topic) for topic in log["topics"]],
            "data": HexBytes(log["data"]),
            "blockNumber": int(log["blockNumber"], 16),
            "transactionHash": HexBytes(log["transactionHash"]),
            "transactionIndex": int(log["transactionIndex"], 16),
            "blockHash": HexBytes(log["blockHash"]),
            "logIndex": int(log["logIndex"], 16),
        }
    )
