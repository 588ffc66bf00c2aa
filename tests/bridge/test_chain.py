"""The chain as Python sees it: who it talks to, what it decodes, what it signs."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from bridge.chain import Chain, Reverted, StateUnavailable, WrongChain, address_of
from bridge.indexer import account_reference
from bridge.logs import Deposited
from bridge.rpc import ChainUnavailable, RpcClient, RpcError
from tests.bridge.harness import CHAIN_ID, DOLLAR, FUNDER_KEY, OPERATOR_KEY, WENDY_KEY, World, free_port


def test_chain_137_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(WrongChain, match="137"):
        Chain(f"http://127.0.0.1:{free_port()}", 137, [])


def test_unexpected_chain_id_is_refused(world: World) -> None:
    with pytest.raises(WrongChain, match=f"chain {CHAIN_ID}, expected 80002"):
        Chain(world.url, 80_002, world.abi)


def test_nothing_is_signed_for_another_chain(world: World) -> None:
    tx = {"nonce": 0, "gas": 21_000, "maxFeePerGas": 1, "maxPriorityFeePerGas": 1, "to": world.collateral}
    with pytest.raises(WrongChain):
        world.chain.sign_transaction(OPERATOR_KEY, {**tx, "chainId": 137})


def test_node_that_is_off_is_unavailable() -> None:
    with pytest.raises(ChainUnavailable):
        RpcClient(f"http://127.0.0.1:{free_port()}").call("eth_chainId")


def test_deposit_event_is_decoded(world: World) -> None:
    before = world.chain.deposit_count()
    receipt = world.deposit_for("alice", 25)
    (event,) = world.chain.logs(receipt.block_number, receipt.block_number)
    assert isinstance(event, Deposited)
    assert (event.index, event.wallet, event.token_id, event.amount_micros) == (
        before,
        world.chain.address,
        "0",
        25 * DOLLAR,
    )
    assert event.account_reference == account_reference("alice")
    assert event.from_address == address_of(FUNDER_KEY)
    assert event.place.tx_hash == receipt.tx_hash
    assert receipt.events == (event,)
    assert world.chain.logs_of_block(receipt.block_hash) == [event]
    assert world.chain.deposit_count() == before + 1


def test_views_answer_at_a_block(world: World) -> None:
    wendy = address_of(WENDY_KEY)
    block = world.deposit(WENDY_KEY, 10).block_number
    world.deposit(WENDY_KEY, 5)
    assert world.chain.cash_of(wendy) == 15 * DOLLAR
    assert world.chain.cash_of(wendy, block) == 10 * DOLLAR
    assert world.chain.read_all([("cashOf", (wendy,)), ("nextOperation", ())], block) == [10 * DOLLAR, 0]


def test_pruned_state_is_told_from_a_refusal(world: World) -> None:
    block = world.deposit(WENDY_KEY, 1).block_number
    world.mine(80)
    with pytest.raises(StateUnavailable):
        world.chain.deposit_count(block)
    assert len(world.chain.logs(block, block)) == 1


def test_contract_errors_have_names(world: World) -> None:
    calldata = world.chain.encode("settleBatch", [5, b""])
    with pytest.raises(Reverted, match=r"OutOfOrder\(first=5, next=0\)"):
        world.chain.transact(OPERATOR_KEY, world.chain.address, calldata)
    with pytest.raises(Reverted, match=rf"NotOperator\(caller={address_of(WENDY_KEY)}\)"):
        world.chain.transact(WENDY_KEY, world.chain.address, calldata)
    assert world.chain.simulate(address_of(OPERATOR_KEY), world.chain.address, calldata, 10**6) == (
        "OutOfOrder(first=5, next=0)"
    )


def test_replacement_differs_in_gas_and_fees_only(world: World) -> None:
    tx = {
        "nonce": 7,
        "gas": 50_000,
        "maxFeePerGas": 10,
        "maxPriorityFeePerGas": 2,
        "to": world.chain.address,
        "data": b"\x12\x34",
    }
    first = world.chain.sign_transaction(OPERATOR_KEY, tx)
    second = world.chain.sign_replacement(OPERATOR_KEY, first.raw, 40_000, 12, 3)
    other = {"gas": 40_000, "maxFeePerGas": 12, "maxPriorityFeePerGas": 3}
    assert second == world.chain.sign_transaction(OPERATOR_KEY, {**tx, **other})
    assert second.tx_hash != first.tx_hash


class _Answers(BaseHTTPRequestHandler):
    """Answers each request with the next of a list of (status, body)."""

    script: list[tuple[int, Any]]

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, body = self.script.pop(0)
        text = body(request) if callable(body) else body
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def scripted() -> Iterator[tuple[RpcClient, list[tuple[int, Any]]]]:
    """Return a client of a server that answers by script."""
    script: list[tuple[int, Any]] = []
    handler = type("Handler", (_Answers,), {"script": script})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        client = RpcClient(f"http://127.0.0.1:{server.server_port}", 30_000)
        yield client, script
        client.close()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, b"busy"),
        (429, b"slow down"),
        (200, b'{"jsonrpc":"2.0","id":1,"resu'),
        (200, b'{"jsonrpc":"2.0","id":999,"result":"0x1"}'),
        (200, b'{"jsonrpc":"2.0","id":1}'),
    ],
)
def test_unusable_answers_mean_not_knowing(
    scripted: tuple[RpcClient, list[tuple[int, Any]]], status: int, body: bytes
) -> None:
    client, script = scripted
    script.append((status, body))
    with pytest.raises(ChainUnavailable):
        client.call("eth_blockNumber")


def test_batch_answers_are_put_in_order_and_refusals_stay_in_place(
    scripted: tuple[RpcClient, list[tuple[int, Any]]],
) -> None:
    client, script = scripted

    def shuffled(request: Any) -> bytes:
        error = {"id": request[1]["id"], "error": {"code": -32601, "message": "no such method"}}
        return json.dumps([error, {"id": request[0]["id"], "result": "0x5"}]).encode()

    script += [(200, shuffled), (200, shuffled)]
    calls = [("eth_blockNumber", ()), ("nonsense", ())]
    good, bad = client.try_batch(calls)
    assert good == "0x5"
    assert isinstance(bad, RpcError)
    assert bad.code == -32601
    with pytest.raises(RpcError, match="no such method"):
        client.batch(calls)
