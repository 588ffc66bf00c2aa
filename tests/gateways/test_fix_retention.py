"""What a FIX session keeps for its client, and when it forgets it: by the hour while connected, and at each Logon."""

from typing import Any

from offchain_book.gateways.fix import Service
from offchain_book.gateways.fix_logon import HOUR_MS
from tests.gateways.fix_raw import FixWorld, RawClient, order


async def placed(client: RawClient, name: str) -> int:
    """Place an order; returns the number of its report."""
    client.send("D", order(name))
    return (await client.until("8", _11=name)).number


async def resent(client: RawClient, first: int) -> list[Any]:
    """Ask for everything from a number on; returns the reports' names, or the reason why not."""
    client.send("2", {7: str(first), 16: "0"})
    client.send("1", {112: "end"})
    found: list[Any] = []
    while (message := await client.next()).values.get(112) != "end":
        if message.kind == "8":
            found.append(message.values[11])
        elif message.kind == "3":
            found.append(message.values[58].partition(" [")[0])
    return found


async def stored(fix: FixWorld, client: RawClient) -> list[int]:
    return [one.number for one in await fix.gateway._store.messages(f"fix~KalshiRT~{client.key.key_id}", 1, 10**6)]


async def test_messages_are_forgotten_after_the_sessions_retention_while_it_lasts(fix: FixWorld) -> None:
    client = await fix.client(Service.ORDERS_KEPT, flags={20200: "1"})
    old = await placed(client, "old")
    fix.ahead_ms += HOUR_MS - 60_000
    young = await placed(client, "young")
    assert await stored(fix, client) == [old, young]
    fix.ahead_ms += 2 * 60_000
    new = await placed(client, "new")
    await client.quiet()
    assert await stored(fix, client) == [young, new]
    assert await resent(client, 1) == [f"messages before {old + 1} are not kept any more"]
    assert await resent(client, old + 1) == ["young", "new"]


async def test_tidying_is_by_the_hour_and_no_sooner(fix: FixWorld) -> None:
    client = await fix.client(Service.ORDERS_KEPT, flags={20200: "1"})
    first = await placed(client, "first")
    fix.ahead_ms += HOUR_MS + 1_000
    second = await placed(client, "second")  # the tidying after it forgets the first
    fix.ahead_ms += HOUR_MS - 60_000
    third = await placed(client, "third")
    await client.quiet()
    assert await stored(fix, client) == [second, third]
    assert first not in await stored(fix, client)


async def test_logon_forgets_what_is_too_old_and_keeps_a_day_by_default(fix: FixWorld) -> None:
    client = await fix.client(Service.ORDERS_KEPT)
    first = await placed(client, "first")
    for hours, kept in ((23, ["first"]), (2, [f"messages before {first + 1} are not kept any more"])):
        await fix.dropped(client)
        fix.ahead_ms += hours * HOUR_MS
        back = await fix.connect(Service.ORDERS_KEPT, client.key)
        back.number = client.number
        await back.log_on({141: None, 21011: "Y"})
        assert await resent(back, 1) == kept
        client = back
    assert await placed(client, "second") > first


async def test_longest_retention_is_three_days(fix: FixWorld) -> None:
    client = await fix.connect(Service.ORDERS_KEPT, await fix.new_key())
    client.write(client.logon({20200: "73"}))
    assert "tag 20200 must be 1 to 72" in await client.ended()
