"""Do journal, ledger and chain tell one story? Call `audit` on a running venue after anything that might have broken it.

The journal file is replayed here a second time, and the chain is read past the venue: nothing is asked of the venue but its
status. Everything is compared for equality; a difference of a millionth of a dollar fails.
"""

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.chain import Chain
from bridge.indexer import account_reference
from bridge.logs import OPERATION_EVENTS, Deposited, OperationSkipped
from offchain_book.engine.chain_commands import CreditDeposit
from offchain_book.engine.exchange import apply
from offchain_book.engine.names import token_asset
from offchain_book.engine.operations import Outcome
from offchain_book.engine.snapshot import state_hash
from offchain_book.engine.state import State
from offchain_book.journal import read, read_config
from offchain_book.projections import Projections
from offchain_book.recovery import first_state
from tests.builders import assert_books_balance

QUIET_TIMEOUT_S = 120
Status = dict[str, Any]


@dataclass(frozen=True)
class Acknowledged:
    """What a client was told: this request counts, this order exists, this much of it is filled."""

    request_id: str
    order_id: str = ""
    filled_micros: int = 0


@dataclass(frozen=True)
class Audited:
    """What the audit saw, for tests that want more."""

    state: State
    read: Projections
    requests: Counter[str]
    skipped: dict[int, int]
    """Operation -> the contract's reason."""


@dataclass(frozen=True)
class Replayed:
    """A journal up to a command."""

    state: State
    read: Projections
    deposits: list[CreditDeposit]
    requests: Counter[str]


def live(status: Status) -> Status:
    """Return `/venue/status`."""
    with urllib.request.urlopen(f"{status['http']}/venue/status", timeout=60) as answer:
        return dict(json.loads(answer.read()))


def replay_until(journal: Path, seq: int) -> Replayed:
    """Return what the first `seq` commands of a journal lead to; a running venue may be writing more."""
    state = first_state(read_config(journal))
    found = Replayed(state, Projections(), [], Counter())
    for entry in read(journal):
        if entry.seq > seq:
            break
        found.read.observe(state, entry, apply(state, entry))
        found.requests[entry.request_id] += 1
        if isinstance(entry.command, CreditDeposit):
            found.deposits.append(entry.command)
    return found


def _chain(status: Status) -> Chain:
    abi = json.loads((Path(status["abi_dir"]) / "Venue.json").read_text())
    return Chain(status["rpc"], int(status["chain_id"]), abi, status["contracts"]["venue"])


def wait_until_quiet(status: Status, chain: Chain) -> Status:
    """Return the live status once nothing is open and every deposit on chain is credited."""
    deadline = time.monotonic() + QUIET_TIMEOUT_S
    while True:
        found = live(status)
        if found["ready"] and not found["operations"]["open"]:
            journal = Path(status["data_dir"]) / "journal.log"
            if replay_until(journal, found["seq"]).state.next_deposit == chain.deposit_count():
                return found
        assert time.monotonic() < deadline, f"not quiet after {QUIET_TIMEOUT_S} s: {found}"
        time.sleep(0.2)


def audit(status: Status, acknowledged: Iterable[Acknowledged] = ()) -> Audited:
    """Wait until nothing is in flight, then compare everything with everything. `status` is `causeway status -o json`."""
    chain = _chain(status)
    try:
        quiet = wait_until_quiet(status, chain)
        abi = json.loads((Path(status["abi_dir"]) / "TestUSD.json").read_text())
        owned = chain.read("balanceOf", [chain.address], to=status["contracts"]["collateral"], abi=abi)
        journal = Path(status["data_dir"]) / "journal.log"
        return audit_quiet(journal, quiet["seq"], quiet["state_hash"], chain, owned, acknowledged)
    finally:
        chain.close()


def audit_quiet(
    journal: Path, seq: int, live_hash: str, chain: Chain, owned_micros: int, acknowledged: Iterable[Acknowledged] = ()
) -> Audited:
    """Compare a journal's first `seq` commands with the live state and with a chain on which nothing is in flight.

    `owned_micros` is the collateral that the contract owns.
    """
    found = replay_until(journal, seq)
    assert state_hash(found.state) == live_hash, "the journal leads to another state than the live one"
    assert_books_balance(found.state)
    _check_acknowledged(found, acknowledged)
    skipped = _check_stream(found.state, chain)
    _check_deposits(found, chain)
    _check_balances(found.state, chain, owned_micros)
    return Audited(found.state, found.read, found.requests, skipped)


