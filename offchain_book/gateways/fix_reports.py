"""Reports as FIX messages: ExecutionReport (8), OrderCancelReject (9), OrderMassCancelReport (r), OrderGroupResponse (UOH)."""

from offchain_book.gateways.fix_codec import Fields, payload, time_text
from offchain_book.gateways.fix_logon import Logon
from offchain_book.gateways.fix_session import Outgoing
from offchain_book.gateways.fix_words import (
    EXPIRIES,
    SIDE_CODES,
    average_text,
    cancel_word,
    change_refusal,
    explained,
    missed,
    price_text,
    refusal,
)
from offchain_book.gateways.kalshi_units import count_text, dollars_text
from offchain_book.gateways.kalshi_views import owner_and_number, trade_id
from offchain_book.reports import Report, ReportKind, request_name

PENDING_ID = "-1;-1"
NO_ORDER = "NONE"
"""OrderID<37> where there is no order."""
_NEW, _PARTIAL, _FILLED, _CANCELED, _REPLACED, _REJECTED, _EXPIRED, _TRADE = "0", "1", "2", "4", "5", "8", "C", "F"
EXECUTIONS = frozenset(
    {ReportKind.ACCEPTED, ReportKind.REFUSED, ReportKind.FILLED, ReportKind.CANCELLED, ReportKind.CHANGED}
)


def exec_id(report: Report) -> str:
    """Return the report's id: the command's number and the place among its reports. It grows, and a restart keeps it."""
    return f"{report.seq};{report.place}"


def message_of(report: Report, logon: Logon, extra: str = "") -> Outgoing | None:
    """Return a report as a session's message; None when its terms leave it out."""
    kind = report.kind
    if kind in EXECUTIONS:
        return None if _left_out(report, logon) else Outgoing("8", payload(_execution(report, logon)), extra)
    fields = {
        ReportKind.CHANGE_REFUSED: _cancel_reject,
        ReportKind.MASS_CANCELLED: _mass_cancel,
        ReportKind.GROUP: _group,
        ReportKind.GROUP_REFUSED: _group_reject,
    }[kind](report)
    name = {ReportKind.CHANGE_REFUSED: "9", ReportKind.MASS_CANCELLED: "r", ReportKind.GROUP: "UOH"}.get(kind, "j")
    return Outgoing(name, payload(fields), extra)


def _left_out(report: Report, logon: Logon) -> bool:
    if report.kind is ReportKind.ACCEPTED:
        return report.trades_at_once and not logon.new_before_trade
    return report.kind is ReportKind.CANCELLED and _silent_end(report, logon)


def _silent_end(report: Report, logon: Logon) -> bool:
    """Whether the unfilled rest of an immediate order goes without a report of its own (unless 21007=Y)."""
    return report.ends and report.filled_micros > 0 and not logon.reports_ioc_cancel


def order_fields(report: Report, logon: Logon, leaves_micros: int) -> Fields:
    """Return what every ExecutionReport says about its order."""
    size = report.size_micros if logon.keeps_original_size else report.filled_micros + leaves_micros
    fields: Fields = [
        (37, report.order_id),
        (11, report.client_order_id or report.order_id),
        (54, SIDE_CODES[report.side]),
        (55, report.ticker),
        (38, count_text(size)),
        (44, price_text(logon, report.price_e4)),
        (151, count_text(leaves_micros)),
        (14, count_text(report.filled_micros)),
        (6, average_text(logon, report.value_micros_e4, report.filled_micros)),
        (60, time_text(report.at_ms)),
    ]
    number = owner_and_number(report.account_id)[1]
    if number:
        fields.append((79, str(number)))
    if report.expires_ms:
        fields.append((126, time_text(report.expires_ms)))
    return fields


def _execution(report: Report, logon: Logon) -> Fields:
    kind = report.kind
    leaves = report.remaining_micros
    if kind is ReportKind.FILLED:
        if _silent_end(report, logon):
            leaves = 0
        status = _FILLED if not report.remaining_micros else _PARTIAL if leaves else _CANCELED
        tail = _fill(report, logon)
        exec_type = _TRADE
    elif kind is ReportKind.CANCELLED:
        leaves = 0
        exec_type = status = _EXPIRED if logon.uses_expired and report.reason in EXPIRIES else _CANCELED
        word = cancel_word(report.reason, report.was_resting)
        tail = [(58, word)] if word else []
    elif kind is ReportKind.REFUSED:
        exec_type, status, tail = _refused(report)
    else:
        exec_type = _NEW if kind is ReportKind.ACCEPTED else _REPLACED
        status, tail = _PARTIAL if report.filled_micros else _NEW, []
    if report.previous_id:
        tail = [(41, report.previous_id), *tail]
    return [(17, exec_id(report)), (150, exec_type), (39, status), *order_fields(report, logon, leaves), *tail]


def _refused(report: Report) -> tuple[str, str, Fields]:
    word = missed(report.reason)
    if word:
        return _CANCELED, _CANCELED, [(58, _why(word, report))]
    code, word = refusal(report.reason)
    return _REJECTED, _REJECTED, [(103, code), (58, _why(word, report))]


def _why(word: str, report: Report) -> str:
    return explained(f"{word}: {report.text}", report.reason)


def _fill(report: Report, logon: Logon) -> Fields:
    position = report.position_micros
    freed: Fields = []
    if logon.splits_collateral and report.freed_micros:
        freed = [(21030, dollars_text(report.freed_micros))]
    return [
        (31, price_text(logon, report.last_price_e4)),
        (32, count_text(report.last_micros)),
        (880, trade_id(report.match_id)),
        (1057, "Y" if report.is_taker else "N"),
        (704, count_text(max(position, 0))),
        (705, count_text(max(-position, 0))),
        (136, "1"),
        (137, dollars_text(report.fee_micros)),
        (138, "USD"),
        (139, "4"),
        (891, "0"),
        (1703, "1"),
        (1704, dollars_text(report.cash_micros)),
        (1705, "BALANCE"),
        *freed,
    ]


def _cancel_reject(report: Report) -> Fields:
    code, word = change_refusal(report.reason, report.amends)
    if not report.ticker:
        status = _REJECTED
    elif report.remaining_micros:
        status = _PARTIAL if report.filled_micros else _NEW
    else:
        status = _FILLED if report.filled_micros == report.size_micros else _CANCELED
    return [
        (37, report.order_id or NO_ORDER),
        (11, report.client_order_id),
        *([(41, report.previous_id)] if report.previous_id else []),
        (39, status),
        (434, "2" if report.amends else "1"),
        (102, code),
        (58, _why(word, report)),
    ]


def _mass_cancel(report: Report) -> Fields:
    refused: Fields = [(531, "6")]
    if report.reason:
        refused = [(531, "0"), (532, "99"), (58, _why(report.reason, report))]
    return [(11, request_name(report.request_id)), (37, str(report.seq)), *refused]


def _group(report: Report) -> Fields:
    number = owner_and_number(report.account_id)[1]
    return [
        (20130, report.group_id),
        (20132, str(report.limit_micros // 1_000_000)),
        *([(79, str(number))] if number else []),
    ]


def _group_reject(report: Report) -> Fields:
    reason = "1" if report.reason == "UNKNOWN_ORDER_GROUP" else "0"
    number = report.request_id.split("~")[2]
    return [(45, number), (372, "UOG"), *([(379, report.group_id)] if report.group_id else []), (380, reason),
            (58, _why(refusal(report.reason)[1], report))]  # fmt: skip
