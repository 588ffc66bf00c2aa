"""A bug in the thread that recovers signatures left every request of its batch waiting for ever."""

import asyncio
from collections.abc import Sequence

import pytest

from offchain_book.gateways.signature_pool import Batches


def lengths(asked: Sequence[str]) -> list[int]:
    if "break" in asked:
        raise ZeroDivisionError("a bug")
    return [len(one) for one in asked]


async def test_question_that_breaks_the_thread_gives_the_error_to_its_batch_and_the_next_batch_is_answered() -> None:
    batches: Batches[str, int] = Batches(lengths, "lengths")
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(batches.ask("break"), 60)
    assert await asyncio.wait_for(batches.ask("four"), 60) == 4
