"""What our own stream says. The types are its description: `asyncapi.py` makes the AsyncAPI document from them.

Prices are ten-thousandths of a dollar in YES prices (`_e4`), sizes and money millionths (`_micros`), times venue
milliseconds (`_ms`). `cursor` is the place to resume from; it is the same text for everybody.
"""

from typing import Literal

import msgspec

Side = Literal["bid", "ask"]
Stage = Literal["MATCHED", "MINED", "CONFIRMED", "RETRYING", "FAILED"]


class _Message(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """Every message has a `type`."""


class Ready(_Message, tag="ready", frozen=True, kw_only=True):
    """The first message of a connection."""

    cursor: str
    venue_time_ms: int
    heartbeat_s: int


class Authenticated(_Message, tag="authenticated", frozen=True, kw_only=True):
    """A ticket was good."""

    account: str


class Subscribed(_Message, tag="subscribed", frozen=True, kw_only=True):
    """What is heard from now on. `resumed` false after a `resume_from` is a gap: snapshots follow."""

    channels: list[str]
    tickers: list[str]
    resumed: bool
    cursor: str


class Unsubscribed(_Message, tag="unsubscribed", frozen=True, kw_only=True):
    """What is no longer heard."""

    channels: list[str]
    tickers: list[str]


class Heartbeat(_Message, tag="heartbeat", frozen=True, kw_only=True):
    """Comes by itself every `heartbeat_s` of `ready`. Whoever has every channel's cursor has missed nothing: it was silent."""

    cursor: str
    """The place up to which everything that concerns this connection was sent."""
    venue_time_ms: int
    channels: dict[str, str]
    """Channel -> cursor of the newest message sent on it, or of its beginning."""


class Pong(_Message, tag="pong", frozen=True, kw_only=True):
    """The answer to `{"op": "ping"}`: what the next heartbeat would say."""

    cursor: str
    venue_time_ms: int
    channels: dict[str, str]


class Error(_Message, tag="error", frozen=True, kw_only=True):
    """A message of the client was refused; the connection goes on."""

    code: str
    message: str
    docs: str
    """Where the code is explained."""


class Book(_Message, tag="book", frozen=True, kw_only=True):
    """A whole book: [price_e4, size_micros] per level, best first, in YES prices."""

    ticker: str
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    cursor: str


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """A level's new size; 0 means it is gone."""

    side: Side
    price_e4: int
    size_micros: int


class Levels(_Message, tag="levels", frozen=True, kw_only=True):
    """All that one command changed in a book."""

    ticker: str
    levels: list[Level]
    best_bid_e4: int
    best_ask_e4: int
    at_ms: int
    cursor: str


class Trade(_Message, tag="trade", frozen=True, kw_only=True):
    """A public trade. `on_chain` tells that a wallet took part, so that `settlement` messages follow."""

    trade: str
    ticker: str
    price_e4: int
    size_micros: int
    taker_side: Side
    on_chain: bool
    at_ms: int
    cursor: str


class Ticker(_Message, tag="ticker", frozen=True, kw_only=True):
    """A market's figures as they are now. Best prices are 0 and 10,000 on an empty side."""

    ticker: str
    best_bid_e4: int
    best_bid_micros: int
    best_ask_e4: int
    best_ask_micros: int
    last_price_e4: int
    volume_micros: int
    open_interest_micros: int
    cursor: str


class Market(_Message, tag="market", frozen=True, kw_only=True):
    """A market was listed, closed, determined or finalized. `yes_payout_micros` is -1 while undecided."""

    ticker: str
    event_ticker: str
    title: str
    status: str
    open_ms: int
    close_ms: int
    yes_payout_micros: int
    cursor: str


class Settlement(_Message, tag="settlement", frozen=True, kw_only=True):
    """A trade with a wallet reached a stage on the chain."""

    trade: str
    ticker: str
    operation: int
    stage: Stage
    tx_hash: str
    block_number: int
    resolution: str
    cursor: str


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has of an asset, in millionths (`docs/interfaces.md`: balances)."""

    asset: str
    total: int
    available: int
    held: int
    pending: int
    settled: int
    withdrawable: int


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it is now. `outcome` is empty for custodial accounts, which net; the price is the YES price."""

    order_id: str
    client_order_id: str
    account: str
    ticker: str
    side: Side
    outcome: Literal["", "yes", "no"]
    price_e4: int
    size_micros: int
    filled_micros: int
    remaining_micros: int
    status: Literal["resting", "executed", "canceled"]
    cancel_reason: str
    fees_micros: int
    created_ms: int
    updated_ms: int
    expires_ms: int
    group_id: str


class Account(_Message, tag="account", frozen=True, kw_only=True):
    """An account, or a part of it, as a whole: the snapshot at the beginning of the `account` channel."""

    account: str
    balances: list[Balance]
    orders: list[Order]
    cursor: str


class OrderMessage(_Message, tag="order", frozen=True, kw_only=True):
    """One's own order changed."""

    order: Order
    cursor: str


class Fill(_Message, tag="fill", frozen=True, kw_only=True):
    """One's own side of a trade. `position_micros` is the YES position after it, negative for NO."""

    trade: str
    account: str
    order_id: str
    ticker: str
    side: Side
    price_e4: int
    size_micros: int
    fee_micros: int
    is_taker: bool
    position_micros: int
    on_chain: bool
    at_ms: int
    cursor: str


class FillStage(_Message, tag="fill_stage", frozen=True, kw_only=True):
    """One's own fill reached a stage on the chain."""

    trade: str
    account: str
    order_id: str
    stage: Stage
    tx_hash: str
    cursor: str


class BalanceMessage(_Message, tag="balance", frozen=True, kw_only=True):
    """One's own balance of an asset, as it is now."""

    account: str
    balance: Balance
    cursor: str


class Group(_Message, tag="order_group", frozen=True, kw_only=True):
    """One's own order group changed."""

    account: str
    group_id: str
    change: str
    limit_micros: int
    cursor: str


MESSAGES: tuple[type[_Message], ...] = (
    Ready,
    Authenticated,
    Subscribed,
    Unsubscribed,
    Heartbeat,
    Pong,
    Error,
    Book,
    Levels,
    Trade,
    Ticker,
    Market,
    Settlement,
    Account,
    OrderMessage,
    Fill,
    FillStage,
    BalanceMessage,
    Group,
)


class Auth(msgspec.Struct, tag="auth", tag_field="op", forbid_unknown_fields=True):
    """Say who you are, with a ticket from `POST /venue/stream/tickets`."""

    ticket: str


class Subscribe(msgspec.Struct, tag="subscribe", tag_field="op", forbid_unknown_fields=True):
    """Hear channels; `book` needs tickers, for the others none means all. `resume_from` is the newest cursor you have."""

    channels: list[str]
    tickers: list[str] = []
    resume_from: str = ""


class Unsubscribe(msgspec.Struct, tag="unsubscribe", tag_field="op", forbid_unknown_fields=True):
    """Hear channels no more, or, with tickers, those markets of them."""

    channels: list[str]
    tickers: list[str] = []


class Ping(msgspec.Struct, tag="ping", tag_field="op", forbid_unknown_fields=True):
    """Ask for a `pong`."""


REQUESTS = (Auth, Subscribe, Unsubscribe, Ping)
Request = Auth | Subscribe | Unsubscribe | Ping
