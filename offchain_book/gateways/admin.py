"""The operator's routes under /venue/admin: markets, accounts, test money, settlement on demand, venue time.

Every route stands behind the operator's bearer token. What needs the chain goes through `Hooks`, because the chain's side
may not be imported here. docs/interfaces.md describes every route.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Protocol

import msgspec
from fastapi import APIRouter, Depends, Request

from offchain_book.config import MAX_BODY_BYTES, Settings
from offchain_book.engine import commands as c
from offchain_book.engine import strikes
from offchain_book.engine.account import Account
from offchain_book.engine.limits import owner_accounts
from offchain_book.engine.market import EventInfo, Market
from offchain_book.engine.operations import Outcome
from offchain_book.engine.policy_commands import RestoreAccount, SuspendAccount
from offchain_book.engine.units import ONE_DOLLAR_MICROS
from offchain_book.gateways import market_file, operator
from offchain_book.gateways.admin_markets import LifeRoutes, add_routes, reviewer_router
from offchain_book.gateways.contract_wallets import ContractWallets
from offchain_book.gateways.credentials import UnsupportedKey, parse_public_key
from offchain_book.gateways.market_file import MarketFile, MarketFileError, RewardPart
from offchain_book.gateways.native import Amount, account_view, address_of, asked, micros, problem, read_body, refusal
from offchain_book.gateways.trace import operation_view
from offchain_book.sequencer import Receipt, Sequencer

Json = dict[str, Any]
MAX_TEST_MICROS = 1_000_000 * ONE_DOLLAR_MICROS
"""Most test money per request: what the collateral's faucet gives at once."""
MAX_MOVE_S = 10 * 365 * 86_400
"""Furthest that venue time moves at once."""
Name = Annotated[str, msgspec.Meta(pattern=r"^(?!0x)[a-z0-9][a-z0-9_.-]{0,31}$")]
Pem = Annotated[str, msgspec.Meta(max_length=10_000)]


@dataclass(frozen=True, slots=True)
class Condition:
    """A market's condition on chain."""

    question_id: str
    condition_id: str


@dataclass(frozen=True, slots=True)
class Paid:
    """A mined deposit. It is credited when its block is final."""

    deposit_index: int
    tx_hash: str
    block_number: int


class Hooks(ContractWallets, Protocol):
    """What these routes ask of the chain's side. Every method may raise HookRefused."""

    async def prepare_conditions(self, questions: Sequence[tuple[str, str]]) -> list[Condition]:
        """Open the conditions of (ticker, rules) on chain where they are not open; return when that is final."""

    async def deposit(self, account: Account, amount_micros: int) -> Paid:
        """Pay test dollars in for an account."""

    async def credited(self, paid: Paid) -> None:
        """Return when a deposit is in the ledger."""

    async def faucet(self, wallet: str, amount_micros: int) -> str:
        """Give a wallet test dollars, and gas money if it has none. Returns the transaction's hash."""

    async def deposit_by_permit(self, wallet: str, amount_micros: int, deadline_s: int, v: int, r: bytes, s: bytes) -> Paid:
        """Send a wallet's permit to the contract, which puts the money into the wallet's own vault."""

    async def flush(self) -> int:
        """Settle what is open now; return how many operations that were when all are final."""

    async def publish_liabilities(self) -> str:
        """Compare every reserve now and put what is owed on chain; return the transaction's hash."""

    async def move_time(self, seconds: int) -> None:
        """Settle what is open, then move book and chain."""


class ResolveBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/admin/markets/{ticker}/resolve`."""

    outcome: str


class EventResultBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/admin/events/{event_ticker}/resolve`: the value that the strikes are about, as a decimal string."""

    value: Annotated[str, msgspec.Meta(pattern=r"^-?\d{1,12}(\.\d{1,6})?$")]


class AccountBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/admin/accounts`: a custodial account and its first API key."""

    name: Name
    public_key_pem: Pem


class DepositBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/admin/deposits`."""

    account: str
    amount: Amount
    wait: bool = False


class SuspensionBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/admin/suspend` and `/venue/admin/restore`: whose trading, and why, for the journal and for the account."""

    account: str
    reason: str


class LimitsBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/admin/limits`: what is left out stays, null lifts. `ticker` empty is every market."""

    account: str
    ticker: str = ""
    position_limit: Amount | msgspec.UnsetType | None = msgspec.UNSET
    exposure_cap: Amount | msgspec.UnsetType | None = msgspec.UNSET
    whole_owner: bool = True


class FaucetBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/admin/faucet`."""

    wallet: str
    amount: Amount


class TimeBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/admin/time`."""

    seconds: Annotated[int, msgspec.Meta(ge=1, le=MAX_MOVE_S)]


def payout_of(outcome: str) -> int:
    """Return what YES pays, in millionths: yes, no, or a decimal between 0 and 1."""
    if outcome in ("yes", "no"):
        return ONE_DOLLAR_MICROS if outcome == "yes" else 0
    whole, _, fraction = outcome.partition(".")
    digits = whole + fraction
    if not (whole and len(fraction) <= 6 and digits.isascii() and digits.isdigit()):
        raise problem(400, "BAD_OUTCOME", f"outcome is yes, no, or what YES pays like 0.1234, not {outcome[:40]}")
    payout = micros(outcome) if len(whole) < 12 else ONE_DOLLAR_MICROS + 1
    if payout > ONE_DOLLAR_MICROS:
        raise problem(400, "BAD_OUTCOME", f"YES pays at most 1 dollar, not {outcome[:40]}")
    return payout


class AdminRoutes:
    """The routes of one venue."""

    def __init__(self, sequencer: Sequencer, hooks: Hooks) -> None:
        self._sequencer = sequencer
        self._state = sequencer.state
        self._hooks = hooks

    async def submit(self, request: Request, command: c.Command) -> Receipt:
        """Send a command, or raise its refusal."""
        request_id = request.scope.get("state", {}).get("request_id", "")
        receipt = await self._sequencer.submit(command, request_id)
        if receipt.rejected:
            raise refusal(receipt.rejected)
        return receipt

    # --- markets -----------------------------------------------------------------------------------------------------

    async def create_markets(self, request: Request) -> Json:
        """Create an event's markets from a market file: conditions on chain first, then series, event and markets."""
        raw = await request.body()
        if len(raw) > MAX_BODY_BYTES:
            raise problem(413, "BODY_TOO_LARGE", f"the body is larger than {MAX_BODY_BYTES} bytes")
        try:
            file = market_file.parse_json(raw)
        except MarketFileError as error:
            raise problem(400, "BAD_MARKET_FILE", str(error)) from None
        self._check_new(file)
        conditions = await asked(self._hooks.prepare_conditions([(one.ticker, one.rules) for one in file.markets]))
        if file.series.ticker not in self._state.series:
            await self.submit(request, market_file.series_command(file.series))
        if file.event.ticker not in self._state.events:
            await self.submit(request, market_file.event_command(file))
            own_fees = market_file.event_fees_command(file)
            if own_fees is not None:
                await self.submit(request, own_fees)
        for part, found in zip(file.markets, conditions, strict=True):
            command = market_file.market_command(
                part, file.event.ticker, found.question_id, found.condition_id, self._sequencer.clock_ms()
            )
            await self.submit(request, command)
            if part.rewards is not None:
                await self.submit(request, market_file.reward_command(part.ticker, part.rewards, self._sequencer.clock_ms()))
        markets = [market_view(self._state.markets[part.ticker]) for part in file.markets]
        return {"series": file.series.ticker, "event": file.event.ticker, "markets": markets}

    def _check_new(self, file: MarketFile) -> None:
        """Refuse what the engine would refuse, before the chain is asked for anything."""
        series, event = self._state.series.get(file.series.ticker), self._state.events.get(file.event.ticker)
        if series is not None:
            wanted, found = market_file.series_command(file.series), (series.taker_rate_e4, series.maker_rate_e4)
            same = (wanted.fee_type, wanted.whole_cents) == (series.fee_type, series.whole_cents)
            if (wanted.taker_rate_e4, wanted.maker_rate_e4) not in ((found, (0, 0)) if same else ((0, 0),)):
                raise problem(409, "SERIES_DIFFERS", f"series {file.series.ticker} exists with other fees: leave them out")
        elif file.series.title is None:
            raise problem(400, "BAD_MARKET_FILE", f"series {file.series.ticker} is new and needs a title - at `$.series`")
        if event is not None and file.event.fees is not None:
            raise problem(409, "EVENT_DIFFERS", f"event {file.event.ticker} exists: POST /venue/v1/fees changes its fees")
        if event is not None and event.series_ticker != file.series.ticker:
            raise problem(409, "EVENT_DIFFERS", f"event {file.event.ticker} belongs to series {event.series_ticker}")
        if event is not None and event.collateral_return is not file.event.collateral_return:
            kind = event.collateral_return.value or "neither mutually exclusive nor of ordered strikes"
            raise problem(409, "EVENT_DIFFERS", f"event {file.event.ticker} is {kind}: say the same in the file")
        if event is not None:
            self._check_beside(file, event)
        now_ms = self._sequencer.clock_ms()
        for market in file.markets:
            if market.ticker in self._state.markets:
                raise problem(409, "MARKET_EXISTS", f"market {market.ticker} exists already", {"ticker": market.ticker})
            if market_file.milliseconds(market.close) <= now_ms:
                raise problem(400, "BAD_MARKET_FILE", f"market {market.ticker} closes before venue time")

    def _check_beside(self, file: MarketFile, event: EventInfo) -> None:
        """Refuse strikes that do not go with those of the event's markets."""
        siblings = [self._state.markets[ticker] for ticker in event.tickers]
        for part in file.markets:
            command = market_file.market_command(part, event.event_ticker, "", "0x0", 0)
            flaw = strikes.flaw(command, event.collateral_return, siblings)
            if flaw is not None and part.ticker not in self._state.markets:
                raise problem(400, "BAD_MARKET_FILE", f"{part.ticker}: {flaw[0].removesuffix('_e6')} cannot be {flaw[1]}")

    async def close(self, ticker: str, request: Request) -> Json:
        """Stop trading in a market for good; its resting orders are cancelled."""
        await self.submit(request, c.CloseMarket(ticker))
        return market_view(self._state.markets[ticker])

    async def resolve(self, ticker: str, request: Request) -> Json:
        """Decide a market. The chain follows when the market's last fill is final; then custodial positions are paid."""
        body = await read_body(request, ResolveBody)
        await self.submit(request, c.ResolveMarket(ticker, payout_of(body.outcome), "operator"))
        return market_view(self._state.markets[ticker])

    async def rewards(self, ticker: str, request: Request) -> Json:
        """Set what a market pays for resting liquidity, or end it with nothing a day."""
        part = await read_body(request, RewardPart)
        command = market_file.reward_command(ticker, part, self._sequencer.clock_ms())
        await self.submit(request, command)
        return {
            "ticker": ticker,
            "daily_micros": command.daily_micros,
            "min_size_micros": command.min_size_micros,
            "max_spread_e4": command.max_spread_e4,
            "start_ms": command.start_ms,
            "end_ms": command.end_ms,
        }

    async def resolve_event(self, event_ticker: str, request: Request) -> Json:
        """Decide every open market of an event by one value, all or none."""
        body = await read_body(request, EventResultBody)
        value_e6 = int(Decimal(body.value).scaleb(6))
        await self.submit(request, c.ResolveEvent(event_ticker, value_e6, f"operator: {body.value}"))
        tickers = self._state.events[event_ticker].tickers
        return {
            "event": event_ticker,
            "value": body.value,
            "markets": [market_view(self._state.markets[t]) for t in tickers],
        }

    async def market(self, ticker: str) -> Json:
        """Show a market: its terms, its state, and what the custody pool holds of it."""
        market = self._state.markets.get(ticker)
        if market is None:
            raise problem(404, "UNKNOWN_MARKET", f"there is no market {ticker}", {"ticker": ticker})
        return market_view(market)

    # --- accounts and money --------------------------------------------------------------------------------------------

    async def create_account(self, request: Request) -> Json:
        """Open a custodial account with an API key; RSA and Ed25519 public keys are taken."""
        body = await read_body(request, AccountBody)
        try:
            parse_public_key(body.public_key_pem)
        except UnsupportedKey as error:
            raise problem(400, "BAD_PUBLIC_KEY", str(error)) from None
        known = self._state.accounts.get(body.name)
        if known is None or known.is_wallet or self._keys_of(body.name):
            await self.submit(request, c.OpenAccount(body.name, c.Custody.CUSTODIAL, body.name))
        key_id = str(uuid.uuid4())
        await self.submit(request, c.RegisterKey(body.name, key_id, c.KeyKind.KALSHI, body.public_key_pem, body.name))
        return {"account": body.name, "key_id": key_id}

    def _keys_of(self, account_id: str) -> list[str]:
        return [key.key_id for key in self._state.keys.values() if key.account_id == account_id]

    async def account(self, account_id: str) -> Json:
        """Show any account's balances, and the ids of its API keys."""
        account = self._account(account_id)
        return {**account_view(account), "key_ids": self._keys_of(account.account_id)}

    async def limits(self, request: Request) -> Json:
        """Bound the positions of an account's beneficial owner in all of its accounts, or those of one account."""
        body = await read_body(request, LimitsBody)
        account, whole = self._account(body.account), body.whole_owner
        for limit, command in (
            (body.position_limit, lambda most: c.SetPositionLimit(account.account_id, most, body.ticker, whole)),
            (body.exposure_cap, lambda most: c.SetExposureCap(account.account_id, most, whole)),
        ):
            if not isinstance(limit, msgspec.UnsetType):
                await self.submit(request, command(None if limit is None else micros(limit)))
        return self._limits_view(account, whole)

    async def suspend(self, request: Request) -> Json:
        """Stop one account's trading, subaccounts included; what it has may leave."""
        body = await read_body(request, SuspensionBody)
        account = self._account(body.account)
        await self.submit(request, SuspendAccount(account.account_id, body.reason))
        return {"account": account.account_id, "suspended": account.suspended}

    async def restore(self, request: Request) -> Json:
        """Let a suspended account trade again."""
        body = await read_body(request, SuspensionBody)
        account = self._account(body.account)
        await self.submit(request, RestoreAccount(account.account_id, body.reason))
        return {"account": account.account_id, "suspended": None}

    def _limits_view(self, account: Account, whole: bool) -> Json:
        owner = self._state.accounts[account.owner]
        return {
            "account": account.account_id,
            "owner": owner.account_id,
            "accounts": [each.account_id for each in (owner_accounts(self._state, owner) if whole else [account])],
            "position_limits_micros": dict(owner.owner_position_limits if whole else account.position_limits),
            "exposure_cap_micros": owner.owner_exposure_cap_micros if whole else account.exposure_cap_micros,
        }

    def _account(self, name: str) -> Account:
        found = self._state.accounts.get(name) or self._state.accounts.get(name.lower())
        if found is None:
            raise problem(404, "UNKNOWN_ACCOUNT", f"there is no account {name[:64]}", {"account_id": name[:64]})
        return found

    async def deposit(self, request: Request) -> Json:
        """Pay test dollars in: to the pool for a custodial account, to the vault of a wallet whose key is a dev key."""
        body = await read_body(request, DepositBody)
        account, amount = self._account(body.account), _test_amount(body.amount)
        paid = await asked(self._hooks.deposit(account, amount))
        if body.wait:
            await asked(self._hooks.credited(paid))
        return {
            "id": f"deposit:{paid.deposit_index}",
            "account": account.account_id,
            "amount": body.amount,
            "transaction": paid.tx_hash,
            "block": paid.block_number,
            "credited": paid.deposit_index < self._state.next_deposit,
        }

    async def faucet(self, request: Request) -> Json:
        """Give a wallet free test dollars, and gas money if it has none."""
        body = await read_body(request, FaucetBody)
        wallet = address_of(body.wallet, "wallet")
        tx_hash = await asked(self._hooks.faucet(wallet, _test_amount(body.amount)))
        return {"wallet": wallet, "amount": body.amount, "transaction": tx_hash}

    # --- settlement and time -------------------------------------------------------------------------------------------

    async def publish_liabilities(self) -> Json:
        """Compare every reserve in one block and publish what is owed, now instead of at the next interval."""
        return {"tx_hash": await asked(self._hooks.publish_liabilities())}

    async def flush(self) -> Json:
        """Cut and settle what is open now; answers when all of it is final."""
        settled = await asked(self._hooks.flush())
        return {"settled": settled, "next_operation": self._state.next_operation, "final_block": self._state.final_block}

    async def time(self, request: Request) -> Json:
        """Move venue time (development only): open batches are settled first, then book and chain move together."""
        body = await read_body(request, TimeBody)
        await asked(self._hooks.move_time(body.seconds))
        return {"moved_s": body.seconds, "venue_time_ms": self._sequencer.clock_ms()}

    async def operation(self, number: int) -> Json:
        """Show an operation of the stream and how far it has come."""
        operations = self._sequencer.projections.operations
        if not 0 <= number < len(operations):
            raise problem(404, "UNKNOWN_OPERATION", f"operations go up to {len(operations) - 1}, there is no {number}")
        return operation_view(operations[number], lambda account: account)


