"""A question about the past that was given up left its answer behind: the next one read it. Giving up in the middle of a long
answer could even wait for ever, and with it Ctrl-C: a pipe that is full of what nobody reads never ends.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from offchain_book.past import Past
from tests.gateways.native_venue import NativeVenue

PATIENCE_S = 60
ENDLESS = """
import sys
sys.stdout.buffer.write((1 << 40).to_bytes(8))
while True:
    sys.stdout.buffer.write(bytes(65_536))
"""


async def test_answer_to_a_question_that_was_given_up_is_not_the_next_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = NativeVenue(tmp_path)
    async with venue.running():
        beside = Past(tmp_path / "journal")
        try:
            assert (await beside.at(2)).seq == 2
            assert beside._process is not None
            os.kill(beside._process.pid, signal.SIGSTOP)
            asked, ask = asyncio.Event(), beside._ask

            async def noted(question: Any) -> Any:
                asyncio.get_running_loop().call_soon(asked.set)  # comes when the question is on its way
                return await ask(question)

            monkeypatch.setattr(beside, "_ask", noted)
            given_up = asyncio.create_task(beside.at(3))
            await asked.wait()
            given_up.cancel()
            await asyncio.wait([given_up])
            if beside._process is not None:
                os.kill(beside._process.pid, signal.SIGCONT)
            assert (await beside.at(5)).seq == 5
        finally:
            await beside.close()


async def test_question_is_given_up_in_the_middle_of_a_long_answer(tmp_path: Path) -> None:
    beside = Past(tmp_path / "journal")
    talks = beside._process = await asyncio.create_subprocess_exec(sys.executable, "-c", ENDLESS, stdin=PIPE, stdout=PIPE)
    assert talks.stdout is not None
    reader, full = talks.stdout, asyncio.Event()
    feed = reader.feed_data

    def fed(data: bytes) -> None:
        feed(data)
        if len(reader._buffer) > 1_000_000:  # type: ignore[attr-defined]
            full.set()

    reader.feed_data = fed  # type: ignore[method-assign]
    asking = asyncio.create_task(beside.at(3))
    await full.wait()
    asking.cancel()
    await asyncio.wait([asking], timeout=PATIENCE_S)
    assert asking.cancelled()
    assert talks.returncode == -signal.SIGKILL


async def test_answer_to_another_question_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = NativeVenue(tmp_path)
    async with venue.running():
        beside = Past(tmp_path / "journal")
        try:
            answer = await beside.at(2)
            with monkeypatch.context() as patched:
                patched.setattr("offchain_book.past._answer", lambda data: answer)
                with pytest.raises(RuntimeError, match="answered for command 2, not 3"):
                    await beside.at(3)
            assert (await beside.at(3)).seq == 3
        finally:
            await beside.close()
