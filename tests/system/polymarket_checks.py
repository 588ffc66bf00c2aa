"""What each method of Polymarket's Python clients has to mean: a sentence for the table, and the check behind it.

A check gets the whole session (`tests/sdk/polymarket_conformance.py`): the method's answer, and what was seen around it.
"""

import json
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
ZERO_HASH = "0x" + "00" * 32


class Run:
    """One client's session."""

    def __init__(self, generation: str, output: Json, condition_id: str, ticker: str) -> None:
        self.generation, self.condition_id, self.ticker = generation, condition_id, ticker
        self.methods: list[str] = output["methods"]
        self.answers: Json = output["answers"]
        self.calls: dict[str, list[str]] = output["calls"]
        self.seen: Json = output["seen"]

    @property
    def cancelled(self) -> list[str]:
        """Every order that a cancel took out."""
        names = ("cancel_order", "cancel", "cancel_orders", "cancel_market_orders", "cancel_all")
        return [order_id for name in names for order_id in self.answers.get(name, {}).get("canceled", [])]


Check = Callable[[Run, Any], bool]
CHECKS: dict[str, tuple[str, Check]] = {}


def check(names: str, sentence: str) -> Callable[[Check], Check]:
    """Register a check for methods."""

    def register(function: Check) -> Check:
        for name in names.split():
            assert name not in CHECKS, name
            CHECKS[name] = (sentence, function)
        return function

    return register


def simple(names: str, sentence: str, function: Check) -> None:
    """Register a check that is one expression."""
    check(names, sentence)(function)


def _lists_market(run: Run, rows: Json) -> bool:
    return rows["next_cursor"] == "LTE=" and run.condition_id in [row["condition_id"] for row in rows["data"]]


def _local(run: Run, answer: Any) -> bool:
    return answer is None


# --- public ---------------------------------------------------------------------------------------------------------------

simple("get_ok", "the venue answers", lambda run, a: a == "OK")
simple("get_server_time", "whole seconds of wall time", lambda run, a: a > 1_700_000_000)
simple("get_version", "V2 orders are asked for", lambda run, a: a == 2)
simple(
    "get_markets get_simplified_markets get_sampling_markets get_sampling_simplified_markets",
    "the session's market is on a page that ends with LTE=",
    _lists_market,
)


@check("get_market", "both tokens, prices that add up to one, the reward programme")
def _market(run: Run, a: Json) -> bool:
    prices = [token["price"] for token in a["tokens"]]
    program = (a["rewards"]["rates"][0]["rewards_daily_rate"], a["rewards"]["min_size"], a["rewards"]["max_spread"])
    return a["condition_id"] == run.condition_id and sum(prices) == 1 and a["accepting_orders"] and program == (144, 5, 15)


@check("get_order_book", "best prices last, the quotes of the other side, a hash")
def _book(run: Run, a: Json) -> bool:
    best = (a["bids"][-1]["price"], a["asks"][-1]["price"], a["bids"][-1]["size"])
    return best == ("0.4", "0.6", "50") and len(a["hash"]) == 40 and a["asset_id"] == run.seen["yes"]


@check("get_order_book_hash", "the client computes the hash that the book carries")
def _book_hash(run: Run, a: str) -> bool:
    return a == run.answers["get_order_book"]["hash"]


@check("get_order_books", "the NO book mirrors the YES book")
def _books(run: Run, a: list[Json]) -> bool:
    books = {row["asset_id"]: row for row in a}
    mirrored = [round(1 - float(row["price"]), 4) for row in books[run.seen["no"]]["bids"]]
    return mirrored == [float(row["price"]) for row in books[run.seen["yes"]]["asks"]]


simple("get_midpoint", "half way between 40 and 60 cents", lambda run, a: a == {"mid": "0.5"})
simple("get_midpoints", "half way for both tokens", lambda run, a: set(a.values()) == {"0.5"} and len(a) == 2)
simple("get_spread", "from 40 to 60 cents", lambda run, a: a == {"spread": "0.2"})
simple("get_spreads", "the same for both tokens", lambda run, a: set(a.values()) == {"0.2"} and len(a) == 2)
simple("get_price", "the best bid", lambda run, a: a == {"price": "0.4"})


