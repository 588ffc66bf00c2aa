"""Where every error is explained: `/docs/errors` lists the exchange's refusals and the gateways' own codes, by anchor.

Every error body of every dialect carries its link, as `docs`; FIX carries it at the end of Text<58>.
"""

import html
import re
from collections.abc import Mapping

from offchain_book.engine.rejects import RejectCode
from offchain_book.errors import SENTENCES

PATH = "/docs/errors"
_CODE = re.compile(r"`([^`]+)`")
_MARKED = r"<code>\1</code>"

GATEWAY: Mapping[str, str] = {
    "BAD_ADDRESS": "an address is 20 bytes of hex; mixed case must be the right checksum (EIP-55)",
    "BAD_AMOUNT": "the amount is not within what the route takes; the message names the bounds",
    "BAD_BODY": "the body is no JSON of the documented shape; the message names the field",
    "BAD_CREDENTIALS": "a check of the signed headers failed; `details` has the text that should have been signed",
    "BAD_CURSOR": "a cursor is what the last page's answer said, unchanged",
    "BAD_FEES": "the fee change has a wrong field, which the message names",
    "BAD_KIND": "the vault action's kind is none of those listed in docs/interfaces.md",
    "BAD_MARKET_FILE": "the market file has a wrong field, which the message names",
    "BAD_MESSAGE": "the text is no EIP-4361 message; `POST /venue/session/nonce` writes one",
    "BAD_NONCE": "a sign-in's nonce works once, for five minutes; ask for another",
    "BAD_NUMBER": "a number is not a whole one, or too large for its field",
    "BAD_OPTION": "the option is none of the words that the message lists",
    "BAD_ORDER_ID": "the id of a signed order is its EIP-712 digest: 0x and 64 lower-case hex digits",
    "BAD_OUTCOME": "an outcome is yes or no; to resolve a market, a payout such as 0.35 too",
    "BAD_PERIOD": "candles and lines come in the periods that the message names",
    "BAD_PRICE_STRUCTURE": "the price structure is none of those that the message lists",
    "BAD_PUBLIC_KEY": "a public key is PEM, RSA or Ed25519",
    "BAD_SIDE": "side is 0 (buy) or 1 (sell)",
    "BAD_SIGNATURE": "the signature is not the wallet's over this struct; `POST /venue/explain/signature` finds what differs",
    "BAD_STATUS": "status is open, closed or all",
    "BAD_ZONE": "trading hours name no known time zone, such as America/New_York",
    "BATCH_SIZE": "a batch has more items than the route takes; `details.limit` says how many",
    "BODY_TOO_LARGE": "a body may have 1,000,000 bytes",
    "CHAIN_UNAVAILABLE": "the chain's node does not answer; nothing was done",
    "DEADLINE_TOO_FAR": "a `Cancel` may be good for 600 s of venue time",
    "EVENT_DIFFERS": "the event exists with other terms",
    "INVALID_ASSET_TYPE": "asset_type is COLLATERAL or CONDITIONAL",
    "INVALID_BUILDER": "no builder has this code",
    "INVALID_CURSOR": "next_cursor is what the last page's answer said",
    "INVALID_DATE": "a date is written YYYY-MM-DD",
    "INVALID_EXPIRATION": "only GTD orders expire, at least 60 s ahead, in seconds since 1970",
    "INVALID_FIDELITY": "fidelity is a whole number of minutes",
    "NAME_TAKEN": "somebody else has this name: choose another",
    "UNKNOWN_ASSET": "the page was built anew: load it again",
    "INVALID_HEARTBEAT": "the heartbeat id is not the one that the last answer gave",
    "INVALID_ID": "the id has not the form of its kind",
    "INVALID_INTERVAL": "the interval is none of those that the message lists",
    "INVALID_L1": "a check of the wallet's signed headers failed; `reason` says which",
    "INVALID_QUERY": "a query parameter is wrong; the message names it",
    "INVALID_SIDE": "side is BUY or SELL",
    "INVALID_TIMESTAMP": "a timestamp is whole seconds since 1970",
    "INVALID_SIGNATURE": "the order is not signed by its signer under this venue's domain; `details` has recovered and expected "
    "address, digest and domain, `POST /venue/explain/signature` finds what differs",
    "AMOUNT_PRECISION": "market buys have 2 decimals of dollars and 4 of contracts; `details` has the nearest valid amounts",
    "MALFORMED_BODY": "the body is no JSON of the documented shape; `reason` names the place",
    "MESSAGE_EXPIRED": "the sign-in's expiration time has passed; ask for another message",
    "MESSAGE_NOT_YET_VALID": "the sign-in is dated in the future; check your clock",
    "NOT_A_DEV_WALLET": "only the public development wallets can be made to deposit; others call the contract",
    "NOT_COUNTED_YET": "the account has opened since the newest statement of what is owed; ask after the next one",
    "NOT_FINAL": "it was done, and the chain has not made it final in time; ask again",
    "NOT_FOUND": "nothing has this id",
    "NOT_OUR_CHAIN": "time moves only on the venue's own development chain",
    "NOT_PUBLISHED": "no statement of what is owed has been published yet",
    "NOT_READY": "the venue is still starting; `/readyz` says what it waits for",
    "NOT_SERVED": "this venue does not offer it; the message says why",
    "NOT_SIGNED_IN": "sign in, sign the request with an API key, or sign a `Cancel`",
    "NOT_YOURS": "the key belongs to another account",
    "NO_MATCH": "nothing on the other side of the book is within the order's limit",
    "PLACE_IN_KALSHIS_DIALECT": "`/venue/orders` takes what a wallet signed; custodial accounts place orders with "
    "`POST /trade-api/v2/portfolio/events/orders`",
    "POST_ONLY_TYPE": "post-only goes with GTC and GTD",
    "REVERTED": "the contract refused; the message has its error",
    "SCOPE": "the key's scopes do not cover this route",
    "SERIES_DIFFERS": "the series exists with other terms",
    "SETTLEMENT_STOPPED": "settlement has stopped; the operator has to look at docs/runbook.md",
    "SIGNATURE_TYPE": "signature types 1 and 2 name Polymarket's proxy wallets, which do not exist here: sign as EOA with type 0",
    "PAST_UNAVAILABLE": "the journal cannot be replayed up to that command now: ask again",
    "TOO_MANY": "more items than the route takes",
    "TOO_MANY_ATTEMPTS": "too many sign-ins or relayed deposits for this account or from this address: come again in `retry_after_s`",
    "UNAUTHORIZED": "a check of the API key's headers failed; `details.check` says which",
    "UNAVAILABLE": "the exchange takes no commands now; nothing was done",
    "OVERLOADED": "too many commands wait; nothing was done, try again",
    "UNKNOWN_ID": "nothing has this id; the message lists the forms of ids",
    "UNKNOWN_OPERATION": "no operation has this number; on a stream, operation is subscribe or unsubscribe",
    "UNKNOWN_TOKEN": "no market has this token; `GET /venue/markets` lists token ids",
    "WRONG_MAKER": "with signature type 0 maker and signer are the same wallet: leave the funder out",
    "WRONG_ORIGIN": "a session works only from the venue's own page",
    "WRONG_OWNER": "the payload's owner is the API key that signs the request",
    "WRONG_SIGNER": "the order's signer is the wallet of the API key that signs the request",
    "WRONG_TAKER": "orders are open to everybody: the taker is the zero address",
    "WRONG_TERMS": "the sign-in is for another site or chain",
    "ALREADY_SUBSCRIBED": "the account channel is open already on this connection; unsubscribe it first",
    "BAD_TICKET": "a stream's ticket works once, for a short time; ask for a new one",
    "GUARANTEE_EXHAUSTED": "the guarantee fund is fully reserved, so nothing more with a wallet can be matched; try again later",
    "MALFORMED": "the stream's message cannot be read; `message` says where it goes wrong",
    "NOT_AUTHENTICATED": "the account channel needs a ticket: `POST /venue/stream/tickets`",
    "SELF_TRADE": "the best order on the other side has the same owner, perhaps through a link; cancel it first",
    "TICKERS_NEEDED": "the book channel needs tickers",
    "TOO_MANY_CONNECTIONS": "close another connection first; the message says how many are allowed",
    "TOO_MANY_MARKETS": "one connection may watch so many channels times markets; open another",
    "TOO_MANY_MESSAGES": "send fewer messages a second",
    "TOO_MANY_TOKENS": "one connection may watch so many tokens; open another",
    "UNKNOWN_CHANNEL": "the stream has no such channel; the message lists those there are",
    "WRONG_CHANNEL": "`/ws/market` takes type market, `/ws/user` type user",
}
"""Codes of requests that never reached the exchange -> what to do."""


