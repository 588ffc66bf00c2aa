"""`causeway watch`: one market's book, the ledger and the chain side by side in the terminal, live over `/venue/ws`."""

import asyncio
import contextlib
import json
import signal
from collections import deque
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from bridge import cli_output as output
from bridge.cli_client import CommandError, Json, VenueClient, reporting
from bridge.cli_options import DEFAULT_DATA_DIR, EXIT_NOT_READY, EXIT_USAGE, DataDirOption, OutputOption
from bridge.cli_tables import text

LINES = 12
STATUS_S = 1.0
"""How often the figures that no stream tells are asked for."""
REFRESHES_PER_S = 8
CHANNELS = ("book", "trades", "settlement")


@dataclass
class View:
    """What is on the screen: fed by messages, read by the drawing."""

    ticker: str
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    fills: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))
    chain: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))
    status: Json = field(default_factory=dict)
    reserves: Json = field(default_factory=dict)

    def take(self, message: Json) -> None:
        """Apply one message of the stream."""
        kind = message["type"]
        if kind == "book":
            self.bids, self.asks = (dict(message[side]) for side in ("bids", "asks"))
        elif kind == "levels":
            for level in message["levels"]:
                side = self.bids if level["side"] == "bid" else self.asks
                side[level["price_e4"]] = level["size_micros"]
                if not level["size_micros"]:
                    del side[level["price_e4"]]
        elif kind == "trade":
            where = "on chain" if message["on_chain"] else "in the ledger"
            size, price = text("_micros", message["size_micros"]), text("_e4", message["price_e4"])
            self.fills.appendleft(f"{message['trade']}  {size} at {price}  {message['taker_side']} took  {where}")
        elif kind == "settlement":
            place = f"block {message['block_number']}  {message['tx_hash'][:14]}" if message["block_number"] else ""
            self.chain.appendleft(
                f"{message['trade']}  operation {message['operation']}  {message['stage']}  {place}".rstrip()
            )
        elif kind == "error":
            raise CommandError(message["message"], EXIT_USAGE, message["code"])


def watch(
    ticker: Annotated[str, typer.Argument(help="The market; by default the first one.")] = "",
    seconds: Annotated[float, typer.Option(min=0, help="Stop after so long; 0: at Ctrl-C.")] = 0,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Watch book, ledger and chain live. With -o json: every message of the stream, one a line.

    Exit codes: 0 stopped; 2 no such market; 3 the venue is not running, or went away.
    """
    with reporting(form):
        venue = VenueClient(data_dir)
        markets = list(venue.status["markets"])
        if not markets:
            raise CommandError("there is no market to watch: `causeway market create`")
        output.stop_working()
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            asyncio.run(_follow(venue, View(ticker or markets[0]), form, seconds or None))


async def _follow(venue: VenueClient, view: View, form: output.Format, seconds: float | None) -> None:
    """Draw until the time is over, or SIGINT or SIGTERM comes, and leave the terminal as it was.

    Raises TimeoutError and CancelledError then, and CommandError when the venue goes away.
    """
    me = asyncio.current_task()
    assert me is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, me.cancel)
    if form is not output.Format.TABLE:
        async with asyncio.timeout(seconds):
            await _listen(venue, view, print_too=True)
        return
    from rich.live import Live

    from bridge.cli_watch_screen import screen

    with Live(screen(view), refresh_per_second=REFRESHES_PER_S, auto_refresh=False) as live:

        async def draw() -> None:
            while True:
                live.update(screen(view), refresh=True)
                await asyncio.sleep(1 / REFRESHES_PER_S)

        async with asyncio.timeout(seconds):
            await asyncio.gather(_listen(venue, view, print_too=False), _ask(venue, view), draw())


async def _listen(venue: VenueClient, view: View, print_too: bool) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    try:
        async with connect(f"{venue.status['ws']}/venue/ws", max_size=None) as stream:
            asked = {"op": "subscribe", "channels": list(CHANNELS), "tickers": [view.ticker]}
            await stream.send(json.dumps(asked))
            async for raw in stream:
                if print_too:
                    print(raw, flush=True)
                view.take(json.loads(raw))
    except (ConnectionClosed, OSError) as error:
        raise CommandError(f"the stream ended: {error}", EXIT_NOT_READY) from None
    raise CommandError("the venue closed the stream", EXIT_NOT_READY)


async def _ask(venue: VenueClient, view: View) -> None:
    def both() -> tuple[Any, Any]:
        return venue.ask("GET", "/venue/status", headers={}), venue.ask("GET", "/venue/reserves", headers={})

    while True:
        view.status, view.reserves = await asyncio.to_thread(both)
        await asyncio.sleep(STATUS_S)
