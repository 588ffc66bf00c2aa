"""Keys that do not trade: read-only keys show a wallet's own data, builder keys add an app's name to its users' orders."""

import uuid

import msgspec
from fastapi import APIRouter, Request, Response

from offchain_book.engine.account import ApiKey
from offchain_book.engine.commands import KeyKind, RegisterKey, RevokeKey
from offchain_book.gateways.polymarket_errors import UNAUTHORIZED, ApiError, from_rejection
from offchain_book.gateways.polymarket_http import Caller, Venue, decode, query, reply
from offchain_book.gateways.polymarket_words import iso
from offchain_book.gateways.wallet_credentials import (
    BUILDER,
    READ_ONLY,
    builder_code,
    credentials,
    find_readonly,
    readonly_key,
    scoped_keys,
)


class _Key(msgspec.Struct):
    key: str


_key_decoder = msgspec.json.Decoder(_Key)


class ScopedKeyRoutes:
    """The routes of read-only and builder keys."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    async def _register(self, caller: Caller, scopes: tuple[str, ...]) -> ApiKey:
        key_id = str(uuid.uuid4())
        command = RegisterKey(caller.account_id, key_id, KeyKind.POLYMARKET, scopes=scopes)
        receipt = await self._venue.submit(command, caller.request_id)
        if receipt.rejected:
            raise from_rejection(receipt.rejected)
        return self._venue.state.keys[key_id]

    async def _revoke(self, caller: Caller, key: ApiKey) -> Response:
        receipt = await self._venue.submit(RevokeKey(caller.account_id, key.key_id), caller.request_id)
        if receipt.rejected:
            raise from_rejection(receipt.rejected)
        return reply("OK")

    # --- read-only -------------------------------------------------------------------------------------------------------

    async def create_readonly(self, request: Request) -> Response:
        """Create a read-only key: sent as POLY_READONLY_API_KEY beside POLY_ADDRESS it reads what its wallet may read."""
        key = await self._register(await self._venue.caller(request), READ_ONLY)
        return reply({"apiKey": readonly_key(self._venue.settings.api_secret, key)})

    async def list_readonly(self, request: Request) -> Response:
        """List the wallet's read-only keys."""
        caller = await self._venue.caller(request)
        keys = scoped_keys(self._venue.state, caller.account_id, READ_ONLY)
        return reply([readonly_key(self._venue.settings.api_secret, key) for key in keys])

    async def delete_readonly(self, request: Request) -> Response:
        """Make a read-only key useless."""
        caller = await self._venue.caller(request)
        shown = decode(_key_decoder, caller.body, "Invalid payload").key
        key = find_readonly(self._venue.state, self._venue.settings, caller.account_id, shown)
        if key is None:
            raise ApiError(404, "key not found", "UNKNOWN_KEY", "the wallet has no such read-only key")
        return await self._revoke(caller, key)

    async def validate_readonly(self, request: Request) -> Response:
        """Say whether a read-only key belongs to an address."""
        address, shown = request.query_params.get("address", "").lower(), request.query_params.get("key", "")
        if find_readonly(self._venue.state, self._venue.settings, address, shown) is None:
            raise ApiError(401, UNAUTHORIZED, "UNKNOWN_KEY", f"the key is no read-only key of {address or '(no address)'}")
        return reply("OK")

    # --- builders --------------------------------------------------------------------------------------------------------

    async def create_builder(self, request: Request) -> Response:
        """Create a builder key. Orders that carry its headers count for the builder code of its wallet."""
        key = await self._register(await self._venue.caller(request), BUILDER)
        known = credentials(self._venue.settings.api_secret, key)
        return reply({"key": known.key_id, "secret": known.secret, "passphrase": known.passphrase})

    async def list_builder(self, request: Request) -> Response:
        """List the wallet's builder keys and its builder code; revoked keys are gone."""
        caller = await self._venue.caller(request)
        keys = scoped_keys(self._venue.state, caller.account_id, BUILDER)
        code = builder_code(caller.account_id)
        rows = [{"key": k.key_id, "createdAt": iso(k.created_ms), "revokedAt": None, "builderCode": code} for k in keys]
        return reply(rows)

    async def revoke_builder(self, request: Request) -> Response:
        """Make a builder key useless: the one in the builder headers, else the wallet's newest."""
        caller = await self._venue.caller(request)
        keys = scoped_keys(self._venue.state, caller.account_id, BUILDER)
        signed = self._venue.builder(request, caller.body)
        key = signed if signed in keys else keys[-1] if keys and signed is None else None
        if key is None:
            raise ApiError(404, "key not found", "UNKNOWN_KEY", "the wallet has no builder key to revoke")
        return await self._revoke(caller, key)


def add_routes(router: APIRouter, venue: Venue) -> None:
    """Add the routes of this module."""
    keys = ScopedKeyRoutes(venue)
    router.add_api_route("/auth/readonly-api-key", keys.create_readonly, methods=["POST"])
    router.add_api_route("/auth/readonly-api-keys", keys.list_readonly, methods=["GET"])
    router.add_api_route("/auth/readonly-api-key", keys.delete_readonly, methods=["DELETE"])
    asked = query("address", "key")
    router.add_api_route("/auth/validate-readonly-api-key", keys.validate_readonly, methods=["GET"], openapi_extra=asked)
    router.add_api_route("/auth/builder-api-key", keys.create_builder, methods=["POST"])
    router.add_api_route("/auth/builder-api-key", keys.list_builder, methods=["GET"])
    router.add_api_route("/auth/builder-api-key", keys.revoke_builder, methods=["DELETE"])
