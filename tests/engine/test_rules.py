"""The rules by worked numbers: the examples of docs/architecture.md, fees, holds, and what happens when the chain fails."""

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.chain_events import OperationFailed, OperationQueued
from offchain_book.engine.events import Matched, OrderCancelled
from offchain_book.engine.names import EQUITY, GUARANTEE, token_asset
from offchain_book.engine.operations import (
    FillOperation,
    MatchKind,
    OrderScheme,
    Outcome,
    PoolAction,
    PoolOperation,
    SignedOrder,
    TokenSide,
)
from offchain_book.engine.order import CancelReason, SelfTrade, TimeInForce
from offchain_book.engine.rejects import RejectCode
from tests.builders import (
    ALICE,
    BOB,
    CONTRACT,
    DOLLAR,
    FEE_TICKER,
    TICKER,
    WALT,
    WENDY,
    Venue,
    assert_books_balance,
    open_venue,
    rejected,
)

YES, NO = token_asset(TICKER, Outcome.YES), token_asset(TICKER, Outcome.NO)


@pytest.fixture
def venue() -> Venue:
    return open_venue()


def matches(events: list) -> list[Matched]:
    return [event for event in events if isinstance(event, Matched)]


def operations(events: list) -> list:
    return [event.operation for event in events if isinstance(event, OperationQueued)]


def test_a_custodial_bid_and_a_wallet_buy_of_no_make_a_set_in_ledger_and_on_chain(venue: Venue) -> None:
    venue.place(ALICE, "bid", 6_000, 10)
    events = venue.place(WENDY, "buy no", 4_000, 10)
    (match,) = matches(events)
    assert match.pieces == ((MatchKind.MINT, 10 * CONTRACT),)
    (operation,) = operations(events)
    assert isinstance(operation, FillOperation)
    assert (operation.kind, operation.taker.outcome, operation.taker.side) == (MatchKind.MINT, Outcome.NO, TokenSide.BUY)
    assert (operation.maker.wallet, operation.maker.outcome) == (None, Outcome.YES)
    assert venue.total(ALICE) == 994 * DOLLAR
    assert venue.total(WENDY) == 996 * DOLLAR
    assert venue.state.markets[TICKER].unsplit_micros == 0
    wendy = venue.state.accounts[WENDY].balance(NO)
    assert (wendy.total, wendy.pending, wendy.settled, wendy.withdrawable) == (10 * CONTRACT, 10 * CONTRACT, 0, 0)
    venue.land()
    assert (wendy.pending, wendy.settled, wendy.withdrawable) == (0, 10 * CONTRACT, 10 * CONTRACT)


def test_custodial_fills_stay_off_the_chain_and_show_in_u_until_a_wallet_buys_from_the_pool(venue: Venue) -> None:
    venue.place(ALICE, "bid", 6_000, 10)
    events = venue.place(BOB, "ask", 6_000, 10)
    assert operations(events) == []
    market = venue.state.markets[TICKER]
    assert (market.unsplit_micros, market.pool_yes_micros) == (10 * CONTRACT, 0)
    venue.place(ALICE, "ask", 7_000, 10)
    (operation,) = operations(venue.place(WENDY, "buy yes", 7_000, 10))
    assert operation.kind is MatchKind.MINT, "the pool has no YES to sell, so a set is made"
    assert matches(venue.place(WALT, "buy yes", 7_000, 1)) == []
    assert (market.unsplit_micros, market.pool_no_micros) == (0, 10 * CONTRACT)
    assert_books_balance(venue.state)


def test_the_pool_sells_from_its_inventory_when_that_suffices(venue: Venue) -> None:
    venue.place(ALICE, "bid", 6_000, 10)
    venue.place(WENDY, "buy no", 4_000, 10)
    venue.place(ALICE, "ask", 6_500, 4)
    (operation,) = operations(venue.place(WALT, "buy yes", 6_500, 4))
    assert operation.kind is MatchKind.COMPLEMENTARY
    assert (operation.maker.wallet, operation.maker.side) == (None, TokenSide.SELL)


def test_a_fill_that_crosses_a_custodial_position_is_one_match_in_pieces(venue: Venue) -> None:
    venue.place(ALICE, "bid", 6_000, 3)
    venue.place(BOB, "ask", 6_000, 3)
    venue.place(ALICE, "ask", 5_000, 10)
    (match,) = matches(venue.place(BOB, "bid", 5_000, 10))
    assert match.pieces == ((MatchKind.MERGE, 3 * CONTRACT), (MatchKind.MINT, 7 * CONTRACT))
    assert venue.total(ALICE, YES) == 0
    assert venue.total(ALICE, NO) == 7 * CONTRACT


