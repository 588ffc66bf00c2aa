"""One list out of those of an account's parts (the account itself and its subaccounts), for pages over all of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from offchain_book.engine.account import Account

T = TypeVar("T")


class Joined(Generic[T]):
    """Lists of several accounts as one that, like them, only grows at its end: positions in it never shift.

    That holds because `place` (a number that grows with every command) of a new item is above those of all older ones,
    whichever part it belongs to. Each item is looked at once.
    """

    def __init__(self, by_account: Mapping[str, Sequence[T]], place: Callable[[T], int]) -> None:
        self._by_account = by_account
        self._place = place
        self._joined: dict[str, list[T]] = {}
        self._taken: dict[str, int] = {}

    def of(self, parts: Sequence[Account]) -> Sequence[T]:
        """Return the list of one part, or of all parts of an account, the account itself first."""
        first = parts[0].account_id
        if len(parts) == 1:
            return self._by_account.get(first, ())
        new: list[T] = []
        for part in parts:
            items = self._by_account.get(part.account_id, ())
            new += items[self._taken.get(part.account_id, 0) :]
            self._taken[part.account_id] = len(items)
        new.sort(key=self._place)
        joined = self._joined.setdefault(first, [])
        joined += new
        return joined