@check("get_prices", "best bid of YES, best ask of NO")
def _prices(run: Run, a: Json) -> bool:
    return a == {run.seen["yes"]: {"BUY": "0.4"}, run.seen["no"]: {"SELL": "0.6"}}


simple("get_last_trade_price", "a half before any trade, as in production", lambda run, a: a["price"] == "0.5")
simple("get_last_trades_prices", "the same for both tokens", lambda run, a: [row["price"] for row in a] == ["0.5", "0.5"])
simple("get_tick_size", "a cent", lambda run, a: a == "0.01")
simple("get_neg_risk", "no market is neg-risk", lambda run, a: a is False)
simple("get_fee_rate_bps get_fee_exponent", "the series is free; its curve has exponent 1", lambda run, a: a in (0, 1))
simple("calculate_market_price", "six dollars buy up to 60 cents", lambda run, a: a == 0.6)
simple("get_address", "the wallet's own", lambda run, a: a == run.seen["address"])
simple(
    "get_collateral_address get_conditional_address get_exchange_address",
    "local: the client's own table",
    lambda run, a: a.startswith("0x") and len(a) == 42,
)
simple(
    "assert_level_1_auth assert_level_2_auth assert_builder_auth set_api_creds clear_tick_size_cache",
    "local: raises nothing",
    _local,
)
simple("can_builder_auth", "local: builder credentials are set", lambda run, a: a is True)


@check("get_clob_market_info", "both tokens, tick, fees")
def _info(run: Run, a: Json) -> bool:
    return [row["t"] for row in a["t"]] == [run.seen["yes"], run.seen["no"]] and a["mts"] == 0.01 and a["fd"]["r"] == 0


# --- keys -----------------------------------------------------------------------------------------------------------------

simple("create_api_key", "three credentials", lambda run, a: all((a["api_key"], a["api_secret"], a["api_passphrase"])))
simple(
    "derive_api_key create_or_derive_api_key create_or_derive_api_creds",
    "the same key again",
    lambda run, a: a == run.answers["create_api_key"],
)
simple("get_api_keys", "lists the key", lambda run, a: run.answers["create_api_key"]["api_key"] in a["apiKeys"])


@check("delete_api_key", "the next request with it is 401")
def _deleted(run: Run, a: str) -> bool:
    return a == "OK" and run.seen["after_delete"]["status"] == 401


simple("get_closed_only_mode", "the wallet is neither leaving nor suspended", lambda run, a: a == {"closed_only": False})
simple("create_readonly_api_key", "a key", lambda run, a: len(a.get("apiKey") or a["api_key"]) == 36)


@check("get_readonly_api_keys", "lists the key")
def _readonly(run: Run, a: list[str]) -> bool:
    made = run.answers["create_readonly_api_key"]
    return (made.get("apiKey") or made["api_key"]) in a


simple("validate_readonly_api_key", "the key belongs to the address", lambda run, a: a == "OK")


@check("delete_readonly_api_key", "it is listed no more")
def _readonly_gone(run: Run, a: str) -> bool:
    return a == "OK" and run.answers["get_readonly_api_keys"][-1] not in run.seen["readonly_keys_left"]


# --- orders ---------------------------------------------------------------------------------------------------------------


@check("get_balance_allowance", "a resting order of $1 holds $1")
def _held(run: Run, a: Json) -> bool:
    before, after = (run.seen[f"balance_{when}"] for when in ("before", "after"))
    moved = [int(after[name]) - int(before[name]) for name in ("balance", "held", "settled")]
    return a == before and moved == [-1_000_000, 1_000_000, 0]


simple("update_balance_allowance", "answers as the balance", lambda run, a: int(a["balance"]) > 0)
simple(
    "create_order create_market_order",
    "local: signed under the client's own domain",
    lambda run, a: "signature" in json.dumps(a).lower(),
)
simple(
    "post_order",
    "live, and then among the open orders",
    lambda run, a: a["status"] == "live" and a["orderID"] in run.seen["open_after_place"],
)


