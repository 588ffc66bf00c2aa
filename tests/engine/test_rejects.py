"""Every reject code can be reached, and every one has a sentence that its details fill."""

from collections.abc import Callable

import pytest

from offchain_book import errors
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine import policy_commands as pc
from offchain_book.engine.events import Event
from offchain_book.engine.operations import OrderScheme, Outcome, SignedOrder, TokenSide, VaultAction, VaultActionKind
from offchain_book.engine.order import TimeInForce
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
    exclusive,
    market,
    open_venue,
    rejected,
)

Case = Callable[[Venue], list[Event]]


def _twice(command: c.Command) -> Case:
    def case(venue: Venue) -> list[Event]:
        venue.do(command)
        return venue.do(command)

    return case


def _do(command: c.Command) -> Case:
    return lambda venue: venue.do(command)


def _with_order(command: c.Command) -> Case:
    def case(venue: Venue) -> list[Event]:
        venue.place(ALICE, "bid", 5_000, 1, order_id="a", client_order_id="mine")
        venue.place(WENDY, "buy yes", 4_000, 1, order_id="w")
        return venue.do(command)

    return case


def _then(side: str, price: int, **more: object) -> Case:
    def case(venue: Venue) -> list[Event]:
        _with_order(c.CancelOrders(BOB))(venue)
        return venue.place(ALICE, side, price, 1, **more)

    return case


def _repacked(venue: Venue) -> list[Event]:
    venue.place(ALICE, "bid", 5_000, 1)
    venue.place(WENDY, "buy no", 5_000, 1)
    return venue.do(cc.CutBatch(0, 0, 1, "0x", (0,)))


def _over_the_outflow_limit(venue: Venue) -> list[Event]:
    venue.state.pool_outflow_limit_micros, venue.state.pool_outflow_window_s = 10 * DOLLAR, 3_600
    venue.do(c.Withdraw("w1", ALICE, 6 * DOLLAR, WALT))
    return venue.do(c.Withdraw("w2", ALICE, 5 * DOLLAR, WALT))


def _under_an_old_contract(venue: Venue) -> list[Event]:
    venue.state.contract_version = 1
    return venue.do(c.SubmitAction("a", _action("1", kind=VaultActionKind.TAKE_BACK)))


def _limited(name: str, command: c.Command) -> Case:
    def case(venue: Venue) -> list[Event]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"offchain_book.engine.{name}", 0)
            return venue.do(command)

    return case


def _strict(withdrawal: c.Withdraw, limit: tuple[str, int] | None = None, then: c.Command | None = None) -> Case:
    """A withdrawal under a policy that caps an account at a dollar and lets every withdrawal wait for Bob."""

    def case(venue: Venue) -> list[Event]:
        venue.do(pc.SetWithdrawalPolicy(0, 1_000, DOLLAR, DOLLAR, 0, 1, (BOB,)))
        venue.do(pc.AllowDestination(withdrawal.account_id, WALT))
        with pytest.MonkeyPatch.context() as patch:
            if limit:
                patch.setattr(f"offchain_book.engine.{limit[0]}", limit[1])
            events = venue.do(withdrawal)
        return venue.do(then) if then else events

    return case


def _frozen(venue: Venue) -> list[Event]:
    venue.do(pc.Freeze("why"))
    return venue.place(ALICE, "bid", 5_000, 1)


def _suspended(venue: Venue) -> list[Event]:
    venue.do(pc.SuspendAccount(ALICE, "why"))
    return venue.place(ALICE, "bid", 5_000, 1)


def _pending(venue: Venue) -> list[Event]:
    venue.place(WENDY, "buy yes", 5_000, 1)
    venue.place(ALICE, "ask", 5_000, 1)
    return venue.do(c.Withdraw("w", ALICE, CONTRACT, WALT, TICKER, Outcome.NO))


def _halted(venue: Venue) -> list[Event]:
    venue.do(cc.ObserveChain(1, 1, True))
    return venue.place(WENDY, "buy yes", 5_000, 1)


