"""Split, merge and redeem by API (asks 6 and 7 of users): signed by the wallet, paid by the operator, seen in the Data API."""

import json
import urllib.request
from typing import Any

import pytest

from offchain_book.engine.operations import VaultActionKind
from tests.system.books import Books
from tests.system.clients import eventually
from tests.system.conftest import VenueProcess

pytestmark = pytest.mark.slow
CONTRACT = 1_000_000


def test_asks_6_and_7_a_wallet_splits_merges_and_redeems_by_api_without_gas_and_sees_it(running: VenueProcess) -> None:
    books = Books(running)
    try:
        market, wallet = books.new_market("KXTEST-ASKS"), books.client.wallet("erin")
        condition, yes = str(int(market["condition_id"], 16)), market["token_ids"]["yes"]
        gas_before = books.chain.nonce(wallet.address)

        def data(path: str, **query: str) -> Any:
            text = "&".join(f"{name}={value}" for name, value in query.items())
            with urllib.request.urlopen(
                f"{books.status['data_api']}/{path}?user={wallet.address}&{text}", timeout=60
            ) as answer:
                return json.loads(answer.read())

        books.client.act(wallet, VaultActionKind.SPLIT, condition, 5 * CONTRACT)
        books.client.admin("POST", "/flush")
        books.client.act(wallet, VaultActionKind.MERGE, condition, 2 * CONTRACT)
        books.client.admin("POST", "/flush")
        rows = data("positions", market=market["condition_id"])
        assert [(row["size"], row["avgPrice"], row["mergeable"]) for row in rows] == [(3, 0.5, True), (3, 0.5, True)]
        books.client.admin("POST", f"/markets/{market['ticker']}/resolve", {"outcome": "yes"})
        eventually(lambda: books.market(market["ticker"])["resolved_on_chain"])
        assert all(row["redeemable"] for row in data("positions", market=market["condition_id"]))
        books.client.act(wallet, VaultActionKind.REDEEM, yes, 3 * CONTRACT)
        books.check()
        activity = data("activity", market=market["condition_id"])
        assert [(row["type"], row["size"], row["usdcSize"]) for row in activity] == [
            ("REDEEM", 3, 3),
            ("MERGE", 2, 2),
            ("SPLIT", 5, 5),
        ]
        assert all(len(row["transactionHash"]) == 66 for row in activity)
        (closed,) = data("closed-positions", market=market["condition_id"])
        assert (closed["outcome"], closed["realizedPnl"]) == ("Yes", 1.5)
        assert books.chain.nonce(wallet.address) == gas_before, "the wallet sent no transaction of its own"
    finally:
        books.chain.close()
