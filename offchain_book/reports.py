"""What became of orders, step by step: one `Report` per step, in the journal's order.

A session protocol such as FIX owes its client a message for each change of each of its orders, also for those that happened
while the client was away or while the venue died; drop copies and listeners owe it for every order of the account, whatever
door it came through. Reports follow from the journal alone, so they are a read model like any other: a restart makes the same
ones again, and a session only has to remember how many of them it has sent. Wallets have no sessions, so their orders have no
reports; a refusal has one when its request came over a session.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from offchain_book import errors
from offchain_book.engine import commands as c
from offchain_book.engine import events as e
from offchain_book.engine.names import token_assets
from offchain_book.engine.order import BID, BookSide, CancelReason, TimeInForce
from offchain_book.engine.state import State
from offchain_book.engine.units import PRICE_SCALE, cost_micros

if TYPE_CHECKING:
    from offchain_book.views import OrderView

PREFIX = "fix~"
"""Begins the name of a session and the request ids of its commands. No HTTP client can choose such an id."""


def request_id(token: str, number: int, name: str) -> str:
    """Return the request id of a session's message: the session's token, the message's number, the client's own name for it.

    The token changes whenever numbers start again, so a request id never comes twice, and it says nothing about whose it is.
    """
    return f"{PREFIX}{token}~{number}~{name}"


def request_name(request: str) -> str:
    """Return the client's own name for a request; empty when it came another way."""
    return request.split("~", 3)[3] if request.startswith(PREFIX) else ""


class ReportKind(StrEnum):
    """What happened."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    FILLED = "filled"
    CANCELLED = "cancelled"
    CHANGED = "changed"
    CHANGE_REFUSED = "change_refused"
    """A cancel, decrease or amendment was refused."""
    MASS_CANCELLED = "mass_cancelled"
    GROUP = "group"
    GROUP_REFUSED = "group_refused"


_ACCEPTED: Final = ReportKind.ACCEPTED
_FILLED: Final = ReportKind.FILLED
_CANCELLED: Final = ReportKind.CANCELLED


class Report(msgspec.Struct, array_like=True, gc=False):
    """One step. Sizes are millionths of a contract, money millionths of a dollar, prices YES prices.

    `seq` and `place` (the how many-th report of its command) name it for good. What an order was at that moment is copied,
    because its view moves on.
    """

    seq: int
    place: int
    at_ms: int
    kind: ReportKind
    account_id: str
    session_id: str
    request_id: str
    order_id: str = ""
    client_order_id: str = ""
    """The order's name after this step; empty when its owner gave it none."""
    previous_id: str = ""
    """The order's name before this step, when a request of its own caused it."""
    ticker: str = ""
    side: BookSide = BID
    price_e4: int = 0
    size_micros: int = 0
    filled_micros: int = 0
    remaining_micros: int = 0
    value_micros_e4: int = 0
    """Sum of size times price over all fills so far."""
    expires_ms: int = 0
    time_in_force: TimeInForce = TimeInForce.GTC
    trades_at_once: bool = False
    """ACCEPTED: a fill of the same order follows in the same command."""
    was_resting: bool = False
    """CANCELLED: it had been in the book."""
    ends: bool = False
    """FILLED: the rest does not stay, by its time in force; CANCELLED: that is why."""
    reason: str = ""
    """A reject code's or cancel reason's name."""
    text: str = ""
    match_id: int = -1
    last_price_e4: int = 0
    last_micros: int = 0
    is_taker: bool = False
    fee_micros: int = 0
    cash_micros: int = 0
    """What the fill moved in the account's cash, fee included."""
    freed_micros: int = 0
    """The part of it that closing a position freed."""
    position_micros: int = 0
    """YES less NO after the fill."""
    group_id: str = ""
    limit_micros: int = 0
    amends: bool = False
    """CHANGE_REFUSED: it was an amendment, not a cancel."""


def owner_of(account_id: str) -> str:
    """Return the account that a part belongs to."""
    return account_id.partition("/")[0]


def of_order(kind: ReportKind, entry: c.Sequenced, order: "OrderView") -> Report:
    """Return a report of an order as it is now."""
    return Report(
        seq=entry.seq,
        place=0,
        at_ms=entry.at_ms,
        kind=kind,
        account_id=order.account_id,
        session_id=order.session_id,
        request_id=entry.request_id,
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        ticker=order.ticker,
        side=order.side,
        price_e4=order.price_e4,
        size_micros=order.size_micros,
        filled_micros=order.filled_micros,
        remaining_micros=order.remaining_micros,
        value_micros_e4=_value(order),
        expires_ms=order.expires_ms,
        time_in_force=order.time_in_force,
        group_id=order.group_id,
    )


def _value(order: "OrderView") -> int:
    """Return the sum of size times YES price over an order's fills; its costs are in its own side's money."""
    own = (order.taker_cost_micros + order.maker_cost_micros) * PRICE_SCALE
    return own if order.side is BID else order.filled_micros * PRICE_SCALE - own


