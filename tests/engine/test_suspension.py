"""One account stops trading: its orders go, new ones are refused, its money may leave; everybody else goes on."""

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine import policy_commands as pc
from offchain_book.engine.events import ActionAccepted, Matched, OrderAccepted, OrderCancelled, WithdrawalRequested
from offchain_book.engine.operations import VaultAction, VaultActionKind
from offchain_book.engine.order import CancelReason
from offchain_book.engine.policy_events import AccountRestored, AccountSuspended
from offchain_book.engine.rejects import RejectCode
from tests.builders import ALICE, BOB, DOLLAR, WALT, WENDY, Venue, assert_books_balance, find, open_venue, rejected

PART = f"{ALICE}/1"


@pytest.fixture
def venue() -> Venue:
    made = open_venue()
    made.do(c.OpenSubaccount(ALICE))
    made.do(c.TransferCash(ALICE, "t", 0, 1, 10 * DOLLAR))
    return made


@pytest.mark.parametrize("named", [ALICE, PART])
def test_a_custodial_account_stops_with_its_subaccounts_and_nobody_else(venue: Venue, named: str) -> None:
    for name, price in ((ALICE, 4_000), (PART, 3_000), (BOB, 2_000)):
        venue.place(name, "bid", price, 1)
    events = venue.do(pc.SuspendAccount(named, "a court's order"))
    assert find(events, AccountSuspended) == [AccountSuspended(ALICE, "a court's order")]
    assert [(e.account_id, e.reason) for e in find(events, OrderCancelled)] == [
        (ALICE, CancelReason.SUSPENDED),
        (PART, CancelReason.SUSPENDED),
    ]
    for name in (ALICE, PART):
        refusal = rejected(venue.place(name, "bid", 5_000, 1))
        assert (refusal.code, dict(refusal.details)["reason"]) == (RejectCode.ACCOUNT_SUSPENDED, "a court's order")
        assert venue.state.accounts[name].cash.held == 0
    assert find(venue.place(WENDY, "buy no", 8_000, 1), Matched)
    assert_books_balance(venue.state)


def test_its_money_may_leave_and_a_new_part_is_suspended_too(venue: Venue) -> None:
    venue.do(pc.SuspendAccount(ALICE, "why"))
    assert find(venue.do(c.Withdraw("w", ALICE, DOLLAR, WALT)), WithdrawalRequested)
    venue.do(c.OpenSubaccount(ALICE))
    venue.do(c.TransferCash(ALICE, "t2", 0, 2, 10 * DOLLAR))
    assert rejected(venue.place(f"{ALICE}/2", "bid", 5_000, 1)).code is RejectCode.ACCOUNT_SUSPENDED


def test_a_suspended_wallet_still_moves_its_vault_and_exits(venue: Venue) -> None:
    venue.place(WENDY, "buy yes", 5_000, 1)
    assert find(venue.do(pc.SuspendAccount(WENDY, "why")), OrderCancelled)
    assert rejected(venue.place(WENDY, "buy yes", 5_000, 1)).code is RejectCode.ACCOUNT_SUSPENDED
    action = VaultAction(WENDY, VaultActionKind.WITHDRAW, "0", DOLLAR, WENDY, "1", 10**9, "0x")
    assert find(venue.do(c.SubmitAction("a", action)), ActionAccepted)
    venue.land()
    venue.do(cc.ObserveExit(WENDY, 1))
    venue.do(cc.RecordExit("0xe", WENDY, venue.total(WENDY)))
    assert venue.total(WENDY) == 0
    assert_books_balance(venue.state)


def test_it_is_reversible_and_the_first_reason_stands_meanwhile(venue: Venue) -> None:
    venue.do(pc.SuspendAccount(ALICE, "first"))
    venue.do(pc.SuspendAccount(ALICE, "second"))
    assert venue.state.accounts[ALICE].suspended == "first"
    assert find(venue.do(pc.RestoreAccount(PART, "answered")), AccountRestored)
    for name in (ALICE, PART):
        assert find(venue.place(name, "bid", 5_000, 1), OrderAccepted)
    assert rejected(venue.do(pc.RestoreAccount(ALICE, "again"))).code is RejectCode.NOT_SUSPENDED
    for command in (pc.SuspendAccount("nobody", ""), pc.RestoreAccount("nobody", "")):
        assert rejected(venue.do(command)).code is RejectCode.UNKNOWN_ACCOUNT
