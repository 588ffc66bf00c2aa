"""A real QuickFIX initiator, with Kalshi's dictionary, against our FIX gateway: every message means the right thing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide
from offchain_book.gateways.fix import Service
from tests.sdk.fix_client import FixClient, cancel, order
from tests.sdk.fix_venue import FixServer
from tests.sdk.kalshi_venue import ALICE, BOB, FEE_TICKER, LATER_TICKER, OTHER, TICKER, make_keys

NR, RT, DC, MD, PT = Service.ORDERS, Service.ORDERS_KEPT, Service.DROP_COPY, Service.MARKET_DATA, Service.POST_TRADE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FixServer]:
    """One venue for all of it; tests use prices of their own and leave no order behind."""
    with FixServer(tmp_path_factory.mktemp("fix"), make_keys()) as running:
        yield running


@pytest.fixture(scope="module")
def alice(server: FixServer) -> Iterator[FixClient]:
    with server.client(NR, ALICE, {21007: "Y"}) as client:
        yield client.log_on()


@pytest.fixture(scope="module")
def bob(server: FixServer) -> Iterator[FixClient]:
    with server.client(NR, BOB) as client:
        yield client.log_on()


# --- order entry -----------------------------------------------------------------------------------------------------


def test_order_lives_from_new_to_replaced_to_filled_to_cancelled(alice: FixClient, bob: FixClient) -> None:
    alice.send("D", order("life"))
    new = alice.wait("8", _11="life")
    assert (new[150], new[39], new[38], new[151], new[14], new[6], new[44]) == (
        "0",
        "0",
        "10.00",
        "10.00",
        "0.00",
        "0",
        "0.4000",
    )
    assert (new[54], new[55]) == ("1", TICKER)
    alice.send("G", {11: "life-2", 41: "life", 37: new[37], 38: "12", 40: "2", 44: "0.41", 54: "1", 55: TICKER})
    replaced = alice.wait("8", _150="5")
    assert (replaced[11], replaced[41], replaced[37], replaced[38], replaced[44]) == (
        "life-2", "life", new[37], "12.00", "0.4100")  # fmt: skip
    bob.send("D", order("hit", "2", "0.40", "5", _59="3"))
    taken, fill = bob.wait("8", _150="F"), alice.wait("8", _150="F")
    for mine, aggressor, position in ((fill, "N", ("5.00", "0.00")), (taken, "Y", ("0.00", "5.00"))):
        assert (mine[31], mine[32], mine[14], mine[6]) == ("0.4100", "5.00", "5.00", "0.4100")
        assert (mine[1057], mine[704], mine[705]) == (aggressor, *position)
        assert (mine[136], mine[138], mine[139], mine[891], mine[1703], mine[1705]) == ("1", "USD", "4", "0", "1", "BALANCE")
    assert fill[880] == taken[880]
    assert (fill[39], fill[151], fill[11], taken[39], taken[151]) == ("1", "7.00", "life-2", "2", "0.00")
    assert (fill[1704], taken[1704]) == ("-2.0500", "-2.9500")
    alice.send("F", cancel("life-3", "life-2"))
    done = alice.wait("8", _150="4")
    assert (done[39], done[11], done[41], done[14], done[151], done[38]) == ("4", "life-3", "life-2", "5.00", "0.00", "5.00")
    ids = [tuple(map(int, one[17].split(";"))) for one in (new, replaced, fill, done)]
    assert ids == sorted(set(ids))


def test_fees_are_reported_with_each_fill(server: FixServer, alice: FixClient, bob: FixClient) -> None:
    alice.send("D", order("fee-1", price="0.50", _55=FEE_TICKER))
    alice.wait("8", _11="fee-1")
    bob.send("D", order("fee-2", "2", "0.50", _55=FEE_TICKER))
    taker, maker = bob.wait("8", _11="fee-2", _150="F"), alice.wait("8", _11="fee-1", _150="F")
    assert (taker[137], maker[137]) == ("0.1750", "0.0438")
    assert (taker[1704], maker[1704]) == ("-5.1750", "-5.0438")


@pytest.mark.parametrize(
    ("more", "exec_type", "code", "text"),
    [
        ({"_55": "NO-SUCH"}, "8", "1", "MARKET_NOT_FOUND"),
        ({"_55": LATER_TICKER}, "8", "2", "MARKET_INACTIVE"),
        ({"size": "900000", "price": "0.99"}, "8", "3", "INSUFFICIENT_BALANCE: available cash is"),
        ({"price": "0.405"}, "8", "11", "INVALID_ORDER: price 4050 is off the tick; the nearest valid prices are 4000"),
        ({"price": "1.50"}, "8", "11", "INVALID_ORDER"),
        ({"size": "0"}, "8", "13", "INVALID_ORDER: the size must be above zero"),
        ({"_79": "7"}, "8", "15", "CUSTOMER_ACCOUNT_NOT_FOUND"),
        ({"_526": "no-group"}, "8", "11", "ORDER_GROUP_NOT_FOUND"),
        ({"_126": "20990101-00:00:00.000"}, "8", "11", "INVALID_ORDER: ExpireTime<126>"),
        ({"_117": "q"}, "8", "11", "requests for quotes are not built"),
        ({"_21009": "3"}, "8", "11", "maximum cost needs"),
        ({"_59": "4"}, "4", None, "FOK_INSUFFICIENT_VOLUME"),
    ],
)
def test_refusal_carries_kalshis_word_and_our_reason(
    alice: FixClient, more: dict[str, Any], exec_type: str, code: str | None, text: str
) -> None:
    name = f"refused-{text[:20]}-{len(more)}-{next(iter(more))}"
    alice.send("D", order(name, **more))
    found = alice.wait("8", _11=name)
    assert (found[150], found[39], found.get(103)) == (exec_type, exec_type, code)
    assert text in found[58]


def test_name_works_once_and_post_only_does_not_cross(alice: FixClient, bob: FixClient) -> None:
    alice.send("D", order("once", "2", "0.60"))
    alice.wait("8", _11="once", _150="0")
    alice.send("D", order("once", "2", "0.61"))
    again = alice.wait("8", _11="once")
    assert (again[150], again[103], again[58].partition(":")[0]) == ("8", "6", "ORDER_ALREADY_EXISTS")
    bob.send("D", order("passive", "1", "0.60", _18="6"))
    crossed = bob.wait("8", _11="passive")
    assert (crossed[150], crossed[58].partition(":")[0]) == ("4", "POST_ONLY_CROSS")
    alice.send("F", cancel("once-x", "once", "2"))
    alice.wait("8", _11="once-x")


def test_times_in_force(alice: FixClient, bob: FixClient) -> None:
    bob.send("D", order("rest", "2", "0.45", "4"))
    bob.wait("8", _11="rest")
    alice.send("D", order("ioc", price="0.45", size="6", _59="3"))
    fill = alice.wait("8", _11="ioc", _150="F")
    assert (fill[39], fill[151], fill[32]) == ("1", "2.00", "4.00")
    rest = alice.wait("8", _11="ioc", _150="4")
    assert (rest[58], rest[14], rest[151]) == ("IMMEDIATE_OR_CANCELLED", "4.00", "0.00")
    alice.send("D", order("past", _59="6", _126="20200101-00:00:00.000"))
    assert alice.wait("8", _11="past", _150="4")[58] == "IMMEDIATE_OR_CANCELLED"
    alice.send("D", order("day", _59="0"))
    day = alice.wait("8", _11="day", _150="0")
    assert day[126].endswith(("03:59:59.999", "04:59:59.999"))
    alice.send("D", order("dated", _59="6", _126="20990101-00:00:00.000"))
    assert alice.wait("8", _11="dated", _150="0")[126] == "20990101-00:00:00.000"
    for name in ("day", "dated"):
        alice.send("F", cancel(f"{name}-x", name))
        alice.wait("8", _11=f"{name}-x")


def test_self_trade_is_prevented_as_the_order_says(alice: FixClient) -> None:
    alice.send("D", order("own", "2", "0.70", "3"))
    alice.wait("8", _11="own", _150="0")
    alice.send("D", order("own-taker", "1", "0.70", "1"))
    assert alice.wait("8", _11="own-taker", _150="4")[58] == "TAKER_CANCEL_FOR_SELF_TRADE_PREVENTION"
    alice.send("D", order("own-maker", "1", "0.70", "1", _2964="2", _59="3"))
    assert alice.wait("8", _11="own", _150="4")[58] == "MAKER_CANCEL_FOR_SELF_TRADE_PREVENTION"


def test_changes_that_cannot_be_are_refused_with_a_reason(alice: FixClient) -> None:
    alice.send("F", cancel("c-1", "never"))
    unknown = alice.wait("9", _11="c-1")
    assert (unknown[102], unknown[434], unknown[37], unknown[41]) == ("1", "1", "NONE", "never")
    alice.send("D", order("known"))
    alice.wait("8", _11="known", _150="0")
    alice.send("F", cancel("c-2", "known", "2"))
    assert alice.wait("9", _11="c-2")[102] == "1"
    alice.send("G", {11: "g-1", 41: "known", 38: "-1", 40: "2", 54: "1", 55: TICKER})
    wrong = alice.wait("9", _11="g-1")
    assert (wrong[434], wrong[102], wrong[58].partition(":")[0]) == ("2", "2", "INVALID_AMEND_QTY_FOR_ORDER")
    alice.send("F", cancel("c-3", "known"))
    alice.wait("8", _11="c-3", _150="4")
    alice.send("F", cancel("c-4", "known"))
    late = alice.wait("9", _11="c-4")
    assert (late[102], late[39], late[58].partition(":")[0]) == ("0", "4", "TOO_LATE_TO_CANCEL")


def test_cancel_sent_with_its_order_finds_it(alice: FixClient) -> None:
    """Both are on their way before the exchange has seen either."""
    alice.send("D", order("quick"))
    alice.send("G", {11: "quick-2", 41: "quick", 38: "8", 40: "2", 54: "1", 55: TICKER})
    alice.send("F", cancel("quick-3", "quick-2"))
    done = alice.wait("8", _150="4", _11="quick-3")
    assert (done[41], done[151]) == ("quick-2", "0.00")


def test_mass_cancel_takes_this_sessions_orders_and_no_others(server: FixServer, alice: FixClient) -> None:
    with server.client(NR, ALICE) as other:
        other.log_on().send("D", order("stays", price="0.11"))
        other.wait("8", _11="stays")
        for number in range(3):
            alice.send("D", order(f"mass-{number}", price=f"0.1{number}"))
            alice.wait("8", _11=f"mass-{number}")
        alice.arrived()
        alice.send("q", {11: "all", 530: "6"})
        report = alice.wait("r", _11="all")
        assert report[531] == "6"
        for number in range(3):
            assert int(alice.wait("8", _150="4", _11=f"mass-{number}")[34]) > int(report[34])
        alice.send("q", {11: "again", 530: "6"})
        assert alice.wait("j", _379="again")[380] == "8"
        assert len(server.venue.state.accounts[ALICE].open_orders) == 1
        other.send("F", cancel("stays-x", "stays"))
        other.wait("8", _11="stays-x")


def test_order_group_is_made_hit_reset_and_deleted(alice: FixClient, bob: FixClient) -> None:
    alice.send("UOG", {20131: "1", 20132: "3"})
    made = alice.wait("UOH")
    group = made[20130]
    assert made[20132] == "3"
    alice.send("D", order("grouped", price="0.33", _526=group))
    alice.wait("8", _11="grouped", _150="0")
    bob.send("D", order("group-hit", "2", "0.33", "3"))
    assert alice.wait("8", _11="grouped", _150="F")[32] == "3.00"
    assert alice.wait("8", _11="grouped", _150="4")[58] == "ORDER_GROUP_CANCEL"
    alice.send("D", order("closed", price="0.33", _526=group))
    shut = alice.wait("8", _11="closed")
    assert (shut[103], shut[58].partition(":")[0]) == ("3", "EXCEEDED_ORDER_GROUP_RISK_LIMIT")
    for action in ({20131: "2"}, {20131: "5", 20132: "9"}, {20131: "4"}, {20131: "3"}):
        alice.send("UOG", action | {20130: group})
        assert alice.wait("UOH")[20130] == group
    alice.send("UOG", {20131: "2", 20130: group})
    gone = alice.wait("j", _379=group)
    assert (gone[380], gone[372]) == ("1", "UOG")
    alice.send("UOG", {20131: "1"})
    assert alice.wait("j")[380] == "5"


def test_prices_are_cents_unless_dollars_are_asked_for_and_pending_reports_come_first(server: FixServer) -> None:
    with server.client(NR, ALICE, {21005: "N", 21011: "N", 21008: "Y", 21026: "Y"}) as client:
        client.log_on().send("D", order("cents", price="21", size="2.50"))
        pending = client.wait("8")
        assert (pending[150], pending[39], pending[17], pending[44], pending[38]) == ("A", "A", "-1;-1", "21", "2.50")
        assert client.wait("8", _150="0")[44] == "21"
        client.send("F", cancel("cents-x", "cents"))
        assert client.wait("8")[150] == "6"
        done = client.wait("8")
        assert (done[150], done[38], done[151]) == ("4", "2.50", "0.00")


def test_immediate_orders_rest_is_silent_by_default_and_trades_come_without_new(server: FixServer, bob: FixClient) -> None:
    bob.send("D", order("quiet-rest", "2", "0.47", "1"))
    bob.wait("8", _11="quiet-rest")
    with server.client(NR, ALICE) as client:
        client.log_on().send("D", order("quiet", price="0.47", size="3", _59="3"))
        only = client.wait("8")
        assert (only[150], only[39], only[151], only[14]) == ("F", "4", "0.00", "1.00")
        client.send("D", order("quiet-end", price="0.01", size="1", _59="3"))
        assert client.wait("8")[11] == "quiet-end"


def test_subaccount_orders_name_their_part(server: FixServer, alice: FixClient) -> None:
    server.do(server.venue.do(c.OpenSubaccount(ALICE, 2)))
    server.do(server.venue.do(c.TransferCash(ALICE, "to-2", 0, 2, 10_000_000)))
    alice.send("D", order("part", size="1", _79="2"))
    assert alice.wait("8", _11="part", _150="0")[79] == "2"
    alice.send("F", cancel("part-x", "part"))
    assert alice.wait("9", _11="part-x")[102] == "1"
    alice.send("F", cancel("part-y", "part") | {79: "2"})
    assert alice.wait("8", _11="part-y", _150="4")[79] == "2"


def test_cancel_on_disconnect_when_the_connection_breaks(server: FixServer) -> None:
    with server.client(NR, ALICE, {8013: "Y"}) as client:
        client.log_on().send("D", order("fragile", price="0.05"))
        client.wait("8", _11="fragile", _150="0")
        client.kill()
    server.do(closed(server, client.key_id))
    view = server.venue.projections.orders_by_account[ALICE][-1]
    assert (view.client_order_id, view.status, view.cancel_reason) == ("fragile", "canceled", "session_ended")


async def closed(server: FixServer, key_id: str) -> None:
    """Wait until the gateway is through with a key's connection."""
    while key_id in server.gateway._by_key:
        await asyncio.wait([server.gateway._tasks[key_id]])


