"""How long the exchange remembers ids that may come again, so that its state does not grow for ever.

With a retention, an id is remembered for at least so long after its order finished or its request was made, and at most twice as
long: there are two generations, and at each interval the older one goes. Until then the same id is refused; afterwards it is new.
Concerned are order ids of custodial accounts, client order ids (those of open orders always stay), and the references of
withdrawals and transfers (that of a withdrawal that waits for approval stays too).

Never forgotten is what the contract never forgets: orders that a wallet signed, vault actions and their nonces, exits paid out.
"""

from offchain_book.engine import market_commands as m
from offchain_book.engine.events import Event
from offchain_book.engine.listing import reject
from offchain_book.engine.market_events import IdsForgotten, RetentionSet
from offchain_book.engine.order import Order
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import Due, State


def set_retention(state: State, command: m.SetRetention) -> list[Event]:
    """Remember ids for so long from now on; 0 is for ever. What was remembered for ever already stays."""
    if command.retention_ms < 0:
        return reject(RejectCode.INVALID_SCHEDULE, field="retention_ms", value=command.retention_ms)
    if state.forget_ms:
        state.agenda.discard((state.forget_ms, Due.FORGET, ""))
    state.retention_ms = command.retention_ms
    _plan(state)
    return [RetentionSet(command.retention_ms)]


def _plan(state: State) -> None:
    state.forget_ms = state.now_ms + state.retention_ms if state.retention_ms else 0
    if state.forget_ms:
        state.put_on_agenda(state.forget_ms, Due.FORGET)


def finish(state: State, order: Order) -> None:
    """Remember the id of an order that has left."""
    if state.retention_ms and order.terms.signed is None:
        state.recent_order_ids.add(order.order_id)
    else:
        state.finished_order_ids.add(order.order_id)


def is_finished(state: State, order_id: str) -> bool:
    """Whether an order of this id is remembered to have left."""
    return order_id in state.recent_order_ids or order_id in state.finished_order_ids or order_id in state.earlier_order_ids


def use(state: State, reference: str) -> None:
    """Remember the reference of a withdrawal or a transfer."""
    (state.recent_references if state.retention_ms else state.references).add(reference)


def is_used(state: State, reference: str) -> bool:
    """Whether a reference is remembered, or that of a withdrawal which waits."""
    return (
        reference in state.recent_references
        or reference in state.references
        or reference in state.earlier_references
        or reference in state.waiting_withdrawals
    )


def forget(state: State, events: list[Event]) -> None:
    """Drop the older generation, and client order ids whose order nobody knows any more."""
    gone = len(state.earlier_order_ids) + len(state.earlier_references)
    state.earlier_order_ids, state.recent_order_ids = state.recent_order_ids, set()
    state.earlier_references, state.recent_references = state.recent_references, set()
    for account in state.accounts.values():
        names = account.client_order_ids
        for name in [name for name, order_id in names.items() if not _is_known(state, order_id)]:
            del names[name]
    events.append(IdsForgotten(gone))
    _plan(state)


def _is_known(state: State, order_id: str) -> bool:
    return order_id in state.orders or is_finished(state, order_id)
