"""Prints results: JSON for scripts, tables for people, shell variables for `eval`. Errors are one line on stderr."""

import contextlib
import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NoReturn

import typer


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"
    ENV = "env"


def show(result: Mapping[str, Any], form: Format) -> None:
    """Print a result."""
    stop_working()
    if form is Format.JSON:
        print(json.dumps(result))
    elif form is Format.ENV:
        for name, value in _flat(result, ""):
            print(f"CAUSEWAY_{_variable(name)}={shlex.quote(_text(value))}")
    else:
        from bridge.cli_tables import render

        render(result)


class Progress:
    """What the terminal says while something takes time; silent when there is none, and for scripts."""

    def __init__(self, text: str, form: Format) -> None:
        self._spinner: Any = None
        if form is Format.TABLE and sys.stderr.isatty():
            from rich.console import Console

            self._spinner = Console(stderr=True).status(text)
            self._spinner.start()

    def say(self, text: str) -> None:
        """Replace the text."""
        if self._spinner is not None:
            self._spinner.update(text)

    def stop(self) -> None:
        """Leave the terminal as it was."""
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None


@contextlib.contextmanager
def working(text: str, form: Format) -> Iterator[Progress]:
    """Show that something is being done, until it is done or something is printed."""
    with _at_work:
        progress = Progress(text, form)
        _at_work.callback(progress.stop)
        yield progress


_at_work = contextlib.ExitStack()
"""What must stop before anything else may be printed."""


def stop_working() -> None:
    """End what the terminal shows meanwhile: something else is going to be printed."""
    _at_work.close()


def fail(message: str, form: Format, code: int = 1) -> NoReturn:
    """Print one line that says what went wrong and what to do, and end."""
    stop_working()
    if form is Format.JSON:
        print(json.dumps({"error": {"message": message, "exit_code": code}}))
    print(f"causeway: {message}", file=sys.stderr)
    raise typer.Exit(code)


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            yield from _flat(item, f"{name}.{index}")
    else:
        yield name, value


def _variable(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name).upper()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
