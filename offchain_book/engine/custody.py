"""The numbered stream of operations, and what the custody pool holds on chain once all of them have landed.

The custodial side is one vault account on chain, the pool. The ledger nets custodial accounts among themselves without the
chain, so the pool's tokens differ from custodial claims by one integer per market, u (`Market.unsplit_micros`):

    pool YES = custodial YES - u        pool NO = custodial NO - u        pool cash = custodial cash + equity + sum of u

A wallet's counterparty on chain is either the other wallet or the pool. From the pool a wallet buys out of its inventory if
that suffices, else by MINT; to the pool it sells by MERGE if the pool holds the complement, else the token changes hands.
"""

from dataclasses import dataclass

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import outflow
from offchain_book.engine.chain_events import BatchCut, BatchObserved, ChainObserved, OperationQueued, OperationSettled
from offchain_book.engine.events import Event
from offchain_book.engine.ledger import Line, check, clear_pending, mark_pending, real_lines
from offchain_book.engine.listing import reject
from offchain_book.engine.market import Market
from offchain_book.engine.names import GUARANTEE
from offchain_book.engine.operations import (
    NO,
    YES,
    FillLeg,
    FillOperation,
    MatchKind,
    Operation,
    Outcome,
    PoolAction,
    PoolOperation,
    TokenSide,
    WalletOperation,
)
from offchain_book.engine.order import BID, Order
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import Batch, OpenOperation, State
from offchain_book.engine.units import complement_e4, cost_micros

NO_DEADLINE_S = 2**40 - 1
"""`notAfter` of the pool's own operations: nothing of a wallet's is at stake, so they may land late (ADR 0006)."""


class Side:
    """One side of a match while it is being worked out. `buys` is the outcome that this side of the book buys."""

    __slots__ = ("account", "buys", "close_micros", "fee_micros", "open_micros", "order")

    def __init__(self, order: Order, close_micros: int, open_micros: int) -> None:
        self.order = order
        self.account = order.account
        self.buys = YES if order.level.side is BID else NO
        self.close_micros = close_micros
        self.open_micros = open_micros
        self.fee_micros = 0


@dataclass(frozen=True, slots=True)
class Leg:
    """What one party does on chain: buy or sell one outcome token."""

    outcome: Outcome
    side: TokenSide


def price_of(outcome: Outcome, price_e4: int) -> int:
    """Return an outcome's price for a YES price."""
    return price_e4 if outcome is YES else complement_e4(price_e4)


def _wallet_leg(side: Side) -> Leg:
    assert side.order.outcome is not None
    return Leg(side.order.outcome, TokenSide.BUY if side.order.opens else TokenSide.SELL)


def _pool_leg(market: Market, wallet: Leg, size_micros: int) -> Leg:
    """Choose the pool's leg against a wallet's (see the module's docstring)."""
    inventory = {YES: market.pool_yes_micros, NO: market.pool_no_micros}
    other = wallet.outcome.complement
    if wallet.side is TokenSide.BUY:
        enough = inventory[wallet.outcome] >= size_micros
        return Leg(wallet.outcome, TokenSide.SELL) if enough else Leg(other, TokenSide.BUY)
    enough = inventory[other] >= size_micros
    return Leg(other, TokenSide.SELL) if enough else Leg(wallet.outcome, TokenSide.BUY)


def _kind(first: Leg, second: Leg) -> MatchKind:
    if first.side is not second.side:
        check(first.outcome is second.outcome, "a token changes hands only against itself")
        return MatchKind.COMPLEMENTARY
    check(first.outcome is not second.outcome, "a set needs both outcomes")
    return MatchKind.MINT if first.side is TokenSide.BUY else MatchKind.MERGE


def _custodial_delta(side: Side) -> tuple[int, int]:
    """Return what a custodial side's position gains in (YES, NO)."""
    gains = (side.open_micros, -side.close_micros)
    return gains if side.buys is YES else (gains[1], gains[0])


def track_custodial(market: Market, first: Side, second: Side, size_micros: int) -> None:
    """Count a match between custodial accounts, which stays off the chain: positions and u move together."""
    bid, ask = (first, second) if first.buys is YES else (second, first)
    market.custodial_yes_micros += bid.open_micros - ask.close_micros
    market.custodial_no_micros += ask.open_micros - bid.close_micros
    market.unsplit_micros += size_micros - first.close_micros - second.close_micros


