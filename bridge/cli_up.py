"""What `causeway up` prints: a line per part in order of readiness, the banner, then a line per fill, batch and reject.

A terminal or a pipe that nobody reads must not hold the exchange up, so lines go through a bounded queue to a thread, and
what does not fit is dropped.
"""

import asyncio
import json
import logging
import queue
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import uvloop

from bridge.cli_output import Format
from bridge.options import Options
from bridge.parts import VenueError
from bridge.venue import Venue
from offchain_book.engine.chain_commands import ConfirmBatch
from offchain_book.engine.chain_events import BatchCut, BatchObserved, OperationFailed
from offchain_book.engine.commands import Sequenced
from offchain_book.engine.events import Event, Matched, Rejected
from offchain_book.errors import sentence

MAX_LINES = 2_000
"""Most lines that wait to be printed."""


class _Printer:
    """Prints from a thread of its own."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue(MAX_LINES)
        self._thread = threading.Thread(target=self._run, name="printer", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Print a line soon, or drop it."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            return

    def close(self) -> None:
        """Print what waits, for a bounded time."""
        try:
            self._lines.put(None, timeout=1)
        except queue.Full:
            return
        self._thread.join(timeout=1)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                print(line, flush=True)
            except UnicodeEncodeError:
                print(ascii(line), flush=True)
            except (OSError, ValueError):
                return  # nobody reads any more: the venue goes on without saying so


class TextConsole:
    """For people."""

    def __init__(self, printer: _Printer, quiet: bool) -> None:
        self._printer = printer
        self._quiet = quiet
        self._last = self._started = time.monotonic()

    def step(self, name: str, text: str) -> None:
        """A part is ready."""
        now = time.monotonic()
        self._printer.put(f"  {name:<11}{text:<72}{round((now - self._last) * 1000):>6} ms")
        self._last = now

    def ready(self, status: dict[str, Any]) -> None:
        """Everything is: say how to use it."""
        took_ms = round((time.monotonic() - self._started) * 1000)
        self._printer.put(banner(status, took_ms))

    def note(self, text: str) -> None:
        """Something worth a line."""
        self._printer.put(f"  - {text}")

    def command(self, entry: Sequenced, events: Sequence[Event]) -> None:
        """A command was applied: print its fills, batches and refusals."""
        if self._quiet:
            return
        for line in lines_of(entry, events):
            self._printer.put(line)


class JsonConsole:
    """For scripts: one JSON object a line."""

    def __init__(self, printer: _Printer, quiet: bool) -> None:
        self._printer = printer
        self._quiet = quiet

    def step(self, name: str, text: str) -> None:
        """A part is ready."""
        self._put({"event": "step", "name": name, "text": text})

    def ready(self, status: dict[str, Any]) -> None:
        """Everything is."""
        self._put({"event": "ready", "status": status})

    def note(self, text: str) -> None:
        """Something worth a line."""
        self._put({"event": "note", "text": text})

    def command(self, entry: Sequenced, events: Sequence[Event]) -> None:
        """A command was applied."""
        if not self._quiet:
            for line in lines_of(entry, events):
                self._put({"event": line.split()[0], "seq": entry.seq, "text": line})

    def _put(self, content: dict[str, Any]) -> None:
        self._printer.put(json.dumps(content))


def lines_of(entry: Sequenced, events: Sequence[Event]) -> list[str]:
    """Return what a command's events are worth to somebody who watches."""
    lines = []
    if isinstance(entry.command, ConfirmBatch):
        skipped = f", {len(entry.command.skipped)} skipped" if entry.command.skipped else ""
        lines.append(f"batch   {entry.command.batch_no} final in block {entry.command.block_number}{skipped}")
    for event in events:
        if isinstance(event, Matched):
            settles = "off chain" if event.operation < 0 else f"operation {event.operation}"
            lines.append(
                f"fill    {event.ticker}  {_contracts(event.size_micros)} at {_dollars(event.price_e4)}  "
                f"{event.taker.account_id[:10]} with {event.maker.account_id[:10]}  {settles}"
            )
        elif isinstance(event, BatchCut):
            last = event.first + event.operation_count - 1
            lines.append(f"batch   {event.batch_no} cut: operations {event.first}..{last}")
        elif isinstance(event, BatchObserved):
            lines.append(f"batch   {event.batch_no} {event.stage}  {event.tx_hash[:18]}  block {event.block_number}")
        elif isinstance(event, OperationFailed):
            lines.append(f"failed  operation {event.number}: {event.reason}, {event.resolution}")
        elif isinstance(event, Rejected):
            lines.append(f"reject  {type(entry.command).__name__} {event.code.name}: {sentence(event)}")
    return lines


def _contracts(size_micros: int) -> str:
    return f"{size_micros // 1_000_000}.{size_micros % 1_000_000 // 10_000:02}"


def _dollars(price_e4: int) -> str:
    return f"0.{price_e4:04}"


def banner(status: dict[str, Any], took_ms: int) -> str:
    """Return what a newcomer needs: where, who, and three ways to send a first order."""
    accounts = status["accounts"]
    lines = ["", f"ready after {took_ms} ms", ""]
    for name, key in accounts["custodial"].items():
        lines.append(f"  custodial {name:<7} key id {key['key_id']}  {key['private_key_path']}")
    for name, wallet in accounts["wallets"].items():
        lines.append(f"  wallet    {name:<7} {wallet['address']}  key {wallet['private_key']}")
    if status["markets"]:
        lines.append(f"  markets   {' '.join(status['markets'])}")
    lines += [
        "",
        "  Kalshi's Python SDK (kalshi-python-sync):",
        f"    configuration = Configuration(host='{status['http']}/trade-api/v2')",
        "    configuration.api_key_id, configuration.private_key_pem = KEY_ID, open(PEM).read()",
        "    client = KalshiClient(configuration)",
        "  Polymarket's Python clients (py-clob-client, py-clob-client-v2):",
        f"    client = ClobClient('{status['http']}', key=PRIVATE_KEY, chain_id={status['client_chain_id']})",
        "    client.set_api_creds(client.create_or_derive_api_creds())   # V2: create_or_derive_api_key()",
        f"  FIX (docs/fix.md): {'  '.join(f'{name} {address}' for name, address in status['fix'].items())}",
        f"  A browser wallet: chain {status['chain_id']}, RPC {status['rpc']}",
        "",
        "  These keys are public. Never send real money to them. Scripts: `causeway status -o json`. Ctrl-C stops all.",
        "",
    ]
    return "\n".join(lines)


def run(options: Options, form: Format, quiet: bool) -> str:
    """Run the venue until it ends. Returns why it failed, empty when it was asked to stop."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    printer = _Printer()
    console = JsonConsole(printer, quiet) if form is Format.JSON else TextConsole(printer, quiet)

    async def venue() -> None:
        await Venue(options, console).run()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(venue())
    except VenueError as error:
        return str(error)
    finally:
        printer.close()
    return ""
