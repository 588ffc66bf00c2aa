"""How long the exchange remembers ids that may come again, so that its state does not grow for ever.

With a retention, an id is remembered for at least so long after its order finished or its request was made, and at most twice as
long: there are two generations, and at each interval the older one goes. Until then the same id is refused; afterwards it is new.
Concerned are order ids of custodial accounts, client order ids (those of open orders always stay), and the references of
withdrawals and transfers (that of a withdrawal that waits for approval stays too).

What a wallet signed is forgotten only when the same bytes would be refused for another reason for ever (ADR 0025): a V2 order
because it was signed before `signed_from_ms`, which the retention drags along behind the clock; any other order, and an action,
because its own expiry is over; a place in the contract's fill state because no order that could use it is valid any more, by the
same instant or by the wallet's watermark. The rest stays for ever, as on chain: orders of the older schemes without an expiry,
nonces of actions, exits paid out.
"""

from offchain_book.engine import claims
from offchain_book.engine import market_commands as m
from offchain_book.engine.account import Account
from offchain_book.engine.claims import EPOCH_BITS
from offchain_book.engine.events import Event
from offchain_book.engine.listing import reject
from offchain_book.engine.market_events import IdsForgotten, RetentionSet
from offchain_book.engine.operations import POLYMARKET_V2, SignedOrder
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
    state.forgets_signed = command.signed and command.retention_ms > 0
    _plan(state)
    return [RetentionSet(command.retention_ms)]


def _plan(state: State) -> None:
    state.forget_ms = state.now_ms + state.retention_ms if state.retention_ms else 0
    if state.forget_ms:
        state.put_on_agenda(state.forget_ms, Due.FORGET)


def finish(state: State, order: Order) -> None:
    """Remember the id of an order that has left."""
    signed = order.terms.signed
    if signed is None and state.retention_ms:
        state.recent_order_ids.add(order.order_id)
        return
    state.finished_order_ids.add(order.order_id)
    if signed is not None:
        passes_ms = signed.timestamp_ms if signed.scheme is POLYMARKET_V2 else signed.expiration_s * 1_000
        let_pass(state, order.order_id, passes_ms)


def let_pass(state: State, name: str, passes_ms: int) -> None:
    """Note when the id of something signed can be forgotten: once `signed_from_ms` is past that instant; 0 is never."""
    if state.forgets_signed and passes_ms:
        state.passing.setdefault(passes_ms >> EPOCH_BITS, []).append(name)


def is_too_old(state: State, signed: SignedOrder) -> bool:
    """Whether an order was signed so long ago that the exchange may have forgotten it."""
    return signed.scheme is POLYMARKET_V2 and signed.timestamp_ms < state.signed_from_ms


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
    if state.forgets_signed:
        gone += _forget_signed(state)
    for account in state.accounts.values():
        names = account.client_order_ids
        for name in [name for name, order_id in names.items() if not _is_known(state, order_id)]:
            del names[name]
    events.append(IdsForgotten(gone))
    _plan(state)


def _forget_signed(state: State) -> int:
    """Refuse V2 orders older than the retention from now on, and drop what nobody can bring again. Returns how many ids."""
    state.signed_from_ms = max(state.signed_from_ms, state.now_ms - state.retention_ms)
    over = sorted(epoch for epoch in state.passing if epoch < state.signed_from_ms >> EPOCH_BITS)
    ids = [name for epoch in over for name in state.passing.pop(epoch)]
    state.finished_order_ids.difference_update(ids)
    state.references.difference_update(ids)
    for account in state.accounts.values():
        forget_places(state, account)
    return len(ids)


def forget_places(state: State, account: Account) -> None:
    """Drop the places that no order of a wallet can use any more."""
    if state.forgets_signed:
        from_ms = max(state.signed_from_ms, account.cancel_before_ms)
        for place in [place for place in account.claims if claims.is_over(place, account.min_nonce, from_ms)]:
            del account.claims[place]


def _is_known(state: State, order_id: str) -> bool:
    return order_id in state.orders or is_finished(state, order_id)
