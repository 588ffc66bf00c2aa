"""A signal is a fact to look at, and nothing that interrupts."""

import os
import signal
import threading

from bridge.stop_signal import StopSignal


def test_a_signal_is_known_from_then_on_and_interrupts_nothing() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    stop = StopSignal()
    try:
        assert not stop.wait()
        assert not stop.wait(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(60)
        assert stop.wait(), "it is not forgotten"
    finally:
        stop.close()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_signal_ends_the_wait_that_it_comes_amid() -> None:
    stop = StopSignal()
    soon = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    try:
        soon.start()
        assert stop.wait(600), "pytest's own time limit is shorter"
    finally:
        soon.join()
        stop.close()
