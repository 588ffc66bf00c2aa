"""Liquidity rewards: once a minute the books with a programme are sampled, and each account's orders share the minute's pay.

The score is the public one of Polymarket's programme (docs.polymarket.com, liquidity rewards): an order of size b at
distance s from the middle scores ((v - s) / v)^2 * b, where v is the programme's `max_spread_e4`. Bids and asks are summed
apart; quoting one side alone counts a third while the middle is between 10 and 90 cents, and nothing outside. The middle is
between the best levels that have `min_size_micros`. Scores are compared within one sample only, so v^2 cancels out and
everything stays an integer. Shares round down; what is left over is not paid.
"""

from offchain_book.engine import commands as c
from offchain_book.engine.events import Event, RewardProgramSet, RewardsEarned
from offchain_book.engine.listing import reject
from offchain_book.engine.market import Market, MarketStatus, RewardProgram
from offchain_book.engine.order import BookSide, Order
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State
from offchain_book.engine.units import PRICE_SCALE

SAMPLE_MS = 60_000
SAMPLES_A_DAY = 1_440
_ONE_SIDED_DIVISOR = 3
_ONE_SIDED_FROM_E4, _ONE_SIDED_TO_E4 = 1_000, 9_000


def set_program(state: State, command: c.SetRewardProgram) -> list[Event]:
    """Begin, change or (nothing a day) end a market's programme."""
    if command.ticker not in state.markets:
        return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
    for field, value, lowest in (
        ("daily_micros", command.daily_micros, 0),
        ("min_size_micros", command.min_size_micros, 1),
        ("max_spread_e4", command.max_spread_e4, 1),
        ("end_ms", command.end_ms, command.start_ms + 1),
    ):
        if value < lowest:
            return reject(RejectCode.INVALID_MARKET, field=field, value=value)
    if command.max_spread_e4 >= PRICE_SCALE:
        return reject(RejectCode.INVALID_MARKET, field="max_spread_e4", value=command.max_spread_e4)
    if not command.daily_micros:
        state.reward_programs.pop(command.ticker, None)
        return [RewardProgramSet(command.ticker)]
    if not state.reward_programs:
        state.next_sample_ms = _after(state.now_ms)
    state.reward_programs[command.ticker] = RewardProgram(
        command.ticker,
        command.daily_micros,
        command.min_size_micros,
        command.max_spread_e4,
        command.start_ms,
        command.end_ms,
    )
    state.wake_at(state.next_sample_ms)
    return [RewardProgramSet(command.ticker)]


def _after(now_ms: int) -> int:
    return now_ms - now_ms % SAMPLE_MS + SAMPLE_MS


def active(state: State, market: Market, at_ms: int) -> RewardProgram | None:
    """Return the programme that pays in a market at a time, if one does."""
    program = state.reward_programs.get(market.ticker)
    if program is None or market.status is not MarketStatus.ACTIVE or not program.start_ms <= at_ms < program.end_ms:
        return None
    return program


def sample(state: State, events: list[Event]) -> None:
    """Share out one minute's pay of every programme. Minutes in which the exchange stood still are not made up for."""
    at_ms = state.next_sample_ms
    state.next_sample_ms = _after(state.now_ms)
    for ticker in state.reward_programs:
        market = state.markets[ticker]
        program = active(state, market, at_ms)
        found = scores(market, program) if program is not None else {}
        total = sum(found.values())
        if program is not None and total:
            pay = program.daily_micros
            shares = [(account_id, pay * score // (SAMPLES_A_DAY * total)) for account_id, score in found.items()]
            earned = tuple(share for share in shares if share[1])
            if earned:
                events.append(RewardsEarned(ticker, at_ms, earned))


def scores(market: Market, program: RewardProgram) -> dict[str, int]:
    """Return each account's score, accounts in the order of their best order."""
    twice_middle = _twice_middle_e4(market, program)
    if not twice_middle:
        return {}
    sides: dict[str, list[int]] = {}
    for side in BookSide:
        for order in market.book.walk(side):
            near = 2 * program.max_spread_e4 - abs(2 * order.price_e4 - twice_middle)
            if near <= 0:
                break
            if order.remaining_micros >= program.min_size_micros:
                sides.setdefault(order.account_id, [0, 0])[side] += near * near * order.remaining_micros
    lenient = 2 * _ONE_SIDED_FROM_E4 <= twice_middle <= 2 * _ONE_SIDED_TO_E4
    return {
        account_id: max(min(bids, asks), max(bids, asks) // _ONE_SIDED_DIVISOR if lenient else 0)
        for account_id, (bids, asks) in sides.items()
    }


def _twice_middle_e4(market: Market, program: RewardProgram) -> int:
    """Return the sum of the best bid and the best ask that are large enough; 0 when a side has none."""
    best: list[int] = []
    for side in BookSide:
        levels = market.book.depth(side)
        best += [next((price for price, size in levels if size >= program.min_size_micros), 0)]
    return sum(best) if all(best) else 0


def is_scoring(state: State, order: Order) -> bool:
    """Whether a resting order would count if its book were sampled now."""
    market = state.markets[order.ticker]
    program = active(state, market, state.now_ms)
    if program is None or order.remaining_micros < program.min_size_micros:
        return False
    twice_middle = _twice_middle_e4(market, program)
    return twice_middle > 0 and abs(2 * order.price_e4 - twice_middle) < 2 * program.max_spread_e4
