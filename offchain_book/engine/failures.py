"""What becomes of operations: landed, or failed and resolved by one rule.

A fill with a wallet leg that a final block shows as skipped, or as absent after its deadline, and only then: the custodial
side stands and the funded guarantee account takes the wallet's place; a fill between two wallets is busted and counted as
the ghost fill that it is. Then every operation that has not landed is run again over the vault balances: what can no longer
execute is treated the same way, orders that lost their funding are cancelled, and nothing available is left below zero.
"""

from offchain_book.engine import actions, custody, memory, outflow, resolution
from offchain_book.engine import chain_commands as cc
from offchain_book.engine.account import Account
from offchain_book.engine.cancels import cancel_all, cancel_order
from offchain_book.engine.chain_events import ExitObserved, OperationFailed, WatermarkObserved
from offchain_book.engine.events import Event
from offchain_book.engine.ledger import check, post
from offchain_book.engine.listing import reject
from offchain_book.engine.market import Market
from offchain_book.engine.names import GUARANTEE, OUTSIDE, collateral_account, token_asset
from offchain_book.engine.operations import (
    POLYMARKET_V2,
    FillLeg,
    FillOperation,
    MatchKind,
    Operation,
    Outcome,
    PoolAction,
    PoolOperation,
    SignedOrder,
    TokenSide,
    VaultActionKind,
    WalletOperation,
)
from offchain_book.engine.order import CancelReason
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import OpenOperation, State
from offchain_book.engine.units import CASH, cost_micros, whole_lots

Line = tuple[str, str, int]
Deltas = dict[tuple[str, str], int]
"""(account or POOL, asset) -> signed millionths."""
POOL = "chain:pool"
"""The custody pool's vault account, as `fail_dependants` names it."""


def confirm_batch(state: State, command: cc.ConfirmBatch) -> list[Event]:
    """A batch is final: its operations landed, but for those that the contract skipped."""
    batch = state.batches.get(command.batch_no)
    if batch is None:
        return reject(RejectCode.UNKNOWN_BATCH, batch_no=command.batch_no)
    oldest = next(iter(state.operations), state.next_operation)
    if batch.first != oldest:
        return reject(RejectCode.BATCH_OUT_OF_ORDER, first=batch.first, expected=oldest)
    batch.stage, batch.tx_hash, batch.block_number = cc.BatchStage.CONFIRMED, command.tx_hash, command.block_number
    skipped = dict(command.skipped)
    events: list[Event] = []
    for number in range(batch.first, batch.first + batch.count):
        entry = state.operations[number]
        if number not in skipped:
            check(not entry.failed, f"operation {number} landed after the ledger had given it up")
            _land(state, entry, events)
        elif not entry.failed:
            fail(state, entry, f"skipped:{skipped[number]}", events)
        if number in skipped:
            state.skipped_operations += 1
        custody.settle(state, number, batch, number in skipped, events)
    del state.batches[command.batch_no]
    if skipped:
        fail_dependants(state, events)
    return events


def _land(state: State, entry: OpenOperation, events: list[Event]) -> None:
    if isinstance(entry.operation, WalletOperation):
        actions.land_action(state, entry.operation, events)


def expire_operations(state: State, command: cc.ExpireOperations) -> list[Event]:
    """Operations whose deadline has passed on the final chain without landing never will: the contract refuses them."""
    events: list[Event] = []
    for number in range(command.first, command.first + command.count):
        entry = state.operations.get(number)
        if entry is not None and not entry.failed and entry.operation.not_after_s < command.final_time_s:
            fail(state, entry, "expired", events)
    fail_dependants(state, events)
    return events


def observe_exit(state: State, command: cc.ObserveExit) -> list[Event]:
    """A wallet leaves: no new orders, the open ones go. What it took with it on chain leaves the ledger when final."""
    events: list[Event] = []
    account = actions.wallet_account(state, command.wallet, events)
    account.exit_at_s = command.exit_at_s
    if command.exit_at_s:
        cancel_all(state, account, "", CancelReason.WALLET_EXITING, events)
    events.append(ExitObserved(command.wallet, command.exit_at_s))
    return events


def observe_watermark(state: State, command: cc.ObserveWatermark) -> list[Event]:
    """A wallet voids orders on chain: believed at once, so that nothing void is ever matched."""
    events: list[Event] = []
    account = actions.wallet_account(state, command.wallet, events)
    account.min_nonce = max(account.min_nonce, command.min_nonce)
    account.cancel_before_ms = max(account.cancel_before_ms, command.cancel_before_ms)
    events.append(WatermarkObserved(command.wallet, account.min_nonce, account.cancel_before_ms))
    for order in list(account.open_orders.values()):
        if order.signed is not None and void_field(state, account, order.signed):
            cancel_order(state, order, CancelReason.WATERMARK, events)
    memory.forget_places(state, account)
    return events