# --- sessions that keep their messages --------------------------------------------------------------------------------------


KEPT = {"settings": {"ResetOnLogon": "N"}}


def test_client_that_was_away_gets_what_it_missed_and_can_ask_for_more(server: FixServer, bob: FixClient) -> None:
    key = server.key(ALICE)
    with server.client(RT, ALICE, key=key, **KEPT) as client:
        client.log_on().send("D", order("kept", price="0.36"))
        client.wait("8", _11="kept", _150="0")
        client.stop()
        bob.send("D", order("kept-hit", "2", "0.36", "4"))
        bob.wait("8", _150="F", _11="kept-hit")
    with server.client(RT, ALICE, key=key, **KEPT) as client:
        client.log_on()
        fill = client.wait("8", _150="F")
        assert (fill[32], fill.get(43)) == ("4.00", None)
        expected = int(fill[34]) + 1
        while client.numbers()[1] != expected:  # the engine counts a message after it has shown it to us
            pass
        client.numbers(target=2)
        client.send("F", cancel("kept-x", "kept"))
        again = client.wait("8", _150="0")
        assert (again[43], again[11]) == ("Y", "kept")
        assert client.wait("8", _150="F")[43] == "Y"
        assert client.wait("8", _150="4")[11] == "kept-x"


def test_gap_in_what_the_client_sends_is_closed_by_its_engine(server: FixServer) -> None:
    with server.client(RT, ALICE, **KEPT) as client:
        sender, _ = client.log_on().numbers()
        client.numbers(sender=sender + 3)
        client.send("D", order("after-gap", price="0.06"))
        assert client.wait("2")[7] == str(sender)
        client.wait("8", _11="after-gap", _150="0")
        names = [view.client_order_id for view in server.venue.projections.orders_by_account[ALICE]]
        assert names.count("after-gap") == 1
        client.send("q", {11: "no", 530: "6"})
        assert client.wait("j")[380] == "3"
        client.send("F", cancel("after-gap-x", "after-gap"))
        client.wait("8", _11="after-gap-x")
        client.stop()
        client.event("logout")


