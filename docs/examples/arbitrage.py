"""An arbitrage bot across both dialects: one question, listed twice, at two prices.

    python docs/examples/arbitrage.py --host http://127.0.0.1:8000 --key-id … --pem var/keys/alice.pem --key 0x… \
        --ticker KXONE-A --condition-id 0x… --seconds 60

It needs both official clients in one environment: `kalshi-python-sync` 3.34.0 and `py-clob-client-v2` 1.2.1. On one market it
trades as a custodial account, on the other as a wallet. When YES on one and NO on the other cost less than a dollar together,
it buys as many of both as there are; one of them pays a dollar whatever happens. Both orders are fill-or-kill: if the second
leg fails, the first one is sold again at once, and the bot stops if nobody takes it.
"""

import argparse
import json
import logging
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from kalshi_python_sync import Configuration, KalshiClient
from kalshi_python_sync.exceptions import ApiException
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import OrderArgs, OrderType
from py_clob_client_v2.exceptions import PolyApiException

CHAIN_ID = 80002
DOLLAR = Decimal(1)
NOTHING = Decimal(0)
SIDES = ("yes", "no")


class Offer(NamedTuple):
    """The best price at which an outcome can be bought, in dollars, and how many contracts."""

    price: Decimal
    size: Decimal


class Custodial:
    """One market in Kalshi's words."""

    def __init__(self, host: str, key_id: str, pem: Path, ticker: str) -> None:
        configuration = Configuration(host=f"{host}/trade-api/v2")
        configuration.api_key_id, configuration.private_key_pem = key_id, pem.read_text()
        self.client, self.ticker = KalshiClient(configuration), ticker

    def offer(self, side: str) -> Offer:
        """What buys YES are the bids for NO, and the other way round; the best one comes last."""
        book = self.client.get_market_orderbook(self.ticker).orderbook_fp
        bids = book.no_dollars if side == "yes" else book.yes_dollars
        return Offer(DOLLAR - Decimal(bids[-1][0]), Decimal(bids[-1][1])) if bids else Offer(DOLLAR, NOTHING)

    def buy(self, side: str, size: Decimal, price: Decimal, terms: str = "fill_or_kill") -> Decimal:
        """Buy an outcome. Returns how many were filled."""
        yes_price = price if side == "yes" else DOLLAR - price
        try:
            order = self.client.create_order_v2(
                ticker=self.ticker,
                side="bid" if side == "yes" else "ask",
                count=f"{size:.2f}",
                price=f"{yes_price:.4f}",
                time_in_force=terms,
                self_trade_prevention_type="taker_at_cross",
            )
        except ApiException as error:
            if error.status is not None and error.status < 500:
                return NOTHING  # somebody was faster
            raise
        return Decimal(order.fill_count)

    def give_back(self, side: str, size: Decimal) -> Decimal:
        """Close what was bought at any price: buying the other side nets it. Returns how many are left."""
        other = SIDES[1 - SIDES.index(side)]
        return size - self.buy(other, size, Decimal("0.99"), "immediate_or_cancel")


class Wallet:
    """The other market in Polymarket's words."""

    def __init__(self, host: str, key: str, condition_id: str) -> None:
        self.client = ClobClient(host, chain_id=CHAIN_ID, key=key)
        self.client.set_api_creds(self.client.create_or_derive_api_key())
        tokens = self.client.get_market(condition_id)["tokens"]
        self.tokens = {side: token["token_id"] for side, token in zip(SIDES, tokens, strict=True)}

    def offer(self, side: str) -> Offer:
        """The best ask is the last one of the book."""
        asks = self.client.get_order_book(self.tokens[side])["asks"]
        return Offer(Decimal(asks[-1]["price"]), Decimal(asks[-1]["size"])) if asks else Offer(DOLLAR, NOTHING)

    def buy(self, side: str, size: Decimal, price: Decimal) -> Decimal:
        """Buy an outcome, all or nothing. Returns how many were filled."""
        order = self.client.create_order(
            OrderArgs(token_id=self.tokens[side], price=float(price), size=float(size), side="BUY")
        )
        try:
            answer: dict[str, Any] = self.client.post_order(order, OrderType.FOK)
        except PolyApiException as error:
            if error.status_code is not None and error.status_code < 500:
                return NOTHING
            raise
        return Decimal(answer["takingAmount"] or 0)


class Arbitrage:
    """Looks for two offers that cost less than a dollar together."""

    def __init__(self, custodial: Custodial, wallet: Wallet, edge: Decimal, most: Decimal) -> None:
        self.custodial, self.wallet, self.edge, self.most = custodial, wallet, edge, most
        self.trades = 0
        self.locked = self.profit = self.unhedged = NOTHING

    def round(self) -> None:
        """Try both ways round."""
        for side, other in (SIDES, SIDES[::-1]):
            first, second = self.custodial.offer(side), self.wallet.offer(other)
            size = min(first.size, second.size, self.most)
            gain = DOLLAR - first.price - second.price
            if size > 0 and gain >= self.edge and self.custodial.buy(side, size, first.price) == size:
                self.hedge(side, other, size, second.price, gain)

    def hedge(self, side: str, other: str, size: Decimal, price: Decimal, gain: Decimal) -> None:
        """Buy the second leg, or give the first one back."""
        if self.wallet.buy(other, size, price) == size:
            self.trades += 1
            self.locked += size
            self.profit += size * gain
        else:
            self.unhedged += self.custodial.give_back(side, size)


def main() -> int:
    """Trade for a while; the exit code is 1 when a position is left open."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("host", "key-id", "key", "ticker", "condition-id"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--pem", required=True, type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between two rounds")
    parser.add_argument(
        "--edge", type=Decimal, default=Decimal("0.02"), help="least gain per contract in dollars, above all fees"
    )
    parser.add_argument("--most", type=Decimal, default=Decimal(25), help="most contracts at once")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    bot = Arbitrage(
        Custodial(given.host, given.key_id, given.pem, given.ticker),
        Wallet(given.host, given.key, given.condition_id),
        given.edge,
        given.most,
    )
    until = time.monotonic() + given.seconds
    while time.monotonic() < until and not bot.unhedged:
        bot.round()
        time.sleep(given.pause)
    amounts = {name: f"{getattr(bot, name):.2f}" for name in ("locked", "profit", "unhedged")}
    json.dump({"trades": bot.trades, **amounts}, sys.stdout)
    return 1 if bot.unhedged else 0


if __name__ == "__main__":
    sys.exit(main())
