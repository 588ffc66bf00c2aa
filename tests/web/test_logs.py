"""The page knows every event of the contracts and every reason of a skip, so that no log is shown undecoded."""

import re

import pytest

from bridge.cli_options import ROOT
from bridge.pytest_plugin import CausewayVenue
from bridge.settlement import SkipReason

ABI = (ROOT / "web" / "src" / "abi.ts").read_text()
LOGS = (ROOT / "web" / "src" / "logs.tsx").read_text()
EVENT = re.compile(r'"event (\w+)\((.*?)\)"')


@pytest.mark.slow
def test_the_page_knows_every_event_of_the_contracts(causeway_venue: CausewayVenue) -> None:
    known = {(name, fields.replace(", ", ",")) for name, fields in EVENT.findall(ABI)}
    declared = {
        (one["name"], ",".join(f"{field['type']}{' indexed' * field['indexed']} {field['name']}" for field in one["inputs"]))
        for contract in ("Venue", "TestUSD")
        for one in causeway_venue.abi(contract)
        if one["type"] == "event"
    }
    assert known == declared
    assert set(re.findall(r"^  (\w+): \(", LOGS, re.MULTILINE)) == {name for name, _ in declared}


def test_the_page_has_words_for_every_reason_of_a_skip() -> None:
    block = re.search(r"SKIP_REASONS = \[(.*?)\]", ABI, re.DOTALL)
    assert block is not None
    assert re.findall(r'"([^"]+)"', block[1]) == [reason.name.lower().replace("_", " ") for reason in SkipReason]
