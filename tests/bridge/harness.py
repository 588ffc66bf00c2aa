"""A private anvil with a deployed venue contract, and the exchange beside it, for tests of the chain side."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bridge.attempts import Attempts
from bridge.chain import Chain, address_of
from bridge.compiler import Artifact
from bridge.indexer import Indexer, account_reference
from bridge.lane import FeePolicy
from bridge.rpc import ChainUnavailable, RpcClient
from bridge.submitter import Submitter
from bridge.venue_process import free_port
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.exchange import apply
from offchain_book.engine.operations import (
    OrderScheme,
    Outcome,
    SignedOrder,
    TokenSide,
    VaultAction,
    VaultActionKind,
)
from offchain_book.journal import Journal, read, read_config
from offchain_book.projections import Projections
from offchain_book.recovery import first_state
from offchain_book.sequencer import Sequencer
from offchain_book.signatures import native_domain, order_digest, sign_digest, vault_action_digest
from tests.bridge.waiting import PATIENCE_S, told, until

ROOT = Path(__file__).resolve().parents[2]
ANVIL = ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
CHAIN_ID = 31337
DOLLAR = 1_000_000
SETTLE_DEADLINE_S = 3_600
"""Long: a node that mines fast runs ahead of the wall clock."""
EXIT_DELAY_S = 7_200
NEVER_MS = 3_600_000
"""What a busy machine must not bring about."""
# The development mnemonic's accounts, in its order.
WENDY_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
WALT_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
FUNDER_KEY = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"
ADMIN_KEY = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"
OPERATOR_KEY = "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"
ORACLE_KEY = "0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba"
OPERATOR = address_of(OPERATOR_KEY)


@contextmanager
def anvil(*options: str, hardfork: str = "cancun") -> Iterator[str]:
    """Run a node; yields its URL."""
    port = free_port()
    command = [str(ANVIL), "--port", str(port), "--hardfork", hardfork, "--prune-history", "64", "--silent"]
    process = subprocess.Popen([*command, *options], start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_ready(url, process)
        yield url
    finally:
        process.kill()
        process.wait()


def _wait_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    client = RpcClient(url, 1_000)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(ChainUnavailable):
            client.call("eth_chainId")
            client.close()
            return
        time.sleep(0.01)
    raise RuntimeError("anvil did not start")


@dataclass
class World:
    """A node, the contract on it, and people."""

    url: str
    chain: Chain
    abi: Sequence[Mapping[str, Any]]
    collateral: str
    collateral_abi: Sequence[Mapping[str, Any]]
    start_block: int
    connections: list[Chain] = field(default_factory=list)

    def connect(self, kind: type[Chain] = Chain) -> Any:
        """Return another connection, for tests that need a faulty one."""
        self.connections.append(kind(self.url, CHAIN_ID, self.abi, self.chain.address))
        return self.connections[-1]

    def close(self) -> None:
        """Close the other connections."""
        while self.connections:
            self.connections.pop().close()

    @contextmanager
    def taken_back(self) -> Iterator[None]:
        """Take back everything that happens on the chain inside, but for time.

        Going back takes the node's clock back too. Left so, it would lag behind the exchange's by as long as all tests
        before took, and no deadline of a later test would pass when the test says so.
        """
        snapshot = self.rpc("evm_snapshot")
        self.rpc("evm_setTime", int(time.time()))
        yield
        self.close()
        self.rpc("evm_revert", snapshot)

    def rpc(self, method: str, *params: Any) -> Any:
        """Call the node."""
        return self.chain.rpc.call(method, *params)

    def mine(self, blocks: int = 1) -> None:
        """Make empty blocks (or blocks of what waits)."""
        self.rpc("anvil_mine", hex(blocks))

    def head(self) -> int:
        """Return the newest block's number."""
        return self.chain.head().number

    def venue(self, key: str, function: str, *args: Any) -> Any:
        """Call the venue contract as somebody."""
        return self.chain.transact(key, self.chain.address, self.chain.encode(function, args))

    def token(self, key: str, function: str, *args: Any) -> Any:
        """Call the collateral as somebody."""
        return self.chain.transact(key, self.collateral, self.chain.encode(function, args, self.collateral_abi))

    def fund(self, key: str, dollars: int = 1_000) -> None:
        """Give somebody collateral, approved for the venue."""
        self.token(key, "faucet", address_of(key), dollars * DOLLAR)
        self.token(key, "approve", self.chain.address, 2**200)

    def deposit(self, key: str, dollars: int) -> Any:
        """Deposit into the caller's own vault account."""
        return self.venue(key, "deposit", dollars * DOLLAR)

    def deposit_for(self, account_id: str, dollars: int) -> Any:
        """Deposit for a custodial account."""
        return self.venue(FUNDER_KEY, "depositFor", bytes.fromhex(account_reference(account_id)[2:]), dollars * DOLLAR)


