"""The chain and the venue contract as Python sees them: blocks, decoded events, views, signed transactions.

The only module that imports web3. It speaks for one chain and refuses any other, and chain 137 always. It decides
nothing and stores nothing; any thread may use it. Addresses, hashes and byte strings are 0x-prefixed lower-case hex.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes
from web3 import Web3

from bridge.logs import Place, VenueEvent, venue_event
from bridge.polling import poll
from bridge.rpc import DEFAULT_TIMEOUT_MS, Call, ChainUnavailable, RpcClient, RpcError

_log = logging.getLogger(__name__)
FORBIDDEN_CHAIN_ID = 137
"""Polygon mainnet: what is signed for it moves real money."""
METHOD_NOT_FOUND = -32601
RECEIPT_POLL_MS = 20
RECEIPT_TIMEOUT_MS = 60_000
"""How long `transact` waits for a block."""
GAS_HEADROOM_PERCENT = 130
"""Of the estimate, for set-up transactions."""
_codec = Web3().codec

Abi = Sequence[Mapping[str, Any]]


class WrongChain(Exception):
    """The node serves another chain than expected, or a forbidden one. Nothing may be signed."""


class Reverted(Exception):
    """A call or a mined transaction reverted; the message names the contract's error."""

    def __init__(self, reason: str, tx_hash: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.tx_hash = tx_hash


class StateUnavailable(Exception):
    """The node no longer has (or does not have yet) the state of that block; blocks and logs are still there."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block header."""

    number: int
    hash: str
    parent_hash: str
    timestamp_s: int
    base_fee: int
    gas_limit: int


@dataclass(frozen=True, slots=True)
class TransactionReceipt:
    """What became of a mined transaction. `events` are those of the bound contract."""

    tx_hash: str
    block_number: int
    block_hash: str
    succeeded: bool
    gas_used: int
    contract_address: str
    events: tuple[VenueEvent, ...]


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """Bytes ready for broadcast."""

    raw: bytes
    tx_hash: str


def keccak_hex(text_or_bytes: str | bytes) -> str:
    """Return keccak256 as 0x hex."""
    data = text_or_bytes.encode() if isinstance(text_or_bytes, str) else text_or_bytes
    return "0x" + bytes(Web3.keccak(data)).hex()


def address_of(private_key: str) -> str:
    """Return a key's address, lower case."""
    return str(Account.from_key(private_key).address).lower()


def _type_of(parameter: Mapping[str, Any]) -> str:
    kind = str(parameter["type"])
    if kind.startswith("tuple"):
        return "(" + ",".join(_type_of(part) for part in parameter["components"]) + ")" + kind[len("tuple") :]
    return kind


def _types(parameters: Iterable[Mapping[str, Any]]) -> list[str]:
    return [_type_of(parameter) for parameter in parameters]


def _signature(entry: Mapping[str, Any]) -> str:
    return f"{entry['name']}({','.join(_types(entry['inputs']))})"


def _arguments(entry: Mapping[str, Any], args: Sequence[Any]) -> bytes:
    types = _types(entry.get("inputs", ()))
    if len(types) != len(args):
        raise ValueError(f"{entry.get('name', 'constructor')} takes {len(types)} arguments, not {len(args)}")
    return bytes(_codec.encode(types, args))


class _Interface:
    """Encoding and decoding tables of one ABI."""

    def __init__(self, abi: Abi) -> None:
        self.constructor: Mapping[str, Any] = {"inputs": ()}
        self.functions: dict[str, Mapping[str, Any]] = {}
        self.selectors: dict[str, bytes] = {}
        self.events: dict[str, Mapping[str, Any]] = {}
        self.errors: dict[str, Mapping[str, Any]] = {}
        for entry in abi:
            kind = entry["type"]
            if kind == "constructor":
                self.constructor = entry
            elif kind == "function":
                signature = _signature(entry)
                selector = bytes(Web3.keccak(text=signature))[:4]
                for name in (entry["name"], signature):
                    self.functions.setdefault(name, entry)
                    self.selectors.setdefault(name, selector)
            elif kind == "event":
                self.events[keccak_hex(_signature(entry))] = entry
            elif kind == "error":
                self.errors[keccak_hex(_signature(entry))[:10]] = entry

    def calldata(self, name: str, args: Sequence[Any]) -> bytes:
        """Encode a call; an overloaded function is named with its types."""
        return self.selectors[name] + _arguments(self.functions[name], args)

    def outputs(self, name: str, data: bytes) -> Any:
        """Decode a result: one value as itself, several as a tuple."""
        values = _codec.decode(_types(self.functions[name]["outputs"]), data)
        return values[0] if len(values) == 1 else values

    def event(self, log: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """Decode a log into (event name, fields); None when the ABI does not know it."""
        entry = self.events.get(log["topics"][0]) if log["topics"] else None
        if entry is None:
            return None
        indexed = [part for part in entry["inputs"] if part["indexed"]]
        plain = [part for part in entry["inputs"] if not part["indexed"]]
        fields: dict[str, Any] = {}
        for part, topic in zip(indexed, log["topics"][1:], strict=True):
            fields[part["name"]] = _codec.decode([_type_of(part)], _bytes(topic))[0]
        values = _codec.decode(_types(plain), _bytes(log["data"]))
        fields.update((part["name"], value) for part, value in zip(plain, values, strict=True))
        return str(entry["name"]), fields

    def error(self, data: str) -> str:
        """Describe revert data: `OutOfOrder(first=5, next=7)`."""
        if data.startswith("0x08c379a0"):
            return str(_codec.decode(["string"], _bytes(data)[4:])[0])
        if data.startswith("0x4e487b71"):
            return f"Panic({_codec.decode(['uint256'], _bytes(data)[4:])[0]:#x})"
        entry = self.errors.get(data[:10])
        if entry is None:
            return f"unknown error {data[:74]}" if data not in ("", "0x") else "reverted without a reason"
        values = _codec.decode(_types(entry["inputs"]), _bytes(data)[4:])
        pairs = (f"{part['name']}={_text(value)}" for part, value in zip(entry["inputs"], values, strict=True))
        return f"{entry['name']}({', '.join(pairs)})"


def _bytes(data: str) -> bytes:
    return bytes.fromhex(data[2:])


def _text(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def _block(answer: Any) -> Block | None:
    if answer is None:
        return None
    return Block(
        number=int(answer["number"], 16),
        hash=answer["hash"],
        parent_hash=answer["parentHash"],
        timestamp_s=int(answer["timestamp"], 16),
        base_fee=int(answer.get("baseFeePerGas") or "0x0", 16),
        gas_limit=int(answer["gasLimit"], 16),
    )


def _lower(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value.lower() if isinstance(value, str) else value for name, value in fields.items()}


class Chain:
    """One node, one chain, one venue contract (`bind` it, or pass `address`)."""

    def __init__(
        self, rpc_url: str, expected_chain_id: int, abi: Abi, address: str = "", timeout_ms: int = DEFAULT_TIMEOUT_MS
    ) -> None:
        """Connect and check the chain id. Raises WrongChain or ChainUnavailable."""
        if expected_chain_id == FORBIDDEN_CHAIN_ID:
            raise WrongChain("chain id 137 is refused: this program never signs for Polygon mainnet")
        self.chain_id = expected_chain_id
        self.address = address.lower()
        self.rpc = RpcClient(rpc_url, timeout_ms)
        self._venue = _Interface(abi)
        try:
            self._check(self.rpc.call("eth_chainId"))
        except Exception:
            self.rpc.close()
            raise

    def close(self) -> None:
        """Close idle connections."""
        self.rpc.close()

    def _check(self, answer: str) -> None:
        found = int(answer, 16)
        if found != self.chain_id:
            raise WrongChain(f"{self.rpc.url} serves chain {found}, expected {self.chain_id}")

    def bind(self, address: str) -> None:
        """Name the venue contract that views, logs and receipts are about."""
        self.address = address.lower()

    # --- blocks ------------------------------------------------------------------------------------------------------

    def head(self) -> Block:
        """Return the newest block, having checked the chain id again."""
        chain_id, answer = self.rpc.batch([("eth_chainId", ()), ("eth_getBlockByNumber", ("latest", False))])
        self._check(chain_id)
        found = _block(answer)
        if found is None:
            raise ChainUnavailable("the node has no newest block")
        return found

    def block(self, which: int | str) -> Block | None:
        """Return a block by number or hash; None when the node does not have it."""
        if isinstance(which, int):
            return _block(self.rpc.call("eth_getBlockByNumber", hex(which), False))
        return _block(self.rpc.call("eth_getBlockByHash", which, False))

    def logs(self, from_block: int, to_block: int, names: Sequence[str] = ()) -> list[VenueEvent]:
        """Return the venue's events of a range of blocks (both ends included), in order; `names` selects some kinds."""
        span = {"fromBlock": hex(from_block), "toBlock": hex(to_block)}
        return self._events(self.rpc.call("eth_getLogs", {**span, **self._filter(names)}))

    def logs_of_block(self, block_hash: str, names: Sequence[str] = ()) -> list[VenueEvent]:
        """Return the venue's events of exactly this block. Raises RpcError when the node does not know it."""
        return self._events(self.rpc.call("eth_getLogs", {"blockHash": block_hash, **self._filter(names)}))

    def _filter(self, names: Sequence[str]) -> dict[str, Any]:
        if not names:
            return {"address": self.address}
        topics = [topic for topic, entry in self._venue.events.items() if entry["name"] in names]
        return {"address": self.address, "topics": [topics]}

    def _events(self, logs: Iterable[Mapping[str, Any]]) -> list[VenueEvent]:
        events: list[VenueEvent] = []
        for log in logs:
            if log["address"].lower() != self.address or log.get("removed"):
                continue
            decoded = self._venue.event(log)
            if decoded is None:
                continue
            place = Place(int(log["blockNumber"], 16), log["blockHash"], log["transactionHash"], int(log["logIndex"], 16))
            event = venue_event(decoded[0], _lower(decoded[1]), place)
            if event is not None:
                events.append(event)
        return events

    # --- views -------------------------------------------------------------------------------------------------------

    def read(
        self, function: str, args: Sequence[Any] = (), block: int | str = "latest", to: str = "", abi: Abi | None = None
    ) -> Any:
        """Call a view at a block (number, hash or tag). Raises StateUnavailable when the node lacks its state."""
        interface = self._venue if abi is None else _Interface(abi)
        call = self._view(interface, function, args, block, to)
        return interface.outputs(function, self._called(interface, self.rpc.try_batch([call])[0]))

    def read_all(self, functions: Sequence[tuple[str, Sequence[Any]]], block: int | str = "latest") -> list[Any]:
        """Call several views of the venue at one block in one request."""
        answers = self.rpc.try_batch([self._view(self._venue, name, args, block, "") for name, args in functions])
        return [
            self._venue.outputs(name, self._called(self._venue, answer))
            for (name, _), answer in zip(functions, answers, strict=True)
        ]

    def _view(self, interface: _Interface, function: str, args: Sequence[Any], block: int | str, to: str) -> Call:
        data = "0x" + interface.calldata(function, args).hex()
        where: Any = hex(block) if isinstance(block, int) else {"blockHash": block} if block.startswith("0x") else block
        return "eth_call", ({"to": to or self.address, "data": data}, where)

    def _called(self, interface: _Interface, answer: Any) -> bytes:
        if isinstance(answer, RpcError):
            if isinstance(answer.data, str):
                raise Reverted(interface.error(answer.data)) from answer
            if _names_missing_state(answer):
                raise StateUnavailable(answer.message) from answer
            raise answer
        data = _bytes(answer)
        if not data:
            raise StateUnavailable(f"no contract at {self.address} in that block")
        return data

    def next_operation(self, block: int | str = "latest") -> int:
        """Return the number that the contract executes next."""
        return int(self.read("nextOperation", (), block))

    def skipped_operations(self, block: int | str = "latest") -> int:
        """Return how many operations were ever skipped."""
        return int(self.read("skippedOperations", (), block))

    def deposit_count(self, block: int | str = "latest") -> int:
        """Return how many deposits there ever were."""
        return int(self.read("depositCount", (), block))

    def cash_of(self, wallet: str, block: int | str = "latest") -> int:
        """Return a wallet's cash in the vault."""
        return int(self.read("cashOf", (wallet,), block))

    def vault_balance_of(self, wallet: str, token_id: str | int, block: int | str = "latest") -> int:
        """Return a wallet's tokens in the vault."""
        return int(self.read("vaultBalanceOf", (wallet, int(token_id)), block))

    def exit_at(self, wallet: str, block: int | str = "latest") -> int:
        """Return when a wallet's exit becomes effective; 0 when it is not leaving."""
        return int(self.read("exitAt", (wallet,), block))

    # --- transactions ------------------------------------------------------------------------------------------------

    def encode(self, function: str, args: Sequence[Any], abi: Abi | None = None) -> bytes:
        """Encode calldata by the venue's ABI or another."""
        return (self._venue if abi is None else _Interface(abi)).calldata(function, args)

    def nonce(self, address: str, block: str = "latest") -> int:
        """Return how many transactions of an address are mined (or, at "pending", known)."""
        return int(self.rpc.call("eth_getTransactionCount", address, block), 16)

    def native_balance(self, address: str) -> int:
        """Return an address's gas money in wei."""
        return int(self.rpc.call("eth_getBalance", address, "latest"), 16)

    def priority_fee(self) -> int:
        """Return the node's suggested tip in wei."""
        return int(self.rpc.call("eth_maxPriorityFeePerGas"), 16)

    def estimate_gas(self, sender: str, to: str, calldata: bytes) -> int:
        """Return the node's estimate. Raises Reverted when the call would revert."""
        call: dict[str, str] = {"from": sender, "data": "0x" + calldata.hex()}
        if to:
            call["to"] = to
        try:
            return int(self.rpc.call("eth_estimateGas", call), 16)
        except RpcError as error:
            raise Reverted(self._reason(error)) from error

    def simulate(self, sender: str, to: str, calldata: bytes, gas: int) -> str:
        """Run a call on the newest state. Returns "" when it would succeed, else the reason."""
        call = {"from": sender, "to": to, "data": "0x" + calldata.hex(), "gas": hex(gas)}
        try:
            self.rpc.call("eth_call", call, "latest")
        except RpcError as error:
            return self._reason(error)
        return ""

    def _reason(self, error: RpcError) -> str:
        return self._venue.error(error.data) if isinstance(error.data, str) else error.message

    def sign_transaction(self, key: str, tx: Mapping[str, Any]) -> SignedTransaction:
        """Sign a type-2 transaction for this chain: nonce, gas, maxFeePerGas, maxPriorityFeePerGas, to, data."""
        whole = {"type": 2, "chainId": self.chain_id, "value": 0, **tx}
        if whole["chainId"] != self.chain_id:
            raise WrongChain(f"asked to sign for chain {whole['chainId']} on a node of chain {self.chain_id}")
        if whole.get("to"):
            whole["to"] = Web3.to_checksum_address(whole["to"])
        signed = Account.sign_transaction(whole, key)
        return SignedTransaction(bytes(signed.raw_transaction), "0x" + bytes(signed.hash).hex())

    def sign_replacement(self, key: str, raw: bytes, gas: int, max_fee: int, priority_fee: int) -> SignedTransaction:
        """Sign the same transaction (nonce, receiver, calldata) again with other gas and fees."""
        fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        tx = {name: fields[name] for name in ("chainId", "nonce", "to", "value", "data")}
        return self.sign_transaction(key, {**tx, "gas": gas, "maxFeePerGas": max_fee, "maxPriorityFeePerGas": priority_fee})

    def send_raw(self, raw: bytes) -> str:
        """Broadcast signed bytes and return the hash. Raises RpcError when the node refuses them."""
        return str(self.rpc.call("eth_sendRawTransaction", "0x" + raw.hex()))

    def known(self, tx_hashes: Sequence[str]) -> list[bool]:
        """Return which transactions the node has, mined or waiting."""
        answers = self.rpc.batch([("eth_getTransactionByHash", (tx_hash,)) for tx_hash in tx_hashes])
        return [answer is not None for answer in answers]

    def receipt(self, tx_hash: str) -> TransactionReceipt | None:
        """Return what became of a transaction; None when it is in no block that the node follows."""
        return self._receipt(self.rpc.call("eth_getTransactionReceipt", tx_hash))

    def outcomes(self, tx_hashes: Sequence[str]) -> list[TransactionReceipt | None]:
        """Return several receipts, without their events, in one request."""
        answers = self.rpc.batch([("eth_getTransactionReceipt", (tx_hash,)) for tx_hash in tx_hashes])
        return [self._receipt(answer, with_events=False) for answer in answers]

    def _receipt(self, answer: Any, *, with_events: bool = True) -> TransactionReceipt | None:
        if answer is None or answer.get("blockHash") is None:
            return None
        return TransactionReceipt(
            tx_hash=answer["transactionHash"],
            block_number=int(answer["blockNumber"], 16),
            block_hash=answer["blockHash"],
            succeeded=answer["status"] == "0x1",
            gas_used=int(answer["gasUsed"], 16),
            contract_address=(answer.get("contractAddress") or "").lower(),
            events=tuple(self._events(answer["logs"])) if with_events else (),
        )

    # --- set-up work: one transaction at a time, waits for its block -------------------------------------------------

    def transact(
        self, key: str, to: str, calldata: bytes, value: int = 0, gas: int = 0, timeout_ms: int = RECEIPT_TIMEOUT_MS
    ) -> TransactionReceipt:
        """Send one transaction and wait for its receipt. For set-up work: nothing is stored, nothing is repeated.

        Raises Reverted, RpcError, or ChainUnavailable when it is unknown whether the transaction landed.
        """
        sender = address_of(key)
        limit = gas or self.estimate_gas(sender, to, calldata) * GAS_HEADROOM_PERCENT // 100
        tip = self.priority_fee()
        tx: dict[str, Any] = {
            "nonce": self.nonce(sender, "pending"),
            "gas": limit,
            "maxFeePerGas": 2 * self.head().base_fee + tip,
            "maxPriorityFeePerGas": tip,
            "data": calldata,
            "value": value,
        }
        if to:
            tx["to"] = to
        tx_hash = self.send_raw(self.sign_transaction(key, tx).raw)
        found = self._wait_for(tx_hash, timeout_ms)
        if not found.succeeded:
            raise Reverted(self.simulate(sender, to, calldata, limit) or "reverted", tx_hash)
        return found

    def transact_all(
        self, key: str, calls: Sequence[tuple[str, bytes, int]], gas: int, timeout_ms: int = RECEIPT_TIMEOUT_MS
    ) -> list[TransactionReceipt]:
        """Send (to, calldata, value) with consecutive nonces, so that one block can take them all; wait for all receipts.

        Each gets `gas`, because the node cannot estimate a call that builds on one before. Raises as `transact` does.
        """
        sender = address_of(key)
        nonce, tip = self.nonce(sender, "pending"), self.priority_fee()
        fees = {"gas": gas, "maxFeePerGas": 2 * self.head().base_fee + tip, "maxPriorityFeePerGas": tip}
        hashes = [
            self.send_raw(
                self.sign_transaction(key, {**fees, "nonce": nonce + n, "to": to, "data": calldata, "value": value}).raw
            )
            for n, (to, calldata, value) in enumerate(calls)
        ]
        found = [self._wait_for(tx_hash, timeout_ms) for tx_hash in hashes]
        for receipt, (to, calldata, _) in zip(found, calls, strict=True):
            if not receipt.succeeded:
                raise Reverted(self.simulate(sender, to, calldata, gas) or "reverted", receipt.tx_hash)
        return found

    def _wait_for(self, tx_hash: str, timeout_ms: int) -> TransactionReceipt:
        found = poll(lambda: self.receipt(tx_hash), RECEIPT_POLL_MS / 1000, timeout_ms / 1000)
        if found is None:
            raise ChainUnavailable(f"transaction {tx_hash} was not mined within {timeout_ms} ms")
        return found

    def deploy(self, artifact: Mapping[str, Any], args: Sequence[Any], key: str) -> str:
        """Deploy a compiled contract ({"abi", "bytecode"}; libraries already linked) and return its address."""
        bytecode = artifact["bytecode"]
        code = bytes.fromhex(str(bytecode).removeprefix("0x"))
        calldata = code + _arguments(_Interface(artifact["abi"]).constructor, args)
        return self.transact(key, "", calldata).contract_address


def _names_missing_state(error: RpcError) -> bool:
    lowered = error.message.lower()
    return error.code != METHOD_NOT_FOUND and any(
        part in lowered for part in ("outofrange", "missing trie", "not available", "not found", "unknown block")
    )
