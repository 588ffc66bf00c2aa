"""Order entry over FIX: messages become commands, reports become messages; every rule about orders is the engine's.

An answer never comes from the command's receipt but from the reports that follow from the journal, so a client that comes back
after the venue died gets exactly what it would have got. A message that the client sends again (`PossDupFlag<43>`) is known by
its request id in the journal.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from offchain_book.engine import commands as c
from offchain_book.engine.account import Account
from offchain_book.engine.names import subaccount_id
from offchain_book.engine.order import BookSide, SelfTrade, TimeInForce
from offchain_book.engine.subaccounts import MAX_SUBACCOUNT
from offchain_book.engine.units import ONE_CONTRACT_MICROS
from offchain_book.gateways.fix_codec import Fields, payload
from offchain_book.gateways.fix_message import Message, Refused
from offchain_book.gateways.fix_post_trade import settlement_messages
from offchain_book.gateways.fix_reports import EXECUTIONS, NO_ORDER, PENDING_ID, message_of, order_fields
from offchain_book.gateways.fix_session import FixSession, Outgoing
from offchain_book.gateways.fix_words import SIDES, explained
from offchain_book.gateways.kalshi_units import CENT_MICROS
from offchain_book.reports import Report, ReportKind, of_order, owner_of, request_id, request_name
from offchain_book.sequencer import Overloaded, Receipt, Sequencer, Unavailable

MAX_UNDERWAY = 1_000
"""Most commands of one session that wait for the exchange; beyond it nothing more is read."""
MAX_PASSED_OVER = 2_000
"""Most reports that are passed over before the rest of the venue has its turn."""
MAX_NAME = 64
"""Longest ClOrdID."""
MASS_CANCEL_MS = 1_000
"""Shortest time between two mass cancels of a session."""
_EASTERN = ZoneInfo("America/New_York")
_DAY, _GTD = "0", "6"
_TIMES = {
    "0": TimeInForce.GTC,
    "1": TimeInForce.GTC,
    "3": TimeInForce.IOC,
    "4": TimeInForce.FOK,
    "6": TimeInForce.GTC,
}
_SELF_TRADE = {"1": SelfTrade.TAKER_AT_CROSS, "2": SelfTrade.MAKER}
_CREATE, _UPDATE = "1", "5"
_GROUP_COMMANDS: Mapping[str, Callable[[str, str], c.Command]] = {
    "2": c.ResetOrderGroup,
    "3": c.DeleteOrderGroup,
    "4": c.TriggerOrderGroup,
}
_GROUP_ACTIONS = {code: code for code in (_CREATE, *_GROUP_COMMANDS, _UPDATE)}


class Unfit(Exception):
    """A message is in order and asks for something that cannot be: the answer is the message type's own refusal."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class OrderEntry:
    """The application of KalshiNR and KalshiRT."""

    def __init__(self, sequencer: Sequencer, session: FixSession) -> None:
        self._sequencer = sequencer
        self._session = session
        self._logon = session.logon
        self._name = session.logon.name
        self._progress = session.progress
        self._account = sequencer.state.accounts[self._logon.key.account_id]
        self._reports = sequencer.projections.reports_by_owner[owner_of(self._account.account_id)]
        self._requests = request_id(session.progress.token, 0, "").removesuffix("0~")
        """Begins the ids of this session's requests."""
        self._underway: set[asyncio.Future[Receipt]] = set()
        self._arriving: dict[tuple[str, str], Report] = {}
        """(account, ClOrdID) -> an order whose command is not applied yet."""
        self._cancelled_ms = -MASS_CANCEL_MS

    # --- out --------------------------------------------------------------------------------------------------------------

    def pull(self, limit: int) -> list[Outgoing]:
        """Return the next reports that concern this session, then settlements if it wants them."""
        made, progress = self._reports, self._progress
        progress.reported = min(progress.reported, len(made))
        found: list[Outgoing] = []
        end = min(len(made), progress.reported + MAX_PASSED_OVER)
        for place in range(progress.reported, end):
            report = made[place]
            progress.reported = place + 1
            message = message_of(report, self._logon) if self._concerns(report) else None
            if message is not None:
                found.append(message)
                if len(found) == limit:
                    return found
        if end < len(made):
            asyncio.get_running_loop().call_soon(self._session.wake)
            return found
        if self._logon.wants_settlements and not found:
            found = settlement_messages(self._sequencer, self._account, progress)
        return found

    def _concerns(self, report: Report) -> bool:
        if self._logon.listens:
            concerns = report.kind in EXECUTIONS
        else:
            concerns = report.session_id == self._name or report.request_id.startswith(self._requests)
        return concerns and (not self._account.parent or report.account_id == self._account.account_id)

    # --- in ---------------------------------------------------------------------------------------------------------------

    def on_message(self, message: Message) -> None:
        """Turn a message into a command, or say why not."""
        if message.kind not in ("D", "F", "G", "q", "UOG"):
            self._session.refuse(message, 3, f"{self._logon.service} does not take messages of type {message.kind}")
            return
        if self._logon.listens:
            self._session.refuse(message, 6, "a listener session only reads", message.values.get(11, ""))
            return
        if self._done_before(message):
            return
        if message.kind == "UOG":
            self._group(message)
        elif message.kind == "q":
            self._mass_cancel(message)
        elif message.kind == "D":
            self._place(message)
        else:
            self._change(message)

    def _done_before(self, message: Message) -> bool:
        """Whether the journal has what the client sends again, because we died before we noted its number."""
        if not message.flag(43):
            return False
        request = request_id(self._progress.token, message.number, message.text(11, MAX_NAME))
        return request in self._sequencer.projections.requests

    async def ready(self) -> None:
        """Wait until few enough commands wait for the exchange."""
        while len(self._underway) > MAX_UNDERWAY:
            await asyncio.wait(self._underway, return_when=asyncio.FIRST_COMPLETED)

    async def settle(self) -> None:
        """Wait until every command is through."""
        if self._underway:
            await asyncio.wait(self._underway)

    def _submit(self, message: Message, name: str, command: c.Command, failed: Callable[[str, str], None]) -> None:
        """Send a command on its way. `failed` gets a word and a sentence when the exchange did not take it."""
        self._send(command, request_id(self._progress.token, message.number, name), failed)

    def _send(self, command: c.Command, request: str, failed: Callable[[str, str], None]) -> None:
        arriving = (getattr(command, "account_id", ""), request_name(request))

        def done(future: asyncio.Future[Receipt]) -> None:
            self._underway.discard(future)
            self._arriving.pop(arriving, None)
            if isinstance(error := future.exception(), Unavailable):
                failed("EXCHANGE_UNAVAILABLE", str(error))

        try:
            future = self._sequencer.enqueue(command, request)
        except Overloaded as error:
            self._arriving.pop(arriving, None)
            failed("INTERNAL_ERROR", f"the exchange is busy, nothing was done: {error}")
        except Unavailable as error:
            self._arriving.pop(arriving, None)
            failed("EXCHANGE_UNAVAILABLE", str(error))
        else:
            self._underway.add(future)
            future.add_done_callback(done)

    def _part(self, message: Message) -> Account:
        """Return the account part that a message names. Raises Unfit."""
        if 453 in message.values:
            raise Unfit("15", "CUSTOMER_ACCOUNT_NOT_FOUND: NoPartyIDs<453> is for clearing members; name a part by <79>")
        if message.values.get(100, "0") not in ("0", "-1"):
            raise Unfit("11", "INVALID_ORDER: this venue has one exchange index, 0; leave tag 100 out")
        number = message.integer(79, 0, MAX_SUBACCOUNT)
        account = self._account
        if account.parent:
            if number not in (None, account.number):
                raise Unfit(
                    "15", f"PERMISSION_DENIED_FOR_CUSTOMER_ACCOUNT: this key is locked to subaccount {account.number}"
                )
            return account
        found = self._sequencer.state.accounts.get(subaccount_id(account.account_id, number or 0))
        if found is None:
            raise Unfit("15", f"CUSTOMER_ACCOUNT_NOT_FOUND: there is no subaccount {number}; open it first")
        return found

    # --- place ------------------------------------------------------------------------------------------------------------

    def _place(self, message: Message) -> None:
        part, unfit = self._account, None
        try:
            part = self._part(message)
            self._check_options(message)
        except Unfit as error:
            unfit = error
        command = self._new_order(message, part)
        report = _as_report(command, self._sequencer.clock_ms())
        if unfit is not None:
            self._reject_order(report, unfit.code, str(unfit))
            return

        def failed(word: str, text: str) -> None:
            self._reject_order(report, "99", f"{word}: {text}")

        if message.flag(97) and self._answer_again(part, command.client_order_id):
            return
        self._pending(report, "A")
        self._arriving[(part.account_id, command.client_order_id)] = report
        self._submit(message, command.client_order_id, command, failed)

    def _new_order(self, message: Message, part: Account) -> c.PlaceOrder:
        time_in_force, expires_ms = self._life(message)
        message.choice(40, {"2": True}, True)
        cost = message.decimal(21009, 6) if 21009 in message.values else 0
        return c.PlaceOrder(
            order_id=str(uuid.uuid4()),
            account_id=part.account_id,
            ticker=message.text(55),
            side=message.choice(54, SIDES, BookSide.BID),
            price_e4=self._price_e4(message),
            size_micros=message.decimal(38, 2) * CENT_MICROS,
            client_order_id=message.text(11, MAX_NAME),
            time_in_force=time_in_force,
            post_only=message.choice(18, {"6": True}, False),
            self_trade=message.choice(2964, _SELF_TRADE, SelfTrade.TAKER_AT_CROSS),
            expires_ms=expires_ms,
            max_cost_micros=cost,
            cancel_on_pause=message.flag(21006) if 21006 in message.values else self._logon.cancel_on_pause,
            group_id=message.text(526) or message.text(20130),
            session_id=self._name,
        )

    def _life(self, message: Message) -> tuple[TimeInForce, int]:
        """Return time in force and expiry. A GTD instant that has passed makes it immediate (Kalshi's rule)."""
        kind = message.choice(59, {code: code for code in _TIMES}, _DAY)
        until_ms, now_ms = message.instant_ms(126), self._sequencer.clock_ms()
        if kind == _DAY:
            return TimeInForce.GTC, end_of_day_ms(now_ms)
        if kind != _GTD:
            return _TIMES[kind], 0
        if until_ms is None:
            raise Refused(1, "ExpireTime<126> is missing beside TimeInForce<59>=6", 126)
        return (TimeInForce.IOC, 0) if until_ms <= now_ms else (TimeInForce.GTC, until_ms)

    def _price_e4(self, message: Message) -> int:
        return message.decimal(44, 4) if self._logon.in_dollars else message.decimal(44, 0) * 100

    def _check_options(self, message: Message) -> None:
        """Refuse by name what would make it another order if it were ignored. Raises Unfit."""
        if 117 in message.values or 21023 in message.values:
            raise Unfit("11", "INVALID_ORDER: requests for quotes are not built in this venue yet; leave 117 and 21023 out")
        if 126 in message.values and message.values.get(59) != _GTD:
            raise Unfit("11", "INVALID_ORDER: ExpireTime<126> goes with TimeInForce<59>=6 only")
        if message.values.get(526, "") != message.values.get(20130, message.values.get(526, "")):
            raise Unfit("11", "INVALID_ORDER: SecondaryClOrdID<526> and OrderGroupID<20130> name two groups")

    def _reject_order(self, report: Report, code: str, text: str) -> None:
        fields = order_fields(report, self._logon, report.remaining_micros)
        self._session.send(
            "8", [(17, PENDING_ID), (150, "8"), (39, "8"), *fields, (103, code), (58, explained(text, "FIX_ORDER"))]
        )

    def _answer_again(self, part: Account, name: str) -> bool:
        """Answer a possible repetition with the order's newest report, if the order is there."""
        order_id = part.client_order_ids.get(name)
        found = next((one for one in reversed(self._reports) if one.order_id == order_id), None) if order_id else None
        message = message_of(found, self._logon, payload([(97, "Y")])) if found else None
        if message is None:
            return False
        self._session.send(message.kind, [], message.extra + message.body)
        return True

    def _pending(self, report: Report, state: str) -> None:
        """Say that a request is on its way, unless the session does not want to hear it."""
        if not self._logon.skips_pending:
            named: Fields = [(41, report.previous_id)] if report.previous_id else []
            fields = order_fields(report, self._logon, report.remaining_micros)
            self._session.send("8", [(17, PENDING_ID), (150, state), (39, state), *fields, *named])

    # --- change -----------------------------------------------------------------------------------------------------------

    def _change(self, message: Message) -> None:
        name, known = message.text(11, MAX_NAME), None
        amends = message.kind == "G"

        def failed(word: str, text: str) -> None:
            self._reject_change(message, known, "99", f"{word}: {text}")

        try:
            part = self._part(message)
            known = self._find(message, part)
            command = self._amendment(message, part, known) if amends else c.CancelOrder(part.account_id, known.order_id)
        except Unfit as error:
            code = error.code if error.code in ("1", "2") else "99"
            self._reject_change(message, known, code, str(error))
            return
        self._pending(replace(known, client_order_id=name, previous_id=message.text(41)), "E" if amends else "6")
        if amends:
            self._arriving[(part.account_id, name)] = known
        self._submit(message, name, command, failed)

    def _find(self, message: Message, part: Account) -> Report:
        """Return the order that OrigClOrdID names, as the message describes it. Raises Unfit."""
        name = message.text(41)
        side = message.choice(54, SIDES, BookSide.BID)
        known = self._arriving.get((part.account_id, name)) or self._seen(part, name)
        if known is None:
            raise Unfit("1", f"UNKNOWN_ORDER: no order of this account was ever named '{name}'")
        asked = (message.values.get(37, known.order_id), message.text(55), side)
        if asked != (known.order_id, known.ticker, known.side):
            raise Unfit("1", f"UNKNOWN_ORDER: order '{name}' has another id, symbol or side: {known.order_id}, "
                        f"{known.ticker}, {'buy' if known.side is BookSide.BID else 'sell'}")  # fmt: skip
        return known

    def _seen(self, part: Account, name: str) -> Report | None:
        """Return the order with this name; one that has none is named by its OrderID, as its reports do."""
        projections = self._sequencer.projections
        view = projections.order_by_client_id(part, name) or projections.orders.get(name)
        if view is None or view.account_id != part.account_id:
            return None
        entry = c.Sequenced(0, self._sequencer.clock_ms(), "", c.CancelOrder(part.account_id, view.order_id))
        return of_order(ReportKind.CHANGED, entry, view)

    def _amendment(self, message: Message, part: Account, known: Report) -> c.Command:
        message.choice(40, {"2": True}, True)
        if 20130 in message.values:
            raise Unfit("99", "INVALID_ORDER: an order cannot change its group; cancel it and place another")
        size = message.decimal(38, 2) * CENT_MICROS
        filled = known.filled_micros
        if filled and size == filled:
            return c.CancelOrder(part.account_id, known.order_id)
        price = self._price_e4(message) if 44 in message.values else None
        return c.AmendOrder(part.account_id, known.order_id, price, size, None, message.text(11, MAX_NAME))

    def _reject_change(self, message: Message, known: Report | None, code: str, text: str) -> None:
        self._session.send(
            "9",
            [
                (37, known.order_id if known else NO_ORDER),
                (11, message.text(11, MAX_NAME)),
                (41, message.text(41)),
                (39, "8"),
                (434, "2" if message.kind == "G" else "1"),
                (102, code),
                (58, explained(text, "FIX_ORDER")),
            ],
        )

    # --- many at once -----------------------------------------------------------------------------------------------------

    def _mass_cancel(self, message: Message) -> None:
        """Cancel every order of this session, those in subaccounts too."""
        name = message.text(11, MAX_NAME)
        message.choice(530, {"6": True}, True)
        now_ms = self._sequencer.clock_ms()
        if self._logon.service.keeps:
            self._session.refuse(message, 3, "mass cancels are for KalshiNR", name)
            return
        if now_ms - self._cancelled_ms < MASS_CANCEL_MS:
            self._session.refuse(message, 8, "one mass cancel a second is allowed", name)
            return
        self._cancelled_ms = now_ms

        def failed(word: str, text: str) -> None:
            self._session.refuse(message, 4, f"{word}: {text}", name)

        account = self._account
        self._submit(message, name, c.CancelOrders(account.account_id, session_id=self._name), failed)
        for number in account.subaccounts:
            part = subaccount_id(account.account_id, number)
            # A further command of the same request, whose own result nobody waits for.
            request = f"part of {request_id(self._progress.token, message.number, '')}"
            self._send(c.CancelOrders(part, session_id=self._name), request, failed)

    def _group(self, message: Message) -> None:
        action = message.choice(20131, _GROUP_ACTIONS, "")
        group_id = message.text(20130)

        def failed(word: str, text: str) -> None:
            self._session.refuse(message, 4, f"{word}: {text}", group_id)

        try:
            part = self._part(message)
            command = self._group_command(message, part, action, group_id)
        except Unfit as error:
            self._session.refuse(message, 5 if error.code == "5" else 0, str(error), group_id)
            return
        self._submit(message, "", command, failed)

    def _group_command(self, message: Message, part: Account, action: str, group_id: str) -> c.Command:
        if (action == _CREATE) is bool(group_id):
            text = "the venue chooses OrderGroupID<20130> itself" if group_id else "OrderGroupID<20130> is missing"
            raise Unfit("5", text)
        limit = message.integer(20132, 0, 10**9)
        if action in _GROUP_COMMANDS:
            return _GROUP_COMMANDS[action](part.account_id, group_id)
        if limit is None:
            raise Unfit("5", "OrderGroupContractsLimit<20132> is missing")
        if action == _CREATE:
            return c.CreateOrderGroup(part.account_id, str(uuid.uuid4()), limit * ONE_CONTRACT_MICROS)
        return c.SetOrderGroupLimit(part.account_id, group_id, limit * ONE_CONTRACT_MICROS)


def end_of_day_ms(now_ms: int) -> int:
    """Return the last millisecond of the day in New York, when Kalshi's day orders expire."""
    today = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(_EASTERN).date()
    midnight = datetime.combine(today + timedelta(days=1), time(), _EASTERN)
    return round(midnight.timestamp() * 1000) - 1


def _as_report(command: c.PlaceOrder, now_ms: int) -> Report:
    """Return an order that is not one yet in a report's shape."""
    return Report(
        seq=0,
        place=0,
        at_ms=now_ms,
        kind=ReportKind.REFUSED,
        account_id=command.account_id,
        session_id=command.session_id,
        request_id="",
        order_id=command.order_id,
        client_order_id=command.client_order_id,
        ticker=command.ticker,
        side=command.side,
        price_e4=command.price_e4,
        size_micros=command.size_micros,
        remaining_micros=command.size_micros,
        expires_ms=command.expires_ms,
        time_in_force=command.time_in_force,
    )
