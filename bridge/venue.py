"""The composition root: builds every part of one venue, starts them in order, watches them, stops them in order.

Nothing here decides anything about trading or the chain. If any part's task ends, the venue stops and says why. Read
`_start` for the order of things, `_stop` for the way back.
"""

import asyncio
import contextlib
import shutil
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from bridge import deployment, interpreter, seed
from bridge.attempts import Attempts, WrongDeployment
from bridge.chain import FORBIDDEN_CHAIN_ID, Abi, Chain, WrongChain
from bridge.clock import VenueClock
from bridge.compiler import Artifact, CompilationFailed, compile_contracts
from bridge.datadir import DataDir, DataDirInUse
from bridge.deployment import DeploymentError, Terms
from bridge.fix_door import BadCertificate, FixDoor
from bridge.gauges import chain_gauges
from bridge.hooks import ChainHooks
from bridge.http_server import HttpServer
from bridge.indexer import HALT_AFTER_MS, ChainDiverged, Indexer, custodial_references, halt_after_ms
from bridge.lane import GWEI, FeePolicy
from bridge.node import Anvil, ExternalNode, NodeError, anvil_binary
from bridge.options import Options
from bridge.oracle import Oracle
from bridge.page_build import PageBuildFailed, build_page
from bridge.parts import Parts, Stopped, VenueError
from bridge.readiness import checks
from bridge.recorder import Recorder
from bridge.reserves import Reserves
from bridge.rpc import ChainUnavailable
from bridge.second_node import SecondNode
from bridge.status import describe
from bridge.submitter import Submitter, SubmitterHalted
from offchain_book.app import build_app
from offchain_book.chain_record import ChainRecord
from offchain_book.config import Settings
from offchain_book.engine.commands import Sequenced
from offchain_book.engine.events import Event, MarketCreated
from offchain_book.engine.market_commands import SetRetention
from offchain_book.engine.snapshot import state_hash
from offchain_book.engine.state import CONTRACT_VERSION
from offchain_book.gateways.fix import PortTaken
from offchain_book.gateways.page import Site
from offchain_book.gateways.stream_wire import server_options
from offchain_book.gateways.witnesses import History
from offchain_book.journal import JournalDamaged, JournalInUse, JournalTooNew, read_config
from offchain_book.past import Past
from offchain_book.recovery import StateDiverged, recover
from offchain_book.reserves import ReserveBoard
from offchain_book.sequencer import Sequencer
from offchain_book.snapshots import SnapshotRefused
from offchain_book.sqlite_store import StoreInUse
from offchain_book.timekeeper import Timekeeper

HOST = "127.0.0.1"
BATCH_OPERATIONS = 100
"""A settlement batch is cut at so many operations, or after --batch-ms."""
RETENTION_MS = 30 * 86_400_000
"""How long ids of finished orders and requests are remembered at least; see `engine/memory.py`."""
DRAIN_TIMEOUT_S = 10
"""How long Ctrl-C waits for open batches to become final."""
RESUME_TIMEOUT_S = 30
"""How long a resumed chain's time stands back, so that what it forgot still lands in time."""
OWN_CHAIN_HALTS_MS = 10_000
"""Longest that our own chain, with its blocks of a second, may show nothing final; on somebody else's blocks may be rare."""
WATCH_S = 0.15
EXPECTED = (
    BadCertificate,
    ChainDiverged,
    ChainUnavailable,
    CompilationFailed,
    DataDirInUse,
    DeploymentError,
    JournalDamaged,
    JournalInUse,
    JournalTooNew,
    NodeError,
    PageBuildFailed,
    PortTaken,
    SnapshotRefused,
    StateDiverged,
    StoreInUse,
    SubmitterHalted,
    WrongChain,
    WrongDeployment,
    OSError,
    seed.SeedError,
)
"""Failures whose message is all that a person needs."""


