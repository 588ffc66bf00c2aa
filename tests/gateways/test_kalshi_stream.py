"""Kalshi's WebSocket, over a real server: every channel, every command, whose data it is."""

from cryptography.hazmat.primitives.asymmetric import ed25519
from msgspec.structs import replace

from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide
from offchain_book.engine.strikes import StrikeType
from tests.gateways.kalshi_streams import alice, bob, book, place, shown
from tests.gateways.streams import kalshi_stream
from tests.sdk.kalshi_venue import (
    ALICE,
    BOB,
    CONTRACT,
    DOLLAR,
    FEE_TICKER,
    FREE_EVENT,
    OTHER,
    PAID_EVENT,
    PAID_SERIES,
    TICKER,
    Key,
    SmallVenue,
)

# --- books --------------------------------------------------------------------------------------------------------------


async def test_book_starts_with_a_snapshot_and_follows_with_deltas(venue: SmallVenue, url: str) -> None:
    await place(venue, ALICE, "bid", 4_000, 10)
    async with bob(venue, url) as stream:
        sid = await stream.subscribe("orderbook_delta", TICKER)
        snapshot = await stream.next()
        assert (snapshot["type"], snapshot["sid"], snapshot["seq"]) == ("orderbook_snapshot", sid, 1)
        assert snapshot["msg"]["yes_dollars_fp"] == [["0.4000", "10.00"]]
        assert "no_dollars_fp" not in snapshot["msg"]
        assert snapshot["msg"]["clock"] == venue.state.seq
        await place(venue, ALICE, "ask", 6_000, 2.5)
        delta = await stream.next()
        assert (delta["type"], delta["seq"], delta["msg"]["clock"]) == ("orderbook_delta", 2, venue.state.seq)
        assert (delta["msg"]["side"], delta["msg"]["price_dollars"], delta["msg"]["delta_fp"]) == ("no", "0.4000", "2.50")
        assert shown(stream) == book(venue)


async def test_every_way_to_leave_the_book_is_a_delta(venue: SmallVenue, url: str) -> None:
    async with bob(venue, url) as stream:
        await stream.subscribe("orderbook_delta", TICKER, OTHER)
        await stream.until(lambda m: m["type"] == "orderbook_snapshot" and m["msg"]["market_ticker"] == OTHER)
        first = await place(venue, ALICE, "bid", 4_000, 10)
        second = await place(venue, ALICE, "bid", 4_100, 10)
        await venue.do(c.DecreaseOrder(ALICE, first, reduce_by_micros=3 * CONTRACT))
        await venue.do(c.AmendOrder(ALICE, first, price_e4=4_200, size_micros=8 * CONTRACT))
        await place(venue, BOB, "ask", 4_100, 12)
        await venue.do(c.CancelOrder(ALICE, second))
        await place(venue, ALICE, "ask", 4_100, 1, OTHER, expires_ms=venue.clock() + 600_000)
        venue.clock.offset_ms += 601_000
        last = await place(venue, BOB, "bid", 300, 1)
        await stream.until(lambda m: m["type"] == "orderbook_delta" and m["msg"].get("price_dollars") == "0.0300")
        assert shown(stream) == book(venue)
        assert shown(stream, OTHER) == book(venue, OTHER) == {"yes": {}, "no": {}}
        await venue.do(c.CloseMarket(TICKER))
        await stream.until(lambda m: m["msg"].get("price_dollars") == "0.0300")
        assert last not in venue.state.orders
        assert shown(stream) == {"yes": {}, "no": {}}


async def test_use_yes_price_shows_both_sides_on_one_scale(venue: SmallVenue, url: str) -> None:
    await place(venue, ALICE, "ask", 6_000, 1)
    async with bob(venue, url) as stream:
        await stream.subscribe("orderbook_delta", TICKER, use_yes_price=True)
        assert (await stream.next())["msg"]["no_dollars_fp"] == [["0.6000", "1.00"]]
        await place(venue, ALICE, "ask", 6_100, 1)
        assert (await stream.next())["msg"]["price_dollars"] == "0.6100"


