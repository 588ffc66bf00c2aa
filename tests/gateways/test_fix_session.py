"""The FIX session layer: who gets in, numbers and gaps in both directions, damage, silence, slow readers, the way out."""

import asyncio
from typing import Any

import pytest

from offchain_book.engine import commands as c
from offchain_book.gateways import fix_logon, fix_session
from offchain_book.gateways.credentials import wall_clock_ms
from offchain_book.gateways.fix import Service, listen
from offchain_book.gateways.fix_codec import MAX_BODY_BYTES, time_text
from offchain_book.gateways.fix_store import FixStore
from tests.gateways.fix_raw import TIMEOUT_S, FixWorld, order
from tests.sdk.kalshi_venue import ALICE, BOB, Key


def orders_of(fix: FixWorld, account_id: str = ALICE) -> list[str]:
    return [view.client_order_id for view in fix.venue.projections.orders_by_account[account_id]]


def open_orders(fix: FixWorld, account_id: str = ALICE) -> int:
    return len(fix.venue.state.accounts[account_id].open_orders)


# --- logon -----------------------------------------------------------------------------------------------------------


WRONG_LOGONS: tuple[tuple[dict[int, Any], dict[str, Any], str], ...] = (
    ({}, {"signature": "bm90aGluZw=="}, "does not verify"),
    ({}, {"signature": "*"}, "not base64"),
    ({}, {"sent_ms": wall_clock_ms() - 3_600_000}, "30 s are allowed"),
    ({}, {"sent_ms": wall_clock_ms() + 3_600_000}, "ahead of this server"),
    ({}, {"target": "KalshiRT"}, "must be KalshiNR on this port"),
    ({}, {"sender": "nobody"}, "there is no key 'nobody'"),
    ({141: None}, {}, "ResetSeqNumFlag<141> must be Y"),
    ({}, {"number": 7}, "MsgSeqNum<34> must be 1"),
    ({108: "3"}, {}, "tag 108 must be 4"),
    ({108: None}, {}, "required tag 108"),
    ({98: "1"}, {}, "tag 98"),
    ({1137: "8"}, {}, "tag 1137"),
    ({96: None, 95: None}, {}, "required tag 96"),
    ({20126: "Y"}, {}, "needs SkipPendingExecReports"),
    ({20126: "Y", 21011: "Y", 8013: "Y"}, {}, "CancelOrdersOnDisconnect"),
    ({20127: "Y"}, {}, "KalshiRT only"),
    ({21005: "yes"}, {}, "one of Y, N"),
    ({333333: "x"}, {}, "undefined tag 333333"),
)


async def test_logon_that_is_wrong_is_answered_with_a_logout_that_says_why(fix: FixWorld) -> None:
    key = await fix.new_key()
    for flags, more, text in WRONG_LOGONS:
        client = await fix.connect(Service.ORDERS, key)
        client.write(client.logon(flags, **more))
        assert text in await client.ended()


async def test_session_for_quotes_is_refused_with_the_reason(fix: FixWorld) -> None:
    client = await fix.connect(Service.QUOTES, await fix.new_key())
    client.write(client.logon())
    assert "not built in this venue yet" in await client.ended()


async def test_key_that_may_only_read_places_no_orders_and_may_listen(fix: FixWorld) -> None:
    key = await fix.new_key(scopes=("read",))
    client = await fix.connect(Service.ORDERS, key)
    client.write(client.logon())
    assert "needs an API key with the scope write::trade" in await client.ended()
    listener = await fix.connect(Service.ORDERS, key)
    await listener.log_on({20126: "Y", 21011: "Y"})
    listener.send("D", order("x"))
    assert (await listener.next()).values[380] == "6"


async def test_key_has_one_connection(fix: FixWorld) -> None:
    key = await fix.new_key()
    first = await (await fix.connect(Service.ORDERS, key)).log_on()
    second = await fix.connect(Service.DROP_COPY, key)
    second.write(second.logon())
    assert (await second.ended()).startswith("already exists")
    first.send("5", {})
    assert await first.ended() == ""
    await (await fix.connect(Service.DROP_COPY, key)).log_on()


async def test_revoked_key_ends_its_session(fix: FixWorld) -> None:
    client = await fix.client()
    await fix.venue.do(c.RevokeKey(ALICE, client.key.key_id))
    assert await client.ended() == "the API key was revoked"


