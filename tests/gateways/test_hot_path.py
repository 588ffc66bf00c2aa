"""Order entry beside the framework: the same answers, without what stands in between."""

import httpx
import pytest
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from offchain_book.gateways.hot_path import MAX_ID, HotPath


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the framework would."""
    await Response("framework")(scope, receive, send)


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
    async with httpx.AsyncClient(transport=httpx.ASGITransport(HotPath(behind, routes)), base_url="http://venue") as http:
        assert (await http.request(method, path)).text == answer
