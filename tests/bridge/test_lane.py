"""What a transaction may cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.attempts import Attempt
from bridge.lane import GWEI, FeePolicy

POLICY = FeePolicy(ceiling=500 * GWEI)
wei = st.integers(0, 600 * GWEI)


def attempt(max_fee: int, priority_fee: int) -> Attempt:
    return Attempt("batch:0", "0x1", 0, "0x2", b"", 21_000, max_fee, priority_fee)


@given(first=wei, later=st.lists(wei, max_size=12), tip=st.integers(0, 3 * GWEI))
def test_bumps_rise_by_an_eighth_and_never_stop_short_of_a_ceiling_that_blocks_would_take(
    first: int, later: list[int], tip: int
) -> None:
    fees = POLICY.first(first, tip)
    if fees is None:
        assert first > POLICY.ceiling
        return
    for base_fee in later:
        found = POLICY.bumped(attempt(*fees), base_fee, tip)
        if found is None:
            assert fees[0] == POLICY.ceiling or base_fee > POLICY.ceiling, "the ceiling could still be reached"
            continue
        assert found[0] * 8 >= fees[0] * 9
        assert found[1] * 8 >= fees[1] * 9
        assert found[1] <= found[0] <= POLICY.ceiling
        fees = found


@pytest.mark.parametrize(("base_fee", "expected"), [(200, 402), (230, 500), (470, 500), (500, 500), (501, None)])
def test_first_fee_leaves_room_for_a_bump_or_is_the_ceiling(base_fee: int, expected: int | None) -> None:
    """At 2 · base + tip in gwei; 462 could be bumped only to 519."""
    found = POLICY.first(base_fee * GWEI, 2 * GWEI)
    assert (found and found[0]) == (expected and expected * GWEI)
