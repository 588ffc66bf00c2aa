"""The operator's routes for a market's life and the exchange's hours; disputes and amendments are the reviewer's.

Operator and reviewer bring different bearer tokens: who decides an outcome cannot confirm a doubt about it alone.
docs/interfaces.md describes every route.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from fastapi import APIRouter, Depends, Request

from offchain_book.config import Settings
from offchain_book.engine import market_commands as m
from offchain_book.engine.commands import Command
from offchain_book.engine.hours import exchange_is_active, next_opening_ms, trading_is_active
from offchain_book.engine.state import State
from offchain_book.gateways import operator
from offchain_book.gateways.market_file import MAX_FEE_RATE_E4, Rate, milliseconds, rate_e4
from offchain_book.gateways.native import problem, read_body
from offchain_book.gateways.price_structures import PRICE_STRUCTURES
from offchain_book.gateways.trading_hours import DAYS, Clock, offsets_of, session_minutes, week_view

Json = dict[str, Any]
Submit = Callable[[Request, Command], Awaitable[Any]]
Show = Callable[[str], Json]
MAX_YEARS = 20
"""Longest time over which a week's local times are worked out."""
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class VoidBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST …/void`: without a value YES pays the last traded price."""

    reason: Reason
    value: str | None = None


class DisputeBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST …/dispute`."""

    reason: Reason


class AmendBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST …/amend`."""

    outcome: str
    reason: Reason


class TicksBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST …/ticks`."""

    price_structure: str


class ModeBody(msgspec.Struct, forbid_unknown_fields=True):
    """`PUT /venue/admin/exchange/mode`."""

    mode: m.ExchangeMode
    until: Time | None = None


class WeekPart(msgspec.Struct, forbid_unknown_fields=True):
    """One weekly timetable and the time during which it counts."""

    start: Time
    end: Time
    hours: dict[str, list[tuple[Clock, Clock]]]


class WindowPart(msgspec.Struct, forbid_unknown_fields=True):
    """One maintenance window."""

    start: Time
    end: Time


class HoursBody(msgspec.Struct, forbid_unknown_fields=True):
    """`PUT /venue/admin/exchange/hours`."""

    zone: str = "America/New_York"
    weeks: list[WeekPart] = []
    maintenance: list[WindowPart] = []


class FeesBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/admin/fees`: rates of price times complement, with type `flat` dollars a contract.

    `fee_type` left out, for an event: the fees of its series.
    """

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    series: str = ""
    event: str = ""
    fee_type: str = ""
    taker_fee: Rate = "0"
    maker_fee: Rate = "0"
    maker_rebate: Rate = "0"
    whole_cents: bool = False
    at: Time | None = None


class LifeRoutes:
    """The routes of one venue. `submit` sends a command and raises its refusal; `show` is a market's view."""

    def __init__(self, state: State, submit: Submit, show: Show, payout_of: Callable[[str], int]) -> None:
        self._state = state
        self._submit = submit
        self._show = show
        self._payout_of = payout_of

    async def pause(self, ticker: str, request: Request) -> Json:
        """Stop trading in a market for a while."""
        await self._submit(request, m.PauseMarket(ticker))
        return self._show(ticker)

    async def resume(self, ticker: str, request: Request) -> Json:
        """Trade a paused market again, from an empty book."""
        await self._submit(request, m.ResumeMarket(ticker))
        return self._show(ticker)

    async def void(self, ticker: str, request: Request) -> Json:
        """End a market without an outcome, at a stated value or the last traded price."""
        body = await read_body(request, VoidBody)
        payout = None if body.value is None else self._payout_of(body.value)
        await self._submit(request, m.VoidMarket(ticker, payout, body.reason))
        return self._show(ticker)

    async def ticks(self, ticker: str, request: Request) -> Json:
        """Make a market's price grid finer; resting orders stay where they are."""
        body = await read_body(request, TicksBody)
        ranges = PRICE_STRUCTURES.get(body.price_structure)
        if ranges is None:
            known = ", ".join(PRICE_STRUCTURES)
            raise problem(
                400, "BAD_PRICE_STRUCTURE", f"a price structure is one of {known}, not {body.price_structure[:40]}"
            )
        await self._submit(request, m.RefineTicks(ticker, body.price_structure, ranges))
        return self._show(ticker)

    async def dispute(self, ticker: str, request: Request) -> Json:
        """Doubt an outcome while its settlement timer runs; the timer stops."""
        body = await read_body(request, DisputeBody)
        await self._submit(request, m.DisputeResolution(ticker, body.reason))
        return self._show(ticker)

    async def amend(self, ticker: str, request: Request) -> Json:
        """End a dispute with another outcome, or uphold the same; the settlement timer starts again."""
        body = await read_body(request, AmendBody)
        await self._submit(request, m.AmendResolution(ticker, self._payout_of(body.outcome), body.reason))
        return self._show(ticker)

    async def fees(self, request: Request) -> Json:
        """Change the fees of a series or of one event, now or at a time."""
        body = await read_body(request, FeesBody)
        taker, maker, rebate = rate_e4(body.taker_fee), rate_e4(body.maker_fee), rate_e4(body.maker_rebate)
        if max(taker, maker) > MAX_FEE_RATE_E4 or (maker and rebate) or (rebate and body.whole_cents):
            raise problem(
                400,
                "BAD_FEES",
                "the contract takes fees up to 0.07, and makers pay a fee or get a rebate, not both; no rebates in whole cents",
            )
        at_ms = milliseconds(body.at) if body.at else 0
        command = m.SetFees(
            body.id, body.fee_type, taker, maker - rebate, body.series, body.event, at_ms, whole_cents=body.whole_cents
        )
        await self._submit(request, command)
        return msgspec.to_builtins(self._state.fee_changes[body.id])  # type: ignore[no-any-return]

    # --- the exchange --------------------------------------------------------------------------------------------------

    async def set_mode(self, request: Request) -> Json:
        """Set what the whole exchange takes: open, post_only, cancel_only or paused, perhaps until a time."""
        body = await read_body(request, ModeBody)
        await self._submit(request, m.SetExchangeMode(body.mode, milliseconds(body.until) if body.until else 0))
        return await self.exchange()

    async def set_hours(self, request: Request) -> Json:
        """Replace the trading hours; an empty body removes them."""
        await self._submit(request, m.SetTradingHours(_hours_of(await read_body(request, HoursBody))))
        return await self.exchange()

    async def exchange(self) -> Json:
        """Show mode, hours, and what they allow now."""
        state = self._state
        return {
            "mode": str(state.mode),
            "mode_until_ms": state.mode_until_ms or None,
            "session": str(state.session),
            "exchange_active": exchange_is_active(state),
            "trading_active": trading_is_active(state),
            "opens_ms": next_opening_ms(state.hours, state.now_ms) or None,
            "hours": {
                "weeks": [
                    {"start_ms": week.start_ms, "end_ms": week.end_ms, "hours": week_view(week)}
                    for week in state.hours.weeks
                ],
                "maintenance": [{"start_ms": start, "end_ms": end} for start, end in state.hours.maintenance],
                "offsets": [{"from_ms": start, "minutes": minutes} for start, minutes in state.hours.offsets],
            },
        }


