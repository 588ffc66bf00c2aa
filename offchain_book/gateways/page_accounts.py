"""People on the page: sign-up, sessions, orders of custodial accounts, portfolio, test money.

Wallets place their orders at `native_orders.py`. Rules of trading are the engine's.
"""

import asyncio
import uuid
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request, Response

from offchain_book.engine.account import Account
from offchain_book.engine.commands import CancelOrder, Custody, OpenAccount, PlaceOrder
from offchain_book.engine.events import Matched, OrderRested
from offchain_book.engine.order import TimeInForce
from offchain_book.engine.units import ONE_DOLLAR_MICROS
from offchain_book.gateways.admin import Hooks
from offchain_book.gateways.attempts import Guarded
from offchain_book.gateways.contract_wallets import HookRefused
from offchain_book.gateways.native import Amount, Hex, NativeRoutes, address_of, micros, problem, read_body
from offchain_book.gateways.page_fills import order_history, portfolio
from offchain_book.gateways.page_passwords import NameTaken, Passwords
from offchain_book.gateways.page_sessions import PageSessions, check_own_page
from offchain_book.gateways.page_views import PriceE4, book_side, sides, yes_price_e4
from offchain_book.gateways.sessions import Sessions
from offchain_book.sequencer import Receipt, Sequencer

Json = dict[str, Any]
MAX_KEY_ID = 100
MAX_GIFT_MICROS = 1_000 * ONE_DOLLAR_MICROS
"""Most test money per request."""
Name = Annotated[str, msgspec.Meta(pattern=r"^(?!0x)[a-z0-9][a-z0-9_.-]{1,31}$")]
Password = Annotated[str, msgspec.Meta(min_length=8, max_length=200)]
TIMES_IN_FORCE = {"rest": TimeInForce.GTC, "now": TimeInForce.IOC, "all": TimeInForce.FOK}


class PersonBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/page/people` and `/venue/page/session`."""

    name: Name
    password: Password


class OrderBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/page/orders`: a custodial order; `price_e4` is the price of the outcome named."""

    ticker: str
    action: str
    outcome: str
    price_e4: PriceE4
    count: Amount
    until: str = "rest"


class GiftBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/page/test-money`: to a wallet, or to the account that is signed in."""

    amount: Amount
    wallet: Hex = ""


