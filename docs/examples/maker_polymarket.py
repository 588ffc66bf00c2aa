"""A market maker written with nothing but Polymarket's `py-clob-client-v2` 1.2.1.

    .venv-polymarket/bin/python docs/examples/maker_polymarket.py --host http://127.0.0.1:8000 --key 0x… \
        --condition-id 0x… --seconds 60

It believes in a price that wanders, buys YES a little below it and NO a little below its complement (so it needs no tokens
to begin with), takes back its quotes every round, and prints what it did as one JSON object.
"""

import argparse
import json
import logging
import random
import signal
import sys
import time
from typing import Any

from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import (
    AssetType,
    BalanceAllowanceParams,
    OrderArgs,
    OrderMarketCancelParams,
    OrderType,
    PostOrdersV2Args,
    TradeParams,
)
from py_clob_client_v2.exceptions import PolyApiException

CHAIN_ID = 80002
CENT = 0.01


class Maker:
    """Quotes both sides of one market."""

    def __init__(self, host: str, key: str, condition_id: str, seed: int) -> None:
        self.client = ClobClient(host, chain_id=CHAIN_ID, key=key)
        self.client.set_api_creds(self.client.create_or_derive_api_key())
        self.market = OrderMarketCancelParams(market=condition_id)
        self.condition_id = condition_id
        self.yes, self.no = (token["token_id"] for token in self.client.get_market(condition_id)["tokens"])
        self.random = random.Random(seed)
        self.cents = 50
        self.placed = self.refused = 0

    def quote(self, token_id: str, cents: int) -> PostOrdersV2Args:
        """Return a signed bid for a token."""
        size = float(self.random.randint(1, 5))
        order = self.client.create_order(OrderArgs(token_id=token_id, price=round(cents * CENT, 2), size=size, side="BUY"))
        return PostOrdersV2Args(order=order, orderType=OrderType.GTC)

    def round(self) -> None:
        """Move the belief, take the old quotes back, post new ones in one request."""
        self.cents = min(80, max(20, self.cents + self.random.randint(-3, 3)))
        self.client.cancel_market_orders(self.market)
        quotes = [self.quote(self.yes, self.cents - 1), self.quote(self.no, 100 - self.cents - 1)]
        answers: list[dict[str, Any]] = self.client.post_orders(quotes)
        self.placed += sum(bool(answer["success"]) for answer in answers)
        self.refused += sum(not answer["success"] for answer in answers)

    def tokens(self, token_id: str) -> int:
        """Return what the wallet holds of a token, in millionths."""
        params = BalanceAllowanceParams(asset_type=AssetType.CONDITIONAL, token_id=token_id)
        answer = self.client.get_balance_allowance(params)
        return int(answer["balance"]) + int(answer["held"])

    def report(self) -> dict[str, Any]:
        """Return what came of it; every trade has to be settled or on its way."""
        trades = self.client.get_trades(TradeParams(market=self.condition_id))
        return {
            "placed": self.placed,
            "refused": self.refused,
            "trades": len(trades),
            "states": sorted({trade["status"] for trade in trades}),
            "yes_micros": self.tokens(self.yes),
            "no_micros": self.tokens(self.no),
        }


def main() -> None:
    """Quote for a while, then leave the market clean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("host", "key", "condition-id"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between two rounds")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    maker = Maker(options.host, options.key, options.condition_id, options.seed)
    until = time.monotonic() + options.seconds
    asked: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))  # Ctrl-C must not cut off an order under way
    try:
        while not asked and time.monotonic() < until:
            try:
                maker.round()
            except PolyApiException as error:
                if error.status_code is not None and error.status_code < 500:
                    raise
                maker.refused += 1  # the venue is busy or its chain stands still: quote again in the next round
            time.sleep(options.pause)
    finally:
        maker.client.cancel_market_orders(maker.market)
    json.dump(maker.report(), sys.stdout)


if __name__ == "__main__":
    main()
