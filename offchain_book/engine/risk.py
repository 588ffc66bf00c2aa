"""What an order may spend, before it reaches the book, and what open orders hold.

A wallet's order holds what it gives: cash for a buy (with the highest possible fee), tokens for a sale, order by order,
because its vault knows nothing of netting.

A custodial account is netted: it holds YES or NO of a market, never both, so selling YES is buying NO. Its hold per market
is exact: the most it could lose over every subset of fills. Filling one more bid changes the worst case by `price` while
the account is not short, by `price - 1` while it holds NO (the set is redeemed); filling an ask the other way round. So the
worst subset is all bids or all asks, never a mixture:

    hold = max(0, bid costs - min(NO held, bid size), ask costs - min(YES held, ask size))

With netting switched off nothing is redeemed: every bid buys YES, every ask buys NO, and the hold is the sum of all costs.

Where collateral return has advanced cash in an event (`collateral.py`), fills may leave the advance uncovered. What the account
could lose then is the larger of two worst cases: the holds of the event's markets, and the advance plus the most that positions
and orders lose together over every result (`scenarios.py`). The difference is held with the advance. Advances that fills would
bring do not lower a hold: nobody can be sure of them.
"""

from offchain_book.engine import fees, scenarios
from offchain_book.engine.account import Account, Advance, Balance, Exposure
from offchain_book.engine.fees import FREE, Fee
from offchain_book.engine.market import Market
from offchain_book.engine.names import token_asset, token_assets
from offchain_book.engine.operations import NO, YES, Outcome
from offchain_book.engine.order import BID, BookSide, Order
from offchain_book.engine.units import LOT_MICROS, PRICE_SCALE, complement_e4, cost_micros, whole_lots


def _tradable(account: Account, ticker: str, outcome: Outcome) -> int:
    balance = account.balances.get(token_asset(ticker, outcome))
    return whole_lots(balance.total) if balance is not None else 0


def exposure_of(account: Account, ticker: str) -> Exposure:
    """Return what an account's open orders in a market come to; when there were none, something empty that it has not yet."""
    found = account.exposures.get(ticker)
    if found is None:
        yes, no = token_assets(ticker)
        found = Exposure(account.balance(yes), account.balance(no))
    return found


def shift(account: Account, exposure: Exposure, side: BookSide, cost: int, size: int) -> None:
    """Count more, or less, of what orders of one side may cost, and bring the market's hold in line; advances apart."""
    if side is BID:
        exposure.bid_cost += cost
        exposure.bid_size += size
    else:
        exposure.ask_cost += cost
        exposure.ask_size += size
    bids, asks = exposure.bid_cost, exposure.ask_cost
    if account.netting:
        yes, no = exposure.yes.total, exposure.no.total
        if no:
            no -= no % LOT_MICROS
            bids -= no if no < exposure.bid_size else exposure.bid_size
        if yes:
            yes -= yes % LOT_MICROS
            asks -= yes if yes < exposure.ask_size else exposure.ask_size
        hold = bids if bids > asks else asks
        if hold < 0:
            hold = 0
    else:
        hold = bids + asks
    if hold != exposure.hold:
        account.cash.held += hold - exposure.hold
        exposure.hold = hold


def _hold_at(order: Order, price_e4: int, size_micros: int, fee: Fee, round_up: bool) -> int:
    """Return what `size_micros` more of an order may cost at a price, fees included."""
    own = price_e4 if order.level.side is BID else PRICE_SCALE - price_e4
    cost = size_micros * own // PRICE_SCALE
    if fee is not FREE:
        cost += fees.reserve_micros(order, fee, cost, fees.numerator(fee, size_micros, price_e4), round_up)
    if order.extra is None or not order.extra.budget_micros:
        return cost
    spent = max(0, order.extra.budget_micros)
    if fee is not FREE:
        spent += fees.reserve_micros(order, fee, spent, fees.budget_numerator(order, fee), round_up=True)
    return min(cost, spent)


def _add(order: Order, exposure: Exposure, cost: int, size: int) -> None:
    """Count more, or less, of what an order may cost, and bring the hold of its market in line."""
    account, level = order.account, order.level
    order.hold_micros += cost
    shift(account, exposure, level.side, cost, size)
    if account.advances:
        _refresh_advances(account, level.ticker)


def refresh(account: Account, market: Market) -> None:
    """Recompute a custodial account's hold in a market after its position or orders changed."""
    _refresh_market(account, market.ticker)


def _refresh_market(account: Account, ticker: str) -> None:
    exposure = account.exposures.get(ticker)
    if exposure is not None:
        shift(account, exposure, BID, 0, 0)
    if account.advances:
        _refresh_advances(account, ticker)


def _refresh_advances(account: Account, ticker: str) -> None:
    for advance in account.advances.values():
        if ticker in advance.markets:
            refresh_advance(account, advance)
            return


def refresh_advance(account: Account, advance: Advance) -> None:
    """Recompute what is held because fills could leave an advance uncovered, or have."""
    worst = scenarios.worst_loss_micros(account, advance.kind, advance.markets.values())
    held = sum(account.exposures[ticker].hold for ticker in advance.markets if ticker in account.exposures)
    hold = max(0, advance.micros + worst - held) if advance.micros else 0
    account.cash.held += hold - advance.hold
    advance.hold = hold


def hold_custodial(order: Order, fee: Fee) -> int:
    """Hold what a new custodial order needs. Returns 0, or the missing amount's need when cash is too short."""
    account, level = order.account, order.level
    exposure = account.exposures[level.ticker] = exposure_of(account, level.ticker)
    hold = _hold_at(order, level.price_e4, order.remaining_micros, fee, round_up=False)
    need = _take(order, exposure, hold, order.remaining_micros)
    if need and not (exposure.bid_size or exposure.ask_size):
        del account.exposures[level.ticker]
    return need