def test_quoting_both_sides_holds_the_dearer_one_only(venue: Venue) -> None:
    venue.place(ALICE, "bid", 4_000, 100)
    venue.place(ALICE, "ask", 5_000, 100)
    assert venue.state.accounts[ALICE].cash.held == 50 * DOLLAR


def test_selling_what_one_has_holds_nothing(venue: Venue) -> None:
    venue.place(ALICE, "bid", 6_000, 10)
    venue.place(BOB, "ask", 6_000, 10)
    venue.place(ALICE, "ask", 7_000, 10)
    assert venue.state.accounts[ALICE].cash.held == 0
    venue.place(ALICE, "ask", 7_000, 40)
    assert venue.state.accounts[ALICE].cash.held == 5 * DOLLAR, "50 NO at 30 cents, less 10 sets that come back"


@pytest.mark.parametrize(("contracts", "fee"), [(100, 1_750_000), (1, 17_500), (0.01, 200), (0.37, 6_500)])
def test_a_taker_pays_seven_percent_of_price_times_complement_rounded_up(contracts: float, fee: int, venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, contracts, FEE_TICKER)
    (match,) = matches(venue.place(BOB, "ask", 5_000, contracts, FEE_TICKER))
    assert match.taker.fee_micros == fee
    assert venue.total(EQUITY) == match.taker.fee_micros + match.maker.fee_micros


def test_an_order_cut_into_many_fills_pays_one_rounding(venue: Venue) -> None:
    for _ in range(50):
        venue.place(ALICE, "bid", 5_000, 0.01, FEE_TICKER)
    found = matches(venue.place(BOB, "ask", 5_000, 0.5, FEE_TICKER))
    assert len(found) == 50
    assert sum(match.taker.fee_micros for match in found) == 8_800, "0.07 x 0.25 x 0.5 = 0.00875, up to 0.0088"


def test_a_market_buy_spends_its_budget_in_whole_lots_and_leaves_the_rest(venue: Venue) -> None:
    venue.place(ALICE, "ask", 3_300, 100)
    events = venue.place(
        WENDY, "buy yes", 4_000, 25, budget_micros=10 * DOLLAR, time_in_force=TimeInForce.FOK, order_id="0xb"
    )
    (match,) = matches(events)
    assert match.size_micros == 30_300_000
    assert venue.total(WENDY) == 1_000 * DOLLAR - 9_999_000
    assert venue.state.accounts[WENDY].cash.held == 0


def test_a_wallets_fill_or_kill_is_all_or_nothing_even_behind_its_own_order(venue: Venue) -> None:
    venue.place(ALICE, "ask", 5_000, 5)
    venue.place(WENDY, "buy no", 4_000, 5)
    refused = rejected(venue.place(WENDY, "buy yes", 6_000, 10, time_in_force=TimeInForce.FOK))
    assert refused.code is RejectCode.FILL_OR_KILL_UNFILLED
    assert dict(refused.details)["fillable_micros"] == 5 * CONTRACT


def test_self_trade_prevention_cancels_the_side_that_was_asked_for(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 5)
    taker = venue.place(ALICE, "ask", 5_000, 5, self_trade=SelfTrade.TAKER_AT_CROSS)
    assert [event.reason for event in taker if isinstance(event, OrderCancelled)] == [CancelReason.SELF_TRADE]
    maker = venue.place(ALICE, "ask", 5_000, 5, self_trade=SelfTrade.MAKER)
    assert [event.was_resting for event in maker if isinstance(event, OrderCancelled)] == [True]
    assert len(venue.state.markets[TICKER].book) == 1


def test_linked_accounts_are_one_owner_and_never_trade_with_each_other(venue: Venue) -> None:
    venue.do(c.LinkAccount(ALICE, WENDY, False))
    venue.place(ALICE, "bid", 5_000, 5)
    assert matches(venue.place(WENDY, "buy no", 5_000, 5)) == []


def test_every_fill_of_a_linked_account_is_delivered_right_behind_the_fill(venue: Venue) -> None:
    venue.do(c.LinkAccount(ALICE, WENDY, True))
    venue.place(ALICE, "bid", 6_000, 10)
    events = venue.place(WALT, "buy no", 4_000, 10)
    fill, sent = operations(events)
    assert isinstance(sent, PoolOperation)
    assert (sent.number, sent.action, sent.to, sent.amount_micros) == (
        fill.number + 1, PoolAction.SEND_TOKENS, WENDY, 10 * CONTRACT,
    )  # fmt: skip
    assert venue.total(ALICE, YES) == 0
    assert_books_balance(venue.state)


