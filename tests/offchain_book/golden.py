"""Makes a golden journal: one of every command kind, written by the program of its day. Never remake one: add the next.

python -m tests.offchain_book.golden tests/offchain_book/golden/NAME
"""

import hashlib
import json
import sys
from pathlib import Path

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine import policy_commands as pc
from offchain_book.engine.names import COLLATERAL
from offchain_book.engine.operations import OrderScheme, Outcome, SignedOrder, TokenSide
from offchain_book.engine.snapshot import STATE_FORMAT, state_hash
from offchain_book.engine.state import State
from offchain_book.journal import Journal
from tests.builders import ALICE, BOB, DOLLAR, TICKER, WALT, WENDY, Venue, exclusive, market, ordered
from tests.engine.walk import Walk

FOLDER = Path(__file__).parent / "golden"


def walk(seed: int = 11, steps: int = 220) -> Walk:
    """Return a walk that ends with the commands that walks do not make."""
    made = Walk(seed)
    for _ in range(steps):
        made.step()
    venue, state = made.venue, made.venue.state
    venue.do(cc.ObserveChain(3, 1, False))
    made.land()
    listed = state.markets[TICKER]
    signed = SignedOrder(
        OrderScheme.POLYMARKET_V2, "0x" + "d1" * 32, WENDY, WENDY, listed.yes_token_id, TokenSide.BUY, 500_000, 1_000_000,
        str(2**200), "0x" + "51" * 65, timestamp_ms=venue.now_ms,
    )  # fmt: skip
    venue.do(c.CancelOrders(WENDY), "request-1")
    venue.place(WENDY, "buy yes", 5_000, 1, order_id=signed.digest, signed=signed)
    venue.place(ALICE, "ask", 5_000, 1)
    venue.do(cc.CutBatch(state.next_batch, state.uncut, state.next_operation - state.uncut, "0x"))
    batch = state.next_batch - 1
    for stage in (cc.BatchStage.SENT, cc.BatchStage.RETRYING, cc.BatchStage.MINED):
        venue.do(cc.ObserveBatch(batch, stage, "0xb1", 4))
    venue.place(WALT, "buy no", 5_000, 2)
    venue.place(BOB, "bid", 5_000, 2)
    venue.now_ms += 100_000
    venue.do(cc.ExpireOperations(state.uncut, state.next_operation - state.uncut, 8, venue.now_ms // 1_000 + 100))
    venue.do(c.LinkAccount(ALICE, WALT, True))
    venue.do(c.RegisterKey(ALICE, "key-1", c.KeyKind.KALSHI, "pem", "first", ("read",)))
    venue.do(c.RegisterKey(WENDY, "key-2", c.KeyKind.POLYMARKET, nonce=2))
    venue.do(c.RevokeKey(ALICE, "key-1"))
    venue.do(cc.ObserveWatermark(WENDY, 1, 1_000))
    venue.do(cc.ObserveExit(WALT, 10_000))
    venue.do(cc.RecordExit("0xe1:0", WALT, DOLLAR))
    venue.do(cc.RecordRefusedDelivery("0xe2:0", WALT, DOLLAR, TICKER, Outcome.NO))
    venue.place(BOB, "bid", 4_000, 3, client_order_id="mine", expires_ms=venue.now_ms + 60_000)
    venue.do(c.CloseMarket("FEE-1"))
    _desk(venue)
    _advances(venue)
    _cents(venue)
    venue.do(m.SetExchangeMode(m.ExchangeMode.POST_ONLY, venue.now_ms + 10**9))
    week = m.Week(0, 10**15, ((0, 4_500), (4_620, 10_080)))
    venue.do(m.SetTradingHours(m.TradingHours((week,), ((10**12, 10**12 + 1),), ((0, -300), (10**11, -240)))))
    venue.do(market("TIMED-1", open_ms=10**12, latest_expiration_ms=10**15, settlement_timer_s=60, can_close_early=False))
    venue.do(m.SetFees("fees-1", "quadratic", 350, -100, event_ticker="SNOW"))
    venue.do(m.SetFees("fees-2", "quadratic_with_maker_fees", 500, 125, series_ticker="PAID", at_ms=10**12))
    venue.now_ms += 3_600_000  # one generation of ids goes
    venue.do(m.AdvanceClock())
    return made


def _desk(venue: Venue) -> None:
    """Groups, timers, a withdrawal policy, a programme, finer ticks; outcomes that are doubted and void."""
    later = venue.now_ms + 10**9
    venue.do(c.CreateOrderGroup(BOB, "g9", 5 * DOLLAR))
    venue.do(c.SetOrderGroupLimit(BOB, "g9", 6 * DOLLAR))
    venue.place(BOB, "bid", 100, 1, group_id="g9")
    for command in (c.TriggerOrderGroup, c.ResetOrderGroup, c.DeleteOrderGroup):
        venue.do(command(BOB, "g9"))
    venue.do(c.ArmDeadMan(BOB, later, "s1"))
    venue.do(c.DisarmDeadMan(BOB, "s1"))
    venue.do(c.ArmDeadMan(BOB, later, "s2"))
    venue.do(c.EndSession(BOB, "s1"))
    venue.do(pc.SetWithdrawalPolicy(0, 20_000, 40 * DOLLAR, 70 * DOLLAR, 50 * DOLLAR, 1, (ALICE, BOB)))
    venue.do(pc.AllowDestination(BOB, WALT))
    venue.do(pc.RemoveDestination(BOB, WALT))
    venue.do(pc.ApproveWithdrawal("none", ALICE))
    venue.do(pc.RejectWithdrawal("none", ALICE))
    venue.do(c.SetRewardProgram(TICKER, 5 * DOLLAR, DOLLAR, 500, venue.now_ms, later))
    venue.do(c.DropNotifications(WENDY, (1,)))
    venue.do(market("DOUBT-1", settlement_timer_s=60))
    venue.do(m.PauseMarket("DOUBT-1"))
    venue.do(m.ResumeMarket("DOUBT-1"))
    venue.do(m.RefineTicks("DOUBT-1", "deci_cent", ((10, 9_990, 10),)))
    venue.do(c.ResolveMarket("DOUBT-1", DOLLAR))
    venue.do(m.DisputeResolution("DOUBT-1", "a doubt"))
    venue.do(m.AmendResolution("DOUBT-1", 0, "the record"))
    venue.do(market("VOID-1"))
    venue.do(m.VoidMarket("VOID-1", 600_000, "no race"))


def _cents(venue: Venue) -> None:
    """Flat fees and whole cents, filled in parts; a freeze that pauses; ids that are remembered for an hour."""
    venue.do(m.SetRetention(3_600_000, signed=True))
    venue.do(c.CreateSeries("CENTS", "Cents", fee_type="flat", taker_rate_e4=100, maker_rate_e4=50, whole_cents=True))
    venue.do(c.CreateEvent("HAIL", "CENTS", "Hail"))
    venue.do(market("HAIL-1", "HAIL", step=1))
    for name in (BOB, f"{ALICE}/1"):
        venue.deposit(name, 20 * DOLLAR)
    venue.place(BOB, "bid", 3_333, 2.5, "HAIL-1")
    for size in (0.01, 0.37, 1):
        venue.place(f"{ALICE}/1", "ask", 3_333, size, "HAIL-1")
    venue.do(m.SetFees("hail-1", "quadratic", 700, 175, event_ticker="HAIL", whole_cents=True))
    venue.place(f"{ALICE}/1", "ask", 3_333, 0.5, "HAIL-1")
    venue.place(BOB, "bid", 1_234, 0.07, "HAIL-1", cancel_on_pause=True)
    venue.do(pc.Freeze("a difference", pauses=True))
    venue.do(pc.Unfreeze("found"))
    venue.do(pc.SuspendAccount(ALICE, "a question"))
    venue.place(ALICE, "bid", 1_000, 1)
    venue.do(pc.RestoreAccount(ALICE, "answered"))
    venue.do(pc.SuspendAccount(BOB, "another"))


def _advances(venue: Venue) -> None:
    """Collateral return, in what a void by fractions and an event's value leave open and paid."""
    part = f"{ALICE}/1"
    cup, gdp = exclusive(venue, "CUP", 3), ordered(venue, "GDP", (2, 1))
    for name in (COLLATERAL, part, BOB):
        venue.deposit(name, 50 * DOLLAR)
    venue.do(c.SetNetting(part, True))
    venue.do(c.SetCollateralReturn(part, True))
    for name in (part, BOB):
        venue.do(c.SetExposureCap(name, None))
        for ticker in ("", TICKER):
            venue.do(c.SetPositionLimit(name, None, ticker))
    for ticker, price in ((cup[0], 4_000), (cup[1], 3_000), (cup[2], 2_000), (gdp[0], 5_000)):
        venue.place(BOB, "bid", price, 3, ticker)
        venue.place(part, "ask", price, 3, ticker)
    venue.place(part, "bid", 3_500, 1, cup[0])
    venue.do(c.ResolveMarket(cup[2], 333_333))
    venue.do(cc.ConfirmResolution(cup[2], 333_333, "0xf1", 9))
    venue.do(c.ResolveEvent("GDP", 1_500_000, "statistics"))


def money_hash(state: State) -> str:
    """Return a hash of balances and open orders: what no change of the state's shape may ever alter."""
    balances = {
        account_id: {
            asset: [balance.total, balance.held, balance.pending_in, balance.pending_out]
            for asset, balance in account.balances.items()
            if balance.total or balance.held or balance.pending_in or balance.pending_out
        }
        for account_id, account in state.accounts.items()
    }
    orders = {order_id: [order.price_e4, order.remaining_micros] for order_id, order in state.orders.items()}
    return hashlib.sha256(json.dumps([balances, orders], sort_keys=True).encode()).hexdigest()


def main(target: Path) -> None:
    """Write `target`.journal and `target`.json."""
    made = walk()
    journal = Journal(target.with_suffix(".journal"), {"settle_deadline_s": 60, "contract_version": 2, "seed": 0})
    journal.append(made.venue.log)
    journal.close()
    state = made.venue.state
    facts = {
        "seq": state.seq,
        "state_hash": state_hash(state),
        "state_format": STATE_FORMAT,
        "money_hash": money_hash(state),
    }
    target.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