async def test_only_the_one_who_caused_a_delta_sees_the_client_order_id(venue: SmallVenue, url: str) -> None:
    async with alice(venue, url) as own, bob(venue, url) as other:
        for stream in (own, other):
            await stream.subscribe("orderbook_delta", TICKER)
            await stream.next()
        await place(venue, ALICE, "bid", 4_000, 1, client_order_id="mine")
        seen = (await own.next())["msg"]
        assert (seen["client_order_id"], seen["subaccount"]) == ("mine", 0)
        assert {"client_order_id", "subaccount"}.isdisjoint((await other.next())["msg"])


async def test_get_snapshot_echoes_its_id_and_stays_in_step(venue: SmallVenue, url: str) -> None:
    async with bob(venue, url) as stream:
        sid = await stream.subscribe("orderbook_delta", TICKER)
        await stream.next()
        for number in range(5):
            await place(venue, ALICE, "bid", 4_000 + 100 * number, 1)
        number = await stream.command("update_subscription", sid=sid, action="get_snapshot", market_tickers=[TICKER])
        snapshot = await stream.until(lambda m: m["type"] == "orderbook_snapshot")
        assert (snapshot["id"], len(snapshot["msg"]["yes_dollars_fp"])) == (number, 5)
        await place(venue, ALICE, "bid", 3_000, 1)
        await stream.next()
        assert shown(stream) == book(venue)


async def test_markets_are_added_and_deleted(venue: SmallVenue, url: str) -> None:
    async with bob(venue, url) as stream:
        sid = await stream.subscribe("orderbook_delta", TICKER)
        await stream.next()
        added = await stream.ask("update_subscription", sids=[sid], action="add_markets", market_tickers=[OTHER])
        assert (added["type"], added["sid"], added["seq"]) == ("ok", sid, 2)
        assert added["msg"]["market_tickers"] == [TICKER, OTHER]
        assert (await stream.next())["msg"]["market_ticker"] == OTHER
        gone = await stream.ask("update_subscription", sid=sid, action="delete_markets", market_ticker=TICKER)
        assert (gone["seq"], gone["msg"]["market_tickers"]) == (4, [OTHER])
        await place(venue, ALICE, "bid", 4_000, 1, TICKER)
        await place(venue, ALICE, "bid", 4_100, 1, OTHER)
        assert (await stream.next())["msg"]["market_ticker"] == OTHER


async def test_a_repeated_subscribe_adds_to_the_same_sid(venue: SmallVenue, url: str) -> None:
    async with bob(venue, url) as stream:
        sid = await stream.subscribe("orderbook_delta", TICKER)
        await stream.next()
        again = await stream.ask("subscribe", channels=["orderbook_delta"], market_ticker=OTHER)
        assert (again["type"], again["sid"], again["msg"]["market_tickers"]) == ("ok", sid, [TICKER, OTHER])
        assert (await stream.ask("list_subscriptions"))["msg"] == [{"channel": "orderbook_delta", "sid": sid}]


async def test_unsubscribed_is_counted_and_silent_afterwards(venue: SmallVenue, url: str) -> None:
    async with bob(venue, url) as stream:
        sid = await stream.subscribe("orderbook_delta", TICKER)
        await stream.next()
        reply = await stream.ask("unsubscribe", sids=[sid])
        assert (reply["type"], reply["sid"], reply["seq"]) == ("unsubscribed", sid, 2)
        await place(venue, ALICE, "bid", 4_000, 1)
        assert (await stream.ask("list_subscriptions"))["msg"] == []


# --- public channels ----------------------------------------------------------------------------------------------------