def test_tokenizing_splits_in_the_pool_when_custodial_users_hold_sets_off_chain(venue: Venue) -> None:
    venue.place(ALICE, "bid", 6_000, 10)
    venue.place(BOB, "ask", 6_000, 10)
    split, sent = operations(venue.do(c.Withdraw("t1", ALICE, 4 * CONTRACT, WENDY, TICKER, Outcome.YES)))
    assert (split.action, split.amount_micros) == (PoolAction.SPLIT, 4 * CONTRACT)
    assert (sent.action, sent.amount_micros) == (PoolAction.SEND_TOKENS, 4 * CONTRACT)
    assert venue.state.markets[TICKER].unsplit_micros == 6 * CONTRACT
    assert_books_balance(venue.state)


def test_what_is_pending_can_be_traded_but_not_withdrawn(venue: Venue) -> None:
    venue.place(ALICE, "bid", 6_000, 10)
    venue.place(WENDY, "buy no", 4_000, 10)
    refused = rejected(venue.do(c.Withdraw("t1", ALICE, CONTRACT, WENDY, TICKER, Outcome.YES)))
    assert refused.code is RejectCode.NOTHING_AVAILABLE_YET
    assert matches(venue.place(BOB, "bid", 6_000, 10)) == []
    assert matches(venue.place(ALICE, "ask", 6_000, 10))


def test_a_skipped_fill_leaves_the_custodial_side_and_the_guarantee_takes_the_wallets_place(venue: Venue) -> None:
    venue.place(ALICE, "bid", 6_000, 10)
    venue.place(WENDY, "buy no", 4_000, 10)
    events = venue.land(((0, 18),))
    (failed,) = [event for event in events if isinstance(event, OperationFailed)]
    assert (failed.reason, failed.resolution) == ("skipped:18", "guaranteed")
    assert venue.total(ALICE, YES) == 10 * CONTRACT
    assert venue.total(WENDY) == 1_000 * DOLLAR
    assert venue.total(GUARANTEE, NO) == 10 * CONTRACT
    assert venue.total(GUARANTEE) == 996 * DOLLAR
    assert venue.state.guaranteed_fills == 1
    assert_books_balance(venue.state)


def test_a_skipped_fill_between_wallets_is_busted_and_counted(venue: Venue) -> None:
    venue.place(WENDY, "buy yes", 6_000, 10)
    venue.place(WALT, "buy no", 4_000, 10)
    venue.land(((0, 18),))
    assert (venue.total(WENDY), venue.total(WALT)) == (1_000 * DOLLAR, 1_000 * DOLLAR)
    assert venue.state.ghost_fills == 1
    assert_books_balance(venue.state)


def test_orders_that_lost_their_funding_are_cancelled_newest_first(venue: Venue) -> None:
    venue.place(WENDY, "buy yes", 6_000, 10)
    venue.place(WALT, "buy no", 4_000, 10)
    first = venue.place(WENDY, "sell yes", 7_000, 4)
    second = venue.place(WENDY, "sell yes", 7_500, 6)
    assert len(first) == len(second) == 2
    events = venue.land(((0, 18),))
    gone = [event for event in events if isinstance(event, OrderCancelled)]
    assert [(event.reason, event.price_e4) for event in gone] == [
        (CancelReason.UNFUNDED, 7_500),
        (CancelReason.UNFUNDED, 7_000),
    ]


def test_a_sale_of_what_never_arrived_fails_with_its_purchase(venue: Venue) -> None:
    venue.place(WENDY, "buy yes", 6_000, 10)
    venue.place(WALT, "buy no", 4_000, 10)
    venue.place(ALICE, "bid", 6_500, 10)
    venue.place(WENDY, "sell yes", 6_500, 10)
    state = venue.state
    venue.do(cc.CutBatch(0, 0, 1, "0x"))
    events = venue.do(cc.ConfirmBatch(0, "0x", 1, "0x", ((0, 18),)))
    failed = [event for event in events if isinstance(event, OperationFailed)]
    assert [(event.number, event.resolution) for event in failed] == [(0, "busted"), (1, "guaranteed")]
    assert venue.total(ALICE, YES) == 10 * CONTRACT
    assert_books_balance(state)
    venue.land(((1, 19),))
    assert_books_balance(state)


