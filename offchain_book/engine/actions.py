"""Money and tokens in and out: deposits, withdrawals and tokenizations of custodial accounts, wallets' vault actions."""

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import collateral, custody, memory, outflow, policy, resolution, risk
from offchain_book.engine import commands as c
from offchain_book.engine.account import Account, Balance
from offchain_book.engine.chain_events import DepositCredited, DepositUnassigned
from offchain_book.engine.events import AccountOpened, ActionAccepted, Event, WithdrawalRequested
from offchain_book.engine.ledger import post
from offchain_book.engine.listing import reject
from offchain_book.engine.market import Market, MarketStatus
from offchain_book.engine.names import OUTSIDE, SUSPENSE, collateral_account, token_asset
from offchain_book.engine.operations import Outcome, PoolAction, VaultAction, VaultActionKind, WalletOperation
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.state import State
from offchain_book.engine.units import CASH, LOT_MICROS, whole_lots

_TAKES_BACK = (VaultActionKind.TAKE_BACK, VaultActionKind.TAKE_BACK_FREE)
TAKES_BACK = 2
"""The first version of the contract that takes back by signature."""


def credit_deposit(state: State, command: cc.CreditDeposit) -> list[Event]:
    """Credit a final deposit, in the contract's own order; one that names nobody waits in the suspense account."""
    if command.deposit_index != state.next_deposit:
        code = RejectCode.DEPOSIT_OUT_OF_ORDER
        if command.deposit_index < state.next_deposit:
            code = RejectCode.DEPOSIT_ALREADY_CREDITED
        return reject(code, deposit_index=command.deposit_index, expected=state.next_deposit)
    state.next_deposit += 1
    events: list[Event] = []
    account = _receiver(state, command.account_id, events)
    asset = token_asset(command.ticker, command.outcome) if command.outcome else CASH
    if account.account_id == SUSPENSE and command.account_id != SUSPENSE:
        events.append(DepositUnassigned(command.deposit_index, command.account_id, asset, command.amount_micros))
    amount = command.amount_micros
    post(
        state,
        f"deposit:{command.deposit_index}",
        [(OUTSIDE, asset, -amount), (account.account_id, asset, amount)],
        events,
    )
    if not account.is_wallet:
        _count_in_pool(state, account, command.ticker, command.outcome, amount, events)
    events.append(DepositCredited(command.deposit_index, account.account_id, asset, amount))
    return events


def _receiver(state: State, account_id: str, events: list[Event]) -> Account:
    if account_id in state.accounts:
        return state.accounts[account_id]
    if account_id.startswith("0x") and len(account_id) == 42:
        return wallet_account(state, account_id, events)
    return state.accounts[SUSPENSE]


def wallet_account(state: State, wallet: str, events: list[Event]) -> Account:
    """Return a wallet's account, opening it when the chain speaks of the wallet first."""
    account = state.accounts.get(wallet)
    if account is None:
        account = state.accounts[wallet] = Account(wallet, c.Custody.WALLET, "")
        events.append(AccountOpened(wallet))
    return account


def _count_in_pool(
    state: State, account: Account, ticker: str, outcome: Outcome | None, amount: int, events: list[Event]
) -> None:
    """The pool received what a custodial account was credited: u stays, unless the account nets."""
    if outcome is None:
        state.pool_cash_micros += amount
        return
    market = state.markets.get(ticker)
    if market is None:
        return
    custody.move_custodial(market, outcome, amount)
    net_position(state, account, market, events)
    if market.status is MarketStatus.FINALIZED:
        resolution.pay_market(state, market, events)


def net_position(state: State, account: Account, market: Market, events: list[Event]) -> None:
    """A netted account never holds both outcomes: redeem its sets in the ledger, off the chain.

    Dust stays where redeeming it would break up a lot that open orders count on.
    """
    yes, no = (token_asset(market.ticker, outcome) for outcome in Outcome)
    pairs = min(account.balance(yes).total, account.balance(no).total)
    if pairs % LOT_MICROS and risk.available_netted(account, market, pairs) < 0:
        pairs = whole_lots(pairs)
    if pairs and account.netting and account.account_id != SUSPENSE:
        vault, name = collateral_account(market.ticker), account.account_id
        lines = [(name, yes, -pairs), (name, no, -pairs), (name, CASH, pairs)]
        lines += [(vault, yes, pairs), (vault, no, pairs), (vault, CASH, -pairs)]
        post(state, f"net:{name}:{market.ticker}:{state.seq}", lines, events)
        market.custodial_yes_micros -= pairs
        market.custodial_no_micros -= pairs
        market.unsplit_micros -= pairs
        market.yes_supply_micros -= pairs
    risk.refresh(account, market)
    collateral.rebalance(state, account, market, events)