async def test_ticker_tells_quotes_trades_and_interest(venue: SmallVenue, url: str) -> None:
    async with bob(venue, url) as stream:
        await stream.subscribe("ticker", TICKER, send_initial_snapshot=True)
        first = (await stream.next())["msg"]
        assert (first["yes_bid_dollars"], first["yes_ask_dollars"], first["volume_fp"]) == ("0.0000", "1.0000", "0.00")
        await place(venue, ALICE, "bid", 4_000, 10)
        assert (await stream.next())["msg"]["yes_bid_size_fp"] == "10.00"
        await place(venue, BOB, "ask", 4_000, 4)
        told = (await stream.next())["msg"]
        assert (told["price_dollars"], told["volume_fp"], told["open_interest_fp"]) == ("0.4000", "4.00", "4.00")
        assert (told["last_trade_size_fp"], told["yes_bid_size_fp"], told["dollar_volume"]) == ("4.00", "6.00", 2)
        by_id = await stream.ask("update_subscription", sid=1, action="add_markets", market_id=told["market_id"])
        assert by_id["msg"]["market_tickers"] == [TICKER]


async def test_trades_of_all_markets_or_of_some(venue: SmallVenue, url: str) -> None:
    async with bob(venue, url) as everything, alice(venue, url) as some:
        await everything.subscribe("trade")
        await some.subscribe("trade", OTHER, skip_ticker_ack=True)
        for ticker in (TICKER, OTHER):
            await place(venue, ALICE, "bid", 4_000, 1, ticker)
            await place(venue, BOB, "ask", 3_900, 1, ticker)
        told = [(await everything.next())["msg"] for _ in range(2)]
        assert [(one["market_ticker"], one["yes_price_dollars"], one["taker_side"]) for one in told] == [
            (TICKER, "0.4000", "no"),
            (OTHER, "0.4000", "no"),
        ]
        only = await some.next()
        assert (only["seq"], only["msg"]["market_ticker"]) == (1, OTHER)
        assert only["msg"]["trade_id"] == told[1]["trade_id"] == "trade:1"
        assert "msg" not in await some.ask("update_subscription", sid=1, action="add_markets", market_ticker=TICKER)


async def test_lifecycle_from_creation_to_settlement(venue: SmallVenue, url: str) -> None:
    async with bob(venue, url) as stream:
        await stream.subscribe("market_lifecycle_v2")
        await stream.subscribe("multivariate_market_lifecycle")
        await venue.do(c.CreateEvent("KXRAIN-27", "KXRAIN", "Next year", "in 2027"))
        event = await stream.next()
        assert (event["type"], event["msg"]["event_ticker"], event["seq"]) == ("event_lifecycle", "KXRAIN-27", 1)
        await venue.do(venue._market("KXRAIN-27-NYC", "KXRAIN-27", 0))
        created = (await stream.next())["msg"]
        assert (created["event_type"], created["additional_metadata"]["event_ticker"]) == ("created", "KXRAIN-27")
        await venue.resolve("KXRAIN-27-NYC", 250_000)
        steps = [(await stream.next())["msg"] for _ in range(3)]
        assert [step["event_type"] for step in steps] == ["close_date_updated", "determined", "settled"]
        assert (steps[1]["result"], steps[1]["settlement_value"]) == ("scalar", "0.2500")


async def test_pauses_finer_ticks_and_amended_outcomes_are_told_and_a_dispute_has_no_word(
    venue: SmallVenue, url: str
) -> None:
    async with bob(venue, url) as stream:
        await stream.subscribe("market_lifecycle_v2")
        venue.state.markets[TICKER].settlement_timer_s = 60
        for command in (
            m.PauseMarket(TICKER),
            m.ResumeMarket(TICKER),
            m.RefineTicks(TICKER, "deci_cent", ((10, 9_990, 10),)),
            c.ResolveMarket(TICKER, 1_000_000),
            m.DisputeResolution(TICKER),
            m.AmendResolution(TICKER, 0),
        ):
            await venue.do(command)
        steps = [(await stream.next())["msg"] for _ in range(6)]
        kinds = [step["event_type"] for step in steps]
        finer = "price_level_structure_updated"
        assert kinds == ["deactivated", "activated", finer, "close_date_updated", "determined", "determined"]
        assert [step["result"] for step in steps[4:]] == ["yes", "no"]
        assert (steps[0]["is_deactivated"], steps[2]["price_level_structure"]) == (True, "deci_cent")


