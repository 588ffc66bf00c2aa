"""A trading session with Polymarket's unmodified `py-clob-client-v2`, over every call that the venue serves.

Runs in `.venv-polymarket` and imports nothing of ours, so that it also tells a reader how to use the client:

    .venv-polymarket/bin/python tests/sdk/polymarket_session.py --host http://127.0.0.1:8000 --key 0x…

The market needs somebody else's bid and ask with a gap of at least 3 ticks, 20 contracts each. The wallet needs $20.
Prints one JSON object: call -> answer, or {"status", "error"} where the venue refused.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import (
    AssetType,
    BalanceAllowanceParams,
    BookParams,
    MarketOrderArgs,
    OpenOrderParams,
    OrderArgs,
    OrderMarketCancelParams,
    OrderPayload,
    OrderScoringParams,
    OrdersScoringParams,
    OrderType,
    PartialCreateOrderOptions,
    PostOrdersV2Args,
    TradeParams,
)
from py_clob_client_v2.exceptions import PolyApiException

CHAIN_ID = 80002
DEADLINE_S = 120


class Session:
    """One wallet's client, and what its calls came to."""

    def __init__(self, host: str, key: str, condition_id: str) -> None:
        self.client = ClobClient(host, CHAIN_ID, key=key)
        self.results: dict[str, Any] = {}
        self.condition_id = condition_id
        self.yes = self.no = ""

    def run(self, name: str, call: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """Make a call and keep its answer, or what the client raised."""
        try:
            answer = call(*args, **more)
        except PolyApiException as error:
            answer = {"status": error.status_code, "error": error.error_msg}
        self.results[name] = answer
        return answer

    def market_data(self) -> None:
        """Everything that needs no key."""
        client, run = self.client, self.run
        run("ok", client.get_ok)
        run("time", client.get_server_time)
        run("version", client.get_version)
        markets = run("markets", client.get_markets)
        for name in ("simplified_markets", "sampling_markets", "sampling_simplified_markets"):
            run(name, getattr(client, f"get_{name}"))
        chosen = [row for row in markets["data"] if row["condition_id"] == self.condition_id] or markets["data"]
        self.condition_id = chosen[0]["condition_id"]
        self.yes, self.no = (token["token_id"] for token in chosen[0]["tokens"])
        run("market", client.get_market, self.condition_id)
        run("clob_market", client.get_clob_market_info, self.condition_id)
        book = run("book", client.get_order_book, self.yes)
        run("book_hash", client.get_order_book_hash, dict(book))
        run("book_no", client.get_order_book, self.no)
        both = [BookParams(token_id=self.yes, side="BUY"), BookParams(token_id=self.no, side="SELL")]
        run("books", client.get_order_books, both)
        run("price_buy", client.get_price, self.yes, "BUY")
        run("price_sell", client.get_price, self.yes, "SELL")
        for name in ("prices", "midpoints", "spreads", "last_trades_prices"):
            run(name, getattr(client, f"get_{name}"), both)
        for name in ("midpoint", "spread", "last_trade_price", "tick_size", "neg_risk", "fee_rate_bps"):
            run(name, getattr(client, f"get_{name}"), self.yes)
        run("fee_exponent", client.get_fee_exponent, self.yes)
        run("unknown_book", client.get_order_book, "12345")
        run("rewards", client.get_current_rewards)

    def keys(self) -> None:
        """Create an API key, find it again, look at it."""
        client, run = self.client, self.run
        created = client.create_or_derive_api_key()
        run("create_again", client.create_api_key)
        derived = client.derive_api_key()
        self.results["derived_is_created"] = derived == created
        client.set_api_creds(created)
        self.results["api_key"] = created.api_key
        run("api_keys", client.get_api_keys)
        run("closed_only", client.get_closed_only_mode)
        run("notifications", client.get_notifications)
        run("drop_notifications", client.drop_notifications)

    def balance(self, name: str, token_id: str = "") -> None:
        """Keep the wallet's balance of cash, or of a token."""
        kind = AssetType.CONDITIONAL if token_id else AssetType.COLLATERAL
        params = BalanceAllowanceParams(asset_type=kind, token_id=token_id or None)
        self.run(f"{name}_update", self.client.update_balance_allowance, params)
        self.run(name, self.client.get_balance_allowance, params)

    def resting_orders(self) -> None:
        """Orders that wait: every type, shown, scored, and cancelled in every way."""
        client, run = self.client, self.run
        buy = OrderArgs(token_id=self.yes, price=0.05, size=10, side="BUY")
        order_id = run("rest", client.create_and_post_order, buy)["orderID"]
        self.balance("balance_while_resting")
        run("order", client.get_order, order_id)
        run("open_orders", client.get_open_orders)
        run("open_orders_of_market", client.get_open_orders, OpenOrderParams(market=self.condition_id))
        run("open_orders_of_no", client.get_open_orders, OpenOrderParams(asset_id=self.no))
        run("scoring", client.is_order_scoring, OrderScoringParams(orderId=order_id))
        run("scorings", client.are_orders_scoring, OrdersScoringParams(orderIds=[order_id]))
        run("cancel", client.cancel_order, OrderPayload(orderID=order_id))
        run("order_cancelled", client.get_order, order_id)
        run("cancel_again", client.cancel_order, OrderPayload(orderID=order_id))
        good_till = OrderArgs(token_id=self.no, price=0.06, size=5, side="BUY", expiration=int(time.time()) + 60 + 3_600)
        gtd_id = run("gtd", client.create_and_post_order, good_till, order_type=OrderType.GTD)["orderID"]
        run("gtd_order", client.get_order, gtd_id)
        post_only = OrderArgs(token_id=self.yes, price=0.04, size=5, side="BUY")
        only_id = run("post_only", client.create_and_post_order, post_only, post_only=True)["orderID"]
        run("cancel_many", client.cancel_orders, [gtd_id, only_id, "0x01"])
        batch = [
            PostOrdersV2Args(
                order=client.create_order(OrderArgs(token_id=token, price=0.05, size=6, side="BUY")),
                orderType=OrderType.GTC,
            )
            for token in (self.yes, self.no)
        ]
        run("batch", client.post_orders, batch)
        run("cancel_token", client.cancel_market_orders, OrderMarketCancelParams(asset_id=self.no))
        run("cancel_market", client.cancel_market_orders, OrderMarketCancelParams(market=self.condition_id))
        run("rest_again", client.create_and_post_order, buy)
        run("cancel_all", client.cancel_all)

    def trades(self) -> None:
        """Orders that trade with whoever quotes the market."""
        client, run = self.client, self.run
        market_buy = MarketOrderArgs(token_id=self.yes, amount=5, side="BUY", order_type=OrderType.FOK)
        bought = run("market_buy", client.create_and_post_market_order, market_buy, order_type=OrderType.FOK)
        self.balance("yes_after_buy", self.yes)
        trade_id = bought["tradeIDs"][0]
        run("trades_of_buy", client.get_trades, TradeParams(id=trade_id))
        run("order_of_buy", client.get_order, bought["orderID"])
        market_sell = MarketOrderArgs(token_id=self.yes, amount=4, side="SELL", order_type=OrderType.FAK)
        run("market_sell", client.create_and_post_market_order, market_sell, order_type=OrderType.FAK)
        best_no = float(client.get_price(self.no, "SELL")["price"])
        crossing = OrderArgs(token_id=self.no, price=best_no, size=3, side="BUY")
        run("limit_buy_no", client.create_and_post_order, crossing)
        run("no_after_buy", client.get_balance_allowance, BalanceAllowanceParams(AssetType.CONDITIONAL, self.no))
        self.results["settled"] = self.wait_for(trade_id, "CONFIRMED")
        run("all_trades", client.get_trades)
        run("trades_page", client.get_trades_paginated, TradeParams(market=self.condition_id))
        self.balance("balance_after_trades")

    def wait_for(self, trade_id: str, status: str) -> dict[str, Any]:
        """Poll a trade until it has a status."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            (trade,) = self.client.get_trades(TradeParams(id=trade_id))
            if trade["status"] == status or time.monotonic() > deadline:
                return trade
            time.sleep(0.1)

    def refusals(self) -> None:
        """What a bot gets wrong, as the client reports it."""
        client, run = self.client, self.run
        rich = OrderArgs(token_id=self.yes, price=0.05, size=900_000, side="BUY")
        run("unfunded", client.create_and_post_order, rich)
        order = client.create_order(OrderArgs(token_id=self.yes, price=0.05, size=5, side="BUY"))
        run("first", client.post_order, order)
        run("duplicate", client.post_order, order)
        run("cancel_first", client.cancel_all)
        unmatched = MarketOrderArgs(token_id=self.yes, amount=1, side="BUY", price=0.02, order_type=OrderType.FAK)
        run("fak_unmatched", client.create_and_post_market_order, unmatched, order_type=OrderType.FAK)
        unfilled = MarketOrderArgs(token_id=self.yes, amount=1, side="BUY", price=0.02, order_type=OrderType.FOK)
        run("fok_unfilled", client.create_and_post_market_order, unfilled, order_type=OrderType.FOK)
        best_ask = float(client.get_price(self.yes, "SELL")["price"])
        crossing = OrderArgs(token_id=self.yes, price=best_ask, size=5, side="BUY")
        run("post_only_cross", client.create_and_post_order, crossing, post_only=True)
        neg_risk = client.create_order(crossing, PartialCreateOrderOptions(neg_risk=True))
        run("neg_risk_signature", client.post_order, neg_risk)
        v1 = client.create_order(
            OrderArgs(token_id=self.yes, price=0.05, size=5, side="BUY"), PartialCreateOrderOptions(version=1)
        )
        v1_id = run("v1_order", client.post_order, v1).get("orderID", "")
        run("v1_shown", client.get_order, v1_id)
        run("v1_cancel", client.cancel_all)

    def goodbye(self) -> None:
        """Revoke the key, and see that it is dead."""
        self.run("delete_key", self.client.delete_api_key)
        self.run("after_delete", self.client.get_open_orders)


def main() -> None:
    """Run the session and print what happened."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default=os.environ.get("CAUSEWAY_HTTP", "http://127.0.0.1:8000"))
    parser.add_argument("--key", default=os.environ.get("CAUSEWAY_WALLET_KEY", ""))
    parser.add_argument("--condition-id", default="", help="the market to trade; the first one if not given")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    session = Session(options.host, options.key, options.condition_id)
    session.market_data()
    session.keys()
    session.balance("balance")
    session.resting_orders()
    session.trades()
    session.refusals()
    session.goodbye()
    session.results |= {"yes": session.yes, "no": session.no, "address": session.client.get_address()}
    json.dump(session.results, sys.stdout)


if __name__ == "__main__":
    main()
