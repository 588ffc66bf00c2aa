"""The HTTP surface that every dialect shares: index, health, errors, limits, request ids, the operator's token."""

import http.client
import json
from pathlib import Path
from typing import NamedTuple

import pytest

from offchain_book.config import MAX_BODY_BYTES
from tests.system.conftest import VenueProcess

pytestmark = pytest.mark.slow


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def ask(
    running: VenueProcess, path: str, headers: dict[str, str] | None = None, method: str = "GET", body: bytes = b""
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    try:
        connection.request(method, path, body or None, headers or {})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())
    finally:
        connection.close()


def test_index_is_a_page_for_browsers_and_json_for_clients(running: VenueProcess) -> None:
    page = ask(running, "/", {"Accept": "text/html,application/xhtml+xml"})
    assert page.headers["content-type"].startswith("text/html")
    assert b"Causeway" in page.body
    client = ask(running, "/", {"Accept": "*/*"})
    assert (client.status, json.loads(client.body)) == (200, "OK")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/venue/status", "/docs", "/openapi.json", "/ok"])
def test_public_routes_answer(running: VenueProcess, path: str) -> None:
    assert ask(running, path).status == 200


def test_ready_lists_each_check(running: VenueProcess) -> None:
    found = json.loads(ask(running, "/readyz").body)
    assert set(found["checks"]) == {"journal", "chain", "deposits", "settlement", "reserves"}
    assert all(check["ok"] for check in found["checks"].values())


def test_metrics_name_what_matters(running: VenueProcess) -> None:
    text = ask(running, "/metrics").body.decode()
    settlement = ("settlement_lag_seconds", "unsettled_micros", "guarantee_reserved_micros", "ghost_fills_total")
    stream = ("stream_next", "stream_cut", "stream_final", "submitter_queue", "indexer_lag_blocks", "finality_age_seconds")
    for name in ("commands_total", "open_orders", "pool_outflow_left_micros", *settlement, *stream):
        assert f"\ncauseway_{name} " in text


@pytest.mark.parametrize("path", ["/no-such-route", "/trade-api/v2/no-such-route", "/venue/no-such-route"])
def test_unknown_route_is_an_error_in_json(running: VenueProcess, path: str) -> None:
    answer = ask(running, path)
    assert answer.status == 404
    assert path.encode() in answer.body
    assert json.loads(answer.body)["error"]


def test_status_says_where_gamma_and_data_are_and_they_answer(running: VenueProcess) -> None:
    status = running.status()
    base = f"http://127.0.0.1:{running.port}"
    assert (status["gamma"], status["data_api"]) == (f"{base}/gamma", f"{base}/data-api")
    listed = json.loads(ask(running, "/gamma/markets?limit=500").body)
    demo = {market["condition_id"] for ticker, market in status["markets"].items() if ticker.startswith("KXDEMO")}
    assert {market["conditionId"] for market in listed} >= demo
    dave = status["accounts"]["wallets"]["dave"]["address"]
    assert json.loads(ask(running, f"/data-api/value?user={dave}").body)[0]["user"] == dave.lower()


def test_large_body_is_refused_by_its_stated_length(running: VenueProcess) -> None:
    answer = ask(running, "/order", {"Content-Length": str(MAX_BODY_BYTES + 1)}, "POST")
    assert answer.status == 413


def test_large_body_is_refused_when_it_hides_its_length(running: VenueProcess) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    chunks = (b"x" * 100_000 for _ in range(MAX_BODY_BYTES // 100_000 + 1))
    connection.request("POST", "/trade-api/v2/portfolio/events/orders", chunks, encode_chunked=True)
    status = connection.getresponse().status
    connection.close()
    assert status in (401, 413), "refused for its size, or for its sender before it was read"


def test_request_id_is_kept_or_made(running: VenueProcess) -> None:
    assert ask(running, "/healthz", {"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = ask(running, "/healthz", {"X-Request-Id": "bad id\t"}).headers["x-request-id"]
    assert len(made) == 32


def test_admin_needs_the_operator_token(running: VenueProcess) -> None:
    assert ask(running, "/venue/admin").status == 401
    assert ask(running, "/venue/admin", {"Authorization": "Bearer wrong"}).status == 401
    token = Path(running.status()["operator_token_path"]).read_text()
    assert ask(running, "/venue/admin", {"Authorization": f"Bearer {token}"}).status == 200


def test_eip712_lists_domains_and_types(running: VenueProcess) -> None:
    found = json.loads(ask(running, "/venue/eip712").body)
    assert found["domains"]["native"]["chainId"] == 31_337
    assert found["domains"]["native"]["verifyingContract"].lower() == running.status()["contracts"]["venue"]
    assert found["domains"]["polymarket_v2"]["chainId"] == 80_002
    assert "Order" in found["types"]["native"]
    assert "VaultAction" in found["types"]["vault_action"]
