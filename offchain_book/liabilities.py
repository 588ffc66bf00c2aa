"""What the venue owes, as a Merkle-sum tree: whoever has an account can check that the total counts it, in full and once.

Standard library only, so that whoever verifies need not trust, or install, the rest. Each asset has a tree of its own; the
root commits to every asset's tree, in order, with the position in the journal. Rules, and what each of them stops:

- A node hashes *both* children's sums, not their total: otherwise a total can be understated (ePrint 2018/1139).
- Amounts are unsigned: a negative one, which would shrink the total, cannot be written down.
- A leaf names its account, and its index and the number of leaves fix its path (the tree's shape is RFC 6962's): one leaf
  cannot stand for two accounts, nor appear twice.
- Leaves are salted per account and statement: neighbours in a proof tell nobody's balance but sums.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_AMOUNT = 2**127 - 1
_LEAF, _NODE, _ASSET, _ROOT = b"\x00", b"\x01", b"\x02", b"\x03"


class BadProof(Exception):
    """The proof or the statement does not hold; the message names the check that failed."""


@dataclass(frozen=True, slots=True)
class Node:
    """A hash and the sum, in millionths, of everything below it."""

    digest: str
    """64 hexadecimal digits."""
    sum_micros: int


@dataclass(frozen=True, slots=True)
class AssetTotal:
    """One asset's tree, as the root commits to it."""

    asset: str
    leaves: int
    digest: str
    total_micros: int


@dataclass(frozen=True, slots=True)
class Statement:
    """The public part: what is owed per asset after command `seq`, and the root that goes on chain."""

    seq: int
    assets: tuple[AssetTotal, ...]

    @property
    def root(self) -> str:
        """Return the root: a hash over the command number and every asset's tree, in the order of their names."""
        hashed = hashlib.sha256(_ROOT + self.seq.to_bytes(8, "big"))
        for one in self.assets:
            hashed.update(
                _hash(_ASSET, _text(one.asset), _count(one.leaves), bytes.fromhex(one.digest), _sum(one.total_micros))
            )
        return hashed.hexdigest()

    def of(self, asset: str) -> AssetTotal:
        """Return one asset's tree. Raises BadProof when the statement has none."""
        for one in self.assets:
            if one.asset == asset:
                return one
        raise BadProof(f"the statement counts nothing in {asset}")


@dataclass(frozen=True, slots=True)
class Inclusion:
    """One account's amount of one asset, and the way from its leaf to the asset's root."""

    asset: str
    amount_micros: int
    index: int
    siblings: tuple[Node, ...]
    """From the leaf upwards."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Everything that one account needs to check that a statement counts it."""

    account_id: str
    salt: str
    statement: Statement
    inclusions: tuple[Inclusion, ...]


def salt_of(secret: bytes, seq: int, account_id: str) -> str:
    """Return an account's salt in the statement of command `seq`: nobody without the venue's secret can guess it."""
    return hmac.new(secret, b"liabilities:%d:%s" % (seq, account_id.encode()), "sha256").hexdigest()


def leaf(salt: str, account_id: str, asset: str, amount_micros: int) -> Node:
    """Return an account's leaf."""
    return Node(_hash(_LEAF, bytes.fromhex(salt), _text(account_id), _text(asset), _sum(amount_micros)).hex(), amount_micros)


def join(left: Node, right: Node) -> Node:
    """Return the parent of two nodes; it commits to each child's sum."""
    digest = _hash(
        _NODE,
        _sum(left.sum_micros) + bytes.fromhex(left.digest),
        _sum(right.sum_micros) + bytes.fromhex(right.digest),
    )
    return Node(digest.hex(), left.sum_micros + right.sum_micros)


class Tree:
    """All leaves of one statement, and the proofs that can be made from them."""

    def __init__(self, seq: int, owed: Mapping[str, Mapping[str, int]], secret: bytes) -> None:
        """`owed` is asset -> account id -> millionths. Raises BadProof for a negative amount."""
        self._salts: dict[str, str] = {}
        self._levels: dict[str, list[list[Node]]] = {}
        self._accounts: dict[str, list[tuple[str, int]]] = {}
        for asset in sorted(owed):
            rows = self._accounts[asset] = sorted(owed[asset].items())
            for account_id, _ in rows:
                if account_id not in self._salts:
                    self._salts[account_id] = salt_of(secret, seq, account_id)
            self._levels[asset] = _levels([leaf(self._salts[name], name, asset, amount) for name, amount in rows])
        self._index = {
            (asset, account_id): index
            for asset, rows in self._accounts.items()
            for index, (account_id, _) in enumerate(rows)
        }
        self.statement = Statement(seq, tuple(self._total(asset, levels) for asset, levels in self._levels.items()))

    @staticmethod
    def _total(asset: str, levels: Sequence[Sequence[Node]]) -> AssetTotal:
        top = levels[-1][0]
        return AssetTotal(asset, len(levels[0]), top.digest, top.sum_micros)

    def leaves(self) -> dict[str, list[Node]]:
        """Return every asset's leaves, in order: hashes and amounts, no names. For an auditor."""
        return {asset: list(levels[0]) for asset, levels in self._levels.items()}

    def proof(self, account_id: str) -> Proof:
        """Return an account's proof. Raises BadProof when the statement has nothing of it."""
        if account_id not in self._salts:
            raise BadProof(f"the statement counts nothing of {account_id}")
        found = tuple(
            Inclusion(asset, rows[index][1], index, tuple(_siblings(self._levels[asset], index)))
            for asset, rows in self._accounts.items()
            if (index := self._index.get((asset, account_id))) is not None
        )
        return Proof(account_id, self._salts[account_id], self.statement, found)


