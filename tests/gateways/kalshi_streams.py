"""Orders, books and connections for the tests of Kalshi's WebSocket."""

from typing import Any

from offchain_book.engine import commands as c
from offchain_book.engine.order import BookSide
from tests.gateways.streams import KalshiStream, book_of, kalshi_stream
from tests.sdk.kalshi_venue import (
    ALICE,
    BOB,
    CONTRACT,
    TICKER,
    SmallVenue,
)

PLACED = 0


async def place(
    venue: SmallVenue, who: str, side: str, price_e4: int, contracts: float, ticker: str = TICKER, **more: Any
) -> str:
    """Place an order; returns its id."""
    global PLACED
    PLACED += 1
    order_id = f"{PLACED:08d}-0000-4000-8000-000000000000"
    size = round(contracts * CONTRACT)
    await venue.do(c.PlaceOrder(order_id, who, ticker, BookSide[side.upper()], price_e4, size, **more))
    return order_id


def book(venue: SmallVenue, ticker: str = TICKER) -> Any:
    found = venue.state.markets[ticker].book
    return book_of(found.depth(BookSide.BID), found.depth(BookSide.ASK))


def shown(stream: KalshiStream, ticker: str = TICKER) -> Any:
    return {side: stream.books[ticker][side] for side in ("yes", "no")}


def alice(venue: SmallVenue, url: str) -> Any:
    return kalshi_stream(url, venue.keys[ALICE])


def bob(venue: SmallVenue, url: str) -> Any:
    return kalshi_stream(url, venue.keys[BOB])
