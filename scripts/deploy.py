#!/usr/bin/env python3
"""Deploy the contracts to a node and print the address book: for people who want the contracts without the venue.

    .venv/bin/python scripts/deploy.py --rpc http://127.0.0.1:8545 --out build/

The roles are the development keys unless --roles names a JSON file {"operator": "0x…", "oracle": …, "reviewer": …,
"guardian": …, "admin": …} of private keys; the admin's account pays. Chain 137 is refused.
"""

import argparse
import json
import sys
from pathlib import Path

from bridge.chain import Chain, Reverted, WrongChain, address_of
from bridge.compiler import CompilationFailed, compile_contracts
from bridge.deployment import DeploymentError, Key, RoleKeys, Terms, as_json, deploy, role_keys, write_abis
from bridge.rpc import ChainUnavailable, RpcClient

ROOT = Path(__file__).resolve().parent.parent


def read_roles(path: Path | None) -> RoleKeys:
    """Return the role keys of a file, or the development keys."""
    if path is None:
        return role_keys()
    keys = {name: Key(key, address_of(key)) for name, key in json.loads(path.read_text()).items()}
    return RoleKeys(**keys)


def main() -> int:
    """Deploy and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rpc", default="http://127.0.0.1:8545", help="the node's JSON-RPC URL")
    parser.add_argument("--out", type=Path, help="folder for deployment.json and abi/")
    parser.add_argument("--roles", type=Path, help="JSON file with the five private keys")
    parser.add_argument("--settle-deadline", type=int, default=60, help="seconds")
    parser.add_argument("--exit-delay", type=int, default=120, help="seconds")
    args = parser.parse_args()
    try:
        artifacts = compile_contracts(ROOT, ROOT / "var" / "cache")
        chain_id = int(RpcClient(args.rpc).call("eth_chainId"), 16)
        chain = Chain(args.rpc, chain_id, artifacts["Venue"].abi)
        found = as_json(deploy(chain, artifacts, read_roles(args.roles), Terms(args.settle_deadline, args.exit_delay)))
    except (ChainUnavailable, CompilationFailed, DeploymentError, OSError, Reverted, WrongChain) as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    if args.out is not None:
        write_abis(artifacts, args.out / "abi")
        (args.out / "deployment.json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