async def test_logon_signed_for_one_port_is_worth_nothing_at_another(fix: FixWorld) -> None:
    key = await fix.new_key()
    stolen = (await fix.connect(Service.ORDERS, key)).logon()
    thief = await fix.connect(Service.DROP_COPY, key)
    thief.write(stolen)
    assert "must be KalshiDC" in await thief.ended()


async def test_first_message_must_be_a_logon(fix: FixWorld) -> None:
    client = await fix.connect(Service.ORDERS, await fix.new_key())
    client.send("D", order("x"))
    assert "must be a Logon" in await client.ended()


async def test_what_is_no_fix_is_closed(fix: FixWorld) -> None:
    key = await fix.new_key()
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"8=FIX.4.4\x019=5\x0135=A\x0110=000\x01", b"\x00" * 100):
        client = await fix.connect(Service.ORDERS, key)
        client.write(data)
        async with asyncio.timeout(TIMEOUT_S):
            assert await client.reader.read() == b""


def test_port_that_is_taken_is_named() -> None:
    taken = listen("127.0.0.1", 0)
    port = taken[Service.MARKET_DATA].getsockname()[1]
    try:
        with pytest.raises(Exception, match=rf"FIX port {port} \(KalshiMD\) is taken: .* --fix-port"):
            listen("127.0.0.1", port - 5)
        with pytest.raises(Exception, match="too high"):
            listen("127.0.0.1", 65_533)
    finally:
        for listener in taken.values():
            listener.close()


# --- messages that are wrong --------------------------------------------------------------------------------------------


WRONG_ORDERS = (
    (order("x", _333333="test"), "3", "333333"),
    (order("x", _150="0"), "2", "150"),
    (order("x", _11=""), "4", "11"),
    (order("x", _11=None), "1", "11"),
    (order("x", _54="3"), "5", "54"),
    (order("x", _40="1"), "5", "40"),
    (order("x", _38="ten"), "6", "38"),
    (order("x", _38="1.001"), "5", "38"),
    (order("x", _44="40.5"), "5", "44"),
    (order("x", _59="9"), "5", "59"),
    (order("x", _59="6"), "1", "126"),
    (order("x", _59="6", _126="tomorrow"), "6", "126"),
    (order("x" * 65), "5", "11"),
    (order("x", _79="99"), "5", "79"),
    (order("x", _2964="3"), "5", "2964"),
)


async def test_wrong_field_is_rejected_by_tag_and_moves_nothing(fix: FixWorld) -> None:
    client = await fix.client()
    for fields, reason, tag in WRONG_ORDERS:
        number = client.number
        client.send("D", fields)
        found = await client.next()
        assert found.kind == "3", found.fields
        values = found.values
        assert (values[45], values[371], values[372], values[373]) == (str(number), tag, "D", reason), found.fields
        assert values[58]
    await client.quiet()
    assert orders_of(fix) == []


async def test_tag_that_comes_twice_and_field_without_tag_are_rejected(fix: FixWorld) -> None:
    client = await fix.client()
    for extra, reason in (("11=twice\x01", "13"), ("nonsense\x01", "0"), ("011=zero\x01", "0")):
        data = client.message("1", {112: "x"})
        body = data[data.index(b"35=") : data.rindex(b"10=")].decode() + (extra if reason == "0" else "112=y\x01")
        whole = f"8=FIXT.1.1\x019={len(body)}\x01{body}".encode()
        client.write(whole + b"10=%03d\x01" % (sum(whole) % 256))
        found = await client.next()
        assert (found.kind, found.values[373]) == ("3", reason), found.fields


async def test_unknown_message_type_is_rejected_and_a_foreign_one_refused(fix: FixWorld) -> None:
    client = await fix.client()
    client.send("ZZ", {})
    assert (await client.next()).values[373] == "11"
    client.send("V", {263: "0", 146: "1", 55: "X"})
    assert (await client.next()).values[380] == "3"
    client.send("R", {131: "x"})
    found = await client.next()
    assert (found.kind, found.values[380]) == ("j", "3")
    assert "not built" in found.values[58]


async def test_old_sending_time_is_rejected_and_other_names_end_the_session(fix: FixWorld) -> None:
    client = await fix.client()
    client.send("D", order("x"), sent_ms=wall_clock_ms() - 60_000)
    assert (await client.next()).values[373] == "10"
    client.send("D", order("x"), sender="somebody-else")
    assert (await client.next()).values[373] == "9"
    assert "must be those of the Logon" in await client.ended()
    assert orders_of(fix) == []


