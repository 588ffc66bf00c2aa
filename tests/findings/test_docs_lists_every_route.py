"""The page /docs, to which every 404 and 405 points, listed four routes: the framework nests routers, and it looked at the top."""

from pathlib import Path

import httpx

from offchain_book.app import build_app
from tests.gateways.polymarket_fixtures import SETTINGS, open_house


async def test_the_list_of_routes_has_every_dialects_and_says_what_each_does(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        app = build_app(house.sequencer, SETTINGS, {}, lambda: "")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://venue") as http:
            page = (await http.get("/docs")).text
            paths = (await http.get("/openapi.json")).json()["paths"]
    for path in ("/order", "/gamma/markets", "/data-api/positions", "/trade-api/v2/markets", "/venue/eip712", "/healthz"):
        assert f"<code>{path}</code>" in page
    assert page.count("<tr>") == sum(len(operations) for operations in paths.values()) > 150
    assert "<td>Place one signed order." in page
