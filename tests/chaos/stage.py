"""An exchange whose chain side sees the node only through a faulty proxy, with people whose deposits are on the chain already."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.chain import Chain, address_of
from bridge.indexer import Indexer
from bridge.submitter import Submitter
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.events import Event
from offchain_book.engine.names import GUARANTEE
from offchain_book.engine.operations import Outcome, SignedOrder
from offchain_book.engine.order import BookSide
from offchain_book.engine.snapshot import state_hash
from offchain_book.engine.state import State
from tests.bridge.harness import (
    ADMIN_KEY,
    CHAIN_ID,
    DOLLAR,
    FUNDER_KEY,
    OPERATOR,
    WALT_KEY,
    WENDY_KEY,
    Exchange,
    World,
    exchange,
)
from tests.chaos.faults import Proxy
from tests.system.audit import Audited, audit_quiet

GWEI = 10**9
WENDY, WALT = address_of(WENDY_KEY), address_of(WALT_KEY)
MARKET = "RAIN-1"
START = 500
"""Dollars that alice (custodial), wendy, walt (wallets) and the guarantee have."""
CONFIRMATIONS = 3


def stock(world: World) -> bytes:
    """Prepare the condition and pay everybody in; returns the condition."""
    question = bytes(31) + b"\x07"
    world.venue(ADMIN_KEY, "prepareCondition", question)
    for key in (WENDY_KEY, WALT_KEY, FUNDER_KEY):
        world.fund(key, 5_000)
    for key in (WENDY_KEY, WALT_KEY):
        world.deposit(key, START)
    for account_id in ("alice", GUARANTEE):
        world.deposit_for(account_id, START)
    return bytes(world.chain.read("conditionIdOf", [question]))


@dataclass
class Stage:
    """One exchange, its two chain-side tasks, and the proxy before their node."""

    world: World
    condition: bytes
    proxy: Proxy
    venue: Exchange
    options: dict[str, Any]
    chains: list[Chain] = field(default_factory=list)
    salts: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def state(self) -> State:
        """The exchange's state."""
        return self.venue.state

    # --- parts -------------------------------------------------------------------------------------------------------

    def connect(self) -> Chain:
        """Return a connection through the proxy."""
        options = {"timeout_ms": self.options.get("timeout_ms", 10_000)}
        self.chains.append(Chain(self.proxy.url, CHAIN_ID, self.world.abi, self.world.chain.address, **options))
        return self.chains[-1]

    def finality(self) -> int:
        """Return the newest final block as the node behind the proxy has it."""
        return self.chains[0].head().number - CONFIRMATIONS

    def start(self, **more: Any) -> None:
        """Start indexer and submitter on the same faulty node."""
        options = {name: value for name, value in {**self.options, **more}.items() if name != "timeout_ms"}
        halt = {"halt_after_ms": options.pop("halt_after_ms")} if "halt_after_ms" in options else {}
        second = options.pop("second", None)
        chain = self.connect()
        self.indexer: Indexer = self.venue.indexer(chain, finality=self.finality, second=second, **halt)
        self.submitter: Submitter = self.venue.submitter(chain, finality=self.finality, second=second, **options)

    async def open(self) -> None:
        """Start everything; return when the deposits are credited."""
        await self.venue.open_account("alice")
        await self.venue.create_market(self.condition)
        self.start()
        await self.until(lambda: self.state.next_deposit == 4)

    async def resume(self) -> None:
        """Start again in a folder where somebody has traded before."""
        self.salts = itertools.count(self.state.seq + 1_000)
        self.start()

    # --- people ------------------------------------------------------------------------------------------------------

    async def place(self, key: str, contracts: int, outcome: Outcome, cents: int) -> SignedOrder:
        """A wallet buys; returns its order."""
        return await self.place_signed(
            self.venue.signed_buy(key, self.condition, contracts, next(self.salts), outcome, cents),
            contracts,
            outcome,
            cents,
        )

    async def place_signed(self, signed: SignedOrder, contracts: int, outcome: Outcome, cents: int) -> SignedOrder:
        """Place what a wallet has signed or approved."""
        side = BookSide.BID if outcome is Outcome.YES else BookSide.ASK
        yes_e4 = cents * 100 if outcome is Outcome.YES else 10_000 - cents * 100
        terms = (side, yes_e4, contracts * DOLLAR)
        placed = c.PlaceOrder(signed.digest, signed.maker, MARKET, *terms, outcome=outcome, signed=signed)
        receipt = await self.venue.sequencer.submit(placed)
        assert receipt.rejected is None, receipt.rejected
        return signed

    async def match(self, contracts: int = 10) -> int:
        """Wendy buys YES at 60 cents from alice. Returns the fill's operation number."""
        await self.place(WENDY_KEY, contracts, Outcome.YES, 60)
        return await self.take(contracts)

    async def take(self, contracts: int) -> int:
        """Alice sells YES at 60 cents into what rests. Returns the fill's operation number."""
        number = self.state.next_operation
        order_id = f"alice-{next(self.salts)}"
        await self.submit(c.PlaceOrder(order_id, "alice", MARKET, BookSide.ASK, 6_000, contracts * DOLLAR))
        assert self.state.next_operation > number, "nothing was matched"
        return self.state.next_operation - 1

    async def match_wallets(self, contracts: int = 10) -> int:
        """Wendy buys YES at 60 cents, walt NO at 40: a set is made. Returns the operation number."""
        number = self.state.next_operation
        await self.place(WENDY_KEY, contracts, Outcome.YES, 60)
        await self.place(WALT_KEY, contracts, Outcome.NO, 40)
        assert self.state.next_operation == number + 1
        return number

    async def submit(self, command: c.Command) -> list[Event]:
        """Submit a command that must be taken."""
        receipt = await self.venue.sequencer.submit(command)
        assert receipt.rejected is None, receipt.rejected
        return list(receipt.events)

    def send(self, key: str, to: str, calldata: bytes, gas: int = 400_000) -> str:
        """Broadcast somebody's own transaction past the proxy, without waiting for a block."""
        chain = self.world.chain
        fees = {"gas": gas, "maxFeePerGas": 400 * GWEI, "maxPriorityFeePerGas": 20 * GWEI}
        tx = {**fees, "nonce": chain.nonce(address_of(key), "pending"), "to": to, "data": calldata}
        return chain.send_raw(chain.sign_transaction(key, tx).raw)

    def call(self, key: str, function: str, *args: Any) -> str:
        """Broadcast a call of the venue contract."""
        return self.send(key, self.world.chain.address, self.world.chain.encode(function, args))

    def pause_mining(self) -> None:
        """Let transactions wait for `mine`."""
        self.world.rpc("evm_setAutomine", False)

    async def match_and_mine(self) -> dict[str, Any]:
        """Match once, wait until the batch is in a block, and return its receipt; no further block is made by itself."""
        await self.match()
        await self.until(lambda: self.stages()[-1:] == ["mined"])
        self.pause_mining()
        tx_hash = self.venue.sent(cc.ObserveBatch)[-1].tx_hash
        return dict(self.world.rpc("eth_getTransactionReceipt", tx_hash))

    # --- what became of it -------------------------------------------------------------------------------------------

    def stages(self, batch_no: int = 0) -> list[str]:
        """Return what was observed of a batch."""
        return self.venue.stages(batch_no)

    def confirmed(self) -> list[cc.ConfirmBatch]:
        """Return the confirmations."""
        return self.venue.sent(cc.ConfirmBatch)

    def operator_nonce(self, block: str = "latest") -> int:
        """Return how many transactions the operator has sent."""
        return self.world.chain.nonce(OPERATOR, block)

    async def until(self, condition: Any) -> None:
        """Wait while no block is made."""
        await self.venue.until(condition)

    async def until_mined(self, condition: Any) -> None:
        """Wait while blocks are made."""
        await self.venue.until_mined(condition)

    async def settle(self) -> Audited:
        """Make blocks until nothing is open, then hold journal, ledger and chain against each other: no ghost fill."""
        self.world.mine()
        now = self.world.head()
        await self.until_mined(lambda: not self.state.operations and self.indexer.final_block >= now)
        found = await self.audit()
        assert found.state.ghost_fills == 0
        return found

    async def audit(self, stray_micros: int = 0) -> Audited:
        """Compare everything with everything; `stray_micros` is what the contract owns beyond its books."""
        world = self.world
        owned = world.chain.read("balanceOf", [world.chain.address], to=world.collateral, abi=world.collateral_abi)
        journal, seq, live = self.venue.folder / "journal", self.state.seq, state_hash(self.state)
        return await asyncio.to_thread(audit_quiet, journal, seq, live, world.chain, owned - stray_micros)


@asynccontextmanager
async def staged(world: World, condition: bytes, folder: Path, **options: Any) -> AsyncIterator[Stage]:
    """Run an exchange over a folder behind a new proxy. `options` are the submitter's, and timeout_ms, halt_after_ms, second."""
    chains: list[Chain] = []
    with Proxy(world.url) as proxy:
        try:
            async with exchange(world, folder, CONFIRMATIONS) as venue:
                venue.notes.append(proxy.told)
                try:
                    yield Stage(world, condition, proxy, venue, options, chains)
                finally:
                    proxy.heal()
        finally:
            for chain in chains:
                chain.close()
