"""Who logs on, and with which wishes. Every refusal is a sentence that goes into the Logout.

The signature is over SendingTime, `A`, MsgSeqNum, SenderCompID and TargetCompID, joined by SOH, so nobody can replay a Logon
later or at another port.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from offchain_book.config import SIGNATURE_WINDOW_S
from offchain_book.engine.account import ApiKey
from offchain_book.engine.commands import KeyKind
from offchain_book.engine.state import State
from offchain_book.gateways.credentials import UnsupportedKey, grants, parse_public_key, verify
from offchain_book.gateways.fix_codec import SOH
from offchain_book.gateways.fix_message import Message, Refused
from offchain_book.reports import PREFIX

HOUR_MS = 3_600_000
WINDOW_MS = SIGNATURE_WINDOW_S * 1000
"""How far SendingTime may be off."""
DEFAULT_RETENTION_H, MAX_RETENTION_H = 24, 72
MIN_HEARTBEAT_S, MAX_HEARTBEAT_S = 4, 3_600


class Service(StrEnum):
    """What a port offers; the value is the TargetCompID. In the order of the ports."""

    ORDERS = "KalshiNR"
    DROP_COPY = "KalshiDC"
    ORDERS_KEPT = "KalshiRT"
    POST_TRADE = "KalshiPT"
    QUOTES = "KalshiRFQ"
    MARKET_DATA = "KalshiMD"

    @property
    def keeps(self) -> bool:
        """Whether messages are kept to be sent again."""
        return self in (Service.ORDERS_KEPT, Service.POST_TRADE)

    @property
    def takes_orders(self) -> bool:
        """Whether orders come in here."""
        return self in (Service.ORDERS, Service.ORDERS_KEPT)


class LogonRefused(Exception):
    """No session; the message is for the Logout."""


@dataclass(frozen=True, slots=True)
class Logon:
    """A session's terms."""

    service: Service
    key: ApiKey
    signature: bytes
    number: int
    heartbeat_s: int
    resets: bool
    cancels_on_disconnect: bool
    listens: bool
    wants_settlements: bool
    retention_ms: int
    in_dollars: bool
    cancel_on_pause: bool
    reports_ioc_cancel: bool
    keeps_original_size: bool
    skips_pending: bool
    uses_expired: bool
    new_before_trade: bool
    splits_collateral: bool

    @property
    def name(self) -> str:
        """The session's name: what its orders carry and its store row is called."""
        return f"{PREFIX}{self.service}~{self.key.key_id}"


def check_logon(service: Service, message: Message, state: State, now_ms: Callable[[], int]) -> Logon:
    """Return the terms of a Logon that may come in. Raises LogonRefused, with the first thing that is wrong."""
    try:
        if message.kind != "A":
            raise LogonRefused(f"the first message must be a Logon, not {message.kind[:10]}")
        message.check()
        if not message.number:
            raise LogonRefused("MsgSeqNum<34> is missing or no positive number")
        _check_names(service, message)
        check_time(message, now_ms())
        key = _key(message, state)
        logon = _terms(service, message, key, _check_signature(message, key))
    except Refused as error:
        raise LogonRefused(str(error)) from error
    _check_terms(logon)
    return logon


def _check_names(service: Service, message: Message) -> None:
    if message.values.get(8) != "FIXT.1.1":
        raise LogonRefused("BeginString<8> must be FIXT.1.1")
    if message.text(56) != service:
        raise LogonRefused(f"TargetCompID<56> must be {service} on this port, not '{message.text(56)}'")


def check_time(message: Message, now_ms: int) -> None:
    """Check that a message was sent just now. Raises Refused."""
    sent = message.instant_ms(52)
    if sent is None:
        raise Refused(1, "SendingTime<52> is missing", 52)
    late_ms = now_ms - sent
    if abs(late_ms) > WINDOW_MS:
        where = "behind" if late_ms > 0 else "ahead of"
        text = f"SendingTime<52> is {abs(late_ms)} ms {where} this server; {SIGNATURE_WINDOW_S} s are allowed"
        raise Refused(10, text, 52)


def _key(message: Message, state: State) -> ApiKey:
    name = message.text(49)
    key = state.keys.get(name)
    if key is None or key.kind is not KeyKind.KALSHI:
        raise LogonRefused(f"SenderCompID<49> must be an API key id; there is no key '{name}' on this venue")
    return key


def _check_signature(message: Message, key: ApiKey) -> bytes:
    """Return the signature, which is good."""
    values = message.values
    expected = SOH.join((values[52], "A", values[34], values[49], values[56]))
    try:
        signature = base64.b64decode(values[96], validate=True)
    except (binascii.Error, ValueError):
        raise LogonRefused("RawData<96> is not base64") from None
    try:
        public = parse_public_key(key.public_key_pem)
    except UnsupportedKey as error:
        raise LogonRefused(str(error)) from error
    if not verify(public, signature, expected):
        shown = expected.replace(SOH, "<SOH>")
        raise LogonRefused(f"the signature in RawData<96> does not verify (RSA-PSS, SHA-256, salt 32); sign exactly {shown}")
    return signature


def _terms(service: Service, message: Message, key: ApiKey, signature: bytes) -> Logon:
    message.choice(98, {"0": 0}, 0)
    message.choice(1137, {"9": 9}, 9)
    retention_h = message.integer(20200, 1, MAX_RETENTION_H)
    return Logon(
        service=service,
        key=key,
        signature=signature,
        number=message.number,
        heartbeat_s=message.required_integer(108, MIN_HEARTBEAT_S, MAX_HEARTBEAT_S),
        resets=message.flag(141),
        cancels_on_disconnect=message.flag(8013),
        listens=message.flag(20126),
        wants_settlements=message.flag(20127),
        retention_ms=(retention_h or DEFAULT_RETENTION_H) * HOUR_MS,
        in_dollars=message.flag(21005),
        cancel_on_pause=message.flag(21006),
        reports_ioc_cancel=message.flag(21007),
        keeps_original_size=message.flag(21008),
        skips_pending=message.flag(21011),
        uses_expired=message.flag(21012),
        new_before_trade=message.flag(21026),
        splits_collateral=message.flag(21027),
    )


def _check_terms(logon: Logon) -> None:
    service = logon.service
    if service is Service.QUOTES:
        raise LogonRefused("requests for quotes are not built in this venue yet; order entry is KalshiNR or KalshiRT")
    if not service.keeps and not logon.resets:
        raise LogonRefused(f"ResetSeqNumFlag<141> must be Y on {service}, which keeps no messages")
    if logon.resets and logon.number != 1:
        raise LogonRefused(f"MsgSeqNum<34> must be 1 with ResetSeqNumFlag<141>=Y, not {logon.number}")
    if logon.listens and not service.takes_orders:
        raise LogonRefused("ListenerSession<20126> goes with KalshiNR and KalshiRT only")
    if logon.listens and not logon.skips_pending:
        raise LogonRefused("ListenerSession<20126>=Y needs SkipPendingExecReports<21011>=Y")
    if logon.cancels_on_disconnect and (logon.listens or not service.takes_orders):
        raise LogonRefused("CancelOrdersOnDisconnect<8013> goes with sessions that place orders only")
    if logon.wants_settlements and not service.keeps:
        raise LogonRefused("ReceiveSettlementReports<20127> goes with KalshiRT only")
    need = "write::trade" if service.takes_orders and not logon.listens else "read"
    if not grants(logon.key, need):
        raise LogonRefused(f"{service} needs an API key with the scope {need}; this one has {', '.join(logon.key.scopes)}")