async def test_garbled_message_is_passed_over_and_asked_for_again(fix: FixWorld) -> None:
    client = await fix.client(Service.ORDERS_KEPT)
    good = client.message("D", order("first"))
    client.write(good.replace(b"38=10", b"38=99"))
    client.send("D", order("second"))
    asked = await client.until("2")
    assert (asked.values[7], asked.values[16]) == ("2", "0")
    again = {43: "Y", 122: time_text(wall_clock_ms())}
    client.send("D", order("first"), number=2, extra=again)
    client.send("D", order("second"), number=3, extra=again)
    await client.until("8", _11="first", _150="0")
    await client.until("8", _11="second", _150="0")
    await client.quiet()
    assert orders_of(fix) == ["first", "second"]


async def test_message_without_end_costs_the_connection(fix: FixWorld) -> None:
    client = await fix.client()
    client.write(b"8=FIXT.1.1\x019=%d\x0135=D\x01" % (MAX_BODY_BYTES + 1))
    assert "bytes" in await client.ended()


# --- numbers ---------------------------------------------------------------------------------------------------------


async def test_low_number_ends_the_session_unless_it_is_a_repetition(fix: FixWorld) -> None:
    client = await fix.client()
    client.send("D", order("one"))
    await client.until("8", _150="0")
    client.send("D", order("one"), number=2, extra={43: "Y", 122: time_text(wall_clock_ms())})
    await client.quiet()
    client.send("D", order("two"), number=2)
    assert await client.ended() == "MsgSeqNum too low, expecting 4 but received 2"
    assert orders_of(fix) == ["one"]


async def test_gap_ends_a_session_that_keeps_nothing(fix: FixWorld) -> None:
    client = await fix.client()
    client.send("D", order("one"), number=5)
    text = await client.ended()
    assert "MsgSeqNum too high, expecting 2 but received 5" in text
    assert "141" in text
    assert orders_of(fix) == []


async def test_session_that_keeps_nothing_takes_no_resend_request_and_no_sequence_reset(fix: FixWorld) -> None:
    client = await fix.client()
    client.send("2", {7: "1", 16: "0"})
    assert (await client.next()).values[373] == "11"
    client.send("4", {123: "Y", 36: "9"})
    assert (await client.next()).values[373] == "11"
    await client.quiet()


async def test_gap_is_asked_for_once_and_orders_come_in_their_order(fix: FixWorld) -> None:
    client = await fix.client(Service.ORDERS_KEPT)
    for number, name in ((3, "b"), (4, "c"), (5, "d")):
        client.send("D", order(name), number=number)
    asked = await client.next()
    assert (asked.kind, asked.values[7]) == ("2", "2")
    again = {43: "Y", 122: time_text(wall_clock_ms())}
    for number, name in ((2, "a"), (3, "b"), (4, "c"), (5, "d")):
        client.send("D", order(name), number=number, extra=again)
    client.number = 6
    for name in "abcd":
        assert (await client.next()).values[11] == name
    await client.quiet()
    assert orders_of(fix) == ["a", "b", "c", "d"]


async def test_gap_fill_and_reset_move_the_expected_number_forward_only(fix: FixWorld) -> None:
    client = await fix.client(Service.ORDERS_KEPT)
    client.send("4", {123: "Y", 36: "10"})
    client.number = 10
    await client.quiet()
    client.send("4", {123: "Y", 36: "11"}, number=11)
    assert (await client.next()).values[373] == "5"
    client.send("4", {123: "N", 36: "50"}, number=3)
    client.number = 50
    await client.quiet()
    client.send("4", {36: "20"}, number=51)
    assert (await client.next()).values[373] == "5"
    client.number = 51
    await client.quiet()


async def test_client_gets_its_messages_again_marked_as_duplicates(fix: FixWorld) -> None:
    client = await fix.client(Service.ORDERS_KEPT)
    for name in ("one", "two"):
        client.send("D", order(name))
    first = await client.until("8", _11="one")
    await client.until("8", _11="two")
    await client.quiet()
    client.send("2", {7: "1", 16: "0"})
    gap = await client.next()
    assert (gap.kind, gap.number, gap.values[123], gap.values[36], gap.values[43]) == ("4", 1, "Y", "2", "Y")
    again = await client.next()
    assert (again.kind, again.number, again.values[43]) == ("8", 2, "Y")
    assert again.values[122] == first.values[52]
    assert {**again.values, 9: "", 10: "", 52: ""} == {**first.values, 43: "Y", 122: first.values[52], 9: "", 10: "", 52: ""}
    assert (await client.next()).values[11] == "two"
    gap = await client.next()
    assert (gap.kind, gap.number, gap.values[36]) == ("4", 4, "5")
    client.send("2", {7: "3", 16: "3"})
    assert ((await client.next()).number, open_orders(fix)) == (3, 2)
    client.send("2", {7: "9", 16: "4"})
    assert (await client.next()).values[373] == "5"


async def test_what_happens_while_a_client_is_away_reaches_it_when_it_comes_back(fix: FixWorld) -> None:
    client = await fix.client(Service.ORDERS_KEPT)
    client.send("D", order("one"))
    seen = (await client.until("8", _150="0")).number
    await fix.dropped(client)
    other = await fix.client(account_id=BOB)
    other.send("D", order("hit", _54="2", _38="4"))
    await other.until("8", _150="F")
    back = await fix.connect(Service.ORDERS_KEPT, client.key)
    back.number = client.number
    back.write(back.logon({141: None, 21011: "Y"}))
    answer = await back.next()
    assert (answer.kind, answer.number) == ("A", seen + 1)
    fill = await back.next()
    assert (fill.number, fill.values[150], fill.values[32], fill.values[14]) == (seen + 2, "F", "4.00", "4.00")
    await back.quiet()


async def test_logon_with_a_low_number_is_refused_and_with_a_high_one_leads_to_a_resend(fix: FixWorld) -> None:
    client = await fix.client(Service.ORDERS_KEPT)
    await client.quiet()
    await fix.dropped(client)
    low = await fix.connect(Service.ORDERS_KEPT, client.key)
    low.write(low.logon({141: None}))
    assert await low.ended() == "MsgSeqNum too low, expecting 3 but received 1"
    high = await fix.connect(Service.ORDERS_KEPT, client.key)
    high.number = 8
    await high.log_on({141: None})
    asked = await high.next()
    assert (asked.kind, asked.values[7]) == ("2", "3")
    high.send("4", {123: "Y", 36: "9"}, number=3, extra={43: "Y", 122: time_text(wall_clock_ms())})
    await high.quiet()


async def test_refused_logon_changes_no_wish_of_the_session(fix: FixWorld) -> None:
    client = await fix.client(Service.ORDERS_KEPT)
    client.send("D", order("stays"))
    await client.until("8", _150="0")
    await fix.dropped(client)
    low = await fix.connect(Service.ORDERS_KEPT, client.key)
    low.write(low.logon({141: None, 8013: "Y"}))
    assert "too low" in await low.ended()
    await fix.close()
    await fix.open()
    assert open_orders(fix) == 1


async def test_reset_starts_both_directions_at_one_and_drops_what_was_missed(fix: FixWorld) -> None:
    client = await fix.client(Service.ORDERS_KEPT)
    client.send("D", order("one"))
    await client.until("8", _150="0")
    await fix.dropped(client)
    other = await fix.client(account_id=BOB)
    other.send("D", order("hit", _54="2"))
    await other.until("8", _150="F")
    back = await fix.connect(Service.ORDERS_KEPT, client.key)
    back.write(back.logon({21011: "Y"}))
    assert (await back.next()).number == 1
    await back.quiet()


