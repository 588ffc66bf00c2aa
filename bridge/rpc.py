"""JSON-RPC over keep-alive HTTP connections: thin, thread-safe, bounded in time. Knows no method by meaning.

Every call has three outcomes: an answer, a refusal by the node (`RpcError`), or not knowing (`ChainUnavailable`: the
node may or may not have done it).
"""

import http.client
import itertools
import json
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

DEFAULT_TIMEOUT_MS = 10_000
"""How long one call may take."""
MAX_IDLE_CONNECTIONS = 8
"""Connections kept open between calls."""

Call = tuple[str, Sequence[Any]]


class ChainUnavailable(Exception):
    """The node gave no usable answer; whether it acted on the call is unknown."""


class RpcError(Exception):
    """The node refused a call. `data` holds the revert data of a reverted call, if any."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{message} (code {code})")
        self.code = code
        self.message = message
        self.data = data


def _repeatable(method: str) -> bool:
    return method.startswith(("eth_", "net_", "web3_")) and method != "eth_sendTransaction"


class RpcClient:
    """A client of one node. Any thread may call it; concurrent calls use separate connections."""

    def __init__(self, url: str, timeout_ms: int = DEFAULT_TIMEOUT_MS) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http(s) URL of a node: {url!r}")
        self.url = url
        self.timeout_ms = timeout_ms
        self._connection_class = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = parts.hostname, parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._ids = itertools.count(1)

    def call(self, method: str, *params: Any) -> Any:
        """Call one method. Raises RpcError or ChainUnavailable."""
        request = self._request(method, params)
        answer = self._post(request, _repeatable(method))
        return _result(answer, request["id"], method)

    def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Call several methods in one request; results in order. Raises the first RpcError among them."""
        for result in (results := self.try_batch(calls)):
            if isinstance(result, RpcError):
                raise result
        return results

    def try_batch(self, calls: Sequence[Call]) -> list[Any]:
        """Call several methods in one request; a refused one has its RpcError in its place."""
        if not calls:
            return []
        requests = [self._request(method, params) for method, params in calls]
        answers = self._post(requests, all(_repeatable(method) for method, _ in calls))
        if not isinstance(answers, list):
            raise ChainUnavailable(f"the node does not answer batches: {str(answers)[:200]}")
        by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
        results: list[Any] = []
        for request in requests:
            try:
                results.append(_result(by_id.get(request["id"]), request["id"], request["method"]))
            except RpcError as error:
                results.append(error)
        return results

    def close(self) -> None:
        """Close idle connections; the client stays usable."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _request(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    def _post(self, request: Any, repeatable: bool) -> Any:
        body = json.dumps(request, separators=(",", ":")).encode()
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None:
            try:
                return self._exchange(connection, body)
            except (ConnectionError, http.client.HTTPException) as error:
                connection.close()
                if not repeatable:
                    raise ChainUnavailable(f"{self.url}: {error!r}") from error
            except OSError as error:
                connection.close()
                raise ChainUnavailable(f"{self.url}: {error!r}") from error
        connection = self._connection_class(self._host, self._port, timeout=self.timeout_ms / 1000)
        try:
            return self._exchange(connection, body)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ChainUnavailable(f"{self.url}: {error!r}") from error

    def _exchange(self, connection: http.client.HTTPConnection, body: bytes) -> Any:
        connection.request("POST", self._path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        if response.will_close:
            connection.close()
        else:
            self._keep(connection)
        if response.status != http.HTTPStatus.OK:
            raise ChainUnavailable(f"{self.url} answered HTTP {response.status}")
        try:
            return json.loads(text)
        except ValueError as error:
            raise ChainUnavailable(f"{self.url} answered something that is not JSON") from error

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < MAX_IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()


def _result(answer: Any, request_id: int, method: str) -> Any:
    if not isinstance(answer, dict) or answer.get("id") != request_id:
        raise ChainUnavailable(f"{method}: no answer to this request: {str(answer)[:200]}")
    error = answer.get("error")
    if error is not None:
        raise RpcError(int(error.get("code", 0)), str(error.get("message", "")), error.get("data"))
    if "result" not in answer:
        raise ChainUnavailable(f"{method}: an answer without a result")
    return answer["result"]
