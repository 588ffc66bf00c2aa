"""`causeway verify-reserves --journal` replayed without the terms of the journal's header: what the outflow limit had refused was
carried out by the auditor, and an honest statement did not add up."""

from pathlib import Path

from bridge.cli_reserves import check_journal
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.exchange import apply
from offchain_book.engine.rejects import RejectCode
from offchain_book.journal import Journal, read_config
from offchain_book.liabilities import Tree
from offchain_book.recovery import first_state
from offchain_book.reserves import owed
from tests.builders import DOLLAR, WALT, rejected

TERMS = {"settle_deadline_s": 60, "pool_outflow_limit_micros": 10 * DOLLAR, "pool_outflow_window_s": 1_000}


def test_auditor_refuses_what_the_venue_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", TERMS)
    state = first_state(read_config(tmp_path / "journal"))
    commands = [
        c.OpenAccount("alice", c.Custody.CUSTODIAL),
        cc.CreditDeposit(0, "alice", 50 * DOLLAR, "0x1", 1, "0x2"),
        cc.ObserveChain(10, 5_000, False),
        c.Withdraw("w1", "alice", 40 * DOLLAR, WALT),
    ]
    for seq, command in enumerate(commands, start=1):
        entry = c.Sequenced(seq, seq * 1_000, "", command)
        journal.append([entry])
        events = apply(state, entry)
    assert rejected(events).code is RejectCode.OUTFLOW_LIMIT
    journal.close()
    check_journal(Tree(state.seq, owed(state), b"secret").statement, tmp_path / "journal")
