"""Fuzz, invariant and symbolic tests of the contracts: every one of tests/forge and tests/symbolic passes, and none is missing.

A few runs here; `make soak` runs many.
"""

import json
import re
from pathlib import Path

import pytest

from tests.contracts import forge
from tests.contracts.anvil import ROOT

PROPERTIES = [f"P{number}" for number in range(1, 15)]


def written(folder: str, prefixes: str) -> set[str]:
    """The names of the tests in a folder's sources."""
    text = "".join(path.read_text() for path in sorted((ROOT / folder).glob("*.t.sol")))
    return set(re.findall(rf"function ((?:{prefixes})_\w+)\(", text))


def passed(profile: str) -> set[str]:
    """Run forge; return the names of the tests that passed. The whole output is the message when one fails."""
    forge.prepare()
    done = forge.run("test", "--json", profile=profile)
    results = json.loads(done.stdout[done.stdout.index("{") :])
    tests = {name: test for suite in results.values() for name, test in suite["test_results"].items()}
    failed = {name: test["reason"] for name, test in tests.items() if test["status"] != "Success"}
    assert not failed, json.dumps(failed, indent=1)
    return {name.split("(")[0] for name in tests}


@pytest.mark.slow
def test_fuzz_and_invariant_tests_pass() -> None:
    assert passed("default") == written("tests/forge", "test|testFuzz|invariant")


@pytest.mark.slow
def test_the_arithmetic_of_a_fill_is_proved_for_all_values(tmp_path: Path) -> None:
    report = tmp_path / "halmos.json"
    done = forge.halmos("--json-output", str(report))
    assert report.is_file(), done.stdout + done.stderr
    results = [test for tests in json.loads(report.read_text())["test_results"].values() for test in tests]
    proved = {test["name"].split("(")[0] for test in results if test["exitcode"] == 0}
    assert proved == written("tests/symbolic", "check"), done.stdout


def test_every_property_has_a_test_by_its_name() -> None:
    names = written("tests/forge", "test|testFuzz|invariant") | written("tests/symbolic", "check")
    found = {match for name in names for match in re.findall(r"_(P\d+)_", name)} | {"P7"}
    assert found == set(PROPERTIES)
    assert "everybodyLeaves" in (ROOT / "tests/forge/Invariants.t.sol").read_text()  # P7, after every sequence


@pytest.mark.soak
def test_fuzz_and_invariant_tests_pass_for_long() -> None:
    assert passed("soak") == written("tests/forge", "test|testFuzz|invariant")
