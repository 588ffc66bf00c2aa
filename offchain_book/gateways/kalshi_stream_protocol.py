"""The vocabulary of Kalshi's WebSocket: channels, what each tells, commands, errors."""

from dataclasses import dataclass
from typing import Any

import msgspec

from offchain_book.gateways import error_page
from offchain_book.gateways.stream_facts import (
    EventFeesChanged,
    EventListed,
    Filled,
    GridRefined,
    GroupChanged,
    LevelChanged,
    MarketListed,
    MarketMoved,
    OrderChanged,
    PositionChanged,
    TickerChanged,
    Traded,
)

READ_SCOPE = "read"


@dataclass(frozen=True, slots=True)
class Channel:
    """One of Kalshi's channels: which facts it tells, and how it may be narrowed down."""

    name: str
    facts: tuple[type, ...]
    sequenced: bool
    private: bool
    markets: str
    """`required`, `optional`, or empty when it cannot be narrowed down."""


LIFECYCLE = (EventListed, EventFeesChanged, MarketListed, MarketMoved, GridRefined)
CHANNELS = {
    channel.name: channel
    for channel in (
        Channel("orderbook_delta", (LevelChanged,), True, False, "required"),
        Channel("ticker", (TickerChanged,), False, False, "optional"),
        Channel("trade", (Traded,), True, False, "optional"),
        Channel("fill", (Filled,), False, True, "optional"),
        Channel("user_orders", (OrderChanged,), False, True, "optional"),
        Channel("market_positions", (PositionChanged,), False, True, "optional"),
        Channel("market_lifecycle_v2", LIFECYCLE, True, False, ""),
        Channel("multivariate_market_lifecycle", (), True, False, ""),
        Channel("order_group_updates", (GroupChanged,), True, True, ""),
    )
}
"""There are no multivariate events on this venue, so that channel is silent."""
NOT_SERVED = {
    "communications": "requests for quotes are not served; every order meets the one book",
    "cfbenchmarks_value": "this venue has no index values",
    "cfbenchmarks_value_5hz": "this venue has no index values",
    "pyth_value": "this venue has no index values",
}
YES_PRICES = "orderbook_delta in YES prices"
FACT_TYPES: dict[type, str] = {EventListed: "event_lifecycle", EventFeesChanged: "event_fee_update"}
MESSAGE_TYPES = {
    "user_orders": "user_order",
    "market_positions": "market_position",
}
ERRORS = {
    1: "Unable to process message",
    2: "Params required",
    3: "Channels required",
    4: "Subscription IDs required",
    5: "Unknown command",
    7: "Unknown subscription ID",
    8: "Unknown channel name",
    9: "Authentication required",
    10: "Channel error",
    11: "Invalid parameter",
    12: "Exactly one subscription ID is required",
    13: "Unsupported action",
    14: "Market Ticker required",
    15: "Action required",
    25: "Subscription buffer overflow",
    26: "Subscription market limit exceeded",
    27: "Too many requests",
}


class Refused(Exception):
    """A command that is answered with an error; `more` stands in the error's `msg`."""

    def __init__(self, code: int, why: str = "", **more: Any) -> None:
        super().__init__(code, why)
        self.code = code
        self.message = f"{ERRORS[code]}: {why}" if why else ERRORS[code]
        self.more = more

    def body(self) -> dict[str, Any]:
        """Return what stands in the error's `msg`."""
        return {"code": self.code, "msg": self.message, "docs": error_page.link(f"WS_{self.code}"), **self.more}


class Params(msgspec.Struct):
    """The parameters of every command; each uses its own."""

    channels: list[str] = []
    market_ticker: str = ""
    market_tickers: list[str] = []
    market_id: str = ""
    market_ids: list[str] = []
    send_initial_snapshot: bool = False
    skip_ticker_ack: bool = False
    use_yes_price: bool = False
    sid: int | None = None
    sids: list[int] = []
    action: str = ""
    resume_from: str | None = None


class Command(msgspec.Struct):
    """What every message of a client is."""

    cmd: str = ""
    id: int = 0
    params: msgspec.Raw = msgspec.Raw()


COMMANDS = msgspec.json.Decoder(Command)
PARAMS = msgspec.json.Decoder(Params)