# --- listeners, drop copy, settlements ------------------------------------------------------------------------------------


def test_listener_hears_every_order_of_its_account_and_no_others(
    server: FixServer, alice: FixClient, bob: FixClient
) -> None:
    with server.client(RT, ALICE, {20126: "Y"}, scopes=("read",)) as listener:
        listener.log_on()
        alice.send("D", order("heard", price="0.07"))
        heard = listener.wait("8", _11="heard")
        assert heard[17] == alice.wait("8", _11="heard")[17]
        alice.send("F", cancel("heard-x", "heard"))
        listener.wait("8", _11="heard-x", _150="4")
        elsewhere = c.PlaceOrder("placed-elsewhere", ALICE, TICKER, BookSide.BID, 700, 10_000_000)
        server.do(server.venue.do(elsewhere))
        assert listener.wait("8", _37="placed-elsewhere")[11] == "placed-elsewhere"
        server.do(server.venue.do(c.CancelOrder(ALICE, "placed-elsewhere")))
        listener.wait("8", _37="placed-elsewhere", _150="4")
        bob.send("D", order("foreign", price="0.02"))
        bob.wait("8", _11="foreign")
        listener.send("D", order("forbidden"))
        assert listener.wait("j")[380] == "6"
        assert all(dict(item["fields"]).get(11) != "foreign" for item in listener.arrived())


