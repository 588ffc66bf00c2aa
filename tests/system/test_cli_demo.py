"""`causeway demo` on the shared venue: what it tells follows from its seed, and the money adds up."""

import itertools
import json
import os
import re
import signal
import subprocess
from typing import Any

import pytest

from tests.system.books import Books
from tests.system.clients import eventually
from tests.system.conftest import CAUSEWAY, VenueProcess, causeway

pytestmark = pytest.mark.slow


def test_the_demo_trades_resolves_redeems_and_balances(running: VenueProcess) -> None:
    done = causeway("demo", "--seed", "5", "--rounds", "2", "-o", "json", "--data-dir", str(running.data_dir))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert set(found["won_micros"]) == {"alice", "bob", "dave", "erin"}
    assert sum(found["won_micros"].values()) == 0
    assert found["contracts_filled"] > 0
    kinds = [line.split()[0] for line in found["told"]]
    assert kinds[0] == "market"
    assert kinds[1:13] == ["maker"] * 4 + ["taker"] * 2 + ["maker"] * 4 + ["taker"] * 2
    assert kinds[13:] == ["resolved", *["redeem"] * kinds.count("redeem"), "settled"]
    assert found["told"][1] == "maker    alice bid 9 YES at 51¢        Kalshi      nothing filled", "the seed decides"
    assert (found["outcome"], found["contracts_filled"]) == ("yes", 22)
    books = Books(running)
    try:
        books.check()
    finally:
        books.chain.close()


def test_company_quotes_every_market_until_it_is_told_to_leave(own_venue: VenueProcess) -> None:
    own_venue.start()
    command = [str(CAUSEWAY), "demo", "--live", "--data-dir", str(own_venue.data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as company:
        try:
            assert company.stdout is not None
            told = list(itertools.takewhile(lambda line: not line.startswith("company"), company.stdout))
            # One of them may be quoted anew right now, or bought empty; that is mended when its turn comes again.
            eventually(lambda: all(one["best_bid_e4"] and one["best_ask_e4"] for one in listed(own_venue)), 150)
        finally:
            company.send_signal(signal.SIGINT)
        company.communicate(timeout=120)
    assert company.returncode == 0
    markets = listed(own_venue)
    assert {line.split()[1] for line in told} == {one["ticker"] for one in markets}
    brackets = [int(cents) for cents in re.findall(r"KXHOMEPRICE-27JUN\S* +dave +buy \d+ YES at (\d+)¢", "".join(told))]
    assert len(brackets) == len([one for one in markets if one["event_ticker"] == "KXHOMEPRICE-27JUN"])
    assert 70 <= sum(brackets) <= 110, "exclusive outcomes share a dollar"
    assert all(one["best_bid_e4"] is one["best_ask_e4"] is None for one in markets)


def listed(venue: VenueProcess) -> list[dict[str, Any]]:
    done = causeway("market", "list", "-o", "json", "--data-dir", str(venue.data_dir))
    return list(json.loads(done.stdout)["markets"])


def test_the_shell_completes_verbs() -> None:
    asked = {"_CAUSEWAY_COMPLETE": "complete_bash", "COMP_WORDS": "causeway market re", "COMP_CWORD": "2"}
    done = subprocess.run([str(CAUSEWAY)], env={**os.environ, **asked}, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["resolve", "resolve-event", "resume"]


def test_people_get_tables_without_private_keys(running: VenueProcess) -> None:
    status = causeway("status", "--data-dir", str(running.data_dir)).stdout
    assert "KXDEMO-26-RAIN" in status
    for wallet in running.status()["accounts"]["wallets"].values():
        assert wallet["address"] in status
        assert wallet["private_key"] not in status
    account = causeway("account", "show", "alice", "--data-dir", str(running.data_dir)).stdout
    assert next(line.split()[:3] for line in account.splitlines() if "available" in line) == ["total", "available", "held"]


def test_watch_follows_a_market_and_refuses_one_that_is_not_there(running: VenueProcess) -> None:
    given = ["-o", "json", "--data-dir", str(running.data_dir)]
    with subprocess.Popen([str(CAUSEWAY), "watch", "KXDEMO-26-SNOW", *given], stdout=subprocess.PIPE, text=True) as watching:
        try:
            assert watching.stdout is not None
            kinds = [json.loads(watching.stdout.readline())["type"] for _ in range(3)]
        finally:
            watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=120)
    assert (watching.returncode, kinds) == (0, ["ready", "subscribed", "book"])
    assert causeway("watch", "KXDEMO-26-SNOW", *given, "--seconds", "0.1").returncode == 0
    assert causeway("watch", "NONE", *given).returncode == 2
