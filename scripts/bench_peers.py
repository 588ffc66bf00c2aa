"""Other people's matching engines on the same operations: what can be installed from PyPI, driven through its own API.

They live in an environment of their own (`scripts/peers.lock`, installed by `make bench`), which joins the import path here,
behind ours. What an API demands per order (an object, a Decimal, a float) is made inside the clock, from tables where that
is possible; ids that it gives are kept in a dict; fills are taken through its own channel and translated outside the clock.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console

from offchain_book.engine.order import BID, BookSide
from scripts.bench_book import BookEngine, NaiveEngine
from scripts.bench_common import Engine, Json, Report, Scale, lane_row, lane_table, race, show
from tests.engine.workload import CONTRACT_MICROS, Fill, Op, Workload

SITE = Path(__file__).resolve().parents[1] / ".venv-peers" / "lib"


class Peer:
    """What the adapters share: the peer's orders by our id, and our id by the peer's."""

    name = ""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}
        self._ours: dict[Any, int] = {}

    def prepare(self, ops: Sequence[Op]) -> None:
        """Nothing: what the API demands is made in the clock."""

    def id_of(self, made: Any) -> Any:
        """Return the id by which the peer's fills name an order."""
        return made.order_id

    def our_id(self, theirs: Any) -> int:
        """Return our id of an order."""
        known = len(self._ours)
        self._ours.update((self.id_of(made), ours) for ours, made in islice(self._made.items(), known, None))
        return self._ours[theirs]


class DecimalBook(Peer):
    """`akhil4n-orderbook` and `cython-orderbook`: one API, in Python and in Cython."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self._book, self._order = module.OrderBook(), module.Order
        self._bid, self._ask = module.OrderSide.BID, module.OrderSide.ASK
        self._prices = {price: Decimal(price) / 10_000 for price in range(0, 10_001, 100)}

    def submit(self, order_id: int, side: BookSide, price_e4: int, size: int) -> Sequence[Any]:
        """Add a limit order; the new entries of the trade log are the fills."""
        book = self._book
        order = self._made[order_id] = self._order(
            side=self._bid if side is BID else self._ask,
            price=self._prices[price_e4],
            original_quantity=size // CONTRACT_MICROS,
        )
        log = book.trade_log
        before = len(log)
        book.add_limit_order(order)
        return log[before:] if len(log) > before else ()

    def cancel_at(self, order_id: int, side: BookSide, price_e4: int) -> None:
        """Cancel by the peer's id."""
        self._book.cancel_order(self._made[order_id].order_id)

    def fills(self, found: Sequence[Any]) -> Sequence[Fill]:
        """Translate the log's entries."""
        return [
            (self.our_id(trade.filler_id), int(trade.price * 10_000), int(trade.quantity_filled) * CONTRACT_MICROS)
            for trade in found
        ]


class LightMatching(Peer):
    """`lightmatchingengine`: pure Python, integer ids, best price by `min` over a dict."""

    name = "lightmatchingengine (Python)"

    def __init__(self, module: Any) -> None:
        super().__init__()
        self._engine, self._buy, self._sell = module.LightMatchingEngine(), module.Side.BUY, module.Side.SELL

    def submit(self, order_id: int, side: BookSide, price_e4: int, size: int) -> Sequence[Any]:
        """Add an order; its trades name both sides, the taker's first."""
        order, trades = self._engine.add_order("T", price_e4, size, self._buy if side is BID else self._sell)
        self._made[order_id] = order
        return [(order.order_id, trades)] if trades else ()

    def cancel_at(self, order_id: int, side: BookSide, price_e4: int) -> None:
        """Cancel by the peer's id."""
        self._engine.cancel_order(self._made[order_id].order_id, "T")

    def fills(self, found: Sequence[Any]) -> Sequence[Fill]:
        """Keep the makers' trades."""
        return [
            (self.our_id(trade.order_id), trade.trade_price, trade.trade_qty)
            for taker, trades in found
            for trade in trades
            if trade.order_id != taker
        ]


