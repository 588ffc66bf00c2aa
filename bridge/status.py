"""What others script against: the part of `causeway status` that the venue writes to its data folder."""

from collections.abc import Mapping
from typing import Any

from bridge import seed
from bridge.datadir import DataDir
from offchain_book.config import Settings
from offchain_book.engine.state import State


def describe(
    settings: Settings, contracts: Mapping[str, str], data: DataDir, state: State, seed_number: int, fix: Mapping[str, str]
) -> dict[str, Any]:
    """Return where everything is. `seq`, `state_hash` and `ready` are the running venue's own to say."""
    return {
        "http": settings.http_url,
        "ws": settings.http_url.replace("http", "ws", 1),
        "gamma": f"{settings.http_url}/gamma",
        "data_api": f"{settings.http_url}/data-api",
        "rpc": settings.rpc_url,
        "fix": dict(fix),
        "page": f"{settings.http_url}/",
        "chain_id": settings.chain_id,
        "client_chain_id": settings.client_chain_id,
        "contracts": dict(contracts),
        "abi_dir": str(data.abi),
        "accounts": _accounts(data, state, seed_number),
        "markets": {
            market.ticker: {
                "event_ticker": market.event_ticker,
                "condition_id": market.condition_id,
                "token_ids": {"yes": market.yes_token_id, "no": market.no_token_id},
            }
            for market in state.markets.values()
        },
        "operator_token_path": str(data.operator_token),
        "reviewer_token_path": str(data.reviewer_token),
        "limits": {
            "confirmations": settings.confirmations,
            "settle_deadline_s": settings.settle_deadline_s,
            "exit_delay_s": settings.exit_delay_s,
        },
        "data_dir": str(data.path),
    }


def _accounts(data: DataDir, state: State, seed_number: int) -> dict[str, dict[str, dict[str, str]]]:
    """Return the demo's people with their keys, which are public."""
    return {
        "custodial": {
            name: {"key_id": seed.key_id(seed_number, name), "private_key_path": str(data.keys / f"{name}.pem")}
            for name in seed.CUSTODIAL
            if seed.key_id(seed_number, name) in state.keys
        },
        "wallets": {
            name: {"address": key.address, "private_key": key.private_key}
            for name, key in seed.wallet_keys().items()
            if key.address in state.accounts
        },
    }
