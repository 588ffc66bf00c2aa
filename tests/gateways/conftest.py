"""A small exchange and a client that signs, for the tests of Kalshi's dialect; Polymarket's come from `polymarket_house`."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from offchain_book.engine.snapshot import canonical, dump
from offchain_book.gateways import kalshi_stream
from offchain_book.gateways.kalshi import PREFIX
from offchain_book.gateways.stream import Hub
from tests.gateways import kalshi_spec
from tests.gateways.fix_raw import FixWorld, fix_world
from tests.gateways.polymarket_house import house, http, walt, wendy
from tests.gateways.streams import serving
from tests.sdk.kalshi_venue import ALICE, TICKER, Key, SmallVenue, make_keys

__all__ = ["house", "http", "walt", "wendy"]


class Client:
    """Sends signed requests in Kalshi's dialect."""

    def __init__(self, http: httpx.AsyncClient, venue: SmallVenue) -> None:
        self.http = http
        self.venue = venue
        self.places = 0

    async def send(
        self,
        method: str,
        path: str,
        who: str | None = ALICE,
        *,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Send a request to a path below the prefix, signed by `who`, or unsigned."""
        url = self.http.build_request(method, f"{PREFIX}{path}").url
        raw_path = url.raw_path.decode().partition("?")[0]
        signed = self.venue.keys[who].headers(method, raw_path) if who else {}
        response = await self.http.request(method, f"{PREFIX}{path}", headers=signed | (headers or {}), **more)
        kalshi_spec.check(response)
        return response

    async def get(self, path: str, who: str | None = ALICE, **params: Any) -> Any:
        """Return the body of a GET that must succeed."""
        response = await self.send("GET", path, who, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    async def place(self, who: str, side: str, price: str, count: str, **more: Any) -> Any:
        """Place an order that must be accepted."""
        response = await self.send("POST", "/portfolio/events/orders", who, json=order(side, price, count, **more))
        assert response.status_code == 201, response.text
        return response.json()


def order(side: str = "bid", price: str = "0.4000", count: str = "10.00", **more: Any) -> dict[str, Any]:
    """Return a valid body; an option set to None is left out."""
    body = {
        "ticker": TICKER,
        "side": side,
        "price": price,
        "count": count,
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
        **more,
    }
    return {name: value for name, value in body.items() if value is not None}


def possessions(venue: SmallVenue) -> dict[str, Any]:
    """Return everything that a refused request must leave alone: the state without its number, its time and empty rows."""
    plain = canonical(dump(venue.state))
    del plain["seq"], plain["now_ms"]
    for _, account in plain["accounts"][1].values():
        _, exposures = account.pop("exposures", ["dict", {}])
        account["exposures"] = {ticker: row for ticker, row in exposures.items() if row[1]}
    return plain


@pytest.fixture(scope="session")
def keys() -> dict[str, Key]:
    """Return keys; making RSA ones is slow."""
    return make_keys()


@pytest.fixture
async def venue(tmp_path: Path, keys: dict[str, Key]) -> AsyncIterator[SmallVenue]:
    """Return a running exchange."""
    async with SmallVenue(tmp_path / "journal", keys).running() as running:
        yield running


@pytest.fixture
async def client(venue: SmallVenue) -> AsyncIterator[Client]:
    """Return a client of the exchange."""
    transport = httpx.ASGITransport(venue.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://venue") as http:
        yield Client(http, venue)


@pytest.fixture
async def fix(venue: SmallVenue, tmp_path: Path) -> AsyncIterator[FixWorld]:
    """Return the exchange with open FIX ports."""
    async with fix_world(venue, tmp_path) as world:
        yield world


@pytest.fixture
async def url(venue: SmallVenue) -> AsyncIterator[str]:
    """Kalshi's WebSocket on a server; other dialects' tests have a fixture of this name themselves."""
    venue.app.include_router(kalshi_stream.router(Hub(venue.sequencer)))
    async with serving(venue.app) as running:
        yield running
