"""What a wallet's order uses of the contract's fill state, and that no two orders of a wallet use the same.

The contract remembers what an order has given in words that orders share (contracts/libraries/Words.sol, docs/contracts.md):
a native order by its nonce, a V2 order by a 21-bit tag of its digest in a word of its wallet and of 2^20 ms of signed
timestamps. Of two orders with one place the second would read as filled. So an order claims its place when it is accepted;
the claim lasts once something of it was filled, until no order could use the place (`is_over`), and ends with an order that
nothing was filled of.
V1 orders have a word each and claim nothing.
"""

from offchain_book.engine.account import Account
from offchain_book.engine.operations import NATIVE, POLYMARKET_V2, SignedOrder
from offchain_book.engine.order import Order

TAG_BITS = 21
EPOCH_BITS = 20


def place_of(signed: SignedOrder) -> str:
    """Return the name of the place that an order uses, unique within its wallet; empty for an order with a word of its own."""
    if signed.scheme is NATIVE:
        return f"nonce {signed.nonce}"
    if signed.scheme is POLYMARKET_V2:
        return f"tag {signed.timestamp_ms >> EPOCH_BITS}:{tag_of(signed.digest)}"
    return ""


def tag_of(digest: str) -> int:
    """Return a digest's tag: its top 21 bits, and 1 for 0. Mirrors `Words.tagOf`."""
    return (int(digest[2:8], 16) >> 24 - TAG_BITS) or 1


def is_over(place: str, min_nonce: int, signed_from_ms: int) -> bool:
    """Whether every order that could use a place is void: by its nonce, or because it was signed before an instant."""
    kind, _, number = place.partition(" ")
    if kind == "nonce":
        return int(number) < min_nonce
    return int(number.partition(":")[0]) < signed_from_ms >> EPOCH_BITS


def holder(account: Account, signed: SignedOrder) -> str:
    """Return the id of the order that has the place of a new one; empty when it is free."""
    return account.claims.get(place_of(signed), "")


def take(order: Order, signed: SignedOrder) -> None:
    """Claim an accepted order's place."""
    place = place_of(signed)
    if place:
        order.account.claims[place] = order.order_id


def give_back(order: Order, signed: SignedOrder) -> None:
    """End the claim of an order that leaves with nothing filled."""
    if not order.filled_micros:
        order.account.claims.pop(place_of(signed), None)
