"""Prints results: JSON for scripts, lines for people, shell variables for `eval`. Errors are one line on stderr."""

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
    if form is Format.JSON:
        print(json.dumps(result))
        return
    pairs = list(_flat(result, ""))
    if form is Format.ENV:
        for name, value in pairs:
            print(f"CAUSEWAY_{_variable(name)}={shlex.quote(_text(value))}")
        return
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        print(f"{name.ljust(width)}  {_text(value)}")


def fail(message: str, form: Format, code: int = 1) -> NoReturn:
    """Print one line that says what went wrong and what to do, and end."""
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
