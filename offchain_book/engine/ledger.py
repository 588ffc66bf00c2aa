"""Double entry: every posting sums to zero per asset, and no real account's total ever falls below zero."""

from collections.abc import Sequence

from offchain_book.engine.events import Event, Posted
from offchain_book.engine.market import Market
from offchain_book.engine.state import Credit, State
from offchain_book.engine.units import CASH

Line = tuple[str, str, int]
"""(account, asset, signed millionths)."""


class InvariantBroken(Exception):
    """A bug: the exchange stops and keeps its journal."""


def check(condition: bool, what: str) -> None:
    """Stop the exchange when something that must hold does not."""
    if not condition:
        raise InvariantBroken(what)


def post(state: State, reference: str, lines: Sequence[Line], events: list[Event]) -> tuple[Line, ...]:
    """Move money and tokens. Returns the lines that changed something."""
    moved = tuple([line for line in lines if line[2]])
    if not moved:
        return moved
    sums: dict[str, int] = {}
    account, contra, last_id = None, None, ""
    for account_id, asset, amount in moved:
        if asset in sums:
            sums[asset] += amount
        else:
            sums[asset] = amount
        if account_id != last_id:  # lines of one account stand together
            account, last_id = state.accounts.get(account_id), account_id
            contra = state.contra.setdefault(account_id, {}) if account is None else None
        if contra is not None:
            contra[asset] = contra.get(asset, 0) + amount
        elif account is not None:
            (account.balances.get(asset) or account.balance(asset)).total += amount
    for total in sums.values():
        if total:
            raise InvariantBroken(f"posting {reference} does not balance: {sums}")
    events.append(Posted(reference, moved))
    return moved


def issue(state: State, market: Market, sets_micros: int) -> None:
    """Count sets as made (or, negative, redeemed) on the collateral account's side; the caller moves the other accounts'."""
    vault, yes, no = market.ledger_names
    contra = state.contra.get(vault)
    if contra is None:
        contra = state.contra[vault] = {}
    contra[CASH] = contra.get(CASH, 0) + sets_micros
    contra[yes] = contra.get(yes, 0) - sets_micros
    contra[no] = contra.get(no, 0) - sets_micros


def real_lines(state: State, lines: Sequence[Line]) -> tuple[Credit, ...]:
    """Return the lines of real accounts (not contra accounts), as they are recorded with an operation."""
    return tuple(Credit(*line) for line in lines if line[0] in state.accounts)


def mark_pending(state: State, credits: Sequence[Credit]) -> None:
    """Count lines as pending until their operation is final."""
    for credit in credits:
        balance = state.accounts[credit.account_id].balance(credit.asset)
        if credit.amount_micros > 0:
            balance.pending_in += credit.amount_micros
        else:
            balance.pending_out -= credit.amount_micros


def clear_pending(state: State, credits: Sequence[Credit]) -> None:
    """The operation is final, or will never be: its lines are no longer pending."""
    for credit in credits:
        balance = state.accounts[credit.account_id].balance(credit.asset)
        if credit.amount_micros > 0:
            balance.pending_in -= credit.amount_micros
        else:
            balance.pending_out += credit.amount_micros
        check(balance.pending_in >= 0 and balance.pending_out >= 0, f"pending below zero for {credit.account_id}")
