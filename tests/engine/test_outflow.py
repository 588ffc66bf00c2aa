"""The pool's outflow limit: what the engine admits, the contract's bucket takes, whenever and in whatever bunches it lands."""

import random

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.chain_events import OperationQueued
from offchain_book.engine.events import Event, Matched, OrderCancelled, Rejected, WithdrawalRequested
from offchain_book.engine.operations import FillOperation, Operation, Outcome, PoolOperation, TokenSide
from offchain_book.engine.order import CancelReason, TimeInForce
from offchain_book.engine.outflow import left_micros
from offchain_book.engine.rejects import RejectCode
from offchain_book.recovery import first_state
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
    find,
    open_venue,
    rejected,
)

LIMIT, WINDOW_S = 100 * DOLLAR, 1_000
GTC, IOC, FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK


class Bucket:
    """The contract's own arithmetic (contracts/libraries/Outflow.sol): micros times seconds, so nothing is rounded."""

    def __init__(self) -> None:
        self.level = self.at_s = 0

    def takes(self, amount: int, time_s: int) -> bool:
        """Count, if the limit allows it."""
        level = max(0, self.level - (time_s - self.at_s) * LIMIT) + amount * WINDOW_S
        if level > LIMIT * WINDOW_S:
            return False
        self.level, self.at_s = level, time_s
        return True


def on_chain_micros(operation: Operation) -> int:
    """What the contract counts: sendings, and the most that the pool's leg can lose (`_countLoss` in Fills.sol)."""
    if isinstance(operation, PoolOperation):
        return operation.amount_micros if operation.action.name.startswith("SEND") else 0
    if not isinstance(operation, FillOperation):
        return 0
    lots, loss = operation.size_micros // 10_000, 0
    for leg in (operation.taker, operation.maker):
        price = operation.price_e4 if leg.outcome is Outcome.YES else 10_000 - operation.price_e4
        if leg.wallet is None:
            loss += lots * (price if leg.side is TokenSide.BUY else 10_000 - price)
    return loss


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


def matched(events: list[Event]) -> list[int]:
    return [match.size_micros for match in find(events, Matched)]


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


def test_a_fill_of_the_pool_counts_what_it_may_lose_and_is_given_back_when_it_does_not_land(venue: Venue) -> None:
    venue.place(ALICE, "bid", 3_000, 100)
    assert left_micros(venue.state) == LIMIT, "resting orders count nothing"
    venue.place(WENDY, "buy no", 7_000, 100)
    assert left_micros(venue.state) == LIMIT - 30 * DOLLAR, "what alice pays"
    land(venue, 12, skipped=((0, 18),))
    assert left_micros(venue.state) == LIMIT
    venue.place(BOB, "ask", 8_000, 50)
    venue.place(WENDY, "buy yes", 8_000, 50)
    assert left_micros(venue.state) == LIMIT - 10 * DOLLAR, "what bob does not get of a dollar"
    venue.do(cc.ExpireOperations(1, 1, 99, 10**9))
    assert left_micros(venue.state) == LIMIT
    venue.place(WALT, "buy no", 5_000, 20)
    venue.place(WENDY, "buy yes", 5_000, 20)
    assert left_micros(venue.state) == LIMIT, "wallets among themselves are nothing to the pool"
    assert_books_balance(venue.state)


