"""What settlement costs: the targets of the design, and the committed snapshot, from real receipts."""

import json

import pytest

from tests.contracts import snapshot
from tests.contracts.gas import Line, measure, table, targets


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return measure()


def test_settlement_costs_no_more_than_its_targets(lines: list[Line]) -> None:
    rows = targets(lines)
    assert [row.name for row in rows if row.gas > row.target] == [], table(rows)


def test_every_fill_is_cheaper_than_polymarkets(lines: list[Line]) -> None:
    compared = [line for line in lines if line.theirs]
    assert compared
    for line in compared:
        assert line.theirs is not None
        assert all(gas < line.theirs[size] for size, gas in line.gas.items()), line.name


def test_the_committed_snapshot_is_what_the_contracts_cost_now(lines: list[Line]) -> None:
    committed = json.loads(snapshot.SNAPSHOT.read_text())
    changed = list(snapshot.differences(committed, snapshot.take(lines)))
    assert changed == [], "contracts/snapshot.json is stale: run `make snapshot`, look at its diff, commit it"
