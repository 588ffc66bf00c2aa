"""Found by the walk of item 67: a report that was numbered when its connection broke, and not stored yet, was lost for good."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from offchain_book.gateways.fix import Service
from offchain_book.gateways.fix_store import Progress, Sent
from tests.gateways.fix_raw import fix_world, order
from tests.sdk.kalshi_venue import SmallVenue


async def test_report_whose_connection_breaks_while_it_is_stored_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = SmallVenue(tmp_path / "journal", {})
    async with venue.running(), fix_world(venue, tmp_path) as fix:
        client = await fix.client(Service.ORDERS_KEPT)
        store, gate, storing, ended = fix.gateway._store, threading.Event(), asyncio.Event(), asyncio.Event()
        save = store.save

        async def noted(progress: Progress, messages: Sequence[Sent] = ()) -> None:
            (storing if messages else ended).set()
            await save(progress, messages)

        monkeypatch.setattr(store, "save", noted)
        store._thread.submit(gate.wait)
        client.send("D", order("one"))
        await storing.wait()
        client.drop()
        await ended.wait()
        gate.set()
        back = await fix.connect(Service.ORDERS_KEPT, client.key)
        back.number = client.number
        await back.log_on({141: None, 21011: "Y"})
        back.send("2", {7: "1", 16: "0"})
        assert (await back.until("8")).values[11] == "one"
