"""A valid order with one field broken gets exactly one reason, changes nothing, and the valid order is taken after it."""

from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given, settings
from msgspec.structs import replace

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.events import OrderAccepted
from offchain_book.engine.operations import OrderScheme, Outcome, SignedOrder, TokenSide
from offchain_book.engine.order import BookSide, SelfTrade, TimeInForce
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.snapshot import dump
from tests.builders import ALICE, BOB, CONTRACT, FEE_TICKER, TICKER, WENDY, Venue, market, open_venue, rejected

GTC, FOK = TimeInForce.GTC, TimeInForce.FOK
BEST_BID, BEST_ASK, DEPTH = 3_000, 7_000, 40
R = RejectCode
Order = c.PlaceOrder
Break = Callable[[Order], Order | None]
"""Returns the order with one field broken, or None where the flaw does not apply."""


def venue() -> Venue:
    """Return a venue with a book of Bob's, ids that are taken, and markets that do not trade."""
    made = open_venue()
    made.do(market("CLOSED", "RAIN"))
    made.do(c.CloseMarket("CLOSED"))
    made.do(market("LATER", "RAIN", open_ms=10**14))
    made.do(cc.ObserveWatermark(WENDY, min_nonce=5))
    for name in (ALICE, WENDY):
        for outcome in Outcome:
            for ticker in (TICKER, FEE_TICKER):
                made.deposit(name, 50 * CONTRACT if name == WENDY or outcome is Outcome.YES else 0, ticker, outcome)
    for ticker in (TICKER, FEE_TICKER):
        made.place(BOB, "bid", BEST_BID, DEPTH, ticker)
        made.place(BOB, "ask", BEST_ASK, DEPTH, ticker)
    made.place(ALICE, "bid", 100, 1, order_id="taken", client_order_id="mine")
    made.place(WENDY, "buy yes", 100, 1, order_id="taken by wendy", client_order_id="mine", signed=signature(nonce=7))
    made.do(c.CreateOrderGroup(ALICE, "group", 10**6 * CONTRACT))
    return made


def signature(expiration_s: int = 0, fee_rate_bps: int = 700, nonce: int = 10) -> SignedOrder:
    return SignedOrder(
        OrderScheme.NATIVE, "0x", WENDY, WENDY, "1", TokenSide.BUY, 1, 1, "1", "0x",
        expiration_s=expiration_s, fee_rate_bps=fee_rate_bps, nonce=nonce,
    )  # fmt: skip


@st.composite
def orders(draw: st.DrawFn, wallet: bool) -> Order:
    """Draw an order that the venue takes."""
    side = draw(st.sampled_from(BookSide))
    force = draw(st.sampled_from(TimeInForce))
    cents = st.integers(1, 99)
    if force is FOK:
        cents = st.integers(70, 99) if side is BookSide.BID else st.integers(1, 30)
    price = draw(cents) * 100
    post_only = force is GTC and not crosses(side, price) and draw(st.booleans())
    outcome = draw(st.sampled_from(Outcome)) if wallet else None
    return Order(
        "new",
        WENDY if wallet else ALICE,
        draw(st.sampled_from([TICKER, FEE_TICKER])),
        side,
        price,
        draw(st.integers(1, DEPTH * 100)) * 10_000,
        client_order_id=draw(st.sampled_from(["", "another"])),
        outcome=outcome,
        time_in_force=force,
        post_only=post_only,
        self_trade=draw(st.sampled_from(SelfTrade)),
        expires_ms=draw(st.sampled_from([0, 10**13])),
        signed=signature() if wallet else None,
        cancel_on_pause=draw(st.booleans()),
        group_id="" if wallet else draw(st.sampled_from(["", "group"])),
        session_id=draw(st.sampled_from(["", "session"])),
        builder=draw(st.sampled_from(["", "0x" + "12" * 32])),
    )


def crosses(side: BookSide, price: int) -> bool:
    return price >= BEST_ASK if side is BookSide.BID else price <= BEST_BID


def always(**fields: object) -> Break:
    return lambda order: replace(order, **fields)


def when(condition: Callable[[Order], bool], **fields: object) -> Break:
    return lambda order: replace(order, **fields) if condition(order) else None


def signed(**fields: int) -> Break:
    return lambda order: replace(order, signed=signature(**fields)) if order.signed else None