def hold_again(order: Order, price_e4: int, size_micros: int, fee: Fee) -> int:
    """Hold what a resting custodial order needs at another price or size. Returns 0, or the need when cash is too short."""
    hold = _hold_at(order, price_e4, size_micros, fee, round_up=False)
    exposure = order.account.exposures[order.ticker]
    return _take(order, exposure, hold - order.hold_micros, size_micros - order.remaining_micros)


def _take(order: Order, exposure: Exposure, more_cost: int, more_size: int) -> int:
    cash = order.account.cash
    available = cash.total - cash.held
    _add(order, exposure, more_cost, more_size)
    need = available - cash.total + cash.held
    if need > available:
        _add(order, exposure, -more_cost, -more_size)
        return need
    return 0


def wallet_cash_need(order: Order, fee: Fee) -> int:
    """Return what a wallet's buy may cost at most."""
    return _hold_at(order, order.price_e4, order.remaining_micros, fee, round_up=True)


def hold_wallet_cash(order: Order, fee: Fee) -> int:
    """Hold the cash of a wallet's buy. Returns 0, or the need when cash is too short."""
    cash = order.account.cash
    need = wallet_cash_need(order, fee)
    if need > cash.available:
        return need
    order.hold_micros = need
    cash.held += need
    return 0


def hold_wallet_tokens(order: Order) -> int:
    """Hold the tokens of a wallet's sale. Returns 0, or the need when there are too few."""
    assert order.outcome is not None
    balance = order.account.balance(token_asset(order.ticker, order.outcome))
    need = order.remaining_micros
    if need > balance.available:
        return need
    order.hold_micros = need
    balance.held += need
    return 0


def adjust(order: Order, size_before: int, fee: Fee) -> None:
    """Bring an order's hold in line with its remaining size, after a fill, a cancel or the move into the book."""
    account, level, size = order.account, order.level, order.remaining_micros
    if account.is_wallet:
        _adjust_wallet(order, fee)
        return
    hold = _hold_at(order, level.price_e4, size, fee, round_up=False) if size else 0
    _add(order, account.exposures[level.ticker], hold - order.hold_micros, size - size_before)


def _adjust_wallet(order: Order, fee: Fee) -> None:
    size, balance = order.remaining_micros, order.account.cash
    if order.opens:
        hold = _hold_at(order, order.price_e4, size, fee, round_up=True) if size else 0
    else:
        assert order.outcome is not None
        hold, balance = size, order.account.balance(token_asset(order.ticker, order.outcome))
    balance.held += hold - order.hold_micros
    order.hold_micros = hold


def closing_micros(order: Order, size_micros: int) -> int:
    """Return how much of a fill sells tokens that the account has, instead of buying the order's own side."""
    account = order.account
    if account.is_wallet:
        return 0 if order.opens else size_micros
    if not account.netting:
        return 0
    yes, no = token_assets(order.level.ticker)
    balance = account.balances.get(no if order.level.side is BID else yes)
    if balance is None or not balance.total:
        return 0
    return min(size_micros, whole_lots(balance.total))


def reducible_micros(account: Account, market: Market, side: BookSide) -> int:
    """Return how much a custodial order on a side could close before it would open anything."""
    if not account.netting:
        return 0
    return _tradable(account, market.ticker, NO if side is BID else YES)


def hold_if_netting(account: Account, enabled: bool) -> int:
    """Return how much more the account's open orders would hold, and repay, with netting switched so; nothing changes."""
    kept, held = account.netting, account.cash.held
    account.netting = enabled
    for exposure in account.exposures.values():
        shift(account, exposure, BID, 0, 0)
    more = account.cash.held - held
    account.netting = kept
    for exposure in account.exposures.values():
        shift(account, exposure, BID, 0, 0)
    return more if enabled else more + sum(advance.micros - advance.hold for advance in account.advances.values())


def hold_without(account: Account, market: Market, balance: Balance, amount_micros: int) -> int:
    """Return how much more cash would be held, or repaid, if `amount_micros` tokens of `balance` left the account."""
    held, due = account.cash.held, 0
    advance = account.advances.get(market.event_ticker)
    balance.total -= amount_micros
    if advance is not None:
        due = max(0, advance.micros - scenarios.guaranteed_micros(account, advance.kind, advance.markets.values()))
        advance.micros -= due
    _refresh_market(account, market.ticker)
    need = account.cash.held - held + due
    balance.total += amount_micros
    if advance is not None:
        advance.micros += due
    _refresh_market(account, market.ticker)
    return need


def available_netted(account: Account, market: Market, sets_micros: int) -> int:
    """Return the available cash if sets of both outcomes were redeemed; nothing changes."""
    parts = ((account.cash, -1), *((account.balance(asset), 1) for asset in token_assets(market.ticker)))
    for balance, sign in parts:
        balance.total -= sign * sets_micros
    _refresh_market(account, market.ticker)
    available = account.cash.available
    for balance, sign in parts:
        balance.total += sign * sets_micros
    _refresh_market(account, market.ticker)
    return available


def guarantee_cost(side: BookSide, fee: Fee, price_e4: int, size_micros: int) -> int:
    """Return the most that taking a wallet's place could cost: its side opened from nothing, with the highest fee."""
    own = price_e4 if side is BID else complement_e4(price_e4)
    return cost_micros(size_micros, own) + fees.rounded_up(fees.numerator(fee, size_micros, price_e4))
