"""The spine: a Kalshi-SDK order meets a Polymarket-SDK order, and settles on chain. Nothing here is a mock."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3

from tests.system.books import Books
from tests.system.clients import Client, ClientError, eventually, polymarket
from tests.system.conftest import VenueProcess

pytestmark = pytest.mark.slow
CASH = {"$": "BalanceAllowanceParams", "asset_type": "COLLATERAL"}
GTC = {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}


def get(status: dict[str, Any], path: str) -> Any:
    with urllib.request.urlopen(status["http"] + path, timeout=60) as answer:
        return json.load(answer)


def contract(status: dict[str, Any]) -> Any:
    web3 = Web3(Web3.HTTPProvider(status["rpc"]))
    abi = json.loads((Path(status["abi_dir"]) / "Venue.json").read_text())
    return web3.eth.contract(address=Web3.to_checksum_address(status["contracts"]["venue"]), abi=abi)


def cents(client: Client) -> int:
    return int(client.get_balance()["balance"])


def test_a_kalshi_bid_and_a_polymarket_buy_of_no_become_a_mint_on_chain(
    venue: dict[str, Any], running: VenueProcess, alice: Client, dave: Client
) -> None:
    books = Books(running)
    market = books.new_market("KXTEST-SPINE")
    books.chain.close()
    ticker = market["ticker"]
    no = market["token_ids"]["no"]
    cash_before = cents(alice)
    bid = alice.create_order_v2(ticker=ticker, side="bid", count="10.00", price="0.6000", **GTC)
    assert alice.get_order(bid["order_id"])["order"]["status"] == "resting"
    assert dave.get_price(no, "SELL") == {"price": "0.4"} or dave.get_price(no, "SELL") == {"price": "0.40"}

    answer = dave.order(token_id=no, price=0.40, size=10, side="BUY")
    assert answer["success"] is True
    assert answer["status"] == "matched"

    (fill,) = alice.get_fills(order_id=bid["order_id"])["fills"]
    assert (fill["count_fp"], fill["yes_price_dollars"]) == ("10.00", "0.6000")
    assert cents(alice) == cash_before - 600
    (trade,) = [row for row in dave.get_trades() if row["asset_id"] == no]
    assert trade["status"] in ("MATCHED", "MINED", "CONFIRMED")
    stages = [trade["status"]]

    def confirmed() -> Any:
        (row,) = [row for row in dave.get_trades() if row["asset_id"] == no]
        stages.append(row["status"])
        return row if row["status"] == "CONFIRMED" else None

    final = eventually(confirmed)
    order = ["MATCHED", "MINED", "CONFIRMED"]
    assert stages == sorted(stages, key=order.index), stages
    assert final["transaction_hash"].startswith("0x")

    onchain = contract(venue)
    wallet = Web3.to_checksum_address(venue["accounts"]["wallets"]["dave"]["address"])
    assert onchain.functions.vaultBalanceOf(wallet, int(no)).call() == 10_000_000
    pool = onchain.functions.pool().call()
    assert onchain.functions.vaultBalanceOf(pool, int(market["token_ids"]["yes"])).call() == 10_000_000
    receipt = onchain.w3.eth.get_transaction_receipt(final["transaction_hash"])
    assert receipt["status"] == 1

    traced = get(venue, f"/venue/trace/{fill['trade_id']}")
    (operation,) = traced["operations"]
    kinds = {
        "command": f"command:{traced['commands'][-1]['seq']}",
        "request": traced["commands"][-1]["request_id"],
        "custodial order": bid["order_id"],
        "wallet order": answer["orderID"],
        "trade": fill["trade_id"],
        "operation": f"operation:{operation['number']}",
        "batch": f"batch:{operation['batch']}",
        "transaction": final["transaction_hash"],
    }
    for kind, name in kinds.items():
        found = get(venue, f"/venue/trace/{name}")
        assert [one["hash"] for one in found["transactions"]] == [final["transaction_hash"]], kind
        assert [one["trade_id"] for one in found["fills"]] == [fill["trade_id"]], kind
        assert f"match:{fill['trade_id'].removeprefix('trade:')}" in [one["reference"] for one in found["postings"]], kind


@pytest.fixture
def market(running: VenueProcess, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A market of the test's own: what others left in the demo's would be met."""
    books = Books(running)
    books.chain.close()
    return books.new_market(f"KXTEST-SPINE{request.node.name.upper().replace('_', '')[:20]}")