def void_field(state: State, account: Account, signed: SignedOrder) -> tuple[str, int, int] | None:
    """Return (field, signed value, lowest valid value) when the contract would refuse an order as void."""
    if signed.scheme is POLYMARKET_V2:
        lowest = max(account.cancel_before_ms, state.signed_not_before_ms)
        return ("timestamp", signed.timestamp_ms, lowest) if signed.timestamp_ms < lowest else None
    return ("nonce", signed.nonce, account.min_nonce) if signed.nonce < account.min_nonce else None


def record_exit(state: State, command: cc.RecordExit) -> list[Event]:
    """Chain fact, final: an exit paid this out. The ledger follows, and orders that lost their funding go."""
    account = state.accounts.get(command.wallet)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.wallet)
    if command.reference in state.references:
        return reject(RejectCode.DUPLICATE_REQUEST, reference=command.reference)
    state.references.add(command.reference)
    asset = token_asset(command.ticker, command.outcome) if command.outcome else CASH
    lines = [(command.wallet, asset, -command.amount_micros), (OUTSIDE, asset, command.amount_micros)]
    events: list[Event] = []
    post(state, f"exit:{command.reference}", lines, events)
    fail_dependants(state, events)
    return events


def record_refused_delivery(state: State, command: cc.RecordRefusedDelivery) -> list[Event]:
    """Chain fact, final: tokens that the ledger saw leave are in the receiver's vault half. They are its own to use."""
    if command.reference in state.references:
        return reject(RejectCode.DUPLICATE_REQUEST, reference=command.reference)
    state.references.add(command.reference)
    events: list[Event] = []
    account = actions.wallet_account(state, command.wallet, events)
    asset = token_asset(command.ticker, command.outcome)
    lines = [(OUTSIDE, asset, -command.amount_micros), (account.account_id, asset, command.amount_micros)]
    post(state, f"refused:{command.reference}", lines, events)
    return events


# --- failing -----------------------------------------------------------------------------------------------------------


def fail(state: State, entry: OpenOperation, reason: str, events: list[Event]) -> None:
    """Treat an operation as never executed. Its number stays in the stream; the chain will skip it."""
    custody.release(state, entry)
    entry.failed = True
    operation = entry.operation
    outflow.release(state, operation)
    if isinstance(operation, FillOperation):
        market = state.markets[operation.ticker]
        if operation.taker.wallet and operation.maker.wallet:
            _bust(state, market, entry, operation, events)
            outcome = "busted"
        else:
            _guarantee(state, market, entry, operation, events)
            outcome = "guaranteed"
    elif isinstance(operation, PoolOperation):
        _return_to_pool(state, entry, operation, events)
        outcome = "returned"
    else:
        actions.release_action(state, operation)
        if operation.action.kind is VaultActionKind.SET_DELIVERY:
            state.accounts[operation.action.wallet].deliver_free = operation.action.amount_micros != 1
        outcome = "released"
    events.append(OperationFailed(operation.number, reason, outcome))


def _made(operation: FillOperation) -> int:
    if operation.kind is MatchKind.COMPLEMENTARY:
        return 0
    return operation.size_micros if operation.kind is MatchKind.MINT else -operation.size_micros


def _bust(state: State, market: Market, entry: OpenOperation, operation: FillOperation, events: list[Event]) -> None:
    """Undo a fill between two wallets, fees included."""
    post(state, f"bust:{operation.match_id}", [(a, asset, -n) for a, asset, n in entry.lines], events)
    market.yes_supply_micros -= _made(operation)
    state.pool_cash_micros -= operation.taker.fee_micros + operation.maker.fee_micros
    state.ghost_fills += 1


