"""Reserves as an account holder and an auditor check them: by command, against chain and journal, trusting nobody."""

import json
from pathlib import Path
from typing import Any

from tests.system.conftest import VenueProcess, causeway


def run(running: VenueProcess, *args: str) -> tuple[int, Any]:
    done = causeway(*args, "-o", "json", "--data-dir", str(running.data_dir))
    return done.returncode, json.loads(done.stdout.splitlines()[0])


def test_an_account_holder_checks_that_the_chain_counts_him(
    running: VenueProcess, venue: dict[str, Any], tmp_path: Path
) -> None:
    code, published = run(running, "reserves", "publish")
    assert code == 0, published
    assert published["tx_hash"].startswith("0x")
    proof, leaves = str(tmp_path / "proof.json"), str(tmp_path / "leaves.json")
    assert run(running, "reserves", "proof", "bob", "--save", proof)[0] == 0
    assert run(running, "reserves", "leaves", "--save", leaves)[0] == 0
    chain = ["--rpc", venue["rpc"], "--contract", venue["contracts"]["venue"]]
    journal = ["--journal", str(running.data_dir / "journal.log")]
    done = causeway("verify-reserves", proof, leaves, *chain, *journal, "-o", "json")
    assert done.returncode == 0, done.stderr
    assert [one["what"].startswith(("bob is counted: ", "all leaves")) for one in json.loads(done.stdout)["checked"]] == [
        True,
        True,
    ]

    lied = json.loads(Path(proof).read_text())
    lied["inclusions"][0]["amount_micros"] = str(int(lied["inclusions"][0]["amount_micros"]) - 1)
    Path(proof).write_text(json.dumps(lied))
    done = causeway("verify-reserves", proof, *chain)
    assert done.returncode == 1
    assert "leads to another root" in done.stderr


def test_the_reserves_are_equal_in_a_final_block(running: VenueProcess, venue: dict[str, Any]) -> None:
    _, found = run(running, "reserves", "show")
    assert found["block_number"] > 0
    assert not [row for row in found["rows"] if row["difference_micros"]]
    assert found["collateral"]["held_micros"] >= found["collateral"]["claimed_micros"]