def test_two_custodial_users_trade_and_no_transaction_is_sent(
    venue: dict[str, Any], market: dict[str, Any], alice: Client, bob: Client
) -> None:
    ticker = market["ticker"]
    alice.create_order_v2(ticker=ticker, side="bid", count="5.00", price="0.5500", **GTC)
    taken = bob.create_order_v2(
        ticker=ticker, side="ask", count="5.00", price="0.5500", **{**GTC, "time_in_force": "immediate_or_cancel"}
    )
    assert (taken["fill_count"], taken["remaining_count"]) == ("5.00", "0.00")
    positions = bob.get_positions(ticker=ticker)["market_positions"]
    assert positions[0]["position_fp"] == "-5.00"
    (trade,) = alice.get_trades(ticker=ticker)["trades"]
    assert trade["count_fp"] == "5.00"
    traced = get(venue, f"/venue/trace/{trade['trade_id']}")
    assert len(traced["fills"]) == 1
    assert traced["operations"] == traced["transactions"] == []


def test_what_an_open_order_puts_at_risk_cannot_be_spent_twice(market: dict[str, Any], bob: Client, dave: Client) -> None:
    ticker = market["ticker"]
    whole = cents(bob)
    count = f"{whole // 50}.00"
    order = bob.create_order_v2(ticker=ticker, side="bid", count=count, price="0.5000", **GTC)
    with pytest.raises(ClientError) as refused:
        bob.create_order_v2(ticker=ticker, side="bid", count="10.00", price="0.5000", **GTC)
    assert refused.value.status == 400
    assert "balance" in str(refused.value.body)
    bob.cancel_order_v2(order["order_id"])
    yes, dollars = market["token_ids"]["yes"], int(dave.get_balance_allowance(CASH)["balance"]) // 1_000_000
    held = dave.order(token_id=yes, price=0.10, size=dollars * 5, side="BUY")
    with pytest.raises(ClientError) as refused:
        dave.order(token_id=yes, price=0.10, size=dollars * 5 + 10, side="BUY")
    assert refused.value.status == 400
    assert "not enough balance" in str(refused.value.body)
    dave.cancel_order({"$": "OrderPayload", "orderID": held["orderID"]})


def test_a_wallet_deposits_on_chain_and_can_trade_after_the_confirmations(
    venue: dict[str, Any], market: dict[str, Any]
) -> None:
    frank = venue["accounts"]["wallets"]["frank"]
    onchain = contract(venue)
    web3 = onchain.w3
    token_abi = json.loads((Path(venue["abi_dir"]) / "TestUSD.json").read_text())
    collateral = web3.eth.contract(address=Web3.to_checksum_address(venue["contracts"]["collateral"]), abi=token_abi)
    account = web3.eth.account.from_key(frank["private_key"])

    def send(call: Any) -> None:
        transaction = call.build_transaction(
            {"from": account.address, "nonce": web3.eth.get_transaction_count(account.address)}
        )
        sent = web3.eth.send_raw_transaction(account.sign_transaction(transaction).raw_transaction)
        assert web3.eth.wait_for_transaction_receipt(sent, timeout=120, poll_latency=0.05)["status"] == 1

    send(collateral.functions.approve(onchain.address, 25_000_000))
    send(onchain.functions.deposit(25_000_000))
    yes = market["token_ids"]["yes"]
    with polymarket(venue, "frank") as client:
        eventually(lambda: client.get_balance_allowance(CASH)["balance"] == "25000000")
        assert client.order(token_id=yes, price=0.20, size=100, side="BUY")["status"] == "live"
        assert client.get_balance_allowance(CASH)["balance"] in ("25000000", "5000000")
        with pytest.raises(ClientError):
            client.order(token_id=yes, price=0.20, size=100, side="BUY")
        client.cancel_all()
