"""Where every error is explained: `/docs/errors` lists the exchange's refusals and the gateways' own codes, by anchor.

Every error body of every dialect carries its link, as `docs`.
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
    "BAD_PERIOD": "candles come in the minutes that the message names",
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
    "POST_ONLY_TYPE": "post-only goes with GTC and GTD",
    "REVERTED": "the contract refused; the message has its error",
    "SCOPE": "the key's scopes do not cover this route",
    "SERIES_DIFFERS": "the series exists with other terms",
    "SETTLEMENT_STOPPED": "settlement has stopped; the operator has to look at docs/runbook.md",
    "SIGNATURE_TYPE": "signature types 1 and 2 name Polymarket's proxy wallets, which do not exist here: sign as EOA with type 0",
    "TOO_MANY": "more items than the route takes",
    "UNAUTHORIZED": "a check of the API key's headers failed; `details.check` says which",
    "UNAVAILABLE": "the exchange takes no commands now; nothing was done",
    "OVERLOADED": "too many commands wait; nothing was done, try again",
    "UNKNOWN_ID": "nothing has this id; the message lists the forms of ids",
    "UNKNOWN_OPERATION": "no operation has this number",
    "UNKNOWN_TOKEN": "no market has this token; `GET /venue/markets` lists token ids",
    "WRONG_MAKER": "with signature type 0 maker and signer are the same wallet: leave the funder out",
    "WRONG_ORIGIN": "a session works only from the venue's own page",
    "WRONG_OWNER": "the payload's owner is the API key that signs the request",
    "WRONG_SIGNER": "the order's signer is the wallet of the API key that signs the request",
    "WRONG_TAKER": "orders are open to everybody: the taker is the zero address",
    "WRONG_TERMS": "the sign-in is for another site or chain",
}
"""Codes of requests that never reached the exchange -> what to do."""


def link(code: str) -> str:
    """Return where a code is explained."""
    return f"{PATH}#{code}"


def page() -> str:
    """Return the page for people."""
    rows = [(code.name, str(code.value), SENTENCES[code]) for code in RejectCode]
    own = [(code, "", sentence) for code, sentence in sorted(GATEWAY.items())]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Causeway: errors</title><style>body{font:15px/1.5 '
        "system-ui;margin:2rem;max-width:70rem}td{padding:.15rem 1rem .15rem 0;vertical-align:top}tr:target{background:#fd8}"
        "</style><h1>Errors</h1><p>Names and numbers never change. Values named _micros are millionths of a dollar or a "
        "contract, _e4 ten-thousandths of a dollar.</p><h2>Refusals of the exchange</h2>"
        f"<table>{_rows(rows)}</table><h2>Requests that never reached it</h2><table>{_rows(own)}</table></html>"
    )


def _rows(rows: list[tuple[str, str, str]]) -> str:
    return "".join(
        f'<tr id="{name}"><td>{number}<td><code>{name}</code><td>{_CODE.sub(_MARKED, html.escape(text))}'
        for name, number, text in rows
    )