FLAWS: list[tuple[RejectCode, Break]] = [
    (R.UNKNOWN_ACCOUNT, always(account_id="nobody")),
    (R.UNKNOWN_MARKET, always(ticker="NONE")),
    (R.MARKET_INACTIVE, always(ticker="CLOSED")),
    (R.MARKET_NOT_OPEN_YET, always(ticker="LATER")),
    (R.DUPLICATE_ORDER_ID, always(order_id="taken")),
    (R.DUPLICATE_CLIENT_ORDER_ID, always(client_order_id="mine")),
    (R.CUSTODY_MISMATCH, when(lambda order: order.outcome is None, outcome=Outcome.YES)),
    (R.CUSTODY_MISMATCH, when(lambda order: order.outcome is not None, outcome=None)),
    (R.SIZE_NOT_POSITIVE, always(size_micros=0)),
    (R.SIZE_NOT_POSITIVE, always(size_micros=-CONTRACT)),
    (R.SIZE_OFF_LOT, lambda order: replace(order, size_micros=order.size_micros + 1)),
    (R.SIZE_TOO_LARGE, always(size_micros=10**12 + 10_000)),
    (R.PRICE_OUT_OF_RANGE, always(price_e4=0)),
    (R.PRICE_OUT_OF_RANGE, always(price_e4=-100)),
    (R.PRICE_OUT_OF_RANGE, always(price_e4=10_000)),
    (R.PRICE_OFF_TICK, lambda order: replace(order, price_e4=order.price_e4 + (1 if order.price_e4 < 9_900 else -1))),
    (R.EXPIRY_IN_PAST, always(expires_ms=1)),
    (R.EXPIRY_IN_PAST, always(expires_ms=-1)),
    (R.AMOUNT_NOT_POSITIVE, always(max_cost_micros=-1)),
    (R.AMOUNT_NOT_POSITIVE, always(budget_micros=-1)),
    (R.OPTION_CONFLICT, when(lambda order: order.time_in_force is GTC, max_cost_micros=1)),
    (R.OPTION_CONFLICT, when(lambda order: order.outcome is None and order.time_in_force is GTC, reduce_only=True)),
    (R.OPTION_CONFLICT, when(lambda order: order.outcome is not None and buys(order), reduce_only=True)),
    (R.NOTHING_TO_REDUCE, when(
        lambda order: order.outcome is None and order.time_in_force is not GTC and order.side is BookSide.BID,
        reduce_only=True)),
    (R.UNKNOWN_ORDER_GROUP, always(group_id="another group")),
    (R.POST_ONLY_CROSS, when(lambda order: crosses(order.side, order.price_e4), post_only=True)),
    (R.FILL_OR_KILL_UNFILLED, when(
        lambda order: not crosses(order.side, order.price_e4) and not order.post_only, time_in_force=FOK)),
    (R.FILL_OR_KILL_UNFILLED, when(lambda order: order.time_in_force is FOK, size_micros=50_000 * CONTRACT)),
    (R.INSUFFICIENT_CASH, when(
        lambda order: order.time_in_force is not FOK and (order.outcome is None or buys(order)),
        size_micros=900_000 * CONTRACT)),
    (R.INSUFFICIENT_TOKENS, when(
        lambda order: order.time_in_force is not FOK and order.outcome is not None and not buys(order),
        size_micros=900_000 * CONTRACT)),
    (R.SIGNED_EXPIRY_TOO_SOON, signed(expiration_s=1)),
    (R.FEE_RATE_BELOW_MARKET,
     lambda order: replace(order, signed=signature(fee_rate_bps=1)) if order.signed and order.ticker == FEE_TICKER else None),
    (R.SIGNED_ORDER_VOID, signed(nonce=4)),
    (R.SIGNED_NONCE_TAKEN, signed(nonce=7)),
]  # fmt: skip


def buys(order: Order) -> bool:
    return (order.outcome is Outcome.YES) is (order.side is BookSide.BID)


@pytest.mark.parametrize("wallet", [False, True], ids=["custodial", "wallet"])
@settings(max_examples=200)
@given(data=st.data())
def test_one_broken_field_is_one_reason_and_changes_nothing(wallet: bool, data: st.DataObject) -> None:
    valid = data.draw(orders(wallet))
    code, break_it = data.draw(st.sampled_from(FLAWS))
    broken = break_it(valid)
    assume(broken is not None)
    made = venue()
    before = dump(made.state)
    assert rejected(made.do(broken)).code is code
    assert dump(made.state) | {"seq": 0} == before | {"seq": 0}
    assert isinstance(made.do(valid)[0], OrderAccepted)