@check("get_open_orders get_orders", "exactly the orders that rest; empty after the cancels")
def _open(run: Run, a: list[Json]) -> bool:
    near = [run.seen["near"]]
    return (
        [row["id"] for row in a] == run.seen["open_after_place"]
        and run.seen["open_after_cancel"] == near
        and run.seen["open_at_the_end"] == []
    )


@check("get_order", "side, price, size; what another wallet fills is counted")
def _order(run: Run, a: Json) -> bool:
    filled = run.seen["partly_filled"]
    return (a["side"], a["price"], a["original_size"], a["status"]) == ("BUY", "0.1", "10", "LIVE") and (
        filled["size_matched"],
        filled["associate_trades"],
    ) == ("4", run.seen["met"]["tradeIDs"])


simple("is_order_scoring", "an order far from the middle earns nothing", lambda run, a: a == {"scoring": False})


@check("are_orders_scoring", "the one near the middle earns, the other does not")
def _scoring(run: Run, a: Json) -> bool:
    return a == {run.seen["first"]: False, run.seen["near"]: True}


simple("create_and_post_order", "live", lambda run, a: a["status"] == "live" and a["orderID"] == run.seen["near"])
simple("cancel_order cancel", "it vanishes from the open orders", lambda run, a: a["canceled"] == [run.seen["first"]])


@check("cancel_orders", "the known one goes, the unknown one is named with a reason")
def _cancels(run: Run, a: Json) -> bool:
    return a["canceled"] == [run.seen["near"]] and "already canceled or matched" in a["not_canceled"]["0x01"]


simple(
    "post_orders",
    "each order has its own answer",
    lambda run, a: [row["status"] for row in a] == ["live", "live"],
)
simple("cancel_market_orders", "only the token's order goes", lambda run, a: a["canceled"] == run.seen["batch"][1:])
simple("cancel_all", "the rest goes", lambda run, a: run.seen["batch"][0] in a["canceled"] and not a["not_canceled"])
simple("get_pre_migration_orders", "none: this venue never migrated", lambda run, a: a == [])

# --- trades ---------------------------------------------------------------------------------------------------------------


@check("create_and_post_market_order", "$3 at 60 cents moves the position by 5 and reports the transaction")
def _bought(run: Run, a: Json) -> bool:
    hashes = a["transactionsHashes"]
    gained = int(run.seen["yes_after"]) - int(run.seen["yes_before"])
    return (a["makingAmount"], a["takingAmount"], gained) == ("3", "5", 5_000_000) and len(hashes[0]) == 66


@check("get_trades", "a trade goes through its states to CONFIRMED with the hash of a real transaction")
def _trades(run: Run, a: list[Json]) -> bool:
    (trade,) = run.seen["settled"]
    order = ["MATCHED", "MINED", "CONFIRMED"]
    states = [order.index(state) for state in run.seen["states"]]
    gained = int(run.seen["yes_after"]) - int(run.seen["yes_before"])
    return (
        trade["id"] in [row["id"] for row in a]
        and (trade["status"], trade["side"], trade["price"], trade["size"]) == ("CONFIRMED", "BUY", "0.6", "5")
        and states == sorted(states)
        and len(trade["transaction_hash"]) == 66
        and trade["transaction_hash"] != ZERO_HASH
        and gained == 5_000_000
    )


@check("get_trades_paginated", "one page, ending with LTE=")
def _pages(run: Run, a: Json) -> bool:
    return a["next_cursor"] == "LTE=" and run.seen["settled"][0]["id"] in [row["id"] for row in a["trades"]]


@check("get_market_trades_events", "the market's newest trade first, with wallet and hash")
def _events(run: Run, a: list[Json]) -> bool:
    newest = a[0]
    return (newest["user"]["address"], newest["size"], newest["price"], newest["transaction_hash"]) == (
        run.seen["address"].lower(),
        "5",
        "0.6",
        run.seen["settled"][0]["transaction_hash"],
    )


