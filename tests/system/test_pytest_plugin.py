"""The fixture `causeway_venue`, as other people's tests use it."""

import importlib
import re
import tomllib
from typing import Any

import pytest

from bridge.cli_options import ROOT
from bridge.pytest_plugin import CausewayVenue

pytestmark = pytest.mark.slow


def test_the_fixture_knows_where_everything_is_and_who_is_there(causeway_venue: CausewayVenue) -> None:
    assert set(causeway_venue.custodial) == {"alice", "bob", "carol"}
    assert causeway_venue.custodial["alice"].private_key_pem.startswith("-----BEGIN")
    assert causeway_venue.wallets["dave"].address == causeway_venue.client.wallet("dave").address
    assert causeway_venue.markets["KXDEMO-26-RAIN"].event_ticker == "KXDEMO-26"
    assert any(entry.get("name") == "settleBatch" for entry in causeway_venue.abi("Venue"))


def test_the_example_of_the_docs_passes(causeway_venue: CausewayVenue) -> None:
    (example,) = re.findall(
        r"^```python plugin\n(.*?)^```", (ROOT / "docs" / "testing.md").read_text(), re.MULTILINE | re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(compile(example, "docs/testing.md", "exec"), names)
    names["test_a_bot_of_mine"](causeway_venue)
    shown = causeway_venue.client.admin("GET", "/markets/KXMINE-1-A")
    assert (shown["yes_payout_micros"], shown["resolved_on_chain"]) == (250_000, True)


def test_pytest_finds_the_plugin_by_its_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module = importlib.import_module(project["entry-points"]["pytest11"]["causeway"])
    assert module.causeway_venue.__name__ == "causeway_venue"
