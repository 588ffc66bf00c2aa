"""What may leave the pool under a withdrawal policy, and what a freeze stops and does not stop."""

from dataclasses import replace

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine import policy
from offchain_book.engine import policy_commands as pc
from offchain_book.engine.events import Event, OrderCancelled, WithdrawalRequested
from offchain_book.engine.operations import Outcome, VaultAction, VaultActionKind
from offchain_book.engine.policy_events import Frozen, WithdrawalApproved, WithdrawalHeld, WithdrawalRefused
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.snapshot import dump, load, state_hash
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

DAY_MS = 86_400_000
CAROL, ERIN = "carol", "erin"
POLICY = pc.SetWithdrawalPolicy(
    cooling_off_ms=DAY_MS,
    window_ms=DAY_MS,
    account_cap_micros=100 * DOLLAR,
    venue_cap_micros=150 * DOLLAR,
    approval_above_micros=50 * DOLLAR,
    approvals=2,
    approvers=(BOB, CAROL, ERIN),
)


def strict() -> Venue:
    """A venue under POLICY; WALT's address has been on Alice's and Bob's lists for a day, WENDY's on nobody's."""
    venue = open_venue()
    for name in (CAROL, ERIN):
        venue.do(c.OpenAccount(name, c.Custody.CUSTODIAL, name))
    venue.do(POLICY)
    for name in (ALICE, BOB):
        venue.do(pc.AllowDestination(name, WALT))
    venue.now_ms += DAY_MS
    return venue


def send(venue: Venue, dollars: int, to: str = WALT, reference: str = "w1", account: str = ALICE) -> list[Event]:
    return venue.do(c.Withdraw(reference, account, dollars * DOLLAR, to))


# --- the list ----------------------------------------------------------------------------------------------------------


def test_without_a_policy_anything_may_leave_at_once() -> None:
    assert find(send(open_venue(), 900), WithdrawalRequested)


def test_with_a_policy_an_address_that_is_not_listed_is_refused() -> None:
    refused = rejected(send(strict(), 1, WENDY))
    assert refused.code is RejectCode.DESTINATION_NOT_ALLOWED
    assert dict(refused.details)["usable_ms"] == 0


def test_a_new_address_cools_off_first_and_adding_it_again_does_not_shorten_that() -> None:
    venue = strict()
    venue.do(pc.AllowDestination(ALICE, WENDY))
    venue.now_ms += DAY_MS - 1
    venue.do(pc.AllowDestination(ALICE, WENDY))
    assert rejected(send(venue, 1, WENDY)).code is RejectCode.DESTINATION_NOT_ALLOWED
    venue.now_ms += 1
    assert find(send(venue, 1, WENDY), WithdrawalRequested)


def test_removing_an_address_works_at_once_and_adding_it_cools_off_anew() -> None:
    venue = strict()
    venue.do(pc.RemoveDestination(ALICE, WALT))
    venue.do(pc.AllowDestination(ALICE, WALT))
    assert rejected(send(venue, 1)).code is RejectCode.DESTINATION_NOT_ALLOWED


def test_an_address_counts_whatever_its_letters_case() -> None:
    assert find(send(strict(), 1, WALT.upper().replace("0X", "0x")), WithdrawalRequested)


def test_an_address_of_one_account_is_none_of_anothers() -> None:
    venue = strict()
    venue.do(pc.RemoveDestination(BOB, WALT))
    assert rejected(send(venue, 1, account=BOB)).code is RejectCode.DESTINATION_NOT_ALLOWED


def test_subaccounts_share_list_and_cap_with_their_account() -> None:
    venue = strict()
    venue.do(c.OpenSubaccount(ALICE))
    venue.do(c.TransferCash(ALICE, "t", 0, 1, 300 * DOLLAR))
    assert find(send(venue, 50, account=f"{ALICE}/1"), WithdrawalRequested)
    assert find(send(venue, 50, reference="w2"), WithdrawalRequested)
    assert rejected(send(venue, 1, reference="w3", account=f"{ALICE}/1")).code is RejectCode.WITHDRAWAL_CAP


