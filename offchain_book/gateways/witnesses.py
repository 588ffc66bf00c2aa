"""Book, ledger and chain side by side after one command: `GET /venue/at/{seq}`.

Book and ledger come from replaying the journal up to that command (`past.py`), the chain's values from what was read of the
final block that the exchange knew then (`chain_record.py`). They are compared as the reserves are: what the stream had not
executed in that block is taken off the ledger first.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request

from offchain_book.chain_record import POOL_HOLDER, ChainRecord, Holdings
from offchain_book.engine.units import CASH
from offchain_book.gateways.native import address_of, problem
from offchain_book.gateways.page_sessions import PageSessions
from offchain_book.past import Ladder, Moment, Past, PastUnavailable
from offchain_book.reserves import Books
from offchain_book.sequencer import Sequencer

Json = dict[str, Any]
MAX_WAITING = 16
"""Most questions about the past that wait for their turn."""
ALL_WALLETS = "wallets"


@dataclass(frozen=True, slots=True)
class History:
    """Where the past is kept."""

    past: Past
    chain: ChainRecord


@dataclass(frozen=True, slots=True)
class _Pair:
    """One holder's asset in ledger and chain, in millionths. `on_chain` is None when nothing was read."""

    holder: str
    asset: str
    ledger: int
    in_flight: int
    on_chain: int | None

    def view(self) -> Json:
        expected = self.ledger - self.in_flight
        return {
            "holder": self.holder,
            "asset": self.asset,
            "ledger_micros": self.ledger,
            "in_flight_micros": self.in_flight,
            "on_chain_micros": self.on_chain,
            "difference_micros": None if self.on_chain is None else self.on_chain - expected,
        }


class Witnesses:
    """The route of one venue."""

    def __init__(self, sequencer: Sequencer, people: PageSessions, history: History) -> None:
        self._sequencer = sequencer
        self._people = people
        self._history = history
        self._waiting = 0

    async def at(self, seq: int, request: Request, wallet: str = "") -> Json:
        """Book, ledger and chain after one command; with what the account signed in, or the wallet named, had then."""
        newest = self._sequencer.state.seq
        if not 1 <= seq <= newest:
            details = {"nearest": min(newest, max(1, seq)), "newest": newest}
            raise problem(404, "UNKNOWN_ID", f"there is no command {seq}: they go from 1 to {newest}", details)
        if self._waiting >= MAX_WAITING:
            raise problem(429, "TOO_MANY", f"{MAX_WAITING} questions about the past wait already: ask again in some seconds")
        account_id = address_of(wallet, "wallet") if wallet else self._people.account_of(request)
        self._waiting += 1
        try:
            moment = await self._history.past.at(seq, account_id)
        except PastUnavailable as error:
            raise problem(503, "PAST_UNAVAILABLE", str(error)) from None
        finally:
            self._waiting -= 1
        holdings, waiting = await asyncio.to_thread(_read_in, moment, self._history.chain)
        kind, at_ms, request_id = self._sequencer.projections.commands[seq]
        return {
            "seq": seq,
            "newest": newest,
            "command": {"kind": kind, "at_ms": at_ms, "request_id": request_id},
            "state_hash": moment.state_hash,
            "book": {
                "open_orders": moment.open_orders,
                "held_micros": moment.held_micros,
                "markets": [_ladder(one) for one in moment.ladders],
            },
            "ledger": {
                "assets": [{"asset": asset, "micros": by} for asset, by in moment.ledger.items()],
                "mine": [
                    {"asset": one.asset, "total_micros": one.total, "held_micros": one.held, "pending_micros": one.pending}
                    for one in moment.mine
                    if one.total or one.pending
                ],
            },
            "chain": _chain(moment, holdings, waiting, account_id if wallet else ""),
        }


def _ladder(ladder: Ladder) -> Json:
    return {"ticker": ladder.ticker, "orders": ladder.orders, "bids": ladder.bids, "asks": ladder.asks}


def _read_in(moment: Moment, record: ChainRecord) -> tuple[Holdings | None, str]:
    """Return what the chain held, and why it cannot be compared (empty when it can).

    The block is the one that the exchange knew as final. What the exchange had learnt of the next one already (a deposit is
    credited before its block is reported) is compared with that one.
    """
    known = record.at(moment.final_block)
    candidates = [known, record.after(known.block_number if known else moment.final_block)]
    reason = f"nothing was read of block {moment.final_block}: recording began later"
    if not moment.final_block:
        reason = "no block was final yet"
    for found in candidates:
        if found is None:
            continue
        span = found.span
        unlike = moment.books.unlike(span.next_operation, span.deposits, span.skipped)
        if not unlike:
            return found, ""
        if found is known:
            reason = unlike
    return known, reason


def _chain(moment: Moment, holdings: Holdings | None, waiting: str, wallet: str) -> Json:
    body: Json = {
        "final_block": moment.final_block,
        "final_hash": moment.final_hash,
        "waiting": waiting or None,
        "stream": {"next": moment.next_operation, "open": moment.open_operations},
    }
    if holdings is None:
        return body | {"block_number": None, "equal": None, "rows": [], "zero_rows": 0}
    pairs = list(_pairs(moment.books, holdings, wallet))
    shown = [pair for pair in pairs if pair.ledger or pair.in_flight or pair.on_chain]
    rows = [pair.view() for pair in shown]
    compared = [row["difference_micros"] for row in rows if row["difference_micros"] is not None]
    return body | {
        "block_number": holdings.block_number,
        "next_operation": holdings.span.next_operation,
        "deposits": holdings.span.deposits,
        "skipped": holdings.span.skipped,
        "equal": None if waiting else not any(compared),
        "rows": rows,
        "zero_rows": len(pairs) - len(shown),
    }


def _pairs(books: Books, holdings: Holdings, wallet: str) -> Iterable[_Pair]:
    """Yield the pool's assets, the wallets' together, and those of one wallet if it is named."""
    executed, held = holdings.span.next_operation, holdings.held
    for asset, ledger in books.pool.items():
        expected = books.expected_pool(asset, executed)
        yield _Pair(POOL_HOLDER, asset, ledger, ledger - expected, held.get((POOL_HOLDER, asset)))
    together: dict[str, list[int]] = {}
    for holder, asset in books.wallets:
        expected = books.expected_wallet(holder, asset, executed)
        on_chain = held.get((holder, asset), 0)
        sums = together.setdefault(asset, [0, 0])
        sums[0] += expected
        sums[1] += on_chain
        if holder == wallet:
            yield _Pair(holder, asset, expected, 0, on_chain)
    for asset in sorted(together, key=lambda name: (name != CASH, name)):
        expected, on_chain = together[asset]
        yield _Pair(ALL_WALLETS, asset, expected, 0, on_chain)


def router(sequencer: Sequencer, people: PageSessions, history: History) -> APIRouter:
    """Return the route about the past."""
    routes = APIRouter(prefix="/venue", tags=["reserves"])
    routes.add_api_route("/at/{seq}", Witnesses(sequencer, people, history).at, methods=["GET"])
    return routes
