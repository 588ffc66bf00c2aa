"""The chain's side of the operator's routes: conditions, test money, settlement on demand, venue time.

Implements `Hooks` of `offchain_book/gateways/admin.py`. It sends from the admin's key, the demo's funder and the public
development wallets, never from the operator's key, which belongs to the settlement lane alone.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from eth_abi.exceptions import DecodingError

from bridge.chain import Abi, Chain, Reverted, TransactionReceipt, address_of, keccak_hex
from bridge.clock import VenueClock
from bridge.deployment import Deployment, Key, dev_key
from bridge.indexer import Indexer, account_reference
from bridge.logs import Deposited
from bridge.node import Anvil, ExternalNode
from bridge.reserves import Reserves
from bridge.rpc import ChainUnavailable, RpcError
from bridge.seed import FUNDER_INDEX
from bridge.submitter import Submitter, SubmitterHalted
from offchain_book.engine import chain_commands as cc
from offchain_book.engine.account import Account
from offchain_book.gateways.admin import Condition, Paid
from offchain_book.gateways.contract_wallets import HookRefused
from offchain_book.sequencer import Sequencer

SETTLE_TIMEOUT_S = 30
"""How long a request waits for finality."""
GAS = 300_000
"""Of one call; what they need is known, and an estimate would have to wait for the call before."""
GAS_MONEY_WEI = 10**18
LEAST_GAS_MONEY_WEI = 10**17
DEV_WALLETS = FUNDER_INDEX + 1
"""Accounts of the development mnemonic below the role keys."""

_MAGIC = bytes.fromhex("1626ba7e")
"""What `isValidSignature` returns for a yes (ERC-1271)."""
_ERC1271: Abi = (
    {
        "type": "function",
        "name": "isValidSignature",
        "inputs": [{"name": "hash", "type": "bytes32"}, {"name": "signature", "type": "bytes"}],
        "outputs": [{"name": "magicValue", "type": "bytes4"}],
    },
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Call:
    """One transaction to send."""

    to: str
    calldata: bytes
    value: int = 0


class ChainHooks:
    """Construct it before the HTTP server starts; `attach` it when settlement runs. Until then it refuses everything."""

    def __init__(
        self,
        sequencer: Sequencer,
        chain: Chain,
        deployment: Deployment,
        admin_key: str,
        collateral_abi: Abi,
        node: Anvil | ExternalNode,
        clock: VenueClock,
    ) -> None:
        self._sequencer = sequencer
        self._state = sequencer.state
        self._chain = chain
        self._deployment = deployment
        self._admin = admin_key
        self._abi = collateral_abi
        self._node = node
        self._clock = clock
        self._parts: tuple[Submitter, Indexer] | None = None
        self._lane = asyncio.Lock()

    def attach(self, submitter: Submitter, indexer: Indexer, reserves: Reserves) -> None:
        """Begin to work."""
        self._parts = (submitter, indexer)
        self._reserves = reserves

    def _running(self) -> tuple[Submitter, Indexer]:
        if self._parts is None:
            raise HookRefused(503, "NOT_READY", "the venue is still starting: ask again when `causeway status` says ready")
        return self._parts

    # --- Hooks -------------------------------------------------------------------------------------------------------

    async def prepare_conditions(self, questions: Sequence[tuple[str, str]]) -> list[Condition]:
        """Open conditions on chain where they are not open; return when the chain cannot forget them."""
        _, indexer = self._running()
        found, block = await self._on_chain(lambda: self._prepare(questions))
        await self._in_time(indexer.caught_up(block))
        return found

    async def deposit(self, account: Account, amount_micros: int) -> Paid:
        """Pay test dollars in: into the pool with the account's reference, or from a development wallet into its vault."""
        self._running()
        if account.is_wallet:
            key = _dev_wallet(account.account_id)
            return await self._on_chain(lambda: self._pay_wallet(key, amount_micros))
        return await self._on_chain(lambda: self._pay_pool(account.account_id, amount_micros))

    async def credited(self, paid: Paid) -> None:
        """Return when a deposit is in the ledger."""
        await self._in_time(self._running()[1].caught_up(paid.block_number))

    async def faucet(self, wallet: str, amount_micros: int) -> str:
        """Give a wallet test dollars, and gas money if it has next to none."""
        self._running()
        return await self._on_chain(lambda: self._give(wallet, amount_micros))

    async def deposit_by_permit(self, wallet: str, amount_micros: int, deadline_s: int, v: int, r: bytes, s: bytes) -> Paid:
        """Send a wallet's permit to the contract; what would revert is not sent, so it costs nothing."""
        self._running()
        calldata = self._chain.encode("depositWithPermitOf", [wallet, amount_micros, deadline_s, v, r, s])
        return await self._on_chain(lambda: self._relay(calldata))

    async def is_signed(self, wallet: str, digest: bytes, signature: str) -> bool:
        """Ask a contract wallet by ERC-1271 whether it signed a digest; False when there is no code."""
        self._running()
        return await self._on_chain(lambda: self._asked(wallet, digest, signature))

    async def approve(self, wallet: str, digest: bytes, signature: str) -> bool:
        """Record a contract wallet's yes on chain, and return when no reorganisation can take it back."""
        _, indexer = self._running()
        block = await self._on_chain(lambda: self._approve(wallet, digest, signature))
        if block is None:
            return False
        await self._in_time(indexer.caught_up(block))
        return True

    async def publish_liabilities(self) -> str:
        """Compare every reserve and publish what is owed."""
        self._running()
        publication = await self._in_time(self._reserves.publish())
        return publication.tx_hash

    async def flush(self) -> int:
        """Settle what is open now."""
        submitter, _ = self._running()
        waiting = len(self._state.operations)
        try:
            await self._in_time(submitter.flush())
        except SubmitterHalted as error:
            raise HookRefused(503, "SETTLEMENT_STOPPED", str(error)) from error
        return waiting

    async def move_time(self, seconds: int) -> None:
        """Move book and chain together.

        The book goes first and what was matched before is final before the chain follows: so no operation ever sees a chain
        that is ahead of the clock by which its deadline was set.
        """
        _, indexer = self._running()
        if isinstance(self._node, ExternalNode):
            raise HookRefused(409, "NOT_OUR_CHAIN", "time moves only on the venue's own development chain")
        await self.flush()
        self._clock.move(seconds)
        await self.flush()
        head = await self._on_chain(lambda: self._move_on(self._clock() // 1_000))
        await self._in_time(indexer.caught_up(head + 2))
        state = self._state
        await self._sequencer.submit(
            cc.ObserveChain(state.final_block, state.final_time_s, state.chain_halted, state.final_hash)
        )

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def _in_time(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                return await work
        except TimeoutError:
            raise HookRefused(
                504, "NOT_FINAL", f"not final after {SETTLE_TIMEOUT_S} s: see /readyz, and ask again"
            ) from None
        except ChainUnavailable as error:
            raise HookRefused(503, "CHAIN_UNAVAILABLE", str(error)) from error

    async def _on_chain(self, work: Callable[[], T]) -> T:
        """Run blocking chain work, one at a time: it shares keys, and the journal shares the threads."""
        async with self._lane:
            try:
                return await asyncio.to_thread(self._steadily, work)
            except Reverted as error:
                raise HookRefused(409, "REVERTED", f"the chain refuses: {error.reason}") from error
            except (ChainUnavailable, RpcError) as error:
                raise HookRefused(503, "CHAIN_UNAVAILABLE", str(error)) from error

    def _steadily(self, work: Callable[[], T]) -> T:
        with self._node.steady:
            return work()

    # --- in a worker thread ------------------------------------------------------------------------------------------

    def _prepare(self, questions: Sequence[tuple[str, str]]) -> tuple[list[Condition], int]:
        """Return the conditions, and a block in which all are open."""
        venue, calls = self._deployment.venue, list[_Call]()
        found: list[Condition] = []
        for ticker, rules in questions:
            question_id = keccak_hex(f"{ticker}\n{rules}")
            question = bytes.fromhex(question_id[2:])
            condition = bytes(self._chain.read("conditionIdOf", [question]))
            found.append(Condition(question_id, "0x" + condition.hex()))
            if self._chain.read("conditionOf", [condition])[0] == 0:
                calls.append(_Call(venue, self._chain.encode("prepareCondition", [question])))
        receipts = self._send_all(self._admin, calls)
        return found, receipts[-1].block_number if receipts else self._chain.head().number

    def _move_on(self, now_s: int) -> int:
        """Move the chain's time on; return the head before."""
        head = self._chain.head().number
        self._node.move_time_on(now_s)
        return head

    def _asked(self, wallet: str, digest: bytes, signature: str) -> bool:
        if self._chain.rpc.call("eth_getCode", wallet, "latest") in ("0x", None):
            return False
        try:
            answer = self._chain.read("isValidSignature", [digest, _hex_bytes(signature)], to=wallet, abi=_ERC1271)
        except (Reverted, DecodingError):
            return False
        return bool(answer == _MAGIC)

    def _approve(self, wallet: str, digest: bytes, signature: str) -> int | None:
        """Return a block in which the approval stands, None when the wallet says no."""
        if self._chain.read("orderApproved", [wallet, digest]):
            return self._chain.head().number
        if not self._asked(wallet, digest, signature):
            return None
        calldata = self._chain.encode("approveOrderFor", [wallet, digest, _hex_bytes(signature)])
        (receipt,) = self._send_all(self._admin, [_Call(self._deployment.venue, calldata)])
        return receipt.block_number

    def _pay_pool(self, account_id: str, amount: int) -> Paid:
        funder, venue = dev_key(FUNDER_INDEX), self._deployment.venue
        reference = bytes.fromhex(account_reference(account_id)[2:])
        calls = [
            self._collateral("faucet", [funder.address, amount]),
            self._collateral("approve", [venue, amount]),
            _Call(venue, self._chain.encode("depositFor", [reference, amount])),
        ]
        return _paid(self._send_all(funder.private_key, calls)[-1])

    def _pay_wallet(self, wallet: Key, amount: int) -> Paid:
        venue = self._deployment.venue
        have = int(self._chain.read("balanceOf", [wallet.address], to=self._deployment.collateral, abi=self._abi))
        calls = [self._collateral("faucet", [wallet.address, amount - have])] if have < amount else []
        calls += [
            self._collateral("approve", [venue, amount]),
            _Call(venue, self._chain.encode("deposit", [amount])),
        ]
        return _paid(self._send_all(wallet.private_key, calls)[-1])

    def _relay(self, calldata: bytes) -> Paid:
        venue = self._deployment.venue
        refused = self._chain.simulate(address_of(self._admin), venue, calldata, GAS)
        if refused:
            raise Reverted(refused)
        return _paid(self._send_all(self._admin, [_Call(venue, calldata)])[-1])

    def _give(self, wallet: str, amount: int) -> str:
        calls = [self._collateral("faucet", [wallet, amount])]
        if self._chain.native_balance(wallet) < LEAST_GAS_MONEY_WEI:
            calls.append(_Call(wallet, b"", GAS_MONEY_WEI))
        return self._send_all(dev_key(FUNDER_INDEX).private_key, calls)[0].tx_hash

    def _collateral(self, function: str, args: Sequence[Any]) -> _Call:
        return _Call(self._deployment.collateral, self._chain.encode(function, args, self._abi))

    def _send_all(self, key: str, calls: Sequence[_Call]) -> list[TransactionReceipt]:
        """Send calls that build on each other as consecutive transactions, so that one block can take them all."""
        return self._chain.transact_all(key, [(call.to, call.calldata, call.value) for call in calls], GAS)


def _hex_bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return b""


def _dev_wallet(address: str) -> Key:
    """Return the key of a public development wallet."""
    for index in range(DEV_WALLETS):
        key = dev_key(index)
        if key.address == address:
            return key
    raise HookRefused(
        409, "NOT_A_DEV_WALLET", f"only {address} itself can deposit: by approve and deposit, see docs/interfaces.md"
    )


def _paid(receipt: TransactionReceipt) -> Paid:
    (event,) = [event for event in receipt.events if isinstance(event, Deposited)]
    return Paid(event.index, receipt.tx_hash, receipt.block_number)
