"""Official clients in their own environments, as objects: `kalshi.create_order_v2(ticker=...)` runs in `.venv-kalshi`."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DRIVER = ROOT / "tests" / "sdk" / "driver.py"


class ClientError(Exception):
    """The client raised; `status` and `body` are what it saw."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(json.dumps(error))
        self.kind, self.status, self.body = error["type"], error["status"], error["body"]


class Client:
    """One official client in a process of its own."""

    def __init__(self, dialect: str, *arguments: str) -> None:
        environment = ".venv-kalshi" if dialect == "kalshi" else ".venv-polymarket"
        python = str(ROOT / environment / "bin" / "python")
        self._process = subprocess.Popen(
            [python, str(DRIVER), dialect, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        )
        self.seconds = 0.0
        self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the client's process died; its error is above"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method; raises ClientError when the client does."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"method": method, "args": args, "kwargs": kwargs}) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        self.seconds = answer["seconds"]
        if "error" in answer:
            raise ClientError(answer["error"])
        return answer["result"]

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: self.call(method, *args, **kwargs)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def kalshi(status: dict[str, Any], name: str) -> Client:
    """Return Kalshi's client for a seeded custodial account of a running venue."""
    account = status["accounts"]["custodial"][name]
    return Client("kalshi", status["http"], account["key_id"], account["private_key_path"])


def polymarket(status: dict[str, Any], name: str, dialect: str = "polymarket") -> Client:
    """Return Polymarket's client for a seeded wallet of a running venue."""
    return Client(dialect, status["http"], status["accounts"]["wallets"][name]["private_key"])


def eventually(look: Callable[[], Any], timeout_s: float = 90.0) -> Any:
    """Return the first truthy answer; the chain, not this code, decides when it comes."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"still nothing after {timeout_s} s: {found}"
        time.sleep(0.05)
