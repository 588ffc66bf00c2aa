"""The market file: one event with its series and its markets, read strictly. docs/interfaces.md describes the format.

TOML and JSON carry the same fields. Everything that can be judged without the exchange is judged here, so that a mistake is
found before anything reaches the chain.
"""

import tomllib
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from offchain_book.engine import commands as c
from offchain_book.engine import strikes
from offchain_book.engine.fees import CONTRACT_CAP_E4, FLAT
from offchain_book.engine.market_commands import SetFees
from offchain_book.engine.operations import Outcome
from offchain_book.engine.strikes import CollateralReturn, StrikeType
from offchain_book.gateways.price_structures import PRICE_STRUCTURES

MAX_FEE_RATE_E4 = CONTRACT_CAP_E4
"""The contract takes no fee above 0.07 of price times complement."""
NO_END_MS = 4_102_444_800_000
"""The end of a programme that has none: the year 2100."""
MAX_SETTLEMENT_TIMER_S = 30 * 86_400
"""Longest time for disputes."""
Ticker = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9][A-Z0-9._-]{0,63}$")]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Note = Annotated[str, msgspec.Meta(max_length=200)]
Rules = Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]
Rate = Annotated[str, msgspec.Meta(pattern=r"^0(\.\d{1,4})?$")]
Multiplier = Annotated[str, msgspec.Meta(pattern=r"^[01](\.\d{1,4})?$")]
Quantity = Annotated[str, msgspec.Meta(pattern=r"^\d{1,9}(\.\d{1,6})?$")]
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class MarketFileError(Exception):
    """The file says something that cannot be; the message names the field."""


class SeriesPart(msgspec.Struct, forbid_unknown_fields=True):
    """`[series]`: fees and category. A series that exists already keeps its terms."""

    ticker: Ticker
    title: Title | None = None
    category: Title = "Other"
    tags: list[Title] = []
    frequency: Title = "custom"
    taker_fee: Rate = "0"
    maker_fee: Rate = "0"
    maker_rebate: Rate = "0"
    fee_type: Literal["quadratic", "flat"] = "quadratic"
    fee_multiplier: Multiplier | None = None
    whole_cents: bool = False


class EventFees(msgspec.Struct, forbid_unknown_fields=True):
    """`[event.fees]`: what this event charges instead of its series; fields as in `[series]`."""

    taker_fee: Rate = "0"
    maker_fee: Rate = "0"
    maker_rebate: Rate = "0"
    fee_type: Literal["quadratic", "flat"] = "quadratic"
    fee_multiplier: Multiplier | None = None
    whole_cents: bool = False


class EventPart(msgspec.Struct, forbid_unknown_fields=True):
    """`[event]`: the question, and what its markets imply about each other."""

    ticker: Ticker
    title: Title
    sub_title: Note = ""
    mutually_exclusive: bool = False
    ordered_strikes: bool = False
    fees: EventFees | None = None

    @property
    def collateral_return(self) -> CollateralReturn:
        """The rule that results keep to and collateral is returned by."""
        if self.mutually_exclusive:
            return CollateralReturn.EXCLUSIVE
        return CollateralReturn.ORDERED if self.ordered_strikes else CollateralReturn.NONE


class RewardPart(msgspec.Struct, forbid_unknown_fields=True):
    """`rewards` of a market: dollars a day, shared by those who quote it. `end` left out means until it is changed."""

    daily: Quantity
    min_size: Quantity
    max_spread: Rate
    start: Time | None = None
    end: Time | None = None


class MarketPart(msgspec.Struct, forbid_unknown_fields=True):
    """`[[markets]]`: what can be traded. `open` left out means now."""

    ticker: Ticker
    title: Title
    rules: Rules
    close: Time
    open: Time | None = None
    type: Literal["binary", "scalar"] = "binary"
    price_structure: str = "linear_cent"
    yes: Note = "Yes"
    no: Note = "No"
    strike_type: StrikeType = StrikeType.NONE
    floor_strike: Decimal | None = None
    cap_strike: Decimal | None = None
    functional_strike: Note = ""
    custom_strike: dict[str, str] = {}
    rewards: RewardPart | None = None
    settlement_timer_seconds: Annotated[int, msgspec.Meta(ge=0, le=MAX_SETTLEMENT_TIMER_S)] = 0
    expected_expiration: Time | None = None
    latest_expiration: Time | None = None
    can_close_early: bool = True
    early_close_condition: Note = ""


