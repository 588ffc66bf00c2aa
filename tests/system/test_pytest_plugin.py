"""The fixture `causeway_venue`, as other people's tests use it."""

import importlib
import tomllib

import pytest

from bridge.cli_client import CommandError
from bridge.cli_options import ROOT
from bridge.pytest_plugin import CausewayVenue

pytestmark = pytest.mark.slow


def test_the_fixture_knows_where_everything_is_and_who_is_there(causeway_venue: CausewayVenue) -> None:
    assert set(causeway_venue.custodial) == {"alice", "bob", "carol"}
    assert causeway_venue.custodial["alice"].private_key_pem.startswith("-----BEGIN")
    assert causeway_venue.wallets["dave"].address == causeway_venue.client.wallet("dave").address
    assert causeway_venue.markets["KXDEMO-26-RAIN"].event_ticker == "KXDEMO-26"
    assert any(entry.get("name") == "settleBatch" for entry in causeway_venue.abi("Venue"))


def test_a_market_of_a_tests_own_lives_to_its_end(causeway_venue: CausewayVenue) -> None:
    market = causeway_venue.new_market("KXTEST-PLUGIN")
    assert market.ticker in causeway_venue.markets
    causeway_venue.resolve(market.ticker, "0.25")
    assert causeway_venue.client.admin("GET", f"/markets/{market.ticker}")["yes_payout_micros"] == 250_000
    with pytest.raises(CommandError, match="resolved"):
        causeway_venue.resolve(market.ticker, "yes")


def test_pytest_finds_the_plugin_by_its_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module = importlib.import_module(project["entry-points"]["pytest11"]["causeway"])
    assert module.causeway_venue.__name__ == "causeway_venue"
