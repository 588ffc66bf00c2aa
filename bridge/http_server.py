"""The HTTP server of a venue: uvicorn, told when to start and to stop."""

import contextlib
from collections.abc import Iterator
from typing import Any

import uvicorn

from offchain_book.gateways.hot_wire import HotProtocol

KEEP_ALIVE_S = 65
"""How long an idle connection stays open; longer than clients keep theirs, so that none is closed as it is used."""


class HttpServer(uvicorn.Server):
    """uvicorn without its own signal handlers: the venue decides the order in which things stop."""

    def __init__(self, app: Any, stream_options: dict[str, Any]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http=HotProtocol,
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=3,
                **stream_options,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield
