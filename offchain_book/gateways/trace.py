"""Where did this come from, where did it go: request → command → orders, fills → operation → transaction → postings.

One graph answers for every id in that chain: a request id, a command's number, an order, a trade, an operation, a batch, a
transaction hash, a withdrawal or action reference, a deposit. Reads the projections; decides nothing.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from offchain_book.engine.commands import Custody
from offchain_book.engine.names import VENUE_ACCOUNTS
from offchain_book.engine.operations import FillLeg, FillOperation, PoolOperation, WalletOperation
from offchain_book.engine.state import State
from offchain_book.projections import Projections
from offchain_book.views import OperationView, OrderView, TradeView

Json = dict[str, Any]
Mask = Callable[[str], str]


def masked(state: State) -> Mask:
    """Return a function that hides custodial account ids (wallets and the venue's own are public anyway)."""

    def mask(account_id: str) -> str:
        account = state.accounts.get(account_id)
        if account is None or account.custody is Custody.WALLET or account_id in VENUE_ACCOUNTS:
            return account_id
        return "custodial:" + hashlib.sha256(account_id.encode()).hexdigest()[:12]

    return mask


class Tracer:
    """Finds everything that hangs together with an id."""

    def __init__(self, state: State, projections: Projections) -> None:
        self._state = state
        self._read = projections

    def trace(self, name: str, mask: Mask) -> Json | None:
        """Return the whole chain around an id, or None when nothing has that id."""
        seqs, trades, operations, orders = self._find(name)
        if not (seqs or trades or operations or orders):
            return None
        for order in orders:
            trades |= set(order.matches)
        for number in operations:
            operation = self._read.operations[number].operation
            if isinstance(operation, FillOperation):
                trades.add(operation.match_id)
        for trade in list(trades):
            view = self._read.trades[trade]
            if view.operation >= 0:
                operations.add(view.operation)
            orders |= {self._read.orders[side.order_id] for side in (view.taker, view.maker)}
        seqs |= {order.seq for order in orders} | {self._read.trades[trade].seq for trade in trades}
        seqs |= {self._read.operations[number].seq for number in operations}
        return {
            "id": name,
            "commands": [self._command(seq) for seq in sorted(seqs)],
            "orders": [_order(order, mask) for order in sorted(orders, key=lambda order: order.seq)],
            "fills": [_trade(self._read.trades[trade], mask) for trade in sorted(trades)],
            "operations": [operation_view(self._read.operations[number], mask) for number in sorted(operations)],
            "transactions": self._transactions(sorted(operations)),
            "deposits": [
                {**asdict(deposit), "account_id": mask(deposit.account_id)}
                for deposit in self._read.deposits
                if name in (f"deposit:{deposit.deposit_index}", deposit.tx_hash)
            ],
            "postings": self._postings(seqs, trades, operations, mask),
        }

    def _find(self, name: str) -> tuple[set[int], set[int], set[int], set[OrderView]]:
        """Return the commands, trades, operations and orders that an id names directly."""
        read = self._read
        seqs, trades, operations = set(read.requests.get(name, ())), set[int](), set[int]()
        orders = {read.orders[name]} if name in read.orders else set()
        for seq in list(seqs):
            orders |= {read.orders[order] for order in read.orders_by_seq.get(seq, ())}
            operations |= set(read.operations_by_seq.get(seq, ()))
        kind, _, number = name.rpartition(":")
        if number.isdigit():
            value = int(number)
            if kind in ("trade", "match", "fill") and value < len(read.trades):
                trades.add(value)
            elif kind == "operation" and value < len(read.operations):
                operations.add(value)
            elif kind == "batch" and value in read.batches:
                batch = read.batches[value]
                operations |= set(range(batch.first, batch.first + batch.count))
            elif kind in ("command", "seq") and 0 < value <= self._state.seq:
                seqs.add(value)
                orders |= {read.orders[order] for order in read.orders_by_seq.get(value, ())}
                operations |= set(read.operations_by_seq.get(value, ()))
            elif kind == "deposit":
                seqs |= {read.deposit_seqs[value]} if value < len(read.deposit_seqs) else set()
        if name.startswith("0x"):
            operations |= {view.operation.number for view in read.operations if view.tx_hash == name}
            seqs |= {
                read.deposit_seqs[position] for position, deposit in enumerate(read.deposits) if deposit.tx_hash == name
            }
        operations |= {view.operation.number for view in read.operations if name in _references(view)}
        return seqs, trades, operations, orders

    def _command(self, seq: int) -> Json:
        kind, at_ms, request_id = self._read.commands[seq]
        return {"seq": seq, "kind": kind, "at_ms": at_ms, "request_id": request_id}

    def _transactions(self, operations: Iterable[int]) -> list[Json]:
        found: dict[str, Json] = {}
        for number in operations:
            view = self._read.operations[number]
            if view.tx_hash:
                entry = found.setdefault(
                    view.tx_hash,
                    {"hash": view.tx_hash, "batch": view.batch_no, "block": view.block_number, "stage": view.stage},
                )
                entry.setdefault("operations", []).append(number)
        return list(found.values())

    def _postings(self, seqs: set[int], trades: set[int], operations: set[int], mask: Mask) -> list[Json]:
        """Return the postings of these commands that belong to these trades and operations, and later ones about them."""
        references = {f"match:{trade}" for trade in trades}
        references |= {f"{verb}:{trade}" for trade in trades for verb in ("guarantee", "bust")}
        for number in operations:
            references |= set(_references(self._read.operations[number]))
        rows: list[Json] = []
        for seq, posted in self._read.postings_named(references, seqs):
            lines = [{"account": mask(account), "asset": asset, "micros": amount} for account, asset, amount in posted.lines]
            rows.append({"seq": seq, "reference": posted.reference, "lines": lines})
        return rows


def _references(view: OperationView) -> tuple[str, ...]:
    operation = view.operation
    if isinstance(operation, PoolOperation):
        name = operation.reference
        return (name, f"withdrawal:{name}", f"return:{name}") if name else ()
    if isinstance(operation, WalletOperation):
        return (operation.action_id, f"action:{operation.action_id}")
    return ()


def _order(order: OrderView, mask: Mask) -> Json:
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "account": mask(order.account_id),
        "ticker": order.ticker,
        "side": order.side.name,
        "outcome": order.outcome.name if order.outcome else None,
        "yes_price_e4": order.price_e4,
        "size_micros": order.size_micros,
        "status": order.status,
        "signed_under": order.signed.scheme if order.signed else None,
        "digest": order.signed.digest if order.signed else None,
    }


