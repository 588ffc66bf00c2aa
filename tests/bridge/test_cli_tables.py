"""Results as people read them: units are applied, parts get blocks, nothing is cut off."""

import io

import pytest
from rich.console import Console

from bridge.cli_tables import PIPE_WIDTH, render, text

TOKEN = "1" * 77


def printed(result: dict[str, object]) -> list[str]:
    out = io.StringIO()
    render(result, Console(file=out, highlight=False))
    return [line.strip() for line in out.getvalue().splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("amount_micros", 12_500_000, "12.50"),
        ("amount_micros", 1, "0.000001"),
        ("amount_micros", "-30000000000", "-30,000.00"),
        ("total", 1_234_000_000, "1,234.00"),
        ("price_e4", 6_150, "0.6150"),
        ("floor_strike_e6", 430_000_000_000, "430,000"),
        ("at_ms", 1_795_365_325_871, "2026-11-22 16:35:25 UTC"),
        ("took_ms", 250, "250 ms"),
        ("seq", 41, "41"),
        ("ok", False, "no"),
        ("reason", None, "–"),
        ("pool_micros", {"yes": 2_000_000, "no": 0}, "yes 2.00, no 0.00"),
        ("key_ids", ["a", "b"], "a, b"),
    ],
)
def test_the_name_says_the_unit(name: str, value: object, expected: str) -> None:
    assert text(name, value) == expected


def test_single_values_come_first_then_a_block_for_every_part() -> None:
    lines = printed({"rows": [{"asset": "USD", "held_micros": 5_000_000}], "seq": 7})
    assert lines[0].split() == ["seq", "7"]
    assert lines[1:3] == ["rows", "asset   held"]
    assert lines[-1].split() == ["USD", "5.00"]


def test_rows_of_one_kind_share_a_table_and_others_do_not() -> None:
    alike = printed({"balances": {"USD": {"total": 1_000_000, "held": 0}, "X:YES": {"total": 0, "held": 0}}})
    assert alike[1].split() == ["total", "held"]
    mixed = printed({"people": {"custodial": {"alice": {"id": "1"}}, "wallets": {"dave": {"id": "2"}}}})
    assert [line for line in mixed if "·" in line] == ["people · custodial", "people · wallets"]


def test_the_unit_of_a_part_is_that_of_its_values() -> None:
    assert printed({"won_micros": {"alice": 1_000_000, "bob": -2_000_000, "erin": 1_000_000}})[2].split() == ["bob", "-2.00"]


def test_a_column_of_millionths_is_headed_by_what_it_shows() -> None:
    assert printed({"lines": [{"account": "alice", "micros": 5_000_000}]})[1].split() == ["account", "amount"]


def test_long_ids_are_not_cut_off() -> None:
    assert any(TOKEN in line for line in printed({"rows": [{"token": TOKEN, "other": TOKEN}]}))
    assert len(TOKEN) * 2 < PIPE_WIDTH


def test_rows_too_wide_for_a_table_become_blocks() -> None:
    wide = {"ticker": "RAIN", "condition_id": "0x" + "a" * 64, **{f"column_{number}": "c" * 9 for number in range(20)}}
    lines = printed({"markets": [wide, {**wide, "ticker": "SNOW"}], "event": "WEATHER"})
    assert [line for line in lines if line.startswith("markets")] == ["markets 1", "markets 2"]
    assert ["condition", "id", "0x" + "a" * 64] in [line.split() for line in lines]