async def test_message_that_the_venue_forgot_it_had_is_not_done_twice(fix: FixWorld) -> None:
    """The venue dies after the journal has the order and before the session's number is stored."""
    client = await fix.client(Service.ORDERS_KEPT)
    client.send("D", order("one"))
    placed = await client.until("8", _150="0")
    client.send("F", {11: "c", 41: "one", 54: "1", 55: order("")[55]})
    await client.until("8", _150="4")
    client.send("D", order("two"))
    second = await client.until("8", _150="0")
    await fix.dropped(client)
    await fix.close()
    store = FixStore(fix.path)
    progress = await store.load(f"fix~KalshiRT~{client.key.key_id}")
    assert progress is not None
    progress.next_in = 2
    await store.save(progress)
    await store.close()
    await fix.open()
    back = await fix.connect(Service.ORDERS_KEPT, client.key)
    back.number = client.number
    await back.log_on({141: None, 21011: "Y"})
    assert (await back.next()).values[7] == "2"
    again = {43: "Y", 122: placed.values[52]}
    back.send("D", order("one"), number=2, extra=again)
    back.send("F", {11: "c", 41: "one", 54: "1", 55: order("")[55]}, number=3, extra=again)
    back.send("D", order("two"), number=4, extra=again)
    back.send("4", {123: "Y", 36: back.number}, number=5, extra=again)
    await back.quiet()
    back.send("F", {11: "d", 41: "two", 54: "1", 55: order("")[55]})
    assert (await back.next()).values[37] == second.values[37]
    assert orders_of(fix) == ["one", "two"]


async def test_possible_repetition_is_answered_with_the_order_as_it_is(fix: FixWorld) -> None:
    client = await fix.client()
    client.send("D", order("one"))
    placed = await client.until("8", _150="0")
    client.send("D", order("one"), extra={97: "Y"})
    found = await client.next()
    assert (found.values[97], found.values[17], found.values[39]) == ("Y", placed.values[17], "0")
    client.send("D", order("two"), extra={97: "Y"})
    assert (await client.next()).values[11] == "two"
    assert orders_of(fix) == ["one", "two"]


# --- silence, slowness, the way out -------------------------------------------------------------------------------------


async def test_heartbeats_are_sent_and_a_silent_client_is_asked_and_cut_off(
    fix: FixWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fix_logon, "MIN_HEARTBEAT_S", 1)
    client = await fix.connect(Service.ORDERS, await fix.new_key())
    await client.log_on({108: "1"})
    kinds = [(await client.next()).kind]
    while kinds[-1] == "0":
        kinds.append((await client.next()).kind)
    assert kinds[0] == "0"
    assert kinds[-1] == "1"
    async with asyncio.timeout(TIMEOUT_S):
        while await client.reader.read(1_000):
            pass


async def test_slow_reader_is_cut_off_and_slows_nobody(fix: FixWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fix_session, "SLOW_S", 0.5)
    monkeypatch.setattr(fix_session, "BUFFER_BYTES", 1_000)
    slow = await fix.client()
    slow.writer.transport.pause_reading()
    fast = await fix.client(account_id=BOB)
    key: Key = slow.key
    async with asyncio.timeout(TIMEOUT_S):
        while fix.gateway._by_key.get(key.key_id) is not None:
            for _ in range(50):
                slow.write(slow.message("1", {112: "x" * 200}))
            await fast.quiet()
    assert len(fix.gateway._by_key) == 1


@pytest.mark.parametrize("politely", [True, False])
async def test_cancel_on_disconnect_takes_the_orders_along(fix: FixWorld, politely: bool) -> None:
    client = await fix.client(flags={8013: "Y"})
    client.send("D", order("one"))
    await client.until("8", _150="0")
    stays = await fix.client()
    stays.send("D", order("two"))
    await stays.until("8", _150="0")
    if politely:
        client.send("5", {})
        await client.ended()
    else:
        client.drop()
    await fix.gone(client)
    assert [order.terms.session_id for order in fix.venue.state.orders.values()] == [f"fix~KalshiNR~{stays.key.key_id}"]


async def test_session_that_died_with_the_venue_loses_its_orders_at_the_next_start(fix: FixWorld) -> None:
    client = await fix.client(flags={8013: "Y"})
    name = f"fix~KalshiNR~{client.key.key_id}"
    store = fix.gateway._store
    progress = await store.load(name)
    assert progress is not None
    assert progress.cancels == ALICE
    client.send("D", order("one"))
    await client.until("8", _150="0")
    fix.venue.sequencer.failure = RuntimeError("the exchange has stopped")
    await fix.close()
    assert open_orders(fix) == 1
    fix.venue.sequencer.failure = None
    await fix.open()
    assert open_orders(fix) == 0


async def test_venue_that_stops_logs_everybody_out(fix: FixWorld) -> None:
    client = await fix.client(flags={8013: "Y"})
    client.send("D", order("one"))
    await client.until("8", _150="0")
    stopping = asyncio.create_task(fix.close())
    assert await client.ended() == "the venue stops"
    await stopping
    assert open_orders(fix) == 0
    await fix.open()