class Console(Protocol):
    """Where the venue tells people what happens. It must never block."""

    def step(self, name: str, text: str) -> None:
        """A part is ready."""

    def ready(self, status: dict[str, Any]) -> None:
        """Everything is."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def command(self, entry: Sequenced, events: Sequence[Event]) -> None:
        """A command was applied."""


class Venue:
    """One running venue."""

    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._data = DataDir(options.data_dir)
        self._parts = Parts(EXPECTED)
        self._undo = self._parts.undo
        self._funded = False
        self._hash_at: tuple[int, str] = (-1, "")

    # --- life ----------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Start, serve until asked to stop, and stop. Raises VenueError when anything but a request ended it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._ask_to_stop)
        try:
            await self._start()
            interpreter.tune()
            await self._parts.unless_stopped(self._parts.stop_asked.wait())
        except Stopped:
            pass
        except EXPECTED as error:
            raise VenueError(str(error)) from error
        finally:
            await self._stop()

    def _ask_to_stop(self) -> None:
        if self._parts.stop_asked.is_set():
            self._console.note("stopping already: open batches are being settled")
        self._parts.stop_asked.set()

    async def _start(self) -> None:
        options = self._options
        listener = self._listen()
        self._fix = FixDoor(HOST, options)
        self._undo.push_async_callback(self._fix.close)
        self._data.lock()
        self._undo.callback(self._data.unlock)
        self._node = self._make_node()
        if options.fresh:
            await asyncio.to_thread(self._wipe)
        terms = options.terms(self._data.read_json("deployment.json"))
        await self._start_node()
        patience = asyncio.get_running_loop().call_later(1, self._console.note, "compiling the contracts: 20 s, once")
        artifacts = await self._parts.unless_stopped(asyncio.to_thread(self._compile))
        patience.cancel()
        page = await self._parts.unless_stopped(asyncio.to_thread(build_page, options.root, options.root / "var" / "cache"))
        self._roles = deployment.role_keys()
        await self._parts.unless_stopped(asyncio.to_thread(self._find_contracts, artifacts, terms))
        self._open_journal()
        await self._open_fix()
        self._serve(listener, artifacts, Site(page, self._data.passwords, self._owns_chain))
        self._parts.run("timekeeper", Timekeeper(self._sequencer).run())
        await self._parts.unless_stopped(self._set_retention())
        await self._parts.unless_stopped(self._make_demo(artifacts))
        self._write_status()
        self._sequencer.subscribe(self._on_command)
        await asyncio.to_thread(self._node.begin_mining)
        self._settle()
        await self._parts.unless_stopped(self._settle_what_was_open())
        await self._parts.unless_stopped(self._wait_until_funded())
        self._console.ready(self._status())

    async def _stop(self) -> None:
        """Take no more requests, settle what is open, stop the parts in reverse order."""
        with contextlib.suppress(asyncio.CancelledError):
            await self._undo.aclose()

    # --- parts, in the order of their start ------------------------------------------------------------------------------

    def _listen(self) -> socket.socket:
        """Take the HTTP port first: a taken port must cost nobody anything."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, self._options.port))
        except OSError as error:
            listener.close()
            raise VenueError(f"port {self._options.port} is taken: choose another with --port ({error.strerror})") from None
        self._undo.callback(listener.close)
        return listener

    @property
    def _owns_chain(self) -> bool:
        return isinstance(self._node, Anvil)

    def _make_node(self) -> Anvil | ExternalNode:
        first, second = self._options.chain_url, self._options.second_node
        if first and first.rstrip("/") == second.rstrip("/"):
            raise VenueError(f"--second-node {second} is the node that is asked already: name one that somebody else runs")
        if first:
            return ExternalNode(first)
        return Anvil(anvil_binary(self._options.root), self._data.path, self._options.chain_port)

    def _wipe(self) -> None:
        if isinstance(self._node, Anvil):
            self._node.stop_orphan()
        self._data.wipe()

    async def _start_node(self) -> None:
        self._undo.push_async_callback(asyncio.to_thread, self._node.stop)
        await asyncio.to_thread(self._node.start)
        chain_id = int(await asyncio.to_thread(self._node.rpc.call, "eth_chainId"), 16)
        if chain_id == FORBIDDEN_CHAIN_ID:
            raise VenueError(f"{self._node.url} is chain 137, where money is real: this venue refuses it")
        self._chain_id = chain_id
        self._parts.run("chain process", self._watch_node())
        how = "adopted" if self._node.adopted else "resumed" if self._node.resumed else "new"
        self._console.step("chain", f"{self._node.version}  id {chain_id}  {self._node.url}  ({how})")

    async def _watch_node(self) -> None:
        """Notice the end of the chain's process, and keep its newest saved state copied."""
        while True:
            await asyncio.to_thread(self._node.check)
            if isinstance(self._node, Anvil):
                with contextlib.suppress(ChainUnavailable):
                    await asyncio.to_thread(self._node.saved_block)
                    if self._funded and self._node.is_overgrown:
                        await asyncio.to_thread(self._node.thin, self._sequencer.state.final_block, self._now_s)
            await asyncio.sleep(WATCH_S)

    def _now_s(self) -> int:
        return self._clock() // 1000

    def _compile(self) -> dict[str, Artifact]:
        if not (self._options.root / "node_modules" / "solc").is_dir():
            raise VenueError("the compiler is missing: run `make setup`")
        if shutil.which("node") is None:
            raise VenueError("node is missing: install Node.js 20 or newer (the compiler runs on it)")
        return compile_contracts(self._options.root, self._options.root / "var" / "cache")

    def _find_contracts(self, artifacts: dict[str, Artifact], terms: Terms) -> None:
        """Find the folder's contracts on the chain, or deploy them."""
        self._chain = Chain(self._node.url, self._chain_id, artifacts["Venue"].abi)
        book = self._data.read_json("deployment.json")
        if book is None and self._data.journal.exists():
            raise VenueError(f"{self._data.path} has a journal but no deployment.json: restore it, or use --fresh")
        if book is None:
            self._node.begin_setup()
            self._deployment = deployment.deploy(self._chain, artifacts, self._roles, terms)
            self._node.wait_saved(self._chain.head().number)
            self._data.write_json("deployment.json", deployment.as_json(self._deployment))
        else:
            self._deployment = deployment.find(self._chain, book)
        deployment.write_abis(artifacts, self._data.abi)
        self._second = self._second_node(artifacts["Venue"].abi)
        verb = "deployed" if book is None else "found"
        self._console.step("contracts", f"{len(self._deployment.contracts)} {verb}  {self._data.path}/deployment.json")

    def _second_node(self, abi: Abi) -> SecondNode | None:
        url = self._options.second_node
        if not url:
            return None
        second = SecondNode(lambda: Chain(url, self._chain_id, abi, self._deployment.venue))
        self._undo.callback(second.close)
        return second

    def _open_journal(self) -> None:
        started = time.monotonic()
        config = {
            "settle_deadline_s": self._deployment.settle_deadline_s,
            "signed_not_before_ms": deployment.signed_not_before_ms(self._chain, self._deployment),
            "pool_outflow_limit_micros": deployment.POOL_OUTFLOW_LIMIT_MICROS,
            "pool_outflow_window_s": deployment.POOL_OUTFLOW_WINDOW_S,
            "contract_version": CONTRACT_VERSION,
            "seed": self._options.seed,
        }
        found = recover(self._data.journal, config)
        self._undo.callback(found.journal.close)
        self._seed = int(read_config(self._data.journal)["seed"])
        self._clock = VenueClock(self._data)
        self._sequencer = Sequencer(found.state, found.journal, found.projections, self._clock, found.snapshots)
        self._sequencer.start()
        self._undo.push_async_callback(self._sequencer.stop)
        self._parts.run("sequencer", self._sequencer.ended())
        for note in found.notes:
            self._console.note(note)
        if found.journal.repaired_bytes:
            self._console.note(f"the journal ended amid a record ({found.journal.repaired_bytes} bytes), which was cut off")
        head = self._chain.head().number
        if self._owns_chain and head < found.state.final_block:
            raise VenueError(
                f"the chain's saved state ends at block {head}, but block {found.state.final_block} was final before: "
                f"restore chain-state.json and chain-saved.json in {self._data.path} from a newer copy, or start over with --fresh"
            )
        took_ms = round((time.monotonic() - started) * 1000)
        origin = f" after snapshot {found.from_seq}" if found.from_seq else ""
        replayed = found.state.seq - found.from_seq
        self._console.step("book", f"replayed {replayed} commands{origin} in {took_ms} ms  state {self._state_hash()[:12]}")

    async def _set_retention(self) -> None:
        state = self._sequencer.state
        if state.retention_ms != RETENTION_MS or not state.forgets_signed:
            await self._sequencer.submit(SetRetention(RETENTION_MS, signed=True), "venue")

    def _serve(self, listener: socket.socket, artifacts: dict[str, Artifact], site: Site) -> None:
        found = self._deployment
        http_url = f"http://{HOST}:{self._options.port}"
        self._settings = Settings(
            chain_id=self._chain_id,
            venue_address=found.venue,
            collateral_address=found.collateral,
            api_secret=bytes.fromhex(self._data.secret("api.secret")),
            operator_token=self._data.secret("operator.token"),
            reviewer_token=self._data.secret("reviewer.token"),
            confirmations=self._options.confirmations,
            settle_deadline_s=found.settle_deadline_s,
            exit_delay_s=found.exit_delay_s,
            http_url=http_url,
            rate_limit_tier=self._options.rate_limits,
            rpc_url=self._node.url,
        )
        self._hooks = ChainHooks(
            self._sequencer,
            self._chain,
            found,
            self._roles.admin.private_key,
            artifacts["TestUSD"].abi,
            self._node,
            self._clock,
        )
        self._board = ReserveBoard()
        self._collateral = (found.collateral, artifacts["TestUSD"].abi)
        app = build_app(
            self._sequencer,
            self._settings,
            checks(self._sequencer, self._chain, self._board, lambda: self._funded, self._alarm, self._second),
            self._state_hash,
            hooks=self._hooks,
            gauges=self._gauges,
            board=self._board,
            site=site,
            history=self._open_history(),
        )
        self._server = HttpServer(app, server_options(self._settings.stream))
        self._parts.supervise("http server", self._server.serve(sockets=[listener]))
        self._undo.push_async_callback(self._stop_serving)
        self._console.step("api", f"{http_url}  /docs  /metrics  /readyz")
        self._console.step("page", f"{http_url}/")

    def _open_history(self) -> History:
        past, record = Past(self._data.journal), ChainRecord(self._data.chain_record)
        self._undo.callback(record.close)
        self._undo.push_async_callback(past.close)
        self._recorder = Recorder(self._sequencer, self._chain, record, self._deployment.block_number)
        return History(past, record)

    async def _open_fix(self) -> None:
        await self._fix.open(self._sequencer, self._data.fix)
        self._undo.push_async_callback(self._fix.close)
        self._console.step("fix", f"{HOST}:{self._fix.ports}  {self._fix.transport}")

    async def _stop_serving(self) -> None:
        """Take no more requests, and let those under way end."""
        self._server.should_exit = True
        await self._parts.finished("http server")

    async def _make_demo(self, artifacts: dict[str, Artifact]) -> None:
        """Make what `seed.json` does not say is made: the venue's own money, and the demo."""
        done = self._data.read_json("seed.json") or {}
        self._last_deposit = -1
        if done.get("venue") and (done.get("demo") or not self._options.demo):
            return
        await asyncio.to_thread(self._node.begin_setup)
        seeder = seed.Seeder(
            self._sequencer,
            self._chain,
            self._deployment,
            self._roles.admin.private_key,
            artifacts["TestUSD"].abi,
        )
        self._last_deposit = await seeder.fund_venue()
        if self._options.demo:
            self._last_deposit = await seeder.make_demo(self._seed, self._data.keys)
            count = len(self._sequencer.state.markets)
            self._console.step(
                "demo", f"{count} markets, {len(seed.CUSTODIAL)} custodial accounts, {len(seed.WALLETS)} wallets"
            )
        await asyncio.to_thread(self._node.mine, self._options.confirmations)

    def _settle(self) -> None:
        """Start the tasks that talk with the chain."""
        attempts = Attempts(self._data.attempts)
        self._undo.callback(attempts.close)
        self._submitter = Submitter(
            self._sequencer,
            self._chain,
            attempts,
            self._roles.operator.private_key,
            BATCH_OPERATIONS,
            self._options.batch_ms,
            self._final_block,
            FeePolicy(ceiling=self._options.max_fee_gwei * GWEI),
            second=self._second,
        )
        self._indexer = Indexer(
            self._sequencer,
            self._chain,
            self._options.confirmations,
            self._final_block,
            custodial_references(self._sequencer.state),
            self._deployment.block_number,
            halt_after_ms(self._deployment.settle_deadline_s, OWN_CHAIN_HALTS_MS if self._owns_chain else HALT_AFTER_MS),
            second=self._second,
        )
        self._parts.run("indexer", self._indexer.run())
        self._parts.run("submitter", self._submitter.run())
        oracle = Oracle(self._sequencer, self._chain, self._roles.oracle.private_key, self._roles.reviewer.private_key)
        self._parts.run("oracle", oracle.run())
        reserves = Reserves(
            self._sequencer,
            self._chain,
            self._collateral,
            self._deployment.block_number,
            lambda: self._indexer.final_block,
            self._board,
            self._settings.api_secret,
            self._submitter.publish,
            partial(self._data.write_json, "liabilities.json", private=True),
        )
        saved = self._data.read_json("liabilities.json")
        if saved is not None:
            reserves.restore(saved)
        self._parts.run("reserves", reserves.run())
        self._parts.run("recorder", self._recorder.run())
        self._hooks.attach(self._submitter, self._indexer, reserves)
        self._undo.push_async_callback(self._drain)
        self._undo.push_async_callback(self._fix.close)
        self._undo.push_async_callback(self._stop_serving)

    def _final_block(self) -> int:
        return self._node.final_block(self._options.confirmations)

    async def _drain(self) -> None:
        """Settle what is open, for a bounded time; what is left is settled by the next `up`."""
        open_count = len(self._sequencer.state.operations)
        if not open_count or self._submitter.failure is not None:
            return
        if self._sequencer.failure is not None or not self._parts.runs("chain process"):
            self._console.note(f"{open_count} operations are still open; the next `up` settles them")
            return
        self._console.note(f"settling {open_count} open operations")
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await self._submitter.flush()
        except Exception as error:
            left = len(self._sequencer.state.operations)
            self._console.note(f"{left} operations are still open; the next `up` settles them ({type(error).__name__})")

    async def _settle_what_was_open(self) -> None:
        """A chain that was resumed has forgotten its last moments: send them again at its own time, then let time go on."""
        if self._sequencer.state.operations:
            self._console.note(f"settling {len(self._sequencer.state.operations)} operations that were open")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RESUME_TIMEOUT_S):
                    await self._submitter.flush()
        await asyncio.to_thread(self._node.move_time_on, self._now_s())

    async def _wait_until_funded(self) -> None:
        if self._last_deposit >= 0:
            await self._indexer.caught_up(self._last_deposit)
            self._data.write_json("seed.json", {"venue": True, "demo": self._options.demo, "seed": self._seed})
            self._console.step("money", "every deposit is final and credited")
        self._funded = True

    # --- what it says about itself ---------------------------------------------------------------------------------------

    def _alarm(self) -> str:
        return self._submitter.alarm if self._parts.runs("submitter") else "not running"

    def _gauges(self) -> Mapping[str, tuple[str, float]]:
        if not self._parts.known("submitter"):
            return {}
        return chain_gauges(self._sequencer.state, self._submitter, self._indexer, self._second)

    def _state_hash(self) -> str:
        state = self._sequencer.state
        if self._hash_at[0] != state.seq:
            self._hash_at = (state.seq, state_hash(state))
        return self._hash_at[1]

    def _on_command(self, entry: Sequenced, events: Sequence[Event]) -> None:
        if any(isinstance(event, MarketCreated) for event in events):
            self._write_status()
        self._console.command(entry, events)

    def _write_status(self) -> None:
        self._data.write_json("status.json", self._status(), private=True)

    def _status(self) -> dict[str, Any]:
        contracts = self._deployment.contracts
        return describe(self._settings, contracts, self._data, self._sequencer.state, self._seed, self._fix.addresses)