def _test_amount(text: str) -> int:
    amount = micros(text)
    if not 0 < amount <= MAX_TEST_MICROS:
        raise problem(400, "BAD_AMOUNT", f"the amount must be above 0 and at most {MAX_TEST_MICROS // ONE_DOLLAR_MICROS}")
    return amount


def market_view(market: Market) -> Json:
    """Return a market's terms, state and custody numbers."""
    return {
        "ticker": market.ticker,
        "event_ticker": market.event_ticker,
        "series_ticker": market.series_ticker,
        "title": market.title,
        "type": market.market_type,
        "rules": market.rules,
        "status": str(market.status),
        "open_ms": market.open_ms,
        "close_ms": market.close_ms,
        "expected_expiration_ms": market.expected_expiration_ms or None,
        "latest_expiration_ms": market.latest_expiration_ms or None,
        "can_close_early": market.can_close_early,
        "settlement_timer_s": market.settlement_timer_s,
        "settles_ms": market.settles_ms or None,
        "voided": market.voided,
        "resolution_source": market.resolution_source,
        "price_structure": market.price_structure,
        "strike_type": market.strike_type.value,
        "floor_strike_e6": market.floor_strike_e6,
        "cap_strike_e6": market.cap_strike_e6,
        "condition_id": market.condition_id,
        "question_id": market.question_id,
        "token_ids": {outcome.name.lower(): market.token_id(outcome) for outcome in Outcome},
        "volume_micros": market.volume_micros,
        "last_price_e4": market.last_price_e4,
        "yes_payout_micros": market.yes_payout_micros if market.yes_payout_micros >= 0 else None,
        "resolved_on_chain": market.resolved_on_chain,
        "open_operations": market.open_operations,
        "sets_micros": market.yes_supply_micros,
        "custodial_micros": {"yes": market.custodial_yes_micros, "no": market.custodial_no_micros},
        "pool_micros": {"yes": market.pool_yes_micros, "no": market.pool_no_micros},
        "unsplit_micros": market.unsplit_micros,
    }


