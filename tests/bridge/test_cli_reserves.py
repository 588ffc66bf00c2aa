"""`causeway verify-reserves` on files that a dishonest venue might hand out."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from offchain_book.gateways.reserves import proof_view, statement_view
from offchain_book.liabilities import Tree

OWED = {"USDC": {name: 1_000_000 * number for number, name in enumerate(("alice", "bob", "carol", "dan", "eve"), start=1)}}
Files = dict[str, Any]


def files_of(owed: dict[str, dict[str, int]], name: str = "bob") -> tuple[Files, str]:
    """What the venue publishes: leaves for the auditor, one account's proof, and the root."""
    tree = Tree(7, owed, b"the venue's own")
    nodes = {
        asset: [{"digest": one.digest, "sum_micros": str(one.sum_micros)} for one in found]
        for asset, found in tree.leaves().items()
    }
    leaves = {"statement": statement_view(tree.statement), "leaves": nodes}
    return {"leaves": leaves, "proof": proof_view(tree.proof(name))}, tree.statement.root


def verified(folder: Path, files: Files, root: str) -> tuple[int, str]:
    """Run the command as an auditor does; returns its exit code and what it said."""
    paths = []
    for name, content in files.items():
        paths.append(str(folder / f"{name}.json"))
        Path(paths[-1]).write_text(json.dumps(content))
    done = CliRunner().invoke(app, ["verify-reserves", *paths, "--root", root])
    return done.exit_code, done.output


def without_a_user(files: Files) -> str:
    """Leave somebody out of the tree: the statement is whole, and his proof leads nowhere."""
    rest = {name: amount for name, amount in OWED["USDC"].items() if name != "bob"}
    smaller, root = files_of({"USDC": rest}, "alice")
    files["leaves"] = smaller["leaves"]
    return root


def without_a_leaf(files: Files) -> str:
    files["leaves"]["leaves"]["USDC"].pop(1)
    return str(files["leaves"]["statement"]["root"])


def with_a_negative_balance(files: Files) -> str:
    files["leaves"]["leaves"]["USDC"][2]["sum_micros"] = "-3000000"
    return str(files["leaves"]["statement"]["root"])


def with_a_negative_sibling(files: Files) -> str:
    files["proof"]["inclusions"][0]["siblings"][0]["sum_micros"] = "-1"
    return str(files["leaves"]["statement"]["root"])


def with_a_duplicated_leaf(files: Files) -> str:
    nodes = files["leaves"]["leaves"]["USDC"]
    nodes[1] = deepcopy(nodes[0])
    return str(files["leaves"]["statement"]["root"])


def with_a_smaller_balance(files: Files) -> str:
    files["proof"]["inclusions"][0]["amount_micros"] = "1"
    return str(files["leaves"]["statement"]["root"])


def test_honest_files_hold(tmp_path: Path) -> None:
    files, root = files_of(OWED)
    code, said = verified(tmp_path, files, root)
    assert code == 0, said
    assert "bob is counted" in said


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (without_a_user, "root"),
        (without_a_leaf, "leaves"),
        (with_a_negative_balance, "negative"),
        (with_a_negative_sibling, "negative"),
        (with_a_duplicated_leaf, "duplicate"),
        (with_a_smaller_balance, "root"),
    ],
)
def test_tampered_files_do_not(tmp_path: Path, tamper: Callable[[Files], str], why: str) -> None:
    files, _ = files_of(OWED)
    code, said = verified(tmp_path, files, tamper(files))
    assert code == 1, said
    assert why in said