FRAME: Mapping[str, str] = {
    "bad_request": "a parameter has the wrong type; the message names it",
    "body_too_large": "a body may have 1,000,000 bytes",
    "error": "the HTTP status says what is wrong, the message says more",
    "forbidden": "what signed the request may not do this",
    "internal_error": "a bug of the venue: report the request id, its log says more",
    "method_not_allowed": "the path takes other methods; `/docs` lists every route",
    "not_found": "there is no such route; `/docs` lists every route",
    "unauthorized": "the route needs a token that the request does not carry; the message names it",
    "unavailable": "the exchange takes no commands now; nothing was done, try again",
}
"""Codes of what no dialect has looked at yet -> what to do."""

KALSHI: Mapping[str, str] = {
    "invalid_public_key": "a public key is PEM, RSA or Ed25519",
    "series_not_found": "no series has this ticker",
    "event_not_found": "no event has this ticker",
    "api_key_not_found": "the account has no API key of this id",
    "authentication_error": "a check of the signed headers failed; `details` has what was expected",
    "body_incomplete": "the connection ended before the body did; send it again",
    "exchange_unavailable": "the exchange takes no commands now; nothing was done, try again",
    "insufficient_scope": "the key's scopes do not cover this route; `details` has both",
    "invalid_cursor": "a cursor is what the last page's answer said, unchanged, for the same list",
    "invalid_expiration_time": "the expiration time lies in the past or goes with another time in force",
    "invalid_json": "the body is no JSON of the documented shape; the message names the place",
    "invalid_order_size": "a size is a multiple of 0.01 contract, above zero and below the limit",
    "invalid_parameters": "a parameter is wrong; the message names it and what it may be",
    "invalid_price": "the price is off the market's tick or outside its range; `details` has the nearest valid ones",
    "market_not_found": "no market has this ticker",
    "moved_permanently": "paths end without a slash",
    "not_implemented": "this venue does not offer it; `details.missing` says what",
    "order_group_not_found": "the account has no such order group",
    "order_not_found": "the account has no such order",
    "order_not_open": "the order is filled or cancelled already",
    "order_side_mismatch": "an amendment cannot turn an order's side; cancel it and place another",
    "stream_unavailable": "the venue has too many connections; try again later",
    "subaccount_not_found": "open the subaccount first",
    "subaccount_restricted": "the key is locked to a subaccount; use one of the whole account",
    "too_many_connections": "close another connection first",
    "too_many_requests": "the token bucket is empty, or the exchange is busy: wait for `Retry-After`",
}
"""Codes of Kalshi's dialect that are not the exchange's -> what to do. Refusals of the exchange are found by their own name."""