def test_a_fill_is_not_delivered_to_a_wallet_that_the_policy_does_not_allow() -> None:
    venue = strict()
    venue.do(c.LinkAccount(ALICE, WENDY, deliver=True))
    venue.place(BOB, "ask", 5_000, 3)
    assert not find(venue.place(ALICE, "bid", 5_000, 3), WithdrawalRequested)
    assert venue.total(ALICE, f"{TICKER}:YES") == 3 * CONTRACT
    venue.do(pc.AllowDestination(ALICE, WENDY))
    venue.now_ms += DAY_MS
    venue.place(BOB, "ask", 5_000, 3)
    assert find(venue.place(ALICE, "bid", 5_000, 3), WithdrawalRequested)


# --- the caps ----------------------------------------------------------------------------------------------------------


def test_an_account_cannot_send_more_than_its_cap_in_the_window() -> None:
    venue = strict()
    send(venue, 50)
    send(venue, 49, reference="w2")
    refused = rejected(send(venue, 2, reference="w3"))
    assert refused.code is RejectCode.WITHDRAWAL_CAP
    assert dict(refused.details) == {
        "scope": "account",
        "have_micros": DOLLAR,
        "need_micros": 2 * DOLLAR,
        "window_ms": DAY_MS,
    }
    venue.now_ms += DAY_MS
    assert find(send(venue, 2, reference="w4"), WithdrawalRequested)


def test_all_accounts_together_cannot_send_more_than_the_venues_cap() -> None:
    venue = strict()
    for number in range(3):
        send(venue, 50 if number != 1 else 49, reference=f"w{number}", account=ALICE if number < 2 else BOB)
    refused = rejected(send(venue, 2, reference="last", account=BOB))
    assert dict(refused.details)["scope"] == "venue"


def test_a_token_counts_as_the_dollar_that_it_may_be_worth() -> None:
    venue = strict()
    venue.place(BOB, "ask", 100, 400)
    venue.place(ALICE, "bid", 100, 400)
    sent = venue.do(c.Withdraw("t1", ALICE, 101 * CONTRACT, WALT, TICKER, Outcome.YES))
    assert rejected(sent).code is RejectCode.WITHDRAWAL_CAP


def test_a_withdrawal_asked_for_twice_leaves_once() -> None:
    venue = strict()
    assert find(send(venue, 10), WithdrawalRequested)
    assert rejected(send(venue, 10)).code is RejectCode.DUPLICATE_REQUEST
    assert venue.total(ALICE) == 990 * DOLLAR


# --- approvals ---------------------------------------------------------------------------------------------------------


def test_a_large_withdrawal_waits_for_two_different_approvers() -> None:
    venue = strict()
    held = send(venue, 60)
    assert find(held, WithdrawalHeld)
    assert venue.total(ALICE) == 1_000 * DOLLAR
    assert find(venue.do(pc.ApproveWithdrawal("w1", BOB)), WithdrawalApproved)[0].missing == 1
    assert rejected(venue.do(pc.ApproveWithdrawal("w1", BOB))).code is RejectCode.DUPLICATE_REQUEST
    sent = venue.do(pc.ApproveWithdrawal("w1", CAROL))
    assert find(sent, WithdrawalRequested)
    assert venue.total(ALICE) == 940 * DOLLAR
    assert rejected(venue.do(pc.ApproveWithdrawal("w1", ERIN))).code is RejectCode.UNKNOWN_WITHDRAWAL
    assert_books_balance(venue.state)


def test_nobody_approves_his_own_withdrawal() -> None:
    venue = strict()
    send(venue, 60, account=BOB)
    assert rejected(venue.do(pc.ApproveWithdrawal("w1", BOB))).code is RejectCode.OWN_WITHDRAWAL


def test_the_last_consent_checks_everything_again() -> None:
    """The allow-list is edited while a withdrawal waits: it does not leave, and says why."""
    venue = strict()
    send(venue, 60)
    venue.do(pc.ApproveWithdrawal("w1", BOB))
    venue.do(pc.RemoveDestination(ALICE, WALT))
    events = venue.do(pc.ApproveWithdrawal("w1", CAROL))
    assert find(events, WithdrawalRefused)[0].code is RejectCode.DESTINATION_NOT_ALLOWED
    assert venue.total(ALICE) == 1_000 * DOLLAR


