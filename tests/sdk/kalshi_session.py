"""A trading session by Kalshi's official Python client, unmodified. Runs in `.venv-kalshi`, prints what it saw as JSON.

    python kalshi_session.py trade --host URL --ticker T --maker KEY_ID=PEM_FILE --taker KEY_ID=PEM_FILE
    python kalshi_session.py settled --host URL --ticker T --maker ... --taker ...

    python kalshi_session.py manage --host URL --ticker T --maker ... --taker ...

`trade` needs a market with an empty book, two funded accounts and nothing else; it leaves the maker with 3 YES bought at
$0.40 and no open orders. `settled` reads back what the market's resolution left. `manage` needs a market with an empty
book and two funded accounts; it changes orders, uses order groups, opens a subaccount, makes keys; no open orders stay.
"""

import argparse
import json
import time
import uuid
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from kalshi_python_sync import Configuration, KalshiClient
from kalshi_python_sync.exceptions import ApiException
from kalshi_python_sync.models.batch_cancel_orders_v2_request_orders_inner import BatchCancelOrdersV2RequestOrdersInner
from kalshi_python_sync.models.create_order_v2_request import CreateOrderV2Request


def client(host: str, credentials: str = "") -> Any:
    """Return the official client, as its own documentation sets it up."""
    configuration = Configuration(host=host)
    if credentials:
        key_id, _, pem_file = credentials.partition("=")
        configuration.api_key_id = key_id
        configuration.private_key_pem = Path(pem_file).read_text()
    return KalshiClient(configuration)


def plain(value: Any) -> Any:
    """Return a response as the JSON that its model holds."""
    return None if value is None else json.loads(value.model_dump_json())


