"""The exchange as it was after an earlier command: the journal replayed up to there.

Looking back must cost trading nothing, so the venue asks a process beside it (`Past`), which only reads the journal, at low
priority. Inside it `Replay` goes forward from the newest kept copy before the command that is asked for.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from offchain_book.engine.exchange import apply
from offchain_book.engine.names import COLLATERAL, EQUITY, GUARANTEE, SUSPENSE
from offchain_book.engine.order import BookSide
from offchain_book.engine.snapshot import dump, load, state_hash
from offchain_book.engine.state import State
from offchain_book.engine.units import CASH
from offchain_book.journal import Checkpoint, Record, read_config, read_records
from offchain_book.recovery import first_state
from offchain_book.reserves import Books, pool_assets, read_books

KEEP_EVERY = 1_000
"""A copy of the state is kept after so many commands, so that going back is a short replay."""
MAX_KEPT = 16
"""Most copies; when there are more, every other one goes."""
LEVELS = 5
"""Price levels shown per side of a book."""
ANSWER_TIMEOUT_S = 60
VENUE_OWN = {EQUITY: "equity", GUARANTEE: "guarantee", SUSPENSE: "suspense", COLLATERAL: "advances"}
_LENGTH_BYTES = 8


class PastUnavailable(Exception):
    """The past cannot be looked up now; the message says why."""


class Ladder(msgspec.Struct):
    """One market's book: (YES price, size in millionths) per level, best first."""

    ticker: str
    orders: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


class Held(msgspec.Struct):
    """What one account had of one asset, in millionths."""

    asset: str
    total: int
    held: int
    pending: int


class Moment(msgspec.Struct):
    """The exchange after one command."""

    seq: int
    at_ms: int
    state_hash: str
    final_block: int
    final_hash: str
    next_operation: int
    open_operations: int
    next_deposit: int
    open_orders: int
    held_micros: int
    """Cash that secures open orders and withdrawals, of everybody."""
    ladders: list[Ladder]
    """Books with orders in them."""
    ledger: dict[str, dict[str, int]]
    """Asset -> whose (custodial, wallets, and the venue's own by name) -> millionths."""
    mine: list[Held]
    """Of the account that was named."""
    books: Books
    """What pool and wallets must hold on chain."""


class _Question(msgspec.Struct):
    seq: int
    account_id: str


class Replay:
    """The exchange at any command of one journal, by replaying. Blocking; of one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state = first_state(read_config(path))
        self._records = self._after(0)
        self._kept: dict[int, bytes] = {}

    def at(self, seq: int) -> State:
        """Return the state after a command, to look at only. Raises PastUnavailable beyond the journal's end."""
        if seq < self._state.seq:
            self._go_back(seq)
        while self._state.seq < seq:
            record = next(self._records, None)
            if record is None:
                self._records = self._after(self._state.seq)
                raise PastUnavailable(f"the journal ends at command {self._state.seq}")
            if not isinstance(record, Checkpoint):
                apply(self._state, record)
                if record.seq % KEEP_EVERY == 0:
                    self._keep()
        return self._state

    def _after(self, seq: int) -> Iterator[Record]:
        return (record for record in read_records(self._path) if isinstance(record, Checkpoint) or record.seq > seq)

    def _go_back(self, seq: int) -> None:
        start = max((kept for kept in self._kept if kept <= seq), default=0)
        self._state = load(msgspec.json.decode(self._kept[start])) if start else first_state(read_config(self._path))
        self._records = self._after(start)

    def _keep(self) -> None:
        self._kept[self._state.seq] = msgspec.json.encode(dump(self._state))
        if len(self._kept) > MAX_KEPT:
            for seq in sorted(self._kept)[::2]:
                del self._kept[seq]