def deploy(url: str, artifacts: Mapping[str, Artifact]) -> World:
    """Deploy collateral and venue."""
    venue, dollars = artifacts["Venue"], artifacts["TestUSD"]
    chain = Chain(url, CHAIN_ID, venue.abi)
    collateral = chain.deploy({"abi": dollars.abi, "bytecode": dollars.bytecode}, [], ADMIN_KEY)
    libraries = {
        name: chain.deploy({"abi": artifacts[name].abi, "bytecode": artifacts[name].bytecode}, [], ADMIN_KEY)
        for name in venue.link_references
    }
    roles = [address_of(key) for key in (OPERATOR_KEY, ORACLE_KEY, WALT_KEY, FUNDER_KEY, ADMIN_KEY)]
    compatible = ("0x" + "d1" * 20, "0x" + "d2" * 20)
    delays = (EXIT_DELAY_S, SETTLE_DEADLINE_S, 30)
    terms = (collateral, *roles, *delays, b"salt" * 8, 80_002, *compatible, 10**15, 3_600)
    start_block = chain.head().number + 1
    chain.bind(chain.deploy({"abi": venue.abi, "bytecode": venue.linked(libraries)}, [terms], ADMIN_KEY))
    world = World(url, chain, venue.abi, collateral, dollars.abi, start_block)
    for key in (WENDY_KEY, FUNDER_KEY):
        world.fund(key)
    return world