def test_drop_copy_answers_by_exec_ids(server: FixServer, alice: FixClient, monkeypatch: pytest.MonkeyPatch) -> None:
    alice.send("D", order("copied", price="0.08"))
    first = alice.wait("8", _11="copied")[17]
    alice.send("F", cancel("copied-x", "copied"))
    last = alice.wait("8", _11="copied-x")[17]
    with server.client(DC, ALICE) as client:
        client.log_on().send("U1", {21001: first, 21002: last})
        copies = [client.wait("8"), client.wait("8")]
        assert [copy[17] for copy in copies] == [first, last]
        done = client.wait("U2")
        assert (done[21003], done[45]) == ("2", "2")
        client.send("U1", {21001: last})
        assert client.wait("8")[17] == last
        assert client.wait("U2")[21003] == "1"
        client.send("U1", {21001: "99999999;0"})
        assert client.wait("U3")[21004] == "4"
        client.send("U1", {21001: "0;0"})
        assert client.wait("U3")[21004] == "3"
        client.send("U1", {21001: "yesterday"})
        assert client.wait("3")[371] == "21001"
        client.send("D", order("not-here"))
        assert client.wait("j")[380] == "3"
        now_ms = server.venue.clock()
        monkeypatch.setattr(server.venue.sequencer, "clock_ms", lambda: now_ms)  # ten in ten seconds, however long it takes
        for _ in range(11):
            client.send("U1", {21001: last})
        assert client.wait("U3")[21004] == "1"