def test_an_order_that_the_limit_leaves_no_room_for_is_refused_with_have_and_need(venue: Venue) -> None:
    venue.place(BOB, "ask", 2_000, 200)
    venue.do(c.Withdraw("w1", ALICE, 90 * DOLLAR, WALT))
    for tif in TimeInForce:
        refused = rejected(venue.place(WENDY, "buy yes", 2_500, 13, time_in_force=tif))
        assert refused.code is RejectCode.OUTFLOW_LIMIT
        assert dict(refused.details) == {"have_micros": 10 * DOLLAR, "need_micros": 13 * 8 * DOLLAR // 10}
    assert not any(isinstance(e, Rejected) for e in venue.place(WENDY, "buy yes", 1_900, 13)), "it rests: nothing is matched"
    spent = venue.place(WENDY, "buy yes", 2_500, 1, budget_micros=3 * DOLLAR, time_in_force=IOC)
    assert rejected(spent).details == (("have_micros", 10 * DOLLAR), ("need_micros", 15 * 8 * DOLLAR // 10))
    assert matched(venue.place(WENDY, "buy yes", 2_500, 12.5)) == [12_500_000]
    assert left_micros(venue.state) == 0
    assert matched(venue.place(ALICE, "bid", 2_500, 10)) == [10 * CONTRACT], "custodial accounts trade on"
    assert_books_balance(venue.state)


def test_matching_stops_where_the_limit_ends_and_fill_or_kill_knows_it(venue: Venue) -> None:
    for size in (50, 40, 40):
        venue.place(BOB, "ask", 2_000, size)
    killed = rejected(venue.place(WENDY, "buy yes", 2_500, 130, time_in_force=FOK))
    assert (killed.code, dict(killed.details)["fillable_micros"]) == (RejectCode.FILL_OR_KILL_UNFILLED, 90 * CONTRACT)
    assert matched(venue.place(WENDY, "buy yes", 2_500, 90, time_in_force=FOK)) == [50_000_000, 40_000_000]
    venue.do(cc.ExpireOperations(0, 2, 99, 10**9))
    for size in (50, 40):
        venue.place(BOB, "ask", 1_900, size)
    events = venue.place(WENDY, "buy yes", 2_500, 150)
    assert matched(events) == [50_000_000, 40_000_000], "0.81 a contract; the third at 0.80 has no room"
    (gone,) = find(events, OrderCancelled)
    assert (gone.reason, gone.reduced_micros) == (CancelReason.OUTFLOW_LIMIT, 60 * CONTRACT)
    assert_books_balance(venue.state)


def test_an_order_is_not_amended_into_a_match_that_the_limit_leaves_no_room_for(venue: Venue) -> None:
    venue.place(WENDY, "buy no", 4_000, 50)
    venue.place(ALICE, "bid", 5_000, 50)
    order_id = f"o{venue.orders}"
    venue.do(c.Withdraw("w1", BOB, 80 * DOLLAR, WALT))
    refused = rejected(venue.do(c.AmendOrder(ALICE, order_id, price_e4=6_000)))
    assert dict(refused.details) == {"have_micros": 20 * DOLLAR, "need_micros": 30 * DOLLAR}
    assert venue.state.orders[order_id].price_e4 == 5_000
    assert_books_balance(venue.state)


def test_under_a_contract_of_the_first_version_fills_count_nothing(venue: Venue) -> None:
    venue.state.contract_version = 1
    venue.place(BOB, "ask", 1_000, 200)
    assert matched(venue.place(WENDY, "buy yes", 1_000, 200)) == [200 * CONTRACT]
    assert left_micros(venue.state) == LIMIT
    assert first_state({"settle_deadline_s": 60}).contract_version == 1, "an old journal's header does not say"
    assert_books_balance(venue.state)


@pytest.mark.parametrize("seed", range(20))
def test_the_contract_takes_everything_that_was_admitted(venue: Venue, seed: int) -> None:
    """Landing late and in bunches, confirmed late, reported later still: the engine's level is never below the contract's."""
    pick = random.Random(seed)
    bucket, block, time_s = Bucket(), 1, 1_000
    counts = {"sent": 0, "filled": 0, "refused": 0}
    on_chain: list[tuple[int, int]] = []
    for step in range(400):
        events: list[Event] = []
        act = pick.choice(("withdraw", "trade", "trade", "trade", "mine", "confirm", "report"))
        if act == "withdraw":
            amount = pick.randint(1, 30 * DOLLAR)
            venue.deposit(ALICE, amount)
            events = venue.do(c.Withdraw(f"w{step}", ALICE, amount, WALT))
            counts["sent"] += any(isinstance(event, WithdrawalRequested) for event in events)
        elif act == "trade":
            side = pick.choice(("bid", "ask", "buy yes", "buy no", "sell yes", "sell no"))
            who = pick.choice((WENDY, WALT) if " " in side else (ALICE, BOB))
            venue.deposit(who, 20 * DOLLAR)
            price, size = pick.randrange(100, 10_000, 100), pick.randint(1, 4_000) / 100
            tif = pick.choice(list(TimeInForce))
            left = left_micros(venue.state)
            events = venue.place(who, side, price, size, time_in_force=tif)
            counted = sum(on_chain_micros(event.operation) for event in find(events, OperationQueued))
            assert left_micros(venue.state) == left - counted
            counts["filled"] += counted > 0
            stopped = any(e.reason is CancelReason.OUTFLOW_LIMIT for e in find(events, OrderCancelled))
            counts["refused"] += stopped
            assert not (stopped and tif is FOK)
        elif act == "mine":
            block, time_s = block + 1, time_s + pick.choice((1, 5, 120, 400))
            state = venue.state
            if state.uncut < state.next_operation:
                venue.do(cc.CutBatch(state.next_batch, state.uncut, state.next_operation - state.uncut, "0x"))
                batch = state.batches[state.next_batch - 1]
                for number in range(batch.first, batch.first + batch.count):
                    amount = on_chain_micros(state.operations[number].operation)
                    assert not amount or bucket.takes(amount, time_s), "the contract would have skipped it"
                on_chain.append((batch.batch_no, block))
        elif act == "confirm" and on_chain:
            number, where = on_chain.pop(0)
            venue.do(cc.ConfirmBatch(number, "0x", where, "0x"))
        elif act == "report" and block > venue.state.final_block:
            venue.do(cc.ObserveChain(block, time_s, False))
        counts["refused"] += any(e.code is RejectCode.OUTFLOW_LIMIT for e in find(events, Rejected))
        assert_books_balance(venue.state)
    assert min(counts.values()) > 0, counts
