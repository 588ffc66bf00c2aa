"""Drop copies and listeners over FIX: the orders of a whole account, whatever door they came through, and nobody else's."""

import uuid
from typing import Any

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine.names import subaccount_id
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide
from offchain_book.gateways import fix_orders
from offchain_book.gateways.fix import Service
from offchain_book.gateways.fix_message import Message
from tests.gateways.fix_raw import FixWorld, RawClient
from tests.sdk.kalshi_venue import ALICE, BOB, CONTRACT, DOLLAR, OTHER, TICKER, WENDY, Key

LISTENER = {20126: "Y", 21011: "Y", 21012: "Y"}


async def place(fix: FixWorld, account_id: str, side: BookSide, price_e4: int, contracts: int, **more: Any) -> str:
    """Place an order as the REST door does, and return its id."""
    order_id = str(uuid.uuid4())
    place = c.PlaceOrder(order_id, account_id, more.pop("ticker", TICKER), side, price_e4, contracts * CONTRACT, **more)
    await fix.venue.do(place)
    return order_id


async def live(fix: FixWorld) -> dict[str, str]:
    """Have alice's orders of other doors live through every step; returns their ids by name."""
    named = await place(fix, ALICE, BookSide.BID, 4_000, 10, client_order_id="named")
    nameless = await place(fix, ALICE, BookSide.BID, 3_900, 10)
    await place(fix, BOB, BookSide.ASK, 4_000, 4)
    await fix.venue.do(c.AmendOrder(ALICE, named, 4_100, None, None, "renamed"))
    await fix.venue.do(c.DecreaseOrder(ALICE, named, 1 * CONTRACT))
    await fix.venue.do(c.CancelOrder(ALICE, named))
    await fix.venue.wallet_order(BookSide.ASK, Outcome.NO, 3_900, 10)
    expiring = await place(fix, ALICE, BookSide.BID, 100, 1, expires_ms=fix.venue.clock() + 600_000)
    fix.venue.clock.offset_ms += 601_000
    await fix.venue.do(m.AdvanceClock())
    return {"named": named, "nameless": nameless, "expiring": expiring}


def steps(reports: list[Message]) -> list[tuple[str, str, str, str]]:
    """Return type, ClOrdID, OrigClOrdID and what is left, of reports."""
    return [(one.values[150], one.values[11], one.values.get(41, ""), one.values[151]) for one in reports]


def lived(ids: dict[str, str]) -> list[tuple[str, str, str, str]]:
    return [
        ("0", "named", "", "10.00"),
        ("0", ids["nameless"], "", "10.00"),
        ("F", "named", "", "6.00"),
        ("5", "renamed", "named", "6.00"),
        ("5", "renamed", "", "5.00"),
        ("4", "renamed", "", "0.00"),
        ("F", ids["nameless"], "", "0.00"),
        ("0", ids["expiring"], "", "1.00"),
        ("C", ids["expiring"], "", "0.00"),
    ]


async def read(client: RawClient, count: int) -> list[Message]:
    found = [await client.until("8") for _ in range(count)]
    await client.quiet()
    return found


async def test_listener_hears_orders_of_every_door_and_no_other_accounts(fix: FixWorld) -> None:
    listener = await fix.client(flags=LISTENER)
    stranger = await fix.client(account_id=BOB)
    ids = await live(fix)
    assert steps(await read(listener, 9)) == lived(ids)
    await stranger.quiet()


async def test_listener_that_was_away_hears_the_rest_when_it_comes_back(fix: FixWorld) -> None:
    listener = await fix.client(Service.ORDERS_KEPT, flags=LISTENER)
    await fix.dropped(listener)
    ids = await live(fix)
    again = await fix.connect(Service.ORDERS_KEPT, listener.key)
    again.number = listener.number
    await again.log_on(LISTENER | {141: None})
    assert steps(await read(again, 9)) == lived(ids)