def verify(proof: Proof, root: str) -> None:
    """Check a proof against a published root. Raises BadProof naming the first check that fails."""
    statement = proof.statement
    _check_statement(statement, root)
    seen: set[str] = set()
    for one in proof.inclusions:
        if one.asset in seen:
            raise BadProof(f"{one.asset} appears twice in the proof")
        seen.add(one.asset)
        total = statement.of(one.asset)
        if not 0 <= one.index < total.leaves:
            raise BadProof(f"{one.asset}: leaf {one.index} is none of {total.leaves}")
        node = leaf(proof.salt, proof.account_id, one.asset, one.amount_micros)
        top = _climb(node, one.index, total.leaves, one.siblings)
        if (top.digest, top.sum_micros) != (total.digest, total.total_micros):
            raise BadProof(
                f"{one.asset}: {proof.account_id} with {one.amount_micros} leads to another root than the statement's"
            )


def verify_leaves(statement: Statement, leaves: Mapping[str, Sequence[Node]], root: str) -> None:
    """Check a whole statement: every leaf counts, once, none is negative, and they add up to what is published."""
    _check_statement(statement, root)
    seen: set[str] = set()
    if sorted(leaves) != [one.asset for one in statement.assets]:
        raise BadProof("the leaves are of other assets than the statement")
    for one in statement.assets:
        rows = leaves[one.asset]
        for index, node in enumerate(rows):
            _sum(node.sum_micros)
            if node.digest in seen:
                raise BadProof(f"{one.asset}: leaf {index} is a duplicate")
            seen.add(node.digest)
        if len(rows) != one.leaves:
            raise BadProof(f"{one.asset}: {len(rows)} leaves, the statement counts {one.leaves}")
        top = _levels(list(rows))[-1][0]
        if (top.digest, top.sum_micros) != (one.digest, one.total_micros):
            raise BadProof(f"{one.asset}: the leaves add up to {top.sum_micros}, the statement says {one.total_micros}")


def _check_statement(statement: Statement, root: str) -> None:
    names = [one.asset for one in statement.assets]
    if names != sorted(set(names)):
        raise BadProof("the statement's assets are not in order, or one appears twice")
    for one in statement.assets:
        _sum(one.total_micros)
    if not hmac.compare_digest(statement.root, root.removeprefix("0x").lower()):
        raise BadProof(f"the statement's root is {statement.root}, the published one {root}")


# --- as JSON ------------------------------------------------------------------------------------------------------------


def read_statement(data: Mapping[str, Any]) -> Statement:
    """Return a statement from its JSON form. Raises BadProof when it is none."""
    try:
        assets = tuple(
            AssetTotal(str(one["asset"]), int(one["leaves"]), _digest(one["digest"]), int(one["total_micros"]))
            for one in data["assets"]
        )
        return Statement(int(data["seq"]), assets)
    except (KeyError, TypeError, ValueError) as error:
        raise BadProof(f"this is no statement: {error!r}") from error


def read_nodes(data: Sequence[Mapping[str, Any]]) -> tuple[Node, ...]:
    """Return nodes from their JSON form. Raises BadProof when they are none."""
    try:
        return tuple(Node(_digest(one["digest"]), int(one["sum_micros"])) for one in data)
    except (KeyError, TypeError, ValueError) as error:
        raise BadProof(f"this is no list of nodes: {error!r}") from error


def read_proof(data: Mapping[str, Any]) -> Proof:
    """Return a proof from its JSON form. Raises BadProof when it is none."""
    try:
        inclusions = tuple(
            Inclusion(str(one["asset"]), int(one["amount_micros"]), int(one["index"]), read_nodes(one["siblings"]))
            for one in data["inclusions"]
        )
        return Proof(str(data["account_id"]), _digest(data["salt"]), read_statement(data["statement"]), inclusions)
    except (KeyError, TypeError, ValueError) as error:
        raise BadProof(f"this is no proof: {error!r}") from error


def _digest(text: Any) -> str:
    if not isinstance(text, str) or len(bytes.fromhex(text)) != hashlib.sha256().digest_size:
        raise BadProof(f"{text!r:.80} is no hash of 32 bytes")
    return text.lower()


# --- the tree's shape (RFC 6962: the left subtree is the largest full one) ---------------------------------------------


def _levels(leaves: list[Node]) -> list[list[Node]]:
    """Return every level, leaves first. A last node without a neighbour moves up as it is: never joined with itself."""
    levels = [leaves]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = [join(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
        levels.append(pairs + below[len(below) - len(below) % 2 :])
    return levels


def _siblings(levels: Sequence[Sequence[Node]], index: int) -> list[Node]:
    found: list[Node] = []
    for level in levels[:-1]:
        neighbour = index ^ 1
        if neighbour < len(level):
            found.append(level[neighbour])
        index //= 2
    return found


def _climb(node: Node, index: int, count: int, siblings: Sequence[Node]) -> Node:
    """Walk up from a leaf: index and number of leaves say at each level whether there is a neighbour, and on which side."""
    rest = list(reversed(siblings))
    while count > 1:
        if index ^ 1 < count:
            if not rest:
                raise BadProof("the proof is too short")
            sibling = rest.pop()
            node = join(sibling, node) if index % 2 else join(node, sibling)
        index, count = index // 2, (count + 1) // 2
    if rest:
        raise BadProof("the proof is too long")
    return node


# --- encoding: fixed widths, or a length in front, so that no two inputs hash alike ----------------------------------------


def _hash(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _sum(amount_micros: int) -> bytes:
    if not 0 <= amount_micros <= MAX_AMOUNT:
        raise BadProof(f"the amount {amount_micros} is negative or too large")
    return amount_micros.to_bytes(16, "big")


def _count(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(4, "big") + raw
