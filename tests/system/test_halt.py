"""A chain that stands still, and a contract that skips: every open fill ends exactly one way, and trading goes on.

The settlement deadline is twelve seconds here, so finality that stands still for four halts matching with wallets.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from bridge.rpc import RpcClient
from offchain_book.engine.names import GUARANTEE
from offchain_book.engine.operations import FillOperation
from offchain_book.signatures import keccak256
from offchain_book.views import OperationView, TradeStage
from tests.system.audit import Audited, audit, live
from tests.system.clients import ClientError, eventually, kalshi, polymarket
from tests.system.crash_driver import CrashableVenue, Refused, Traders

pytestmark = pytest.mark.slow
DEADLINE_S = 12
SUN, RAIN, SNOW = "KXDEMO-26-SUN", "KXDEMO-26-RAIN", "KXDEMO-26-SNOW"
CONTRACT = 1_000_000
CASH_MASK = (1 << 96) - 1


@dataclass
class Stage:
    """A venue whose fills have twelve seconds, and its traders."""

    venue: CrashableVenue
    people: Traders

    @property
    def status(self) -> dict[str, Any]:
        """`causeway status`."""
        return self.venue.started

    def wait_halted(self, is_halted: bool) -> None:
        """Wait until the venue says so."""
        eventually(lambda: live(self.status)["chain_halted"] is is_halted)

    def audit(self) -> Audited:
        """Hold everything against everything."""
        return audit(self.status, self.people.acknowledged)

    def stages(self) -> tuple[set[str], set[str]]:
        """Return what alice and dave are told about their open fills, in their dialects."""
        hers = {fill["settlement_status"] for fill in self.people.fills("alice")}
        his = {trade["status"] for trade in self.people.wallet_trades("dave")}
        return hers - {TradeStage.CONFIRMED, TradeStage.FAILED}, his - {TradeStage.CONFIRMED, TradeStage.FAILED}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The venue, started once."""
    flags = ("--batch-ms", "50", "--confirmations", "1", "--settle-deadline", str(DEADLINE_S), "--exit-delay", "30")
    venue = CrashableVenue(tmp_path_factory.mktemp("halt") / "venue", flags=flags)
    try:
        people = Traders(venue.up(), 1)
        people.log_in()
        yield Stage(venue, people)
        people.close()
        assert venue.stop() == 0, venue.output
    finally:
        venue.clean_up()


@contextlib.contextmanager
def frozen(stage: Stage) -> Iterator[int]:
    """Stop the chain's process, just after a block became final: it answers nobody."""
    pid, final = stage.venue.chain_pid(), live(stage.status)["final_block"]
    eventually(lambda: live(stage.status)["final_block"] > final)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def ended(view: OperationView) -> str:
    """Return how a fill ended, which must be one of three ways."""
    if view.stage == TradeStage.CONFIRMED:
        assert not view.resolution
        return "landed"
    assert view.stage == TradeStage.FAILED
    return view.resolution.partition(" ")[0]


def check_endings(found: Audited, first: int) -> list[str]:
    """Each fill from `first` on has landed, or was skipped and then guaranteed (custodial side) or busted (two wallets)."""
    endings = []
    for view in found.read.operations[first:]:
        assert isinstance(view.operation, FillOperation)
        number, ending = view.operation.number, ended(view)
        between_wallets = view.operation.taker.wallet is not None and view.operation.maker.wallet is not None
        assert ending in ("landed", "busted" if between_wallets else "guaranteed")
        assert (number in found.skipped) is (ending != "landed")
        endings.append(ending)
    return endings


def test_chain_that_stands_still_beyond_the_deadline(stage: Stage) -> None:
    people, first = stage.people, live(stage.status)["operations"]["next"]
    people.wallet("dave", RAIN, "yes", "BUY", 3_000, 5)
    people.wallet("erin", SUN, "no", "BUY", 4_000, 3)
    people.custodial("alice", SUN, "ask", 5_000, 2)
    with frozen(stage):
        people.wallet("dave", SUN, "yes", "BUY", 6_000, 5)
        matched_s = time.monotonic()
        stage.wait_halted(True)
        assert stage.stages() == ({TradeStage.RETRYING}, {TradeStage.RETRYING})
        _only_custodial_trading_goes_on(stage)
        # The chain's clock is the wall's: the deadline is past when the wall says so.
        time.sleep(max(0.0, matched_s + DEADLINE_S + 1.5 - time.monotonic()))
        assert stage.stages() == ({TradeStage.RETRYING}, {TradeStage.RETRYING}), "only the chain can say that it is too late"
    stage.wait_halted(False)
    found = stage.audit()
    assert check_endings(found, first) == ["guaranteed", "busted"]
    assert (found.state.guaranteed_fills, found.state.ghost_fills) == (1, 1)
    assert found.state.accounts[GUARANTEE].cash.held == 0

    people.cross(RAIN)
    assert check_endings(stage.audit(), first) == ["guaranteed", "busted", "landed"]


