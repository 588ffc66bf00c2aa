"""The check of answers against Kalshi's specification finds what is wrong."""

import httpx
import jsonschema
import pytest

from tests.gateways import kalshi_spec
from tests.gateways.conftest import Client
from tests.sdk.kalshi_venue import TICKER

pytestmark = pytest.mark.skipif(not kalshi_spec.document(), reason="Kalshi's specification is not beside the checkout")


def altered(response: httpx.Response, content: bytes, status: int | None = None) -> httpx.Response:
    """Return an answer to the same request with another body."""
    headers = {"content-type": "application/json"}
    return httpx.Response(status or response.status_code, headers=headers, content=content, request=response.request)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b'"status":"active"', b'"status":"open"'),
        (b'"settlement_timer_seconds":', b'"settlement_timer":'),
        (b'"result":""', b'"result":null'),
        (b'Z","open_time"', b'+00:00","open_time"'),
    ],
)
async def test_wrong_market_is_found(client: Client, right: bytes, wrong: bytes) -> None:
    response = await client.send("GET", f"/markets/{TICKER}", None)
    assert response.content.count(right) == 1
    with pytest.raises(jsonschema.ValidationError):
        kalshi_spec.check(altered(response, response.content.replace(right, wrong)))


async def test_wrong_success_code_and_flat_error_are_found(client: Client) -> None:
    response = await client.send("GET", f"/markets/{TICKER}", None)
    with pytest.raises(AssertionError):
        kalshi_spec.check(altered(response, response.content, 201))
    with pytest.raises(KeyError):
        kalshi_spec.check(altered(response, b'{"error":"no"}', 404))
