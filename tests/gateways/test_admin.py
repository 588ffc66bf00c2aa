"""The operator's routes, and the market file."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine.market import MarketStatus
from offchain_book.gateways.contract_wallets import HookRefused
from offchain_book.gateways.market_file import MarketFileError, parse_json, parse_toml, rate_e4
from tests.gateways.native_venue import DOLLAR, STRANGER, TICKER, WALLET, NativeVenue

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "market.toml"


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[NativeVenue]:
    async with NativeVenue(tmp_path).running() as running:
        yield running


def file(**changed: Any) -> dict[str, Any]:
    """Return a market file, with fields of its market changed."""
    market = {"ticker": "KXSUN-27-A", "title": "Sun?", "rules": "If so.", "close": "2035-01-01T00:00:00Z", **changed}
    series = {"ticker": "KXSUN", "title": "Sun", "taker_fee": "0.07"}
    return {"series": series, "event": {"ticker": "KXSUN-27", "title": "Sun"}, "markets": [market]}


def error_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/markets"),
        ("GET", f"/markets/{TICKER}"),
        ("POST", f"/markets/{TICKER}/close"),
        ("POST", f"/markets/{TICKER}/resolve"),
        ("POST", "/events/KXSUN-27/resolve"),
        ("POST", "/accounts"),
        ("GET", "/accounts/alice"),
        ("POST", "/deposits"),
        ("POST", "/faucet"),
        ("POST", "/limits"),
        ("POST", "/suspend"),
        ("POST", "/restore"),
        ("POST", "/flush"),
        ("POST", "/time"),
        ("GET", "/operations/0"),
    ],
)
async def test_every_route_needs_the_token(small: NativeVenue, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "token"}):
        assert (await small.admin(method, path, {}, headers)).status_code == 401
    assert small.hooks.asked == []


# --- markets -----------------------------------------------------------------------------------------------------------


async def test_markets_are_made_after_their_conditions(small: NativeVenue) -> None:
    answer = await small.admin("POST", "/markets", file(price_structure="tapered_deci_cent"))
    assert answer.status_code == 201, answer.text
    assert small.hooks.asked == [("prepare", ("KXSUN-27-A", "If so."))]
    market = small.state.markets["KXSUN-27-A"]
    assert market.finest_tick_e4 == 10
    assert market.taker_rate_e4 == 700
    assert answer.json()["markets"][0]["condition_id"] == market.condition_id
    assert error_of(await small.admin("POST", "/markets", file())) == (409, "MARKET_EXISTS")
    second = file(ticker="KXSUN-27-B")
    del second["series"]["title"], second["series"]["taker_fee"]
    assert (await small.admin("POST", "/markets", second)).status_code == 201, "a series that exists keeps its terms"
    assert small.state.events["KXSUN-27"].tickers == ["KXSUN-27-A", "KXSUN-27-B"]


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"close": "2020-01-01T00:00:00Z"}, 400, "BAD_MARKET_FILE"),
        ({"close": "2035-01-01T00:00:00"}, 400, "BAD_MARKET_FILE"),
        ({"open": "2036-01-01T00:00:00Z"}, 400, "BAD_MARKET_FILE"),
        ({"ticker": "lower"}, 400, "BAD_MARKET_FILE"),
        ({"price_structure": "none"}, 400, "BAD_MARKET_FILE"),
        ({"colour": "red"}, 400, "BAD_MARKET_FILE"),
        ({"rules": ""}, 400, "BAD_MARKET_FILE"),
        ({"ticker": TICKER}, 409, "MARKET_EXISTS"),
    ],
)
async def test_bad_market_file_reaches_no_chain(small: NativeVenue, changed: Any, status: int, code: str) -> None:
    assert error_of(await small.admin("POST", "/markets", file(**changed))) == (status, code)
    assert small.hooks.asked == []


async def test_series_and_event_must_fit(small: NativeVenue) -> None:
    new = file()
    del new["series"]["title"]
    assert error_of(await small.admin("POST", "/markets", new)) == (400, "BAD_MARKET_FILE")
    other_fees = {**file(), "series": {"ticker": "KXRAIN", "taker_fee": "0.01"}}
    assert error_of(await small.admin("POST", "/markets", other_fees)) == (409, "SERIES_DIFFERS")
    other_series = {**file(), "event": {"ticker": "KXRAIN-26", "title": "Rain"}}
    assert error_of(await small.admin("POST", "/markets", other_series)) == (409, "EVENT_DIFFERS")


async def test_a_file_says_kalshis_multiplier_and_an_event_may_have_fees_of_its_own(small: NativeVenue) -> None:
    made = file()
    made["series"] = {"ticker": "KXSUN", "title": "Sun", "fee_multiplier": "0.5", "maker_fee": "0.0175", "whole_cents": True}
    made["event"]["fees"] = {"fee_type": "flat", "taker_fee": "0.02"}
    assert (await small.admin("POST", "/markets", made)).status_code == 201
    series, market = small.state.series["KXSUN"], small.state.markets["KXSUN-27-A"]
    assert (series.taker_rate_e4, series.maker_rate_e4, series.whole_cents) == (350, 175, True)
    assert (series.fee_type, market.fees.taker.flat, market.taker_rate_e4) == ("quadratic_with_maker_fees", True, 200)
    again = {**made, "markets": [{**made["markets"][0], "ticker": "KXSUN-27-B"}]}
    assert error_of(await small.admin("POST", "/markets", again)) == (409, "EVENT_DIFFERS")


@pytest.mark.parametrize(
    ("fees", "says"),
    [
        ({"fee_multiplier": "0.5", "taker_fee": "0.01"}, "a multiplier is"),
        ({"fee_multiplier": "0.5", "fee_type": "flat"}, "a multiplier is"),
        ({"fee_multiplier": "1.5"}, "up to 0.07, not 0.105"),
        ({"taker_fee": "0.05", "maker_rebate": "0.01", "whole_cents": True}, "not with whole_cents"),
        ({"fee_type": "cubic"}, "fee_type"),
    ],
)
def test_fees_that_cannot_be_are_refused_with_their_field(fees: dict[str, Any], says: str) -> None:
    made = file()
    made["event"]["fees"] = fees
    with pytest.raises(MarketFileError, match=says) as error:
        parse_json(json.dumps(made))
    assert "$.event.fees" in str(error.value)


def test_example_in_the_docs_is_valid() -> None:
    example = parse_toml(EXAMPLE.read_text())
    assert [market.type for market in example.markets] == ["binary", "scalar"]
    assert rate_e4(example.series.maker_fee) == 175


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("markets = 3 = 4", "this is not TOML"),
        ('[series]\nticker = "A"\ntaker_fee = 0.07', "`$.series.taker_fee`"),
        ('[series]\nticker = "A"\ntaker_fee = "0.08"\n[event]\nticker = "A"\ntitle = "A"\n', "`markets`"),
    ],
)
def test_toml_mistakes_name_the_field(text: str, says: str) -> None:
    with pytest.raises(MarketFileError) as error:
        parse_toml(text)
    assert says in str(error.value)


def test_json_mistakes_name_the_field() -> None:
    import json

    twice = file()
    twice["markets"] *= 2
    for content, says in (
        (twice, "$.markets[1].ticker"),
        ({**file(), "series": {"ticker": "A", "taker_fee": "0.09"}}, "0.07"),
    ):
        with pytest.raises(MarketFileError) as error:
            parse_json(json.dumps(content))
        assert says in str(error.value)


def ladder(*floors: str, **changed: Any) -> dict[str, Any]:
    """Return a market file of ordered strikes."""
    strikes = [file(ticker=f"KXSUN-27-T{n}", strike_type="greater", floor_strike=floor) for n, floor in enumerate(floors)]
    event = {"ticker": "KXSUN-27", "title": "Sun", "ordered_strikes": True, **changed}
    return {**file(), "event": event, "markets": [row["markets"][0] for row in strikes]}


async def test_an_event_is_resolved_by_its_value(small: NativeVenue) -> None:
    assert (await small.admin("POST", "/markets", ladder("2.5", "3", "-1"))).status_code == 201
    answer = await small.admin("POST", "/events/KXSUN-27/resolve", {"value": "2.75"})
    assert answer.status_code == 200, answer.text
    assert [row["yes_payout_micros"] for row in answer.json()["markets"]] == [DOLLAR, 0, DOLLAR]
    again = await small.admin("POST", "/events/KXSUN-27/resolve", {"value": "2.75"})
    assert error_of(again) == (409, "ALREADY_RESOLVED")
    for value in ("", "2,5", "1e3", "0.1234567"):
        assert error_of(await small.admin("POST", "/events/KXSUN-27/resolve", {"value": value})) == (400, "BAD_BODY")
    assert error_of(await small.admin("POST", "/events/NONE/resolve", {"value": "1"})) == (404, "UNKNOWN_EVENT")


async def test_a_result_against_the_order_of_strikes_is_refused_with_what_fits(small: NativeVenue) -> None:
    await small.admin("POST", "/markets", ladder("2", "3"))
    await small.admin("POST", "/markets/KXSUN-27-T0/resolve", {"outcome": "no"})
    refused = await small.admin("POST", "/markets/KXSUN-27-T1/resolve", {"outcome": "yes"})
    assert error_of(refused) == (409, "INCONSISTENT_RESULT")
    assert refused.json()["error"]["details"]["highest_micros"] == 0


async def test_strikes_of_an_event_that_exists_bind_later_files(small: NativeVenue) -> None:
    await small.admin("POST", "/markets", ladder("2"))
    asked = list(small.hooks.asked)
    same = ladder("2")
    same["markets"][0]["ticker"] = "KXSUN-27-T9"
    assert error_of(await small.admin("POST", "/markets", same)) == (400, "BAD_MARKET_FILE")
    assert error_of(await small.admin("POST", "/markets", ladder("5", ordered_strikes=False))) == (409, "EVENT_DIFFERS")
    assert small.hooks.asked == asked


async def test_close_and_resolve(small: NativeVenue) -> None:
    assert (await small.admin("POST", f"/markets/{TICKER}/close")).json()["status"] == "closed"
    assert error_of(await small.admin("POST", f"/markets/{TICKER}/close")) == (400, "MARKET_INACTIVE")
    answer = await small.admin("POST", f"/markets/{TICKER}/resolve", {"outcome": "0.1234"})
    assert (answer.json()["status"], answer.json()["yes_payout_micros"]) == ("determined", 123_400)
    again = await small.admin("POST", f"/markets/{TICKER}/resolve", {"outcome": "yes"})
    assert error_of(again) == (409, "ALREADY_RESOLVED")
    assert error_of(await small.admin("GET", "/markets/NONE")) == (404, "UNKNOWN_MARKET")


@pytest.mark.parametrize("outcome", ["maybe", "1.1", "-0.5", "0.1234567", "", ".5", "1e0", "9" * 30])
async def test_bad_outcome_decides_nothing(small: NativeVenue, outcome: str) -> None:
    answer = await small.admin("POST", f"/markets/{TICKER}/resolve", {"outcome": outcome})
    assert error_of(answer) == (400, "BAD_OUTCOME")
    assert small.state.markets[TICKER].status is MarketStatus.ACTIVE


# --- accounts and money --------------------------------------------------------------------------------------------------


async def test_account_gets_a_key(small: NativeVenue) -> None:
    body = {"name": "zoe", "public_key_pem": small.key.public_pem}
    made = (await small.admin("POST", "/accounts", body)).json()
    assert small.state.keys[made["key_id"]].account_id == "zoe"
    assert (await small.admin("GET", "/accounts/zoe")).json()["key_ids"] == [made["key_id"]]
    assert error_of(await small.admin("POST", "/accounts", body)) == (409, "ACCOUNT_EXISTS")
    assert error_of(await small.admin("POST", "/accounts", {**body, "public_key_pem": "x"})) == (400, "BAD_PUBLIC_KEY")
    for name in ("venue:equity", "Zoe", "0xab", "", "a" * 33):
        assert error_of(await small.admin("POST", "/accounts", {**body, "name": name})) == (400, "BAD_BODY")


async def test_account_whose_key_was_lost_to_a_crash_gets_one(small: NativeVenue) -> None:
    await small.do(c.OpenAccount("zoe", c.Custody.CUSTODIAL, "zoe"))
    body = {"name": "zoe", "public_key_pem": small.key.public_pem}
    assert (await small.admin("POST", "/accounts", body)).status_code == 201


async def test_deposits_go_through_the_chain(small: NativeVenue) -> None:
    body = {"account": "alice", "amount": "2.5", "wait": True}
    answer = (await small.admin("POST", "/deposits", body)).json()
    assert (answer["id"], answer["credited"]) == ("deposit:3", True)
    assert small.hooks.asked == [("deposit", "alice", 2_500_000), ("credited", 3)]
    assert error_of(await small.admin("POST", "/deposits", {**body, "account": "x"})) == (404, "UNKNOWN_ACCOUNT")
    for amount in ("0", "1000000.000001"):
        assert error_of(await small.admin("POST", "/deposits", {**body, "amount": amount})) == (400, "BAD_AMOUNT")
    small.hooks.refuses = HookRefused(409, "NOT_A_DEV_WALLET", "only it can")
    assert error_of(await small.admin("POST", "/deposits", {**body, "account": WALLET})) == (409, "NOT_A_DEV_WALLET")


async def test_faucet_flush_and_time(small: NativeVenue) -> None:
    await small.admin("POST", "/faucet", {"wallet": STRANGER, "amount": "3"})
    assert (await small.admin("POST", "/flush")).json()["settled"] == 0
    assert (await small.admin("POST", "/time", {"seconds": 60})).json()["moved_s"] == 60
    assert small.hooks.asked == [("faucet", STRANGER, 3 * DOLLAR), ("flush",), ("time", 60)]
    for seconds in (0, -1, 1 << 40, "60"):
        assert error_of(await small.admin("POST", "/time", {"seconds": seconds})) == (400, "BAD_BODY")


async def test_operation_shows_its_stage(small: NativeVenue) -> None:
    await small.signed("/venue/withdrawals", {"reference": "r", "amount": "1", "to": STRANGER})
    found = (await small.admin("GET", "/operations/0")).json()
    assert (found["type"], found["stage"], found["to"]) == ("pool_send_cash", "MATCHED", STRANGER)
    assert error_of(await small.admin("GET", "/operations/1")) == (404, "UNKNOWN_OPERATION")


async def test_limits_are_of_the_whole_owner_unless_said_otherwise(small: NativeVenue) -> None:
    async def limit(**body: Any) -> Any:
        answer = await small.admin("POST", "/limits", {"account": "alice", **body})
        assert answer.status_code == 200, answer.text
        return answer.json()

    both = await limit(position_limit="10", exposure_cap="25.5")
    assert both == {
        "account": "alice", "owner": "alice", "accounts": ["alice"],
        "position_limits_micros": {"": 10 * DOLLAR}, "exposure_cap_micros": 25_500_000,
    }  # fmt: skip
    own = await limit(position_limit="3", ticker=TICKER, whole_owner=False)
    assert (own["position_limits_micros"], own["exposure_cap_micros"]) == ({TICKER: 3 * DOLLAR}, None)
    lifted = await limit(position_limit=None)
    assert (lifted["position_limits_micros"], lifted["exposure_cap_micros"]) == ({}, 25_500_000)
    unknown = await small.admin("POST", "/limits", {"account": "alice", "position_limit": "1", "ticker": "NONE"})
    assert error_of(unknown) == (404, "UNKNOWN_MARKET")
    assert error_of(await small.admin("POST", "/limits", {"account": "alice", "position_limit": "-1"})) == (400, "BAD_BODY")


async def test_one_accounts_trading_is_suspended_and_restored(small: NativeVenue) -> None:
    answer = await small.admin("POST", "/suspend", {"account": "alice", "reason": "a question"})
    assert (answer.status_code, answer.json()) == (200, {"account": "alice", "suspended": "a question"})
    assert (await small.admin("GET", "/accounts/alice")).json()["suspended"] == "a question"
    assert (await small.signed("/venue/withdrawals", {"reference": "r", "amount": "1", "to": STRANGER})).status_code == 201
    answer = await small.admin("POST", "/restore", {"account": "alice", "reason": "answered"})
    assert answer.json() == {"account": "alice", "suspended": None}
    assert (await small.admin("GET", "/accounts/alice")).json()["suspended"] is None
    again = await small.admin("POST", "/restore", {"account": "alice", "reason": "answered"})
    assert error_of(again) == (400, "NOT_SUSPENDED")
    for path in ("/suspend", "/restore"):
        unknown = await small.admin("POST", path, {"account": "nobody", "reason": ""})
        assert error_of(unknown) == (404, "UNKNOWN_ACCOUNT")
