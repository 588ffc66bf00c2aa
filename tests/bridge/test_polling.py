"""Waiting by looking: at once, then at a pace, and never longer than it was told."""

from types import SimpleNamespace

import pytest

from bridge import polling
from bridge.polling import poll


class Clock:
    """Seconds that pass only by sleeping, or when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(polling, "time", SimpleNamespace(monotonic=found.monotonic, sleep=found.sleep))
    return found


def test_first_look_comes_at_once_and_what_it_finds_is_returned(clock: Clock) -> None:
    assert poll(lambda: "there", every_s=5, timeout_s=5) == "there"
    assert clock.slept == []


def test_false_and_zero_are_found_and_none_is_not(clock: Clock) -> None:
    answers = iter([None, None, 0])
    assert poll(lambda: next(answers), every_s=1, timeout_s=5) == 0
    assert clock.slept == [1, 1]


def test_time_that_is_over_ends_it_after_one_more_look(clock: Clock) -> None:
    looks: list[float] = []
    assert poll(lambda: looks.append(clock.now_s), every_s=3, timeout_s=4) is None
    assert looks == [0, 3, 4]


def test_machine_that_stood_still_past_the_end_looks_once_more(clock: Clock) -> None:
    """What came to pass meanwhile is found: the time is over, but nobody has looked since."""
    looks: list[float] = []

    def look() -> str | None:
        looks.append(clock.now_s)
        clock.now_s += 100
        return None if len(looks) == 1 else "there"

    assert poll(look, every_s=1, timeout_s=5) == "there"


def test_what_a_look_raises_ends_it() -> None:
    with pytest.raises(ZeroDivisionError):
        poll(lambda: 1 // 0, every_s=0.001, timeout_s=5)