async def test_drop_copy_covers_every_door_and_leaves_out_other_accounts(fix: FixWorld) -> None:
    listener = await fix.client(flags=LISTENER)
    copies = await fix.client(Service.DROP_COPY, flags={21012: "Y"})
    ids = await live(fix)
    heard = await read(listener, 9)
    copies.send("U1", {21001: heard[0].values[17], 21002: heard[-1].values[17]})
    told = [await copies.next() for _ in range(9)]
    assert steps(told) == lived(ids)
    assert [one.values[17] for one in told] == [one.values[17] for one in heard]
    assert (await copies.next()).values[21003] == "9"
    copies.send("U1", {21001: heard[2].values[17], 21002: heard[3].values[17]})
    assert [(await copies.next()).values[17] for _ in range(2)] == [one.values[17] for one in heard[2:4]]
    assert (await copies.next()).values[21003] == "2"


async def test_key_locked_to_a_subaccount_hears_and_trades_that_part_only(fix: FixWorld) -> None:
    await fix.venue.do(c.OpenSubaccount(ALICE, 1))
    await fix.venue.do(c.TransferCash(ALICE, "t", 0, 1, 100 * DOLLAR))
    part = subaccount_id(ALICE, 1)
    key: Key = await fix.new_key(part)
    client = await (await fix.connect(Service.ORDERS, key)).log_on({21011: "Y"})
    listener = await fix.client(account_id=part, flags=LISTENER)
    copies = await fix.client(Service.DROP_COPY, part)
    await place(fix, ALICE, BookSide.BID, 1_000, 1, client_order_id="whole")
    fields = {11: "mine", 38: "2", 40: "2", 44: "11", 54: "1", 55: TICKER, 59: "1"}
    client.send("D", fields)
    made = await client.until("8")
    assert (made.values[150], made.values[79]) == ("0", "1")
    assert [view.account_id for view in fix.venue.projections.orders_by_account[part]] == [part]
    client.send("D", fields | {11: "foreign", 79: "0"})
    refused = await client.until("8")
    assert (refused.values[150], refused.values[103]) == ("8", "15")
    assert "locked to subaccount 1" in refused.values[58]
    assert [one.values[11] for one in await read(listener, 1)] == ["mine"]
    copies.send("U1", {21001: "1;0"})
    assert (await copies.next()).values[11] == "mine"
    assert (await copies.next()).values[21003] == "1"


async def test_order_of_another_door_is_cancelled_by_its_name_or_its_id(fix: FixWorld) -> None:
    client = await fix.client()
    named = await place(fix, ALICE, BookSide.BID, 4_000, 10, client_order_id="rest")
    nameless = await place(fix, ALICE, BookSide.BID, 4_000, 10)
    foreign = await place(fix, BOB, BookSide.BID, 4_000, 10)
    client.send("F", {11: "x1", 41: "rest", 54: "1", 55: TICKER})
    client.send("F", {11: "x2", 41: nameless, 54: "1", 55: TICKER})
    gone = [await client.until("8") for _ in range(2)]
    assert [(one.values[37], one.values[150], one.values[11]) for one in gone] == [(named, "4", "x1"), (nameless, "4", "x2")]
    client.send("F", {11: "x3", 41: foreign, 54: "1", 55: TICKER})
    assert (await client.until("9")).values[102] == "1"
    assert len(fix.venue.state.accounts[BOB].open_orders) == 1


async def test_long_history_of_other_doors_is_passed_over_in_turns(fix: FixWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fix_orders, "MAX_PASSED_OVER", 3)
    client = await fix.client(Service.ORDERS_KEPT)
    await fix.dropped(client)
    for _ in range(10):
        await place(fix, ALICE, BookSide.BID, 100, 1)
    again = await fix.connect(Service.ORDERS_KEPT, client.key)
    again.number = client.number
    await again.log_on({21011: "Y", 141: None})
    again.send("D", {11: "next", 38: "1", 40: "2", 44: "1", 54: "1", 55: OTHER, 59: "1"})
    assert (await again.until("8")).values[11] == "next"


async def test_wallets_orders_make_no_reports(fix: FixWorld) -> None:
    await fix.venue.wallet_order(BookSide.BID, Outcome.YES, 4_000, 10)
    assert WENDY not in fix.venue.projections.reports_by_owner
