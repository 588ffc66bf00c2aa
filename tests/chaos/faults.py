"""A JSON-RPC proxy between the bridge and a real node that drops, delays, repeats, changes and forges what passes.

Faults are functions of a call and of `forward`, which asks the node. What a fault returns is the answer; `Cut` ends the
connection without one, `Http` answers on the level below JSON. Nothing here knows what a method means.
"""

import contextlib
import http.server
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from bridge.rpc import RpcClient, RpcError

Answer = dict[str, Any]
Forward = Callable[[], Answer]
Fault = Callable[["Call", Forward], Answer]


@dataclass(frozen=True)
class Call:
    """One request to the node."""

    method: str
    params: list[Any]


class Cut(Exception):
    """End the connection without an answer."""


@dataclass
class Http(Exception):
    """Answer with this status and body."""

    status: int
    body: bytes = b"{}"


@dataclass
class _Armed:
    """A fault that waits for its calls; `left` counts down, below zero is for ever."""

    method: str
    fault: Fault
    left: int
    hits: int = 0


@dataclass
class Proxy:
    """Serves at `url` until closed; `calls` counts what came in, `armed` says what becomes of it, the newest first."""

    upstream: str
    calls: Counter[str] = field(default_factory=Counter)
    _armed: list[_Armed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._rpc = RpcClient(self.upstream)
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                proxy._serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._rpc.close()

    # --- arming ------------------------------------------------------------------------------------------------------

    def on(self, method: str, fault: Fault, times: int = -1) -> _Armed:
        """Let a fault answer the next `times` calls of a method ("" is every method); returns it, with its `hits`."""
        armed = _Armed(method, fault, times)
        with self._lock:
            self._armed.insert(0, armed)
        return armed

    def heal(self) -> None:
        """Let everything through again."""
        with self._lock:
            self._armed.clear()

    @contextlib.contextmanager
    def during(self, method: str, fault: Fault) -> Iterator[_Armed]:
        """Arm a fault for a block of code."""
        armed = self.on(method, fault)
        try:
            yield armed
        finally:
            with self._lock, contextlib.suppress(ValueError):
                self._armed.remove(armed)

    def told(self) -> str:
        """Return what came in and what is armed."""
        with self._lock:
            return f"proxy: {dict(self.calls)}; armed {self._armed}"

    # --- serving -----------------------------------------------------------------------------------------------------

    def _serve(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        asked = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        try:
            answers = [self._answer(one) for one in (asked if isinstance(asked, list) else [asked])]
            status, body = 200, json.dumps(answers if isinstance(asked, list) else answers[0]).encode()
        except Http as answer:
            status, body = answer.status, answer.body
        except Cut:
            handler.close_connection = True
            return
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        with contextlib.suppress(ConnectionError):
            handler.wfile.write(body)

    def _answer(self, asked: Answer) -> Answer:
        call = Call(asked["method"], asked["params"])
        armed = self._take(call.method)
        answer = armed.fault(call, lambda: self.forward(call)) if armed else self.forward(call)
        return {"jsonrpc": "2.0", "id": asked["id"], **answer}

    def _take(self, method: str) -> _Armed | None:
        with self._lock:
            self.calls[method] += 1
            for armed in self._armed:
                if armed.method in ("", method) and armed.left:
                    armed.left -= 1
                    armed.hits += 1
                    return armed
        return None

    def forward(self, call: Call) -> Answer:
        """Ask the node."""
        try:
            return {"result": self._rpc.call(call.method, *call.params)}
        except RpcError as error:
            return {"error": {"code": error.code, "message": error.message, "data": error.data}}


# --- faults ----------------------------------------------------------------------------------------------------------


def dropped(call: Call, forward: Forward) -> Answer:
    """The request never arrives."""
    raise Cut


def answer_lost(call: Call, forward: Forward) -> Answer:
    """The node acts, and nobody hears of it."""
    forward()
    raise Cut


def repeated(call: Call, forward: Forward) -> Answer:
    """The request arrives twice; the second answer comes back."""
    forward()
    return forward()


def truncated(call: Call, forward: Forward) -> Answer:
    """The node acts; half of a JSON text comes back."""
    forward()
    raise Http(200, b'{"jsonrpc":"2.0","id":1,"resu')


def says(result: Any) -> Fault:
    """Answer this instead of asking."""
    return lambda call, forward: {"result": result}


def swallowed(call: Call, forward: Forward) -> Answer:
    """Take a transaction with a smile, and forget it."""
    return {"result": "0x" + "00" * 32}


def refuses(message: str, code: int = -32000) -> Fault:
    """Answer an error."""
    return lambda call, forward: {"error": {"code": code, "message": message}}


def http_error(status: int) -> Fault:
    """Answer below JSON-RPC."""

    def fault(call: Call, forward: Forward) -> Answer:
        raise Http(status, b"try later")

    return fault


def changed(change: Callable[[Any], Any]) -> Fault:
    """Ask the node and change what it says; errors pass."""

    def fault(call: Call, forward: Forward) -> Answer:
        answer = forward()
        return {"result": change(answer["result"])} if "result" in answer else answer

    return fault


def held(until: threading.Event) -> Fault:
    """Answer only when somebody lets go: requests overtake each other."""

    def fault(call: Call, forward: Forward) -> Answer:
        until.wait(30)
        return forward()

    return fault