def _check_acknowledged(found: Replayed, acknowledged: Iterable[Acknowledged]) -> None:
    """Nothing that a client was told is lost."""
    for one in acknowledged:
        assert found.requests[one.request_id] == 1, f"{one} is {found.requests[one.request_id]} times in the journal"
        if one.order_id:
            assert found.read.orders[one.order_id].filled_micros >= one.filled_micros, one


def _check_stream(state: State, chain: Chain) -> dict[int, int]:
    """Every operation left exactly one event on chain, and the counters agree. Returns what was skipped."""
    events = [event for event in chain.logs(0, chain.head().number) if isinstance(event, OPERATION_EVENTS)]
    assert sorted(event.number for event in events) == list(range(state.next_operation)), "an operation ran twice, or never"
    assert chain.next_operation() == state.confirmed_operations == state.next_operation
    skipped = {event.number: event.reason for event in events if isinstance(event, OperationSkipped)}
    assert chain.skipped_operations() == state.skipped_operations == len(skipped)
    return skipped


def _check_deposits(found: Replayed, chain: Chain) -> None:
    """Every deposit on chain is credited once, to whom it was for."""
    names = {account_reference(name): name for name, one in found.state.accounts.items() if not one.is_wallet}
    expected = [
        (event.index, names.get(event.account_reference, event.account_reference), event.amount_micros, event.place.tx_hash)
        if event.wallet == chain.address
        else (event.index, event.wallet, event.amount_micros, event.place.tx_hash)
        for event in chain.logs(0, chain.head().number, ("Deposited",))
        if isinstance(event, Deposited)
    ]
    credited = [(one.deposit_index, one.account_id, one.amount_micros, one.tx_hash) for one in found.deposits]
    assert credited == expected


def _check_balances(state: State, chain: Chain, owned_micros: int) -> None:
    """Each wallet's vault balance is its settled one, the pool's is the ledger's projection, and the dollars add up."""
    holders: dict[tuple[str, str], int] = {}
    """(holder, token id or "" for cash) -> what the ledger expects."""
    for account in state.accounts.values():
        for balance in account.balances.values():
            assert balance.pending == balance.pending_in == balance.pending_out == 0, account.account_id
        if account.is_wallet:
            holders[account.account_id, ""] = account.cash.settled
            for listed in state.markets.values():
                for outcome in Outcome:
                    settled = account.balance(token_asset(listed.ticker, outcome)).settled
                    holders[account.account_id, listed.token_id(outcome)] = settled
    holders[chain.address, ""] = state.pool_cash_micros
    for listed in state.markets.values():
        holders[chain.address, listed.yes_token_id] = listed.pool_yes_micros
        holders[chain.address, listed.no_token_id] = listed.pool_no_micros
    calls: list[tuple[str, tuple[Any, ...]]] = [
        ("vaultBalanceOf", (holder, int(token))) if token else ("cashOf", (holder,)) for holder, token in holders
    ]
    on_chain = dict(zip(holders, chain.read_all(calls), strict=True))
    differences = {key: (on_chain[key], wanted) for key, wanted in holders.items() if on_chain[key] != wanted}
    assert not differences, f"(chain, ledger) differ: {differences}"
    _check_dollars(state, chain, owned_micros, sum(on_chain[key] for key in holders if not key[1]))


def _check_dollars(state: State, chain: Chain, owned_micros: int, cash: int) -> None:
    """The contract owns the cash of all accounts plus what backs the tokens; one set is backed by one dollar."""
    listed = list(state.markets.values())
    conditions = chain.read_all([("conditionOf", (bytes.fromhex(market.condition_id[2:]),)) for market in listed])
    for market, (_, collateral, _) in zip(listed, conditions, strict=True):
        if market.yes_payout_micros < 0:
            assert collateral == market.yes_supply_micros - market.unsplit_micros, market.ticker
    assert owned_micros == cash + sum(collateral for _, collateral, _ in conditions)


def check_venue_is_gone(status: Status) -> None:
    """The HTTP port answers nobody."""
    try:
        live(status)
    except (OSError, urllib.error.URLError):
        return
    raise AssertionError("the venue still answers")
