"""The closed list of reasons why the exchange refuses a command. Numbers are stable for ever; never reuse one (143 and 151
were reserved and never given: such orders are accepted, and cancelled with `CancelReason` saying why).

`offchain_book/errors.py` turns a code and its details into a sentence; `docs/errors.md` lists them all.
"""

from enum import IntEnum


class RejectCode(IntEnum):
    """Why a command was refused. The docstring-like comment after each names the details that come with it."""

    UNKNOWN_ACCOUNT = 100  # account_id
    ACCOUNT_EXISTS = 101  # account_id
    UNKNOWN_KEY = 102  # key_id
    KEY_EXISTS = 103  # key_id
    INVALID_ACCOUNT_ID = 104  # account_id
    INVALID_SUBACCOUNT = 105  # account_id, number, highest
    UNKNOWN_MARKET = 110  # ticker
    MARKET_EXISTS = 111  # ticker
    MARKET_INACTIVE = 112  # ticker, status
    UNKNOWN_EVENT = 113  # event_ticker
    UNKNOWN_SERIES = 114  # series_ticker
    INVALID_MARKET = 115  # field, value
    WRONG_MARKET_STATE = 116  # ticker, status, needs
    MARKET_NOT_OPEN_YET = 117  # ticker, status, opens_ms
    EARLY_CLOSE_RULED_OUT = 118  # ticker, close_ms
    TICKS_NOT_FINER = 119  # ticker, price_e4
    UNKNOWN_ORDER = 120  # order_id
    ORDER_NOT_OPEN = 121  # order_id, status
    DUPLICATE_ORDER_ID = 122  # order_id
    DUPLICATE_CLIENT_ORDER_ID = 123  # client_order_id, order_id
    INVALID_DECREASE = 124  # order_id, remaining_micros
    SIZE_BELOW_FILLED = 125  # size_micros, filled_micros
    SIGNED_ORDER_FIXED = 126  # order_id
    PRICE_OUT_OF_RANGE = 130  # price_e4, lowest_e4, highest_e4
    PRICE_OFF_TICK = 131  # price_e4, below_e4, above_e4
    SIZE_NOT_POSITIVE = 132  # size_micros
    SIZE_OFF_LOT = 133  # size_micros, below_micros, above_micros
    SIZE_TOO_LARGE = 134  # size_micros, limit_micros
    EXPIRY_IN_PAST = 135  # expires_ms, now_ms
    POST_ONLY_CROSS = 136  # price_e4, best_e4
    FILL_OR_KILL_UNFILLED = 137  # size_micros, fillable_micros
    OPTION_CONFLICT = 138  # option, needs
    NOTHING_TO_REDUCE = 139  # ticker
    INSUFFICIENT_CASH = 140  # have_micros, need_micros, held_micros
    INSUFFICIENT_TOKENS = 141  # have_micros, need_micros, held_micros, outcome
    TOO_MANY_OPEN_ORDERS = 142  # limit
    CUSTODY_MISMATCH = 144  # account_id, custody
    NOTHING_AVAILABLE_YET = 145  # have_micros, need_micros, pending_micros
    AMOUNT_NOT_POSITIVE = 146  # amount_micros
    POSITION_LIMIT = 147  # ticker, scope, limit_micros, worst_micros
    EXPOSURE_CAP = 148  # scope, limit_micros, worst_micros
    CHAIN_HALTED = 150  # last_final_ms
    WALLET_EXITING = 152  # exit_at_s
    SIGNED_EXPIRY_TOO_SOON = 153  # expires_s, earliest_s
    OUTFLOW_LIMIT = 154  # have_micros, need_micros
    FEE_RATE_BELOW_MARKET = 155  # signed_bps, market_bps
    SIGNED_ORDER_VOID = 156  # field, signed, lowest
    SIGNED_NONCE_TAKEN = 157  # nonce, order_id
    SIGNED_TAG_TAKEN = 158  # order_id
    DEPOSIT_ALREADY_CREDITED = 160  # deposit_index
    DEPOSIT_OUT_OF_ORDER = 161  # deposit_index, expected
    BATCH_OUT_OF_ORDER = 162  # first, expected
    BATCH_CONTENT_CHANGED = 167  # batch_no
    UNKNOWN_BATCH = 163  # batch_no
    DUPLICATE_REQUEST = 164  # reference
    ACTION_NONCE_USED = 165  # nonce
    DEADLINE_PASSED = 166  # deadline_s, earliest_s
    ALREADY_RESOLVED = 170  # ticker
    INVALID_PAYOUT = 171  # payout_micros
    NO_LONGER_DISPUTABLE = 173  # ticker, settles_ms
    ALREADY_LINKED = 172  # account_id, wallet
    NOT_LINKED = 174  # wallet
    CONTRACT_TOO_OLD = 175  # action
    UNKNOWN_ORDER_GROUP = 180  # group_id
    ORDER_GROUP_EXISTS = 181  # group_id
    ORDER_GROUP_TRIGGERED = 182  # group_id
    INVALID_GROUP_LIMIT = 183  # limit_micros, highest_micros
    TOO_MANY_ORDER_GROUPS = 184  # limit
    UNKNOWN_TIMER = 185  # account_id, session_id
    TOO_MANY_TIMERS = 186  # limit
    INVALID_LIMIT = 187  # limit
    FROZEN = 200  # reason
    NOT_FROZEN = 201
    DESTINATION_NOT_ALLOWED = 202  # to, usable_ms, now_ms
    WITHDRAWAL_CAP = 203  # scope, have_micros, need_micros, window_ms
    TOO_MANY_WAITING = 204  # limit
    UNKNOWN_WITHDRAWAL = 205  # reference
    NOT_AN_APPROVER = 206  # account_id
    OWN_WITHDRAWAL = 207  # account_id
    INVALID_POLICY = 208  # field, value, needs
    TOO_MANY_DESTINATIONS = 209  # limit
    ACCOUNT_SUSPENDED = 210  # account_id, reason
    NOT_SUSPENDED = 211  # account_id
    INCONSISTENT_RESULT = 190  # ticker, event_ticker, payout_micros, lowest_micros, highest_micros
    NO_STRIKE = 191  # ticker, strike_type
    EXCHANGE_PAUSED = 192  # resumes_ms
    MAINTENANCE = 193  # resumes_ms
    CANCEL_ONLY = 194  # resumes_ms
    POST_ONLY_MODE = 195  # resumes_ms
    OUTSIDE_TRADING_HOURS = 196  # opens_ms
    INVALID_SCHEDULE = 197  # field, value
