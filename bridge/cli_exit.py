"""`causeway exit`: leave with everything while every process of the venue is off. One RPC URL and the wallet's key suffice.

Which tokens a wallet has in the vault is read from the contract's own logs; the contract's word on each balance counts. It
asks to leave, waits for the delay that the contract enforces, and collects. Run again at any time, it goes on from there.
"""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

from bridge.chain import Chain, Reverted, WrongChain, address_of, keccak_hex
from bridge.cli_client import CommandError, Json
from bridge.cli_options import EXIT_USAGE
from bridge.logs import Exited
from bridge.polling import poll
from bridge.rpc import ChainUnavailable, RpcClient, RpcError
from offchain_book import signatures
from offchain_book.engine.operations import Outcome

SEARCH_BLOCKS = 5_000
"""Blocks per request for logs; halved as long as the node finds it too much."""
IDS_PER_EXIT = 50
"""Most token ids per transaction."""
POLL_S = 1.0
TELL_S = 10
"""How often waiting is told."""


def _function(name: str, inputs: str, outputs: str = "") -> Json:
    def parameters(text: str) -> list[Json]:
        return [{"name": "", "type": kind} for kind in text.split(",") if kind]

    return {"type": "function", "name": name, "inputs": parameters(inputs), "outputs": parameters(outputs)}


ABI: list[Json] = [
    _function("requestExit", ""),
    _function("exit", "uint256[]"),
    _function("exitAt", "address", "uint256"),
    _function("cashOf", "address", "uint256"),
    _function("positionsOf", "address", "uint256"),
    _function("vaultBalanceOf", "address,uint256", "uint256"),
    {
        "type": "event",
        "name": "Exited",
        "inputs": [
            {"name": "wallet", "type": "address", "indexed": True},
            {"name": "cash", "type": "uint256", "indexed": False},
            {"name": "ids", "type": "uint256[]", "indexed": False},
            {"name": "finished", "type": "bool", "indexed": False},
        ],
    },
    {"type": "error", "name": "ExitAlreadyRequested", "inputs": [{"name": "exitAt", "type": "uint256"}]},
    {"type": "error", "name": "ExitNotReady", "inputs": [{"name": "exitAt", "type": "uint256"}]},
]
"""Of the venue contract, what leaving needs; nothing is read from a data folder."""

_FILLED = keccak_hex("Filled(address,address,uint256,uint256)")
_DEPOSITED = keccak_hex("Deposited(uint256,address,bytes32,address,uint256,uint256)")
_ACTED = keccak_hex("VaultActionExecuted(uint256,address,uint8,uint256,uint256,address)")
_REFUSED = keccak_hex("DeliveryRefused(address,uint256,uint256)")
_ID_WORD = {_FILLED: 0, _DEPOSITED: 1, _ACTED: 1}
"""Event -> which word of its data is a token or condition id."""

Tell = Callable[[str], None]