async def test_an_events_own_fees_are_told_when_they_are_set_and_cleared_and_those_of_a_series_are_not(
    venue: SmallVenue, url: str
) -> None:
    async with bob(venue, url) as stream:
        await stream.subscribe("market_lifecycle_v2")
        maker = "quadratic_with_maker_fees"
        await venue.do(m.SetFees("1", maker, 1_400, 175, PAID_SERIES))
        await venue.do(m.SetFees("2", maker, 1_050, 0, "", PAID_EVENT, venue.clock() + 60_000))
        venue.clock.offset_ms += 61_000
        await venue.do(m.AdvanceClock())
        await venue.do(m.SetFees("3", event_ticker=PAID_EVENT))
        told = [await stream.next() for _ in range(2)]
        assert [(one["type"], one["seq"]) for one in told] == [("event_fee_update", 1), ("event_fee_update", 2)]
        fields = [(one["fee_type_override"], one["fee_multiplier_override"]) for one in (event["msg"] for event in told)]
        assert fields == [(maker, 1.5), (None, None)]


async def test_strikes_of_a_new_market_are_told(venue: SmallVenue, url: str) -> None:
    async with bob(venue, url) as stream:
        await stream.subscribe("market_lifecycle_v2")
        strike = {"strike_type": StrikeType.BETWEEN, "floor_strike_e6": 1_500_000, "cap_strike_e6": 2_000_000}
        await venue.do(replace(venue._market("KXRAIN-26-X", FREE_EVENT, 0), **strike))
        told = (await stream.next())["msg"]["additional_metadata"]
        assert (told["strike_type"], told["floor_strike"], told["cap_strike"]) == ("between", 1.5, 2)


async def test_an_order_cancelled_by_a_pause_is_told_with_its_reason(venue: SmallVenue, url: str) -> None:
    async with bob(venue, url) as stream:
        await stream.subscribe("user_orders")
        await venue.do(c.PlaceOrder("gone", BOB, TICKER, BookSide.BID, 4_000, CONTRACT, cancel_on_pause=True))
        await venue.do(c.PlaceOrder("stays", BOB, TICKER, BookSide.BID, 4_000, CONTRACT))
        await venue.do(m.PauseMarket(TICKER))
        told = [(await stream.next())["msg"] for _ in range(3)]
        assert [(one["order_id"], one["status"]) for one in told[:2]] == [("gone", "resting"), ("stays", "resting")]
        assert (told[2]["order_id"], told[2]["status"], told[2]["last_update_reason"]) == ("gone", "canceled", "HaltCancel")


# --- private channels ---------------------------------------------------------------------------------------------------


async def test_fills_orders_positions_and_groups_reach_their_owner_only(venue: SmallVenue, url: str) -> None:
    channels = ["fill", "user_orders", "market_positions", "order_group_updates"]
    async with alice(venue, url) as own, bob(venue, url) as other, kalshi_stream(url, venue.keys["carol"]) as stranger:
        for stream in (own, other, stranger):
            await stream.command("subscribe", channels=channels)
            for _ in channels:
                assert (await stream.next())["type"] == "subscribed"
        await venue.do(c.CreateOrderGroup(ALICE, "group", 100 * CONTRACT))
        group = await own.next()
        assert group["msg"] == {
            "event_type": "created",
            "order_group_id": "group",
            "ts_ms": venue.state.now_ms,
            "contracts_limit_fp": "100.00",
        }
        await place(venue, ALICE, "bid", 4_000, 10, FEE_TICKER, client_order_id="mine", group_id="group")
        order = (await own.next())["msg"]
        assert (order["status"], order["remaining_count_fp"], order["order_group_id"]) == ("resting", "10.00", "group")
        await place(venue, BOB, "ask", 4_000, 4, FEE_TICKER)
        told = {message["type"]: message["msg"] for message in [await own.next() for _ in range(3)]}
        assert (told["user_order"]["fill_count_fp"], told["user_order"]["last_update_reason"]) == ("4.00", "Trade")
        fill = told["fill"]
        assert (fill["is_taker"], fill["client_order_id"], fill["post_position_fp"]) == (False, "mine", "4.00")
        position = told["market_position"]
        assert (position["position_fp"], position["position_cost_dollars"]) == ("4.00", "1.6000")
        assert position["fees_paid_dollars"] == fill["fee_cost"] != "0.0000"
        theirs = {message["type"]: message["msg"] for message in [await other.next() for _ in range(3)]}
        assert (theirs["fill"]["is_taker"], theirs["fill"]["post_position_fp"]) == (True, "-4.00")
        assert theirs["user_order"]["status"] == "executed"
        assert (await stranger.ask("list_subscriptions"))["type"] == "ok"
        assert not stranger.kept


