"""Order groups: orders of one account that share a limit on what may match in any 15 seconds of venue time.

When the limit is reached, every order of the group is cancelled and new ones are refused until it is reset. The match that
reaches it stands in full, so a group may exceed its limit by at most that one match.
"""

from offchain_book.engine import commands as c
from offchain_book.engine.account import Account, OrderGroup
from offchain_book.engine.cancels import cancel_order
from offchain_book.engine.events import Event, GroupChange, OrderGroupChanged
from offchain_book.engine.listing import reject
from offchain_book.engine.order import CancelReason, Order
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State
from offchain_book.engine.units import LOT_MICROS, ONE_CONTRACT_MICROS

WINDOW_MS = 15_000
"""Length of the rolling window."""
MAX_LIMIT_MICROS = 1_000_000 * ONE_CONTRACT_MICROS
"""Largest limit: a million contracts."""
MAX_GROUPS = 100_000
"""Most groups of one account."""


def check(account: Account, group_id: str) -> list[Event] | None:
    """Refuse an order whose group is not there or has been triggered."""
    group = account.groups.get(group_id)
    if group is None:
        return reject(RejectCode.UNKNOWN_ORDER_GROUP, group_id=group_id)
    if group.triggered:
        return reject(RejectCode.ORDER_GROUP_TRIGGERED, group_id=group_id)
    return None


def count_match(state: State, order: Order, size_micros: int, events: list[Event]) -> bool:
    """Count a match of a group's order; returns whether the group is triggered now."""
    account = order.account
    group = account.groups[order.terms.group_id]
    window = group.window
    if window and window[-1][0] == state.now_ms:
        window[-1] = (state.now_ms, window[-1][1] + size_micros)
    else:
        window.append((state.now_ms, size_micros))
    group.matched_micros += size_micros
    return _trigger_if_reached(state, account, group, events)


def matched_micros(group: OrderGroup, now_ms: int) -> int:
    """Return what has matched in the window that ends now."""
    return group.matched_micros - sum(size for at_ms, size in group.window if at_ms <= now_ms - WINDOW_MS)


def room_micros(group: OrderGroup, now_ms: int) -> int:
    """Return what may still match before the group is triggered."""
    return group.limit_micros - matched_micros(group, now_ms)


def _trigger_if_reached(state: State, account: Account, group: OrderGroup, events: list[Event]) -> bool:
    window = group.window
    while window and window[0][0] <= state.now_ms - WINDOW_MS:
        group.matched_micros -= window.popleft()[1]
    if group.matched_micros >= group.limit_micros and not group.triggered:
        _trigger(state, account, group, events)
    return group.triggered


def _trigger(state: State, account: Account, group: OrderGroup, events: list[Event]) -> None:
    group.triggered = True
    _cancel_orders(state, group, CancelReason.GROUP_TRIGGERED, events)
    events.append(_changed(account, group, GroupChange.TRIGGERED))


def _cancel_orders(state: State, group: OrderGroup, reason: CancelReason, events: list[Event]) -> None:
    for order in list(group.orders.values()):
        # An order that is being amended has left the book for the moment; its own match ends it.
        if order.in_book:
            cancel_order(state, order, reason, events)


def _changed(account: Account, group: OrderGroup, change: GroupChange) -> OrderGroupChanged:
    return OrderGroupChanged(group.group_id, account.account_id, change, group.limit_micros)


GroupCommand = c.SetOrderGroupLimit | c.TriggerOrderGroup | c.ResetOrderGroup | c.DeleteOrderGroup


def _find(state: State, command: GroupCommand) -> tuple[Account, OrderGroup] | list[Event]:
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    group = account.groups.get(command.group_id)
    if group is None:
        return reject(RejectCode.UNKNOWN_ORDER_GROUP, group_id=command.group_id)
    return account, group


def _check_limit(limit_micros: int) -> list[Event] | None:
    if not ONE_CONTRACT_MICROS <= limit_micros <= MAX_LIMIT_MICROS or limit_micros % LOT_MICROS:
        return reject(RejectCode.INVALID_GROUP_LIMIT, limit_micros=limit_micros, highest_micros=MAX_LIMIT_MICROS)
    return None


def create(state: State, command: c.CreateOrderGroup) -> list[Event]:
    """Create a group."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    if not command.group_id or command.group_id in account.groups:
        return reject(RejectCode.ORDER_GROUP_EXISTS, group_id=command.group_id)
    if len(account.groups) >= MAX_GROUPS:
        return reject(RejectCode.TOO_MANY_ORDER_GROUPS, limit=MAX_GROUPS)
    refused = _check_limit(command.limit_micros)
    if refused:
        return refused
    group = account.groups[command.group_id] = OrderGroup(command.group_id, command.limit_micros)
    return [_changed(account, group, GroupChange.CREATED)]


def set_limit(state: State, command: c.SetOrderGroupLimit) -> list[Event]:
    """Change a group's limit; what has matched already may trigger it at once."""
    found = _find(state, command)
    if isinstance(found, list):
        return found
    refused = _check_limit(command.limit_micros)
    if refused:
        return refused
    account, group = found
    group.limit_micros = command.limit_micros
    events: list[Event] = [_changed(account, group, GroupChange.LIMIT_UPDATED)]
    _trigger_if_reached(state, account, group, events)
    return events


def trigger(state: State, command: c.TriggerOrderGroup) -> list[Event]:
    """Stop a group by hand."""
    found = _find(state, command)
    if isinstance(found, list):
        return found
    events: list[Event] = []
    _trigger(state, *found, events)
    return events


def reset(state: State, command: c.ResetOrderGroup) -> list[Event]:
    """Start a group's count again."""
    found = _find(state, command)
    if isinstance(found, list):
        return found
    account, group = found
    group.triggered = False
    group.matched_micros = 0
    group.window.clear()
    return [_changed(account, group, GroupChange.RESET)]


def delete(state: State, command: c.DeleteOrderGroup) -> list[Event]:
    """Cancel a group's orders and forget it."""
    found = _find(state, command)
    if isinstance(found, list):
        return found
    account, group = found
    events: list[Event] = []
    _cancel_orders(state, group, CancelReason.GROUP_DELETED, events)
    del account.groups[group.group_id]
    events.append(_changed(account, group, GroupChange.DELETED))
    return events
