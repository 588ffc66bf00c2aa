"""The whole state as plain data and back, and its hash. Equal states give equal hashes on any machine.

`load(dump(state))` behaves as `state` for every later command. The codec knows no field by name: it writes every dataclass
field or slot of the engine's own classes, and leaves out what equals its default, so that a field added later (with a
default) changes neither an old state's hash nor this file. Values carry their type:

    atoms        1, "x", true, null           as they are
    containers   ["list", [..]]               also tuple, deque, set, frozenset, SortedList
    dicts        ["dict", {..}]               ["pairs", [[key, value], ..]] when the keys are not strings
    engine       ["Balance", {"total": 5}]    fields that differ from their defaults
    enums        ["Outcome", 1]
    references   ["@Order", "o1"]             orders, accounts and markets away from their home in `State`

What it cannot write exactly (an unknown class, one object in two places, an order that is not in `State.orders`) raises
TypeError: better no snapshot than a wrong one.
"""

import hashlib
import inspect
import json
import sys
from collections import deque
from collections.abc import Callable, Iterable
from copy import copy, deepcopy
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from itertools import groupby
from typing import Any, Final

from msgspec import Struct
from sortedcontainers import SortedList

from offchain_book.engine.account import Account, Balance, Exposure
from offchain_book.engine.book import Book
from offchain_book.engine.market import Market
from offchain_book.engine.names import token_assets
from offchain_book.engine.order import BookSide, Order
from offchain_book.engine.plain import is_plain
from offchain_book.engine.state import State
from offchain_book.engine.units import CASH

STATE_FORMAT = 5
"""Part of every stored state hash. Raise it when a change of the classes alters the hashes of old states; see ADR 0010."""

_ENGINE = "offchain_book.engine"
_ATOMS: Final = frozenset({int, str, bool, type(None)})
_CONTAINERS: Final[dict[type[Any], str]] = {
    list: "list",
    tuple: "tuple",
    deque: "deque",
    SortedList: "SortedList",
    set: "set",
    frozenset: "frozenset",
}
_MAKERS: Final[dict[str, Callable[[Iterable[Any]], Any]]] = {tag: cls for cls, tag in _CONTAINERS.items()}
_UNORDERED: Final = frozenset({set, frozenset})
_SHARED_FREELY: Final = frozenset({tuple, frozenset})
_HOMES: Final[dict[Any, tuple[str, str]]] = {
    Order: ("orders", "order_id"),
    Account: ("accounts", "account_id"),
    Market: ("markets", "ticker"),
}
"""Where an entity is written in full (the dict in `State`) and its key; everywhere else it is a reference."""
_BOOK_LINKS: Final = frozenset({"level", "previous", "next"})
"""Slots of `Order` that belong to the book; `load` puts the orders back where `Book` says that they stand."""
_ALIASES: Final[dict[type[Any], dict[str, Callable[[Any], Any]]]] = {
    Account: {"cash": lambda account: account.balances[CASH], "plain": lambda account: False},
    Exposure: {"yes": lambda exposure: None, "no": lambda exposure: None},
    Market: {"fees": Market.schedule, "ledger_names": Market.names},
}
"""Slots that follow from other slots; `_Reader.whole` makes those that need more than their own object."""
_NOTHING: Final = object()
_EMPTY_BALANCE: Final = [Balance.__name__, {}]


def dump(state: State) -> dict[str, Any]:
    """Return everything that decides what the exchange does next, as JSON-ready data. The order of dicts is kept.

    To compare states compare hashes, or the `canonical` form of dumps.
    """
    return _Writer(state).whole()


def load(data: dict[str, Any]) -> State:
    """Return the state that `dump` was given. Raises ValueError when `data` is not from `dump`."""
    try:
        return _Reader(data).whole()
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"not a state of this program: {type(error).__name__} {error}") from error


def state_hash(state: State) -> str:
    """Return the SHA-256 of the canonical dump."""
    return dump_hash(dump(state))