class Leaver:
    """One wallet on its way out."""

    def __init__(self, rpc_url: str, contract: str, key: str, tell: Tell) -> None:
        """Connect. Raises CommandError."""
        try:
            contract = signatures.parse_address(contract)
        except (signatures.InvalidAddress, ValueError) as error:
            raise CommandError(f"--contract: {error}", EXIT_USAGE) from None
        try:
            client = RpcClient(rpc_url)
            chain_id = int(client.call("eth_chainId"), 16)
            client.close()
        except (ValueError, ChainUnavailable, RpcError) as error:
            raise CommandError(f"no chain answers at {rpc_url}: {error}") from None
        self.wallet = address_of(key)
        self._key = key
        self._tell = tell
        try:
            self._chain = Chain(rpc_url, chain_id, ABI, contract)
        except WrongChain as error:
            raise CommandError(str(error)) from None
        if len(str(self._chain.rpc.call("eth_getCode", contract, "latest"))) <= 2:
            raise CommandError(f"there is no contract at {contract} on chain {chain_id}")

    def leave(self) -> Json:
        """Take everything out and return what came. Raises CommandError."""
        try:
            return self._leave()
        except (ChainUnavailable, RpcError) as error:
            raise CommandError(f"{error}; run it again, it goes on from where it is") from error
        except Reverted as error:
            raise CommandError(f"the contract refuses: {error}") from error

    def _leave(self) -> Json:
        tokens, transactions = self._tokens(), list[str]()
        cash, exit_at = self._chain.cash_of(self.wallet), self._chain.exit_at(self.wallet)
        if not tokens and not cash and not exit_at:
            return self._result(0, {}, True, transactions)
        self._tell(f"{self.wallet} has {_dollars(cash)} dollars and {len(tokens)} kinds of tokens in the vault")
        if not exit_at:
            transactions.append(self._send("requestExit", []).tx_hash)
            exit_at = self._chain.exit_at(self.wallet)
            self._tell(f"exit requested: {transactions[-1]}")
        self._wait_until(exit_at)
        tokens, cash, finished = self._tokens(), 0, False
        ids = sorted(tokens)
        for start in range(0, len(ids) or 1, IDS_PER_EXIT):
            receipt = self._send("exit", [ids[start : start + IDS_PER_EXIT]])
            transactions.append(receipt.tx_hash)
            for event in receipt.events:
                if isinstance(event, Exited) and event.wallet == self.wallet:
                    cash, finished = cash + event.cash_micros, event.finished
        return self._result(cash, tokens, finished, transactions)

    def _result(self, cash: int, tokens: dict[int, int], finished: bool, transactions: list[str]) -> Json:
        return {
            "wallet": self.wallet,
            "cash_micros": cash,
            "tokens": [{"id": str(token), "micros": amount} for token, amount in sorted(tokens.items())],
            "finished": finished,
            "transactions": transactions,
        }

    def _send(self, function: str, args: list[Any]) -> Any:
        return self._chain.transact(self._key, self._chain.address, self._chain.encode(function, args))

    def _wait_until(self, exit_at: int) -> None:
        """Return when the chain's own time has come. It can be waited for, and not be hurried."""
        told = 0.0

        def come() -> bool | None:
            nonlocal told
            left = exit_at - self._chain.head().timestamp_s
            if left > 0 and time.monotonic() - told > TELL_S:
                told = time.monotonic()
                self._tell(f"waiting for the exit delay: {left} s of the chain's time are left (until {exit_at})")
            return True if left <= 0 else None

        poll(come, POLL_S, math.inf)  # a chain that stands still is waited for

    # --- what is there -------------------------------------------------------------------------------------------------

    def _tokens(self) -> dict[int, int]:
        """Return token id -> amount of everything in the wallet's vault half."""
        conditions = {token & ~0xFF for token in self._mentioned() if token}
        ids = sorted(condition | outcome for condition in conditions for outcome in Outcome)
        amounts = self._chain.read_all([("vaultBalanceOf", (self.wallet, token)) for token in ids])
        found = {token: int(amount) for token, amount in zip(ids, amounts, strict=True) if amount}
        expected = int(self._chain.read("positionsOf", [self.wallet]))
        if len(found) != expected:
            self._tell(
                f"the contract counts {expected} kinds of tokens, this node's logs show {len(found)}: use a full node"
            )
        return found

    def _mentioned(self) -> set[int]:
        """Return every token or condition id that a log mentions together with the wallet."""
        who = "0x" + self.wallet[2:].rjust(64, "0")
        filters = ([[_FILLED, _REFUSED], who], [[_FILLED, _DEPOSITED, _ACTED], None, who])
        found: set[int] = set()
        first, head, span = 0, self._chain.head().number, SEARCH_BLOCKS
        while first <= head:
            last = min(head, first + span - 1)
            try:
                for topics in filters:
                    found |= _ids(self._logs(first, last, topics))
            except RpcError:
                if span == 1:
                    raise
                span //= 2
                continue
            first = last + 1
        return found

    def _logs(self, first: int, last: int, topics: list[Any]) -> list[Json]:
        span = {"fromBlock": hex(first), "toBlock": hex(last), "address": self._chain.address, "topics": topics}
        answer: list[Json] = self._chain.rpc.call("eth_getLogs", span)
        return answer


def _ids(logs: Iterable[Json]) -> set[int]:
    found: set[int] = set()
    for log in logs:
        kind, data = log["topics"][0], bytes.fromhex(log["data"][2:])
        if kind == _REFUSED:
            found.add(int(log["topics"][2], 16))
        else:
            word = _ID_WORD[kind]
            found.add(int.from_bytes(data[32 * word : 32 * word + 32], "big"))
    return found


def _dollars(micros: int) -> str:
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"
