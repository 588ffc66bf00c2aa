"""Fixtures of the Polymarket dialect's tests: a venue with quotes, an HTTP client, wallets with money. Import what is needed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from offchain_book.engine.operations import Outcome
from tests.builders import assert_books_balance
from tests.gateways.polymarket_fixtures import DOLLAR, TICKER, House, Wallet, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A venue in which the custodial maker buys YES at 40 and sells it at 60 cents, 100 contracts each."""
    async with open_house(tmp_path) as opened:
        await opened.quote("bid", 4_000, 100)
        await opened.quote("ask", 6_000, 100)
        yield opened
        assert_books_balance(opened.state)


@pytest.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client."""
    async with house.client() as client:
        yield client


async def funded(house: House, http: httpx.AsyncClient, key: bytes) -> Wallet:
    """Return a wallet with credentials and $1,000."""
    wallet = Wallet(http, key)
    await wallet.login()
    await house.fund(wallet.account, 1_000 * DOLLAR)
    return wallet


@pytest.fixture
async def wendy(house: House, http: httpx.AsyncClient) -> Wallet:
    """A wallet."""
    return await funded(house, http, b"\x11" * 32)


@pytest.fixture
async def walt(house: House, http: httpx.AsyncClient) -> Wallet:
    """Another wallet."""
    return await funded(house, http, b"\x22" * 32)


def token(house: House, outcome: Outcome = Outcome.YES, ticker: str = TICKER) -> str:
    """Return a token's id."""
    return house.state.markets[ticker].token_id(outcome)


async def placed(wallet: Wallet, *args: Any, **more: Any) -> dict[str, Any]:
    """Place an order that has to be taken."""
    response = await wallet.place(*args, **more)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def signed_get(wallet: Wallet, path: str, **query: str) -> Any:
    """Return the body of a signed GET that has to succeed."""
    response = await wallet.call("GET", path, **query)
    assert response.status_code == 200, response.text
    return response.json()


async def public_get(http: httpx.AsyncClient, path: str, **query: Any) -> Any:
    """Return the body of a GET that has to succeed."""
    response = await http.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()
