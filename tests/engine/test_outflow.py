"""The pool's outflow limit: what the engine admits, the contract's bucket takes, whenever and in whatever bunches it lands."""

import random

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.events import WithdrawalRequested
from offchain_book.engine.operations import Outcome
from offchain_book.engine.outflow import left_micros
from offchain_book.engine.rejects import RejectCode
from tests.builders import (
    ALICE,
    BOB,
    CONTRACT,
    DOLLAR,
    TICKER,
    WALT,
    WENDY,
    Venue,
    assert_books_balance,
    open_venue,
    rejected,
)

LIMIT, WINDOW_S = 100 * DOLLAR, 1_000


class Bucket:
    """The contract's own arithmetic (`_send` and `_outflowLevel` in contracts/libraries/Actions.sol)."""

    def __init__(self) -> None:
        self.level = self.at_s = 0

    def takes(self, amount: int, time_s: int) -> bool:
        """Send, if the limit allows it."""
        drained = (time_s - self.at_s) * LIMIT // WINDOW_S
        level = max(0, self.level - drained) + amount
        if level > LIMIT:
            return False
        self.level, self.at_s = level, time_s
        return True


@pytest.fixture
def venue() -> Venue:
    found = open_venue()
    found.state.pool_outflow_limit_micros, found.state.pool_outflow_window_s = LIMIT, WINDOW_S
    return found


def land(venue: Venue, block: int, skipped: tuple[tuple[int, int], ...] = ()) -> None:
    state = venue.state
    number = state.next_batch
    venue.do(cc.CutBatch(number, state.uncut, state.next_operation - state.uncut, "0x"))
    venue.do(cc.ConfirmBatch(number, "0x", block, "0x", skipped))


def test_what_is_queued_counts_until_it_is_final_and_drains_from_then_on(venue: Venue) -> None:
    venue.do(cc.ObserveChain(10, 5_000, False))
    venue.do(c.Withdraw("w1", ALICE, 60 * DOLLAR, WALT))
    refused = rejected(venue.do(c.Withdraw("w2", ALICE, 41 * DOLLAR, WALT)))
    assert refused.code is RejectCode.OUTFLOW_LIMIT
    assert dict(refused.details) == {"have_micros": 40 * DOLLAR, "need_micros": 41 * DOLLAR}
    land(venue, block=12)
    venue.do(cc.ObserveChain(11, 5_500, False))
    assert left_micros(venue.state) == 40 * DOLLAR, "the block it landed in is younger than the newest known one"
    venue.do(cc.ObserveChain(12, 5_501, False))
    venue.do(cc.ObserveChain(30, 5_801, False))
    assert left_micros(venue.state) == 70 * DOLLAR
    assert_books_balance(venue.state)


def test_a_sending_that_the_chain_skipped_is_given_back(venue: Venue) -> None:
    venue.do(c.Withdraw("w1", ALICE, 60 * DOLLAR, WALT))
    land(venue, 12, skipped=((0, 23),))
    assert left_micros(venue.state) == LIMIT
    assert_books_balance(venue.state)


def test_tokens_count_as_dollars_and_a_delivery_that_would_pass_the_limit_waits_in_the_account(venue: Venue) -> None:
    venue.do(c.LinkAccount(ALICE, WALT, deliver=True))
    for size, is_delivered in ((80, True), (30, False), (20, True)):
        venue.place(BOB, "ask", 5_000, size)
        events = venue.place(ALICE, "bid", 5_000, size)
        assert any(isinstance(event, WithdrawalRequested) for event in events) is is_delivered
    held = venue.state.accounts[ALICE].balance(f"{TICKER}:{Outcome.YES.name}").total
    assert held == 30 * CONTRACT
    assert left_micros(venue.state) == 0
    assert_books_balance(venue.state)


def test_a_wallet_withdraws_what_is_its_own_whatever_the_pool_has_sent(venue: Venue) -> None:
    """The limit is the pool's: a vault action of a wallet is not the operator's to refuse for it."""
    venue.do(c.Withdraw("w1", ALICE, LIMIT, WALT))
    assert venue.state.accounts[WENDY].cash.withdrawable > 0
    assert left_micros(venue.state) == 0


def test_a_journal_that_names_no_limit_has_none() -> None:
    venue = open_venue()
    assert left_micros(venue.state) is None
    venue.do(c.Withdraw("w1", ALICE, 900 * DOLLAR, WALT))
    assert venue.state.pool_outflow_open_micros == 0


@pytest.mark.parametrize("seed", range(20))
def test_the_contract_takes_everything_that_was_admitted(venue: Venue, seed: int) -> None:
    """Landing late and in bunches, confirmed late, reported later still: the engine's level is never below the contract's."""
    pick = random.Random(seed)
    bucket, block, time_s, admitted, refused = Bucket(), 1, 1_000, 0, 0
    on_chain: list[tuple[int, int]] = []
    for step in range(300):
        act = pick.choice(("withdraw", "withdraw", "mine", "confirm", "report"))
        if act == "withdraw":
            amount = pick.randint(1, 30 * DOLLAR)
            venue.deposit(ALICE, amount)
            events = venue.do(c.Withdraw(f"w{step}", ALICE, amount, WALT))
            taken = any(isinstance(event, WithdrawalRequested) for event in events)
            admitted, refused = admitted + taken, refused + (not taken)
        elif act == "mine":
            block, time_s = block + 1, time_s + pick.choice((1, 5, 120, 400))
            state = venue.state
            if state.uncut < state.next_operation:
                venue.do(cc.CutBatch(state.next_batch, state.uncut, state.next_operation - state.uncut, "0x"))
                batch = state.batches[state.next_batch - 1]
                for number in range(batch.first, batch.first + batch.count):
                    operation = state.operations[number].operation
                    assert bucket.takes(operation.amount_micros, time_s), "the contract would have skipped it"
                on_chain.append((batch.batch_no, block))
        elif act == "confirm" and on_chain:
            number, where = on_chain.pop(0)
            venue.do(cc.ConfirmBatch(number, "0x", where, "0x"))
        elif act == "report" and block > venue.state.final_block:
            venue.do(cc.ObserveChain(block, time_s, False))
        assert_books_balance(venue.state)
    assert admitted > 20
    assert refused > 5
