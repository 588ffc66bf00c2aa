"""The engine is integers only and does not depend on hash order."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parents[2] / "offchain_book" / "engine"
FILES = sorted(ENGINE.glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_engine_has_no_float_and_no_true_division(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), node.lineno
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)), node.lineno
        assert not (isinstance(node, ast.Name) and node.id == "float"), node.lineno


_REPLAY = """
import json
from offchain_book.engine.snapshot import state_hash
from tests.engine.walk import Walk
walk = Walk(5)
for _ in range(200):
    walk.step()
print(json.dumps([state_hash(walk.venue.state), walk.venue.state.seq]))
"""


def test_the_same_commands_give_the_same_state_hash_under_any_hash_seed() -> None:
    answers = []
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ENGINE.parents[1])}
        done = subprocess.run([sys.executable, "-c", _REPLAY], env=environment, capture_output=True, check=True)
        answers.append(json.loads(done.stdout))
    assert answers[0] == answers[1] == answers[2]
