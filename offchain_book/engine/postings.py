"""What a match posts in the ledger. It follows from the match, so no event repeats it line by line.

Only a match with a wallet is published as `Posted` too, because its operation remembers the lines until the chain has them.
"""

from collections.abc import Sequence

from offchain_book.engine.events import FillSide, Matched, Posted
from offchain_book.engine.ledger import Line
from offchain_book.engine.names import EQUITY, collateral_account, token_assets
from offchain_book.engine.order import BID, BookSide
from offchain_book.engine.units import CASH, PRICE_SCALE

Part = tuple[str, BookSide, int, int]
"""One side of a match: (account, side of the book, what it closes, what it opens), in millionths."""


def match_lines(ticker: str, price_e4: int, size_micros: int, parts: Sequence[Part]) -> list[Line]:
    """Return the ledger lines of a match without fees; what neither side closes, the sets grow by."""
    yes, no = token_assets(ticker)
    lines: list[Line] = []
    made = size_micros
    for account, side, closed, opened in parts:
        made -= closed
        buys, sells, pays = (yes, no, price_e4) if side is BID else (no, yes, PRICE_SCALE - price_e4)
        cash = (closed * (PRICE_SCALE - pays) - opened * pays) // PRICE_SCALE
        lines += ((account, CASH, cash), (account, buys, opened), (account, sells, -closed))
    return lines + supply_lines(ticker, made)


def supply_lines(ticker: str, sets_micros: int) -> list[Line]:
    """Return the collateral account's lines when sets are made (or, negative, redeemed)."""
    vault, (yes, no) = collateral_account(ticker), token_assets(ticker)
    return [(vault, CASH, sets_micros), (vault, yes, -sets_micros), (vault, no, -sets_micros)]


def fee_lines(account_id: str, fee_micros: int) -> list[Line]:
    """Return the lines of a fee (or, below zero, of a rebate)."""
    return [(account_id, CASH, -fee_micros), (EQUITY, CASH, fee_micros)]


def postings(match: Matched) -> list[Posted]:
    """Return what a match between custodial accounts has posted: itself, then both fees."""
    sides = (match.taker, match.maker)
    found = [match_lines(match.ticker, match.price_e4, match.size_micros, [_part(side) for side in sides])]
    found += [fee_lines(side.account_id, side.fee_micros) for side in sides]
    moved = (tuple(line for line in lines if line[2]) for lines in found)
    return [Posted(f"match:{match.match_id}", lines) for lines in moved if lines]


def _part(side: FillSide) -> Part:
    return side.account_id, side.side, side.close_micros, side.open_micros
