"""The id of a request: the client's own if it is decent, else a new one. Answers carry it and the journal keeps it."""

import re
import uuid
from collections.abc import MutableMapping
from itertools import count
from typing import Any

REQUEST_ID = b"x-request-id"
_START = uuid.uuid4().hex[:20]
"""New ids are those of this process, counted: they have to be different, not secret."""
_numbers = count(1)
_ACCEPTABLE = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")


def identify(scope: MutableMapping[str, Any]) -> str:
    """Return the id of an ASGI connection, and note it in the connection's state."""
    sent = b""
    for name, value in scope["headers"]:
        if name == REQUEST_ID:
            sent = value
            break
    request_id = sent.decode() if sent and _ACCEPTABLE.fullmatch(sent) else f"{_START}{next(_numbers):012x}"
    scope.setdefault("state", {})["request_id"] = request_id
    return request_id
