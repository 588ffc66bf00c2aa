"""A QuickFIX initiator as an object, and the dictionary that it checks messages with."""

import contextlib
import json
import os
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.sdk.fix_dictionary import extend
from tests.sdk.kalshi_venue import TICKER

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-quickfix" / "bin" / "python"
DRIVER = ROOT / "tests" / "sdk" / "quickfix_driver.py"
PATIENCE_S = 60
"""How long anything may take to arrive; only a test that fails waits so long."""
SPEC_DIR = Path(os.environ.get("KALSHI_SPEC_DIR") or ROOT.parent / "shared" / "reference" / "kalshi-spec")


def dictionary(folder: Path) -> str:
    """Write Kalshi's published dictionary with what it lacks, and return its path; empty when there is no published one.

    Without it QuickFIX checks the session layer alone.
    """
    published = SPEC_DIR / "fix-dictionary.xml"
    if not published.is_file():
        return ""
    tree = ElementTree.parse(published)
    extend(tree.getroot())
    path = folder / "dictionary.xml"
    tree.write(path, encoding="UTF-8", xml_declaration=True)
    return str(path)


class Received:
    """One message that the engine took in, or one of its own events (`kind` logon or logout)."""

    def __init__(self, item: dict[str, Any]) -> None:
        self.kind: str = item["kind"]
        self.fields: list[tuple[int, str]] = [(int(tag), str(value)) for tag, value in item["fields"]]

    def __getitem__(self, tag: int) -> str:
        found = self.get(tag)
        assert found is not None, f"no tag {tag} in {self.fields}"
        return found

    def get(self, tag: int) -> str | None:
        """Return the first value of a tag."""
        return next((value for known, value in self.fields if known == tag), None)

    def every(self, tag: int) -> list[str]:
        """Return all values of a tag."""
        return [value for known, value in self.fields if known == tag]


class FixClient:
    """QuickFIX, in `.venv-quickfix`."""

    def __init__(self, address: str, target: str, key_id: str, pem: Path, folder: Path, **more: Any) -> None:
        self.key_id = key_id
        folder.mkdir(parents=True, exist_ok=True)
        host, _, port = address.partition(":")
        if "dictionary" not in more:
            more["dictionary"] = dictionary(folder)
        terms = {
            "host": host,
            "port": int(port),
            "sender": key_id,
            "target": target,
            "pem": str(pem),
            "folder": str(folder),
            **more,
        }
        self.process = subprocess.Popen(
            [str(PYTHON), str(DRIVER), json.dumps(terms)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
        )
        assert self._read() == "ready"

    def _read(self) -> Any:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            if line.startswith("{"):
                answer = json.loads(line)
                assert "error" not in answer, answer
                return answer["result"]
        raise AssertionError("QuickFIX's process died; its error is above")

    def call(self, method: str, **arguments: Any) -> Any:
        """Make a request of the driver."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"method": method, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        return self._read()

    def start(self) -> "FixClient":
        """Connect and log on."""
        self.call("start")
        return self

    def log_on(self) -> "FixClient":
        """Connect, and wait until the venue has let us in."""
        self.start()
        found = self.call("wait", wanted={}, kinds=["logon"], timeout_s=PATIENCE_S)
        assert found is not None, self.arrived()
        return self

    def refused(self) -> str:
        """Connect, and return the text of the Logout that answers."""
        self.start()
        found = self.call("wait", wanted={35: "5"}, kinds=["admin"], timeout_s=PATIENCE_S)
        assert found is not None, "no Logout came"
        return Received(found).get(58) or ""

    def stop(self) -> None:
        """Log out."""
        self.call("stop")

    def kill(self) -> None:
        """End the process as a crash would."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def send(self, kind: str, fields: dict[int, Any], groups: Any = ()) -> None:
        """Send an application message."""
        self.call("send", fields=[[35, kind], *([tag, str(value)] for tag, value in fields.items())], groups=groups)

    def wait(self, kind: str, timeout_s: float = PATIENCE_S, **wanted: str) -> Received:
        """Return the next message of a type; `_150="0"` and the like say which."""
        fields = {35: kind} | {int(name[1:]): value for name, value in wanted.items()}
        found = self.call("wait", wanted=fields, kinds=["app", "admin"], timeout_s=timeout_s)
        assert found is not None, f"no {fields}; there are {self.arrived()}"
        return Received(found)

    def event(self, name: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait for the engine's own word: logon or logout."""
        assert self.call("wait", wanted={}, kinds=[name], timeout_s=timeout_s) is not None, f"no {name}"

    def arrived(self) -> list[dict[str, Any]]:
        """Return and drop everything that nobody waited for."""
        return list(self.call("arrived"))

    def numbers(self, **new: int) -> tuple[int, int]:
        """Return (next to send, next expected); `sender` and `target` change them first."""
        sender, target = self.call("numbers", **new)
        return sender, target

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        self.process.stdout.close()

    def __enter__(self) -> "FixClient":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def order(name: str, side: str = "1", price: str = "0.40", size: str = "10", **more: Any) -> dict[int, Any]:
    """Return the fields of a NewOrderSingle; `_59="3"` changes one."""
    fields: dict[int, Any] = {11: name, 38: size, 40: "2", 44: price, 54: side, 55: TICKER, 59: "1"}
    return fields | {int(tag[1:]): value for tag, value in more.items()}


def cancel(name: str, original: str, side: str = "1", ticker: str = TICKER) -> dict[int, Any]:
    return {11: name, 41: original, 54: side, 55: ticker}
