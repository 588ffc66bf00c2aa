"""Calls every method that one of Polymarket's two Python clients has, and says what came back.

    .venv-polymarket/bin/python tests/sdk/polymarket_conformance.py v2 --host http://127.0.0.1:8000 --key 0x… --condition-id 0x…

Runs in `.venv-polymarket`, imports nothing of ours, changes nothing in the clients: an event hook of their HTTP client notes
what each method requests. The market needs somebody else's bid at 40 and ask at 60 cents, 50 contracts each; the wallet
needs $50, the other wallet $10; `--builder-key` is a builder's {"key", "secret", "passphrase"} for the older client. Prints
{"methods": [all public methods], "answers": {method: answer}, "calls": {method: ["GET /path"]}, "seen": {...}}.
"""

import argparse
import importlib
import inspect
import json
import logging
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from typing import Any

CHAIN_ID = 80002
NONCE = 7
"""A key of this session's own, which it deletes at the end."""
DEADLINE_S = 120
MODULES = {"v1": "py_clob_client", "v2": "py_clob_client_v2"}


def plain(value: Any) -> Any:
    """Return an answer as JSON data."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(item) for name, item in vars(value).items()} or asdict(value)
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str | int | float | bool | None):
        return value
    return {name: plain(item) for name, item in vars(value).items()} if hasattr(value, "__dict__") else str(value)


def path_of(url: Any) -> str:
    """Return a request's path with its ids named."""
    path = re.sub(r"/0x[0-9a-f]{40,}", "/{id}", str(url.path))
    return re.sub(r"/\d{20,}", "/{token}", path)