def _trade(trade: TradeView, mask: Mask) -> Json:
    return {
        "trade_id": f"trade:{trade.match_id}",
        "ticker": trade.ticker,
        "yes_price_e4": trade.price_e4,
        "size_micros": trade.size_micros,
        "ledger_kinds": [{"kind": kind.name, "size_micros": size} for kind, size in trade.pieces],
        "chain_kind": trade.chain_kind.name if trade.chain_kind is not None else None,
        "taker": {"account": mask(trade.taker.account_id), "order_id": trade.taker.order_id, "fee": trade.taker.fee_micros},
        "maker": {"account": mask(trade.maker.account_id), "order_id": trade.maker.order_id, "fee": trade.maker.fee_micros},
        "operation": trade.operation if trade.operation >= 0 else None,
        "stage": trade.stage,
        "resolution": trade.resolution or None,
        "transaction": trade.tx_hash or None,
    }


def operation_view(view: OperationView, mask: Mask) -> Json:
    """Return an operation of the stream and how far it has come."""
    operation = view.operation
    body: Json = {"number": operation.number, "stage": view.stage, "batch": view.batch_no if view.batch_no >= 0 else None}
    body |= {"transaction": view.tx_hash or None, "block": view.block_number or None, "not_after_s": operation.not_after_s}
    body["resolution"] = view.resolution or None
    if isinstance(operation, FillOperation):
        legs = {"taker": _leg(operation.taker, mask), "maker": _leg(operation.maker, mask)}
        return body | {"type": "fill", "kind": operation.kind.name, "size_micros": operation.size_micros} | legs
    if isinstance(operation, PoolOperation):
        return body | {
            "type": f"pool_{operation.action}",
            "amount_micros": operation.amount_micros,
            "to": operation.to or None,
            "outcome": operation.outcome.name if operation.outcome else None,
            "reference": operation.reference or None,
        }
    action = operation.action
    return body | {
        "type": "vault_action",
        "action": action.kind.name,
        "wallet": action.wallet,
        "amount_micros": action.amount_micros,
    }


def _leg(leg: FillLeg, mask: Mask) -> Json:
    return {
        "account": mask(leg.account_id),
        "wallet": leg.wallet or "pool",
        "token": leg.outcome.name,
        "side": leg.side.name,
        "fee_micros": leg.fee_micros,
        "digest": leg.signed.digest if leg.signed else None,
    }
