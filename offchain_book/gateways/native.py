"""Our own routes under /venue: accounts, withdrawals, tokenization, links, vault actions, trace.

A custodial caller signs with its Kalshi-dialect key, but over the body too: the signed text is timestamp + METHOD + path +
hex SHA-256 of the body, and every request that moves money carries its own `reference`, so a replayed request moves nothing.
A wallet needs no session here: its EIP-712 signature is the request. docs/interfaces.md describes every route.
"""

import dataclasses
import hashlib
import hmac
from collections.abc import Awaitable
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, HTTPException, Request

from offchain_book import signatures
from offchain_book.config import MAX_BODY_BYTES, Settings
from offchain_book.engine.account import Account
from offchain_book.engine.actions import refusal_of_action
from offchain_book.engine.commands import Command, LinkAccount, SubmitAction, Withdraw
from offchain_book.engine.events import ActionAccepted, Rejected, WithdrawalRequested
from offchain_book.engine.operations import Outcome, VaultAction, VaultActionKind
from offchain_book.engine.policy_events import WithdrawalHeld
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.units import ONE_DOLLAR_MICROS
from offchain_book.errors import details, sentence
from offchain_book.gateways.contract_wallets import ContractWallets, HookRefused
from offchain_book.gateways.credentials import Authenticator, BadCredentials
from offchain_book.gateways.page_sessions import PageSessions
from offchain_book.gateways.trace import Tracer, masked
from offchain_book.sequencer import Receipt, Sequencer

Json = dict[str, Any]
T = TypeVar("T")
MICRO_DIGITS = 6
MAX_WHOLE_DIGITS = 12

_NOT_FOUND = frozenset(
    {RejectCode.UNKNOWN_ACCOUNT, RejectCode.UNKNOWN_EVENT, RejectCode.UNKNOWN_MARKET, RejectCode.UNKNOWN_ORDER}
)
_CONFLICT = frozenset(
    {
        RejectCode.ACCOUNT_EXISTS,
        RejectCode.ACTION_NONCE_USED,
        RejectCode.ALREADY_LINKED,
        RejectCode.NOT_LINKED,
        RejectCode.CONTRACT_TOO_OLD,
        RejectCode.ALREADY_RESOLVED,
        RejectCode.INCONSISTENT_RESULT,
        RejectCode.EARLY_CLOSE_RULED_OUT,
        RejectCode.NO_LONGER_DISPUTABLE,
        RejectCode.TICKS_NOT_FINER,
        RejectCode.WRONG_MARKET_STATE,
        RejectCode.DUPLICATE_REQUEST,
        RejectCode.DUPLICATE_ORDER_ID,
        RejectCode.DUPLICATE_CLIENT_ORDER_ID,
        RejectCode.ORDER_NOT_OPEN,
        RejectCode.SIGNED_NONCE_TAKEN,
        RejectCode.KEY_EXISTS,
        RejectCode.MARKET_EXISTS,
    }
)

Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]
Amount = Annotated[str, msgspec.Meta(pattern=rf"^\d{{1,{MAX_WHOLE_DIGITS}}}(\.\d{{1,{MICRO_DIGITS}}})?$")]
Hex = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]*$", max_length=4_096)]


class WithdrawalBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/withdrawals`: dollars to an address."""

    reference: Reference
    amount: Amount
    to: Hex


class TokenizeBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/tokenize`: part of a position to a wallet, as ERC-1155 tokens."""

    reference: Reference
    ticker: str
    outcome: str
    count: Amount
    wallet: Hex


class LinkBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/links`: the wallet's `LinkAccount` signature; the account proves itself by signing the request."""

    wallet: Hex
    deadline: int
    signature: Hex
    deliver: bool = False


class ActionBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/actions`: an EIP-712 `VaultAction`, field by field, and its signature."""

    wallet: Hex
    kind: int
    id: str
    amount: str
    to: Hex
    nonce: str
    deadline: int
    signature: Hex


def micros(text: str) -> int:
    """Return a decimal string of at most six decimals in millionths, exactly."""
    whole, _, fraction = text.partition(".")
    return int(whole) * ONE_DOLLAR_MICROS + int(fraction.ljust(MICRO_DIGITS, "0"))


def decimal(amount_micros: int) -> str:
    """Return millionths as a decimal string with six decimals."""
    sign = "-" if amount_micros < 0 else ""
    whole, fraction = divmod(abs(amount_micros), ONE_DOLLAR_MICROS)
    return f"{sign}{whole}.{fraction:06d}"


def problem(status: int, code: str, message: str, more: Json | None = None) -> HTTPException:
    """Return our error: a stable code, a sentence, and the values that repair it."""
    return HTTPException(status, {"code": code, "message": message, "details": more or {}})


def refusal(rejected: Rejected) -> HTTPException:
    """Return a rejection of the engine as our error."""
    status = 404 if rejected.code in _NOT_FOUND else 409 if rejected.code in _CONFLICT else 400
    return problem(status, rejected.code.name, sentence(rejected), {"number": int(rejected.code), **details(rejected)})


async def read_body(request: Request, kind: type[T]) -> T:
    """Decode a JSON body strictly, or say which field is wrong."""
    raw = await request.body()
    if len(raw) > MAX_BODY_BYTES:
        raise problem(413, "BODY_TOO_LARGE", f"the body is larger than {MAX_BODY_BYTES} bytes")
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise problem(400, "BAD_BODY", f"the body cannot be read: {error}") from None
    except RecursionError:
        raise problem(400, "BAD_BODY", "the body cannot be read: it is nested too deeply") from None


def address_of(text: str, field: str) -> str:
    """Return an address in lower case. A wrong length or checksum is refused."""
    try:
        return signatures.parse_address(text).lower()
    except signatures.InvalidAddress as error:
        raise problem(400, "BAD_ADDRESS", f"{field}: {error}") from None


async def asked(question: Awaitable[T]) -> T:
    """Wait for the chain's answer; its refusal becomes our error."""
    try:
        return await question
    except HookRefused as error:
        raise problem(error.status, error.code, error.message) from None


class NativeRoutes:
    """The routes of one venue."""

    def __init__(
        self,
        sequencer: Sequencer,
        settings: Settings,
        people: PageSessions | None = None,
        contracts: ContractWallets | None = None,
    ) -> None:
        self.contracts = contracts
        self._sequencer = sequencer
        self._settings = settings
        self._people = people or PageSessions()
        self._authenticator = Authenticator(sequencer.state)
        self._tracer = Tracer(sequencer.state, sequencer.projections)
        self._domain = signatures.native_domain(settings.chain_id, settings.venue_address)

    async def signer(self, request: Request) -> Account:
        """Return the custodial account that signed a request and its body, or whose session the page is in."""
        signed_in = self._people.account_of(request)
        if signed_in:
            return self._sequencer.state.accounts[signed_in]
        body = await request.body()
        path = request.scope["raw_path"].decode("ascii") + hashlib.sha256(body).hexdigest()
        try:
            key = self._authenticator.check(request.headers, request.method, path)
        except BadCredentials as error:
            raise problem(401, "BAD_CREDENTIALS", error.message, dict(error.details)) from None
        needed = "read" if request.method == "GET" else "write"
        if needed not in key.scopes:
            raise problem(403, "SCOPE", f"the key's scopes are {', '.join(key.scopes)}; this route needs {needed}")
        account = self._sequencer.state.accounts[key.account_id]
        if account.parent and needed == "write":
            raise problem(
                403, "SCOPE", f"the key is locked to subaccount {account.number}, where it may only read and trade"
            )
        return account

    def _is_operator(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {self._settings.operator_token}".encode())

    async def submit(self, request: Request, command: Command) -> Receipt:
        """Submit a command for a request; a refusal of the engine becomes our error."""
        request_id = request.scope.get("state", {}).get("request_id", "")
        receipt = await self._sequencer.submit(command, request_id)
        if receipt.rejected:
            raise refusal(receipt.rejected)
        return receipt

    async def account(self, account_id: str, request: Request) -> Json:
        """Show an account's balances: a wallet's to anybody (they are on chain), a custodial one's to itself."""
        account = self._sequencer.state.accounts.get(account_id) or self._sequencer.state.accounts.get(account_id.lower())
        if (account is None or not account.is_wallet) and not self._is_operator(request):
            signer = await self.signer(request)
            if account is None or signer is not account:
                raise problem(403, "NOT_YOURS", f"this key belongs to {signer.account_id}, not to {account_id}")
        if account is None:
            raise problem(404, "UNKNOWN_ACCOUNT", f"there is no account {account_id}")
        return account_view(account)

    async def withdraw(self, request: Request) -> Json:
        """Send cash from a custodial account to an address, through the numbered stream."""
        account = await self.signer(request)
        body = await read_body(request, WithdrawalBody)
        command = Withdraw(
            f"{account.account_id}:{body.reference}", account.account_id, micros(body.amount), address_of(body.to, "to")
        )
        return self._requested(await self.submit(request, command))

    async def tokenize(self, request: Request) -> Json:
        """Send part of a custodial position to a wallet as outcome tokens."""
        account = await self.signer(request)
        body = await read_body(request, TokenizeBody)
        if body.outcome not in ("yes", "no"):
            raise problem(400, "BAD_OUTCOME", f"outcome is yes or no, not {body.outcome}")
        command = Withdraw(
            f"{account.account_id}:{body.reference}",
            account.account_id,
            micros(body.count),
            address_of(body.wallet, "wallet"),
            body.ticker,
            Outcome[body.outcome.upper()],
        )
        return self._requested(await self.submit(request, command))

    def _requested(self, receipt: Receipt) -> Json:
        event, held = receipt.first(WithdrawalRequested), receipt.first(WithdrawalHeld)
        if held is not None:
            return {"reference": held.reference, "waits_for_approvals": held.approvals, "seq": receipt.entry.seq}
        assert event is not None
        return {
            "reference": event.reference,
            "operation": event.operation,
            "asset": event.asset,
            "amount": decimal(event.amount_micros),
            "to": event.to,
            "seq": receipt.entry.seq,
        }

    async def link(self, request: Request) -> Json:
        """Link a custodial account and a wallet: the account signs the request, the wallet the `LinkAccount` struct."""
        account = await self.signer(request)
        body = await read_body(request, LinkBody)
        wallet = address_of(body.wallet, "wallet")
        if body.deadline < self._sequencer.clock_ms() // 1000:
            raise problem(400, "DEADLINE_PASSED", f"the deadline {body.deadline} has passed")
        digest = signatures.link_account_digest(self._domain, account.account_id, wallet, body.deadline)
        await self.stands_behind(digest, body.signature, wallet)
        await self.submit(request, LinkAccount(account.account_id, wallet, body.deliver))
        return {"account": account.account_id, "wallet": wallet, "deliver": body.deliver}

    async def stop_delivery(self, request: Request) -> Json:
        """Keep fills in the account from now on; the wallet stays linked, and need not agree: its key may be lost."""
        account = await self.signer(request)
        if not account.wallet:
            raise problem(409, "NOT_LINKED", f"{account.account_id} has no linked wallet: POST /venue/links")
        await self.submit(request, LinkAccount(account.account_id, account.wallet, False))
        return {"account": account.account_id, "wallet": account.wallet, "deliver": False}

    async def action(self, request: Request) -> Json:
        """Take a wallet's signed vault action; the operator pays for its execution."""
        body = await read_body(request, ActionBody)
        action = self._parse_action(body)
        digest = signatures.vault_action_digest(self._domain, action)
        command = SubmitAction("0x" + digest.hex(), action)
        if await self.stands_behind(digest, body.signature, action.wallet):
            command = await self._approved(command, digest)
        receipt = await self.submit(request, command)
        event = receipt.first(ActionAccepted)
        assert event is not None
        return {"action_id": event.action_id, "operation": event.operation, "seq": receipt.entry.seq}

    def _parse_action(self, body: ActionBody) -> VaultAction:
        numbers = {"id": body.id, "amount": body.amount, "nonce": body.nonce}
        for field, text in numbers.items():
            if not (text.isascii() and text.isdigit()) or int(text) >= 1 << 256:
                raise problem(400, "BAD_NUMBER", f"{field} must be a decimal number below 2^256, not {text[:80]}")
        if body.kind not in list(VaultActionKind):
            kinds = ", ".join(f"{kind.value} {kind.name}" for kind in VaultActionKind)
            raise problem(400, "BAD_KIND", f"kind {body.kind} is none of: {kinds}")
        if not 0 <= int(body.amount) < 1 << 96 or not 0 <= body.deadline < 1 << 40:
            raise problem(400, "BAD_NUMBER", "amount must be below 2^96 and deadline below 2^40")
        return VaultAction(
            address_of(body.wallet, "wallet"),
            VaultActionKind(body.kind),
            str(int(body.id)),
            int(body.amount),
            address_of(body.to, "to"),
            str(int(body.nonce)),
            body.deadline,
            body.signature,
        )

    async def _approved(self, command: SubmitAction, digest: bytes) -> SubmitAction:
        """Record a contract wallet's yes to an action on chain, unless the exchange would refuse it anyway."""
        action = command.action
        for event in refusal_of_action(self._sequencer.state, command) or ():
            if isinstance(event, Rejected):
                raise refusal(event)
        assert self.contracts is not None
        if not await asked(self.contracts.approve(action.wallet, digest, action.signature)):
            raise self.bad_signature("the contract does not take this signature (ERC-1271)", digest, action.wallet, "")
        return SubmitAction(command.action_id, dataclasses.replace(action, signature=""))

    async def stands_behind(self, digest: bytes, signature: str, wallet: str) -> bool:
        """Check that a wallet signed a digest: with its key (False), or as a contract that says so now (True, ERC-1271)."""
        recovered, reason = "", "the signature is not the wallet's over this struct"
        try:
            recovered = signatures.recover(digest, signature).lower()
        except signatures.InvalidSignature as error:
            reason = str(error)
        if recovered == wallet:
            return False
        known = wallet in self._sequencer.state.accounts
        if self.contracts is not None and known and await asked(self.contracts.is_signed(wallet, digest, signature)):
            return True
        raise self.bad_signature(reason, digest, wallet, recovered)

    def bad_signature(self, reason: str, digest: bytes, wallet: str, recovered: str) -> HTTPException:
        """Return the error of a signature that is not the wallet's: what was expected, and what was found."""
        found = {"recovered": recovered, "expected": wallet, "digest": "0x" + digest.hex()}
        found["domain"] = f"Causeway 1, chain {self._domain.chain_id}, {self._domain.verifying_contract}"
        found["explain"] = "POST /venue/explain/signature"
        return problem(400, "BAD_SIGNATURE", reason, found)

    async def trace(self, name: str, request: Request) -> Json:
        """Show request → command → fills → operation → transaction → postings for any id in that chain."""
        mask = (lambda account: account) if self._is_operator(request) else masked(self._sequencer.state)
        if "kalshi-access-key" in request.headers:
            signer = await self.signer(request)
            hide = masked(self._sequencer.state)

            def mask(account: str) -> str:
                return account if account == signer.account_id else hide(account)

        found = self._tracer.trace(name, mask)
        if found is None:
            raise problem(404, "UNKNOWN_ID", f"nothing has the id {name}; try a request id, order id, trade:N, operation:N, "
                          "batch:N, command:N, deposit:N, a reference or a transaction hash")  # fmt: skip
        return found


def account_view(account: Account) -> Json:
    """Return an account's balances, every asset in millionths."""
    return {
        "account": account.account_id,
        "custody": account.custody,
        "name": account.name,
        "linked_wallet": account.wallet if not account.is_wallet else None,
        "delivers_to": account.deliver_to or None,
        "exit_at_s": account.exit_at_s or None,
        "suspended": account.suspended or None,
        "open_orders": len(account.open_orders),
        "collateral_return": account.collateral_return,
        "advanced_micros": {event: advance.micros for event, advance in account.advances.items()},
        "balances": {
            asset: {
                "total": balance.total,
                "available": balance.available,
                "held": balance.held,
                "pending": balance.pending,
                "settled": balance.settled,
                "withdrawable": balance.withdrawable,
            }
            for asset, balance in account.balances.items()
            if balance.total or balance.pending_in or balance.pending_out
        },
    }


def router(native: NativeRoutes) -> APIRouter:
    """Return the routes under /venue that users call."""
    routes = APIRouter(prefix="/venue", tags=["venue"])
    routes.add_api_route("/accounts/{account_id}", native.account, methods=["GET"])
    routes.add_api_route("/withdrawals", native.withdraw, methods=["POST"], status_code=201)
    routes.add_api_route("/tokenize", native.tokenize, methods=["POST"], status_code=201)
    routes.add_api_route("/links", native.link, methods=["POST"], status_code=201)
    routes.add_api_route("/links/delivery", native.stop_delivery, methods=["DELETE"])
    routes.add_api_route("/actions", native.action, methods=["POST"], status_code=201)
    routes.add_api_route("/trace/{name:path}", native.trace, methods=["GET"])
    return routes