def _only_custodial_trading_goes_on(stage: Stage) -> None:
    """While the chain stands still: 503 for wallets in their dialect, custodial fills at once, cancels always."""
    people = stage.people
    with pytest.raises(Refused, match=r": 503 .*chain stands still"):
        people.wallet("erin", SNOW, "yes", "BUY", 5_000, 1)
    people.custodial("alice", SNOW, "bid", 4_000, 2)
    taken = people.custodial("bob", SNOW, "ask", 4_000, 2)
    assert taken["fill_count"] == "2.00"
    people.custodial("alice", RAIN, "bid", 3_500, 2)
    taken = people.custodial("bob", RAIN, "ask", 3_000, 4)
    assert (taken["fill_count"], taken["remaining_count"]) == ("2.00", "0.00"), "the rest would meet dave's order"
    with polymarket(stage.status, "dave") as dave, kalshi(stage.status, "bob") as bob:
        with pytest.raises(ClientError) as refused:
            dave.order(token_id=stage.status["markets"][SNOW]["token_ids"]["no"], price=0.5, size=1, side="BUY")
        assert refused.value.status == 503
        (resting,) = dave.get_open_orders()
        assert dave.cancel_order({"$": "OrderPayload", "orderID": resting["id"]})["canceled"] == [resting["id"]]
        order = bob.get_order(taken["order_id"])["order"]
        assert (order["status"], order["fill_count_fp"]) == ("canceled", "2.00")


def test_chain_that_comes_back_in_time_settles_what_was_open(stage: Stage) -> None:
    """The node answers and mines nothing: its pool keeps the transaction, and no fill fails."""
    rpc = RpcClient(stage.status["rpc"])
    first = live(stage.status)["operations"]["next"]
    try:
        rpc.call("evm_setIntervalMining", 0)
        stage.people.cross(SUN)
        stage.wait_halted(True)
        assert stage.stages() == ({TradeStage.RETRYING}, {TradeStage.RETRYING})
    finally:
        rpc.call("evm_setIntervalMining", 1)
        rpc.close()
    stage.wait_halted(False)
    assert check_endings(stage.audit(), first) == ["landed"]


@pytest.mark.soak
def test_venue_killed_while_the_chain_stands_still_goes_on_where_it_was(stage: Stage) -> None:
    first = live(stage.status)["operations"]["next"]
    stage.people.custodial("alice", SUN, "ask", 5_000, 2)
    with frozen(stage):
        stage.people.wallet("dave", SUN, "yes", "BUY", 5_000, 2)
        stage.wait_halted(True)
        stage.venue.kill(with_chain=True)
    stage.venue.up()
    stage.wait_halted(False)
    assert check_endings(stage.audit(), first) == ["landed"], "a chain that resumes at its saved time is not late"


def test_skipped_operation_takes_its_dependants_with_it(stage: Stage) -> None:
    """Erin's vault is emptied behind everybody's back; what she bought is sold on, and on again, before anybody sees it."""
    people = stage.people
    before = stage.audit()
    first, guaranteed, busted = before.state.next_operation, before.state.guaranteed_fills, before.state.ghost_fills
    rpc, venue = RpcClient(stage.status["rpc"]), stage.status["contracts"]["venue"]
    erin = stage.status["accounts"]["wallets"]["erin"]["address"]
    slot = "0x" + keccak256(b"cway.account" + bytes.fromhex(erin[2:])).hex()
    word = int(rpc.call("eth_getStorageAt", venue, slot, "latest"), 16)
    try:
        rpc.call("evm_setIntervalMining", 0)
        rpc.call("anvil_setStorageAt", venue, slot, f"0x{word & ~CASH_MASK:064x}")
        people.custodial("alice", SNOW, "ask", 5_000, 10)
        people.wallet("erin", SNOW, "yes", "BUY", 5_000, 10)
        eventually(lambda: all(_sent(stage, first)))
        people.custodial("bob", SNOW, "bid", 4_000, 3)
        people.wallet("erin", SNOW, "yes", "SELL", 4_000, 3)
        people.wallet("dave", SNOW, "yes", "BUY", 4_000, 5)
        people.wallet("erin", SNOW, "yes", "SELL", 4_000, 5)
        people.custodial("bob", SNOW, "bid", 3_000, 5)
        people.wallet("dave", SNOW, "yes", "SELL", 3_000, 4)
        resting = [
            people.wallet(name, SNOW, "yes", "SELL", 9_000, count)["orderID"] for name, count in (("erin", 2), ("dave", 1))
        ]
        eventually(lambda: sum(map(bool, _sent(stage, first))) == 4)
    finally:
        rpc.call("evm_setIntervalMining", 1)
    eventually(lambda: not live(stage.status)["operations"]["open"])
    rpc.call("anvil_setStorageAt", venue, slot, f"0x{word:064x}")
    rpc.close()
    found = stage.audit()
    assert check_endings(found, first) == ["guaranteed", "guaranteed", "busted", "guaranteed"]
    assert (found.state.guaranteed_fills - guaranteed, found.state.ghost_fills - busted) == (3, 1)
    reasons = [view.resolution for view in found.read.operations[first:]]
    assert "skipped" in reasons[0]
    assert all("skipped" in reason for reason in reasons), "all were on their way: the chain answers for each (ADR 0009)"
    assert [found.read.orders[order].cancel_reason for order in resting] == ["unfunded", "unfunded"]
    people.cross(SUN)
    assert check_endings(stage.audit(), first)[-1] == "landed"


def _sent(stage: Stage, first: int) -> list[str]:
    """Return the transaction hashes of the newest operations as a client sees them."""
    hashes = []
    for number in range(first, live(stage.status)["operations"]["next"]):
        answer = httpx.get(f"{stage.status['http']}/venue/trace/operation:{number}", timeout=60).raise_for_status()
        hashes += [row["hash"] for row in answer.json()["transactions"]] or [""]
    return hashes
