"""On a terminal that knows ASCII alone the first other letter ended the printer's thread: nothing was printed any more."""

import io
import sys

import pytest

from bridge.cli_up import _Printer


def test_letter_that_the_terminal_cannot_show_is_escaped_and_what_follows_is_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    printer = _Printer()
    printer.put("fill    RAIN 0.52¢")
    printer.put("batch   0 cut")
    printer.close()
    assert raw.getvalue().decode() == "'fill    RAIN 0.52\\xa2'\nbatch   0 cut\n"