def test_settlements_are_reported_once_each_over_both_doors(server: FixServer, alice: FixClient, bob: FixClient) -> None:
    with server.client(PT, ALICE) as reports, server.client(RT, BOB, {20127: "Y"}) as trader:
        reports.log_on()
        trader.log_on()
        alice.send("D", order("settle-1", price="0.30", _55=OTHER))
        alice.wait("8", _11="settle-1")
        bob.send("D", order("settle-2", "2", "0.30", _55=OTHER))
        alice.wait("8", _11="settle-1", _150="F")
        server.do(server.venue.resolve(OTHER, 1_000_000))
        won, lost = reports.wait("UMS"), trader.wait("UMS")
        for found in (won, lost):
            assert (found[55], found[20107], found[730], found[20108], found[20110]) == (OTHER, "yes", "100.00", "1", "24")
            assert (found[893], found[1705], found[137]) == ("Y", "PAYOUT", "0.0000")
        assert (won[704], won[705], won[1704], won[20109]) == ("10.00", "0.00", "10.0000", ALICE)
        assert (lost[704], lost[705], lost[1704]) == ("0.00", "10.00", "0.0000")
        reports.send("D", order("not-here"))
        assert reports.wait("j")[380] == "3"


# --- market data -----------------------------------------------------------------------------------------------------


def levels(message: Any) -> list[tuple[str, str, str]]:
    return list(zip(message.every(269), message.every(270), message.every(271), strict=True))


