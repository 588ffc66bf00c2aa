"""The AsyncAPI 3.0 document of the streams, made from the message types themselves; served at /asyncapi.json."""

from typing import Any

import msgspec

from offchain_book.config import Settings
from offchain_book.gateways import kalshi_stream, kalshi_stream_protocol, polymarket_stream, venue_stream
from offchain_book.gateways import venue_stream_messages as messages

Json = dict[str, Any]
_SCHEMAS = "#/components/schemas/"


def document(settings: Settings) -> Json:
    """Return the document. Our own stream is described whole; the dialects' messages are theirs to describe."""
    kinds: tuple[type, ...] = (*messages.MESSAGES, *messages.REQUESTS)
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_SCHEMAS + "{name}")
    names = [kind.__name__ for kind in kinds]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Causeway streams", "version": "1", "description": _summary(venue_stream.__doc__)},
        "defaultContentType": "application/json",
        "servers": {"venue": {"host": settings.http_url.partition("://")[2] or "127.0.0.1", "protocol": "ws"}},
        "channels": {
            "venue": {
                "address": venue_stream.PATH,
                "description": f"Channels: {', '.join(venue_stream.CHANNELS)}.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
            },
            "kalshi": {
                "address": kalshi_stream.PATH,
                "description": f"{_summary(kalshi_stream.__doc__)} Channels: {', '.join(kalshi_stream_protocol.CHANNELS)}.",
            },
            "polymarket_market": {
                "address": polymarket_stream.MARKET_PATH,
                "description": _summary(polymarket_stream.__doc__),
            },
            "polymarket_user": {
                "address": polymarket_stream.USER_PATH,
                "description": _summary(polymarket_stream.__doc__),
            },
        },
        "operations": {
            "tell": _operation("send", messages.MESSAGES),
            "ask": _operation("receive", messages.REQUESTS),
        },
        "components": {
            "messages": {name: {"name": name, "payload": {"$ref": _SCHEMAS + name}} for name in names},
            "schemas": schemas,
        },
    }


def _operation(action: str, kinds: tuple[type, ...]) -> Json:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/venue"},
        "messages": [{"$ref": f"#/channels/venue/messages/{kind.__name__}"} for kind in kinds],
    }


def _summary(docstring: str | None) -> str:
    return (docstring or "").splitlines()[0].replace(" Read me first.", "").replace(" Read me with `stream`.", "")
