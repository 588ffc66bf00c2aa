"""Runs an official client in its own environment and calls it line by line, for tests that need several at once.

    .venv-kalshi/bin/python tests/sdk/driver.py kalshi HOST KEY_ID PEM_FILE
    .venv-polymarket/bin/python tests/sdk/driver.py polymarket HOST PRIVATE_KEY
    .venv-polymarket/bin/python tests/sdk/driver.py polymarket_1271 HOST PRIVATE_KEY CONTRACT_WALLET
    .venv-polymarket/bin/python tests/sdk/driver.py polymarket_v1 HOST PRIVATE_KEY

Reads {"method", "args", "kwargs"} per line, writes {"result"} or {"error": {"type", "status", "body"}} and "seconds". An
argument {"$": "Name", ...} is built as that class of the client's own types. Imports nothing of ours.
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

CHAIN_ID = 80002


def kalshi(host: str, key_id: str = "", pem_file: str = "") -> Any:
    """Return Kalshi's client, set up as its documentation says."""
    module = importlib.import_module("kalshi_python_sync")
    configuration = module.Configuration(host=f"{host}/trade-api/v2")
    if key_id:
        configuration.api_key_id = key_id
        configuration.private_key_pem = Path(pem_file).read_text()
    return module.KalshiClient(configuration)


def polymarket(host: str, key: str, module: str = "py_clob_client_v2", **more: Any) -> Any:
    """Return Polymarket's client with its API credentials."""
    client = importlib.import_module(f"{module}.client").ClobClient(host, chain_id=CHAIN_ID, key=key, **more)
    create = getattr(client, "create_or_derive_api_key", None) or client.create_or_derive_api_creds
    client.set_api_creds(create())
    return client


def polymarket_v1(host: str, key: str) -> Any:
    """Return Polymarket's older client."""
    return polymarket(host, key, "py_clob_client")


def polymarket_1271(host: str, key: str, wallet: str) -> Any:
    """Return Polymarket's client for a wallet made of code, for which the key signs."""
    return polymarket(host, key, signature_type=3, funder=wallet)


def build(value: Any, types: Any) -> Any:
    """Build the client's own argument types out of JSON."""
    if isinstance(value, dict) and "$" in value:
        fields = {name: build(item, types) for name, item in value.items() if name != "$"}
        return getattr(types, value["$"])(**fields)
    if isinstance(value, list):
        return [build(item, types) for item in value]
    return value


def plain(value: Any) -> Any:
    """Return an answer as JSON data."""
    if hasattr(value, "model_dump_json"):
        return json.loads(value.model_dump_json())
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return (
        value
        if isinstance(value, str | int | float | bool | None)
        else vars(value)
        if hasattr(value, "__dict__")
        else str(value)
    )


def call(client: Any, types: Any, request: dict[str, Any]) -> Any:
    """Make one call. `order` and `market_order` are create + post, the way a bot places them."""
    args = [build(item, types) for item in request.get("args", [])]
    kwargs = {name: build(item, types) for name, item in request.get("kwargs", {}).items()}
    if request["method"] in ("order", "market_order"):
        kind = kwargs.pop("order_type", "GTC")
        post = {name: kwargs.pop(name) for name in ("post_only",) if name in kwargs}
        create = client.create_order if request["method"] == "order" else client.create_market_order
        arguments = types.OrderArgs if request["method"] == "order" else types.MarketOrderArgs
        return client.post_order(create(arguments(**kwargs)), kind, **post)
    return getattr(client, request["method"])(*args, **kwargs)


def main() -> None:
    """Serve until the input ends."""
    dialect, *arguments = sys.argv[1:]
    clients = {made.__name__: made for made in (kalshi, polymarket, polymarket_1271, polymarket_v1)}
    client = clients[dialect](*arguments)
    packages = {"polymarket": "py_clob_client_v2", "polymarket_1271": "py_clob_client_v2", "polymarket_v1": "py_clob_client"}
    package = f"{packages[dialect]}.clob_types" if dialect in packages else None
    types = importlib.import_module(package or "kalshi_python_sync.models")
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        started = time.monotonic()
        try:
            answer: dict[str, Any] = {"result": plain(call(client, types, json.loads(line)))}
        except Exception as error:
            status = getattr(error, "status", None) or getattr(error, "status_code", None)
            body = getattr(error, "body", None) or getattr(error, "error_msg", None) or str(error)
            answer = {"error": {"type": type(error).__name__, "status": status, "body": body}}
        answer["seconds"] = time.monotonic() - started
        print(json.dumps(answer, default=str), flush=True)


main()
