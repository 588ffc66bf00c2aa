"""How requests of the hot path reach their functions: uvicorn's own protocol, without ASGI's messages in between.

uvicorn parses, keeps connections alive and stops as always. For a request of the hot path whose body is small and announced,
the function is started when the body is there, and its answer is written in one piece. Every other request goes uvicorn's way.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import Response
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from offchain_book.gateways.hot_path import HotPath, HotRequest
from offchain_book.gateways.json_answer import Header
from offchain_book.gateways.kalshi_call import Endpoint

_UNUSUAL = (b"transfer-encoding", b"expect", b"x-forwarded-for", b"x-forwarded-proto")
"""A request with one of these headers goes uvicorn's way."""


class HotProtocol(HttpToolsProtocol):
    """One connection. The application has to have a `hot_path`; without one this is uvicorn's protocol."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._hot: HotPath | None = getattr(self.config.app, "hot_path", None)
        self._expected: tuple[RequestResponseCycle, Endpoint] | None = None
        """A request whose body is not there yet."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        endpoint = self._endpoint(cycle)
        if endpoint is None:
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._expected = cycle, endpoint
        else:
            self._start(cycle, endpoint)

    def on_message_complete(self) -> None:
        """Start the function of a request that is whole now."""
        super().on_message_complete()
        if self._expected is not None:
            (cycle, endpoint), self._expected = self._expected, None
            self._start(cycle, endpoint)

    def _endpoint(self, cycle: RequestResponseCycle) -> Endpoint | None:
        scope: Any = cycle.scope
        endpoint = None if self._hot is None or self.access_log else self._hot.endpoint(scope)
        if endpoint is None:
            return None
        length = b"0"
        for name, value in scope["headers"]:
            if name in _UNUSUAL:
                return None
            if name == b"content-length":
                length = value
        return endpoint if int(length) <= HIGH_WATER_LIMIT else None

    def _start(self, cycle: RequestResponseCycle, endpoint: Endpoint) -> None:
        task = self.loop.create_task(self._serve(cycle, endpoint))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _serve(self, cycle: RequestResponseCycle, endpoint: Endpoint) -> None:
        assert self._hot is not None
        scope: Any = cycle.scope
        receive: Any = cycle.receive
        response = await self._hot.answer(endpoint, HotRequest(scope, receive, bytes(cycle.body)))
        if self.flow.write_paused and not cycle.disconnected:
            await self.flow.drain()
        if cycle.disconnected:
            return
        written = _written(response, self.server_state.default_headers, cycle.keep_alive)
        if written is None:
            self.logger.error("the answer to %s %s has a line break in a header", scope["method"], scope["path"])
            self.transport.close()
            return
        self.transport.write(written)
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()


def _written(response: Response, more: Sequence[Header], keep_alive: bool) -> bytes | None:
    """Return a response as it goes over the wire; None when a header would end early and begin another."""
    headers = [*more, *response.raw_headers]
    if not keep_alive:
        headers.append((b"connection", b"close"))
    head = b"".join([b"%b: %b\r\n" % pair for pair in headers])
    if head.count(b"\n") != len(headers) or head.count(b"\r") != len(headers):
        return None
    return b"".join((STATUS_LINE[response.status_code], head, b"\r\n", response.body))