async def test_private_channels_narrow_to_markets(venue: SmallVenue, url: str) -> None:
    async with alice(venue, url) as stream:
        sid = await stream.subscribe("user_orders", OTHER)
        await place(venue, ALICE, "bid", 4_000, 1, TICKER)
        await place(venue, ALICE, "bid", 4_000, 1, OTHER)
        assert (await stream.next())["msg"]["ticker"] == OTHER
        await stream.ask("update_subscription", sid=sid, action="add_markets", market_ticker=TICKER)
        await place(venue, ALICE, "bid", 4_000, 1, TICKER)
        assert (await stream.next())["msg"]["ticker"] == TICKER


async def test_positions_follow_settlement_to_zero(venue: SmallVenue, url: str) -> None:
    await place(venue, ALICE, "bid", 4_000, 10)
    await place(venue, BOB, "ask", 4_000, 10)
    async with alice(venue, url) as stream:
        await stream.subscribe("market_positions")
        await venue.resolve(TICKER, 1_000_000)
        told = (await stream.next())["msg"]
        assert (told["position_fp"], told["realized_pnl_dollars"]) == ("0.00", "6.0000")


async def test_keys_of_a_subaccount_see_that_part_and_the_whole_key_sees_all(venue: SmallVenue, url: str) -> None:
    await venue.do(c.OpenSubaccount(ALICE))
    await venue.do(c.TransferCash(ALICE, "t", 0, 1, 50 * DOLLAR))
    key = Key("locked", ed25519.Ed25519PrivateKey.generate())
    await venue.do(c.RegisterKey("alice/1", key.key_id, c.KeyKind.KALSHI, key.public_pem, "", ("read", "write")))
    async with alice(venue, url) as whole, kalshi_stream(url, key) as locked:
        for stream in (whole, locked):
            await stream.subscribe("user_orders")
        await place(venue, ALICE, "bid", 4_000, 1)
        await place(venue, "alice/1", "bid", 4_100, 1)
        assert [(await whole.next())["msg"]["subaccount_number"] for _ in range(2)] == [0, 1]
        assert (await locked.next())["msg"]["subaccount_number"] == 1


async def test_a_key_that_may_only_trade_gets_public_data_only(venue: SmallVenue, url: str) -> None:
    key = Key("trades", ed25519.Ed25519PrivateKey.generate())
    await venue.do(c.RegisterKey(ALICE, key.key_id, c.KeyKind.KALSHI, key.public_pem, "", ("write::trade",)))
    async with kalshi_stream(url, key) as stream:
        code, text = await stream.error("subscribe", channels=["fill"])
        assert (code, "read" in text) == (9, True)
        await stream.subscribe("orderbook_delta", TICKER)
        await stream.next()
        await place(venue, ALICE, "bid", 4_000, 1, client_order_id="secret")
        assert "client_order_id" not in (await stream.next())["msg"]


async def test_wallet_fills_show_in_the_public_channels(venue: SmallVenue, url: str) -> None:
    async with alice(venue, url) as stream:
        await stream.command("subscribe", channels=["trade", "orderbook_delta"], market_ticker=TICKER)
        await stream.until(lambda m: m["type"] == "orderbook_snapshot")
        await place(venue, ALICE, "bid", 4_000, 5)
        await venue.wallet_order(BookSide.ASK, Outcome.NO, 4_000, 5)
        await stream.until(lambda m: m["type"] == "trade")
        assert shown(stream) == book(venue) == {"yes": {}, "no": {}}
