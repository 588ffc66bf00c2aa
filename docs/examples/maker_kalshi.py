"""A market maker written with nothing but Kalshi's `kalshi-python-sync` 3.34.0.

    .venv-kalshi/bin/python docs/examples/maker_kalshi.py --host http://127.0.0.1:8000 --key-id … --pem var/keys/alice.pem \
        --ticker KXDEMO-26-RAIN --seconds 60

It believes in a price that wanders, bids a little below and asks a little above it, takes back its quotes every round, and
prints what it did as one JSON object.
"""

import argparse
import json
import random
import signal
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from kalshi_python_sync import Configuration, KalshiClient
from kalshi_python_sync.exceptions import ApiException

TERMS = {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}


class Maker:
    """Quotes both sides of one market."""

    def __init__(self, host: str, key_id: str, pem: Path, ticker: str, seed: int) -> None:
        configuration = Configuration(host=f"{host}/trade-api/v2")
        configuration.api_key_id = key_id
        configuration.private_key_pem = pem.read_text()
        self.client = KalshiClient(configuration)
        self.ticker = ticker
        self.random = random.Random(seed)
        self.cents = 50
        self.placed = self.refused = 0
        self.open: list[str] = []

    def round(self) -> None:
        """Move the belief, take the old quotes back, post new ones."""
        self.cents = min(80, max(20, self.cents + self.random.randint(-3, 3)))
        self.cancel()
        for side, cents in (("bid", self.cents - 1), ("ask", self.cents + 1)):
            count = f"{self.random.randint(1, 5)}.00"
            price = f"{Decimal(cents) / 100:.4f}"
            order = self.client.create_order_v2(ticker=self.ticker, side=side, count=count, price=price, **TERMS)
            self.open.append(order.order_id)
            self.placed += 1

    def cancel(self) -> None:
        """Take back what still rests; an order that was filled meanwhile is gone already."""
        while self.open:
            try:
                self.client.cancel_order_v2(self.open.pop())
            except ApiException as error:
                if error.status != 404:
                    raise

    def report(self) -> dict[str, Any]:
        """Return what came of it."""
        fills = self.client.get_fills(ticker=self.ticker, limit=1000).fills
        positions = self.client.get_positions(ticker=self.ticker).market_positions or []
        position = sum(Decimal(row.position_fp) for row in positions)
        return {
            "placed": self.placed,
            "refused": self.refused,
            "trades": len(fills),
            "position_micros": int(position * 1_000_000),
        }


def main() -> None:
    """Quote for a while, then leave the market clean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("host", "key-id", "ticker"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--pem", required=True, type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between two rounds")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    maker = Maker(options.host, options.key_id, options.pem, options.ticker, options.seed)
    until = time.monotonic() + options.seconds
    asked: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))  # Ctrl-C must not cut off an order under way
    try:
        while not asked and time.monotonic() < until:
            try:
                maker.round()
            except ApiException as error:
                if error.status is not None and error.status < 500:
                    raise
                maker.refused += 1  # the venue is busy or its chain stands still: quote again in the next round
            time.sleep(options.pause)
    finally:
        maker.cancel()
    json.dump(maker.report(), sys.stdout)


if __name__ == "__main__":
    main()
