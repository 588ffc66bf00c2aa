"""What an order may spend, before it reaches the book, and what open orders hold.

A wallet's order holds what it gives: cash for a buy (with the highest possible fee), tokens for a sale, order by order,
because its vault knows nothing of netting.

A custodial account is netted: it holds YES or NO of a market, never both, so selling YES is buying NO. Its hold per market
is exact: the most it could lose over every subset of fills. Filling one more bid changes the worst case by `price` while
the account is not short, by `price - 1` while it holds NO (the set is redeemed); filling an ask the other way round. So the
worst subset is all bids or all asks, never a mixture:

    hold = max(0, bid costs - min(NO held, bid size), ask costs - min(YES held, ask size))
"""

from offchain_book.engine import fees
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import BookSide, Order
from offchain_book.engine.state import Account, Balance, Exposure, Market, token_asset
from offchain_book.engine.units import complement_e4, cost_micros, whole_lots


def _exposure_hold(account: Account, ticker: str, exposure: Exposure) -> int:
    yes = whole_lots(account.balance(token_asset(ticker, Outcome.YES)).total)
    no = whole_lots(account.balance(token_asset(ticker, Outcome.NO)).total)
    bids = exposure.bid_cost - min(no, exposure.bid_size)
    asks = exposure.ask_cost - min(yes, exposure.ask_size)
    return max(0, bids, asks)


def _order_hold(order: Order, rate_e4: int, round_up: bool) -> int:
    if order.budget_micros:
        return order.budget_micros + fees.budget_reserve_micros(order, rate_e4) if rate_e4 else order.budget_micros
    cost = order.open_cost_micros
    if not rate_e4:
        return cost
    return cost + fees.reserve_micros(order, rate_e4, order.price_e4, order.remaining_micros, round_up)


def _add_to_exposure(exposure: Exposure, side: BookSide, cost: int, size: int) -> None:
    if side is BookSide.BID:
        exposure.bid_cost += cost
        exposure.bid_size += size
    else:
        exposure.ask_cost += cost
        exposure.ask_size += size


def refresh(account: Account, market: Market) -> None:
    """Recompute a custodial account's hold in a market after its position or orders changed."""
    exposure = account.exposures.get(market.ticker)
    if exposure is None:
        return
    hold = _exposure_hold(account, market.ticker, exposure)
    account.cash.held += hold - exposure.hold
    exposure.hold = hold


def hold_custodial(account: Account, market: Market, order: Order, rate_e4: int) -> int:
    """Hold what a new custodial order needs. Returns 0, or the missing amount's need when cash is too short."""
    exposure = account.exposures.get(market.ticker)
    if exposure is None:
        exposure = account.exposures[market.ticker] = Exposure()
    order.hold_micros = _order_hold(order, rate_e4, round_up=False)
    _add_to_exposure(exposure, order.side, order.hold_micros, order.remaining_micros)
    need = _exposure_hold(account, market.ticker, exposure) - exposure.hold
    if need > account.cash.available:
        _add_to_exposure(exposure, order.side, -order.hold_micros, -order.remaining_micros)
        if not (exposure.bid_size or exposure.ask_size):
            del account.exposures[market.ticker]
        return need
    account.cash.held += need
    exposure.hold += need
    return 0


def hold_wallet_cash(account: Account, order: Order, rate_e4: int) -> int:
    """Hold the cash of a wallet's buy. Returns 0, or the need when cash is too short."""
    need = _order_hold(order, rate_e4, round_up=True)
    if need > account.cash.available:
        return need
    order.hold_micros = need
    account.cash.held += need
    return 0


def hold_wallet_tokens(account: Account, order: Order) -> int:
    """Hold the tokens of a wallet's sale. Returns 0, or the need when there are too few."""
    assert order.outcome is not None
    balance = account.balance(token_asset(order.ticker, order.outcome))
    need = order.remaining_micros
    if need > balance.available:
        return need
    order.hold_micros = need
    balance.held += need
    return 0


def adjust(account: Account, market: Market, order: Order, size_before: int, rate_e4: int) -> None:
    """Bring an order's hold in line with its remaining size, after a fill, a cancel or the move into the book."""
    if not account.is_wallet:
        exposure = account.exposures[market.ticker]
        cost = _order_hold(order, rate_e4, round_up=False) if order.remaining_micros else 0
        _add_to_exposure(exposure, order.side, cost - order.hold_micros, order.remaining_micros - size_before)
        order.hold_micros = cost
        refresh(account, market)
        return
    if order.opens:
        hold = _order_hold(order, rate_e4, round_up=True) if order.remaining_micros else 0
        account.cash.held += hold - order.hold_micros
    else:
        hold = order.remaining_micros
        assert order.outcome is not None
        account.balance(token_asset(order.ticker, order.outcome)).held += hold - order.hold_micros
    order.hold_micros = hold


def closing_micros(account: Account, order: Order, size_micros: int) -> int:
    """Return how much of a fill sells tokens that the account has, instead of buying the order's own side."""
    if order.outcome is not None:
        return 0 if order.opens else size_micros
    opposite = Outcome.NO if order.side is BookSide.BID else Outcome.YES
    return min(size_micros, whole_lots(account.balance(token_asset(order.ticker, opposite)).total))


def hold_without(account: Account, market: Market, balance: Balance, amount_micros: int) -> int:
    """Return how much more cash the open orders would hold if `amount_micros` tokens of `balance` left the account."""
    exposure = account.exposures.get(market.ticker)
    if exposure is None:
        return 0
    balance.total -= amount_micros
    hold = _exposure_hold(account, market.ticker, exposure)
    balance.total += amount_micros
    return hold - exposure.hold


def guarantee_cost(side: BookSide, rate_e4: int, price_e4: int, size_micros: int) -> int:
    """Return the most that taking a wallet's place could cost: its side opened from nothing, with the highest fee."""
    own = price_e4 if side is BookSide.BID else complement_e4(price_e4)
    return cost_micros(size_micros, own) + fees.rounded_up(fees.numerator(rate_e4, size_micros, price_e4))
