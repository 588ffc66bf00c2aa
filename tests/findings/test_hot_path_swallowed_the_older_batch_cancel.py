"""DELETE /portfolio/orders/batched of Kalshi's first generation was taken for the cancel of an order named "batched"."""

from pathlib import Path

from fastapi.routing import APIRoute

from offchain_book.gateways.kalshi import hot_routes, router
from tests.gateways.native_venue import SETTINGS, NativeVenue


async def test_a_hot_route_with_a_parameter_swallows_no_other_route(tmp_path: Path) -> None:
    async with NativeVenue(tmp_path).running() as small:
        served = router(small.sequencer, SETTINGS)
        hot = hot_routes(served)
        parents = {(method, path.rpartition("/")[0]) for method, path in hot if path.endswith("}")}
        exact = {
            (method, route.path)
            for route in served.routes
            if isinstance(route, APIRoute) and not route.path.endswith("}")
            for method in route.methods or ()
        }
        below = {(method, path) for method, path in exact if (method, path.rpartition("/")[0]) in parents}
        assert set() < below <= set(hot)
        answer = await small.http.request("DELETE", "/trade-api/v2/portfolio/orders/batched", json={"ids": ["none"]},
                                          headers=small.key.headers("DELETE", "/trade-api/v2/portfolio/orders/batched"))  # fmt: skip
        assert answer.status_code == 200, answer.text