def _move_pool(state: State, market: Market, side: Side, leg: Leg, size_micros: int, price_e4: int) -> None:
    """Count what the pool does on chain for a custodial side, and set u to the difference."""
    yes, no = _custodial_delta(side)
    sign = 1 if leg.side is TokenSide.BUY else -1
    pool_yes = sign * size_micros if leg.outcome is YES else 0
    pool_no = sign * size_micros if leg.outcome is NO else 0
    check(yes - pool_yes == no - pool_no, "a fill must change both of the pool's differences alike")
    market.custodial_yes_micros += yes
    market.custodial_no_micros += no
    market.unsplit_micros += yes - pool_yes
    state.pool_cash_micros -= sign * cost_micros(size_micros, price_of(leg.outcome, price_e4))


def move_custodial(market: Market, outcome: Outcome, amount_micros: int) -> None:
    """Change the sum of custodial claims on an outcome."""
    if outcome is YES:
        market.custodial_yes_micros += amount_micros
    else:
        market.custodial_no_micros += amount_micros


def next_not_after_s(state: State) -> int:
    """Return the settlement deadline of an operation that is decided now."""
    return state.now_ms // 1000 + state.settle_deadline_s


def queue(state: State, market: Market | None, operation: Operation, lines: tuple[Line, ...], guarantee: int) -> Event:
    """Put an operation at the end of the stream; its ledger lines are pending until it is final."""
    check(operation.number == state.next_operation, "operations are numbered without gaps")
    state.next_operation += 1
    credits = real_lines(state, lines)
    state.operations[operation.number] = OpenOperation(operation, lines, credits, guarantee)
    if market is not None and not isinstance(operation, WalletOperation):
        market.open_operations += 1
    mark_pending(state, credits)
    return OperationQueued(operation)


def queue_pool(
    state: State,
    market: Market | None,
    action: PoolAction,
    amount_micros: int,
    events: list[Event],
    *,
    outcome: Outcome | None = None,
    to: str = "",
    reference: str = "",
    lines: tuple[Line, ...] = (),
) -> int:
    """Queue something that the pool does by itself; returns its operation number."""
    number = state.next_operation
    operation = PoolOperation(
        number,
        action,
        market.ticker if market else "",
        market.condition_id if market else "",
        outcome,
        amount_micros,
        to,
        NO_DEADLINE_S,
        reference,
    )
    events.append(queue(state, market, operation, lines, 0))
    outflow.reserve(state, operation)
    return number


def pool_split(state: State, market: Market, amount_micros: int, events: list[Event]) -> None:
    """Make sets in the pool: u falls, cash falls."""
    free_pool_cash(state, amount_micros, events)
    market.unsplit_micros -= amount_micros
    state.pool_cash_micros -= amount_micros
    queue_pool(state, market, PoolAction.SPLIT, amount_micros, events)


def free_pool_cash(state: State, need_micros: int, events: list[Event]) -> None:
    """Redeem sets that no custodial claim needs (u below zero) until the pool has the cash for its next operation."""
    for ticker in sorted(state.markets):
        if state.pool_cash_micros >= need_micros:
            return
        market = state.markets[ticker]
        surplus = -market.unsplit_micros
        if surplus > 0 and market.yes_payout_micros < 0:
            market.unsplit_micros += surplus
            state.pool_cash_micros += surplus
            queue_pool(state, market, PoolAction.MERGE, surplus, events)
    check(state.pool_cash_micros >= need_micros, "the pool's cash covers custodial cash plus equity plus the sum of u")


def queue_fill(
    state: State,
    market: Market,
    match_id: int,
    size_micros: int,
    price_e4: int,
    taker: Side,
    maker: Side,
    lines: tuple[Line, ...],
    guarantee_micros: int,
    events: list[Event],
) -> int:
    """Queue a fill with a wallet leg and move the pool for a custodial one; returns its operation number."""
    if taker.account.is_wallet and maker.account.is_wallet:
        legs = (_wallet_leg(taker), _wallet_leg(maker))
    elif taker.account.is_wallet:
        wallet = _wallet_leg(taker)
        legs = (wallet, _pool_leg(market, wallet, size_micros))
    else:
        wallet = _wallet_leg(maker)
        legs = (_pool_leg(market, wallet, size_micros), wallet)
    for side, leg in zip((taker, maker), legs, strict=True):
        if not side.account.is_wallet:
            if leg.side is TokenSide.BUY:
                free_pool_cash(state, cost_micros(size_micros, price_of(leg.outcome, price_e4)), events)
            _move_pool(state, market, side, leg, size_micros, price_e4)
    for side in (taker, maker):
        if side.account.is_wallet:
            state.pool_cash_micros += side.fee_micros
    operation = FillOperation(
        state.next_operation,
        match_id,
        market.ticker,
        market.condition_id,
        _kind(*legs),
        size_micros,
        price_e4,
        _fill_leg(taker, legs[0]),
        _fill_leg(maker, legs[1]),
        next_not_after_s(state),
    )
    events.append(queue(state, market, operation, lines, guarantee_micros))
    outflow.reserve(state, operation)
    return operation.number


