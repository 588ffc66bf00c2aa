"""Every operation of one of Kalshi's official Python clients, unmodified, found by introspection. Runs in the client's venv.

    python kalshi_conformance.py kalshi_python_async --host URL --ticker T --event E --series S --maker KEY_ID=PEM_FILE --taker ...

Needs a market with an empty book and two funded accounts. Trades, reads everything, changes and cancels; then prints
"settle" and waits for a line, so that the market can be resolved with YES; then calls what it has not called yet. Prints what
it saw as one line of JSON. Imports nothing of ours.
"""

import argparse
import asyncio
import enum
import importlib
import inspect
import json
import sys
import time
import types
import typing
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pydantic import BaseModel

READS = ("get_", "list_", "batch_get_")


class Client:
    """One account's client, and the methods of all its API classes."""

    def __init__(self, module: Any, host: str, credentials: str) -> None:
        configuration = module.Configuration(host=host)
        key_id, _, pem_file = credentials.partition("=")
        configuration.api_key_id, configuration.private_key_pem = key_id, Path(pem_file).read_text()
        self.client = module.KalshiClient(configuration)
        apis = [value for name, value in vars(self.client).items() if name.endswith("_api")]
        self.methods: dict[str, Any] = {}
        self.statuses: list[int] = []
        self._detailed: dict[str, Any] = {}
        for api in apis:
            for name in dir(api):
                if name.endswith("_with_http_info"):
                    plain_name = name.removesuffix("_with_http_info")
                    self.methods[plain_name] = getattr(api, plain_name)
                    self._detailed[plain_name] = inspect.unwrap(getattr(api, name))
        self._listen()

    def _listen(self) -> None:
        """Note the status of every answer that comes in."""
        call = self.client.call_api

        def heard(*args: Any, **kwargs: Any) -> Any:
            answer = call(*args, **kwargs)
            if inspect.isawaitable(answer):
                return self._awaited(answer)
            self.statuses.append(answer.status)
            return answer

        self.client.call_api = heard

    async def _awaited(self, coming: Any) -> Any:
        answer = await coming
        self.statuses.append(answer.status)
        return answer

    def arguments(self, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return (required, all) arguments of an operation with their types; a body's fields count as arguments."""
        hints = typing.get_type_hints(self._detailed[name], include_extras=True)
        required: dict[str, Any] = {}
        every: dict[str, Any] = {}
        for parameter in inspect.signature(self._detailed[name]).parameters.values():
            if parameter.name == "self" or parameter.name.startswith("_"):
                continue
            model = body_model(hints[parameter.name])
            if model is None:
                every[parameter.name] = hints[parameter.name]
                if parameter.default is inspect.Parameter.empty:
                    required[parameter.name] = hints[parameter.name]
                continue
            for field, info in model.model_fields.items():
                every[field] = info.annotation
                if info.is_required():
                    required[field] = info.annotation
        return required, every


def body_model(annotation: Any) -> Any:
    """Return the model that an argument is, None when it is none."""
    if typing.get_origin(annotation) in (typing.Annotated, typing.Union, types.UnionType):
        found = [body_model(part) for part in typing.get_args(annotation)]
        return next((model for model in found if model is not None), None)
    return annotation if inspect.isclass(annotation) and issubclass(annotation, BaseModel) else None


def public_half(pem_file: str) -> str:
    """Return the public half of a private key's file."""
    public = load_pem_private_key(Path(pem_file).read_bytes(), None).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def plain(value: Any) -> Any:
    """Return an answer as JSON."""
    if isinstance(value, BaseModel):
        return json.loads(value.model_dump_json(by_alias=True))
    return [plain(item) for item in value] if isinstance(value, list) else value


def made(annotation: Any, value: Any) -> Any:
    """Return a value of an annotated type, as near to `value` as it allows; models get their required fields."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return made(parts[0], value)
    if origin in (typing.Union, types.UnionType):
        return made(next(part for part in parts if part is not type(None)), value)
    if origin in (list, typing.List):  # noqa: UP006  (what the generated clients write)
        return value if isinstance(value, list) else [made(parts[0], value)]
    if inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
        return next(iter(annotation))
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        required = {name: made(field.annotation, value) for name, field in fields if field.is_required()}
        return annotation.model_construct(**required)
    if annotation is datetime:
        return datetime.now(UTC) + timedelta(hours=1)
    if annotation is str:
        return str(value)
    if annotation in (bool, int, float):
        return annotation(value) if isinstance(value, int) else annotation(1)
    return value


class Session:
    """One client generation's life on the venue."""

    def __init__(self, module: str, options: argparse.Namespace) -> None:
        self.module = importlib.import_module(module)
        self.loop = asyncio.new_event_loop()
        self.is_async = module.endswith("async")
        self.maker, self.taker = self.run(self._clients(options))
        self.first_generation = "create_order" in self.maker.methods
        self.ticker = options.ticker
        now = int(time.time())
        self.known: dict[str, Any] = {
            "ticker": options.ticker,
            "market_ticker": options.ticker,
            "tickers": [options.ticker],
            "market_tickers": options.ticker,
            "event_ticker": options.event,
            "series_ticker": options.series,
            "start_ts": now - 7_200,
            "end_ts": now + 3_600,
            "period_interval": 60,
            "limit": 100,
            "side": "yes",
            "maker_side": "yes",
            # What the generator of 3.2.0 made of a yes in YAML.
            "accepted_side": "true" if self.first_generation and module == "kalshi_python_sync" else "yes",
            "public_key": public_half(options.maker.partition("=")[2]),
        }
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.seen: dict[str, Any] = {}

    async def _clients(self, options: argparse.Namespace) -> tuple[Client, Client]:
        return tuple(Client(self.module, options.host, keys) for keys in (options.maker, options.taker))  # type: ignore[return-value]

    def run(self, value: Any) -> Any:
        """Return a result, awaited where the client is asynchronous."""
        return self.loop.run_until_complete(value) if inspect.isawaitable(value) else value

    def do(self, name: str, who: Client | None = None, /, **arguments: Any) -> Any:
        """Call an operation and note what it answered; None when it failed or has no body."""
        row: dict[str, Any] = {"status": None}
        self.answers.setdefault(name, []).append(row)
        client = who or self.maker
        client.statuses.clear()
        try:
            row["data"] = plain(self.run(client.methods[name](**arguments)))
        except Exception as error:  # a client that cannot read an answer is a finding too
            row |= {"error": f"{type(error).__name__}: {error}"[:2_000], "body": getattr(error, "body", None)}
        if client.statuses:
            row["status"] = client.statuses[-1]
        return row.get("data")

    def auto(self, name: str) -> None:
        """Call an operation with whatever it requires."""
        required, every = self.maker.arguments(name)
        known = dict(self.known)
        if "series_ticker" not in every and (
            name == "get_series_by_ticker" or ("candlesticks" in name and "market_ticker" in every)
        ):
            known["ticker"] = known["series_ticker"]
        if name == "get_market_candlesticks_by_event":
            known["ticker"] = known["event_ticker"]
        wanted = required | {field: every[field] for field in ("start_ts", "end_ts", "period_interval") if field in every}
        self.do(name, **{field: made(annotation, known.get(field, "none")) for field, annotation in wanted.items()})

    # --- trading --------------------------------------------------------------------------------------------------------------

    def order(self, side: str, cents: int, count: int, **more: Any) -> dict[str, Any]:
        """Return an order's arguments in this generation's words."""
        if self.first_generation:
            action = {"action": "buy" if side == "bid" else "sell", "side": "yes", "type": "limit"}
            return {"ticker": self.ticker, **action, "count": count, "yes_price": cents, **more}
        rules = {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}
        return {"ticker": self.ticker, "side": side, "count": f"{count}.00", "price": f"0.{cents:02}", **rules, **more}

    def place(self, who: Client, side: str, cents: int, count: int, **more: Any) -> str:
        """Place an order and return its id."""
        name = "create_order" if self.first_generation else "create_order_v2"
        data = self.do(name, who, **self.order(side, cents, count, **more))
        if data is None:
            raise RuntimeError(self.answers[name][-1])
        return str(data["order"]["order_id"] if self.first_generation else data["order_id"])

    def listed(self) -> list[str]:
        """Return the ids of the maker's open orders."""
        return [row["order_id"] for row in self.do("get_orders", status="resting")["orders"]]

    def trade(self) -> None:
        """Rest an order, meet half of it."""
        seen, name = self.seen, str(uuid.uuid4())
        seen["balance_before"] = self.do("get_balance")["balance"]
        order_id = self.place(self.maker, "bid", 40, 10, client_order_id=name)
        self.known |= {"order_id": order_id, "order_ids": [order_id]}
        seen["order"] = self.do("get_order", order_id=order_id)["order"]
        seen["listed_after_create"] = order_id in self.listed()
        self.place(self.taker, "ask", 40, 4)
        seen["after_fill"] = self.do("get_order", order_id=order_id)["order"]
        seen["fills"] = self.do("get_fills")["fills"]
        seen["positions"] = self.do("get_positions")
        seen["balance_after_fill"] = self.do("get_balance")["balance"]

    def groups(self) -> None:
        """A group of orders: made, changed, tripped, reset, deleted."""
        made_group = self.do("create_order_group", contracts_limit=50)
        if made_group is None:
            made_group = self.do("create_order_group", name="mine")
        if made_group is None:
            return
        self.known["order_group_id"] = group = (
            made_group.get("order_group_id") or made_group["order_group"]["order_group_id"]
        )
        for name in ("get_order_groups", "get_order_group"):
            if name in self.maker.methods:
                self.auto(name)
        if "update_order_group_limit" in self.maker.methods:
            self.do("update_order_group_limit", order_group_id=group, contracts_limit=60)
        for name in ("trigger_order_group", "reset_order_group", "delete_order_group"):
            if name in self.maker.methods:
                self.do(name, order_group_id=group)

    def change(self) -> None:
        """Decrease, amend, cancel one, in batches, and all."""
        order_id, seen = self.known["order_id"], self.seen
        first = self.first_generation
        suffix = "" if first else "_v2"
        self.do(f"decrease_order{suffix}", order_id=order_id, reduce_by=1 if first else "1.00")
        seen["after_decrease"] = self.do("get_order", order_id=order_id)["order"]
        amended = self.order("bid", 41, 8)
        for name in ("type", "time_in_force", "self_trade_prevention_type"):
            amended.pop(name, None)
        if first:
            name = seen["order"]["client_order_id"]
            amended |= {"client_order_id": name, "updated_client_order_id": f"{name}-2"}
        _, known = self.maker.arguments(f"amend_order{suffix}")
        self.do(f"amend_order{suffix}", order_id=order_id, **{key: value for key, value in amended.items() if key in known})
        seen["after_amend"] = self.do("get_order", order_id=order_id)["order"]
        self.do(f"cancel_order{suffix}", order_id=order_id)
        seen["listed_after_cancel"] = order_id in self.listed()
        self.batches(suffix)
        if "cancel_all_orders" in self.maker.methods:
            self.place(self.maker, "bid", 5, 1)
            self.do("cancel_all_orders")
        seen["open_at_the_end"] = self.listed()

    def batches(self, suffix: str) -> None:
        """Two orders at once, and their end."""
        models = self.module.models
        kind = models.CreateOrderRequest if self.first_generation else models.CreateOrderV2Request
        self.do(f"batch_create_orders{suffix}", orders=[kind(**self.order("bid", cents, 1)) for cents in (3, 4)])
        ids = self.seen["listed_after_batch"] = self.listed()
        name = f"batch_cancel_orders{suffix}"
        _, known = self.maker.arguments(name)
        if "ids" in known or "order_ids" in known:
            self.do(name, **{"ids" if "ids" in known else "order_ids": ids})
        else:
            self.do(name, orders=[{"order_id": order_id} for order_id in ids])

    def keys_and_parts(self) -> None:
        """API keys and subaccounts."""
        if "generate_api_key" in self.maker.methods:
            key = self.do("generate_api_key", name="second")
            self.do("get_api_keys")
            if key is not None:
                self.do("delete_api_key", api_key=key["api_key_id"])
                self.seen["deleted_key"] = key["api_key_id"]
                self.seen["keys_left"] = [row["api_key_id"] for row in self.do("get_api_keys")["api_keys"]]
        if "create_subaccount" in self.maker.methods:
            self.do("create_subaccount")
            transfer = {
                "client_transfer_id": str(uuid.uuid4()),
                "from_subaccount": 0,
                "to_subaccount": 1,
                "amount_cents": 500,
            }
            self.do("apply_subaccount_transfer", **transfer)
            self.do("update_subaccount_netting", subaccount_number=1, enabled=True)
            self.seen["parts"] = self.do("get_subaccount_balances")

    def live(self) -> dict[str, Any]:
        """Go through everything."""
        names = sorted(self.maker.methods)
        self.trade()
        for name in names:
            if name.startswith(READS) and name not in self.answers:
                self.auto(name)
        self.groups()
        self.change()
        self.keys_and_parts()
        self.seen["balance_before_settlement"] = self.do("get_balance")["balance"]
        print("settle", flush=True)
        sys.stdin.readline()
        self.seen["balance_after_settlement"] = self.do("get_balance")["balance"]
        self.seen["settlements"] = self.do("get_settlements")["settlements"]
        self.seen["settled_market"] = self.do("get_market", ticker=self.ticker)["market"]
        for name in names:
            if name not in self.answers:
                self.auto(name)
        if self.is_async:
            for client in (self.maker, self.taker):
                self.run(client.client.rest_client.close())
        return {"operations": names, "answers": self.answers, "seen": self.seen}


def main() -> None:
    """Run the session and print what happened."""
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    for name in ("host", "ticker", "event", "series", "maker", "taker"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    json.dump(Session(options.module, options).live(), sys.stdout, default=str)


if __name__ == "__main__":
    main()
