"""The gas table with its targets, from real receipts."""

from tests.contracts.gas import measure, table


def test_settlement_costs_no_more_than_its_targets() -> None:
    rows = measure()
    assert [row.name for row in rows if row.gas > row.target] == [], table(rows)