def failure(call: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return how a call failed, which it must."""
    try:
        call(*args, **kwargs)
    except ApiException as error:
        return {"type": type(error).__name__, "status": error.status, "body": json.loads(error.body)}
    raise AssertionError("the call should have failed")


class Session:
    """Two accounts and one market."""

    def __init__(self, host: str, ticker: str, maker: str, taker: str) -> None:
        self.host = host
        self.ticker = ticker
        self.maker, self.taker, self.nobody = client(host, maker), client(host, taker), client(host)
        self.seen: dict[str, Any] = {}

    def body(self, side: str, price: str, count: str, **more: Any) -> dict[str, Any]:
        """Return the arguments of an order."""
        return {
            "ticker": self.ticker,
            "side": side,
            "count": count,
            "price": price,
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
            **more,
        }

    def market_data(self) -> None:
        """Read everything public, without a key."""
        api, see = self.nobody, self.seen
        see["status"] = plain(api.get_exchange_status())
        see["schedule"] = plain(api.get_exchange_schedule())
        market = api.get_market(self.ticker).market
        see["market"] = plain(market)
        event = api.get_event(market.event_ticker, with_nested_markets=True)
        see["event"] = plain(event)
        see["event_beside"] = plain(api.get_event(market.event_ticker))
        see["series"] = plain(api.get_series(event.event.series_ticker, include_volume=True))
        see["series_list"] = plain(api.get_series_list(include_volume=True))
        see["events"] = plain(api.get_events(limit=50, with_nested_markets=True))
        see["markets"] = plain(api.get_markets(limit=1000))
        see["open_in_event"] = plain(api.get_markets(event_ticker=market.event_ticker, status="open"))
        see["paged"] = self.tickers_by_page()
        see["book_empty"] = plain(api.get_market_orderbook(self.ticker))
        see["missing_market"] = failure(api.get_market, "NO-SUCH-MARKET")

    def tickers_by_page(self) -> list[str]:
        """Return all tickers, one a page."""
        found: list[str] = []
        cursor = None
        while cursor != "":
            page = self.nobody.get_markets(limit=1, cursor=cursor)
            found += [market.ticker for market in page.markets]
            cursor = page.cursor
        return found

    def quoting(self) -> None:
        """The maker quotes both sides; the client order id works once."""
        maker, see = self.maker, self.seen
        see["balance_before"] = plain(maker.get_balance())
        see["taker_before"] = plain(self.taker.get_balance())
        name = str(uuid.uuid4())
        created = maker.create_order_v2(**self.body("bid", "0.40", "10", client_order_id=name))
        see["created"] = plain(created)
        see["duplicate"] = failure(maker.create_order_v2, **self.body("bid", "0.40", "10", client_order_id=name))
        see["order"] = plain(maker.get_order(created.order_id))
        see["resting"] = plain(maker.get_orders(ticker=self.ticker, status="resting"))
        see["balance_quoted"] = plain(maker.get_balance())
        see["resting_value"] = plain(maker.get_portfolio_resting_order_total_value())
        until = int(time.time()) + 86_400
        ask = maker.create_order_v2(**self.body("ask", "0.60", "5.00", post_only=True, expiration_time=until))
        see["ask"] = plain(maker.get_order(ask.order_id))
        see["post_only"] = failure(maker.create_order_v2, **self.body("ask", "0.40", "1", post_only=True))
        see["book"] = plain(self.nobody.get_market_orderbook(self.ticker, depth=1))
        see["books"] = plain(self.nobody.get_market_orderbooks(tickers=[self.ticker]))
        see["quoted_market"] = plain(self.nobody.get_market(self.ticker))
        self.bid, self.ask = created.order_id, ask.order_id

    def trading(self) -> None:
        """The taker sells 3 into the bid; whatever cannot be filled at once is refused or cancelled."""
        taker, see = self.taker, self.seen
        see["fok"] = failure(taker.create_order_v2, **self.body("ask", "0.40", "999", time_in_force="fill_or_kill"))
        sold = taker.create_order_v2(**self.body("ask", "0.40", "2.00", time_in_force="fill_or_kill"))
        see["sold"] = plain(sold)
        ioc = taker.create_order_v2(**self.body("ask", "0.40", "1.00", time_in_force="immediate_or_cancel"))
        see["ioc"] = plain(ioc)
        missed = taker.create_order_v2(**self.body("ask", "0.55", "1.00", time_in_force="immediate_or_cancel"))
        see["ioc_missed"] = plain(taker.get_order(missed.order_id))
        see["self_trade"] = plain(self.maker.create_order_v2(**self.body("ask", "0.40", "1.00")))
        see["bid_partly_filled"] = plain(self.maker.get_order(self.bid))
        see["trades"] = plain(self.nobody.get_trades(ticker=self.ticker))
        for name, api in (("maker", self.maker), ("taker", self.taker)):
            see[f"{name}_fills"] = plain(api.get_fills(ticker=self.ticker))
            see[f"{name}_positions"] = plain(api.get_positions(ticker=self.ticker))
            see[f"{name}_balance"] = plain(api.get_balance())
        see["fills_of_order"] = plain(taker.get_fills(order_id=sold.order_id))
        see["traded_market"] = plain(self.nobody.get_market(self.ticker))

    def cancelling(self) -> None:
        """Batches, single cancels, and all at once."""
        maker, see = self.maker, self.seen
        see["cancelled"] = plain(maker.cancel_order_v2(self.ask, market_ticker=self.ticker))
        see["cancelled_again"] = failure(maker.cancel_order_v2, self.ask)
        see["not_mine"] = failure(self.taker.get_order, self.bid)
        good = CreateOrderV2Request(**self.body("bid", "0.10", "1"))
        bad = CreateOrderV2Request(**self.body("bid", "0.105", "1"))
        batch = maker.batch_create_orders_v2(orders=[good, bad])
        see["batch"] = plain(batch)
        rows = [
            BatchCancelOrdersV2RequestOrdersInner(order_id=order_id)
            for order_id in (batch.orders[0].order_id, str(uuid.uuid4()))
        ]
        see["batch_cancelled"] = plain(maker.batch_cancel_orders_v2(orders=rows))
        see["cancel_all"] = maker.cancel_all_orders_with_http_info().status_code
        see["left"] = plain(maker.get_orders(status="resting"))
        see["canceled"] = plain(maker.get_orders(ticker=self.ticker, status="canceled"))
        see["book_after"] = plain(self.nobody.get_market_orderbook(self.ticker))
        see["balance_after"] = plain(maker.get_balance())

    def refusals(self) -> None:
        """What the venue does not offer yet, and what nobody may do."""
        see = self.seen
        see["unfunded"] = failure(self.taker.create_order_v2, **self.body("bid", "0.99", "900000"))
        see["not_offered"] = failure(self.maker.get_rfqs, limit=1)
        see["unsigned"] = failure(self.nobody.get_balance)

    def changing(self) -> None:
        """Amend, decrease, and watch the queue; an order that only reduces."""
        maker, taker, see = self.maker, self.taker, self.seen
        first = maker.create_order_v2(**self.body("bid", "0.40", "10", client_order_id="first")).order_id
        second = taker.create_order_v2(**self.body("bid", "0.40", "2")).order_id
        see["queue_behind"] = plain(taker.get_order_queue_position(second))
        see["queue_mine"] = plain(maker.get_order_queue_positions(market_tickers=self.ticker))
        see["decreased_by"] = plain(maker.decrease_order_v2(first, reduce_by="3"))
        see["decreased_to"] = plain(maker.decrease_order_v2(first, reduce_to="6.00"))
        see["decreased_order"] = plain(maker.get_order(first))
        see["decrease_both"] = failure(maker.decrease_order_v2, first, reduce_by="1", reduce_to="1")
        same = {"ticker": self.ticker, "side": "bid"}
        until = int(time.time()) + 86_400
        see["amend_expiry"] = plain(maker.amend_order_v2(first, **same, price="0.40", count="6", expiration_time=until))
        see["queue_kept"] = plain(taker.get_order_queue_position(second))
        maker.amend_order_v2(first, **same, price="0.40", count="7", expiration_time=0)
        see["queue_lost"] = plain(taker.get_order_queue_position(second))
        taker.cancel_order_v2(second)
        taker.create_order_v2(**self.body("ask", "0.45", "4"))
        names = {"client_order_id": "first", "updated_client_order_id": "renamed"}
        see["amend_crossed"] = plain(maker.amend_order_v2(first, **same, price="0.45", count="7", **names))
        see["amend_other_side"] = failure(maker.amend_order_v2, first, **(same | {"side": "ask"}), price="0.45", count="7")
        taker.create_order_v2(**self.body("bid", "0.44", "9"))
        maker.cancel_order_v2(first)
        now = {"time_in_force": "immediate_or_cancel", "reduce_only": True}
        see["reduced"] = plain(maker.create_order_v2(**self.body("ask", "0.44", "9", **now)))
        see["nothing_to_reduce"] = failure(maker.create_order_v2, **self.body("ask", "0.44", "9", **now))
        taker.cancel_all_orders()

    def grouping(self) -> None:
        """An order group from its making to its end."""
        maker, see = self.maker, self.seen
        group = maker.create_order_group(contracts_limit=3)
        see["group_created"] = plain(group)
        group_id = group.order_group_id
        resting = maker.create_order_v2(**self.body("bid", "0.40", "5", order_group_id=group_id)).order_id
        see["group_order"] = plain(maker.get_order(resting))
        see["groups"] = plain(maker.get_order_groups())
        see["group"] = plain(maker.get_order_group(group_id))
        self.taker.create_order_v2(**self.body("ask", "0.40", "3"))
        see["group_hit"] = plain(maker.get_order_group(group_id))
        see["group_closed"] = failure(maker.create_order_v2, **self.body("bid", "0.40", "1", order_group_id=group_id))
        answers = [maker.reset_order_group(group_id)]
        answers.append(maker.update_order_group_limit(group_id, contracts_limit_fp="9.50"))
        maker.create_order_v2(**self.body("bid", "0.40", "5", order_group_id=group_id))
        answers.append(maker.trigger_order_group(group_id))
        see["group_triggered"] = plain(maker.get_order_group(group_id))
        answers.append(maker.delete_order_group(group_id))
        see["group_answers"] = answers
        see["group_gone"] = failure(maker.get_order_group, group_id)

    def dividing(self) -> None:
        """A subaccount: open it, fund it, trade in it."""
        maker, see = self.maker, self.seen
        opened = maker.create_subaccount()
        see["subaccount"] = plain(opened)
        number = opened.subaccount_number
        sent = {"from_subaccount": 0, "to_subaccount": number, "amount_cents": 500}
        transfer_id = str(uuid.uuid4())
        again = [maker.apply_subaccount_transfer(client_transfer_id=transfer_id, **sent) for _ in range(2)]
        see["transfer_answers"] = again
        see["transfers"] = plain(maker.get_subaccount_transfers())
        see["subaccount_balances"] = plain(maker.get_subaccount_balances())
        maker.update_subaccount_netting(subaccount_number=number, enabled=True)
        see["netting"] = plain(maker.get_subaccount_netting())
        placed = maker.create_order_v2(**self.body("bid", "0.40", "10", subaccount=number))
        see["subaccount_orders"] = plain(maker.get_orders(subaccount=number))
        see["subaccount_balance"] = plain(maker.get_balance(subaccount=number))
        see["subaccount_amended"] = plain(maker.decrease_order_v2(placed.order_id, subaccount=number, reduce_to="5"))
        see["subaccount_cancelled"] = plain(maker.cancel_order_v2(placed.order_id, subaccount=number))
        self.number = number

    def making_keys(self) -> None:
        """Keys: made here, made there, locked, and gone."""
        maker, see = self.maker, self.seen
        made = maker.generate_api_key(name="made", scopes=["read"], subaccount=self.number)
        see["key_begins"] = made.private_key.split("\n")[0]
        configuration = Configuration(host=self.host)
        configuration.api_key_id, configuration.private_key_pem = made.api_key_id, made.private_key
        reader = KalshiClient(configuration)
        see["key_balance"] = plain(reader.get_balance())
        see["key_may_not_trade"] = failure(reader.create_order_v2, **self.body("bid", "0.40", "1"))
        see["keys"] = plain(maker.get_api_keys())
        see["key_deleted"] = maker.delete_api_key_with_http_info(made.api_key_id).status_code
        see["key_gone"] = failure(reader.get_balance)
        public = load_pem_private_key(made.private_key.encode(), None).public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        again = maker.create_api_key(name="again", public_key=pem)
        configuration.api_key_id = again.api_key_id
        see["key_again"] = plain(KalshiClient(configuration).get_balance())

    def settled(self) -> None:
        """Read what the market's resolution left."""
        see = self.seen
        see["market"] = plain(self.nobody.get_market(self.ticker))
        for name, api in (("maker", self.maker), ("taker", self.taker)):
            see[f"{name}_settlements"] = plain(api.get_settlements(ticker=self.ticker))
            see[f"{name}_balance"] = plain(api.get_balance())
            see[f"{name}_open"] = plain(api.get_positions(ticker=self.ticker))
            see[f"{name}_settled"] = plain(api.get_positions(ticker=self.ticker, settlement_status="settled"))


def main() -> None:
    """Run one phase."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("phase", choices=("trade", "settled", "manage"))
    for option in ("--host", "--ticker", "--maker", "--taker"):
        parser.add_argument(option, required=True)
    arguments = parser.parse_args()
    session = Session(arguments.host, arguments.ticker, arguments.maker, arguments.taker)
    if arguments.phase == "settled":
        session.settled()
    elif arguments.phase == "manage":
        session.changing()
        session.grouping()
        session.dividing()
        session.making_keys()
    else:
        session.market_data()
        session.quoting()
        session.trading()
        session.cancelling()
        session.refusals()
    print(json.dumps(session.seen))


if __name__ == "__main__":
    main()
