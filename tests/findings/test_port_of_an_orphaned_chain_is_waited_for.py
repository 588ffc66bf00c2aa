"""Found on a busy machine: a start that ended the chain of a killed venue said that another program had its port.

A process that ends loses its command line, by which it is known, a moment before the kernel closes its sockets.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge import node
from bridge.node import Anvil
from tests.bridge.harness import ROOT, free_port


@pytest.fixture
def orphaned(tmp_path: Path) -> Iterator[Anvil]:
    """A chain that runs, and that nobody wrote down."""
    anvil = Anvil(node.anvil_binary(ROOT), tmp_path, free_port())
    anvil.start()
    anvil._record_path.unlink()
    yield anvil
    anvil.stop()


def test_port_that_is_free_a_moment_after_its_process_is_gone_is_no_strangers(
    orphaned: Anvil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    is_free = node.port_is_free

    def still_closing(port: int) -> bool:
        asked.append(port)
        return len(asked) > 3 and is_free(port)

    monkeypatch.setattr(node, "port_is_free", still_closing)
    again = Anvil(node.anvil_binary(ROOT), tmp_path, orphaned._port)
    again.start()
    assert again._pid != orphaned._pid
    again.stop()
