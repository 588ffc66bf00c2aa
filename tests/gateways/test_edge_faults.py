"""Chaos list F, where requests come in: replays, retries, resends and the kill switch, over FIX and the streams."""

import asyncio
import random

import pytest

from offchain_book.config import StreamLimits
from offchain_book.engine import market_commands as m
from offchain_book.gateways import kalshi_stream
from offchain_book.gateways.fix import Service
from offchain_book.gateways.fix_codec import time_text
from offchain_book.gateways.stream import Hub
from tests.gateways.fix_raw import FixWorld, RawClient, order
from tests.gateways.streams import kalshi_stream as kalshi_client
from tests.gateways.streams import serving
from tests.sdk.kalshi_venue import ALICE, BOB


def orders_of(fix: FixWorld, account_id: str = ALICE) -> list[str]:
    return [view.client_order_id for view in fix.venue.projections.orders_by_account[account_id]]


async def test_f62_overheard_logon_works_once_inside_the_window_and_never_outside(fix: FixWorld) -> None:
    client = await fix.connect(Service.ORDERS, await fix.new_key())
    overheard = client.logon({21011: "Y"})
    client.write(overheard)
    assert (await client.next()).kind == "A"
    meanwhile = await fix.connect(Service.ORDERS, client.key)
    meanwhile.write(overheard)
    assert "already exists" in await meanwhile.ended()
    client.send("5", {})
    await client.ended()
    replayed = await fix.connect(Service.ORDERS, client.key)
    replayed.write(overheard)
    assert "used already" in await replayed.ended()
    fix.ahead_ms += 61_000
    later = await fix.connect(Service.ORDERS, client.key)
    later.write(overheard)
    assert "30 s are allowed" in await later.ended()
    await (await fix.connect(Service.ORDERS, client.key)).log_on()


async def test_f64_a_thousand_retries_of_one_client_order_id_make_one_order(fix: FixWorld) -> None:
    first, second = await fix.client(), await fix.client(Service.ORDERS_KEPT)
    for client in (first, second):
        client.write(b"".join(client.message("D", order("one")) for _ in range(500)))
    answers = []
    for client in (first, second):
        answers += [await client.until("8") for _ in range(500)]
    assert sorted({(one.values[150], one.values.get(103)) for one in answers}, key=str) == [("0", None), ("8", "6")]
    assert [one.values[150] for one in answers].count("0") == 1
    assert orders_of(fix) == ["one"]


