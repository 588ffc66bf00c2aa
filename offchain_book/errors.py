"""Reject codes as sentences: what failed, what was there, what was needed, what to do. Shared by every gateway."""

from collections.abc import Mapping

from offchain_book.engine.events import Rejected
from offchain_book.engine.rejects import RejectCode

SENTENCES: Mapping[RejectCode, str] = {
    RejectCode.UNKNOWN_ACCOUNT: "there is no account {account_id}",
    RejectCode.ACCOUNT_EXISTS: "account {account_id} exists already",
    RejectCode.UNKNOWN_KEY: "there is no API key {key_id}",
    RejectCode.KEY_EXISTS: "API key {key_id} exists already",
    RejectCode.INVALID_ACCOUNT_ID: "an account id cannot be {account_id}: a slash belongs to subaccounts",
    RejectCode.INVALID_SUBACCOUNT: "account {account_id} cannot have a subaccount {number}; numbers are 1 to {highest}",
    RejectCode.UNKNOWN_MARKET: "there is no market {ticker}",
    RejectCode.MARKET_EXISTS: "market {ticker} exists already",
    RejectCode.MARKET_INACTIVE: "market {ticker} is {status} and takes no orders",
    RejectCode.UNKNOWN_EVENT: "there is no event {event_ticker}",
    RejectCode.UNKNOWN_SERIES: "there is no series {series_ticker}",
    RejectCode.INVALID_MARKET: "{field} cannot be {value}",
    RejectCode.WRONG_MARKET_STATE: "market {ticker} is {status}; this needs one that is {needs}",
    RejectCode.MARKET_NOT_OPEN_YET: "market {ticker} is {status}; it opens at {opens_ms} (ms)",
    RejectCode.EARLY_CLOSE_RULED_OUT: "the terms of market {ticker} rule out an end before it closes at {close_ms} (ms); it "
    "can be paused or voided",
    RejectCode.TICKS_NOT_FINER: "price {price_e4} (ten-thousandths of a dollar) is valid in {ticker} and would not be any "
    "more: ticks may only get finer",
    RejectCode.UNKNOWN_ORDER: "there is no order {order_id} in this account",
    RejectCode.ORDER_NOT_OPEN: "order {order_id} is not open any more",
    RejectCode.DUPLICATE_ORDER_ID: "order {order_id} is known already",
    RejectCode.DUPLICATE_CLIENT_ORDER_ID: "client order id {client_order_id} was used for order {order_id}",
    RejectCode.INVALID_DECREASE: "give exactly one of reduce-by (above zero) and reduce-to (from zero to below the "
    "{remaining_micros} millionths that order {order_id} still has open)",
    RejectCode.SIZE_BELOW_FILLED: "a total of {size_micros} leaves nothing open: {filled_micros} are filled (millionths)",
    RejectCode.SIGNED_ORDER_FIXED: "order {order_id} is signed: its price stands and it can neither grow nor last longer",
    RejectCode.PRICE_OUT_OF_RANGE: "price {price_e4} is outside {lowest_e4}..{highest_e4} (ten-thousandths of a dollar)",
    RejectCode.PRICE_OFF_TICK: "price {price_e4} is off the tick; the nearest valid prices are {below_e4} and {above_e4} "
    "(ten-thousandths of a dollar)",
    RejectCode.SIZE_NOT_POSITIVE: "the size must be above zero",
    RejectCode.SIZE_OFF_LOT: "the size is no multiple of 0.01 contract; the nearest valid sizes are {below_micros} and "
    "{above_micros} millionths",
    RejectCode.SIZE_TOO_LARGE: "the size {size_micros} is above the limit of {limit_micros} millionths",
    RejectCode.EXPIRY_IN_PAST: "the expiry {expires_ms} is not after the venue's time {now_ms}",
    RejectCode.POST_ONLY_CROSS: "post only: the order would trade at once at {best_e4}",
    RejectCode.FILL_OR_KILL_UNFILLED: "fill or kill: only {fillable_micros} of {size_micros} millionths could trade now",
    RejectCode.OPTION_CONFLICT: "{option} needs {needs}",
    RejectCode.NOTHING_TO_REDUCE: "reduce only: there is no position in {ticker} that this order would reduce",
    RejectCode.INSUFFICIENT_CASH: "available cash is {have_micros}, the order needs {need_micros} ({held_micros} are held "
    "by open orders; millionths of a dollar)",
    RejectCode.INSUFFICIENT_TOKENS: "available {outcome} is {have_micros}, the order needs {need_micros} ({held_micros} are "
    "held by open orders; millionths of a contract)",
    RejectCode.TOO_MANY_OPEN_ORDERS: "an account may have {limit} open orders",
    RejectCode.CUSTODY_MISMATCH: "account {account_id} is {custody} and cannot do this",
    RejectCode.NOTHING_AVAILABLE_YET: "{have_micros} may leave now, {need_micros} were asked for ({pending_micros} are not "
    "final on chain yet; millionths)",
    RejectCode.AMOUNT_NOT_POSITIVE: "the amount must be above zero",
    RejectCode.POSITION_LIMIT: "the {scope}'s position in {ticker} could reach {worst_micros} with all open orders filled, the limit "
    "is {limit_micros} (millionths of a contract)",
    RejectCode.EXPOSURE_CAP: "all positions of the {scope} could reach {worst_micros} with all open orders filled; its cap is "
    "{limit_micros} (millionths of a contract)",
    RejectCode.CHAIN_HALTED: "the chain stands still, so nothing with a wallet can be matched now",
    RejectCode.WALLET_EXITING: "the wallet has asked to leave; its exit takes effect at {exit_at_s}",
    RejectCode.SIGNED_EXPIRY_TOO_SOON: "the signed expiry {expires_s} is before {earliest_s}, when a fill could still land",
    RejectCode.OUTFLOW_LIMIT: "the pool's outflow limit leaves {have_micros}, {need_micros} needed; try later",
    RejectCode.FEE_RATE_BELOW_MARKET: "the order allows a fee rate of {signed_bps} basis points, this market charges up to "
    "{market_bps}",
    RejectCode.SIGNED_ORDER_VOID: "the order's {field} is {signed}; {lowest} or later is taken: sign again",
    RejectCode.SIGNED_NONCE_TAKEN: "nonce {nonce} belongs to order {order_id} of this wallet: sign with another nonce",
    RejectCode.SIGNED_TAG_TAKEN: "the order's hash begins like that of order {order_id} of this wallet, so the contract could "
    "not tell their fills apart: sign again with another salt",
    RejectCode.DEPOSIT_ALREADY_CREDITED: "deposit {deposit_index} is credited already",
    RejectCode.DEPOSIT_OUT_OF_ORDER: "deposit {deposit_index} came before {expected}",
    RejectCode.BATCH_OUT_OF_ORDER: "the batch starts at {first}, the stream stands at {expected}",
    RejectCode.BATCH_CONTENT_CHANGED: "operations of batch {batch_no} were given up since it was packed: pack it again",
    RejectCode.UNKNOWN_BATCH: "there is no open batch {batch_no}",
    RejectCode.DUPLICATE_REQUEST: "{reference} was used already",
    RejectCode.ACTION_NONCE_USED: "nonce {nonce} was used already",
    RejectCode.DEADLINE_PASSED: "the deadline {deadline_s} is before {earliest_s}, when the action could still land",
    RejectCode.ALREADY_RESOLVED: "market {ticker} is resolved already",
    RejectCode.NO_LONGER_DISPUTABLE: "the outcome of {ticker} could be disputed until {settles_ms} (ms); it goes to the chain",
    RejectCode.INVALID_PAYOUT: "a YES payout of {payout_micros} is not within 0..1000000 millionths",
    RejectCode.ALREADY_LINKED: "{account_id} or {wallet} is linked already",
    RejectCode.NOT_LINKED: "{wallet} is linked to no custodial account; link it first (`causeway link`, `POST /venue/links`)",
    RejectCode.CONTRACT_TOO_OLD: "this venue's contract knows no {action}; deposit with an account reference instead "
    "(`depositFor`, `depositTokensFor`)",
    RejectCode.UNKNOWN_ORDER_GROUP: "there is no order group {group_id} in this account",
    RejectCode.ORDER_GROUP_EXISTS: "order group {group_id} exists already",
    RejectCode.ORDER_GROUP_TRIGGERED: "order group {group_id} has reached its limit; reset it before placing orders in it",
    RejectCode.INVALID_GROUP_LIMIT: "a group's limit of {limit_micros} is not within one contract and {highest_micros} "
    "millionths, in whole lots",
    RejectCode.TOO_MANY_ORDER_GROUPS: "an account may have {limit} order groups",
    RejectCode.UNKNOWN_TIMER: "account {account_id} has no dead-man timer for session '{session_id}'",
    RejectCode.TOO_MANY_TIMERS: "an account may have {limit} dead-man timers",
    RejectCode.EXCHANGE_PAUSED: "the exchange is paused and takes nothing, cancels neither; it resumes at {resumes_ms} (ms; "
    "0: until further notice)",
    RejectCode.MAINTENANCE: "the exchange is under maintenance and takes nothing, cancels neither; trading opens at "
    "{resumes_ms} (ms; 0: not known)",
    RejectCode.CANCEL_ONLY: "only cancels and decreases are taken now; trading resumes at {resumes_ms} (ms; 0: until further "
    "notice)",
    RejectCode.POST_ONLY_MODE: "only post-only orders are taken now, set post-only or wait until {resumes_ms} (ms; 0: until "
    "further notice)",
    RejectCode.OUTSIDE_TRADING_HOURS: "outside the trading hours only cancels and decreases are taken; trading opens at "
    "{opens_ms} (ms; 0: not known)",
    RejectCode.INVALID_SCHEDULE: "{field} cannot be {value}",
    RejectCode.INVALID_LIMIT: "a limit cannot be {limit}",
    RejectCode.FROZEN: "the exchange is frozen: {reason}; cancels and wallets' exits work, the rest waits for the operator",
    RejectCode.ACCOUNT_SUSPENDED: "trading of {account_id} is suspended: {reason}; its money may leave, orders wait for the operator",
    RejectCode.NOT_SUSPENDED: "trading of {account_id} is not suspended",
    RejectCode.NOT_FROZEN: "the exchange is not frozen",
    RejectCode.DESTINATION_NOT_ALLOWED: "{to} is not on the account's list of addresses yet: it can be used from {usable_ms} on "
    "(0: it was never added), venue time is {now_ms}",
    RejectCode.WITHDRAWAL_CAP: "{need_micros} would pass the {scope}'s cap: {have_micros} millionths are left in the window of "
    "{window_ms} ms; send less, or later",
    RejectCode.TOO_MANY_WAITING: "{limit} withdrawals wait for approval already",
    RejectCode.UNKNOWN_WITHDRAWAL: "no withdrawal {reference} waits for approval",
    RejectCode.NOT_AN_APPROVER: "account {account_id} may not approve withdrawals",
    RejectCode.OWN_WITHDRAWAL: "account {account_id} cannot approve its own owner's withdrawal",
    RejectCode.INVALID_POLICY: "a withdrawal policy's {field} cannot be {value}: it needs {needs}",
    RejectCode.TOO_MANY_DESTINATIONS: "an account may list {limit} addresses",
    RejectCode.INCONSISTENT_RESULT: "a YES payout of {payout_micros} for {ticker} contradicts the other results of event "
    "{event_ticker}, which leave {lowest_micros}..{highest_micros} (millionths)",
    RejectCode.NO_STRIKE: "market {ticker} has strike type '{strike_type}', which a value does not decide: resolve it by itself",
}


def sentence(rejected: Rejected) -> str:
    """Return what went wrong and what would have been right, for people."""
    return SENTENCES[rejected.code].format_map(dict(rejected.details))


def details(rejected: Rejected) -> dict[str, int | str]:
    """Return the values that belong to a rejection."""
    return dict(rejected.details)
