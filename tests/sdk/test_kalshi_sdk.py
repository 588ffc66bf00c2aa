"""Kalshi's official client, unmodified, against our gateway over real HTTP: not only parsed, but meaning the right thing."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.kalshi_venue import ALICE, BOB, LATER_TICKER, OTHER, TICKER, Server, make_keys

ROOT = Path(__file__).parents[2]
CLIENT_PYTHON = ROOT / ".venv-kalshi" / "bin" / "python"


def run_session(phase: str, host: str, ticker: str, maker: str, taker: str) -> dict[str, Any]:
    """Run a phase of the session in the client's own environment and return what it saw."""
    script = str(Path(__file__).with_name("kalshi_session.py"))
    command = [str(CLIENT_PYTHON), script, phase, "--host", host, "--ticker", ticker, "--maker", maker, "--taker", taker]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


class Seen:
    """What the phases of the session saw."""

    def __init__(self, trade: dict[str, Any], settled: dict[str, Any], manage: dict[str, Any]) -> None:
        self.trade = trade
        self.settled = settled
        self.manage = manage


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Trade, resolve the market to YES, read back; then manage orders, groups, subaccounts and keys in another market."""
    folder = tmp_path_factory.mktemp("kalshi")
    keys = make_keys()
    credentials = {}
    for name in (ALICE, BOB):
        pem = folder / f"{name}.pem"
        pem.write_bytes(keys[name].private_pem)
        credentials[name] = f"{keys[name].key_id}={pem}"
    with Server(folder / "journal", keys) as server:
        arguments = (server.host, TICKER, credentials[ALICE], credentials[BOB])
        trade = run_session("trade", *arguments)
        server.do(server.venue.resolve(TICKER, 1_000_000))
        settled = run_session("settled", *arguments)
        yield Seen(trade, settled, run_session("manage", server.host, OTHER, credentials[ALICE], credentials[BOB]))


def test_exchange_is_open_all_week(seen: Seen) -> None:
    assert seen.trade["status"]["exchange_active"]
    assert seen.trade["status"]["trading_active"]
    (week,) = seen.trade["schedule"]["schedule"]["standard_hours"]
    assert week["sunday"] == [{"open_time": "00:00", "close_time": "00:00"}]


def test_market_stands_in_its_event_and_series(seen: Seen) -> None:
    market, event = seen.trade["market"]["ticker"], seen.trade["event"]["event"]
    assert market == TICKER
    assert TICKER in [nested["ticker"] for nested in event["markets"]]
    assert seen.trade["event"]["markets"] == []
    assert TICKER in [beside["ticker"] for beside in seen.trade["event_beside"]["markets"]]
    assert event["series_ticker"] == seen.trade["series"]["series"]["ticker"]
    assert seen.trade["series"]["series"]["fee_multiplier"] == 0
    assert {series["ticker"] for series in seen.trade["series_list"]["series"]} == {"KXRAIN", "KXSNOW"}
    assert event["event_ticker"] in [listed["event_ticker"] for listed in seen.trade["events"]["events"]]


def test_markets_are_listed_filtered_and_paged(seen: Seen) -> None:
    tickers = [market["ticker"] for market in seen.trade["markets"]["markets"]]
    assert {TICKER, OTHER, LATER_TICKER} <= set(tickers)
    assert seen.trade["paged"] == tickers
    assert {market["ticker"] for market in seen.trade["open_in_event"]["markets"]} == {TICKER, OTHER}
    assert seen.trade["missing_market"]["type"] == "NotFoundException"


def test_created_order_is_listed_and_holds_cash(seen: Seen) -> None:
    created, order = seen.trade["created"], seen.trade["order"]["order"]
    assert (created["fill_count"], created["remaining_count"]) == ("0.00", "10.00")
    assert created["average_fill_price"] is None
    assert order["order_id"] == created["order_id"]
    assert (order["status"], order["book_side"], order["yes_price_dollars"]) == ("resting", "bid", "0.4000")
    assert [row["order_id"] for row in seen.trade["resting"]["orders"]] == [created["order_id"]]
    before, quoted = seen.trade["balance_before"], seen.trade["balance_quoted"]
    assert before["balance"] - quoted["balance"] == 400
    assert seen.trade["resting_value"]["total_resting_order_value"] == 400


def test_book_shows_both_sides_as_bids(seen: Seen) -> None:
    assert seen.trade["book_empty"]["orderbook_fp"] == {"yes_dollars": [], "no_dollars": []}
    both = {"yes_dollars": [["0.4000", "10.00"]], "no_dollars": [["0.4000", "5.00"]]}
    assert seen.trade["book"]["orderbook_fp"] == both
    assert seen.trade["books"]["orderbooks"] == [{"ticker": TICKER, "orderbook_fp": both}]
    market = seen.trade["quoted_market"]["market"]
    assert (market["yes_bid_dollars"], market["yes_ask_dollars"]) == ("0.4000", "0.6000")
    assert (market["no_bid_dollars"], market["no_ask_dollars"]) == ("0.4000", "0.6000")
    assert (market["yes_bid_size_fp"], market["yes_ask_size_fp"]) == ("10.00", "5.00")


@pytest.mark.parametrize(
    ("call", "kind", "status", "code"),
    [
        ("duplicate", "ConflictException", 409, "order_already_exists"),
        ("post_only", "BadRequestException", 400, "post_only_cross"),
        ("fok", "ConflictException", 409, "fill_or_kill_insufficient_resting_volume"),
        ("cancelled_again", "NotFoundException", 404, "order_not_open"),
        ("not_mine", "NotFoundException", 404, "order_not_found"),
        ("unfunded", "BadRequestException", 400, "available_balance_too_low"),
        ("not_offered", "ServiceException", 501, "not_implemented"),
        ("unsigned", "UnauthorizedException", 401, "authentication_error"),
    ],
)
def test_refusals_reach_the_client_as_typed_exceptions(seen: Seen, call: str, kind: str, status: int, code: str) -> None:
    refusal = seen.trade[call]
    assert (refusal["type"], refusal["status"], refusal["body"]["code"]) == (kind, status, code)


def test_orders_that_do_not_rest_report_what_was_filled(seen: Seen) -> None:
    sold, ioc = seen.trade["sold"], seen.trade["ioc"]
    assert (sold["fill_count"], sold["remaining_count"], sold["average_fill_price"]) == ("2.00", "0.00", "0.4000")
    assert ioc["fill_count"] == "1.00"
    missed = seen.trade["ioc_missed"]["order"]
    assert (missed["status"], missed["fill_count_fp"], missed["remaining_count_fp"]) == ("canceled", "0.00", "0.00")
    own = seen.trade["self_trade"]
    assert (own["fill_count"], own["remaining_count"]) == ("0.00", "0.00")
    partly = seen.trade["bid_partly_filled"]["order"]
    assert (partly["fill_count_fp"], partly["remaining_count_fp"]) == ("3.00", "7.00")
    assert partly["maker_fill_cost_dollars"] == "1.2000"


def test_fill_moves_position_and_balance_of_both(seen: Seen) -> None:
    maker, taker = (seen.trade[f"{name}_positions"]["market_positions"][0] for name in ("maker", "taker"))
    assert (maker["position_fp"], maker["market_exposure_dollars"]) == ("3.00", "1.2000")
    assert (taker["position_fp"], taker["market_exposure_dollars"]) == ("-3.00", "1.8000")
    spent = seen.trade["taker_before"]["balance"] - seen.trade["taker_balance"]["balance"]
    assert spent == 180
    assert seen.trade["taker_balance"]["portfolio_value"] == 180
    assert seen.trade["maker_balance"]["portfolio_value"] == 120
    (event,) = seen.trade["maker_positions"]["event_positions"]
    assert event["total_cost_shares_fp"] == "3.00"


def test_each_side_sees_its_own_half_of_a_trade(seen: Seen) -> None:
    trades = seen.trade["trades"]["trades"]
    maker, taker = seen.trade["maker_fills"]["fills"], seen.trade["taker_fills"]["fills"]
    assert [row["count_fp"] for row in trades] == ["1.00", "2.00"]
    for own in (maker, taker):
        assert [row["trade_id"] for row in own] == [row["trade_id"] for row in trades]
    assert {(row["book_side"], row["is_taker"]) for row in maker} == {("bid", False)}
    assert {(row["book_side"], row["is_taker"]) for row in taker} == {("ask", True)}
    assert [row["count_fp"] for row in seen.trade["fills_of_order"]["fills"]] == ["2.00"]
    market = seen.trade["traded_market"]["market"]
    assert (market["volume_fp"], market["volume_24h_fp"], market["open_interest_fp"]) == ("3.00", "3.00", "3.00")
    assert market["last_price_dollars"] == "0.4000"


def test_cancels_empty_the_book_and_free_the_cash(seen: Seen) -> None:
    assert seen.trade["cancelled"]["reduced_by"] == "5.00"
    good, bad = seen.trade["batch"]["orders"]
    assert good["remaining_count"] == "1.00"
    assert bad["error"]["code"] == "invalid_price"
    first, second = seen.trade["batch_cancelled"]["orders"]
    assert (first["reduced_by"], first["error"]) == ("1.00", None)
    assert (second["reduced_by"], second["error"]["code"]) == ("0.00", "order_not_found")
    assert seen.trade["cancel_all"] == 204
    assert seen.trade["left"]["orders"] == []
    assert {row["status"] for row in seen.trade["canceled"]["orders"]} == {"canceled"}
    assert seen.trade["book_after"]["orderbook_fp"] == {"yes_dollars": [], "no_dollars": []}
    assert seen.trade["balance_before"]["balance"] - seen.trade["balance_after"]["balance"] == 120


def test_resolution_pays_the_winner_and_closes_both_positions(seen: Seen) -> None:
    market = seen.settled["market"]["market"]
    assert (market["status"], market["result"], market["settlement_value_dollars"]) == ("finalized", "yes", "1.0000")
    (won,) = seen.settled["maker_settlements"]["settlements"]
    assert (won["market_result"], won["yes_count_fp"], won["no_count_fp"]) == ("yes", "3.00", "0.00")
    assert (won["yes_total_cost_dollars"], won["revenue"], won["value"]) == ("1.2000", 300, 100)
    (lost,) = seen.settled["taker_settlements"]["settlements"]
    assert (lost["no_count_fp"], lost["no_total_cost_dollars"], lost["revenue"]) == ("3.00", "1.8000", 0)
    assert seen.settled["maker_balance"]["balance"] - seen.trade["balance_before"]["balance"] == 180
    assert seen.settled["maker_open"]["market_positions"] == []
    (position,) = seen.settled["maker_settled"]["market_positions"]
    assert (position["position_fp"], position["realized_pnl_dollars"]) == ("0.00", "1.8000")


def test_orders_change_by_the_rules_of_the_queue(seen: Seen) -> None:
    see = seen.manage
    assert see["queue_behind"]["queue_position_fp"] == "10.00"
    assert [row["queue_position_fp"] for row in see["queue_mine"]["queue_positions"]] == ["0.00"]
    assert (see["decreased_by"]["remaining_count"], see["decreased_to"]["remaining_count"]) == ("7.00", "6.00")
    order = see["decreased_order"]["order"]
    assert (order["initial_count_fp"], order["remaining_count_fp"], order["status"]) == ("10.00", "6.00", "resting")
    assert (see["amend_expiry"]["remaining_count"], see["amend_expiry"]["fill_count"]) == (None, None)
    assert (see["queue_kept"]["queue_position_fp"], see["queue_lost"]["queue_position_fp"]) == ("6.00", "0.00")
    crossed = see["amend_crossed"]
    assert (crossed["fill_count"], crossed["remaining_count"], crossed["average_fill_price"]) == ("4.00", "3.00", "0.4500")
    assert crossed["client_order_id"] == "renamed"
    assert see["reduced"]["fill_count"] == "4.00"


@pytest.mark.parametrize(
    ("call", "kind", "status", "code"),
    [
        ("decrease_both", "BadRequestException", 400, "invalid_order_size"),
        ("amend_other_side", "BadRequestException", 400, "order_side_mismatch"),
        ("nothing_to_reduce", "ConflictException", 409, "nothing_to_reduce"),
        ("group_closed", "ConflictException", 409, "order_group_triggered"),
        ("group_gone", "NotFoundException", 404, "order_group_not_found"),
        ("key_may_not_trade", "ForbiddenException", 403, "insufficient_scope"),
        ("key_gone", "UnauthorizedException", 401, "authentication_error"),
    ],
)
def test_refused_changes_reach_the_client_too(seen: Seen, call: str, kind: str, status: int, code: str) -> None:
    refusal = seen.manage[call]
    assert (refusal["type"], refusal["status"], refusal["body"]["code"]) == (kind, status, code)


def test_order_group_stops_at_its_limit(seen: Seen) -> None:
    see = seen.manage
    group_id = see["group_created"]["order_group_id"]
    assert see["group_created"]["subaccount"] == 0
    order = see["group_order"]["order"]
    assert (order["order_group_id"], see["group"]["orders"]) == (group_id, [order["order_id"]])
    assert [(row["id"], row["contracts_limit_fp"]) for row in see["groups"]["order_groups"]] == [(group_id, "3.00")]
    assert (see["group_hit"]["orders"], see["group_triggered"]["orders"]) == ([], [])
    assert see["group_triggered"]["contracts_limit_fp"] == "9.50"
    assert see["group_answers"] == [{}, {}, {}, {}]  # None would be another status than 200


def test_subaccount_has_its_own_cash_and_orders(seen: Seen) -> None:
    see = seen.manage
    number = see["subaccount"]["subaccount_number"]
    assert (number, see["transfer_answers"]) == (1, [{}, {}])
    assert [(row["to_subaccount"], row["amount_cents"]) for row in see["transfers"]["transfers"]] == [(1, 500)]
    assert [row["balance"] for row in see["subaccount_balances"]["subaccount_balances"]][1] == "5.0000"
    assert [row["enabled"] for row in see["netting"]["netting_configs"]] == [False, True]
    assert [row["subaccount_number"] for row in see["subaccount_orders"]["orders"]] == [1]
    assert see["subaccount_balance"]["balance"] == 100
    assert (see["subaccount_amended"]["remaining_count"], see["subaccount_cancelled"]["reduced_by"]) == ("5.00", "5.00")


def test_keys_are_made_locked_and_deleted(seen: Seen) -> None:
    see = seen.manage
    assert see["key_begins"] == "-----BEGIN RSA PRIVATE KEY-----"
    assert see["key_balance"]["balance"] == 500
    (made,) = [row for row in see["keys"]["api_keys"] if row["name"] == "made"]
    assert (made["scopes"], made["subaccount"], see["key_deleted"]) == (["read"], 1, 204)
    assert see["key_again"]["balance"] > 500
