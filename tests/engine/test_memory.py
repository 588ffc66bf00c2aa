"""Ids are refused while they are remembered, and no longer; what the contract never forgets stays."""

from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine import policy_commands as pc
from offchain_book.engine.events import OrderAccepted, WithdrawalRequested
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.market_events import IdsForgotten
from offchain_book.engine.operations import OrderScheme, SignedOrder, TokenSide
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.snapshot import dump, load, state_hash
from tests.builders import ALICE, BOB, DOLLAR, WALT, WENDY, Venue, find, open_venue, rejected

SPAN = 1_000


def remembering() -> Venue:
    venue = open_venue()
    venue.do(m.SetRetention(SPAN))
    return venue


def wait(venue: Venue, ms: int) -> list:
    venue.now_ms += ms
    return venue.do(m.AdvanceClock())


def place_and_cancel(venue: Venue, order_id: str = "a") -> None:
    assert find(venue.place(ALICE, "bid", 5_000, 1, order_id=order_id, client_order_id=f"my {order_id}"), OrderAccepted)
    venue.do(c.CancelOrder(ALICE, order_id))


def test_an_id_is_refused_for_one_retention_at_least_and_two_at_most() -> None:
    venue = remembering()
    wait(venue, SPAN - 1)
    place_and_cancel(venue)
    for ms in (1, SPAN - 1):
        wait(venue, ms)
        assert rejected(venue.place(ALICE, "bid", 5_000, 1, order_id="a")).code is RejectCode.DUPLICATE_ORDER_ID
        again = venue.place(ALICE, "bid", 5_000, 1, client_order_id="my a")
        assert rejected(again).code is RejectCode.DUPLICATE_CLIENT_ORDER_ID
        assert rejected(venue.do(c.CancelOrder(ALICE, "a"))).code is RejectCode.ORDER_NOT_OPEN
    assert find(wait(venue, 1), IdsForgotten)[0].count == 1
    assert not venue.state.accounts[ALICE].client_order_ids
    place_and_cancel(venue)


def test_open_orders_keep_their_client_order_ids_however_old_they_are() -> None:
    venue = remembering()
    venue.place(ALICE, "bid", 5_000, 1, order_id="a", client_order_id="mine")
    for _ in range(5):
        wait(venue, SPAN)
    assert venue.state.accounts[ALICE].client_order_ids == {"mine": "a"}


def test_state_stays_as_large_as_two_retentions_need() -> None:
    venue = remembering()
    sizes = []
    for number in range(60):
        for part in range(5):
            place_and_cancel(venue, f"{number}.{part}")
        wait(venue, SPAN // 10)
        state = venue.state
        sizes.append(len(state.recent_order_ids) + len(state.earlier_order_ids) + len(state.finished_order_ids))
    assert max(sizes) <= 2 * 10 * 5


def test_requests_are_forgotten_and_a_withdrawal_that_waits_is_not() -> None:
    venue = remembering()
    venue.do(c.OpenSubaccount(ALICE))
    transfer, withdrawal = c.TransferCash(ALICE, "t", 0, 1, DOLLAR), c.Withdraw("w", ALICE, DOLLAR, WALT)
    for command in (transfer, withdrawal):
        assert not rejected_or_none(venue.do(command))
        assert rejected_or_none(venue.do(command)) is RejectCode.DUPLICATE_REQUEST
    venue.do(pc.SetWithdrawalPolicy(0, 1_000, 100 * DOLLAR, 100 * DOLLAR, 0, 1, (BOB,)))
    venue.do(pc.AllowDestination(ALICE, WALT))
    waits = c.Withdraw("waits", ALICE, DOLLAR, WALT)
    venue.do(waits)
    for _ in range(3):
        wait(venue, SPAN)
    assert not rejected_or_none(venue.do(transfer))
    assert rejected_or_none(venue.do(waits)) is RejectCode.DUPLICATE_REQUEST
    assert find(venue.do(pc.ApproveWithdrawal("waits", BOB)), WithdrawalRequested)


def rejected_or_none(events: list) -> RejectCode | None:
    return rejected(events).code if len(events) == 1 and hasattr(events[0], "code") else None


def test_a_signed_order_that_has_traded_is_never_new_again() -> None:
    venue = remembering()
    signed = SignedOrder(OrderScheme.POLYMARKET_V1, "0xd1", WENDY, WENDY, "1", TokenSide.BUY, 1, 1, "1", "0x")
    venue.place(WENDY, "buy yes", 5_000, 1, order_id="0xd1", signed=signed)
    venue.place(BOB, "ask", 5_000, 1)
    for _ in range(5):
        wait(venue, SPAN)
    again = venue.place(WENDY, "buy yes", 5_000, 1, order_id="0xd1", signed=signed)
    assert rejected(again).code is RejectCode.DUPLICATE_ORDER_ID


def test_without_a_retention_everything_is_remembered_as_in_old_journals() -> None:
    venue = open_venue()
    place_and_cancel(venue)
    wait(venue, 10**12)
    assert rejected(venue.place(ALICE, "bid", 5_000, 1, order_id="a")).code is RejectCode.DUPLICATE_ORDER_ID
    assert rejected(venue.do(m.SetRetention(-1))).code is RejectCode.INVALID_SCHEDULE


def test_a_retention_can_change_and_end_and_a_replay_and_a_snapshot_agree() -> None:
    venue = remembering()
    place_and_cancel(venue)
    venue.do(m.SetRetention(3 * SPAN))
    assert not find(wait(venue, SPAN), IdsForgotten)
    assert find(wait(venue, 2 * SPAN), IdsForgotten)
    stored = load(dump(venue.state))
    venue.do(m.SetRetention(0))
    assert not find(wait(venue, 10**9), IdsForgotten)
    again = new_state(venue.state.settle_deadline_s)
    for entry in venue.log:
        apply(again, entry)
    for entry in venue.log[-2:]:
        apply(stored, entry)
    assert state_hash(again) == state_hash(stored) == state_hash(venue.state)