def _guarantee(state: State, market: Market, entry: OpenOperation, operation: FillOperation, events: list[Event]) -> None:
    """Put the guarantee account in the wallet's place: the custodial side keeps its fill at its price."""
    wallet_leg, pool_leg = operation.taker, operation.maker
    if wallet_leg.wallet is None:
        wallet_leg, pool_leg = pool_leg, wallet_leg
    wallet = str(wallet_leg.wallet)
    size, fee = operation.size_micros, wallet_leg.fee_micros
    buys = wallet_leg.outcome if wallet_leg.side is TokenSide.BUY else wallet_leg.outcome.complement
    account = state.accounts[GUARANTEE]
    close = min(size, whole_lots(account.balance(token_asset(market.ticker, buys.complement)).total))
    price = custody.price_of(buys, operation.price_e4)
    cash = cost_micros(close, 10_000 - price) - cost_micros(size - close, price) - fee
    lines: list[Line] = [(a, asset, -n) for a, asset, n in entry.lines if a in (wallet, OUTSIDE)]
    lines += [
        (GUARANTEE, CASH, cash),
        (GUARANTEE, token_asset(market.ticker, buys), size - close),
        (GUARANTEE, token_asset(market.ticker, buys.complement), -close),
    ]
    wallet_closes = size if wallet_leg.side is TokenSide.SELL else 0
    more_sets = wallet_closes - close
    vault = collateral_account(market.ticker)
    lines.append((vault, CASH, more_sets))
    lines += [(vault, token_asset(market.ticker, outcome), -more_sets) for outcome in Outcome]
    post(state, f"guarantee:{operation.match_id}", lines, events)
    market.yes_supply_micros += more_sets
    state.guaranteed_fills += 1
    state.pool_cash_micros -= fee
    _undo_pool_leg(state, market, pool_leg, operation)
    custody.move_custodial(market, buys, size - close)
    custody.move_custodial(market, buys.complement, -close)
    gained = (size - close, -close) if buys is Outcome.YES else (-close, size - close)
    sign = 1 if pool_leg.side is TokenSide.BUY else -1
    pool_yes = sign * size if pool_leg.outcome is Outcome.YES else 0
    pool_no = sign * size if pool_leg.outcome is Outcome.NO else 0
    check(gained[0] + pool_yes == gained[1] + pool_no, "a guarantee must change both of the pool's differences alike")
    market.unsplit_micros += gained[0] + pool_yes


def _undo_pool_leg(state: State, market: Market, leg: FillLeg, operation: FillOperation) -> None:
    sign = 1 if leg.side is TokenSide.BUY else -1
    cost = cost_micros(operation.size_micros, custody.price_of(leg.outcome, operation.price_e4))
    state.pool_cash_micros += sign * cost


def _return_to_pool(state: State, entry: OpenOperation, operation: PoolOperation, events: list[Event]) -> None:
    """Undo the pool's own operation; a withdrawal goes back to its account."""
    amount = operation.amount_micros
    market = state.markets.get(operation.ticker)
    if market is not None and market.resolved_on_chain and operation.action in (PoolAction.MERGE, PoolAction.REDEEM):
        # Positions are paid already, and only a pause of the contract can have stopped it: once more.
        custody.queue_pool(state, market, operation.action, amount, events, outcome=operation.outcome)
        return
    if operation.action is PoolAction.SEND_CASH:
        state.pool_cash_micros += amount
    elif operation.action is PoolAction.SEND_TOKENS:
        assert operation.outcome is not None
        custody.move_custodial(state.markets[operation.ticker], operation.outcome, amount)
    else:
        sign = 1 if operation.action is PoolAction.SPLIT else -1
        state.markets[operation.ticker].unsplit_micros += sign * amount
        state.pool_cash_micros += sign * amount
    if entry.lines:
        post(state, f"return:{operation.reference}", [(a, asset, -n) for a, asset, n in entry.lines], events)
        account = state.accounts[entry.credits[0].account_id]
        if operation.ticker:
            actions.net_position(state, account, state.markets[operation.ticker], events)


# --- dependants --------------------------------------------------------------------------------------------------------


def fail_dependants(state: State, events: list[Event]) -> None:
    """Run the stream again over the final vault balances; fail what can no longer execute, then cancel unfunded orders.

    What is cut already may be on its way and may land after all (a deposit can come in between), so it waits for the chain's
    own answer. What is not cut is given up now and packed so that the contract cannot execute it (ADR 0009).
    """
    stream = [(entry, vault_deltas(state, entry)) for entry in state.operations.values() if not entry.failed]
    vault = final_vault(state, [deltas for _, deltas in stream])
    for entry, deltas in stream:
        if any(delta < 0 and vault[key] + delta < 0 for key, delta in deltas.items()):
            if entry.operation.number >= state.uncut:
                fail(state, entry, "dependant", events)
            continue
        for key, delta in deltas.items():
            vault[key] += delta
    for account in state.accounts.values():
        if account.is_wallet:
            _cancel_unfunded(state, account, events)


