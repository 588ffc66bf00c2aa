"""Requests that Schemathesis makes out of our own OpenAPI document: whatever they say, no answer is a 500."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.sdk.kalshi_venue import ALICE, Server, make_keys

pytestmark = pytest.mark.slow
EXAMPLES = 200
BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["ticker", "side", "count", "price", "orders", "name", "reduce_by", "subaccount"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a venue behind HTTP."""
    with Server(tmp_path_factory.mktemp("fuzz") / "journal", make_keys()) as running:
        yield running


def test_no_request_makes_a_bug_show(server: Server) -> None:
    document: dict[str, Any] = server.venue.app.openapi()
    known = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    assert len(known) == 85
    base = server.host.removesuffix("/trade-api/v2")
    statuses: set[int] = set()
    with httpx.Client(base_url=base, timeout=120) as http:

        @seed(6)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.sampled_from(known).flatmap(lambda operation: operation.as_strategy()), BODIES)
        def send(case: Any, body: Any) -> None:
            more = {"json": body} if case.method in ("POST", "PUT", "DELETE") else {}
            request = http.build_request(case.method, case.formatted_path, params=case.query, **more)
            signed = server.venue.keys[ALICE].headers(case.method, request.url.raw_path.decode().partition("?")[0])
            request.headers.update(signed)
            response = http.send(request)
            statuses.add(response.status_code)
            assert response.status_code != 500, (case.method, request.url, body, response.text)

        send()
    assert {200, 400, 404} <= statuses