simple("get_prices_history", "the last trade's price", lambda run, a: a["history"][-1]["p"] == 0.6)


@check("get_builder_trades", "the trade of the order that carried the builder's code, and no other")
def _builder_trades(run: Run, a: Any) -> bool:
    rows = a["trades"] if isinstance(a, dict) else a
    row = next(row for row in rows if row["id"] == run.seen["bought"]["tradeIDs"][0])
    met = run.seen["met"]["tradeIDs"][0]
    return (row["tradeType"], row["sizeUsdc"]) == ("TAKER", "3") and met not in [other["id"] for other in rows]


simple("create_builder_api_key", "three credentials", lambda run, a: all((a["key"], a["secret"], a["passphrase"])))
simple(
    "get_builder_api_keys",
    "lists the key and the wallet's builder code",
    lambda run, a: a[0]["builderCode"].endswith(run.seen["address"][2:].lower()),
)
simple("revoke_builder_api_key", "it is listed no more", lambda run, a: a == "OK" and run.seen["builder_keys_left"] == [])

# --- rewards and presence -------------------------------------------------------------------------------------------------


@check("get_current_rewards get_raw_rewards_for_market", "the market's programme: $144 a day, 5 contracts, 15 cents")
def _rewards(run: Run, a: list[Json]) -> bool:
    row = next(row for row in a if row["condition_id"] == run.condition_id)
    return (row["rewards_config"][0]["rate_per_day"], row["rewards_min_size"], row["rewards_max_spread"]) == (144, 5, 15)


simple(
    "get_earnings_for_user_for_day",
    "rows of the day's markets; amounts: tests/gateways/test_polymarket_rewards.py",
    lambda run, a: all(row["earnings"] >= 0 for row in a),
)


@check("get_total_earnings_for_user_for_day", "the sum of the rows")
def _total(run: Run, a: list[Json]) -> bool:
    rows = run.answers["get_earnings_for_user_for_day"]
    return round(sum(row["earnings"] for row in rows), 6) == (a[0]["earnings"] if a else 0)


simple("get_reward_percentages", "no order rests, so no share", lambda run, a: a[run.condition_id] == 0)


@check("get_user_earnings_and_markets_config", "the market with its programme and the wallet's earnings")
def _config(run: Run, a: list[Json]) -> bool:
    row = next(row for row in a if row["condition_id"] == run.condition_id)
    return row["rewards_config"][0]["rate_per_day"] == 144 and len(row["earnings"]) == 1


@check("post_heartbeat", "each answer's id is the next one's; a wrong id is told the right one")
def _beat(run: Run, a: Json) -> bool:
    wrong = run.seen["wrong_heartbeat"]
    body = wrong["error"] if isinstance(wrong["error"], dict) else json.loads(wrong["error"])
    second = run.seen["second_heartbeat"]["heartbeat_id"]
    return (wrong["status"], body["error_msg"], body["heartbeat_id"]) == (400, "Invalid Heartbeat ID", second)


@check("get_notifications", "the fill of the resting order, type 2")
def _notified(run: Run, a: list[Json]) -> bool:
    payload = a[0]["payload"]
    return (a[0]["type"], payload["order_id"], payload["matched_size"]) == (2, run.seen["near"], "4")


@check("drop_notifications", "the dropped one is gone")
def _dropped(run: Run, a: str) -> bool:
    left = [str(row["id"]) for row in run.seen["notifications_left"]]
    return a == "OK" and len(run.seen["dropped"]) == 1 and run.seen["dropped"][0] not in left


@check("rfq", "501 with the reason: every order meets the one book")
def _rfq(run: Run, a: Json) -> bool:
    return a["status"] == 501 and "every order meets the one book" in json.dumps(a)


def check_of(method: str) -> tuple[str, Check]:
    """Return the sentence and the check of a method. Raises KeyError for one that nobody checks."""
    return CHECKS["rfq" if method.startswith("rfq.") else method]
