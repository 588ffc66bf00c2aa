"""Read models as stored data: what changed between two snapshots is one `Segment`; all segments in order make the whole.

Views are stored, indexes are made anew. History is long and snapshots are frequent, so each view is written again only in an
interval that changed it: what a snapshot costs does not grow with history.
"""

import heapq
import sys
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from offchain_book.engine.events import Posted
from offchain_book.engine.operations import FillOperation, PoolOperation, WalletOperation
from offchain_book.projections import Changes, Projections
from offchain_book.reports import Report, owner_of
from offchain_book.views import (
    BatchView,
    DepositView,
    FillView,
    OperationView,
    OrderView,
    SettlementView,
    TradeView,
    TransferView,
)
from offchain_book.wallet_views import NotificationView

T = TypeVar("T")


class _OperationRow(msgspec.Struct, array_like=True):
    """An `OperationView`; exactly one of the first three is there."""

    fill: FillOperation | None
    pool: PoolOperation | None
    action: WalletOperation | None
    seq: int
    at_ms: int
    stage: str
    batch_no: int
    tx_hash: str
    block_number: int
    resolution: str


class Segment(msgspec.Struct):
    """What commands `after_seq + 1` .. `seq` did to the read models."""

    after_seq: int
    seq: int
    commands: list[tuple[str, int, str]]
    orders: list[OrderView]
    trades: list[TradeView]
    operations: list[_OperationRow]
    batches: list[BatchView]
    settlements: list[SettlementView]
    transfers: list[TransferView]
    reports: list[Report]
    deposits: list[tuple[int, DepositView]]
    postings: list[tuple[int, list[Posted]]]
    notified: int
    notifications: list[tuple[str, list[NotificationView]]]
    earnings: list[tuple[str, int, str, int]]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Segment)


def encode(segment: Segment) -> bytes:
    """Return a segment's bytes."""
    return _encoder.encode(segment)


def decode(data: bytes) -> Segment:
    """Return the segment of some bytes. Raises msgspec.MsgspecError."""
    return _decoder.decode(data)


def cut(projections: Projections, after_seq: int) -> Segment:
    """Return what has changed since command `after_seq` (0: everything), and begin to note changes anew.

    The segment shares the views: encode it before the next command.
    """
    changes, projections.changes = projections.changes, Changes()
    if after_seq == 0:
        changes = _everything(projections)
    seq = len(projections.commands) - 1
    first_deposit = len(projections.deposit_seqs)
    while first_deposit and projections.deposit_seqs[first_deposit - 1] > after_seq:
        first_deposit -= 1
    return Segment(
        after_seq=after_seq,
        seq=seq,
        commands=projections.commands[after_seq + 1 :],
        orders=list(changes.orders.values()),
        trades=list(changes.trades.values()),
        operations=[_row(view) for view in changes.operations.values()],
        batches=list(changes.batches.values()),
        settlements=changes.settlements,
        transfers=changes.transfers,
        reports=changes.reports,
        deposits=list(
            zip(projections.deposit_seqs[first_deposit:], projections.deposits[first_deposit:], strict=True),
        ),
        postings=[(at, projections.postings[at]) for at in range(after_seq + 1, seq + 1) if at in projections.postings],
        notified=projections.wallets.notified,
        notifications=[(wallet, projections.wallets.notifications[wallet]) for wallet in changes.notified],
        earnings=[
            (account_id, day, ticker, projections.wallets.earnings[account_id][day][ticker])
            for account_id, day, ticker in changes.earnings
        ],
    )


def _everything(projections: Projections) -> Changes:
    return Changes(
        orders=projections.orders,
        trades=dict(enumerate(projections.trades)),
        operations=dict(enumerate(projections.operations)),
        batches=projections.batches,
        settlements=[view for views in projections.settlements_by_account.values() for view in views],
        transfers=[view for views in projections.transfers_by_account.values() for view in views],
        notified=dict.fromkeys(projections.wallets.notifications),
        earnings={
            (account_id, day, ticker): None
            for account_id, days in projections.wallets.earnings.items()
            for day, tickers in days.items()
            for ticker in tickers
        },
        reports=[report for made in projections.reports_by_owner.values() for report in made],
    )


