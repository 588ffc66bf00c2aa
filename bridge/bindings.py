"""Typed bindings from ABIs: a Python module over web3.py and a TypeScript module of constants for viem, wagmi or ethers.

Both are text that depends on nothing but the address book and the ABIs; what comes out is meant to be imported, not edited.
"""

import json
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bridge.chain import keccak_hex

Abi = Sequence[Mapping[str, Any]]
_ARRAY = re.compile(r"(.*)\[\d*\]$")
_HEAD = '''"""The contracts of one Causeway deployment, typed. Made by `causeway bindings`; make it again after a new deployment.

Amounts are millionths. A view is a method that returns what the contract says; a transaction is a method that returns web3's
ContractFunction: call `.transact({{"from": address}})` or `.build_transaction(...)` on it. `revert_reason` names the contract's
own errors with their values.
"""

import json
from typing import Any, NamedTuple, cast

from eth_abi.abi import decode
from web3 import Web3
from web3.contract.contract import ContractFunction

CHAIN_ID = {chain_id}
ADDRESSES: dict[str, str] = {addresses}


def revert_reason(data: str) -> str:
    """Return `Error(name=value, …)` of revert data, which web3 raises as ContractCustomError; unknown data as it is."""
    known = ERRORS.get(data[:10])
    if known is None:
        return data
    name, inputs = known
    values = decode([kind for _, kind in inputs], bytes.fromhex(data[10:]))
    return f"{{name}}({{', '.join(f'{{field}}={{value}}' for (field, _), value in zip(inputs, values, strict=True))}})"
'''


def python(chain_id: int, addresses: Mapping[str, str], abis: Mapping[str, Abi]) -> str:
    """Return a Python module with a class for each contract that has an address."""
    errors: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    parts = [_HEAD.format(chain_id=chain_id, addresses=_literal(dict(addresses)))]
    classes = []
    for name, abi in abis.items():
        for entry in abi:
            if entry["type"] == "error":
                kinds = [_signature(one) for one in entry["inputs"]]
                selector = keccak_hex(f"{entry['name']}({','.join(kinds)})")[:10]
                errors[selector] = (
                    entry["name"],
                    [(one["name"], kind) for one, kind in zip(entry["inputs"], kinds, strict=True)],
                )
        if name in addresses:
            classes.append("\n".join(_class(name, abi)))
    parts.append(f"\n\nERRORS: dict[str, tuple[str, list[tuple[str, str]]]] = {_literal(errors)}")
    parts.append("\n" + "\n\n\n".join(classes))
    return "\n".join(parts) + "\n"


def typescript(chain_id: int, addresses: Mapping[str, str], abis: Mapping[str, Abi], rpc_url: str) -> str:
    """Return a TypeScript module of literal constants: with `as const`, viem and wagmi infer every type from an ABI."""
    lines = [
        "// The contracts of one Causeway deployment. Made by `causeway bindings`; make it again after a new deployment.",
        f"export const chain = {json.dumps({'id': chain_id, 'name': 'Causeway (local)', 'rpcUrl': rpc_url})} as const;",
        f"export const addresses = {json.dumps(dict(addresses), indent=2)} as const;",
    ]
    for name, abi in abis.items():
        lines.append(f"export const {name[0].lower()}{name[1:]}Abi = {json.dumps(abi, indent=1)} as const;")
    return "\n".join(lines) + "\n"


# --- Python ----------------------------------------------------------------------------------------------------------


def _class(name: str, abi: Abi) -> Iterator[str]:
    functions = [entry for entry in abi if entry["type"] == "function"]
    for entry in functions:
        yield from _tuples(name, entry)
    yield f"class {name}:"
    yield f'    """The contract {name} at an address; without one, the deployment\'s."""'
    yield ""
    yield f"    ABI: list[dict[str, Any]] = json.loads({json.dumps(json.dumps(abi))})"
    yield ""
    yield f'    def __init__(self, w3: Web3, address: str = ADDRESSES["{name}"]) -> None:'
    yield "        self.address = Web3.to_checksum_address(address)"
    yield "        self.contract = w3.eth.contract(address=self.address, abi=self.ABI)"
    for entry in functions:
        yield ""
        yield from _method(name, entry)


