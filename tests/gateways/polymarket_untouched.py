"""What a refusal of the Polymarket dialect looks like, and that it moves nothing."""

from typing import Any

import httpx

from offchain_book.engine.snapshot import canonical, dump
from tests.gateways.polymarket_fixtures import TICKER, House


def possessions(house: House) -> dict[str, Any]:
    """Return everything that a refused request must leave alone: the whole state but its number and its time."""
    plain = canonical(dump(house.state))
    del plain["seq"], plain["now_ms"]
    return plain


def yes(house: House, ticker: str = TICKER) -> str:
    """Return a market's YES token."""
    return house.state.markets[ticker].yes_token_id


def no(house: House, ticker: str = TICKER) -> str:
    """Return a market's NO token."""
    return house.state.markets[ticker].no_token_id


class Untouched:
    """A block in which nothing may move."""

    def __init__(self, house: House) -> None:
        self.house = house

    def __enter__(self) -> None:
        self.before = possessions(self.house)

    def __exit__(self, *failure: object) -> None:
        if failure[0] is None:
            assert possessions(self.house) == self.before


def refused(response: httpx.Response, status: int, error: str, code: str) -> dict[str, Any]:
    """Check an error's status, text and code, and return its body."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["error"], body["code"]) == (status, error, code), body
    assert body["request_id"] == response.headers["X-Request-Id"]
    return body
