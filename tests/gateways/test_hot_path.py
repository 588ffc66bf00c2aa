"""Order entry beside the framework: the same answers, without what stands in between."""

import httpx
import pytest
from fastapi import Request, Response
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from offchain_book.gateways.hot_path import MAX_ID, HotPath, IndexedHeaders


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the framework would."""
    await Response("framework")(scope, receive, send)


async def on_bug(request: Request, error: Exception) -> Response:
    """Say what went wrong."""
    return Response(repr(error), 500)


async def hot(request: Request) -> Response:
    """Answer with the parameter."""
    return Response(f"hot {request.path_params.get('order_id', '')}".strip())


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("POST", "/orders", "hot"),
        ("GET", "/orders", "framework"),
        ("DELETE", "/orders/some-id", "hot some-id"),
        ("DELETE", "/orders/", "framework"),
        ("DELETE", f"/orders/{'x' * (MAX_ID + 1)}", "framework"),
        ("DELETE", "/orders/a/b", "framework"),
        ("DELETE", "/orders/batched", "hot"),
    ],
)
async def test_only_known_requests_are_taken(method: str, path: str, answer: str) -> None:
    routes = {("POST", "/orders"): hot, ("DELETE", "/orders/{order_id}"): hot, ("DELETE", "/orders/batched"): hot}
    app = HotPath(behind, routes, on_bug)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://venue") as http:
        assert (await http.request(method, path)).text == answer


async def test_a_bug_is_answered_in_the_applications_words_and_every_request_has_an_id() -> None:
    async def broken(request: Request) -> Response:
        raise KeyError(request.scope["state"]["request_id"])

    app = HotPath(behind, {("POST", "/orders"): broken}, on_bug)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://venue") as http:
        answer = await http.post("/orders", headers={"X-Request-Id": "mine"})
        other = await http.post("/orders", headers={"X-Request-Id": "not decent"})
    assert (answer.status_code, answer.text) == (500, "KeyError('mine')")
    assert len(other.text) == len("KeyError('')") + 32


@pytest.mark.parametrize("name", ["One", "ONE", "two", "three"])
def test_headers_are_those_of_the_framework(name: str) -> None:
    raw = [(b"one", b"1"), (b"two", b"2"), (b"one", b"\xe9")]
    ours, framework = IndexedHeaders(raw), Headers(raw=raw)
    assert (ours.get(name), ours.get(name, "-"), name in ours) == (
        framework.get(name),
        framework.get(name, "-"),
        name in framework,
    )
    assert ours.items() == framework.items()
    with pytest.raises(KeyError, match="three"):
        ours["three"]