def moment(state: State, account_id: str) -> Moment:
    """Return what there is to see of a state."""
    account = state.accounts.get(account_id)
    wallets = [name for name, found in state.accounts.items() if found.is_wallet]
    return Moment(
        seq=state.seq,
        at_ms=state.now_ms,
        state_hash=state_hash(state),
        final_block=state.final_block,
        final_hash=state.final_hash,
        next_operation=state.next_operation,
        open_operations=len(state.operations),
        next_deposit=state.next_deposit,
        open_orders=len(state.orders),
        held_micros=sum(found.cash.held for found in state.accounts.values()),
        ladders=_ladders(state),
        ledger=_ledger(state),
        mine=[Held(asset, b.total, b.held, b.pending) for asset, b in account.balances.items()] if account else [],
        books=read_books(state, pool_assets(state), wallets),
    )


def _ladders(state: State) -> list[Ladder]:
    orders: dict[str, int] = {}
    for order in state.orders.values():
        orders[order.ticker] = orders.get(order.ticker, 0) + 1
    books = ((ticker, number, state.markets[ticker].book) for ticker, number in orders.items())
    return [
        Ladder(ticker, number, book.depth(BookSide.BID, LEVELS), book.depth(BookSide.ASK, LEVELS))
        for ticker, number, book in books
    ]


def _ledger(state: State) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {CASH: {}}
    for name, account in state.accounts.items():
        whose = VENUE_OWN.get(name) or ("wallets" if account.is_wallet else "custodial")
        for asset, balance in account.balances.items():
            if balance.total:
                row = found.setdefault(asset, {})
                row[whose] = row.get(whose, 0) + balance.total
    sets = sum(market.yes_supply_micros for market in state.markets.values() if not market.resolved_on_chain)
    if sets:
        found[CASH]["sets"] = sets
    return found


_encode = msgspec.msgpack.Encoder().encode
_question = msgspec.msgpack.Decoder(_Question).decode
_answer = msgspec.msgpack.Decoder(Moment | str).decode


class Past:
    """Asks the process beside the venue; starts it at the first question. One question at a time."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    async def at(self, seq: int, account_id: str = "") -> Moment:
        """Return the exchange after a command, with what an account had. Raises PastUnavailable.

        Whoever stops waiting takes the process along: the answer it still owes would be read by the next question.
        """
        async with self._lock:
            answered = False
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    found = await self._ask(_Question(seq, account_id))
                if isinstance(found, Moment) and found.seq != seq:
                    raise RuntimeError(f"the process that replays the journal answered for command {found.seq}, not {seq}")
                answered = True
            except TimeoutError:
                raise PastUnavailable(f"replaying up to command {seq} takes longer than {ANSWER_TIMEOUT_S} s") from None
            except (asyncio.IncompleteReadError, BrokenPipeError, ConnectionResetError) as error:
                raise PastUnavailable("the process that replays the journal ended: ask again") from error
            finally:
                if not answered:
                    await self._end()
        if isinstance(found, str):
            raise PastUnavailable(found)
        return found

    async def _ask(self, question: _Question) -> Moment | str:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                __name__,
                str(self._journal),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        writer, reader = self._process.stdin, self._process.stdout
        assert writer is not None
        assert reader is not None
        writer.write(_framed(_encode(question)))
        await writer.drain()
        length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES))
        found: Moment | str = _answer(await reader.readexactly(length))
        return found

    async def close(self) -> None:
        """End the process."""
        async with self._lock:
            await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()  # `wait` alone would wait for ever behind a long answer that nobody reads


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(_LENGTH_BYTES) + data


def serve(path: Path) -> None:
    """Answer questions from standard input until it ends: the venue's end ends this process too."""
    os.nice(10)
    replay = Replay(path)
    while head := sys.stdin.buffer.read(_LENGTH_BYTES):
        question = _question(sys.stdin.buffer.read(int.from_bytes(head)))
        try:
            found: Moment | str = moment(replay.at(question.seq), question.account_id)
        except PastUnavailable as error:
            found = str(error)
        sys.stdout.buffer.write(_framed(_encode(found)))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
