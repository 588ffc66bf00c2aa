"""The past is what the exchange was: the same state hash after every command, in any order of asking."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from offchain_book import past
from offchain_book.engine import commands as c
from offchain_book.engine.order import BookSide
from offchain_book.engine.snapshot import state_hash
from offchain_book.past import Past, PastUnavailable, Replay, moment
from tests.gateways.native_venue import CONTRACT, TICKER, NativeVenue


class Remembered:
    """A small exchange with orders and cancels, and its hash after each command as it was at the time."""

    def __init__(self, venue: NativeVenue, folder: Path) -> None:
        self.venue = venue
        self.journal = folder / "journal"
        self.hashes: dict[int, str] = {}
        venue.sequencer.subscribe(lambda entry, events: self.hashes.__setitem__(entry.seq, state_hash(venue.state)))

    async def trade(self) -> None:
        for number in range(6):
            side = BookSide.BID if number % 2 else BookSide.ASK
            price = 4_000 if number % 2 else 6_000
            await self.venue.do(c.PlaceOrder(f"o{number}", "alice", TICKER, side, price, CONTRACT))
        await self.venue.do(c.CancelOrder("alice", "o0"))


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Remembered]:
    venue = NativeVenue(tmp_path)
    remembered = Remembered(venue, tmp_path)
    async with venue.running():
        await remembered.trade()
        yield remembered


async def test_replaying_forwards_and_backwards_gives_the_state_of_that_command(
    small: Remembered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "KEEP_EVERY", 3)
    monkeypatch.setattr(past, "MAX_KEPT", 2)
    replay = Replay(small.journal)
    last = small.venue.state.seq
    for seq in (last, 4, last - 1, 1, 7, 6, 5, last):
        assert state_hash(replay.at(seq)) == small.hashes[seq]


async def test_the_end_of_the_journal_is_said_and_what_comes_later_is_found(small: Remembered) -> None:
    replay = Replay(small.journal)
    end = small.venue.state.seq
    with pytest.raises(PastUnavailable, match=f"ends at command {end}"):
        replay.at(end + 1)
    await small.venue.do(c.CancelOrder("alice", "o1"))
    assert state_hash(replay.at(end + 1)) == small.hashes[end + 1]


async def test_a_moment_shows_book_ledger_and_what_one_account_had(small: Remembered) -> None:
    found = moment(Replay(small.journal).at(small.venue.state.seq), "alice")
    (ladder,) = found.ladders
    assert (ladder.ticker, ladder.orders, ladder.bids, ladder.asks) == (
        TICKER,
        5,
        [(4_000, 3 * CONTRACT)],
        [(6_000, 2 * CONTRACT)],
    )
    assert found.open_orders == 5
    assert found.held_micros == next(one.held for one in found.mine if one.asset == "USD") > 0
    assert found.ledger["USD"]["custodial"] == found.books.pool["USD"]
    assert found.ledger["USD"]["wallets"] == sum(
        micros for (_, asset), micros in found.books.wallets.items() if asset == "USD"
    )


async def test_the_process_beside_the_venue_answers_the_same_and_ends_when_told(small: Remembered) -> None:
    beside = Past(small.journal)
    try:
        for seq in (small.venue.state.seq, 3):
            assert (await beside.at(seq)).state_hash == small.hashes[seq]
        with pytest.raises(PastUnavailable, match="ends at command"):
            await beside.at(10_000)
        process = beside._process
        assert process is not None
        process.kill()
        with pytest.raises(PastUnavailable, match="ask again"):
            await beside.at(2)
        assert (await beside.at(2)).state_hash == small.hashes[2]
        process = beside._process
    finally:
        await beside.close()
    assert process is not None
    assert process.returncode is not None
