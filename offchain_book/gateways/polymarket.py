"""Polymarket's CLOB API at the root of the venue, for its unmodified Python clients (V1 and V2). Read me first.

A gateway translates and decides nothing. Subjects have modules of their own: `polymarket_auth` (API keys),
`polymarket_markets` (books, prices, markets), `polymarket_trading` and `polymarket_orders` (placing, cancelling),
`polymarket_account` (own orders, trades, balances), `polymarket_keys` (read-only and builder keys),
`polymarket_builders`, `polymarket_history` (prices, last trades), `polymarket_rewards`, `polymarket_presence` (heartbeats,
notifications), `polymarket_errors` (production's texts), `polymarket_words`
(decimals, ids, tokens), `polymarket_http` (bodies, pages, authentication). What production has and this venue has not
answers 501.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from offchain_book.config import Settings
from offchain_book.gateways import (
    polymarket_account,
    polymarket_auth,
    polymarket_builders,
    polymarket_history,
    polymarket_keys,
    polymarket_markets,
    polymarket_presence,
    polymarket_rewards,
    polymarket_trading,
)
from offchain_book.gateways.contract_wallets import ContractWallets
from offchain_book.gateways.kalshi_call import Endpoint
from offchain_book.gateways.polymarket_errors import ApiError
from offchain_book.gateways.polymarket_http import Handler, PolymarketRoute, Venue, reply, wall_time_s
from offchain_book.sequencer import Sequencer

ORDER_VERSION = 2
"""The order struct that the V2 client is told to sign; V1 orders are taken as well."""

_RFQ = "requests for quotes are not served; every order meets the one book"
NOT_SERVED: tuple[tuple[str, str, str], ...] = (
    ("POST", "/rfq/request", _RFQ),
    ("DELETE", "/rfq/request", _RFQ),
    ("GET", "/rfq/data/requests", _RFQ),
    ("POST", "/rfq/quote", _RFQ),
    ("DELETE", "/rfq/quote", _RFQ),
    ("GET", "/rfq/data/requester/quotes", _RFQ),
    ("GET", "/rfq/data/quoter/quotes", _RFQ),
    ("GET", "/rfq/data/best-quote", _RFQ),
    ("POST", "/rfq/request/accept", _RFQ),
    ("POST", "/rfq/quote/approve", _RFQ),
    ("GET", "/rfq/config", _RFQ),
)
"""Production's routes that answer 501 here, with the reason."""
_SUBJECTS = (
    polymarket_auth,
    polymarket_keys,
    polymarket_history,
    polymarket_markets,
    polymarket_trading,
    polymarket_account,
    polymarket_builders,
    polymarket_rewards,
    polymarket_presence,
)
"""Paths are tried in this order: /markets/live-activity comes before /markets/{condition_id}."""


async def _ok(request: Request) -> Response:
    """Say that the venue answers."""
    return reply("OK")


async def _time(request: Request) -> Response:
    """Return the wall clock in seconds, which signatures are checked against."""
    return reply(wall_time_s())


async def _version(request: Request) -> Response:
    """Return the order struct that clients should sign."""
    return reply({"version": ORDER_VERSION})


def _refusal(reason: str) -> Handler:
    async def endpoint(request: Request) -> Response:
        raise ApiError(501, reason, "NOT_SERVED")

    endpoint.__doc__ = f"Not served: {reason}."
    return endpoint


def hot_routes(routes: APIRouter) -> Mapping[tuple[str, str], Endpoint]:
    """Return (method, path) and function of what is served beside the framework (`hot_path`): placing and cancelling."""
    return {
        (method, route.path): route.get_route_handler()
        for route in routes.routes
        if isinstance(route, PolymarketRoute) and route.path in polymarket_trading.PATHS
        for method in route.methods or ()
    }


def router(sequencer: Sequencer, settings: Settings, contracts: ContractWallets | None = None) -> APIRouter:
    """Return the routes of the dialect. Without `contracts` wallets made of code are not served."""
    venue = Venue(sequencer, settings, contracts)
    routes = APIRouter(route_class=PolymarketRoute, tags=["polymarket"])
    routes.add_api_route("/ok", _ok, methods=["GET"])
    routes.add_api_route("/time", _time, methods=["GET"])
    routes.add_api_route("/version", _version, methods=["GET"])
    for module in _SUBJECTS:
        module.add_routes(routes, venue)
    for method, path, reason in NOT_SERVED:
        name = f"{method}{path}".lower().translate({ord(char): "_" for char in "/-{}"})
        routes.add_api_route(path, _refusal(reason), methods=[method], name=name, status_code=501)
    return routes
