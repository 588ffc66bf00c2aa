"""The table of routes: everything Kalshi's official client can call is served or named as missing."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from offchain_book.app import build_app
from offchain_book.config import MAX_BODY_BYTES
from offchain_book.gateways.kalshi_later import later_routes
from tests.gateways.conftest import Client
from tests.sdk.kalshi_venue import SETTINGS

SDK = Path(__file__).parents[2] / ".venv-kalshi/lib"
ID = re.compile(r"{\w+}")


def served(app: FastAPI) -> set[tuple[str, str]]:
    """Return (method, path) of every operation with a handler."""
    schema = app.openapi()
    return {
        (method.upper(), ID.sub("{}", path.removeprefix("/trade-api/v2")))
        for path, operations in schema["paths"].items()
        for method in operations
    }


def in_sdk() -> set[tuple[str, str]]:
    """Return (method, path) of every call that the official client can make."""
    (folder,) = SDK.glob("python*/site-packages/kalshi_python_sync/api")
    text = "".join(file.read_text() for file in folder.glob("*.py"))
    calls = re.findall(r"method='(\w+)',\s+resource_path='([^']+)'", text)
    return {(method, ID.sub("{}", path)) for method, path in calls}


async def test_every_call_of_the_official_client_is_known(client: Client) -> None:
    later = {(method, ID.sub("{}", path)) for method, path, _ in later_routes()}
    here = served(client.venue.app)
    assert len(in_sdk()) > 100
    assert in_sdk() - here - later == set()
    assert here & later <= {("GET", "/series/{}")}
    assert len(here) == 85


async def test_every_missing_route_answers_501_and_says_what_is_missing(client: Client) -> None:
    for method, path, what in later_routes():
        response = await client.send(method, ID.sub("some-id", path), None)
        assert (response.status_code, response.json()["code"]) == (501, "not_implemented"), (method, path)
        assert what in response.json()["message"]
        assert response.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/", "/nonsense", "/portfolio", "/markets/A/B/C"])
async def test_unknown_path_is_404_in_the_dialect(client: Client, path: str) -> None:
    response = await client.send("GET", path, None)
    body = response.json()
    assert (response.status_code, body["code"], body["error"]["code"]) == (404, "not_found", "not_found")


async def test_application_around_the_routes_keeps_the_dialect(client: Client) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b" " * (MAX_BODY_BYTES // 10)

    app = build_app(client.venue.sequencer, SETTINGS, {}, lambda: "")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://venue") as http:
        outer = Client(http, client.venue)
        response = await outer.send("POST", "/portfolio/events/orders", content=chunks(), headers={"X-Request-Id": "r-1"})
        assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
        assert response.headers.get_list("X-Request-Id") == ["r-1"]
        assert (await outer.send("GET", "/nonsense", None)).json()["error"]["code"] == "not_found"
        assert (await outer.send("GET", "/portfolio/balance")).status_code == 200


async def test_known_path_with_another_method_is_405(client: Client) -> None:
    response = await client.send("PATCH", "/portfolio/events/orders", None)
    assert (response.status_code, response.headers["Allow"]) == (405, "DELETE, POST")


async def test_trailing_slash_moves_to_the_bare_path(client: Client) -> None:
    response = await client.send("GET", "/markets/", None, params={"limit": 1})
    assert (response.status_code, response.headers["Location"]) == (301, "/trade-api/v2/markets?limit=1")


async def test_openapi_names_operations_and_parameters(client: Client) -> None:
    schema = client.venue.app.openapi()["paths"]["/trade-api/v2/portfolio/events/orders/{order_id}"]["delete"]
    assert schema["operationId"] == "CancelOrderV2"
    assert schema["parameters"][0]["name"] == "order_id"
    assert all(
        route.endpoint.__doc__
        for route in client.venue.app.routes
        if isinstance(route, APIRoute) and route.include_in_schema
    )
