"""What the application does with a bug, and that the published EIP-712 types are those that are hashed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from offchain_book import signatures
from offchain_book.app import build_app
from offchain_book.config import Settings
from offchain_book.engine.exchange import new_state
from offchain_book.gateways import typed_data
from offchain_book.gateways.operator import Finding
from offchain_book.journal import Journal
from offchain_book.projections import Projections
from offchain_book.sequencer import Sequencer, Unavailable

SETTINGS = Settings(
    chain_id=31_337,
    venue_address="0x" + "11" * 20,
    collateral_address="0x" + "22" * 20,
    api_secret=b"secret",
    operator_token="token",
    confirmations=2,
    settle_deadline_s=60,
    exit_delay_s=120,
)


async def failing() -> Finding:
    raise RuntimeError("the chain is away")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """The application over an empty exchange, with two broken routes and a failing check."""
    journal = Journal(tmp_path / "journal.log", {"settle_deadline_s": 60, "contract_version": 2})
    sequencer = Sequencer(new_state(60), journal, Projections(), lambda: 0)
    app = build_app(sequencer, SETTINGS, {"chain": failing}, lambda: "hash")
    broken = APIRouter()

    @broken.get("/venue/broken")
    async def bug() -> None:
        raise ZeroDivisionError("a secret of ours")

    @broken.get("/venue/away")
    async def away() -> None:
        raise Unavailable("stopped")

    app.include_router(broken)
    yield TestClient(app, raise_server_exceptions=False)
    journal.close()


def test_bug_shows_an_id_and_no_traceback(client: TestClient) -> None:
    answer = client.get("/venue/broken", headers={"X-Request-Id": "id-7"})
    assert answer.status_code == 500
    assert "id-7" in answer.text
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] == "id-7"


def test_unavailable_is_503_with_a_retry(client: TestClient) -> None:
    answer = client.get("/venue/away")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_failing_check_means_not_ready_and_names_why(client: TestClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["chain"] == {"ok": False, "detail": "RuntimeError: the chain is away"}
    assert client.get("/venue/status").json()["ready"] is False


def test_published_types_are_the_hashed_ones() -> None:
    hashed = {
        "native": signatures.NATIVE_ORDER_TYPE,
        "polymarket_v1": signatures.V1_ORDER_TYPE,
        "polymarket_v2": signatures.V2_ORDER_TYPE,
        "vault_action": signatures.VAULT_ACTION_TYPE,
        "link_account": signatures.LINK_ACCOUNT_TYPE,
        "cancel": signatures.CANCEL_TYPE,
        "clob_auth": signatures.CLOB_AUTH_TYPE,
    }
    published = {
        name: signatures.keccak256(f"{struct}({fields})".encode()) for name, (struct, fields) in typed_data.STRUCTS.items()
    }
    assert published == hashed