def of_fill(entry: c.Sequenced, order: "OrderView", match: e.Matched, own: e.FillSide, is_taker: bool) -> Report:
    """Return the report of a fill; `complete` sets the position."""
    report = of_order(ReportKind.FILLED, entry, order)
    report.match_id, report.is_taker = match.match_id, is_taker
    report.last_price_e4, report.last_micros, report.fee_micros = match.price_e4, match.size_micros, own.fee_micros
    own_price = match.price_e4 if own.side is BID else PRICE_SCALE - match.price_e4
    report.freed_micros = cost_micros(own.close_micros, PRICE_SCALE - own_price)
    report.cash_micros = report.freed_micros - cost_micros(own.open_micros, own_price) - own.fee_micros
    return report


def of_cancel(entry: c.Sequenced, order: "OrderView", event: e.OrderCancelled) -> Report:
    """Return the report of a cancel; a request for just this order gives it its name."""
    report = of_order(ReportKind.CANCELLED, entry, order)
    report.reason, report.was_resting = event.reason.name, event.was_resting
    report.ends = event.reason is CancelReason.TIME_IN_FORCE
    name = request_name(entry.request_id)
    if name and isinstance(entry.command, c.CancelOrder):
        report.previous_id, report.client_order_id = order.client_order_id, name
    return report


def of_change(entry: c.Sequenced, order: "OrderView", name_before: str) -> Report:
    """Return the report of an order that was decreased or amended, maybe under a new name."""
    report = of_order(ReportKind.CHANGED, entry, order)
    if request_name(entry.request_id) or order.client_order_id != name_before:
        report.previous_id = name_before
    return report


def of_refusal(entry: c.Sequenced, event: e.Rejected, order: "OrderView | None") -> Report:
    """Return the report of a refused request. `order` is the one that it was about, if there is one."""
    command = entry.command
    if isinstance(command, c.PlaceOrder):
        report = _of_unplaced(entry, command)
    elif isinstance(command, c.CancelOrder | c.AmendOrder | c.DecreaseOrder):
        report = (
            of_order(ReportKind.CHANGE_REFUSED, entry, order) if order else _of_request(ReportKind.CHANGE_REFUSED, entry)
        )
        report.order_id = command.order_id
        report.previous_id = order.client_order_id if order else ""
        report.client_order_id = request_name(entry.request_id)
        report.amends = not isinstance(command, c.CancelOrder)
        report.session_id = ""
    elif isinstance(command, c.CancelOrders):
        report = _of_request(ReportKind.MASS_CANCELLED, entry)
    else:
        report = _of_request(ReportKind.GROUP_REFUSED, entry)
        report.group_id = getattr(command, "group_id", "")
    report.reason, report.text = event.code.name, errors.sentence(event)
    return report


def _of_unplaced(entry: c.Sequenced, command: c.PlaceOrder) -> Report:
    return Report(
        seq=entry.seq,
        place=0,
        at_ms=entry.at_ms,
        kind=ReportKind.REFUSED,
        account_id=command.account_id,
        session_id=command.session_id,
        request_id=entry.request_id,
        order_id=command.order_id,
        client_order_id=command.client_order_id,
        ticker=command.ticker,
        side=command.side,
        price_e4=command.price_e4,
        size_micros=command.size_micros,
        expires_ms=command.expires_ms,
        time_in_force=command.time_in_force,
        group_id=command.group_id,
    )


def _of_request(kind: ReportKind, entry: c.Sequenced) -> Report:
    account_id = getattr(entry.command, "account_id", "")
    return Report(entry.seq, 0, entry.at_ms, kind, account_id, "", entry.request_id)


def of_mass_cancel(entry: c.Sequenced) -> Report:
    """Return the report of a mass cancel; those of its orders follow."""
    return _of_request(ReportKind.MASS_CANCELLED, entry)


def of_group(entry: c.Sequenced, event: e.OrderGroupChanged) -> Report:
    """Return the report of a request about an order group."""
    report = _of_request(ReportKind.GROUP, entry)
    report.group_id, report.limit_micros = event.group_id, event.limit_micros
    return report


def complete(state: State, reports: Sequence[Report]) -> None:
    """Add to one command's reports what only its end shows: their numbers, positions after each fill, how orders ended."""
    if len(reports) == 1 and reports[0].kind is not _FILLED:
        return
    positions: dict[tuple[str, str], int] = {}
    fills: dict[str, Report] = {}
    ended: set[str] = set()
    for place in reversed(range(len(reports))):
        report = reports[place]
        report.place = place
        if report.kind is _FILLED:
            where = (report.account_id, report.ticker)
            position = positions.get(where)
            if position is None:
                position = _position(state, *where)
            report.position_micros = position
            positions[where] = position - (report.last_micros if report.side is BID else -report.last_micros)
            report.ends = report.order_id in ended and report.order_id not in fills
            fills[report.order_id] = report
        elif report.kind is _CANCELLED and report.ends:
            ended.add(report.order_id)
        elif report.kind is _ACCEPTED:
            report.trades_at_once = report.order_id in fills


def _position(state: State, account_id: str, ticker: str) -> int:
    balances = state.accounts[account_id].balances
    yes, no = map(balances.get, token_assets(ticker))
    return (yes.total if yes else 0) - (no.total if no else 0)