def dump_hash(data: dict[str, Any]) -> str:
    """Return the state hash of a dump."""
    text = json.dumps(canonical(data), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(data: dict[str, Any]) -> dict[str, Any]:
    """Return a dump without empty balances: looking at a balance creates one, and only what is there counts."""
    accounts = {}
    for account_id, (tag, account) in data["accounts"][1].items():
        balances = {asset: plain for asset, plain in account["balances"][1].items() if plain != _EMPTY_BALANCE}
        accounts[account_id] = [tag, account | {"balances": ["dict", balances]}]
    return data | {"accounts": ["dict", accounts]}


# --- what the classes look like ------------------------------------------------------------------------------------------


@cache
def _classes() -> dict[str, Any]:
    """Return every class of the engine that `State` can reach through the modules that it imports from, by name."""
    found: dict[str, Any] = {}
    modules = [State.__module__]
    for module in modules:
        for value in vars(sys.modules[module]).values():
            if not isinstance(value, type) or not value.__module__.startswith(_ENGINE):
                continue
            if value.__module__ not in modules:
                modules.append(value.__module__)
            if found.setdefault(value.__name__, value) is not value:
                raise TypeError(f"two engine classes are called {value.__name__}: a snapshot could not tell them apart")
    return found


@cache
def _shape(cls: Any) -> dict[str, Any]:
    """Return the fields that are written, with their defaults (`_NOTHING` when there is none)."""
    return {name: default for name, default in _attributes(cls).items() if name not in _left_out(cls)}


@cache
def _left_out(cls: Any) -> frozenset[str]:
    return (_BOOK_LINKS if cls is Order else frozenset()) | frozenset(_ALIASES.get(cls, ()))


@cache
def _attributes(cls: Any) -> dict[str, Any]:
    """Return every field of a class with its default."""
    if is_dataclass(cls):
        return {
            item.name: item.default_factory() if item.default_factory is not MISSING else
            (_NOTHING if item.default is MISSING else item.default)
            for item in fields(cls)
        }  # fmt: skip
    if issubclass(cls, Struct):
        names, defaults = cls.__struct_fields__, cls.__struct_defaults__
        padded = (_NOTHING,) * (len(names) - len(defaults)) + defaults
        return {name: item.factory() if hasattr(item, "factory") else item for name, item in zip(names, padded, strict=True)}
    # A hand-written class with slots: what its constructor sets without looking at an argument is a default.
    marks = {name: object() for name in inspect.signature(cls).parameters}
    made = cls(**marks)
    found = {name: getattr(made, name) for name in cls.__slots__}
    return {name: _NOTHING if any(item is mark for mark in marks.values()) else item for name, item in found.items()}


@cache
def _is_frozen(cls: Any) -> bool:
    config = getattr(cls, "__struct_config__", None) or getattr(cls, "__dataclass_params__", None)
    return bool(getattr(config, "frozen", False))


# --- writing -------------------------------------------------------------------------------------------------------------


class _Writer:
    def __init__(self, state: State) -> None:
        self._state = state
        self._homes = {cls: getattr(state, home) for cls, (home, _) in _HOMES.items()}
        self._written: set[int] = set()
        """Identities of what may stand in one place only."""

    def whole(self) -> dict[str, Any]:
        """Return the fields of the state."""
        homes = {home: cls for cls, (home, _) in _HOMES.items()}
        data: dict[str, Any] = {}
        for name, default in _shape(State).items():
            value = getattr(self._state, name)
            if name in homes:
                data[name] = ["dict", {key: self._fields(homes[name], entity) for key, entity in value.items()}]
                if name == "orders" and not all(order.in_book for order in value.values()):
                    raise TypeError("an open order is in no book: a snapshot could not say its price")
            elif not _same(value, default):
                data[name] = self._value(value)
        return data

    def _value(self, value: Any) -> Any:
        kind = type(value)
        if kind in _ATOMS:
            return value
        if kind in _HOMES:
            return [f"@{kind.__name__}", self._key(value)]
        if kind is dict:
            return self._dict(value)
        tag = _CONTAINERS.get(kind)
        if tag is not None:
            if kind not in _SHARED_FREELY:
                self._once(value)
            items = [self._value(item) for item in value]
            return [tag, sorted(items) if kind in _UNORDERED else items]
        if _classes().get(kind.__name__) is not kind:
            raise TypeError(f"a snapshot cannot hold a {kind.__module__}.{kind.__qualname__}")
        if isinstance(value, Enum):
            return [kind.__name__, value.value]
        if kind is Book:
            self._once(value)
            return ["Book", value.ticker, *(self._side(value, side) for side in BookSide)]
        return self._fields(kind, value)

    def _side(self, book: Book, side: BookSide) -> Any:
        """Return [price, ids of the orders in their queue] per level; an order's market, side and price are said here only."""
        levels = groupby(book.walk(side), key=lambda order: order.price_e4)
        return [[price, [self._key(order) for order in orders]] for price, orders in levels]

    def _fields(self, kind: Any, value: Any) -> Any:
        if not _is_frozen(kind):
            self._once(value)
        data: dict[str, Any] = {}
        for name, default in _shape(kind).items():
            item = getattr(value, name)
            if not _same(item, default):
                data[name] = item if type(item) in _ATOMS else self._value(item)
        return [kind.__name__, data]

    def _dict(self, value: dict[Any, Any]) -> Any:
        self._once(value)
        kinds = set(map(type, value.values()))
        if len(kinds) == 1 and (kind := kinds.pop()) in _HOMES:
            keys = [self._key(item) for item in value.values()]
            if keys == list(value):
                return [f"@{kind.__name__}s", keys]
        if all(type(key) is str for key in value):
            return ["dict", {key: self._value(item) for key, item in value.items()}]
        return ["pairs", [[self._value(key), self._value(item)] for key, item in value.items()]]

    def _key(self, entity: Any) -> str:
        key: str = getattr(entity, _HOMES[type(entity)][1])
        if self._homes[type(entity)].get(key) is not entity:
            raise TypeError(f"{type(entity).__name__} {key} is referred to and not in the state")
        return key

    def _once(self, value: object) -> None:
        if id(value) in self._written:
            raise TypeError(f"a snapshot cannot hold the same {type(value).__name__} in two places: {value!r:.200}")
        self._written.add(id(value))


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


# --- reading -------------------------------------------------------------------------------------------------------------


def _fresh(default: Any) -> Any:
    """Return a default of its own: containers are empty, but a record may hold containers."""
    return deepcopy(default) if is_dataclass(default) else copy(default)


def _blank(cls: Any) -> Any:
    """Return an object whose fields are still to be filled in."""
    if not issubclass(cls, Struct):
        return cls.__new__(cls)
    # msgspec has the collector skip a struct that is made of plain values alone; a list is not one.
    return cls(*([] for default in _attributes(cls).values() if default is _NOTHING))


class _Reader:
    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._entities: dict[str, dict[str, Any]] = {}
        self._books: list[tuple[Book, BookSide, Any]] = []

    def whole(self) -> State:
        """Return the state: first every entity blank, so that references have something to point at, then its fields."""
        homes = {home: cls for cls, (home, _) in _HOMES.items()}
        for home, cls in homes.items():
            self._entities[cls.__name__] = {key: _blank(cls) for key in self._data[home][1]}
        for home, cls in homes.items():
            for key, (_, plain) in self._data[home][1].items():
                self._fill(self._entities[cls.__name__][key], plain)
        rest = {name: item for name, item in self._data.items() if name not in homes}
        state: State = self._fill(
            State.__new__(State), rest, {home: self._entities[cls.__name__] for home, cls in homes.items()}
        )
        for book, side, levels in self._books:
            for price, order_ids in levels:
                level = book.level(side, price)
                for order_id in order_ids:
                    order = state.orders[order_id]
                    order.level = level
                    book.add(order)
        for account in state.accounts.values():
            account.plain = is_plain(state, account)
            for ticker, exposure in account.exposures.items():
                exposure.yes, exposure.no = (account.balance(asset) for asset in token_assets(ticker))
        return state

    def _value(self, plain: Any) -> Any:
        if type(plain) is not list:
            return plain
        tag, body = plain[0], plain[1]
        if tag == "dict":
            return {key: self._value(item) for key, item in body.items()}
        if tag == "pairs":
            return {self._value(key): self._value(item) for key, item in body}
        maker = _MAKERS.get(tag)
        if maker is not None:
            return maker(self._value(item) for item in body)
        if tag == "Book":
            book = Book(body)
            self._books += [(book, side, levels) for side, levels in zip(BookSide, plain[2:], strict=True)]
            return book
        if tag[0] == "@":
            if type(body) is list:
                known = self._entities[tag[1:-1]]
                return {key: known[key] for key in body}
            return self._entities[tag[1:]][body]
        cls = _classes()[tag]
        if issubclass(cls, Struct):
            return cls(**{name: self._value(item) for name, item in body.items()})
        return cls(body) if issubclass(cls, Enum) else self._fill(cls.__new__(cls), body)

    def _fill(self, made: Any, plain: dict[str, Any], ready: dict[str, Any] | None = None) -> Any:
        cls: Any = type(made)
        values = dict(ready or {})
        for name, item in plain.items():
            values[name] = self._value(item) if type(item) is list else item
        attributes = _attributes(cls)
        if not values.keys() <= attributes.keys():
            raise TypeError(f"{cls.__name__} has no {', '.join(sorted(values.keys() - attributes.keys()))}")
        aliases = _ALIASES.get(cls, {})
        put: Any = setattr if issubclass(cls, Struct) else object.__setattr__  # the latter writes frozen dataclasses
        for name, default in attributes.items():
            if name in values:
                item = values[name]
            elif name in aliases or (cls is Order and name == "level"):
                continue
            elif default is _NOTHING:
                raise TypeError(f"{cls.__name__} lacks {name}")
            else:
                item = default if type(default) in _ATOMS else _fresh(default)
            put(made, name, item)
        for name, find in aliases.items():
            put(made, name, find(made))
        return made