class Liquibook(Peer):
    """`liquibook`: OCI's C++ book behind SWIG; fills come through a listener, which has to book them into both orders."""

    name = "liquibook (C++)"

    def __init__(self, module: Any) -> None:
        super().__init__()
        self._simple_order, self._book = module.SimpleOrder, module.DepthOrderBook()
        fills: list[tuple[int, int, int]] = []

        class Listener(module.OrderListener):  # type: ignore[name-defined,misc]
            def on_accept(self, order: Any) -> None:
                pass

            def on_cancel(self, order: Any) -> None:
                pass

            def on_fill(self, order: Any, matched: Any, size: int, price: int) -> None:
                order.fill(size, price, 0)
                matched.fill(size, price, 0)
                fills.append((matched.order_id_, price, size))

        self._fills, self._listener = fills, Listener()
        self._book.set_order_listener(self._listener)
        self._book.set_symbol("T")

    def id_of(self, made: Any) -> Any:
        """Return the order's number in the peer."""
        return made.order_id_

    def submit(self, order_id: int, side: BookSide, price_e4: int, size: int) -> Sequence[Any]:
        """Add an order; the listener has collected the fills."""
        order = self._made[order_id] = self._simple_order(side is BID, price_e4, size // CONTRACT_MICROS)
        self._book.add(order)
        found = self._fills
        if not found:
            return ()
        done = found[:]
        found.clear()
        return done

    def cancel_at(self, order_id: int, side: BookSide, price_e4: int) -> None:
        """Cancel the order object."""
        self._book.cancel(self._made[order_id])

    def fills(self, found: Sequence[Any]) -> Sequence[Fill]:
        """Translate ids and sizes."""
        return [(self.our_id(maker), price, size * CONTRACT_MICROS) for maker, price, size in found]


def _decimal_book(module: str, name: str) -> Callable[[Any], Engine]:
    kind = type(module, (DecimalBook,), {"name": name})
    return kind


PEERS: dict[str, tuple[str, Callable[[Any], Engine]]] = {
    "liquibook": ("liquibook", Liquibook),
    "cython-orderbook": ("cython_orderbook", _decimal_book("cython_orderbook", "cython-orderbook (Cython)")),
    "akhil4n-orderbook": ("orderbook", _decimal_book("orderbook", "akhil4n-orderbook (Python)")),
    "lightmatchingengine": ("lightmatchingengine.lightmatchingengine", LightMatching),
}
"""Package -> (module, adapter)."""


def run(console: Console, work: Workload, scale: Scale, report: Report) -> Json:
    """Race them with the naive book and ours; without their environment say how to get it."""
    sites = sorted(SITE.glob("python*/site-packages"))
    if not sites:
        why = "the other engines are not installed: `make bench` installs them"
        console.print(f"Peers: skipped, {why}\n")
        return {"skipped": why, "rows": []}
    sys.path.append(str(sites[0]))
    work = Workload(work.warm_up, work.ops[: scale.whole_ops // 2])
    makers: list[Callable[[], Engine]] = [NaiveEngine, BookEngine]
    makers += [_maker(importlib.import_module(module), adapter) for module, adapter in PEERS.values()]
    lanes = race(makers, work, 1, min(len(work.ops), scale.latency_ops // 2), report)
    rows = [lane_row(lane, lanes[0], len(work.ops), None) for lane in lanes]
    ours = rows[1]["ratio"]
    for row in rows:
        row["ours_is_faster_by"] = round(ours / row["ratio"], 2)
    title = f"Other engines: {len(work.ops):,} operations of w99, the same {lanes[0].fills:,} fills ({lanes[0].digest[:8]})"
    remark = "our book is faster by: " + ", ".join(f"{row['name']} {row['ours_is_faster_by']}x" for row in rows[2:])
    show(console, lane_table(title, rows), remark + "\n")
    return {"ops": len(work.ops), "fills": lanes[0].fills, "fills_sha256": lanes[0].digest, "rows": rows}


def _maker(module: Any, adapter: Callable[[Any], Engine]) -> Callable[[], Engine]:
    return lambda: adapter(module)