def test_market_data_follows_the_book(server: FixServer, alice: FixClient, bob: FixClient) -> None:
    ticker = FEE_TICKER
    alice.send("D", order("md-1", price="0.20", _55=ticker))
    alice.wait("8", _11="md-1")
    with server.client(MD, BOB) as client:
        client.log_on().send("V", {263: "1"}, [[146, 55, [[[55, ticker]]]]])
        book = client.wait("W")
        assert (book[55], levels(book)) == (ticker, [("0", "0.2000", "10.00")])
        bob.send("D", order("md-2", "2", "0.80", "5", _55=ticker))
        change = client.wait("X")
        assert (change.every(279), change.every(55), levels(change)) == (["0"], [ticker], [("1", "0.8000", "5.00")])
        bob.send("D", order("md-3", "2", "0.20", "4", _55=ticker))
        change = client.wait("X")
        assert list(zip(change.every(279), levels(change), strict=True)) == [
            ("1", ("0", "0.2000", "6.00")),
            ("0", ("2", "0.2000", "4.00")),
        ]
        alice.send("F", cancel("md-4", "md-1", ticker=ticker))
        assert client.wait("X").every(279) == ["2"]
        client.send("V", {263: "0"}, [[146, 55, [[[55, ticker]], [[55, "NO-SUCH"]]]]])
        assert levels(client.wait("W", _55=ticker)) == [("1", "0.8000", "5.00")]
        assert client.wait("W", _55="NO-SUCH")[268] == "0"
        client.send("V", {263: "7"}, [[146, 55, [[[55, ticker]]]]])
        assert client.wait("Y")[281] == "4"
        client.send("V", {263: "2"})
        bob.send("F", cancel("md-5", "md-2", "2", ticker))
        bob.wait("8", _11="md-5")
        client.send("V", {263: "0"}, [[146, 55, [[[55, ticker]]]]])
        client.wait("W")
        assert all([str(part) for part in pair] != ["35", "X"] for item in client.arrived() for pair in item["fields"])


def test_states_of_a_market_are_reported_as_they_change(server: FixServer) -> None:
    with server.client(MD, ALICE) as client:
        client.log_on()
        for state_of in (FEE_TICKER, LATER_TICKER):
            client.send("e", {263: "1", 55: state_of})
        client.send("e", {263: "2", 55: LATER_TICKER})
        client.send("V", {263: "0"}, [[146, 55, [[[55, TICKER]]]]])
        client.wait("W")
        server.do(server.venue.do(c.CloseMarket(LATER_TICKER)))
        server.do(server.venue.do(m.PauseMarket(FEE_TICKER)))
        server.do(server.venue.do(m.ResumeMarket(FEE_TICKER)))
        server.do(server.venue.do(c.CloseMarket(FEE_TICKER)))
        server.do(server.venue.resolve(FEE_TICKER, 0))
        assert [client.wait("f")[326] for _ in range(5)] == ["2", "3", "2", "100", "101"]


# --- both custodies --------------------------------------------------------------------------------------------------


def test_pause_cancels_the_orders_that_wished_it_and_refuses_new_ones(server: FixServer) -> None:
    with server.client(NR, ALICE, {21006: "Y"}) as client:
        client.log_on().send("D", order("goes", price="0.03"))
        client.wait("8", _11="goes")
        client.send("D", order("stays", price="0.03", _21006="N"))
        client.wait("8", _11="stays")
        server.do(server.venue.do(m.PauseMarket(TICKER)))
        assert client.wait("8", _150="4")[11] == "goes"
        client.send("D", order("paused", price="0.03"))
        refused = client.wait("8", _11="paused")
        assert (refused[103], refused[58].partition(":")[0]) == ("2", "MARKET_INACTIVE")
        server.do(server.venue.do(m.ResumeMarket(TICKER)))


def test_fix_order_meets_a_wallets_order(server: FixServer, alice: FixClient) -> None:
    alice.send("D", order("for-wendy", price="0.52"))
    alice.wait("8", _11="for-wendy", _150="0")
    server.do(server.venue.wallet_order(BookSide.ASK, Outcome.NO, 5_200, 10))
    fill = alice.wait("8", _11="for-wendy", _150="F")
    assert (fill[39], fill[32], fill[31]) == ("2", "10.00", "0.5200")


# --- who may connect -------------------------------------------------------------------------------------------------------------


def test_wrong_signature_is_refused_and_says_what_to_sign(server: FixServer) -> None:
    with server.client(NR, ALICE, signs_as="somebody-else") as client:
        text = client.refused()
    assert "does not verify" in text
    assert "<SOH>KalshiNR" in text


def test_other_ports_name_is_refused(server: FixServer, tmp_path: Path) -> None:
    key_id, pem = server.key(ALICE)
    with FixClient(server.address(NR), "KalshiRT", key_id, pem, tmp_path) as client:
        assert "must be KalshiNR on this port" in client.refused()
