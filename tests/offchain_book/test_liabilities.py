"""Proof of liabilities: what an honest statement proves to everybody, and what a dishonest one cannot hide."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offchain_book.liabilities import (
    AssetTotal,
    BadProof,
    Node,
    Proof,
    Statement,
    Tree,
    join,
    leaf,
    salt_of,
    verify,
    verify_leaves,
)

SECRET = b"the venue's own"
NAMES = [f"account-{number}" for number in range(9)]
ledgers = st.dictionaries(
    st.sampled_from(["USDC", "RAIN:YES", "RAIN:NO"]),
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 2**70), min_size=1),
    min_size=1,
)
OWED = {"USDC": {name: 1_000_000 * (number + 1) for number, name in enumerate(NAMES)}, "RAIN:YES": {"account-2": 5}}


@given(ledgers, st.integers(0, 2**40))
def test_everybody_can_prove_to_be_counted(owed: dict[str, dict[str, int]], seq: int) -> None:
    tree = Tree(seq, owed, SECRET)
    statement = tree.statement
    assert {one.asset: one.total_micros for one in statement.assets} == {a: sum(rows.values()) for a, rows in owed.items()}
    verify_leaves(statement, tree.leaves(), statement.root)
    for name in {name for rows in owed.values() for name in rows}:
        proof = tree.proof(name)
        verify(proof, "0x" + statement.root)
        assert {one.asset: one.amount_micros for one in proof.inclusions} == {
            asset: rows[name] for asset, rows in owed.items() if name in rows
        }


@given(ledgers, st.data())
def test_no_other_amount_passes_with_somebody_elses_proof(owed: dict[str, dict[str, int]], data: st.DataObject) -> None:
    tree = Tree(1, owed, SECRET)
    name = data.draw(st.sampled_from(sorted({name for rows in owed.values() for name in rows})))
    proof = tree.proof(name)
    first = proof.inclusions[0]
    broken = data.draw(
        st.sampled_from(
            [
                replace(proof, account_id=name + "x"),
                replace(proof, salt=salt_of(b"another", 1, name)),
                _with(proof, replace(first, amount_micros=first.amount_micros + 1)),
                _with(proof, replace(first, amount_micros=-1)),
                _with(proof, replace(first, index=first.index + 1)),
                _with(proof, replace(first, siblings=(*first.siblings, Node("00" * 32, 0)))),
                _with(proof, replace(first, asset="NOTHING")),
                replace(proof, inclusions=(first, first)),
            ]
        )
    )
    with pytest.raises(BadProof):
        verify(broken, tree.statement.root)


def _with(proof: Proof, inclusion: object) -> Proof:
    return replace(proof, inclusions=(inclusion, *proof.inclusions[1:]))


def test_an_omitted_account_has_no_proof() -> None:
    honest, statement = Tree(7, OWED, SECRET), _without("account-4")
    with pytest.raises(BadProof, match="root"):
        verify(honest.proof("account-4"), statement.root)
    with pytest.raises(BadProof, match=r"another root|too long"):
        verify(replace(honest.proof("account-4"), statement=statement), statement.root)


def _without(name: str) -> Statement:
    left = {asset: {n: amount for n, amount in rows.items() if n != name} for asset, rows in OWED.items()}
    return Tree(7, left, SECRET).statement


def test_a_negative_balance_cannot_be_written_down() -> None:
    with pytest.raises(BadProof, match="negative"):
        Tree(1, {"USDC": {"alice": 5, "bob": -1}}, SECRET)
    tree = Tree(1, OWED, SECRET)
    leaves = tree.leaves()
    leaves["USDC"][3] = Node(leaves["USDC"][3].digest, -5)
    with pytest.raises(BadProof, match="negative"):
        verify_leaves(tree.statement, leaves, tree.statement.root)


def test_a_negative_sum_among_the_siblings_is_refused() -> None:
    """A node with a negative sum beside an honest leaf would hide what is owed to the leaf."""
    proof = Tree(1, OWED, SECRET).proof("account-2")
    cash = next(one for one in proof.inclusions if one.asset == "USDC")
    siblings = (replace(cash.siblings[0], sum_micros=-1), *cash.siblings[1:])
    with pytest.raises(BadProof, match="negative"):
        verify(replace(proof, inclusions=(replace(cash, siblings=siblings),)), proof.statement.root)


def test_a_leaf_cannot_stand_for_two_accounts() -> None:
    """Two customers with the same balance are shown one leaf: the second one's name does not lead to the root."""
    tree = Tree(1, {"USDC": {"alice": 10, "carol": 3}}, SECRET)
    with pytest.raises(BadProof, match="another root"):
        verify(replace(tree.proof("alice"), account_id="bob"), tree.statement.root)


def test_a_duplicated_leaf_is_found() -> None:
    tree = Tree(1, {"USDC": {"alice": 10, "bob": 10}}, SECRET)
    first = tree.leaves()["USDC"][0]
    top = join(first, first)
    statement = Statement(1, (AssetTotal("USDC", 2, top.digest, top.sum_micros),))
    with pytest.raises(BadProof, match="duplicate"):
        verify_leaves(statement, {"USDC": [first, first]}, statement.root)


def test_a_node_commits_to_both_childrens_sums() -> None:
    """ePrint 2018/1139: with only the total hashed, a venue shows each customer a smaller sibling."""
    left, right = leaf("00" * 32, "alice", "USDC", 10), leaf("00" * 32, "bob", "USDC", 30)
    shifted = join(replace(left, sum_micros=30), replace(right, sum_micros=10))
    assert shifted.sum_micros == join(left, right).sum_micros
    assert shifted.digest != join(left, right).digest


def test_totals_and_counts_are_part_of_the_root() -> None:
    statement = Tree(1, OWED, SECRET).statement
    first, cash = statement.assets
    changed = [
        replace(statement, seq=2),
        replace(statement, assets=(first,)),
        replace(statement, assets=(first, replace(cash, total_micros=1))),
        replace(statement, assets=(first, replace(cash, leaves=1))),
        replace(statement, assets=(first, replace(cash, asset="X"))),
    ]
    assert statement.root not in {one.root for one in changed}


def test_an_asset_counted_twice_or_out_of_order_is_refused() -> None:
    tree = Tree(1, OWED, SECRET)
    twisted = replace(tree.statement, assets=tuple(reversed(tree.statement.assets)))
    with pytest.raises(BadProof, match="not in order"):
        verify_leaves(twisted, tree.leaves(), twisted.root)


def test_a_known_statement_keeps_its_root() -> None:
    """A published root must be checkable for ever: the format does not drift."""
    assert Tree(7, OWED, SECRET).statement.root == "c5ab6ad5d542b209387b389f09dc524eb08d5b01f03cc437cf48e42fded41dee"


def test_nobody_without_a_balance_has_a_proof() -> None:
    with pytest.raises(BadProof, match="nothing of zoe"):
        Tree(1, OWED, SECRET).proof("zoe")
