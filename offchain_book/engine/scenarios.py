"""What the markets of one event can pay together: every result that its rule allows, and the worst of them.

Mutually exclusive markets pay at most one dollar of YES in all (Kalshi's MECNET); of ordered strikes none pays more than a
nearer one (DIRECNET). `payout_bounds` refuses every other result, fractions included. Any result within a rule is a mixture
of the extreme ones, in which each market that is not paid yet pays as much as the paid ones leave, or nothing:

    exclusive   at most one market pays what is left of the dollar
    ordered     between two markets that were paid, the nearer strikes pay like the one below, the further ones like the one above

so the worst result is an extreme one, and finding it takes one pass over the markets.
"""

from collections.abc import Callable, Iterable, Sequence

from offchain_book.engine import strikes
from offchain_book.engine.account import Account
from offchain_book.engine.market import Market
from offchain_book.engine.names import token_asset
from offchain_book.engine.operations import Outcome
from offchain_book.engine.state import State
from offchain_book.engine.strikes import CollateralReturn
from offchain_book.engine.units import ONE_DOLLAR_MICROS, ceil_div

Loss = Callable[[Market, int], int]
"""What is lost in a market when YES pays so many millionths of a dollar."""


def event_markets(state: State, event_ticker: str) -> list[Market]:
    """Return an event's markets in the order of their creation."""
    return [state.markets[ticker] for ticker in state.events[event_ticker].tickers]


def guaranteed_micros(account: Account, kind: CollateralReturn, markets: Iterable[Market]) -> int:
    """Return what an account's positions in an event's markets pay at least, each payout rounded down."""
    return -_worst(kind, markets, lambda market, yes: -_worth(account, market, yes))


def worst_loss_micros(account: Account, kind: CollateralReturn, markets: Iterable[Market]) -> int:
    """Return the most that positions and open orders can lose together, over every result and every subset of fills.

    It counts cash paid for fills less what the positions after them pay; redeeming a set on the way changes nothing. Filling a
    bid loses its cost unless YES pays, an ask unless NO pays; in between, in proportion: exact for results of 0 and 1, and never
    too little where another market of the event was settled by a fraction.
    """

    def loss(market: Market, yes: int) -> int:
        lost = -_worth(account, market, yes)
        exposure = account.exposures.get(market.ticker)
        if exposure is not None:
            lost += ceil_div(exposure.bid_cost * (ONE_DOLLAR_MICROS - yes), ONE_DOLLAR_MICROS)
            lost += ceil_div(exposure.ask_cost * yes, ONE_DOLLAR_MICROS)
        return lost

    return _worst(kind, markets, loss)


def payout_bounds(market: Market, kind: CollateralReturn, markets: Iterable[Market]) -> tuple[int, int]:
    """Return the lowest and the highest YES payout of a market that the decided markets of its event leave."""
    decided = [other for other in markets if other is not market and other.yes_payout_micros >= 0]
    if kind is CollateralReturn.EXCLUSIVE:
        return 0, ONE_DOLLAR_MICROS - sum(other.yes_payout_micros for other in decided)
    if kind is CollateralReturn.NONE:
        return 0, ONE_DOLLAR_MICROS
    place = strikes.rank(market)
    nearer = [other.yes_payout_micros for other in decided if strikes.rank(other) < place]
    further = [other.yes_payout_micros for other in decided if strikes.rank(other) > place]
    return max(further, default=0), min(nearer, default=ONE_DOLLAR_MICROS)


def _worth(account: Account, market: Market, yes_payout: int) -> int:
    yes = account.balances.get(token_asset(market.ticker, Outcome.YES))
    no = account.balances.get(token_asset(market.ticker, Outcome.NO))
    worth = yes.total * yes_payout if yes is not None else 0
    if no is not None:
        worth += no.total * (ONE_DOLLAR_MICROS - yes_payout)
    return worth // ONE_DOLLAR_MICROS


def _worst(kind: CollateralReturn, markets: Iterable[Market], loss: Loss) -> int:
    if kind is CollateralReturn.EXCLUSIVE:
        return _worst_exclusive(markets, loss)
    worst, highest = 0, ONE_DOLLAR_MICROS
    stretch: list[Market] = []
    for market in sorted(markets, key=strikes.rank):
        if not market.resolved_on_chain:
            stretch.append(market)
            continue
        worst += _worst_stretch(stretch, highest, market.yes_payout_micros, loss)
        highest = market.yes_payout_micros
        stretch = []
    return worst + _worst_stretch(stretch, highest, 0, loss)


def _worst_exclusive(markets: Iterable[Market], loss: Loss) -> int:
    left, total, more = ONE_DOLLAR_MICROS, 0, 0
    waiting: list[Market] = []
    for market in markets:
        if market.resolved_on_chain:
            left -= market.yes_payout_micros
        else:
            waiting.append(market)
    for market in waiting:
        without = loss(market, 0)
        total += without
        more = max(more, loss(market, left) - without)
    return total + more


def _worst_stretch(markets: Sequence[Market], highest: int, lowest: int, loss: Loss) -> int:
    """Return the worst of markets in rank order, of which the first few pay `highest` and the others `lowest`."""
    total = more = most = 0
    for market in markets:
        low = loss(market, lowest)
        total += low
        more += loss(market, highest) - low
        most = max(most, more)
    return total + most