def _row(view: OperationView) -> _OperationRow:
    operation = view.operation
    return _OperationRow(
        operation if isinstance(operation, FillOperation) else None,
        operation if isinstance(operation, PoolOperation) else None,
        operation if isinstance(operation, WalletOperation) else None,
        view.seq,
        view.at_ms,
        view.stage,
        view.batch_no,
        view.tx_hash,
        view.block_number,
        view.resolution,
    )


def _view(row: _OperationRow) -> OperationView:
    operation = row.fill or row.pool or row.action
    assert operation is not None
    return OperationView(
        operation, row.seq, row.at_ms, row.stage, row.batch_no, row.tx_hash, row.block_number, row.resolution
    )


def restore(segments: Iterable[Segment]) -> Projections:
    """Return the read models that segments make together. Raises ValueError when one does not follow the one before."""
    made = Projections()
    for segment in segments:
        if segment.after_seq != len(made.commands) - 1 or segment.seq != segment.after_seq + len(segment.commands):
            raise ValueError(f"it covers commands {segment.after_seq + 1} to {segment.seq}, after {len(made.commands) - 1}")
        made.commands += [(sys.intern(kind), at_ms, request) for kind, at_ms, request in segment.commands]
        made.orders.update({view.order_id: view for view in segment.orders})
        for trade in segment.trades:
            _put(made.trades, trade.match_id, trade)
        for row in segment.operations:
            view = _view(row)
            _put(made.operations, view.operation.number, view)
        made.batches.update({batch.batch_no: batch for batch in segment.batches})
        for settlement in segment.settlements:
            made.settlements_by_account[settlement.account_id].append(settlement)
        for transfer in segment.transfers:
            made.transfers_by_account[transfer.account_id].append(transfer)
        for report in segment.reports:
            made.reports_by_owner[owner_of(report.account_id)].append(report)
        for seq, deposit in segment.deposits:
            made.deposit_seqs.append(seq)
            made.deposits.append(deposit)
        made.postings.update(segment.postings)
        made.wallets.notified = segment.notified
        made.wallets.notifications.update(segment.notifications)
        for account_id, day, ticker, micros in segment.earnings:
            made.wallets.earnings[account_id].setdefault(day, {})[ticker] = micros
    _index(made)
    return made


def _put(views: list[T], number: int, view: T) -> None:
    if number < len(views):
        views[number] = view
    elif number == len(views):
        views.append(view)
    else:
        raise ValueError(f"view {number} follows {len(views) - 1}")


def _index(made: Projections) -> None:
    """Make every index from the views, in the order in which `observe` would have."""
    for order in made.orders.values():
        made.orders_by_account[order.account_id].append(order)
        made.add_funder(order)
        made.orders_by_seq[order.seq].append(order.order_id)
    for trade in made.trades:
        taker, maker = trade.taker, trade.maker
        made.trades_by_ticker[trade.ticker].append(trade)
        made.fills_by_account[taker.account_id].append(FillView(trade, taker, maker, True))
        made.fills_by_account[maker.account_id].append(FillView(trade, maker, taker, False))
    for operation in made.operations:
        made.operations_by_seq[operation.seq].append(operation.operation.number)
    # Trades and actions in the order of their commands: a wallet's activity has both.
    both: Iterable[TradeView | OperationView] = heapq.merge(made.trades, made.operations, key=lambda view: view.seq)
    for view in both:
        if isinstance(view, TradeView):
            made.count_trade(view)
        else:
            made.wallets.queued(view.operation, view.at_ms)
    for seq, posted in made.postings.items():
        at_ms = made.commands[seq][1]
        for posting in posted:
            made.posting_seqs[posting.reference].append(seq)
            for account_id, _, _ in posting.lines:
                made.account_updated_ms[account_id] = at_ms
            made.wallets.posted(posting, at_ms)
    for seq, (_, _, request_id) in enumerate(made.commands):
        if request_id:
            made.requests[request_id].append(seq)
