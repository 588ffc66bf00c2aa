"""Kill -9 anywhere: `up` again loses nothing acknowledged, duplicates nothing on chain, and ledger and vault agree.

Exact points 11 to 14 of chaos list B (docs/chaos.md) are `after_sign`, `after_store`, `after_broadcast` and
`after_receipt`, `before_confirm`.
"""

import contextlib
import json
import random
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bridge.cli_options import EXIT_FAILED
from bridge.seed import HEDGES, MARKETS
from bridge.venue_process import kill_all
from offchain_book.gateways.market_file import parse_toml
from offchain_book.views import TradeStage
from tests.system.audit import Acknowledged, Audited, audit, live
from tests.system.clients import kalshi, polymarket
from tests.system.conftest import causeway, processes_of
from tests.system.crash_driver import CrashableVenue, Traders, deposit

pytestmark = pytest.mark.slow
SOAK = pytest.mark.soak
KILLED = 137
DEMO_TICKERS = {market.ticker for market in MARKETS} | {
    listed.ticker for path in HEDGES for listed in parse_toml(path.read_text()).markets
}
GTC = {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}
TICKER = "KXDEMO-26-SUN"


class Stage:
    """One venue that is killed over and over, its traders, and everything that they were ever told."""

    def __init__(self, folder: Path) -> None:
        self.venue = CrashableVenue(folder / "venue")
        self.acknowledged: list[Acknowledged] = []
        self.seeds = 0

    @contextlib.contextmanager
    def traders(self) -> Iterator[Traders]:
        """People with new request ids."""
        self.seeds += 1
        people = Traders(self.venue.started, self.seeds)
        try:
            yield people
        finally:
            people.close()
            self.acknowledged += people.acknowledged

    def recover(self) -> Audited:
        """Run `up` again and hold everything against everything."""
        return audit(self.venue.up(), self.acknowledged)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The venue, seeded once."""
    made = Stage(tmp_path_factory.mktemp("crash"))
    try:
        made.venue.up()
        yield made
        assert made.venue.stop() == 0, made.venue.output
        assert processes_of(made.venue.data_dir) == []
    finally:
        made.venue.clean_up()


@pytest.fixture(autouse=True)
def running(request: pytest.FixtureRequest) -> None:
    """Each test begins with a running venue, whatever the one before did."""
    if "stage" in request.fixturenames:
        request.getfixturevalue("stage").venue.up()


# --- exact points ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("point", "is_kept"), [("before_append", False), ("after_append", True), ("after_apply", True)])
def test_order_that_dies_with_the_venue_counts_once_or_never(stage: Stage, point: str, is_kept: bool) -> None:
    """A fill is in flight; the next order's client hears nothing, and what became of it can be looked up."""
    with stage.traders() as people:
        people.log_in()
        people.cross()
        stage.venue.arm(f"{point} PlaceOrder")
        with pytest.raises(httpx.TransportError):
            people.custodial("bob", TICKER, "bid", 1_000, 1)
        lost = f"crash-{people.seed}-2"
    stage.venue.wait_dead(KILLED)
    found = stage.recover()
    assert found.requests[lost] == is_kept


@pytest.mark.parametrize("point", ["after_sign", "after_store", "after_broadcast", "after_receipt", "before_confirm"])
def test_fill_settles_once_though_the_venue_died_on_the_way(stage: Stage, point: str) -> None:
    settles_after_death(stage, point, with_chain=False)


@pytest.mark.parametrize("point", ["after_broadcast", "after_receipt"])
def test_fill_settles_once_though_venue_and_chain_died_on_the_way(stage: Stage, point: str) -> None:
    settles_after_death(stage, point, with_chain=True)


