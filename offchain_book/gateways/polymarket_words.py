"""Polymarket's way of writing what we know: decimals, ids, cursors, and a market seen from one of its two tokens.

Decimals are made by integer arithmetic; no float is involved anywhere.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from math import gcd

import msgspec

from offchain_book.engine.book import Book
from offchain_book.engine.market import Market
from offchain_book.engine.operations import Outcome, TokenSide
from offchain_book.engine.order import BookSide
from offchain_book.engine.state import State
from offchain_book.engine.units import ONE_DOLLAR_MICROS, PRICE_SCALE, complement_e4

FIRST_PAGE = "MA=="
LAST_PAGE = "LTE="


def fixed(amount: int, decimals: int) -> str:
    """Write `amount` / 10^`decimals` without trailing zeros: 450000 with 6 is "0.45"."""
    sign, amount = ("-", -amount) if amount < 0 else ("", amount)
    whole, rest = divmod(amount, 10**decimals)
    fraction = str(rest).rjust(decimals, "0").rstrip("0") if rest else ""
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def decimal(micros: int) -> str:
    """Write millionths as a decimal."""
    return fixed(micros, 6)


def price_text(price_e4: int) -> str:
    """Write a price as a decimal."""
    return fixed(price_e4, 4)


def number(text: str) -> msgspec.Raw:
    """Return a decimal as a JSON number."""
    return msgspec.Raw(text.encode())


def iso(at_ms: int) -> str:
    """Write a time, to the second."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_day(at_ms: int) -> str:
    """Write a time's day."""
    return iso(at_ms)[:10]


_CLIENT_TICKS_E4 = (1_000, 100, 10, 1)
"""The ticks in the tables of both clients; the newer one knows 0.005 and 0.0025 too."""


def tick_text(market: Market) -> str:
    """Return a market's tick in the form that the clients use as a dictionary key.

    It is the coarsest tick that both clients know and that every price of the grid is a multiple of; where the grid is coarser
    (half a cent, say), the exchange refuses what is off it and names the nearest prices.
    """
    return client_tick_text(gcd(*(step for _, _, step in market.price_ranges)))


def client_tick_text(step_e4: int) -> str:
    """Return the coarsest tick of the clients that a step is a multiple of."""
    return price_text(next(tick for tick in _CLIENT_TICKS_E4 if step_e4 % tick == 0))


def outcome_text(outcome: Outcome) -> str:
    """Return an outcome's name."""
    return "Yes" if outcome is Outcome.YES else "No"


def trade_id(match_id: int) -> str:
    """Return the id of a trade."""
    return f"trade:{match_id}"


def match_id_of(trade: str) -> int:
    """Return the match that a trade id names, or -1."""
    number = trade.removeprefix("trade:")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 16 else -1


def token_side(outcome: Outcome, side: BookSide) -> TokenSide:
    """Return what an order on a side of the book does with its token."""
    return TokenSide.BUY if (outcome is Outcome.YES) is (side is BookSide.BID) else TokenSide.SELL


def book_side(outcome: Outcome, side: TokenSide) -> BookSide:
    """Return the side of the book on which a token is bought or sold."""
    return BookSide.BID if (outcome is Outcome.YES) is (side is TokenSide.BUY) else BookSide.ASK


def own_price_e4(outcome: Outcome, yes_price_e4: int) -> int:
    """Return the price of a token for a YES price, and back."""
    return yes_price_e4 if outcome is Outcome.YES else complement_e4(yes_price_e4)


def cursor(position: int) -> str:
    """Write a page's position."""
    return base64.b64encode(str(position).encode()).decode()


def position_of(text: str) -> int:
    """Return the position in a cursor; raises ValueError when it is none."""
    if not text:
        return 0
    try:
        digits = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(text) from error
    if digits == "-1":
        return -1
    if not digits.isdigit() or len(digits) > 15:
        raise ValueError(text)
    return int(digits)


@dataclass(frozen=True, slots=True)
class Token:
    """One of a market's two tokens: the market's book and prices as the holder of this token sees them."""

    market: Market
    outcome: Outcome

    @property
    def token_id(self) -> str:
        """Its id as a decimal string."""
        return self.market.token_id(self.outcome)

    @property
    def book(self) -> Book:
        """The one book of its market, in YES prices."""
        return self.market.book

    def depth(self, side: TokenSide) -> list[tuple[int, int]]:
        """Return (price, size) per level, best first, of the orders that buy or sell this token."""
        levels = self.book.depth(book_side(self.outcome, side))
        return [(own_price_e4(self.outcome, price), size) for price, size in levels]

    @property
    def best_bid_e4(self) -> int:
        """The highest price that somebody pays for this token; 0 when nobody does."""
        return self.book.best_bid_e4 if self.outcome is Outcome.YES else complement_e4(self.book.best_ask_e4)

    @property
    def best_ask_e4(self) -> int:
        """The lowest price at which somebody sells this token; $1 when nobody does."""
        return self.book.best_ask_e4 if self.outcome is Outcome.YES else complement_e4(self.book.best_bid_e4)

    @property
    def last_price_e4(self) -> int:
        """The price of the last trade; 0 when there was none."""
        last = self.market.last_price_e4
        return own_price_e4(self.outcome, last) if last else 0

    @property
    def midpoint(self) -> str:
        """Half way between the best bid and the best ask."""
        return fixed((self.best_bid_e4 + self.best_ask_e4) * 5, 5)

    @property
    def shown_price(self) -> str:
        """What it is worth: its payout, else the middle of a two-sided book, else the last trade, else a half."""
        payout = self.market.yes_payout_micros
        if payout >= 0:
            return decimal(payout if self.outcome is Outcome.YES else ONE_DOLLAR_MICROS - payout)
        if self.best_bid_e4 > 0 and self.best_ask_e4 < PRICE_SCALE:
            return self.midpoint
        return price_text(self.last_price_e4 or PRICE_SCALE // 2)

    @property
    def is_winner(self) -> bool:
        """Whether it pays a full dollar."""
        return self.market.yes_payout_micros == (ONE_DOLLAR_MICROS if self.outcome is Outcome.YES else 0)


def find_token(state: State, token_id: str) -> Token | None:
    """Return the token with an id, if a market has it."""
    found = state.tokens.get(token_id)
    return Token(state.markets[found[0]], found[1]) if found else None
