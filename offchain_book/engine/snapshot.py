"""The whole state as plain data, in one canonical form, and its hash. Equal states give equal hashes on any machine."""

import hashlib
import json
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from offchain_book.engine.book import Book
from offchain_book.engine.order import BookSide, Order
from offchain_book.engine.state import Account, Balance, Exposure, OrderGroup, State

_LINKS = frozenset({"account", "previous", "next", "in_book"})


def dump(state: State) -> dict[str, Any]:
    """Return everything that decides what the exchange does next, as JSON-ready data."""
    data = {item.name: _plain(getattr(state, item.name)) for item in fields(State)}
    data["finished_order_ids"] = sorted(state.finished_order_ids)
    data["references"] = sorted(state.references)
    return data


def state_hash(state: State) -> str:
    """Return the SHA-256 of the canonical dump."""
    text = json.dumps(dump(state), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, int | str):
        return value
    if isinstance(value, Book):
        return [[order.order_id for order in value.orders(side)] for side in BookSide]
    if isinstance(value, Order):
        plain = {name: _plain(getattr(value, name)) for name in Order.__slots__ if name not in _LINKS}
        return plain | {"account": value.account_id}
    if isinstance(value, OrderGroup):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)} | {"orders": list(value.orders)}
    if isinstance(value, Account):
        return _account(value)
    if isinstance(value, Balance | Exposure):
        return {name: getattr(value, name) for name in type(value).__slots__ if name not in ("yes", "no")}
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(value)
    return [_plain(item) for item in value]


def _account(account: Account) -> dict[str, Any]:
    data = {name: _plain(getattr(account, name)) for name in Account.__slots__ if name not in ("cash", "open_orders")}
    data["open_orders"] = list(account.open_orders)
    # Looking at a balance creates an empty one; only what is there counts.
    data["balances"] = {asset: plain for asset, plain in data["balances"].items() if any(plain.values())}
    return data