def _hours_of(body: HoursBody) -> m.TradingHours:
    try:
        zone = ZoneInfo(body.zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise problem(
            400, "BAD_ZONE", f"there is no time zone {body.zone[:64]}: name one like America/New_York or UTC"
        ) from None
    for week in body.weeks:
        unknown = [day for day in week.hours if day not in DAYS]
        if unknown:
            raise problem(400, "BAD_BODY", f"days are {', '.join(DAYS)}, not {unknown[0][:20]}")
        if week.end.year - week.start.year > MAX_YEARS:
            raise problem(400, "BAD_BODY", f"a timetable counts for {MAX_YEARS} years at most")
    weeks = tuple(
        m.Week(milliseconds(week.start), milliseconds(week.end), session_minutes(week.hours)) for week in body.weeks
    )
    windows = tuple((milliseconds(window.start), milliseconds(window.end)) for window in body.maintenance)
    span = [time for week in body.weeks for time in (week.start, week.end)]
    offsets = offsets_of(zone, min(span).astimezone(UTC), max(span).astimezone(UTC)) if span else ()
    return m.TradingHours(weeks, windows, offsets)


def add_routes(routes: APIRouter, life: LifeRoutes) -> None:
    """Add what the operator may do."""
    for verb, endpoint in (("pause", life.pause), ("resume", life.resume), ("void", life.void), ("ticks", life.ticks)):
        routes.add_api_route(f"/markets/{{ticker}}/{verb}", endpoint, methods=["POST"])
    routes.add_api_route("/fees", life.fees, methods=["POST"], status_code=201)
    routes.add_api_route("/exchange", life.exchange, methods=["GET"])
    routes.add_api_route("/exchange/mode", life.set_mode, methods=["PUT"])
    routes.add_api_route("/exchange/hours", life.set_hours, methods=["PUT"])


def reviewer_router(life: LifeRoutes, settings: Settings) -> APIRouter:
    """Return what the reviewer may do."""
    routes = APIRouter(prefix="/venue/admin", tags=["review"], dependencies=[Depends(operator.reviewer_only(settings))])
    routes.add_api_route("/markets/{ticker}/dispute", life.dispute, methods=["POST"])
    routes.add_api_route("/markets/{ticker}/amend", life.amend, methods=["POST"])
    return routes
