"""Ids are refused while they are remembered, and no longer; of what was signed only what cannot come again is forgotten."""

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine import policy_commands as pc
from offchain_book.engine.events import OrderAccepted, WithdrawalRequested
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.market_events import IdsForgotten
from offchain_book.engine.operations import OrderScheme, SignedOrder, TokenSide, VaultAction, VaultActionKind
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


def test_by_a_retention_that_does_not_say_so_a_signed_order_that_has_traded_is_never_new_again() -> None:
    venue = remembering()
    signed = SignedOrder(OrderScheme.POLYMARKET_V1, "0xd1", WENDY, WENDY, "1", TokenSide.BUY, 1, 1, "1", "0x")
    venue.place(WENDY, "buy yes", 5_000, 1, order_id="0xd1", signed=signed)
    venue.place(BOB, "ask", 5_000, 1)
    for _ in range(5):
        wait(venue, SPAN)
    again = venue.place(WENDY, "buy yes", 5_000, 1, order_id="0xd1", signed=signed)
    assert rejected(again).code is RejectCode.DUPLICATE_ORDER_ID


def signed_order(scheme: OrderScheme, digest: str, **more: int) -> SignedOrder:
    return SignedOrder(scheme, digest, WENDY, WENDY, "1", TokenSide.BUY, 500_000, 1_000_000, "1", "0x", **more)


def buy(venue: Venue, signed: SignedOrder) -> list:
    return venue.place(WENDY, "buy yes", 5_000, 1, order_id=signed.digest, signed=signed)


def remembered(venue: Venue) -> tuple[int, int, int, int]:
    """Return how much is remembered of what wallets signed: orders, references, places, what waits to pass."""
    state = venue.state
    return len(state.finished_order_ids), len(state.references), len(state.accounts[WENDY].claims), len(state.passing)


EPOCH_MS = 1 << 20


def test_a_v2_order_is_forgotten_when_its_age_alone_refuses_it_and_so_is_its_place() -> None:
    venue = open_venue()
    venue.do(m.SetRetention(EPOCH_MS, signed=True))
    traded = signed_order(OrderScheme.POLYMARKET_V2, f"0x{7 << 235:064x}", timestamp_ms=venue.now_ms)
    same_place = signed_order(OrderScheme.POLYMARKET_V2, f"0x{(7 << 235) + 1:064x}", timestamp_ms=venue.now_ms + 1)
    buy(venue, traded)
    venue.place(BOB, "ask", 5_000, 1)
    assert rejected(buy(venue, traded)).code is RejectCode.DUPLICATE_ORDER_ID
    assert rejected(buy(venue, same_place)).code is RejectCode.SIGNED_TAG_TAKEN
    assert remembered(venue) == (1, 0, 1, 1)
    wait(venue, EPOCH_MS)
    assert rejected(buy(venue, same_place)).code is RejectCode.SIGNED_TAG_TAKEN
    wait(venue, EPOCH_MS)
    assert remembered(venue) == (0, 0, 0, 0)
    for order in (traded, same_place):
        refusal = rejected(buy(venue, order))
        assert refusal.code is RejectCode.SIGNED_ORDER_VOID
        assert dict(refusal.details)["lowest"] == venue.state.signed_from_ms
    venue.do(m.SetRetention(0))
    assert rejected(buy(venue, traded)).code is RejectCode.SIGNED_ORDER_VOID


def test_a_v2_order_that_rests_when_its_place_is_forgotten_trades_and_is_not_new_again() -> None:
    venue = open_venue()
    venue.do(m.SetRetention(EPOCH_MS, signed=True))
    rests = signed_order(OrderScheme.POLYMARKET_V2, f"0x{7 << 235:064x}", timestamp_ms=venue.now_ms)
    buy(venue, rests)
    for _ in range(3):
        wait(venue, EPOCH_MS)
    assert remembered(venue) == (0, 0, 0, 0)
    assert find(venue.place(BOB, "ask", 5_000, 1), OrderAccepted)
    assert rejected(buy(venue, rests)).code is RejectCode.DUPLICATE_ORDER_ID
    wait(venue, EPOCH_MS)
    assert remembered(venue) == (0, 0, 0, 0)
    assert rejected(buy(venue, rests)).code is RejectCode.SIGNED_ORDER_VOID


def test_an_order_with_a_signed_expiry_is_forgotten_after_it_and_its_nonce_under_the_watermark() -> None:
    venue = open_venue()
    venue.do(m.SetRetention(EPOCH_MS, signed=True))
    expires_s = venue.now_ms // 1_000 + 100
    order = signed_order(OrderScheme.NATIVE, "0xd1", nonce=4, expiration_s=expires_s, fee_rate_bps=700)
    other = signed_order(OrderScheme.NATIVE, "0xd2", nonce=4, fee_rate_bps=700)
    buy(venue, order)
    venue.place(BOB, "ask", 5_000, 1)
    for _ in range(3):
        wait(venue, EPOCH_MS)
    assert remembered(venue) == (0, 0, 1, 0)
    assert rejected(buy(venue, order)).code is RejectCode.SIGNED_EXPIRY_TOO_SOON
    assert rejected(buy(venue, other)).code is RejectCode.SIGNED_NONCE_TAKEN
    venue.do(cc.ObserveWatermark(WENDY, min_nonce=5))
    assert remembered(venue) == (0, 0, 0, 0)
    assert rejected(buy(venue, other)).code is RejectCode.SIGNED_ORDER_VOID


def test_an_order_without_an_expiry_and_the_nonce_of_an_action_stay_for_ever() -> None:
    venue = open_venue()
    venue.do(m.SetRetention(EPOCH_MS, signed=True))
    forever = signed_order(OrderScheme.NATIVE, "0xd1", nonce=4, fee_rate_bps=700)
    buy(venue, forever)
    venue.do(c.CancelOrder(WENDY, "0xd1"))
    deadline_s = venue.now_ms // 1_000 + 100
    action = c.SubmitAction("0xa1", VaultAction(WENDY, VaultActionKind.WITHDRAW, "0", 1, WENDY, "7", deadline_s, "0x"))
    venue.do(action)
    assert remembered(venue) == (1, 2, 0, 1)
    for _ in range(4):
        wait(venue, EPOCH_MS)
    assert remembered(venue) == (1, 1, 0, 0)
    assert rejected(buy(venue, forever)).code is RejectCode.DUPLICATE_ORDER_ID
    assert rejected(venue.do(action)).code is RejectCode.ACTION_NONCE_USED


def test_what_wallets_sign_stays_as_large_as_two_retentions_need() -> None:
    venue = open_venue()
    venue.do(m.SetRetention(EPOCH_MS, signed=True))
    sizes = []
    for number in range(60):
        order = signed_order(OrderScheme.POLYMARKET_V2, f"0x{number + 1 << 235:064x}", timestamp_ms=venue.now_ms)
        buy(venue, order)
        venue.place(BOB, "ask", 5_000, 1)
        wait(venue, EPOCH_MS // 10)
        sizes.append(sum(remembered(venue)[:3]))
    assert 20 < max(sizes) <= 2 * 3 * 10 + 2


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