class Repeater:
    """A KalshiRT client that repeats itself, loses connections, leaves gaps and resets numbers; it keeps what it sent."""

    def __init__(self, fix: FixWorld, client: RawClient, chance: random.Random) -> None:
        self.fix, self.client, self.chance = fix, client, chance
        self.sent: dict[int, str] = {}
        self.news: dict[int, str] = {}
        """MsgSeqNum of the venue -> the order that it reports as new."""

    async def act(self) -> None:
        """Do one thing."""
        match self.chance.randrange(6):
            case 0:
                await self.come_back()
            case 1:
                for number in self.chance.sample(sorted(self.sent), min(3, len(self.sent))):
                    self.say_again(number)
            case 2:
                self.client.number += self.chance.randint(1, 3)  # lost on the way
            case 3:
                self.client.number += self.chance.randint(0, 2)
                self.client.send("4", {123: "N", 36: str(self.client.number + 1)}, number=1)
                self.client.number += 1
            case _:
                self.say(f"order-{len(self.sent)}")
        await self.settle()

    def say(self, name: str) -> None:
        self.sent[self.client.number] = name
        self.client.send("D", order(name, _44="1", _38="1"))

    def say_again(self, number: int) -> None:
        extra = {43: "Y", 122: time_text(self.client.now_ms())}
        self.client.send("D", order(self.sent[number], _44="1", _38="1"), number=number, extra=extra)

    async def settle(self) -> None:
        """Read until the venue has heard everything, filling the gaps that it asks about as an engine does."""
        mark = self.mark()
        while (message := await self.client.next()).values.get(112) != mark or message.kind != "0":
            if message.kind == "2":
                self.fill(int(message.values[7]))
                mark = self.mark()
            elif message.kind == "8" and message.values[150] == "0":
                assert self.news.setdefault(message.number, message.values[11]) == message.values[11]

    def mark(self) -> str:
        """Ask for a sign of life, and return it."""
        mark = f"mark-{self.client.number}"
        self.client.send("1", {112: mark})
        return mark

    def fill(self, first: int) -> None:
        """Say again what was asked for: orders as duplicates, everything else as a gap."""
        extra = {43: "Y", 122: time_text(self.client.now_ms())}
        for number in range(first, self.client.number):
            if number in self.sent:
                self.say_again(number)
            else:
                self.client.send("4", {123: "Y", 36: str(number + 1)}, number=number, extra=extra)

    async def come_back(self) -> None:
        """Lose the connection, maybe the gateway too, and log on again where it was."""
        await self.fix.dropped(self.client)
        if self.chance.random() < 0.3:
            await self.fix.close()
            await self.fix.open()
        number, key = self.client.number, self.client.key
        self.client = await self.fix.connect(Service.ORDERS_KEPT, key)
        self.client.number = number
        await self.client.log_on({141: None, 21011: "Y"})


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(3, 40))])
async def test_f67_resends_duplicates_and_resets_make_no_order_twice(fix: FixWorld, seed: int) -> None:
    repeater = Repeater(fix, await fix.client(Service.ORDERS_KEPT), random.Random(seed))
    for _ in range(40):
        await repeater.act()
    await fix.venue.do(m.AdvanceClock())  # everything before it is through
    await repeater.settle()
    repeater.client.send("2", {7: "1", 16: "0"})
    await repeater.settle()
    placed = orders_of(fix)
    assert len(placed) > 5
    assert len(placed) == len(set(placed)), "an order came twice"
    assert set(placed) <= set(repeater.sent.values())
    assert [name for _, name in sorted(repeater.news.items())] == placed, "each order is reported as new once, in its order"


async def test_f68_no_fill_after_the_kill_switch_is_acknowledged(fix: FixWorld) -> None:
    venue = fix.venue
    venue.app.include_router(kalshi_stream.router(Hub(venue.sequencer, StreamLimits())))
    clients = [await fix.client(account_id=who) for who in (ALICE, BOB, ALICE, BOB)]
    busy, refused, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
    told: list[tuple[str, int]] = []
    venue.sequencer.subscribe(lambda *_: busy.set() if venue.state.next_match >= 100 else None)

    async def trade(client: RawClient, side: str) -> None:
        number = 0
        while not stop.is_set():
            client.write(b"".join(client.message("D", order(f"{client.key.key_id}-{number + n}", _54=side, _38="1"))
                                  for n in range(20)))  # fmt: skip
            number += 20
            await asyncio.sleep(0)

    async def listen(client: RawClient) -> None:
        while (message := await client.next()).kind != "5":
            if message.kind == "8":
                told.append((message.values[150], int(message.values[17].split(";")[0])))
                if "PAUSED" in message.values.get(58, ""):
                    refused.set()

    async with serving(venue.app) as url, kalshi_client(url, venue.keys[BOB]) as stream, asyncio.TaskGroup() as tasks:
        await stream.subscribe("trade")
        listening = [tasks.create_task(listen(client)) for client in clients]
        trading = [tasks.create_task(trade(client, "12"[place % 2])) for place, client in enumerate(clients)]
        await busy.wait()
        killed = (await venue.do(m.SetExchangeMode(m.ExchangeMode.PAUSED))).entry.seq
        matches = venue.state.next_match
        await refused.wait()
        stop.set()
        await asyncio.gather(*trading)
        for client in clients:
            client.write(client.message("5", {}))
        trades = [await stream.next() for _ in range(matches)]
        await stream.send({"id": 9, "cmd": "list_subscriptions"})
        assert (await stream.next())["id"] == 9, "a trade was told after the last one"
        await asyncio.gather(*listening)
    assert venue.state.next_match == matches == len(trades)
    fills = [seq for kind, seq in told if kind == "F"]
    assert fills
    assert max(fills) < killed