def _exiting(venue: Venue) -> list[Event]:
    venue.do(cc.ObserveExit(WENDY, 99))
    return venue.place(WENDY, "buy yes", 5_000, 1)


def _signed_too_short(venue: Venue) -> list[Event]:
    signed = SignedOrder(OrderScheme.NATIVE, "0x", WENDY, WENDY, "1", TokenSide.BUY, 1, 1, "1", "0x", expiration_s=1)
    return venue.place(WENDY, "buy yes", 5_000, 1, signed=signed)


def _fee_cap_too_low(venue: Venue) -> list[Event]:
    signed = SignedOrder(OrderScheme.NATIVE, "0x", WENDY, WENDY, "1", TokenSide.BUY, 1, 1, "1", "0x", fee_rate_bps=1)
    return venue.place(WENDY, "buy yes", 5_000, 1, FEE_TICKER, signed=signed)


def _void(venue: Venue) -> list[Event]:
    venue.do(cc.ObserveWatermark(WENDY, min_nonce=5))
    signed = SignedOrder(OrderScheme.NATIVE, "0x", WENDY, WENDY, "1", TokenSide.BUY, 1, 1, "1", "0x", nonce=4)
    return venue.place(WENDY, "buy yes", 5_000, 1, signed=signed)


def _nonce_taken(venue: Venue) -> list[Event]:
    signed = SignedOrder(OrderScheme.NATIVE, "0x", WENDY, WENDY, "1", TokenSide.BUY, 1, 1, "1", "0x", nonce=4)
    venue.place(WENDY, "buy yes", 5_000, 1, signed=signed)
    return venue.place(WENDY, "buy yes", 4_000, 1, signed=signed)


def _tag_taken(venue: Venue) -> list[Event]:
    digests = ("0x" + "ab" * 32, "0x" + "ab" * 3 + "cd" * 29)
    orders = [SignedOrder(OrderScheme.POLYMARKET_V2, d, WENDY, WENDY, "1", TokenSide.BUY, 1, 1, "1", "0x") for d in digests]
    venue.place(WENDY, "buy yes", 5_000, 1, signed=orders[0])
    return venue.place(WENDY, "buy yes", 4_000, 1, signed=orders[1])


def _linked_twice(venue: Venue) -> list[Event]:
    venue.do(c.LinkAccount(ALICE, WENDY, False))
    return venue.do(c.LinkAccount(ALICE, WALT, False))


def _resolved(venue: Venue) -> list[Event]:
    venue.do(c.ResolveMarket(TICKER, 0))
    return venue.do(c.ResolveMarket(TICKER, 0))


def _limit(command: c.Command) -> Case:
    def case(venue: Venue) -> list[Event]:
        venue.do(command)
        return venue.place(ALICE, "bid", 5_000, 1)

    return case


def _in(ticker: str, command: c.Command, **terms: object) -> Case:
    """A case in a market of its own with these terms."""

    def case(venue: Venue) -> list[Event]:
        venue.do(market(ticker, **terms))
        return venue.do(command)

    return case


def _in_mode(command: m.SetExchangeMode | m.SetTradingHours, then: c.Command | None = None) -> Case:
    def case(venue: Venue) -> list[Event]:
        venue.do(command)
        return venue.do(then) if then is not None else venue.place(ALICE, "bid", 5_000, 1)

    return case


def _too_late_to_dispute(venue: Venue) -> list[Event]:
    venue.do(c.ResolveMarket(TICKER, 0))
    return venue.do(m.DisputeResolution(TICKER))


def _triggered(venue: Venue) -> list[Event]:
    venue.do(c.CreateOrderGroup(ALICE, "g", CONTRACT))
    venue.do(c.TriggerOrderGroup(ALICE, "g"))
    return venue.place(ALICE, "bid", 5_000, 1, group_id="g")