def withdraw(state: State, command: c.Withdraw) -> list[Event]:
    """Send a custodial account's cash or tokens out of the pool, through the numbered stream."""
    account = state.accounts.get(command.account_id)
    if account is None:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=command.account_id)
    if account.is_wallet:
        return reject(RejectCode.CUSTODY_MISMATCH, account_id=account.account_id, custody=account.custody)
    if memory.is_used(state, command.reference):
        return reject(RejectCode.DUPLICATE_REQUEST, reference=command.reference)
    if command.amount_micros <= 0:
        return reject(RejectCode.AMOUNT_NOT_POSITIVE, amount_micros=command.amount_micros)
    return send_withdrawal(state, command, approved=not policy.needs_approval(state, command.amount_micros))


def send_withdrawal(state: State, command: c.Withdraw, approved: bool = True) -> list[Event]:
    """Check everything that may change while a withdrawal waits, and send it, or let it wait for its approvers."""
    account = state.accounts[command.account_id]
    market = None
    if command.outcome is not None:
        market = state.markets.get(command.ticker)
        if market is None:
            return reject(RejectCode.UNKNOWN_MARKET, ticker=command.ticker)
        if market.yes_payout_micros >= 0:
            return reject(RejectCode.ALREADY_RESOLVED, ticker=market.ticker)
    refused = policy.refuse(state, account, command.to, command.amount_micros) or _check_leaving(account, market, command)
    refused = refused or outflow.refuse(state, command.amount_micros)
    if refused:
        return refused
    if not approved:
        return policy.hold(state, command)
    policy.count(state, account, command.amount_micros)
    memory.use(state, command.reference)
    events: list[Event] = []
    number = send_from_pool(
        state, account, market, command.outcome, command.amount_micros, command.to, command.reference, events
    )
    asset = token_asset(command.ticker, command.outcome) if command.outcome else CASH
    events.append(
        WithdrawalRequested(command.reference, account.account_id, asset, command.amount_micros, command.to, number)
    )
    return events


def _check_leaving(account: Account, market: Market | None, command: c.Withdraw) -> list[Event] | None:
    amount = command.amount_micros
    if market is None or command.outcome is None:
        return check_balance(account.cash, amount, RejectCode.INSUFFICIENT_CASH)
    balance = account.balance(token_asset(market.ticker, command.outcome))
    refused = check_balance(balance, amount, RejectCode.INSUFFICIENT_TOKENS, outcome=command.outcome.name)
    if refused:
        return refused
    need = risk.hold_without(account, market, balance, amount)
    if need > account.cash.available:
        cash = account.cash
        return reject(RejectCode.INSUFFICIENT_CASH, have_micros=cash.available, need_micros=need, held_micros=cash.held)
    return None


def check_balance(balance: Balance, amount: int, code: RejectCode, **more: str) -> list[Event] | None:
    """Refuse to let more leave a balance than is available and final."""
    if balance.available < amount:
        return reject(code, have_micros=balance.available, need_micros=amount, held_micros=balance.held, **more)
    if balance.withdrawable < amount:
        return reject(
            RejectCode.NOTHING_AVAILABLE_YET,
            have_micros=balance.withdrawable,
            need_micros=amount,
            pending_micros=balance.pending_in,
        )
    return None


def send_from_pool(
    state: State,
    account: Account,
    market: Market | None,
    outcome: Outcome | None,
    amount: int,
    to: str,
    reference: str,
    events: list[Event],
) -> int:
    """Take cash or tokens from a custodial account and queue the pool's sending of them; the pool splits if it must.

    What collateral return has advanced on tokens is repaid before they leave.
    """
    if market is None or outcome is None:
        custody.free_pool_cash(state, amount, events)
        state.pool_cash_micros -= amount
        asset, action = CASH, PoolAction.SEND_CASH
    else:
        held = market.pool_yes_micros if outcome is Outcome.YES else market.pool_no_micros
        if held < amount:
            custody.pool_split(state, market, amount - held, events)
        custody.move_custodial(market, outcome, -amount)
        collateral.release(state, account, market, outcome, amount, events)
        asset, action = token_asset(market.ticker, outcome), PoolAction.SEND_TOKENS
    lines = [(account.account_id, asset, -amount), (OUTSIDE, asset, amount)]
    moved = post(state, f"withdrawal:{reference}", lines, events)
    if market is not None:
        risk.refresh(account, market)
    return custody.queue_pool(
        state,
        market,
        action,
        amount,
        events,
        outcome=outcome,
        to=to,
        reference=reference,
        lines=moved,
    )