class Exchange:
    """The engine and its journal, restartable, with the chain side's tasks started one by one."""

    def __init__(self, world: World, folder: Path, confirmations: int = 2) -> None:
        self.world = world
        self.folder = folder
        self.confirmations = confirmations
        self.commands: list[c.Command] = []
        self.journal = Journal(folder / "journal", {"settle_deadline_s": SETTLE_DEADLINE_S, "contract_version": 2})
        state = first_state(read_config(folder / "journal"))
        projections = Projections()
        for entry in read(folder / "journal"):
            projections.observe(state, entry, apply(state, entry))
        self.sequencer = Sequencer(state, self.journal, projections, lambda: time.time_ns() // 1_000_000)
        self.sequencer.subscribe(lambda entry, events: self.commands.append(entry.command))
        self.state = state
        self.attempts: Attempts | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.parts: list[Submitter | Indexer] = []
        """Whose tasks those are."""
        self.notes: list[Callable[[], str]] = []
        """What else to tell when a wait was in vain."""

    def finality(self) -> int:
        """Return the newest final block."""
        return self.world.head() - self.confirmations

    def submitter(self, chain: Chain | None = None, operations: int = 50, **more: Any) -> Submitter:
        """Start a submitter."""
        if self.attempts is None:
            self.attempts = Attempts(self.folder / "attempts.sqlite")
        more = {"batch_ms": 20, "finality": self.finality, "poll_ms": 20, **more}
        fees = more.pop("fees", FeePolicy(rebroadcast_ms=50, stuck_ms=NEVER_MS))
        found = Submitter(
            self.sequencer,
            chain or self.world.connect(),
            self.attempts,
            OPERATOR_KEY,
            operations,
            fees=fees,
            **more,
        )
        self.start(found)
        return found

    def indexer(self, chain: Chain | None = None, **more: Any) -> Indexer:
        """Start an indexer."""
        more = {"finality": self.finality, "poll_ms": 20, "report_ms": 50, **more}
        found = Indexer(
            self.sequencer, chain or self.world.connect(), self.confirmations, start_block=self.world.start_block, **more
        )
        self.start(found)
        return found

    def start(self, part: Submitter | Indexer) -> None:
        """Run a part beside the test."""
        self.parts.append(part)
        self.tasks.append(asyncio.create_task(part.run()))

    async def stop_parts(self) -> None:
        """Cancel the running parts, as a kill would."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()
        self.parts.clear()
        if self.attempts is not None:
            self.attempts.close()
            self.attempts = None

    async def open_account(self, account_id: str, dollars: int = 0) -> None:
        """Open a custodial account, with money credited as if a deposit had been seen."""
        await self.sequencer.submit(c.OpenAccount(account_id, c.Custody.CUSTODIAL))
        if dollars:
            place = ("0x1", 1, "0x2")
            index = self.state.next_deposit
            await self.sequencer.submit(cc.CreditDeposit(index, account_id, dollars * DOLLAR, *place))

    async def withdraw(self, account_id: str, dollars: int, reference: str, to: str = "0x" + "77" * 20) -> None:
        """Queue one operation for the chain: the pool sends cash."""
        receipt = await self.sequencer.submit(c.Withdraw(reference, account_id, dollars * DOLLAR, to))
        assert receipt.rejected is None, receipt.rejected

    async def wallet_withdraw(self, key: str, dollars: int, nonce: int = 1) -> None:
        """Queue a wallet's signed withdrawal to itself, which has a settlement deadline."""
        wallet = address_of(key)
        deadline_s = int(time.time()) + 10 * SETTLE_DEADLINE_S
        action = VaultAction(
            wallet, VaultActionKind.WITHDRAW, "0", dollars * DOLLAR, wallet, str(nonce), deadline_s, signature=""
        )
        digest = vault_action_digest(native_domain(CHAIN_ID, self.world.chain.address), action)
        signed = replace(action, signature=sign_digest(digest, bytes.fromhex(key[2:])))
        receipt = await self.sequencer.submit(c.SubmitAction(f"action-{nonce}", signed))
        assert receipt.rejected is None, receipt.rejected

    async def create_market(self, condition: bytes) -> None:
        """List RAIN-1 for a prepared condition."""
        number = int.from_bytes(condition, "big")
        await self.sequencer.submit(c.CreateSeries("RAIN", "Rain"))
        await self.sequencer.submit(c.CreateEvent("RAIN-E", "RAIN", "Rain"))
        ids = ("0x" + "07".zfill(64), "0x" + condition.hex(), str(number | Outcome.YES), str(number | Outcome.NO))
        receipt = await self.sequencer.submit(c.CreateMarket("RAIN-1", "RAIN-E", "Rain?", *ids, 0, 2**45))
        assert receipt.rejected is None, receipt.rejected

    def signed_buy(
        self,
        key: str,
        condition: bytes,
        contracts: int,
        salt: int,
        outcome: Outcome = Outcome.YES,
        cents: int = 60,
        wallet: str = "",
    ) -> SignedOrder:
        """Return a native order that buys an outcome at its price in cents; a contract `wallet` approves it on chain."""
        wallet = wallet or address_of(key)
        order = SignedOrder(
            OrderScheme.NATIVE,
            "",
            wallet,
            wallet,
            str(int.from_bytes(condition, "big") | outcome),
            TokenSide.BUY,
            contracts * cents * 10_000,
            contracts * DOLLAR,
            str(salt),
            "",
            expiration_s=int(time.time()) + 10 * SETTLE_DEADLINE_S,
            nonce=salt,
        )
        digest = order_digest(native_domain(CHAIN_ID, self.world.chain.address), order)
        signature = "" if wallet != address_of(key) else sign_digest(digest, bytes.fromhex(key[2:]))
        return replace(order, digest="0x" + digest.hex(), signature=signature)

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait while no block is made; a part that ends meanwhile fails the test."""
        await until(condition, self.tasks, lambda: told(self))

    async def end_of(self, task: "asyncio.Task[None]") -> None:
        """Wait until a part's task ends, and raise what ended it."""
        await until(task.done, (), lambda: told(self))
        task.result()

    async def until_mined(self, condition: Callable[[], Any]) -> None:
        """Wait while blocks are made; a part that ends meanwhile fails the test."""
        ended = False

        async def keep_mining() -> None:
            while not ended:
                await asyncio.to_thread(self.world.mine)
                await asyncio.sleep(0.03)

        miner = asyncio.create_task(keep_mining())
        try:
            await until(condition, [*self.tasks, miner], lambda: told(self))
        finally:
            ended = True
            await miner  # no block is made behind the back of what comes next

    # --- what became of it -------------------------------------------------------------------------------------------

    def sent(self, kind: type[Any]) -> list[Any]:
        """Return the commands of a kind that went through this sequencer."""
        return [command for command in self.commands if isinstance(command, kind)]

    def stages(self, batch_no: int = 0) -> list[str]:
        """Return what was observed of a batch."""
        return [str(command.stage) for command in self.sent(cc.ObserveBatch) if command.batch_no == batch_no]


@asynccontextmanager
async def exchange(world: World, folder: Path, confirmations: int = 2) -> AsyncIterator[Exchange]:
    """Run an exchange over a data folder; leaving stops it, and another one may go on in the same folder."""
    found = Exchange(world, folder, confirmations)
    found.sequencer.start()
    loop, threads = asyncio.get_running_loop(), ThreadPoolExecutor()
    loop.set_default_executor(threads)
    try:
        yield found
    finally:
        await found.stop_parts()
        threads.shutdown()  # calls that a stopped task has left on their way
        loop.set_default_executor(ThreadPoolExecutor())
        await found.sequencer.stop()
        found.journal.close()