def final_vault(state: State, stream: list[Deltas]) -> Deltas:
    """Return the vault balances that the stream starts from: a wallet's settled ones; the pool's without the stream."""
    vault: Deltas = {}
    coming = taken_back(state)
    for deltas in stream:
        for account_id, asset in deltas:
            if (account_id, asset) in vault:
                continue
            if account_id == POOL:
                in_flight = sum(other.get((POOL, asset), 0) for other in stream)
                vault[account_id, asset] = projected_pool(state, asset) + coming.get(asset, 0) - in_flight
            else:
                vault[account_id, asset] = state.accounts[account_id].balance(asset).settled
    return vault


def projected_pool(state: State, asset: str) -> int:
    """Return what the pool holds of an asset on chain once the whole stream has landed, without what is `taken_back`."""
    if asset == CASH:
        return state.pool_cash_micros
    ticker, _, outcome = asset.rpartition(":")
    market = state.markets[ticker]
    return market.pool_yes_micros if outcome == Outcome.YES.name else market.pool_no_micros


def taken_back(state: State) -> dict[str, int]:
    """Return asset -> what wallets are sending into the pool: nobody's until it is final, so the ledger counts it only then."""
    found: dict[str, int] = {}
    for entry in state.operations.values():
        if isinstance(entry.operation, WalletOperation) and entry.operation.to_account and not entry.failed:
            asset, amount = actions.brought(state, entry.operation)
            found[asset] = found.get(asset, 0) + amount
    return found


def vault_deltas(state: State, entry: OpenOperation) -> Deltas:
    """Return what an operation would move in the wallets' and the pool's vault balances."""
    operation = entry.operation
    lines: list[Line] = list(entry.lines)
    if isinstance(operation, WalletOperation):
        lines = actions.action_lines(state, operation)
    deltas: Deltas = {}
    for account_id, asset, amount in lines + _pool_lines(state, operation):
        account = state.accounts.get(account_id)
        if account_id == POOL or (account is not None and account.is_wallet):
            deltas[account_id, asset] = deltas.get((account_id, asset), 0) + amount
    return deltas


def _pool_lines(state: State, operation: Operation) -> list[Line]:
    """Return what an operation moves in the pool's vault balance on chain."""
    if isinstance(operation, WalletOperation):
        return [(POOL, *actions.brought(state, operation))] if operation.to_account else []
    yes, no = (token_asset(operation.ticker, outcome) for outcome in Outcome)
    if isinstance(operation, FillOperation):
        lines: list[Line] = []
        for leg in (operation.taker, operation.maker):
            if leg.wallet:
                lines.append((POOL, CASH, leg.fee_micros))
                continue
            sign = 1 if leg.side is TokenSide.BUY else -1
            price = custody.price_of(leg.outcome, operation.price_e4)
            lines.append((POOL, CASH, -sign * cost_micros(operation.size_micros, price)))
            lines.append((POOL, yes if leg.outcome is Outcome.YES else no, sign * operation.size_micros))
        return lines
    amount = operation.amount_micros
    if operation.action is PoolAction.SEND_TOKENS:
        return [(POOL, yes if operation.outcome is Outcome.YES else no, -amount)]
    if operation.action in (PoolAction.SPLIT, PoolAction.MERGE):
        sign = 1 if operation.action is PoolAction.SPLIT else -1
        return [(POOL, CASH, -sign * amount), (POOL, yes, sign * amount), (POOL, no, sign * amount)]
    if operation.action is PoolAction.REDEEM:
        outcome = operation.outcome or Outcome.YES
        paid = resolution.token_payout_rounded_down(state.markets[operation.ticker], outcome, amount)
        return [(POOL, CASH, paid), (POOL, yes if outcome is Outcome.YES else no, -amount)]
    return [(POOL, CASH, -amount)]


def _cancel_unfunded(state: State, account: Account, events: list[Event]) -> None:
    """Cancel a wallet's newest orders until every asset's available is at least zero.

    Only operations that are cut and wait for the chain's answer may leave it below; then there are no orders left.
    """
    for asset, balance in sorted(account.balances.items()):
        for order in reversed(list(account.open_orders.values())):
            if balance.available >= 0:
                break
            given = CASH if order.opens else token_asset(order.ticker, order.outcome or Outcome.YES)
            if given == asset:
                cancel_order(state, order, CancelReason.UNFUNDED, events)
        check(
            balance.available >= 0 or next(iter(state.operations), state.uncut) < state.uncut,
            f"{account.account_id} is left with {balance.available} available {asset}",
        )
