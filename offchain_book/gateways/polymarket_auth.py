"""API keys of wallets: created or derived with the wallet's signature, listed and revoked with the key itself."""

from fastapi import APIRouter, Request, Response

from offchain_book.engine.account import ApiKey
from offchain_book.engine.commands import Custody, KeyKind, OpenAccount, RegisterKey, RevokeKey
from offchain_book.engine.rejects import RejectCode
from offchain_book.gateways.polymarket_errors import ApiError, from_rejection
from offchain_book.gateways.polymarket_http import Venue, reply, request_id_of
from offchain_book.gateways.wallet_credentials import credentials, key_id_of, scoped_keys

CANNOT_CREATE = "Could not create api key"
CANNOT_DERIVE = "Could not derive api key"


class KeyRoutes:
    """The routes under /auth."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    async def create(self, request: Request) -> Response:
        """Register the key of a wallet's nonce, and open the wallet's account if it has none.

        Refused with 400 when the key exists, so that clients go on to derive it.
        """
        proof = self._venue.proven_wallet(request)
        key_id = key_id_of(self._venue.settings.api_secret, proof.address, proof.nonce)
        if key_id in self._venue.state.keys:
            reason = f"the key for nonce {proof.nonce} exists already; derive it, or use another nonce"
            raise ApiError(400, CANNOT_CREATE, RejectCode.KEY_EXISTS.name, reason, nonce=proof.nonce)
        request_id = request_id_of(request)
        account = self._venue.state.accounts.get(proof.address)
        if account is not None and not account.is_wallet:
            reason = f"the account named {proof.address} is custodial; a wallet's key would not be its own"
            raise ApiError(400, CANNOT_CREATE, RejectCode.CUSTODY_MISMATCH.name, reason)
        if account is None:
            opened = await self._venue.submit(OpenAccount(proof.address, Custody.WALLET), request_id)
            if opened.rejected and opened.rejected.code is not RejectCode.ACCOUNT_EXISTS:
                raise from_rejection(opened.rejected)
        command = RegisterKey(proof.address, key_id, KeyKind.POLYMARKET, nonce=proof.nonce)
        registered = await self._venue.submit(command, request_id)
        if registered.rejected:
            raise from_rejection(registered.rejected)
        return self._reply_credentials(self._venue.state.keys[key_id])

    async def derive(self, request: Request) -> Response:
        """Return the key of a wallet's nonce again."""
        proof = self._venue.proven_wallet(request)
        key = self._venue.state.keys.get(key_id_of(self._venue.settings.api_secret, proof.address, proof.nonce))
        if key is None:
            reason = f"no key was created for nonce {proof.nonce}, or it was revoked; create it first"
            raise ApiError(400, CANNOT_DERIVE, RejectCode.UNKNOWN_KEY.name, reason, nonce=proof.nonce)
        return self._reply_credentials(key)

    async def list_keys(self, request: Request) -> Response:
        """List the ids of the wallet's keys."""
        caller = await self._venue.caller(request)
        keys = scoped_keys(self._venue.state, caller.account_id, ("read", "write"))
        return reply({"apiKeys": [key.key_id for key in keys]})

    async def revoke(self, request: Request) -> Response:
        """Make the key that signed this request useless."""
        caller = await self._venue.caller(request)
        receipt = await self._venue.submit(RevokeKey(caller.account_id, caller.key.key_id), caller.request_id)
        if receipt.rejected:
            raise from_rejection(receipt.rejected)
        return reply("OK")

    async def closed_only(self, request: Request) -> Response:
        """Say whether the wallet's new orders are refused: it has asked the contract for its exit, or its trading is suspended."""
        caller = await self._venue.caller(request)
        account = self._venue.state.accounts[caller.account_id]
        return reply({"closed_only": account.exit_at_s > 0 or account.suspended != ""})

    def _reply_credentials(self, key: ApiKey) -> Response:
        known = credentials(self._venue.settings.api_secret, key)
        return reply({"apiKey": known.key_id, "secret": known.secret, "passphrase": known.passphrase})


def add_routes(router: APIRouter, venue: Venue) -> None:
    """Add the routes of this module."""
    keys = KeyRoutes(venue)
    router.add_api_route("/auth/api-key", keys.create, methods=["POST"])
    router.add_api_route("/auth/derive-api-key", keys.derive, methods=["GET"])
    router.add_api_route("/auth/api-keys", keys.list_keys, methods=["GET"])
    router.add_api_route("/auth/api-key", keys.revoke, methods=["DELETE"])
    router.add_api_route("/auth/ban-status/closed-only", keys.closed_only, methods=["GET"])