def _tuples(contract: str, entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield the named tuple of a function that returns several values, or a struct."""
    fields = _result_fields(entry)
    if fields is not None:
        yield f"class {_result_name(contract, entry)}(NamedTuple):"
        yield f'    """What `{_snake(entry["name"])}` returns."""'
        yield ""
        for index, field in enumerate(fields):
            yield f"    {_field(field, index)}: {_type(field)}"
        yield ""
        yield ""


def _method(contract: str, entry: Mapping[str, Any]) -> Iterator[str]:
    arguments = "".join(f", {_field(one, index)}: {_type(one)}" for index, one in enumerate(entry["inputs"]))
    call = f'self.contract.get_function_by_signature("{_full(entry)}")'
    passed = ", ".join(_passed(one, index) for index, one in enumerate(entry["inputs"]))
    if entry["stateMutability"] not in ("view", "pure"):
        yield f"    def {_snake(entry['name'])}(self{arguments}) -> ContractFunction:"
        yield f'        """Transaction `{_full(entry)}`."""'
        yield f"        return cast(ContractFunction, {call}({passed}))"
        return
    result, fields = _result(contract, entry), _result_fields(entry)
    block = ', block: int | str = "latest"'
    yield f"    def {_snake(entry['name'])}(self{arguments}{block}) -> {result}:"
    yield f'        """View `{_full(entry)}`."""'
    yield f"        found: Any = {call}({passed}).call(block_identifier=cast(Any, block))"
    yield f"        return {result}(*found)" if fields is not None else f"        return cast({result}, found)"


def _result_fields(entry: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
    outputs: Sequence[Mapping[str, Any]] = entry["outputs"]
    if entry["stateMutability"] not in ("view", "pure"):
        return None
    if len(outputs) > 1:
        return outputs
    if outputs and outputs[0]["type"] == "tuple":
        components: Sequence[Mapping[str, Any]] = outputs[0]["components"]
        return components
    return None


def _result_name(contract: str, entry: Mapping[str, Any]) -> str:
    name = entry["name"]
    return f"{contract}{name[0].upper()}{name[1:]}"


def _result(contract: str, entry: Mapping[str, Any]) -> str:
    if _result_fields(entry) is not None:
        return _result_name(contract, entry)
    return _type(entry["outputs"][0]) if entry["outputs"] else "None"


def _type(parameter: Mapping[str, Any]) -> str:
    """Return the Python type of a parameter."""
    kind = parameter["type"]
    array = _ARRAY.match(kind)
    if array:
        return f"list[{_type({**parameter, 'type': array[1]})}]"
    if kind == "tuple":
        return f"tuple[{', '.join(_type(one) for one in parameter['components'])}]"
    if kind.startswith(("uint", "int")):
        return "int"
    if kind.startswith("bytes"):
        return "bytes"
    return "bool" if kind == "bool" else "str"


def _full(entry: Mapping[str, Any]) -> str:
    return f"{entry['name']}({','.join(_signature(one) for one in entry['inputs'])})"


def _signature(parameter: Mapping[str, Any]) -> str:
    """Return a parameter's type as selectors are made of it."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_signature(one) for one in parameter['components'])}){kind.removeprefix('tuple')}"


def _field(parameter: Mapping[str, Any], index: int) -> str:
    name = _snake(parameter["name"]).strip("_") or f"value_{index}"
    return f"{name}_" if keyword.iskeyword(name) else name


def _passed(parameter: Mapping[str, Any], index: int) -> str:
    """Return how an argument goes to web3, which takes addresses by their checksum only."""
    name = _field(parameter, index)
    return f"Web3.to_checksum_address({name})" if parameter["type"] == "address" else name


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _literal(value: Any) -> str:
    return repr(value).replace("'", '"')