class PageAccounts:
    """The routes of one venue's page that are about somebody."""

    def __init__(
        self,
        sequencer: Sequencer,
        native: NativeRoutes,
        people: PageSessions,
        wallets: Sessions,
        passwords: Passwords,
        limit: Guarded,
        hooks: Hooks | None,
    ) -> None:
        self._sequencer = sequencer
        self._state = sequencer.state
        self._native = native
        self._people = people
        self._wallets = wallets
        self._passwords = passwords
        self._limit = limit
        self._hooks = hooks

    # --- who -----------------------------------------------------------------------------------------------------------

    async def sign_up(self, request: Request, response: Response) -> Json:
        """Open a custodial account with a password, and sign in."""
        check_own_page(request)
        body = await read_body(request, PersonBody)
        self._limit.take(request, body.name)
        account_id = f"page-{uuid.uuid4().hex[:16]}"
        if body.name in self._state.accounts:
            raise _name_taken(body.name)
        try:
            await asyncio.to_thread(self._passwords.add, body.name, account_id, body.password)
        except NameTaken:
            raise _name_taken(body.name) from None
        await self._native.submit(request, OpenAccount(account_id, Custody.CUSTODIAL, body.name))
        self._people.begin(response, account_id)
        return self._who(account_id)

    async def sign_in(self, request: Request, response: Response) -> Json:
        """Begin a session with name and password."""
        check_own_page(request)
        body = await read_body(request, PersonBody)
        self._limit.take(request, body.name)
        account_id = await asyncio.to_thread(self._passwords.check, body.name, body.password)
        if not account_id:
            raise problem(401, "BAD_CREDENTIALS", "no account has this name and password; names are lower case")
        self._limit.give_back(request, body.name)
        if account_id not in self._state.accounts:
            await self._native.submit(request, OpenAccount(account_id, Custody.CUSTODIAL, body.name))
        self._people.begin(response, account_id)
        return self._who(account_id)

    async def sign_in_by_key(self, request: Request, response: Response) -> Json:
        """Begin a session with an API key: the request is signed like every private native route."""
        check_own_page(request)
        key_id = request.headers.get("kalshi-access-key", "")[:MAX_KEY_ID]
        self._limit.take(request, key_id)
        account = await self._native.signer(request)
        self._limit.give_back(request, key_id)
        self._people.begin(response, account.account_id)
        return self._who(account.account_id)

    async def sign_out(self, request: Request, response: Response) -> Json:
        """End the session."""
        check_own_page(request)
        self._people.end(request, response)
        return {"account": None}

    async def session(self, request: Request) -> Json:
        """Who is signed in, if anybody."""
        account_id = self._people.account_of(request)
        return self._who(account_id) if account_id else {"account": None}

    def _who(self, account_id: str) -> Json:
        account = self._state.accounts[account_id]
        return {"account": account_id, "name": account.name, "custody": account.custody}

    def _signed_in(self, request: Request) -> Account:
        account_id = self._people.account_of(request)
        if not account_id:
            raise problem(401, "NOT_SIGNED_IN", "sign in first: the session has ended, or there was none")
        return self._state.accounts[account_id]

    # --- orders --------------------------------------------------------------------------------------------------------

    async def place(self, request: Request) -> Json:
        """Place an order of the custodial account that is signed in."""
        account = self._signed_in(request)
        body = await read_body(request, OrderBody)
        outcome, side = sides(body.action, body.outcome)
        command = PlaceOrder(
            order_id=str(uuid.uuid4()),
            account_id=account.account_id,
            ticker=body.ticker,
            side=book_side(outcome, side),
            price_e4=yes_price_e4(outcome, body.price_e4),
            size_micros=micros(body.count),
            time_in_force=_time_in_force(body.until),
        )
        return _placed(command, await self._native.submit(request, command))

    async def cancel(self, order_id: str, request: Request) -> Json:
        """Take the rest of one's own order out of the book."""
        account = self._signed_in(request)
        await self._native.submit(request, CancelOrder(account.account_id, order_id))
        return {"order_id": order_id}

    # --- what one has ----------------------------------------------------------------------------------------------------

    async def portfolio(self, request: Request, wallet: str = "") -> Json:
        """Everything about the account that is signed in, or what is public about a wallet."""
        name = address_of(wallet, "wallet") if wallet else self._people.account_of(request)
        session = self._wallets.find(request)
        if not name:
            raise problem(401, "NOT_SIGNED_IN", "sign in, or name a wallet")
        account = self._state.accounts.get(name)
        if account is None:
            raise problem(404, "UNKNOWN_ACCOUNT", f"{name} has never deposited here")
        return portfolio(self._sequencer, account, private=not wallet or (session is not None and session.wallet == name))

    async def history(self, request: Request, before: int = 0) -> Json:
        """Finished orders of whoever is signed in, newest first, a page at a time: `before` is the last page's `next`."""
        session = self._wallets.find(request)
        account_id = self._people.account_of(request) or (session.wallet if session is not None else "")
        if not account_id:
            raise problem(401, "NOT_SIGNED_IN", "sign in first: orders are their owner's to see")
        return order_history(self._sequencer.projections, account_id, before)

    async def test_money(self, request: Request) -> Json:
        """Give test dollars: to a wallet (with gas money if it has next to none), or into the account that is signed in."""
        check_own_page(request)
        body = await read_body(request, GiftBody)
        amount = micros(body.amount)
        if self._hooks is None:
            raise problem(409, "NOT_OUR_CHAIN", "test money is given on the venue's own development chain only")
        if not 0 < amount <= MAX_GIFT_MICROS:
            raise problem(400, "BAD_AMOUNT", f"amount is above 0 and at most {MAX_GIFT_MICROS // ONE_DOLLAR_MICROS} dollars")
        try:
            if body.wallet:
                transaction = await self._hooks.faucet(address_of(body.wallet, "wallet"), amount)
                return {"transaction": transaction}
            paid = await self._hooks.deposit(self._signed_in(request), amount)
            return {"transaction": paid.tx_hash, "id": f"deposit:{paid.deposit_index}"}
        except HookRefused as error:
            raise problem(error.status, error.code, error.message) from None


def _name_taken(name: str) -> Exception:
    return problem(409, "NAME_TAKEN", f"somebody else is {name}: choose another name")


def _time_in_force(word: str) -> TimeInForce:
    if word not in TIMES_IN_FORCE:
        raise problem(400, "BAD_OPTION", f"until is one of {', '.join(TIMES_IN_FORCE)}")
    return TIMES_IN_FORCE[word]


def _placed(command: PlaceOrder, receipt: Receipt) -> Json:
    matches = [match for match in receipt.every(Matched) if match.taker.order_id == command.order_id]
    rested = receipt.first(OrderRested)
    return {
        "order_id": command.order_id,
        "seq": receipt.entry.seq,
        "filled_micros": sum(match.size_micros for match in matches),
        "rests_micros": rested.remaining_micros if rested else 0,
        "trades": [f"trade:{match.match_id}" for match in matches],
    }


def router(accounts: PageAccounts) -> APIRouter:
    """Return the page's routes about somebody."""
    routes = APIRouter(prefix="/venue/page", tags=["page"])
    routes.add_api_route("/people", accounts.sign_up, methods=["POST"], status_code=201)
    routes.add_api_route("/session", accounts.session, methods=["GET"])
    routes.add_api_route("/session", accounts.sign_in, methods=["POST"], status_code=201)
    routes.add_api_route("/session/key", accounts.sign_in_by_key, methods=["POST"], status_code=201)
    routes.add_api_route("/session", accounts.sign_out, methods=["DELETE"])
    routes.add_api_route("/orders", accounts.history, methods=["GET"])
    routes.add_api_route("/orders", accounts.place, methods=["POST"], status_code=201)
    routes.add_api_route("/orders/{order_id}", accounts.cancel, methods=["DELETE"])
    routes.add_api_route("/portfolio", accounts.portfolio, methods=["GET"])
    routes.add_api_route("/test-money", accounts.test_money, methods=["POST"], status_code=201)
    return routes