def deliver(
    state: State, account: Account, market: Market, outcome: Outcome, bought: int, match_id: int, events: list[Event]
) -> None:
    """Send what a linked custodial account has just bought to its wallet, right behind the fill in the stream."""
    balance = account.balance(token_asset(market.ticker, outcome))
    amount = min(bought, balance.available)
    allowed = amount > 0 and policy.refuse(state, account, account.deliver_to, amount) is None
    allowed = allowed and outflow.refuse(state, amount) is None
    if allowed and risk.hold_without(account, market, balance, amount) <= account.cash.available:
        policy.count(state, account, amount)
        reference = f"deliver:{match_id}:{account.account_id}"
        number = send_from_pool(state, account, market, outcome, amount, account.deliver_to, reference, events)
        asset = token_asset(market.ticker, outcome)
        events.append(WithdrawalRequested(reference, account.account_id, asset, amount, account.deliver_to, number))


# --- wallets -----------------------------------------------------------------------------------------------------------


def submit_action(state: State, command: c.SubmitAction) -> list[Event]:
    """Hold what a wallet's signed action needs and queue it for the chain."""
    refused = refusal_of_action(state, command)
    if refused:
        return refused
    action = command.action
    account = state.accounts[action.wallet]
    market, needs, _ = _action_needs(state, account, action)
    for asset, amount in needs:
        account.balance(asset).held += amount
    if action.kind is VaultActionKind.SET_DELIVERY:
        account.deliver_free = action.amount_micros == 1
    state.references |= {command.action_id, f"{action.wallet}:{action.nonce}"}
    memory.let_pass(state, command.action_id, action.deadline_s * 1_000)
    number = state.next_operation
    operation = WalletOperation(
        number,
        command.action_id,
        action,
        market.ticker if market else "",
        tuple(needs),
        custody.next_not_after_s(state),
        account.owner if action.kind in _TAKES_BACK else "",
    )
    queued = custody.queue(state, market, operation, (), 0)
    return [queued, ActionAccepted(command.action_id, action.wallet, number)]


def refusal_of_action(state: State, command: c.SubmitAction) -> list[Event] | None:
    """Return how a wallet's action would be refused now, None when it would be taken. Changes nothing."""
    action = command.action
    account = state.accounts.get(action.wallet)
    if account is None or not account.is_wallet:
        return reject(RejectCode.UNKNOWN_ACCOUNT, account_id=action.wallet)
    if command.action_id in state.references:
        return reject(RejectCode.DUPLICATE_REQUEST, reference=command.action_id)
    if f"{action.wallet}:{action.nonce}" in state.references:
        return reject(RejectCode.ACTION_NONCE_USED, nonce=action.nonce)
    if account.exit_at_s:
        return reject(RejectCode.WALLET_EXITING, exit_at_s=account.exit_at_s)
    if action.deadline_s < custody.next_not_after_s(state):
        return reject(RejectCode.DEADLINE_PASSED, deadline_s=action.deadline_s, earliest_s=custody.next_not_after_s(state))
    return _action_needs(state, account, action)[2]


def _action_needs(
    state: State, account: Account, action: VaultAction
) -> tuple[Market | None, list[tuple[str, int]], list[Event] | None]:
    """Return the market, what has to be held, and a refusal if there is one."""
    amount = action.amount_micros
    if action.kind is VaultActionKind.SET_DELIVERY:
        return None, [], None
    if amount <= 0:
        return None, [], reject(RejectCode.AMOUNT_NOT_POSITIVE, amount_micros=amount)
    if action.kind in _TAKES_BACK:
        refused = _refuse_take_back(state, account, action.kind)
        if refused:
            return None, [], refused
    if action.kind in (VaultActionKind.WITHDRAW, VaultActionKind.TAKE_BACK) and action.id == "0":
        return None, [(CASH, amount)], check_balance(account.cash, amount, RejectCode.INSUFFICIENT_CASH)
    if action.kind in (VaultActionKind.WITHDRAW, VaultActionKind.REDEEM, *_TAKES_BACK):
        return _token_needs(state, account, action)
    ticker = state.conditions.get(hex_condition(action.id))
    if ticker is None:
        return None, [], reject(RejectCode.UNKNOWN_MARKET, ticker=action.id)
    market = state.markets[ticker]
    if action.kind is VaultActionKind.SPLIT:
        return market, [(CASH, amount)], check_balance(account.cash, amount, RejectCode.INSUFFICIENT_CASH)
    needs = [(asset, amount) for asset in _both(ticker)]
    for (asset, _), outcome in zip(needs, Outcome, strict=True):
        refused = check_balance(account.balance(asset), amount, RejectCode.INSUFFICIENT_TOKENS, outcome=outcome.name)
        if refused:
            return market, [], refused
    return market, needs, None