def test_matching_with_wallets_stops_when_the_guarantee_is_used_up(venue: Venue) -> None:
    venue.place(ALICE, "bid", 5_000, 1_900)
    events = venue.place(WENDY, "buy no", 5_000, 1_900)
    assert matches(events)
    venue.place(BOB, "bid", 5_000, 200)
    events = venue.place(WALT, "buy no", 5_000, 200)
    assert matches(events) == []
    (gone,) = [event for event in events if isinstance(event, OrderCancelled)]
    assert gone.reason is CancelReason.GUARANTEE_EXHAUSTED
    venue.land()
    assert matches(venue.place(WALT, "buy no", 5_000, 200))


def test_a_halted_chain_stops_wallets_and_nobody_else(venue: Venue) -> None:
    venue.place(WENDY, "buy yes", 5_000, 5)
    venue.do(cc.ObserveChain(9, 9, True))
    assert rejected(venue.place(WALT, "buy no", 5_000, 5)).code is RejectCode.CHAIN_HALTED
    (gone,) = [event for event in venue.place(ALICE, "ask", 5_000, 5) if isinstance(event, OrderCancelled)]
    assert gone.reason is CancelReason.CHAIN_HALTED
    venue.place(ALICE, "ask", 6_000, 5)
    assert matches(venue.place(BOB, "bid", 6_000, 5))
    venue.do(cc.ObserveChain(10, 10, False))
    assert matches(venue.place(WALT, "buy no", 5_000, 5))


def signed(**fields: object) -> SignedOrder:
    base = {"signature": "0x", "digest": "0x" + "11" * 32, "maker": WENDY, "signer": WENDY, "token_id": "1", "salt": "1"}
    numbers = {"side": TokenSide.BUY, "sell_amount_micros": 1, "buy_amount_micros": 1}
    return SignedOrder(**{**base, **numbers, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (
            {"scheme": OrderScheme.POLYMARKET_V1, "expiration_s": 1_050, "fee_rate_bps": 700},
            RejectCode.SIGNED_EXPIRY_TOO_SOON,
        ),
        ({"scheme": OrderScheme.POLYMARKET_V1, "fee_rate_bps": 699}, RejectCode.FEE_RATE_BELOW_MARKET),
        ({"scheme": OrderScheme.POLYMARKET_V1, "fee_rate_bps": 700, "nonce": 4}, RejectCode.SIGNED_ORDER_VOID),
        ({"scheme": OrderScheme.POLYMARKET_V2, "timestamp_ms": 4_999}, RejectCode.SIGNED_ORDER_VOID),
    ],
)
def test_an_order_that_the_contract_would_skip_is_refused_at_once(
    fields: dict[str, object], code: RejectCode, venue: Venue
) -> None:
    venue.do(cc.ObserveWatermark(WENDY, min_nonce=5, cancel_before_ms=5_000))
    assert rejected(venue.place(WENDY, "buy yes", 5_000, 1, FEE_TICKER, signed=signed(**fields))).code is code


def test_a_watermark_on_chain_takes_the_orders_that_it_voids_out_of_the_book(venue: Venue) -> None:
    old = signed(scheme=OrderScheme.POLYMARKET_V2, timestamp_ms=10)
    new = signed(scheme=OrderScheme.POLYMARKET_V2, timestamp_ms=20, digest="0x" + "22" * 32)
    venue.place(WENDY, "buy yes", 5_000, 1, signed=old)
    venue.place(WENDY, "buy yes", 5_100, 1, signed=new)
    events = venue.do(cc.ObserveWatermark(WENDY, cancel_before_ms=15))
    (gone,) = [event for event in events if isinstance(event, OrderCancelled)]
    assert (gone.price_e4, gone.reason) == (5_000, CancelReason.WATERMARK)


def test_a_scalar_resolution_pays_everybody_and_the_remainder_goes_to_equity(venue: Venue) -> None:
    venue.place(ALICE, "bid", 6_000, 1.01)
    venue.place(BOB, "ask", 6_000, 1.01)
    venue.do(c.ResolveMarket(TICKER, 333_333))
    venue.do(cc.ConfirmResolution(TICKER, 333_333, "0x", 1))
    assert venue.total(ALICE) == 1_000 * DOLLAR - 606_000 + 336_666
    assert venue.total(BOB) == 1_000 * DOLLAR - 404_000 + 673_333
    assert venue.total(EQUITY) == 1
    assert_books_balance(venue.state)
