"""What an account and its approvers do about withdrawals: the list of addresses, consents, the policy itself."""

from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Request

from offchain_book.config import Settings
from offchain_book.engine import policy
from offchain_book.engine import policy_commands as pc
from offchain_book.engine.events import Rejected
from offchain_book.engine.policy_events import DestinationAllowed, WithdrawalApproved, WithdrawalRefused
from offchain_book.errors import details, sentence
from offchain_book.gateways import operator
from offchain_book.gateways.native import Amount, Hex, NativeRoutes, address_of, decimal, micros, problem, read_body
from offchain_book.sequencer import Sequencer

Json = dict[str, Any]


class DestinationBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST` and `DELETE /venue/destinations`."""

    address: Hex


class PolicyBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/admin/withdrawal-policy`: dollars and seconds; see docs/interfaces.md."""

    cooling_off_s: int
    window_s: int
    account_cap: Amount
    venue_cap: Amount
    approval_above: Amount
    approvals: int
    approvers: tuple[str, ...]


class WithdrawalRoutes:
    """The routes of one venue."""

    def __init__(self, sequencer: Sequencer, native: NativeRoutes) -> None:
        self._state = sequencer.state
        self._native = native

    async def destinations(self, request: Request) -> Json:
        """List the addresses that the account may send to, and from when."""
        account = policy.root(self._state, await self._native.signer(request))
        return {
            "destinations": [
                {"address": address, "usable_ms": usable_ms, "usable": usable_ms <= self._state.now_ms}
                for address, usable_ms in account.destinations.items()
            ]
        }

    async def allow(self, request: Request) -> Json:
        """Put an address on the list; it can be used after the cooling-off."""
        account = await self._native.signer(request)
        body = await read_body(request, DestinationBody)
        receipt = await self._native.submit(
            request, pc.AllowDestination(account.account_id, address_of(body.address, "address"))
        )
        event = receipt.first(DestinationAllowed)
        assert event is not None
        return {"address": event.address, "usable_ms": event.usable_ms}

    async def remove(self, request: Request) -> Json:
        """Take an address off the list."""
        account = await self._native.signer(request)
        address = address_of((await read_body(request, DestinationBody)).address, "address")
        await self._native.submit(request, pc.RemoveDestination(account.account_id, address))
        return {"address": address}

    async def waiting(self, request: Request) -> Json:
        """List what waits for approval: everything for an approver, the account's own for others."""
        account = await self._native.signer(request)
        rules = self._state.withdrawal_policy
        approves = rules is not None and account.account_id in rules.approvers
        return {
            "withdrawals": [
                {
                    "reference": reference,
                    "account": one.withdrawal.account_id,
                    "amount": decimal(one.withdrawal.amount_micros),
                    "ticker": one.withdrawal.ticker or None,
                    "to": one.withdrawal.to,
                    "since_ms": one.since_ms,
                    "approved_by": list(one.approvers),
                }
                for reference, one in self._state.waiting_withdrawals.items()
                if approves or one.withdrawal.account_id == account.account_id
            ]
        }

    async def approve(self, reference: str, request: Request) -> Json:
        """Consent to a waiting withdrawal; the last consent sends it."""
        account = await self._native.signer(request)
        receipt = await self._native.submit(request, pc.ApproveWithdrawal(reference, account.account_id))
        refused = receipt.first(WithdrawalRefused)
        if refused is not None:
            why = Rejected(refused.code, refused.details)
            raise problem(409, refused.code.name, sentence(why), {"reference": reference, **details(why)})
        event = receipt.first(WithdrawalApproved)
        assert event is not None
        return {"reference": reference, "missing": event.missing, "seq": receipt.entry.seq}

    async def reject(self, reference: str, request: Request) -> Json:
        """Drop a waiting withdrawal."""
        account = await self._native.signer(request)
        receipt = await self._native.submit(request, pc.RejectWithdrawal(reference, account.account_id))
        return {"reference": reference, "seq": receipt.entry.seq}

    async def set_policy(self, request: Request) -> Json:
        """Replace the policy (operator)."""
        body = await read_body(request, PolicyBody)
        receipt = await self._native.submit(
            request,
            pc.SetWithdrawalPolicy(
                body.cooling_off_s * 1000,
                body.window_s * 1000,
                micros(body.account_cap),
                micros(body.venue_cap),
                micros(body.approval_above),
                body.approvals,
                body.approvers,
            ),
        )
        return {"seq": receipt.entry.seq}


def router(sequencer: Sequencer, settings: Settings, native: NativeRoutes) -> APIRouter:
    """Return the routes about withdrawals."""
    found = WithdrawalRoutes(sequencer, native)
    routes = APIRouter(prefix="/venue", tags=["withdrawals"])
    routes.add_api_route("/destinations", found.destinations, methods=["GET"])
    routes.add_api_route("/destinations", found.allow, methods=["POST"], status_code=201)
    routes.add_api_route("/destinations", found.remove, methods=["DELETE"])
    routes.add_api_route("/withdrawals", found.waiting, methods=["GET"])
    routes.add_api_route("/withdrawals/{reference}/approve", found.approve, methods=["POST"])
    routes.add_api_route("/withdrawals/{reference}/reject", found.reject, methods=["POST"])
    routes.add_api_route(
        "/admin/withdrawal-policy",
        found.set_policy,
        methods=["POST"],
        dependencies=[Depends(operator.operator_only(settings))],
    )
    return routes