class MarketFile(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    series: SeriesPart
    event: EventPart
    markets: Annotated[list[MarketPart], msgspec.Meta(min_length=1, max_length=200)]


def parse_toml(text: str) -> MarketFile:
    """Read a TOML file. Raises MarketFileError."""
    try:
        return checked(msgspec.convert(tomllib.loads(text, parse_float=Decimal), MarketFile))
    except tomllib.TOMLDecodeError as error:
        raise MarketFileError(f"this is not TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise MarketFileError(str(error)) from None


def parse_json(text: str | bytes) -> MarketFile:
    """Read a JSON file or request body. Raises MarketFileError."""
    try:
        return checked(msgspec.json.decode(text, type=MarketFile))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MarketFileError(str(error)) from None


def checked(file: MarketFile) -> MarketFile:
    """Return the file if its parts fit together."""
    seen: set[str] = set()
    for position, market in enumerate(file.markets):
        where = f"$.markets[{position}]"
        if market.ticker in seen:
            raise MarketFileError(f"ticker {market.ticker} is there twice - at `{where}.ticker`")
        seen.add(market.ticker)
        if market.open is not None and market.close <= market.open:
            raise MarketFileError(f"close is not after open - at `{where}.close`")
        if market.latest_expiration is not None and market.latest_expiration < market.close:
            raise MarketFileError(f"latest_expiration is before close - at `{where}.latest_expiration`")
        if market.price_structure not in PRICE_STRUCTURES:
            raise MarketFileError(f"price_structure is one of {', '.join(PRICE_STRUCTURES)} - at `{where}.price_structure`")
    _check_strikes(file)
    _check_fees(file.series, "$.series")
    if file.event.fees is not None:
        _check_fees(file.event.fees, "$.event.fees")
    return file


def _check_fees(part: SeriesPart | EventFees, where: str) -> None:
    beside = part.fee_type != "quadratic" or rate_e4(part.taker_fee)
    if part.fee_multiplier is not None and beside:
        raise MarketFileError(
            f"a multiplier is Kalshi's quadratic taker fee: leave taker_fee out - at `{where}.fee_multiplier`"
        )
    taker, maker = rates_e4(part)
    for name, rate in (("taker_fee", taker), ("maker_fee", maker)):
        if rate > MAX_FEE_RATE_E4:
            raise MarketFileError(f"the contract takes fees up to 0.07, not {rate / 10_000} - at `{where}.{name}`")
    rebate = rate_e4(part.maker_rebate)
    if rebate and (rebate > taker or rate_e4(part.maker_fee) or part.whole_cents):
        raise MarketFileError(
            "a rebate is at most the taker's fee, instead of a maker's fee, and not with whole_cents"
            f" - at `{where}.maker_rebate`"
        )


def rates_e4(part: SeriesPart | EventFees) -> tuple[int, int]:
    """Return the taker's and the maker's rate; a multiplier is of 0.07, rounded down to a ten-thousandth."""
    taker = rate_e4(part.taker_fee)
    if part.fee_multiplier is not None:
        taker = int(Decimal(part.fee_multiplier) * MAX_FEE_RATE_E4)
    return taker, rate_e4(part.maker_fee) - rate_e4(part.maker_rebate)


def fee_type(part: SeriesPart | EventFees) -> str:
    """Return Kalshi's name of the shape of fees."""
    if part.fee_type == FLAT:
        return FLAT
    return "quadratic_with_maker_fees" if rates_e4(part)[1] > 0 else "quadratic"


def _check_strikes(file: MarketFile) -> None:
    """Refuse strikes that the engine would refuse; those of markets that an event has already are its own to compare."""
    if file.event.mutually_exclusive and file.event.ordered_strikes:
        raise MarketFileError("an event is mutually_exclusive or has ordered_strikes, not both - at `$.event`")
    commands: list[c.CreateMarket] = []
    for position, part in enumerate(file.markets):
        where = f"$.markets[{position}]"
        for name, value in (("floor_strike", part.floor_strike), ("cap_strike", part.cap_strike)):
            if value is not None and not is_strike(value):
                raise MarketFileError(f"a strike has at most six decimals and is below a trillion - at `{where}.{name}`")
        command = market_command(part, file.event.ticker, "", "0x0", 0)
        flaw = strikes.flaw(command, file.event.collateral_return, commands)
        if flaw is not None:
            raise MarketFileError(f"{flaw[0].removesuffix('_e6')} cannot be {flaw[1]} - at `{where}`")
        commands.append(command)


def is_strike(value: Decimal) -> bool:
    """Whether a number can be a strike or a result: six decimals, below a trillion."""
    return value.is_finite() and abs(value) < 10**12 and value == value.quantize(Decimal("0.000001"))


def strike_e6(value: Decimal | None) -> int | None:
    """Return a strike in millionths."""
    return None if value is None else int(value.scaleb(6))


def rate_e4(text: str) -> int:
    """Return a decimal rate in ten-thousandths."""
    return int(text.partition(".")[2].ljust(4, "0"))


def milliseconds(time: datetime) -> int:
    """Return a time as Unix milliseconds."""
    return int(time.timestamp()) * 1000 + time.microsecond // 1000


def series_command(part: SeriesPart) -> c.CreateSeries:
    """Return the command that creates a series."""
    title, tags, rates = part.title or part.ticker, tuple(part.tags), rates_e4(part)
    return c.CreateSeries(
        part.ticker, title, part.category, tags, part.frequency, fee_type(part), *rates, whole_cents=part.whole_cents
    )


def event_fees_command(file: MarketFile) -> SetFees | None:
    """Return the command that gives a new event fees of its own, if the file says some."""
    part, ticker = file.event.fees, file.event.ticker
    if part is None:
        return None
    change_id = f"{ticker}:created"
    return SetFees(change_id, fee_type(part), *rates_e4(part), event_ticker=ticker, whole_cents=part.whole_cents)


def event_command(file: MarketFile) -> c.CreateEvent:
    """Return the command that creates the event."""
    event = file.event
    return c.CreateEvent(
        event.ticker, file.series.ticker, event.title, event.sub_title, event.mutually_exclusive, event.collateral_return
    )


def market_command(part: MarketPart, event_ticker: str, question_id: str, condition_id: str, now_ms: int) -> c.CreateMarket:
    """Return the command that creates a market whose condition is open on chain."""
    condition = int(condition_id, 16)
    return c.CreateMarket(
        ticker=part.ticker,
        event_ticker=event_ticker,
        title=part.title,
        question_id=question_id,
        condition_id=condition_id,
        yes_token_id=str(condition | Outcome.YES),
        no_token_id=str(condition | Outcome.NO),
        open_ms=milliseconds(part.open) if part.open else now_ms,
        close_ms=milliseconds(part.close),
        yes_sub_title=part.yes,
        no_sub_title=part.no,
        rules=part.rules,
        market_type=part.type,
        price_structure=part.price_structure,
        strike_type=part.strike_type,
        floor_strike_e6=strike_e6(part.floor_strike),
        cap_strike_e6=strike_e6(part.cap_strike),
        functional_strike=part.functional_strike,
        custom_strike=tuple(sorted(part.custom_strike.items())),
        price_ranges=PRICE_STRUCTURES[part.price_structure],
        settlement_timer_s=part.settlement_timer_seconds,
        expected_expiration_ms=milliseconds(part.expected_expiration) if part.expected_expiration else 0,
        latest_expiration_ms=milliseconds(part.latest_expiration) if part.latest_expiration else 0,
        can_close_early=part.can_close_early,
        early_close_condition=part.early_close_condition,
    )


def reward_command(ticker: str, part: RewardPart, now_ms: int) -> c.SetRewardProgram:
    """Return the command that sets a market's reward programme."""
    return c.SetRewardProgram(
        ticker=ticker,
        daily_micros=_micros(part.daily),
        min_size_micros=_micros(part.min_size),
        max_spread_e4=rate_e4(part.max_spread),
        start_ms=milliseconds(part.start) if part.start else now_ms,
        end_ms=milliseconds(part.end) if part.end else NO_END_MS,
    )


def _micros(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(6, "0"))


def as_json(file: MarketFile) -> Any:
    """Return the file as JSON data."""
    return msgspec.to_builtins(file)
