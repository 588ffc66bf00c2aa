"""An answer in JSON whose headers are made once, as they go over the wire."""

from collections.abc import Iterable

from fastapi import Response

Header = tuple[bytes, bytes]
"""Name in lower case, and value."""
_TYPE = (b"content-type", b"application/json")


class JsonAnswer(Response):
    """A response of encoded JSON. The framework's own makes its headers from text, one by one, with a search for each."""

    def __init__(self, body: bytes, status: int = 200, more: Iterable[Header] = ()) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers: list[Header] = [(b"content-length", b"%d" % len(body)), _TYPE, *more]