@SOAK
@pytest.mark.parametrize("with_chain", [False, True])
@pytest.mark.parametrize(
    "point",
    [
        "before_append CutBatch",
        "after_append CutBatch",
        "after_sign",
        "after_store",
        "before_append ObserveBatch",
        "before_broadcast",
        "after_broadcast",
        "after_receipt",
        "after_append ObserveBatch",
        "before_confirm",
        "before_append ConfirmBatch",
        "after_append ConfirmBatch",
        "after_apply ConfirmBatch",
    ],
)
def test_fill_settles_once_wherever_venue_or_all_died(stage: Stage, point: str, with_chain: bool) -> None:
    settles_after_death(stage, point, with_chain)


def settles_after_death(stage: Stage, point: str, with_chain: bool) -> None:
    """Kill at the point with a fill in flight, start again: one transaction, the stored one if there was one."""
    with stage.traders() as people:
        people.log_in()
        stage.venue.arm(point)
        people.cross()
    stage.venue.wait_dead(KILLED)
    if with_chain:
        stage.venue.kill_chain()
    stored = stage.venue.sent_transactions()
    found = stage.recover()
    last = found.read.operations[-1]
    assert last.stage == TradeStage.CONFIRMED
    assert not found.skipped
    is_stored = point not in ("before_append CutBatch", "after_append CutBatch", "after_sign")
    assert (last.tx_hash in stored) is is_stored, "what was stored is sent again, byte for byte"


@pytest.mark.parametrize("point", ["after_append CreditDeposit", pytest.param("before_append CreditDeposit", marks=SOAK)])
def test_deposit_is_credited_once_though_the_venue_died_at_it(stage: Stage, point: str) -> None:
    before = live(stage.venue.started)["seq"]
    stage.venue.arm(point)
    deposit(stage.venue.started, "frank", 7_000_000)
    stage.venue.wait_dead(KILLED)
    found = stage.recover()
    assert found.read.deposits[-1].amount_micros == 7_000_000
    assert found.read.deposit_seqs[-1] > before


def test_orders_of_the_official_clients_survive(stage: Stage) -> None:
    """What kalshi-python-sync and py-clob-client-v2 were told is there after a kill of everything, and trades on."""
    status = stage.venue.started
    token = status["markets"]["KXDEMO-26-SNOW"]["token_ids"]["no"]
    with kalshi(status, "carol") as carol, polymarket(status, "erin") as erin:
        order = carol.create_order_v2(ticker="KXDEMO-26-SNOW", side="bid", count="10.00", price="0.6000", **GTC)
        taken = erin.order(token_id=token, price=0.40, size=4, side="BUY")
        assert taken["status"] == "matched"
        stage.venue.kill(with_chain=True)
        stage.acknowledged.append(Acknowledged("", taken["orderID"], 4_000_000))
        found = audit(stage.venue.up())
        assert found.read.orders[order["order_id"]].filled_micros == 4_000_000
        rest = carol.get_order(order["order_id"])["order"]
        assert (rest["status"], rest["remaining_count_fp"]) == ("resting", "6.00")
        (trade,) = [one for one in erin.get_trades() if one["asset_id"] == token]
        assert trade["status"] == "CONFIRMED"
        assert erin.order(token_id=token, price=0.40, size=6, side="BUY")["status"] == "matched"
    stage.acknowledged.pop()
    stage.recover()


# --- the chain alone -------------------------------------------------------------------------------------------------


def test_venue_stops_when_its_chain_is_killed_and_the_next_start_settles(stage: Stage) -> None:
    with stage.traders() as people:
        people.log_in()
        people.cross()
        stage.venue.kill_chain()
    stage.venue.wait_dead(EXIT_FAILED)
    assert not re.search(r"settling \d+ open operations", stage.venue.output), "there is nothing to drain into"
    lines = [line for line in stage.venue.output.splitlines() if line.startswith("causeway: ")]
    assert len(lines) == 1
    assert "the chain (anvil, pid" in lines[0]
    assert "ended by itself" in lines[0]
    assert processes_of(stage.venue.data_dir) == []
    found = stage.recover()
    assert "(resumed)" in stage.venue.output
    assert found.read.operations[-1].stage == TradeStage.CONFIRMED


# --- random kills ----------------------------------------------------------------------------------------------------


def random_kill(stage: Stage, seed: int) -> None:
    """Let two people trade, kill the venue, its chain or both at a random moment, sometimes again during `up`, audit."""
    chance = random.Random(f"kill-{seed}")
    stop = threading.Event()
    with stage.traders() as one, stage.traders() as other:
        one.log_in()
        other.log_in()
        threads = [threading.Thread(target=people.trade_until_dead, args=(stop,)) for people in (one, other)]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.1, 1.6))
        kill(stage, chance.choice(("venue", "chain", "both")))
        stop.set()
        for thread in threads:
            thread.join()
    if chance.random() < 0.4:
        stage.venue.begin()
        time.sleep(chance.uniform(0.1, 2.5))
        kill(stage, chance.choice(("venue", "both")))
    stage.recover()


def kill(stage: Stage, what: str) -> None:
    """Kill -9."""
    if what == "chain":
        stage.venue.kill_chain()
        stage.venue.wait_dead(EXIT_FAILED)
        return
    assert stage.venue.process is not None
    stage.venue.process.kill()
    stage.venue.process.wait()
    if what == "both":
        kill_all(stage.venue.data_dir)


@pytest.mark.parametrize("seed", range(3))
def test_random_kill_loses_nothing_and_duplicates_nothing(stage: Stage, seed: int) -> None:
    random_kill(stage, seed)


@SOAK
@pytest.mark.parametrize("seed", range(3, 70))
def test_many_more_random_kills(stage: Stage, seed: int) -> None:
    random_kill(stage, seed)


@SOAK
@pytest.mark.parametrize("seed", range(20))
def test_random_kill_of_a_first_start_leaves_a_folder_that_starts(tmp_path: Path, seed: int) -> None:
    """Compiling, deploying, paying in, listing: interrupted anywhere, the next `up` goes on."""
    chance = random.Random(f"first-{seed}")
    first = Stage(tmp_path)
    try:
        for _ in range(chance.randint(1, 3)):
            first.venue.begin()
            time.sleep(chance.uniform(0.2, 5))
            kill(first, chance.choice(("venue", "both")))
        found = first.recover()
        assert set(found.state.markets) == set(first.venue.started["markets"]) == DEMO_TICKERS
        assert all(account.cash.total for name, account in found.state.accounts.items() if name in ("alice", "bob"))
    finally:
        first.venue.clean_up()


# --- the journal -----------------------------------------------------------------------------------------------------


def test_replay_verify_and_repair(stage: Stage, tmp_path: Path) -> None:
    """`replay` gives the live state hash, `verify` names the first flipped byte's record, a torn last record is cut off."""
    journal = stage.venue.data_dir / "journal.log"
    with stage.traders() as people:
        people.log_in()
        people.cross()
    stage.recover()
    stage.venue.kill(with_chain=True)
    copy = tmp_path / "journal.log"
    shutil.copy(journal, copy)
    replayed = json.loads(causeway("replay", str(copy), "-o", "json").stdout)
    assert json.loads(causeway("verify", str(copy), "-o", "json").stdout) == {"ok": True, "first_bad_seq": None}

    chance = random.Random(1)
    content = copy.read_bytes()
    lines = content.splitlines(keepends=True)
    records = [json.loads(line.partition(b" ")[2]) for line in lines]
    number = chance.choice([number for number, record in enumerate(records) if "kind" in record])
    start = sum(len(line) for line in lines[:number])
    position = start + chance.randrange(len(lines[number]) - 1)
    copy.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
    verified = causeway("verify", str(copy), "-o", "json")
    assert verified.returncode == EXIT_FAILED
    assert json.loads(verified.stdout)["first_bad_seq"] == records[number]["seq"]

    with journal.open("ab") as file:
        file.write(lines[-1][:-20])
    stage.recover()
    assert f"({len(lines[-1]) - 20} bytes), which was cut off" in stage.venue.output
    assert replayed["state_hash"][:12] in stage.venue.output