def test_a_waiting_withdrawal_reserves_nothing_and_fails_when_the_money_is_gone() -> None:
    venue = strict()
    send(venue, 60)
    venue.place(ALICE, "bid", 5_000, 1_990)
    venue.do(pc.ApproveWithdrawal("w1", BOB))
    events = venue.do(pc.ApproveWithdrawal("w1", CAROL))
    assert find(events, WithdrawalRefused)[0].code is RejectCode.INSUFFICIENT_CASH
    assert_books_balance(venue.state)


def test_its_own_account_or_an_approver_drops_a_waiting_withdrawal() -> None:
    venue = strict()
    for number, by in enumerate((ALICE, CAROL)):
        send(venue, 60, reference=f"w{number}")
        assert rejected(venue.do(pc.RejectWithdrawal(f"w{number}", "venue:equity"))).code is RejectCode.NOT_AN_APPROVER
        venue.do(pc.RejectWithdrawal(f"w{number}", by))
        assert rejected(venue.do(pc.ApproveWithdrawal(f"w{number}", BOB))).code is RejectCode.UNKNOWN_WITHDRAWAL


# --- the freeze --------------------------------------------------------------------------------------------------------


def test_a_freeze_stops_orders_and_withdrawals_and_nothing_else() -> None:
    venue = open_venue()
    venue.place(ALICE, "bid", 5_000, 10, order_id="mine")
    assert find(venue.do(pc.Freeze("the pool lacks 1")), Frozen)
    venue.do(pc.Freeze("another reason"))
    assert venue.state.frozen == "the pool lacks 1"
    for refused in (venue.place(BOB, "ask", 5_000, 1), send(venue, 1), venue.do(c.AmendOrder(ALICE, "mine", 5_100))):
        assert rejected(refused).code is RejectCode.FROZEN
    leaving = VaultAction(WENDY, VaultActionKind.WITHDRAW, "0", DOLLAR, WENDY, "1", 10**9, "0x")
    assert venue.do(c.SubmitAction("a", leaving))
    venue.land()
    venue.do(c.CancelOrder(ALICE, "mine"))
    assert not venue.state.orders
    venue.do(pc.Unfreeze("counted again"))
    assert find(send(venue, 1), WithdrawalRequested)


def test_a_freeze_is_a_pause_to_orders_that_asked_to_be_cancelled_on_one() -> None:
    venue = open_venue()
    venue.place(ALICE, "bid", 5_000, 1, order_id="stays")
    venue.place(ALICE, "bid", 5_000, 1, order_id="goes", cancel_on_pause=True)
    assert not find(venue.do(pc.Freeze("written before the rule")), OrderCancelled)
    (gone,) = find(venue.do(pc.Freeze("why", pauses=True)), OrderCancelled)
    assert (gone.order_id, gone.reason) == ("goes", "paused")
    assert set(venue.state.orders) == {"stays"}


def test_policy_and_freeze_survive_a_snapshot() -> None:
    venue = strict()
    send(venue, 60)
    send(venue, 10, reference="w2")
    venue.do(pc.ApproveWithdrawal("w1", BOB))
    venue.do(pc.Freeze("why"))
    again = load(dump(venue.state))
    assert state_hash(again) == state_hash(venue.state)
    assert again.waiting_withdrawals["w1"].approvers == [BOB]
    assert again.accounts[ALICE].outflow.sum_micros == 10 * DOLLAR


@pytest.mark.parametrize(
    "broken",
    [
        {"cooling_off_ms": -1},
        {"window_ms": 0},
        {"account_cap_micros": -1},
        {"venue_cap_micros": -1},
        {"approval_above_micros": -1},
        {"approvals": 0},
        {"approvals": 4},
    ],
)
def test_a_policy_with_one_impossible_value_is_refused(broken: dict[str, int]) -> None:
    venue = strict()
    before = venue.state.withdrawal_policy
    refused = rejected(venue.do(replace(POLICY, **broken)))
    assert refused.code is RejectCode.INVALID_POLICY
    assert dict(refused.details)["field"] in broken
    assert venue.state.withdrawal_policy is before


def test_limits_on_what_waits_and_what_is_listed_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "MAX_WAITING", 1)
    monkeypatch.setattr(policy, "MAX_DESTINATIONS", 1)
    venue = strict()
    send(venue, 60)
    assert rejected(send(venue, 60, reference="w2")).code is RejectCode.TOO_MANY_WAITING
    assert rejected(venue.do(pc.AllowDestination(ALICE, WENDY))).code is RejectCode.TOO_MANY_DESTINATIONS
