"""Waiting by looking: at once, then at a pace, and never longer than it was told."""

import time

import pytest

from bridge.polling import poll


def test_first_look_comes_at_once_and_what_it_finds_is_returned() -> None:
    started = time.monotonic()
    assert poll(lambda: "there", every_s=5, timeout_s=5) == "there"
    assert time.monotonic() - started < 1


def test_false_and_zero_are_found_and_none_is_not() -> None:
    answers = iter([None, None, 0])
    assert poll(lambda: next(answers), every_s=0.001, timeout_s=5) == 0


def test_time_that_is_over_ends_it_after_one_more_look() -> None:
    looks: list[float] = []
    assert poll(lambda: looks.append(time.monotonic()), every_s=10, timeout_s=0.05) is None
    assert len(looks) == 2


def test_what_a_look_raises_ends_it() -> None:
    with pytest.raises(ZeroDivisionError):
        poll(lambda: 1 // 0, every_s=0.001, timeout_s=5)