def _action(nonce: str, deadline_s: int = 2**40, kind: VaultActionKind = VaultActionKind.WITHDRAW) -> VaultAction:
    return VaultAction(WENDY, kind, "0", DOLLAR, WENDY, nonce, deadline_s, "0x")


def _two_winners(venue: Venue) -> list[Event]:
    first, second = exclusive(venue, "CUP", 2)
    venue.do(c.ResolveMarket(first, DOLLAR))
    return venue.do(c.ResolveMarket(second, 1))


def _nonce_used(venue: Venue) -> list[Event]:
    venue.do(c.SubmitAction("a1", _action("7")))
    return venue.do(c.SubmitAction("a2", _action("7")))


def _place(account: str, side: str, price: int, contracts: float, **more: object) -> Case:
    return lambda venue: venue.place(account, side, price, contracts, **more)


PLACE_IN_NEW = c.PlaceOrder("x", ALICE, "NEW", c.BookSide.BID, 5_000, CONTRACT)
IOC, FOK = TimeInForce.IOC, TimeInForce.FOK
R = RejectCode
CASES: list[tuple[RejectCode, Case]] = [
    (R.UNKNOWN_ACCOUNT, _do(c.CancelOrders("nobody"))),
    (R.ACCOUNT_EXISTS, _do(c.OpenAccount(ALICE, c.Custody.CUSTODIAL))),
    (R.UNKNOWN_KEY, _do(c.RevokeKey(ALICE, "k"))),
    (R.KEY_EXISTS, _twice(c.RegisterKey(ALICE, "k", c.KeyKind.KALSHI))),
    (R.INVALID_ACCOUNT_ID, _do(c.OpenAccount("x/1", c.Custody.CUSTODIAL))),
    (R.INVALID_SUBACCOUNT, _do(c.OpenSubaccount(ALICE, 64))),
    (R.UNKNOWN_MARKET, _place(ALICE, "bid", 5_000, 1, ticker="NONE")),
    (R.MARKET_EXISTS, _do(market())),
    (R.MARKET_INACTIVE, _twice(c.CloseMarket(TICKER))),
    (R.UNKNOWN_EVENT, _do(market("NEW", "NONE"))),
    (R.UNKNOWN_SERIES, _do(c.CreateEvent("E", "NONE", "E"))),
    (R.INVALID_MARKET, _do(c.CreateSeries("S", "S", taker_rate_e4=-1))),
    (R.WRONG_MARKET_STATE, _do(m.ResumeMarket(TICKER))),
    (R.MARKET_NOT_OPEN_YET, _in("NEW", PLACE_IN_NEW, open_ms=10**14)),
    (R.EARLY_CLOSE_RULED_OUT, _in("NEW", c.CloseMarket("NEW"), can_close_early=False)),
    (R.TICKS_NOT_FINER, _do(m.RefineTicks(TICKER, "deci_cent", ((10, 9_890, 10),)))),
    (R.UNKNOWN_ORDER, _do(c.CancelOrder(ALICE, "x"))),
    (R.ORDER_NOT_OPEN, lambda venue: _with_order(c.CancelOrder(ALICE, "a"))(venue) and venue.do(c.CancelOrder(ALICE, "a"))),
    (R.DUPLICATE_ORDER_ID, _then("bid", 1_000, order_id="a")),
    (R.DUPLICATE_CLIENT_ORDER_ID, _then("bid", 1_000, client_order_id="mine")),
    (R.INVALID_DECREASE, _with_order(c.DecreaseOrder(ALICE, "a"))),
    (R.SIZE_BELOW_FILLED, _with_order(c.AmendOrder(ALICE, "a", size_micros=0))),
    (R.SIGNED_ORDER_FIXED, _with_order(c.AmendOrder(WENDY, "w", 4_100))),
    (R.PRICE_OUT_OF_RANGE, _place(ALICE, "bid", 9_950, 1)),
    (R.PRICE_OFF_TICK, _place(ALICE, "bid", 5_050, 1)),
    (R.SIZE_NOT_POSITIVE, _place(ALICE, "bid", 5_000, 0)),
    (R.SIZE_OFF_LOT, _place(ALICE, "bid", 5_000, 0.001)),
    (R.SIZE_TOO_LARGE, _place(ALICE, "bid", 5_000, 2_000_000)),
    (R.EXPIRY_IN_PAST, _place(ALICE, "bid", 5_000, 1, expires_ms=1)),
    (R.POST_ONLY_CROSS, _then("ask", 5_000, post_only=True)),
    (R.FILL_OR_KILL_UNFILLED, _place(ALICE, "bid", 5_000, 1, time_in_force=FOK)),
    (R.OPTION_CONFLICT, _place(ALICE, "bid", 5_000, 1, reduce_only=True)),
    (R.NOTHING_TO_REDUCE, _place(ALICE, "bid", 5_000, 1, reduce_only=True, time_in_force=IOC)),
    (R.INSUFFICIENT_CASH, _place(ALICE, "bid", 5_000, 9_999)),
    (R.INSUFFICIENT_TOKENS, _place(WENDY, "sell yes", 5_000, 1)),
    (R.TOO_MANY_OPEN_ORDERS,
     _limited("admission.MAX_OPEN_ORDERS", c.PlaceOrder("x", ALICE, TICKER, c.BookSide.BID, 5_000, CONTRACT))),
    (R.CUSTODY_MISMATCH, _place(WENDY, "bid", 5_000, 1)),
    (R.NOTHING_AVAILABLE_YET, _pending),
    (R.AMOUNT_NOT_POSITIVE, _do(c.Withdraw("w", ALICE, 0, WALT))),
    (R.POSITION_LIMIT, _limit(c.SetPositionLimit(ALICE, 0))),
    (R.EXPOSURE_CAP, _limit(c.SetExposureCap(ALICE, 0))),
    (R.CHAIN_HALTED, _halted),
    (R.WALLET_EXITING, _exiting),
    (R.SIGNED_EXPIRY_TOO_SOON, _signed_too_short),
    (R.FEE_RATE_BELOW_MARKET, _fee_cap_too_low),
    (R.SIGNED_ORDER_VOID, _void),
    (R.SIGNED_NONCE_TAKEN, _nonce_taken),
    (R.SIGNED_TAG_TAKEN, _tag_taken),
    (R.DEPOSIT_ALREADY_CREDITED, _do(cc.CreditDeposit(0, ALICE, 1, "0x", 1, "0x"))),
    (R.DEPOSIT_OUT_OF_ORDER, _do(cc.CreditDeposit(99, ALICE, 1, "0x", 1, "0x"))),
    (R.BATCH_OUT_OF_ORDER, _do(cc.CutBatch(0, 7, 1, "0x"))),
    (R.BATCH_CONTENT_CHANGED, _repacked),
    (R.UNKNOWN_BATCH, _do(cc.ConfirmBatch(5, "0x", 1, "0x"))),
    (R.DUPLICATE_REQUEST, _twice(c.Withdraw("w", ALICE, DOLLAR, WALT))),
    (R.OUTFLOW_LIMIT, _over_the_outflow_limit),
    (R.ACTION_NONCE_USED, _nonce_used),
    (R.DEADLINE_PASSED, _do(c.SubmitAction("a", _action("1", 0)))),
    (R.ALREADY_RESOLVED, _resolved),
    (R.INVALID_PAYOUT, _do(c.ResolveMarket(TICKER, -1))),
    (R.NO_LONGER_DISPUTABLE, _too_late_to_dispute),
    (R.ALREADY_LINKED, _linked_twice),
    (R.NOT_LINKED, _do(c.SubmitAction("a", _action("1", kind=VaultActionKind.TAKE_BACK)))),
    (R.CONTRACT_TOO_OLD, _under_an_old_contract),
    (R.UNKNOWN_ORDER_GROUP, _do(c.ResetOrderGroup(ALICE, "g"))),
    (R.ORDER_GROUP_EXISTS, _twice(c.CreateOrderGroup(ALICE, "g", CONTRACT))),
    (R.ORDER_GROUP_TRIGGERED, _triggered),
    (R.INVALID_GROUP_LIMIT, _do(c.CreateOrderGroup(ALICE, "g", 0))),
    (R.TOO_MANY_ORDER_GROUPS, _limited("groups.MAX_GROUPS", c.CreateOrderGroup(ALICE, "g", CONTRACT))),
    (R.UNKNOWN_TIMER, _do(c.DisarmDeadMan(ALICE))),
    (R.TOO_MANY_TIMERS, _limited("timers.MAX_TIMERS", c.ArmDeadMan(ALICE, 10**12))),
    (R.INCONSISTENT_RESULT, _two_winners),
    (R.NO_STRIKE, _do(c.ResolveEvent("RAIN", 0))),
    (R.INVALID_LIMIT, _do(c.CancelOrders(ALICE, limit=-1))),
    (R.FROZEN, _frozen),
    (R.NOT_FROZEN, _do(pc.Unfreeze("why"))),
    (R.ACCOUNT_SUSPENDED, _suspended),
    (R.NOT_SUSPENDED, _do(pc.RestoreAccount(ALICE, "why"))),
    (R.DESTINATION_NOT_ALLOWED, _do(pc.RemoveDestination(ALICE, WALT))),
    (R.WITHDRAWAL_CAP, _strict(c.Withdraw("w", ALICE, 2 * DOLLAR, WALT))),
    (R.TOO_MANY_WAITING, _strict(c.Withdraw("w", ALICE, DOLLAR, WALT), ("policy.MAX_WAITING", 0))),
    (R.UNKNOWN_WITHDRAWAL, _do(pc.ApproveWithdrawal("w", BOB))),
    (R.NOT_AN_APPROVER, _strict(c.Withdraw("w", ALICE, DOLLAR, WALT), then=pc.ApproveWithdrawal("w", WENDY))),
    (R.OWN_WITHDRAWAL, _strict(c.Withdraw("w", BOB, DOLLAR, WALT), then=pc.ApproveWithdrawal("w", BOB))),
    (R.INVALID_POLICY, _do(pc.SetWithdrawalPolicy(0, 0, 0, 0, 0))),
    (R.TOO_MANY_DESTINATIONS, _limited("policy.MAX_DESTINATIONS", pc.AllowDestination(ALICE, WALT))),
    (R.EXCHANGE_PAUSED, _in_mode(m.SetExchangeMode(m.ExchangeMode.PAUSED), c.CancelOrders(ALICE))),
    (R.MAINTENANCE, _in_mode(m.SetTradingHours(m.TradingHours(maintenance=((0, 10**9),))), c.CancelOrders(ALICE))),
    (R.CANCEL_ONLY, _in_mode(m.SetExchangeMode(m.ExchangeMode.CANCEL_ONLY))),
    (R.POST_ONLY_MODE, _in_mode(m.SetExchangeMode(m.ExchangeMode.POST_ONLY))),
    (R.OUTSIDE_TRADING_HOURS, _in_mode(m.SetTradingHours(m.TradingHours((m.Week(0, 10**9, ()),))))),
    (R.INVALID_SCHEDULE, _do(m.SetTradingHours(m.TradingHours(maintenance=((2, 1),))))),
]  # fmt: skip


@pytest.mark.parametrize(("code", "case"), CASES, ids=[code.name for code, _ in CASES])
def test_a_command_with_one_thing_wrong_gets_exactly_this_code(code: RejectCode, case: Case) -> None:
    refused = rejected(case(open_venue())[-1:])
    assert refused.code is code
    assert "{" not in errors.sentence(refused)


def test_every_code_is_reached_by_a_case() -> None:
    assert {code for code, _ in CASES} == set(RejectCode)