def _refuse_take_back(state: State, account: Account, kind: VaultActionKind) -> list[Event] | None:
    """Say why a wallet cannot send anything into the pool by signature."""
    if state.contract_version < TAKES_BACK:
        return reject(RejectCode.CONTRACT_TOO_OLD, action=kind.name)
    if account.owner == account.account_id:
        return reject(RejectCode.NOT_LINKED, wallet=account.account_id)
    return None


def _token_needs(
    state: State, account: Account, action: VaultAction
) -> tuple[Market | None, list[tuple[str, int]], list[Event] | None]:
    """What a withdrawal, taking back or redemption of one outcome's tokens needs."""
    found = state.tokens.get(action.id)
    if found is None:
        return None, [], reject(RejectCode.UNKNOWN_MARKET, ticker=action.id)
    market = state.markets[found[0]]
    if action.kind is VaultActionKind.REDEEM and not market.resolved_on_chain:
        return market, [], reject(RejectCode.MARKET_INACTIVE, ticker=market.ticker, status=market.status)
    if action.kind in _TAKES_BACK and market.yes_payout_micros >= 0:
        return market, [], reject(RejectCode.ALREADY_RESOLVED, ticker=market.ticker)
    if action.kind is VaultActionKind.TAKE_BACK_FREE:
        return market, [], None
    asset = token_asset(*found)
    refused = check_balance(
        account.balance(asset), action.amount_micros, RejectCode.INSUFFICIENT_TOKENS, outcome=found[1].name
    )
    return market, [(asset, action.amount_micros)], refused


def _both(ticker: str) -> list[str]:
    return [token_asset(ticker, outcome) for outcome in Outcome]


def hex_condition(number: str) -> str:
    """Return a condition id in hex for the decimal form that vault actions carry."""
    return f"0x{int(number):064x}"


def release_action(state: State, operation: WalletOperation) -> None:
    """Give back what an action holds."""
    account = state.accounts[operation.action.wallet]
    for asset, amount in operation.needs:
        account.balance(asset).held -= amount


def brought(state: State, operation: WalletOperation) -> tuple[str, int]:
    """Return what an action that takes back brings into the pool: (asset, millionths)."""
    action = operation.action
    return token_asset(*state.tokens[action.id]) if operation.ticker else CASH, action.amount_micros


def action_lines(state: State, operation: WalletOperation) -> list[tuple[str, str, int]]:
    """Return what an executed action moves in the ledger."""
    action, wallet = operation.action, operation.action.wallet
    if operation.to_account:
        asset, amount = brought(state, operation)
        giver = wallet if operation.needs else OUTSIDE
        return [(giver, asset, -amount), (operation.to_account, asset, amount)]
    if action.kind is VaultActionKind.WITHDRAW:
        ((asset, amount),) = operation.needs
        return [(wallet, asset, -amount), (OUTSIDE, asset, amount)]
    if not operation.ticker:
        return []
    market = state.markets[operation.ticker]
    vault = collateral_account(market.ticker)
    if action.kind is VaultActionKind.REDEEM:
        _, outcome = state.tokens[action.id]
        return resolution.redemption_lines(market, wallet, outcome, action.amount_micros)
    sign = 1 if action.kind is VaultActionKind.SPLIT else -1
    sets = sign * action.amount_micros
    lines = [(wallet, CASH, -sets), (vault, CASH, sets)]
    for asset in _both(market.ticker):
        lines += [(wallet, asset, sets), (vault, asset, -sets)]
    return lines


def land_action(state: State, operation: WalletOperation, events: list[Event]) -> None:
    """An action is final on chain: its hold becomes a posting."""
    release_action(state, operation)
    lines = action_lines(state, operation)
    post(state, f"action:{operation.action_id}", lines, events)
    if operation.to_account:
        outcome = state.tokens[operation.action.id][1] if operation.ticker else None
        account, amount = state.accounts[operation.to_account], operation.action.amount_micros
        _count_in_pool(state, account, operation.ticker, outcome, amount, events)
    if operation.ticker and operation.action.kind in (VaultActionKind.SPLIT, VaultActionKind.MERGE):
        sign = 1 if operation.action.kind is VaultActionKind.SPLIT else -1
        state.markets[operation.ticker].yes_supply_micros += sign * operation.action.amount_micros
