"""Read models: what people ask for that the engine does not keep. Fed by the sequencer with every command and its events.

Nothing here decides anything, and everything here is rebuilt by replaying the journal. So that a start need not replay all
of it, `segments.py` stores what changes between two snapshots. A handler that changes a view therefore gets it from
`_order`, `_trade` or `_operation`, which note that it changed; a read model added here is added there too (a test compares).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from offchain_book import reports
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import chain_events as ce
from offchain_book.engine import commands as c
from offchain_book.engine import events as e
from offchain_book.engine import market_events as me
from offchain_book.engine.account import Account
from offchain_book.engine.names import token_asset
from offchain_book.engine.operations import ZERO_BYTES32, FillOperation, Outcome
from offchain_book.engine.order import CancelReason, OrderStatus
from offchain_book.engine.postings import postings
from offchain_book.engine.state import State
from offchain_book.price_history import PriceHistory
from offchain_book.reports import Report, ReportKind
from offchain_book.views import (
    BatchView,
    DepositView,
    FillView,
    OperationView,
    OrderView,
    SettlementView,
    TradeStage,
    TradeView,
    TransferView,
    own_cost_micros,
    traded_micros,
)
from offchain_book.wallet_views import DAY_MS, NotificationKind, WalletViews, is_wallet


@dataclass(slots=True)
class Changes:
    """The views that are new or changed since the last snapshot; everything else that is new is found by its seq."""

    orders: dict[str, OrderView] = field(default_factory=dict)
    trades: dict[int, TradeView] = field(default_factory=dict)
    operations: dict[int, OperationView] = field(default_factory=dict)
    batches: dict[int, BatchView] = field(default_factory=dict)
    settlements: list[SettlementView] = field(default_factory=list)
    transfers: list[TransferView] = field(default_factory=list)
    notified: dict[str, None] = field(default_factory=dict)
    """Wallets whose notifications changed."""
    earnings: dict[tuple[str, int, str], None] = field(default_factory=dict)
    """(account, day, ticker) whose sum changed."""
    reports: list[Report] = field(default_factory=list)


class Projections:
    """All read models of one venue."""

    def __init__(self) -> None:
        self.orders: dict[str, OrderView] = {}
        self.orders_by_account: dict[str, list[OrderView]] = defaultdict(list)
        self.funders: dict[str, dict[str, None]] = defaultdict(dict)
        """Wallet that hands orders in for contract wallets -> those contract wallets, the one used last at the end."""
        self.transfers_by_account: dict[str, list[TransferView]] = defaultdict(list)
        self.fills_by_account: dict[str, list[FillView]] = defaultdict(list)
        self.trades: list[TradeView] = []
        """Index = match id."""
        self.trades_by_ticker: dict[str, list[TradeView]] = defaultdict(list)
        self.settlements_by_account: dict[str, list[SettlementView]] = defaultdict(list)
        self.deposits: list[DepositView] = []
        self.operations: list[OperationView] = []
        """Index = operation number."""
        self.postings: dict[int, list[e.Posted]] = defaultdict(list)
        """Command seq -> its postings."""
        self.commands: list[tuple[str, int, str]] = [("", 0, "")]
        """Command seq -> (kind, venue time, request id)."""
        self.orders_by_seq: dict[int, list[str]] = defaultdict(list)
        self.operations_by_seq: dict[int, list[int]] = defaultdict(list)
        self.deposit_seqs: list[int] = []
        """Deposit index -> command seq."""
        self.posting_seqs: dict[str, list[int]] = defaultdict(list)
        """Posting reference -> command seqs."""
        self.requests: dict[str, list[int]] = defaultdict(list)
        """Request id -> command seqs."""
        self.batches: dict[int, BatchView] = {}
        self.account_updated_ms: dict[str, int] = {}
        self.prices: dict[str, PriceHistory] = defaultdict(PriceHistory)
        """Ticker -> its minutes."""
        self.wallets = WalletViews()
        self.reports_by_owner: dict[str, list[Report]] = defaultdict(list)
        """Steps of the orders of a custodial account with its parts, in their order."""
        self.changes = Changes()

    def observe(self, state: State, entry: c.Sequenced, events: Sequence[e.Event]) -> None:
        """Take in one command and what it caused."""
        self.commands.append((type(entry.command).__name__, entry.at_ms, entry.request_id))
        if entry.request_id:
            self.requests[entry.request_id].append(entry.seq)
            if isinstance(entry.command, c.CancelOrders) and entry.request_id.startswith(reports.PREFIX):
                self._report(reports.of_mass_cancel(entry))
        for event in events:
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                handler(self, state, entry, event)
        made = self.reports_of(entry.seq)
        if made:
            reports.complete(state, made)

    def reports_of(self, seq: int) -> list[Report]:
        """Return the reports of the newest command, whose number is `seq`, in their order."""
        noted = self.changes.reports
        first = len(noted)
        while first and noted[first - 1].seq == seq:
            first -= 1
        return noted[first:]

    def _report(self, report: Report) -> None:
        self.changes.reports.append(report)
        self.reports_by_owner[reports.owner_of(report.account_id)].append(report)

    def order_by_client_id(self, account: Account, client_order_id: str) -> OrderView | None:
        """Return the order that an account gave this id; an amended order is found by each id it has had."""
        order_id = account.client_order_ids.get(client_order_id)
        return self.orders[order_id] if order_id is not None else None

    def postings_named(self, references: Iterable[str], also: Iterable[int]) -> list[tuple[int, e.Posted]]:
        """Return (seq, posting) for postings with these references, and for deposits and payouts of the commands `also`."""
        wanted = set(references)
        seqs = set(also) | {seq for reference in wanted for seq in self.posting_seqs.get(reference, ())}
        return [
            (seq, posted)
            for seq in sorted(seqs)
            for posted in self.postings.get(seq, ())
            if posted.reference in wanted or posted.reference.partition(":")[0] in ("deposit", "payout", "net", "advance")
        ]

    def _order(self, order_id: str) -> OrderView:
        """Return an order's view to change it."""
        view = self.changes.orders[order_id] = self.orders[order_id]
        return view

    def _trade(self, match_id: int) -> TradeView:
        """Return a trade's view to change it."""
        view = self.changes.trades[match_id] = self.trades[match_id]
        return view

    def _operation(self, number: int) -> OperationView:
        """Return an operation's view to change it."""
        view = self.changes.operations[number] = self.operations[number]
        return view

    def _accepted(self, state: State, entry: c.Sequenced, event: e.OrderAccepted) -> None:
        command = entry.command
        assert isinstance(command, c.PlaceOrder)
        view = OrderView(
            order_id=command.order_id,
            client_order_id=command.client_order_id,
            account_id=command.account_id,
            ticker=command.ticker,
            side=command.side,
            outcome=command.outcome,
            price_e4=command.price_e4,
            size_micros=event.size_micros,
            time_in_force=command.time_in_force,
            post_only=command.post_only,
            self_trade=command.self_trade,
            expires_ms=command.expires_ms,
            signed=command.signed,
            seq=entry.seq,
            created_ms=entry.at_ms,
            updated_ms=entry.at_ms,
            remaining_micros=event.size_micros,
            reduce_only=command.reduce_only,
            cancel_on_pause=command.cancel_on_pause,
            group_id=command.group_id,
            session_id=command.session_id,
            builder=_builder(command),
        )
        self.orders[view.order_id] = self.changes.orders[view.order_id] = view
        self.orders_by_seq[entry.seq].append(view.order_id)
        self.orders_by_account[view.account_id].append(view)
        self.add_funder(view)
        if not is_wallet(view.account_id):
            self._report(reports.of_order(ReportKind.ACCEPTED, entry, view))

    def add_funder(self, order: OrderView) -> None:
        """Remember who handed an order of a contract wallet in."""
        if order.handed_in_by:
            wallets = self.funders[order.handed_in_by]
            wallets.pop(order.account_id, None)
            wallets[order.account_id] = None

    def _rejected(self, state: State, entry: c.Sequenced, event: e.Rejected) -> None:
        if entry.request_id.startswith(reports.PREFIX):
            order = self.orders.get(getattr(entry.command, "order_id", ""))
            self._report(reports.of_refusal(entry, event, order))

    def _group_changed(self, state: State, entry: c.Sequenced, event: e.OrderGroupChanged) -> None:
        if entry.request_id.startswith(reports.PREFIX) and getattr(entry.command, "group_id", "") == event.group_id:
            self._report(reports.of_group(entry, event))

    def _cancelled(self, state: State, entry: c.Sequenced, event: e.OrderCancelled) -> None:
        view = self._order(event.order_id)
        view.updated_ms = entry.at_ms
        view.remaining_micros = 0
        view.cancel_reason = event.reason
        spent = event.reason is CancelReason.AMOUNT_SPENT
        view.status = OrderStatus.EXECUTED if spent else OrderStatus.CANCELED
        if event.was_resting and event.reason is not CancelReason.BY_USER and is_wallet(event.account_id):
            self._notify(event.account_id, NotificationKind.CANCELLED, entry.at_ms, event.ticker, event.order_id)
        if not is_wallet(event.account_id):
            self._report(reports.of_cancel(entry, view, event))

    def _decreased(self, state: State, entry: c.Sequenced, event: e.OrderDecreased) -> None:
        view = self._order(event.order_id)
        view.updated_ms = entry.at_ms
        view.remaining_micros = event.remaining_micros
        view.size_micros -= event.reduced_micros
        view.decreased_micros += event.reduced_micros
        self._report_change(entry, view, view.client_order_id)

    def _amended(self, state: State, entry: c.Sequenced, event: e.OrderAmended) -> None:
        view = self._order(event.order_id)
        view.updated_ms, name = entry.at_ms, view.client_order_id
        view.decreased_micros += max(0, view.size_micros - event.size_micros)
        view.price_e4, view.size_micros = event.price_e4, event.size_micros
        view.remaining_micros, view.expires_ms = event.remaining_micros, event.expires_ms
        if event.client_order_id:
            view.client_order_id = event.client_order_id
        self._report_change(entry, view, name)

    def _report_change(self, entry: c.Sequenced, view: OrderView, name_before: str) -> None:
        if not is_wallet(view.account_id):
            self._report(reports.of_change(entry, view, name_before))

    def _transferred(self, state: State, entry: c.Sequenced, event: e.CashTransferred) -> None:
        view = TransferView(
            event.account_id,
            event.transfer_id,
            event.from_subaccount,
            event.to_subaccount,
            event.amount_micros,
            entry.at_ms,
        )
        self.changes.transfers.append(view)
        self.transfers_by_account[view.account_id].append(view)

    def _matched(self, state: State, entry: c.Sequenced, event: e.Matched) -> None:
        on_chain = event.operation >= 0
        for posted in () if on_chain else postings(event):
            self._posted(state, entry, posted)
        trade = TradeView(
            match_id=event.match_id,
            seq=entry.seq,
            ticker=event.ticker,
            price_e4=event.price_e4,
            size_micros=event.size_micros,
            at_ms=event.at_ms,
            updated_ms=event.at_ms,
            taker=event.taker,
            maker=event.maker,
            pieces=event.pieces,
            operation=event.operation,
            stage=TradeStage.MATCHED if on_chain else TradeStage.CONFIRMED,
        )
        if on_chain:
            operation = self.operations[event.operation].operation
            assert isinstance(operation, FillOperation)
            trade.chain_kind = operation.kind
        self.trades.append(trade)
        self.changes.trades[trade.match_id] = trade
        self.trades_by_ticker[event.ticker].append(trade)
        for own, other, is_taker in ((event.taker, event.maker, True), (event.maker, event.taker, False)):
            self.fills_by_account[own.account_id].append(FillView(trade, own, other, is_taker))
            view = self._order(own.order_id)
            self._filled(view, trade, own, is_taker)
            if not is_wallet(own.account_id):
                self._report(reports.of_fill(entry, view, event, own, is_taker))
        self.count_trade(trade)
        if is_wallet(event.maker.account_id):
            maker, filled = event.maker, NotificationKind.FILLED
            self._notify(maker.account_id, filled, entry.at_ms, event.ticker, maker.order_id, event.match_id)

    def count_trade(self, trade: TradeView) -> None:
        """Enter a trade into the read models that are made of trades alone; its orders are known."""
        costs = [(own, traded_micros(trade, own)) for own in (trade.taker, trade.maker)]
        self.prices[trade.ticker].add(trade.at_ms, trade.price_e4, costs[0][1])
        sides = [(own.account_id, cost, self.orders[own.order_id].builder, own is trade.taker) for own, cost in costs]
        self.wallets.traded(trade.match_id, trade.at_ms, sides)

    def _notify(self, account_id: str, kind: int, at_ms: int, ticker: str, order_id: str = "", match_id: int = -1) -> None:
        self.wallets.notify(account_id, kind, at_ms, ticker, order_id, match_id)
        self.changes.notified[account_id] = None

    def _filled(self, order: OrderView, trade: TradeView, own: e.FillSide, is_taker: bool) -> None:
        cost = own_cost_micros(trade, own)
        if is_taker:
            order.taker_cost_micros += cost
            order.taker_fee_micros += own.fee_micros
        else:
            order.maker_cost_micros += cost
            order.maker_fee_micros += own.fee_micros
        order.filled_micros += trade.size_micros
        order.remaining_micros = own.remaining_micros
        order.status = own.status
        order.updated_ms = trade.at_ms
        order.matches.append(trade.match_id)

    def _queued(self, state: State, entry: c.Sequenced, event: ce.OperationQueued) -> None:
        view = OperationView(event.operation, entry.seq, entry.at_ms, TradeStage.MATCHED)
        self.operations.append(view)
        self.changes.operations[event.operation.number] = view
        self.operations_by_seq[entry.seq].append(event.operation.number)
        self.wallets.queued(event.operation, entry.at_ms)

    def _batch_cut(self, state: State, entry: c.Sequenced, event: ce.BatchCut) -> None:
        before = self.batches.get(event.batch_no)  # a batch that is split is cut a second time, smaller
        cut_ms = before.cut_ms if before is not None else entry.at_ms
        view = BatchView(event.batch_no, event.first, event.operation_count, cut_ms)
        self.batches[event.batch_no] = self.changes.batches[event.batch_no] = view
        for number in range(event.first, event.first + event.operation_count):
            self._operation(number).batch_no = event.batch_no

    def _batch_observed(self, state: State, entry: c.Sequenced, event: ce.BatchObserved) -> None:
        view = self.changes.batches[event.batch_no] = self.batches[event.batch_no]
        view.first, view.count, view.tx_hash = event.first, event.operation_count, event.tx_hash
        if event.stage == cc.BatchStage.MINED:
            view.mined_ms = entry.at_ms
        else:
            view.sent_ms, view.mined_ms = entry.at_ms, 0
        seen = {"mined": TradeStage.MINED, "retrying": TradeStage.RETRYING}.get(event.stage)
        for number in range(event.first, event.first + event.operation_count):
            again = self.operations[number].stage == TradeStage.RETRYING
            stage = (
                TradeStage.RETRYING if state.chain_halted else seen or (TradeStage.RETRYING if again else TradeStage.MATCHED)
            )
            self._move(number, stage, event.tx_hash, event.block_number, entry.at_ms)

    def _chain_observed(self, state: State, entry: c.Sequenced, event: ce.ChainObserved) -> None:
        """While finality stands still every open fill is RETRYING; when it returns, those in a block are MINED again."""
        mined = {
            number
            for batch in state.batches.values()
            if batch.stage is cc.BatchStage.MINED
            for number in range(batch.first, batch.first + batch.count)
        }
        for number in state.operations:
            view = self.operations[number]
            stage = TradeStage.RETRYING if event.halted else TradeStage.MINED
            if view.stage != stage and (event.halted or number in mined):
                self._move(number, stage, view.tx_hash, view.block_number, entry.at_ms)

    def _settled(self, state: State, entry: c.Sequenced, event: ce.OperationSettled) -> None:
        stage = TradeStage.FAILED if event.skipped else TradeStage.CONFIRMED
        self._move(event.number, stage, event.tx_hash, event.block_number, entry.at_ms)

    def _failed(self, state: State, entry: c.Sequenced, event: ce.OperationFailed) -> None:
        view = self._operation(event.number)
        self._move(event.number, TradeStage.FAILED, view.tx_hash, view.block_number, entry.at_ms)
        view.resolution = f"{event.resolution} ({event.reason})"
        if isinstance(view.operation, FillOperation):
            self._trade(view.operation.match_id).resolution = event.resolution

    def _move(self, number: int, stage: str, tx_hash: str, block_number: int, at_ms: int) -> None:
        view = self._operation(number)
        if view.stage == TradeStage.FAILED:
            stage = TradeStage.FAILED
        view.stage, view.tx_hash, view.block_number = stage, tx_hash, block_number
        if isinstance(view.operation, FillOperation):
            trade = self._trade(view.operation.match_id)
            trade.stage, trade.tx_hash, trade.block_number = stage, tx_hash, block_number
            trade.batch_no, trade.updated_ms = view.batch_no, at_ms

    def _posted(self, state: State, entry: c.Sequenced, event: e.Posted) -> None:
        self.postings[entry.seq].append(event)
        self.posting_seqs[event.reference].append(entry.seq)
        for account_id, _, _ in event.lines:
            self.account_updated_ms[account_id] = entry.at_ms
        self.wallets.posted(event, entry.at_ms)

    def _deposited(self, state: State, entry: c.Sequenced, event: ce.DepositCredited) -> None:
        command = entry.command
        assert isinstance(command, cc.CreditDeposit)
        self.deposit_seqs.append(entry.seq)
        self.deposits.append(
            DepositView(
                event.deposit_index,
                event.account_id,
                event.asset,
                event.amount_micros,
                command.tx_hash,
                command.block_number,
                entry.at_ms,
            )
        )

    def _paid(self, state: State, entry: c.Sequenced, event: me.PositionPaid) -> None:
        market = state.markets[event.ticker]
        view = SettlementView(
            event.account_id,
            event.ticker,
            event.yes_micros,
            event.no_micros,
            event.payout_micros,
            market.yes_payout_micros,
            entry.at_ms,
        )
        self.settlements_by_account[event.account_id].append(view)
        self.changes.settlements.append(view)

    def _resolved(self, state: State, entry: c.Sequenced, event: me.MarketResolved) -> None:
        assets = [token_asset(event.ticker, outcome) for outcome in Outcome]
        holders = [wallet for asset in assets for wallet in self.wallets.holders.get(asset, ())]
        for wallet in dict.fromkeys(holders):
            self._notify(wallet, NotificationKind.RESOLVED, entry.at_ms, event.ticker)

    def _dropped(self, state: State, entry: c.Sequenced, event: e.NotificationsDropped) -> None:
        if event.account_id in self.wallets.notifications:
            self.wallets.drop(event.account_id, event.numbers)
            self.changes.notified[event.account_id] = None

    def _earned(self, state: State, entry: c.Sequenced, event: e.RewardsEarned) -> None:
        self.wallets.earned(event)
        for account_id, _ in event.earned:
            self.changes.earnings[account_id, event.at_ms // DAY_MS, event.ticker] = None


def _builder(command: c.PlaceOrder) -> str:
    signed = command.signed
    return signed.builder if signed is not None and signed.builder != ZERO_BYTES32 else command.builder


_HANDLERS: dict[type[Any], Callable[[Projections, State, c.Sequenced, Any], None]] = {
    e.Rejected: Projections._rejected,
    e.OrderGroupChanged: Projections._group_changed,
    e.OrderAccepted: Projections._accepted,
    e.OrderCancelled: Projections._cancelled,
    e.OrderDecreased: Projections._decreased,
    e.OrderAmended: Projections._amended,
    e.CashTransferred: Projections._transferred,
    e.Matched: Projections._matched,
    ce.OperationQueued: Projections._queued,
    ce.BatchCut: Projections._batch_cut,
    ce.BatchObserved: Projections._batch_observed,
    ce.ChainObserved: Projections._chain_observed,
    ce.OperationSettled: Projections._settled,
    ce.OperationFailed: Projections._failed,
    e.Posted: Projections._posted,
    ce.DepositCredited: Projections._deposited,
    me.PositionPaid: Projections._paid,
    me.MarketResolved: Projections._resolved,
    e.NotificationsDropped: Projections._dropped,
    e.RewardsEarned: Projections._earned,
}
