"""A portfolio as the page shows it: balances, open orders, and every fill with the stages that it has gone through."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import islice
from typing import Any

from offchain_book.engine.account import Account
from offchain_book.engine.market import Market
from offchain_book.engine.operations import WalletOperation
from offchain_book.engine.order import BookSide, OrderStatus
from offchain_book.gateways.native import account_view
from offchain_book.projections import Projections
from offchain_book.sequencer import Sequencer
from offchain_book.views import DepositView, FillView, OperationView, OrderView, TradeStage

Json = dict[str, Any]
MAX_FILLS = 100
MAX_ACTIONS = 20
ORDERS_PAGE = 25
"""Finished orders in one answer."""
_SCANNED = 2_000
"""Newest operations among which a wallet's actions are looked for."""


def order_view(order: OrderView) -> Json:
    """Return an order; the price is the YES price."""
    return {
        "order_id": order.order_id,
        "ticker": order.ticker,
        "side": "bid" if order.side is BookSide.BID else "ask",
        "outcome": order.outcome.name.lower() if order.outcome else "",
        "price_e4": order.price_e4,
        "size_micros": order.size_micros,
        "filled_micros": order.filled_micros,
        "remaining_micros": order.remaining_micros,
        "status": order.status,
        "created_ms": order.created_ms,
    }


def order_history(read: Projections, account_id: str, before: int) -> Json:
    """Return a page of an account's finished orders, newest first, from below command `before` on (0: the newest).

    `next` is the next page's `before`, 0 when there is none.
    """
    views = read.orders_by_account.get(account_id, [])
    start = bisect_left(views, before, key=lambda view: view.seq) if before else len(views)
    finished = (view for view in reversed(views[:start]) if view.status is not OrderStatus.RESTING)
    found = list(islice(finished, ORDERS_PAGE + 1))
    more = len(found) > ORDERS_PAGE
    return {"orders": [order_view(view) for view in found[:ORDERS_PAGE]], "next": found[ORDERS_PAGE - 1].seq if more else 0}


def stages(fill: FillView, read: Projections) -> list[Json]:
    """Return a fill's stages in order: {name, done, at_ms, id}; a time is 0 until it is known, ids lead to a trace.

    Between custodial accounts a fill is final in the ledger at once. A settlement that failed ends with `failed` and what
    became of it instead.
    """
    trade, order = fill.trade, read.orders[fill.own.order_id]
    found = [
        _stage("accepted", True, order.created_ms, f"command:{order.seq}"),
        _stage("matched", True, trade.at_ms, f"trade:{trade.match_id}"),
    ]
    if trade.operation < 0:
        return [*found, _stage("final", True, trade.at_ms, f"trade:{trade.match_id}")]
    operation = read.operations[trade.operation]
    batch = read.batches.get(operation.batch_no)
    mined = trade.stage in (TradeStage.MINED, TradeStage.CONFIRMED)
    found.append(
        _stage("batched", batch is not None, batch.cut_ms if batch else 0, f"batch:{batch.batch_no}" if batch else "")
    )
    found.append(_stage("sent", bool(trade.tx_hash) or mined, batch.sent_ms if batch else 0, trade.tx_hash))
    found.append(_stage("included", mined, batch.mined_ms if batch and mined else 0, trade.tx_hash if mined else ""))
    if trade.stage == TradeStage.FAILED:
        return [*found, _stage("failed", True, trade.updated_ms, f"operation:{trade.operation}")]
    final = trade.stage == TradeStage.CONFIRMED
    return [*found, _stage("final", final, trade.updated_ms if final else 0, trade.tx_hash if final else "")]


def _stage(name: str, done: bool, at_ms: int, trace: str) -> Json:
    return {"name": name, "done": done, "at_ms": at_ms, "id": trace}


def fill_view(fill: FillView, read: Projections) -> Json:
    """Return one side of a match as its owner sees it."""
    trade, own = fill.trade, fill.own
    return {
        "trade": f"trade:{trade.match_id}",
        "order_id": own.order_id,
        "ticker": trade.ticker,
        "side": "bid" if own.side is BookSide.BID else "ask",
        "outcome": own.outcome.name.lower() if own.outcome else "",
        "price_e4": trade.price_e4,
        "size_micros": trade.size_micros,
        "fee_micros": own.fee_micros,
        "is_taker": fill.is_taker,
        "at_ms": trade.at_ms,
        "stage": trade.stage,
        "resolution": trade.resolution,
        "tx_hash": trade.tx_hash,
        "block_number": trade.block_number,
        "operation": trade.operation,
        "stages": stages(fill, read),
    }


def _position(market: Market, account: Account) -> Json | None:
    yes, no = (account.balances.get(f"{market.ticker}:{name}") for name in ("YES", "NO"))
    if not (yes and (yes.total or yes.pending)) and not (no and (no.total or no.pending)):
        return None
    return {
        "ticker": market.ticker,
        "yes_micros": yes.total if yes else 0,
        "no_micros": no.total if no else 0,
        "yes_pending_micros": yes.pending if yes else 0,
        "no_pending_micros": no.pending if no else 0,
        "yes_payout_micros": market.yes_payout_micros,
        "resolved_on_chain": market.resolved_on_chain,
    }


def _deposit(view: DepositView) -> Json:
    return {
        "id": f"deposit:{view.deposit_index}",
        "asset": view.asset,
        "amount_micros": view.amount_micros,
        "tx_hash": view.tx_hash,
        "at_ms": view.at_ms,
    }


def portfolio(sequencer: Sequencer, account: Account, *, private: bool) -> Json:
    """Return everything about an account; open orders only to its owner."""
    state, read = sequencer.state, sequencer.projections
    positions = (_position(market, account) for market in state.markets.values())
    fills = read.fills_by_account.get(account.account_id, [])[-MAX_FILLS:]
    return {
        "account": account_view(account),
        "private": private,
        "positions": [position for position in positions if position is not None],
        "orders": [order_view(read.orders[order_id]) for order_id in account.open_orders] if private else [],
        "fills": [fill_view(fill, read) for fill in reversed(fills)],
        "deposits": [_deposit(view) for view in _newest(read.deposits, account)],
        "actions": _actions(read, account),
    }


def _newest(deposits: Iterable[DepositView], account: Account) -> list[DepositView]:
    return [view for view in deposits if view.account_id == account.account_id][-MAX_ACTIONS:]


def _actions(read: Projections, account: Account) -> list[Json]:
    """Return the newest vault actions of the wallet, or those that credit the custodial account; newest first."""
    found: list[Json] = []
    for view in reversed(read.operations[-_SCANNED:]):
        operation = view.operation
        if isinstance(operation, WalletOperation) and account.account_id in (operation.action.wallet, operation.to_account):
            found.append(_action(view, operation))
    return found[:MAX_ACTIONS]


def _action(view: OperationView, operation: WalletOperation) -> Json:
    return {
        "id": f"operation:{operation.number}",
        "kind": operation.action.kind.name.lower(),
        "amount_micros": operation.action.amount_micros,
        "stage": view.stage,
        "tx_hash": view.tx_hash,
        "at_ms": view.at_ms,
        "resolution": view.resolution,
    }