WIRES: Mapping[str, str] = {
    "FIX_BUSINESS_REJECT": "BusinessMessageReject (35=j): BusinessRejectReason<380> and the rest of Text<58> say what to do instead",
    "FIX_LOGOUT": "the session ends, Text<58> says why; docs/fix.md has what a Logon needs and how sequence numbers are kept",
    "FIX_MARKET_DATA": "MarketDataRequestReject (35=Y): MDReqRejReason<281> and the rest of Text<58> say which part of the request",
    "FIX_ORDER": "the order or change never reached the exchange: the rest of Text<58> names the field to mend, or says to wait",
    "FIX_SESSION_REJECT": "Reject (35=3): SessionRejectReason<373> says which rule is broken, RefTagID<371> by which tag",
    "WS_1": "the message is no command of the documented shape",
    "WS_2": "the command needs params",
    "WS_3": "the command needs channels",
    "WS_4": "the command needs subscription ids",
    "WS_5": "cmd is none of those that AsyncAPI lists",
    "WS_7": "the connection has no subscription of this id",
    "WS_8": "there is no channel of this name, or this venue has nothing to say on it; the message says which",
    "WS_9": "the channel is private: sign the handshake",
    "WS_10": "the channel cannot be served now",
    "WS_11": "a parameter is wrong; the message names it",
    "WS_12": "give exactly one subscription id",
    "WS_13": "the action is none of those that the message lists",
    "WS_14": "the channel needs a market ticker",
    "WS_15": "update_subscription needs an action",
    "WS_25": "the reader was too slow and lost messages; subscribe again",
    "WS_26": "the connection watches as many markets as are allowed; open another",
    "WS_27": "send fewer commands a second",
}
"""Refusals of FIX, and errors of Kalshi's WebSocket by its numbers -> what to do."""


SECTIONS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("Requests that never reached the exchange", GATEWAY),
    ("Before any dialect has looked at it", FRAME),
    ("Kalshi's dialect", KALSHI),
    ("FIX, and errors of Kalshi's WebSocket by number", WIRES),
)
"""What follows the exchange's own refusals on the page."""


def link(code: str) -> str:
    """Return where a code is explained."""
    return f"{PATH}#{code}"


def page() -> str:
    """Return the page for people."""
    rows = [(code.name, str(code.value), SENTENCES[code]) for code in RejectCode]
    own = "".join(
        f"<h2>{html.escape(title)}</h2><table>{_rows([(code, '', text) for code, text in sorted(codes.items())])}</table>"
        for title, codes in SECTIONS
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Causeway: errors</title><style>body{font:15px/1.5 '
        "system-ui;margin:2rem;max-width:70rem}td{padding:.15rem 1rem .15rem 0;vertical-align:top}tr:target{background:#fd8}"
        "</style><h1>Errors</h1><p>Names and numbers never change. Values named _micros are millionths of a dollar or a "
        "contract, _e4 ten-thousandths of a dollar.</p><h2>Refusals of the exchange</h2>"
        f"<table>{_rows(rows)}</table>{own}</html>"
    )


def _rows(rows: list[tuple[str, str, str]]) -> str:
    return "".join(
        f'<tr id="{name}"><td>{number}<td><code>{name}</code><td>{_CODE.sub(_MARKED, html.escape(text))}'
        for name, number, text in rows
    )