def routers(sequencer: Sequencer, settings: Settings, hooks: Hooks) -> list[APIRouter]:
    """Return the routes under /venue/admin: the operator's, and the reviewer's."""
    admin = AdminRoutes(sequencer, hooks)
    life = LifeRoutes(sequencer.state, admin.submit, lambda ticker: market_view(sequencer.state.markets[ticker]), payout_of)
    routes = APIRouter(prefix="/venue/admin", tags=["admin"], dependencies=[Depends(operator.operator_only(settings))])
    routes.add_api_route("/markets", admin.create_markets, methods=["POST"], status_code=201)
    routes.add_api_route("/markets/{ticker}", admin.market, methods=["GET"])
    routes.add_api_route("/markets/{ticker}/close", admin.close, methods=["POST"])
    routes.add_api_route("/markets/{ticker}/rewards", admin.rewards, methods=["POST"])
    routes.add_api_route("/markets/{ticker}/resolve", admin.resolve, methods=["POST"])
    routes.add_api_route("/events/{event_ticker}/resolve", admin.resolve_event, methods=["POST"])
    routes.add_api_route("/accounts", admin.create_account, methods=["POST"], status_code=201)
    routes.add_api_route("/accounts/{account_id}", admin.account, methods=["GET"])
    routes.add_api_route("/deposits", admin.deposit, methods=["POST"], status_code=201)
    routes.add_api_route("/limits", admin.limits, methods=["POST"])
    routes.add_api_route("/suspend", admin.suspend, methods=["POST"])
    routes.add_api_route("/restore", admin.restore, methods=["POST"])
    routes.add_api_route("/faucet", admin.faucet, methods=["POST"], status_code=201)
    routes.add_api_route("/reserves", admin.publish_liabilities, methods=["POST"])
    routes.add_api_route("/flush", admin.flush, methods=["POST"])
    routes.add_api_route("/time", admin.time, methods=["POST"])
    routes.add_api_route("/operations/{number}", admin.operation, methods=["GET"])
    add_routes(routes, life)
    return [routes, reviewer_router(life, settings)]