class Session:
    """One client, one wallet, one market."""

    def __init__(self, generation: str, host: str, key: str, other_key: str, condition_id: str, builder_key: str) -> None:
        self.v2 = generation == "v2"
        self.builder_key = builder_key
        package = MODULES[generation]
        self.types = importlib.import_module(f"{package}.clob_types")
        self.rfq_types = importlib.import_module(f"{package}.rfq.rfq_types")
        client_class = importlib.import_module(f"{package}.client").ClobClient
        self.client, self.other = (client_class(host, CHAIN_ID, key=one) for one in (key, other_key))
        create = self.other.create_or_derive_api_key if self.v2 else self.other.create_or_derive_api_creds
        self.other.set_api_creds(create())
        self.rfq_class = importlib.import_module(f"{package}.rfq.rfq_client").RfqClient
        self.answers: dict[str, Any] = {}
        self.calls: dict[str, list[str]] = {}
        self.seen: dict[str, Any] = {}
        self.condition_id = condition_id
        self._method = ""
        http = importlib.import_module(f"{package}.http_helpers.helpers")._http_client
        http.event_hooks["request"].append(self._note)

    def _note(self, request: Any) -> None:
        call = f"{request.method} {path_of(request.url)}"
        noted = self.calls.setdefault(self._method, [])
        if call not in noted:
            noted.append(call)

    def methods(self) -> list[str]:
        """Return every public method of the client and of its part for quotes."""
        own = [name for name, _ in inspect.getmembers(type(self.client), callable) if not name.startswith("_")]
        rfq = [f"rfq.{name}" for name, _ in inspect.getmembers(self.rfq_class, callable) if not name.startswith("_")]
        return own + rfq

    def do(self, method: str, *args: Any, keep: str = "", **kwargs: Any) -> Any:
        """Call a method and keep its first answer (and, under `keep`, this one)."""
        self._method = method
        target = self.client
        for part in method.split("."):
            target = getattr(target, part)
        call: Callable[..., Any] = target
        try:
            answer = call(*args, **kwargs)
        except Exception as error:
            status = getattr(error, "status_code", None)
            answer = {"status": status, "error": getattr(error, "error_msg", None) or str(error)}
        if method not in self.answers:
            self.answers[method] = plain(answer)
        if keep:
            self.seen[keep] = plain(answer)
        return answer

    # --- what needs no key --------------------------------------------------------------------------------------------------

    def public(self) -> None:
        """Markets, books and prices."""
        do, types = self.do, self.types
        for name in ("get_ok", "get_server_time", "get_markets", "get_simplified_markets", "get_sampling_markets"):
            do(name)
        do("get_sampling_simplified_markets")
        market = do("get_market", self.condition_id)
        self.yes, self.no = (token["token_id"] for token in market["tokens"])
        book = do("get_order_book", self.yes)
        do("get_order_book_hash", book)
        both = [types.BookParams(token_id=self.yes, side="BUY"), types.BookParams(token_id=self.no, side="SELL")]
        for name in ("get_order_books", "get_midpoints", "get_prices", "get_spreads", "get_last_trades_prices"):
            do(name, both)
        for name in (
            "get_midpoint",
            "get_spread",
            "get_last_trade_price",
            "get_tick_size",
            "get_neg_risk",
            "get_fee_rate_bps",
        ):
            do(name, self.yes)
        do("get_price", self.yes, "BUY")
        do("calculate_market_price", self.yes, "BUY", 6.0, types.OrderType.FOK)
        do("get_address")
        if self.v2:
            do("get_version")
            do("get_clob_market_info", self.condition_id)
            do("get_fee_exponent", self.yes)
            do("get_current_rewards")
            do("get_raw_rewards_for_market", self.condition_id)
        else:
            for name in (
                "get_collateral_address",
                "get_conditional_address",
                "get_exchange_address",
                "clear_tick_size_cache",
            ):
                do(name)

    # --- keys -----------------------------------------------------------------------------------------------------------------

    def keys(self) -> None:
        """API keys of every kind."""
        do = self.do
        do("assert_level_1_auth")
        create = "create_or_derive_api_key" if self.v2 else "create_or_derive_api_creds"
        creds = do("create_api_key", NONCE)
        do("derive_api_key", NONCE)
        do(create, NONCE)
        do("set_api_creds", creds)
        do("assert_level_2_auth")
        do("get_api_keys")
        do("get_closed_only_mode")
        shown = do("create_readonly_api_key")
        readonly = shown["apiKey"] if self.v2 else shown.api_key
        do("get_readonly_api_keys")
        if not self.v2:
            do("validate_readonly_api_key", self.client.get_address(), readonly)
        do("delete_readonly_api_key", readonly)
        do("get_readonly_api_keys", keep="readonly_keys_left")

    # --- orders ---------------------------------------------------------------------------------------------------------------

    def order(self, **fields: Any) -> Any:
        """Return a signed order."""
        return self.do("create_order", self.types.OrderArgs(**fields))

    def open_ids(self) -> list[str]:
        """Return the ids of the wallet's open orders in this market."""
        params = self.types.OpenOrderParams(market=self.condition_id)
        return [row["id"] for row in self.do("get_open_orders" if self.v2 else "get_orders", params)]

    def cancel(self, order_id: str) -> Any:
        """Cancel one order."""
        return self.do("cancel_order", self.types.OrderPayload(orderID=order_id)) if self.v2 else self.do("cancel", order_id)

    def orders(self) -> None:
        """Place, find, score and cancel, in every way."""
        do, types, seen = self.do, self.types, self.seen
        low = {"token_id": self.yes, "price": 0.10, "size": 10.0, "side": "BUY"}
        seen["balance_before"] = self.balance()
        first = do("post_order", self.order(**low))["orderID"]
        seen["balance_after"] = self.balance()
        seen["open_after_place"] = self.open_ids()
        do("get_order", first)
        do("is_order_scoring", types.OrderScoringParams(orderId=first))
        near = do("create_and_post_order", types.OrderArgs(token_id=self.yes, price=0.50, size=10.0, side="BUY"))["orderID"]
        self.meet(near)
        scoring = types.OrdersScoringParams(orderIds=[first, near])
        do("are_orders_scoring", scoring)
        seen |= {"first": first, "near": near}
        self.cancel(first)
        seen["open_after_cancel"] = self.open_ids()
        do("cancel_orders", [near, "0x01"])
        post = types.PostOrdersV2Args if self.v2 else types.PostOrdersArgs
        two = [self.order(**low | {"token_id": token}) for token in (self.yes, self.no)]
        batch = do("post_orders", [post(order=order, orderType=types.OrderType.GTC) for order in two])
        seen["batch"] = [row["orderID"] for row in batch]
        if self.v2:
            do("cancel_market_orders", types.OrderMarketCancelParams(market=self.condition_id, asset_id=self.no))
            do("get_pre_migration_orders")
        else:
            do("cancel_market_orders", market=self.condition_id, asset_id=self.no)
        do("cancel_all")
        seen["open_at_the_end"] = self.open_ids()

    def meet(self, order_id: str) -> None:
        """Let the other wallet fill 4 of an order at 50 cents, with a client of the same generation."""
        self._method = "(the other wallet)"
        order = self.other.create_order(self.types.OrderArgs(token_id=self.no, price=0.50, size=4.0, side="BUY"))
        self.seen["met"] = plain(self.other.post_order(order, self.types.OrderType.GTC))
        self.seen["partly_filled"] = plain(self.client.get_order(order_id))

    def balance(self, token_id: str = "") -> Any:
        """Return the wallet's balance of cash, or of a token."""
        kind = self.types.AssetType.CONDITIONAL if token_id else self.types.AssetType.COLLATERAL
        params = self.types.BalanceAllowanceParams(asset_type=kind, token_id=token_id or None)
        self.do("update_balance_allowance", params)
        return self.do("get_balance_allowance", params)

    # --- trades ---------------------------------------------------------------------------------------------------------------

    def builder(self) -> str:
        """Become a builder, and return the code."""
        if self.v2:
            self.do("create_builder_api_key")
            return str(self.do("get_builder_api_keys")[0]["builderCode"])
        sdk = importlib.import_module("py_builder_signing_sdk.config")
        known = json.loads(self.builder_key)
        creds = importlib.import_module("py_builder_signing_sdk.sdk_types").BuilderApiKeyCreds(**known)
        self.client.builder_config = sdk.BuilderConfig(local_builder_creds=creds)
        self.do("can_builder_auth")
        self.do("assert_builder_auth")
        return ""

    def trades(self) -> None:
        """Meet the quotes, and follow a trade until it is final."""
        do, types, seen = self.do, self.types, self.seen
        code = self.builder()
        more = {"builder_code": code} if self.v2 else {}
        seen["yes_before"] = self.balance(self.yes)["balance"]
        args = types.MarketOrderArgs(token_id=self.yes, amount=3.0, side="BUY", **more)
        if self.v2:
            bought = do("create_and_post_market_order", args, order_type=types.OrderType.FOK)
            self.do("create_market_order", types.MarketOrderArgs(token_id=self.yes, amount=1.0, side="BUY"))
        else:
            bought = do("post_order", do("create_market_order", args), types.OrderType.FOK)
        seen["bought"] = plain(bought)
        seen["yes_after"] = self.balance(self.yes)["balance"]
        trade = types.TradeParams(id=bought["tradeIDs"][0])
        do("get_trades", types.TradeParams(market=self.condition_id))
        deadline = time.monotonic() + DEADLINE_S
        states: list[str] = []
        while not states or (states[-1] != "CONFIRMED" and time.monotonic() < deadline):
            (row,) = do("get_trades", trade, keep="settled")
            if not states or states[-1] != row["status"]:
                states.append(row["status"])
            time.sleep(0.05)
        seen["states"] = states
        do("get_market_trades_events", self.condition_id)
        if self.v2:
            do("get_trades_paginated", types.TradeParams(market=self.condition_id))
            history = types.PricesHistoryParams(market=self.yes, interval="1h", fidelity=1)
            do("get_prices_history", history)
            do("get_builder_trades", types.BuilderTradeParams(builder_code=code))
            do("revoke_builder_api_key")
            do("get_builder_api_keys", keep="builder_keys_left")
        else:
            do("get_builder_trades")
            self.client.builder_config = None

    # --- the rest -------------------------------------------------------------------------------------------------------------

    def presence(self) -> None:
        """Heartbeats, notifications, earnings."""
        do, seen = self.do, self.seen
        beat = do("post_heartbeat", "" if self.v2 else None)
        do("post_heartbeat", beat["heartbeat_id"], keep="second_heartbeat")
        do("post_heartbeat", "wrong", keep="wrong_heartbeat")
        rows = do("get_notifications")
        ids = [str(row["id"]) for row in rows[:1]]
        do("drop_notifications", self.types.DropNotificationParams(ids=ids))
        do("get_notifications", keep="notifications_left")
        seen["dropped"] = ids
        if self.v2:
            day = time.strftime("%Y-%m-%d", time.gmtime())
            do("get_earnings_for_user_for_day", day)
            do("get_total_earnings_for_user_for_day", day)
            do("get_reward_percentages")
            do("get_user_earnings_and_markets_config", day)

    def quotes(self) -> None:
        """Requests for quotes, which this venue refuses one by one."""
        do, types = self.do, self.rfq_types
        request = types.RfqUserRequest(token_id=self.yes, price=0.5, side="BUY", size=5.0)
        quote = types.RfqUserQuote(request_id="1", token_id=self.yes, price=0.5, side="BUY", size=5.0)
        do("rfq.create_rfq_request", request)
        do("rfq.cancel_rfq_request", types.CancelRfqRequestParams(request_id="1"))
        do("rfq.get_rfq_requests")
        do("rfq.create_rfq_quote", quote)
        do("rfq.cancel_rfq_quote", types.CancelRfqQuoteParams(quote_id="1"))
        do("rfq.get_rfq_requester_quotes")
        do("rfq.get_rfq_quoter_quotes")
        do("rfq.get_rfq_best_quote", types.GetRfqBestQuoteParams(request_id="1"))
        do("rfq.accept_rfq_quote", types.AcceptQuoteParams(request_id="1", quote_id="1", expiration=0))
        do("rfq.approve_rfq_order", types.ApproveOrderParams(request_id="1", quote_id="1", expiration=0))
        do("rfq.rfq_config")

    def goodbye(self) -> None:
        """Delete the key, and see that it is dead."""
        self.do("delete_api_key")
        self.do("get_closed_only_mode", keep="after_delete")


def main() -> None:
    """Run the session and print what happened."""
    parser = argparse.ArgumentParser()
    parser.add_argument("generation", choices=list(MODULES))
    for name in ("host", "key", "other-key", "condition-id", "builder-key"):
        parser.add_argument(f"--{name}", default="")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    session = Session(
        options.generation, options.host, options.key, options.other_key, options.condition_id, options.builder_key
    )
    session.public()
    session.keys()
    session.orders()
    session.trades()
    session.presence()
    session.quotes()
    session.goodbye()
    session.seen |= {"yes": session.yes, "no": session.no, "address": session.client.get_address()}
    output = {"methods": session.methods(), "answers": session.answers, "calls": session.calls, "seen": session.seen}
    json.dump(output, sys.stdout, default=str)


if __name__ == "__main__":
    main()
