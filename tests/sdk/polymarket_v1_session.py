"""The same with Polymarket's unmodified `py-clob-client` (V1 orders), shorter: only what it does otherwise.

.venv-polymarket/bin/python tests/sdk/polymarket_v1_session.py --host http://127.0.0.1:8000 --key 0x…
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from py_clob_client.client import ClobClient
from py_clob_client.clob_types import (
    AssetType,
    BalanceAllowanceParams,
    BookParams,
    MarketOrderArgs,
    OrderArgs,
    OrdersScoringParams,
    OrderType,
    PostOrdersArgs,
    TradeParams,
)
from py_clob_client.exceptions import PolyApiException

CHAIN_ID = 80002
DEADLINE_S = 120


def main() -> None:
    """Run the session and print what happened."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default=os.environ.get("CAUSEWAY_HTTP", "http://127.0.0.1:8000"))
    parser.add_argument("--key", default=os.environ.get("CAUSEWAY_WALLET_KEY", ""))
    parser.add_argument("--condition-id", default="", help="the market to trade; the first one if not given")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    client = ClobClient(options.host, CHAIN_ID, key=options.key)
    results: dict[str, Any] = {}

    def run(name: str, call: Callable[..., Any], *args: Any, **more: Any) -> Any:
        try:
            results[name] = call(*args, **more)
        except PolyApiException as error:
            results[name] = {"status": error.status_code, "error": error.error_msg}
        return results[name]

    run("ok", client.get_ok)
    run("time", client.get_server_time)
    markets = run("markets", client.get_markets)["data"]
    chosen = [row for row in markets if row["condition_id"] == options.condition_id] or markets
    yes, no = (token["token_id"] for token in chosen[0]["tokens"])
    client.set_api_creds(client.create_or_derive_api_creds())
    client.set_api_creds(client.create_or_derive_api_creds())
    run("api_keys", client.get_api_keys)
    book = client.get_order_book(yes)
    results["book"] = asdict(book)
    results["book_hash"] = client.get_order_book_hash(book)
    results["books"] = [asdict(found) for found in client.get_order_books([BookParams(yes), BookParams(no)])]
    run("tick_size", client.get_tick_size, yes)
    run("prices", client.get_prices, [BookParams(yes, "BUY"), BookParams(no, "SELL")])
    collateral = BalanceAllowanceParams(asset_type=AssetType.COLLATERAL)
    run("balance", client.get_balance_allowance, collateral)
    run("update_balance", client.update_balance_allowance, collateral)
    rested = run("rest", client.create_and_post_order, OrderArgs(yes, 0.05, 10, "BUY"))
    run("order", client.get_order, rested["orderID"])
    run("open_orders", client.get_orders)
    run("scorings", client.are_orders_scoring, OrdersScoringParams(orderIds=[rested["orderID"]]))
    run("cancel", client.cancel, rested["orderID"])
    expiring = client.create_order(OrderArgs(no, 0.05, 10, "BUY", expiration=int(time.time()) + 7_200))
    run("gtd", client.post_order, expiring, OrderType.GTD)
    run("cancel_market", client.cancel_market_orders, market="", asset_id=no)
    batch = [
        PostOrdersArgs(order=client.create_order(OrderArgs(token, 0.05, 6, "BUY")), orderType=OrderType.GTC)
        for token in (yes, no)
    ]
    run("batch", client.post_orders, batch)
    run("cancel_all", client.cancel_all)
    bought = client.create_market_order(MarketOrderArgs(yes, 3, "BUY", order_type=OrderType.FOK))
    trade_ids = run("market_buy", client.post_order, bought, OrderType.FOK)["tradeIDs"]
    sold = client.create_market_order(MarketOrderArgs(yes, 2, "SELL", order_type=OrderType.FAK))
    run("market_sell", client.post_order, sold, OrderType.FAK)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        (trade,) = run("settled", client.get_trades, TradeParams(id=trade_ids[0]))
        if trade["status"] == "CONFIRMED":
            break
        time.sleep(0.1)
    run("delete_key", client.delete_api_key)
    results |= {"yes": yes, "no": no, "address": client.get_address()}
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
