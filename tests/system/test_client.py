"""The small client of our own routes against a running venue: place, list, cancel, act, refusals. And linked accounts by command."""

import pytest

from offchain_book.client import Client, Refused
from tests.system.books import Books
from tests.system.conftest import VenueProcess

pytestmark = pytest.mark.slow
CONTRACT = DOLLAR = 1_000_000


def test_a_wallet_trades_moves_and_pays_no_gas_by_the_small_client(running: VenueProcess) -> None:
    books = Books(running)
    try:
        made, keys = books.new_market("KXTEST-CLIENT"), books.status["accounts"]["wallets"]
        dave, erin = (Client(books.status["http"], keys[name]["private_key"]) for name in ("dave", "erin"))
        gas_before = books.chain.nonce(dave.wallet)
        (market,) = [one for one in dave.markets() if one["ticker"] == made["ticker"]]
        yes, no = market["token_ids"]["yes"], market["token_ids"]["no"]
        cap = market["fee_rate_bps"]["cap"]
        first = dave.place(yes, "buy", 4_000, 10 * CONTRACT, fee_cap_bps=cap)
        second = dave.place(yes, "buy", 3_000, 10 * CONTRACT, fee_cap_bps=cap)
        with pytest.raises(Refused) as refused:
            dave.orders()
        assert refused.value.code == "NOT_SIGNED_IN"
        dave.sign_in()
        assert {one["order_id"] for one in dave.orders() if one["ticker"] == made["ticker"]} == {
            first["order_id"],
            second["order_id"],
        }
        assert dave.cancel([second["order_id"]])["canceled"] == [second["order_id"]]
        taken = erin.place(no, "buy", 6_000, 10 * CONTRACT, fee_cap_bps=cap, time_in_force="ioc")
        assert (taken["filled_micros"], taken["status"]) == (10 * CONTRACT, "executed")
        books.client.admin("POST", "/flush")
        dave.act(0, yes, 4 * CONTRACT)
        books.check()
        assert books.free(dave.wallet, yes) == 4 * CONTRACT
        assert books.chain.nonce(dave.wallet) == gas_before, "the operator paid"
        with pytest.raises(Refused) as refused:
            dave.place(no, "sell", 5_000, CONTRACT, fee_cap_bps=cap)
        assert (refused.value.code, refused.value.details["have_micros"]) == ("INSUFFICIENT_TOKENS", 0)
    finally:
        books.chain.close()