def _fill_leg(side: Side, leg: Leg) -> FillLeg:
    order, wallet = side.order, side.account.is_wallet
    return FillLeg(
        order_id=order.order_id,
        account_id=side.account.account_id,
        wallet=side.account.account_id if wallet else None,
        outcome=leg.outcome,
        side=leg.side,
        fee_micros=side.fee_micros if wallet else 0,
        signed=order.terms.signed,
        closes_order=order.remaining_micros == 0,
    )


def cut_batch(state: State, command: cc.CutBatch) -> list[Event]:
    """Close a batch: from now on its content is fixed."""
    if command.first != state.uncut or command.batch_no != state.next_batch:
        return reject(RejectCode.BATCH_OUT_OF_ORDER, first=command.first, expected=state.uncut)
    if command.count <= 0 or command.first + command.count > state.next_operation:
        return reject(RejectCode.BATCH_OUT_OF_ORDER, first=command.first + command.count, expected=state.next_operation)
    operations = [state.operations[number] for number in range(command.first, command.first + command.count)]
    given_up = tuple(entry.operation.number for entry in operations if entry.failed)
    if command.voided != given_up:
        return reject(RejectCode.BATCH_CONTENT_CHANGED, batch_no=command.batch_no)
    for entry in operations:
        entry.voided = entry.failed
    state.batches[command.batch_no] = Batch(
        command.batch_no, command.first, command.count, command.payload_hash, cc.BatchStage.CUT
    )
    state.next_batch += 1
    state.uncut = command.first + command.count
    return [BatchCut(command.batch_no, command.first, command.count)]


def split_batch(state: State, command: cc.SplitBatch) -> list[Event]:
    """Make two batches of one whose transactions all reverted. Both are as fixed as it was."""
    batch = state.batches.get(command.batch_no)
    if batch is None:
        return reject(RejectCode.UNKNOWN_BATCH, batch_no=command.batch_no)
    if command.rest_no != state.next_batch:
        return reject(RejectCode.BATCH_OUT_OF_ORDER, first=command.rest_no, expected=state.next_batch)
    if not 0 < command.count < batch.count:
        return reject(RejectCode.BATCH_OUT_OF_ORDER, first=command.count, expected=batch.count)
    first, count = batch.first + command.count, batch.count - command.count
    batch.count, batch.payload_hash = command.count, command.payload_hash
    state.batches[command.rest_no] = Batch(command.rest_no, first, count, command.rest_hash, cc.BatchStage.CUT)
    state.batches = dict(sorted(state.batches.items(), key=lambda item: item[1].first))
    state.next_batch += 1
    return [BatchCut(batch.batch_no, batch.first, batch.count), BatchCut(command.rest_no, first, count)]


def observe_batch(state: State, command: cc.ObserveBatch) -> list[Event]:
    """Note how far a batch's transaction has come. Nothing in the ledger moves."""
    batch = state.batches.get(command.batch_no)
    if batch is None:
        return reject(RejectCode.UNKNOWN_BATCH, batch_no=command.batch_no)
    batch.stage, batch.tx_hash, batch.block_number = command.stage, command.tx_hash, command.block_number
    return [
        BatchObserved(batch.batch_no, batch.first, batch.count, str(command.stage), command.tx_hash, command.block_number)
    ]


def settle(state: State, number: int, batch: Batch, skipped: bool, events: list[Event]) -> None:
    """Take an operation out of the stream: nothing about it can change any more."""
    entry = state.operations.pop(number)
    operation = entry.operation
    if not isinstance(operation, WalletOperation) and operation.ticker:
        state.markets[operation.ticker].open_operations -= 1
    if not entry.failed:
        release(state, entry)
        outflow.land(state, operation, batch.block_number)
    state.confirmed_operations += 1
    events.append(OperationSettled(number, batch.batch_no, batch.tx_hash, batch.block_number, skipped))


def release(state: State, entry: OpenOperation) -> None:
    """Drop an operation's pending lines and its reservation in the guarantee account."""
    clear_pending(state, entry.credits)
    if entry.guarantee_micros:
        state.accounts[GUARANTEE].cash.held -= entry.guarantee_micros
        entry.guarantee_micros = 0


def observe_chain(state: State, command: cc.ObserveChain) -> list[Event]:
    """Note finality. While it stands still, nothing with a wallet is matched (see `exchange.py`)."""
    outflow.advance(state, command.final_block, command.final_time_s)
    state.final_hash = command.final_hash
    state.chain_halted = command.halted
    return [ChainObserved(command.final_block, command.halted)]
