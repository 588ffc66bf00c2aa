"""One thread for a loop's work: in order, with every error told, and gone when nobody needs it."""

import asyncio
import gc
import threading
import time

import pytest

from offchain_book.worker import Worker


def _threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


async def test_work_is_done_in_order_in_one_other_thread() -> None:
    worker, seen = Worker("ordered"), list[tuple[int, int]]()

    def note(number: int) -> int:
        seen.append((number, threading.get_ident()))
        return -number

    assert await asyncio.gather(*(worker.do(note, number) for number in range(50))) == [-number for number in range(50)]
    assert [number for number, _ in seen] == list(range(50))
    assert len({thread for _, thread in seen} | {threading.get_ident()}) == 2
    worker.stop()
    assert not _threads("ordered")


async def test_an_error_is_told_to_who_asked_and_the_next_work_is_done() -> None:
    worker = Worker("erring")
    failing, working = worker.do(int, "x"), worker.do(int, "7")
    with pytest.raises(ValueError, match="invalid literal"):
        await failing
    assert await working == 7
    worker.stop()


async def test_who_gave_up_stops_nobody() -> None:
    worker, gate = Worker("patient"), threading.Event()
    gone, next_one = worker.do(lambda _: gate.wait(), None), worker.do(int, "7")
    gone.cancel()
    gate.set()
    assert await next_one == 7
    worker.stop()


async def test_stopping_waits_for_what_is_in_line() -> None:
    worker, done = Worker("stopping"), list[int]()

    def slowly(number: int) -> None:
        time.sleep(0.01)
        done.append(number)

    waiting = [worker.do(slowly, number) for number in range(5)]
    worker.stop()
    assert done == list(range(5))
    await asyncio.gather(*waiting)


async def test_the_thread_of_a_forgotten_worker_ends() -> None:
    worker = Worker("forgotten")
    await worker.do(int, "1")
    (thread,) = _threads("forgotten")
    del worker
    gc.collect()
    await asyncio.to_thread(thread.join, 60)
    assert not thread.is_alive()


def test_a_loop_that_is_gone_is_not_told() -> None:
    worker, gate = Worker("orphaned"), threading.Event()

    async def ask() -> None:
        worker.do(lambda _: gate.wait(), None)

    asyncio.run(ask())
    gate.set()
    worker.stop()
    assert not _threads("orphaned")
