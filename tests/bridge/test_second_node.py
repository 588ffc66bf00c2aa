"""The second node's own rules, without a chain: when it is connected, what stays visible, and for how long."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from bridge.chain import Chain, StateUnavailable, WrongChain
from bridge.options import Options
from bridge.parts import VenueError
from bridge.proof import Doubtful
from bridge.rpc import ChainUnavailable, RpcError
from bridge.second_node import DISAGREE, Answer, NodesDisagree, SecondNode
from bridge.venue import Venue


class Nobody(Chain):
    """A connection that nothing is asked of."""

    def __init__(self) -> None:
        """Connect to nothing."""


def hold(second: SecondNode, theirs: Answer | Exception, asker: str = "indexer") -> None:
    """Hold the first node's answer [1, 2] against the second one's."""

    def ask(chain: Chain) -> Answer:
        if isinstance(theirs, Exception):
            raise theirs
        return theirs

    second.agree(asker, "two numbers", [1, 2], ask)


def test_equal_answers_pass_and_leave_no_trace() -> None:
    second = SecondNode(Nobody)
    hold(second, (1, 2))
    assert (second.alarm, second.trouble, second.disagreements) == ("", "", 0)


@pytest.mark.parametrize("theirs", [[1], [2, 1], [1, 2, 3], [], Doubtful("of two minds")], ids=str)
def test_any_difference_is_an_alarm_that_names_the_code_and_stands_until_its_asker_goes_on(
    theirs: Answer | Exception,
) -> None:
    second = SecondNode(Nobody)
    with pytest.raises(NodesDisagree, match="about two numbers the first node alone says"):
        hold(second, theirs)
    assert second.alarm == second.trouble
    assert second.alarm.startswith(DISAGREE)
    hold(second, [1, 2], "submitter")
    second.went_on("submitter")
    assert second.alarm, "what the indexer was told still stands"
    second.went_on("indexer")
    assert (second.alarm, second.trouble, second.disagreements) == ("", "", 1)


@pytest.mark.parametrize("error", [ChainUnavailable("cut"), RpcError(-32000, "busy"), StateUnavailable("pruned")], ids=str)
def test_silence_delays_and_is_no_alarm(error: Exception) -> None:
    second = SecondNode(Nobody)
    with pytest.raises(ChainUnavailable, match="the second node says nothing about two numbers") as raised:
        hold(second, error)
    assert not isinstance(raised.value, NodesDisagree)
    assert (second.alarm, second.disagreements) == ("", 0)
    assert str(error) in second.trouble


def fails_twice(error: Exception) -> Callable[[], Chain]:
    """Return what connects at the third attempt."""
    left = [error, error]

    def connect() -> Chain:
        if left:
            raise left.pop()
        return Nobody()

    return connect


def test_it_is_connected_when_first_asked_and_again_until_it_is_there() -> None:
    second = SecondNode(fails_twice(ChainUnavailable("connection refused")))
    for _ in range(2):
        with pytest.raises(ChainUnavailable, match="connection refused"):
            hold(second, [1, 2])
    hold(second, [1, 2])


def test_second_node_of_another_chain_is_fatal_not_a_delay() -> None:
    second = SecondNode(fails_twice(WrongChain("http://other serves chain 1, expected 31337")))
    with pytest.raises(WrongChain, match="serves chain 1"):
        hold(second, [1, 2])


def test_second_node_that_is_the_first_one_is_refused(tmp_path: Path) -> None:
    options = Options(tmp_path, tmp_path, chain_url="http://127.0.0.1:8545", second_node="http://127.0.0.1:8545/")
    with pytest.raises(VenueError, match="is the node that is asked already"):
        Venue(options, Mock())._make_node()
