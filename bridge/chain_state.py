"""anvil's state file as bytes: whether it is whole, what it holds, and the same without old empty blocks."""

import json
from typing import Any

import msgspec

_TAIL = b'"historical_states":null}'
_BEST = b'"best_block_number":'


def complete_head(content: bytes) -> int:
    """Return the head of a state file, -1 when the file is torn."""
    if not content.rstrip().endswith(_TAIL):
        return -1
    start = content.find(_BEST)
    if start < 0:
        return -1
    digits = content[start + len(_BEST) : start + len(_BEST) + 20].split(b",")[0].strip()
    return int(digits) if digits.isdigit() else -1


def accounts_match_blocks(content: bytes, head: int) -> bool:
    """Return whether no account has sent more than the blocks up to `head` show: false for a dump amid a block."""
    state: dict[str, Any] = json.loads(content)
    sent: dict[str, int] = {}
    for transaction in state["transactions"]:
        if int(transaction["block_number"]) <= head:
            info = transaction["info"]
            sent[info["from"]] = max(sent.get(info["from"], 0), int(info["nonce"]) + 1)
    return all(
        int(account["nonce"]) <= sent.get(address, 0)
        for address, account in state["accounts"].items()
        if account["code"] == "0x"
    )


def nonce_in(content: bytes, address: str) -> int:
    """Return an account's nonce in a state file."""
    marker = f'"{address}":{{"nonce":'.encode()
    start = content.find(marker)
    return 0 if start < 0 else int(content[start + len(marker) : start + len(marker) + 20].split(b",")[0])


class _Header(msgspec.Struct):
    number: str


class _Block(msgspec.Struct):
    header: _Header
    transactions: list[msgspec.Raw]


def thinned(content: bytes, keep_from: int) -> bytes:
    """Return a state file without the empty blocks before block `keep_from`.

    Genesis stays, and so do the blocks with transactions and the parent of each: what has events can be reached as before.
    """
    parts = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    blocks = msgspec.json.decode(parts["blocks"], type=list[msgspec.Raw])
    numbers, busy = list[int](), {1}
    for raw in blocks:
        block = msgspec.json.decode(raw, type=_Block)
        numbers.append(int(block.header.number, 16))
        if block.transactions:
            busy.add(numbers[-1])
    kept = [
        raw
        for raw, number in zip(blocks, numbers, strict=True)
        if number >= keep_from or number in busy or number + 1 in busy
    ]
    parts["blocks"] = msgspec.Raw(msgspec.json.encode(kept))
    return msgspec.json.encode(parts)
