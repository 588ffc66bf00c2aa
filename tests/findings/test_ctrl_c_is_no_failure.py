"""Found by reading: a terminal's Ctrl-C reaches the compiler and the page's builder too. When their end was seen together with the
wish to stop, `up` said that the contracts do not compile, and ended with 1."""

import asyncio

import pytest

from bridge.parts import Parts, Stopped


async def test_work_that_fails_as_somebody_asks_to_stop_is_a_stop() -> None:
    parts = Parts((OSError,))
    interrupted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    interrupted.set_exception(OSError("the compiler ended"))
    parts.stop_asked.set()
    with pytest.raises(Stopped):
        await parts.unless_stopped(interrupted)


async def test_work_that_is_done_as_somebody_asks_to_stop_counts() -> None:
    parts = Parts((OSError,))
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    done.set_result(7)
    parts.stop_asked.set()
    assert await parts.unless_stopped(done) == 7
